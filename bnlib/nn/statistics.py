"""Estimate the statistics of a model's batch norms anew, from data."""

from contextlib import contextmanager

import torch

from bnlib.modules import has_running_statistics, is_batch_norm, keep_modes, tensors_in
from bnlib.nn.base import batch_axes, moments
from bnlib.nn.layers import BatchNorm
from bnlib.running import Population, merge

__all__ = ["reestimate"]


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
        Batches: a tensor, or a tuple or list whose first item is the input.

    Returns
    -------
    dict of str to bnlib.running.Population
        What each batch norm has seen, by its name in the model, in float64.

    Raises
    ------
    TypeError
        If a batch is neither a tensor nor a tuple or list that starts with one.
    ValueError
        If there is no batch norm with running statistics, no batch, or a batch with one
        value per channel. The model is then as it was.

    References
    ----------
    Ioffe & Szegedy (2015), Algorithm 2. https://arxiv.org/abs/1502.03167
    Wu & Johnson (2021), section 3. https://arxiv.org/abs/2105.07576
    """
    layers = {
        name: layer
        for name, layer in model.named_modules()
        if is_batch_norm(layer) and has_running_statistics(layer)
    }
    if not layers:
        raise ValueError(
            "model must hold a batch norm with running statistics, got "
            f"{type(model).__name__} without one; check track_running_stats"
        )
    num_batches = 0
    with _watching(model, layers) as seen:
        for batch in loader:
            model(_inputs(batch))
            num_batches += 1
    if not num_batches:
        raise ValueError("loader must hold at least one batch, got none; check it")
    for name, total in seen.items():
        layer = layers[name]
        layer.running_mean.copy_(torch.from_numpy(total.mean))
        layer.running_var.copy_(torch.from_numpy(total.unbiased_var))
        if getattr(layer, "num_batches_tracked", None) is not None:
            layer.num_batches_tracked.fill_(num_batches)
    return seen


@contextmanager
def _watching(model, layers):
    """Collect what reaches each layer; leave modes and buffers as they were."""
    seen = {}

    def watch(name):
        def hook(layer, args, kwargs):
            batch = _population(layer, tensors_in([args, kwargs])[0])
            seen[name] = merge(seen[name], batch) if name in seen else batch

        return hook

    buffers = {b: b.clone() for layer in layers.values() for b in layer.buffers()}
    hooks = [
        layer.register_forward_pre_hook(watch(name), with_kwargs=True)
        for name, layer in layers.items()
    ]
    try:
        with keep_modes(model):
            model.eval()
            for layer in layers.values():
                layer.training = True  # without its children: injected noise stays off
            yield seen
    finally:
        for hook in hooks:
            hook.remove()
        for buffer, value in buffers.items():
            buffer.copy_(value)


def _population(layer, x):
    """Return the statistics of one batch as ``layer`` would take them, in float64."""
    x = x.double()
    if isinstance(layer, BatchNorm):
        mean, var, count = layer._batch_statistics(x)
    else:
        mean, var = moments(x, batch_axes(x))
        count = x.numel() // x.shape[1]
    mean, var = (v.flatten().cpu().numpy() for v in (mean, var))
    return Population(mean, var, count)


def _inputs(batch):
    """Return the input of a batch of a loader, which may come with its labels."""
    x = batch[0] if isinstance(batch, tuple | list) and len(batch) else batch
    if not torch.is_tensor(x):
        raise TypeError(
            "a batch must be a tensor or a tuple or list that starts with one, got "
            f"{type(x).__name__}; wrap the loader"
        )
    return x
