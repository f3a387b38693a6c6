"""The records of the search: what is kept of a page, and what is left out."""

import json
import re

import pytest

from tests.book.tiny_book import build
from tests.tools.samples import code, picture, text

TITLE = "# Chapter 4: Memory\n\nThe opening, with $\\gamma$ and $\\frac{a}{b}$ in it."
SECTION = "## What it remembers\n\nBefore the exercise.\n\n$$\\bar x = 1 \\tag{4.1}$$"
EXERCISE = """### Exercise 4.1 · One update

● ○ ○ · 8 minutes

Repair it.

<details>
<summary>Hint 1</summary>

Which of the two?

</details>"""
AFTER = "After the exercise.\n\n**Figure 4.1.** Three nets. The rest of it."
CLAIMS = """# The ledger

| Claim | One reads | Verdict | Stops |
|---|---|---|---|
| **B2** | It is flat | *Holds.* | Digits. |

| Word | Meaning |
|---|---|
| ε | a floor |

<!-- ledger -->
"""
GLOSSARY = """# Words

```{glossary}
Half-life
  What a batch needs to lose half of its weight.
```

```{py:function} lib.norms.scale(x, eps=1e-5)
Divide by the spread.
```
"""


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    cells = [
        text(TITLE),
        text(SECTION),
        text(EXERCISE),
        code("def one_update(x): ...", exercise={"role": "starter"}),
        code("check(one_update)", exercise={"role": "check"}),
        text(AFTER),
        code("draw(net)", picture(), mystnb={"image": {"alt": "A steep curve."}}),
        code("1", printed="✔ B2 · it is flat · measured 0.7, needs < 1\n"),
    ]
    pages = {"index.md": CLAIMS, "four.ipynb": cells, "words.md": GLOSSARY}
    return build(tmp_path_factory.mktemp("search"), pages)


@pytest.fixture(scope="module")
def records(book):
    """Return ``{page, anchor: (kind, heading, text, words of code)}``."""
    text = (book.out / "_static/search/sections.js").read_text("utf8")
    data = json.loads(text.partition(" = ")[2].rstrip(";\n"))
    return {
        (data["pages"][page][0], anchor): (kind, heading, body, code.split())
        for page, kind, anchor, heading, body, code in data["rows"]
    }


def test_each_place_is_a_record(records, book):
    assert book.warnings == []
    heads = {place: record[:2] for place, record in records.items()}
    assert heads == {
        ("four.html", ""): ("page", "Chapter 4: Memory"),
        ("four.html", "what-it-remembers"): ("section", "What it remembers"),
        ("four.html", "exercise-4-1"): ("exercise", "Exercise 4.1 · One update"),
        ("four.html", "figure-4-1"): ("figure", "Figure 4.1 · Three nets"),
        ("index.html", ""): ("page", "The ledger"),
        ("index.html", "ledger-b2"): ("claim", "Claim B2 · It is flat"),
        ("words.html", ""): ("page", "Words"),
        ("words.html", "term-Half-life"): ("term", "Half-life"),
        ("words.html", "lib.norms.scale"): ("name", "lib.norms.scale"),
    }


def test_formulas_are_words_in_a_line_and_nothing_else(records):
    assert records["four.html", ""][2] == "The opening, with γ and … in it."
    assert "x" not in records["four.html", "what-it-remembers"][2].split()


def test_what_follows_an_exercise_belongs_to_the_section_around_it(records):
    around = records["four.html", "what-it-remembers"]
    assert around[2] == "Before the exercise.\nAfter the exercise."
    inside = records["four.html", "exercise-4-1"]
    assert inside[2] == "Repair it.\nWhich of the two?"


def test_code_and_what_pictures_show_are_kept_apart(records):
    assert "one_update" in records["four.html", "exercise-4-1"][3]
    around = records["four.html", "what-it-remembers"][3]
    assert {"draw", "steep", "curve", "nets"} <= {*around}
    assert records["words.html", "lib.norms.scale"][2] == "Divide by the spread."
    assert "eps" in records["words.html", "lib.norms.scale"][3]


def test_a_table_is_read_by_rows_and_the_ledger_by_its_claims(records, book):
    claim = records["index.html", "ledger-b2"][2]
    assert re.match("holds .*Digits. B2 it is flat 0.7, needs < 1", claim)
    assert "ε · a floor" in records["index.html", ""][2]
    assert 'id="ledger-b2"' in book.page("index")
    assert "0.7" not in records["index.html", ""][2]


def test_sphinx_makes_no_index_of_its_own_and_the_page_stays(book):
    assert (book.out / "search.html").is_file()
    assert not (book.out / "searchindex.js").exists()
    assert "searchtools" not in book.page("search")
    assert "search/start.js" in book.page("four")


def test_a_page_that_is_not_written_anew_keeps_its_records(tmp_path):
    from sphinx.application import Sphinx
    from sphinx.util.docutils import docutils_namespace

    from tests.book.tiny_book import CONFIG

    build(tmp_path, {"a.md": "# A\n\nOne word.\n", "b.md": "# B\n\nTwo words.\n"})
    (tmp_path / "source/a.md").write_text("# A\n\nAnother word.\n", "utf8")
    folders = [tmp_path / name for name in ("source", "html", "doctrees")]
    config = {**CONFIG, "root_doc": "a"}
    with docutils_namespace():
        source, *others = folders
        app = Sphinx(source, None, *others, "html", config, status=None, warning=None)
        app.build()
    words = (tmp_path / "html/_static/search/sections.js").read_text("utf8")
    assert "Another word." in words and "Two words." in words
