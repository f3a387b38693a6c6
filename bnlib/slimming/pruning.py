"""Network slimming: channels whose gamma is near 0 are removed, physically.

    penalty = l1_gamma(model, 1e-2)              # train(..., before_step=penalty)
    cut = plan(model, 0.7, example_input=x)      # print it, edit it
    absorbed, report = absorb(model, cut)        # print this, too
    small = prune(absorbed, cut)                 # then fine-tune

Liu et al. (2017), "Learning efficient convolutional networks through network slimming",
https://arxiv.org/abs/1708.06519. Which channels belong together is found by
:mod:`bnlib.slimming.wiring`.
"""

import copy
import math
from dataclasses import dataclass, field, replace
from numbers import Real

import numpy as np
import torch
from torch import nn

from bnlib.modules import (
    as_inputs,
    copied,
    first_line,
    in_float64,
    is_channel_norm,
    refuse_not_finite,
    refuse_poisoned,
    relative_difference,
    same_draw,
    tensors_in,
)
from bnlib.slimming.constants import add_constant, constants, masked, output, quiet
from bnlib.slimming.wiring import Channels, trace, training_code

__all__ = [
    "AbsorbReport",
    "Group",
    "Plan",
    "absorb",
    "l1_gamma",
    "plan",
    "prune",
    "shrink_gamma",
]


def l1_gamma(model, strength):
    """Make a function that adds the gradient of an L1 penalty on every gamma.

    It adds ``strength * sign(gamma)`` to the gradients, which pulls each gamma toward 0
    at a constant speed; one that the loss does not hold arrives there and stays close.
    How far it can travel in a run is::

        strength * sum(lr) / (1 - momentum)

    with the sum over the steps, so choose ``strength`` by this product: it should be a
    few times the gamma at the start. A run with a hundredth of the steps needs a
    hundred times the strength.

    That law holds for SGD. Adam divides each gradient by its usual size, the penalty
    with it: a gamma without other gradient moves by ``lr`` in each step, whatever the
    strength, and any other by a share of it that depends on the noise of its gradient.
    With Adam and its relatives take :func:`shrink_gamma`, which no optimizer rescales.

    Parameters
    ----------
    model : nn.Module
        The penalty is on the weights of its batch norms (and instance norms), whether
        they keep running statistics or not, and on no other parameter.
    strength : float
        Weight of the sum of all absolute gammas in the loss, lambda in the paper.

    Returns
    -------
    callable
        Without arguments, or with those that ``train(before_step=...)`` passes. Call it
        after ``backward`` and before the step; a gamma without gradient is skipped.

    Raises
    ------
    ValueError
        If ``strength`` is negative or not finite, or if the model has no gamma.

    References
    ----------
    Liu et al. (2017), the penalty on scaling factors. https://arxiv.org/abs/1708.06519

    Examples
    --------
    >>> from bnlib.lab.models import mlp
    >>> net = mlp((4, 8, 3))
    >>> penalty = l1_gamma(net, 0.5)
    >>> net(torch.ones(2, 4, dtype=torch.float64)).sum().backward()
    >>> before = net[1].weight.grad.clone()
    >>> penalty()
    >>> net[1].weight.grad - before  # all gammas are positive
    tensor([0.5000, 0.5000, 0.5000, 0.5000, 0.5000, 0.5000, 0.5000, 0.5000],
           dtype=torch.float64)
    """

    def pull(gamma):
        gamma.grad += strength * gamma.sign()

    return _to_each_gamma(model, "strength", strength, pull)


