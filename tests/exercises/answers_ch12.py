"""Hand-written answers to the exercises of chapter 12, right and wrong."""

import numpy as np

# --- 12.1 past_only


def right_with_running_sums(x, eps):
    n = np.arange(1, len(x) + 1)[:, None]
    mean = x.cumsum(axis=0) / n
    var = (x**2).cumsum(axis=0) / n - mean**2
    return (x - mean) / np.sqrt(np.maximum(var, 0) + eps)


def right_row_by_row(x, eps):
    rows = []
    for t in range(x.shape[0]):
        d = x[: t + 1] - x[: t + 1].mean(axis=0)
        rows.append(d[-1] / np.sqrt((d * d).mean(axis=0) + eps))
    return np.array(rows)


def only_the_mean_mended(x, eps):
    mean = np.array([x[: t + 1].mean(0) for t in range(len(x))])
    return (x - mean) / np.sqrt(x.var(0) + eps)


def looks_at_everything(x, eps):
    d = x - x.mean(0)
    return d / np.sqrt((d**2).mean(0) + eps)


def without_itself(x, eps):
    y = np.zeros(x.shape)
    for t in range(len(x)):
        past = x[:t] if t else x[:1]
        y[t] = (x[t] - past.mean(0)) / np.sqrt(past.var(0) + eps)
    return y


def one_further(x, eps):
    y = np.zeros(x.shape)
    for t in range(len(x)):
        part = x[: t + 2]
        y[t] = (x[t] - part.mean(0)) / np.sqrt(part.var(0) + eps)
    return y


def layer_norm_of_each(x, eps):
    mean = x.mean(axis=1, keepdims=True)
    return (x - mean) / np.sqrt(x.var(axis=1, keepdims=True) + eps)


def one_mean_for_all_features(x, eps):
    return np.array(
        [
            (x[t] - x[: t + 1].mean()) / np.sqrt(x[: t + 1].var() + eps)
            for t in range(len(x))
        ]
    )


def old_deviations_kept(x, eps):
    total, squares, rows = np.zeros(x.shape[1]), np.zeros(x.shape[1]), []
    for t, row in enumerate(x, 1):
        total += row
        d = row - total / t
        squares += d**2
        rows.append(d / np.sqrt(squares / t + eps))
    return np.stack(rows)


def sample_variance_of_the_past(x, eps):
    y = np.zeros(x.shape)
    for t in range(len(x)):
        past = x[: t + 1]
        var = past.var(0, ddof=1) if t else past.var(0)
        y[t] = (x[t] - past.mean(0)) / np.sqrt(var + eps)
    return y


# --- 12.2 leaky_layer


def reads_the_next_token(x):
    y = x.copy()
    y[:, :-1] += x[:, 1:]
    return y


def mean_without_the_first(x):
    rest = x[:, 1:].mean(axis=1, keepdims=True)
    return np.concatenate([x[:, :1], x[:, 1:] - rest], axis=1)


def centered_over_time(x):
    return x - x.mean(axis=1, keepdims=True)


def backwards(x):
    return x[:, ::-1].copy()


def past_mean(x):
    n = np.arange(1, x.shape[1] + 1)[:, None]
    return x - x.cumsum(axis=1) / n


def every_token_alone(x):
    return x - x.mean(axis=2, keepdims=True)


# --- 12.3 tokens_worth


def right_by_covariance(documents, length, own, kinds):
    p = 1 / kinds
    of_one, of_two = p * (1 - p), p / own - p * p
    of_share = (of_one + (length - 1) * of_two) / (documents * length)
    return of_one / of_share


def right_by_simulation(documents, length, own, kinds):
    rng, runs = np.random.default_rng(0), 1500
    vocabularies = rng.random((runs, documents, kinds)).argsort(axis=2)[..., :own]
    drawn = rng.integers(own, size=(runs, documents, length))
    letters = np.take_along_axis(vocabularies, drawn, axis=2).reshape(runs, -1)
    places = letters + kinds * np.arange(runs)[:, None]  # a count for each run
    counts = np.bincount(places.ravel(), minlength=runs * kinds)
    shares = counts.reshape(runs, kinds) / (documents * length)
    return (kinds - 1) / kinds**2 / shares.var(axis=0).mean()


def every_token(documents, length, own, kinds):
    return documents * length


def every_document(documents, length, own, kinds):
    return float(documents)


def letters_of_documents(documents, length, own, kinds):
    return documents * own


def chance_of_the_same(documents, length, own, kinds):
    return documents * length / (1 + (length - 1) / own)


# --- 12.4 tanh_backward


def right_with_cosh(d_y, x, alpha, gamma):
    slope = 1 / np.cosh(alpha * x) ** 2
    inner = np.einsum("ntd,d->ntd", d_y, gamma) * slope
    d_gamma = np.einsum("ntd,ntd->d", d_y, np.tanh(alpha * x))
    return alpha * inner, np.vdot(inner, x), d_gamma, d_y.reshape(-1, len(gamma)).sum(0)


def right_token_by_token(d_y, x, alpha, gamma):
    d_x, d_alpha = np.zeros_like(x), 0.0
    d_gamma, d_beta = np.zeros_like(gamma), np.zeros_like(gamma)
    for place in np.ndindex(x.shape[:2]):
        h = np.tanh(alpha * x[place])
        d_u = d_y[place] * gamma * (1 - h * h)
        d_x[place] = alpha * d_u
        d_alpha += d_u @ x[place]
        d_gamma += d_y[place] * h
        d_beta += d_y[place]
    return d_x, d_alpha, d_gamma, d_beta


def _tanh(d_y, x, alpha, gamma, d_u, in_x=None, h=None):
    h = np.tanh(alpha * x) if h is None else h
    d_x = alpha * d_u if in_x is None else in_x
    return d_x, (d_u * x).sum(), (d_y * h).sum((0, 1)), d_y.sum((0, 1))


