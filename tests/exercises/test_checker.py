import numbers
import subprocess
import sys
import textwrap
from collections import namedtuple
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from bnlib import exercises
from bnlib.exercises import Case, Exercise, ExerciseFailed, Misconception, check
from bnlib.exercises.engine.checker import diagnose
from bnlib.exercises.engine.compare import difference

Moments = namedtuple("Moments", "mean var")


def make(reference, *args, signature="answer(x, y)", **options):
    """An exercise with one case for each tuple of arguments."""
    cases = [Case(a, f"case {i}") for i, a in enumerate(args or [(X, Y)])]
    options = {"number": "9.1", "name": "tiny", "title": "Tiny"} | options
    return Exercise(
        signature=signature, reference=reference, cases=lambda: cases, **options
    )


X = np.arange(6.0).reshape(2, 3) + 1
Y = np.array([2.0, 3.0, 5.0])


def total(x, y):
    return x + y


SUM = make(
    total,
    (X, Y),
    (X - 9, Y),
    hints=("Add.", "Add x and y."),
    misconceptions=(
        Misconception("difference", "Add them.", wrong=lambda x, y: x - y),
        Misconception(
            "constant", "Use x.", recognize=lambda result, x, y: np.ptp(result) == 0
        ),
    ),
)


def say(exercise, fn, **options):
    """The whole verdict on one line."""
    return " ".join(diagnose(exercise, fn, **options).text.split())


def returning(value):
    return lambda x, y: value


@pytest.fixture
def registry(monkeypatch):
    monkeypatch.setattr(exercises, "_registry", lambda: {"tiny": SUM})


# Right answers -----------------------------------------------------------------------


def test_right_says_what_was_checked():
    verdict = diagnose(SUM, total)
    assert verdict.status == "right"
    assert verdict.text == (
        "✔ Exercise 9.1 · right: 2 cases agree to 1e-06, inputs untouched."
    )


def test_untouched_is_not_said_where_nothing_was_compared():
    numbers_only = make(total, (1.0, 2.0))
    assert diagnose(numbers_only, total).text == (
        "✔ Exercise 9.1 · right: 1 case agrees to 1e-06."
    )


def test_argument_that_may_change_is_not_spoken_of():
    def in_place(x, y):
        x += y
        return x

    def both(x, y):
        y += 1
        return x + y - 1

    exercise = make(total, in_place=("x",))
    assert diagnose(exercise, in_place).status == "right"
    assert "changes its argument y" in say(exercise, both)
    assert "untouched" not in say(make(total, in_place=("x", "y")), total)


@pytest.mark.parametrize(
    ("want", "got"),
    [
        (3, 3.0),
        (3.0, np.float64(3)),
        (np.float64(3), np.array(3)),
        (np.ones(2), [1, 1.0]),
        ((1, np.ones(2)), [1.0, np.ones(2)]),
        ([1, 2], np.array([1, 2])),
        ({"mean": 1.0, "var": None}, {"var": None, "mean": 1}),
        (Moments(1.0, 2.0), (1.0, 2.0)),
        (Moments(1.0, 2.0), Moments(1.0, 2.0)),
        (True, np.bool_(True)),
        (np.array([True, False]), [True, False]),
        ("train", "train"),
        ((None, "a", True), (None, "a", True)),
        (np.array([np.inf, -np.inf, np.nan]), np.array([np.inf, -np.inf, np.nan])),
        (np.ones(2, np.float32), np.ones(2, np.float32)),
        (np.float32(0.5), 0.5),
        (np.ones(2), [np.float64(1), np.array(1)]),
        (np.array([True, False]), [np.bool_(True), np.bool_(False)]),
        (1 + 2j, 1 + 2j),
        (np.ones((0, 3)), np.ones((0, 3))),
        (1.0, np.ones(1)),
        (1.0, [1.0]),
        (0.5, Fraction(1, 2)),
        (0.5, Decimal("0.5")),
        (np.array([0.5, 2]), [Fraction(1, 2), 2]),
        (1e30, 10**30),
        ((Y, 2 * Y), np.stack([Y, 2 * Y])),
        ([0, 7, 9], {9, 0, 7}),
        ([0, 1, 2], range(3)),
        ([], set()),
        (True, np.array([True])),
    ],
)
def test_right_in_another_form_is_right(want, got):
    exercise = make(returning(want))
    assert diagnose(exercise, returning(got)).status == "right", say(
        exercise, returning(got)
    )


