"""Last touches on the pages: repairs of the theme's markup.

A second build may find a page repaired, so no repair may fit its own result.
"""

import re
from pathlib import Path

# What axe-core finds in the theme: names that hide the visible words, a logo outside of
# any landmark, list roles without list items. What nobody needs: a slot for
# advertising, the title once more for a print that has it already, the viewport three
# times. What makes a page wait: pictures below the screen, scripts before the text.
REPAIRS = [
    (re.compile(pattern, re.DOTALL), replacement)
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
        (r'\s*<script defer src="[^"]*fontawesome\.js[^"]*"></script>', ""),
        (r'\s*<link rel="preload" as="script"[^>]*>', ""),
        (r'<div id="ethical-ad-placement".*?</div>', ""),
        # The theme's script marks a section of this list too late; reader.js does it.
        (r'<nav id="pst-page-toc-nav"', '<nav id="course-contents"'),
        (r'(<div id="jb-print-docs-body"[^>]*>\s*)<h1>(.*?)</h1>', r"\1<p>\2</p>"),
        *[(r'(<meta name="viewport"[^>]*>.*?)<meta name="viewport"[^>]*>', r"\1")] * 2,
        (
            r'<a class="reference internal image-reference" href="[^"]*">\s*'
            r'<img ([^>]*?) style="width: (\d+)px; height: (\d+)px;" />\s*</a>',
            r'<img \1 width="\2" height="\3" loading="lazy" decoding="async" />',
        ),
        (
            r'<script (src="[^"]*/_static/(?!documentation_options))',
            r"<script defer \1",
        ),
        (r'<script (src="_static/(?!documentation_options))', r"<script defer \1"),
    ]
]


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
    app.connect("build-finished", repair_pages)
