"""Exercises of chapter 10: moving to new data."""

# torch is imported by the functions, never at the top: this file is loaded together
# with those of the first chapters, which must run where there is no torch.
import copy
from functools import partial

import numpy as np

from bnlib.exercises.engine.exercise import Case, Exercise, Misconception
from bnlib.exercises.engine.kinds import Repair
from bnlib.exercises.engine.terms import Terms


def _seeded(seed, make):
    """Return a float64 module whose weights and statistics come from a seed."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        net = make().double()
        for layer in net.modules():
            if getattr(layer, "running_mean", None) is not None:
                layer.running_mean.normal_(0.5, 1.0)
                layer.running_var.uniform_(0.5, 3.0)
                layer.num_batches_tracked.fill_(7)
                if layer.affine:
                    layer.weight.data.uniform_(0.5, 1.5)
                    layer.bias.data.normal_(0.3, 1.0)
    return net


def _norms(net):
    from torch import nn

    kinds = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d
    return [layer for layer in net.modules() if isinstance(layer, kinds)]


# --- 10.1 -----------------------------------------------------------------------------


def _adapt(
    net,
    images,
    x,
    *,
    momentum=1.0,
    reset=False,
    reset_affine=False,
    passes=True,
    mode=True,
    end=False,
    in_place=False,
):
    import torch

    adapted = (net if in_place else copy.deepcopy(net)).train(mode)
    for layer in _norms(adapted):
        layer.momentum = momentum
        if reset:
            layer.reset_running_stats()
        if reset_affine:
            layer.reset_parameters()
    with torch.no_grad():
        if passes:
            adapted(images)
        y = adapted.train(end)(x)
        return y, net.eval()(x)


def _adapt_swapped(net, images, x):
    return _adapt(net, images, x)[::-1]


def _adapt_to_x(net, images, x):
    return _adapt(net, x, x)


def _adapt_one_by_one(net, images, x):
    return _adapt(net, images[-1:], x)


def _adapt_cases():
    from torch import nn, tensor

    def make():
        return nn.Sequential(
            nn.Conv2d(2, 3, 3, bias=False),
            nn.BatchNorm2d(3),
            nn.ReLU(),
            nn.Conv2d(3, 4, 3),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(16, 3),
        )

    def case(seed, n):
        rng = np.random.default_rng(seed)
        images = tensor(rng.normal(2.0, 3.0, size=(n, 2, 6, 6)))
        x = tensor(rng.normal(2.0, 3.0, size=(3, 2, 6, 6)))
        return Case((_seeded(seed, make).eval(), images, x), f"{n} target images")

    return [case(91, 8), case(92, 5)]


ADAPT = Exercise(
    number="10.1",
    name="adapt",
    title="The cure, by hand",
    signature="adapt(net, images, x)",
    reference=_adapt,
    cases=_adapt_cases,
    outputs=("y adapted", "y given"),
    misconceptions=(
        Misconception(
            "the given net was changed",
            "Running statistics are written in place, so the pass over the images also "
            "changes the net that was handed in. Work on copy.deepcopy(net).",
            wrong=partial(_adapt, in_place=True),
        ),
        Misconception(
            "the pass wrote no statistics",
            "Both of your outputs are the same. In eval mode, or with momentum 0, a "
            "norm writes nothing. Call train() on the copy before the pass and set "
            "momentum to 1.",
            wrong=partial(_adapt, mode=False),
        ),
        Misconception(
            "one pass with the old momentum",
            "With momentum 0.1, one batch moves the statistics by a tenth of the way; "
            "nine tenths are still those of the source. Set the momentum to 1.",
            wrong=partial(_adapt, momentum=0.1),
        ),
        Misconception(
            "reset, then a pass with momentum 0.1",
            "After the reset the statistics are 0 and 1, and one batch with momentum "
            "0.1 leaves nine tenths of that. Set momentum to 1, or to None.",
            wrong=partial(_adapt, momentum=0.1, reset=True),
        ),
        Misconception(
            "a cumulative average that goes on",
            "momentum=None averages over all batches since the last reset, and those "
            "of the source are still counted. Call reset_running_stats() first.",
            wrong=partial(_adapt, momentum=None),
        ),
        Misconception(
            "one image after the other",
            "With momentum 1 each pass overwrites what the one before has stored, so "
            "only the last image is left. Send all images through in one batch.",
            wrong=_adapt_one_by_one,
        ),
        Misconception(
            "the statistics are empty",
            "After reset_running_stats() the norms hold mean 0 and variance 1. They "
            "must be filled: send the images through, in training mode.",
            wrong=partial(_adapt, reset=True, passes=False),
        ),
        Misconception(
            "gamma and beta were reset too",
            "reset_parameters() also sets gamma to 1 and beta to 0, which were learned."
            " AdaBN changes statistics only: reset_running_stats().",
            wrong=partial(_adapt, reset=True, momentum=None, reset_affine=True),
        ),
        Misconception(
            "the adapted net is still in training mode",
            "Then x is normalized with its own statistics, not with those of the "
            "images, and every answer depends on its batch mates. End with eval().",
            wrong=partial(_adapt, end=True),
        ),
        Misconception(
            "adapted to the images of the test",
            "The statistics come from images, the outputs are for x. In use x may be a "
            "single image, which is too few to adapt to.",
            wrong=_adapt_to_x,
        ),
        Misconception(
            "the outputs in the other order",
            "Asked are the outputs of the adapted net first, then those of the net "
            "that was given.",
            wrong=_adapt_swapped,
        ),
    ),
    hints=(
        "Settle three things: on which object you work, in which mode it is during the "
        "pass and afterwards, and how much of the old statistics is left.",
        "Momentum 1 keeps nothing of the old statistics. The pass itself is one line: "
        "call the copy, in training mode, on the images.",
        "adapted = copy.deepcopy(net).train(); set layer.momentum = 1.0 for every "
        "nn.BatchNorm2d in adapted.modules(); adapted(images); then return "
        "adapted.eval()(x), net.eval()(x).",
    ),
)

# --- 10.2 -----------------------------------------------------------------------------


def _shifted(
    weight,
    mean,
    var,
    gain,
    offset,
    *,
    axes=(1, 2, 3),
    reach=np.sum,
    power=2,
    gain_of_offset=False,
    offset_in_var=False,
    gain_of_mean=True,
):
    reached = offset * reach(weight, axis=axes)
    factor = gain if gain_of_offset else 1.0
    spread = reached**2 if offset_in_var else 0.0
    moved = (gain if gain_of_mean else 1.0) * mean + factor * reached
    return moved, gain**power * var + spread


def _shifted_back(weight, mean, var, gain, offset):
    reached = offset * weight.sum(axis=(1, 2, 3))
    return (mean - reached) / gain, var / gain**2


def _one(weight, axis):
    return np.ones(len(weight))


def _zero(weight, axis):
    return np.zeros(len(weight))


def _total(weight, axis):
    return np.full(len(weight), weight.sum())


def _shifted_terms(weight, mean, var, gain, offset):
    total = weight.sum(axis=(1, 2, 3))
    kept, raised = "gain * mean", "offset * the sum of the weights"
    values = {kept: gain * mean, raised: offset * total}
    counts = {"the number of weights": weight[0].size}
    spread = {"gain**2 * var": gain**2 * var, "gain * var": gain * var, "var": var}
    return [
        Terms(values, {kept: 1, raised: 1}, counts, part=0),
        Terms(spread, dict(zip(spread, (1, 0, 0), strict=True)), {}, part=1),
    ]


def _shifted_cases():
    # As many input channels as output channels, so that a sum along the wrong axis
    # raises no error; the last case has more inputs, as real layers do.
    rng = np.random.default_rng(92)

    def case(c, gain, offset, inputs=None):
        inputs = inputs or c
        weight = rng.normal(0.3, 1.0, size=(c, inputs, 3, 3))
        mean, var = rng.normal(1.0, 1.0, size=c), rng.uniform(0.5, 3.0, size=c)
        args = (weight, mean, var, gain, offset)
        of = f"{c} channels" if inputs == c else f"{c} channels of {inputs} inputs"
        return Case(args, f"{of}, gain {gain:g}, offset {offset:g}")

    square = [case(3, 2.0, 0.5), case(2, 0.3, 0.2), case(3, -1.0, 1.0)]
    return [*square, case(2, 1.5, 0.4, inputs=5)]


SHIFTED_STATISTICS = Exercise(
    number="10.2",
    name="shifted_statistics",
    title="Statistics without a pass",
    signature="shifted_statistics(weight, mean, var, gain, offset)",
    reference=_shifted,
    cases=_shifted_cases,
    terms=_shifted_terms,
    outputs=("mean", "var"),
    misconceptions=(
        Misconception(
            "the offset taken as it is",
            "The offset goes through the convolution: each weight of the channel "
            "multiplies it, so it arrives as offset times the sum of the weights.",
            wrong=partial(_shifted, reach=_one),
        ),
        Misconception(
            "the mean not multiplied by the gain",
            "The gain multiplies every pixel, so it multiplies every output, and the "
            "mean of the outputs with it.",
            wrong=partial(_shifted, gain_of_mean=False),
        ),
        Misconception(
            "the shift taken back",
            "These would be the statistics before the shift. Asked are those of the "
            "shifted images.",
            wrong=_shifted_back,
        ),
        Misconception(
            "the offset left out",
            "Every pixel is raised by the offset, so the output of the convolution is "
            "raised too, by offset times the sum of the channel's weights.",
            wrong=partial(_shifted, reach=_zero),
        ),
        Misconception(
            "the average weight",
            "A convolution adds up what its weights multiply. It does not average, so "
            "the offset arrives with the sum of the weights.",
            wrong=partial(_shifted, reach=np.mean),
        ),
        Misconception(
            "summed over the wrong axis",
            "weight has the output channels on axis 0, and that is the axis to keep: "
            "one sum for each of them, over inputs and positions.",
            wrong=partial(_shifted, axes=(0, 2, 3)),
        ),
        Misconception(
            "one sum for all channels",
            "Each output channel has weights of its own, and the offset reaches it "
            "with their sum: C sums, not one. Keep axis 0.",
            wrong=partial(_shifted, reach=_total),
        ),
        Misconception(
            "the variance scaled like a mean",
            "Deviations from the mean are multiplied by the gain, and the variance is "
            "their square on average: gain**2. With gain -1 yours is negative.",
            wrong=partial(_shifted, power=1),
        ),
        Misconception(
            "the offset in the variance",
            "A number that is added everywhere moves the mean with it. The distance "
            "from the mean, and with it the variance, stays as it was.",
            wrong=partial(_shifted, offset_in_var=True),
        ),
        Misconception(
            "the gain applied to the offset",
            "The pixels are gain * x + offset: the offset is added after the gain and "
            "is not multiplied by it.",
            wrong=partial(_shifted, gain_of_offset=True),
        ),
    ),
    hints=(
        "Write the output of the convolution at one position as a sum of weight times "
        "pixel, put gain * pixel + offset in, and sort the terms.",
        "The output becomes gain * z + offset * s, where s is the sum of the channel's "
        "weights. A factor multiplies a mean, and a variance by its square.",
        "s = weight.sum(axis=(1, 2, 3)); the mean is gain * mean + offset * s, the "
        "variance gain**2 * var.",
    ),
)

# --- 10.3 -----------------------------------------------------------------------------


def _tables(run, priors, seeds):
    """Return validation and test accuracies, each of shape (priors, seeds)."""
    both = [[run(prior, seed) for seed in seeds] for prior in priors]
    return np.moveaxis(np.array(both, dtype=float), 2, 0)


def _tuned_prior(run, priors, seeds, *, by="validation", of="test", each=False):
    tables = dict(zip(("validation", "test"), _tables(run, priors, seeds), strict=True))
    chooser, reported = tables[by], tables[of]
    if each:
        best = chooser.argmax(axis=0)
        return float(reported[best, np.arange(len(seeds))].mean())
    return float(reported[chooser.mean(axis=1).argmax()].mean())


def _luckiest_prior(run, priors, seeds):
    chooser, reported = _tables(run, priors, seeds)
    prior, seed = np.unravel_index(chooser.argmax(), chooser.shape)
    return float(reported[prior, seed])


def _luckiest_reported_whole(run, priors, seeds):
    chooser, reported = _tables(run, priors, seeds)
    return float(reported[chooser.max(axis=1).argmax()].mean())


def _average_of_priors(run, priors, seeds):
    return float(_tables(run, priors, seeds)[1].mean())


def _prior_cases():
    def case(number, priors, seeds):
        size = len(priors), seeds
        rng = np.random.default_rng(1000 + number)
        true = 90 - 2 * np.abs(np.arange(size[0])[:, None] - 1.2) + np.zeros(size)
        table = true[..., None] + rng.normal(0, 3, size=(*size, 2))

        def run(prior, seed):
            return tuple(table[priors.index(prior), seed].tolist())

        note = f"{size[0]} priors, {seeds} seeds"
        return Case((run, priors, list(range(seeds))), note)

    return [case(3, [0, 1, 4, 16], 5), case(5, [0, 2, 8], 3), case(8, [0, 1, 2, 4], 4)]


TUNED_PRIOR = Exercise(
    number="10.3",
    name="tuned_prior",
    title="Who may choose the prior?",
    signature="tuned_prior(run, priors, seeds)",
    reference=_tuned_prior,
    cases=_prior_cases,
    misconceptions=(
        Misconception(
            "chosen on the test images",
            "The best of several test accuracies is too good: it was chosen for its "
            "luck. Choose by the first number, report the second.",
            wrong=partial(_tuned_prior, by="test"),
        ),
        Misconception(
            "the accuracy that chose is reported",
            "The winner of the validation images has had luck there. What it is worth "
            "the test images say, which had no part in the choice.",
            wrong=partial(_tuned_prior, of="validation"),
        ),
        Misconception(
            "a prior for each seed",
            "One prior is to be recommended, so take the mean over the seeds first. A "
            "choice for each seed is made by the noise of each seed.",
            wrong=partial(_tuned_prior, each=True),
        ),
        Misconception(
            "the luckiest single run",
            "The best of all runs belongs to a seed, not to a prior. Take the mean "
            "over the seeds before you choose, and report the mean as well.",
            wrong=_luckiest_prior,
        ),
        Misconception(
            "chosen by the best seed of each prior",
            "The maximum over the seeds rewards priors that scatter. Compare the "
            "means.",
            wrong=_luckiest_reported_whole,
        ),
        Misconception(
            "no choice at all",
            "This is the mean over all priors. Asked is the one that the validation "
            "images choose.",
            wrong=_average_of_priors,
        ),
    ),
    hints=(
        "Two tables of shape (priors, seeds) come out of the runs. Decide which of "
        "the two may choose, and which one is reported.",
        "Take the mean of the validation accuracies over the seeds, find the prior at "
        "which it is largest, and return the mean of the test accuracies there.",
    ),
)

# --- 10.4 -----------------------------------------------------------------------------


def _trainable(net, *, dims=(1, 2, 3), others=False, parts=("weight", "bias")):
    from torch import nn

    kinds = tuple(getattr(nn, f"BatchNorm{d}d") for d in dims)
    if others:
        kinds += (nn.GroupNorm, nn.LayerNorm, nn.InstanceNorm2d)
    return {
        f"{prefix}.{name}" if prefix else name: isinstance(layer, kinds)
        and name in parts
        for prefix, layer in net.named_modules()
        for name, _ in layer.named_parameters(recurse=False)
    }


def _norms_of_other_kinds(result, net):
    """Whether all batch norms were taken, other norms too, and nothing else."""
    right, most = _trainable(net), _trainable(net, others=True)
    taken = {name for name, value in result.items() if value}
    batch, norms = ({n for n, v in found.items() if v} for found in (right, most))
    return set(result) == set(right) and batch < taken <= norms


def _of_the_children(net):
    from torch import nn

    direct = {
        f"{prefix}.{name}"
        for prefix, layer in net.named_children()
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d)
        for name, _ in layer.named_parameters(recurse=False)
    }
    return {name: name in direct for name, _ in net.named_parameters()}


def _only_the_taken(net):
    return {name: True for name, taken in _trainable(net).items() if taken}


def _vectors(net):
    return {name: p.ndim == 1 for name, p in net.named_parameters()}


def _named_so(net):
    return {name: "norm" in name or "bn" in name for name, _ in net.named_parameters()}


def _with_statistics(net):
    return {
        f"{prefix}.{name}": getattr(layer, "running_mean", None) is not None
        for prefix, layer in net.named_modules()
        for name, _ in layer.named_parameters(recurse=False)
    }


def _nothing(net):
    return {name: False for name, _ in net.named_parameters()}


def _everything(net):
    return {name: True for name, _ in net.named_parameters()}


def _trainable_cases():
    from torch import nn

    def flat():
        return nn.Sequential(
            nn.Conv2d(1, 2, 3),
            nn.BatchNorm2d(2),
            nn.Conv2d(2, 4, 3, bias=False),
            nn.GroupNorm(2, 4),
            nn.Flatten(),
            nn.Linear(16, 3),
            nn.BatchNorm1d(3),
            nn.Linear(3, 2),
        )

    def nested():
        net = nn.Sequential()
        net.add_module("norm", nn.Conv2d(1, 2, 1))
        net.add_module("a", nn.Sequential(nn.BatchNorm2d(2, affine=False), nn.ReLU()))
        net.add_module("b", nn.InstanceNorm2d(2, affine=True))
        net.add_module("c", nn.Sequential(nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2)))
        net.add_module("d", nn.Sequential(nn.Flatten(), nn.LayerNorm(8)))
        net.add_module("e", nn.Sequential(nn.Linear(8, 3), nn.BatchNorm1d(3)))
        # A batch norm without running statistics is one all the same.
        net.add_module("f", nn.BatchNorm1d(3, track_running_stats=False))
        return net

    return [
        Case((_seeded(94, flat),), "layers one after the other"),
        Case((_seeded(95, nested),), "nested layers"),
    ]


TRAINABLE = Exercise(
    number="10.4",
    name="trainable",
    title="Only γ and β",
    signature="trainable(net)",
    reference=_trainable,
    cases=_trainable_cases,
    misconceptions=(
        Misconception(
            "every vector taken",
            "Biases of linear layers and convolutions are vectors, too, and so are the "
            "parameters of other norms. Ask the module what it is, not the shape.",
            wrong=_vectors,
        ),
        Misconception(
            "found by name",
            "In a Sequential the names are numbers, and somebody may call a "
            "convolution norm. Ask with isinstance.",
            wrong=_named_so,
        ),
        Misconception(
            "nested norms overlooked",
            "net.children() finds the layers one step down. net.named_modules() finds "
            "those inside other modules, too.",
            wrong=_of_the_children,
        ),
        Misconception(
            "only the names that are taken",
            "The dict should have an entry for every parameter, False for those that "
            "are not trained.",
            wrong=_only_the_taken,
        ),
        Misconception(
            "BatchNorm1d overlooked",
            "A batch norm after a linear layer is an nn.BatchNorm1d. It is no subclass "
            "of nn.BatchNorm2d; give isinstance both.",
            wrong=partial(_trainable, dims=(2,)),
        ),
        Misconception(
            "BatchNorm2d overlooked",
            "A batch norm after a convolution is an nn.BatchNorm2d. It is no subclass "
            "of nn.BatchNorm1d; give isinstance both.",
            wrong=partial(_trainable, dims=(1,)),
        ),
        Misconception(
            "norms of every kind",
            "Group, layer and instance norm have a scale and a shift as well, but no "
            "statistics of a source that they would have to make up for. Asked are "
            "batch norms only.",
            recognize=_norms_of_other_kinds,
        ),
        Misconception(
            "found by its running statistics",
            "A batch norm made with track_running_stats=False has no running mean, and "
            "gamma and beta all the same. Ask with isinstance.",
            wrong=_with_statistics,
        ),
        Misconception(
            "beta forgotten",
            "gamma is called weight and beta is called bias in PyTorch, and both "
            "belong to the norm.",
            wrong=partial(_trainable, parts=("weight",)),
        ),
        Misconception(
            "gamma forgotten",
            "gamma is called weight and beta is called bias in PyTorch, and both "
            "belong to the norm.",
            wrong=partial(_trainable, parts=("bias",)),
        ),
        Misconception(
            "the parameter asked instead of its layer",
            "All your answers are False: a parameter is a tensor and never an "
            "nn.BatchNorm2d. Ask the module that owns it, from net.named_modules().",
            wrong=_nothing,
        ),
        Misconception(
            "all parameters taken",
            "All of them can be trained, but asked are gamma and beta of the batch "
            "norms alone.",
            wrong=_everything,
        ),
    ),
    hints=(
        "A parameter does not know to which layer it belongs, but a module knows its "
        "parameters. Walk through net.named_modules().",
        "For each module, named_parameters(recurse=False) gives its own parameters. "
        "The full name is the module's name, a dot, and the parameter's name.",
        "In two loops, prefix, layer in net.named_modules() and name, _ in "
        "layer.named_parameters(recurse=False): answer[f'{prefix}.{name}'] = "
        "isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)).",
    ),
)

# --- 10.5 -----------------------------------------------------------------------------


def _freeze_cases():
    from torch import nn

    def flat():
        return nn.Sequential(
            nn.Conv2d(1, 3, 3),
            nn.BatchNorm2d(3),
            nn.ReLU(),
            nn.Flatten(),
            nn.Dropout(0.5),
            nn.Sequential(nn.Linear(12, 4), nn.BatchNorm1d(4)),
            nn.Linear(4, 2),
        )

    def nested():
        first = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU())
        middle = nn.Linear(8, 3), nn.BatchNorm1d(3), nn.Linear(3, 2)
        return nn.Sequential(first, nn.Flatten(), nn.Dropout(0.3), *middle)

    def case(seed, make, note):
        return Case((_seeded(seed, make).train(),), note)

    return [
        case(96, flat, "a dropout and two norms, the second nested"),
        case(97, nested, "a dropout and two norms, the first nested"),
    ]


def _batch():
    """Return the inputs of all steps, far from what the statistics expect."""
    import torch

    return torch.tensor(np.random.default_rng(96).normal(2.0, 3.0, size=(6, 1, 4, 4)))


def _step(net, update):
    """Pass a batch through the net, return the output, perhaps take a step."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(5)  # the same dropout each time
        y = net(_batch())
    if update:
        parameters = [p for p in net.parameters() if p.requires_grad]
        target = torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view_as(y)
        gradients = torch.autograd.grad((y * target).sum(), parameters)
        with torch.no_grad():
            for p, gradient in zip(parameters, gradients, strict=True):
                p -= 0.1 * gradient
    return y.detach()


