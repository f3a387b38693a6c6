"""Hand-written answers to the exercises of chapter 8, right and wrong."""

import numpy as np

# --- 8.1 norm_by_axes


def right_with_cases(x, kind, groups, gamma, beta, eps):
    n, c, h, w = x.shape
    if kind == "group":
        z = x.reshape(n, groups, -1)
        mean, var = z.mean(2, keepdims=True), z.var(2, keepdims=True)
        out = ((z - mean) / np.sqrt(var + eps)).reshape(n, c, h, w)
    else:
        ax = {"batch": (0, 2, 3), "layer": (1, 2, 3), "instance": (2, 3)}[kind]
        mean, var = x.mean(ax, keepdims=True), x.var(ax, keepdims=True)
        out = (x - mean) / np.sqrt(var + eps)
    return out * gamma.reshape(1, c, 1, 1) + beta.reshape(1, c, 1, 1)


def right_all_are_group_norm(x, kind, groups, gamma, beta, eps):
    if kind == "batch":
        one, zero = np.ones(len(x)), np.zeros(len(x))
        across = x.swapaxes(0, 1)  # channels become examples: layer norm of those
        y = right_all_are_group_norm(across, "layer", 1, one, zero, eps)
        return _affine(y.swapaxes(0, 1), gamma, beta)
    g = {"layer": 1, "instance": x.shape[1], "group": groups}[kind]
    y = np.empty_like(x)
    for i in range(len(x)):
        for part in np.array_split(np.arange(x.shape[1]), g):
            values = x[i, part]
            d = values - values.mean()
            y[i, part] = d / (np.mean(d * d) + eps) ** 0.5
    return _affine(y, gamma, beta)


def _affine(y, gamma, beta):
    return np.einsum("nchw,c->nchw", y, gamma) + beta[:, None, None]


def _norm(x, axes, eps, ddof=0):
    mean = x.mean(axes, keepdims=True)
    return (x - mean) / np.sqrt(x.var(axes, keepdims=True, ddof=ddof) + eps)


AXES = {"batch": (0, 2, 3), "layer": (1, 2, 3), "instance": (2, 3)}


def _with(x, kind, groups, gamma, beta, eps, group, axes=AXES, ddof=0):
    y = group(x) if kind == "group" else _norm(x, axes[kind], eps, ddof)
    return _affine(y, gamma, beta)


