"""Exercises of chapter 11: pruning by gamma."""

from functools import cache, partial

import numpy as np

from bnlib.exercises.engine.exercise import Case, Exercise, Misconception
from bnlib.exercises.engine.kinds import Repair, measured

# --- 11.1 ----------------------------------------------------------------------------


@cache
def _measured_steps(gamma, strength, lr, momentum):
    """Count the steps of SGD until a gamma that nothing holds is 0."""
    velocity, steps = 0.0, 0
    while gamma > 0:
        velocity = momentum * velocity + strength
        gamma, steps = gamma - lr * velocity, steps + 1
    return steps


def _steps_to_zero(gamma, strength, lr, momentum, *, factor=None, delay=True):
    factor = 1 - momentum if factor is None else factor(momentum)
    late = momentum / (1 - momentum) if delay else 0
    return gamma * factor / (strength * lr) + late


def _near(result, value):
    return abs(float(result) - value) <= 0.05 * value


def _as_decay(gamma, strength, lr, momentum):
    # Shrunk in proportion to itself, to a thousandth.
    return np.log(1000) * (1 - momentum) / (strength * lr)


def _pull_cases():
    settings = [(0.5, 0.01, 0.1, 0.9), (1.0, 0.02, 0.05, 0.5), (0.3, 0.002, 0.2, 0.9)]
    return [
        Case(s, "gamma {:g}, strength {:g}, rate {:g}, momentum {:g}".format(*s))
        for s in settings
    ]


STEPS_TO_ZERO = Exercise(
    number="11.1",
    name="steps_to_zero",
    title="How long must the pull last?",
    signature="steps_to_zero(gamma, strength, lr, momentum)",
    reference=_steps_to_zero,
    accept=measured(_measured_steps, within=0.2),
    cases=_pull_cases,
    misconceptions=(
        Misconception(
            "momentum forgotten",
            "With momentum every gradient acts again, at 0.9, 0.81, ... of its size: "
            "in all 1 / (1 - m) times. The way is covered that much sooner.",
            recognize=lambda result, *args: _near(
                result, _steps_to_zero(*args, factor=lambda m: 1, delay=False)
            ),
        ),
        Misconception(
            "momentum on the wrong side",
            "Momentum makes each gradient act for longer, so fewer steps are needed: "
            "multiply by 1 - momentum.",
            recognize=lambda result, *args: _near(
                result, _steps_to_zero(*args, factor=lambda m: 1 / (1 - m), delay=False)
            ),
        ),
        Misconception(
            "the rate forgotten",
            "One step moves gamma by the rate times the pull. The pull alone is not a "
            "way.",
            recognize=lambda result, gamma, strength, lr, momentum: _near(
                result, gamma * (1 - momentum) / strength
            ),
        ),
        Misconception(
            "a pull in proportion to gamma",
            "That is weight decay, which never gets to 0. The L1 term pulls with the "
            "same strength until the end, so gamma falls along a straight line.",
            recognize=lambda result, *args: _near(result, _as_decay(*args)),
        ),
    ),
    hints=(
        "A pull of size strength at the rate lr moves gamma by strength * lr per step, "
        "and momentum multiplies that by 1 / (1 - m) once it is under way.",
        "So the way per step is strength * lr / (1 - momentum). Divide gamma by it.",
    ),
)

# --- 11.2 ----------------------------------------------------------------------------


def _kept(gammas, count, floor, *, size=np.abs, largest=False):
    """Return masks: the count smallest go, each layer's largest `floor` stay."""
    free = []
    for layer, gamma in enumerate(gammas):
        order = np.argsort(size(gamma), kind="stable")
        free += [(size(gamma)[i], layer, i) for i in order[: len(gamma) - floor]]
    masks = [np.ones(len(gamma), dtype=bool) for gamma in gammas]
    for _, layer, i in sorted(free, reverse=largest)[:count]:
        masks[layer][i] = False
    return masks


