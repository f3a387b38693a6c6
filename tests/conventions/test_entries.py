"""Each entry of the page's tables, asked of the library itself."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conventions import questions
from tests.conventions.facts import facts
from tests.conventions.libraries import adapter

FACTS = facts()
FLAX = [question for library, question in FACTS if library == "flax"]
BACKEND = os.environ["KERAS_BACKEND"]


def measured(library, question):
    """Return an entry as the library has it."""
    return getattr(questions, question)(adapter(library))


@pytest.mark.parametrize("library, question", FACTS, ids=[f"{a}-{b}" for a, b in FACTS])
def test_entry(library, question):
    expected = FACTS[library, question]
    if (library, question) == ("keras", "far") and BACKEND != "torch":
        expected = "right"  # as the page says below the table
    assert measured(library, question) == expected


@pytest.mark.parametrize("question", [name for name in FLAX if name != "mode"])
def test_the_older_interface_of_flax_agrees(question):
    assert measured("linen", question) == FACTS["flax", question]


def test_the_older_interface_of_flax_wants_to_be_told_the_mode():
    with pytest.raises(ValueError, match='"use_running_average" must be passed'):
        measured("linen", "mode")


if BACKEND == "torch":  # the runs that this test starts do not start more

    @pytest.mark.parametrize("backend", ["tensorflow", "jax"])
    def test_keras_agrees_on_another_backend(backend):
        settings = Path(__file__).with_name("conventions.ini")
        command = [sys.executable, "-m", "pytest", "-c", settings, __file__]
        command += ["-k", "test_entry and keras-"]
        env = os.environ | {"KERAS_BACKEND": backend}
        done = subprocess.run(command, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "16 passed" in done.stdout
