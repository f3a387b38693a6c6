"""Chapter 5 elsewhere: speed, rates, first weights, depth, what a unit receives."""

from functools import partial
from math import sqrt

import numpy as np
import torch
from torch import nn

from bnlib.lab.models import mlp, residual_net
from bnlib.lab.probe import gradients
from book.studies.base import (
    at_best,
    course,
    draw,
    found,
    largest,
    scores,
    study,
    sweep,
    trains,
)
from book.studies.tables import FASHION, SIGNALS, WARPED, dense, net

ADAM = {"optimizer": "adam"}


# --- W6: steps to a target ------------------------------------------------------------

COARSE, SLOW = (0.3, 1, 3, 10, 30), (0.0006, 0.002, 0.006, 0.02, 0.06, 0.2)
LOW = (0.03, 0.1, 0.3, 1, 3, 10)
TUNED = "SGD and Adam, each at its best rate"


@study(
    dense(
        "fashion, 3 layers",
        FASHION,
        64,
        3,
        TUNED,
        600,
        target=70,
        rates={"std": (COARSE, LOW), "adam": (SLOW, SLOW), "relu": (SLOW, SLOW)},
        cap={"std": (600, 120), "adam": (160, 80), "relu": (80, 80)},
    ),
    dense(
        "signals, 3 layers",
        SIGNALS,
        100,
        3,
        "Adam, each at its best rate",
        400,
        target={"adam": 26, "relu": 32},
        rates={"adam": (SLOW, (*SLOW, 0.6)), "relu": (SLOW, SLOW)},
        cap={"adam": (400, 150), "relu": (120, 120)},
    ),
    dense(
        "warped, 3 layers",
        WARPED,
        48,
        3,
        TUNED,
        700,
        target=65,
        rates={"std": (COARSE, LOW), "adam": (SLOW, SLOW)},
        cap={"std": (700, 150), "adam": (200, 100)},
    ),
    dense(
        "fashion, 5 layers",
        FASHION,
        64,
        5,
        "Adam, each at its best rate",
        160,
        target=70,
        rates={"relu": (SLOW, SLOW)},
        cap={"relu": (100, 100)},
    ),
)
def speed(s):
    """Yield the steps to the target, plain / BN, both tuned (W6).

    A seed that does not arrive counts with the steps that it had.
    """
    data = draw(s)
    arms = {"std": ("sigmoid", {}), "adam": ("sigmoid", ADAM), "relu": ("relu", ADAM)}
    for key, sides in s["rates"].items():
        activation, options = arms[key]
        steps = []
        for norm, rates, cap in zip((None, "batch"), sides, s["cap"][key], strict=True):
            moments = np.unique(np.geomspace(cap / 12, cap, 22).astype(int))
            kind = partial(net, s, norm, activation)
            curve = course([kind], rates, data, moments, **options)[:, 0]
            target = s["target"]
            target = target[key] if isinstance(target, dict) else target
            hit = curve >= target  # (moments, rates, seeds)
            table = np.where(hit.any(0), moments[hit.argmax(0)], 1.2 * cap)
            arrived = np.minimum(at_best(rates, table, higher=False), cap)
            steps.append(arrived)
            accuracy = curve[:, at_rate(rates, table)]
            kind = "plain" if norm is None else "bn"
            for moment, row in list(zip(moments, accuracy, strict=True))[::3]:
                yield from found(f"W6.{key}-{kind}", row, at=int(moment))
        yield from found(f"W6.{key}", steps[0] / steps[1])


def at_rate(rates, table):
    """Return the place of the rate with the fewest steps."""
    return int(np.mean(table, axis=1).argmin())


# --- W4: the largest rate -------------------------------------------------------------

WIDE = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30)


