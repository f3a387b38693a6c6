"""Many small networks trained at once: the sweeps over seeds and settings.

A sweep of 27 small networks, one after the other, spends much of its time on calls that
have little to do. Stacked, each layer is one batched product for all of them: 2.5 times
faster for layers of 32 units on one core in float64, 1.4 times for 64; from 100 units
on the arithmetic itself takes the time, and there is nothing to gain. Every member is
an ordinary module before and after, and ends where :func:`bnlib.lab.train.train` would
have left it alone.
"""

import copy
from contextlib import contextmanager

import numpy as np
import torch
import torch.nn.functional as F
from torch.func import functional_call, stack_module_state, vmap

from bnlib.lab import train
from bnlib.modules import has_running_statistics, in_float64, keep_modes
from bnlib.nn import reestimate

__all__ = ["Ensemble", "accuracies", "train_many"]


class Ensemble:
    """Stack networks of one architecture; call them, train them, take them out again.

    Calling it with x gives the outputs of all R members, shape (R, N, ...). x is shared
    by all of them, or ``each=True`` says that its first axis counts the members. Batch
    norms use and update the statistics of their own member.

    Parameters
    ----------
    models : sequence of nn.Module
        Networks that differ in nothing but the numbers in their parameters and buffers.
        They are copied and stay as they are. Any module will do whose ``forward`` is
        made of tensor operations; one that asks for a number with ``item()`` is not.

    Attributes
    ----------
    parameters, buffers : dict of str to Tensor
        The stacked numbers, shape (R, ...), by the name that they have in a member.
    template : nn.Module
        What all members share; its modes (training, eval) are those of the ensemble.

    Raises
    ------
    TypeError
        If the architectures differ, or modes, or which parameters learn.
    ValueError
        If there is no model, or a batch norm with ``momentum=None``.

    Examples
    --------
    >>> from bnlib.lab.models import mlp
    >>> nets = Ensemble([mlp((4, 8, 3), seed=s) for s in range(5)])
    >>> len(nets), nets(torch.ones(2, 4, dtype=torch.float64)).shape
    (5, torch.Size([5, 2, 3]))
    >>> [type(layer).__name__ for layer in nets.models()[4]]
    ['Linear', 'BatchNorm1d', 'ReLU', 'Linear']
    """

    def __init__(self, models):
        models = list(models)
        if not models:
            raise ValueError(
                "models must hold at least one network, got none; pass a list of them"
            )
        for number, model in enumerate(models):
            if _architecture(model) != _architecture(models[0]):
                raise TypeError(
                    "the models must have one architecture, got number "
                    f"{number} that differs from number 0; make an ensemble of each"
                )
        _check_momentum(models[0])
        self.template = copy.deepcopy(models[0])
        stacked, self.buffers = stack_module_state(models)
        learns = {name: p.requires_grad for name, p in models[0].named_parameters()}
        self.parameters = {
            name: value.detach().requires_grad_(learns[name])
            for name, value in stacked.items()
        }
        self._size = len(models)

    def __len__(self):
        """Return the number of members."""
        return self._size

    def train(self, mode=True):
        """Put all members in training mode, or in eval mode with ``mode=False``."""
        self.template.train(mode)
        return self

    def eval(self):
        """Put all members in eval mode."""
        return self.train(False)

    def __call__(self, x, *, each=False):
        """Return the outputs of all members, shape (R, N, ...)."""
        # The batch norms write into what they are given; on copies an exception in the
        # middle of the network leaves the statistics as they were.
        buffers = {name: value.clone() for name, value in self.buffers.items()}
        outputs = vmap(
            lambda p, b, inputs: functional_call(self.template, (p, b), (inputs,)),
            in_dims=(0, 0, 0 if each else None),
            randomness="different",
        )(self.parameters, buffers, x)
        self.buffers = buffers
        return outputs

    def models(self):
        """Return the members as new networks, in the order in which they came."""
        return [self._member(number) for number in range(len(self))]

    def _member(self, number):
        model = copy.deepcopy(self.template)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.copy_(self.parameters[name][number])
            for name, buffer in model.named_buffers():
                buffer.copy_(self.buffers[name][number])
        return model

    @torch.no_grad()
    def reestimate(self, loader):
        """Replace the running statistics of all members by population statistics.

        The moving averages lag behind in the first steps of a training; this is
        :func:`bnlib.nn.reestimate` for one member after the other.

        Parameters
        ----------
        loader : Tensor of shape (N, ...) or iterable
            Data that all members see: one batch, or the batches of
            :func:`bnlib.nn.reestimate`.

        Raises
        ------
        TypeError, ValueError
            As :func:`bnlib.nn.reestimate`, so also if there is no batch norm.
        """
        batches = [loader] if isinstance(loader, torch.Tensor) else list(loader)
        for number, member in enumerate(self.models()):
            reestimate(member, batches)
            for name, buffer in member.named_buffers():
                self.buffers[name][number] = buffer


