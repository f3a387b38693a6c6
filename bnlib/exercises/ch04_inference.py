"""Exercises of chapter 4: two sets of statistics."""

from functools import partial

import numpy as np

from bnlib.exercises.engine.exercise import Case, Exercise, Misconception
from bnlib.exercises.engine.kinds import Repair
from bnlib.exercises.engine.terms import Terms

# --- 4.1 ------------------------------------------------------------------------------


def _update(
    running_mean,
    running_var,
    x,
    momentum,
    *,
    ddof=1,
    old=None,
    root=False,
    around=None,
    swapped=False,
):
    momentum = 1 - momentum if swapped else momentum
    keep = 1 - momentum if old is None else old
    mean = x.mean(axis=0)
    var = np.square(x - (mean if around is None else running_mean)).sum(axis=0)
    var = var / (len(x) - ddof)
    var = np.sqrt(var) if root else var
    return (
        keep * running_mean + momentum * mean,
        keep * running_var + momentum * var,
    )


def _last_batch(running_mean, running_var, x, momentum):
    return x.mean(axis=0), x.var(axis=0, ddof=1)


def _variance_replaced(running_mean, running_var, x, momentum):
    mean, _ = _update(running_mean, running_var, x, momentum)
    return mean, x.var(axis=0, ddof=1)


def _update_around_new_mean(running_mean, running_var, x, momentum):
    running_mean = (1 - momentum) * running_mean + momentum * x.mean(axis=0)
    spread = np.square(x - running_mean).sum(axis=0) / (len(x) - 1)
    return running_mean, (1 - momentum) * running_var + momentum * spread


def _update_terms(running_mean, running_var, x, momentum):
    def blend(part, kept, name, new):
        old_term, new_term = f"(1 - momentum) * {kept}", f"momentum * {name}"
        old = running_var if part else running_mean
        return Terms(
            {old_term: (1 - momentum) * old, new_term: momentum * new},
            {old_term: 1, new_term: 1},
            {"n": len(x)},
            part,
        )

    return [
        blend(0, "running_mean", "mean(x)", x.mean(axis=0)),
        blend(1, "running_var", "var(x)", x.var(axis=0, ddof=1)),
    ]


def _update_cases():
    rng = np.random.default_rng(41)

    def case(n, c, momentum, fresh=False):
        x = rng.normal(3.0, np.arange(1, c + 1), size=(n, c))
        mean = np.zeros(c) if fresh else rng.normal(2.0, 1.0, size=c)
        var = np.ones(c) if fresh else rng.uniform(0.5, 4.0, size=c)
        start = "a new layer, " if fresh else ""
        note = f"{start}x of shape ({n}, {c}), momentum={momentum:g}"
        return Case((mean, var, x, momentum), note)

    return [case(4, 3, 0.1, fresh=True), case(6, 2, 0.1), case(3, 4, 0.3)]


_UPDATE_RUNNING_STARTER = '''\
def update_running(running_mean, running_var, x, momentum):
    """Return mean and variance, (C,), after the batch x, (N, C)."""
    old, new = 1 - momentum, momentum
    running_mean = old * running_mean + new * x.mean(axis=0)
    spread = ((x - running_mean) ** 2).sum(axis=0) / (len(x) - 1)
    running_var = old * running_var + new * spread
    return running_mean, running_var
'''

