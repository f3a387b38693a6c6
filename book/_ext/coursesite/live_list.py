"""The list of all exercises, for the pages that show what a browser has kept.

``exercises.json`` stands beside the scripts. Of each exercise it has the name, number,
title and address, the starter, the check, and what each name of the imports of its
notebook stands for; and once the set-up cell, for a notebook of answers.
"""

import ast
import json
import re
from pathlib import Path

HEADING = re.compile(r"### Exercise (\S+) · (.*)")
FILE = "exercises.json"


def listed(root, docnames):
    """Return the content of the list.

    Parameters
    ----------
    root : str or Path
        Folder of the sources.
    docnames : iterable of str
        The pages; those that are no notebooks have no exercises.

    Returns
    -------
    dict
        ``"setup"``, the source of the set-up cell, and ``"exercises"``, a list in the
        order of the names.
    """
    found, setup = [], ""
    for name in docnames:
        path = Path(root, f"{name}.ipynb")
        if not path.is_file():
            continue
        cells = json.loads(path.read_text("utf8"))["cells"]
        setup = setup or "".join(tagged(cells, "setup"))
        imports = pairs("\n".join(tagged(cells, "imports")))
        found += [
            exercise | {"imports": imports} for exercise in exercises(name, cells)
        ]
    return {"setup": setup, "exercises": found}


def tagged(cells, tag):
    """Return the sources of the cells with a tag."""
    return [source(c) for c in cells if tag in c["metadata"].get("tags", ())]


def source(cell):
    return "".join(cell["source"])


def exercises(docname, cells):
    """Yield the exercises of a notebook."""
    parts = {}
    for cell in cells:
        about = cell["metadata"].get("exercise")
        if about:
            parts.setdefault(about["name"], {})[about["role"]] = source(cell)
    for name, part in parts.items():
        heading = HEADING.search(part.get("task", ""))
        if heading is None or not {"starter", "check"} <= part.keys():
            continue  # not one that a page could keep an answer to
        number, title = heading.groups()
        anchor = f"exercise-{number.lower().replace('.', '-')}"
        yield {
            "name": name,
            "number": number,
            "title": title,
            "address": f"{docname}.html#{anchor}",
            "starter": part["starter"],
            "check": part["check"],
        }


def pairs(code):
    """Return ``[name, statement that imports it]`` for a cell of imports."""
    return [
        [alias.asname or alias.name.partition(".")[0], ast.unparse(alone(node, alias))]
        for node in ast.parse(code).body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    ]


def alone(node, alias):
    """Return an import statement with one of its names."""
    if isinstance(node, ast.Import):
        return ast.Import([alias])
    return ast.ImportFrom(node.module, [alias], node.level)


def write(app, error):
    """Put the list beside the scripts, where the pages can run."""
    if error is not None or app.course_live is None:
        return
    folder = Path(app.outdir, "_static", "live", app.course_live.folder)
    content = json.dumps(
        listed(app.srcdir, sorted(app.env.found_docs)), ensure_ascii=False
    )
    (folder / FILE).write_text(content, "utf8")


def setup(app):
    app.connect("build-finished", write, priority=600)  # after the folder is made
