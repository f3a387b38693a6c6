"""Exercises of chapter 3: the backward pass."""

from functools import cache, partial

import numpy as np

from bnlib.exercises.engine.exercise import Case, Exercise, Misconception
from bnlib.exercises.engine.kinds import measured
from bnlib.exercises.engine.terms import Terms

# --- 3.1 ------------------------------------------------------------------------------


def _center_backward(d_centered, *, straight=1, factor=1, axis=0, reduce=np.mean):
    through_mean = factor * reduce(d_centered, axis=axis, keepdims=True)
    return straight * d_centered - through_mean


def _mean_of_others(values, axis, keepdims):
    return np.sum(values, axis=axis, keepdims=keepdims) / (len(values) - 1)


def _own_share(d_centered):
    return d_centered * (1 - 1 / len(d_centered))


def _center_terms(d_centered):
    mean = d_centered.mean(axis=0) + 0 * d_centered
    values = {"d_centered": d_centered, "mean(d_centered)": mean}
    factors = {"d_centered": 1, "mean(d_centered)": -1}
    return [Terms(values, factors, {"N": len(d_centered)})]


def _center_cases():
    rng = np.random.default_rng(31)

    def case(n, c, mean):
        d_centered = rng.normal(mean, 2.0, size=(n, c)) * np.arange(1, c + 1)
        return Case((d_centered,), f"d_centered of shape ({n}, {c})")

    return [case(6, 3, 1.5), case(4, 5, -2.0), case(9, 1, 0.7)]


def _divided_twice(values, axis, keepdims):
    return np.mean(values, axis=axis, keepdims=keepdims) / len(values)


CENTER_BACKWARD = Exercise(
    number="3.1",
    name="center_backward",
    title="Back through the subtraction of the mean",
    signature="center_backward(d_centered)",
    reference=_center_backward,
    cases=_center_cases,
    terms=_center_terms,
    misconceptions=(
        Misconception(
            "the mean treated as a constant",
            "x reaches the result twice: directly, and through the mean, which moves "
            "when any value moves. The second path takes something away as well.",
            wrong=partial(_center_backward, factor=0),
        ),
        Misconception(
            "only the path through the mean",
            "This is the part that flows through the mean. The direct path brings "
            "d_centered itself; a value that is used twice collects both parts.",
            wrong=partial(_center_backward, straight=0),
        ),
        Misconception(
            "sum where a mean belongs",
            "Forward, each value moves the mean by only 1/N of its own step. So the "
            "sum that arrives at the mean is divided by N before it goes on to x.",
            wrong=partial(_center_backward, reduce=np.sum),
        ),
        Misconception(
            "sign of the second path",
            "The mean is subtracted: raising it lowers every value. What comes back "
            "through it therefore carries a minus.",
            wrong=partial(_center_backward, factor=-1),
        ),
        Misconception(
            "divided by N - 1",
            "The forward pass divides by N, and the way back multiplies with the same "
            "1/N. N - 1 belongs to the estimate of a variance.",
            wrong=partial(_center_backward, reduce=_mean_of_others),
        ),
        Misconception(
            "only one's own share of the mean",
            "An example enters the mean of every row, not only of its own. Each row's "
            "gradient comes back through the mean to all of them.",
            wrong=_own_share,
        ),
        Misconception(
            "divided by N twice",
            "The sum that arrives at the mean is divided by N once before it goes on "
            "to x. A mean over axis 0 has done that already.",
            wrong=partial(_center_backward, reduce=_divided_twice),
        ),
        Misconception(
            "mean over the features",
            "Forward, the mean of each feature was taken over the batch, axis 0. "
            "Backward it is the same axis.",
            wrong=partial(_center_backward, axis=1),
        ),
        Misconception(
            "one mean for the whole array",
            "Each feature has its own mean, and the features don't meet in this node. "
            "Reduce over the batch only: axis=0.",
            wrong=partial(_center_backward, axis=None),
        ),
    ),
    hints=(
        "Draw the two arrows that leave x: one goes straight to the subtraction, the "
        "other through the mean. The gradient of x is the sum of what returns on both.",
        "On the way through the mean: first all N gradients of a feature are added up "
        "(with a minus), then each value of x gets 1/N of that sum.",
        "The direct path returns d_centered, the other one minus its mean over axis 0.",
    ),
)

