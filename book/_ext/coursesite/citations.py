"""A link to the address of a bibliography entry leads to that entry on the site."""

import re

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.nodes import make_refnode


def addresses(fields):
    """Yield the addresses under which an entry of the bibliography may be cited."""
    if "doi" in fields:
        yield f"https://doi.org/{fields['doi']}"
    if "eprint" in fields:
        yield f"https://arxiv.org/abs/{fields['eprint']}"
    if "url" in fields:
        yield fields["url"].rstrip("/")


class Citations(SphinxPostTransform):
    """Point the links of the chapters to the bibliography."""

    default_priority = 8

    def run(self, **kwargs):
        if "cite" not in self.env.domaindata:
            return
        cited = {
            address: citation
            for citation in self.env.get_domain("cite").citations
            for address in addresses(citation.entry.fields)
        }
        for link in list(self.document.findall(nodes.reference)):
            citation = cited.get(link.get("refuri", "").rstrip("/"))
            if citation and citation.bibliography_key.docname != self.env.docname:
                link.replace_self(self.link(link, citation))

    def link(self, link, citation):
        words = nodes.inline("", "", *link.children, classes=["course-cite"])
        return make_refnode(
            self.app.builder,
            self.env.docname,
            citation.bibliography_key.docname,
            citation.citation_id,
            words,
            title=re.sub(r"[{}]|<[^>]+>", "", citation.entry.fields.get("title", "")),
        )


def setup(app):
    app.add_post_transform(Citations)
