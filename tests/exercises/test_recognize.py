from functools import partial

import numpy as np
import pytest
from test_checker import X, Y, make, returning, say, total

from bnlib.exercises import Misconception, get
from bnlib.exercises.engine.checker import diagnose
from bnlib.exercises.engine.terms import Terms, wrong_factors


def sums(x, y, *, sign=1, factor=1, shift=0):
    return factor * (x + sign * y) + shift, factor * y


SIGN = Misconception("minus", "Add.", wrong=partial(sums, sign=-1))
FACTOR = Misconception("doubled", "Take it once.", wrong=partial(sums, factor=2))
SHIFT = Misconception("shifted", "Add nothing.", wrong=partial(sums, shift=3))
PAIR = make(
    sums,
    (X, Y),
    (X - 9, Y),
    outputs=("total", "rest"),
    misconceptions=(SIGN, FACTOR, SHIFT),
)


def test_wrong_output_is_explained_beside_a_right_one():
    verdict = diagnose(PAIR, lambda x, y: (2 * (x + y), y))
    assert verdict.misconception == "doubled"
    text = " ".join(verdict.text.split())
    assert "In total this looks like a known misconception: doubled. Take it" in text


def test_two_outputs_may_have_two_reasons():
    verdict = diagnose(PAIR, lambda x, y: (x - y, 2 * y))
    assert verdict.misconception == "minus and doubled"
    assert "In total this" in verdict.text and "In rest this" in verdict.text


def test_one_reason_for_two_outputs_is_given_once():
    def sums_of_three(x, y, factor=1):
        return x - y, factor * x, factor * y

    exercise = make(
        sums_of_three,
        outputs=("a", "b", "c"),
        misconceptions=(
            Misconception("d", "D.", wrong=partial(sums_of_three, factor=2)),
        ),
    )
    text = say(exercise, lambda x, y: (x + y, 2 * x, 2 * y))
    assert "In b and c this looks like a known misconception: d. D." in text


def test_output_that_nothing_explains_is_not_explained():
    verdict = diagnose(PAIR, lambda x, y: (x * y, 2 * y))
    assert verdict.misconception == "doubled"
    assert "In total" not in verdict.text
    assert diagnose(PAIR, lambda x, y: (x * y, y)).misconception is None


def test_output_must_be_explained_in_all_cases():
    def once(x, y):
        return (2 if x[0, 0] > 0 else 3) * (x + y), y

    assert diagnose(PAIR, once).misconception is None


@pytest.mark.parametrize("got", [3.0, (X,), np.ones(2), "ab", {"a": X, "b": Y}])
def test_result_without_these_outputs_is_no_match(got):
    assert diagnose(PAIR, returning(got)).misconception is None


def test_two_switches_at_once_are_named():
    verdict = diagnose(PAIR, lambda x, y: (x - y + 3, y))
    assert verdict.misconception == "minus and shifted"
    text = " ".join(verdict.text.split())
    assert "like two known misconceptions at once: minus; and shifted." in text
    assert "Add. Add nothing." in text


def test_switches_of_different_functions_are_not_mixed():
    other = Misconception("other", "O.", wrong=partial(lambda x, y, k: (x, y), k=1))
    exercise = make(sums, misconceptions=(other, SIGN))
    assert diagnose(exercise, lambda x, y: (x - y - 1, y)).misconception is None


def test_no_pair_is_tried_when_patience_is_over(monkeypatch):
    monkeypatch.setattr("bnlib.exercises.engine.recognize.PATIENCE", -1.0)
    assert diagnose(PAIR, lambda x, y: (x - y + 3, y)).misconception is None


def test_weak_misconception_speaks_of_possible_causes():
    weak = Misconception("zeros", "This or that.", wrong=lambda x, y: 0 * x, weak=True)
    text = say(make(total, misconceptions=(weak,)), lambda x, y: np.zeros(x.shape))
    assert "Possible causes (zeros): This or that." in text
    assert "looks like" not in text


def test_property_is_not_asked_of_results_in_float32():
    odd = Misconception("odd", "O.", recognize=lambda result, x, y: True)
    exercise = make(total, misconceptions=(odd,))
    assert diagnose(exercise, lambda x, y: x * y).misconception == "odd"
    single = (X * Y).astype(np.float32)
    assert diagnose(exercise, returning(single)).misconception is None


