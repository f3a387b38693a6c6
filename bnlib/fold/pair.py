"""Two modules folded into one: batch normalization and the layer next to it.

In eval mode BN is a fixed affine map of each channel, ``scale * x + shift``, and a
linear layer or convolution is affine too, so the two are one layer::

    scale = gamma / sqrt(running_var + eps)
    weight <- scale * weight        bias <- scale * (bias - running_mean) + beta

Whatever has the attributes of BN (:func:`bnlib.modules.is_channel_norm`) and acts like
it in eval mode counts as one. :mod:`bnlib.fold.model` finds the pairs in a model.
"""

import copy

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.parametrize import is_parametrized

from bnlib.modules import (
    NORM_ATTRIBUTES,
    TRANSPOSED_CONVOLUTIONS,
    is_channel_norm,
    is_layer,
    refuse_poisoned,
    relative_difference,
)

__all__ = ["fold_batch_norm", "fold_into_next"]


class WouldBeWrong(ValueError):
    """The layer after BN pads with zeros, so the folded layer errs at the border."""


@torch.no_grad()
def fold_batch_norm(layer, bn):
    """Return one layer that does what ``layer`` and then ``bn`` do in eval mode.

    Parameters
    ----------
    layer : nn.Linear, nn.Conv1d to nn.Conv3d or nn.ConvTranspose1d to 3d
        The layer before BN, with or without bias, of any groups, stride, dilation and
        padding. Not modified. Behind ``nn.Linear`` the input of BN must be (N, C): with
        three dimensions BN works along another axis than the linear layer.
    bn : nn.BatchNorm1d to 3d, bnlib.nn.BatchNorm or alike
        In eval mode, with running statistics; ``affine=False`` counts as gamma 1 and
        beta 0. Not modified. ``running_var`` is used as it is stored (unbiased).

    Returns
    -------
    nn.Module
        New layer of the type, dtype and device of ``layer``, with a bias.

    Raises
    ------
    TypeError
        If ``layer`` is none of these types or ``bn`` is no batch normalization.
    ValueError
        If one of them is in training mode, if ``bn`` has no running statistics, another
        number of channels than ``layer`` or does not act like BN in eval mode, if one
        of its numbers is NaN or infinite or a variance negative, or if one of the two
        has hooks or a parametrized weight.

    References
    ----------
    Jacob et al. (2018), section 3.2, equation 14. https://arxiv.org/abs/1712.05877

    Examples
    --------
    >>> layer, bn = torch.nn.Linear(3, 2).eval(), torch.nn.BatchNorm1d(2).eval()
    >>> one, x = fold_batch_norm(layer, bn), torch.ones(1, 3)
    >>> one, torch.allclose(one(x), bn(layer(x)), atol=1e-6)
    (Linear(in_features=3, out_features=2, bias=True), True)
    """
    _refuse_unfit(layer, bn)
    _refuse_sizes(bn, "out", getattr(layer, "out_channels", None) or layer.out_features)
    scale, shift = _scale_and_shift(bn, like=layer.weight)
    folded = copy.deepcopy(layer)
    if isinstance(layer, TRANSPOSED_CONVOLUTIONS):  # (in, out / groups, *kernel)
        weight = (_by_group(layer) * _group_values(scale, layer)).flatten(0, 1)
    else:
        weight = layer.weight * scale.reshape(-1, *[1] * (layer.weight.dim() - 1))
    if layer.bias is not None:
        # Not bias * scale + shift: a large bias and a large mean would not cancel.
        shift = (layer.bias - bn.running_mean) * scale
        shift = shift if bn.bias is None else shift + bn.bias
    return _with_parameters(folded, weight, shift)


@torch.no_grad()
def fold_into_next(bn, layer):
    """Return one layer that does what ``bn`` and then ``layer`` do in eval mode.

    For a BN that comes after an activation and so cannot go into the layer before it.

    Parameters
    ----------
    bn : nn.BatchNorm1d to 3d, bnlib.nn.BatchNorm or alike
        As in :func:`fold_batch_norm`.
    layer : nn.Linear or nn.Conv1d to nn.Conv3d
        The layer after BN; a convolution must not pad with zeros. Not modified.

    Returns
    -------
    nn.Module
        New layer of the type, dtype and device of ``layer``, with a bias.

    Raises
    ------
    TypeError, ValueError
        As :func:`fold_batch_norm`, and if ``layer`` pads with zeros or is transposed:
        the shift of BN then reaches the border less than the inside.

    References
    ----------
    Jacob et al. (2018), section 3.2, equation 14. https://arxiv.org/abs/1712.05877

    Examples
    --------
    >>> bn, layer = torch.nn.BatchNorm1d(2).eval(), torch.nn.Linear(2, 3).eval()
    >>> one, x = fold_into_next(bn, layer), torch.ones(1, 2)
    >>> one, torch.allclose(one(x), layer(bn(x)), atol=1e-6)
    (Linear(in_features=2, out_features=3, bias=True), True)
    """
    _refuse_unfit(layer, bn)
    if isinstance(layer, TRANSPOSED_CONVOLUTIONS):
        raise ValueError(
            "the layer after bn must not be a transposed convolution, got "
            f"{type(layer).__name__}, whose border sees less of the shift of bn than "
            "the inside does; keep bn"
        )
    if _pads_with_zeros(layer):
        raise WouldBeWrong(
            "a convolution after bn must not pad with zeros, got padding="
            f"{layer.padding!r}: the padded zeros do not pass through bn, so that the "
            "border would be wrong; keep bn (fold does so with strict=False)"
        )
    _refuse_sizes(bn, "in", getattr(layer, "in_channels", None) or layer.in_features)
    scale, shift = _scale_and_shift(bn, like=layer.weight)
    by_group = _by_group(layer)  # (groups, out / groups, in / groups, *kernel)
    weight = (by_group * _group_values(scale, layer)).flatten(0, 1)
    bias = (by_group * _group_values(shift, layer)).flatten(2).sum(2).flatten()
    if layer.bias is not None:
        bias = bias + layer.bias
    return _with_parameters(copy.deepcopy(layer), weight, bias)


