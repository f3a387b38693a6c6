"""Whole pages that run: cell by cell they say what is published."""

import re

import pytest

from tests.site.course import PHONE, ROOT, TOC_PAGES
from tests.site.live import START, broken_rules, needs_python
from tools import normal_form
from tools.compare import text_difference

pytestmark = needs_python
# Minutes on a busy machine; a quiet one takes seconds.
LONG = 400_000
WHOLE = ["book/01-scaling", "book/02-forward", "book/03-backward"]
# Rounding: which digits it has is no fact about the world.
ROUNDING = {"F3.twopass"}
TEXT = """all => all.map(it => [...it.querySelectorAll(
    '.live-output :is(pre, caption, tr)')].map(part => part.cells
        ? [...part.cells].map(cell => cell.textContent).join(' ').trim() + '\\n'
        : part.textContent + (part.tagName === 'CAPTION' ? '\\n' : '')).join(''))"""


def stored(page):
    """Return what each cell that runs has printed, and whether it needs PyTorch."""
    for cell in normal_form.read(ROOT / f"{page}.ipynb").cells:
        tags = normal_form.tags(cell)
        about = cell["metadata"].get("exercise")
        if cell["cell_type"] == "code" and not about and "remove-cell" not in tags:
            yield normal_form.printed(cell), "torch" in tags


def bare(text):
    """Return the lines without the spaces that align a table where it is text."""
    return "\n".join(line.strip() for line in text.strip().splitlines())


def open_page(visit, name, **options):
    page, trouble = visit(f"{name}.html", **options)
    page.get_by_role("button", name="Run this page").click()
    return page, page.get_by_role("group", name="This page"), trouble


@pytest.mark.parametrize("whole", WHOLE)
def test_a_chapter_runs_and_says_what_is_published(visit, expect, whole):
    page, tools, trouble = open_page(visit, whole)
    tools.get_by_role("button", name="Run all", exact=True).click()
    status = tools.get_by_role("status")
    expect(status).to_have_text(
        re.compile("cells have run|An error|Python"), timeout=START
    )
    expect(status).to_have_text(re.compile("cells have run|An error"), timeout=LONG)
    now = page.locator(".live-cell").evaluate_all(TEXT)
    before = list(stored(whole))
    assert len(now) == len(before)
    assert f"{len(now)} cells have run." == status.inner_text()
    for (was, torch), said in zip(before, now, strict=True):
        if torch:
            assert re.match("PyTorch is not installed|Skipped: it needs PyTorch", said)
        elif not any(f" {name} · " in was for name in ROUNDING):
            assert text_difference(bare(was), bare(said)) is None
        claims = re.findall(r"^✔ (\S+) · ", was, re.M) if not torch else []
        assert re.findall(r"^✔ (\S+) · ", said, re.M) == claims
    for picture in page.locator(".live-cell [data-explore]").all():
        assert picture.is_visible(), "what can be dragged stays"
    # Figures have the size and the words of the published ones.
    look = """all => all.map(it => [
        it.alt ?? it.getAttribute("aria-label"),
        +it.getAttribute("width"), +it.getAttribute("height")])"""
    drawn = page.locator(".live-cell .live-output img").evaluate_all(look)
    show = page.get_by_role("button", name="Show the published output")
    show.evaluate_all("all => all.forEach(it => it.click())")
    both = ":has(> .cell_output:not(.live-output)) > .live-output"
    figure = ".live-cell > figure > .live-output"
    assert page.locator(f".live-cell{both}, {figure}").count() == 0
    published = page.locator(
        ".live-cell .cell_output:not(.live-output) :is(img, svg.course-drawing)"
    ).evaluate_all(look)
    assert [it[0] for it in drawn] == [it[0] for it in published] and len(drawn) >= 4
    for own, theirs in zip(drawn, published, strict=True):
        # A drawing lacks the white margin of a picture.
        assert max(abs(a - b) for a, b in zip(own[1:], theirs[1:], strict=True)) <= 5
    assert trouble.foreign == trouble.failed == trouble.console == []


def test_all_pages_that_run_are_tried(site):
    marked = [
        n for n in TOC_PAGES if "live-cell" in (site / f"{n}.html").read_text("utf8")
    ]
    assert set(marked) == {*WHOLE, *SHORT}


# Pages that run in seconds: there a reader's ways are tried.
SHORT = ["book/conventions", "book/speed"]


def test_a_reader_runs_edits_stops_and_restarts(visit, expect):
    page, tools, trouble = open_page(visit, "book/conventions", viewport=PHONE)
    status = tools.get_by_role("status")
    cell = [
        page.get_by_role("group", name=f"Cell {i}", exact=True) for i in range(1, 5)
    ]
    box = [page.locator(".live-cell").nth(i) for i in range(4)]
    # Run brings what is above with it, once.
    cell[1].get_by_role("button", name="Run", exact=True).click()
    expect(cell[1].locator(".live-status")).to_have_text("Done.", timeout=START)
    expect(cell[0].locator(".live-status")).to_have_text("Done.")
    expect(status).to_have_text("2 cells have run.")
    # A changed cell is run with the keyboard, and prints below itself.
    cell[1].get_by_role("button", name="Edit").click()
    editor = box[1].locator(".cm-content")
    expect(editor).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text("print(6 * 7)\n1 / 0")
    page.keyboard.press("Control+Enter")
    expect(status).to_have_text("An error in cell 2: the rest was not run.")
    expect(box[1].locator(".live-output")).to_contain_text("42\nTraceback")
    expect(box[1].locator(".live-output")).to_contain_text('File "cell 2", line 2')
    # Below an error nothing is run; the cell that failed is run again.
    cell[2].get_by_role("button", name="Run", exact=True).click()
    expect(status).to_have_text("An error in cell 2: the rest was not run.")
    # An endless loop is stopped; the focus stays where it was.
    editor.click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text("while True:\n    pass")
    cell[1].get_by_role("button", name="Run", exact=True).click()
    expect(status).to_have_text("Running cell 2 …")
    cell[1].get_by_role("button", name="Stop").click()
    expect(cell[1].get_by_role("button", name="Run", exact=True)).to_be_focused()
    expect(status).to_have_text("Stopped. What is needed runs again.")
    # The starter comes back, and the published output.
    cell[1].get_by_role("button", name="Reset").click()
    expect(editor).not_to_contain_text("while True")
    published = cell[1].get_by_role("button", name="Show the published output")
    if published.count():
        published.click()
        expect(cell[1].get_by_role("button", name="Show your output")).to_be_focused()
    cell[1].get_by_role("button", name="Run all above").click()
    expect(status).to_have_text("2 cells have run.", timeout=START)
    tools.get_by_role("button", name="Restart").click()
    expect(status).to_have_text("Python starts anew: nothing has run.")
    cell[2].get_by_role("button", name="Run", exact=True).click()
    expect(status).to_have_text("3 cells have run.", timeout=START)
    assert broken_rules(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    tools.get_by_role("button", name="Close").click()
    expect(page.get_by_role("button", name="Run this page")).to_be_focused()
    assert page.locator(".live-output, .live-editor").count() == 0
    assert trouble.foreign == trouble.failed == trouble.console == []


@pytest.mark.parametrize("short", SHORT)
def test_a_page_to_look_something_up_runs(visit, expect, short):
    page, tools, _ = open_page(visit, short)
    tools.get_by_role("button", name="Run all", exact=True).click()
    status = tools.get_by_role("status")
    expect(status).to_have_text(re.compile("cells have run"), timeout=LONG)
