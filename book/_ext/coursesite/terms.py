r"""The first use of a term in a notebook leads to the glossary, of a symbol to its row.

A page with ``<!-- terms -->`` is a glossary: each heading of level 3 is a term, and a
first paragraph that begins with *Also* in italics lists other words for it::

    ### Running statistics

    *Also* moving averages, moving statistics. What the layer remembers ...

A page with ``<!-- symbols -->`` has tables whose rows begin with a symbol; those that
prose writes as a Greek letter are found there. Terms are found in running text alone:
not in headings, code, formulas, links, bold words, heads of tables and folded answers.
"""

import re
from dataclasses import dataclass

from docutils import nodes
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.nodes import make_refnode

from .numbers import UNLINKED, is_inside

TERMS, SYMBOLS = "<!-- terms -->", "<!-- symbols -->"
ALSO = "Also"
GREEK = {
    r"\gamma": "γ",
    r"\beta": "β",
    r"\varepsilon": "ε",
    r"\eta": "η",
    r"\lambda": "λ",
    r"\sigma": "σ",
    r"\mu": "μ",
    r"\kappa": "κ",
}
OUTSIDE = (*UNLINKED, nodes.thead, nodes.caption, nodes.image)


@dataclass(frozen=True)
class Term:
    """A word, or a letter, and the place that explains it."""

    words: tuple
    docname: str
    anchor: str
    tip: str


def terms_by_page(env):
    """Return ``{docname: [Term, ...]}``."""
    if not hasattr(env, "course_terms"):
        env.course_terms = {}
    return env.course_terms


def forget_page(app, env, docname):
    terms_by_page(env).pop(docname, None)


def merge_pages(app, env, docnames, other):
    terms_by_page(env).update(terms_by_page(other))


class CollectTerms(SphinxTransform):
    """Read a glossary, or the symbols of a page."""

    default_priority = 16

    def apply(self, **kwargs):
        marks = {node.astext().strip() for node in self.document.findall(nodes.raw)}
        found = []
        if TERMS in marks:
            found += [self.term(s) for s in self.document.findall(nodes.section)]
        if SYMBOLS in marks:
            found += [self.symbol(row) for row in self.document.findall(nodes.row)]
        found = [term for term in found if term]
        if found:
            terms_by_page(self.env)[self.env.docname] = found

    def term(self, section):
        """Return the term that a section explains; None for a letter, or the page."""
        texts = [node for node in section.children if isinstance(node, nodes.paragraph)]
        if section.next_node(nodes.section) or not texts:
            return None
        words, tip = [section[0].astext()], texts[0].astext()
        first = next((c for c in texts[0].children if c.astext().strip()), None)
        if isinstance(first, nodes.emphasis) and first.astext() == ALSO:
            also, _, tip = tip.removeprefix(ALSO).partition(". ")
            words += [word.strip() for word in also.split(",")]
        tip = " ".join(tip.split()).partition(". ")[0].rstrip(".") + "."
        return Term(tuple(words), self.env.docname, section["ids"][0], tip)

    def symbol(self, row):
        """Return the symbol of a row, which becomes a target; None for others.

        A letter with two rows is explained by the first.
        """
        formula = row[0].next_node(nodes.math)
        name = formula.astext().strip() if formula is not None else ""
        letter, anchor = GREEK.get(name), "symbol-" + name.removeprefix("\\")
        if letter is None or anchor in self.document.ids:
            return None
        row["ids"].append(anchor)
        self.document.ids[anchor] = row
        tip = " ".join(row[1].astext().split()).partition(". ")[0].rstrip(".") + "."
        return Term((letter,), self.env.docname, anchor, tip)


class FirstUses(SphinxPostTransform):
    """Link what a notebook says for the first time."""

    default_priority = 9

    def run(self, **kwargs):
        pages = terms_by_page(self.env)
        if not pages or not self.env.doc2path(self.env.docname).endswith(".ipynb"):
            return
        self.terms = {
            word.lower(): term
            for docname in sorted(pages)
            for term in pages[docname]
            for word in term.words
        }
        self.pattern = pattern(self.terms)
        self.seen = set()
        for text in self.running_text():
            pieces = list(self.split(str(text)))
            if len(pieces) > 1:
                text.parent.replace(text, pieces)

    def running_text(self):
        """Return the pieces of text in which a link may stand, in order."""
        found, folded = [], 0
        for node in self.document.findall():
            if isinstance(node, nodes.raw):
                source = node.astext()
                folded += source.count("<details") - source.count("</details")
            elif isinstance(node, nodes.Text) and not folded:
                found += [] if is_inside(node, OUTSIDE) else [node]
        return found

    def split(self, text):
        """Yield the text in pieces, with a link for what was not said before."""
        end = 0
        for found in self.pattern.finditer(text):
            term = self.terms[found["word"].lower()]
            if term not in self.seen:
                self.seen.add(term)
                yield nodes.Text(text[end : found.start()])
                yield self.link(found[0], term)
                end = found.end()
        yield nodes.Text(text[end:])

    def link(self, words, term):
        label = nodes.inline("", words, classes=["course-term"])
        here, builder = self.env.docname, self.app.builder
        at = (term.docname, term.anchor)
        link = make_refnode(builder, here, *at, label, term.tip)
        link["classes"].append("course-use")
        return link


def pattern(words):
    """Return what finds these words, the longest first, also in the plural."""
    longest = sorted(words, key=len, reverse=True)
    choice = "|".join(map(re.escape, longest))
    return re.compile(rf"(?<![\w/√-])(?P<word>{choice})(?:s|es)?(?![\w/-])", re.I)


def setup(app):
    app.add_transform(CollectTerms)
    app.add_post_transform(FirstUses)
    app.connect("env-purge-doc", forget_page)
    app.connect("env-merge-info", merge_pages)
