"""Where the names of a package are used, and links from such names in running text.

The code cells of a page are read as Python: what they import is followed to each place
where it is used, and the first of these on each page is remembered. An entry of the
reference (:mod:`.api`) leads there; and in a text ``batch_norm`` in code type leads to
its entry, if the cells of the page import it, and a full name does so everywhere.
"""

import ast
import re

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxRole
from sphinx.util.nodes import make_refnode

from .numbers import is_inside

MAGIC = re.compile(r"(?m)^\s*[%!].*$")
NAME = re.compile(r"([A-Za-z_][\w.]*)(?:\(.*\))?")
WITHOUT = (nodes.reference, nodes.title, addnodes.desc)  # links of their own, or none


class Cells:
    """The code of a page, read cell by cell: which imported names it uses."""

    def __init__(self):
        self.imported = {}

    def read(self, code):
        """Yield the full names that a cell uses, as they were imported."""
        try:
            tree = ast.parse(MAGIC.sub("", code))
        except SyntaxError:  # an exercise may show what is none
            return
        for statement in tree.body:
            self.remember(statement)
            for node in ast.walk(statement):
                if isinstance(getattr(node, "ctx", None), ast.Load):
                    name = self.full(node)
                    if name:
                        yield name
            self.forget(statement)

    def remember(self, statement):
        for node in ast.walk(statement):
            if isinstance(node, ast.ImportFrom) and not node.level:
                for name in node.names:
                    full = f"{node.module}.{name.name}"
                    self.imported[name.asname or name.name] = full
            elif isinstance(node, ast.Import):
                for name in node.names:
                    first = name.name.partition(".")[0]
                    full = name.name if name.asname else first
                    self.imported[name.asname or first] = full

    def forget(self, statement):
        """Forget a name that the page gives to something of its own."""
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            self.imported.pop(statement.name, None)
        elif isinstance(statement, ast.Assign):
            for target in statement.targets:
                self.imported.pop(getattr(target, "id", None), None)

    def full(self, node):
        """Return the full name of ``a`` or ``a.b.c`` if ``a`` is imported, or None."""
        parts = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        root = self.imported.get(getattr(node, "id", None))
        return ".".join([root, *reversed(parts)]) if root else None


def pages(env):
    """Return ``{docname: (imported, uses)}``: both lead from a name, to another."""
    if not hasattr(env, "course_uses"):
        env.course_uses = {}
    return env.course_uses


def forget_page(app, env, docname):
    pages(env).pop(docname, None)


def merge_pages(app, env, docnames, other):
    pages(env).update({d: u for d, u in pages(other).items() if d in docnames})


class FindUses(SphinxTransform):
    """Read the code cells of a page, and the names in its texts."""

    default_priority = 16

    def apply(self, **kwargs):
        cells, uses = Cells(), {}
        for block in self.document.findall(nodes.literal_block):
            if "cell_input" in block.parent.get("classes", ()):
                for name in cells.read(block.astext()):
                    uses.setdefault(name, section_of(block))
        for literal in self.document.findall(nodes.literal):
            for name in named(literal, cells.imported):
                uses.setdefault(name, section_of(literal))
        pages(self.env)[self.env.docname] = cells.imported, uses


def named(literal, imported):
    """Return the full name of what stands in code type, in a list, or nothing."""
    found = NAME.fullmatch(literal.astext().strip())
    if not found:
        return []
    first, dot, rest = found[1].partition(".")
    return [imported.get(first, first) + dot + rest]


def section_of(node):
    """Return the id of the section that holds a node."""
    while not isinstance(node, nodes.section) and node.parent is not None:
        node = node.parent
    return node["ids"][0] if node.get("ids") else ""


def target(env, name):
    """Return page and id of the entry of a name, or of what it is an attribute of."""
    known = env.get_domain("py").objects
    while name and name not in known:
        name = name.rpartition(".")[0]
    return (known[name].docname, known[name].node_id) if name else None


class course_uses(nodes.Inline, nodes.Element):
    """A place for the links to the pages that use a name."""


class UsesRole(SphinxRole):
    def run(self):
        self.env.course_api_pages = getattr(
            self.env, "course_api_pages", frozenset()
        ) | {self.env.docname}
        return [course_uses(name=self.text)], []


class FillUses(SphinxPostTransform):
    """Say where each name of a page is used."""

    default_priority = 7

    def run(self, **kwargs):
        places = list(self.document.findall(course_uses))
        if not places:
            return
        found = self.all_uses()
        for place in places:
            entry = target(self.env, place["name"])
            place.replace_self(self.links(found.get(entry, {})))

    def all_uses(self):
        """Return ``{entry: {docname: id of the section}}`` in the book's order."""
        found = {}
        for docname, (_, uses) in sorted(pages(self.env).items()):
            for name, section in uses.items():
                entry = target(self.env, name)
                if entry and docname != entry[0]:
                    found.setdefault(entry, {}).setdefault(docname, section)
        return found

    def links(self, places):
        if not places:
            return [nodes.Text("no page by its name")]
        made = [self.link(*place) for place in places.items()]
        return [it for link in made for it in (nodes.Text(", "), link)][1:]

    def link(self, docname, section):
        """Return "Chapter 3" or the title of another page, leading to the place."""
        label = self.env.titles[docname].astext().split(":")[0]
        words = nodes.inline("", label)
        here = self.env.docname
        return make_refnode(self.app.builder, here, docname, section, words)


class LinkNames(SphinxPostTransform):
    """Lead from a name in code type to its entry, once in each section."""

    default_priority = 9

    def run(self, **kwargs):
        imported, _ = pages(self.env).get(self.env.docname, ({}, {}))
        seen = set()
        for literal in list(self.document.findall(nodes.literal)):
            for name in named(literal, imported):
                entry = self.entry(name)
                key = entry, section_of(literal)
                if entry and key not in seen and not is_inside(literal, WITHOUT):
                    seen.add(key)
                    self.link(literal, *entry)

    def entry(self, name):
        known = self.env.get_domain("py").objects.get(name)
        return known and (known.docname, known.node_id)

    def link(self, literal, docname, identifier):
        here, words = self.env.docname, literal.deepcopy()
        link = make_refnode(self.app.builder, here, docname, identifier, words)
        literal.replace_self(link)


def renew(app, env):
    """Name the pages that depend on all others."""
    return sorted(getattr(env, "course_api_pages", ()))


def setup(app):
    app.add_node(course_uses)
    app.add_role("course-uses", UsesRole())
    app.add_transform(FindUses)
    app.add_post_transform(FillUses)
    app.add_post_transform(LinkNames)
    app.connect("env-purge-doc", forget_page)
    app.connect("env-merge-info", merge_pages)
    app.connect("env-updated", renew)
