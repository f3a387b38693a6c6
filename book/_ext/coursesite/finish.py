"""Last touches on the pages: a description, and repairs of the theme's markup."""

import html
import re
from pathlib import Path

from docutils import nodes

LONGEST_DESCRIPTION = 155

# What axe-core finds in the theme: names that hide the visible words, a logo outside of
# any landmark, list roles without list items.
REPAIRS = [
    (re.compile(pattern), replacement)
    for pattern, replacement in [
        (r'<summary aria-label="[^"]*">', "<summary>"),
        (r'(<button class="btn search-button-field[^>]*?) aria-label="[^"]*"', r"\1"),
        # Sphinx's search, which the theme loads on every page; see search.py.
        (
            r'\s*<script src="[^"]*(?:searchtools|language_data|searchindex)\.js[^"]*">'
            r"</script>",
            "",
        ),
        (r'(<div) role="list"( class="citation-list">)', r"\1\2"),
        (r'(<div class="citation" id="[^"]*") role="doc-biblioentry"', r"\1"),
        (
            r'<div id="pst-primary-sidebar"',
            r'<div id="pst-primary-sidebar" role="complementary" aria-label="Chapters"',
        ),
    ]
]


def describe(app, pagename, templatename, context, doctree):
    """Describe the page to search engines by its first paragraph."""
    paragraphs = doctree.findall(nodes.paragraph) if doctree is not None else ()
    for paragraph in paragraphs:
        text = " ".join(paragraph.astext().split())
        if len(text) > 20:
            content = html.escape(text[:LONGEST_DESCRIPTION])
            tag = f'<meta name="description" content="{content}">\n'
            context["metatags"] = (context.get("metatags") or "") + tag
            return


def repair(page):
    """Return the HTML of a page with the theme's faults mended."""
    for pattern, replacement in REPAIRS:
        page = pattern.sub(replacement, page)
    return page


def repair_pages(app, error):
    if error is not None or app.builder.format != "html":
        return
    for path in Path(app.outdir).rglob("*.html"):
        before = path.read_text("utf8")
        after = repair(before)
        if after != before:
            path.write_text(after, "utf8")


def setup(app):
    app.connect("html-page-context", describe)
    app.connect("build-finished", repair_pages)
