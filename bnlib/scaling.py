"""Scale the columns of a data set: to a range, or to mean 0 and variance 1."""

import numpy as np

from bnlib.refuse import finite_statistics, floating_array

__all__ = ["min_max", "z_score"]


def min_max(x, axis=0):
    """Shift and stretch every column to the range [0, 1].

    Parameters
    ----------
    x : ndarray of float32 or float64
        Data, for instance of shape (N, C). Not modified.
    axis : int or tuple of int, default=0
        Axis over which minimum and maximum are taken.

    Returns
    -------
    ndarray, shape and dtype of ``x``
        ``(x - min) / (max - min)``; a constant column becomes 0.

    Raises
    ------
    TypeError
        If ``x`` is not an array of float32 or float64.
    ValueError
        If ``x`` is empty, or not finite.

    Examples
    --------
    >>> min_max(np.array([[1.0, 7.0], [3.0, 7.0], [2.0, 7.0]]))
    array([[0. , 0. ],
           [1. , 0. ],
           [0.5, 0. ]])
    """
    floating_array("x", x)
    low, span = _low_and_span(x, axis)
    return (x - low) / np.where(span > 0, span, 1)


def z_score(x, axis=0):
    """Shift and stretch every column to mean 0 and variance 1.

    The variance is the biased one, divided by the number of values N, as in batch
    normalization; unlike there no eps is added.

    Parameters
    ----------
    x : ndarray of float32 or float64
        Data, for instance of shape (N, C). Not modified.
    axis : int or tuple of int, default=0
        Axis over which mean and variance are taken.

    Returns
    -------
    ndarray, shape and dtype of ``x``
        ``(x - mean) / std``; a constant column becomes 0.

    Raises
    ------
    TypeError
        If ``x`` is not an array of float32 or float64.
    ValueError
        If ``x`` is empty, or not finite.

    Examples
    --------
    >>> z_score(np.array([[1.0, 7.0], [3.0, 7.0]]))
    array([[-1.,  0.],
           [ 1.,  0.]])
    """
    floating_array("x", x)
    low, span = _low_and_span(x, axis)
    # Seen from the minimum and in units of the span nothing can cancel or overflow.
    u = (x - low) / np.where(span > 0, span, 1)
    u -= u.mean(axis=axis, keepdims=True)
    std = np.sqrt(np.square(u).mean(axis=axis, keepdims=True))
    # A constant column is recognized by its span, and u is 0 there: the rounded mean of
    # ten times 0.1 is not 0.1, so x - mean and its standard deviation are not.
    return u / np.where(span > 0, std, 1)


def _low_and_span(x, axis):
    low = x.min(axis=axis, keepdims=True)
    with np.errstate(over="ignore", invalid="ignore"):
        span = x.max(axis=axis, keepdims=True) - low
    finite_statistics("x", x, span)
    return low, span
