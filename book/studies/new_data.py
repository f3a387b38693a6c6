"""Chapter 10 elsewhere: another light, and statistics that are out of date."""

import copy
from functools import partial

import numpy as np
import torch
from torch import nn

from bnlib.lab.data import shift_images
from bnlib.lab.ensemble import Ensemble, accuracies, train_many
from book.studies.base import at_best, draw, found, study, sweep
from book.studies.tables import FASHION, MNIST, WARPED, any_net, dense, images

SHIFTS = ("dark", "bright", "offset", "low contrast", "blur", "noise")
NORMS = nn.BatchNorm1d, nn.BatchNorm2d


def shifted(x, kind):
    """Return the images of all seeds under another camera, in the shape of x."""
    side = int(x[0, 0].numel() ** 0.5)
    new = shift_images(x.reshape(-1, 1, side, side).numpy(), kind, seed=1)
    return torch.tensor(new, dtype=x.dtype).reshape(x.shape)


@torch.no_grad()
def adapted(nets, x):
    """Return a copy whose statistics are those of x, (seeds, N, ...)."""
    nets = copy.copy(nets)
    nets.template = copy.deepcopy(nets.template).train()
    for norm in (m for m in nets.template.modules() if isinstance(m, NORMS)):
        norm.momentum = 1.0  # one pass, and only these images count
    nets(x, each=True)  # puts its statistics into new buffers
    return nets


def _schedule(steps):
    return lambda step: 1 - step / steps


@study(
    images("fashion, conv net", FASHION, "flatten", (8, 16), "SGD with momentum", 200),
    images(
        "MNIST, average pooling",
        MNIST,
        "average",
        (8, "M", 16, 16),
        "SGD with momentum",
        150,
        5,
    ),
)
def light(s):
    """Yield what new statistics repair, and what they do not (T1)."""
    data = draw(s, train=2400, standardize=False)
    pool, (x, y) = data[0][:, 2000:], data[2:]
    train = (data[0][:, :2000], data[1][:, :2000], *data[2:])
    nets = {}
    for norm in (None, "batch"):
        options = {"momentum": 0.9, "schedule": _schedule(s.steps)}
        kind = partial(any_net, s, norm)
        nets[norm] = sweep([kind], [0.05], train, steps=s.steps, **options)[0]

    def score(group, images):
        return 100 * accuracies(group, images, y, each=True)

    home = score(nets["batch"], x)
    yield from found("T1.home", home)
    fragile = []
    for kind in SHIFTS:
        new = shifted(x, kind)
        fragile.append(score(nets[None], new) - score(nets["batch"], new))
        yield from found(f"T1.old-{kind.replace(' ', '-')}", score(nets["batch"], new))
        ready = adapted(nets["batch"], shifted(pool[:, :300], kind))
        yield from found(f"T1.new-{kind.replace(' ', '-')}", score(ready, new))
    yield from found("T1.fragile", np.mean(fragile, axis=0))
    dark = shifted(x, "dark")
    ready = score(adapted(nets["batch"], shifted(pool[:, :300], "dark")), dark)
    few = score(adapted(nets["batch"], shifted(pool[:, :16], "dark")), dark)
    yield from found("T1.dark", ready - score(nets["batch"], dark))
    yield from found("T1.left", home - ready)
    yield from found("T1.sixteen", ready - few)
    inverted = adapted(nets["batch"], shifted(pool[:, :300], "inverted"))
    yield from found("T1.inverted", score(inverted, shifted(x, "inverted")) / 100)
    bright = adapted(nets["batch"], shifted(pool[:, :300], "bright"))
    yield from found("T1.back", home - score(bright, x))
    yield from _fine_tuned(s, nets["batch"], pool, data[1][:, 2000:], x, y)


def _fine_tuned(s, nets, pool, labels, x, y):
    """Yield what frozen statistics of the source cost on inverted images (T1)."""
    few = shifted(pool[:, 300:], "inverted"), labels[:, 300:]
    new, at, best = shifted(x, "inverted"), (30, 300), {}
    rates = (0.0003, 0.0015, 0.008, 0.04, 0.2)
    for name in ("train", "frozen"):
        members = [_prepared(net, name == "frozen") for net in nets.models()]
        many, table = Ensemble(members * len(rates)), []
        tiled = [part.repeat(len(rates), *[1] * (part.dim() - 1)) for part in few]
        test = [part.repeat(len(rates), *[1] * (part.dim() - 1)) for part in (new, y)]

        def watch(step, many, table=table, test=test):
            if step in at:
                table.append(100 * accuracies(many, *test, each=True))

        losses = train_many(
            many,
            tiled,
            steps=at[-1] + 1,
            lr=np.repeat(rates, len(members)),
            momentum=0.9,
            batch_size=10,
            seed=np.tile(range(len(members)), len(rates)),
            before_step=watch,
            each=True,
        )
        if len(losses) <= at[-1]:
            raise KeyboardInterrupt
        rows = np.reshape(table, (len(at), len(rates), -1))
        best[name] = [at_best(rates, row) for row in rows]
    yield from found("T1.early", best["train"][0] - best["frozen"][0])
    yield from found("T1.late", best["train"][1] - best["frozen"][1])


def _prepared(net, frozen):
    net = copy.deepcopy(net).train()
    for norm in (part for part in net.modules() if isinstance(part, NORMS)):
        norm.train(not frozen)
    return net


@study(
    dense("fashion, 2 layers", FASHION, 100, 2, "SGD with momentum", 200),
    dense("warped, 3 layers", WARPED, 64, 3, "SGD with momentum", 200),
)
def few_images(s):
    """Yield what 256 images gain over 16 in a dense net in the dark (T1)."""
    data = draw(s, train=2300, standardize=False)
    pool, (x, y) = shifted(data[0][:, 2000:], "dark"), data[2:]
    train = (data[0][:, :2000], data[1][:, :2000], *data[2:])
    options = {"momentum": 0.9, "schedule": _schedule(s.steps)}
    kind = partial(any_net, s, "batch")
    nets, _ = sweep([kind], [0.1], train, steps=s.steps, **options)
    dark, found_with = shifted(x, "dark"), {}
    for n in (4, 16, 64, 256):
        ready = adapted(nets, pool[:, :n])
        found_with[n] = 100 * accuracies(ready, dark, y, each=True)
        yield from found("T1.dense-course", found_with[n], at=n)
    yield from found("T1.dense", found_with[256] - found_with[16])


@study(
    images("fashion, conv net", FASHION, "flatten", (8, 16), "SGD with momentum", 200),
    images(
        "MNIST, ResNet of 15 layers",
        MNIST,
        "residual",
        (7, 8),
        "SGD with momentum",
        100,
    ),
)
def frozen_backbone(s):
    """Yield what a frozen net forgets in passes in training mode (T1)."""
    data = draw(s, standardize=False)
    options = {"momentum": 0.9, "schedule": _schedule(s.steps)}
    kind = partial(any_net, s, "batch")
    nets, _ = sweep([kind], [0.05], data, steps=s.steps, **options)
    home = 100 * accuracies(nets, *data[2:], each=True)
    bright = shifted(data[0][:, : 40 * 32], "bright")
    with torch.no_grad():
        for part in bright.split(32, dim=1):
            nets.train()(part, each=True)
    yield from found("T1.forgets", home - 100 * accuracies(nets, *data[2:], each=True))
