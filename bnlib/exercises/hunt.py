"""Exercises of the page The bug hunt: layers and loops with one flaw each.

The code is our own; where a flaw was met in published code, the page names the source.
"""

# torch is imported by the functions, never at the top: this file is loaded where there
# is no torch.
import copy
from functools import partial

import numpy as np

from bnlib.exercises.engine.exercise import Case, Misconception
from bnlib.exercises.engine.kinds import Repair

# --- H.1 ------------------------------------------------------------------------------


def _standardize(train, test, *, mean_of="train", std_of="train"):
    sets = {"train": train, "test": test, "both": np.concatenate([train, test])}
    own = (train - train.mean(axis=0)) / train.std(axis=0)
    if mean_of == std_of == "both":
        own = (train - sets["both"].mean(axis=0)) / sets["both"].std(axis=0)
    return own, (test - sets[mean_of].mean(axis=0)) / sets[std_of].std(axis=0)


def _only_divided_late(train, test):
    own, _ = _standardize(train, test)
    return own, test - train.mean(axis=0)


def _standardize_cases():
    rng = np.random.default_rng(81)

    def case(n, m, c):
        train = rng.normal(5.0, 3.0, size=(n, c))
        test = rng.normal(7.0, 2.0, size=(m, c))
        return Case((train, test), f"train of shape ({n}, {c}), test ({m}, {c})")

    return [case(6, 4, 3), case(9, 1, 2)]


_STANDARDIZE_STARTER = '''\
def standardize(train, test):
    """Return train, (N, C), and test, (M, C), as z-scores of train."""
    train = train - train.mean(axis=0)
    train = train / train.std(axis=0)
    test = (test - train.mean(axis=0)) / train.std(axis=0)
    return train, test
'''

STANDARDIZE = Repair(
    number="H.1",
    name="standardize",
    title="The units of the test set",
    signature="standardize(train, test)",
    reference=_standardize,
    starter=_STANDARDIZE_STARTER,
    cases=_standardize_cases,
    outputs=("train", "test"),
    misconceptions=(
        Misconception(
            "the test set scaled with its own statistics",
            "Then a single test example becomes 0, and what the model has learned "
            "about units is lost. Use the mean and the std of the training set.",
            wrong=partial(_standardize, mean_of="test", std_of="test"),
        ),
        Misconception(
            "statistics of both sets",
            "The test set has a say in its own scaling, and the training set is scaled "
            "by what it cannot know. Take them from train alone.",
            wrong=partial(_standardize, mean_of="both", std_of="both"),
        ),
        Misconception(
            "the std taken too late",
            "The mean is right, but when the std was read, train had been divided by "
            "it, so it was 1. Read both before train is changed.",
            wrong=_only_divided_late,
        ),
    ),
    hints=(
        "Ask which train the mean and the std of the third line belong to.",
        "Take mean and std once, before the first line changes train, and use them for "
        "both sets.",
    ),
)

# --- H.2 ------------------------------------------------------------------------------


def _image_statistics(x):
    axes = (0, 2, 3)
    return x.mean(axis=axes, keepdims=True), x.var(axis=axes, keepdims=True)


def _image_norm(x, eps, *, variance=None, clip=False):
    mean, var = _image_statistics(x.astype(float))
    var = var if variance is None else variance(x)
    var = np.maximum(var, 0) if clip else var
    return (x - mean) / np.sqrt(var + eps)


def _one_pass(x):
    axes = (0, 2, 3)
    mean = x.mean(axis=axes, keepdims=True)
    return (x**2).mean(axis=axes, keepdims=True) - mean**2


def _one_pass_then_float64(x):
    axes = (0, 2, 3)
    square, mean = (x**2).astype(float), x.astype(float).mean(axes, keepdims=True)
    return square.mean(axis=axes, keepdims=True) - mean**2


def _sample_variance(x):
    return x.astype(float).var(axis=(0, 2, 3), ddof=1, keepdims=True)


def _image_cases():
    # Far from zero these values have a negative one-pass variance in float32, the same
    # one in whatever order the squares are added.
    near = np.random.default_rng(82).normal(0.5, 1, size=(6, 2, 4, 4))
    far = np.array([13784.0, 13781.5, 13781.0]).reshape(3, 1, 1, 1)
    below = -np.array([5205.5, 5206.0, 5207.5]).reshape(1, 1, 3, 1)
    return [
        Case((near.astype(np.float32), 1e-5), "float32 of shape (6, 2, 4, 4), near 0"),
        Case((far.astype(np.float32), 1e-5), "float32, three values around 13782"),
        Case((below.astype(np.float32), 1e-5), "float32, three values around -5206"),
    ]


