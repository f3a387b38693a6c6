"""Answers to the steps of the project: right ones in several styles, and mutants.

A mutant is a right answer with one slip: ``changed`` puts it into the source.
"""

import copy
import inspect
import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from bnlib.exercises import my_batch_norm as published
from bnlib.exercises.my_batch_norm import BatchNorm


def changed(answer, *slips):
    """Return an answer in whose source each (old, new) of the slips was replaced."""
    source = inspect.getsource(inspect.unwrap(answer))
    for old, new in slips:
        assert source.count(old) == 1, f"{old!r} must stand once in {answer.__name__}"
        source = source.replace(old, new)
    names = vars(published) | globals()
    exec(source, names)
    return names[answer.__name__]


# --- 1 forward_and_backward


def right_by_autograd(x, gamma, beta, eps, d_y):
    x = torch.tensor(x, requires_grad=True)
    gamma, beta = (torch.tensor(v, requires_grad=True) for v in (gamma, beta))
    dims = [i for i in range(x.ndim) if i != 1]
    shape = [-1 if i == 1 else 1 for i in range(x.ndim)]
    mean = x.mean(dims)
    centered = x - mean.view(shape)
    var = (centered**2).mean(dims)
    x_hat = centered / (var.view(shape) + eps).sqrt()
    y = gamma.view(shape) * x_hat + beta.view(shape)
    wanted = gamma, beta, x_hat, var, mean, x
    grads = torch.autograd.grad(y, wanted, torch.tensor(d_y))
    return [v.detach().numpy() for v in (y, *grads)]


def right_channel_by_channel(x, gamma, beta, eps, d_y):
    y, d_x_hat, d_x = (np.empty_like(x) for _ in range(3))
    d_gamma, d_beta, d_var, d_mean = (np.empty(len(gamma)) for _ in range(4))
    for c in range(len(gamma)):
        values, push = x[:, c], d_y[:, c]
        mean, var = values.mean(), values.var()
        x_hat = (values - mean) / np.sqrt(var + eps)
        y[:, c] = gamma[c] * x_hat + beta[c]
        d_gamma[c], d_beta[c] = np.sum(push * x_hat), np.sum(push)
        d_x_hat[:, c] = gamma[c] * push
        by_value = d_x_hat[:, c]
        d_var[c] = np.sum(by_value * (values - mean)) * -0.5 * (var + eps) ** -1.5
        # The mean also moves the variance, by nothing but rounding.
        d_mean[c] = -np.sum(by_value) / np.sqrt(var + eps)
        d_mean[c] += d_var[c] * np.mean(-2 * (values - mean))
        d_x[:, c] = by_value / np.sqrt(var + eps) + d_mean[c] / values.size
        d_x[:, c] += d_var[c] * 2 * (values - mean) / values.size
    return y, d_gamma, d_beta, d_x_hat, d_var, d_mean, d_x


def staged(*slips):
    return changed(published.forward_and_backward, *slips)


def rows_for_positions(x, gamma, beta, eps, d_y):
    wide = -1, *[1] * (x.ndim - 2)
    centered = x - x.mean(0)
    std = np.sqrt(x.var(0) + eps)
    x_hat = centered / std
    y = gamma.reshape(wide) * x_hat + beta.reshape(wide)
    d_x_hat = gamma.reshape(wide) * d_y
    d_var = -0.5 * (d_x_hat * centered / std**3).sum(0)
    d_mean = -(d_x_hat / std).sum(0)
    count = x.size / x.shape[1]
    d_x = d_x_hat / std + 2 * d_var * centered / count + d_mean / count
    return y, (d_y * x_hat).sum(0), d_y.sum(0), d_x_hat, d_var, d_mean, d_x


def for_rows_alone(x, gamma, beta, eps, d_y):
    n, centered, var = len(x), x - x.mean(0), x.var(0)
    std = np.sqrt(var + eps)
    x_hat, d_x_hat = centered / std, d_y * gamma
    d_var = (d_x_hat * centered).sum(0) * -0.5 * (var + eps) ** -1.5
    d_mean = -(d_x_hat / std).sum(0)
    d_x = d_x_hat / std + d_var * 2 * centered / n + d_mean / n
    sums = (d_y * x_hat).sum(0), d_y.sum(0)
    return gamma * x_hat + beta, *sums, d_x_hat, d_var, d_mean, d_x


