"""A stored explorable becomes a figure of the page, with its script beside it."""

import re

import pytest
from nbformat import v4

from bnlib.lab.explore import bundle, explore
from tests.book import tiny_book


def cell(html):
    made = v4.new_code_cell('explore("push")', execution_count=1)
    made.outputs = [
        v4.new_output(
            "execute_result",
            {"text/plain": "A sentence.", "text/html": html},
            execution_count=1,
        )
    ]
    return made


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    stored = explore("push")._still()
    pages = {
        "first.ipynb": [v4.new_markdown_cell("# First"), cell(stored), cell(stored)],
        "other.ipynb": [v4.new_markdown_cell("# Other"), cell("<p>no picture</p>")],
    }
    return tiny_book.build(tmp_path_factory.mktemp("explore"), pages)


def test_nothing_is_complained_of(book):
    assert book.warnings == []


def test_the_picture_stands_in_the_page_with_its_sentence(book):
    page = book.page("first")
    figures = re.findall(r"<figure class=\"bn-explore\".*?</figure>", page, re.DOTALL)
    assert len(figures) == 2
    assert "text_html" not in page, "the theme would lay a gray ground under it"
    drawn = bundle.read("pictures/push.svg")
    shapes = re.search(r"</style>(.*)</svg>", drawn, re.DOTALL)[1]
    for figure in figures:
        assert shapes in figure
        assert f'<p class="bn-said">{bundle.sentence(drawn)}</p>' in figure
        label = f"{bundle.title(drawn)}. {bundle.sentence(drawn)}"
        assert f'role="img" aria-label="{label}"' in figure
        assert not re.search(r"<(style|title|desc|script)\b|base64", figure)


def test_the_search_finds_it(book):
    sections = (book.out / "_static" / "search" / "sections.js").read_text("utf8")
    assert (
        '"figure", "explore-push", "Try it · Push a point, move its mates"' in sections
    )
    assert "Value 4 was pushed by" in sections


def test_a_link_leads_to_the_first_of_a_name(book):
    assert book.page("first").count('id="explore-push"') == 1


def test_only_pages_with_an_explorable_load_something(book):
    for name in ("load.js", "explore.css"):
        assert book.page("first").count(f"_static/explore/{name}") == 1
        assert name not in book.page("other")
    assert "<p>no picture</p>" in book.page("other")


def test_the_scripts_and_the_style_are_published(book):
    folder = book.out / "_static" / "explore"
    for name in bundle.NAMES:
        assert (folder / f"{name}.js").read_text("utf8") == bundle.script(name)
    style = (folder / "explore.css").read_text("utf8")
    assert style.startswith(bundle.style())
    assert 'html[data-theme="dark"] .bn-explore' in style
