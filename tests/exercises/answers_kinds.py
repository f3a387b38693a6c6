"""Hand-written answers to the exercises of other kinds, chapters 1 to 11."""

import numpy as np

# --- 1.6 worse_divided


def one_and_a_little(n):
    return 1 + 0.1 * np.arange(n) / n


def far_and_narrow(n):
    return [2 - k / (50 * n) for k in range(n)]


def all_equal(n):
    return np.ones(n)


def around_zero(n):
    return np.arange(n) - (n - 1) / 2


def euros(n):
    return np.linspace(100, 1000, n)


def meters(n):
    return 0.01 + 0.001 * np.arange(n) / n


def one_to_two(n):
    return np.linspace(1, 1.9, n)


# --- 2.4 breaking_mean


def mean_by_seven_digits(std):
    return 1000 * std


def mean_by_halving(std):
    low, high = std, 1e7 * std
    while high / low > 1.1:
        middle = (low * high) ** 0.5
        low, high = (
            (low, middle) if 6e-8 * (middle / std) ** 2 > 0.1 else (middle, high)
        )
    return low


def thousand(std):
    return 1000.0


def by_digits_of_x(std):
    return 0.1 / 6e-8 * std


def wide_breaks_sooner(std):
    return 1000 / std


def not_yet_the_root(std):
    return 0.1 / 6e-8 * std * std


# --- 2.5 other_batch


def stretched(a, eps):
    return a + 4 * (a - a.mean(0))


def drawn_anew(a, eps):
    z = np.random.default_rng(0).normal(size=a.shape)
    z = z - z.mean(0)
    return a.mean(0) + 4 * a.std(0) * z / z.std(0)


def doubled(a, eps):
    return 2 * a


def raised(a, eps):
    return a + 10


def turned_over(a, eps):
    return a[::-1]


def a_little_wider(a, eps):
    return a + 0.2 * (a - a.mean(0))


# --- 3.6 false_gradient


def _right(d_y, x_hat, inv_std, gamma):
    n = len(d_y)
    inner = d_y - d_y.sum(0) / n - x_hat * (d_y * x_hat).sum(0) / n
    return gamma * inv_std * inner


def turned_around(*args):
    return -_right(*args)


def rows_exchanged(*args):
    return _right(*args)[::-1]


def nothing_wrong(*args):
    return _right(*args)


def all_zeros(d_y, x_hat, inv_std, gamma):
    return np.zeros_like(d_y)


def blind_to_the_variance(d_y, x_hat, inv_std, gamma):
    return gamma * inv_std * (d_y - d_y.mean(0))


def blind_to_the_mean(d_y, x_hat, inv_std, gamma):
    return gamma * inv_std * (d_y - x_hat * (d_y * x_hat).mean(0))


def handed_on(d_y, x_hat, inv_std, gamma):
    return d_y * gamma * inv_std


# --- 3.7 passed_share


def share_by_drawing(n):
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(4000):
        d = rng.normal(size=n)
        one = np.ones(n) / n**0.5
        h = rng.normal(size=n)
        h = h - h.mean()
        h = h / np.linalg.norm(h)
        left = d - (d @ one) * one - (d @ h) * h
        shares.append((left @ left, d @ d))
    return (np.sum(shares, axis=0)[0] / np.sum(shares, axis=0)[1]) ** 0.5


def share_by_the_rest(n):
    return (1 - 2 / n) ** 0.5


def directions(n):
    return 1 - 2 / n


def only_the_mean(n):
    return ((n - 1) / n) ** 0.5


def gone(n):
    return (2 / n) ** 0.5


def all_of_it(n):
    return 1


def minus_the_lost(n):
    return 1 - (2 / n) ** 0.5


# --- 4.3 blind_order


def falling(values, size):
    return np.argsort(-values)


def by_sorted(values, size):
    return sorted(range(len(values)), key=lambda i: values[i])


def the_values(values, size):
    return sorted(values)


def as_it_came(values, size):
    return list(range(len(values)))


def the_ranks(values, size):
    return values.argsort().argsort()


def dealt(values, size):
    order = values.argsort()
    count = len(values) // size
    return np.concatenate([order[k::count] for k in range(count)])


def shuffled(values, size):
    return np.random.default_rng(1).permutation(len(values))


# --- 4.6 poison