# Factors of terms --------------------------------------------------------------------


def terms(x, y):
    values = {"x": x, "mean(x)": x.mean() + 0 * x, "y": y + 0 * x}
    return [Terms(values, {"x": 1, "mean(x)": -1, "y": 0}, {"N": x.size})]


LINEAR_2 = make(
    lambda x, y: (y, x - x.mean()),
    (X, Y),
    (np.tile(X, 2), np.tile(Y, 2)),
    outputs=("y", "centered"),
    terms=lambda x, y: [
        Terms(
            {"x": x, "mean(x)": x.mean() + 0 * x},
            {"x": 1, "mean(x)": -1},
            {"N": x.size},
            part=1,
        )
    ],
)


@pytest.mark.parametrize(
    ("fn", "words"),
    [
        (lambda x, y: (y, x + x.mean()), "the factor +1; it should be -1."),
        (lambda x, y: (y, x), "mean(x) enters with the factor 0; it should be -1."),
        (lambda x, y: (y, x - x.sum()), "mean(x) enters with the factor -N;"),
        (lambda x, y: (y, x / x.size - x.mean()), "x enters with the factor +1/N;"),
        (lambda x, y: (y, 2.5 * x - x.mean()), "x enters with the factor +2.5;"),
    ],
)
def test_wrong_factor_of_a_term_is_said(fn, words):
    verdict = diagnose(LINEAR_2, fn)
    text = " ".join(verdict.text.split())
    assert "Your centered is a sum of the right terms but for this:" in text
    assert words in text
    assert verdict.misconception == "wrong factors"


@pytest.mark.parametrize(
    "fn",
    [
        lambda x, y: (y, x**2),
        lambda x, y: (y, x * y[0] * x.size**0.5 - x.mean()),
        lambda x, y: 3.0,
        lambda x, y: (y, np.nan * x),
        lambda x, y: (y, "text"),
        lambda x, y: (y, x[:1]),
        lambda x, y: 1 / 0,
        lambda x, y: (2 * y, x - x.mean()),
    ],
)
def test_nothing_is_said_where_the_terms_do_not_explain(fn):
    verdict = diagnose(LINEAR_2, fn)
    assert verdict.status == "not yet"
    assert "right terms" not in verdict.text


def test_term_that_does_not_belong_is_said():
    exercise = make(
        lambda x, y: x - x.mean(), (X, Y), (X**2, Y[::-1] ** 2), terms=terms
    )
    text = say(exercise, lambda x, y: x - x.mean() + 2 * y)
    assert "y enters with the factor +2; it does not belong there." in text


def test_terms_that_cannot_be_told_apart_say_nothing():
    exercise = make(
        lambda x, y: x - x.mean(),
        terms=lambda x, y: [Terms({"x": x, "2x": 2 * x}, {"x": 1, "2x": 0}, {})],
    )
    assert "right terms" not in say(exercise, lambda x, y: 3 * x)


def test_case_of_large_values_does_not_drown_the_others():
    exercise = make(
        lambda x, y: x - x.mean(),
        (X, Y),
        (X**2 * 1e9, Y[::-1]),
        terms=lambda x, y: [
            Terms({"x": x, "mean(x)": x.mean() + 0 * x}, {"x": 1, "mean(x)": -1}, {})
        ],
    )
    assert "factor +1; it should be -1" in say(exercise, lambda x, y: x + x.mean())
    assert "right terms" not in say(exercise, lambda x, y: x + x.mean() + y)


def test_few_values_prove_nothing():
    two = np.array([1.0, 2.0])
    exercise = make(
        lambda x, y: x,
        (two, np.array([3.0, 5.0])),
        terms=lambda x, y: [Terms({"x": x, "y": y}, {"x": 1, "y": 0}, {})],
    )
    assert "right terms" not in say(exercise, lambda x, y: x * y)


def test_factors_are_said_of_outputs_that_nothing_else_explains():
    def both(part):
        values = {"x": X, "1": np.ones(X.shape)}
        return Terms(values, {"x": 1, "1": 0}, {}, part)

    exercise = make(
        lambda x, y: (x, x),
        outputs=("a", "b"),
        terms=lambda x, y: [both(0), both(1)],
        misconceptions=(Misconception("m", "M.", wrong=lambda x, y: (-x, x)),),
    )
    text = say(exercise, lambda x, y: (-x, x + 7))
    assert "In a this looks like a known misconception: m." in text
    assert "Your b is a sum of the right terms but for this: 1 enters with the" in text
    assert "Your a is" not in text


