"""What follows a verdict: the reason, what is solved, the next one, an offered hint."""

import io
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from bnlib import exercises
from bnlib.exercises import Case, Exercise, check, get, hint, names, progress
from bnlib.exercises.engine import progress as kept
from bnlib.exercises.engine.checker import diagnose


def exercise(number, name, title, **options):
    return Exercise(
        number=number,
        name=name,
        title=title,
        signature=f"{name}(x)",
        reference=lambda x: 2 * x,
        cases=lambda: [Case((1.0,), "x=1"), Case((3.0,), "x=3")],
        hints=("Look at x.", "Return 2 * x."),
        **options,
    )


def right(x):
    return x + x


def wrong(x):
    return x


def right_solution(x):
    return 2 * x


@pytest.fixture(autouse=True)
def book(monkeypatch):
    """Four exercises, of which no kernel has solved any, and no place to keep them."""
    parts = [
        exercise("1.1", "one", "First", why="Twice x is x and x.", another="x + x"),
        exercise("1.2", "two", "Second?"),
        exercise("2.1", "three", "Third"),
        exercise("P.1", "step", "A step"),
    ]
    monkeypatch.setattr(exercises, "_registry", lambda: {e.name: e for e in parts})
    for counter in ("_hints_given", "_failures"):
        monkeypatch.setattr(exercises, counter, Counter())
    monkeypatch.setattr(kept, "_in_this_kernel", set())
    monkeypatch.setenv(kept.SWITCH, "off")


