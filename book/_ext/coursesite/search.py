"""The sections of the book, for a search that finds sections.

A page is too long to be a result. What a reader can be sent to is a section, an
exercise, a figure, a verdict, a term, a function or a work: each becomes a record with
its address, its heading and its words. Formulas and the furniture of a page stay out,
code is kept apart, because it weighs less. The records are a script,
``_static/search/sections.js``: a page that is opened from the disk may load a script
and nothing else. What is done with them stands in ``book/_static/search``.
"""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

from docutils import nodes
from katexpre import formula_key
from sphinx import addnodes

SECTIONS = Path("_static", "search", "sections.js")
# What is not shown in a line of text: the TeX and the picture of a formula, all tags.
MARKUP = re.compile(r'<span class="katex-html.*|<[^>]+>')
FOLD = re.compile("<summary.*?</summary>")
TALL = re.compile("<m(frac|sqrt|table)")
LONGEST_FORMULA = 20
LEVEL = ("●", "○")
WORD = re.compile(r"[^\W\d]\w*(?:\.\w+)*")
SHORT = re.compile(r"exercise-\w+-\d+")
FIGURE = re.compile(r"figure-\d+-\d+")
CLAIM = re.compile(r"ledger-\w+")
SILENT = (nodes.raw, nodes.math_block, nodes.comment, nodes.title, addnodes.toctree)


@dataclass
class Record:
    """A place in the book, and the words by which it is found."""

    kind: str
    anchor: str
    heading: str
    blocks: list = field(default_factory=list)
    code: dict = field(default_factory=dict)  # its keys, in the order of the page

    def say(self, text):
        words = text.split()
        if words and words[0] not in LEVEL:  # how hard an exercise is, and how long
            self.blocks.append(" ".join(word for word in words if word not in LEVEL))

    def note(self, code):
        self.code.update(dict.fromkeys(WORD.findall(code)))


class Reader:
    """Turn the tree of a page into records."""

    def __init__(self, formulas, titles):
        self.formulas, self.titles = formulas, titles
        self.records, self.claims = [], {}

    def text(self, node):
        """Return the words of a node as they are shown, without long formulas."""
        if isinstance(node, nodes.math):
            return in_a_line(self.formulas.get(formula_key(node), ""))
        if isinstance(node, nodes.Text):
            return node.astext()
        if isinstance(node, nodes.raw):  # a badge in a line, say
            return MARKUP.sub(" ", FOLD.sub("", node.astext()))
        if isinstance(node, SILENT):
            return ""
        between = "" if isinstance(node, (nodes.TextElement, nodes.Inline)) else " "
        return between.join(map(self.text, node.children))

    def title(self, section):
        title = section.next_node(nodes.title)
        return " ".join("".join(map(self.text, title.children)).split())

    def add(self, kind, anchor, heading):
        self.records.append(Record(kind, anchor, heading))
        return self.records[-1]

    def section(self, section, parent=None):
        """Add a section; what follows an exercise belongs to the one around it."""
        short = [name for name in section["ids"] if SHORT.fullmatch(name)]
        anchor = (short or section["ids"])[0]
        kind = "section" if parent else "page"
        title = self.title(section)
        if anchor.endswith(f".{title}"):  # a name of the package, with all its dots
            kind, title = "name", anchor
        elif anchor.startswith("exercise-"):
            kind = "exercise"
        record = self.add(kind, anchor if parent else "", title)
        cells = [i for i, node in enumerate(section.children) if is_exercise(node)]
        end = cells[-1] if kind == "exercise" and cells else len(section)
        for i, child in enumerate(section.children):
            self.visit(child, parent if i > end else record)

    def visit(self, node, record):
        """Give the words of a node to a record, or to new ones."""
        ids = node.get("ids", []) if isinstance(node, nodes.Element) else []
        figure = next(filter(FIGURE.fullmatch, ids), None)
        if isinstance(node, nodes.section):
            self.section(node, record)
        elif isinstance(node, nodes.raw) and node.get("explorable"):
            anchor, title, sentence = node["explorable"]
            self.add("figure", anchor, f"Try it · {title}").say(sentence)
        elif isinstance(node, SILENT):
            pass
        elif figure:
            self.figure(node, figure, record)
        elif isinstance(node, nodes.image):
            record.note(node.get("alt", ""))
        elif isinstance(node, (nodes.literal_block, nodes.doctest_block)):
            record.note(node.astext())
        elif isinstance(node, addnodes.desc):
            self.signature(node, record)
        elif isinstance(node, nodes.citation):
            self.work(node)
        elif isinstance(node, nodes.definition_list_item):
            self.term(node, record)
        elif isinstance(node, nodes.table):
            self.table(node, record)
        elif isinstance(node, nodes.TextElement):
            record.say(self.text(node))
        else:
            for child in node.children:
                self.visit(child, record)

    def figure(self, node, anchor, record):
        text = self.text(node)
        record.note(text)
        for image in node.findall(nodes.image):
            record.note(image.get("alt", ""))
        number, _, rest = text.strip().partition(". ")
        sentence = rest.split(". ")[0].strip()
        self.add("figure", anchor, f"{number} · {sentence}").say(text)

    def signature(self, node, record):
        """Add a function or a class under its whole name, if it has an address."""
        signature = node.next_node(addnodes.desc_signature)
        if signature["ids"]:
            record = self.add("name", signature["ids"][0], signature["ids"][0])
        record.note(signature.astext())
        for child in node.children:
            if not isinstance(child, addnodes.desc_signature):
                self.visit(child, record)

    def work(self, node):
        anchor = node["ids"][0]
        record = self.add("work", anchor, self.titles.get(anchor, node.astext()))
        for child in node.children[1:]:  # without its label
            self.visit(child, record)

    def term(self, node, record):
        """Add an entry of a glossary, which has an address; others are text."""
        term = node.next_node(nodes.term)
        if term is not None and term["ids"]:
            record = self.add("term", term["ids"][0], self.text(term).strip())
        elif term is not None:
            record.say(self.text(term))
        for child in node.children:
            if isinstance(child, nodes.definition):
                self.visit(child, record)

    def table(self, node, record):
        """Read a table by rows; all rows of one claim are one place."""
        for row in node.findall(nodes.row):
            cells = [" ".join(self.text(cell).split()) for cell in row.children]
            claim = claim_of(row)
            if claim and claim not in self.claims:
                heading = "Claim " + " · ".join(cells[:2])
                self.claims[claim] = self.add("claim", claim, heading)
            if claim:
                self.claims[claim].say(" · ".join(filter(None, cells[2:])))
            elif "ledger" not in node["classes"]:
                record.say(" · ".join(filter(None, cells)))


