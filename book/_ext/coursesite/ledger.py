"""The ledger: a table of all claims that the cells of the chapters have measured.

Each claim is a line in the stored output of a cell, printed by
``bnlib.claim``::

    ✔ B2 · the gradient has no component along 1 · measured 0 (to rounding), needs < 1
    ✔ W4.gain · points gained · measured 6 (5 to 7, 5 seeds), needs > 4 · digits, an MLP

The output becomes a link target; the table stands where a page has ``<!-- ledger -->``.
There, and on a page with ``<!-- identifiers -->``, a bold identifier, **B2**, becomes a
link to its first row.
"""

import re
from collections import Counter
from dataclasses import dataclass
from itertools import groupby

from docutils import nodes
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.nodes import make_refnode

from .chapters import letters

PLACE, NAMED = "<!-- ledger -->", "<!-- identifiers -->"
COLUMNS = {"Claim": 8, "What it says": 44, "Measured": 16, "Needs": 16, "Where": 16}
LINE = re.compile(
    r"✔ (?P<name>[A-Z]\d+)(?:\.(?P<key>[a-z][a-z0-9-]*))? · (?P<sentence>.+?) · "
    r"measured (?P<measured>.+?), needs (?P<needs>[^·]+?)(?: · (?P<scope>.+))?"
)
VERDICTS = ("✔ ", "✘ ", "○ ")
ALMOST = re.compile(r"✔ [A-Z]\d+\b")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Claim:
    """One line of the ledger and the place where it was measured."""

    name: str
    key: str | None
    sentence: str
    measured: str
    needs: str
    scope: str | None
    docname: str
    anchor: str

    def rank(self, order):
        """Sort by the letter's place in the order, then by the number."""
        letter, number = self.name[0], int(self.name[1:])
        group = order.find(letter) if letter in order else len(order)
        return group, letter, number


def claims_by_page(env):
    """Return ``{docname: [Claim, ...]}``."""
    if not hasattr(env, "course_claims"):
        env.course_claims = {}
    return env.course_claims


def all_claims(env):
    """Return the claims of the book in the order of the ledger."""
    pages = claims_by_page(env)
    claims = [claim for docname in sorted(pages) for claim in pages[docname]]
    order = letters(env.srcdir)
    return sorted(claims, key=lambda claim: claim.rank(order))


def forget_page(app, env, docname):
    claims_by_page(env).pop(docname, None)


def merge_pages(app, env, docnames, other):
    claims_by_page(env).update(claims_by_page(other))


class CollectClaims(SphinxTransform):
    """Find the claims of a page in the text outputs of its cells."""

    default_priority = 16

    def apply(self, **kwargs):
        seen = Counter()
        claims = []
        for output in self.document.findall(nodes.literal_block):
            if "stream" not in output["classes"]:
                continue
            lines = output.astext().splitlines()
            if any(line.startswith(VERDICTS) for line in lines):
                output["classes"].append("verdict")  # a sentence, which may be wrapped
            for line in lines:
                found = LINE.fullmatch(line.rstrip())
                if found:
                    claims.append(self.declare(found, output, seen))
                elif ALMOST.match(line):
                    message = "this looks like a claim, but cannot be read: %s"
                    place = self.env.docname
                    log.warning(message, line, location=place, type="coursesite")
        if claims:
            claims_by_page(self.env)[self.env.docname] = claims

    def declare(self, found, output, seen):
        """Make the output a target of this claim."""
        name = found["name"]
        seen[name] += 1
        count = f"-{seen[name]}" if seen[name] > 1 else ""
        anchor = f"claim-{name.lower()}{count}"
        if found["key"]:  # stays the same when another line is added before it
            output["ids"].append(f"claim-{name.lower()}-{found['key']}")
        output["ids"].append(anchor)
        if "claim" not in output["classes"]:
            output["classes"].append("claim")
        return Claim(**found.groupdict(), docname=self.env.docname, anchor=anchor)


