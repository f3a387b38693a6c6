"""A doctor for models of one's own: what can be seen of their norms, in sentences.

:func:`bnlib.doctor` is what to call. ``patient`` and ``loading`` hold what came in,
``restore`` leaves it as it was, ``calls`` finds out who stands next to whom,
``settings``, ``statistics``, ``neighbors``, ``relus`` and ``training`` examine one side
each, and ``report`` says what was found.
"""

from bnlib.lab.doctor.calls import norms_in, record, trace
from bnlib.lab.doctor.neighbors import neighbors
from bnlib.lab.doctor.patient import admit
from bnlib.lab.doctor.relus import before_relu, dead_relus
from bnlib.lab.doctor.report import Finding, Report, named
from bnlib.lab.doctor.restore import as_it_was
from bnlib.lab.doctor.settings import settings
from bnlib.lab.doctor.statistics import estimate, statistics
from bnlib.lab.doctor.training import batches, decay

__all__ = ["Finding", "Report", "examine"]

ORDER = ("certain", "likely", "worth a look")


def examine(model, example=None, loader=None, optimizer=None):
    """Look at the norms of a model; this is :func:`bnlib.doctor`.

    Parameters
    ----------
    model : torch.nn.Module
        As there, and so the others.
    example : Tensor or tuple of Tensor, optional
        What it is called with.
    loader : iterable, optional
        Batches.
    optimizer : torch.optim.Optimizer, optional
        Of this model.

    Returns
    -------
    Report
        What was found.

    Raises
    ------
    TypeError, ValueError
        As there.

    Examples
    --------
    >>> from torch import nn
    >>> net = nn.Sequential(nn.Linear(4, 3, bias=False), nn.BatchNorm1d(3, momentum=1))
    >>> [(found.kind, found.where) for found in examine(net).findings]
    [('momentum-one', ('1',))]
    """
    patient = admit(model, example, loader, optimizer)
    found = []
    if patient.norms:
        found = [*settings(patient), *decay(patient), *_with_calls(patient)]
    found.sort(key=lambda f: ORDER.index(f.sure))
    return Report(
        type(patient.model).__name__,
        len(patient.norms),
        tuple(f for f in found if f.level == "finding"),
        tuple(f for f in found if f.level == "note"),
        tuple(patient.unseen),
    )


def _with_calls(patient):
    """Return what can be found when it is known what calls what."""
    calls, fresh, largest = [], {}, {}
    with as_it_was(patient.model, patient.loader):
        calls = _calls(patient)
    relus = before_relu(calls)
    if patient.inputs:
        with as_it_was(patient.model, patient.loader):
            fresh, largest = estimate(patient, relus)
    return [
        *neighbors(patient, calls),
        *dead_relus(patient, relus, largest),
        *statistics(patient, fresh),
        *batches(patient, calls),
    ]


def _calls(patient):
    """List the calls of a run, or of a trace if there is nothing to run on."""
    if patient.inputs:
        calls = record(patient.model, patient.inputs)
        called = {call.name for call in norms_in(calls)}
        if missing := [name for name in patient.norms if name not in called]:
            patient.unseen.append(_not_called(missing))
        return calls
    patient.unseen.append(
        "Whether the running statistics fit the data, and the batches ahead: pass a "
        "loader, or an example."
    )
    try:
        return trace(patient.model)
    except ValueError as error:
        patient.unseen.append(
            f"What stands before and behind each norm: torch.fx cannot trace the model "
            f"({error}); pass an example."
        )
        return []


def _not_called(names):
    return f"{named(names)}: not called in eval mode."
