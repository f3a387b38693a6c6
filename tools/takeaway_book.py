"""Join the pages of the built site into one document that can be printed.

Each function takes HTML and gives HTML, so none needs a browser. What a page loses:
its buttons and folds, the hidden twin of each formula, the marks of a highlighter that
look like plain text. What it gets: anchors of its own, links that lead to them, and
its hints and solutions at the end of the book.
"""

import re
from collections import Counter
from dataclasses import dataclass
from html import escape
from pathlib import PurePosixPath
from urllib.parse import quote, unquote, urldefrag, urlsplit

from bs4 import BeautifulSoup

from tools.takeaway_tags import FORMULA

# What makes no sense on paper, and where a link to it leads: to the site.
LEFT_OUT = {
    "exercises": "each exercise stands in its chapter",
    "figures": "each figure stands in its chapter",
    "your-data": "it is about what a browser keeps",
    "changelog": "it is about editions of the site and the package",
}
BACK = "solutions"
REPEATED = 6  # pages with the same section
# Whatever needs a pointer or a script; a heading's link to itself.
USELESS = (
    "script, style, noscript, button, form, .headerlink, .live-bar, p.course-buttons"
)
HELP = re.compile(r"(Hint \d|(The s|S)olution)")
HEADING = ("h1", "h2", "h3", "h4")
NAMES = ("aria-labelledby", "aria-describedby", "aria-controls", "aria-owns", "for")
ADDRESSES = ("href", "xlink:href")
DRAWN = re.compile(r"url\((['\"]?)#([^'\")]+)\1\)")
# Pygments: what has the color of the text, or nearly, and classes of one color.
PLAIN = {"", "n", "p", "w", "nn", "nx", "o", "pm"}
KINDS = {"k": "k", "o": "k", "s": "s", "m": "mi", "c": "c1"}


@dataclass(frozen=True)
class Page:
    """One page of the site as it is printed.

    Parameters
    ----------
    stem : str
        Its name, with which all of its anchors begin: ``"02-forward"``.
    title : str
        Its first heading.
    section : bs4.Tag
        All of it, the first heading included.
    """

    stem: str
    title: str
    section: object


def soup(html):
    """Parse some HTML."""
    return BeautifulSoup(html, "html.parser")


def page(stem, html, formulas=None):
    """Return the article of a page of the site, ready for paper but for its links.

    Parameters
    ----------
    stem : str
        Its name.
    html : str
        The page.
    formulas : callable, optional
        What happens to each formula; by default :func:`describe`.

    Raises
    ------
    ValueError
        If the page has no article with a heading.
    """
    section = soup(html).select_one("article > section, article section")
    heading = section and section.find("h1")
    if not heading:
        raise ValueError(
            f"a page must have an article that begins with a heading, {stem} has none; "
            "build the site again, with make book"
        )
    for useless in section.select(USELESS):
        useless.decompose()
    for formula in section.select(".katex"):
        (formulas or describe)(formula)
    for code in section.select("pre"):
        calm(code)
    for fold in section.select("details"):
        unfold(fold)
    return Page(stem, heading.get_text().strip(), section)


# --- what changes inside of a page ----------------------------------------------------


def describe(formula):
    """Give a formula its source as words, in place of the hidden copy.

    Both would be printed: the hidden one as text that nobody sees.
    """
    source = formula["data-tex"].strip()
    formula.select_one(".katex-mathml").decompose()
    del formula.select_one(".katex-html")["aria-hidden"]
    formula["role"] = "img"
    formula["aria-label"] = FORMULA + source


def calm(code):
    """Join neighbors of one color in a block of code: each is a mark in the file."""
    for span in code.find_all("span"):
        names = span.get("class", [])
        if span.attrs.keys() - {"class"} or len(names) > 1:
            continue  # an anchor, or no highlighter's
        name = "".join(names)
        if name in PLAIN:
            span.unwrap()
        elif len(name) < 3:
            span["class"] = [KINDS.get(name[0], name)]
    code.smooth()
    for span in code.find_all("span"):
        after = span.next_sibling
        while after is not None and after.name == "span" and after.attrs == span.attrs:
            span.extend(list(after.contents))
            after.extract()
            after = span.next_sibling
        span.smooth()


def unfold(fold):
    """Make a plain block of a fold, its label above it."""
    summary = fold.find("summary")
    said = summary.select_one(".collapsed") or summary
    label = " ".join(said.get_text(" ").split())
    label = re.sub(r"\AShow (\w)", lambda found: found[1].upper(), label)
    summary.name = "p"
    summary.attrs = {"class": ["paper-label"]}
    summary.string = label
    kinds = ["paper-fold"]
    if HELP.match(label):
        kinds += ["paper-help", "paper-hint" if "Hint" in label else "paper-solution"]
    fold.name = "div"
    fold.attrs = {"class": kinds}