def check_claims(app, env):
    """Warn of an identifier that two chapters use, and renew the ledger."""
    home = {}
    for claim in all_claims(env):
        first = home.setdefault(claim.name, claim.docname)
        if first != claim.docname:
            message = "claim %s is measured in two chapters, here and in %s"
            place = claim.docname
            log.warning(message, claim.name, first, location=place, type="coursesite")
    return sorted(getattr(env, "course_ledger_pages", ()))


class FindLedger(SphinxTransform):
    """Remember which page wants the table: it depends on all others."""

    default_priority = 16

    def apply(self, **kwargs):
        if any(holds(node, PLACE) for node in self.document.findall(nodes.raw)):
            pages = getattr(self.env, "course_ledger_pages", frozenset())
            self.env.course_ledger_pages = pages | {self.env.docname}


def holds(node, mark):
    return node.astext().strip() == mark


class Ledger(SphinxPostTransform):
    """Put the table in its place."""

    default_priority = 7

    def run(self, **kwargs):
        raw = list(self.document.findall(nodes.raw))
        places = [node for node in raw if holds(node, PLACE)]
        for place in places:
            place.replace_self(self.table(all_claims(self.env)))
        if places or any(holds(node, NAMED) for node in raw):
            self.link_identifiers()

    def link_identifiers(self):
        """Lead from each bold identifier of the page to its rows."""
        measured = {claim.name for claim in all_claims(self.env)}
        page = min(getattr(self.env, "course_ledger_pages", ()) or {self.env.docname})
        here, builder = self.env.docname, self.app.builder
        for word in list(self.document.findall(nodes.strong)):
            name = word.astext()
            if name in measured:
                word.clear()
                label = nodes.inline("", name)
                word += make_refnode(builder, here, page, row_id(name), label)

    def table(self, claims):
        count = f"{len(claims)} claims" if len(claims) != 1 else "1 claim"
        group = nodes.tgroup("", cols=len(COLUMNS))
        for width in COLUMNS.values():
            group += nodes.colspec("", colwidth=width)
        head = nodes.row("", *(cell(nodes.Text(name)) for name in COLUMNS))
        group += nodes.thead("", head)
        body = nodes.tbody()
        for _, same in groupby(claims, key=lambda claim: claim.name):
            body += self.rows(list(same))
        group += body
        caption = nodes.title("", f"{count}, measured by the cells of the chapters")
        return nodes.table("", caption, group, ids=["ledger"], classes=["ledger"])

    def rows(self, claims):
        """Return the rows of one identifier, which stands beside all of them."""
        name = claims[0].name
        first = cell(nodes.Text(name))
        first["classes"].append("identifier")
        if len(claims) > 1:
            first["morerows"] = len(claims) - 1
        rows = [nodes.row("", *self.cells(claim)) for claim in claims]
        rows[0].insert(0, first)
        rows[0]["ids"].append(row_id(name))
        return rows

    def cells(self, claim):
        link = make_refnode(
            self.app.builder,
            self.env.docname,
            claim.docname,
            claim.anchor,
            nodes.inline("", self.chapter(claim)),
        )
        sentence = claim.sentence + (f" ({claim.scope})" if claim.scope else "")
        texts = (sentence, claim.measured, claim.needs)
        return [*(cell(nodes.Text(text)) for text in texts), cell(link)]

    def chapter(self, claim):
        """Return "Chapter 3" for "Chapter 3: The backward pass", or the whole title."""
        return self.env.titles[claim.docname].astext().split(":")[0]


def row_id(name):
    return f"ledger-{name.lower()}"


def cell(child):
    return nodes.entry("", nodes.paragraph("", "", child))


def setup(app):
    app.add_transform(CollectClaims)
    app.add_transform(FindLedger)
    app.add_post_transform(Ledger)
    app.connect("env-purge-doc", forget_page)
    app.connect("env-merge-info", merge_pages)
    app.connect("env-updated", check_claims)
