"""Hand-written answers to the exercises of chapter 7, right and wrong."""

import numpy as np

from bnlib import batch_norm

# --- 7.1 saturated_share


def right_with_limits(h, activation):
    if activation == "tanh":
        flat = abs(h) > np.sqrt(0.9)
    else:
        flat = abs(h - 0.5) > 0.5 * np.sqrt(0.9)
    return flat.sum() / flat.size


def right_by_derivative(h, activation):
    if activation == "sigmoid":
        z = np.log(h / (1 - h))
        slope, largest = np.exp(-z) / (1 + np.exp(-z)) ** 2, 0.25
    else:
        slope, largest = 1 / np.cosh(np.arctanh(h)) ** 2, 1.0
    return float(np.mean(slope / largest < 0.1))


def activates_again(h, activation):
    if activation == "tanh":
        slope, largest = 1 - np.tanh(h) ** 2, 1
    else:
        s = 1 / (1 + np.exp(-h))
        slope, largest = s * (1 - s), 0.25
    return np.mean(slope < largest / 10)


def forgets_abs(h, activation):
    if activation == "tanh":
        return np.mean(h > 0.9**0.5)
    return np.mean(h > 0.5 + 0.5 * 0.9**0.5)


def a_tenth(h, activation):
    slopes = {"tanh": 1 - h * h, "sigmoid": h - h * h}
    return (slopes[activation] < 0.1).mean()


def ignores_activation(h, activation):
    return (np.abs(h) > np.sqrt(0.9)).mean()


def compares_with_data(h, activation):
    slope = 1 - h**2 if activation == "tanh" else h * (1 - h)
    return (slope < slope.max() / 10).mean()


def dead_units(h, activation):
    slope = 1 - h**2 if activation == "tanh" else h * (1 - h) * 4
    return np.mean(slope.max(axis=0) < 0.1)


def touched_units(h, activation):
    slope = 1 - h**2 if activation == "tanh" else h * (1 - h) * 4
    return np.mean(slope.min(axis=0) < 0.1)


def working_share(h, activation):
    slope = 1 - h**2 if activation == "tanh" else h * (1 - h) * 4
    return np.mean(slope >= 0.1)


# --- 7.2 useless_biases


def right_with_while(layers):
    out = []
    for i in range(len(layers)):
        if layers[i] not in ("conv", "linear"):
            continue
        j = i + 1
        while j < len(layers) and layers[j] in ("maxpool", "linear"):
            j += 1
        if j < len(layers) and layers[j] == "bn":
            out.append(i)
    return out


def right_backwards(layers):
    found, open_norm = [], False
    for i in reversed(range(len(layers))):
        if layers[i] == "bn":
            open_norm = True
        elif layers[i] in ("linear", "conv"):
            if open_norm:
                found.insert(0, i)
            open_norm = open_norm and layers[i] == "linear"
        elif layers[i] != "maxpool":
            open_norm = False
    return np.array(found)


def all_of_them(layers):
    return [i for i, name in enumerate(layers) if name in ("linear", "conv")]


def keeps_the_last(layers):
    return [i for i, name in enumerate(layers) if name in ("linear", "conv")][:-1]


def counts_from_one(layers):
    return [i + 1 for i in right_with_while(layers)]


def behind_the_norm(layers):
    pairs = enumerate(zip(layers, layers[1:], strict=False))
    return [i + 1 for i, (a, b) in pairs if a == "bn" and b in ("linear", "conv")]


def norm_somewhere_before_the_next(layers):
    out = []
    for i, name in enumerate(layers):
        if name in ("linear", "conv"):
            for other in layers[i + 1 :]:
                if other in ("conv", "ln"):
                    break
                if other == "bn":
                    out.append(i)
                    break
    return out


def next_that_counts(layers, skipped):
    """(position, layer, next layer that is not skipped) of every linear and conv."""
    for i, layer in enumerate(layers):
        if layer in ("linear", "conv"):
            rest = [other for other in layers[i + 1 :] if other not in skipped]
            yield i, layer, (rest or ["end"])[0]


