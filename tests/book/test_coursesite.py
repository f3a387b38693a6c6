"""What the extension of the site makes of plain Markdown and of stored outputs."""

import html
import json
import re

import pytest

from bnlib.lab.plot import COLORS
from tests.book.tiny_book import REPOSITORY, ROOT, build
from tests.tools.samples import code, picture, text
from tools.drawing import MIME

UNKNOWN = ["mystnb.unknown_mime_type"]

CLAIM = "✔ {} · the sentence of {} · measured 0.71, needs < 1\n"


TABLE = """\
parts:
  - caption: All
    chapters:
      - {file: one, title: "One & all", claims: [N1, N2], was: [first]}
      - {file: two, title: Two, claims: [B2, A1]}
reference:
  claims: {page: [Z1], other: [D1]}
"""


def ledger_book(folder, first, second="nothing\n"):
    """Build a ledger over two chapters, each with one cell that prints."""
    return build(
        folder,
        {
            "claims.md": "# The ledger\n\n<!-- ledger -->\n",
            "book/course.yml": TABLE,
            "one.ipynb": [text("# Chapter 1: One"), code("1", printed=first)],
            "two.ipynb": [text("# Chapter 2: Two"), code("2", printed=second)],
        },
    )


# Callouts


@pytest.mark.parametrize(
    "word, look",
    [
        ("In this chapter", "overview"),
        ("Predict", "predict"),
        ("Remember", "key"),
        ("Note", "note"),
        ("Tip", "tip"),
        ("Hint", "tip"),
        ("Warning", "warning"),
        ("Key idea", "key"),
        ("Definition", "note"),
        ("Try it", "try"),
        ("Exercise", "try"),
    ],
)
def test_quote_with_a_known_bold_word_becomes_a_box(tmp_path, word, look):
    book = build(tmp_path, {"a.md": f"# A\n\n> **{word}.** Some words.\n"})
    assert f'class="callout callout-{look} docutils container"' in book.page("a")
    assert "<blockquote>" not in book.page("a")
    assert book.warnings == []


@pytest.mark.parametrize("quote", ["**Aside.** Words.", "Note. Words.", "A **note**."])
def test_other_quotes_stay_quotes(tmp_path, quote):
    book = build(tmp_path, {"a.md": f"# A\n\n> {quote}\n"})
    assert "<blockquote>" in book.page("a")
    assert "callout" not in book.page("a")


# Numbers


NUMBERED = """# B

$$x = 1 \\tag{2.1}$$

**Figure 2.1.** A caption.

**Table 2.2.** Another.

## Exercise 2.3 · Do it
"""


@pytest.mark.parametrize(
    "mention, identifier",
    [
        ("(2.1)", "equation-2-1"),
        ("Figure 2.1", "figure-2-1"),
        ("figure 2.1", "figure-2-1"),
        ("Table 2.2", "table-2-2"),
        ("Exercise 2.3", "exercise-2-3"),
    ],
)
def test_mention_links_to_the_numbered_thing(tmp_path, mention, identifier):
    book = build(tmp_path, {"a.md": f"# A\n\nAs {mention} says.\n", "b.md": NUMBERED})
    link = f'href="b.html#{identifier}"><span class="course-ref">{mention}</span>'
    assert link in book.page("a")
    assert book.page("b").count(f'id="{identifier}"') == 1
    assert book.warnings == []


def test_an_item_of_the_hunt_has_a_letter_for_its_chapter(tmp_path):
    mended = "# B\n\n## Exercise H.4 · Mend it\n"
    book = build(tmp_path, {"a.md": "# A\n\nAs exercise H.4 says.\n", "b.md": mended})
    assert 'href="b.html#exercise-H-4"' in book.page("a")
    assert book.page("b").count('id="exercise-H-4"') == 1


def test_unknown_number_and_code_stay_text(tmp_path):
    text = "# A\n\nAs (9.9) says, `(2.1)`, [see (2.1)](b.md).\n"
    book = build(tmp_path, {"a.md": text, "b.md": NUMBERED})
    assert "course-ref" not in book.page("a")
    assert "As (9.9) says" in book.page("a")


