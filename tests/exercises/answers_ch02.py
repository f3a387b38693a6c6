"""Hand-written answers to the exercises of chapter 2, right and wrong."""

import numpy as np

# --- 2.1 forward


def right_with_einsum(x, gamma, beta, eps):
    n = len(x)
    mu = np.einsum("nc->c", x) / n
    centered = x - mu
    sigma = (np.einsum("nc,nc->c", centered, centered) / n + eps) ** 0.5
    return centered * (gamma / sigma) + beta


def right_by_columns(x, gamma, beta, eps):
    y = np.empty_like(x)
    for c in range(x.shape[1]):
        column = x[:, c]
        mean = sum(column) / len(column)
        var = sum((v - mean) ** 2 for v in column) / len(column)
        for n, value in enumerate(column):
            y[n, c] = gamma[c] * (value - mean) / (var + eps) ** 0.5 + beta[c]
    return y


def sample_variance(x, gamma, beta, eps):
    d = x - np.mean(x, 0)
    var = (d**2).sum(0) / (len(x) - 1) if len(x) > 1 else 0
    return d / np.sqrt(var + eps) * gamma + beta


def sample_std(x, gamma, beta, eps):
    std = np.sqrt(np.var(x, axis=0, ddof=1) + eps)
    return (x - np.mean(x, axis=0)) / std * gamma + beta


def eps_beside_std(x, gamma, beta, eps):
    return gamma * (x - x.mean(0)) / (x.std(0) + eps) + beta


def no_eps(x, gamma, beta, eps):
    return gamma * ((x - x.mean(0)) / x.std(0)) + beta


def by_variance(x, gamma, beta, eps):
    return gamma * (x - x.mean(0)) / (x.var(0) + eps) + beta


def per_example(x, gamma, beta, eps):
    rows = []
    for row in x:
        rows.append(gamma * (row - row.mean()) / np.sqrt(row.var() + eps) + beta)
    return np.array(rows)


def over_everything(x, gamma, beta, eps):
    return gamma * (x - np.mean(x)) / np.sqrt(np.var(x) + eps) + beta


def not_centered(x, gamma, beta, eps):
    return x / np.sqrt(x.var(0) + eps) * gamma + beta


def affine_before(x, gamma, beta, eps):
    z = gamma * x + beta
    return (z - z.mean(0)) / np.sqrt(z.var(0) + eps)


def affine_confused(x, gamma, beta, eps):
    x_hat = (x - x.mean(0)) / np.sqrt(x.var(0) + eps)
    return x_hat * beta + gamma


def only_x_hat(x, gamma, beta, eps):
    return (x - x.mean(0)) / np.sqrt(((x - x.mean(0)) ** 2).mean(0) + eps)


# --- 2.2 batch_norm_images


def images_as_table(x, gamma, beta, eps):
    n, c, h, w = x.shape
    table = x.transpose(0, 2, 3, 1).reshape(-1, c)
    table = (table - table.mean(0)) / np.sqrt(table.var(0) + eps)
    return (gamma * table + beta).reshape(n, h, w, c).transpose(0, 3, 1, 2)


def images_channel_by_channel(x, gamma, beta, eps):
    y = np.zeros_like(x)
    for c in range(x.shape[1]):
        channel = x[:, c]
        y[:, c] = gamma[c] * (channel - channel.mean()) / (channel.var() + eps) ** 0.5
        y[:, c] += beta[c]
    return y


def images_per_pixel(x, gamma, beta, eps):
    flat = x.reshape(len(x), -1)
    flat = (flat - flat.mean(0)) / np.sqrt(flat.var(0) + eps)
    return flat.reshape(x.shape) * gamma[:, None, None] + beta[:, None, None]


def images_reshaped(x, gamma, beta, eps):
    flat = x.reshape(len(gamma), -1).T
    z = (flat - flat.mean(0)) / (flat.var(0) + eps) ** 0.5
    return (gamma * z + beta).T.reshape(x.shape)


def images_one_by_one(x, gamma, beta, eps):
    y = []
    for image in x:
        mean = image.mean((1, 2))[:, None, None]
        std = np.sqrt(image.var((1, 2)) + eps)[:, None, None]
        y.append((image - mean) / std * gamma[:, None, None] + beta[:, None, None])
    return np.stack(y)


def images_mean_of_variances(x, gamma, beta, eps):
    mean = x.mean((0, 2, 3), keepdims=True)
    var = np.mean([image.var((1, 2)) for image in x], axis=0)[:, None, None]
    return gamma[:, None, None] * (x - mean) / np.sqrt(var + eps) + beta[:, None, None]


def images_over_channels(x, gamma, beta, eps):
    d = x - x.mean(1, keepdims=True)
    d = d / np.sqrt((d**2).mean(1, keepdims=True) + eps)
    return d * gamma[:, None, None] + beta[:, None, None]


def images_one_statistic(x, gamma, beta, eps):
    x_hat = (x - x.mean()) / np.sqrt(x.var() + eps)
    return x_hat * gamma[None, :, None, None] + beta[None, :, None, None]


