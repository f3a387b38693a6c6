"""Estimate running statistics anew, from data, and heal poisoned ones."""

from contextlib import contextmanager
from functools import partial

import numpy as np
import torch

from bnlib.modules import (
    call,
    has_running_statistics,
    in_float64,
    is_batch_norm,
    keep_modes,
    poisoned,
    tensors_in,
)
from bnlib.nn.base import batch_axes, moments
from bnlib.nn.layers import BatchNorm
from bnlib.running import Population, merge

__all__ = ["heal", "reestimate"]


@torch.no_grad()
def reestimate(model, loader):
    """Replace the running statistics of every batch norm by population statistics.

    The data pass through the model once. Each batch norm normalizes with the statistics
    of the batch, as in training, and everything else (dropout, injected noise) is in
    eval mode; what reaches a batch norm is merged exactly, so that batches of unequal
    size count by their size. For the first batch norm the result is that of the whole
    data set, however it is cut; what later ones see was normalized batch by batch.

    Parameters
    ----------
    model : torch.nn.Module
        Holds batch norms of ``bnlib.nn``, ``torch.nn`` or your own. Replaced in place
        are their ``running_mean``, ``running_var`` (unbiased, divided by ``count - 1``)
        and, where they have it, ``num_batches_tracked``; modes and all else are kept.
    loader : iterable
        Batches: the input alone, or a tuple or list whose first item it is. The input
        is a tensor, a tuple or list of all positional arguments of ``model``, or a dict
        of its keyword arguments.

    Returns
    -------
    dict of str to bnlib.running.Population
        What each batch norm has seen, by its name in the model, in float64.

    Raises
    ------
    TypeError
        If a batch is none of these, or does not fit the model's ``forward``.
    ValueError
        If there is no batch norm with running statistics, no batch, a batch that is
        empty, not finite or has one value per channel, or statistics too large for the
        layer's dtype. The model is then as it was.

    References
    ----------
    Ioffe & Szegedy (2015), Algorithm 2. https://arxiv.org/abs/1502.03167
    Wu & Johnson (2021), section 3. https://arxiv.org/abs/2105.07576

    Examples
    --------
    >>> net = torch.nn.Sequential(torch.nn.BatchNorm1d(1))
    >>> batches = torch.tensor([[1.0], [3.0]]), torch.tensor([[8.0]] * 2)
    >>> seen = reestimate(net, batches)
    >>> seen["0"].count, net[0].running_mean
    (4, tensor([5.]))
    """
    norms = [(name, m) for name, m in model.named_modules() if is_batch_norm(m)]
    layers = {name: norm for name, norm in norms if has_running_statistics(norm)}
    if not layers:
        raise ValueError(
            "model must hold a batch norm with running statistics, got "
            f"{type(model).__name__} without one; check track_running_stats"
        )
    num_batches, seen = 0, {}
    with _watching(model, layers) as parts:
        for num_batches, batch in enumerate(loader, start=1):
            x = _inputs(batch)
            call(model, x)
            for name, part in parts:
                _refuse_unsound(x, num_batches, name, part)
                seen[name] = merge(seen[name], part) if name in seen else part
            parts.clear()
    if not num_batches:
        raise ValueError("loader must hold at least one batch, got none; check it")
    new = [pair for name in seen for pair in _buffers(name, layers[name], seen[name])]
    for buffer, value in new:
        buffer.copy_(value)
    for layer in map(layers.get, seen):
        if getattr(layer, "num_batches_tracked", None) is not None:
            layer.num_batches_tracked.fill_(num_batches)
    return seen


