"""Chapter 8 elsewhere: small batches, other norms, recurrent nets, no norm."""

from functools import partial

import numpy as np
import torch
from torch import nn

import bnlib.nn as ours
from bnlib.lab.ensemble import accuracies
from bnlib.lab.grid import best_of_grid
from bnlib.lab.models import mlp
from book.studies.base import Setting, at_best, draw, found, study, sweep, tile
from book.studies.tables import FASHION, MNIST, SIGNALS, WARPED, dense, images

MOMENTUM = "SGD with momentum"


def ghost(size):
    """Return a function that makes batch norm on ghosts of this size."""
    return partial(ours.GhostBatchNorm, ghost_size=size, update="mean")


# --- R1: noise ------------------------------------------------------------------------

NOTED = (10, 20, 30, 40, 60, 80, 110, 150, 200, 300, 400, 600)


@study(
    dense("fashion, 3 layers", FASHION, 64, 3, MOMENTUM, 601, train=512, lr=0.1),
    dense("MNIST, 2 layers", MNIST, 100, 2, MOMENTUM, 601, train=512, lr=0.1),
)
def wrong_labels(s):
    """Yield what statistics of 4 examples do to the learning of errors (R1)."""
    x, y, x_test, y_test = draw(s)
    g = torch.Generator().manual_seed(7)
    drawn = torch.randint(10, y.shape, generator=g)
    labels = torch.where(torch.rand(y.shape, generator=g) < 0.2, drawn, y)
    curves = {}
    for name, norm in (("4", ghost(4)), ("64", "batch")):
        kind, seen = partial(_mlp, s, norm), []

        def note(step, nets, seen=seen):
            if step in NOTED:
                pairs = (x, labels), (x_test, y_test)
                seen.append([100 * accuracies(nets, *p, each=True) for p in pairs])

        data = (x, labels, x_test, y_test)
        options = {"steps": s.steps, "watch": note, "batch_size": 64, "momentum": 0.9}
        sweep([kind], [s["lr"]], data, **options)
        curves[name] = np.array(seen).transpose(1, 0, 2)  # (2, moments, seeds)
        for moment, row in zip(NOTED, curves[name][1], strict=True):
            yield from found(f"R1.test-{name}", row, at=moment)
    when = {k: [_reached(row) for row in seen.T] for k, (seen, _) in curves.items()}
    yield from found("R1.delay", np.divide(when["4"], when["64"]))
    tops = {k: test.max(axis=0) for k, (_, test) in curves.items()}
    yield from found("R1.early", tops["4"] - tops["64"])
    yield from found("R1.late", curves["4"][1, -1] - curves["64"][1, -1])


def _reached(row, level=85):
    """Step at which the training accuracy of a seed reaches the level, or the last."""
    rising = np.maximum.accumulate(row)
    return np.interp(level, rising, NOTED)


def _mlp(s, norm, seed):
    return mlp(s["sizes"], norm=norm, seed=seed, dtype=torch.float32)


@study(
    dense("fashion, 3 layers", FASHION, 64, 3, MOMENTUM, 100, lr=0.05),
    dense("signals, 4 layers", SIGNALS, 100, 4, MOMENTUM, 150, lr=0.05),
    dense("warped, 2 layers", WARPED, 100, 2, MOMENTUM, 100, lr=0.05),
)
def company(s):
    """Yield how the scatter of a logit falls with the size of its batch (R1)."""
    data, sizes = draw(s), (8, 16, 32, 64, 128)
    nets, _ = sweep(
        [partial(_mlp, s, "batch")], [s["lr"]], data, steps=s.steps, momentum=0.9
    )
    g = torch.Generator().manual_seed(7)
    scatter = [
        [
            _scatter(model, data[2][k, :5], data[0][k], size, g)
            for k, model in enumerate(nets.models())
        ]
        for size in sizes
    ]
    slope = np.polyfit(np.log(sizes), np.log(scatter), 1)[0]
    yield from found("R1.exponent", slope)


