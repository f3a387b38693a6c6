"""A model and the generators of random numbers, as they were."""

import random
from collections import OrderedDict
from contextlib import contextmanager

import numpy as np
import torch

from bnlib.lab.probe import untouched


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
