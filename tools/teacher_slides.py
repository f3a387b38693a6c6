"""The figures of the chapters as slides: one to a page, with title and caption."""

import base64
import io
import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.backends.backend_pdf import PdfPages

from tools import course
from tools import normal_form as nb

ROOT = Path(__file__).parents[1]
SIZE = 13.33, 7.5  # inches, 16 : 9
CAPTION = re.compile(r"\A\*\*(Figure [\d.]+?)\.\*\* (.*)")
WIDTH = 125  # characters of a caption in a line
FORMULA = re.compile(r"\$[^$]+\$")


@dataclass(frozen=True)
class Figure:
    """One figure as it is stored.

    Parameters
    ----------
    chapter, number : str
        ``"Chapter 2: The forward pass"`` and ``"Figure 2.1"``.
    caption : str
        Without the number, in Markdown.
    png : bytes
        The picture.
    """

    chapter: str
    number: str
    caption: str
    png: bytes


def figures(notebook):
    """Return the figures of a chapter, in order.

    Raises
    ------
    ValueError
        If the text cell after a picture does not begin with its caption.
    """
    title = notebook.cells[0].source.splitlines()[0].removeprefix("# ")
    found = []
    for cell, following in zip(notebook.cells, notebook.cells[1:], strict=False):
        for output in cell.get("outputs", []):
            png = output.get("data", {}).get("image/png")
            if png is None:
                continue
            caption = CAPTION.match(following.source)
            if caption is None:
                raise ValueError(
                    f"the cell below a picture must begin with **Figure N.M.**, got "
                    f"{following.source[:40]!r}; write the caption there"
                )
            found.append(Figure(title, *caption.groups(), base64.b64decode(png)))
    return found


def plain(markdown):
    """Return a caption as matplotlib draws it: formulas stay, marks and links go."""
    text = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", markdown)
    parts = re.split(f"({FORMULA.pattern})", text)
    parts[::2] = (re.sub(r"[*`]", "", part) for part in parts[::2])
    # A line must not break inside of a formula.
    parts[1::2] = (part.replace(" ", "\xa0") for part in parts[1::2])
    return textwrap.fill("".join(parts), WIDTH).replace("\xa0", " ")


def write(path, root=ROOT):
    """Write the slides, a title page first.

    Parameters
    ----------
    path : Path
        Where to.
    root : Path
        The repository.

    Returns
    -------
    int
        Number of figures.
    """
    files = [root / "book" / f"{c.file}.ipynb" for c in course.chapters(root)]
    shown = [figure for file in files for figure in figures(nb.read(file))]
    # Without a date, the same figures make the same file.
    about = {"Title": "Batch Normalization, Measured: figures", "CreationDate": None}
    with plt.style.context("default"), PdfPages(path, metadata=about) as pdf:
        _page(pdf, _title)
        for figure in shown:
            _page(pdf, _slide, figure)
    return len(shown)


def _page(pdf, draw, *what):
    page = plt.figure(figsize=SIZE)
    draw(page, *what)
    pdf.savefig(page)
    plt.close(page)


def _title(page):
    page.text(0.5, 0.6, "Batch Normalization, Measured", size=34, ha="center")
    page.text(0.5, 0.5, "The figures of the chapters", size=20, ha="center")
    text = "Text and figures: CC BY 4.0. Code: MIT."
    page.text(0.5, 0.12, text, size=13, ha="center", color="0.35")


def _slide(page, figure):
    page.text(0.04, 0.93, figure.chapter, size=20)
    page.text(0.96, 0.93, figure.number, size=14, ha="right", color="0.35")
    ax = page.add_axes((0.04, 0.2, 0.92, 0.69))
    ax.imshow(plt.imread(io.BytesIO(figure.png)), interpolation="none")
    ax.axis("off")
    page.text(0.04, 0.16, plain(figure.caption), size=13, va="top", linespacing=1.4)
