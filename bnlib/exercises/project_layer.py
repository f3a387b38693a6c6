"""Steps 1 and 2 of the project: the arithmetic in NumPy, and the layer as a module."""

# torch is imported by the functions, never at the top: this file is loaded together
# with the first chapters, which must run where there is no torch.
import copy
from functools import cache, partial
from importlib import import_module

import numpy as np

from bnlib.exercises.engine.compare import describe
from bnlib.exercises.engine.exercise import Case, Exercise, Misconception, Unfit


def published(name):
    """Return a function that calls a published answer, which needs torch.

    Parameters
    ----------
    name : str
        Of a function or class in ``bnlib.exercises.my_batch_norm``.

    Returns
    -------
    callable
        Hands its arguments on.
    """

    def answer(*args, **options):
        module = import_module("bnlib.exercises.my_batch_norm")
        return getattr(module, name)(*args, **options)

    return answer


# --- step 1 ---------------------------------------------------------------------------


def _staged(
    x,
    gamma,
    beta,
    eps,
    d_y,
    *,
    ddof=0,
    positions=True,
    through_mean=1,
    through_var=1,
    scaled=True,
    by_rows=False,
    along_last=False,
    power=3,
    swapped=False,
    inside=True,
):
    axes = (0, *range(2, x.ndim)) if positions else (0,)
    count = len(x) if by_rows else x.size / x.shape[1]
    wide = (-1,) if along_last else (1, -1, *[1] * (x.ndim - 2))
    centered = x - x.mean(axes, keepdims=True)
    var = x.var(axes, keepdims=True, ddof=ddof)
    std = np.sqrt(var + eps) if inside else np.sqrt(var) + eps
    x_hat = centered / std
    y = gamma.reshape(wide) * x_hat + beta.reshape(wide)
    sums = (d_y * x_hat).sum(axes), d_y.sum(axes)
    d_x_hat = (gamma.reshape(wide) if scaled else 1) * d_y
    d_var = -0.5 * (d_x_hat * centered / std**power).sum(axes, keepdims=True)
    d_mean = -(d_x_hat / std).sum(axes, keepdims=True)
    d_x = d_x_hat / std + through_mean * d_mean / count
    d_x = d_x + through_var * d_var * 2 * centered / count
    by_channel = [
        v.reshape(v.shape[1:]) if not positions else v.ravel() for v in (d_var, d_mean)
    ]
    return y, *(sums[::-1] if swapped else sums), d_x_hat, *by_channel, d_x


def _staged_cases():
    # As many columns as channels, so that NumPy broadcasts a mistake without a word.
    rng = np.random.default_rng(121)

    def case(*shape, eps):
        x, d_y = rng.normal(3.0, 2.0, size=shape), rng.normal(size=shape)
        gamma, beta = rng.uniform(0.5, 2.0, shape[1]), rng.normal(size=shape[1])
        return Case((x, gamma, beta, eps, d_y), f"x of shape {shape}, eps={eps:g}")

    return [
        case(6, 3, eps=1e-5),
        case(4, 3, 2, 3, eps=1e-5),
        case(5, 2, eps=0.5),
        case(3, 2, 4, eps=0.1),
    ]