STAGED = {
    "the way through the mean forgotten": [
        staged((" + d_mean / count", "")),
        changed(right_channel_by_channel, (" + d_mean[c] / values.size", "")),
    ],
    "the way through the variance forgotten": [
        staged((" + d_var * 2 * centered / count", "")),
    ],
    "the variance counted with the wrong sign": [
        staged((" + d_var * 2 * centered / count", " - d_var * 2 * centered / count")),
    ],
    "gamma forgotten on the way back": [
        staged(("d_x_hat = gamma.reshape(wide) * d_y", "d_x_hat = 1.0 * d_y")),
    ],
    "divided by the number of rows": [
        staged(("count = (0, *range(2, x.ndim)), x.size / x.shape[1]",
                "count = (0, *range(2, x.ndim)), len(x)")),
    ],
    "gamma and beta along the last axis": [
        staged(("y = gamma.reshape(wide) * x_hat + beta.reshape(wide)",
                "y = gamma * x_hat + beta"),
               ("d_x_hat = gamma.reshape(wide) * d_y", "d_x_hat = gamma * d_y")),
    ],
    "a statistic for every position": [rows_for_positions],
    "written for (N, C) alone": [for_rows_alone],
    "d_gamma and d_beta exchanged": [
        staged(("return y, d_gamma, d_beta,", "return y, d_beta, d_gamma,")),
        staged(("d_gamma, d_beta = (d_y * x_hat).sum(axes), d_y.sum(axes)",
                "d_gamma, d_beta = d_y.sum(axes), (d_y * x_hat).sum(axes)")),
    ],
    "the power of the standard deviation in d_var": [
        staged(("std**3", "std**2")),
    ],
    "variance divided by M - 1": [
        staged(("np.square(centered).mean(axes, keepdims=True)",
                "x.var(axes, keepdims=True, ddof=1)")),
    ],
    "eps beside the standard deviation": [
        staged(("np.sqrt(np.square(centered).mean(axes, keepdims=True) + eps)",
                "x.std(axes, keepdims=True) + eps")),
    ],
}  # fmt: skip

# --- 2 BatchNorm


class RightByTorch(nn.Module):
    """Lets torch do it, and still has to keep the state."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__()
        self.eps = eps
        self.momentum = momentum
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))
        self.register_buffer("num_batches_tracked", torch.zeros((), dtype=torch.long))

    def forward(self, x):
        new = self.momentum
        if self.training:
            self.num_batches_tracked.add_(1)
            new = 1 / float(self.num_batches_tracked) if new is None else new
        state = self.running_mean, self.running_var, self.weight, self.bias
        return F.batch_norm(x, *state, self.training, new or 0.0, self.eps)


class RightFlat(nn.Module):
    """Channels first, everything else in one row; new buffers at each step."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True):
        super().__init__()
        self.eps, self.momentum, self.num_features = eps, momentum, num_features
        self.weight = nn.Parameter(torch.ones(num_features), requires_grad=affine)
        self.bias = nn.Parameter(torch.zeros(num_features), requires_grad=affine)
        for name, start in ("running_mean", 0.0), ("running_var", 1.0):
            self.register_buffer(name, torch.full((num_features,), start))
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    def forward(self, x):
        rows = x.transpose(0, 1).flatten(1).to(self.weight.dtype)  # (C, M)
        if self.training:
            mean = rows.mean(1)
            centered = rows - mean[:, None]
            var = (centered * centered).mean(1)
            m = rows.shape[1]
            with torch.no_grad():
                self.num_batches_tracked += 1
                a = self.momentum
                a = 1.0 / int(self.num_batches_tracked) if a is None else a
                self.running_mean = (1 - a) * self.running_mean + a * mean
                self.running_var = (1 - a) * self.running_var + a * var * m / (m - 1)
        else:
            centered = rows - self.running_mean[:, None]
            var = self.running_var
        scale = self.weight / (var + self.eps) ** 0.5
        y = centered * scale[:, None] + self.bias[:, None]
        return y.view(x.shape[1], x.shape[0], *x.shape[2:]).transpose(0, 1).to(x.dtype)