def shrink_gamma(model, amount):
    """Make a function that moves every gamma toward 0 by a fixed amount, and not past.

    The proximal step of the same L1 penalty, beside the optimizer instead of through
    its gradients: the way is ``amount`` times the number of steps whatever the
    optimizer, and what arrives at 0 is exactly 0. ``amount`` stands for ``lr *
    strength`` of :func:`l1_gamma`; divide it by ``1 - momentum`` to go as far as with
    SGD and momentum.

    Parameters
    ----------
    model : nn.Module
        As for :func:`l1_gamma`.
    amount : float
        How far each gamma moves in one call.

    Returns
    -------
    callable
        Without arguments, or with those that ``train(before_step=...)`` passes. Call it
        once for each step, before or after; a gamma without gradient is skipped.

    Raises
    ------
    ValueError
        If ``amount`` is negative or not finite, or if the model has no gamma.

    References
    ----------
    Parikh & Boyd (2014), section 6.5.2: the L1 norm. https://doi.org/10.1561/2400000003

    Examples
    --------
    >>> from bnlib.lab.models import mlp
    >>> net = mlp((4, 2, 3))
    >>> net(torch.ones(2, 4, dtype=torch.float64)).sum().backward()
    >>> shrink = shrink_gamma(net, 0.75)
    >>> shrink()
    >>> net[1].weight.detach()
    tensor([0.2500, 0.2500], dtype=torch.float64)
    >>> shrink()
    >>> net[1].weight.detach()
    tensor([0., 0.], dtype=torch.float64)
    """

    def shrink(gamma):
        gamma -= gamma.clamp(-amount, amount)

    return _to_each_gamma(model, "amount", amount, shrink)


def _to_each_gamma(model, name, value, change):
    """Return what changes each gamma in a step; refuse a bad number or none of them."""
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(
            f"{name} must be a finite number of at least 0, got {value}; "
            "0 switches the penalty off"
        )
    norms = [m for m in model.modules() if is_channel_norm(m) and m.weight is not None]
    if not norms:
        raise ValueError(
            f"model must have a batch normalization with a gamma, got "
            f"{type(model).__name__} without; slimming has nothing to rank by"
        )

    @torch.no_grad()
    def act(step=None, model=None):
        for norm in norms:
            if norm.weight.grad is not None:
                change(norm.weight)

    return act


@dataclass
class Group:
    """Channels of one layer, or of several that must keep the same ones.

    Parameters
    ----------
    layers : tuple of str
        The layers that compute these channels; several where outputs are added.
    norms : tuple of str
        The norms whose gammas rank the channels, the mean of their sizes where there
        are several.
    scores : Tensor of shape (C,)
        Mean size of gamma of each channel.
    kept : Tensor of bool, shape (C,)
        Which channels stay. Yours to change before :func:`prune`.
    channels : Tensor of int, shape (C,)
        Number of each channel in the wiring.

    Examples
    --------
    >>> from bnlib.lab.models import mlp
    >>> net, x = mlp((4, 8, 3)), torch.ones(2, 4, dtype=torch.float64)
    >>> net[1].weight.data = torch.arange(1.0, 9.0, dtype=torch.float64)
    >>> group = plan(net, 0.5, example_input=x).groups["0"]  # a Group
    >>> group.layers, group.norms
    (('0',), ('1',))
    >>> group.kept
    tensor([False, False, False, False,  True,  True,  True,  True])
    """

    layers: tuple
    norms: tuple
    scores: torch.Tensor
    kept: torch.Tensor
    channels: torch.Tensor


