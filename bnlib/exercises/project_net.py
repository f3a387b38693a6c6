"""Steps 3 to 7 of the project: nets with the learner's own layer in them.

Each step is tried with the class ``BatchNorm`` that stands where the answer was
written, if it passes step 2, and otherwise with the published one.
"""

import copy
import inspect
import math
from functools import partial
from weakref import WeakKeyDictionary

import numpy as np

from bnlib.exercises.engine.checker import diagnose
from bnlib.exercises.engine.compare import describe, snapshot
from bnlib.exercises.engine.exercise import Case, Exercise, Misconception, Unfit
from bnlib.exercises.engine.state import state
from bnlib.exercises.project_layer import LAYER, published

_judged = WeakKeyDictionary()  # a class: what step 2 says about it


def _own_layer(answer):
    """Return the class BatchNorm that an answer would use, and its verdict."""
    while isinstance(answer, partial):
        answer = answer.func
    names = getattr(inspect.unwrap(answer), "__globals__", {})
    layer = names.get("BatchNorm")
    if not isinstance(layer, type):
        return published("BatchNorm"), "right"
    if layer not in _judged:
        _judged[layer] = diagnose(LAYER, layer, None).status
    status = _judged[layer]
    return layer if status == "right" else published("BatchNorm"), status


def _with_layer(answer, use):
    """Return ``use(layer)``, with the layer of the learner's where it is right.

    PyTorch's default dtype is float64 meanwhile, as on the page: a verdict on a rate
    1 / n that becomes a tensor would depend on where the file is loaded.
    """
    import torch

    layer, status = _own_layer(answer)
    problem = Unfit(
        "This step is tried with nets that contain your layer, and your BatchNorm does "
        "not pass step 2 yet. Mend it there, or take BatchNorm = published.BatchNorm "
        "in a cell of its own."
    )
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        result = use(layer)
    except NotImplementedError:  # a starter
        raise
    except Exception:
        if status == "not yet":
            raise problem from None
        raise
    finally:
        torch.set_default_dtype(default)
    if status == "not yet" and result is not ...:
        raise problem
    return result


def _flaw(answer, flag, name, why):
    """Return the misconception that an answer shows with one of its flags set."""
    return Misconception(name, why, wrong=partial(answer, **{flag: True}))


def _started(seed, make):
    """Return a net in float64 whose first weights come from a seed alone."""
    import torch

    default = torch.get_default_dtype()  # the generator draws by dtype
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        torch.set_default_dtype(torch.float32)
        try:
            return make().double()
        finally:
            torch.set_default_dtype(default)


def _seeded(seed, make):
    """Return a net as above, with statistics and parameters as after a training."""
    import torch

    net = _started(seed, make)
    generator = torch.Generator().manual_seed(seed)
    for layer in _norms(net):
        layer.running_mean.normal_(0.5, 1.0, generator=generator)
        layer.running_var.uniform_(0.3, 3.0, generator=generator)
        layer.num_batches_tracked.fill_(7)
        layer.weight.data.normal_(0.0, 1.0, generator=generator)
        layer.bias.data.normal_(0.5, 1.0, generator=generator)
    return net


def _norms(net):
    return [layer for layer in net.modules() if hasattr(layer, "running_mean")]


def _a_net(result):
    from torch import nn

    if result is ...:
        raise NotImplementedError
    if result is None:
        raise Unfit("Your function returned None; is a `return` missing?")
    if not isinstance(result, nn.Module):
        raise Unfit(f"Your result is {describe(result)}, expected a net.")
    return result


def _afterwards(given, before):
    return "as it was" if state(given) == before else "changed"


_KEPT_BACK = "changed the net that was given"


def _untouched(what, flaw):
    return Misconception(
        _KEPT_BACK,
        f"Whoever called your function still needs {what}. Work on a copy: "
        "copy.deepcopy makes one, with parameters and buffers.",
        wrong=flaw,
    )


# --- step 3 ---------------------------------------------------------------------------


def _steps_to(net, x, y, lr, target, most, flaws):
    from torch.nn import functional as F

    most -= "one_too_few" in flaws
    for step in range(most + 1):
        loss = F.cross_entropy(net(x), y)
        judged = F.cross_entropy(_as_in_use(net)(x), y) if "eval" in flaws else loss
        reached = not judged > target if "NaN" in flaws else judged <= target
        reached = judged < target if "below" in flaws else reached
        if reached:
            return step + ("from_one" in flaws)
        if step and "momentum" in flaws:
            for p in net.parameters():
                p.grad *= 0.9
        elif "added_up" not in flaws:
            net.zero_grad()
        loss.backward()
        for p in net.parameters():
            p.data -= lr * p.grad
    return most if "most_for_never" in flaws else math.inf


