"""The runner of the planted bugs: what it calls killed, surviving and stale."""

import pytest

from tests.mutants import runner
from tests.mutants.mutant import Mutant

SOURCE = "def double(x):\n    return x + x\n\n\ndef sign(x):\n    return x > 0\n"
TESTS = (
    "from pack import double, sign\n\n\ndef test_both():\n    assert double(3) == 6\n"
)
TESTS += "    assert sign(1)\n"

KILLED = Mutant("P1", "pack.py", "return x + x", "return x * x", "test_pack.py")
SURVIVING = Mutant("P2", "pack.py", "x > 0", "x >= 0", "test_pack.py")
STALE = Mutant("P3", "pack.py", "return x", "return 2", "test_pack.py")
GONE = Mutant("P4", "pack.py", "return y", "return 2", "test_pack.py")
HOLLOW = Mutant("P5", "pack.py", "x > 0", "x < 0", "test_pack.py -k nothing")
BROKEN = Mutant("P6", "pack.py", "return x + x", "return x x", "test_pack.py")


@pytest.fixture
def package(tmp_path):
    """A package of two functions, one of which is tested at one point only."""
    (tmp_path / "pack.py").write_text(SOURCE)
    (tmp_path / "test_pack.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return tmp_path


def run(package, *mutants, names=()):
    return runner.main([*names, "--workers", "1"], {"pack": [*mutants]}, package)


def test_a_survivor_is_shown_and_fails_the_run(package, capsys):
    assert run(package, KILLED, SURVIVING) == 1
    shown = capsys.readouterr().out.splitlines()
    assert shown == [
        "pack               1 of   2 killed",
        "all                1 of   2 killed",
        "survived: P2 in pack.py",
        "- x > 0",
        "+ x >= 0",
    ]
    assert (package / "pack.py").read_text() == SOURCE
    assert {path.name for path in package.iterdir()} == {
        "pack.py",
        "test_pack.py",
        "pytest.ini",
    }


def test_killed_bugs_pass_also_where_the_module_cannot_be_read(package, capsys):
    assert run(package, KILLED, BROKEN) == 0
    assert "2 of   2 killed" in capsys.readouterr().out


def test_a_bug_that_cannot_be_planted_fails_the_run(package, capsys):
    assert run(package, KILLED, STALE, GONE) == 1
    shown = capsys.readouterr().out
    assert "P3: its old text must occur once in pack.py, got 2 times" in shown
    assert "P4: its old text must occur once in pack.py, got 0 times" in shown
    assert "P1" not in shown


def test_tests_that_fail_without_a_bug_prove_nothing(package, capsys):
    (package / "test_pack.py").write_text(TESTS.replace("== 6", "== 7"))
    assert run(package, KILLED) == 1
    shown = capsys.readouterr().out
    assert "these fail without any bug: ['test_pack.py']" in shown


def test_no_test_at_all_proves_nothing(package, capsys):
    assert run(package, HOLLOW) == 1
    assert "pytest test_pack.py -k nothing ran no test" in capsys.readouterr().out


def test_rooms_and_bugs_can_be_chosen_by_name(package, capsys):
    assert run(package, KILLED, SURVIVING, names=["P1"]) == 0
    assert "1 of   1 killed" in capsys.readouterr().out
    with pytest.raises(SystemExit, match=r"is called \['P9'\]"):
        run(package, KILLED, names=["P9"])


def test_tests_that_hang_do_not_pass(package, monkeypatch):
    monkeypatch.setattr(runner, "SECONDS", 1)
    (package / "pack.py").write_text("while True:\n    pass\n")
    assert not runner.passes(package, "test_pack.py")


def test_the_lists_of_this_course_can_be_planted_and_have_names_of_their_own():
    found = runner.rooms()
    mutants = [mutant for room in found.values() for mutant in room]
    names = [mutant.name for mutant in mutants]
    assert len(set(names)) == len(names) > 40
    assert all(mutant.old != mutant.new for mutant in mutants)
    assert runner.stale(mutants, runner.ROOT) == []
