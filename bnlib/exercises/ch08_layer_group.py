"""Exercises of chapter 8: when the batch is the problem."""

from functools import cache, partial

import numpy as np

from bnlib.exercises.engine.exercise import Case, Exercise, Misconception
from bnlib.exercises.engine.kinds import Repair

# --- 8.1 ------------------------------------------------------------------------------

_POSITIONS = (3, 4)


def _grouped(x, groups):
    n, c, *rest = x.shape
    return x.reshape(n, groups, c // groups, *rest)


def _by_axes(
    x,
    kind,
    groups,
    gamma,
    beta,
    eps,
    *,
    layer=(1, 2, *_POSITIONS),
    instance=_POSITIONS,
    group=(2, *_POSITIONS),
    batch=(0, *_POSITIONS),
    ddof=0,
    along="C",
):
    """Normalize (N, C, H, W), seen as (N, G, C / G, H, W)."""
    axes = {"layer": layer, "instance": instance, "group": group, "batch": batch}[kind]
    seen = _grouped(x, groups if kind == "group" else 1)
    mean = seen.mean(axis=axes, keepdims=True)
    var = seen.var(axis=axes, keepdims=True, ddof=ddof)
    x_hat = ((seen - mean) / np.sqrt(var + eps)).reshape(x.shape)
    gamma, beta = (
        v.reshape(-1, 1, 1) if along == "C" else v[: x.shape[-1]] for v in (gamma, beta)
    )
    return gamma * x_hat + beta


def _affine_left_out(x, kind, groups, gamma, beta, eps):
    return _by_axes(x, kind, groups, np.ones_like(gamma), np.zeros_like(beta), eps)


def _batch_split(x, kind, groups, gamma, beta, eps):
    if kind != "group":
        return _by_axes(x, kind, groups, gamma, beta, eps)
    parts = np.split(x, groups)
    return np.concatenate(
        [_by_axes(p, "batch", groups, gamma, beta, eps) for p in parts]
    )


def _interleaved(x, kind, groups, gamma, beta, eps):
    if kind != "group":
        return _by_axes(x, kind, groups, gamma, beta, eps)
    order = np.argsort(np.arange(x.shape[1]) % groups, kind="stable")
    y = np.empty_like(x)
    y[:, order] = _by_axes(x[:, order], kind, groups, gamma[order], beta[order], eps)
    return y


def _size_for_number(x, kind, groups, gamma, beta, eps):
    groups = x.shape[1] // groups
    return _by_axes(x, kind, groups, gamma, beta, eps)


def _norm_cases():
    rng = np.random.default_rng(71)

    def case(kind, groups, shape):
        # Every channel and every example has a mean and a spread of its own.
        n, c, *_ = shape
        loc = rng.normal(2.0, 2.0, size=(n, c, 1, 1))
        x = rng.normal(loc, rng.uniform(0.5, 3.0, size=(n, c, 1, 1)), size=shape)
        gamma, beta = rng.uniform(0.5, 2.0, size=c), rng.normal(1.0, 1.0, size=c)
        note = f'kind="{kind}", groups={groups}, x of shape {shape}'
        return Case((x, kind, groups, gamma, beta, 0.1), note)

    return [
        case("layer", 2, (4, 6, 3, 6)),
        case("instance", 2, (4, 6, 3, 6)),
        case("group", 2, (4, 6, 3, 6)),
        case("batch", 2, (4, 6, 3, 6)),
        case("group", 4, (4, 8, 2, 8)),
    ]


NORM_BY_AXES = Exercise(
    number="8.1",
    name="norm_by_axes",
    title="One function, four layers",
    signature="norm_by_axes(x, kind, groups, gamma, beta, eps)",
    reference=_by_axes,
    cases=_norm_cases,
    misconceptions=(
        Misconception(
            "the batch is split into groups",
            "Group norm divides the channels of one example. Groups of examples are "
            "ghost batch norm, and then an output depends on its batch mates again.",
            wrong=_batch_split,
        ),
        Misconception(
            "channels dealt out in turn",
            "A group is a run of neighboring channels: with 6 channels and 2 groups, "
            "0 1 2 and 3 4 5. Reshape to (N, groups, C // groups, H, W).",
            wrong=_interleaved,
        ),
        Misconception(
            "number of groups taken for their size",
            "groups says how many groups there are, and each has C // groups "
            "channels. The two are easily exchanged in the reshape.",
            wrong=_size_for_number,
        ),
        Misconception(
            "layer norm over the channels only",
            "On images, layer norm takes one mean per example, over channels and all "
            "positions. One mean per position is what a transformer does with tokens.",
            wrong=partial(_by_axes, layer=(1, 2)),
        ),
        Misconception(
            "instance norm over the batch",
            "Instance norm treats each image by itself: its statistics run over H and "
            "W only. With axis 0 among them it is batch norm.",
            wrong=partial(_by_axes, instance=(0, *_POSITIONS)),
        ),
        Misconception(
            "layer and instance norm exchanged",
            "Layer norm averages over all of an example, channels included; instance "
            "norm over each channel of an example by itself.",
            wrong=partial(_by_axes, layer=_POSITIONS, instance=(1, 2, *_POSITIONS)),
        ),
        Misconception(
            "the batch averaged alone",
            "Axis 0 alone leaves a mean for each position by itself. In images the "
            "positions are among the values of a feature, too.",
            wrong=partial(_by_axes, batch=(0,), instance=(0,)),
        ),
        Misconception(
            "groups that reach over the batch",
            "A group belongs to one example: axis 0 stays out of the average of group "
            "norm.",
            wrong=partial(_by_axes, group=(0, 2, *_POSITIONS)),
        ),
        Misconception(
            "gamma and beta left out",
            "The last step is the same for all four: multiply each channel by its "
            "gamma, add its beta.",
            wrong=_affine_left_out,
        ),
        Misconception(
            "a statistic for every position",
            "H and W must be among the averaged axes: a group shares one mean and one "
            "variance over its channels and all positions.",
            wrong=partial(_by_axes, group=(2,), instance=(1, 2), layer=(1, 2)),
        ),
        Misconception(
            "gamma and beta along the width",
            "NumPy lines up a vector with the last axis. Gamma and beta belong to the "
            "channels: reshape them to (C, 1, 1).",
            wrong=partial(_by_axes, along="W"),
        ),
        Misconception(
            "variance divided by one less",
            "All these layers describe the values they have: their variance is divided "
            "by the number of values. Leave ddof at 0.",
            wrong=partial(_by_axes, ddof=1),
        ),
    ),
    hints=(
        "Write down for each kind which of the axes N, C, H, W are averaged. Only "
        "group norm needs one more axis, and gets it by a reshape.",
        "batch: (0, 2, 3), layer: (1, 2, 3), instance: (2, 3). Keep the averaged axes "
        "with keepdims=True.",
        "For groups, reshape x to (N, groups, C // groups, H, W), average over (2, 3, "
        "4), normalize, reshape back; then gamma[:, None, None] and beta.",
    ),
)

# --- 8.2 ------------------------------------------------------------------------------


def _rms(
    x,
    gamma,
    eps,
    *,
    axis=-1,
    center=False,
    spread=False,
    total=False,
    out=False,
    use_eps=1,
    use_gamma=True,
):
    gamma, eps = gamma if use_gamma else 1.0, use_eps * eps
    around = x.mean(axis=axis, keepdims=True)
    square = np.square(x - around if center or spread else x)
    size = square.sum if total else square.mean
    size = size(axis=axis, keepdims=True)
    root = np.sqrt(size) + eps if out else np.sqrt(size + eps)
    return gamma * (x - around if center else x) / root


def _no_root(x, gamma, eps):
    return gamma * x / (np.square(x).mean(axis=-1, keepdims=True) + eps)


def _rms_cases():
    rng = np.random.default_rng(72)

    def case(n, t, d, eps):
        x = rng.normal(1.0, 2.0, size=(n, t, d)) * rng.uniform(0.2, 2, size=(n, t, 1))
        gamma = rng.uniform(0.5, 2.0, size=d)
        return Case((x, gamma, eps), f"x of shape ({n}, {t}, {d}), eps={eps:g}")

    return [case(2, 3, 5, 0.1), case(3, 4, 4, 0.01), case(1, 2, 6, 0.5)]


_RMS_NORM_STARTER = '''\
def rms_norm(x, gamma, eps):
    """Return the normalized tokens, of the shape of x, (N, T, D)."""
    spread = x.var(axis=-1, keepdims=True)
    return gamma * x / np.sqrt(spread + eps)
'''

RMS_NORM = Repair(
    number="8.2",
    name="rms_norm",
    title="Half a layer norm",
    signature="rms_norm(x, gamma, eps)",
    reference=_rms,
    starter=_RMS_NORM_STARTER,
    cases=_rms_cases,
    misconceptions=(
        Misconception(
            "the mean subtracted",
            "This is layer norm. RMS norm leaves the mean where it is and divides by "
            "the root of the mean square.",
            wrong=partial(_rms, center=True),
        ),
        Misconception(
            "divided by the standard deviation",
            "The standard deviation is measured around the mean. The root mean square "
            "is measured around 0: do not subtract the mean there either.",
            wrong=partial(_rms, spread=True),
        ),
        Misconception(
            "eps outside of the root",
            "eps is added to the mean square, under the root, as in the other layers.",
            wrong=partial(_rms, out=True),
        ),
        Misconception(
            "the length of the vector",
            "The square root of the sum of squares grows with the number of features. "
            "The mean of the squares does not.",
            wrong=partial(_rms, total=True),
        ),
        Misconception(
            "tokens mixed",
            "Each token is normalized by itself, over its features: the last axis "
            "only. With the positions in the average, tokens depend on each other.",
            wrong=partial(_rms, axis=(-2, -1)),
        ),
        Misconception(
            "over the positions",
            "The statistic runs over the D features of a token, the last axis, not "
            "over the T tokens.",
            wrong=partial(_rms, axis=1),
        ),
        Misconception(
            "gamma forgotten",
            "The last step gives every feature its own scale: multiply by gamma.",
            wrong=partial(_rms, use_gamma=False),
        ),
        Misconception(
            "eps left out",
            "Without eps a token of zeros is divided by zero. Add it to the mean "
            "square, under the root.",
            wrong=partial(_rms, use_eps=0),
        ),
        Misconception(
            "root forgotten",
            "The mean square has the unit of x squared. Only its root brings x to "
            "size 1.",
            wrong=_no_root,
        ),
    ),
    hints=(
        "Read the name from the back: square, then mean, then root. Then decide over "
        "which axis.",
        "np.mean(x**2, axis=-1, keepdims=True) is the mean square of each token. eps "
        "is added to it.",
    ),
)

# --- 8.3 ------------------------------------------------------------------------------


def _coupling(
    kind, n, size, *, ghosts="runs", split=(), own=1, evaluation=False, all_of=()
):
    together = np.eye(n) * own
    if kind == "ghost" or kind in split:
        k = np.arange(n)
        seats = {"runs": k // size, "dealt": k % (n // size), "number": k * size // n}
        k = seats[ghosts]
        together = np.equal.outer(k, k).astype(float)
    if kind == "batch" or (kind == "batch in eval" and evaluation) or kind in all_of:
        together = np.ones((n, n))
    return together * (1 - (1 - own) * np.eye(n))


def _coupling_cases():
    kinds = ("batch", "ghost", "group", "layer", "instance", "batch in eval")
    cases = [Case((kind, 6, 3), f'"{kind}", n=6, size=3') for kind in kinds]
    return [*cases, Case(("ghost", 8, 2), '"ghost", n=8, size=2')]


COUPLING = Exercise(
    number="8.3",
    name="coupling",
    title="Who depends on whom?",
    signature="coupling(kind, n, size)",
    reference=_coupling,
    cases=_coupling_cases,
    misconceptions=(
        Misconception(
            "group norm groups examples",
            "The groups of group norm are groups of channels, inside of one example. "
            "No example sees another.",
            wrong=partial(_coupling, split=("group",)),
        ),
        Misconception(
            "evaluation taken for training",
            "In eval mode batch norm uses the running statistics, which are constants. "
            "An answer then depends on its own example alone.",
            wrong=partial(_coupling, evaluation=True),
        ),
        Misconception(
            "an example does not depend on itself",
            "Changing example i changes the output of example i, in every layer: the "
            "diagonal is 1.",
            wrong=partial(_coupling, own=0),
        ),
        Misconception(
            "ghost batches dealt out in turn",
            "A ghost batch is a run of neighboring examples: with size 3 it is 0 1 2, "
            "then 3 4 5. The coupled pairs form blocks along the diagonal.",
            wrong=partial(_coupling, ghosts="dealt"),
        ),
        Misconception(
            "size taken for the number of ghosts",
            "size says how many examples a ghost has; there are n // size ghosts. "
            "Example i sits in ghost i // size.",
            wrong=partial(_coupling, ghosts="number"),
        ),
        Misconception(
            "layer norm taken for batch norm",
            "Layer norm takes its mean over the features of one example. That example "
            "is the only one that can change it.",
            wrong=partial(_coupling, all_of=("layer",)),
        ),
        Misconception(
            "ghosts taken for the whole batch",
            "Ghost batch norm cuts the batch first. Examples of different ghosts never "
            "enter the same mean.",
            wrong=partial(_coupling, all_of=("ghost",)),
        ),
    ),
    hints=(
        "For each layer, list the examples that enter the mean with which example i "
        "is normalized.",
        "Only two kinds couple examples at all: batch norm in training, and ghost "
        "batch norm within each ghost.",
        "Start from np.eye(n). For ghosts, i and j are together if i // size equals "
        "j // size.",
    ),
)

# --- 8.4 ------------------------------------------------------------------------------


def _batch_for(spread, batch, wanted):
    return batch * (spread / wanted) ** 2


def _batch_linear(spread, batch, wanted):
    return batch * spread / wanted


def _batch_root(spread, batch, wanted):
    return batch * np.sqrt(spread / wanted)


def _batch_upside_down(spread, batch, wanted):
    return batch * (wanted / spread) ** 2


def _batch_forgotten(spread, batch, wanted):
    return (spread / wanted) ** 2


def _spread_cases():
    return [
        Case(args, f"spread {args[0]} at batches of {args[1]}, wanted {args[2]}")
        for args in ((1.5, 8, 0.5), (0.8, 32, 0.1), (0.3, 64, 0.9))
    ]


BATCH_FOR_SPREAD = Exercise(
    number="8.4",
    name="batch_for_spread",
    title="How large is large enough?",
    signature="batch_for_spread(spread, batch, wanted)",
    reference=_batch_for,
    cases=_spread_cases,
    misconceptions=(
        Misconception(
            "in proportion",
            "Half the spread needs four times the batch, not twice: the spread of a "
            "mean falls with the square root of the number of values.",
            wrong=_batch_linear,
        ),
        Misconception(
            "root instead of square",
            "The root is in the law for the spread. Solved for the batch size it "
            "becomes a square.",
            wrong=_batch_root,
        ),
        Misconception(
            "ratio upside down",
            "A smaller spread needs a larger batch. Divide the spread you have by the "
            "one you want.",
            wrong=_batch_upside_down,
        ),
        Misconception(
            "where you started from is lost",
            "The ratio of the spreads says by which factor the batch must grow. "
            "Multiply it by the batch size at which the spread was measured.",
            wrong=_batch_forgotten,
        ),
    ),
    hints=(
        "Write the law twice: spread = a / sqrt(batch), wanted = a / sqrt(answer). "
        "Divide the two, and the unknown a is gone.",
        "spread / wanted = sqrt(answer / batch). Square it.",
    ),
)

# --- 8.5 ------------------------------------------------------------------------------


def _ghost(x, size, eps, *, whole=False, dealt=False, ddof=0, stored=1, root=False):
    n, c = x.shape
    if dealt:
        ghosts = x.reshape(size, -1, c).swapaxes(0, 1)
    else:
        ghosts = x.reshape(1, n, c) if whole else x.reshape(-1, size, c)
    mean, var = (
        f(axis=1, keepdims=True) for f in (ghosts.mean, partial(ghosts.var, ddof=ddof))
    )
    y = (ghosts - mean) / np.sqrt(var + eps)
    y = (y.swapaxes(0, 1) if dealt else y).reshape(n, c)
    kept = ghosts.var(axis=1, ddof=stored)
    kept = np.sqrt(kept).mean(axis=0) ** 2 if root else kept.mean(axis=0)
    return y, mean.mean(axis=(0, 1)), kept


def _ghost_last(x, size, eps):
    y, *_ = _ghost(x, size, eps)
    return y, x[-size:].mean(axis=0), x[-size:].var(axis=0, ddof=1)


def _ghost_without_eps(x, size, eps):
    return _ghost(x, size, 0.0)


def _ghost_eps_beside(x, size, eps):
    ghosts = x.reshape(-1, size, x.shape[1])
    centered = ghosts - ghosts.mean(axis=1, keepdims=True)
    y = centered / (ghosts.std(axis=1, keepdims=True) + eps)
    return y.reshape(x.shape), *_ghost(x, size, eps)[1:]


def _ghost_over_means(x, size, eps):
    y, mean, _ = _ghost(x, size, eps)
    return y, mean, x.reshape(-1, size, x.shape[1]).mean(axis=1).var(axis=0, ddof=1)


def _ghost_whole_variance(x, size, eps):
    y, mean, _ = _ghost(x, size, eps)
    return y, mean, x.var(axis=0, ddof=1)


def _ghost_cases():
    rng = np.random.default_rng(74)

    def case(n, size, c):
        shift = np.repeat(rng.normal(0, 2, size=(n // size, c)), size, axis=0)
        x = rng.normal(3.0, np.arange(1, c + 1), size=(n, c)) + shift
        return Case((x, size, 0.1), f"x of shape ({n}, {c}), size={size}")

    return [case(12, 3, 2), case(8, 4, 3), case(8, 2, 1)]


GHOST_STEP = Exercise(
    number="8.5",
    name="ghost_step",
    title="Small batches on purpose",
    signature="ghost_step(x, size, eps)",
    reference=_ghost,
    cases=_ghost_cases,
    outputs=("y", "mean", "var"),
    misconceptions=(
        Misconception(
            "one statistic for the whole batch",
            "This is ordinary batch norm. Cut the batch into ghosts first and give "
            "each its own mean and variance.",
            wrong=partial(_ghost, whole=True),
        ),
        Misconception(
            "the last ghost alone stored",
            "Every ghost is a sample of the same data: average over all of them.",
            wrong=_ghost_last,
        ),
        Misconception(
            "eps beside the standard deviation",
            "eps is added to the variance, under the root, as in every batch norm.",
            wrong=_ghost_eps_beside,
        ),
        Misconception(
            "eps forgotten",
            "Each ghost divides by sqrt(var + eps). In a ghost of few examples the "
            "variance may be near 0, so eps counts more than elsewhere.",
            wrong=_ghost_without_eps,
        ),
        Misconception(
            "ghosts dealt out in turn",
            "Ghosts are runs of neighboring examples. reshape(-1, size, C) puts "
            "examples 0 to size - 1 together; reshape(size, -1, C) does not.",
            wrong=partial(_ghost, dealt=True),
        ),
        Misconception(
            "normalized with the unbiased variance",
            "To normalize, the variance of a ghost is divided by its size. The one "
            "divided by size - 1 is only stored.",
            wrong=partial(_ghost, ddof=1),
        ),
        Misconception(
            "biased variance stored",
            "With small ghosts the factor size / (size - 1) is large: 2 for pairs. "
            "Stored is the unbiased variance.",
            wrong=partial(_ghost, stored=0),
        ),
        Misconception(
            "standard deviations averaged",
            "The average of roots is smaller than the root of the average. Average the "
            "variances; the root is taken when they are used.",
            wrong=partial(_ghost, root=True),
        ),
        Misconception(
            "variance of the ghost means stored",
            "How far the means of the ghosts lie apart is another quantity. Store the "
            "average of the variances inside the ghosts.",
            wrong=_ghost_over_means,
        ),
        Misconception(
            "variance of the whole batch stored",
            "It also holds the distances between the ghosts. Asked is the average of "
            "what the ghosts were normalized with, made unbiased.",
            wrong=_ghost_whole_variance,
        ),
    ),
    hints=(
        "With the right reshape this is batch norm with one more axis. Decide which "
        "axis is averaged then.",
        "ghosts = x.reshape(-1, size, C) has the ghosts on axis 0 and their examples "
        "on axis 1. Average over axis 1 with keepdims=True.",
        "The last two results are ghosts.mean(axis=1).mean(axis=0) and "
        "ghosts.var(axis=1, ddof=1).mean(axis=0).",
    ),
)

# --- 8.6 ------------------------------------------------------------------------------


@cache
def _tower_accuracy(blocks, rate):
    """Mean test accuracy in % of two towers without norm after 60 steps."""
    import torch
    from torch import nn

    from bnlib.lab.data import digits, for_seeds
    from bnlib.lab.ensemble import Ensemble, accuracies, train_many

    class Block(nn.Sequential):
        def forward(self, x):
            return x + super().forward(x)

    def tower(seed):
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            layers = [nn.Linear(64, 32)]
            for _ in range(blocks):
                pair = [nn.Linear(32, 32) for _ in range(2)]
                for linear in pair:
                    nn.init.kaiming_normal_(linear.weight)
                layers.append(Block(pair[0], nn.ReLU(), pair[1]))
            return nn.Sequential(*layers, nn.Linear(32, 10)).double()

    seeds = range(2)
    x, y, x_new, y_new = map(torch.tensor, for_seeds(digits, seeds))
    nets = Ensemble([tower(seed) for seed in seeds])
    how = {"lr": rate, "momentum": 0.9, "batch_size": 32, "seed": [*seeds]}
    train_many(nets, (x, y), steps=60, each=True, **how)
    return 100 * float(np.mean(accuracies(nets, x_new, y_new, each=True)))


def _norm_free_rate(blocks):
    # Each block triples the variance of the stream, and the gradient grows alike.
    return 0.07 / 3 ** (blocks / 2)


def _norm_free_fault(result, blocks):
    rate = float(result)
    if rate <= 0:
        return "Your result is not above 0; asked is a learning rate."
    accuracy = _tower_accuracy(blocks, rate)
    if accuracy >= 50:
        return None
    return (
        f"Your result, a rate of {rate:.3g}, leads to {accuracy:.0f}% after 60 steps, "
        "the mean of two nets; asked is at least 50%."
    )


def _rate_between(low, high):
    """Recognize a rate by what it is beside the one that suits the tower."""

    def recognize(result, blocks):
        return low < float(result) / _norm_free_rate(blocks) < high

    return recognize


NORM_FREE_RATE = Exercise(
    number="8.6",
    name="norm_free_rate",
    title="Without any norm, and it trains",
    signature="norm_free_rate(blocks)",
    reference=_norm_free_rate,
    accept=_norm_free_fault,
    cases=lambda: [Case((n,), f"{n} blocks") for n in (10, 6, 3)],
    misconceptions=(
        Misconception(
            "one rate for towers of all depths",
            "Every block makes the stream and the gradient larger. What trains 3 "
            "blocks overflows with 10, and what 10 can bear is far too small for 3.",
            recognize=lambda result, blocks: 6e-4 < float(result) < 0.02,
        ),
        Misconception(
            "a rate made for nets with norms",
            "With norms 0.04 is fine, and without them the loss is NaN after a few "
            "steps. Divide by ten until it is not, and then look at the accuracy.",
            recognize=lambda result, blocks: float(result) >= 0.02,
        ),
        Misconception(
            "a rate so small that nothing happens",
            "The net does not overflow, and it does not move either: in 60 steps such "
            "a rate gets nowhere. Go up until the accuracy falls, then one step back.",
            recognize=_rate_between(0, 0.05),
        ),
    ),
    hints=(
        "Try rates that differ by a factor of three, on the towers of the chapter with "
        "another depth: tower(nn.Identity, seed, depth=10).",
        "A block adds a branch of about twice the variance, so the variance of the "
        "stream triples. The gradient of the first layers grows with its root.",
        "Something like 0.07 / 3 ** (blocks / 2) trains all three.",
    ),
)


EXERCISES = (
    NORM_BY_AXES,
    RMS_NORM,
    COUPLING,
    BATCH_FOR_SPREAD,
    GHOST_STEP,
    NORM_FREE_RATE,
)
