"""Refuse bad input at the public door, in one sentence each.

Every message says what must hold, what was received and what to do. Checks that
would cost a sweep over the data are left out: a NaN is found through the statistics,
which have to be computed anyway.
"""

import math

import numpy as np


def floating_array(name, x, min_dims=1):
    """Return ``x`` if it is a non-empty float32 or float64 array.

    Raises
    ------
    TypeError
        If ``x`` is not an array of float32 or float64.
    ValueError
        If it is empty or has fewer than ``min_dims`` dimensions.
    """
    if not isinstance(x, np.ndarray):
        raise TypeError(
            f"{name} must be a NumPy array, got {type(x).__name__}; "
            "convert it with np.asarray(..., dtype=float)"
        )
    if x.dtype not in (np.float32, np.float64):
        raise TypeError(
            f"{name} must be float32 or float64, because its mean is not an integer, "
            f"got dtype {x.dtype}; convert it with {name}.astype(float)"
        )
    if x.ndim < min_dims:
        raise ValueError(
            f"{name} must have at least {min_dims} dimensions, got shape {x.shape}; "
            "the layout is (N, C) or (N, C, *spatial), channels second"
        )
    if x.size == 0:
        raise ValueError(
            f"{name} must hold at least one value, got shape {x.shape}; "
            "leave empty batches out"
        )
    return x


def finite_statistics(name, x, *statistics):
    """Refuse ``x`` if one of its statistics is NaN or infinite, and say where.

    The statistics are small, so the test is free; ``x`` is searched only when it fails.

    Raises
    ------
    ValueError
        If a statistic is not finite.
    """
    if all(np.isfinite(s).all() for s in statistics):
        return
    bad = np.argwhere(~np.isfinite(x))
    if len(bad):
        where = tuple(int(i) for i in bad[0])
        raise ValueError(
            f"{name} must be finite, got {x[where]} at index {where} "
            f"({len(bad)} such values); find out where it comes from"
        )
    raise ValueError(
        f"the statistics of {name} must fit into {x.dtype}, got values up to "
        f"{np.abs(x).max():.1e} in size; rescale {name} or convert it to float64"
    )


def positive_eps(eps):
    """Refuse an ``eps`` that is not a finite positive number.

    Raises
    ------
    ValueError
        If ``eps`` is zero, negative, infinite or NaN.
    """
    if not (math.isfinite(eps) and eps > 0):
        raise ValueError(
            f"eps must be a finite number above 0, got {eps}; the usual value is 1e-5"
        )


def parameter(name, value, shape, dtype):
    """Return ``value`` as a private array of ``shape``, or None if it is None.

    Raises
    ------
    TypeError
        If it does not hold real numbers.
    ValueError
        If its shape is not ``shape`` or a value is not finite.
    """
    if value is None:
        return None
    array = np.array(value)
    if array.dtype.kind not in "fiu":
        raise TypeError(
            f"{name} must hold real numbers, got dtype {array.dtype}; "
            f"convert it with np.asarray({name}, dtype=float)"
        )
    if array.shape != tuple(shape):
        raise ValueError(
            f"{name} must have shape {tuple(shape)} to fit x, got {array.shape}; "
            "check which axis holds the channels"
        )
    if not np.isfinite(array).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise ValueError(
            f"{name} must be finite, got {array[where]} at index {where}; "
            "find out where it comes from"
        )
    return array.astype(dtype, copy=False)


def momentum_fraction(value):
    """Return ``value`` if it is None or a number in [0, 1], or say what it must be."""
    if value is not None and not 0 <= value <= 1:
        raise ValueError(
            f"momentum must be None or lie in [0, 1], got {value}; "
            "the usual value is 0.1, the weight of the new batch"
        )
    return value


def whole_number(name, value, at_least):
    """Return ``value`` if it is a whole number not below ``at_least``."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} must be a whole number, got {value!r}; pass an int")
    if value < at_least:
        raise ValueError(
            f"{name} must be at least {at_least}, got {value}; check the input's shape"
        )
    return int(value)
