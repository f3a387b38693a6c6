"""Hand-written answers to the exercises of The bug hunt, right and wrong."""

import copy

import numpy as np
from torch import nn

# --- H.1 standardize


def both_at_once(train, test):
    m, s = train.mean(0), train.std(0)
    return [(part - m) / s for part in (train, test)]


def test_first(train, test):
    test = (test - train.mean(axis=0)) / train.std(axis=0)
    train = train - train.mean(axis=0)
    return train / train.std(axis=0), test


def each_its_own(train, test):
    return tuple((v - v.mean(0)) / v.std(0) for v in (train, test))


def pooled(train, test):
    both = np.vstack([train, test])
    return tuple((v - both.mean(0)) / both.std(0) for v in (train, test))


def std_too_late(train, test):
    mean = train.mean(0)
    train = (train - mean) / train.std(0)
    return train, (test - mean) / train.std(0)


# --- H.2 image_norm


def two_passes(x, eps):
    d = x - x.mean(axis=(0, 2, 3), keepdims=True)
    return d / np.sqrt((d * d).mean(axis=(0, 2, 3), keepdims=True) + eps)


def with_var(x, eps):
    axes = (0, 2, 3)
    centered = x - x.mean(axes, keepdims=True)
    return centered / np.sqrt(x.var(axes, keepdims=True) + eps)


def in_float64(x, eps):
    x = x.astype(np.float64)
    mean = x.mean(axis=(0, 2, 3), keepdims=True)
    var = (x**2).mean(axis=(0, 2, 3), keepdims=True) - mean**2
    return (x - mean) / np.sqrt(var + eps)


def clipped(x, eps):
    mean = x.mean(axis=(0, 2, 3), keepdims=True)
    var = (x**2).mean(axis=(0, 2, 3), keepdims=True) - mean**2
    exact = x.astype(float)
    exact = exact - exact.mean(axis=(0, 2, 3), keepdims=True)
    return exact / np.sqrt(np.clip(var, 0, None) + eps)


def squares_converted(x, eps):
    axes = (0, 2, 3)
    mean = x.mean(axes, keepdims=True, dtype=float)
    var = (x * x).mean(axes, keepdims=True, dtype=float) - mean**2
    return (x - mean) / np.sqrt(np.maximum(var, 0) + eps)


def one_less(x, eps):
    mean = x.mean((0, 2, 3), keepdims=True, dtype=float)
    var = ((x - mean) ** 2).sum((0, 2, 3), keepdims=True) / (x[:, 0].size - 1)
    return (x - mean) / np.sqrt(var + eps)


# --- H.3 staged_backward


def cubed(d_y, x_centered, inv_std, gamma):
    d_x_hat = gamma * d_y
    d_var = -0.5 * (d_x_hat * x_centered).sum(axis=0) * inv_std**3
    d_centered = d_x_hat * inv_std + 2 * x_centered * d_var / len(d_y)
    return d_centered - d_centered.mean(axis=0)


def closed_form(d_y, x_centered, inv_std, gamma):
    x_hat = x_centered * inv_std
    rest = d_y - d_y.mean(0) - x_hat * (d_y * x_hat).mean(0)
    return gamma * inv_std * rest


def first_power(d_y, x_centered, inv_std, gamma):
    d = gamma * d_y
    d_var = -0.5 * (d * x_centered).sum(0) * inv_std
    d = d * inv_std + 2 * x_centered * d_var / len(d_y)
    return d - d.mean(0)


def no_half(d_y, x_centered, inv_std, gamma):
    d = gamma * d_y
    d_var = -(d * x_centered).sum(0) * inv_std**3
    d = d * inv_std + 2 * x_centered * d_var / len(d_y)
    return d - d.mean(0)


def plus(d_y, x_centered, inv_std, gamma):
    d = gamma * d_y
    d_var = 0.5 * (d * x_centered).sum(0) * inv_std**3
    d = d * inv_std + 2 * x_centered * d_var / len(d_y)
    return d - d.mean(0)


def no_mean_path(d_y, x_centered, inv_std, gamma):
    d = gamma * d_y
    d_var = -0.5 * (d * x_centered).sum(0) * inv_std**3
    return d * inv_std + 2 * x_centered * d_var / len(d_y)


