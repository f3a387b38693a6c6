import numpy as np
import pytest

from bnlib.exercises import get, names
from bnlib.exercises.engine import relations
from bnlib.exercises.engine.checker import diagnose
from bnlib.exercises.engine.exercise import Case, Exercise


def exercise(reference, *args, **options):
    return Exercise(
        number="9.1",
        name="tiny",
        title="Tiny",
        signature="tiny(x)",
        reference=reference,
        cases=lambda: [Case((arg,), "x") for arg in args],
        hints=("Look.", "Return it."),
        **options,
    )


X, Y = np.array([0.2, 0.5, 0.9]), np.array([0.1, 0.7])
PLAIN = exercise(lambda x: x, X, Y)
MEAN = exercise(lambda x: x.mean(), X, Y)
POSITIONS = exercise(lambda x: [i for i in range(3) if x >> i & 1], 5, 6)
PAIR = exercise(lambda x: (x, 2 * x, x.sum()), X, Y, outputs=("one", "two", "total"))
MASKS = exercise(lambda x: [x > 0.3, x > 0.6], X, Y)


@pytest.mark.parametrize(
    ("tiny", "fn", "name"),
    [
        (PLAIN, lambda x: -x, "the sign turned round"),
        (PLAIN, lambda x: 1 - x, "one minus the right answer"),
        (PLAIN, lambda x: 1 / x, "one over the right answer"),
        (PLAIN, lambda x: x**2, "the square of the right answer"),
        (PLAIN, np.sqrt, "the root of the right answer"),
        (PLAIN, np.cos, "the cosine of the right answer"),
        (PLAIN, lambda x: 100 * x, "in percent"),
        (PLAIN, lambda x: x + 1, "one too many"),
        (PLAIN, lambda x: x - 1, "one too few"),
        (PLAIN, lambda x: 3 * x, "right but for one factor"),
        (MEAN, lambda x: x.sum(), "a sum where a mean belongs"),
        (MEAN, lambda x: x.mean() / len(x), "a mean where a sum belongs"),
        (POSITIONS, lambda x: [i + 1 for i in range(3) if x >> i & 1], "one too many"),
        (PAIR, lambda x: (2 * x, x.sum(), x), "the outputs in another order"),
        (MASKS, lambda x: [x <= 0.3, x <= 0.6], "yes and no exchanged"),
    ],
)
def test_a_relation_is_named(tiny, fn, name):
    judged = diagnose(tiny, fn)
    assert judged.status == "not yet"
    assert judged.misconception == name


@pytest.mark.parametrize(
    "fn",
    [
        lambda x: x if len(x) > 2 else -x,  # in one case only
        lambda x: x * (2 if len(x) > 2 else 3),  # a factor of each case its own
        lambda x: 0 * x,
        lambda x: np.append(x, 1),
        lambda x: "x",
        lambda x: x / 0,
        lambda x: 1 / 0,
    ],
)
def test_no_relation_is_made_up(fn):
    assert diagnose(PLAIN, fn).misconception is None


def test_the_misconceptions_of_the_exercise_come_first():
    judged = diagnose(
        get("keras_momentum"), lambda half_life: 1 - 0.5 ** (1 / half_life)
    )
    assert judged.misconception == "the weight of the new batch"


def test_a_property_is_not_compared():
    judged = diagnose(get("far_apart"), lambda n: (np.ones(n), np.ones(n)))
    assert judged.misconception not in relations._SIMPLE


@pytest.mark.parametrize("name", names())
def test_no_name_of_a_relation_is_one_of_an_exercise(name):
    known = {misconception.name for misconception in get(name).misconceptions}
    assert not known & set(relations._SIMPLE)