def _kept_per_layer(gammas, count, floor):
    share = count / sum(len(gamma) for gamma in gammas)
    masks = []
    for gamma in gammas:
        gone = min(round(share * len(gamma)), len(gamma) - floor)
        masks.append(np.argsort(np.argsort(np.abs(gamma))) >= gone)
    return masks


def _kept_then_raised(gammas, count, floor):
    """Return the masks of someone who tops layers up without taking others."""
    masks = _kept(gammas, count, 0)
    for mask, gamma in zip(masks, gammas, strict=True):
        mask[np.argsort(np.abs(gamma))[len(gamma) - floor :]] = True
    return masks


def _kept_no_floor(gammas, count, floor):
    return _kept(gammas, count, 0)


def _kept_inverted(gammas, count, floor):
    return [~mask for mask in _kept(gammas, count, floor)]


def _kept_count_stays(gammas, count, floor):
    return _kept(gammas, sum(map(len, gammas)) - count, floor)


def _kept_smallest(gammas, count, floor):
    return _kept(gammas, count, floor, size=lambda gamma: -np.abs(gamma))


def _kept_cases():
    rng = np.random.default_rng(102)

    def case(widths, scales, count, floor):
        gammas = [
            scale * rng.uniform(0.2, 1, size=w) * rng.choice([-1, 1, 1], size=w)
            for w, scale in zip(widths, scales, strict=True)
        ]
        note = f"layers of {', '.join(map(str, widths))}; {count} go, floor {floor}"
        return Case((gammas, count, floor), note)

    return [
        case((6, 4, 8), (1.0, 0.1, 0.5), 9, 2),
        case((5, 10), (0.05, 1.0), 8, 1),
        case((8, 8, 8), (0.2, 1.0, 0.1), 15, 3),
    ]


KEPT_CHANNELS = Exercise(
    number="11.2",
    name="kept_channels",
    title="One threshold for all",
    signature="kept_channels(gammas, count, floor)",
    reference=_kept,
    cases=_kept_cases,
    misconceptions=(
        Misconception(
            "a threshold for each layer",
            "A global threshold compares the channels of all layers with each other: a "
            "layer of small gammas loses many, another none. The same share of each "
            "layer is what slimming wants to get away from.",
            wrong=_kept_per_layer,
        ),
        Misconception(
            "gamma instead of its size",
            "A gamma of -0.8 speaks as loudly as one of 0.8, with the sign turned. "
            "Only a gamma near 0, from either side, is silent: rank by abs(gamma).",
            wrong=partial(_kept, size=lambda gamma: gamma),
        ),
        Misconception(
            "count taken for those that stay",
            "count is the number of channels that go, not of those that stay.",
            wrong=_kept_count_stays,
        ),
        Misconception(
            "floor forgotten",
            "Without a floor a layer may lose all of its channels, and then nothing "
            "passes through the net. Its `floor` largest must not be candidates.",
            wrong=_kept_no_floor,
        ),
        Misconception(
            "fewer than count go",
            "You give the floor back to the layers afterwards, so that fewer channels "
            "go than asked for. Take the protected ones out of the ranking first: "
            "then others go in their place.",
            wrong=_kept_then_raised,
        ),
        Misconception(
            "the mask the wrong way round",
            "True must mean that the channel stays. What you return marks the ones "
            "that go.",
            wrong=_kept_inverted,
        ),
        Misconception(
            "the largest go",
            "The channels with the largest gammas are those that the next layer hears "
            "best. The smallest go.",
            wrong=_kept_smallest,
        ),
        Misconception(
            "the largest of the free ones go",
            "Each layer's largest are kept, but of the others those with the largest "
            "gammas went. The smallest go.",
            wrong=partial(_kept, largest=True),
        ),
    ),
    hints=(
        "Who may go at all? In each layer all but the `floor` largest in size. Rank "
        "these together, whatever layer they are from.",
        "For each layer: order = np.argsort(np.abs(gamma)); the candidates are "
        "order[:len(gamma) - floor].",
        "Collect (size, layer, index) of all candidates in one list, sort it, and set "
        "masks[layer][index] = False for the first count.",
    ),
)

