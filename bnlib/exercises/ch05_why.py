"""Exercises of chapter 5: the explanations put to the test."""

from functools import partial

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


class _ToyNet:
    """Gradients of a small tanh net, by layer, on the batch with a given number."""

    def __init__(self, seed, sizes):
        self.seed, self.inputs, self.outputs = seed, sizes[0], sizes[-1]
        self.shapes = [(m, n) for n, m in zip(sizes[:-1], sizes[1:], strict=True)]

    def __call__(self, weights, t):
        # Said here in plain words; NumPy would complain about something else.
        if len(weights) != len(self.shapes):
            layers = f"{len(self.shapes)} arrays, one for each layer"
            raise ValueError(f"gradients needs {layers}, got {len(weights)}")
        for k, (weight, shape) in enumerate(zip(weights, self.shapes, strict=True)):
            if np.shape(weight) != shape:
                found = f"shape {shape}, got {np.shape(weight)}"
                raise ValueError(f"gradients needs weights[{k}] of {found}")
        if t < 0:
            raise ValueError(f"the first batch has number 0, there is no batch {t}")
        rng = np.random.default_rng([self.seed, t])
        inputs = [rng.normal(size=(8, self.inputs))]
        target = rng.normal(size=(8, self.outputs))
        for weight in weights[:-1]:
            inputs.append(np.tanh(inputs[-1] @ weight.T))
        d_z = (inputs[-1] @ weights[-1].T - target) / len(target)
        gradients = []
        for weight, x in zip(weights[::-1], inputs[::-1], strict=True):
            gradients.append(d_z.T @ x)
            d_z = (d_z @ weight) * (1 - x**2)
        return gradients[::-1]


def _below(i, layer):
    return i < layer


def _next_below(i, layer):
    return i == layer - 1


def _farther_below(i, layer):
    return i < layer - 1


def _above(i, layer):
    return i > layer


def _up_to(i, layer):
    return i <= layer


def _every(i, layer):
    return True


def _shift(
    gradients, weights, layer, lr, t, *, moved=_below, later=0, sign=-1, of=None
):
    before = gradients(weights, t)
    after = gradients(
        [
            w + sign * lr * d_w if moved(i, layer) else w
            for i, (w, d_w) in enumerate(zip(weights, before, strict=True))
        ],
        t + later,
    )
    layers = range(len(weights)) if of == "all" else [layer]
    a, b = (np.concatenate([g[i].ravel() for i in layers]) for g in (before, after))
    return a @ b / (1 if of == "dot" else np.linalg.norm(a) * np.linalg.norm(b))


def _shift_of_weights(gradients, weights, layer, lr, t):
    before = gradients(weights, t)[layer]
    after = gradients(weights, t + 1)[layer]
    return np.sum(before * after) / np.linalg.norm(before) / np.linalg.norm(after)


def _shift_in_turn(gradients, weights, layer, lr, t):
    before, moved = gradients(weights, t)[layer], list(weights)
    for i in range(layer):
        moved[i] = moved[i] - lr * gradients(moved, t)[i]
    after = gradients(moved, t)[layer]
    return np.sum(before * after) / np.linalg.norm(before) / np.linalg.norm(after)


def _shift_angle(*args):
    return np.arccos(_shift(*args))


def _shift_cases():
    rng = np.random.default_rng(54)

    def case(sizes, layer, lr, t):
        weights = [
            rng.normal(0, 1.5 / np.sqrt(n), size=(m, n))
            for n, m in zip(sizes[:-1], sizes[1:], strict=True)
        ]
        note = f"{len(weights)} layers, layer={layer}, lr={lr}, t={t}"
        net = _ToyNet(layer, sizes)
        return Case((net, weights, layer, lr, t), note)

    return [
        case((4, 5, 6, 3), 1, 0.5, 0),
        case((3, 4, 4, 5, 2), 2, 1.0, 7),
        case((6, 5, 5, 4, 4, 3), 3, 0.7, 3),
    ]


