"""Hand-written answers to the exercises of chapter 4, right and wrong."""

import numpy as np

# --- 4.1 update_running


def right_with_lerp(running_mean, running_var, x, momentum):
    mu = sum(x) / len(x)
    var = ((x - mu) ** 2).sum(0) / (len(x) - 1)
    running_mean = running_mean + momentum * (mu - running_mean)
    running_var = running_var + momentum * (var - running_var)
    return running_mean, running_var


def right_with_cov(running_mean, running_var, x, momentum):
    var = np.diag(np.atleast_2d(np.cov(x, rowvar=False)))
    keep = 1.0 - momentum
    return [
        np.average(x, axis=0) * momentum + running_mean * keep,
        var * momentum + running_var * keep,
    ]


def keeps_a_tenth(running_mean, running_var, x, momentum):
    mean, var = x.mean(0), x.var(0, ddof=1)
    return (
        momentum * running_mean + (1 - momentum) * mean,
        momentum * running_var + (1 - momentum) * var,
    )


def plain_var(running_mean, running_var, x, momentum):
    running_mean = (1 - momentum) * running_mean + momentum * np.mean(x, axis=0)
    running_var = (1 - momentum) * running_var + momentum * np.var(x, axis=0)
    return running_mean, running_var


def stores_std(running_mean, running_var, x, momentum):
    std = np.std(x, axis=0, ddof=1)
    m = (1 - momentum) * running_mean + momentum * x.mean(axis=0)
    return m, (1 - momentum) * running_var + momentum * std


def keeps_everything(running_mean, running_var, x, momentum):
    return (
        running_mean + momentum * x.mean(0),
        running_var + momentum * x.var(0, ddof=1),
    )


def around_running(running_mean, running_var, x, momentum):
    squares = ((x - running_mean) ** 2).sum(0) / (len(x) - 1)
    new_mean = (1 - momentum) * running_mean + momentum * x.mean(0)
    return new_mean, (1 - momentum) * running_var + momentum * squares


# --- 4.2 keras_momentum


def right_with_exp(half_life):
    return np.exp(-np.log(2) / half_life)


def right_with_root(half_life):
    return 2 ** (-1 / half_life)


def gives_pytorchs(half_life):
    old = np.exp(np.log(0.5) / half_life)
    return 1 - old


def decays_to_1_over_e(half_life):
    return np.e ** (-1 / half_life)


def inverse(half_life):
    return (half_life - 1) / half_life


def ln2_over_h(half_life):
    return 1 - 0.6931471805599453 / half_life


def power_of_h(half_life):
    return 1 / 2**half_life


# --- 4.7 merge_batches


def right_with_sums(n_a, mean_a, var_a, n_b, mean_b, var_b):
    n = n_a + n_b
    mean = (n_a * mean_a + n_b * mean_b) / n
    squares = n_a * (var_a + (mean_a - mean) ** 2)
    squares += n_b * (var_b + (mean_b - mean) ** 2)
    return n, mean, squares / n


def right_with_chan(n_a, mean_a, var_a, n_b, mean_b, var_b):
    n = n_a + n_b
    delta = mean_b - mean_a
    m2 = n_a * var_a + n_b * var_b + delta**2 * n_a * n_b / n
    return n, mean_a + delta * n_b / n, m2 / n


def simple_averages(n_a, mean_a, var_a, n_b, mean_b, var_b):
    return n_a + n_b, (mean_a + mean_b) / 2, (var_a + var_b) / 2


def weighted_averages(n_a, mean_a, var_a, n_b, mean_b, var_b):
    n = n_a + n_b
    return n, (n_a * mean_a + n_b * mean_b) / n, (n_a * var_a + n_b * var_b) / n


def as_if_equal(n_a, mean_a, var_a, n_b, mean_b, var_b):
    mean = (mean_a + mean_b) / 2
    var = (var_a + (mean_a - mean) ** 2 + var_b + (mean_b - mean) ** 2) / 2
    return n_a + n_b, mean, var


def full_distance(n_a, mean_a, var_a, n_b, mean_b, var_b):
    n, mean, var = weighted_averages(n_a, mean_a, var_a, n_b, mean_b, var_b)
    return n, mean, var + np.square(mean_a - mean_b)


def sample_variance(n_a, mean_a, var_a, n_b, mean_b, var_b):
    n, mean, var = right_with_sums(n_a, mean_a, var_a, n_b, mean_b, var_b)
    return n, mean, n * var / (n - 1)


# --- 4.4 batch_norm_step


def right_with_early_return(x, running_mean, running_var, training):
    if not training:
        y = (x - running_mean) / (running_var + 1e-5) ** 0.5
        return y, running_mean, running_var
    d = x - x.mean(0)
    squares = (d * d).sum(0)
    running_mean = running_mean + 0.1 * (x.mean(0) - running_mean)
    running_var = running_var + 0.1 * (squares / (len(x) - 1) - running_var)
    return d / np.sqrt(squares / len(x) + 1e-5), running_mean, running_var


