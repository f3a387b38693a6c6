"""Feedback for the course's exercises: ``check`` judges an answer, ``hint`` helps.

Each chapter has a file ``chNN_topic.py`` with a tuple ``EXERCISES``.
"""

from difflib import get_close_matches
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from bnlib.exercises.engine.checker import diagnose
from bnlib.exercises.engine.exercise import Case, Exercise, Misconception
from bnlib.exercises.engine.words import wrap

__all__ = [
    "Case",
    "Exercise",
    "ExerciseFailed",
    "Misconception",
    "check",
    "get",
    "hint",
    "names",
]

_hints_given = {}


class ExerciseFailed(AssertionError):
    """Raised by ``check(..., strict=True)`` when the answer is not right."""


@cache
def _registry():
    # Loaded at the first use, so that `import bnlib` stays fast.
    exercises = []
    for module in iter_modules(__path__):
        if module.name.startswith("ch") and module.name[2:4].isdigit():
            exercises += import_module(f"{__name__}.{module.name}").EXERCISES
    return _by_name(exercises)


def _by_name(exercises):
    def order(exercise):
        return tuple(int(part) for part in exercise.number.split("."))

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
    """
    return list(_registry())


def get(name):
    """Look up an exercise.

    Parameters
    ----------
    name : str
        One of ``names()``.

    Returns
    -------
    Exercise
        The exercise with its cases, misconceptions and hints.

    Raises
    ------
    KeyError
        If there is no exercise of this name; the message lists similar ones.
    """
    problem = _name_problem(name)
    if problem:
        raise KeyError(problem)
    return _registry()[name]


def check(name, fn, *, strict=False, time_limit=10.0):
    """Judge an answer and print one verdict.

    Nothing that the function does becomes a traceback: it is called with copies, and
    what goes wrong is said in words. Only a real interrupt (the stop button) passes.

    Parameters
    ----------
    name : str
        Name of the exercise.
    fn : callable
        The function you wrote.
    strict : bool, default=False
        Raise unless the answer is right, as the published solutions do.
    time_limit : float, default=10.0
        Seconds for all cases together. The limit holds where cells run, in the main
        thread; in another thread the function runs without one.

    Raises
    ------
    ExerciseFailed
        If ``strict`` and the answer is not right.
    """
    status, text = _judge(name, fn, time_limit)
    if strict and status != "right":
        raise ExerciseFailed(text)
    print(text)


def _judge(name, fn, time_limit):
    misuse = _misuse(name, fn)
    if misuse:
        return "misuse", wrap(f"✘ {misuse}", first="")
    try:
        verdict = diagnose(_registry()[name], fn, time_limit)
    except Exception as error:  # our fault, and no reason to show a traceback
        return "fault", f"✘ The checker itself failed ({error!r}). Please report it."
    return verdict.status, verdict.text


def _misuse(name, fn):
    if callable(name) and isinstance(fn, str):
        function = getattr(name, "__name__", "your_function")
        return f'The name comes first: check("{fn}", {function}).'
    if callable(fn) or _name_problem(name):
        return _name_problem(name)
    usage = f'check("{name}", {_registry()[name].function})'
    return f"check needs the function itself, not its result: {usage}."


def hint(name):
    """Print the next hint for an exercise; after the last one it starts again.

    Parameters
    ----------
    name : str
        Name of the exercise.
    """
    problem = _name_problem(name)
    if problem:
        print(wrap(f"✘ {problem}", first=""))
        return
    hints = _registry()[name].hints
    given = _hints_given.get(name, 0)
    if given == len(hints):
        print(f"That was the last of {given} hints; the next call begins again.")
        _hints_given[name] = 0
        return
    print(wrap(f"Hint {given + 1} of {len(hints)} · {hints[given]}", first=""))
    _hints_given[name] = given + 1


def _name_problem(name):
    if isinstance(name, str) and name in _registry():
        return None
    close = get_close_matches(str(name), names(), n=3, cutoff=0.5)
    listed = ", ".join(f'"{other}"' for other in close or names())
    start = "Did you mean" if close else "The names are"
    end = "?" if close else "."
    return f"There is no exercise {name!r}. {start} {listed}{end}"
