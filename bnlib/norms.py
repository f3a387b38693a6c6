"""The five normalization layers in NumPy: one formula, five choices of axes.

All of them compute, over some axes of ``x``,

    x_hat = (x - mean) / sqrt(var + eps)        y = gamma * x_hat + beta

with the biased variance (divided by the number of values M). They differ only in the
axes over which ``mean`` and ``var`` are taken and in the axes along which ``gamma`` and
``beta`` run; RMS norm leaves the mean out. So there is one forward kernel, one
``backward``, and five short functions that choose the axes.

The kernels compute what the plain lines of chapters 2 and 3 compute, in an order that
suits memory: block by block, each step in place while the block is in the cache, sums
over positions in the dtype of ``x`` and sums over those in float64. The page *How
fast?* measures what each of these is worth.
"""

from contextlib import contextmanager
from dataclasses import dataclass
from math import prod

import numpy as np

from bnlib.refuse import finite_statistics, floating_array, parameter, positive_eps

__all__ = [
    "Cache",
    "backward",
    "batch_norm",
    "batch_norm_inference",
    "group_norm",
    "instance_norm",
    "layer_norm",
    "rms_norm",
]


@dataclass(frozen=True)
class Cache:
    """What :func:`backward` needs to know of a forward call.

    Parameters
    ----------
    normalized : ndarray
        ``(x - mean) * inv_std``, in the shape in which the kernel sees ``x``.
    inv_std : ndarray
        ``1 / sqrt(var + eps)``, with length 1 on the normalized axes.
    gamma : ndarray or None
        Scale, shaped to broadcast against ``normalized``.
    has_beta : bool
        Whether a shift was given.
    axes, parameter_axes : tuple of int
        Axes of ``normalized`` over which statistics are taken, and along which
        parameters are constant.
    mean : ndarray or None
        Mean that was subtracted: (C,) for batch norm, ``x.shape[:axis]`` for layer
        norm, (N, C) for instance norm, (N, G) for group norm; None for RMS norm.
    var : ndarray
        Biased variance (divided by M) in the same shape; the mean square for RMS norm.
    shape, parameter_shape : tuple of int
        Shapes of ``x`` and of ``gamma`` and ``beta`` as the caller knows them.
    """

    normalized: np.ndarray
    inv_std: np.ndarray
    gamma: np.ndarray | None
    has_beta: bool
    axes: tuple
    parameter_axes: tuple
    mean: np.ndarray | None
    var: np.ndarray
    shape: tuple
    parameter_shape: tuple

    @property
    def one_gamma(self):
        """Whether all values that share a variance share a gamma."""
        return self.gamma is not None and {*self.axes} <= {*self.parameter_axes}

    @property
    def x_hat(self):
        """Normalized input before gamma and beta, in the shape of ``x``."""
        return self.normalized.reshape(self.shape)


def batch_norm(x, gamma=None, beta=None, *, eps=1e-5):
    """Normalize each channel over the batch and all positions (training mode).

    Parameters
    ----------
    x : ndarray of shape (N, C) or (N, C, *spatial), float32 or float64
        Input; each channel needs at least two values. Not modified.
    gamma, beta : array_like of shape (C,), optional
        Scale and shift applied after normalizing; 1 and 0 if not given.
    eps : float, default=1e-5
        Added to the variance, not to its square root.

    Returns
    -------
    y : ndarray, shape and dtype of ``x``
        ``gamma * (x - mean) / sqrt(var + eps) + beta``.
    cache : Cache
        For :func:`backward`; ``cache.mean`` and ``cache.var`` (biased, divided by
        M = N * positions) of shape (C,) are what was normalized with.

    Raises
    ------
    TypeError
        If ``x`` is not an array of float32 or float64.
    ValueError
        If ``x`` has fewer than two dimensions, is empty, is not finite or has one value
        per channel, if ``gamma`` or ``beta`` is not (C,), or if ``eps`` is not above 0.

    References
    ----------
    Ioffe & Szegedy (2015), Algorithm 1 and section 3.2 for images.
    https://arxiv.org/abs/1502.03167

    Examples
    --------
    >>> y, cache = batch_norm(np.array([[1.0, 0.0], [3.0, 4.0]]))
    >>> y.round(3), cache.mean
    (array([[-1., -1.],
           [ 1.,  1.]]), array([2., 2.]))
    """
    floating_array("x", x, min_dims=2)
    axes = (0, *range(2, x.ndim))
    _several_values(x, axes, "use a larger batch, or layer_norm")
    view = x.reshape(_merged(x.shape, 2))
    axes, c = (0, *range(2, view.ndim)), x.shape[1:2]
    layout = {"axes": axes, "parameter_axes": axes, "shapes": (c, c)}
    return _normalize(x, view, gamma, beta, eps, **layout)


