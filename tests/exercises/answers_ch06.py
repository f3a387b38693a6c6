"""Hand-written answers to the exercises of chapter 6, right and wrong."""

from copy import deepcopy

import numpy as np

# --- 6.1 gradient_shift


def _cosine(a, b):
    a, b = np.ravel(a), np.ravel(b)
    return a.dot(b) / np.sqrt(a.dot(a) * b.dot(b))


def right_shift_by_copies(gradients, weights, layer, lr, t):
    before = gradients(weights, t)
    moved = [w.copy() for w in weights]
    for k in range(layer):
        moved[k] -= lr * before[k]
    return _cosine(before[layer], gradients(moved, t)[layer])


def right_shift_by_slices(gradients, weights, layer, lr, t):
    old = gradients(weights, t)
    lower = [w - lr * g for w, g in zip(weights[:layer], old[:layer], strict=True)]
    new = gradients(lower + weights[layer:], t)
    return float(1 - 0.5 * np.sum(np.square(_unit(old[layer]) - _unit(new[layer]))))


def _unit(g):
    return g / np.linalg.norm(g)


def shift_next_batch(gradients, weights, layer, lr, t):
    old = gradients(weights, t)
    lower = [w - lr * g for w, g in zip(weights[:layer], old[:layer], strict=True)]
    return _cosine(old[layer], gradients(lower + weights[layer:], t + 1)[layer])


def shift_nothing_moves(gradients, weights, layer, lr, t):
    return _cosine(gradients(weights, t)[layer], gradients(weights, t + 1)[layer])


def shift_whole_step(gradients, weights, layer, lr, t):
    old = gradients(weights, t)
    stepped = [w - lr * g for w, g in zip(weights, old, strict=True)]
    return _cosine(old[layer], gradients(stepped, t)[layer])


def shift_off_by_one(gradients, weights, layer, lr, t):
    old = gradients(weights, t)
    moved = list(weights)
    for k in range(layer + 1):
        moved[k] = moved[k] - lr * old[k]
    return _cosine(old[layer], gradients(moved, t)[layer])


def shift_counts_from_the_top(gradients, weights, layer, lr, t):
    old = gradients(weights, t)
    moved = list(weights)
    for k in range(layer + 1, len(weights)):
        moved[k] = moved[k] - lr * old[k]
    return _cosine(old[layer], gradients(moved, t)[layer])


def shift_neighbor(gradients, weights, layer, lr, t):
    old = gradients(weights, t)
    moved = list(weights)
    moved[layer - 1] = moved[layer - 1] - lr * old[layer - 1]
    return _cosine(old[layer], gradients(moved, t)[layer])


def shift_too_few(gradients, weights, layer, lr, t):
    old = gradients(weights, t)
    moved = list(weights)
    for k in range(layer - 1):
        moved[k] = moved[k] - lr * old[k]
    return _cosine(old[layer], gradients(moved, t)[layer])


def shift_fresh_gradients(gradients, weights, layer, lr, t):
    old, moved = gradients(weights, t), deepcopy(weights)
    for k in range(layer):
        moved[k] -= lr * gradients(moved, t)[k]
    return _cosine(old[layer], gradients(moved, t)[layer])


def shift_in_radians(gradients, weights, layer, lr, t):
    return np.arccos(right_shift_by_copies(gradients, weights, layer, lr, t))


def shift_plus(gradients, weights, layer, lr, t):
    old = gradients(weights, t)
    moved = [w + lr * g for w, g in zip(weights[:layer], old, strict=False)]
    return _cosine(old[layer], gradients([*moved, *weights[layer:]], t)[layer])


def shift_of_everything(gradients, weights, layer, lr, t):
    old = gradients(weights, t)
    moved = [w - lr * g for w, g in zip(weights[:layer], old, strict=False)]
    new = gradients(moved + weights[layer:], t)
    return _cosine(*[np.hstack([g.flatten() for g in gs]) for gs in (old, new)])


def shift_inner_product(gradients, weights, layer, lr, t):
    old = gradients(weights, t)
    moved = [w - lr * g for w, g in zip(weights[:layer], old, strict=False)]
    return (old[layer] * gradients(moved + weights[layer:], t)[layer]).sum()


# --- 6.2 effective_smoothness


def right_smoothness_loop(gradient, theta, steps, seed):
    g = gradient(theta, np.random.default_rng(seed))
    best = 0.0
    for a in steps:
        there = theta - a * g
        change = gradient(there, np.random.default_rng(seed)) - g
        best = max(best, (change @ change) ** 0.5 / np.linalg.norm(there - theta))
    return best


