"""What stands before and behind each norm."""

import torch
from torch import nn

from bnlib.lab.doctor.calls import behind, norms_in, one_name
from bnlib.lab.doctor.report import finding, note
from bnlib.modules import CONVOLUTIONS, is_batch_norm, is_channel_norm, is_layer
from bnlib.slimming.wiring import (
    CHANNELWISE_FUNCTIONS,
    CHANNELWISE_MODULES,
    RESHAPING_FUNCTIONS,
)

DROPOUTS = ("dropout", "dropout1d", "dropout2d", "dropout3d", "featuredropout")
LAYERS = ("linear", "conv1d", "conv2d", "conv3d")
POOLS = ("adaptiveavgpool1d", "adaptiveavgpool2d", "adaptiveavgpool3d")
# What hands on a dropout, one layer among it.
PASSING = {
    one_name(name)
    for names in (CHANNELWISE_MODULES, CHANNELWISE_FUNCTIONS, RESHAPING_FUNCTIONS)
    for name in names.split()
}
# A border of zeros is off by so many standard deviations of the channel, in the median.
BORDER = 0.5
# What reaches a shared norm in two places differs by so much, or by such a factor.
OTHER_MEAN, OTHER_VAR = 0.5, 2.0


def neighbors(patient, calls):
    """Return the findings on what stands around the norms.

    Parameters
    ----------
    patient : Patient
        As it came.
    calls : list of Call
        Of one run, or traced.

    Returns
    -------
    list of Finding
        In no order.
    """
    steps = bias, dropout, padding, pooling, shared, without_gradients
    return [found for step in steps for found in step(patient, calls)]


def bias(patient, calls):
    """Find layers whose bias the norm behind them subtracts."""
    where = {}
    for call in calls:
        has_one = getattr(call.module, "bias", None) is not None
        readers = behind(call, ("identity", "flatten"))
        if has_one and readers and _is_layer(call):
            normed = all(_subtracts(patient, reader) for reader in readers)
            where[call.name] = where.get(call.name, True) and normed
    where = [name for name, useless in where.items() if useless]
    if where:
        says = (
            "A layer has a bias, and the norm behind it subtracts the mean: in "
            "training the bias has no effect and no gradient."
        )
        yield note("bias", where, says)


def _is_layer(call):
    return call.kind in LAYERS or (call.module is not None and is_layer(call.module))


def _subtracts(patient, call):
    """Tell whether a call is a norm that is trained: a frozen one keeps a bias."""
    if call.module is None or not is_channel_norm(call.module):
        return False
    return patient.modes[call.name] or not patient.training


def dropout(patient, calls):
    """Find norms that see another variance in training than in eval mode."""
    where, through = [], set()
    for call in norms_in(calls):
        if is_batch_norm(call.module) and call.module.running_mean is not None:
            layers = list(_dropped(call))
            where += [call.name] if layers and call.name not in where else []
            through |= set(layers) - {None}
    if where:
        path = f" (through {', '.join(sorted(map(repr, through)))})" if through else ""
        says = (
            f"Dropout stands before the norm{path}: it raises the variance in training "
            "only, the norm stores that, and in eval mode its output is too small."
        )
        yield finding("dropout", where, says, "likely")


def _dropped(call, layer=None):
    """Yield for each dropout before a call the one layer between them, or None."""
    for source in call.before:
        if source.kind in DROPOUTS:
            if _share(source) > 0:
                yield layer
        elif _is_layer(source) and layer is None:
            yield from _dropped(source, source.name)
        elif source.kind in PASSING:
            yield from _dropped(source, layer)


def _share(call):
    """Return the probability of a dropout."""
    return call.module.p if call.module is not None else call.option("p", 1, 0.5)


