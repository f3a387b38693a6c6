"""Carry the table of chapters, ``book/course.yml``, to every place that lists them.

``python -m tools.course`` writes ``_toc.yml``, the tables of chapters in
``book/index.md`` and ``README.md``, their goals in ``book/teach.md``, their times in
``book/use.md`` and the lists of exercises and figures in ``book/exercises.md`` and
``book/figures.md`` (between ``<!-- chapters -->`` and ``<!-- /chapters -->``), and
title and times in the first cell of each chapter, with the number of its exercises and
their minutes, which are counted in the notebook; with ``--check`` it changes nothing
and exits with 1 if a file differs.
"""

import argparse
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

from tools import book_lists, teach_page
from tools import normal_form as nb

ROOT = Path(__file__).parents[1]
TABLE = re.compile(r"(?s)(<!-- chapters -->\n).*?(<!-- /chapters -->)")
TITLE = re.compile(r"\A# Chapter \d+: .*")
TIMES = re.compile(r"\d+ minutes to read, \d+ seconds to run")
EXERCISES = re.compile(r"\w+ exercises \([^)]*\)")


@dataclass(frozen=True)
class Chapter:
    """One chapter as the table states it.

    Parameters
    ----------
    file : str
        Name of the notebook in ``book/`` without its ending.
    title, question : str
        Without the number; what the reader finds out.
    claims : tuple of str
        Identifiers that the chapter measures.
    read, run : int
        Minutes to read, seconds to run.
    was : tuple of str
        Earlier names of the file.
    goals : tuple of str
        What a class can do afterwards.
    """

    file: str
    title: str
    question: str
    claims: tuple
    read: int
    run: int
    was: tuple = ()
    goals: tuple = ()

    @property
    def number(self):
        """Number of the chapter, with which the file's name begins."""
        return int(self.file[:2])


def table(root=ROOT):
    """Return the table as it is written."""
    return yaml.safe_load((root / "book" / "course.yml").read_text(encoding="utf-8"))


def chapters(root=ROOT):
    """Return the chapters in the order of the book."""
    rows = [row for part in table(root)["parts"] for row in part["chapters"]]
    lists = ("claims", "goals", "was")
    return [
        Chapter(**{k: tuple(v) if k in lists else v for k, v in row.items()})
        for row in rows
    ]


def pages(root=ROOT):
    """Return the pages behind the chapters in the order of the book."""
    known = table(root)
    return known["project"]["pages"] + known["reference"]["pages"]


def notebooks(root=ROOT):
    """Return the notebooks of the book in its order: {file: notebook}."""
    names = [c.file for c in chapters(root)] + pages(root)
    paths = {name: root / "book" / f"{name}.ipynb" for name in names}
    return {name: nb.read(path) for name, path in paths.items() if path.is_file()}


def measured(root=ROOT):
    """Return the claims of each notebook that measures: {file: identifiers}.

    The chapters come first, then the reference pages with claims of their own.
    """
    others = table(root)["reference"].get("claims", {})
    return {c.file: c.claims for c in chapters(root)} | {
        file: tuple(names) for file, names in others.items()
    }


def contents(root=ROOT):
    """Return the text that ``_toc.yml`` should have."""
    known = table(root)
    lines = [
        "# Made from book/course.yml by make stamp; change that file.",
        "format: jb-book",
        "root: book/index",
        "parts:",
    ]
    parts = [
        (part["caption"], [c["file"] for c in part["chapters"]])
        for part in known["parts"]
    ]
    behind = (known["project"], known["reference"], known["api"])
    parts += [(part["caption"], part["pages"]) for part in behind]
    for caption, files in parts:
        lines += [f"  - caption: {caption}", "    chapters:"]
        lines += [f"      - file: book/{file}" for file in files]
    return "\n".join(lines) + "\n"


def index_table(root=ROOT):
    """Return the table of chapters of the landing page."""
    lines = ["| Chapter | What you find out | Time |", "|---|---|---|"]
    for c in chapters(root):
        colab = f'[Colab](colab:book/{c.file}.ipynb "Open chapter {c.number} in Colab")'
        time = f"{c.read} min, runs in {c.run} s · {colab}"
        title = f"[{c.number} {c.title}]({c.file}.ipynb)"
        lines.append(f"| {title} | {c.question} | {time} |")
    return "\n".join(lines) + "\n"


