"""Ten plausible wrong answers to each of 15 exercises: the list that was mended with.

Written from the task texts and starters alone, before the exercise files were read.
"""

import numpy as np

EPS = 1e-5

FORWARD = {
    "no beta": lambda x, gamma, beta, eps: (
        gamma * (x - x.mean(0)) / np.sqrt(x.var(0) + eps)
    ),
    "no gamma": lambda x, gamma, beta, eps: (
        (x - x.mean(0)) / np.sqrt(x.var(0) + eps) + beta
    ),
    "eps beside the std": lambda x, gamma, beta, eps: (
        gamma * (x - x.mean(0)) / (x.std(0) + eps) + beta
    ),
    "no eps": lambda x, gamma, beta, eps: gamma * (x - x.mean(0)) / x.std(0) + beta,
    "eps written as a number": lambda x, gamma, beta, eps: (
        gamma * (x - x.mean(0)) / np.sqrt(x.var(0) + EPS) + beta
    ),
    "divided by the variance": lambda x, gamma, beta, eps: (
        gamma * (x - x.mean(0)) / (x.var(0) + eps) + beta
    ),
    "statistics of each row": lambda x, gamma, beta, eps: (
        gamma * (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + eps)
        + beta
    ),
    "N - 1 and eps beside the std": lambda x, gamma, beta, eps: (
        gamma * (x - x.mean(0)) / (x.std(0, ddof=1) + eps) + beta
    ),
    "beta inside the bracket": lambda x, gamma, beta, eps: (
        gamma * ((x - x.mean(0)) / np.sqrt(x.var(0) + eps) + beta)
    ),
    "only the mean divided": lambda x, gamma, beta, eps: (
        gamma * (x - x.mean(0) / np.sqrt(x.var(0) + eps)) + beta
    ),
}


def _images(x, gamma, beta, eps, axes=(0, 2, 3), ddof=0, beside=False):
    mean = x.mean(axes, keepdims=True)
    if beside:
        scale = x.std(axes, keepdims=True, ddof=ddof) + eps
    else:
        scale = np.sqrt(x.var(axes, keepdims=True, ddof=ddof) + eps)
    c = (1, -1, 1, 1)
    return gamma.reshape(c) * (x - mean) / scale + beta.reshape(c)


def _images_rowwise(x, gamma, beta, eps):
    mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3))
    return gamma * (x - mean) / np.sqrt(var + eps) + beta


def _images_only_gamma_broadcast_wrong(x, gamma, beta, eps):
    axes = (0, 2, 3)
    z = x - x.mean(axes, keepdims=True)
    return gamma * z / np.sqrt(x.var(axes, keepdims=True) + eps) + beta


def _images_not_transposed_back(x, gamma, beta, eps):
    n, c, h, w = x.shape
    flat = x.transpose(0, 2, 3, 1).reshape(-1, c)
    y = gamma * (flat - flat.mean(0)) / np.sqrt(flat.var(0) + eps) + beta
    return y.reshape(n, h, w, c)


def _images_reshaped(x, gamma, beta, eps):
    flat = x.reshape(-1, x.shape[1])
    y = gamma * (flat - flat.mean(0)) / np.sqrt(flat.var(0) + eps) + beta
    return y.reshape(x.shape)


def _images_mean_of_variances(x, gamma, beta, eps):
    axes, c = (0, 2, 3), (1, -1, 1, 1)
    var = x.var((2, 3), keepdims=True).mean(0, keepdims=True)
    z = (x - x.mean(axes, keepdims=True)) / np.sqrt(var + eps)
    return gamma.reshape(c) * z + beta.reshape(c)


IMAGES = {
    "statistics over the batch only": lambda *a: _images(*a, axes=(0,)),
    "statistics per image": lambda *a: _images(*a, axes=(2, 3)),
    "last axis taken for the channels": lambda *a: _images(*a, axes=(0, 1, 2)),
    "all but the batch": lambda *a: _images(*a, axes=(1, 2, 3)),
    "eps beside the std": lambda *a: _images(*a, beside=True),
    "nothing reshaped": _images_rowwise,
    "gamma and beta not reshaped": _images_only_gamma_broadcast_wrong,
    "not transposed back": _images_not_transposed_back,
    "reshaped without transposing": _images_reshaped,
    "mean of the images' variances": _images_mean_of_variances,
}