# --- 3.2 ------------------------------------------------------------------------------


def _backward(
    d_y,
    x_hat,
    inv_std,
    gamma,
    *,
    mean_term=1,
    var_term=1,
    reduce=np.mean,
    axis=0,
    gamma_in_d_x=True,
    power=1,
    x_hat_in_var=True,
    average=True,
    gamma_in_d_gamma=False,
    parameters=np.sum,
):
    def over(values):
        return reduce(values, axis=axis, keepdims=True)

    d_x_hat = gamma * d_y if gamma_in_d_x else d_y
    through_mean = mean_term * over(d_x_hat)
    products = d_x_hat * x_hat
    through_var = var_term * (x_hat if x_hat_in_var else 1)
    through_var = through_var * (over(products) if average else products)
    d_x = inv_std**power * (d_x_hat - through_mean - through_var)
    d_gamma = parameters(d_y * x_hat * (gamma if gamma_in_d_gamma else 1), axis=0)
    return d_x, d_gamma, parameters(d_y, axis=0)


def _normalized(rng, n, c, *spatial):
    """Return x_hat and inv_std of a batch off-center, each channel at another scale."""
    shape = (1, c, *[1] * len(spatial))
    x = rng.normal(3.0, np.arange(1, c + 1).reshape(shape), size=(n, c, *spatial))
    axes = (0, *range(2, x.ndim))
    inv_std = 1 / np.sqrt(x.var(axis=axes) + 1e-5)
    x_centered = x - x.mean(axis=axes, keepdims=True)
    return x_centered * inv_std.reshape(shape), inv_std


def _backward_terms(d_y, x_hat, inv_std, gamma):
    d_x_hat = gamma * d_y
    along = x_hat * (d_x_hat * x_hat).mean(axis=0)
    terms = Terms(
        values={
            "d_x_hat": inv_std * d_x_hat,
            "mean(d_x_hat)": inv_std * (d_x_hat.mean(axis=0) + 0 * d_x_hat),
            "x_hat * mean(d_x_hat * x_hat)": inv_std * along,
        },
        factors={
            "d_x_hat": 1,
            "mean(d_x_hat)": -1,
            "x_hat * mean(d_x_hat * x_hat)": -1,
        },
        counts={"N": len(d_y)},
        part=0,
    )
    return [terms]


def _parameters_swapped(*args):
    d_x, d_gamma, d_beta = _backward(*args)
    return d_x, d_beta, d_gamma


def _backward_cases():
    # A random gradient, off-center and with a part along x_hat, so that no term is 0;
    # gamma far from 1 and of both signs.
    rng = np.random.default_rng(32)

    def case(n, c):
        x_hat, inv_std = _normalized(rng, n, c)
        d_y = rng.normal(1.0, 1.0, size=(n, c)) + 0.5 * x_hat
        gamma = rng.uniform(0.4, 0.8, size=c) * np.where(np.arange(c) % 2, -1, 3)
        return Case((d_y, x_hat, inv_std, gamma), f"d_y of shape ({n}, {c})")

    return [case(7, 4), case(4, 6), case(12, 1)]


