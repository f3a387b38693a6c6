"""Exercises of chapter 9: one batch, many devices."""

from functools import partial

import numpy as np

from bnlib.exercises.engine.exercise import Case, Exercise, Misconception
from bnlib.exercises.engine.terms import Terms

# --- 9.1 ------------------------------------------------------------------------------


def _far_apart(n):
    a = np.arange(n, dtype=float)
    return a, a + 1000.0


def _shares(result):
    """Average variance of the parts, variance of the whole."""
    a, b = (np.asarray(part, dtype=float) for part in result)
    return (a.var() + b.var()) / 2, np.concatenate([a, b]).var()


def _hides_spread(result, n):
    within, whole = _shares(result)
    if whole == 0:
        return "The whole has variance 0, so there is none to hide."
    if not within <= 0.01 * whole:  # NaN is not far apart, either
        return (
            f"The averaged variance is {within / whole:.2g} of the whole variance; "
            "it should be at most 0.01 of it."
        )
    return None


def _no_spread(result, n):
    return np.ptp(np.concatenate([np.ravel(part) for part in result])) == 0


def _spread_inside(result, n):
    within, whole = _shares(result)
    return whole > 0 and within > 0.5 * whole


def _not_far_enough(result, n):
    within, whole = _shares(result)
    return 0.01 * whole < within <= 0.5 * whole


def _sizes():
    return [Case((n,), f"n={n}") for n in (4, 7)]


FAR_APART = Exercise(
    number="9.1",
    name="far_apart",
    title="Hide a variance",
    signature="far_apart(n)",
    reference=_far_apart,
    accept=_hides_spread,
    cases=_sizes,
    misconceptions=(
        Misconception(
            "nothing to hide",
            "With equal numbers everywhere both variances are 0 and the average is "
            "right. The whole must have a large variance that neither part shows.",
            recognize=_no_spread,
        ),
        Misconception(
            "the spread lies inside the parts",
            "Each part reports the spread that it holds. For parts of one size with the"
            " same mean, averaging the variances is even exact, however different they "
            "are. What it cannot see is a distance between the means.",
            recognize=_spread_inside,
        ),
        Misconception(
            "not far enough apart",
            "The right idea: a distance d between the means adds d**2 / 4 to the whole "
            "variance and nothing to the parts. Make it at least 20 times the standard "
            "deviation of a part.",
            recognize=_not_far_enough,
        ),
    ),
    hints=(
        "A device sees only its own part. Ask what the two of them together do not "
        "see.",
        "Two narrow parts that lie far apart: each variance is small, the whole one is "
        "about a quarter of the squared distance.",
        "np.arange(n) for one device, np.arange(n) + 1000 for the other.",
    ),
)

# --- 9.2 ------------------------------------------------------------------------------


def _merge(
    counts,
    means,
    m2s,
    *,
    weigh=True,
    power=1,
    between=1.0,
    within=None,
    ddof=0,
):
    n = counts.sum()
    weight = counts[:, None]
    mean = (weight * means).sum(axis=0) / n if weigh else means.mean(axis=0)
    spread = m2s if within is None else within(m2s, weight)
    squares = spread + between * weight**power * (means - mean) ** 2
    return mean, squares.sum(axis=0) / (n - ddof)


def _merge_sums(counts, means, m2s):
    mean, var = _merge(counts, means, m2s)
    return mean, var * counts.sum()


def _merge_std(counts, means, m2s):
    mean, var = _merge(counts, means, m2s)
    return mean, np.sqrt(var)


def _mean_of_variances(counts, means, m2s):
    mean, _ = _merge(counts, means, m2s)
    return mean, (m2s / np.maximum(counts, 1)[:, None]).mean(axis=0)


def _merge_around_zero(counts, means, m2s):
    mean, _ = _merge(counts, means, m2s)
    return mean, (m2s + counts[:, None] * means**2).sum(axis=0) / counts.sum()


def _merge_swapped(counts, means, m2s):
    return _merge(counts, means, m2s)[::-1]


