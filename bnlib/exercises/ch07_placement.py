"""Exercises of chapter 7: where the norm goes."""

from functools import partial

import numpy as np

from bnlib.exercises.engine.exercise import Case, Exercise, Misconception
from bnlib.exercises.engine.terms import Terms
from bnlib.norms import batch_norm

# --- 7.1 ------------------------------------------------------------------------------


def _relative_slope(h, activation):
    return 1 - h**2 if activation == "tanh" else 4 * h * (1 - h)


def _saturated(h, activation, *, count=np.mean):
    return count(_relative_slope(h, activation) < 0.1)


def _inputs_assumed(h, activation):
    h = np.tanh(h) if activation == "tanh" else 1 / (1 + np.exp(-h))
    return _saturated(h, activation)


def _upper_side(h, activation):
    flat = _relative_slope(h, activation) < 0.1
    return np.mean(flat & (h > (0 if activation == "tanh" else 0.5)))


def _absolute_slope(h, activation):
    slope = 1 - h**2 if activation == "tanh" else h * (1 - h)
    return np.mean(slope < 0.1)


def _as_tanh(h, activation):
    return _saturated(h, "tanh")


def _steepest_seen(h, activation):
    slope = _relative_slope(h, activation)
    return np.mean(slope < 0.1 * slope.max())


def _whole_units(values):
    return values.all(axis=0).mean()


def _some_example(values):
    return values.any(axis=0).mean()


def _alive(values):
    return 1 - values.mean()


def _saturated_cases():
    rng = np.random.default_rng(61)

    def case(n, c, activation, spread, least=0.0):
        z = rng.normal(0.4, np.linspace(1, spread, c), size=(n, c))
        z[:, 0] = rng.choice([-1, 1], size=n) * rng.uniform(4, 6, size=n)
        z += np.copysign(least, z)  # nothing is left in the steep middle
        h = np.tanh(z) if activation == "tanh" else 1 / (1 + np.exp(-z))
        return Case((h, activation), f"{activation}, h of shape ({n}, {c})")

    return [
        case(20, 5, "tanh", 3),
        case(20, 5, "sigmoid", 5),
        case(30, 4, "sigmoid", 3),
        case(20, 4, "tanh", 2, least=1.2),
    ]


SATURATED_SHARE = Exercise(
    number="7.1",
    name="saturated_share",
    title="How flat is it?",
    signature="saturated_share(h, activation)",
    reference=_saturated,
    cases=_saturated_cases,
    misconceptions=(
        Misconception(
            "outputs taken for inputs",
            "h has been through the activation already. The slope of tanh at the place "
            "where it puts out h is 1 - h**2, not 1 - tanh(h)**2; that of the sigmoid "
            "is h * (1 - h).",
            wrong=_inputs_assumed,
        ),
        Misconception(
            "only one of the two ends counted",
            "Both activations are flat at both ends: tanh near -1 and 1, the sigmoid "
            "near 0 and 1. Compare the slope, and both ends are covered.",
            wrong=_upper_side,
        ),
        Misconception(
            "the sigmoid's steepest slope taken for 1",
            "The slope h * (1 - h) is never more than 1/4, so a tenth of the largest "
            "slope is 0.025. With 0.1 as the limit you count units that still work.",
            wrong=_absolute_slope,
        ),
        Misconception(
            "the slope of tanh for both",
            "For tanh the slope is 1 - h**2, for the sigmoid h * (1 - h). A sigmoid "
            "that puts out 0.5 is at its steepest.",
            wrong=_as_tanh,
        ),
        Misconception(
            "a tenth of the steepest value in the batch",
            "If no value of the batch lies in the steep middle, your limit shrinks "
            "with them. The largest slope belongs to the activation: 1 for tanh, 1/4 "
            "for the sigmoid.",
            wrong=_steepest_seen,
        ),
        Misconception(
            "units that are always saturated",
            "A unit can be flat for one example and steep for the next. Asked is the "
            "share of all N * C values: take the mean over both axes at once.",
            wrong=partial(_saturated, count=_whole_units),
        ),
        Misconception(
            "units that are ever saturated",
            "A unit can be flat for one example and steep for the next. Asked is the "
            "share of all N * C values, not of the units with at least one.",
            wrong=partial(_saturated, count=_some_example),
        ),
        Misconception(
            "the rest counted",
            "This is the share of values that are not saturated. Saturated means that "
            "the slope is below the limit.",
            wrong=partial(_saturated, count=_alive),
        ),
    ),
    hints=(
        "You have the outputs. Express the slope of the activation by its output. For "
        "tanh it is 1 - h**2; work out that of the sigmoid.",
        "The sigmoid's slope is h * (1 - h), at most 1/4. Compare the slope with a "
        "tenth of its largest value, and take the mean of the True and False.",
    ),
)

