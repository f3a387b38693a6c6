"""What can be read off each norm, without data."""

import math
from collections import defaultdict

import torch

from bnlib.lab.doctor.report import finding, note
from bnlib.modules import NORM_ATTRIBUTES, is_batch_norm, poisoned
from bnlib.nn.base import HALF

# Below it a gamma is taken for zero, if the others of its norm are well above.
NO_GAMMA, ALIVE = 1e-3, 1e-2
# Of fewer norms it cannot be told whether their betas are equally large by chance.
MANY_NORMS = 8
# From here on a momentum looks like the other convention: 0.9, 0.99.
LARGE = 0.6


def settings(patient):
    """Return the findings that need no data.

    Parameters
    ----------
    patient : Patient
        Not modified.

    Returns
    -------
    list of Finding
        In no order.
    """
    steps = poison, never_updated, momentum, kept, precision, mode, frozen, gamma
    return [found for step in steps for found in step(patient)]


def poison(patient):
    """Find numbers that are NaN, infinite or a negative variance."""
    found = {n: poisoned(m, NORM_ATTRIBUTES[:4]) for n, m in patient.norms.items()}
    where = [name for name, what in found.items() if what]
    if where:
        says = (
            f"Its {found[where[0]]} makes the output NaN or meaningless in eval mode. "
            "More training does not heal a running statistic."
        )
        if len(where) > 1:
            says = f"{len(where)} norms are poisoned, first {where[0]!r}. {says}"
        yield finding("poisoned", where, says, "certain")


def never_updated(patient):
    """Find running statistics that are still 0 and 1."""
    fresh = {n: m for n, m in patient.norms.items() if is_at_start(m)}
    where = [n for n, m in fresh.items() if m.bias is not None and m.bias.any()]
    if where and not _look_drawn([fresh[n].bias for n in where]):
        says = (
            "The running statistics are still 0 and 1, although beta was trained: they "
            "were never updated, or not loaded with the weights."
        )
        yield finding("never-updated", where, says, "likely")
        fresh = {n: m for n, m in fresh.items() if n not in where}
    if fresh:
        says = (
            "The running statistics are still 0 and 1: no batch has come by in "
            "training mode. Until then eval mode does not normalize."
        )
        yield note("untrained", fresh, says)


@torch.no_grad()
def _look_drawn(betas):
    """Tell whether betas are first values, drawn at random, as some nets have them.

    Then they are equally large in all norms; training leaves them of any size.
    """
    sizes = [float(beta.square().mean().sqrt()) for beta in betas]
    return len(sizes) >= MANY_NORMS and max(sizes) < 2 * min(sizes)


def is_at_start(norm):
    """Tell whether the running statistics are those before training."""
    if norm.running_mean is None or norm.running_var is None:
        return False
    return not norm.running_mean.any() and bool((norm.running_var == 1).all())


def is_young(norm):
    """Tell whether the start, 0 and 1, still counts in a running average."""
    count = getattr(norm, "num_batches_tracked", None)
    share = getattr(norm, "momentum", None)
    return bool(count is not None and count > 0 and share and count < 3 / share)


def momentum(patient):
    """Find momenta with which running statistics are no averages of a few batches."""
    where = defaultdict(list)
    for name, norm in patient.norms.items():
        if norm.running_mean is not None and hasattr(norm, "momentum"):
            where[_momentum_kind(norm.momentum)].append(name)
    first = {k: patient.norms[names[0]].momentum for k, names in where.items()}
    if names := where["zero"]:
        says = "Momentum is 0: the running statistics never move."
        yield finding("momentum-zero", names, says, "certain")
    if names := where["one"]:
        says = (
            "Momentum is 1: the running statistics are those of the last batch alone."
        )
        yield finding("momentum-one", names, says, "certain")
    if names := where["large"]:
        says = (
            f"Momentum is {first['large']:g}. In PyTorch it is the weight of the new "
            "batch, so this averages over hardly more than the last one."
        )
        yield finding("momentum-large", names, says, "likely")
    if names := where["none"]:
        says = (
            "Momentum is None: the running statistics are the mean over all batches "
            "since the start, those of the first weights included."
        )
        yield note("momentum-none", names, says)


def _momentum_kind(value):
    if value is None:
        return "none"
    kinds = {0: "zero", 1: "one"}
    usual = 0 < value < LARGE
    return kinds.get(value, "usual" if usual and not math.isnan(value) else "large")


