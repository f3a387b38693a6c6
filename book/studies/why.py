"""Chapter 6 elsewhere: covariate shift, smoothness, other norms, slices of the loss."""

from functools import partial
from math import inf, log, sqrt

import numpy as np
import torch

from bnlib.lab.ensemble import Ensemble, train_many
from bnlib.lab.models import mlp, nin, vgg
from bnlib.lab.noisy import NoisyBatchNorm
from bnlib.lab.probe import filter_directions, landscape, loss_slice
from bnlib.nn import LpBatchNorm
from book.studies.base import at_best, draw, found, scores, study, sweep
from book.studies.tables import FASHION, MNIST, SIGNALS, WARPED, dense, images, net

# --- W1, W3: noise behind the norm, and other norms -----------------------------------

GRID = (0.01, 0.03, 0.1, 0.3, 1, 3)
CALM = {"n_mu": 0, "n_sigma": 1}  # mean and scale of the noise stay where they are
CALM |= {"r_mu": sqrt(3 * (0.25 + 0.01) / 3), "r_sigma": sqrt(0.25**2 / 12 + 0.01)}
NORMS = {
    "plain": None,
    "BN": "batch",
    "noisy": NoisyBatchNorm,
    "calm": partial(NoisyBatchNorm, **CALM),
    "L1": partial(LpBatchNorm, p=1),
    "Linf": partial(LpBatchNorm, p=inf),
}


@study(
    dense("fashion, 8 layers", FASHION, 64, 8, "SGD", 100),
    dense("signals, 6 layers", SIGNALS, 100, 6, "SGD", 150),
)
def shaken(s):
    """Yield what noise behind every norm costs, and what another norm does (W1, W3)."""
    data, tables = draw(s), {}
    for name, norm in NORMS.items():
        kind = partial(net, s, norm, "relu")
        nets, _ = sweep([kind], GRID, data, steps=s.steps)
        tables[name] = scores(nets, data)
    low, high = ({k: t[GRID.index(r)] for k, t in tables.items()} for r in (0.03, 1))
    yield from found("W1.noise", low["BN"] - low["noisy"])
    yield from found("W1.calm", low["calm"] - low["noisy"])
    yield from found("W1.high", high["noisy"] - high["plain"])
    top = {k: at_best(GRID, tables[k]) for k in ("BN", "L1", "Linf")}
    apart = [abs(top["BN"] - top[k]) for k in ("L1", "Linf")]
    yield from found("W3.best", max(apart, key=np.mean))
    yield from found("W3.lag", low["BN"] - low["Linf"])


# --- W2: along the gradient -----------------------------------------------------------


