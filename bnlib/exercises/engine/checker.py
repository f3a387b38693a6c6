"""Judges a learner's function: right, not attempted, or not yet and why."""

import inspect
import math
import time
from dataclasses import dataclass, replace

import numpy as np

from bnlib.exercises.engine import kinds, relations, sandbox, words
from bnlib.exercises.engine.compare import (
    difference,
    distance,
    leaves,
    quietly,
    snapshot,
)
from bnlib.exercises.engine.recognize import findings
from bnlib.exercises.engine.state import watched
from bnlib.exercises.engine.terms import wrong_factors

# Relative size of what the rounding of float32 leaves after a few subtractions.
SINGLE = 1e-5


@dataclass(frozen=True)
class _Judged:
    """One case with what came out: number from 1, fault (None if right), its size."""

    number: int
    case: object
    outcome: sandbox.Outcome
    fault: str | None
    gap: float


def diagnose(exercise, fn, time_limit=10.0):
    """Judge a learner's function.

    Parameters
    ----------
    exercise : Exercise
        What was asked.
    fn : callable
        What the learner wrote.
    time_limit : float or None, default=10.0
        Seconds for all cases together; None for no limit.

    Returns
    -------
    Verdict
        The judgment with its text.

    Raises
    ------
    ModuleNotFoundError
        If what tries the answer needs a library, as PyTorch, that is not installed.
    """
    cases = exercise.cases()
    unfit = _signature_problem(exercise, fn)
    if unfit:
        return words.not_yet(exercise, [unfit])
    if kinds.unchanged(exercise, fn):
        return kinds.not_repaired(exercise)
    outcomes = _run(exercise.run(fn), cases, time_limit)
    outcomes = [_allow(exercise, outcome) for outcome in outcomes]
    verdict = _judge(exercise, cases, outcomes)
    printed, raised = words.printed(outcomes), words.raised(outcomes)
    return replace(verdict, printed=printed, raised=raised)


def _judge(exercise, cases, outcomes):
    still_open = [_untouched(outcome) for outcome in outcomes]
    if all(still_open):
        return words.not_attempted(exercise)
    judged = [
        _Judged(number, case, outcome, *_fault(exercise, number, case, outcome))
        for number, (case, outcome) in enumerate(zip(cases, outcomes, strict=False), 1)
        if not still_open[number - 1]
    ]
    failing = [each for each in judged if each.fault]
    if failing:
        return _not_yet(exercise, cases, outcomes, failing)
    changed = [o for o in outcomes if o.changed]
    if changed:
        return words.not_yet(exercise, words.aside(exercise, changed[0]))
    if any(still_open):
        return words.half_written(exercise, cases, still_open)
    return words.right(exercise, len(cases), _compared(exercise, cases))


def _not_yet(exercise, cases, outcomes, failing):
    shown = _most_telling(failing)
    parts = [f"Case {shown.number} of {len(cases)}, {shown.case.note}."]
    parts += words.inputs(exercise, shown.case.args)
    parts += [shown.fault, *words.aside(exercise, shown.outcome)]
    found = findings(exercise, cases, outcomes)
    if not found and _only_rounded(exercise, failing):
        parts.append(
            "No case is further off. Rounding in float32 leaves so small a difference, "
            "and a slightly different eps does."
        )
    explained = {part for finding in found for part in finding.parts}
    whole = found and not explained
    factors = "" if whole else wrong_factors(exercise, cases, outcomes, explained)
    if not found and not factors:
        found = relations.findings(exercise, cases, outcomes)
    again = words.again(exercise, shown.number)
    return words.not_yet(exercise, parts, found, factors, again)


def _only_rounded(exercise, failing):
    """Say whether values differ in all failing cases, and by no more than rounding."""
    if not 0 < max(each.gap for each in failing) <= SINGLE:
        return False
    # A wrong shape is another error, however near the values are.
    for each in failing:
        want = exercise.result(exercise.reference, each.number - 1)
        if difference(each.outcome.result, want, rtol=0, atol=0, values=False):
            return False
    return True


def _most_telling(failing):
    """Return the first case that shows at least half of the largest difference."""
    largest = max(each.gap for each in failing)
    return next(each for each in failing if each.gap >= largest / 2)


def _compared(exercise, cases):
    if exercise.drive:  # the answer was called with something else
        return False
    kept = [name not in exercise.in_place for name in exercise.inputs]
    pairs = [pair for case in cases for pair in zip(case.args, kept, strict=True)]
    return any(watched(arg) for arg, keep in pairs if keep)


def _allow(exercise, outcome):
    names = exercise.inputs
    return replace(
        outcome,
        changed=tuple(i for i in outcome.changed if names[i] not in exercise.in_place),
    )


def _run(fn, cases, time_limit):
    limit = math.inf if time_limit is None else time_limit
    outcomes, end = [], time.monotonic() + limit
    for case in cases:
        outcomes.append(sandbox.call(fn, case.args, end - time.monotonic()))
        error = outcomes[-1].error
        if isinstance(error, sandbox.TimeLimit):
            # The words name the limit that was asked for, not what was left of it.
            outcomes[-1] = replace(outcomes[-1], error=sandbox.TimeLimit(limit))
            break
    return outcomes


def _untouched(outcome):
    if isinstance(outcome.error, NotImplementedError):
        # torch raises it too, for operations that it lacks: then an attempt was made.
        return "raise" in outcome.place or ": " not in outcome.place
    return any(leaf is Ellipsis for leaf in leaves(outcome.result))


def _fault(exercise, number, case, outcome):
    """Return what is wrong with one case, or None, and how large it is."""
    lacking = isinstance(outcome.error, ModuleNotFoundError)
    if lacking and not outcome.place:  # it was not the learner who asked for it
        raise outcome.error
    if outcome.error is not None:
        return words.error(exercise, case, outcome), math.inf
    if outcome.result is None:
        return "Your function returned None; is a `return` missing?", math.inf
    if exercise.reference is not None:
        want = exercise.result(exercise.reference, number - 1)
        judged = exercise.accept is None
        tolerance = {"rtol": exercise.rtol, "atol": exercise.atol, "values": judged}
        fault = difference(outcome.result, want, parts=exercise.outputs, **tolerance)
        if fault or judged:
            return fault, distance(outcome.result, want)
    return _accept_fault(exercise, case, outcome.result), math.inf


def _accept_fault(exercise, case, result):
    if not all(map(_finite, leaves(result))):
        return "Your result contains NaN or inf."
    try:
        return quietly(exercise.accept, (snapshot(result), *case.args))
    except ModuleNotFoundError:
        raise
    except Exception as error:
        # The property could not even be computed: a result of another kind.
        return f"Your result cannot be judged: {words.short(error)}."


def _finite(leaf):
    if not isinstance(leaf, np.ndarray | np.generic | float | complex):
        return True
    return np.asarray(leaf).dtype.kind not in "fc" or np.isfinite(leaf).all()


def _signature_problem(exercise, fn):
    try:
        signature = inspect.signature(fn)
    except (ValueError, TypeError):  # compiled functions have none
        return None
    yours = f"{getattr(fn, '__name__', 'yours')}{signature}"
    if sorted(signature.parameters) == sorted(exercise.arguments) and (
        tuple(signature.parameters) != exercise.arguments
    ):
        return f"The arguments are in another order: {exercise.signature}, not {yours}."
    try:
        signature.bind(*exercise.arguments)
    except TypeError:
        return f"The function should be {exercise.signature}, but yours is {yours}."
    return None