GRADIENT_SHIFT = Exercise(
    number="5.4",
    name="gradient_shift",
    title="Who moved my inputs?",
    signature="gradient_shift(gradients, weights, layer, lr, t)",
    reference=_shift,
    cases=_shift_cases,
    misconceptions=(
        Misconception(
            "another batch for the second gradient",
            "Two batches have two gradients even if no weight moves at all. Ask for "
            "the second gradient on batch t as well; then only the update can differ.",
            wrong=partial(_shift, later=1),
        ),
        Misconception(
            "two batches, no update",
            "The weights are the same both times, so this measures how noisy the "
            "batches are. Move the layers below, and stay with batch t.",
            wrong=_shift_of_weights,
        ),
        Misconception(
            "all layers updated",
            "Then the layer's gradient also changes because the layer and those above "
            "it moved. The question is what the layers below do to it: update them "
            "alone.",
            wrong=partial(_shift, moved=_every),
        ),
        Misconception(
            "the layer's own update included",
            "The layer may not move: its inputs are to change, and they are made by "
            "the layers before it. In Python, weights[:layer] are those.",
            wrong=partial(_shift, moved=_up_to),
        ),
        Misconception(
            "the upper layers updated",
            "Layers above do not touch the inputs of this one. Index 0 is the first "
            "layer, next to the data; update the indices smaller than layer.",
            wrong=partial(_shift, moved=_above),
        ),
        Misconception(
            "one layer below updated",
            "All layers before this one take their step, not only its neighbor: each "
            "of them changes what arrives here.",
            wrong=partial(_shift, moved=_next_below),
        ),
        Misconception(
            "the neighbor below held still",
            "The layer just below belongs to those that move. Indices start at 0, so "
            "the layers below are weights[:layer], without a -1.",
            wrong=partial(_shift, moved=_farther_below),
        ),
        Misconception(
            "one layer after the other",
            "You asked for new gradients after each layer. One step of gradient "
            "descent moves all of them at once, along the gradients at the old "
            "weights.",
            wrong=_shift_in_turn,
        ),
        Misconception(
            "the angle instead of its cosine",
            "np.arccos gives the angle, which is 0 when nothing has changed. The "
            "cosine is what you had before that.",
            wrong=_shift_angle,
        ),
        Misconception(
            "a step uphill",
            "Gradient descent subtracts lr times the gradient. You added it, so the "
            "lower layers moved where training never goes.",
            wrong=partial(_shift, sign=1),
        ),
        Misconception(
            "gradients of the whole network compared",
            "Each layer has its own share of the shift. Compare the gradient of the "
            "one layer that was asked for.",
            wrong=partial(_shift, of="all"),
        ),
        Misconception(
            "lengths not divided out",
            "This is the inner product; it grows with the gradients. The cosine "
            "divides it by both lengths and lies between -1 and 1.",
            wrong=partial(_shift, of="dot"),
        ),
    ),
    hints=(
        "Exactly one thing may differ between the two gradients: the weights of the "
        "layers that come before this one. Batch and all other weights stay.",
        "before = gradients(weights, t). Make a new list of weights in which those "
        "with an index below layer have taken their step, and call gradients again, "
        "with the same t.",
        "moved = [w - lr * g for w, g in zip(weights[:layer], before)] + "
        "weights[layer:]. Then the cosine of before[layer] and "
        "gradients(moved, t)[layer], both flattened.",
    ),
)

# --- 5.5 ------------------------------------------------------------------------------


class _NoisyGradient:
    """Gradient of a bent bowl; its batch and its noise come from the generator."""

    def __init__(self, d, seed):
        rng = np.random.default_rng(seed)
        root = rng.normal(size=(d, d)) / np.sqrt(d)
        self.hessian = root @ root.T

    def __call__(self, theta, rng):
        scale = rng.uniform(0.5, 2.0, size=theta.shape)
        return self.hessian @ (scale * theta) + 0.2 * theta**3 + rng.normal(theta, 0.3)


