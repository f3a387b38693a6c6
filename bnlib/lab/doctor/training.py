"""What is ahead: the batches of the loader and the steps of the optimizer."""

import math

import torch
from torch.utils.data import DataLoader

from bnlib.lab.doctor.calls import norms_in
from bnlib.lab.doctor.report import finding, note
from bnlib.modules import is_batch_norm

# Fewer values behind a mean are mostly noise.
FEW_VALUES = 8
# Steps in which decay alone would halve a gamma; below, it is no usual strength.
HALF_LIFE = 200


def batches(patient, calls):
    """Return the findings on the loader.

    Parameters
    ----------
    patient : Patient
        As it came.
    calls : list of Call
        Of a run on the first batch; [] if there is none.

    Returns
    -------
    list of Finding
        In no order.
    """
    if not patient.batches:
        return []
    return [*_not_finite(patient), *_small(patient, calls)]


def _not_finite(patient):
    bad = [k for k, x in enumerate(patient.batches, 1) if not x.isfinite().all()]
    if bad:
        number = int((~patient.batches[bad[0] - 1].isfinite()).sum())
        says = (
            f"Batch {bad[0]} of the loader holds NaN or inf ({number} values): one "
            "such batch in training mode poisons the running statistics for good."
        )
        yield finding("bad-batch", (), says, "certain")


def _small(patient, calls):
    """Look for batches that are too small for a norm in training mode."""
    sizes = sizes_ahead(patient)
    each = _values_of_one(patient, calls)
    if not sizes or not each:
        return
    flat = [name for name, values in each.items() if values == 1]
    if min(sizes) == 1 and (flat or max(sizes) == 1):
        says = f"{_which(patient, sizes)} of the loader holds one example, which gives "
        if flat:
            says += "the norm one value per channel: in training mode that is an error."
            yield finding("batch-of-one", flat, says, "certain")
        else:
            says += "the norm the statistics of one image: eval mode has others."
            yield finding("batch-of-one", each, says, "likely")
        return
    few = [name for name, values in each.items() if values * max(sizes) < FEW_VALUES]
    if few:
        says = (
            f"A batch of {max(sizes)} gives the norm {max(sizes) * each[few[0]]} "
            "values per channel: mean and variance are mostly noise."
        )
        yield finding("tiny-batches", few, says, "likely")


def _which(patient, sizes):
    if max(sizes) == 1:
        return "Each batch"
    return "The last batch" if isinstance(patient.loader, DataLoader) else "A batch"


def _values_of_one(patient, calls):
    """Return how many values one example gives to each norm in training mode."""
    size = len(patient.inputs[0])
    return {
        call.name: call.seen.count // size
        for call in norms_in(calls)
        if call.seen is not None and size
        if patient.modes[call.name] and is_batch_norm(call.module)
    }


def sizes_ahead(patient):
    """Return the sizes of the batches that a loader will give, as far as known."""
    loader = patient.loader
    if isinstance(loader, list | tuple):
        first = (b[0] if isinstance(b, list | tuple) else b for b in loader)
        return {len(x) for x in first}
    if isinstance(loader, DataLoader) and loader.batch_size:
        try:
            left = len(loader.sampler) % loader.batch_size
        except TypeError:  # a data set that does not know its length
            left = 0
        return {loader.batch_size} | (
            {left} if left and not loader.drop_last else set()
        )
    return {len(x) for x in patient.batches}


def decay(patient):
    """Find gammas and betas that the optimizer pulls to zero.

    Parameters
    ----------
    patient : Patient
        As it came.

    Returns
    -------
    list of Finding
        One at most.
    """
    if patient.optimizer is None:
        return []
    pulled, shortest = {}, math.inf
    for group in patient.optimizer.param_groups:
        if group.get("weight_decay"):
            held = set(group["params"])
            names = [n for n, m in patient.norms.items() if held & set(m.parameters())]
            pulled |= dict.fromkeys(names, group["weight_decay"])
            if names:
                shortest = min(shortest, _half_life(patient.optimizer, group))
    if not pulled:
        return []
    says = (
        f"Weight decay ({', '.join(f'{w:g}' for w in sorted(set(pulled.values())))}) "
        "pulls gamma and beta to 0 as well"
    )
    if shortest < HALF_LIFE:
        says += f", and would halve them in {shortest:.0f} steps: far too strong."
        return [finding("weight-decay", pulled, says, "likely")]
    return [
        note("weight-decay", pulled, f"{says}; at a usual strength it hardly shows.")
    ]


def _half_life(optimizer, group):
    """Return the steps in which decay alone halves a parameter, if that is simple."""
    rate = group["lr"] * group["weight_decay"]
    if isinstance(optimizer, torch.optim.SGD):
        rate /= 1 - group["momentum"]
    elif not isinstance(optimizer, torch.optim.AdamW):
        return math.inf  # Adam's own decay goes through its division
    return math.log(2) / float(rate) if rate else math.inf