def _variances_again(m2s, weight):
    return weight * m2s


def _via_variances(m2s, weight):
    return weight * (m2s / weight)


def _merge_averages(counts, means, m2s):
    return means.mean(axis=0), (m2s / counts[:, None]).mean(axis=0)


def _merge_ranks_equal(counts, means, m2s):
    mean, within = _merge(counts, means, m2s, between=0)
    return mean, within + means.var(axis=0)


def _cancels(result, counts, means, m2s):
    """Whether only the variance far from zero is wrong."""
    (mean, var), (right, want) = result, _merge(counts, means, m2s)
    agrees = np.allclose(var, want, rtol=1e-6, atol=1e-9)
    return np.allclose(mean, right) and agrees != _is_far(means)


def _is_far(means):
    return np.abs(means).max() > 1e6


def _merge_terms(counts, means, m2s):
    weight, n = counts[:, None], counts.sum()
    mean, _ = _merge(counts, means, m2s)
    between = (weight * (means - mean) ** 2).sum(axis=0)
    size = {"n": n, "the number of ranks": len(counts)}
    return [
        Terms(
            {"sum(counts * means) / n": mean, "mean(means)": means.mean(axis=0)},
            {"sum(counts * means) / n": 1, "mean(means)": 0},
            size,
            part=0,
        ),
        Terms(
            {
                "sum(m2s) / n": m2s.sum(axis=0) / n,
                "sum(counts * (means - mean)**2) / n": between / n,
            },
            {"sum(m2s) / n": 1, "sum(counts * (means - mean)**2) / n": 1},
            size,
            part=1,
        ),
    ]


def _merge_cases():
    rng = np.random.default_rng(82)

    def case(counts, c, far=0):
        centers = [far + rng.normal(0, 3, c) for _ in counts]
        sizes = zip(counts, centers, strict=True)
        parts = [rng.normal(center, 1.5, size=(n, c)) for n, center in sizes]
        means = np.array([p.mean(axis=0) if len(p) else np.zeros(c) for p in parts])
        spread = zip(parts, means, strict=True)
        m2s = np.array([np.square(p - mean).sum(axis=0) for p, mean in spread])
        note = f"counts {', '.join(map(str, counts))}, {c} channels"
        note += f", means around {far:.0e}" if far else ""
        return Case((np.array(counts, dtype=float), means, m2s), note)

    return [
        case((6, 2), 3),
        case((5, 9, 1), 2),
        case((4, 0, 7), 3),
        case((6, 3), 2, far=1e7),
    ]


