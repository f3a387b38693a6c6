"""Hand-written answers to the exercises of chapter 10, right and wrong."""

import copy

import numpy as np
import torch
from torch import nn

from bnlib.nn import reestimate

# --- 10.1 adapt


def right_with_cumulative_average(net, images, x):
    new = copy.deepcopy(net)
    for layer in new.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.reset_running_stats()
            layer.momentum = None
    new.train()
    new(images)
    new.eval()
    net.eval()
    return new(x), net(x)


def right_with_reestimate(net, images, x):
    new = copy.deepcopy(net)
    with torch.no_grad():
        reestimate(new, [images])
        return new.eval()(x), net.eval()(x)


def no_copy(net, images, x):
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 1
    net.train()
    net(images)
    net.eval()
    return net(x), net(x)


def alias_for_a_copy(net, images, x):
    adapted = net
    reestimate(adapted, [images])
    return adapted.eval()(x), net.eval()(x)


def without_train(net, images, x):
    new = copy.deepcopy(net)
    for layer in new.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 1.0
    new(images)
    return new(x), net(x)


def momentum_zero(net, images, x):
    new = copy.deepcopy(net).train()
    for layer in new.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 0.0
    new(images)
    return new.eval()(x), net(x)


def a_pass_for_each_image(net, images, x):
    new = copy.deepcopy(net).train()
    for layer in new.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 1.0
    for image in images:
        new(image.unsqueeze(0))
    return new.eval()(x), net(x)


def default_momentum(net, images, x):
    new = copy.deepcopy(net)
    new.train()
    new(images)
    new.eval()
    return new(x), net(x)


def reset_and_default_momentum(net, images, x):
    new = copy.deepcopy(net)
    for layer in new.modules():
        if hasattr(layer, "reset_running_stats"):
            layer.reset_running_stats()
    new.train()(images)
    return new.eval()(x), net(x)


def momentum_none_only(net, images, x):
    new = copy.deepcopy(net)
    for layer in new:
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = None
    new.train()(images)
    return new.eval()(x), net(x)


def reset_only(net, images, x):
    new = copy.deepcopy(net)
    for layer in new:
        if isinstance(layer, nn.BatchNorm2d):
            layer.reset_running_stats()
    return new.eval()(x), net(x)


def reset_parameters_too(net, images, x):
    new = copy.deepcopy(net)
    for layer in new:
        if isinstance(layer, nn.BatchNorm2d):
            layer.reset_parameters()  # resets the statistics, and gamma and beta
            layer.momentum = 1.0
    new.train()(images)
    return new.eval()(x), net(x)


def eval_forgotten(net, images, x):
    new = copy.deepcopy(net).train()
    for layer in new:
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 1.0
    new(images)
    return new(x), net(x)


def pass_over_x(net, images, x):
    new = copy.deepcopy(net)
    reestimate(new, [x])
    return new.eval()(x), net(x)


def other_order(net, images, x):
    new = copy.deepcopy(net)
    reestimate(new, [images])
    return net(x), new.eval()(x)


# --- 10.2 shifted_statistics


def right_with_a_constant_image(weight, mean, var, gain, offset):
    # What the convolution makes of an image that is `offset` everywhere.
    window = np.full(weight.shape[1:], offset)
    reached = np.array([(kernel * window).sum() for kernel in weight])
    return mean * gain + reached, var * gain * gain


def right_with_einsum(weight, mean, var, gain, offset):
    return (
        gain * mean + offset * np.einsum("cikl->c", weight),
        (np.sqrt(var) * abs(gain)) ** 2,
    )


def plain_offset(weight, mean, var, gain, offset):
    return gain * mean + offset, gain**2 * var


def no_offset(weight, mean, var, gain, offset):
    return gain * mean, gain**2 * var


def mean_weight(weight, mean, var, gain, offset):
    return gain * mean + offset * weight.mean((1, 2, 3)), gain**2 * var


def sum_over_outputs(weight, mean, var, gain, offset):
    return gain * mean + offset * weight.sum(0).sum(-1).sum(-1), gain**2 * var