def train_many(
    ensemble,
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
    each=False,
):
    """Train all members of an ensemble in place and return their losses.

    Each member ends where :func:`bnlib.lab.train.train` with its learning rate and its
    seed would have left it alone, to rounding, if it draws no random numbers itself
    (dropout and injected noise are drawn from the generator of the first seed). A
    member that diverges keeps its NaN to itself.

    Parameters
    ----------
    ensemble : Ensemble
        R networks in training mode.
    data : tuple (x, y) of arrays or Tensors
        N examples and their targets, as in :func:`bnlib.lab.train.train`; with
        ``each=True`` the first axis of both counts the members.
    steps : int
        Number of updates.
    lr : float, sequence of R floats, or callable
        Learning rate of all or of each, or a function of the step that returns one of
        the two.
    batch_size : int, default=64
        Examples in each batch, the same number for all members, at most N.
    momentum, weight_decay : float, default=0.0
        As in :func:`bnlib.lab.train.train`, the same for all members.
    seed : int or sequence of R ints, default=0
        Seed of the batches of all or of each: members with one seed see the same.
    optimizer : {"sgd", "adam"}, default="sgd"
        By name.
    loss : callable, optional
        Function of the outputs (R, N, ...) and the targets (R, N, ...) of all members
        that returns R losses; by default the cross-entropy for integer targets and the
        mean squared error for others.
    before_step : callable, optional
        Called with (step, ensemble) between the gradients and the update, in which the
        parameters carry the gradients of each member.
    each : bool, default=False
        Whether each member has data of its own, as when the seed also draws the split.

    Returns
    -------
    ndarray of shape (steps done, R), float64
        Loss of each batch, in training mode and before the step that it led to.

    Raises
    ------
    ValueError
        If ``lr`` or ``seed`` is a sequence that has not one value for each member, if
        ``data`` with ``each=True`` has not one entry for each, or in the cases of
        :func:`bnlib.lab.train.train`.

    Examples
    --------
    >>> from bnlib.lab.models import mlp
    >>> nets = Ensemble([mlp((4, 4)), mlp((4, 4))])
    >>> data = np.eye(4), np.arange(4)
    >>> losses = train_many(nets, data, steps=20, lr=[0.1, 1.0], batch_size=4)
    >>> losses.shape, bool(losses[-1, 1] < losses[-1, 0])
    ((20, 2), True)
    """
    count = len(ensemble)
    seeds = _for_each("seed", seed, count).tolist()
    x, y = train._tensors_like(ensemble.template, data)
    if each:
        _check_each(x, y, count)
    first = (x[0], y[0]) if each else (x, y)
    examples = len(train._prepare(ensemble.template, first, steps, batch_size)[0])
    members = torch.arange(count, device=x.device)[:, None]
    loss = loss or _default_losses(y)
    update = _Update(ensemble, optimizer, momentum, weight_decay)
    batches = {
        value: train._batches(examples, batch_size, value)
        for value in sorted(set(seeds))
    }

    def one_step(step):
        rates = lr(step) if callable(lr) else lr
        drawn = {value: next(source) for value, source in batches.items()}
        picked = torch.stack([drawn[value] for value in seeds]).to(x.device)
        update.zero_grad()
        inputs, targets = (_pick(v, picked, members if each else None) for v in (x, y))
        values = loss(ensemble(inputs, each=True), targets)
        values.sum().backward()  # each loss reaches the parameters of its member only
        if before_step is not None:
            before_step(step, ensemble)
        update.step(_for_each("lr", rates, count))
        return values.detach().cpu().double().numpy()

    try:
        with train._reproducible(seeds[0], x.device), _no_denormals():
            return train._loop(one_step, steps).losses.reshape(-1, count)
    finally:
        update.zero_grad()


@torch.no_grad()
def accuracies(ensemble, x, y, *, batch_size=500, each=False):
    """Return the share of examples that each member classifies correctly in eval mode.

    Parameters
    ----------
    ensemble : Ensemble
        R networks; their modes are afterwards as they were.
    x, y : arrays or Tensors
        Inputs and classes, as in :func:`bnlib.lab.train.accuracy`.
    batch_size : int, default=500
        Examples that are evaluated at a time, to save memory.
    each : bool, default=False
        Whether each member has data of its own, as in :func:`train_many`.

    Returns
    -------
    ndarray of shape (R,), float64
        Accuracies in [0, 1]. An example with a score that is NaN counts as wrong.

    Raises
    ------
    ValueError
        If x and y differ in length or are empty, or if with ``each=True`` they have not
        one entry for each member.

    Examples
    --------
    >>> from bnlib.lab.models import mlp
    >>> nets, data = Ensemble([mlp((4, 4))]), (np.eye(4), np.arange(4))
    >>> losses = train_many(nets, data, steps=20, lr=1.0, batch_size=4)
    >>> accuracies(nets, *data)
    array([1.])
    """
    x, y = train._tensors_like(ensemble.template, (x, y))
    if each:
        _check_each(x, y, len(ensemble))
    with keep_modes(ensemble.template):
        ensemble.eval()
        parts = x.split(batch_size, dim=int(each))
        scores = torch.cat([ensemble(part, each=each) for part in parts], dim=1)
    right = (scores.argmax(2) == y) & ~scores.isnan().any(2)
    return in_float64(right.cpu()).mean(1).numpy()


