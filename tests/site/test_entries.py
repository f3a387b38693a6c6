"""The reference: on the built site each public name has all that its page promises."""

import re

from tests.book.tiny_book import ROOT

from coursesite import api  # isort: skip  (tiny_book says where it is)


def test_each_name_has_its_entry_with_example_import_and_uses(site):
    bnlib = api.load(ROOT, "bnlib")
    entries, links = {}, 0
    for page in sorted((site / "book" / "api").glob("*.html")):
        parts = re.split(r'<section class="api" id="', page.read_text("utf8"))[1:]
        entries |= {part.partition('"')[0]: part for part in parts}
    for path, html in entries.items():
        module, _, name = path.removeprefix("bnlib.").rpartition(".")
        item = api.public(bnlib[module] if module else bnlib)[name]
        assert f'<span class="pre">{name}</span></span>' in html, path
        assert 'class="doctest' in html or item.is_attribute, path
        assert ">Import<" in html and ">Used in<" in html, path
        assert "``" not in html, f"{path} shows the marks of code"
        for part in api.FIELDS:
            assert not api.docstring(item)[part] or f">{part}<" in html, (path, part)
        links += html.partition(">Used in<")[2].partition("</dl>")[0].count("<a ")
    assert len(entries) > 80
    assert links > 2 * len(entries), "chapters use these names"


def test_a_name_in_a_chapter_leads_to_its_entry(look_at):
    page, _ = look_at("book/11-pruning")
    page.locator('article a[href$="#bnlib.slimming.plan"]').first.click()
    page.wait_for_url("**/api/slimming.html#bnlib.slimming.plan")
    heading = page.locator('[id="bnlib.slimming.plan"] h2')
    assert heading.is_visible()
    assert heading.bounding_box()["y"] < 300


def test_the_code_of_an_example_is_copied_and_nothing_else(visit):
    clipboard = ["clipboard-read", "clipboard-write"]
    page, _ = visit("book/api/arrays.html", permissions=clipboard)
    example = page.locator('[id="bnlib.norms.rms_norm"] .doctest')
    example.hover()
    example.locator("button.copybtn").click()
    copied = page.evaluate("navigator.clipboard.readText()").splitlines()
    lines = example.locator("pre").inner_text().splitlines()
    assert copied == [line[4:] for line in lines if line.startswith(">>> ")]
    assert 1 < len(copied) < len(lines)
