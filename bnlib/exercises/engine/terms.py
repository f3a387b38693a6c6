"""Finds with which factors the terms of a formula entered an answer."""

from dataclasses import dataclass

import numpy as np

from bnlib.exercises.engine.compare import quietly


@dataclass(frozen=True)
class Terms:
    """A sum of named terms that makes one output of an exercise.

    Parameters
    ----------
    values : dict of str to ndarray
        The terms, all of the shape of the output.
    factors : dict of str to float
        The right factor of each term; 0 for a term that does not belong there.
    counts : dict of str to int
        Numbers that a factor may contain by mistake: ``{"N": 8}``.
    part : int, optional
        Position of the output among several. The default is the whole result.
    """

    values: dict
    factors: dict
    counts: dict
    part: int | None = None


def wrong_factors(exercise, cases, outcomes):
    """Say which terms entered an answer with a wrong factor.

    Parameters
    ----------
    exercise : Exercise
        What was asked; without ``terms`` nothing can be said.
    cases : list of Case
        Its cases.
    outcomes : list of Outcome
        What the learner's function did with each.

    Returns
    -------
    str
        A paragraph, or empty if the answer is no sum of these terms in all cases.
    """
    if exercise.terms is None or len(outcomes) < len(cases):
        return ""
    fits = []
    for case, outcome in zip(cases, outcomes, strict=True):
        terms = quietly(exercise.terms, case.args)
        factors = None if outcome.error is not None else _fit(outcome.result, terms)
        if factors is None:
            return ""
        fits.append((terms, factors))
    return _sentence(exercise, fits)


def _fit(result, terms):
    """Return the factors by least squares, or None if they leave something over."""
    try:
        got = result if terms.part is None else result[terms.part]
        got = np.asarray(got, dtype=float)
    except (TypeError, ValueError, IndexError, KeyError):
        return None
    columns = [np.ravel(value) for value in terms.values.values()]
    if got.size != columns[0].size or not np.isfinite(got).all():
        return None
    matrix = np.stack(columns, axis=1)
    factors, _, rank, _ = np.linalg.lstsq(matrix, got.ravel(), rcond=None)
    miss = np.abs(matrix @ factors - got.ravel()).max()
    fine = rank == len(columns) and miss <= 1e-6 * np.abs(got).max()
    return factors if fine else None


def _sentence(exercise, fits):
    terms = fits[0][0]
    wrong = []
    for i, (name, right) in enumerate(terms.factors.items()):
        found = [factors[i] for _, factors in fits]
        if np.allclose(found, right, rtol=1e-4, atol=1e-5):
            continue
        factor = _common(found, [each.counts for each, _ in fits])
        if factor is None:
            return ""
        should = f"should be {right:+g}" if right else "does not belong there"
        wrong.append(f"{name} enters with the factor {factor}; it {should}.")
    if not wrong:
        return ""
    whole = terms.part is None or not exercise.outputs
    output = "result" if whole else exercise.outputs[terms.part]
    return f"Your {output} is a sum of the right terms but for this: {' '.join(wrong)}"


def _common(found, counts):
    """Write a factor that is the same in all cases, perhaps with a count in it."""
    for power in (0, 1, -1):
        for name in counts[0]:
            sizes = np.array([float(each[name]) for each in counts])
            plain = np.array(found) / sizes**power
            if np.allclose(plain, plain[0], rtol=1e-4, atol=1e-6):
                return _written(plain[0], name if power else "", power)
    return None


def _written(plain, name, power):
    number = f"{plain:+.4g}" if abs(plain) > 1e-5 else "0"
    signs = {"+1": "+", "-1": "-"}
    if power == 1:
        return signs.get(number, f"{number} ") + name
    return f"{number}/{name}" if power else number
