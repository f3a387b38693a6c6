"""Exercises that end where they end, and their levels in words.

In a notebook an exercise is a heading and the cells below it. What comes after its
solution belongs to the text again, but not in the outline: there it stands below the
heading of the exercise. On the site the exercise is a section of its own, with a frame,
and what follows goes on in the section around it. "● ● ○" is read aloud as "level 2
of 3".
"""

import re

from docutils import nodes
from sphinx.transforms import SphinxTransform

from .live import about, is_part

LEVEL = re.compile(r"[●○](?: [●○]){2}")
WORDS = '<span role="img" aria-label="level {} of 3">{}</span>'


class Cards(SphinxTransform):
    """Let the section of an exercise end with its last cell."""

    default_priority = 220  # after coursesite.live, which adds lines to the cells

    def apply(self, **kwargs):
        for section in list(self.document.findall(nodes.section)):
            last = last_cell(section)
            if last is not None:
                self.close(section, last)

    def close(self, section, last):
        rest = section.children[section.index(last) + 1 :]
        for node in rest:
            section.remove(node)
        section["classes"].append("exercise-card")
        name = section.next_node(nodes.title).astext().partition(" · ")[0]
        end = f'<p class="visually-hidden">End of {name[0].lower()}{name[1:]}.</p>'
        section += nodes.raw("", f"{end}\n", format="html")
        around = section.parent
        at = around.index(section) + 1
        around.children[at:at] = rest
        for node in rest:
            node.parent = around


def last_cell(section):
    """Return the last cell of an exercise among the parts of a section, or None."""
    cells = [
        node
        for node in section.children
        if is_part(node, "cell_code") and about(node).get("role")
    ]
    roles = {about(cell)["role"] for cell in cells}
    return cells[-1] if {"starter", "check"} <= roles else None


class Levels(SphinxTransform):
    """Say the level of an exercise in words to those who hear it."""

    default_priority = 220

    def apply(self, **kwargs):
        for text in list(self.document.findall(nodes.Text)):
            found = LEVEL.search(text)
            if found and not isinstance(text.parent, nodes.literal_block):
                html = WORDS.format(found[0].count("●"), found[0])
                before, after = text[: found.start()], text[found.end() :]
                level = nodes.raw("", html, format="html")
                parts = [nodes.Text(before), level, nodes.Text(after)]
                text.parent.replace(text, parts)


def setup(app):
    app.add_transform(Cards)
    app.add_transform(Levels)
