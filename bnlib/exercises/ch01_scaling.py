"""Exercises of chapter 1: scaling."""

from functools import partial

import numpy as np

from bnlib.exercises.engine.compare import difference
from bnlib.exercises.engine.exercise import Case, Exercise, Misconception
from bnlib.exercises.engine.terms import Terms


def _students(seed, n):
    # Three columns of unlike center and range, none of them centered at 0.
    rng = np.random.default_rng(seed)
    return rng.uniform([0.0, 0.2, -40.0], [1000.0, 1.0, 10.0], size=(n, 3))


# 1.1 -------------------------------------------------------------------------------


def _std(x, **how):
    # A constant column is known by its range; its rounded std need not be 0.
    return np.where(np.ptp(x, axis=0) > 0, x.std(axis=0, **how), 1.0)


def _z_score(x, *, ddof=0, axis=0, power=1):
    constant = np.ptp(x, axis=0) == 0
    std = x.std(axis=axis, ddof=ddof, keepdims=True)
    z = (x - x.mean(axis=axis, keepdims=True)) / np.where(std > 0, std, 1) ** power
    return np.where(constant, 0.0, z)


def _z_score_if_std_is_zero(x):
    std = x.std(axis=0)
    return (x - x.mean(axis=0)) / np.where(std == 0, 1.0, std)


def _z_score_along_rows(x, axis):
    return (x - x.mean(axis=axis, keepdims=True)) / x.std(axis=axis, keepdims=True)


def _divided_by_zero(result, x):
    # NaN where the std is exactly 0, and 1 or -1 where it is a rounding error.
    constant, zero = np.ptp(x, axis=0) == 0, x.std(axis=0) == 0
    rest, want = result[:, ~constant], _z_score(x)[:, ~constant]
    fine = difference(rest, want, rtol=1e-6, atol=1e-9) is None
    noise = np.isclose(np.abs(result[:, constant & ~zero]), 1).all()
    return fine and np.isnan(result[:, zero]).all() and noise


def _eps_in_the_scale(result, x):
    # Whatever eps was chosen, and whether it was added to std or to the variance.
    mean, std, var = x.mean(axis=0), x.std(axis=0), x.var(axis=0)
    shapes = [lambda eps: std + eps, lambda eps: np.sqrt(var + eps)]
    tried = [(x - mean) / shape(10.0**-k) for shape in shapes for k in range(3, 16)]
    return any(difference(result, t, rtol=1e-6, atol=1e-9) is None for t in tried)


def _threshold_for_constant(result, x):
    # Whatever threshold was chosen, and whether such columns become 0 or are divided
    # by 1: the column in units of 1e-9 is taken for a constant.
    z, centered, std = _z_score(x), x - x.mean(axis=0), x.std(axis=0)
    small = [std < 10.0**-k for k in range(3, 10)]
    tried = [np.where(s, other, z) for s in small for other in (0.0, centered)]
    return any(difference(result, t, rtol=1e-6, atol=1e-12) is None for t in tried)


def _z_score_cases():
    rng = np.random.default_rng(11)
    tiny = _students(12, 5) * [1.0, 1e-9, 1.0]
    tenths = _students(13, 10)
    tenths[:, 1] = 0.1
    zeros = np.column_stack([rng.normal(3.0, 2.0, 7), np.zeros(7)])
    # Charges in coulomb: far below any threshold that somebody might choose.
    charges = _students(14, 6) * [1.0, 1.0, 1e-18]
    return [
        Case((_students(11, 6),), "x of shape (6, 3)"),
        Case((tiny,), "x of shape (5, 3), its second column in units of 1e-9"),
        Case((zeros,), "x of shape (7, 2), its second column all 0"),
        Case((tenths,), "x of shape (10, 3), its second column all 0.1"),
        Case((charges,), "x of shape (6, 3), its third column in units of 1e-18"),
    ]


