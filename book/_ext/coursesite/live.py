"""Cells that run on the page, by Python in the browser.

Where ``tools/pyodide.py`` has laid out Python, cells that can run there get classes,
their pages a small script, and the site what the script loads after a click. Which can
run is read from the sources (:mod:`.needs`): an exercise whose cells and checker need
only what is laid out, and all cells of a notebook that imports nothing else. An
exercise that needs more says where it runs. Without Python nothing of this happens.

================= ==================================================================
``live-starter``  the cells of an exercise that can be answered on the page, each by
``live-check`` …  its role
``live-imports``  a cell of imports, from which an exercise takes what it needs
``live-cell``     a cell of a notebook that can be run as a whole
``live-torch``    such a cell that compares with PyTorch, and has nothing to do here
================= ==================================================================

The script finds in its attributes where the rest is, relative to the page:
``data-live`` is a folder named by its content, so that no cache mixes versions, and
``data-pyodide`` that of Python.
"""

import hashlib
import json
import shutil
import zipfile
from pathlib import Path

from docutils import nodes
from sphinx.transforms import SphinxTransform

from .address import COLAB, repository
from .needs import PACKAGES, Sources

PYTHON = Path("live", "pyodide")
LOCK = "pyodide-lock.json"
# Sphinx copies none of these: "live" is excluded, in static folders as well.
SCRIPTS = Path("book", "_static", "live")
TARGET = Path("_static", "live")
STAMP = (2020, 1, 1, 0, 0, 0)  # the same bytes from every build
WORDS = {"torch": "PyTorch"}
KEPT = ("book/exercises", "book/your-data")  # pages that show what the browser keeps

# The button that runs a page stands in it from the beginning, so that nothing moves
# when the script makes it work; without scripts it is hidden.
PLACE = (
    '<div class="live-place pst-js-only">'
    '<button type="button" class="live-run" disabled>Run this page</button>'
    '<span class="live-solved"></span><span class="live-help">Runs in your browser: '
    "loads Python once (about 20 MB) and sends nothing. It is two to four times slower "
    "there than in Colab.</span></div>\n"
)
# The theme and KaTeX have scripts and styles in the page itself; Python is WebAssembly.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; "
    "base-uri 'none'"
)


# --- the cells of a page --------------------------------------------------------------


def source(cell):
    """Return the code of a cell, which may stand behind its outputs."""
    parts = cell.findall(lambda node: is_part(node, "cell_code_source"))
    blocks = (b for part in parts for b in part.findall(nodes.literal_block))
    return next((block.astext() for block in blocks), "")


def is_part(node, kind):
    return isinstance(node, nodes.container) and node.get("nb_element") == kind


def code_cells(document):
    """Return the cells of a notebook that the page shows."""
    return [
        cell
        for cell in document.findall(nodes.container)
        if is_part(cell, "cell_code") and "remove-cell" not in cell["classes"]
    ]


def about(cell):
    """Return the metadata of the exercise that a cell belongs to, {} without."""
    return cell.get("cell_metadata", {}).get("exercise", {})


def tagged(cell, tag):
    return tag in cell.get("cell_metadata", {}).get("tags", ())


class MarkLiveCells(SphinxTransform):
    """Give classes to exercises and, in notebooks that can be run, to all cells."""

    default_priority = 210

    def apply(self, **kwargs):
        sources = self.app.course_live
        cells = code_cells(self.document)
        if sources is None or not cells:
            return
        pairs = [(source(cell), about(cell).get("name")) for cell in cells]
        missing, rest = sources.notebook(pairs)
        for cell in cells:
            exercise = about(cell)
            packages = missing.get(exercise.get("name"))
            if exercise and not packages:
                cell["classes"].append(f"live-{exercise['role']}")
            elif exercise.get("role") == "starter":
                self.send_elsewhere(cell, packages)
            elif not exercise and not rest:
                torch = ["live-torch"] if tagged(cell, "torch") else []
                cell["classes"] += ["live-cell", *torch]
        if can_run(self.document):
            for cell in cells:
                if tagged(cell, "imports"):
                    cell["classes"].append("live-imports")
        if any("live-cell" in cell["classes"] for cell in cells):
            self.make_place()

    def make_place(self):
        """Put the button below the box that opens the page, or below its title."""
        boxes = self.document.findall(nodes.container)
        box = next((b for b in boxes if "callout" in b["classes"]), None)
        before = box or self.document.next_node(nodes.title)
        place = nodes.raw("", PLACE, format="html")
        before.parent.insert(before.parent.index(before) + 1, place)

    def send_elsewhere(self, cell, packages):
        """Say below an exercise where it runs."""
        what = " and ".join(WORDS.get(name, name) for name in sorted(packages))
        text = f"This exercise needs {what}, which does not run in a browser"
        line = nodes.paragraph("", text, classes=["live-elsewhere"])
        found = repository(self.config)
        if found:
            name, branch = found
            address = f"{COLAB}/{name}/blob/{branch}/{self.env.docname}.ipynb"
            line += [
                nodes.Text(": "),
                nodes.reference("", "Colab runs it", refuri=address, internal=False),
            ]
        line += nodes.Text(".")
        cell.parent.insert(cell.parent.index(cell) + 1, line)


