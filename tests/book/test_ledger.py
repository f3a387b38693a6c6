"""What the ledger reads of verdicts, numbers and articles, and its bars."""

import re
from pathlib import Path

import pytest

from tests.book.tiny_book import ROOT  # puts the extensions on the path
from tools import verdicts

from coursesite import ledger_data as data  # isort: skip

LINES = verdicts.claim_lines()


@pytest.mark.parametrize(
    "italics, wanted",
    [
        ("Holds.", "holds"),
        ("Holds exactly.", "holds"),
        ("Holds when it rains.", "within limits"),
        ("Holds in part.", "half true"),
        ("Holds here, false for depth.", "half true"),
        ("False, and true for scale.", "half true"),
        ("False as it stands.", "false"),
        ("True, and not needed.", "within limits"),
        ("Not shown.", "not shown"),
        ("Not the layer of the paper.", "false"),
        ("Nobody knows.", None),
    ],
)
def test_the_first_words_of_a_verdict_say_which_it_is(italics, wanted):
    assert data.word(italics) == wanted


@pytest.mark.parametrize(
    "italics, wanted", [("Yes.", "yes"), ("No.", "no"), ("In eval mode.", "depends")]
)
def test_a_question_is_answered(italics, wanted):
    assert data.word(italics, question=True) == wanted


def test_every_verdict_of_the_ledger_is_known():
    text = (verdicts.ROOT / verdicts.LEDGER).read_text(encoding="utf-8")
    for row in verdicts.ROW.finditer(text):
        said, verdict, _ = (cell.strip() for cell in row["cells"].split("|"))
        italics = re.match(r"\*([^*]+)\*", verdict)[1]
        assert data.word(italics, said.endswith("?")) in data.MEANING, row["name"]


def test_the_numbers_of_every_line_are_those_that_the_tools_read():
    for line in LINES:
        spread = f" ({line.spread})" if line.spread else ""
        tol = f" ± {line.tol}" if line.tol else ""
        known = data.numbers(line.measured + spread, f"{line.op} {line.bound}{tol}")
        assert known.value == float(line.measured) and known.op == line.op
        assert known.bound == float(line.bound) and known.seeds == line.seeds
        start, end = known.allowed
        assert start is None or known.value >= start, line
        assert end is None or known.value <= end, line


def test_what_is_no_number_has_no_bar():
    assert data.numbers("many", "< 3") is None


@pytest.mark.parametrize(
    "measured, needs",
    [("22 (20 to 24, 5 seeds)", "> 12"), ("-5", "< -3"), ("0", "== 0")],
)
def test_the_dot_of_a_bar_stands_in_the_allowed_part(measured, needs):
    drawn = data.bar(data.numbers(measured, needs))
    allowed = re.search(r'allowed" x="(\S+)" width="(\S+)"', drawn)
    left, width = map(float, allowed.groups())
    dot = float(re.search(r'class="value" d="M(\S+)', drawn)[1])
    assert 0 <= left <= dot <= left + width <= 100.6
    assert 'aria-hidden="true"' in drawn


def test_a_bar_shows_the_spread():
    drawn = data.bar(data.numbers("22 (20 to 24, 5 seeds)", "> 12"))
    low, high = map(float, re.search(r'spread" d="M(\S+) 5H(\S+)"', drawn).groups())
    dot = float(re.search(r'class="value" d="M(\S+)', drawn)[1])
    assert low < dot < high


def test_the_articles_of_a_claim_are_read_from_their_page():
    page = Path(ROOT, "book", "articles.md").read_text(encoding="utf-8")
    found = data.articles(page)
    assert found["R6"] == ["The mathematics of BN"]
    assert found["I6"] == ["BN in CNNs"]
    assert "I9" not in found
