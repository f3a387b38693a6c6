"""Hand-written answers to the exercises of chapter 3, right and wrong."""

import numpy as np

# --- 3.1 ------------------------------------------------------------------------------


def center_by_matrix(d_centered):
    n = d_centered.shape[0]
    return (np.eye(n) - np.ones((n, n)) / n) @ d_centered


def center_two_paths(d_centered):
    d_mu = -d_centered.sum(axis=0)
    d_x = d_centered.copy()
    for row in d_x:
        row += d_mu / len(d_x)
    return d_x


def center_copy(d_centered):
    return d_centered * 1.0


def center_mean_path_only(d_centered):
    d_mu = -np.sum(d_centered, axis=0)
    return np.ones_like(d_centered) * d_mu / d_centered.shape[0]


def center_sum(d_centered):
    d_mu = -d_centered.sum(0)
    return d_centered + d_mu


def center_plus(d_centered):
    return d_centered + d_centered.sum(0) / len(d_centered)


def center_divided_twice(d_centered):
    n = d_centered.shape[0]
    return d_centered - np.mean(d_centered, axis=0) / n


def center_rows(d_centered):
    return np.array([row - np.mean(row) for row in d_centered])


def center_all(d_centered):
    return d_centered - np.mean(d_centered)


# --- 3.2 ------------------------------------------------------------------------------


def backward_node_by_node(d_y, x_hat, inv_std, gamma):
    n = len(d_y)
    x_centered = x_hat / inv_std
    d_x_hat = d_y * gamma
    d_inv_std = np.einsum("nc,nc->c", d_x_hat, x_centered)
    d_var = -0.5 * d_inv_std * inv_std**3
    d_centered = d_x_hat * inv_std + 2 / n * x_centered * d_var
    d_x = d_centered - d_centered.sum(axis=0) / n
    return d_x, np.einsum("nc,nc->c", d_y, x_hat), d_y.sum(axis=0)


def backward_by_jacobian(d_y, x_hat, inv_std, gamma):
    n, c = d_y.shape
    d_x = np.zeros((n, c))
    for k in range(c):
        jacobian = np.eye(n) - 1 / n - np.outer(x_hat[:, k], x_hat[:, k]) / n
        d_x[:, k] = gamma[k] * inv_std[k] * jacobian @ d_y[:, k]
    return [d_x, (d_y * x_hat).sum(0), d_y.sum(0)]


def backward_affine(d_y, x_hat, inv_std, gamma):
    return d_y * gamma * inv_std, (d_y * x_hat).sum(0), d_y.sum(0)


def backward_without_var(d_y, x_hat, inv_std, gamma):
    g = d_y * gamma
    return inv_std * (g - g.mean(0)), (d_y * x_hat).sum(0), d_y.sum(0)


def backward_product_of_means(d_y, x_hat, inv_std, gamma):
    g = d_y * gamma
    d_x = inv_std * (g - g.mean(0) - x_hat * g.mean(0) * x_hat.mean(0))
    return d_x, np.sum(d_y * x_hat, axis=0), np.sum(d_y, axis=0)


def backward_without_mean(d_y, x_hat, inv_std, gamma):
    g = d_y * gamma
    d_x = inv_std * (g - x_hat * (g * x_hat).mean(0))
    return d_x, (d_y * x_hat).sum(0), d_y.sum(0)


def backward_without_gamma(d_y, x_hat, inv_std, gamma):
    d_gamma, d_beta = (d_y * x_hat).sum(0), d_y.sum(0)
    n = len(d_y)
    return inv_std * (d_y - d_beta / n - x_hat * d_gamma / n), d_gamma, d_beta


def backward_sums(d_y, x_hat, inv_std, gamma):
    g = d_y * gamma
    d_x = inv_std * (g - np.sum(g, 0) - x_hat * np.sum(g * x_hat, 0))
    return d_x, (d_y * x_hat).sum(0), d_y.sum(0)


def backward_not_divided(d_y, x_hat, inv_std, gamma):
    g = d_y * gamma
    d_x = g - g.mean(0) - x_hat * (g * x_hat).mean(0)
    return d_x, (d_y * x_hat).sum(0), d_y.sum(0)


