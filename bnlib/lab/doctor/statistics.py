"""How far the running statistics are from those of the data."""

import math
from contextlib import contextmanager

import torch
from torch import nn

from bnlib.lab.doctor.report import counted, finding, note
from bnlib.lab.doctor.settings import is_at_start, is_young
from bnlib.modules import (
    first_line,
    has_running_statistics,
    in_float64,
    is_batch_norm,
    poisoned,
)
from bnlib.nn.statistics import reestimate

# In standard deviations of the channel, and as a factor of the variance.
FAR_MEAN, FAR_VAR = 0.5, 2.0
# Values of each channel that an estimate needs, and examples, where no loader is given.
FEWEST, FEWEST_EXAMPLES = 32, 16


def estimate(patient, watched):
    """Take fresh statistics from the batches, and look where outputs are negative.

    Parameters
    ----------
    patient : Patient
        Its model is changed; restore it.
    watched : sequence of str
        Norms whose largest outputs are wanted.

    Returns
    -------
    fresh : dict of str to Population
        Statistics by name of the norm; empty if none could be taken.
    largest : dict of str to Tensor of shape (C,)
        Largest output of each channel.
    """
    norms = patient.norms.values()
    if not any(is_batch_norm(m) and has_running_statistics(m) for m in norms):
        return {}, {}
    rest = patient.example[1:] if patient.example else ()
    batches = patient.batches or [patient.example[0]]
    batches = [x for x in batches if x.isfinite().all()]
    with _largest(patient, watched) as largest:
        try:
            fresh = reestimate(_OneInput(patient.model, rest), batches)
        except Exception as error:  # of the model's own code, and of norms
            patient.unseen.append(
                "Whether the running statistics fit the data, and which ReLUs are "
                f"dead: {type(error).__name__}, {first_line(error)}"
            )
            return {}, {}
    return {name.removeprefix("model."): seen for name, seen in fresh.items()}, largest


class _OneInput(nn.Module):
    """A model that takes one tensor; further arguments stay those of the example."""

    def __init__(self, model, rest):
        super().__init__()
        self.model, self.rest = model, rest

    def forward(self, x):
        return self.model(x, *self.rest)


@contextmanager
def _largest(patient, names):
    """Note the largest output of each channel of some norms."""
    found = {}

    def watch(name):
        def hook(module, args, y):
            top = y.detach().transpose(0, 1).flatten(1).amax(1)
            found[name] = torch.maximum(found[name], top) if name in found else top

        return hook

    hooks = [patient.norms[n].register_forward_hook(watch(n)) for n in names]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def statistics(patient, fresh):
    """Compare running statistics with fresh ones.

    Parameters
    ----------
    patient : Patient
        Restored: with the statistics that it came with.
    fresh : dict of str to Population
        Of :func:`estimate`.

    Returns
    -------
    list of Finding
        One for statistics that are off, one for those that are only young.
    """
    off, few = {}, 0
    for name, seen in fresh.items():
        norm = patient.norms[name]
        if is_at_start(norm) or poisoned(norm):
            continue  # has a finding of its own
        if seen.count < FEWEST:
            few += 1
        elif gap := _gap(norm, seen):
            off[name] = gap
    if few:
        patient.unseen.append(
            f"Whether the running statistics of {counted(few, 'norm')} fit the data: "
            f"fewer than {FEWEST} values per channel came by."
        )
    young = {n: gap for n, gap in off.items() if is_young(patient.norms[n])}
    old = {n: gap for n, gap in off.items() if n not in young}
    found = []
    if old:
        found += _far(patient, old)
    if young:
        says = (
            f"The running statistics have seen {_batches(patient, young)} and still "
            f"hold part of their start, 0 and 1: {_words(young)} Eval mode is not yet "
            "itself."
        )
        found.append(note("young", young, says, "likely"))
    return found


def _far(patient, off):
    says = f"The running statistics are not those of the data: {_words(off)}"
    if patient.batches:
        return [finding("far", off, says, "likely")]
    if len(patient.example[0]) < FEWEST_EXAMPLES:
        return []
    says = says.replace("the data", "the example, if that is a fair sample", 1)
    return [note("far", off, says, "worth a look")]


def _words(off):
    """Describe the worst norm."""
    name, (shift, factor) = max(off.items(), key=lambda item: _badness(item[1]))
    which = repr(name) if name else "the norm"
    mean = f"the mean is off by {shift:.1f} standard deviations" * (shift > FAR_MEAN)
    var = f"the variance is off by a factor of {factor:.1f}" * (factor > FAR_VAR)
    text = " and ".join(filter(None, (mean, var)))
    return f"in half of the channels of {which} {text} or more."


def _badness(gap):
    shift, factor = gap
    return max(shift / FAR_MEAN, math.log(factor) / math.log(FAR_VAR))


@torch.no_grad()
def _gap(norm, seen):
    """Return medians over channels of the distances, or None if both are small."""
    mean, var = (in_float64(v).cpu() for v in (norm.running_mean, norm.running_var))
    new_mean, new_var = (torch.as_tensor(v) for v in (seen.mean, seen.unbiased_var))
    scale = new_var + norm.eps
    shift = float(((mean - new_mean).abs() / scale.sqrt()).median())
    factor = float(torch.exp(((var + norm.eps) / scale).log().abs().median()))
    return (shift, factor) if _badness((shift, factor)) > 1 else None


def _batches(patient, names):
    counts = sorted({int(patient.norms[n].num_batches_tracked) for n in names})
    if len(counts) == 1:
        return counted(counts[0], "batch", "batches")
    return f"{counts[0]} to {counts[-1]} batches"