@pytest.fixture
def home(monkeypatch, tmp_path):
    """A home of one's own, where progress is kept."""
    monkeypatch.delenv(kept.SWITCH)
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("XDG_DATA_HOME", "APPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    return tmp_path


def restart(monkeypatch):
    """What a new kernel knows."""
    monkeypatch.setattr(kept, "_in_this_kernel", set())


def said(capsys, *args, **options):
    check(*args, **options)
    return capsys.readouterr().out


# after a right answer -----------------------------------------------------------------


def test_right_answer_is_followed_by_reason_count_and_next(capsys):
    assert said(capsys, "one", right) == (
        "✔ Exercise 1.1 · right: 2 cases agree to 1e-06.\n"
        "  Twice x is x and x.\n"
        "  Another way to write it:\n"
        "    x + x\n"
        "  Chapter 1: 1 of 2 solved. Next: exercise 1.2, Second?\n"
    )


def test_next_is_the_nearest_that_is_open(capsys):
    assert "Next: exercise 1.1, First." in said(capsys, "two", right)
    assert "Chapter 1: all 2 solved. Next: exercise 2.1" in said(capsys, "one", right)
    assert "Chapter 2: all 1 solved. Next: exercise P.1" in said(capsys, "three", right)
    last = "The project: all 1 solved. These were all exercises of the book.\n"
    assert said(capsys, "step", right).endswith(last)


def test_solution_is_marked_and_does_not_count(capsys):
    solution = "✔ Solution of exercise 1.1 · right: 2 cases agree to 1e-06.\n"
    assert said(capsys, "one", right, strict=True) == solution
    assert said(capsys, "one", right_solution) == solution
    assert kept.solved() == set()
    assert "1 of 2 solved" in said(capsys, "two", right)


@pytest.mark.parametrize("fn", [wrong, lambda x: ..., 3])
def test_what_is_not_right_counts_for_nothing(fn, capsys):
    assert "solved" not in said(capsys, "one", fn)
    assert kept.solved() == set()


def test_every_exercise_of_the_book_says_why(monkeypatch):
    monkeypatch.undo()
    silent = [name for name in names() if not get(name).why]
    assert not silent, "state why, in the exercise or in bnlib/exercises/reasons.py"
    gone = set(exercises.REASONS) - set(names())
    assert not gone, "reasons for exercises that are gone"
    for name in names():
        why = get(name).why
        assert why.endswith(".") and 40 <= len(why) <= 300, why
        assert "$" not in why and "\\" not in why


def test_every_other_way_is_right(monkeypatch):
    monkeypatch.undo()
    torch = pytest.importorskip("torch")
    ways = [get(name) for name in names() if get(name).another]
    assert len(ways) >= 15
    for e in ways:
        assert max(map(len, e.another.splitlines())) <= 84
        code = f"lambda {', '.join(e.arguments)}: (\n{e.another}\n)"
        judged = diagnose(e, eval(code, {"np": np, "torch": torch}))
        assert judged.status == "right", judged.text


def test_verdict_begins_on_a_line_of_its_own(monkeypatch):
    class Stream(io.StringIO):
        @property
        def mid_line(self):
            return not self.getvalue().endswith("\n") and self.tell() > 0

    for before in ("", "text", "text\n"):
        stream = Stream()
        monkeypatch.setattr(sys, "stdout", stream)
        print(before, end="")
        check("one", wrong)
        lines = stream.getvalue().splitlines()
        assert lines[len(before.splitlines())].startswith("✘ Exercise 1.1")


def test_verdict_begins_on_a_line_of_its_own_after_what_an_answer_prints(capsys):
    def chatty(x):
        print("here", end="")
        return 2 * x

    assert said(capsys, "one", chatty).startswith(
        "Case 1 printed:\n  here\nCase 2 printed:\n  here\n✔ Exercise 1.1"
    )


# after several wrong answers ----------------------------------------------------------

OFFER = 'Not yet 3 times in a row: hint("1.1") gives hint 1 of 2.'


def test_next_hint_is_offered_after_the_third_failure_in_a_row(capsys):
    texts = [said(capsys, "one", wrong) for _ in range(3)]
    assert ["in a row" in text for text in texts] == [False, False, True]
    assert texts[2].splitlines()[-1].strip() == OFFER
    hint("one")
    capsys.readouterr()
    texts = [said(capsys, "one", wrong) for _ in range(3)]
    assert ["in a row" in text for text in texts] == [False, False, True]
    assert "gives hint 2 of 2." in texts[2]


def test_a_right_answer_ends_the_row(capsys):
    for fn in (wrong, wrong, right, wrong, wrong):
        assert "in a row" not in said(capsys, "one", fn)


def test_starters_and_other_exercises_do_not_count(capsys):
    for name, fn in [("one", wrong), ("one", lambda x: ...), ("two", wrong)] * 2:
        assert "in a row" not in said(capsys, name, fn)
    assert OFFER in said(capsys, "one", wrong)


def test_after_the_last_hint_the_solution_is_offered(capsys):
    hint("one")
    hint("one")
    for _ in range(3):
        text = said(capsys, "one", wrong)
    assert "All hints were given; the solution is folded below them." in text


# what is kept -------------------------------------------------------------------------


def test_solved_exercises_survive_a_restart(home, monkeypatch, capsys):
    text = said(capsys, "one", right)
    place = home / ".local/share/batch-normalization-measured/solved"
    assert text.endswith(
        "Solved exercises are remembered (BNLIB_PROGRESS=off keeps nothing) in\n"
        f"  {place}\n"
    )
    restart(monkeypatch)
    text = said(capsys, "two", right)
    assert "Chapter 1: all 2 solved." in text
    assert "remembered" not in text  # said once
    assert kept.solved() == {"one", "two"}


def test_nothing_is_kept_or_read_if_switched_off(home, monkeypatch, capsys):
    said(capsys, "one", right)
    restart(monkeypatch)
    for word in ("off", "OFF", "0", "no", " false "):
        monkeypatch.setenv(kept.SWITCH, word)
        assert kept.folder() is None and kept.solved() == set()
    assert "1 of 2 solved" in said(capsys, "two", right)
    assert os.listdir(home / ".local/share" / kept.NAME / "solved") == ["one"]


@pytest.mark.parametrize(
    ("platform", "variables", "place"),
    [
        ("linux", {}, ".local/share"),
        ("linux", {"XDG_DATA_HOME": "{home}/data"}, "data"),
        ("linux", {"XDG_DATA_HOME": "data"}, ".local/share"),
        ("darwin", {"XDG_DATA_HOME": "{home}/data"}, "Library/Application Support"),
        ("win32", {"APPDATA": "{home}/Roaming"}, "Roaming"),
        ("win32", {}, "AppData/Roaming"),
    ],
)
def test_the_folder_is_the_platforms(platform, variables, place, home, monkeypatch):
    monkeypatch.setattr(sys, "platform", platform)
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(home=home))
    assert kept.folder() == home / place / "batch-normalization-measured" / "solved"


