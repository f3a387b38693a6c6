"""Formulas look as KaTeX sets them, with fewer parts."""

import json
import subprocess

from tests.site.course import CHAPTERS, ROOT

KATEX = ROOT / "book" / "_ext" / "katex" / "katex.min.js"
RENDER = """
const katex = require(process.argv[1]);
const all = JSON.parse(require("fs").readFileSync(0, "utf8"));
const html = all.map(([tex, displayMode]) =>
    katex.renderToString(tex, { displayMode, strict: "ignore" }));
process.stdout.write(JSON.stringify(html));
"""
FORMULAS = """() => {
    document.querySelectorAll('details').forEach(it => { it.open = true; });
    return [...document.querySelectorAll('article .math')].map(it =>
        [it.querySelector('.katex').dataset.tex, it.matches('div')]);
}"""
# Where each sign and each line stands, in a formula's own place; how many parts it has.
MEASURE = """() => [...document.querySelectorAll('article .math')].map(math => {
    const formula = math.querySelector('.katex-html');
    const origin = formula.getBoundingClientRect();
    const place = (it, text) => {
        const { x, y, width, height } = it.getBoundingClientRect();
        return [text, x - origin.x, y - origin.y, width, height];
    };
    const signs = [];
    const texts = document.createTreeWalker(formula, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        const range = document.createRange();
        range.selectNodeContents(texts.currentNode);
        signs.push(place(range, texts.currentNode.data));
    }
    for (const line of formula.querySelectorAll('svg, .frac-line, .overline-line'))
        signs.push(place(line, 'line'));
    const seen = signs.filter(([, , , width]) => width > 0.01);
    return {
        box: [origin.width, origin.height],
        signs: seen.sort((a, b) => a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : a[1] - b[1]),
        parts: math.querySelectorAll('*').length,
    };
})"""
EXCHANGE = """all => document.querySelectorAll('article .math').forEach((it, at) => {
    it.innerHTML = all[at];
})"""


def test_every_sign_stands_where_katex_sets_it(visit):
    page, _ = visit(f"{CHAPTERS[2]}.html")
    sources = page.evaluate(FORMULAS)
    ours = page.evaluate(MEASURE)
    run = subprocess.run(
        ["node", "-e", RENDER, str(KATEX)],
        input=json.dumps(sources),
        capture_output=True,
        encoding="utf8",
        check=True,
    )
    page.evaluate(EXCHANGE, json.loads(run.stdout))
    theirs = page.evaluate(MEASURE)
    assert len(ours) == len(theirs) > 100
    for (tex, _), our, their in zip(sources, ours, theirs, strict=True):
        assert [sign for sign, *_ in our["signs"]] == [s for s, *_ in their["signs"]]
        near = zip(
            sum([place for _, *place in our["signs"]], our["box"]),
            sum([place for _, *place in their["signs"]], their["box"]),
            strict=True,
        )
        assert all(abs(a - b) < 0.1 for a, b in near), tex
    parts = [sum(it["parts"] for it in all_) for all_ in (ours, theirs)]
    assert parts[0] < 0.8 * parts[1], parts


def test_a_screen_reader_hears_each_formula_and_what_is_seen_is_not_read(look_at):
    page, _ = look_at(CHAPTERS[2])
    tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")
    heard = [it for it in tree["nodes"] if it["role"]["value"] == "MathMLMath"]
    shown = page.evaluate(
        """() => [...document.querySelectorAll('article math')].filter(
            it => !it.closest('details:not([open])')).length"""
    )
    assert len(heard) == shown > 100
