"""Results that a cell has printed with ``print_table``, as tables of the page.

Such an output carries its cells as data beside the text, so nothing is guessed from
spaces. The table is made by ``bnlib.lab.table``, as it is for a cell that a reader runs
on the page. A table that an author has written says how many columns it has
(``columns-4``), for the look of it on a phone.
"""

import importlib.util
from functools import cache
from pathlib import Path

from docutils import nodes
from sphinx.transforms import SphinxTransform

# Builders of pages; others print the text.
PAGES = ("html", "dirhtml", "singlehtml", "epub")


@cache
def printed():
    """Load what the tables are made with, without importing bnlib and NumPy."""
    path = Path(__file__).parents[3] / "bnlib" / "lab" / "table.py"
    spec = importlib.util.spec_from_file_location("printed_table", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Tables:
    """What MyST-NB asks for the outputs of a kind that it does not know."""

    mime_priority_overrides = tuple((name, printed().KIND, 1) for name in PAGES)

    @staticmethod
    def handle_mime(renderer, data, inline):
        """Return the node of a table, None for another kind of output."""
        if inline or data.mime_type != printed().KIND:
            return None
        table = printed().Table(**data.content)
        return [nodes.raw("", table.html(), format="html", classes=["output"])]


class Columns(SphinxTransform):
    """Give each table a class that says how many columns it has."""

    default_priority = 20

    def apply(self, **kwargs):
        for group in self.document.findall(nodes.tgroup):
            group.parent["classes"].append(f"columns-{group['cols']}")


def setup(app):
    app.add_transform(Columns)
    # Renderers are found by the metadata of installed packages; this folder is none.
    from myst_nb.core import render

    found = [*render.load_mime_renders()]
    if Tables not in found:
        render.load_mime_renders = lambda: [*found, Tables]
