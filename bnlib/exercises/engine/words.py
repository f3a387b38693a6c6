"""The sentences of a verdict."""

import textwrap
from dataclasses import dataclass

import numpy as np

from bnlib.exercises.engine.exercise import Unfit
from bnlib.exercises.engine.sandbox import TimeLimit

WIDTH = 88
# Words in errors of NumPy and torch that come from shapes that do not fit.
_OF_SHAPES = ("broadcast", "mismatch", "not aligned", "size of tensor", "must match")
# Pages that are no chapters, by the letter with which their exercises begin.
_PAGES = {"H": "The bug hunt", "P": "The project"}
# Arguments are shown if they have at most so many numbers together.
MOST_INPUTS = 24


@dataclass(frozen=True)
class Verdict:
    """The judgment of one answer.

    Parameters
    ----------
    status : {"right", "not attempted", "not yet"}
        What it comes to.
    text : str
        What is printed, in lines of at most 88 characters.
    misconception : str or None
        Name of the misconception that was recognized.
    printed : str
        What the learner's function printed, labelled by case.
    raised : str
        What the learner's function raised first, with its message; empty if nothing.
    """

    status: str
    text: str
    misconception: str | None = None
    printed: str = ""
    raised: str = ""


def right(exercise, count, untouched):
    """Say what was checked.

    Parameters
    ----------
    exercise : Exercise
        What was asked.
    count : int
        Number of cases.
    untouched : bool
        Whether the arguments were compared with what they were before.

    Returns
    -------
    Verdict
        With status "right".
    """
    cases = "1 case" if count == 1 else f"{count} cases"
    agree = f"agree{'s' * (count == 1)} to {exercise.rtol:.0e}"
    judged = "accepted" if exercise.accept else agree
    compared = ", inputs untouched" if untouched else ""
    text = f"✔ Exercise {exercise.number} · right: {cases} {judged}{compared}."
    return Verdict("right", text)


def as_solution(verdict):
    """Mark the verdict on a published solution, lest it be taken for one's own.

    Parameters
    ----------
    verdict : Verdict
        With status "right".

    Returns
    -------
    str
        Its text, which names the solution first.
    """
    return verdict.text.replace("✔ Exercise", "✔ Solution of exercise", 1)


def after(exercise, chapter, solved, following):
    """Say why an answer is right, how else it can be written, and what comes next.

    Parameters
    ----------
    exercise : Exercise
        What was solved.
    chapter : list of Exercise
        All of its chapter.
    solved : set of str
        Names of the exercises that are solved, this one among them.
    following : Exercise or None
        The next one to solve.

    Returns
    -------
    str
        Some lines.
    """
    lines = [wrap(exercise.why)] if exercise.why else []
    if exercise.another:
        code = exercise.another.splitlines()
        lines += ["  Another way to write it:", *(f"    {line}" for line in code)]
    count = sum(other.name in solved for other in chapter)
    done = f"{count} of {len(chapter)} solved."
    done = f"all {count} solved." if count == len(chapter) else done
    lines.append(wrap(f"{part(exercise)}: {done} {pointer(following)}"))
    return "\n".join(lines)


def part(exercise):
    """Name the part of the book that an exercise is from.

    Parameters
    ----------
    exercise : Exercise
        Any.

    Returns
    -------
    str
        ``"Chapter 2"`` or ``"The project"``.
    """
    return _PAGES.get(exercise.chapter, f"Chapter {exercise.chapter}")


def pointer(following):
    """Point to the next exercise.

    Parameters
    ----------
    following : Exercise or None
        None if all are solved.

    Returns
    -------
    str
        A sentence.
    """
    if following is None:
        return "These were all exercises of the book."
    title = following.title
    end = "" if title[-1] in ".?!" else "."
    return f"Next: exercise {following.number}, {title}{end}"


def offer(exercise, failures, given):
    """Offer the next hint after several wrong answers.

    Parameters
    ----------
    exercise : Exercise
        What was asked.
    failures : int
        Wrong answers in a row.
    given : int
        Hints given so far.

    Returns
    -------
    str
        One paragraph.
    """
    count = len(exercise.hints)
    where = f'hint("{exercise.number}") gives hint {given + 1} of {count}.'
    if given >= count:
        where = "All hints were given; the solution is folded below them."
    return wrap(f"Not yet {failures} times in a row: {where}")