def _wanted(net):
    """Return a copy that is ready for an epoch, with frozen norms."""
    frozen = copy.deepcopy(net).train()
    for layer in _norms(frozen):
        layer.eval().requires_grad_(False)
    return frozen


def _in_use(net):
    """Return the output in eval mode, of a copy."""
    net = copy.deepcopy(net)
    for layer in net.modules():  # not net.eval(): a learner may have replaced train()
        layer.training = False
    return _step(net, False)


def _close(a, b):
    return a.shape == b.shape and bool((a - b).abs().max() < 1e-8)


def _freeze_fault(result, net):
    """Say what is wrong with a net whose norms should be frozen, or return None."""
    from torch import nn

    if not isinstance(result, nn.Module):
        return "Your result is no net: return the net itself."
    want = _wanted(net)
    if not _close(_in_use(result), _in_use(want)):
        return "In eval mode your net gives another output than before."
    if not _close(_step(result, False), _step(want, False)):
        return (
            "The output for a batch is not the one that norms with stored statistics "
            "and all other layers in train mode give."
        )
    if not any(p.requires_grad for p in result.parameters()):
        return "Your net has no parameter left that could be trained."
    for _ in range(3):
        _step(result, True)
        _step(want, True)
    if not _close(_in_use(result), _in_use(want)):
        return (
            "After three steps of training your net gives another output than one "
            "whose norms are frozen and whose other layers are trained."
        )
    return None