Z_SCORE = Exercise(
    number="1.1",
    name="z-score",
    title="Every column to mean 0 and variance 1",
    signature="z_score_columns(x)",
    reference=_z_score,
    cases=_z_score_cases,
    misconceptions=(
        Misconception(
            "variance divided by N - 1",
            "ddof=1 estimates the variance of a larger population. Here the data "
            "itself should have variance 1, so divide by N, the default of np.std.",
            wrong=partial(_z_score, ddof=1),
        ),
        Misconception(
            "divided by the variance",
            "The variance has the unit of x squared: dividing by it leaves a unit "
            "behind. Divide by its square root, x.std(axis=0).",
            wrong=partial(_z_score, power=2),
        ),
        Misconception(
            "statistics over the rows",
            "axis=1 averages an income with a rate. One mean and one std belong to "
            "each column: axis=0.",
            wrong=partial(_z_score_along_rows, axis=1),
        ),
        Misconception(
            "one statistic for the whole array",
            "Without an axis, mean and std mix all columns, and the wide column still "
            "drowns the narrow one. Pass axis=0.",
            wrong=partial(_z_score_along_rows, axis=None),
        ),
        Misconception(
            "a small eps in place of a rule",
            "Adding eps hides 0/0, but it also shrinks every column whose spread is "
            "near eps: the one in units of 1e-9 is no longer of variance 1. Treat "
            "constant columns by a rule of their own.",
            recognize=_eps_in_the_scale,
        ),
        Misconception(
            "a small column taken for a constant one",
            "Whether a std is small depends on the unit: the column in units of 1e-9 "
            "varies as much as any other. Ask whether maximum and minimum are equal.",
            recognize=_threshold_for_constant,
        ),
        Misconception(
            "constant columns divided by zero",
            "A constant column has std 0, and 0/0 is NaN. Such a column carries no "
            "information: let it become 0, for instance by dividing by 1.",
            recognize=_divided_by_zero,
        ),
        Misconception(
            "constant columns recognized by std == 0",
            "The rounded mean of ten times 0.1 is not 0.1, so the std is about 1e-17 "
            "and the column becomes 1 or -1. Ask whether maximum and minimum are "
            "equal.",
            wrong=_z_score_if_std_is_zero,
        ),
    ),
    hints=(
        "mean and std along axis 0 have shape (C,), one value per column. Subtract, "
        "divide, then look at a column in which all values are equal.",
        "You need a test for constant columns that does not depend on rounding. "
        "Minimum and maximum are values of the column itself and are never rounded.",
        "constant = x.max(axis=0) == x.min(axis=0). Divide by np.where(constant, 1, "
        "x.std(axis=0)), and set what is left in these columns to 0 in the same way.",
    ),
)


# 1.2 -------------------------------------------------------------------------------


def _scale_both(train, test, *, ddof=0, power=1):
    mean, std = train.mean(axis=0), _std(train, ddof=ddof) ** power
    return (train - mean) / std, (test - mean) / std


def _own_statistics(result, train, test):
    # With or without a rule for constant columns: where a set varies, it is plain.
    for r, x in zip(result, (train, test), strict=True):
        varies = np.ptp(x, axis=0) > 0
        want = (x - x.mean(axis=0)) / _std(x)
        if difference(r[:, varies], want[:, varies], rtol=1e-6, atol=1e-6) is not None:
            return False
    return True


def _pooled_statistics(train, test):
    both = np.concatenate([train, test])
    mean, std = both.mean(axis=0), _std(both)
    return (train - mean) / std, (test - mean) / std


def _only_train(train, test):
    return _scale_both(train, test)[0], test


def _half_own(train, test):
    mean = test.mean(axis=0)
    return _scale_both(train, test)[0], (test - mean) / _std(train)


def _constant_dropped(train, test):
    constant = np.ptp(train, axis=0) == 0
    return tuple(np.where(constant, 0.0, x) for x in _scale_both(train, test))


def _constant_blown_up(result, train, test):
    # 0/0, or a difference divided by a tiny eps; all other columns are right.
    flat = np.ptp(train, axis=0) == 0
    pairs = zip(result, _scale_both(train, test), strict=True)
    fine = all(
        difference(r[:, ~flat], want[:, ~flat], rtol=1e-6, atol=1e-6) is None
        for r, want in pairs
    )
    return fine and not (np.abs(result[1][:, flat]) < 1e3).all(axis=0).any()


