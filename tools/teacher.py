"""Write what a teacher needs: notebooks without solutions, keys, and slides.

``python -m tools.teacher`` writes three things into ``_build/teacher``:

``student/``
    each notebook with exercises, without solutions and without the last hint of an
    exercise, which nearly is one
``key/``
    for each of them a page with the solutions, what the checker names, the last hints,
    and the open questions of the chapter with what a good answer contains
``slides.pdf``
    the figures of the chapters, one to a page

It stops with 1, and names the exercise, if a notebook for students shows a solution.
"""

import re
import sys
from copy import deepcopy
from pathlib import Path

from nbformat import v4

from bnlib import exercises
from tools import course, setup_cell, teacher_slides
from tools import normal_form as nb
from tools.teacher_key import FOLD, KEPT_FOLDS, key, open_questions, role, solutions

ROOT = Path(__file__).parents[1]
FOLDER = Path("_build") / "teacher"
LINK = re.compile(r"\]\((?!https?:)([\w-]+\.(?:ipynb|md))")
BELOW = " The solutions are folded below the hints."
NOTE = (
    "> **Note.** The version for a class: solutions, and the last hint of each "
    "exercise, are with your teacher. `check` and `hint` work as in the book; where "
    "they say that a solution is folded below, ask."
)


def pages(root=ROOT):
    """Return the notebooks with exercises, in the order of the book."""
    names = [c.file for c in course.chapters(root)] + course.pages(root)
    paths = [root / "book" / f"{name}.ipynb" for name in names]
    return [
        p for p in paths if p.is_file() and '"role": "task"' in p.read_text("utf-8")
    ]


def student(notebook, names=()):
    """Return a notebook as a class gets it.

    Parameters
    ----------
    notebook : NotebookNode
        A notebook of the book; it is not changed.
    names : collection of str
        Files that lie beside it; links to others lead to the repository.

    Returns
    -------
    NotebookNode
        Without solutions, in normal form. Where a later cell calls a solution, one line
        takes it from the checker instead, so that all cells still run.
    """
    made = deepcopy(notebook)
    cells = [_for_class(cell, made, names) for cell in made.cells]
    cells.insert(1, v4.new_markdown_cell(NOTE, id="for-a-class"))
    made.cells = [cell for cell in cells if cell is not None]
    return nb.normalize(made)


def _for_class(cell, notebook, names):
    if role(cell, "solution"):
        return _borrowed(cell, notebook)
    if cell.cell_type == "markdown":
        text = FOLD.sub(
            lambda m: m[0] if KEPT_FOLDS.fullmatch(m[1]) else "", cell.source
        )
        if role(cell, "hints"):
            last = list(FOLD.finditer(text))[-1]
            text = text[: last.start()]
        cell.source = LINK.sub(lambda m: _link(m, names), text.replace(BELOW, ""))
    return cell


def _link(match, names):
    if match[1] in names:
        return match[0]
    return f"]({setup_cell.address()}/blob/v{setup_cell.version()}/book/{match[1]}"


def _borrowed(cell, notebook):
    """Return a cell that takes the answer from the checker, or None if none is used."""
    name = f"{exercises.get(cell.metadata.exercise.name).function}_solution"
    others = [other for other in nb.code_cells(notebook) if other is not cell]
    if not any(re.search(rf"\b{name}\b", other.source) for other in others):
        return None
    source = (
        "# A later cell needs a right answer; this one comes from the checker.\n"
        "from bnlib.exercises import get\n\n"
        f'{name} = get("{cell.metadata.exercise.name}").reference'
    )
    return v4.new_code_cell(
        source, id=cell["id"], execution_count=cell.execution_count, outputs=[]
    )


# --- no solution in a student's hands -------------------------------------------------


def _lines(code):
    """Return the lines of some code without spaces and comments."""
    bare = (re.sub(r"\s|#.*", "", line) for line in code.splitlines())
    return {line for line in bare if len(line) >= 12 and not line.startswith("def")}


def leaks(made, notebook):
    """Return the exercises whose solution a notebook for students shows.

    Parameters
    ----------
    made : NotebookNode
        The version for students.
    notebook : NotebookNode
        The one of the book, with the solutions.

    Returns
    -------
    list of str
        Names of exercises whose solution cell is left, or of which what is returned, or
        every line that the starter lacks, stands somewhere.
    """
    found = [c.metadata.exercise.name for c in made.cells if role(c, "solution")]
    shown = re.sub(r"\s", "", "\n".join(cell.source for cell in made.cells))
    given = {
        cell.metadata.exercise.name: _lines(cell.source)
        for cell in notebook.cells
        if role(cell, "starter")
    }
    for name, code in solutions(notebook).items():
        own = _lines(code) - given[name]
        returned = (line[6:] for line in own if line.startswith("return"))
        told = any(len(line) >= 20 and line in shown for line in returned)
        if told or (own and all(line in shown for line in own)):
            found.append(name)
    return list(dict.fromkeys(found))


def main(folder=ROOT / FOLDER, root=ROOT):
    """Write everything; return the exit status."""
    asked = open_questions(root)
    for part in ("student", "key"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    paths = pages(root)
    names = {path.name for path in paths}
    for path in paths:
        notebook = nb.read(path)
        made = student(notebook, names)
        if shown := leaks(made, notebook):
            print(f"{path.name} for students shows {', '.join(shown)}", file=sys.stderr)
            return 1
        nb.write(made, folder / "student" / path.name)
        number = int(path.name[:2]) if path.name[:2].isdigit() else None
        text = key(notebook, asked.get(number, ""))
        (folder / "key" / f"{path.stem}.md").write_text(text, encoding="utf-8")
    count = teacher_slides.write(folder / "slides.pdf", root)
    print(f"{len(paths)} notebooks, {len(paths)} keys and {count} figures: {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