def test_caption_gets_its_look(tmp_path):
    book = build(tmp_path, {"b.md": NUMBERED})
    assert '<p class="figure-caption" id="figure-2-1">' in book.page("b")


def test_same_number_in_two_chapters_is_a_warning(tmp_path):
    book = build(tmp_path, {"a.md": NUMBERED.replace("# B", "# A"), "b.md": NUMBERED})
    told = "\n".join(book.warnings)
    assert "equation 2.1 is already defined in a" in told
    assert "exercise 2.3 is already defined in a" in told
    assert len(book.warnings) == 4
    assert all("b.md" in line for line in book.warnings)


def test_same_number_twice_in_a_chapter_is_a_warning(tmp_path):
    book = build(tmp_path, {"a.md": "# A\n\n$$x \\tag{1.1}$$\n\n$$y \\tag{1.1}$$\n"})
    assert "equation 1.1 is already defined in a" in book.warnings[0]


def test_second_build_does_not_report_its_own_numbers(tmp_path):
    build(tmp_path, {"b.md": NUMBERED})
    assert build(tmp_path, {"b.md": NUMBERED}).warnings == []


# Citations


BIB = """@misc{key,
  author = {Someone, A.}, title = {The {Title}}, year = {2015},
  url = {https://arxiv.org/abs/1502.03167}, doi = {10.1000/xyz}, checked = {title}
}"""


@pytest.mark.parametrize(
    "address", ["https://arxiv.org/abs/1502.03167", "https://doi.org/10.1000/xyz"]
)
def test_link_to_a_cited_address_leads_to_the_bibliography(tmp_path, address):
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "refs.bib").write_text(BIB)
    book = build(
        tmp_path,
        {
            "a.md": f"# A\n\n[Someone]({address}), [other](https://example.org/)\n",
            "refs.md": "# References\n\n```{bibliography}\n:all:\n```\n",
        },
        extensions=["myst_nb", "sphinxcontrib.bibtex", "coursesite", "katexpre"],
        bibtex_bibfiles=["refs.bib"],
    )
    page = book.page("a")
    assert 'href="refs.html#id2" title="The Title"' in page
    assert '<div class="citation" id="id2">' in book.page("refs")
    assert address not in page
    assert 'href="https://example.org/"' in page
    # In the bibliography itself the address leads to the work.
    assert 'href="https://arxiv.org/abs/1502.03167"' in book.page("refs")


def bibliography(folder, pages):
    (folder / "source").mkdir()
    (folder / "source" / "refs.bib").write_text(BIB)
    pages["refs.md"] = "# References\n\n```{bibliography}\n:all:\n```\n"
    return build(
        folder,
        pages,
        extensions=["myst_nb", "sphinxcontrib.bibtex", "coursesite", "katexpre"],
        bibtex_bibfiles=["refs.bib"],
    )


def test_an_entry_says_who_cites_it_and_what_was_checked(tmp_path):
    cited = "# Chapter 1: One\n\n## Read on\n\n[Someone](https://doi.org/10.1000/xyz)\n"
    book = bibliography(tmp_path, {"a.md": cited, "b.md": "# B\n\nnothing\n"})
    note = book.page("refs").partition('<p class="cited-in">')[2].partition("</p>")[0]
    assert 'Cited in <a class="reference internal" href="a.html#read-on">' in note
    assert "<span>Chapter 1</span></a>. Checked: title.</span>" in note
    assert "b.html" not in note
    assert book.warnings == []


def test_an_entry_that_nothing_cites_is_a_warning(tmp_path):
    (warning,) = bibliography(tmp_path, {"a.md": "# A\n\nnothing\n"}).warnings
    assert "nothing cites key" in warning


# First uses


GLOSSARY = """# Words

<!-- terms -->

## A to Z

### Batch

*Also* mini-batch. The examples of a step. They go together.

### Batch norm

The layer.
"""
SYMBOLS = """# Symbols

<!-- symbols -->

| Symbol | What | Code |
|---|---|---|
| $\\gamma$ | The factor. Learned. | `gamma` |
| $x$ | Input | `x` |
| $\\gamma$ | Again. | |
"""


