"""Folding, buttons, the ledger and the icons, as a reader meets them."""

import json
from io import BytesIO

import pytest
from fontTools.ttLib import TTFont

from tests.site.course import CHAPTERS, CONFIG, MEASURED, ROOT
from tools import course

REPOSITORY = CONFIG["repository"]["url"]


# Folding


def test_what_is_folded_is_printed(visit):
    page, _ = visit(f"{CHAPTERS[1]}.html")
    folded = page.locator("details:not([open])")
    inside = page.locator("details:not([open]) > :not(summary)")
    seen = "all => all.map(one => one.checkVisibility())"
    assert folded.count() > 10
    assert not any(inside.evaluate_all(seen))
    page.emulate_media(media="print")
    printed = inside.evaluate_all(seen)
    page.emulate_media(media="null")
    assert all(printed)


# Whether each element could be clicked in its middle: nothing lies over it.
CAN_BE_CLICKED = """elements => elements.map(it => {
    it.scrollIntoView({ block: 'center', behavior: 'instant' });
    const { left, top, width, height } = it.getBoundingClientRect();
    return it.contains(document.elementFromPoint(left + width / 2, top + height / 2));
})"""
# Whether what each solution hides is seen: at first, after one click and after two.
CLICKED_TWICE = """solutions => solutions.map(it => {
    const seen = () => it.querySelector('pre').checkVisibility();
    const clicked = () => { it.querySelector('summary').click(); return seen(); };
    return [seen(), clicked(), clicked()];
})"""


def test_solutions_fold_and_unfold(look_at, chapter, expect):
    page, _ = look_at(chapter)
    solutions = page.locator("details.hide")
    assert solutions.count() > 0, "a chapter without a folded solution"
    summaries = solutions.locator("summary")
    assert summaries.count() == solutions.count()
    assert all(summaries.evaluate_all(CAN_BE_CLICKED))
    steps = solutions.evaluate_all(CLICKED_TWICE)
    assert steps == [[False, True, False]] * solutions.count()
    # A mouse takes a tenth of a second for each, so it clicks on one.
    inside = solutions.first.locator("pre").first
    summaries.first.click()
    expect(inside).to_be_visible()
    summaries.first.click()
    expect(inside).not_to_be_visible()


def test_solutions_unfold_without_a_script(look_at, chapter, expect):
    page, _ = look_at(chapter, "no script")
    solution = page.locator("details.hide").first
    expect(solution.locator("pre").first).not_to_be_visible()
    solution.locator("summary").click()
    expect(solution.locator("pre").first).to_be_visible()


# Buttons


LINKS = "links => links.map(link => link.getAttribute('href'))"


def hrefs(page):
    return page.locator(".article-header-buttons a").evaluate_all(LINKS)


def test_colab_button_opens_this_chapter(look_at, chapter):
    page, _ = look_at(chapter)
    name = REPOSITORY.removeprefix("https://github.com/")
    branch = CONFIG["repository"]["branch"]
    base = "https://colab.research.google.com/github"
    assert f"{base}/{name}/blob/{branch}/{chapter}.ipynb" in hrefs(page)


def test_download_button_gives_the_notebook(look_at, chapter):
    page, _ = look_at(chapter)
    (link,) = [
        address
        for address in hrefs(page)
        if address.endswith(".ipynb") and not address.startswith("https:")
    ]
    with page.expect_download() as download:
        page.evaluate(f"location.href = {json.dumps(link)}")
    got = download.value.path().read_bytes()
    assert got == (ROOT / f"{chapter}.ipynb").read_bytes()


def test_repository_and_issue_buttons_are_right(look_at, toc_page):
    page, _ = look_at(toc_page)
    found = hrefs(page)
    assert REPOSITORY in found
    issue = f"{REPOSITORY}/issues/new?title=Issue%20on%20page%20%2F{toc_page}.html"
    assert any(address.startswith(issue) for address in found)


def test_landing_page_opens_the_chapters_in_colab(visit):
    page, _ = visit("book/index.html")
    name = REPOSITORY.removeprefix("https://github.com/")
    links = page.locator("article table a[href*='colab']").all()
    found = [link.get_attribute("href").split(f"{name}/blob/")[1] for link in links]
    branch = CONFIG["repository"]["branch"]
    assert found == [f"{branch}/{chapter}.ipynb" for chapter in CHAPTERS]


# The ledger