FORWARD_AND_BACKWARD = Exercise(
    number="P.1",
    name="forward_and_backward",
    title="Forward, and back stage by stage",
    signature="forward_and_backward(x, gamma, beta, eps, d_y)",
    reference=_staged,
    cases=_staged_cases,
    outputs=("y", "d_gamma", "d_beta", "d_x_hat", "d_var", "d_mean", "d_x"),
    why=(
        "Each stage hands its gradient to the one before it, and the mean reaches d_x "
        "by both ways: of itself, and as a part of the variance, where it adds nothing."
    ),
    misconceptions=(
        Misconception(
            "the way through the mean forgotten",
            "x also moves its mean, and with it every x_hat of the channel. Each value "
            "gets d_mean / M on top, M being the values per channel.",
            wrong=partial(_staged, through_mean=0),
        ),
        Misconception(
            "the way through the variance forgotten",
            "x also moves its variance. Each value gets d_var * 2 * (x - mean) / M on "
            "top, M being the values per channel.",
            wrong=partial(_staged, through_var=0),
        ),
        Misconception(
            "the variance counted with the wrong sign",
            "A larger variance makes x_hat smaller: the derivative of 1 / std is "
            "negative, and the minus belongs into d_var once.",
            wrong=partial(_staged, through_var=-1),
        ),
        Misconception(
            "gamma forgotten on the way back",
            "The last stage is y = gamma * x_hat + beta, so its gradient is d_x_hat = "
            "gamma * d_y. All stages before it are multiplied with gamma, too.",
            wrong=partial(_staged, scaled=False),
        ),
        Misconception(
            "divided by the number of rows",
            "A mean over images is over N * H * W values, so each of them moves it by "
            "one part in N * H * W, not in N.",
            wrong=partial(_staged, by_rows=True),
        ),
        Misconception(
            "gamma and beta along the last axis",
            "NumPy lines up shapes from the right, so a gamma of shape (C,) meets the "
            "width of an image. Reshape both to (1, C, 1, ...), as many axes as x has.",
            wrong=partial(_staged, along_last=True),
        ),
        Misconception(
            "a statistic for every position",
            "axis=0 alone treats each pixel as a feature of its own. All axes but the "
            "channels' belong to the means, and to the sums of the backward pass.",
            wrong=partial(_staged, positions=False),
        ),
        Misconception(
            "written for (N, C) alone",
            "With more axes a channel's values lie along all axes but the second: "
            "average over (0, *range(2, x.ndim)), divide by all of them, and reshape "
            "gamma and beta.",
            wrong=partial(_staged, positions=False, by_rows=True, along_last=True),
        ),
        Misconception(
            "d_gamma and d_beta exchanged",
            "beta is added, so d_beta is the plain sum of d_y; gamma is a factor of "
            "x_hat, so d_gamma is the sum of d_y * x_hat.",
            wrong=partial(_staged, swapped=True),
        ),
        Misconception(
            "the power of the standard deviation in d_var",
            "1 / std is var + eps to the power -1/2. Its derivative is -1/2 times the "
            "power -3/2: one over the third power of std.",
            wrong=partial(_staged, power=2),
        ),
        Misconception(
            "variance divided by M - 1",
            "The batch is described, so its variance is divided by the number of "
            "values M, forward and backward.",
            wrong=partial(_staged, ddof=1),
        ),
        Misconception(
            "eps beside the standard deviation",
            "eps belongs under the root, sqrt(var + eps), and stays there in all "
            "powers of the backward pass.",
            wrong=partial(_staged, inside=False),
        ),
    ),
    hints=(
        "Write the forward pass as stages with a name each: centered, var, std, x_hat, "
        "y. For any number of axes, average over (0, *range(2, x.ndim)), and reshape "
        "gamma and beta to (1, C, 1, ...).",
        "Go back one stage at a time: d_x_hat = gamma * d_y; d_var is the sum of "
        "d_x_hat * centered times the derivative of 1 / std; d_mean = -sum(d_x_hat / "
        "std).",
        "x arrives in three places: d_x = d_x_hat / std + d_var * 2 * centered / M + "
        "d_mean / M, where M counts the values of a channel and d_var holds -0.5 / "
        "std**3.",
    ),
)

# --- step 2 ---------------------------------------------------------------------------

_STATISTICS = "running_mean", "running_var", "num_batches_tracked"


@cache
def _of_torch():
    """Return torch.nn's batch norm without its question for the number of axes."""
    from torch.nn.modules.batchnorm import _BatchNorm

    class BatchNormOfTorch(_BatchNorm):
        def _check_input_dim(self, x):
            pass

    return BatchNormOfTorch


def _torch_layer(num_features, eps=1e-5, momentum=0.1):
    return _of_torch()(num_features, eps=eps, momentum=momentum)