def first_uses(folder, *markdown, **pages):
    """Return the words that a notebook links, with the addresses and the tips."""
    cells = [text("# Title with a batch"), *map(text, markdown)]
    book = build(
        folder,
        {"a.ipynb": cells, "words.md": GLOSSARY, "symbols.md": SYMBOLS, **pages},
    )
    assert book.warnings == []
    return re.findall(
        r'href="([^"]*)" title="([^"]*)"><span class="course-term">([^<]*)',
        book.page("a"),
    )


def test_the_first_use_of_a_term_leads_to_the_glossary(tmp_path):
    found = first_uses(tmp_path, "Two Mini-batches, a batch, batch norm, γ and γ.")
    assert found == [
        ("words.html#batch", "The examples of a step.", "Mini-batches"),
        ("words.html#batch-norm", "The layer.", "batch norm"),
        ("symbols.html#symbol-gamma", "The factor.", "γ"),
    ]


def test_a_term_is_not_linked_everywhere(tmp_path):
    words = [
        "## A batch",
        "`batch`, $batch$, **batch**",
        "[batch](https://example.org/)",
        "```\nbatch\n```",
        "| batch |\n|---|\n| x |",
        "<details>\n<summary>A batch</summary>\n\nbatch\n\n</details>",
        "![batch](https://example.org/x.png)",
        "batchwise sub-batch batch/size x",
    ]
    assert first_uses(tmp_path, *words) == []


def test_what_follows_a_folded_answer_is_linked(tmp_path):
    folded = "<details>\n<summary>A</summary>\n\nbatch\n\n</details>\n\nA batch."
    (found,) = first_uses(tmp_path, folded, **{"b.md": "# B\n\nA batch.\n"})
    assert found[2] == "batch"
    # A page that is no notebook keeps its words.
    assert "course-term" not in (tmp_path / "html" / "b.html").read_text("utf8")


# Pictures and addresses


def test_picture_without_words_is_a_warning_that_names_the_cell(tmp_path):
    cells = [text("# A"), code("plot()", picture())]
    (warning,) = build(tmp_path, {"a.ipynb": cells}).warnings
    assert "picture without alternative text (code cell 1)" in warning
    assert "a.ipynb" in warning


def test_picture_with_words_is_fine(tmp_path):
    metadata = {"mystnb": {"image": {"alt": "One pixel."}}}
    cells = [text("# A"), code("plot()", picture(), **metadata)]
    book = build(tmp_path, {"a.ipynb": cells})
    assert book.warnings == []
    assert 'alt="One pixel."' in book.page("a")


DRAWN = (
    '<svg viewBox="2 2 428 240" fill="none"><clipPath id="c0"><rect/></clipPath>'
    '<path clip-path="url(#c0)" d="M0 0h1"/><g><text>loss</text></g></svg>'
)


def drawn():
    """Return a picture with the drawing that is stored beside it."""
    output = picture()
    output["data"][MIME] = DRAWN
    return output


def test_a_drawing_takes_the_place_of_its_picture(tmp_path):
    metadata = {"mystnb": {"image": {"alt": "A <steep> curve."}}}
    cells = [text("# A"), code("plot()", drawn(), drawn(), picture(), **metadata)]
    book = build(tmp_path, {"a.ipynb": cells}, suppress_warnings=UNKNOWN)
    assert not book.warnings
    page = book.page("a")
    words = 'role="img" aria-label="A &lt;steep&gt; curve." width="535" height="300"'
    assert page.count(f'<svg class="course-drawing" {words}') == 2
    assert page.count("<img") == 1, "what has no drawing stays a picture"
    for number in (0, 1):  # what is named is named once on a page
        assert page.count(f'id="drawing-{number}-0"') == 1
        assert page.count(f"url(#drawing-{number}-0)") == 1


def shown_ahead(folder, name):
    metadata = {"mystnb": {"image": {"alt": "A curve."}}}
    cells = [
        text(f"# A\n\nWhy?\n\n<!-- ahead: {name} -->"),
        code("plot()", drawn(), **metadata),
        text("**Figure 1.1.** Loss."),
    ]
    return build(folder, {"a.ipynb": cells}, suppress_warnings=UNKNOWN)


