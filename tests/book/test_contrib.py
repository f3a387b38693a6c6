"""The patches in contrib/ fit the installed packages, mend them, and are explained."""

import os
import re
import shutil
import subprocess
from importlib.metadata import distribution

import pytest

from tests.book.tiny_book import ROOT

from coursesite.finish import repair  # isort: skip

FOLDER = ROOT / "contrib"
PATCHES = sorted(FOLDER.glob("*.patch"))
NAME = re.compile(r"(?P<package>.+?)-(?P<version>\d[\d.]*)-(?P<what>[a-z\d-]+)\.patch")
# What is there only before, and only after.
MENDED = {
    "search-button-name": ("aria-label=\"{{ _('Search') }}", 'title="{{'),
    "sidebar-landmark": ('"pst-primary-sidebar" class=', 'role="complementary"'),
    "theme-before-paint": ('localStorage.getItem("theme")', "matchMedia("),
    "one-h1": ("<h1>", '<p class="print-title">'),
    "focus-ring": ("&:focus {", "&:focus-visible {"),
    "summary-name": ("<summary aria", "<summary>"),
    "citation-roles": ('role="list"', 'class="citation-list"'),
}


def files(patch):
    """Return the files that a patch changes."""
    return re.findall(r"^\+\+\+ b/(\S+)", patch.read_text("utf8"), re.MULTILINE)


def parts(patch):
    return NAME.fullmatch(patch.name).groupdict()


@pytest.fixture(params=PATCHES, ids=lambda patch: patch.stem)
def patch(request):
    return request.param


def apply(patch, folder, *options):
    """Let git apply a patch in a folder outside of any repository."""
    env = os.environ | {"GIT_CEILING_DIRECTORIES": str(folder.parent)}
    command = ["git", "apply", *options, str(patch)]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)


def test_a_patch_fits_the_installed_version_and_mends_it(patch, tmp_path):
    about = parts(patch)
    installed = distribution(about["package"])
    assert installed.version == about["version"], "is the patch still needed?"
    for name in files(patch):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(installed.locate_file(name), tmp_path / name)
    gone, there = MENDED[about["what"]]
    first = tmp_path / files(patch)[0]
    before = first.read_text("utf8")
    done = apply(patch, tmp_path)
    assert done.returncode == 0, done.stderr
    after = first.read_text("utf8")
    assert before.count(gone) == after.count(gone) + 1
    assert there in after
    # It fits once: this test would notice a patch that changes nothing.
    assert apply(patch, tmp_path, "--check").returncode == 1


def test_the_build_mends_the_same():
    page = (
        '<script data-cfasync="false">document.documentElement.dataset.theme = '
        'localStorage.getItem("theme") || "auto";</script>'
        '<button class="btn search-button-field" aria-label="{{ _(\'Search\') }}">'
        '<div id="pst-primary-sidebar" class="bd-sidebar"></div>'
        '<summary aria-label="Toggle hidden content">Show</summary>'
        '<div role="list" class="citation-list">'
        '<div class="citation" id="a" role="doc-biblioentry"></div></div>'
        '<div id="jb-print-docs-body" class="onlyprint"><h1>Title</h1></div>'
    )
    mended = repair(page)
    by_styles = {"focus-ring"}
    for what in MENDED.keys() - by_styles:
        gone, _ = MENDED[what]
        assert gone in page and gone not in mended, what


def test_each_patch_is_explained_and_nothing_else_is():
    page = (FOLDER / "README.md").read_text("utf8")
    rows = re.findall(r"^\| `(\S+)` \| .+ \| .*\d\.\d\.\d.* \| .+ \|$", page, re.M)
    assert sorted(rows) == [patch.stem for patch in PATCHES]
    assert {parts(patch)["what"] for patch in PATCHES} == MENDED.keys()
    pins = (ROOT / "book" / "requirements.txt").read_text("utf8")
    for patch in PATCHES:
        assert "{package}=={version}".format(**parts(patch)) in pins, patch.name
