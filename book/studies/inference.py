"""Chapter 4 elsewhere: the statistics of use against those of the batch."""

import copy
from functools import partial

import numpy as np
import torch
from torch import nn

from bnlib.lab.ensemble import accuracies
from book.studies.base import draw, found, scores, study, sweep
from book.studies.tables import (
    FASHION,
    MNIST,
    SIGNALS,
    WARPED,
    any_net,
    dense,
    images,
    tokens,
)

SGD = "SGD with momentum"
BATCH_NORMS = nn.BatchNorm1d, nn.BatchNorm2d


def _trained(s, data, batch_size=32, watch=None):
    """Return the trained nets of a setting, one for each seed."""
    kind = partial(any_net, s, "batch")
    how = {"momentum": 0.9, "batch_size": batch_size, "watch": watch}
    how |= s.get("how", {})
    return sweep([kind], [s["lr"]], data, steps=s.steps, **how)[0]


@torch.no_grad()
def _by_batch(nets, x, y, size):
    """Accuracy in % in training mode, ``size`` examples at a time, (seeds,)."""
    kept = {name: value.clone() for name, value in nets.buffers.items()}
    right = []
    for part, wanted in zip(x.split(size, 1), y.split(size, 1), strict=True):
        right.append((nets(part, each=True).argmax(-1) == wanted).double())
    nets.buffers = kept
    return 100 * torch.cat(right, 1).mean(1).numpy()


# --- I1: one image --------------------------------------------------------------------


def _alone(model):
    """Return the net with norms that normalize each image by itself.

    That is what batch norm does in training mode with a batch of one image.
    """
    for name, part in list(model.named_modules()):
        if isinstance(part, nn.BatchNorm2d):
            single = nn.InstanceNorm2d(part.num_features, eps=part.eps, affine=True)
            single.weight, single.bias = part.weight, part.bias
            parent = model.get_submodule(name.rpartition(".")[0])
            setattr(parent, name.rpartition(".")[2], single)
    return model


@study(
    images("fashion, flatten", FASHION, "flatten", (8, 16), SGD, 150, lr=0.05),
    images("MNIST, flatten", MNIST, "flatten", (16, 16), SGD, 150, lr=0.05),
    images("warped, flatten", WARPED, "flatten", (8, 12), SGD, 150, lr=0.05),
    images(
        "fashion, average",
        FASHION,
        "average",
        (8, 8, "M", 16, 16),
        SGD,
        150,
        lr=0.05,
        head="pooled",
    ),
    images(
        "MNIST, ResNet of 15 layers",
        MNIST,
        "residual",
        (7, 12),
        SGD,
        80,
        lr=0.05,
        head="pooled",
    ),
)
def one_image(s):
    """Yield what one image at a time in training mode costs (I1)."""
    data = draw(s, test=500)
    nets = _trained(s, data)
    evaluated = scores(nets, data)[0]
    single = []
    for k, model in enumerate(nets.models()):
        with torch.no_grad():
            answers = _alone(model)(data[2][k]).argmax(1)
        single.append(100 * (answers == data[3][k]).double().mean().item())
    if s.get("head") == "pooled":
        yield from found("I1.pooled", single)
        yield from found("I1.pooled-eval", evaluated)
    else:
        yield from found("I1.flatten", evaluated - single)


# --- I2: which variance ---------------------------------------------------------------


@study(
    dense("fashion, batches of 8", FASHION, 100, 3, SGD, 400, lr=0.02),
    dense("signals, batches of 8", SIGNALS, 64, 3, SGD, 400, lr=0.02),
    dense("MNIST, batches of 8", MNIST, 64, 3, SGD, 400, lr=0.02),
    dense("warped, batches of 8", WARPED, 48, 4, SGD, 400, lr=0.02),
)
def which_variance(s):
    """Yield what the unbiased variance does in eval mode (I2)."""
    data, size, gains, spread = draw(s), 8, [], []
    late = range(s.steps - 30, s.steps, 3)

    def watch(step, nets):
        if step in late:
            before = scores(nets, data, fresh=0)[0]
            _scale_variance(nets, (size - 1) / size)
            gains.append(scores(nets, data, fresh=0)[0] - before)
            _scale_variance(nets, size / (size - 1))

    nets = _trained(s, data, size, watch)
    for k, model in enumerate(nets.models()):
        other = copy.deepcopy(model)
        for part in other.modules():
            if isinstance(part, BATCH_NORMS):
                part.running_var *= (size - 1) / size
        pair = [_behind_third(part, data[2][k]) for part in (model, other)]
        spread.append(pair[0] / pair[1])
    yield from found("I2.depth", spread)
    yield from found("I2.eight", np.mean(gains, axis=0))


def _scale_variance(nets, factor):
    for name, value in nets.buffers.items():
        if name.endswith("running_var"):
            value *= factor


