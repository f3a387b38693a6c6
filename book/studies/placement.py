"""Chapter 7 elsewhere: before or after the activation, and two residual blocks."""

from functools import partial

import numpy as np
import torch
from torch import nn

from bnlib.lab.models import mlp, residual_net, vgg
from book.studies.base import at_best, course, draw, found, scores, study, sweep
from book.studies.tables import FASHION, MNIST, SIGNALS, WARPED, dense, images

RATES = (0.01, 0.03, 0.1, 0.3, 1, 3)
ORDERS = ("before", "after")


def _swapped(made, order):
    """Put each norm behind its activation, or leave it before."""
    layers = list(made)
    if order == "after":
        swap = [k for k, part in enumerate(layers) if hasattr(part, "running_mean")]
        for k in swap:
            layers[k], layers[k + 1] = layers[k + 1], layers[k]
    return nn.Sequential(*layers)


def _net(s, order, activation, seed):
    """Make a net with the norm before or after each activation, with biases."""
    norm = None if order == "none" else "batch"
    how = {"norm": norm, "activation": activation, "bias": True, "seed": seed}
    how["dtype"] = s.get("dtype", torch.float32)
    made = vgg(s["widths"], **how) if "widths" in s.options else mlp(s["sizes"], **how)
    return _swapped(made, order)


# --- P1, P2: who leads, at which rate -------------------------------------------------


@study(
    dense("fashion, 4 layers", FASHION, 64, 4, "SGD", 240, early=80),
    dense("signals, 5 layers", SIGNALS, 100, 5, "SGD", 360, early=120),
    images(
        "MNIST, conv net",
        MNIST,
        "average",
        (8, "M", 16, "M", 16),
        "SGD",
        150,
        5,
        early=60,
        activations=("tanh",),
        rates=(0.03, 0.3, 1, 3, 10, 30),
    ),
)
def order(s):
    """Yield the points of BN after the activation over BN before (P1, P2)."""
    data, grid = draw(s), s.get("rates", RATES)
    for activation in s.get("activations", ("relu", "tanh", "sigmoid")):
        table = {}
        for place in ORDERS:
            kind = partial(_net, s, place, activation)
            moments = (s["early"], s.steps - 1)
            table[place] = course([kind], grid, data, moments)[:, 0]
        lead = table["after"] - table["before"]  # (moments, rates, seeds)
        for moment, row in zip((s["early"], s.steps), lead, strict=True):
            for rate, points in zip(grid, row, strict=True):
                key = f"P2.{activation}-at-{rate:g}".replace("0.", "0")
                yield from found(key, points, at=moment)
        if activation != "relu":
            yield from found(f"P2.{activation}", lead[0, grid.index(0.03)])
            yield from found(f"P1.{activation}", lead[0, grid.index(3)])
        if activation == "tanh":
            yield from found("P2.later", lead[1, grid.index(0.03)])
        best = [at_best(grid, table[place][1]) for place in ("after", "before")]
        if activation != "sigmoid":
            yield from found(f"P1.tuned-{activation}", abs(best[0] - best[1]))


# --- P3: saturation -------------------------------------------------------------------


@study(
    dense("fashion, 4 layers", FASHION, 64, 4, "SGD at 3", 80, dtype=torch.float64),
    dense("signals, 5 layers", SIGNALS, 100, 5, "SGD at 3", 120, dtype=torch.float64),
    dense("warped, 3 layers", WARPED, 48, 3, "SGD at 3", 80, dtype=torch.float64),
)
def saturation(s):
    """Yield the share of saturated values of the last hidden layer (P3).

    In float64, since a net with the norm behind its tanh overflows in float32 at this
    rate, and a value that is no number is not saturated.
    """
    data = draw(s, dtype=s["dtype"])
    for key, place, activation, rate in (
        ("none", "none", "tanh", 3),
        ("before", "before", "tanh", 3),
        ("after", "after", "tanh", 3),
        ("sigmoid", "none", "sigmoid", 1),
    ):
        nets, _ = sweep(
            [partial(_net, s, place, activation)], [rate], data, steps=s.steps
        )
        share = [
            _saturated(model, x[:300], activation)
            for model, x in zip(nets.models(), data[2], strict=True)
        ]
        yield from found(f"P3.{key}", share)
        if key == "sigmoid":
            yield from found("P3.sigmoid-accuracy", scores(nets, data))


@torch.no_grad()
def _saturated(model, x, activation):
    """Share of the values whose slope is under a tenth of the largest one."""
    kind = nn.Tanh if activation == "tanh" else nn.Sigmoid
    last = max(k for k, part in enumerate(model) if isinstance(part, kind))
    h = model.train()[: last + 1](x)
    slope = 1 - h**2 if kind is nn.Tanh else 4 * h * (1 - h)
    return float((slope < 0.1).double().mean())


# --- P5: residual blocks --------------------------------------------------------------

BLOCKS = {"post": {}, "zero": {"zero_last_gamma": True}, "pre": {"order": "pre"}}