# --- 7.2 ------------------------------------------------------------------------------

_WEIGHTED = ("linear", "conv")


# Max pooling and linear layers turn one number per channel into one number per channel.
# A convolution does not: at the border its zeros take part, and there the sum of the
# weights is another.


def _useless(
    layers,
    *,
    maxpool=True,
    linear=True,
    conv=False,
    relu=False,
    ln=False,
    norms=("bn",),
):
    """Look ahead for a norm, through the kinds of layers that are switched on."""
    passes = {
        "maxpool": maxpool,
        "linear": linear,
        "conv": conv,
        "relu": relu,
        "ln": ln,
    }
    through, found = {name for name, on in passes.items() if on} - set(norms), []
    for i, layer in enumerate(layers):
        after = [other for other in layers[i + 1 :] if other not in through]
        if layer in _WEIGHTED and after and after[0] in norms:
            found.append(i)
    return found


def _every_bias(layers):
    return [i for i, layer in enumerate(layers) if layer in _WEIGHTED]


def _all_but_the_last(layers):
    return _every_bias(layers)[:-1]


def _from_one(layers):
    return [i + 1 for i in _useless(layers)]


def _after_bn(layers):
    return [i for i in _every_bias(layers) if i and layers[i - 1] == "bn"]


def _bias_cases():
    conv = "conv bn relu conv relu bn bn conv maxpool bn relu conv ln relu linear"
    dense = "linear relu bn linear bn relu bn linear ln relu linear"
    plain = "bn conv maxpool relu bn conv bn conv ln relu conv maxpool bn linear"
    convs = "conv conv bn relu conv ln bn relu conv maxpool conv bn relu linear"
    linears = "conv bn relu linear linear bn relu linear linear relu linear"
    return [
        Case((text.split(),), f"{len(text.split())} layers from {text.split()[0]}")
        for text in (conv, dense, plain, convs, linears)
    ]


