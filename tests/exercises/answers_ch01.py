"""Hand-written answers to the exercises of chapter 1, right and wrong."""

import numpy as np

# 1.1 z-score


def z_by_columns(x):
    z = np.zeros_like(x)
    for c, column in enumerate(x.T):
        if len(set(column)) > 1:
            mu = sum(column) / len(column)
            sigma = (sum((v - mu) ** 2 for v in column) / len(column)) ** 0.5
            z[:, c] = (column - mu) / sigma
    return z


def z_from_first_row(x):
    d = x - x[0]
    d = d - d.mean(0)
    length = np.linalg.norm(d, axis=0) / np.sqrt(len(x))
    return np.divide(d, length, out=np.zeros_like(d), where=(x != x[0]).any(0))


def z_sample_std(x):
    flat = x.max(0) == x.min(0)
    s = np.sqrt(((x - x.mean(0)) ** 2).sum(0) / (len(x) - 1))
    z = (x - x.mean(0)) / np.where(flat, 1, s)
    z[:, flat] = 0
    return z


def z_by_variance(x):
    flat = x.max(0) == x.min(0)
    z = (x - np.mean(x, 0)) / np.where(flat, 1, np.var(x, 0))
    z[:, flat] = 0
    return z


def z_of_rows(x):
    return np.array([(row - row.mean()) / row.std() for row in x])


def z_of_everything(x):
    return (x - np.mean(x)) / np.std(x)


def z_std_plus_eps(x):
    return (x - x.mean(0)) / (x.std(0) + 1e-8)


def z_var_plus_eps(x):
    return (x - x.mean(0)) / (x.var(0) + 1e-5) ** 0.5


def z_without_a_rule(x):
    return (x - x.mean(axis=0)) / x.std(axis=0)


def z_std_is_zero(x):
    s = x.std(0)
    s[s == 0] = 1
    return (x - x.mean(0)) / s


# 1.2 train-test


def split_stacked(train, test):
    mu, sigma = train.mean(0), train.std(0)
    sigma[train.min(0) == train.max(0)] = 1
    z = (np.vstack([train, test]) - mu) / sigma
    return z[: len(train)], z[len(train) :]


def _safe(s):
    return np.where(s > 0, s, 1)


def split_each_its_own(train, test):
    return [(part - part.mean(0)) / _safe(part.std(0)) for part in (train, test)]


def split_each_its_own_without_a_rule(train, test):
    return tuple((x - x.mean(axis=0)) / x.std(axis=0) for x in (train, test))


def split_by_variance(train, test):
    mean, var = train.mean(0), train.var(0)
    var[var == 0] = 1
    return (train - mean) / var, (test - mean) / var


def split_pooled(train, test):
    everyone = np.vstack((train, test))
    z = (everyone - everyone.mean(0)) / _safe(everyone.std(0))
    return z[: len(train)], z[len(train) :]


def split_test_untouched(train, test):
    return (train - train.mean(0)) / _safe(train.std(0)), test


def split_own_mean(train, test):
    s = _safe(train.std(0))
    return (train - train.mean(0)) / s, (test - test.mean(0)) / s


def split_sample_std(train, test):
    s = _safe(train.std(0, ddof=1))
    return (train - train.mean(0)) / s, (test - train.mean(0)) / s


def split_constant_to_zero(train, test):
    s = train.std(0)
    out = []
    for part in (train, test):
        z = (part - train.mean(0)) / _safe(s)
        z[:, s == 0] = 0
        out.append(z)
    return tuple(out)


# 1.3 raw-units


def units_by_probing(w, b, mean, std):
    def predict(x):
        return float(np.dot(w, (x - mean) / std) + b)

    origin = predict(np.zeros(len(w)))
    return np.array([predict(e) - origin for e in np.eye(len(w))]), origin


def units_old_bias(w, b, mean, std):
    return w / std, b


def units_times_std(w, b, mean, std):
    v = w * std
    return v, b - np.dot(v, mean)


def units_plus(w, b, mean, std):
    return w / std, b + np.sum(w * mean / std)


def units_std_forgotten(w, b, mean, std):
    return w / std, b - np.sum(w * mean)


def units_variance(w, b, mean, std):
    return w / std**2, b - np.sum(w * mean / std**2)


# 1.4 best-step


def step_by_search(hessian):
    lam = np.linalg.eigvalsh(hessian)
    low, high = 0.0, 2 / lam[-1]
    for _ in range(200):  # the factors 1 - step * lam meet where their sizes are equal
        step = (low + high) / 2
        if step * lam[-1] - 1 > 1 - step * lam[0]:
            high = step
        else:
            low = step
    return step


def step_by_svd(hessian):
    s = np.linalg.svd(hessian, compute_uv=False)
    return 1 / ((s[0] + s[-1]) / 2)


def step_one_over_largest(hessian):
    return 1 / np.linalg.norm(hessian, 2)


def step_two_over_largest(hessian):
    return 2 / max(np.linalg.eigvals(hessian).real)


def step_one_over_smallest(hessian):
    return np.linalg.norm(np.linalg.inv(hessian), 2)


