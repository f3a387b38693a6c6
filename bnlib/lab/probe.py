"""What we measure on a network, and leave no trace: every probe restores the model.

Forward passes in training mode move running statistics, a probe that sets ``eval()``
forgets who was frozen, and noise drawn in between changes every later batch. So each
probe works inside :func:`untouched`.
"""

import math
import time
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import numpy as np
import torch

from bnlib.lab.train import _default_loss, _tensors_like
from bnlib.modules import (
    as_inputs,
    call,
    has_running_statistics,
    in_float64,
    keep_modes,
)

__all__ = [
    "CovariateShift",
    "covariate_shift",
    "cpu_time",
    "filter_directions",
    "gradients",
    "landscape",
    "loss_slice",
    "untouched",
]


class CovariateShift(NamedTuple):
    """How the gradient of a layer changes when the layers before it are updated.

    Parameters
    ----------
    cosine : float
        Of the gradients before and after; 1 if nothing has changed.
    difference : float
        Length of the difference over the length of the gradient before.

    References
    ----------
    Santurkar et al. (2018), definition 2.1. https://arxiv.org/abs/1805.11604

    Examples
    --------
    >>> shift = CovariateShift(cosine=1.0, difference=0.0)  # nothing has changed
    >>> shift.cosine
    1.0
    """

    cosine: float
    difference: float


@contextmanager
def untouched(model):
    """Restore a model on leaving: parameters, buffers, gradients, modes, generators.

    Parameters
    ----------
    model : nn.Module
        May be changed inside in its numbers and modes, not in its structure.

    Yields
    ------
    nn.Module
        The model itself.

    Examples
    --------
    >>> from bnlib.lab.models import mlp
    >>> net, x, y = mlp((4, 8, 4)), np.eye(4), np.arange(4)
    >>> with untouched(net):
    ...     _ = net(torch.tensor(x))  # moves the running statistics
    ...     inside = net[1].running_mean.any()
    >>> inside, net[1].running_mean.any()
    (tensor(True), tensor(False))
    """
    tensors = [*model.parameters(), *model.buffers()]
    numbers = [t.detach().clone() for t in tensors]
    grads = [(p, p.grad, p.requires_grad) for p in model.parameters()]
    for parameter, _, _ in grads:
        parameter.grad = None  # what accumulates inside must not reach the old one
    try:
        with _same_generators(model), keep_modes(model):
            yield model
    finally:
        with torch.no_grad():
            for tensor, number in zip(tensors, numbers, strict=True):
                tensor.copy_(number)
        for parameter, grad, learns in grads:
            parameter.grad = grad
            parameter.requires_grad_(learns)


def gradients(model, x, y, loss=None):
    """Measure the gradient of the loss with respect to the output of every module.

    This is dL/dz, not dL/dW: the latter is inversely proportional to the length of a
    weight before batch norm, which says nothing about the signal between the layers.

    Parameters
    ----------
    model : nn.Module
        In the mode in which it is.
    x, y : arrays or Tensors
        A batch of N examples and its targets. If the model takes several inputs, ``x``
        is a tuple of all of them or a dict of its keyword arguments.
    loss : callable, optional
        Function of outputs and targets; the default is that of
        :func:`bnlib.lab.train.train`.

    Returns
    -------
    dict of str to Tensor
        Gradients by the name of the module (those without children), each of the shape
        of its output, in the order of the calls.

    Raises
    ------
    ValueError
        If x and y differ in length or are empty.

    Examples
    --------
    >>> from bnlib.lab.models import mlp
    >>> net, x, y = mlp((4, 8, 4)), np.eye(4), np.arange(4)
    >>> {name: tuple(found.shape) for name, found in gradients(net, x, y).items()}
    {'0': (4, 8), '1': (4, 8), '2': (4, 8), '3': (4, 4)}
    """
    with untouched(model), torch.enable_grad(), _recording(model) as seen:
        value = _loss(model, x, y, loss)
        outputs = list(seen.values())
        found = torch.autograd.grad(value, outputs, materialize_grads=True)
    return dict(zip(seen, found, strict=True))


