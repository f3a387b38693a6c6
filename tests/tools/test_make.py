"""What make runs again, in a small tree whose Python only says what it is given."""

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SAYS = '#!/bin/sh\nfor word; do case $word in *.ipynb) echo "ran $word";; esac; done\n'
# The file system counts in steps.
SAYS += "sleep 0.02\n"
SOURCES = [f"book/{name}.ipynb" for name in ("01-a", "02-b", "03-c")]
SOURCES += ["bnlib/norms.py", "bnlib/lab/data.csv", "tools/compare.py", "_config.yml"]
SOURCES += ["pyproject.toml", "requirements.lock", "book/requirements.lock"]
READY = [f".venv/{name}" for name in (".book", ".locked", ".tests")]


class Tree:
    """A folder in which an environment is set up and nothing has run yet."""

    def __init__(self, folder):
        self.folder = folder
        shutil.copy(ROOT / "Makefile", folder)
        (folder / "requirements.txt").write_text("torch==2\n")
        for name in [*SOURCES, ".venv/bin/python", ".venv/bin/uv", *READY]:
            self.change(name)
        self.answer(SAYS)

    def change(self, name):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        time.sleep(0.01)

    def answer(self, script):
        python = self.folder / ".venv/bin/python"
        python.write_text(script)
        python.chmod(0o755)

    def run(self):
        """Return the chapters that are run, and whether all went well."""
        done = subprocess.run(
            ["make", ".venv/.notebooks"],
            cwd=self.folder,
            capture_output=True,
            text=True,
            env={k: v for k, v in os.environ.items() if not k.startswith("MAKE")},
        )
        return re.findall(r"^ran book/(\d\d)", done.stdout, re.M), done.returncode == 0


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path)


def test_a_chapter_is_run_again_when_it_has_changed(tree):
    assert tree.run() == (["01", "02", "03"], True)
    assert tree.run() == ([], True)
    tree.change("book/02-b.ipynb")
    assert tree.run() == (["02"], True)
    assert tree.run() == ([], True)


@pytest.mark.parametrize("name", [*SOURCES[3:], ".venv/.tests"])
def test_all_are_run_again_when_what_they_run_with_has_changed(tree, name):
    tree.run()
    tree.change("book/01-a.ipynb")
    tree.change(name)
    assert tree.run() == (["01", "02", "03"], True)


def test_what_failed_is_run_until_it_passes(tree):
    tree.run()
    tree.change("book/03-c.ipynb")
    tree.answer(f"{SAYS}exit 1\n")
    assert tree.run() == (["03"], False)
    assert tree.run() == (["03"], False)
    tree.answer(SAYS)
    assert tree.run() == (["03"], True)


def test_what_changes_while_they_run_is_run_again(tree):
    tree.answer(f"{SAYS}touch book/02-b.ipynb\n")
    assert len(tree.run()[0]) == 3
    tree.answer(SAYS)
    assert tree.run() == (["02"], True)
    assert tree.run() == ([], True)
