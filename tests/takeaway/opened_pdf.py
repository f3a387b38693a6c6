"""The PDF that ``make pdf`` has just written, opened again.

Not named ``test_…``: to print the book takes a minute, so it is no part of `make test`.
"""

import json
import re
from functools import cache

import numpy as np
import pikepdf
import pypdfium2
import pytest

from tools import course, normal_form, takeaway
from tools.takeaway_book import BACK, LEFT_OUT
from tools.takeaway_tags import ROLES, is_tag, kids

PATH = takeaway.ROOT / takeaway.SITE / takeaway.FOLDER / f"{takeaway.NAME}.pdf"
# What PDF 1.7 knows and Chromium writes.
STANDARD = {
    *("Document", "Art", "Div", "BlockQuote", "P", "H1", "H2", "H3", "H4", "H5", "H6"),
    *(
        "L",
        "LI",
        "Lbl",
        "LBody",
        "Table",
        "TR",
        "TH",
        "TD",
        "THead",
        "TBody",
        "Caption",
    ),
    *("Figure", "Formula", "Link", "Code", "Span"),
}
HEAD, FOOT = 60, 57  # points from the edges that the running titles take


@pytest.fixture(scope="module")
def pdf():
    """Return the file, with its structure."""
    if not PATH.is_file():
        pytest.fail(f"{PATH} is missing: make pdf writes it")
    with pikepdf.open(PATH) as opened:
        yield opened


@pytest.fixture(scope="module")
def printed():
    """Return the file, to read and to look at."""
    with pypdfium2.PdfDocument(PATH) as opened:
        yield opened


@pytest.fixture(scope="module")
def texts(printed):
    """Return the text between head and foot of each page."""
    return [within(page, HEAD, page.get_height() - FOOT) for page in printed]


def within(page, above, below):
    """Return the text of a page between two distances from its upper edge."""
    height, width = page.get_height(), page.get_width()
    box = {"left": 0, "right": width, "top": height - above, "bottom": height - below}
    return page.get_textpage().get_text_bounded(**box)


def bare(text):
    """Return a text without spaces: lines break elsewhere on paper."""
    return re.sub(r"\s+", "", text)


@pytest.fixture(scope="module")
def places(pdf):
    """Return the page of each named place, from 0."""
    numbers = {page.obj.objgen: i for i, page in enumerate(pdf.pages)}
    return {k: numbers[place[0].objgen] for k, place in pdf.Root.Dests.items()}


@pytest.fixture(scope="module")
def entries(pdf):
    """Return the outline, flat: level, words and page."""
    numbers = {page.obj.objgen: i for i, page in enumerate(pdf.pages)}

    def listed(items, level):
        for item in items:
            place = item.destination
            if not isinstance(place, pikepdf.Array):
                place = pdf.Root.Dests[f"/{str(place).removeprefix('/')}"]
            yield level, item.title, numbers[place[0].objgen]
            yield from listed(item.children, level + 1)

    with pdf.open_outline() as outline:
        return list(listed(outline.root, 1))


@cache
def all_tags(path=PATH):
    """Return name, words and inner names of each tag."""
    with pikepdf.open(path) as opened:
        todo, found = kids(opened.Root.StructTreeRoot), []
        while todo:
            tag = todo.pop()
            inner = [kid for kid in kids(tag) if is_tag(kid)]
            todo += inner
            words = str(tag.get("/Alt", ""))
            found.append((str(tag.S)[1:], words, [str(kid.S)[1:] for kid in inner]))
    return found


def test_it_is_sound(pdf):
    assert pdf.check_pdf_syntax() == []


def test_it_is_small_enough_to_send():
    assert PATH.stat().st_size < 8e6


def test_it_says_what_it_is(pdf):
    about = takeaway.about()
    assert pdf.Root.Lang == about["language"] == "en-US"
    assert pdf.Root.ViewerPreferences.DisplayDocTitle
    with pdf.open_metadata() as said:
        assert said["dc:title"] == about["title"]
        assert said["dc:creator"] == about["authors"]
        assert "CC BY 4.0" in said["dc:rights"] and "MIT" in said["dc:rights"]


def test_it_has_the_tags_of_the_standard(pdf):
    assert pdf.Root.MarkInfo.Marked
    tags = all_tags()
    assert {name for name, _, _ in tags} - set(ROLES) <= STANDARD
    assert {str(pdf.Root.StructTreeRoot.RoleMap[f"/{k}"]) for k in ROLES} <= {
        "/Span",
        "/Sect",
    }
    assert sum(name == "Table" for name, _, _ in tags) > 30
    items = [inner for name, _, inner in tags if name == "LI"]
    assert items and all(set(inner) <= {"Lbl", "LBody"} for inner in items)


def test_pictures_and_formulas_have_words():
    drawn = [words for name, words, _ in all_tags() if name == "Figure"]
    formulas = [words for name, words, _ in all_tags() if name == "Formula"]
    assert sum(len(words) > 30 for words in drawn) > 50
    assert min(map(len, drawn)) > 10
    assert len(formulas) > 500 and all(formulas)
    assert not any(words.startswith("Formula") for words in formulas)