USELESS_BIASES = Exercise(
    number="7.2",
    name="useless_biases",
    title="Which biases may go?",
    signature="useless_biases(layers)",
    reference=_useless,
    cases=_bias_cases,
    misconceptions=(
        Misconception(
            "every bias of a net with BN",
            "A bias is useless only if a batch norm subtracts it again before anything "
            "else sees it. An activation in between sees it, and so does the loss "
            "after the last layer.",
            wrong=_every_bias,
        ),
        Misconception(
            "every bias but the last",
            "Between some of these layers and the next batch norm there is an "
            "activation or a layer norm. They see the bias, and then it matters.",
            wrong=_all_but_the_last,
        ),
        Misconception(
            "counted from one",
            "These are the right layers, but positions in a list count from 0, as "
            "enumerate(layers) does.",
            wrong=_from_one,
        ),
        Misconception(
            "the layer after the norm",
            "It is the bias before a batch norm that is subtracted with the mean. The "
            "bias of the layer behind it is added afterwards.",
            wrong=_after_bn,
        ),
        Misconception(
            "the norm behind the activation",
            "A ReLU between bias and norm sees the bias: it shifts the threshold, and "
            "no later subtraction takes that back.",
            wrong=partial(_useless, relu=True),
        ),
        Misconception(
            "layer norm taken for batch norm",
            "Layer norm subtracts the mean over the features of one example. Biases "
            "that differ from feature to feature survive that.",
            wrong=partial(_useless, norms=("bn", "ln")),
        ),
        Misconception(
            "pooling overlooked",
            "Max pooling picks the largest of several positions; adding the same "
            "number to all of them changes nothing but the result, by that number. So "
            "the bias passes through, and the norm behind still removes it.",
            wrong=partial(_useless, maxpool=False),
        ),
        Misconception(
            "linear layers taken for an end",
            "A linear layer turns one number per unit into one number per unit: the "
            "bias reaches the norm as a shift all the same, and is subtracted there.",
            wrong=partial(_useless, linear=False),
        ),
        Misconception(
            "convolutions looked through",
            "A convolution padded with zeros turns the same number everywhere into "
            "one number inside and others at the border. That is no common shift, so "
            "the norm behind does not remove it.",
            wrong=partial(_useless, conv=True),
        ),
        Misconception(
            "layer norm looked through",
            "Layer norm divides by the spread over the features of one example, and "
            "biases that differ from feature to feature change that spread. No later "
            "norm takes it back.",
            wrong=partial(_useless, ln=True),
        ),
    ),
    hints=(
        "Follow the bias: it adds one number per channel. It is useless if that number "
        "is taken away again before anything has reacted to it.",
        "For each linear or conv look ahead. Skip maxpool and linear, which pass the "
        "shift on. If the next layer is bn, the bias is useless; if it is anything "
        "else, or nothing, it is not.",
    ),
)

# --- 7.3 ------------------------------------------------------------------------------


def _without_bias(bias, gamma, beta, mean, var, *, sign=-1, moved=0, scaled=True):
    scale = gamma / np.sqrt(var + 1e-5) if scaled else 1
    return beta + moved * scale * bias, mean + sign * bias


def _bias_terms(bias, gamma, beta, mean, var):
    scaled = "gamma * bias / std"
    moved = {"beta": beta, scaled: gamma * bias / np.sqrt(var + 1e-5), "bias": bias}
    return [
        Terms(moved, {"beta": 1, scaled: 0, "bias": 0}, {}, part=0),
        Terms(
            {"running_mean": mean, "bias": bias},
            {"running_mean": 1, "bias": -1},
            {},
            part=1,
        ),
    ]


def _bias_merge_cases():
    rng = np.random.default_rng(64)

    def case(c):
        bias, beta = rng.normal(1.0, 1.0, size=(2, c))
        gamma, var = rng.uniform(0.5, 3.0, size=c), rng.uniform(0.1, 4.0, size=c)
        mean = rng.normal(2.0, 1.0, size=c)
        return Case((bias, gamma, beta, mean, var), f"{c} channels")

    return [case(3), case(5)]


DROP_BIAS = Exercise(
    number="7.3",
    name="drop_bias",
    title="Take it out of a trained net",
    signature="drop_bias(bias, gamma, beta, running_mean, running_var)",
    reference=_without_bias,
    cases=_bias_merge_cases,
    terms=_bias_terms,
    outputs=("beta", "running_mean"),
    misconceptions=(
        Misconception(
            "nothing repaired",
            "In training the batch mean would follow by itself. The running mean is a "
            "stored number: it still contains the bias, and evaluation would subtract "
            "a bias that is no longer added.",
            wrong=partial(_without_bias, sign=0),
        ),
        Misconception(
            "wrong sign",
            "Without the bias all values before the norm are smaller by it, and so is "
            "their mean: subtract the bias from running_mean.",
            wrong=partial(_without_bias, sign=1),
        ),
        Misconception(
            "moved to beta",
            "In evaluation this is right. In training it is not: there the norm never "
            "let the bias through, so a larger beta changes the output.",
            wrong=partial(_without_bias, sign=0, moved=1),
        ),
        Misconception(
            "added to beta unscaled",
            "The norm divides what comes in by the standard deviation and multiplies "
            "by gamma; beta is added after that. And in training the bias never came "
            "through at all: repair the running mean instead.",
            wrong=partial(_without_bias, sign=0, moved=1, scaled=False),
        ),
        Misconception(
            "repaired twice",
            "With running_mean corrected, evaluation is already as before. A changed "
            "beta on top of it shifts the output.",
            wrong=partial(_without_bias, moved=1),
        ),
    ),
    hints=(
        "In training the bias does nothing to the output. So the numbers that training "
        "uses may not change: gamma and beta.",
        "running_mean is the mean of W x + bias. What is the mean of W x? beta stays.",
    ),
)