def _split_cases():
    train, test = _students(21, 6), _students(22, 4)
    shifted = _students(24, 5) * 1.3 + 7.0
    # 2.5 and its sums are exact in binary: only the rule is at stake, not rounding.
    constant, new = _students(25, 8), _students(26, 3)
    constant[:, 2] = 2.5
    new[:, 2] = [2.5, 3.5, 0.5]
    return [
        Case((train, test), "train of shape (6, 3), test of shape (4, 3)"),
        Case((_students(23, 7), shifted), "a test set with another mean and spread"),
        Case((constant, new), "a column that is constant in train, not in test"),
        Case((_students(27, 5), _students(28, 1)), "a test set of a single student"),
    ]


SPLIT = Exercise(
    number="1.2",
    name="train-test",
    title="Scale what you have not seen",
    signature="scale_train_test(train, test)",
    reference=_scale_both,
    cases=_split_cases,
    outputs=("scaled train", "scaled test"),
    misconceptions=(
        Misconception(
            "test set scaled with its own statistics",
            "With its own mean and std the same student gets other numbers in another "
            "test set, and a single one always becomes 0. The model learned the units "
            "of the training set: use its mean and std.",
            recognize=_own_statistics,
        ),
        Misconception(
            "statistics taken from both sets",
            "Mean and std of both sets together let the test set leak into training: "
            "you measure a model that has already seen its exam. Take them from train "
            "alone.",
            wrong=_pooled_statistics,
        ),
        Misconception(
            "only the training set scaled",
            "The model now expects z-scores and is handed raw units: test was not "
            "scaled, or with mean and std taken again from the scaled train, which are "
            "0 and 1. Use the same numbers for both, taken before train is changed.",
            wrong=_only_train,
        ),
        Misconception(
            "test set centered at its own mean",
            "The std comes from train, but the mean does not, so a real difference "
            "between the two sets is erased. Subtract the mean of train from both.",
            wrong=_half_own,
        ),
        Misconception(
            "variance divided by N - 1",
            "Choose the N of np.std, as in exercise 1.1 and in z_score: the training "
            "set itself should have variance 1.",
            wrong=partial(_scale_both, ddof=1),
        ),
        Misconception(
            "divided by the variance",
            "The variance is in squared units, so a quotient by it is in one over the "
            "unit. Divide by the standard deviation, its root.",
            wrong=partial(_scale_both, power=2),
        ),
        Misconception(
            "new values of a constant column erased",
            "The column was constant in train, but a test value that differs is news. "
            "Dividing by 1 gives 0 for train and keeps the difference for test.",
            wrong=_constant_dropped,
        ),
        Misconception(
            "constant column divided by almost nothing",
            "A column that is constant in train has std 0. Divided by it, or by a tiny "
            "eps, it becomes NaN or huge as soon as test brings another value. Divide "
            "by 1 there.",
            recognize=_constant_blown_up,
        ),
    ),
    hints=(
        "There is one mean and one std per column, and both sets are scaled with the "
        "same pair. Ask from which set it may come if the test set is to stay unseen.",
        "mean = train.mean(axis=0), and the std likewise. Where a column of train is "
        "constant, divide by 1 instead.",
        "std = np.where(np.ptp(train, axis=0) > 0, train.std(axis=0), 1). Then return "
        "(train - mean) / std, (test - mean) / std.",
    ),
)


# 1.3 -------------------------------------------------------------------------------


def _to_raw(
    w, b, mean, std, *, power=1, sign=-1, shift=1, old_weights=False, summed=True
):
    v = w / std**power
    moved = (w if old_weights else v) * mean
    return v, b + sign * shift * (moved.sum() if summed else moved)


def _units_terms(w, b, mean, std):
    moved = "sum(w / std * mean)"
    values = {"b": np.array([b]), moved: np.array([np.sum(w / std * mean)])}
    scaled = Terms({"w / std": w / std}, {"w / std": 1}, {}, part=0)
    return [scaled, Terms(values, {"b": 1, moved: -1}, {"C": len(w)}, part=1)]


def _units_cases():
    rng = np.random.default_rng(31)

    def case(c, note):
        std = rng.uniform(0.3, 3.0, size=c) * 10.0 ** rng.integers(-1, 3, size=c)
        w, mean = rng.normal(size=c) + 0.5, 3 * std * rng.uniform(0.5, 1.0, size=c)
        return Case((w, float(rng.normal()), mean, std), note)

    return [
        case(2, "two features"),
        case(5, "five features"),
        case(1, "one feature"),
    ]


