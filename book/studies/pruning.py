"""Chapter 11 elsewhere: what γ knows of channels, and what of their number."""

import copy

import numpy as np
import torch

from bnlib.lab.models import vgg
from bnlib.lab.train import accuracy, train
from bnlib.slimming import absorb, l1_gamma, plan, prune, summary
from book.studies.base import draw, found, study
from book.studies.tables import FASHION, MNIST, images

STEPS, TUNING = 120, 150
WORDS = "SGD with momentum, L1 on gamma"


def _table(name, data, widths):
    """Return a setting; widths are those of the convolutions, "M" a pooling."""
    options = {"train": 3000, "test": 1500}
    return images(name, data, "average", widths, WORDS, STEPS + TUNING, 5, **options)


def _rates(steps, peak=0.1):
    """Learning rates: up for three tenths of the steps, then down to 0."""
    t = np.arange(steps) / steps
    up = (1 - np.cos(np.pi * t / 0.3)) / 2
    down = (1 + np.cos(np.pi * (t - 0.3) / 0.7)) / 2
    return peak * np.where(t < 0.3, 0.04 + 0.96 * up, down)


class _Bench:
    """The images and nets of one seed.

    Parameters
    ----------
    s : Setting
    data : tuple of Tensor
    seed : int
    """

    def __init__(self, s, data, seed):
        self.train = data[0][seed], data[1][seed]
        self.test = data[2][seed], data[3][seed]
        self.example, self.seed, self.config = self.test[0][:2], seed, s["widths"]

    @property
    def widths(self):
        return [w for w in self.config if w != "M"]

    def make(self, widths=None):
        left = iter(widths or self.widths)
        config = [w if w == "M" else int(next(left)) for w in self.config]
        net = vgg(config, seed=self.seed, dtype=torch.float32)
        for layer in _norms(net):
            torch.nn.init.constant_(layer.weight, 0.5)
        return net

    def fit(self, net, steps, before_step=None, order=0):
        lr = _rates(steps)
        history = train(
            net.to(memory_format=torch.channels_last).train(),
            self.train,
            steps=steps,
            lr=lambda step: lr[step],
            momentum=0.9,
            weight_decay=1e-4,
            seed=self.seed + order,
            before_step=before_step,
        )
        if history.interrupted_at is not None:
            raise KeyboardInterrupt
        return net

    def tune(self, net):
        return 100 * accuracy(self.fit(net, TUNING, order=50), *self.test)

    def drawn(self, net, widths):
        """Keep so many channels of each layer, drawn by lot."""
        cut = plan(net, 0, example_input=self.example)
        generator = torch.Generator().manual_seed(self.seed)
        for group, width in zip(cut.groups.values(), widths, strict=True):
            order = torch.randperm(len(group.kept), generator=generator)
            group.kept = torch.isin(torch.arange(len(order)), order[:width])
        return prune(net, cut)


def _norms(net):
    return [m for m in net if isinstance(m, torch.nn.BatchNorm2d)]


@study(
    _table("fashion, VGG", FASHION, (16, "M", 32, "M", 32, 64, 64)),
    _table("MNIST, wider VGG", MNIST, (16, "M", 48, "M", 48, 96)),
)
def slimming(s):
    """Yield what γ says of a channel, and what slimming owes to it (G1, G2)."""
    data, rows = draw(s), []
    for seed in range(s.seeds):
        rows.append(_one_seed(_Bench(s, data, seed)))
    for key in rows[0]:
        yield from found(key, [row[key] for row in rows])


def _one_seed(bench):
    reach = _rates(STEPS).sum() / (1 - 0.9)
    plain = bench.fit(bench.make(), STEPS)
    sparse = bench.make()
    sparse = bench.fit(sparse, STEPS, before_step=l1_gamma(sparse, 1.5 / reach))
    row = {
        "G1.layer": _agreement(plain, bench, _every_fourth)[0],
        "G1.across": _agreement(plain, bench, _every_fourth)[1],
        "G1.price": _agreement(sparse, bench, _every_fourth)[1],
        "G1.living": _agreement(sparse, bench, _living)[0],
    }
    row["G2.dead"] = float((_gammas(sparse) < 0.01).mean())
    row["G2.alive"] = float((_gammas(plain) > 0.1).mean())
    cut = plan(sparse, 0.7, floor=0.1, example_input=bench.example)
    slim = prune(absorb(sparse, cut)[0], cut)
    widths = [m.out_channels for m in slim if isinstance(m, torch.nn.Conv2d)]
    even = [max(1, round(0.3 * w)) for w in bench.widths]
    size = {k: summary(n, bench.example).parameters for k, n in _pair(plain, slim)}
    scores = {
        "unpruned": bench.tune(copy.deepcopy(plain)),
        "slimmed": bench.tune(slim),
        "lots": bench.tune(bench.drawn(plain, widths)),
        "scratch": bench.tune(bench.fit(bench.make(widths), STEPS)),
        "even": bench.tune(bench.fit(bench.make(even), STEPS)),
    }
    row["G2.lost"] = scores["unpruned"] - scores["slimmed"]
    row["G2.which"] = scores["slimmed"] - scores["lots"]
    row["G2.scratch"] = scores["slimmed"] - scores["scratch"]
    row["G2.widths"] = scores["scratch"] - scores["even"]
    row["G2.saved"] = 1 - size["slim"] / size["plain"]
    return row


def _pair(plain, slim):
    return ("plain", plain), ("slim", slim)


def _gammas(net):
    return torch.cat([m.weight for m in _norms(net)]).detach().abs().numpy()


def _every_fourth(gamma):
    return torch.arange(0, len(gamma), 4)


def _living(gamma):
    return torch.nonzero(gamma > 0.01).flatten()


def _agreement(net, bench, pick):
    """Rank correlation of |γ| with the damage: mean of the layers, whole net."""
    norms = [i for i, m in enumerate(net) if isinstance(m, torch.nn.BatchNorm2d)]
    batch = [part[:150] for part in bench.train]
    each = [_damage(net, i, *batch, pick) for i in norms]
    whole = tuple(np.concatenate(part) for part in zip(*each, strict=True))
    ranks = [_rank_correlation(*pair) for pair in each if len(pair[0]) > 2]
    return np.mean(ranks), _rank_correlation(*whole)


@torch.no_grad()
def _damage(net, i, x, y, pick):
    """Rise of the loss when a channel of norm i is silenced, and its |γ|."""
    before, gamma = net.eval()[: i + 1](x), net[i].weight.detach().abs()
    rest, loss = net[i + 1 :], torch.nn.functional.cross_entropy
    intact, rise, picked = loss(rest(before), y), [], pick(gamma)
    for k in picked:
        silenced = before.clone()
        silenced[:, k] = 0
        rise.append(float(loss(rest(silenced), y) - intact))
    return np.array(rise), gamma[picked].numpy()


def _rank_correlation(a, b):
    ranks = [np.argsort(np.argsort(v)) for v in (a, b)]
    return np.corrcoef(*ranks)[0, 1]
