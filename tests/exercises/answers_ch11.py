"""Hand-written answers to the exercises of chapter 11, right and wrong."""

import numpy as np

# --- 11.6 l1_strength


def right_by_trying(gamma, lr, momentum):
    """How far does strength 1 travel? The way is proportional to the strength."""
    way = 0.0
    for rate in lr:
        way += rate / (1 - momentum)
    return gamma / way


def right_in_one_line(gamma, lr, momentum):
    return (1.0 - momentum) * gamma / lr.sum()


def no_momentum(gamma, lr, momentum):
    return gamma / sum(lr)


def momentum_below(gamma, lr, momentum):
    return gamma / (np.sum(lr) * (1 - momentum))


def times_momentum(gamma, lr, momentum):
    return gamma * momentum / np.sum(lr)


def with_mean_rate(gamma, lr, momentum):
    return gamma * (1 - momentum) / np.mean(lr)


def with_peak_rate(gamma, lr, momentum):
    return gamma * (1 - momentum) / (max(lr) * lr.size)


def with_last_rate(gamma, lr, momentum):
    return gamma * (1 - momentum) / (len(lr) * lr[-1])


def with_first_rate(gamma, lr, momentum):
    return gamma * (1 - momentum) / (len(lr) * lr[0])


def step_by_step(gamma, lr, momentum):
    velocity = way = 0.0
    for rate in lr:
        velocity = momentum * velocity + 1
        way += rate * velocity
    return gamma / way


# --- 11.2 kept_channels


def right_by_removing(gammas, count, floor):
    """Take the smallest that may still go, count times."""
    masks = [np.full(len(g), True) for g in gammas]
    for _ in range(count):
        best = None
        for mask, g in zip(masks, gammas, strict=True):
            if mask.sum() <= floor:
                continue
            i = np.where(mask, np.abs(g), np.inf).argmin()
            if best is None or abs(g[i]) < best[0]:
                best = abs(g[i]), mask, i
        best[1][best[2]] = False
    return masks


def right_with_threshold(gammas, count, floor):
    sizes = [np.abs(g) for g in gammas]
    protected = [np.sort(s)[len(s) - floor] for s in sizes]
    free = np.concatenate([s[s < p] for s, p in zip(sizes, protected, strict=True)])
    threshold = np.sort(free)[count - 1]
    return [(s > threshold) | (s >= p) for s, p in zip(sizes, protected, strict=True)]


def same_share_everywhere(gammas, count, floor):
    ratio = count / sum(len(g) for g in gammas)
    masks = []
    for g in gammas:
        n = min(int(round(ratio * len(g))), len(g) - floor)
        mask = np.ones(len(g), dtype=bool)
        mask[np.argsort(abs(g))[:n]] = False
        masks.append(mask)
    return masks


def by_signed_gamma(gammas, count, floor):
    free = []
    for layer, g in enumerate(gammas):
        for i in g.argsort()[: len(g) - floor]:
            free.append((g[i], layer, i))
    masks = [np.ones(len(g), dtype=bool) for g in gammas]
    for _, layer, i in sorted(free)[:count]:
        masks[layer][i] = False
    return masks


def no_floor(gammas, count, floor):
    threshold = np.sort(np.abs(np.concatenate(gammas)))[count - 1]
    return [np.abs(g) > threshold for g in gammas]


def floor_given_back(gammas, count, floor):
    threshold = np.sort(np.abs(np.concatenate(gammas)))[count - 1]
    masks = []
    for g in gammas:
        mask = np.abs(g) > threshold
        if mask.sum() < floor:
            mask[np.argsort(np.abs(g))[-floor:]] = True
        masks.append(mask)
    return masks


def marks_the_removed(gammas, count, floor):
    return [~m for m in right_with_threshold(gammas, count, floor)]


def removes_the_largest_but_protects(gammas, count, floor):
    masks, free = [np.ones(len(g), bool) for g in gammas], []
    for layer, gamma in enumerate(gammas):
        protected = set(np.argsort(-abs(gamma))[:floor])
        rest = [i for i in range(len(gamma)) if i not in protected]
        free += [(-abs(gamma[i]), layer, i) for i in rest]
    for _, layer, i in sorted(free)[:count]:
        masks[layer][i] = False
    return masks


