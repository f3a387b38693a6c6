"""Feedback for the course's exercises: ``check`` judges an answer, ``hint`` helps.

Each chapter has a file ``chNN_topic.py`` with a tuple ``EXERCISES``, the page *The bug
hunt* has ``hunt.py``, with the numbers H.1, H.2, ..., and the steps of the project have
``project_*.py``, with P.1, P.2, ...
"""

import math
import re
import sys
from collections import Counter
from copy import deepcopy
from dataclasses import replace
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from inspect import signature
from pkgutil import iter_modules

from bnlib.exercises.engine import progress as kept
from bnlib.exercises.engine import words
from bnlib.exercises.engine.checker import diagnose
from bnlib.exercises.engine.exercise import Case, Exercise, Misconception
from bnlib.exercises.engine.words import Verdict, wrap
from bnlib.exercises.project import check_project, write_project
from bnlib.exercises.reasons import REASONS

__all__ = [
    "Case",
    "Exercise",
    "ExerciseFailed",
    "Misconception",
    "case",
    "check",
    "check_project",
    "get",
    "hint",
    "names",
    "progress",
    "write_project",
]

# Wrong answers in a row after which the next hint is offered.
PATIENCE = 3

_hints_given = Counter()
_failures = Counter()


class ExerciseFailed(AssertionError):
    """Raised by ``check(..., strict=True)`` when the answer is not right.

    Examples
    --------
    >>> try:
    ...     check("1.1", lambda x: x, strict=True)
    ... except ExerciseFailed as verdict:
    ...     print(str(verdict).splitlines()[0])
    ✘ Exercise 1.1 · not yet.
    """


@cache
def _registry():
    # Loaded at the first use, so that `import bnlib` stays fast.
    exercises = []
    for module in iter_modules(__path__):
        if re.fullmatch(r"ch\d\d_.*|hunt|project_.*", module.name):
            exercises += import_module(f"{__name__}.{module.name}").EXERCISES
    return _by_name([_with_reason(exercise) for exercise in exercises])


def _with_reason(exercise):
    why, another = REASONS.get(exercise.name, ("", ""))
    return replace(
        exercise, why=exercise.why or why, another=exercise.another or another
    )


def _by_name(exercises):
    def order(exercise):
        # Pages that are no chapters come last, by their letters.
        chapter, _, number = exercise.number.partition(".")
        page = (int(chapter), "") if chapter.isdigit() else (math.inf, chapter)
        return page, int(number)

    found = {exercise.name: exercise for exercise in sorted(exercises, key=order)}
    if len(found) < len(exercises):
        listed = sorted(exercise.name for exercise in exercises)
        raise ValueError(f"names of exercises must be unique, got {listed}")
    return found


def names():
    """List all exercises.

    Returns
    -------
    list of str
        Their names, in the order of the book.

    Examples
    --------
    >>> names()[:3]
    ['z-score', 'train-test', 'raw-units']
    """
    return list(_registry())


def get(name):
    """Look up an exercise.

    Parameters
    ----------
    name : str
        One of ``names()``, or a number such as ``"2.1"``.

    Returns
    -------
    Exercise
        The exercise with its cases, misconceptions and hints.

    Raises
    ------
    KeyError
        If there is no exercise of this name; the message lists similar ones.

    Examples
    --------
    >>> exercise = get("1.1")
    >>> exercise.name, exercise.signature
    ('z-score', 'z_score_columns(x)')
    """
    exercise, problem = _find(name)
    if problem:
        raise KeyError(problem)
    return exercise


