"""Runs cells as a notebook does, and answers to exercises, each by itself."""

import ast
import builtins
import json
import logging
import sys
import traceback
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from importlib import import_module

from pyodide.code import CodeRunner

from bnlib.exercises import get
from bnlib.exercises.engine import progress
from bnlive.names import bound, bound_by, imports_for  # noqa: F401  (for worker.mjs)
from bnlive.output import Stream

# What every answer may use, whatever its chapter imports.
ALWAYS = "from bnlib import case, check, hint, progress"
ANSWER, CHECK = "your answer", "the check"
ABSENT = "PyTorch, which does not run in a browser"

# Matplotlib's list of fonts in the browser is of another version; to make it anew takes
# a second, and a message about it is nothing that a reader has to know.
logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)

# Where the running cell's figures go.
screen = None


def judge(imports, answer, check, solved, send):
    """Run an answer and its check in a namespace of their own.

    Parameters
    ----------
    imports, answer, check : str
        The statements that the answer needs, the answer, and the cell that checks it.
    solved : list of str
        Exercises that this browser has kept as solved.
    send : callable
        Gets ``("text", ...)``, ``("figure", ...)`` and, for exercises that are solved
        now and were not before, ``("solved", JSON)``: name, number and title of each.

    Returns
    -------
    str
        ``"ok"`` or ``"error"``: whether everything ran, not what the verdict is.
    """
    progress.restore(solved)
    space, went = {"__name__": "__main__"}, "ok"
    with _output(send):
        try:
            for code, name in (
                (f"{ALWAYS}\n{imports}", "imports"),
                (answer, ANSWER),
                (check, CHECK),
            ):
                _show(CodeRunner(code, filename=name).compile().run(space))
        except BaseException as error:
            went = "error"
            print(_told(error, {ANSWER, CHECK}), end="")
    new = [get(name) for name in sorted(progress.solved() - set(solved))]
    if new:
        send("solved", json.dumps([[e.name, e.number, e.title] for e in new]))
    return went


class Page:
    """The cells of a page, which share their names as in a notebook.

    What needs PyTorch is skipped, and so is what needs the names that were to come from
    there.
    """

    def __init__(self):
        self._space = {"__name__": "__main__"}
        self._absent = set()  # names that only a cell with PyTorch could bind
        self._names = set()  # of the cells, for tracebacks

    def run(self, code, name, send):
        """Run one cell.

        Parameters
        ----------
        code, name : str
            The cell, and what tracebacks call it.
        send : callable
            Gets ``("text", ...)`` and ``("figure", ...)``.

        Returns
        -------
        str
            ``"ok"``, ``"error"`` or ``"skipped"``.
        """
        self._names.add(name)
        with _output(send):
            try:
                runner = CodeRunner(code, filename=name)
                self._leave_out(runner.ast)
                _show(runner.compile().run(self._space))
            except BaseException as error:
                needs = self._needs(error)
                if not needs:
                    print(_told(error, self._names), end="")
                    return "error"
                print(f"Skipped: {needs} {ABSENT}. Colab runs this page whole.")
                self._forget(bound(code))
                return "skipped"
        self._absent -= bound(code) & self._space.keys()
        return "ok"

    def _leave_out(self, tree):
        """Take imports of what needs PyTorch out of a cell, and say so."""
        left_out = []
        for statement in tree.body:
            if isinstance(statement, ast.Import | ast.ImportFrom):
                without = [a for a in statement.names if not _is_there(statement, a)]
                left_out += map(bound_by, without)
                statement.names = [a for a in statement.names if a not in without]
        tree.body = [s for s in tree.body if getattr(s, "names", True)]
        if left_out:
            names = ", ".join(dict.fromkeys(left_out))
            print(f"Left out: {names}. They need {ABSENT}.")
            self._forget(left_out)

    def _forget(self, names):
        # A value of an earlier cell would be taken for the one that is missing.
        self._absent |= set(names)
        for name in names:
            self._space.pop(name, None)

    def _needs(self, error):
        if _is_torch(error):
            return "this cell needs"
        if isinstance(error, NameError) and error.name in self._absent:
            return f"{error.name} needs"
        return ""


def _is_there(statement, alias):
    """Say whether an import works, or fails for another reason than PyTorch."""
    try:
        if isinstance(statement, ast.Import):
            import_module(alias.name)
        elif statement.level == 0:
            module = import_module(statement.module)
            if not hasattr(module, alias.name):
                import_module(f"{statement.module}.{alias.name}")
    except Exception as error:
        return not _is_torch(error)
    return True


def _is_torch(error):
    name = error.name if isinstance(error, ModuleNotFoundError) else ""
    return (name or "").partition(".")[0] in ("torch", "torchvision")


@contextmanager
def _output(send):
    global screen
    screen = Stream(send)
    with redirect_stdout(screen), redirect_stderr(screen):
        try:
            yield
        finally:
            screen.flush()


def _show(value):
    # What shows itself, an explorable, stands in the page already and is alive.
    if value is not None and not hasattr(value, "_repr_mimebundle_"):
        print(repr(value))
    plt = sys.modules.get("matplotlib.pyplot")
    if plt and plt.get_fignums():
        plt.show()  # what the cell drew and did not show itself


def _told(error, cells):
    """Say what went wrong, with the lines of the reader's own cells alone."""
    if _is_torch(error):
        return f"This needs {ABSENT}. NumPy does; Colab has both.\n"
    if isinstance(error, ModuleNotFoundError) and error.name == "matplotlib":
        return (
            "Matplotlib could not be loaded. Is there a connection? Run this again.\n"
        )
    if isinstance(error, ModuleNotFoundError):
        return f"{error}: this page has NumPy, Matplotlib and Python's own modules.\n"
    if isinstance(error, MemoryError):
        return (
            "MemoryError: there is no memory left for this. A browser gives Python at "
            "most 4 GB; make the arrays smaller.\n"
        )
    told = part = traceback.TracebackException.from_exception(error)
    while part is not None:
        own = [frame for frame in part.stack if frame.filename in cells]
        part.stack = traceback.StackSummary.from_list(own) if own else None
        part = part.__cause__ or part.__context__
    own = told.stack
    if isinstance(error, NameError) and own and own[-1].filename == CHECK:
        return f"The check calls {error.name}: your answer has to keep this name.\n"
    return "".join(told.format())


def _no_input(prompt=""):
    raise OSError("input() cannot ask on this page: write the value into the code")


builtins.input = _no_input
