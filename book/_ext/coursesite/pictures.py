"""Our own pictures come from the site itself, and every picture has words."""

from docutils import nodes
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging

from .address import image_base

log = logging.getLogger(__name__)


class LocalPictures(SphinxTransform):
    """Replace the public address of a file in our repository, which Colab needs."""

    default_priority = 15

    def apply(self, **kwargs):
        base = image_base(self.env.config)
        for image in self.document.findall(nodes.image):
            if base and image["uri"].startswith(base):
                image["uri"] = "/" + image["uri"].removeprefix(base)


class AlternativeText(SphinxPostTransform):
    """Warn of a picture without words, after MyST-NB has chosen the outputs."""

    default_priority = 12
    formats = ("html",)

    def run(self, **kwargs):
        for image in self.document.findall(nodes.image):
            if not image.get("alt", "").strip():
                log.warning(
                    "picture without alternative text (%s): set mystnb.image.alt in "
                    "the metadata of the cell, or ![words](address) in Markdown",
                    self.place(image),
                    location=self.env.docname,
                    type="coursesite",
                    subtype="alt",
                )

    @staticmethod
    def place(image):
        node = image
        while node is not None:
            if isinstance(node, nodes.Element) and "cell_index" in node:
                return f"code cell {node['cell_index']}"
            node = node.parent
        return image["uri"]


def setup(app):
    app.add_transform(LocalPictures)
    app.add_post_transform(AlternativeText)
