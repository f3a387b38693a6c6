r"""Numbers written by hand become targets, and their mentions become links.

A formula with ``\tag{2.1}`` is the target of "(2.1)", a paragraph that begins with
``**Figure 2.1.**`` or ``**Table 2.1.**`` is a caption and the target of its name, and
so is a heading that begins with "Exercise 2.1". Mentions are found in every chapter;
the same number twice is a warning.
"""

import re

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.nodes import make_refnode

from .callouts import first_strong

TAG = re.compile(r"\\tag\{(\d+\.\d+)\}")
CAPTION = re.compile(r"(Figure|Table)\s+(\d+\.\d+)\.?")
EXERCISE = re.compile(r"(Exercise)\s+((?:\d+|[HP])\.\d+)")
MENTION = re.compile(
    r"\((\d+\.\d+)\)|\b(figure|table|exercise)\s+((?:\d+|[HP])\.\d+)", re.I
)
UNLINKED = (
    nodes.reference,
    nodes.literal,
    nodes.literal_block,
    nodes.math,
    nodes.math_block,
    nodes.title,
    nodes.raw,
    nodes.strong,
    addnodes.pending_xref,
)

log = logging.getLogger(__name__)


def is_inside(node, kinds):
    """Tell whether a node stands in one of these kinds."""
    while node.parent is not None:
        node = node.parent
        if isinstance(node, kinds):
            return True
    return False


def numbers(env):
    """Return ``{(kind, number): (docname, id)}`` of the whole book."""
    if not hasattr(env, "course_numbers"):
        env.course_numbers = {}
    return env.course_numbers


def forget_page(app, env, docname):
    kept = {k: v for k, v in numbers(env).items() if v[0] != docname}
    env.course_numbers = kept


def merge_pages(app, env, docnames, other):
    numbers(env).update(numbers(other))


class Targets(SphinxTransform):
    """Find the numbered formulas, captions and exercises of a page."""

    default_priority = 16

    def apply(self, **kwargs):
        for formula in self.document.findall(nodes.math_block):
            for number in TAG.findall(formula.astext()):
                self.declare("equation", number, formula)
        for paragraph in self.document.findall(nodes.paragraph):
            strong = first_strong(paragraph)
            found = CAPTION.fullmatch(strong.astext().strip()) if strong else None
            if found:
                paragraph["classes"].append("figure-caption")
                self.declare(found[1].lower(), found[2], paragraph)
        for section in self.document.findall(nodes.section):
            found = EXERCISE.match(section.next_node(nodes.title).astext())
            if found:
                self.declare("exercise", found[2], section)

    def declare(self, kind, number, node):
        known = numbers(self.env)
        if (kind, number) in known:
            where = known[kind, number][0]
            message = "%s %s is already defined in %s"
            log.warning(message, kind, number, where, location=node, type="coursesite")
        identifier = f"{kind}-{number}".replace(".", "-")
        if identifier not in self.document.ids:
            node["ids"].append(identifier)
            self.document.ids[identifier] = node
        known[kind, number] = (self.env.docname, identifier)


class Mentions(SphinxPostTransform):
    """Link what is mentioned in running text."""

    default_priority = 8

    def run(self, **kwargs):
        for text in list(self.document.findall(nodes.Text)):
            if not is_inside(text, UNLINKED):
                pieces = list(self.split(str(text)))
                if len(pieces) > 1:
                    text.parent.replace(text, pieces)

    def split(self, text):
        """Yield the text in pieces, with a link for each mention of a known number."""
        end = 0
        for found in MENTION.finditer(text):
            key = (found[2] or "equation").lower(), found[1] or found[3]
            if key in numbers(self.env):
                yield nodes.Text(text[end : found.start()])
                yield self.link(found[0], *numbers(self.env)[key])
                end = found.end()
        yield nodes.Text(text[end:])

    def link(self, words, docname, identifier):
        label = nodes.inline("", words, classes=["course-ref"])
        here = self.env.docname
        return make_refnode(self.app.builder, here, docname, identifier, label)


def setup(app):
    app.add_transform(Targets)
    app.add_post_transform(Mentions)
    app.connect("env-purge-doc", forget_page)
    app.connect("env-merge-info", merge_pages)
