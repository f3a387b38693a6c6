"""Every page: quiet, self-contained, accessible, readable on a phone and offline."""

import json
import re

import pytest

from tests.site.axe import broken, describe
from tests.site.conftest import paint
from tests.site.course import EXPLORED, LOOKS, NARROWEST, PHONE

MOST_SHIFTED = 0.02
# Scrolls through the page, and says how far what was shown has shifted meanwhile.
SCROLL = """async () => {
    const frame = done => requestAnimationFrame(() => setTimeout(done));
    const next = () => new Promise(frame);
    // What becomes alive when it comes near does so before a reader is there.
    const near = it => it.getBoundingClientRect().top < innerHeight + 700;
    const sleeping = () => [...document.querySelectorAll(
        '[data-explore]:not(.bn-alive)')].some(near);
    const root = document.documentElement;
    // What tests before this one have moved is counted by then.
    scrollTo({ top: 0, behavior: 'instant' });
    for (let n = 0; n < 3 || sleeping(); n += 1) await next();
    const before = window.courseShifts;
    for (let y = 0; y < root.scrollHeight; y += innerHeight) {
        scrollTo({ top: y, behavior: 'instant' });
        await next();
        while (sleeping()) await next();
    }
    const shown = [...document.images].filter(it => it.checkVisibility());
    await Promise.all(shown.map(it => it.decode()));
    await next();
    scrollTo({ top: 0, behavior: 'instant' });
    return window.courseShifts - before;
}"""


def test_page_is_quiet_stands_still_and_asks_nobody_else(look_at, page_name):
    page, trouble = look_at(page_name)
    shifted = page.evaluate(SCROLL)
    assert trouble.first["shifted"] + shifted < MOST_SHIFTED
    assert trouble.foreign == []
    assert trouble.failed == []
    assert trouble.console == []


def test_page_does_not_scroll_sideways_on_a_phone(look_at, page_name):
    page, _ = look_at(page_name, "phone")
    for view in (NARROWEST, PHONE):
        page.set_viewport_size(view)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= view["width"], widest(page)


def test_tables_to_look_up_fit_a_phone(look_at, narrow_page):
    page, _ = look_at(narrow_page, "phone")
    boxes = page.locator(".pst-scrollable-table-container")
    assert boxes.count() > 0
    sizes = "all => all.map(box => [box.scrollWidth, box.clientWidth])"
    assert all(needs <= has for needs, has in boxes.evaluate_all(sizes))


def widest(page):
    """Return what sticks out, to name it in the report."""
    script = """
        () => [...document.querySelectorAll('article *')]
            .filter(node => node.getBoundingClientRect().right > innerWidth + 1)
            .slice(0, 3).map(node => node.outerHTML.slice(0, 120))
    """
    return json.dumps(page.evaluate(script), indent=1)


def test_page_reads_from_the_disk(look_at, unlike_page):
    page, trouble = look_at(unlike_page, "disk")
    assert page.locator("h1:visible").count() == 1
    assert trouble.foreign == []
    assert trouble.console == []
    background = "getComputedStyle(document.querySelector('.bd-sidebar-primary'))"
    assert page.evaluate(f"{background}.display") == "flex", "no stylesheet"


def test_every_picture_has_words(look_at, unlike_page):
    page, _ = look_at(unlike_page)
    words = page.locator("article :is(img, svg.course-drawing)").evaluate_all(
        "all => all.map(it => it.alt ?? it.getAttribute('aria-label') ?? '')"
    )
    assert all(text.strip() and not text.endswith(".png") for text in words), words


def test_pictures_are_loaded(look_at, unlike_page):
    page, _ = look_at(unlike_page)
    for image in page.locator("article img").all():
        image.scroll_into_view_if_needed()
        script = "image => image.decode().then(() => image.naturalWidth)"
        assert image.evaluate(script) > 0


def test_pictures_keep_their_proportions_on_a_phone(look_at, unlike_page):
    page, _ = look_at(unlike_page, "phone")
    for image in page.locator("article img").all():
        image.scroll_into_view_if_needed()
        natural, shown = image.evaluate(
            "image => image.decode().then(() => "
            "[image.naturalWidth / image.naturalHeight, image.width / image.height])"
        )
        assert abs(shown / natural - 1) < 0.02, image.get_attribute("alt")


def test_words_of_drawings_are_legible_on_a_phone(look_at, chapter):
    page, _ = look_at(chapter, "phone")
    sizes = page.locator("svg.course-drawing").evaluate_all(
        """all => all.map(svg => {
            const scale = svg.getScreenCTM().a;
            const words = [...svg.querySelectorAll('text')];
            const size = word => parseFloat(getComputedStyle(word).fontSize);
            const box = svg.getBoundingClientRect();
            const out = words.filter(word => {
                const { left, right } = word.getBoundingClientRect();
                return left < box.left - 3 || right > box.right + 3;
            });
            const smallest = Math.min(...words.map(size)) * scale;
            return [smallest, out.map(it => it.textContent)];
        })"""
    )
    assert sizes, "a chapter without a drawing?"
    assert min(size for size, _ in sizes) >= 10, sizes
    assert all(out == [] for _, out in sizes), sizes


