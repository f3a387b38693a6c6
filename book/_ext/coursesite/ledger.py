"""The ledger: a table of all claims that the cells of the chapters have measured.

The table stands where a page has ``<!-- ledger -->``. There, and on a page with
``<!-- identifiers -->``, a bold identifier, **B2**, becomes a link to its first row.
"""

from itertools import groupby

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.nodes import make_refnode

from .claims import PLACE, all_claims, holds, ledger_page, row_id

NAMED = "<!-- identifiers -->"
COLUMNS = {"Claim": 8, "What it says": 44, "Measured": 16, "Needs": 16, "Where": 16}


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
        here, builder = self.env.docname, self.app.builder
        page = ledger_page(self.env) or here
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


def cell(child):
    return nodes.entry("", nodes.paragraph("", "", child))


def setup(app):
    app.add_post_transform(Ledger)
