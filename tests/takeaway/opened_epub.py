"""The EPUB that ``make epub`` has just written, opened again.

Not named ``test_…``: it is made from the site after `make test` has looked at that.
"""

import json
import re
import zipfile
from pathlib import PurePosixPath
from urllib.parse import urldefrag, urlsplit
from xml.etree import ElementTree

import pytest

from tools import course, takeaway

SITE = takeaway.ROOT / takeaway.SITE
PATH = SITE / takeaway.FOLDER / f"{takeaway.NAME}.epub"
XHTML = "{http://www.w3.org/1999/xhtml}"
MATH = "{http://www.w3.org/1998/Math/MathML}"
SVG = "{http://www.w3.org/2000/svg}"
OPF = "{http://www.idpf.org/2007/opf}"


@pytest.fixture(scope="module")
def archive():
    """Return the file."""
    if not PATH.is_file():
        pytest.fail(f"{PATH} is missing: make epub writes it")
    with zipfile.ZipFile(PATH) as opened:
        yield opened


@pytest.fixture(scope="module")
def pages(archive):
    """Return all pages, parsed as XML, by their names."""
    return {
        PurePosixPath(name).name: ElementTree.fromstring(archive.read(name))
        for name in archive.namelist()
        if name.endswith(".xhtml")
    }


@pytest.fixture(scope="module")
def package(archive):
    """Return the list of all files."""
    return ElementTree.fromstring(archive.read("book/package.opf"))


def test_it_is_small_and_its_kind_stands_first(archive):
    assert PATH.stat().st_size < 8e6
    first = archive.infolist()[0]
    assert (first.filename, first.compress_type) == ("mimetype", zipfile.ZIP_STORED)
    assert archive.read(first) == b"application/epub+zip"


def test_all_files_are_listed_and_all_pages_are_read(archive, package, pages):
    items = {it.get("id"): it.get("href") for it in package.iter(f"{OPF}item")}
    there = {name.removeprefix("book/") for name in archive.namelist()[2:]}
    assert set(items.values()) == there - {"package.opf"}
    read = [items[it.get("idref")] for it in package.iter(f"{OPF}itemref")]
    assert sorted(read) == sorted(pages) and read[:2] == [
        "cover.xhtml",
        "contents.xhtml",
    ]


def test_no_link_and_no_picture_is_dead(archive, pages):
    names = {k: {it.get("id") for it in page.iter()} for k, page in pages.items()}
    there, inner = set(archive.namelist()), 0
    for name, page in pages.items():
        for link in page.iter(f"{XHTML}a"):
            bare, place = urldefrag(link.get("href"))
            if not urlsplit(bare).scheme:
                assert bare in pages and (not place or place in names[bare]), (
                    name,
                    bare,
                )
                inner += 1
        for picture in page.iter(f"{XHTML}img"):
            assert f"book/{picture.get('src')}" in there
            assert name == "cover.xhtml" or len(picture.get("alt")) > 20
    assert inner > 1500


def test_names_are_given_once(pages):
    for name, page in pages.items():
        given = [it.get("id") for it in page.iter() if it.get("id")]
        assert len(given) == len(set(given)), name


def test_formulas_are_mathml_and_pictures_have_words(pages):
    formulas = [it for page in pages.values() for it in page.iter(f"{MATH}math")]
    assert len(formulas) > 500 and all(it.get("alttext") for it in formulas)
    drawn = [it for page in pages.values() for it in page.iter(f"{SVG}svg")]
    assert len(drawn) > 50 and all(it.get("viewBox") for it in drawn)
    assert all(it.get("aria-label") or it.get("aria-hidden") for it in drawn)


def test_every_chapter_claim_and_solution_is_in_it(pages):
    text = {name: "".join(page.itertext()) for name, page in pages.items()}
    for chapter in course.chapters():
        assert chapter.title in text[f"{chapter.file}.xhtml"]
        assert chapter.title in text["contents.xhtml"]
    ledger = (SITE / "book/ledger.json").read_text("utf-8")
    keys = re.findall(r'"key": "([^"]+)"', json.dumps(json.loads(ledger)))
    assert len(keys) > 200 and all(key in text["claims.xhtml"] for key in keys)
    assert text["solutions.xhtml"].count("# @title Solution of ") > 80