UPDATE_RUNNING = Repair(
    number="4.1",
    name="update_running",
    title="One update",
    signature="update_running(running_mean, running_var, x, momentum)",
    reference=_update,
    starter=_UPDATE_RUNNING_STARTER,
    cases=_update_cases,
    terms=_update_terms,
    outputs=("running_mean", "running_var"),
    misconceptions=(
        Misconception(
            "momentum the wrong way round",
            "In PyTorch momentum is the weight of the new batch. With 0.1 as the "
            "weight of the old, nine tenths of the statistics come from the last "
            "batch.",
            wrong=partial(_update, swapped=True),
        ),
        Misconception(
            "biased variance stored",
            "Divided by N, the variance of a batch is too small by (N-1)/N on average. "
            "PyTorch normalizes with that one but stores the one divided by N-1.",
            wrong=partial(_update, ddof=0),
        ),
        Misconception(
            "standard deviation stored",
            "running_var holds variances: the root is taken later, together with eps. "
            "Averaging roots gives another number than the root of an average.",
            wrong=partial(_update, root=True),
        ),
        Misconception(
            "the last batch replaces everything",
            "These are the statistics of the batch alone, momentum 1. The old ones "
            "keep the weight 1 - momentum.",
            wrong=_last_batch,
        ),
        Misconception(
            "only the mean averaged",
            "The variance is averaged like the mean: 1 - momentum of the old, momentum "
            "of the new.",
            wrong=_variance_replaced,
        ),
        Misconception(
            "the old statistics do not fade",
            "The two weights must add up to 1. If the old statistics keep their full "
            "weight, they grow with every batch. Multiply them by 1 - momentum.",
            wrong=partial(_update, old=1),
        ),
        Misconception(
            "variance around the updated mean",
            "When the variance is taken, running_mean has been updated already. The "
            "spread of a batch is measured around the mean of this batch.",
            wrong=_update_around_new_mean,
        ),
        Misconception(
            "variance around the running mean",
            "The variance of a batch is taken around the mean of this batch. Around "
            "the running mean it also contains the distance of the two means.",
            wrong=partial(_update, around="running"),
        ),
    ),
    hints=(
        "Two questions decide it: which of the two gets the weight momentum, and by "
        "what the sum of squares is divided.",
        "New statistics get the weight momentum, old ones 1 - momentum. The stored "
        "variance is x.var(axis=0, ddof=1).",
    ),
)

# --- 4.2 ------------------------------------------------------------------------------


def _keras_momentum(half_life):
    return 0.5 ** (1 / half_life)


def _pytorch_momentum(half_life):
    return 1 - 0.5 ** (1 / half_life)


def _time_constant(half_life):
    return np.exp(-1 / half_life)


def _one_over(half_life):
    return 1 - 1 / half_life


def _thumb(half_life):
    return 1 - np.log(2) / half_life


def _exponent_inverted(half_life):
    return 0.5**half_life


def _half_life_cases():
    return [
        Case((half_life,), f"half-life of {half_life} batches")
        for half_life in (2.0, 6.6, 69.0)
    ]


KERAS_MOMENTUM = Exercise(
    number="4.2",
    name="keras_momentum",
    title="From half-life to momentum",
    signature="keras_momentum(half_life)",
    reference=_keras_momentum,
    cases=_half_life_cases,
    misconceptions=(
        Misconception(
            "the weight of the new batch",
            "This is PyTorch's momentum. Keras gives the weight of the old statistics, "
            "which is 1 minus it.",
            wrong=_pytorch_momentum,
        ),
        Misconception(
            "e-folding time taken for the half-life",
            "After that many batches, 1/e = 37 percent of the old weight would be "
            "left. Asked is when a half is left: solve momentum**h = 0.5.",
            wrong=_time_constant,
        ),
        Misconception(
            "one over the half-life",
            "A momentum of 1 - 1/h leaves about 37 percent of the old weight after h "
            "batches, not 50. The factor ln 2 is missing, and it would still be only "
            "approximate.",
            wrong=_one_over,
        ),
        Misconception(
            "the rule of thumb",
            "1 - ln(2)/h is good for a long half-life only. At h = 2 it misses by 0.05."
            " Solve momentum**h = 0.5 exactly.",
            wrong=_thumb,
        ),
        Misconception(
            "exponent upside down",
            "0.5**h would be left after h batches if half of the weight were lost with "
            "each. You want the number whose h-th power is 0.5.",
            wrong=_exponent_inverted,
        ),
    ),
    hints=(
        "Keras multiplies the old statistics by momentum with every batch. Write down "
        "what is left of them after h batches.",
        "After h batches momentum**h is left. Set it to 0.5 and take the h-th root.",
    ),
)

# --- 4.3 ------------------------------------------------------------------------------


def _blind_order(values, size):
    return np.argsort(values, kind="stable")


def _is_order(result, values):
    order = np.asarray(result)
    whole = order.dtype.kind in "iu" or np.array_equal(order, np.round(order))
    return bool(whole) and np.array_equal(np.sort(order), np.arange(len(values)))


def _seen(order, values, size):
    """Return the mean unbiased variance of the batches over that of all values."""
    batches = values[np.asarray(order, dtype=int)].reshape(-1, size)
    return batches.var(axis=1, ddof=1).mean() / values.var()


