"""What batch norm remembers for inference: running and population statistics.

In training a channel is normalized with the mean and variance of its batch. At
inference there may be no batch, so two substitutes are in use: *running* statistics, a
moving average over the training batches that depends on momentum and order, and
*population* statistics, the mean and variance of all values, which are exact and do
not care how the data were cut into batches. Both are here, and what it takes to carry
them between frameworks.
"""

from dataclasses import dataclass

import numpy as np

from bnlib.refuse import (
    finite_statistics,
    floating_array,
    momentum_fraction,
    parameter,
    whole_number,
)

__all__ = [
    "Population",
    "RunningStatistics",
    "convert_momentum",
    "convert_variance",
    "merge",
    "population_statistics",
]

# What the framework's momentum weighs, and which variance it stores.
CONVENTIONS = {
    "pytorch": ("new", "unbiased"),
    "keras": ("old", "biased"),
    "flax": ("old", "biased"),
    "onnx": ("old", "biased"),
    "tensorflow": ("old", "biased"),
}


class RunningStatistics:
    """Follow the mean and variance of the batches with a moving average.

    PyTorch's convention: with each batch, and for the mean alike::

        running_var = (1 - momentum) * running_var + momentum * unbiased_var

    so a *larger* momentum forgets faster, and the variance that is remembered is the
    unbiased one (divided by M - 1) although the batch is normalized with the biased one
    (divided by M). ``momentum=None`` weighs all batches equally.

    Parameters
    ----------
    num_features : int
        Number of channels C.
    momentum : float in [0, 1] or None, default=0.1
        Weight of the new value; None is the cumulative average, weight ``1 / k`` for
        the k-th batch.

    Attributes
    ----------
    mean, var : ndarray of shape (C,), float64
        Running statistics, 0 and 1 at the start. Replaced by each update, not modified.
    num_batches : int
        Number of updates so far.

    Raises
    ------
    TypeError, ValueError
        If ``num_features`` is not a whole number above 0, or ``momentum`` is neither
        None nor in [0, 1].

    References
    ----------
    Ioffe & Szegedy (2015), section 3.1 and Algorithm 2.
    https://arxiv.org/abs/1502.03167

    Examples
    --------
    >>> running = RunningStatistics(1, momentum=0.5)
    >>> running.update(mean=[4.0], var=[2.0], count=2)  # unbiased: 2 * 2 / (2 - 1) = 4
    >>> running.mean, running.var
    (array([2.]), array([2.5]))
    """

    def __init__(self, num_features, momentum=0.1):
        self.num_features = whole_number("num_features", num_features, at_least=1)
        self.momentum = momentum_fraction(momentum)
        self.mean = np.zeros(num_features)
        self.var = np.ones(num_features)
        self.num_batches = 0

    def update(self, mean, var, count):
        """Take in the statistics of one batch.

        Parameters
        ----------
        mean, var : array_like of shape (C,)
            Statistics the batch was normalized with: ``cache.mean`` and ``cache.var``
            of :func:`bnlib.norms.batch_norm`. The variance is the *biased* one
            (divided by M); it is stored multiplied by M / (M - 1). Not modified.
        count : int
            Number of values per channel, M = N * positions; at least 2.

        Raises
        ------
        TypeError
            If one of the three does not hold numbers of the right kind.
        ValueError
            If a shape is not (C,), a value is not finite, a variance is negative or
            ``count`` is below 2. The statistics then stay as they were.
        """
        shape = (self.num_features,)
        mean = _real_array("mean", mean, shape)
        var = _not_negative(_real_array("var", var, shape))
        count = whole_number("count", count, at_least=2)
        self.num_batches += 1
        new = 1 / self.num_batches if self.momentum is None else self.momentum
        self.mean = (1 - new) * self.mean + new * mean
        self.var = (1 - new) * self.var + new * (var * (count / (count - 1)))


@dataclass(frozen=True)
class Population:
    """Mean and variance of all values seen, and how many there were.

    Parameters
    ----------
    mean : ndarray of shape (C,)
        Mean of each channel.
    var : ndarray of shape (C,)
        Biased variance (divided by ``count``) of each channel.
    count : int
        Number of values per channel.

    Examples
    --------
    >>> seen = Population(mean=np.array([3.0]), var=np.array([4.0]), count=5)
    >>> seen.unbiased_var
    array([5.])
    """

    mean: np.ndarray
    var: np.ndarray
    count: int

    @property
    def unbiased_var(self):
        """Variance divided by ``count - 1``, as PyTorch stores it."""
        if self.count < 2:
            raise ValueError(
                "the unbiased variance needs at least 2 values per channel, "
                f"got {self.count}; take in more data"
            )
        return self.var * (self.count / (self.count - 1))


