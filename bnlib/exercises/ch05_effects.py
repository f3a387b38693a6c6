"""Exercises of chapter 5: what batch norm changes."""

from functools import cache, partial

import numpy as np

from bnlib.exercises.engine.exercise import Case, Exercise, Misconception

# --- 5.1 ------------------------------------------------------------------------------


def _first_steps(accuracy, target, *, never=np.inf, first=1):
    """Step at which each run reaches the target, (rates, seeds)."""
    hit = accuracy >= target
    return np.where(hit.any(axis=-1), hit.argmax(axis=-1) + first, never)


def _fastest(accuracy, target, *, over=np.median, **options):
    return over(_first_steps(accuracy, target, **options), axis=1).min()


def _speed_up(plain, bn, target, **options):
    return _fastest(plain, target, **options) / _fastest(bn, target, **options)


def _speed_up_same_rate(plain, bn, target, *, of="plain"):
    both = [np.median(_first_steps(a, target), axis=1) for a in (plain, bn)]
    rate = both[of == "bn"].argmin()
    return both[0][rate] / both[1][rate]


def _speed_up_best_seed(plain, bn, target):
    return _speed_up(plain, bn, target, over=np.min)


def _speed_up_mean_curve(plain, bn, target, *, over=np.mean):
    return _speed_up(
        *(over(a, axis=1, keepdims=True) for a in (plain, bn)), target=target
    )


def _speed_up_above(plain, bn, target):
    return _speed_up(plain, bn, np.nextafter(target, np.inf))


def _speed_up_final(plain, bn, target):
    steps = []
    for accuracy in (plain, bn):
        rate = np.median(accuracy[..., -1], axis=1).argmax()
        steps.append(np.median(_first_steps(accuracy, target)[rate]))
    return steps[0] / steps[1]


def _speed_up_last_step(plain, bn, target):
    return _speed_up(plain, bn, target, never=plain.shape[-1])


def _speed_up_arrived(plain, bn, target):
    def steps(accuracy):
        found = _first_steps(accuracy, target, never=np.nan)
        medians = np.nanmedian(found, axis=1)
        return np.inf if np.isnan(medians).all() else np.nanmin(medians)

    return steps(plain) / steps(bn)


def _speed_up_rate_per_seed(plain, bn, target):
    slow, fast = (np.median(_first_steps(a, target).min(axis=0)) for a in (plain, bn))
    return slow / fast


def _speed_up_inverted(plain, bn, target):
    return 1 / _speed_up(plain, bn, target)


def _curves(arrivals, steps, rng):
    """Noisy accuracy that passes 0.9 first at the given steps, (rates, seeds)."""
    arrivals = np.array(arrivals, dtype=float)[..., None]
    t = np.arange(1, steps + 1)
    below = 0.1 + 0.6 * np.minimum(t / np.minimum(arrivals, 2 * steps), 1)
    after = 0.96 - 0.12 * rng.random(arrivals.shape[:2] + (steps,))
    # Exactly the target at first; afterwards it may dip below it again.
    after = np.where(t == arrivals, 0.9, after)
    return np.where(t < arrivals, below, after)


def _speed_up_cases():
    rng, no = np.random.default_rng(51), 1e6
    steps = 60
    slow = [[no, no, no], [44, 50, 57], [24, 30, 33], [no, 15, no]]
    fast = [[40, 41, 52], [14, 19, 21], [9, 12, 20], [3, no, no]]
    # The fast net ends best at another rate than the one at which it arrives first.
    late = _curves(fast, steps, rng)
    late[1, :, -1], late[2, :, -1] = 0.99, 0.905
    plain = _curves(slow, steps, rng)
    plain[1, :, -1], plain[2, :, -1] = 0.99, 0.905
    five = [[22, 25, 27, 48, no], [18, 36, 37, no, no], [no] * 5]
    five_bn = [[30, 33, 35, 39, 50], [8, 10, 15, 44, no], [7, no, no, no, 12]]
    never = [[no, no, 31], [no, no, no], [no, no, no]]
    some = [[31, 33, 40], [11, 16, 18], [no, 6, no]]

    four = [[21, 26, 32, 47], [no] * 4, [15, 40, 46, 52]]
    four_bn = [[11, 13, 18, 23], [6, 14, 29, no], [25, 28, 30, 31]]

    def case(plain, bn, note):
        return Case((plain, bn, 0.9), note)

    return [
        case(plain, late, "4 rates, 3 seeds, 60 steps, target=0.9"),
        case(
            _curves(five, steps, rng),
            _curves(five_bn, steps, rng),
            "3 rates, 5 seeds, 60 steps, target=0.9",
        ),
        case(
            _curves(never, 40, rng),
            _curves(some, 40, rng),
            "3 rates, 3 seeds, plain nets that do not arrive, target=0.9",
        ),
        case(
            _curves(four, steps, rng),
            _curves(four_bn, steps, rng),
            "3 rates, 4 seeds, 60 steps, target=0.9",
        ),
    ]


