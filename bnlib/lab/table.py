"""Results as a table: columns with heads, aligned at the decimal point.

In a notebook a table is text, with the same cells as data beside it, from which the
site makes a table that a screen reader can read. This file imports nothing: the site
is built without NumPy.
"""

import re
import sys
from collections.abc import Mapping
from html import escape

__all__ = ["print_table"]

# The kind of the data beside the text; viewers that do not know it show the text.
KIND = "application/vnd.bnlib.table+json"
# 12, -0.5, 97%, 6e-05, 87.6 ± 1.2, 720 (645-803), 3 of 5
NUMBER = re.compile(
    r"(?P<whole>[-+−<>~]? ?\d[\d,]*)(?P<rest>(?:\.\d+)?(?:e[-+]?\d+)?(?: ?%)?)"
    r"(?: ± (?P<spread>\d+)(?P<tail>(?:\.\d+)?%?))?(?P<note> \(.*\)| of \d+)?"
)
PARTS = ("whole", "rest", "spread", "tail", "note")
GAP = "  "


class Table:
    """Rows under heads: cells are text, the first ``labels`` of a row name it."""

    def __init__(self, heads, rows, labels=1, title=None):
        self.heads, self.rows = [*heads], [[*row] for row in rows]
        self.labels, self.title = labels, title

    def __repr__(self):
        """Return the table as text, numbers aligned at their decimal points."""
        columns = [self._column(index) for index in range(len(self.heads))]
        lines = [GAP.join(line).rstrip() for line in zip(*columns, strict=True)]
        return "\n".join([self.title, *lines] if self.title else lines)

    def data(self):
        """Return what the site needs, as JSON."""
        about = {"heads": self.heads, "rows": self.rows, "labels": self.labels}
        return about | ({"title": self.title} if self.title else {})

    def html(self):
        """Return a table that the course's pages show, its heads marked as such."""
        columns = [self._parts(index) for index in range(len(self.heads))]
        kinds = [' class="number"' if longest else "" for _, longest in columns]
        heads = "".join(
            f'<th scope="col"{kind}>{escape(head)}</th>'
            for head, kind in zip(self.heads, kinds, strict=True)
        )
        rows = []
        for row in range(len(self.rows)):
            texts = []
            for index, (cells, longest) in enumerate(columns):
                tag = "th" if index < self.labels else "td"
                scope = ' scope="row"' if index < self.labels else ""
                text = _marked(cells[row], longest)
                texts.append(f"<{tag}{scope}{kinds[index]}>{text}</{tag}>")
            rows.append(f"<tr>{''.join(texts)}</tr>")
        title = f"<caption>{escape(self.title)}</caption>" if self.title else ""
        head, body = f"<thead><tr>{heads}</tr></thead>", "\n".join(rows)
        return (
            '<div class="pst-scrollable-table-container course-results">'
            f"<table>{title}{head}\n<tbody>{body}</tbody></table></div>"
        )

    def _parts(self, index):
        """Return the cells of a column, numbers split into their parts, and widths.

        Returns
        -------
        list
            For each cell the five ``PARTS`` of a number, or its text.
        dict
            For each part the longest text in the column; {} for a column of words.
        """
        texts = [row[index] for row in self.rows]
        found = [NUMBER.fullmatch(text) for text in texts]
        words = [t for t, f in zip(texts, found, strict=True) if t and not f]
        if not any(found) or (words and index < self.labels):
            return texts, {}
        parts = [
            {name: f[name] or "" for name in PARTS} if f else text
            for text, f in zip(texts, found, strict=True)
        ]
        numbers = [part for part in parts if isinstance(part, dict)]
        longest = {n: max((p[n] for p in numbers), key=len) for n in PARTS}
        return parts, longest

    def _column(self, index):
        cells, longest = self._parts(index)
        if longest:
            cells = [_aligned(cell, longest) for cell in cells]
        width = max(map(len, [self.heads[index], *cells]))
        place = str.rjust if longest else str.ljust
        return [place(text, width) for text in (self.heads[index], *cells)]

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/plain": repr(self), KIND: self.data()}


