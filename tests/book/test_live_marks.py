"""Which cells can run on the page: read from the sources, and compared with running."""

import hashlib
import json
import re
import subprocess
import sys
import zipfile

import pytest

from tests.book.tiny_book import REPOSITORY, ROOT, build
from tests.tools.samples import code, text
from tools import normal_form, stamp_address

# What runs without PyTorch is asked of another process, in which importing anything
# but these, what they bring, bnlib and the standard library is an error.
ALLOWED = ("numpy", "matplotlib")
BROUGHT = ("PIL", "pyparsing", "dateutil", "six", "packaging", "kiwisolver", "cycler")
BROUGHT += ("contourpy", "fontTools", "mpl_toolkits", "pylab")
ASK = """\
import ast, contextlib, io, json, math, copy, sys
from pathlib import Path

class Refuse:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top in {*KNOWN, *sys.stdlib_module_names} or top.startswith("_"):
            return None
        raise ModuleNotFoundError(f"No module named {top!r}", name=top)

KNOWN, cells, imports = json.load(sys.stdin)
sys.meta_path.insert(0, Refuse())
import numpy as np
from bnlib import batch_norm, check

class Published:
    # The answers of the project without the rest of their file, which needs torch.
    def __getattr__(self, name):
        tree = ast.parse(Path("bnlib/exercises/my_batch_norm.py").read_text("utf8"))
        parts = [node for node in tree.body if getattr(node, "name", "") == name]
        space = {"np": np, "math": math, "copy": copy}
        exec(compile(ast.Module(parts, []), "own", "exec"), space)
        return space[name]

def runs(source, space):
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        try:
            exec(source, space)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
    return printed.getvalue()

answers = {}
for name, source in cells.items():
    space = {"np": np, "check": check, "batch_norm": batch_norm}
    answers[name] = runs(source, space | {"published": Published()})
modules = {name: runs(source, {}) for name, source in imports.items()}
json.dump([answers, modules], sys.stdout)
"""


def notebooks():
    """Return the cells of all notebooks: {name: cells}."""
    paths = stamp_address.notebooks(ROOT)
    return {p.stem: normal_form.code_cells(normal_form.read(p)) for p in paths}


def solutions(cells):
    return {
        cell.metadata.exercise["name"]: cell.source
        for cell in cells
        if cell.metadata.get("exercise", {}).get("role") == "solution"
    }


def top_imports(cells):
    """Return the statements that import at the left margin, for all of a notebook."""
    text = "\n".join(cell.source for cell in cells)
    lines = re.findall(r"^(?:import|from) [^\n(]*(?:\([^)]*\))?", text, re.MULTILINE)
    return "\n".join(lines)


@pytest.fixture(scope="module")
def asked():
    """Return what a process without PyTorch says to the solutions and the imports."""
    books = notebooks()
    cells = {k: v for book in books.values() for k, v in solutions(book).items()}
    imports = {name: top_imports(book) for name, book in books.items()}
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        input=json.dumps([["bnlib", *ALLOWED, *BROUGHT], cells, imports]),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def read():
    """Return what the extension reads from each notebook: {name: (missing, rest)}."""
    from coursesite.needs import Sources  # tests.book.tiny_book says where it is

    sources = Sources(ROOT, ALLOWED)
    return {
        name: sources.notebook(
            [
                (cell.source, cell.metadata.get("exercise", {}).get("name"))
                for cell in it
            ]
        )
        for name, it in notebooks().items()
    }


def python(source, *packages):
    """Lay out a Python of a few bytes that has these packages."""
    folder = source / "live" / "pyodide"
    folder.mkdir(parents=True)
    names = {name: {"imports": [name]} for name in packages}
    lock = json.dumps({"packages": names})
    (folder / "pyodide-lock.json").write_text(lock)
    (folder / "pyodide.mjs").write_text("the core")
    files = dict.fromkeys(["pyodide-lock.json", "pyodide.mjs"], "")
    (folder / "files.json").write_text(json.dumps(files))
    (folder / "not-of-the-release").write_text("")
    (source / "live" / "pins.json").write_text(json.dumps({"pyodide": "9.9"}))


def elsewhere(page):
    return re.findall(r'<p class="live-elsewhere">(.*?)</p>', page)


