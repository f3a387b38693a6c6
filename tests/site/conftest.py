"""The built site, a server for it and a browser to look at it with."""

import functools
import http.server
import shutil
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.site.course import (
    CHAPTERS,
    LAPTOP,
    LOOKS,
    NARROW,
    PAGES,
    ROOT,
    TOC_PAGES,
    UNLIKE,
)

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
# A browser without a sandbox runs in containers; the rest keeps it from phoning home.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # No page may leave this machine; what tries to is recorded all the same.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


NAMES = {
    "page_name": PAGES,
    "unlike_page": UNLIKE,
    "toc_page": TOC_PAGES,
    "chapter": CHAPTERS,
    "narrow_page": NARROW,
}


def pytest_generate_tests(metafunc):
    """Run a test that takes one of these names once for each of the pages."""
    for name, pages in NAMES.items():
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, pages)


def pytest_collection_modifyitems(items):
    """Keep the tests of a page together, so that it is loaded once for all of them."""
    items.sort(key=page_of)


def page_of(item):
    """Return the page that an item looks at, "" if it is not a single one."""
    if item.path.parent != Path(__file__).parent or not hasattr(item, "callspec"):
        return ""
    return next((page for n, page in item.callspec.params.items() if n in NAMES), "")


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
    handler = functools.partial(QuietHandler, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="session")
def browser():
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.fail(f"the site tests need a browser: install one of {BROWSERS}")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def contexts(browser):
    """Return a function that gives one context, with its cache, to equal options."""
    known = {}

    def context(**options):
        key = repr(sorted(options.items()))
        if key not in known:
            known[key] = browser.new_context(**options)
        return known[key]

    return context


@pytest.fixture(scope="session")
def open_page(contexts, address, site):
    """Return a function that opens a page and records what goes wrong on it."""

    def open_page(path, *, offline=False, **options):
        page = contexts(**{"viewport": LAPTOP, **options}).new_page()
        page.set_default_timeout(10_000)
        trouble = watch(page, address)
        page.goto(f"{site.as_uri() if offline else address}/{path}")
        return page, trouble

    return open_page


@pytest.fixture
def visit(open_page):
    """Return a function that opens a page for this test alone."""
    pages = []

    def visit(path, **options):
        page, trouble = open_page(path, **options)
        pages.append(page)
        return page, trouble

    yield visit
    for page in pages:
        page.close()


@pytest.fixture
def expect():
    """Return what waits for a page to become as expected."""
    from playwright.sync_api import expect

    expect.set_options(timeout=10_000)  # as for the pages
    return expect


@pytest.fixture(scope="session")
def look_at(open_page):
    """Return a function that shows a page in a look, loaded once for all its tests.

    So a test leaves the page as it was, or is the last one in its file.
    """
    shown = {}

    def look_at(name, look="light"):
        if look not in shown or shown[look][0] != name:
            if look in shown:
                shown.pop(look)[1].close()
            shown[look] = (name, *open_page(f"{name}.html", **LOOKS[look]))
        _, page, trouble = shown[look]
        return page, trouble

    return look_at


def watch(page, address):
    """Collect foreign requests, failures and complaints."""
    trouble = SimpleNamespace(foreign=[], failed=[], console=[])

    def check_request(request):
        if not request.url.startswith((address, "file:", "data:", "blob:")):
            trouble.foreign.append(request.url)

    def check_response(response):
        if response.status >= 400:
            trouble.failed.append(f"{response.status} {response.url}")

    def check_message(message):
        if message.type in ("error", "warning"):
            trouble.console.append(message.text)

    page.on("request", check_request)
    page.on("response", check_response)
    page.on("console", check_message)
    page.on("pageerror", lambda error: trouble.console.append(str(error)))
    return trouble
