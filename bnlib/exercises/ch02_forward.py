"""Exercises of chapter 2: the forward pass.

The model for every chapter file: one function with a switch for each misconception
makes the right answer and the wrong ones; the cases are chosen so that every switch
shows.
"""

from functools import cache, partial

import numpy as np

from bnlib.exercises.engine.exercise import Case, Exercise, Misconception
from bnlib.exercises.engine.terms import Terms

_SCALES = {
    "sqrt(var + eps)": lambda var, eps: np.sqrt(var + eps),
    "sqrt(var) + eps": lambda var, eps: np.sqrt(var) + eps,
    "sqrt(var)": lambda var, eps: np.sqrt(var),
    "var + eps": lambda var, eps: var + eps,
    "sqrt(std + eps)": lambda var, eps: np.sqrt(np.sqrt(var) + eps),
}


_CENTERS = {
    "(x - mean) / std": lambda x, mean, std: (x - mean) / std,
    "x / std": lambda x, mean, std: x / std,
    "x - mean / std": lambda x, mean, std: x - mean / std,
}


def _forward(
    x,
    gamma,
    beta,
    eps,
    *,
    axis=0,
    ddof=0,
    center="(x - mean) / std",
    scale="sqrt(var + eps)",
    use_gamma=True,
    use_beta=1,
    fixed_eps=None,
    swapped=False,
):
    gamma, beta = (beta, gamma) if swapped else (gamma, beta)
    mean = x.mean(axis=axis, keepdims=True)
    var = x.var(axis=axis, ddof=ddof, keepdims=True)
    eps = eps if fixed_eps is None else fixed_eps
    x_hat = _CENTERS[center](x, mean, _SCALES[scale](var, eps))
    return (gamma if use_gamma else 1.0) * x_hat + use_beta * beta


def _affine_first(x, gamma, beta, eps):
    return _forward(gamma * x + beta, 1.0, 0.0, eps)


def _affine_left_out(x, gamma, beta, eps):
    return _forward(x, 1.0, 0.0, eps)


def _beta_scaled(x, gamma, beta, eps):
    return gamma * _forward(x, 1.0, beta, eps)


def _forward_terms(x, gamma, beta, eps):
    std = np.sqrt(x.var(axis=0) + eps)
    values = {
        "gamma * x / std": gamma * x / std,
        "gamma * mean / std": gamma * x.mean(axis=0) / std + 0 * x,
        "beta": beta + 0 * x,
    }
    return [Terms(values, dict(zip(values, (1, -1, 1), strict=True)), {"N": len(x)})]


def _forward_cases():
    # Few rows, so that N and N - 1 differ; a small spread with a large eps, so that its
    # place shows; N != C, so that a wrong axis does; a negative gamma and columns with
    # unlike scales, so that no misconception looks like another.
    rng = np.random.default_rng(21)

    def case(n, c, mean, spread, eps):
        x = mean + spread * rng.normal(size=(n, c))
        gamma = rng.uniform(0.5, 2.0, size=c) * np.where(np.arange(c) % 2, -1, 1)
        beta = rng.uniform(1.0, 3.0, size=c)
        return Case((x, gamma, beta, eps), f"x of shape ({n}, {c}), eps={eps:g}")

    return [
        case(6, 4, mean=2.0, spread=3.0, eps=1e-5),
        case(5, 3, mean=-1.0, spread=0.05, eps=0.01),
        case(4, 7, mean=5.0, spread=np.arange(1, 8), eps=0.1),
        case(8, 1, mean=100.0, spread=0.5, eps=0.001),
    ]