def _blind_order_fault(result, values, size):
    if not _is_order(result, values):
        return f"Your result is no order of the positions 0 to {len(values) - 1}."
    seen = _seen(result, values, size)
    if seen < 0.2:
        return None
    return (
        f"With your order the batches see {seen:.2g} of the variance, on average; "
        "asked is less than 0.2."
    )


def _orders(make):
    """Recognize one order among all."""
    return lambda result, values, size: np.array_equal(result, make(values, size))


def _ranks(values, size):
    return np.argsort(np.argsort(values))


def _dealt_out(values, size):
    return np.argsort(values).reshape(size, -1).T.ravel()


def _mixed(result, values, size):
    given = np.array_equal(result, np.arange(len(values)))
    return _is_order(result, values) and not given and _seen(result, values, size) > 0.3


def _blind_order_cases():
    rng = np.random.default_rng(43)

    def case(n, size):
        note = f"{n} values, batches of {size}"
        return Case((rng.normal(3.0, 2.0, size=n), size), note)

    return [case(24, 4), case(64, 8), case(30, 3)]


BLIND_ORDER = Exercise(
    number="4.3",
    name="blind_order",
    title="Batches that see nothing",
    signature="blind_order(values, size)",
    reference=_blind_order,
    accept=_blind_order_fault,
    cases=_blind_order_cases,
    misconceptions=(
        Misconception(
            "values instead of positions",
            "These are the values in a good order. Asked are their positions: "
            "np.argsort returns them, np.sort does not.",
            recognize=lambda result, values, size: np.array_equal(
                np.sort(result), np.sort(values)
            ),
        ),
        Misconception(
            "the order as it came",
            "A random order gives every batch a fair sample, and then the average is "
            "right. Put together what is alike.",
            recognize=_orders(lambda values, size: np.arange(len(values))),
        ),
        Misconception(
            "ranks instead of positions",
            "The rank says where a value stands in the sorted list. The order lists, "
            "for each place, which value stands there: np.argsort once.",
            recognize=_orders(_ranks),
        ),
        Misconception(
            "neighbors dealt out to all batches",
            "Each batch now has small, middle and large values, the best sample of "
            "all. Asked is the worst: neighbors in the same batch.",
            recognize=_orders(_dealt_out),
        ),
        Misconception(
            "batches that are fair samples",
            "Each batch sees about the spread of the whole. Put values that are alike "
            "into the same batch, so that the spread is between the batches.",
            recognize=_mixed,
        ),
    ),
    hints=(
        "The variance of the whole is what the batches see, plus the distances between "
        "their means. Make the second part large.",
        "If neighbors in size share a batch, no batch is wide. np.argsort returns the "
        "positions of the values in rising order.",
    ),
)

# --- 4.4 ------------------------------------------------------------------------------


def _switch(
    x,
    running_mean,
    running_var,
    training,
    *,
    batch_in=(True,),
    update_in=(True,),
    ddof=0,
    stored_ddof=1,
    updated_first=False,
    momentum=0.1,
    scale=lambda var: np.sqrt(var + 1e-5),
):
    mean, var = x.mean(axis=0), x.var(axis=0, ddof=ddof if training else 0)
    new_mean, new_var = running_mean, running_var
    if training in update_in:
        new_mean = (1 - momentum) * running_mean + momentum * mean
        var_to_store = x.var(axis=0, ddof=stored_ddof)
        new_var = (1 - momentum) * running_var + momentum * var_to_store
    if training not in batch_in:
        mean, var = running_mean, running_var
    if training and updated_first:
        mean, var = new_mean, new_var
    return (x - mean) / scale(var), new_mean, new_var


def _switch_cases():
    rng = np.random.default_rng(44)

    def case(n, c, training):
        x = rng.normal(3.0, 2.0, size=(n, c))
        mean, var = rng.normal(2.0, 1.0, size=c), rng.uniform(0.5, 4.0, size=c)
        note = f"training={training}, x of shape ({n}, {c})"
        return Case((x, mean, var, training), note)

    return [case(4, 3, True), case(5, 2, False), case(6, 2, True), case(3, 3, False)]


