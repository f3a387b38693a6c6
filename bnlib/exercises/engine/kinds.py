"""Exercises of other kinds than "write a function": repair, predict and measure.

A *repair* has a starter that runs and is wrong. An answer that does the same in every
case counts as not attempted. In a *prediction* the learner commits to a number and the
checker measures it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bnlib.exercises.engine.compare import difference, quietly
from bnlib.exercises.engine.exercise import Exercise
from bnlib.exercises.engine.state import state
from bnlib.exercises.engine.words import Verdict, wrap


@dataclass(frozen=True, kw_only=True)
class Repair(Exercise):
    """An exercise whose starter is complete and has one flaw.

    Parameters
    ----------
    flawed : callable
        What the starter does, ``flawed(*args)``.
    """

    flawed: Callable


def unchanged(exercise, cases, outcomes):
    """Say whether a repair has not begun: all results are those of the starter.

    Parameters
    ----------
    exercise : Exercise
        What was asked; False for all that are no repair.
    cases : list of Case
        Its cases.
    outcomes : list of Outcome
        What the learner's function did with each.

    Returns
    -------
    bool
        Whether no case tells the answer from the starter.
    """
    if not isinstance(exercise, Repair) or len(outcomes) < len(cases):
        return False
    pairs = zip(cases, outcomes, strict=True)
    return all(_same(exercise, case, outcome) for case, outcome in pairs)


def _same(exercise, case, outcome):
    try:
        want = quietly(exercise.flawed, case.args)
    except Exception:  # the flaw may be one that raises
        return outcome.error is not None
    if outcome.error is not None:
        return False
    if hasattr(want, "named_modules"):
        return state(outcome.result) == state(want)
    tolerance = {"rtol": exercise.rtol, "atol": exercise.atol, "dtype": False}
    return difference(outcome.result, want, **tolerance) is None


def not_repaired(exercise):
    """Say that the flaw is still there.

    Parameters
    ----------
    exercise : Repair
        What was asked.

    Returns
    -------
    Verdict
        With status "not attempted".
    """
    text = (
        f"○ Exercise {exercise.number} · not attempted yet, or the flaw is still "
        "there: in every case the function does what it did at the start. Change it "
        "above, then run this cell again."
    )
    return Verdict("not attempted", wrap(text, first=""))


def measured(measure, within):
    """Make the judge of a prediction.

    Parameters
    ----------
    measure : callable
        ``measure(*args)`` runs the experiment and returns a number.
    within : float
        A prediction is right if it is off by at most this share of what is measured.

    Returns
    -------
    callable
        For ``Exercise(accept=...)``.
    """

    def accept(result, *args):
        got = float(np.asarray(result, dtype=float).reshape(()))
        value = float(measure(*args))
        if abs(got - value) <= within * abs(value):
            return None
        return (
            f"Your result, the prediction, is {got:.3g}; measured was {value:.3g}. "
            f"Asked is a number within {within:.0%} of it."
        )

    return accept
