"""Run the chapters, and keep their files in normal form.

``python -m tools.notebooks execute book/*.ipynb``
    run every cell in the exact environment and store the outputs
``python -m tools.notebooks normalize book/*.ipynb``
    remove what an editor added, without running anything
``python -m tools.notebooks check book/*.ipynb``
    change nothing, exit with 1 if a file is not in normal form
"""

import argparse
import re
import sys
from pathlib import Path

from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpecManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from tqdm import tqdm
from traitlets import default

from tools import drawing
from tools import normal_form as nb
from tools.exact_env import kernel_environment

# Figures are stored as pictures and as drawings; a reader's notebook makes pictures.
DRAWINGS = {"BNLIB_FIGURES": "drawings"}


class OwnKernelManager(AsyncKernelManager):
    """Start ``python3`` in this environment, whatever kernels the user registered."""

    @default("kernel_spec_manager")
    def _own_kernels_only(self):
        return KernelSpecManager(kernel_dirs=[])


def run(
    notebook,
    folder,
    on_cell=None,
    kernel_manager=OwnKernelManager,
    timeout=600,
    env=None,
):
    """Run all cells in place, in the exact environment.

    Parameters
    ----------
    notebook : NotebookNode
        Its outputs are replaced.
    folder : Path
        Working directory of the kernel.
    on_cell : callable, optional
        Called with ``cell`` and ``cell_index`` before each cell.
    kernel_manager : type
        What starts the kernel named in the notebook.
    timeout : float, default=600
        Seconds for one cell.
    env : dict, optional
        Another environment; by default the exact one.
    """
    client = NotebookClient(
        notebook,
        kernel_manager_class=kernel_manager,
        on_cell_start=on_cell,
        timeout=timeout,
        startup_timeout=120,
        record_timing=False,
        # Not a word on every start that the kernel talks to us over plain TCP.
        extra_arguments=["--log-level=40"],
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute(env=kernel_environment() if env is None else env)


def execute(path):
    """Run one chapter; write it only if all of it is right. Return the complaints."""
    notebook = nb.normalize(nb.read(path))
    current = notebook.cells[0]
    with _bar(len(notebook.cells), path.stem, position=1) as bar:

        def note(cell, cell_index):
            nonlocal current
            current = cell
            bar.update()

        try:
            run(notebook, path.parent, note, env=kernel_environment() | DRAWINGS)
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            text = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip()
            where = nb.place(notebook, current)
            return [f"{where} failed, the file stays as it was:\n{text}"]
    nb.normalize(notebook)
    drawing.store(notebook)
    complaints = nb.faults(notebook)
    if not complaints:
        nb.write(notebook, path)
    return complaints


def normalize(path):
    """Bring one file into normal form. Return what only a new run can mend."""
    notebook = nb.normalize(nb.read(path))
    if nb.dumps(notebook) != path.read_text(encoding="utf-8"):
        nb.write(notebook, path)
    return nb.faults(notebook)


def check(path):
    """Return why a file is not in normal form; change nothing."""
    notebook = nb.normalize(nb.read(path))
    complaints = nb.faults(notebook)
    if nb.dumps(notebook) != path.read_text(encoding="utf-8"):
        complaints.append(
            f"is not in normal form; run python -m tools.notebooks normalize {path}"
        )
    return complaints


def main(arguments=None):
    """Apply one of the three commands to each file; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.notebooks")
    commands = {f.__name__: f for f in (execute, normalize, check)}
    parser.add_argument("command", choices=commands)
    parser.add_argument("files", nargs="+", type=Path)
    options = parser.parse_args(arguments)
    for path in options.files:
        if not path.is_file():
            parser.error(f"no such file: {path}")
    complained = False
    for path in _bar(options.files, options.command):
        for complaint in commands[options.command](path):
            tqdm.write(f"{path}: {complaint}", file=sys.stderr)
            complained = True
    return int(complained)


def _bar(work, name, **settings):
    """Return a progress bar over things or over a number, silent where no one looks."""
    things, total = (None, work) if isinstance(work, int) else (work, len(work))
    return tqdm(
        things, total=total, desc=name, leave=False, disable=None, unit="", **settings
    )


if __name__ == "__main__":
    sys.exit(main())
