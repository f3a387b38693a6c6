"""Formulas are rendered while the site is built."""

import re

import pytest
from sphinx.errors import ExtensionError

from tests.book.tiny_book import build

TEXT = (
    "# A\n\nInline $a^2$ and\n\n$$\\begin{aligned} x &= 1 \\end{aligned} \\tag{1.1}$$\n"
)


def test_formulas_are_html_and_mathml_without_a_script(tmp_path):
    book = build(tmp_path, {"a.md": TEXT, "b.md": "# B\n\nNo formula.\n"})
    page = book.page("a")
    assert book.warnings == []
    assert page.count('<span class="katex" data-tex=') == 2
    assert page.count("<math ") == 2 and "<semantics" not in page
    assert 'data-tex="a^2"' in page
    assert "<msup><mi>a</mi><mn>2</mn></msup></math>" in page
    assert "katex/katex.min.css" in page
    assert "mathjax" not in "".join(re.findall("<script.*?</script>", page)).lower()
    assert "katex" not in book.page("b")


def test_wide_formula_can_be_scrolled_by_keyboard(tmp_path):
    assert 'id="equation-1-1" tabindex="0"' in build(tmp_path, {"a.md": TEXT}).page("a")


@pytest.mark.parametrize("formula", [r"\foo", r"\frac{1", r"\label{a}"])
def test_bad_formula_is_a_warning_with_its_place(tmp_path, formula):
    text = f"# A\n\nWords.\n\n$${formula}$$\n"
    book = build(tmp_path, {"a.md": text})
    (warning,) = book.warnings
    assert "a.md:5: WARNING: KaTeX parse error" in warning
    assert repr(formula) in warning


def test_bad_formula_is_reported_by_the_next_build_again(tmp_path):
    pages = {"a.md": "# A\n\n$$\\foo$$\n"}
    build(tmp_path, pages)
    assert "KaTeX parse error" in build(tmp_path, pages).warnings[0]


def test_known_formulas_need_no_second_run(tmp_path, monkeypatch):
    build(tmp_path, {"a.md": TEXT})
    monkeypatch.setenv("PATH", str(tmp_path))
    assert build(tmp_path, {"a.md": TEXT}).page("a").count("<math ") == 2


def test_missing_node_is_one_clear_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ExtensionError, match="^node is needed for the formulas: "):
        build(tmp_path, {"a.md": TEXT})


def test_missing_node_does_not_matter_without_formulas(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert build(tmp_path, {"a.md": "# A\n\nWords.\n"}).warnings == []


def test_node_that_fails_is_reported(tmp_path, monkeypatch):
    node = tmp_path / "node"
    node.write_text("#!/bin/sh\necho out of memory >&2\nexit 3\n")
    node.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(ExtensionError, match="KaTeX could not be run: out of memory"):
        build(tmp_path, {"a.md": TEXT})