def print_table(rows, *heads, title=None):
    """Print rows of results under heads, numbers aligned at their decimal points.

    A notebook shows text, with the data beside it; the course's site makes a table of
    it. Anywhere else the text is printed.

    Parameters
    ----------
    rows : dict or iterable of sequences
        In a dict a key names the row, or a tuple of keys, each in a column of its own;
        its value is a cell or a sequence of cells. Otherwise a row is a sequence, whose
        first cell names it. None is an empty cell.
    *heads : str
        One for each column. Behind a colon stands how its cells are formatted:
        ``"loss:.2f"``. Cells that are text already stay as they are.
    title : str, optional
        A line above the table.

    Raises
    ------
    TypeError
        If a head is no text.
    ValueError
        If there are no rows, a row has more or fewer cells than there are heads, or a
        cell does not go with its format.

    Examples
    --------
    >>> losses = {"plain": (0.1, "93 ± 1"), "batch norm": (12.25, "8 ± 10")}
    >>> print_table(losses, "net", "loss:.3g", "accuracy, %")
    net         loss  accuracy, %
    plain        0.1      93 ±  1
    batch norm  12.2       8 ± 10
    """
    if not heads or not all(isinstance(head, str) for head in heads):
        raise TypeError(f"each column needs a head, a str, got {heads!r}; name them")
    labels, rows = _rows(rows)
    names, formats = zip(*map(_head, heads), strict=True)
    if not rows:
        raise ValueError("a table needs at least one row, got none; print a sentence")
    for row in rows:
        if len(row) != len(heads):
            raise ValueError(
                f"a row must have a cell for each of the {len(heads)} heads, "
                f"got {len(row)} in {row!r}; give None for an empty one"
            )
    _show(Table(names, [_texts(row, formats) for row in rows], labels, title))


def _rows(rows):
    """Return how many cells name a row, and the rows as lists."""
    if not isinstance(rows, Mapping):
        return 1, [[*row] for row in rows]
    keys = [key if isinstance(key, tuple) else (key,) for key in rows]
    labels = len(keys[0]) if keys else 1
    cells = [[it] if _is_cell(it) else [*it] for it in rows.values()]
    return labels, [[*k, *c] for k, c in zip(keys, cells, strict=True)]


def _is_cell(value):
    if isinstance(value, str) or getattr(value, "ndim", 1) == 0:
        return True
    return not hasattr(value, "__iter__")


def _head(head):
    """Split a head into its words and the format of its cells."""
    name, _, form = head.rpartition(":")
    return (name, form) if name and form.strip() == form else (head, "")


def _texts(row, formats):
    """Return the cells of a row as text."""
    texts = []
    for cell, form in zip(row, formats, strict=True):
        cell = "" if cell is None else cell
        try:
            text = cell if isinstance(cell, str) else format(cell, form)
        except (TypeError, ValueError):
            raise ValueError(
                f"a cell must go with the format of its column, got {cell!r} for "
                f"{form!r}; change one of them"
            ) from None
        texts.append(text.strip())
    return texts


def _aligned(cell, longest):
    """Return a number with its parts where those of the column's others are."""
    if not isinstance(cell, dict):
        return cell
    width = {name: len(text) for name, text in longest.items()}
    text = cell["whole"].rjust(width["whole"]) + cell["rest"].ljust(width["rest"])
    if longest["spread"]:
        text += " ± " if cell["spread"] else "   "
        text += cell["spread"].rjust(width["spread"])
        text += cell["tail"].ljust(width["tail"])
    return text + cell["note"].ljust(width["note"])


def _marked(cell, longest):
    """Return a cell as HTML: what a number lacks to the longest is added unseen."""
    if not isinstance(cell, dict):
        return escape(cell)
    text = escape(cell["whole"] + cell["rest"]) + _unseen(cell, longest, "rest")
    if cell["spread"]:
        lacking = longest["spread"][len(cell["spread"]) :]
        text += f" ± {_width(lacking)}{cell['spread']}{cell['tail']}"
        text += _unseen(cell, longest, "tail")
    elif longest["spread"]:
        text += _width(f" ± {longest['spread']}{longest['tail']}")
    return text + escape(cell["note"]) + _unseen(cell, longest, "note")


def _unseen(cell, longest, name):
    return _width(longest[name][len(cell[name]) :])


def _width(text):
    """Return a place as wide as a text, which nobody sees, hears or copies."""
    return f'<i data-width="{escape(text)}"></i>' if text else ""


def _show(table):
    """Hand a table to the notebook, to the page that runs Python, or print it."""
    ipython = sys.modules.get("IPython")
    page = sys.modules.get("bnlive.cells")
    if ipython and ipython.get_ipython() is not None:
        ipython.display.display(table)
    elif page and page.screen:
        page.screen.send("table", table.html())
    else:
        print(table)