def test_tensor_is_right():
    torch = pytest.importorskip("torch")

    def answer(x, y):
        return torch.from_numpy(x).requires_grad_() + torch.from_numpy(y)

    assert diagnose(SUM, answer).status == "right"


# Not attempted -----------------------------------------------------------------------


def not_written(x, y):
    raise NotImplementedError


def half_written(x, y):
    return x + y, {"later": [...]}


@pytest.mark.parametrize("fn", [returning(...), not_written, half_written])
def test_starter_is_not_attempted(fn):
    verdict = diagnose(SUM, fn)
    assert verdict.status == "not attempted"
    assert verdict.text == (
        "○ Exercise 9.1 · not attempted yet. Replace the ... above, then check again."
    )


def test_operation_that_a_library_lacks_is_an_attempt():
    # As torch does; this one comes from the standard library.
    text = say(SUM, lambda x, y: numbers.Complex.__add__(x, y))
    assert "raised NotImplementedError" in text


# Not yet -----------------------------------------------------------------------------


def slipped(x, y):
    result = x + y
    result[1, 2] += 0.125
    return result


def test_values_say_case_place_expected_and_got():
    late = make(total, (X, Y), (X - 9, Y))

    def wrong_for_negative(x, y):
        return slipped(x, y) if x[0, 0] < 0 else x + y

    assert say(late, wrong_for_negative) == (
        "✘ Exercise 9.1 · not yet. Case 2 of 2, case 1. "
        "Input: x = [[-8, -7, -6], [-5, -4, -3]]; y = [2, 3, 5] "
        "Your result has the right shape (2, 3), but 1 of 6 values differ. The largest "
        "difference, 0.12, is at [1, 2]: expected 2, got 2.125. "
        'Once more by hand: from bnlib import case; answer(*case("9.1", 2))'
    )


def test_close_values_are_printed_with_enough_digits():
    text = say(make(returning(1.0)), returning(1.0 + 2e-6))
    assert "expected 1, got 1.000002, a difference of 2e-06" in text


@pytest.mark.parametrize(
    ("want", "got", "words"),
    [
        (X, X.T, "has shape (3, 2), expected (2, 3); it is transposed."),
        (X[:, :1], X[:, 0], "shape (2,), expected (2, 1); keepdims=True keeps an axis"),
        (
            Y,
            Y[None],
            "shape (1, 3), expected (3,); it has an axis of length 1",
        ),
        (X, X[:1], "has shape (1, 3), expected (2, 3)."),
        (1.0, np.ones(2), "has shape (2,), expected one number."),
        (1.0, 2j, "is a complex number, expected a number."),
        (X, np.array([{}, {}]), "is an array of objects of shape (2,), expected"),
        (X, iter([1, 2]), "is a list_iterator (make it a list; is a `yield`"),
        ([1, 2], {1, "a"}, "is an object of type set, expected 2 items."),
        ([1], [1, 2], "is a list of 2, expected 1 item."),
        (X, "abc", "is the string 'abc', expected an array of shape (2, 3)."),
        (X, (X, Y), "is 2 values, expected one: an array of shape (2, 3)."),
        (X, {"a": 1}, "is a dict with the keys a, expected an array"),
        (X, np.sum, "is a function (was it not called?), expected an array"),
        (X, np.array(["a"]), "is an array of strings of shape (1,), expected"),
        (X, X > 0, "is an array of bools of shape (2, 3), expected"),
        (X, X + 1j, "is an array of complex numbers of shape (2, 3), expected"),
        (X, [[1, 2], [3]], "is a list of 2, expected an array"),
        (X, object(), "is an object of type object, expected an array"),
        (True, 1, "is a number, expected a bool."),
        (1.0, True, "is True, expected a number."),
        (True, False, "is False, expected True."),
        (np.array([True, True]), [True, False], "is False at [1], expected True."),
        ("a", "b", "is the string 'b', expected the string 'a'."),
        ((1, 2), (1, 2, 3), "is a tuple of 3, expected 2 values."),
        ((1, 2), 1, "is a number, expected 2 values."),
        ((1, X), (1, X.T), "Value 2 of 2 has shape (3, 2)"),
        ((1, None), (1, 2), "Value 2 of 2 is a number, expected None."),
        ((1, None), (1, X), "Value 2 of 2 is an array of shape (2, 3), expected None."),
        (Moments(1, 2), (1, 3), "Field 'var': expected 2, got 3"),
        (
            {"a": 1},
            {"b": 1},
            "is a dict with the keys b, expected a dict with",
        ),
        ({"a": 1}, {"a": 2}, "Entry 'a': expected 1, got 2"),
        ([1, 2], [1], "is a list of 1, expected 2 items."),
        (X, X * np.nan, "is NaN at [0, 0] (all 6 values), expected 1."),
        (Y, Y * [1, np.inf, 1], "is inf at [1], expected 3."),
        (2.0, np.nan, "is NaN, expected 2."),
        (Y.astype("f4"), Y, "has dtype float64, expected float32"),
        (
            Y / 3,
            (Y / 3).astype("f2"),
            "It is float16: too coarse here, stay in",
        ),
    ],
)
def test_wrong_result_is_described(want, got, words):
    assert words in say(make(returning(want)), returning(got))


