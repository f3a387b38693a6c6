"""Sphinx's search, mended: headings first, excerpts of the text alone, words marked.

The scripts are changed after the build, at places that must be there exactly once: a
Sphinx that words them differently stops the build.
"""

from pathlib import Path

FURNITURE = '[".headerlink", "script", "style", ".katex-mathml", "button"]'
CHANGES = {
    "searchtools.js": [
        # Formulas stand in a page three times, as text, as MathML and as TeX.
        ('[".headerlink", "script", "style"]', FURNITURE),
        # The main part of the theme holds its buttons and contents, too.
        ("""querySelector('[role="main"]')""", "querySelector('article.bd-article')"),
        ("""`[role="main"] ${anchor}`)""", "`article.bd-article ${anchor}`)"),
        # "Exercise 4.3" is less than half of its heading, and what was looked for.
        ("&& (queryLower.length >= title.length/2)", "&& queryLower.length > 2"),
        (
            "Math.round(Scorer.title * queryLower.length /",
            "Scorer.title + Math.round(Scorer.title * queryLower.length /",
        ),
    ],
    "sphinx_highlight.js": [
        # The theme loads the search on all pages, so words were marked on none.
        ('typeof Search === "undefined"', '!document.getElementById("search-results")'),
    ],
}


def changed(text, changes):
    """Return a script with its changes; raise if one does not fit."""
    for old, new in changes:
        if text.count(old) != 1:
            raise ValueError(
                f"a script of Sphinx's search must hold {old!r} once, got "
                f"{text.count(old)}; adapt book/_ext/coursesite/search.py to it"
            )
        text = text.replace(old, new)
    return text


def change_scripts(app, error):
    if error is not None or app.builder.format != "html":
        return
    for name, changes in CHANGES.items():
        path = Path(app.outdir) / "_static" / name
        text = path.read_text("utf8")
        if any(new not in text for _, new in changes):  # a second build finds them
            path.write_text(changed(text, changes), "utf8")


def setup(app):
    app.connect("build-finished", change_scripts)
