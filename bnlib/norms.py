"""The five normalization layers in NumPy: one formula, five choices of axes.

All of them compute, over some axes of ``x``,

    x_hat = (x - mean) / sqrt(var + eps)        y = gamma * x_hat + beta

with the biased variance (divided by the number of values M). They differ only in the
axes over which ``mean`` and ``var`` are taken and in the axes along which ``gamma`` and
``beta`` run; RMS norm leaves the mean out. So there is one forward kernel, one
``backward``, and five short functions that choose the axes.
"""

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
    x_centered : ndarray
        ``x - mean`` (``x`` for RMS norm), in the shape in which it was normalized.
    inv_std : ndarray
        ``1 / sqrt(var + eps)``, with length 1 on the normalized axes.
    gamma : ndarray or None
        Scale, shaped to broadcast against ``x_centered``.
    has_beta : bool
        Whether a shift was given.
    axes, parameter_axes : tuple of int
        Axes over which statistics are taken; axes along which parameters are constant.
    mean : ndarray or None
        Mean that was subtracted: (C,) for batch norm, (N,) for layer norm over all
        features, (N, C) for instance norm, (N, G) for group norm; None for RMS norm.
    var : ndarray
        Biased variance (divided by M) in the same shape; the mean square for RMS norm.
    shape, parameter_shape : tuple of int
        Shapes of ``x`` and of ``gamma`` and ``beta`` as the caller knows them.
    """

    x_centered: np.ndarray
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
    def x_hat(self):
        """Normalized input before gamma and beta, in the shape of ``x``."""
        return (self.x_centered * self.inv_std).reshape(self.shape)


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
    return _normalize(x, x.shape, axes, axes, (x.shape[1],), gamma, beta, eps)


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
        _per_channel(parameter(name, value, (x.shape[1],), x.dtype), x.ndim)
        for name, value in given.items()
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

    As :func:`batch_norm`, over the axes from ``axis`` to the last.

    Parameters
    ----------
    x : ndarray with at least two dimensions, float32 or float64
        Input. Not modified.
    gamma, beta : array_like of shape ``x.shape[axis:]``, optional
        Scale and shift, one per feature; 1 and 0 if not given.
    axis : int, default=1
        First normalized axis; not 0, which keeps the examples apart.
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
        As :func:`batch_norm`, and if ``axis`` is 0 or outside of ``x``.

    References
    ----------
    Ba, Kiros & Hinton (2016), section 3. https://arxiv.org/abs/1607.06450
    """
    axes, others = _split_axes(x, axis)
    _several_values(x, axes, "choose a smaller axis, or rms_norm")
    shape = x.shape[axes[0] :]
    return _normalize(x, x.shape, axes, others, shape, gamma, beta, eps)


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
    axes = tuple(range(2, x.ndim))
    _several_values(x, axes, "use larger images, or layer_norm")
    return _normalize(x, x.shape, axes, (0, *axes), (x.shape[1],), gamma, beta, eps)


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
    grouped = (n, num_groups, c // num_groups, *spatial)
    axes = tuple(range(2, len(grouped)))
    _several_values(x.reshape(grouped), axes, "use fewer groups")
    return _normalize(x, grouped, axes, (0, *axes[1:]), (c,), gamma, beta, eps)


def rms_norm(x, gamma=None, *, axis=-1, eps=1e-5):
    """Divide each example by the root mean square of its features, without centering.

    Parameters
    ----------
    x : ndarray with at least two dimensions, float32 or float64
        Input. Not modified.
    gamma : array_like of shape ``x.shape[axis:]``, optional
        Scale, one per feature; 1 if not given.
    axis : int, default=-1
        First normalized axis; not 0, which keeps the examples apart.
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
    axes, others = _split_axes(x, axis)
    shape = x.shape[axes[0] :]
    return _normalize(x, x.shape, axes, others, shape, gamma, None, eps, center=False)


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
    x_centered, inv_std, axes = cache.x_centered, cache.inv_std, cache.axes
    d_y = d_y.astype(x_centered.dtype, copy=False).reshape(x_centered.shape)
    count = prod(x_centered.shape[a] for a in axes)

    d_gamma = d_beta = None
    if cache.has_beta:
        d_beta = _sum(cache.parameter_axes, d_y).reshape(cache.parameter_shape)
    # Multiplying inv_std in first lets every later step work on d_x in place.
    d_x = d_y * inv_std
    if cache.gamma is not None:
        d_gamma = _sum(cache.parameter_axes, d_x, x_centered)
        d_gamma = d_gamma.reshape(cache.parameter_shape)
        d_x *= cache.gamma
    through_var = np.square(inv_std) * _sum(axes, d_x, x_centered) / count
    if cache.mean is not None:
        d_x -= _sum(axes, d_x) / count
    d_x -= x_centered * through_var
    return d_x.reshape(cache.shape), d_gamma, d_beta


def _normalize(
    x, shape, axes, parameter_axes, parameter_shape, gamma, beta, eps, center=True
):
    """Normalize ``x``, seen in ``shape``, over ``axes``: the one forward kernel."""
    positive_eps(eps)
    caller_shape, x = x.shape, x.reshape(shape)
    gamma, beta = (
        _along(parameter(name, value, parameter_shape, x.dtype), shape, parameter_axes)
        for name, value in (("gamma", gamma), ("beta", beta))
    )
    count = prod(shape[a] for a in axes)
    with np.errstate(over="ignore", invalid="ignore"):  # finite_statistics says it
        mean, x_centered = _center(x, axes, count) if center else (None, x.copy())
        var = _sum(axes, x_centered, x_centered) / count
    finite_statistics("x", x.reshape(caller_shape), var)
    inv_std = 1 / np.sqrt(var + x.dtype.type(eps))
    y = x_centered * (inv_std if gamma is None else inv_std * gamma)
    if beta is not None:
        y += beta
    cache = Cache(
        x_centered,
        inv_std,
        gamma,
        beta is not None,
        axes,
        parameter_axes,
        None if mean is None else mean.squeeze(axes),
        var.squeeze(axes),
        caller_shape,
        parameter_shape,
    )
    return y.reshape(caller_shape), cache


def _center(x, axes, count):
    """Return the mean over ``axes`` and ``x`` minus it, accurate far from zero."""
    mean = _sum(axes, x) / count
    x_centered = x - mean
    # At 1e4 a float32 mean is wrong in the fourth digit after the point. What is left
    # of it in the differences is small, so a second sweep removes it to full precision.
    rest = _sum(axes, x_centered) / count
    x_centered -= rest
    return mean + rest, x_centered


def _sum(axes, *factors):
    """Sum a product over ``axes``, keeping them with length 1, without a temporary."""
    letters = list(range(factors[0].ndim))
    kept = [a for a in letters if a not in axes]
    operands = [part for factor in factors for part in (factor, letters)]
    return np.expand_dims(np.einsum(*operands, kept), axes)


def _along(v, shape, parameter_axes):
    """Reshape a parameter to broadcast over ``parameter_axes`` of ``shape``."""
    if v is None:
        return None
    return v.reshape([1 if a in parameter_axes else n for a, n in enumerate(shape)])


def _per_channel(v, ndim):
    """Reshape ``v`` from (C,) to (1, C, 1, ..., 1), or leave None."""
    return None if v is None else v.reshape(1, -1, *[1] * (ndim - 2))


def _split_axes(x, axis):
    """Return the axes from ``axis`` to the last, and those before it."""
    floating_array("x", x, min_dims=2)
    first = axis + x.ndim if axis < 0 else axis
    if not 1 <= first < x.ndim:
        raise ValueError(
            f"axis must lie between 1 and {x.ndim - 1} for x of shape {x.shape}, "
            f"got {axis}; axis 0 holds the examples"
        )
    return tuple(range(first, x.ndim)), tuple(range(first))


def _several_values(x, axes, advice):
    """Refuse statistics over a single value: its variance is 0, the output constant."""
    if prod(x.shape[a] for a in axes) < 2:
        raise ValueError(
            "x must have more than one value for each mean and variance, "
            f"got shape {x.shape} with statistics over axes {axes}; {advice}"
        )
