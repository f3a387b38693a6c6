"""Channels that a ReLU behind a norm never lets through."""

import torch
from torch import nn

from bnlib.lab.doctor.calls import behind, norms_in, one_name
from bnlib.lab.doctor.report import finding, note

RELUS = ("relu", "relu6")
# A channel whose beta is so many gammas below zero is hardly ever positive.
BELOW = 3.0
# From this share of the channels of a norm on, dead ones are a fault.
MANY_DEAD = 0.25


def before_relu(calls):
    """Name the norms whose output only ReLUs read."""
    found = {}
    for call in norms_in(calls):
        inner = [m for m in call.module.children() if type(m) is not nn.Identity]
        kinds = [one_name(type(m).__name__) for m in inner]
        kinds = kinds or [reader.kind for reader in behind(call)]
        only = bool(kinds) and all(kind in RELUS for kind in kinds)
        found[call.name] = found.get(call.name, True) and only
    return [name for name, only in found.items() if only]


def dead_relus(patient, names, largest):
    """Find channels that are never positive where a ReLU reads them.

    Parameters
    ----------
    patient : Patient
        As it came.
    names : list of str
        Norms before a ReLU.
    largest : dict of str to Tensor
        Largest output of each channel on the data, if there were any.

    Returns
    -------
    list of Finding
        One at most: a fault if in one norm many are dead.
    """
    dead = {name: _silent(patient.norms[name], largest.get(name)) for name in names}
    dead = {name: off for name, off in dead.items() if off is not None and off.any()}
    if not dead:
        return []
    gone, of = (sum(map(count, dead.values())) for count in (torch.sum, len))
    how = "on the data " if largest else ""
    says = (
        f"{int(gone)} of {of} channels are never positive {how}(beta is {BELOW:g} "
        "gammas or more below 0): the ReLU behind them gives 0 and no gradient."
    )
    many = any(float(off.double().mean()) >= MANY_DEAD for off in dead.values())
    sure = "likely" if largest else "worth a look"
    return [(finding if many else note)("dead-relu", dead, says, sure)]


@torch.no_grad()
def _silent(norm, largest):
    """Tell which channels stay at or below zero."""
    if norm.bias is None or norm.weight is None:
        return None
    # Zero and zero is how the last norm of a residual branch may begin.
    low = (norm.bias <= -BELOW * norm.weight.abs()) & (norm.bias != 0)
    return low if largest is None else low & (largest.to(low.device) <= 0)
