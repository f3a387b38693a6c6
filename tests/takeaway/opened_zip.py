"""The archive that ``make zip`` has just written, unpacked and opened as a file.

Not named ``test_…``: the site is packed after ``make test`` has looked at it.
"""

import re
import zipfile

import pytest
from playwright.sync_api import sync_playwright

from tools import course, takeaway
from tools.takeaway_print import ARGUMENTS, browser

SITE = takeaway.ROOT / takeaway.SITE
PATH = SITE / takeaway.FOLDER / f"{takeaway.NAME}.zip"
# All of them, also those far down; one that cannot be shown is an error.
PICTURES = """Promise.all([...document.images].map(it => {
    it.loading = "eager"; return it.decode(); })).then(() => null)"""


@pytest.fixture(scope="module")
def archive():
    """Return the archive."""
    if not PATH.is_file():
        pytest.fail(f"{PATH} is missing: make zip writes it")
    with zipfile.ZipFile(PATH) as opened:
        yield opened


def test_it_is_whole_and_holds_the_site_in_one_folder(archive):
    assert archive.testzip() is None
    names = {name.partition("/")[2] for name in archive.namelist()}
    site = {p.relative_to(SITE).as_posix() for p in SITE.rglob("*") if p.is_file()}
    assert {name.partition("/")[0] for name in archive.namelist()} == {takeaway.NAME}
    assert names == {it for it in site if not it.startswith(takeaway.FOLDER)}


def test_its_first_page_leads_to_no_file_that_is_not_in_it(archive):
    page = archive.read(f"{takeaway.NAME}/{takeaway.FIRST.as_posix()}").decode()
    assert "a copy to read without a connection" in page
    assert f"{takeaway.FOLDER}/{takeaway.NAME}" not in page


def test_the_site_itself_leads_to_the_archive():
    page = (SITE / takeaway.FIRST).read_text("utf-8")
    named = re.findall(rf'href="\.\./({takeaway.FOLDER}/[^"]+)"', page)
    assert f"{takeaway.FOLDER}/{takeaway.NAME}.zip" in named
    assert all((SITE / name).is_file() for name in named)


def test_unpacked_it_opens_as_a_file(archive, tmp_path):
    archive.extractall(tmp_path)
    folder, chapter = tmp_path / takeaway.NAME, course.chapters()[1]
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=browser(), args=ARGUMENTS)
        page = opened.new_page()
        page.set_default_timeout(60_000)
        failed, said = [], []
        page.on("requestfailed", lambda request: failed.append(request.url))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto((folder / "index.html").as_uri())
        page.wait_for_url("**/book/index.html")
        page.click(f"article a[href='{chapter.file}.html']")
        page.wait_for_url(f"**/{chapter.file}.html")
        assert chapter.title in page.inner_text("h1")
        page.evaluate(PICTURES)
        opened.close()
    assert (failed, said) == ([], [])