def check(name=None, fn=None, *more, strict=False, time_limit=10.0):
    """Judge an answer and print one verdict.

    After a right one follow the reason, the number of solved exercises of the chapter
    and the next one; after the third wrong one in a row, an offer of the next hint.
    The solved ones are remembered in the user's data folder, unless the environment
    variable ``BNLIB_PROGRESS`` is ``off``; on a page of the book, by the browser.

    Nothing that the function does becomes a traceback: it is called with copies, and
    what goes wrong is said in words. Only a real interrupt (the stop button) passes.
    What it prints comes first, labelled by case, at most 20 lines of each.

    Parameters
    ----------
    name : str or callable
        Name of the exercise, its number (``"2.1"``), or only the function you wrote,
        which then must be named as the exercise says.
    fn : callable, optional
        The function you wrote.
    *more : object
        Not used: a call with too many arguments is answered by a sentence as well.
    strict : bool, default=False
        Raise unless the answer is right, as the published solutions do. The verdict
        then speaks of a solution, and nothing is counted.
    time_limit : float or None, default=10.0
        Seconds for all cases together, None for no limit. The limit holds where cells
        run, in the main thread; in another thread the function runs without one.

    Raises
    ------
    ExerciseFailed
        If ``strict`` and the answer is not right.

    Examples
    --------
    >>> check("1.1", lambda x: ...)
    ○ Exercise 1.1 · not attempted yet. Replace the ... above, then check again.
    """
    if callable(name) and fn is None:
        fn = name
    verdict = _judge(name, fn, more, time_limit)
    if getattr(sys.stdout, "mid_line", False):  # the answer printed without an end
        print()
    if verdict.printed:
        print(verdict.printed)
    if strict and verdict.status != "right":
        raise ExerciseFailed(verdict.text)
    if verdict.status == "right" and (strict or _is_published(fn)):
        print(words.as_solution(verdict))
        return
    print(verdict.text)
    _go_on(_find(name)[0], verdict.status)


def _is_published(fn):
    return _called(fn).endswith("_solution")


def _go_on(exercise, status):
    """Remember what came out and print what follows from it."""
    if status == "right":
        _failures[exercise.name] = 0
        said = kept.remember(exercise.name)
        chapter = [e for e in _registry().values() if e.chapter == exercise.chapter]
        solved = kept.solved()
        print(words.after(exercise, chapter, solved, _following(exercise, solved)))
        if said:
            print(said)
    elif status == "not yet":
        _failures[exercise.name] += 1
        if _failures[exercise.name] >= PATIENCE:
            given = _hints_given[exercise.name]
            print(words.offer(exercise, _failures[exercise.name], given))


def _following(exercise, solved):
    """Return the next one that is not solved: of this chapter, then after it."""
    everything = list(_registry().values())
    here = [e for e in everything if e.chapter == exercise.chapter]
    at, at_here = everything.index(exercise), here.index(exercise)
    line = here[at_here:] + here[:at_here] + everything[at:] + everything[:at]
    return next((e for e in line if e.name not in solved), None)


def progress():
    """Print all exercises of the book, which of them are solved, and the next one.

    Solved ones are remembered in a folder of the user's data, which is named at the
    end; delete it to begin again. ``BNLIB_PROGRESS=off`` keeps nothing and reads
    nothing. On a page of the book the browser remembers them instead.

    Examples
    --------
    >>> progress()  # doctest: +ELLIPSIS
    Chapter 1: ... of 6
      ... 1.1  Every column to mean 0 and variance 1
    ...
    """
    everything, solved = list(_registry().values()), kept.solved()
    for title in dict.fromkeys(map(words.part, everything)):
        own = [e for e in everything if words.part(e) == title]
        print(f"{title}: {sum(e.name in solved for e in own)} of {len(own)}")
        for e in own:
            print(f"  {'✔' if e.name in solved else '○'} {e.number:5}{e.title}")
    left = [e for e in everything if e.name not in solved]
    done = f"{len(everything) - len(left)} of {len(everything)} solved."
    print(wrap(f"{done} {words.pointer(left[0] if left else None)}", first=""))
    if kept.folder():
        print(f"Kept in {kept.folder()}")


def _judge(name, fn, more, time_limit):
    exercise, problem = _find(name)
    misuse = _misuse(name, fn, more, time_limit, exercise) or problem
    if misuse:
        return Verdict("misuse", wrap(f"✘ {misuse}", first=""))
    try:
        return diagnose(exercise, fn, time_limit)
    except ModuleNotFoundError as error:
        text = f"✘ Exercise {exercise.number} {words.lacking(error)}."
        return Verdict("misuse", wrap(text, first=""))
    except Exception as error:  # our fault, and no reason to show a traceback
        text = f"✘ The checker itself failed ({error!r}). Please report it."
        return Verdict("fault", text)