def one_sum(weight, mean, var, gain, offset):
    return gain * mean + offset * weight.sum(), gain**2 * var


def gain_times_var(weight, mean, var, gain, offset):
    return gain * mean + offset * weight.sum((1, 2, 3)), gain * var


def offset_widens(weight, mean, var, gain, offset):
    s = weight.reshape(len(weight), -1).sum(1)
    return gain * mean + offset * s, gain**2 * var + (offset * s) ** 2


def gain_of_everything(weight, mean, var, gain, offset):
    s = weight.reshape(len(weight), -1).sum(1)
    return gain * (mean + offset * s), gain**2 * var


# --- 10.6 blend


def right_with_lerp(mean, var, z, prior):
    n = z.shape[0]
    t = torch.tensor(z)
    share = n / (n + prior)
    new_mean, new_var = t.mean((0, 2, 3)).numpy(), t.var((0, 2, 3)).numpy()
    return mean + share * (new_mean - mean), var + share * (new_var - var)


def right_by_channels(mean, var, z, prior):
    n = len(z)
    m = [(prior * mean[c] + n * z[:, c].mean()) / (prior + n) for c in range(len(mean))]
    v = [
        (prior * var[c] + n * z[:, c].var(ddof=1)) / (prior + n)
        for c in range(len(mean))
    ]
    return np.array(m), np.array(v)


def weights_swapped(mean, var, z, prior):
    a, b = len(z) / (len(z) + prior), prior / (len(z) + prior)
    return (
        a * mean + b * z.mean((0, 2, 3)),
        a * var + b * z.var((0, 2, 3), ddof=1),
    )


def counts_values(mean, var, z, prior):
    n = z[:, 0].size
    a, b = prior / (n + prior), n / (n + prior)
    return a * mean + b * z.mean((0, 2, 3)), a * var + b * z.var((0, 2, 3), ddof=1)


def merged(mean, var, z, prior):
    n = len(z)
    mu, v = z.mean((0, 2, 3)), z.var((0, 2, 3), ddof=1)
    m = (prior * mean + n * mu) / (prior + n)
    spread = prior * (var + (mean - m) ** 2) + n * (v + (mu - m) ** 2)
    return m, spread / (prior + n)


def image_by_image(mean, var, z, prior):
    a, b = prior / (len(z) + prior), len(z) / (len(z) + prior)
    v = np.mean([image.var((1, 2), ddof=1) for image in z], axis=0)
    return a * mean + b * z.mean((0, 2, 3)), a * var + b * v


def blends_std(mean, var, z, prior):
    a, b = prior / (len(z) + prior), len(z) / (len(z) + prior)
    std = a * np.sqrt(var) + b * z.std((0, 2, 3), ddof=1)
    return a * mean + b * z.mean((0, 2, 3)), std**2


def biased(mean, var, z, prior):
    a, b = prior / (len(z) + prior), len(z) / (len(z) + prior)
    return a * mean + b * z.mean((0, 2, 3)), a * var + b * z.var((0, 2, 3))


def old_variance(mean, var, z, prior):
    a, b = prior / (len(z) + prior), len(z) / (len(z) + prior)
    return a * mean + b * z.mean((0, 2, 3)), var


# --- 10.4 trainable


def right_with_ids(net):
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d)
    chosen = {
        id(p) for m in net.modules() if isinstance(m, kinds) for p in m.parameters()
    }
    return {name: id(p) in chosen for name, p in net.named_parameters()}


def right_with_parents(net):
    answer = {}
    for name, _ in net.named_parameters():
        layer = net.get_submodule(name.rpartition(".")[0])
        answer[name] = "BatchNorm" in type(layer).__name__
    return answer


def one_dimensional(net):
    return {name: len(p.shape) == 1 for name, p in net.named_parameters()}


def by_name(net):
    return {n: n.startswith(("bn", "norm")) for n, _ in net.named_parameters()}


