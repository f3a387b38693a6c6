"""The five normalization layers in NumPy: one formula, five choices of axes.

All of them compute, over some axes of ``x``::

    x_hat = (x - mean) / sqrt(var + eps)        y = gamma * x_hat + beta

with the biased variance (divided by the number of values M). They differ only in the
axes over which ``mean`` and ``var`` are taken and in the axes along which ``gamma`` and
``beta`` run; RMS norm leaves the mean out. So there is one forward kernel, one
``backward``, and five short functions that choose the axes.

The kernels compute what the plain lines of chapters 2 and 3 compute, in an order that
suits memory: block by block, each step in place while the block is in the cache, sums
over positions in the dtype of ``x`` and sums over those in float64. They keep ``x``
minus nearly its mean; the rest of the mean, a small array, is subtracted where it costs
nothing. The page *How fast?* measures what each of these is worth.
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
    centered : ndarray
        ``x`` minus nearly its mean (RMS norm: ``x``), in the shape in which the kernel
        sees ``x``.
    rest, inv_std : ndarray
        What is left of the mean in ``centered``, and ``1 / sqrt(var + eps)``, with
        length 1 on the normalized axes.
    gamma : ndarray
        Scale, shaped to broadcast against ``centered``; ones if none was given.
    given : tuple of bool
        Whether gamma and whether beta was given.
    mean : ndarray or None
        Mean that was subtracted: (C,) for batch norm, ``x.shape[:axis]`` for layer
        norm, (N, C) for instance norm, (N, G) for group norm; None for RMS norm.
    var : ndarray
        Biased variance (divided by M) in the same shape; the mean square for RMS norm.
    shape : tuple of int
        Shape of ``x`` as the caller knows it.
    axes, parameter_axes : tuple of int
        Axes of ``centered`` over which statistics are taken, and along which parameters
        are constant.
    shapes : tuple of tuple
        Shapes of the parameters and of the statistics as the caller knows them.

    Examples
    --------
    >>> x = np.array([[1.0, 0.0], [3.0, 4.0]])
    >>> y, cache = batch_norm(x, eps=1e-12)
    >>> cache.mean, cache.var
    (array([2., 2.]), array([1., 4.]))
    >>> cache.x_hat.round(6)
    array([[-1., -1.],
           [ 1.,  1.]])
    """

    centered: np.ndarray
    rest: np.ndarray
    inv_std: np.ndarray
    gamma: np.ndarray
    given: tuple
    mean: np.ndarray | None
    var: np.ndarray
    shape: tuple
    axes: tuple
    parameter_axes: tuple
    shapes: tuple

    @property
    def x_hat(self):
        """Normalized input before gamma and beta, in the shape of ``x``."""
        return ((self.centered - self.rest) * self.inv_std).reshape(self.shape)

    @property
    def one_gamma(self):
        """Whether all values that share a variance share a gamma."""
        return {*self.axes} <= {*self.parameter_axes}


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
    view, c = x.reshape(_merged(x.shape, 2)), x.shape[1:2]
    axes, advice = (0, *range(2, view.ndim)), "use a larger batch, or layer_norm"
    layout = {"axes": axes, "parameter_axes": axes, "shapes": (c, c)}
    return _normalize(x, view, gamma, beta, eps, advice, **layout)


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

    Examples
    --------
    >>> x = np.array([[3.0, 0.0]])  # a single example: no statistics of its own
    >>> y = batch_norm_inference(x, mean=[1.0, 0.0], var=[4.0, 1.0], beta=[0.0, 5.0])
    >>> y.round(3)
    array([[1., 5.]])
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

    Examples
    --------
    >>> x = np.array([[1.0, 3.0], [0.0, 40.0]])
    >>> y, cache = layer_norm(x)
    >>> y.round(3)
    array([[-1.,  1.],
           [-1.,  1.]])
    >>> cache.mean  # one for each example
    array([ 2., 20.])
    """
    view, layout = _features(x, axis)
    advice = "choose a smaller axis, or rms_norm"
    return _normalize(x, view, gamma, beta, eps, advice, **layout)


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

    Examples
    --------
    >>> x = np.array([[[1.0, 3.0], [0.0, 40.0]]])  # one example, two channels
    >>> y, cache = instance_norm(x)
    >>> y.round(3)
    array([[[-1.,  1.],
            [-1.,  1.]]])
    >>> cache.mean.shape
    (1, 2)
    """
    floating_array("x", x, min_dims=3)
    view, shapes = x.reshape(_merged(x.shape, 2)), (x.shape[1:2], x.shape[:2])
    layout = {"axes": (2,), "parameter_axes": (0, 2), "shapes": shapes}
    advice = "use larger images, or layer_norm"
    return _normalize(x, view, gamma, beta, eps, advice, **layout)


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

    Examples
    --------
    >>> x = np.array([[1.0, 3.0, 0.0, 40.0]])
    >>> y, cache = group_norm(x, num_groups=2)
    >>> y.round(3)
    array([[-1.,  1., -1.,  1.]])
    >>> cache.mean  # of each group
    array([[ 2., 20.]])
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
    axes, shapes = tuple(range(2, view.ndim)), ((c,), (n, num_groups))
    layout = {"axes": axes, "parameter_axes": (0, *axes[1:]), "shapes": shapes}
    return _normalize(x, view, gamma, beta, eps, "use fewer groups", **layout)


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

    Examples
    --------
    >>> y, cache = rms_norm(np.array([[3.0, 4.0]]))
    >>> y.round(3)
    array([[0.849, 1.131]])
    >>> cache.var  # the mean square
    array([12.5])
    """
    view, layout = _features(x, axis)
    return _normalize(x, view, gamma, None, eps, None, **layout)


def backward(d_y, cache):
    """Compute the gradients of a loss through any of the five layers.

    With ``d_x_hat = gamma * d_y`` and means over the normalized axes::

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

    Examples
    --------
    >>> x = np.array([[1.0, 0.0], [2.0, 4.0], [6.0, 5.0]])
    >>> y, cache = batch_norm(x, gamma=[2.0, 1.0], beta=[0.0, 0.0])
    >>> d_y = np.array([[1.0, 0.0], [1.0, 0.0], [4.0, 1.0]])
    >>> d_x, d_gamma, d_beta = backward(d_y, cache)
    >>> d_beta
    array([6., 1.])
    >>> bool(abs(d_x.sum(axis=0)).max() < 1e-12)  # no push along (1, ..., 1)
    True
    """
    floating_array("d_y", d_y)
    if d_y.shape != cache.shape:
        raise ValueError(
            f"d_y must have the shape {cache.shape} of the layer's output, "
            f"got {d_y.shape}; pass the gradient of the loss with respect to y"
        )
    x, axes = cache.centered, cache.axes
    d_y = d_y.astype(x.dtype, copy=False).reshape(x.shape)
    d_x = np.empty(x.shape, x.dtype)
    sums = np.zeros((2, *cache.gamma.shape), x.dtype)
    arrays = d_y, d_x, x, cache.rest, cache.inv_std, cache.gamma, *sums
    with _buffers_for(x.shape, axes):
        for blocks in _parts(axes, *arrays):
            _backward_part(cache, blocks)
    sums = zip(sums.reshape(2, *cache.shapes[0]), cache.given, strict=True)
    return d_x.reshape(cache.shape), *(v if given else None for v, given in sums)


def _backward_part(cache, blocks):
    """Fill ``d_x``, and add this part's share to ``d_gamma`` and ``d_beta``."""
    axes, (d_y, d_x, x, rest, inv_std, gamma, d_gamma, d_beta) = cache.axes, blocks[0]
    if cache.one_gamma:  # what d_x needs is what the parameters need: chapter 3
        plain = sum(_sum(axes, d_y) for d_y, *_ in blocks)
        along = sum(_sum(axes, d_y, x) for d_y, _, x, *_ in blocks) - rest * plain
        d_beta += plain.sum(cache.parameter_axes, keepdims=True)
        d_gamma += (along * inv_std).sum(cache.parameter_axes, keepdims=True)
    else:
        np.multiply(d_y, _wide(inv_std, x), out=d_x)
        d_beta += _sum(cache.parameter_axes, d_y)
        d_gamma += _sum(cache.parameter_axes, d_x, x)
        d_x *= _wide(gamma, x)
        plain, along = _sum(axes, d_x), _sum(axes, d_x, x)
    count = sum(x.size for _, _, x, *_ in blocks) // inv_std.size
    slope = along * inv_std**2 / count
    shift, slope = _wide(plain / count - rest * slope, x), _wide(slope, x)
    if cache.one_gamma:  # it can wait, and multiply the result
        scale = _wide(inv_std * gamma, x)
        for d_y, d_x, x, *_ in blocks:
            np.multiply(x, slope, out=d_x)
            d_x += shift
            np.subtract(d_y, d_x, out=d_x)
            d_x *= scale
    else:
        along_x = x * slope
        if cache.mean is not None:
            along_x += shift
        d_x -= along_x


