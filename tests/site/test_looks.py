"""What a reader sees first and touches most: figures, focus, colors, the first page."""

import json
import re
from html import unescape

import pytest

from tests.site.course import CHAPTERS, LOOKS, PHONE, ROOT, TOC_PAGES
from tools import normal_form
from tools.book_lists import figures

MOST_REQUESTS = 20
BARE = re.compile(r"<(script|style)\b.*?</\1>|<[^>]+>", re.DOTALL)


def meta(html, name):
    """Return the contents of all tags for a name or a property."""
    pattern = rf'<meta (?:name|property)="{name}" content="([^"]*)"'
    return [*map(unescape, re.findall(pattern, html))]


# Figures


def test_each_figure_is_one_element_with_picture_and_words(site, chapter):
    html = (site / f"{chapter}.html").read_text("utf8")
    whole = re.findall(r'<figure class="course-figure".*?</figure>', html, re.S)
    named = [re.search(r'id="(figure-\d+-\d+)"', figure)[1] for figure in whole]
    captions = figures(normal_form.read(ROOT / f"{chapter}.ipynb"))
    assert named == [re.sub(r"\W+", "-", name.lower()) for name, _ in captions]
    for figure in whole:
        caption = figure.partition("<figcaption>")[2]
        assert re.match(r"\s*<p[^>]*><strong>Figure \d+\.\d+\.</strong>", caption)
        assert '<a class="reference internal image-reference"' not in figure
        picture = r'<img [^>]*width="\d+" height="\d+" loading="lazy"'
        words = r'role="img" aria-label="[^"]{40,}" width="\d+" height="\d+"'
        drawing = rf'<svg class="course-drawing" {words}'
        found = re.findall(f"{picture}|{drawing}", figure)
        assert len(found) == 1, "one picture, and space for one that comes late"
        assert figure.count("<img") + figure.count("<svg") == 1
    assert len(set(re.findall(r' id="([^"]+)"', html))) == html.count(' id="')


FIRST_FIGURE = """() => {
    const figure = document.querySelector('article figure.course-figure');
    const top = it => it.getBoundingClientRect().top;
    return top(figure) - top(document.querySelector('article'));
}"""


def test_a_chapter_shows_a_figure_before_much_code(look_at, chapter):
    page, _ = look_at(chapter)
    assert page.evaluate(FIRST_FIGURE) < 1200


def test_chapter_2_begins_with_its_two_curves(visit):
    page, _ = visit(f"{CHAPTERS[1]}.html", viewport={"width": 1440, "height": 900})
    picture = page.locator("#figure-2-1 svg").bounding_box()
    assert picture["y"] + picture["height"] / 2 < 900


def test_a_link_to_a_figure_shows_the_picture(visit):
    page, _ = visit(f"{CHAPTERS[3]}.html#figure-4-2")
    picture = page.locator("#figure-4-2 svg")
    bar = page.locator(".bd-header-article").bounding_box()
    box = picture.bounding_box()
    assert bar["y"] + bar["height"] <= box["y"] + 1
    assert box["y"] + box["height"] <= page.viewport_size["height"]


def test_the_code_of_a_figure_is_one_click_away(visit, expect):
    page, _ = visit(f"{CHAPTERS[3]}.html")
    cell = page.locator("div.cell:has(#figure-4-1)")
    code = cell.locator(".cell_input pre")
    expect(code).not_to_be_visible()
    cell.get_by_text("Show the code of Figure 4.1").click()
    expect(code).to_be_visible()
    expect(code).to_contain_text("plt.show()")
    assert page.get_by_text("Show the imports").count() == 1
    words = cell.locator("figcaption p").evaluate(
        "it => getComputedStyle(it).fontWeight"
    )
    assert words == page.locator("article p").last.evaluate(
        "it => getComputedStyle(it).fontWeight"
    )


def test_dark_pictures_have_the_values_of_light_ones(visit):
    page, _ = visit("book/10-new-data.html", **LOOKS["dark"])
    picture = page.locator("#figure-10-1 img")
    style = "image => getComputedStyle(image)"
    assert picture.evaluate(f"{style}.filter") == "none"
    assert picture.evaluate(f"{style}.backgroundColor") == "rgb(255, 255, 255)"


CONTRASTS = """() => {
    const parts = text => text.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b].map(it => it / 255)
        .map(it => it <= 0.04045 ? it / 12.92 : ((it + 0.055) / 1.055) ** 2.4)
        .reduce((sum, it, k) => sum + it * [0.2126, 0.7152, 0.0722][k], 0.05);
    const ground = light(parts(getComputedStyle(document.body).backgroundColor));
    const found = {};
    for (const it of document.querySelectorAll('svg.course-drawing :is(text, path)')) {
        const word = it.tagName === 'text', style = getComputedStyle(it);
        const ink = word ? style.fill : style.stroke;
        const clear = style.strokeOpacity < 1 || style.opacity < 1;
        if (!ink.startsWith('rgb') || clear) continue;
        const pair = [ground, light(parts(ink))].sort((a, b) => b - a);
        const contrast = pair[0] / pair[1];
        const key = `${word ? 'word' : 'line'} ${it.getAttribute('fill') ?? ''} ${ink}`;
        found[key] = Math.min(found[key] ?? 99, contrast);
    }
    return found;
}"""


