"""What the site takes from the table of chapters, ``book/course.yml``.

The order of the ledger is that of the claims in the table, and the earlier name of a
chapter leads to its present page.
"""

import html
from functools import cache
from pathlib import Path

import yaml

TABLE = Path("book", "course.yml")
PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<link rel="canonical" href="{file}.html">
<meta http-equiv="refresh" content="0; url={file}.html">
<meta name="robots" content="noindex">
</head><body><p>This chapter is now <a href="{file}.html">{title}</a>.</p></body></html>
"""


def table(srcdir):
    """Return the table, an empty one where a book has none."""
    path = Path(srcdir, TABLE)
    if not path.is_file():
        return {"parts": []}
    return parsed(path, path.stat().st_mtime_ns)


@cache  # every page asks for it, and YAML takes its time
def parsed(path, changed):
    """Return what a file says; ``changed`` is when, so that a new one is read."""
    return yaml.safe_load(path.read_text("utf8"))


def chapters(srcdir):
    """Return the rows of the chapters."""
    return [row for part in table(srcdir)["parts"] for row in part["chapters"]]


def letters(srcdir):
    """Return the letters of the claims in the order in which they are measured.

    Those of the chapters come first, then those of the reference pages.
    """
    pages = table(srcdir).get("reference", {}).get("claims", {})
    lists = [row["claims"] for row in chapters(srcdir)] + list(pages.values())
    names = [name for names in lists for name in names]
    return "".join(dict.fromkeys(name[0] for name in names))


def redirect(app, error):
    """Write a page under each earlier name that leads to the present one."""
    if error is not None or app.builder.format != "html":
        return
    for row in chapters(app.srcdir):
        for name in row.get("was", ()):
            path = Path(app.outdir, "book", f"{name}.html")
            path.parent.mkdir(parents=True, exist_ok=True)
            title = html.escape(row["title"])
            path.write_text(PAGE.format(title=title, file=row["file"]), "utf8")


def setup(app):
    app.connect("build-finished", redirect)