def right_smoothness_deepcopy(gradient, theta, steps, seed):
    rng = np.random.default_rng(seed)
    g = gradient(theta, deepcopy(rng))
    points = [theta - a * g for a in steps]
    changes = [np.linalg.norm(gradient(p, deepcopy(rng)) - g) for p in points]
    return np.max(np.divide(changes, steps)) / np.sqrt(np.sum(g**2))


def smoothness_one_generator(gradient, theta, steps, seed):
    rng = np.random.default_rng(seed)
    g = gradient(theta, rng)
    return max(
        np.linalg.norm(gradient(theta - a * g, rng) - g) / np.linalg.norm(a * g)
        for a in steps
    )


def smoothness_generator_before_loop(gradient, theta, steps, seed):
    g = gradient(theta, np.random.default_rng(seed))
    rng, found = np.random.default_rng(seed), []
    for a in steps:
        found.append(np.linalg.norm(gradient(theta - a * g, rng) - g) / a)
    return max(found) / np.linalg.norm(g)


def smoothness_generator_in_loop(gradient, theta, steps, seed):
    found = []
    for a in steps:
        rng = np.random.default_rng(seed)
        g = gradient(theta, rng)
        change = gradient(theta - a * g, rng) - g
        found.append(np.linalg.norm(change) / np.linalg.norm(a * g))
    return max(found)


def smoothness_nearby(gradient, theta, steps, seed):
    return right_smoothness_loop(gradient, theta, np.sort(steps)[:1], seed)


def _changes(gradient, theta, steps, seed, sign=-1):
    g = gradient(theta, np.random.default_rng(seed))
    there = [gradient(theta + sign * a * g, np.random.default_rng(seed)) for a in steps]
    return g, np.array([np.linalg.norm(b - g) for b in there])


def smoothness_change_only(gradient, theta, steps, seed):
    return _changes(gradient, theta, steps, seed)[1].max()


def smoothness_per_rate(gradient, theta, steps, seed):
    return np.max(_changes(gradient, theta, steps, seed)[1] / steps)


def smoothness_relative(gradient, theta, steps, seed):
    g, changes = _changes(gradient, theta, steps, seed)
    return np.max(changes) / np.linalg.norm(g)


def smoothness_square(gradient, theta, steps, seed):
    g, changes = _changes(gradient, theta, steps, seed)
    return np.max(changes / (steps * np.sum(g * g)))


def smoothness_unit_step(gradient, theta, steps, seed):
    g = gradient(theta, np.random.default_rng(seed))
    u = g / np.linalg.norm(g)
    there = [gradient(theta - a * u, np.random.default_rng(seed)) for a in steps]
    return max(np.linalg.norm(b - g) / a for a, b in zip(steps, there, strict=True))


def smoothness_of_norms(gradient, theta, steps, seed):
    g = gradient(theta, np.random.default_rng(seed))
    there = [gradient(theta - a * g, np.random.default_rng(seed)) for a in steps]
    change = [abs(np.sqrt(b @ b) - np.sqrt(g @ g)) for b in there]
    return np.max(np.divide(change, steps)) / np.linalg.norm(g)


def smoothness_uphill(gradient, theta, steps, seed):
    g, changes = _changes(gradient, theta, steps, seed, sign=1)
    return np.max(changes / steps) / np.linalg.norm(g)


def smoothness_mean(gradient, theta, steps, seed):
    g, changes = _changes(gradient, theta, steps, seed)
    return np.mean(changes / (steps * np.linalg.norm(g)))


def smoothness_min(gradient, theta, steps, seed):
    g, changes = _changes(gradient, theta, steps, seed)
    return sorted(changes / (steps * np.linalg.norm(g)))[0]


# --- 6.3 filter_normalize


def right_filters_by_reshape(directions, weights):
    result = []
    for d, w in zip(directions, weights, strict=True):
        if d.ndim == 1:
            result.append(np.zeros_like(d))
            continue
        rows, want = d.reshape(len(d), -1), w.reshape(len(w), -1)
        factor = np.linalg.norm(want, axis=1) / np.linalg.norm(rows, axis=1)
        result.append((factor[:, None] * rows).reshape(d.shape))
    return result


def right_filters_one_by_one(directions, weights):
    def scaled(d, w):
        return d / np.linalg.norm(d.ravel()) * np.linalg.norm(w.ravel())

    return tuple(
        np.stack([scaled(*pair) for pair in zip(d, w, strict=True)])
        if w.ndim >= 2
        else d * 0.0
        for d, w in zip(directions, weights, strict=True)
    )