# --- 11.3 ----------------------------------------------------------------------------


def _pair(weight_1, mean, var, weight_2, kept):
    return weight_1[kept], mean[kept], var[kept], weight_2[:, kept]


def _pair_next_forgotten(weight_1, mean, var, weight_2, kept):
    return weight_1[kept], mean[kept], var[kept], weight_2


def _pair_statistics_forgotten(weight_1, mean, var, weight_2, kept):
    return weight_1[kept], mean, var, weight_2[:, kept]


def _pair_next_wrong_axis(weight_1, mean, var, weight_2, kept):
    return weight_1[kept], mean[kept], var[kept], weight_2[kept]


def _pair_first_wrong_axis(weight_1, mean, var, weight_2, kept):
    return weight_1[:, kept], mean[kept], var[kept], weight_2[:, kept]


def _pair_axes_swapped(weight_1, mean, var, weight_2, kept):
    return weight_1[:, kept], mean[kept], var[kept], weight_2[kept]


def _pair_zeroed(weight_1, mean, var, weight_2, kept):
    return (
        weight_1 * kept[:, None, None, None],
        mean * kept,
        var * kept,
        weight_2 * kept[:, None, None],
    )


def _pair_removed(weight_1, mean, var, weight_2, kept):
    return _pair(weight_1, mean, var, weight_2, ~kept)


def _pair_both(weight_1, mean, var, weight_2, kept):
    return (
        weight_1[kept][:, kept],
        mean[kept],
        var[kept],
        weight_2[kept][:, kept],
    )


def _pair_cases():
    # Square weights, so that the wrong axis raises no error; the last two are not
    # square, as in real nets.
    rng = np.random.default_rng(103)

    def case(c, stay, inputs=None, outputs=None):
        kept = np.zeros(c, dtype=bool)
        kept[list(stay)] = True
        first = rng.normal(size=(c, inputs or c, 3, 3))
        second = rng.normal(size=(outputs or c, c, 3, 3))
        mean, var = rng.normal(size=c), rng.uniform(0.5, 2, size=c)
        where = f" of {inputs} inputs" if inputs else " everywhere"
        note = f"{c} channels{where}, {len(stay)} of them stay"
        return Case((first, mean, var, second, kept), note)

    square = [case(4, (0, 3)), case(5, (1,)), case(6, (0, 1, 2, 5))]
    return [*square, case(4, (1, 2), inputs=2, outputs=3)]


_PRUNE_PAIR_STARTER = '''\
def prune_pair(weight_1, mean, var, weight_2, kept):
    """Return weight_1, mean, var, weight_2 of the smaller net."""
    return weight_1[kept], mean[kept], var[kept], weight_2[kept]
'''