BATCH_NORM_STEP = Exercise(
    number="4.4",
    name="batch_norm_step",
    title="The switch",
    signature="batch_norm_step(x, running_mean, running_var, training)",
    reference=_switch,
    cases=_switch_cases,
    outputs=("y", "running_mean", "running_var"),
    misconceptions=(
        Misconception(
            "batch statistics in evaluation",
            "In evaluation an answer must not depend on its batch mates: normalize "
            "with the running statistics, whatever the batch.",
            wrong=partial(_switch, batch_in=(True, False)),
        ),
        Misconception(
            "running statistics in training",
            "Training normalizes with the statistics of the batch. The running ones "
            "carry no gradient, and they lag.",
            wrong=partial(_switch, batch_in=()),
        ),
        Misconception(
            "statistics updated in evaluation",
            "Evaluation must leave no trace: a test set that moves the statistics "
            "changes the model that it tests. Update in training only.",
            wrong=partial(_switch, update_in=(True, False)),
        ),
        Misconception(
            "updated averages used in training",
            "The running statistics are only a record. In training the output comes "
            "from the mean and variance of this batch alone.",
            wrong=partial(_switch, updated_first=True),
        ),
        Misconception(
            "normalized with the unbiased variance",
            "Two variances appear in training: divided by N to normalize this batch, "
            "divided by N - 1 to store.",
            wrong=partial(_switch, ddof=1),
        ),
        Misconception(
            "biased variance stored",
            "PyTorch stores the variance divided by N - 1. The one divided by N "
            "normalizes the batch; on average it is too small for new data.",
            wrong=partial(_switch, stored_ddof=0),
        ),
        Misconception(
            "statistics never updated",
            "Then evaluation would still use the 0 and 1 that the layer began with. "
            "Blend in 0.1 of the batch's statistics in training.",
            wrong=partial(_switch, update_in=()),
        ),
        Misconception(
            "momentum the wrong way round",
            "In PyTorch momentum is the weight of the new batch: 0.9 of the old, 0.1 "
            "of the new.",
            wrong=partial(_switch, momentum=0.9),
        ),
        Misconception(
            "the two modes exchanged",
            "Your training is an evaluation, and the other way round. In training the "
            "batch normalizes and the statistics move.",
            wrong=partial(_switch, batch_in=(False,), update_in=(False,)),
        ),
        Misconception(
            "eps added to the standard deviation",
            "eps belongs under the square root: sqrt(var + eps), for the batch and for "
            "the running variance alike.",
            wrong=partial(_switch, scale=lambda var: np.sqrt(var) + 1e-5),
        ),
        Misconception(
            "eps left out",
            "A feature that is constant in the batch would be divided by zero. Add eps "
            "= 1e-5 to the variance before the root.",
            wrong=partial(_switch, scale=np.sqrt),
        ),
    ),
    hints=(
        "Make a table with two rows, training and evaluation, and two columns: what "
        "normalizes, what happens to the running statistics.",
        "Training: the batch normalizes (variance divided by N), and the statistics "
        "move (divided by N - 1). Evaluation: they normalize and stay.",
        "if training: compute mean, var and the two blended statistics; else: mean, "
        "var = running_mean, running_var. Then one line normalizes for both.",
    ),
)

# --- 4.5 ------------------------------------------------------------------------------


def _fold(
    weight,
    bias,
    gamma,
    beta,
    mean,
    var,
    eps,
    *,
    axis=0,
    root=np.sqrt,
    use_bias=1,
    use_beta=1,
    use_mean=1,
    scale_bias=True,
    use_eps=1,
    use_gamma=True,
):
    gamma = gamma if use_gamma else np.ones_like(gamma)
    mean = use_mean * mean
    scale = gamma / root(var + use_eps * eps)
    rows = scale[:, None] if axis == 0 else scale
    bias = use_bias * bias
    kept = (bias - mean) * scale if scale_bias else bias - mean * scale
    return rows * weight, kept + use_beta * beta


def _same(values):
    return values


def _fold_eps_beside(weight, bias, gamma, beta, mean, var, eps):
    scale = gamma / (np.sqrt(var) + eps)
    return weight * scale[:, None], (bias - mean) * scale + beta


def _fold_terms(weight, bias, gamma, beta, mean, var, eps):
    scale = gamma / np.sqrt(var + eps)
    values = {"scale * bias": scale * bias, "scale * mean": scale * mean, "beta": beta}
    factors = dict(zip(values, (1, -1, 1), strict=True))
    return [Terms(values, factors, {}, part=1)]