UNITS = Exercise(
    number="1.3",
    name="raw-units",
    title="Take the scaling back out of the weights",
    signature="to_raw_units(w, b, mean, std)",
    reference=_to_raw,
    cases=_units_cases,
    terms=_units_terms,
    outputs=("weights", "bias"),
    misconceptions=(
        Misconception(
            "bias left as it was",
            "Subtracting the mean moved every prediction by the same amount, and the "
            "bias must take it back: a student at raw 0 is not a student at z = 0.",
            wrong=partial(_to_raw, shift=0),
        ),
        Misconception(
            "multiplied by the std",
            "A step of one std in raw units is a step of 1 in z. Per raw unit the "
            "prediction therefore moves by w divided by std.",
            wrong=partial(_to_raw, power=-1),
        ),
        Misconception(
            "bias corrected with the wrong sign",
            "Write it out: w (x - mean) / std has the constant part minus w mean / "
            "std. It is subtracted from b.",
            wrong=partial(_to_raw, sign=1),
        ),
        Misconception(
            "std forgotten in the bias",
            "The mean is in raw units, so it must meet the raw weights: subtract the "
            "sum of mean times w / std, not of mean times w.",
            wrong=partial(_to_raw, old_weights=True),
        ),
        Misconception(
            "one bias per feature",
            "The model has one bias. Every feature takes its w mean / std from it: "
            "subtract the sum over the features.",
            wrong=partial(_to_raw, summed=False),
        ),
        Misconception(
            "divided by the variance",
            "z divides by std, so the weight is divided by std. Its square appears "
            "nowhere.",
            wrong=partial(_to_raw, power=2),
        ),
    ),
    hints=(
        "Write the prediction as a sum over the features of w z plus b, and put (x - "
        "mean) / std in the place of z.",
        "Collect what multiplies x: that is the new weight. Everything without x is "
        "the new bias.",
        "The new weights are w / std. The new bias is b minus the sum of (w / std) * "
        "mean.",
    ),
)


# 1.4 -------------------------------------------------------------------------------


def _best_step(hessian):
    lam = np.linalg.eigvalsh(hessian)
    return float(2 / (lam[0] + lam[-1]))


def _over_steepest(hessian, factor):
    return factor / np.linalg.eigvalsh(hessian)[-1]


def _over_flattest(hessian):
    return 1 / np.linalg.eigvalsh(hessian)[0]


def _over_average(hessian):
    return len(hessian) / np.trace(hessian)


def _over_trace(hessian):
    return 2 / np.trace(hessian)


def _by_diagonal(hessian):
    diagonal = np.diag(hessian)
    return 2 / (diagonal.min() + diagonal.max())


def _step_upside_down(hessian):
    return 1 / _best_step(hessian)


def _step_cases():
    rng = np.random.default_rng(41)

    def case(x, note):
        a = np.column_stack([x, np.ones(len(x))])
        return Case((a.T @ a / len(a),), note)

    mixed = rng.normal(size=(9, 3)) @ rng.normal(size=(3, 3)) + [1.0, 0.0, 2.0]
    return [
        case(rng.random((20, 2)), "the Hessian of two features in [0, 1] and a bias"),
        case(_students(42, 9) / [100.0, 1.0, 10.0], "three features, unlike ranges"),
        case(mixed, "three correlated features"),
    ]