def _misuse(name, fn, more, time_limit, exercise):
    if name is None and fn is None:
        return 'check needs the function that you wrote: check("2.1", forward).'
    if more:
        count = 2 + len(more)
        return (
            f"check takes a name and your function, got {count} values; leave one out."
        )
    if callable(name) and isinstance(fn, str):
        return f'The name comes first: check("{fn}", {_called(name)}).'
    number = isinstance(time_limit, int | float) and not isinstance(time_limit, bool)
    if time_limit is not None and not (number and time_limit > 0):
        return (
            f"time_limit is a number of seconds or None, got {time_limit!r}; leave it "
            "out for 10 s."
        )
    if exercise is None or callable(fn):
        return None
    usage = f'check("{exercise.name}", {exercise.function})'
    missing = (
        "check needs your function as well"
        if fn is None
        else ("check needs the function itself, not its result")
    )
    return f"{missing}: {usage}."


def _called(fn):
    called = getattr(fn, "__name__", "")
    return called if called.isidentifier() else "your_function"


def hint(name=None):
    """Print the next hint for an exercise; after the last one it starts again.

    Those given before are repeated above it, because a cell that runs again loses its
    output.

    Parameters
    ----------
    name : str or callable
        Name of the exercise, its number (``"2.1"``), or the function you write.

    Examples
    --------
    >>> hint("1.1")  # doctest: +ELLIPSIS
    Hint 1 of 3 · mean and std along axis 0 have shape (C,)...
    """
    exercise, problem = _find(name)
    alike = _same_arguments(name) if callable(name) and exercise is None else ()
    if alike:  # of a function with a name of its own
        exercise = alike[0]
        print(f"{_called(name)} has the arguments of exercise {exercise.number}.")
    if name is None:
        problem = 'hint needs the name, the number or the function: hint("2.1").'
    if exercise is None:
        print(wrap(f"✘ {problem}", first=""))
        return
    hints = exercise.hints
    given = _hints_given[exercise.name]
    _failures[exercise.name] = 0
    if given == len(hints):
        print(f"That was the last of {given} hints; the next call begins again.")
        _hints_given[exercise.name] = 0
        return
    for number, text in enumerate(hints[: given + 1], 1):
        print(wrap(f"Hint {number} of {len(hints)} · {text}", first=""))
    _hints_given[exercise.name] = given + 1


def case(name, number=1):
    """Return the arguments of one case, to repeat it by hand.

    Parameters
    ----------
    name : str or callable
        Name of the exercise, its number (``"2.1"``), or the function you wrote.
    number : int, default=1
        Number of the case, as in a verdict.

    Returns
    -------
    tuple
        The arguments, new copies at each call: ``forward(*case("2.1", 3))``. For a step
        of the project what tries an answer comes first, as a verdict's last line says.

    Raises
    ------
    ValueError
        If there is no such exercise or no such case.

    Examples
    --------
    >>> (x,) = case("1.1", 2)
    >>> type(x).__name__, x.ndim
    ('ndarray', 2)
    """
    exercise, problem = _find(name)
    if problem:
        raise ValueError(problem)
    cases = exercise.cases()
    if isinstance(number, bool) or number not in range(1, len(cases) + 1):
        raise ValueError(
            f"exercise {exercise.number} has the cases 1 to {len(cases)}, got "
            f"{number!r}; give one of them"
        )
    args = deepcopy(cases[number - 1].args)
    return (exercise.drive, *args) if exercise.drive else args


def _find(key):
    """Return the exercise of a name, number or function, and what is wrong if none."""
    if isinstance(key, str) and key in _registry():
        return _registry()[key], None
    sought = _called(key).removesuffix("_solution") if callable(key) else str(key)
    for exercise in _registry().values():
        if sought in (exercise.number, exercise.name, exercise.function):
            return exercise, None
    return (None, _unnamed(key)) if callable(key) else (None, _unknown(key))


def _unnamed(fn):
    called, alike = _called(fn), [f'"{e.number}"' for e in _same_arguments(fn)]
    which = " or ".join(f"check({number}, {called})" for number in alike or ['"2.1"'])
    return f"No exercise asks for a function {called}. Say which one you mean: {which}."


def _same_arguments(fn):
    try:
        arguments = tuple(signature(fn).parameters)
    except (ValueError, TypeError):  # compiled functions have none
        return []
    return [e for e in _registry().values() if e.arguments == arguments]


def _unknown(key):
    close = get_close_matches(str(key), names(), n=3, cutoff=0.5)
    listed = ", ".join(f'"{other}"' for other in close or names())
    start = "Did you mean" if close else "The names are"
    end = "?" if close else "."
    return f"There is no exercise {key!r}. {start} {listed}{end}"
