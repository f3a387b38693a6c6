"""What all layers share: one formula, its statistics, and the checks of an input.

:func:`normalize` is the arithmetic of every layer; :mod:`bnlib.nn.layers` chooses the
axes over which its statistics are taken, and autograd is the backward pass.
"""

from math import prod

import torch
from torch import nn

from bnlib.refuse import momentum_fraction, positive_eps, whole_number

HALF = torch.float16, torch.bfloat16


def widened(x):
    """Return ``x`` in float32 if it has half precision, else as it is.

    Statistics need it: float16 ends at 65504, the square of 256, and bfloat16 has no
    more than three digits.
    """
    return x.float() if x.dtype in HALF else x


def normalize(x, mean, var, eps):
    """Return ``(x - mean) / sqrt(var + eps)``: the one formula of all layers."""
    return (x - mean) * torch.rsqrt(var + eps)


def moments(x, axes):
    """Return mean and biased variance over ``axes``, kept with length 1."""
    mean = x.mean(axes, keepdim=True)
    # Two passes: E[x^2] - E[x]^2 cancels when the mean is far from zero.
    return mean, (x - mean).square().mean(axes, keepdim=True)


def scale_and_shift(x_hat, weight, bias):
    """Return ``weight * x_hat + bias``, where either may be None."""
    y = x_hat if weight is None else x_hat * weight
    return y if bias is None else y + bias


def per_channel(v, ndim):
    """Reshape ``v`` from (C,) to (1, C, 1, ..., 1), or leave None."""
    return None if v is None else v.view(1, -1, *[1] * (ndim - 2))


def batch_axes(x):
    """Return all axes but that of the channels."""
    return (0, *range(2, x.ndim))


class Norm(nn.Module):
    """What the constructors of all layers share: eps, scale and shift of ``shape``."""

    def __init__(self, shape, eps, affine, bias, device, dtype):
        nn.Module.__init__(self)  # not super(): that may be PyTorch's own batch norm
        if eps is not None:
            positive_eps(eps)
        self.eps = eps
        starts = ("weight", affine, torch.ones), ("bias", affine and bias, torch.zeros)
        for name, wanted, start in starts:
            value = start(shape, device=device, dtype=dtype) if wanted else None
            self.register_parameter(name, nn.Parameter(value) if wanted else None)

    def reset_parameters(self):
        """Set the scale to 1 and the shift to 0, in place."""
        if self.weight is not None:
            nn.init.ones_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, x):
        """Normalize ``x``, half precision in float32; the output has its dtype."""
        self._check(x)
        return self._normalized(widened(x)).to(x.dtype)

    def _check_type(self, x):
        """Refuse an input that is not of the layer's floating point type.

        A layer in float32 takes half precision, too, as it comes under autocast.
        """
        if not torch.is_tensor(x) or not x.is_floating_point():
            got = f"dtype {x.dtype}" if torch.is_tensor(x) else type(x).__name__
            raise TypeError(
                f"x must be a tensor of floating point numbers, got {got}; "
                "convert it, for example with x.float()"
            )
        own = {v.dtype for v in (*self.parameters(), *self.buffers())} - {torch.int64}
        if unfit := own - {x.dtype, widened(x).dtype}:
            raise TypeError(
                f"x must have the layer's dtype {unfit.pop()}, got {x.dtype}; convert "
                "x, or the layer (in float32 it takes half precision, too)"
            )

    def _check_channels(self, x, channels, min_dims):
        """Refuse an input that is not (N, C, *spatial) with so many channels."""
        self._check_type(x)
        if not min_dims <= x.ndim <= 5:
            flat = "(N, C) or " if min_dims == 2 else ""
            raise ValueError(
                f"x must have {min_dims} to 5 dimensions, {flat}(N, C, *spatial), "
                f"got shape {tuple(x.shape)}; add a missing batch axis with x[None]"
            )
        if x.shape[1] != channels:
            raise ValueError(
                f"x must have {channels} channels on axis 1, got shape "
                f"{tuple(x.shape)}; check the constructor, or move the channels"
            )


