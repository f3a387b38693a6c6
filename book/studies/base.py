"""What the studies share: settings, the register of studies, sweeps and scores.

A *study* is a function that measures some claims in one setting and yields
``Found(quantity, seed, value, at)``: the key of a claim line of a chapter, such as
"W6.std", the seed, the number, and the step where it belongs to a course. Training is
that of :mod:`bnlib.lab`.
"""

import hashlib
from dataclasses import dataclass, field, replace
from itertools import count
from typing import NamedTuple

import numpy as np
import torch

from bnlib.lab.ensemble import Ensemble, accuracies, train_many
from bnlib.lab.grid import EdgeOfGrid, best_of_grid
from book.studies import data as sets

__all__ = ["Found", "Setting", "Study", "at_best", "course", "draw", "study", "sweep"]


class Found(NamedTuple):
    """One measured number.

    Parameters
    ----------
    quantity : str
        Key of the claim line that a chapter prints: "W6.std".
    seed : int
    value : float
    at : int or None
        Step of the training, where the quantity is a course.
    """

    quantity: str
    seed: int
    value: float
    at: int | None = None


@dataclass(frozen=True)
class Setting:
    """One row of a table of settings.

    Parameters
    ----------
    name : str
        Unique within its study: "fashion-mlp".
    data, net, optimizer : str
        In words, for the reader: "Fashion-MNIST 14x14, 2000 + 1000".
    steps : int
        Number of updates.
    seeds : int
        How many; they are 0, 1, 2, ...
    options : dict
        What the study needs besides: the name of the set, sizes, grids.
    """

    name: str
    data: str
    net: str
    optimizer: str
    steps: int
    seeds: int
    options: dict = field(default_factory=dict)

    def __getitem__(self, name):
        """Return an option."""
        return self.options[name]

    def get(self, name, default=None):
        """Return an option, or the default."""
        return self.options.get(name, default)

    @property
    def digest(self):
        """Eight letters that change with anything in the row."""
        parts = (self.name, self.data, self.net, self.optimizer, self.steps, self.seeds)
        text = repr((parts, sorted((k, repr(v)) for k, v in self.options.items())))
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    @property
    def sets(self):
        """Names of the sets that it needs."""
        names = self.get("sets", (self["set"],))
        return tuple(names)

    def with_seeds(self, seeds):
        """Return the same setting with another number of seeds."""
        return replace(self, seeds=seeds)


@dataclass(frozen=True)
class Study:
    """A function that measures, and the settings in which it does.

    Parameters
    ----------
    measure : callable
        Takes a setting, yields :class:`Found`.
    settings : tuple of Setting
    """

    measure: object
    settings: tuple

    @property
    def name(self):
        """Name of the function."""
        return self.measure.__name__


def study(*settings):
    """Make a study of the function below, with these settings.

    Raises
    ------
    ValueError
        If two settings have one name.
    """
    names = [setting.name for setting in settings]
    if len(set(names)) < len(names):
        raise ValueError(
            f"the settings of a study must have different names, got {names}; rename"
        )
    return lambda measure: Study(measure, settings)


def draw(setting, *, dtype=torch.float32, **options):
    """Return the data of a setting as tensors, the seeds as first axis.

    Takes ``set``, ``size``, ``train``, ``test`` and ``flat`` from the options of the
    setting; what is passed here counts more.
    """
    known = {"train": 2000, "test": 1000, "flat": True, "size": None}
    known |= {"standardize": True}
    known |= {k: setting.get(k) for k in known if k in setting.options} | options
    arrays = sets.per_seed(setting["set"], range(setting.seeds), **known)
    return tuple(
        torch.tensor(a).to(dtype if a.dtype.kind == "f" else torch.int64)
        for a in arrays
    )


def tile(values, times):
    """Repeat data of shape (seeds, ...) for as many settings."""
    return values.repeat(times, *[1] * (values.dim() - 1))


