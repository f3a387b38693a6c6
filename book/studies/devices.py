"""Chapter 9 elsewhere: a batch in parts, each with statistics of its own.

Parts on several devices and parts one after the other give the same gradient (S1.same),
so one process plays all devices here.
"""

from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

from book.studies.base import draw, found, study, sweep
from book.studies.tables import FASHION, MNIST, SIGNALS, WARPED, any_net, dense, images


class PartsNorm(nn.Module):
    """A batch norm of a batch in parts, each normalized by itself, as on devices.

    Parameters
    ----------
    width : int
    sizes : tuple of int
        Examples in each part, in the order of the batch.
    """

    def __init__(self, width, sizes):
        super().__init__()
        self.sizes = list(sizes)
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x):
        """Normalize each part of x, (N, C) or (N, C, H, W)."""
        parts = (
            F.batch_norm(part, None, None, self.weight, self.bias, training=True)
            for part in x.split(self.sizes)
        )
        return torch.cat(list(parts))


def averaged(sizes):
    """Return the loss of devices that average the mean losses of unequal parts."""
    shares = torch.cat([torch.full((n,), 1 / (len(sizes) * n)) for n in sizes])

    def loss(outputs, targets):
        each = F.cross_entropy(
            outputs.flatten(0, 1), targets.flatten(0, 1), reduction="none"
        )
        return (each.reshape(len(outputs), -1) * shares.to(outputs.dtype)).sum(1)

    return loss


@study(
    images("fashion, conv net", FASHION, "flatten", (8, 16), "SGD at 0.1", 5),
    images("MNIST, conv net", MNIST, "average", (16, "M", 32, 32), "SGD at 0.1", 5),
    images(
        "fashion, ResNet of 15 layers", FASHION, "residual", (7, 8), "SGD at 0.1", 5
    ),
    dense("signals, MLP", SIGNALS, 100, 4, "SGD at 0.1", 5),
    images("warped, conv net", WARPED, "flatten", (8, 12), "SGD at 0.1", 5),
)
def in_parts(s):
    """Yield how far the weights end from those of the whole batch (S1)."""
    data = draw(s, train=640, test=100)
    ways = {
        "whole": ((64,), None),
        "halves": ((32, 32), None),
        "pairs": ((2,) * 32, None),
        "apart-48": ((48, 16), None),
        "means-48": ((64,), averaged((48, 16))),
        "apart-33": ((33, 31), None),
        "means-33": ((64,), averaged((33, 31))),
    }
    ends = {}
    for name, (sizes, loss) in ways.items():
        kind = partial(_net, s, sizes)
        options = {"steps": s.steps, "batch_size": 64, "loss": loss}
        ends[name] = _vector(sweep([kind], [0.1], data, **options)[0])
    way = ends["whole"] - _vector(sweep([kind], [0.1], data, steps=0)[0])
    off = {
        name: ((end - ends["whole"]).norm(dim=1) / way.norm(dim=1)).numpy()
        for name, end in ends.items()
    }
    yield from found("S1.halves", 100 * off["halves"])
    yield from found("S1.pairs", 100 * off["pairs"])
    yield from found("S1.even", off["means-33"] / off["apart-33"])
    yield from found("S1.uneven", off["means-48"] / off["apart-48"])


def _net(s, sizes, seed):
    return any_net(s, partial(PartsNorm, sizes=sizes), seed).double()


def _vector(nets):
    """Return the parameters of each net in a row."""
    return torch.cat([p.detach().flatten(1) for p in nets.parameters.values()], 1)
