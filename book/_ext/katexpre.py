"""Render the formulas with KaTeX while the site is built.

The pages then need no script to show them: each formula is HTML to look at and MathML
for screen readers. One call of ``node`` serves a page; its results are kept beside the
doctrees, and a formula that KaTeX rejects is a Sphinx warning with its place.
"""

import hashlib
import json
import subprocess
from pathlib import Path

from docutils import nodes
from sphinx.errors import ExtensionError
from sphinx.util import logging

HERE = Path(__file__).parent
KATEX = HERE / "katex" / "katex.min.js"
BATCH = HERE / "katex_batch.js"
NO_NODE = (
    "node is needed for the formulas: install Node.js (https://nodejs.org, or "
    "`apt install nodejs`) so that the command `node` is found, then build again"
)
MATH_NODES = (nodes.math, nodes.math_block)

log = logging.getLogger(__name__)


def is_math(node):
    return isinstance(node, MATH_NODES)


def formula_key(node):
    """Name a formula by its text and its style."""
    style = "block" if isinstance(node, nodes.math_block) else "inline"
    return hashlib.sha256(f"{style}\0{node.astext()}".encode()).hexdigest()[:24]


def run_katex(formulas):
    """Render a list of ``(tex, is_block)`` to a list of ``(html, error or None)``."""
    command = ["node", str(BATCH), str(KATEX)]
    options = {"capture_output": True, "encoding": "utf8", "timeout": 120}
    try:
        done = subprocess.run(command, input=json.dumps(formulas), **options)
    except FileNotFoundError as error:
        raise ExtensionError(NO_NODE) from error
    if done.returncode:
        raise ExtensionError(f"KaTeX could not be run: {done.stderr[-500:]}")
    return json.loads(done.stdout)


def cache_path(app):
    """Return where this version of KaTeX keeps its results."""
    version = hashlib.sha256(KATEX.read_bytes() + BATCH.read_bytes()).hexdigest()[:12]
    return Path(app.doctreedir) / f"katex-{version}.json"


def load_cache(app):
    path = cache_path(app)
    app.katex_html = json.loads(path.read_text("utf8")) if path.is_file() else {}
    app.katex_rejected = set()


def save_cache(app, error):
    """Keep what was rendered; what was rejected is tried, and reported, again."""
    if error is None and hasattr(app, "katex_html"):
        good = {k: v for k, v in app.katex_html.items() if k not in app.katex_rejected}
        cache_path(app).write_text(json.dumps(good), "utf8")


def render_page(app, doctree, docname):
    """Render the formulas of one page that the cache does not know."""
    if app.builder.format != "html":
        return
    found = {formula_key(node): node for node in doctree.findall(is_math)}
    todo = {key: node for key, node in found.items() if key not in app.katex_html}
    if not todo:
        return
    formulas = [(n.astext(), isinstance(n, nodes.math_block)) for n in todo.values()]
    rendered = run_katex(formulas)
    for (key, node), (html, error) in zip(todo.items(), rendered, strict=True):
        app.katex_html[key] = html
        if error:
            app.katex_rejected.add(key)
            shown = " ".join(node.astext().split())[:80]
            place = node if node.line else docname
            log.warning("%s in %r", error, shown, location=place, type="katexpre")


def visit_math(translator, node):
    html = translator.builder.app.katex_html[formula_key(node)]
    start = translator.starttag(node, "span", "", CLASS="math notranslate nohighlight")
    translator.body.append(f"{start}{html}</span>")
    raise nodes.SkipNode


def visit_math_block(translator, node):
    """Write a block that the keyboard can scroll where it is too wide."""
    html = translator.builder.app.katex_html[formula_key(node)]
    classes = "math notranslate nohighlight"
    start = translator.starttag(node, "div", "", CLASS=classes, tabindex="0")
    translator.body.append(f"{start}{html}</div>\n")
    raise nodes.SkipNode


def add_stylesheet(app, pagename, templatename, context, doctree):
    """Load the stylesheet on the pages that have formulas."""
    if doctree is not None and doctree.next_node(is_math) is not None:
        app.add_css_file("katex/katex.min.css")


def setup(app):
    app.add_html_math_renderer("katexpre", (visit_math, None), (visit_math_block, None))
    app.connect("builder-inited", load_cache)
    app.connect("doctree-resolved", render_page, priority=900)
    app.connect("html-page-context", add_stylesheet)
    app.connect("build-finished", save_cache)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": False}