def test_many_keys_are_not_all_told():
    want, got = {"a": 1}, {f"{'k' * 90}{i}": 1 for i in range(1000)}
    verdict = diagnose(make(returning(want)), returning(got))
    assert "and 995 more" in " ".join(verdict.text.split())
    assert len(verdict.text.splitlines()) < 10


def test_coroutine_is_named_and_nobody_waits_for_it(capfd):
    async def answer(x, y):
        return x + y

    assert "is a coroutine (remove `async`), expected" in say(SUM, answer)
    assert capfd.readouterr().err == ""


def test_net_is_no_function():
    torch = pytest.importorskip("torch")
    text = say(SUM, returning(torch.nn.Linear(2, 2)))
    assert "is a net" in text and "not called" not in text


def test_none_asks_for_return():
    assert "returned None; is a `return` missing?" in say(SUM, returning(None))


def fail(x, y):
    z = x + y
    return z @ z


def test_exception_names_type_message_and_line():
    text = say(SUM, fail)
    assert "Case 1 of 2, case 0." in text
    assert "Your code raised ValueError: matmul" in text
    assert "The shapes: x (2, 3), y (3,)." in text
    assert "return z @ z" in text
    assert "Traceback" not in text


def test_broadcast_error_gets_advice_where_there_is_an_x():
    def answer(x, y):
        return x - x.mean(1)

    assert "The shapes: x (2, 3), y (3,). A statistic must" in say(SUM, answer)
    text = say(make(total, signature="answer(weight, y)"), lambda w, y: w - w.mean(1))
    assert "The shapes: weight (2, 3), y (3,)." in text
    assert "keepdims" not in text


def test_torch_error_of_shapes_gets_the_shapes():
    torch = pytest.importorskip("torch")
    text = say(SUM, lambda x, y: torch.tensor(x) + torch.tensor(y[:2]))
    assert "The shapes: x (2, 3), y (3,)." in text


# What failed is shown ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("want", "got", "lines"),
    [
        ([0, 7], [0, 3, 7], ["expected [0, 7]", "got      [0, 3, 7]"]),
        ([0, 7], [0, 3], ["expected [0, 7]", "got      [0, 3]"]),
        (["a", "b"], ["a", "c"], ["expected [a, b]", "got      [a, c]"]),
        (
            np.array([True, False, True]),
            [True, True, False],
            ["expected [True, False, True]", "got      [True, True, False]"],
        ),
        (Y, Y + 0.5, ["expected [2, 3, 5]", "got      [2.5, 3.5, 5.5]"]),
    ],
)
def test_short_results_are_shown_in_full(want, got, lines):
    verdict = diagnose(make(returning(want)), returning(got))
    printed = [line.strip() for line in verdict.text.splitlines()]
    at = printed.index(lines[0])
    assert printed[at : at + 2] == lines