def landscape(model, x, y, *, steps=(0.05, 0.1, 0.2, 0.4), loss=None):
    """Measure how the loss and its gradient change along the gradient of one batch.

    All parameters go ``step`` times the gradient downhill. The batch stays the same,
    and so does whatever the model draws: with new noise at each point the change of the
    noise would be taken for a change of the landscape.

    Parameters
    ----------
    model : nn.Module
        In the mode in which it is, for a training step the training mode.
    x, y : arrays or Tensors
        A batch of N examples and its targets.
    steps : sequence of float, default=(0.05, 0.1, 0.2, 0.4)
        Learning rates at which to look.
    loss : callable, optional
        Function of outputs and targets; by default as in :func:`gradients`.

    Returns
    -------
    dict of str to float
        ``"loss_range"``, largest minus smallest loss at the steps;
        ``"gradient_change"``, largest length of the change of the gradient;
        ``"smoothness"`` (effective beta), largest change of the gradient over the
        distance; ``"cosine"``, smallest cosine of the gradients there and here. The
        last two are NaN where the gradient is zero.

    Raises
    ------
    ValueError
        If there is no step or one is not positive.

    References
    ----------
    Santurkar et al. (2018), How does batch normalization help optimization?
    https://arxiv.org/abs/1805.11604

    Examples
    --------
    >>> from bnlib.lab.models import mlp
    >>> net, x, y = mlp((4, 8, 4)), np.eye(4), np.arange(4)
    >>> found = landscape(net, x, y)
    >>> sorted(found)
    ['cosine', 'gradient_change', 'loss_range', 'smoothness']
    >>> found["loss_range"] > 0
    True
    """
    steps = [float(step) for step in steps]
    if not steps or min(steps) <= 0:
        raise ValueError(
            "steps must be positive learning rates, at least one, "
            f"got {tuple(steps)}; try (0.05, 0.1, 0.2, 0.4)"
        )
    with untouched(model):
        here = _slope(model, x, y, loss)[1]
        parameters = _learning(model)
        start = [p.detach().clone() for p in parameters]
        losses, changes, cosines = [], [], []
        for step in steps:
            _place(parameters, start, here, -step)
            value, there = _slope(model, x, y, loss)
            losses.append(value)
            changes.append(_length([b - a for a, b in zip(here, there, strict=True)]))
            cosines.append(_cosine(here, there))
    distances = [step * _length(here) for step in steps]
    return {
        "loss_range": max(losses) - min(losses),
        "gradient_change": max(changes),
        "smoothness": max(map(_ratio, changes, distances)),
        "cosine": min(cosines),
    }


def covariate_shift(model, x, y, lr, layer, *, loss=None):
    """Measure how a layer's gradient changes when the layers before it take a step.

    This is the internal covariate shift of Santurkar et al.: the gradient of the weight
    of ``layer`` before and after all parameters that come earlier in the model, and
    none else, took a step of gradient descent on the same batch with the same noise.

    Parameters
    ----------
    model : nn.Module
        In the mode in which it is. Its parameters must come in the order in which the
        data reach them, as in an ``nn.Sequential``.
    x, y : arrays or Tensors
        A batch of N examples and its targets.
    lr : float
        Learning rate of the step.
    layer : str
        Name of a module with a parameter ``weight``.
    loss : callable, optional
        Function of outputs and targets; by default as in :func:`gradients`.

    Returns
    -------
    CovariateShift
        Cosine and relative difference of the two gradients.

    Raises
    ------
    ValueError
        If there is no such layer, or nothing before it that learns.

    References
    ----------
    Santurkar et al. (2018), definition 2.1. https://arxiv.org/abs/1805.11604

    Examples
    --------
    >>> from bnlib.lab.models import mlp
    >>> net, x, y = mlp((4, 8, 4)), np.eye(4), np.arange(4)
    >>> shift = covariate_shift(net, x, y, lr=0.1, layer="3")
    >>> 0 < shift.difference < 1 and shift.cosine < 1
    True
    """
    names = [name for name, p in model.named_parameters() if p.requires_grad]
    weight = f"{layer}.weight"
    if weight not in names[1:]:
        raise ValueError(
            "layer must name a module whose weight learns and has parameters before "
            f"it, got {layer!r}; the weights are {[n for n in names if 'weight' in n]}"
        )
    number = names.index(weight)
    with untouched(model):
        before = _slope(model, x, y, loss)[1]
        with torch.no_grad():
            for parameter, slope in zip(
                _learning(model)[:number], before[:number], strict=True
            ):
                parameter -= lr * slope
        after = _slope(model, x, y, loss)[1]
    old, new = [before[number]], [after[number]]
    difference = _ratio(_length([new[0] - old[0]]), _length(old))
    return CovariateShift(_cosine(old, new), difference)