_IMAGE_NORM_STARTER = '''\
def image_norm(x, eps):
    """Return the normalized images, (N, C, H, W), float32."""
    axes = (0, 2, 3)
    mean = x.mean(axis=axes, keepdims=True)
    var = (x**2).mean(axis=axes, keepdims=True) - mean**2
    return (x - mean) / np.sqrt(var + eps)
'''

IMAGE_NORM = Repair(
    number="H.2",
    name="image_norm",
    title="One pass over the data",
    signature="image_norm(x, eps)",
    reference=_image_norm,
    starter=_IMAGE_NORM_STARTER,
    cases=_image_cases,
    rtol=1e-3,
    atol=4e-3,
    misconceptions=(
        Misconception(
            "the negative variance clipped",
            "Clipping at 0 removes the NaN and keeps the error: the digits were lost "
            "before. Subtract the mean before you square.",
            wrong=partial(_image_norm, variance=_one_pass, clip=True),
        ),
        Misconception(
            "more digits after the squaring",
            "The squares were rounded to float32 already. Convert x before it is "
            "squared, or subtract the mean first, for which float32 is enough.",
            wrong=partial(_image_norm, variance=_one_pass_then_float64, clip=True),
        ),
        Misconception(
            "divided by one less",
            "The one pass was the flaw, not the divisor: a batch is normalized with "
            "the variance divided by the number of its values.",
            wrong=partial(_image_norm, variance=_sample_variance),
        ),
    ),
    hints=(
        "Take a channel of values around 13782 with std 1. Count the digits of a "
        "square; float32 keeps seven.",
        "Replace the difference of two large means by the mean of (x - mean)**2.",
    ),
)

# --- H.3 ------------------------------------------------------------------------------


def _staged(d_y, x_centered, inv_std, gamma, *, power=3, sign=-1, half=0.5, mean=True):
    d_x_hat = gamma * d_y
    d_var = sign * half * (d_x_hat * x_centered).sum(axis=0) * inv_std**power
    d_centered = d_x_hat * inv_std + 2 * x_centered * d_var / len(d_y)
    return d_centered - d_centered.mean(axis=0) if mean else d_centered


def _staged_cases():
    rng = np.random.default_rng(83)

    def case(n, c):
        x = rng.normal(2.0, np.arange(1, c + 1), size=(n, c))
        x_centered, gamma = x - x.mean(axis=0), rng.uniform(0.5, 2, size=c)
        inv_std = 1 / np.sqrt(x.var(axis=0) + 1e-5)
        d_y = rng.normal(0.5, 1, size=(n, c))
        return Case((d_y, x_centered, inv_std, gamma), f"shape ({n}, {c})")

    return [case(6, 3), case(9, 2)]


_STAGED_STARTER = '''\
def staged_backward(d_y, x_centered, inv_std, gamma):
    """Return d_x, (N, C)."""
    d_x_hat = gamma * d_y
    d_var = -0.5 * (d_x_hat * x_centered).sum(axis=0) * inv_std**2
    d_centered = d_x_hat * inv_std + 2 * x_centered * d_var / len(d_y)
    return d_centered - d_centered.mean(axis=0)
'''

STAGED = Repair(
    number="H.3",
    name="staged_backward",
    title="The backward pass in stages",
    signature="staged_backward(d_y, x_centered, inv_std, gamma)",
    reference=_staged,
    starter=_STAGED_STARTER,
    cases=_staged_cases,
    misconceptions=(
        Misconception(
            "one power of 1/s only",
            "The derivative of (var + eps)**-0.5 has the power -1.5, which is "
            "inv_std**3.",
            wrong=partial(_staged, power=1),
        ),
        Misconception(
            "one half dropped",
            "The derivative of v**-0.5 is -0.5 * v**-1.5: the half was right.",
            wrong=partial(_staged, half=1.0, power=3),
        ),
        Misconception(
            "the sign turned",
            "A larger variance makes every output smaller, so d_var has a minus. That "
            "was right.",
            wrong=partial(_staged, sign=1),
        ),
        Misconception(
            "the path through the mean removed",
            "The last line was right: the mean was subtracted from every row, so it "
            "takes the mean of the gradient away.",
            wrong=partial(_staged, mean=False),
        ),
    ),
    hints=(
        "Multiply x by 10 in your mind, and ask of each line how it scales and how it "
        "should.",
        "d_var is the derivative of (var + eps)**-0.5 times a sum. That derivative "
        "has the power -1.5, and (var + eps)**-0.5 is inv_std.",
    ),
)

