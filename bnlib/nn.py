"""The layers as PyTorch modules: one formula, and each module chooses the axes.

``BatchNorm``, ``LayerNorm``, ``InstanceNorm``, ``GroupNorm`` and ``RMSNorm`` have the
constructor arguments, defaults, ``state_dict`` keys and numbers of ``torch.nn``, so
that weights move across in both directions, but they are written in plain operations:
``_normalize`` is the arithmetic of all of them, and autograd is their backward pass.
What PyTorch does not have is in :mod:`bnlib.variants` and can be imported from here.
"""

from contextlib import contextmanager
from math import prod
from numbers import Integral

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm as TorchBatchNorm

from bnlib.checks import positive_eps
from bnlib.running import Population, merge, momentum_fraction, whole_number

VARIANTS = ["BatchRenorm", "GhostBatchNorm", "LpBatchNorm", "NoisyBatchNorm"]
__all__ = [
    "BatchNorm",
    "GroupNorm",
    "InstanceNorm",
    "LayerNorm",
    "RMSNorm",
    "reestimate",
]
__all__ += VARIANTS


def __getattr__(name):
    # The variants are built on this room, so they cannot be imported at its top.
    if name in VARIANTS:
        from bnlib import variants

        return getattr(variants, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _normalize(x, mean, var, eps):
    """Return ``(x - mean) / sqrt(var + eps)``: the one formula of all layers."""
    return (x - mean) * torch.rsqrt(var + eps)


def _moments(x, axes):
    """Return mean and biased variance over ``axes``, kept with length 1."""
    mean = x.mean(axes, keepdim=True)
    # Two passes: E[x^2] - E[x]^2 cancels when the mean is far from zero.
    return mean, (x - mean).square().mean(axes, keepdim=True)


def _scale_and_shift(x_hat, weight, bias):
    """Return ``weight * x_hat + bias``, where either may be None."""
    y = x_hat if weight is None else x_hat * weight
    return y if bias is None else y + bias


def _per_channel(v, ndim):
    """Reshape ``v`` from (C,) to (1, C, 1, ..., 1), or leave None."""
    return None if v is None else v.view(1, -1, *[1] * (ndim - 2))


class _Norm(nn.Module):
    """What the constructors of all layers share: eps, scale and shift of ``shape``."""

    def __init__(self, shape, eps, affine, bias, device, dtype):
        super().__init__()
        if eps is not None:
            positive_eps(eps)
        self.eps = eps
        for name, wanted in (("weight", affine), ("bias", affine and bias)):
            value = torch.empty(shape, device=device, dtype=dtype) if wanted else None
            self.register_parameter(name, nn.Parameter(value) if wanted else None)
        self.reset_parameters()

    def reset_parameters(self):
        """Set the scale to 1 and the shift to 0, in place."""
        if self.weight is not None:
            nn.init.ones_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def _check_type(self, x):
        """Refuse an input that is not of the layer's floating point type."""
        if not torch.is_tensor(x) or not x.is_floating_point():
            got = f"dtype {x.dtype}" if torch.is_tensor(x) else type(x).__name__
            raise TypeError(
                f"x must be a tensor of floating point numbers, got {got}; "
                "convert it, for example with x.float()"
            )
        own = [v.dtype for v in (*self.parameters(), *self.buffers())]
        if own and x.dtype != own[0]:
            raise TypeError(
                f"x must have the layer's dtype {own[0]}, got {x.dtype}; "
                "convert the layer with layer.to(x.dtype), or x"
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


class _TrackedNorm(_Norm):
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
            f"affine={self.affine}, track_running_stats={self.track_running_stats}"
        )

    def forward(self, x):
        """Normalize with the input's statistics, or in eval mode the running ones."""
        self._check_channels(x, self.num_features, self._min_dims)
        if self.training or self.running_mean is None:
            mean, var, count = self._batch_statistics(x)
            if self.track_running_stats and self.running_mean is not None:
                self._track(mean, var, count)
        else:
            mean = _per_channel(self.running_mean, x.ndim)
            var = _per_channel(self.running_var, x.ndim)
        return self._scale_and_shift(_normalize(x, mean, var, self.eps))

    def _scale_and_shift(self, x_hat):
        weight, bias = (_per_channel(v, x_hat.ndim) for v in (self.weight, self.bias))
        return _scale_and_shift(x_hat, weight, bias)

    def _batch_statistics(self, x):
        """Return mean, biased variance and the number of values behind each."""
        axes = tuple(range(2, x.ndim)) if self._each_example else _batch_axes(x)
        count = prod(x.shape[a] for a in axes)
        if count < 2:
            raise ValueError(
                f"x must have more than one value per {self._group}, got shape "
                f"{tuple(x.shape)} in training; {self._advice}"
            )
        return *self._center_and_spread(x, axes), count

    def _center_and_spread(self, x, axes):
        return _moments(x, axes)

    @torch.no_grad()
    def _track(self, mean, var, count):
        """Move the running statistics towards these; the unbiased variance is kept."""
        new = self._weight_of_new()
        unbiased = var * (count / (count - 1))
        pairs = (self.running_mean, mean), (self.running_var, unbiased)
        for running, seen in pairs:
            # The mean over axis 0 leaves batch norm's (1, C, 1, 1) alone and averages
            # instance norm's (N, C, 1, 1). In place and without a graph: a buffer that
            # kept its graph would keep that of every earlier step, too.
            running.mul_(1 - new).add_(new * seen.mean(0).flatten())

    def _weight_of_new(self):
        """Count the batch and return its weight in the running statistics."""
        self.num_batches_tracked += 1
        if self.momentum is None:
            return 1 / self.num_batches_tracked.item()
        return self.momentum


class BatchNorm(_TrackedNorm):
    """Normalize each channel over the batch and all positions.

    One class for what PyTorch calls ``BatchNorm1d``, ``2d`` and ``3d``. In training
    the batch is normalized with its mean and *biased* variance (divided by M, the
    number of values per channel), and the running statistics move,

        running = (1 - momentum) * running + momentum * new

    where the *unbiased* variance (divided by M - 1) is stored. In eval mode the running
    statistics are used, or those of the batch if there are none.

    Parameters
    ----------
    num_features : int
        Number of channels C of the input (N, C) or (N, C, *spatial), 2-D to 5-D.
    eps : float, default=1e-5
        Added to the variance, not to its square root.
    momentum : float in [0, 1] or None, default=0.1
        Weight of the new batch; None gives all batches the same weight.
    affine : bool, default=True
        Whether to learn a scale ``weight`` and a shift ``bias`` per channel.
    track_running_stats : bool, default=True
        Whether to keep ``running_mean``, ``running_var`` and ``num_batches_tracked``.
    device, dtype : optional
        Where and in which precision parameters and buffers are.
    bias : bool, default=True
        Whether an affine layer has a shift.

    Raises
    ------
    TypeError
        If ``num_features`` is no int; in ``forward`` if the input has another dtype.
    ValueError
        If an argument is out of range; in ``forward`` if the input has another layout
        or number of channels, or in training one value per channel.

    References
    ----------
    Ioffe & Szegedy (2015), Algorithms 1 and 2. https://arxiv.org/abs/1502.03167
    """

    _min_dims, _each_example, _group = 2, False, "channel"
    _advice = "use a larger batch, drop the last one, or call eval()"

    def __init__(
        self,
        num_features,
        eps=1e-5,
        momentum=0.1,
        affine=True,
        track_running_stats=True,
        device=None,
        dtype=None,
        *,
        bias=True,
    ):
        track = track_running_stats
        super().__init__(
            num_features, eps, momentum, affine, track, device, dtype, bias
        )


class InstanceNorm(_TrackedNorm):
    """Normalize each channel of each example over its positions.

    One class for ``InstanceNorm1d``, ``2d`` and ``3d``. As :class:`BatchNorm`, over the
    spatial axes only. Running statistics, which are off by default, are the average
    over the examples; as in PyTorch, ``num_batches_tracked`` stays 0 and with
    ``momentum=None`` they never move.

    Parameters
    ----------
    num_features : int
        Number of channels C of the input (N, C, *spatial), 3-D to 5-D.
    eps, momentum : float, default=1e-5 and 0.1
        As in :class:`BatchNorm`.
    affine, track_running_stats : bool, default=False
        As in :class:`BatchNorm`.
    device, dtype : optional
        Where and in which precision parameters and buffers are.
    bias : bool, default=True
        Whether an affine layer has a shift.

    Raises
    ------
    TypeError, ValueError
        As :class:`BatchNorm`, for one position instead of one value per channel. A
        wrong number of channels is refused even if the layer has no parameters.

    References
    ----------
    Ulyanov, Vedaldi & Lempitsky (2016). https://arxiv.org/abs/1607.08022
    """

    _min_dims, _each_example, _group = 3, True, "channel and example"
    _advice = "use larger images, or LayerNorm"

    def __init__(
        self,
        num_features,
        eps=1e-5,
        momentum=0.1,
        affine=False,
        track_running_stats=False,
        device=None,
        dtype=None,
        *,
        bias=True,
    ):
        track = track_running_stats
        super().__init__(
            num_features, eps, momentum, affine, track, device, dtype, bias
        )

    def _weight_of_new(self):
        return 0.0 if self.momentum is None else self.momentum


class LayerNorm(_Norm):
    """Normalize each example over its last axes.

    Parameters
    ----------
    normalized_shape : int or sequence of int
        Shape of those axes, and of ``weight`` and ``bias``.
    eps : float, default=1e-5
        Added to the biased variance (divided by the number of values).
    elementwise_affine, bias : bool, default=True
        Whether to learn a scale, and with it a shift, per feature.
    device, dtype : optional
        Where and in which precision parameters are.

    Raises
    ------
    TypeError, ValueError
        In ``forward``, if the input has another dtype or its last axes another shape.

    References
    ----------
    Ba, Kiros & Hinton (2016), section 3. https://arxiv.org/abs/1607.06450
    """

    def __init__(
        self,
        normalized_shape,
        eps=1e-5,
        elementwise_affine=True,
        bias=True,
        device=None,
        dtype=None,
    ):
        one = isinstance(normalized_shape, Integral)
        shape = (normalized_shape,) if one else tuple(normalized_shape)
        super().__init__(shape, eps, elementwise_affine, bias, device, dtype)
        self.normalized_shape = shape
        self.elementwise_affine = elementwise_affine

    def extra_repr(self):
        """Describe the layer for ``print``."""
        affine = self.elementwise_affine
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={affine}"

    def forward(self, x):
        """Normalize each example over the last axes of ``x``."""
        axes = self._axes(x)
        x_hat = _normalize(x, *_moments(x, axes), self.eps)
        return _scale_and_shift(x_hat, self.weight, self.bias)

    def _axes(self, x):
        self._check_type(x)
        count = len(self.normalized_shape)
        if tuple(x.shape[-count:]) != self.normalized_shape:
            raise ValueError(
                f"x must end in the shape {self.normalized_shape}, got shape "
                f"{tuple(x.shape)}; check normalized_shape"
            )
        return tuple(range(-count, 0))


class RMSNorm(LayerNorm):
    """Divide by the root mean square over the last axes, without centering.

    Parameters
    ----------
    normalized_shape : int or sequence of int
        Shape of those axes, and of ``weight``.
    eps : float or None, default=None
        Added to the mean square; None is the machine epsilon of the input's dtype.
    elementwise_affine : bool, default=True
        Whether to learn a scale per feature.
    device, dtype : optional
        Where and in which precision the scale is.

    Raises
    ------
    TypeError, ValueError
        As :class:`LayerNorm`.

    References
    ----------
    Zhang & Sennrich (2019), equation 4. https://arxiv.org/abs/1910.07467
    """

    def __init__(
        self,
        normalized_shape,
        eps=None,
        elementwise_affine=True,
        device=None,
        dtype=None,
    ):
        affine = elementwise_affine
        super().__init__(normalized_shape, eps, affine, False, device, dtype)

    def forward(self, x):
        """Divide ``x`` by its root mean square over the last axes."""
        axes = self._axes(x)
        mean_square = x.square().mean(axes, keepdim=True)
        eps = torch.finfo(x.dtype).eps if self.eps is None else self.eps
        return _scale_and_shift(_normalize(x, 0, mean_square, eps), self.weight, None)


class GroupNorm(_Norm):
    """Normalize each example over groups of neighboring channels and all positions.

    Parameters
    ----------
    num_groups : int
        Number of groups; must divide ``num_channels``.
    num_channels : int
        Number of channels C of the input (N, C) or (N, C, *spatial).
    eps : float, default=1e-5
        Added to the biased variance (divided by the number of values).
    affine : bool, default=True
        Whether to learn a scale ``weight`` and a shift ``bias`` per channel.
    device, dtype : optional
        Where and in which precision parameters are.
    bias : bool, default=True
        Whether an affine layer has a shift.

    Raises
    ------
    TypeError, ValueError
        If the groups do not divide the channels; in ``forward`` as :class:`BatchNorm`.

    References
    ----------
    Wu & He (2018), section 3.1. https://arxiv.org/abs/1803.08494
    """

    def __init__(
        self,
        num_groups,
        num_channels,
        eps=1e-5,
        affine=True,
        device=None,
        dtype=None,
        *,
        bias=True,
    ):
        num_groups = whole_number("num_groups", num_groups, at_least=1)
        num_channels = whole_number("num_channels", num_channels, at_least=1)
        if num_channels % num_groups:
            raise ValueError(
                f"num_groups must divide the {num_channels} channels, got {num_groups};"
                " choose another number of groups"
            )
        super().__init__(num_channels, eps, affine, bias, device, dtype)
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.affine = affine

    def extra_repr(self):
        """Describe the layer for ``print``."""
        sizes = f"{self.num_groups}, {self.num_channels}"
        return f"{sizes}, eps={self.eps}, affine={self.affine}"

    def forward(self, x):
        """Normalize each example over groups of its channels."""
        self._check_channels(x, self.num_channels, min_dims=2)
        groups = x.reshape(x.shape[0], self.num_groups, -1)
        x_hat = _normalize(groups, *_moments(groups, (2,)), self.eps).reshape(x.shape)
        weight, bias = (_per_channel(v, x.ndim) for v in (self.weight, self.bias))
        return _scale_and_shift(x_hat, weight, bias)


@torch.no_grad()
def reestimate(model, loader):
    """Replace the running statistics of every batch norm by population statistics.

    The data pass through the model once. Each batch norm normalizes with the statistics
    of the batch, as in training, and everything else (dropout, injected noise) is in
    eval mode; what reaches a batch norm is merged exactly, so that batches of unequal
    size count by their size. For the first batch norm the result is that of the whole
    data set, however it is cut; what later ones see was normalized batch by batch.

    Parameters
    ----------
    model : torch.nn.Module
        Holds batch norms of ``bnlib.nn`` or ``torch.nn``. Their ``running_mean``,
        ``running_var`` (unbiased, divided by ``count - 1``) and
        ``num_batches_tracked`` are replaced in place; modes and all else are kept.
    loader : iterable
        Batches: a tensor, or a tuple or list whose first item is the input.

    Returns
    -------
    dict of str to bnlib.running.Population
        What each batch norm has seen, by its name in the model, in float64.

    Raises
    ------
    TypeError
        If a batch is neither a tensor nor a tuple or list that starts with one.
    ValueError
        If there is no batch norm with running statistics, no batch, or a batch with one
        value per channel. The model is then as it was.

    References
    ----------
    Ioffe & Szegedy (2015), Algorithm 2. https://arxiv.org/abs/1502.03167
    Wu & Johnson (2021), section 3. https://arxiv.org/abs/2105.07576
    """
    layers = {
        name: layer
        for name, layer in model.named_modules()
        if isinstance(layer, BatchNorm | TorchBatchNorm)
        and layer.running_mean is not None
    }
    if not layers:
        raise ValueError(
            "model must hold a batch norm with running statistics, got "
            f"{type(model).__name__} without one; check track_running_stats"
        )
    num_batches = 0
    with _watching(model, layers) as seen:
        for batch in loader:
            model(_inputs(batch))
            num_batches += 1
    if not num_batches:
        raise ValueError("loader must hold at least one batch, got none; check it")
    for name, total in seen.items():
        layer = layers[name]
        layer.running_mean.copy_(torch.from_numpy(total.mean))
        layer.running_var.copy_(torch.from_numpy(total.unbiased_var))
        layer.num_batches_tracked.fill_(num_batches)
    return seen


@contextmanager
def _watching(model, layers):
    """Collect what reaches each layer; leave modes and buffers as they were."""
    seen = {}

    def watch(name):
        def hook(layer, inputs):
            batch = _population(layer, inputs[0])
            seen[name] = merge(seen[name], batch) if name in seen else batch

        return hook

    modes = {module: module.training for module in model.modules()}
    buffers = {b: b.clone() for layer in layers.values() for b in layer.buffers()}
    hooks = [m.register_forward_pre_hook(watch(name)) for name, m in layers.items()]
    try:
        model.eval()
        for layer in layers.values():
            layer.training = True  # without its children: injected noise stays off
        yield seen
    finally:
        for hook in hooks:
            hook.remove()
        for module, mode in modes.items():
            module.training = mode
        for buffer, value in buffers.items():
            buffer.copy_(value)


def _population(layer, x):
    """Return the statistics of one batch as ``layer`` would take them, in float64."""
    x = x.double()
    if isinstance(layer, BatchNorm):
        mean, var, count = layer._batch_statistics(x)
    else:
        mean, var = _moments(x, _batch_axes(x))
        count = x.numel() // x.shape[1]
    mean, var = (v.flatten().cpu().numpy() for v in (mean, var))
    return Population(mean, var, count)


def _batch_axes(x):
    """Return all axes but that of the channels."""
    return (0, *range(2, x.ndim))


def _inputs(batch):
    """Return the input of a batch of a loader, which may come with its labels."""
    x = batch[0] if isinstance(batch, tuple | list) and len(batch) else batch
    if not torch.is_tensor(x):
        raise TypeError(
            "a batch must be a tensor or a tuple or list that starts with one, got "
            f"{type(x).__name__}; wrap the loader"
        )
    return x