def of_type(net, kinds, ends=("weight", "bias")):
    answer = dict.fromkeys(dict(net.named_parameters()), False)
    for prefix, layer in net.named_modules():
        if isinstance(layer, kinds):
            for end in ends:
                if f"{prefix}.{end}" in answer:
                    answer[f"{prefix}.{end}"] = True
    return answer


def only_2d(net):
    return of_type(net, nn.BatchNorm2d)


def only_1d(net):
    return of_type(net, nn.BatchNorm1d)


def has_a_running_mean(net):
    answer = {}
    for name, _ in net.named_parameters():
        layer = net.get_submodule(name.rpartition(".")[0])
        answer[name] = getattr(layer, "running_mean", None) is not None
    return answer


def all_norms(net):
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.InstanceNorm2d)
    return of_type(net, (*kinds, nn.GroupNorm, nn.LayerNorm))


def gammas(net):
    return of_type(net, (nn.BatchNorm1d, nn.BatchNorm2d), ["weight"])


def betas(net):
    return of_type(net, (nn.BatchNorm1d, nn.BatchNorm2d), ["bias"])


def everything(net):
    return {name: p.requires_grad for name, p in net.named_parameters()}


# --- 10.5 freeze

BNS = (nn.BatchNorm1d, nn.BatchNorm2d)


class Affine(nn.Module):
    """What a frozen norm is: a scale and a shift, which are buffers."""

    def __init__(self, norm):
        super().__init__()
        scale = norm.weight.detach() / (norm.running_var + norm.eps).sqrt()
        self.register_buffer("scale", scale.clone())
        shift = norm.bias.detach() - norm.running_mean * scale
        self.register_buffer("shift", shift.clone())

    def forward(self, x):
        shape = (1, -1) + (1,) * (x.ndim - 2)
        return x * self.scale.view(shape) + self.shift.view(shape)


def right_by_replacing(net):
    for name, child in net.named_children():
        if isinstance(child, BNS):
            setattr(net, name, Affine(child))
        else:
            right_by_replacing(child)
    return net


def right_for_good(net):
    # More than was asked: later calls of net.train() do not wake the norms.
    def train(mode=True):
        nn.Module.train(net, mode)
        for layer in net.modules():
            if isinstance(layer, BNS):
                layer.eval()
        return net

    for layer in net.modules():
        if isinstance(layer, BNS):
            layer.weight.requires_grad = False
            layer.bias.requires_grad = False
    net.train = train
    return net.train()


def right_copy(net):
    net = copy.deepcopy(net)
    for name, p in net.named_parameters():
        owner = net.get_submodule(name.rpartition(".")[0])
        p.requires_grad = not isinstance(owner, BNS)
    net.apply(lambda layer: layer.eval() if isinstance(layer, BNS) else None)
    return net


def gradients_only(net):
    for layer in net.modules():
        if isinstance(layer, BNS):
            layer.weight.requires_grad = False
            layer.bias.requires_grad = False
    return net


def gradients_of_buffers_too(net):
    net = gradients_only(net)
    for buffer in net.buffers():
        if buffer.is_floating_point():
            buffer.requires_grad_(False)
    return net


def eval_before_train(net):
    for layer in net.modules():
        if isinstance(layer, BNS):
            layer.eval()
            layer.requires_grad_(False)
    return net.train()


def no_momentum(net):
    for layer in net.modules():
        if isinstance(layer, BNS):
            layer.momentum = 0
            layer.requires_grad_(False)
    return net


def no_tracking(net):
    for layer in net.modules():
        if isinstance(layer, BNS):
            layer.track_running_stats = False
            layer.requires_grad_(False)
    return net


def whole_net_frozen(net):
    net.requires_grad_(False)
    for layer in net.modules():
        if isinstance(layer, BNS):
            layer.eval()
    return net


def affine_free(net):
    for layer in net.modules():
        if isinstance(layer, BNS):
            layer.eval()
    return net


def all_in_eval(net):
    for layer in net.modules():
        if isinstance(layer, BNS):
            layer.requires_grad_(False)
    return net.eval()