def test_a_figure_is_shown_ahead_of_the_code_that_leads_to_it(tmp_path):
    book = shown_ahead(tmp_path, "1.1")
    assert not book.warnings
    ahead, _, rest = book.page("a").partition("</figure>")
    assert 'id="drawing-0-0"' in ahead and 'id="drawing-1-0"' in rest
    name = r'<a [^>]*href="#figure-1-1"><strong>Figure 1.1</strong></a>'
    assert re.search(name + ", from further down. Loss.", ahead)
    assert book.page("a").count('id="figure-1-1"') == 1


def test_a_figure_to_show_ahead_that_is_not_there_is_a_warning(tmp_path):
    book = shown_ahead(tmp_path, "1.2")
    (warning,) = book.warnings
    assert "ahead: the page must have a drawn figure-1-2, it has none" in warning
    assert "ahead" not in book.page("a")


def test_who_shares_a_page_with_a_drawing_shows_its_picture(tmp_path):
    metadata = {"mystnb": {"image": {"alt": "A curve."}}}
    cells = [text("# A"), code("plot()", drawn(), **metadata)]
    book = build(tmp_path, {"a.ipynb": cells}, suppress_warnings=UNKNOWN)
    assert "<img" not in book.page("a")
    assert len(list((book.out / "_images").glob("*.png"))) == 1


def test_a_drawing_without_words_is_a_warning_too(tmp_path):
    cells = [text("# A"), code("plot()", drawn())]
    (warning,) = build(tmp_path, {"a.ipynb": cells}, suppress_warnings=UNKNOWN).warnings
    assert "picture without alternative text (code cell 1)" in warning


def test_the_stylesheet_knows_the_colors_of_all_drawings():
    style = (ROOT / "book" / "_static" / "course.css").read_text("utf8")
    dark = set(re.findall(r'"dark"\] \.course-drawing \[\w+="(#\w+)"\]', style))
    assert {color.lower() for color in COLORS.values()} - {"#000000"} <= dark
    for path in sorted((ROOT / "book").glob("*.ipynb")):
        for cell in json.loads(path.read_text("utf8"))["cells"]:
            for output in cell.get("outputs", []):
                svg = "".join(output.get("data", {}).get(MIME, ""))
                used = set(re.findall(r' (?:fill|stroke)="(#\w+)"', svg))
                # A color map is seen as it is: its colors are values.
                assert used <= dark or len(used) > 10, (path.name, used - dark)


def test_markdown_picture_without_words_is_a_warning(tmp_path):
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "p.svg").write_text("<svg/>")
    (warning,) = build(tmp_path, {"a.md": "# A\n\n![](p.svg)\n"}).warnings
    assert "picture without alternative text (p.svg)" in warning


def with_repository(folder, text, **options):
    options = {"repository_url": REPOSITORY, "repository_branch": "main", **options}
    # A bare theme does not know these options; the one of the course does.
    book = build(folder, {"a.md": text}, html_theme_options=options)
    book.warnings = [w for w in book.warnings if "unsupported theme option" not in w]
    return book


def test_own_picture_is_taken_from_the_site(tmp_path):
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "p.svg").write_text("<svg/>")
    base = "https://raw.githubusercontent.com/someone/course/main"
    book = with_repository(tmp_path, f"# A\n\n![Words]({base}/p.svg)\n")
    assert 'src="_images/p.svg"' in book.page("a")
    assert book.warnings == []


@pytest.mark.parametrize(
    "link, address",
    [
        (
            "colab:book/01.ipynb",
            "https://colab.research.google.com/github/someone/course/blob/dev/book/01.ipynb",
        ),
        ("repo:issues", "https://github.com/someone/course/issues"),
        ("repo:blob/main/a.md", "https://github.com/someone/course/blob/main/a.md"),
        ("https://example.org/a", "https://example.org/a"),
    ],
)
def test_link_schemes_use_the_configured_address(tmp_path, link, address):
    text = f"# A\n\n[words]({link})\n"
    book = with_repository(tmp_path, text, repository_branch="dev")
    assert f'href="{address}"' in book.page("a")
    assert book.warnings == []


