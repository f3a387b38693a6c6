"""Judges a learner's function: right, not attempted, or not yet and why."""

import copy
import inspect
import math
import time
import warnings
from dataclasses import replace

import numpy as np

from bnlib.exercises.engine import sandbox, words
from bnlib.exercises.engine.compare import difference, leaves, snapshot
from bnlib.exercises.engine.state import watched


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
    """
    cases = exercise.cases()
    unfit = _signature_problem(exercise, fn, cases[0].args)
    if unfit:
        return words.not_yet(exercise, [unfit])
    outcomes = [_allow(exercise, o) for o in _run(fn, cases, time_limit)]
    verdict = _judge(exercise, cases, outcomes)
    return replace(verdict, printed=words.printed(outcomes))


def _judge(exercise, cases, outcomes):
    if any(_untouched(outcome) for outcome in outcomes):
        return words.not_attempted(exercise)
    for number, (case, outcome) in enumerate(zip(cases, outcomes, strict=False), 1):
        fault = _fault(exercise, case, outcome)
        if fault:
            before = f"Case {number} of {len(cases)}, {case.note}."
            known = _recognize(exercise, cases, outcomes)
            return words.not_yet(
                exercise, [before, fault, *words.aside(exercise, outcome)], known
            )
    changed = [o for o in outcomes if o.changed]
    if changed:
        return words.not_yet(exercise, words.aside(exercise, changed[0]))
    return words.right(exercise, len(cases), _compared(exercise, cases))


def _compared(exercise, cases):
    kept = [name not in exercise.in_place for name in exercise.arguments]
    pairs = [pair for case in cases for pair in zip(case.args, kept, strict=True)]
    return any(watched(arg) for arg, keep in pairs if keep)


def _allow(exercise, outcome):
    names = exercise.arguments
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


def _fault(exercise, case, outcome):
    if outcome.error is not None:
        return words.error(outcome)
    if outcome.result is None:
        return "Your function returned None; is a `return` missing?"
    if exercise.reference is not None:
        want = quietly(exercise.reference, case.args)
        judged = exercise.accept is None
        fault = difference(
            outcome.result, want, rtol=exercise.rtol, atol=exercise.atol, values=judged
        )
        if fault or judged:
            return fault
    return _accept_fault(exercise, case, outcome.result)


def _accept_fault(exercise, case, result):
    if not all(map(_finite, leaves(result))):
        return "Your result contains NaN or inf."
    try:
        return quietly(exercise.accept, (snapshot(result), *case.args))
    except Exception as error:
        # The property could not even be computed: a result of another kind.
        return f"Your result cannot be judged: {words.short(error)}."


def _finite(leaf):
    if not isinstance(leaf, np.ndarray | np.generic | float | complex):
        return True
    return np.asarray(leaf).dtype.kind not in "fc" or np.isfinite(leaf).all()


def _recognize(exercise, cases, outcomes):
    if len(outcomes) < len(cases) or all(o.error is not None for o in outcomes):
        return None
    pairs = list(zip(outcomes, cases, strict=True))
    for known in exercise.misconceptions:
        if all(_fits(exercise, known, o, case.args) for o, case in pairs):
            return known
    return None


def _fits(exercise, known, outcome, args):
    if known.recognize is not None:
        return outcome.error is None and _accepts(known.recognize, outcome.result, args)
    try:
        want = quietly(known.wrong, args)
    except Exception:  # an error that has no result: then neither has the learner's
        return outcome.error is not None
    tolerance = {"rtol": exercise.rtol, "atol": exercise.atol}
    agrees = difference(outcome.result, want, dtype=False, **tolerance) is None
    return outcome.error is None and agrees


def _accepts(recognize, result, args):
    try:
        return bool(quietly(recognize, (snapshot(result), *args)))
    except Exception:  # judged on a result of another kind
        return False


def quietly(fn, args):
    """Call one of the course's own functions without its warnings.

    Parameters
    ----------
    fn : callable
        A reference, a misconception, or a property.
    args : tuple
        Its arguments, copied first.

    Returns
    -------
    object
        What it returns, as ``snapshot`` copies it.
    """
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return snapshot(fn(*copy.deepcopy(args)))


def _signature_problem(exercise, fn, args):
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
        signature.bind(*args)
    except TypeError:
        return f"The function should be {exercise.signature}, but yours is {yours}."
    return None
