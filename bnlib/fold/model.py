"""Batch normalization folded into a whole model: fewer layers at inference.

The arithmetic for two modules is in :mod:`bnlib.fold.pair`; this module finds the
pairs, by tracing the model or, where that fails, the modules in it, and reports what
it did with each BN.
"""

import copy
from dataclasses import dataclass, field

import torch
from torch import fx, nn

from bnlib.fold.pair import WouldBeWrong, fold_batch_norm, fold_into_next
from bnlib.modules import (
    Tracer,
    as_inputs,
    copied,
    first_line,
    is_channel_norm,
    is_layer,
    refuse_not_finite,
    refuse_poisoned,
    refuse_scripted,
    relative_difference,
    split_norm,
    tensors_in,
)

__all__ = ["FoldReport", "fold"]


@dataclass
class FoldReport:
    """What :func:`fold` did; printed, one line for each BN.

    Parameters
    ----------
    folded : dict of str to str
        Name of each BN that is gone: name of the layer that took it in. All names are
        those in the model that was given. Of a BN that has an activation of its own,
        the activation is left, in its place.
    left : dict of str to str
        Name of each BN that is still there: the reason, in one sentence.
    found_by : {"graph", "modules"}
        Whether pairs were found in the traced graph of the model, or also, because it
        or a module in it cannot be traced, in the graphs of the modules inside.
    difference : float or None
        Largest difference of the outputs for ``example_input``, relative to the
        largest output; None without one.

    Examples
    --------
    >>> from bnlib.lab.models import mlp
    >>> report = fold(mlp((4, 8, 3)).eval())[1]
    >>> report.folded, report.left, report.found_by
    ({'1': '0'}, {}, 'graph')
    """

    folded: dict = field(default_factory=dict)
    left: dict = field(default_factory=dict)
    found_by: str = "graph"
    difference: float | None = None

    def __str__(self):
        """Write one line for each BN."""
        lines = [f"{bn}: folded into {layer}" for bn, layer in self.folded.items()]
        lines += [f"{bn}: left, {reason}" for bn, reason in self.left.items()]
        return "\n".join(lines) or "no batch normalization found"


@torch.no_grad()
def fold(model, example_input=None, *, strict=True):
    """Return a copy of ``model`` with each BN folded into the layer next to it.

    A BN goes into the linear layer or convolution before it, else (after an activation)
    into one after it that does not pad. If ``model`` is an ``nn.Sequential``, it has
    one module less for each, as after ``del model[i]``; in any other model
    ``nn.Identity`` takes the place. A BN stays if the value between it and the layer is
    used elsewhere, if one of the two is also called without the other, or if there is
    no such layer.

    Parameters
    ----------
    model : nn.Module
        In eval mode. Not modified. Pairs are found by tracing it with ``torch.fx``.
        Where a module cannot be traced, those inside of it are, for themselves, taken
        to be called as a whole; then ``example_input`` is needed, to see whether they
        are.
    example_input : Tensor or tuple of Tensor, optional
        What ``model`` is called with, to compare the outputs before and after. It also
        shows a BN behind a linear layer with inputs of three dimensions, which stays.
    strict : bool, default=True
        Whether to refuse a model in which a BN would have to go into a convolution
        after it that pads with zeros. If False, such a BN is left.

    Returns
    -------
    folded : nn.Module
        The folded model.
    report : FoldReport
        Where each BN went, or why it stayed.

    Raises
    ------
    ValueError
        If ``model`` or a BN in it is in training mode, if the outputs for
        ``example_input`` differ by more than rounding or are not finite, or as
        ``strict`` says; if ``forward`` asks for a BN that is gone, or cannot be traced
        and there is no ``example_input``; if a statistic or parameter of a norm is NaN
        or infinite, or a variance negative.

    References
    ----------
    Jacob et al. (2018), section 3.2, equation 14. https://arxiv.org/abs/1712.05877

    Examples
    --------
    >>> from bnlib.lab.models import mlp
    >>> folded, report = fold(mlp((4, 8, 8, 3)).eval())
    >>> print(report)
    1: folded into 0
    4: folded into 3
    """
    refuse_scripted(model)
    _refuse_training(model)
    refuse_poisoned(model)
    folded, rehearsal = copied(model), copied(model)
    output, ranks = _rehearse(rehearsal, example_input)
    graph, blocks = _calls_in_order(rehearsal)
    report = FoldReport(found_by="modules" if blocks else "graph")
    names = [name for name, m in folded.named_modules() if is_channel_norm(m)]
    called = [n.target for n in graph.nodes if n.op == "call_module"]
    for name in dict.fromkeys([n for n in called if n in names] + names):
        try:
            report.folded[name] = _fold_one(folded, graph, name, ranks)
        except (TypeError, ValueError) as reason:
            if strict and isinstance(reason, WouldBeWrong):
                raise ValueError(f"at {name!r}, {reason}") from None
            report.left[name] = f"{reason}{_inside(name, blocks)}"
    found = _tried(folded, report, example_input, blocks)
    if example_input is not None:
        report.difference = _compare(found, output, blocks)
    _renumber(folded)
    return folded, report