def _normalize(x, view, gamma, beta, eps, advice, **layout):
    """Normalize ``view``, which is ``x`` in another shape: the one forward kernel.

    ``advice`` is for those who ask for the variance of one value; None leaves the mean
    out. ``layout`` holds the last three fields of the cache.
    """
    positive_eps(eps)
    axes, (parameter_shape, dims) = layout["axes"], layout["shapes"]
    along = _kept(view.shape, layout["parameter_axes"])
    layout |= {"shape": x.shape, "given": (gamma is not None, beta is not None)}
    gamma = np.ones(parameter_shape) if gamma is None else gamma
    beta = np.zeros(parameter_shape) if beta is None else beta
    gamma = parameter("gamma", gamma, parameter_shape, x.dtype).reshape(along)
    beta = parameter("beta", beta, parameter_shape, x.dtype).reshape(along)
    y, centered = np.empty(view.shape, x.dtype), np.empty(view.shape, x.dtype)
    statistics = np.empty((4, *_kept(view.shape, axes)), x.dtype)
    mean, var, rest, inv_std = statistics
    if advice and view.size == var.size:  # the output would be constant
        raise ValueError(
            "x must have more than one value for each mean and variance, "
            f"got shape {x.shape}; {advice}"
        )
    layout |= {"mean": mean.reshape(dims) if advice else None, "var": var.reshape(dims)}
    cache = Cache(centered=centered, rest=rest, inv_std=inv_std, gamma=gamma, **layout)
    # What overflows is reported by finite_statistics.
    with np.errstate(over="ignore", invalid="ignore"), _buffers_for(view.shape, axes):
        for blocks in _parts(axes, view, centered, y, *statistics, gamma, beta):
            _forward_part(cache, eps, blocks)
    finite_statistics("x", x, var)
    return y.reshape(x.shape), cache


