"""Run the notebooks with other versions, threads and instruction sets.

``python -m tools.matrix`` makes one environment after the other, runs every notebook in
it, and writes what came out to ``tests/matrix.md``. A row that gives versions installs
what a reader would: the dependencies of pyproject.toml, oldest or newest, and a kernel.
The other rows run in the environment of the tests.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import tomllib
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpecManager
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from traitlets import default

from tools import normal_form as nb
from tools.compare import differences
from tools.exact_env import kernel_environment
from tools.notebooks import OwnKernelManager, run
from tools.stamp_address import notebooks

ROOT = Path(__file__).parents[1]
TABLE = ROOT / "tests" / "matrix.md"
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
SHOWN = ("numpy", "torch", "matplotlib")
KERNEL = "ipykernel"
# Versions: https://github.com/googlecolab/backend-info
COLAB = (
    "numpy==2.1.3",
    "torch==2.11.0",
    "matplotlib==3.10.0",
    "ipykernel==6.17.1",
    "ipython==7.34.0",
)
HEADER = """\
# What runs where

Made by `make matrix`, row by row.

- ✔: everything that the notebook prints is as stored, up to the last printed digit.
- ≈ n: it runs and every claim holds, but n cells print or draw something else.
- ✘: a cell fails, or a claim is missing.
- A dash: not run.

Rows with versions compare text only: other versions of matplotlib set the text in
figures differently. So do rows with instruction sets: training in float32 is chaotic,
and a dot of a figure moves where the numbers that are printed hold. Rows with threads
compare figures, too; `threads-1` and `aten-avx2` are how the outputs were stored.
`seeds-100` runs the chapters with the seeds 100 to 104 in place of 0 to 4: all numbers
differ, and every claim must hold.

"""


@dataclass(frozen=True)
class Row:
    """One line of the table: a Python with versions, changed variables, or seeds."""

    python: str = ""
    resolution: str = "highest"
    pins: tuple = ()
    variables: dict = field(default_factory=dict)
    first_seed: int = 0
    figures: bool = False  # whether their pixels are compared, too


def _threads(number):
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return Row(variables=dict.fromkeys(names, str(number)), figures=True)


ROWS = {
    **{f"{python}-oldest": Row(python, "lowest-direct") for python in PYTHONS},
    **{f"{python}-newest": Row(python) for python in PYTHONS},
    "colab": Row("3.13", pins=COLAB),
    "threads-1": _threads(1),
    "threads-2": _threads(2),
    "aten-default": Row(variables={"ATEN_CPU_CAPABILITY": "default"}),
    "aten-avx2": Row(variables={"ATEN_CPU_CAPABILITY": "avx2"}),
    "seeds-100": Row(first_seed=100),
}


def main(arguments=None):
    """Run the chosen rows; return 1 if a notebook failed anywhere."""
    parser = argparse.ArgumentParser(prog="python -m tools.matrix")
    parser.add_argument("--rows", nargs="*", choices=[*ROWS, "all"], metavar="ROW")
    parser.add_argument("--chapters", nargs="*", default=[], metavar="01")
    options = parser.parse_args(arguments)
    rows = [row for row in options.rows or ["all"] if row != "all"] or list(ROWS)
    chosen = tuple(options.chapters)
    paths = [path for path in notebooks() if path.stem.startswith(chosen or "")]
    if not paths:
        known = ", ".join(path.stem for path in notebooks())
        parser.error(f"--chapters must begin like one of {known}, got {chosen}")
    failed = False
    for name in rows:
        try:
            result = run_row(name, ROWS[name], paths)
        except RuntimeError as error:
            print(error, file=sys.stderr)
            failed = True
            continue
        write(merged(read(), name, result))
        failed |= any(value.startswith("✘") for value in result.values())
    return int(failed)


def run_row(name, row, paths):
    """Run notebooks under the conditions of one row; return its cells by heading.

    Raises
    ------
    RuntimeError
        If its Python or its packages cannot be installed; what is stored then stays.
    """
    with tempfile.TemporaryDirectory() as folder:
        print(f"{name} ...", file=sys.stderr)
        try:
            python = install(row, Path(folder)) if row.python else sys.executable
        except subprocess.CalledProcessError as error:
            raise RuntimeError(
                f"{error.stderr}\n{name}: Python {row.python} and its packages must be "
                "found or fetched, got the error above; put that Python on the PATH. "
                "The row stays as it is"
            ) from error
        manager = kernels_of(python, Path(folder)) if row.python else OwnKernelManager
        result = versions(python)
        for path in paths:
            result[path.stem], said = verdict(path, manager, row)
            print(f"{name} {path.stem} {result[path.stem]} {said}", file=sys.stderr)
    return result


def install(row, folder):
    """Make the environment of a row with uv; return its Python.

    Only wheels: what has to be compiled is not what a reader installs.
    """
    python = str(folder / "venv" / "bin" / "python")
    uv = [sys.executable, "-m", "uv", "--quiet", "--no-cache"]
    _call(*uv, "venv", "--python", row.python, str(folder / "venv"))
    pip = [*uv, "pip", "install", "--python", python, "--no-build"]
    chosen = ["--resolution", row.resolution]
    index = os.environ.get("TORCH_INDEX")
    if index:  # first and alone, as in the Makefile: what is there already stays
        torch = [pin for pin in row.pins if pin.startswith("torch==")] or torch_extra()
        _call(*pip, *chosen, "--default-index", index, *torch)
    _call(*pip, *chosen, "-r", "pyproject.toml", "--extra", "torch", *row.pins)
    _call(*pip, KERNEL, *row.pins)
    return python


def torch_extra():
    """Return what pyproject.toml asks for in its extra ``torch``."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)["project"]["optional-dependencies"]["torch"]