PRUNE_PAIR = Repair(
    number="11.3",
    name="prune_pair",
    title="Two convolutions, by hand",
    signature="prune_pair(weight_1, mean, var, weight_2, kept)",
    reference=_pair,
    starter=_PRUNE_PAIR_STARTER,
    cases=_pair_cases,
    outputs=("weight_1", "mean", "var", "weight_2"),
    misconceptions=(
        Misconception(
            "input of the next layer forgotten",
            "The second convolution still waits for the channels that are gone. Its "
            "weight has shape (out, in, 3, 3): take the kept ones along axis 1.",
            wrong=_pair_next_forgotten,
        ),
        Misconception(
            "running statistics forgotten",
            "A norm has four vectors with a number for each channel, not two: running "
            "mean and variance lose the same channels as gamma and beta.",
            wrong=_pair_statistics_forgotten,
        ),
        Misconception(
            "removed are the outputs of the next layer",
            "The channels are outputs of the first convolution and inputs of the "
            "second. Inputs are axis 1 of its weight: weight_2[:, kept].",
            wrong=_pair_next_wrong_axis,
        ),
        Misconception(
            "removed are the inputs of the first layer",
            "The channels are outputs of the first convolution, and outputs are axis 0 "
            "of its weight. What it reads stays as it is.",
            wrong=_pair_first_wrong_axis,
        ),
        Misconception(
            "axes swapped",
            "PyTorch's weight has shape (out, in, 3, 3). The channels are outputs of "
            "the first convolution (axis 0) and inputs of the second (axis 1).",
            wrong=_pair_axes_swapped,
        ),
        Misconception(
            "set to zero instead of removed",
            "A net full of zeros has the same shapes and costs the same time. "
            "Physically smaller means arrays with fewer entries: index with kept.",
            wrong=_pair_zeroed,
        ),
        Misconception(
            "the other channels kept",
            "kept is True for the channels that stay. You return those that go.",
            wrong=_pair_removed,
        ),
        Misconception(
            "both axes of both weights cut",
            "Only the channels between the two layers go. What the first one reads and "
            "what the second one puts out stay whole.",
            wrong=_pair_both,
        ),
    ),
    hints=(
        "Write down for each of the four arrays which of its axes runs along the "
        "channels between the two convolutions.",
        "It is axis 0 of weight_1, the only axis of mean and var, and axis 1 of "
        "weight_2. An array of booleans as an index picks the entries that are True.",
    ),
)

# --- 11.4 ----------------------------------------------------------------------------


def _border_share(side):
    """Send a constant through a padded 3x3 kernel; share of the positions it misses."""
    kernel = np.random.default_rng(114).uniform(0.5, 1.5, size=(3, 3))
    image = np.pad(np.ones((side, side)), 1)
    windows = np.lib.stride_tricks.sliding_window_view(image, (3, 3))
    arrived = (windows * kernel).sum(axis=(2, 3))
    return float(np.mean(np.abs(arrived - kernel.sum()) > 1e-9))


BORDER_SHARE = Exercise(
    number="11.4",
    name="border_share",
    title="Where the constant does not arrive",
    signature="border_share(side)",
    reference=_border_share,
    cases=lambda: [Case((side,), f"side={side}") for side in (4, 8, 3, 16)],
    misconceptions=(
        Misconception(
            "the corners counted twice",
            "Four sides of length side count each corner twice. The border of a square "
            "has 4 * side - 4 positions.",
            wrong=lambda side: 4 * side / side**2,
        ),
        Misconception(
            "where it does arrive",
            "This is the share of the inner positions. Asked is the border.",
            wrong=lambda side: (side - 2) ** 2 / side**2,
        ),
        Misconception(
            "two sides only",
            "There is a row above and below, and a column on the left and on the "
            "right.",
            wrong=lambda side: 2 * side / side**2,
        ),
        Misconception(
            "the padding counted as positions",
            "The output has as many positions as the input, side * side. The zeros "
            "around it are read and not written.",
            wrong=lambda side: 4 * (side + 1) / (side + 2) ** 2,
        ),
        Misconception(
            "a border two positions wide",
            "A 3 x 3 kernel reaches one position to each side, so only the outermost "
            "ring reads zeros.",
            wrong=lambda side: 1 - max(side - 4, 0) ** 2 / side**2,
        ),
    ),
    hints=(
        "Find the positions of the output that read at least one of the zeros around "
        "the image.",
        "The outermost ring. All but the inner square of side - 2.",
    ),
)

# --- 11.5 ----------------------------------------------------------------------------


def _work(widths, kept, sides, *, inputs=True, positions=2, image=1.0):
    read = np.append(1, widths[:-1])
    left = np.append(image, kept[:-1]) if inputs else read
    area = np.asarray(sides, dtype=float) ** positions
    return np.sum(area * left * kept) / np.sum(area * read * widths)