def _fold_cases():
    # Square weights, so that a scale laid along the inputs raises no error; the last
    # is not square, as in real layers.
    rng = np.random.default_rng(45)

    def case(c, eps, inputs=None):
        inputs = inputs or c
        weight, bias = rng.normal(size=(c, inputs)), rng.normal(1.0, 1.0, size=c)
        gamma = rng.uniform(0.4, 0.8, size=c) * np.where(np.arange(c) % 2, -1, 3)
        beta, mean = rng.normal(-1.0, 1.0, size=c), rng.normal(2.0, 1.0, size=c)
        var = rng.uniform(0.05, 4.0, size=c)
        args = (weight, bias, gamma, beta, mean, var, eps)
        return Case(args, f"{inputs} inputs, {c} outputs, eps={eps:g}")

    return [case(3, 0.1), case(4, 0.01), case(5, 0.1), case(3, 0.1, inputs=5)]


_FOLD_LINEAR_STARTER = '''\
def fold_linear(weight, bias, gamma, beta, mean, var, eps):
    """Return weight (out, in) and bias (out,) of the folded layer."""
    scale = gamma / (np.sqrt(var) + eps)
    return scale[:, None] * weight, (bias - mean) * scale + beta
'''

FOLD_LINEAR = Repair(
    number="4.5",
    name="fold_linear",
    title="Make the layer disappear",
    signature="fold_linear(weight, bias, gamma, beta, mean, var, eps)",
    reference=_fold,
    starter=_FOLD_LINEAR_STARTER,
    cases=_fold_cases,
    terms=_fold_terms,
    outputs=("weight", "bias"),
    misconceptions=(
        Misconception(
            "bias of the linear layer forgotten",
            "The linear layer adds its bias before the mean is subtracted. So "
            "bias - mean is what gets scaled.",
            wrong=partial(_fold, use_bias=0),
        ),
        Misconception(
            "beta forgotten",
            "The last thing that batch norm does is to add beta. It ends up in the "
            "folded bias, unscaled.",
            wrong=partial(_fold, use_beta=0),
        ),
        Misconception(
            "mean not subtracted",
            "Batch norm subtracts its running mean from what the linear layer puts "
            "out. Subtract it from the bias, before the scaling.",
            wrong=partial(_fold, use_mean=0),
        ),
        Misconception(
            "mean added",
            "Batch norm subtracts its running mean: bias - mean is what gets scaled.",
            wrong=partial(_fold, use_mean=-1),
        ),
        Misconception(
            "gamma forgotten",
            "Batch norm multiplies what it has normalized by gamma. The scale of both "
            "weight and bias is gamma / sqrt(var + eps).",
            wrong=partial(_fold, use_gamma=False),
        ),
        Misconception(
            "variance used where std is meant",
            "Batch norm divides by the standard deviation: take the square root of "
            "var + eps.",
            wrong=partial(_fold, root=_same),
        ),
        Misconception(
            "bias not scaled",
            "Whatever the linear layer puts out is multiplied by gamma/std, and its "
            "bias is a part of that.",
            wrong=partial(_fold, scale_bias=False),
        ),
        Misconception(
            "scale laid along the inputs",
            "There is one scale for each output, and outputs are the rows of the "
            "weight. NumPy lines up shapes from the right: write scale[:, None].",
            wrong=partial(_fold, axis=1),
        ),
        Misconception(
            "eps beside the standard deviation",
            "eps is added to the variance, under the root: sqrt(var + eps). Beside it, "
            "the folded layer is off wherever the variance is small.",
            wrong=_fold_eps_beside,
        ),
        Misconception(
            "eps left out",
            "The layer divides by sqrt(var + eps), in evaluation too. Without eps the "
            "folded layer is not quite the same function.",
            wrong=partial(_fold, use_eps=0),
        ),
    ),
    hints=(
        "Write down what the two layers do to one example, and multiply out until it "
        "reads something times x plus something.",
        "With scale = gamma / sqrt(var + eps), the result is scale * (W x + bias - "
        "mean) + beta.",
        "The weight becomes scale[:, None] * weight, the bias (bias - mean) * scale + "
        "beta.",
    ),
)

# --- 4.6 ------------------------------------------------------------------------------


def _poison(mean, var, n, size=40.0):
    signs = np.where(np.arange(n) % 2, -1.0, 1.0)[:, None]
    return mean + size * np.sqrt(var) * signs


