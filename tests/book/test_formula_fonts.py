"""Fonts of formulas: only the letters that are used, asked for at once."""

from fontTools.ttLib import TTFont

from tests.book.tiny_book import build

from coursesite import fonts  # isort: skip

FORMULA = (
    '<span class="katex"><span class="katex-mathml"><math><mi>z</mi></math></span>'
    '<span class="katex-html" aria-hidden="true"><span>x</span>&lt;μ</span></span>'
)


def test_the_letters_are_those_that_are_seen():
    assert fonts.letters([FORMULA, "<span>12</span>"]) == set("x<μ12")


def test_a_book_has_the_letters_of_its_formulas_and_asks_for_them(tmp_path):
    static = tmp_path / "static"
    static.mkdir()
    (static / "katex").symlink_to(fonts.SOURCE.parent)
    pages = {"a.md": "# A\n\n$x = q$ and [b](b.md)\n", "b.md": "# B\n\nWords.\n"}
    for _ in range(2):  # what was cut down is not cut down, or reported, again
        book = build(tmp_path, pages, html_static_path=[str(static)])
        assert book.warnings == []
        known = set()
        for name in fonts.FIRST:
            path = book.out / fonts.KATEX / "fonts" / name
            assert path.stat().st_size < (fonts.SOURCE / name).stat().st_size / 2
            with TTFont(path) as font:
                known |= set(font.getBestCmap())
        assert set(map(ord, "x=q")) <= known
        assert not set(map(ord, "zA7")) & known
        style = (book.out / fonts.KATEX / "katex.min.css").read_text()
        assert style.count("font-display:swap") == style.count("@font-face")
        asked = f'["_static/katex/fonts/{fonts.FIRST[0]}", '
        assert asked in book.page("a")
        assert "katex/fonts" not in book.page("b")