def forgets_eval(x, running_mean, running_var, training):
    mean, var = x.mean(0), x.var(0)
    if training:
        running_mean = 0.9 * running_mean + 0.1 * mean
        running_var = 0.9 * running_var + 0.1 * x.var(0, ddof=1)
    return (x - mean) / np.sqrt(var + 1e-5), running_mean, running_var


def always_running(x, running_mean, running_var, training):
    y = (x - running_mean) / np.sqrt(running_var + 1e-5)
    if training:
        running_mean = 0.9 * running_mean + 0.1 * x.mean(0)
        running_var = 0.9 * running_var + 0.1 * x.var(0, ddof=1)
    return y, running_mean, running_var


def always_updates(x, running_mean, running_var, training):
    mean, var = (x.mean(0), x.var(0)) if training else (running_mean, running_var)
    running_mean = 0.9 * running_mean + 0.1 * x.mean(0)
    running_var = 0.9 * running_var + 0.1 * x.var(0, ddof=1)
    return (x - mean) / np.sqrt(var + 1e-5), running_mean, running_var


def updates_then_uses(x, running_mean, running_var, training):
    if training:
        running_mean = 0.9 * running_mean + 0.1 * x.mean(0)
        running_var = 0.9 * running_var + 0.1 * x.var(0, ddof=1)
    y = (x - running_mean) / np.sqrt(running_var + 1e-5)
    return y, running_mean, running_var


def one_unbiased_variance(x, running_mean, running_var, training):
    mean, var = running_mean, running_var
    if training:
        mean, var = x.mean(0), x.var(0, ddof=1)
        running_mean = 0.9 * running_mean + 0.1 * mean
        running_var = 0.9 * running_var + 0.1 * var
    return (x - mean) / np.sqrt(var + 1e-5), running_mean, running_var


def one_biased_variance(x, running_mean, running_var, training):
    mean, var = running_mean, running_var
    if training:
        mean, var = x.mean(0), x.var(0)
        running_mean = 0.9 * running_mean + 0.1 * mean
        running_var = 0.9 * running_var + 0.1 * var
    return (x - mean) / np.sqrt(var + 1e-5), running_mean, running_var


def only_switches(x, running_mean, running_var, training):
    mean, var = (x.mean(0), x.var(0)) if training else (running_mean, running_var)
    return (x - mean) / np.sqrt(var + 1e-5), running_mean, running_var


# --- 4.5 fold_linear


def right_with_diag(weight, bias, gamma, beta, mean, var, eps):
    d = np.diag(gamma / np.sqrt(var + eps))
    return d @ weight, d @ (bias - mean) + beta


def right_by_rows(weight, bias, gamma, beta, mean, var, eps):
    w, b = np.array(weight), np.array(bias)
    for k in range(len(w)):
        s = gamma[k] * (var[k] + eps) ** -0.5
        w[k] *= s
        b[k] = beta[k] + s * (bias[k] - mean[k])
    return w, b


def no_bias(weight, bias, gamma, beta, mean, var, eps):
    s = gamma / np.sqrt(var + eps)
    return weight * s[:, None], beta - mean * s


def no_beta(weight, bias, gamma, beta, mean, var, eps):
    s = gamma / np.sqrt(var + eps)
    return weight * s[:, None], (bias - mean) * s


def by_variance(weight, bias, gamma, beta, mean, var, eps):
    s = gamma / (var + eps)
    return (weight.T * s).T, s * (bias - mean) + beta


def bias_unscaled(weight, bias, gamma, beta, mean, var, eps):
    s = gamma / np.sqrt(var + eps)
    return weight * s.reshape(-1, 1), bias + beta - mean * s


def along_inputs(weight, bias, gamma, beta, mean, var, eps):
    s = gamma / np.sqrt(var + eps)
    return weight * s, (bias - mean) * s + beta


def no_eps(weight, bias, gamma, beta, mean, var, eps):
    s = gamma / np.sqrt(var)
    return weight * s[:, np.newaxis], (bias - mean) * s + beta


def no_mean(weight, bias, gamma, beta, mean, var, eps):
    s = gamma / np.sqrt(var + eps)
    return s[:, None] * weight, bias * s + beta


def weights_exchanged(n_a, mean_a, var_a, n_b, mean_b, var_b):
    n = n_a + n_b
    mean = n_b / n * mean_a + n_a / n * mean_b
    second = n_a * (var_a + mean_a**2) + n_b * (var_b + mean_b**2)
    first = n_a * mean_a + n_b * mean_b
    return n, mean, second / n - 2 * mean * first / n + mean**2


def merge_once_over_n(n_a, mean_a, var_a, n_b, mean_b, var_b):
    n = n_a + n_b
    mean = (n_a * mean_a + n_b * mean_b) / n
    within = (n_a * var_a + n_b * var_b) / n
    return n, mean, within + n_a * n_b / n * (mean_a - mean_b) ** 2