def _after(result, mean, var):
    new_mean = 0.9 * mean + 0.1 * result.mean(axis=0)
    return new_mean, 0.9 * var + 0.1 * result.var(axis=0, ddof=1)


def _mean_moved(result, mean, var):
    return np.abs(_after(result, mean, var)[0] - mean) > 0.01 * np.sqrt(var)


def _growth(result, mean, var):
    return _after(result, mean, var)[1] / var


def _poison_fault(result, mean, var, n):
    if _mean_moved(result, mean, var).any():
        far = np.abs(_after(result, mean, var)[0] - mean) / np.sqrt(var)
        return f"Your result moves a stored mean by {far.max():.2g} of its std."
    growth = _growth(result, mean, var).min()
    if growth >= 100:
        return None
    return (
        f"With your result a stored variance becomes {growth:.3g} times as large; "
        "asked is at least 100."
    )


def _no_spread(result, mean, var, n):
    return bool((np.ptp(result, axis=0) == 0).all())


def _around_zero(result, mean, var, n):
    near = np.abs(result.mean(axis=0)) < 1e-6 * np.sqrt(var)
    return near.all() and np.ptp(result) > 0


def _one_sided(result, mean, var, n):
    return _mean_moved(result, mean, var).any() and np.ptp(result) > 0


def _momentum_forgotten(result, mean, var, n):
    spread = result.var(axis=0, ddof=1) / var
    return not _one_sided(result, mean, var, n) and bool(
        ((spread >= 99) & (spread < 991)).all()
    )


def _poison_cases():
    rng = np.random.default_rng(46)

    def case(n, c):
        mean, var = rng.normal(3.0, 1.0, size=c), rng.uniform(0.5, 4.0, size=c)
        return Case((mean, var, n), f"n={n}, {c} channels")

    return [case(4, 3), case(2, 2), case(32, 4)]


POISON = Exercise(
    number="4.6",
    name="poison",
    title="One batch that spoils the memory",
    signature="poison(mean, var, n)",
    reference=_poison,
    accept=_poison_fault,
    cases=_poison_cases,
    misconceptions=(
        Misconception(
            "a batch without spread",
            "All rows are equal, so the variance of the batch is 0, and the stored one "
            "shrinks by a tenth.",
            recognize=_no_spread,
        ),
        Misconception(
            "around zero instead of around the stored mean",
            "The mean of your batch is 0, and a tenth of the way to it is taken. Put "
            "the values on both sides of the stored mean.",
            recognize=_around_zero,
        ),
        Misconception(
            "the mean moves as well",
            "A tenth of the distance between the mean of the batch and the stored mean "
            "is added to it. Balance each value by another one, as far away on the "
            "other side.",
            recognize=_one_sided,
        ),
        Misconception(
            "the weight of the new batch forgotten",
            "Your batch has a hundred times the stored variance, but it enters with "
            "the weight 0.1. It takes a thousand times.",
            recognize=_momentum_forgotten,
        ),
    ),
    hints=(
        "The mean of the batch must be the stored mean, so put values on both sides of "
        "it, in pairs.",
        "The new variance is 0.9 * var + 0.1 * that of the batch. So the batch needs "
        "about a thousand times var: distances of 32 std and more.",
        "signs = np.where(np.arange(n) % 2, -1, 1)[:, None]; return mean + 40 * "
        "np.sqrt(var) * signs.",
    ),
)


# --- 4.7 ------------------------------------------------------------------------------


def _merge(
    n_a, mean_a, var_a, n_b, mean_b, var_b, *, equal=False, between=1, ddof=0, power=2
):
    n = n_a + n_b
    share = 0.5 if equal else n_b / n
    apart = mean_b - mean_a
    mean = mean_a + share * apart
    var = (1 - share) * var_a + share * var_b
    var = var + between * share * (1 - share) * apart**2 * n ** (2 - power)
    return n, mean, var * n / (n - ddof)


def _merge_whole_distance(n_a, mean_a, var_a, n_b, mean_b, var_b):
    n, mean, var = _merge(n_a, mean_a, var_a, n_b, mean_b, var_b, between=0)
    return n, mean, var + (mean_b - mean_a) ** 2


