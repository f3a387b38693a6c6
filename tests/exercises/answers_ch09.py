"""Hand-written answers to the exercises of chapter 9, right and wrong."""

import numpy as np

# --- 9.1 far_apart


def right_constant_parts(n):
    return np.zeros(n), np.ones(n)


def right_with_noise(n):
    rng = np.random.default_rng(0)
    return rng.normal(size=n) - 500, rng.normal(size=n) + 500


def all_zero(n):
    return np.zeros(n), np.zeros(n)


def all_sevens(n):
    return np.full(n, 7.0), np.full(n, 7.0)


def wide_and_narrow(n):
    a = np.linspace(-1, 1, n)
    return a, 100 * a


def same_numbers(n):
    return np.arange(n) * 1.0, np.arange(n) * 1.0


def one_outlier(n):
    return np.append(np.zeros(n - 1), 1000.0), np.zeros(n)


def even_and_odd(n):
    return np.arange(0.0, 2 * n, 2), np.arange(1.0, 2 * n, 2)


def one_after_the_other(n):
    return np.arange(n) * 1.0, np.arange(n, 2 * n) * 1.0


def two_normals(n):
    rng = np.random.default_rng(1)
    return rng.normal(0, 1, n), rng.normal(3, 1, n)


# --- 9.2 merge_parts


def right_one_after_the_other(counts, means, m2s):
    n, mean, m2 = counts[0], means[0], m2s[0]
    for n_b, mean_b, m2_b in zip(counts[1:], means[1:], m2s[1:], strict=True):
        delta = mean_b - mean
        m2 = m2 + m2_b + delta**2 * n * n_b / (n + n_b)
        mean = mean + delta * n_b / (n + n_b)
        n = n + n_b
    return mean, m2 / n


def right_with_average(counts, means, m2s):
    mean = np.average(means, axis=0, weights=counts)
    between = np.average((means - mean) ** 2, axis=0, weights=counts)
    return mean, m2s.sum(0) / counts.sum() + between


def plain_averages(counts, means, m2s):
    variances = m2s / counts[:, None]
    return means.sum(0) / len(counts), variances.sum(0) / len(counts)


def mean_of_means(counts, means, m2s):
    mean = np.mean(means, axis=0)
    total = sum(
        m + c * (mu - mean) ** 2 for c, mu, m in zip(counts, means, m2s, strict=True)
    )
    return mean, total / sum(counts)


def within_only(counts, means, m2s):
    return counts @ means / counts.sum(), m2s.sum(0) / counts.sum()


def variance_instead(counts, means, m2s):
    n = counts.sum()
    mean = counts @ means / n
    return mean, (counts @ m2s + counts @ (means - mean) ** 2) / n


def squared_counts(counts, means, m2s):
    n = counts.sum()
    mean = counts @ means / n
    apart = counts[:, None] * (means - mean)
    return mean, (m2s.sum(0) + (apart**2).sum(0)) / n


def distances_once(counts, means, m2s):
    mean = counts @ means / counts.sum()
    return mean, (m2s + (means - mean) ** 2).sum(0) / counts.sum()


def sample_variance(counts, means, m2s):
    mean, var = right_with_average(counts, means, m2s)
    return mean, var * counts.sum() / (counts.sum() - 1)


def weighted_variances(counts, means, m2s):
    w = counts[:, None]
    mean = (w * means).sum(0) / w.sum()
    with np.errstate(invalid="ignore"):
        var = m2s / w
    return mean, (w * (var + (means - mean) ** 2)).sum(0) / w.sum()


def means_variance(counts, means, m2s):
    n = counts.sum()
    return counts @ means / n, m2s.sum(axis=0) / n + np.var(means, axis=0)


def total_m2(counts, means, m2s):
    mean = counts @ means / counts.sum()
    return mean, m2s.sum(0) + counts @ (means - mean) ** 2


def standard_deviation(counts, means, m2s):
    mean, var = right_with_average(counts, means, m2s)
    return mean, var**0.5


def squares_of_means(counts, means, m2s):
    n = counts.sum()
    return counts @ means / n, (m2s.sum(0) + counts @ means**2) / n


def var_and_mean(counts, means, m2s):
    mean, var = right_with_average(counts, means, m2s)
    return var, mean


def one_pass(counts, means, m2s):
    n, w = counts.sum(), counts.reshape(-1, 1)
    squares = (m2s + w * means**2).sum(axis=0)
    mean = (w * means).sum(axis=0) / n
    return mean, squares / n - mean**2


# --- 9.3 backward_part