def test_formulas_need_no_script(look_at, chapter):
    page, _ = look_at(chapter, "no script")
    formulas = page.locator("article .katex-html")
    assert formulas.count() > 0, "a chapter without formulas?"
    # Some are folded away, so look for the first that is not.
    box = formulas.locator("visible=true").first.bounding_box()
    assert box["width"] > 5 and box["height"] > 5
    loaded = page.evaluate(
        "document.fonts.ready.then(fonts => [...fonts]"
        ".filter(font => font.status === 'loaded').map(font => font.family))"
    )
    assert any("KaTeX" in family for family in loaded), loaded
    assert page.locator("article .katex-error").count() == 0


def test_title_and_description_are_there(look_at, toc_page):
    page, _ = look_at(toc_page)
    assert "Batch Normalization, Measured" in page.title()
    assert page.locator("html").get_attribute("lang") == "en"
    description = page.locator('meta[name="description"]')
    assert len(description.get_attribute("content")) > 40


# Accessibility; last, because what follows would find all solutions open.


SHOW_ALL = """() => {
    document.querySelectorAll('details').forEach(it => { it.open = true });
    document.getAnimations().forEach(it => it.finish());
}"""


# A chapter has thousands of colored words of code, and to find the contrast of each
# took most of the time. Of each kind in each kind of box three are kept, in case that
# one is covered; the others become plain text. So do words of one character, which axe
# never calls too pale. Entries of the reference are alike: five of a page will do.
THIN_OUT = """() => {
    [...document.querySelectorAll('section.api')].slice(5).forEach(it => it.remove());
    const kept = {};
    for (const word of document.querySelectorAll('.highlight pre span')) {
        let kind = word.closest('.highlight').parentElement.className;
        for (let it = word; it.tagName !== 'PRE'; it = it.parentElement)
            kind += '|' + it.className;
        const long = word.textContent.trim().length > 1;
        if (long) kept[kind] = (kept[kind] || 0) + 1;
        if (!long || kept[kind] > 3) word.replaceWith(...word.childNodes);
    }
    document.querySelectorAll('.highlight pre').forEach(it => it.normalize());
}"""


# Of texts that look alike three are kept for the two rules about colors: those whose
# letters, again two in a row, have one color, size and weight on one ground, in both
# themes. A word of another color or on another ground is of another kind; so is a link
# in other text. The other rules see all texts, but of alike formulas three again, and
# on the phone all of them.
COLOR_RULES = ["color-contrast", "link-in-text-block"]
NOTE_KIND = """() => {
    const grounds = new Map([[null, '']]);
    const ground = it => {
        if (!grounds.has(it)) {
            const { backgroundColor, backgroundImage, opacity } = getComputedStyle(it);
            const own = [backgroundColor, backgroundImage, opacity].join();
            const plain = own === 'rgba(0, 0, 0, 0),none,1';
            grounds.set(it, ground(it.parentElement) + (plain ? '' : `|${own}`));
        }
        return grounds.get(it);
    };
    const written = it => [...it.childNodes].some(
        text => text.nodeName === '#text' && text.data.trim().length > 1);
    for (const it of document.body.querySelectorAll('*')) {
        if (!written(it)) continue;
        const { color, fontSize, fontWeight, textShadow, textDecorationLine } =
            getComputedStyle(it);
        const around = getComputedStyle(it.parentElement).color;
        const letters = [color, fontSize, fontWeight, textShadow, textDecorationLine];
        const kind = [...letters, around, it.tagName === 'A', ground(it)].join('|');
        it.kind = `${it.kind ?? ''}|${kind}`;
    }
}"""
KEEP_THREE = """() => {
    const kept = {};
    for (const it of document.body.querySelectorAll('*')) {
        const { width, height } = it.getBoundingClientRect();
        const seen = width > 1 && height > 1 && it.checkVisibility();
        const control = it.matches('input, select, textarea');
        if (!control && !(it.kind && seen)) continue;
        kept[it.kind] = (kept[it.kind] || 0) + 1;
        if (control || kept[it.kind] <= 3) it.dataset.kept = '';
    }
}"""
# What floats would cover what follows, now that little is left between them.
SINK = """() => {
    for (const it of document.body.querySelectorAll('*'))
        if (/sticky|fixed/.test(getComputedStyle(it).position))
            it.style.position = 'static';
}"""
DROP = """([what, instead]) => {
    for (const it of document.body.querySelectorAll(what))
        if (!it.matches('[data-kept]') && !it.querySelector('[data-kept]'))
            it.replaceWith(instead);
}"""


# The theme notices a while after the size has changed.
ALL_CAN_BE_SCROLLED = """() => [
    ...document.querySelectorAll('pre, .pst-scrollable-table-container'),
].every(it => it.scrollWidth <= it.clientWidth || it.tabIndex === 0)"""
OF_SIZES = ["target-size", "scrollable-region-focusable"]


