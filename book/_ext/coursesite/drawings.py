"""Figures of lines and words stand in the page itself, in its colors and letters.

A notebook stores such a figure twice: as a picture, for all who show notebooks, and as
a short SVG (``tools/drawing.py``). The site takes the SVG: it has the colors of the
theme (``course.css`` knows each of them), the typeface of the text, and is sharp at any
size. Photographs and clouds of points stay pictures. So does all in an EPUB, whose
readers bring their own styles.
"""

import html
import json
import re
from pathlib import Path

from docutils import nodes
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform

MIME = "application/vnd.bnlib.drawing"
SCALE = 1.25  # pixels for a point: a figure 6 inches wide is as wide as the text
BOX = re.compile(r'viewBox="\S+ \S+ (\S+) (\S+)"')


class course_drawing(nodes.General, nodes.Element):
    """An SVG, its words, and the name of the picture that it stands for."""


class StoredDrawings(SphinxTransform):
    """Give each picture the drawing that its cell has stored beside it."""

    default_priority = 14

    def apply(self, **kwargs):
        path = Path(self.env.doc2path(self.env.docname))
        if path.suffix != ".ipynb":
            return
        cells = json.loads(path.read_text("utf8"))["cells"]
        for cell in self.document.findall(nodes.container):
            if cell.get("nb_element") == "cell_code":
                drawn = list(stored(cells[cell["cell_index"]]))
                for image, svg in zip(pictures(cell), drawn, strict=False):
                    if svg:
                        image["drawing"] = svg


def stored(cell):
    """Yield the drawing of each picture among the outputs, None where it has none."""
    for output in cell["outputs"]:
        data = output.get("data", {})
        if "image/png" in data:
            yield "".join(data[MIME]) if MIME in data else None


def pictures(cell):
    for bundle in cell.findall(nodes.container):
        if bundle.get("mime_type") == "image/png":
            yield from bundle.findall(nodes.image)


class Drawings(SphinxPostTransform):
    """Put drawings in the place of pictures."""

    default_priority = 13  # after coursesite.pictures, which asks for words
    formats = ("html",)

    def run(self, **kwargs):
        if self.app.builder.name == "epub":
            return
        for number, image in enumerate(list(self.document.findall(nodes.image))):
            if "drawing" in image:
                uri = image["uri"]
                # Who shares a link to the page shows the picture: head.py.
                name = self.env.images[uri][1]
                self.app.builder.images[uri] = name
                own = image["drawing"].replace('id="c', f'id="drawing-{number}-')
                own = own.replace("url(#c", f"url(#drawing-{number}-")
                drawn = course_drawing(svg=own, words=image.get("alt", ""), uri=name)
                image.replace_self(drawn)


def visit_drawing(self, node):
    width, height = (
        round(SCALE * float(number)) for number in BOX.search(node["svg"]).groups()
    )
    words = html.escape(node["words"])
    told = f'class="course-drawing" role="img" aria-label="{words}"'
    size = f'width="{width}" height="{height}"'
    self.body.append(node["svg"].replace("<svg", f"<svg {told} {size}", 1))
    raise nodes.SkipNode


def setup(app):
    app.add_node(course_drawing, html=(visit_drawing, None))
    app.add_transform(StoredDrawings)
    app.add_post_transform(Drawings)
