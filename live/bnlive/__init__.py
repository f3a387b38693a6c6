"""The Python side of a page that runs: cells, answers, and what they print and draw.

It lives in the reader's browser, on CPython compiled to WebAssembly. ``worker.mjs``
calls ``judge`` for an exercise and ``Page.run`` for a cell of a chapter.
"""

from bnlive.cells import Page, judge
from bnlive.names import imports_for

__all__ = ["Page", "imports_for", "judge"]