@torch.no_grad()
def _scatter(model, probes, pool, size, generator):
    model.train()
    spread = []
    for image in probes:
        mates = torch.randint(len(pool), (20, size - 1), generator=generator)
        batches = (torch.cat([image[None], pool[m]]) for m in mates)
        spread.append(torch.stack([model(b)[0] for b in batches]).std(0).mean())
    return float(torch.stack(spread).mean())


# --- R2, R5: few values per statistic, and sorted ones --------------------------------


class Strided(nn.Sequential):
    """Three convolutions with norms, and a linear layer on what is left.

    Parameters
    ----------
    norm : callable
        Makes a norm for so many channels.
    widths, strides : tuple of int
        Of the three convolutions.
    seed, side : int
    """

    def __init__(self, norm, widths, strides, seed, side):
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            layers, channels = [], 1
            for width, stride in zip(widths, strides, strict=True):
                conv = nn.Conv2d(channels, width, 3, stride, padding=1)
                layers += [conv, norm(width), nn.ReLU()]
                channels, side = width, (side + stride - 1) // stride
            super().__init__(*layers, nn.Flatten(), nn.Linear(widths[-1] * side**2, 10))


ADAM_RATES = (0.001, 0.004, 0.015, 0.06, 0.24)


def _small(name, data, widths, side, strides):
    def setting(steps, **more):
        how = {"side": side, "strides": strides, **more}
        adam = "Adam, rate falling to 0"
        return images(name, data, "flatten", widths, adam, steps, **how)

    return setting


# Two nets of three layers; a study says for how many steps.
SMALL_IMAGES = (
    _small("fashion, 14 pixels", FASHION, (8, 16, 16), 14, (2, 2, 2)),
    _small("warped, 12 pixels", WARPED, (12, 16, 24), 12, (2, 2, 1)),
)


def _error(s, data, norm, rates, steps, strides):
    kind = partial(Strided, norm, s["widths"], strides, side=s["side"])
    options = {"optimizer": "adam", "schedule": lambda step: 1 - step / steps}
    nets, _ = sweep([lambda seed: kind(seed=seed)], rates, data, steps=steps, **options)
    right = accuracies(nets, *(tile(d, len(rates)) for d in data[2:]), each=True)
    return 100 * (1 - right).reshape(len(rates), -1)


@study(SMALL_IMAGES[0](120, one=(2, 4, 2)), SMALL_IMAGES[1](120, one=(2, 2, 3)))
def pairs(s):
    """Yield what statistics of 2 examples cost, beside group norm (R2)."""
    data = draw(s)
    kinds = {"2": ghost(2), "32": ours.BatchNorm, "group": partial(ours.GroupNorm, 4)}
    short, late = s.steps // 2, {}
    errors, rate = {}, {}
    for name, norm in kinds.items():
        table = _error(s, data, norm, ADAM_RATES, short, s["strides"])
        best = best_of_grid(ADAM_RATES, table, higher=False)
        errors[name], rate[name] = table[best], ADAM_RATES[best]
        late[name] = _error(s, data, norm, [rate[name]], s.steps, s["strides"])[0]
    yield from found("R2.pairs", errors["2"] - errors["32"])
    yield from found("R2.pairs-late", late["2"] - late["32"])
    yield from found("R2.group-late", late["group"] - late["2"])
    yield from found("R2.group-32", late["group"] - late["32"])
    one = {
        name: _error(s, data, kinds[name], [0.015], short, s["one"])[0]
        for name in ("2", "32")
    }
    yield from found("R2.one", one["2"] - one["32"])


