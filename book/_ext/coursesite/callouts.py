"""Colored boxes: a block quote that begins with a known word in bold."""

import re

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


# Where a sentence ends and another one begins.
END = re.compile(r"(?<=[.?!]) (?=[A-Z\d])")


class Opening(SphinxTransform):
    """Set the facts of the box that opens a chapter apart, as a list.

    In the notebook it is one paragraph: what the chapter is about, then sentences that
    say how long it takes, what is its core and what the reader needs.
    """

    default_priority = 16

    def apply(self, **kwargs):
        for box in self.document.findall(nodes.container):
            if "callout-overview" in box["classes"] and len(box) == 1:
                about, facts = split_facts(sentences(box[0]))
                if facts:
                    items = (
                        nodes.list_item("", nodes.paragraph("", "", *f)) for f in facts
                    )
                    text = [node for sentence in about for node in sentence]
                    box[0].clear()
                    box[0] += text
                    box += nodes.bullet_list("", *items, classes=["chapter-facts"])


def sentences(paragraph):
    """Return the sentences of a paragraph as lists of nodes."""
    found = [[]]
    for child in paragraph.children:
        if isinstance(child, nodes.Text):
            first, *more = END.split(str(child))
            found[-1].append(nodes.Text(first))
            for text in more:
                found[-1].append(nodes.Text(" "))
                found.append([nodes.Text(text)])
        else:
            found[-1].append(child)
    return found


def split_facts(found):
    """Return the sentences before the one with the minutes, and those from it on."""
    texts = ["".join(node.astext() for node in sentence) for sentence in found]
    at = next((i for i, t in enumerate(texts) if " minutes to read" in t), len(texts))
    return found[:at], found[at:]


def is_wide(node):
    return isinstance(node, (nodes.literal_block, nodes.table))


class Callouts(SphinxTransform):
    """Turn block quotes into boxes."""

    default_priority = 15

    def apply(self, **kwargs):
        for quote in list(self.document.findall(nodes.block_quote)):
            strong = first_strong(quote.next_node(nodes.paragraph))
            word = strong.astext().strip().rstrip(".:").lower() if strong else ""
            if word in KINDS:
                classes = ["callout", f"callout-{KINDS[word]}"]
                if next(quote.findall(is_wide), None):
                    classes.append("callout-wide")
                box = nodes.container("", *quote.children, classes=classes)
                quote.replace_self(box)


def setup(app):
    app.add_transform(Callouts)
    app.add_transform(Opening)
