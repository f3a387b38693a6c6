"""The Python side of a page that runs, as far as it does not need the browser."""

import doctest
import sys

import pytest

from tests.site.course import ROOT

sys.path.insert(0, str(ROOT / "live"))
from bnlive import names, output

sys.path.remove(str(ROOT / "live"))


@pytest.mark.parametrize("module", [names, output])
def test_examples_run(module):
    result = doctest.testmod(module)
    assert result.attempted > 0 and result.failed == 0


IMPORTS = """import copy
import os.path
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from bnlib import check, hint
from bnlib.lab import data as digits

np.seterr(all="ignore")
"""


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        ("def f(x):\n    return np.mean(x)", ["import numpy as np"]),
        ("check('a', f)", ["from bnlib import check"]),
        ("F.relu", ["from torch.nn import functional as F"]),
        (
            "os.path.join(digits)",
            ["import os.path", "from bnlib.lab import data as digits"],
        ),
        ("numpy = torchvision = 1", []),
        ("def f(x:", []),
        ("", []),
    ],
)
def test_an_answer_gets_the_imports_that_it_uses(code, lines):
    assert names.imports_for(IMPORTS, code).splitlines() == lines


def test_an_import_cell_that_is_no_python_gives_nothing():
    assert names.imports_for("import (", "np.ones(3)") == ""


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("x, (y, *z) = 1, (2, 3)", {"x", "y", "z"}),
        ("import os.path\nfrom math import pi as p", {"os", "p"}),
        ("def f(a):\n    b = a\n    return b\n\n\nclass C:\n    d = 1", {"f", "C"}),
        (
            "for i in range(3):\n    with open('x') as file:\n        n = i",
            {"i", "file", "n"},
        ),
        ("print(x)\nx.y = 1\nx[0] = 2", set()),
        ("if (n := 3):\n    n += 1", {"n"}),
    ],
)
def test_names_that_a_cell_binds(code, found):
    assert names.bound(code) == found


class Page:
    """What arrives at the page, and a clock that moves when it is told to."""

    def __init__(self, monkeypatch):
        self.got, self.now = [], 100.0
        monkeypatch.setattr(output.time, "monotonic", lambda: self.now)
        self.stream = output.Stream(lambda *message: self.got.append(message))


@pytest.fixture
def page(monkeypatch):
    return Page(monkeypatch)


def test_text_goes_out_in_whole_lines_and_not_too_often(page):
    print("first", file=page.stream)
    assert page.got == [("text", "first\n")]
    for number in range(1000):
        print(number, file=page.stream)
    assert len(page.got) == 1
    page.now += 2 * output.OFTEN
    page.stream.write("half")
    assert len(page.got) == 1
    page.stream.write(" and half\n")
    assert page.got[1][1].endswith("999\nhalf and half\n")
    page.stream.flush()
    assert len(page.got) == 2


def test_of_a_flood_the_end_is_shown(page):
    for number in range(10_000):
        print("line", number, file=page.stream)
    page.stream.send("figure", "a picture")
    (_, text), figure = page.got[-2:]
    assert figure == ("figure", "a picture")
    assert text.startswith(output.CUT) and text.endswith("line 9999\n")
    assert sum(len(text) for _, text in page.got) <= output.MOST + 2 * output.LAST