def _merge_exchanged(n_a, mean_a, var_a, n_b, mean_b, var_b):
    n = n_a + n_b
    mean = (n_b * mean_a + n_a * mean_b) / n
    squares_a = n_a * (var_a + (mean_a - mean) ** 2)
    squares_b = n_b * (var_b + (mean_b - mean) ** 2)
    return n, mean, (squares_a + squares_b) / n


def _merge_terms(n_a, mean_a, var_a, n_b, mean_b, var_b):
    n = n_a + n_b
    mean = {"n_a/n * mean_a": n_a / n * mean_a, "n_b/n * mean_b": n_b / n * mean_b}
    apart = "n_a/n * n_b/n * (mean_a - mean_b)**2"
    var = {"n_a/n * var_a": n_a / n * var_a, "n_b/n * var_b": n_b / n * var_b}
    var[apart] = n_a * n_b / n**2 * (mean_a - mean_b) ** 2
    counts = {"n": n, "n_a": n_a, "n_b": n_b}
    return [
        Terms(values, dict.fromkeys(values, 1), counts, part)
        for part, values in enumerate((mean, var), 1)
    ]


def _merge_cases():
    rng = np.random.default_rng(43)

    def case(n_a, n_b, c):
        parts = []
        for n in (n_a, n_b):
            part = rng.normal(rng.normal(0, 3, size=c), 1.5, size=(n, c))
            parts += [n, part.mean(axis=0), part.var(axis=0)]
        return Case(tuple(parts), f"{n_a} and {n_b} examples, {c} channels")

    return [case(32, 8, 3), case(5, 20, 2), case(7, 1, 4)]


MERGE_BATCHES = Exercise(
    number="4.7",
    name="merge_batches",
    title="Two batches, one population",
    signature="merge_batches(n_a, mean_a, var_a, n_b, mean_b, var_b)",
    reference=_merge,
    cases=_merge_cases,
    terms=_merge_terms,
    outputs=("n", "mean", "var"),
    misconceptions=(
        Misconception(
            "averages of averages",
            "Both batches count the same here, though one is larger, and the distance "
            "between their means is lost. Weight by the counts and add the spread "
            "between the batches.",
            wrong=partial(_merge, equal=True, between=0),
        ),
        Misconception(
            "spread between the means forgotten",
            "Two batches may each be narrow and lie far apart. The distance of the two "
            "means belongs to the variance of the whole.",
            wrong=partial(_merge, between=0),
        ),
        Misconception(
            "equal sizes assumed",
            "This is right for two batches of one size. The larger one must weigh more "
            "in the mean and in the variance, in proportion to its count.",
            wrong=partial(_merge, equal=True),
        ),
        Misconception(
            "weights exchanged in the mean",
            "mean_a stands for n_a values, so it enters with n_a / n, and mean_b with "
            "n_b / n. The larger batch pulls the mean to itself.",
            wrong=_merge_exchanged,
        ),
        Misconception(
            "the whole distance added",
            "The squared distance of the two means enters with the weight n_a * n_b / "
            "n**2, at most one quarter: values lie around the common mean.",
            wrong=_merge_whole_distance,
        ),
        Misconception(
            "product of the counts divided by n once",
            "n_a * n_b / n belongs to the sum of squares of the whole. Its variance is "
            "that divided by n once more: n_a * n_b / n**2.",
            wrong=partial(_merge, power=1),
        ),
        Misconception(
            "distance of the means subtracted",
            "Two batches that lie apart are spread wider together than each alone: the "
            "distance of their means adds to the variance.",
            wrong=partial(_merge, between=-1),
        ),
        Misconception(
            "divided by n - 1",
            "var_a and var_b are divided by their counts, so the merged one is too. "
            "Else it could not be merged again with the same formula.",
            wrong=partial(_merge, ddof=1),
        ),
    ),
    hints=(
        "The common mean weights each mean by its count. For the variance think of "
        "sums of squares: n * var is the one around the batch's own mean.",
        "Around the common mean, the sum of squares of a batch is n * var plus n times "
        "the squared distance from its own mean to the common mean.",
        "var is (n_a * (var_a + (mean_a - mean)**2) + n_b * (var_b + (mean_b - "
        "mean)**2)) / n.",
    ),
)


EXERCISES = (
    UPDATE_RUNNING,
    KERAS_MOMENTUM,
    BLIND_ORDER,
    BATCH_NORM_STEP,
    FOLD_LINEAR,
    POISON,
    MERGE_BATCHES,
)
