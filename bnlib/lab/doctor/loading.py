"""Batches from a reader's loader, which is left as it was."""

from itertools import islice

import torch
from torch.utils.data import DataLoader

from bnlib.lab.doctor.restore import as_it_was

# Batches of the loader that are looked at.
MOST_BATCHES = 8
# What another DataLoader needs in order to read the data as the given one does.
WORKERS = ("num_workers", "collate_fn", "worker_init_fn", "multiprocessing_context")


def first_batches(model, loader):
    """Return the inputs of the first batches, on the model's device."""
    if not hasattr(loader, "__iter__") and not hasattr(loader, "__getitem__"):
        raise TypeError(
            "loader must be a DataLoader or another collection of batches, got "
            f"{type(loader).__name__}; pass a list of batches, [x], say"
        )
    if hasattr(loader, "__next__"):
        raise ValueError(
            f"loader must be there again after a look, got {type(loader).__name__}, "
            "which is used up; pass the loader itself, or list(...) of it"
        )
    with as_it_was(model, loader):  # to begin to iterate draws a seed
        found = [_input(batch) for batch in islice(_spread(loader), MOST_BATCHES)]
    if not found:
        raise ValueError("loader must hold at least one batch, got none; check it")
    tensors = [*model.parameters(), *model.buffers()]
    return [x.to(tensors[0].device) if tensors else x for x in found]


def _spread(loader):
    """Return batches from all over a data set, where that is possible.

    The first ones may hold one class alone: data for evaluation often come sorted.
    """
    if isinstance(loader, list | tuple):
        return [loader[k] for k in _evenly(len(loader), MOST_BATCHES)]
    if type(loader) is not DataLoader or not loader.batch_size or not _has_len(loader):
        return loader
    order, count = list(loader.sampler), min(MOST_BATCHES, len(loader))
    chosen = [order[k] for k in _evenly(len(order), count * loader.batch_size)]
    return DataLoader(
        loader.dataset,
        batch_sampler=[chosen[k::count] for k in range(count)],
        **{name: getattr(loader, name) for name in WORKERS},
    )


def _evenly(length, most):
    """Return numbers below a length, no more than so many, at equal distances."""
    count = min(length, most)
    return [k * length // count for k in range(count)]


def _has_len(loader):
    try:
        return len(loader) >= 0
    except TypeError:  # a stream of data
        return False


def _input(batch):
    """Return the input of a batch, which may come with its labels."""
    x = batch[0] if isinstance(batch, tuple | list) and len(batch) else batch
    if not torch.is_tensor(x) or not x.ndim:
        raise TypeError(
            "a batch must be a tensor or a tuple or list that starts with one, got "
            f"{type(x).__name__}; pass example instead, or wrap the loader"
        )
    return x