FORWARD = Exercise(
    number="2.1",
    name="forward",
    title="The forward pass",
    signature="forward(x, gamma, beta, eps)",
    reference=_forward,
    cases=_forward_cases,
    terms=_forward_terms,
    misconceptions=(
        Misconception(
            "variance divided by N - 1",
            "Batch norm describes the batch that it has and estimates nothing: its "
            "variance is divided by N. Only the stored running variance uses N - 1.",
            wrong=partial(_forward, ddof=1),
        ),
        Misconception(
            "eps added to the standard deviation",
            "eps belongs under the square root: sqrt(var + eps). Added after the root, "
            "it changes small variances by another amount than every library does.",
            wrong=partial(_forward, scale="sqrt(var) + eps"),
        ),
        Misconception(
            "eps left out",
            "Without eps a feature that is constant in the batch is divided by zero. "
            "Add it to the variance before the square root.",
            wrong=partial(_forward, scale="sqrt(var)"),
        ),
        Misconception(
            "divided by the variance",
            "The variance has the unit of x squared. Only its square root, the "
            "standard deviation, brings every feature to spread 1.",
            wrong=partial(_forward, scale="var + eps"),
        ),
        Misconception(
            "statistics over the features",
            "Averaging along axis 1 gives one mean per example, which is layer norm. "
            "Batch norm takes one mean per feature, along axis 0.",
            wrong=partial(_forward, axis=1),
        ),
        Misconception(
            "one statistic for the whole array",
            "mean() and var() without an axis mix all features. Each feature has its "
            "own mean and variance: pass axis=0.",
            wrong=partial(_forward, axis=None),
        ),
        Misconception(
            "mean not subtracted",
            "Dividing alone leaves every feature off-center. Subtract the mean of the "
            "batch first.",
            wrong=partial(_forward, center="x / std"),
        ),
        Misconception(
            "gamma and beta applied too early",
            "What is scaled and shifted before normalizing is normalized away again. "
            "gamma and beta act on the normalized values.",
            wrong=_affine_first,
        ),
        Misconception(
            "gamma and beta swapped",
            "gamma multiplies and beta is added: gamma is the new spread of a feature, "
            "beta its new mean.",
            wrong=partial(_forward, swapped=True),
        ),
        Misconception(
            "gamma and beta left out",
            "Normalizing is only half of the layer. The last step multiplies by gamma "
            "and adds beta, feature by feature.",
            wrong=_affine_left_out,
        ),
        Misconception(
            "gamma forgotten",
            "The last step has two halves: the normalized values are multiplied by "
            "gamma, then beta is added.",
            wrong=partial(_forward, use_gamma=False),
        ),
        Misconception(
            "beta forgotten",
            "The last step has two halves: the normalized values are multiplied by "
            "gamma, then beta is added.",
            wrong=partial(_forward, use_beta=0),
        ),
        Misconception(
            "eps fixed at 1e-5",
            "1e-5 is only what most libraries take by default. Here eps is an "
            "argument: use the one that was passed.",
            wrong=partial(_forward, fixed_eps=1e-5),
        ),
        Misconception(
            "beta multiplied by gamma",
            "beta is added last, as it is: gamma * x_hat + beta, not gamma * (x_hat + "
            "beta).",
            wrong=_beta_scaled,
        ),
        Misconception(
            "division before subtraction",
            "Without parentheses Python divides first: x - mean / std. Write "
            "(x - mean) / std.",
            wrong=partial(_forward, center="x - mean / std"),
        ),
    ),
    hints=(
        "There are four steps: the mean of the batch, its variance, the normalized "
        "values, and last the scale and the shift. Write down the shape of each first.",
        "The mean and the variance have shape (C,): take them along axis 0. NumPy then "
        "lines them up with the columns of x without further help.",
        "Divide x - mean by np.sqrt(var + eps), multiply by gamma and add beta. The "
        "var of NumPy divides by N unless told otherwise: just what is wanted here.",
    ),
)


def _images(
    x,
    gamma,
    beta,
    eps,
    *,
    axes=(0, 2, 3),
    per_image=False,
    along=(1, -1, 1, 1),
    ddof=0,
    scale="sqrt(var + eps)",
    affine=1,
):
    mean = x.mean(axis=axes, keepdims=True)
    var = x.var(axis=axes, ddof=ddof, keepdims=True)
    if per_image:
        var = x.var(axis=(2, 3), keepdims=True).mean(axis=0, keepdims=True)
    x_hat = (x - mean) / _SCALES[scale](var, eps)
    gamma, beta = gamma**affine, affine * beta
    return gamma.reshape(along) * x_hat + beta.reshape(along)


def _images_not_kept(x, gamma, beta, eps):
    mean, var = x.mean(axis=(0, 2, 3)), x.var(axis=(0, 2, 3))
    return gamma * (x - mean) / np.sqrt(var + eps) + beta


def _images_rows_as_channels(x, gamma, beta, eps):
    rows = x.reshape(x.shape[1], -1)
    mean, var = rows.mean(axis=1, keepdims=True), rows.var(axis=1, keepdims=True)
    y = gamma[:, None] * (rows - mean) / np.sqrt(var + eps) + beta[:, None]
    return y.reshape(x.shape)