def readme_table(root=ROOT):
    """Return the table of chapters of the README."""
    lines = ["| | chapter | what you find out |", "|---|---|---|"]
    lines += [
        f"| {c.number} | [{c.title}](book/{c.file}.ipynb) | {c.question} |"
        for c in chapters(root)
    ]
    return "\n".join(lines) + "\n"


def use_table(root=ROOT):
    """Return the times of the chapters, for the page on how to use the course."""
    lines = ["| Chapter | Read | Run | Exercises |", "|---|---|---|---|"]
    hours = {"read": 0, "tasks": 0}
    for c in chapters(root):
        tasks = book_lists.exercises(c.file, nb.read(root / "book" / f"{c.file}.ipynb"))
        minutes = sum(task.minutes for task in tasks)
        title = f"[{c.number} {c.title}]({c.file}.ipynb)"
        times = (f"{c.read} min", f"{c.run} s", f"{minutes} min")
        cells = (time.replace(" ", book_lists.NARROW) for time in times)
        lines.append(f"| {title} | {' | '.join(cells)} |")
        hours["read"] += c.read / 60
        hours["tasks"] += minutes / 60
    read, tasks = (f"{value:.0f}{book_lists.NARROW}h" for value in hours.values())
    lines.append(f"| **All** | **{read}** | | **{tasks}** |")
    return "\n".join(lines) + "\n"


def exercise_list(root=ROOT):
    """Return all exercises of the book, counted and listed by their pages."""
    return book_lists.exercise_list(notebooks(root))


def figure_list(root=ROOT):
    """Return the figures of the book with the beginnings of their captions."""
    return book_lists.figure_list(notebooks(root))


def teach_table(root=ROOT):
    """Return times, goals and core of the chapters, for the page for teachers."""
    known = [(c, nb.read(root / "book" / f"{c.file}.ipynb")) for c in chapters(root)]
    lines = ["| Chapter | Read | Core | Exercises |", "|---|---|---|---|"]
    lines += [teach_page.row(c, notebook, exercises(notebook)) for c, notebook in known]
    return "\n".join([*lines, "", *(teach_page.goals(*pair) for pair in known)])


def exercises(notebook):
    """Return how many exercises a notebook sets, and their minutes, in words."""
    return book_lists.count(book_lists.exercises("", notebook))


def opening(source, chapter, exercises):
    """Return the first cell of a chapter with the table's title and times."""
    for pattern, text in (
        (TITLE, f"# Chapter {chapter.number}: {chapter.title}"),
        (TIMES, f"{chapter.read} minutes to read, {chapter.run} seconds to run"),
        (EXERCISES, exercises),
    ):
        if len(pattern.findall(source)) != 1:
            raise ValueError(
                f"the first cell of {chapter.file} must hold one text like {text!r}, "
                f"got {source[:80]!r}; write it there"
            )
        source = pattern.sub(text, source)
    return source


def wanted(root=ROOT):
    """Return what each file should hold: {path: text}."""
    found = {root / "_toc.yml": contents(root)}
    for name, rows in (
        ("book/index.md", index_table),
        ("book/teach.md", teach_table),
        ("book/use.md", use_table),
        ("book/exercises.md", exercise_list),
        ("book/figures.md", figure_list),
        ("README.md", readme_table),
    ):
        path = root / name
        text = path.read_text(encoding="utf-8")
        if not TABLE.search(text):
            raise ValueError(
                f"{name} must have a place for the chapters, got no <!-- chapters --> "
                "and <!-- /chapters --> in it; write both on lines of their own"
            )
        made = rows(root)
        found[path] = TABLE.sub(
            lambda m, made=made: m[1] + "\n" + made + "\n" + m[2], text
        )
    for chapter in chapters(root):
        path = root / "book" / f"{chapter.file}.ipynb"
        notebook = nb.read(path)
        first = notebook.cells[0]
        first.source = opening(first.source, chapter, exercises(notebook))
        found[path] = nb.dumps(notebook)
    return found


def main(arguments=None, root=ROOT):
    """Write all files, or name those that differ; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.course")
    parser.add_argument("--check", action="store_true")
    only_check = parser.parse_args(arguments).check
    status = 0
    for path, text in wanted(root).items():
        if text == path.read_text(encoding="utf-8"):
            continue
        name = path.relative_to(root)
        if only_check:
            status = 1
            print(
                f"{name} differs from book/course.yml; run make stamp", file=sys.stderr
            )
        else:
            path.write_text(text, encoding="utf-8")
            print(f"{name} stamped")
    return status


if __name__ == "__main__":
    sys.exit(main())
