"""The first page: what to do first, and slogans with what was measured of them.

``<!-- slogans: W1 W4 -->`` becomes a card for each of these claims, made from the
ledger, so that no number stands on the page twice. A paragraph of nothing but links,
with " · " between them, becomes a row of buttons. ``<!-- path -->`` becomes a picture
of which chapter needs which, and ``<!-- goals -->`` a list of what a reader will be
able to do. Both come from the table of chapters and from the sentence "You need …" with
which a chapter opens.
"""

import json
import re
from html import escape
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform

from . import ledger_data as data
from .chapters import chapters, table

SLOGANS = re.compile(r"<!-- slogans: ([A-Z0-9 ]+) -->")
PATH = "<!-- path -->"
GOALS = "<!-- goals -->"
NEEDS = re.compile(r"You need (.*?)\.(?:\s|$)")
ROW, STEP, WIDTH = 36, 24, 360  # of the picture, in its own pixels
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


# --- the path -------------------------------------------------------------------------


def needs(srcdir, rows):
    """Return the chapters that each chapter names as what a reader needs."""
    files = [row["file"] for row in rows]
    found = {}
    for file in files:
        cells = json.loads(Path(srcdir, "book", f"{file}.ipynb").read_text("utf8"))
        opening = NEEDS.search("".join(cells["cells"][0]["source"]))
        text = opening[1] if opening else ""
        found[file] = [other for other in files if f"({other}.ipynb" in text]
    return found


def path_tree(needed):
    """Return ``(file, its parent or None, depth)`` of each chapter, parents first.

    The parent is the last chapter that it needs: the others are needed by that one.
    """
    parent = {file: (before or [None])[-1] for file, before in needed.items()}

    def below(file, depth):
        for child in (c for c in parent if parent[c] == file):
            yield child, file, depth
            yield from below(child, depth + 1)

    return list(below(None, 0))


def path_picture(srcdir):
    """Return the picture of the chapters, each a link."""
    titles = {row["file"]: row["title"] for row in chapters(srcdir)}
    tree = path_tree(needs(srcdir, chapters(srcdir)))
    needed = {before for _, before, _ in tree}
    place = {
        file: (14 + STEP * depth, ROW * i + ROW // 2)
        for i, (file, _, depth) in enumerate(tree)
    }
    lines, links = [], []
    for file, before, _ in tree:
        x, y = place[file]
        look = "path-core" if file in needed else "path-more"
        title = f"{int(file[:2])} {escape(titles[file])}"
        what = "core" if file in needed else "may be skipped"
        if before:
            left, above = place[before]
            bend = f"V{y - 10}Q{left} {y} {left + 10} {y}H{x}"
            lines.append(f'<path class="{look}" d="M{left} {above}{bend}"/>')
        links.append(
            f'<a href="{file}.html" aria-label="{title}, {what}">'
            f'<rect x="{x - 14}" y="{y - ROW // 2}" width="{WIDTH - x + 14}" '
            f'height="{ROW}"/><circle class="{look}" cx="{x}" cy="{y}" r="7"/>'
            f'<text class="{look}" x="{x + 16}" y="{y + 5}">{title}</text></a>'
        )
    return (
        '<figure class="course-path">'
        f'<svg viewBox="0 0 {WIDTH} {ROW * len(tree)}" role="group" '
        'aria-label="The chapters, each below the one that it needs">'
        f"{''.join(lines)}{''.join(links)}</svg>"
        "<figcaption><p>Each chapter stands below the one that it needs.</p>"
        '<p><b aria-hidden="true">●</b> <b>Core:</b> other chapters build on it.</p>'
        '<p><span aria-hidden="true">○</span> May be skipped: no other chapter needs '
        "it.</p></figcaption></figure>"
    )


def goals(srcdir):
    """Return the first goal of each chapter, by the parts of the book."""
    lists = []
    for part in table(srcdir)["parts"]:
        items = "".join(
            f'<li>{coded(row["goals"][0])} (<a href="{row["file"]}.html">chapter&nbsp;'
            f"{int(row['file'][:2])}</a>)</li>"
            for row in part["chapters"]
        )
        caption = escape(part["caption"])
        lists.append(f"<div><p><b>{caption}</b></p><ul>{items}</ul></div>")
    return f'<div class="course-goals">{"".join(lists)}</div>'


def coded(text):
    return re.sub("`([^`]+)`", r"<code>\1</code>", escape(text))


# --- the page -------------------------------------------------------------------------


def fill(app, error):
    """Put the cards into the first page, once the ledger has been made."""
    page, entries = getattr(app, "course_ledger", (None, []))
    if error is not None or app.builder.format != "html":
        return
    path = Path(app.outdir, app.builder.get_target_uri(app.config.root_doc))
    text = filled = path.read_text("utf8")
    if page is not None:
        filled = SLOGANS.sub(lambda found: wall(found[1].split(), entries), filled)
    for mark, make in ((PATH, path_picture), (GOALS, goals)):
        if mark in filled:
            filled = filled.replace(mark, make(app.srcdir))
    if filled != text:
        path.write_text(filled, "utf8")


def setup(app):
    app.add_transform(Buttons)
    app.connect("build-finished", fill)