def batch_norm_inference(x, mean, var, gamma=None, beta=None, *, eps=1e-5):
    """Normalize each channel with given statistics (inference mode).

    Parameters
    ----------
    x : ndarray of shape (N, C) or (N, C, *spatial), float32 or float64
        Input, a single example included. Not modified and, as that would cost a sweep,
        not searched for NaN.
    mean, var : array_like of shape (C,)
        Population or running statistics of each channel.
    gamma, beta : array_like of shape (C,), optional
        Scale and shift applied after normalizing; 1 and 0 if not given.
    eps : float, default=1e-5
        Added to the variance, not to its square root.

    Returns
    -------
    ndarray, shape and dtype of ``x``
        ``gamma * (x - mean) / sqrt(var + eps) + beta``.

    Raises
    ------
    TypeError
        If ``x`` is not an array of float32 or float64.
    ValueError
        If ``x`` has fewer than two dimensions or is empty, if one of the others is not
        (C,) or not finite, if a variance is negative, or if ``eps`` is not above 0.

    References
    ----------
    Ioffe & Szegedy (2015), Algorithm 2. https://arxiv.org/abs/1502.03167
    """
    floating_array("x", x, min_dims=2)
    positive_eps(eps)
    given = {"mean": mean, "var": var, "gamma": gamma, "beta": beta}
    for name in ("mean", "var"):
        if given[name] is None:
            raise TypeError(
                f"{name} must be an array of shape ({x.shape[1]},), got None; "
                "pass running statistics, or call batch_norm to use those of the batch"
            )
    mean, var, gamma, beta = (
        v if v is None else v.reshape(-1, *[1] * (x.ndim - 2))
        for v in (parameter(k, v, x.shape[1:2], x.dtype) for k, v in given.items())
    )
    if var.min() < 0:
        raise ValueError(
            f"var must not be negative, got {var.min()} for channel {var.argmin()}; "
            "a one-pass variance E[x^2] - E[x]^2 can round below 0"
        )
    scale = 1 / np.sqrt(var + x.dtype.type(eps))
    # Subtracting first costs a sweep more than x * scale + shift, but does not cancel
    # when the mean is far from zero.
    y = x - mean
    y *= scale if gamma is None else scale * gamma
    if beta is not None:
        y += beta
    return y


def layer_norm(x, gamma=None, beta=None, *, axis=1, eps=1e-5):
    """Normalize each example over its own features.

    As :func:`batch_norm`, over the axes from ``axis`` to the last, the meaning that
    ``axis`` has in ONNX.

    Parameters
    ----------
    x : ndarray with at least two dimensions, float32 or float64
        Input. Not modified.
    gamma, beta : array_like of shape ``x.shape[axis:]``, optional
        Scale and shift, one per feature; 1 and 0 if not given.
    axis : int, default=1
        First normalized axis, counted from the end if negative. With 0, all examples
        share one mean and one variance.
    eps : float, default=1e-5
        Added to the (biased) variance.

    Returns
    -------
    y : ndarray, shape and dtype of ``x``
        Normalized, scaled and shifted input.
    cache : Cache
        For :func:`backward`.

    Raises
    ------
    TypeError, ValueError
        As :func:`batch_norm`, and if ``x`` has no such axis.

    References
    ----------
    Ba, Kiros & Hinton (2016), section 3. https://arxiv.org/abs/1607.06450
    """
    first = _first_axis(x, axis)
    _several_values(x, (*range(first, x.ndim),), "choose a smaller axis, or rms_norm")
    view, layout = _features(x, first)
    return _normalize(x, view, gamma, beta, eps, **layout)


def instance_norm(x, gamma=None, beta=None, *, eps=1e-5):
    """Normalize each channel of each example over its positions.

    As :func:`batch_norm`, over the spatial axes only.

    Parameters
    ----------
    x : ndarray of shape (N, C, *spatial), float32 or float64
        Input with at least two positions. Not modified.
    gamma, beta : array_like of shape (C,), optional
        Scale and shift, one per channel; 1 and 0 if not given.
    eps : float, default=1e-5
        Added to the (biased) variance.

    Returns
    -------
    y : ndarray, shape and dtype of ``x``
        Normalized, scaled and shifted input.
    cache : Cache
        For :func:`backward`.

    Raises
    ------
    TypeError, ValueError
        As :func:`batch_norm`, and if ``x`` has no spatial axis.

    References
    ----------
    Ulyanov, Vedaldi & Lempitsky (2016). https://arxiv.org/abs/1607.08022
    """
    floating_array("x", x, min_dims=3)
    _several_values(x, (*range(2, x.ndim),), "use larger images, or layer_norm")
    view, shapes = x.reshape(_merged(x.shape, 2)), (x.shape[1:2], x.shape[:2])
    layout = {"axes": (2,), "parameter_axes": (0, 2), "shapes": shapes}
    return _normalize(x, view, gamma, beta, eps, **layout)


