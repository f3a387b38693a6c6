"""Printed tables: what they look like as text, as data and as HTML."""

import re
import sys
from html.parser import HTMLParser
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from bnlib.lab import table
from bnlib.lab.table import print_table

ROWS = {
    ("plain", 0.1): ("93.0 ± 0.8", 3e-4, "fails"),
    ("BN <2>", 10): ("8.5 ± 12.25", np.float64(1200), None),
}
HEADS = ("net", "rate", "accuracy, %", "loss:.3g", "at rate 1")


@pytest.fixture
def shown(monkeypatch):
    """Return the tables that a notebook would show."""
    tables = []
    display = SimpleNamespace(display=tables.append)
    ipython = ModuleType("IPython")
    ipython.get_ipython, ipython.display = object, display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    return tables


def test_text_is_aligned_at_points_and_spreads(capsys):
    print_table(ROWS, *HEADS, title="two nets")
    assert capsys.readouterr().out == (
        "two nets\n"
        "net     rate   accuracy, %     loss  at rate 1\n"
        "plain    0.1  93.0 ±  0.8   0.0003   fails\n"
        "BN <2>  10     8.5 ± 12.25  1.2e+03\n"
    )


def test_words_stand_left_and_numbers_right(capsys):
    print_table([("a", 5, "yes"), ("long", 1234, "no")], "name", "count:,", "so")
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["name  count  so", "a         5  yes", "long  1,234  no"]


def test_a_notebook_gets_text_and_the_same_cells_as_data(shown):
    print_table(ROWS, *HEADS)
    bundle = shown[0]._repr_mimebundle_()
    assert bundle["text/plain"] == repr(shown[0])
    data = bundle[table.KIND]
    assert data["labels"] == 2 and "title" not in data
    assert data["heads"] == ["net", "rate", "accuracy, %", "loss", "at rate 1"]
    assert data["rows"][1] == ["BN <2>", "10", "8.5 ± 12.25", "1.2e+03", ""]
    assert repr(table.Table(**data)) == bundle["text/plain"]


class Cells(HTMLParser):
    """The cells of a table: tag, attributes, text."""

    def __init__(self, html):
        super().__init__()
        self.cells, self.open = [], False
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.open = self.open or tag in ("th", "td", "caption")
        if tag in ("th", "td", "caption"):
            self.cells.append([tag, dict(attrs), ""])

    def handle_data(self, data):
        if self.open:
            self.cells[-1][2] += data

    def handle_endtag(self, tag):
        self.open = self.open and tag not in ("th", "td", "caption")


def test_html_has_heads_of_columns_and_of_rows(shown):
    print_table(ROWS, *HEADS, title="two & more")
    caption, *cells = Cells(shown[0].html()).cells
    assert caption == ["caption", {}, "two & more"]
    heads, rows = cells[:5], (cells[5:10], cells[10:])
    assert {cell[1]["scope"] for cell in heads} == {"col"}
    for row, stored in zip(rows, shown[0].rows, strict=True):
        assert [cell[2] for cell in row] == stored, "the text stays as it is"
        assert [cell[0] for cell in row] == ["th", "th", "td", "td", "td"]
        assert {cell[1]["scope"] for cell in row[:2]} == {"row"}
        assert [cell[1].get("class") for cell in row] == [
            None,
            "number",
            "number",
            "number",
            None,
        ]


def test_what_a_number_lacks_is_added_unseen(shown):
    print_table([("a", "9.75 ± 1"), ("b", "8 ± 10")], "name", "value")
    first, second = re.findall(r"<td[^>]*>(.*?)</td>", shown[0].html())
    assert first == '9.75 ± <i data-width="0"></i>1'
    assert second == '8<i data-width=".75"></i> ± 10'


def test_the_page_that_runs_python_gets_html(monkeypatch):
    sent = []
    page = ModuleType("bnlive.cells")
    page.screen = SimpleNamespace(send=lambda *message: sent.append(message))
    monkeypatch.setitem(sys.modules, "bnlive.cells", page)
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    print_table({"a": 1}, "name", "count")
    assert sent == [("table", table.Table(["name", "count"], [["a", "1"]]).html())]


def test_arrays_and_generators_are_rows(shown):
    found = np.array([[1.0, 2.0], [3.0, 4.0]])
    print_table(dict(zip("ab", found, strict=True)), "name", "x:.1f", "y:.0f")
    print_table(({"a": np.array(2.5)}), "name", "x:.1f")
    print_table(((n, n**2) for n in range(2)), "n", "square")
    assert [t.rows for t in shown] == [
        [["a", "1.0", "2"], ["b", "3.0", "4"]],
        [["a", "2.5"]],
        [["0", "0"], ["1", "1"]],
    ]
    assert found[0, 0] == 1


@pytest.mark.parametrize(
    ("rows", "heads", "error", "words"),
    [
        ({"a": 1}, (), TypeError, r"column needs a head, a str, got \(\); name them"),
        ({"a": 1}, ("name", 3), TypeError, r"a str, got \('name', 3\)"),
        ({}, ("name", "x"), ValueError, r"at least one row, got none; print a"),
        (
            {"a": (1, 2)},
            ("name", "x"),
            ValueError,
            r"for each of the 2 heads, got 3 in \['a', 1, 2\]; give None",
        ),
        (
            {"a": [1, [2]]},
            ("name", "x", "y:.2f"),
            ValueError,
            r"must go with the format of its column, got \[2\] for '\.2f'; change",
        ),
    ],
)
def test_what_is_no_table_is_refused_with_a_word_on_why(rows, heads, error, words):
    with pytest.raises(error, match=words):
        print_table(rows, *heads)
