"""Write the book as an EPUB: the pages that are printed, for a reader of any size.

Formulas are MathML, which EPUB has; folds are open and solutions stand at the end, as
in the PDF. The container is written here and not by a library: those there are read the
pages with a parser for HTML, which takes the capital letters from SVG and MathML.
"""

import re
import uuid
import zipfile
from html import escape
from pathlib import Path

from tools import takeaway_book as book

STYLE = Path(__file__).with_name("takeaway_epub.css")
PICTURES = Path("_static", "explore", "explore.css")
STAMP = (2020, 1, 1, 0, 0, 0)  # the same bytes from every build
SPACES = (
    'xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops" '
    'xml:lang="{language}" lang="{language}"'
)
CONTAINER = """<?xml version="1.0" encoding="UTF-8"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles><rootfile full-path="book/package.opf"
media-type="application/oebps-package+xml"/></rootfiles></container>
"""
TYPES = {".png": "image/png", ".svg": "image/svg+xml", ".css": "text/css"}
XHTML = "application/xhtml+xml"
# What the parser for HTML writes small; XML keeps letters apart.
CAPITALS = {
    name.lower(): name
    for name in (
        *(
            "viewBox",
            "preserveAspectRatio",
            "clipPath",
            "linearGradient",
            "markerWidth",
        ),
        *("radialGradient", "gradientUnits", "gradientTransform", "patternUnits"),
        *(
            "clipPathUnits",
            "markerHeight",
            "refX",
            "refY",
            "textLength",
            "lengthAdjust",
        ),
    )
}
# Of the site alone: a bar below a number, and what guides a pointer.
USELESS = ".claim-bar"
ONLY_ON_SCREEN = ("focusable", "tabindex", "data-tap", "data-handle", "data-explore")


def mathml(formula):
    """Let the MathML stand for a formula, with its source as words."""
    math = formula.find("math")
    math["alttext"] = formula["data-tex"].strip()
    # KaTeX's own: widths, which MathML has no more, and a third part of an index.
    for tag in math.find_all(("mtable", "mtd")):
        tag.attrs.pop("width", None)
    for sign in math.find_all("mo", string="\u2061"):
        sign.decompose()
    formula.replace_with(math)


def adapt(section):
    """Make a page valid in EPUB: names of SVG, links between files, local pictures.

    Parameters
    ----------
    section : bs4.Tag
        A page whose names and links are those of the whole; it is changed.

    Returns
    -------
    list of str
        The pictures that it shows, as the page named them.
    """
    for useless in section.select(USELESS):
        useless.decompose()
    for svg in section.find_all("svg"):
        svg["xmlns"] = "http://www.w3.org/2000/svg"
        svg["xmlns:xlink"] = "http://www.w3.org/1999/xlink"
        for tag in [svg, *svg.find_all(True)]:
            tag.name = CAPITALS.get(tag.name, tag.name)
            tag.attrs = {CAPITALS.get(k, k): it for k, it in tag.attrs.items()}
    for tag in section.find_all(True):
        for name in ONLY_ON_SCREEN:
            tag.attrs.pop(name, None)
    for link in section.select('a[href^="#"]'):
        link["href"] = address(link["href"][1:])
    pictures = []
    for picture in section.find_all("img"):
        pictures.append(picture["src"])
        picture["src"] = f"pictures/{Path(picture['src']).name}"
    return pictures


def address(name):
    """Return the file, and the place in it, of a name of the whole."""
    stem = name.partition("--")[0].removeprefix(f"{book.BACK}-")
    if name.startswith(book.BACK):
        stem = book.BACK
    return f"{stem}.xhtml" + ("" if name == stem else f"#{name}")


def file(title, body, language):
    """Return an XHTML file."""
    spaces = SPACES.format(language=language)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE html>\n<html {spaces}>'
        f"<head><title>{escape(title)}</title>"
        '<link rel="stylesheet" type="text/css" href="style.css"/></head>\n'
        f"<body>{body}</body></html>\n"
    )


def navigation(parts):
    """Return the table of contents, as readers show it in a list of their own."""
    rows = []
    for caption, pages in parts:
        items = []
        for made in pages:
            inner = "".join(f"<li>{entry(*it)}</li>" for it in book.sections(made))
            inner = f"<ol>{inner}</ol>" if inner else ""
            items.append(f"<li>{entry(made.stem, made.title)}{inner}</li>")
        listed = "".join(items)
        if caption:
            listed = f"<li><span>{escape(caption)}</span><ol>{listed}</ol></li>"
        rows.append(listed)
    body = f"<h1>Contents</h1><ol>{''.join(rows)}</ol>"
    return f'<nav epub:type="toc" id="toc">{body}</nav>'


def entry(name, words):
    """Return a line of the contents."""
    return f'<a href="{address(name)}">{escape(words)}</a>'