# The ledger


def test_ledger_lists_the_claims_by_chapter_and_number(tmp_path):
    first = "loss 3\n" + CLAIM.format("B10", "c") + CLAIM.format("B2", "b")
    book = ledger_book(tmp_path, first, CLAIM.format("N1", "n"))
    page = book.page("claims")
    assert book.warnings == []
    places = [page.index(f'<tr class="ledger-{what}') for what in ("chapter", "claim")]
    places += [page.index(f'id="ledger-{name}"') for name in ("b2", "b10", "n1")]
    assert places == sorted(places)
    assert "<span>Chapter 1: One</span></a> <span>2 claims</span>" in page
    assert "3 claims and 3 measurements" in page
    assert "<td><p>the sentence of b</p></td>" in page
    assert page.count("<span>0.71, needs &lt; 1</span>") == 6  # in the row, and folded


def test_claims_of_the_reference_pages_follow_those_of_the_chapters(tmp_path):
    pages = {"claims.md": "# L\n\n<!-- ledger -->\n", "book/course.yml": TABLE}
    for name, claim in {"aaa": "Z1", "one": "N1"}.items():
        printed = CLAIM.format(claim, "x")
        pages[f"{name}.ipynb"] = [text(f"# {name}"), code("1", printed=printed)]
    page = build(tmp_path, pages).page("claims")
    assert page.index('id="ledger-n1"') < page.index('id="ledger-z1"')


def test_ledger_links_to_the_line(tmp_path):
    book = ledger_book(tmp_path, CLAIM.format("B2", "x") + CLAIM.format("B2", "y"))
    for anchor in ("claim-b2", "claim-b2-2"):
        assert f'href="one.html#{anchor}"><span>B2</span>' in book.page("claims")
        assert book.page("one").count(f'id="{anchor}"') == 1
    assert book.warnings == []


def test_a_claim_with_a_key_has_an_anchor_of_its_own_and_shows_its_scope(tmp_path):
    line = (
        "✔ B2.gain · points gained · measured 6.2 (5 to 7.5, 5 seeds), needs > 4 "
        "· digits, an MLP\n"
    )
    book = ledger_book(tmp_path, CLAIM.format("B2", "x") + line)
    assert 'id="claim-b2-gain"' in book.page("one")
    assert 'id="claim-b2-2"' in book.page("one")
    page = book.page("claims")
    assert 'href="one.html#claim-b2-gain"><span>B2.gain</span></a>' in page
    assert "<span> points gained (digits, an MLP)</span>" in page
    assert "<span>6.2 (5 to 7.5, 5 seeds), needs &gt; 4</span>" in page
    assert book.warnings == []


def test_a_letter_that_no_chapter_lists_comes_last(tmp_path):
    lines = "".join(CLAIM.format(name, name) for name in ("Z1", "A1", "B2", "N2"))
    page = ledger_book(tmp_path, lines).page("claims")
    places = [page.index(f'id="ledger-{name}"') for name in ("n2", "b2", "a1", "z1")]
    assert places == sorted(places)


VERDICT_TABLE = """\
# The ledger

<!-- ledger -->

| Claim | One reads | Verdict | Scope |
|---|---|---|---|
| **B2** | It *helps* | *Holds for one.* By <!--B2.gain-->6.2<!--/-->. | digits |
| **B3** | Does it? | *No.* | the layer |

**B2** is in `ledger.json`.
"""