def images_channels_last(x, gamma, beta, eps):
    table = x.reshape(-1, x.shape[-1])
    table = (table - table.mean(0)) / np.sqrt(table.var(0) + eps)
    return (gamma * table + beta).reshape(x.shape)


def images_nothing_reshaped(x, gamma, beta, eps):
    x_hat = (x - x.mean((0, 2, 3))) / np.sqrt(x.var((0, 2, 3)) + eps)
    return x_hat * gamma + beta


def images_gamma_not_reshaped(x, gamma, beta, eps):
    mu = x.mean((0, 2, 3))[:, None, None]
    sigma = np.sqrt(x.var((0, 2, 3)) + eps)[:, None, None]
    return gamma * ((x - mu) / sigma) + beta


# --- 2.3 output_std


def std_of_an_example(std, gamma, eps):
    x = np.array([[-1.0], [1.0]]) * std
    return (gamma * x / np.sqrt(x.var(0) + eps)).std(0)


def std_by_loop(std, gamma, eps):
    out = [abs(g) * s / (s * s + eps) ** 0.5 for s, g in zip(std, gamma, strict=True)]
    return np.array(out)


def std_is_gamma(std, gamma, eps):
    return gamma


def std_is_size_of_gamma(std, gamma, eps):
    return abs(gamma)


def std_without_eps(std, gamma, eps):
    return abs(gamma) * std / np.sqrt(std**2)


def std_with_sign(std, gamma, eps):
    return gamma / np.sqrt(std**2 + eps) * std


def std_eps_outside(std, gamma, eps):
    return abs(gamma) * std / (np.sqrt(std**2) + eps)


def std_squared(std, gamma, eps):
    var = std**2
    return gamma**2 * var / (var + eps)


def std_under_the_root(std, gamma, eps):
    return np.sqrt(gamma**2 / (std + eps)) * std


# --- 2.6 variance


def variance_in_double(x):
    x = x.astype(np.float64)
    return (x**2).mean() - x.mean() ** 2


def variance_of_shifted(x):
    u = x - x[0]
    return np.mean(u * u) - np.mean(u) ** 2


def variance_welford(x):
    mean = total = np.float64(0)
    for count, value in enumerate(x, 1):
        before = value - mean
        mean += before / count
        total += before * (value - mean)
    return total / len(x)


def variance_one_pass(x):
    return (x**2).mean() - x.mean() ** 2


def variance_one_pass_with_dot(x):
    n = np.float32(len(x))
    return np.dot(x, x) / n - (x.sum() / n) ** 2


def variance_clipped(x):
    return np.maximum(np.mean(x * x) - np.mean(x) ** 2, 0)


def variance_of_sample(x):
    return np.var(x, ddof=1)


# --- 2.7 identity_parameters


def identity_solved(x, eps):
    # Two unknowns per channel: least squares on y = x.
    x_hat = (x - x.mean(0)) / np.sqrt(x.var(0) + eps)
    columns = zip(x_hat.T, x.T, strict=True)
    lines = [np.polyfit(hat, column, 1) for hat, column in columns]
    gamma, beta = np.transpose(lines)
    return gamma, beta


def identity_plain(x, eps):
    mu = x.sum(0) / len(x)
    return np.sqrt(((x - mu) ** 2).mean(0) + eps), mu


def identity_std(x, eps):
    return x.std(axis=0), x.mean(axis=0)


def identity_var(x, eps):
    return np.var(x, 0) + eps, np.mean(x, 0)


def identity_again(x, eps):
    gamma = (x.var(0) + eps) ** -0.5
    return gamma, -x.mean(0) * gamma


def identity_beta_first(x, eps):
    return x.mean(0), np.sqrt(x.var(0) + eps)


def identity_scaled_beta(x, eps):
    gamma = np.sqrt(x.var(0) + eps)
    return gamma, x.mean(0) / gamma


def identity_sample(x, eps):
    gamma = np.sqrt(((x - x.mean(0)) ** 2).sum(0) / (len(x) - 1) + eps)
    return gamma, x.mean(0)


def identity_defaults(x, eps):
    return np.ones_like(x[0]), np.zeros_like(x[0])


def images_without_gamma(x, gamma, beta, eps):
    flat = x.transpose(1, 0, 2, 3).reshape(x.shape[1], -1)
    mean, var = flat.mean(1)[:, None, None], flat.var(1)[:, None, None]
    return (x - mean) / (var + eps) ** 0.5


def std_times_gamma(std, gamma, eps):
    return abs(gamma * std)


def variance_abs(x):
    return np.abs((x**2).mean() - x.mean() ** 2)


def identity_std_plus_eps(x, eps):
    return np.std(x, 0) + eps, np.mean(x, 0)


def identity_negative(x, eps):
    return np.sqrt(np.var(x, 0) + eps), -np.mean(x, 0)


def forward_no_gamma(x, gamma, beta, eps):
    return (x - x.mean(0)) / (x.var(0) + eps) ** 0.5 + beta


def forward_no_beta(x, gamma, beta, eps):
    return gamma * (x - x.mean(0)) / (x.var(0) + eps) ** 0.5


