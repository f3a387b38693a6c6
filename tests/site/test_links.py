"""No dead link, anchor or file, on any page and in any stylesheet."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import pytest

from tests.site.course import CHAPTERS, CONFIG

ADDRESSES = {
    "a": "href",
    "link": "href",
    "img": "src",
    "script": "src",
    "source": "src",
    "iframe": "src",
    "object": "data",
}
LOADED = {"link", "img", "script", "source", "iframe", "object"}
# The folder of the site on its server, which is that of the repository.
PUBLISHED = f"/{CONFIG['repository']['url'].rpartition('/')[2]}/"
URL_IN_CSS = re.compile(r"url\(\s*['\"]?([^'\")]+)")


class Page(HTMLParser):
    """The addresses and the anchors of a page."""

    def __init__(self, path):
        super().__init__()
        self.path = path
        self.links = []
        self.anchors = []
        self.feed(path.read_text("utf8"))

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        if found.get("id"):
            self.anchors.append(found["id"])
        address = found.get(ADDRESSES.get(tag, ""))
        # Where the page is published is not loaded, and no link of this site.
        if address is not None and found.get("rel") != "canonical":
            self.links.append((tag, address))


@pytest.fixture(scope="module")
def crawled(site):
    """Return all pages, by their path."""
    pages = (path for path in site.rglob("*.html") if "_static" not in path.parts)
    return {path.resolve(): Page(path) for path in pages}


def is_foreign(address):
    return bool(urlsplit(address).scheme or urlsplit(address).netloc)


def fault(page, address, crawled):
    """Return why an address inside the site is dead, or None."""
    bare, fragment = urldefrag(address)
    path = unquote(urlsplit(bare).path)
    if path and page.path.name == "404.html":  # shown for addresses of any depth
        path = path.removeprefix(PUBLISHED) or "."
    target = (page.path.parent / path).resolve() if path else page.path.resolve()
    target = target / "index.html" if target.is_dir() else target
    if not target.is_file():
        return "no such file"
    if fragment and target in crawled:
        known = crawled[target].anchors
        return None if unquote(fragment) in known else "no such anchor"
    return None


def test_no_link_is_dead(crawled):
    dead = [
        f"{page.path.name}: {address} ({why})"
        for page in crawled.values()
        for _, address in page.links
        if not is_foreign(address) and (why := fault(page, address, crawled))
    ]
    assert dead == []


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_chapter_leads_to_words_and_symbols(site, crawled, name):
    page = crawled[(site / f"{name}.html").resolve()]
    links = {address for _, address in page.links}
    assert sum(link.startswith("glossary.html#") for link in links) >= 5
    symbols = any(link.startswith("notation.html#symbol-") for link in links)
    assert symbols or name == CHAPTERS[0], "only the first has no symbols"


def test_nothing_is_loaded_from_elsewhere(crawled):
    foreign = [
        f"{page.path.name}: {address}"
        for page in crawled.values()
        for tag, address in page.links
        if tag in LOADED and is_foreign(address) and not address.startswith("data:")
    ]
    assert foreign == []


def test_no_anchor_is_given_twice(crawled):
    twice = [
        f"{page.path.name}: {anchor}"
        for page in crawled.values()
        if page.path.parent.name == "book"
        for anchor in sorted({a for a in page.anchors if page.anchors.count(a) > 1})
    ]
    assert twice == []


def test_files_named_in_stylesheets_exist(site):
    for path in (site / "_static").rglob("*.css"):
        for address in URL_IN_CSS.findall(path.read_text("utf8")):
            if not address.startswith(("data:", "#")):
                assert not is_foreign(address), f"{path.name} loads {address}"
                target = path.parent / Path(urlsplit(address).path)
                assert target.is_file(), f"{path.name} names {address}"


def test_no_link_scheme_of_ours_is_left(crawled):
    left = [
        f"{page.path.name}: {address}"
        for page in crawled.values()
        for _, address in page.links
        if urlsplit(address).scheme in ("colab", "repo")
    ]
    assert left == []