def _as_in_use(net):
    return copy.deepcopy(net).eval()


def _fewest_steps(make_net, x, y, rates, target, most, **flaws):
    net = make_net()
    found = []
    for lr in rates:
        net = net if "one_net" in flaws else make_net()
        found.append((_steps_to(net, x, y, lr, target, most, flaws), lr))
    if "first_rate" in flaws:
        return next((pair for pair in found if pair[0] < math.inf), found[0])
    if "first_of_equals" in flaws:
        return min(found, key=lambda pair: pair[0])
    if "larger_of_equals" in flaws:
        return min(found, key=lambda pair: (pair[0], -pair[1]))
    best = min(found)
    if "no_rate" in flaws and best[0] == math.inf:
        return math.inf, None
    return best[::-1] if "exchanged" in flaws else best


def _try_fewest(answer, net, rates, target, most):
    import torch
    from torch import nn

    rng = np.random.default_rng(123)
    x = torch.tensor(rng.normal(size=(40, 6)) * [2, 1, 1, 1, 1, 0.5] + 0.5)
    y = (x[:, 1:4] - x[:, 2:5]).argmax(1)

    def use(layer):
        def make():
            if net == "solved":
                return _solved(1e6)
            kind = layer if net == "with your layer" else nn.Identity
            norms = [kind(8) for _ in range(2)]
            first, second = nn.Linear(6, 8), nn.Linear(8, 8)
            last = nn.ReLU(), nn.Linear(8, 3)
            return nn.Sequential(first, norms[0], nn.ReLU(), second, norms[1], *last)

        return answer(partial(_started, 3, make), x, y, rates, target, most)

    return _with_layer(answer, use)


def _solved(factor):
    """Return a net whose loss is 0 exactly: its logits are the differences of y."""
    import torch
    from torch import nn

    net, columns = nn.Linear(6, 3, bias=False), torch.eye(6)
    net.weight.data = factor * (columns[1:4] - columns[2:5])
    return net


def _fewest_cases():
    grid, with_layer, without = (0.3, 1.0, 3.0), "with your layer", "without"
    # The short ones first: they tell most misconceptions apart.
    return [
        Case((with_layer, (0.3,), 0.8, 5), "a target that takes all updates"),
        Case((without, (1e160, 0.3), 0.8, 15), "a rate that diverges, one too small"),
        Case(
            ("solved", (1.0, 0.3, 3.0), 0.0, 5),
            "nets that start at the target, a loss of 0",
        ),
        Case((with_layer, grid, 0.8, 15), "nets with your layer"),
        Case((without, grid, 0.8, 15), "the same nets without"),
    ]