def _forward_part(cache, eps, blocks):
    """Fill ``y``, ``centered`` and the statistics of one part of ``x``."""
    axes, (x, out, y, mean, var, rest, inv_std, gamma, beta) = cache.axes, blocks[0]
    if cache.mean is None:
        out[...] = x
        left, exact_var = 0, _sum(axes, x, x) / (x.size // var.size)
    else:  # the mean of the first block, until all are known
        mean[...] = _sum(axes, x) / (x.size // mean.size)
        # Batch and instance norm have a place for what is left, the shift; only more
        # than two standard deviations would cost digits of the variance. The others
        # have none, and at 1e4 a float32 mean is wrong in the fourth digit after the
        # point: there it is subtracted if it is above the rounding of the differences.
        limit = 4 if cache.one_gamma else 4 * np.finfo(x.dtype).eps ** 2
        mean[...], left, exact_var = _center(axes, mean, [b[:2] for b in blocks], limit)
    rest[...], var[...], inv_std[...] = left, exact_var, 1 / np.sqrt(exact_var + eps)
    if cache.one_gamma:
        scale = inv_std * gamma
        shift, scale = _wide(beta - left * scale, x), _wide(scale, x)
        for _, out, y, *_ in blocks:
            np.multiply(out, scale, out=y)
            y += shift
    else:  # what is left of the mean is too small to be seen
        np.multiply(out, _wide(inv_std, x), out=y)
        y *= _wide(gamma, x)
        y += _wide(beta, x)


def _center(axes, mean, blocks, limit):
    """Write ``x - mean`` to ``out``; return the mean, what is left of it, the variance.

    If the square of what is left is above ``limit`` times the variance, it is
    subtracted as well.
    """
    wide, total, squares = _wide(mean, blocks[0][0]), 0, 0
    for x, out in blocks:
        np.subtract(x, wide, out=out)
        total = total + _sum(axes, out)
        squares = squares + _sum(axes, out, out)
    count = sum(x.size for x, _ in blocks) // mean.size
    left, var = total / count, squares / count - (total / count) ** 2
    if (left**2 > limit * var).any():
        again = [(out, out) for _, out in blocks]
        left, rest, var = _center(axes, left.astype(x.dtype), again, np.inf)
        return mean + left, rest, var
    return mean + left, left, var


def _sum(axes, *factors):
    """Sum a product of one or two arrays over ``axes``, keeping them with length 1.

    ``np.sum(a * b, axis=axes, keepdims=True)`` without the product in memory: the last
    axis in the arrays' dtype, what is left, far fewer numbers, in float64. Sums over
    the first axis alone, those of an (N, C) batch, stay in the arrays' dtype.
    """
    last = factors[0].ndim - 1 in axes
    factor = "...s" if last else "n..."
    out = np.einsum(",".join([factor] * len(factors)) + "->...", *factors)
    return out[..., None].astype(float).sum(axes, keepdims=True) if last else out[None]


# --- memory: blocks that fit the cache, rows that NumPy's loops like ----------------

BLOCK = 2**17  # values: half a megabyte in float32, small beside an L2 cache
LONG = 256  # values after which the start of a loop no longer matters


def _parts(axes, *arrays):
    """Return parts of all arrays in which no mean is cut, each as a list of blocks.

    All are cut along the examples. A mean of batch norm needs all blocks, so they are
    one part; for the others each block is a part. An array that has length 1 there
    belongs to every block.
    """
    step = max(1, BLOCK // arrays[0][0].size)
    starts = range(0, len(arrays[0]), step)
    blocks = [[v if len(v) == 1 else v[i : i + step] for v in arrays] for i in starts]
    return [blocks] if 0 in axes else [[block] for block in blocks]


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
    v = v.astype(x.dtype, copy=False)
    return v.repeat(x.shape[-1], -1) if narrow else v


# --- shapes and axes ----------------------------------------------------------------


def _merged(shape, first):
    """Merge the axes from ``first`` on into one; positions need no shape."""
    return (*shape[:first], prod(shape[first:])) if len(shape) > first else shape


def _features(x, axis):
    """Return ``x`` as (examples, features), and how layer and RMS norm go over it."""
    floating_array("x", x, min_dims=2)
    if not -x.ndim <= axis < x.ndim:
        raise ValueError(
            f"axis must lie between {-x.ndim} and {x.ndim - 1} for x of shape "
            f"{x.shape}, got {axis}; it is the first of the normalized axes"
        )
    outer, inner = x.shape[: axis % x.ndim], x.shape[axis % x.ndim :]
    view = x.reshape(prod(outer), *_merged(inner, 1))
    layout = {"axes": tuple(range(1, view.ndim)), "parameter_axes": (0,)}
    return view, layout | {"shapes": (inner, outer)}


def _kept(shape, axes):
    """Return ``shape`` with length 1 on ``axes``."""
    return [1 if a in axes else n for a, n in enumerate(shape)]