def padding(patient, calls):
    """Find norms in front of a convolution that pads with zeros, where it shows."""
    where = {}
    for call in norms_in(calls):
        readers = behind(call, ("identity", *DROPOUTS))
        if any(_pads(r.module) for r in readers) and not _has_more(call.module):
            where[call.name] = _border(call.module)
    where = {name: off for name, off in where.items() if off > BORDER}
    if where:
        says = (
            "A convolution that pads with zeros reads the norm, whose outputs are "
            f"centered at beta: the border is off by {max(where.values()):.1f} "
            "standard deviations or more in half of the channels, and cannot be folded "
            "exactly."
        )
        yield note("padding", where, says, "worth a look")


def _has_more(norm):
    """Tell whether a norm calls modules of its own, an activation, say."""
    return any(type(m) is not nn.Identity for m in norm.children())


def _pads(module):
    if not isinstance(module, CONVOLUTIONS) or module.padding_mode != "zeros":
        return False
    if isinstance(module.padding, str):
        return module.padding == "same" and max(module.kernel_size) > 1
    return any(module.padding)


@torch.no_grad()
def _border(norm):
    """Return the median of abs(beta / gamma) over channels with a gamma."""
    if norm.bias is None or norm.weight is None:
        return 0.0
    living = norm.weight != 0
    ratio = (norm.bias / norm.weight).abs()[living]
    return float(ratio.median()) if len(ratio) else 0.0


def pooling(patient, calls):
    """Find norms of which nothing but the mean over positions, beta, is read on."""
    single = bool(patient.batches) and all(len(x) == 1 for x in patient.batches)
    where = {}
    for call in norms_in(calls):
        readers = behind(call)
        by_example = not is_batch_norm(call.module)
        if readers and all(map(_pools_all, readers)) and not _has_more(call.module):
            where |= {call.name: by_example} if by_example or single else {}
    if where:
        what = "each image" if all(where.values()) else "each batch, which is one image"
        says = (
            "A mean over all positions follows directly. The norm has set this mean, "
            f"for {what}, to beta, so that nothing of the image is left."
        )
        yield finding("pooling", where, says, "certain")


def _pools_all(call):
    """Tell whether a call takes the mean over all positions."""
    if call.kind in POOLS:
        module = call.module
        size = call.option("output_size", 1) if module is None else module.output_size
        return set(size if isinstance(size, tuple | list) else [size]) == {1}
    axes = call.option("dim", 1)
    axes = set(axes if isinstance(axes, tuple | list) else [axes])
    return call.kind == "mean" and axes in ({2}, {-1}, {2, 3}, {-1, -2}, {2, 3, 4})


def shared(patient, calls):
    """Find norms that serve several places."""
    places = {}
    for call in norms_in(calls):
        places.setdefault(call.name, []).append(call)
    places = {name: those for name, those in places.items() if len(those) > 1}
    apart = {name: those for name, those in places.items() if _differ(those)}
    says = (
        "The norm is called {} times in one pass, so that its running statistics are a "
        "mixture and move more than once per step."
    )
    if apart:
        text = f"{says} What comes in differs from call to call."
        text = text.format(len(next(iter(apart.values()))))
        yield finding("shared", apart, text, "likely")
    if rest := {n: those for n, those in places.items() if n not in apart}:
        text = says.format(len(next(iter(rest.values()))))
        yield note("shared", rest, text, "worth a look")


def _differ(calls):
    """Tell whether what comes in differs between the calls of a norm."""
    seen = [call.seen for call in calls if call.seen is not None]
    for other in seen[1:]:
        var, tiny = seen[0].var, 1e-12
        shift = ((other.mean - seen[0].mean).abs() / (var + tiny).sqrt()).median()
        factor = ((other.var + tiny) / (var + tiny)).log().abs().median().exp()
        if shift > OTHER_MEAN or factor > OTHER_VAR:
            return True
    return False


def without_gradients(patient, calls):
    """Find norms that the model runs under no_grad, in training mode."""
    off = {call.name for call in norms_in(calls) if not call.grad}
    where = [name for name in patient.norms if name in off and patient.moves(name)]
    if where:
        says = (
            "The model runs the norm under no_grad, but in training mode: its running "
            "statistics move although nothing here learns."
        )
        yield finding("no-grad", where, says, "certain")