def merge_minus(n_a, mean_a, var_a, n_b, mean_b, var_b):
    n = n_a + n_b
    mean = (n_a * mean_a + n_b * mean_b) / n
    within = (n_a * var_a + n_b * var_b) / n
    return n, mean, within - n_a * n_b / n**2 * (mean_a - mean_b) ** 2


def _step(x, running_mean, running_var, training, old=0.9, outside=0.0, eps=1e-5):
    mean, var = running_mean, running_var
    if training:
        mean, var, new = x.mean(0), x.var(0), 1 - old
        running_mean = old * running_mean + new * mean
        running_var = old * running_var + new * x.var(0, ddof=1)
    return (x - mean) / (np.sqrt(var + eps) + outside), running_mean, running_var


def step_momentum(x, running_mean, running_var, training):
    return _step(x, running_mean, running_var, training, old=0.1)


def step_inverted(x, running_mean, running_var, training):
    return _step(x, running_mean, running_var, not training)


def step_eps_beside(x, running_mean, running_var, training):
    return _step(x, running_mean, running_var, training, outside=1e-5, eps=0)


def step_no_eps(x, running_mean, running_var, training):
    return _step(x, running_mean, running_var, training, eps=0)


def fold_mean_added(weight, bias, gamma, beta, mean, var, eps):
    scale = gamma / np.sqrt(var + eps)
    return weight * scale.reshape(-1, 1), scale * (bias + mean) + beta


def fold_no_gamma(weight, bias, gamma, beta, mean, var, eps):
    std = np.sqrt(var + eps)
    return weight / std.reshape(-1, 1), (bias - mean) / std + beta


def copies_the_batch(running_mean, running_var, x, momentum):
    return x.mean(0), np.var(x, 0, ddof=1)


def forgets_to_average_the_variance(running_mean, running_var, x, momentum):
    mean = running_mean + momentum * (x.mean(0) - running_mean)
    return mean, x.var(0, ddof=1)


def around_the_updated_mean(running_mean, running_var, x, momentum):
    mean = running_mean + momentum * (x.mean(0) - running_mean)
    var = ((x - mean) ** 2).sum(0) / (len(x) - 1)
    return mean, running_var + momentum * (var - running_var)


def folded_with_eps_beside(weight, bias, gamma, beta, mean, var, eps):
    std = var**0.5 + eps
    return weight * (gamma / std)[:, None], (bias - mean) / std * gamma + beta


RIGHT = {
    "update_running": [right_with_lerp, right_with_cov],
    "keras_momentum": [right_with_exp, right_with_root],
    "merge_batches": [right_with_sums, right_with_chan],
    "batch_norm_step": [right_with_early_return],
    "fold_linear": [right_with_diag, right_by_rows],
}

MUTANTS = {
    "update_running": {
        "variance around the updated mean": [around_the_updated_mean],
        "momentum the wrong way round": [keeps_a_tenth],
        "biased variance stored": [plain_var],
        "standard deviation stored": [stores_std],
        "the last batch replaces everything": [copies_the_batch],
        "only the mean averaged": [forgets_to_average_the_variance],
        "the old statistics do not fade": [keeps_everything],
        "variance around the running mean": [around_running],
    },
    "keras_momentum": {
        "the weight of the new batch": [gives_pytorchs],
        "e-folding time taken for the half-life": [decays_to_1_over_e],
        "one over the half-life": [inverse],
        "the rule of thumb": [ln2_over_h],
        "exponent upside down": [power_of_h],
    },
    "merge_batches": {
        "product of the counts divided by n once": [merge_once_over_n],
        "distance of the means subtracted": [merge_minus],
        "averages of averages": [simple_averages],
        "spread between the means forgotten": [weighted_averages],
        "equal sizes assumed": [as_if_equal],
        "weights exchanged in the mean": [weights_exchanged],
        "the whole distance added": [full_distance],
        "divided by n - 1": [sample_variance],
    },
    "batch_norm_step": {
        "momentum the wrong way round": [step_momentum],
        "the two modes exchanged": [step_inverted],
        "eps added to the standard deviation": [step_eps_beside],
        "eps left out": [step_no_eps],
        "batch statistics in evaluation": [forgets_eval],
        "running statistics in training": [always_running],
        "statistics updated in evaluation": [always_updates],
        "updated averages used in training": [updates_then_uses],
        "normalized with the unbiased variance": [one_unbiased_variance],
        "biased variance stored": [one_biased_variance],
        "statistics never updated": [only_switches],
    },
    "fold_linear": {
        "eps beside the standard deviation": [folded_with_eps_beside],
        "mean added": [fold_mean_added],
        "gamma forgotten": [fold_no_gamma],
        "bias of the linear layer forgotten": [no_bias],
        "beta forgotten": [no_beta],
        "mean not subtracted": [no_mean],
        "variance used where std is meant": [by_variance],
        "bias not scaled": [bias_unscaled],
        "scale laid along the inputs": [along_inputs],
        "eps left out": [no_eps],
    },
}