# The course


def test_an_exercise_is_live_if_its_right_answer_passes_without_torch(asked, read):
    answers, _ = asked
    passed = {name for name, said in answers.items() if said.startswith("✔")}
    assert len(passed) >= 73, "fewer than when the pages began to run"
    found = {name: it for missing, _ in read.values() for name, it in missing.items()}
    assert {name for name, packages in found.items() if not packages} == passed
    assert found.keys() == answers.keys()
    assert all(packages <= {"torch"} for packages in found.values())


def test_the_other_right_answers_fail_for_want_of_torch(asked):
    answers, _ = asked
    failed = {name: s for name, s in answers.items() if not s.startswith("✔")}
    assert len(failed) >= 12
    assert all(re.search(r"[Tt]orch|'nn'", said) for said in failed.values()), failed


def test_a_notebook_is_live_if_its_imports_succeed(asked, read):
    _, modules = asked
    allowed = {name for name, said in modules.items() if "Error: " not in said}
    assert {name for name, (_, rest) in read.items() if not rest} == allowed
    names = {"01-scaling", "02-forward", "03-backward", "conventions", "speed"}
    assert names <= allowed


# What the extension does with any book


def exercise(name, role, source):
    return code(source, exercise={"id": "1.1", "name": name, "role": role})


def cells(name, solution):
    return [
        exercise(name, "starter", "def f(x):\n    return ..."),
        exercise(name, "check", f'check("{name}", f)'),
        exercise(name, "solution", solution),
    ]


BOOK = {
    "one.ipynb": [
        text("# One"),
        code("import torch\nfrom own import part", tags=["imports"]),
        code("1"),
        *cells("plain", "def f(x):\n    return x"),
        *cells("tensor", "def f(x):\n    return torch.tensor(x)"),
        *cells("hidden", "def f(x):\n    return x"),
    ],
    "folder/two.ipynb": [
        text("# Two"),
        code("import numpy as np\ntry:\n    import torch\nexcept ImportError:\n    0"),
        code("if torch:\n    np.ones(1)", tags=["torch"]),
    ],
    "three.md": "# Three\n\nNo code.\n",
    "four.ipynb": [text("# Four"), code("import scipy.special"), code("2")],
}
MODULES = {
    "bnlib/__init__.py": "",
    "bnlib/exercises/__init__.py": "",
    "bnlib/exercises/ch01.py": """\
from bnlib.exercises.engine import Exercise

def measure(x):
    return _inner(x)

def _inner(x):
    from bnlib.heavy import net
    return net(x)

PLAIN = Exercise(number="1.1", name="plain", cases=[])
HIDDEN = Exercise(number="1.2", name="hidden", accept=lambda x: measure(x))
""",
    "bnlib/heavy.py": "import torch\n",
    "bnlib/__pycache__/old.pyc": "stale",
    "live/bnlive/__init__.py": "page = print",
    "book/_static/live/live.js": "script",
    "book/_static/live/live.css": "style",
    "book/_static/live/worker.mjs": "worker",
    "book/_static/live/LICENSE": "of the editor",
    "book/_static/live/.hidden": "",
}


def tiny(folder, with_python=True, **config):
    source = folder / "source"
    if with_python:
        python(source, "numpy")
    for name, content in MODULES.items():
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf8")
    return build(folder, BOOK, **config)


@pytest.fixture(scope="module")
def tiny_book(tmp_path_factory):
    options = {"repository_url": REPOSITORY, "repository_branch": "v9"}
    return tiny(tmp_path_factory.mktemp("live"), html_theme_options=options)


def test_the_cells_of_an_exercise_have_their_roles(tiny_book):
    page = tiny_book.page("one")
    found = re.findall(r"\blive-(?:starter|check|solution|imports|cell)\b", page)
    assert sorted(found) == [
        "live-check",
        "live-imports",
        "live-solution",
        "live-starter",
    ]


def test_an_exercise_with_torch_says_where_it_runs(tiny_book):
    found = elsewhere(tiny_book.page("one"))
    assert len(found) == 2  # the answer, and what judges an answer
    assert set(found) == {
        "This exercise needs PyTorch, which does not run in a browser: "
        '<a class="reference external" href="https://colab.research.google.com/github/'
        'someone/course/blob/v9/one.ipynb">Colab runs it</a>.'
    }


