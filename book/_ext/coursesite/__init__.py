"""What the site adds to notebooks that contain nothing but plain, portable Markdown.

Colab, GitHub and Jupyter show the sources as they are; on the site they also get

* colored boxes for ``> **Note.** ...`` and the like (:mod:`.callouts`),
* links from "(2.1)", "Figure 2.1" and "Exercise 2.1" to the thing (:mod:`.numbers`),
* links from a cited address to the bibliography, and back (:mod:`.citations`),
* links from the first use of a term to the glossary (:mod:`.terms`),
* the claims of the stored outputs as targets and links (:mod:`.claims`), and the ledger
  of all of them (:mod:`.ledger`),
* what came out of them on other data and other nets (:mod:`.far`),
* local copies of our own pictures, and a warning where words are missing
  (:mod:`.pictures`),
* addresses made from the one in ``_config.yml`` (:mod:`.address`),
* the order of the ledger and the earlier addresses of chapters (:mod:`.chapters`),
* the words of every section, for the search (:mod:`.search`),
* the reference of a package, from its docstrings, and links between its names and the
  pages that use them (:mod:`.api`, :mod:`.uses`),
* small icon fonts and accessible theme parts (:mod:`.icons`, :mod:`.finish`).
"""

from . import (
    address,
    api,
    callouts,
    chapters,
    citations,
    claims,
    far,
    finish,
    icons,
    ledger,
    numbers,
    pictures,
    search,
    terms,
    uses,
)

PARTS = (
    address,
    callouts,
    numbers,
    citations,
    terms,
    claims,
    ledger,
    far,
    pictures,
    search,
    icons,
    finish,
    chapters,
    api,
    uses,
)


def setup(app):
    for part in PARTS:
        part.setup(app)
    return {
        "version": "1",
        "env_version": 2,
        "parallel_read_safe": True,
        "parallel_write_safe": False,
    }
