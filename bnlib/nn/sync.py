"""Batch norm over several processes: one batch, whose examples live on many devices.

``SyncBatchNorm`` normalizes with the statistics of all ranks together. It needs nothing
but a process group of ``torch.distributed``, so it trains on CPUs with the backend gloo
and on GPUs with NCCL. :mod:`bnlib.lab.launch` starts the processes.
"""

import copy
import os
import re
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch.autograd.function import once_differentiable
from torch.nn.modules.batchnorm import _BatchNorm as TorchBatchNorm

from bnlib.modules import PLAIN_FORWARDS, in_float64, is_batch_norm, split_norm
from bnlib.nn.base import batch_axes, per_channel
from bnlib.nn.layers import BatchNorm

__all__ = ["SyncBatchNorm", "convert_sync_batch_norm"]

# How the complaint of a rank begins that is not itself the cause.
LOST = "every rank must take part in each exchange"


class SyncBatchNorm(BatchNorm):
    """Normalize each channel over the batch and all positions, of all ranks together.

    In training the ranks of the group exchange (count, mean, M2) of their part of the
    batch, where M2 is the sum of squared deviations from the part's own mean, and merge
    them: 2C + 1 numbers per rank forward and 2C backward. Outputs, input gradients and
    running statistics are then those of :class:`bnlib.nn.BatchNorm` on the whole batch.
    The parts may differ in size, and a part may be empty, shape (0, C, ...). The
    *biased* variance (divided by the number of values of all ranks) normalizes, the
    unbiased one is stored. In eval mode, without an initialized process group and in a
    group of one there is no communication, and this is :class:`bnlib.nn.BatchNorm`.

    **Gradients.** The loss that is differentiated is the *sum* of the ranks' losses.
    Each rank gets the gradient of that sum by its own examples, and its own part of the
    gradient of ``weight`` and ``bias``: the parts *add up* to the whole batch's, as for
    any other layer. ``DistributedDataParallel`` averages over the ranks; there the loss
    of a rank must be (ranks) * (sum over its examples) / (examples of all ranks), which
    is the mean over its own examples only if all parts have the same size.

    Every rank must call the layer, and ``backward``, as often as the others, also with
    an empty part; otherwise they wait for it, at most as long as the group's time limit
    (see :func:`bnlib.lab.launch.join_group`). A second derivative is refused.

    Parameters
    ----------
    num_features : int
        Number of channels C of the input (N, C) or ``(N, C, *spatial)``.
    eps : float, default=1e-5
        Added to the variance, not to its square root.
    momentum : float in [0, 1] or None, default=0.1
        As in :class:`bnlib.nn.BatchNorm`.
    affine, track_running_stats : bool, default=True
        As in :class:`bnlib.nn.BatchNorm`.
    process_group : torch.distributed.ProcessGroup, optional
        Ranks that share their statistics; by default all. A deep copy shares it.
    device, dtype : optional
        Where and in which precision parameters and buffers are.
    bias : bool, default=True
        Whether an affine layer has a shift.

    Raises
    ------
    RuntimeError
        In ``forward`` or ``backward``, if another rank has ended or did not answer in
        time.
    TypeError, ValueError
        As :class:`bnlib.nn.BatchNorm`, on every rank if all ranks together have one
        value per channel; and if this rank is not in ``process_group``.

    References
    ----------
    Chan, Golub & LeVeque (1983). https://doi.org/10.1080/00031305.1983.10483115

    Examples
    --------
    >>> SyncBatchNorm(1)(torch.tensor([[1.0], [3.0]])).detach().round(decimals=3)
    tensor([[-1.],
            [ 1.]])
    """

    def __init__(
        self,
        num_features,
        eps=1e-5,
        momentum=0.1,
        affine=True,
        track_running_stats=True,
        process_group=None,
        device=None,
        dtype=None,
        *,
        bias=True,
    ):
        numbers = num_features, eps, momentum, affine, track_running_stats
        super().__init__(*numbers, device, dtype, bias=bias)
        self.process_group = process_group

    def __deepcopy__(self, memo):
        """Copy the layer; the group is a handle of this process and is shared."""
        memo[id(self.process_group)] = self.process_group
        new = memo[id(self)] = self.__class__.__new__(self.__class__)
        new.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return new

    def _batch_statistics(self, x):
        if not (self.training and _ranks(self.process_group) > 1):
            return super()._batch_statistics(x)
        mean, var, count = _SharedMoments.apply(x, self.process_group)
        count = int(count)
        if count == 1:
            raise ValueError(
                "the ranks together must have more than one value per channel, got "
                f"{count}, here shape {tuple(x.shape)}, in training; {self._advice}"
            )
        return mean, var, count


