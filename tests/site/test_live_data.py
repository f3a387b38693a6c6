"""The page "Your data": what a browser keeps can be seen, taken along and erased."""

import json
import os
import subprocess
import sys

import nbformat
import pytest

from tests.site.course import LAPTOP, PHONE, ROOT
from tests.site.live import SHIFTED, broken_rules, keep, kept, needs_python, solutions

pytestmark = needs_python
PAGE = "book/your-data.html"
FORWARD = solutions("book/02-forward")["2.1"]
TRICKY = """def variance(x):
    'Say "x" \\\\ and ✔.'
    # %% a mark
    return np.mean((x - x.mean()) ** 2)
"""
DATE = "2026-11-29T01:46:12.408Z"


def entry(code, number, title, **more):
    return {
        "code": code,
        "starter": "...",
        "number": number,
        "title": title,
        "date": DATE,
    } | more


ANSWERS = {
    "answer:variance": entry(TRICKY, "2.6", "Far from zero"),
    "answer:forward": entry(FORWARD, "2.1", "The forward pass"),
    "answer:output_std": entry(
        "def output_std(std, gamma, eps:\n    return", "2.3", "How wide?"
    ),
    "answer:gone": entry(
        "def gone():\n    return 1", "0.9", "One that is not in the book"
    ),
    "solved:forward": DATE,
    "solved:z-score": DATE,
}


@pytest.fixture
def data(visit):
    """Return the page with some answers."""
    page, trouble = visit(PAGE)
    keep(page, **ANSWERS)
    page.reload()
    page.locator(".live-list a").first.wait_for()
    yield page
    assert trouble.failed == trouble.console == trouble.foreign == []


def rows(page):
    return page.locator(".live-list li").evaluate_all(
        "all => all.map(li => li.dataset.name)"
    )


def press(page, name, **options):
    page.get_by_role("button", name=name, **options).click()


def exported(page, kind):
    with page.expect_download() as download:
        press(page, f"Export as {kind}")
    return download.value.path().read_text("utf8"), download.value.suggested_filename


def test_everything_that_is_kept_is_listed(data, expect):
    assert rows(data) == ["gone", "z-score", "forward", "output_std", "variance"]
    status = data.locator(".live-data").get_by_role("status")
    expect(status).to_have_text("4 answers, 2 solved exercises.")
    row = data.locator(".live-list li").nth(2)
    expect(row).to_contain_text("written Nov 29, 2026, ✔ solved Nov 29, 2026")
    row.get_by_role("link", name="2.1 · The forward pass").click()
    expect(data.locator("#exercise-2-1")).to_be_in_viewport()
    expect(
        data.get_by_role("button", name="Go on with your answer").first
    ).to_be_visible()


def test_one_is_erased_and_brought_back(data, expect):
    before = kept(data)
    press(data, "Erase 2.1 · The forward pass")
    assert kept(data) == {k: v for k, v in before.items() if "forward" not in k}
    assert "forward" not in rows(data)
    expect(data.get_by_role("button", name="Undo")).to_be_focused()
    press(data, "Undo")
    assert kept(data) == before
    expect(
        data.get_by_role("button", name="Erase 2.1 · The forward pass")
    ).to_be_focused()


def test_all_is_erased_after_a_question(data, expect):
    data.evaluate("localStorage.setItem('of another page', 'stays')")
    before = kept(data)
    for keep_all in ("Keep everything", "Escape"):
        press(data, "Erase everything …")
        dialog = data.get_by_role("dialog", name="Erase everything")
        expect(dialog).to_contain_text(
            "Erase 4 answers, 2 solved exercises from this browser?"
        )
        expect(dialog.get_by_role("button", name="Keep everything")).to_be_focused()
        if keep_all == "Escape":
            data.keyboard.press("Escape")
        else:
            press(data, keep_all)
        expect(data.get_by_role("button", name="Erase everything …")).to_be_focused()
        assert kept(data) == before
    press(data, "Erase everything …")
    press(data.get_by_role("dialog", name="Erase everything"), "Erase everything")
    assert kept(data) == {}
    assert data.evaluate("localStorage.getItem('of another page')") == "stays"
    expect(data.get_by_role("button", name="Import …")).to_be_focused()
    status = data.locator(".live-data").get_by_role("status")
    expect(status).to_have_text("Nothing is kept here: no answer, no solved exercise.")
    for name in ("Export as .py", "Export as notebook", "Erase everything …"):
        expect(data.get_by_role("button", name=name)).to_be_disabled()


def codes(page):
    """Return {key: code} of the answers that are kept."""
    found = {k: v for k, v in kept(page).items() if k.startswith("answer:")}
    return {k: json.loads(v)["code"].rstrip() for k, v in found.items()}


