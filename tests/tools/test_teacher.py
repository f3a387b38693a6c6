"""What make teacher writes: no solution for students, all of them in the key."""

import ast
import re

import matplotlib.pyplot as plt
import pytest

from bnlib import exercises
from tests.tools import samples
from tools import normal_form as nb
from tools import notebooks, portable, teacher, teacher_key, teacher_slides

PAGES = teacher.pages()
NAMES = [path.name for path in PAGES]
BOOK = {path.name: nb.read(path) for path in PAGES}
each_name = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Return the folder that ``make teacher`` fills."""
    folder = tmp_path_factory.mktemp("teacher")
    with plt.rc_context({"figure.constrained_layout.use": True}):  # as after a chapter
        assert teacher.main(folder) == 0
    return folder


def numbers(name):
    """Return the exercises that a notebook of the book sets."""
    cells = BOOK[name].cells
    return [c.metadata.exercise["id"] for c in cells if teacher_key.role(c, "task")]


def test_every_exercise_of_the_checker_is_on_a_page():
    found = [number for name in NAMES for number in numbers(name)]
    known = [exercises.get(name).number for name in exercises.names()]
    assert sorted(found) == sorted(known)


@each_name
def test_a_notebook_for_students_is_in_normal_form_and_reads_well(written, name):
    path = written / "student" / name
    assert notebooks.check(path) == []
    assert portable.file_faults(path) == []


@each_name
def test_a_notebook_for_students_has_all_exercises_and_no_solution(written, name):
    made = nb.read(written / "student" / name)
    assert teacher.leaks(made, BOOK[name]) == []
    assert not [c for c in made.cells if teacher_key.role(c, "solution")]
    for role in ("task", "starter", "check", "hints"):
        assert sum(teacher_key.role(c, role) for c in made.cells) == len(numbers(name))
    text = "\n".join(cell.source for cell in made.cells)
    assert not re.search(r"def \w+_solution|<summary>Solution|Solution of", text)
    assert "solutions are folded" not in text
    printed = str([c.outputs for c in nb.code_cells(made)])
    assert "Solution of exercise" not in printed


@each_name
def test_a_notebook_for_students_lacks_the_last_hint_and_no_other(written, name):
    made = nb.read(written / "student" / name)
    for cell in made.cells:
        if teacher_key.role(cell, "hints"):
            hints = exercises.get(cell.metadata.exercise.name).hints
            folds = [text for _, text in teacher_key.FOLD.findall(cell.source)]
            assert len(folds) == len(hints) - 1 >= 1


@each_name
def test_all_else_is_as_in_the_book(written, name):
    made = {c["id"]: c for c in nb.read(written / "student" / name).cells}
    changed = ("solution", "hints")
    for cell in nb.code_cells(BOOK[name]):
        if cell.metadata.get("exercise", {}).get("role") not in changed:
            assert made[cell["id"]].source == cell.source
            assert uncounted(made[cell["id"]]) == uncounted(cell)


def uncounted(cell):
    """Return the outputs without the count of a result: cells before it are gone."""
    return [{**output, "execution_count": None} for output in cell.outputs]


@each_name
def test_no_later_cell_misses_a_solution(written, name, capsys):
    made, known = nb.read(written / "student" / name), set()
    for cell in nb.code_cells(made):
        names = [n for n in ast.walk(ast.parse(cell.source)) if isinstance(n, ast.Name)]
        for found in {n for n in names if n.id.endswith("_solution")}:
            if isinstance(found.ctx, ast.Store):
                known.add(found.id)
                space = {}
                exec(cell.source, space)
                exercise = found.id.removesuffix("_solution")
                exercises.check(exercise, space[found.id], strict=True)
        assert {n.id for n in names if n.id.endswith("_solution")} <= known
    assert capsys.readouterr().out.count("✔") == len(known)


def test_two_chapters_use_a_solution_later(written):
    # Else the test above would look at nothing.
    borrowed = [
        name
        for name in NAMES
        if "get("
        in "".join(c.source for c in nb.read(written / "student" / name).cells)
        and "_solution = get" in (written / "student" / name).read_text("utf-8")
    ]
    assert borrowed == ["05-effects.ipynb", "07-placement.ipynb"]


def planted(name, cell_id, source=None):
    """Return the students' notebook with one cell as it is in the book, or so."""
    made = teacher.student(BOOK[name])
    original = next(c for c in BOOK[name].cells if c["id"] == cell_id)
    cell = next((c for c in made.cells if c["id"] == cell_id), None)
    if cell is None:
        made.cells.append(original)
    else:
        cell.source = source or original.source
    return made