def in_a_line(formula):
    """Return a formula as it reads in a line, "…" if it needs more room than that."""
    shown = MARKUP.sub("", formula)
    return "…" if len(shown) > LONGEST_FORMULA or TALL.search(formula) else shown


def titles_of_works(env):
    """Return ``{id: title}`` of the bibliography."""
    if "cite" not in env.domaindata:
        return {}
    return {
        it.citation_id: re.sub(r"[{}]", "", it.entry.fields.get("title", ""))
        for it in env.get_domain("cite").citations
    }


def claim_of(row):
    """Return the address of the claim that a row is about, by its id or its link."""
    links = [link.get("refid", "") for link in row[0].findall(nodes.reference)]
    return next(filter(CLAIM.fullmatch, [*row["ids"], *links]), None)


def is_exercise(node):
    """Tell whether a node is a cell of an exercise: its start, check or solution."""
    return "exercise" in (getattr(node, "attributes", {}).get("cell_metadata") or {})


def read_page(app, doctree, docname):
    """Make the records of a page, when all its references are resolved."""
    if app.builder.format != "html":
        return
    reader = Reader(getattr(app, "katex_html", {}), titles_of_works(app.env))
    for node in doctree.children:
        if isinstance(node, nodes.section):
            reader.section(node)
    app.course_records[docname] = reader.records


def begin(app):
    """Leave out Sphinx's own index: its page stays, and shows what ours finds."""
    app.course_records = {}
    app.builder.search = False


def search_page(app):
    return [("search", {}, "search.html")] if app.builder.format == "html" else []


def write_sections(app, error):
    if error is not None or app.builder.format != "html":
        return
    pages, rows = [], []
    for docname in sorted(app.env.found_docs):
        if docname not in app.course_records:  # not written anew by this build
            app.env.get_and_resolve_doctree(docname, app.builder)
        records = app.course_records[docname]
        if records:
            pages.append([app.builder.get_target_uri(docname), records[0].heading])
        for it in records:
            body = "\n".join(it.blocks)
            said = set(WORD.findall(f"{it.heading} {body}"))
            code = " ".join(word for word in it.code if word not in said)
            rows.append([len(pages) - 1, it.kind, it.anchor, it.heading, body, code])
    data = json.dumps({"pages": pages, "rows": rows}, ensure_ascii=False)
    path = Path(app.outdir) / SECTIONS
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"window.courseSections = {data};\n", "utf8")


def setup(app):
    app.connect("builder-inited", begin)
    app.connect("doctree-resolved", read_page, priority=950)  # after the formulas
    app.connect("html-collect-pages", search_page)
    app.connect("build-finished", write_sections)
    app.add_js_file("search/start.js", loading_method="defer")
