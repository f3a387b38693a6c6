"""Batch norms that PyTorch does not have, each one idea away from ``BatchNorm``.

Ghost batches, injected noise, other norms than L2: each class changes
one step of :class:`bnlib.nn.BatchNorm` and inherits the rest, and with it the
``state_dict`` keys, so that weights move between all of them. PyTorch's own converter
to synchronized layers takes them for plain batch norm, ours refuses them.
"""

from math import inf, isfinite, log, pi, sqrt

import torch
from torch import nn

from bnlib.nn.base import batch_axes, moments, normalize
from bnlib.nn.layers import BatchNorm
from bnlib.refuse import whole_number

__all__ = ["GhostBatchNorm", "LpBatchNorm", "NoisyBatchNorm"]


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


class NoisyBatchNorm(BatchNorm):
    """Put noise behind batch norm that has another mean and scale at every step.

    In training the output ``y`` of :class:`BatchNorm` becomes ``scale * y + shift``.
    At each step each channel draws the noise's own mean and scale::

        mu ~ U(-n_mu, n_mu)        sigma ~ U(1, n_sigma)

    and around these each value of each example draws::

        shift ~ U(mu - r_mu, mu + r_mu)        scale ~ N(sigma, r_sigma)

    with ``r_sigma`` a standard deviation. So the next layer sees a distribution that
    jumps, although batch norm was there. The noise is a child module, ``noise``, with
    a mode of its own: ``layer.noise.train()`` after ``layer.eval()`` keeps it on. It
    is drawn from PyTorch's global generator.

    Parameters
    ----------
    num_features : int
        As in :class:`BatchNorm`.
    n_mu, n_sigma : float, default=0.5 and 1.25
        Range of the noise's mean and scale over steps; ``n_sigma`` at least 1.
    r_mu, r_sigma : float, default=0.1
        Spread over the values within a step.
    **options : optional
        The other arguments of :class:`BatchNorm`, by name.

    Raises
    ------
    TypeError, ValueError
        As :class:`BatchNorm`, and if a range is negative or ``n_sigma`` below 1.

    References
    ----------
    Santurkar, Tsipras, Ilyas & Madry (2018), section 2.1 and appendix A.
    https://arxiv.org/abs/1805.11604

    Examples
    --------
    >>> norm = NoisyBatchNorm(1)
    >>> x = torch.tensor([[1.0], [3.0]])
    >>> torch.equal(norm(x), norm(x))
    False
    >>> torch.equal(norm.eval()(x), norm(x))
    True
    """

    def __init__(
        self, num_features, n_mu=0.5, n_sigma=1.25, r_mu=0.1, r_sigma=0.1, **options
    ):
        super().__init__(num_features, **options)
        self.noise = _Noise(n_mu, n_sigma, r_mu, r_sigma)

    def forward(self, x):
        """Normalize as batch norm does and add noise while ``noise`` is training."""
        return self.noise(super().forward(x))


class _Noise(nn.Module):
    """The noise of :class:`NoisyBatchNorm`; a module, so that it has a mode."""

    def __init__(self, n_mu, n_sigma, r_mu, r_sigma):
        super().__init__()
        ranges = n_mu, n_sigma, r_mu, r_sigma
        if not all(map(isfinite, ranges)) or min(ranges) < 0 or n_sigma < 1:
            raise ValueError(
                "n_mu, r_mu and r_sigma must be at least 0 and n_sigma at least 1, got "
                f"{n_mu}, {r_mu}, {r_sigma} and {n_sigma}; 0, 0, 0 and 1 is no noise"
            )
        self.n_mu, self.n_sigma, self.r_mu, self.r_sigma = ranges

    def extra_repr(self):
        """Describe the noise for ``print``."""
        names = "n_mu", "n_sigma", "r_mu", "r_sigma"
        return ", ".join(f"{name}={getattr(self, name)}" for name in names)

    def forward(self, y):
        """Scale and shift ``y`` at random in training mode."""
        if not self.training:
            return y
        channel = y.new_empty(1, y.shape[1], *[1] * (y.ndim - 2))
        mu = torch.empty_like(channel).uniform_(-self.n_mu, self.n_mu)
        sigma = torch.empty_like(channel).uniform_(1, self.n_sigma)
        shift = mu + torch.empty_like(y).uniform_(-self.r_mu, self.r_mu)
        scale = sigma + torch.randn_like(y) * self.r_sigma
        return scale * y + shift


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
