"""What somebody needs who runs one unit test: not nbval, no browser, no other tool."""

import subprocess
from pathlib import Path

import pytest

from tools.colab import closure, environment

ROOT = Path(__file__).parents[2]
ALONE = ["pytest", "hypothesis", "numpy"]


@pytest.mark.parametrize(
    "packages, arguments",
    [
        (ALONE, ["tests/test_scaling.py"]),
        ([*ALONE, "torch"], ["tests/test_norms.py", "--collect-only"]),
    ],
    ids=["scaling", "norms"],
)
def test_one_unit_test_runs_without_the_tools_of_the_others(
    tmp_path, monkeypatch, packages, arguments
):
    monkeypatch.delenv("PYTHONPATH", raising=False)
    python = environment(tmp_path / "venv", closure(packages))
    done = subprocess.run(
        [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
