"""What must be true of every claim: bound, seeds, scope, grids; chapters stay short.

The seven rules of a verdict that a machine can check. That a number in a verdict is the
one of a claim line is the business of ``tools.verdicts``, which is tested on its own.
"""

import re

import pytest

from tools import course, normal_form, verdicts

CHAPTERS = course.chapters()
MEASURED = course.measured()  # with the reference pages that have claims of their own
LINES = verdicts.claim_lines()
MOST_LINES, MOST_WORDS, FEWEST_SEEDS = 20, 3000, 5
MOST_IN_ALL = 18 * len(CHAPTERS)  # on average; a new chapter brings its own
# Claims on what training does, or on a trained net; the others are about the layer.
TRAINING = {"N3", "F5", "F8", "I1", "I2", "I3", "I4", "I5", "I8", "T1", "G1", "G2"}
TRAINING_LETTERS = "WPRM"
# Identities among them: exact, without training.
EXACT = {"P4", "R4", "M9"}
# Three settings or more: of two, none is inside.
GRID = re.compile(
    r"^\s*(?:RATES|rates|GRID|grid|LRS|lrs)\w* = [\[(](?:[^\s,)\]]+, ?){2}",
    re.MULTILINE,
)
JUDGES = re.compile(r"\b(?:best_of_grid|fails_everywhere)\(")

each_chapter = pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda c: c.file)
each_file = pytest.mark.parametrize("file", MEASURED)
each_line = pytest.mark.parametrize(
    "line", LINES, ids=[f"{n}-{line.name}" for n, line in enumerate(LINES)]
)


def notebook(file):
    return normal_form.read(verdicts.ROOT / "book" / f"{file}.ipynb")


def is_about_training(line):
    known = line.name in TRAINING or line.name[0] in TRAINING_LETTERS
    return known and line.name not in EXACT


def is_exact(line):
    """Say whether a line is an identity, a count or a constant of the theory."""
    bound, tol = float(line.bound), float(line.tol or 0)
    theory = line.op == "~" and tol <= 0.05 * abs(bound)
    return line.op == "==" or theory or (line.op in "<=" and abs(bound) <= 1e-6)


def test_every_claim_line_is_read():
    assert len(LINES) > 100
    for file in MEASURED:
        printed = [
            output.text
            for cell in normal_form.code_cells(notebook(file))
            for output in cell.outputs
            if output.get("name") == "stdout"
        ]
        count = len(re.findall(r"^✔ [A-Z]\d+[ .]", "".join(printed), re.MULTILINE))
        assert count == sum(line.chapter == file for line in LINES)


@each_line
def test_a_claim_on_training_names_its_scope_and_five_seeds(line):
    if is_about_training(line) and not is_exact(line):
        assert line.scope, f"{line.name}: {line.sentence}: on what was it measured?"
    if re.search(r"\bsteps?\b|\bepochs?\b", line.scope or ""):
        assert line.seeds >= FEWEST_SEEDS, (
            f"{line.name}: {line.sentence}: {line.spread}"
        )


def test_each_claim_on_training_has_a_line_with_seeds():
    names = {name for names in MEASURED.values() for name in names}
    measured = {line.name for line in LINES if line.seeds >= FEWEST_SEEDS}
    wanted = {n for n in names if n in TRAINING or n[0] in TRAINING_LETTERS} - EXACT
    assert sorted(wanted - measured) == []


@each_file
def test_a_sweep_asks_whether_its_best_stands_at_an_edge(file):
    cells = [cell.source for cell in normal_form.code_cells(notebook(file))]
    if any(GRID.search(source) for source in cells):
        assert any(JUDGES.search(source) for source in cells)


def test_the_numbers_of_the_verdicts_are_bound():
    text = (verdicts.ROOT / verdicts.LEDGER).read_text(encoding="utf-8")
    assert verdicts.filled(text, LINES) == text
    assert verdicts.faults(text, LINES) == []


def test_each_verdict_says_on_what_it_was_measured():
    text = (verdicts.ROOT / verdicts.LEDGER).read_text(encoding="utf-8")
    rows = list(verdicts.ROW.finditer(text))
    names = {name for names in MEASURED.values() for name in names}
    assert sorted(row["name"] for row in rows) == sorted(names)
    for row in rows:
        slogan, verdict, scope = (cell.strip() for cell in row["cells"].split("|"))
        assert slogan and verdict.startswith("*") and scope, row["name"]


@each_file
def test_a_chapter_is_short(file):
    assert sum(line.chapter == file for line in LINES) <= MOST_LINES
    words = 0
    for cell in notebook(file).cells:
        if cell.cell_type != "markdown" or "exercise" in cell.metadata:
            continue
        text = re.sub(r"(?s)<!--.*?-->", "", cell.source)
        text = re.sub(r"<details>.*?</details>|\$[^$]*\$|\]\([^)]*\)", "", text)
        words += len(re.findall(r"[^\W\d_][\w'’-]*", text))
    assert words <= MOST_WORDS, f"{words} words of prose"


def test_the_ledger_of_the_chapters_is_short():
    files = {chapter.file for chapter in CHAPTERS}
    assert sum(line.chapter in files for line in LINES) <= MOST_IN_ALL


@each_chapter
def test_a_chapter_marks_what_may_be_skipped(chapter):
    cells = notebook(chapter.file).cells
    texts = [cell.source for cell in cells if cell.cell_type == "markdown"]
    assert any(
        text.startswith("> **In this chapter.**") or "> **In this chapter.**" in text
        for text in texts
    )
    assert any("> **Note.** May be skipped" in text for text in texts)