# --- what is published ----------------------------------------------------------------


def packed(root):
    """Return what Python imports, as ``[(name in the archive, content)]``."""
    return [
        (path.relative_to(root / folder).as_posix(), path.read_bytes())
        for package, folder in PACKAGES.items()
        for path in sorted((root / folder / package).rglob("*"))
        if path.is_file() and not {"__pycache__", ".DS_Store"} & {*path.parts}
    ]


def scripts(root):
    """Return the scripts, styles and their license, by their names."""
    folder = root / SCRIPTS
    paths = sorted(path for path in folder.glob("[!.]*") if path.is_file())
    return {path.name: path.read_bytes() for path in paths}


def folder_name(root):
    """Return the name of the folder for all that changes with the course."""
    digest = hashlib.sha256()
    files = {**dict(packed(root)), **scripts(root)}
    for path in sorted(root.glob("book/*.ipynb")):  # exercises.json is made from them
        files[path.name] = path.read_bytes()
    for name, content in files.items():
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:12]


def begin(app):
    """See whether Python is there, and what it brings."""
    app.course_live = None
    lock = Path(app.srcdir) / PYTHON / LOCK
    if app.builder.format != "html" or not lock.is_file():
        return
    lock = json.loads(lock.read_text("utf8"))
    packages = {top for it in lock["packages"].values() for top in it["imports"]}
    app.course_live = Sources(app.srcdir, packages)
    pins = json.loads(Path(app.srcdir, "live", "pins.json").read_text("utf8"))
    app.course_live.python = f"pyodide-{pins['pyodide']}"
    app.course_live.folder = folder_name(Path(app.srcdir))


def add_script(app, pagename, templatename, context, doctree):
    """Give a page its policy and, where it has live cells, the script."""
    if app.course_live is None:
        return
    tag = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
    context["metatags"] = tag + (context.get("metatags") or "")
    if pagename not in KEPT and not can_run(doctree):
        return
    where = {
        "data-live": app.course_live.folder,
        "data-pyodide": app.course_live.python,
    }
    places = {
        name: context["pathto"](f"{TARGET.as_posix()}/{folder}/", resource=True)
        for name, folder in where.items()
    }
    script = f"live/{app.course_live.folder}/live.js"
    app.add_js_file(script, loading_method="defer", **places)


def can_run(doctree):
    """Tell whether a page has cells that can be run."""
    return doctree is not None and any(
        name in ("live-starter", "live-cell")
        for node in doctree.findall(nodes.container)
        for name in node["classes"]
    )


def publish(app, error):
    """Copy what the pages load after a click, and say how large it is."""
    if error is not None or app.course_live is None:
        return
    target = Path(app.outdir) / TARGET
    root = Path(app.srcdir)
    folder = target / app.course_live.folder
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in scripts(root).items():
        (folder / name).write_bytes(content)
    with zipfile.ZipFile(folder / "bnlib.zip", "w") as archive:
        for name, content in packed(root):
            entry = zipfile.ZipInfo(name, STAMP)
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    python = target / app.course_live.python
    python.mkdir(exist_ok=True)
    manifest = json.loads((root / PYTHON / "files.json").read_text("utf8"))
    for name in manifest:
        shutil.copyfile(root / PYTHON / name, python / name)
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    print(f"Python for the pages: {size / 1e6:.1f} MB of the site, after a click")


def setup(app):
    app.add_transform(MarkLiveCells)
    app.connect("builder-inited", begin)
    app.connect("html-page-context", add_script)
    app.connect("build-finished", publish)
