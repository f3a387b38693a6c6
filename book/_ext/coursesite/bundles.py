"""One stylesheet and one script instead of nine and five, and one for want of scripts.

A page is not painted before all its stylesheets are there, so they become one, without
the rules for classes that no page and no script of the site names, and without those
of others that ask what stands below an element (``:has``): a browser tries them again
for each part of a page that comes or changes; course.css says the same by classes. The
theme chooses
light or dark by a script; without it no rule of either fits. For that case, and only
then, another one repeats the rules of both, asks the system which to take, and shows
the list of chapters, which on a narrow screen a button opens.
"""

import re
from hashlib import sha256
from pathlib import Path
from posixpath import normpath, relpath

# None that an earlier build has made: the one for want of scripts is for nobody else.
LINK = re.compile(
    r'\s*<link (?=[^>]*rel="stylesheet")[^>]*href="'
    r'((?![^"]*/(?:site|noscript)-[0-9a-f]{10}\.css)[^"?]+)[^"]*"[^>]*>'
)
# Those that belong to every page, of Sphinx, the theme and our own; others may look for
# their own address.
SCRIPT = re.compile(
    r'\s*<script defer(?:="defer")? src="([^"?]*/(?:doctools|sphinx_highlight'
    r'|clipboard\.min|copybutton|sphinx-book-theme|reader|yours)\.js)[^"]*"></script>'
)
# A few words that all pages wait for: they stand in the page itself.
OPTIONS = re.compile(
    r'<script src="(?:[^"]*/)?_static/documentation_options\.js[^"]*"></script>'
)
ADDRESS = re.compile(r"""url\((["']?)(?!data:|https?:|#|/)([^"')]+)\1\)""")
IMPORT = re.compile(r"""@import\s+["']([^"':]+)["'];""")
COMMA = re.compile(r",(?![^(]*\))")  # not one within :is(...)
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
CLASS = re.compile(r"\.((?:\\.|[\w-])+)")
INSIDE = re.compile(r"\([^()]*\)|\[[^\]]*\]")  # of :not(...), and of attributes
WORD = re.compile(r"[\w-]+")
# Their rules stay as they are: what is ours is mended where it is written.
OWN = ("course.css", "explore.css")
QUOTED = re.compile(r"\[data-theme=(?:['\"]?)(light|dark)(?:['\"]?)\]")

NARROW = """
@media (max-width: 991px) {
  .bd-container__inner { flex-direction: column; }
  #pst-primary-sidebar {
    display: block; height: auto; margin: 0; max-height: none; order: 2;
    position: static; visibility: visible; width: 100%;
  }
}
.bd-header-article .header-article-items__end, .primary-toggle, .secondary-toggle,
.bd-article .predict-form, div.highlight button.copybtn:empty {
  display: none;
}
.bd-article .callout-predict > p:has(+ .predict-form) {
  margin-bottom: 0;
}
"""


def rules(css):
    """Yield ``(selector, block)`` of the outermost rules; a block has its braces."""
    start = depth = opened = 0
    for at, sign in enumerate(css):
        if sign == "{":
            opened = opened if depth else at
            depth += 1
        elif sign == "}":
            depth -= 1
            if not depth:
                yield css[start:opened].strip(), css[opened : at + 1]
                start = at + 1
        elif sign == ";" and not depth:  # @import, @charset
            start = at + 1


def words(outdir):
    """Return all words of pages and scripts: a class that is none is never set."""
    found = set()
    for path in [
        *outdir.rglob("*.html"),
        *outdir.rglob("*.js"),
        *outdir.rglob("*.mjs"),
    ]:
        found |= set(WORD.findall(path.read_text("utf8")))
    return found


def purged(css, is_kept):
    """Return a stylesheet with the selectors for which ``is_kept`` is true."""
    kept = []
    for selector, block in rules(css):
        if selector.startswith(("@media", "@supports")):
            inner = purged(block[1:-1], is_kept)
            kept += [f"{selector}{{{inner}}}"] if inner else []
        elif selector.startswith("@"):
            kept.append(f"{selector}{block}")
        else:
            parts = list(filter(is_kept, COMMA.split(selector)))
            kept += [f"{','.join(parts)}{block}"] if parts else []
    return "".join(kept)


