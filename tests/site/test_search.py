"""The search finds sections, and lands on them with the words marked.

What readers type stands in ``queries``, with the sections that answer it, several where
several do. The addresses are those of the pages without ``book/`` and ``.html``. A page
that is not on this site yet may be named, too.
"""

import gzip
import hashlib
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from tests.site.axe import broken, describe
from tests.site.conftest import watch
from tests.site.course import LAPTOP, PHONE, ROOT

SOURCES = ROOT / "book" / "_static" / "search"
# How many of a table's questions must have a right section among the first three.
NEEDED = {"review": 36, "others": 32, "fresh": 16, "questions": 23}
FIRST = """questions => questions.map(question =>
    courseSearch.find(question).slice(0, 3).map(hit => [hit.address, hit.anchor]))"""
AGAIN = """([find, hash]) => {
    for (const mark of document.querySelectorAll('mark.course-mark'))
        mark.replaceWith(...mark.childNodes);
    history.replaceState(null, '', `?find=${find}#${hash}`);
    courseSearch.land();
}"""
# How many marked words of the target are in sight after a landing.
SIGHT = """() => {
    const seen = node => {
        const { top, bottom } = node.getBoundingClientRect();
        return node.checkVisibility() && top >= 0 && bottom <= innerHeight;
    };
    const id = location.hash.slice(1);
    const place = id ? document.getElementById(id) : document.querySelector('h1');
    const section = place.textContent.trim() ? place : place.closest('section');
    const inside = [...section.querySelectorAll('mark.course-mark')];
    return inside.filter(seen).length;
}"""


def table(name):
    """Return ``{question: addresses that answer it}``."""
    lines = (Path(__file__).parent / "queries" / f"{name}.tsv").read_text("utf8")
    rows = [line.split("\t") for line in lines.splitlines() if line[0] != "#"]
    return {question: answers.split() for question, answers in rows}


def address_of(page, anchor):
    page = page.removeprefix("book/").removesuffix(".html")
    return f"{page}#{anchor}" if anchor else page


@pytest.fixture(scope="module")
def index(site):
    """Return the records that the site has been built with."""
    text = (site / "_static/search/sections.js").read_text("utf8")
    return json.loads(text.partition(" = ")[2].rstrip(";\n"))


@pytest.fixture(scope="module")
def new_page(browser, address):
    """Return a function that opens a page for some tests, and tells what goes wrong."""
    pages = []

    def new_page(path):
        pages.append(browser.new_page(viewport=LAPTOP))
        pages[-1].set_default_timeout(60_000)
        trouble = watch(pages[-1], address)
        pages[-1].goto(f"{address}/{path}")
        return pages[-1], trouble

    yield new_page
    for page in pages:
        page.close()


@pytest.fixture(scope="module")
def results(new_page):
    """Return the page of the search, which was asked something by its address."""
    page, trouble = new_page("search.html?q=a%20frozen%20backbone%20drifts")
    page.get_by_role("option").first.wait_for()
    return page, trouble


@pytest.fixture(scope="module")
def first_three(results):
    """Return a function that gives the first three addresses for each question."""

    def ask(questions):
        found = results[0].evaluate(FIRST, list(questions))
        return [[address_of(*hit) for hit in hits] for hits in found]

    return ask


@pytest.fixture(scope="module")
def opened(new_page):
    """Return a page with an open search, and what it has asked for before and since."""
    page, trouble = new_page("genindex.html")
    loaded = "performance.getEntriesByType('resource').map(entry => entry.name)"
    before, since = page.evaluate(loaded), []
    page.on("request", lambda request: since.append(request.url))
    page.keyboard.press("Control+k")
    page.keyboard.type("moving weights")
    page.get_by_role("option").first.wait_for()
    return page, trouble, before, since


@pytest.fixture(scope="module")
def land(new_page):
    """Return a function that lands on an address as a result does."""
    known = {}

    def land(name, anchor, words):
        if name not in known:
            known[name], _ = new_page(f"book/{name}.html?find=batch")
            known[name].locator("mark.course-mark").first.wait_for(state="attached")
        known[name].evaluate(AGAIN, [words, anchor])
        return known[name]

    return land


