"""The table of versions and chapters: what fails, what is kept, what is shown."""

import re
import subprocess
import sys

import pytest
from samples import chapter, code

from tools import matrix
from tools.matrix import ROWS, Row, judge, merged, read, write


def printed(*texts):
    """Return a notebook whose cells printed these texts."""
    return chapter(*(code("print()", printed=text) for text in texts))


def test_equal_output_is_a_tick():
    notebook = printed("✔ F1 · it holds · 0.5 < 1\n", "0.125\n")
    assert judge(notebook, notebook, figures=False) == ("✔", "")


def test_another_last_digit_is_a_tick_and_another_number_is_counted():
    stored = printed("0.125\n", "0.125\n", "0.125\n")
    now = printed("0.126\n", "0.225\n", "0.325\n")
    sign, said = judge(stored, now, figures=False)
    assert sign == "≈ 2"
    assert "cell 2" in said and "cell 3" in said and "stored 0.125" in said


@pytest.mark.parametrize("now", ["✔ F2 · it holds · 0.5 < 1\n", "nothing\n"])
def test_a_claim_that_is_missing_is_a_failure(now):
    sign, said = judge(printed("✔ F1 · it holds · 0.5 < 1\n"), printed(now), False)
    assert sign == "✘"
    assert "'F1'" in said


def test_a_cell_that_fails_is_a_failure_and_changes_no_file(tmp_path):
    path = tmp_path / "01-sample.ipynb"
    matrix.nb.write(chapter(code("1 / 0")), path)
    before = path.read_bytes()
    sign, said = matrix.verdict(path, matrix.OwnKernelManager, Row())
    assert sign == "✘"
    assert "ZeroDivisionError" in said
    assert path.read_bytes() == before


def test_the_variables_of_a_row_reach_the_kernel(tmp_path):
    path = tmp_path / "01-sample.ipynb"
    source = "import os; print(os.environ['OMP_NUM_THREADS'])"
    matrix.nb.write(chapter(code(source, printed="2\n")), path)
    verdicts = [
        matrix.verdict(path, matrix.OwnKernelManager, ROWS[f"threads-{n}"])[0]
        for n in (1, 2)
    ]
    assert verdicts == ["≈ 1", "✔"]


def test_a_row_of_other_seeds_changes_them_all_and_keeps_the_claims(tmp_path):
    path = tmp_path / "01-sample.ipynb"
    source = "SEEDS = range(5)\nprint('✔ F1.key · it holds · ' + str(list(SEEDS)))"
    printed = "✔ F1.key · it holds · [0, 1, 2, 3, 4]\n"
    matrix.nb.write(chapter(code(source, printed=printed)), path)
    sign, said = matrix.verdict(path, matrix.OwnKernelManager, ROWS["seeds-100"])
    assert sign == "≈ 1"
    assert "100" in said
    assert matrix.verdict(path, matrix.OwnKernelManager, Row()) == ("✔", "")


def test_a_claim_with_a_key_that_is_missing_is_a_failure():
    stored = printed("✔ F1.one · it holds · 0.5 < 1\n✔ F1.two · it holds · 0.5 < 1\n")
    now = printed("✔ F1.one · it holds · 0.5 < 1\n")
    sign, said = judge(stored, now, False)
    assert sign == "✘"
    assert "F1.two" in said


def test_the_notebooks_run_in_the_python_of_the_row(tmp_path):
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nMARK=here exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    path = tmp_path / "01-sample.ipynb"
    source = "import os; print(os.environ['MARK'])"
    matrix.nb.write(chapter(code(source, printed="here\n")), path)
    manager = matrix.kernels_of(str(python), tmp_path)
    assert matrix.verdict(path, manager, Row("3.12"))[0] == "✔"


def test_a_row_that_cannot_be_installed_says_so_and_stays(monkeypatch, capsys):
    def fail(*arguments):
        raise subprocess.CalledProcessError(1, "uv", stderr="no such version")

    written = []
    monkeypatch.setattr(matrix, "install", fail)
    monkeypatch.setattr(matrix, "write", written.append)
    assert matrix.main(["--rows", "3.10-oldest", "--chapters", "01"]) == 1
    assert re.search(
        "no such version\n3.10-oldest: Python 3.10 .* put that Python on the PATH",
        capsys.readouterr().err,
    )
    assert written == []


def test_a_table_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "matrix.md"
    versions = {"Python": "3.13.1", "numpy": "2.1.3", "torch": "2.11.0"}
    rows = {"colab": {**versions, "01-scaling": "✔"}, "3.10-oldest": versions}
    assert read(path) == {}
    write(rows, path)
    again = read(path)
    assert list(again) == ["3.10-oldest", "colab"]
    assert again["colab"]["01-scaling"] == "✔"
    assert again["colab"]["02-forward"] == "–"
    write(again, path)
    assert read(path) == again


def test_a_row_keeps_its_other_chapters_while_its_versions_stay():
    versions = dict.fromkeys(("Python", *matrix.SHOWN), "1")
    table = {"colab": {**versions, "01-scaling": "✔"}}
    renewed = merged(table, "colab", {**versions, "02-forward": "≈ 1"})
    assert renewed["colab"] == {**versions, "01-scaling": "✔", "02-forward": "≈ 1"}
    other = {**versions, "torch": "2", "02-forward": "✔"}
    assert merged(table, "colab", other) == {"colab": other}


def test_rows_and_chapters_are_checked_before_anything_runs(capsys):
    with pytest.raises(SystemExit):
        matrix.main(["--rows", "colab", "--chapters", "99"])
    assert "must begin like one of 01-scaling, " in capsys.readouterr().err
    with pytest.raises(SystemExit):
        matrix.main(["--rows", "3.9-oldest"])
    assert "invalid choice: '3.9-oldest'" in capsys.readouterr().err