def layer(*slips):
    return changed(published.BatchNorm, *slips)


def flat(*slips):
    return changed(RightFlat, *slips)


MOVED = "self.running_mean.lerp_(mean, new)"
TRACK = """            self.track(mean.detach(), var.detach(), x.numel() // x.shape[1])
"""
NONE = """        if new is None:  # all batches count alike
            new = 1 / self.num_batches_tracked.item()
"""
LAYER = {
    "the biased variance stored": [
        layer(("var * count / (count - 1)", "var")),
        flat((" * m / (m - 1)", "")),
    ],
    "the unbiased variance used in training": [
        layer(("z.var(axes, correction=0)", "z.var(axes)"),
              ("var * count / (count - 1)", "var")),
        flat(("(centered * centered).mean(1)", "rows.var(1)"), (" * m / (m - 1)", "")),
    ],
    "momentum the wrong way round": [
        flat(("(1 - a) * self.running_mean + a * mean",
              "a * self.running_mean + (1 - a) * mean"),
             ("(1 - a) * self.running_var + a * var * m",
              "a * self.running_var + (1 - a) * var * m")),
    ],
    "statistics written in eval mode": [
        layer(("if self.training:\n            axes = 0, *range(2, x.ndim)\n",
               "axes = 0, *range(2, x.ndim)\n        if True:\n"),
              ("            mean, var = z.mean(axes), z.var(axes, correction=0)\n",
               "            m, v = z.mean(axes), z.var(axes, correction=0)\n"),
              ("self.track(mean.detach(), var.detach(), x.numel() // x.shape[1])\n",
               "self.track(m.detach(), v.detach(), x.numel() // x.shape[1])\n"
               "        if self.training:\n            mean, var = m, v\n")),
    ],
    "batch statistics in eval mode": [
        layer(("if self.training:\n            axes", "if True:\n            axes"),
              (TRACK, "            if self.training:\n    " + TRACK)),
    ],
    "running statistics in training": [
        layer(("mean, var = z.mean(axes), z.var(axes, correction=0)",
               "m, v = z.mean(axes), z.var(axes, correction=0)"),
              (TRACK, TRACK.replace("mean.d", "m.d").replace("var.d", "v.d")
               + "            mean, var = self.running_mean, self.running_var\n")),
    ],
    "momentum=None not understood": [
        layer((NONE, "")),
        flat(("a = 1.0 / int(self.num_batches_tracked) if a is None else a", "pass")),
    ],
    "weights of 1 / (n + 1)": [
        layer(("1 / self.num_batches_tracked.item()",
               "1 / (self.num_batches_tracked.item() + 1)")),
    ],
    "the rows taken for M": [
        layer(("x.numel() // x.shape[1]", "len(x)")),
    ],
    "eval passes counted": [
        layer(("        wide = 1, -1", "        else:\n"
               "            self.num_batches_tracked += 1\n        wide = 1, -1")),
    ],
    "statistics that keep their graph": [
        flat(("with torch.no_grad():", "if True:")),
    ],
    "no gradient through the statistics": [
        flat(("if self.training:\n            mean = rows.mean(1)",
              "if self.training:\n            mean = rows.mean(1).detach()"),
             ("(centered * centered).mean(1)",
              "(centered * centered).mean(1).detach()")),
        layer(("z.mean(axes), z.var(axes, correction=0)",
               "z.mean(axes).detach(), z.var(axes, correction=0).detach()")),
    ],
    "statistics that are no buffers": [
        flat(("self.register_buffer(name, torch.full((num_features,), start))",
              "setattr(self, name, torch.full((num_features,), start))"),
             ('self.register_buffer("num_batches_tracked", torch.tensor(0))',
              "self.num_batches_tracked = torch.tensor(0)")),
        flat(("self.register_buffer(name, torch.full((num_features,), start))",
              "setattr(self, name, torch.full((num_features,), start))"),
             ('self.register_buffer("num_batches_tracked", torch.tensor(0))',
              "self.num_batches_tracked = 0")),
    ],
    "batches not counted": [
        flat(("self.num_batches_tracked += 1", "pass"),
             ("1.0 / int(self.num_batches_tracked)",
              "1.0 / max(1, int(self.num_batches_tracked))")),
    ],
    "the count kept as a float": [
        layer(("torch.tensor(0)", "torch.tensor(0.0)")),
        flat(('"num_batches_tracked", torch.tensor(0)',
              '"num_batches_tracked", torch.zeros(())')),
    ],
    "first batch copied": [
        layer((NONE, NONE + "        if self.num_batches_tracked == 1:\n"
                            "            new = 1.0\n")),
    ],
    "a statistic for every position": [
        layer(("axes = 0, *range(2, x.ndim)", "axes = 0")),
    ],
    "written for images only": [
        layer(("axes = 0, *range(2, x.ndim)", "axes = 0, 2, 3")),
        layer(("axes = 0, *range(2, x.ndim)", "axes = (0, 2, 3)"),
              ("wide = 1, -1, *[1] * (x.ndim - 2)", "wide = 1, -1, 1, 1")),
    ],
    "eps beside the standard deviation": [
        layer(("torch.sqrt(var.view(wide) + self.eps)",
               "(torch.sqrt(var.view(wide)) + self.eps)")),
    ],
    "one-pass variance": [
        flat(("(centered * centered).mean(1)", "(rows * rows).mean(1) - mean * mean")),
    ],
    "statistics in half precision": [
        flat((".to(self.weight.dtype)  # (C, M)", "")),
    ],
    "autocast not thought of": [
        flat((".to(self.weight.dtype)  # (C, M)", ""), (".to(x.dtype)", "")),
    ],
    "bfloat16 not expected": [
        layer(("x.to(self.weight.dtype)", "x")),
    ],
    "float32 put out under autocast": [
        layer((".to(x.dtype)", "")),
    ],
}  # fmt: skip