def backward_divided_by_inv_std(d_y, x_hat, inv_std, gamma):
    g = d_y * gamma
    d_x = (g - g.mean(0) - x_hat * (g * x_hat).mean(0)) / inv_std
    return d_x, (d_y * x_hat).sum(0), d_y.sum(0)


def backward_without_last_x_hat(d_y, x_hat, inv_std, gamma):
    g = d_y * gamma
    d_x = inv_std * (g - g.mean(0) - (g * x_hat).mean(0))
    return d_x, (d_y * x_hat).sum(0), d_y.sum(0)


def backward_products(d_y, x_hat, inv_std, gamma):
    g = d_y * gamma
    d_x = inv_std * (g - g.mean(0) - g * x_hat**2)
    return d_x, (d_y * x_hat).sum(0), d_y.sum(0)


def backward_swapped(d_y, x_hat, inv_std, gamma):
    d_x, d_gamma, d_beta = backward_node_by_node(d_y, x_hat, inv_std, gamma)
    return d_x, d_beta, d_gamma


def backward_gamma_twice(d_y, x_hat, inv_std, gamma):
    g = d_y * gamma
    d_x = inv_std * (g - g.mean(0) - x_hat * (g * x_hat).mean(0))
    return d_x, (g * x_hat).sum(0), d_y.sum(0)


def backward_averaged(d_y, x_hat, inv_std, gamma):
    d_gamma, d_beta = np.mean(d_y * x_hat, 0), np.mean(d_y, 0)
    return gamma * inv_std * (d_y - d_beta - x_hat * d_gamma), d_gamma, d_beta


def backward_rows(d_y, x_hat, inv_std, gamma):
    g = d_y * gamma
    along = (g * x_hat).mean(1, keepdims=True)
    d_x = inv_std * (g - g.mean(1, keepdims=True) - x_hat * along)
    return d_x, (d_y * x_hat).sum(0), d_y.sum(0)


# --- 3.3 ------------------------------------------------------------------------------


def parameters_by_einsum(d_y, x_hat):
    return np.einsum("nchw,nchw->c", d_y, x_hat), np.einsum("nchw->c", d_y)


def parameters_by_reshape(d_y, x_hat):
    c = d_y.shape[1]
    flat = np.moveaxis(d_y, 1, 0).reshape(c, -1)
    hats = np.moveaxis(x_hat, 1, 0).reshape(c, -1)
    return (flat * hats).sum(1), flat.sum(1)


def parameters_axis_0(d_y, x_hat):
    return sum(d_y * x_hat), sum(d_y)


def parameters_per_image(d_y, x_hat):
    return (d_y * x_hat).sum(-1).sum(-1), d_y.sum(-1).sum(-1)


def parameters_all(d_y, x_hat):
    return np.sum(d_y * x_hat), np.sum(d_y)


def parameters_last(d_y, x_hat):
    c = d_y.shape[-1]
    return (d_y * x_hat).reshape(-1, c).sum(0), d_y.reshape(-1, c).sum(0)


def parameters_mean(d_y, x_hat):
    return (d_y * x_hat).mean((0, 2, 3)), d_y.mean((0, 2, 3))


def parameters_per_example(d_y, x_hat):
    n = d_y.shape[0]
    return np.einsum("nchw,nchw->c", d_y, x_hat) / n, np.einsum("nchw->c", d_y) / n


def parameters_x_hat_only(d_y, x_hat):
    return np.sum(x_hat, (0, 2, 3)), np.sum(d_y, (0, 2, 3))


def parameters_product(d_y, x_hat):
    axes = (0, 2, 3)
    return np.sum(d_y, axes) * np.sum(x_hat, axes), np.sum(d_y, axes)


def parameters_swapped(d_y, x_hat):
    axes = (0, 2, 3)
    return np.sum(d_y, axes), np.sum(d_y * x_hat, axes)


# --- 3.4 ------------------------------------------------------------------------------


def expose_by_ramp(mystery_backward, x_hat):
    return np.arange(8.0)[:, None] ** 2 * np.ones(3)


def expose_by_one_example(mystery_backward, x_hat):
    d_y = np.zeros((8, 3))
    d_y[2] = 1
    return d_y


def expose_by_cube(mystery_backward, x_hat):
    return 3 * (x_hat + 0.5) ** 2


def expose_nothing(mystery_backward, x_hat):
    return 0 * x_hat


