"""The typeface of the text begins to load with the page, not after its styles.

The fonts are made by ``tools/fonts.py``; ``course.css`` says where they are used, and
which face, of the same width, is shown until they have come. A page that was opened
from the disk may load fonts, but none ahead: its browser would complain.
"""

from pathlib import Path

UPRIGHT = "fonts/measured-sans.woff2"
AHEAD = (
    '<script>if (location.protocol !== "file:") document.head.append(Object.assign('
    'document.createElement("link"), {{rel: "preload", as: "font", '
    'type: "font/woff2", crossOrigin: "", href: "{}"}}));</script>\n'
)


def preload(app, pagename, templatename, context, doctree):
    folders = (Path(app.confdir, name) for name in app.config.html_static_path)
    if any((folder / UPRIGHT).is_file() for folder in folders):
        line = AHEAD.format(context["pathto"](f"_static/{UPRIGHT}", resource=True))
        context["metatags"] = (context.get("metatags") or "") + line


def setup(app):
    app.connect("html-page-context", preload)
