"""The first page: what to do first, and slogans with what was measured of them.

``<!-- slogans: W1 W4 -->`` becomes a card for each of these claims, made from the
ledger, so that no number stands on the page twice. A paragraph of nothing but links,
with " · " between them, becomes a row of buttons.
"""

import re
from html import escape
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform

from . import ledger_data as data

SLOGANS = re.compile(r"<!-- slogans: ([A-Z0-9 ]+) -->")
LINKS = (nodes.reference, addnodes.pending_xref, addnodes.download_reference)


class Buttons(SphinxTransform):
    """Mark the paragraphs that are rows of buttons."""

    default_priority = 18

    def apply(self, **kwargs):
        if self.env.docname == self.config.root_doc:
            for paragraph in self.document.findall(nodes.paragraph):
                links = [n for n in paragraph.children if isinstance(n, LINKS)]
                others = [n for n in paragraph.children if n not in links]
                if len(links) > 1 and {n.astext().strip() for n in others} <= {"", "·"}:
                    paragraph["classes"].append("course-buttons")


def card(entry):
    """Return a slogan, its verdict, and the number behind it."""
    known = {line["key"]: line for line in entry["lines"]}
    line = known[entry["shown"]]
    numbers = data.numbers(line["measured"], line["needs"])
    kind = entry["verdict"].replace(" ", "-")
    opening = re.split(r"(?<=[.;:]) ", entry["explanation"])[0].rstrip(".;:")
    repeats = opening.lower() == entry["verdict"]
    words = "" if repeats else f'<span class="slogan-words">{escape(opening)}.</span>'
    value = line["measured"].split(" (")[0].replace("-", "−")
    needs = line["needs"].replace(">=", "≥").replace("<=", "≤").replace("-", "−")
    statement = entry["statement"].replace("“", "‘").replace("”", "’")
    return (
        f'<li><p class="slogan">“{escape(statement)}”</p>'
        f'<p><a class="verdict-badge verdict-{kind}" href="{entry["row"]}">'
        f"{escape(entry['verdict'])}</a> {words}</p>"
        f"{data.bar(numbers) if numbers else ''}"
        f'<p class="slogan-line">{escape(line["sentence"])}: '
        f"<b>{escape(value)}</b>, needs {escape(needs)}. "
        f'<a href="{line["address"]}">See the cell'
        f'<span class="visually-hidden"> of {line["key"]}</span></a></p></li>'
    )


def wall(names, entries):
    known = {entry["id"]: entry for entry in entries}
    cards = "".join(card(known[name]) for name in names)
    lines = sum(len(entry["lines"]) for entry in entries)
    return (
        f'<ul class="slogan-wall">{cards}</ul>'
        f'<p class="slogan-count"><a href="claims.html">All {len(entries)} claims '
        f"and {lines} measurements</a></p>"
    )


def fill(app, error):
    """Put the cards into the first page, once the ledger has been made."""
    page, entries = getattr(app, "course_ledger", (None, []))
    if error is not None or app.builder.format != "html" or page is None:
        return
    path = Path(app.outdir, app.builder.get_target_uri(app.config.root_doc))
    text = path.read_text("utf8")
    filled = SLOGANS.sub(lambda found: wall(found[1].split(), entries), text)
    path.write_text(filled, "utf8")


def setup(app):
    app.add_transform(Buttons)
    app.connect("build-finished", fill)