# The line that each address of a page leads to, and how far from the top it then is.
LANDING = """ids => {
    const landings = ids.map(id => {
        location.hash = id;
        const target = document.getElementById(id);
        return [target.textContent, target.getBoundingClientRect().top];
    });
    location.hash = '';
    return landings;
}"""
LEDGER = "book/claims.html"
# Each row: identifier, chapter, verdict, and of each line its link and its words.
ROWS = """rows => rows.map(row => ({
    name: row.cells[0].innerText,
    chapter: row.parentElement.rows[0].cells[0].querySelector('a').innerText,
    verdict: row.querySelector('.verdict-badge').innerText,
    lines: [...row.querySelectorAll('.ledger-lines li')].map(line => [
        line.querySelector('a').getAttribute('href'),
        line.querySelector('a').textContent,
        line.querySelector('p').textContent,
        line.querySelector('.claim-numbers span').textContent]),
}))"""
CLAIM = "tr.ledger-claim"


def stored_claims(chapter):
    """Return ``[label, sentence, measured and needs]`` of each claim in a notebook."""
    notebook = json.loads((ROOT / f"{chapter}.ipynb").read_text("utf8"))
    outputs = [out for cell in notebook["cells"] for out in cell.get("outputs", [])]
    lines = "".join("".join(out.get("text", "")) for out in outputs).splitlines()
    claims = []
    for line in lines:
        if line.startswith("✔ ") and ", needs " in line:
            head, tail = line.removeprefix("✔ ").rsplit(", needs ", 1)
            label, sentence, measured = head.split(" · ")
            needs, _, scope = tail.partition(" · ")
            words = f"{label} {sentence}" + (f" ({scope})" if scope else "")
            measured = measured.removeprefix("measured ")
            claims.append([label, words, f"{measured}, needs {needs}"])
    return claims


def test_ledger_lists_every_claim(look_at):
    page, _ = look_at("book/claims")
    rows = page.locator(CLAIM).evaluate_all(ROWS)
    measured = course.measured()
    stored = [claim for file in measured for claim in stored_claims(f"book/{file}")]
    assert len(stored) >= len(measured)
    assert sorted(line[1:] for row in rows for line in row["lines"]) == sorted(stored)
    names = [row["name"] for row in rows]
    assert sorted(names) == sorted(name for own in measured.values() for name in own)
    listed = [course.chapters()[n].title for n in range(len(course.chapters()))]
    chapters = list(dict.fromkeys(row["chapter"] for row in rows))
    titles = [chapter.partition(": ")[2] for chapter in chapters]
    assert titles[: len(listed)] == listed


@pytest.fixture(scope="session")
def ledger_links(tab):
    """Return the label behind each link of the ledger: {page: {id: label}}."""
    page, _ = tab("visit", LEDGER)
    by_page = {}
    for row in page.locator(CLAIM).evaluate_all(ROWS):
        for link, label, _, _ in row["lines"]:
            target, _, anchor = link.partition(".html#")
            by_page.setdefault(f"book/{target}", {})[anchor] = label
    return by_page


def test_ledger_leads_to_what_is_measured(ledger_links):
    assert sorted(ledger_links) == sorted(MEASURED)


def test_ledger_leads_to_the_lines_and_they_lead_back(
    look_at, ledger_links, measured_page
):
    page, _ = look_at(measured_page)
    wanted = ledger_links[measured_page]
    landings = page.evaluate(LANDING, list(wanted))
    for label, (line, top) in zip(wanted.values(), landings, strict=True):
        assert line.startswith(f"✔ {label} · ")
        assert 0 <= top < 800, f"{label} is out of sight"
    back = "links => links.map(link => [link.textContent, link.hash])"
    found = page.locator(".claim-line a").evaluate_all(back)
    assert sorted(label for label, _ in found) == sorted(wanted.values())
    for label, row in found:
        assert row == f"#ledger-{label.partition('.')[0].lower()}"


def test_a_row_that_is_asked_for_is_open_below_the_heads(look_at):
    page, _ = look_at("book/claims")
    page.evaluate("location.hash = 'ledger-w6'")
    row = page.locator("#ledger-w6")
    row.locator("details[open]").wait_for()
    assert row.locator("a", has_text="W6.raw").is_visible()
    head = page.locator("table.ledger thead th").first.bounding_box()
    chapter = page.locator("tr.ledger-chapter", has_text="What does it change")
    box = chapter.locator("th").bounding_box()
    assert 0 < head["y"] < 100
    assert head["y"] < box["y"] < row.bounding_box()["y"] < 800
    page.evaluate("location.hash = ''")
    row.locator("summary").click()


