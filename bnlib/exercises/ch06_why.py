"""Exercises of chapter 6: the explanations put to the test."""

from functools import partial

import numpy as np

from bnlib.exercises.engine.exercise import Case, Exercise, Misconception
from bnlib.exercises.engine.kinds import Repair

# --- 6.1 ------------------------------------------------------------------------------


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
    number="6.1",
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

# --- 6.2 ------------------------------------------------------------------------------


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
    number="6.2",
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

# --- 6.3 ------------------------------------------------------------------------------


def _length(x, axes):
    return np.sqrt(np.square(x).sum(axis=axes, keepdims=True))


def _filters(x):
    return tuple(range(1, x.ndim))


def _inputs(x):
    return (0, *range(2, x.ndim))


def _kernels(x):
    return tuple(range(2, x.ndim)) or (1,)


def _normalize_filters(
    directions, weights, axes=_filters, divided=True, times=True, vectors=np.zeros_like
):
    result = []
    for d, w in zip(directions, weights, strict=True):
        over = axes(w) if w.ndim > 1 else None
        new = d * (_length(w, over) if times else 1)
        new = new / _length(d, over) if divided else new
        if w.ndim == 1:
            new = vectors(d) if vectors in (np.zeros_like, _itself) else vectors(d, w)
        result.append(new)
    return result


def _itself(d):
    return d


def _as_one(d, w):
    return d * np.linalg.norm(w) / np.linalg.norm(d)


def _by_entry(d, w):
    return d * np.abs(w) / np.abs(d)


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


_FILTER_NORMALIZE_STARTER = '''\
def filter_normalize(directions, weights):
    """Return a list like directions, rescaled as in (6.3)."""
    pairs = zip(directions, weights, strict=True)
    return [d * np.linalg.norm(w) / np.linalg.norm(d) for d, w in pairs]
'''

FILTER_NORMALIZE = Repair(
    number="6.3",
    name="filter_normalize",
    title="A fair direction",
    signature="filter_normalize(directions, weights)",
    reference=_normalize_filters,
    starter=_FILTER_NORMALIZE_STARTER,
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
            "vectors rescaled as a whole",
            "Biases, gamma and beta are no filters; their direction must be 0. "
            "Otherwise you mostly see what scaling or shifting a layer does.",
            wrong=partial(_normalize_filters, vectors=_as_one),
        ),
        Misconception(
            "vectors rescaled entry by entry",
            "An entry of a bias, of gamma or beta is no filter; their direction must "
            "be 0. Otherwise you mostly see what scaling or shifting a layer does.",
            wrong=partial(_normalize_filters, vectors=_by_entry),
        ),
        Misconception(
            "vectors left as they were drawn",
            "Biases, gamma and beta are no filters; their direction must be 0, and not "
            "of whatever length it was drawn with.",
            wrong=partial(_normalize_filters, vectors=_itself),
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


# --- 6.4 ------------------------------------------------------------------------------


def _flatter(weight, factor):
    return factor * weight


def _normalized(u, weight):
    x = u @ weight.T
    return (x - x.mean(axis=0)) / x.std(axis=0)


def _probe():
    """Return inputs and pushes, the same each time; 0.01 long, whatever the weight."""
    rng = np.random.default_rng(64)
    return rng.normal(size=(200, 6)), 0.01 * rng.normal(size=(20, 6))


def _sharpness(weight):
    """Return the change of the output by a small push of all rows."""
    u, pushes = _probe()
    before = _normalized(u, weight)
    after = [_normalized(u, weight + push) for push in pushes]
    return np.mean([np.sqrt(np.square(a - before).mean()) for a in after])


def _same_function(result, weight):
    u, _ = _probe()
    return np.abs(_normalized(u, result) - _normalized(u, weight)).max() < 1e-6


def _flatter_fault(result, weight, factor):
    if not _same_function(result, weight):
        return "Your result is the weight of another function: the outputs differ."
    flatter = _sharpness(weight) / _sharpness(result)
    if flatter >= 0.9 * factor:
        return None
    return (
        f"Your result is flatter by the factor {flatter:.3g}; asked is about "
        f"{factor:g}."
    )


def _flatter_cases():
    rng = np.random.default_rng(164)

    def case(c, factor):
        weight = rng.normal(size=(c, 6))
        return Case((weight, factor), f"weight of shape ({c}, 6), factor {factor:g}")

    return [case(4, 5.0), case(3, 50.0), case(5, 2.0)]


FLATTER = Exercise(
    number="6.4",
    name="flatter",
    title="Flat on request",
    signature="flatter(weight, factor)",
    reference=_flatter,
    accept=_flatter_fault,
    cases=_flatter_cases,
    misconceptions=(
        Misconception(
            "divided by the factor",
            "A push of fixed length is larger beside a short weight: this net looks "
            "steeper. Make the weight longer.",
            wrong=lambda weight, factor: weight / factor,
        ),
        Misconception(
            "the root of the factor",
            "The push is of fixed length, so twice the weight halves what it does: the "
            "factor itself, not its root.",
            wrong=lambda weight, factor: np.sqrt(factor) * weight,
        ),
        Misconception(
            "the factor added",
            "Adding a number to every weight turns the rows, and the function is "
            "another one. A norm forgets the length of a row and nothing else.",
            wrong=lambda weight, factor: weight + factor,
        ),
        Misconception(
            "the sign turned",
            "A negative factor mirrors the outputs: the norm forgets the size of a "
            "weight, not its sign.",
            wrong=lambda weight, factor: -factor * weight,
        ),
        Misconception(
            "left as it was",
            "The function is the same, and so is its flatness. One thing may change "
            "about a row before a norm: find it.",
            wrong=lambda weight, factor: weight,
        ),
    ),
    hints=(
        "Ask which change of the weights before a batch norm its output does not "
        "notice.",
        "Their length. A push of fixed length is then smaller in comparison: multiply "
        "the weight by the factor.",
    ),
)


EXERCISES = (
    GRADIENT_SHIFT,
    EFFECTIVE_SMOOTHNESS,
    FILTER_NORMALIZE,
    FLATTER,
)
