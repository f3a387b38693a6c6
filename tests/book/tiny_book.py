"""Build books of a few lines, with the extensions of the course."""

import io
import re
import sys
from pathlib import Path

from nbformat import v4
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils

from tests.tools.samples import chapter

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
        text = content if isinstance(content, str) else v4.writes(chapter(*content))
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
