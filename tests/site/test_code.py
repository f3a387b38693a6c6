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
