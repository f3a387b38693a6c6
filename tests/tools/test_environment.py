"""What somebody needs who runs one test: none of the tools of the others."""

import subprocess
from pathlib import Path

import pytest

from tools.colab import closure, environment
from tools.stamp_address import chapters

ROOT = Path(__file__).parents[2]
ALONE = ["pytest", "hypothesis", "numpy"]
NBVAL = ["pytest", "nbval", "ipykernel", "pillow", "numpy"]
ONE_CHAPTER = ["-p", "tools.nbval_plus", "--nbval", "--nbval-current-env"]
ONE_CHAPTER += [str(chapters()[0]), "--collect-only"]


@pytest.mark.parametrize(
    "packages, arguments",
    [
        (ALONE, ["tests/test_scaling.py"]),
        ([*ALONE, "torch"], ["tests/test_norms.py", "--collect-only"]),
        (NBVAL, ONE_CHAPTER),
    ],
    ids=["scaling", "norms", "chapter"],
)
def test_one_test_runs_without_the_tools_of_the_others(
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
