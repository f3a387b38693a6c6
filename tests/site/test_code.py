"""Code, what it prints, and printed tables: legible and whole at every width."""

import re

from bnlib.lab.table import KIND
from tests.site.course import PHONE, ROOT
from tools import normal_form

TABLET = {"width": 768, "height": 1024}
# Opens what is folded, measures, and folds it again.
MEASURE = """() => {
    const folded = [...document.querySelectorAll('article details:not([open])')];
    folded.forEach(it => { it.open = true; });
    const wide = it => it.scrollWidth > it.clientWidth + 1;
    const all = [...document.querySelectorAll('article pre')].filter(
        it => it.offsetParent);
    const found = {
        letters: Math.min(...all.map(it => parseFloat(getComputedStyle(it).fontSize))),
        blocks: all.length,
        scrolling: all.filter(wide).map(it => it.textContent.slice(0, 60)),
        code: all.filter(it => it.closest('.cell_input') && wide(it)).length,
        page: document.documentElement.scrollWidth,
    };
    folded.forEach(it => { it.open = false; });
    return found;
}"""


def test_a_phone_shows_code_without_scrolling_sideways(look_at, chapter):
    page, _ = look_at(chapter, "phone")
    found = page.evaluate(MEASURE)
    assert found["letters"] >= 14
    assert found["blocks"] >= 50
    assert len(found["scrolling"]) <= 0.05 * found["blocks"], found["scrolling"]
    assert found["page"] <= PHONE["width"]
    page.set_viewport_size(TABLET)
    found = page.evaluate(MEASURE)
    page.set_viewport_size(PHONE)
    assert found["letters"] >= 14
    assert found["code"] == 0, "72 columns fit beside nothing"


def test_a_table_that_scrolls_can_be_reached_by_the_keyboard(look_at, chapter):
    page, _ = look_at(chapter, "phone")
    # The theme's script looks a moment after the width has changed.
    page.wait_for_function(
        """() => [...document.querySelectorAll('article .course-results')].every(
            it => it.scrollWidth <= it.clientWidth || it.tabIndex === 0)"""
    )


def test_a_broken_line_goes_on_further_in_and_is_copied_whole(look_at):
    page, _ = look_at("book/04-inference", "phone")
    cells = normal_form.read(ROOT / "book" / "04-inference.ipynb").cells
    source = next(cell.source for cell in cells if cell.id == "stream-table")
    block = page.locator(".cell_input pre", has_text="running = 100 *").first
    assert block.evaluate("it => it.textContent").strip() == source
    selected = block.evaluate(
        """it => {
            getSelection().selectAllChildren(it);
            const text = getSelection().toString();
            getSelection().removeAllRanges();
            return text;
        }"""
    )
    assert selected.strip() == source
    first, last = block.locator(".long-line", has_text="rows = [[").evaluate(
        """it => {
            const range = document.createRange();
            range.selectNodeContents(it);
            const boxes = [...range.getClientRects()].filter(box => box.width > 5);
            const lowest = Math.max(...boxes.map(box => box.top));
            const letter = it.textContent.search(/\\S/) * 8.4;
            return [boxes[0].left + letter,
                Math.min(...boxes.filter(box => box.top === lowest).map(b => b.left))];
        }"""
    )
    assert 8 < last - first < 28, "two columns further in than the line begins"


def test_a_table_has_heads_of_columns_and_rows(site, chapter):
    html = (site / f"{chapter}.html").read_text("utf8")
    stored = [
        output.data[KIND]
        for cell in normal_form.read(ROOT / f"{chapter}.ipynb").cells
        for output in cell.get("outputs", [])
        if KIND in output.get("data", {})
    ]
    tables = html.split('course-results"><table>')[1:]
    assert len(tables) == len(stored) >= 2
    for table, data in zip(tables, stored, strict=True):
        head, body = table.partition("</table>")[0].split("<tbody>")
        assert head.count('<th scope="col"') == len(data["heads"])
        rows = re.findall("<tr>(.*?)</tr>", body)
        assert len(rows) == len(data["rows"])
        for row in rows:
            assert row.startswith('<th scope="row"')
            assert row.count("<td") == len(data["heads"]) - data["labels"]


def test_what_scrolls_in_a_fold_becomes_a_stop_when_it_opens(visit):
    page, _ = visit("book/04-inference.html")
    fold = page.locator("article details:has(pre)").first
    block = fold.locator("pre").first
    block.evaluate("it => { it.style.whiteSpace = 'pre'; it.style.width = '8rem'; }")
    assert block.evaluate("it => it.tabIndex") == -1
    fold.locator("summary").first.click()
    page.wait_for_function("it => it.tabIndex === 0", arg=block.element_handle())


def test_each_block_of_code_has_a_button_that_copies_it(look_at, chapter):
    page, _ = look_at(chapter)
    blocks, found = page.evaluate(
        """() => {
            const blocks = [...document.querySelectorAll('div.highlight pre')];
            const target = it => it.nextElementSibling?.dataset.clipboardTarget;
            return [blocks.length, blocks.filter(it => target(it) === `#${it.id}`
                && document.querySelectorAll(`#${it.id}`).length === 1
                && it.nextElementSibling.ariaLabel === 'Copy to clipboard').length];
        }"""
    )
    assert blocks == found > 30
    page.emulate_media(media="print")
    printed = page.locator(".copybtn:visible").count()
    page.emulate_media(media="screen")
    assert printed == 0
    page, _ = look_at(chapter, "no script")
    assert page.locator(".copybtn:visible").count() == 0, "it could not copy"


# A class that the page says itself, and what a browser would have to look for.
SAID = {
    "div.callout-answered": "div.callout-predict:has(+ details)",
    "div.callout-wide": "div.callout:has(pre, table)",
    "div.cell.course-folded": "div.cell:has(> details.course-fold:first-child)",
    "div.cell.tag_hide-cell": "div.cell:has(> details.admonition.hide)",
    ".cell > .cell_output.course-drawn": ".cell > .cell_output:has(.bn-explore, img)",
    "a.course-use": "a:has(> .course-term)",
}


def test_no_rule_asks_what_stands_below(site, look_at, chapter):
    page, _ = look_at(chapter)
    for said, looked_for in SAID.items():
        both = [
            page.evaluate("it => document.querySelectorAll(it).length", f"article {it}")
            for it in (said, looked_for, f":is({said}):is({looked_for})")
        ]
        assert len({*both}) == 1, (said, both)
    (link,) = re.findall(
        r"styles/site-\w+\.css", (site / f"{chapter}.html").read_text()
    )
    rules = re.findall(r"[^{}]*:has\([^{}]*", (site / "_static" / link).read_text())
    # What an explorable shows before its script is there, which is no part of most.
    assert all(".bn-explore" in rule for rule in rules), rules
