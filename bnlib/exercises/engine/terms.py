"""Finds with which factors the terms of a formula entered an answer."""

from dataclasses import dataclass
from itertools import combinations, product

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
        Numbers that a factor may contain by mistake: ``{"N": 8}``; it may be empty.
    part : int, optional
        Position of the output among several. The default is the whole result.
    """

    values: dict
    factors: dict
    counts: dict
    part: int | None = None


def wrong_factors(exercise, cases, outcomes, explained=()):
    """Say which terms entered an answer with a wrong factor.

    Parameters
    ----------
    exercise : Exercise
        What was asked; without ``terms`` nothing can be said.
    cases : list of Case
        Its cases.
    outcomes : list of Outcome
        What the learner's function did with each.
    explained : collection of str
        Names of outputs of which nothing more is to be said.

    Returns
    -------
    str
        Paragraphs, one a line; empty if no output is a sum of its terms in all cases.
    """
    complete = len(outcomes) == len(cases) and all(o.error is None for o in outcomes)
    if exercise.terms is None or not complete:
        return ""
    by_case = [quietly(exercise.terms, case.args) for case in cases]
    lines = []
    for terms in zip(*by_case, strict=True):
        part = terms[0].part
        named = part is not None and len(exercise.outputs) > part
        output = exercise.outputs[part] if named else "result"
        if output not in explained:
            lines.append(_sentence(output, terms, [o.result for o in outcomes]))
    return "\n".join(filter(None, lines))


def _sentence(output, terms, results):
    names, right = list(terms[0].factors), list(terms[0].factors.values())
    got = [_output(result, each) for result, each in zip(results, terms, strict=True)]
    finite = all(np.isfinite(v).all() for each in terms for v in each.values.values())
    if not finite or any(values is None for values in got):
        return ""
    found = _fit(got, terms)
    wrong = [
        f"{name} enters with the factor {_written(*factor)}; "
        + (f"it should be {want:+g}." if want else "it does not belong there.")
        for name, want, factor in zip(names, right, found or [], strict=False)
        if factor[1] or not np.isclose(factor[0], want, rtol=1e-4, atol=1e-5)
    ]
    start = f"Your {output} is a sum of the right terms but for this:"
    return " ".join([start, *wrong]) if wrong else ""


def _output(result, terms):
    """Return the values of the output in question, or None."""
    try:
        got = result if terms.part is None else result[terms.part]
        got = np.ravel(np.asarray(got, dtype=float))
    except (TypeError, ValueError, IndexError, KeyError):
        return None
    size = np.size(next(iter(terms.values.values())))
    return got if got.size == size and np.isfinite(got).all() else None


def _fit(got, terms):
    """Return (number, count, power) of each factor, or None if they do not explain."""
    # Every case counts alike: one with large values must not drown the others.
    large = [
        max(np.abs(values).max(), *(np.abs(v).max() for v in each.values.values()))
        for values, each in zip(got, terms, strict=True)
    ]
    got = np.concatenate([g / size for g, size in zip(got, large, strict=True)])
    columns = [
        np.concatenate(
            [
                np.ravel(e.values[name]) / size
                for e, size in zip(terms, large, strict=True)
            ]
        )
        for name in terms[0].values
    ]
    sizes = [np.size(next(iter(each.values.values()))) for each in terms]
    counts = {
        name: np.repeat([float(each.counts[name]) for each in terms], sizes)
        for name in terms[0].counts
    }
    for scales in _scales(len(columns), counts):
        matrix = np.stack(columns, axis=1)
        for i, (name, power) in scales.items():
            matrix[:, i] *= counts[name] ** power
        factors, _, rank, _ = np.linalg.lstsq(matrix, got, rcond=None)
        miss = np.abs(matrix @ factors - got).max()
        # Two values more than factors, lest they fit by accident.
        sure = rank == len(columns) <= got.size - 2
        if sure and miss <= 1e-6:
            return [
                (factor, *scales.get(i, ("", 0))) for i, factor in enumerate(factors)
            ]
    return None


def _scales(terms, counts):
    """Yield which terms carry a count by mistake, none of them first, at most two."""
    choices = [(name, power) for name in counts for power in (1, -1)]
    for many in range(3):
        for which in combinations(range(terms), many):
            for picked in product(choices, repeat=many):
                yield dict(zip(which, picked, strict=True))


def _written(plain, name, power):
    number = f"{plain:+.4g}" if abs(plain) > 1e-5 else "0"
    signs = {"+1": "+", "-1": "-"}
    if power == 1:
        return signs.get(number, f"{number} ") + name
    name = f"({name})" if " " in name else name
    return f"{number}/{name}" if power else number
