"""Ten plausible wrong answers to each of 15 exercises, by a reader of the pages.

Written from the task texts and starters alone, before anything was mended for them. Of
the 150 answers the checker named 105 then: 70% is the rate that was measured blind.
What it names today was mended with this list in view. Seven answers to useless_biases
are left out: they shared a second error, a wrong reading of the task.
"""

import numpy as np


def _train_test_1(train, test):
    mean = train.mean(axis=0)
    std = train.std(axis=0)
    std[std == 0] = 1
    return (train - mean) / std, (test - test.mean(axis=0)) / np.where(
        test.std(axis=0) == 0, 1, test.std(axis=0)
    )


def _train_test_2(train, test):
    both = np.concatenate([train, test])
    mean = both.mean(axis=0)
    std = both.std(axis=0)
    std[std == 0] = 1
    return (train - mean) / std, (test - mean) / std


def _train_test_3(train, test):
    mean = train.mean(axis=None)
    std = train.std(axis=None)
    std = std if std > 0 else 1
    return (train - mean) / std, (test - mean) / std


def _train_test_4(train, test):
    def z(a):
        s = a.std(axis=1, keepdims=True)
        return (a - a.mean(axis=1, keepdims=True)) / np.where(s == 0, 1, s)

    return z(train), z(test)


def _train_test_5(train, test):
    mean = train.mean(axis=0)
    std = train.std(axis=0, ddof=1)
    std[std == 0] = 1
    return (train - mean) / std, (test - mean) / std


def _train_test_6(train, test):
    mean = train.mean(axis=0)
    std = train.std(axis=0)
    std[std == 0] = 1
    a, b = (train - mean) / std, (test - mean) / std
    b[:, train.std(axis=0) == 0] = 0
    return a, b


def _train_test_7(train, test):
    mean = train.mean(axis=0)
    std = train.std(axis=0)
    std = std + 1e-8
    return (train - mean) / std, (test - mean) / std


def _train_test_8(train, test):
    mean = train.mean(axis=0)
    std = train.var(axis=0)
    std[std == 0] = 1
    return (train - mean) / std, (test - mean) / std


def _train_test_9(train, test):
    mean = train.mean(axis=0)
    std = train.std(axis=0)
    std[std == 0] = 1
    return (train - mean) / std, (test - test.mean(axis=0)) / std


def _train_test_10(train, test):
    mean = train.mean(axis=0)
    std = train.std(axis=0)
    std[std == 0] = 1
    return (test - mean) / std, (train - mean) / std


def _importance_1(group, share):
    n = len(group)
    counts = np.bincount(group, minlength=len(share))
    return (counts[group] / n) / share[group]


def _importance_2(group, share):
    return share[group]


def _importance_3(group, share):
    counts = np.bincount(group, minlength=len(share))
    return share[group] / counts[group]


def _importance_4(group, share):
    n = len(group)
    counts = np.bincount(group, minlength=len(share))
    return share / (counts / n)


def _importance_5(group, share):
    n = len(group)
    counts = np.bincount(group, minlength=len(share))
    return n / counts[group]


def _importance_6(group, share):
    n = len(group)
    counts = np.bincount(group, minlength=len(share))
    w = share[group] / (counts[group] / n)
    return w / w.sum()


def _importance_7(group, share):
    counts = np.bincount(group, minlength=len(share))
    return share[group] / (counts[group] / len(share))


def _importance_8(group, share):
    n = len(group)
    counts = np.bincount(group, minlength=len(share))
    return share[group] - counts[group] / n


def _importance_9(group, share):
    counts = np.bincount(group, minlength=len(share))
    return share[group] / (counts[group] / counts.max())


def _importance_10(group, share):
    n = len(group)
    counts = np.bincount(group, minlength=len(share))
    return np.sqrt(share[group] / (counts[group] / n))


def _batch_norm_images_1(x, gamma, beta, eps):
    axes = 0
    mean = x.mean(axis=axes, keepdims=True)
    var = x.var(axis=axes, keepdims=True)
    x_hat = (x - mean) / np.sqrt(var + eps)
    return gamma.reshape(1, -1, 1, 1) * x_hat + beta.reshape(1, -1, 1, 1)


def _batch_norm_images_2(x, gamma, beta, eps):
    axes = (2, 3)
    mean = x.mean(axis=axes, keepdims=True)
    var = x.var(axis=axes, keepdims=True)
    x_hat = (x - mean) / np.sqrt(var + eps)
    return gamma.reshape(1, -1, 1, 1) * x_hat + beta.reshape(1, -1, 1, 1)


def _batch_norm_images_3(x, gamma, beta, eps):
    axes = (1, 2, 3)
    mean = x.mean(axis=axes, keepdims=True)
    var = x.var(axis=axes, keepdims=True)
    x_hat = (x - mean) / np.sqrt(var + eps)
    return gamma.reshape(1, -1, 1, 1) * x_hat + beta.reshape(1, -1, 1, 1)


def _batch_norm_images_4(x, gamma, beta, eps):
    axes = (0, 1, 2)
    mean = x.mean(axis=axes, keepdims=True)
    var = x.var(axis=axes, keepdims=True)
    x_hat = (x - mean) / np.sqrt(var + eps)
    return gamma.reshape(1, -1, 1, 1) * x_hat + beta.reshape(1, -1, 1, 1)


def _batch_norm_images_5(x, gamma, beta, eps):
    axes = (0, 2, 3)
    mean = x.mean(axis=axes, keepdims=True)
    var = x.var(axis=axes, keepdims=True)
    x_hat = (x - mean) / np.sqrt(var + eps)
    return gamma * x_hat + beta


def _batch_norm_images_6(x, gamma, beta, eps):
    axes = (0, 2, 3)
    mean = x.mean(axis=axes, keepdims=True)
    var = x.var(axis=axes, keepdims=True)
    x_hat = (x - mean) / (np.sqrt(var) + eps)
    return gamma.reshape(1, -1, 1, 1) * x_hat + beta.reshape(1, -1, 1, 1)


def _batch_norm_images_7(x, gamma, beta, eps):
    axes = (0, 2, 3)
    mean = x.mean(axis=axes, keepdims=True)
    var = x.var(axis=axes, keepdims=True, ddof=1)
    x_hat = (x - mean) / np.sqrt(var + eps)
    return gamma.reshape(1, -1, 1, 1) * x_hat + beta.reshape(1, -1, 1, 1)


def _batch_norm_images_8(x, gamma, beta, eps):
    axes = (0, 2, 3)
    mean = x.mean(axis=axes, keepdims=True)
    var = x.var(axis=axes, keepdims=True)
    x_hat = (x - mean) / np.sqrt(var + eps)
    return gamma.reshape(1, 1, -1, 1) * x_hat + beta.reshape(1, 1, -1, 1)


def _batch_norm_images_9(x, gamma, beta, eps):
    axes = (0, 2, 3)
    mean = x.mean(axis=axes, keepdims=True)
    var = x.var(axis=axes, keepdims=True)
    x_hat = (x - mean) / np.sqrt(var + eps)
    return gamma.reshape(1, -1, 1, 1) * (x_hat + beta.reshape(1, -1, 1, 1))