SPEED_UP = Exercise(
    number="5.1",
    name="speed_up",
    title="How many times faster?",
    signature="speed_up(plain, bn, target)",
    reference=_speed_up,
    cases=_speed_up_cases,
    misconceptions=(
        Misconception(
            "one rate for both",
            "The rate that is best for the plain nets is not the best for the others. "
            "Each side has to be judged at its own best rate.",
            wrong=_speed_up_same_rate,
        ),
        Misconception(
            "the rate of the BN nets for both",
            "At this rate the plain nets may not train at all, which makes BN look "
            "better than it is. Each side has to be judged at its own best rate.",
            wrong=partial(_speed_up_same_rate, of="bn"),
        ),
        Misconception(
            "only the luckiest seed counts",
            "The minimum over the seeds rewards luck, and more of it the more seeds "
            "there are. Take the median over the seeds, and the minimum over the rates "
            "afterwards.",
            wrong=_speed_up_best_seed,
        ),
        Misconception(
            "mean curve over the seeds",
            "The step at which an average curve reaches the target is not the typical "
            "step: one run that fails holds it down for ever. Find the step of each "
            "run first.",
            wrong=_speed_up_mean_curve,
        ),
        Misconception(
            "median curve over the seeds",
            "You took the median of the accuracies, step by step. That curve belongs "
            "to no run, and one dip can hold it down. Find the step of each run "
            "first, then the median of the steps.",
            wrong=partial(_speed_up_mean_curve, over=np.median),
        ),
        Misconception(
            "exactly the target does not count",
            "A run that hits the target exactly has reached it. Compare with >=, not "
            "with >.",
            wrong=_speed_up_above,
        ),
        Misconception(
            "best rate by the last accuracy",
            "The rate that ends highest is often not the one that arrives first. The "
            "question is about steps to the target, so this must choose the rate.",
            wrong=_speed_up_final,
        ),
        Misconception(
            "never counted as the first step",
            "argmax over an array without a single True is 0, so runs that never "
            "arrive look like the fastest ones. Give them infinitely many steps.",
            wrong=partial(_speed_up, never=1),
        ),
        Misconception(
            "never counted as the last step",
            "A run that has not arrived at the end needs more steps than you took, and "
            "nobody knows how many. Infinity is the honest entry.",
            wrong=_speed_up_last_step,
        ),
        Misconception(
            "runs that never arrive left out",
            "Leave out the failures, and a rate at which one seed in three got lucky "
            "looks excellent. They belong into the median, as infinity.",
            wrong=_speed_up_arrived,
        ),
        Misconception(
            "another rate for each seed",
            "You took the minimum over the rates before the median over the seeds, so "
            "each seed has picked its own rate. Nobody can tune like that: one rate "
            "has to serve all seeds.",
            wrong=_speed_up_rate_per_seed,
        ),
        Misconception(
            "index taken for a number of steps",
            "Index 0 holds the accuracy after one step. Add 1 before you divide: a "
            "ratio feels it, most of all for a fast net.",
            wrong=partial(_speed_up, first=0),
        ),
        Misconception(
            "ratio upside down",
            "Asked is how many times more steps the plain nets take: theirs divided by "
            "those of the nets with BN.",
            wrong=_speed_up_inverted,
        ),
        Misconception(
            "mean over the seeds",
            "A single run that never arrives makes the mean infinite, however well the "
            "others do. The median over the seeds stands it.",
            wrong=partial(_speed_up, over=np.mean),
        ),
    ),
    hints=(
        "Three reductions, in this order: steps to the first step that is good enough, "
        "seeds to their median, rates to their minimum. Only then divide.",
        "hit = accuracy >= target; hit.argmax(axis=-1) is the index of the first True, "
        "and 0 if there is none. hit.any(axis=-1) tells the two apart.",
        "first = np.where(hit.any(-1), hit.argmax(-1) + 1, np.inf), and the steps of "
        "one side are np.median(first, axis=1).min().",
    ),
)

