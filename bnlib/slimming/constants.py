"""What dead channels hand on, and parameters with which they are silent.

A channel whose gamma is 0 carries the same number at every position of every example.
:func:`constants` follows these numbers through the traced model, in which every other
value is NaN for "not constant", to the layers that read them.
"""

from dataclasses import dataclass

import torch
from torch import fx, nn
from torch.func import functional_call

from bnlib.modules import as_inputs, is_channel_norm, keep_modes, tensors_in

__all__ = ["Constant", "add_constant", "constants", "masked", "output", "quiet"]


PADDING = "padding keeps the constant from the border"


@dataclass
class Constant:
    """What one layer gets from dead channels.

    Parameters
    ----------
    response : Tensor of shape (C,)
        What its outputs gain by it, away from padded borders.
    remark : str
        "exact", or why it is not.
    """

    response: torch.Tensor
    remark: str


def quiet(model, wiring, gone):
    """Give channels gamma 0; what they hand on is then a constant, made of beta.

    Parameters
    ----------
    model : nn.Module
        Not modified.
    wiring : Channels
        Of the model.
    gone : ndarray of bool
        Whether each channel of the wiring is one of them.

    Returns
    -------
    dict of str to Tensor
        What to put in the place of which entry of its state dict.
    """
    return _zeroed(model, {name: wiring.outputs[name] for name in wiring.norms}, gone)


def masked(model, wiring, gone, *, readers=True):
    """Silence channels: gamma and beta 0, and weights 0 where they are read.

    Parameters
    ----------
    model, wiring, gone
        As for :func:`quiet`.
    readers : bool, default=True
        Whether the weights are, too, which matters if an activation is not 0 at 0.

    Returns
    -------
    dict of str to Tensor
        As of :func:`quiet`.
    """
    norms = {name: wiring.outputs[name] for name in wiring.norms}
    silent = quiet(model, wiring, gone) | _zeroed(model, norms, gone, "bias")
    return silent | (_zeroed(model, wiring.inputs, gone, axis=1) if readers else {})


def _zeroed(model, channels, gone, key="weight", axis=0):
    """Return the parameters of modules with 0 at the channels that are gone."""
    new = {}
    for name, ids in channels.items():
        module, dead = model.get_submodule(name), torch.from_numpy(gone[ids])
        if getattr(module, key) is not None and dead.any():
            value = new[f"{name}.{key}"] = getattr(module, key).detach().clone()
            swap = axis == 1 and not getattr(module, "transposed", False)
            (value.transpose(0, 1) if swap else value)[dead] = 0
    return new


def constants(wiring, gone, example_input):
    """Find out what each layer gets from dead channels.

    Parameters
    ----------
    wiring : Channels
        Of the model.
    gone : ndarray of bool
        Whether each channel of the wiring is dead.
    example_input : Tensor or tuple of Tensor
        Gives the shapes; its values do not matter.

    Returns
    -------
    dict of str to Constant
        Name of each layer that reads dead channels: what it gets.
    """
    follow = _Follow(wiring, gone)
    follow.run(*as_inputs(example_input))
    heard = {name: _merged(parts) for name, parts in follow.heard.items()}
    for name, ids in wiring.inputs.items():
        if gone[ids].any() and name not in heard:
            heard[name] = Constant(torch.zeros(()), "left: eval mode does not call it")
    return heard


def add_constant(model, wiring, name, response):
    """Give the layer ``name`` of ``model`` a constant that it no longer gets.

    It goes into the running mean of the norm behind the layer, or else into its bias,
    which is made if need be.

    Parameters
    ----------
    model : nn.Module
        Modified in place.
    wiring : Channels
        Of the model.
    name : str
        The layer.
    response : Tensor of shape (C,)
        What its outputs would gain by the constant.

    Returns
    -------
    bool
        Whether there was a place for it: a bias that another layer holds is none.
    """
    if not response.any():
        return True
    layer, norm = model.get_submodule(name), _norm_behind(wiring, name)
    norm = None if norm is None else model.get_submodule(norm)
    if norm is not None and norm.running_mean is not None:
        norm.running_mean -= response
    elif layer.bias is not None:
        held = [layer.bias is m._parameters.get("bias") for m in model.modules()]
        if sum(held) > 1:
            return False
        layer.bias.data += response
    else:
        trainable = layer.weight.requires_grad
        layer.bias = nn.Parameter(response.clone(), requires_grad=trainable)
    return True


def output(model, example_input, instead=None):
    """Run a model in eval mode and restore its modes.

    Parameters
    ----------
    model : nn.Module
        To run.
    example_input : Tensor or tuple of Tensor
        Its input.
    instead : dict of str to Tensor, optional
        What to use in the place of parameters.

    Returns
    -------
    object
        What it returns.
    """
    inputs = as_inputs(example_input)
    with keep_modes(model):
        return functional_call(model.eval(), instead or {}, inputs, tie_weights=False)


class _Follow(fx.Interpreter):
    """Run the model on constants; NaN stands for every value that is none."""

    def __init__(self, wiring, gone):
        super().__init__(wiring.module, graph=wiring.graph)
        self.wiring, self.gone, self.heard = wiring, gone, {}

    def placeholder(self, target, args, kwargs):
        value = super().placeholder(target, args, kwargs)
        return torch.full_like(value, torch.nan) if tensors_in(value) else value

    def call_module(self, target, args, kwargs):
        module, x = self.fetch_attr(target), tensors_in([args, kwargs])
        if is_channel_norm(module) and module.weight is not None:
            return self._norm(target, module, x[0])
        if target in self.wiring.inputs:
            return self._layer(target, module, x[0])
        return super().call_module(target, args, kwargs)

    def _norm(self, target, norm, x):
        """Return what comes out where gamma is 0, whatever comes in: act(beta), say.

        The other channels, which get numbers too, meet no dead one before a layer.
        """
        dead = torch.from_numpy(self.gone[self.wiring.outputs[target]])
        gamma = norm.weight * (~dead).to(norm.weight)
        return functional_call(norm, {"weight": gamma}, (torch.zeros_like(x),))

    def _layer(self, target, layer, x):
        dead = torch.from_numpy(self.gone[self.wiring.inputs[target]])
        if dead.any():
            lost = int(x[:, dead].isnan().transpose(0, 1).flatten(1).any(1).sum())
            heard = torch.zeros_like(x[:1])
            heard[:, dead] = x[:1, dead].nan_to_num()
            gain = (layer(heard) - layer(torch.zeros_like(heard)))[0]
            gain = gain.reshape(len(gain), -1)  # (C, positions)
            gap, remark = (gain - gain[:, :1]).abs().max(), "exact"
            if float(gap) > 1e-6 * float(gain.abs().max()):
                remark = f"mean over positions: {PADDING}"
            if lost:
                remark = f"in part: {lost} of {int(dead.sum())} dead channels vary"
            self.heard.setdefault(target, []).append(Constant(gain.mean(1), remark))
        return torch.full_like(layer(x), torch.nan)


def _merged(parts):
    if len(parts) == 1:
        return parts[0]
    mean = torch.stack([part.response for part in parts]).mean(0)
    worst = [part.remark for part in parts if part.remark.startswith("in part")]
    return Constant(mean, (worst or ["mean over its calls"])[0])


def _norm_behind(wiring, name):
    """Return the name of the norm that reads this layer and no other, None without."""
    nodes = wiring.graph.nodes
    readers = {user for n in nodes if n.target == name for user in n.users}
    for norm in wiring.norms:
        if readers == {n for n in nodes if n.target == norm}:
            return norm
    return None