def right_with_sums(d_y_parts, x_hat_parts, gamma, inv_std, rank):
    n = sum(len(part) for part in d_y_parts)
    d_beta = sum(d.sum(0) for d in d_y_parts)
    d_gamma = sum((d * h).sum(0) for d, h in zip(d_y_parts, x_hat_parts, strict=True))
    own = d_y_parts[rank] - d_beta / n - x_hat_parts[rank] * d_gamma / n
    return gamma * inv_std * own


def right_whole_then_cut(d_y_parts, x_hat_parts, gamma, inv_std, rank):
    g, h = np.vstack(d_y_parts) * gamma, np.vstack(x_hat_parts)
    d_x = inv_std * (g - g.mean(0) - h * (g * h).mean(0))
    begin = sum(len(part) for part in d_y_parts[:rank])
    return d_x[begin : begin + len(d_y_parts[rank])]


def own_part_only(d_y_parts, x_hat_parts, gamma, inv_std, rank):
    g, h = gamma * d_y_parts[rank], x_hat_parts[rank]
    return inv_std * (g - g.mean(0) - h * (g * h).mean(0))


def means_averaged(d_y_parts, x_hat_parts, gamma, inv_std, rank):
    first = second = 0
    for d, h in zip(d_y_parts, x_hat_parts, strict=True):
        first = first + (gamma * d).mean(0) / len(d_y_parts)
        second = second + (gamma * d * h).mean(0) / len(d_y_parts)
    return inv_std * (gamma * d_y_parts[rank] - first - x_hat_parts[rank] * second)


def only_sums(d_y_parts, x_hat_parts, gamma, inv_std, rank):
    g, h = gamma * np.concatenate(d_y_parts), np.concatenate(x_hat_parts)
    own = gamma * d_y_parts[rank]
    return inv_std * (own - g.sum(0) - x_hat_parts[rank] * (g * h).sum(0))


def sums_by_local_count(d_y_parts, x_hat_parts, gamma, inv_std, rank):
    g, h = gamma * np.concatenate(d_y_parts), np.concatenate(x_hat_parts)
    n = len(d_y_parts[rank])
    own = gamma * d_y_parts[rank]
    return inv_std * (own - g.sum(0) / n - x_hat_parts[rank] * (g * h).sum(0) / n)


def no_gamma(d_y_parts, x_hat_parts, gamma, inv_std, rank):
    return right_with_sums(d_y_parts, x_hat_parts, 1.0, inv_std, rank)


def centered_only(d_y_parts, x_hat_parts, gamma, inv_std, rank):
    g = gamma * np.concatenate(d_y_parts)
    return inv_std * (gamma * d_y_parts[rank] - g.mean(0))


def not_centered(d_y_parts, x_hat_parts, gamma, inv_std, rank):
    g, h = gamma * np.concatenate(d_y_parts), np.concatenate(x_hat_parts)
    return inv_std * (gamma * d_y_parts[rank] - x_hat_parts[rank] * (g * h).mean(0))


def gamma_once(d_y_parts, x_hat_parts, gamma, inv_std, rank):
    g, h = np.concatenate(d_y_parts), np.concatenate(x_hat_parts)
    own = gamma * d_y_parts[rank]
    return inv_std * (own - g.mean(0) - x_hat_parts[rank] * (g * h).mean(0))


def second_average_local(d_y_parts, x_hat_parts, gamma, inv_std, rank):
    g, h = gamma * d_y_parts[rank], x_hat_parts[rank]
    first = (gamma * np.concatenate(d_y_parts)).mean(0)
    return inv_std * (g - first - h * (g * h).mean(0))


def constants(d_y_parts, x_hat_parts, gamma, inv_std, rank):
    return gamma * inv_std * d_y_parts[rank]


def averages_only(d_y_parts, x_hat_parts, gamma, inv_std, rank):
    g, h = gamma * np.vstack(d_y_parts), np.vstack(x_hat_parts)
    return inv_std * (gamma * d_y_parts[rank] - g.mean(0) - (g * h).mean(0))


def not_scaled(d_y_parts, x_hat_parts, gamma, inv_std, rank):
    return right_with_sums(d_y_parts, x_hat_parts, gamma, inv_std, rank) / inv_std


# --- 9.4 sync_running_var


def right_with_blend(running_var, var, counts, rank, momentum):
    n = np.sum(counts)
    return running_var + momentum * (n * var / (n - 1) - running_var)


def with_own_count(running_var, var, counts, rank, momentum):
    n = counts[rank]
    return (1 - momentum) * running_var + momentum * var * n / (n - 1)


