"""The lists of exercises and figures: read from notebooks, as the checker sees them."""

import pytest
from nbformat import v4

from bnlib import exercises
from bnlib.exercises.engine.kinds import Repair
from tools import book_lists, course

NOTEBOOKS = course.notebooks()
TASKS = [t for f, book in NOTEBOOKS.items() for t in book_lists.exercises(f, book)]
TEXT = "### Exercise 2.1 · Do it\n\n● ● ○ · 12 minutes\n\n{}"


@pytest.mark.parametrize(
    ("opening", "kind"),
    [
        ("Write the layer.", "write"),
        ("Repair it. The function", "repair"),
        ("From chapter 3. A layer", "repair"),
        ("Predict and measure. At which", "predict"),
        ("Break the claim: *it holds.*", "break a claim"),
        ("Run a sweep and read it.", "read a sweep"),
        ("One writes: Repair it.", "write"),
    ],
)
def test_a_task_is_read_with_its_label_and_kind(opening, kind):
    found = book_lists.task("02-two", "2.1", TEXT.format(opening))
    assert found == book_lists.Task("02-two", "2.1", "Do it", kind, "● ● ○", 12)


def test_a_task_without_a_label_is_refused():
    with pytest.raises(ValueError, match="exercise 2.1 must have a line like"):
        book_lists.task("02-two", "2.1", "### Exercise 2.1 · Do it\n\nGo.")


def test_kinds_are_those_of_the_checker():
    assert [task.number for task in TASKS if task.kind == "repair"] == [
        exercises.get(name).number
        for name in exercises.names()
        if isinstance(exercises.get(name), Repair)
    ]
    predicted = [
        exercises.get(name).number
        for name in exercises.names()
        if getattr(exercises.get(name).accept, "__qualname__", "").startswith(
            "measured"
        )
    ]
    assert set(predicted) <= {task.number for task in TASKS if task.kind == "predict"}


def test_each_exercise_of_the_checker_is_listed():
    known = {
        exercises.get(name).number: exercises.get(name) for name in exercises.names()
    }
    assert sorted(known) == sorted(task.number for task in TASKS)
    page = book_lists.exercise_list(NOTEBOOKS)
    for number, exercise in known.items():
        assert f"| Exercise {number} · {exercise.title} |" in page
    assert f"The book has {len(known)} exercises" in page


def test_counts_add_up():
    *rows, last = [
        [cell.strip("* ") for cell in line.strip("|").split("|")]
        for line in book_lists.counts(TASKS)[2:]
    ]
    sums = [sum(int(row[k]) for row in rows) for k in range(1, 5)]
    assert [int(number) for number in last[1:]] == sums
    assert sums[3] == len(TASKS) == sum(sums[:3])


def explorable_cell(shown):
    cell = v4.new_code_cell('from bnlib.lab.explore import explore\n\nexplore("push")')
    cell.outputs = [v4.new_output("execute_result", {"text/html": shown})]
    return cell


def test_an_explorable_is_listed_with_its_title_and_its_place():
    cells = [
        v4.new_markdown_cell("# Chapter 2: Two"),
        explorable_cell("<div>old</div>"),
    ]
    cells.append(explorable_cell('<div><img alt="Push &amp; see. One moved."></div>'))
    page = book_lists.figure_list({"02-two": v4.new_notebook(cells=cells)})
    assert "What can be dragged, one in all:" in page
    assert '- <a href="02-two.html#explore-push">Push &amp; see</a>' in page
    assert page.count("explore-push") == 1


def test_a_figure_is_listed_with_the_beginning_of_its_caption():
    said = "Short one. Then what a reader sees in the picture, on both of its sides."
    caption = f"**Figure 2.1.** {said} More."
    cells = [v4.new_markdown_cell(text) for text in ("# Chapter 2: Two", caption)]
    page = book_lists.figure_list({"02-two": v4.new_notebook(cells=cells)})
    assert "The chapters have 1 figures" in page
    assert f"- Figure 2.1 · {said}\n" in page
