"""Ten plausible wrong answers to each of 15 other exercises: the list that measures.

Written from the task texts and starters alone, before the exercise files were read, and
before any recognizer was mended.
"""

from itertools import pairwise

import numpy as np

EPS = 1e-5

OUTPUT_STD = {
    "eps ignored": lambda std, gamma, eps: np.abs(gamma),
    "sign of gamma kept": lambda std, gamma, eps: gamma * std / np.sqrt(std**2 + eps),
    "eps beside the std": lambda std, gamma, eps: np.abs(gamma) * std / (std + eps),
    "std taken for the variance": lambda std, gamma, eps: (
        np.abs(gamma) * std / np.sqrt(std + eps)
    ),
    "std above forgotten": lambda std, gamma, eps: (
        np.abs(gamma) / np.sqrt(std**2 + eps)
    ),
    "variance returned": lambda std, gamma, eps: gamma**2 * std**2 / (std**2 + eps),
    "gamma forgotten": lambda std, gamma, eps: std / np.sqrt(std**2 + eps),
    "gamma times std": lambda std, gamma, eps: np.abs(gamma) * std,
    "square root forgotten": lambda std, gamma, eps: (
        np.abs(gamma) * std / (std**2 + eps)
    ),
    "square root of gamma": lambda std, gamma, eps: (
        np.sqrt(np.abs(gamma)) * std / np.sqrt(std**2 + eps)
    ),
}

_SPATIAL = (0, 2, 3)

PARAMETERS = {
    "summed over the batch only": lambda d_y, x_hat: ((d_y * x_hat).sum(0), d_y.sum(0)),
    "means": lambda d_y, x_hat: ((d_y * x_hat).mean(_SPATIAL), d_y.mean(_SPATIAL)),
    "swapped": lambda d_y, x_hat: (d_y.sum(_SPATIAL), (d_y * x_hat).sum(_SPATIAL)),
    "x_hat forgotten": lambda d_y, x_hat: (d_y.sum(_SPATIAL), d_y.sum(_SPATIAL)),
    "product of sums": lambda d_y, x_hat: (
        d_y.sum(_SPATIAL) * x_hat.sum(_SPATIAL),
        d_y.sum(_SPATIAL),
    ),
    "d_beta of x_hat": lambda d_y, x_hat: (
        (d_y * x_hat).sum(_SPATIAL),
        x_hat.sum(_SPATIAL),
    ),
    "last axis kept": lambda d_y, x_hat: (
        (d_y * x_hat).sum((0, 1, 2)),
        d_y.sum((0, 1, 2)),
    ),
    "per image": lambda d_y, x_hat: ((d_y * x_hat).sum((2, 3)), d_y.sum((2, 3))),
    "mean over positions, sum over images": lambda d_y, x_hat: (
        (d_y * x_hat).mean((2, 3)).sum(0),
        d_y.mean((2, 3)).sum(0),
    ),
    "keepdims": lambda d_y, x_hat: (
        (d_y * x_hat).sum(_SPATIAL, keepdims=True),
        d_y.sum(_SPATIAL, keepdims=True),
    ),
}

KERAS = {
    "PyTorch's weight": lambda half_life: 1 - 0.5 ** (1 / half_life),
    "half to the half-life": lambda half_life: 0.5**half_life,
    "rule of thumb": lambda half_life: 1 - np.log(2) / half_life,
    "another rule of thumb": lambda half_life: 1 - 1 / half_life,
    "exponent upside down": lambda half_life: 2 ** (1 / half_life),
    "root of the half-life": lambda half_life: (1 / half_life) ** 0.5,
    "base e": lambda half_life: np.exp(-1 / half_life),
    "one batch too many": lambda half_life: 0.5 ** (1 / (half_life + 1)),
    "one batch too few": lambda half_life: 0.5 ** (1 / max(half_life - 1, 0.5)),
    "divided by two": lambda half_life: 1 - 0.5 / half_life,
}