def _batch_norm_images_10(x, gamma, beta, eps):
    C = x.shape[1]
    flat = x.reshape(C, -1)
    x_hat = (flat - flat.mean(axis=1, keepdims=True)) / np.sqrt(
        flat.var(axis=1, keepdims=True) + eps
    )
    return (gamma[:, None] * x_hat + beta[:, None]).reshape(x.shape)


def _batch_norm_backward_1(d_y, x_hat, inv_std, gamma):
    d_gamma = (d_y * x_hat).sum(axis=0)
    d_beta = d_y.sum(axis=0)
    d_x_hat = d_y * gamma
    d_x = inv_std * (
        d_x_hat - d_x_hat.sum(axis=0) - x_hat * (d_x_hat * x_hat).sum(axis=0)
    )
    return d_x, d_gamma, d_beta


def _batch_norm_backward_2(d_y, x_hat, inv_std, gamma):
    d_gamma = (d_y * x_hat).sum(axis=0)
    d_beta = d_y.sum(axis=0)
    d_x_hat = d_y
    d_x = inv_std * (
        d_x_hat - d_x_hat.mean(axis=0) - x_hat * (d_x_hat * x_hat).mean(axis=0)
    )
    return d_x, d_gamma, d_beta


def _batch_norm_backward_3(d_y, x_hat, inv_std, gamma):
    d_gamma = (d_y * x_hat).sum(axis=0)
    d_beta = d_y.sum(axis=0)
    d_x_hat = d_y * gamma
    d_x = inv_std * (d_x_hat)
    return d_x, d_gamma, d_beta


def _batch_norm_backward_4(d_y, x_hat, inv_std, gamma):
    d_gamma = (d_y * x_hat).sum(axis=0)
    d_beta = d_y.sum(axis=0)
    d_x_hat = d_y * gamma
    d_x = inv_std * (d_x_hat - d_x_hat.mean(axis=0))
    return d_x, d_gamma, d_beta


def _batch_norm_backward_5(d_y, x_hat, inv_std, gamma):
    d_gamma = (d_y * x_hat).sum(axis=0)
    d_beta = d_y.sum(axis=0)
    d_x_hat = d_y * gamma
    d_x = inv_std * (
        d_x_hat - d_x_hat.mean(axis=0) + x_hat * (d_x_hat * x_hat).mean(axis=0)
    )
    return d_x, d_gamma, d_beta


def _batch_norm_backward_6(d_y, x_hat, inv_std, gamma):
    d_gamma = (d_y * x_hat).sum(axis=0)
    d_beta = d_y.sum(axis=0)
    d_x_hat = d_y * gamma
    d_x = (1 / inv_std) * (
        d_x_hat - d_x_hat.mean(axis=0) - x_hat * (d_x_hat * x_hat).mean(axis=0)
    )
    return d_x, d_gamma, d_beta


def _batch_norm_backward_7(d_y, x_hat, inv_std, gamma):
    d_gamma = (d_y * x_hat).mean(axis=0)
    d_beta = d_y.mean(axis=0)
    d_x_hat = d_y * gamma
    d_x = inv_std * (
        d_x_hat - d_x_hat.mean(axis=0) - x_hat * (d_x_hat * x_hat).mean(axis=0)
    )
    return d_x, d_gamma, d_beta


def _batch_norm_backward_8(d_y, x_hat, inv_std, gamma):
    d_gamma = (d_y * x_hat).sum(axis=0)
    d_beta = d_y.sum(axis=0)
    d_x_hat = d_y * gamma
    d_x = inv_std * (
        d_x_hat - d_x_hat.mean(axis=0) - x_hat * (d_x_hat * x_hat).mean(axis=0)
    )
    return d_x, d_beta, d_gamma


def _batch_norm_backward_9(d_y, x_hat, inv_std, gamma):
    d_gamma = (d_y * x_hat).sum(axis=0)
    d_beta = d_y.sum(axis=0)
    d_x_hat = d_y * gamma
    d_x = inv_std * (
        d_x_hat
        - d_x_hat.mean(axis=0)
        - x_hat * d_x_hat.mean(axis=0) * x_hat.mean(axis=0)
    )
    return d_x, d_gamma, d_beta


def _batch_norm_backward_10(d_y, x_hat, inv_std, gamma):
    d_gamma = (d_y * x_hat).sum(axis=0)
    d_beta = d_y.sum(axis=0)
    d_x_hat = d_y * gamma
    d_x = inv_std * (
        d_x_hat
        - d_x_hat.sum(axis=0) / (len(d_y) - 1)
        - x_hat * (d_x_hat * x_hat).sum(axis=0) / (len(d_y) - 1)
    )
    return d_x, d_gamma, d_beta


def _batch_norm_step_1(x, running_mean, running_var, training):
    eps, momentum = 1e-5, 0.1
    if training:
        mean, var = x.mean(axis=0), x.var(axis=0)
        new_mean = (1 - momentum) * running_mean + momentum * mean
        new_var = (1 - momentum) * running_var + momentum * var
    else:
        mean, var = running_mean, running_var
        new_mean, new_var = running_mean, running_var
    return (x - mean) / np.sqrt(var + eps), new_mean, new_var


def _batch_norm_step_2(x, running_mean, running_var, training):
    eps, momentum = 1e-5, 0.1
    if training:
        mean, var = x.mean(axis=0), x.var(axis=0, ddof=1)
        new_mean = (1 - momentum) * running_mean + momentum * mean
        new_var = (1 - momentum) * running_var + momentum * x.var(axis=0, ddof=1)
    else:
        mean, var = running_mean, running_var
        new_mean, new_var = running_mean, running_var
    return (x - mean) / np.sqrt(var + eps), new_mean, new_var


def _batch_norm_step_3(x, running_mean, running_var, training):
    eps, momentum = 1e-5, 0.1
    if training:
        mean, var = x.mean(axis=0), x.var(axis=0)
        new_mean = momentum * running_mean + (1 - momentum) * mean
        new_var = momentum * running_var + (1 - momentum) * x.var(axis=0, ddof=1)
    else:
        mean, var = running_mean, running_var
        new_mean, new_var = running_mean, running_var
    return (x - mean) / np.sqrt(var + eps), new_mean, new_var


def _batch_norm_step_4(x, running_mean, running_var, training):
    eps, momentum = 1e-5, 0.1
    if training:
        mean, var = x.mean(axis=0), x.var(axis=0)
        new_mean = (1 - momentum) * running_mean + momentum * mean
        new_var = (1 - momentum) * running_var + momentum * x.var(axis=0, ddof=1)
    else:
        mean, var = running_mean, running_var
        new_mean = (1 - momentum) * running_mean + momentum * x.mean(axis=0)
        new_var = (1 - momentum) * running_var + momentum * x.var(axis=0, ddof=1)
    return (x - mean) / np.sqrt(var + eps), new_mean, new_var


