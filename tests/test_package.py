"""The package as a whole: what it imports, what it documents, what it promises."""

import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import tomllib
from numpydoc.validate import validate
from packaging.requirements import Requirement

import bnlib

ROOT = Path(bnlib.__file__).parents[1]
NUMPY_PART = [
    "bnlib",
    "bnlib.scaling",
    "bnlib.norms",
    "bnlib.running",
    "bnlib.lab.claims",
    "bnlib.lab.data",
    "bnlib.lab.explore",
]
DOCUMENTED = [
    "bnlib",
    "bnlib.scaling",
    "bnlib.norms",
    "bnlib.running",
    "bnlib.modules",
    "bnlib.nn",
    "bnlib.nn.layers",
    "bnlib.nn.variants",
    "bnlib.nn.sync",
    "bnlib.nn.statistics",
    "bnlib.fold",
    "bnlib.fold.model",
    "bnlib.fold.pair",
    "bnlib.slimming",
    "bnlib.slimming.pruning",
    "bnlib.slimming.wiring",
    "bnlib.slimming.constants",
    "bnlib.slimming.size",
    "bnlib.lab.claims",
    "bnlib.lab.data",
    "bnlib.lab.doctor",
    "bnlib.lab.ensemble",
    "bnlib.lab.explore",
    "bnlib.lab.launch",
    "bnlib.lab.models",
    "bnlib.lab.plot",
    "bnlib.lab.probe",
    "bnlib.lab.train",
]
CODES = {"GL08", "PR01", "PR02", "RT01"}  # no docstring; parameters; returns


@pytest.mark.parametrize("module", NUMPY_PART)
def test_numpy_part_runs_with_torch_and_matplotlib_blocked(module):
    code = (
        "import sys; sys.modules.update(torch=None, matplotlib=None)\n"
        f"import importlib; importlib.import_module({module!r})\n"
        "import numpy as np, bnlib\n"
        "from bnlib.exercises import get, names\n"
        "y, cache = bnlib.batch_norm(np.arange(6.0).reshape(3, 2))\n"
        "bnlib.backward(y, cache)\n"
        "first = [n for n in names() if get(n).number[:2] in ('1.', '2.', '3.')]\n"
        "for name in first: bnlib.check(name, lambda *a: ...)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr


PUBLIC = [f"{m}.{name}" for m in DOCUMENTED for name in import_module(m).__all__]


@pytest.mark.parametrize("path", PUBLIC)
def test_docstrings_are_complete(path):
    module, name = path.rsplit(".", 1)
    item = getattr(import_module(module), name)
    if not callable(item):
        assert name == "COLORS"
        return
    errors = [e for e in validate(path)["errors"] if e[0] in CODES]
    assert not errors
    assert inspect.getdoc(item)


def test_public_names_are_few_and_importable():
    assert len(bnlib.__all__) <= 25
    assert all(hasattr(bnlib, name) for name in bnlib.__all__)
    assert sorted(bnlib.__all__) == bnlib.__all__


def test_dependencies_have_lower_bounds_only():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["project"]
    lines = project["dependencies"] + project["optional-dependencies"]["torch"]
    bounds = [Requirement(line).specifier for line in lines]
    assert len(bounds) > 3
    assert {each.operator for bound in bounds for each in bound} == {">="}
    assert all(len(bound) == 1 for bound in bounds)
