"""The page *How far does it hold?*, built from stored results, and its links."""

import json
import re

import pytest

from book.studies import results
from tests.book.test_studies import row
from tests.book.tiny_book import build
from tests.tools.samples import code, text

LEDGER = """# The ledger

| Claim | One reads | Verdict | Scope |
|---|---|---|---|
| **W6** | It is *faster* | *Holds.* | digits |
| **W4** | Higher rates | *Holds.* | digits |

<!-- ledger -->
"""
FAR = """# How far?

<!-- far -->

| Claim | Elsewhere | Why |
|---|---|---|
| **W6** | smaller | Because of the *other* net. |
"""
LINES = (
    "✔ W6.std · steps · measured 6.5 (5 seeds), needs > 4\n"
    "✔ W6.adam · steps · measured 3.6 (5 seeds), needs > 2\n"
    "✔ W6.relu · steps · measured 1.1 (5 seeds), needs < 2\n"
    "✔ W4.relu · rates · measured 8.1 (5 seeds), needs > 5\n"
)


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    folder = tmp_path_factory.mktemp("far")
    rows = [row(seed=s, value=5.0 + s) for s in range(3)]
    rows += [row("W6.relu", seed=s, value=2.5, data="MNIST, 9") for s in range(3)]
    rows += [row("W6.std-bn", seed=s, value=50.0, at=10 * s) for s in range(3)]
    results.write("effects", rows, folder / "source/book/studies/results")
    pages = {
        "book/far.md": FAR,
        "book/claims.md": LEDGER,
        "book/one.ipynb": [text("# One"), code("1", printed=LINES)],
    }
    return build(folder, pages)


def test_the_summary_names_each_claim_under_its_verdict(book):
    summary = book.page("book/far").partition('class="far-summary"')[2]
    summary = summary.partition("</ul></li></ul>")[0]
    assert 'verdict-far-smaller">smaller</span>' in summary
    assert '<a class="reference internal" href="#far-w6">W6</a> It is faster' in summary
    assert '<span class="far-share">50%</span>' in summary
    assert "W4" not in summary  # not measured elsewhere


def test_a_claim_has_its_reason_and_a_picture_for_each_quantity(book):
    page = book.page("book/far")
    claim = page.partition('id="far-w6"')[2]
    assert "holds in 1 of 2 panels" in claim
    assert "<p>Because of the <em>other</em> net.</p>" in claim
    assert claim.count("<svg") == 3  # two quantities and a course
    assert claim.index("<svg") < claim.index('<details class="far-more">')
    assert "2 more pictures" in claim
    assert 'href="claims.html#ledger-w6"' in claim
    assert "Elsewhere" not in page and "<table" not in page


def test_every_picture_has_words(book):
    for picture in re.findall(r"<svg[^>]*>", book.page("book/far")):
        assert 'role="img"' in picture and re.search('aria-label="[^"]{40,}"', picture)


def test_the_ledger_leads_there_and_its_data_say_what_came_out(book):
    rows = book.page("book/claims").split("<tr")
    (row_of_w6,) = [part for part in rows if 'id="ledger-w6"' in part]
    assert 'href="far.html#far-w6"' in row_of_w6 and ": smaller</p>" in row_of_w6
    (row_of_w4,) = [part for part in rows if 'id="ledger-w4"' in part]
    assert "far.html" not in row_of_w4
    known = json.loads((book.out / "book" / "ledger.json").read_text("utf8"))
    found = {claim["id"]: claim["elsewhere"] for claim in known["claims"]}
    assert found["W4"] is None
    assert found["W6"] == {
        "verdict": "smaller",
        "panels": 2,
        "holds": 1,
        "settings": ["MNIST, 9", "digits, 10 + 5"],
        "address": "far.html#far-w6",
    }


def test_a_book_without_the_page_has_a_ledger_as_before(tmp_path):
    pages = {
        "claims.md": LEDGER,
        "one.ipynb": [text("# One"), code("1", printed=LINES)],
    }
    page = build(tmp_path, pages).page("claims")
    assert "elsewhere" not in page and 'id="ledger-w6"' in page
