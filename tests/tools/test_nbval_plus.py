"""The judge of the notebooks is judged: each fault is planted once, and must be seen.

Each faulty notebook is a copy of one of two good ones with one thing changed. They run
in one pytest process, as the chapters do, and those that can do so share a kernel: they
stand one below the other in one file.
"""

import base64
import copy
import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest
from nbformat import v4
from PIL import Image, ImageDraw
from samples import chapter, code, stream, text

from tools import normal_form
from tools.notebooks import run

ROOT = Path(__file__).parents[2]


def edit(number, old, new):
    """Return a fault: other source, same stored output."""

    def apply(cells):
        assert old in cells[number].source
        cells[number].source = cells[number].source.replace(old, new)

    return apply


def restore(number, old, new):
    """Return a fault: same source, another stored text."""

    def apply(cells):
        output = cells[number].outputs[0]
        assert old in output.text
        output.text = output.text.replace(old, new)

    return apply


def append(number, *outputs):
    """Return a fault: outputs that the cell does not produce."""
    return lambda cells: cells[number].outputs.extend(outputs)


def forget_output(cells):
    cells[1].outputs = []


def forget_count(cells):
    # Together they pass plain nbval: the cell counts as unrun and is not compared.
    cells[1].execution_count, cells[1].outputs = None, []


def warn_as_before(cells):
    # What is stored is what the cell does, and still nobody should publish it.
    cells[2].source = "import sys; print('old', file=sys.stderr)"
    cells[2].outputs = [stream("old\n", "stderr")]


def paint(cells):
    data = cells[1].outputs[0].data
    picture = Image.open(io.BytesIO(base64.b64decode(data["image/png"])))
    ImageDraw.Draw(picture).rectangle((50, 50, 90, 60), fill="red")
    file = io.BytesIO()
    picture.save(file, format="png")
    data["image/png"] = base64.b64encode(file.getvalue()).decode()


def drop_figure(cells):
    del cells[1].outputs[0].data["image/png"]


def nothing(cells):
    pass


# name: (which good notebook, what is changed, in which cell it must be seen, how)
FAULTS = {
    "number": ("words", restore(1, "0.043", "0.046"), 1, "stored 0.046, computed 0.04"),
    "count": ("words", restore(1, "200", "199"), 1, "stored 199, computed 200"),
    "output-missing": ("words", forget_output, 1, "stored outputs are []"),
    "output-extra": ("words", append(0, stream("more\n")), 0, "computed are []"),
    "exception": ("words", edit(1, "print", "1 / 0; print"), 1, "ZeroDivisionError"),
    "never-executed": ("words", forget_count, 1, "never executed"),
    "warning-stored": ("words", warn_as_before, 2, "a warning is stored"),
    "warning-new": (
        "words",
        edit(2, "LOSS;", "import warnings; warnings.warn('new')"),
        2,
        "UserWarning: new",
    ),
    "claim-false": ("words", edit(3, "0.5", "0.01"), 3, "ClaimFailed"),
    "kernel-dead": (
        "words",
        edit(2, "LOSS;", "import os; os._exit(1)"),
        2,
        "the kernel died",
    ),
    "bnlib-stale": ("words", nothing, 1, "computed 0.061"),
    "figure-changed": ("figure", edit(1, "C0", "C1"), 1, "the figure changed"),
    "figure-painted": ("figure", paint, 1, "the figure changed"),
    "figure-dropped": ("figure", drop_figure, 1, "stored outputs are ['text/plain']"),
}
GOOD = {
    "words-unchanged": ("words", nothing),
    "figure-unchanged": ("figure", nothing),
    "last-digit": ("words", restore(1, "0.043", "0.044")),
}


def good_notebooks(folder):
    """Write a small bnlib and run two notebooks that use it."""
    package = folder / "bnlib"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("LOSS = 0.043\n")
    (package / "lab").mkdir()
    shutil.copy(ROOT / "bnlib" / "lab" / "claims.py", package / "lab")
    words = chapter(
        code("from bnlib import LOSS\nfrom bnlib.lab.claims import claim"),
        code('print(f"loss {LOSS:.3f} after {200} steps")'),
        code("LOSS;"),  # nbval alone shows what the semicolon hides
        code('claim("W6", "the loss is small", LOSS, "<", 0.5)'),
    )
    figure = chapter(
        code("import matplotlib.pyplot as plt"),
        code('plt.plot([1, 3, 2], color="C0", linewidth=1)\nplt.show()'),
    )
    for notebook in (words, figure):
        run(notebook, folder)
        normal_form.normalize(notebook)
    return {"words": words, "figure": figure}


# These need a kernel, or a folder, of their own; of the first the time is read.
ALONE_IN_FILE = ("words-unchanged", "kernel-dead", "bnlib-stale")


def place(name):
    """Return the file in which a notebook stands, and the number of its first cell."""
    if name in ALONE_IN_FILE:
        return name, 0
    every = GOOD | FAULTS
    kind = every[name][0]
    same = [n for n in every if every[n][0] == kind and n not in ALONE_IN_FILE]
    return f"{kind}-all", same.index(name) * LENGTHS[kind]


LENGTHS = {"words": 4, "figure": 2}  # cells of the good notebooks