def any_norm(layers):
    found = next_that_counts(layers, {"maxpool", "linear"})
    return [i for i, _, other in found if other.endswith("n")]


def without_pooling(layers):
    return [i for i, _, other in next_that_counts(layers, {"linear"}) if other == "bn"]


def ends_at_a_linear(layers):
    return [i for i, _, other in next_that_counts(layers, {"maxpool"}) if other == "bn"]


def looks_through_a_conv(layers):
    found = next_that_counts(layers, {"maxpool", "linear", "conv"})
    return [i for i, _, other in found if other == "bn"]


def looks_through_layer_norm(layers):
    found = next_that_counts(layers, {"maxpool", "linear", "ln"})
    return [i for i, _, other in found if other == "bn"]


# --- 7.3 drop_bias


def right_with_copies(bias, gamma, beta, running_mean, running_var):
    new_mean = running_mean.copy()
    new_mean -= bias
    return beta.copy(), new_mean


def right_as_list(bias, gamma, beta, running_mean, running_var):
    return [beta, np.array([m - b for m, b in zip(running_mean, bias, strict=True)])]


def unchanged(bias, gamma, beta, running_mean, running_var):
    return beta, running_mean


def adds_it(bias, gamma, beta, running_mean, running_var):
    return beta, running_mean + bias


def folds_into_beta(bias, gamma, beta, running_mean, running_var):
    return beta + gamma * bias / np.sqrt(running_var + 1e-5), running_mean


def adds_to_beta(bias, gamma, beta, running_mean, running_var):
    return beta + bias, running_mean


def both(bias, gamma, beta, running_mean, running_var):
    std = np.sqrt(running_var + 1e-5)
    return beta + bias * gamma / std, running_mean - bias


# --- 7.4 residual_block


def relu(x):
    return np.where(x > 0, x, 0.0)


def norm(x):
    return batch_norm(x)[0]


def right_in_steps(x, w1, w2, order):
    h = x
    for w in (w1, w2):
        if order == "pre":
            h = relu(norm(h)) @ w
        else:
            h = norm(h @ w)
            h = relu(h) if w is w1 else h
    out = x + h
    return relu(out) if order == "post" else out


def right_by_hand(x, w1, w2, order):
    def n(v):
        return (v - v.mean(0)) / np.sqrt(v.var(0) + 1e-5)

    if order == "pre":
        return x + np.dot(n(np.dot(n(x).clip(0), w1)).clip(0), w2)
    return (x + n(n(x @ w1).clip(0) @ w2)).clip(min=0)


def relu_at_the_end_always(x, w1, w2, order):
    if order == "post":
        return relu(x + norm(relu(norm(x @ w1)) @ w2))
    return relu(x + relu(norm(relu(norm(x)) @ w1)) @ w2)


def never_relu_at_the_end(x, w1, w2, order):
    if order == "post":
        return x + norm(relu(norm(x @ w1)) @ w2)
    return x + relu(norm(relu(norm(x)) @ w1)) @ w2


def overwrites_x(x, w1, w2, order):
    if order == "post":
        return relu(x + norm(relu(norm(x @ w1)) @ w2))
    x = relu(norm(x))
    h = relu(norm(x @ w1)) @ w2
    return x + h


def adds_then_normalizes(x, w1, w2, order):
    if order == "post":
        return relu(norm(x + relu(norm(x @ w1)) @ w2))
    return x + relu(norm(relu(norm(x)) @ w1)) @ w2


def one_norm_only(x, w1, w2, order):
    if order == "post":
        h = relu(norm(x @ w1))
        return relu(x + h @ w2)
    return x + relu(norm(relu(norm(x)) @ w1)) @ w2


def relu_before_adding(x, w1, w2, order):
    if order == "post":
        return x + relu(norm(relu(norm(x @ w1)) @ w2))
    return x + relu(norm(relu(norm(x)) @ w1)) @ w2


def relu_then_norm(x, w1, w2, order):
    if order == "post":
        return relu(x + norm(relu(norm(x @ w1)) @ w2))
    h = norm(relu(x)) @ w1
    return x + norm(relu(h)) @ w2


