"""One training loop for all chapters: seeded, single-threaded, safe to interrupt."""

import math
import signal
import threading
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F

from bnlib.modules import in_float64, keep_modes

__all__ = ["History", "accuracy", "train"]


@dataclass
class History:
    """What happened in a call of :func:`train`.

    Parameters
    ----------
    losses : ndarray of shape (steps done,), float64
        Loss of each batch, in training mode and before the step that it led to.
    interrupted_at : int or None
        Number of complete steps if the run was interrupted, None if it was not.

    Examples
    --------
    >>> from bnlib.lab.models import mlp
    >>> data = np.eye(4), np.arange(4)
    >>> history = train(mlp((4, 4)), data, steps=3, lr=0.1, batch_size=4)
    >>> history.losses.shape, history.interrupted_at
    ((3,), None)
    """

    losses: np.ndarray = field(default_factory=lambda: np.empty(0))
    interrupted_at: int | None = None


def train(
    model,
    data,
    *,
    steps,
    lr,
    batch_size=64,
    momentum=0.0,
    weight_decay=0.0,
    seed=0,
    optimizer="sgd",
    loss=None,
    before_step=None,
):
    """Train ``model`` in place on mini-batches and return the losses.

    Each pass over the data takes the examples in a new order and leaves out the last,
    incomplete batch, so that no batch is ever smaller than the others. The same model,
    data and seed give the same weights, bit for bit on the same CPU; PyTorch's global
    generator, its number of threads (1 during the run) and the mode of each module are
    as they were afterwards. A loss that is no longer finite does not stop the run.

    Ctrl-C, or *interrupt* in a notebook, ends the run after the step at hand: the model
    is the one after that step, a line says which, and the history is returned. A second
    one stops at once, in the middle of a step.

    Parameters
    ----------
    model : nn.Module
        In training mode; modules in it that are in eval mode, such as a frozen BN, stay
        so.
    data : tuple (x, y) of arrays or Tensors
        N examples and their targets. Floating-point numbers are converted to the dtype
        and the device of the model's parameters. Not modified.
    steps : int
        Number of updates.
    lr : float or callable
        Learning rate, or a function of the step (0 to ``steps - 1``) that returns it.
    batch_size : int, default=64
        Examples in each batch, at most N.
    momentum : float, default=0.0
        Momentum of SGD. It has nothing to do with the momentum of BN.
    weight_decay : float, default=0.0
        Weight decay of all parameters, gamma and beta included.
    seed : int, default=0
        Seed of the batches, and of whatever the model draws, such as dropout.
    optimizer : {"sgd", "adam"} or callable, default="sgd"
        By name, or a function of the parameters that returns a ``torch.optim``
        optimizer (``momentum`` and ``weight_decay`` are then yours to set).
    loss : callable, optional
        Function of outputs and targets; by default cross-entropy for integer targets
        and the mean squared error for others.
    before_step : callable, optional
        Called with (step, model) between the gradients and the update: to record
        something, or to add to the gradients.

    Returns
    -------
    History
        The losses, and where the run was interrupted.

    Raises
    ------
    ValueError
        If the model is in eval mode, if x and y differ in length, if there are fewer
        examples than ``batch_size`` or it is below 1, if ``steps`` is negative, if a
        learning rate is not a finite number of at least 0, if ``optimizer`` is no such
        name, or if targets and outputs of the mean squared error differ in shape.

    Examples
    --------
    >>> from bnlib.lab.models import mlp
    >>> net, data = mlp((4, 8, 4)), (np.eye(4), np.arange(4))
    >>> history = train(net, data, steps=20, lr=0.5, batch_size=4)
    >>> bool(history.losses[-1] < history.losses[0])
    True
    """
    x, y = _prepare(model, data, steps, batch_size)
    loss = loss or _default_loss(y)
    update = _optimizer(optimizer, model, momentum, weight_decay)
    batches = _batches(len(x), batch_size, seed)

    def one_step(step):
        _set_lr(update, lr(step) if callable(lr) else lr)
        picked = next(batches).to(x.device)
        update.zero_grad()
        value = loss(model(x[picked]), y[picked])
        value.backward()
        if before_step is not None:
            before_step(step, model)
        update.step()
        return float(value.detach())

    try:
        with _reproducible(seed, x.device):
            return _loop(one_step, steps)
    finally:
        update.zero_grad()  # a trained model needs no gradients in memory