MERGE_PARTS = Exercise(
    number="9.2",
    name="merge_parts",
    title="One batch again",
    signature="merge_parts(counts, means, m2s)",
    reference=_merge,
    cases=_merge_cases,
    terms=_merge_terms,
    outputs=("mean", "var"),
    misconceptions=(
        Misconception(
            "averages of averages",
            "Every rank counts the same here, whatever its number of examples, and the "
            "distances between the means are lost. Weight by the counts and add what "
            "lies between the parts.",
            wrong=_merge_averages,
        ),
        Misconception(
            "unequal parts weighted equally",
            "The mean of the means is the common mean only if all parts have the same "
            "size. A part with more examples must pull harder, and an empty one not at "
            "all.",
            wrong=partial(_merge, weigh=False),
        ),
        Misconception(
            "distances between the parts forgotten",
            "m2s holds squares around each part's own mean. Around the common mean "
            "every example of a part is further away, by the distance of the two "
            "means.",
            wrong=partial(_merge, between=0),
        ),
        Misconception(
            "the mean of the ranks' variances",
            "Two things are missing: a rank with more values counts more, and the "
            "distances between the parts are in no rank's variance.",
            wrong=_mean_of_variances,
        ),
        Misconception(
            "every rank's distance counted alike",
            "The squared distances of the means must be weighted by the counts, like "
            "the means themselves: it is every example of a part that lies far away.",
            wrong=_merge_ranks_equal,
        ),
        Misconception(
            "M2 taken for a variance",
            "M2 is a sum over the examples already. Multiplied by the count once more "
            "it grows with the square of the batch.",
            wrong=partial(_merge, within=_variances_again),
        ),
        Misconception(
            "count squared",
            "Each of the count examples of a part contributes one squared distance of "
            "the means, so the count enters once.",
            wrong=partial(_merge, power=2),
        ),
        Misconception(
            "distances not multiplied by the counts",
            "The squared distance of the means belongs to every example of the part, "
            "not once to the part.",
            wrong=partial(_merge, power=0),
        ),
        Misconception(
            "divided by n - 1",
            "Batch norm normalizes with the biased variance, divided by n. The unbiased"
            " one is only stored.",
            wrong=partial(_merge, ddof=1),
        ),
        Misconception(
            "the sum of squares not divided",
            "This is the M2 of the whole batch. Its variance is that divided by the "
            "number of all values.",
            wrong=_merge_sums,
        ),
        Misconception(
            "the root drawn",
            "This is the standard deviation. Asked for is the variance: eps is added "
            "to it before the root.",
            wrong=_merge_std,
        ),
        Misconception(
            "distances from zero instead of the common mean",
            "How far a part lies from zero does not matter. Subtract the common mean "
            "from the means of the parts before you square.",
            wrong=_merge_around_zero,
        ),
        Misconception(
            "variance first",
            "Both are right, in the wrong order: first the mean, then the variance.",
            wrong=_merge_swapped,
        ),
        Misconception(
            "the empty part divided by its count",
            "Right, but for a rank without examples, where 0 / 0 spoils everyone's "
            "statistics. Add up sums of squares; then no part needs to be divided.",
            wrong=partial(_merge, within=_via_variances),
        ),
        Misconception(
            "mean of squares minus squared mean",
            "Right on paper, and wrong in the last case: two large numbers cancel. "
            "Subtract the means before you square: add counts * (means - mean)**2.",
            recognize=_cancels,
        ),
    ),
    hints=(
        "First the common mean: each mean counts as often as it has examples. Then "
        "think in sums of squares around this common mean.",
        "Around the common mean, the squares of a part add up to its M2 plus its count "
        "times the squared distance of its mean from the common one.",
        "w = counts[:, None]; mean = (w * means).sum(0) / counts.sum(); then sum m2s + "
        "w * (means - mean)**2 over axis 0 and divide by counts.sum().",
    ),
)

# --- 9.3 ------------------------------------------------------------------------------


def _backward(
    d_y_parts,
    x_hat_parts,
    gamma,
    inv_std,
    rank,
    *,
    average=None,
    use_gamma=True,
    gamma_in_averages=True,
    through_mean=1,
    through_var=1,
    use_inv_std=True,
):
    inv_std = inv_std if use_inv_std else 1.0
    gamma = gamma if use_gamma else np.ones_like(gamma)
    d_x_hats = [gamma * d_y for d_y in d_y_parts]
    averaged = d_x_hats if gamma_in_averages else d_y_parts
    products = [d * x_hat for d, x_hat in zip(averaged, x_hat_parts, strict=True)]
    average = average or _whole_average
    push = through_mean * average(averaged, rank)
    stretch = through_var * average(products, rank)
    return inv_std * (d_x_hats[rank] - push - x_hat_parts[rank] * stretch)


def _whole_average(parts, rank):
    return np.concatenate(parts).mean(axis=0)


def _local_average(parts, rank):
    return parts[rank].mean(axis=0)


def _average_of_averages(parts, rank):
    return np.mean([part.mean(axis=0) for part in parts], axis=0)


def _sum_not_average(parts, rank):
    return np.concatenate(parts).sum(axis=0)


def _by_own_count(parts, rank):
    return np.concatenate(parts).sum(axis=0) / len(parts[rank])


def _half_local(d_y_parts, x_hat_parts, gamma, inv_std, rank):
    first = gamma * _whole_average(d_y_parts, rank)
    d_x_hat, x_hat = gamma * d_y_parts[rank], x_hat_parts[rank]
    second = (d_x_hat * x_hat).mean(axis=0)
    return inv_std * (d_x_hat - first - x_hat * second)