def _recognizer(judge):
    """Turn ``judge(result, norms)`` into a recognizer, false where no norm is left."""

    def recognize(result, net):
        from torch import nn

        layers = _norms(result) if isinstance(result, nn.Module) else []
        return bool(layers) and judge(result, layers)

    return recognize


def _statistics_move(result, layers):
    before = [layer.running_mean.clone() for layer in layers]
    _step(result, False)
    return not all(map(_close, before, [layer.running_mean for layer in layers]))


def _still_training(result, layers):
    return all(layer.training for layer in layers) and _statistics_move(result, layers)


def _batch_normalizes(result, layers):
    active = all(layer.training for layer in layers)
    return active and not _statistics_move(result, layers)


def _dropout_asleep(result, layers):
    from torch import nn

    drops = [m for m in result.modules() if isinstance(m, nn.Dropout)]
    return bool(drops) and not any(layer.training for layer in drops)


def _some_overlooked(result, layers):
    awake = [layer.training for layer in layers]
    return any(awake) and not all(awake)


def _all_frozen(result, layers):
    return not any(p.requires_grad for p in result.parameters())


def _affine_free(result, layers):
    asleep = not any(layer.training for layer in layers)
    return asleep and any(p.requires_grad for m in layers for p in m.parameters())


_FREEZE_STARTER = '''\
def freeze(net):
    """Return the net in train mode, its batch norms frozen."""
    for layer in net.children():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            layer.eval()
            layer.requires_grad_(False)
    return net
'''