def _smoothness(gradient, theta, steps, seed, *, noise="same", **how):
    rng = np.random.default_rng(seed)

    def at(point):
        return gradient(point, np.random.default_rng(seed) if noise == "same" else rng)

    g = at(theta)
    return _largest(g, theta, steps, at, **how)


def _smoothness_in_pairs(gradient, theta, steps, seed):
    return max(_smoothness(gradient, theta, [a], seed, noise="new") for a in steps)


def _smoothness_one_walk(gradient, theta, steps, seed):
    rng = np.random.default_rng(seed)
    g = gradient(theta, np.random.default_rng(seed))
    return _largest(g, theta, steps, lambda point: gradient(point, rng))


def _smoothness_shortest(gradient, theta, steps, seed):
    return _smoothness(gradient, theta, [min(steps)], seed)


def _change_of_length(gradient, theta, steps, seed):
    def length(point):
        return np.linalg.norm(gradient(point, np.random.default_rng(seed)))

    g = gradient(theta, np.random.default_rng(seed))
    here = np.linalg.norm(g)
    return max(abs(length(theta - a * g) - here) / (a * here) for a in steps)


def _largest(g, theta, steps, at, *, over="distance", unit=False, sign=-1, take=max):
    length = np.linalg.norm(g)
    along = g / length if unit else g
    divisors = {
        "distance": np.linalg.norm(along),
        "rate": 1,
        "gradient": None,
        "nothing": None,
        "squared": length**2,
    }
    found = []
    for a in steps:
        change = np.linalg.norm(at(theta + sign * a * along) - g)
        divisor = divisors[over]
        if divisor is None:
            found.append(change / (length if over == "gradient" else 1))
        else:
            found.append(change / (a * divisor))
    return take(found)


def _smoothness_cases():
    rng = np.random.default_rng(55)

    def case(d, steps, seed):
        note = f"theta of shape ({d},), {len(steps)} steps, seed={seed}"
        theta = rng.normal(0, 1.5, size=d)
        return Case((_NoisyGradient(d, seed), theta, np.array(steps), seed), note)

    return [
        # Roughest at the longest step, then at the shortest one.
        case(4, [0.1, 0.6, 0.2, 0.4], 1),
        case(7, [0.3, 0.02, 0.1], 2),
        case(3, [0.5], 3),
    ]