# --- H.4 stored_variance


def from_zero(batch_vars, momentum):
    stored = 0 * batch_vars[0]
    for var in batch_vars:
        stored = (1 - momentum) * stored + momentum * var
    return stored / (1 - (1 - momentum) ** len(batch_vars))


def start_taken_out(batch_vars, momentum):
    stored, left = np.ones_like(batch_vars[0]), 1.0
    for var in batch_vars:
        stored = (1 - momentum) * stored + momentum * var
        left *= 1 - momentum
    return (stored - left) / (1 - left)


def by_weights(batch_vars, momentum):
    ages = np.arange(len(batch_vars))[::-1]
    return np.average(batch_vars, axis=0, weights=(1 - momentum) ** ages)


def as_pytorch(batch_vars, momentum):
    stored = np.ones(batch_vars.shape[1])
    for var in batch_vars:
        stored += momentum * (var - stored)
    return stored


def zero_and_not_corrected(batch_vars, momentum):
    stored = np.zeros(batch_vars.shape[1])
    for var in batch_vars:
        stored += momentum * (var - stored)
    return stored


def other_way_round(batch_vars, momentum):
    stored = np.zeros(batch_vars.shape[1])
    for var in batch_vars:
        stored = momentum * stored + (1 - momentum) * var
    return stored / (1 - momentum ** len(batch_vars))


def all_alike(batch_vars, momentum):
    return sum(batch_vars) / len(batch_vars)


# --- H.5 advantage


def each_at_its_best(plain, bn):
    return max(bn.mean(1)) - max(plain.mean(1))


def by_indices(plain, bn):
    best = [side[np.argmax(np.mean(side, axis=1))].mean() for side in (plain, bn)]
    return best[1] - best[0]


def rate_of_plain(plain, bn):
    r = np.argmax(plain.mean(1))
    return (bn[r] - plain[r]).mean()


def flattering(plain, bn):
    return max(b.mean() - p.mean() for p, b in zip(plain, bn, strict=True))


def luckiest_runs(plain, bn):
    return np.max(bn) - np.max(plain)


def all_rates(plain, bn):
    return np.mean(bn - plain)


# --- H.6 losses_on_line


def points_anew(loss, theta, direction, steps):
    return [loss(theta - a * direction) for a in steps]


def stepped_back(loss, theta, direction, steps):
    theta, losses = theta.copy(), []
    for a in steps:
        theta -= a * direction
        losses.append(loss(theta))
        theta += a * direction
    return losses


def uphill(loss, theta, direction, steps):
    return [loss(theta + a * direction) for a in steps]


def half_back(loss, theta, direction, steps):
    point, last, losses = theta.copy(), 0, []
    for a in steps:
        point -= (a - last) * direction / 2
        losses.append(loss(point))
        last = a
    return losses


def unit_direction(loss, theta, direction, steps):
    d = direction / np.sqrt((direction**2).sum())
    return [loss(theta - a * d) for a in steps]


# --- H.7 pre_block


def _bn(x):
    return (x - x.mean(0)) / (x.var(0) + 1e-5) ** 0.5


def skip_kept(x, w1, w2):
    h = np.maximum(_bn(x), 0) @ w1
    h = np.maximum(_bn(h), 0) @ w2
    return x + h


def skip_copied(x, w1, w2):
    skip = x.copy()
    for w in (w1, w2):
        x = np.clip(_bn(x), 0, None) @ w
    return skip + x


def skip_normed(x, w1, w2):
    return _bn(x) + np.maximum(_bn(np.maximum(_bn(x), 0) @ w1), 0) @ w2


def skip_rectified(x, w1, w2):
    return np.maximum(x, 0) + np.maximum(_bn(np.maximum(_bn(x), 0) @ w1), 0) @ w2


def relu_last(x, w1, w2):
    return np.maximum(skip_kept(x, w1, w2), 0)


def no_skip(x, w1, w2):
    return np.maximum(_bn(np.maximum(_bn(x), 0) @ w1), 0) @ w2


# --- H.8 group_norm


def groups_first(x, groups, eps):
    n, c, h, w = x.shape
    z = x.reshape(n, groups, -1)
    z = (z - z.mean(2, keepdims=True)) / np.sqrt(z.var(2, keepdims=True) + eps)
    return z.reshape(n, c, h, w)


