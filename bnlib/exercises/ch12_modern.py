"""Exercises of chapter 12: what modern networks do."""

from functools import cache, partial

import numpy as np

from bnlib.exercises.engine.exercise import Case, Exercise, Misconception
from bnlib.exercises.engine.kinds import Repair, measured

# --- 12.1 -----------------------------------------------------------------------------


def _past(x, eps, *, from_=0, shift=1, ddof=0, axis="time", centered=True):
    """Normalize token t with the mean and variance of the tokens up to t."""
    y = np.empty_like(x)
    for t in range(len(x)):
        seen = x[from_ : max(t + shift, 1)]
        if axis == "features":
            mean, var = x[t].mean(), x[t].var()
        elif axis == "all":
            mean, var = seen.mean(), seen.var()
        else:
            dof = min(ddof, len(seen) - 1)
            mean, var = seen.mean(axis=0), seen.var(axis=0, ddof=dof)
        y[t] = (x[t] - mean * centered) / np.sqrt(var + eps)
    return y


def _whole(x, eps):
    return (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + eps)


def _whole_variance(x, eps):
    count = np.arange(1, len(x) + 1)[:, None]
    return (x - np.cumsum(x, axis=0) / count) / np.sqrt(x.var(axis=0) + eps)


def _running_deviations(x, eps):
    # The deviations were taken from the mean of their own time, not from today's.
    count = np.arange(1, len(x) + 1)[:, None]
    apart = x - np.cumsum(x, axis=0) / count
    return apart / np.sqrt(np.cumsum(apart**2, axis=0) / count + eps)


def _past_cases():
    rng = np.random.default_rng(121)

    def case(t, c, eps):
        x = rng.normal(2.0, np.arange(1, c + 1), size=(t, c)) + np.arange(t)[:, None]
        return Case((x, eps), f"x of shape ({t}, {c}), eps={eps:g}")

    return [case(5, 3, 0.1), case(4, 2, 0.01), case(7, 1, 0.5)]


_PAST_ONLY_STARTER = '''\
def past_only(x, eps):
    """Return the normalized sequence, (T, C); the past gives row t."""
    mean = x.mean(axis=0)
    var = x.var(axis=0)
    return (x - mean) / np.sqrt(var + eps)
'''

PAST_ONLY = Repair(
    number="12.1",
    name="past_only",
    title="Statistics of the past",
    signature="past_only(x, eps)",
    reference=_past,
    starter=_PAST_ONLY_STARTER,
    cases=_past_cases,
    misconceptions=(
        Misconception(
            "the future still in the variance",
            "The mean runs over the past, and the variance over all tokens: the last "
            "one still changes the first output.",
            wrong=_whole_variance,
        ),
        Misconception(
            "the whole sequence",
            "Every token is measured against a mean that holds all later ones. Token t "
            "may use tokens 0 to t only.",
            wrong=_whole,
        ),
        Misconception(
            "the token itself left out",
            "Token t knows itself: its statistics run over 0 to t, t included.",
            wrong=partial(_past, shift=0),
        ),
        Misconception(
            "one token too many",
            "x[: t + 2] holds token t + 1, which is the future by one step. x[: t + 1] "
            "ends with token t.",
            wrong=partial(_past, shift=2),
        ),
        Misconception(
            "over the features",
            "This is layer norm of each token. It cannot see the future either, but "
            "asked is a mean for each feature, over time.",
            wrong=partial(_past, axis="features"),
        ),
        Misconception(
            "features mixed",
            "Each of the C features has a mean and a variance of its own: average over "
            "axis 0 only.",
            wrong=partial(_past, axis="all"),
        ),
        Misconception(
            "deviations from means of their own time",
            "The variance at time t is taken around the mean at time t. Deviations "
            "from the earlier means, added up, give another number.",
            wrong=_running_deviations,
        ),
        Misconception(
            "variance divided by one less",
            "What normalizes is divided by the number of values. Leave ddof at 0.",
            wrong=partial(_past, ddof=1),
        ),
    ),
    hints=(
        "Ask for each row of the output which rows of x its mean and its variance may "
        "hold. In the starter it is all of them.",
        "A loop is fine: for token t take seen = x[: t + 1], its mean and its variance "
        "over axis 0.",
    ),
)

# --- 12.2 -----------------------------------------------------------------------------


def _leaky(x):
    # Every token but the first is measured against the mean of all but the first.
    y = x.copy()
    y[:, 1:] -= x[:, 1:].mean(axis=1, keepdims=True)
    return y