def _refuse_unfit(layer, bn):
    if not is_layer(layer):
        raise TypeError(
            "layer must be a linear layer or a convolution, got "
            f"{type(layer).__name__}; keep bn (or call fold_into_next for a BN that "
            "comes before the layer)"
        )
    if not is_channel_norm(bn):
        raise TypeError(
            f"bn must have {', '.join(NORM_ATTRIBUTES)}, got {type(bn).__name__}; "
            "pass a batch normalization"
        )
    if bn.running_mean is None:
        raise ValueError(
            "bn must have running statistics, got none (track_running_stats=False), so "
            "that it normalizes with the values at hand even in eval mode; keep bn"
        )
    _refuse_unready("layer", layer)
    _refuse_unready("bn", bn)
    refuse_poisoned(bn)


def _refuse_unready(name, module):
    if module.training:
        raise ValueError(
            f"{name} must be in eval mode, got training=True, in which BN "
            f"normalizes with the batch; call {name}.eval() first"
        )
    if is_parametrized(module) or module._forward_hooks or module._forward_pre_hooks:
        raise ValueError(
            f"{name} must have no hooks and no parametrized weight, got a "
            f"{type(module).__name__} with some; remove them first"
        )


def _refuse_sizes(bn, side, channels):
    if bn.running_mean.numel() != channels:
        raise ValueError(
            f"bn must have one value for each of the {channels} {side}put channels of "
            f"the layer, got {bn.running_mean.numel()}; pass the BN next to it"
        )


def _scale_and_shift(bn, like):
    """Return the affine map that ``bn`` is in eval mode, each of shape (C,)."""
    scale = torch.rsqrt(bn.running_var + bn.eps)
    scale = scale if bn.weight is None else scale * bn.weight
    shift = -bn.running_mean * scale
    shift = shift if bn.bias is None else shift + bn.bias
    if type(bn).forward is not _BatchNorm.forward:
        _refuse_unlike_bn(bn, scale, shift, like.dim())
    return scale, shift


def _refuse_unlike_bn(bn, scale, shift, ndim):
    """Try ``bn`` on a few values: attributes alone don't tell an Lp norm from BN."""
    channels = (-1, *[1] * (ndim - 2))
    for reach in (2, 100):  # near the mean, and where any activation shows
        steps = torch.linspace(-reach, reach, 4, dtype=scale.dtype, device=scale.device)
        x = bn.running_mean + bn.running_var.sqrt() * steps[:, None]
        x = x.reshape(*x.shape, *[1] * (ndim - 2))
        want = x * scale.reshape(channels) + shift.reshape(channels)
        if not relative_difference(bn(x), want)[1]:
            raise ValueError(
                "bn must compute gamma * (x - running_mean) / sqrt(running_var + eps) "
                f"+ beta in eval mode, got {type(bn).__name__}, which does not; keep it"
            )


def _by_group(layer):
    """Return the weight with its first axis split into groups."""
    return layer.weight.unflatten(0, (getattr(layer, "groups", 1), -1))


def _group_values(v, layer):
    """Reshape (C,) to (groups, 1, C / groups, 1, ...), to multiply with _by_group."""
    kernel = [1] * (layer.weight.dim() - 2)
    return v.reshape(getattr(layer, "groups", 1), 1, -1, *kernel)


def _with_parameters(layer, weight, bias):
    """Put new parameters into ``layer``, in the dtype and as trainable as the old."""
    trainable = layer.weight.requires_grad
    dtype = layer.weight.dtype
    layer.weight = nn.Parameter(weight.to(dtype), requires_grad=trainable)
    layer.bias = nn.Parameter(bias.to(dtype), requires_grad=trainable)
    return layer


def _pads_with_zeros(layer):
    if isinstance(layer, nn.Linear) or layer.padding_mode != "zeros":
        return False
    if layer.padding == "same":
        return any(k > 1 for k in layer.kernel_size)
    return layer.padding != "valid" and any(layer.padding)
