"""Explorables: the stored picture stands in the page, a script comes when it is near.

A cell that ends with ``explore("push")`` has stored a picture as an ``<img>``, which
GitHub shows as well. The site puts the SVG itself into the page, so that it takes the
colors of the theme, with its sentence below it, and publishes the scripts of
``bnlib/lab/explore``, one for each name. Pages without an explorable load nothing.
"""

import base64
import html
import importlib.util
import re
from pathlib import Path

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging

STATIC = Path("_static", "explore")
STORED = re.compile(
    r'<div data-explore="(?P<name>\w+)"[^>]*>'
    r'<img [^>]*base64,(?P<picture>[\w+/=]+)"></div>'
)
# Not in the page: it has one style sheet, and a title would show up under the mouse.
LEFT_OUT = re.compile(r"<(style|title|desc)>.*?</\1>", re.DOTALL)

log = logging.getLogger(__name__)


def bundle():
    """Load what puts the scripts together, without importing bnlib."""
    path = Path(__file__).parents[3] / "bnlib" / "lab" / "explore" / "bundle.py"
    spec = importlib.util.spec_from_file_location("explore_bundle", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def said(picture):
    """Return title and sentence of a picture."""
    put = bundle()
    return html.unescape(put.title(picture)), html.unescape(put.sentence(picture))


def figure(name, picture, identifier):
    """Return the figure of an explorable, as it is without a script."""
    title, sentence = map(html.escape, said(picture))
    svg = LEFT_OUT.sub("", picture).strip()
    words = f'<svg role="img" aria-label="{title}. {sentence}"'
    return (
        f'<figure class="bn-explore"{identifier} data-explore="{name}">'
        f'<div class="bn-picture">{svg.replace("<svg", words, 1)}</div>'
        f'<p class="bn-said">{sentence}</p></figure>'
    )


class Figures(SphinxPostTransform):
    """Put the SVG of each stored explorable into the page."""

    default_priority = 6  # after MyST-NB has chosen the outputs
    formats = ("html",)

    def run(self, **kwargs):
        seen = set()
        for node in list(self.document.findall(nodes.raw)):
            stored = STORED.search(node.astext())
            if stored and node.get("format") == "html":
                name = stored["name"]
                identifier = "" if name in seen else f' id="explore-{name}"'
                seen.add(name)
                picture = base64.b64decode(stored["picture"]).decode("utf8")
                text = figure(name, picture, identifier)
                # Not replace_self, which keeps the class text_html: in the dark the
                # theme lays a gray ground under it.
                drawn = nodes.raw("", text, format="html")
                drawn["explorable"] = (f"explore-{name}", *said(picture))
                node.parent["classes"].append("course-drawn")
                node.parent.replace(node, drawn)


def load(app, pagename, templatename, context, doctree):
    """Give the script and the style to the pages that need them."""
    if 'data-explore="' in context.get("body", ""):
        app.add_css_file("explore/explore.css")
        app.add_js_file("explore/load.js", loading_method="defer")


def publish(app, error):
    """Write one script for each explorable, and the style of all."""
    if error is not None or app.builder.format != "html":
        return
    put, folder = bundle(), Path(app.outdir) / STATIC
    folder.mkdir(parents=True, exist_ok=True)
    for name in put.NAMES:
        (folder / f"{name}.js").write_text(put.script(name), "utf8")
    colors = Path(__file__).parents[2] / "_static" / "explore" / "site.css"
    style = put.style() + "\n" + colors.read_text("utf8")
    (folder / "explore.css").write_text(style, "utf8")


def setup(app):
    app.add_post_transform(Figures)
    app.connect("html-page-context", load)
    app.connect("build-finished", publish)