def step_mean(hessian):
    return 1 / np.mean(np.linalg.eigvalsh(hessian))


def step_diagonal(hessian):
    d = sorted(hessian[i, i] for i in range(len(hessian)))
    return 2 / (d[0] + d[-1])


def step_inverted(hessian):
    lam = np.linalg.eigvalsh(hessian)
    return (lam[0] + lam[-1]) / 2


# 1.5 importance


def importance_by_loops(group, share):
    group = list(group)
    weights = []
    for g in group:
        weights.append(share[g] * len(group) / group.count(g))
    return weights


def importance_by_comparison(group, share):
    same = group[:, None] == group
    return share[group] / same.mean(axis=1)


def importance_inverted(group, share):
    return np.array([np.mean(group == g) / share[g] for g in group])


def importance_share_only(group, share):
    return np.array([share[g] for g in group])


def importance_counts(group, share):
    w = share / np.bincount(group)
    return w[group]


def importance_normalized(group, share):
    w = np.array([share[g] / np.mean(group == g) for g in group])
    return w / w.sum()


def importance_minus(group, share):
    return np.array([share[g] - np.mean(group == g) for g in group])


def importance_balanced(group, share):
    counts = np.bincount(group)
    return len(group) / (len(counts) * counts[group])  # class_weight="balanced"


def importance_inverse_share(group, share):
    return 1 / (np.bincount(group) / len(group))[group]


def importance_of_groups(group, share):
    return share / (np.bincount(group) / len(group))


def z_small_is_constant(x):
    s = x.std(0)
    s[s < 1e-8] = 1
    return (x - x.mean(0)) / s


def z_small_is_zero(x):
    z = np.zeros_like(x)
    for c in range(x.shape[1]):
        if x[:, c].std() > 1e-6:
            z[:, c] = (x[:, c] - x[:, c].mean()) / x[:, c].std()
    return z


def split_divides_by_zero(train, test):
    m, s = train.mean(0), train.std(0)
    return (train - m) / s, (test - m) / s


def split_eps(train, test):
    m, s = np.mean(train, 0), np.std(train, 0) + 1e-8
    return [(train - m) / s, (test - m) / s]


def units_bias_vector(w, b, mean, std):
    v = w / std
    return v, b - v * mean


def step_sum(hessian):
    return 2 / np.linalg.eigvalsh(hessian).sum()


def importance_in_integers(group, share):
    weights = np.zeros_like(group)
    for g in range(len(share)):
        if (group == g).any():
            weights[group == g] = share[g] / np.mean(group == g)
    return weights


RIGHT = {
    "z-score": [z_by_columns, z_from_first_row],
    "train-test": [split_stacked],
    "raw-units": [units_by_probing],
    "best-step": [step_by_search, step_by_svd],
    "importance": [importance_by_loops, importance_by_comparison],
}

MUTANTS = {
    "z-score": {
        "variance divided by N - 1": [z_sample_std],
        "divided by the variance": [z_by_variance],
        "statistics over the rows": [z_of_rows],
        "one statistic for the whole array": [z_of_everything],
        "a small eps in place of a rule": [z_std_plus_eps, z_var_plus_eps],
        "a small column taken for a constant one": [
            z_small_is_constant,
            z_small_is_zero,
        ],
        "constant columns divided by zero": [z_without_a_rule],
        "constant columns recognized by std == 0": [z_std_is_zero],
    },
    "train-test": {
        "test set scaled with its own statistics": [
            split_each_its_own,
            split_each_its_own_without_a_rule,
        ],
        "statistics taken from both sets": [split_pooled],
        "only the training set scaled": [split_test_untouched],
        "test set centered at its own mean": [split_own_mean],
        "variance divided by N - 1": [split_sample_std],
        "divided by the variance": [split_by_variance],
        "new values of a constant column erased": [split_constant_to_zero],
        "constant column divided by almost nothing": [
            split_divides_by_zero,
            split_eps,
        ],
    },
    "raw-units": {
        "bias left as it was": [units_old_bias],
        "multiplied by the std": [units_times_std],
        "bias corrected with the wrong sign": [units_plus],
        "std forgotten in the bias": [units_std_forgotten],
        "one bias per feature": [units_bias_vector],
        "divided by the variance": [units_variance],
    },
    "best-step": {
        "a step that suits the steepest axis only": [step_one_over_largest],
        "a step at the edge of divergence": [step_two_over_largest],
        "a step that suits the flattest axis only": [step_one_over_smallest],
        "a step for the average curvature": [step_mean],
        "all eigenvalues in the sum": [step_sum],
        "diagonal taken for the eigenvalues": [step_diagonal],
        "step upside down": [step_inverted],
    },
    "importance": {
        "rounded down to whole numbers": [importance_in_integers],
        "ratio upside down": [importance_inverted],
        "share of the test set alone": [importance_share_only],
        "divided by counts instead of shares": [
            importance_counts,
            importance_normalized,
        ],
        "difference instead of ratio": [importance_minus],
        "groups balanced instead of matched": [
            importance_balanced,
            importance_inverse_share,
        ],
        "one weight per group": [importance_of_groups],
    },
}