def own_names(section, stem):
    """Begin every name in a page with the page's own, and whatever refers to it."""
    section["id"] = section.get("id", "top")
    for tag in section.find_all(True) + [section]:
        if tag.get("id"):
            tag["id"] = anchor(stem, tag["id"])
        for key in NAMES:
            if tag.get(key):
                listed = tag[key].split()
                tag[key] = " ".join(anchor(stem, name) for name in listed)
        for key, value in tag.attrs.items():
            if isinstance(value, str) and "url(" in value:
                tag[key] = DRAWN.sub(rf"url(#{stem}--\2)", value)
        if tag.name not in ("a", "area") and tag.find_parent("svg"):
            for key in ADDRESSES:
                if tag.get(key, "").startswith("#"):
                    tag[key] = f"#{anchor(stem, tag[key][1:])}"


def anchor(stem, name=""):
    """Return what a place of a page is called in the whole; without one, its start."""
    return f"{stem}--{name}" if name else stem


def lead(section, name, known, site):
    """Turn the links of a page: inside of the whole, or to where the site is published.

    Parameters
    ----------
    section : bs4.Tag
        The page; its links are changed.
    name : str
        Its path on the site, ``"book/02-forward.html"``.
    known : dict of str
        The pages of the whole: their paths, and their stems.
    site : str
        Address of the published site, with a slash at its end.
    """
    for link in section.find_all("a"):
        address = next((link[key] for key in ADDRESSES if link.get(key)), None)
        if address is None or urlsplit(address).scheme or address.startswith("//"):
            continue
        bare, place = urldefrag(address)
        path = resolved(name, unquote(bare)) if bare else name
        if path in known:
            link["href"] = f"#{anchor(known[path], unquote(place))}"
        else:
            link["href"] = f"{site}{quote(path)}" + (f"#{place}" if place else "")


def resolved(name, address):
    """Return the path on the site that an address on a page means."""
    parts = list(PurePosixPath(name).parent.parts)
    for part in PurePosixPath(address).parts:
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)


def files(section, name, folder):
    """Let the pictures of a page begin with the folder of the built site."""
    for picture in section.find_all("img"):
        if not urlsplit(picture["src"]).scheme:
            picture["src"] = folder + resolved(name, picture["src"])
        for key in ("loading", "decoding"):  # all are printed
            picture.attrs.pop(key, None)


def take_help(made):
    """Take hints and solutions out of a page, and leave a link to where they will be.

    Returns
    -------
    list of (str, str, list of bs4.Tag)
        For each exercise its anchor, its heading and what was taken.
    """
    taken = {}
    for fold in made.section.select(".paper-help"):
        whole = fold.parent if "cell" in fold.parent.get("class", []) else fold
        place = fold.find_parent("section", id=True)
        taken.setdefault(place["id"], (place, []))[1].append(whole)
    found = []
    for name, (place, blocks) in taken.items():
        heading = place.find(HEADING).get_text().strip()
        words = "Hints and solution" if len(blocks) > 1 else "Solution"
        link = f'<p class="paper-turn"><a href="#{BACK}-{name}">{words}</a></p>'
        blocks[0].insert_before(soup(link))
        found.append((name, heading, [block.extract() for block in blocks]))
    return found


# --- the whole ------------------------------------------------------------------------


def solutions(pages):
    """Return the chapter of hints and solutions, which are taken from the pages."""
    parts = []
    for made in pages:
        found = take_help(made)
        if found:
            parts.append(
                f'<section id="{BACK}-{made.stem}"><h2>{escape(made.title)}</h2>'
            )
        for name, heading, blocks in found:
            parts += [
                f'<section><h3 id="{BACK}-{name}">'
                f'<a href="#{name}">{escape(heading)}</a></h3>',
                *map(str, blocks),
                "</section>",
            ]
        if found:
            parts.append("</section>")
    words = "Each heading leads back to its exercise."
    text = f'<section id="{BACK}--top"><h1>Hints and solutions</h1><p>{words}</p>'
    return Page(BACK, "Hints and solutions", soup(text + "".join(parts) + "</section>"))


def contents(parts):
    """Return the table of contents: parts, pages, and the sections of the second level.

    What most chapters end with, *What to remember* and the like, is not repeated.

    Parameters
    ----------
    parts : list of (str, list of Page)
        The pages under the captions of the book.
    """
    known = Counter(
        words for _, pages in parts for it in pages for _, words in sections(it)
    )
    rows = []
    for caption, pages in parts:
        if caption:
            rows.append(f'<p class="paper-part">{escape(caption)}</p>')
        rows.append("<ul>")
        for made in pages:
            rows.append(f"<li>{entry(made.stem, made.title)}")
            inner = [entry(*it) for it in sections(made) if known[it[1]] < REPEATED]
            if inner:
                rows.append(
                    "<ul>" + "".join(f"<li>{it}</li>" for it in inner) + "</ul>"
                )
            rows.append("</li>")
        rows.append("</ul>")
    return '<nav class="paper-contents"><h1>Contents</h1>' + "".join(rows) + "</nav>"


