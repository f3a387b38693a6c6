"""What the site adds to notebooks that contain nothing but plain, portable Markdown.

Colab, GitHub and Jupyter show the sources as they are; on the site they also get

* colored boxes for ``> **Note.** ...`` and the like (:mod:`.callouts`),
* questions that take an answer, and show it beside what was measured (:mod:`.predict`),
* links from "(2.1)", "Figure 2.1" and "Exercise 2.1" to the thing (:mod:`.numbers`),
* exercises in a frame that ends where they end (:mod:`.cards`),
* pictures joined with their captions, and the code that draws them folded
  (:mod:`.figures`),
* printed results as tables, and lines of code that go on below their beginning where
  the screen is narrow (:mod:`.tables`, :mod:`.lines`), with a button that copies them
  (:mod:`.copies`),
* links from a cited address to the bibliography, and back (:mod:`.citations`),
* links from the first use of a term to the glossary (:mod:`.terms`),
* the claims of the stored outputs as targets and links (:mod:`.claims`), and the ledger
  of all of them (:mod:`.ledger`),
* the slogans and buttons of the first page (:mod:`.landing`),
* explorables: pictures that can be dragged (:mod:`.explore`),
* what came out of them on other data and other nets (:mod:`.far`),
* local copies of our own pictures, and a warning where words are missing
  (:mod:`.pictures`), and drawings in the place of those that have one
  (:mod:`.drawings`),
* addresses made from the one in ``_config.yml`` (:mod:`.address`),
* the order of the ledger and the earlier addresses of chapters (:mod:`.chapters`),
* cells that run on the page, by Python in the browser (:mod:`.live`), and a list of the
  exercises for what a browser keeps of them (:mod:`.live_list`),
* the words of every section, for the search (:mod:`.search`),
* the reference of a package, from its docstrings, and links between its names and the
  pages that use them (:mod:`.api`, :mod:`.uses`),
* what a page says of itself to those who list or share it (:mod:`.head`),
* small fonts of icons, and those of words and formulas at once (:mod:`.icons`,
  :mod:`.fonts`), accessible theme parts (:mod:`.finish`), in one stylesheet and script
  (:mod:`.bundles`).
"""

from . import (
    address,
    api,
    bundles,
    callouts,
    cards,
    chapters,
    citations,
    claims,
    copies,
    drawings,
    explore,
    far,
    figures,
    finish,
    fonts,
    head,
    icons,
    landing,
    ledger,
    lines,
    live,
    live_list,
    numbers,
    pictures,
    predict,
    search,
    tables,
    terms,
    uses,
)

PARTS = (
    address,
    callouts,
    numbers,
    predict,
    figures,
    tables,
    citations,
    terms,
    claims,
    ledger,
    landing,
    live,
    live_list,
    cards,
    far,
    pictures,
    drawings,
    explore,
    search,
    icons,
    fonts,
    head,
    lines,
    copies,
    finish,
    bundles,
    chapters,
    api,
    uses,
)


def setup(app):
    for part in PARTS:
        part.setup(app)
    return {
        "version": "1",
        "env_version": 4,
        "parallel_read_safe": True,
        "parallel_write_safe": False,
    }