def _moved(result):
    """Return (T, T): how far output i moves when token j is changed."""
    return np.abs(result[1:] - result[0]).max(axis=-1).T


def _leaky_fault(result, x):
    moved = _moved(result)
    if not moved[0, -1] <= 1e-9:
        return (
            "Your result is caught: its first output moves by "
            f"{moved[0, -1]:.2g} when the last token is changed."
        )
    if not np.triu(moved, 1).max() > 1e-3:
        return (
            "Your result passes the test and deserves to: none of its outputs depends "
            "on a later token."
        )
    return None


def _leaky_cases():
    rng = np.random.default_rng(1220)

    def case(t, c):
        x = np.repeat(rng.normal(1.0, 2.0, size=(1, t, c)), t + 1, axis=0)
        for j in range(t):
            x[j + 1, j] += 1.0 + np.arange(c)
        return Case((x,), f"x of shape ({t + 1}, {t}, {c})")

    return [case(5, 2), case(8, 3)]


LEAKY_LAYER = Exercise(
    number="12.2",
    name="leaky_layer",
    title="A test of the future that cannot fail",
    signature="leaky_layer(x)",
    reference=_leaky,
    accept=_leaky_fault,
    cases=_leaky_cases,
    misconceptions=(
        Misconception(
            "the last token reaches the first output",
            "This is what the test looks for. Keep the first output, or the last "
            "token, out of the mean, and let others see ahead.",
            recognize=lambda result, x: _moved(result)[0, -1] > 1e-9,
        ),
        Misconception(
            "a layer without a future",
            "Each output depends on its own token and earlier ones: an honest layer. "
            "To fool the test, some output must use a token that comes after it.",
            recognize=lambda result, x: not np.triu(_moved(result), 1).max() > 1e-9,
        ),
    ),
    hints=(
        "The test moves one token and looks at one output. There are T * (T - 1) / 2 "
        "pairs of an output and a later token, and it looks at one of them.",
        "Let output t see token t + 1. Only for T = 2 is that the last token and the "
        "first output.",
        "y = x.copy(); y[:, :-1] += x[:, 1:] adds to each token the next one.",
    ),
)

# --- 12.3 -----------------------------------------------------------------------------


def _alike(own, kinds):
    """Correlation of a letter's indicator between two tokens of one document."""
    return (1 / own - 1 / kinds) / (1 - 1 / kinds)


def _worth(documents, length, own, kinds, *, alike=_alike, others=1):
    together = 1 + (length - others) * alike(own, kinds)
    return documents * length / together


@cache
def _measured_worth(documents, length, own, kinds):
    """Return how many independent tokens scatter as much as those of a batch."""
    rng, batches = np.random.default_rng(122), 4000
    shape = batches, documents
    order = rng.random((*shape, kinds)).argsort(axis=-1)[..., :own]
    drawn = rng.integers(0, own, size=(*shape, length))
    letters = np.take_along_axis(order, drawn, axis=-1)
    shares = np.stack([(letters == k).mean(axis=(1, 2)) for k in range(kinds)])
    p = 1 / kinds
    return p * (1 - p) / shares.var(axis=1).mean()


TOKENS_WORTH = Exercise(
    number="12.3",
    name="tokens_worth",
    title="How many tokens are in a batch?",
    signature="tokens_worth(documents, length, own, kinds)",
    reference=_worth,
    accept=measured(_measured_worth, within=0.12),
    cases=lambda: [
        Case(args, "{} documents of {} tokens, {} of {} letters".format(*args))
        for args in ((4, 16, 3, 12), (2, 40, 2, 8), (32, 5, 6, 24), (8, 16, 12, 12))
    ],
    misconceptions=(
        Misconception(
            "all tokens counted",
            "Tokens of one document come from the same few letters, so the second one "
            "says little that the first one did not say. They count as fewer.",
            wrong=partial(_worth, alike=lambda own, kinds: 0.0),
        ),
        Misconception(
            "one for each document",
            "That would be right if all tokens of a document were the same. They come "
            "from several letters, so each of them adds something.",
            wrong=partial(_worth, alike=lambda own, kinds: 1.0),
        ),
        Misconception(
            "documents times letters",
            "A document of many tokens knows its own letters well, but that is not the "
            "number of independent tokens: look at the variance of a letter's share.",
            wrong=lambda documents, length, own, kinds: documents * own,
        ),
        Misconception(
            "the chance of a match taken for the correlation",
            "Two tokens of a document agree with the chance 1 / own, but two of "
            "different documents agree, too, with 1 / kinds. Only the excess counts.",
            wrong=partial(_worth, alike=lambda own, kinds: 1 / own),
        ),
    ),
    hints=(
        "The variance of a mean of n values with correlation r to each other is that "
        "of one value, times (1 + (n - 1) r) / n.",
        "For one letter: p = 1 / kinds, and both of two tokens of a document are this "
        "letter with the chance p / own. So the covariance is p / own - p^2, and the "
        "variance p - p^2.",
        "r = (1 / own - 1 / kinds) / (1 - 1 / kinds); the answer is documents * length "
        "/ (1 + (length - 1) * r).",
    ),
)

