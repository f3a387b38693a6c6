"""What pages that can run cost a reader who only reads, and the site that has them."""

import gzip
import json
import re

import pytest

from tests.book import tiny_book
from tests.site.course import PAGES, ROOT, TOC_PAGES
from tools import normal_form

LAID_OUT = ROOT / "live" / "pyodide" / "pyodide-lock.json"
WHOLE = 45_000_000  # bytes of the site
PAGE = 5 * 1024  # bytes that a page may weigh more, as a host sends them
KEPT = ["book/exercises", "book/your-data"]  # they show what the browser keeps
# What a page has for being run, besides the script.
OURS = [
    r'<meta http-equiv="Content-Security-Policy"[^>]*>\n',
    r"<script [^>]*/live\.js[^>]*></script>\s*",
    r'<p class="live-elsewhere">.*?</p>\n',
    r'<div class="live-place [^"]*">.*?</div>\n',
    r"(?<=[\w-]) live-(?:starter|check|solution|hints|imports|cell|torch)\b",
]
RULES = re.compile(r"[^{}]*\.live-[^{}]*\{[^{}]*\}")


@pytest.fixture(scope="module")
def live(site):
    """Return the folder of what is loaded after a click."""
    assert LAID_OUT.is_file() == (site / "_static" / "live").is_dir()
    if not LAID_OUT.is_file():
        pytest.skip("Python for the pages is not laid out: no source of it answered")
    return site / "_static" / "live"


def html(site, name):
    return (site / f"{name}.html").read_text("utf8")


def sent(text):
    """Return how many bytes a host sends for a text."""
    return len(gzip.compress(text.encode()))


def without(page):
    for pattern in OURS:
        page = re.sub(pattern, "", page)
    return page


def marked(page, name):
    return len(re.findall(rf'<div class="[^"]*\b{name}\b', page))


def test_the_site_is_not_too_large(live):
    sizes = [path.stat().st_size for path in live.rglob("*") if path.is_file()]
    assert sum(sizes) <= WHOLE
    assert len(list(live.iterdir())) == 2  # the scripts, and Python
    manifest = json.loads((LAID_OUT.parent / "files.json").read_text())
    (python,) = live.glob("pyodide-*")
    assert {path.name for path in python.iterdir()} == manifest.keys()


def test_a_page_that_is_only_read_weighs_no_more_than_before(site, live):
    script = next(live.glob("*/live.js")).read_text("utf8")
    style = (site / "_static" / "course.css").read_text("utf8")
    looks = sent(style) - sent(RULES.sub("", style))
    more = {}
    for name in PAGES:
        page = html(site, name)
        more[name] = sent(page) - sent(without(page)) + looks
        if "live.js" in page:
            more[name] += sent(script)
        assert not re.search(r"live\.js|live-\w+ |Content-Sec", without(page)), name
    assert max(more.values()) <= PAGE, more
    assert min(more.values()) > 0  # all have the policy


def test_only_pages_that_can_run_have_the_script(site, live):
    with_script = {name for name in PAGES if "/live.js" in html(site, name)}
    runnable = {
        name
        for name in TOC_PAGES
        if any(marked(html(site, name), c) for c in ("live-starter", "live-cell"))
    }
    assert with_script == runnable | {name for name in KEPT if name in TOC_PAGES}
    assert {"book/02-forward", "book/10-new-data", "book/project"} <= runnable
    assert "book/teach" not in with_script


def test_the_pages_show_what_is_read_from_the_notebooks(site, live):
    from coursesite.needs import Sources  # tiny_book says where it is

    assert tiny_book.ROOT == ROOT
    lock = json.loads(LAID_OUT.read_text("utf8"))
    packages = {top for it in lock["packages"].values() for top in it["imports"]}
    sources, exercises, notebooks = Sources(ROOT, packages), 0, 0
    for name in TOC_PAGES:
        path = ROOT / f"{name}.ipynb"
        if not path.is_file():
            continue
        page = html(site, name)
        cells = normal_form.code_cells(normal_form.read(path))
        pairs = [(c.source, c.metadata.get("exercise", {}).get("name")) for c in cells]
        missing, rest = sources.notebook(pairs)
        runs = [exercise for exercise, packages in missing.items() if not packages]
        assert marked(page, "live-starter") == len(runs), name
        assert marked(page, "live-check") == len(runs), name
        assert page.count('<p class="live-elsewhere">') == len(missing) - len(runs)
        assert (marked(page, "live-cell") > 0) == (not rest), name
        exercises, notebooks = exercises + len(runs), notebooks + (not rest)
    assert exercises >= 73 and notebooks >= 4


@pytest.mark.parametrize("name", ["book/02-forward", "book/10-new-data", "book/teach"])
def test_nothing_is_loaded_without_a_click(visit, live, name):
    page, _ = visit("search.html")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(page.url.replace("search.html", f"{name}.html"))
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    page.wait_for_timeout(500)
    found = [url.rpartition("/")[2] for url in asked if "/_static/live/" in url]
    assert [file.partition("?")[0] for file in found] == ["live.js"][
        name == "book/teach" :
    ]


VIOLATIONS = """async () => {
    const found = [];
    const note = (event) => found.push(event.violatedDirective);
    document.addEventListener('securitypolicyviolation', note);
    const script = document.createElement('script');
    script.src = 'http://127.0.0.1:9/foreign.js';
    document.head.append(script);
    await fetch('http://127.0.0.1:9/').catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 300));
    return found.sort();
}"""


def test_a_page_loads_nothing_from_elsewhere(visit, live):
    page, _ = visit("book/02-forward.html")
    assert page.evaluate(VIOLATIONS) == ["connect-src", "script-src-elem"]


def test_every_page_has_the_policy(site, live):
    for name in PAGES:
        page = html(site, name)
        before, found, _ = page.partition("Content-Security-Policy")
        assert found and not re.search("<script|<link|<style", before), name


def test_the_license_of_every_part_is_named(site, live):
    page = html(site, "book/license")
    lock = json.loads(LAID_OUT.read_text("utf8"))
    assert len(lock["packages"]) > 5
    for name in [*lock["packages"], "Pyodide", "CPython", "CodeMirror"]:
        row = re.search(
            rf'<td><p><a [^>]*href="https://[^"]*"[^>]*>{name}</a>', page, re.I
        )
        assert row, name
