"""The reference pages: links that lead somewhere, numbers that claims bind, lists."""

import re
from functools import cache
from urllib.parse import unquote

import pytest
from fontTools.ttLib import TTFont
from pybtex.database import parse_file

from tools import course, normal_form, verdicts

ROOT = course.ROOT
BOOK = ROOT / "book"
PAGES = sorted(BOOK.glob("*.md"))
NOTEBOOKS = course.notebooks()
LINES = verdicts.claim_lines()
CLAIMS = {name for names in course.measured().values() for name in names}
LINK = re.compile(r"\]\(([^)\s]+)(?: \"[^\"]*\")?\)")
WORK = re.compile(r"https://(?:arxiv\.org/abs/\d+\.\d+|doi\.org/10\.\d+/[^\s\"\\>]+\d)")
LIBRARY = {
    key: dict(entry.fields.items()) | {"authors": entry.persons.get("author", [])}
    for key, entry in parse_file(str(BOOK / "references.bib")).entries.items()
}


@cache
def text_of(name):
    """Return the Markdown of a page of the book, or of the text cells of a notebook."""
    if name.endswith(".md"):
        return (BOOK / name).read_text("utf-8")
    cells = normal_form.read(BOOK / name).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


@cache
def anchors(name):
    """Return the addresses of the headings of a page, as GitHub and the site do."""
    text = re.sub(r"(?ms)^```.*?^```", "", text_of(name))
    found = set()
    for title in re.findall(r"^#{1,4} (.*)", text, re.MULTILINE):
        plain = re.sub(r"[^\w\u4e00-\u9fff\- ]", "", title.lower())
        found.add(plain.replace(" ", "-"))
    return found


def faults_of(page):
    """List the links of a page inside of the book that lead nowhere."""
    for link in LINK.findall(re.sub(r"`[^`\n]*`", "", text_of(page.name))):
        if re.match(r"https?:|repo:|colab:", link):
            continue
        name, _, anchor = link.partition("#")
        if not (BOOK / name).is_file():
            yield f"{link}: no such file"
        elif anchor and unquote(anchor) not in anchors(name):
            yield f"{link}: no such heading"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_each_link_inside_the_book_has_its_target(page):
    assert list(faults_of(page)) == []


def test_a_dead_link_would_be_seen(tmp_path):
    assert "what-is-not-there" not in anchors("02-forward.ipynb")
    assert "what-ε-really-does" in anchors("02-forward.ipynb")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_each_claim_that_a_page_names_is_measured(page):
    names = set(re.findall(r"\*\*([A-Z]\d+)\*\*", text_of(page.name)))
    assert names <= CLAIMS


# Questions


ANSWERS = list(verdicts.ANSWER.finditer(text_of("faq.md")))


def test_each_question_has_a_short_answer():
    text = text_of("faq.md")
    assert len(ANSWERS) == text.count("\n### ") >= 25
    for answer in ANSWERS:
        plain = re.sub(r"`[^`]*`|<!--.*?-->|\d\.\d", "x", answer["text"])
        ends = re.findall(r"[.?!](?= |$)", plain)
        assert len(ends) == 2, answer["question"]
        assert LINK.search(answer["below"]), answer["question"]


def test_each_number_of_an_answer_is_that_of_a_claim():
    text = text_of("faq.md")
    assert verdicts.filled(text, LINES) == text
    assert verdicts.faults(text, LINES) == []
    assert all(verdicts.PLACE.search(answer["text"]) for answer in ANSWERS)


@pytest.mark.parametrize(
    "before, after, fault",
    [
        ("Train on,", "Wait 77 steps,", "77 is typed into an answer"),
        ("**I3** · [clinic]", "[clinic]", "must name the claims of its numbers"),
        ("**I3** · [clinic]", "**I4** · [clinic]", "must name the claims"),
    ],
)
def test_a_number_without_its_claim_is_a_fault(before, after, fault):
    text = text_of("faq.md")
    assert before in text
    found = verdicts.faults(text.replace(before, after), LINES)
    assert any(fault in line for line in found)


# Words and symbols


def test_terms_are_in_order_and_say_where_they_are_defined():
    terms = re.split(r"\n### ", text_of("glossary.md"))[1:]
    names = [term.splitlines()[0] for term in terms]
    assert len(names) >= 50
    assert names == sorted(names, key=str.lower)
    for name, term in zip(names, terms, strict=True):
        assert LINK.search(term), name
        words = re.sub(r"\*Also\*.*?\.|\]\([^)]*\)", "", term).split()
        assert len(words) <= 60, f"{name}: one or two sentences"


def test_words_for_a_term_belong_to_it_alone():
    text = text_of("glossary.md")
    also = re.findall(r"^\*Also\* (.*?)\. ", text, re.MULTILINE)
    words = [word.strip().lower() for line in also for word in line.split(",")]
    words += [name.lower() for name in re.findall(r"^### (.*)", text, re.MULTILINE)]
    assert len(set(words)) == len(words)


def test_names_in_code_are_names_in_code():
    sources = [path.read_text("utf-8") for path in (ROOT / "bnlib").rglob("*.py")]
    sources += [
        cell.source
        for book in NOTEBOOKS.values()
        for cell in normal_form.code_cells(book)
    ]
    known = set(re.findall(r"\w+", "\n".join(sources)))
    text = text_of("notation.md")
    rows = re.findall(r"^\| \$.*\| ([^|]*) \|$", text, re.MULTILINE)
    codes = [code for row in rows for code in re.findall(r"`([^`]+)`", row)]
    assert len(codes) > 30
    assert [c for c in codes if not set(re.findall(r"[a-z_]\w*", c)) <= known] == []


# The bibliography


def test_each_work_that_is_cited_stands_in_the_bibliography():
    known = {
        address
        for fields in LIBRARY.values()
        for address in (fields.get("url"), "https://doi.org/" + fields.get("doi", ""))
    }
    texts = [text_of(f"{file}.ipynb") for file in NOTEBOOKS]
    texts += [path.read_text("utf-8") for path in (ROOT / "bnlib").rglob("*.py")]
    cited = {address for text in texts for address in WORK.findall(text)}
    assert len(cited) > 40
    assert sorted(cited - known) == []


@pytest.mark.parametrize("key", LIBRARY)
def test_an_entry_agrees_with_itself(key):
    fields = LIBRARY[key]
    first, year = fields["authors"][0], int(fields["year"])
    name = "".join([*first.prelast_names, *first.last_names])
    assert key.startswith(re.sub(r"[^a-z]", "", name.lower()) + str(year))
    assert fields["checked"] and ("doi" in fields or "url" in fields)
    if number := re.search(
        r"arxiv\.org/abs/(\d\d)\d\d\.\d{4,5}$", fields.get("url", "")
    ):
        assert 0 <= year - 2000 - int(number[1]) <= 2  # in print soon after


# The license


def test_the_fonts_say_their_license_themselves():
    fonts = sorted((BOOK / "_static" / "katex" / "fonts").glob("*.woff2"))
    assert len(fonts) == 20
    for path in fonts[:: len(fonts) // 4]:
        assert "SIL Open Font License" in TTFont(path)["name"].getDebugName(13)


def test_the_page_names_what_the_license_file_names():
    page, file = text_of("license.md"), (ROOT / "LICENSE").read_text("utf-8")
    for name in ("CC BY 4.0", "MIT", "KaTeX"):
        assert name in page
        assert name.lower() in file.lower()