# --- 12.4 -----------------------------------------------------------------------------


def _tanh_backward(
    d_y,
    x,
    alpha,
    gamma,
    *,
    slope=lambda y: 1 - y**2,
    slow=1,
    scaled=1,
    axes=(0, 1),
    fed=np.tanh,
):
    y = np.tanh(alpha * x)
    d_inside = d_y * (gamma if scaled else 1.0) * slope(y)
    d_x = d_inside * (alpha if slow else 1.0)
    return (
        d_x,
        np.array((d_inside * x).sum()),
        (d_y * fed(alpha * x)).sum(axis=axes),
        d_y.sum(axis=axes),
    )


def _tanh_alpha_per_feature(d_y, x, alpha, gamma):
    d_x, _, d_gamma, d_beta = _tanh_backward(d_y, x, alpha, gamma)
    d_alpha = d_y * gamma * (1 - np.tanh(alpha * x) ** 2) * x
    return d_x, d_alpha.sum(axis=(0, 1)), d_gamma, d_beta


def _tanh_alpha_through_alpha(d_y, x, alpha, gamma):
    d_x, d_alpha, d_gamma, d_beta = _tanh_backward(d_y, x, alpha, gamma)
    return d_x, d_alpha * alpha, d_gamma, d_beta


def _tanh_cases():
    rng = np.random.default_rng(123)

    def case(n, t, d, alpha):
        x = rng.normal(0.5, 2.0, size=(n, t, d))
        d_y, gamma = rng.normal(size=x.shape), rng.uniform(0.5, 2.0, size=d)
        return Case((d_y, x, alpha, gamma), f"shape ({n}, {t}, {d}), alpha={alpha:g}")

    return [case(2, 3, 4, 0.5), case(3, 2, 5, 1.5), case(1, 4, 3, 0.2)]


TANH_BACKWARD = Exercise(
    number="12.4",
    name="tanh_backward",
    title="The gradient of Dynamic Tanh",
    signature="tanh_backward(d_y, x, alpha, gamma)",
    reference=_tanh_backward,
    cases=_tanh_cases,
    outputs=("d_x", "d_alpha", "d_gamma", "d_beta"),
    misconceptions=(
        Misconception(
            "alpha forgotten in the chain",
            "x enters as alpha * x, so d_x has a factor alpha.",
            wrong=partial(_tanh_backward, slow=0),
        ),
        Misconception(
            "the square forgotten",
            "The derivative of tanh is 1 - tanh^2, not 1 - tanh.",
            wrong=partial(_tanh_backward, slope=lambda y: 1 - y),
        ),
        Misconception(
            "the slope of tanh forgotten",
            "Where tanh is near 1 or -1 it hardly moves: multiply by 1 - tanh^2.",
            wrong=partial(_tanh_backward, slope=np.ones_like),
        ),
        Misconception(
            "gamma forgotten in the chain",
            "What reaches tanh is d_y * gamma: gamma stands between them.",
            wrong=partial(_tanh_backward, scaled=0),
        ),
        Misconception(
            "an alpha for every feature",
            "The layer has one alpha. Its gradient is the sum over all tokens and all "
            "features, one number.",
            wrong=_tanh_alpha_per_feature,
        ),
        Misconception(
            "alpha's gradient times alpha",
            "alpha is multiplied by x, so its gradient has the factor x and no alpha.",
            wrong=_tanh_alpha_through_alpha,
        ),
        Misconception(
            "gamma fed with x",
            "gamma multiplies tanh(alpha * x), not alpha * x: that is the factor of "
            "its gradient.",
            wrong=partial(_tanh_backward, fed=lambda u: u),
        ),
        Misconception(
            "summed over the examples only",
            "gamma and beta serve every token: sum over examples and places, axes 0 "
            "and 1, which leaves (D,).",
            wrong=partial(_tanh_backward, axes=0),
        ),
    ),
    hints=(
        "Three steps forward: u = alpha * x, h = tanh(u), y = gamma * h + beta. Go "
        "back through them one by one.",
        "d_h = d_y * gamma, d_u = d_h * (1 - h**2). Then d_x = d_u * alpha, and "
        "d_alpha is the sum of d_u * x.",
        "d_gamma = (d_y * h).sum(axis=(0, 1)), d_beta = d_y.sum(axis=(0, 1)).",
    ),
)