def show_all(page):
    """Open and wake all that a page has; code becomes thin."""
    for figure in page.locator("[data-explore]").all():
        figure.scroll_into_view_if_needed()
    page.locator("[data-explore]:not(.bn-alive)").first.wait_for(state="detached")
    page.evaluate(SHOW_ALL)
    page.evaluate(THIN_OUT)
    # The bar that floats is near nothing then that it is near by chance.
    page.evaluate("scrollTo({ top: 0, behavior: 'instant' })")


def keep_three(page, look):
    """Mark three texts of each kind; of the formulas only these stay."""
    for theme in ({"light": "dark", "dark": "light"}[look], look):
        paint(page, theme)
        page.evaluate(SHOW_ALL)  # ends what changes slowly
        page.evaluate(NOTE_KIND)
    page.evaluate(KEEP_THREE)
    page.evaluate(DROP, [".katex", "x"])


def violations(page, look):
    """Return the accessibility rules that a page breaks; it is not of use after that.

    Colors are those of "light" on a phone, too, and in "dark" nothing else differs.
    """
    known = page.locator("[data-kept]").count() > 0  # "dark" comes after "light"
    found = []
    if not known:
        show_all(page)
    if not known and look != "phone":
        keep_three(page, look)
    if look != "dark":
        others = {rule: {"enabled": False} for rule in COLOR_RULES}
        # The styles are those of all looks.
        found += broken(page, rules=others, preload=look == "light")
    if look != "phone":
        page.evaluate(DROP, [":not(td, th)", ""])  # columns stay where they are
        page.evaluate(SINK)
        page.evaluate(SHOW_ALL)
        found += broken(page, runOnly={"type": "rule", "values": COLOR_RULES})
    if look == "phone":
        # No rule of the styles tells 320 pixels from 390, so only sizes can differ.
        page.set_viewport_size(NARROWEST)
        page.wait_for_function(ALL_CAN_BE_SCROLLED)
        found += broken(page, runOnly={"type": "rule", "values": OF_SIZES})
    return found


def test_the_styles_are_the_same_on_every_phone(site):
    paths = [*site.glob("_static/**/*.css"), *site.glob("_static/*.css")]
    css = "\n".join(path.read_text("utf8") for path in paths)
    found = re.findall(r"@media[^{]*?width\s*[:<>=]+\s*([\d.]+)(px|r?em)", css)
    edges = {float(size) * (1 if unit == "px" else 16) for size, unit in found}
    assert len(edges) > 5
    assert not [at for at in edges if NARROWEST["width"] <= at < PHONE["width"]]


@pytest.mark.parametrize("look, color", [("light", "#808080"), ("dark", "#707070")])
def test_a_pale_word_of_code_or_formula_would_be_seen(visit, look, color):
    page, _ = visit("book/bug-hunt.html", **LOOKS[look])
    page.add_style_tag(
        content=f".highlight .k, .katex .mord {{ color: {color} !important }}"
    )
    (violation,) = violations(page, look)
    assert violation["id"] == "color-contrast"
    found = [re.search(r"\.mord|\.k\b", str(it["target"])) for it in violation["nodes"]]
    assert {kind and kind[0] for kind in found} == {".mord", ".k"}


# Each is one of hundreds that look alike: pale in one theme, or not told from its text.
ONE_OF_MANY = """() => {
    const lines = [...document.querySelectorAll('.ledger-lines p')];
    lines.at(-20).className = 'pale-by-day';
    lines.at(-30).className = 'pale-by-night';
    lines.at(-40).innerHTML = 'A word and <a class="hidden-link" href="#x">a link</a>.';
}"""
PALE = """
.pale-by-day { color: #999 }
html[data-theme=dark] .pale-by-day { color: #eee }
html[data-theme=dark] .pale-by-night { color: #555 }
.ledger a.hidden-link { color: #555 !important; text-decoration: none !important }
html[data-theme=dark] .ledger a.hidden-link { color: #aaa !important }
"""


def test_one_text_of_many_that_breaks_a_rule_would_be_seen(visit):
    page, _ = visit("book/claims.html", **LOOKS["light"])
    page.evaluate(ONE_OF_MANY)
    page.add_style_tag(content=PALE)
    link = ("link-in-text-block", ".hidden-link")
    for look, pale in (("light", ".pale-by-day"), ("dark", ".pale-by-night")):
        paint(page, look)
        found = violations(page, look)
        broken = {(v["id"], node["target"][0]) for v in found for node in v["nodes"]}
        assert broken == {("color-contrast", f"{pale} > span"), link}


def test_an_explorable_is_alive_when_it_is_judged(visit):
    page, _ = visit(f"{EXPLORED['average']}.html")
    show_all(page)
    named = page.locator("#explore-average [aria-label]")
    assert named.count() > 1
    named.evaluate_all("all => all.forEach(it => it.removeAttribute('aria-label'))")
    found = [(v["id"], str(v["nodes"])) for v in violations(page, "phone")]
    assert any("name" in rule and "data-handle" in nodes for rule, nodes in found)


@pytest.mark.parametrize("look", ["light", "dark", "phone"])
def test_page_has_no_accessibility_violation(look_at, unlike_page, look):
    page, _ = look_at(unlike_page, look)
    found = violations(page, look)
    assert not found, "\n".join(map(describe, found))