@study(
    dense("fashion, 8 layers", FASHION, 64, 8, "SGD", 100, relu=60, tanh=65),
    dense("signals, 6 layers", SIGNALS, 100, 6, "SGD", 300, 5, relu=30, tanh=30),
    dense("fashion, 8 layers, longer", FASHION, 64, 8, "SGD", 300, 5, relu=65, tanh=70),
)
def rates(s):
    """Yield the largest rate that reaches a target, BN / plain (W4)."""
    data = draw(s)
    for activation in ("relu", "tanh"):
        ends = []
        for norm in (None, "batch"):
            kind = partial(net, s, norm, activation)
            nets, _ = sweep([kind], WIDE, data, steps=s.steps)
            table = scores(nets, data)  # (rates, seeds)
            if norm is None:
                low = table[0]
            elif activation == "relu":
                yield from found("W4.gained", table[0] - low)
            ends.append([largest(WIDE, row, s[activation]) for row in table.T])
        yield from found(f"W4.{activation}", np.divide(ends[1], ends[0]))


# --- W5: first weights ----------------------------------------------------------------

GAINS = (0.2, 0.41, 0.7, 1, 1.4, 2, 4)
FIRST = "SGD and Adam, each at its best rate"


@study(
    dense("fashion, 8 layers", FASHION, 64, 8, FIRST, 120, 5),
    dense("signals, 6 layers", SIGNALS, 100, 6, FIRST, 150, 5),
)
def first_weights(s):
    """Yield how many times the smallest gain that trains the largest one is (W5)."""
    data = draw(s)
    for key, norm, grid, options in (
        ("sgd", None, (0.01, 0.03, 0.1, 0.3), {}),
        ("adam", None, (0.0005, 0.003, 0.02), ADAM),
        ("bn", "batch", (0.01, 0.1, 0.5, 2.5), {}),
    ):
        kinds = [partial(net, s, norm, "relu", gain=gain) for gain in GAINS]
        nets, _ = sweep(kinds, grid, data, steps=s.steps, **options)
        table = scores(nets, data).reshape(len(GAINS), len(grid), -1).max(axis=1)
        for column in table.T:
            good = np.array(GAINS)[column > column.max() - 10]
            yield from _one(f"W5.{key}", good.max() / good.min(), table, column)


def _one(quantity, value, table, column):
    seed = int(np.flatnonzero((table == column[:, None]).all(0))[0])
    return [next(iter(found(quantity, [value])))._replace(seed=seed)]


# --- W7: depth ------------------------------------------------------------------------


def _row(s, seed):
    return mlp(s["sizes"], seed=seed, dtype=torch.float32)


def _skips(s, seed):
    shape = {"order": "pre", "dense": True, "in_channels": s["sizes"][0]}
    blocks, width = (len(s["sizes"]) - 2) // 2, s["sizes"][1]
    return residual_net(blocks, width, seed=seed, dtype=torch.float32, **shape)


@study(
    dense("fashion, 50 layers", FASHION, 100, 50, "SGD at 0.3", 1),
    dense("signals, 50 layers", SIGNALS, 64, 50, "SGD at 0.3", 1),
    dense("warped, 40 layers", WARPED, 48, 40, "SGD at 0.3", 1),
)
def depth(s):
    """Yield how gradient and signal come through 50 layers (W7)."""
    data, seeds = draw(s), range(s.seeds)
    last, layers = len(s["sizes"]) - 3, len(s["sizes"]) - 2

    def profile(model, k):
        seen = gradients(model, data[0][k, :128], data[1][k, :128])
        norms = [n for n, m in model.named_modules() if isinstance(m, nn.BatchNorm1d)]
        return np.array([seen[name].norm().item() for name in norms[:layers]])

    rows = [_row(s, seed) for seed in seeds]
    start = np.array([profile(model, k) for k, model in enumerate(rows)])
    yield from found("W7.growth", (start[:, 5] / start[:, -5]) ** (1 / (layers - 10)))
    yield from found("W7.start", np.log10(start[:, 0] / start[:, last]))
    nets, _ = sweep([partial(_row, s)], [0.3], data, steps=1)
    step = np.array([profile(model, k) for k, model in enumerate(nets.models())])
    yield from found("W7.step", np.log10(step[:, 0] / step[:, last]))
    for key, make in (("row", _row), ("skips", _skips)):
        read = [_probe(make(s, seed), data, k) for k, seed in enumerate(seeds)]
        yield from found(f"W7.{key}", read)