def _share_of_channels(widths, kept, sides):
    return np.sum(kept) / np.sum(widths)


def _outputs_alone(widths, kept, sides):
    area = np.asarray(sides, dtype=float) ** 2
    return np.sum(area * kept) / np.sum(area * widths)


def _share_squared(widths, kept, sides):
    return _share_of_channels(widths, kept, sides) ** 2


def _mean_of_layers(widths, kept, sides):
    read, left = np.append(1, widths[:-1]), np.append(1, kept[:-1])
    return np.mean(left * kept / (read * widths))


def _work_without_first(widths, kept, sides):
    area = np.asarray(sides[1:], dtype=float) ** 2
    after, before = kept[1:] * kept[:-1], widths[1:] * widths[:-1]
    return np.sum(area * after) / np.sum(area * before)


def _work_gone(widths, kept, sides):
    return 1 - _work(widths, kept, sides)


def _work_upside_down(widths, kept, sides):
    return 1 / _work(widths, kept, sides)


def _work_cases():
    def case(widths, kept, sides):
        note = f"widths {widths}, kept {kept}, sides {sides}"
        return Case((np.array(widths), np.array(kept), np.array(sides)), note)

    return [
        case((32, 64, 64), (10, 20, 20), (8, 4, 4)),
        case((8, 16), (8, 4), (16, 8)),
        case((32, 64, 64, 128, 128), (16, 23, 19, 13, 54), (8, 4, 4, 2, 2)),
    ]


WORK_LEFT = Exercise(
    number="11.5",
    name="work_left",
    title="Channels are not work",
    signature="work_left(widths, kept, sides)",
    reference=_work,
    cases=_work_cases,
    misconceptions=(
        Misconception(
            "the share of the channels",
            "Work goes with pairs: each output channel reads each input channel. A "
            "layer that keeps a half on both sides keeps a quarter of its work.",
            wrong=_share_of_channels,
        ),
        Misconception(
            "inputs forgotten altogether",
            "Each output channel reads all channels of the layer before, so a layer's "
            "work is outputs times inputs times positions, before and after.",
            wrong=_outputs_alone,
        ),
        Misconception(
            "inputs still counted in full",
            "A layer loses twice: its own channels, and those of the layer before it "
            "that it no longer reads.",
            wrong=partial(_work, inputs=False),
        ),
        Misconception(
            "the square of the share",
            "The square is right when every layer keeps the same share and the first "
            "one did not read the image. Count layer by layer.",
            wrong=_share_squared,
        ),
        Misconception(
            "positions forgotten",
            "That is the share of the weights. Each weight works once at every "
            "position: multiply by side * side of the layer's output.",
            wrong=partial(_work, positions=0),
        ),
        Misconception(
            "side instead of area",
            "An output of side 8 has 64 positions, not 8: square the sides.",
            wrong=partial(_work, positions=1),
        ),
        Misconception(
            "mean of the layers' shares",
            "Layers do not weigh the same: a small one counts as much as a large one "
            "in your mean. Add up the work of all layers before dividing.",
            wrong=_mean_of_layers,
        ),
        Misconception(
            "first layer left out",
            "The first layer works, too: it reads the one channel of the image, which "
            "is never pruned.",
            wrong=_work_without_first,
        ),
        Misconception(
            "the share that goes",
            "That is the share of the work that is saved. Return what is left of it.",
            wrong=_work_gone,
        ),
        Misconception(
            "before over after",
            "That says how many times less work there is. The share that is left is "
            "after over before, a number below 1.",
            wrong=_work_upside_down,
        ),
    ),
    hints=(
        "A convolution has in * out * 9 weights, and each of them works once at every "
        "one of side * side positions. The 9 cancels.",
        "Inputs of layer l are the outputs of layer l - 1; the first one reads 1 "
        "channel, before and after.",
        "before = sum of sides**2 * np.append(1, widths[:-1]) * widths; after is the "
        "same with kept. Return after / before.",
    ),
)

