"""Who calls whom: what stands before and behind each norm.

A run on an example is watched from outside, by hooks and a mode for functions, so that
the model may decide as it likes. Without an example ``torch.fx`` traces it, if it can.
"""

import weakref
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from bnlib.modules import Tracer, first_line, in_float64, is_channel_norm, is_layer
from bnlib.nn.base import batch_axes, moments

CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


@dataclass
class Seen:
    """What reached a norm in one call.

    Parameters
    ----------
    mean, var : Tensor of shape (C,)
        Over all but the channels.
    count : int
        Values behind each mean.
    """

    mean: torch.Tensor
    var: torch.Tensor
    count: int


@dataclass(eq=False)
class Call:
    """One call of a module or a function.

    Parameters
    ----------
    name : str
        Of the module in the model, or of the function.
    module : nn.Module, optional
        None for a function.
    before : list of Call
        Whose outputs it reads.
    options : dict
        Keyword arguments of a function, and the positional ones by number.
    after : list of Call
        Who reads its output.
    seen : Seen, optional
        For a norm that was watched.
    grad : bool
        Whether gradients were on.
    """

    name: str
    module: nn.Module | None
    before: list
    options: dict = field(default_factory=dict)
    after: list = field(default_factory=list)
    seen: Seen | None = None
    grad: bool = True

    @property
    def kind(self):
        """Return the name of the class or the function, in one spelling."""
        known = self.module is not None
        return one_name(type(self.module).__name__ if known else self.name)

    def option(self, name, place, default=None):
        """Return an argument of a function that is given by name or place."""
        return self.options.get(name, self.options.get(place, default))


def one_name(name):
    """Spell the names of modules and of functions alike: Dropout2d and dropout2d."""
    return name.lower().replace("_", "")


def norms_in(calls):
    """Return the calls of norms of each channel."""
    return [c for c in calls if c.module is not None and is_channel_norm(c.module)]


def behind(call, passes=("identity",)):
    """Return the calls that read the output of one, through those that pass it on."""
    found = []
    for other in call.after:
        found += behind(other, passes) if other.kind in passes else [other]
    return found


# --- by a run -------------------------------------------------------------------------


@torch.enable_grad()
def record(model, inputs):
    """Run a model in eval mode and list its calls, in their order.

    The run changes modes, and lets no parameter learn so that no graph is kept; restore
    the model after it. Gradients are on, so that a part that the model runs under
    ``no_grad`` shows.

    Raises
    ------
    ValueError
        If the model does not run on the inputs.
    """
    model.eval().requires_grad_(False)
    recorder = _Recorder()
    with recorder.hooked(model):
        try:
            with recorder:
                model(*inputs)
        except Exception as error:  # the model's own code
            shapes = ", ".join(str(tuple(x.shape)) for x in _tensors(inputs))
            raise ValueError(
                "the model must run in eval mode on what is passed, got "
                f"{type(error).__name__} ({first_line(error)}) for shape {shapes}; "
                "check shape, dtype and device"
            ) from None
    return recorder.calls


class _Recorder(TorchFunctionMode):
    """List calls of functions, and of modules that are taken as a whole."""

    def __init__(self):
        super().__init__()
        self.calls, self.made_by, self.depth, self.open = [], {}, 0, []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if self.depth:
            return func(*args, **kwargs)
        before = self._sources([args, kwargs])
        result = func(*args, **kwargs)
        name = getattr(func, "__name__", "")
        self._note(Call(name, None, before, dict(enumerate(args)) | kwargs), result)
        return result

    @contextmanager
    def hooked(self, model):
        """Watch the modules that are taken as a whole."""
        hooks = []
        for name, module in model.named_modules():
            if _is_whole(module):
                enter, leave = self._hooks(name)
                hooks += [
                    module.register_forward_pre_hook(enter, with_kwargs=True),
                    # always: a model may catch the error of a part and go on
                    module.register_forward_hook(leave, always_call=True),
                ]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _hooks(self, name):
        def enter(module, args, kwargs):
            self.depth += 1
            if self.depth == 1:
                self.open = self._opened(name, module, [args, kwargs])

        def leave(module, args, result):
            self.depth -= 1
            if self.depth == 0:
                self._note(self.open, result)

        return enter, leave

    def _opened(self, name, module, given):
        call = Call(name, module, self._sources(given))
        call.grad = torch.is_grad_enabled()
        tensors = _tensors(given)
        if is_channel_norm(module) and tensors and tensors[0].ndim > 1:
            call.seen = _seen(tensors[0])
        return call

    def _sources(self, given):
        """Return the calls that made these tensors, each once."""
        found = {}
        for tensor in _tensors(given):
            known, call = self.made_by.get(id(tensor), (None, None))
            if known is not None and known() is tensor:  # not another at its place
                found[id(call)] = call
        return list(found.values())

    def _note(self, call, result):
        tensors = _tensors(result)
        if not tensors:
            return
        self.calls.append(call)
        for source in call.before:
            source.after.append(call)
        call.options = {k: v for k, v in call.options.items() if not _tensors(v)}
        for tensor in tensors:
            self.made_by[id(tensor)] = weakref.ref(tensor), call


def _is_whole(module):
    """Tell which module is one call: PyTorch's own, layers and norms."""
    if is_channel_norm(module) or is_layer(module):
        return True
    of_torch = type(module).__module__.startswith("torch.nn")
    inside = any(is_channel_norm(m) for m in module.modules())
    return of_torch and not inside and not isinstance(module, CONTAINERS)


def _tensors(value):
    """List all tensors in what a call takes or gives."""
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list | tuple):
        return []
    return [tensor for part in value for tensor in _tensors(part)]


@torch.no_grad()
def _seen(x):
    mean, var = moments(in_float64(x), batch_axes(x))
    return Seen(mean.flatten(), var.flatten(), x.numel() // max(x.shape[1], 1))


# --- by a tracer ----------------------------------------------------------------------


def trace(model):
    """List the calls of a model that torch.fx can trace, without running it.

    Raises
    ------
    ValueError
        If it cannot, with the first line of the reason.
    """
    try:
        graph = Tracer(get_on=True).trace(model)
    except Exception as error:  # tracing runs the model's own code
        raise ValueError(first_line(error)) from None
    made = {}
    for node in graph.nodes:
        called = node.op == "call_module"
        name = str(getattr(node.target, "__name__", node.target))
        before = [made[n] for n in node.all_input_nodes]
        module = model.get_submodule(node.target) if called else None
        options = dict(enumerate(node.args)) | dict(node.kwargs)
        made[node] = Call(name, module, before, options)
        for source in before:
            source.after.append(made[node])
    return [call for node, call in made.items() if node.op.startswith("call")]