@torch.no_grad()
def heal(model, loader=None):
    """Find norms whose running statistics are poisoned, and give them sound ones.

    Poisoned is a mean or variance that is NaN or infinite, and a negative variance. One
    bad batch in training is enough, and no good one heals it: (1 - momentum) * NaN is
    NaN. Eval mode then gives NaN while training mode looks fine.

    Parameters
    ----------
    model : torch.nn.Module
        Its poisoned norms are reset in place as before training: mean 0, variance 1, no
        batch counted. The others are left alone.
    loader : iterable, optional
        Good batches, for :func:`reestimate`: if a norm was poisoned, all batch norms
        get population statistics. Without it the norms that were reset have to see some
        training before eval mode means anything.

    Returns
    -------
    dict of str to str
        Name of each norm that was poisoned: which number, and the first bad channel.

    Raises
    ------
    TypeError, ValueError
        As :func:`reestimate`, after the reset.

    Examples
    --------
    >>> net = torch.nn.Sequential(torch.nn.BatchNorm1d(2))
    >>> _ = net(torch.tensor([[1.0, torch.nan], [2.0, 3.0]]))
    >>> heal(net)
    {'0': 'running_mean nan in channel 1'}
    >>> heal(net)
    {}
    """
    norms = {n: m for n, m in model.named_modules() if has_running_statistics(m)}
    found = {name: what for name, norm in norms.items() if (what := poisoned(norm))}
    for norm in map(norms.get, found):
        norm.running_mean.zero_()
        norm.running_var.fill_(1)
        if getattr(norm, "num_batches_tracked", None) is not None:
            norm.num_batches_tracked.zero_()
    if found and loader is not None:
        reestimate(model, loader)
    return found


@contextmanager
def _watching(model, layers):
    """List what reaches each layer; leave modes and buffers as they were."""
    parts = []

    def watch(name, layer, args, kwargs):
        x = tensors_in([args, kwargs])[0]
        parts.append((name, _population(layer, x)))

    buffers = {b: b.clone() for layer in layers.values() for b in layer.buffers()}
    hooks = [
        layer.register_forward_pre_hook(partial(watch, name), with_kwargs=True)
        for name, layer in layers.items()
    ]
    try:
        with keep_modes(model):
            model.eval()
            for layer in layers.values():
                layer.training = True  # without its children: injected noise stays off
            yield parts
    finally:
        for hook in hooks:
            hook.remove()
        for buffer, value in buffers.items():
            buffer.copy_(value)


def _population(layer, x):
    """Return the statistics of one batch as ``layer`` would take them, in float64."""
    x = in_float64(x)
    if isinstance(layer, BatchNorm):
        mean, var, count = layer._batch_statistics(x)
    else:
        mean, var = moments(x, batch_axes(x))
        count = x.numel() // x.shape[1]
    mean, var = (v.flatten().cpu().numpy() for v in (mean, var))
    return Population(mean, var, count)


def _refuse_unsound(x, number, name, part):
    """Refuse the inputs ``x`` if what reached a norm was empty or not finite."""
    sound = np.isfinite(part.mean) & np.isfinite(part.var)
    if sound.all() and part.count:
        return
    which = f"batch {number} of the loader"
    if not part.count:
        shapes = ", ".join(str(tuple(tensor.shape)) for tensor in tensors_in(x, True))
        raise ValueError(
            f"{which} must hold at least one value per channel, got shape {shapes}; "
            "leave empty batches out"
        )
    wrong = [(t, at) for t in tensors_in(x) for at in (~t.isfinite()).nonzero()]
    if wrong:
        tensor, where = wrong[0][0], tuple(wrong[0][1].tolist())
        raise ValueError(
            f"{which} must be finite, got {float(tensor[where])} at index {where} "
            f"({len(wrong)} such values); find out where it comes from, or leave it out"
        )
    raise ValueError(
        f"{which} must be finite where it reaches the norm {name!r}, got NaN or inf in "
        f"channel {sound.argmin()} from finite values; check the layers before it"
    )


def _buffers(name, layer, total):
    """Return the running statistics of ``layer``, each with its new value."""
    pairs = (layer.running_mean, total.mean), (layer.running_var, total.unbiased_var)
    new = [(old, torch.from_numpy(value).to(old.dtype)) for old, value in pairs]
    for (buffer, value), (_, exact) in zip(new, pairs, strict=True):
        if not value.isfinite().all():
            raise ValueError(
                f"the statistics of the norm {name!r} must fit into {buffer.dtype}, "
                f"got values up to {np.abs(exact).max():.1e}; "
                "rescale the data or give the model more precision"
            )
    return new


def _inputs(batch):
    """Return the input of a batch of a loader, which may come with its labels."""
    x = batch[0] if isinstance(batch, tuple | list) and len(batch) else batch
    x = tuple(x) if isinstance(x, list) else x  # as which loaders hand on tuples
    if not tensors_in(x, every=True):
        raise TypeError(
            "a batch must be a tensor, a dict of them, or a tuple or list that starts "
            f"with the input, got {type(x).__name__}; wrap the loader"
        )
    return x