def versions(python):
    """Return the versions of Python and of what the chapters compute with."""
    code = (
        "import platform, json, importlib.metadata as m; print(json.dumps("
        f"[platform.python_version(), *map(m.version, {SHOWN!r})]))"
    )
    found = json.loads(_call(python, "-c", code))
    return dict(zip(("Python", *SHOWN), found, strict=True))


def kernels_of(python, folder):
    """Return a kernel manager whose ``python3`` is another Python."""
    (folder / "kernels" / "python3").mkdir(parents=True)
    argv = [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    about = {"argv": argv, "display_name": "Python 3", "language": "python"}
    target = folder / "kernels" / "python3" / "kernel.json"
    target.write_text(json.dumps(about), encoding="utf-8")

    class KernelManager(AsyncKernelManager):
        @default("kernel_spec_manager")
        def _that_one(self):
            return KernelSpecManager(
                kernel_dirs=[str(folder / "kernels")], ensure_native_kernel=False
            )

    return KernelManager


def verdict(path, kernel_manager, row):
    """Run one notebook; return its sign for the table and what there is to say."""
    stored, computed = nb.read(path), with_seeds(nb.read(path), row.first_seed)
    env = kernel_environment() | row.variables
    env.pop("PYTHONPATH", None)  # the set-up cell finds the clone
    try:
        run(computed, path.parent, kernel_manager=kernel_manager, env=env)
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        return "✘", re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip()
    return judge(stored, nb.normalize(computed), row.figures)


def with_seeds(notebook, first):
    """Return the notebook with seeds that begin at ``first`` where it has 0 to 4."""
    if first:
        for cell in nb.code_cells(notebook):
            seeds = f"range({first}, {first + 5})"
            cell.source = re.sub(r"\brange\(5\)", seeds, cell.source)
    return notebook


def judge(stored, computed, figures):
    """Compare a notebook's outputs with the stored ones: a sign, and the reasons."""
    was, now = claimed(stored), claimed(computed)
    if was != now:
        return "✘", f"claims {sorted(was ^ now)} are in one of the two only"
    pairs = zip(stored.cells, computed.cells, strict=True)
    found = [
        f"{nb.place(stored, old)}: {reason}"
        for old, new in pairs
        if old.cell_type == "code"
        for reason in differences(old.outputs, new.outputs, figures)[:1]
    ]
    return (f"≈ {len(found)}", "\n".join(found)) if found else ("✔", "")


def claimed(notebook):
    """Return the claims that hold in a notebook, by their identifiers."""
    printed = "".join(
        output.text
        for cell in nb.code_cells(notebook)
        for output in cell.outputs
        if output.get("name") == "stdout"
    )
    return set(re.findall(r"^✔ ([A-Z]\d+[.\w-]*) · ", printed, re.MULTILINE))


def read(path=TABLE):
    """Return the table of a file: {row: {heading: cell}}."""
    if not path.is_file():
        return {}
    lines = path.read_text(encoding="utf-8").splitlines()
    table = [line for line in lines if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
    if not cells:
        return {}
    (_, *heading), *rows = cells
    return {name: dict(zip(heading, values, strict=True)) for name, *values in rows}


def merged(table, name, result):
    """Return the table with one row renewed; other versions make the row begin anew."""
    kept = table.get(name, {})
    if any(kept.get(key) != result.get(key) for key in ("Python", *SHOWN)):
        kept = {}
    return {**table, name: {**kept, **result}}


def write(table, path=TABLE):
    """Write the table, its rows and columns in the order of this file."""
    heading = ["Python", *SHOWN, *(path.stem for path in notebooks())]
    lines = [
        "| " + " | ".join(["row", *heading]) + " |",
        "|---" * len(heading) + "|---|",
    ]
    for name in ROWS:
        if name in table:
            cells = [table[name].get(key, "–") for key in heading]
            lines.append("| " + " | ".join([name, *cells]) + " |")
    path.write_text(HEADER + "\n".join(lines) + "\n", encoding="utf-8")


def _call(*command):
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