def _images_cases():
    # As many columns as channels, so that NumPy broadcasts a mistake without a word;
    # images of unlike brightness, so that the spread between them counts.
    rng = np.random.default_rng(22)

    def case(n, c, h, eps):
        offset = rng.normal(0, 2, size=(n, c, 1, 1)) + 3 * np.arange(c).reshape(c, 1, 1)
        x = offset + rng.normal(size=(n, c, h, c))
        gamma, beta = rng.uniform(0.5, 2.0, size=c), rng.uniform(-2.0, 2.0, size=c)
        return Case((x, gamma, beta, eps), f"x of shape {x.shape}, eps={eps:g}")

    return [case(4, 3, 2, 1e-5), case(2, 4, 5, 0.01), case(5, 2, 3, 0.1)]


IMAGES = Exercise(
    number="2.2",
    name="batch_norm_images",
    title="Images: which axes?",
    signature="batch_norm_images(x, gamma, beta, eps)",
    reference=_images,
    cases=_images_cases,
    misconceptions=(
        Misconception(
            "a statistic for every position",
            "axis=0 alone treats each pixel as a feature of its own. A convolution "
            "uses the same weights at all positions, so they share one mean and one "
            "variance: average over H and W too.",
            wrong=partial(_images, axes=0),
        ),
        Misconception(
            "reshaped to (C, -1) in the order of memory",
            "reshape keeps the order of memory, where the examples come first, so each "
            "row holds values of several channels. Move the channel axis to the front "
            "first, with swapaxes(0, 1).",
            wrong=_images_rows_as_channels,
        ),
        Misconception(
            "each image on its own",
            "Averaging over H and W only is instance norm. Batch norm pools the "
            "images of the batch: axis 0 belongs to the average.",
            wrong=partial(_images, axes=(2, 3)),
        ),
        Misconception(
            "variance averaged over the images",
            "The mean of the images' variances forgets how far the images lie from "
            "each other. Take one variance around the common mean, over N, H and W.",
            wrong=partial(_images, per_image=True),
        ),
        Misconception(
            "the channels were averaged away",
            "Axis 1 is the one axis that stays: each channel has its own mean and "
            "variance. Average over axes 0, 2 and 3.",
            wrong=partial(_images, axes=1),
        ),
        Misconception(
            "everything in one statistic",
            "mean() and var() without axes mix the channels. There are C means, one "
            "for each channel.",
            wrong=partial(_images, axes=None),
        ),
        Misconception(
            "channels taken from the last axis",
            "Here the channels are axis 1; axis 3 is the width. Nothing complains, "
            "because the widths of the cases equal their numbers of channels.",
            wrong=partial(_images, axes=(0, 1, 2), along=-1),
        ),
        Misconception(
            "channel statistics laid along the width",
            "The right means, subtracted from the wrong axis: NumPy lines up shapes "
            "from the right, so (C,) meets the width. Keep the dimensions "
            "(keepdims=True), and reshape the two parameters to (1, C, 1, 1).",
            wrong=_images_not_kept,
        ),
        Misconception(
            "gamma and beta along the width",
            "NumPy lines up shapes from the right, so a gamma of shape (C,) meets the "
            "width. Reshape gamma and beta to (1, C, 1, 1).",
            wrong=partial(_images, along=-1),
        ),
        Misconception(
            "eps added to the standard deviation",
            "eps belongs under the square root, as in exercise 2.1: sqrt(var + eps).",
            wrong=partial(_images, scale="sqrt(var) + eps"),
        ),
        Misconception(
            "eps left out",
            "A channel that is constant in the batch would be divided by zero. Add eps "
            "to the variance before the square root.",
            wrong=partial(_images, scale="sqrt(var)"),
        ),
        Misconception(
            "each example over all its channels",
            "The channels were averaged away, and the batch was not: that is layer "
            "norm. Keep axis 1, average over 0, 2 and 3.",
            wrong=partial(_images, axes=(1, 2, 3)),
        ),
        Misconception(
            "a statistic for every column",
            "axis=(0, 1, 2) leaves the last axis, the columns of the image. In (N, C, "
            "H, W) the channels are axis 1.",
            wrong=partial(_images, axes=(0, 1, 2)),
        ),
        Misconception(
            "variance divided by one less",
            "Batch norm describes the batch that it has: its variance is divided by "
            "the number of values, N * H * W. Only the stored one is unbiased.",
            wrong=partial(_images, ddof=1),
        ),
        Misconception(
            "gamma and beta left out",
            "Normalizing is only half of the layer. The last step multiplies by gamma "
            "and adds beta, channel by channel.",
            wrong=partial(_images, affine=0),
        ),
    ),
    hints=(
        "Which of the four axes must survive? Its length is the number of means. All "
        "others are averaged away.",
        "mean and var take a tuple of axes, and keepdims=True keeps them in a shape "
        "that lines up with x.",
        "Use axis=(0, 2, 3) for both statistics, and gamma.reshape(1, -1, 1, 1), the "
        "same for beta: NumPy would otherwise lay them along the width.",
    ),
)