def _made(answer, channels, eps, momentum, x):
    """Return a layer of the learner's in float64, with gammas and betas of its own."""
    import torch
    from torch import nn

    if isinstance(answer, nn.Module):
        raise Unfit(
            "You handed in a layer, and asked is its class, of which the cases make "
            "their own: BatchNorm, without brackets."
        )
    layer = answer(channels, eps, momentum)
    if layer is ...:
        raise NotImplementedError
    if layer is None:
        raise Unfit("Your function returned None; is a `return` missing?")
    if not isinstance(layer, nn.Module):
        raise Unfit(
            f"Your result is {describe(layer)}, expected a layer; derive your class "
            "from nn.Module."
        )
    if not hasattr(layer, "weight"):
        _output(layer, x)  # perhaps a starter
        raise Unfit(
            "Your layer has no weight. Name gamma and beta weight and bias, as "
            "torch.nn does, and make both of them nn.Parameter."
        )
    layer = layer.to(x.dtype)
    with torch.no_grad():
        layer.weight.copy_(torch.linspace(0.5, 1.5, channels))
        layer.bias.copy_(torch.linspace(-1.0, 2.0, channels))
    return layer


def _output(layer, x):
    import torch

    y = layer(x)
    if y is ...:
        raise NotImplementedError
    if not torch.is_tensor(y):
        raise Unfit(f"Your layer puts out {describe(y)}, expected a tensor.")
    return y


def _train(layer, batches):
    """Pass the batches with a backward pass each; return the last output and d_x."""
    import torch

    for number, x in enumerate(batches):
        if number and any(_remembers(layer, name) for name in _STATISTICS[:2]):
            raise Unfit(
                "After one batch your running statistics still know how they were "
                "computed (requires_grad is True): deepcopy fails, and memory grows "
                "from batch to batch. Store detached values."
            )
        x = x.clone().requires_grad_()
        layer.zero_grad()
        y = _output(layer, x)
        push = torch.linspace(-1.0, 1.0, y.numel(), dtype=y.dtype).sin().view_as(y)
        (y * y.detach() * push).sum().backward()
    return y, x.grad


def _try_layer(answer, what, batches, new, eps, momentum):
    """Return what a layer does: its outputs, gradients and statistics."""
    import torch

    x, new = torch.tensor(batches), torch.tensor(new)
    if what == "autocast":
        return _in_autocast(answer, x, eps, momentum)
    layer = _made(answer, x.shape[2], eps, momentum, x[0])
    if what in ("taken", "given"):
        layer = _state_moved(layer, what, x, eps, momentum)
    elif what == "copied":
        _train(layer, x[:1])
        other = copy.deepcopy(layer)
        _train(other, 5 * x)  # must leave the layer alone
    y, d_x = _train(layer, x)
    gradients = layer.weight.grad, layer.bias.grad
    in_eval = _output(layer.eval(), new)
    _output(layer, 10 * new)  # must leave no trace
    statistics = tuple(_statistics(layer))
    kind = _kind(statistics[-1])
    return y, str(y.dtype), in_eval, *statistics, kind, d_x, *gradients


def _kind(count):
    return "a float" if count.is_floating_point() else "an integer"


def _remembers(layer, name):
    return getattr(getattr(layer, name, None), "requires_grad", False)


def _statistics(layer):
    import torch

    for name in _STATISTICS:
        value = getattr(layer, name, None)
        if value is None:
            raise Unfit(
                f"Your layer has no {name}. torch.nn has the buffers running_mean, "
                "running_var and num_batches_tracked."
            )
        yield torch.as_tensor(value).detach().clone()  # passes in eval mode follow


def _state_moved(layer, what, x, eps, momentum):
    """Hand the state of a trained layer over, from torch.nn's or to it."""
    torchs = _made(_torch_layer, x.shape[2], eps, momentum, x[0])
    old, new = (torchs, layer) if what == "taken" else (layer, torchs)
    _train(old, 2 * x)
    new.load_state_dict(old.state_dict())
    return new


def _in_autocast(answer, x, eps, momentum):
    """As above, in bfloat16; what is equal to its rounding is made equal."""
    import torch

    results = []
    for make in (_torch_layer, answer):
        layer = _made(make, x.shape[2], eps, momentum, x[0].float())
        with torch.autocast("cpu", dtype=torch.bfloat16):
            y = _output(layer, x[0].bfloat16())
        values = [y, *_statistics(layer)]
        kind = _kind(values[-1])
        in_eval = _output(layer.eval(), x[0].bfloat16())
        results.append([y.dtype, in_eval, *values])
    (_, *wants), (dtype, *gots) = results
    in_eval, y, *statistics = map(_snapped, gots, wants, (2e-2, 2e-2, 1e-4, 1e-4, 0))
    nothing = torch.zeros(1)
    return y, str(dtype), in_eval, *statistics, kind, nothing, nothing, nothing


