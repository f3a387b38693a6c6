"""The ledger: what people say, the verdict on it and the lines that measured it.

It stands where a page has ``<!-- ledger -->`` and takes the rows of that page's tables
whose first cell is a bold identifier: what one reads, the verdict, and where it stops.
Each claim is one row under its chapter; what it measured is folded. ``ledger.json``
has the same for other programs, and the words ``ledger.json`` on the page lead there.
Beside the ledger, and on a page with ``<!-- identifiers -->``, a bold identifier leads
to its row.
"""

import json
import re
from collections import Counter
from html import escape
from itertools import groupby
from pathlib import Path

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.nodes import make_refnode

from . import far
from . import ledger_data as data
from .chapters import chapters, letters
from .claims import PLACE, all_claims, holds, ledger_page, row_id

NAMED, JSON, ARTICLES = "<!-- identifiers -->", "ledger.json", "articles"
FILLED = re.compile(r"<!--([A-Z]\d+\.[a-z0-9]+(?:-[a-z0-9]+)*)")
COLUMNS = {"Claim": 7, "One reads": 23, "Verdict": 32, "Measured": 16, "Scope": 22}

log = logging.getLogger(__name__)


def raw(text):
    return nodes.raw("", text, format="html")


def bare(children):
    """Return nodes without the comments that mark filled numbers."""
    return [c for c in children if not isinstance(c, nodes.raw)]


