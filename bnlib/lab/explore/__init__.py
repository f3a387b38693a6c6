"""Pictures to touch: drag a value, turn a knob, and see what batch norm makes of it.

Each explorable is a module of JavaScript in this folder, of a few kilobytes, that draws
a picture for a state and moves on when something is dragged. Its formulas are those of
``bnlib``: the tests compare both. The picture of the first state is stored beside it
(``python -m tools.explore`` draws it), for everyone who has no script: on paper, on
GitHub, in a notebook that was not run.
"""

import base64
import html
import os

from bnlib.lab.explore import bundle

__all__ = ["Explorable", "explore"]

# Set to "still", no script is shown, so that what a notebook stores is a picture.
SWITCH = "BNLIB_EXPLORE"


class Explorable:
    """An interactive figure, shown by a notebook that ends a cell with it.

    Parameters
    ----------
    name : str
        One of those that :func:`explore` knows.

    Attributes
    ----------
    name, title, sentence : str
        Its name, its title, and what it shows at the start.

    Examples
    --------
    >>> figure = explore("push")
    >>> figure.title
    'Push a point, move its mates'
    >>> figure.sentence.split(":")[0]  # where nothing can be drawn, there are words
    'Value 4 was pushed by +6.0'
    """

    def __init__(self, name):
        picture = bundle.read(f"pictures/{name}.svg")
        self.name = name
        self.title = html.unescape(bundle.title(picture))
        self.sentence = html.unescape(bundle.sentence(picture))
        self._picture = picture

    def __repr__(self):
        """Return the sentence, for where there is only text."""
        return self.sentence

    def _repr_mimebundle_(self, include=None, exclude=None):
        page = self._still()
        if os.environ.get(SWITCH, "").strip().lower() != "still":
            # Nothing is imported from anywhere: each figure brings what it needs.
            page += f"<style>{bundle.style()}</style>"
            page += f"<script>{bundle.script(self.name)}</script>"
        return {"text/plain": self.sentence, "text/html": page}

    def _still(self):
        """Return the picture as HTML that survives GitHub and an untrusted notebook."""
        data = base64.b64encode(self._picture.encode()).decode()
        words = html.escape(f"{self.title}. {self.sentence}")
        source = f"data:image/svg+xml;base64,{data}"
        size = 'width="480" style="max-width:100%"'
        image = f'<img alt="{words}" {size} src="{source}">'
        return f'<div data-explore="{self.name}" class="bn-explore">{image}</div>'


def explore(name):
    """Return an interactive figure: the last line of a cell shows it.

    In Colab, Jupyter and on the course's pages it can be dragged, by mouse, finger and
    keyboard; elsewhere it is a picture. Nothing is loaded from anywhere.

    Parameters
    ----------
    name : str
        ``"knobs"`` (chapter 2), ``"push"`` and ``"graph"`` (3), ``"batches"`` and
        ``"average"`` (4), ``"cells"`` (8) or ``"prune"`` (11).

    Returns
    -------
    Explorable
        Its ``sentence`` says in words what the picture shows at the start.

    Raises
    ------
    ValueError
        If there is no explorable of this name.

    Examples
    --------
    >>> explore("push").title
    'Push a point, move its mates'
    """
    if name not in bundle.NAMES:
        known = ", ".join(bundle.NAMES)
        raise ValueError(
            f"name must be one of {known}, got {name!r}; choose one of them"
        )
    return Explorable(name)