def _snapped(got, want, tolerance):
    got, want = got.detach().double(), want.detach().double()
    if got.shape != want.shape:
        return got
    near = (got - want).abs() <= tolerance * (1 + want.abs())
    return want.where(near, got)


@cache
def _flawed_class():
    """Return a batch norm whose flaws are switches."""
    import torch
    from torch import nn

    class Flawed(nn.Module):
        def __init__(self, num_features, eps, momentum, flaws):
            super().__init__()
            self.eps, self.momentum, self.flaws = eps, momentum, flaws
            gamma, beta = torch.ones(num_features), torch.zeros(num_features)
            self.weight, self.bias = nn.Parameter(gamma), nn.Parameter(beta)
            count = torch.tensor(0.0 if flaws["float count"] else 0)
            start = torch.zeros(num_features), torch.ones(num_features), count
            for name, value in zip(_STATISTICS, start, strict=True):
                if flaws["plain"]:
                    setattr(self, name, value)
                else:
                    self.register_buffer(name, value)

        def forward(self, x):
            flaws = self.flaws
            z = x if flaws["half"] or flaws["half refused"] else x.to(self.weight.dtype)
            axes = tuple(flaws["axes"] or (0, *range(2, x.ndim)))
            wide = 1, -1, *[1] * (x.ndim - 2)
            mean, var = z.mean(axes), self.variance(z, axes)
            if flaws["no gradient"]:
                mean, var = mean.detach(), var.detach()
            if self.training or flaws["always tracked"]:
                rows = flaws["rows"]
                self.track(mean, var, len(x) if rows else x.numel() // x.shape[1])
            elif flaws["counted in eval"]:
                self.num_batches_tracked += 1
            by_batch = self.training or flaws["batch in eval"]
            if not by_batch or flaws["running in training"]:
                mean, var = self.running_mean, self.running_var
            beside = self.eps if flaws["eps outside"] else 0
            std = (var + self.eps - beside).sqrt() + beside
            x_hat = (z - mean.view(wide)) / std.view(wide)
            y = x_hat * self.weight.view(wide) + self.bias.view(wide)
            return y if flaws["wide output"] else y.to(x.dtype)

        def variance(self, z, axes):
            if self.flaws["one pass"]:
                return z.square().mean(axes) - z.mean(axes).square()
            return z.var(axes, correction=self.flaws["used"])

        def track(self, mean, var, count):
            flaws = self.flaws
            if not flaws["uncounted"]:
                self.num_batches_tracked = self.num_batches_tracked + 1
            new = self.momentum
            if new is None and not flaws["none unknown"]:
                new = 1 / max(self.num_batches_tracked.item() + flaws["late"], 1)
            new = 1 - new if flaws["swapped"] else new
            if flaws["first copied"] and self.num_batches_tracked == 1:
                new = 1.0
            if flaws["half refused"] and mean.dtype != self.running_mean.dtype:
                raise RuntimeError("a buffer of another dtype")
            unbiased = (count - flaws["used"]) / (count - flaws["stored"])
            if not flaws["graph"]:
                mean, var = mean.detach(), var.detach()
            self.running_mean = (1 - new) * self.running_mean + new * mean
            self.running_var = (1 - new) * self.running_var + new * var * unbiased

    return Flawed


_FLAWLESS = {
    "used": 0,
    "stored": 1,
    "axes": (),
} | dict.fromkeys(
    (
        "always tracked",
        "batch in eval",
        "counted in eval",
        "eps outside",
        "first copied",
        "float count",
        "graph",
        "half",
        "half refused",
        "late",
        "no gradient",
        "none unknown",
        "one pass",
        "plain",
        "rows",
        "running in training",
        "swapped",
        "uncounted",
        "wide output",
    ),
    False,
)


def _flawed(num_features, eps=1e-5, momentum=0.1, **flaws):
    found = _FLAWLESS | {name.replace("_", " "): flaw for name, flaw in flaws.items()}
    return _flawed_class()(num_features, eps, momentum, found)


def _layer_cases():
    rng = np.random.default_rng(122)

    def case(what, note, *shape, steps=2, eps=1e-5, momentum=0.1, offset=3.0):
        batches = rng.normal(offset, 2.0, size=(steps, *shape))
        # Unlike channels and unlike batches, so that nothing is the same by chance.
        batches += np.arange(shape[1]).reshape(-1, *[1] * (len(shape) - 2))
        batches *= 1 + 0.2 * np.arange(steps).reshape(-1, *[1] * len(shape))
        new = rng.normal(offset, 3.0, size=shape)
        note = f"{note}, x of shape {shape}"
        return Case((what, batches, new, eps, momentum), note)

    return [
        case("trained", "one batch, eps=0.1", 6, 4, steps=1, eps=0.1, momentum=0.3),
        case("trained", "two batches", 4, 3, 2, 3),
        case("trained", "ten batches", 5, 2, 4, steps=10),
        case(
            "trained",
            "ten batches, momentum=None",
            3,
            2,
            2,
            2,
            3,
            steps=10,
            momentum=None,
        ),
        case("taken", "load_state_dict with torch.nn's state", 6, 3),
        case("given", "its state_dict loaded by torch.nn's layer", 6, 3),
        case("copied", "trained on after a deepcopy", 6, 3),
        case("autocast", "bfloat16 under autocast", 64, 3, 2, 2, steps=1),
        case("trained", "values around 10 million", 8, 2, steps=1, offset=1e7),
    ]


LAYER = Exercise(
    number="P.2",
    name="batch_norm_layer",
    title="The layer",
    signature="BatchNorm(num_features, eps=1e-5, momentum=0.1)",
    reference=_torch_layer,
    drive=_try_layer,
    given=("what", "batches", "new", "eps", "momentum"),
    cases=_layer_cases,
    outputs=(
        "the output in training",
        "the dtype of the output",
        "the output in eval mode",
        *_STATISTICS,
        "the kind of num_batches_tracked",
        "the gradient of x",
        "the gradient of weight",
        "the gradient of bias",
    ),
    atol=1e-7,
    why=(
        "In training the batch is described, with gradients; what is remembered is an "
        "estimate for all data, without any; in eval mode nothing is written."
    ),
    misconceptions=(
        Misconception(
            "the biased variance stored",
            "The batch is normalized with the variance divided by M, but running_var "
            "gets the one divided by M - 1: it estimates the variance of all data.",
            wrong=partial(_flawed, stored=0),
        ),
        Misconception(
            "the unbiased variance used in training",
            "torch.var divides by M - 1 unless it is told correction=0. The batch is "
            "normalized with the variance divided by M.",
            wrong=partial(_flawed, used=1),
        ),
        Misconception(
            "momentum the wrong way round",
            "In torch.nn momentum is the weight of the new batch: running = (1 - "
            "momentum) * running + momentum * new.",
            wrong=partial(_flawed, swapped=True),
        ),
        Misconception(
            "statistics written in eval mode",
            "Only training moves the running statistics. In eval mode the layer leaves "
            "no trace, or a test set would change the net.",
            wrong=partial(_flawed, always_tracked=True),
        ),
        Misconception(
            "batch statistics in eval mode",
            "In eval mode an example must not depend on its batch: use running_mean "
            "and running_var if self.training is False.",
            wrong=partial(_flawed, batch_in_eval=True),
        ),
        Misconception(
            "running statistics in training",
            "In training the batch is normalized with its own mean and variance. The "
            "running ones are only for eval mode.",
            wrong=partial(_flawed, running_in_training=True),
        ),
        Misconception(
            "momentum=None not understood",
            "None asks for the plain average of all batches: the weight of the new one "
            "is 1 / num_batches_tracked, counted with this batch.",
            wrong=partial(_flawed, none_unknown=True),
        ),
        Misconception(
            "weights of 1 / (n + 1)",
            "With momentum=None the first batch replaces the start values: its weight "
            "is 1. Count it in num_batches_tracked, then divide 1 by that count.",
            wrong=partial(_flawed, late=True),
        ),
        Misconception(
            "the rows taken for M",
            "running_var is corrected with M / (M - 1), and M counts all values of a "
            "channel: x.numel() / x.shape[1], in images N * H * W.",
            wrong=partial(_flawed, rows=True),
        ),
        Misconception(
            "eval passes counted",
            "num_batches_tracked counts batches in training. In eval mode the layer "
            "leaves no trace.",
            wrong=partial(_flawed, counted_in_eval=True),
        ),
        Misconception(
            "statistics that keep their graph",
            "running_mean and running_var must not remember how they were computed: "
            "detach what is stored, or deepcopy fails and memory grows.",
            wrong=partial(_flawed, graph=True),
        ),
        Misconception(
            "no gradient through the statistics",
            "Mean and variance depend on x, so the gradient goes through them. Detach "
            "only what is stored, not what x is normalized with.",
            wrong=partial(_flawed, no_gradient=True),
        ),
        Misconception(
            "statistics that are no buffers",
            "A plain attribute is neither in state_dict() nor moved by .to(). Use "
            "self.register_buffer for all three.",
            wrong=partial(_flawed, plain=True),
        ),
        Misconception(
            "batches not counted",
            "num_batches_tracked counts the batches in training. With momentum=None "
            "the weight of a new batch depends on it.",
            wrong=partial(_flawed, uncounted=True),
        ),
        Misconception(
            "the count kept as a float",
            "num_batches_tracked counts, and torch.nn keeps it as an integer: "
            "torch.tensor(0), not torch.tensor(0.0) or torch.zeros(()).",
            wrong=partial(_flawed, float_count=True),
        ),
        Misconception(
            "first batch copied",
            "The running statistics start at 0 and 1 and move by momentum from the "
            "first batch on. torch.nn does not copy it.",
            wrong=partial(_flawed, first_copied=True),
        ),
        Misconception(
            "a statistic for every position",
            "dim=0 alone makes a mean for each position. All axes but the channels' "
            "belong to it: (0, *range(2, x.ndim)).",
            wrong=partial(_flawed, axes=(0,)),
        ),
        Misconception(
            "written for images only",
            "dim=(0, 2, 3) fits 4-D inputs alone. Take all axes but the channels', "
            "(0, *range(2, x.ndim)), and shape weight and bias to x.ndim.",
            wrong=partial(_flawed, axes=(0, 2, 3)),
        ),
        Misconception(
            "eps beside the standard deviation",
            "eps is added to the variance, under the root: sqrt(var + eps).",
            wrong=partial(_flawed, eps_outside=True),
        ),
        Misconception(
            "one-pass variance",
            "Far from zero E[x^2] - E[x]^2 subtracts two nearly equal numbers. Take "
            "the mean of (x - mean)^2, as torch.var does.",
            wrong=partial(_flawed, one_pass=True),
        ),
        Misconception(
            "autocast not thought of",
            "Under autocast x comes in bfloat16 and the parameters are float32. "
            "Compute in z = x.to(self.weight.dtype), and return the output in the "
            "dtype of x.",
            wrong=partial(_flawed, half=True, wide_output=True),
        ),
        Misconception(
            "statistics in half precision",
            "Under autocast x comes in bfloat16, which has three digits. Convert x to "
            "the dtype of the parameters before taking mean and variance.",
            wrong=partial(_flawed, half=True),
        ),
        Misconception(
            "bfloat16 not expected",
            "Under autocast x comes in bfloat16 while parameters and buffers are "
            "float32, and not every operation takes both. Convert x first, with "
            "x.to(self.weight.dtype).",
            wrong=partial(_flawed, half_refused=True),
        ),
        Misconception(
            "float32 put out under autocast",
            "What comes in as bfloat16 goes out as bfloat16: convert the output back "
            "to the dtype of x.",
            wrong=partial(_flawed, wide_output=True),
        ),
    ),
    hints=(
        "Parameters: weight of ones, bias of zeros. Buffers, with register_buffer: "
        "running_mean of zeros, running_var of ones, num_batches_tracked, a tensor 0. "
        "These names make its state fit torch.nn's.",
        "In training: mean and var of the batch with correction=0, and detached copies "
        "move the buffers, var times M / (M - 1). In eval mode: the buffers. Then "
        "normalize, scale and shift, shaped (1, C, 1, ...).",
        "For autocast compute in z = x.to(self.weight.dtype) and return y.to(x.dtype). "
        "With momentum=None the weight of the new batch is 1 / "
        "self.num_batches_tracked.item(), after counting it.",
    ),
)

EXERCISES = (FORWARD_AND_BACKWARD, LAYER)