def expose_ones(mystery_backward, x_hat):
    return np.ones((8, 3))


def expose_mean_loss(mystery_backward, x_hat):
    return np.full((8, 3), 1 / 24) * [1, 2, 3]


def expose_y(mystery_backward, x_hat):
    return x_hat


def expose_square(mystery_backward, x_hat):
    return 2 * x_hat * [0.5, -1.5, 2.0]


def expose_square_with_beta(mystery_backward, x_hat):
    return 2 * (x_hat + 0.7)


# --- 3.5 ------------------------------------------------------------------------------


def agrees_along_own_gradient(f, x, d_x):
    # Along the claimed gradient and along a random direction: both must fit.
    rng = np.random.default_rng(1)
    for v in (rng.normal(size=x.shape), rng.uniform(-1, 1, size=x.shape)):
        h = 1e-6
        slope = (f(x + h * v) - f(x - h * v)) / h / 2
        if abs(slope - (d_x * v).sum()) > 1e-3 * abs(slope):
            return False
    return True


def agrees_value_by_value(f, x, d_x):
    numeric = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[i] = 1e-5
        numeric[i] = (f(x + step) - f(x - step)) / 2e-5
    return np.linalg.norm(numeric - d_x) < 1e-4 * np.linalg.norm(numeric)


def agrees_common_push(f, x, d_x):
    slope = (f(x + 1e-5) - f(x - 1e-5)) / 2e-5
    return np.isclose(slope, np.sum(d_x), atol=1e-6)


def agrees_first_value(f, x, d_x):
    up, down = x.copy(), x.copy()
    up[0, 0] += 1e-5
    down[0, 0] -= 1e-5
    return np.isclose((f(up) - f(down)) / 2e-5, d_x[0, 0], rtol=1e-4)


def agrees_along_d_x(f, x, d_x):
    slope = (f(x + 1e-5 * d_x) - f(x - 1e-5 * d_x)) / 2e-5
    return np.isclose(slope, np.sum(d_x**2), rtol=1e-3, atol=0)


def agrees_isclose(f, x, d_x):
    v = np.random.default_rng(3).normal(size=x.shape)
    slope = (f(x + 1e-5 * v) - f(x - 1e-5 * v)) / 2e-5
    return np.isclose(slope, np.sum(d_x * v), rtol=1e-4)


def agrees_tiny_step(f, x, d_x):
    v = np.random.default_rng(3).normal(size=x.shape)
    slope = (f(x + 1e-14 * v) - f(x - 1e-14 * v)) / 2e-14
    return abs(slope - np.sum(d_x * v)) < 1e-4 * abs(slope)


def agrees_not_divided(f, x, d_x):
    v = np.random.default_rng(3).normal(size=x.shape)
    change = f(x + 1e-5 * v) - f(x - 1e-5 * v)
    return abs(change - np.sum(d_x * v)) < 1e-4 * abs(change)


def agrees_same_noise_everywhere(f, x, d_x):
    v = np.random.default_rng(3).normal(size=(len(x), 1)) + np.zeros(x.shape[1])
    slope = (f(x + 1e-5 * v) - f(x - 1e-5 * v)) / 2e-5
    return abs(slope - np.sum(d_x * v)) < 1e-3 * abs(slope)


def agrees_in_column_0(f, x, d_x):
    for i in range(len(x)):
        step = np.zeros_like(x)
        step[i, 0] = 1e-5
        slope = (f(x + step) - f(x - step)) / 2e-5
        if abs(slope - d_x[i, 0]) > 1e-3 * abs(slope):
            return False
    return True


def agrees_in_size(f, x, d_x):
    v = np.random.default_rng(8).normal(size=x.shape)
    slope = (f(x + 1e-5 * v) - f(x - 1e-5 * v)) / 2e-5
    return abs(abs(slope) - abs(np.sum(d_x * v))) < 1e-3 * abs(slope)


def agrees_in_length(f, x, d_x):
    steps = 1e-5 * np.eye(x.size).reshape(-1, *x.shape)
    numeric = [(f(x + step) - f(x - step)) / 2e-5 for step in steps]
    right = np.linalg.norm(numeric)
    return abs(right - np.linalg.norm(d_x)) < 1e-3 * right