# --- 5.2 ------------------------------------------------------------------------------


def _turn(
    weight,
    grad,
    lr,
    scale,
    *,
    power=2,
    axis=1,
    angle=np.arctan,
    by_weight=True,
    unit=1.0,
):
    step = lr * np.linalg.norm(grad, axis=axis)
    length = np.linalg.norm(weight, axis=axis) if by_weight else 1.0
    return unit * angle(step / (scale**power * length))


def _itself(values):
    return values


def _turning_cases():
    rng = np.random.default_rng(52)

    def case(rows, columns, lr, scale):
        weight = rng.normal(size=(rows, columns))
        weight *= rng.uniform(0.5, 2.0, size=(rows, 1))
        grad = rng.normal(size=(rows, columns))
        # What a norm after the layer makes of it: no component along the row.
        along = (grad * weight).sum(1) / np.square(weight).sum(1)
        grad -= along[:, None] * weight
        note = f"weight of shape ({rows}, {columns}), lr={lr:g}, scale={scale:g}"
        return Case((weight, grad, lr, scale), note)

    return [case(3, 4, 0.3, 2.0), case(2, 6, 1.0, 0.5), case(4, 3, 0.5, 3.0)]


TURNING_ANGLE = Exercise(
    number="5.2",
    name="turning_angle",
    title="How far does a step turn?",
    signature="turning_angle(weight, grad, lr, scale)",
    reference=_turn,
    cases=_turning_cases,
    misconceptions=(
        Misconception(
            "scale without effect",
            "The output does not change with the scale, but the step does: longer rows "
            "have smaller gradients, and the same step turns a longer row less.",
            wrong=partial(_turn, power=0),
        ),
        Misconception(
            "gradient as before",
            "You scaled the rows and kept their gradient. If the output stays the same "
            "while the weight grows by scale, the gradient shrinks by scale: divide "
            "twice.",
            wrong=partial(_turn, power=1),
        ),
        Misconception(
            "larger weights turn faster",
            "It is the other way round: a row that is scale times as long has a "
            "gradient that is scale times shorter, so it turns scale**2 times less.",
            wrong=partial(_turn, power=-2),
        ),
        Misconception(
            "length of the step",
            "This is how far the end of the row moves. The angle depends on how long "
            "the row itself is: divide by its norm.",
            wrong=partial(_turn, power=1, angle=_itself, by_weight=False),
        ),
        Misconception(
            "ratio taken for the angle",
            "Step over length is the tangent of the angle, since the step is "
            "perpendicular to the row. For large steps the two differ: take arctan.",
            wrong=partial(_turn, angle=_itself),
        ),
        Misconception(
            "arcsine for arctangent",
            "The step is perpendicular to the old row, so the new row, not the old "
            "one, is the longest side of the triangle. Step over old row is the "
            "tangent: take arctan.",
            wrong=partial(_turn, angle=np.arcsin),
        ),
        Misconception(
            "one angle for the whole matrix",
            "Each row makes one channel, and BN normalizes each channel by itself. So "
            "each row has its own length, its own gradient and its own angle.",
            wrong=partial(_turn, axis=None),
        ),
        Misconception(
            "angle in degrees",
            "This is the right angle in degrees. The task asks for radians, as arctan "
            "returns them.",
            wrong=partial(_turn, unit=180 / np.pi),
        ),
    ),
    hints=(
        "What happens to the gradient of a row when the row is made twice as long and "
        "the output does not change? Chapter 3 has the answer.",
        "The row is scale times as long, its gradient scale times as short. The two "
        "are perpendicular: draw the triangle of old row, step and new row.",
        "tan(angle) is lr * norm(grad row) / (scale**2 * norm(weight row)), one for "
        "each row: axis=1.",
    ),
)

