"""What every page costs a first visit, and what every reader must be able to see."""

import re
from urllib.parse import unquote, urlsplit

import pytest

from tests.site.course import CHAPTERS
from tests.site.test_looks import MOST_REQUESTS
from tools.host import sent

# As a host sends them: a page of text, and one of measurements and pictures.
TEXT, CHAPTER = 250 * 1024, 350 * 1024
LEAST_CONTRAST, OF_LARGE = 4.5, 3


def test_a_first_visit_fetches_little(look_at, site, page_name):
    _, trouble = look_at(page_name)
    paths = [unquote(urlsplit(file).path) for file in trouble.first["files"]]
    weights = {path: sent(site / path.lstrip("/")) for path in paths}
    heaviest = sorted(weights, key=weights.get)[-8:]
    limit = CHAPTER if page_name in CHAPTERS else TEXT
    assert sum(weights.values()) <= limit, {p: weights[p] for p in heaviest}
    assert len(weights) <= MOST_REQUESTS, sorted(weights)


# For each figure: how far below the bar its picture begins, and what part is seen.
LINKED = """() => {
    const bar = document.querySelector('.bd-header-article').getBoundingClientRect();
    const found = [...document.querySelectorAll('figure[id]')].map(it => {
        location.hash = it.id;
        const picture = it.querySelector('img, svg').getBoundingClientRect();
        const free = innerHeight - bar.bottom;
        const seen = Math.min(innerHeight, picture.bottom) - picture.top;
        return [it.id, picture.top - bar.bottom, seen / Math.min(free, picture.height)];
    });
    location.hash = '';
    return found;
}"""


def test_a_link_to_any_figure_shows_its_picture(look_at, chapter):
    page, _ = look_at(chapter)
    found = page.evaluate(LINKED)
    assert len(found) >= 2
    for name, below_bar, share in found:
        assert below_bar >= -1, f"{name} is hidden below the bar"
        assert share > 0.98, f"of {name} only {share:.0%} are seen"


def test_a_figure_that_comes_alive_leaves_what_was_asked_for_in_place(visit):
    page, _ = visit(f"{CHAPTERS[2]}.html")
    heading = page.locator("#the-graph h2").first
    page.locator(".bd-sidebar-secondary").get_by_text("The graph").click()
    page.locator("#explore-push.bn-alive").wait_for()
    page.wait_for_timeout(300)
    bar = page.locator(".bd-header-article").bounding_box()
    assert bar["height"] <= heading.bounding_box()["y"] < 120


# Of each kind of what the keyboard stops at, one: its ring while it has the focus.
STOPS = """() => {
    const kinds = new Map();
    const stops = 'a[href], button, input, select, textarea, summary, [tabindex]';
    const shown = { visibilityProperty: true };
    for (const it of document.querySelectorAll(stops)) {
        if (it.tabIndex < 0 || it.disabled || !it.checkVisibility(shown)) continue;
        const parent = it.parentElement;
        const kind = [it.tagName, it.className, parent.tagName, parent.className];
        if (!kinds.has(kind.join('|'))) kinds.set(kind.join('|'), it);
    }
    const look = it => {
        const { outlineStyle, outlineWidth, outlineColor } = getComputedStyle(it);
        return [outlineStyle, parseFloat(outlineWidth), outlineColor];
    };
    document.activeElement.blur();
    return [...kinds.values()].map(it => {
        const before = look(it).join();
        it.focus({ preventScroll: true });
        it.getAnimations().forEach(change => change.finish());
        const [style, width, color] = look(it);
        const isClear = /, 0\\)$|transparent/.test(color);
        let opacity = 1;
        for (let at = it; at; at = at.parentElement)
            opacity *= getComputedStyle(at).opacity;
        const has = document.activeElement === it && !isClear && style !== 'none' &&
            look(it).join() !== before;
        it.blur();
        return [it.outerHTML.slice(0, 120), has ? width : 0, opacity];
    });
}"""


def test_every_kind_of_stop_shows_where_the_keyboard_is(look_at, unlike_page):
    page, _ = look_at(unlike_page)
    page.keyboard.press("Tab")  # as a reader who uses it
    stops = page.evaluate(STOPS)
    assert len(stops) >= 8
    for html, ring, opacity in stops:
        assert ring >= 2, f"no ring: {html}"
        assert opacity > 0.5, f"not to be seen: {html}"