BATCH_NORM_BACKWARD = Exercise(
    number="3.2",
    name="batch_norm_backward",
    title="Twelve lines become three",
    signature="batch_norm_backward(d_y, x_hat, inv_std, gamma)",
    reference=_backward,
    cases=_backward_cases,
    outputs=("d_x", "d_gamma", "d_beta"),
    terms=_backward_terms,
    misconceptions=(
        Misconception(
            "statistics taken as constants",
            "Both the mean and the variance depend on x. Without their two paths only "
            "gamma * d_y / sigma is left, the gradient of an ordinary affine layer.",
            wrong=partial(_backward, mean_term=0, var_term=0),
        ),
        Misconception(
            "variance term missing",
            "x also moves the variance. Subtract x_hat times the mean of the products "
            "d_x_hat * x_hat. The product of the two means is no substitute: the mean "
            "of x_hat is 0.",
            wrong=partial(_backward, var_term=0),
        ),
        Misconception(
            "mean term missing",
            "x also moves the mean. Subtract the mean of d_x_hat over the batch; "
            "otherwise d_x doesn't sum to zero.",
            wrong=partial(_backward, mean_term=0),
        ),
        Misconception(
            "gamma forgotten in d_x",
            "The last thing that happened to x_hat was the multiplication by gamma. So "
            "the first step back is d_x_hat = gamma * d_y.",
            wrong=partial(_backward, gamma_in_d_x=False),
        ),
        Misconception(
            "sums instead of means in d_x",
            "Forward, the statistics are means: each value has 1/N of the say. "
            "Backward the same 1/N appears, so both terms are means over the batch.",
            wrong=partial(_backward, reduce=np.sum),
        ),
        Misconception(
            "not divided by sigma",
            "This is the gradient for an x of spread 1. Forward, x was multiplied by "
            "inv_std; backward, its gradient is too.",
            wrong=partial(_backward, power=0),
        ),
        Misconception(
            "divided by inv_std",
            "inv_std is 1 / sigma already. Forward, x was multiplied by it; backward, "
            "its gradient is multiplied by it too.",
            wrong=partial(_backward, power=-1),
        ),
        Misconception(
            "variance term without x_hat",
            "A value far from the mean moves the variance more than one near it. So "
            "the mean of the products d_x_hat * x_hat is multiplied by x_hat once more "
            "before it is subtracted.",
            wrong=partial(_backward, x_hat_in_var=False),
        ),
        Misconception(
            "products not averaged",
            "The variance collects the products d_x_hat * x_hat of the whole batch. "
            "Take their mean over axis 0 before you multiply by x_hat.",
            wrong=partial(_backward, average=False),
        ),
        Misconception(
            "d_gamma and d_beta swapped",
            "gamma multiplies x_hat, so its gradient contains x_hat; beta is added, so "
            "its gradient is a plain sum. Return d_x, d_gamma, d_beta.",
            wrong=_parameters_swapped,
        ),
        Misconception(
            "gamma inside its own gradient",
            "y = gamma * x_hat + beta: the derivative with respect to gamma is x_hat. "
            "Use d_y * x_hat, not gamma * d_y * x_hat.",
            wrong=partial(_backward, gamma_in_d_gamma=True),
        ),
        Misconception(
            "gradients of the parameters averaged",
            "gamma and beta are used once for every example, and a value that is used "
            "N times collects the sum of N parts, not their mean.",
            wrong=partial(_backward, parameters=np.mean),
        ),
        Misconception(
            "means over the features",
            "Forward, the statistics were taken over the batch, axis 0. The two means "
            "of the backward pass run over the same axis.",
            wrong=partial(_backward, axis=1),
        ),
    ),
    hints=(
        "Begin with d_x_hat = gamma * d_y. Then ask what a step of x moves: the value "
        "itself, the mean, and the variance. Each gives one term.",
        "The mean takes away the mean of d_x_hat. The variance takes away a multiple "
        "of x_hat: as much of d_x_hat as points along it, mean(d_x_hat * x_hat).",
        "d_x = inv_std * (d_x_hat - mean(d_x_hat) - x_hat * mean(d_x_hat * x_hat)), "
        "means over axis 0. The gradients of the parameters are sums over axis 0.",
    ),
)

# --- 3.3 ------------------------------------------------------------------------------


def _parameter_gradients(d_y, x_hat, *, axis=(0, 2, 3), reduce=np.sum):
    return reduce(d_y * x_hat, axis=axis), reduce(d_y, axis=axis)


def _swapped(d_y, x_hat):
    return _parameter_gradients(d_y, x_hat)[::-1]


def _product_of_sums(d_y, x_hat):
    d_beta = d_y.sum(axis=(0, 2, 3))
    return d_beta * x_hat.sum(axis=(0, 2, 3)), d_beta


def _divided_by_images(d_y, x_hat):
    return tuple(d / len(d_y) for d in _parameter_gradients(d_y, x_hat))


def _parameter_terms(d_y, x_hat):
    d_gamma, d_beta = _parameter_gradients(d_y, x_hat)
    counts = {"N": len(d_y), "H * W": d_y[0, 0].size}
    return [
        Terms({"sum(d_y * x_hat)": d_gamma}, {"sum(d_y * x_hat)": 1}, counts, part=0),
        Terms({"sum(d_y)": d_beta}, {"sum(d_y)": 1}, counts, part=1),
    ]