FREEZE = Repair(
    number="10.5",
    name="freeze",
    title="Frozen, really",
    signature="freeze(net)",
    accept=_freeze_fault,
    starter=_FREEZE_STARTER,
    cases=_freeze_cases,
    in_place=("net",),
    misconceptions=(
        Misconception(
            "the norms are still in training mode",
            "Running statistics are buffers: a forward pass in training mode writes "
            "them, whatever requires_grad says. Call eval() on each norm, and not "
            "before net.train(), which would wake them again.",
            recognize=_recognizer(_still_training),
        ),
        Misconception(
            "some norms overlooked",
            "One norm sleeps and the other does not. net.modules() also finds those "
            "inside other modules, which net.children() does not; and both "
            "nn.BatchNorm1d and nn.BatchNorm2d must be asked for.",
            recognize=_recognizer(_some_overlooked),
        ),
        Misconception(
            "nothing is written, but the batch still normalizes",
            "With momentum 0, or without tracking, the stored statistics stay, but in "
            "train mode the norm uses those of the batch. What is trained on top never "
            "sees the features of later use.",
            recognize=_recognizer(_batch_normalizes),
        ),
        Misconception(
            "the whole net in eval mode",
            "Other layers must stay in train mode: a dropout that sleeps in training "
            "does not regularize. Call eval() on the norms only.",
            recognize=_recognizer(_dropout_asleep),
        ),
        Misconception(
            "frozen altogether",
            "The norms should be frozen, the other layers not: their parameters still "
            "need gradients.",
            recognize=_recognizer(_all_frozen),
        ),
        Misconception(
            "gamma and beta left free",
            "eval() fixes the statistics, but gamma and beta are parameters, and the "
            "optimizer moves them. Freeze them with requires_grad_(False).",
            recognize=_recognizer(_affine_free),
        ),
    ),
    hints=(
        "Two things must not move: parameters, which the optimizer changes, and "
        "statistics, which the forward pass changes. Each needs its own switch.",
        "requires_grad_(False) is the switch of a layer's parameters, eval() that of "
        "its statistics. Use both, on the norms only: net.modules() finds them all.",
        "For each layer in net.modules() that is an nn.BatchNorm1d or nn.BatchNorm2d: "
        "layer.eval() and layer.requires_grad_(False). Then return net.",
    ),
)