CENTER = {
    "passed on": lambda d_centered: d_centered,
    "mean of each row": lambda d_centered: (
        d_centered - d_centered.mean(1, keepdims=True)
    ),
    "sum subtracted": lambda d_centered: d_centered - d_centered.sum(0),
    "mean added": lambda d_centered: d_centered + d_centered.mean(0),
    "one mean of all": lambda d_centered: d_centered - d_centered.mean(),
    "only the mean path": lambda d_centered: (
        -np.ones_like(d_centered) * d_centered.mean(0)
    ),
    "own share only": lambda d_centered: d_centered * (1 - 1 / len(d_centered)),
    "N - 1": lambda d_centered: d_centered - d_centered.sum(0) / (len(d_centered) - 1),
    "divided by N": lambda d_centered: (
        d_centered / len(d_centered) - d_centered.mean(0)
    ),
    "standardized as well": lambda d_centered: (
        (d_centered - d_centered.mean(0)) / d_centered.std(0)
    ),
}


def _backward(d_y, x_hat, inv_std, gamma, mean=1.0, var=1.0, scale=None, ddof=0):
    n = len(d_y)
    scale = gamma * inv_std if scale is None else scale
    inner = d_y - mean * d_y.mean(0)
    d_x = scale * (inner - var * x_hat * (d_y * x_hat).sum(0) / (n - ddof))
    return d_x, (d_y * x_hat).sum(0), d_y.sum(0)


def _swapped(d_y, x_hat, inv_std, gamma):
    d_x, d_gamma, d_beta = _backward(d_y, x_hat, inv_std, gamma)
    return d_x, d_beta, d_gamma


def _means_for_parameters(d_y, x_hat, inv_std, gamma):
    d_x, _, _ = _backward(d_y, x_hat, inv_std, gamma)
    return d_x, (d_y * x_hat).mean(0), d_y.mean(0)


def _sums_in_d_x(d_y, x_hat, inv_std, gamma):
    d_gamma, d_beta = (d_y * x_hat).sum(0), d_y.sum(0)
    return gamma * inv_std * (d_y - d_beta - x_hat * d_gamma), d_gamma, d_beta


def _d_x_hat_unscaled(d_y, x_hat, inv_std, gamma):
    d_x_hat, n = d_y * gamma, len(d_y)
    total, product = d_x_hat.sum(0), (d_x_hat * x_hat).sum(0)
    d_x = inv_std / n * (d_x_hat - total - x_hat * product)
    return d_x, (d_y * x_hat).sum(0), d_y.sum(0)


def _product_of_means(d_y, x_hat, inv_std, gamma):
    inner = d_y - d_y.mean(0) - x_hat * d_y.mean(0) * x_hat.mean(0)
    return gamma * inv_std * inner, (d_y * x_hat).sum(0), d_y.sum(0)


BACKWARD = {
    "sign of the variance term": lambda *a: _backward(*a, var=-1.0),
    "no variance term": lambda *a: _backward(*a, var=0.0),
    "no mean term": lambda *a: _backward(*a, mean=0.0),
    "statistics as constants": lambda *a: _backward(*a, mean=0.0, var=0.0),
    "gamma forgotten": lambda d, x, i, g: _backward(d, x, i, g, scale=i),
    "d_gamma and d_beta swapped": _swapped,
    "means for the parameters": _means_for_parameters,
    "sums in d_x": _sums_in_d_x,
    "1/N before the whole bracket": _d_x_hat_unscaled,
    "product of means": _product_of_means,
}


def _update(mean, var, x, momentum, ddof=1, keep=None, take=None, second=None):
    keep = 1 - momentum if keep is None else keep
    take = momentum if take is None else take
    new = x.var(0, ddof=ddof) if second is None else second
    return keep * mean + take * x.mean(0), keep * var + take * new


def _turned(mean, var, x, momentum, ddof=1):
    return _update(mean, var, x, momentum, ddof=ddof, keep=momentum, take=1 - momentum)


