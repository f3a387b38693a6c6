"""The small package behind the course *Batch Normalization, Measured*."""

from bnlib.exercises import (
    case,
    check,
    check_project,
    hint,
    progress,
    write_project,
)
from bnlib.lab.claims import claim
from bnlib.norms import (
    backward,
    batch_norm,
    batch_norm_inference,
    group_norm,
    instance_norm,
    layer_norm,
    rms_norm,
)
from bnlib.scaling import min_max, z_score

__version__ = "0.6.0"

__all__ = [
    "backward",
    "batch_norm",
    "batch_norm_inference",
    "case",
    "check",
    "check_project",
    "claim",
    "doctor",
    "group_norm",
    "hint",
    "instance_norm",
    "layer_norm",
    "min_max",
    "progress",
    "rms_norm",
    "write_project",
    "z_score",
]


def doctor(model, example=None, loader=None, optimizer=None):
    """Look at the norms of a PyTorch model and say in sentences what is wrong.

    Each finding says what, where, how sure, and what to do, and leads to the entry of
    the failure clinic. What is harmless and worth knowing is a note. The more is
    passed, the more is seen: the model alone shows its settings and numbers and, if
    ``torch.fx`` can trace it, what stands before and behind each norm; an example is
    run, so that any model can be followed; a loader shows whether the running
    statistics fit the data. Known are all norms of each channel, by their attributes:
    batch and instance norm of PyTorch, of ``bnlib.nn``, of timm, your own.

    Parameters
    ----------
    model : torch.nn.Module
        As you train or use it, in its mode: frozen norms are told by their modes. It
        comes back as it was: parameters, buffers, gradients, modes, hooks, attributes,
        and so do the generators of random numbers; hooks of your own run with it. Under
        parallel training each process has to call.
    example : Tensor or tuple of Tensor, optional
        What the model is called with, a batch first. Is it a fair sample of the data,
        16 examples or more, then running statistics are compared with its own.
    loader : iterable, optional
        Batches: a tensor, or a tuple or list whose first item is the input. Eight are
        looked at, from all over the data where that is possible. It must be there again
        afterwards, so no iterator.
    optimizer : torch.optim.Optimizer, optional
        Of this model.

    Returns
    -------
    bnlib.lab.doctor.Report
        Prints as sentences; ``findings`` (none for a healthy model), ``notes`` and
        ``unseen``, what could not be looked at, are for programs.

    Raises
    ------
    TypeError
        If an argument is of another type.
    ValueError
        If the model is scripted, exported or lazy or does not run on the data, the
        loader is empty or an iterator, or no parameter of the model in the optimizer.

    Examples
    --------
    >>> from torch import nn
    >>> net = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3, momentum=0.99))
    >>> report = doctor(net)
    >>> [(found.kind, found.where) for found in report.findings]
    [('momentum-large', ('1',))]
    >>> [found.kind for found in report.notes]
    ['untrained', 'bias']
    >>> print(report.findings[0])
    Finding (likely), '1'
      Momentum is 0.99. In PyTorch it is the weight of the new batch, so this
      averages over hardly more than the last one.
      Do: If it comes from Keras, Flax or TensorFlow, set 1 minus it.
      https://example-org.github.io/batch-normalization-measured/book/clinic.html#loss-is-fine-but-eval-is-bad
    """
    from bnlib.lab.doctor import examine  # torch, which `import bnlib` does without

    return examine(model, example, loader, optimizer)