STEP = Exercise(
    number="1.4",
    name="best-step",
    title="The best step for a stretched bowl",
    signature="best_step(hessian)",
    reference=_best_step,
    cases=_step_cases,
    misconceptions=(
        Misconception(
            "a step that suits the steepest axis only",
            "1 / largest eigenvalue finishes the steepest axis in one step and leaves "
            "the flattest waiting. Go further: overshoot on the steep axis until both "
            "shrink equally fast.",
            wrong=partial(_over_steepest, factor=1),
        ),
        Misconception(
            "a step at the edge of divergence",
            "With 2 / largest eigenvalue the factor along the steepest axis is "
            "exactly -1: descent jumps to and fro there forever.",
            wrong=partial(_over_steepest, factor=2),
        ),
        Misconception(
            "a step that suits the flattest axis only",
            "1 / smallest eigenvalue finishes the flattest axis in one step, but "
            "along the steepest the factor 1 - step * eigenvalue is far below -1: "
            "descent explodes.",
            wrong=_over_flattest,
        ),
        Misconception(
            "a step for the average curvature",
            "The mean of all eigenvalues ignores how far apart they are. Only the two "
            "extremes decide, because every other axis shrinks faster than the worse "
            "of them.",
            wrong=_over_average,
        ),
        Misconception(
            "all eigenvalues in the sum",
            "The trace adds up all eigenvalues. With two axes that is right, with more "
            "it is not: add only the smallest and the largest.",
            wrong=_over_trace,
        ),
        Misconception(
            "diagonal taken for the eigenvalues",
            "The diagonal is the curvature along each weight alone. The valley runs "
            "across the weights, and its two curvatures are eigenvalues of the whole "
            "matrix.",
            wrong=_by_diagonal,
        ),
        Misconception(
            "step upside down",
            "The steeper the bowl, the shorter the step: the curvatures belong below "
            "the line.",
            wrong=_step_upside_down,
        ),
    ),
    hints=(
        "Equation (1.5): along the axis with eigenvalue lam, one step multiplies the "
        "error by 1 - step * lam. The slowest axis is the one whose factor is largest "
        "in size.",
        "A short step is slow on the flattest axis, a long one bounces on the "
        "steepest. The best one makes both factors equal in size, with opposite "
        "signs.",
        "Solve 1 - step * smallest = -(1 - step * largest) for the step. "
        "np.linalg.eigvalsh gives the eigenvalues in rising order.",
    ),
    rtol=1e-3,  # a fine search over step sizes is an answer too
)


# 1.5 -------------------------------------------------------------------------------


def _present(group, share):
    return np.bincount(group, minlength=len(share)) / len(group)


def _importance(group, share):
    return share[group] / _present(group, share)[group]


def _inverted(group, share):
    return _present(group, share)[group] / share[group]


def _share_alone(group, share):
    return share[group]


def _too_small(result, group, share):
    # Divided by N, or by the sum of the weights: the right ones up to one factor.
    if np.shape(result) != group.shape:
        return False
    ratio = result / _importance(group, share)
    return np.ptp(ratio) <= 1e-6 * np.abs(ratio).max() and ratio.max() < 0.999


def _difference_of_shares(group, share):
    return share[group] - _present(group, share)[group]


def _truncated(group, share):
    return _importance(group, share).astype(int)


def _one_per_group(group, share):
    return share / _present(group, share)


def _is_balanced(result, group, share):
    # Every group that answered gets the same total weight, whatever its share.
    if np.shape(result) != group.shape:
        return False
    total = np.bincount(group, weights=result)[np.unique(group)]
    return np.ptp(total) <= 1e-6 * total.max()


def _weights_cases():
    rng = np.random.default_rng(51)

    def case(counts, share):
        group = rng.permutation(np.repeat(np.arange(len(counts)), counts))
        note = f"groups of {' and '.join(map(str, counts))} answers, share {share}"
        return Case((group, np.array(share)), note)

    return [
        case([6, 2], [0.3, 0.7]),
        case([5, 3, 2], [0.2, 0.2, 0.6]),
        case([1, 7, 4], [0.25, 0.35, 0.4]),
        case([5, 0, 3], [0.3, 0.1, 0.6]),
    ]


WEIGHTS = Exercise(
    number="1.5",
    name="importance",
    title="Which training examples count for the test set?",
    signature="importance_weights(group, share)",
    reference=_importance,
    cases=_weights_cases,
    misconceptions=(
        Misconception(
            "ratio upside down",
            "An answer that is rare in the survey and frequent among all students must "
            "count more. The share among all stands above, that in the survey below.",
            wrong=_inverted,
        ),
        Misconception(
            "share of the test set alone",
            "A group with many answers has already more say. Without dividing by its "
            "share in the survey its answers count twice.",
            wrong=_share_alone,
        ),
        Misconception(
            "divided by counts instead of shares",
            "Both frequencies must be shares: divide the counts by N. Then a weight of "
            "1 means as frequent here as there, and the weights have mean 1.",
            recognize=_too_small,
        ),
        Misconception(
            "difference instead of ratio",
            "Weights turn an average over one population into an average over another, "
            "and that takes a factor. A difference is even negative for some groups.",
            wrong=_difference_of_shares,
        ),
        Misconception(
            "groups balanced instead of matched",
            "You gave every group the same total weight. The goal is not equality but "
            "the population for which the model is meant: its shares stand above.",
            recognize=_is_balanced,
        ),
        Misconception(
            "rounded down to whole numbers",
            "An array made with zeros_like(group) holds integers like group, and what "
            "is written into it loses its digits. Make it with dtype=float.",
            wrong=_truncated,
        ),
        Misconception(
            "one weight per group",
            "These are the right weights of the groups. The fit needs one per training "
            "example: look each up by its group, weights[group].",
            wrong=_one_per_group,
        ),
    ),
    hints=(
        "An average over all students is to become a weighted average over the "
        "answers. Ask how many times as frequent a group is among all as in the "
        "survey.",
        "np.bincount(group, minlength=len(share)) counts the answers of each group. "
        "Divided by N, these are the shares in the survey.",
        "share / (counts / N) has shape (G,), one weight per group. Indexing it with "
        "group gives one weight per answer.",
    ),
)

