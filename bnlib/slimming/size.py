"""How large a model is: parameters and multiplications, layer by layer."""

from collections import Counter
from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from bnlib.modules import as_inputs, keep_modes, refuse_scripted, tensors_in

__all__ = ["Summary", "summary"]


@dataclass
class Summary:
    """What :func:`summary` counted; printed, it is a table.

    Parameters
    ----------
    layers : list of tuple (str, str, tuple of int, int, int)
        Of each module with parameters of its own: name, type, shape of its output
        without the batch axis, parameters, and multiply-adds for one example.
    parameters : int
        Of the whole model; one that is used twice counts once.
    macs : int
        Multiply-adds for one example, also those outside of these modules.

    Examples
    --------
    >>> size = summary(torch.nn.Sequential(torch.nn.Linear(4, 3)), torch.ones(1, 4))
    >>> size.layers
    [('0', 'Linear', (3,), 15, 12)]
    >>> size.flops
    24
    """

    layers: list
    parameters: int
    macs: int

    @property
    def flops(self):
        """Two for each multiply-add."""
        return 2 * self.macs

    def __str__(self):
        """Write one line for each module."""
        rows = [
            (name, kind, " x ".join(map(str, shape)), f"{count:,}", f"{macs:,}")
            for name, kind, shape, count, macs in self.layers
        ]
        rows.insert(0, ("layer", "type", "output", "parameters", "multiply-adds"))
        rows.append(("total", "", "", f"{self.parameters:,}", f"{self.macs:,}"))
        width = [max(map(len, column)) for column in zip(*rows, strict=True)]
        line = "  ".join(f"{{:{s}{w}}}" for s, w in zip("<<>>>", width, strict=True))
        return "\n".join(line.format(*row) for row in rows)


@torch.no_grad()
def summary(model, example_input):
    """Count the parameters and the multiply-adds of a model.

    Counted are convolutions and matrix products, wherever forward computes them, with
    ``torch.utils.flop_counter``; norms, activations and biases are not, as is usual.

    Parameters
    ----------
    model : nn.Module
        Run once in eval mode; neither its modes nor its statistics change.
    example_input : Tensor or tuple of Tensor
        What it is called with; the first axis counts examples.

    Returns
    -------
    Summary
        Print it, or take its ``parameters``, ``macs`` and ``flops``.

    Raises
    ------
    ValueError
        If the input holds no example; if the model is one of ``torch.jit`` or
        ``torch.export``, whose multiplications nobody sees.

    Notes
    -----
    A model of ``torch.compile`` is run as it was before it was compiled.

    Examples
    --------
    >>> net = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3))
    >>> size = summary(net, torch.ones(1, 4))
    >>> print(size)
    layer  type         output  parameters  multiply-adds
    0      Linear            3          15             12
    1      BatchNorm1d       3           6              0
    total                               21             12
    >>> size.parameters, size.macs
    (21, 12)
    """
    inputs = as_inputs(example_input)
    first = tensors_in(inputs, every=True)[0]
    if first.dim() == 0 or len(first) == 0:
        raise ValueError(
            "example_input must hold at least one example along its first axis, got "
            f"shape {tuple(first.shape)}; one is enough"
        )
    refuse_scripted(model)
    model = getattr(model, "_orig_mod", model)  # of torch.compile
    macs, shapes = _run(model, inputs)
    rows = []
    for name, module in model.named_modules():
        own = sum(p.numel() for p in module.parameters(recurse=False))
        if own:
            shape, share = shapes.get(module, ()), macs[module] // len(first)
            rows.append((name, type(module).__name__, shape, own, share))
    parameters = sum(p.numel() for p in model.parameters())
    return Summary(rows, parameters, sum(macs.values()) // len(first))


def _run(model, inputs):
    """Run the model; return multiply-adds and output shape of each of its modules."""
    macs, shapes, running = Counter(), {}, []

    def note():
        """Enter what was counted since the last note for the module at work."""
        if running:
            macs[running[-1]] += flops.get_total_flops() // 2 - sum(macs.values())

    def enter(module, args):
        note()
        running.append(module)

    def leave(module, args, output):
        note()
        running.pop()
        if isinstance(output, torch.Tensor):
            shapes[module] = tuple(output.shape[1:])

    modules = list(model.modules())
    hooks = [m.register_forward_pre_hook(enter) for m in modules]
    hooks += [m.register_forward_hook(leave) for m in modules]
    try:
        with keep_modes(model), FlopCounterMode(display=False) as flops:
            model.eval()(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return macs, shapes
