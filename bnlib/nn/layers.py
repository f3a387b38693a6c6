"""The layers as PyTorch modules: one formula, and each module chooses the axes.

``BatchNorm``, ``LayerNorm``, ``InstanceNorm``, ``GroupNorm`` and ``RMSNorm`` have the
constructor arguments, defaults, ``state_dict`` keys and numbers of ``torch.nn``, so
that weights move across in both directions, but they are written in plain operations:
:mod:`bnlib.nn.base` holds the arithmetic of all of them.

As in PyTorch, float16 and bfloat16 inputs are normalized in float32 and come out in
their dtype, and a layer in float32 takes them as it is: under ``torch.autocast`` its
parameters and running statistics stay in float32. An empty batch gives an empty output.
"""

from numbers import Integral

import torch
from torch.nn.modules.batchnorm import _BatchNorm as TorchBatchNorm

from bnlib.nn.base import (
    Norm,
    TrackedNorm,
    moments,
    normalize,
    per_channel,
    scale_and_shift,
)
from bnlib.refuse import whole_number

__all__ = ["BatchNorm", "GroupNorm", "InstanceNorm", "LayerNorm", "RMSNorm"]


class BatchNorm(TrackedNorm, TorchBatchNorm):
    """Normalize each channel over the batch and all positions.

    One class for what PyTorch calls ``BatchNorm1d``, ``2d`` and ``3d``. In training
    the batch is normalized with its mean and *biased* variance (divided by M, the
    number of values per channel), and the running statistics move::

        running = (1 - momentum) * running + momentum * new

    where the *unbiased* variance (divided by M - 1) is stored. In eval mode the running
    statistics are used, or those of the batch if there are none.

    It is a subclass of PyTorch's own class, of which it uses nothing, for tools that
    look for batch norms with ``isinstance``, as ``torch.optim.swa_utils.update_bn``.
    As in PyTorch, a NaN in a batch stays in the running statistics forever, because
    (1 - momentum) * NaN is NaN; :func:`bnlib.nn.heal` finds and resets it.

    Parameters
    ----------
    num_features : int
        Number of channels C of the input (N, C) or ``(N, C, *spatial)``, 2-D to 5-D.
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
        If ``num_features`` is no int; in ``forward`` if the input has another dtype
        (half precision fits float32).
    ValueError
        If an argument is out of range; in ``forward`` if the input has another layout
        or number of channels, or in training one value per channel.
    RuntimeError
        If running statistics would have to change inside of ``torch.func.vmap`` or
        ``grad``.

    References
    ----------
    Ioffe & Szegedy (2015), Algorithms 1 and 2. https://arxiv.org/abs/1502.03167

    Examples
    --------
    >>> norm = BatchNorm(2)
    >>> y = norm(torch.tensor([[1.0, 0.0], [3.0, 4.0]]))
    >>> y.detach().round(decimals=3)
    tensor([[-1., -1.],
            [ 1.,  1.]])
    >>> norm.running_mean, norm.running_var
    (tensor([0.2000, 0.2000]), tensor([1.1000, 1.7000]))
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


class InstanceNorm(TrackedNorm):
    """Normalize each channel of each example over its positions.

    One class for ``InstanceNorm1d``, ``2d`` and ``3d``. As :class:`BatchNorm`, over the
    spatial axes only. Running statistics, which are off by default, are the average
    over the examples; as in PyTorch, ``num_batches_tracked`` stays 0 and with
    ``momentum=None`` they never move.

    Parameters
    ----------
    num_features : int
        Number of channels C of the input ``(N, C, *spatial)``, 3-D to 5-D.
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

    Examples
    --------
    >>> x = torch.tensor([[[1.0, 3.0], [0.0, 40.0]]])  # one example, two channels
    >>> InstanceNorm(2)(x).round(decimals=3)
    tensor([[[-1.,  1.],
             [-1.,  1.]]])
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


class LayerNorm(Norm):
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

    Examples
    --------
    >>> norm = LayerNorm(2)
    >>> norm.load_state_dict(torch.nn.LayerNorm(2).state_dict())
    <All keys matched successfully>
    >>> norm(torch.tensor([[1.0, 3.0], [0.0, 40.0]])).detach().round(decimals=3)
    tensor([[-1.,  1.],
            [-1.,  1.]])
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
        return f"{self._arguments()}, bias={self.bias is not None}"

    def _arguments(self):
        affine = self.elementwise_affine
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={affine}"

    def _normalized(self, x):
        x_hat = normalize(x, *moments(x, self._axes), self.eps)
        return scale_and_shift(x_hat, self.weight, self.bias)

    @property
    def _axes(self):
        return tuple(range(-len(self.normalized_shape), 0))

    def _check(self, x):
        self._check_type(x)
        count = len(self.normalized_shape)
        if tuple(x.shape[-count:]) != self.normalized_shape:
            raise ValueError(
                f"x must end in the shape {self.normalized_shape}, got shape "
                f"{tuple(x.shape)}; check normalized_shape"
            )


class RMSNorm(LayerNorm):
    """Divide by the root mean square over the last axes, without centering.

    Parameters
    ----------
    normalized_shape : int or sequence of int
        Shape of those axes, and of ``weight``.
    eps : float or None, default=None
        Added to the mean square; None is the machine epsilon of the input's dtype, for
        half precision that of float32.
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

    Examples
    --------
    >>> RMSNorm(2)(torch.tensor([[3.0, 4.0]])).detach().round(decimals=3)
    tensor([[0.8490, 1.1310]])
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

    def extra_repr(self):
        """Describe the layer for ``print``; there is no shift to speak of."""
        return self._arguments()

    def _normalized(self, x):
        mean_square = x.square().mean(self._axes, keepdim=True)
        eps = torch.finfo(x.dtype).eps if self.eps is None else self.eps
        return scale_and_shift(normalize(x, 0, mean_square, eps), self.weight, None)


class GroupNorm(Norm):
    """Normalize each example over groups of neighboring channels and all positions.

    Parameters
    ----------
    num_groups : int
        Number of groups; must divide ``num_channels``.
    num_channels : int
        Number of channels C of the input (N, C) or ``(N, C, *spatial)``.
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

    Examples
    --------
    >>> norm = GroupNorm(num_groups=2, num_channels=4, affine=False)
    >>> norm(torch.tensor([[1.0, 3.0, 0.0, 40.0]])).round(decimals=3)
    tensor([[-1.,  1., -1.,  1.]])
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
        return (
            f"{sizes}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )

    def _check(self, x):
        self._check_channels(x, self.num_channels, min_dims=2)

    def _normalized(self, x):
        groups = x.unflatten(1, (self.num_groups, -1)).flatten(2)
        x_hat = normalize(groups, *moments(groups, (2,)), self.eps).reshape(x.shape)
        weight, bias = (per_channel(v, x.ndim) for v in (self.weight, self.bias))
        return scale_and_shift(x_hat, weight, bias)