def _fold(w, b, gamma, beta, mean, var, eps, power=0.5, scaled=True, sign=-1):
    scale = gamma / (var + eps) ** power
    return w * scale[:, None], (b * scale if scaled else b) + sign * mean * scale + beta


def _fold_eps_beside(weight, bias, gamma, beta, mean, var, eps):
    scale = gamma / (np.sqrt(var) + eps)
    return weight * scale[:, None], (bias - mean) * scale + beta


FOLD = {
    "variance for the std": lambda *a: _fold(*a, power=1),
    "bias not scaled": lambda *a: _fold(*a, scaled=False),
    "mean added": lambda *a: _fold(*a, sign=1),
    "mean forgotten": lambda *a: _fold(*a, sign=0),
    "beta forgotten": lambda w, b, g, beta, m, v, e: _fold(w, b, g, 0, m, v, e),
    "bias forgotten": lambda w, b, g, beta, m, v, e: _fold(w, 0 * b, g, beta, m, v, e),
    "gamma forgotten": lambda w, b, g, beta, m, v, e: _fold(
        w, b, np.ones_like(g), beta, m, v, e
    ),
    "eps left out": lambda w, b, g, beta, m, v, e: _fold(w, b, g, beta, m, v, 0),
    "eps beside the std": _fold_eps_beside,
    "columns scaled": lambda w, b, g, beta, m, v, e: (
        w * (g / np.sqrt(v + e)),
        (b - m) * g / np.sqrt(v + e) + beta,
    ),
}


def _speed_up(
    plain, bn, target, shift=1, over=np.median, strict=False, never=np.inf, last=False
):
    def best(accuracy):
        reached = accuracy > target if strict else accuracy >= target
        if last:
            first = accuracy.shape[-1] - np.argmax(reached[..., ::-1], axis=-1)
        else:
            first = np.argmax(reached, axis=-1) + shift
        first = np.where(reached.any(-1), first, never)
        return over(first, axis=1).min()

    return best(plain) / best(bn)


def _same_rate(plain, bn, target):
    def steps(accuracy):
        reached = accuracy >= target
        first = np.where(reached.any(-1), np.argmax(reached, -1) + 1, np.inf)
        return np.median(first, axis=1)

    slow, fast = steps(plain), steps(bn)
    r = np.argmin(fast)
    return slow[r] / fast[r]


def _of_the_mean_curve(plain, bn, target):
    def steps(accuracy):
        reached = accuracy.mean(1) >= target
        first = np.where(reached.any(-1), np.argmax(reached, -1) + 1, np.inf)
        return first.min()

    return steps(plain) / steps(bn)


SPEED = {
    "steps counted from 0": lambda *a: _speed_up(*a, shift=0),
    "mean over the seeds": lambda *a: _speed_up(*a, over=np.mean),
    "best seed": lambda *a: _speed_up(*a, over=np.min),
    "worst seed": lambda *a: _speed_up(*a, over=np.max),
    "never counts as step 1": lambda *a: _speed_up(*a, never=1),
    "upside down": lambda plain, bn, target: 1 / _speed_up(plain, bn, target),
    "the same rate for both": _same_rate,
    "the mean curve": _of_the_mean_curve,
    "above, not at the target": lambda *a: _speed_up(*a, strict=True),
    "last step below": lambda *a: _speed_up(*a, last=True),
}

EXPLOSION = {
    "no square root": lambda phi, dphi: np.mean(dphi**2) / np.var(phi),
    "variance of the activation forgotten": lambda phi, dphi: np.sqrt(np.mean(dphi**2)),
    "mean square of phi": lambda phi, dphi: np.sqrt(np.mean(dphi**2) / np.mean(phi**2)),
    "mean slope": lambda phi, dphi: np.mean(dphi) / np.std(phi),
    "std of the slope": lambda phi, dphi: np.std(dphi) / np.std(phi),
    "upside down": lambda phi, dphi: np.sqrt(np.var(phi) / np.mean(dphi**2)),
    "product": lambda phi, dphi: np.sqrt(np.mean(dphi**2) * np.var(phi)),
    "mean of the ratios": lambda phi, dphi: np.mean(np.abs(dphi) / np.std(phi)),
    "variance above, not the mean square": lambda phi, dphi: np.sqrt(
        np.var(dphi) / np.mean(phi**2)
    ),
    "N - 1": lambda phi, dphi: np.sqrt(np.mean(dphi**2) / np.var(phi, ddof=1)),
}


