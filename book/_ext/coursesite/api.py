"""Reference pages from the docstrings of a package, which is read and never imported.

``.. course-api:: bnlib.norms`` stands for the module's own words and one section for
each name in its ``__all__``, whose id is the full name, ``bnlib.norms.batch_norm``.
griffe finds the objects in the sources, numpydoc takes their docstrings apart, and
Sphinx's Python domain knows them afterwards, so that a name in a docstring is a link.
Where a name is used is the business of :mod:`.uses`.
"""

import inspect
import re
from functools import cache

import griffe
from docutils import nodes
from docutils.parsers.rst import directives
from numpydoc.docscrape import NumpyDocString
from sphinx import addnodes
from sphinx.util.docutils import SphinxDirective

FIELDS = ("Parameters", "Attributes", "Returns", "Yields", "Raises")
GIVEN = FIELDS[2:]
CITED = re.compile(r"(\S.*?)[.,]? (https?://\S+?)\.?(?= |$)")
# Methods that a module must have for PyTorch's sake, and that nobody calls.
UNSAID = ("forward", "extra_repr")
LONGEST_CONSTANT = 200


def load(folder, name):
    """Read the sources of a package; none of its code runs."""
    return griffe.load(
        name,
        search_paths=[str(folder)],
        try_relative_path=False,
        allow_inspection=False,
    )


def public(module):
    """Return what a module names in its ``__all__``: {name: object}."""
    members = {name: module.members[name] for name in module.exports or ()}
    return {n: m.final_target if m.is_alias else m for n, m in members.items()}


def kind(item):
    """Return what Sphinx's Python domain calls an object."""
    if item.is_class:
        is_error = any(str(base).endswith("Error") for base in item.bases)
        return "exception" if is_error else "class"
    return "function" if item.is_function else "data"


def arguments(item):
    """Return the arguments of a function or class, without types, in brackets."""
    if item.is_class:
        item = item.all_members.get("__init__")
    if item is None or item.is_attribute:
        return ""
    bare = [
        griffe.Parameter(p.name, kind=p.kind, default=p.default)
        for p in item.parameters
        if p.name != "self"
    ]
    text = griffe.Function("", parameters=griffe.Parameters(*bare)).signature()
    return re.sub(r"(?<=\de-)0+", "", text)  # Python prints 1e-5 as 1e-05


@cache
def docstring(item):
    """Return a docstring in its parts."""
    text = item.docstring.value if item.docstring else ""
    return NumpyDocString(inspect.cleandoc(text))


def methods(item):
    """Return the documented methods and properties of a class's own."""
    if not item.is_class:
        return []
    return [
        member
        for name, member in item.members.items()
        if member.docstring and member.is_public and name not in UNSAID
        if (member.is_function and name[0] != "_") or "property" in member.labels
    ]


def givers(module, name):
    """Return links to what returns, or raises, a thing of this name."""
    word = re.compile(rf"\b{name}\b")
    return [
        f":func:`{other}`"
        for other, item in public(module).items()
        if item.is_function and any(word.search(type_) for type_ in given(item))
    ]


def given(function):
    """Return the types of all that comes out of a function, as they are documented."""
    doc = docstring(function)
    return [value.type for part in GIVEN for value in doc[part]]


# The text of an entry, in the language of docutils


def entry(item, imported, module):
    """Return the definition of an object with all that belongs to it, in lines."""
    doc, origins = docstring(item), givers(module, item.name)
    body = [
        *(constant(item) if item.is_attribute else words(doc)),
        *fields(doc),
        *sources(doc),
        f":Import: ``from {imported} import {item.name}``",
        *([f":Comes from: {', '.join(origins)}"] if origins else []),
        f":Used in: :course-uses:`{module.path}.{item.name}`",
        "",
    ]
    for section in ("Notes", "Examples"):
        if doc[section]:
            title = "Note" if section == "Notes" else "Example"
            body += [f".. rubric:: {title}", "", *doc[section], ""]
    for member in methods(item):
        body += method(member)
    head = f".. py:{kind(item)}:: {item.name}{arguments(item)}"
    options = ["   :no-index:", ""]
    return [f".. py:currentmodule:: {module.path}", "", head, *options, *indented(body)]