def filter_directions(model, seed=0):
    """Draw a random direction in which every filter is as long as that of the model.

    Weights before a norm can be rescaled without a change of the function, so steps
    are comparable only in units of the weights. Each filter (row of a weight, all that
    feeds one output) of the direction gets the length of the model's filter; vectors
    (biases, gamma, beta) stay where they are.

    Parameters
    ----------
    model : nn.Module
        Not modified.
    seed : int, default=0
        Seed of the direction.

    Returns
    -------
    dict of str to Tensor
        Direction by the name of the parameter.

    References
    ----------
    Li et al. (2018), Visualizing the loss landscape of neural nets, section 4.
    https://arxiv.org/abs/1712.09913

    Examples
    --------
    >>> from bnlib.lab.models import mlp
    >>> net, x, y = mlp((4, 8, 4)), np.eye(4), np.arange(4)
    >>> direction = filter_directions(net)["0.weight"]
    >>> torch.allclose(direction.norm(dim=1), net[0].weight.norm(dim=1))
    True
    """
    generator = torch.Generator().manual_seed(seed)
    directions = {}
    for name, parameter in model.named_parameters():
        weight = parameter.detach()
        if weight.dim() < 2:
            directions[name] = torch.zeros_like(weight)
            continue
        drawn = torch.randn(weight.shape, generator=generator, dtype=weight.dtype)
        drawn = drawn.to(weight.device)
        scale = _filter_lengths(weight) / _filter_lengths(drawn)
        directions[name] = drawn * scale
    return directions


@torch.no_grad()
def loss_slice(model, x, y, directions, span, statistics="batch", *, loss=None):
    """Compute the loss on a line or a plane through the model's parameters.

    Parameters
    ----------
    model : nn.Module
        The origin of the slice.
    x, y : arrays or Tensors
        A batch of N examples and its targets.
    directions : list of one or two dicts
        Directions by the name of the parameter, as :func:`filter_directions` gives; a
        parameter that is not named stays where it is.
    span : sequence of P floats
        Coordinates along each direction, in units of the direction.
    statistics : {"batch", "frozen"}, default="batch"
        Whether batch norms use the statistics of ``x``, which follow every step of the
        slice (training mode), or their running ones, which stay (eval mode). All else,
        such as dropout, is in eval mode.
    loss : callable, optional
        Function of outputs and targets; by default as in :func:`gradients`.

    Returns
    -------
    ndarray of shape (P,) or (P, P), float64
        Losses; the first axis goes with the first direction.

    Raises
    ------
    ValueError
        If ``statistics`` is no such name, or if there are not one or two directions.

    Examples
    --------
    >>> from bnlib.lab.models import mlp
    >>> net, x, y = mlp((4, 8, 4)), np.eye(4), np.arange(4)
    >>> losses = loss_slice(net, x, y, [filter_directions(net)], [-1.0, 0.0, 1.0])
    >>> losses.shape
    (3,)
    """
    if statistics not in ("batch", "frozen"):
        raise ValueError(
            f"statistics must be 'batch' or 'frozen', got {statistics!r}; choose one"
        )
    if len(directions) not in (1, 2):
        raise ValueError(
            "directions must be a list of one or two, "
            f"got {len(directions)}; pass [filter_directions(model)]"
        )
    span = [float(value) for value in span]
    losses = np.empty((len(span),) * len(directions))
    x, y = _batch(model, x, y)
    with untouched(model):
        model.eval()
        for module in model.modules():
            if has_running_statistics(module):
                # Not train(), which would wake the noise inside a NoisyBatchNorm.
                module.training = statistics == "batch"
        parameters = dict(model.named_parameters())
        start = {name: p.clone() for name, p in parameters.items()}
        for index in np.ndindex(losses.shape):
            for name, parameter in parameters.items():
                steps = zip(index, directions, strict=True)
                parts = [span[i] * way[name] for i, way in steps if name in way]
                parameter.copy_(start[name] + sum(parts))
            with _same_draw(model):
                losses[index] = _loss(model, x, y, loss)
    return losses


