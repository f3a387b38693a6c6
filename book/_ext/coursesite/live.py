"""Cells that run on the page, by Python in the browser.

Where ``tools/pyodide.py`` has laid out Python, the cells that can run there get classes,
their pages a small script, and the site what the script loads after a click. Which can
run is read from the sources, nothing is imported: an exercise whose solution, check and
checker need only packages that are laid out, and all cells of a notebook whose imports
do. An exercise that needs more says where it runs. Without Python nothing of this
happens, and the site is complete as well.

=================  ================================================================
``live-starter``   the cells of an exercise that can be answered on the page, by
``live-check`` …   their roles in its metadata
``live-imports``   a cell of imports, from which an exercise takes what it needs
``live-cell``      a cell of a notebook that can be run as a whole
``live-torch``     among these, a cell that needs PyTorch and is skipped
=================  ================================================================

The script finds in its attributes where the rest is, relative to the page: ``data-live``
is a folder with a name made from its content, so that no cache mixes versions, and
``data-pyodide`` that of Python.
"""

import ast
import hashlib
import json
import shutil
import sys
import zipfile
from functools import cache
from pathlib import Path

from docutils import nodes
from sphinx.transforms import SphinxTransform

from .address import COLAB, repository

PYTHON = Path("live", "pyodide")
LOCK = "pyodide-lock.json"
# Sphinx copies none of these: "live" is excluded, in static folders as well.
PACKAGES = {"bnlib": Path(), "bnlive": Path("live")}  # what Python imports, and whence
SCRIPTS = Path("book", "_static", "live")
TARGET = Path("_static", "live")
STAMP = (2020, 1, 1, 0, 0, 0)  # the same bytes from every build
WORDS = {"torch": "PyTorch"}
KEPT = ("book/exercises", "book/your-data")  # pages that show what the browser keeps

# The theme and KaTeX have scripts and styles in the page itself; Python is WebAssembly.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; "
    "base-uri 'none'"
)


# --- what a piece of code needs -------------------------------------------------------


class Sources:
    """The modules of a book's own package, read and never imported."""

    def __init__(self, root, packages):
        self.root = Path(root)
        self.known = {*sys.stdlib_module_names, *PACKAGES, *packages}
        self.tree = cache(self.tree)
        self.lacks = cache(self.lacks)

    def path(self, module):
        """Return the file of a module of ours, None if it is none."""
        base = self.root.joinpath(*module.split("."))
        files = base / "__init__.py", base.with_suffix(".py")
        return next((file for file in files if file.is_file()), None)

    def tree(self, module):
        return ast.parse(self.path(module).read_text("utf8"))

    def lacks(self, module):
        """Return the packages that importing a module needs and a browser lacks."""
        found, todo = set(), [module]
        while todo:
            name = todo.pop()
            if name in found:
                continue
            found.add(name)
            if name.partition(".")[0] in PACKAGES:
                todo.append(parent(name) or name)
            if self.path(name) is not None:
                is_package = self.path(name).stem == "__init__"
                package = name if is_package else parent(name)
                todo += [it for it, _ in imported(self.tree(name).body, package)]
        return frozenset({name.partition(".")[0] for name in found} - self.known)

    def names(self, body):
        """Return ``{name: packages that a browser lacks for it}`` of imports."""
        found = {}
        for module, name in imported(body):
            found[name] = found.get(name, frozenset()) | self.lacks(module)
        return {name: lacking for name, lacking in found.items() if lacking}

    @property
    @cache  # noqa: B019  (one object for each build)
    def exercises(self):
        """Return what the checkers lack: {name of an exercise: packages}."""
        found = {}
        for path in sorted((self.root / "bnlib" / "exercises").glob("*.py")):
            body = ast.parse(path.read_text("utf8")).body
            defined = definitions(body)
            for node in body:
                name = named(node)
                if name is not None:
                    parts = reached(node, defined)
                    found[name] = {
                        package
                        for part in parts
                        for module, _ in imported(ast.walk(part), "bnlib.exercises")
                        for package in self.lacks(module)
                    }
        return found


def parent(module):
    return module.rpartition(".")[0]


