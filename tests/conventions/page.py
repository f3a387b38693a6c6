"""The cells of the page on conventions, by their ids."""

import json
from pathlib import Path

PATH = Path(__file__).parents[2] / "book" / "conventions.ipynb"


def cells():
    """Return the sources of the page's cells: {id: text}."""
    notebook = json.loads(PATH.read_text(encoding="utf-8"))
    return {cell["id"]: "".join(cell["source"]) for cell in notebook["cells"]}
