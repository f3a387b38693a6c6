"""Chapter 1 elsewhere: which half of standardizing speeds up gradient descent."""

from functools import partial

import numpy as np
import torch

from bnlib.lab.grid import best_of_grid
from bnlib.lab.models import mlp
from book.studies.base import draw, found, study, sweep
from book.studies.tables import FASHION, MNIST, dense


@study(
    dense(
        "MNIST, softmax regression",
        MNIST,
        0,
        0,
        "full-batch descent, each at its best rate",
        200,
        train=600,
        goal=0.2,
        grid=(0.1, 0.3, 1, 3, 10, 30, 100),
    ),
    dense(
        "fashion, softmax regression",
        FASHION,
        0,
        0,
        "full-batch descent, each at its best rate",
        300,
        train=600,
        goal=0.45,
        grid=(0.03, 0.1, 0.3, 1, 3, 10),
    ),
    dense(
        "fashion, ReLU net",
        FASHION,
        64,
        1,
        "full-batch descent, each at its best rate",
        300,
        train=600,
        goal=0.4,
        grid=(0.1, 0.3, 1, 3, 10, 30),
    ),
)
def centering(s):
    """Yield the steps that raw pixels need, over those of centered ones (N3)."""
    x, y, *rest = draw(s, standardize=False)
    arms = {"raw": x, "pixel": x - x.mean(1, keepdim=True)}
    arms["channel"] = x - x.mean((1, 2), keepdim=True)
    sd = x.std(1, keepdim=True)
    arms["std"] = x / torch.where(sd > 1e-3, sd, 1)
    steps, kind = {}, partial(_net, s)
    for name, images in arms.items():
        data = (images, y, *rest)
        _, losses = sweep([kind], s["grid"], data, steps=s.steps, batch_size=len(y[0]))
        hit = losses.reshape(s.steps, len(s["grid"]), -1) < s["goal"]
        table = np.where(hit.any(0), hit.argmax(0), 1.2 * s.steps)
        best = table[best_of_grid(s["grid"], table, higher=False)]
        steps[name] = np.minimum(best, s.steps)
    for name in ("pixel", "channel", "std"):
        yield from found(f"N3.{name}", steps["raw"] / steps[name])


def _net(s, seed):
    return mlp(s["sizes"], norm=None, seed=seed, dtype=torch.float32)