def forgets_x(x, w1, w2, order):
    if order == "post":
        return relu(norm(relu(norm(x @ w1)) @ w2))
    return relu(norm(relu(norm(x)) @ w1)) @ w2


def knows_one_block(x, w1, w2, order):
    return relu(x + norm(relu(norm(x @ w1)) @ w2))


# --- 7.5 initial_gammas


def right_from_behind(branch):
    gammas, silent = [], True
    for layer in branch[::-1]:
        if layer == "relu":
            silent = False
        if layer == "bn":
            gammas.append(0.0 if silent else 1.0)
            silent = False
    return gammas[::-1]


def right_as_array(branch):
    gammas = np.ones(branch.count("bn"))
    last = max(i for i, layer in enumerate(branch) if layer == "bn")
    if all(layer != "relu" for layer in branch[last:]):
        gammas[-1] = 0
    return gammas


def last_always(branch):
    return [1.0] * (branch.count("bn") - 1) + [0.0]


def zero_at_the_end(branch):
    places = [i for i, layer in enumerate(branch) if layer == "bn"]
    return [0.0 if i == len(branch) - 1 else 1.0 for i in places]


def no_relu_next(branch):
    last = max(i for i, layer in enumerate(branch) if layer == "bn")
    gammas = [1.0] * branch.count("bn")
    if last + 1 == len(branch) or branch[last + 1] != "relu":
        gammas[-1] = 0.0
    return gammas


def all_zero(branch):
    return [0.0 for layer in branch if layer == "bn"]


def first_always(branch):
    return [0] + [1] * (branch.count("bn") - 1)


def default(branch):
    return np.ones(branch.count("bn"))


RIGHT = {
    "saturated_share": [right_with_limits, right_by_derivative],
    "residual_block": [right_in_steps, right_by_hand],
    "useless_biases": [right_with_while, right_backwards],
    "drop_bias": [right_with_copies, right_as_list],
    "initial_gammas": [right_from_behind, right_as_array],
}

MUTANTS = {
    "saturated_share": {
        "outputs taken for inputs": [activates_again],
        "only one of the two ends counted": [forgets_abs],
        "the sigmoid's steepest slope taken for 1": [a_tenth],
        "the slope of tanh for both": [ignores_activation],
        "a tenth of the steepest value in the batch": [compares_with_data],
        "units that are always saturated": [dead_units],
        "units that are ever saturated": [touched_units],
        "the rest counted": [working_share],
    },
    "residual_block": {
        "a ReLU after the addition of the pre-activation block": [
            relu_at_the_end_always
        ],
        "no activation after the sum": [never_relu_at_the_end],
        "the skip carries the activated input": [overwrites_x],
        "normalized after the addition": [adds_then_normalizes],
        "second norm of the post-activation block missing": [one_norm_only],
        "ReLU at the end of the branch": [relu_before_adding],
        "ReLU first, norm second": [relu_then_norm],
        "x is not added": [forgets_x],
        "one order for both": [knows_one_block],
    },
    "useless_biases": {
        "every bias of a net with BN": [all_of_them],
        "every bias but the last": [keeps_the_last],
        "counted from one": [counts_from_one],
        "the layer after the norm": [behind_the_norm],
        "the norm behind the activation": [norm_somewhere_before_the_next],
        "layer norm taken for batch norm": [any_norm],
        "pooling overlooked": [without_pooling],
        "linear layers taken for an end": [ends_at_a_linear],
        "convolutions looked through": [looks_through_a_conv],
        "layer norm looked through": [looks_through_layer_norm],
    },
    "drop_bias": {
        "nothing repaired": [unchanged],
        "wrong sign": [adds_it],
        "moved to beta": [folds_into_beta],
        "added to beta unscaled": [adds_to_beta],
        "repaired twice": [both],
    },
    "initial_gammas": {
        "zero in front of a ReLU": [last_always],
        "only the layer next to the norm looked at": [no_relu_next],
        "only a norm that is the last layer": [zero_at_the_end],
        "all gammas zero": [all_zero],
        "the first gamma instead of the last": [first_always],
        "all gammas one": [default],
    },
}
