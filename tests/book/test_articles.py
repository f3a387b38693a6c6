"""The page on the articles: every statement has a claim, or says why it has none."""

import re

import pytest

from tools import course, verdicts

BOOK = verdicts.ROOT / "book"
PAGE = (BOOK / "articles.md").read_text(encoding="utf-8")
LINES = verdicts.claim_lines()
SECTIONS = re.findall(r"(?ms)^## ([^\n]+)\n(.*?)(?=^## |\Z)", PAGE)
LISTED = re.findall(
    r"^\| \[([^]]+)\]\(articles\.md#([^)]+)\), (\d+) statements \|", PAGE, re.MULTILINE
)
STATEMENT = re.compile(
    r"^\| (?P<where>[^|]+ \d+) \| (?P<says>[^|]+) "
    r"\| (?P<claims>[^|]*)\| (?P<verdict>[^|]+) \|$",
    re.MULTILINE,
)
CLAIM = re.compile(r"\[([A-Z]\d+(?:\.[a-z0-9-]+)?)\]\(claims\.md\)")
# Claims of the chapters that are our own: no article says them.
OURS = {"I9", "M2", "M3", "M4", "M6", "M7", "M8", "M9"}
WITHOUT_CLAIM = ("history", "definition", "not measured here")

each_article = pytest.mark.parametrize("title, anchor, count", LISTED)


def statements(title):
    (text,) = [text for name, text in SECTIONS if name == title]
    return list(STATEMENT.finditer(text))


def test_all_five_are_listed():
    assert len(LISTED) == 5


@each_article
def test_each_article_is_listed_with_the_number_of_its_statements(title, anchor, count):
    assert anchor == title.lower().replace(" ", "-")
    assert len(statements(title)) == int(count) >= 15


def test_there_are_five_articles():
    assert len(LISTED) == 5


@each_article
def test_the_statements_are_numbered_in_their_order(title, anchor, count):
    places = [found["where"].rsplit(" ", 1) for found in statements(title)]
    seen = {}
    for section, number in places:
        seen.setdefault(section, []).append(int(number))
    assert all(ns == list(range(1, len(ns) + 1)) for ns in seen.values())
    assert list(seen) == list(dict.fromkeys(s for s, _ in places))


@each_article
def test_a_statement_has_a_claim_or_says_why_not(title, anchor, count):
    for found in statements(title):
        verdict = found["verdict"]
        assert CLAIM.search(found["claims"]) or verdict.startswith(WITHOUT_CLAIM)
        assert len(verdict.split()) <= 12, found["where"]


def test_every_claim_of_the_chapters_stands_beside_a_statement():
    told = {label.split(".")[0] for label in CLAIM.findall(PAGE)}
    chapters = {name for c in course.chapters() for name in c.claims}
    assert sorted(chapters - told - OURS) == []
    assert not OURS & told


def test_every_claim_that_is_named_is_in_the_ledger():
    known = {line.name for line in LINES}
    known |= {f"{line.name}.{line.key}" for line in LINES if line.key}
    assert sorted(set(CLAIM.findall(PAGE)) - known) == []


def test_chapters_call_an_article_by_its_title():
    for path in BOOK.glob("*.ipynb"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"article 00\d|\b[AaOo]ne? article\b", text), path.name
        for anchor in re.findall(r"\(articles\.md#([^)]+)\)", text):
            assert anchor in {anchor for _, anchor, _ in LISTED}, path.name