# --- 7.4 ------------------------------------------------------------------------------


def _norm(x):
    return batch_norm(x)[0]


def _relu(x):
    return np.maximum(x, 0)


def _same(x):
    return x


def _post(x, w1, w2, *, last=_relu, inner=_norm, joined=_same, branch=_same, skip=1):
    h = inner(_relu(_norm(x @ w1)) @ w2)
    return last(joined(skip * x + branch(h)))


def _pre(x, w1, w2, *, last=_same, first=_same, swapped=False, skip=1):
    def before(h):
        return _norm(_relu(h)) if swapped else _relu(_norm(h))

    return last(skip * first(x) + before(before(x) @ w1) @ w2)


def _block(x, w1, w2, order, *, post=_post, pre=_pre):
    return (post if order == "post" else pre)(x, w1, w2)


def _activated(x):
    return _relu(_norm(x))


def _without_skip(x, w1, w2, order):
    return _block(
        x, w1, w2, order, post=partial(_post, skip=0), pre=partial(_pre, skip=0)
    )


def _block_cases():
    rng = np.random.default_rng(62)

    def case(n, c, order):
        x = rng.normal(rng.normal(0, 2, size=c), 2.0, size=(n, c))
        w1, w2 = rng.normal(size=(2, c, c))
        return Case((x, w1, w2, order), f'order "{order}", x of shape ({n}, {c})')

    return [case(8, 4, "post"), case(8, 4, "pre"), case(6, 3, "pre")]


RESIDUAL_BLOCK = Exercise(
    number="7.4",
    name="residual_block",
    title="Two blocks from the same parts",
    signature="residual_block(x, w1, w2, order)",
    reference=_block,
    cases=_block_cases,
    misconceptions=(
        Misconception(
            "a ReLU after the addition of the pre-activation block",
            "In the pre-activation block nothing follows the addition: x goes from "
            "block to block unchanged. Both ReLUs sit in the branch.",
            wrong=partial(_block, pre=partial(_pre, last=_relu)),
        ),
        Misconception(
            "no activation after the sum",
            "The post-activation block ends with a ReLU: it comes after x and the "
            "branch have been added.",
            wrong=partial(_block, post=partial(_post, last=_same)),
        ),
        Misconception(
            "the skip carries the activated input",
            "x was overwritten by relu(norm(x)) before it was added. The skip hands on "
            "x as it came; norm and ReLU belong to the branch. Keep both in variables "
            "of their own.",
            wrong=partial(_block, pre=partial(_pre, first=_activated)),
        ),
        Misconception(
            "normalized after the addition",
            "The second norm belongs to the branch, before the addition. After it, x "
            "would be normalized in every block and no longer handed on.",
            wrong=partial(_block, post=partial(_post, inner=_same, joined=_norm)),
        ),
        Misconception(
            "second norm of the post-activation block missing",
            "Both layers of the branch are followed by a norm: the second one too, "
            "before x is added.",
            wrong=partial(_block, post=partial(_post, inner=_same)),
        ),
        Misconception(
            "ReLU at the end of the branch",
            "Then the branch can only add, never take away, and x grows from block to "
            "block. In the post-activation block the last ReLU comes after the "
            "addition.",
            wrong=partial(_block, post=partial(_post, branch=_relu, last=_same)),
        ),
        Misconception(
            "ReLU first, norm second",
            "In the pre-activation block each layer has norm, ReLU, weight, in this "
            "order. You have the ReLU first.",
            wrong=partial(_block, pre=partial(_pre, swapped=True)),
        ),
        Misconception(
            "x is not added",
            "This is the branch alone. A residual block returns x plus its branch.",
            wrong=_without_skip,
        ),
        Misconception(
            "one order for both",
            'Order "pre" should give the other block: norm, ReLU, weight, norm, ReLU, '
            "weight, and then x is added.",
            wrong=partial(_block, pre=_post),
        ),
    ),
    hints=(
        "Write the branch first, as a line of five or six steps, and give its result a "
        "name of its own. The last line adds x.",
        "post: weight, norm, ReLU, weight, norm; add x; ReLU. pre: norm, ReLU, weight, "
        "norm, ReLU, weight; add x; nothing.",
        "pre: h = relu(norm(x)) @ w1; h = relu(norm(h)) @ w2; return x + h. The norm "
        "is batch_norm(x)[0].",
    ),
)