def _third_without_x_hat(d_y_parts, x_hat_parts, gamma, inv_std, rank):
    products = [d * h for d, h in zip(d_y_parts, x_hat_parts, strict=True)]
    both = _whole_average(d_y_parts, rank) + _whole_average(products, rank)
    return inv_std * gamma * (d_y_parts[rank] - both)


def _backward_terms(d_y_parts, x_hat_parts, gamma, inv_std, rank):
    d_x_hats = [gamma * d_y for d_y in d_y_parts]
    products = [d * h for d, h in zip(d_x_hats, x_hat_parts, strict=True)]
    own, x_hat = d_x_hats[rank], x_hat_parts[rank]
    averages = {"of all ranks": _whole_average, "of this rank": _local_average}
    values, factors = {"d_x_hat": own}, {"d_x_hat": 1}
    for which, average in averages.items():
        plain = f"mean(d_x_hat) {which}"
        along = f"x_hat * mean(d_x_hat * x_hat) {which}"
        values[plain] = average(d_x_hats, rank) + 0 * own
        values[along] = x_hat * average(products, rank)
        factors[plain] = factors[along] = -1 if which == "of all ranks" else 0
    counts = {"n": sum(map(len, d_y_parts)), "n_rank": len(own)}
    return [Terms({k: inv_std * v for k, v in values.items()}, factors, counts)]


def _backward_cases():
    rng = np.random.default_rng(83)

    def case(counts, c, rank):
        x = rng.normal(3.0, 2.0, size=(sum(counts), c))
        inv_std = 1 / np.sqrt(x.var(axis=0) + 0.1)
        x_hat = (x - x.mean(axis=0)) * inv_std
        d_y = rng.normal(1.0, 1.0, size=x.shape)
        gamma = rng.uniform(0.4, 0.8, size=c) * np.where(np.arange(c) % 2, -1, 3)
        cuts = np.cumsum(counts)[:-1]
        note = f"parts of {', '.join(map(str, counts))} examples, rank {rank}"
        args = np.split(d_y, cuts), np.split(x_hat, cuts), gamma, inv_std, rank
        return Case(args, note)

    return [case((6, 3), 3, 0), case((6, 3), 3, 1), case((2, 5, 1), 2, 1)]