@dataclass
class Plan:
    """What :func:`prune` shall remove; printed, it is a table.

    Parameters
    ----------
    groups : dict of str to Group
        Name of the first layer of each group: the group.
    threshold : float
        Largest gamma that was taken out, 0 if none was. Channels below it stay where
        the floor protects them.
    fixed : dict of str to str
        Name of each layer with norm whose channels cannot go: the reason.
    example_input : Tensor or tuple of Tensor
        What the plan was made with.
    wiring : Channels
        Which channel occurs where, without the model.
    shapes : dict of str to tuple
        Shapes of what the model holds.

    Examples
    --------
    >>> from bnlib.lab.models import mlp
    >>> net, x = mlp((4, 8, 3)), torch.ones(2, 4, dtype=torch.float64)
    >>> net[1].weight.data = torch.arange(1.0, 9.0, dtype=torch.float64)
    >>> cut = plan(net, 0.5, example_input=x)
    >>> print(cut)
    layer   kept     of  smallest kept  coupled with
    0          4      8        5.0000
    4 of 8 channels go (50%), global threshold 4.0000 (* floor)
    >>> cut.removed, cut.threshold
    (0.5, 4.0)
    """

    groups: dict
    threshold: float
    fixed: dict
    example_input: object = field(repr=False)
    wiring: Channels = field(repr=False)
    shapes: dict = field(repr=False)

    @property
    def removed(self):
        """Share of the channels that go, in [0, 1]."""
        return 1 - float(self._kept().double().mean())

    def _kept(self):
        return torch.cat([torch.as_tensor(g.kept) for g in self.groups.values()])

    def __str__(self):
        """Write one line for each group of channels."""
        width = max([len(name) for name in (*self.groups, *self.fixed, "layer")])
        lines = [f"{'layer':{width}}   kept     of  smallest kept  coupled with"]
        for name, g in self.groups.items():
            smallest = float(g.scores[g.kept].min()) if g.kept.any() else math.nan
            by_floor = "*" if smallest <= self.threshold else " "
            others = ", ".join(g.layers[1:])
            row = f"{name:{width}} {int(g.kept.sum()):6d} {len(g.kept):6d}"
            lines.append(f"{row}  {smallest:12.4f}{by_floor}  {others}".rstrip())
        for name, why in self.fixed.items():
            share = "some" if name in self.groups else "all"
            lines.append(f"{name:{width}}  {share}: {why}")
        kept = self._kept()
        gone = int((~kept).sum())
        return "\n".join(
            [
                *lines,
                f"{gone} of {len(kept)} channels go ({self.removed:.0%}), "
                f"global threshold {self.threshold:.4f} (* floor)",
            ]
        )


@torch.no_grad()
def plan(model, ratio, *, floor=0.1, example_input):
    """Choose the channels to remove: those with the smallest gammas of the whole net.

    Parameters
    ----------
    model : nn.Module
        Linear layers, convolutions (also grouped, which lose whole groups, and
        transposed), norms, activations, pooling, additions, concatenations, one
        flattening. Channels that reach anything else stay, and so do those that a layer
        reads without a norm; ``fixed`` of the plan says why. The model's own forward
        must be traceable by ``torch.fx``. Not modified.
    ratio : float in [0, 1)
        Share of all channels to remove. Channels that several layers share, and those
        of one group of a grouped convolution, count once. Not counted are those that
        have no norm, that are inputs or outputs, or that must stay.
    floor : float in [0, 1], default=0.1
        Share of each layer's channels, rounded up and at least one, that stays in any
        case. Without it a global threshold may close a layer.
    example_input : Tensor or tuple of Tensor
        What ``model`` is called with, channels along the second axis.

    Returns
    -------
    Plan
        Print it; change ``kept`` of its groups as you like.

    Raises
    ------
    ValueError
        If ratio or floor lies outside, or if they contradict each other; if the model
        cannot be traced, or if it has no channel with a norm that may go (what holds
        them is then named); if a statistic or parameter of a norm is NaN or infinite,
        or a variance negative.

    References
    ----------
    Liu et al. (2017), the global threshold. https://arxiv.org/abs/1708.06519

    Examples
    --------
    >>> from bnlib.lab.models import mlp
    >>> net, x = mlp((4, 8, 3)), torch.ones(2, 4, dtype=torch.float64)
    >>> net[1].weight.data = torch.arange(1.0, 9.0, dtype=torch.float64)
    >>> cut = plan(net, 0.75, example_input=x)
    >>> cut.groups["0"].kept
    tensor([False, False, False, False, False, False,  True,  True])
    >>> cut.groups["0"].kept[0] = True  # a plan may be edited
    >>> cut.removed
    0.625
    """
    numbers = isinstance(ratio, Real) and isinstance(floor, Real)
    if not (numbers and 0 <= ratio < 1 and 0 <= floor <= 1):
        raise ValueError(
            "ratio must lie in [0, 1) and floor in [0, 1], "
            f"got {ratio!r} and {floor!r}; 0.5 and 0.1 are a start"
        )
    refuse_poisoned(model)
    wiring = trace(model, example_input)
    groups, fixed = _groups(model, wiring)
    if not groups:
        reasons = [f"{name}: {why}" for name, why in fixed.items()]
        reasons = reasons or ["there is no norm behind a layer that could be followed"]
        if len(reasons) > 3:
            reasons[3:] = [f"and {len(reasons) - 3} others"]
        raise ValueError(
            "model must have a norm with gamma whose channels may go, got none; "
            f"{'; '.join(reasons)}"
        )
    threshold = _apply_threshold(groups.values(), ratio, floor)
    wiring = replace(wiring, module=None, graph=None)
    return Plan(groups, threshold, fixed, example_input, wiring, _shapes(model))