def population_statistics(batches):
    """Compute the statistics of all batches together, in one exact pass.

    The batches may differ in size and in their spatial axes. One batch is in memory at
    a time, and the result is that of the concatenated data, however they were cut.

    Parameters
    ----------
    batches : iterable of ndarray, each (N_i, C) or (N_i, C, *spatial)
        Data in float32 or float64; computed in float64. Not modified.

    Returns
    -------
    Population
        ``mean``, ``var`` (biased, divided by ``count``) and ``count``; the property
        ``unbiased_var`` divides by ``count - 1``.

    Raises
    ------
    TypeError
        If ``batches`` is a single array or holds something else than float arrays.
    ValueError
        If there is no batch, a batch is empty or not finite, or C changes.

    References
    ----------
    Chan, Golub & LeVeque (1983). https://doi.org/10.1080/00031305.1983.10483115

    Examples
    --------
    >>> total = population_statistics([np.array([[1.0], [2.0]]), np.array([[6.0]])])
    >>> total.mean, total.var, total.count
    (array([3.]), array([4.66666667]), 3)
    """
    if isinstance(batches, np.ndarray):
        raise TypeError(
            "batches must be an iterable of arrays, got one array of shape "
            f"{batches.shape}; pass [x]"
        )
    total = None
    for x in batches:
        floating_array("each batch", x, min_dims=2)
        axes = (0, *range(2, x.ndim))
        with np.errstate(over="ignore", invalid="ignore"):  # the next check says it
            mean = x.mean(axes, dtype=np.float64)
            var = np.square(x - np.expand_dims(mean, (0, *axes[1:]))).mean(axes)
        finite_statistics("each batch", x, var)
        batch = Population(mean, var, x.size // x.shape[1])
        total = batch if total is None else merge(total, batch)
    if total is None:
        raise ValueError("batches must hold at least one batch, got none; check it")
    return total


def merge(a, b):
    """Merge the statistics of two disjoint parts of the data, exactly.

    With M2 the sum of squared deviations from the mean, ``count * var``::

        M2 = M2_a + M2_b + (mean_b - mean_a)^2 * count_a * count_b / (count_a + count_b)

    The last term is what averaging two variances forgets.

    Parameters
    ----------
    a, b : Population
        Statistics of two parts. Not modified.

    Returns
    -------
    Population
        Statistics of both together.

    Raises
    ------
    ValueError
        If the two have different numbers of channels.

    References
    ----------
    Chan, Golub & LeVeque (1983). https://doi.org/10.1080/00031305.1983.10483115

    Examples
    --------
    >>> a = population_statistics([np.array([[1.0], [3.0]])])
    >>> b = population_statistics([np.array([[8.0]])])
    >>> both = merge(a, b)
    >>> both.mean, both.count
    (array([4.]), 3)
    >>> np.allclose(both.var, np.var([1.0, 3.0, 8.0]))
    True
    """
    if a.mean.shape != b.mean.shape:
        raise ValueError(
            "both parts must have the same channels, got means of shape "
            f"{a.mean.shape} and {b.mean.shape}; check which axis holds the channels"
        )
    count = a.count + b.count
    share = b.count / count
    apart = b.mean - a.mean
    # Weighted by shares and not by sums: counts of 1e9 then cost no digits.
    var = (1 - share) * a.var + share * b.var + np.square(apart) * share * (1 - share)
    return Population(a.mean + apart * share, var, count)


def convert_momentum(value, source, target):
    """Translate a momentum between frameworks.

    PyTorch's momentum weighs the new value, everyone else's the old one: the same
    moving average is ``momentum=0.1`` in one and ``0.9`` in the others.

    Parameters
    ----------
    value : float in [0, 1]
        Momentum as ``source`` understands it.
    source, target : {"pytorch", "keras", "flax", "onnx", "tensorflow"}
        Whose momentum it is, and whose it shall be.

    Returns
    -------
    float
        Momentum as ``target`` understands it.

    Raises
    ------
    ValueError
        If ``value`` is outside of [0, 1] or None (PyTorch's cumulative average, which
        no constant momentum can imitate), or a framework is unknown.

    Examples
    --------
    >>> convert_momentum(0.99, "keras", "pytorch")
    0.01
    """
    if value is None:
        raise ValueError(
            "a momentum must be a number to be translated, got None, PyTorch's "
            "cumulative average; re-estimate the statistics instead"
        )
    value = momentum_fraction(value)
    if _convention(source)[0] == _convention(target)[0]:
        return value
    # Rounded because 1 - 0.9 is 0.09999999999999998.
    return round(1 - value, 15)


def convert_variance(var, count, source, target):
    """Translate a stored variance between frameworks.

    PyTorch stores the unbiased variance (divided by M - 1), the others the biased one
    (divided by M). The difference is a factor 1 + 1 / (M - 1).

    Parameters
    ----------
    var : array_like of shape (C,)
        Running variance as ``source`` stores it. Not modified.
    count : int
        Values per channel M of the batches it was averaged over; at least 2.
    source, target : {"pytorch", "keras", "flax", "onnx", "tensorflow"}
        Whose variance it is, and whose it shall be.

    Returns
    -------
    ndarray of shape (C,), float64
        Running variance as ``target`` would have stored it. Exact for batches of equal
        size, up to the share of the initial value that a moving average still holds.

    Raises
    ------
    TypeError, ValueError
        If ``var`` does not hold finite numbers of at least 0, ``count`` is below 2, or
        a framework is unknown.

    Examples
    --------
    >>> convert_variance([1.0], count=5, source="keras", target="pytorch")
    array([1.25])
    """
    var = _not_negative(_real_array("var", var, np.shape(var)))
    count = whole_number("count", count, at_least=2)
    kinds = _convention(source)[1], _convention(target)[1]
    factors = {
        ("biased", "unbiased"): count / (count - 1),
        ("unbiased", "biased"): (count - 1) / count,
    }
    return var * factors.get(kinds, 1.0)


def _real_array(name, value, shape):
    """Return ``value`` as a private, finite float64 array of ``shape``."""
    if value is None:
        raise TypeError(f"{name} must be an array of shape {shape}, got None; pass it")
    return parameter(name, value, shape, np.float64)


def _not_negative(var):
    """Return ``var`` if no channel is below 0."""
    if var.size and var.min() < 0:
        raise ValueError(
            f"var must not be negative, got {var.min()} for channel {var.argmin()}; "
            "a one-pass variance E[x^2] - E[x]^2 can round below 0"
        )
    return var


def _convention(name):
    """Look up what a framework's momentum weighs and which variance it stores."""
    if name not in CONVENTIONS:
        raise ValueError(
            f"a framework must be one of {list(CONVENTIONS)}, got {name!r}; "
            "check the spelling"
        )
    return CONVENTIONS[name]