UPDATE = {
    "biased variance": lambda *a: _update(*a, ddof=0),
    "momentum the other way": _turned,
    "both": lambda *a: _turned(*a, ddof=0),
    "std stored": lambda m, v, x, a: _update(m, v, x, a, second=x.std(0, ddof=1)),
    "old not reduced": lambda m, v, x, a: _update(m, v, x, a, keep=1.0),
    "rows": lambda m, v, x, a: (
        (1 - a) * m + a * x.mean(1),
        (1 - a) * v + a * x.var(1, ddof=1),
    ),
    "batch copied": lambda m, v, x, a: (x.mean(0), x.var(0, ddof=1)),
    "order exchanged": lambda m, v, x, a: _update(m, v, x, a)[::-1],
    "variance around the new running mean": lambda m, v, x, a: _update(
        m,
        v,
        x,
        a,
        second=((x - _update(m, v, x, a)[0]) ** 2).sum(0) / (len(x) - 1),
    ),
    "variance not averaged": lambda m, v, x, a: (
        (1 - a) * m + a * x.mean(0),
        x.var(0, ddof=1),
    ),
}


def _step(
    x, mean, var, training, m=0.1, eps=EPS, ddof=1, ddof_y=0, flip=False, use="batch"
):
    if training != flip:
        batch = x.mean(0), x.var(0, ddof=ddof_y)
        new = (1 - m) * mean + m * batch[0], (1 - m) * var + m * x.var(0, ddof=ddof)
        by = new if use == "running" else batch
        return (x - by[0]) / np.sqrt(by[1] + eps), *new
    return (x - mean) / np.sqrt(var + eps), mean, var


def _always_updates(x, mean, var, training):
    _, new_mean, new_var = _step(x, mean, var, True)
    return _step(x, mean, var, training)[0], new_mean, new_var


def _batch_in_eval(x, mean, var, training):
    y = _step(x, mean, var, True)[0]
    return (y, *_step(x, mean, var, training)[1:])


def _eps_beside(x, mean, var, training):
    m, v = (x.mean(0), x.var(0)) if training else (mean, var)
    return ((x - m) / (np.sqrt(v) + EPS), *_step(x, mean, var, training)[1:])


STEP = {
    "momentum the other way": lambda *a: _step(*a, m=0.9),
    "biased stored": lambda *a: _step(*a, ddof=0),
    "unbiased normalizes": lambda *a: _step(*a, ddof_y=1),
    "switch inverted": lambda *a: _step(*a, flip=True),
    "running used in training": lambda *a: _step(*a, use="running"),
    "updates in eval": _always_updates,
    "batch statistics in eval": _batch_in_eval,
    "eps beside the std": _eps_beside,
    "no eps": lambda *a: _step(*a, eps=0.0),
    "momentum the other way and biased": lambda *a: _step(*a, m=0.9, ddof=0),
}


def _rows(a):
    return np.linalg.norm(a, axis=1)


def _by_cosine(weight, grad, lr, power):
    after = weight - lr * grad * power
    cos = (weight * after).sum(1) / (_rows(weight) * _rows(after))
    return np.arccos(cos)


def _ratio(weight, grad):
    return _rows(grad) / _rows(weight)


TURN = {
    "gradient not rescaled": lambda weight, grad, lr, scale: np.arctan(
        lr * _ratio(weight, grad) / scale
    ),
    "scale forgotten": lambda weight, grad, lr, scale: np.arctan(
        lr * _ratio(weight, grad)
    ),
    "gradient grows with the weights": lambda weight, grad, lr, scale: np.arctan(
        lr * scale * _ratio(weight, grad)
    ),
    "angle not bent": lambda weight, grad, lr, scale: (
        lr * _ratio(weight, grad) / scale**2
    ),
    "degrees": lambda weight, grad, lr, scale: np.degrees(
        np.arctan(lr * _ratio(weight, grad) / scale**2)
    ),
    "arcsin": lambda weight, grad, lr, scale: np.arcsin(
        np.minimum(1, lr * _ratio(weight, grad) / scale**2)
    ),
    "one angle of the whole matrix": lambda weight, grad, lr, scale: np.arctan(
        lr * np.linalg.norm(grad) / np.linalg.norm(weight) / scale**2
    ),
    "columns": lambda weight, grad, lr, scale: np.arctan(
        lr * np.linalg.norm(grad, axis=0) / np.linalg.norm(weight, axis=0) / scale**2
    ),
    "cosine returned": lambda weight, grad, lr, scale: np.cos(
        np.arctan(lr * _ratio(weight, grad) / scale**2)
    ),
    "gradient times scale, by cosine": lambda weight, grad, lr, scale: _by_cosine(
        scale * weight, grad, lr, scale
    ),
}