def two_halves(mean, var, n):
    far = 100 * np.sqrt(var)
    return np.vstack([[mean - far] * (n // 2), [mean + far] * (n // 2)])


def one_pair(mean, var, n):
    x = np.tile(mean, (n, 1))
    x[0] += 1000 * var**0.5
    x[1] -= 1000 * var**0.5
    return x


def without_spread(mean, var, n):
    return np.tile(mean, (n, 1))


def both_sides_of_zero(mean, var, n):
    x = np.zeros((n, len(mean)))
    x[0], x[1] = 100 * var**0.5, -100 * var**0.5
    return x


def one_outlier(mean, var, n):
    x = np.tile(mean, (n, 1))
    x[0] = x[0] + 1000 * np.sqrt(var)
    return x


def hundredfold(mean, var, n):
    signs = np.array([(-1) ** i for i in range(n)])[:, None]
    return mean + 10 * np.sqrt(var) * signs


# --- 5.4 fair_baseline


def tanh_with_sgd(choices):
    return {"activation": "tanh", "optimizer": "sgd", "lr": 0.3}


def relu_with_sgd(choices):
    return {"lr": max(choices["lr"]), "optimizer": "sgd", "activation": "relu"}


def sigmoid_kept(choices):
    last = choices["optimizer"][-1]
    return {"activation": "sigmoid", "optimizer": last, "lr": 0.03}


def smallest_rate(choices):
    return {key: options[-1] for key, options in choices.items()} | {"lr": 0.003}


def small_for_sgd(choices):
    return {"activation": "relu", "optimizer": "sgd", "lr": 0.03}


def always_adam(choices):
    return {"activation": "relu", "optimizer": "adam", "lr": 0.03}


# --- 5.5 best_rate


def rate_by_climbing(run, rates, seeds):
    factor = rates[1] / rates[0]

    def mean(rate):
        value = sum(run(rate, seed) for seed in seeds) / len(seeds)
        return value if value == value else float("-inf")

    rate = max(rates, key=mean)
    while True:
        better = max((rate / factor, rate, rate * factor), key=mean)
        if better == rate:
            return rate
        rate = better


def rate_from_a_wide_grid(run, rates, seeds):
    factor = rates[1] / rates[0]
    wide = [rates[0] * factor**k for k in range(-6, 9)]
    table = np.array([[run(rate, seed) for seed in seeds] for rate in wide])
    return wide[int(np.nanargmax(table.mean(axis=1)))]


def inside_the_grid(run, rates, seeds):
    means = [np.mean([run(rate, seed) for seed in seeds]) for rate in rates]
    return rates[int(np.nanargmax(means))]


def _extended(run, rates, seeds, sides, over, pick):
    rates, factor = list(rates), rates[1] / rates[0]
    while True:
        means = [over([run(rate, seed) for seed in seeds]) for rate in rates]
        best = int(pick(means))
        if best == len(rates) - 1 and "up" in sides and len(rates) < 15:
            rates.append(rates[-1] * factor)
        elif best == 0 and "down" in sides and len(rates) < 15:
            rates.insert(0, rates[0] / factor)
        else:
            return rates[best]


def only_upward(run, rates, seeds):
    return _extended(run, rates, seeds, ("up",), np.mean, np.nanargmax)


def only_downward(run, rates, seeds):
    return _extended(run, rates, seeds, ("down",), np.mean, np.nanargmax)


def by_the_best_run(run, rates, seeds):
    return _extended(run, rates, seeds, ("up", "down"), np.max, np.nanargmax)


def nan_is_best(run, rates, seeds):
    return _extended(run, rates, seeds, ("up", "down"), np.mean, np.argmax)


# --- 6.4 flatter


def longer_rows(weight, factor):
    length = np.linalg.norm(weight, axis=1, keepdims=True)
    return weight / length * (factor * length)


def far_too_long(weight, factor):
    return weight * (10 * factor)


def shorter(weight, factor):
    return weight * (1 / factor)


def root_longer(weight, factor):
    return weight * factor**0.5


def plus_factor(weight, factor):
    return factor + weight


def minus_factor(weight, factor):
    return weight * -factor


def the_same_weight(weight, factor):
    return weight.copy()


# --- 7.6 invisible


def stretched_and_moved(h):
    return 2.5 * h + 5


def stretched_with_a_row(h):
    return 4 * h + np.arange(2, 2 + h.shape[1])


def upside_down(h):
    return 100 - 3 * h


def each_feature_its_own(h):
    return h * np.arange(2, 2 + h.shape[1]) + 3


def moved_only(h):
    return h + 2


def each_example_its_own(h):
    return h + 2 + np.arange(len(h))[:, None]


# --- 8.6 norm_free_rate


def rate_from_a_table(blocks):
    return {3: 0.01, 6: 0.002, 10: 2e-4}[blocks]


def rate_by_the_stream(blocks):
    return 0.05 * 3.0 ** (-blocks / 2)


def one_for_all(blocks):
    return 0.001


def as_with_norms(blocks):
    return 0.04


def hardly_moving(blocks):
    return 1e-7


# --- 9.6 lucky_parts


def mirrored_draw(n):
    a = np.random.default_rng(2).exponential(size=n)
    return [a, 2 * np.mean(a) - a]


def standardized_draws(n):
    a, b = np.random.default_rng(3).normal(size=(2, n))
    if n == 3:
        a = np.array([0.0, 0.0, 3.0])
        b = np.array([2.0, 2.0, -1.0])
    return [(v - v.mean()) / v.std() for v in (a, b)]


def twice(n):
    return np.arange(n), np.arange(n)[::-1]


def same_center(n):
    a = np.arange(n) - (n - 1) / 2
    return a**3, 2 * a**3


def same_width(n):
    a = np.arange(n) ** 2
    return a, a + 100


def quite_different(n):
    return np.arange(n), 3 * np.arange(n) ** 2


# --- 10.3 tuned_prior


def prior_by_loops(run, priors, seeds):
    best, answer = -1, None
    for prior in priors:
        pairs = [run(prior, seed) for seed in seeds]
        mean = sum(v for v, _ in pairs) / len(seeds)
        if mean > best:
            best, answer = mean, sum(t for _, t in pairs) / len(seeds)
    return answer


def prior_by_max(run, priors, seeds):
    def means(prior):
        return tuple(np.mean([run(prior, seed) for seed in seeds], axis=0))

    return max(map(means, priors), key=lambda pair: pair[0])[1]


def by_the_test(run, priors, seeds):
    return max(np.mean([run(p, s)[1] for s in seeds]) for p in priors)


def validation_reported(run, priors, seeds):
    return max(np.mean([run(p, s)[0] for s in seeds]) for p in priors)


def one_for_each_seed(run, priors, seeds):
    return np.mean([max(run(p, s) for p in priors)[1] for s in seeds])


def luckiest(run, priors, seeds):
    return max(run(p, s) for p in priors for s in seeds)[1]


def by_the_best_seed(run, priors, seeds):
    prior = max(priors, key=lambda p: max(run(p, s)[0] for s in seeds))
    return np.mean([run(prior, s)[1] for s in seeds])


def mean_of_all(run, priors, seeds):
    return np.mean([run(p, s)[1] for p in priors for s in seeds])


# --- 11.1 steps_to_zero


def steps_by_the_way(gamma, strength, lr, momentum):
    return gamma / (strength * lr / (1 - momentum))


def steps_by_running(gamma, strength, lr, momentum):
    v, t = 0, 0
    while gamma > 0:
        v = momentum * v + strength
        gamma -= lr * v
        t += 1
    return t


def without_momentum(gamma, strength, lr, momentum):
    return gamma / strength / lr


def momentum_makes_it_slower(gamma, strength, lr, momentum):
    return gamma / (strength * lr * (1 - momentum))


def without_the_rate(gamma, strength, lr, momentum):
    return (1 - momentum) * gamma / strength


def as_weight_decay(gamma, strength, lr, momentum):
    return np.log(1000) / (strength * lr / (1 - momentum))


# --- 11.4 border_share


def border_by_counting(side):
    ends = (0, side - 1)
    ring = [(i, j) for i in range(side) for j in range(side) if i in ends or j in ends]
    return len(ring) / side**2


def border_by_the_rest(side):
    return 1 - ((side - 2) / side) ** 2


def four_sides(side):
    return 4 / side


def the_inside(side):
    return ((side - 2) / side) ** 2


def two_sides(side):
    return 2 / side


def the_padding(side):
    return 1 - side**2 / (side + 2) ** 2


def two_rings(side):
    return 1 - (side - 4) ** 2 / side**2 if side > 4 else 1


RIGHT = {
    "worse_divided": [one_and_a_little, far_and_narrow],
    "breaking_mean": [mean_by_seven_digits, mean_by_halving],
    "other_batch": [stretched, drawn_anew],
    "false_gradient": [turned_around, rows_exchanged],
    "passed_share": [share_by_drawing, share_by_the_rest],
    "blind_order": [falling, by_sorted],
    "poison": [two_halves, one_pair],
    "fair_baseline": [tanh_with_sgd, relu_with_sgd],
    "best_rate": [rate_by_climbing, rate_from_a_wide_grid],
    "flatter": [longer_rows, far_too_long],
    "invisible": [stretched_and_moved, stretched_with_a_row],
    "norm_free_rate": [rate_from_a_table, rate_by_the_stream],
    "lucky_parts": [mirrored_draw, standardized_draws],
    "tuned_prior": [prior_by_loops, prior_by_max],
    "steps_to_zero": [steps_by_the_way, steps_by_running],
    "border_share": [border_by_counting, border_by_the_rest],
}

MUTANTS = {
    "worse_divided": {
        "a constant feature": [all_equal],
        "a feature that is centered already": [around_zero],
        "a wide feature": [euros],
        "a feature that is small as a whole": [meters],
        "not far enough from zero": [one_to_two],
    },
    "breaking_mean": {
        "the same mean for every spread": [thousand],
        "the error grows with the mean itself": [by_digits_of_x],
        "the spread upside down": [wide_breaks_sooner],
        "the square of the ratio": [not_yet_the_root],
    },
    "other_batch": {
        "a multiple of the batch": [doubled],
        "the mean moved": [raised],
        "the same values in another order": [turned_over],
        "too small a change": [a_little_wider],
    },
    "false_gradient": {
        "nothing is wrong with it": [nothing_wrong],
        "zeros": [all_zeros],
        "the variance term left out": [blind_to_the_variance],
        "the mean term left out": [blind_to_the_mean],
        "the gradient passed on": [handed_on],
    },
    "passed_share": {
        "the share of the directions": [directions],
        "one direction lost": [only_the_mean],
        "what is lost": [gone],
        "everything gets through": [all_of_it],
        "lengths subtracted": [minus_the_lost],
    },
    "blind_order": {
        "values instead of positions": [the_values],
        "the order as it came": [as_it_came],
        "ranks instead of positions": [the_ranks],
        "neighbors dealt out to all batches": [dealt],
        "batches that are fair samples": [shuffled],
    },
    "poison": {
        "a batch without spread": [without_spread],
        "around zero instead of around the stored mean": [both_sides_of_zero],
        "the mean moves as well": [one_outlier],
        "the weight of the new batch forgotten": [hundredfold],
    },
    "fair_baseline": {
        "the sigmoid kept": [sigmoid_kept],
        "the smallest rate": [smallest_rate],
        "a rate that is too small for SGD": [small_for_sgd],
        "one choice for both cases": [always_adam],
    },
    "best_rate": {
        "the edge of the grid": [inside_the_grid],
        "extended upward only": [only_upward],
        "extended downward only": [only_downward],
        "the best of all runs": [by_the_best_run],
        "a run that overflowed taken for the best": [nan_is_best],
    },
    "flatter": {
        "divided by the factor": [shorter],
        "the root of the factor": [root_longer],
        "the factor added": [plus_factor],
        "the sign turned": [minus_factor],
        "left as it was": [the_same_weight],
    },
    "invisible": {
        "the sign turned": [upside_down],
        "a scale for each feature": [each_feature_its_own],
        "shifted, and not stretched": [moved_only],
        "a shift for each example": [each_example_its_own],
    },
    "norm_free_rate": {
        "one rate for towers of all depths": [one_for_all],
        "a rate made for nets with norms": [as_with_norms],
        "a rate so small that nothing happens": [hardly_moving],
    },
    "lucky_parts": {
        "the same numbers twice": [twice],
        "equal means, unequal spreads": [same_center],
        "equal spreads, unequal means": [same_width],
        "neither mean nor spread in common": [quite_different],
    },
    "tuned_prior": {
        "chosen on the test images": [by_the_test],
        "the accuracy that chose is reported": [validation_reported],
        "a prior for each seed": [one_for_each_seed],
        "the luckiest single run": [luckiest],
        "chosen by the best seed of each prior": [by_the_best_seed],
        "no choice at all": [mean_of_all],
    },
    "steps_to_zero": {
        "momentum forgotten": [without_momentum],
        "momentum on the wrong side": [momentum_makes_it_slower],
        "the rate forgotten": [without_the_rate],
        "a pull in proportion to gamma": [as_weight_decay],
    },
    "border_share": {
        "the corners counted twice": [four_sides],
        "where it does arrive": [the_inside],
        "two sides only": [two_sides],
        "the padding counted as positions": [the_padding],
        "a border two positions wide": [two_rings],
    },
}
