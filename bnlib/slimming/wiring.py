"""Which channels of a model belong together: the wiring that pruning needs.

A channel that is removed from one layer has to go from all the others that hold it: the
norm behind it, the input of the next layer, and every layer whose output is added to
it. :func:`trace` runs a model once on an example and follows each channel through.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import fx, nn
from torch.func import functional_call
from torch.nn.utils.parametrize import is_parametrized

from bnlib.modules import (
    PLAIN_FORWARDS,
    Tracer,
    as_inputs,
    copied,
    first_line,
    is_channel_norm,
    is_layer,
    refuse_scripted,
    same_draw,
)

__all__ = ["Channels", "trace"]

# Modules of PyTorch that treat each channel by itself,
CHANNELWISE_MODULES = """
    ReLU ReLU6 LeakyReLU ELU CELU SELU GELU SiLU Mish Softplus Softsign Sigmoid Tanh
    Hardtanh Hardsigmoid Hardswish PReLU Identity Upsample UpsamplingNearest2d
    Dropout Dropout1d Dropout2d Dropout3d AlphaDropout
    MaxPool1d MaxPool2d MaxPool3d AdaptiveMaxPool1d AdaptiveMaxPool2d AdaptiveMaxPool3d
    AvgPool1d AvgPool2d AvgPool3d AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d
    ZeroPad1d ZeroPad2d ZeroPad3d ReflectionPad1d ReflectionPad2d ReplicationPad2d
"""
# and functions and methods that do.
CHANNELWISE_FUNCTIONS = """
    relu relu_ relu6 leaky_relu elu celu selu gelu silu mish softplus sigmoid tanh
    hardtanh hardsigmoid hardswish clamp abs neg exp sqrt dropout dropout1d dropout2d
    contiguous clone detach float double to interpolate pad stochastic_depth
    max_pool1d max_pool2d max_pool3d avg_pool1d avg_pool2d avg_pool3d
    adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d
    adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d
"""
# Functions of several tensors, channel by channel: the channels then stay together.
COUPLING_FUNCTIONS = "add add_ sub mul mul_ truediv div maximum"
RESHAPING_FUNCTIONS = "flatten view reshape squeeze"
REDUCING_FUNCTIONS = "mean sum amax amin"


@dataclass
class Channels:
    """Where each channel of a model occurs; a number stands for what must go together.

    Parameters
    ----------
    inputs : dict of str to ndarray of int
        Name of each linear layer and convolution across channels: the channel behind
        each of its inputs.
    outputs : dict of str to ndarray of int
        Name of each module with parameters or statistics for each channel: the channel
        of each.
    norms : tuple of str
        Those of them that are norms with a gamma.
    producers : dict of int to tuple of str
        Channel: the layers that compute it, in the order of the calls. More than one
        means that their outputs are added or multiplied.
    fixed : dict of int to str
        Channels that cannot go, and the reason.
    module : nn.Module
        A copy of the model, in eval mode.
    graph : fx.Graph
        Its calls.
    unseen : tuple of str
        Layers that no call was seen of, in eval mode or in training mode.
    by_mode : bool
        Whether a module that holds others asks for its mode in ``forward``. If none
        does, training mode and eval mode run the same code.
    """

    inputs: dict
    outputs: dict
    norms: tuple
    producers: dict
    fixed: dict
    module: nn.Module
    graph: fx.Graph
    unseen: tuple
    by_mode: bool


@torch.no_grad()
def trace(model, example_input):
    """Follow the channels of ``model`` from layer to layer.

    What only training mode runs, an auxiliary head say, is followed as well.

    Parameters
    ----------
    model : nn.Module
        Not modified. Its own forward must be traceable by ``torch.fx``; a module inside
        that is not is taken as a whole.
    example_input : Tensor or tuple of Tensor
        What the model is called with; channels are the second axis.

    Returns
    -------
    Channels
        The wiring. Channels that reach a module or an operation that does not treat
        them separately are fixed, and so are those that a layer reads without a norm.

    Raises
    ------
    ValueError
        If the model cannot be traced or copied, or is a wrapper around the real one.
    """
    refuse_scripted(model)
    _refuse_wrapper(model)
    model = copied(model, share=True)
    if is_channel_norm(model) or type(model).__module__.startswith("torch.nn"):
        model = model if isinstance(model, nn.Sequential) else nn.Sequential(model)
    asked = _watch_modes(model)
    graph = _traced(model, nn.Module.eval)
    walk = _Walk(model, graph)
    walk.run(*as_inputs(example_input))
    unseen = _unseen(model, graph)
    if unseen and asked:
        try:
            training = _traced(model, training_code)
        except ValueError:
            training = graph
        model.eval()
        with same_draw(model):
            walk.go_on(training, example_input)
        unseen &= _unseen(model, training)
    walk.tie(model)
    return Channels(*walk.channels(), model, graph, tuple(sorted(unseen)), bool(asked))


def _watch_modes(model):
    """Return a list that grows when a module that holds others asks for its mode."""
    asked = []
    mode = property(
        lambda module: asked.append(module) or vars(module)["training"],
        lambda module, training: vars(module).update(training=training),
    )
    for module in filter(_holds_code, model.modules()):
        kind = type(module)
        members = {"training": mode, "__module__": kind.__module__}
        module.__class__ = type(kind.__name__, (kind,), members)
    return asked


def _holds_code(module):
    """Tell whether a module may run code by its mode that is not a layer's own."""
    return next(module.children(), None) is not None and not is_channel_norm(module)