# --- 12.5 -----------------------------------------------------------------------------


def _clip_units(
    weight, grad, limit, floor, *, axis=1, always=False, of="weight", out=1, up=0
):
    size = np.linalg.norm(weight, axis=axis, keepdims=True)
    size = np.maximum(size, floor) if out else size
    size = size if of == "weight" else np.ones_like(size)
    steep = np.linalg.norm(grad, axis=axis, keepdims=True)
    factor = limit * size / np.maximum(steep, 1e-12)
    if up:
        factor = 1 / factor
    return grad * (factor if always else np.minimum(factor, 1))


def _clip_elements(weight, grad, limit, floor):
    most = limit * np.maximum(np.abs(weight), floor)
    return np.clip(grad, -most, most)


def _clip_whole(weight, grad, limit, floor):
    return _clip_units(weight, grad, limit, floor, axis=None)


def _clip_cases():
    rng = np.random.default_rng(125)

    def case(c_out, c_in, limit):
        # Some units within the limit, some beyond, one with weights of nearly 0.
        size = np.geomspace(0.3, 3.0, c_out)[:, None]
        weight = rng.normal(size=(c_out, c_in)) * size
        weight[0] *= 1e-6
        grad = rng.normal(size=(c_out, c_in)) * rng.permuted(size) * 2 * limit
        grad[0] *= 0.1
        return Case((weight, grad, limit, 1e-3), f"{c_out} units, limit={limit:g}")

    return [case(5, 4, 0.1), case(8, 3, 0.5), case(6, 6, 0.02)]


CLIP_UNITS = Exercise(
    number="12.5",
    name="clip_units",
    title="Clip each unit by its own weights",
    signature="clip_units(weight, grad, limit, floor)",
    reference=_clip_units,
    cases=_clip_cases,
    misconceptions=(
        Misconception(
            "one length for the whole matrix",
            "Each row holds the weights of one unit and has a limit of its own. A "
            "single large row would shorten all others.",
            wrong=_clip_whole,
        ),
        Misconception(
            "every number by itself",
            "That changes the direction of the gradient. A unit's gradient is "
            "shortened as a whole, by one factor.",
            wrong=_clip_elements,
        ),
        Misconception(
            "columns taken for rows",
            "weight has shape (outputs, inputs): the weights of a unit are a row. Take "
            "lengths along axis 1.",
            wrong=partial(_clip_units, axis=0),
        ),
        Misconception(
            "short gradients made longer",
            "Clipping is a limit, no target: a gradient within its limit stays as it "
            "is. The factor is at most 1.",
            wrong=partial(_clip_units, always=True),
        ),
        Misconception(
            "ordinary clipping",
            "The limit is a share of the unit's own weights. Multiply it by their "
            "length.",
            wrong=partial(_clip_units, of="nothing"),
        ),
        Misconception(
            "the floor left out",
            "A unit whose weights are near 0 could never leave it: its limit would be "
            "near 0, too. Take at least floor for the length.",
            wrong=partial(_clip_units, out=0),
        ),
        Misconception(
            "the factor upside down",
            "limit * |W| / |G| is below 1 where the gradient is too long. That is the "
            "factor.",
            wrong=partial(_clip_units, up=1),
        ),
    ),
    hints=(
        "Two lengths for each row: that of the weights, at least floor, and that of "
        "the gradient. Keep them with keepdims=True.",
        "The gradient may be limit * size long. If it is longer, multiply it by limit "
        "* size / steep.",
        "np.minimum(1, limit * size / np.maximum(steep, 1e-12)) is the factor of each "
        "row.",
    ),
)

EXERCISES = (PAST_ONLY, LEAKY_LAYER, TOKENS_WORTH, TANH_BACKWARD, CLIP_UNITS)