def asks_the_parameter(net):
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d)
    return {name: isinstance(p, kinds) for name, p in net.named_parameters()}


def freezes_one_class(net):
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.eval().requires_grad_(False)
    return net


def mean_without_gain(weight, mean, var, gain, offset):
    return mean + offset * weight.sum((1, 2, 3)), gain**2 * var


def undone(weight, mean, var, gain, offset):
    return (mean - offset * weight.sum((1, 2, 3))) / gain, var / gain**2


def only_the_children(net):
    ids = [
        id(p)
        for m in net.children()
        if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)
        for p in m.parameters()
    ]
    return {name: id(p) in ids for name, p in net.named_parameters()}


def only_true_names(net):
    found = of_type(net, (nn.BatchNorm1d, nn.BatchNorm2d))
    return {name: taken for name, taken in found.items() if taken}


def group_norm_as_well(net):
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm, nn.LayerNorm)
    return of_type(net, kinds)


def freezes_children(net):
    for layer in net.children():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            layer.eval().requires_grad_(False)
    return net


RIGHT = {
    "adapt": [right_with_cumulative_average, right_with_reestimate],
    "shifted_statistics": [right_with_a_constant_image, right_with_einsum],
    "blend": [right_with_lerp, right_by_channels],
    "trainable": [right_with_ids, right_with_parents],
    "freeze": [right_copy, right_by_replacing, right_for_good],
}

MUTANTS = {
    "adapt": {
        "the given net was changed": [no_copy, alias_for_a_copy],
        "the pass wrote no statistics": [without_train, momentum_zero],
        "one pass with the old momentum": [default_momentum],
        "reset, then a pass with momentum 0.1": [reset_and_default_momentum],
        "a cumulative average that goes on": [momentum_none_only],
        "one image after the other": [a_pass_for_each_image],
        "the statistics are empty": [reset_only],
        "gamma and beta were reset too": [reset_parameters_too],
        "the adapted net is still in training mode": [eval_forgotten],
        "adapted to the images of the test": [pass_over_x],
        "the outputs in the other order": [other_order],
    },
    "shifted_statistics": {
        "the offset taken as it is": [plain_offset],
        "the mean not multiplied by the gain": [mean_without_gain],
        "the shift taken back": [undone],
        "the offset left out": [no_offset],
        "the average weight": [mean_weight],
        "summed over the wrong axis": [sum_over_outputs],
        "one sum for all channels": [one_sum],
        "the variance scaled like a mean": [gain_times_var],
        "the offset in the variance": [offset_widens],
        "the gain applied to the offset": [gain_of_everything],
    },
    "blend": {
        "the two weights swapped": [weights_swapped],
        "values counted instead of images": [counts_values],
        "merged as one population": [merged],
        "each image by itself": [image_by_image],
        "standard deviations blended": [blends_std],
        "the biased variance": [biased],
        "only the mean is new": [old_variance],
    },
    "trainable": {
        "the parameter asked instead of its layer": [asks_the_parameter],
        "every vector taken": [one_dimensional],
        "found by name": [by_name],
        "nested norms overlooked": [only_the_children],
        "only the names that are taken": [only_true_names],
        "BatchNorm1d overlooked": [only_2d],
        "BatchNorm2d overlooked": [only_1d],
        "norms of every kind": [all_norms, group_norm_as_well],
        "found by its running statistics": [has_a_running_mean],
        "beta forgotten": [gammas],
        "gamma forgotten": [betas],
        "all parameters taken": [everything],
    },
    "freeze": {
        "some norms overlooked": [freezes_children, freezes_one_class],
        "the norms are still in training mode": [
            gradients_only,
            gradients_of_buffers_too,
            eval_before_train,
        ],
        "nothing is written, but the batch still normalizes": [
            no_momentum,
            no_tracking,
        ],
        "frozen altogether": [whole_net_frozen],
        "gamma and beta left free": [affine_free],
        "the whole net in eval mode": [all_in_eval],
    },
}
