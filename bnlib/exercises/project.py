"""The project's file: written from the answers of a notebook, and tried as a whole."""

import ast
import builtins
import linecache
import sys
from importlib import import_module
from inspect import unwrap
from pathlib import Path
from types import FunctionType, ModuleType

from bnlib.exercises.engine import sandbox, words
from bnlib.exercises.engine.checker import diagnose
from bnlib.exercises.project_layer import EXERCISES as OF_THE_LAYER
from bnlib.exercises.project_net import EXERCISES as OF_THE_NET

__all__ = ["check_project", "write_project"]

STEPS = (*OF_THE_LAYER, *OF_THE_NET)
FILE = "my_batch_norm.py"
TITLE = '"""My batch norm, written in the course Batch Normalization, Measured."""'
# What a right answer to each step means, in its order.
CAN = (
    "It computes its output and the gradients of all its stages.",
    "It stands in for BatchNorm1d, 2d and 3d of torch.nn.",
    "Nets with it and without can be compared on one grid.",
    "You can say what a small batch costs.",
    "It folds into the layer before it.",
    "It moves to other data without labels.",
    "Its gammas thin out a net.",
)


def write_project(*answers, path=FILE):
    """Write functions and classes to a file that runs alone, and say what was done.

    With them go what they use: imports, numbers, and helpers from the same notebook.
    Starters are left out. A file that is there and differs is kept under another name.

    Parameters
    ----------
    *answers : function or class
        What you wrote in the steps of the project.
    path : str, default="my_batch_norm.py"
        Where to.

    Examples
    --------
    >>> def forward_and_backward(x, d_y, gamma, beta, eps): ...
    >>> write_project(forward_and_backward)
    Nothing was written to my_batch_norm.py: all of these are still starters.
    """
    wrong = [a for a in answers if not isinstance(a, FunctionType | type)]
    if wrong or not answers:
        got = type(wrong[0]).__name__ if wrong else "nothing"
        print(
            "✘ write_project takes functions and classes, got "
            f"{got}; call write_project(BatchNorm, fold_net), say."
        )
        return
    file, left_out, unknown = _File(), [], []
    for answer in answers:
        found = _definition(answer)
        if found is None:
            unknown.append(answer.__name__)
        elif _is_starter(found[0]):
            left_out.append(answer.__name__)
        else:
            file.take(answer, *found)
    path = Path(path)
    if unknown:
        text = f"✘ The source of {', '.join(unknown)} is not known here; "
        print(words.wrap(text + "run the cells with it again.", first=""))
    if not file.definitions:
        if not left_out:
            return
        print(f"Nothing was written to {path}: all of these are still starters.")
        return
    try:
        print(_put(path, file.text(), list(file.definitions)))
    except OSError as error:
        print(f"✘ {path} could not be written: {words.short(error)}.")
    if left_out:
        print(f"Left out, because still starters: {', '.join(left_out)}.")


def check_project(path=FILE):
    """Try the project's file as a whole and say what it can do, step by step.

    Parameters
    ----------
    path : str, default="my_batch_norm.py"
        The file. It is run, on its own.

    Examples
    --------
    >>> check_project("not_there.py")
    There is no not_there.py here yet. write_project(...) makes it.
    """
    path, names = Path(path), {}
    if not path.is_file():
        print(f"There is no {path} here yet. write_project(...) makes it.")
        return
    outcome = sandbox.call(lambda: _run(path, names), ())
    if outcome.error is not None:
        place = f" ({outcome.place})" if outcome.place else ""
        print(f"✘ {path} cannot be run: {words.short(outcome.error)}{place}.")
        return
    lines = [_step(*each, names) for each in zip(STEPS, CAN, strict=True)]
    done = sum(line.startswith("✔") for line in lines)
    print(f"{path}: {done} of {len(STEPS)} steps.")
    print("\n".join(words.wrap(line, first="") for line in lines))


def _run(path, names):
    linecache.checkcache(str(path.resolve()))
    code = compile(path.read_text(encoding="utf-8"), str(path.resolve()), "exec")
    names["__name__"] = path.stem
    exec(code, names)


