"""Finds misconceptions that explain a wrong answer: alone, by output, or in pairs."""

import time
from dataclasses import dataclass
from functools import cache, partial
from itertools import combinations

import numpy as np

from bnlib.exercises.engine.compare import difference, leaves, quietly, snapshot

# Seconds of this process (a busy machine must not change a verdict) after which no
# further pair of misconceptions is tried.
PATIENCE = 1.0


@dataclass(frozen=True)
class Finding:
    """What explains a wrong answer, or one of its outputs.

    Parameters
    ----------
    known : tuple of Misconception
        One, or two that were made at once.
    parts : tuple of str
        Names of the outputs that it explains, empty for the whole answer.
    """

    known: tuple
    parts: tuple = ()


def findings(exercise, cases, outcomes):
    """Explain a wrong answer.

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
        Empty if nothing fits on all cases.
    """
    if len(outcomes) < len(cases) or all(o.error is not None for o in outcomes):
        return []
    evidence = _Evidence(exercise, cases, outcomes)
    searches = (_whole, _pair, _by_part, _by_case)
    return next(filter(None, (search(evidence) for search in searches)), [])


class _Evidence:
    """Results of a learner, of the reference and of each misconception, by case."""

    def __init__(self, exercise, cases, outcomes):
        self.exercise = exercise
        self.args = [case.args for case in cases]
        self.outcomes = outcomes
        self.results = [outcome.result for outcome in outcomes]
        self.reference = exercise.reference if exercise.accept is None else None

    def agree(self, one, other):
        tolerance = {"rtol": self.exercise.rtol, "atol": self.exercise.atol}
        return difference(one, other, dtype=False, **tolerance) is None

    def makes(self, wrong):
        """Whether this wrong function leads to what the learner got, in all cases."""
        known = partial(self.exercise.result, wrong)
        return all(self._matches(known, i) for i in range(len(self.args)))

    def makes_both(self, one, other):
        """Whether two switches of one function, thrown at once, lead to it."""
        return self.makes(_together(one, other))

    def wanted(self):
        """Return the right result of each case."""
        return [self.exercise.result(self.reference, i) for i in range(len(self.args))]

    def _matches(self, made, index):
        outcome = self.outcomes[index]
        try:
            want = made(index)
        except Exception:  # no result: then the learner's function has none, either
            return outcome.error is not None
        return outcome.error is None and self.agree(outcome.result, want)

    def shows(self, recognize):
        """Whether the learner's results have this property, in all cases."""
        if any(o.error is not None for o in self.outcomes) or self._in_single():
            return False
        try:
            pairs = zip(self.results, self.args, strict=True)
            return all(quietly(recognize, (snapshot(r), *args)) for r, args in pairs)
        except Exception:  # judged on a result of another kind
            return False

    def _in_single(self):
        # Rounded in float32, a right formula has many faces.
        if self.reference is None:
            return False
        kinds = [
            {np.asarray(leaf).dtype.str for leaf in leaves(value)}
            for value in (self.results[0], self.exercise.result(self.reference, 0))
        ]
        return "<f4" in kinds[0] - kinds[1]


def _whole(evidence):
    for known in evidence.exercise.misconceptions:
        by_result = known.wrong is not None and evidence.makes(known.wrong)
        if by_result or (known.recognize and evidence.shows(known.recognize)):
            return [Finding((known,))]
    return []


def _by_part(evidence):
    """Explain each wrong output by a misconception that gives it in all cases."""
    if evidence.reference is None:
        return []
    wants = evidence.wanted()
    if not isinstance(wants[0], tuple) or not _have_parts(evidence.results, wants):
        return []
    made = [m for m in _made(evidence) if not _permuted(evidence, m[1][0], wants[0])]
    found = {}
    for i in range(len(wants[0])):
        right, got = [w[i] for w in wants], [r[i] for r in evidence.results]
        if not all(map(evidence.agree, got, right)):
            found[i] = [
                known
                for known, results in made
                if all(
                    evidence.agree(g, r[i]) for g, r in zip(got, results, strict=True)
                )
            ]
    names = _names(evidence.exercise, len(wants[0]))
    # One that explains several outputs is likelier than one for each of them.
    often = [known.name for group in found.values() for known in group]
    by_part = {}
    for i, group in found.items():
        if group:
            known = max(group, key=lambda known: often.count(known.name))
            by_part.setdefault(known.name, (known, []))[1].append(names[i])
    return [Finding((known,), tuple(parts)) for known, parts in by_part.values()]


def _by_case(evidence):
    """Explain all wrong cases by one misconception, if the other cases are right.

    Where an argument chooses among branches, an error may be made in one of them. Lists
    of positions, masks and words are left out: few of them are possible, so a wrong one
    is soon equal to another.
    """
    if evidence.reference is None or any(o.error for o in evidence.outcomes):
        return []
    wants = evidence.wanted()
    if not all(_in_floats(value) for value in (*wants, *evidence.results)):
        return []
    right = list(map(evidence.agree, evidence.results, wants))
    wrong = [i for i, fine in enumerate(right) if not fine]
    if not any(right):
        return []
    for known, results in _made(evidence):
        if all(evidence.agree(evidence.results[i], results[i]) for i in wrong):
            return [Finding((known,), tuple(f"case {i + 1}" for i in wrong))]
    return []


def _in_floats(value):
    parts = [np.asarray(leaf) for leaf in leaves(value)]
    floats = bool(parts) and all(p.dtype.kind == "f" and p.size for p in parts)
    return floats and not all(np.isin(part, (0, 1)).all() for part in parts)


def _permuted(evidence, made, want):
    # Outputs in another order: an error of the whole answer, not of one output.
    return len(made) == len(want) and all(
        any(evidence.agree(m, w) for w in want) for m in made
    )


def _have_parts(results, wants):
    kinds = tuple | list | np.ndarray
    return all(
        isinstance(r, kinds)
        and (not isinstance(r, np.ndarray) or r.ndim > 0)
        and len(r) == len(w)
        for r, w in zip(results, wants, strict=True)
    )


def _names(exercise, count):
    return exercise.outputs or [f"value {i} of {count}" for i in range(1, count + 1)]


def _made(evidence):
    """Return (misconception, its results) of all that have a result in each case."""
    made = []
    for known in evidence.exercise.misconceptions:
        try:
            result = partial(evidence.exercise.result, known.wrong)
            results = list(map(result, range(len(evidence.args))))
        except Exception:  # one that is known by a property, or has no result
            continue
        made.append((known, results))
    return made


@cache
def _together(one, other):
    """Return one function for two switches, the same each time: results are kept."""
    return partial(one, **other.keywords)


def _pair(evidence):
    """Find two switches of one function that were thrown together."""
    switches = [
        known
        for known in evidence.exercise.misconceptions
        if isinstance(known.wrong, partial) and not known.wrong.args
    ]
    end = time.process_time() + PATIENCE
    for one, other in combinations(switches, 2):
        if time.process_time() > end:
            return []
        if one.wrong.func is not other.wrong.func:
            continue
        if one.wrong.keywords.keys() & other.wrong.keywords.keys():
            continue
        if evidence.makes_both(one.wrong, other.wrong):
            return [Finding((one, other))]
    return []