EFFECTIVE_SMOOTHNESS = Exercise(
    number="5.5",
    name="effective_smoothness",
    title="How smooth is the way down?",
    signature="effective_smoothness(gradient, theta, steps, seed)",
    reference=_smoothness,
    cases=_smoothness_cases,
    misconceptions=(
        Misconception(
            "noise drawn anew at every point",
            "A generator that is used twice gives other numbers the second time, so "
            "you compare two losses. Make a new generator from the same seed for "
            "every call of gradient.",
            wrong=partial(_smoothness, noise="new"),
        ),
        Misconception(
            "one generator for all steps",
            "The generator is used up by the first step, and the later steps see "
            "another batch and other noise. Make a new one from the same seed for "
            "every call of gradient.",
            wrong=_smoothness_one_walk,
        ),
        Misconception(
            "one generator for both points",
            "The second call goes on where the first one stopped, so the two points "
            "see different batches and noise. Make a new generator from the same seed "
            "for every call of gradient.",
            wrong=_smoothness_in_pairs,
        ),
        Misconception(
            "not divided by the distance",
            "This is the largest change. A longer step changes more; smoothness is "
            "the change per distance moved, which is a times the length of g.",
            wrong=partial(_smoothness, over="nothing"),
        ),
        Misconception(
            "divided by the rate alone",
            "The point moves by a times g, so the distance is a times the length of "
            "g, not a. Here a net with long gradients looks rough for that alone.",
            wrong=partial(_smoothness, over="rate"),
        ),
        Misconception(
            "divided by the gradient's length alone",
            "This is the relative change of the gradient. The distance moved is a "
            "times the length of g: the factor a is missing.",
            wrong=partial(_smoothness, over="gradient"),
        ),
        Misconception(
            "divided by the squared length",
            "The distance is a times the length of g, so the length enters once. "
            "np.sum(g**2) is its square; take the root.",
            wrong=partial(_smoothness, over="squared"),
        ),
        Misconception(
            "a step along the unit gradient",
            "Training moves by a times g. With g scaled to length 1 you look at other "
            "points, near ones for a long gradient and far ones for a short one.",
            wrong=partial(_smoothness, unit=True),
        ),
        Misconception(
            "only the change of the length",
            "A gradient that turns around keeps its length and has changed all the "
            "same. Subtract the two vectors first, then take the norm.",
            wrong=_change_of_length,
        ),
        Misconception(
            "the way up",
            "Gradient descent goes to theta - a * g. You looked along the other "
            "direction.",
            wrong=partial(_smoothness, sign=1),
        ),
        Misconception(
            "the mean instead of the largest",
            "Smoothness is a worst case: one kink on the way is enough to throw a "
            "step off. Take the maximum over the steps.",
            wrong=partial(_smoothness, take=np.mean),
        ),
        Misconception(
            "the smallest instead of the largest",
            "Smoothness is a worst case: a bound that must hold along the whole way. "
            "Take the maximum over the steps.",
            wrong=partial(_smoothness, take=min),
        ),
        Misconception(
            "the shortest step alone",
            "This tells how fast the gradient changes near theta. A longer step may "
            "lead to a rougher place: try all steps, and take the maximum.",
            wrong=_smoothness_shortest,
        ),
    ),
    hints=(
        "Two things must be the same at all points: the loss, and so the batch and "
        "the noise. And two things enter the divisor: a and the length of g.",
        "Write a helper at(point) that makes a new generator from seed and calls "
        "gradient. The point for a is theta - a * g.",
        "For each a: norm(at(theta - a * g) - g) / (a * norm(g)), with g = at(theta). "
        "Return the largest.",
    ),
)

# --- 5.6 ------------------------------------------------------------------------------


def _length(x, axes):
    return np.sqrt(np.square(x).sum(axis=axes, keepdims=True))


def _filters(x):
    return tuple(range(1, x.ndim))


def _inputs(x):
    return (0, *range(2, x.ndim))


def _kernels(x):
    return tuple(range(2, x.ndim)) or (1,)


def _normalize_filters(directions, weights, axes=_filters, divided=True, times=True):
    result = []
    for d, w in zip(directions, weights, strict=True):
        over = axes(w) if w.ndim > 1 else None
        new = d * (_length(w, over) if times else 1)
        new = new / _length(d, over) if divided else new
        result.append(new if w.ndim > 1 else np.zeros_like(d))
    return result


def _upside_down(directions, weights):
    return [
        d * _length(d, _filters(d)) / _length(w, _filters(w))
        if w.ndim > 1
        else np.zeros_like(d)
        for d, w in zip(directions, weights, strict=True)
    ]


def _whole_arrays(directions, weights):
    pairs = zip(directions, weights, strict=True)
    return [d * np.linalg.norm(w) / np.linalg.norm(d) for d, w in pairs]


def _one_for_all(directions, weights):
    def norm(arrays):
        return np.sqrt(sum(np.sum(np.square(a)) for a in arrays if a.ndim > 1))

    scale = norm(weights) / norm(directions)
    return [scale * d if d.ndim > 1 else 0 * d for d in directions]


def _moves_vectors(result, directions, weights):
    right = _normalize_filters(directions, weights)
    pairs = list(zip(result, right, strict=True))
    matrices = [np.allclose(r, n) for r, n in pairs if n.ndim > 1]
    vectors = [r for r, n in pairs if n.ndim == 1]
    # NaN or None is another fault than a vector that moves.
    finite = all(np.isfinite(r).all() for r in vectors)
    return all(matrices) and finite and any(np.any(r) for r in vectors)