def test_long_results_are_not_shown_in_full():
    want = list(range(21))
    text = say(make(returning(want)), returning(want[::-1]))
    assert "expected [" not in text


def test_wrong_items_of_a_mask_are_counted():
    want = np.ones(5, dtype=bool)
    text = say(make(returning(want)), returning([True, False, False, True, True]))
    assert "is False at [1], expected True. In all, 2 of 5 values differ." in text


def test_small_inputs_are_shown_and_large_ones_are_not():
    def answer(layers, n):
        return 1

    small = (["conv", "bn"], 3)
    exercise = make(lambda layers, n: 2, small, signature="answer(layers, n)")
    assert "Input: layers = conv bn; n = 3 " in say(exercise, answer)
    large = (np.ones((5, 5)), 3)
    exercise = make(lambda layers, n: 2, large, signature="answer(layers, n)")
    assert "Input:" not in say(exercise, answer)
    unseen = (len, 3)
    exercise = make(lambda layers, n: 2, unseen, signature="answer(layers, n)")
    assert "Input:" not in say(exercise, answer)


def test_outputs_have_names():
    exercise = make(returning((1.0, X)), outputs=("d_x", "d_gamma"))
    assert "d_gamma has shape (3, 2)" in say(exercise, returning((1.0, X.T)))
    assert "d_x: expected 1, got 2" in say(exercise, returning((2.0, X)))


def test_most_telling_case_is_shown():
    cases = [(X, Y), (X, 2 * Y), (X, 9 * Y), (X, 8 * Y)]

    def nearly(x, y):
        return x + y * (1 + {2: 1e-5, 4: 1e-3, 18: 0.1, 16: 0.09}[y[0]])

    assert "Case 3 of 4" in say(make(total, *cases), nearly)

    def evenly(x, y):
        return x + 1.5 * y

    assert "Case 1 of 4" in say(make(total, *cases), evenly)

    def raises_late(x, y):
        return nearly(x, y) if y[0] < 18 else fail(x, y)

    assert "Case 3 of 4" in say(make(total, *cases), raises_late)


def test_rounding_of_float32_is_named():
    def single(x, y):
        return ((x / 3).astype(np.float32) + y / 3).astype(float)

    exercise = make(lambda x, y: x / 3 + y / 3, rtol=1e-8)
    assert "No case is further off. Rounding in float32" in say(exercise, single)
    assert "float32" not in say(exercise, lambda x, y: (x + y) * (1 / 3 + 1e-5))
    known = Misconception("k", "K.", wrong=single)
    exercise = make(lambda x, y: x / 3 + y / 3, rtol=1e-8, misconceptions=(known,))
    assert "float32" not in say(exercise, single)


def test_a_wrong_shape_is_not_taken_for_rounding():
    def third(x, y):
        return x / 3 + y / 3

    def row(x, y):
        return ((x + y) / 3).reshape(1, -1)

    text = say(make(third), row)
    assert "has shape (1, 6), expected (2, 3)" in text
    assert "float32" not in text


def test_values_of_one_output_are_counted_within_it():
    exercise = make(lambda x, y: (x, [3, 4]), outputs=("y", "the units left"))
    text = say(exercise, lambda x, y: (x, [3, None]))
    assert "Value 2 of 2 in the units left is None, expected a number." in text


def test_the_first_error_raised_is_kept():
    assert diagnose(SUM, lambda x, y: [][1]).raised.startswith("IndexError: ")
    assert diagnose(SUM, lambda x, y: x - y).raised == ""


def test_written_branch_is_judged_while_the_other_is_open():
    def half(x, y):
        return x + y if x[0, 0] > 0 else ...

    verdict = diagnose(SUM, half)
    assert verdict.status == "not yet"
    text = " ".join(verdict.text.split())
    assert "Right so far: case 1 (case 0). Not written yet: case 2 (case 1)." in text
    assert text.endswith('answer(*case("9.1", 2))')

    def wrong(x, y):
        if x[0, 0] > 0:
            return x - y
        raise NotImplementedError

    text = say(SUM, wrong)
    assert "Case 1 of 2" in text and "expected 8, got -2" in text