def _step(exercise, can, names):
    number, name = exercise.number.partition(".")[2], exercise.function
    if not callable(names.get(name)):
        return f"○ {number} {name} is not in the file yet."
    try:
        verdict = diagnose(exercise, names[name])
    except ModuleNotFoundError as error:
        return f"○ {number} {name} {words.lacking(error)}."
    if verdict.status == "right":
        return f"✔ {number} {can}"
    if verdict.status == "not attempted":
        return f"○ {number} {name} is still a starter."
    known = verdict.misconception or verdict.raised or "not right yet"
    return f'✘ {number} {name}: {known}. check("{exercise.number}", {name}) says more.'


# --- what a definition needs ----------------------------------------------------------


class _File:
    """The parts of a file, gathered from definitions and what they use."""

    def __init__(self):
        self.imports, self.constants, self.definitions = set(), {}, {}

    def take(self, answer, node, source, names):
        """Add a definition, after what it uses."""
        self.definitions.pop(answer.__name__, None)
        self.definitions[answer.__name__] = None  # one that calls itself is there
        for name in sorted(_globals_of(node) & names.keys()):
            self.add(name, names[name], names)
        del self.definitions[answer.__name__]
        self.definitions[answer.__name__] = source

    def add(self, name, value, names):
        """Add what a name stands for, if it can be written down."""
        if name in self.definitions or hasattr(builtins, name):
            return
        if isinstance(value, ModuleType):
            self.imports.add(_import(name, value))
        elif isinstance(value, FunctionType | type):
            own = value.__module__ == names.get("__name__")
            found = _definition(value) if own else None
            if found:
                self.take(value, *found)
            elif _is_importable(value):
                rename = "" if value.__name__ == name else f" as {name}"
                line = f"from {value.__module__} import {value.__name__}{rename}"
                self.imports.add(line)
        elif isinstance(value, bool | int | float | str | type(None)):
            self.constants[name] = f"{name} = {value!r}"

    def text(self):
        """Return the file."""
        imports = sorted(self.imports, key=_order)
        top = ["\n".join(imports), "\n".join(self.constants.values())]
        top = "\n\n".join(filter(None, [TITLE, *top]))
        return "\n\n\n".join([top, *self.definitions.values()]) + "\n"


def _order(line):
    module = line.split()[1]
    return module.split(".")[0] not in sys.stdlib_module_names, module


def _import(name, module):
    full = module.__name__
    package, _, last = full.rpartition(".")
    if package and last == name:
        return f"from {package} import {name}"
    return f"import {full}" if full == name else f"import {full} as {name}"


def _is_importable(value):
    try:
        module = import_module(value.__module__)
    except ImportError:  # a notebook's own namespace under another name
        return False
    return getattr(module, value.__name__, None) is value


def _definition(answer):
    """Return syntax tree and source of a definition and its namespace, or None."""
    functions = [answer, *(vars(answer).values() if isinstance(answer, type) else ())]
    functions = [unwrap(f) for f in functions if isinstance(f, FunctionType)]
    for function in functions:
        # Of a class in a notebook nothing else knows the cell that it was written in.
        lines = linecache.getlines(function.__code__.co_filename)
        for node in reversed(ast.parse("".join(lines)).body):
            if getattr(node, "name", None) == answer.__name__:
                first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
                source = "".join(lines[first - 1 : node.end_lineno]).rstrip()
                return node, source, function.__globals__
    return None


def _is_starter(node):
    """Say whether a function still has a ``...`` where an answer should be."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Return | ast.Expr):
            value = inner.value
            if isinstance(value, ast.Constant) and value.value is ...:
                return True
    return False


def _globals_of(node):
    """Return the names that a definition looks up outside of itself."""
    module = ast.Module([node], type_ignores=[])
    left, found = [compile(module, "definition", "exec")], set()
    while left:
        code = left.pop()
        found |= set(code.co_names)
        left += [part for part in code.co_consts if hasattr(part, "co_names")]
    return found & {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}


def _put(path, text, names):
    """Write the file, keep one that differs, and say so."""
    count = f"{len(names)} definition{'s' * (len(names) != 1)}"
    kept = ""
    if path.exists():
        old = path.read_text(encoding="utf-8")
        if old == text:
            return f"{path} is up to date: {count}."
        spare = (path.with_suffix(f".{i}{path.suffix}") for i in range(1, 1000))
        backup = next(place for place in spare if not place.exists())
        path.replace(backup)
        kept = f" The file that was there differs and is kept as {backup}."
    path.write_text(text, encoding="utf-8")
    return words.wrap(f"{path} is written: {count}.{kept}", first="")