def _parameter_cases():
    # All four lengths differ, so that a wrong axis shows in the shape.
    rng = np.random.default_rng(33)

    def case(*shape):
        x_hat, _ = _normalized(rng, *shape)
        d_y = rng.normal(0.5, 1.0, size=shape) + 0.3 * x_hat
        return Case((d_y, x_hat), f"d_y of shape {shape}")

    return [case(5, 3, 4, 2), case(2, 6, 3, 5)]


PARAMETER_GRADIENTS = Exercise(
    number="3.3",
    name="parameter_gradients",
    title="The gradients of γ and β for images",
    signature="parameter_gradients(d_y, x_hat)",
    reference=_parameter_gradients,
    cases=_parameter_cases,
    terms=_parameter_terms,
    outputs=("d_gamma", "d_beta"),
    misconceptions=(
        Misconception(
            "summed over the batch only",
            "One gamma serves all positions of a channel, so all positions contribute "
            "to its gradient: sum over axes 0, 2 and 3.",
            wrong=partial(_parameter_gradients, axis=0),
        ),
        Misconception(
            "summed over the positions only",
            "One gamma serves all images of the batch: sum over axis 0 as well. One "
            "row for each image would mean one gamma for each image.",
            wrong=partial(_parameter_gradients, axis=(2, 3)),
        ),
        Misconception(
            "summed over everything",
            "Each channel has its own gamma and beta. Keep axis 1: the results have "
            "shape (C,).",
            wrong=partial(_parameter_gradients, axis=None),
        ),
        Misconception(
            "channels taken from the last axis",
            "In this course, as in PyTorch, the layout is (N, C, H, W). The channels "
            "are axis 1; the last axis holds columns of pixels.",
            wrong=partial(_parameter_gradients, axis=(0, 1, 2)),
        ),
        Misconception(
            "averaged instead of summed",
            "A parameter that is used N * H * W times collects the sum of that many "
            "parts. If the loss is a mean, its 1/N is in d_y already.",
            wrong=partial(_parameter_gradients, reduce=np.mean),
        ),
        Misconception(
            "divided by the number of images",
            "A parameter collects the plain sum of its parts. If the loss is a mean "
            "over the images, its 1/N is in d_y already.",
            wrong=_divided_by_images,
        ),
        Misconception(
            "product of the sums",
            "x_hat sums to 0 in every channel, so its sum, alone or in a product, is "
            "always 0. Multiply d_y and x_hat value by value first, then sum.",
            wrong=_product_of_sums,
        ),
        Misconception(
            "the two gradients swapped",
            "gamma multiplies x_hat, so its gradient contains x_hat; beta is added, so "
            "its gradient is a plain sum. Return d_gamma first.",
            wrong=_swapped,
        ),
    ),
    hints=(
        "Which values of y does gamma[c] touch? All of them in channel c: every image, "
        "every row, every column. Each sends back one part.",
        "The results have shape (C,), so axis 1 stays and the axes 0, 2 and 3 go.",
        "d_gamma is the sum of d_y * x_hat over axis=(0, 2, 3), and d_beta is the sum "
        "of d_y over the same axes.",
    ),
)

# --- 3.4 ------------------------------------------------------------------------------

_VISIBLE = 0.01


class _Mystery:
    """A backward pass with something missing, and the right one to judge it by."""

    def __init__(self, x_hat, inv_std, gamma, wrong):
        self.parts = x_hat, inv_std, gamma
        self.wrong = wrong

    def __call__(self, d_y):
        return self.wrong(np.asarray(d_y), *self.parts)[0]

    def true(self, d_y):
        return _backward(d_y, *self.parts)[0]


def _no_gradient(d_y, *parts):
    return (np.zeros_like(d_y),)


def _expose_cases():
    rng = np.random.default_rng(34)
    broken = {
        "a first backward pass": partial(_backward, var_term=0),
        "a second backward pass": partial(_backward, mean_term=0),
        "a third backward pass": _no_gradient,
    }

    def case(note, wrong):
        x_hat, inv_std = _normalized(rng, 8, 3)
        gamma = np.array([0.5, -1.5, 2.0])
        return Case((_Mystery(x_hat, inv_std, gamma, wrong), x_hat), note)

    return [case(note, wrong) for note, wrong in broken.items()]


def _any_d_y(mystery_backward, x_hat):
    return np.random.default_rng(0).normal(size=x_hat.shape)


