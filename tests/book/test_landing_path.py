"""The picture of the chapters on the first page, and what a reader learns to do."""

import re

import pytest
from nbformat import v4

from tests.book.tiny_book import build
from tests.tools.samples import chapter, text

TABLE = """\
parts:
  - caption: First
    chapters:
      - {file: 01-one, title: One, claims: [], goals: [say <this>, say that]}
      - {file: 02-two, title: "Two & more", claims: [], goals: [call `two()`]}
  - caption: Then
    chapters:
      - {file: 03-three, title: Three, claims: [], goals: [count]}
      - {file: 04-four, title: Four, claims: [], goals: [go on]}
"""
NEEDS = {
    "01-one": "You need NumPy.",
    "02-two": "30 minutes.",
    "03-three": "You need chapters [1](01-one.ipynb) and [2](02-two.ipynb), and time. "
    "More follows in [chapter 4](04-four.ipynb).",
    "04-four": "You need [chapter 2](02-two.ipynb).",
}


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Return the first page of a book of four chapters."""
    pages = {"index.md": "# Book\n\n<!-- path -->\n\n<!-- goals -->\n"}
    for name, words in NEEDS.items():
        opening = f"# Chapter {int(name[:2])}\n\n> **In this chapter.** {words}"
        pages[f"book/{name}.ipynb"] = v4.writes(chapter(text(opening)))
    made = build(tmp_path_factory.mktemp("path"), pages | {"book/course.yml": TABLE})
    assert made.warnings == []
    return made.page("index")


def test_a_chapter_stands_below_the_last_one_that_it_needs(page):
    found = re.findall(r'<a href="(.*?)\.html" aria-label="(.*?)"', page)
    assert found == [
        ("01-one", "1 One, may be skipped"),
        ("02-two", "2 Two &amp; more, core"),
        ("03-three", "3 Three, may be skipped"),
        ("04-four", "4 Four, may be skipped"),
    ]
    places = re.findall(r'<circle class="(\S+)" cx="(\d+)" cy="(\d+)"', page)
    kinds, across, down = zip(*places, strict=True)
    assert kinds == ("path-more", "path-core", "path-more", "path-more")
    assert across[0] == across[1] < across[2] == across[3]
    assert [*down] == sorted(down, key=int)
    lines = re.findall(r'<path class="\S+" d="M(\d+) (\d+)V', page)
    assert lines == [(across[1], down[1])] * 2


def test_the_first_goal_of_each_chapter_is_listed_with_its_chapter(page):
    goals = re.findall(r"<li>(.*?) \(<a href=\"(.*?)\">chapter&nbsp;(\d+)</a>\)", page)
    assert goals == [
        ("say &lt;this&gt;", "01-one.html", "1"),
        ("call <code>two()</code>", "02-two.html", "2"),
        ("count", "03-three.html", "3"),
        ("go on", "04-four.html", "4"),
    ]
    assert re.findall(r"<p><b>(\w+)</b></p>", page) == ["First", "Then"]
