"""The locks hold all of an environment, and what the short lists ask for."""

import re
from importlib import metadata
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement

from tools.lock import LISTS, lock_of, pins, without_torch

ROOT = Path(__file__).parents[2]
TORCH = {"torch", "triton"}
each_list = pytest.mark.parametrize("source", LISTS)


def text(name):
    """Return a file of the repository."""
    return (ROOT / name).read_text(encoding="utf-8")


def listed(source):
    """Return what a short list asks for, with the lists it includes."""
    asked = pins(text(source))
    for inner in re.findall(r"^-r (\S+)", text(source), re.MULTILINE):
        asked |= listed(inner)
    return asked


@each_list
def test_a_lock_satisfies_its_list(source):
    asked, locked = listed(source), pins(text(lock_of(source)))
    asked.pop("torch", None)
    assert asked
    assert {name: locked.get(name) for name in asked} == asked


@each_list
def test_every_entry_of_a_lock_has_hashes_and_no_index(source):
    lock = text(lock_of(source))
    entries = re.split(r"(?m)^(?=[\w.-]+==)", lock)[1:]
    assert len(entries) >= len(pins(lock)) > 10  # some have two, for two Pythons
    assert all("--hash=sha256:" in entry for entry in entries)
    assert "://" not in lock


@each_list
def test_torch_and_cuda_are_not_locked(source):
    locked = pins(text(lock_of(source)))
    cuda = [name for name in locked if name.startswith(("nvidia-", "cuda-"))]
    assert TORCH.isdisjoint(locked)
    assert cuda == []


def test_the_locks_agree():
    whole = pins(text(lock_of(LISTS[0])))
    for source in LISTS[1:]:
        part = pins(text(lock_of(source)))
        assert {name: whole.get(name) for name in part} == part


def test_only_torch_and_cuda_are_left_out():
    entry = "{}==1.0 ; sys_platform == 'linux' \\\n    --hash=sha256:ab\n"
    names = ["numpy", "nvidia-cudnn-cu13", "torch", "torch-pruning", "triton"]
    kept = without_torch("".join(map(entry.format, names)))
    assert list(pins(kept)) == ["numpy", "torch-pruning"]


def locked_here():
    """Return the locked versions that apply to this Python and system."""
    pattern = r"^([\w.-]+)==([\w.+!]+)(?: ; (.*?))? \\$"
    found = re.findall(pattern, text("requirements.lock"), re.MULTILINE)
    return {
        re.sub(r"[-_.]+", "-", name).lower(): version
        for name, version, marker in found
        if not marker or Marker(marker).evaluate()
    }


def test_the_tests_run_in_the_locked_environment():
    locked = locked_here()
    assert {name: metadata.version(name) for name in locked} == locked


def test_the_lock_is_complete():
    """Nothing is resolved when it is installed, so nothing may be missing."""
    locked = locked_here()
    for name in locked:
        for line in metadata.requires(name) or []:
            needed = Requirement(line)
            if needed.marker and not needed.marker.evaluate({"extra": ""}):
                continue
            key = re.sub(r"[-_.]+", "-", needed.name).lower()
            assert key in locked or key in TORCH, f"{name} needs {line}"