@torch.no_grad()
def accuracy(model, x, y, *, batch_size=500):
    """Return the share of examples that ``model`` classifies correctly in eval mode.

    Parameters
    ----------
    model : nn.Module
        Gives one score for each class, shape (N, classes). Every module is afterwards
        in the mode in which it was.
    x : array or Tensor of shape (N, ...)
        Inputs, converted to the dtype and the device of the model's parameters.
    y : array or Tensor of int, shape (N,)
        Classes.
    batch_size : int, default=500
        Examples that are evaluated at a time, to save memory.

    Returns
    -------
    float
        Accuracy in [0, 1]. An example with a score that is NaN counts as wrong.

    Raises
    ------
    ValueError
        If x and y differ in length or are empty.

    Examples
    --------
    >>> net, x = torch.nn.Identity(), np.eye(4)  # the scores are the inputs
    >>> accuracy(net, x, np.array([0, 1, 2, 0]))
    0.75
    """
    x, y = _tensors_like(model, (x, y))
    with keep_modes(model):
        model.eval()
        scores = torch.cat([model(part) for part in x.split(batch_size)])
    right = (scores.argmax(1) == y) & ~scores.isnan().any(1)
    return in_float64(right).mean().item()


def _tensors_like(model, data):
    """Return (x, y) as tensors, floating-point ones in the model's dtype."""
    x, y = (p if isinstance(p, torch.Tensor) else torch.tensor(p) for p in data)
    if len(x) != len(y) or len(x) == 0:
        raise ValueError(
            "x and y must have the same number of examples, at least one, "
            f"got {len(x)} and {len(y)}; pass (inputs, targets)"
        )
    like = next(model.parameters(), x)
    return tuple(
        t.to(like.device, like.dtype if t.is_floating_point() else torch.int64)
        for t in (x, y)
    )


def _loop(one_step, steps):
    """Take the steps and return their history, shortened by an interrupt."""
    losses, interrupted_at = [], None
    with _deferred_interrupt() as interrupted:
        try:
            for step in range(steps):
                losses.append(one_step(step))
                if interrupted and step + 1 < steps:
                    raise KeyboardInterrupt
        except KeyboardInterrupt:
            interrupted_at = len(losses)
    if interrupted_at is not None:
        print(
            f"interrupted after step {interrupted_at} of {steps}: "
            "the model keeps what it has learned so far"
        )
    return History(np.array(losses), interrupted_at)


def _prepare(model, data, steps, batch_size):
    """Check what can be wrong at the door and return x and y as tensors."""
    if not model.training:
        raise ValueError(
            "model must be in training mode, got model.training=False; "
            "call model.train() first"
        )
    x, y = _tensors_like(model, data)
    if not 1 <= batch_size <= len(x):
        raise ValueError(
            f"batch_size must lie between 1 and the number of examples {len(x)}, "
            f"got {batch_size}; change it or pass more data"
        )
    if steps < 0:
        raise ValueError(f"steps must not be negative, got {steps}; pass how many")
    return x, y


def _default_loss(y):
    if not y.is_floating_point():
        return F.cross_entropy

    def mean_squared_error(output, target):
        if output.shape != target.shape:  # (N, 1) and (N,) would broadcast to (N, N)
            raise ValueError(
                "targets must have the shape of the outputs, got "
                f"{tuple(target.shape)} and {tuple(output.shape)}; reshape one of them"
            )
        return F.mse_loss(output, target)

    return mean_squared_error


def _optimizer(optimizer, model, momentum, weight_decay):
    parameters = list(model.parameters())  # those without gradient are skipped
    if callable(optimizer):
        return optimizer(parameters)
    if optimizer == "sgd":
        return torch.optim.SGD(parameters, 0.0, momentum, weight_decay=weight_decay)
    if optimizer == "adam":
        return torch.optim.Adam(parameters, 0.0, weight_decay=weight_decay)
    raise ValueError(
        "optimizer must be 'sgd', 'adam' or a function of the parameters, "
        f"got {optimizer!r}; choose one"
    )


def _set_lr(optimizer, lr):
    if not (math.isfinite(lr) and lr >= 0):
        raise ValueError(
            f"lr must be a finite number of at least 0, got {lr}; try 0.1 for SGD"
        )
    for group in optimizer.param_groups:
        group["lr"] = lr


def _batches(n, batch_size, seed):
    """Yield indices of full batches, each pass over the data in a new order."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        order = torch.randperm(n, generator=generator)
        yield from order[: n - n % batch_size].split(batch_size)


@contextmanager
def _reproducible(seed, device):
    """Run with one thread and seeded global generators, and restore both."""
    threads = torch.get_num_threads()
    on_gpu = device.type == "cuda"
    with torch.random.fork_rng(devices=[device] if on_gpu else []):
        torch.default_generator.manual_seed(seed)
        with torch.cuda.device(device) if on_gpu else nullcontext():
            if on_gpu:
                torch.cuda.manual_seed(seed)
            torch.set_num_threads(1)
            try:
                yield
            finally:
                torch.set_num_threads(threads)


@contextmanager
def _deferred_interrupt():
    """Collect a first Ctrl-C in the list that is yielded; raise at the second."""
    seen = []
    if threading.current_thread() is not threading.main_thread():
        yield seen  # only the main thread may set handlers, and only it is interrupted
        return

    def note(signum, frame):
        if seen:
            raise KeyboardInterrupt
        seen.append(signum)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield seen
    finally:
        signal.signal(signal.SIGINT, before)