def _groups(x, groups, eps, ddof=0):
    n, c, h, w = x.shape
    z = x.reshape(n, groups, c // groups, h, w)
    return _norm(z, (2, 3, 4), eps, ddof).reshape(x.shape)


def groups_of_examples(x, kind, groups, gamma, beta, eps):
    def group(x):
        n, c, h, w = x.shape
        z = x.reshape(groups, n // groups, c, h, w)
        return _norm(z, (1, 3, 4), eps).reshape(x.shape)

    return _with(x, kind, groups, gamma, beta, eps, group)


def every_second_channel(x, kind, groups, gamma, beta, eps):
    def group(x):
        n, c, h, w = x.shape
        z = x.reshape(n, c // groups, groups, h, w)
        return _norm(z, (1, 3, 4), eps).reshape(x.shape)

    return _with(x, kind, groups, gamma, beta, eps, group)


def groups_is_the_size(x, kind, groups, gamma, beta, eps):
    def group(x):
        n, c, h, w = x.shape
        z = x.reshape(n, c // groups, groups, h, w)
        return _norm(z, (2, 3, 4), eps).reshape(x.shape)

    return _with(x, kind, groups, gamma, beta, eps, group)


def layer_per_pixel(x, kind, groups, gamma, beta, eps):
    axes = AXES | {"layer": 1}
    return _with(
        x, kind, groups, gamma, beta, eps, lambda x: _groups(x, groups, eps), axes
    )


def instance_like_batch(x, kind, groups, gamma, beta, eps):
    axes = AXES | {"instance": (0, 2, 3)}
    return _with(
        x, kind, groups, gamma, beta, eps, lambda x: _groups(x, groups, eps), axes
    )


def positions_apart(x, kind, groups, gamma, beta, eps):
    n, c, h, w = x.shape

    def over_channels(x, g):
        z = x.reshape(n, g, c // g, h, w)
        return _norm(z, 2, eps).reshape(x.shape)

    if kind == "batch":
        return _affine(_norm(x, (0, 2, 3), eps), gamma, beta)
    return _affine(over_channels(x, groups if kind == "group" else 1), gamma, beta)


def gamma_per_column(x, kind, groups, gamma, beta, eps):
    y = _groups(x, groups, eps) if kind == "group" else _norm(x, AXES[kind], eps)
    w = x.shape[3]
    return y * gamma[:w] + beta[:w]


def sample_variance(x, kind, groups, gamma, beta, eps):
    return _with(
        x,
        kind,
        groups,
        gamma,
        beta,
        eps,
        lambda x: _groups(x, groups, eps, ddof=1),
        ddof=1,
    )


# --- 8.2 rms_norm


def right_with_norm(x, gamma, eps):
    length = np.linalg.norm(x, axis=2, keepdims=True)
    return x * gamma / np.sqrt(length**2 / x.shape[2] + eps)


def right_token_by_token(x, gamma, eps):
    y = np.zeros_like(x)
    for n in range(x.shape[0]):
        for t in range(x.shape[1]):
            y[n, t] = x[n, t] * (x[n, t] @ x[n, t] / x.shape[2] + eps) ** -0.5
    return gamma * y


def is_layer_norm(x, gamma, eps):
    d = x - x.mean(-1, keepdims=True)
    return gamma * d / np.sqrt((d**2).mean(-1, keepdims=True) + eps)


def eps_after_root(x, gamma, eps):
    return gamma * x / (np.sqrt(np.mean(x * x, axis=-1, keepdims=True)) + eps)


def unit_length(x, gamma, eps):
    return gamma * x / np.sqrt((x**2).sum(axis=-1, keepdims=True) + eps)


def per_sequence(x, gamma, eps):
    return gamma * x / np.sqrt((x**2).mean(axis=(1, 2), keepdims=True) + eps)


def along_time(x, gamma, eps):
    return gamma * x / np.sqrt((x**2).mean(axis=1, keepdims=True) + eps)


def mean_square_only(x, gamma, eps):
    return gamma * x / (np.mean(x**2, axis=2, keepdims=True) + eps)


# --- 8.3 coupling


def right_with_loops(kind, n, size):
    out = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            same = i == j or kind == "batch"
            out[i, j] = same or (kind == "ghost" and i // size == j // size)
    return out


def right_with_kron(kind, n, size):
    if kind == "batch":
        return np.ones((n, n), dtype=int)
    if kind == "ghost":
        return np.kron(np.eye(n // size), np.ones((size, size)))
    return np.identity(n)


def group_like_ghost(kind, n, size):
    return right_with_kron("ghost" if kind == "group" else kind, n, size)


def eval_like_training(kind, n, size):
    return right_with_kron("batch" if kind.startswith("batch") else kind, n, size)


def mates_only(kind, n, size):
    return right_with_kron(kind, n, size) - np.eye(n)


def ghosts_by_remainder(kind, n, size):
    if kind != "ghost":
        return right_with_kron(kind, n, size)
    k = np.arange(n) % (n // size)
    return (k[:, None] == k).astype(float)


def size_is_how_many(kind, n, size):
    return right_with_kron(kind, n, n // size)


def layer_couples(kind, n, size):
    return right_with_kron("batch" if kind == "layer" else kind, n, size)


def ghost_is_batch(kind, n, size):
    return np.ones((n, n)) if kind in ("ghost", "batch") else np.eye(n)


# --- 8.5 ghost_step


def right_with_split(x, size, eps):
    parts = np.split(x, len(x) // size)
    y = [(p - p.mean(0)) / np.sqrt(p.var(0) + eps) for p in parts]
    variances = [p.var(0, ddof=1) for p in parts]
    return np.concatenate(y), x.mean(0), np.mean(variances, axis=0)


def right_with_repeat(x, size, eps):
    means = np.add.reduceat(x, range(0, len(x), size)) / size
    d = x - np.repeat(means, size, axis=0)
    squares = np.add.reduceat(d * d, range(0, len(x), size))
    y = d / np.sqrt(np.repeat(squares / size, size, axis=0) + eps)
    return y, means.mean(0), (squares / (size - 1)).mean(0)


def no_ghosts(x, size, eps):
    y = (x - x.mean(0)) / np.sqrt(x.var(0) + eps)
    return y, x.mean(0), x.var(0, ddof=1)


def wrong_reshape(x, size, eps):
    g = x.reshape(size, -1, x.shape[1])
    y = (g - g.mean(0)) / np.sqrt(g.var(0) + eps)
    return y.reshape(x.shape), g.mean((0, 1)), g.var(0, ddof=1).mean(0)


def _slow(x, size, eps, ddof=0, stored=lambda p: p.var(0, ddof=1)):
    y, kept = [], []
    for start in range(0, len(x), size):
        p = x[start : start + size]
        y.append((p - p.mean(0)) / np.sqrt(p.var(0, ddof=ddof) + eps))
        kept.append(stored(p))
    return np.vstack(y), x.mean(0), np.mean(kept, axis=0)


def unbiased_everywhere(x, size, eps):
    return _slow(x, size, eps, ddof=1)


def biased_everywhere(x, size, eps):
    return _slow(x, size, eps, stored=lambda p: p.var(0))


def mean_of_stds(x, size, eps):
    y, mean, std = _slow(x, size, eps, stored=lambda p: p.std(0, ddof=1))
    return y, mean, std**2


def between_ghosts(x, size, eps):
    y, mean, _ = _slow(x, size, eps)
    means = [x[i : i + size].mean(0) for i in range(0, len(x), size)]
    return y, mean, np.var(means, axis=0, ddof=1)


def total_variance(x, size, eps):
    y, mean, _ = _slow(x, size, eps)
    return y, mean, np.var(x, axis=0, ddof=1)


# --- 8.4 batch_for_spread


def right_with_constant(spread, batch, wanted):
    a = spread * np.sqrt(batch)
    return (a / wanted) ** 2


def right_with_power(spread, batch, wanted):
    return batch * spread**2 / wanted**2


def proportional(spread, batch, wanted):
    return spread / wanted * batch


def with_sqrt(spread, batch, wanted):
    return (spread / wanted) ** 0.5 * batch


def inverted(spread, batch, wanted):
    return batch * wanted**2 / spread**2


def only_factor(spread, batch, wanted):
    return (spread / wanted) ** 2


def rms_no_gamma(x, gamma, eps):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + eps)


def rms_no_eps(x, gamma, eps):
    return gamma * x / np.sqrt((x * x).mean(-1, keepdims=True))


def _over_axes(x, kind, groups, gamma, beta, eps, **axes):
    n, c, h, w = x.shape
    over = {"batch": (0, 2, 3), "layer": (1, 2, 3), "instance": (2, 3)} | axes
    z = x.reshape(n, groups, c // groups, h, w) if kind == "group" else x
    over = over.get("group", (2, 3, 4)) if kind == "group" else over[kind]
    z = (z - z.mean(over, keepdims=True)) / np.sqrt(z.var(over, keepdims=True) + eps)
    return z.reshape(x.shape) * gamma[:, None, None] + beta[:, None, None]


def layer_for_instance(*args):
    return _over_axes(*args, layer=(2, 3), instance=(1, 2, 3))


def only_the_batch_axis(*args):
    return _over_axes(*args, batch=(0,), instance=(0,))


def only_batch_norm_without_positions(*args):
    return _over_axes(*args, batch=(0,))


def groups_over_the_batch(*args):
    return _over_axes(*args, group=(0, 2, 3, 4))


def no_affine(x, kind, groups, gamma, beta, eps):
    return _over_axes(x, kind, groups, gamma * 0 + 1, beta * 0, eps)


def stores_the_last_ghost(x, size, eps):
    ghosts = np.split(x, len(x) // size)
    y = [(g - g.mean(0)) / np.sqrt(g.var(0) + eps) for g in ghosts]
    return np.concatenate(y), ghosts[-1].mean(0), ghosts[-1].var(0, ddof=1)


def ghosts_without_eps(x, size, eps):
    parts = np.split(x, len(x) // size)
    y = np.concatenate([(part - part.mean(0)) / part.std(0) for part in parts])
    means, variances = [p.mean(0) for p in parts], [p.var(0, ddof=1) for p in parts]
    return y, np.mean(means, axis=0), np.mean(variances, axis=0)


def ghosts_eps_beside(x, size, eps):
    ghosts = np.split(x, len(x) // size)
    y = np.concatenate([(g - g.mean(0)) / (g.std(0) + eps) for g in ghosts])
    return y, x.mean(0), np.mean([g.var(0, ddof=1) for g in ghosts], axis=0)


def uses_var(x, gamma, eps):
    return gamma * x / np.sqrt(x.var(axis=-1, keepdims=True) + eps)


RIGHT = {
    "norm_by_axes": [right_with_cases, right_all_are_group_norm],
    "rms_norm": [right_with_norm, right_token_by_token],
    "coupling": [right_with_loops, right_with_kron],
    "ghost_step": [right_with_split, right_with_repeat],
    "batch_for_spread": [right_with_constant, right_with_power],
}

MUTANTS = {
    "norm_by_axes": {
        "the batch is split into groups": [groups_of_examples],
        "channels dealt out in turn": [every_second_channel],
        "number of groups taken for their size": [groups_is_the_size],
        "layer norm over the channels only": [layer_per_pixel],
        "instance norm over the batch": [instance_like_batch],
        "layer and instance norm exchanged": [layer_for_instance],
        "the batch averaged alone": [
            only_the_batch_axis,
            only_batch_norm_without_positions,
        ],
        "groups that reach over the batch": [groups_over_the_batch],
        "gamma and beta left out": [no_affine],
        "a statistic for every position": [positions_apart],
        "gamma and beta along the width": [gamma_per_column],
        "variance divided by one less": [sample_variance],
    },
    "rms_norm": {
        "divided by the standard deviation": [uses_var],
        "gamma forgotten": [rms_no_gamma],
        "eps left out": [rms_no_eps],
        "the mean subtracted": [is_layer_norm],
        "eps outside of the root": [eps_after_root],
        "the length of the vector": [unit_length],
        "tokens mixed": [per_sequence],
        "over the positions": [along_time],
        "root forgotten": [mean_square_only],
    },
    "coupling": {
        "group norm groups examples": [group_like_ghost],
        "evaluation taken for training": [eval_like_training],
        "an example does not depend on itself": [mates_only],
        "ghost batches dealt out in turn": [ghosts_by_remainder],
        "size taken for the number of ghosts": [size_is_how_many],
        "layer norm taken for batch norm": [layer_couples],
        "ghosts taken for the whole batch": [ghost_is_batch],
    },
    "ghost_step": {
        "the last ghost alone stored": [stores_the_last_ghost],
        "eps beside the standard deviation": [ghosts_eps_beside],
        "eps forgotten": [ghosts_without_eps],
        "one statistic for the whole batch": [no_ghosts],
        "ghosts dealt out in turn": [wrong_reshape],
        "normalized with the unbiased variance": [unbiased_everywhere],
        "biased variance stored": [biased_everywhere],
        "standard deviations averaged": [mean_of_stds],
        "variance of the ghost means stored": [between_ghosts],
        "variance of the whole batch stored": [total_variance],
    },
    "batch_for_spread": {
        "in proportion": [proportional],
        "root instead of square": [with_sqrt],
        "ratio upside down": [inverted],
        "where you started from is lost": [only_factor],
    },
}