# --- 3 fewest_steps


def right_with_an_optimizer(make_net, x, y, rates, target, most):
    best_steps, best_rate = math.inf, min(rates)
    for rate in sorted(rates):
        net, count = make_net(), 0
        descent = torch.optim.SGD(net.parameters(), rate)
        loss = nn.CrossEntropyLoss()(net(x), y)
        while not loss.item() <= target and count < most:
            descent.zero_grad()
            loss.backward()
            descent.step()
            count += 1
            loss = nn.CrossEntropyLoss()(net(x), y)
        if loss.item() <= target and count < best_steps:
            best_steps, best_rate = count, rate
    return best_steps, best_rate


def _in_eval(net, x, y):
    loss = F.cross_entropy(copy.deepcopy(net).eval()(x), y)
    return loss.item()


def steps(*slips):
    return changed(right_with_an_optimizer, *slips)


LATER = "for rate in sorted(rates):\n        net, count = make_net(), 0"
IN_THEIR_ORDER = ("sorted(rates)", "rates"), ("min(rates)", "rates[0]")
FEWEST = {
    "below the target instead of at most": [
        steps(("while not loss.item() <= target and",
               "while not loss.item() < target and"),
              ("if loss.item() <= target and", "if loss.item() < target and")),
    ],
    "the first of equal counts": [steps(*IN_THEIR_ORDER)],
    "the larger rate on equal counts": [
        steps(("sorted(rates)", "sorted(rates, reverse=True)"),
              ("min(rates)", "max(rates)")),
    ],
    "no rate where none gets there": [steps(("min(rates)", "None"))],
    "one net for all rates": [
        steps((LATER, "net = make_net()\n    for rate in sorted(rates):\n"
                      "        count = 0")),
    ],
    "steps with momentum": [
        steps(("SGD(net.parameters(), rate)",
               "SGD(net.parameters(), rate, momentum=0.9)")),
    ],
    "gradients added up": [steps(("            descent.zero_grad()\n", ""))],
    "NaN taken for the target": [
        steps(("while not loss.item() <= target and", "while loss.item() > target and"),
              ("if loss.item() <= target and", "if not loss.item() > target and")),
    ],
    "steps counted from one": [
        steps(("and count < best_steps:\n            best_steps, best_rate = count,",
               "and count + 1 < best_steps:\n            best_steps, best_rate = "
               "count + 1,")),
    ],
    "the last update not looked at": [steps(("count < most:", "count < most - 1:"))],
    "the loss in eval mode": [
        steps(("while not loss.item() <= target and",
               "while not _in_eval(net, x, y) <= target and"),
              ("if loss.item() <= target and", "if _in_eval(net, x, y) <= target and")),
    ],
    "the first rate that gets there": [
        steps(("            best_steps, best_rate = count, rate\n",
               "            return count, rate\n"), *IN_THEIR_ORDER),
        steps(("and count < best_steps", "and best_steps == math.inf"),
              *IN_THEIR_ORDER),
    ],
    "a number of steps for never": [
        steps(("best_steps, best_rate = math.inf,", "best_steps, best_rate = most,")),
    ],
    "steps and rate exchanged": [
        steps(("return best_steps, best_rate", "return best_rate, best_steps")),
    ],
}  # fmt: skip


