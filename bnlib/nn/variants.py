"""Layers that PyTorch does not have, each one idea away from one that it has.

Ghost batches, other norms than L2: each class changes one step of
:class:`bnlib.nn.BatchNorm` and inherits the rest, and with it the ``state_dict`` keys,
so that weights move between all of them. PyTorch's own converter to synchronized layers
takes them for plain batch norm, ours refuses them. Dynamic Tanh stands where
:class:`bnlib.nn.LayerNorm` does, and measures nothing.
"""

from math import inf, isfinite, log, pi, sqrt

import torch
from torch import nn

from bnlib.nn.base import batch_axes, moments, normalize, scale_and_shift
from bnlib.nn.layers import BatchNorm, LayerNorm
from bnlib.refuse import whole_number

__all__ = ["DynamicTanh", "GhostBatchNorm", "LpBatchNorm"]


class GhostBatchNorm(BatchNorm):
    """Normalize each slice of the batch with its own statistics.

    In training the batch is cut into ghost batches of ``ghost_size`` examples, each is
    normalized for itself, and the running statistics move once per ghost batch, in
    order, or once per batch; ``num_batches_tracked`` counts these updates. Eval mode is
    that of :class:`BatchNorm`.

    Parameters
    ----------
    num_features : int
        As in :class:`BatchNorm`.
    ghost_size : int
        Examples per ghost batch. The last one is smaller if this does not divide the
        batch, which the paper leaves open.
    update : {"each", "mean"}, default="each"
        Whether the running statistics follow each ghost batch, as in the paper, or take
        one step towards the average of all, as for a batch that is not cut.
    **options : optional
        The other arguments of :class:`BatchNorm`, by name.

    Raises
    ------
    TypeError, ValueError
        As :class:`BatchNorm`, for a ghost batch with one value per channel, and if
        ``update`` is no such name.

    References
    ----------
    Hoffer, Hubara & Soudry (2017), Algorithm 1. https://arxiv.org/abs/1705.08741

    Examples
    --------
    >>> norm = GhostBatchNorm(1, ghost_size=2)
    >>> x = torch.tensor([[1.0], [3.0], [0.0], [40.0]])
    >>> norm(x).detach().squeeze().round(decimals=3)
    tensor([-1.,  1., -1.,  1.])
    >>> norm.num_batches_tracked
    tensor(2)
    """

    def __init__(self, num_features, ghost_size, update="each", **options):
        super().__init__(num_features, **options)
        self.ghost_size = whole_number("ghost_size", ghost_size, at_least=1)
        if update not in ("each", "mean"):
            raise ValueError(
                f"update must be 'each' or 'mean', got {update!r}; choose one"
            )
        self.update = update

    def extra_repr(self):
        """Describe the layer for ``print``."""
        how = f"ghost_size={self.ghost_size}, update={self.update}"
        return f"{super().extra_repr()}, {how}"

    def _normalized(self, x):
        """Normalize ghost batch by ghost batch, in eval mode all of ``x`` at once."""
        if not (self.training and x.numel()):
            return super()._normalized(x)
        whole = len(x) - len(x) % self.ghost_size
        parts = [part for part in (x[:whole], x[whole:]) if len(part)]
        x_hat, mean, var = map(torch.cat, zip(*map(self._ghosts, parts), strict=True))
        if self.track_running_stats and self.running_mean is not None:
            moments_of_each = zip(mean.split(1), var.split(1), strict=True)
            for pair in moments_of_each if self.update == "each" else [(mean, var)]:
                self._move(*pair)
        return self._scale_and_shift(x_hat)

    def _ghosts(self, x):
        """Normalize ghosts of one size; return x_hat, their means and variances."""
        size = min(self.ghost_size, len(x))
        count = self._count(x[:size], batch_axes(x))
        ghosts = x.unflatten(0, (-1, size))
        mean, var = moments(ghosts, (1, *range(3, ghosts.ndim)))
        x_hat = normalize(ghosts, mean, var, self.eps).flatten(0, 1)
        return x_hat, mean, var * (count / (count - 1))


