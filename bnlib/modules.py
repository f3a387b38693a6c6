"""What several rooms ask about PyTorch modules, each question answered once.

Which modules are batch norms, how to run a model and leave its modes as they were,
which tensors it takes and gives, how to trace it, and when two outputs are the same.
"""

import copy
import inspect
import itertools
import math
import operator
from collections import OrderedDict
from contextlib import contextmanager

import torch
from torch import fx, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm

__all__ = [
    "Tracer",
    "as_inputs",
    "call",
    "copied",
    "first_line",
    "has_running_statistics",
    "in_float64",
    "is_batch_norm",
    "is_channel_norm",
    "is_layer",
    "keep_modes",
    "poisoned",
    "refuse_not_finite",
    "refuse_poisoned",
    "refuse_scripted",
    "relative_difference",
    "same_draw",
    "split_norm",
    "tensors_in",
]

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED_CONVOLUTIONS = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
# What normalizes in each class of PyTorch and does nothing else.
PLAIN_FORWARDS = _BatchNorm.forward, nn.SyncBatchNorm.forward, _InstanceNorm.forward
NORM_ATTRIBUTES = ("running_mean", "running_var", "weight", "bias", "eps")


def is_channel_norm(module):
    """Tell whether a module normalizes each channel by itself: batch, instance norm.

    It is known by its attributes (which may be None), not by its class, so that a
    reader's own counts, too: running_mean, running_var, weight, bias and eps.

    Parameters
    ----------
    module : nn.Module
        Any module.

    Returns
    -------
    bool
        Whether it has them.
    """
    return all(hasattr(module, name) for name in NORM_ATTRIBUTES)


def is_batch_norm(module):
    """Tell whether a module is a batch norm of PyTorch, of bnlib or a reader's own.

    Parameters
    ----------
    module : nn.Module
        Any module.

    Returns
    -------
    bool
        Whether it is a norm of each channel (:func:`is_channel_norm`) that takes its
        statistics over the batch, so no instance norm.
    """
    by_example = getattr(module, "_each_example", isinstance(module, _InstanceNorm))
    return is_channel_norm(module) and not by_example


def is_layer(module):
    """Tell whether a module is a linear layer or convolution, by what it computes.

    Parameters
    ----------
    module : nn.Module
        Any module.

    Returns
    -------
    bool
        True also for subclasses, but not for those with a ``forward`` of their own.
    """
    return any(
        isinstance(module, kind) and type(module).forward is kind.forward
        for kind in (nn.Linear, *CONVOLUTIONS, *TRANSPOSED_CONVOLUTIONS)
    )


@torch.no_grad()
def split_norm(norm):
    """Take a norm apart that computes more than its class says, an activation, say.

    Parameters
    ----------
    norm : nn.Module
        A norm of each channel. Not modified.

    Returns
    -------
    plain : nn.Module or None
        A batch norm of PyTorch with the parameters and statistics of ``norm``, in eval
        mode; None if ``forward`` is PyTorch's own, or cannot be taken apart.
    rest : nn.Module or None
        What comes behind it: an ``nn.Sequential`` of modules that belong to ``norm``,
        whose ``names`` are theirs there, or else a traced module; None if nothing does.
    """
    hooks = norm._forward_hooks or norm._forward_pre_hooks
    if type(norm).forward in PLAIN_FORWARDS or norm.running_mean is None or hooks:
        return None, None
    whole = copy.deepcopy(norm).eval()
    whole._check_input_dim = lambda x: None  # it asks for values, which stops a tracer
    try:
        graph = Tracer(look_inside=False).trace(whole)
    except Exception:  # tracing runs the reader's own code
        return None, None
    if not _without_norm(graph):
        return None, None
    inner = [n for n in graph.nodes if n.op not in ("placeholder", "output")]
    rest = fx.GraphModule(norm, graph) if inner else None
    if inner and all(n.op == "call_module" for n in inner):
        modules = {n.target: norm.get_submodule(n.target) for n in inner}
        names = [n.target for n in inner if type(modules[n.target]) is not nn.Identity]
        rest = nn.Sequential(*(modules[name] for name in names)) if names else None
    if rest is not None:
        rest.training = norm.training  # its children keep theirs
        rest.names = names if isinstance(rest, nn.Sequential) else None
    plain = nn.BatchNorm2d(norm.running_mean.numel(), norm.eps, affine=False).eval()
    for name in NORM_ATTRIBUTES[:4]:
        plain._parameters.pop(name, None)
        setattr(plain, name, getattr(norm, name))
    try:
        fit = _are_together(plain, rest or nn.Identity(), whole)
    except Exception:  # a norm for data of other axes
        fit = False
    return (plain, rest) if fit else (None, None)


