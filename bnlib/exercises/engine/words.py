"""The sentences of a verdict."""

import textwrap
from dataclasses import dataclass

from bnlib.exercises.engine.sandbox import TimeLimit

WIDTH = 88


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
    """

    status: str
    text: str
    misconception: str | None = None
    printed: str = ""


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
    return Verdict("not attempted", text + "then run this cell again.")


def not_yet(exercise, parts, known=None):
    """Say what is wrong.

    Parameters
    ----------
    exercise : Exercise
        What was asked.
    parts : iterable of str
        Paragraphs.
    known : Misconception, optional
        What the answer looks like.

    Returns
    -------
    Verdict
        With status "not yet".
    """
    head = f"✘ Exercise {exercise.number} · not yet."
    parts = list(parts)
    if known:
        parts += [f"This looks like a known misconception: {known.name}.", known.why]
    lines = [line for part in parts for line in part.splitlines()]
    text = "\n".join([head, *(wrap(line) for line in lines)])
    return Verdict("not yet", text, known.name if known else None)


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


def error(outcome):
    """Say what was raised, and where.

    Parameters
    ----------
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
    text = f"Your code raised {short(outcome.error)}."
    if outcome.place:
        text += f"\nIt happened in {outcome.place}"
    if "broadcast" in text:
        text += "\nPrint the shapes: a statistic must line up with x (keepdims=True)."
    return text


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
    names = dict(enumerate(exercise.arguments))
    changed = [names.get(i, f"number {i + 1}") for i in outcome.changed]
    if changed:
        yield (
            f"Your function changes its argument {' and '.join(changed)}. Work on a "
            "copy: whoever called it still needs the old values."
        )
    if outcome.warning:
        yield f"While it ran, this warning came: {outcome.warning.rstrip('.')}."