def removes_the_largest(gammas, count, floor):
    free = []
    for layer, g in enumerate(gammas):
        order = np.argsort(-np.abs(g))
        free += [(-abs(g[i]), layer, i) for i in order[: len(g) - floor]]
    masks = [np.ones(len(g), dtype=bool) for g in gammas]
    for _, layer, i in sorted(free)[:count]:
        masks[layer][i] = False
    return masks


# --- 11.3 prune_pair


def right_with_take(weight_1, mean, var, weight_2, kept):
    stay = np.flatnonzero(kept)
    return (
        np.take(weight_1, stay, axis=0),
        np.take(mean, stay),
        np.take(var, stay),
        np.take(weight_2, stay, axis=1),
    )


def right_with_delete(weight_1, mean, var, weight_2, kept):
    gone = np.where(~kept)[0]
    first = [np.delete(a, gone, axis=0) for a in (weight_1, mean, var)]
    return (*first, np.delete(weight_2, gone, axis=1))


def next_layer_whole(weight_1, mean, var, weight_2, kept):
    return weight_1[kept], mean[kept], var[kept], weight_2.copy()


def statistics_whole(weight_1, mean, var, weight_2, kept):
    stay = np.flatnonzero(kept)
    return weight_1[stay], mean, var, weight_2[:, stay]


def inputs_of_the_first(weight_1, mean, var, weight_2, kept):
    return weight_1[:, kept], mean[kept], var[kept], weight_2[:, kept]


def swapped(weight_1, mean, var, weight_2, kept):
    return weight_1[:, kept, :, :], mean[kept], var[kept], weight_2[kept, :, :, :]


def only_zeros(weight_1, mean, var, weight_2, kept):
    weight_1, weight_2 = weight_1.copy(), weight_2.copy()
    weight_1[~kept] = 0
    weight_2[:, ~kept] = 0
    return weight_1, mean * kept, var * kept, weight_2


def keeps_the_dead(weight_1, mean, var, weight_2, kept):
    gone = np.logical_not(kept)
    return weight_1[gone], mean[gone], var[gone], weight_2[:, gone]


def cuts_everything(weight_1, mean, var, weight_2, kept):
    weight_1, weight_2 = weight_1[kept][:, kept], weight_2[:, kept][kept]
    return weight_1, mean[kept], var[kept], weight_2


# --- 11.7 absorb_mean


def right_with_zeros(weight, mean, gamma, beta, kept):
    handed_on = np.where(kept | (beta < 0), 0.0, beta)
    return mean - weight @ handed_on


def right_with_loop(weight, mean, gamma, beta, kept):
    mean = mean.copy()
    for channel in range(len(beta)):
        if not kept[channel]:
            mean -= weight[:, channel] * max(beta[channel], 0)
    return mean


def forgets_beta(weight, mean, gamma, beta, kept):
    return mean


def beta_itself(weight, mean, gamma, beta, kept):
    return mean - weight[:, ~kept] @ beta[~kept]


def adds(weight, mean, gamma, beta, kept):
    return mean + weight[:, ~kept] @ beta[~kept].clip(0)


def takes_all(weight, mean, gamma, beta, kept):
    return mean - weight @ np.maximum(0, beta)


def takes_the_living(weight, mean, gamma, beta, kept):
    return mean - weight[:, kept] @ np.maximum(0, beta[kept])


def times_next_gamma(weight, mean, gamma, beta, kept):
    return mean - gamma * (weight[:, ~kept] @ np.maximum(0, beta[~kept]))


def relu_of_the_sum(weight, mean, gamma, beta, kept):
    return mean - np.maximum(0, weight[:, ~kept] @ beta[~kept])


# --- 11.5 work_left


def right_with_zip(widths, kept, sides):
    before = after = 0
    read_before = read_after = 1
    for width, stay, side in zip(widths, kept, sides, strict=True):
        before += read_before * width * side * side
        after += read_after * stay * side * side
        read_before, read_after = width, stay
    return after / before


def right_with_dot(widths, kept, sides):
    def work(w):
        return np.dot(w * np.concatenate([[1], w[:-1]]), sides**2)

    return work(kept) / work(widths)


def share_of_channels(widths, kept, sides):
    return sum(kept) / sum(widths)


def without_inputs(widths, kept, sides):
    positions = sides * sides
    return positions @ kept / (positions @ widths)