# --- H.4 ------------------------------------------------------------------------------


def _stored(batch_vars, momentum, *, start=0.0, corrected=True, keep=None):
    keep = 1 - momentum if keep is None else keep(momentum)
    stored = np.full_like(batch_vars[0], start)
    for var in batch_vars:
        stored = keep * stored + (1 - keep) * var
    return stored / (1 - keep ** len(batch_vars)) if corrected else stored


def _plain_mean(batch_vars, momentum):
    return np.mean(batch_vars, axis=0)


def _stored_cases():
    rng = np.random.default_rng(84)

    def case(t, c, momentum):
        batch_vars = rng.uniform(0.5, 9.0, size=(t, c))
        return Case((batch_vars, momentum), f"{t} batches, momentum {momentum:g}")

    return [case(1, 3, 0.1), case(5, 2, 0.1), case(12, 4, 0.01)]


_STORED_STARTER = '''\
def stored_variance(batch_vars, momentum):
    """Return the running mean of variances (T, C) without its start."""
    stored = np.ones_like(batch_vars[0])
    for var in batch_vars:
        stored = (1 - momentum) * stored + momentum * var
    return stored / (1 - (1 - momentum) ** len(batch_vars))
'''

STORED = Repair(
    number="H.4",
    name="stored_variance",
    title="A correction for another start",
    signature="stored_variance(batch_vars, momentum)",
    reference=_stored,
    starter=_STORED_STARTER,
    cases=_stored_cases,
    misconceptions=(
        Misconception(
            "the correction removed",
            "Without it the value that the average began with is still in it. That is "
            "PyTorch's way; asked is an average of the batches alone.",
            wrong=partial(_stored, start=1.0, corrected=False),
        ),
        Misconception(
            "begun at zero and not corrected",
            "After one batch a tenth of its variance is stored, and the rest is the "
            "zero of the start. Divide by the sum of the weights.",
            wrong=partial(_stored, corrected=False),
        ),
        Misconception(
            "momentum the wrong way round",
            "The weight of the new batch is momentum; that was right.",
            wrong=partial(_stored, keep=lambda m: m),
        ),
        Misconception(
            "all batches weighed alike",
            "That is momentum=None. Here older batches fade.",
            wrong=_plain_mean,
        ),
    ),
    hints=(
        "Do one batch by hand, with a variance of 4 and momentum 0.1, and compare "
        "what comes out with what should.",
        "The weights of the batches add up to 1 - (1 - momentum)**T; the rest is the "
        "weight of the start. The division is right if the start was 0.",
    ),
)

# --- H.5 ------------------------------------------------------------------------------


def _advantage(plain, bn):
    return bn.mean(axis=1).max() - plain.mean(axis=1).max()


def _at_the_rate_of(which, plain, bn):
    rate = {"plain": plain, "bn": bn}[which].mean(axis=1).argmax()
    return bn[rate].mean() - plain[rate].mean()


def _largest_gap(plain, bn):
    return (bn - plain).mean(axis=1).max()


def _best_runs(plain, bn):
    return bn.max() - plain.max()


def _over_all_rates(plain, bn):
    return bn.mean() - plain.mean()


def _advantage_cases():
    rng = np.random.default_rng(85)

    def case(best_plain, best_bn, rates, seeds):
        at = np.arange(rates)[:, None]
        noise = rng.normal(0, 1, size=(2, rates, seeds))
        plain = 90 - 6.0 * np.abs(at - best_plain) + noise[0]
        bn = 92 - 4.0 * np.abs(at - best_bn) + noise[1]
        note = f"{rates} rates, {seeds} seeds, best rates {best_plain} and {best_bn}"
        return Case((plain, bn), note)

    return [case(1, 3, 5, 4), case(2, 2, 4, 3), case(0, 4, 6, 5)]