def _norms(a):
    rest = tuple(range(1, a.ndim))
    return np.sqrt((a**2).sum(rest, keepdims=True)) if rest else np.abs(a)


def _filters(directions, weights, scale):
    return [scale(d, w) for d, w in zip(directions, weights, strict=True)]


FILTERS = {
    "whole layers": lambda ds, ws: _filters(
        ds, ws, lambda d, w: d / np.linalg.norm(d) * np.linalg.norm(w)
    ),
    "the input axis": lambda ds, ws: _filters(
        ds,
        ws,
        lambda d, w: (
            d
            * np.linalg.norm(w, axis=0, keepdims=True)
            / np.linalg.norm(d, axis=0, keepdims=True)
        ),
    ),
    "only scaled to one": lambda ds, ws: _filters(ds, ws, lambda d, w: d / _norms(d)),
    "not divided": lambda ds, ws: _filters(ds, ws, lambda d, w: d * _norms(w)),
    "upside down": lambda ds, ws: _filters(
        ds, ws, lambda d, w: d * _norms(d) / _norms(w)
    ),
    "vectors rescaled as one": lambda ds, ws: _filters(
        ds,
        ws,
        lambda d, w: (
            d * _norms(w) / _norms(d)
            if d.ndim > 1
            else d * np.linalg.norm(w) / np.linalg.norm(d)
        ),
    ),
    "vectors set to zero": lambda ds, ws: _filters(
        ds, ws, lambda d, w: d * _norms(w) / _norms(d) if d.ndim > 1 else 0 * d
    ),
    "kernels one by one": lambda ds, ws: _filters(
        ds,
        ws,
        lambda d, w: (
            d
            * np.sqrt((w**2).sum((2, 3), keepdims=True))
            / np.sqrt((d**2).sum((2, 3), keepdims=True))
            if d.ndim == 4
            else d * _norms(w) / _norms(d)
        ),
    ),
    "squared norms": lambda ds, ws: _filters(
        ds, ws, lambda d, w: d * _norms(w) ** 2 / _norms(d) ** 2
    ),
    "weights added": lambda ds, ws: _filters(
        ds, ws, lambda d, w: w + d * _norms(w) / _norms(d)
    ),
}


def _biases(layers, through=(), norms=("bn",), has=("linear", "conv")):
    found = []
    for i, layer in enumerate(layers):
        rest = [n for n in layers[i + 1 :] if n not in through]
        if layer in has and rest and rest[0] in norms:
            found.append(i)
    return found


BIASES = {
    "layer norm counts as well": lambda layers: _biases(layers, norms=("bn", "ln")),
    "through relu": lambda layers: _biases(layers, through=("relu",)),
    "anywhere before a norm": lambda layers: [
        i
        for i, n in enumerate(layers)
        if n in ("linear", "conv") and "bn" in layers[i + 1 :]
    ],
    "only direct neighbors, linear only": lambda layers: _biases(
        layers, has=("linear",)
    ),
    "only the direct neighbor": _biases,
    "counted from 1": lambda layers: [
        i + 1 for i in _biases(layers, through=("maxpool",))
    ],
    "behind the norm": lambda layers: [
        i
        for i, n in enumerate(layers)
        if n in ("linear", "conv") and i and layers[i - 1] == "bn"
    ],
    "positions of the norms": lambda layers: [
        i for i, n in enumerate(layers) if n == "bn"
    ],
    "all of them": lambda layers: [
        i for i, n in enumerate(layers) if n in ("linear", "conv")
    ],
    "the biases that stay": lambda layers: [
        i
        for i, n in enumerate(layers)
        if n in ("linear", "conv")
        and i not in _biases(layers, through=("maxpool", "linear"))
    ],
}