def test_case_returns_new_arguments(registry):
    x, _ = exercises.case("9.1", 2)
    np.testing.assert_array_equal(x, X - 9)
    x += 1
    np.testing.assert_array_equal(exercises.case("tiny", 2)[0], X - 9)
    np.testing.assert_array_equal(total(*exercises.case("answer")), X + Y)


@pytest.mark.parametrize("number", [0, 3, "1", 1.5, None, True])
def test_case_that_does_not_exist_is_refused(registry, number):
    with pytest.raises(ValueError, match=r"9\.1 has the cases 1 to 2, got .*give one"):
        exercises.case("tiny", number)
    with pytest.raises(ValueError, match="There is no exercise 'tinny'"):
        exercises.case("tinny", 1)


class Unprintable(Exception):
    def __str__(self):
        raise ValueError


class Wide(Exception):
    def __str__(self):
        return "x" * 500


@pytest.mark.parametrize("error", [Unprintable, Wide, RecursionError, SystemExit])
def test_any_exception_gives_a_sentence(error):
    def answer(x, y):
        raise error()

    verdict = diagnose(SUM, answer)
    assert f"Your code raised {error.__name__}" in verdict.text
    assert error is not Wide or "xxx…" in verdict.text
    assert max(map(len, verdict.text.splitlines())) <= 88


def test_changed_argument_is_named_although_the_result_is_right():
    def careless(x, y):
        result = x + y
        y += 1
        return result

    assert say(SUM, careless).startswith(
        "✘ Exercise 9.1 · not yet. Your function changes its argument y."
    )


def test_changed_argument_is_named_beside_a_wrong_result():
    def careless(x, y):
        x -= y
        return x

    text = say(SUM, careless)
    assert "misconception: difference" in text
    assert "changes its argument x" in text


@pytest.mark.parametrize(
    ("fn", "words"),
    [
        (lambda x: x, "should be answer(x, y), but yours is <lambda>(x)."),
        (lambda x, y, z: x, "should be answer(x, y), but yours is <lambda>(x, y, z)."),
        (lambda y, x: x, "another order: answer(x, y), not <lambda>(y, x)."),
    ],
)
def test_signature_is_checked_before_anything_runs(fn, words):
    assert words in say(SUM, fn)


@pytest.mark.parametrize("fn", [lambda a, b: a + b, np.add, lambda *a: a[0] + a[1]])
def test_other_names_and_compiled_functions_are_fine(fn):
    assert diagnose(SUM, fn).status == "right"


def test_time_limit_is_for_all_cases_together():
    def slow(x, y):
        import time

        time.sleep(0.15)
        return x + y

    text = say(make(total, *[(X, Y)] * 4), slow, time_limit=0.4)
    assert "still running at the time limit of 0.4 s" in text


@pytest.mark.parametrize("limit", [None, float("inf"), 1e10, 1e300])
def test_long_limits_are_no_limit(limit, capfd):
    assert diagnose(SUM, total, limit).status == "right"
    assert capfd.readouterr().err == ""


def test_printed_lines_are_labelled_by_case_and_bounded(registry, capsys):
    def talkative(x, y):
        for i in range(1000 if x[0, 0] < 0 else 2):
            print("step", i)
        print("warning", file=sys.stderr)
        return x + y

    check("tiny", talkative)
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[:4] == ["Case 1 printed:", "  step 0", "  step 1", "  warning"]
    assert lines[4:6] == ["Case 2 printed:", "  step 0"]
    assert lines[-4:-2] == ["  step 19", "  … and 981 more lines"]
    assert lines[-2].startswith("✔") and not err


def test_endless_printing_is_bounded(registry, capsys):
    def endless(x, y):
        while True:
            print("x" * 1000, end=" ")

    check("tiny", endless, time_limit=0.2)
    out = capsys.readouterr().out
    assert len(out) < 5000
    assert "\n✘ Exercise 9.1 · not yet." in out


def test_first_warning_is_mentioned():
    text = say(SUM, lambda x, y: np.log(-x) + y)
    assert "is NaN at" in text
    assert "RuntimeWarning: invalid value encountered in log." in text


# Misconceptions ----------------------------------------------------------------------