def _without_norm(graph):
    """Take F.batch_norm out of the graph; tell whether there was one."""
    norms = [n for n in graph.nodes if n.target is nn.functional.batch_norm]
    if len(norms) != 1:
        return False
    norms[0].replace_all_uses_with(norms[0].args[0])
    for node in reversed(graph.nodes):  # also assertions, whose value nobody reads
        if not node.users and node.op not in ("placeholder", "output"):
            graph.erase_node(node)
    return True


def _are_together(plain, rest, whole):
    """Try both parts and the whole in both modes, near the mean and far from it."""
    dims = {nn.BatchNorm1d: 0, nn.BatchNorm3d: 3}
    dims = next((d for kind, d in dims.items() if isinstance(whole, kind)), 2)
    whole, parts = whole.cpu(), copy.deepcopy(nn.Sequential(plain, rest)).cpu()
    parts[0]._check_input_dim = whole._check_input_dim
    mean, std = parts[0].running_mean.clone(), parts[0].running_var.sqrt()
    for mode, reach in itertools.product((False, True), (2, 100)):
        steps = torch.linspace(-reach, reach, 8, dtype=std.dtype)[:, None]
        x = (mean + std * steps).reshape(8, -1, *[1] * dims)
        got, want = (_drawn(m.train(mode), x) for m in (parts, whole))
        if not relative_difference(got, want)[1]:
            return False
    return True


def _drawn(module, x):
    """Run a module with the same random numbers each time."""
    with same_draw(module):
        torch.manual_seed(0)
        return module(x)


def has_running_statistics(module):
    """Tell whether a module is a norm that keeps running statistics.

    Parameters
    ----------
    module : nn.Module
        Any module.

    Returns
    -------
    bool
        True for batch norm, and for instance norm with ``track_running_stats=True``.
    """
    return is_channel_norm(module) and module.running_mean is not None


def poisoned(norm, names=("running_mean", "running_var")):
    """Say which number of a norm is NaN, infinite or, as a variance, not positive.

    A variance of 0 is sound if eps is not 0.

    Parameters
    ----------
    norm : nn.Module
        A norm of each channel (:func:`is_channel_norm`).
    names : sequence of str
        Attributes to look at; one that is None is passed over.

    Returns
    -------
    str
        The first of them, its value and channel, "" if all are sound.
    """
    for name in names:
        values = getattr(norm, name)
        if values is None:
            continue
        sound = values.isfinite()
        if name == "running_var":  # a zero is sound with eps only
            sound &= (values >= 0) & (values + norm.eps > 0)
        if not sound.all():
            k = int((~sound.flatten()).nonzero()[0])
            what = f"{name} {values.flatten()[k].item():.3g} in channel {k}"
            return what if norm.eps else f"{what} (eps 0)"
    return ""


def refuse_poisoned(model):
    """Refuse a model with a norm whose statistics or parameters are no sound numbers.

    Parameters
    ----------
    model : nn.Module
        Holds norms, or is one.

    Raises
    ------
    ValueError
        If one is NaN or infinite, or a variance negative; names norm and channel.
    """
    for name, norm in model.named_modules():
        what = is_channel_norm(norm) and poisoned(norm, NORM_ATTRIBUTES[:4])
        if what:
            raise ValueError(
                "the statistics and parameters of each norm must be finite and no "
                f"variance negative, got {what} of {name or type(norm).__name__!r}; "
                "re-estimate the statistics (bnlib.nn.heal), or go back to a checkpoint"
            )


