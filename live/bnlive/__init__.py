"""The Python side of a page that runs: cells, answers, and what they print and draw.

It lives in the reader's browser, on CPython compiled to WebAssembly. ``worker.mjs``
calls ``cells.judge`` for an exercise and ``cells.Page.run`` for a cell of a chapter.
"""