def training_code(model):
    """Put a model into a mode in which it runs the code of training and stays as it is.

    Modules that hold others are in training mode, norms and all others in eval mode, so
    that no statistics move.

    Parameters
    ----------
    model : nn.Module
        Modified in place.

    Returns
    -------
    nn.Module
        The same model.
    """
    for module in model.modules():
        module.training = _holds_code(module)
    return model


def _refuse_wrapper(model):
    inner = "_orig_mod" if hasattr(model, "_orig_mod") else "module"
    parallel = nn.DataParallel, nn.parallel.DistributedDataParallel
    if isinstance(model, parallel) or inner == "_orig_mod":
        raise ValueError(
            f"model must be the net itself, got {type(model).__name__} around it; pass "
            f"model.{inner}"
        )


def _traced(model, put_into_mode):
    try:
        return Tracer(get_on=True).trace(put_into_mode(model))
    except Exception as error:  # tracing runs the model's own code
        raise ValueError(
            f"model must be traceable by torch.fx, got {type(model).__name__}, whose "
            f"forward stops it ({first_line(error)}); take decisions that "
            "depend on values out of forward"
        ) from None


def _unseen(model, graph):
    """Name the layers that are not called, alone or in a module taken as a whole."""
    called = {str(n.target) for n in graph.nodes if n.op == "call_module"}
    read = {n.target.rpartition(".")[0] for n in graph.nodes if n.op == "get_attr"}
    layers = {name for name, m in model.named_modules() if is_layer(m)} - read
    return {n for n in layers if not any(f"{n}.".startswith(f"{c}.") for c in called)}