def refuse_scripted(model):
    """Refuse a model of torch.jit or torch.export, which runs nothing of its modules.

    Parameters
    ----------
    model : nn.Module
        Any model.

    Raises
    ------
    ValueError
        If it is, or holds, one.
    """
    for module in model.modules():
        nodes = module.graph.nodes if isinstance(module, fx.GraphModule) else ()
        exported = any(isinstance(n.target, torch._ops.OpOverload) for n in nodes)
        if exported or isinstance(module, torch.jit.ScriptModule):
            raise ValueError(
                "model must be made of modules that run in Python, got "
                f"{type(module).__name__}; pass the model that it was made from"
            )


def refuse_not_finite(output):
    """Refuse an output that nothing can be compared with.

    Parameters
    ----------
    output : Tensor, dict, list or tuple
        What a model gives for its example.

    Raises
    ------
    ValueError
        If a value is NaN or infinite, or if there are tensors without values only.
    """
    tensors = tensors_in(output)
    if tensors and not any(tensor.numel() for tensor in tensors):
        raise ValueError(
            "outputs for example_input must hold numbers to compare, got shape "
            f"{tuple(tensors[0].shape)}; pass at least one example"
        )
    for tensor in tensors:
        wrong = tensor[~tensor.isfinite()]
        if len(wrong):
            raise ValueError(
                f"outputs for example_input must be finite, got {float(wrong[0])} "
                f"({len(wrong)} such values); check the input and the parameters"
            )


def in_float64(x):
    """Return a tensor in float64, on the CPU unless its device is sure to have that.

    Parameters
    ----------
    x : Tensor
        On any device; Apple's GPUs (MPS) know no float64.

    Returns
    -------
    Tensor
        The same values, or ``x`` itself.
    """
    return (x if x.is_cuda else x.cpu()).to(torch.float64)


def copied(model, share=False, memo=()):
    """Return a deep copy of a model.

    Parameters
    ----------
    model : nn.Module
        Any model.
    share : bool, default=False
        Whether the copy holds the same parameters and hooks, which takes a third of the
        time: for a use that changes neither.
    memo : dict, optional
        What the copy shall hold in the place of an object, by its ``id``.

    Returns
    -------
    nn.Module
        The copy.

    Raises
    ------
    ValueError
        If PyTorch cannot copy it.
    """
    memo = dict(memo)
    for module in model.modules():
        for key, value in vars(module).items():
            if type(value) in (dict, OrderedDict) and not value:
                memo[id(value)] = type(value)()  # a module has ten, which copy slowly
            elif share and "_hooks" in key:
                memo[id(value)] = value
        if share:
            memo |= {id(v): v for v in module._parameters.values()}
    try:
        return copy.deepcopy(model, memo)
    except RuntimeError as error:
        raise ValueError(
            f"model must be one that can be copied, got {type(model).__name__} "
            f"({str(error).split('. ')[0]}); run it once under torch.no_grad() before"
        ) from None


def first_line(error):
    """Return the first line of what an error says, or its name.

    Parameters
    ----------
    error : Exception
        Any.

    Returns
    -------
    str
        One line.
    """
    return (str(error).splitlines() or [type(error).__name__])[0]


@contextmanager
def keep_modes(model):
    """Restore the mode of every module on leaving, also after an error.

    Parameters
    ----------
    model : nn.Module
        Its modules may be put into other modes inside.

    Yields
    ------
    nn.Module
        The model itself.
    """
    modes = {module: module.training for module in model.modules()}
    try:
        yield model
    finally:
        for module, mode in modes.items():
            module.training = mode


def same_draw(model):
    """Restore the generators of random numbers on leaving.

    Parameters
    ----------
    model : nn.Module
        Tells whose generators: those of the CPU and of the GPUs that it is on.

    Returns
    -------
    context manager
        To run the model in.
    """
    gpus = {p.device.index for p in model.parameters() if p.is_cuda}
    return torch.random.fork_rng(devices=list(gpus))


def as_inputs(example_input):
    """Return the positional arguments that a model is called with, as copies.

    A model may write into its input: one that starts with an in-place ReLU does.

    Parameters
    ----------
    example_input : Tensor or tuple of Tensor
        One argument, or all.

    Returns
    -------
    tuple of Tensor
        All.
    """
    inputs = example_input if isinstance(example_input, tuple) else (example_input,)
    return tuple(v.clone() if torch.is_tensor(v) else v for v in inputs)