def test_each_text_belongs_to_one_tag(pdf):
    """What the pages say of their texts, and what the tags say, is the same."""
    numbers = iter(pdf.Root.StructTreeRoot.ParentTree.Nums)
    owners = dict(zip(map(int, numbers), numbers, strict=True))
    for page in pdf.pages[10:400:39]:
        marks = {
            int(operands[1].MCID)
            for operands, operator in pikepdf.parse_content_stream(page, "BDC")
            if str(operator) == "BDC" and "/MCID" in operands[1]
        }
        row = owners[int(page.obj.StructParents)]
        assert marks
        for mark in marks:
            held = kids(row[mark])
            page_of = row[mark].get("/Pg")
            assert any(
                (isinstance(kid, int) and kid == mark and page_of == page.obj)
                or (
                    isinstance(kid, pikepdf.Dictionary)
                    and kid.get("/MCID") == mark
                    and kid.Pg == page.obj
                )
                for kid in held
            )


def test_the_outline_has_every_chapter_and_leads_to_it(entries, texts):
    first = [words for level, words, _ in entries if level == 1]
    chapters = [f"Chapter {c.number}: {c.title}" for c in course.chapters()]
    assert [words for words in first if words.startswith("Chapter")] == chapters
    assert first[:2] == ["Contents", takeaway.about()["title"]]
    assert first[-1] == "Hints and solutions"
    assert {level for level, _, _ in entries} == {1, 2, 3}
    lost = [words for _, words, i in entries if bare(words) not in bare(texts[i])]
    assert lost == []


def links(pdf):
    """Return for each link the index of its page and what it leads to."""
    for i, page in enumerate(pdf.pages):
        for found in page.obj.get("/Annots", ()):
            if found.Subtype == "/Link":
                action = found.get("/A", pikepdf.Dictionary())
                place = found.get("/Dest", action.get("/D"))
                yield i, found, place, action.get("/URI")


def test_no_link_is_dead(pdf, places):
    inner, outer = [], []
    for _, _, place, address in links(pdf):
        (outer if place is None else inner).append(str(address or place))
    assert len(inner) > 1500 and len(outer) > 100
    assert {f"/{name.removeprefix('/')}" for name in inner} <= places.keys()
    assert {address.partition("://")[0] for address in outer} <= {"http", "https"}


def test_links_to_what_is_left_out_lead_to_the_site(pdf):
    site = f"{takeaway.about()['address']}book/"
    outer = {str(address).partition("#")[0] for *_, address in links(pdf)}
    assert f"{site}api/lab.html" in outer
    assert outer & {f"{site}{name}.html" for name in LEFT_OUT}


def test_the_contents_name_the_pages_that_they_lead_to(pdf, printed, entries, places):
    begin, end = [i for level, _, i in entries if level == 1][:2]
    checked = 0
    for i, found, place, _ in links(pdf):
        if begin <= i < end:
            left, bottom, right, top = map(float, found.Rect)
            text = printed[i].get_textpage().get_text_bounded(left, bottom, right, top)
            assert int(text.split()[-1]) == places[f"/{str(place).strip('/')}"] + 1
            checked += 1
    assert checked > 100


def test_every_page_has_its_number_and_is_not_empty(printed):
    for i, page in enumerate(printed):
        height = page.get_height()
        if i:  # not the cover
            assert within(page, height - FOOT, height).strip() == str(i + 1)
        scale = 0.3
        ink = np.asarray(page.render(scale=scale, grayscale=True).to_pil()) < 200
        body = ink[int(HEAD * scale) : int((height - FOOT) * scale)]
        assert body.sum() > 20, f"page {i + 1} is empty"


def test_the_title_of_a_chapter_runs_along(printed, places):
    for chapter in course.chapters():
        page = printed[places[f"/{chapter.file}"] + 1]
        words = f"Chapter {chapter.number}: {chapter.title}"
        assert bare(within(page, 0, HEAD)).endswith(bare(words))


def test_every_chapter_begins_on_a_page_of_its_own(texts, places):
    for chapter in course.chapters():
        text = texts[places[f"/{chapter.file}"]]
        assert bare(text).startswith(f"Chapter{chapter.number}:")


def solution_cells():
    """Return name and source of the solution of each exercise."""
    return [
        (cell.metadata.exercise.name, cell.source)
        for notebook in course.notebooks().values()
        for cell in normal_form.code_cells(notebook)
        if cell.metadata.get("exercise", {}).get("role") == "solution"
    ]


def test_every_solution_stands_at_the_end(texts, places):
    found = bare("".join(texts[places[f"/{BACK}"] :]))
    before = bare("".join(texts[: places[f"/{BACK}"]]))
    cells = solution_cells()
    assert len(cells) > 80
    for name, source in cells:
        missing = [it for it in source.splitlines() if bare(it) not in found]
        assert missing == [], name
        assert bare(source.splitlines()[0]) not in before, name


def test_every_claim_is_in_it(texts):
    path = takeaway.ROOT / takeaway.SITE / "book" / "ledger.json"
    ledger = json.loads(path.read_text("utf-8"))
    text = "\n".join(texts)
    listed = [name for names in course.measured().values() for name in names]
    keys = re.findall(r'"([A-Z]\d+\.[\w-]+)"', json.dumps(ledger))
    assert len(listed) > 70 and len(keys) > 200
    missing = {it for it in [*listed, *keys] if not re.search(rf"\b{it}\b", text)}
    assert missing == set()


def test_what_needs_a_screen_is_not_in_it(texts):
    text = "\n".join(texts)
    for words in ("Show the solution", "Answer on this page\n", "Run this page\n"):
        assert words not in text