class LpBatchNorm(BatchNorm):
    """Measure the spread of a batch by another norm than L2.

    With the deviations ``x - mean`` of the M values of a channel, the scale is::

        p = 1:    sqrt(pi / 2) * mean(abs(x - mean))
        p = 2:    sqrt(mean((x - mean)^2)), batch norm
        p = inf:  c(M) * max(abs(x - mean)),
                  c(M) = (1 + sqrt(pi * ln 4)) / (2 * sqrt(2 * ln M))

    and its square takes the place of the variance, in ``x_hat`` with eps added to it,
    and in ``running_var`` with the factor M / (M - 1). For normal data the first
    constant makes the scale sigma. The second, of the authors' code, is the mean of the
    reciprocals of two bounds of the largest of M normal values; it is a third to
    a half too large, so that the outputs of ``p=inf`` are smaller.

    Parameters
    ----------
    num_features : int
        As in :class:`BatchNorm`.
    p : {1, 2, math.inf}, default=1
        Which norm.
    **options : optional
        The other arguments of :class:`BatchNorm`, by name.

    Raises
    ------
    TypeError, ValueError
        As :class:`BatchNorm`, and if ``p`` is not 1, 2 or infinity.

    References
    ----------
    Hoffer, Banner, Golan & Soudry (2018). https://arxiv.org/abs/1803.01814
    The constants as in their code, https://github.com/eladhoffer/norm_matters.

    Examples
    --------
    >>> norm = LpBatchNorm(1, p=1, affine=False)
    >>> norm(torch.tensor([[1.0], [3.0]])).squeeze().round(decimals=3)  # sqrt(2 / pi)
    tensor([-0.7980,  0.7980])
    """

    def __init__(self, num_features, p=1, **options):
        if p not in (1, 2, inf):
            raise ValueError(f"p must be 1, 2 or math.inf, got {p}; 2 is batch norm")
        super().__init__(num_features, **options)
        self.p = p

    def extra_repr(self):
        """Describe the layer for ``print``."""
        return f"{super().extra_repr()}, p={self.p}"

    def _center_and_spread(self, x, axes):
        mean, var = super()._center_and_spread(x, axes)
        size = (x - mean).abs()
        if self.p == 1:
            var = (sqrt(pi / 2) * size.mean(axes, keepdim=True)).square()
        elif self.p == inf:
            count = x.numel() // x.shape[1]
            constant = (1 + sqrt(pi * log(4))) / (2 * sqrt(2 * log(count)))
            var = (constant * size.amax(axes, keepdim=True)).square()
        return mean, var


class DynamicTanh(LayerNorm):
    """Squash each number by ``tanh(alpha * x)`` where a layer norm would stand.

    ``y = weight * tanh(alpha * x) + bias``, with one learned ``alpha`` for the whole
    layer and a scale and a shift per feature. No mean and no variance is taken, so no
    number depends on another one, in either mode; what is large is cut off at 1, which
    is what layer norm does to tokens with a few large features.

    Parameters
    ----------
    normalized_shape : int or sequence of int
        Shape of the last axes of the input, and of ``weight`` and ``bias``.
    alpha : float, default=0.5
        Where the learned slope at 0 begins; larger ones ask for smaller rates.
    **options : optional
        The other arguments of :class:`LayerNorm` but eps, by name.

    Raises
    ------
    TypeError, ValueError
        As :class:`LayerNorm`, and if ``alpha`` is not a finite number above 0.

    References
    ----------
    Zhu, Chen, He, LeCun & Liu (2025), section 4. https://arxiv.org/abs/2503.10622

    Examples
    --------
    >>> layer = DynamicTanh(2, alpha=1.0)
    >>> layer(torch.tensor([[0.1, -40.0]])).detach().round(decimals=3)
    tensor([[ 0.1000, -1.0000]])
    >>> sorted(layer.state_dict())
    ['alpha', 'bias', 'weight']
    """

    def __init__(self, normalized_shape, alpha=0.5, **options):
        super().__init__(normalized_shape, None, **options)
        if not (isfinite(alpha) and alpha > 0):
            raise ValueError(
                f"alpha must be a finite number above 0, got {alpha}; begin at 0.5"
            )
        self.start = alpha
        kind = {name: options.get(name) for name in ("device", "dtype")}
        self.alpha = nn.Parameter(torch.full((1,), float(alpha), **kind))

    def reset_parameters(self):
        """Set scale and shift to 1 and 0 and alpha to where it began, in place."""
        super().reset_parameters()
        nn.init.constant_(self.alpha, self.start)

    def extra_repr(self):
        """Describe the layer for ``print``."""
        return f"{super().extra_repr()}, alpha={self.start}"

    def _normalized(self, x):
        return scale_and_shift(torch.tanh(self.alpha * x), self.weight, self.bias)