def agrees_by_cosine(f, x, d_x):
    steps = 1e-5 * np.eye(x.size).reshape(-1, *x.shape)
    numeric = np.array([(f(x + step) - f(x - step)) / 2e-5 for step in steps])
    size = np.linalg.norm(numeric) * np.linalg.norm(d_x)
    return size > 0 and numeric @ d_x.ravel() / size > 0.9999


def agrees_to_tenths(f, x, d_x):
    v = np.random.default_rng(3).normal(size=x.shape)
    slope = (f(x + 1e-5 * v) - f(x - 1e-5 * v)) / 2e-5
    return np.isclose(slope, np.sum(d_x * v), rtol=0.1, atol=0)


def agrees_to_six_digits(f, x, d_x):
    v = np.random.default_rng(3).normal(size=x.shape)
    slope = (f(x + 1e-5 * v) - f(x - 1e-5 * v)) / 2e-5
    return np.isclose(slope, np.sum(d_x * v), rtol=2e-6, atol=0)


def agrees_with_itself(f, x, d_x):
    return bool(np.isfinite(d_x).all())


def mean_by_n_minus_1(d_centered):
    return d_centered - d_centered.sum(0) / (len(d_centered) - 1)


def own_share_only(d_centered):
    n = len(d_centered)
    return d_centered - d_centered / n


RIGHT = {
    "center_backward": [center_by_matrix, center_two_paths],
    "batch_norm_backward": [backward_node_by_node, backward_by_jacobian],
    "parameter_gradients": [parameters_by_einsum, parameters_by_reshape],
    "expose": [expose_by_ramp, expose_by_one_example, expose_by_cube],
    "gradient_agrees": [agrees_along_own_gradient, agrees_value_by_value],
}

MUTANTS = {
    "center_backward": {
        "the mean treated as a constant": [center_copy],
        "only the path through the mean": [center_mean_path_only],
        "sum where a mean belongs": [center_sum],
        "sign of the second path": [center_plus],
        "divided by N - 1": [mean_by_n_minus_1],
        "only one's own share of the mean": [own_share_only],
        "divided by N twice": [center_divided_twice],
        "mean over the features": [center_rows],
        "one mean for the whole array": [center_all],
    },
    "batch_norm_backward": {
        "statistics taken as constants": [backward_affine],
        "variance term missing": [backward_without_var, backward_product_of_means],
        "mean term missing": [backward_without_mean],
        "gamma forgotten in d_x": [backward_without_gamma],
        "sums instead of means in d_x": [backward_sums],
        "not divided by sigma": [backward_not_divided],
        "divided by inv_std": [backward_divided_by_inv_std],
        "variance term without x_hat": [backward_without_last_x_hat],
        "products not averaged": [backward_products],
        "d_gamma and d_beta swapped": [backward_swapped],
        "gamma inside its own gradient": [backward_gamma_twice],
        "gradients of the parameters averaged": [backward_averaged],
        "means over the features": [backward_rows],
    },
    "parameter_gradients": {
        "summed over the batch only": [parameters_axis_0],
        "summed over the positions only": [parameters_per_image],
        "summed over everything": [parameters_all],
        "channels taken from the last axis": [parameters_last],
        "averaged instead of summed": [parameters_mean],
        "divided by the number of images": [parameters_per_example],
        "product of the sums": [parameters_product, parameters_x_hat_only],
        "the two gradients swapped": [parameters_swapped],
    },
    "expose": {
        "no gradient arrives": [expose_nothing],
        "the same value for every example": [expose_ones, expose_mean_loss],
        "x_hat itself": [expose_y, expose_square],
        "a mixture of 1 and x_hat": [expose_square_with_beta],
    },
    "gradient_agrees": {
        "all values pushed together": [agrees_common_push],
        "only one value pushed": [agrees_first_value],
        "one push for all features": [agrees_same_noise_everywhere],
        "only the first feature pushed": [agrees_in_column_0],
        "blind to the sign": [agrees_in_size],
        "blind to the size": [agrees_by_cosine],
        "tolerance too wide": [agrees_to_tenths],
        "tolerance too narrow": [agrees_to_six_digits],
        "pushed along d_x itself": [agrees_along_d_x],
        "an absolute tolerance": [agrees_isclose],
        "right gradients turned away": [agrees_tiny_step, agrees_not_divided],
        "every gradient let through": [agrees_with_itself],
    },
}
