"""The naming rate, on wrong answers whose author had not seen the exercise files."""

import json
from functools import cache

import pytest

from tools import exercise_report as report

LISTS = report.lists()

# Of one exercise seven answers shared a wrong reading of the task.
SHORT = {("third", "useless_biases"): 3}

each_list = pytest.mark.parametrize("title", LISTS)


@cache
def found(title):
    """Return what the checker says of a list: seconds, and not for each collection."""
    return report.names(LISTS[title])


@each_list
def test_a_list_has_ten_wrong_answers_to_each_of_fifteen_exercises(title):
    counts = {exercise: len(wrong) for exercise, wrong in LISTS[title].items()}
    assert counts == {e: SHORT.get((title, e), 10) for e in counts}
    assert len(counts) == 15


def test_no_answer_stands_in_two_lists():
    every = [
        (e, k) for answers in LISTS.values() for e, w in answers.items() for k in w
    ]
    assert len(every) == len(set(every))


@each_list
def test_most_are_named_and_next_to_none_misnamed(title):
    named, misnamed = report.rates(report.counted(found(title), report.read()))
    assert named >= 0.6
    assert misnamed <= 0.01


@each_list
def test_next_to_none_is_accepted(title):
    kinds = [kind for wrong in found(title).values() for kind, _ in wrong.values()]
    assert kinds.count("accepted") <= 1


def test_a_name_that_nobody_has_read_counts_as_misnamed():
    said = {"forward": {"a": ("named", "x"), "b": ("named", "y"), "c": ("unnamed", "")}}
    counts = report.counted(said, {"forward": {"a": "x", "b": "z"}})
    assert counts["forward"] == {"named": 1, "misnamed": 1, "unnamed": 1}
    assert report.rates(counts) == (1 / 3, 1 / 3)


LIST = """
ANSWERS = {
    "keras_momentum": {
        "new": lambda half_life: 1 - 0.5 ** (1 / half_life),
        "right": lambda half_life: 0.5 ** (1 / half_life),
        "one": lambda half_life: 1.0,
    }
}
"""


def test_the_report_is_printed_and_accepted(tmp_path, capsys):
    (tmp_path / "tiny.py").write_text(LIST, encoding="utf-8")
    (tmp_path / "read.json").write_text("{}", encoding="utf-8")
    assert report.main([], tmp_path) == 0
    assert "0% named, 50.0% misnamed" in capsys.readouterr().out
    report.main(["--accept"], tmp_path)
    assert "50% named, 0.0% misnamed" in capsys.readouterr().out
    known = json.loads((tmp_path / "read.json").read_text(encoding="utf-8"))
    assert known == {"keras_momentum": {"new": "the weight of the new batch"}}