FEWEST_STEPS = Exercise(
    number="P.3",
    name="fewest_steps",
    title="Faster, on the same grid",
    signature="fewest_steps(make_net, x, y, rates, target, most)",
    reference=_fewest_steps,
    drive=_try_fewest,
    given=("net", "rates", "target", "most"),
    cases=_fewest_cases,
    outputs=("steps", "rate"),
    why=(
        "Each net is compared at its own best rate of one grid, from the same first "
        "weights. A comparison at one common rate would measure the choice of the rate."
    ),
    misconceptions=(
        Misconception(
            "one net for all rates",
            "The second rate goes on where the first one stopped. Call make_net() for "
            "each rate: it gives a new net with the same first weights.",
            wrong=partial(_fewest_steps, one_net=True),
        ),
        Misconception(
            "below the target instead of at most",
            "The loss is to be at most target, so a loss equal to it has got there: "
            "loss <= target.",
            wrong=partial(_fewest_steps, below=True),
        ),
        Misconception(
            "the first of equal counts",
            "The rates may stand in any order. On equal counts the smaller rate is "
            "asked for: min of the pairs (steps, rate) compares the rates, too.",
            wrong=partial(_fewest_steps, first_of_equals=True),
        ),
        Misconception(
            "the larger rate on equal counts",
            "Of rates with equal counts the smaller one is asked for, which is the "
            "safer one to train on with.",
            wrong=partial(_fewest_steps, larger_of_equals=True),
        ),
        Misconception(
            "no rate where none gets there",
            "If all rates count as infinity, their counts are equal: return math.inf "
            "and the smallest rate. A best that starts at (inf, None) keeps its None.",
            wrong=partial(_fewest_steps, no_rate=True),
        ),
        Misconception(
            "steps with momentum",
            "Plain gradient descent is asked for: p -= lr * p.grad, which is "
            "torch.optim.SGD without momentum. Momentum speeds up small rates most.",
            wrong=partial(_fewest_steps, momentum=True),
        ),
        Misconception(
            "gradients added up",
            "backward() adds to the gradients that are there. Set them to zero before "
            "each step, with net.zero_grad().",
            wrong=partial(_fewest_steps, added_up=True),
        ),
        Misconception(
            "NaN taken for the target",
            "A net that diverges has the loss NaN, and NaN > target is False. Ask for "
            "loss <= target, which is False as well.",
            wrong=partial(_fewest_steps, NaN=True),
        ),
        Misconception(
            "steps counted from one",
            "A net that starts at the target needs 0 updates: look at the loss first, "
            "then count the update.",
            wrong=partial(_fewest_steps, from_one=True),
        ),
        Misconception(
            "the last update not looked at",
            "most updates are allowed, and the loss after the last of them counts: it "
            "is looked at most + 1 times.",
            wrong=partial(_fewest_steps, one_too_few=True),
        ),
        Misconception(
            "the loss in eval mode",
            "Asked is the loss of the batch in training mode. After a few steps the "
            "running statistics still lag far behind it.",
            wrong=partial(_fewest_steps, eval=True),
        ),
        Misconception(
            "the first rate that gets there",
            "All rates are tried, and the one with the fewest steps counts, wherever "
            "in the grid it stands.",
            wrong=partial(_fewest_steps, first_rate=True),
        ),
        Misconception(
            "a number of steps for never",
            "A rate that does not get there within most updates counts as infinity: "
            "most itself would be taken for a success at the last step.",
            wrong=partial(_fewest_steps, most_for_never=True),
        ),
        Misconception(
            "steps and rate exchanged",
            "Both values are right, but the steps come first and the rate second.",
            wrong=partial(_fewest_steps, exchanged=True),
        ),
    ),
    hints=(
        "Write a loop for one rate first: look at the loss, stop if it is at most "
        "target, else step. Then a loop over the rates, with a new net for each.",
        "One step: net.zero_grad(), loss.backward(), and within torch.no_grad() p -= "
        "lr * p.grad for all parameters. The loss is F.cross_entropy(net(x), y).",
        "Make (steps, rate) for each rate, with math.inf where the target is never "
        "reached, and return min(...) of these pairs: on equal steps the smaller rate "
        "wins.",
    ),
)

# --- step 4 ---------------------------------------------------------------------------


def _batch_noise(layer, x, size, *, modes=(True, True), whole_first=False, **flaws):
    import torch

    if "as_given" in flaws:
        modes = layer.training, layer.training
    given, layer = layer, layer if "changed" in flaws else copy.deepcopy(layer)
    given.train("left_training" in flaws or given.training)
    used = len(x) if "incomplete" in flaws else len(x) - len(x) % size

    def whole():
        return x if "input" in flaws else layer.train(modes[1])(x)

    with torch.no_grad():
        first = whole() if whole_first else None
        layer.train(modes[0])
        parts = torch.cat([layer(part) for part in x[:used].split(size)])
        gaps = parts - (first if whole_first else whole())[:used]
    if "mean" in flaws:
        return gaps.abs().mean().item()
    if "square" in flaws:
        return gaps.square().mean().item()
    return gaps.square().mean().sqrt().item()


def _noise_in_modes(result, *args, modes):
    """Say whether the batches or the whole were in eval mode, in either order."""
    found = [
        _try_noise(partial(_batch_noise, modes=modes, whole_first=order), *args)[0]
        for order in (False, True)
    ]
    return np.isclose(result[0], found, rtol=1e-6, atol=1e-9).any()


def _no_noise(result, *args):
    return abs(result[0]) < 1e-9


