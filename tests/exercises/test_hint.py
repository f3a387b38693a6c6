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
    monkeypatch.setattr(exercises, "_hints_given", {})


def printed(capsys):
    return capsys.readouterr().out


def test_hints_come_one_by_one_and_begin_again(capsys):
    lines = []
    for _ in range(5):
        hint("double")
        lines.append(printed(capsys))
    assert lines[0] == "Hint 1 of 3 · Look at x.\n"
    assert lines[1].startswith("Hint 2 of 3 · Add x to x.")
    assert lines[2] == "Hint 3 of 3 · Return 2 * x.\n"
    assert lines[3] == "That was the last of 3 hints; the next call begins again.\n"
    assert lines[4] == lines[0]


def test_long_hint_is_wrapped(capsys):
    hint("double")
    hint("double")
    assert max(map(len, printed(capsys).splitlines())) <= 88


@pytest.mark.parametrize("name", ["duoble", "zzz", 3, None, ["double"]])
def test_unknown_name_gives_the_names(name, capsys):
    hint(name)
    assert '"double"' in printed(capsys)


def test_get_raises_with_the_names():
    with pytest.raises(KeyError, match='"double"'):
        get("duoble")


def test_names_are_listed():
    assert names() == ["double"]
