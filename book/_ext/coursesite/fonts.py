"""Fonts that are there when the words are.

The faces of the text, made by ``tools/fonts.py``, and the two that nearly every formula
needs begin to load with the page, not after its styles; until a font has come its
letters are shown in another one, not left out. Those of formulas are cut down to the
letters that the site uses. A page that was opened from the disk may load fonts, but
none ahead: its browser would complain.
"""

import json
import re
from html import unescape
from pathlib import Path

from docutils import nodes

from .icons import write_subset

TEXT = [f"_static/fonts/measured-sans{style}.woff2" for style in ("", "-italic")]
KATEX = Path("_static", "katex")
SOURCE = Path(__file__).parents[2] / KATEX / "fonts"
FIRST = ("KaTeX_Main-Regular.woff2", "KaTeX_Math-Italic.woff2")
NOT_SHOWN = re.compile(
    r'<span class="katex-mathml">.*?</math></span>|<[^>]*>', re.DOTALL
)
FACE = re.compile(r"@font-face\{(?![^}]*font-display)")
PRELOAD = (
    '<script>if (location.protocol !== "file:") for (const href of {})'
    " document.head.append(Object.assign(document.createElement("
    '"link"), {{rel: "preload", as: "font", type: "font/woff2", crossOrigin: "", href}}'
    "));</script>\n"
)


def is_formula(node):
    return isinstance(node, (nodes.math, nodes.math_block))


def preload(app, pagename, templatename, context, doctree):
    """Let a page ask for the first fonts at once; a book may have none of its own."""
    folders = (Path(app.confdir, name) for name in app.config.html_static_path)
    own = any((folder.parent / TEXT[0]).is_file() for folder in folders)
    paths = [*TEXT] if own else []
    if doctree is not None and doctree.next_node(is_formula) is not None:
        paths += [f"{KATEX.as_posix()}/fonts/{name}" for name in FIRST]
    if paths:
        addresses = [context["pathto"](path, resource=True) for path in paths]
        line = PRELOAD.format(json.dumps(addresses))
        context["metatags"] = (context.get("metatags") or "") + line


def letters(formulas):
    """Return the letters that are seen of formulas, in the HTML of KaTeX."""
    return set(unescape("".join(NOT_SHOWN.sub("", html) for html in formulas)))


def slim_fonts(app, error):
    """Cut down the fonts of this build, and name what is shown before they come."""
    target = Path(app.outdir) / KATEX
    if error is not None or app.builder.format != "html" or not target.is_dir():
        return
    used = {ord(letter) for letter in letters(getattr(app, "katex_html", {}).values())}
    for font in SOURCE.glob("*.woff2"):
        write_subset(font, target / "fonts" / font.name, used)
    stylesheet = target / "katex.min.css"
    css = stylesheet.read_text("utf8")
    stylesheet.write_text(FACE.sub("@font-face{font-display:swap;", css), "utf8")


def forget_slimmed(app):
    """Remove what an earlier build has changed: Sphinx reports what it overwrites."""
    target = Path(app.outdir) / KATEX
    for path in [target / "katex.min.css", *target.glob("fonts/*")]:
        path.unlink(missing_ok=True)


def setup(app):
    app.connect("builder-inited", forget_slimmed)
    app.connect("html-page-context", preload)
    app.connect("build-finished", slim_fonts, priority=900)  # before coursesite.bundles