def _output_std(std, gamma, eps, *, sign=np.abs, scale="sqrt(var + eps)"):
    return sign(gamma) * std / _SCALES[scale](std**2, eps)


def _as_it_is(values):
    return values


def _is_gamma(result, std, gamma, eps):
    # Without eps a constant channel is 0/0, and only that one.
    if np.isnan(result).all():
        return False
    return np.all(np.isnan(result) | np.isclose(np.abs(result), np.abs(gamma)))


def _output_variance(std, gamma, eps):
    return gamma**2 * std**2 / (std**2 + eps)


def _std_not_normalized(std, gamma, eps):
    return np.abs(gamma) * std


def _output_std_cases():
    def case(std, gamma, eps, note):
        return Case((np.array(std), np.array(gamma), eps), f"{note}, eps={eps:g}")

    return [
        case([2.0, 0.1, 0.01], [1.5, 0.5, 3.0], 0.01, "large and small std"),
        case([0.5, 0.02], [-2.0, 0.7], 0.001, "a negative gamma"),
        case([0.3, 0.0, 0.03, 5.0], [0.5, 2.0, -1.2, 4.0], 0.1, "a constant channel"),
    ]


OUTPUT_STD = Exercise(
    number="2.3",
    name="output_std",
    title="How wide is the output?",
    signature="output_std(std, gamma, eps)",
    reference=_output_std,
    cases=_output_std_cases,
    misconceptions=(
        Misconception(
            "eps has no effect",
            "The output spread is gamma only if the variance is far above eps. A "
            "channel whose variance is about eps comes out narrower, a constant one as "
            "a point.",
            recognize=_is_gamma,
        ),
        Misconception(
            "a negative spread",
            "A negative gamma mirrors the values. It does not make their standard "
            "deviation negative: use the absolute value of gamma.",
            wrong=partial(_output_std, sign=_as_it_is),
        ),
        Misconception(
            "eps beside the standard deviation",
            "eps is added to the variance, under the root. Beside the std it would "
            "hardly touch small channels: at std = eps it only halves them.",
            wrong=partial(_output_std, scale="sqrt(var) + eps"),
        ),
        Misconception(
            "the variance of the output",
            "This is the square of what is asked. The standard deviation scales with "
            "gamma, the variance with gamma squared.",
            wrong=_output_variance,
        ),
        Misconception(
            "eps added to std instead of its square",
            "Under the root stands the variance: std**2 + eps. You have std + eps "
            "there.",
            wrong=partial(_output_std, scale="sqrt(std + eps)"),
        ),
        Misconception(
            "spread of the input kept",
            "Before gamma comes the division by sqrt(std**2 + eps). It takes the "
            "spread of the input away, up to the effect of eps.",
            wrong=_std_not_normalized,
        ),
    ),
    hints=(
        "Find out which of the four steps change the spread at all, and by what "
        "factor. Adding and subtracting move all values together.",
        "The spread is divided by sqrt(var + eps), where var is std squared, and then "
        "multiplied by gamma. Think of the sign.",
        "Return np.abs(gamma) times std, divided by np.sqrt(std**2 + eps).",
    ),
)


# 2.4 -------------------------------------------------------------------------------

# Rounded to float32, a number is off by at most this share of it.
_ROUNDING = 2.0**-24


