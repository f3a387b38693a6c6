"""The lists of exercises and of figures, as the notebooks of the book hold them."""

import re
from collections import Counter
from dataclasses import dataclass

LABEL = re.compile(r"^(?P<level>[●○] [●○] [●○]) · (?P<minutes>\d+) minutes$", re.M)
HEADING = re.compile(r"### Exercise [\w.]+ · (.*)")
# How a task begins, and so what is asked for; the checker judges each in its own way.
KINDS = {
    "write": "",
    "repair": r"Repair it\.|From chapter \d+\.",
    "predict": r"Predict and measure\.",
    "break a claim": r"Break the claim:",
    "read a sweep": r"Run a sweep and read it\.",
}
LEVELS = ("● ○ ○", "● ● ○", "● ● ●")
EXPLORE = re.compile(r'^explore\("(\w+)"\)$', re.MULTILINE)
CAPTION = re.compile(r"^\*\*(Figure \d+\.\d+)\.\*\* (.*)", re.MULTILINE)
SENTENCE = re.compile(r"(?<=[.?!]) (?=[A-Z])")
NARROW = "\N{NO-BREAK SPACE}"  # a phone must not part a number and its unit
SHORTEST = 60  # characters of what a list quotes of a caption
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@dataclass(frozen=True)
class Task:
    """One exercise as its notebook sets it.

    Parameters
    ----------
    file : str
        Notebook in ``book/``, without its ending.
    number, title : str
        ``"2.1"``, and the heading without the number.
    kind : str
        One of ``KINDS``.
    level : str
        One of ``LEVELS``.
    minutes : int
        Time that the label names.
    """

    file: str
    number: str
    title: str
    kind: str
    level: str
    minutes: int


def exercises(file, notebook):
    """Return the exercises of a notebook in order.

    Parameters
    ----------
    file : str
        Its name, without ending.
    notebook : NotebookNode
        A chapter or a page.

    Raises
    ------
    ValueError
        If a task has no label with its level and minutes.
    """
    tasks = [
        cell
        for cell in notebook.cells
        if cell.metadata.get("exercise", {}).get("role") == "task"
    ]
    return [task(file, cell.metadata["exercise"]["id"], cell.source) for cell in tasks]


def task(file, number, source):
    """Return the exercise that a text cell sets."""
    label = LABEL.search(source)
    if label is None:
        raise ValueError(
            f"exercise {number} must have a line like '● ● ○ · 10 minutes', got "
            f"{source[:60]!r}; write one below its heading"
        )
    text = source[label.end() :].lstrip()
    kinds = [k for k, opening in KINDS.items() if opening and re.match(opening, text)]
    title = HEADING.match(source)
    return Task(
        file,
        number,
        title[1] if title else "",
        kinds[0] if kinds else "write",
        label["level"],
        int(label["minutes"]),
    )


def count(tasks):
    """Return how many exercises there are, and their minutes, in words."""
    number = NUMBERS[len(tasks)] if len(tasks) < len(NUMBERS) else len(tasks)
    return f"{number} exercises ({sum(one.minutes for one in tasks)} minutes)"


def title(notebook):
    """Return the title of a notebook."""
    return notebook.cells[0].source.splitlines()[0].removeprefix("# ")


def exercise_list(notebooks):
    """Return the exercises as Markdown: counts, then a table for each page.

    Parameters
    ----------
    notebooks : dict
        ``{file: notebook}`` in the order of the book.
    """
    of_page = {file: exercises(file, book) for file, book in notebooks.items()}
    everything = [one for tasks in of_page.values() for one in tasks]
    lines = [f"The book has {len(everything)} exercises:", "", *counts(everything)]
    for file, tasks in of_page.items():
        if not tasks:
            continue
        name = title(notebooks[file])
        colab = f'[Colab](colab:book/{file}.ipynb "Open {name} in Colab")'
        page = f'[Read]({file}.ipynb "{name}")'
        lines += ["", f"## {name}", "", f"{page} · {colab} · {count(tasks)}", ""]
        lines += ["| Exercise | Kind | Level |", "|---|---|---|"]
        lines += [
            f"| Exercise {one.number} · {one.title} | {one.kind} "
            f"| {one.level} {one.minutes}{NARROW}min |"
            for one in tasks
        ]
    return "\n".join(lines) + "\n"


def counts(tasks):
    """Return a table of the exercises by kind and level."""
    found = Counter((one.kind, one.level) for one in tasks)
    heads = [level.replace(" ", NARROW) for level in LEVELS]
    lines = [f"| Kind | {' | '.join(heads)} | All |", "|---|---|---|---|---|"]
    for kind in KINDS:
        row = [found[kind, level] for level in LEVELS]
        lines.append(f"| {kind} | {' | '.join(map(str, row))} | {sum(row)} |")
    totals = [sum(found[kind, level] for kind in KINDS) for level in LEVELS]
    lines.append(f"| **all** | {' | '.join(map(str, totals))} | {len(tasks)} |")
    return lines


def figure_list(notebooks):
    """Return the figures as Markdown: a list for each chapter.

    Parameters
    ----------
    notebooks : dict
        ``{file: notebook}`` in the order of the book.
    """
    captions = {file: list(figures(book)) for file, book in notebooks.items()}
    total = sum(map(len, captions.values()))
    lines = touchable(notebooks) + [f"The chapters have {total} figures:"]
    for file, found in captions.items():
        if found:
            lines += ["", f"## {title(notebooks[file])}", ""]
            lines += [f"- {number} · {beginning(text)}" for number, text in found]
    return "\n".join(lines) + "\n"


def figures(notebook):
    """Yield number and caption of each figure of a chapter, in order."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            yield from CAPTION.findall(cell.source)


def touchable(notebooks):
    """Return a list of the explorables, with links that only the site needs."""
    found = [
        f'- <a href="{file}.html#explore-{name}">{words}</a>'
        for file, book in notebooks.items()
        for name, words in explorables(book)
    ]
    if not found:
        return []
    many = NUMBERS[len(found)] if len(found) < len(NUMBERS) else len(found)
    return [f"What can be dragged, {many} in all:", "", *found, ""]


def explorables(notebook):
    """Yield name and title of each explorable of a notebook, in order."""
    for cell in notebook.cells:
        called = cell.cell_type == "code" and EXPLORE.search(cell.source)
        for output in cell.outputs if called else ():
            shown = output.get("data", {}).get("text/html", "")
            words = re.search(r'<img alt="(.*?)\. ', shown)
            if words:
                yield called[1], words[1]


def beginning(caption):
    """Return as many sentences of a caption as say something."""
    sentences = SENTENCE.split(caption)
    text = sentences.pop(0)
    while len(text) < SHORTEST and sentences:
        text += " " + sentences.pop(0)
    return text
