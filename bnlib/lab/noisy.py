"""The experiment of chapter 6: a batch norm whose output jumps from step to step."""

from math import isfinite

import torch
from torch import nn

from bnlib.nn.layers import BatchNorm

__all__ = ["NoisyBatchNorm"]


class NoisyBatchNorm(BatchNorm):
    """Put noise behind batch norm that has another mean and scale at every step.

    In training the output ``y`` of :class:`bnlib.nn.BatchNorm` becomes
    ``scale * y + shift``. At each step each channel draws the noise's own mean and
    scale::

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
        As in :class:`bnlib.nn.BatchNorm`.
    n_mu, n_sigma : float, default=0.5 and 1.25
        Range of the noise's mean and scale over steps; ``n_sigma`` at least 1.
    r_mu, r_sigma : float, default=0.1
        Spread over the values within a step.
    **options : optional
        The other arguments of :class:`bnlib.nn.BatchNorm`, by name.

    Raises
    ------
    TypeError, ValueError
        As :class:`bnlib.nn.BatchNorm`, and if a range is negative or ``n_sigma`` below
        1.

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