def _filters_with(rule):
    def answer(directions, weights):
        return [
            rule(d, w) if d.ndim > 1 else np.zeros(d.shape)
            for d, w in zip(directions, weights, strict=True)
        ]

    return answer


def _layer_rule(d, w):
    return d * np.linalg.norm(w.ravel()) / np.linalg.norm(d.ravel())


def _root(x, axis):
    return np.sqrt((x**2).sum(axis=axis, keepdims=True))


def _rest(x):
    return tuple(range(1, x.ndim))


def _input_rule(d, w):
    axes = tuple(k for k in range(d.ndim) if k != 1)
    return d * _root(w, axes) / _root(d, axes)


def _kernel_rule(d, w):
    axes = (2, 3) if d.ndim == 4 else 1
    return d * _root(w, axes) / _root(d, axes)


def filters_global(directions, weights):
    def flat(arrays):
        return np.concatenate([a.ravel() for a in arrays if a.ndim > 1])

    factor = np.linalg.norm(flat(weights)) / np.linalg.norm(flat(directions))
    return [d * factor if d.ndim > 1 else d * 0 for d in directions]


def filters_vectors_scaled(directions, weights):
    return [
        d * _root(w, _rest(w) or None) / _root(d, _rest(d) or None)
        for d, w in zip(directions, weights, strict=True)
    ]


def filters_vectors_kept(directions, weights):
    found = right_filters_by_reshape(directions, weights)
    return [d if d.ndim == 1 else f for d, f in zip(directions, found, strict=True)]


def filters_vectors_by_entry(directions, weights):
    return [
        d * _root(w, _rest(w)) / _root(d, _rest(d))
        for d, w in zip(directions, weights, strict=True)
    ]


def filters_whole_arrays(directions, weights):
    pairs = zip(directions, weights, strict=True)
    return [d * ((w**2).sum() / (d**2).sum()) ** 0.5 for d, w in pairs]


RIGHT = {
    "gradient_shift": [right_shift_by_copies, right_shift_by_slices],
    "effective_smoothness": [right_smoothness_loop, right_smoothness_deepcopy],
    "filter_normalize": [right_filters_by_reshape, right_filters_one_by_one],
}

MUTANTS = {
    "gradient_shift": {
        "another batch for the second gradient": [shift_next_batch],
        "two batches, no update": [shift_nothing_moves],
        "all layers updated": [shift_whole_step],
        "the layer's own update included": [shift_off_by_one],
        "the upper layers updated": [shift_counts_from_the_top],
        "one layer below updated": [shift_neighbor],
        "the neighbor below held still": [shift_too_few],
        "one layer after the other": [shift_fresh_gradients],
        "the angle instead of its cosine": [shift_in_radians],
        "a step uphill": [shift_plus],
        "gradients of the whole network compared": [shift_of_everything],
        "lengths not divided out": [shift_inner_product],
    },
    "effective_smoothness": {
        "noise drawn anew at every point": [smoothness_one_generator],
        "one generator for all steps": [smoothness_generator_before_loop],
        "one generator for both points": [smoothness_generator_in_loop],
        "not divided by the distance": [smoothness_change_only],
        "divided by the rate alone": [smoothness_per_rate],
        "divided by the gradient's length alone": [smoothness_relative],
        "divided by the squared length": [smoothness_square],
        "a step along the unit gradient": [smoothness_unit_step],
        "only the change of the length": [smoothness_of_norms],
        "the way up": [smoothness_uphill],
        "the mean instead of the largest": [smoothness_mean],
        "the smallest instead of the largest": [smoothness_min],
        "the shortest step alone": [smoothness_nearby],
    },
    "filter_normalize": {
        "every array rescaled as a whole": [filters_whole_arrays],
        "one length for each layer": [_filters_with(_layer_rule)],
        "one length for the whole network": [filters_global],
        "length 1 instead of the filter's length": [
            _filters_with(lambda d, w: d / _root(d, _rest(d)))
        ],
        "vectors rescaled as a whole": [filters_vectors_scaled],
        "vectors rescaled entry by entry": [filters_vectors_by_entry],
        "vectors left as they were drawn": [filters_vectors_kept],
        "along the inputs": [_filters_with(_input_rule)],
        "one length for each 3x3 kernel": [_filters_with(_kernel_rule)],
        "not divided by the length of d": [
            _filters_with(lambda d, w: d * _root(w, _rest(w)))
        ],
        "the fraction upside down": [
            _filters_with(lambda d, w: d * _root(d, _rest(d)) / _root(w, _rest(w)))
        ],
    },
}