def with_world_size(running_var, var, counts, rank, momentum):
    n = counts[rank] * len(counts)
    return running_var * (1 - momentum) + momentum * n / (n - 1) * var


def counts_ranks(running_var, var, counts, rank, momentum):
    n = len(counts)
    return running_var * (1 - momentum) + momentum * n / (n - 1) * var


def pooled(running_var, var, counts, rank, momentum):
    new = var * sum(counts) / sum(n - 1 for n in counts)
    return running_var + momentum * (new - running_var)


def stores_biased(running_var, var, counts, rank, momentum):
    return running_var * (1 - momentum) + momentum * var


def keeps_a_tenth(running_var, var, counts, rank, momentum):
    n = sum(counts)
    return momentum * running_var + (1 - momentum) * var * n / (n - 1)


def inverted_correction(running_var, var, counts, rank, momentum):
    n = sum(counts)
    return (1 - momentum) * running_var + momentum * var * (n - 1) / n


# --- 9.5 loss_factor


def right_with_mean(counts, rank):
    return counts[rank] / np.mean(counts)


def share_of_batch(counts, rank):
    return counts[rank] / np.sum(counts)


def always_one(counts, rank):
    return 1


def inverted(counts, rank):
    return np.mean(counts) / counts[rank]


def divides_again(counts, rank):
    return counts[rank] / (len(counts) * sum(counts))


def busy_ranks(counts, rank):
    return counts[rank] / np.mean([count for count in counts if count])


def world_size(counts, rank):
    return len(counts)


def own_count(counts, rank):
    return counts[rank]


def plain_mean_of_variances(counts, means, m2s):
    mean = counts @ means / counts.sum()
    return mean, np.mean(
        [m / max(n, 1) for m, n in zip(m2s, counts, strict=True)], axis=0
    )


RIGHT = {
    "far_apart": [right_constant_parts, right_with_noise],
    "merge_parts": [right_one_after_the_other, right_with_average],
    "backward_part": [right_with_sums, right_whole_then_cut],
    "sync_running_var": [right_with_blend],
    "loss_factor": [right_with_mean],
}

MUTANTS = {
    "far_apart": {
        "nothing to hide": [all_zero, all_sevens],
        "the spread lies inside the parts": [
            wide_and_narrow,
            same_numbers,
            one_outlier,
            even_and_odd,
        ],
        "not far enough apart": [one_after_the_other, two_normals],
    },
    "merge_parts": {
        "averages of averages": [plain_averages],
        "unequal parts weighted equally": [mean_of_means],
        "distances between the parts forgotten": [within_only],
        "the mean of the ranks' variances": [plain_mean_of_variances],
        "every rank's distance counted alike": [means_variance],
        "M2 taken for a variance": [variance_instead],
        "count squared": [squared_counts],
        "distances not multiplied by the counts": [distances_once],
        "divided by n - 1": [sample_variance],
        "the sum of squares not divided": [total_m2],
        "the root drawn": [standard_deviation],
        "distances from zero instead of the common mean": [squares_of_means],
        "variance first": [var_and_mean],
        "the empty part divided by its count": [weighted_variances],
        "mean of squares minus squared mean": [one_pass],
    },
    "backward_part": {
        "local averages": [own_part_only],
        "averages of the ranks' averages": [means_averaged],
        "sums where averages belong": [only_sums],
        "the whole sum divided by the local count": [sums_by_local_count],
        "gamma forgotten": [no_gamma],
        "the averages taken without gamma's factor": [gamma_once],
        "only one average over all ranks": [second_average_local],
        "both terms missing": [constants],
        "x_hat missing in the last term": [averages_only],
        "inv_std forgotten": [not_scaled],
        "the variance term missing": [centered_only],
        "the mean term missing": [not_centered],
    },
    "sync_running_var": {
        "the local count": [with_own_count],
        "as if all parts had the size of this one": [with_world_size],
        "ranks counted instead of values": [counts_ranks],
        "one subtracted for each rank": [pooled],
        "the correction upside down": [inverted_correction],
        "biased variance stored": [stores_biased],
        "momentum the wrong way round": [keeps_a_tenth],
    },
    "loss_factor": {
        "the wrapper's division forgotten": [share_of_batch],
        "the division made a second time": [divides_again],
        "ranks without examples left out": [busy_ranks],
        "every rank counts the same": [always_one],
        "upside down": [inverted],
        "only the division undone": [world_size],
        "the mean turned into a sum only": [own_count],
    },
}