# --- 10.6 -----------------------------------------------------------------------------


def _spread_of(z, ddof):
    return np.moveaxis(z, 1, 0).reshape(z.shape[1], -1).var(axis=1, ddof=ddof)


def _spread_of_each(z):
    return z.var(axis=(2, 3), ddof=1).mean(axis=0)


def _blend(
    mean,
    var,
    z,
    prior,
    *,
    count=len,
    ddof=1,
    swapped=False,
    between=False,
    each=False,
    roots=False,
    keep_var=False,
):
    n = count(z)
    new = prior / (prior + n) if swapped else n / (prior + n)
    new_mean = z.mean(axis=(0, 2, 3))
    new_var = _spread_of_each(z) if each else _spread_of(z, ddof)
    power = 0.5 if roots else 1.0
    blended = ((1 - new) * var**power + new * new_var**power) ** (1 / power)
    if between:
        blended = blended + new * (1 - new) * (new_mean - mean) ** 2
    return (1 - new) * mean + new * new_mean, var if keep_var else blended


def _values(z):
    return z.size // z.shape[1]


def _blend_terms(mean, var, z, prior):
    new, old = len(z) / (prior + len(z)), prior / (prior + len(z))
    pairs = ("mean", mean, z.mean(axis=(0, 2, 3))), ("var", var, _spread_of(z, 1))
    counts = {"n": len(z), "H * W": z[0, 0].size}
    return [
        Terms(
            {f"N / (N + n) * {name}": old * was, f"n / (N + n) * {name}(z)": new * now},
            {f"N / (N + n) * {name}": 1, f"n / (N + n) * {name}(z)": 1},
            counts,
            part,
        )
        for part, (name, was, now) in enumerate(pairs)
    ]


