import numpy as np
import pytest
import torch

from bnlib import batch_norm
from bnlib.exercises import get, names
from bnlib.exercises.engine.checker import diagnose
from bnlib.exercises.engine.exercise import Case
from bnlib.exercises.engine.kinds import Repair, measured, unchanged

STARTER = '''\
def double(x):
    """Return twice x."""
    return x + 2
'''
DOUBLE = Repair(
    number="9.1",
    name="double",
    title="Twice",
    signature="double(x)",
    reference=lambda x: 2 * x,
    starter=STARTER,
    cases=lambda: [Case((2.0,), "x=2"), Case((3.0,), "x=3")],
    hints=("Look at x.", "Return 2 * x."),
)
REPAIRS = [name for name in names() if isinstance(get(name), Repair)]


def run(source):
    """Return the function that a cell of a notebook defines."""
    found = {"np": np, "torch": torch, "nn": torch.nn, "batch_norm": batch_norm}
    before = set(found)
    exec(compile(source, "a cell", "exec"), found)
    return next(found[name] for name in found if name not in {*before, "__builtins__"})


@pytest.mark.parametrize(
    "source",
    [
        STARTER,
        STARTER.replace("Return twice x.", "Return x, twice."),
        STARTER.replace("x + 2", "(x + 2)  # hm"),
    ],
)
def test_the_starter_of_a_repair_is_not_attempted(source):
    judged = diagnose(DOUBLE, run(source))
    assert judged.status == "not attempted"
    assert judged.text == (
        "○ Exercise 9.1 · not attempted yet. Mend the function above, then check again."
    )


@pytest.mark.parametrize(
    ("fn", "status"),
    [
        (lambda x: x + x, "right"),
        (lambda x: 2 + x, "not yet"),
        (lambda x: x + 3, "not yet"),
        (lambda x: x - 2, "not yet"),
        (lambda x: ..., "not attempted"),
        (np.abs, "not yet"),
    ],
)
def test_whatever_else_is_judged_as_ever(fn, status):
    assert diagnose(DOUBLE, fn).status == status


def test_only_repairs_have_a_starter_that_counts():
    assert not unchanged(get("forward"), lambda x, gamma, beta, eps: x)


@pytest.mark.parametrize("name", REPAIRS)
def test_each_starter_has_a_flaw_that_the_cases_see(name):
    exercise, fn = get(name), run(get(name).starter)
    assert fn.__name__ == exercise.function
    assert diagnose(exercise, fn).status == "not attempted"
    # In other words: the same function, and not the same code.
    assert diagnose(exercise, lambda *args: fn(*args)).status == "not yet"


def test_a_prediction_is_compared_with_what_is_measured():
    accept = measured(lambda n: 10.0 * n, within=0.1)
    assert accept(np.array([21.0]), 2) is None
    assert accept(18.1, 2) is None
    assert accept(15, 2) == (
        "Your result, the prediction, is 15; measured was 20. Asked is a number within "
        "10% of it."
    )
