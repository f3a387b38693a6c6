"""What every chapter promises: form, address, claims, and exercises that hold.

That the stored outputs are true is nbval's part; here no kernel is started.
"""

import ast
import re
from pathlib import Path

import pytest
import torch

from bnlib import exercises
from bnlib.exercises.engine import progress
from bnlib.exercises.engine.kinds import Repair
from tools import course, normal_form, notebooks, portable, stamp_address

ROOT = Path(__file__).parents[2]
CHAPTERS = stamp_address.chapters()
NOTEBOOKS = stamp_address.notebooks()  # with the reference pages that can be run
HUNT = ROOT / "book" / "bug-hunt.ipynb"
# How a task of another kind than "write a function" begins.
KINDS = ("Repair it.", "Predict and measure.", "Break the claim:", "Run a sweep")
ROLES = ["task", "starter", "check", "hints", "solution"]
PROJECT = ROOT / "book" / "project.ipynb"
WITH_EXERCISES = [*CHAPTERS, HUNT, PROJECT]
CLAIMS = course.measured()

each_chapter = pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


@pytest.fixture(autouse=True)
def default_dtype():
    """Put back what the cells of a page set for all of PyTorch."""
    before = torch.get_default_dtype()
    yield
    torch.set_default_dtype(before)


def test_the_table_of_chapters_is_carried_to_every_list():
    for path, text in course.wanted().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run make stamp"


def test_each_claim_is_measured_in_one_notebook_of_the_book():
    names = [name for names in CLAIMS.values() for name in names]
    assert len(set(names)) == len(names)
    listed = {c.file for c in course.chapters()} | {*course.pages()}
    assert set(CLAIMS) <= listed


def exercise_cells(path):
    """Return the cells of each exercise of a chapter: {number: [cell, ...]}."""
    found = {}
    for cell in normal_form.read(path).cells:
        if "exercise" in cell.metadata:
            found.setdefault(cell.metadata.exercise["id"], []).append(cell)
    return found


EXERCISES = [
    pytest.param(path, cells, id=f"{path.stem}-{number}")
    for path in WITH_EXERCISES
    for number, cells in exercise_cells(path).items()
]
PAIRS = [parameters.values for parameters in EXERCISES]
each_exercise = pytest.mark.parametrize("path, cells", EXERCISES)


def role(cells, name):
    """Return the cell of an exercise that has this role."""
    return next(cell for cell in cells if cell.metadata.exercise["role"] == name)


def entry(cells):
    """Return what bnlib knows about an exercise."""
    return exercises.get(cells[0].metadata.exercise["name"])


def call(cell):
    """Return the one call of ``check`` in a cell, as a syntax tree."""
    calls = [
        node
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "check"
    ]
    assert len(calls) == 1, f"expected one call of check in:\n{cell.source}"
    return calls[0]


def answer(cell):
    """Return the name of the function that a cell hands to ``check``."""
    return call(cell).args[1].id


def fresh(path):
    """Return a namespace after the chapter's imports."""
    names = {}
    for cell in normal_form.code_cells(normal_form.read(path)):
        if "imports" in normal_form.tags(cell):
            run(cell, names)
    return names


def run(cell, names):
    """Execute a cell in a namespace."""
    exec(compile(cell.source, cell["id"], "exec"), names)


def test_the_chapters_of_the_table_are_there():
    assert [path.stem for path in CHAPTERS] == [c.file for c in course.chapters()]


@each_notebook
def test_a_chapter_is_in_normal_form(path):
    assert notebooks.check(path) == []


@each_notebook
def test_a_chapter_reads_well_everywhere(path):
    assert portable.file_faults(path) == []


@each_notebook
def test_a_chapter_carries_the_address_and_the_set_up_cell(path):
    assert path.read_text(encoding="utf-8") == stamp_address.stamped(path)


@each_notebook
def test_a_chapter_marks_its_imports(path):
    cells = normal_form.code_cells(normal_form.read(path))
    assert "setup" in normal_form.tags(cells[0])
    assert "imports" in normal_form.tags(cells[1])