class Ledger(SphinxPostTransform):
    """Put the ledger in its place."""

    default_priority = 7

    def run(self, **kwargs):
        comments = list(self.document.findall(nodes.raw))
        places = [node for node in comments if holds(node, PLACE)]
        if places:
            self.verdicts = self.take_verdicts()
            self.told = self.read_articles()
            self.far = far.verdicts(self.env)
            claims = self.in_order()
            self.entries = []
            for place in places:
                place.replace_self(self.page(claims))
            self.link_data()
            self.app.course_ledger = self.env.docname, self.entries
        if places or any(holds(node, NAMED) for node in comments):
            self.link_identifiers()

    # What is known

    def take_verdicts(self):
        """Take the tables of verdicts off the page: ``{identifier: three cells}``."""
        found = {}
        measured = {claim.name for claim in all_claims(self.env)}
        for table in list(self.document.findall(nodes.table)):
            cells = [list(row) for row in table.findall(nodes.row)]
            strong = [row[0].next_node(nodes.strong) for row in cells]
            names = [node.astext() if node else "" for node in strong]
            if measured & set(names):
                for name, row in zip(names, cells, strict=True):
                    if name:
                        found[name] = [entry[0] for entry in row[1:]]
                table.parent.remove(table)
        return found

    def read_articles(self):
        page = Path(self.env.docname).with_name(ARTICLES).as_posix()
        path = Path(self.env.srcdir, f"{page}.md")
        if page not in self.env.found_docs or not path.is_file():
            return {}
        self.env.note_dependency(str(path))
        return data.articles(path.read_text("utf8"))

    def in_order(self):
        """Return the claims by chapter, and by letter and number within it."""
        files = [row["file"] for row in chapters(self.env.srcdir)]
        order = letters(self.env.srcdir)

        def rank(claim):
            file = Path(claim.docname).name
            known = files.index(file) if file in files else len(files)
            return known, claim.docname, claim.rank(order)

        return sorted(all_claims(self.env), key=rank)

    # The page

    def page(self, claims):
        group = nodes.tgroup("", cols=len(COLUMNS))
        for place, width in enumerate(COLUMNS.values()):
            group += nodes.colspec("", colwidth=width, stub=int(place == 0))
        head = nodes.row("", *(cell(nodes.Text(name)) for name in COLUMNS))
        group += nodes.thead("", head)
        for docname, of_page in groupby(claims, key=lambda claim: claim.docname):
            same = [list(c) for _, c in groupby(of_page, key=lambda claim: claim.name)]
            body = nodes.tbody("", self.group_head(docname, len(same)))
            body += [self.row(claims) for claims in same]
            group += body
        caption = nodes.title("", self.caption(claims))
        table = nodes.table("", caption, group, ids=["ledger"], classes=["ledger"])
        return [raw(self.legend()), table] if self.verdicts else [table]

    def caption(self, claims):
        counts = len({claim.name for claim in claims}), len(claims)
        words = [
            f"{n} {what}{'s' * (n != 1)}"
            for n, what in zip(counts, ("claim", "measurement"), strict=True)
        ]
        return " and ".join(words)

    def legend(self):
        """Count the verdicts, with what each means."""
        counts = Counter(entry["verdict"] for entry in self.entries)
        items = [
            f"<li>{badge(w)} <b>{counts[w]}</b> "
            f'<span class="meaning">{meaning}</span></li>'
            for w, meaning in data.MEANING.items()
            if counts[w]
        ]
        return f'<ul class="ledger-legend">{"".join(items)}</ul>'

    def group_head(self, docname, count):
        title = nodes.inline("", self.env.titles[docname].astext())
        here = self.env.docname
        link = make_refnode(self.app.builder, here, docname, "", title)
        number = nodes.inline("", f"{count} claim{'s' * (count != 1)}")
        entry = nodes.entry("", nodes.paragraph("", "", link, nodes.Text(" "), number))
        entry["morecols"] = len(COLUMNS) - 1
        return nodes.row("", entry, classes=["ledger-chapter"])

    def row(self, claims):
        """Return the row of one identifier and note its entry of the data."""
        name = claims[0].name
        slogan, verdict, scope = self.verdicts.get(name, [None] * 3)
        first = stated(claims, verdict)
        said = slogan.astext() if slogan else first.sentence
        opening, rest = split(verdict)
        word = data.word(opening.astext(), said.endswith("?")) if opening else None
        if opening is not None and word is None:
            message = "%s: no verdict begins like this: %s (see OPENINGS)"
            place = self.env.docname
            log.warning(message, name, opening.astext(), location=place)
        self.note(claims, said, word, verdict, scope, first)
        cells = [
            nodes.entry("", nodes.paragraph("", name)),
            nodes.entry("", slogan or nodes.paragraph("", said)),
            nodes.entry("", *self.verdict(claims, word, opening, rest, scope)),
            nodes.entry("", *self.measured(first), classes=["measured"]),
            nodes.entry("", scope or nodes.paragraph(), classes=["scope"]),
        ]
        return nodes.row("", *cells, ids=[row_id(name)], classes=["ledger-claim"])

    def verdict(self, claims, word, opening, rest, scope):
        """Return the badge, the short verdict, and folded what stands behind it."""
        short = nodes.paragraph("", "", raw(badge(word) + " " if word else ""))
        if opening and opening.astext().rstrip(".").lower() != word:
            short += opening.children
        count = len(claims)
        label = f"{count} measurement{'s' * (count != 1)}"
        hidden = f'<span class="visually-hidden"> of {claims[0].name}</span>'
        parts = [short, raw(f"<details><summary>{label}{hidden}</summary>")]
        if rest:
            parts.append(nodes.paragraph("", "", *rest))
        if scope is not None:
            words = nodes.Text(f"Measured on: {scope.astext()}")
            parts.append(nodes.paragraph("", "", words, classes=["scope-again"]))
        parts += self.articles(claims[0].name)
        parts += self.elsewhere(claims[0].name)
        items = (nodes.list_item("", *self.line(claim)) for claim in claims)
        parts.append(nodes.bullet_list("", *items, classes=["ledger-lines"]))
        return [*parts, raw("</details>")]

    def articles(self, name):
        """Return a paragraph on the articles that say so, none if none does."""
        if name not in self.told:
            return []
        page = Path(self.env.docname).with_name(ARTICLES).as_posix()
        here, builder = self.env.docname, self.app.builder
        words = nodes.paragraph("", "Said in ", classes=["articles"])
        for n, title in enumerate(self.told[name]):
            anchor = title.lower().replace(" ", "-")
            label = nodes.inline("", title)
            words += nodes.Text(", ") if n else []
            words += make_refnode(builder, here, page, anchor, label)
        return [words]

    def elsewhere(self, name):
        """Return a paragraph on other data and nets, none where it was not measured."""
        if name not in self.far:
            return []
        label = nodes.inline("", "On other data and nets")
        page, ident = far.far_page(self.env), far.anchor(name)
        here, builder = self.env.docname, self.app.builder
        words = nodes.paragraph("", "", classes=["elsewhere"])
        words += make_refnode(builder, here, page, ident, label)
        words += nodes.Text(f": {self.far[name]['verdict']}")
        return [words]

    def line(self, claim):
        here, builder = self.env.docname, self.app.builder
        label = nodes.inline("", claim.label)
        link = make_refnode(builder, here, claim.docname, claim.anchor, label)
        scope = f" ({claim.scope})" if claim.scope else ""
        words = nodes.inline("", f" {claim.sentence}{scope}")
        return [
            nodes.paragraph("", "", link, words),
            *self.measured(claim, spread=True),
        ]

    def measured(self, claim, spread=False):
        """Return the bar of a line and the same in words."""
        known = data.numbers(claim.measured, claim.needs)
        value = claim.measured if spread else claim.measured.split(" (")[0]
        words = nodes.paragraph("", "", classes=["claim-numbers"])
        words += raw(data.bar(known)) if known else []
        words += nodes.inline("", f"{value}, needs {claim.needs}")
        return [words]

    def note(self, claims, said, word, verdict, scope, first):
        """Remember a claim for ``ledger.json``."""
        uri = self.app.builder.get_relative_uri
        here, there = self.env.docname, claims[0].docname
        page = uri(here, there)
        self.entries.append(
            {
                "id": claims[0].name,
                "page": page,
                "chapter": self.env.titles[there].astext(),
                "statement": said,
                "verdict": word,
                "explanation": words(verdict),
                "scope": words(scope),
                "articles": self.told.get(claims[0].name, []),
                "elsewhere": self.elsewhere_data(claims[0].name),
                "row": f"{Path(self.app.builder.get_target_uri(here)).name}"
                f"#{row_id(claims[0].name)}",
                "shown": first.label,
                "lines": [data.line_data(c, f"{page}#{c.anchor}") for c in claims],
            }
        )

    def elsewhere_data(self, name):
        """Return what came out on other data and nets, None where nothing did."""
        known = self.far.get(name)
        if known is None:
            return None
        page = self.app.builder.get_relative_uri(
            self.env.docname, far.far_page(self.env)
        )
        return {**known, "address": f"{page}#{far.anchor(name)}"}

    # Links

    def link_data(self):
        for literal in list(self.document.findall(nodes.literal)):
            if literal.astext() == JSON:
                link = nodes.reference("", "", literal.deepcopy(), refuri=JSON)
                literal.replace_self(link)

    def link_identifiers(self):
        """Lead from each bold identifier of the page to its row."""
        measured = {claim.name for claim in all_claims(self.env)}
        here, builder = self.env.docname, self.app.builder
        page = ledger_page(self.env) or here
        for word in list(self.document.findall(nodes.strong)):
            name = word.astext()
            if name in measured:
                word.clear()
                label = nodes.inline("", name)
                word += make_refnode(builder, here, page, row_id(name), label)