@torch.no_grad()
def prune(model, plan):
    """Build the smaller model.

    Each removed channel goes from the layers that compute it, their norms and the input
    of the layers that read it. What remains gives the output that ``model`` gives with
    gamma and beta 0 on these channels (if the activation is 0 at 0). Modes, dtype,
    device, memory format and ``requires_grad`` are those of ``model``, and what shares
    a parameter still does.

    Parameters
    ----------
    model : nn.Module
        The model that the plan was made for, or one of its shape. Not modified.
    plan : Plan
        Which channels stay.

    Returns
    -------
    nn.Module
        A new model of the same class, without gradients of its own yet.

    Raises
    ------
    ValueError
        If the plan does not fit the model or leaves a layer without channel, or if the
        smaller model does not run, in eval mode or in training mode, or gives another
        output than the masked one, because its forward counts on sizes that only the
        reader's code knows. As for :func:`plan`, if a norm is poisoned, and if the
        output is not finite.

    Notes
    -----
    A class and a state dict are not enough to load the smaller model, since the class
    knows the old sizes only. Either keep the whole module, ``torch.save(small, file)``
    and ``torch.load(file, weights_only=False)``, or keep what the plan says and the
    state dict, and prune a fresh net before they are loaded::

        kept = {name: group.kept for name, group in cut.groups.items()}
        torch.save({"kept": kept, "state": small.state_dict()}, file)

        saved, fresh = torch.load(file), Net()
        cut = plan(fresh, 0, example_input=x)
        for name, kept in saved["kept"].items():
            cut.groups[name].kept = kept
        small = prune(fresh, cut)
        small.load_state_dict(saved["state"])

    The second way does not know of a bias that :func:`absorb` has made for a layer
    without one; then take the first.

    References
    ----------
    Liu et al. (2017), pruned channels. https://arxiv.org/abs/1708.06519

    Examples
    --------
    >>> from bnlib.lab.models import mlp
    >>> net, x = mlp((4, 8, 3)), torch.ones(2, 4, dtype=torch.float64)
    >>> net[1].weight.data = torch.arange(1.0, 9.0, dtype=torch.float64)
    >>> small = prune(net, plan(net, 0.75, example_input=x))
    >>> [tuple(p.shape) for p in small.parameters()]
    [(2, 4), (2,), (2,), (3, 2), (3,)]
    """
    wiring, gone = plan.wiring, _gone(model, plan)
    sizes, slices = {}, {}
    for name in wiring.inputs | wiring.outputs:
        inputs = _kept_positions(wiring.inputs.get(name), gone)
        outputs = _kept_positions(wiring.outputs.get(name), gone)
        sizes[name] = _slice(model.get_submodule(name), inputs, outputs, slices)
    pruned = copied(model, memo=slices)
    for name, size in sizes.items():
        vars(pruned.get_submodule(name)).update(size)
    _compare(pruned, model, plan, gone)
    if wiring.by_mode:
        _refuse_broken_training(pruned, model, wiring.unseen, plan.example_input)
    return pruned


