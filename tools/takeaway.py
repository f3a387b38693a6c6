"""Make what a reader takes away: the book as PDF and EPUB, the site as an archive.

``python -m tools.takeaway pdf``, ``… epub`` and ``… zip`` read the built site, write
their file into its folder ``takeaway`` and name it on the first page, with its size. So
a link is there exactly when its file is; the next build of the site begins without.

The PDF is printed by Chromium from one document (:mod:`tools.takeaway_book`) and made
small afterwards (:mod:`tools.takeaway_print`). It is printed twice: the first print
says on which pages the lines of the contents lead.
"""

import argparse
import os
import re
import sys
import zipfile
from pathlib import Path

import yaml

from tools import course, setup_cell, takeaway_epub
from tools import takeaway_book as book

ROOT = Path(__file__).parents[1]
SITE = Path("_build", "html")
FOLDER = "takeaway"  # in the site
NAME = "batch-normalization-measured"
FIRST = Path("book", "index.html")
DRAFT = Path("_build", "takeaway.html")
STYLE = Path("tools", "takeaway.css")
STYLESHEET = re.compile(
    r'<link[^>]*?href="\.\./(_static/styles/(?!noscript)[^"?]*\.css)'
)
BLOCK = re.compile(r"(<!-- takeaway -->).*?(<!-- /takeaway -->)", re.DOTALL)
LANGUAGE = "en-US"
STAMP = (2020, 1, 1, 0, 0, 0)  # the same bytes from every build


def about(root=ROOT):
    """Return what the files say of themselves, as CITATION.cff does."""
    cited = yaml.safe_load((root / "CITATION.cff").read_text("utf-8"))
    owner, name = setup_cell.GITHUB.match(cited["repository-code"]).groups()
    return {
        "title": cited["title"],
        "authors": [author["name"] for author in cited["authors"]],
        "license": "Text and figures: CC BY 4.0. Code: MIT.",
        "licenses": cited["license"],
        "language": LANGUAGE,
        "keywords": cited["keywords"],
        "date": str(cited["date-released"]),
        "version": cited["version"],
        "repository": cited["repository-code"],
        "address": f"https://{owner}.github.io/{name}/",
    }


# --- the PDF --------------------------------------------------------------------------


def plan(root=ROOT):
    """Return the pages that are printed: captions of the book, and names under each."""
    known = course.table(root)
    parts = [("", ["index"])]
    parts += [
        (p["caption"], [c["file"] for c in p["chapters"]]) for p in known["parts"]
    ]
    for part in (known["project"], known["reference"]):
        names = [name for name in part["pages"] if name not in book.LEFT_OUT]
        parts.append((part["caption"], names))
    return parts


def read(root=ROOT, folder="", formulas=None):
    """Return the pages of the built site with their places in the book.

    Parameters
    ----------
    root : Path
        The repository.
    folder : str
        What the addresses of pictures begin with.
    formulas : callable, optional
        See :func:`tools.takeaway_book.page`.

    Returns
    -------
    parts : list of (str, list of Page)
        The pages under the captions of the book, the last one with the solutions.
    styles : list of str
        The style sheets of the site that they use.
    """
    wanted, site = plan(root), about(root)["address"]
    known = {f"book/{name}.html": name for _, names in wanted for name in names}
    parts, styles = [], []
    for caption, names in wanted:
        pages = []
        for name in names:
            path = f"book/{name}.html"
            html = BLOCK.sub("", (root / SITE / path).read_text("utf-8"))
            styles += [s for s in STYLESHEET.findall(html) if s not in styles]
            pages.append(book.page(name, html, formulas))
            book.files(pages[-1].section, path, folder)
            book.lead(pages[-1].section, path, known, site)
            book.own_names(pages[-1].section, name)
        parts.append((caption, pages))
    back = book.solutions([page for _, inner in parts for page in inner])
    return [*parts, ("", [back])], styles