def _inside(name, blocks):
    """Say which module that torch.fx cannot trace holds this one; "" if none does."""
    for block, error in sorted(blocks.items(), reverse=True):  # the inner one first
        where = f"inside {block!r}" if block else "inside the model"
        if not block or f"{name}.".startswith(f"{block}."):
            return f" ({where}, which torch.fx cannot trace: {error})"
    return ""


def _tried(folded, report, example_input, blocks):
    """Run the folded model or, without an example, trace it; refuse one that breaks."""
    inside = [text for bn in report.folded if (text := _inside(bn, blocks))]
    if inside and example_input is None:
        raise ValueError(
            "what torch.fx cannot trace must be compared before and after, got "
            f"{type(folded).__name__} without example_input{inside[0]}; pass one"
        )
    try:
        if example_input is not None:
            return folded(*as_inputs(example_input))
        for name, error in _calls_in_order(copy.deepcopy(folded))[1].items():
            if name not in blocks:
                raise ValueError(error)
    except Exception as error:  # the reader's own forward may raise anything
        raise ValueError(
            f"forward must not ask for a BN that is gone, got {type(folded).__name__}, "
            f"which then fails ({first_line(error)}); fold its other layers "
            "one by one with fold_batch_norm"
        ) from None


def _refuse_training(model):
    for name, module in model.named_modules():
        if module.training and (module is model or is_channel_norm(module)):
            what = f"its {type(module).__name__} {name!r}" if name else "the model"
            raise ValueError(
                "model must be in eval mode, because in training mode BN normalizes "
                f"with the batch, got {what} in training mode; call model.eval() first"
            )


def _calls_in_order(model):
    """Return a graph of which module feeds which, and what could not be traced.

    The parts of a module that cannot be traced stand in it side by side.
    """
    graph, blocks, parts = fx.Graph(), {}, [model]
    names = {module: name for name, module in model.named_modules()}
    for part in parts:  # which grows
        if is_channel_norm(part) or next(part.children(), None) is None:
            graph.call_module(names[part], (graph.placeholder("x"),))
            continue
        tracer, traced = Tracer(look_inside=False, get_on=True), fx.Graph()
        try:
            traced = tracer.trace(part)
        except Exception as error:  # tracing runs the model's own code
            tracer.whole[""] = first_line(error)
        for path, error in tracer.whole.items():
            block = part.get_submodule(path)
            blocks[names[block]] = error
            parts += block.children()
        for n in traced.nodes:
            if n.op == "call_module":
                n.target = names[part.get_submodule(n.target)]
            elif n.op == "get_attr":
                owner, _, key = n.target.rpartition(".")
                n.target = f"{names[part.get_submodule(owner)]}.{key}"
        graph.call_function(id, (graph.graph_copy(traced, {}),))
    return graph, blocks


def _is_plain(module):
    return type(module).forward is nn.Sequential.forward


def _calls(graph, name):
    return [n for n in graph.nodes if n.op == "call_module" and n.target == name]