def plant(folder):
    """Write all notebooks, good and faulty."""
    good, files = good_notebooks(folder), {}
    for name, (kind, change, *_) in (GOOD | FAULTS).items():
        notebook = copy.deepcopy(good[kind])
        assert len(notebook.cells) == LENGTHS[kind]
        change(notebook.cells)
        file, begin = place(name)
        cells = files.setdefault(file, [])
        assert len(cells) == begin
        cells += notebook.cells
    for file, cells in files.items():
        (folder / f"{file}.ipynb").write_text(v4.writes(chapter(*cells)))
    # This one runs beside another bnlib, as after a change without `make execute`.
    stale = folder / "stale"
    shutil.copytree(folder / "bnlib", stale / "bnlib")
    (stale / "bnlib" / "__init__.py").write_text("LOSS = 0.061\n")
    (folder / "bnlib-stale.ipynb").rename(stale / "bnlib-stale.ipynb")


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    """Judge all notebooks in one pytest; {(name, cell): message}, and what it printed.

    An empty message means that the cell passed.
    """
    folder = tmp_path_factory.mktemp("notebooks")
    plant(folder)
    return judge(folder)


def judge(folder, *options):
    """Judge the notebooks of a folder: {(name, cell): message}, and what it printed."""
    command = [sys.executable, "-m", "pytest", f"--rootdir={folder}", str(folder)]
    command += ["-c", "pyproject.toml", "-p", "tools.nbval_plus", *options]
    command += ["--nbval", "--nbval-current-env", "--nbval-cell-timeout=60"]
    command += ["--junitxml", str(folder / "report.xml")]
    # As in a careless CI: neither may reach the kernels.
    careless = os.environ | {"MPLBACKEND": "Agg", "OMP_NUM_THREADS": "2"}
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider", "--color=no"],
        cwd=ROOT,
        env=careless,
        capture_output=True,
        text=True,
    )
    assert (folder / "report.xml").exists(), done.stdout + done.stderr
    return read_verdicts(folder / "report.xml"), done.stdout


def read_verdicts(report):
    """Return the message of every cell in a JUnit report."""
    messages = {}
    for case in ElementTree.parse(report).iter("testcase"):
        name = case.get("classname").removesuffix(".ipynb").split(".")[-1]
        number = int(case.get("name").removeprefix("Cell "))
        messages[name, number] = "".join("".join(part.itertext()) for part in case)
    return messages


def of_notebook(verdicts, name):
    """Return the messages of one notebook, by cell."""
    return {cell: text for (nb, cell), text in verdicts[0].items() if nb == name}


def of_copy(verdicts, name):
    """Return the messages of one copy of a good notebook, in the order of its cells."""
    file, begin = place(name)
    length = LENGTHS[(GOOD | FAULTS)[name][0]]
    messages = of_notebook(verdicts, file)
    return [messages[number] for number in range(begin, begin + length)]


@pytest.mark.parametrize("name", GOOD)
def test_a_good_notebook_passes(verdicts, name):
    messages = of_copy(verdicts, name)
    assert len(messages) >= 2
    assert not any(messages), messages


@pytest.mark.parametrize("name, fault", FAULTS.items(), ids=FAULTS.keys())
def test_a_fault_is_seen_in_its_cell(verdicts, name, fault):
    _, _, cell, words = fault
    messages = of_copy(verdicts, name)
    assert words in messages[cell]
    assert not any(messages[:cell]), messages
    alone = name in ALONE_IN_FILE  # a dead kernel, another bnlib: all that follows
    assert alone or not any(messages[cell + 1 :]), messages


def test_each_chapter_gets_a_line_with_its_time(verdicts):
    line = r"^words-unchanged +\d+\.\d s +4 cells  \(kernel \d+\.\d s\)$"
    assert re.search(line, verdicts[1], re.MULTILINE)


ALONE = """\
import sys
from importlib.util import find_spec
from pathlib import Path

print(list(Path.cwd().iterdir()), [find_spec(name) for name in ("bnlib", "nbval")])"""


@pytest.fixture(scope="module")
def rooms(tmp_path_factory):
    """Judge two notebooks as on Colab, each on its own worker."""
    folder = tmp_path_factory.mktemp("rooms")
    (folder / "bnlib").mkdir()
    (folder / "bnlib" / "__init__.py").write_text("")
    alone = code(ALONE, printed="[] [None, None]\n")
    # Installed where the tests run, and no dependency of bnlib.
    undeclared = code("import nbformat", count=2)
    for name, cells in {"alone": [alone], "undeclared": [alone, undeclared]}.items():
        notebook = chapter(*map(copy.deepcopy, cells))
        (folder / f"{name}.ipynb").write_text(v4.writes(notebook))
    return judge(folder, "--colab", "-n", "2")


def test_on_colab_a_notebook_is_alone_in_an_empty_folder(rooms):
    assert of_notebook(rooms, "alone") == {0: ""}


def test_on_colab_an_undeclared_package_is_missing(rooms):
    messages = of_notebook(rooms, "undeclared")
    assert messages[0] == ""
    assert "No module named 'nbformat'" in messages[1]


def test_each_chapter_gets_a_line_when_several_run_at_a_time(rooms):
    assert re.findall(r"^(\w+) .* cells  \(kernel", rooms[1], re.MULTILINE) == [
        "alone",
        "undeclared",
    ]


def test_the_longest_chapter_begins(tmp_path):
    from tools.nbval_plus import pytest_collection_modifyitems

    boxes = {"a": "9 seconds to run", "b": "no time", "c": "20 seconds to run"}
    boxes["d"] = boxes["b"]
    for name, box in boxes.items():
        more = [code("1")] * (name == "d")
        notebook = chapter(text(box), code("1"), *map(copy.deepcopy, more))
        (tmp_path / f"{name}.ipynb").write_text(v4.writes(notebook))
    cells = [
        SimpleNamespace(path=tmp_path / f"{n}.ipynb", cell=c)
        for n in boxes
        for c in (0, 1)
    ]
    several = SimpleNamespace(option=SimpleNamespace(nbval=True), workerinput={})
    pytest_collection_modifyitems(several, cells)
    order = [(item.path.stem, item.cell) for item in cells]
    assert order == [(name, cell) for name in "cadb" for cell in (0, 1)]