BACKWARD_PART = Exercise(
    number="9.3",
    name="backward_part",
    title="The way back crosses devices, too",
    signature="backward_part(d_y_parts, x_hat_parts, gamma, inv_std, rank)",
    reference=_backward,
    cases=_backward_cases,
    terms=_backward_terms,
    misconceptions=(
        Misconception(
            "local averages",
            "The mean and the variance were those of all examples, so an example on "
            "this rank also acts on the outputs of the others. Both averages run over "
            "all parts.",
            wrong=partial(_backward, average=_local_average),
        ),
        Misconception(
            "averages of the ranks' averages",
            "The parts have different sizes. Add up the sums and the counts over all "
            "ranks, and divide then.",
            wrong=partial(_backward, average=_average_of_averages),
        ),
        Misconception(
            "sums where averages belong",
            "Right exchange, missing division: both terms are averages over all "
            "examples of all ranks.",
            wrong=partial(_backward, average=_sum_not_average),
        ),
        Misconception(
            "the whole sum divided by the local count",
            "The sums come from all ranks, so the count must, too. With equal parts "
            "this is wrong by the number of ranks.",
            wrong=partial(_backward, average=_by_own_count),
        ),
        Misconception(
            "gamma forgotten",
            "What arrives is the gradient of y = gamma * x_hat + beta. The gradient of "
            "x_hat is gamma times that.",
            wrong=partial(_backward, use_gamma=False),
        ),
        Misconception(
            "the averages taken without gamma's factor",
            "The averages are those of d_x_hat, which is gamma * d_y. Only the first "
            "term has its gamma here.",
            wrong=partial(_backward, gamma_in_averages=False),
        ),
        Misconception(
            "only one average over all ranks",
            "The statistics of all ranks came from the mean and from the variance. "
            "Both averages need every rank, the one of d_x_hat * x_hat as well.",
            wrong=_half_local,
        ),
        Misconception(
            "both terms missing",
            "This takes the mean and the variance for constants, as in eval mode. In "
            "training every example of every rank has pulled at them.",
            wrong=partial(_backward, through_mean=0, through_var=0),
        ),
        Misconception(
            "x_hat missing in the last term",
            "The average of d_x_hat * x_hat is multiplied by the x_hat of each example "
            "before it is subtracted.",
            wrong=_third_without_x_hat,
        ),
        Misconception(
            "inv_std forgotten",
            "The input was divided by the standard deviation, so its gradient is, too: "
            "multiply by inv_std.",
            wrong=partial(_backward, use_inv_std=False),
        ),
        Misconception(
            "the variance term missing",
            "The input also acts through the variance: subtract x_hat times the average"
            " of d_x_hat * x_hat.",
            wrong=partial(_backward, through_var=0),
        ),
        Misconception(
            "the mean term missing",
            "The input also acts through the mean: subtract the average of d_x_hat over"
            " all examples.",
            wrong=partial(_backward, through_mean=0),
        ),
    ),
    hints=(
        "Write down the gradient of chapter 3 for the whole batch, and ask for each "
        "term which examples it needs.",
        "Only the two averages look beyond one's own examples: that of d_x_hat and "
        "that of d_x_hat * x_hat. They run over the examples of all ranks.",
        "Concatenate gamma * d_y_parts and x_hat_parts, take both averages over axis "
        "0, and use them in inv_std * (d_x_hat - first - x_hat * second) of your rank.",
    ),
)

# --- 9.4 ------------------------------------------------------------------------------


def _running(running_var, var, counts, rank, momentum, *, count=sum, swap=False):
    n = count(counts) if count is sum else count(counts, rank)
    new = 1 - momentum if swap else momentum
    with np.errstate(all="ignore"):
        return (1 - new) * running_var + new * var * np.divide(n, n - 1)


def _own_count(counts, rank):
    return counts[rank]


def _own_times_ranks(counts, rank):
    return counts[rank] * len(counts)


def _upside_down_count(counts, rank):
    return 1 - sum(counts)  # n / (n - 1) becomes (n - 1) / n


def _one_off_per_rank(counts, rank):
    # n / (n - 1) becomes N / (N - R)
    return sum(counts) / len(counts)


def _endless(counts, rank):
    return 1e300  # n / (n - 1) = 1


def _ranks_as_count(counts, rank):
    return len(counts)


def _running_terms(running_var, var, counts, rank, momentum):
    n = sum(counts)
    old, new = "(1 - momentum) * running_var", "momentum * var * n / (n - 1)"
    values = {
        old: (1 - momentum) * running_var,
        new: momentum * var * np.divide(n, n - 1),
    }
    return [Terms(values, {old: 1, new: 1}, {"n": n, "n_rank": counts[rank]})]


def _running_cases():
    rng = np.random.default_rng(84)

    def case(counts, rank, momentum, c=3):
        args = rng.uniform(0.5, 4, c), rng.uniform(0.5, 4, c), counts, rank, momentum
        note = f"counts {counts}, rank {rank}, momentum={momentum:g}"
        return Case(args, note)

    return [case((5, 3), 0, 0.1), case((2, 9, 3), 1, 0.3), case((2, 6), 0, 0.1)]