@study(
    dense("fashion, 8 layers", FASHION, 64, 8, "SGD", 100, rates=(0.03, 0.3, 1)),
    dense("signals, 6 layers", SIGNALS, 100, 6, "SGD", 150, rates=(0.1, 0.3, 1)),
)
def along_the_gradient(s):
    """Yield how the gradient changes on a walk along it (W2)."""
    data, seen = draw(s), {}
    same, *large = s["rates"]
    moments = (4 * s.steps // 10, 8 * s.steps // 10)
    for name, norm, rates in (("plain", None, [same]), ("BN", "batch", s["rates"])):
        kept, kind = [], partial(net, s, norm, "relu")

        def watch(step, nets, kept=kept):
            if step in moments:
                kept.append(nets.models())

        sweep([kind], rates, data, steps=s.steps, watch=watch)
        for i, rate in enumerate(rates):
            rows = [
                [_walk(nets[i * s.seeds + k], data, k, rate) for k in range(s.seeds)]
                for nets in kept
            ]
            seen[name, rate] = np.median(rows, axis=0)  # (seeds, 2)
    change, rough = (seen["plain", same] / seen["BN", same]).T
    yield from found("W2.change", change)
    yield from found("W2.beta", rough)
    edge = [seen["BN", rate][:, 1] * rate / 2 for rate in large]
    yield from found("W2.edge", np.mean(edge, axis=0))


def _walk(model, data, k, rate):
    """Change of the gradient, and per distance, 1/2 to 4 times the rate ahead."""
    x, y = (part[k, :128] for part in data[:2])
    seen = landscape(model, x, y, steps=[f * rate for f in (0.5, 1, 2, 4)])
    return seen["gradient_change"], seen["smoothness"]


# --- W9: slices, plateaus, barriers ---------------------------------------------------

SPAN = np.linspace(-1, 1, 9)


def _vgg(s, norm, seed):
    make = nin if s["kind"] == "nin" else vgg
    return make(s["widths"], norm=norm, seed=seed, dtype=torch.float32)


@study(
    images("fashion, VGG", FASHION, "average", (8, "M", 16, 16), "Adam", 60),
    images("MNIST, VGG", MNIST, "average", (8, 8, "M", 16, "M", 16), "Adam", 60),
    images("warped, VGG", WARPED, "average", (12, "M", 12, 12), "Adam", 60),
)
def slices(s):
    """Yield the highest loss on random lines through a trained net (W9)."""
    data, top = draw(s), {}
    for norm in (None, "batch"):
        kind = partial(_vgg, s, norm)
        nets, _ = sweep([kind], [0.01], data, steps=s.steps, optimizer="adam")
        for k, model in enumerate(nets.models()):
            batch = [part[k, :100] for part in data[:2]]
            for statistics in ("batch", "frozen") if norm else ("batch",):
                lines = [[filter_directions(model, seed)] for seed in (1, 2)]
                z = [loss_slice(model, *batch, d, SPAN, statistics) for d in lines]
                top[norm, statistics, k] = np.exp(np.mean([log(v.max()) for v in z]))
    plain, bn, frozen = (
        np.array([top[(*key, k)] for k in range(s.seeds)])
        for key in ((None, "batch"), ("batch", "batch"), ("batch", "frozen"))
    )
    yield from found("W9.batch", plain / bn)
    yield from found("W9.frozen", frozen / plain)


@study(
    dense("fashion, 8 layers", FASHION, 64, 8, "none", 1),
    dense("signals, 8 layers", SIGNALS, 64, 8, "none", 1),
    dense("warped, 10 layers", WARPED, 48, 10, "none", 1),
)
def plateau(s):
    """Yield the share of a plane in which an untrained net guesses (W9)."""
    data, share = draw(s), []
    for seed in range(s.seeds):
        model = net(s, None, "relu", seed, gain=sqrt(1 / 6))  # PyTorch's weights
        plane = [filter_directions(model, d) for d in (1, 2)]
        z = loss_slice(model, *(p[seed, :100] for p in data[:2]), plane, SPAN, "batch")
        share.append(np.mean(abs(z - log(10)) < 0.05))
    yield from found("W9.plateau", share)


@study(
    dense(
        "fashion, 3 layers",
        FASHION,
        64,
        3,
        "SGD and Adam",
        700,
        train=600,
        plain=(0.1, 0.002),
        bn=(0.3, 0.01),
    ),
    dense(
        "signals, 3 layers",
        SIGNALS,
        100,
        3,
        "SGD and Adam",
        700,
        train=600,
        plain=(0.1, 0.002),
        bn=(0.3, 0.01),
    ),
)
def barriers(s):
    """Yield the height of the loss between two solutions (W9)."""
    data, seeds = draw(s), range(s.seeds)
    optimizer, start = [], []
    for norm, (sgd, adam) in ((None, s["plain"]), ("batch", s["bn"])):
        ends = {}
        for name, how, rate, shift in (
            ("first", "sgd", sgd, 0),
            ("adam", "adam", adam, 0),
            ("other", "sgd", sgd, 100),
        ):
            nets = Ensemble(
                [
                    mlp(s["sizes"], norm=norm, seed=k + shift, dtype=torch.float32)
                    for k in seeds
                ]
            )
            options = {"optimizer": how, "lr": rate, "batch_size": 32, "each": True}
            losses = train_many(nets, data[:2], steps=s.steps, seed=[*seeds], **options)
            ends[name] = nets.models()
            key = f"W9.loss-{name}-{'plain' if norm is None else 'bn'}"
            yield from found(key, losses[-50:].mean(0))
        optimizer.append([_barrier(*p, data) for p in _pairs(ends, "adam")])
        start.append([_barrier(*p, data) for p in _pairs(ends, "other")])
    yield from found("W9.optimizer", np.max(optimizer, axis=0))
    yield from found("W9.start", np.min(start, axis=0))


def _pairs(ends, other):
    return zip(ends["first"], ends[other], range(len(ends[other])), strict=True)


def _barrier(a, b, k, data):
    """Height of the loss above the line that joins two nets."""
    ends = zip(a.named_parameters(), b.parameters(), strict=True)
    way = {name: (q - p).detach() for (name, p), q in ends}
    batch = [part[k, :500] for part in data[:2]]
    z = loss_slice(a, *batch, [way], np.linspace(0, 1, 9), "batch")
    return max(z - np.linspace(z[0], z[-1], 9))
