"""Words and numbers that the tables of settings share, and the nets they name."""

import torch
from torch import nn

from bnlib.lab.models import conv_net, mlp, residual_net, vgg
from book.studies.base import Setting

FASHION = "Fashion-MNIST 14x14, 2000 + 1000"
SIGNALS = "MNIST-1D, 2500 + 1000"
MNIST = "MNIST 14x14, 2000 + 1000"
WARPED = "warped digits 12x12, 2000 + 1000"
SET = {
    FASHION: {"set": "fashion", "size": 14},
    SIGNALS: {"set": "mnist1d", "train": 2500},
    MNIST: {"set": "mnist", "size": 14},
    WARPED: {"set": "warped", "size": 12},
}
INPUTS = {FASHION: 196, SIGNALS: 40, MNIST: 196, WARPED: 144}


def dense(name, data, width, depth, optimizer, steps, seeds=8, **options):
    """Return a setting with an MLP of so many hidden layers of this width."""
    sizes = (INPUTS[data], *[width] * depth, 10)
    words = f"MLP {INPUTS[data]}-{depth}x{width}-10"
    options = SET[data] | {"sizes": sizes} | options
    return Setting(name, data, words, optimizer, steps, seeds, options)


def images(name, data, kind, widths, optimizer, steps, seeds=8, **options):
    """Return a setting with a convolutional net: "flatten", "average" or "residual"."""
    words = {
        "flatten": "conv net {}, flatten",
        "average": "conv net {}, average pooling",
        "residual": "ResNet, {} blocks of {} channels",
    }[kind]
    shown = "-".join(str(w) for w in widths if w != "M")
    words = words.format(*(widths if kind == "residual" else [shown]))
    options = SET[data] | {"kind": kind, "widths": widths, "flat": False} | options
    return Setting(name, data, words, optimizer, steps, seeds, options)


def net(s, norm, activation, seed, gain=1.0):
    """Return an MLP of the setting, whose hidden weights are gain times the usual."""
    made = mlp(
        s["sizes"], norm=norm, activation=activation, seed=seed, dtype=torch.float32
    )
    with torch.no_grad():
        for layer in [part for part in made if isinstance(part, nn.Linear)][:-1]:
            layer.weight *= gain
    return made


def conv(s, norm, seed, **options):
    """Return a convolutional net of the setting."""
    how = {"norm": norm, "seed": seed, "dtype": torch.float32, **options}
    if s["kind"] == "flatten":
        left = s["size"] >> len(s["widths"])  # 14 halves to 7 and 3
        return conv_net(s["widths"], size=left << len(s["widths"]), **how)
    if s["kind"] == "residual":
        blocks, channels = s["widths"]
        how.pop("activation", None)  # they are ReLU nets
        return residual_net(blocks, channels, stride=2, **how)
    return vgg(s["widths"], **how)


def any_net(s, norm, seed, activation="relu"):
    """Return the net of the setting, whatever its kind."""
    if "sizes" in s.options:
        return net(s, norm, activation, seed)
    if s.get("kind") == "transformer":
        return transformer(s, norm, seed)
    return conv(s, norm, seed, activation=activation)


# --- a transformer --------------------------------------------------------------------


def tokens(name, data, width, blocks, optimizer, steps, seeds=8, **options):
    """Return a setting with a transformer on ten tokens of four samples."""
    words = f"transformer, {blocks} blocks of {width}, 10 tokens"
    options = SET[data] | {"kind": "transformer", "width": width} | options
    options |= {"blocks": blocks}
    return Setting(name, data, words, optimizer, steps, seeds, options)


class TokenBatchNorm(nn.BatchNorm1d):
    """Batch norm of features, over all examples and tokens."""

    def forward(self, x):
        """Normalize x of shape (N, T, C)."""
        return super().forward(x.transpose(1, 2)).transpose(1, 2)


class Attention(nn.Module):
    """Self-attention with two heads."""

    def __init__(self, width):
        super().__init__()
        self.read, self.write = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x):
        """Mix the tokens of x, (N, T, C)."""
        n, t, c = x.shape
        q, k, v = self.read(x).reshape(n, t, 3, 2, c // 2).permute(2, 0, 3, 1, 4)
        seen = torch.softmax(q @ k.transpose(-1, -2) / (c // 2) ** 0.5, -1) @ v
        return self.write(seen.transpose(1, 2).reshape(n, t, c))


class _Add(nn.Sequential):
    def forward(self, x):
        return x + super().forward(x)


class _Start(nn.Module):
    """Cut a signal into tokens, embed them and add what tells their place."""

    def __init__(self, width, size=4, count=10):
        super().__init__()
        self.size, self.embed = size, nn.Linear(size, width)
        self.place = nn.Parameter(0.1 * torch.randn(count, width))

    def forward(self, x):
        return self.embed(x.unflatten(1, (-1, self.size))) + self.place


class _Mean(nn.Module):
    def forward(self, x):
        return x.mean(1)


def transformer(s, norm, seed):
    """Return a pre-norm transformer; norm is "batch", "layer" or None."""
    make = {"batch": TokenBatchNorm, "layer": nn.LayerNorm}.get(norm, _identity)
    width = s["width"]
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        parts = [_Start(width)]
        for _ in range(s["blocks"]):
            parts.append(_Add(make(width), Attention(width)))
            mix = nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width)
            parts.append(_Add(make(width), *mix))
        return nn.Sequential(*parts, make(width), _Mean(), nn.Linear(width, 10))


def _identity(width):
    return nn.Identity()