def _cos(a, b):
    return float((a * b).sum() / np.sqrt((a**2).sum() * (b**2).sum()))


def _shift(gradients, weights, layer, lr, t, move=None, later=0, sign=-1, out=_cos):
    before = gradients(weights, t)
    move = range(layer) if move is None else move(layer, len(weights))
    moved = [
        w + sign * lr * g if i in move else w
        for i, (w, g) in enumerate(zip(weights, before, strict=True))
    ]
    return out(before[layer], gradients(moved, t + later)[layer])


def _rowwise(a, b):
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


GRADIENT_SHIFT = {
    "all layers moved": lambda *a: _shift(*a, move=lambda k, n: range(n)),
    "layers above moved": lambda *a: _shift(*a, move=lambda k, n: range(k + 1, n)),
    "the layer moved as well": lambda *a: _shift(*a, move=lambda k, n: range(k + 1)),
    "all but the layer": lambda *a: _shift(*a, move=lambda k, n: set(range(n)) - {k}),
    "next batch": lambda *a: _shift(*a, later=1),
    "uphill": lambda *a: _shift(*a, sign=1),
    "one minus the cosine": lambda *a: _shift(*a, out=lambda x, y: 1 - _cos(x, y)),
    "not divided by the lengths": lambda *a: _shift(
        *a, out=lambda x, y: float((x * y).sum())
    ),
    "mean of the rows' cosines": lambda *a: _shift(
        *a, out=lambda x, y: float(_rowwise(x, y).mean())
    ),
    "distance": lambda *a: _shift(*a, out=lambda x, y: float(np.linalg.norm(x - y))),
}


def _saturated(h, activation, tenth=0.1, largest=None, of="output", sign=1):
    if activation == "tanh":
        slope, top = 1 - (h if of == "output" else np.tanh(h)) ** 2, 1.0
    else:
        s = h if of == "output" else 1 / (1 + np.exp(-h))
        slope, top = s * (1 - s), 0.25
    top = slope.max() if largest == "seen" else (largest or top)
    return float(np.mean(sign * slope < sign * tenth * top))


SATURATED = {
    "largest among the values": lambda *a: _saturated(*a, largest="seen"),
    "0.1 for both": lambda *a: _saturated(*a, largest=1.0),
    "slope at the output": lambda *a: _saturated(*a, of="input"),
    "share that is not saturated": lambda *a: _saturated(*a, sign=-1),
    "size above 0.9": lambda h, activation: float(np.mean(np.abs(h) > 0.9)),
    "a tenth of the range": lambda h, activation: float(
        np.mean((h < 0.1) | (h > 0.9) if activation == "sigmoid" else np.abs(h) > 0.9)
    ),
    "formula of tanh for both": lambda h, activation: float(np.mean(1 - h**2 < 0.1)),
    "percent": lambda *a: 100 * _saturated(*a),
    "count": lambda h, activation: _saturated(h, activation) * h.size,
    "per feature": lambda h, activation: np.mean(
        (1 - h**2 < 0.1) if activation == "tanh" else (h * (1 - h) < 0.025), axis=0
    ),
}