def group_by_group(x, groups, eps):
    y, size = np.empty_like(x), x.shape[1] // groups
    for image, out in zip(x, y, strict=True):
        for start in range(0, x.shape[1], size):
            z = image[start : start + size]
            out[start : start + size] = (z - z.mean()) / np.sqrt(z.var() + eps)
    return y


def by_size(x, groups, eps):
    return groups_first(x, x.shape[1] // groups, eps)


def instance(x, groups, eps):
    return groups_first(x, x.shape[1], eps)


def layer(x, groups, eps):
    return groups_first(x, 1, eps)


def over_the_batch(x, groups, eps):
    n, c, h, w = x.shape
    z = x.reshape(n, groups, c // groups, h, w)
    axes = (0, 2, 3, 4)
    z = (z - z.mean(axes, keepdims=True)) / np.sqrt(z.var(axes, keepdims=True) + eps)
    return z.reshape(x.shape)


# --- H.9 merge_moments


def weighed(counts, means, mean_squares):
    mean = np.average(means, axis=0, weights=counts)
    return mean, np.average(mean_squares, axis=0, weights=counts) - mean**2


def by_sums(counts, means, mean_squares):
    n = counts[:, None]
    mean = (n * means).sum(0) / n.sum()
    m2 = (n * (mean_squares - means**2) + n * (means - mean) ** 2).sum(0)
    return mean, m2 / n.sum()


def mean_weighed(counts, means, mean_squares):
    mean = counts @ means / counts.sum()
    return mean, mean_squares.mean(0) - mean**2


def squares_weighed(counts, means, mean_squares):
    mean = means.mean(0)
    return mean, counts @ mean_squares / counts.sum() - mean**2


def variances_weighed(counts, means, mean_squares):
    share = counts / counts.sum()
    return share @ means, share @ (mean_squares - means**2)


def unbiased(counts, means, mean_squares):
    mean, var = weighed(counts, means, mean_squares)
    return mean, var * counts.sum() / (counts.sum() - 1)


# --- H.10 reestimate_norms


def _norms(net):
    return [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]


def train_first(net, batches):
    for norm in _norms(net):
        norm.reset_running_stats()
        norm.momentum = None
    net.train()
    for images in batches:
        net(images)
    return net.eval()


def on_a_copy(net, batches):
    net = copy.deepcopy(net).train()
    for norm in _norms(net):
        norm.running_mean.zero_()
        norm.running_var.fill_(1)
        norm.num_batches_tracked.zero_()
        norm.momentum = None
    for images in batches:
        net(images)
    net.eval()
    return net


def momentum_kept(net, batches):
    for norm in _norms(net):
        norm.reset_running_stats()
        norm.momentum = 0.1
    net.train()
    for images in batches:
        net(images)
    return net.eval()


def last_batch_only(net, batches):
    for norm in _norms(net):
        norm.momentum = 1.0
    net.train()
    for images in batches:
        net(images)
    return net.eval()


def returned_too_early(net, batches):
    for norm in _norms(net):
        norm.reset_running_stats()
        norm.momentum = None
    net.train()
    for images in batches:
        net(images)
        return net.eval()


# --- H.11 slim_step


def by_sign(gamma, grad, lr, strength):
    return gamma - lr * grad - lr * strength * np.sign(gamma)


def by_cases(gamma, grad, lr, strength):
    pull = np.where(gamma > 0, strength, np.where(gamma < 0, -strength, 0))
    return gamma - lr * (grad + pull)


def pushed(gamma, grad, lr, strength):
    return gamma - lr * (grad - strength * np.sign(gamma))


def downward(gamma, grad, lr, strength):
    return gamma - lr * (grad + strength)


def by_size_of_gamma(gamma, grad, lr, strength):
    return gamma - lr * (grad + strength * abs(gamma))


def outside(gamma, grad, lr, strength):
    return gamma - lr * grad - strength * np.sign(gamma)


# --- H.12 standard_filters


def filter_by_filter(w, eps):
    return np.stack([(f - f.mean()) / np.sqrt(f.var() + eps) for f in w])


def flat_filters(w, eps):
    rows = w.reshape(len(w), -1)
    d = rows - rows.mean(1, keepdims=True)
    return (d / np.sqrt((d * d).mean(1, keepdims=True) + eps)).reshape(w.shape)


def everything_at_once(w, eps):
    d = w - w.mean()
    return d / np.sqrt((d**2).mean() + eps)


def kernel_by_kernel(w, eps):
    d = w - w.mean((2, 3), keepdims=True)
    return d / np.sqrt((d * d).mean((2, 3), keepdims=True) + eps)


def input_by_input(w, eps):
    return filter_by_filter(w.swapaxes(0, 1), eps).swapaxes(0, 1)


def only_divided_filters(w, eps):
    return np.stack([f / np.sqrt(f.var() + eps) for f in w])


def sample_filters(w, eps):
    return np.stack([(f - f.mean()) / np.sqrt(f.var(ddof=1) + eps) for f in w])


def eps_beside_the_root(w, eps):
    return np.stack([(f - f.mean()) / (f.std() + eps) for f in w])


RIGHT = {
    "standard_filters": [filter_by_filter, flat_filters],
    "standardize": [both_at_once, test_first],
    "image_norm": [two_passes, with_var, in_float64],
    "staged_backward": [cubed, closed_form],
    "stored_variance": [from_zero, start_taken_out, by_weights],
    "advantage": [each_at_its_best, by_indices],
    "losses_on_line": [points_anew, stepped_back],
    "pre_block": [skip_kept, skip_copied],
    "group_norm": [groups_first, group_by_group],
    "merge_moments": [weighed, by_sums],
    "reestimate_norms": [train_first, on_a_copy],
    "slim_step": [by_sign, by_cases],
}

MUTANTS = {
    "standard_filters": {
        "one statistic for the whole array": [everything_at_once],
        "a statistic for every kernel": [kernel_by_kernel],
        "along the inputs": [input_by_input],
        "the mean left in": [only_divided_filters],
        "variance divided by one less": [sample_filters],
        "eps outside of the root": [eps_beside_the_root],
    },
    "standardize": {
        "the test set scaled with its own statistics": [each_its_own],
        "statistics of both sets": [pooled],
        "the std taken too late": [std_too_late],
    },
    "image_norm": {
        "the negative variance clipped": [clipped],
        "more digits after the squaring": [squares_converted],
        "divided by one less": [one_less],
    },
    "staged_backward": {
        "one power of 1/s only": [first_power],
        "one half dropped": [no_half],
        "the sign turned": [plus],
        "the path through the mean removed": [no_mean_path],
    },
    "stored_variance": {
        "the correction removed": [as_pytorch],
        "begun at zero and not corrected": [zero_and_not_corrected],
        "momentum the wrong way round": [other_way_round],
        "all batches weighed alike": [all_alike],
    },
    "advantage": {
        "the rate of the plain nets for both": [rate_of_plain],
        "the rate with the largest gap": [flattering],
        "the luckiest runs compared": [luckiest_runs],
        "the mean over all rates": [all_rates],
    },
    "losses_on_line": {
        "the other way along the line": [uphill],
        "half of the way taken back": [half_back],
        "the direction brought to length 1": [unit_direction],
    },
    "pre_block": {
        "the skip carries the normalized input": [skip_normed],
        "the skip carries the rectified input": [skip_rectified],
        "a ReLU after the sum": [relu_last],
        "the skip left out": [no_skip],
    },
    "group_norm": {
        "groups taken for their size": [by_size],
        "each channel by itself": [instance],
        "all channels in one group": [layer],
        "the batch in the average": [over_the_batch],
    },
    "merge_moments": {
        "only the mean weighed": [mean_weighed],
        "only the squares weighed": [squares_weighed],
        "the variances averaged": [variances_weighed],
        "divided by one less": [unbiased],
    },
    "reestimate_norms": {
        "momentum left at its default": [momentum_kept],
        "only the last batch": [last_batch_only],
        "only the first batch seen": [returned_too_early],
    },
    "slim_step": {
        "a push away from zero": [pushed],
        "the same pull for both signs": [downward],
        "the size instead of the sign": [by_size_of_gamma],
        "the pull outside of the rate": [outside],
    },
}