def style(site):
    """Return the style: our own, and the colors of the pictures that can be dragged.

    The site gives its colors as variables, which few readers know.
    """
    own = STYLE.read_text("utf-8")
    if not (site / PICTURES).is_file():
        return own
    rules = re.findall(r"(?m)^\.bn-svg .*$", (site / PICTURES).read_text("utf-8"))
    known = dict(re.findall(r"--(\w+): var\(--bn-\w+, ([^;]+?)\);", rules[0]))
    drawn = [
        re.sub(r"var\(--(\w+)\)", lambda found: known[found[1]], rule)
        for rule in rules[1:]
        if ":is(" not in rule
    ]
    return "\n".join([own, *drawn, ""])


def package(about, files, pages):
    """Return the list of all files, with what the book says of itself.

    Parameters
    ----------
    about : dict
        As for the PDF.
    files : iterable of str
        Names of all others.
    pages : list of str
        Those that are read, in order.
    """
    known = uuid.uuid5(uuid.NAMESPACE_URL, f"{about['address']}{about['version']}")
    manifest = []
    for name in files:
        kind = TYPES.get(Path(name).suffix, XHTML)
        more = ' properties="nav"' if name == "contents.xhtml" else ""
        more = more or _properties(files[name])
        manifest.append(
            f'<item id="{_identifier(name)}" href="{name}" media-type="{kind}"{more}/>'
        )
    spine = "".join(f'<itemref idref="{_identifier(name)}"/>' for name in pages)
    people = "".join(
        f"<dc:creator>{escape(it)}</dc:creator>" for it in about["authors"]
    )
    subjects = "".join(
        f"<dc:subject>{escape(it)}</dc:subject>" for it in about["keywords"]
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id"
xml:lang="{about["language"]}">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:identifier id="id">urn:uuid:{known}</dc:identifier>
<dc:title>{escape(about["title"])}</dc:title>{people}
<dc:language>{about["language"]}</dc:language>
<dc:rights>{escape(about["license"])}</dc:rights>
<dc:source>{about["address"]}</dc:source>{subjects}
<meta property="dcterms:modified">{about["date"]}T00:00:00Z</meta>
<meta property="schema:accessMode">textual</meta>
<meta property="schema:accessMode">visual</meta>
<meta property="schema:accessModeSufficient">textual</meta>
<meta property="schema:accessibilityFeature">alternativeText</meta>
<meta property="schema:accessibilityFeature">MathML</meta>
<meta property="schema:accessibilityFeature">tableOfContents</meta>
<meta property="schema:accessibilityHazard">none</meta>
<meta property="schema:accessibilitySummary">Pictures and formulas have words.</meta>
</metadata>
<manifest>{"".join(manifest)}</manifest>
<spine>{spine}</spine>
</package>
"""


def _identifier(name):
    return "f-" + re.sub(r"[^\w.-]", "-", name)


def _properties(content):
    """Return what a file has that a reader must know of."""
    if isinstance(content, bytes):
        return ""
    found = [
        kind for tag, kind in (("<math", "mathml"), ("<svg", "svg")) if tag in content
    ]
    return f' properties="{" ".join(found)}"' if found else ""


def write(path, parts, front, about, site):
    """Write the EPUB.

    Parameters
    ----------
    path : Path
        Where to.
    parts : list of (str, list of Page)
        The pages under the captions of the book, the last one with the solutions.
    front : str
        The cover, as HTML.
    about : dict
        As for the PDF.
    site : Path
        The built site, with its pictures.
    """
    pages = [made for _, inner in parts for made in inner]
    language, cover = about["language"], book.soup(front)
    pictures = dict.fromkeys(adapt(cover))
    texts = {
        "cover.xhtml": file(about["title"], cover, language),
        "contents.xhtml": file("Contents", navigation(parts), language),
    }
    for made in pages:
        pictures.update(dict.fromkeys(adapt(made.section)))
        body = f'<article id="{made.stem}">{made.section}</article>'
        texts[f"{made.stem}.xhtml"] = file(made.title, body, language)
    files = texts | {"style.css": style(site)}
    files |= {f"pictures/{Path(it).name}": (site / it).read_bytes() for it in pictures}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        # A reader knows the kind by the first file, which is not packed.
        first = zipfile.ZipInfo("mimetype", STAMP)
        packed.writestr(first, "application/epub+zip", zipfile.ZIP_STORED)
        inner = {"book/package.opf": package(about, files, list(texts))}
        inner |= {f"book/{name}": content for name, content in files.items()}
        for name, content in {"META-INF/container.xml": CONTAINER, **inner}.items():
            entry = zipfile.ZipInfo(name, STAMP)
            packed.writestr(entry, content, zipfile.ZIP_DEFLATED)