def test_a_table_of_verdicts_becomes_the_rows_of_the_ledger(tmp_path):
    gain = "✔ B2.gain · gained · measured 6.2, needs > 4\n"
    lines = CLAIM.format("B2", "x") + gain + CLAIM.format("B3", "y")
    articles = "# A\n\n## BN & you\n\n| top 1 | so | [B2](claims.md) | yes |\n"
    pages = {
        "book/claims.md": VERDICT_TABLE,
        "book/articles.md": articles,
        "book/one.ipynb": [text("# One"), code("1", printed=lines)],
    }
    book = build(tmp_path, pages)
    page = book.page("book/claims")
    assert page.count("<table") == 1
    assert "<td><p>It <em>helps</em></p></td>" in page
    assert 'verdict-badge verdict-within-limits">within limits</span> Holds for' in page
    assert 'verdict-badge verdict-no">no</span> </p>' in page  # "No." is said already
    assert '<td class="scope"><p>digits</p></td>' in page
    assert '<td class="measured"><p class="claim-numbers"><svg' in page
    headline = page.partition('class="measured"')[2].partition("</td>")[0]
    assert "<span>6.2, needs &gt; 4</span>" in headline  # what the verdict states
    assert "B2.gain--" not in page
    assert 'href="#ledger-b2"><span>B2</span></a></strong> is in' in page
    assert 'href="ledger.json"><code' in page
    found = json.loads((book.out / "book" / "ledger.json").read_text("utf8"))
    first, second = found["claims"]
    assert first["statement"] == "It helps" and first["verdict"] == "within limits"
    assert first["explanation"] == "Holds for one. By 6.2."
    assert first["articles"] == ["BN & you"] and second["articles"] == []
    assert first["row"] == "claims.html#ledger-b2"
    assert first["lines"][1]["address"] == "one.html#claim-b2-gain"
    assert (first["lines"][1]["value"], first["lines"][1]["bound"]) == (6.2, 4)
    assert second["verdict"] == "no"


def test_a_verdict_that_begins_otherwise_is_a_warning(tmp_path):
    pages = {
        "claims.md": VERDICT_TABLE.replace("*Holds for", "*Perhaps for"),
        "one.ipynb": [text("# One"), code("1", printed=CLAIM.format("B2", "x"))],
    }
    (warning,) = build(tmp_path, pages).warnings
    assert "B2: no verdict begins like this: Perhaps for one." in warning


def test_the_earlier_name_of_a_chapter_leads_to_it(tmp_path):
    book = ledger_book(tmp_path, "nothing\n")
    page = book.page("book/first")
    assert '<meta http-equiv="refresh" content="0; url=one.html">' in page
    assert '<a href="one.html">One &amp; all</a>' in page


def test_claims_of_two_cells_get_different_anchors(tmp_path):
    cells = [code("1", printed=CLAIM.format("B2", sentence)) for sentence in "xy"]
    pages = {"claims.md": "# L\n\n<!-- ledger -->\n"}
    pages["one.ipynb"] = [text("# One"), *cells]
    page = build(tmp_path, pages).page("one")
    assert page.index('id="claim-b2"') < page.index('id="claim-b2-2"')


@pytest.mark.parametrize(
    "measured, needs",
    [
        ("0 (to rounding)", "< 1e-12"),
        ("1.2", "~ 1.2 ± 0.01"),
        ("3", "== 3"),
        ("1,204", ">= 1,000"),
    ],
)
def test_ledger_reads_every_form_of_a_claim(tmp_path, measured, needs):
    line = f"✔ F4 · x · y is the identity · measured {measured}, needs {needs}\n"
    page = ledger_book(tmp_path, line).page("claims")
    assert "<td><p>x · y is the identity</p></td>" in page
    assert f"<span>{measured}, needs {html.escape(needs)}</span>" in page
    assert page.count("<svg") == 2


def test_ledger_is_a_table_with_header_cells_and_a_caption(tmp_path):
    page = ledger_book(tmp_path, CLAIM.format("B2", "x")).page("claims")
    assert page.count('<th class="head') == 5
    assert '<th class="stub"><p>B2</p></th>' in page
    assert "1 claim and 1 measurement<" in page


def test_identifier_stands_once_beside_all_its_lines(tmp_path):
    lines = CLAIM.format("B2", "x") + CLAIM.format("B2", "y") + CLAIM.format("B3", "z")
    page = ledger_book(tmp_path, lines).page("claims")
    assert page.count('id="ledger-b2"') == page.count('id="ledger-b3"') == 1
    assert "2 measurements" in page and page.count('class="ledger-lines') == 2


