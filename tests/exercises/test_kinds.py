import numpy as np
import pytest
from proof import MUTANTS

from bnlib.exercises import get, names
from bnlib.exercises.engine.checker import diagnose
from bnlib.exercises.engine.exercise import Case
from bnlib.exercises.engine.kinds import Repair, measured

DOUBLE = Repair(
    number="9.1",
    name="double",
    title="Twice",
    signature="double(x)",
    reference=lambda x: 2 * x,
    flawed=lambda x: x + 2,
    cases=lambda: [Case((2.0,), "x=2"), Case((3.0,), "x=3")],
    hints=("Look at x.", "Return 2 * x."),
)
REPAIRS = [name for name in names() if isinstance(get(name), Repair)]


def test_the_starter_of_a_repair_is_not_attempted():
    judged = diagnose(DOUBLE, lambda x: 2 + x)
    assert judged.status == "not attempted"
    assert "the flaw is still there" in " ".join(judged.text.split())
    assert max(map(len, judged.text.splitlines())) <= 88


@pytest.mark.parametrize(
    ("fn", "status"),
    [
        (lambda x: x + x, "right"),
        (lambda x: x + 2.5, "not yet"),
        # The same as the starter in one case, and not in the other.
        (lambda x: x**2, "not yet"),
        (lambda x: ..., "not attempted"),
    ],
)
def test_whatever_else_is_judged_as_ever(fn, status):
    assert diagnose(DOUBLE, fn).status == status


def test_a_flaw_that_raises_is_recognized():
    def divide(x):
        return 1 / 0

    broken = Repair(**(vars(DOUBLE) | {"flawed": divide}))
    assert diagnose(broken, divide).status == "not attempted"
    assert diagnose(broken, lambda x: x + 2).status == "not yet"


@pytest.mark.parametrize("name", REPAIRS)
def test_each_repair_begins_with_a_flaw_that_its_cases_see(name):
    exercise = get(name)
    assert diagnose(exercise, exercise.flawed).status == "not attempted"
    if exercise.reference:
        plain = vars(exercise) | {"flawed": lambda *args: 1 / 0}
        assert diagnose(Repair(**plain), exercise.flawed).status == "not yet"


@pytest.mark.parametrize("name", REPAIRS)
def test_no_misconception_is_what_the_starter_does(name):
    exercise = get(name)
    for known in exercise.misconceptions:
        assert known.name in MUTANTS[name]
        if known.wrong:
            assert diagnose(exercise, known.wrong).status == "not yet"


def test_a_prediction_is_compared_with_what_is_measured():
    accept = measured(lambda n: 10.0 * n, within=0.1)
    assert accept(np.array([21.0]), 2) is None
    assert accept(18.1, 2) is None
    assert accept(15, 2) == (
        "Your result, the prediction, is 15; measured was 20. Asked is a number within "
        "10% of it."
    )