@each_chapter
def test_a_cell_of_nothing_but_imports_is_marked(path):
    for cell in normal_form.code_cells(normal_form.read(path)):
        kinds = {type(node) for node in ast.parse(cell.source).body}
        if kinds and kinds <= {ast.Import, ast.ImportFrom}:
            assert "imports" in normal_form.tags(cell), cell.id


@each_chapter
def test_the_claims_of_a_chapter_are_measured(path):
    printed = "".join(
        output.text
        for cell in normal_form.code_cells(normal_form.read(path))
        for output in cell.outputs
        if output.get("name") == "stdout"
    )
    measured = re.findall(r"^✔ ([A-Z]\d+)[ .]", printed, re.MULTILINE)
    assert set(CLAIMS.get(path.stem, ())) == set(measured)


@each_chapter
def test_a_chapter_has_three_exercises_or_more_numbered_in_order(path):
    chapter, numbers = int(path.stem[:2]), list(exercise_cells(path))
    assert len(numbers) >= 3
    assert numbers == [f"{chapter}.{n}" for n in range(1, len(numbers) + 1)]
    # One that bnlib checks but no chapter sets would be work that nobody sees.
    known = [exercises.get(name).number for name in exercises.names()]
    assert numbers == [n for n in known if n.partition(".")[0] == str(chapter)]


def test_the_hunt_has_an_item_for_each_chapter():
    numbers = list(exercise_cells(HUNT))
    assert numbers == [f"H.{n}" for n in range(1, len(CHAPTERS) + 1)]
    known = [exercises.get(name).number for name in exercises.names()]
    assert numbers == [n for n in known if n.startswith("H")]
    for n, cells in enumerate(exercise_cells(HUNT).values(), 1):
        assert isinstance(entry(cells), Repair)
        assert f"From chapter {n}." in cells[0].source


def of_another_kind(cells):
    """Whether an exercise is something else than "write this function"."""
    return isinstance(entry(cells), Repair) or any(
        f"\n\n{kind}" in cells[0].source for kind in KINDS
    )


def test_there_are_seventy_exercises_and_enough_of_the_other_kinds():
    sets = [exercise_cells(path) for path in CHAPTERS]
    assert sum(map(len, sets)) + len(exercise_cells(HUNT)) >= 70
    counts = [sum(map(of_another_kind, found.values())) for found in sets]
    # Each chapter has an item of the hunt besides.
    assert min(counts) >= 1
    assert sum(counts) + len(exercise_cells(HUNT)) >= 20


def test_the_labels_use_the_whole_range():
    labels = [re.findall(r"^[●○ ]{5}(?= · )", c[0].source, re.M) for _, c in PAIRS]
    labels = [label for found in labels for label in found]
    assert len(labels) == len(PAIRS)
    easy, hard = labels.count("● ○ ○"), labels.count("● ● ●")
    assert easy + labels.count("● ● ○") + hard == len(labels)
    assert 0.2 < easy / len(labels) < 0.3 and 0.2 < hard / len(labels) < 0.3


@each_exercise
def test_a_starter_is_to_be_filled_in_or_to_be_repaired(path, cells):
    source, exercise = role(cells, "starter").source, entry(cells)
    if isinstance(exercise, Repair):
        assert source == exercise.starter.rstrip()
    else:
        assert "return ...  # your code" in source


@each_exercise
def test_an_exercise_has_its_five_cells_in_order(path, cells):
    about = [cell.metadata.exercise for cell in cells]
    assert [part["role"] for part in about] == ROLES
    assert len({(part["id"], part["name"]) for part in about}) == 1
    kinds = [cell.cell_type for cell in cells]
    assert kinds == ["markdown", "code", "code", "markdown", "code"]
    assert all(set(part) == {"id", "name", "role"} for part in about)


@each_exercise
def test_an_exercise_is_the_one_that_bnlib_checks(path, cells):
    exercise = entry(cells)
    assert exercise.number == cells[0].metadata.exercise["id"]
    heading = cells[0].source.splitlines()[0]
    assert heading.startswith(f"### Exercise {exercise.number} · {exercise.title}")
    start, source = f"def {exercise.signature}:", role(cells, "starter").source
    if f"class {exercise.function}(" in source:
        start = f"def __init__(self, {exercise.signature.partition('(')[2]}:"
    assert start in source
    for name in ("check", "solution"):
        assert call(role(cells, name)).args[0].value == exercise.name
    assert answer(role(cells, "check")) == exercise.function


