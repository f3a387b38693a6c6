"""How large a model is: parameters and multiplications, layer by layer."""

import sys
from dataclasses import dataclass

import torch
from torch import nn
from tqdm import tqdm

__all__ = ["Summary", "summary"]

_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


@dataclass
class Summary:
    """What :func:`summary` counted; printed, it is a table.

    Parameters
    ----------
    layers : list of tuple (str, str, tuple of int, int, int)
        Of each module with parameters of its own: name, type, shape of its output
        without the batch axis, parameters, and multiplications for one example.
    parameters : int
        Of the whole model; one that is used twice counts once.
    macs : int
        Multiply-adds of its linear layers and convolutions for one example.
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
        rows = [
            ("layer", "type", "output", "parameters", "multiply-adds"),
            *rows,
            ("total", "", "", f"{self.parameters:,}", f"{self.macs:,}"),
        ]
        width = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(
            "  ".join(
                text.ljust(w) if k < 2 else text.rjust(w)
                for k, (text, w) in enumerate(zip(row, width, strict=True))
            )
            for row in rows
        )


@torch.no_grad()
def summary(model, input, *, progress=None):
    """Count the parameters and the multiply-adds of a model.

    Counted are the multiplications of ``nn.Linear`` and the convolutions, as is usual;
    norms, activations, biases and what a forward computes by itself are not.

    Parameters
    ----------
    model : nn.Module
        Run once in eval mode; neither its modes nor its statistics change.
    input : Tensor or tuple of Tensor
        What it is called with; the first axis counts examples.
    progress : bool, optional
        Whether to show a progress bar over the modules on stderr. By default it is
        shown in a terminal only.

    Returns
    -------
    Summary
        Print it, or take its ``parameters``, ``macs`` and ``flops``.

    Raises
    ------
    ValueError
        If the input holds no example.
    """
    inputs = input if isinstance(input, tuple) else (input,)
    if inputs[0].dim() == 0 or len(inputs[0]) == 0:
        raise ValueError(
            "input must hold at least one example along its first axis, got shape "
            f"{tuple(inputs[0].shape)}; one is enough"
        )
    calls = _calls(model, inputs, progress)
    layers = [
        (name, *calls.get(module, ((), 0)), module)
        for name, module in model.named_modules()
        if next(module.parameters(recurse=False), None) is not None
    ]
    rows = [
        (name, type(m).__name__, shape, _own(m), macs // len(inputs[0]))
        for name, shape, macs, m in layers
    ]
    total = sum(p.numel() for p in model.parameters())
    return Summary(rows, total, sum(row[-1] for row in rows))


def _own(module):
    return sum(p.numel() for p in module.parameters(recurse=False))


def _calls(model, inputs, progress):
    """Run the model; return shape of the output and multiplications of each module."""
    seen = {}
    leaves = [m for m in model.modules() if next(m.children(), None) is None]
    disable = None if progress is None else not progress
    modes = {module: module.training for module in model.modules()}
    bar = tqdm(total=len(leaves), disable=disable, leave=False, file=sys.stderr)

    def note(module, args, output):
        bar.update()
        if isinstance(output, torch.Tensor):
            macs = seen.get(module, ((), 0))[1] + _macs(module, args[0], output)
            seen[module] = tuple(output.shape[1:]), macs

    hooks = [m.register_forward_hook(note) for m in leaves]
    try:
        with bar:
            model.eval()(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
        for module, mode in modes.items():
            module.training = mode
    return seen


def _macs(module, x, y):
    """Count multiply-adds: weights that each output needs, or that each input meets."""
    if isinstance(module, _TRANSPOSED):
        return x.numel() * module.weight[0].numel()
    if isinstance(module, (nn.Linear, *_CONVOLUTIONS)):
        return y.numel() * module.weight[0].numel()
    return 0