# 1.6 -------------------------------------------------------------------------------


def _kappa(feature):
    a = np.column_stack([feature, np.ones(len(feature))])
    low, high = np.linalg.eigvalsh(a.T @ a / len(a))
    return high / max(low, np.finfo(float).tiny)


def _harm_of_dividing(feature):
    return _kappa(feature / np.std(feature)) / _kappa(feature)


def _narrow_and_off_center(n):
    return np.linspace(0.95, 1.05, n)


def _dividing_fault(result, n):
    if np.ptp(result) == 0:
        return "Your result is constant; the division by its std is a division by 0."
    harm = _harm_of_dividing(result)
    if harm >= 10:
        return None
    return (
        f"Your result has mean {np.mean(result):.3g} and std {np.std(result):.3g}. The "
        f"division multiplies its condition number by {harm:.3g}; asked is at least 10."
    )


def _is_centered(result, n):
    return np.std(result) > 0 and abs(np.mean(result)) < 0.1 * np.std(result)


def _is_wide(result, n):
    return np.std(result) >= 1 and not _is_centered(result, n)


def _is_small(result, n):
    near_zero = np.abs(result).max() < 0.4
    return np.std(result) > 0 and near_zero and not _is_centered(result, n)


def _is_loosely_off_center(result, n):
    std = np.std(result)
    return 0.1 < std < 1 and abs(np.mean(result)) < 10 * std


WORSE_DIVIDED = Exercise(
    number="1.6",
    name="worse_divided",
    title="Half of a z-score can harm",
    signature="worse_divided(n)",
    reference=_narrow_and_off_center,
    accept=_dividing_fault,
    cases=lambda: [Case((n,), f"n={n}") for n in (10, 3, 200)],
    misconceptions=(
        Misconception(
            "a constant feature",
            "All its values are equal, so there is nothing to divide by. Asked are "
            "different numbers.",
            recognize=lambda result, n: np.ptp(result) == 0,
        ),
        Misconception(
            "a feature that is centered already",
            "With mean 0 the Hessian is diagonal, with the curvatures variance and 1. "
            "The division makes both of them 1: the bowl is round. The harm comes from "
            "a mean that nobody subtracts.",
            recognize=_is_centered,
        ),
        Misconception(
            "a wide feature",
            "Its values are large beside the ones of the bias, and the division takes "
            "just this difference away. To do harm it must make values larger: look "
            "at a std far below 1.",
            recognize=_is_wide,
        ),
        Misconception(
            "a feature that is small as a whole",
            "Its mean is small beside the ones, too, so the bowl is stretched before "
            "the division, which brings the two columns to a like size. Let the mean "
            "be about 1 and only the spread small.",
            recognize=_is_small,
        ),
        Misconception(
            "not far enough from zero",
            "The direction is right. After the division the mean is mean / std: it "
            "must be large, so the spread must be much smaller beside the mean.",
            recognize=_is_loosely_off_center,
        ),
    ),
    hints=(
        "After the division the feature has std 1 and the mean mean / std. Ask when "
        "that column is nearly a multiple of the column of ones.",
        "Before it, the columns have a like size if the mean is about 1. So look for a "
        "mean of about 1 with a small spread.",
        "np.linspace(0.95, 1.05, n) has mean 1 and a std near 0.03: mean / std is "
        "about 30 after the division.",
    ),
)


EXERCISES = (Z_SCORE, SPLIT, UNITS, STEP, WEIGHTS, WORSE_DIVIDED)