# --- 11.6 ----------------------------------------------------------------------------


def _strength(gamma, lr, momentum, *, add=np.sum, factor=None):
    factor = 1 - momentum if factor is None else factor(momentum)
    return gamma * factor / add(lr)


def _strength_cut_off(gamma, lr, momentum):
    """Return the strength of someone who counts what acts by the end only."""
    speed = (1 - momentum ** np.arange(1, len(lr) + 1)) / (1 - momentum)
    return gamma / np.sum(lr * speed)


def _strength_cases():
    steps = np.arange(300)
    bell = 0.004 + 0.1 * np.sin(np.pi * steps / 300) ** 2
    fall = np.where(steps < 100, 0.1, 0.01)[:200]
    return [
        Case((0.5, bell, 0.9), "gamma 0.5, 300 rates that rise and fall, momentum 0.9"),
        Case((1.0, fall, 0.9), "gamma 1, 200 rates that fall once, momentum 0.9"),
        Case((0.5, bell[:50], 0.5), "gamma 0.5, 50 rising rates, momentum 0.5"),
    ]


L1_STRENGTH = Exercise(
    number="11.6",
    name="l1_strength",
    title="How strong must the pull be?",
    signature="l1_strength(gamma, lr, momentum)",
    reference=_strength,
    cases=_strength_cases,
    misconceptions=(
        Misconception(
            "momentum forgotten",
            "With momentum every gradient acts again, at 0.9, 0.81, ... of its size. "
            "Together a gradient moves the weight by lr / (1 - momentum), ten times as "
            "far at 0.9. The pull must be weaker by that.",
            wrong=partial(_strength, factor=lambda m: 1),
        ),
        Misconception(
            "momentum on the wrong side",
            "Momentum makes the way longer by 1 / (1 - momentum), so the strength that "
            "is needed gets smaller: multiply by 1 - momentum.",
            wrong=partial(_strength, factor=lambda m: 1 / (1 - m)),
        ),
        Misconception(
            "multiplied by the momentum",
            "The gradients of all former steps add up to 1 + m + m**2 + ... = "
            "1 / (1 - m) times one of them. The factor is 1 - m, not m.",
            wrong=partial(_strength, factor=lambda m: m),
        ),
        Misconception(
            "one step instead of the run",
            "The mean rate says how far one step goes. Every step pulls: what counts "
            "is the sum of the rates over the whole run.",
            wrong=partial(_strength, add=np.mean),
        ),
        Misconception(
            "as if every step had the largest rate",
            "The rates change during the run. Add them up one by one; steps times the "
            "largest is too much.",
            wrong=partial(_strength, add=lambda lr: len(lr) * np.max(lr)),
        ),
        Misconception(
            "as if every step had the last rate",
            "The rates change during the run. Add them up one by one; steps times the "
            "last one counts only how it ends.",
            wrong=partial(_strength, add=lambda lr: len(lr) * lr[-1]),
        ),
        Misconception(
            "as if every step had the first rate",
            "The rates change during the run. Add them up one by one; steps times the "
            "first one counts only how it begins.",
            wrong=partial(_strength, add=lambda lr: len(lr) * lr[0]),
        ),
        Misconception(
            "the last gradients cut off",
            "You follow the run step by step, so that the last gradients have no time "
            "to act to the end. That is a little more exact than (11.2), but asked for "
            "is its simpler sum.",
            wrong=_strength_cut_off,
        ),
    ),
    hints=(
        "One gradient of size strength, taken once at the rate lr, moves the weight by "
        "strength * lr at once, and by 0.9 of that in the next step, and so on.",
        "In all it moves by strength * lr / (1 - momentum). Sum over the steps, set "
        "equal to gamma, and solve for strength.",
    ),
)

# --- 11.7 ----------------------------------------------------------------------------