@study(
    dense("fashion, 10 blocks", FASHION, 48, 20, "SGD with momentum", 80, blocks=10),
    dense("signals, 12 blocks", SIGNALS, 32, 24, "SGD with momentum", 160, blocks=12),
)
def residual(s):
    """Yield how far pre-activation and a last gamma of 0 lead (P5)."""
    data, table = draw(s), {}
    grid, moments = (0.001, 0.004, 0.03, 0.1, 0.5), (s.steps // 2, s.steps - 1)
    for name, options in BLOCKS.items():
        kind = partial(_blocks, s, options)
        table[name] = course([kind], grid, data, moments, momentum=0.9)[:, 0]
    top = {k: [at_best(grid, row) for row in rows] for k, rows in table.items()}
    yield from found("P5.early", top["pre"][0] - top["post"][0])
    yield from found("P5.late", top["pre"][1] - top["post"][1])
    yield from found("P5.zero", top["zero"][1] - top["pre"][1])


def _blocks(s, options, seed):
    shape = {"dense": True, "in_channels": s["sizes"][0], "dtype": torch.float32}
    return residual_net(s["blocks"], s["sizes"][1], seed=seed, **shape, **options)


@study(
    images(
        "fashion, ResNet of 9 layers",
        FASHION,
        "residual",
        (4, 8),
        "SGD with momentum",
        60,
        8,
    ),
    images(
        "warped, ResNet of 15 layers",
        WARPED,
        "residual",
        (7, 8),
        "SGD with momentum",
        60,
        8,
    ),
)
def convolutions(s):
    """Yield how far a last gamma of 0 is behind with convolutions (P5)."""
    data, top = draw(s, test=500), {}
    grid = (0.003, 0.03, 0.1, 0.5, 2)
    for name in ("post", "zero", "pre"):
        blocks, channels = s["widths"]
        shape = {"stride": 2, "dtype": torch.float32} | BLOCKS[name]
        kind = partial(_images, blocks, channels, shape)
        nets, _ = sweep([kind], grid, data, steps=s.steps, batch_size=16, momentum=0.9)
        top[name] = at_best(grid, np.nan_to_num(scores(nets, data)))
    yield from found("P5.conv", top["post"] - top["zero"])
    yield from found("P5.conv-pre", top["pre"] - top["post"])


def _images(blocks, channels, shape, seed):
    return residual_net(blocks, channels, seed=seed, **shape)


# --- P6: what the next layer sees -----------------------------------------------------


class Standardize(nn.Module):
    """Behind an activation: take its mean and spread for normal inputs away.

    Parameters
    ----------
    activation : nn.Module
    """

    def __init__(self, activation):
        super().__init__()
        z = torch.linspace(-8, 8, 4001, dtype=torch.float64)
        weight, h = torch.exp(-(z**2) / 2), activation(z)
        self.mean = float((weight * h).sum() / weight.sum())
        self.std = float(((weight * (h - self.mean) ** 2).sum() / weight.sum()).sqrt())

    def forward(self, h):
        """Return the standardized values."""
        return (h - self.mean) / self.std


class Shift(nn.BatchNorm1d):
    """A batch norm that hands on a mean."""

    offset = 0.0

    def forward(self, x):
        """Normalize x and add the offset."""
        return super().forward(x) + self.offset


@study(
    dense("fashion, 4 layers", FASHION, 64, 4, "SGD", 80),
    dense("signals, 5 layers", SIGNALS, 100, 5, "SGD", 120),
)
def handed_on(s):
    """Yield what mean and scale of a layer's input are worth (P6)."""
    data, rate = draw(s), [0.03]
    nets, _ = sweep([partial(_net, s, "before", "relu")], [1], data, steps=s.steps)
    yield from found(
        "P6.zeros", [_zeros(*p) for p in zip(nets.models(), data[2], strict=True)]
    )
    top, losses = {}, {}
    for name, kind in {
        "before": partial(_net, s, "before", "sigmoid"),
        "after": partial(_net, s, "after", "sigmoid"),
        "all but last": partial(_standardized, s, "all but last"),
        "last": partial(_standardized, s, "last"),
    }.items():
        nets, losses[name] = sweep([kind], rate, data, steps=s.steps)
        top[name] = scores(nets, data)[0]
    change = np.abs(losses["all but last"] - losses["before"]).max(0)
    yield from found("P6.blind", change)
    lead = top["after"] - top["before"]
    yield from found("P6.last", (top["last"] - top["before"]) / lead)
    ends = {}
    for name, kind in {
        "after": partial(_net, s, "after", "sigmoid"),
        "mean": partial(_with_mean, s),
    }.items():
        nets, _ = sweep([kind], [1], data, steps=s.steps)
        ends[name] = scores(nets, data)[0]
    yield from found("P6.mean", ends["after"] - ends["mean"])


@torch.no_grad()
def _zeros(model, x):
    """Share of zeros out of the ReLUs."""
    h, share = x, []
    for part in model.train():
        h = part(h)
        if isinstance(part, nn.ReLU):
            share.append(float((h == 0).double().mean()))
    return np.mean(share)


def _standardized(s, where, seed):
    layers = list(_net(s, "before", "sigmoid", seed))
    places = [k for k, part in enumerate(layers) if isinstance(part, nn.Sigmoid)]
    for k in places[:-1] if where == "all but last" else places[-1:]:
        layers[k] = nn.Sequential(layers[k], Standardize(layers[k]))
    return nn.Sequential(*layers)


def _with_mean(s, seed):
    """Norm after the sigmoid, and the sigmoid's mean put back in."""
    made = _net(s, "after", "sigmoid", seed)
    it = Standardize(torch.sigmoid)
    norms = [part for part in made if isinstance(part, nn.BatchNorm1d)]
    for norm in norms[:-1]:
        norm.__class__, norm.offset = Shift, it.mean / it.std
    return made
