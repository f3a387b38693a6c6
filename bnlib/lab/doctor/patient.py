"""The model as it came in: its norms, its data, and how all of it is restored."""

import random
from collections import OrderedDict
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from bnlib.lab.probe import untouched
from bnlib.modules import as_inputs, is_channel_norm, refuse_scripted

# Batches of the loader that are looked at.
MOST_BATCHES = 8
# What another DataLoader needs in order to read the data as the given one does.
WORKERS = ("num_workers", "collate_fn", "worker_init_fn", "multiprocessing_context")


@dataclass
class Patient:
    """What all examinations look at.

    Parameters
    ----------
    model : nn.Module
        The net itself, without wrappers.
    example : tuple of Tensor, optional
        What one call takes.
    loader, optimizer : optional
        As given.
    batches : list of Tensor
        Inputs from the loader, on the model's device.
    grad : bool
        Whether gradients were on when the doctor was called.
    unseen : list of str
        What could not be looked at; examinations add to it.
    """

    model: nn.Module
    example: tuple | None
    loader: object
    optimizer: torch.optim.Optimizer | None
    batches: list
    grad: bool
    unseen: list = field(default_factory=list)

    @cached_property
    def norms(self):
        """Return the norms of each channel by name, each once."""
        found = self.model.named_modules()
        return {name: m for name, m in found if is_channel_norm(m)}

    @cached_property
    def modes(self):
        """Return which norms were in training mode, by name."""
        return {name: norm.training for name, norm in self.norms.items()}

    @cached_property
    def training(self):
        """Return whether the model as a whole was in training mode."""
        return self.model.training

    @cached_property
    def learning(self):
        """Return the parameters that learn, those of the optimizer if it is known."""
        own = {p for p in self.model.parameters() if p.requires_grad}
        if self.optimizer is None:
            return own
        groups = self.optimizer.param_groups
        return own & {p for group in groups for p in group["params"]}

    @property
    def inputs(self):
        """Return what one call takes, or None."""
        sound = (x for x in self.batches if x.isfinite().all())
        return self.example or (tuple(islice(sound, 1)) or None)

    def moves(self, name):
        """Tell whether a forward pass in the present mode moves the statistics."""
        norm = self.norms[name]
        tracks = getattr(norm, "track_running_stats", True)
        keeps = norm.running_mean is not None and tracks
        return self.modes[name] and keeps and bool(getattr(norm, "momentum", 0) != 0)


def bare(model):
    """Take the wrappers of torch.compile and of parallel training off."""
    wrappers = nn.DataParallel, nn.parallel.DistributedDataParallel
    while True:
        if hasattr(model, "_orig_mod"):
            model = model._orig_mod
        elif isinstance(model, wrappers):
            model = model.module
        else:
            return model


def admit(model, example, loader, optimizer):
    """Check what came in, take batches from the loader, and return the patient."""
    if not isinstance(model, nn.Module):
        raise TypeError(
            f"model must be a torch.nn.Module, got {type(model).__name__}; pass the "
            "net itself"
        )
    model = bare(model)
    refuse_scripted(model)
    _refuse_lazy(model)
    example = None if example is None else _as_tuple(example)
    _refuse_strange(model, optimizer)
    batches = [] if loader is None else _batches(model, loader)
    grad = torch.is_grad_enabled()
    patient = Patient(model, example, loader, optimizer, batches, grad)
    # Looked up before the first run changes them.
    _ = patient.modes, patient.training, patient.learning
    return patient


@contextmanager
def as_it_was(model, loader):
    """Restore a model, and the generators of random numbers, also after an error.

    Beside what :func:`bnlib.lab.probe.untouched` restores, attributes that a forward
    of the reader's own sets: a norm may bind its statistics to new tensors.
    """
    state = [(vars(module), _copied(vars(module))) for module in model.modules()]
    tensors = [
        (value, value.detach().clone())
        for attributes, _ in state
        for value in attributes.values()
        if torch.is_tensor(value)
    ]
    generators = {id(g): g for g in _generators(loader)}.values()
    drawn = [(generator, generator.get_state()) for generator in generators]
    # A reader's transforms may draw from these.
    others = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        with untouched(model):
            yield
    finally:
        for attributes, saved in state:
            _restore(attributes, saved)
        with torch.no_grad():
            for tensor, value in tensors:
                tensor.copy_(value)
        for generator, numbers in drawn:
            generator.set_state(numbers)
        random.setstate(others[0])
        np.random.set_state(others[1])  # noqa: NPY002


def _copied(attributes):
    """Copy a module's attributes, and the containers among them one level deep."""
    kinds = dict, OrderedDict, list, set
    return {
        key: (value, value.copy() if type(value) in kinds else None)
        for key, value in attributes.items()
    }


def _restore(attributes, saved):
    attributes.clear()
    for key, (value, content) in saved.items():
        if content is not None:
            value.clear()
            (value.extend if isinstance(value, list) else value.update)(content)
        attributes[key] = value


def _generators(loader):
    """Return the generators that a loader draws from, if it has some of its own."""
    holders = loader, getattr(loader, "sampler", None)
    found = (getattr(holder, "generator", None) for holder in holders)
    return [g for g in found if isinstance(g, torch.Generator)]


def _batches(model, loader):
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


def _as_tuple(example):
    """Return the arguments of a call."""
    inputs = as_inputs(example)
    if not inputs or not torch.is_tensor(inputs[0]) or not inputs[0].ndim:
        got = type(inputs[0]).__name__ if inputs else "an empty tuple"
        raise TypeError(
            "example must be a tensor, or a tuple of what the model is called with "
            f"that starts with one, got {got}; pass a batch"
        )
    return inputs


def _refuse_lazy(model):
    for name, parameter in (*model.named_parameters(), *model.named_buffers()):
        if nn.parameter.is_lazy(parameter):
            raise ValueError(
                f"model must know its sizes, got a lazy {name!r}; pass a batch "
                "through it first"
            )


def _refuse_strange(model, optimizer):
    if optimizer is None:
        return
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise TypeError(
            "optimizer must be a torch.optim.Optimizer, got "
            f"{type(optimizer).__name__}; pass it, or leave it out"
        )
    held = {p for group in optimizer.param_groups for p in group["params"]}
    if not held & set(model.parameters()):
        raise ValueError(
            "optimizer must hold parameters of the model, got one that holds "
            f"{len(held)} others; make it from this model's parameters, after the "
            "model was copied or loaded"
        )