def not_attempted(exercise):
    """Say what to do with a starter.

    Parameters
    ----------
    exercise : Exercise
        What was asked.

    Returns
    -------
    Verdict
        With status "not attempted".
    """
    text = f"○ Exercise {exercise.number} · not attempted yet. Replace the ... above, "
    return Verdict("not attempted", text + "then check again.")


def lacking(error):
    """Say that something has to be installed first, without a full stop.

    Parameters
    ----------
    error : ModuleNotFoundError
        What the import of it raised.

    Returns
    -------
    str
        ``"needs PyTorch, which is not installed here"``.
    """
    name = {"torch": "PyTorch"}.get(error.name, error.name)
    return f"needs {name}, which is not installed here"


def half_written(exercise, cases, still_open):
    """Say which cases are right and which are not written yet.

    Parameters
    ----------
    exercise : Exercise
        What was asked.
    cases : list of Case
        Its cases.
    still_open : list of bool
        Which of them led to a ``...``.

    Returns
    -------
    Verdict
        With status "not yet".
    """
    notes = {True: [], False: []}
    for number, (case, is_open) in enumerate(zip(cases, still_open, strict=True), 1):
        notes[is_open].append(f"case {number} ({case.note})")
    parts = [
        f"Right so far: {'; '.join(notes[False])}.",
        f"Not written yet: {'; '.join(notes[True])}.",
    ]
    return not_yet(exercise, parts, again=again(exercise, still_open.index(True) + 1))


def not_yet(exercise, parts, found=(), factors="", again=""):
    """Say what is wrong.

    Parameters
    ----------
    exercise : Exercise
        What was asked.
    parts : iterable of str
        Paragraphs.
    found : list of Finding
        What the answer looks like.
    factors : str
        Terms that entered with a wrong factor.
    again : str
        The line that repeats the case; it comes last and is not broken.

    Returns
    -------
    Verdict
        With status "not yet".
    """
    parts = [f"✘ Exercise {exercise.number} · not yet.", *parts]
    for finding in found:
        parts += _named(finding)
    parts += [factors] if factors else []
    lines = [line for part in parts[1:] for line in part.splitlines()]
    text = "\n".join([parts[0], *map(wrap, lines), *([f"  {again}"] if again else [])])
    known = [known.name for finding in found for known in finding.known]
    name = " and ".join(dict.fromkeys(known)) or ("wrong factors" if factors else None)
    return Verdict("not yet", text, name)


def _named(finding):
    known, *second = finding.known
    where = " and ".join(finding.parts)
    start = f"In {where} this looks" if where else "This looks"
    if second:
        return [
            f"{start} like two known misconceptions at once: {known.name}; and "
            f"{second[0].name}.",
            known.why,
            second[0].why,
        ]
    if known.weak:
        return [f"Possible causes ({known.name}):", known.why]
    return [f"{start} like a known misconception: {known.name}.", known.why]


def again(exercise, number):
    """Write the call that repeats one case.

    Parameters
    ----------
    exercise : Exercise
        What was asked.
    number : int
        Number of the case, from 1.

    Returns
    -------
    str
        One line of code with a few words before it.
    """
    found = f'case("{exercise.number}", {number})'
    if exercise.drive:
        call = f"run, *args = {found}; run({exercise.function}, *args)"
        return f"By hand: from bnlib import case; {call}"
    call = f"{exercise.function}(*{found})"
    return f"Once more by hand: from bnlib import case; {call}"


def inputs(exercise, args):
    """Show the arguments of a case, if they are small.

    Parameters
    ----------
    exercise : Exercise
        What was asked.
    args : tuple
        The arguments.

    Returns
    -------
    list of str
        One paragraph, or none if an argument is not small, or never reaches the answer.
    """
    shown = [None] if exercise.drive else [_small(arg) for arg in args]
    if None in shown or sum(map(_size, args)) > MOST_INPUTS:
        return []
    pairs = zip(exercise.arguments, shown, strict=True)
    return ["Input: " + "; ".join(f"{name} = {text}" for name, text in pairs)]


def _size(arg):
    return int(np.size(arg)) if isinstance(arg, np.ndarray | int | float) else 0


