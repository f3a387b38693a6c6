from collections import Counter

import pytest

from bnlib import exercises
from bnlib.exercises import Case, Exercise, get, hint, names


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    tiny = Exercise(
        number="9.1",
        name="double",
        title="Twice",
        signature="double(x)",
        reference=lambda x: 2 * x,
        cases=lambda: [Case((1.0,), "x=1")],
        hints=("Look at x.", "Add x to x. " + "Then wait. " * 9, "Return 2 * x."),
    )
    monkeypatch.setattr(exercises, "_registry", lambda: {"double": tiny})
    monkeypatch.setattr(exercises, "_hints_given", Counter())


def printed(capsys):
    return capsys.readouterr().out


def test_hints_come_one_by_one_and_begin_again(capsys):
    lines = []
    for _ in range(5):
        hint("double")
        lines.append(printed(capsys))
    assert lines[0] == "Hint 1 of 3 · Look at x.\n"
    assert lines[1].startswith(lines[0] + "Hint 2 of 3 · Add x to x.")
    assert lines[2] == lines[1] + "Hint 3 of 3 · Return 2 * x.\n"
    assert lines[3] == "That was the last of 3 hints; the next call begins again.\n"
    assert lines[4] == lines[0]


def test_long_hint_is_wrapped(capsys):
    hint("double")
    hint("double")
    assert max(map(len, printed(capsys).splitlines())) <= 88


def double(x):
    return ...


def twice(x):
    return ...


@pytest.mark.parametrize("key", ["9.1", 9.1, double, twice])
def test_number_and_function_are_understood(key, capsys):
    hint("double")
    hint(key)
    assert "Hint 2 of 3" in printed(capsys)


def test_function_of_another_name_is_taken_by_its_arguments(capsys):
    hint(twice)
    assert printed(capsys).startswith("twice has the arguments of exercise 9.1.\n")


def test_forgotten_name_gives_a_sentence(capsys):
    hint()
    assert printed(capsys).startswith("✘ hint needs the name, the number or the")


def test_unknown_function_gives_a_sentence(capsys):
    hint(lambda a, b: a)
    assert "No exercise asks for a function your_function." in printed(capsys)


@pytest.mark.parametrize("name", ["duoble", "zzz", 3, ["double"]])
def test_unknown_name_gives_the_names(name, capsys):
    hint(name)
    assert '"double"' in printed(capsys)


def test_get_raises_with_the_names():
    with pytest.raises(KeyError, match='"double"'):
        get("duoble")


def test_names_are_listed():
    assert names() == ["double"]
