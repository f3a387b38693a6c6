"""Exercises of other kinds than "write a function": repair, predict and measure.

A *repair* has a starter that runs and is wrong; it counts as not attempted as long as
its code is the one that was handed out. In a *prediction* the learner commits to a
number and the checker measures it.
"""

from dataclasses import dataclass
from types import CodeType

import numpy as np

from bnlib.exercises.engine.exercise import Exercise
from bnlib.exercises.engine.words import Verdict, wrap


@dataclass(frozen=True, kw_only=True)
class Repair(Exercise):
    """An exercise whose starter is complete and has one flaw.

    Parameters
    ----------
    starter : str
        The code that the learner gets, as it stands in the notebook.
    """

    starter: str


def unchanged(exercise, fn):
    """Say whether a function is the starter of a repair, as it was handed out.

    Parameters
    ----------
    exercise : Exercise
        What was asked; False for all that are no repair.
    fn : callable
        What the learner hands in.

    Returns
    -------
    bool
        Whether both compile to the same code, docstrings apart.
    """
    code = getattr(fn, "__code__", None)
    if not isinstance(exercise, Repair) or code is None:
        return False
    module = compile(exercise.starter, "starter", "exec")
    given = next(part for part in module.co_consts if isinstance(part, CodeType))
    return _essence(code) == _essence(given)


def _essence(code):
    """Return what a function does: operations, names and constants."""
    constants = [
        _essence(part) if isinstance(part, CodeType) else part
        for part in code.co_consts
        if not isinstance(part, str)
    ]
    return code.co_code, code.co_names, code.co_varnames, constants


def not_repaired(exercise):
    """Say what to do with the starter of a repair.

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
        f"○ Exercise {exercise.number} · not attempted yet. Mend the function above, "
        "then check again."
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
