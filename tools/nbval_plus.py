"""Pytest plugin: nbval, strict where it is blind and patient where it need not be.

Loaded with ``-p tools.nbval_plus``, beside ``--nbval``. It touches notebooks only:

- outputs are compared by ``tools.compare``: numbers to the last printed place, figures
  by pixels (not with ``NBVAL_FIGURES=0``, for another matplotlib than the pinned one);
- a stored warning, and a cell that was never executed, are failures;
- kernels run in the exact environment, and a dead one is noticed within a second;
- with ``--colab`` each runs in a room of its own (``tools.colab``): an empty folder and
  an environment without bnlib, which the set-up cell of the first chapter of each
  worker has to install, and those of the others have to find;
- with ``-n auto`` a chapter stays on one worker, and the longest begin;
- a line per chapter says how long it ran.
"""

import atexit
import os
import re
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from queue import Empty

import nbval
import nbval.kernel
import nbval.plugin
import pytest

from tools import normal_form
from tools.compare import differences
from tools.exact_env import kernel_environment

if nbval.__version__ != "0.11.0":
    raise ImportError(
        "tools.nbval_plus changes the inside of nbval 0.11.0, "
        f"got {nbval.__version__}; install requirements.txt"
    )


class Cell(nbval.plugin.IPyNbCell):
    """A code cell that is compared by ``tools.compare``."""

    def runtest(self):
        """Run the cell, unless what is stored cannot be right."""
        if self.cell.execution_count is None and self.cell.source.strip():
            # nbval would run it and compare nothing.
            self.raise_cell_error("the cell was never executed; run make execute")
        for output in self.cell.outputs:
            if output.get("name") == "stderr":
                self.raise_cell_error("a warning is stored", output.text)
        super().runtest()

    def compare_outputs(self, test, ref, skip_compare=None):
        """Return whether both agree; nbval shows ``comparison_traceback`` if not."""
        figures = os.environ.get("NBVAL_FIGURES", "1") != "0"
        self.comparison_traceback = differences(ref, test, figures)
        return not self.comparison_traceback


def _collect(self, collect=nbval.plugin.IPyNbFile.collect):
    for item in collect(self):
        # nbval names its class inside super(), so replacing the class would recurse.
        item.__class__ = Cell
        yield item


_rooms = []  # the one in which the kernel of the present notebook runs
_package = None  # where bnlib is, once a set-up cell has installed it


def _set_up(self, start=nbval.plugin.IPyNbFile.setup):
    if self.config.option.colab:
        # It needs more than the weekly run of the chapters installs.
        from tools import colab

        _rooms.append(colab.Room(package=_package and Path(_package.name)))
    start(self)


def _tear_down(self, stop=nbval.plugin.IPyNbFile.teardown):
    global _package
    stop(self)
    if _rooms:
        room = _rooms.pop()
        if _package is None:
            folder = tempfile.TemporaryDirectory(prefix="bnlib-")
            atexit.register(folder.cleanup)
            if room.keep_package(Path(folder.name)):
                _package = folder
            else:
                folder.cleanup()
        room.close()


def _start_new_kernel(start=nbval.kernel.start_new_kernel, **kwargs):
    if not _rooms:
        return start(**kwargs | {"env": kernel_environment()})
    room = _rooms[-1]
    # nbval asks this name for the description of the kernel.
    nbval.kernel.NbvalKernelspecManager = room.kernel_specs
    there = {"kernel_name": "python3", "cwd": str(room.folder), "env": room.env}
    return start(**kwargs | there)


def _execute_cell_input(self, cell_input, allow_stdin=None):
    # Without a history IPython ignores the `;` that silences a result.
    return self.kc.execute(
        cell_input, store_history=True, allow_stdin=allow_stdin, stop_on_error=False
    )


def _await_reply(self, msg_id, timeout=None):
    """Wait as nbval does, but look once a second whether the kernel still lives."""
    end = time.monotonic() + (timeout or float("inf"))
    while True:
        try:
            msg = self.get_message(stream="shell", timeout=1)
        except Empty:
            if not self.km.is_alive():
                raise RuntimeError("the kernel died in this cell") from None
            if time.monotonic() > end:
                raise
            continue
        if msg["parent_header"].get("msg_id") == msg_id:
            return


nbval.plugin.IPyNbFile.collect = _collect
nbval.plugin.IPyNbFile.setup = _set_up
nbval.plugin.IPyNbFile.teardown = _tear_down
nbval.kernel.start_new_kernel = _start_new_kernel
nbval.kernel.RunningKernel.execute_cell_input = _execute_cell_input
nbval.kernel.RunningKernel.await_reply = _await_reply


def pytest_addoption(parser):
    """Add ``--colab``."""
    parser.addoption(
        "--colab",
        action="store_true",
        help="run each notebook in an empty folder, with bnlib's dependencies alone",
    )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Keep the cells of one notebook together when pytest-xdist spreads the tests."""
    from xdist.scheduler import LoadScopeScheduling

    if not config.option.nbval:
        return None
    config.option.loadscopereorder = False  # the order is that of the collection
    return LoadScopeScheduling(config, log)


def pytest_collection_modifyitems(config, items):
    """Begin with the longest chapters where several run at a time."""
    if config.option.nbval and hasattr(config, "workerinput"):
        times = {path: _expected(path) for path in {item.path for item in items}}
        items.sort(key=lambda item: times[item.path], reverse=True)


def _expected(path):
    """Return the seconds that a chapter names in its first cell, and its cells."""
    if path.suffix != ".ipynb":
        return 0, 0
    notebook = normal_form.read(path)
    named = re.search(r"(\d+) seconds to run", notebook.cells[0].source)
    return int(named[1]) if named else 0, len(notebook.cells)


def pytest_terminal_summary(terminalreporter):
    """Print how long each chapter ran: its cells, and starting its kernel."""
    cells, counts, starts = defaultdict(float), defaultdict(int), defaultdict(float)
    for report in _cell_reports(terminalreporter):
        chapter = Path(report.location[0]).stem
        if report.when == "call":
            cells[chapter] += report.duration
            counts[chapter] += 1
        elif report.when == "setup":
            starts[chapter] += report.duration
    if not counts:
        return
    terminalreporter.section("chapters")
    width = max(map(len, counts))
    for chapter in sorted(counts):
        terminalreporter.write_line(
            f"{chapter:{width}}  {cells[chapter]:5.1f} s  {counts[chapter]:3d} cells"
            f"  (kernel {starts[chapter]:.1f} s)"
        )


def _cell_reports(terminalreporter):
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "location", [""])[0].endswith(".ipynb"):
                yield report