def _fold_one(model, graph, name, ranks):
    """Fold the BN called ``name`` in ``model`` and ``graph``; return the layer's name.

    Raises ValueError or TypeError, with the reason, if it has to stay.
    """
    bn, calls = model.get_submodule(name), _calls(graph, name)
    if not calls:
        raise ValueError("no call of it was seen")
    layer_name, before = _find_partner(model, graph, calls)
    layer = model.get_submodule(layer_name)
    if isinstance(layer, nn.Linear) and ranks.get(name, 2) != 2:
        raise ValueError(
            f"its input has {ranks[name]} dimensions, so that it works along another "
            f"axis than the linear layer {layer_name!r}"
        )
    plain, rest = split_norm(bn)
    plain = plain or bn
    if isinstance(rest, nn.Sequential) and len(rest) == 1:
        rest = rest[0]
    if rest is not None and not before:
        raise ValueError(
            f"what {type(bn).__name__} computes behind its norm stands between the "
            f"norm and the layer {layer_name!r}"
        )
    merged = fold_batch_norm(layer, plain) if before else fold_into_next(plain, layer)
    _replace(model, layer, merged)
    _replace(model, bn, rest)
    if rest is not None:
        return layer_name
    for call in calls:
        call.replace_all_uses_with(call.all_input_nodes[0])
        graph.erase_node(call)
    return layer_name


def _find_partner(model, graph, calls):
    """Return the name of the layer to fold into, and whether it comes before BN."""
    try:
        return _partner(model, graph, calls, "before"), True
    except ValueError as reason:
        try:
            return _partner(model, graph, calls, "after"), False
        except ValueError:
            raise reason from None


def _partner(model, graph, calls, side):
    """Return the name of the layer on this side of every call, and nowhere else."""
    near = [c.all_input_nodes if side == "before" else list(c.users) for c in calls]
    near = [node for nodes in near for node in nodes]
    names = {n.target if n.op == "call_module" else None for n in near}
    (name,) = names if len(names) == 1 else (None,)
    if name is None or not is_layer(model.get_submodule(name)):
        kinds = ", ".join(dict.fromkeys(_kind(model, n) for n in near))
        raise ValueError(
            f"it has no linear layer or convolution {side} it, but {kinds}"
        )
    if side == "before" and any(len(n.users) > 1 for n in near):
        raise ValueError(f"the output of {name!r} is used elsewhere too")
    uses = len(_calls(graph, name))
    if not len(near) == len(calls) == uses:
        raise ValueError(
            f"the layer {name!r} is shared: it is called {uses} times, "
            f"together with this BN {len(calls)} times"
        )
    read = [n.target for n in graph.nodes if n.op == "get_attr" and n.users]
    owners = {target.rpartition(".")[0] for target in read}
    if owners := owners & {name, calls[0].target}:
        raise ValueError(f"the parameters of {min(owners)!r} are used elsewhere too")
    return name


def _kind(model, node):
    """Name what a node of the graph is, for a reader of the report."""
    if node.op == "call_module":
        return type(model.get_submodule(node.target)).__name__
    if node.op == "placeholder":
        return "the input"
    return getattr(node.target, "__name__", str(node.target))


def _replace(model, old, new):
    """Put ``new`` in every place that holds ``old``; None takes ``old`` out."""
    for parent in list(model.modules()):
        for key, child in list(parent._modules.items()):
            if child is not old:
                continue
            if new is not None:
                parent._modules[key] = new
            elif parent is model and _is_plain(model):
                del parent._modules[key]
            else:  # the model's own forward calls, or counts on, this place
                parent._modules[key] = nn.Identity().eval()


def _renumber(model):
    """Close the gaps in a Sequential's numbers, which its methods rely upon."""
    modules = model._modules
    if _is_plain(model) and all(key.isdigit() for key in modules):
        numbers = map(str, range(len(modules)))
        model._modules = dict(zip(numbers, modules.values(), strict=True))


def _rehearse(model, example_input):
    """Run a copy of the model; return its output and how many axes each BN sees."""
    if example_input is None:
        return None, {}
    ranks = {}
    for name, module in model.named_modules():
        if is_channel_norm(module):

            def note(module, args, kwargs, name=name):
                ranks[name] = tensors_in([args, kwargs])[0].dim()

            module.register_forward_pre_hook(note, with_kwargs=True)
    output = model(*as_inputs(example_input))
    refuse_not_finite(output)
    return output, ranks


def _compare(got, want, blocks):
    """Return the relative difference of the outputs, or refuse more than rounding."""
    difference, to_rounding = relative_difference(got, want)
    if not to_rounding:
        raise ValueError(
            "the folded model must agree with the model for example_input, got a "
            f"relative difference of {difference:.1e}: forward does something that "
            f"could not be seen{''.join(_inside(b, blocks) for b in [*blocks][:1])}; "
            "fold its layers one by one with fold_batch_norm"
        )
    return difference