class TrackedNorm(Norm):
    """A layer with running statistics; subclasses choose the axes of its own."""

    _version = 2  # of the state_dict, as in PyTorch: has num_batches_tracked

    def __init__(
        self, num_features, eps, momentum, affine, track, device, dtype, bias=True
    ):
        num_features = whole_number("num_features", num_features, at_least=1)
        super().__init__(num_features, eps, affine, bias, device, dtype)
        self.num_features = num_features
        self.momentum = momentum_fraction(momentum)
        self.affine = affine
        self.track_running_stats = track
        mean = torch.zeros(num_features, device=device, dtype=dtype)
        tracked = torch.tensor(0, device=device)
        self.register_buffer("running_mean", mean if track else None)
        self.register_buffer("running_var", mean + 1 if track else None)
        self.register_buffer("num_batches_tracked", tracked if track else None)

    def reset_parameters(self):
        """Set scale and shift to 1 and 0, and forget the batches, in place."""
        super().reset_parameters()
        self.reset_running_stats()

    def reset_running_stats(self):
        """Set the running statistics to 0 and 1 and forget the batches, in place."""
        if self.track_running_stats:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def extra_repr(self):
        """Describe the layer for ``print``."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
            f"affine={self.affine}, bias={self.bias is not None}, "
            f"track_running_stats={self.track_running_stats}"
        )

    def _load_from_state_dict(self, state_dict, prefix, metadata, *rest):
        """Take an old or hand-made state that does not count batches, as PyTorch does.

        Such a state has no version, or one below 2; the layer then keeps its count.
        """
        old = (metadata.get("version") or 0) < 2
        if old and self.num_batches_tracked is not None:
            key = prefix + "num_batches_tracked"
            state_dict.setdefault(key, self.num_batches_tracked)
        super()._load_from_state_dict(state_dict, prefix, metadata, *rest)

    def _check(self, x):
        self._check_channels(x, self.num_features, self._min_dims)

    def _normalized(self, x):
        """Normalize with the input's statistics, or in eval mode the running ones."""
        if self.training or self.running_mean is None:
            mean, var, count = self._batch_statistics(x)
            if self.track_running_stats and self.running_mean is not None:
                self._track(mean, var, count)
        else:
            mean = per_channel(widened(self.running_mean), x.ndim)
            var = per_channel(widened(self.running_var), x.ndim)
        return self._scale_and_shift(normalize(x, mean, var, self.eps))

    def _scale_and_shift(self, x_hat):
        weight, bias = (per_channel(v, x_hat.ndim) for v in (self.weight, self.bias))
        return scale_and_shift(x_hat, weight, bias)

    def _batch_statistics(self, x):
        """Return mean, biased variance and the number of values behind each."""
        axes = tuple(range(2, x.ndim)) if self._each_example else batch_axes(x)
        count = self._count(x, axes)
        if not x.numel():  # NaN, which meets no value
            return *moments(x, axes), count
        return *self._center_and_spread(x, axes), count

    def _count(self, x, axes):
        """Return how many values a mean has, or refuse a single one."""
        count = prod(x.shape[a] for a in axes)
        if count == 1:
            raise ValueError(
                f"x must have more than one value per {self._group}, got shape "
                f"{tuple(x.shape)} in training; {self._advice}"
            )
        return count

    def _center_and_spread(self, x, axes):
        return moments(x, axes)

    def _track(self, mean, var, count):
        """Move the running statistics towards these; the unbiased variance is kept."""
        if count and mean.numel():
            self._move(mean, var * (count / (count - 1)))
        else:
            self._weight_of_new()  # an empty batch says nothing, but is counted

    @torch.no_grad()
    def _move(self, mean, unbiased):
        pairs = (self.running_mean, mean), (self.running_var, unbiased)
        try:
            new = self._weight_of_new()
            for running, seen in pairs:
                # The mean over axis 0 leaves batch norm's (1, C, 1, 1) alone and
                # averages instance norm's (N, C, 1, 1). In place and without a graph: a
                # buffer that kept its graph would keep that of every earlier step, too.
                seen = seen.mean(0).flatten()
                running.copy_((1 - new) * widened(running) + new * seen)
        except RuntimeError as error:
            raise RuntimeError(
                "the running statistics must be free to change in place, as they are "
                "not inside of torch.func.vmap and grad, got "
                f"{str(error).splitlines()[0]!r}; there use track_running_stats=False, "
                "eval mode or, to train copies of a model, bnlib.lab.ensemble"
            ) from error

    def _weight_of_new(self):
        """Count the batch and return its weight in the running statistics."""
        self.num_batches_tracked += 1
        if self.momentum is None:
            return 1 / self.num_batches_tracked.item()
        return self.momentum