def _blend_cases():
    rng = np.random.default_rng(93)

    def case(n, c, prior):
        z = rng.normal(rng.normal(3.0, 2.0, size=(1, c, 1, 1)), 2.0, size=(n, c, 2, 3))
        z = z + rng.normal(0.0, 1.0, size=(n, 1, 1, 1))
        args = (rng.normal(size=c), rng.uniform(0.5, 2.0, size=c), z, prior)
        return Case(args, f"{n} images, N = {prior}")

    return [case(4, 3, 12), case(3, 2, 1), case(5, 4, 0)]


BLEND = Exercise(
    number="10.6",
    name="blend",
    title="Old and new statistics",
    signature="blend(mean, var, z, prior)",
    reference=_blend,
    cases=_blend_cases,
    terms=_blend_terms,
    outputs=("mean", "var"),
    misconceptions=(
        Misconception(
            "the two weights swapped",
            "N counts the source: a large N keeps the old statistics. With N = 0 only "
            "the new ones must be left.",
            wrong=partial(_blend, swapped=True),
        ),
        Misconception(
            "values counted instead of images",
            "N counts images, so it is weighed against the number of images. With the "
            "number of values, n * H * W, the source would hardly count.",
            wrong=partial(_blend, count=_values),
        ),
        Misconception(
            "merged as one population",
            "The distance between the means belongs in the variance if both are parts "
            "of one population. Here it is the very shift that you want to remove, so "
            "(10.3) leaves it out.",
            wrong=partial(_blend, between=True),
        ),
        Misconception(
            "each image by itself",
            "The variance of a channel is taken over all images together, around their "
            "common mean. The mean of the images' variances misses how they differ.",
            wrong=partial(_blend, each=True),
        ),
        Misconception(
            "standard deviations blended",
            "(10.3) blends variances. The square of a blend of roots is another "
            "number, and a smaller one.",
            wrong=partial(_blend, roots=True),
        ),
        Misconception(
            "the biased variance",
            "What a norm stores is the unbiased variance, divided by one less than the "
            "number of values: ddof=1.",
            wrong=partial(_blend, ddof=0),
        ),
        Misconception(
            "only the mean is new",
            "The variance has changed with the light as well, and it is blended with "
            "the same two weights.",
            wrong=partial(_blend, keep_var=True),
        ),
    ),
    hints=(
        "What is the share of the new statistics if N = 0, and what if N is huge? "
        "That fixes which weight goes where.",
        "The share of the new is n / (N + n) with n = len(z). The new statistics are "
        "taken over all axes but that of the channels.",
        "new = n / (n + prior); mean: (1 - new) * mean + new * z.mean((0, 2, 3)); the "
        "same with z.var((0, 2, 3), ddof=1).",
    ),
)


EXERCISES = (ADAPT, SHIFTED_STATISTICS, TUNED_PRIOR, TRAINABLE, FREEZE, BLEND)