class AbsorbReport(dict):
    """What :func:`absorb` did: name of each layer that reads dead channels: how.

    The text is "exact", or says why it is not.

    Parameters
    ----------
    remarks : dict of str to str
        The names and texts.
    before, difference : float
        How far the output for the plan's example lies from that with gamma 0 on the
        dead channels, root mean square and relative: without absorbing, and with it.

    Examples
    --------
    >>> from bnlib.lab.models import mlp
    >>> net, x = mlp((4, 8, 3)), torch.ones(2, 4, dtype=torch.float64)
    >>> net[1].weight.data = torch.arange(1.0, 9.0, dtype=torch.float64)
    >>> absorbed, report = absorb(net, plan(net, 0.5, example_input=x))
    >>> dict(report), report.difference
    ({'3': 'exact'}, 0.0)
    """

    def __init__(self, remarks, before, difference):
        super().__init__(remarks)
        self.before, self.difference = before, difference


@torch.no_grad()
def absorb(model, plan):
    """Move what dead channels still say into the layers that hear it.

    A channel with gamma 0 is not silent: it hands on ``activation(beta)``, the same for
    every example. Times the weights of the next layer that is a constant, which is
    taken from the running mean of the norm behind that layer or, without one, added to
    its bias. The dead channels then have gamma and beta 0 and weights 0 in the next
    layer: what is left is what :func:`prune` builds. If gamma is not quite 0, or the
    next layer pads with zeros, where the constant does not reach, this is an
    approximation.

    In training mode a norm subtracts any constant by itself: absorbing matters for the
    output before fine-tuning and for layers without norm.

    Parameters
    ----------
    model : nn.Module
        The model that the plan was made for. Not modified.
    plan : Plan
        Which channels stay.

    Returns
    -------
    absorbed : nn.Module
        A new model of the same size.
    report : AbsorbReport
        A dict: name of each layer that reads dead channels: "exact", or why it is not.
        Its ``before`` and ``difference`` say how much was gained.

    Raises
    ------
    ValueError
        If the plan does not fit the model, or leaves a layer without channel, or if the
        output is no nearer to that of the model with gamma 0 than without absorbing.
        As for :func:`plan`, if a norm is poisoned, and if the output is not finite.

    Examples
    --------
    >>> from bnlib.lab.models import mlp
    >>> net, x = mlp((4, 8, 3)).eval(), torch.ones(2, 4, dtype=torch.float64)
    >>> with torch.no_grad():
    ...     net[1].weight[:4] = 0  # four channels are dead,
    ...     net[1].bias[:4] = 1  # and say 1
    >>> cut = plan(net, 0.5, example_input=x)
    >>> absorbed, report = absorb(net, cut)
    >>> report["3"], torch.allclose(prune(absorbed, cut)(x), net(x))
    ('exact', True)
    """
    gone, wiring = _gone(model, plan), trace(model, plan.example_input)
    if _numbers(wiring) != _numbers(plan.wiring):
        raise ValueError(MISFIT)
    absorbed, remarks = copy.deepcopy(model), {}
    silent = masked(model, wiring, gone)
    for name, value in silent.items():
        place, _, key = name.rpartition(".")
        getattr(absorbed.get_submodule(place), key).data.copy_(value)
    for name, constant in constants(wiring, gone, plan.example_input).items():
        done = add_constant(absorbed, wiring, name, constant.response)
        remarks[name] = constant.remark if done else "left: its bias is shared"
    x, still = plan.example_input, quiet(model, wiring, gone)
    outputs = output(model, x, still), output(model, x, silent), output(absorbed, x)
    return absorbed, _reported(remarks, *outputs)


def _reported(remarks, want, without, got):
    """Return the report, or refuse what absorbing has not made better."""
    refuse_not_finite(want)
    before, after = _distance(without, want), _distance(got, want)
    inexact = [f"{n} ({r})" for n, r in remarks.items() if r != "exact"]
    better = after < (before if inexact else before / 10)
    if not (better or relative_difference(got, want)[1]):
        raise ValueError(
            "absorbing must bring the output to that with gamma 0 on the dead channels,"
            f" got a relative difference of {after:.2g} with it and {before:.2g} "
            f"without (at {', '.join(inexact[:3]) or 'a place out of sight'}); "
            "prune without it"
        )
    return AbsorbReport(remarks, before, after)