def _batch_norm_step_5(x, running_mean, running_var, training):
    eps, momentum = 1e-5, 0.1
    if training:
        mean, var = x.mean(axis=0), x.var(axis=0)
        new_mean = (1 - momentum) * running_mean + momentum * mean
        new_var = (1 - momentum) * running_var + momentum * x.var(axis=0, ddof=1)
    else:
        mean, var = x.mean(axis=0), x.var(axis=0)
        new_mean, new_var = running_mean, running_var
    return (x - mean) / np.sqrt(var + eps), new_mean, new_var


def _batch_norm_step_6(x, running_mean, running_var, training):
    eps, momentum = 1e-5, 0.1
    if training:
        mean, var = x.mean(axis=0), x.var(axis=0)
        new_mean = (1 - momentum) * running_mean + momentum * mean
        new_var = (1 - momentum) * running_var + momentum * x.var(axis=0, ddof=1)
    else:
        mean, var = running_mean, running_var
        new_mean, new_var = running_mean, running_var
    if training:
        mean, var = new_mean, new_var
    return (x - mean) / np.sqrt(var + eps), new_mean, new_var


def _batch_norm_step_7(x, running_mean, running_var, training):
    eps, momentum = 1e-5, 0.1
    if not training:
        mean, var = x.mean(axis=0), x.var(axis=0)
        new_mean = (1 - momentum) * running_mean + momentum * mean
        new_var = (1 - momentum) * running_var + momentum * x.var(axis=0, ddof=1)
    else:
        mean, var = running_mean, running_var
        new_mean, new_var = running_mean, running_var
    return (x - mean) / np.sqrt(var + eps), new_mean, new_var


def _batch_norm_step_8(x, running_mean, running_var, training):
    eps, momentum = 1e-5, 0.1
    if training:
        mean, var = x.mean(axis=0), x.var(axis=0)
        running_mean *= 1 - momentum
        running_mean += momentum * mean
        running_var *= 1 - momentum
        running_var += momentum * x.var(axis=0, ddof=1)
        new_mean, new_var = running_mean, running_var
    else:
        mean, var = running_mean, running_var
        new_mean, new_var = running_mean, running_var
    return (x - mean) / np.sqrt(var + eps), new_mean, new_var


def _batch_norm_step_9(x, running_mean, running_var, training):
    eps, momentum = 1e-5, 0.1
    if training:
        mean, var = x.mean(axis=0), x.var(axis=0)
        new_mean = (1 - momentum) * running_mean + momentum * mean
        new_var = (1 - momentum) * running_var + momentum * x.std(axis=0, ddof=1)
    else:
        mean, var = running_mean, running_var
        new_mean, new_var = running_mean, running_var
    return (x - mean) / np.sqrt(var + eps), new_mean, new_var


def _batch_norm_step_10(x, running_mean, running_var, training):
    eps, momentum = 1e-5, 0.1
    if training:
        mean, var = x.mean(axis=0), x.var(axis=0)
        new_mean = (1 - momentum) * running_mean + momentum * mean
        new_var = (1 - momentum) * running_var + momentum * x.var(axis=0, ddof=1)
    else:
        mean, var = running_mean, running_var
        new_mean, new_var = running_mean, running_var
    if not training:
        eps = 0
    return (x - mean) / np.sqrt(var + eps), new_mean, new_var


def _merge_batches_1(n_a, mean_a, var_a, n_b, mean_b, var_b):
    n = n_a + n_b
    mean = (n_a * mean_a + n_b * mean_b) / n
    var = (n_a * (var_a) + n_b * (var_b)) / n
    return n, mean, var


def _merge_batches_2(n_a, mean_a, var_a, n_b, mean_b, var_b):
    n = n_a + n_b
    mean = (mean_a + mean_b) / 2
    var = (
        n_a * (var_a + (mean_a - mean) ** 2) + n_b * (var_b + (mean_b - mean) ** 2)
    ) / n
    return n, mean, var


def _merge_batches_3(n_a, mean_a, var_a, n_b, mean_b, var_b):
    n = n_a + n_b
    mean = (n_a * mean_a + n_b * mean_b) / n
    var = (var_a + var_b) / 2 + (mean_a - mean_b) ** 2 / 4
    return n, mean, var


def _merge_batches_4(n_a, mean_a, var_a, n_b, mean_b, var_b):
    n = n_a + n_b
    mean = (n_a * mean_a + n_b * mean_b) / n
    var = (
        n_a * (var_a + (mean_a - mean) ** 2) + n_b * (var_b + (mean_b - mean) ** 2)
    ) / (n - 1)
    return n, mean, var


def _merge_batches_5(n_a, mean_a, var_a, n_b, mean_b, var_b):
    n = n_a + n_b
    mean = (n_a * mean_a + n_b * mean_b) / n
    var = (
        (n_a - 1) * var_a
        + (n_b - 1) * var_b
        + n_a * (mean_a - mean) ** 2
        + n_b * (mean_b - mean) ** 2
    ) / n
    return n, mean, var


def _merge_batches_6(n_a, mean_a, var_a, n_b, mean_b, var_b):
    n = n_a + n_b
    mean = (n_a * mean_a + n_b * mean_b) / n
    var = (n_a * var_a + n_b * var_b) / n + (mean_a - mean_b) ** 2 * n_a * n_b / n
    return n, mean, var


def _merge_batches_7(n_a, mean_a, var_a, n_b, mean_b, var_b):
    n = n_a + n_b
    mean = (n_a * mean_a + n_b * mean_b) / n
    var = (n_a * (var_a + abs(mean_a - mean)) + n_b * (var_b + abs(mean_b - mean))) / n
    return n, mean, var


def _merge_batches_8(n_a, mean_a, var_a, n_b, mean_b, var_b):
    n = n_a + n_b
    mean = (n_b * mean_a + n_a * mean_b) / n
    var = (
        n_a * (var_a + (mean_a - mean) ** 2) + n_b * (var_b + (mean_b - mean) ** 2)
    ) / n
    return n, mean, var


def _merge_batches_9(n_a, mean_a, var_a, n_b, mean_b, var_b):
    n = n_a + n_b
    mean = (n_a * mean_a + n_b * mean_b) / n
    var = var_a + var_b
    return n, mean, var


def _merge_batches_10(n_a, mean_a, var_a, n_b, mean_b, var_b):
    n = n_a + n_b
    mean = (n_a * mean_a + n_b * mean_b) / n
    var = (
        n_a * (var_a - (mean_a - mean) ** 2) + n_b * (var_b - (mean_b - mean) ** 2)
    ) / n
    return n, mean, var


def _speed_up_1(plain, bn, target):
    def best(acc):
        hit = acc >= target
        first = np.where(hit.any(axis=2), hit.argmax(axis=2) + 1.0, np.inf)
        return np.median(first, axis=1).min()

    a, b = best(plain), best(bn)
    if np.isinf(a):
        return np.inf
    return b / a


def _speed_up_2(plain, bn, target):
    def best(acc):
        hit = acc >= target
        first = np.where(hit.any(axis=2), hit.argmax(axis=2) + 1.0, np.inf)
        return first.mean(axis=1).min()

    a, b = best(plain), best(bn)
    if np.isinf(a):
        return np.inf
    return a / b


