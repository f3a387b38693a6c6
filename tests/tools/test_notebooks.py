"""Running and normalizing: the same bytes each time, and nothing is ever lost."""

import copy
import json
import subprocess
import sys
from pathlib import Path

import pytest
from nbformat import v4
from samples import chapter, code, stream, text

from tools import normal_form
from tools.drawing import MIME
from tools.notebooks import main

ROOT = Path(__file__).parents[2]
DRAW = """\
import matplotlib.pyplot as plt

from bnlib.lab.plot import use_style

use_style()
plt.plot([1, 3, 2])
plt.show()"""


def save(folder, notebook, name="01-sample.ipynb"):
    """Write a notebook as some editor might, not in normal form."""
    path = folder / name
    path.write_text(v4.writes(notebook), encoding="utf-8")
    return path


def good():
    """Return a notebook in normal form."""
    return chapter(
        text("# Chapter 1: A sample"),
        code("import math", tags=["imports"]),
        code("print(math.pi)", printed="3.141592653589793\n", count=2),
    )


def test_executing_twice_gives_the_same_bytes(tmp_path):
    notebook = chapter(text("# Chapter 1: A sample"), code(DRAW), code("print(1)\n1"))
    path = save(tmp_path, notebook)
    assert main(["execute", str(path)]) == 0
    first = path.read_bytes()
    assert b"image/png" in first
    # A retina figure is stored with the size at which it is to be shown.
    figure = normal_form.read(path).cells[1].outputs[0]
    assert figure.metadata["image/png"] == {"height": 306, "width": 540}
    assert figure.data[MIME].startswith("<svg viewBox=")
    assert main(["execute", str(path)]) == 0
    assert path.read_bytes() == first
    assert main(["check", str(path)]) == 0


FAILING = {
    "exception": ("1 / 0", "ZeroDivisionError: division by zero"),
    "warning": ("import warnings\nwarnings.warn('careful')", "stores a warning"),
    "dead-kernel": ("import os\nos._exit(1)", "Kernel died"),
}


@pytest.mark.parametrize("source, words", FAILING.values(), ids=FAILING.keys())
def test_a_failing_cell_is_shown_and_leaves_the_file_alone(
    tmp_path, capsys, source, words
):
    path = save(tmp_path, chapter(text("# Chapter 1: A sample"), code(source)))
    before = path.read_bytes()
    assert main(["execute", str(path)]) == 1
    message = capsys.readouterr().err
    assert f"{path}: cell 2 (cell-1)" in message
    assert words in message
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_a_failing_chapter_does_not_stop_the_next(tmp_path, capsys):
    broken = save(tmp_path, chapter(code("1 / 0")), "01-broken.ipynb")
    sound = save(tmp_path, chapter(code("print(7)")), "02-sound.ipynb")
    assert main(["execute", str(broken), str(sound)]) == 1
    assert normal_form.read(sound).cells[0].outputs[0].text == "7\n"


def test_a_notebook_in_normal_form_is_accepted_in_silence(tmp_path):
    path = tmp_path / "01-sample.ipynb"
    normal_form.write(good(), path)
    command = [sys.executable, "-m", "tools.notebooks", "check", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def collapsed(notebook):
    notebook.cells[1].metadata["collapsed"] = True


def versions(notebook):
    notebook.metadata.language_info["version"] = "3.14.1"


def empty_cell(notebook):
    notebook.cells.append(v4.new_code_cell("\n"))


def random_counts(notebook):
    notebook.cells[2].execution_count = 17


def timings(notebook):
    notebook.cells[2].metadata["execution"] = {"iopub.execute_input": "2026-11-21"}


def twice_the_same_id(notebook):
    notebook.cells[2]["id"] = notebook.cells[1]["id"]


def split_stream(notebook):
    notebook.cells[2].outputs = [stream("3.14159265"), stream("3589793\n")]


EDITORS = [collapsed, versions, empty_cell, random_counts, timings, split_stream]


@pytest.mark.parametrize("edit", EDITORS)
def test_what_an_editor_adds_is_refused_and_removed(tmp_path, capsys, edit):
    notebook = good()
    edit(notebook)
    path = save(tmp_path, notebook)
    assert main(["check", str(path)]) == 1
    assert "is not in normal form; run" in capsys.readouterr().err
    assert main(["normalize", str(path)]) == 0
    assert path.read_text() == normal_form.dumps(good())


def test_a_double_id_is_replaced_and_the_first_is_kept():
    notebook = good()
    twice_the_same_id(notebook)
    normal_form.normalize(notebook)
    ids = [cell["id"] for cell in notebook.cells]
    assert ids[:2] == ["cell-0", "cell-1"]
    assert len(set(ids)) == 3


def test_a_notebook_saved_by_colab_is_brought_back(tmp_path):
    notebook = json.loads(normal_form.dumps(good()))
    notebook["nbformat_minor"] = 0
    notebook["metadata"]["colab"] = {"provenance": []}
    for number, cell in enumerate(notebook["cells"]):
        cell["metadata"]["id"] = cell.pop("id")
        if cell["cell_type"] == "code":
            cell["metadata"]["outputId"] = f"aa{number}"
            cell["metadata"]["colab"] = {"base_uri": "https://localhost:8080/"}
            cell["execution_count"] = 30 + number
    path = tmp_path / "01-sample.ipynb"
    path.write_text(json.dumps(notebook, indent=2))
    assert main(["check", str(path)]) == 1
    assert main(["normalize", str(path)]) == 0
    assert path.read_text() == normal_form.dumps(good())


def never_executed(cell):
    cell.execution_count = None


def warned(cell):
    cell.outputs.append(stream("UserWarning: careful\n", "stderr"))


def failed(cell):
    cell.outputs = [
        v4.new_output("error", ename="ValueError", evalue="no", traceback=[])
    ]


FAULTS = [
    (never_executed, "was never executed; run make execute"),
    (warned, "stores a warning, mend its cause: ['UserWarning: careful']"),
    (failed, "stores an error, ValueError: no"),
]


@pytest.mark.parametrize("command", ["check", "normalize"])
@pytest.mark.parametrize("spoil, words", FAULTS)
def test_what_needs_a_new_run_is_said_in_one_sentence(
    tmp_path, capsys, spoil, words, command
):
    notebook = good()
    spoil(notebook.cells[2])
    path = tmp_path / "01-sample.ipynb"
    normal_form.write(copy.deepcopy(notebook), path)
    assert main([command, str(path)]) == 1
    message = capsys.readouterr().err
    assert message.startswith(f"{path}: cell 3 (cell-2) {words}")
    assert message.count("\n") == 1


def test_metadata_with_a_meaning_is_kept():
    meaning = {
        "tags": ["hide-cell"],
        "cellView": "form",
        "jupyter": {"source_hidden": True},
        "exercise": {"id": "1.1", "name": "scale", "role": "solution"},
        "mystnb": {"code_prompt_show": "Show the solution"},
    }
    notebook = chapter(code("1", **copy.deepcopy(meaning)))
    normal_form.normalize(notebook)
    assert notebook.cells[0].metadata == meaning


def test_a_file_that_is_not_there_is_named(tmp_path, capsys):
    path = tmp_path / "99-nothing.ipynb"
    with pytest.raises(SystemExit):
        main(["check", str(path)])
    assert f"no such file: {path}" in capsys.readouterr().err