# --- 5.3 ------------------------------------------------------------------------------


def _explosion(phi, dphi, *, centered=True, root=np.sqrt, slope=None):
    squares = np.square(dphi).mean() if slope is None else slope(dphi)
    spread = phi.var() if centered else np.square(phi).mean()
    return root(squares / spread)


def _explosion_upside_down(phi, dphi):
    return 1 / _explosion(phi, dphi)


def _explosion_without_norm(phi, dphi):
    return np.sqrt(np.square(dphi).mean())


def _explosion_over_variance(phi, dphi):
    return _explosion_without_norm(phi, dphi) / phi.var()


def _square_of_mean(dphi):
    return dphi.mean() ** 2


def _explosion_cases():
    z = np.random.default_rng(53).normal(size=20_000)
    tanh = np.tanh(z)
    sigmoid = 1 / (1 + np.exp(-z))
    return [
        Case((np.maximum(z, 0), (z > 0).astype(float)), "ReLU at 20000 samples"),
        Case((tanh, 1 - tanh**2), "tanh at 20000 samples"),
        Case((sigmoid, sigmoid * (1 - sigmoid)), "sigmoid at 20000 samples"),
    ]


EXPLOSION = Exercise(
    number="5.3",
    name="explosion",
    title="Which activation explodes most?",
    signature="explosion(phi, dphi)",
    reference=_explosion,
    cases=_explosion_cases,
    rtol=1e-4,  # dividing by n - 1 is fine
    misconceptions=(
        Misconception(
            "mean square instead of variance",
            "BN subtracts the mean before it divides, so only the variance of the "
            "activations counts. With the mean square ReLU gets 1, which is a plain "
            "net with He's weights.",
            wrong=partial(_explosion, centered=False),
        ),
        Misconception(
            "growth of the squared norm",
            "You found by how much the squared norm grows: 1.467 for ReLU. Asked is "
            "the norm itself, so take the square root.",
            wrong=partial(_explosion, root=lambda square: square),
        ),
        Misconception(
            "variance instead of standard deviation",
            "BN divides by the standard deviation of the activations, not by their "
            "variance. Take the root of the whole fraction.",
            wrong=_explosion_over_variance,
        ),
        Misconception(
            "mean slope",
            "Gradients add up in squares: half of the units with slope 1 keep half of "
            "the squared norm, not a quarter. Take the mean of dphi**2.",
            wrong=partial(_explosion, slope=_square_of_mean),
        ),
        Misconception(
            "spread of the slope",
            "The slope multiplies the gradient as it is; nothing is subtracted from "
            "it. Only the activations are centered. Take the mean of dphi**2.",
            wrong=partial(_explosion, slope=np.var),
        ),
        Misconception(
            "fraction upside down",
            "The slopes multiply the gradient on its way back, and the spread of the "
            "activations is what BN divides by. You have it the other way round.",
            wrong=_explosion_upside_down,
        ),
        Misconception(
            "division by the norm forgotten",
            "That is what the activation alone does. The next BN divides by the spread "
            "of its input, and its gradient is divided by the same number.",
            wrong=_explosion_without_norm,
        ),
    ),
    hints=(
        "Going back through one layer the gradient meets two things that change its "
        "size: the slope of the activation, and the division by the standard "
        "deviation.",
        "For ReLU the mean of the squared slope is 1/2, and what BN divides by is the "
        "variance of ReLU(z), (pi - 1)/(2 pi). Find out which statistics of phi and "
        "dphi these are.",
        "The square of the factor is (dphi**2).mean() / phi.var().",
    ),
)


# --- 5.4 ------------------------------------------------------------------------------

WANTED = 88.5  # mean accuracy in % of three nets
_STEPS = 60


@cache
def _plain_accuracy(activation, optimizer, lr):
    """Mean test accuracy in % of three plain nets after 60 steps."""
    import torch

    from bnlib.lab.data import digits, for_seeds
    from bnlib.lab.ensemble import Ensemble, accuracies, train_many
    from bnlib.lab.models import mlp

    seeds = range(3)
    x, y, x_new, y_new = map(torch.tensor, for_seeds(digits, seeds))
    mean, std = x.mean(1, keepdim=True), x.std(1, keepdim=True, correction=0)
    std[std == 0] = 1
    sizes, kind = (64, 32, 32, 32, 10), {"norm": None, "activation": activation}
    nets = Ensemble([mlp(sizes, seed=seed, **kind) for seed in seeds])
    how = {"lr": lr, "optimizer": optimizer, "batch_size": 32, "each": True}
    data = (x - mean) / std, y
    train_many(nets, data, steps=_STEPS, seed=[*seeds], **how)
    found = accuracies(nets, (x_new - mean) / std, y_new, each=True)
    return 100 * float(np.mean(found))