def _speed_up_3(plain, bn, target):
    def best(acc):
        hit = acc >= target
        first = np.where(hit.any(axis=2), hit.argmax(axis=2) + 0.0, np.inf)
        return np.median(first, axis=1).min()

    a, b = best(plain), best(bn)
    if np.isinf(a):
        return np.inf
    return a / b


def _speed_up_4(plain, bn, target):
    def best(acc):
        hit = acc >= target
        first = np.where(hit.any(axis=2), hit.argmax(axis=2) + 1.0, np.inf)
        return first.min()

    a, b = best(plain), best(bn)
    if np.isinf(a):
        return np.inf
    return a / b


def _speed_up_5(plain, bn, target):
    def best(acc):
        hit = acc >= target
        first = np.where(hit.any(axis=2), hit.argmax(axis=2) + 1.0, np.inf)
        return np.median(first, axis=0).min()

    a, b = best(plain), best(bn)
    if np.isinf(a):
        return np.inf
    return a / b


def _speed_up_6(plain, bn, target):
    def best(acc):
        hit = np.median(acc, axis=1) >= target
        first = np.where(hit.any(axis=1), hit.argmax(axis=1) + 1.0, np.inf)
        return first.min()

    a, b = best(plain), best(bn)
    if np.isinf(a):
        return np.inf
    return a / b


def _speed_up_7(plain, bn, target):
    def best(acc):
        hit = acc >= target
        first = hit.argmax(axis=2) + 1.0
        return np.median(first, axis=1).min()

    a, b = best(plain), best(bn)
    if np.isinf(a):
        return np.inf
    return a / b


def _speed_up_8(plain, bn, target):
    def best(acc):
        hit = acc >= target
        first = np.where(hit.any(axis=2), hit.argmax(axis=2) + 1.0, acc.shape[2])
        return np.median(first, axis=1).min()

    a, b = best(plain), best(bn)
    if np.isinf(a):
        return np.inf
    return a / b


def _speed_up_9(plain, bn, target):
    def steps(acc):
        hit = acc >= target
        return np.median(
            np.where(hit.any(axis=2), hit.argmax(axis=2) + 1.0, np.inf), axis=1
        )

    p, b = steps(plain), steps(bn)
    r = b.argmin()
    return p[r] / b[r]


def _speed_up_10(plain, bn, target):
    def best(acc):
        hit = acc >= target
        first = np.where(
            hit.any(axis=2),
            acc.shape[2] - (~hit)[:, :, ::-1].argmax(axis=2) + 1.0,
            np.inf,
        )
        return np.median(first, axis=1).min()

    a, b = best(plain), best(bn)
    if np.isinf(a):
        return np.inf
    return a / b


def _gradient_shift_1(gradients, weights, layer, lr, t):
    before = gradients(weights, t)
    moved = [
        w - lr * g if i <= layer else w
        for i, (w, g) in enumerate(zip(weights, before, strict=True))
    ]
    after = gradients(moved, t)[layer]
    a, b = before[layer].ravel(), after.ravel()
    return a @ b / (np.linalg.norm(a) * np.linalg.norm(b))


def _gradient_shift_2(gradients, weights, layer, lr, t):
    before = gradients(weights, t)
    moved = [w - lr * g for i, (w, g) in enumerate(zip(weights, before, strict=True))]
    after = gradients(moved, t)[layer]
    a, b = before[layer].ravel(), after.ravel()
    return a @ b / (np.linalg.norm(a) * np.linalg.norm(b))


def _gradient_shift_3(gradients, weights, layer, lr, t):
    before = gradients(weights, t)
    moved = [
        w - lr * g if i < layer else w
        for i, (w, g) in enumerate(zip(weights, before, strict=True))
    ]
    after = gradients(moved, t + 1)[layer]
    a, b = before[layer].ravel(), after.ravel()
    return a @ b / (np.linalg.norm(a) * np.linalg.norm(b))


def _gradient_shift_4(gradients, weights, layer, lr, t):
    before = gradients(weights, t)
    moved = [
        w - lr * g if i > layer else w
        for i, (w, g) in enumerate(zip(weights, before, strict=True))
    ]
    after = gradients(moved, t)[layer]
    a, b = before[layer].ravel(), after.ravel()
    return a @ b / (np.linalg.norm(a) * np.linalg.norm(b))


def _gradient_shift_5(gradients, weights, layer, lr, t):
    before = gradients(weights, t)
    moved = [
        w + lr * g if i < layer else w
        for i, (w, g) in enumerate(zip(weights, before, strict=True))
    ]
    after = gradients(moved, t)[layer]
    a, b = before[layer].ravel(), after.ravel()
    return a @ b / (np.linalg.norm(a) * np.linalg.norm(b))


def _gradient_shift_6(gradients, weights, layer, lr, t):
    before = gradients(weights, t)
    moved = [
        w - lr * g if i < layer else w
        for i, (w, g) in enumerate(zip(weights, before, strict=True))
    ]
    after = gradients(moved, t)[layer]
    a, b = before[layer].ravel(), after.ravel()
    return a @ b


def _gradient_shift_7(gradients, weights, layer, lr, t):
    before = gradients(weights, t)
    moved = [
        w - lr * g if i < layer else w
        for i, (w, g) in enumerate(zip(weights, before, strict=True))
    ]
    after = gradients(moved, t)[layer]
    a, b = before[layer].ravel(), after.ravel()
    return np.linalg.norm(a - b)


def _gradient_shift_8(gradients, weights, layer, lr, t):
    before = gradients(weights, t)
    moved = [
        w - lr * g if i == layer - 1 else w
        for i, (w, g) in enumerate(zip(weights, before, strict=True))
    ]
    after = gradients(moved, t)[layer]
    a, b = before[layer].ravel(), after.ravel()
    return a @ b / (np.linalg.norm(a) * np.linalg.norm(b))


def _gradient_shift_9(gradients, weights, layer, lr, t):
    before = gradients(weights, t)
    moved = [
        w - lr * g if i < layer else w
        for i, (w, g) in enumerate(zip(weights, before, strict=True))
    ]
    after = gradients(moved, t)[layer]
    a, b = before[layer].ravel(), after.ravel()
    return a @ b / np.linalg.norm(a) ** 2


def _gradient_shift_10(gradients, weights, layer, lr, t):
    before = gradients(weights, t)
    moved = weights
    for i in range(layer):
        moved[i] -= lr * before[i]
    after = gradients(moved, t)[layer]
    a, b = before[layer].ravel(), after.ravel()
    return a @ b / (np.linalg.norm(a) * np.linalg.norm(b))


def _saturated_share_1(h, activation):
    if activation == "tanh":
        slope, top = 1 - np.tanh(h) ** 2, 1
    else:
        slope, top = (1 / (1 + np.exp(-h))) * (1 - 1 / (1 + np.exp(-h))), 0.25
    return (slope < 0.1 * top).mean()


def _saturated_share_2(h, activation):
    if activation == "tanh":
        slope, top = 1 - h**2, 1
    else:
        slope, top = h * (1 - h), 1
    return (slope < 0.1 * top).mean()