def _try_noise(answer, x, size, training):
    import torch

    data = torch.tensor(x)

    def use(layer):
        own = _seeded(124, lambda: layer(x.shape[1])).train(training)
        before = state(own)
        result = answer(own, data, size)
        if result is ...:
            raise NotImplementedError
        if result is None:
            raise Unfit("Your function returned None; is a `return` missing?")
        try:
            number = float(snapshot(result))
        except (TypeError, ValueError):
            raise Unfit(
                f"Your result is {describe(result)}, expected one number."
            ) from None
        return number, _afterwards(own, before)

    return _with_layer(answer, use)


def _noise_cases():
    rng = np.random.default_rng(124)

    def case(size, *shape, training=True):
        x = rng.normal(1.0, 2.0, size=shape) + np.linspace(0, 3, shape[0]).reshape(
            -1, *[1] * (len(shape) - 1)
        )
        note = f"x of shape {shape}, batches of {size}"
        note += "" if training else ", the layer comes in eval mode"
        return Case((x, size, training), note)

    return [case(4, 24, 3), case(5, 23, 2, training=False), case(2, 9, 2, 3, 3)]


BATCH_NOISE = Exercise(
    number="P.4",
    name="batch_noise",
    title="What a small batch does",
    signature="batch_noise(layer, x, size)",
    reference=_batch_noise,
    drive=_try_noise,
    given=("x", "size", "training"),
    cases=_noise_cases,
    outputs=("the noise", "the given layer afterwards"),
    why=(
        "An example is normalized with whoever shares its batch. The error of a mean "
        "of n values falls with the root of n, and so does this noise."
    ),
    misconceptions=(
        Misconception(
            "changed the layer that was given",
            "A pass in training mode moves the running statistics, and train() or "
            "eval() the mode. Work on a copy: copy.deepcopy(layer).",
            wrong=partial(_batch_noise, changed=True),
        ),
        Misconception(
            "left in training mode",
            "The given layer came in eval mode. state_dict() holds parameters and "
            "buffers, not the mode: put it back with train(mode), or work on a copy.",
            wrong=partial(_batch_noise, left_training=True),
        ),
        Misconception(
            "the mode that the layer came in",
            "A layer that comes in eval mode stays there, and the noise is 0. Call "
            "train() on your copy before both passes.",
            wrong=partial(_batch_noise, as_given=True),
        ),
        Misconception(
            "the batches in eval mode",
            "In eval mode an example does not depend on its batch, so nothing can be "
            "seen. Use training mode for the batches and for the whole.",
            recognize=partial(_noise_in_modes, modes=(False, True)),
        ),
        Misconception(
            "no training mode at all",
            "In eval mode the same numbers come out, whatever the batch: the noise is "
            "0. Call train() on your copy before both passes.",
            recognize=_no_noise,
        ),
        Misconception(
            "compared with eval mode",
            "The running statistics are those of other data. Compare with the outputs "
            "of all x in one batch, in training mode.",
            recognize=partial(_noise_in_modes, modes=(True, False)),
        ),
        Misconception(
            "compared with the input",
            "The layer changes x in any case. Compare two outputs of the same "
            "examples: in small batches and in one batch.",
            wrong=partial(_batch_noise, input=True),
        ),
        Misconception(
            "an incomplete batch counted",
            "The last batch is smaller if size does not divide the number of examples. "
            "Leave its examples out; the one large batch has all.",
            wrong=partial(_batch_noise, incomplete=True),
        ),
        Misconception(
            "the mean size of the differences",
            "Asked is the root of the mean square, which weighs large differences "
            "more.",
            wrong=partial(_batch_noise, mean=True),
        ),
        Misconception(
            "the root forgotten",
            "The mean of the squares is the square of what is asked.",
            wrong=partial(_batch_noise, square=True),
        ),
    ),
    hints=(
        "You need two outputs for the same examples: one from small batches, put "
        "together with torch.cat, and one from all x at once.",
        "x.split(size) cuts a tensor into batches, the last one perhaps smaller. "
        "len(x) - len(x) % size examples are in complete ones.",
        "parts = torch.cat([layer(part) for part in x[:used].split(size)]), on a copy "
        "in training mode; then (parts - layer(x)[:used]).square().mean().sqrt().",
    ),
)

# --- step 5 ---------------------------------------------------------------------------