@study(*(setting(100) for setting in SMALL_IMAGES))
def sorted_ghosts(s):
    """Yield what ghosts of one or two classes cost (R5)."""
    data, errors = draw(s), {}
    labeled = tuple(_with_label(*data[k : k + 2]) for k in (0, 2))
    data = (labeled[0], data[1], labeled[1], data[3])
    for name in ("mixed", "sorted"):
        shape = s["widths"], s["strides"], s["side"]
        kind = partial(Ordered, shape, name == "sorted")
        options = {"optimizer": "adam", "schedule": lambda step: 1 - step / s.steps}
        nets, _ = sweep([kind], [0.02], data, steps=s.steps, batch_size=64, **options)
        errors[name] = 100 * (1 - accuracies(nets, *data[2:], each=True))
    yield from found("R5.sorted", errors["sorted"] - errors["mixed"])


def _with_label(x, y):
    """Put the class of each image into a second channel."""
    return torch.cat([x, y[..., None, None, None].expand_as(x).to(x.dtype)], 2)


class Ordered(nn.Module):
    """A net with ghosts of 8 that sees its batch in the order of the classes, or as is.

    Parameters
    ----------
    shape : tuple
        Widths, strides and side of :class:`Strided`.
    by_class : bool
    seed : int
    """

    def __init__(self, shape, by_class, seed):
        super().__init__()
        widths, strides, side = shape
        self.net = Strided(ghost(8), widths, strides, seed, side)
        self.by_class = by_class

    def forward(self, x):
        """Return the outputs in the order in which the images came."""
        images, labels = x[:, :1], x[:, 1, 0, 0]
        if not (self.training and self.by_class):
            return self.net(images)
        order = labels.argsort()
        return self.net(images[order])[order.argsort()]


# --- R3: recurrent nets ---------------------------------------------------------------


class Recurrent(nn.Module):
    """A tanh net that reads a signal piece by piece.

    Parameters
    ----------
    norms : list of nn.Module
        One for all steps, or one for each.
    size, count, width : int
        Length of a piece, their number, and the units of the memory.
    """

    def __init__(self, norms, size, count, width=32):
        super().__init__()
        self.norms, self.count = nn.ModuleList(norms), count
        self.read = nn.Linear(size, width, bias=False)
        self.keep, self.answer = nn.Linear(width, width), nn.Linear(width, 10)
        nn.init.orthogonal_(self.keep.weight)

    def forward(self, x):
        """Return ten scores for each signal of shape (N, size * count)."""
        h = torch.zeros(len(x), self.keep.in_features, dtype=x.dtype)
        for t, u in enumerate(self.read(x.unflatten(1, (self.count, -1))).unbind(1)):
            h = torch.tanh(self.norms[t % len(self.norms)](u + self.keep(h)))
        return self.answer(h)


MEMORY = {
    "layer": lambda width, count: [nn.LayerNorm(width)],
    "shared": lambda width, count: [nn.BatchNorm1d(width)],
    "each": lambda width, count: [nn.BatchNorm1d(width) for _ in range(count)],
}


def _recurrent(s, kind, seed):
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        norms = MEMORY[kind](s["width"], s["count"])
        return Recurrent(norms, s["piece"], s["count"], s["width"])


def recurrent(name, data, piece, count, width, steps, seeds=8):
    """Return a setting with a recurrent net."""
    words = f"recurrent net of {width}, {count} steps"
    options = dense(name, data, 1, 1, "", 0).options
    options |= {"piece": piece, "count": count, "width": width}
    return Setting(name, data, words, "Adam at its best rate", steps, seeds, options)


@study(
    recurrent("signals, 10 steps", SIGNALS, 4, 10, 48, 250),
    recurrent("fashion, 14 rows", FASHION, 14, 14, 32, 80),
)
def memory(s):
    """Yield what one batch norm for all steps loses in eval mode (R3)."""
    data, rates, best = draw(s), (0.0006, 0.003, 0.015, 0.075), {}
    for kind in MEMORY:
        nets, _ = sweep(
            [partial(_recurrent, s, kind)],
            rates,
            data,
            steps=s.steps,
            optimizer="adam",
        )
        x, y = (tile(d, len(rates)) for d in data[2:])
        in_eval = 100 * accuracies(nets, x, y, each=True)
        with torch.no_grad():
            answers = nets.train()(x, each=True).argmax(-1)
        by_batch = 100 * (answers == y).double().mean(1).numpy()
        table = np.stack([in_eval, by_batch]).reshape(2, len(rates), -1)
        best[kind] = table[:, best_of_grid(rates, table[1])]
    yield from found("R3.shared", best["shared"][1] - best["shared"][0])
    yield from found("R3.layer", best["layer"][0] - best["each"][0])