def _saturated_share_3(h, activation):
    slope = 1 - h**2 if activation == "tanh" else h * (1 - h)
    return (slope < 0.1 * slope.max()).mean()


def _saturated_share_4(h, activation):
    if activation == "tanh":
        slope, top = 1 - h**2, 1
    else:
        slope, top = h * (1 - h), 0.25
    return (slope >= 0.1 * top).mean()


def _saturated_share_5(h, activation):
    if activation == "tanh":
        slope, top = 1 - h, 1
    else:
        slope, top = h * (1 - h), 0.25
    return (slope < 0.1 * top).mean()


def _saturated_share_6(h, activation):
    if activation == "tanh":
        return (np.abs(h) > 0.9).mean()
    return ((h > 0.9) | (h < 0.1)).mean()


def _saturated_share_7(h, activation):
    if activation == "tanh":
        return (h > np.sqrt(0.9)).mean()
    return (h > (1 + np.sqrt(0.9)) / 2).mean()


def _saturated_share_8(h, activation):
    if activation == "tanh":
        slope, top = 1 - h**2, 1
    else:
        slope, top = h * (1 - h), 0.25
    return (slope < 0.1 * top).sum()


def _saturated_share_9(h, activation):
    if activation == "sigmoid":
        slope, top = 1 - h**2, 1
    else:
        slope, top = h * (1 - h), 0.25
    return (slope < 0.1 * top).mean()


def _saturated_share_10(h, activation):
    if activation == "tanh":
        slope, top = 1 - h**2, 1
    else:
        slope, top = h * (1 - h), 0.25
    return (slope < 0.01 * top).mean()


def _useless_biases_3(layers):
    out = []
    for i, kind in enumerate(layers[:-1]):
        if kind in ("linear", "conv"):
            j = i + 1
            while j < len(layers) and layers[j] != "bn":
                j += 1
            if j < len(layers) and layers[j] == "bn":
                out.append(i)
    return out


def _useless_biases_9(layers):
    return [
        i
        for i in range(1, len(layers))
        if layers[i] in ("linear", "conv") and layers[i - 1] == "bn"
    ]


def _useless_biases_10(layers):
    return [
        i
        for i, k in enumerate(layers)
        if k in ("linear", "conv")
        and not (i + 1 < len(layers) and layers[i + 1] == "bn")
    ]


def _ghost_step_1(x, size, eps):
    n, c = x.shape
    g = x.reshape(1, n, c)
    mean = g.mean(axis=1, keepdims=True)
    var = g.var(axis=1, keepdims=True)
    y = (g - mean) / np.sqrt(var + eps)
    return y.reshape(n, c), mean.mean(axis=(0, 1)), g.var(axis=1, ddof=1).mean(axis=0)