def no_alpha(d_y, x, alpha, gamma):
    d_u = d_y * gamma * (1 - np.tanh(alpha * x) ** 2)
    return _tanh(d_y, x, alpha, gamma, d_u, in_x=d_u)


def no_square(d_y, x, alpha, gamma):
    return _tanh(d_y, x, alpha, gamma, d_y * gamma * (1 - np.tanh(alpha * x)))


def no_slope(d_y, x, alpha, gamma):
    return _tanh(d_y, x, alpha, gamma, d_y * gamma)


def no_gamma(d_y, x, alpha, gamma):
    return _tanh(d_y, x, alpha, gamma, d_y * (1 - np.tanh(alpha * x) ** 2))


def alphas(d_y, x, alpha, gamma):
    d_u = d_y * gamma * (1 - np.tanh(alpha * x) ** 2)
    d_x, _, *rest = _tanh(d_y, x, alpha, gamma, d_u)
    return d_x, (d_u * x).sum((0, 1)), *rest


def alpha_twice(d_y, x, alpha, gamma):
    d_u = d_y * gamma * (1 - np.tanh(alpha * x) ** 2)
    d_x, _, *rest = _tanh(d_y, x, alpha, gamma, d_u)
    return d_x, (d_x * x).sum(), *rest


def gamma_of_the_inside(d_y, x, alpha, gamma):
    d_u = d_y * gamma * (1 - np.tanh(alpha * x) ** 2)
    return _tanh(d_y, x, alpha, gamma, d_u, h=alpha * x)


def over_examples(d_y, x, alpha, gamma):
    d_u = d_y * gamma * (1 - np.tanh(alpha * x) ** 2)
    h = np.tanh(alpha * x)
    return alpha * d_u, (d_u * x).sum(), (d_y * h).sum(0), d_y.sum(0)


# --- 12.5 clip_units


def right_unit_by_unit(weight, grad, limit, floor):
    out = grad.copy()
    for i in range(len(weight)):
        most = limit * max(np.sqrt(weight[i] @ weight[i]), floor)
        length = np.sqrt(grad[i] @ grad[i])
        if length > most:
            out[i] = grad[i] * (most / length)
    return out


def right_with_where(weight, grad, limit, floor):
    most = limit * np.maximum(np.sqrt((weight**2).sum(1)), floor)
    length = np.sqrt((grad**2).sum(1))
    return np.where((length > most)[:, None], grad * (most / length)[:, None], grad)


def the_whole_matrix(weight, grad, limit, floor):
    most = limit * max(np.linalg.norm(weight), floor)
    return grad * min(1, most / np.linalg.norm(grad))


def each_weight(weight, grad, limit, floor):
    most = limit * np.maximum(abs(weight), floor)
    return np.minimum(np.maximum(grad, -most), most)


def by_inputs(weight, grad, limit, floor):
    return right_unit_by_unit(weight.T, grad.T, limit, floor).T


def always_that_long(weight, grad, limit, floor):
    size = np.maximum(np.linalg.norm(weight, axis=1), floor)
    return grad * (limit * size / np.linalg.norm(grad, axis=1))[:, None]


def fixed_length(weight, grad, limit, floor):
    length = np.linalg.norm(grad, axis=1, keepdims=True)
    return grad * np.minimum(1, limit / length)


def no_floor(weight, grad, limit, floor):
    return right_unit_by_unit(weight, grad, limit, 0.0)


def turned_over(weight, grad, limit, floor):
    size = np.maximum(np.linalg.norm(weight, axis=1, keepdims=True), floor)
    return grad * np.minimum(
        1, np.linalg.norm(grad, axis=1, keepdims=True) / (limit * size)
    )


RIGHT = {
    "past_only": [right_with_running_sums, right_row_by_row],
    "leaky_layer": [reads_the_next_token, mean_without_the_first],
    "tokens_worth": [right_by_covariance, right_by_simulation],
    "tanh_backward": [right_with_cosh, right_token_by_token],
    "clip_units": [right_unit_by_unit, right_with_where],
}

MUTANTS = {
    "past_only": {
        "the future still in the variance": [only_the_mean_mended],
        "the whole sequence": [looks_at_everything],
        "the token itself left out": [without_itself],
        "one token too many": [one_further],
        "over the features": [layer_norm_of_each],
        "features mixed": [one_mean_for_all_features],
        "deviations from means of their own time": [old_deviations_kept],
        "variance divided by one less": [sample_variance_of_the_past],
    },
    "leaky_layer": {
        "the last token reaches the first output": [centered_over_time, backwards],
        "a layer without a future": [past_mean, every_token_alone],
    },
    "tokens_worth": {
        "all tokens counted": [every_token],
        "one for each document": [every_document],
        "documents times letters": [letters_of_documents],
        "the chance of a match taken for the correlation": [chance_of_the_same],
    },
    "tanh_backward": {
        "alpha forgotten in the chain": [no_alpha],
        "the square forgotten": [no_square],
        "the slope of tanh forgotten": [no_slope],
        "gamma forgotten in the chain": [no_gamma],
        "an alpha for every feature": [alphas],
        "alpha's gradient times alpha": [alpha_twice],
        "gamma fed with x": [gamma_of_the_inside],
        "summed over the examples only": [over_examples],
    },
    "clip_units": {
        "one length for the whole matrix": [the_whole_matrix],
        "every number by itself": [each_weight],
        "columns taken for rows": [by_inputs],
        "short gradients made longer": [always_that_long],
        "ordinary clipping": [fixed_length],
        "the floor left out": [no_floor],
        "the factor upside down": [turned_over],
    },
}