def _distance(got, want):
    """Return the root mean square difference of outputs, relative to the outputs."""
    got, want = (
        torch.cat([in_float64(t).cpu().flatten() for t in tensors_in(out)])
        for out in (got, want)
    )
    return float((got - want).norm() / want.norm().clamp(min=1e-300))


# --- which channels form a group, and where the threshold lies ------------------------


def _groups(model, wiring):
    norms, groups, fixed, made = wiring.norms, {}, {}, {}
    gammas = [in_float64(model.get_submodule(n).weight.detach()) for n in norms]
    ids = np.concatenate([np.empty(0, int), *map(wiring.outputs.get, norms)])
    owner = np.repeat(np.arange(len(norms)), [*map(len, gammas)])
    channels, place, count = np.unique(ids, return_inverse=True, return_counts=True)
    sums = np.bincount(place, torch.cat(gammas).abs().cpu().numpy()) if norms else count
    scores = torch.from_numpy(sums / count)
    for k, i in enumerate(channels.tolist()):
        layers = wiring.producers.get(i)
        if i in wiring.fixed and layers:
            fixed.setdefault(layers[0], wiring.fixed[i])
        elif layers:
            groups.setdefault(layers, []).append(k)
    for layers, places in groups.items():
        member = np.bincount(places, minlength=len(channels))[place] > 0
        of_these = np.flatnonzero(np.bincount(owner[member]))
        name = layers[0] if layers[0] not in made else " + ".join(layers)
        kept = torch.ones(len(places), dtype=torch.bool)
        which = torch.from_numpy(channels[places])
        in_order = tuple(norms[k] for k in of_these)
        made[name] = Group(layers, in_order, scores[places], kept, which)
    return made, fixed


def _apply_threshold(groups, ratio, floor):
    """Mark what goes, and return the largest score among it."""
    free = []
    for g in groups:
        protected = max(1, math.ceil(floor * len(g.scores)))
        order = g.scores.argsort(stable=True)
        free.append(g.scores.index_fill(0, order[len(order) - protected :], math.inf))
    every = torch.cat(free)
    count, most = round(ratio * len(every)), int(every.isfinite().sum())
    if count > most:
        raise ValueError(
            f"ratio and floor must leave enough to remove, got ratio {ratio} (that is "
            f"{count} channels) while floor {floor} frees {most}; lower one"
        )
    goes = every.argsort(stable=True)[:count]
    kept = torch.ones(len(every), dtype=torch.bool).index_fill(0, goes, False)
    for g, of_these in zip(groups, kept.split([*map(len, free)]), strict=True):
        g.kept[:] = of_these
    return float(every[goes[-1]]) if count else 0.0


# --- taking channels out ------------------------------------------------------------


MISFIT = (
    "plan must be made for this model, got one for layers of other names or sizes; "
    "call plan again (of what absorb returns, the model is the first part)"
)


def _shapes(model):
    """Return the shapes of what a model holds, but for biases: absorbing makes some."""
    state = model.state_dict().items()
    return {name: tuple(v.shape) for name, v in state if not name.endswith("bias")}


def _numbers(wiring):
    both = wiring.inputs, wiring.outputs
    return [{name: ids.tolist() for name, ids in d.items()} for d in both]


def _gone(model, plan):
    """Tell which channels go, or refuse a plan that does not fit."""
    if not isinstance(model, nn.Module) or _shapes(model) != plan.shapes:
        raise ValueError(MISFIT)
    refuse_poisoned(model)
    wiring = plan.wiring
    every = np.concatenate([*wiring.inputs.values(), *wiring.outputs.values()])
    gone = np.zeros(1 + every.max(), bool)
    for name, g in plan.groups.items():
        kept = torch.as_tensor(g.kept)
        if kept.dtype != torch.bool or kept.shape != g.scores.shape or not kept.any():
            raise ValueError(
                f"kept of {name!r} must be {len(g.scores)} booleans, at least one of "
                f"them True, got {kept.dtype} of shape {tuple(kept.shape)} with "
                f"{int(kept.sum())} True; a layer needs a channel"
            )
        gone[g.channels[~kept]] = True
    return gone