# --- 4 batch_noise


def right_noise_by_rows(layer, x, size):
    layer = copy.deepcopy(layer)
    layer.train()
    whole = layer(x).detach().numpy()
    squares = []
    for start in range(0, len(x) - size + 1, size):
        own = layer(x[start : start + size]).detach().numpy()
        squares.append((own - whole[start : start + size]) ** 2)
    return float(np.sqrt(np.mean(squares)))


def noise(*slips):
    return changed(right_noise_by_rows, *slips)


NOISE = {
    "left in training mode": [
        noise(("    layer = copy.deepcopy(layer)\n",
               "    before = copy.deepcopy(layer.state_dict())\n"),
              ("    return float", "    layer.load_state_dict(before)\n"
                                   "    return float")),
    ],
    "the mode that the layer came in": [noise(("    layer.train()\n", ""))],
    "changed the layer that was given": [
        noise(("    layer = copy.deepcopy(layer)\n", "")),
    ],
    "the batches in eval mode": [
        noise(("    squares = []\n", "    squares = []\n    layer.eval()\n")),
    ],
    "no training mode at all": [
        noise(("    layer.train()\n", "    layer.eval()\n")),
    ],
    "compared with eval mode": [
        noise(("layer.train()\n", "layer.eval()\n"),
              ("    squares = []\n", "    squares = []\n    layer.train()\n")),
        noise(("layer.train()\n    whole = layer(x).detach().numpy()",
               "whole = layer.eval()(x).detach().numpy()\n    layer.train()")),
    ],
    "compared with the input": [
        noise(("whole = layer(x).detach().numpy()", "whole = x.numpy()")),
    ],
    "an incomplete batch counted": [
        noise(("range(0, len(x) - size + 1, size)", "range(0, len(x), size)"),
              ("np.mean(squares)", "np.mean(np.concatenate(squares))")),
    ],
    "the mean size of the differences": [
        noise(("squares.append((own - whole[start : start + size]) ** 2)",
               "squares.append(abs(own - whole[start : start + size]))"),
              ("np.sqrt(np.mean(squares))", "np.mean(squares)")),
    ],
    "the root forgotten": [noise(("np.sqrt(np.mean(squares))", "np.mean(squares)"))],
}  # fmt: skip

# --- 5 fold_net


def right_with_identities(net):
    net = copy.deepcopy(net)
    for i in range(1, len(net)):
        norm, before = net[i], net[i - 1]
        if not isinstance(norm, BatchNorm) or not hasattr(before, "weight"):
            continue
        std = (norm.running_var + norm.eps).sqrt()
        factor = norm.weight / std
        old = torch.zeros_like(norm.bias) if before.bias is None else before.bias
        new = factor * (old - norm.running_mean) + norm.bias
        shape = [len(factor)] + [1] * (before.weight.dim() - 1)
        before.weight.data = before.weight.data * factor.data.reshape(shape)
        before.bias = nn.Parameter(new.detach())
        net[i] = nn.Identity()
    return net


