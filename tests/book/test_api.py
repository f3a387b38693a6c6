"""The reference: entries from docstrings, where names are used, nothing imported."""

import ast
import builtins
import doctest
import re
import sys

import pytest

from tests.book.tiny_book import ROOT, build
from tests.tools.samples import code, text
from tools.docstrings import INNER

from coursesite import api, uses  # isort: skip  (tiny_book says where it is)

# The package -------------------------------------------------------------------------

PAGES = sorted((ROOT / "book" / "api").glob("*.rst"))
DIRECTIVE = re.compile(r"(?m)^\.\. course-api:: (\S+)$(?:\n   :only: (.+))?")
SHOWN = {
    module: only.split()
    for page in PAGES
    for module, only in DIRECTIVE.findall(page.read_text("utf8"))
}
BNLIB = api.load(ROOT, "bnlib")


def room(path):
    """Return a module of the package by its full name."""
    return BNLIB[path.partition(".")[2]] if "." in path else BNLIB


ENTRIES = {
    f"{module}.{name}": item
    for module, only in SHOWN.items()
    for name, item in api.public(room(module)).items()
    if not only or name in only
}
each_entry = pytest.mark.parametrize("path", ENTRIES)
# Besides the names of its module an example uses these, and what it makes itself.
AT_HAND = {"np", "torch", *dir(builtins)}


def test_each_public_name_is_on_one_page():
    directives = "".join(page.read_text("utf8") for page in PAGES)
    assert len(SHOWN) == directives.count(".. course-api:: ")
    promised = {
        item.canonical_path
        for module in modules(BNLIB)
        if not module.filepath.as_posix().endswith(INNER)
        for item in api.public(module).values()
    }
    assert promised == {item.canonical_path for item in ENTRIES.values()}
    assert len(promised) == len(ENTRIES) > 80


def modules(package):
    """Yield a package and all modules in it."""
    yield package
    for inner in package.modules.values():
        yield from modules(inner)


@each_entry
def test_an_example_uses_what_a_reader_has(path):
    item = ENTRIES[path]
    if item.is_attribute:
        assert str(item.value).startswith("{"), "the value of a constant is its example"
        return
    lines = "\n".join(api.docstring(item)["Examples"])
    examples = doctest.DocTestParser().get_examples(lines)
    source = ast.parse("".join(example.source for example in examples))
    module = room(path.rpartition(".")[0])
    shown = {item.name, *(link.split("`")[1] for link in api.givers(module, item.name))}
    assert shown & set(re.findall(r"\w+", lines)), "or what it comes from"
    unknown = {node.id for node in names(source)} - AT_HAND - set(module.exports)
    assert unknown <= bound(source)


def names(tree):
    return [node for node in ast.walk(tree) if isinstance(node, ast.Name)]


