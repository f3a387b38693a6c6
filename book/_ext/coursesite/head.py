"""What a page says of itself to those who list it or share a link to it.

A description that ends with a sentence, the address of the page, the words and the
picture of a shared link, and for the whole site a list of its pages, a page for what is
not there, and a page at the root that says where to go.
"""

import html
import re
from pathlib import Path
from urllib.parse import urlsplit

from docutils import nodes

from .address import website
from .drawings import course_drawing

LONGEST = 200
SENTENCE = re.compile(r".*?[.?!:](?= |$)")
ROOT = "index.html"
RELATIVE = re.compile(r'((?:href|src|action)=")(?![a-z]+:|#|/)([^"]*)')


def description(doctree):
    """Return the first sentences of a page, as many as are short enough."""
    for paragraph in doctree.findall(nodes.paragraph):
        text = " ".join(paragraph.astext().split()).removeprefix("In this chapter. ")
        if len(text) > 20:
            return shorten(text)
    return ""


def shorten(text):
    """Cut a text after a sentence or, if the first one is too long, after a word."""
    kept = ""
    for sentence in SENTENCE.findall(text):
        if len(kept) + len(sentence) > LONGEST:
            break
        kept += sentence
    return kept.strip() or text[:LONGEST].rpartition(" ")[0] + " …"


def picture(doctree):
    """Return the file of the first picture of a cell, None without one."""
    drawn = doctree.findall(lambda it: isinstance(it, (nodes.image, course_drawing)))
    names = (Path(image["uri"]).name for image in drawn)
    return next((name for name in names if name.endswith(".png")), None)


# What pages are for that are made of no text of ours.
MADE = {
    "search": "Find a word, a question or a number in any section of the course.",
    "genindex": "All names of the reference, in the order of the alphabet.",
    "404": "There is no page at this address.",
}


def describe(app, pagename, templatename, context, doctree):
    if doctree is None:
        tag = meta("name", "description", MADE[pagename]) if pagename in MADE else ""
        context["metatags"] = (context.get("metatags") or "") + tag
        return
    base, text = website(app.config), description(doctree)
    title = app.env.titles[pagename].astext() if pagename in app.env.titles else ""
    tags = {"description": text} if text else {}
    shared = {"og:type": "article", "og:title": title, "og:description": text}
    shared["og:site_name"] = app.config.html_title
    if base:
        shared["og:url"] = f"{base}{pagename}.html"
        drawn = picture(doctree)
        shared["og:image"] = f"{base}_images/{drawn}" if drawn else None
    lines = [meta("name", *item) for item in tags.items()]
    lines += [meta("property", *item) for item in shared.items() if item[1]]
    context["metatags"] = (context.get("metatags") or "") + "".join(lines)


def meta(kind, name, content):
    return f'<meta {kind}="{name}" content="{html.escape(content)}">\n'


def collect(app):
    """Add the page that a server shows for an address that does not exist."""
    body = (
        "<h1>No such page</h1><p>The address may be of an earlier edition. The search "
        f'finds words, and <a href="{first(app)}">the first page</a> lists all '
        "chapters.</p>"
    )
    yield "404", {"title": "No such page", "body": body}, "page.html"


def first(app):
    return app.builder.get_target_uri(app.config.root_doc)


def list_pages(app, error):
    """Write what stands beside the pages: their list, the root, absolute addresses."""
    if error is not None or app.builder.format != "html":
        return
    outdir, base = Path(app.outdir), website(app.config)
    page = app.env.titles[app.config.root_doc].astext()
    if first(app) != ROOT:
        (outdir / ROOT).write_text(root(first(app), page, base), "utf8")
    missing = outdir / "404.html"
    if base:
        # It is shown for addresses of any depth, so its own must not be relative.
        missing.write_text(absolute(missing.read_text("utf8"), base), "utf8")
        urls = sorted(app.builder.get_target_uri(name) for name in app.env.found_docs)
        items = "".join(
            f"<url><loc>{base}{html.escape(url)}</loc></url>\n" for url in urls
        )
        space = "http://www.sitemaps.org/schemas/sitemap/0.9"
        text = f'<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="{space}">\n'
        (outdir / "sitemap.xml").write_text(f"{text}{items}</urlset>\n", "utf8")


def absolute(page, base):
    path = urlsplit(base).path
    return RELATIVE.sub(lambda found: f"{found[1]}{path}{found[2]}", page)


def root(there, title, base):
    """Return the page at the root: it leads on by itself, and by a link."""
    canonical = f'<link rel="canonical" href="{base}{there}">\n' if base else ""
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{html.escape(title)}</title>\n{canonical}"
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="refresh" content="0; url={there}">\n</head>\n'
        f'<body><p><a href="{there}">{html.escape(title)}</a></p></body>\n</html>\n'
    )


def setup(app):
    app.connect("html-page-context", describe)
    app.connect("html-collect-pages", collect)
    app.connect("build-finished", list_pages, priority=800)