DROP = {
    "both reduced": lambda bias, gamma, beta, mean, var: (beta - bias, mean - bias),
    "bias into beta": lambda bias, gamma, beta, mean, var: (beta + bias, mean),
    "scaled bias into beta": lambda bias, gamma, beta, mean, var: (
        beta + gamma * bias / np.sqrt(var + EPS),
        mean,
    ),
    "mean raised": lambda bias, gamma, beta, mean, var: (beta, mean + bias),
    "nothing changed": lambda bias, gamma, beta, mean, var: (beta, mean),
    "mean scaled": lambda bias, gamma, beta, mean, var: (
        beta,
        mean - gamma * bias / np.sqrt(var + EPS),
    ),
    "order exchanged": lambda bias, gamma, beta, mean, var: (mean - bias, beta),
    "gamma only": lambda bias, gamma, beta, mean, var: (beta, mean - gamma * bias),
    "both compensate": lambda bias, gamma, beta, mean, var: (
        beta + gamma * bias / np.sqrt(var + EPS),
        mean - bias,
    ),
    "bias is the new mean": lambda bias, gamma, beta, mean, var: (beta, bias),
}


def _bn(x):
    return (x - x.mean(0)) / np.sqrt(x.var(0) + EPS)


def _relu(x):
    return np.maximum(x, 0)


def _post(x, w1, w2):
    return _relu(x + _bn(_relu(_bn(x @ w1)) @ w2))


def _pre(x, w1, w2):
    return x + _relu(_bn(_relu(_bn(x)) @ w1)) @ w2


def _either(post=_post, pre=_pre):
    return lambda x, w1, w2, order: {"post": post, "pre": pre}[order](x, w1, w2)


BLOCK = {
    "no relu after the addition": _either(
        post=lambda x, w1, w2: x + _bn(_relu(_bn(x @ w1)) @ w2)
    ),
    "relu before the addition": _either(
        post=lambda x, w1, w2: x + _relu(_bn(_relu(_bn(x @ w1)) @ w2))
    ),
    "orders exchanged": _either(post=_pre, pre=_post),
    "relu after the sum in both": _either(pre=lambda *a: _relu(_pre(*a))),
    "skip forgotten": _either(
        post=lambda x, w1, w2: _relu(_bn(_relu(_bn(x @ w1)) @ w2)),
        pre=lambda x, w1, w2: _relu(_bn(_relu(_bn(x)) @ w1)) @ w2,
    ),
    "normalized input on the skip": _either(
        pre=lambda x, w1, w2: _bn(x) + _relu(_bn(_relu(_bn(x)) @ w1)) @ w2
    ),
    "activated input on the skip": _either(
        pre=lambda x, w1, w2: _relu(_bn(x)) + _relu(_bn(_relu(_bn(x)) @ w1)) @ w2
    ),
    "relu before norm": _either(
        post=lambda x, w1, w2: _relu(x + _bn(_bn(_relu(x @ w1)) @ w2)),
        pre=lambda x, w1, w2: x + _bn(_relu(_bn(_relu(x)) @ w1)) @ w2,
    ),
    "norm after the addition": _either(
        post=lambda x, w1, w2: _relu(_bn(x + _relu(_bn(x @ w1)) @ w2))
    ),
    "weights exchanged": _either(
        post=lambda x, w1, w2: _post(x, w2, w1), pre=lambda x, w1, w2: _pre(x, w2, w1)
    ),
}


def _rms(x, gamma, eps, axes=-1):
    return x / np.sqrt((x**2).mean(axes, keepdims=True) + eps) * gamma


RMS = {
    "mean subtracted": lambda x, gamma, eps: (
        (x - x.mean(-1, keepdims=True))
        / np.sqrt(x.var(-1, keepdims=True) + eps)
        * gamma
    ),
    "divided by the std": lambda x, gamma, eps: (
        x / np.sqrt(x.var(-1, keepdims=True) + eps) * gamma
    ),
    "over the tokens": lambda *a: _rms(*a, axes=1),
    "over the batch": lambda *a: _rms(*a, axes=0),
    "over tokens and features": lambda *a: _rms(*a, axes=(1, 2)),
    "eps beside the root": lambda x, gamma, eps: (
        x / (np.sqrt((x**2).mean(-1, keepdims=True)) + eps) * gamma
    ),
    "sum for the mean": lambda x, gamma, eps: (
        x / np.sqrt((x**2).sum(-1, keepdims=True) + eps) * gamma
    ),
    "root forgotten": lambda x, gamma, eps: (
        x / ((x**2).mean(-1, keepdims=True) + eps) * gamma
    ),
    "gamma forgotten": lambda x, gamma, eps: _rms(x, 1, eps),
    "square of the mean": lambda x, gamma, eps: (
        x / np.sqrt(x.mean(-1, keepdims=True) ** 2 + eps) * gamma
    ),
}