def joined(root=ROOT):
    """Return the whole book as one HTML document, which lies in ``_build``."""
    parts, styles = read(root, "html/")
    facts, own = about(root), os.path.relpath(root / STYLE, (root / DRAFT).parent)
    sheets = [*(f"html/{name}" for name in styles), own]
    front = book.front(facts, "html/_static/logo.svg")
    return book.document(parts, front, sheets, facts)


def pdf(root=ROOT):
    """Write the PDF and return its path."""
    from tools import takeaway_print  # the archive needs no browser

    draft = root / DRAFT
    html = joined(root)
    draft.write_text(html, "utf-8")
    with takeaway_print.printing(draft) as printed:
        numbers = takeaway_print.places(printed(tagged=False))
        draft.write_text(book.numbered(html, numbers), "utf-8")
        data = printed(tagged=True)
    draft.unlink()
    return _write(root, f"{NAME}.pdf", takeaway_print.finished(data, about(root)))


def epub(root=ROOT):
    """Write the EPUB and return its path."""
    parts, _ = read(root, formulas=takeaway_epub.mathml)
    facts, path = about(root), root / SITE / FOLDER / f"{NAME}.epub"
    path.parent.mkdir(exist_ok=True)
    front = book.front(facts, "_static/logo.svg")
    takeaway_epub.write(path, parts, front, facts, root / SITE)
    return path


# --- the archive ----------------------------------------------------------------------


def archive(root=ROOT):
    """Write the site as an archive and return its path.

    It holds Python for the pages where the site does: a page that is opened as a file
    cannot start it, but says how to serve the folder, and then it runs.
    """
    site = root / SITE
    words = (
        "This is a copy to read without a connection. Its cells and exercises run as "
        "well, once the folder is served: enter <code>python -m http.server</code> in "
        'it. The present edition, and the book as a PDF, are <a href="'
        f'{about(root)["address"]}">on the site</a>.'
    )
    path = site / FOLDER / f"{NAME}.zip"
    path.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for file in sorted(site.rglob("*")):
            name = file.relative_to(site)
            if file.is_dir() or name.parts[0] == FOLDER:
                continue
            content = file.read_bytes()
            if name == FIRST:
                content = filled(content.decode(), words).encode()
            entry = zipfile.ZipInfo(f"{NAME}/{name.as_posix()}", STAMP)
            packed.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return path


# --- the first page -------------------------------------------------------------------


def filled(html, words):
    """Return the first page with a sentence in the place for it.

    Raises
    ------
    ValueError
        If the page has no such place.
    """
    text = f"\\1\n<p><strong>Take it along.</strong> {words}</p>\n\\2"
    made, places = BLOCK.subn(text, html)
    if places != 1:
        raise ValueError(
            f"the first page must have one place <!-- takeaway -->, got {places}; put "
            "it into book/index.md and build the site again"
        )
    return made


def offer(folder):
    """Return the sentence that names what is there to take: links, with their sizes."""
    kinds = {
        "pdf": "the whole book as a PDF",
        "epub": "the same as an EPUB",
        "zip": "this site as an archive",
    }
    links = [
        f'<a href="../{FOLDER}/{NAME}.{kind}">{words}</a> '
        f"({(folder / f'{NAME}.{kind}').stat().st_size / 1e6:.0f} MB)"
        for kind, words in kinds.items()
        if (folder / f"{NAME}.{kind}").is_file()
    ]
    *others, last = links
    listed = " and ".join(filter(None, [", ".join(others), last]))
    return f"To read without a connection: {listed}."


def name_them(root=ROOT):
    """Let the first page of the built site lead to what is there."""
    first = root / SITE / FIRST
    words = offer(root / SITE / FOLDER)
    first.write_text(filled(first.read_text("utf-8"), words), "utf-8")


def _write(root, name, data):
    path = root / SITE / FOLDER / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    return path


def main(arguments=None):
    """Make one file and say where it is; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.takeaway")
    parser.add_argument("what", choices=["pdf", "epub", "zip"])
    what = parser.parse_args(arguments).what
    path = {"pdf": pdf, "epub": epub, "zip": archive}[what]()
    name_them()
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