# --- 7.5 ------------------------------------------------------------------------------


def _gammas(branch, *, zero="safe"):
    places = [i for i, layer in enumerate(branch) if layer == "bn"]
    gammas = [1.0] * len(places)
    if zero == "first":
        gammas[0] = 0.0
    elif zero == "all":
        gammas = [0.0] * len(places)
    elif zero == "end":
        gammas[-1] = 0.0 if branch[-1] == "bn" else 1.0
    elif zero == "next":
        gammas[-1] = 1.0 if branch[places[-1] + 1 :][:1] == ["relu"] else 0.0
    elif zero == "last" or (zero == "safe" and "relu" not in branch[places[-1] :]):
        gammas[-1] = 0.0
    return gammas


def _gamma_cases():
    texts = (
        "conv bn relu conv bn",
        "bn relu conv bn relu conv",
        "conv bn relu conv bn relu conv bn",
        "conv bn relu conv",
        "conv bn relu conv bn conv",
        "bn conv bn relu conv bn",
        "conv bn relu conv bn conv relu",
    )
    return [Case((text.split(),), f"branch {text}") for text in texts]


INITIAL_GAMMAS = Exercise(
    number="7.5",
    name="initial_gammas",
    title="One zero, in the right place",
    signature="initial_gammas(branch)",
    reference=_gammas,
    cases=_gamma_cases,
    misconceptions=(
        Misconception(
            "zero in front of a ReLU",
            "A ReLU that gets exactly 0 has slope 0. Gamma and beta of that norm get "
            "no gradient, nor does any weight of the branch: it stays the identity for "
            "ever. Only a norm with no ReLU behind it may start at 0.",
            wrong=partial(_gammas, zero="last"),
        ),
        Misconception(
            "only the layer next to the norm looked at",
            "A convolution in between does not help: without bias it turns 0 into 0, "
            "and the ReLU behind it still gets exactly 0. Look at all layers from the "
            "last norm to the addition.",
            wrong=partial(_gammas, zero="next"),
        ),
        Misconception(
            "only a norm that is the last layer",
            "A convolution without bias behind the norm turns 0 into 0, so the branch "
            "is silent too, and it hands the gradient back. Only a ReLU behind the "
            "norm forbids the zero.",
            wrong=partial(_gammas, zero="end"),
        ),
        Misconception(
            "all gammas zero",
            "With the inner gammas at 0 the ReLUs get exactly 0, and the branch never "
            "learns. One zero at its end is enough to silence it.",
            wrong=partial(_gammas, zero="all"),
        ),
        Misconception(
            "the first gamma instead of the last",
            "Behind the first norm comes a ReLU, which gets exactly 0 and has slope 0 "
            "there: the branch never learns. The zero belongs to the end.",
            wrong=partial(_gammas, zero="first"),
        ),
        Misconception(
            "all gammas one",
            "That is the ordinary start. A branch that ends with a norm can be "
            "silenced by a gamma of 0 at its end, and still learns.",
            wrong=partial(_gammas, zero="none"),
        ),
    ),
    hints=(
        "Find the gamma that silences the whole branch. Then look at the layers "
        "between it and the addition.",
        "If a ReLU comes after the last norm, leave every gamma at 1. Otherwise the "
        "last one is 0 and the others are 1.",
    ),
)