def call(model, inputs):
    """Call a model with one input or with several.

    Parameters
    ----------
    model : nn.Module
        To call.
    inputs : Tensor, tuple or dict
        One argument, all positional ones, or all by name.

    Returns
    -------
    object
        What it returns.

    Raises
    ------
    TypeError
        If they do not fit the arguments of ``forward``.
    """
    args, kwargs = ((), inputs) if isinstance(inputs, dict) else (as_inputs(inputs), {})
    try:
        inspect.signature(model.forward).bind(*args, **kwargs)
    except TypeError as error:
        raise TypeError(
            "inputs must be the argument of forward, a tuple of all or a dict of all "
            f"by name, got {type(inputs).__name__} for {type(model).__name__} ({error})"
            "; put several into a tuple of their own, without the targets"
        ) from None
    return model(*args, **kwargs)


def tensors_in(value, every=False):
    """List the floating-point tensors in what a module takes or gives.

    Parameters
    ----------
    value : Tensor, dict, list or tuple
        Tensors, nested to any depth; everything else is passed over.
    every : bool, default=False
        Whether to list those of integers and booleans, too.

    Returns
    -------
    list of Tensor
        In their order.
    """
    if isinstance(value, torch.Tensor):
        return [value] if every or value.is_floating_point() else []
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list | tuple):
        return []
    return [tensor for part in value for tensor in tensors_in(part, every)]


@torch.no_grad()
def relative_difference(got, want):
    """Return how far outputs lie apart, and whether rounding can explain it.

    Parameters
    ----------
    got, want : Tensor, dict, list or tuple
        Outputs of two models; compared are the floating-point tensors in them.

    Returns
    -------
    difference : float
        Largest difference in units of the largest value of its tensor; NaN if one of
        the values is NaN, infinite if the shapes differ.
    to_rounding : bool
        Whether it is below the square root of the spacing of the numbers (``eps`` of
        the dtype) in each tensor.
    """
    got, want = ([t for t in tensors_in(out) if t.numel()] for out in (got, want))
    if [t.shape for t in got] != [t.shape for t in want]:
        return math.inf, False
    errors = [
        float((g - w).abs().max() / w.abs().max().clamp(min=torch.finfo(w.dtype).tiny))
        for g, w in zip(got, want, strict=True)
    ]
    limits = [torch.finfo(w.dtype).eps ** 0.5 for w in want]
    # A NaN is below no limit, and stays where Python's max() might lose it.
    worst = math.nan if any(map(math.isnan, errors)) else max(errors, default=0.0)
    return worst, all(map(operator.lt, errors, limits))


class Tracer(fx.Tracer):
    """Record the calls of a model, down to PyTorch's own modules, layers and norms.

    Parameters
    ----------
    look_inside : bool, default=True
        Whether to trace what a reader's own module without children computes, or to
        take such a module as a whole.
    get_on : bool, default=False
        Whether a module whose forward cannot be traced is taken as a whole, too;
        ``whole`` has the names of those, and what stopped the tracer.
    """

    def __init__(self, look_inside=True, get_on=False):
        super().__init__()
        self.look_inside, self.get_on, self.whole = look_inside, get_on, {}

    def trace(self, root, concrete_args=None):
        """Trace a model; what its modules are is asked before, when that is quick."""
        modules = [m for m in root.modules() if m is not root]
        self.known = {m for m in modules if is_channel_norm(m) or is_layer(m)}
        return super().trace(root, concrete_args)

    def is_leaf_module(self, m, module_qualified_name):
        """Tell which module is one call, whatever it does inside."""
        whole = not self.look_inside and next(m.children(), None) is None
        whole = whole or m in self.known
        return whole or super().is_leaf_module(m, module_qualified_name)

    def call_module(self, m, forward, args, kwargs):
        """Trace a module, or else forget what was recorded of it and note one call."""
        if not self.get_on:
            return super().call_module(m, forward, args, kwargs)
        known, stack = len(self.graph.nodes), self.module_stack.copy()
        try:
            return super().call_module(m, forward, args, kwargs)
        except Exception as error:  # tracing runs the module's own code
            for node in list(self.graph.nodes)[: known - 1 : -1]:
                self.graph.erase_node(node)
            self.module_stack = stack
            path = self.path_of_module(m)
            self.whole[path] = first_line(error)
            return self.create_proxy("call_module", path, args, kwargs)