@torch.no_grad()
def _probe(model, data, k):
    """Accuracy in % of a linear classifier on the last hidden layer."""
    x, y = data[0][k], data[1][k].numpy()
    hidden = np.c_[model.train()[:-1](x).double().numpy(), np.ones(len(x))]
    cut = 2 * len(x) // 3
    w = np.linalg.lstsq(hidden[:cut], np.eye(10)[y[:cut]], rcond=1e-6)[0]
    return 100 * np.mean(np.argmax(hidden[cut:] @ w, axis=1) == y[cut:])


# --- W8: what a unit receives ---------------------------------------------------------


@study(
    dense(
        "fashion, 3 layers",
        FASHION,
        64,
        3,
        "SGD at its best rate",
        400,
        lr={"sigmoid": 3, "bn": 0.3, "relu": 0.1},
    ),
    dense(
        "signals, 3 layers",
        SIGNALS,
        100,
        3,
        "SGD at its best rate",
        600,
        lr={"sigmoid": 3, "bn": 0.3, "relu": 0.1},
    ),
)
def inputs_of_a_unit(s):
    """Yield how the range of a unit's input changes in training (W8)."""
    for key, norm, activation, standardize in (
        ("sigmoid", None, "sigmoid", False),
        ("bn", "batch", "sigmoid", False),
        ("relu", None, "relu", True),
    ):
        data, trace = draw(s, standardize=standardize), []

        def watch(step, nets, data=data, trace=trace):
            if step % 50 == 0:
                trace.append(_bands(nets, data[0][:, :500]))

        kind = partial(net, s, norm, activation)
        sweep([kind], [s["lr"][key]], data, steps=s.steps + 1, watch=watch)
        band = np.array(trace)  # (moments, seeds, units)
        change = np.median(band.max(0) / band.min(0), axis=1)
        yield from found(f"W8.{key}", change)
        for moment, row in enumerate(np.median(band / band[:1], axis=2)):
            yield from found(f"W8.{key}-course", row, at=50 * moment)


@torch.no_grad()
def _bands(nets, images):
    """Distance of the 85th and the 15th percentile of each unit of the last layer."""
    pairs = zip(nets.models(), images, strict=True)
    inputs = [model.train()[:-2](x).numpy() for model, x in pairs]
    return [np.subtract(*np.percentile(v, [85, 15], axis=0)) for v in inputs]


# --- W10: a net that SGD does not train -----------------------------------------------


@study(
    dense("fashion, 8 layers", FASHION, 64, 8, "SGD, Adam, best rates", 120),
    dense("signals, 8 layers", SIGNALS, 64, 8, "SGD, Adam, best rates", 200),
    dense("warped, 10 layers", WARPED, 48, 10, "SGD, Adam, best rates", 120),
)
def rescued(s):
    """Yield what trains eight layers with PyTorch's first weights (W10)."""
    data, gain = draw(s), sqrt(1 / 6)
    for key, norm, grid, options in (
        ("sgd", None, (0.003, 0.03, 0.3, 3), {}),
        ("adam", None, (0.0006, 0.003, 0.012, 0.05), ADAM),
        ("bn", "batch", (0.01, 0.1, 0.5, 2.5), {}),
    ):
        kind = partial(net, s, norm, "relu", gain=gain)
        nets, _ = sweep([kind], grid, data, steps=s.steps, **options)
        yield from found(f"W10.{key}", trains(grid, scores(nets, data)))