@cache
def _one_pass_error(mean, std):
    """Return the median relative error of the one-pass variance in float32."""
    rng = np.random.default_rng(24)
    x = (mean + std * rng.normal(size=(200, 1024))).astype(np.float32)
    with np.errstate(all="ignore"):
        one_pass = (x * x).mean(axis=1) - x.mean(axis=1) ** 2
        error = np.abs(one_pass / x.astype(float).var(axis=1) - 1)
    return float(np.median(np.nan_to_num(error, nan=np.inf)))


def _breaking_mean(std):
    # Squares near mean**2 are rounded by that share of mean**2, beside std**2.
    return std * np.sqrt(0.1 / _ROUNDING)


def _breaking_fault(result, std):
    mean = float(result)
    if mean <= 0:
        return "Your result is not above 0; asked is a positive mean."
    near, far = _one_pass_error(mean / 3, std), _one_pass_error(3 * mean, std)
    if near < 0.1 <= far:
        return None
    text = (
        f"Your result is {mean:.3g}. Measured: an error of {near:.2g} at a third of it"
    )
    side = "too large" if near >= 0.1 else "too small"
    return f"{text} and of {far:.2g} at three times it, so it is {side}."


def _within_ten(number):
    return lambda result, std: 0.1 < float(result) / number(std) < 10


BREAKING_MEAN = Exercise(
    number="2.4",
    name="breaking_mean",
    title="Where one pass breaks",
    signature="breaking_mean(std)",
    reference=_breaking_mean,
    accept=_breaking_fault,
    cases=lambda: [Case((s,), f"std={s:g}") for s in (1.0, 0.01, 300.0)],
    misconceptions=(
        Misconception(
            "the same mean for every spread",
            "Change the unit of x: mean and std change together, and so must your "
            "answer. What counts is the mean in units of the std.",
            recognize=_within_ten(lambda std: 1290.0),
        ),
        Misconception(
            "the error grows with the mean itself",
            "float32 keeps 7 digits of the squares, not of x. The error is 1e-7 times "
            "mean**2, beside std**2: it grows with the square of mean / std.",
            recognize=_within_ten(lambda std: std * 0.1 / _ROUNDING),
        ),
        Misconception(
            "the spread upside down",
            "A narrow feature is lost sooner: its variance is small beside the rounded "
            "squares. The mean that breaks it grows with std.",
            recognize=_within_ten(lambda std: 1290.0 / std),
        ),
        Misconception(
            "the square of the ratio",
            "0.1 / 6e-8 is mean**2 / std**2. The root of it is still to be taken.",
            recognize=_within_ten(lambda std: std**2 * 0.1 / _ROUNDING),
        ),
    ),
    hints=(
        "A float32 square near mean**2 is rounded by about 6e-8 times mean**2. Compare "
        "that with the variance, std**2.",
        "The relative error is about 6e-8 * (mean / std)**2. Set it to 0.1 and solve "
        "for the mean.",
    ),
)


# 2.5 -------------------------------------------------------------------------------


def _other_batch(a, eps):
    return a.mean(axis=0) + 3 * (a - a.mean(axis=0))


def _means_kept(result, a):
    off = np.abs(result.mean(axis=0) - a.mean(axis=0))
    return bool((off <= 1e-6 * a.std(axis=0)).all())


def _change_by_layer(result, a, eps):
    """Return by how much the layer made for a changes a batch, in std of a."""
    gamma, beta = np.sqrt(a.var(axis=0) + eps), a.mean(axis=0)
    centered = result - result.mean(axis=0)
    y = gamma * centered / np.sqrt(result.var(axis=0) + eps) + beta
    return np.sqrt(np.square(y - result).mean(axis=0)) / a.std(axis=0)


def _other_batch_fault(result, a, eps):
    if not _means_kept(result, a):
        return (
            "Your result has other means than a; asked is a batch with the same ones."
        )
    change = _change_by_layer(result, a, eps).min()
    if change >= 0.5:
        return None
    return (
        f"The layer moves your result by {change:.2g} standard deviations of a, in the "
        "feature that moves least; asked is at least 0.5."
    )


def _is_multiple(result, a, eps):
    factor = (result * a).sum() / np.square(a).sum()
    return abs(factor - 1) > 1e-6 and np.allclose(result, factor * a)


def _is_reordered(result, a, eps):
    return np.allclose(np.sort(result, axis=0), np.sort(a, axis=0))


def _changes_too_little(result, a, eps):
    moved = not _is_reordered(result, a, eps) and _means_kept(result, a)
    return moved and _change_by_layer(result, a, eps).max() < 0.5