@torch.no_grad()
def _behind_third(model, x):
    """Spread of the values behind the third norm in eval mode."""
    norms = [k for k, part in enumerate(model) if isinstance(part, nn.BatchNorm1d)]
    y = model.eval()[: norms[2] + 1](x)
    return float((y - y.mean(0)).norm())


# --- I3: the moving average -----------------------------------------------------------

MOMENTS = (10, 20, 50, 100, 200, 300)


@study(
    dense("fashion, 3 layers", FASHION, 100, 3, SGD, 301, lr=0.05),
    images("MNIST, conv net", MNIST, "flatten", (8, 16), SGD, 301, lr=0.05),
    tokens(
        "signals, transformer",
        SIGNALS,
        32,
        2,
        "Adam",
        301,
        lr=0.003,
        how={"optimizer": "adam", "momentum": 0.0},
    ),
)
def moving_average(s):
    """Yield how far running statistics are behind the population's (I3)."""
    data, behind = draw(s), {}

    def watch(step, nets):
        if step in MOMENTS:
            running = scores(nets, data, fresh=0)[0]
            behind[step] = scores(nets, data, fresh=1000)[0] - running

    _trained(s, data, watch=watch)
    yield from found("I3.early", behind[10])
    yield from found("I3.late", behind[300])
    for step, points in behind.items():
        yield from found("I3.course", points, at=step)


# --- I4: batch statistics at prediction -----------------------------------------------


@study(
    dense("fashion, 3 layers", FASHION, 100, 3, SGD, 200, lr=0.05),
    dense("warped, 2 layers", WARPED, 64, 2, SGD, 200, lr=0.05),
    images("MNIST, conv net", MNIST, "flatten", (8, 16), SGD, 150, lr=0.05),
    tokens(
        "signals, transformer",
        SIGNALS,
        32,
        2,
        "Adam",
        300,
        lr=0.003,
        how={"optimizer": "adam", "momentum": 0.0},
    ),
)
def batch_at_prediction(s):
    """Yield what batch statistics and a sorted pass cost (I4)."""
    data = draw(s)
    nets = _trained(s, data)
    x, y = data[2:]
    usual = 100 * accuracies(nets, x, y, each=True)
    yield from found("I4.pairs", usual - _by_batch(nets, x, y, 2))
    for size in (8, 32, 128):
        yield from found("I4.course", usual - _by_batch(nets, x, y, size), at=size)
    yield from found("I4.whole", usual - _by_batch(nets, x, y, x.shape[1]))
    with torch.no_grad():
        order = y.argsort(dim=1, stable=True)
        place = torch.arange(len(x))[:, None]
        for part in x[place, order].split(4, 1):
            nets(part, each=True)
    yield from found("I4.pass", usual - 100 * accuracies(nets, x, y, each=True))


# --- I5: training on the averages -----------------------------------------------------


class Variant(nn.Module):
    """A batch norm that takes its values, or its gradient, from elsewhere.

    Parameters
    ----------
    width : int
    arm : {"batch", "both cut", "lag only", "averages"}
        With the values and the gradient of the batch; without the gradient of its
        statistics; with the values of the moving averages and the gradient of the
        batch; with the averages.
    """

    def __init__(self, width, arm):
        super().__init__()
        self.arm = arm
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("var", torch.ones(width))

    def forward(self, x):
        """Normalize x of shape (N, C)."""
        mean, var = self.mean.clone(), self.var.clone()
        if self.training:
            now = x.mean(0), x.var(0, correction=0)
            for average, new in zip((self.mean, self.var), now, strict=True):
                average.mul_(0.9).add_(0.1 * new.detach())
            if self.arm == "batch":
                mean, var = now
            elif self.arm == "both cut":
                mean, var = (v.detach() for v in now)
            elif self.arm == "lag only":
                mean, var = (
                    old + new - new.detach()
                    for old, new in zip((mean, var), now, strict=True)
                )
        return self.weight * (x - mean) / (var + 1e-5).sqrt() + self.bias


@study(
    dense("fashion, 3 layers", FASHION, 64, 3, "SGD at 0.3 and 1", 200),
    dense("signals, 4 layers", SIGNALS, 100, 4, "SGD at 0.3 and 1", 200),
)
def averages_in_training(s):
    """Yield what lag and missing gradient cost (I5)."""
    data, table, overflow = draw(s), {}, {}
    for arm in ("batch", "both cut", "lag only", "averages"):
        kind = partial(any_net, s, partial(Variant, arm=arm))
        nets, losses = sweep([kind], [0.3, 1], data, steps=s.steps, batch_size=64)
        table[arm] = scores(nets, data, fresh=0)
        overflow[arm] = ~np.isfinite(losses[-1]).reshape(2, -1)[1]
    yield from found("I5.lag", (table["batch"] - table["lag only"])[0])
    yield from found("I5.cut", (table["batch"] - table["both cut"])[0])
    yield from found("I5.overflow", 100 * overflow["averages"])