def kept(patient):
    """Find batch norms without running statistics, or that do not keep them well."""
    norms = {n: m for n, m in patient.norms.items() if is_batch_norm(m)}
    where = [n for n, m in norms.items() if m.running_mean is None]
    if where:
        says = (
            "It keeps no running statistics (track_running_stats=False), so that eval "
            "mode normalizes with the batch, too, and predictions depend on it."
        )
        yield finding("no-statistics", where, says, "likely")
    norms = {n: m for n, m in patient.norms.items() if m.running_mean is not None}
    where = [n for n, m in norms.items() if _stands_still(m)]
    if where:
        says = (
            "track_running_stats is False, but running statistics are there: training "
            "does not move them, and eval mode uses them all the same."
        )
        yield finding("no-statistics", where, says, "certain")
    where = [n for n, m in norms.items() if "running_mean" not in m.state_dict()]
    if where:
        says = (
            "The running statistics are not in its state_dict(): they are not saved, "
            "and do not follow the model to another device."
        )
        yield finding("unsaved", where, says, "certain")
    where = [n for n, m in norms.items() if m.running_mean.requires_grad]
    if where:
        says = (
            "The running mean carries a graph of gradients, which grows with each "
            "batch, and with it the memory."
        )
        yield finding("graph", where, says, "certain")


def _stands_still(norm):
    return getattr(norm, "track_running_stats", True) is False


def precision(patient):
    """Find running statistics in half precision."""
    norms = {n: m for n, m in patient.norms.items() if m.running_mean is not None}
    where = [n for n, m in norms.items() if m.running_mean.dtype in HALF]
    if where:
        kind = str(norms[where[0]].running_mean.dtype).removeprefix("torch.")
        says = f"The running statistics are in {kind}: small updates are rounded away"
        says += ", and large variances overflow." if kind == "float16" else "."
        moving = any(patient.moves(name) for name in where)
        yield finding(
            "half", where, says, "certain", level="finding" if moving else "note"
        )


def mode(patient):
    """Find norms in training mode where nothing is trained."""
    where = [
        n
        for n, on in patient.modes.items()
        if on and hasattr(patient.norms[n], "momentum")
    ]
    if not where:
        return
    if not patient.training:
        says = (
            "The model is in eval mode, this norm in training mode: it normalizes with "
            "the batch, and each prediction moves its statistics."
        )
        yield finding("mode", where, says, "likely")
    elif not patient.grad:
        says = (
            "Gradients are off here and the norm is in training mode: a forward pass "
            "moves its statistics, gradients or not."
        )
        yield finding("no-grad", where, says, "worth a look")


def frozen(patient):
    """Find norms whose parameters are frozen while their statistics move."""
    where = [n for n in patient.norms if patient.moves(n) and _is_frozen(patient, n)]
    if where:
        why = "has requires_grad=False"
        if any(p.requires_grad for n in where for p in _parameters(patient, n)):
            why = "is not in the optimizer"
        says = (
            f"What stands here {why}, but the norm is in training mode: its running "
            "statistics move with every batch, and the frozen part changes."
        )
        yield finding("frozen", where, says, "likely")


def _is_frozen(patient, name):
    parameters = _parameters(patient, name)
    return bool(parameters) and not patient.learning.intersection(parameters)


def _parameters(patient, name):
    """Return the parameters of a norm, or of the part that it stands in."""
    own = list(patient.norms[name].parameters())
    part = patient.model.get_submodule(name.rpartition(".")[0])
    return own or list(part.parameters())


def gamma(patient):
    """Find channels that are switched off."""
    norms = patient.norms.items()
    old = {n: m for n, m in norms if not is_at_start(m) and not is_young(m)}
    dead = {n: dead_channels(m) for n, m in old.items()}
    where = [
        n for n, channels in dead.items() if channels is not None and channels.any()
    ]
    if where:
        gone = sum(int(dead[n].sum()) for n in where)
        of = sum(len(dead[n]) for n in where)
        says = (
            f"{gone} of {of} channels have a gamma of about 0 (below {NO_GAMMA:g}): "
            "whatever comes in, they hand on the same number, made of beta."
        )
        yield note("gamma-zero", where, says)


@torch.no_grad()
def dead_channels(norm):
    """Tell which channels have gamma zero among others that do not.

    Whole norms near zero are none: residual branches begin so.
    """
    if norm.weight is None or norm.weight.ndim != 1 or not len(norm.weight):
        return None
    size = norm.weight.abs()
    dead = (size < NO_GAMMA) & (size.median() > ALIVE)
    if norm.bias is not None:
        dead |= (size == 0) & (norm.bias != 0)
    return dead