def _coupling(kind, n, size, **change):
    kinds = {
        "batch": np.ones((n, n)),
        "batch in eval": np.eye(n),
        "ghost": np.kron(np.eye(n // size), np.ones((size, size))),
        "layer": np.eye(n),
        "instance": np.eye(n),
        "group": np.eye(n),
    }
    return (kinds | {k: f(n, size) for k, f in change.items()})[kind]


def _band(n, size):
    i = np.arange(n)
    return (np.abs(i[:, None] - i) < size).astype(float)


def _interleaved(n, size):
    i = np.arange(n)
    return (i[:, None] % (n // size) == i % (n // size)).astype(float)


COUPLING = {
    "batch everywhere": lambda kind, n, size: np.ones((n, n)),
    "nothing couples": lambda kind, n, size: np.eye(n),
    "eval couples as well": lambda kind, n, size: _coupling(
        kind if kind != "batch in eval" else "batch", n, size
    ),
    "group taken for ghosts": lambda kind, n, size: _coupling(
        "ghost" if kind == "group" else kind, n, size
    ),
    "neighbors within size": lambda kind, n, size: _coupling(
        kind, n, size, ghost=_band
    ),
    "ghosts interleaved": lambda kind, n, size: _coupling(
        kind, n, size, ghost=_interleaved
    ),
    "ghosts as many as size": lambda kind, n, size: _coupling(
        kind,
        n,
        size,
        ghost=lambda n, s: np.kron(np.eye(s), np.ones((n // s, n // s))),
    ),
    "diagonal left out": lambda kind, n, size: (
        _coupling(kind, n, size) * (1 - np.eye(n))
    ),
    "layer norm couples all": lambda kind, n, size: _coupling(
        kind, n, size, layer=lambda n, s: np.ones((n, n))
    ),
    "zero in eval": lambda kind, n, size: (
        np.zeros((n, n)) if kind == "batch in eval" else _coupling(kind, n, size)
    ),
}


def _part(d_ys, x_hats, gamma, inv_std, rank, mean="all", var="all", sign=-1, g=True):
    def average(parts, how):
        if how == "own":
            return parts[rank].mean(0)
        if how == "ranks":
            return np.mean([p.mean(0) for p in parts], axis=0)
        if how == "sum":
            return sum(p.sum(0) for p in parts)
        if how == "none":
            return 0.0
        return np.concatenate(parts).mean(0)

    products = [d * x for d, x in zip(d_ys, x_hats, strict=True)]
    inner = d_ys[rank] - average(d_ys, mean)
    inner = inner + sign * x_hats[rank] * average(products, var)
    return (gamma if g else 1.0) * inv_std * inner


def _own_count(d_ys, x_hats, gamma, inv_std, rank):
    n = len(d_ys[rank])
    total = sum(d.sum(0) for d in d_ys) / n
    product = sum((d * x).sum(0) for d, x in zip(d_ys, x_hats, strict=True)) / n
    return gamma * inv_std * (d_ys[rank] - total - x_hats[rank] * product)


PART = {
    "own means": lambda *a: _part(*a, mean="own", var="own"),
    "mean of the ranks' means": lambda *a: _part(*a, mean="ranks", var="ranks"),
    "sums": lambda *a: _part(*a, mean="sum", var="sum"),
    "variance term local": lambda *a: _part(*a, var="own"),
    "mean term local": lambda *a: _part(*a, mean="own"),
    "sign of the variance term": lambda *a: _part(*a, sign=1),
    "no variance term": lambda *a: _part(*a, var="none"),
    "gamma forgotten": lambda *a: _part(*a, g=False),
    "divided by the own count": _own_count,
    "no mean term": lambda *a: _part(*a, mean="none"),
}


def _sync_var(running_var, var, counts, rank, momentum, n=None, ddof=1):
    n = sum(counts) if n is None else n
    return (1 - momentum) * running_var + momentum * var * n / (n - ddof)


SYNC = {
    "biased": lambda r, v, c, k, m: _sync_var(r, v, c, k, m, ddof=0),
    "own count": lambda r, v, c, k, m: _sync_var(r, v, c, k, m, n=c[k]),
    "momentum the other way": lambda r, v, c, k, m: _sync_var(r, v, c, k, 1 - m),
    "other way and biased": lambda r, v, c, k, m: _sync_var(r, v, c, k, 1 - m, ddof=0),
    "number of ranks": lambda r, v, c, k, m: _sync_var(r, v, c, k, m, n=len(c)),
    "correction upside down": lambda r, v, c, k, m: (
        (1 - m) * r + m * v * (sum(c) - 1) / sum(c)
    ),
    "mean count": lambda r, v, c, k, m: _sync_var(r, v, c, k, m, n=sum(c) / len(c)),
    "one degree per rank": lambda r, v, c, k, m: _sync_var(r, v, c, k, m, ddof=len(c)),
    "correction of the whole": lambda r, v, c, k, m: (
        ((1 - m) * r + m * v) * sum(c) / (sum(c) - 1)
    ),
    "own share": lambda r, v, c, k, m: (1 - m) * r + m * v * c[k] / sum(c),
}


def _work(widths, kept, sides, previous=True, first=1, area=True):
    def total(w):
        inputs = [first, *w[:-1]] if previous else [1] * len(w)
        return sum(
            i * o * (s**2 if area else 1)
            for i, o, s in zip(inputs, w, sides, strict=True)
        )

    return total(kept) / total(widths)


WORK = {
    "share of the channels": lambda widths, kept, sides: kept.sum() / widths.sum(),
    "outputs only": lambda *a: _work(*a, previous=False),
    "parameters": lambda *a: _work(*a, area=False),
    "side not squared": lambda widths, kept, sides: _work(widths, kept, np.sqrt(sides)),
    "three channels in": lambda *a: _work(*a, first=3),
    "share removed": lambda *a: 1 - _work(*a),
    "squared share": lambda widths, kept, sides: (kept.sum() / widths.sum()) ** 2,
    "mean of the layers' shares": lambda widths, kept, sides: np.mean(
        kept / widths * np.append(1, kept[:-1] / widths[:-1])
    ),
    "first layer left out": lambda widths, kept, sides: (
        sum(a * b * s**2 for (a, b), s in zip(pairwise(kept), sides[1:], strict=True))
        / sum(
            a * b * s**2 for (a, b), s in zip(pairwise(widths), sides[1:], strict=True)
        )
    ),
    "inputs not reduced": lambda widths, kept, sides: (
        np.sum(np.append(1, widths[:-1]) * kept * sides**2)
        / np.sum(np.append(1, widths[:-1]) * widths * sides**2)
    ),
}

ANSWERS = {
    "output_std": OUTPUT_STD,
    "parameter_gradients": PARAMETERS,
    "keras_momentum": KERAS,
    "fold_linear": FOLD,
    "speed_up": SPEED,
    "explosion": EXPLOSION,
    "gradient_shift": GRADIENT_SHIFT,
    "saturated_share": SATURATED,
    "drop_bias": DROP,
    "residual_block": BLOCK,
    "rms_norm": RMS,
    "coupling": COUPLING,
    "backward_part": PART,
    "sync_running_var": SYNC,
    "work_left": WORK,
}
