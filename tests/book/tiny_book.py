"""Build books of a few lines, with the extensions of the course."""

import io
import json
import re
import sys
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "book" / "_ext"))

REPOSITORY = "https://github.com/someone/course"
CONFIG = {
    "extensions": ["myst_nb", "coursesite", "katexpre"],
    "html_theme": "basic",
    "html_theme_options": {},
    "html_math_renderer": "katexpre",
    "nb_execution_mode": "off",
    "myst_enable_extensions": ["dollarmath", "html_image"],
    "html_copy_source": False,
}


class TinyBook:
    """A built book: its pages, and what Sphinx warned of."""

    def __init__(self, out, warnings):
        self.out = out
        self.warnings = warnings

    def page(self, name):
        return (self.out / f"{name}.html").read_text("utf8")


def build(folder, pages, **config):
    """Build ``{file name: text or list of cells}``; the first page is the root."""
    source = folder / "source"
    source.mkdir(parents=True, exist_ok=True)
    names = [name.split(".")[0] for name in pages]
    for name, content in pages.items():
        text = content if isinstance(content, str) else notebook(content)
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(text, "utf8")
    config = {**CONFIG, "root_doc": names[0], **config}
    warnings = io.StringIO()
    with patch_docutils(str(source)), docutils_namespace():
        app = Sphinx(
            source,
            None,
            folder / "html",
            folder / "doctrees",
            "html",
            confoverrides=config,
            status=None,
            warning=warnings,
        )
        app.build(force_all=True)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", warnings.getvalue()).splitlines()
    # The pages of a tiny book need no table of contents.
    told = [line for line in lines if line and "toctree" not in line]
    return TinyBook(folder / "html", told)


def notebook(cells):
    """Return the text of a notebook."""
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    metadata = {
        "kernelspec": {"name": "python3", "display_name": "Python 3"},
        "language_info": {"name": "python", "pygments_lexer": "ipython3"},
    }
    book = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(book)


def markdown(source):
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def code(source, *outputs, **metadata):
    return {
        "cell_type": "code",
        "execution_count": 1,
        "metadata": metadata,
        "source": source,
        "outputs": list(outputs),
    }


def printed(text):
    return {"output_type": "stream", "name": "stdout", "text": text}


def picture():
    """Return the output of a cell that shows one white pixel."""
    pixel = (
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAsTf5"
        "1wAAAABJRU5ErkJggg=="
    )
    data = {"image/png": pixel, "text/plain": "<Figure>"}
    return {"output_type": "display_data", "data": data, "metadata": {}}