class _SharedMoments(torch.autograd.Function):
    """Mean, biased variance and count of the parts of all ranks."""

    @staticmethod
    def forward(ctx, x, group):
        count, mean, var = _merge(_gather(_part(x), group))
        mean, var = (per_channel(_like(v, x), x.ndim) for v in (mean, var))
        ctx.save_for_backward(x, mean, count)
        ctx.group = group
        ctx.mark_non_differentiable(count)
        return mean, var, count

    @staticmethod
    @once_differentiable  # the exchange below has no derivative
    def backward(ctx, d_mean, d_var, _):
        x, mean, count = ctx.saved_tensors
        # mean and var serve the examples of every rank, so their gradient is a sum
        # over ranks. Then it is that of one process, for the whole batch.
        d_both = in_float64(torch.stack([d_mean, d_var]))
        with exchange():
            dist.all_reduce(d_both, group=ctx.group)
        d_mean, d_var = _like(d_both / count, x)
        return d_mean + 2 * (x - mean) * d_var, None


@contextmanager
def exchange():
    """Say in one sentence what it means when an exchange between ranks fails."""
    try:
        yield
    except RuntimeError as error:
        me = f"rank {os.environ.get('RANK', '?')}"
        if dist.is_initialized():
            me = f"rank {dist.get_rank()} of {dist.get_world_size()}"
        # The first sentence of gloo's message, without the line of its source code.
        reason = re.sub(r"^\[[^]]*\.cc:\d+\] ", "", str(error).strip())
        reason = re.split(r"\.\s|\n", reason)[0].rstrip(".")
        raise RuntimeError(
            f"{LOST}, but {me} got no answer from another one ({reason}); "
            "look at the output of the rank that ended first"
        ) from error


def _part(x):
    """Return (count, means, M2) of the part ``x`` as 2C + 1 float64 numbers.

    Float64 because float32 cannot count beyond 2**24, and costs nothing here.
    """
    axes, channels = batch_axes(x), x.shape[1]
    count = x.numel() // channels
    mean = x.sum(axes, keepdim=True) / max(count, 1)  # an empty part has mean 0
    m2 = (x - mean).square().sum(axes)
    both = in_float64(torch.cat([mean.flatten(), m2]))
    return torch.cat([both.new_tensor([count]), both])


def _like(v, x):
    """Return ``v`` in the dtype of ``x`` and on its device, which may lack v's own."""
    return v.to(x.dtype).to(x.device)


def _gather(part, group):
    """Return the parts of all ranks, in their order, as one table (ranks, 2C + 1)."""
    parts = [torch.empty_like(part) for _ in range(_ranks(group))]
    with exchange():
        dist.all_gather(parts, part, group=group)
    return torch.stack(parts)