def folded(*slips):
    return changed(right_with_identities, *slips)


FOLDED = {
    "folded across an activation": [
        folded(
            (
                "norm, before = net[i], net[i - 1]",
                "norm, before = net[i], net[i - 1]\n"
                "        if isinstance(before, nn.ReLU):\n"
                "            before = net[i - 2]",
            )
        ),
    ],
    "the old bias forgotten": [
        folded(("factor * (old - norm.running_mean)", "factor * -norm.running_mean")),
    ],
    "the old bias not scaled": [
        folded(
            ("factor * (old - norm.running_mean)", "old - factor * norm.running_mean")
        ),
    ],
    "the running mean forgotten": [
        folded(("factor * (old - norm.running_mean)", "factor * old")),
    ],
    "beta forgotten": [folded((" + norm.bias", ""))],
    "gamma forgotten": [folded(("norm.weight / std", "1 / std"))],
    "a layer without bias not expected": [
        folded(
            (
                "torch.zeros_like(norm.bias) if before.bias is None else before.bias",
                "before.bias",
            )
        ),
    ],
    "scaled along the inputs": [
        folded(
            (
                "shape = [len(factor)] + [1] * (before.weight.dim() - 1)",
                "shape = [1, len(factor)] + [1] * (before.weight.dim() - 2)",
            )
        ),
        folded((".reshape(shape)", "")),
    ],
    "convolutions scaled like matrices": [
        folded((".reshape(shape)", "[:, None]")),
    ],
    "divided by the variance": [folded((".sqrt()", ""))],
    "eps forgotten": [folded(("(norm.running_var + norm.eps)", "norm.running_var"))],
    "not recognized as norms": [
        folded(("isinstance(norm, BatchNorm)", "isinstance(norm, nn.BatchNorm1d)")),
    ],
    "norms left in the net": [folded(("        net[i] = nn.Identity()\n", ""))],
    "changed the net that was given": [folded(("copy.deepcopy(net)", "net"))],
}

# --- 6 adapt


def right_with_shares(net, batches):
    net = copy.deepcopy(net)
    norms = [m for m in net.modules() if isinstance(m, BatchNorm)]
    before = {norm: norm.momentum for norm in norms}
    net.train()
    with torch.no_grad():
        for number, batch in enumerate(batches, 1):
            for norm in norms:
                norm.momentum = 1 / number
            net(batch)
    for norm in norms:
        norm.momentum = before[norm]
    net.eval()
    return net


def adapted(*slips):
    return changed(right_with_shares, *slips)


RESET = "norm.num_batches_tracked.zero_()"
ADAPTED = {
    "the old batches counted as well": [
        changed(published.adapt_net, (RESET, "pass")),
        adapted(("1 / number", "1 / (number + 7)")),
    ],
    "momentum left as it was": [
        adapted(("                norm.momentum = 1 / number\n",
                 "                pass\n")),
    ],
    "only the last batch counted": [adapted(("1 / number", "1.0"))],
    "only the first batch sent through": [
        adapted(("enumerate(batches, 1)", "enumerate(batches[:1], 1)")),
    ],
    "sent through in eval mode": [adapted(("    net.train()\n", "    net.eval()\n"))],
    "left in training mode": [adapted(("    net.eval()\n", ""))],
    "momentum not put back": [
        changed(published.adapt_net,
                ("        norm.momentum = momentum\n", "        pass\n")),
    ],
    "momentum set to 0.1": [
        adapted(("norm.momentum = before[norm]", "norm.momentum = 0.1")),
    ],
    "only the outermost layers looked at": [
        adapted(("net.modules()", "net")),
        changed(published.adapt_net, ("net.modules()", "net")),
    ],
    "changed the net that was given": [adapted(("copy.deepcopy(net)", "net"))],
}  # fmt: skip

