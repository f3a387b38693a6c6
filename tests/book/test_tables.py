"""Printed tables become tables of the page, and long lines of code can be broken."""

import html
import re

import pytest
from nbformat import v4

from bnlib.lab import table
from tests.book import tiny_book

LONG = 'def f(x):\n    return [value for value in x if value > 0 and "a<b" not in x]\n'
ROWS = [["a <b", "1.5 ± 0.2"], ["b", "12 ± 10"]]


def cell(source, *bundles):
    outputs = [v4.new_output("display_data", bundle) for bundle in bundles]
    printed = v4.new_output("stream", text="before\n", name="stdout")
    return v4.new_code_cell(source, execution_count=1, outputs=[printed, *outputs])


@pytest.fixture(scope="module")
def printed():
    return table.Table(["name", "loss"], ROWS, title="two nets")


@pytest.fixture(scope="module")
def book(tmp_path_factory, printed):
    bundle = printed._repr_mimebundle_()
    pages = {
        "first.ipynb": [
            v4.new_markdown_cell(f"# First\n\n```python\n{LONG}```"),
            cell(LONG, bundle),
        ],
        "text.ipynb": [v4.new_markdown_cell("# Text"), cell("1", {"text/plain": "2"})],
    }
    return tiny_book.build(tmp_path_factory.mktemp("tables"), pages)


def test_nothing_is_complained_of(book):
    assert book.warnings == []


def test_the_table_stands_in_the_page_as_it_was_made(book, printed):
    page = book.page("first")
    assert page.count(printed.html()) == 1
    assert "two nets" in printed.html() and repr(printed) not in html.unescape(page)
    assert page.index("before") < page.index(printed.html())
    assert "course-results" not in book.page("text")


def test_a_long_line_knows_where_it_begins(book):
    page = book.page("first")
    blocks = re.findall(
        r'<div class="highlight"><pre[^>]*>(.*?)</pre>', page, re.DOTALL
    )
    code = [block for block in blocks if "value" in block]
    assert len(code) == 2
    for block in code:
        (line,) = re.findall(
            r'<span class="long-line" style="--at:4">(.*?)\n</span>', block
        )
        assert block.count("long-line") == 1
        text = html.unescape(re.sub(r"<[^>]+>", "", block))
        assert text.strip("\n") == LONG.strip("\n"), "what is copied has no breaks"
        assert line.count("<span") == line.count("</span>")


def test_other_builders_print_the_text(printed):
    from coursesite.tables import Tables
    from coursesite.tables import printed as made_with

    names = {name for name, kind, _ in Tables.mime_priority_overrides}
    assert {kind for _, kind, _ in Tables.mime_priority_overrides} == {table.KIND}
    assert "html" in names and not names & {"latex", "text", "linkcheck"}
    assert made_with().Table(**printed.data()).html() == printed.html()
