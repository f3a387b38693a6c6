"""The built site, a server for it and a browser to look at it with."""

import functools
import http.server
import shutil
import threading
from types import SimpleNamespace

import pytest
from playwright.sync_api import sync_playwright

from tests.site.course import CHAPTERS, LAPTOP, PAGES, ROOT, TOC_PAGES

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


def pytest_generate_tests(metafunc):
    """Run a test that takes one of these names once for each of the pages."""
    names = {"page_name": PAGES, "toc_page": TOC_PAGES, "chapter": CHAPTERS}
    for name, pages in names.items():
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, pages)


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


@pytest.fixture
def visit(contexts, address, site):
    """Return a function that opens a page and records what goes wrong on it."""
    pages = []

    def open_page(path, *, offline=False, **options):
        page = contexts(**{"viewport": LAPTOP, **options}).new_page()
        page.set_default_timeout(10_000)
        pages.append(page)
        trouble = watch(page, address)
        page.goto(f"{site.as_uri() if offline else address}/{path}")
        return page, trouble

    yield open_page
    for page in pages:
        page.close()


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
