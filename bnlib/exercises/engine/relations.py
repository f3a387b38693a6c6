"""What a wrong answer has to do with the right one, whatever the exercise is about.

A last resort: it is asked after the misconceptions of the exercise, and it names a
simple relation that holds in all cases, such as a sign, a factor or an order.
"""

import numpy as np

from bnlib.exercises.engine.compare import difference
from bnlib.exercises.engine.exercise import Misconception
from bnlib.exercises.engine.recognize import Finding


def _is(got, want):
    return np.allclose(got, want, rtol=1e-6, atol=1e-9)


# name -> (what it should have been, given what came back; why), tried in this order
_SIMPLE = {
    "the sign turned round": (
        lambda got: -got,
        "Every number is minus the right one. Look for a difference that is taken the "
        "wrong way round.",
    ),
    "one minus the right answer": (
        lambda got: 1 - got,
        "Your numbers and the right ones add up to 1: you return the share, or the "
        "answer, of all that was not asked for.",
    ),
    "one over the right answer": (
        lambda got: 1 / got,
        "Your numbers times the right ones are 1: the fraction, or the exponent, is "
        "upside down.",
    ),
    "the square of the right answer": (
        np.sqrt,
        "Every number is the square of the right one: the last root is missing.",
    ),
    "the root of the right answer": (
        np.square,
        "Every number is the root of the right one: there is one root too many.",
    ),
    "the cosine of the right answer": (
        np.arccos,
        "Every number is the cosine of the right one: the last step, np.arccos, is "
        "missing.",
    ),
    "in percent": (
        lambda got: got / 100,
        "Every number is a hundred times the right one: asked is a share.",
    ),
    "one too many": (
        lambda got: got - 1,
        "Every number is too large by 1: positions count from 0.",
    ),
    "one too few": (
        lambda got: got + 1,
        "Every number is too small by 1. Was something counted from 0 that counts from "
        "1?",
    ),
}


def findings(exercise, cases, outcomes):
    """Name the relation between a wrong answer and the right one.

    Parameters
    ----------
    exercise : Exercise
        What was asked.
    cases : list of Case
        Its cases.
    outcomes : list of Outcome
        What the learner's function did with each.

    Returns
    -------
    list of Finding
        At most one, for the whole answer; empty if no relation holds in all cases.
    """
    compared = exercise.reference is not None and exercise.accept is None
    complete = len(outcomes) == len(cases) and all(o.error is None for o in outcomes)
    if not (compared and complete):
        return []
    wants = [exercise.result(exercise.reference, i) for i in range(len(cases))]
    results = [outcome.result for outcome in outcomes]
    known = _order(exercise, results, wants) or _relation(results, wants, cases)
    return [Finding((known,))] if known else []


def _named(name, why):
    return Misconception(name, why, wrong=lambda: None)


def _relation(results, wants, cases):
    pairs = [_arrays(*pair) for pair in zip(results, wants, strict=True)]
    if None in pairs:
        return None
    # A result that is 0 or 1 everywhere has too many relations.
    if all(np.isin(want, (0, 1)).all() for _, want in pairs):
        inverted = all((got == 1 - want).all() for got, want in pairs)
        why = "Wherever the right answer says yes, yours says no, and the reverse."
        return _named("yes and no exchanged", why) if inverted else None
    with np.errstate(all="ignore"):
        for name, (undo, why) in _SIMPLE.items():
            if all(_is(undo(got), want) for got, want in pairs):
                return _named(name, why)
        return _factor(pairs, cases)


def _arrays(got, want):
    """Return both as flat arrays of floats, or None if they are not of one form."""
    try:
        got, want = _items(got, want), _items(want, want)
    except (TypeError, ValueError, KeyError):  # ragged, or other keys
        return None
    kinds = {part.dtype.kind for part in (*got, *want)}
    if [g.shape for g in got] != [w.shape for w in want] or not kinds <= set("biuf"):
        return None
    got, want = (np.concatenate([np.ravel(v) for v in x]) for x in (got, want))
    finite = got.size and np.isfinite(got).all() and np.isfinite(want).all()
    return (got.astype(float), want.astype(float)) if finite else None


def _items(value, like):
    """Return the arrays that make up a value, in the order of the right answer."""
    if isinstance(like, dict):
        if set(value) != set(like):
            raise KeyError
        return [np.asarray(value[key]) for key in like]
    if isinstance(like, tuple | list) and len(like):
        return [np.asarray(item) for item in value]
    return [np.asarray(value)]


def _factor(pairs, cases):
    """Name one factor, the same in all cases, or a size of the first argument."""
    factors = [
        float(got @ want / (want @ want)) if want.any() else np.nan
        for got, want in pairs
    ]
    zipped = zip(factors, pairs, strict=True)
    if not all(np.isfinite(f) and _is(got, f * want) for f, (got, want) in zipped):
        return None
    one = np.allclose(factors, factors[0], rtol=1e-6)
    if one:
        why = f"Every number is {factors[0]:.4g} times the right one, in all cases."
        plain = _is(factors[0], 1) or _is(factors[0], 0)
        return None if plain else _named("right but for one factor", why)
    for name, of in (("entries", np.size), ("rows", len)):
        counts = [_count(of, case.args) for case in cases]
        if _is(factors, counts):
            why = f"Every number is too large by the number of {name} of an argument."
            return _named("a sum where a mean belongs", why)
        if _is(np.multiply(factors, counts), 1):
            why = f"Every number is too small by the number of {name} of an argument."
            return _named("a mean where a sum belongs", why)
    return None


def _count(of, args):
    arrays = [a for a in args if isinstance(a, np.ndarray) and a.ndim]
    return of(arrays[0]) if arrays else np.nan


def _order(exercise, results, wants):
    """Say whether several outputs are right and come in another order."""
    if not isinstance(wants[0], tuple) or len(wants[0]) < 2:
        return None
    found = set()
    for got, want in zip(results, wants, strict=True):
        if not isinstance(got, tuple | list) or len(got) != len(want):
            return None
        places = [_places(part, got) for part in want]
        if any(len(place) != 1 for place in places):
            return None
        found.add(tuple(place[0] for place in places))
    if len(found) != 1 or found == {tuple(range(len(wants[0])))}:
        return None
    names = ", ".join(exercise.outputs) or "that of the task"
    why = f"All values are right and come in the wrong order. Asked is: {names}."
    return _named("the outputs in another order", why)


def _places(part, got):
    how = {"rtol": 1e-6, "atol": 1e-9, "dtype": False}
    return [i for i, g in enumerate(got) if difference(g, part, **how) is None]