def method(member):
    """Return the definition of a method or property, in lines."""
    doc = docstring(member)
    is_property = "property" in member.labels
    brackets = "" if is_property else arguments(member)
    head = f".. py:{'property' if is_property else 'method'}:: {member.name}{brackets}"
    options = ["   :no-contents-entry:", ""]
    return [head, *options, *indented([*words(doc), *fields(doc), ""])]


def words(doc):
    """Return summary and explanation."""
    return [*doc["Summary"], "", *doc["Extended Summary"], ""]


def constant(item):
    """Return the value of a constant."""
    value = str(item.value)
    return [f"``{value}``" if len(value) <= LONGEST_CONSTANT else "A constant.", ""]


def fields(doc):
    """Return a field for each section that describes values."""
    lines = []
    for section in FIELDS:
        if doc[section]:
            lines.append(f":{section}:")
            for value in doc[section]:
                text = value.desc or [r"\ "]  # a term without words has no place
                lines += indented([term(*value[:2]), *indented(text), ""])
    return lines


def term(name, type_):
    """Return what stands before the description of a value."""
    kind = re.sub(r"(``.*?``)|\*", lambda m: m[1] or r"\*", type_)
    name = name.replace("*", r"\*")
    if name and kind:
        return f"**{name}** : {kind}"
    alone = name or kind
    return alone if "`" in alone else f"**{alone}**"  # bold shows what is code as it is


def sources(doc):
    """Return the works that an object comes from; the words that cite it are a link."""
    cited = CITED.findall(" ".join(doc["References"]))
    lines = [f"| `{words} <{address}>`__" for words, address in cited]
    return [":Source:", *indented(lines), ""] if lines else []


def indented(lines):
    return [f"   {line}" if line else "" for line in lines]


class Api(SphinxDirective):
    """The entries of one module, or with ``:only: a b`` those of some names alone."""

    required_arguments = 1
    option_spec = {"only": directives.unchanged_required}

    def run(self):
        name = self.arguments[0]
        whole = self.package(name.partition(".")[0])
        module = whole[name.partition(".")[2]] if "." in name else whole
        self.follow(module)
        known, chosen = public(module), self.options.get("only", "").split()
        names = chosen or known
        sections = [self.section(whole, module, name, known[name]) for name in names]
        return [*([] if chosen else self.intro(module)), *sections]

    def intro(self, module):
        """Return what a module says; what a package says is for those who read it."""
        if module.is_subpackage or not module.docstring:
            return []
        here = f".. py:currentmodule:: {module.path}\n\n"
        return self.parse_text_to_nodes(here + inspect.cleandoc(module.docstring.value))

    def package(self, name):
        packages = vars(self.env.app).setdefault("course_api", {})  # for all pages
        if name not in packages:
            packages[name] = load(self.env.srcdir, name)
        return packages[name]

    def follow(self, item):
        """Have the page made again when the source of an object changes."""
        self.env.note_dependency(str(item.filepath))

    def section(self, whole, module, name, item):
        """Return the section of one name, which Sphinx then knows."""
        self.follow(item)
        path = f"{module.path}.{name}"
        door = whole.members.get(name)
        is_shown = door is not None and door.canonical_path == item.canonical_path
        imported = whole.path if is_shown else module.path
        title = nodes.title("", "", nodes.literal("", name))
        section = nodes.section("", title, ids=[path], names=[path], classes=["api"])
        self.state.document.note_explicit_target(section, section)
        domain = self.env.get_domain("py")
        domain.note_object(path, kind(item), path, location=section)
        for other in {item.canonical_path, f"{imported}.{name}"} - {path}:
            domain.note_object(other, kind(item), path, aliased=True)
        words = f"{name} ({'in ' if item.is_function else ''}{module.path})"
        section += addnodes.index(entries=[("single", words, path, "", None)])
        text = "\n".join(entry(item, imported, module))
        section += self.parse_text_to_nodes(text)
        return section


def setup(app):
    app.add_directive("course-api", Api)
