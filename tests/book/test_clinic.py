"""The failure clinic: each entry breaks, mends, asks, explains and leads on.

That the runs give what is stored is nbval's part; here no kernel is started.
"""

import re
from pathlib import Path

import pytest

from tools import normal_form

BOOK = Path(__file__).parents[2] / "book"
CELLS = normal_form.read(BOOK / "clinic.ipynb").cells
HEADING = re.compile(r"^### (.+)$", re.MULTILINE)
LINK = re.compile(r"\]\((\d\d-[\w-]+\.ipynb)#([^)]+)\)")
# What people type, from public reports; the answer must hold one of the words.
ASKED = {
    "nan or inf in the running statistics": r"NaN or inf",
    "mixed precision": r"mixed precision.*autocast",
    "averaged weights": r"EMA.*SWA",
    "gradient checkpointing": r"Gradient checkpointing",
    "dropout before batch norm": r"Dropout before batch norm \(variance shift\)",
    "monte carlo dropout": r"MC dropout.*\s+.*Monte Carlo",
    "padding": r"Padded sequences",
    "quantization": r"quantized to int8",
    "weight decay on gamma and beta": r"Weight decay on gamma and beta",
    "per-sample gradients": r"vmap and per-sample gradients",
    "l1 with adam": r"L1 on gamma with Adam",
    "real and generated images": r"real and generated images, one batch or two",
    "error message": r"Expected more than 1 value per channel when training",
    "checkpoint": r"missing_keys",
}


def entries():
    """Return the cells of each entry by its heading: those up to the next one."""
    found, current = {}, None
    for cell in CELLS:
        heading = cell.cell_type == "markdown" and HEADING.search(cell.source)
        if heading:
            current = found.setdefault(heading[1], [])
        if current is not None:
            current.append(cell)
    return found


def slug(title):
    """Return the name under which MyST files a heading."""
    return re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-")


ENTRIES = entries()
each_entry = pytest.mark.parametrize("cells", ENTRIES.values(), ids=map(slug, ENTRIES))


def texts(cells):
    return "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def printed(cells):
    streams = (out for cell in cells for out in cell.get("outputs", []))
    return "".join(out.text for out in streams if out.get("name") == "stdout")


def test_the_pages_say_how_many_entries_there_are():
    assert len(ENTRIES) == 27
    assert "Twenty-seven failures" in CELLS[0].source
    for page in (BOOK / "index.md", BOOK.parent / "README.md"):
        assert re.search(r"clinic\b.*\s27\s", page.read_text(encoding="utf-8"))


def test_the_list_at_the_top_leads_to_each_entry():
    links = re.findall(r"\]\(clinic\.ipynb#([^)]+)\)", CELLS[0].source)
    assert links == list(map(slug, ENTRIES))


@each_entry
def test_an_entry_breaks_and_mends(cells):
    lines = printed(cells).splitlines()
    assert {line.partition(":")[0] for line in lines} >= {"broken", "mended"}


@each_entry
def test_an_entry_has_one_line_to_paste_which_was_run(cells):
    (ask,) = [cell for cell in cells if cell["id"].endswith("-ask")]
    assert len(ask.source.splitlines()) == 1
    assert ask.source.startswith("print(")
    assert printed([ask]).strip()


@each_entry
def test_an_entry_has_a_cause_and_a_cure_and_leads_to_a_section(cells):
    text = texts(cells)
    assert text.count("**Cause.**") == text.count("**Cure.**") == 1
    assert re.search(r"\bline\b", text), "what does the line to paste say?"
    links = LINK.findall(text.partition("**Cure.**")[2])
    assert links
    for file, anchor in links:
        chapter = normal_form.read(BOOK / file).cells
        headings = re.findall(r"^#+ (.+)$", texts(chapter), re.MULTILINE)
        assert anchor in map(slug, headings), f"{file} has no section {anchor}"


@pytest.mark.parametrize("words", ASKED.values(), ids=ASKED)
def test_a_question_finds_its_answer(words):
    assert re.search(words, texts(CELLS))
