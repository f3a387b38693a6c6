"""The page *How far does it hold?*: the claims of the chapters, measured elsewhere.

It stands where a page has ``<!-- far -->`` and takes that page's table whose first cell
is a bold identifier, for the sentence that says why. The numbers are those of
``studies/results`` beside the page; the chapter's number comes from the line that it
has printed. :func:`verdicts` tells the ledger what came out.
"""

import sys
from html import escape
from pathlib import Path

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.nodes import make_refnode

from . import ledger_data
from .chapters import letters
from .claims import all_claims, holds, ledger_page, row_id

ROOT = Path(__file__).resolve().parents[3]
if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))

from book.studies import judge, picture, results  # noqa: E402
from book.studies.quantities import COURSES, QUANTITIES  # noqa: E402

FAR = "<!-- far -->"
PAGE = "far"


def folder(env):
    """Return where the results lie, beside the page."""
    return Path(env.srcdir, far_page(env)).parent / "studies" / "results"


def far_page(env):
    """Return the name of the page, or None if the book has none."""
    names = (name for name in env.found_docs if Path(name).name == PAGE)
    return min(names, default=None)


def lines(env):
    """Return the lines of the chapters by their keys, as numbers."""
    known = {c.label: ledger_data.numbers(c.measured, c.needs) for c in all_claims(env)}
    return {key: line for key, line in known.items() if line}


def stored(env):
    """Return all rows, none where the book has no such page."""
    if far_page(env) is None:
        return []
    return [row for rows in results.read_all(folder(env)).values() for row in rows]


def measured(env):
    """Return ``{claim: {quantity: panels}}``."""
    return judge.panels(stored(env), lines(env))


def verdicts(env):
    """Return what came out elsewhere, as numbers: {claim: word and counts}."""
    found = {}
    for name, by_quantity in measured(env).items():
        counts = judge.count(by_quantity)
        found[name] = {
            "verdict": judge.verdict(by_quantity),
            "panels": sum(counts.values()),
            "holds": counts[judge.HOLDS],
            "settings": sorted({p.data for same in by_quantity.values() for p in same}),
        }
    return found


def anchor(name):
    """Return the target of a claim on the page."""
    return f"far-{name.lower()}"


class Far(SphinxPostTransform):
    """Put summary and pictures in their place."""

    default_priority = 8

    def run(self, **kwargs):
        places = [n for n in self.document.findall(nodes.raw) if holds(n, FAR)]
        if not places:
            return
        for family in results.FAMILIES:
            path = folder(self.env) / f"{family}.csv"
            if path.is_file():
                self.env.note_dependency(str(path))
        self.why, self.slogans = self.take_table(), self.read_slogans()
        self.rows = stored(self.env)
        found = judge.panels(self.rows, lines(self.env))
        groups = {word: [] for word in judge.GROUPS}
        order = letters(self.env.srcdir)
        self.share = {name: judge.share(by) for name, by in found.items()}

        def place_of(name):
            return -self.share[name], order.find(name[0]), int(name[1:])

        for name in sorted(found, key=place_of):
            groups[judge.verdict(found[name])].append(name)
        for place in places:
            place.replace_self(self.page(found, groups))

    def take_table(self):
        """Take the table of reasons off the page: {identifier: paragraph}."""
        why = {}
        for table in list(self.document.findall(nodes.table)):
            for row in table.findall(nodes.row):
                cells = list(row)
                strong = cells[0].next_node(nodes.strong)
                if strong is not None:
                    why[strong.astext()] = cells[-1].children
            if why:
                table.parent.remove(table)
        return why

    def read_slogans(self):
        """Return what one reads, from the ledger's source: {identifier: text}."""
        page = ledger_page(self.env)
        if page is None:
            return {}
        path = Path(self.env.srcdir, f"{page}.md")
        self.env.note_dependency(str(path))
        return ledger_data.slogans(path.read_text("utf8"))

    def page(self, found, groups):
        parts = [self.summary(groups)]
        for word, names in groups.items():
            if not names:
                continue
            title = nodes.title("", judge.GROUPS[word])
            ident = judge.GROUPS[word].lower().replace(" ", "-").replace(",", "")
            section = nodes.section("", title, ids=[ident])
            section += [self.claim(name, word, found[name]) for name in names]
            parts.append(section)
        return parts

    def summary(self, groups):
        """Name the claims of each group, so that ten seconds are enough."""
        items = []
        for word, names in groups.items():
            if not names:
                continue
            links = "".join(
                f'<li><a class="reference internal" href="#{anchor(n)}">{n}</a> '
                f"{escape(self.slogans.get(n, n))} "
                f'<span class="far-share">{self.share[n]:.0%}</span></li>'
                for n in names
            )
            head = f"<b>{judge.GROUPS[word]}</b> ({len(names)})"
            items.append(f"<li>{badge(word)} {head}<ul>{links}</ul></li>")
        html = f'<ul class="far-summary">{"".join(items)}</ul>'
        return nodes.raw("", html, format="html")

    def claim(self, name, word, by_quantity):
        """Return the section of one claim."""
        said = self.slogans.get(name, name)
        title = nodes.title("", f"{name}: {said}")
        section = nodes.section("", title, ids=[anchor(name)], classes=["far-claim"])
        counts, mark = judge.count(by_quantity), badge(word)
        panels = sum(counts.values())
        of = f"holds in {counts[judge.HOLDS]} of {panels} panels"
        words = nodes.paragraph("", "", nodes.raw("", f"{mark} ", format="html"))
        words += nodes.Text(f"{of}. ")
        ledger, here = ledger_page(self.env), self.env.docname
        if ledger:
            label = nodes.inline("", "In the ledger")
            link = make_refnode(self.app.builder, here, ledger, row_id(name), label)
            words += [link, nodes.Text(".")]
        section += words
        section += [child.deepcopy() for child in self.why.get(name, [])]
        section += nodes.raw("", self.pictures(name, by_quantity), format="html")
        return section

    def pictures(self, name, by_quantity):
        known, made = lines(self.env), []
        for key, panels in by_quantity.items():
            how = QUANTITIES[key]
            drawn = picture.strips(how, known[how.line or key], panels)
            note = "" if how.main else " (beside the claim)"
            caption = f"<figcaption>{escape(how.what)}{note}</figcaption>"
            made.append(f"<figure>{caption}{drawn}</figure>")
        course = COURSES.get(name)
        drawn = picture.curves(course, self.rows) if course else ""
        if drawn:
            words = f"{course.what}, against {course.along}"
            caption = f"<figcaption>{escape(words)}</figcaption>"
            made.append(f"<figure>{caption}{drawn}</figure>")
        first, *others = made
        if not others:
            return f'<div class="far-panels">{first}</div>'
        hidden = f'<span class="visually-hidden"> of {name}</span>'
        label = f"{len(others)} more picture{'s' * (len(others) > 1)}{hidden}"
        return (
            f'<div class="far-panels">{first}</div><details class="far-more">'
            f"<summary>{label}</summary>"
            f'<div class="far-panels">{"".join(others)}</div></details>'
        )


def badge(word):
    kind = word.replace(" ", "-")
    return f'<span class="verdict-badge verdict-far-{kind}">{escape(word)}</span>'


def setup(app):
    app.add_post_transform(Far)