_ADVANTAGE_STARTER = '''\
def advantage(plain, bn):
    """Return the points that BN adds; both tables: (rates, seeds)."""
    best = bn.mean(axis=1).argmax()
    return bn[best].mean() - plain[best].mean()
'''

ADVANTAGE = Repair(
    number="H.5",
    name="advantage",
    title="Whose learning rate?",
    signature="advantage(plain, bn)",
    reference=_advantage,
    starter=_ADVANTAGE_STARTER,
    cases=_advantage_cases,
    misconceptions=(
        Misconception(
            "the rate of the plain nets for both",
            "Now the other side is tuned for. Each side gets its own best rate.",
            wrong=partial(_at_the_rate_of, "plain"),
        ),
        Misconception(
            "the rate with the largest gap",
            "That is the rate at which the comparison flatters most. Each side gets "
            "its own best rate, before anything is subtracted.",
            wrong=_largest_gap,
        ),
        Misconception(
            "the luckiest runs compared",
            "A maximum over rates and seeds is luck. Mean over the seeds first, then "
            "the best rate.",
            wrong=_best_runs,
        ),
        Misconception(
            "the mean over all rates",
            "Then the result depends on how many useless rates stand in the grid. "
            "Compare the best rates.",
            wrong=_over_all_rates,
        ),
    ),
    hints=(
        "Look at the rate at which the plain nets are judged, and ask whether their "
        "owner would have chosen it.",
        "Mean over the seeds, then the largest value over the rates, for each side by "
        "itself; then the difference.",
    ),
)

# --- H.6 ------------------------------------------------------------------------------


def _losses_on_line(loss, theta, direction, steps, *, sign=-1):
    return [float(loss(theta + sign * a * direction)) for a in steps]


def _stepped_back_wrongly(loss, theta, direction, steps):
    # The step before the last is taken back, and only that.
    losses, here, before = [], theta.copy(), 0.0
    for a in steps:
        here = here - (a - before) * direction / 2
        losses.append(float(loss(here)))
        before = a
    return losses


def _normed_direction(loss, theta, direction, steps):
    return _losses_on_line(loss, theta, direction / np.linalg.norm(direction), steps)


def _bowl(theta):
    return float(np.sum(np.arange(1, len(theta) + 1) * theta**2) + np.sin(theta).sum())


def _line_cases():
    rng = np.random.default_rng(86)

    def case(p, steps):
        theta, direction = rng.normal(size=(2, p))
        note = f"{p} weights, {len(steps)} steps"
        return Case((_bowl, theta, direction, steps), note)

    return [
        case(3, [0.5, 1.0, 2.0]),
        case(5, [0.1, 0.2, 0.4, 0.8]),
        case(2, [1.0, 1.0]),
    ]


_LINE_STARTER = '''\
def losses_on_line(loss, theta, direction, steps):
    """Return the losses at theta - a * direction, a list over steps."""
    losses = []
    for a in steps:
        theta -= a * direction
        losses.append(loss(theta))
    return losses
'''

LINE = Repair(
    number="H.6",
    name="losses_on_line",
    title="The loss along a line",
    signature="losses_on_line(loss, theta, direction, steps)",
    reference=_losses_on_line,
    starter=_LINE_STARTER,
    cases=_line_cases,
    misconceptions=(
        Misconception(
            "the other way along the line",
            "The walk goes against the direction, theta - a * direction. That was "
            "right.",
            wrong=partial(_losses_on_line, sign=1),
        ),
        Misconception(
            "half of the way taken back",
            "The points must be theta - a * direction, each counted from theta. Keep "
            "theta as it is and make a new array for each point.",
            wrong=_stepped_back_wrongly,
        ),
        Misconception(
            "the direction brought to length 1",
            "The steps are given in lengths of the direction. That was right.",
            wrong=_normed_direction,
        ),
    ),
    hints=(
        "Print theta in the loop, and see from which point the second step starts.",
        "-= changes the array of the caller as well. Compute theta - a * direction "
        "afresh for each a.",
    ),
)

# --- H.7 ------------------------------------------------------------------------------


def _normed(x):
    return (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + 1e-5)


def _relu(x):
    return np.maximum(x, 0)


def _pre_block(x, w1, w2, *, skip=lambda x: x, last=lambda y: y):
    h = _relu(_normed(_relu(_normed(x)) @ w1))
    return last(skip(x) + h @ w2)