def test_misconception_is_named_with_its_reason():
    verdict = diagnose(SUM, lambda a, b: a - b)
    assert verdict.misconception == "difference"
    assert (
        "\n  This looks like a known misconception: difference.\n  Add them.\n"
    ) in verdict.text


def test_misconception_by_property():
    assert diagnose(SUM, returning(np.ones((2, 3)))).misconception == "constant"


def test_misconception_must_fit_all_cases():
    def once(x, y):
        return x - y if x[0, 0] > 0 else x * y

    assert diagnose(SUM, once).misconception is None


def test_misconception_is_known_although_it_fails_in_one_case():
    def upside_down(x, y):
        return 1 // y if isinstance(y, int) else y - x

    def same(x, y):
        return 1 // y if isinstance(y, int) else -(x - y)

    exercise = make(
        total,
        (X, Y),
        (X, 0),
        misconceptions=(Misconception("u", "U.", wrong=upside_down),),
    )
    assert diagnose(exercise, same).misconception == "u"
    assert diagnose(exercise, lambda x, y: y - x).misconception is None
    assert diagnose(exercise, lambda x, y: 1 // 0).misconception is None


def test_misconception_is_known_in_another_dtype():
    single = np.ones(3, np.float32)
    exercise = make(
        returning(single),
        misconceptions=(Misconception("d", "D.", wrong=returning(single / 2)),),
    )
    assert diagnose(exercise, returning(np.full(3, 0.5))).misconception == "d"


def test_recognizer_that_fails_is_no_match():
    broken = Misconception("b", "B.", recognize=lambda result, x, y: result.shape[9])
    exercise = make(total, misconceptions=(broken,))
    assert diagnose(exercise, returning(3.0)).misconception is None


def test_infinite_values_match_a_misconception():
    exercise = make(
        total, misconceptions=(Misconception("d", "D.", wrong=lambda x, y: x / 0),)
    )
    assert diagnose(exercise, lambda x, y: x / 0.0).misconception == "d"


def test_misconception_needs_exactly_one_way_to_be_known():
    with pytest.raises(ValueError, match="'both' needs one of"):
        Misconception("both", "B.", wrong=total, recognize=total)
    with pytest.raises(ValueError, match="'none' needs one of"):
        Misconception("none", "N.")


# Answers judged by a property --------------------------------------------------------


def is_orthogonal(result, x, y):
    size = abs(float(result @ y))
    return None if size < 1e-9 else f"Its product with y is {size:.2g}, not 0."


@pytest.mark.parametrize("reference", [None, lambda x, y: np.zeros(3)])
def test_property_judges(reference):
    exercise = make(reference, accept=is_orthogonal)
    right = diagnose(exercise, returning(np.array([3.0, -2.0, 0.0])))
    assert right.text == "✔ Exercise 9.1 · right: 1 case accepted, inputs untouched."
    assert "with y is 2, not 0." in say(exercise, returning(np.array([1.0, 0, 0])))
    assert "not yet" in say(exercise, returning("abc"))
    assert "NaN" in say(exercise, returning(np.array([np.nan, 0, 0])))


def test_reference_beside_a_property_gives_the_shape():
    exercise = make(lambda x, y: np.zeros(3), accept=is_orthogonal)
    assert "has shape (2,), expected (3,)" in say(exercise, returning(np.ones(2)))


def test_result_that_cannot_be_judged_is_said():
    exercise = make(None, accept=is_orthogonal)
    assert "Your result cannot be judged: " in say(exercise, returning(np.ones(7)))


def test_exercise_without_judge_is_refused():
    with pytest.raises(ValueError, match="'tiny' cannot be judged"):
        make(None)


# check -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("tinny", total), """There is no exercise 'tinny'. Did you mean "tiny"?"""),
        (("zzz", total), """There is no exercise 'zzz'. The names are "tiny"."""),
        ((total, "tiny"), 'The name comes first: check("tiny", total).'),
        (("tiny", 3), 'not its result: check("tiny", answer).'),
        ((None, 3), "There is no exercise None."),
        ((), 'check needs the function that you wrote: check("2.1", forward).'),
        (("tiny",), 'your function as well: check("tiny", answer).'),
        (("9.1", total, 3), "got 3 values; leave one out."),
        ((total,), 'Say which one you mean: check("9.1", total).'),
        ((lambda a: a,), 'Say which one you mean: check("2.1", your_function).'),
    ],
)
def test_misuse_gives_a_sentence(registry, args, words, capsys):
    check(*args)
    assert words in " ".join(capsys.readouterr().out.split())
    with pytest.raises(ExerciseFailed, match="✘"):
        check(*args, strict=True)