def outputs_only(widths, kept, sides):
    read = np.concatenate([[1], widths[:-1]])
    return (read * kept * sides**2).sum() / (read * widths * sides**2).sum()


def squared(widths, kept, sides):
    return (kept.sum() / widths.sum()) ** 2


def weights_only(widths, kept, sides):
    def weights(w):
        return w[0] + (w[1:] * w[:-1]).sum()

    return weights(kept) / weights(widths)


def sides_not_squared(widths, kept, sides):
    def work(w):
        return np.dot(w * np.concatenate([[1], w[:-1]]), sides)

    return work(kept) / work(widths)


def average_share(widths, kept, sides):
    shares = [kept[0] / widths[0]]
    for k in range(1, len(kept)):
        shares.append(kept[k] * kept[k - 1] / (widths[k] * widths[k - 1]))
    return sum(shares) / len(shares)


def between_layers(widths, kept, sides):
    area = sides[1:] ** 2
    after = (area * kept[1:] * kept[:-1]).sum()
    return after / (area * widths[1:] * widths[:-1]).sum()


def share_saved(widths, kept, sides):
    return 1 - right_with_dot(widths, kept, sides)


def times_less(widths, kept, sides):
    return 1 / right_with_zip(widths, kept, sides)


def count_stays(gammas, count, floor):
    sizes = [abs(g) for g in gammas]
    free = [
        (s[i], layer, i)
        for layer, s in enumerate(sizes)
        for i in np.argsort(s)[: len(s) - floor]
    ]
    masks = [np.ones(len(g), bool) for g in gammas]
    for _, layer, i in sorted(free)[: sum(map(len, gammas)) - count]:
        masks[layer][i] = False
    return masks


def rows_of_the_next(weight_1, mean, var, weight_2, kept):
    return tuple(a[kept] for a in (weight_1, mean, var, weight_2))


RIGHT = {
    "l1_strength": [right_by_trying, right_in_one_line],
    "kept_channels": [right_by_removing, right_with_threshold],
    "prune_pair": [right_with_take, right_with_delete],
    "absorb_mean": [right_with_zeros, right_with_loop],
    "work_left": [right_with_zip, right_with_dot],
}

MUTANTS = {
    "l1_strength": {
        "momentum forgotten": [no_momentum],
        "momentum on the wrong side": [momentum_below],
        "multiplied by the momentum": [times_momentum],
        "one step instead of the run": [with_mean_rate],
        "as if every step had the largest rate": [with_peak_rate],
        "as if every step had the last rate": [with_last_rate],
        "as if every step had the first rate": [with_first_rate],
        "the last gradients cut off": [step_by_step],
    },
    "kept_channels": {
        "a threshold for each layer": [same_share_everywhere],
        "gamma instead of its size": [by_signed_gamma],
        "count taken for those that stay": [count_stays],
        "floor forgotten": [no_floor],
        "fewer than count go": [floor_given_back],
        "the mask the wrong way round": [marks_the_removed],
        "the largest go": [removes_the_largest],
        "the largest of the free ones go": [removes_the_largest_but_protects],
    },
    "prune_pair": {
        "removed are the outputs of the next layer": [rows_of_the_next],
        "input of the next layer forgotten": [next_layer_whole],
        "running statistics forgotten": [statistics_whole],
        "removed are the inputs of the first layer": [inputs_of_the_first],
        "axes swapped": [swapped],
        "set to zero instead of removed": [only_zeros],
        "the other channels kept": [keeps_the_dead],
        "both axes of both weights cut": [cuts_everything],
    },
    "absorb_mean": {
        "beta forgotten": [forgets_beta],
        "before the activation": [beta_itself],
        "added instead of subtracted": [adds],
        "the living channels absorbed, too": [takes_all],
        "the living channels absorbed instead": [takes_the_living],
        "scaled by the next gamma": [times_next_gamma],
        "the ReLU after the sum": [relu_of_the_sum],
    },
    "work_left": {
        "the share of the channels": [share_of_channels],
        "inputs forgotten altogether": [without_inputs],
        "inputs still counted in full": [outputs_only],
        "the square of the share": [squared],
        "positions forgotten": [weights_only],
        "side instead of area": [sides_not_squared],
        "mean of the layers' shares": [average_share],
        "first layer left out": [between_layers],
        "the share that goes": [share_saved],
        "before over after": [times_less],
    },
}