SYNC_RUNNING_VAR = Exercise(
    number="9.4",
    name="sync_running_var",
    title="What every rank remembers",
    signature="sync_running_var(running_var, var, counts, rank, momentum)",
    reference=_running,
    cases=_running_cases,
    terms=_running_terms,
    misconceptions=(
        Misconception(
            "the local count",
            "var belongs to the whole batch, so n is the number of values on all ranks."
            " With their own counts the ranks would store different variances.",
            wrong=partial(_running, count=_own_count),
        ),
        Misconception(
            "as if all parts had the size of this one",
            "Right for equal parts only. With unequal ones each rank would store "
            "another variance; add up the counts.",
            wrong=partial(_running, count=_own_times_ranks),
        ),
        Misconception(
            "ranks counted instead of values",
            "n counts the values behind the variance, not the devices that hold them.",
            wrong=partial(_running, count=_ranks_as_count),
        ),
        Misconception(
            "one subtracted for each rank",
            "One is subtracted because one mean was estimated, that of the whole "
            "batch. The ranks share it, so it is n - 1 and not n minus their number.",
            wrong=partial(_running, count=_one_off_per_rank),
        ),
        Misconception(
            "the correction upside down",
            "The unbiased variance is the larger one: multiply by n / (n - 1).",
            wrong=partial(_running, count=_upside_down_count),
        ),
        Misconception(
            "biased variance stored",
            "PyTorch normalizes with the variance divided by n and stores the one "
            "divided by n - 1, on many devices as on one.",
            wrong=partial(_running, count=_endless),
        ),
        Misconception(
            "momentum the wrong way round",
            "In PyTorch momentum is the weight of the new batch, and 1 - momentum that "
            "of what was remembered.",
            wrong=partial(_running, swap=True),
        ),
    ),
    hints=(
        "It is the update of chapter 4. The only question is which count turns this "
        "variance into the unbiased one.",
        "var was computed from all examples, so n = sum(counts), and the same number "
        "comes out on every rank.",
    ),
)

# --- 9.5 ------------------------------------------------------------------------------


def _factor(counts, rank):
    return len(counts) * counts[rank] / sum(counts)


def _share(counts, rank):
    return counts[rank] / sum(counts)


def _one(counts, rank):
    return 1.0


def _upside_down(counts, rank):
    return sum(counts) / (len(counts) * counts[rank])


def _twice(counts, rank):
    return counts[rank] / sum(counts) / len(counts)


def _ranks_with_examples(counts, rank):
    return _share(counts, rank) * sum(count > 0 for count in counts)


def _number_of_ranks(counts, rank):
    return float(len(counts))


def _examples(counts, rank):
    return float(counts[rank])


def _factor_cases():
    def case(counts, rank):
        return Case((counts, rank), f"counts {counts}, rank {rank}")

    return [case((48, 16), 0), case((48, 16), 1), case((5, 0, 3, 4), 2)]


LOSS_FACTOR = Exercise(
    number="9.5",
    name="loss_factor",
    title="Unequal parts, averaged gradients",
    signature="loss_factor(counts, rank)",
    reference=_factor,
    cases=_factor_cases,
    misconceptions=(
        Misconception(
            "the wrapper's division forgotten",
            "This is the share of the batch, right if the gradients were added up. "
            "They are averaged, so everything would be too small by the number of "
            "ranks.",
            wrong=_share,
        ),
        Misconception(
            "the division made a second time",
            "The wrapper has divided by the number of ranks already. That has to be "
            "undone, so multiply.",
            wrong=_twice,
        ),
        Misconception(
            "ranks without examples left out",
            "The wrapper divides by the number of all ranks, also of those that have "
            "no example at the moment.",
            wrong=_ranks_with_examples,
        ),
        Misconception(
            "every rank counts the same",
            "With a factor of 1 an example on a rank with few others weighs more than "
            "one on a full rank. Right for equal parts only.",
            wrong=_one,
        ),
        Misconception(
            "upside down",
            "A rank with more examples stands for more of the batch, so its factor "
            "must be the larger one.",
            wrong=_upside_down,
        ),
        Misconception(
            "only the division undone",
            "This adds up the ranks' mean losses. The gradient of the batch's mean "
            "loss weights each of them by its share of the examples.",
            wrong=_number_of_ranks,
        ),
        Misconception(
            "the mean turned into a sum only",
            "Multiplied by its count a mean loss becomes a sum. The mean over the "
            "whole batch still needs to be divided, and the wrapper divides by the "
            "number of ranks.",
            wrong=_examples,
        ),
    ),
    hints=(
        "Write the mean loss over all examples as a weighted sum of the ranks' mean "
        "losses. Then look at what the wrapper does with the gradients.",
        "The weight of a rank is its share of the examples, counts[rank] / sum(counts)."
        " The wrapper divides by the number of ranks; multiply by it beforehand.",
    ),
)