@pytest.mark.parametrize("limit", ["long", True, 0, -1.0, float("nan")])
def test_odd_time_limit_gives_a_sentence(registry, limit, capsys):
    check("tiny", total, time_limit=limit)
    assert "time_limit is a number of seconds or None, got" in capsys.readouterr().out


def answer(x, y):
    return x + y


def answer_solution(x, y):
    return x + y


@pytest.mark.parametrize(
    "args", [("9.1", total), (9.1, total), ("answer", total), (answer,)]
)
def test_exercise_is_found_by_number_and_function(registry, args, capsys):
    check(*args)
    check(answer_solution, strict=True)
    text = capsys.readouterr().out
    assert text.count("✔ Exercise 9.1") == text.count("✔ Solution of exercise 9.1") == 1


@pytest.mark.parametrize("fn", [fail, slipped, returning(...), returning(None)])
def test_strict_raises_unless_right(registry, fn, capsys):
    assert check("tiny", total, strict=True) is None
    assert check("tiny", fn) is None
    text = capsys.readouterr().out
    assert text.startswith("✔ Solution of exercise 9.1 · right: 2 cases agree")
    assert text.count("Exercise 9.1") == 1
    with pytest.raises(ExerciseFailed, match="Exercise 9.1"):
        check("tiny", fn, strict=True)


def test_fault_of_the_checker_is_no_traceback(monkeypatch, capsys):
    def broken(x, y):
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(exercises, "_registry", lambda: {"tiny": make(broken)})
    check("tiny", total)
    assert "The checker itself failed (ZeroDivisionError('ours'))" in (
        capsys.readouterr().out
    )


def test_names_must_be_unique():
    with pytest.raises(ValueError, match="must be unique"):
        exercises._by_name([SUM, SUM])


def test_names_are_in_the_order_of_the_numbers():
    def numbered(number):
        return make(total, number=number, name=f"n{number}")

    found = exercises._by_name([numbered("10.1"), numbered("2.10"), numbered("2.9")])
    assert list(found) == ["n2.9", "n2.10", "n10.1"]


def test_package_and_the_first_chapters_do_not_import_torch():
    code = """
        import sys
        sys.modules["torch"] = sys.modules["matplotlib"] = None
        from bnlib.exercises import check, get, names
        for name in names():
            if get(name).chapter in ("1", "2", "3"):
                get(name).cases()
                check(name, lambda *args: ...)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)


def test_check_works_in_a_kernel():
    nbformat = pytest.importorskip("nbformat")
    client = pytest.importorskip("nbclient").NotebookClient
    sources = [
        "from bnlib.exercises import check\n"
        "def batch_norm(x, gamma, beta, eps):\n"
        "    while True:\n"
        "        pass",
        'check("forward", batch_norm, time_limit=0.3)',
        "def batch_norm(x, gamma, beta, eps):\n    return x @ x",
        'check("forward", batch_norm)',
        "import time; time.sleep(0.2); print('alive')",
    ]
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    book = nbformat.v4.new_notebook(cells=cells)
    client(book, timeout=60, kernel_name="python3").execute()
    texts = ["".join(out.text for out in cell.outputs) for cell in book.cells]
    assert "time limit of 0.3 s" in texts[1]
    assert "line 2: return x @ x" in texts[3]
    assert texts[4] == "alive\n"


@pytest.mark.parametrize("got", [40.0, -np.inf, np.nan])
def test_only_infinity_is_right_where_infinity_is_expected(got):
    text = difference(got, np.inf, rtol=1e-6, atol=1e-9)
    assert text is not None
    assert f"{'NaN' if np.isnan(got) else f'{got:g}'}" in text
    assert difference(np.inf, np.inf, rtol=1e-6, atol=1e-9) is None
