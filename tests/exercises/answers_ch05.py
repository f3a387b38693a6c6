"""Hand-written answers to the exercises of chapter 5, right and wrong."""

import numpy as np

# --- 5.1 speed_up


def right_with_loops(plain, bn, target):
    best = []
    for table in (plain, bn):
        medians = []
        for runs in table:
            arrivals = []
            for run in runs:
                good = np.flatnonzero(run >= target)
                arrivals.append(good[0] + 1 if len(good) else float("inf"))
            middle = sorted(arrivals)[(len(runs) - 1) // 2 : len(runs) // 2 + 1]
            medians.append(sum(middle) / len(middle))
        best.append(min(medians))
    return best[0] / best[1]


def right_with_cummax(plain, bn, target):
    def steps(table):
        waiting = np.maximum.accumulate(table, axis=2) < target
        count = waiting.sum(axis=2) + 1.0
        count[waiting[..., -1]] = np.inf
        return np.min(np.median(count, axis=1))

    return steps(plain) / steps(bn)


def _arrivals(table, target):
    hit = table >= target
    return np.where(hit.any(2), hit.argmax(2) + 1, np.inf)


def at_the_plain_rate(plain, bn, target):
    slow = np.median(_arrivals(plain, target), axis=1)
    best = slow.argmin()
    return slow[best] / np.median(_arrivals(bn, target), axis=1)[best]


def at_the_bn_rate(plain, bn, target):
    fast = np.median(_arrivals(bn, target), axis=1)
    best = fast.argmin()
    return np.median(_arrivals(plain, target)[best]) / fast[best]


def overall_minimum(plain, bn, target):
    return _arrivals(plain, target).min() / _arrivals(bn, target).min()


def averaged_curves(plain, bn, target):
    mean_plain, mean_bn = plain.mean(1), bn.mean(1)

    def steps(curves):
        return min(
            (np.flatnonzero(curve >= target)[:1] + 1).sum() or np.inf
            for curve in curves
        )

    return steps(mean_plain) / steps(mean_bn)


def median_curves(plain, bn, target):
    curves = np.median(plain, axis=1), np.median(bn, axis=1)
    steps = [
        np.where((c >= target).any(1), (c >= target).argmax(1) + 1.0, np.inf).min()
        for c in curves
    ]
    return steps[0] / steps[1]


def strictly_above(plain, bn, target):
    def steps(table):
        hit = table > target
        first = np.where(hit.any(2), hit.argmax(2) + 1, np.inf)
        return np.median(first, axis=1).min()

    return steps(plain) / steps(bn)


def rate_that_ends_best(plain, bn, target):
    def steps(table):
        best = np.argmax(np.median(table[:, :, -1], axis=1))
        return np.median(_arrivals(table, target)[best])

    return steps(plain) / steps(bn)


def bare_argmax(plain, bn, target):
    steps_plain = np.median((plain >= target).argmax(-1) + 1, axis=1).min()
    steps_bn = np.median((bn >= target).argmax(-1) + 1, axis=1).min()
    return steps_plain / steps_bn


def gives_up_at_the_end(plain, bn, target):
    last = plain.shape[2]
    slow = np.minimum(_arrivals(plain, target), last)
    fast = np.minimum(_arrivals(bn, target), last)
    return np.median(slow, axis=1).min() / np.median(fast, axis=1).min()


def drops_failures(plain, bn, target):
    def steps(table):
        medians = []
        for row in _arrivals(table, target):
            arrived = row[np.isfinite(row)]
            if len(arrived):
                medians.append(np.median(arrived))
        return min(medians, default=np.inf)

    return steps(plain) / steps(bn)


def minimum_before_median(plain, bn, target):
    slow, fast = _arrivals(plain, target).min(0), _arrivals(bn, target).min(0)
    return np.median(slow) / np.median(fast)


def counts_from_zero(plain, bn, target):
    slow = np.median(_arrivals(plain, target) - 1, axis=1).min()
    return slow / np.median(_arrivals(bn, target) - 1, axis=1).min()


def bn_over_plain(plain, bn, target):
    slow = np.median(_arrivals(plain, target), axis=1).min()
    return np.median(_arrivals(bn, target), axis=1).min() / slow


def mean_of_seeds(plain, bn, target):
    slow = _arrivals(plain, target).mean(axis=1).min()
    return slow / _arrivals(bn, target).mean(axis=1).min()


# --- 5.2 turning_angle


def right_with_arccos(weight, grad, lr, scale):
    old = scale * weight
    new = old - lr * grad / scale
    norms = np.linalg.norm(old, axis=1) * np.linalg.norm(new, axis=1)
    return np.arccos((old * new).sum(axis=1) / norms)


def right_with_arctan2(weight, grad, lr, scale):
    rate = lr / scale**2  # the effective one, for weights of the given length
    return [
        np.arctan2(rate * np.sqrt(g @ g), np.sqrt(w @ w))
        for w, g in zip(weight, grad, strict=True)
    ]


def ignores_scale(weight, grad, lr, scale):
    step, length = np.linalg.norm(lr * grad, axis=1), np.linalg.norm(weight, axis=1)
    return np.arctan2(step, length)


def old_gradient(weight, grad, lr, scale):
    old = scale * weight
    new = old - lr * grad
    cosine = np.einsum("ij,ij->i", old, new)
    cosine /= np.linalg.norm(old, axis=1) * np.linalg.norm(new, axis=1)
    return np.arccos(cosine)


def grows_with_scale(weight, grad, lr, scale):
    ratio = np.linalg.norm(grad, axis=1) / np.linalg.norm(weight, axis=1)
    return np.arctan(lr * scale * scale * ratio)


def step_length(weight, grad, lr, scale):
    return np.linalg.norm(lr * grad / scale, axis=1)


def tangent(weight, grad, lr, scale):
    g, w = np.linalg.norm(grad / scale, axis=1), np.linalg.norm(weight * scale, axis=1)
    return lr * g / w


def arcsine(weight, grad, lr, scale):
    step = lr * np.linalg.norm(grad / scale, axis=1)
    return np.arcsin(step / np.linalg.norm(scale * weight, axis=1))


def whole_matrix(weight, grad, lr, scale):
    step, length = np.linalg.norm(lr * grad), np.linalg.norm(weight)
    return np.arctan(step / length / scale**2)


def in_degrees(weight, grad, lr, scale):
    return np.rad2deg(right_with_arccos(weight, grad, lr, scale))


# --- 5.3 explosion


def right_with_std(phi, dphi):
    return np.sqrt(np.mean(dphi**2)) / np.std(phi)


def right_with_unbiased(phi, dphi):
    return np.sqrt(np.mean(dphi**2) / np.var(phi, ddof=1))


def right_with_moments(phi, dphi):
    variance = np.mean(phi * phi) - np.mean(phi) ** 2
    return (np.dot(dphi, dphi) / len(dphi) / variance) ** 0.5


def as_he_would(phi, dphi):
    return np.linalg.norm(dphi) / np.linalg.norm(phi)


def squared(phi, dphi):
    return np.mean(dphi**2) / np.var(phi)


def over_variance(phi, dphi):
    return np.sqrt(np.mean(dphi**2)) / np.var(phi)


def average_slope(phi, dphi):
    return np.mean(dphi) / np.std(phi)


def std_of_slope(phi, dphi):
    return np.std(dphi) / np.std(phi)


def inverted(phi, dphi):
    return np.std(phi) / np.sqrt(np.mean(np.square(dphi)))


def slope_only(phi, dphi):
    return np.linalg.norm(dphi) / np.sqrt(dphi.size)


RIGHT = {
    "speed_up": [right_with_loops, right_with_cummax],
    "turning_angle": [right_with_arccos, right_with_arctan2],
    "explosion": [right_with_std, right_with_moments, right_with_unbiased],
}

MUTANTS = {
    "speed_up": {
        "one rate for both": [at_the_plain_rate],
        "the rate of the BN nets for both": [at_the_bn_rate],
        "only the luckiest seed counts": [overall_minimum],
        "mean curve over the seeds": [averaged_curves],
        "median curve over the seeds": [median_curves],
        "exactly the target does not count": [strictly_above],
        "best rate by the last accuracy": [rate_that_ends_best],
        "never counted as the first step": [bare_argmax],
        "never counted as the last step": [gives_up_at_the_end],
        "runs that never arrive left out": [drops_failures],
        "another rate for each seed": [minimum_before_median],
        "index taken for a number of steps": [counts_from_zero],
        "ratio upside down": [bn_over_plain],
        "mean over the seeds": [mean_of_seeds],
    },
    "turning_angle": {
        "scale without effect": [ignores_scale],
        "gradient as before": [old_gradient],
        "larger weights turn faster": [grows_with_scale],
        "length of the step": [step_length],
        "ratio taken for the angle": [tangent],
        "arcsine for arctangent": [arcsine],
        "one angle for the whole matrix": [whole_matrix],
        "angle in degrees": [in_degrees],
    },
    "explosion": {
        "mean square instead of variance": [as_he_would],
        "growth of the squared norm": [squared],
        "variance instead of standard deviation": [over_variance],
        "mean slope": [average_slope],
        "spread of the slope": [std_of_slope],
        "fraction upside down": [inverted],
        "division by the norm forgotten": [slope_only],
    },
}