def front(about, logo):
    """Return the cover and, on its back, what the edition is and lacks.

    Parameters
    ----------
    about : dict
        ``title``, ``authors``, ``version``, ``date``, ``license``, ``address`` and
        ``repository``.
    logo : str
        Address of a picture.
    """
    named = {key: escape(it) for key, it in about.items() if isinstance(it, str)}
    authors = escape(", ".join(about["authors"]))
    edition = f"Version {named['version']} · {named['date']}"
    site, code = (
        f'<a href="{named[k]}">{named[k]}</a>' for k in ("address", "repository")
    )
    missing = "; ".join(
        f"<em>{name}</em>, because {why}" for name, why in LEFT_OUT.items()
    )
    return (
        '<header class="paper-cover">'
        f'<img src="{escape(logo)}" alt=""><p class="paper-title">{named["title"]}</p>'
        "<p>A course in which every claim is a cell: it runs in seconds, prints what "
        "it measured, and fails loudly when it no longer holds</p>"
        f'<p class="paper-edition">{authors}<br>{edition}</p></header>'
        '<section class="paper-imprint">'
        f"<p><strong>{named['title']}</strong>. {edition}.</p>"
        f"<p>{named['license']} If you teach or publish with it, name the title, the "
        "authors and the version.</p>"
        f"<p>The site, with cells that run and exercises that are checked: {site}.<br>"
        f"The notebooks, and a place to report a fault: {code}.</p>"
        "<p>Here nothing folds: an answer stands below its question, and hints and "
        "solutions at the end of the book. What can be dragged on the site stands "
        f"here as it begins. Some pages are on the site only: {missing}; and the "
        "reference of the package, which is looked up while one writes code. Links to "
        "them lead there.</p></section>"
    )


def sections(made):
    """Return the sections of the second level of a page: their anchors, their words."""
    headings = made.section.select("section[id] > h2")
    return [(it.parent["id"], it.get_text().strip()) for it in headings]


def entry(name, words):
    """Return a line of the contents; its page is filled in when it is known."""
    return (
        f'<a href="#{name}"><span>{escape(words)}</span>'
        f'<span class="paper-page" data-page="{name}">000</span></a>'
    )


def numbered(html, numbers):
    """Fill in the pages of the contents.

    Parameters
    ----------
    html : str
        The whole document.
    numbers : dict of int
        The page of each anchor.

    Raises
    ------
    ValueError
        If the page of an anchor is not known.
    """

    def fill(found):
        if found[2] not in numbers:
            raise ValueError(
                f"every line of the contents needs a page, {found[2]!r} has none; look "
                "where its heading went"
            )
        return f"{found[1]}{numbers[found[2]]}"

    return re.sub(r'(data-page="([^"]+)">)\d+', fill, html)


def running_titles(pages):
    """Return the style that prints the title of each page of the site at the top."""
    rules = []
    for made in pages:
        words = made.title.replace("\\", "\\\\").replace('"', '\\"')
        rules.append(
            f'@page p-{made.stem} {{ @top-right {{ content: "{words}" }} }}\n'
            f"#{css_name(made.stem)} {{ page: p-{made.stem} }}"
        )
    return "\n".join(rules)


def css_name(name):
    """Return a name as a selector spells it: it may not begin with a digit."""
    return re.sub(r"\A\d", lambda found: f"\\3{found[0]} ", name)


def document(parts, front, styles, about):
    """Return the whole book as one HTML document.

    Parameters
    ----------
    parts : list of (str, list of Page)
        The pages under the captions of the book, the last one with the solutions.
    front : str
        What stands before the contents.
    styles : list of str
        Addresses of style sheets.
    about : dict of str
        ``title`` and ``language``.

    Raises
    ------
    ValueError
        If a link leads nowhere, or a name is given twice.
    """
    pages = [made for _, inner in parts for made in inner]
    links = "".join(f'<link rel="stylesheet" href="{escape(it)}">\n' for it in styles)
    body = "".join(
        f'<article class="bd-article" id="{made.stem}">{made.section}</article>\n'
        for made in pages
    )
    text = (
        f'<!DOCTYPE html>\n<html lang="{about["language"]}" data-theme="light" '
        f'data-mode="light"><head><meta charset="utf-8">\n'
        f"<title>{escape(about['title'])}</title>\n{links}"
        f"<style>\n{running_titles(pages)}\n</style></head>\n"
        f"<body>{front}{contents(parts)}{body}</body></html>\n"
    )
    complain(text)
    return text


def complain(text):
    """Stop where a link of a document leads nowhere, or a name is there twice."""
    names = Counter(re.findall(r'\bid="([^"]+)"', text))
    twice = sorted(name for name, times in names.items() if times > 1)
    if twice:
        raise ValueError(f"every name must be given once, got {twice} twice or more")
    dead = sorted({*re.findall(r'<a [^>]*href="#([^"]*)"', text)} - names.keys())
    if dead:
        raise ValueError(f"every link must lead to a place of the book, got {dead}")