def _exposes(d_y, mystery_backward, x_hat):
    _, inv_std, gamma = mystery_backward.parts
    error = np.linalg.norm(mystery_backward(d_y) - mystery_backward.true(d_y))
    arriving = np.linalg.norm(gamma * inv_std * d_y)
    if error >= _VISIBLE * arriving > 0:
        return None
    return (
        "On your d_y this broken backward pass differs from the right one by less than "
        "1 percent of the gradient that arrives: a test with it would pass."
    )


def _is_zero(d_y, *_):
    return np.allclose(d_y, 0)


def _is_constant(d_y, *_):
    return np.allclose(np.ptp(d_y, axis=0), 0)


def _leaves_nothing(d_y, *directions):
    """Whether every column of d_y lies in the span of the columns of directions."""
    for c in range(d_y.shape[1]):
        basis = np.stack([along[:, c] for along in directions], axis=1)
        rest = d_y[:, c] - basis @ np.linalg.lstsq(basis, d_y[:, c], rcond=None)[0]
        if not np.allclose(rest, 0, atol=1e-6):
            return False
    return True


def _is_x_hat(d_y, mystery_backward, x_hat):
    return _leaves_nothing(d_y, x_hat)


def _is_mixture(d_y, mystery_backward, x_hat):
    return _leaves_nothing(d_y, x_hat, np.ones_like(x_hat))


EXPOSE = Exercise(
    number="3.4",
    name="expose",
    title="Find a gradient that sees",
    signature="expose(mystery_backward, x_hat)",
    reference=_any_d_y,
    accept=_exposes,
    cases=_expose_cases,
    misconceptions=(
        Misconception(
            "no gradient arrives",
            "With d_y = 0 every backward pass returns 0, the right one and the wrong "
            "ones. Send something down.",
            recognize=_is_zero,
        ),
        Misconception(
            "the same value for every example",
            "This is the loss sum(y), up to factors: a push along 1, which the layer "
            "removes. The true d_x is 0 for every batch, so code that lacks the "
            "variance term passes, and code that returns zeros too.",
            recognize=_is_constant,
        ),
        Misconception(
            "x_hat itself",
            "This is the loss sum(y**2) with beta = 0, up to factors: a push along "
            "x_hat, which the layer removes. A test with it can't see the mean term.",
            recognize=_is_x_hat,
        ),
        Misconception(
            "a mixture of 1 and x_hat",
            "This is what sum(y**2) sends down when beta is not 0. It shows a missing "
            "term, but the true d_x is still 0, so code that returns zeros passes.",
            recognize=_is_mixture,
        ),
    ),
    hints=(
        "For which d_y is the true d_x zero? Those are the ones that cannot judge "
        "anything. Look at Figure 3.1 again.",
        "The true d_x is zero when d_y is made of 1 and x_hat alone. Almost every "
        "other direction will do, so don't construct one: draw it.",
        "A random d_y of the shape of x_hat, from rng.normal, has a part along 1, a "
        "part along x_hat and a part along neither.",
    ),
)

# --- 3.5 ------------------------------------------------------------------------------


def _push(push, x, d_x):
    v = np.random.default_rng(0).normal(size=x.shape)
    if push == "ones":
        v = np.ones_like(x)
    elif push == "own":
        v = d_x
    elif push == "first":
        v = np.zeros_like(x)
        v.flat[0] = 1.0
    elif push == "first feature":
        v[:, 1:] = 0
    elif push == "alike":
        v[:] = v[:, :1]
    return v


def _agrees(
    f, x, d_x, *, push="random", absolute=0.0, relative=1e-3, sign=True, h=1e-5
):
    v = _push(push, x, d_x)
    slope, claimed = (f(x + h * v) - f(x - h * v)) / (2 * h), np.sum(d_x * v)
    if not sign:
        slope, claimed = abs(slope), abs(claimed)
    limit = absolute + relative * max(abs(slope), abs(claimed))
    return bool(abs(slope - claimed) <= limit)


def _numeric(f, x, h=1e-5):
    steps = h * np.eye(x.size).reshape(x.size, *x.shape)
    slopes = [(f(x + step) - f(x - step)) / (2 * h) for step in steps]
    return np.reshape(slopes, x.shape)