def _small(arg):
    if isinstance(arg, np.ndarray):
        return _numbers(arg.tolist()) if arg.dtype.kind in "biuf" else None
    if isinstance(arg, list) and all(isinstance(item, str) for item in arg):
        return " ".join(arg) if len(arg) <= MOST_INPUTS else None
    if isinstance(arg, list) and all(isinstance(item, int | float) for item in arg):
        return _numbers(arg) if len(arg) <= MOST_INPUTS else None
    return _numbers(arg) if isinstance(arg, bool | int | float | str) else None


def _numbers(value):
    if isinstance(value, list):
        return f"[{', '.join(map(_numbers, value))}]"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def printed(outcomes):
    """Label by case what a learner's function printed.

    Parameters
    ----------
    outcomes : list of Outcome
        One of each case.

    Returns
    -------
    str
        Empty if nothing was printed.
    """
    lines = []
    for number, outcome in enumerate(outcomes, 1):
        if outcome.printed:
            lines.append(f"Case {number} printed:")
            lines += [f"  {line}" for line in outcome.printed.splitlines()]
    return "\n".join(lines)


def raised(outcomes):
    """Name the first exception that came from a learner's function itself.

    Parameters
    ----------
    outcomes : list of Outcome
        One of each case.

    Returns
    -------
    str
        As ``short`` names it; empty if there was none.
    """
    judged = Unfit | TimeLimit | NotImplementedError  # these say something else
    errors = [outcome.error for outcome in outcomes if outcome.error is not None]
    return next((short(e) for e in errors if not isinstance(e, judged)), "")


def wrap(text, first="  "):
    """Break a paragraph into lines that fit a page and a phone held sideways.

    Parameters
    ----------
    text : str
        The paragraph.
    first : str
        Indentation of its first line; the others have two spaces.

    Returns
    -------
    str
        Lines of at most 88 characters.
    """
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent="  ",
        break_on_hyphens=False,
    )


def error(exercise, case, outcome):
    """Say what was raised, and where.

    Parameters
    ----------
    exercise : Exercise
        What was asked.
    case : Case
        The case that led to it.
    outcome : Outcome
        Outcome with an error.

    Returns
    -------
    str
        Paragraphs, one a line.
    """
    if isinstance(outcome.error, TimeLimit):
        return (
            "Your code was stopped: it was still running at the time limit of "
            f"{outcome.error.args[0]:g} s. Is there a loop that never ends?"
        )
    if isinstance(outcome.error, Unfit):
        return str(outcome.error)
    text = f"Your code raised {short(outcome.error)}."
    if outcome.place:
        text += f"\nIt happened in {outcome.place}"
    if any(word in text for word in _OF_SHAPES):
        pairs = zip(exercise.inputs, case.args, strict=True)
        shapes = [f"{name} {_shape(arg)}" for name, arg in pairs if _shape(arg)]
        text += f"\nThe shapes: {', '.join(shapes)}."
        if "x" in exercise.arguments and "broadcast" in text:
            text += " A statistic must line up with x (keepdims=True)."
    return text


def _shape(arg):
    return tuple(getattr(arg, "shape", ()))


def short(error):
    """Name an exception and its message on one line.

    Parameters
    ----------
    error : BaseException
        What was raised.

    Returns
    -------
    str
        ``"ValueError: the message"``, shortened, without a full stop.
    """
    try:
        message = " ".join(str(error).split())
    except Exception:  # a learner's own exception class may be broken as well
        message = ""
    message = message[:239] + "…" if len(message) > 240 else message.rstrip(".")
    return type(error).__name__ + (f": {message}" if message else "")


def aside(exercise, outcome):
    """Say what else happened: modified arguments, a warning.

    Parameters
    ----------
    exercise : Exercise
        What was asked.
    outcome : Outcome
        Outcome of one case.

    Yields
    ------
    str
        One paragraph each.
    """
    names = dict(enumerate(exercise.inputs))
    changed = [names.get(i, f"number {i + 1}") for i in outcome.changed]
    if changed:
        yield (
            f"Your function changes its argument {' and '.join(changed)}. Work on a "
            "copy: whoever called it still needs the old values."
        )
    if outcome.warning:
        yield f"While it ran, this warning came: {outcome.warning.rstrip('.')}."
