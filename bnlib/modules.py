"""What several rooms ask about PyTorch modules, each question answered once.

Which modules are batch norms, how to run a model and leave its modes as they were,
which tensors it takes and gives, how to trace it, and when two outputs are the same.
"""

import math
import operator
from contextlib import contextmanager

import torch
from torch import fx, nn
from torch.nn.modules.instancenorm import _InstanceNorm

__all__ = [
    "Tracer",
    "as_inputs",
    "has_running_statistics",
    "is_batch_norm",
    "is_channel_norm",
    "keep_modes",
    "relative_difference",
    "tensors_in",
]

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED_CONVOLUTIONS = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
NORM_ATTRIBUTES = ("running_mean", "running_var", "weight", "bias", "eps")


def is_channel_norm(module):
    """Tell whether a module normalizes each channel by itself: batch, instance norm.

    It is known by its attributes (which may be None), not by its class, so that a
    reader's own counts, too: running_mean, running_var, weight, bias and eps.

    Parameters
    ----------
    module : nn.Module
        Any module.

    Returns
    -------
    bool
        Whether it has them.
    """
    return all(hasattr(module, name) for name in NORM_ATTRIBUTES)


def is_batch_norm(module):
    """Tell whether a module is a batch norm of PyTorch, of bnlib or a reader's own.

    Parameters
    ----------
    module : nn.Module
        Any module.

    Returns
    -------
    bool
        Whether it is a norm of each channel (:func:`is_channel_norm`) that takes its
        statistics over the batch, so no instance norm.
    """
    by_example = getattr(module, "_each_example", isinstance(module, _InstanceNorm))
    return is_channel_norm(module) and not by_example


def has_running_statistics(module):
    """Tell whether a module is a norm that keeps running statistics.

    Parameters
    ----------
    module : nn.Module
        Any module.

    Returns
    -------
    bool
        True for batch norm, and for instance norm with ``track_running_stats=True``.
    """
    return is_channel_norm(module) and module.running_mean is not None


@contextmanager
def keep_modes(model):
    """Restore the mode of every module on leaving, also after an error.

    Parameters
    ----------
    model : nn.Module
        Its modules may be put into other modes inside.

    Yields
    ------
    nn.Module
        The model itself.
    """
    modes = {module: module.training for module in model.modules()}
    try:
        yield model
    finally:
        for module, mode in modes.items():
            module.training = mode


def as_inputs(example_input):
    """Return the positional arguments that a model is called with.

    Parameters
    ----------
    example_input : Tensor or tuple of Tensor
        One argument, or all.

    Returns
    -------
    tuple of Tensor
        All.
    """
    return example_input if isinstance(example_input, tuple) else (example_input,)


def tensors_in(value):
    """List the floating-point tensors in what a module takes or gives.

    Parameters
    ----------
    value : Tensor, dict, list or tuple
        Tensors, nested to any depth; everything else is passed over.

    Returns
    -------
    list of Tensor
        In their order.
    """
    if isinstance(value, torch.Tensor):
        return [value] if value.is_floating_point() else []
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list | tuple):
        return []
    return [tensor for part in value for tensor in tensors_in(part)]


def relative_difference(got, want):
    """Return how far outputs lie apart, and whether rounding can explain it.

    Parameters
    ----------
    got, want : Tensor, dict, list or tuple
        Outputs of two models; compared are the floating-point tensors in them.

    Returns
    -------
    difference : float
        Largest difference in units of the largest value of its tensor; NaN if one of
        the values is NaN, infinite if the shapes differ.
    to_rounding : bool
        Whether it is below the square root of the spacing of the numbers (``eps`` of
        the dtype) in each tensor.
    """
    got, want = tensors_in(got), tensors_in(want)
    if [t.shape for t in got] != [t.shape for t in want]:
        return math.inf, False
    errors = [
        float((g - w).abs().max() / w.abs().max().clamp(min=torch.finfo(w.dtype).tiny))
        for g, w in zip(got, want, strict=True)
    ]
    limits = [torch.finfo(w.dtype).eps ** 0.5 for w in want]
    # A NaN is below no limit, and stays where Python's max() might lose it.
    worst = math.nan if any(map(math.isnan, errors)) else max(errors, default=0.0)
    return worst, all(map(operator.lt, errors, limits))


class Tracer(fx.Tracer):
    """Record the calls of a model, down to PyTorch's own modules and to norms.

    Parameters
    ----------
    look_inside : bool, default=True
        Whether to trace what a reader's own module without children computes, or to
        take such a module as a whole.
    """

    def __init__(self, look_inside=True):
        super().__init__()
        self.look_inside = look_inside

    def is_leaf_module(self, m, module_qualified_name):
        """Tell which module is one call, whatever it does inside."""
        whole = not self.look_inside and next(m.children(), None) is None
        whole = whole or is_channel_norm(m)
        return whole or super().is_leaf_module(m, module_qualified_name)