def run(arguments, folder):
    env = os.environ | {"PYTHONPATH": str(ROOT), "BNLIB_PROGRESS": "off"}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_script_runs_where_bnlib_is(data, tmp_path):
    text, name = exported(data, ".py")
    assert name == "my-answers.py"
    (tmp_path / name).write_text(text, "utf8")
    said = run([name], tmp_path)
    assert "✔ Exercise 2.1 · right" in said and "✔ Exercise 2.6 · right" in said
    assert "2.3" not in said  # what is no Python yet stands there as a comment


def test_the_notebook_runs_cell_by_cell(data, tmp_path):
    text, name = exported(data, "notebook")
    notebook = nbformat.reads(text, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    setup = next(
        c for c in json.loads(SCALING)["cells"] if "set_up(" in "".join(c["source"])
    )
    assert code[0].source == "".join(setup["source"])  # what Colab needs
    about = [cell for cell in code if "bnlib" in cell.metadata]
    assert [cell.metadata.bnlib.name for cell in about] == [
        "gone",
        "forward",
        "output_std",
        "variance",
    ]
    runs = [
        c.source
        for c in code
        if not c.source.startswith(("def output_std", 'check("output_std'))
    ]
    (tmp_path / "cells.json").write_text(json.dumps(runs), "utf8")
    script = (
        "import json\nfor cell in json.load(open('cells.json')): exec(cell, globals())"
    )
    said = run(["-c", script], tmp_path)
    assert "✔ Exercise 2.1 · right" in said and "✔ Exercise 2.6 · right" in said


SCALING = (ROOT / "book" / "01-scaling.ipynb").read_text("utf8")


@pytest.mark.parametrize("kind", [".py", "notebook"])
def test_what_was_exported_comes_back(data, expect, kind, tmp_path):
    before = {k: v for k, v in kept(data).items() if k != "solved:z-score"}
    text, name = exported(data, kind)
    (tmp_path / name).write_text(text, "utf8")
    data.evaluate("localStorage.clear()")
    data.reload()
    data.locator("input[type=file]").set_input_files(tmp_path / name)
    expect(data.locator(".live-notes")).to_have_text(
        f"{name}: 4 answers, 4 of them new."
    )
    assert codes(data) == {
        k: v["code"].rstrip() for k, v in ANSWERS.items() if k in codes(data)
    }
    assert kept(data)["solved:forward"] == DATE
    assert kept(data).keys() == before.keys()


def test_an_import_overwrites_nothing_unasked(data, expect, tmp_path):
    text, name = exported(data, "notebook")
    (tmp_path / name).write_text(text, "utf8")
    keep(data, **{"answer:forward": entry(SHIFTED, "2.1", "The forward pass")})
    file = data.locator("input[type=file]")
    for choice, code in (("Keep this one", SHIFTED), ("Take the file's", FORWARD)):
        file.set_input_files(tmp_path / name)
        question = data.locator(".live-notes").filter(has_text="differs from the one")
        expect(question).to_contain_text("Exercise 2.1")
        question.get_by_role("button", name=choice).click()
        assert (
            json.loads(kept(data)["answer:forward"])["code"].rstrip() == code.rstrip()
        )
    expect(
        data.get_by_role("button", name="Erase 2.1 · The forward pass")
    ).to_be_focused()
    other = tmp_path / "other.py"
    other.write_text("print('no answers')\n")
    before = kept(data)
    file.set_input_files(other)
    said = data.locator(".live-notes")
    expect(said.filter(has_text="No answers were found in other.py")).to_have_count(1)
    broken = tmp_path / "broken.ipynb"
    broken.write_text("{")
    file.set_input_files(broken)
    broke = said.filter(has_text="No answers were found in broken.ipynb")
    expect(broke).to_have_count(1)
    assert kept(data) == before


@pytest.mark.parametrize("viewport", [LAPTOP, PHONE], ids=["laptop", "phone"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_page_is_accessible(data, viewport, theme):
    data.set_viewport_size(viewport)
    data.evaluate("theme => document.documentElement.dataset.theme = theme", theme)
    press(data, "Erase 2.1 · The forward pass")
    assert broken_rules(data) == []
    assert data.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    press(data, "Erase everything …")
    assert broken_rules(data) == []


def test_the_list_of_exercises_shows_what_is_solved(data, expect, site):
    (listed,) = site.glob("_static/live/*/exercises.json")
    known = len(json.loads(listed.read_text("utf8"))["exercises"])
    data.goto(data.url.replace("your-data", "exercises"))
    line = data.locator(".live-progress")
    expect(line).to_contain_text(f"Solved in this browser: 2 of {known}. Next: 1.2 · ")
    expect(data.locator("tr:has(.live-solved)")).to_have_count(2)
    expect(data.locator("tr:has(.live-solved) a[href$='#exercise-2-1']")).to_have_count(
        1
    )
    expect(data.get_by_role("img", name="solved")).to_have_count(2)


def test_without_anything_kept_the_list_loads_nothing(visit):
    page, _ = visit("book/license.html")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(page.url.replace("license", "exercises"))
    page.wait_for_timeout(300)
    assert [
        url.rpartition("/")[2].partition("?")[0] for url in asked if "/live/" in url
    ] == ["live.js"]