def _fold(net, **flaws):
    import torch
    from torch import nn

    layers = []
    with torch.no_grad():
        for layer in net if "changed" in flaws else copy.deepcopy(net):
            # Which layer the norm would go into; across an activation it is wrong.
            back = layers[::-1] if "across" in flaws else layers[-1:]
            kinds = nn.Linear | nn.Conv2d
            before = next((b for b in back if isinstance(b, kinds)), None)
            is_norm = hasattr(layer, "running_mean") and "unrecognized" not in flaws
            if before is None or not is_norm:
                layers.append(layer)
                continue
            _fold_pair(before, layer, flaws)
            if "left" in flaws:
                layers.append(layer)
    return nn.Sequential(*layers)


def _fold_pair(before, norm, flaws):
    from torch import nn

    eps = 0 if "eps" in flaws else norm.eps
    std = (
        norm.running_var + eps
        if "variance" in flaws
        else (norm.running_var + eps) ** 0.5
    )
    scale = (1 if "gamma" in flaws else norm.weight) / std
    bias = 0 if before.bias is None and "with_bias" not in flaws else before.bias
    bias = 0 if "bias" in flaws else bias
    mean = 0 if "mean" in flaws else norm.running_mean
    wide = [-1, *[1] * (before.weight.ndim - 1)]
    wide = [1, -1, *wide[2:]] if "inputs" in flaws else wide
    before.weight *= scale.view(wide[:2] if "matrix" in flaws else wide)
    shift = (bias - mean) * scale if "bias_scale" not in flaws else bias - mean * scale
    before.bias = nn.Parameter(shift + (0 if "beta" in flaws else norm.bias))


def _try_fold(answer, kind, x):
    import torch

    data = torch.tensor(x)

    def use(layer):
        given = _seeded(125, partial(_foldable, kind, layer)).eval()
        before = state(given)
        small = _a_net(answer(given))
        after = _afterwards(given, before)
        with torch.no_grad():
            return small.eval()(data), len(_norms(small)), after

    return _with_layer(answer, use)


def _foldable(kind, norm):
    from torch import nn

    def small(width):
        return norm(width, eps=0.1)

    head = nn.Flatten(), nn.Linear(3 * 4, 5), small(5)
    return {
        "dense": lambda: nn.Sequential(
            # As many units as inputs: torch broadcasts a mistake without a word.
            nn.Linear(3, 3),
            small(3),
            nn.ReLU(),
            nn.Linear(3, 2),
        ),
        "images": lambda: nn.Sequential(
            nn.Conv2d(2, 4, 3),
            small(4),
            nn.ReLU(),
            nn.Conv2d(4, 3, 3, bias=False),
            small(3),
            *head,
        ),
        "after ReLU": lambda: nn.Sequential(
            nn.Linear(3, 4),
            nn.ReLU(),
            small(4),
            nn.Linear(4, 2, bias=False),
            small(2),
        ),
    }[kind]()


def _fold_cases():
    rng = np.random.default_rng(125)
    return [
        Case(("dense", rng.normal(size=(5, 3))), "linear, norm, ReLU, linear"),
        Case(("images", rng.normal(size=(2, 2, 6, 6))), "two convolutions, one linear"),
        Case(
            ("after ReLU", rng.normal(size=(5, 3))), "linear, ReLU, norm, linear, norm"
        ),
    ]


_fold_flaw = partial(_flaw, _fold)