def _block_cases():
    rng = np.random.default_rng(87)

    def case(n, c):
        w1, w2 = rng.normal(size=(2, c, c)) / np.sqrt(c)
        x = rng.normal(1.0, 2.0, size=(n, c))
        return Case((x, w1, w2), f"x of shape ({n}, {c})")

    return [case(8, 4), case(5, 3)]


_PRE_BLOCK_STARTER = '''\
def pre_block(x, w1, w2):
    """Return the output of the block; x is (N, C), w1 and w2 (C, C)."""
    x = np.maximum(batch_norm(x)[0], 0)
    h = np.maximum(batch_norm(x @ w1)[0], 0)
    return x + h @ w2
'''

PRE_BLOCK = Repair(
    number="H.7",
    name="pre_block",
    title="What the skip carries",
    signature="pre_block(x, w1, w2)",
    reference=_pre_block,
    starter=_PRE_BLOCK_STARTER,
    cases=_block_cases,
    misconceptions=(
        Misconception(
            "the skip carries the normalized input",
            "Nothing may stand on the way of x: not the ReLU, and not the norm either.",
            wrong=partial(_pre_block, skip=_normed),
        ),
        Misconception(
            "the skip carries the rectified input",
            "Nothing may stand on the way of x, no ReLU either: negative values must "
            "get through.",
            wrong=partial(_pre_block, skip=_relu),
        ),
        Misconception(
            "a ReLU after the sum",
            "That belongs to the post-activation block. Here the sum is handed on as "
            "it is.",
            wrong=partial(_pre_block, last=_relu),
        ),
        Misconception(
            "the skip left out",
            "Without x in the sum this is no residual block.",
            wrong=partial(_pre_block, skip=lambda x: 0 * x),
        ),
    ),
    hints=(
        "Ask what x is when the last line adds it.",
        "Give what has been normalized and rectified a name of its own, and keep x.",
    ),
)

# --- H.8 ------------------------------------------------------------------------------