# --- 7.6 ------------------------------------------------------------------------------


def _invisible(h):
    return 3 * h + 2 * np.abs(h).max() + 1


def _behind(h, seed):
    """Return what a norm puts out behind a random linear layer."""
    weight = np.random.default_rng(seed).normal(size=(4, h.shape[1]))
    x = h @ weight.T
    return (x - x.mean(axis=0)) / x.std(axis=0)


def _seen_behind(result, h):
    gaps = [np.abs(_behind(result, s) - _behind(h, s)).max() for s in range(5)]
    return max(gaps)


def _wider(result, h):
    return (result.std(axis=0) / h.std(axis=0)).min()


def _invisible_fault(result, h):
    seen = _seen_behind(result, h)
    if not seen < 1e-6:
        return f"Your result is seen: an output behind the norm changes by {seen:.2g}."
    if np.abs(result - h).min() < 1:
        return "Your result keeps a value, or nearly; asked is a change of at least 1."
    if _wider(result, h) < 2:
        return (
            f"Your result is invisible, and a feature's std is {_wider(result, h):.2g} "
            "times what it was; asked is at least 2."
        )
    return None


def _mirrored(result, h):
    return _seen_behind(-result, h) < 1e-6


def _own_scales(result, h):
    """Whether each feature was moved and stretched by numbers of its own."""
    a, b = result - result.mean(axis=0), h - h.mean(axis=0)
    factors = (a * b).sum(axis=0) / np.square(b).sum(axis=0)
    return np.allclose(a, factors * b) and np.ptp(factors) > 1e-6


def _only_shifted(result, h):
    return np.allclose(result - result.mean(axis=0), h - h.mean(axis=0))


def _by_example(result, h):
    shift = result - h
    return np.ptp(shift, axis=1).max() < 1e-9 < np.ptp(shift, axis=0).max()


def _invisible_cases():
    rng = np.random.default_rng(76)

    def case(n, c):
        h = np.maximum(rng.normal(0.5, 1.0, size=(n, c)), 0)
        return Case((h,), f"h of shape ({n}, {c}), out of a ReLU")

    return [case(12, 3), case(20, 6), case(9, 2)]


INVISIBLE = Exercise(
    number="7.6",
    name="invisible",
    title="A change that the next layer cannot see",
    signature="invisible(h)",
    reference=_invisible,
    accept=_invisible_fault,
    cases=_invisible_cases,
    misconceptions=(
        Misconception(
            "the sign turned",
            "A negative scale comes out of the norm as a mirror image: the size of the "
            "scale is forgotten, its sign is not.",
            recognize=_mirrored,
        ),
        Misconception(
            "a scale for each feature",
            "The next layer mixes the features, so the mixture changes if they are "
            "scaled differently. One scale for all of them is divided out.",
            recognize=_own_scales,
        ),
        Misconception(
            "shifted, and not stretched",
            "A row added to all examples is subtracted by the norm: right. There is a "
            "second freedom, one scale for all, and the task asks for it, too.",
            recognize=_only_shifted,
        ),
        Misconception(
            "a shift for each example",
            "What differs from example to example is just what the norm keeps. The "
            "constant must be the same in all rows.",
            recognize=_by_example,
        ),
    ),
    hints=(
        "Follow one constant row c through the linear layer: what arrives at the norm, "
        "and what does the norm subtract? Then do the same for a factor.",
        "(h - c) / s with one row c and one positive number s is invisible. Choose "
        "them so that every value moves by at least 1.",
        "Try 3 * h + a large constant: 3 * h is at least h, since h comes out of a "
        "ReLU.",
    ),
)


EXERCISES = (
    SATURATED_SHARE,
    USELESS_BIASES,
    DROP_BIAS,
    RESIDUAL_BLOCK,
    INITIAL_GAMMAS,
    INVISIBLE,
)