FOLD = Exercise(
    number="P.5",
    name="fold_net",
    title="Fold it",
    signature="fold_net(net)",
    reference=_fold,
    drive=_try_fold,
    given=("net", "x"),
    cases=_fold_cases,
    outputs=("the output", "the number of norms left", "the given net afterwards"),
    why=(
        "In eval mode the layer is one factor and one shift per channel. Directly "
        "before it stands another linear map, and two linear maps are one."
    ),
    misconceptions=(
        _fold_flaw(
            "across",
            "folded across an activation",
            "After a ReLU the norm is no linear map of the layer before the ReLU. Only "
            "a norm that directly follows a linear layer or a convolution can go.",
        ),
        _fold_flaw(
            "bias",
            "the old bias forgotten",
            "The norm subtracts its mean from the output with the bias: the new bias "
            "is (bias - mean) * scale + beta.",
        ),
        _fold_flaw(
            "bias_scale",
            "the old bias not scaled",
            "The norm divides the whole output of the layer, its bias included: (bias "
            "- mean) * scale + beta.",
        ),
        _fold_flaw(
            "mean",
            "the running mean forgotten",
            "The norm subtracts running_mean before it scales: (bias - mean) * scale + "
            "beta.",
        ),
        _fold_flaw(
            "beta",
            "beta forgotten",
            "The norm adds its bias last, so it is added last here, too: (bias - mean) "
            "* scale + beta.",
        ),
        _fold_flaw(
            "gamma",
            "gamma forgotten",
            "The factor of a channel is its weight (gamma) over the standard "
            "deviation.",
        ),
        _fold_flaw(
            "with_bias",
            "a layer without bias not expected",
            "Before a norm a bias does nothing, so many layers are made without, and "
            "theirs is None. Take 0 for it, and give the layer a new nn.Parameter.",
        ),
        _fold_flaw(
            "inputs",
            "scaled along the inputs",
            "The outputs of a layer stand along axis 0 of its weight. Shape scale to "
            "(-1, 1), and for a convolution to (-1, 1, 1, 1).",
        ),
        _fold_flaw(
            "matrix",
            "convolutions scaled like matrices",
            "The weight of a convolution has four axes. Shape scale to as many: "
            "scale.view(-1, *[1] * (weight.ndim - 1)).",
        ),
        _fold_flaw(
            "variance",
            "divided by the variance",
            "The norm divides by the root: sqrt(running_var + eps).",
        ),
        _fold_flaw(
            "eps",
            "eps forgotten",
            "The norm divides by sqrt(running_var + eps), with its own eps, and what "
            "replaces it must do the same.",
        ),
        _fold_flaw(
            "unrecognized",
            "not recognized as norms",
            "The norms of these nets are of your own class, so isinstance(layer, "
            "nn.BatchNorm1d) is False. Ask whether a layer has a running_mean.",
        ),
        _fold_flaw(
            "left",
            "norms left in the net",
            "The factors are in the weights now. A norm that stays would apply them a "
            "second time.",
        ),
        _untouched("the net with its norms", partial(_fold, changed=True)),
    ),
    hints=(
        "In eval mode the norm is y = scale * x + shift per channel. Write scale and "
        "shift down in terms of weight, bias, running_mean, running_var and eps.",
        "Build a list of layers from a copy of the net. If a norm directly follows a "
        "Linear or Conv2d, change that layer and leave the norm out.",
        "scale = weight / sqrt(running_var + eps); the layer's weight is multiplied by "
        "scale along axis 0; its bias becomes (bias - running_mean) * scale + beta, "
        "with bias 0 where it has none.",
    ),
)

# --- step 6 ---------------------------------------------------------------------------


def _adapt(net, batches, **flaws):
    import torch

    given, net = net, net if "changed" in flaws else copy.deepcopy(net)
    norms = [m for m in net if m in _norms(net)] if "top" in flaws else _norms(net)
    momenta = [norm.momentum for norm in norms]
    net.train("eval" not in flaws)
    for norm in norms:
        if "default" not in flaws:
            norm.momentum = 1.0 if "last" in flaws else None
        if "old_counted" not in flaws:
            norm.num_batches_tracked.zero_()
    with torch.no_grad():
        for batch in batches[:1] if "first" in flaws else batches:
            net(batch)
    for norm, momentum in zip(norms, momenta, strict=True):
        momentum = 0.1 if "constant" in flaws else momentum
        norm.momentum = norm.momentum if "not_put_back" in flaws else momentum
    if "changed" in flaws:
        return given.eval()
    return net.train("left_training" in flaws)


def _try_adapt(answer, images, x):
    import torch
    from torch import nn

    batches = [torch.tensor(batch) for batch in images]
    data = torch.tensor(x)

    def make(norm):
        if x.ndim == 2:
            inner = nn.Sequential(nn.Linear(4, 4), norm(4, momentum=0.2))
            first = nn.Linear(3, 4), norm(4, momentum=0.3), nn.ReLU()
            return nn.Sequential(*first, inner)
        first = nn.Conv2d(1, 3, 3), norm(3, momentum=0.05), nn.ReLU()
        return nn.Sequential(*first, nn.Flatten(), nn.Linear(12, 3), norm(3))

    def use(layer):
        given = _seeded(126, lambda: make(layer)).eval()
        before = state(given)
        adapted = _a_net(answer(given, batches))
        after = _afterwards(given, before)
        momenta = [norm.momentum for norm in _norms(adapted)]
        with torch.no_grad():
            return adapted(data), momenta, after

    return _with_layer(answer, use)