def _grouped(x, groups, eps, *, cut="runs"):
    n, c, h, w = x.shape
    shape, axes = {
        "runs": ((n, groups, c // groups, h, w), (2, 3, 4)),
        "dealt": ((n, c // groups, groups, h, w), (1, 3, 4)),
        "channels": ((n, c, 1, h, w), (2, 3, 4)),
        "one": ((n, 1, c, h, w), (2, 3, 4)),
        "batch": ((n, groups, c // groups, h, w), (0, 2, 3, 4)),
        "size": ((n, c // groups, groups, h, w), (2, 3, 4)),
    }[cut]
    z = x.reshape(shape)
    mean, var = z.mean(axis=axes, keepdims=True), z.var(axis=axes, keepdims=True)
    return ((z - mean) / np.sqrt(var + eps)).reshape(x.shape)


def _group_cases():
    rng = np.random.default_rng(88)

    def case(groups, shape):
        centers = 3 * rng.normal(size=(1, shape[1], 1, 1))
        x = centers + rng.normal(size=shape)
        return Case((x, groups, 1e-5), f"x of shape {shape}, {groups} groups")

    return [case(2, (3, 6, 2, 2)), case(3, (2, 6, 3, 1)), case(1, (2, 4, 2, 2))]


_GROUP_NORM_STARTER = '''\
def group_norm(x, groups, eps):
    """Return x, (N, C, H, W), normalized over groups of neighbors."""
    n, c, h, w = x.shape
    z = x.reshape(n, c // groups, groups, h, w)
    mean = z.mean(axis=(1, 3, 4), keepdims=True)
    var = z.var(axis=(1, 3, 4), keepdims=True)
    return ((z - mean) / np.sqrt(var + eps)).reshape(x.shape)
'''

GROUP_NORM = Repair(
    number="H.8",
    name="group_norm",
    title="Which channels form a group?",
    signature="group_norm(x, groups, eps)",
    reference=_grouped,
    starter=_GROUP_NORM_STARTER,
    cases=_group_cases,
    misconceptions=(
        Misconception(
            "groups taken for their size",
            "The groups are runs of neighbors now, but there are channels / groups of "
            "them. Asked are `groups` groups.",
            wrong=partial(_grouped, cut="size"),
        ),
        Misconception(
            "each channel by itself",
            "That is instance norm: a group has several channels, which share a mean.",
            wrong=partial(_grouped, cut="channels"),
        ),
        Misconception(
            "all channels in one group",
            "That is layer norm. The number of groups must have an effect.",
            wrong=partial(_grouped, cut="one"),
        ),
        Misconception(
            "the batch in the average",
            "Group norm looks at one example at a time: axis 0 stays out of the "
            "average.",
            wrong=partial(_grouped, cut="batch"),
        ),
    ),
    hints=(
        "Six channels, two groups: which channels share a mean in the starter? Write "
        "0 to 5 into the reshaped array.",
        "A reshape counts the last axis fastest. For runs of neighbors the axis of the "
        "groups must come before that of their members.",
    ),
)

# --- H.9 ------------------------------------------------------------------------------


def _merged(counts, means, mean_squares, *, weigh=(True, True), ddof=0):
    def average(values, weighed):
        w = counts / counts.sum() if weighed else np.full(len(counts), 1 / len(counts))
        return w @ values

    mean, square = average(means, weigh[0]), average(mean_squares, weigh[1])
    n = counts.sum()
    return mean, (square - mean**2) * n / (n - ddof)


def _variances_averaged(counts, means, mean_squares):
    w = counts / counts.sum()
    return w @ means, w @ (mean_squares - means**2)


def _moment_cases():
    rng = np.random.default_rng(89)

    def case(counts, c):
        parts = [rng.normal(r, 1 + r, size=(n, c)) for r, n in enumerate(counts)]
        means = np.array([p.mean(axis=0) for p in parts])
        squares = np.array([(p**2).mean(axis=0) for p in parts])
        note = f"counts {', '.join(map(str, counts))}, {c} channels"
        return Case((np.array(counts), means, squares), note)

    return [case((6, 2), 3), case((4, 4), 2), case((5, 1, 3), 2)]


_MERGED_STARTER = '''\
def merge_moments(counts, means, mean_squares):
    """Return mean and biased variance, (C,), of all ranks together."""
    mean = means.mean(axis=0)
    return mean, mean_squares.mean(axis=0) - mean**2
'''

MERGED = Repair(
    number="H.9",
    name="merge_moments",
    title="All ranks are equal",
    signature="merge_moments(counts, means, mean_squares)",
    reference=_merged,
    starter=_MERGED_STARTER,
    cases=_moment_cases,
    outputs=("mean", "variance"),
    misconceptions=(
        Misconception(
            "only the mean weighed",
            "The mean squares, too, are means over unequal parts: weigh them by the "
            "counts as well.",
            wrong=partial(_merged, weigh=(True, False)),
        ),
        Misconception(
            "only the squares weighed",
            "The means, too, belong to unequal parts: weigh them by the counts as "
            "well.",
            wrong=partial(_merged, weigh=(False, True)),
        ),
        Misconception(
            "the variances averaged",
            "The distance between the parts is in no part's variance. Average the "
            "squares, and subtract the square of the common mean.",
            wrong=_variances_averaged,
        ),
        Misconception(
            "divided by one less",
            "To normalize, the variance is divided by the number of values. The "
            "weights were the flaw.",
            wrong=partial(_merged, ddof=1),
        ),
    ),
    hints=(
        "One rank has 6 values, the other 2. In the mean of the eight the first one "
        "counts three times as much.",
        "weights = counts / counts.sum(), and weights @ means in place of the plain "
        "mean; the same for the squares.",
    ),
)

# --- H.10 -----------------------------------------------------------------------------


def _batch_norms(net):
    from torch import nn

    return [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]


def _reestimated(net, batches, *, mode=True, momentum=None, reset=True, last=True):
    for layer in _batch_norms(net):
        if reset:
            layer.reset_running_stats()
        layer.momentum = momentum
    net.train(mode)
    for images in batches if last else batches[:1]:
        net(images)
    return net.eval()


def _statistics_of(net):
    return [
        (layer.running_mean.detach().numpy(), layer.running_var.detach().numpy())
        for layer in _batch_norms(net)
    ]


def _gap_to(result, net, batches, **how):
    want = _statistics_of(_reestimated(copy.deepcopy(net), batches, **how))
    pairs = zip(_statistics_of(result), want, strict=True)
    return max(np.abs(a - b).max() for p, q in pairs for a, b in zip(p, q, strict=True))


def _reestimate_fault(result, net, batches):
    from torch import nn

    if not isinstance(result, nn.Module):
        return "Your result is no net: return the net itself."
    if any(layer.training for layer in _batch_norms(result)):
        return (
            "Your result is a net in training mode; asked is one that is ready for use."
        )
    gap = _gap_to(result, net, batches)
    if not gap < 1e-8:
        return (
            f"Your result holds other statistics: a stored number is off by {gap:.2g}."
        )
    want = _reestimated(copy.deepcopy(net), batches)(batches[0])
    if not float((result(batches[0]) - want).abs().max()) < 1e-8:
        return "Your result is a net with other outputs: only statistics may change."
    return None


def _shows(**how):
    return lambda result, net, batches: _gap_to(result, net, batches, **how) < 1e-8


def _reestimate_cases():
    import torch
    from torch import nn

    def case(seed, channels, count):
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            layers = [nn.Conv2d(1, channels, 3), nn.BatchNorm2d(channels), nn.ReLU()]
            layers += [nn.Conv2d(channels, 2, 1), nn.BatchNorm2d(2)]
            net = nn.Sequential(*layers).double()
            for layer in _batch_norms(net):
                layer.running_mean.normal_(0.5, 1.0)
                layer.running_var.uniform_(0.5, 3.0)
        rng = np.random.default_rng(seed)
        sizes = [(4, 1, 6, 6)] * count
        batches = [torch.tensor(rng.normal(2.0, 3.0, size=s)) for s in sizes]
        return Case((net, batches), f"two norms, {count} batches of 4 images")

    return [case(90, 3, 2), case(91, 2, 3)]


_REESTIMATE_STARTER = '''\
def reestimate_norms(net, batches):
    """Return the net in eval mode, with the batches' statistics."""
    net.eval()
    for layer in net.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.reset_running_stats()
            layer.momentum = None  # all batches count alike
    for images in batches:
        net(images)
    return net
'''

REESTIMATE = Repair(
    number="H.10",
    name="reestimate_norms",
    title="A pass that writes nothing",
    signature="reestimate_norms(net, batches)",
    accept=_reestimate_fault,
    starter=_REESTIMATE_STARTER,
    cases=_reestimate_cases,
    in_place=("net",),
    misconceptions=(
        Misconception(
            "momentum left at its default",
            "With 0.1 the start, 0 and 1, keeps most of its weight after a few "
            "batches. momentum=None weighs all batches alike; that was right.",
            recognize=_shows(momentum=0.1),
        ),
        Misconception(
            "only the last batch",
            "With momentum 1 each batch replaces the one before. momentum=None weighs "
            "all batches alike; that was right.",
            recognize=_shows(momentum=1.0),
        ),
        Misconception(
            "only the first batch seen",
            "All batches must pass before the net goes back to eval mode.",
            recognize=_shows(last=False),
        ),
    ),
    hints=(
        "Ask in which mode a batch norm writes its running statistics.",
        "Training mode. net.eval() belongs behind the loop, net.train() before it.",
    ),
)

# --- H.11 -----------------------------------------------------------------------------


def _slim_step(gamma, grad, lr, strength, *, pull=np.sign, sign=1, scaled=True):
    if scaled:
        return gamma - lr * (grad + sign * strength * pull(gamma))
    return gamma - lr * grad - sign * strength * pull(gamma)


def _slim_cases():
    rng = np.random.default_rng(92)

    def case(c, lr, strength):
        gamma = rng.normal(0, 0.6, size=c)
        gamma[0] = 0.0
        return Case(
            (gamma, rng.normal(size=c), lr, strength), f"{c} channels, lr={lr:g}"
        )

    return [case(5, 0.1, 0.5), case(8, 0.01, 2.0)]


_SLIM_STEP_STARTER = '''\
def slim_step(gamma, grad, lr, strength):
    """Return gamma, (C,), after a step of SGD on loss and price."""
    return gamma - lr * (grad + strength * gamma)
'''

SLIM_STEP = Repair(
    number="H.11",
    name="slim_step",
    title="A step with a price",
    signature="slim_step(gamma, grad, lr, strength)",
    reference=_slim_step,
    starter=_SLIM_STEP_STARTER,
    cases=_slim_cases,
    misconceptions=(
        Misconception(
            "a push away from zero",
            "The pull must lead to 0: it is added to the gradient, which is subtracted "
            "from gamma.",
            wrong=partial(_slim_step, sign=-1),
        ),
        Misconception(
            "the same pull for both signs",
            "A negative gamma must be pulled upward. The gradient of |gamma| is its "
            "sign.",
            wrong=partial(_slim_step, pull=np.ones_like),
        ),
        Misconception(
            "the size instead of the sign",
            "|gamma| is the price, its gradient is the sign: equally strong for large "
            "and small gammas.",
            wrong=partial(_slim_step, pull=np.abs),
        ),
        Misconception(
            "the pull outside of the rate",
            "The price is a part of the loss, so its gradient is multiplied by the "
            "learning rate like any other.",
            wrong=partial(_slim_step, scaled=False),
        ),
    ),
    hints=(
        "Halve gamma, and look at what becomes of the pull in the starter, and what "
        "should become of it.",
        "The price is strength * |gamma|. Its gradient is strength * np.sign(gamma).",
    ),
)

# --- H.12 -----------------------------------------------------------------------------


def _filters(w, eps, *, axes=(1, 2, 3), ddof=0, center=True, out=False, scaled=False):
    mean = w.mean(axis=axes, keepdims=True)
    var = w.var(axis=axes, keepdims=True, ddof=ddof)
    size = np.sqrt(var) + eps if out else np.sqrt(var + eps)
    size = size * np.sqrt(w[0].size) if scaled else size
    return (w - mean * center) / size


def _filter_cases():
    rng = np.random.default_rng(93)

    def case(c_out, c_in, k, eps):
        shape = c_out, c_in, k, k
        loc = rng.normal(0, 1, size=(c_out, c_in, 1, 1))
        w = rng.normal(loc, np.arange(1, c_out + 1).reshape(-1, 1, 1, 1), size=shape)
        return Case((w, eps), f"w of shape {shape}, eps={eps:g}")

    return [case(3, 2, 3, 0.1), case(4, 3, 2, 0.01), case(2, 2, 2, 0.5)]


_STANDARD_FILTERS_STARTER = '''\
def standard_filters(w, eps):
    """Return the standardized filters, like w: (C_out, C_in, k, k)."""
    mean = w.mean()
    var = w.var()
    return (w - mean) / np.sqrt(var + eps)
'''

STANDARD_FILTERS = Repair(
    number="H.12",
    name="standard_filters",
    title="Filters by themselves",
    signature="standard_filters(w, eps)",
    reference=_filters,
    starter=_STANDARD_FILTERS_STARTER,
    cases=_filter_cases,
    misconceptions=(
        Misconception(
            "one statistic for the whole array",
            "Then a loud filter stays louder than the others, and the layer keeps what "
            "standardizing should take away. Each filter, w[i], is one set.",
            wrong=partial(_filters, axes=(0, 1, 2, 3)),
        ),
        Misconception(
            "a statistic for every kernel",
            "A filter reaches over all input channels: axis 1 is among the averaged "
            "ones. Per kernel, channels would lose their weight beside each other.",
            wrong=partial(_filters, axes=(2, 3)),
        ),
        Misconception(
            "along the inputs",
            "The outputs are axis 0 and stay apart. Here each input channel is "
            "standardized over all filters.",
            wrong=partial(_filters, axes=(0, 2, 3)),
        ),
        Misconception(
            "the mean left in",
            "Subtracting the mean is half of it: a filter with a mean passes on the "
            "mean of its input.",
            wrong=partial(_filters, center=False),
        ),
        Misconception(
            "variance divided by one less",
            "The biased variance, divided by the number of weights, makes the squares "
            "add up to that number. Leave ddof at 0.",
            wrong=partial(_filters, ddof=1),
        ),
        Misconception(
            "eps outside of the root",
            "eps is added to the variance, under the root.",
            wrong=partial(_filters, out=True),
        ),
    ),
    hints=(
        "Give it one filter, and then two of very unlike size, and look at the "
        "variance of each of the two.",
        "axes = (1, 2, 3), with keepdims=True, for mean and variance.",
    ),
)

EXERCISES = (
    STANDARDIZE,
    IMAGE_NORM,
    STAGED,
    STORED,
    ADVANTAGE,
    LINE,
    PRE_BLOCK,
    GROUP_NORM,
    MERGED,
    REESTIMATE,
    SLIM_STEP,
    STANDARD_FILTERS,
)