# --- 7 prune


def right_built_anew(net, share):
    layers, gone = list(net), {}
    norms = [layer for layer in layers if isinstance(layer, BatchNorm)]
    ranked = sorted(
        (abs(g), n, i)
        for n, m in enumerate(norms)
        for i, g in enumerate(m.weight.tolist())
    )
    for _, n, i in ranked[: int(share * len(ranked))]:
        gone.setdefault(n, set()).add(i)
    inputs = list(range(layers[0].in_features))
    constant, built = None, []
    for n, old in enumerate(layers[::3]):
        norm = norms[n] if n < len(norms) else None
        rows = list(range(old.out_features))
        if norm is not None:
            sizes = norm.weight.abs().tolist()
            floor = sizes.index(max(sizes))
            rows = [i for i in rows if i not in gone.get(n, ()) or i == floor]
        new = nn.Linear(len(inputs), len(rows)).to(old.weight.dtype)
        bias = (
            old.bias.data
            if constant is None
            else old.bias.data + old.weight.data @ constant
        )
        new.weight.data, new.bias.data = old.weight.data[rows][:, inputs], bias[rows]
        built.append(new)
        if norm is not None:
            small = BatchNorm(len(rows), norm.eps, norm.momentum).to(old.weight.dtype)
            small.load_state_dict(
                {k: v[rows] if v.dim() else v for k, v in norm.state_dict().items()}
            )
            built += [small, nn.ReLU()]
            constant = norm.bias.data.clamp(min=0)
            constant[rows] = 0
            inputs = rows
    return nn.Sequential(*built)


def pruned(*slips):
    return changed(right_built_anew, *slips)


PRUNED = {
    "a threshold for each layer": [
        pruned(("    for _, n, i in ranked[: int(share * len(ranked))]:\n",
                "    for n, m in enumerate(norms):\n"
                "        gone[n] = set(m.weight.abs().argsort().tolist()"
                "[: int(share * len(m.weight))])\n"
                "    for _, n, i in []:\n")),
    ],
    "what a removed unit still says forgotten": [
        pruned(("            constant[rows] = 0\n",
                "            constant[:] = 0\n")),
    ],
    "beta handed on without its ReLU": [pruned((".clamp(min=0)", ".clone()"))],
    "ranked by gamma with its sign": [
        changed(published.prune_net,
                ("torch.cat([net[i].weight.abs() for i in norms])",
                 "torch.cat([net[i].weight for i in norms])"),
                ("norm.weight.abs() >= sizes", "norm.weight >= sizes"),
                ("norm.weight.abs().argmax()", "norm.weight.argmax()")),
    ],
    "the largest gammas removed": [
        pruned(("(abs(g), n, i)", "(-abs(g), n, i)"),
               ("sizes.index(max(sizes))", "sizes.index(min(sizes))")),
    ],
    "the number of units rounded": [
        pruned(("int(share * len(ranked))", "round(share * len(ranked))")),
    ],
    "a layer lost all its units": [pruned((" or i == floor]", "]"))],
    "changed the net that was given": [
        changed(published.prune_net, ("copy.deepcopy(net)", "net")),
    ],
}  # fmt: skip

RIGHT = {
    "forward_and_backward": [
        published.forward_and_backward,
        right_by_autograd,
        right_channel_by_channel,
    ],
    "batch_norm_layer": [BatchNorm, RightByTorch, RightFlat],
    "fewest_steps": [published.fewest_steps, right_with_an_optimizer],
    "batch_noise": [published.batch_noise, right_noise_by_rows],
    "fold_net": [published.fold_net, right_with_identities],
    "adapt_net": [published.adapt_net, right_with_shares],
    "prune_net": [published.prune_net, right_built_anew],
}
MUTANTS = {
    "forward_and_backward": STAGED,
    "batch_norm_layer": LAYER,
    "fewest_steps": FEWEST,
    "batch_noise": NOISE,
    "fold_net": FOLDED,
    "adapt_net": ADAPTED,
    "prune_net": PRUNED,
}
