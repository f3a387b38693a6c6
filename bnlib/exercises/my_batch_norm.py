"""The project's published answers: a batch norm of one's own, from forward to pruned.

The page book/project.ipynb shows these definitions, each folded below its step, and a
learner's own my_batch_norm.py holds the same names. Nothing here uses the rest of
bnlib.
"""

import copy
import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


def forward_and_backward(x, gamma, beta, eps, d_y):
    """Return the output of batch norm and the gradients of all its stages."""
    axes, count = (0, *range(2, x.ndim)), x.size / x.shape[1]
    wide = 1, -1, *[1] * (x.ndim - 2)
    # Forward: mean, then variance, then division, then scale and shift.
    centered = x - x.mean(axes, keepdims=True)
    std = np.sqrt(np.square(centered).mean(axes, keepdims=True) + eps)
    x_hat = centered / std
    y = gamma.reshape(wide) * x_hat + beta.reshape(wide)
    # Backward: the same stages, the last one first.
    d_gamma, d_beta = (d_y * x_hat).sum(axes), d_y.sum(axes)
    d_x_hat = gamma.reshape(wide) * d_y
    d_var = -0.5 * (d_x_hat * centered / std**3).sum(axes, keepdims=True)
    d_mean = -(d_x_hat / std).sum(axes, keepdims=True)
    d_x = d_x_hat / std + d_var * 2 * centered / count + d_mean / count
    return y, d_gamma, d_beta, d_x_hat, d_var.ravel(), d_mean.ravel(), d_x


class BatchNorm(nn.Module):
    """Batch norm of (N, C) to (N, C, D, H, W), with the names of torch.nn."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    def forward(self, x):
        """Normalize x, in training with the batch's statistics."""
        mean, var, z = self.running_mean, self.running_var, x.to(self.weight.dtype)
        if self.training:
            axes = 0, *range(2, x.ndim)
            mean, var = z.mean(axes), z.var(axes, correction=0)
            self.track(mean.detach(), var.detach(), x.numel() // x.shape[1])
        wide = 1, -1, *[1] * (x.ndim - 2)
        x_hat = (z - mean.view(wide)) / torch.sqrt(var.view(wide) + self.eps)
        return (x_hat * self.weight.view(wide) + self.bias.view(wide)).to(x.dtype)

    def track(self, mean, var, count):
        """Move the running statistics; the unbiased variance is remembered."""
        self.num_batches_tracked += 1
        new = self.momentum
        if new is None:  # all batches count alike
            new = 1 / self.num_batches_tracked.item()
        self.running_mean.lerp_(mean, new)
        self.running_var.lerp_(var * count / (count - 1), new)


def steps_to(net, x, y, lr, target, most):
    """Return after how many updates the loss is at most target, infinity if never."""
    for step in range(most + 1):
        loss = F.cross_entropy(net(x), y)
        if loss <= target:  # never true of NaN
            return step
        net.zero_grad()
        loss.backward()
        with torch.no_grad():
            for p in net.parameters():
                p -= lr * p.grad
    return math.inf


def fewest_steps(make_net, x, y, rates, target, most):
    """Return the fewest updates to the target over all rates, and their rate."""
    return min((steps_to(make_net(), x, y, lr, target, most), lr) for lr in rates)


@torch.no_grad()
def batch_noise(layer, x, size):
    """Return how far outputs in batches of size are from those in one batch."""
    layer = copy.deepcopy(layer).train()
    used = len(x) - len(x) % size  # complete batches only
    parts = torch.cat([layer(part) for part in x[:used].split(size)])
    return (parts - layer(x)[:used]).square().mean().sqrt().item()


@torch.no_grad()
def fold_net(net):
    """Return a net without the norms that follow a linear layer or a convolution."""
    layers = []
    for layer in copy.deepcopy(net):
        before = layers[-1] if layers else None
        if hasattr(layer, "running_mean") and isinstance(before, nn.Linear | nn.Conv2d):
            scale = layer.weight / torch.sqrt(layer.running_var + layer.eps)
            bias = 0 if before.bias is None else before.bias
            wide = -1, *[1] * (before.weight.ndim - 1)
            before.weight *= scale.view(wide)
            shift = (bias - layer.running_mean) * scale + layer.bias
            before.bias = nn.Parameter(shift)
        else:
            layers.append(layer)
    return nn.Sequential(*layers)


@torch.no_grad()
def adapt_net(net, batches):
    """Return a copy whose statistics are those of the batches, all counted alike."""
    net = copy.deepcopy(net).train()
    norms = [layer for layer in net.modules() if hasattr(layer, "running_mean")]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = None
        norm.num_batches_tracked.zero_()  # the first batch then replaces the old ones
    for batch in batches:
        net(batch)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    return net.eval()


@torch.no_grad()
def prune_net(net, share):
    """Return a net without the share of hidden units that have the smallest gamma."""
    net = copy.deepcopy(net)
    norms = [i for i, layer in enumerate(net) if hasattr(layer, "running_mean")]
    sizes = torch.cat([net[i].weight.abs() for i in norms]).sort().values
    for i in norms:
        linear, norm, following = net[i - 1], net[i], net[i + 2]
        kept = norm.weight.abs() >= sizes[int(share * len(sizes))]
        kept[norm.weight.abs().argmax()] = True  # a layer keeps at least one
        constant = torch.relu(norm.bias[~kept])  # what the others still say
        following.bias += following.weight[:, ~kept] @ constant
        following.weight = nn.Parameter(following.weight[:, kept])
        for part in (linear, norm):
            part.weight = nn.Parameter(part.weight[kept])
            part.bias = nn.Parameter(part.bias[kept])
        norm.running_mean = norm.running_mean[kept]
        norm.running_var = norm.running_var[kept]
    return net