# --- 9.6 ------------------------------------------------------------------------------


def _lucky_parts(n):
    a = np.arange(n, dtype=float) ** 2
    return a, 2 * a.mean() - a


def _lucky_normalized(x, of):
    return (x - of.mean()) / of.std()


def _lucky_gap(a, b):
    whole = np.concatenate([a, b])
    pairs = [(_lucky_normalized(p, p), _lucky_normalized(p, whole)) for p in (a, b)]
    return max(np.abs(own - common).max() for own, common in pairs)


def _lucky_fault(result, n):
    a, b = result
    if min(np.ptp(a), np.ptp(b)) == 0:
        return "Your result has a part of equal numbers, which no norm can divide."
    gap = _lucky_gap(a, b)
    if not gap < 1e-9:
        return (
            "Your result is noticed: an output of a device differs by "
            f"{gap:.2g} from that of the whole batch."
        )
    if np.abs(np.sort(a) - np.sort(b)).max() < 1e-3 * np.std(a):
        return "Your result has the same numbers on both devices, perhaps reordered."
    return None


def _alike(of):
    """Recognize parts that have one number in common and not the other."""

    def recognize(result, n):
        other = np.std if of is np.mean else np.mean
        a, b = result
        scale = max(np.std(a), np.std(b))
        equal = abs(of(a) - of(b)) < 1e-6 * scale
        return equal and abs(other(a) - other(b)) > 1e-6 * scale

    return recognize


def _same_numbers(result, n):
    a, b = np.sort(result[0]), np.sort(result[1])
    return np.abs(a - b).max() <= 1e-3 * np.std(a) and np.ptp(a) > 0


def _nothing_alike(result, n):
    a, b = result
    scale = max(np.std(a), np.std(b))
    apart = [abs(f(a) - f(b)) > 1e-6 * scale for f in (np.mean, np.std)]
    return all(apart)


LUCKY_PARTS = Exercise(
    number="9.6",
    name="lucky_parts",
    title="Halves that do not notice",
    signature="lucky_parts(n)",
    reference=_lucky_parts,
    accept=_lucky_fault,
    cases=lambda: [Case((n,), f"n={n}") for n in (5, 3, 8)],
    outputs=("first part", "second part"),
    misconceptions=(
        Misconception(
            "the same numbers twice",
            "Equal parts, perhaps in another order, are right and too easy. (A batch "
            "that is symmetric around its mean is its own mirror image.) Find two "
            "different ones.",
            recognize=_same_numbers,
        ),
        Misconception(
            "equal means, unequal spreads",
            "Each device divides by its own standard deviation. These, too, must be "
            "those of the whole batch.",
            recognize=_alike(np.mean),
        ),
        Misconception(
            "equal spreads, unequal means",
            "Each device subtracts its own mean. And the distance between the means "
            "makes the whole batch wider than its parts.",
            recognize=_alike(np.std),
        ),
        Misconception(
            "neither mean nor spread in common",
            "A norm sees two numbers of a part, its mean and its standard deviation. "
            "Both must be the same on the two devices.",
            recognize=_nothing_alike,
        ),
    ),
    hints=(
        "A device does not notice if its mean and its variance are those of the whole. "
        "By (9.2) that is so if the two parts have the same mean and variance.",
        "Take any first part that is not symmetric, and its mirror image around its "
        "mean: 2 * mean - a.",
    ),
)


EXERCISES = (
    FAR_APART,
    MERGE_PARTS,
    BACKWARD_PART,
    SYNC_RUNNING_VAR,
    LOSS_FACTOR,
    LUCKY_PARTS,
)