def test_bold_identifier_beside_the_ledger_links_to_its_rows(tmp_path):
    words = "**B2** and **B3**, **strong**, B2\n\n<!-- ledger -->\n"
    pages = {"claims.md": f"# L\n\n{words}", "other.md": "# O\n\n**B2**\n"}
    pages["one.ipynb"] = [
        text("# One"),
        code("1", printed=CLAIM.format("B2", "x")),
    ]
    book = build(tmp_path, pages)
    assert book.warnings == []
    assert book.page("claims").count('href="#ledger-b2"><span>B2</span></a>') == 1
    assert 'href="#ledger-b3"' not in book.page("claims")
    assert "ledger-b2" not in book.page("other")


def test_bold_identifier_of_a_page_that_asks_for_it_leads_to_the_ledger(tmp_path):
    pages = {"claims.md": "# L\n\n<!-- ledger -->\n"}
    pages["other.md"] = "# O\n\n<!-- identifiers -->\n\n**B2**, **strong**\n"
    pages["one.ipynb"] = [text("# One"), code("1", printed=CLAIM.format("B2", "x"))]
    book = build(tmp_path, pages)
    assert book.warnings == []
    assert 'href="claims.html#ledger-b2"><span>B2</span></a>' in book.page("other")
    assert "<strong>strong</strong>" in book.page("other")


def test_the_identifier_of_a_line_leads_to_its_row(tmp_path):
    lines = CLAIM.format("B2", "x & y") + "a note\n" + CLAIM.format("B2.gain", "z")
    book = ledger_book(tmp_path, lines)
    page = book.page("one")
    assert page.count('href="claims.html#ledger-b2"') == 2
    printed = re.search(r'<pre class="[^"]*claim.*?</pre>', page, re.DOTALL)[0]
    assert html.unescape(re.sub("<[^>]+>", "", printed)).strip() == lines.strip()
    assert page.count('class="claim-sentence"') == 2
    assert book.warnings == []


@pytest.mark.parametrize(
    "label, anchor", [("B2", "claim-b2"), ("B2.gain", "claim-b2-gain")]
)
def test_a_link_to_the_ledger_named_as_a_claim_leads_to_its_line(
    tmp_path, label, anchor
):
    lines = CLAIM.format("B2", "x") + CLAIM.format("B2.gain", "y")
    pages = {
        "claims.md": f"# L\n\n[{label}](claims.md) and [the ledger](claims.md)\n\n"
        "<!-- ledger -->\n",
        "one.ipynb": [text("# One"), code("1", printed=lines)],
    }
    page = build(tmp_path, pages).page("claims")
    assert f'href="one.html#{anchor}" title="the sentence of ' in page
    assert "the ledger</span>" in page and 'href="#"' in page


def test_a_link_named_as_a_claim_that_no_cell_prints_is_a_warning(tmp_path):
    pages = {"claims.md": "# L\n\n[B3](claims.md)\n\n<!-- ledger -->\n"}
    (warning,) = build(tmp_path, pages).warnings
    assert "no cell prints the claim B3" in warning


def test_identifier_in_two_chapters_is_a_warning(tmp_path):
    line = CLAIM.format("B2", "x")
    (warning,) = ledger_book(tmp_path, line, line).warnings
    assert "claim B2 is measured in two chapters, here and in one" in warning
    assert "two.ipynb" in warning


def test_line_that_looks_like_a_claim_is_a_warning(tmp_path):
    (warning,) = ledger_book(tmp_path, "✔ B2 · no number here\n").warnings
    assert "looks like a claim, but cannot be read: ✔ B2 · no number here" in warning


def test_verdict_of_an_exercise_is_not_a_claim(tmp_path):
    book = ledger_book(tmp_path, "✔ Exercise 3.1 (a): right.\n", "a table\n")
    assert book.warnings == []
    assert 'class="output stream verdict' in book.page("one")
    assert "verdict" not in book.page("two")
    assert "0 claims and 0 measurements" in book.page("claims")


def test_claim_that_is_gone_leaves_the_ledger(tmp_path):
    ledger_book(tmp_path, CLAIM.format("B2", "x"))
    book = ledger_book(tmp_path, "nothing\n", CLAIM.format("B2", "y"))
    assert book.warnings == []
    assert "1 claim and 1 measurement" in book.page("claims")


# The rest