def test_a_right_section_is_among_the_first_three(first_three, index):
    places = {address_of(index["pages"][row[0]][0], row[2]) for row in index["rows"]}
    for name, needed in NEEDED.items():
        rows = table(name)
        lost = [
            question for question, answers in rows.items() if not {*answers} & places
        ]
        assert not lost, f"{name}: the site has none of the answers to {lost}"
        found = first_three(rows)
        pairs = zip(rows.items(), found, strict=True)
        missed = [f"{q}: {hits}" for (q, a), hits in pairs if not {*a} & {*hits}]
        right = len(rows) - len(missed)
        print(f"{name}: {right} of {len(rows)} among the first three")
        assert right >= needed, "\n".join([f"{name}: {right} right", *missed])


@pytest.mark.parametrize(
    "one, other",
    [
        ("batch norm", "batch normalization"),
        ("BN momentum", "batchnorm momentum"),
        ("sync batchnorm", "SyncBN"),
        ("small batches", "small batch"),
        ("ε", "epsilon"),
        ("quantization", "quantizaton"),
    ],
)
def test_spellings_find_the_same(first_three, one, other):
    found = first_three([one, other])
    assert found[0][0] == found[1][0]


def test_nothing_is_found_for_nonsense(first_three):
    assert first_three(["qqqxyzzy", "", "the"]) == [[], [], []]


def test_records_have_no_furniture_and_no_source_of_a_formula(index):
    texts = [f"{row[3]}\n{row[4]}" for row in index["rows"]]
    assert len(texts) > 400
    unwanted = re.compile(r"\\(frac|sqrt|bar|mu|gamma)\b|Colab Repository|[●○]\s")
    assert not [text for text in texts if unwanted.search(text)]
    # Code stays apart, and the set-up of a notebook is no part of a text.
    assert not any("importlib.util" in text for text in texts)


def test_nothing_is_loaded_before_the_field_has_the_focus(opened, site):
    _, _, before, since = opened
    ours = [name for name in before if "/_static/search/" in name]
    assert [re.split("[/?]", name)[-2] for name in ours] == ["start.js"]
    assert any("sections.js" in name for name in since)
    weights = {
        path.name: round(len(gzip.compress(path.read_bytes(), 6)) / 1024, 1)
        for path in (site / "_static/search").glob("*.[jc]s*")
    }
    print("KiB with gzip:", weights)
    assert weights.pop("start.js") < 1
    assert weights.pop("sections.js") < 300
    assert sum(weights.values()) < 24


def test_what_is_found_is_accessible_in_both_themes_and_fits_a_phone(opened, expect):
    page = opened[0]
    for theme in ("dark", "light"):
        page.emulate_media(color_scheme=theme)
        expect(page.locator("html")).to_have_attribute("data-theme", theme)
        page.evaluate("document.getAnimations().forEach(it => it.finish())")
        found = broken(page, "#pst-search-dialog")
        assert not found, "\n".join(map(describe, found))
    page.set_viewport_size(PHONE)
    box = page.locator("#pst-search-dialog").bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= PHONE["width"]
    assert box["y"] >= 0 and box["y"] + box["height"] <= PHONE["height"]
    assert page.get_by_role("link", name="Show more").is_visible()
    page.set_viewport_size(LAPTOP)


