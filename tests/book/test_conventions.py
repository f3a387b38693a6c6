"""The page on conventions: its tables, and the column that needs PyTorch alone.

The other columns are asked of their libraries by ``make conventions``, whose tests are
in ``tests/conventions``.
"""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bnlib.running import CONVENTIONS, convert_momentum
from tests.conventions import facts, page, questions
from tests.conventions.libraries import ADAPTERS, Library, PyTorch

ROOT = Path(__file__).parents[2]
FACTS = facts.facts()
QUESTIONS = [question for library, question in FACTS if library == "pytorch"]
CELLS = page.cells()


@pytest.mark.parametrize("name", facts.TABLES)
def test_the_page_prints_the_facts(name):
    lines = CELLS[f"table-{name}"].splitlines()
    stored = [line for line in lines if line.startswith("|")]
    assert "\n".join(stored) == facts.table(name)


def test_the_page_names_the_versions_that_are_asked():
    assert facts.versions() in CELLS["tables"]


def test_the_page_is_run_with_the_pytorch_that_is_asked():
    pins = [
        {line for line in path.read_text().splitlines() if line.startswith("torch==")}
        for path in (facts.REQUIREMENTS, facts.REQUIREMENTS.parent / "requirements.txt")
    ]
    assert pins[0] == pins[1] != set()


def test_every_entry_has_a_question_and_a_library_to_ask():
    assert {library for library, _ in FACTS} == {*ADAPTERS} - {"linen"}
    assert all(callable(getattr(questions, question)) for _, question in FACTS)


@pytest.mark.parametrize("question", QUESTIONS)
def test_pytorch_is_as_the_page_says(question):
    assert getattr(questions, question)(PyTorch()) == FACTS["pytorch", question]


class Imitation(Library):
    """A library in NumPy with whatever conventions it is told to have."""

    names = ("weight", "bias", "running_mean", "running_var")

    def __init__(self, told):
        self.told = told

    def step(self, x, channels=None, start=None, eps=None, momentum=None):
        axis = 1 if self.told["axis"] == "1" else x.ndim - 1
        if channels not in (None, x.shape[axis]):
            raise ValueError("these are not the channels")
        x = np.moveaxis(x, axis, -1)
        start = self.running if start is None else start
        share = float(self.told["momentum"]) if momentum is None else momentum
        share = share if self.told["weighs"] == "the new value" else 1 - share
        mean, var = x.mean(axis=tuple(range(x.ndim - 1))), self.variance(x, "stores")
        if len(x) == 1 and self.told["one_value_stored"] == "stays":
            var = start[1]
        after = (
            start[0] + share * (mean - start[0]),
            start[1] + share * (var - start[1]),
        )
        eps = float(self.told["eps"].strip("`")) if eps is None else eps
        return np.moveaxis(self.normalize(x, mean, eps), -1, axis), *after

    def normalize(self, x, mean, eps):
        if len(x) == 1 and self.told["one_value"] == "the input":
            return x
        var = self.variance(x, "normalizes")
        inside = self.told["eps_place"] == "the variance"
        root = np.sqrt(var + eps) if inside else np.sqrt(var) + eps
        return (x - mean) / root

    def variance(self, x, use):
        axes, ddof = tuple(range(x.ndim - 1)), int(self.told[use] != "÷ M")
        if self.told["far"] == "wrong":
            x = x.astype(np.float32)
            return np.maximum((x**2).mean(axes) - x.mean(axes) ** 2, 0)
        return x.var(axes, ddof=ddof * (x[..., 0].size > 1))

    @property
    def running(self):
        return [float(value) for value in self.told["running_start"].split(" and ")]

    def start(self):
        values = self.told["parameter_start"].split(" and ")
        return [np.full(3, value) for value in (*map(float, values), *self.running)]

    def plain_call(self, x):
        return x if self.told["mode"] == "the past" else self.step(x)[0]

    def frozen_step(self, x):
        return self.step(x)[1] * (self.told["frozen"] == "no")


PLAIN = {question: FACTS["pytorch", question] for question in QUESTIONS}
PLAIN |= {"one_value": "zeros", "one_value_stored": "shrinks"}
OTHERWISE = {
    "normalizes": "÷ (M − 1)",
    "stores": "÷ M",
    "weighs": "the old value",
    "eps_place": "the standard deviation",
    "momentum": "0.3",
    "eps": "`1e-2`",
    "running_start": "3 and 4",
    "parameter_start": "2 and 5",
    "axis": "last",
    "mode": "the past",
    "one_value": "the input",
    "one_value_stored": "stays",
    "frozen": "yes",
    "far": "wrong",
}


@pytest.mark.parametrize("question", OTHERWISE)
@pytest.mark.parametrize("told", [PLAIN, OTHERWISE], ids=["plain", "otherwise"])
def test_a_question_finds_the_convention_that_a_library_has(question, told):
    library = Imitation(PLAIN | {question: told[question]})
    assert getattr(questions, question)(library) == told[question]


def test_a_question_fails_if_no_known_convention_fits():
    with pytest.raises(AssertionError, match="which fits nothing"):
        questions.only({"÷ M": 1.0, "÷ (M − 1)": 2.0}, 1.5)
    with pytest.raises(AssertionError, match=r"fits \['a', 'b'\]"):
        questions.only({"a": 1.0, "b": 1.0}, 1.0)


@pytest.mark.parametrize("library", ["pytorch", "keras", "flax", "onnx"])
def test_bnlib_converts_by_the_same_conventions(library):
    weighs, stores = FACTS[library, "weighs"], FACTS[library, "stores"]
    assert CONVENTIONS[library] == (
        weighs.split()[1],
        {"÷ M": "biased", "÷ (M − 1)": "unbiased"}[stores],
    )
    here = float(FACTS[library, "momentum"])
    newest = convert_momentum(here, library, "pytorch")
    assert newest == float(FACTS[library, "newest_weighs"])


def test_here_the_folder_of_make_conventions_is_not_collected():
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q"]
    command += ["--doctest-modules", "tests/conventions"]  # as make test does
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 5, done.stdout + done.stderr  # nothing to run
    assert "test_entries" not in done.stdout
