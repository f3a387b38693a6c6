"""Check the docstrings of what ``bnlib`` promises, without importing it.

``python -m tools.docstrings`` has numpydoc's own validation read the sources, torch is
not needed, and exits with 1 if a docstring lacks a section, a type or an example, or
names something that is not there. What a function raises with its own ``raise`` must be
among what it says that it raises. Examples are run by the unit tests, not here.
"""

import ast
import builtins
import re
import sys
from pathlib import Path

from numpydoc.hooks.validate_docstrings import process_file
from numpydoc.validate import ERROR_MSGS

ROOT = Path(__file__).parents[1]
# Modules for order's sake: their names serve other rooms of bnlib.
INNER = ("modules.py", "slimming/wiring.py", "slimming/constants.py")
# What is not asked for, and why.
UNASKED = {
    "ES01": "where the summary says it all, there is no more to say",
    "SA01": "related names stand in the text, as links",
}
# The fields of a data class are arguments that only a running Python knows; the unit
# tests compare them.
OF_DATA_CLASSES = "PR02"
CONFIG = {"checks": set(ERROR_MSGS) - set(UNASKED), "exclude": None, "overrides": {}}


def exports(path):
    """Return the names in the ``__all__`` of a file."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return set(ast.literal_eval(node.value))
    return set()


def promised(path, package):
    """Return the functions and classes of a file that the package offers: {name: node}.

    A name counts that is in the ``__all__`` of the file or of a package around it.
    """
    if path.relative_to(package).as_posix() in INNER:
        return {}
    around = [p / "__init__.py" for p in path.parents if p.is_relative_to(package)]
    names = set().union(*map(exports, [path, *around]))
    nodes = ast.parse(path.read_text(encoding="utf-8")).body
    return {n.name: n for n in nodes if getattr(n, "name", None) in names}


def faults(path, package):
    """Yield a line for each fault in the docstrings of a file."""
    known = promised(path, package)
    for place, full, code, text in process_file(str(path), CONFIG) if known else ():
        _, name, *inner = full.split(".")
        node = known.get(name)
        if node is None or not asked(code, node, inner):
            continue
        yield f"{place}: {code} {name}: {text}"
    for name, node in known.items():
        for error in sorted(raised(node) - said(node)):
            yield f"{path}:{node.lineno}: {name}: Raises does not name {error}"


def asked(code, node, inner):
    """Return whether a check is meant for a node or for what is inside of it.

    Methods and properties may be described in one line, the latter with a noun, and
    examples are those of their class; functions in a function are nobody's business.
    """
    if not inner:
        is_class = isinstance(node, ast.ClassDef)
        return not (is_class and code == OF_DATA_CLASSES)
    is_method = isinstance(node, ast.ClassDef) and not inner[0].startswith("_")
    return (
        is_method and len(inner) == 1 and code not in ("EX01", "RT01", "PR01", "SS05")
    )


def raised(node):
    """Return the names of Python's errors that a function raises itself."""
    if not isinstance(node, ast.FunctionDef):
        return set()
    found = [it.exc for it in ast.walk(node) if isinstance(it, ast.Raise)]
    calls = [it.func for it in found if isinstance(it, ast.Call)]
    names = {it.id for it in calls if isinstance(it, ast.Name)}
    return {name for name in names if hasattr(builtins, name)}


def said(node):
    """Return the names of errors in a docstring."""
    return set(re.findall(r"\w+", ast.get_docstring(node) or ""))


def main(package=ROOT / "bnlib"):
    """Print all faults; return the exit status."""
    lines = [line for p in sorted(package.rglob("*.py")) for line in faults(p, package)]
    print(*lines, sep="\n", end="\n" if lines else "", file=sys.stderr)
    return bool(lines)


if __name__ == "__main__":
    sys.exit(main())