def test_page_is_described_by_its_first_paragraph(tmp_path):
    text = "# A\n\nShort.\n\nThe first paragraph that says enough, & more.\n"
    page = build(tmp_path, {"a.md": text}).page("a")
    content = "The first paragraph that says enough, &amp; more."
    assert f'<meta name="description" content="{content}">' in page


@pytest.mark.parametrize(
    "before, after",
    [
        ('<summary aria-label="Toggle hidden content">', "<summary>"),
        (
            '<button class="btn search-button-field" title="S" aria-label="Search">',
            '<button class="btn search-button-field" title="S">',
        ),
        ('<div role="list" class="citation-list">', '<div class="citation-list">'),
        (
            '<div class="citation" id="id1" role="doc-biblioentry">',
            '<div class="citation" id="id1">',
        ),
        (
            '<div id="pst-primary-sidebar" class="bd">',
            '<div id="pst-primary-sidebar" role="complementary" '
            'aria-label="Chapters" class="bd">',
        ),
        (
            '<div class="highlight"><pre id="x"><span></span>\n</pre></div>',
            '<div class="highlight"><pre id="x"><span></span>\n</pre></div>',
        ),
        (
            '<div class="highlight"><pre><span></span><span class="n">a</span>'
            '<span class="o">=</span><span class="mi">1</span></pre></div>',
            '<div class="highlight"><pre>a=<span class="mi">1</span></pre></div>',
        ),
        (
            '<body class="a"><table class="ledger table">',
            '<body data-wide class="a"><table class="ledger table">',
        ),
        (
            'console.log("[PST]: it scrolled");console.log("more")',
            'void 0;console.log("more")',
        ),
        (
            '<img src="l.svg" class="logo__image only-light" alt=""/>\n'
            '<img src="l.svg" class="logo__image only-dark pst-js-only" alt=""/>',
            '<img src="l.svg" class="logo__image" width="44" height="44" alt=""/>',
        ),
        (
            '\n  <script src="../_static/searchtools.js"></script>'
            '\n<script src="../searchindex.js?v=1"></script>',
            "",
        ),
    ],
)
def test_faults_of_the_theme_are_mended(before, after):
    from coursesite.finish import repair

    assert repair(f"<p>{before}</p>") == f"<p>{after}</p>"
    assert repair(f"<p>{after}</p>") == f"<p>{after}</p>"


def test_the_theme_asks_for_all_widths_before_it_changes_anything():
    from coursesite.finish import quicken

    asked = 'document.querySelectorAll(["pre",".out > .x"].join(", "))'
    script = (
        f"{asked}.forEach(e=>{{e.tabIndex=e.scrollWidth>e.clientWidth?0:-1}})}},t=_(e);"
        'window.addEventListener("resize",t),e()'
    )
    assert quicken(script) == (
        f'[...{asked}].filter(e=>!e.closest("details:not([open])"))'
        ".map(e=>[e,e.scrollWidth>e.clientWidth])"
        ".forEach(([e,s])=>{e.tabIndex=s?0:-1})},t=_(e);"
        '["resize","toggle"].forEach(n=>window.addEventListener(n,t,!0)),e()'
    )
    assert quicken(quicken(script)) == quicken(script)


def test_icons_are_found_in_pages_scripts_and_stylesheets(tmp_path):
    from coursesite.icons import used_code_points

    static = tmp_path / "_static"
    static.mkdir()
    (static / "icons.css").write_text(
        '.fa-sun:before{content:"\\f185"}.fa-a:before,.fa-b:before{content:"\\f001"}'
        '.fa-plus:before{content:"+"}.fa-never:before{content:"\\f999"}'
        ':root{--icon-literal:"\uf0f3"}.x:after{content:"\\f0c8"}.y{content:"\\201c"}'
    )
    (static / "script.js").write_text('icon.className = "fa-solid fa-b"')
    (tmp_path / "a.html").write_text(
        '<i class="fa-solid fa-sun"></i><i class="fa-plus">'
    )
    expected = {0xF185, 0xF001, ord("+"), 0xF0F3, 0xF0C8}
    assert used_code_points(tmp_path) == expected