def _adapt_cases():
    rng = np.random.default_rng(126)

    def case(net, sizes, *shape):
        batches = [
            rng.normal(i, 1 + i, size=(size, *shape)) for i, size in enumerate(sizes)
        ]
        x = rng.normal(1.0, 2.0, size=(4, *shape))
        note = f"{net}, batches of {sizes}, examples of shape {shape}"
        return Case((batches, x), note)

    return [
        case("a Sequential within the net", (5, 5), 3),
        case("a net for images", (6, 4, 3), 1, 4, 4),
    ]


_adapt_flaw = partial(_flaw, _adapt)


ADAPT = Exercise(
    number="P.6",
    name="adapt_net",
    title="Adapt it to other data",
    signature="adapt_net(net, batches)",
    reference=_adapt,
    drive=_try_adapt,
    given=("batches", "x"),
    cases=_adapt_cases,
    outputs=("the output in use", "momentum afterwards", "the given net afterwards"),
    why=(
        "The weights are as good as they were; what is out of date are stored means "
        "and variances, and those need no labels and no gradient."
    ),
    misconceptions=(
        _adapt_flaw(
            "old_counted",
            "the old batches counted as well",
            "With momentum None the weight of a batch is 1 / num_batches_tracked. Set "
            "the count to 0 first, and nothing is left of the old statistics.",
        ),
        _adapt_flaw(
            "default",
            "momentum left as it was",
            "With a momentum like 0.1 most of the old statistics stays after a few "
            "batches. momentum None gives all batches the same weight.",
        ),
        _adapt_flaw(
            "last",
            "only the last batch counted",
            "momentum 1 replaces the statistics at each batch. momentum None gives all "
            "batches the same weight.",
        ),
        _adapt_flaw(
            "first",
            "only the first batch sent through",
            "All batches are asked for: send each of them through the net.",
        ),
        _adapt_flaw(
            "eval",
            "sent through in eval mode",
            "In eval mode the statistics do not move. Send the batches through in "
            "training mode, and switch back afterwards.",
        ),
        _adapt_flaw(
            "left_training",
            "left in training mode",
            "The adapted net is to be used: return it in eval mode, or its outputs "
            "depend on the batch again.",
        ),
        _adapt_flaw(
            "not_put_back",
            "momentum not put back",
            "Whoever trains the adapted net on gets another momentum than the layer "
            "was made with. Note it before, and put it back.",
        ),
        _adapt_flaw(
            "constant",
            "momentum set to 0.1",
            "0.1 is the default, and these norms were made with others. Note the "
            "momentum of each norm before, and put that one back.",
        ),
        _adapt_flaw(
            "top",
            "only the outermost layers looked at",
            "A net may hold norms inside other modules, where `for layer in net` does "
            "not look. net.modules() walks through all of them.",
        ),
        _untouched("the net for its old data", partial(_adapt, changed=True)),
    ),
    hints=(
        "Training mode moves the statistics and eval mode does not. Decide what is "
        "left of the old ones, and how much each batch counts.",
        "momentum None with num_batches_tracked 0 gives all batches the same weight, "
        "and the old statistics none. Which modules are norms? Those with a "
        "running_mean.",
        "On a copy in training mode: for each norm momentum = None and "
        "num_batches_tracked.zero_(); within torch.no_grad() call it on each batch; "
        "put momentum back; return the copy in eval mode.",
    ),
)

# --- step 7 ---------------------------------------------------------------------------


def _prune(net, share, **flaws):
    import torch
    from torch import nn

    net = net if "changed" in flaws else copy.deepcopy(net)
    places = [i for i, layer in enumerate(net) if hasattr(layer, "running_mean")]
    scores = [_score(net[i].weight.detach(), flaws) for i in places]
    everywhere = torch.cat(scores).sort().values
    with torch.no_grad():
        for i, score in zip(places, scores, strict=True):
            ranked = score.sort().values if "by_layer" in flaws else everywhere
            gone = share * len(ranked)
            kept = score >= ranked[round(gone) if "rounded" in flaws else int(gone)]
            if "no_floor" not in flaws:
                kept[score.argmax()] = True
            linear, norm, following = net[i - 1], net[i], net[i + 2]
            constant = norm.bias[~kept]
            constant = constant if "no_ReLU" in flaws else torch.relu(constant)
            if "constant" not in flaws:
                following.bias += following.weight[:, ~kept] @ constant
            following.weight = nn.Parameter(following.weight[:, kept])
            for part in (linear, norm):
                part.weight = nn.Parameter(part.weight[kept])
                part.bias = nn.Parameter(part.bias[kept])
            norm.running_mean = norm.running_mean[kept]
            norm.running_var = norm.running_var[kept]
    return net