def sweep(kinds, rates, data, *, steps, watch=None, batch_size=32, **options):
    """Train a net of each kind, at each rate, with each seed, all at once.

    Parameters
    ----------
    kinds : list of callable
        Each makes a net from a seed; all of one architecture.
    rates : sequence of float
        Learning rates.
    data : tuple of Tensor
        Of :func:`draw`.
    steps, batch_size, **options : optional
        Of :func:`bnlib.lab.ensemble.train_many`.
    watch : callable, optional
        Called with (step, ensemble) before each update.

    Returns
    -------
    nets : Ensemble
        In the order (kinds, rates, seeds).
    losses : ndarray of shape (steps, kinds * rates * seeds)

    Raises
    ------
    KeyboardInterrupt
        If the training was interrupted: half a run is no measurement.
    """
    seeds = range(len(data[0]))
    nets = Ensemble([kind(seed) for kind in kinds for _ in rates for seed in seeds])
    times = len(kinds) * len(rates)
    how = {"lr": np.tile(np.repeat(rates, len(seeds)), len(kinds))}
    how |= {"seed": np.tile(seeds, times), "batch_size": batch_size}
    how |= {"before_step": watch, "each": True, **options}
    if callable(options.get("schedule")):
        schedule, base = how.pop("schedule"), how["lr"]
        how["lr"] = lambda step: base * schedule(step)
    losses = train_many(nets, [tile(d, times) for d in data[:2]], steps=steps, **how)
    if len(losses) < steps:
        raise KeyboardInterrupt
    return nets, losses


@torch.no_grad()
def scores(nets, data, *, fresh=300):
    """Test accuracy in %, (kinds * rates, seeds); NaN in the weights scores 0.

    Parameters
    ----------
    nets : Ensemble
    data : tuple of Tensor
        Of :func:`draw`.
    fresh : int, default=300
        Number of training examples whose statistics replace the running ones, which
        lag early in training; 0 leaves them as they are.
    """
    seeds = len(data[0])
    times = len(nets) // seeds
    kept = {name: value.clone() for name, value in nets.buffers.items()}
    norms = [p for p in nets.template.modules() if hasattr(p, "running_mean")]
    norms = [p for p in norms if p.running_mean is not None and p.training]
    if norms and fresh:
        before = [norm.momentum for norm in norms]
        for norm in norms:  # one pass, and the statistics are those of its examples
            norm.momentum = 1.0
        nets(tile(data[0][:, :fresh], times), each=True)
        for norm, momentum in zip(norms, before, strict=True):
            norm.momentum = momentum
    found = accuracies(nets, *[tile(d, times) for d in data[2:]], each=True)
    nets.buffers = kept
    return 100 * found.reshape(-1, seeds)


def course(kinds, rates, data, moments, **options):
    """Return the accuracy on the way in %, (moments, kinds, rates, seeds)."""
    curve = []

    def watch(step, nets):
        if step in moments:
            curve.append(scores(nets, data))

    sweep(kinds, rates, data, steps=max(moments) + 1, watch=watch, **options)
    return np.reshape(curve, (len(moments), len(kinds), len(rates), -1))


def at_best(rates, table, *, higher=True):
    """Return the row of the best rate, (seeds,).

    Parameters
    ----------
    rates : sequence of float
        At least three.
    table : ndarray of shape (rates, seeds)
    higher : bool, default=True
        Whether a high score is a good one.

    Raises
    ------
    EdgeOfGrid
        If the best rate is the first or the last one.
    """
    return table[best_of_grid(rates, table, higher=higher)]


def trains(rates, table, chance=10.0):
    """Return the best row, at the edge too where nothing trains."""
    try:
        return at_best(rates, np.nan_to_num(table))
    except EdgeOfGrid:
        if np.nan_to_num(table).mean(1).max() > 3 * chance:
            raise
        return np.nan_to_num(table)[np.nan_to_num(table).mean(1).argmax()]


def largest(rates, row, target):
    """Largest rate at which a curve over the grid reaches the target, interpolated.

    Parameters
    ----------
    rates : sequence of float
        In increasing order.
    row : ndarray of shape (rates,)
        Scores.
    target : float

    Returns
    -------
    float
        NaN where no rate of the grid reaches the target.

    Raises
    ------
    EdgeOfGrid
        If the largest rate of the grid still reaches it.

    Examples
    --------
    >>> round(largest([0.1, 1.0], np.array([80.0, 10.0]), 45), 3)
    0.316
    """
    row = np.nan_to_num(row)
    above = np.flatnonzero(row >= target)
    if not len(above):
        return float("nan")
    k = above[-1]
    if k == len(rates) - 1:
        raise EdgeOfGrid(
            f"the largest rate must fail {target}%, got {row[-1]:.0f}% at "
            f"{rates[-1]:g}; extend the grid upwards"
        )
    ends = np.log(rates[k : k + 2])
    return float(np.exp(np.interp(-target, -row[k : k + 2], ends)))


def found(quantity, values, at=None):
    """Yield one :class:`Found` for each seed."""
    for seed, value in zip(count(), np.asarray(values, dtype=float).ravel()):
        yield Found(quantity, seed, float(value), at)