def forward_own_eps(x, gamma, beta, eps):
    return gamma * (x - x.mean(0)) / np.sqrt(x.var(0) + 0.00001) + beta


def forward_no_parentheses(x, gamma, beta, eps):
    return gamma * (x - x.mean(0) / np.sqrt(x.var(0) + eps)) + beta


def _channel(v):
    return v[:, None, None]


def images_eps_beside(x, gamma, beta, eps):
    spread = x.std((0, 2, 3), keepdims=True) + eps
    x_hat = (x - x.mean((0, 2, 3), keepdims=True)) / spread
    return _channel(gamma) * x_hat + _channel(beta)


def images_no_eps(x, gamma, beta, eps):
    x_hat = x - x.mean((0, 2, 3), keepdims=True)
    x_hat = x_hat / x.std((0, 2, 3), keepdims=True)
    return _channel(gamma) * x_hat + _channel(beta)


def images_unbiased(x, gamma, beta, eps):
    var = x.var((0, 2, 3), keepdims=True, ddof=1)
    x_hat = (x - x.mean((0, 2, 3), keepdims=True)) / np.sqrt(var + eps)
    return _channel(gamma) * x_hat + _channel(beta)


def variance_cast_after_squaring(x):
    return (x * x).astype(np.float64).mean() - np.float64(x.mean()) ** 2


def variance_of_python_floats(x):
    return float(np.mean(x**2)) - float(np.mean(x)) ** 2


def scaled_beta(x, gamma, beta, eps):
    return gamma * ((x - x.mean(0)) / np.sqrt(x.var(0) + eps) + beta)


def _over(x, gamma, beta, eps, axes):
    z = (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)
    return gamma[:, None, None] * z + beta[:, None, None]


def layer_norm_of_images(x, gamma, beta, eps):
    return _over(x, gamma, beta, eps, (1, 2, 3))


def columns_apart(x, gamma, beta, eps):
    return _over(x, gamma, beta, eps, (0, 1, 2))


RIGHT = {
    "forward": [right_with_einsum, right_by_columns],
    "batch_norm_images": [images_as_table, images_channel_by_channel],
    "output_std": [std_of_an_example, std_by_loop],
    "variance": [variance_in_double, variance_of_shifted, variance_welford],
    "identity_parameters": [identity_solved, identity_plain],
}

MUTANTS = {
    "forward": {
        "gamma forgotten": [forward_no_gamma],
        "beta forgotten": [forward_no_beta],
        "eps fixed at 1e-5": [forward_own_eps],
        "beta multiplied by gamma": [scaled_beta],
        "division before subtraction": [forward_no_parentheses],
        "variance divided by N - 1": [sample_variance, sample_std],
        "eps added to the standard deviation": [eps_beside_std],
        "eps left out": [no_eps],
        "divided by the variance": [by_variance],
        "statistics over the features": [per_example],
        "one statistic for the whole array": [over_everything],
        "mean not subtracted": [not_centered],
        "gamma and beta applied too early": [affine_before],
        "gamma and beta swapped": [affine_confused],
        "gamma and beta left out": [only_x_hat],
    },
    "batch_norm_images": {
        "eps added to the standard deviation": [images_eps_beside],
        "eps left out": [images_no_eps],
        "each example over all its channels": [layer_norm_of_images],
        "a statistic for every column": [columns_apart],
        "variance divided by one less": [images_unbiased],
        "a statistic for every position": [images_per_pixel],
        "reshaped to (C, -1) in the order of memory": [images_reshaped],
        "each image on its own": [images_one_by_one],
        "variance averaged over the images": [images_mean_of_variances],
        "the channels were averaged away": [images_over_channels],
        "everything in one statistic": [images_one_statistic],
        "channels taken from the last axis": [images_channels_last],
        "channel statistics laid along the width": [images_nothing_reshaped],
        "gamma and beta along the width": [images_gamma_not_reshaped],
        "gamma and beta left out": [images_without_gamma],
    },
    "output_std": {
        "eps has no effect": [std_is_gamma, std_is_size_of_gamma, std_without_eps],
        "a negative spread": [std_with_sign],
        "eps beside the standard deviation": [std_eps_outside],
        "the variance of the output": [std_squared],
        "eps added to std instead of its square": [std_under_the_root],
        "spread of the input kept": [std_times_gamma],
    },
    "variance": {
        "more digits too late": [
            variance_cast_after_squaring,
            variance_of_python_floats,
        ],
        "one-pass variance": [variance_one_pass, variance_one_pass_with_dot],
        "negative variance clipped": [variance_clipped],
        "negative variance made positive": [variance_abs],
        "divided by M - 1": [variance_of_sample],
    },
    "identity_parameters": {
        "gamma without eps": [identity_std],
        "eps beside the standard deviation": [identity_std_plus_eps],
        "beta with the wrong sign": [identity_negative],
        "gamma is the variance": [identity_var],
        "normalized a second time": [identity_again],
        "gamma and beta in the wrong order": [identity_beta_first],
        "beta in units of the spread": [identity_scaled_beta],
        "spread taken with M - 1": [identity_sample],
        "the values that training starts with": [identity_defaults],
    },
}