def _merge(parts):
    """Return count, mean and biased variance of all parts together."""
    counts, means, m2 = parts.split([1, *[parts.shape[1] // 2] * 2], dim=1)
    count = counts.sum()
    shares = counts / count.clamp(min=1)
    mean = (shares * means).sum(0)
    # Each part brings its own spread and its distance from the common mean. Both are
    # sums of squares: nothing cancels, as it does in E[x^2] - E[x]^2.
    m2 = (m2 + counts * (means - mean).square()).sum(0)
    return count, mean, m2 / count.clamp(min=1)


def _ranks(group):
    """Return the size of the group, 1 if there is none."""
    if not (dist.is_available() and dist.is_initialized()):
        return 1
    size = dist.get_world_size(group)
    if size < 1:
        raise ValueError(
            "this process must be a member of process_group, got one without rank "
            f"{dist.get_rank()}; give each rank the group that it belongs to"
        )
    return size


def convert_sync_batch_norm(model, process_group=None):
    """Return a copy of ``model`` in which every batch norm is a :class:`SyncBatchNorm`.

    Weights, buffers, eps, momentum, modes and ``requires_grad`` are those of the model;
    layers and parameters that it uses twice are shared in the copy, too. Norms that
    look at single examples (layer, instance, group norm) need no synchronization and
    are copied. A batch norm that calls modules of its own behind the norm, say an
    activation, becomes a :class:`SyncBatchNorm` that calls them under the same names.
    Hooks registered on a batch norm itself are not carried over.

    Parameters
    ----------
    model : torch.nn.Module
        Holds batch norms of ``torch.nn`` or :class:`bnlib.nn.BatchNorm`, or is one.
        Not modified.
    process_group : torch.distributed.ProcessGroup, optional
        Ranks that share their statistics; by default all.

    Returns
    -------
    torch.nn.Module
        The copy.

    Raises
    ------
    TypeError
        If a batch norm is a variant or your own and computes more than that, or a lazy
        one that has not seen data.
    ValueError
        If there is no batch norm.

    Examples
    --------
    >>> net = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    >>> [type(layer).__name__ for layer in convert_sync_batch_norm(net)]
    ['Linear', 'SyncBatchNorm']
    """
    found = [
        (name, layer) for name, layer in model.named_modules() if is_batch_norm(layer)
    ]
    if not found:
        raise ValueError(
            f"model must hold a batch norm, got {type(model).__name__} without one; "
            "there is nothing to synchronize"
        )
    for name, layer in found:
        _check_convertible(name, layer)
    new = copy.deepcopy(model, _groups_of(model))
    return _replace(new, process_group, {})


def _check_convertible(name, layer):
    """Refuse a batch norm that SyncBatchNorm would not do justice to."""
    lazy = torch.nn.parameter.is_lazy(layer.weight)
    if not lazy and _modules_behind(layer) is not None:
        return
    raise TypeError(
        "each batch norm must be one of torch.nn or bnlib.nn.BatchNorm that knows its "
        f"channels, or call modules behind one, got {type(layer).__name__} as "
        f"{name or 'the model'!r}; "
        + ("pass a batch through the model first" if lazy else "replace it before")
    )


def _is_plain(layer):
    """Tell batch norms by what their forward computes, not by their class alone."""
    torchs = isinstance(layer, TorchBatchNorm) and type(layer).forward in PLAIN_FORWARDS
    return torchs or type(layer) in (BatchNorm, SyncBatchNorm)


def _modules_behind(layer):
    """Name what a batch norm calls behind its norm; None if it computes more."""
    if _is_plain(layer):
        return ()
    if isinstance(layer, _SyncThenMore):
        return layer.behind
    plain, rest = split_norm(layer)
    if plain is None or not isinstance(layer, TorchBatchNorm):
        return None
    return () if rest is None else rest.names


class _SyncThenMore(SyncBatchNorm):
    """A SyncBatchNorm and the modules that the layer in its place called behind it."""

    def forward(self, x):
        """Normalize ``x`` and call them."""
        y = super().forward(x)
        for name in self.behind:
            y = self.get_submodule(name)(y)
        return y


def _groups_of(model):
    """Return a memo for deepcopy that shares process groups, which can't be copied."""
    groups = [getattr(layer, "process_group", None) for layer in model.modules()]
    return {id(group): group for group in groups}


def _replace(module, group, done):
    """Put a SyncBatchNorm in the place of each batch norm in ``module``."""
    if is_batch_norm(module):
        if module not in done:
            done[module] = _synchronized(module, group)
        return done[module]
    for name, child in module._modules.items():  # children() leaves out repetitions
        if child is not None:
            module._modules[name] = _replace(child, group, done)
    return module


def _synchronized(layer, group):
    """Return a SyncBatchNorm that has the parameters and buffers of ``layer``."""
    behind = _modules_behind(layer)
    numbers = layer.num_features, layer.eps, layer.momentum, layer.affine
    kind = _SyncThenMore if behind else SyncBatchNorm
    new = kind(*numbers, layer.track_running_stats, group)
    new.weight, new.bias = layer.weight, layer.bias
    for name in ("running_mean", "running_var", "num_batches_tracked"):
        setattr(new, name, getattr(layer, name))
    if behind:
        new.behind = behind
        for name, module in layer._modules.items():
            new.add_module(name, module)
    new.training = layer.training
    return new