def names(selector):
    """Return the classes that an element must have, or stand in, to be selected."""
    return {name.replace("\\", "") for name in CLASS.findall(INSIDE.sub("", selector))}


def themed(css, theme):
    """Return the rules for one theme as rules for a page whose theme is not chosen."""
    found = []
    for selector, block in rules(css):
        if selector.startswith("@media"):
            inner = themed(block[1:-1], theme)
            found += [f"{selector}{{{inner}}}"] if inner else []
        elif not selector.startswith("@"):
            quoted = QUOTED.sub(r'[data-theme="\1"]', selector)
            parts = COMMA.split(quoted)
            fitting = [part for part in parts if f'[data-theme="{theme}"]' in part]
            if fitting:
                auto = ",".join(fitting).replace(f'"{theme}"', '"auto"')
                found.append(f"{auto}{block}")
    return "".join(found)


def without_script(css):
    dark = themed(css, "dark")
    media = f"@media(prefers-color-scheme:dark){{{dark}}}"
    return f"{themed(css, 'light')}{media}{NARROW}"


def whole(path, folder):
    """Return a stylesheet and what it imports, with addresses that hold in a folder."""

    def address(found):
        there = normpath(f"{path.parent.as_posix()}/{found[2]}")
        return f"url({found[1]}{relpath(there, folder.as_posix())}{found[1]})"

    def imported(found):
        return whole(path.parent / found[1], folder)

    css = COMMENT.sub("", path.read_text("utf8"))
    return IMPORT.sub(imported, ADDRESS.sub(address, css))


def bundle(app, error):
    """Join stylesheets and scripts, once for all pages that have the same ones."""
    if error is not None or app.builder.format != "html":
        return
    outdir = Path(app.outdir)
    target = (outdir / "_static" / "styles").resolve()
    if not target.is_dir():  # another theme
        return
    known, used = {}, words(outdir)
    options = outdir / "_static" / "documentation_options.js"
    spoken = f"<script>{' '.join(options.read_text('utf8').split())}</script>"
    for path in outdir.rglob("*.html"):
        page = OPTIONS.sub(lambda found: spoken, path.read_text("utf8"))
        to = relpath(target, path.parent.resolve())
        for found, join in ((LINK, join_styles), (SCRIPT, join_scripts)):
            tags = list(found.finditer(page))
            files = tuple((path.parent / tag[1]).resolve() for tag in tags)
            if len(files) > 1 and all(file.is_file() for file in files):
                known[files] = known.get(files) or join(files, target, used)
                page = exchanged(page, tags, known[files].replace("TO", to))
        path.write_text(page, "utf8")


def exchanged(page, tags, line):
    """Return a page with one line in place of the first of some tags."""
    for tag in reversed(tags):
        page = page[: tag.start()] + page[tag.end() :]
    return f"{page[: tags[0].start()]}\n{line}{page[tags[0].start() :]}"


def join_styles(files, target, used):
    def known(selector):
        return names(selector) <= used

    def asks_nothing(selector):
        return known(selector) and ":has(" not in selector

    css = "".join(
        purged(whole(file, target), known if file.name in OWN else asks_nothing)
        for file in files
    )
    site = write(css, target, "site", "css")
    other = write(without_script(css), target, "noscript", "css")
    link = '<link rel="stylesheet" href="TO/{}">'
    return f"{link.format(site)}\n<noscript>{link.format(other)}</noscript>"


def join_scripts(files, target, used):
    # Not strict as a whole because the first one is.
    text = "".join(f";\n{file.read_text('utf8')}" for file in files)
    return f'<script defer src="TO/{write(text, target, "site", "js")}"></script>'


def write(text, target, name, kind):
    """Write a file whose name changes with its text; return the name."""
    digest = sha256(text.encode()).hexdigest()[:10]
    (target / f"{name}-{digest}.{kind}").write_text(text, "utf8")
    return f"{name}-{digest}.{kind}"


def setup(app):
    app.connect("build-finished", bundle, priority=950)  # after coursesite.icons
