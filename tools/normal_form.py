"""Read and write notebooks, and the one normal form in which git keeps them."""

import hashlib
import os
import re
from pathlib import Path

import nbformat
from nbformat import v4

KERNELSPEC = {"display_name": "Python 3", "language": "python", "name": "python3"}
LANGUAGE = {"name": "python", "pygments_lexer": "ipython3"}
KEPT_CELL_METADATA = {
    "tags",
    "jupyter",
    "cellView",
    "exercise",
    "mystnb",
    "editable",
    "deletable",
    "slideshow",
}
# The size of a retina figure stands here; without it the site shows it twice as large.
KEPT_OUTPUT_METADATA = {"width", "height"}


def read(path):
    """Read a notebook as it is, without nbformat's repairs and warnings."""
    return v4.reads(Path(path).read_text(encoding="utf-8"))


def dumps(notebook):
    """Return the text of a notebook, the same for the same content."""
    return v4.writes(notebook).rstrip("\n") + "\n"


def write(notebook, path):
    """Write a notebook in one step: a crash leaves the old file or the new one."""
    path = Path(path)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(dumps(notebook), encoding="utf-8")
    draft.replace(path)


def tags(cell):
    """Return the tags of a cell."""
    return cell.metadata.get("tags", [])


def code_cells(notebook):
    """Return the code cells of a notebook."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def printed(cell):
    """Return what a code cell has printed, tables as text."""
    texts = []
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        if output.output_type == "stream" and output.name == "stdout":
            texts.append(output.text)
        elif any(kind.endswith("table+json") for kind in data):
            texts.append(data["text/plain"] + "\n")
    return "".join(texts)


def place(notebook, cell):
    """Name a cell so that one finds it: its number, counted from 1, and its id."""
    number = 1 + next(n for n, other in enumerate(notebook.cells) if other is cell)
    return f"cell {number} ({cell.get('id', 'no id')})"


def normalize(notebook):
    """Bring a notebook into normal form, in place, without running it.

    What an editor adds goes: versions, timings, collapsed states, cells without text.
    Sources, outputs and the ids of cells stay; counts become 1 to n, but a cell that
    was not executed keeps none, because nobody knows its output.
    """
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    notebook.metadata = nbformat.from_dict(
        {"kernelspec": KERNELSPEC, "language_info": LANGUAGE}
    )
    notebook.cells = [cell for cell in notebook.cells if cell.source.strip()]
    seen = set()
    for cell in notebook.cells:
        cell.source = cell.source.rstrip()
        cell["id"] = _identifier(cell, seen)
        cell.metadata = _kept(cell.metadata, KEPT_CELL_METADATA)
        if cell.cell_type != "code":
            cell.pop("outputs", None)
            cell.pop("execution_count", None)
    for count, cell in enumerate(code_cells(notebook), 1):
        if cell.execution_count is not None:
            cell.execution_count = count
        cell.outputs = _normal_outputs(cell.outputs, count)
    nbformat.validate(notebook)
    return notebook


def faults(notebook):
    """List what no normalizing can mend: each needs another code and a new run."""
    found = []
    for cell in code_cells(notebook):
        where = place(notebook, cell)
        if cell.execution_count is None and cell.source.strip():
            found.append(f"{where} was never executed; run make execute")
        for output in cell.outputs:
            if output.get("name") == "stderr":
                text = output.text.strip().splitlines()[-1:]
                found.append(f"{where} stores a warning, mend its cause: {text}")
            if output.output_type == "error":
                found.append(
                    f"{where} stores an error, {output.ename}: {output.evalue}; "
                    "mend it, or show it with try and print"
                )
    return found


def _identifier(cell, seen):
    """Keep an id, also where Colab hides it; make one where it is missing or double."""
    name = cell.metadata.get("id") or cell.get("id") or ""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name) or name in seen:
        text = f"{len(seen)} {cell.source}"
        name = hashlib.sha256(text.encode()).hexdigest()[:8]
    seen.add(name)
    return name


def _kept(metadata, names):
    return nbformat.from_dict(
        {k: v for k, v in metadata.items() if k in names and v not in ({}, [])}
    )


def _normal_outputs(outputs, count):
    """Merge the pieces of a stream, drop what differs from run to run."""
    normal = []
    for output in outputs:
        last = normal[-1] if normal else {}
        if output.output_type == "stream" and output.name == last.get("name"):
            last.text += output.text
            continue
        if output.output_type == "execute_result":
            output.execution_count = count
        if "metadata" in output:
            output.metadata = nbformat.from_dict(
                {
                    mime: _kept(about, KEPT_OUTPUT_METADATA)
                    for mime, about in output.metadata.items()
                    if mime in output.data and isinstance(about, dict)
                }
            )
        normal.append(output)
    return normal