def test_exchanged_outputs_do_not_explain_one_of_them():
    exercise = make(
        lambda x, y: (x, -x),
        misconceptions=(Misconception("m", "M.", wrong=lambda x, y: (-x, x)),),
    )
    assert diagnose(exercise, lambda x, y: (-x, x)).misconception == "m"
    assert diagnose(exercise, lambda x, y: (-x, -x)).misconception is None


def test_terms_that_are_not_finite_say_nothing():
    exercise = make(
        lambda x, y: x,
        terms=lambda x, y: [Terms({"x": x, "z": x / 0}, {"x": 1, "z": 0}, {})],
    )
    assert diagnose(exercise, lambda x, y: 2 * x + x**2).misconception is None


def test_exercise_without_terms_says_nothing():
    assert wrong_factors(make(total), [], []) == ""


def wrong_sign(d_y, x_hat, inv_std, gamma):
    d = gamma * d_y
    d_x = inv_std * (d - d.mean(0) + x_hat * (d * x_hat).mean(0))
    return d_x, (d_y * x_hat).sum(0), d_y.sum(0)


def half_averaged(d_y, x_hat, inv_std, gamma):
    d = gamma * d_y
    d_x = inv_std * (d - d.sum(0) - x_hat * (d * x_hat).mean(0))
    return d_x, (d_y * x_hat).sum(0), d_y.sum(0)


def quarter_missing(n_a, mean_a, var_a, n_b, mean_b, var_b):
    n = n_a + n_b
    mean = (n_a * mean_a + n_b * mean_b) / n
    var = (n_a * var_a - n_b * var_b) / n + n_a * n_b / n**2 * (mean_a - mean_b) ** 2
    return n, mean, var


def added_up(running_mean, running_var, x, momentum):
    mean = (1 - momentum) * running_mean - momentum * x.mean(0)
    return mean, (1 - momentum) * running_var + momentum * x.var(0, ddof=1)


def bias_twice(weight, bias, gamma, beta, mean, var, eps):
    scale = gamma / np.sqrt(var + eps)
    return scale[:, None] * weight, (2 * bias - mean) * scale - beta


def half_an_offset(weight, mean, var, gain, offset):
    total = weight.sum(axis=(1, 2, 3))
    return gain * mean - offset * total, (gain**2 + gain) * var


def merged_by_halves(counts, means, m2s):
    n, w = counts.sum(), counts[:, None]
    mean = (w * means).sum(0) / n
    return mean, (m2s + 0.5 * w * (means - mean) ** 2).sum(0) / n


def plus_the_mean(x, gamma, beta, eps):
    return gamma * (x + x.mean(0)) / np.sqrt(x.var(0) + eps) + beta


def half_the_weights(w, b, mean, std):
    return w / std / 2, b - (w / std) @ mean


def half_the_mean(d_centered):
    return d_centered - d_centered.mean(0) / 2


def by_positions(d_y, x_hat):
    return (d_y * x_hat).mean((2, 3)).sum(0), d_y.mean((2, 3)).sum(0)


def half_the_bias(bias, gamma, beta, running_mean, running_var):
    return beta - bias, running_mean - bias


def added_variance(running_var, var, counts, rank, momentum):
    n = sum(counts)
    return (1 - momentum) * running_var - momentum * var * n / (n - 1)


def old_mean_twice(mean, var, z, prior):
    new = len(z) / (prior + len(z))
    new_var = (1 - new) * var + new * z.var((0, 2, 3), ddof=1)
    return 2 * (1 - new) * mean + new * z.mean((0, 2, 3)), new_var


def local_variance_term(d_y_parts, x_hat_parts, gamma, inv_std, rank):
    d, h = gamma * d_y_parts[rank], x_hat_parts[rank]
    mean = gamma * np.concatenate(d_y_parts).mean(0)
    return inv_std * (d - mean + h * (d * h).mean(0))


