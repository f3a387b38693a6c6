"""Colored boxes: a block quote that begins with a known word in bold."""

from docutils import nodes
from sphinx.transforms import SphinxTransform

# The word at the beginning -> the look of the box (course.css).
KINDS = {
    "in this chapter": "overview",
    "key idea": "key",
    "remember": "key",
    "definition": "note",
    "note": "note",
    "tip": "tip",
    "hint": "tip",
    "warning": "warning",
    "predict": "predict",
    "try it": "try",
    "exercise": "try",
}


def first_strong(paragraph):
    """Return the bold words that a paragraph begins with, or None."""
    for child in paragraph.children if paragraph is not None else ():
        if isinstance(child, nodes.Text) and not child.astext().strip():
            continue  # MyST puts an empty text first
        return child if isinstance(child, nodes.strong) else None
    return None


class Callouts(SphinxTransform):
    """Turn block quotes into boxes."""

    default_priority = 15

    def apply(self, **kwargs):
        for quote in list(self.document.findall(nodes.block_quote)):
            strong = first_strong(quote.next_node(nodes.paragraph))
            word = strong.astext().strip().rstrip(".:").lower() if strong else ""
            if word in KINDS:
                classes = ["callout", f"callout-{KINDS[word]}"]
                box = nodes.container("", *quote.children, classes=classes)
                quote.replace_self(box)


def setup(app):
    app.add_transform(Callouts)
