"""Every page: quiet, self-contained, accessible, readable on a phone and offline."""

import json

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.site.course import PHONE

STANDARDS = [
    "wcag2a",
    "wcag2aa",
    "wcag21a",
    "wcag21aa",
    "wcag22aa",
    "best-practice",
]
LOOKS = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"color_scheme": "light", "viewport": PHONE},
}


SHOW_ALL = """() => {
    document.querySelectorAll('details').forEach(it => { it.open = true });
    document.getAnimations().forEach(it => it.finish());
}"""


def describe(violation):
    """Return the rule that is broken, and where."""
    places = [
        f"  {node['target']} {node['html'][:120]}\n    {node['failureSummary']}"
        for node in violation["nodes"][:3]
    ]
    return "\n".join([f"{violation['id']}: {violation['help']}", *places])


@pytest.mark.parametrize("look", LOOKS)
def test_page_has_no_accessibility_violation(visit, page_name, look):
    page, _ = visit(f"{page_name}.html", **LOOKS[look])
    page.evaluate(SHOW_ALL)
    # The slowest rule: the colors of the phone are those of "light".
    contrast = {"color-contrast": {"enabled": look != "phone"}}
    options = {"runOnly": STANDARDS, "rules": contrast, "resultTypes": ["violations"]}
    violations = Axe().run(page, options=options).response["violations"]
    assert not violations, "\n".join(map(describe, violations))


def test_page_is_quiet_and_asks_nobody_else(visit, page_name):
    page, trouble = visit(f"{page_name}.html")
    page.mouse.wheel(0, 2000)
    page.wait_for_timeout(300)
    assert trouble.foreign == []
    assert trouble.failed == []
    assert trouble.console == []


def test_page_does_not_scroll_sideways_on_a_phone(visit, page_name):
    page, _ = visit(f"{page_name}.html", viewport=PHONE)
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= PHONE["width"], widest(page)


def widest(page):
    """Return what sticks out, to name it in the report."""
    script = """
        () => [...document.querySelectorAll('article *')]
            .filter(node => node.getBoundingClientRect().right > innerWidth + 1)
            .slice(0, 3).map(node => node.outerHTML.slice(0, 120))
    """
    return json.dumps(page.evaluate(script), indent=1)


def test_page_reads_from_the_disk(visit, page_name):
    page, trouble = visit(f"{page_name}.html", offline=True)
    assert page.locator("h1:visible").count() == 1
    assert trouble.foreign == []
    assert trouble.console == []
    background = "getComputedStyle(document.querySelector('.bd-sidebar-primary'))"
    assert page.evaluate(f"{background}.display") == "flex", "no stylesheet"


def test_every_picture_has_words(visit, page_name):
    page, _ = visit(f"{page_name}.html")
    content = page.locator("article img")
    words = [image.get_attribute("alt") or "" for image in content.all()]
    assert all(text.strip() and not text.endswith(".png") for text in words), words


def test_pictures_are_loaded(visit, page_name):
    page, _ = visit(f"{page_name}.html")
    for image in page.locator("article img").all():
        image.scroll_into_view_if_needed()
        script = "image => image.decode().then(() => image.naturalWidth)"
        assert image.evaluate(script) > 0


def test_pictures_keep_their_proportions_on_a_phone(visit, page_name):
    page, _ = visit(f"{page_name}.html", viewport=PHONE)
    for image in page.locator("article img").all():
        image.scroll_into_view_if_needed()
        natural, shown = image.evaluate(
            "image => image.decode().then(() => "
            "[image.naturalWidth / image.naturalHeight, image.width / image.height])"
        )
        assert abs(shown / natural - 1) < 0.02, image.get_attribute("alt")


def test_formulas_need_no_script(visit, chapter):
    page, _ = visit(f"{chapter}.html", java_script_enabled=False)
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


def test_title_and_description_are_there(visit, toc_page):
    page, _ = visit(f"{toc_page}.html")
    assert "Batch Normalization, Measured" in page.title()
    assert page.locator("html").get_attribute("lang") == "en"
    description = page.locator('meta[name="description"]')
    assert len(description.get_attribute("content")) > 40
