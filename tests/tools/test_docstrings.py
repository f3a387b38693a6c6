"""The check of docstrings: what it finds, what it leaves alone; it imports nothing."""

import sys

import pytest

from tools import docstrings

GOOD = '''\
"""A room that must not be imported."""

import a_library_that_is_not_there

__all__ = ["Pair", "half"]


def half(x):
    """Return half of a number.

    Parameters
    ----------
    x : float
        A number.

    Returns
    -------
    float
        Half of it.

    Raises
    ------
    ValueError
        If it is infinite.

    Examples
    --------
    >>> half(3.0)
    1.5
    """

    def check():
        if x == float("inf"):
            raise ValueError("too large")

    return x / 2


class Pair:
    """Two numbers.

    Parameters
    ----------
    a, b : float
        The numbers.

    Examples
    --------
    >>> Pair(1.0, 2.0).a
    1.0
    """

    a: float
    b: float

    @property
    def sum(self):
        """Their sum."""


def _private(x):
    return x


def helper(x):
    """Do something."""
'''


def package(folder, text, name="room.py", door=""):
    """Make a package of one room, and return its folder."""
    house = folder / "house"
    house.mkdir()
    (house / "__init__.py").write_text(door, encoding="utf8")
    (house / name).write_text(text, encoding="utf8")
    return house


def test_what_is_complete_passes_and_nothing_is_imported(tmp_path, capsys):
    assert docstrings.main(package(tmp_path, GOOD)) == 0
    assert capsys.readouterr().err == ""
    assert "a_library_that_is_not_there" not in sys.modules


@pytest.mark.parametrize(
    "old, new, fault",
    [
        ("x : float\n        A", "y : float\n        A", "PR01 half: Parameters {'x'}"),
        (
            "x : float\n        A",
            "x\n        A",
            'PR04 half: Parameter "x" has no type',
        ),
        (
            "Returns\n    -------\n    float\n        Half of it.\n\n    ",
            "",
            "RT01 half",
        ),
        ("Examples\n    --------\n    >>> half(3.0)\n    1.5\n    ", "", "EX01 half"),
        ("    >>> Pair(1.0, 2.0).a\n    1.0\n", "", "EX01 Pair"),
        (
            "    ValueError\n",
            "    TypeError\n",
            "half: Raises does not name ValueError",
        ),
        ("Return half of", "Returns half of", "SS05 half"),
        ("Two numbers.\n", "Two numbers\n", "SS03 Pair"),
        ('"""Their sum."""', '"""their sum"""', "SS02 Pair"),
    ],
)
def test_a_fault_is_told_with_its_place(tmp_path, capsys, old, new, fault):
    assert GOOD.count(old) == 1
    assert docstrings.main(package(tmp_path, GOOD.replace(old, new))) == 1
    said = capsys.readouterr().err
    assert fault in said
    assert said.startswith(f"{tmp_path / 'house' / 'room.py'}:")


def test_a_name_that_the_package_passes_on_is_promised_too(tmp_path, capsys):
    house = package(tmp_path, GOOD, door='__all__ = ["helper"]\n')
    assert docstrings.main(house) == 1
    assert "PR01 helper: Parameters {'x'} not documented" in capsys.readouterr().err


def test_names_of_inner_rooms_are_not_promised(tmp_path):
    text = GOOD.replace("x : float", "x")
    assert docstrings.main(package(tmp_path, text, docstrings.INNER[0])) == 0