def _other_batch_cases():
    rng = np.random.default_rng(24)

    def case(n, c, eps):
        a = 4 + np.arange(c) + 0.5 * (1 + np.arange(c)) * rng.normal(size=(n, c))
        return Case((a, eps), f"a of shape ({n}, {c}), eps={eps:g}")

    return [case(6, 3, 1e-5), case(4, 2, 0.01), case(9, 4, 0.1)]


OTHER_BATCH = Exercise(
    number="2.5",
    name="other_batch",
    title="The layer that does nothing?",
    signature="other_batch(a, eps)",
    reference=_other_batch,
    accept=_other_batch_fault,
    cases=_other_batch_cases,
    misconceptions=(
        Misconception(
            "a multiple of the batch",
            "Multiplied around zero, the batch gets another mean, which was to stay. "
            "Stretch it around its own mean: subtract the mean first, add it "
            "afterwards.",
            recognize=_is_multiple,
        ),
        Misconception(
            "the mean moved",
            "A batch with another mean is changed, that is true, and too easy. Here "
            "the mean of each feature must stay: find what else the layer takes away.",
            recognize=lambda result, a, eps: not _means_kept(result, a),
        ),
        Misconception(
            "the same values in another order",
            "Mean and spread do not know the order of the rows, so the layer does with "
            "these values what it does with a: nothing.",
            recognize=_is_reordered,
        ),
        Misconception(
            "too small a change",
            "The layer gives every batch the spread of a. If the spread of yours is "
            "nearly the same, it changes little: make it at least half as large again.",
            recognize=_changes_too_little,
        ),
    ),
    hints=(
        "The layer sets two numbers of each feature: the mean and the spread. The "
        "first must stay, so change the other.",
        "Stretch the values around their mean: mean + k * (a - mean) has the mean of a "
        "and k times its spread. The layer takes the k away.",
    ),
)


def _variance(x, ddof=0):
    return np.square(x - x.mean()).sum() / (len(x) - ddof)


def _one_pass(x):
    return np.square(x).mean() - np.square(x.mean())


def _clipped(x):
    return max(_one_pass(x), x.dtype.type(0))


def _one_pass_made_positive(x):
    return abs(_one_pass(x))


def _converted_late(result, x):
    # Near zero right, far from it wrong, in a way that depends on where it was rounded.
    want, far = _variance(x.astype(float)), abs(x.mean()) > 1e3
    if not far:
        return abs(result - want) <= 1e-4 * want
    known = (_one_pass(x), _clipped(x), _one_pass_made_positive(x))
    return abs(result - want) > 0.01 * want and not np.isin(result, known)


def _variance_cases():
    # Far from zero these values give a negative one-pass variance in float32, and the
    # same one in whatever order the squares are added.
    rng = np.random.default_rng(23)
    near = rng.normal(1.0, 2.0, size=40).astype(np.float32)
    far = np.array([13784.0, 13781.5, 13781.0], dtype=np.float32)
    below = -np.array([5205.5, 5206.0, 5207.5], dtype=np.float32)
    return [
        Case((near,), "40 values around 1"),
        Case((far,), "3 values around 13782"),
        Case((below,), "3 values around -5206"),
    ]


VARIANCE = Exercise(
    number="2.6",
    name="variance",
    title="Far from zero",
    signature="variance(x)",
    reference=_variance,
    cases=_variance_cases,
    misconceptions=(
        Misconception(
            "one-pass variance",
            "E[x^2] - E[x]^2 subtracts two huge, nearly equal numbers, and float32 "
            "keeps only seven digits of each. Subtract the mean first, square "
            "afterwards.",
            wrong=_one_pass,
        ),
        Misconception(
            "negative variance clipped",
            "Clipping at 0 hides the NaN, not the error: the digits were lost before. "
            "The channel would then be divided by sqrt(eps) alone. Subtract the mean "
            "first.",
            wrong=_clipped,
        ),
        Misconception(
            "negative variance made positive",
            "abs hides the sign, not the error: all digits were lost before. Subtract "
            "the mean first, square afterwards.",
            wrong=_one_pass_made_positive,
        ),
        Misconception(
            "more digits too late",
            "The squares were rounded to float32 before they were converted, and what "
            "is lost by then does not come back. Subtract the mean first; then float32 "
            "is enough.",
            recognize=_converted_late,
        ),
        Misconception(
            "divided by M - 1",
            "To normalize, the sum of squares is divided by the number of values M.",
            wrong=partial(_variance, ddof=1),
        ),
    ),
    hints=(
        "Write down E[x^2] for values around 13782 and count its digits. float32 keeps "
        "about seven.",
        "Numbers that are nearly equal should be subtracted while they are still "
        "small: before squaring.",
        "Compute d = x - x.mean() first, then the mean of d * d.",
    ),
    rtol=1e-4,
    atol=0.0,
)