def test_without_a_home_or_a_disk_nothing_is_kept(home, monkeypatch):
    monkeypatch.setattr(sys, "platform", "emscripten")
    assert kept.folder() is None
    monkeypatch.setattr(sys, "platform", "linux")

    def homeless():
        raise RuntimeError("no home")

    monkeypatch.setattr(Path, "home", homeless)
    assert kept.folder() is None
    assert kept.remember("one") == "" and kept.solved() == {"one"}


@pytest.mark.parametrize("broken", ["mkdir", "touch"])
def test_a_read_only_disk_is_no_failure(broken, home, monkeypatch, capsys):
    def refuse(*args, **options):
        raise PermissionError("read-only")

    monkeypatch.setattr(Path, broken, refuse)
    text = said(capsys, "one", right)
    assert text.endswith("Chapter 1: 1 of 2 solved. Next: exercise 1.2, Second?\n")
    assert kept.solved() == {"one"}


def test_a_file_where_the_folder_should_be_is_no_failure(home, capsys):
    place = kept.folder()
    place.parent.mkdir(parents=True)
    place.write_text("something else")
    said(capsys, "one", right)
    assert place.read_text() == "something else" and kept.solved() == {"one"}


def test_names_that_are_no_exercises_are_passed_over(home, capsys):
    kept.remember("gone")
    assert "Chapter 1: 1 of 2 solved" in said(capsys, "one", right)
    progress()
    assert "1 of 4 solved." in capsys.readouterr().out


def test_kernels_at_once_lose_nothing(tmp_path):
    code = (
        "import sys\n"
        "from bnlib.exercises.engine.progress import remember\n"
        "for i in range(200): remember(f'{sys.argv[1]}{i}')"
    )
    env = os.environ | {kept.SWITCH: "", "XDG_DATA_HOME": str(tmp_path)}
    env |= {"APPDATA": str(tmp_path), "HOME": str(tmp_path)}
    runs = [
        subprocess.Popen([sys.executable, "-c", code, name], env=env) for name in "ab"
    ]
    assert [run.wait() for run in runs] == [0, 0]
    found = [path.name for path in tmp_path.rglob("solved/*")]
    assert sorted(found) == sorted(f"{name}{i}" for name in "ab" for i in range(200))


# where a page keeps it ----------------------------------------------------------------


@pytest.fixture
def browser(home, monkeypatch):
    """Nothing can be kept in a folder."""
    monkeypatch.setattr(sys, "platform", "emscripten")


def test_a_page_hands_over_what_was_solved_and_reads_what_is_new(browser, capsys):
    kept.restore(["two", "gone"])
    text = said(capsys, "one", right)
    assert text.endswith("Chapter 1: all 2 solved. Next: exercise 2.1, Third.\n")
    assert kept.solved() - {"two", "gone"} == {"one"}
    progress()
    text = capsys.readouterr().out
    assert "2 of 4 solved. Next: exercise 2.1" in text and "Kept" not in text


def test_what_a_page_forgets_is_not_solved_any_more(browser, capsys):
    kept.restore(iter(["one", "two"]))
    kept.restore([])
    assert kept.solved() == set()
    assert "1 of 2 solved" in said(capsys, "one", right)


def test_restoring_leaves_the_folder_as_it_is(home, capsys):
    said(capsys, "one", right)
    kept.restore(["two"])
    assert kept.solved() == {"one", "two"}
    assert os.listdir(kept.folder()) == ["one"]


@pytest.mark.parametrize("names", ["one", [1], ["two", None], 3])
def test_what_is_no_list_of_names_is_refused(browser, names):
    kept.restore(["two"])
    with pytest.raises(TypeError, match="several texts, .* pass a list"):
        kept.restore(names)
    assert kept.solved() == {"two"}


# progress -----------------------------------------------------------------------------


def test_progress_is_a_table_of_all(capsys):
    said(capsys, "two", right)
    progress()
    assert capsys.readouterr().out == (
        "Chapter 1: 1 of 2\n"
        "  ○ 1.1  First\n"
        "  ✔ 1.2  Second?\n"
        "Chapter 2: 0 of 1\n"
        "  ○ 2.1  Third\n"
        "The project: 0 of 1\n"
        "  ○ P.1  A step\n"
        "1 of 4 solved. Next: exercise 1.1, First.\n"
    )


def test_progress_says_where_it_is_kept(home, capsys):
    progress()
    assert capsys.readouterr().out.endswith(f"Kept in {kept.folder()}\n")