def _direction_agrees(f, x, d_x):
    numeric = _numeric(f, x)
    lengths = np.linalg.norm(numeric) * np.linalg.norm(d_x)
    return bool(np.sum(numeric * d_x) > 0.999 * lengths > 0)


def _accepts_all(f, x, d_x):
    return True


def _rejects_all(f, x, d_x):
    return False


def _agrees_cases():
    rng = np.random.default_rng(35)
    eps = 1e-5

    def case(note, claim, scale=1.0, offset=0.0):
        x = rng.normal(3.0, 2.0, size=(8, 3))
        r = rng.normal(1.0, 1.0, size=x.shape)

        def f(x):
            x_hat = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + eps)
            return offset + scale * float(np.sum(r * x_hat))

        inv_std = 1 / np.sqrt(x.var(axis=0) + eps)
        x_hat = (x - x.mean(axis=0)) * inv_std
        d_x = claim(scale * r, x_hat, inv_std, 1.0)[0]
        return Case((f, x, d_x), note)

    def times(factor):
        return lambda *parts: (factor * _backward(*parts)[0],)

    def second_feature_wrong(*parts):
        return (_backward(*parts)[0] * [1, -5, 1],)

    def features_swapped(*parts):
        return (_backward(*parts)[0][:, [2, 1, 0]],)

    def last_row_wrong(*parts):
        d_x = _backward(*parts)[0].copy()
        d_x[-1] = -3 * d_x[-1]
        return (d_x,)

    def first_half_missing(*parts):
        d_x = _backward(*parts)[0].copy()
        d_x[: len(d_x) // 2] = 0
        return (d_x,)

    # The offset is what makes a tiny step drown in rounding.
    return [
        case("a right gradient", _backward, offset=1e4),
        case("a gradient without variance term", partial(_backward, var_term=0)),
        case("a gradient without mean term", partial(_backward, mean_term=0)),
        case("a gradient of zeros", _no_gradient),
        case("a tiny gradient, twice too large", times(2), scale=1e-12),
        case("a large and right gradient", _backward, scale=50.0, offset=1e5),
        case("a gradient that is wrong in one row", last_row_wrong),
        case("a gradient that lacks half of its rows", first_half_missing),
        case("a gradient of the wrong sign", times(-1)),
        case("a gradient twice too large", times(2)),
        case("a gradient too large by 1 percent", times(1.01)),
        case("a right gradient, rounded in the fifth digit", times(1 + 2e-5)),
        case("a gradient that is wrong for the second feature", second_feature_wrong),
        case("a gradient with two features swapped", features_swapped),
    ]


GRADIENT_AGREES = Exercise(
    number="3.5",
    name="gradient_agrees",
    title="Write the judge",
    signature="gradient_agrees(f, x, d_x)",
    reference=_agrees,
    cases=_agrees_cases,
    misconceptions=(
        Misconception(
            "all values pushed together",
            "Batch norm doesn't notice a common shift, so the slope along 1 is 0, and "
            "any d_x that sums to 0 agrees with it. Push along a random direction.",
            wrong=partial(_agrees, push="ones", absolute=1e-6),
        ),
        Misconception(
            "one push for all features",
            "If every feature is pushed alike, only the sum of their gradients counts, "
            "and two that are swapped pass. Draw a number for each value of x.",
            wrong=partial(_agrees, push="alike"),
        ),
        Misconception(
            "only the first feature pushed",
            "The slope for one feature says nothing about the others: a gradient that "
            "is wrong for the second one passes. Push all of x at once.",
            wrong=partial(_agrees, push="first feature"),
        ),
        Misconception(
            "blind to the sign",
            "Comparing absolute values or lengths lets the negative gradient pass, the "
            "commonest error of all. Take the absolute value of the difference only.",
            wrong=partial(_agrees, sign=False),
        ),
        Misconception(
            "blind to the size",
            "The cosine of two gradients is 1 for twice the right one as well. Compare "
            "the difference of the two with their size.",
            wrong=_direction_agrees,
        ),
        Misconception(
            "tolerance too wide",
            "A gradient that is too large by 1 percent passes. A difference of two "
            "losses is right to six digits and more, so three can be asked for.",
            wrong=partial(_agrees, relative=0.03),
        ),
        Misconception(
            "tolerance too narrow",
            "A gradient that is right to four digits is turned away. Asked were about "
            "three, and losses in float32 would not give more.",
            wrong=partial(_agrees, relative=5e-6),
        ),
        Misconception(
            "only one value pushed",
            "The slope for one value says nothing about the others. A random direction "
            "moves all values at once and costs the same two calls of f.",
            wrong=partial(_agrees, push="first", absolute=1e-9),
        ),
        Misconception(
            "pushed along d_x itself",
            "Where d_x is wrongly 0, this push moves nothing and so tests nothing. The "
            "direction must not depend on the gradient that it judges: draw it.",
            wrong=partial(_agrees, push="own"),
        ),
        Misconception(
            "an absolute tolerance",
            "If the gradient is 1e-12, a difference of 1e-8 is no agreement. "
            "np.isclose and np.allclose add atol=1e-8 unless told otherwise. Divide "
            "the difference by the size of the slope.",
            wrong=partial(_agrees, absolute=1e-8),
        ),
        Misconception(
            "right gradients turned away",
            "The step is too small, so that the difference of two losses is rounding "
            "noise (take about 1e-5); or it is not divided by 2 * h; or its sign is "
            "wrong; or the comparison asks for more digits than it has.",
            wrong=_rejects_all,
            weak=True,
        ),
        Misconception(
            "every gradient let through",
            "Your judge said True to a gradient of zeros. Either it compares d_x with "
            "nothing that was computed without it, such as a difference of two losses, "
            "or its tolerance is so wide that everything agrees.",
            wrong=_accepts_all,
            weak=True,
        ),
    ),
    hints=(
        "Move x a little along a direction v, forwards and backwards, and watch the "
        "loss. If d_x is right, you can say beforehand how much it changes.",
        "The slope along v is (f(x + h * v) - f(x - h * v)) / (2 * h); the claimed one "
        "is np.sum(d_x * v). Draw v at random and take h = 1e-5.",
        "Return abs(slope - claimed) <= 1e-4 * max(abs(slope), abs(claimed)). No atol.",
    ),
)

# --- 3.6 ------------------------------------------------------------------------------


def _false_gradient(d_y, x_hat, inv_std, gamma):
    return 2 * _d_x(d_y, x_hat, inv_std, gamma)


def _d_x(d_y, x_hat, inv_std, gamma, mean=1, var=1):
    rest = d_y - mean * d_y.mean(axis=0) - var * x_hat * (d_y * x_hat).mean(axis=0)
    return gamma * inv_std * rest


def _share_seen(result, d_y, x_hat, inv_std, gamma):
    """Return lengths of the error, the answer and the right gradient, and the unit."""
    right = _d_x(d_y, x_hat, inv_std, gamma)
    parts = result - right, result, right, gamma * inv_std * d_y
    return tuple(map(np.linalg.norm, parts))


def _false_gradient_fault(result, d_y, x_hat, inv_std, gamma):
    error, length, right, unit = _share_seen(result, d_y, x_hat, inv_std, gamma)
    if right < 1e-9 * unit:  # a popular test, whose right answer is 0
        if error < 1e-6 * unit:
            return None
        return (
            "Your result fails a popular test: it should be about 0 here, and its "
            f"length is {length / unit:.2g} of the gradient that arrives."
        )
    if error < 0.5 * right:
        return (
            f"Your result is off by {error / right:.0%} of the right gradient only; "
            "asked is at least 50%."
        )
    if length < 0.5 * right:
        return "Your result is shorter than half of the right gradient: too easy."
    return None


def _false_gradient_cases():
    rng = np.random.default_rng(36)
    x = rng.normal(size=(8, 3))
    x_hat = (x - x.mean(axis=0)) / x.std(axis=0)
    inv_std, gamma = rng.uniform(0.3, 2, size=3), np.array([0.5, -1.5, 2.0])
    given = {
        "d_y of ones, the loss sum(y)": np.ones((8, 3)),
        "d_y = 2 gamma x_hat, the loss sum(y**2)": 2 * gamma * x_hat,
        "a random d_y": rng.normal(0.5, 1, size=(8, 3)),
    }
    return [Case((d_y, x_hat, inv_std, gamma), note) for note, d_y in given.items()]


FALSE_GRADIENT = Exercise(
    number="3.6",
    name="false_gradient",
    title="Wrong, and both tests are green",
    signature="false_gradient(d_y, x_hat, inv_std, gamma)",
    reference=_false_gradient,
    accept=_false_gradient_fault,
    cases=_false_gradient_cases,
    misconceptions=(
        Misconception(
            "nothing is wrong with it",
            "That is the right backward pass. Asked is a wrong one that the two tests "
            "do not catch.",
            wrong=_d_x,
        ),
        Misconception(
            "zeros",
            "Zeros pass both tests, as the chapter has shown. Find a false gradient "
            "that is no shorter than half of the right one.",
            recognize=lambda result, *args: not np.any(result),
        ),
        Misconception(
            "the variance term left out",
            "sum(y) does not see it, but sum(y**2) pushes along x_hat, and what the "
            "variance takes away is just this part. Both flat directions must be "
            "removed.",
            wrong=partial(_d_x, var=0),
        ),
        Misconception(
            "the mean term left out",
            "sum(y) pushes all examples alike, and what the mean takes away is just "
            "this part. Both flat directions must be removed.",
            wrong=partial(_d_x, mean=0),
        ),
        Misconception(
            "the gradient passed on",
            "Neither of the flat directions is removed, so both tests see it: their "
            "right answer is 0.",
            wrong=partial(_d_x, mean=0, var=0),
        ),
    ),
    hints=(
        "In both tests the right gradient is 0. Look for something to do to a right "
        "gradient that keeps 0 at 0.",
        "Multiply it, turn its sign, mix its rows: whatever keeps 0 at 0 passes both "
        "tests.",
        "With right = gamma * inv_std * (d_y - d_y.mean(0) - x_hat * (d_y * "
        "x_hat).mean(0)), return 2 * right.",
    ),
)

# --- 3.7 ------------------------------------------------------------------------------


@cache
def _measured_share(n):
    """Return length of d_x over that of d_y, in units of 1/s, over many batches."""
    rng = np.random.default_rng(37)
    x, d_y = rng.normal(size=(2, n, 4000))
    x_hat = (x - x.mean(axis=0)) / x.std(axis=0)
    left = d_y - d_y.mean(axis=0) - x_hat * (d_y * x_hat).mean(axis=0)
    return np.linalg.norm(left) / np.linalg.norm(d_y)


def _passed_share(n, lost=2, root=True, rest=True):
    share = (n - lost) / n if rest else lost / n
    return np.sqrt(share) if root else share


PASSED_SHARE = Exercise(
    number="3.7",
    name="passed_share",
    title="How much of a gradient gets through?",
    signature="passed_share(n)",
    reference=_passed_share,
    accept=measured(_measured_share, within=0.04),
    cases=lambda: [Case((n,), f"batches of {n}") for n in (4, 3, 8, 32)],
    misconceptions=(
        Misconception(
            "the share of the directions",
            "(N - 2) / N of the directions are left, and so much of the *squared* "
            "length. The length itself is the root of it.",
            wrong=partial(_passed_share, root=False),
        ),
        Misconception(
            "one direction lost",
            "That is what the mean takes away. The variance takes a second direction, "
            "along x_hat.",
            wrong=partial(_passed_share, lost=1),
        ),
        Misconception(
            "what is lost",
            "This is the length of the part that is taken away. Asked is what gets "
            "through.",
            wrong=partial(_passed_share, rest=False),
        ),
        Misconception(
            "everything gets through",
            "Only for large batches. Of N directions two are taken away, and in a "
            "batch of 4 that is half of them.",
            wrong=lambda n: 1.0,
        ),
        Misconception(
            "lengths subtracted",
            "The part that is lost and the part that is left are perpendicular: their "
            "squares add up to 1, not their lengths.",
            wrong=lambda n: 1 - np.sqrt(2 / n),
        ),
    ),
    hints=(
        "A random gradient has a like share in each of the N directions. Ask how many "
        "of them the layer takes away.",
        "Two. Squared lengths of perpendicular parts add up: (N - 2) / N of the "
        "squared length is left.",
    ),
)


EXERCISES = (
    CENTER_BACKWARD,
    BATCH_NORM_BACKWARD,
    PARAMETER_GRADIENTS,
    EXPOSE,
    GRADIENT_AGREES,
    FALSE_GRADIENT,
    PASSED_SHARE,
)
