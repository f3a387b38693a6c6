"""One stylesheet instead of nine, and another one for browsers without scripts.

A page is not painted before all its stylesheets are there, so they become one. The
theme chooses light or dark by a script; without it no rule of either fits. For that
case, and only then, another one repeats the rules of both, asks the system which to
take, and shows the list of chapters, which on a narrow screen a button opens.
"""

import re
from hashlib import sha256
from pathlib import Path
from posixpath import normpath, relpath

LINK = re.compile(r'\s*<link (?=[^>]*rel="stylesheet")[^>]*href="([^"?]+)[^"]*"[^>]*>')
ADDRESS = re.compile(r"""url\((["']?)(?!data:|https?:|#|/)([^"')]+)\1\)""")
COMMA = re.compile(r",(?![^(]*\))")  # not one within :is(...)
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
QUOTED = re.compile(r"\[data-theme=(?:['\"]?)(light|dark)(?:['\"]?)\]")

NARROW = """
@media (max-width: 991px) {
  .bd-container__inner { flex-direction: column; }
  #pst-primary-sidebar {
    display: block; height: auto; margin: 0; max-height: none; order: 2;
    position: static; visibility: visible; width: 100%;
  }
}
.bd-header-article .header-article-items__end, .primary-toggle, .secondary-toggle {
  display: none;
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


def themed(css, theme):
    """Return the rules for one theme as rules for a page whose theme is not chosen."""
    found = []
    for selector, block in rules(COMMENT.sub("", css)):
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


def moved(css, path, folder):
    """Return a stylesheet whose relative addresses hold in another folder."""

    def address(found):
        there = normpath(f"{path.parent.as_posix()}/{found[2]}")
        return f"url({found[1]}{relpath(there, folder.as_posix())}{found[1]})"

    return ADDRESS.sub(address, css)


def bundle(app, error):
    """Join the stylesheets of each page, once for all pages that have the same ones."""
    if error is not None or app.builder.format != "html":
        return
    outdir = Path(app.outdir)
    target = outdir / "_static" / "styles"
    if not target.is_dir():  # another theme
        return
    names = {}
    for path in outdir.rglob("*.html"):
        page = path.read_text("utf8")
        links = list(LINK.finditer(page))
        files = tuple((path.parent / link[1]).resolve() for link in links)
        if len(files) < 2 or not all(file.is_file() for file in files):
            continue
        if files not in names:
            names[files] = write(files, target)
        to = relpath(target.as_posix(), path.parent.as_posix())
        first = links[0].start()
        for link in reversed(links):
            page = page[: link.start()] + page[link.end() :]
        site, other = (link_to(f"{to}/{name}") for name in names[files])
        line = f"\n{site}\n<noscript>{other}</noscript>"
        path.write_text(page[:first] + line + page[first:], "utf8")


def link_to(address):
    return f'<link rel="stylesheet" href="{address}">'


def write(files, target):
    """Write both stylesheets of a kind of page; return their names."""
    target = target.resolve()
    css = "\n".join(moved(f.read_text("utf8"), f, target) for f in files)
    written = []
    for kind, text in {"site": css, "noscript": without_script(css)}.items():
        name = f"{kind}-{sha256(text.encode()).hexdigest()[:10]}.css"
        (target / name).write_text(text, "utf8")
        written.append(name)
    return written


def setup(app):
    app.connect("build-finished", bundle, priority=950)  # after coursesite.icons
