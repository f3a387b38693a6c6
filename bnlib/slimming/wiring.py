"""Which channels of a model belong together: the wiring that pruning needs.

A channel that is removed from one layer has to go from all the others that hold it: the
norm behind it, the input of the next layer, and every layer whose output is added to
it. :func:`trace` runs a model once on an example and follows each channel through.
"""

import copy
import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import fx, nn
from torch.nn.utils.parametrize import is_parametrized

from bnlib.modules import (
    CONVOLUTIONS,
    TRANSPOSED_CONVOLUTIONS,
    Tracer,
    as_inputs,
    is_channel_norm,
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
    contiguous clone detach float double to interpolate pad
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
    module : fx.GraphModule
        The model as it was traced, a copy in eval mode.
    """

    inputs: dict
    outputs: dict
    norms: tuple
    producers: dict
    fixed: dict
    module: fx.GraphModule


@torch.no_grad()
def trace(model, example_input):
    """Follow the channels of ``model`` from layer to layer.

    Parameters
    ----------
    model : nn.Module
        Not modified. It must be traceable by ``torch.fx``.
    example_input : Tensor or tuple of Tensor
        What the model is called with; channels are the second axis.

    Returns
    -------
    Channels
        The wiring.

    Raises
    ------
    ValueError
        If the model cannot be traced, or if channels behind a norm reach a module or
        an operation that does not treat them separately; the message names it.
    """
    module = _traced(copy.deepcopy(model).eval())
    walk = _Walk(module)
    walk.run(*as_inputs(example_input))
    return walk.channels()


def _traced(model):
    if is_channel_norm(model) or type(model).__module__.startswith("torch.nn"):
        model = model if isinstance(model, nn.Sequential) else nn.Sequential(model)
    try:
        return fx.GraphModule(model, Tracer().trace(model))
    except Exception as error:  # tracing runs the model's own code
        raise ValueError(
            f"model must be traceable by torch.fx, got {type(model).__name__}, whose "
            f"forward stops it ({str(error).splitlines()[0]}); take decisions that "
            "depend on values out of forward"
        ) from None


class _Walk(fx.Interpreter):
    """Run the model and carry along, for each tensor, the numbers of its channels."""

    def __init__(self, module):
        super().__init__(module)
        self.parent = []  # of each channel, as in union-find
        self.ids = {}  # node -> channels of its tensor
        self.shape = {}
        self.inputs, self.outputs, self.produced, self.refused = {}, {}, {}, {}
        self.kept = {}

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
        elif self._tensors(n) and not _asks_for_shape(n):
            self._refuse(n)
        return value

    def channels(self):
        roots = {i: self._root(i) for i in range(len(self.parent))}
        for i, where in self.refused.items():
            if roots[i] in {roots[j] for n in self._norms() for j in self.outputs[n]}:
                raise ValueError(where)
        produced = {}
        for name, ids in self.produced.items():
            for i in ids:
                produced.setdefault(roots[i], []).append(name)
        renamed = [
            {name: np.array([roots[i] for i in ids]) for name, ids in d.items()}
            for d in (self.inputs, self.outputs)
        ]
        kept = self.refused | self.kept
        return Channels(
            *renamed,
            self._norms(),
            {i: tuple(dict.fromkeys(names)) for i, names in produced.items()},
            {roots[i]: reason for i, reason in kept.items()},
            self.module,
        )

    def _norms(self):
        modules = {name: self.module.get_submodule(name) for name in self.outputs}
        return tuple(
            n for n, m in modules.items() if is_channel_norm(m) and m.weight is not None
        )

    # --- what each kind of node does to the channels ---------------------------------

    def _placeholder(self, n, shape):
        if len(shape) < 2:
            return ()
        return self._keep(self._new(shape[1]), "it is an input of the model")

    def _get_attr(self, n, shape):
        return self._refuse(n, shape) if math.prod(shape) > 1 else ()

    def _call_module(self, n, shape):
        module = self.module.get_submodule(n.target)
        ids = self.ids[n.all_input_nodes[0]] if n.all_input_nodes else ()
        before = self.shape[n.all_input_nodes[0]] if n.all_input_nodes else ()
        if is_parametrized(module):
            return self._refuse(n, shape, "its weight is parametrized")
        if is_channel_norm(module) or (
            isinstance(module, nn.PReLU) and module.weight.numel() > 1
        ):
            return self._note(self.outputs, n.target, ids)
        if isinstance(module, (nn.Linear, *CONVOLUTIONS, *TRANSPOSED_CONVOLUTIONS)):
            return self._layer(n, module, ids, before, shape)
        if type(module).__name__ in CHANNELWISE_MODULES.split():
            return ids
        if isinstance(module, nn.Flatten):
            return self._flattened(n, ids, before, shape)
        return self._refuse(n, shape)

    def _layer(self, n, module, ids, before, shape):
        groups = getattr(module, "groups", 1)
        if isinstance(module, nn.Linear) and len(before) != 2:
            return self._refuse(n, shape, f"its input has {len(before)} dimensions")
        if groups == 1:
            self._note(self.inputs, n.target, ids)
            new = self.outputs.get(n.target) or self._new(shape[1])
            self.produced[n.target] = new
            return self._note(self.outputs, n.target, new)
        if groups != module.in_channels or isinstance(module, TRANSPOSED_CONVOLUTIONS):
            return self._refuse(n, shape, f"it has {groups} groups of channels")
        # Depthwise: each output channel lives and dies with its one input channel.
        return self._note(self.outputs, n.target, _repeat(ids, shape[1] // len(ids)))

    def _call_function(self, n, shape):
        tensors, name = self._tensors(n), _name(n)
        ids = self.ids[tensors[0]] if tensors else ()
        before = self.shape[tensors[0]] if tensors else ()
        if name in COUPLING_FUNCTIONS.split():
            return self._joined(n, tensors, shape)
        if name in ("cat", "concat") and _axis(n, 1, len(shape)) == 1:
            # Not the distinct tensors: cat([x, x]) has the channels of x twice.
            parts = n.args[0] if n.args else n.kwargs["tensors"]
            if isinstance(parts, list | tuple):
                return [i for node in parts for i in self.ids[node]]
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
        wide = [self.ids[t] for t in tensors if len(self.ids[t]) == shape[1]]
        if any(self.shape[t] and len(self.ids[t]) != shape[1] for t in tensors):
            return self._refuse(n, shape, "it repeats one channel for all")
        for other in wide[1:]:
            self._join(wide[0], other)
        return wide[0]

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
        self._join(where.setdefault(name, ids), ids)
        return ids

    def _keep(self, ids, reason):
        self.kept |= dict.fromkeys(ids, reason)
        return ids

    def _refuse(self, n, shape=(0, 0), reason="it does not treat channels separately"):
        where = n.target if n.op in ("call_module", "get_attr") else _name(n)
        kind = (
            f" ({type(self.module.get_submodule(where)).__name__})"
            if n.op == "call_module"
            else f" in {_owner(n)}"
        )
        sentence = (
            "channels behind a norm must reach only layers that can lose some, got "
            f"{where!r}{kind}: {reason}; prune the part of the model before it"
        )
        for node in self._tensors(n):
            self.refused |= dict.fromkeys(self.ids[node], sentence)
        if len(shape) < 2:
            return ()
        new = self._new(shape[1])
        self.refused |= dict.fromkeys(new, sentence)
        return new


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