def _fair_baseline(choices):
    adam = "adam" in choices["optimizer"]
    known = ("relu", "adam", 0.03) if adam else ("relu", "sgd", 0.3)
    return dict(zip(choices, known, strict=True))


def _baseline_fault(result, choices):
    for key, options in choices.items():
        if result[key] not in options:
            return f"Your result has {key} {result[key]!r}; the choices are {options}."
    accuracy = _plain_accuracy(**result)
    if accuracy >= WANTED:
        return None
    return (
        f"Your result reads {accuracy:.1f}% after {_STEPS} steps, the mean of three "
        f"nets; asked is at least {WANTED}%."
    )


def _takes(**parts):
    """Recognize a choice by some of its parts; a tuple lists several values."""

    def recognize(result, choices):
        return all(result[key] in values for key, values in parts.items())

    return recognize


def _baseline_cases():
    rates = [0.003, 0.03, 0.3]
    both = {"activation": ["sigmoid", "tanh", "relu"], "optimizer": ["sgd", "adam"]}
    only = both | {"optimizer": ["sgd"]}
    return [
        Case((both | {"lr": rates},), "SGD or Adam"),
        Case((only | {"lr": rates},), "SGD only"),
    ]


FAIR_BASELINE = Exercise(
    number="5.4",
    name="fair_baseline",
    title="A baseline that takes the factor away",
    signature="fair_baseline(choices)",
    reference=_fair_baseline,
    accept=_baseline_fault,
    cases=_baseline_cases,
    misconceptions=(
        Misconception(
            "the sigmoid kept",
            "Its slope is at most 1/4, so the first layers get next to no gradient: "
            "that is the slow start that batch norm cures. A baseline of today has "
            "another activation.",
            recognize=_takes(activation=("sigmoid",)),
        ),
        Misconception(
            "the smallest rate",
            "In 60 steps a rate of 0.003 goes nowhere with SGD. A net that is tuned "
            "badly makes everything beside it look fast: try the other rates.",
            recognize=lambda result, choices: (
                result["lr"] == 0.003
                and _plain_accuracy(**{key: result[key] for key in choices}) < WANTED
            ),
        ),
        Misconception(
            "a rate that is too small for SGD",
            "Adam takes steps of the length of the rate, SGD steps of the rate times "
            "the gradient. What is right for Adam is ten times too small for SGD.",
            recognize=_takes(optimizer=("sgd",), lr=(0.03,)),
        ),
        Misconception(
            "one choice for both cases",
            "The second case has no Adam, and SGD needs another rate. Look at choices "
            "before you choose.",
            recognize=lambda result, choices: result["optimizer"] == "adam",
        ),
    ),
    hints=(
        "Read the table of the section on how much faster from top to bottom, and "
        "find the change of the plain net that takes the largest part of the factor "
        "away.",
        "A ReLU in place of the sigmoid. Then the rate: Adam is at its best near 0.03, "
        "SGD near 0.3. Ask whether adam is among the choices.",
    ),
)

# --- 5.5 ------------------------------------------------------------------------------


def _mean_at(run, rate, seeds):
    return float(np.mean([run(rate, seed) for seed in seeds]))


def _best_rate(
    run,
    rates,
    seeds,
    *,
    extend=("up", "down"),
    over=_mean_at,
    score=lambda a: -np.inf if np.isnan(a) else a,
):
    rates = list(rates)
    factor = rates[1] / rates[0]
    found = [score(over(run, rate, seeds)) for rate in rates]
    for _ in range(12):
        best = int(np.argmax(found))
        if best == len(rates) - 1 and "up" in extend:
            rates.append(rates[-1] * factor)
            found.append(score(over(run, rates[-1], seeds)))
        elif best == 0 and "down" in extend:
            rates.insert(0, rates[0] / factor)
            found.insert(0, score(over(run, rates[0], seeds)))
        else:
            break
    return rates[int(np.argmax(found))]