@pytest.mark.parametrize("look", ["light", "dark"])
def test_drawings_are_seen_on_both_grounds(visit, look):
    for name in ("book/01-scaling", "book/03-backward", "book/10-new-data"):
        page, _ = visit(f"{name}.html", **LOOKS[look])
        found = page.evaluate(CONTRASTS)
        assert len(found) >= 6, found
        for kind, contrast in found.items():
            assert contrast >= (4.5 if kind.startswith("word") else 3), (name, kind)
        ink = page.locator("svg.course-drawing text:not([fill])").first
        same = (
            "it => getComputedStyle(it).fill === getComputedStyle(document.body).color"
        )
        assert ink.evaluate(same)


# The typeface


@pytest.mark.parametrize("look", ["light", "disk"])
def test_words_and_drawings_are_set_in_the_typeface_of_the_course(look_at, look):
    page, _ = look_at("book/02-forward", look)
    loaded = page.evaluate(
        "document.fonts.ready.then(fonts => [...fonts]"
        ".filter(font => font.status === 'loaded')"
        ".map(font => `${font.family} ${font.style}`.replaceAll('\"', '')))"
    )
    assert {"Measured Sans normal", "Measured Sans italic"} <= set(loaded)
    family = "it => getComputedStyle(it).fontFamily.split(',')[0]"
    for place in ("h1", "article p", "svg.course-drawing text", "nav a"):
        assert "Measured Sans" in page.locator(place).first.evaluate(family), place
    ahead = page.locator('link[rel="preload"][href$="measured-sans.woff2"]')
    assert ahead.count() == (look != "disk")


def test_a_line_of_text_has_about_seventy_letters(look_at):
    page, _ = look_at("book/02-forward")
    letters = page.evaluate(
        """() => [...document.querySelectorAll('article section > p')].flatMap(it => {
            const size = parseFloat(getComputedStyle(it).lineHeight);
            const lines = Math.round(it.offsetHeight / size);
            return lines > 3 ? [it.innerText.length / lines] : [];
        })"""
    )
    assert len(letters) > 5
    assert 55 <= sum(letters) / len(letters) <= 75


# Claims, questions and the opening of a chapter


def test_a_printed_claim_keeps_its_words_and_gets_a_bar(visit):
    page, _ = visit("book/06-why.html")
    line = page.locator("#claim-w1-noise")
    words = line.inner_text() and line.text_content().strip()
    printed = (
        r"✔ W1\.noise · points .+ · measured \d+ \(.+, 5 seeds\), needs > 12 · digits, "
    )
    assert re.match(printed, words), words
    assert page.locator(".claim-line").count() == page.locator(".claim-bar").count()
    head, numbers = (
        line.locator(f".claim-{part}").bounding_box() for part in ("head", "numbers")
    )
    assert numbers["x"] > head["x"] + head["width"] - 1
    assert abs(numbers["y"] - head["y"]) < 5


def test_a_question_and_its_answer_are_one_box(visit):
    page, _ = visit("book/07-placement.html")
    question = page.locator(".callout-predict").first.bounding_box()
    answer = page.locator(".callout-predict + details").first.bounding_box()
    assert abs(question["y"] + question["height"] - answer["y"]) < 2
    assert question["x"] == answer["x"]
    assert question["width"] == answer["width"]


def test_a_chapter_opens_with_its_facts_in_a_list(site, chapter):
    html = (site / f"{chapter}.html").read_text("utf8")
    facts = html.partition('<ul class="chapter-facts')[2].partition("</ul>")[0]
    items = [" ".join(BARE.sub("", item).split()) for item in facts.split("<li>")[1:]]
    assert re.match(r"\d+ minutes to read, \d+ seconds to run, ", items[0])
    assert any(item.startswith("You need ") for item in items)


# The keyboard


def test_every_stop_of_the_keyboard_shows_where_it_is(visit):
    page, _ = visit("book/04-inference.html")
    seen = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        stop = page.evaluate(
            """() => {
                const it = document.activeElement, style = getComputedStyle(it);
                const ring = style.outlineStyle !== 'none' &&
                    parseFloat(style.outlineWidth);
                return [it.outerHTML.slice(0, 90), it.tagName, ring];
            }"""
        )
        seen.add(stop[1])
        assert stop[2] >= 2, stop[0]
    assert {"A", "BUTTON"} <= seen


# Without a script


@pytest.mark.parametrize("viewport", [PHONE, {"width": 1280, "height": 800}])
def test_dark_reads_well_without_a_script(visit, viewport):
    off = {"java_script_enabled": False, "color_scheme": "dark"}
    page, _ = visit("book/04-inference.html", viewport=viewport, **off)
    for place in ("body", "div.highlight pre", "div.callout"):
        shade = background(page.locator(place).first)
        assert sum(shade) < 3 * 90, f"{place} is light"
    for place in ("h1", "p", "div.callout p", "div.highlight pre", "div.highlight .mi"):
        ink = color(page.locator(f"article {place}").first, "color")
        assert sum(ink) > 3 * 130, f"{place} is dark on dark"