def _filter_cases():
    rng = np.random.default_rng(56)

    def case(note, *shapes):
        weights = [rng.normal(0, rng.uniform(0.2, 3), size=shape) for shape in shapes]
        # filters of very different length
        weights = [
            w * rng.uniform(0.1, 3, (len(w), *[1] * (w.ndim - 1))) for w in weights
        ]
        return Case(([rng.normal(size=shape) for shape in shapes], weights), note)

    return [
        case("a linear layer (3, 4) and its bias", (3, 4), (3,)),
        case(
            "a convolution (4, 2, 3, 3), gamma, beta, a linear layer (5, 4), its bias",
            *[(4, 2, 3, 3), (4,), (4,), (5, 4), (5,)],
        ),
        case("a 1x1 convolution (3, 6, 1, 1) and its bias", (3, 6, 1, 1), (3,)),
    ]


FILTER_NORMALIZE = Exercise(
    number="5.6",
    name="filter_normalize",
    title="A fair direction",
    signature="filter_normalize(directions, weights)",
    reference=_normalize_filters,
    cases=_filter_cases,
    misconceptions=(
        Misconception(
            "one length for each layer",
            "A layer has filters of very different lengths. With one factor for the "
            "whole array a short filter is moved by many times its own length. Sum "
            "over all axes but the first.",
            wrong=partial(_normalize_filters, axes=lambda w: None),
        ),
        Misconception(
            "every array rescaled as a whole",
            "Each filter needs a factor of its own: sum over all axes but the first, "
            "not over the whole array. And vectors are no filters; their direction "
            "must be 0.",
            wrong=_whole_arrays,
        ),
        Misconception(
            "one length for the whole network",
            "With one factor for all layers, those with small weights are thrown "
            "about and those with large ones hardly move. Each filter gets its own.",
            wrong=_one_for_all,
        ),
        Misconception(
            "length 1 instead of the filter's length",
            "A step of length 1 is large for a small filter and small for a large "
            "one. Multiply by the length of the filter, after dividing by that of d.",
            wrong=partial(_normalize_filters, times=False),
        ),
        Misconception(
            "vectors move",
            "Biases, gamma and beta are no filters; their direction must be 0. "
            "Otherwise you mostly see what scaling or shifting a layer does.",
            recognize=_moves_vectors,
        ),
        Misconception(
            "along the inputs",
            "In PyTorch's weights the first axis counts outputs, and filter k is "
            "w[k]. You took one length for each input.",
            wrong=partial(_normalize_filters, axes=_inputs),
        ),
        Misconception(
            "one length for each 3x3 kernel",
            "A filter is everything that makes one output channel, its kernels for "
            "all input channels together: sum over axes 1, 2 and 3.",
            wrong=partial(_normalize_filters, axes=_kernels),
        ),
        Misconception(
            "not divided by the length of d",
            "The random filter has a length of its own, about the root of its number "
            "of entries. Divide by it first.",
            wrong=partial(_normalize_filters, divided=False),
        ),
        Misconception(
            "the fraction upside down",
            "Then the result is long where the weights are short. Divide d by its own "
            "length and multiply by the length of the weights.",
            wrong=_upside_down,
        ),
    ),
    hints=(
        "Three questions: which axes make up one filter, what its new length is, and "
        "what happens to arrays with one axis.",
        "Filter k of an array is w[k], so sum the squares over all axes but the "
        "first, with keepdims=True. Arrays with one axis become zeros.",
        "axes = tuple(range(1, w.ndim)); the result is d * length(w) / length(d), "
        "with length(x) = np.sqrt(np.sum(x**2, axis=axes, keepdims=True)).",
    ),
)

EXERCISES = (
    SPEED_UP,
    TURNING_ANGLE,
    EXPLOSION,
    GRADIENT_SHIFT,
    EFFECTIVE_SMOOTHNESS,
    FILTER_NORMALIZE,
)
