"""The built site, a server for it and a browser to look at it with."""

import http.server
import os
import threading
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.site.course import (
    CHAPTERS,
    EXPLORED,
    KINDS,
    LAPTOP,
    LOOKS,
    MEASURED,
    NARROW,
    PAGES,
    ROOT,
    TOC_PAGES,
    UNLIKE,
)
from tools.chromium import chromium

NAMES = {
    "page_name": PAGES,
    "unlike_page": UNLIKE,
    "toc_page": TOC_PAGES,
    "chapter": CHAPTERS,
    "measured_page": MEASURED,
    "narrow_page": NARROW,
    "kind_of_page": KINDS,
    "explorable": EXPLORED,
}


# What has been fetched, with the pictures that a browser fetches next because they are
# near; from now on window.courseShifts says how far what is shown has shifted.
FIRST_VISIT = """async () => {
    await document.fonts.ready;
    window.courseShifts = 0;
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries())
            if (!entry.hadRecentInput) window.courseShifts += entry.value;
    }).observe({ type: "layout-shift", buffered: true });
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    const near = (it) => it.getBoundingClientRect().top < innerHeight + 1250;
    const shown = [...document.images].filter((it) => it.checkVisibility());
    const fetched = performance.getEntriesByType("resource").map((entry) => entry.name);
    const next = shown.filter(near).map((it) => it.src);
    const files = [location.href, ...fetched, ...next];
    return { files: [...new Set(files)], shifted: window.courseShifts };
}"""


def pytest_generate_tests(metafunc):
    """Run a test that takes one of these names once for each of the pages."""
    for name, pages in NAMES.items():
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, pages)


def pytest_collection_modifyitems(items):
    """Keep the tests of a page together, so that it is loaded once for all of them.

    The last file of each page is the one that leaves it in pieces.
    """
    items.sort(key=lambda item: (page_of(item), item.path.name == "test_pages.py"))


def page_of(item):
    """Return the page that an item looks at, "" if it is not a single one."""
    if item.path.parent != Path(__file__).parent or not hasattr(item, "callspec"):
        return ""
    named = (item.callspec.params[n] for n in NAMES if n in item.callspec.params)
    return next((EXPLORED.get(page, page) for page in named), "")


@pytest.fixture(scope="session")
def site():
    """Return the folder of the built site."""
    folder = ROOT / "_build" / "html"
    missing = [page for page in PAGES if not (folder / f"{page}.html").is_file()]
    if missing:
        pytest.fail(f"the site lacks {missing}: build it first, with `make book`")
    return folder


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        """Keep the report of the tests free of requests."""


@pytest.fixture(scope="session")
def address(site):
    """Serve the site and return where."""
    handler = partial(QuietHandler, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="session")
def browser():
    """Return Chromium, or Firefox (Playwright's own build) where BROWSER=firefox."""
    if os.environ.get("BROWSER") == "firefox":
        from playwright.sync_api import sync_playwright

        with sync_playwright() as playwright:
            launched = playwright.firefox.launch()
            yield launched
            launched.close()
        return
    with chromium() as launched:
        yield launched


@pytest.fixture(scope="session")
def tab(browser, address, site):
    """Return a function that shows a page in one tab for each use and its options.

    A tab goes from page to page: to open and close one costs more than most pages.
    """
    tabs = {}

    def tab(use, path, *, offline=False, viewport=LAPTOP, **options):
        key = use, offline, repr(sorted((viewport | options).items()))
        if key not in tabs:
            page = browser.new_page(viewport=viewport, **options)
            page.set_default_timeout(60_000)
            tabs[key] = page, watch(page, address)
        page, trouble = tabs[key]
        for found in vars(trouble).values():
            found.clear()
        page.set_viewport_size(viewport)
        page.goto(f"{site.as_uri() if offline else address}/{path}")
        return page, trouble

    return tab


@pytest.fixture(scope="session")
def context(browser, address):
    """Return a function that gives the one context for some options.

    A new one loads and compiles all scripts again. So does a process, and that of the
    pages ends with the last of them: one stays.
    """
    contexts = {}

    def context(**options):
        key = repr(sorted(options.items()))
        if key not in contexts:
            contexts[key] = browser.new_context(viewport=LAPTOP, **options)
            contexts[key].new_page().goto(f"{address}/book/license.html")
        return contexts[key]

    return context


FORGET = "() => { try { localStorage.clear(); } catch { /* blocked */ } }"


@pytest.fixture
def visit(context, address, site):
    """Return a function that shows a page in a tab for this test alone.

    The browser keeps nothing of what it kept for other tests.
    """
    tabs = {}

    def visit(path, *, offline=False, viewport=LAPTOP, **options):
        key = offline, repr(sorted(options.items()))
        if key not in tabs:
            page = context(**options).new_page()
            page.set_default_timeout(60_000)
            tabs[key] = page, watch(page, address)
        page, trouble = tabs[key]
        page.set_viewport_size(viewport)
        page.goto(f"{site.as_uri() if offline else address}/{path}")
        return page, trouble

    yield visit
    for page, _ in tabs.values():
        page.evaluate(FORGET)
        page.close()


@pytest.fixture(scope="session")
def python(context, address):
    """Return a Python that pages can ask: to start one for each takes seconds."""
    from tests.site.live import Python

    page = context().new_page()
    page.goto(f"{address}/book/02-forward.html")
    return Python(page)


@pytest.fixture
def expect():
    """Return what waits for a page to become as expected."""
    from playwright.sync_api import expect

    expect.set_options(timeout=60_000)  # as for the pages
    return expect


@pytest.fixture(scope="session")
def look_at(tab):
    """Return a function that shows a page in a look, loaded once for all its tests.

    So a test leaves the page as it was, or is the last one in its file. "dark" is the
    page of "light", in the other colors. What a first visit fetches, and how far the
    page shifts meanwhile, is kept in ``trouble.first``.
    """
    shown, colors = {}, {}

    def look_at(name, look="light"):
        key = "light" if look == "dark" else look
        if key not in shown or shown[key][0] != name:
            shown.pop(key, None)
            page, trouble = tab("look", f"{name}.html", **LOOKS[key])
            if key == "light":
                trouble.first.update(page.evaluate(FIRST_VISIT))
            shown[key] = name, page, trouble
        _, page, trouble = shown[key]
        if key == "light" and colors.setdefault(page, key) != look:
            paint(page, look)
            colors[page] = look
        return page, trouble

    return look_at


def paint(page, theme):
    """Let a reader choose another theme for all pages, "light" or "dark"."""
    page.emulate_media(color_scheme=theme)
    page.locator(f"html[data-theme={theme}]").wait_for(state="attached")


def watch(page, address):
    """Collect requests, foreign ones, failures and complaints."""
    trouble = SimpleNamespace(asked=[], foreign=[], failed=[], console=[], first={})

    def check_request(request):
        trouble.asked.append(request.url)
        if not request.url.startswith((address, "file:", "data:", "blob:")):
            trouble.foreign.append(request.url)

    def check_response(response):
        if response.status >= 400:
            trouble.failed.append(f"{response.status} {response.url}")

    def check_message(message):
        trouble.console.append(message.text)

    page.on("request", check_request)
    page.on("response", check_response)
    page.on("console", check_message)
    page.on("pageerror", lambda error: trouble.console.append(str(error)))
    return trouble
