"""Plain Sphinx builds the same book: our insurance against Jupyter Book 1's end."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.site.course import PAGES, ROOT

PLAIN = Path(__file__).parent / "plain"
# Without Jupyter Book: to import it is an error, as if it was not installed.
BUILD = """\
import sys
sys.modules["jupyter_book"] = None
from sphinx.cmd.build import main
sys.exit(main(sys.argv[1:]))"""
# What the course adds to a page, and how often each must be there.
FEATURES = {
    "callouts": r'class="callout callout-[\w-]+',
    "formulas": r'<span class="katex" data-tex="[^"]*">',
    "claims": r'id="claim-[\w-]+"',
    "rows of the ledger": r'id="ledger-[\w-]+"',
    "linked numbers": r'<a class="[^"]*" href="[^"]*"><span class="course-ref">[^<]*',
    "pictures": r'<img [^>]*alt="[^"]+"',
    "solutions": r'<details class="[^"]*hide[^"]*"',
    "Colab": r"https://colab\.research\.google\.com/github/[^\"]*",
    "description": r'<meta name="description" content="[^"]*"',
    "stylesheets": r'<link[^>]* href="[^"]*/site-\w+\.css"',
    "headings": r"<h[1-4]>.*?<a",
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Return the folder of the book that Sphinx has built alone."""
    folder = tmp_path_factory.mktemp("plain")
    command = [sys.executable, "-c", BUILD, "-q", "-W", "-n", "--keep-going"]
    command += ["-c", PLAIN, "-d", folder / "doctrees", ROOT, folder / "html"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "html"


def pages(folder):
    """Return the pages of a site, by their names."""
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*.html")}
    return {name for name in found if not name.startswith("_static/")}


def test_plain_sphinx_builds_the_same_book(plain, site):
    assert pages(plain) == pages(site)
    for page in PAGES:
        texts = [
            (folder / f"{page}.html").read_text("utf8") for folder in (plain, site)
        ]
        for feature, pattern in FEATURES.items():
            found = [re.findall(pattern, text) for text in texts]
            assert found[0] == found[1], f"{page}: {feature}"
    whole = "".join((site / f"{page}.html").read_text("utf8") for page in PAGES)
    missing = [
        name for name, pattern in FEATURES.items() if not re.search(pattern, whole)
    ]
    assert not missing, f"no page has them, so nothing was compared: {missing}"