def background(element):
    """Return the color behind an element, its own or that of what it stands in."""
    script = """it => {
        for (; it; it = it.parentElement) {
            const found = getComputedStyle(it).backgroundColor;
            if (!/, 0\\)$|transparent/.test(found)) return found;
        }
    }"""
    return numbers(element.evaluate(script))


def color(element, name):
    return numbers(element.evaluate(f"it => getComputedStyle(it).{name}"))


def numbers(text):
    return [*map(float, re.findall(r"[\d.]+", text))][:3]


def test_a_phone_without_a_script_has_the_list_of_chapters(visit, expect):
    page, _ = visit(f"{CHAPTERS[0]}.html", viewport=PHONE, java_script_enabled=False)
    link = page.locator("#pst-primary-sidebar").get_by_text("Where does it go?")
    expect(link).to_be_visible()
    link.click()
    page.wait_for_url("**/07-placement.html")


# What a page says of itself


def test_a_page_tells_what_it_is_and_where(site):
    for name in TOC_PAGES:
        html = (site / f"{name}.html").read_text("utf8")
        (words,) = meta(html, "description")
        assert re.search(r"[.?!:…]$", words), f"{name}: {words}"
        assert len(words) <= 202
        assert meta(html, "og:description") == [words]
        assert meta(html, "og:title")
        (address,) = meta(html, "og:url")
        assert address.endswith(f"/{name}.html")
        assert f'<link rel="canonical" href="{address}"' in html
        assert html.count('<meta name="viewport"') == 1
        assert len(re.findall(r"<h1\b", html)) == 1, name
        assert "ethical" not in html
    for name in CHAPTERS:
        (shared,) = meta((site / f"{name}.html").read_text("utf8"), "og:image")
        assert (site / "_images" / shared.rpartition("/")[2]).is_file()


def test_the_site_lists_its_pages_and_answers_wrong_addresses(site):
    listed = (site / "sitemap.xml").read_text("utf8")
    assert re.findall(r"<loc>https://[^<]*?/[^/<]+/((?:book/)[^<]*)\.html", listed) == (
        sorted(TOC_PAGES)
    )
    missing = (site / "404.html").read_text("utf8")
    addresses = re.findall(r'(?:href|src)="([^"#]*)"', missing)
    assert all(re.match(r"https?:|/", found) for found in addresses)
    root = (site / "index.html").read_text("utf8")
    assert 'lang="en"' in root
    assert '<a href="book/index.html">Batch Normalization, Measured</a>' in root


def test_a_page_asks_for_few_files(visit):
    for name in ("book/index", "book/04-inference"):
        page, _ = visit("book/license.html")
        asked = []
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        page.goto(page.url.replace("book/license", name))
        page.wait_for_load_state("networkidle")
        assert len(asked) <= MOST_REQUESTS, asked


# The first page


def test_slogans_show_what_the_ledger_says(site):
    html = (site / "book/index.html").read_text("utf8")
    wall = html.partition('<ul class="slogan-wall">')[2].partition("</ul>")[0]
    claims = json.loads((site / "book/ledger.json").read_text("utf8"))["claims"]
    cards = wall.split("<li>")[1:]
    assert len(cards) == 9
    for card in cards:
        row = re.search(r'verdict-badge [^"]*" href="([^"]*)">([^<]*)', card)
        (entry,) = [one for one in claims if one["row"] == row[1]]
        assert row[2] == entry["verdict"]
        (line,) = [one for one in entry["lines"] if one["address"] in card]
        words = " ".join(BARE.sub("", card).split())
        value = line["measured"].split(" (")[0].replace("-", "−")
        assert f"{unescape(line['sentence'])}: {value}, needs" in unescape(words)
        assert '<svg class="claim-bar"' in card
    measured = sum(len(entry["lines"]) for entry in claims)
    assert f"All {len(claims)} claims and {measured} measurements" in html


def test_the_first_screen_says_what_to_do(visit):
    for viewport in (PHONE, {"width": 1440, "height": 900}):
        page, _ = visit("book/index.html", viewport=viewport)
        buttons = page.locator(".course-buttons > a")
        assert buttons.count() == 3
        below = [buttons.nth(n).bounding_box() for n in range(3)]
        assert all(box["y"] + box["height"] < viewport["height"] for box in below)
        assert all(box["height"] >= 24 for box in below)


BROKEN_NAMES = """() => [
    ...document.querySelectorAll('article dt > strong'),
].filter(it => {
    const range = document.createRange();
    range.selectNodeContents(it);
    return !/[\\s,]/.test(it.textContent) && range.getClientRects().length > 1;
}).map(it => it.textContent)"""


@pytest.mark.parametrize("name", ["lab", "modules"])
def test_the_name_of_a_parameter_stays_in_one_piece(visit, name):
    page, _ = visit(f"book/api/{name}.html", viewport=PHONE)
    assert page.locator("article dt > strong").count() > 20
    assert page.evaluate(BROKEN_NAMES) == []