def test_without_an_address_there_is_no_link(tmp_path):
    found = elsewhere(tiny(tmp_path).page("one"))
    assert set(found) == {
        "This exercise needs PyTorch, which does not run in a browser."
    }


def test_a_guarded_import_does_not_count(tiny_book):
    page = tiny_book.page("folder/two")
    assert len(re.findall(r"\blive-cell\b", page)) == 2
    assert len(re.findall(r"\blive-torch\b", page)) == 1


def test_a_package_that_is_not_laid_out_counts(tiny_book):
    assert "live-cell" not in tiny_book.page("four")


def test_only_pages_with_live_cells_have_the_script(tiny_book):
    (folder,) = (tiny_book.out / "_static/live").glob("[0-9a-f]" * 12)
    for name, up in (("one", ""), ("folder/two", "../")):
        page = tiny_book.page(name)
        (script,) = re.findall(r"<script [^>]*live\.js[^>]*>", page)
        assert " defer" in script
        assert f'src="{up}_static/live/{folder.name}/live.js"' in script
        assert f'data-live="{up}_static/live/{folder.name}/"' in script
        assert f'data-pyodide="{up}_static/live/pyodide-9.9/"' in script
    for name in ("three", "four", "genindex"):
        assert "live.js" not in tiny_book.page(name)


def test_every_page_has_the_policy_before_anything_is_loaded(tiny_book):
    for name in ("one", "folder/two", "three", "genindex", "search"):
        page = tiny_book.page(name)
        before, found, _ = page.partition("Content-Security-Policy")
        assert found, name
        assert not re.search("<script|<link|<style", before), name


def test_what_a_page_loads_is_published(tiny_book):
    live = tiny_book.out / "_static/live"
    (folder,) = live.glob("[0-9a-f]" * 12)
    files = {path.name for path in folder.iterdir()}
    assert {"bnlib.zip", "live.js", "live.css", "worker.mjs", "LICENSE"} <= files
    assert ".hidden" not in files
    published = {path.name for path in (live / "pyodide-9.9").iterdir()}
    assert published == {"pyodide-lock.json", "pyodide.mjs"}
    assert {path.name for path in live.iterdir()} == {folder.name, "pyodide-9.9"}
    with zipfile.ZipFile(folder / "bnlib.zip") as archive:
        assert archive.testzip() is None
        names = archive.namelist()
    assert "bnlive/__init__.py" in names
    assert "bnlib/exercises/ch01.py" in names
    assert not [name for name in names if "__pycache__" in name]


def test_two_builds_have_the_same_bytes(tiny_book, tmp_path):
    def sums(book):
        paths = (book.out / "_static/live").rglob("*")
        return {
            path.relative_to(book.out): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in paths
            if path.is_file()
        }

    assert sums(tiny(tmp_path)) == sums(tiny_book)


def test_another_content_has_another_folder(tiny_book, tmp_path):
    (first,) = (tiny_book.out / "_static/live").glob("[0-9a-f]" * 12)
    found = {first.name}
    for name in (
        "bnlib/heavy.py",
        "live/bnlive/__init__.py",
        "book/_static/live/live.js",
    ):
        before = MODULES[name]
        MODULES[name] = before + "\n"
        book = tiny(tmp_path / str(len(found)))
        MODULES[name] = before
        (folder,) = (book.out / "_static/live").glob("[0-9a-f]" * 12)
        found.add(folder.name)
    assert len(found) == 4


def test_the_size_is_told(tmp_path, capsys):
    book = tiny(tmp_path)
    files = [p for p in (book.out / "_static/live").rglob("*") if p.is_file()]
    size = sum(path.stat().st_size for path in files) / 1e6
    said = f"Python for the pages: {size:.1f} MB of the site, after a click\n"
    assert said in capsys.readouterr().out


def test_without_python_the_site_is_as_it_was(tmp_path):
    book = tiny(tmp_path, with_python=False)
    assert not (book.out / "_static/live").exists()
    for path in book.out.rglob("*.html"):
        page = path.read_text("utf8")
        assert not re.search(r"\blive-|live\.(js|css)|Content-Security", page), path