def test_keys_choose_open_and_close(opened, expect):
    page, trouble, *_ = opened
    field = page.get_by_role("combobox")
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-expanded", "true")
    expect(page.get_by_role("status")).to_have_text(re.compile(r"^8 of \d+ sections"))
    options = page.get_by_role("option")
    expect(options).to_have_count(8)

    def chosen():
        identifier = field.get_attribute("aria-activedescendant")
        selected = page.locator('[role="option"][aria-selected="true"]')
        assert selected.get_attribute("id") == identifier
        return int(identifier.rpartition("-")[2])

    places = [chosen()]
    for key in ("ArrowDown", "ArrowDown", "ArrowUp", "ArrowUp", "ArrowUp", "ArrowDown"):
        page.keyboard.press(key)
        places.append(chosen())
    assert places == [0, 1, 2, 1, 0, 7, 0]
    assert options.first.locator("mark").all_inner_texts()[:2] == ["Moving", "weights"]
    page.keyboard.press("Escape")
    expect(field).not_to_be_visible()
    page.keyboard.press("Control+k")
    expect(field).to_have_value("")
    expect(field).to_have_attribute("aria-expanded", "false")
    expect(options).to_have_count(0)
    page.keyboard.press("Enter")  # leads nowhere
    page.keyboard.type("moving weights")
    page.keyboard.press("Enter")
    page.wait_for_url("**/book/conventions.html?*#moving-weights")
    marks = page.locator("mark.course-mark")
    expect(marks.first).to_be_visible()
    assert page.evaluate(SIGHT) > 1
    page.keyboard.press("Escape")
    expect(marks).to_have_count(0)
    assert trouble.console == trouble.failed == trouble.foreign == []


def test_search_works_from_the_disk(visit, expect):
    page, trouble = visit("genindex.html", offline=True)
    page.keyboard.press("Control+k")
    page.keyboard.type("which edge cases")
    expect(page.get_by_role("option").first).to_contain_text("Which edge cases")
    page.keyboard.press("Enter")
    expect(page.locator("mark.course-mark").first).to_be_visible()
    assert page.url.startswith("file:") and page.url.endswith("#which-edge-cases")
    assert page.evaluate(SIGHT) > 0
    page.keyboard.press("Control+k")  # the same section again
    page.keyboard.type("which edge cases")
    page.get_by_role("option").first.click()
    expect(page.get_by_role("combobox")).not_to_be_visible()
    assert page.url.startswith("file:") and page.url.endswith("#which-edge-cases")
    assert trouble.console == trouble.foreign == []


def test_the_page_of_the_search_takes_a_question_from_its_address(results, expect):
    page, trouble = results
    field = page.locator("#main-content").get_by_role("combobox")
    expect(field).to_have_value("a frozen backbone drifts")
    expect(field).to_be_focused()
    first = page.get_by_role("option").first
    expect(first).to_contain_text("A frozen backbone drifts")
    assert first.get_attribute("href").endswith("#a-frozen-backbone-drifts")
    assert trouble.console == trouble.failed == trouble.foreign == []


def test_what_folds_the_words_away_is_unfolded(land, expect):
    # "decide" stands in a hint of this exercise, and nowhere else in it.
    page = land("04-inference", "exercise-4-1", "decid")
    mark = page.locator("mark.course-mark")
    expect(mark).to_have_text("decide")
    expect(mark).to_be_visible()
    hints = page.locator("section:has(> #exercise-4-1) details")
    opened = hints.evaluate_all("all => all.map(one => one.open)")
    assert opened.count(True) == 1 < len(opened)


def test_words_of_a_public_question_land_on_its_answer(first_three, results, land):
    questions = table("questions")
    found = first_three(questions)
    assert len(found) > 20
    pages = Counter(hit.partition("#")[0] for hits in found for hit in hits)
    for (question, answers), hits in zip(questions.items(), found, strict=True):
        right = [hit.partition("#") for hit in hits if hit in answers]
        name, _, anchor = max(right, key=lambda parts: pages[parts[0]])
        words = results[0].evaluate("text => courseSearch.words(text)", question)
        page = land(name, anchor, " ".join(words))
        assert page.evaluate(SIGHT) > 0, f"{question}: {name}#{anchor}"


def test_the_library_is_what_its_notice_says():
    text = (SOURCES / "library.js").read_text("utf8")
    notice, _, body = text.partition("*/\n")
    told = re.search(r"sha256 ([0-9a-f]{64})", notice)[1]
    assert hashlib.sha256(body.encode()).hexdigest() == told
    license_text = (SOURCES / "LICENSE").read_text("utf8")
    for name, holder in (("MiniSearch", "Luca Ongaro"), ("stemmer", "Titus Wormer")):
        assert re.search(rf"{name} \d+\.\d+\.\d+, Copyright .*{holder}", notice)
        assert holder in license_text