def imported(statements, package=""):
    """Yield ``(module, name)`` for what statements import; guarded ones do not count."""
    for node in statements:
        if isinstance(node, ast.Import):
            for alias in node.names:
                name = alias.asname or alias.name.partition(".")[0]
                yield alias.name, name
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join(parts if node.level else [])
            module = ".".join(filter(None, [base, node.module]))
            for alias in node.names:
                yield f"{module}.{alias.name}", alias.asname or alias.name


def definitions(body):
    """Return the statements of a module that define each name."""
    found = {}
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found[node.name] = node
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                for name in ast.walk(target):
                    if isinstance(name, ast.Name):
                        found[name.id] = node
    return found


def named(node):
    """Return the name of the exercise that a statement defines, None if it is none."""
    if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Call):
        return None
    given = {it.arg: it.value for it in node.value.keywords}
    name = given.get("name")
    return name.value if isinstance(name, ast.Constant) and "number" in given else None


def reached(start, defined):
    """Return a statement and all definitions that it leads to."""
    found, todo = [], [start]
    while todo:
        node = todo.pop()
        if node not in found:
            found.append(node)
            names = {it.id for it in ast.walk(node) if isinstance(it, ast.Name)}
            todo += [defined[name] for name in names if name in defined]
    return found


def uses(tree):
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


# --- the cells of a page --------------------------------------------------------------


def source(cell):
    """Return the code of a cell."""
    return next((b.astext() for b in cell.findall(nodes.literal_block)), "")


def code_cells(document):
    """Return the cells of a notebook that the page shows."""
    return [
        cell
        for cell in document.findall(nodes.container)
        if cell.get("nb_element") == "cell_code"
        and "remove-cell" not in cell["classes"]
    ]


def about(cell):
    """Return the metadata of the exercise that a cell belongs to, {} without."""
    return cell.get("cell_metadata", {}).get("exercise", {})


def tagged(cell, tag):
    return tag in cell.get("cell_metadata", {}).get("tags", ())


def lacking(cells, sources):
    """Return what a browser lacks for each exercise: {name: packages}."""
    trees = {id(cell): ast.parse(source(cell)) for cell in cells}
    known = sources.names([s for tree in trees.values() for s in tree.body])
    found = {}
    for cell in cells:
        name = about(cell).get("name")
        if name is not None:
            used = uses(trees[id(cell)])
            packages = {p for n in used & known.keys() for p in known[n]}
            found.setdefault(name, set(sources.exercises.get(name, ())))
            found[name] |= packages
    return found


class MarkLiveCells(SphinxTransform):
    """Give classes to exercises and, in notebooks that can be run, to all cells."""

    default_priority = 210

    def apply(self, **kwargs):
        sources = self.app.course_live
        cells = code_cells(self.document)
        if sources is None or not cells:
            return
        missing = lacking(cells, sources)
        trees = {id(cell): ast.parse(source(cell)) for cell in cells}
        whole = not sources.names([s for tree in trees.values() for s in tree.body])
        for cell in cells:
            exercise = about(cell)
            if exercise and not missing[exercise["name"]]:
                cell["classes"].append(f"live-{exercise['role']}")
            elif exercise.get("role") == "starter":
                self.send_elsewhere(cell, missing[exercise["name"]])
            elif whole and not exercise:
                cell["classes"].append("live-cell")
                if tagged(cell, "torch"):
                    cell["classes"].append("live-torch")
            if tagged(cell, "imports"):
                cell["classes"].append("live-imports")

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
    """Return the scripts and styles, by their names."""
    folder = root / SCRIPTS
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.*"))}


def folder_name(root):
    """Return the name of the folder for all that changes with the course."""
    digest = hashlib.sha256()
    for name, content in [*packed(root), *scripts(root).items()]:
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
    for name in manifest["files"]:
        shutil.copyfile(root / PYTHON / name, python / name)
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    print(f"Python for the pages: {size / 1e6:.1f} MB of the site, after a click")


def setup(app):
    app.add_transform(MarkLiveCells)
    app.connect("builder-inited", begin)
    app.connect("html-page-context", add_script)
    app.connect("build-finished", publish)