def _kept_positions(ids, gone):
    """Return the positions of the channels that stay, None if all do."""
    if ids is None or not gone[ids].any():
        return None
    return torch.from_numpy((~gone[ids]).nonzero()[0])


def _slice(module, inputs, outputs, slices):
    """Note what is left of a module's tensors, and return what it says of itself."""
    transposed = getattr(module, "transposed", False)
    grouped = getattr(module, "groups", 1) > 1 and outputs is not None
    if grouped:  # whole groups stay, with all of their inputs
        groups = outputs[:: module.out_channels // module.groups]
        groups = groups // (module.out_channels // module.groups)
        each = torch.arange(module.in_channels // module.groups)
        inputs = (groups[:, None] * len(each) + each).flatten()
    axes = (outputs, None if grouped else inputs)
    if transposed:
        axes = (inputs, None if grouped else outputs)
    for name in ("weight", "bias", "running_mean", "running_var"):
        value = getattr(module, name, None)
        if value is not None:  # what is shared is copied once, from its place here
            slices[id(value)] = _select(value, axes if name == "weight" else (outputs,))
    size = {"groups": len(groups)} if grouped else {}
    for names, stay in (
        (("in_channels", "in_features"), inputs),
        (("out_channels", "out_features", "num_features", "num_parameters"), outputs),
    ):
        if stay is not None:
            size |= {name: len(stay) for name in names if hasattr(module, name)}
    return size


def _select(value, axes):
    """Return a copy of what stays of a tensor along its first axes."""
    if all(stay is None for stay in axes):
        return copy.deepcopy(value)
    picked = value.detach()
    for axis, stay in enumerate(axes):
        if stay is not None:
            picked = picked.index_select(axis, stay.to(value.device))
    layout = {4: torch.channels_last, 5: torch.channels_last_3d}.get(value.dim())
    last = layout and value.is_contiguous(memory_format=layout)
    if last and not value.is_contiguous():
        picked = picked.contiguous(memory_format=layout)
    if isinstance(value, nn.Parameter):
        return nn.Parameter(picked, requires_grad=value.requires_grad)
    return picked


def _refuse_broken_training(pruned, model, unseen, example_input):
    """Refuse a pruned model that fails in the code of training, if the whole one runs.

    Of a model that cannot be tried, one that calls no unseen layer may pass.
    """
    error = _failure_in_training(pruned, example_input)
    if error is None:
        return
    if unseen or _failure_in_training(model, example_input) is None:
        near = [f" (near {n!r}, which eval mode does not call)" for n in unseen[:1]]
        raise ValueError(
            "forward must work with fewer channels in training mode, too, got an error "
            f"from the pruned {type(pruned).__name__} ({error}){''.join(near)}; prune "
            "the part of the model that eval mode runs"
        )


def _failure_in_training(model, example_input):
    try:
        with same_draw(model):
            training_code(copied(model, share=True))(*as_inputs(example_input))
    except Exception as error:  # the reader's own forward may raise anything
        return first_line(error)
    return None


def _compare(pruned, model, plan, gone):
    """Refuse a pruned model that is not the masked one, to rounding."""
    try:
        got = output(pruned, plan.example_input)
    except Exception as error:  # the reader's own forward may raise anything
        raise ValueError(
            "forward must work with fewer channels, got an error from the pruned "
            f"{type(pruned).__name__} ({first_line(error)}); take sizes from "
            "the tensors, not from numbers in the code"
        ) from None
    for readers in (False, True):  # the second one costs a copy of their weights
        silent = masked(model, plan.wiring, gone, readers=readers)
        want = output(model, plan.example_input, silent)
        refuse_not_finite(want)
        difference, to_rounding = relative_difference(got, want)
        if to_rounding:
            break
    else:
        raise ValueError(
            "the pruned model must agree with the masked one, got a relative "
            f"difference of {difference:.1e}: forward does something with channels "
            "that could not be seen; prune its parts one by one"
        )