def test_ledger_is_filtered_with_the_keyboard(look_at):
    page, trouble = look_at("book/claims")
    count, rows = page.locator(".ledger-filter output"), page.locator(CLAIM)
    total = rows.count()
    assert count.get_attribute("aria-live") == "polite"
    assert count.inner_text() == f"{total} of {total} claims"
    verdict, article, chapter = page.locator(".ledger-filter select").all()
    page.locator(".ledger-filter select").first.focus()
    page.keyboard.type("false")
    wanted = [row for row in rows.evaluate_all(ROWS) if row["verdict"] == "false"]
    assert count.inner_text() == f"{len(wanted)} of {total} claims"
    assert page.locator(f"{CLAIM}:visible").count() == len(wanted) > 0
    heads = page.locator("tr.ledger-chapter:visible").count()
    assert heads == len({row["chapter"] for row in wanted})
    page.keyboard.press("Tab")
    assert article.evaluate("list => list === document.activeElement")
    page.keyboard.type("BN notes")
    assert page.locator(f"{CLAIM}:visible").count() < len(wanted)
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert verdict.input_value() == article.input_value() == chapter.input_value() == ""
    assert page.locator(f"{CLAIM}:visible").count() == total
    assert trouble.console == []


def test_ledger_needs_no_script(look_at):
    page, _ = look_at("book/claims", "no script")
    rows = page.locator(CLAIM)
    assert rows.count() == page.locator(f"{CLAIM}:visible").count() > 60
    assert page.locator(".ledger-filter").count() == 0
    line = rows.first.locator(".ledger-lines a").first
    assert not line.is_visible()
    rows.first.locator("summary").click()
    assert line.is_visible()


HEIGHT = "document.documentElement.scrollHeight"


def test_ledger_is_short(visit):
    page, _ = visit(LEDGER, viewport={"width": 1440, "height": 900})
    assert page.evaluate(HEIGHT) <= 9_000
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate(HEIGHT) <= 14_000


def test_ledger_as_data_counts_as_the_page_does(look_at, site):
    page, _ = look_at("book/claims")
    rows = page.locator(CLAIM).evaluate_all(ROWS)
    link = page.locator("article a[href='ledger.json']")
    assert link.count() >= 1
    claims = json.loads((site / "book" / "ledger.json").read_text("utf8"))["claims"]
    assert [one["id"] for one in claims] == [row["name"] for row in rows]
    assert [one["verdict"] for one in claims] == [row["verdict"] for row in rows]
    counts = [len(one["lines"]) for one in claims]
    assert counts == [len(row["lines"]) for row in rows]
    legend = page.locator(".ledger-legend b").all_inner_texts()
    assert sum(map(int, legend)) == len(claims)
    keys = {"key", "sentence", "measured", "needs", "address", "value", "op", "bound"}
    for one in claims:
        assert one["statement"] and one["explanation"] and one["scope"]
        assert all(keys <= set(line) for line in one["lines"])


# Icons


SHOWN_ICONS = """() => {
    const shown = [];
    for (const node of document.querySelectorAll('*'))
        for (const part of ['::before', '::after']) {
            const style = getComputedStyle(node, part);
            const text = style.content.replaceAll('"', '');
            if (style.fontFamily.includes('Font Awesome') && text && text != 'none')
                shown.push([style.fontFamily, style.fontWeight, text]);
        }
    return shown;
}"""


def icon_font(family, weight):
    """Return the file that the stylesheet takes for a family and a weight."""
    if "Brands" in family:
        return "fa-brands-400.woff2"
    return "fa-solid-900.woff2" if int(weight) > 500 else "fa-regular-400.woff2"


@pytest.fixture(scope="module")
def glyphs(site):
    """Return the code points that each icon font contains."""
    fonts = (site / "_static/vendor/fontawesome/webfonts").iterdir()
    return {
        path.name: set(TTFont(BytesIO(path.read_bytes())).getBestCmap())
        for path in fonts
    }


def test_no_icon_is_missing(look_at, glyphs, page_name):
    page, _ = look_at(page_name)
    shown = page.evaluate(SHOWN_ICONS)
    assert len(shown) > 5
    for family, weight, text in shown:
        font = icon_font(family, weight)
        assert {ord(letter) for letter in text} <= glyphs[font], (font, text)


def test_icons_weigh_little(site):
    static = site / "_static"
    fonts = (static / "vendor/fontawesome/webfonts").iterdir()
    assert sum(path.stat().st_size for path in fonts) < 30_000
    assert (static / "scripts/fontawesome.js").stat().st_size < 100
    assert not list(site.rglob("*.map"))
    assert not list(site.rglob("*.ttf"))