def _identity(x, eps, *, ddof=0, scale="sqrt(var + eps)", sign=1, unit=0):
    std = _SCALES[scale](x.var(axis=0, ddof=ddof), eps)
    return std, sign * x.mean(axis=0) / std**unit


def _forward_again(x, eps):
    std, mean = _identity(x, eps)
    return 1 / std, -mean / std


def _identity_swapped(x, eps):
    return _identity(x, eps)[::-1]


def _start_values(x, eps):
    return np.ones(x.shape[1]), np.zeros(x.shape[1])


def _identity_cases():
    rng = np.random.default_rng(24)

    def case(n, c, eps):
        x = 4 + np.arange(c) + 0.5 * (1 + np.arange(c)) * rng.normal(size=(n, c))
        return Case((x, eps), f"x of shape ({n}, {c}), eps={eps:g}")

    return [case(6, 3, 0.1), case(4, 2, 0.01), case(9, 4, 0.5)]


IDENTITY = Exercise(
    number="2.7",
    name="identity_parameters",
    title="The layer that does nothing",
    signature="identity_parameters(x, eps)",
    reference=_identity,
    cases=_identity_cases,
    outputs=("gamma", "beta"),
    misconceptions=(
        Misconception(
            "gamma without eps",
            "The layer divides by sqrt(var + eps), so gamma must be exactly that. With "
            "the plain std every value ends a little too close to the mean.",
            wrong=partial(_identity, scale="sqrt(var)"),
        ),
        Misconception(
            "eps beside the standard deviation",
            "The layer divides by sqrt(var + eps), with eps under the root. gamma must "
            "be the same number.",
            wrong=partial(_identity, scale="sqrt(var) + eps"),
        ),
        Misconception(
            "beta with the wrong sign",
            "The layer has subtracted the mean. beta gives it back, so it is the mean "
            "itself, not its negative.",
            wrong=partial(_identity, sign=-1),
        ),
        Misconception(
            "gamma is the variance",
            "The layer divides by a standard deviation, not by a variance: the root "
            "belongs to gamma too.",
            wrong=partial(_identity, scale="var + eps"),
        ),
        Misconception(
            "normalized a second time",
            "Dividing by the spread and subtracting the mean is what the layer has "
            "done already. gamma and beta must undo it: multiply by the spread, add "
            "the mean.",
            wrong=_forward_again,
        ),
        Misconception(
            "gamma and beta in the wrong order",
            "Both values are right, but the function should return gamma first and "
            "beta second.",
            wrong=_identity_swapped,
        ),
        Misconception(
            "beta in units of the spread",
            "beta is added after the multiplication by gamma, so it is the mean "
            "itself, in the unit of x.",
            wrong=partial(_identity, unit=1),
        ),
        Misconception(
            "spread taken with M - 1",
            "The layer divides by the biased variance (divided by the number of "
            "values), so gamma must undo that one.",
            wrong=partial(_identity, ddof=1),
        ),
        Misconception(
            "the values that training starts with",
            "gamma = 1 and beta = 0 leave the normalized values as they are. What is "
            "asked is to get x back.",
            wrong=_start_values,
        ),
    ),
    hints=(
        "Solve y = x for one channel: gamma * (x - mean) / sqrt(var + eps) + beta = x "
        "must hold for every value x of the batch.",
        "The factors in front of x must be equal on both sides, and so must the rest. "
        "The first gives gamma, the second beta.",
        "gamma is np.sqrt(x.var(axis=0) + eps), with eps inside, and beta is the mean "
        "along axis 0.",
    ),
)


EXERCISES = (
    FORWARD,
    IMAGES,
    OUTPUT_STD,
    BREAKING_MEAN,
    OTHER_BATCH,
    VARIANCE,
    IDENTITY,
)