def _by_axes(x, kind, groups, gamma, beta, eps, axes=None, ddof=0, affine=True):
    n, c, h, w = x.shape
    chosen = {"batch": (0, 2, 3), "layer": (1, 2, 3), "instance": (2, 3)} | (axes or {})
    if kind == "group":
        z = x.reshape(n, groups, c // groups, h, w)
        group_axes = chosen.get("group", (2, 3, 4))
    else:
        z, group_axes = x, chosen[kind]
    mean = z.mean(group_axes, keepdims=True)
    var = z.var(group_axes, keepdims=True, ddof=ddof)
    z = ((z - mean) / np.sqrt(var + eps)).reshape(x.shape)
    s = (1, -1, 1, 1)
    return z * gamma.reshape(s) + beta.reshape(s) if affine else z


def _group_without_new_axis(x, kind, groups, gamma, beta, eps):
    if kind != "group":
        return _by_axes(x, kind, groups, gamma, beta, eps)
    n, c, h, w = x.shape
    z = x.reshape(n, c // groups, groups, h, w)
    z = (z - z.mean((1, 3, 4), keepdims=True)) / np.sqrt(
        z.var((1, 3, 4), keepdims=True) + eps
    )
    s = (1, -1, 1, 1)
    return z.reshape(x.shape) * gamma.reshape(s) + beta.reshape(s)


def _gamma_last(x, kind, groups, gamma, beta, eps):
    return _by_axes(x, kind, groups, gamma, beta, eps, affine=False) * gamma + beta


AXES = {
    "layer norm over the channels only": lambda *a: _by_axes(*a, axes={"layer": (1,)}),
    "instance over the batch": lambda *a: _by_axes(*a, axes={"instance": (0,)}),
    "batch over examples only": lambda *a: _by_axes(*a, axes={"batch": (0,)}),
    "layer and instance exchanged": lambda *a: _by_axes(
        *a, axes={"layer": (2, 3), "instance": (1, 2, 3)}
    ),
    "channels of a group interleaved": _group_without_new_axis,
    "group over the batch as well": lambda *a: _by_axes(
        *a, axes={"group": (0, 2, 3, 4)}
    ),
    "group over channels only": lambda *a: _by_axes(*a, axes={"group": (2,)}),
    "gamma on the last axis": _gamma_last,
    "affine left out": lambda *a: _by_axes(*a, affine=False),
    "variance by N - 1": lambda *a: _by_axes(*a, ddof=1),
}


def _ghosts(x, size, eps, ddof_y=0, ddof=1, spread="var"):
    z = x.reshape(-1, size, x.shape[1])
    mean, var = z.mean(1, keepdims=True), z.var(1, keepdims=True, ddof=ddof_y)
    y = ((z - mean) / np.sqrt(var + eps)).reshape(x.shape)
    new = z.var(1, ddof=ddof) if spread == "var" else z.std(1, ddof=ddof)
    return y, mean.mean((0, 1)), new.mean(0)


def _ghosts_interleaved(x, size, eps):
    n, c = x.shape
    z = x.reshape(size, n // size, c)
    mean, var = z.mean(0, keepdims=True), z.var(0, keepdims=True)
    y = ((z - mean) / np.sqrt(var + eps)).reshape(x.shape)
    return y, mean.mean((0, 1)), z.var(0, ddof=1).mean(0)


def _not_averaged(x, size, eps):
    z = x.reshape(-1, size, x.shape[1])
    return _ghosts(x, size, eps)[0], z.mean(1), z.var(1, ddof=1)


def _last_ghost(x, size, eps):
    return _ghosts(x, size, eps)[0], x[-size:].mean(0), x[-size:].var(0, ddof=1)


def _eps_beside_ghosts(x, size, eps):
    z = x.reshape(-1, size, x.shape[1])
    y = (z - z.mean(1, keepdims=True)) / (z.std(1, keepdims=True) + eps)
    return y.reshape(x.shape), x.mean(0), z.var(1, ddof=1).mean(0)


GHOSTS = {
    "unbiased normalizes": lambda *a: _ghosts(*a, ddof_y=1),
    "biased stored": lambda *a: _ghosts(*a, ddof=0),
    "the two exchanged": lambda *a: _ghosts(*a, ddof_y=1, ddof=0),
    "variance of the whole batch": lambda x, size, eps: (
        *_ghosts(x, size, eps)[:2],
        x.var(0, ddof=1),
    ),
    "whole batch normalizes": lambda x, size, eps: (
        (x - x.mean(0)) / np.sqrt(x.var(0) + eps),
        *_ghosts(x, size, eps)[1:],
    ),
    "ghosts interleaved": _ghosts_interleaved,
    "one pair per ghost": _not_averaged,
    "last ghost stored": _last_ghost,
    "eps beside the std": _eps_beside_ghosts,
    "not shaped back": lambda x, size, eps: (
        _ghosts(x, size, eps)[0].reshape(-1, size, x.shape[1]),
        *_ghosts(x, size, eps)[1:],
    ),
}


def _merged(counts, means, m2s, between=1.0, ddof=0):
    n = counts.sum()
    mean = (counts[:, None] * means).sum(0) / n
    apart = (counts[:, None] * (means - mean) ** 2).sum(0)
    return mean, (m2s.sum(0) + between * apart) / (n - ddof)


PARTS = {
    "no between term": lambda c, m, s: _merged(c, m, s, between=0.0),
    "unweighted mean": lambda c, m, s: (m.mean(0), _merged(c, m, s)[1]),
    "everything unweighted": lambda c, m, s: (
        m.mean(0),
        s.sum(0) / c.sum() + ((m - m.mean(0)) ** 2).mean(0),
    ),
    "N - 1": lambda c, m, s: _merged(c, m, s, ddof=1),
    "sum of squares returned": lambda c, m, s: (
        _merged(c, m, s)[0],
        _merged(c, m, s)[1] * c.sum(),
    ),
    "m2 taken for a variance": lambda c, m, s: (
        _merged(c, m, s)[0],
        (c[:, None] * s).sum(0) / c.sum()
        + (c[:, None] * (m - _merged(c, m, s)[0]) ** 2).sum(0) / c.sum(),
    ),
    "mean of the variances": lambda c, m, s: (
        _merged(c, m, s)[0],
        (s / np.maximum(c, 1)[:, None]).mean(0),
    ),
    "between term without counts": lambda c, m, s: (
        _merged(c, m, s)[0],
        (s.sum(0) + ((m - _merged(c, m, s)[0]) ** 2).sum(0)) / c.sum(),
    ),
    "divided by an empty part": lambda c, m, s: (
        _merged(c, m, s)[0],
        (c[:, None] * (s / c[:, None] + (m - _merged(c, m, s)[0]) ** 2)).sum(0)
        / c.sum(),
    ),
    "mean of squares minus squared mean": lambda c, m, s: (
        _merged(c, m, s)[0],
        (s + c[:, None] * m**2).sum(0) / c.sum() - _merged(c, m, s)[0] ** 2,
    ),
}


def _sum_of_weights(weight):
    return weight.sum((1, 2, 3))


SHIFTED = {
    "gain not squared": lambda weight, mean, var, gain, offset: (
        gain * mean + offset * _sum_of_weights(weight),
        gain * var,
    ),
    "weights forgotten": lambda weight, mean, var, gain, offset: (
        gain * mean + offset,
        gain**2 * var,
    ),
    "offset times gain": lambda weight, mean, var, gain, offset: (
        gain * (mean + offset * _sum_of_weights(weight)),
        gain**2 * var,
    ),
    "mean of the weights": lambda weight, mean, var, gain, offset: (
        gain * mean + offset * weight.mean((1, 2, 3)),
        gain**2 * var,
    ),
    "summed over the outputs": lambda weight, mean, var, gain, offset: (
        gain * mean + offset * weight.sum((0, 2, 3)),
        gain**2 * var,
    ),
    "offset in the variance": lambda weight, mean, var, gain, offset: (
        gain * mean + offset * _sum_of_weights(weight),
        gain**2 * var + offset**2 * (weight**2).sum((1, 2, 3)),
    ),
    "variance left": lambda weight, mean, var, gain, offset: (
        gain * mean + offset * _sum_of_weights(weight),
        var,
    ),
    "mean not scaled": lambda weight, mean, var, gain, offset: (
        mean + offset * _sum_of_weights(weight),
        gain**2 * var,
    ),
    "kernel summed, not the channels": lambda weight, mean, var, gain, offset: (
        gain * mean + offset * weight.sum((2, 3))[:, 0],
        gain**2 * var,
    ),
    "inverse": lambda weight, mean, var, gain, offset: (
        (mean - offset * _sum_of_weights(weight)) / gain,
        var / gain**2,
    ),
}


def _batch_norms(net, kinds=("BatchNorm1d", "BatchNorm2d")):
    return [m for m in net.modules() if type(m).__name__ in kinds]


def _by_identity(net, layers, names=("weight", "bias")):
    wanted = {id(p) for m in layers for n, p in m.named_parameters() if n in names}
    return {name: id(p) in wanted for name, p in net.named_parameters()}


_ALL_NORMS = ("BatchNorm1d", "BatchNorm2d", "LayerNorm", "GroupNorm")

TRAINABLE = {
    "name contains bn": lambda net: {
        n: "bn" in n or "norm" in n for n, _ in net.named_parameters()
    },
    "one-dimensional": lambda net: {n: p.ndim == 1 for n, p in net.named_parameters()},
    "only two dimensions": lambda net: _by_identity(
        net, _batch_norms(net, ("BatchNorm2d",))
    ),
    "every norm": lambda net: _by_identity(net, _batch_norms(net, _ALL_NORMS)),
    "only the children": lambda net: _by_identity(
        net, [m for m in net.children() if type(m).__name__.startswith("BatchNorm")]
    ),
    "only gamma": lambda net: _by_identity(net, _batch_norms(net), ("weight",)),
    "only the names that are True": lambda net: {
        n: v for n, v in _by_identity(net, _batch_norms(net)).items() if v
    },
    "inverted": lambda net: {
        n: not v for n, v in _by_identity(net, _batch_norms(net)).items()
    },
    "requires_grad asked": lambda net: {
        n: p.requires_grad for n, p in net.named_parameters()
    },
    "type of the parameter asked": lambda net: {
        n: type(p).__name__.startswith("BatchNorm") for n, p in net.named_parameters()
    },
}


def _kept(gammas, count, floor, size=np.abs):
    protected = [np.argsort(-size(g), kind="stable")[:floor] for g in gammas]
    free = [
        (size(g)[i], layer, i)
        for layer, g in enumerate(gammas)
        for i in range(len(g))
        if i not in protected[layer]
    ]
    masks = [np.ones(len(g), dtype=bool) for g in gammas]
    for _, layer, i in sorted(free)[:count]:
        masks[layer][i] = False
    return masks


def _by_threshold(gammas, count, floor, offset=0, strict=True):
    everything = np.sort(np.concatenate([np.abs(g) for g in gammas]))
    cut = everything[count + offset]
    masks = [np.abs(g) > cut if strict else np.abs(g) >= cut for g in gammas]
    for g, mask in zip(gammas, masks, strict=True):
        mask[np.argsort(-np.abs(g), kind="stable")[:floor]] = True
    return masks


def _per_layer(gammas, count, floor):
    total = sum(map(len, gammas))
    masks = []
    for g in gammas:
        mask = np.ones(len(g), dtype=bool)
        gone = min(round(count * len(g) / total), len(g) - floor)
        mask[np.argsort(np.abs(g), kind="stable")[:gone]] = False
        masks.append(mask)
    return masks


def _lifted_afterwards(gammas, count, floor):
    return _by_threshold(gammas, count, floor, strict=False)


KEPT = {
    "sign kept": lambda *a: _kept(*a, size=lambda g: g),
    "floor ignored": lambda gammas, count, floor: _kept(gammas, count, 0),
    "threshold removes one too many": _by_threshold,
    "protected ones added back": _lifted_afterwards,
    "a share of each layer": _per_layer,
    "masks inverted": lambda *a: [~mask for mask in _kept(*a)],
    "largest removed": lambda *a: _kept(*a, size=lambda g: -np.abs(g)),
    "count stays": lambda gammas, count, floor: _kept(
        gammas, sum(map(len, gammas)) - count, floor
    ),
    "squared and floor ignored and inverted": lambda gammas, count, floor: [
        ~mask for mask in _kept(gammas, count, 0, size=np.square)
    ],
    "one mask for all": lambda *a: np.concatenate(_kept(*a)),
}

ANSWERS = {
    "forward": FORWARD,
    "batch_norm_images": IMAGES,
    "center_backward": CENTER,
    "batch_norm_backward": BACKWARD,
    "update_running": UPDATE,
    "batch_norm_step": STEP,
    "turning_angle": TURN,
    "filter_normalize": FILTERS,
    "useless_biases": BIASES,
    "norm_by_axes": AXES,
    "ghost_step": GHOSTS,
    "merge_parts": PARTS,
    "shifted_statistics": SHIFTED,
    "trainable": TRAINABLE,
    "kept_channels": KEPT,
}