@each_exercise
def test_the_hints_on_the_page_are_those_of_the_checker(path, cells):
    page = role(cells, "hints").source
    folded = re.findall(r"<details>.*?</summary>(.*?)</details>", page, re.DOTALL)
    shown = [" ".join(text.split()) for text in folded]
    assert shown == [" ".join(text.split()) for text in entry(cells).hints]


@each_exercise
def test_a_solution_is_folded_everywhere(path, cells):
    solution = role(cells, "solution")
    about = solution.metadata
    assert "hide-cell" in about.tags
    assert about.cellView == "form"
    assert about.jupyter.source_hidden is True
    assert about.mystnb.code_prompt_show == "Show the solution"
    assert solution.source.startswith("# @title Solution")


@each_exercise
def test_what_a_cell_tells_the_learner_to_call_can_be_called(path, cells, capsys):
    names = fresh(path)
    told = [
        c
        for cell in cells
        for c in re.findall(r"\b(?:hint|case)\([^)]*\)", cell.source)
    ]
    assert told
    for expression in told:
        eval(expression, names)
    assert "There is no exercise" not in capsys.readouterr().out


@each_exercise
def test_the_starter_counts_as_not_attempted(path, cells, capsys):
    names = fresh(path)
    run(role(cells, "starter"), names)
    capsys.readouterr()
    run(role(cells, "check"), names)
    assert "not attempted yet" in capsys.readouterr().out


@each_exercise
def test_the_solution_is_right_and_the_cell_would_fail_if_not(path, cells, capsys):
    solution = role(cells, "solution")
    run(solution, fresh(path))
    assert capsys.readouterr().out.startswith("✔ Solution of exercise")
    keywords = {word.arg: word.value for word in call(solution).keywords}
    assert keywords["strict"].value is True


@each_exercise
def test_the_solution_under_the_name_of_the_starter_passes_the_check(
    path, cells, capsys
):
    names = fresh(path)
    solution, check = role(cells, "solution"), role(cells, "check")
    run(solution, names)
    names[answer(check)] = names[answer(solution)]
    capsys.readouterr()
    run(check, names)
    assert capsys.readouterr().out.startswith("✔")


@pytest.fixture
def readers(monkeypatch, tmp_path):
    """Put a reader's state in place: who has solved nothing, or all exercises."""

    def put(solved):
        monkeypatch.delenv(progress.SWITCH, raising=False)
        for name in ("HOME", "XDG_DATA_HOME", "APPDATA", "USERPROFILE"):
            monkeypatch.setenv(name, str(tmp_path / str(len(solved))))
        monkeypatch.setattr(progress, "_in_this_kernel", set())
        for name in solved:
            progress.remember(name)
        assert progress.solved() == set(solved)

    return put


@pytest.mark.parametrize("path", WITH_EXERCISES, ids=lambda path: path.stem)
def test_what_a_chapter_prints_does_not_depend_on_what_a_reader_has_solved(
    path, readers, capsys
):
    printed = []
    for solved in ([], exercises.names()):
        readers(solved)
        names = fresh(path)
        capsys.readouterr()
        for cells in exercise_cells(path).values():
            for part in ("starter", "check", "solution"):
                run(role(cells, part), names)
        printed.append(capsys.readouterr().out)
        assert progress.solved() == set(
            solved
        )  # running all is no success of one's own
    assert printed[0] == printed[1]


@each_notebook
def test_no_cell_shows_the_progress_of_whoever_ran_it(path):
    for cell in normal_form.code_cells(normal_form.read(path)):
        assert not re.search(r"\bprogress\(", cell.source)


@each_exercise
def test_the_stored_verdicts_are_not_attempted_and_right(path, cells):
    stored = [role(cells, name).outputs[0].text for name in ("check", "solution")]
    assert stored[0].startswith("○")
    assert stored[1].startswith("✔")