def _ghost_step_2(x, size, eps):
    n, c = x.shape
    g = x.reshape(n // size, size, c)
    mean = g.mean(axis=1, keepdims=True)
    var = g.var(axis=1, keepdims=True)
    y = (g - mean) / np.sqrt(var + eps)
    return y.reshape(n, c), mean.mean(axis=(0, 1)), g.var(axis=1, ddof=0).mean(axis=0)


def _ghost_step_3(x, size, eps):
    n, c = x.shape
    g = x.reshape(n // size, size, c)
    mean = g.mean(axis=1, keepdims=True)
    var = g.var(axis=1, keepdims=True, ddof=1)
    y = (g - mean) / np.sqrt(var + eps)
    return y.reshape(n, c), mean.mean(axis=(0, 1)), g.var(axis=1, ddof=1).mean(axis=0)


def _ghost_step_4(x, size, eps):
    n, c = x.shape
    g = x.reshape(size, n // size, c).swapaxes(0, 1)
    mean = g.mean(axis=1, keepdims=True)
    var = g.var(axis=1, keepdims=True)
    y = (g - mean) / np.sqrt(var + eps)
    return (
        y.swapaxes(0, 1).reshape(n, c),
        mean.mean(axis=(0, 1)),
        g.var(axis=1, ddof=1).mean(axis=0),
    )


def _ghost_step_5(x, size, eps):
    n, c = x.shape
    g = x.reshape(n // size, size, c)
    mean = g.mean(axis=1, keepdims=True)
    var = g.var(axis=1, keepdims=True)
    y = (g - mean) / np.sqrt(var + eps)
    return y.reshape(n, c), mean.mean(axis=(0, 1)), x.var(axis=0, ddof=1)


def _ghost_step_6(x, size, eps):
    n, c = x.shape
    g = x.reshape(n // size, size, c)
    mean = g.mean(axis=1, keepdims=True)
    var = g.var(axis=1, keepdims=True)
    y = (g - mean) / np.sqrt(var)
    return y.reshape(n, c), mean.mean(axis=(0, 1)), g.var(axis=1, ddof=1).mean(axis=0)


def _ghost_step_7(x, size, eps):
    n, c = x.shape
    g = x.reshape(n // size, size, c)
    mean = g.mean(axis=1, keepdims=True)
    var = g.var(axis=1, keepdims=True)
    y = (g - mean) / np.sqrt(var + eps)
    return y, mean.mean(axis=(0, 1)), g.var(axis=1, ddof=1).mean(axis=0)


def _ghost_step_8(x, size, eps):
    n, c = x.shape
    g = x.reshape(n // size, size, c)
    mean = g.mean(axis=0, keepdims=True)
    var = g.var(axis=0, keepdims=True)
    y = (g - mean) / np.sqrt(var + eps)
    return y.reshape(n, c), mean.mean(axis=(0, 1)), g.var(axis=1, ddof=1).mean(axis=0)


def _ghost_step_9(x, size, eps):
    n, c = x.shape
    g = x.reshape(size, n // size, c)
    mean = g.mean(axis=1, keepdims=True)
    var = g.var(axis=1, keepdims=True)
    y = (g - mean) / np.sqrt(var + eps)
    return y.reshape(n, c), mean.mean(axis=(0, 1)), g.var(axis=1, ddof=1).mean(axis=0)


def _ghost_step_10(x, size, eps):
    n, c = x.shape
    g = x.reshape(n // size, size, c)
    mean = g.mean(axis=1, keepdims=True)
    var = g.var(axis=1, keepdims=True)
    y = (g - mean) / np.sqrt(var + eps)
    return y.reshape(n, c), mean.mean(axis=(0, 1)), var.mean(axis=(0, 1)) * n / (n - 1)


def _backward_part_1(d_y_parts, x_hat_parts, gamma, inv_std, rank):
    d, h = d_y_parts[rank], x_hat_parts[rank]
    return gamma * inv_std * (d - d.mean(axis=0) - h * (d * h).mean(axis=0))


def _backward_part_2(d_y_parts, x_hat_parts, gamma, inv_std, rank):
    s1 = np.mean([p.mean(axis=0) for p in d_y_parts], axis=0)
    s2 = np.mean(
        [(p * q).mean(axis=0) for p, q in zip(d_y_parts, x_hat_parts, strict=True)],
        axis=0,
    )
    return gamma * inv_std * (d_y_parts[rank] - s1 - x_hat_parts[rank] * s2)


def _backward_part_3(d_y_parts, x_hat_parts, gamma, inv_std, rank):
    n = len(d_y_parts[rank])
    s1 = sum(p.sum(axis=0) for p in d_y_parts) / n
    s2 = (
        sum((p * q).sum(axis=0) for p, q in zip(d_y_parts, x_hat_parts, strict=True))
        / n
    )
    return gamma * inv_std * (d_y_parts[rank] - s1 - x_hat_parts[rank] * s2)


def _backward_part_4(d_y_parts, x_hat_parts, gamma, inv_std, rank):
    n = 1
    s1 = sum(p.sum(axis=0) for p in d_y_parts) / n
    s2 = (
        sum((p * q).sum(axis=0) for p, q in zip(d_y_parts, x_hat_parts, strict=True))
        / n
    )
    return gamma * inv_std * (d_y_parts[rank] - s1 - x_hat_parts[rank] * s2)


def _backward_part_5(d_y_parts, x_hat_parts, gamma, inv_std, rank):
    n = sum(len(p) for p in d_y_parts)
    s1 = sum(p.sum(axis=0) for p in d_y_parts) / n
    s2 = (
        sum((p * q).sum(axis=0) for p, q in zip(d_y_parts, x_hat_parts, strict=True))
        / n
    )
    return inv_std * (d_y_parts[rank] - s1 - x_hat_parts[rank] * s2)


def _backward_part_6(d_y_parts, x_hat_parts, gamma, inv_std, rank):
    n = sum(len(p) for p in d_y_parts)
    s1 = sum(p.sum(axis=0) for p in d_y_parts) / n
    s2 = (
        sum((p * q).sum(axis=0) for p, q in zip(d_y_parts, x_hat_parts, strict=True))
        / n
    )
    return gamma * (d_y_parts[rank] - s1 - x_hat_parts[rank] * s2)


def _backward_part_7(d_y_parts, x_hat_parts, gamma, inv_std, rank):
    n = len(d_y_parts)
    s1 = sum(p.sum(axis=0) for p in d_y_parts) / n
    s2 = (
        sum((p * q).sum(axis=0) for p, q in zip(d_y_parts, x_hat_parts, strict=True))
        / n
    )
    return gamma * inv_std * (d_y_parts[rank] - s1 - x_hat_parts[rank] * s2)


def _backward_part_8(d_y_parts, x_hat_parts, gamma, inv_std, rank):
    n = sum(len(p) for p in d_y_parts)
    s1 = sum(p.sum(axis=0) for p in d_y_parts) / n
    s2 = (
        sum((p * q).sum(axis=0) for p, q in zip(d_y_parts, x_hat_parts, strict=True))
        / n
    )
    return gamma * inv_std * (d_y_parts[rank] - s1 + x_hat_parts[rank] * s2)


def _backward_part_9(d_y_parts, x_hat_parts, gamma, inv_std, rank):
    n = sum(len(p) for p in d_y_parts)
    s2 = (
        sum((p * q).sum(axis=0) for p, q in zip(d_y_parts, x_hat_parts, strict=True))
        / n
    )
    return gamma * inv_std * (d_y_parts[rank] - x_hat_parts[rank] * s2)


def _backward_part_10(d_y_parts, x_hat_parts, gamma, inv_std, rank):
    d, h = np.concatenate(d_y_parts), np.concatenate(x_hat_parts)
    return gamma * inv_std * (d - d.mean(axis=0) - h * (d * h).mean(axis=0))


def _shifted_statistics_1(weight, mean, var, gain, offset):
    return gain * mean + offset, gain**2 * var


def _shifted_statistics_2(weight, mean, var, gain, offset):
    return gain * mean + offset * weight.sum(axis=(1, 2, 3)), gain * var


def _shifted_statistics_3(weight, mean, var, gain, offset):
    return gain * mean + offset * weight.sum(axis=(1, 2, 3)), abs(gain) * var


def _shifted_statistics_4(weight, mean, var, gain, offset):
    return gain * mean + offset * weight.sum(axis=(1, 2, 3)), gain**2 * var + offset**2


def _shifted_statistics_5(weight, mean, var, gain, offset):
    return gain * mean + offset * weight.sum(axis=(0, 2, 3)), gain**2 * var


def _shifted_statistics_6(weight, mean, var, gain, offset):
    return gain * mean + offset * weight[:, 0].sum(axis=(1, 2)), gain**2 * var


def _shifted_statistics_7(weight, mean, var, gain, offset):
    return gain * mean + offset * weight.mean(axis=(1, 2, 3)), gain**2 * var


def _shifted_statistics_8(weight, mean, var, gain, offset):
    return gain * (mean + offset * weight.sum(axis=(1, 2, 3))), gain**2 * var


def _shifted_statistics_9(weight, mean, var, gain, offset):
    return mean + offset * weight.sum(axis=(1, 2, 3)), gain**2 * var


def _shifted_statistics_10(weight, mean, var, gain, offset):
    return gain * mean, gain**2 * var


def _kept_channels_1(gammas, count, floor):
    sizes = [g.copy() for g in gammas]
    layer = np.concatenate([np.full(len(s), i) for i, s in enumerate(sizes)])
    pos = np.concatenate([np.arange(len(s)) for s in sizes])
    flat = np.concatenate(sizes)
    free = np.ones(len(flat), bool)
    start = 0
    for s in sizes:
        top = np.argsort(-s, kind="stable")[:floor]
        free[start + top] = False
        start += len(s)
    order = [k for k in np.argsort(flat, kind="stable") if free[k]][:count]
    masks = [np.ones(len(s), bool) for s in sizes]
    for k in order:
        masks[layer[k]][pos[k]] = False
    return masks


def _kept_channels_2(gammas, count, floor):
    sizes = [np.abs(g) for g in gammas]
    layer = np.concatenate([np.full(len(s), i) for i, s in enumerate(sizes)])
    pos = np.concatenate([np.arange(len(s)) for s in sizes])
    flat = np.concatenate(sizes)
    free = np.ones(len(flat), bool)
    order = [k for k in np.argsort(flat, kind="stable") if free[k]][:count]
    masks = [np.ones(len(s), bool) for s in sizes]
    for k in order:
        masks[layer[k]][pos[k]] = False
    return masks


def _kept_channels_3(gammas, count, floor):
    sizes = [np.abs(g) for g in gammas]
    layer = np.concatenate([np.full(len(s), i) for i, s in enumerate(sizes)])
    pos = np.concatenate([np.arange(len(s)) for s in sizes])
    flat = np.concatenate(sizes)
    free = np.ones(len(flat), bool)
    start = 0
    for s in sizes:
        top = np.argsort(-s, kind="stable")[:floor]
        free[start + top] = False
        start += len(s)
    order = [k for k in np.argsort(flat, kind="stable")[:count] if free[k]]
    masks = [np.ones(len(s), bool) for s in sizes]
    for k in order:
        masks[layer[k]][pos[k]] = False
    return masks


def _kept_channels_4(gammas, count, floor):
    sizes = [np.abs(g) for g in gammas]
    layer = np.concatenate([np.full(len(s), i) for i, s in enumerate(sizes)])
    pos = np.concatenate([np.arange(len(s)) for s in sizes])
    flat = np.concatenate(sizes)
    free = np.ones(len(flat), bool)
    start = 0
    for s in sizes:
        top = np.argsort(-s, kind="stable")[:floor]
        free[start + top] = False
        start += len(s)
    order = [k for k in np.argsort(flat, kind="stable") if free[k]][:count]
    masks = [np.zeros(len(s), bool) for s in sizes]
    for k in order:
        masks[layer[k]][pos[k]] = True
    return masks


def _kept_channels_5(gammas, count, floor):
    sizes = [np.abs(g) for g in gammas]
    layer = np.concatenate([np.full(len(s), i) for i, s in enumerate(sizes)])
    pos = np.concatenate([np.arange(len(s)) for s in sizes])
    flat = np.concatenate(sizes)
    free = np.ones(len(flat), bool)
    start = 0
    for s in sizes:
        top = np.argsort(-s, kind="stable")[:floor]
        free[start + top] = False
        start += len(s)
    order = [k for k in np.argsort(-flat, kind="stable") if free[k]][:count]
    masks = [np.ones(len(s), bool) for s in sizes]
    for k in order:
        masks[layer[k]][pos[k]] = False
    return masks


def _kept_channels_6(gammas, count, floor):
    masks = []
    per = count // len(gammas)
    for g in gammas:
        mask = np.ones(len(g), bool)
        mask[np.argsort(np.abs(g))[: min(per, len(g) - floor)]] = False
        masks.append(mask)
    return masks


def _kept_channels_7(gammas, count, floor):
    sizes = [np.abs(g) for g in gammas]
    layer = np.concatenate([np.full(len(s), i) for i, s in enumerate(sizes)])
    pos = np.concatenate([np.arange(len(s)) for s in sizes])
    flat = np.concatenate(sizes)
    free = np.ones(len(flat), bool)
    start = 0
    for s in sizes:
        top = np.argsort(-s, kind="stable")[:floor]
        free[start + top] = False
        start += len(s)
    order = [k for k in np.argsort(flat, kind="stable") if free[k]][: count + 1]
    masks = [np.ones(len(s), bool) for s in sizes]
    for k in order:
        masks[layer[k]][pos[k]] = False
    return masks


def _kept_channels_8(gammas, count, floor):
    sizes = [np.abs(g) for g in gammas]
    layer = np.concatenate([np.full(len(s), i) for i, s in enumerate(sizes)])
    pos = np.concatenate([np.arange(len(s)) for s in sizes])
    flat = np.concatenate(sizes)
    free = np.ones(len(flat), bool)
    start = 0
    for s in sizes:
        top = np.argsort(s, kind="stable")[:floor]
        free[start + top] = False
        start += len(s)
    order = [k for k in np.argsort(flat, kind="stable") if free[k]][:count]
    masks = [np.ones(len(s), bool) for s in sizes]
    for k in order:
        masks[layer[k]][pos[k]] = False
    return masks


def _kept_channels_9(gammas, count, floor):
    a = np.sort(np.concatenate([np.abs(g) for g in gammas]))
    t = a[count - 1] if count > 0 else -1
    masks = []
    for g in gammas:
        m = np.abs(g) > t
        m[np.argsort(-np.abs(g))[:floor]] = True
        masks.append(m)
    return masks


def _kept_channels_10(gammas, count, floor):
    sizes = [np.abs(g) for g in gammas]
    layer = np.concatenate([np.full(len(s), i) for i, s in enumerate(sizes)])
    pos = np.concatenate([np.arange(len(s)) for s in sizes])
    flat = np.concatenate(sizes)
    free = np.ones(len(flat), bool)
    start = 0
    for s in sizes:
        top = np.argsort(-s, kind="stable")[: floor + 1]
        free[start + top] = False
        start += len(s)
    order = [k for k in np.argsort(flat, kind="stable") if free[k]][:count]
    masks = [np.ones(len(s), bool) for s in sizes]
    for k in order:
        masks[layer[k]][pos[k]] = False
    return masks


def _work_left_1(widths, kept, sides):
    return kept.sum() / widths.sum()


def _work_left_2(widths, kept, sides):
    return (kept * sides**2).sum() / (widths * sides**2).sum()


def _work_left_3(widths, kept, sides):
    ins = np.concatenate([[1], widths[:-1]])
    ins_kept = np.concatenate([[1], kept[:-1]])
    return (kept * ins_kept * sides).sum() / (widths * ins * sides).sum()


def _work_left_4(widths, kept, sides):
    ins = np.concatenate([[1], widths[:-1]])
    ins_kept = np.concatenate([[1], kept[:-1]])
    return (kept * ins_kept).sum() / (widths * ins).sum()


def _work_left_5(widths, kept, sides):
    ins = np.concatenate([[1], widths[:-1]])
    return (kept * ins * sides**2).sum() / (widths * ins * sides**2).sum()


def _work_left_6(widths, kept, sides):
    ins = np.concatenate([[1], widths[:-1]])
    ins_kept = np.concatenate([[1], kept[:-1]])
    return ((kept * ins_kept) / (widths * ins)).mean()


def _work_left_7(widths, kept, sides):
    ins = np.concatenate([[1], widths[:-1]])
    ins_kept = np.concatenate([[1], kept[:-1]])
    return 1 - (kept * ins_kept * sides**2).sum() / (widths * ins * sides**2).sum()


def _work_left_8(widths, kept, sides):
    ins = np.concatenate([widths[:1], widths[:-1]])
    ins_kept = np.concatenate([kept[:1], kept[:-1]])
    return (kept * ins_kept * sides**2).sum() / (widths * ins * sides**2).sum()


def _work_left_9(widths, kept, sides):
    return (kept[1:] * kept[:-1] * sides[1:] ** 2).sum() / (
        widths[1:] * widths[:-1] * sides[1:] ** 2
    ).sum()


def _work_left_10(widths, kept, sides):
    return (kept**2 * sides**2).sum() / (widths**2 * sides**2).sum()


ANSWERS = {
    "train-test": {
        "statistics of test used for test": _train_test_1,
        "statistics of train and test together": _train_test_2,
        "one mean and std for the whole array": _train_test_3,
        "axis=1, per row of train": _train_test_4,
        "ddof=1": _train_test_5,
        "constant columns become 0 in test too": _train_test_6,
        "eps added to std instead of 1 for constant columns": _train_test_7,
        "divided by the variance": _train_test_8,
        "mean of test but std of train": _train_test_9,
        "test first": _train_test_10,
    },
    "importance": {
        "upside down": _importance_1,
        "share only, not divided": _importance_2,
        "counts and not frequencies": _importance_3,
        "one weight per group": _importance_4,
        "1 over the frequency, share forgotten": _importance_5,
        "weights made to sum to 1": _importance_6,
        "number of groups in place of n": _importance_7,
        "difference instead of ratio": _importance_8,
        "divided by the largest count": _importance_9,
        "square root of the ratio": _importance_10,
    },
    "batch_norm_images": {
        "axis 0 only": _batch_norm_images_1,
        "over H, W only (instance norm)": _batch_norm_images_2,
        "over C, H, W (layer norm)": _batch_norm_images_3,
        "channels last": _batch_norm_images_4,
        "gamma and beta broadcast along W": _batch_norm_images_5,
        "eps outside the root": _batch_norm_images_6,
        "unbiased variance": _batch_norm_images_7,
        "gamma along H": _batch_norm_images_8,
        "beta added before gamma": _batch_norm_images_9,
        "reshape to (C, -1) mixes examples": _batch_norm_images_10,
    },
    "batch_norm_backward": {
        "sums instead of means": _batch_norm_backward_1,
        "gamma forgotten in d_x": _batch_norm_backward_2,
        "mean and variance taken as constants": _batch_norm_backward_3,
        "the variance path missing": _batch_norm_backward_4,
        "plus in the variance path": _batch_norm_backward_5,
        "divided by inv_std": _batch_norm_backward_6,
        "d_gamma as a mean": _batch_norm_backward_7,
        "d_gamma and d_beta exchanged": _batch_norm_backward_8,
        "product of the means": _batch_norm_backward_9,
        "n - 1 in the means": _batch_norm_backward_10,
    },
    "batch_norm_step": {
        "biased variance stored": _batch_norm_step_1,
        "unbiased variance normalizes": _batch_norm_step_2,
        "momentum the wrong way round": _batch_norm_step_3,
        "updated in eval too": _batch_norm_step_4,
        "again: batch statistics in eval": _batch_norm_step_5,
        "running statistics in training": _batch_norm_step_6,
        "train and eval exchanged": _batch_norm_step_7,
        "changes the given arrays": _batch_norm_step_8,
        "the running std updated instead of the variance": _batch_norm_step_9,
        "eps forgotten in eval": _batch_norm_step_10,
    },
    "merge_batches": {
        "distance of the means forgotten": _merge_batches_1,
        "plain average of the means": _merge_batches_2,
        "plain averages, the term between unweighted": _merge_batches_3,
        "divided by n - 1 at the end": _merge_batches_4,
        "n - 1 weights for the variances": _merge_batches_5,
        "Chan formula with n_a n_b / n not divided by n again": _merge_batches_6,
        "difference not squared": _merge_batches_7,
        "weights exchanged": _merge_batches_8,
        "variances simply added, as of a sum": _merge_batches_9,
        "minus between the two parts": _merge_batches_10,
    },
    "speed_up": {
        "bn over plain": _speed_up_1,
        "again: mean over the seeds": _speed_up_2,
        "again: steps counted from 0": _speed_up_3,
        "first best seed, not the median": _speed_up_4,
        "the median over the rates, best seed": _speed_up_5,
        "median of the curves taken before looking for the step": _speed_up_6,
        "runs that never reach it count as step 1": _speed_up_7,
        "never counts as the number of steps": _speed_up_8,
        "same rate for both (best ratio over rates)": _speed_up_9,
        "last step below the target instead of the first at it": _speed_up_10,
    },
    "gradient_shift": {
        "the layer itself moves too": _gradient_shift_1,
        "all layers move": _gradient_shift_2,
        "the next batch for the second gradient": _gradient_shift_3,
        "the layers above move": _gradient_shift_4,
        "step uphill": _gradient_shift_5,
        "not normalized": _gradient_shift_6,
        "distance instead of cosine": _gradient_shift_7,
        "only the layer directly below": _gradient_shift_8,
        "divided by one norm squared": _gradient_shift_9,
        "changes the given weights in place": _gradient_shift_10,
    },
    "saturated_share": {
        "slope taken of h as if it were the input": _saturated_share_1,
        "same largest slope 1 for the sigmoid": _saturated_share_2,
        "largest slope among these values": _saturated_share_3,
        "share of the values that are not saturated": _saturated_share_4,
        "tanh slope 1 - h": _saturated_share_5,
        "outputs above 0.9 and not the slope": _saturated_share_6,
        "only the upper end counted for tanh and sigmoid": _saturated_share_7,
        "a count and no share": _saturated_share_8,
        "tanh and sigmoid exchanged": _saturated_share_9,
        "half instead of a tenth... tenth of a tenth": _saturated_share_10,
    },
    "useless_biases": {
        "a bn anywhere later": _useless_biases_3,
        "layer after the norm instead of before": _useless_biases_9,
        "those that are still needed": _useless_biases_10,
    },
    "ghost_step": {
        "whole batch": _ghost_step_1,
        "biased variance fed": _ghost_step_2,
        "unbiased variance normalizes": _ghost_step_3,
        "again: ghosts interleaved": _ghost_step_4,
        "variance of the whole batch fed": _ghost_step_5,
        "eps forgotten": _ghost_step_6,
        "ghosts returned as three axes": _ghost_step_7,
        "normalized over the ghosts axis": _ghost_step_8,
        "size and number of ghosts exchanged": _ghost_step_9,
        "n over n - 1 with the whole batch": _ghost_step_10,
    },
    "backward_part": {
        "own part only": _backward_part_1,
        "mean of the means, unweighted": _backward_part_2,
        "sums divided by own size": _backward_part_3,
        "sums, not divided": _backward_part_4,
        "again: gamma forgotten": _backward_part_5,
        "inv_std forgotten": _backward_part_6,
        "divided by the number of ranks": _backward_part_7,
        "variance term with plus": _backward_part_8,
        "d_y mean not subtracted": _backward_part_9,
        "all ranks returned": _backward_part_10,
    },
    "shifted_statistics": {
        "offset added once": _shifted_statistics_1,
        "variance times the gain": _shifted_statistics_2,
        "variance times abs(gain)": _shifted_statistics_3,
        "offset in the variance too": _shifted_statistics_4,
        "wrong axes of the weight": _shifted_statistics_5,
        "only the kernel axes, first input channel": _shifted_statistics_6,
        "again: mean of the weights": _shifted_statistics_7,
        "offset scaled by the gain": _shifted_statistics_8,
        "the mean not multiplied by the gain": _shifted_statistics_9,
        "offset ignored": _shifted_statistics_10,
    },
    "kept_channels": {
        "sign not taken off": _kept_channels_1,
        "again: floor ignored": _kept_channels_2,
        "protected ones not replaced: fewer than count go": _kept_channels_3,
        "masks upside down": _kept_channels_4,
        "the largest go": _kept_channels_5,
        "the same number from each layer": _kept_channels_6,
        "one too many": _kept_channels_7,
        "floor as the smallest of each layer": _kept_channels_8,
        "threshold with strict comparison, floor restored afterwards": _kept_channels_9,
        "protects floor + 1 channels": _kept_channels_10,
    },
    "work_left": {
        "again: share of the channels": _work_left_1,
        "inputs forgotten": _work_left_2,
        "again: side not squared": _work_left_3,
        "sides forgotten, parameters instead": _work_left_4,
        "inputs not pruned": _work_left_5,
        "mean of the shares": _work_left_6,
        "what is saved": _work_left_7,
        "first input counted as widths[0]": _work_left_8,
        "the first layer left out": _work_left_9,
        "the ratio of the widths squared": _work_left_10,
    },
}