def _luckiest(run, rate, seeds):
    return float(np.max([run(rate, seed) for seed in seeds]))


def _first_seed(run, rate, seeds):
    return run(rate, seeds[0])


def _as_it_is(accuracy):
    return accuracy


@cache
def _some_digits(seed):
    from bnlib.lab.data import digits

    x, y, x_new, y_new = digits(seed=seed)
    return x[:300] - x[:300].mean(), y[:300], x_new - x[:300].mean(), y_new


@cache
def _softmax_run(rate, seed):
    """Accuracy in % of a softmax regression after 20 steps; NaN if it overflows."""
    x, y, x_new, y_new = _some_digits(seed)
    w, onehot = np.zeros((64, 10)), np.eye(10)[y]
    for _ in range(20):
        z = x @ w
        p = np.exp(z - z.max(axis=1, keepdims=True))
        w -= rate * x.T @ (p / p.sum(axis=1, keepdims=True) - onehot) / len(x)
    return 100 * float(np.mean((x_new @ w).argmax(axis=1) == y_new))


def _made_up_run(best, limit, luck):
    """Accuracy that falls on both sides of a rate, and is NaN above a limit."""

    def run(rate, seed):
        if rate > limit:
            return float("nan")
        lucky = 6.0 if seed == 1 and abs(np.log(rate / luck)) < 0.1 else 0.0
        return 90 - 3 * np.log10(rate / best) ** 2 + lucky - seed

    return run


def _rate_cases():
    made_up, below = _made_up_run(0.1, 5.0, 10.0), _made_up_run(0.001, 90.0, 100.0)
    # The second seed has luck at the rate that is twice too high.
    lucky = _made_up_run(0.1, 20.0, 0.8)
    return [
        Case(
            (_softmax_run, [0.01, 0.04, 0.16], [0, 1, 2]), "digits, the best is above"
        ),
        Case((below, [0.1, 1.0, 10.0], [0, 1, 2]), "the best is below"),
        Case((made_up, [0.1, 1.0, 10.0], [0, 1, 2]), "the last rate overflows"),
        Case((lucky, [0.2, 0.4, 0.8], [0, 1, 2]), "one seed has luck"),
    ]


BEST_RATE = Exercise(
    number="5.5",
    name="best_rate",
    title="Read a sweep",
    signature="best_rate(run, rates, seeds)",
    reference=_best_rate,
    cases=_rate_cases,
    misconceptions=(
        Misconception(
            "the edge of the grid",
            "The best rate of the grid is its first or its last one, so a better one "
            "may lie outside. Go on by the same factor until the best has neighbors on "
            "both sides.",
            wrong=partial(_best_rate, extend=()),
        ),
        Misconception(
            "extended upward only",
            "The best rate may as well lie below the grid. Ask at both ends.",
            wrong=partial(_best_rate, extend=("up",)),
        ),
        Misconception(
            "extended downward only",
            "The best rate may as well lie above the grid. Ask at both ends.",
            wrong=partial(_best_rate, extend=("down",)),
        ),
        Misconception(
            "the best of all runs",
            "The best single run is luck: it belongs to a seed. Take the mean over the "
            "seeds at each rate, then the best rate.",
            wrong=partial(_best_rate, over=_luckiest),
        ),
        Misconception(
            "a run that overflowed taken for the best",
            "np.argmax returns the first NaN. A run that overflowed has lost: count it "
            "as minus infinity, or use np.nanargmax.",
            wrong=partial(_best_rate, score=_as_it_is),
        ),
    ),
    hints=(
        "First the mean over the seeds for each rate, where NaN counts as the worst. "
        "Then look where the best one stands.",
        "As long as the best is the last rate, add another one, larger by the factor "
        "of the grid; as long as it is the first, add a smaller one.",
        "factor = rates[1] / rates[0]; while the best index is 0 or the last: extend "
        "on that side and measure again.",
    ),
)


EXERCISES = (
    SPEED_UP,
    TURNING_ANGLE,
    EXPLOSION,
    FAIR_BASELINE,
    BEST_RATE,
)