def group_norm(x, num_groups, gamma=None, beta=None, *, eps=1e-5):
    """Normalize each example over groups of channels and all positions.

    As :func:`batch_norm`, after the channels were split into ``num_groups`` groups of
    neighbors; one group is layer norm, C groups are instance norm.

    Parameters
    ----------
    x : ndarray of shape (N, C) or (N, C, *spatial), float32 or float64
        Input. Not modified.
    num_groups : int
        Number of groups G; must divide C.
    gamma, beta : array_like of shape (C,), optional
        Scale and shift, one per channel; 1 and 0 if not given.
    eps : float, default=1e-5
        Added to the (biased) variance.

    Returns
    -------
    y : ndarray, shape and dtype of ``x``
        Normalized, scaled and shifted input.
    cache : Cache
        For :func:`backward`.

    Raises
    ------
    TypeError, ValueError
        As :func:`batch_norm`, and if ``num_groups`` does not divide C.

    References
    ----------
    Wu & He (2018), section 3.1. https://arxiv.org/abs/1803.08494
    """
    floating_array("x", x, min_dims=2)
    n, c, *spatial = x.shape
    if not isinstance(num_groups, int | np.integer) or num_groups < 1 or c % num_groups:
        divisors = [g for g in range(1, c + 1) if c % g == 0]
        raise ValueError(
            f"num_groups must be a whole number that divides the {c} channels, "
            f"got {num_groups}; choose one of {divisors}"
        )
    view = x.reshape(n, num_groups, *_merged((c // num_groups, *spatial), 1))
    axes = tuple(range(2, view.ndim))
    _several_values(view, axes, "use fewer groups")
    layout = {"axes": axes, "parameter_axes": (0, *axes[1:])}
    layout["shapes"] = (c,), (n, num_groups)
    return _normalize(x, view, gamma, beta, eps, **layout)


def rms_norm(x, gamma=None, *, axis=-1, eps=1e-5):
    """Divide each example by the root mean square of its features, without centering.

    Parameters
    ----------
    x : ndarray with at least two dimensions, float32 or float64
        Input. Not modified.
    gamma : array_like of shape ``x.shape[axis:]``, optional
        Scale, one per feature; 1 if not given.
    axis : int, default=-1
        First normalized axis, counted from the end if negative. With 0, all examples
        share one mean square.
    eps : float, default=1e-5
        Added to the mean square. PyTorch's default is the machine epsilon.

    Returns
    -------
    y : ndarray, shape and dtype of ``x``
        ``gamma * x / sqrt(mean(x ** 2) + eps)``.
    cache : Cache
        For :func:`backward`; ``cache.mean`` is None, ``cache.var`` the mean square.

    Raises
    ------
    TypeError, ValueError
        As :func:`layer_norm`.

    References
    ----------
    Zhang & Sennrich (2019), equation 4. https://arxiv.org/abs/1910.07467
    """
    view, layout = _features(x, _first_axis(x, axis))
    return _normalize(x, view, gamma, None, eps, center=False, **layout)


def backward(d_y, cache):
    """Compute the gradients of a loss through any of the five layers.

    With ``d_x_hat = gamma * d_y`` and means over the normalized axes,

        d_x = inv_std * (d_x_hat - mean(d_x_hat) - x_hat * mean(d_x_hat * x_hat))

    where ``inv_std = 1 / sqrt(var + eps)``, and RMS norm has no term ``mean(d_x_hat)``.

    Parameters
    ----------
    d_y : ndarray, shape of ``y``
        Gradient of the loss with respect to the layer's output. Not modified.
    cache : Cache
        Second result of the forward call.

    Returns
    -------
    d_x : ndarray, shape of ``x``
        Gradient with respect to the input.
    d_gamma, d_beta : ndarray or None
        Gradients with respect to the parameters, None for one that was not given.

    Raises
    ------
    TypeError
        If ``d_y`` is not an array of float32 or float64.
    ValueError
        If ``d_y`` has another shape than ``y``.

    References
    ----------
    Ioffe & Szegedy (2015), section 3. https://arxiv.org/abs/1502.03167
    """
    floating_array("d_y", d_y)
    if d_y.shape != cache.shape:
        raise ValueError(
            f"d_y must have the shape {cache.shape} of the layer's output, "
            f"got {d_y.shape}; pass the gradient of the loss with respect to y"
        )
    x_hat, axes = cache.normalized, cache.axes
    d_y = d_y.astype(x_hat.dtype, copy=False).reshape(x_hat.shape)
    d_x = np.empty(x_hat.shape, x_hat.dtype)
    sums = np.zeros((2, *_kept(x_hat.shape, cache.parameter_axes)), x_hat.dtype)
    with _buffers_for(x_hat.shape, axes):
        for block in _blocks(axes, d_y, d_x, x_hat, cache.inv_std, cache.gamma, *sums):
            _backward_block(cache, *block)
    d_gamma, d_beta = sums.reshape(2, *cache.parameter_shape)
    d_gamma = None if cache.gamma is None else d_gamma
    return d_x.reshape(cache.shape), d_gamma, d_beta if cache.has_beta else None


def _backward_block(cache, d_y, d_x, x_hat, inv_std, gamma, d_gamma, d_beta):
    """Fill ``d_x``, and add this block's share to ``d_gamma`` and ``d_beta``."""
    axes, d_x_hat, scale = cache.axes, d_y, inv_std
    if cache.one_gamma:  # it can wait, and multiply the result
        scale = inv_std * gamma
    elif gamma is not None:
        d_gamma += _sum(cache.parameter_axes, d_y, x_hat)
        d_x_hat = d_y * _wide(gamma, d_y)
    plain, along = _sum(axes, d_x_hat), _sum(axes, d_x_hat, x_hat)
    if cache.one_gamma:  # what d_x needs is what the parameters need: chapter 3
        d_beta += plain.sum(cache.parameter_axes, keepdims=True)
        d_gamma += along.sum(cache.parameter_axes, keepdims=True)
    elif cache.has_beta:
        d_beta += _sum(cache.parameter_axes, d_y)
    count = d_y.size // plain.size
    np.multiply(x_hat, _wide(along / count, d_x), out=d_x)
    if cache.mean is not None:
        d_x += _wide(plain / count, d_x)
    np.subtract(d_x_hat, d_x, out=d_x)
    d_x *= _wide(scale, d_x)


def _normalize(x, view, gamma, beta, eps, *, axes, parameter_axes, shapes, center=True):
    """Normalize ``view``, which is ``x`` in another shape: the one forward kernel.

    ``shapes`` are those of the parameters and of the statistics for the caller.
    """
    positive_eps(eps)
    gamma = parameter("gamma", gamma, shapes[0], x.dtype)
    beta = parameter("beta", beta, shapes[0], x.dtype)
    along = _kept(view.shape, parameter_axes)
    gamma, beta = (v if v is None else v.reshape(along) for v in (gamma, beta))
    y, x_hat = np.empty(view.shape, x.dtype), np.empty(view.shape, x.dtype)
    mean, var, inv_std = np.empty((3, *_kept(view.shape, axes)), x.dtype)
    cache = Cache(
        normalized=x_hat,
        inv_std=inv_std,
        gamma=gamma,
        has_beta=beta is not None,
        axes=axes,
        parameter_axes=parameter_axes,
        mean=mean.reshape(shapes[1]) if center else None,
        var=var.reshape(shapes[1]),
        shape=x.shape,
        parameter_shape=shapes[0],
    )
    # What overflows is reported by finite_statistics.
    with np.errstate(over="ignore", invalid="ignore"), _buffers_for(view.shape, axes):
        for block in _blocks(axes, view, y, x_hat, mean, var, inv_std, gamma, beta):
            _forward_block(cache, eps, *block)
    finite_statistics("x", x, var)
    return y.reshape(x.shape), cache


def _forward_block(cache, eps, x, y, x_hat, mean, var, inv_std, gamma, beta):
    """Fill ``y``, ``x_hat`` and the statistics of one block of ``x``."""
    axes = cache.axes
    if cache.mean is None:
        x_hat[...] = x
        exact_var = _sum(axes, x, x) / (x.size // var.size)
    else:
        exact_var = _center(axes, x, x_hat, mean)
    var[...] = exact_var
    inv_std[...] = 1 / np.sqrt(exact_var + eps)
    if cache.one_gamma:  # not through x_hat: one rounding less
        np.multiply(x_hat, _wide(inv_std * gamma, x), out=y)
    x_hat *= _wide(inv_std, x)
    if not cache.one_gamma:
        np.multiply(x_hat, 1 if gamma is None else _wide(gamma, x), out=y)
    if beta is not None:
        y += _wide(beta, x)


def _center(axes, x, out, mean):
    """Write ``x`` minus its mean to ``out``; return the variance."""
    count = x.size // mean.size
    mean[...] = _sum(axes, x) / count
    np.subtract(x, _wide(mean, x), out=out)
    rest, var = _sum(axes, out) / count, _sum(axes, out, out) / count
    # At 1e4 a float32 mean is wrong in the fourth digit after the point. What is left
    # of it in the differences is small, so a second sweep removes it to full precision.
    if (abs(rest) > 2 * np.finfo(x.dtype).eps * np.sqrt(var)).any():
        mean += rest
        out -= _wide(rest, x)
        var = _sum(axes, out, out) / count
    return var


def _sum(axes, *factors):
    """Sum a product of one or two arrays over ``axes``, keeping them with length 1.

    ``np.sum(a * b, axis=axes, keepdims=True)`` without the product in memory: the last
    axis in the arrays' dtype, what is left, far fewer numbers, in float64. Sums over
    the first axis alone, those of an (N, C) batch, stay in the arrays' dtype.
    """
    last = factors[0].ndim - 1 in axes
    product = ",".join(["...s" if last else "n..."] * len(factors))
    partial = np.einsum(product + "->...", *factors)
    if last:
        return partial[..., None].astype(np.float64).sum(axes, keepdims=True)
    return partial[None]


# --- memory: blocks that fit the cache, rows that NumPy's loops like ----------------

BLOCK = 2**17  # values: half a megabyte in float32, small beside an L2 cache
LONG = 256  # values after which the start of a loop no longer matters


def _blocks(axes, *arrays):
    """Yield views of all arrays, cut so that no mean is cut and one block is in cache.

    Batch norm is cut along the channels, the others along the examples. An array that
    has length 1 there (or is None) belongs to every block.
    """
    shape, size, axis = arrays[0].shape, arrays[0].size, int(0 in axes)
    step = max(1, BLOCK * shape[axis] // size)
    if axis == 1:  # rows of one channel and one position would be slow to walk
        step = max(step, LONG * shape[1] // prod(shape[1:]))
    for start in range(0, shape[axis], step):
        cut = (slice(None),) * axis + (slice(start, start + step),)
        yield [a if a is None or a.shape[axis] == 1 else a[cut] for a in arrays]


@contextmanager
def _buffers_for(shape, axes):
    """Tell NumPy not to copy a broadcast operand when the rows are long enough.

    ``x * v`` with v of length 1 on an axis goes through a buffer of 8192 values, filled
    from v, unless a row of x is longer than it: more than half of the time at 768.
    """
    before = np.setbufsize(8192 if prod(shape[axes[0] or 1 :]) < LONG else 64)
    try:
        yield
    finally:
        np.setbufsize(before)


def _wide(v, x):
    """Repeat ``v`` along short rows of ``x``, if several examples share the copy."""
    narrow = v.shape[-1] < x.shape[-1] < LONG and v.shape[0] < x.shape[0]
    return (v.repeat(x.shape[-1], -1) if narrow else v).astype(x.dtype, copy=False)


# --- shapes and axes ----------------------------------------------------------------


def _merged(shape, first):
    """Merge the axes from ``first`` on into one; positions need no shape."""
    return (*shape[:first], prod(shape[first:])) if len(shape) > first else shape


def _features(x, first):
    """Return ``x`` as (examples, features), and how layer and RMS norm go over it."""
    view = x.reshape(prod(x.shape[:first]), *_merged(x.shape[first:], 1))
    layout = {"axes": tuple(range(1, view.ndim)), "parameter_axes": (0,)}
    return view, layout | {"shapes": (x.shape[first:], x.shape[:first])}


def _kept(shape, axes):
    """Return ``shape`` with length 1 on ``axes``."""
    return [1 if a in axes else n for a, n in enumerate(shape)]


def _first_axis(x, axis):
    """Return ``axis``, counted from the front."""
    floating_array("x", x, min_dims=2)
    if not -x.ndim <= axis < x.ndim:
        raise ValueError(
            f"axis must lie between {-x.ndim} and {x.ndim - 1} for x of shape "
            f"{x.shape}, got {axis}; it is the first of the normalized axes"
        )
    return axis % x.ndim


def _several_values(x, axes, advice):
    """Refuse statistics over a single value: its variance is 0, the output constant."""
    if prod(x.shape[a] for a in axes) < 2:
        raise ValueError(
            "x must have more than one value for each mean and variance, "
            f"got shape {x.shape} with statistics over axes {axes}; {advice}"
        )