def badge(word):
    kind = word.replace(" ", "-")
    return f'<span class="verdict-badge verdict-{kind}">{escape(word)}</span>'


def words(cell):
    """Return the text of a cell without comments, None if there is none."""
    return "".join(c.astext() for c in bare(cell.children)) if cell else None


def stated(claims, verdict):
    """Return the claim whose number the verdict states first, or the first one."""
    labels = {claim.label: claim for claim in claims}
    comments = verdict.findall(nodes.raw) if verdict is not None else ()
    found = (FILLED.match(comment.astext()) for comment in comments)
    known = (labels[mark[1]] for mark in found if mark and mark[1] in labels)
    return next(known, claims[0])


def split(verdict):
    """Return the italic words of a verdict and what follows them."""
    if verdict is None:
        return None, []
    opening, *rest = bare(verdict.children)
    return opening, rest


def cell(child):
    return nodes.entry("", nodes.paragraph("", "", child))


def prepare_page(app, pagename, templatename, context, doctree):
    """Load the filter; give the table the width of the contents bar."""
    if pagename == ledger_page(app.env):
        app.add_js_file("ledger.js", loading_method="defer")
        wide = {"html_theme.sidebar_secondary.remove": True}
        context["meta"] = {**(context.get("meta") or {}), **wide}


def write_data(app, error):
    """Write ``ledger.json`` beside the page."""
    page, entries = getattr(app, "course_ledger", (None, []))
    if error is not None or app.builder.format != "html" or page is None:
        return
    path = Path(app.outdir, page).with_name(JSON)
    text = json.dumps({"claims": entries}, ensure_ascii=False, indent=1)
    path.write_text(text + "\n", "utf8")


def setup(app):
    app.add_post_transform(Ledger)
    app.connect("html-page-context", prepare_page, priority=100)
    app.connect("build-finished", write_data)