def _relu(v):
    return np.maximum(v, 0)


def _silent(v):
    return np.zeros_like(v)


def _same(v):
    return v


def _absorb(
    weight,
    mean,
    gamma,
    beta,
    kept,
    *,
    activation=_relu,
    sign=-1,
    of=np.logical_not,
    scaled=False,
):
    heard = of(kept)
    constant = weight[:, heard] @ activation(beta[heard])
    return mean + sign * (gamma * constant if scaled else constant)


def _absorb_relu_last(weight, mean, gamma, beta, kept):
    return mean - _relu(weight[:, ~kept] @ beta[~kept])


def _absorb_cases():
    rng = np.random.default_rng(104)

    def case(c, out, stay):
        kept = np.zeros(c, dtype=bool)
        kept[list(stay)] = True
        weight = rng.normal(size=(out, c))
        mean, gamma = rng.normal(size=out), rng.uniform(0.3, 0.8, size=out)
        beta = rng.permutation(np.linspace(-1, 1.2, c))  # both signs among the dead
        note = f"{c} channels, {c - len(stay)} of them dead, {out} outputs"
        return Case((weight, mean, gamma, beta, kept), note)

    return [case(6, 3, (0, 2)), case(8, 8, (1, 3, 4)), case(5, 2, (4,))]


ABSORB_MEAN = Exercise(
    number="11.7",
    name="absorb_mean",
    title="What a dead channel still says",
    signature="absorb_mean(weight, mean, gamma, beta, kept)",
    reference=_absorb,
    cases=_absorb_cases,
    misconceptions=(
        Misconception(
            "beta forgotten",
            "A channel with gamma 0 is constant, not silent: it hands on relu(beta). "
            "Without it the next layer gets less than before, and its norm subtracts "
            "a mean that is no longer there.",
            wrong=partial(_absorb, activation=_silent),
        ),
        Misconception(
            "before the activation",
            "The next layer reads what comes out of the ReLU. A channel with negative "
            "beta hands on 0, not beta.",
            wrong=partial(_absorb, activation=_same),
        ),
        Misconception(
            "added instead of subtracted",
            "The input of the norm gets smaller by the constant. For the same output "
            "the mean that it subtracts must get smaller too.",
            wrong=partial(_absorb, sign=1),
        ),
        Misconception(
            "the living channels absorbed, too",
            "Channels that stay still bring their own value. Only the constants of the "
            "dead ones are missing: take ~kept.",
            wrong=partial(_absorb, of=np.ones_like),
        ),
        Misconception(
            "the living channels absorbed instead",
            "kept is True for the channels that stay, and these still bring their own "
            "value. The constants of the dead ones are missing: take ~kept.",
            wrong=partial(_absorb, of=_same),
        ),
        Misconception(
            "scaled by the next gamma",
            "The mean is subtracted before the norm multiplies by gamma. The constant "
            "is a part of the norm's input, so it goes into the mean as it is.",
            wrong=partial(_absorb, scaled=True),
        ),
        Misconception(
            "the ReLU after the sum",
            "Each channel goes through the ReLU by itself, before the weights: relu of "
            "beta, and only then the sum.",
            wrong=_absorb_relu_last,
        ),
    ),
    hints=(
        "What does a dead channel hand on? Its norm puts out beta, and then comes the "
        "ReLU. The next layer multiplies by its weights.",
        "The input of the next norm loses the constant weight[:, dead] @ "
        "relu(beta[dead]), so the norm must subtract a mean that is smaller by it.",
        "Return mean - weight[:, ~kept] @ np.maximum(beta[~kept], 0). gamma is not "
        "needed.",
    ),
)


EXERCISES = (
    STEPS_TO_ZERO,
    KEPT_CHANNELS,
    PRUNE_PAIR,
    BORDER_SHARE,
    WORK_LEFT,
    L1_STRENGTH,
    ABSORB_MEAN,
)
