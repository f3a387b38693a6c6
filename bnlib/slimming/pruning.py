"""Network slimming: channels whose gamma is near 0 are removed, physically.

    penalty = l1_gamma(model, 1e-2)              # train(..., before_step=penalty)
    cut = plan(model, 0.7, example_input=x)      # print it, edit it
    absorbed, report = absorb(model, cut)        # print this, too
    small = prune(absorbed, cut)                 # then fine-tune

Liu et al. (2017), "Learning efficient convolutional networks through network slimming",
https://arxiv.org/abs/1708.06519. Which channels belong together is found by
:mod:`bnlib.slimming.wiring`; :func:`summary` counts parameters and multiplications.
"""

import copy
import math
from dataclasses import dataclass, field

import torch
from torch import nn

from bnlib.modules import is_channel_norm, relative_difference
from bnlib.slimming.constants import add_constant, constants, masked, output
from bnlib.slimming.size import Summary, summary
from bnlib.slimming.wiring import trace

__all__ = [
    "Group",
    "Plan",
    "Summary",
    "absorb",
    "l1_gamma",
    "plan",
    "prune",
    "summary",
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
    """
    if not (math.isfinite(strength) and strength >= 0):
        raise ValueError(
            f"strength must be a finite number of at least 0, got {strength}; "
            "0 switches the penalty off"
        )
    norms = [m for m in model.modules() if is_channel_norm(m) and m.weight is not None]
    if not norms:
        raise ValueError(
            f"model must have a batch normalization with a gamma, got "
            f"{type(model).__name__} without; slimming has nothing to rank by"
        )

    @torch.no_grad()
    def add(step=None, model=None):
        for norm in norms:
            if norm.weight.grad is not None:
                norm.weight.grad += strength * norm.weight.sign()

    return add


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
    """

    groups: dict
    threshold: float
    fixed: dict
    example_input: object = field(repr=False)

    @property
    def removed(self):
        """Share of the channels that go, in [0, 1]."""
        return 1 - self._count("kept") / self._count("scores")

    def _count(self, what):
        values = [getattr(group, what) for group in self.groups.values()]
        return sum(int(v.sum()) if what == "kept" else len(v) for v in values)

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
        lines += [f"{name:{width}}  all: {why}" for name, why in self.fixed.items()]
        gone = self._count("scores") - self._count("kept")
        return "\n".join(
            [
                *lines,
                f"{gone} of {self._count('scores')} channels go ({self.removed:.0%}), "
                f"global threshold {self.threshold:.4f} (* floor)",
            ]
        )


@torch.no_grad()
def plan(model, ratio, *, floor=0.1, example_input):
    """Choose the channels to remove: those with the smallest gammas of the whole net.

    Parameters
    ----------
    model : nn.Module
        Linear layers, convolutions (also depthwise and transposed), norms, activations,
        pooling, additions, concatenations, one flattening; traceable by ``torch.fx``.
        Not modified.
    ratio : float in [0, 1)
        Share of all channels to remove. A channel that several layers share counts
        once. Not counted are those that have no norm, or that are inputs or outputs.
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
        cannot be traced, if it has nothing to rank, or if channels behind a norm reach
        something that cannot lose some, which is then named.

    References
    ----------
    Liu et al. (2017), the global threshold. https://arxiv.org/abs/1708.06519
    """
    if not (0 <= ratio < 1 and 0 <= floor <= 1):
        raise ValueError(
            "ratio must lie in [0, 1) and floor in [0, 1], "
            f"got {ratio} and {floor}; 0.5 and 0.1 are a start"
        )
    wiring = trace(model, example_input)
    groups, fixed = _groups(model, wiring)
    if not groups:
        raise ValueError(
            "model must have a norm with gamma whose channels may go, got none; "
            + ("; ".join(f"{n}: {why}" for n, why in fixed.items()) or "add norms")
        )
    threshold = _apply_threshold(groups.values(), ratio, floor)
    return Plan(groups, threshold, fixed, example_input)


@torch.no_grad()
def prune(model, plan):
    """Build the smaller model.

    Each removed channel goes from the layers that compute it, their norms and the input
    of the layers that read it. What remains gives the output that ``model`` gives with
    gamma and beta 0 on these channels (if the activation is 0 at 0). Modes, dtype,
    device and ``requires_grad`` are those of ``model``.

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
        smaller model does not run or gives another output than the masked one, because
        its forward counts on sizes that only the reader's code knows.
    """
    wiring, gone = _prepare(model, plan)
    pruned = copy.deepcopy(model)
    for name, module in pruned.named_modules():
        if name in wiring.outputs or name in wiring.inputs:
            inputs = _kept_positions(wiring.inputs.get(name), gone)
            outputs = _kept_positions(wiring.outputs.get(name), gone)
            _slice(module, inputs, outputs)
    _compare(pruned, masked(model, wiring, gone), plan.example_input)
    return pruned


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
    report : dict of str to str
        Name of each layer that took something in: "exact", or why it is not.

    Raises
    ------
    ValueError
        If the plan does not fit the model, or leaves a layer without channel.
    """
    wiring, gone = _prepare(model, plan)
    absorbed, report = masked(model, wiring, gone), {}
    for name, constant in constants(wiring, gone, plan.example_input).items():
        if add_constant(absorbed, wiring, name, constant.response):
            report[name] = constant.remark
    return absorbed, report


# --- which channels form a group, and where the threshold lies ------------------------


def _groups(model, wiring):
    modules, scores = dict(model.named_modules()), {}
    for name in wiring.norms:
        sizes = modules[name].weight.detach().abs().double().cpu().tolist()
        for i, size in zip(wiring.outputs[name].tolist(), sizes, strict=True):
            scores.setdefault(i, []).append(size)
    groups, fixed = {}, {}
    for i in sorted(set(scores) & set(wiring.producers)):
        layers = wiring.producers[i]
        if i in wiring.fixed:
            fixed[layers[0]] = wiring.fixed[i]
        else:
            groups.setdefault(layers, []).append(i)
    made = {}
    for layers, ids in groups.items():
        known = set(ids)
        norms = [n for n in wiring.norms if known & set(wiring.outputs[n].tolist())]
        means = [sum(scores[i]) / len(scores[i]) for i in ids]
        name = layers[0] if layers[0] not in made else " + ".join(layers)
        kept = torch.ones(len(ids), dtype=torch.bool)
        values = torch.tensor(means, dtype=torch.float64)
        made[name] = Group(layers, tuple(norms), values, kept, torch.tensor(ids))
    return made, fixed


def _apply_threshold(groups, ratio, floor):
    """Mark what goes, and return the largest score among it."""
    free = []
    for g in groups:
        protected = max(1, math.ceil(floor * len(g.scores)))
        order = g.scores.argsort(stable=True)
        free += [(float(g.scores[i]), g, i) for i in order[: len(order) - protected]]
    count = round(ratio * sum(len(g.scores) for g in groups))
    if count > len(free):
        raise ValueError(
            f"ratio and floor must leave enough to remove, got ratio {ratio} (that is "
            f"{count} channels) while floor {floor} frees {len(free)}; lower one"
        )
    free.sort(key=lambda entry: entry[0])
    for _, g, i in free[:count]:
        g.kept[i] = False
    return free[count - 1][0] if count else 0.0


# --- taking channels out ------------------------------------------------------------


def _prepare(model, plan):
    """Return the wiring of ``model`` and the set of channels that go."""
    wiring = trace(model, plan.example_input)
    groups, _ = _groups(model, wiring)
    here = {name: g.channels.tolist() for name, g in groups.items()}
    there = {name: g.channels.tolist() for name, g in plan.groups.items()}
    if here != there:
        raise ValueError(
            "plan must be made for this model, got one for layers of other names or "
            "sizes; call plan again"
        )
    gone = set()
    for name, g in plan.groups.items():
        kept = torch.as_tensor(g.kept)
        if kept.dtype != torch.bool or kept.shape != g.scores.shape or not kept.any():
            raise ValueError(
                f"kept of {name!r} must be {len(g.scores)} booleans, at least one of "
                f"them True, got {kept.dtype} of shape {tuple(kept.shape)} with "
                f"{int(kept.sum())} True; a layer needs a channel"
            )
        gone |= set(g.channels[~kept].tolist())
    return wiring, gone


def _kept_positions(ids, gone):
    """Return the positions of the channels that stay, None if all do."""
    if ids is None or not gone.intersection(ids.tolist()):
        return None
    return torch.tensor([k for k, i in enumerate(ids.tolist()) if i not in gone])


def _slice(module, inputs, outputs):
    """Keep these inputs and outputs of a module, and correct what it says of itself."""
    transposed = getattr(module, "transposed", False)
    grouped = getattr(module, "groups", 1) > 1
    times = module.out_channels // module.groups if grouped else 0
    for name, axis, stay in (
        ("weight", 0, inputs if transposed else outputs),
        ("weight", 1, outputs if transposed else inputs),
        *((v, 0, outputs) for v in ("bias", "running_mean", "running_var")),
    ):
        value = getattr(module, name, None)
        if value is not None and stay is not None:
            setattr(module, name, _select(value, axis, stay.to(value.device)))
    for names, stay in (
        (("in_channels", "in_features"), inputs),
        (("out_channels", "out_features", "num_features", "num_parameters"), outputs),
    ):
        for name in names:
            if hasattr(module, name) and stay is not None:
                setattr(module, name, len(stay))
    if times and outputs is not None:  # depthwise: as many groups as inputs
        module.groups = module.in_channels = len(outputs) // times


def _select(value, axis, stay):
    picked = value.detach().index_select(axis, stay)
    if isinstance(value, nn.Parameter):
        return nn.Parameter(picked, requires_grad=value.requires_grad)
    return picked


def _compare(pruned, reference, example_input):
    """Refuse a pruned model that is not the masked one, to rounding."""
    try:
        got = output(pruned, example_input)
    except Exception as error:  # the reader's own forward may raise anything
        raise ValueError(
            "forward must work with fewer channels, got an error from the pruned "
            f"{type(pruned).__name__} ({str(error).splitlines()[0]}); take sizes from "
            "the tensors, not from numbers in the code"
        ) from None
    want = output(reference, example_input)
    difference, to_rounding = relative_difference(got, want)
    if not to_rounding:
        raise ValueError(
            "the pruned model must agree with the masked one, got a relative "
            f"difference of {difference:.1e}: forward does something with channels "
            "that could not be seen; prune its parts one by one"
        )