def _score(gamma, flaws):
    if "signed" in flaws:
        return gamma
    return -gamma.abs() if "largest" in flaws else gamma.abs()


def _try_prune(answer, widths, share, shrink, x):
    import torch
    from torch import nn

    data = torch.tensor(x)

    def make(norm):
        layers = []
        for width, following in zip((x.shape[1], *widths), widths, strict=False):
            layers += [nn.Linear(width, following), norm(following), nn.ReLU()]
        return nn.Sequential(*layers, nn.Linear(widths[-1], 3))

    def use(layer):
        given = _seeded(127, lambda: make(layer)).eval()
        given[1].weight.data *= shrink
        before = state(given)
        small = _a_net(answer(given, share))
        after = _afterwards(given, before)
        left = [len(norm.weight) for norm in _norms(small)]
        with torch.no_grad():
            return small.eval()(data), left, after

    return _with_layer(answer, use)


def _prune_cases():
    rng = np.random.default_rng(127)

    def case(widths, share, shrink, note):
        x = rng.normal(size=(4, 5))
        return Case((widths, share, shrink, x), f"{note}, share={share}")

    return [
        case((6, 8), 0.55, 1.0, "two hidden layers"),  # 7.7 units
        case((4, 5, 6), 0.4, 0.3, "three hidden layers"),
        case((4, 8), 0.5, 0.001, "a first layer with tiny gammas"),
    ]


_prune_flaw = partial(_flaw, _prune)


PRUNE = Exercise(
    number="P.7",
    name="prune_net",
    title="Prune the net by its gamma",
    signature="prune_net(net, share)",
    reference=_prune,
    drive=_try_prune,
    given=("widths", "share", "shrink", "x"),
    cases=_prune_cases,
    outputs=("the output", "the units left", "the given net afterwards"),
    why=(
        "A unit with gamma 0 puts out relu(beta), whatever comes in. Such a constant "
        "belongs into the next bias, and then the unit can go without a trace."
    ),
    misconceptions=(
        _prune_flaw(
            "by_layer",
            "a threshold for each layer",
            "One threshold holds for the whole net: rank the gammas of all norms "
            "together, so that layers may lose unlike shares.",
        ),
        _prune_flaw(
            "constant",
            "what a removed unit still says forgotten",
            "With gamma 0 a unit still puts out relu(beta). Add the next layer's "
            "weights times this constant to its bias.",
        ),
        _prune_flaw(
            "no_ReLU",
            "beta handed on without its ReLU",
            "Between the norm and the next layer stands a ReLU: a removed unit hands "
            "on relu(beta), which is 0 for a negative beta.",
        ),
        _prune_flaw(
            "signed",
            "ranked by gamma with its sign",
            "A gamma of -2 only mirrors the unit. What counts is the size, abs(gamma).",
        ),
        _prune_flaw(
            "largest",
            "the largest gammas removed",
            "A small gamma makes a unit nearly constant; those can go. Keep the large "
            "ones.",
        ),
        _prune_flaw(
            "no_floor",
            "a layer lost all its units",
            "A global threshold may lie above all gammas of a layer. Keep its largest "
            "in any case, or nothing of the input comes through.",
        ),
        _prune_flaw(
            "rounded",
            "the number of units rounded",
            "int(share * n) cuts off: where share * n is 7.7, 7 units go, not 8.",
        ),
        _untouched("the large net", partial(_prune, changed=True)),
    ),
    hints=(
        "Answer three questions for each norm: which of its units stay, what the "
        "others still say with gamma 0, and which arrays have to shrink.",
        "Sort abs(weight) of all norms in one row; the entry int(share * count) is the "
        "smallest that stays. A layer keeps at least its largest.",
        "With kept a mask: next.bias += next.weight[:, ~kept] @ relu(beta[~kept]); "
        "then rows kept of the layer before, entries kept of the norm's four arrays, "
        "columns kept of the next layer.",
    ),
)

EXERCISES = (FEWEST_STEPS, BATCH_NOISE, FOLD, ADAPT, PRUNE)