@pytest.mark.parametrize(
    ("name", "fn", "words"),
    [
        ("3.2", wrong_sign, "mean(d_x_hat * x_hat) enters with the factor +1;"),
        ("3.2", half_averaged, "mean(d_x_hat) enters with the factor -N; it should be"),
        ("4.7", quarter_missing, "n_b/n * var_b enters with the factor -1;"),
        ("4.1", added_up, "momentum * mean(x) enters with the factor -1;"),
        ("4.5", bias_twice, "scale * bias enters with the factor +2;"),
        ("4.5", bias_twice, "beta enters with the factor -1; it should be +1."),
        ("10.2", half_an_offset, "the sum of the weights enters with the factor -1;"),
        ("10.2", half_an_offset, "gain * var enters with the factor +1; it does not"),
        ("9.2", merged_by_halves, "(means - mean)**2) / n enters with the factor +0.5"),
        ("2.1", plus_the_mean, "gamma * mean / std enters with the factor +1; it"),
        ("1.3", half_the_weights, "w / std enters with the factor +0.5; it should be"),
        ("3.1", half_the_mean, "mean(d_centered) enters with the factor -0.5;"),
        ("3.3", by_positions, "sum(d_y) enters with the factor +1/(H * W); it should"),
        ("7.3", half_the_bias, "bias enters with the factor -1; it does not belong"),
        ("9.4", added_variance, "n / (n - 1) enters with the factor -1; it should be"),
        ("10.6", old_mean_twice, "N / (N + n) * mean enters with the factor +2;"),
        ("9.3", local_variance_term, "of this rank enters with the factor +1; it does"),
    ],
)
def test_terms_of_the_exercises(name, fn, words):
    assert words in say(get(name), fn)


# Answers with two errors, and with none that is known --------------------------------


def biased_and_swapped(running_mean, running_var, x, momentum):
    mean = momentum * running_mean + (1 - momentum) * x.mean(0)
    return mean, momentum * running_var + (1 - momentum) * x.var(0)


def as_torch_std_plus_eps(x, gamma, beta, eps):
    return gamma * (x - x.mean(0)) / (x.std(0, ddof=1) + eps) + beta


def sign_and_std(w, b, mean, std):
    return w / std, b + w @ mean


def eps_beside_and_signed(std, gamma, eps):
    return gamma * std / (std + eps)


@pytest.mark.parametrize(
    ("name", "fn", "both"),
    [
        (
            "4.1",
            biased_and_swapped,
            "momentum the wrong way round and biased variance stored",
        ),
        (
            "2.1",
            as_torch_std_plus_eps,
            "variance divided by N - 1 and eps added to the standard deviation",
        ),
        (
            "1.3",
            sign_and_std,
            "bias corrected with the wrong sign and std forgotten in the bias",
        ),
        (
            "2.3",
            eps_beside_and_signed,
            "a negative spread and eps beside the standard deviation",
        ),
    ],
)
def test_two_errors_in_an_exercise_are_named(name, fn, both):
    judged = diagnose(get(name), fn)
    assert set(judged.misconception.split(" and ")) == set(both.split(" and "))


def all_nan(std, gamma, eps):
    return np.nan * gamma


def constant_columns_to_one(x):
    constant = np.ptp(x, axis=0) == 0
    std = np.where(constant, 1, x.std(axis=0))
    return np.where(constant, 1.0, (x - x.mean(axis=0)) / std)


def merged_in_float32(counts, means, m2s):
    counts, means, m2s = (a.astype(np.float32) for a in (counts, means, m2s))
    w, n = counts[:, None], counts.sum()
    mean = (w * means).sum(0) / n
    return mean, (m2s + w * (means - mean) ** 2).sum(0) / n


def far_apart_but_tiny(n):
    return 1e-200 * np.arange(n), 1e-200 * (np.arange(n) + 1000.0)


@pytest.mark.parametrize(
    ("name", "fn"),
    [
        ("2.3", all_nan),
        ("1.1", constant_columns_to_one),
        ("9.2", merged_in_float32),
        ("9.1", far_apart_but_tiny),
        ("9.1", lambda n: (1j * np.ones(n), np.ones(n))),
    ],
)
def test_error_that_looks_like_another_is_not_misnamed(name, fn):
    judged = diagnose(get(name), fn)
    assert judged.status == "not yet"
    assert judged.misconception is None, judged.text