# Text that the screen shows or that is folded, but for what only a screen needs: knobs,
# what unfolds, what repeats a column on a phone.
TEXTS = """() => {
    const own = it => [...it.childNodes].some(
        node => node.nodeName === '#text' && node.data.trim());
    const folded = it => it.closest('details:not([open])');
    const tools = 'button, form, label, output, .headerlink, .live-bar, .live-place, ' +
        '.live-list, .bn-side, .expanded, .scope-again';
    window.courseTexts = [...document.querySelectorAll('article *')].filter(
        it => own(it) && !it.closest(tools) && (folded(it) || it.checkVisibility()));
    return window.courseTexts.length;
}"""
# The title stands above the contents, which only paper has. What a script has replaced
# meanwhile, as the words for those without one, is on neither.
MISSING = """() => {
    const title = document.querySelector('#jb-print-docs-body > p').textContent.trim();
    return window.courseTexts.filter(
        it => it.isConnected && !it.checkVisibility()).map(
        it => it.textContent.trim().slice(0, 120)).filter(text => text !== `${title}#`);
}"""


def test_paper_has_all_the_text(look_at, toc_page):
    page, _ = look_at(toc_page)
    assert page.evaluate(TEXTS) > 20
    page.emulate_media(media="print")
    missing = page.evaluate(MISSING)
    page.emulate_media(media="null")
    assert missing == []


# Of each pair of colors of text and ground, and kind of size: the contrast.
CONTRASTS = """() => {
    const numbers = text => text.match(/[\\d.]+/g).map(Number);
    const light = text => {
        const [r, g, b] = numbers(text).map(v => v / 255).map(
            v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ground = it => {
        for (; it; it = it.parentElement) {
            const color = getComputedStyle(it).backgroundColor;
            if (numbers(color)[3] !== 0) return color;
        }
        return 'rgb(255, 255, 255)';
    };
    const pairs = new Map();
    for (const it of document.querySelectorAll('.bd-container *')) {
        const text = [...it.childNodes].filter(node => node.nodeName === '#text')
            .map(node => node.data.trim()).join('');
        const { color, fontSize, fontWeight, opacity } = getComputedStyle(it);
        const size = parseFloat(fontSize);
        if (text.length < 2 || size === 0 || it.closest('svg')) continue;
        if (!it.checkVisibility()) continue;
        const isLarge = size >= 24 || (size >= 18.66 && fontWeight >= 700);
        const pair = [color, ground(it), isLarge];
        if (opacity > 0 && !pairs.has(`${pair}`)) pairs.set(`${pair}`, [pair, text]);
    }
    const contrasts = [...pairs.values()].map(([[ink, paper, isLarge], text]) => {
        const [a, b] = [light(ink), light(paper)].sort((x, y) => y - x);
        return [(a + 0.05) / (b + 0.05), isLarge, text.slice(0, 60)];
    });
    return [light(ground(document.querySelector('.bd-main'))), contrasts];
}"""


@pytest.mark.parametrize("look", ["no script", "no script, dark"])
def test_without_a_script_both_themes_read_well(look_at, kind_of_page, look):
    page, _ = look_at(kind_of_page, look)
    ground, pairs = page.evaluate(CONTRASTS)
    assert ground < 0.1 if look.endswith("dark") else ground > 0.9
    assert len(pairs) >= 3
    for contrast, is_large, text in pairs:
        assert contrast >= (OF_LARGE if is_large else LEAST_CONTRAST), text


def test_code_has_elements_for_colors_only(site):
    css = (site / "_static" / "pygments.css").read_text("utf8")
    html = (site / f"{CHAPTERS[2]}.html").read_text("utf8")
    for theme in ("light", "dark"):
        rule = rf'html\[data-theme="{theme}"\] \.highlight(| \.\w+) \{{([^}}]*)\}}'
        styles = {name.strip(" ."): style for name, style in re.findall(rule, css)}
        ink = re.search(r"(?<!-)color: #\w+", styles[""])[0]
        for name in ("n", "nn", "nx", "p", "w"):
            assert styles[name].strip() == ink, name
            assert f'<span class="{name}">' not in html
        assert styles["k"].strip() != ink
        assert '<span class="k">' in html


def test_no_page_waits_for_a_script(site, page_name):
    html = (site / f"{page_name}.html").read_text("utf8")
    scripts = re.findall(r"<script [^>]*src=[^>]*>", html)
    assert len(scripts) >= 3
    assert all("defer" in script for script in scripts), scripts


def test_what_scrolls_becomes_a_stop_in_one_go(site):
    script = (site / "_static/scripts/pydata-sphinx-theme.js").read_text("utf8")
    assert re.search(r"\.map\((\w)=>\[\1,\1\.scrollWidth>", script)
    assert not re.search(r"\.tabIndex=\w\.scrollWidth", script)
    assert "console.log(" not in script