class _Update:
    """The optimizer of :func:`bnlib.lab.train.train`, with a learning rate per member.

    SGD is written out, because PyTorch's takes one rate; its formula is the same. A
    step of Adam is proportional to the rate: PyTorch's own takes it with 1, and each
    member goes its share of the way.
    """

    def __init__(self, ensemble, optimizer, momentum, weight_decay):
        if optimizer not in ("sgd", "adam"):
            raise ValueError(
                "optimizer must be 'sgd' or 'adam' for an ensemble, "
                f"got {optimizer!r}; choose one"
            )
        self.parameters = [p for p in ensemble.parameters.values() if p.requires_grad]
        self.optimizer = train._optimizer(
            optimizer, _Parameters(self.parameters), momentum, weight_decay
        )
        train._set_lr(self.optimizer, 1.0)
        self.zero_grad = self.optimizer.zero_grad
        self.momentum, self.weight_decay = momentum, weight_decay
        self.velocities = {}  # of SGD, by the parameter's place
        self.go = self._sgd if optimizer == "sgd" else self._adam

    @torch.no_grad()
    def step(self, rates):
        """Take one step, with one rate for each member."""
        if not (np.isfinite(rates).all() and (rates >= 0).all()):
            raise ValueError(
                f"lr must be finite numbers of at least 0, got {rates.tolist()}; "
                "try 0.1 for SGD"
            )
        first = self.parameters[0]
        rates = torch.as_tensor(rates, dtype=first.dtype, device=first.device)
        self.go([rates.reshape(-1, *[1] * (p.dim() - 1)) for p in self.parameters])

    def _sgd(self, rates):
        for place, (p, rate) in enumerate(zip(self.parameters, rates, strict=True)):
            if p.grad is None:
                continue
            slope = p.grad
            if self.weight_decay:
                slope = slope.add(p, alpha=self.weight_decay)
            if self.momentum and place in self.velocities:
                slope = self.velocities[place].mul_(self.momentum).add_(slope)
            elif self.momentum:
                slope = self.velocities[place] = slope.clone()
            p.addcmul_(rate, slope, value=-1)

    def _adam(self, rates):
        before = [p.clone() for p in self.parameters]
        self.optimizer.step()
        for parameter, old, rate in zip(self.parameters, before, rates, strict=True):
            parameter.sub_(old).mul_(rate).add_(old)


class _Parameters:
    """A list of tensors where a module is expected."""

    def __init__(self, tensors):
        self.tensors = tensors

    def parameters(self):
        return self.tensors


def _architecture(model):
    """Return what must be equal for two models to be stacked."""
    state = model.state_dict().items()
    shapes = [(name, tuple(v.shape), v.dtype, v.device) for name, v in state]
    modes = [module.training for module in model.modules()]
    return repr(model), shapes, modes, [p.requires_grad for p in model.parameters()]


def _check_momentum(model):
    """Refuse the cumulative average: its weight is a number that ``item()`` reads."""
    for name, module in model.named_modules():
        if has_running_statistics(module) and module.momentum is None:
            raise ValueError(
                "a stacked batch norm must have a number as momentum, got None in "
                f"{name!r}; set momentum=0.1, or train one network after the other"
            )


def _pick(values, picked, members):
    """Return the picked examples of each member, (R, N, ...).

    Rows of one long array are copied much faster than entries at two indices.
    """
    if members is not None:
        picked = picked + members * values.shape[1]
        values = values.flatten(0, 1)
    return values.index_select(0, picked.flatten()).unflatten(0, picked.shape)


def _check_each(x, y, count):
    """Refuse data that are not one set for each member."""
    if x.shape[0] != count or y.shape[0] != count or x.shape[1] != y.shape[1]:
        raise ValueError(
            f"with each=True x and y must start with the {count} networks and then the "
            f"examples, got shapes {tuple(x.shape)} and {tuple(y.shape)}; stack them"
        )


def _for_each(name, values, count):
    """Return an array of one value for each member."""
    values = np.asarray(values)
    if values.shape not in [(), (count,)]:
        raise ValueError(
            f"{name} must be one value or one for each of the {count} networks, "
            f"got shape {values.shape}; change its length"
        )
    return np.broadcast_to(values, (count,)).copy()


def _default_losses(y):
    """Return the function that gives each member's mean loss, as ``train`` does."""

    def losses(outputs, targets):
        pairs = outputs.flatten(0, 1), targets.flatten(0, 1)
        if y.is_floating_point():
            if outputs.shape != targets.shape:
                raise ValueError(
                    "targets must have the shape of the outputs, got "
                    f"{tuple(targets.shape[1:])} and {tuple(outputs.shape[1:])}; "
                    "reshape one of them"
                )
            each = F.mse_loss(*pairs, reduction="none")
        else:
            each = F.cross_entropy(*pairs, reduction="none")
        return each.reshape(len(outputs), -1).mean(1)

    return losses


@contextmanager
def _no_denormals():
    """Flush denormal numbers to 0: vanished signals would make the run crawl."""
    before = (torch.tensor(1e-310, dtype=torch.float64) * 0.5).item() == 0
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)