def bound(tree):
    """Return the names that a piece of code makes for itself."""
    found = {node.id for node in names(tree) if isinstance(node.ctx, ast.Store)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= {name.asname or name.name for name in node.names}
        elif isinstance(node, ast.FunctionDef | ast.ExceptHandler):
            found.add(node.name)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
    return found


# The pages ---------------------------------------------------------------------------

ROOM = '''\
"""What the room is for."""

import sample.that_is_not_there

__all__ = ["LIMIT", "Result", "Wrong", "scale"]
LIMIT = {"low": 1}


class Wrong(ValueError):
    """The number is wrong."""


class Result:
    """What :func:`scale` returns.

    Parameters
    ----------
    value : float
        The number.
    """

    def __init__(self, value):
        self.value = value

    @property
    def half(self):
        """Half of the number."""

    def add(self, other=1):
        """Add to it.

        Returns
        -------
        float
            The sum.
        """

    def forward(self):
        """Do what nobody calls."""


def scale(x, factor=1e-5, *more, at_once: bool = True, **options):
    """Scale a number.

    Parameters
    ----------
    x : ndarray of shape (N, *spatial) or ``*x``
        A number.
    **options : optional
        Others.

    Returns
    -------
    Result
        It.

    Raises
    ------
    Wrong, TypeError
        If it is wrong.

    References
    ----------
    Somebody (1950),
    page 3. https://example.org/paper
    Their code, https://example.org/code.

    Notes
    -----
    Nothing.

    Examples
    --------
    >>> scale(2.0)
    4.0
    """
'''
DOOR = '"""The door."""\nfrom sample.room import scale\n__all__ = ["scale"]\n'
CHAPTER = [
    text("# Chapter 1: One\n\n## First\n\nHere `scale(x)` is a *word*.\n"),
    code("from sample import scale as times"),
    text("## Second\n\n`times` and `times` and `sample.room.Wrong`; `other`.\n"),
    code("%matplotlib inline\ny = times(3.0).value"),
    text("## Third\n\nAgain `times`.\n"),
    code("times(4.0)"),
]


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    pages = {
        "api.rst": "Sample\n======\n\n.. course-api:: sample.room\n",
        "one.ipynb": CHAPTER,
        "two.ipynb": [text("# Two"), code("import sample.room as r\nr.LIMIT['low']")],
        "sample/__init__.py": DOOR,
        "sample/room.py": ROOM,
    }
    return build(tmp_path_factory.mktemp("api"), pages)


@pytest.fixture(scope="module")
def entries(book):
    """Return the HTML of each entry."""
    parts = re.split(r'<section class="api" id="', book.page("api"))[1:]
    return {part.partition('"')[0]: part for part in parts}


def plain(html):
    spaced = re.sub(r'<(/?d[tdl]|p|span class="classifier")', r" \g<0>", html)
    return " ".join(re.sub(r"<[^>]+>", "", spaced).replace("¶", "").split())


def test_nothing_is_imported_and_nothing_is_warned_of(book):
    assert book.warnings == []
    assert not [name for name in sys.modules if name.startswith("sample.room")]


def test_every_name_has_an_entry_in_the_order_of_the_module(book, entries):
    names = ["LIMIT", "Result", "Wrong", "scale"]
    assert list(entries) == [f"sample.room.{name}" for name in names]
    assert "What the room is for." in book.page("api")
    assert "(in sample.room)" in book.page("genindex")


def test_an_entry_has_signature_types_source_example_and_import(entries):
    said = plain(entries["sample.room.scale"])
    for part in (
        "scale(x, factor=1e-5, *more, at_once=True, **options)",
        "x ndarray of shape (N, *spatial) or *x A number.",
        "**options optional Others.",
        "Returns: Result It.",
        "Raises: Wrong, TypeError If it is wrong.",
        "Source: Somebody (1950), page 3 Their code Import",
        "Import: from sample import scale",
        "Note Nothing. Example &gt;&gt;&gt; scale(2.0) 4.0",
    ):
        assert part in said, part
    for address in ("paper", "code"):
        assert f'href="https://example.org/{address}"' in entries["sample.room.scale"]


def test_what_a_class_has_is_shown_but_for_what_nobody_calls(entries):
    said = plain(entries["sample.room.Result"])
    assert "class sample.room.Result(value)" in said
    assert "property half Half of the number." in said
    assert "add(other=1) Add to it. Returns: float The sum." in said
    assert "forward" not in said
    assert 'id="sample.room.Result.add"' in entries["sample.room.Result"]


def test_results_and_errors_say_where_they_come_from(entries):
    for name in ("Result", "Wrong"):
        assert "Comes from: scale()" in plain(entries[f"sample.room.{name}"])
    assert "exception sample.room.Wrong" in plain(entries["sample.room.Wrong"])
    assert "Comes from" not in entries["sample.room.scale"]


def test_names_in_docstrings_are_links(entries):
    assert 'href="#sample.room.scale"' in entries["sample.room.Result"]


def test_an_entry_leads_to_the_first_use_on_each_page(entries):
    used = {name: part.split("Used in")[1] for name, part in entries.items()}
    assert 'href="one.html#second"><span>Chapter 1</span>' in used["sample.room.scale"]
    assert 'href="two.html#two"><span>Two</span>' in used["sample.room.LIMIT"]
    assert 'href="one.html#second"' in used["sample.room.Wrong"], "named in the text"
    assert "no page by its name" in used["sample.room.Result"]


def test_a_name_in_the_text_leads_to_its_entry_once_in_a_section(book):
    page = book.page("one")
    link = 'href="api.html#sample.room.{}"><code'
    assert page.count(link.format("scale")) == 2  # in the second and the third section
    assert page.count(link.format("Wrong")) == 1
    first = page.partition('id="second"')[0]
    assert "api.html#" not in first.partition("<article")[2], "scale is not imported"


# Names in code -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "cells, used",
    [
        (["from a.b import c", "c(1)"], ["a.b.c"]),
        (["from a.b import c"], []),
        (["import a.b", "a.b.c(1)"], ["a.b.c", "a.b", "a"]),
        (["import a.b as d\nd.c"], ["a.b.c", "a.b"]),
        (["from a import c", "def c(): ...", "c()"], []),
        (["from a import c", "c = c(1)", "c"], ["a.c"]),
        (["def f():\n    from a import c\n    return c"], ["a.c"]),
        (["from a import c", "!pip list\nc"], ["a.c"]),
        (["from a import c", "this is no code", "c"], ["a.c"]),
        (["c(1)", "x.c"], []),
    ],
)
def test_uses_are_followed_from_import_to_call(cells, used):
    reader = uses.Cells()
    assert [name for cell in cells for name in reader.read(cell)] == used
