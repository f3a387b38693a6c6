"""The page *Your own BatchNorm*: it shows what is published, and leads there."""

import ast
import inspect
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from bnlib import exercises
from bnlib.exercises.project import CAN, STEPS
from tools import normal_form

pytest.importorskip("torch")

from bnlib.exercises import my_batch_norm as published

ROOT = Path(__file__).parents[2]
PAGE = normal_form.read(ROOT / "book" / "project.ipynb")
SHOWN = {
    cell.id.split("-")[0]: re.search(r"```python\n(.*?)\n```", cell.source, re.S)[1]
    for cell in PAGE.cells
    if cell.id.endswith("-answer")
}


def role(number, name):
    """Return the cell of a step that has this role."""
    for cell in PAGE.cells:
        about = cell.metadata.get("exercise", {})
        if (about.get("id"), about.get("role")) == (f"P.{number}", name):
            return cell
    raise LookupError(number, name)


def stored(name):
    """Return what a cell of the page printed when it was executed."""
    cell = next(cell for cell in PAGE.cells if cell.id == name)
    return normal_form.printed(cell)


def test_the_steps_stand_in_order_on_the_page():
    numbers = [
        cell.metadata.exercise["id"]
        for cell in PAGE.cells
        if cell.metadata.get("exercise", {}).get("role") == "task"
    ]
    assert numbers == [step.number for step in STEPS]
    assert list(SHOWN) == [f"s{i}" for i in range(1, len(STEPS) + 1)]


@pytest.mark.parametrize("place", SHOWN)
def test_a_shown_answer_is_the_published_one(place):
    definitions = ast.parse(SHOWN[place]).body
    names = [node.name for node in definitions]
    assert names[-1] == STEPS[int(place[1:]) - 1].function
    sources = [inspect.getsource(getattr(published, name)) for name in names]
    assert SHOWN[place] == "\n\n".join(sources).rstrip()


def test_everything_published_is_shown():
    text = inspect.getsource(published)
    named = {node.name for node in ast.parse(text).body if hasattr(node, "name")}
    shown = "\n".join(SHOWN.values())
    assert named == {node.name for node in ast.parse(shown).body}


def test_the_layer_is_short():
    lines = [line for line in SHOWN["s2"].splitlines() if line.strip()]
    prose = sum('"""' in line for line in lines)
    assert len(lines) - prose <= 25


def test_the_page_alone_leads_to_the_whole_project(tmp_path):
    imports = next(c for c in PAGE.cells if "imports" in normal_form.tags(c))
    sources = [imports.source]
    for number in range(1, len(STEPS) + 1):
        sources += [SHOWN[f"s{number}"], role(number, "check").source]
    sources.append(next(cell for cell in PAGE.cells if cell.id == "file").source)
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    book = nbformat.v4.new_notebook(cells=cells)
    there = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(book, timeout=60, kernel_name="python3", resources=there).execute()
    said = ["".join(out.text for out in cell.outputs) for cell in book.cells]
    for number, text in enumerate(said[2:-1:2], 1):
        assert text.startswith(f"✔ Exercise P.{number} · right")
        solved = "all 7" if number == 7 else f"{number} of 7"
        assert f"The project: {solved} solved." in text
    assert said[-1].splitlines() == [
        "my_batch_norm.py is written: 8 definitions.",
        "my_batch_norm.py: 7 of 7 steps.",
        *(f"✔ {i} {can}" for i, can in enumerate(CAN, 1)),
    ]


def test_the_stored_page_writes_and_finds_no_file():
    first, second = stored("file").splitlines()
    assert first.startswith("Nothing was written to my_batch_norm.py")
    assert second.startswith("There is no my_batch_norm.py here yet")


def test_a_skipped_step_does_not_block_the_later_ones(capsys):
    # As on the published page: BatchNorm is a starter when the later steps are tried.
    names = vars(published) | {"nn": published.nn}
    exec(role(2, "starter").source, names)
    exec(SHOWN["s5"], names)
    exercises.check("fold_net", names["fold_net"])
    assert capsys.readouterr().out.startswith("✔")