class _Walk(fx.Interpreter):
    """Run the model and carry along, for each tensor, the numbers of its channels."""

    def __init__(self, module, graph):
        super().__init__(module, graph=graph)
        self.parent = []  # of each channel, as in union-find
        self.ids = {}  # node -> channels of its tensor
        self.shape = {}
        self.inputs, self.outputs, self.produced, self.refused = {}, {}, {}, {}
        self.kept, self.whole, self.norms = {}, {}, {}
        # A norm gives its channels other numbers, joined with those that come in: with
        # gamma 0 they are silent. Who reads one of the others reads it without a norm.
        self.silent, self.raw = set(), {}

    def run_node(self, n):
        value = super().run_node(n)
        if n.op == "output":
            for node in n.all_input_nodes:
                self._keep(self.ids.get(node, ()), "it is an output of the model")
        elif isinstance(value, torch.Tensor):
            shape = self.shape[n] = tuple(value.shape)
            ids = getattr(self, f"_{n.op}")(n, shape)
            # Should the walk have misunderstood an operation, it ends here.
            fits = not ids or shape[1:2] == (len(ids),)
            self.ids[n] = ids if fits else self._refuse(n, shape)
        elif _name(n) in ("max", "min") and _axis(n, 1, len(self._before(n))) > 1:
            self.ids[n], self.shape[n] = self._ids(n), tuple(value[0].shape)
        elif self._tensors(n) and not _asks_for_shape(n):
            self._refuse(n)
        return value

    def go_on(self, graph, example_input):
        """Walk through another graph of the same modules, which keep their channels."""
        super().__init__(self.module, graph=graph)
        self.run(*as_inputs(example_input))

    def tie(self, model):
        """Let layers that share a parameter lose the same channels, or none."""
        holders = {}
        for name, module in model.named_modules():
            for key, parameter in module._parameters.items():
                if parameter is not None:
                    holders.setdefault(parameter, []).append((name, module, key))
        for (first, one, key), *others in holders.values():
            for name, other, other_key in others:
                alike = key == other_key and _kind(one) == _kind(other)
                if not (alike and {first, name} <= self.outputs.keys()):
                    why = f"{first!r} and {name!r} share a parameter"
                    self.whole |= {first: why, name: why}
                    continue
                for ids in (self.outputs, self.inputs if key == "weight" else {}):
                    self._join(ids.get(first, ()), ids.get(name, ()))

    def channels(self):
        """Return what was found out: the first five parts of Channels."""
        for name, where in self.whole.items():
            for known in (self.inputs, self.outputs):
                for inside in known:
                    if inside == name or inside.startswith(f"{name}."):
                        self.refused |= dict.fromkeys(known[inside], where)
        roots = [self._root(i) for i in range(len(self.parent))]
        produced = {}
        for name, ids in self.produced.items():
            for i in ids:
                produced.setdefault(roots[i], {})[name] = None
        new = np.array(roots, int)
        inputs = {name: new[np.array(ids, int)] for name, ids in self.inputs.items()}
        outputs = {name: new[np.array(ids, int)] for name, ids in self.outputs.items()}
        kept = self.raw | self.refused | self.kept
        producers = {i: tuple(names) for i, names in produced.items()}
        fixed = {roots[i]: reason for i, reason in kept.items()}
        return inputs, outputs, tuple(self.norms), producers, fixed

    # --- what each kind of node does to the channels ---------------------------------

    def _placeholder(self, n, shape):
        if len(shape) < 2:
            return ()
        return self._keep(self._new(shape[1]), "it is an input of the model")

    def _get_attr(self, n, shape):
        owner = n.target.rpartition(".")[0]
        module = self.module.get_submodule(owner)
        if n.users and (is_layer(module) or is_channel_norm(module)):
            self.whole[owner] = f"the parameters of {owner!r} are used elsewhere too"
        return self._refuse(n, shape) if math.prod(shape) > 1 else ()

    def _call_module(self, n, shape):
        module = self.module.get_submodule(n.target)
        ids, before = self._ids(n), self._before(n)
        if is_parametrized(module):
            return self._refuse(n, shape, "its weight is parametrized")
        if is_layer(module) and "weight" not in module._parameters:
            return self._refuse(n, shape, "its weight is computed by a hook")
        if is_channel_norm(module):
            self._note(self.outputs, n.target, ids)
            if module.weight is None:
                return ids
            self.norms[n.target] = None
            return self._silenced(ids) if _falls_silent(module, before) else ids
        if isinstance(module, nn.PReLU) and module.weight.numel() > 1:
            return self._note(self.outputs, n.target, ids)
        if is_layer(module):
            return self._layer(n, module, ids, before, shape)
        of_torch = type(module).__module__.startswith("torch.nn")
        if of_torch and type(module).__name__ in CHANNELWISE_MODULES.split():
            return ids
        if isinstance(module, nn.Flatten):
            return self._flattened(n, ids, before, shape)
        return self._refuse(n, shape)

    def _layer(self, n, module, ids, before, shape):
        groups = getattr(module, "groups", 1)
        if isinstance(module, nn.Linear) and len(before) != 2:
            return self._refuse(n, shape, f"its input has {len(before)} dimensions")
        if 1 < groups == len(ids) and not module.transposed:
            # Depthwise: each output channel lives and dies with its one input channel.
            return self._note(self.outputs, n.target, _repeat(ids, shape[1] // groups))
        new = self.outputs.get(n.target) or self._new(shape[1])
        self.produced[n.target] = new
        if groups == 1:
            self._note(self.inputs, n.target, ids)
            raw = set(ids) - self.silent
            self.raw |= dict.fromkeys(raw, f"{n.target!r} reads it without a norm")
        for k in range(groups if groups > 1 else 0):  # whole groups live and die
            group = _part(ids, k, groups) + _part(new, k, groups)
            self._join(group[:1] * len(group), group)
        return self._note(self.outputs, n.target, new)

    def _call_function(self, n, shape):
        tensors, name = self._tensors(n), _name(n)
        ids, before = self._ids(n), self._before(n)
        if name in COUPLING_FUNCTIONS.split():
            return self._joined(n, tensors, shape)
        if name in ("cat", "concat") and _axis(n, 1, len(shape)) == 1:
            # Not the distinct tensors: cat([x, x]) has the channels of x twice.
            parts = n.args[0] if n.args else n.kwargs["tensors"]
            if isinstance(parts, list | tuple):
                return [i for node in parts for i in self.ids[node]]
        of_pair = name == "getitem" and tensors and _name(tensors[0]) in ("max", "min")
        if (name == "expand_as" or of_pair) and shape[1:2] == (len(ids),):
            return ids
        if len(tensors) == 1:
            if name in CHANNELWISE_FUNCTIONS.split():
                return ids
            if name in RESHAPING_FUNCTIONS.split():
                return self._flattened(n, ids, before, shape)
            if name in REDUCING_FUNCTIONS.split() and shape[:2] == before[:2]:
                return ids
        return self._refuse(n, shape)

    _call_method = _call_function

    def _joined(self, n, tensors, shape):
        """Couple the channels of tensors that are added or multiplied."""
        if any(len(self.shape[t]) not in (0, len(shape)) for t in tensors):
            return self._refuse(n, shape)
        if len(shape) < 2:
            return ()
        wide = [self.ids[t] for t in tensors if len(self.ids[t]) == shape[1]]
        if any(self.shape[t] and len(self.ids[t]) != shape[1] for t in tensors):
            return self._refuse(n, shape, "it repeats one channel for all")
        for other in wide[1:]:
            self._join(wide[0], other)
        if "div" in _name(n):
            return wide[0]
        # A product is silent if one factor is, a sum if all its terms are.
        by_one = "mul" in _name(n)
        return [
            next((i for i in channel if (i in self.silent) == by_one), channel[0])
            for channel in zip(*wide, strict=True)
        ]

    def _flattened(self, n, ids, before, shape):
        if shape[:2] == before[:2]:
            return ids
        fixed = [a for a in n.args[1:] if isinstance(a, int) and a > 1]
        if len(shape) != 2 or shape[1] % max(len(ids), 1) or shape[0] != before[0]:
            return self._refuse(n, shape)
        if fixed and _name(n) in ("view", "reshape"):
            return self._refuse(n, shape, f"it is written for {fixed[-1]} features")
        return _repeat(ids, shape[1] // len(ids))

    # --- channels and their classes --------------------------------------------------

    def _tensors(self, n):
        return [node for node in n.all_input_nodes if node in self.ids]

    def _ids(self, n):
        """Return the channels of the first tensor that goes in."""
        return self.ids.get(n.all_input_nodes[0], ()) if n.all_input_nodes else ()

    def _before(self, n):
        """Return the shape of the first tensor that goes in."""
        return self.shape.get(n.all_input_nodes[0], ()) if n.all_input_nodes else ()

    def _silenced(self, ids):
        """Return new numbers for the channels that come out of a norm with a gamma."""
        new = self._new(len(ids))
        self.parent[len(self.parent) - len(ids) :] = ids
        self.silent.update(new)
        return new

    def _new(self, count):
        first = len(self.parent)
        self.parent += range(first, first + count)
        return list(range(first, first + count))

    def _root(self, i):
        while self.parent[i] != i:
            self.parent[i] = self.parent[self.parent[i]]
            i = self.parent[i]
        return i

    def _join(self, some, others):
        for a, b in zip(map(self._root, some), map(self._root, others), strict=True):
            self.parent[max(a, b)] = min(a, b)

    def _note(self, where, name, ids):
        """Enter ids for a module; one that is called again keeps to the same ones."""
        known = where.setdefault(name, ids)
        if known is not ids:
            self._join(known, ids)
        return ids

    def _keep(self, ids, reason):
        self.kept |= dict.fromkeys(ids, reason)
        return ids

    def _refuse(self, n, shape=(0, 0), reason="it does not treat channels separately"):
        """Fix the channels that go into a call, and those that come out."""
        where = n.target if n.op in ("call_module", "get_attr") else _name(n)
        kind = (
            f" ({type(self.module.get_submodule(where)).__name__})"
            if n.op == "call_module"
            else f" in {_owner(n)}"
        )
        sentence = f"it reaches {where!r}{kind}: {reason}"
        for node in self._tensors(n):
            self.refused |= dict.fromkeys(self.ids[node], sentence)
        if n.op == "call_module":  # it may be called elsewhere, too
            self.whole.setdefault(n.target, sentence)
        if len(shape) < 2:
            return ()
        new = self._new(shape[1])
        self.refused |= dict.fromkeys(new, sentence)
        return new


def _falls_silent(norm, shape):
    """Tell whether a norm with gamma 0 gives the same whatever goes in."""
    if type(norm).forward in PLAIN_FORWARDS:
        return True
    x = torch.zeros(2, *shape[1:]).to(norm.weight)
    x[1] = 1
    try:
        first, other = functional_call(norm, {"weight": 0 * norm.weight}, (x,))
    except Exception:  # a reader's own may take more than x
        return False
    return torch.equal(first, other)


def _kind(module):
    """Return what must be alike in two layers whose weights have the same axes."""
    axes = (getattr(module, name, None) for name in ("transposed", "groups"))
    return is_layer(module), is_channel_norm(module), *axes


def _part(ids, k, count):
    size = len(ids) // count
    return ids[k * size : (k + 1) * size]


def _repeat(ids, times):
    return [i for i in ids for _ in range(times)]


def _name(n):
    return n.target if isinstance(n.target, str) else n.target.__name__


def _owner(n):
    """Name the module in whose forward a function is called."""
    stack = [name for name in n.meta.get("nn_module_stack", {}) if name]
    return f"module {stack[-1]!r}" if stack else "the model's forward"


def _asks_for_shape(n):
    return _name(n) in ("size", "dim", "getattr", "getitem", "numel")


def _axis(n, default, ndim):
    axis = n.kwargs.get("dim", n.args[1] if len(n.args) > 1 else 0)
    return axis % ndim if isinstance(axis, int) else default
