"""What came in: the model with its norms, the data, the optimizer."""

from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice

import torch
from torch import nn

from bnlib.lab.doctor.loading import first_batches
from bnlib.modules import as_inputs, is_channel_norm, refuse_scripted


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
    batches = [] if loader is None else first_batches(model, loader)
    grad = torch.is_grad_enabled()
    patient = Patient(model, example, loader, optimizer, batches, grad)
    # Looked up before the first run changes them.
    _ = patient.modes, patient.training, patient.learning
    return patient


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