@pytest.mark.parametrize(
    ("name", "cell", "exercise"),
    [
        ("04-inference.ipynb", "solution-poison", "poison"),
        ("04-inference.ipynb", "hints-poison", "poison"),
        ("project.ipynb", "s7-answer", "prune_net"),
        ("bug-hunt.ipynb", "solution-standardize", "standardize"),
    ],
)
def test_a_solution_that_is_left_is_seen(name, cell, exercise):
    assert teacher.leaks(planted(name, cell), BOOK[name]) == [exercise]


def test_a_solution_in_plain_text_is_seen_whatever_its_spaces():
    code = teacher_key.solutions(BOOK["04-inference.ipynb"])["fold_linear"]
    text = code.replace(" ", "  ").replace("\n", "\n\n")
    made = planted("04-inference.ipynb", "folding-reading", text)
    assert teacher.leaks(made, BOOK["04-inference.ipynb"]) == ["fold_linear"]


def test_nothing_is_written_that_shows_a_solution(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(teacher, "student", lambda notebook, names: notebook)
    assert teacher.main(tmp_path) == 1
    assert "01-scaling.ipynb for students shows z-score" in capsys.readouterr().err
    assert not list((tmp_path / "student").iterdir())


def test_links_lead_to_what_lies_beside_it_or_to_the_repository():
    text = "See [2](02-a.ipynb#x), [ledger](claims.md#b1), [web](https://a.org/b.md)."
    notebook = samples.chapter(samples.text("# T"), samples.text(text))
    source = teacher.student(notebook, {"02-a.ipynb"}).cells[2].source
    assert "[2](02-a.ipynb#x)" in source and "[web](https://a.org/b.md)" in source
    assert re.search(
        r"\(https://github\.com/.*/blob/v[\d.]+/book/claims\.md#b1\)", source
    )


@each_name
def test_a_key_has_each_exercise_once_with_all_that_the_checker_names(written, name):
    text = (written / "key" / name).with_suffix(".md").read_text(encoding="utf-8")
    parts = re.split(r"^## Exercise (\S+) · ", text, flags=re.MULTILINE)[1:]
    assert parts[::2] == numbers(name)
    for number, part in zip(parts[::2], parts[1::2], strict=True):
        exercise = exercises.get(number)
        assert re.search(rf"(?:def|class) {exercise.function}(_solution)?\(", part)
        assert all(f"- *{m.name}.* {m.why}" in part for m in exercise.misconceptions)
        assert exercise.hints[-1] in part
        assert "check(" not in part.partition("```python")[2].partition("```")[0]
    chapter = name[:2].lstrip("0")
    asked = re.findall(r"^\*\*(\d+[ab])\.\*\*", text, re.MULTILINE)
    assert asked == ([f"{chapter}a", f"{chapter}b"] if chapter.isdigit() else [])
    assert text.count("What a good answer contains:") == len(asked)
    assert "<details>" not in text


def test_the_key_to_the_hunt_has_the_table_that_students_lack(written):
    table = "## What would have seen them\n\n| item | a test that passes |"
    assert table in (written / "key" / "bug-hunt.md").read_text(encoding="utf-8")
    made = (written / "student" / "bug-hunt.ipynb").read_text(encoding="utf-8")
    assert "a test that passes |" not in made


def test_the_slides_have_a_page_for_each_figure_and_a_title(written):
    chapters = [BOOK[name] for name in NAMES if name[:2].isdigit()]
    count = sum(portable.pictures(cell) for made in chapters for cell in made.cells)
    pdf = (written / "slides.pdf").read_bytes()
    assert len(re.findall(rb"/Type /Page\b", pdf)) == count + 1


PICTURE = samples.code("draw()")
PICTURE.outputs = [nb.v4.new_output("display_data", {"image/png": "AAAA"})]


def test_a_figure_has_the_caption_below_it():
    below = samples.text("**Figure 2.1.** *Loss* of $a b$.\n\nMore.")
    notebook = samples.chapter(samples.text("# Chapter 2: T\n\nx"), PICTURE, below)
    (figure,) = teacher_slides.figures(notebook)
    assert (figure.chapter, figure.number) == ("Chapter 2: T", "Figure 2.1")
    assert (figure.caption, figure.png) == ("*Loss* of $a b$.", b"\0\0\0")


def test_a_figure_without_a_caption_is_refused():
    notebook = samples.chapter(samples.text("# T"), PICTURE, samples.text("Next."))
    with pytest.raises(ValueError, match="must begin with .*Figure N.M.*got 'Next.'"):
        teacher_slides.figures(notebook)


def test_a_caption_keeps_its_formulas_whole():
    text = "A *mark*, `code`, [link](a.md), $x * y$ " + "and $a + b$ " * 20
    lines = teacher_slides.plain(text).splitlines()
    assert lines[0].startswith("A mark, code, link, $x * y$ and")
    assert len(lines) > 1 and all(line.count("$") % 2 == 0 for line in lines)
