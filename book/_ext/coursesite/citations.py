"""A link to the address of a bibliography entry leads to that entry on the site.

Below each entry stands which pages, and which files of the package, cite it, and what
its field ``checked`` says. An entry that nothing cites is a warning.
"""

import re
from pathlib import Path

from docutils import nodes
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.nodes import make_refnode

from .address import GITHUB, repository

PACKAGE = "bnlib"

log = logging.getLogger(__name__)


def addresses(fields):
    """Yield the addresses under which an entry of the bibliography may be cited."""
    if "doi" in fields:
        yield f"https://doi.org/{fields['doi']}"
    if "eprint" in fields:
        yield f"https://arxiv.org/abs/{fields['eprint']}"
    if "url" in fields:
        yield fields["url"].rstrip("/")


def links_by_page(env):
    """Return ``{docname: {address: identifier of the section or None}}``."""
    if not hasattr(env, "course_links"):
        env.course_links = {}
    return env.course_links


def forget_page(app, env, docname):
    links_by_page(env).pop(docname, None)


def merge_pages(app, env, docnames, other):
    links_by_page(env).update(links_by_page(other))


class CollectLinks(SphinxTransform):
    """Remember what a page links to, and where it does so first."""

    default_priority = 16

    def apply(self, **kwargs):
        found = {}
        for link in self.document.findall(nodes.reference):
            address = link.get("refuri", "").rstrip("/")
            if address.startswith("http"):
                found.setdefault(address, section_of(link))
        links_by_page(self.env)[self.env.docname] = found


def section_of(node):
    """Return the identifier of the section that a node stands in."""
    while node is not None and not isinstance(node, nodes.section):
        node = node.parent
    return node["ids"][0] if node is not None else None


def package_files(srcdir):
    """Return ``{path: text}`` of the package, where the book has one beside it."""
    root = Path(srcdir)
    paths = sorted((root / PACKAGE).rglob("*.py"))
    return {path.relative_to(root).as_posix(): path.read_text("utf8") for path in paths}


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


class CitedIn(SphinxPostTransform):
    """Say below each entry who cites it, and what was checked."""

    default_priority = 7  # between the entries and the links to them

    def run(self, **kwargs):
        entries = {
            node["ids"][0]: node for node in self.document.findall(nodes.citation)
        }
        if not entries:
            return
        files = package_files(self.env.srcdir)
        for citation in self.env.get_domain("cite").citations:
            if citation.citation_id in entries:
                node = entries[citation.citation_id]
                node += self.note(citation.entry.fields, citation.key, files)

    def note(self, fields, key, files):
        known = set(addresses(fields))
        links = [*self.pages(known), *self.sources(known, files)]
        if not links:
            place = self.env.docname
            log.warning("nothing cites %s", key, location=place, type="coursesite")
        text = nodes.inline("", "Cited in ")
        for number, link in enumerate(links):
            text += [nodes.Text(", ")] * bool(number) + [link]
        if "checked" in fields:
            text += nodes.Text(f". Checked: {fields['checked']}")
        text += nodes.Text(".")
        return nodes.paragraph("", "", text, classes=["cited-in"])

    def pages(self, known):
        """Yield a link to each page that cites one of these addresses."""
        for docname, found in sorted(links_by_page(self.env).items()):
            places = [found[address] for address in found if address in known]
            if places and docname != self.env.docname:
                title = self.env.titles[docname].astext()
                label = nodes.inline("", re.sub(r"^(Chapter \d+):.*", r"\1", title))
                here, builder = self.env.docname, self.app.builder
                yield make_refnode(builder, here, docname, places[0], label)

    def sources(self, known, files):
        """Yield a link to each file of the package that names one of the addresses."""
        found = repository(self.env.config)
        for path, text in files.items():
            if found and any(address in text for address in known):
                uri = "{}{}/blob/{}/{}".format(GITHUB, *found, path)
                yield nodes.reference("", "", nodes.literal("", path), refuri=uri)


def setup(app):
    app.add_transform(CollectLinks)
    app.add_post_transform(CitedIn)
    app.add_post_transform(Citations)
    app.connect("env-purge-doc", forget_page)
    app.connect("env-merge-info", merge_pages)