def cpu_time(functions, *, repeats=7):
    """Time functions against each other, in seconds of this process.

    They take turns, so that a busy moment of the machine hits all of them, and the
    median of the repeats counts. One call of each goes before, to warm up. Compare the
    times of one call with each other; alone they say little.

    Parameters
    ----------
    functions : dict of str to callable
        Functions without arguments.
    repeats : int, default=7
        Measured calls of each, at least 1.

    Returns
    -------
    dict of str to float
        Median seconds of process time, all threads together.

    Raises
    ------
    ValueError
        If ``repeats`` is below 1.

    Examples
    --------
    >>> few, many = list(range(10)), list(range(100_000))
    >>> took = cpu_time({"few": lambda: sum(few), "many": lambda: sum(many)})
    >>> took["few"] < took["many"]
    True
    """
    if repeats < 1:
        raise ValueError(f"repeats must be at least 1, got {repeats}; try 7")
    seconds = {name: [] for name in functions}
    for function in functions.values():
        function()
    for _ in range(repeats):
        for name, function in functions.items():
            start = time.process_time()
            function()
            seconds[name].append(time.process_time() - start)
    return {name: float(np.median(times)) for name, times in seconds.items()}


@contextmanager
def _recording(model):
    """Collect the outputs of the modules without children, by name."""
    seen = {}

    def keep(name):
        def hook(module, inputs, output):
            if not (isinstance(output, torch.Tensor) and output.is_floating_point()):
                return None
            if not output.requires_grad:
                output = output.detach().requires_grad_()  # all before it is frozen
            seen[name] = output
            return output.clone()  # an in-place ReLU must not reach what is recorded

        return hook

    hooks = [
        module.register_forward_hook(keep(name))
        for name, module in model.named_modules()
        if not any(True for _ in module.children())
    ]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def _learning(model):
    return [p for p in model.parameters() if p.requires_grad]


def _batch(model, x, y):
    """Return inputs, also a tuple or dict of them, and targets as tensors."""
    names, parts = (x.keys(), x.values()) if isinstance(x, dict) else ((), as_inputs(x))
    parts = tuple(_tensors_like(model, (part, y))[0] for part in parts)
    x = dict(zip(names, parts, strict=True)) if names else parts
    return x, _tensors_like(model, (y, y))[1]


def _loss(model, x, y, loss):
    x, y = _batch(model, x, y)
    return (loss or _default_loss(y))(call(model, x), y)


@torch.enable_grad()
def _slope(model, x, y, loss):
    """Return loss and gradients, with the same noise at every call inside a probe."""
    with _same_draw(model):
        value = _loss(model, x, y, loss)
        slopes = torch.autograd.grad(value, _learning(model), materialize_grads=True)
    return value.item(), slopes


@contextmanager
def _same_draw(model):
    """Draw the same random numbers again after leaving, from the same buffers."""
    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]
    try:
        with _same_generators(model):
            yield
    finally:
        for buffer, value in buffers:  # a layer may depend on its own in training
            buffer.copy_(value)


@contextmanager
def _same_generators(model):
    """Restore the generators of the CPU and of the model's devices on leaving."""
    states = [(write, read()) for read, write in _generators(model)]
    try:
        yield
    finally:
        for write, state in states:
            write(state)


def _generators(model):
    """Return how to read and how to write the state of each generator in use."""
    found = [(torch.get_rng_state, torch.set_rng_state)]
    for device in {t.device for t in (*model.parameters(), *model.buffers())}:
        if device.type == "mps":  # there is one at most, and it is not named
            found.append((torch.mps.get_rng_state, torch.mps.set_rng_state))
        elif device.type != "cpu":
            backend = getattr(torch, device.type)
            read = partial(backend.get_rng_state, device)
            found.append((read, partial(backend.set_rng_state, device=device)))
    return found


@torch.no_grad()
def _place(parameters, start, direction, distance):
    for parameter, origin, way in zip(parameters, start, direction, strict=True):
        parameter.copy_(origin + distance * way)


def _length(tensors):
    # In float32 the square of a vanishing gradient would underflow.
    return torch.sqrt(sum(in_float64(t).square().sum() for t in tensors)).item()


def _cosine(a, b):
    pairs = zip(a, b, strict=True)
    product = sum((in_float64(s) * in_float64(t)).sum() for s, t in pairs).item()
    return _ratio(product, _length(a) * _length(b))


def _ratio(a, b):
    """Return a / b, or NaN for a gradient that is zero: it has no direction."""
    return a / b if b else math.nan


def _filter_lengths(weight):
    axes = tuple(range(1, weight.dim()))
    return torch.linalg.vector_norm(weight, dim=axes, keepdim=True)
