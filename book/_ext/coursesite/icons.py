"""Keep of the icons only those that the site shows.

The theme brings all of Font Awesome twice, as a script of 1.5 MB and as fonts. Its
stylesheet needs only the fonts, and of these the few glyphs that are really used.
"""

import logging
import re
from pathlib import Path

import pydata_sphinx_theme
from fontTools.subset import Options, Subsetter, load_font, save_font

FONTS = Path("vendor/fontawesome/webfonts")
SCRIPT = Path("scripts/fontawesome.js")
STYLESHEET = Path("styles/pydata-sphinx-theme.css")
NAME = re.compile(r"\bfa-([a-z0-9-]+)")
# .fa-sun:before{content:"\f185"}, also with several selectors
ICON_RULE = re.compile(r'((?:\.fa-[\w-]+::?before,?)+)\{content:"(\\[0-9a-f]+|.)"\}')
PRIVATE = re.compile("[\ue000-\uf8ff]|" + r"\\([ef][0-9a-f]{3})\b")
TRUETYPE = re.compile(r',url\([^)]*\.ttf\) format\("truetype"\)')


# Sphinx lets every logger speak; this one reports each table of each font.
logging.getLogger("fontTools").setLevel(logging.WARNING)


def code_point(text):
    r"""Return the number of ``\f185`` or of the character itself."""
    return int(text[1:], 16) if text.startswith("\\") else ord(text)


def read_stylesheets(static):
    """Return ``{icon name: code point}`` and the code points outside these rules."""
    names, others = {}, set()
    for path in static.rglob("*.css"):
        css = path.read_text("utf8")
        for selectors, text in ICON_RULE.findall(css):
            names |= dict.fromkeys(NAME.findall(selectors), code_point(text))
        rest = ICON_RULE.sub("", css)
        others |= {code_point(found[0]) for found in PRIVATE.finditer(rest)}
    return names, others


def used_code_points(outdir):
    """Return the code points of the icons that pages, scripts and stylesheets use."""
    static = outdir / "_static"
    names, used = read_stylesheets(static)
    for path in [*outdir.rglob("*.html"), *static.rglob("*.js")]:
        text = path.read_text("utf8")
        used |= {names[name] for name in NAME.findall(text) if name in names}
    return used


def write_subset(source, target, code_points):
    # Without hints for screens of few pixels, which no browser of today follows.
    options = Options(flavor="woff2", notdef_outline=True, hinting=False)
    with load_font(source, options) as font:
        subsetter = Subsetter(options)
        subsetter.populate(unicodes=code_points)
        subsetter.subset(font)
        save_font(font, target, options)


def slim_icons(app, error):
    """Empty the script, cut the fonts down and drop what browsers never load."""
    if error is not None or app.builder.format != "html":
        return
    static = Path(app.outdir) / "_static"
    if not (static / FONTS).is_dir():
        return
    (static / SCRIPT).write_text("/* The icons come from the fonts. */\n")
    used = used_code_points(Path(app.outdir))
    # From the theme, not from the output: an earlier build has cut that down already.
    theme = Path(pydata_sphinx_theme.__file__).parent / "theme/pydata_sphinx_theme"
    for source in (theme / "static" / FONTS).glob("*.woff2"):
        write_subset(source, static / FONTS / source.name, used)
    for path in [*static.rglob("*.ttf"), *static.rglob("*.map")]:
        path.unlink()
    css = (static / STYLESHEET).read_text("utf8")
    (static / STYLESHEET).write_text(TRUETYPE.sub("", css), "utf8")


def forget_slimmed(app):
    """Remove what an earlier build has changed: Sphinx reports what it overwrites."""
    static = Path(app.outdir) / "_static"
    for path in [static / SCRIPT, static / STYLESHEET, *static.glob(f"{FONTS}/*")]:
        path.unlink(missing_ok=True)


def setup(app):
    app.connect("builder-inited", forget_slimmed)
    app.connect("build-finished", slim_icons, priority=900)
