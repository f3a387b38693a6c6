"""Last touches on the pages: repairs of the theme's markup.

A second build may find a page repaired, so no repair may fit its own result.
"""

import re
from pathlib import Path

# What axe-core finds in the theme: names that hide the visible words, a logo outside of
# any landmark, list roles without list items. What nobody needs: a slot for
# advertising, the title once more for a print that has it already, the viewport three
# times. What makes a page wait: pictures below the screen, scripts before the text.
# What makes it move: a logo without a size, and once more until a script hides one.
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
            r'<div id="pst-primary-sidebar"(?! role)',
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
            r'<img src="([^"]*)" class="logo__image only-light" alt="([^"]*)"/>\s*'
            r'<img src="\1" class="logo__image only-dark pst-js-only" alt="[^"]*"/>',
            r'<img src="\1" class="logo__image" width="44" height="44" alt="\2"/>',
        ),
        # In a menu that is closed.
        (r'(<img alt="Colab logo") src', r'\1 loading="lazy" src'),
        (
            r'<script (src="[^"]*/_static/(?!documentation_options))',
            r"<script defer \1",
        ),
        (r'<script (src="_static/(?!documentation_options))', r"<script defer \1"),
    ]
]
# The theme asks only after the whole page has come which colors the system wants: until
# then neither those of the light nor those of the dark page fit. Where nothing may be
# stored, the system decides as well.
THEME = re.compile(
    r'<script data-cfasync="false">\s*document\.doc.*?</script>', re.DOTALL
)
THEME_AT_ONCE = """<script data-cfasync="false">
    (() => {
      let mode;
      try { mode = localStorage.getItem("mode"); } catch { /* blocked */ }
      const isDark = matchMedia("(prefers-color-scheme: dark)").matches;
      const { dataset } = document.documentElement;
      dataset.mode = mode || "auto";
      dataset.theme = /^(light|dark)$/.test(mode) ? mode : isDark ? "dark" : "light";
    })();
  </script>"""
# What the theme tells its authors on every page: which colors it took, and the like.
CHATTER = re.compile(r"""console\.log\(([`"'])\[PST\].*?\1\)""")
# It makes what can be scrolled sideways a stop of the keyboard, and asks after each one
# how wide the next is: a hundred times the page is laid out. What stands in a closed
# fold has no width before the browser lays out what nobody sees; it is asked when the
# fold opens.
STOPS = re.compile(
    r"(document\.querySelectorAll\(\[[^\]]*\]\.join\([^)]*\)\))\.forEach\((\w)=>\{"
    r"\2\.tabIndex=([^}]*?)\?0:-1\}\)(?P<rest>.*?)"
    r'window\.addEventListener\("resize",(?P<again>\w)\)'
)
STOPS_AT_ONCE = (
    r'[...\1].filter(\2=>!\2.closest("details:not([open])")).map(\2=>[\2,\3])'
    r".forEach(([\2,s])=>{\2.tabIndex=s?0:-1})\g<rest>"
    r'["resize","toggle"].forEach(n=>window.addEventListener(n,\g<again>,!0))'
)
SCRIPTS = Path("_static", "scripts")
TALKING = ("pydata-sphinx-theme.js", "sphinx-book-theme.js")


# A rule that asks what stands below it (:has) is tried again for each part of a page
# that comes. Only the page with the ledger is as wide as its table: it says so itself.
WIDE = re.compile(r'<body (?!data-wide)(?=.*?<table class="[^"]*\bledger\b)', re.DOTALL)

CODE = re.compile(r'<div class="highlight"><pre\b.*?</pre>', re.DOTALL)
# Names, signs and blanks have the color of all code; there is an element for each, and
# they are half of a page.
PLAIN = re.compile(r'<span class="(?:n|nn|nx|o|p|w)">([^<]*)</span>')
# It stands before all code, so that a blank first line is not lost.
EMPTY = re.compile(r"<span></span>(?!\n)")


def lighten(found):
    """Return a block of code without needless elements."""
    return EMPTY.sub("", PLAIN.sub(r"\1", found[0]))


def repair(page):
    """Return the HTML of a page with the theme's faults mended."""
    for pattern, replacement in REPAIRS:
        page = pattern.sub(replacement, page)
    page = CODE.sub(lighten, page)
    page = WIDE.sub("<body data-wide ", page)
    return silence(THEME.sub(lambda found: THEME_AT_ONCE, page))


def silence(script):
    """Return a script that does not say what it does."""
    return CHATTER.sub("void 0", script)


def quicken(script):
    """Return a script of the theme that is silent and lays a page out once."""
    return STOPS.sub(STOPS_AT_ONCE, silence(script))


def repair_pages(app, error):
    if error is not None or app.builder.format != "html":
        return
    outdir = Path(app.outdir)
    scripts = [outdir / SCRIPTS / name for name in TALKING]
    todo = [(path, quicken) for path in scripts if path.is_file()]
    todo += [(path, repair) for path in outdir.rglob("*.html")]
    for path, mend in todo:
        before = path.read_text("utf8")
        after = mend(before)
        if after != before:
            path.write_text(after, "utf8")


def forget_silenced(app):
    """Remove the scripts of an earlier build: Sphinx reports what it overwrites."""
    for name in TALKING:
        Path(app.outdir, SCRIPTS, name).unlink(missing_ok=True)


def setup(app):
    app.connect("builder-inited", forget_silenced)
    app.connect("build-finished", repair_pages)