# --- R5: without any norm -------------------------------------------------------------


class _Block(nn.Sequential):
    def forward(self, x):
        return x + super().forward(x)


def _tower(s, norm, seed):
    """Make residual blocks of norm, linear, ReLU, linear."""
    inputs, width = s["sizes"][:2]
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        layers = [nn.Linear(inputs, width)]
        for _ in range(s["blocks"]):
            linear = [nn.Linear(width, width) for _ in range(2)]
            for part in linear:
                nn.init.kaiming_normal_(part.weight)
            layers.append(_Block(norm(width), linear[0], nn.ReLU(), linear[1]))
        return nn.Sequential(*layers, norm(width), nn.Linear(width, 10))


TOWER = (0.00004, 0.00015, 0.0006, 0.0025, 0.01, 0.04, 0.16, 0.64, 2.5)


@study(
    dense("fashion, 6 blocks", FASHION, 64, 12, MOMENTUM, 100, blocks=6),
    dense("signals, 8 blocks", SIGNALS, 48, 16, MOMENTUM, 200, blocks=8),
)
def towers(s):
    """Yield what a residual net without any norm reaches (R5)."""
    data, best, widest = draw(s), {}, {}
    for name, norm in (("bn", nn.BatchNorm1d), ("nothing", nn.Identity)):
        nets, _ = sweep(
            [partial(_tower, s, norm)], TOWER, data, steps=s.steps, momentum=0.9
        )
        table = 100 * accuracies(
            nets, *(tile(d, len(TOWER)) for d in data[2:]), each=True
        ).reshape(len(TOWER), -1)
        best[name] = at_best(TOWER, table)
        widest[name] = [
            max(r for r, a in zip(TOWER, row, strict=True) if a > 0.75 * row.max())
            for row in table.T
        ]
    yield from found("R5.nothing", 100 * best["nothing"] / best["bn"])
    yield from found("R5.range", np.divide(widest["bn"], widest["nothing"]))


# --- R6: weight decay -----------------------------------------------------------------


def _double(s, seed):
    return mlp(s["sizes"], seed=seed)


@study(
    dense("fashion, 3 layers", FASHION, 64, 3, "full-batch descent", 500, train=64),
    dense("signals, 2 layers", SIGNALS, 32, 2, "full-batch descent", 500, train=64),
)
def decay(s):
    """Yield how often the loss jumps with decay of the weights before norms (R6)."""
    data, losses = draw(s, dtype=torch.float64), {}
    before = {f"{3 * k}.weight" for k in range(len(s["sizes"]) - 2)}
    for name in ("before", "else", "none"):

        def shrink(step, nets, name=name):
            for key, weight in nets.parameters.items():
                if name != "none" and (key in before) == (name == "before"):
                    weight.grad += 0.06 * weight.detach()

        kind = partial(mlp, s["sizes"])
        options = {"steps": s.steps, "batch_size": 64, "watch": shrink}
        _, seen = sweep(
            [lambda seed, kind=kind: kind(seed=seed)], [0.3], data, **options
        )
        losses[name] = seen
    by = {name: seen[1:] / seen[:-1] for name, seen in losses.items()}
    yield from found("R6.rises", (by["before"] > 1.1).sum(0))
    yield from found("R6.tenfold", by["before"].max(0))
    yield from found("R6.none", sum((by[k] > 1.1).sum(0) for k in ("else", "none")))
    for moment in range(0, s.steps, 25):
        for name, seen in losses.items():
            yield from found(f"R6.loss-{name}", seen[moment], at=moment)
