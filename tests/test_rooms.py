"""The house: which room imports which, how long they are, and who meets their names."""

import ast
import io
import json
import re
import tokenize
from importlib import import_module
from pathlib import Path

import pytest

import bnlib

PACKAGE = Path(bnlib.__file__).parent
BOOK = PACKAGE.parent / "book"
FILES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(
        ".__init__"
    ): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
WORKSHOP = ("bnlib.lab", "bnlib.exercises")
LESSONS = {
    name: path
    for name, path in FILES.items()
    if name != "bnlib" and not name.startswith(WORKSHOP)  # bnlib itself is the door
}
NUMPY_ROOMS = ("bnlib.refuse", "bnlib.scaling", "bnlib.norms", "bnlib.running")

# From the ground up. A room, or a package of rooms, imports from lower floors only.
FLOORS = [
    ["bnlib.refuse"],
    ["bnlib.scaling", "bnlib.norms", "bnlib.running"],
    ["bnlib.nn.base"],
    ["bnlib.nn.layers"],
    ["bnlib.nn.variants", "bnlib.nn.sync", "bnlib.nn.statistics"],
    ["bnlib.nn"],
    ["bnlib.fold"],
    ["bnlib.slimming"],
]


def imports(path):
    """Return the modules of bnlib that a file imports, also inside of functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute in this house"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= names & FILES.keys() or {node.module}
    return {name for name in found if name.split(".")[0] == "bnlib"}


ARROWS = {name: imports(path) for name, path in FILES.items()}


def floor(module):
    """Return number and name of a module's floor; the longest name that fits counts."""
    fits = [
        (len(room), number, room)
        for number, rooms in enumerate(FLOORS)
        for room in rooms
        if f"{module}.".startswith(f"{room}.")
    ]
    return max(fits)[1:] if fits else (None, None)


def test_the_arrows_are_read_right():
    assert "bnlib.running" in ARROWS["bnlib.nn.statistics"]
    assert "bnlib.lab.train" in ARROWS["bnlib.lab.ensemble"], "a module of a package"
    assert floor("bnlib.nn.base") == (2, "bnlib.nn.base")
    assert floor("bnlib.fold.pair") == (6, "bnlib.fold")
    assert floor("bnlib.normsx") == (None, None)


@pytest.mark.parametrize("module", LESSONS)
def test_a_lesson_imports_no_workshop_and_nothing_from_above(module):
    number, room = floor(module)
    for other in ARROWS[module] - {"bnlib"}:
        assert not other.startswith(WORKSHOP), f"{module} imports {other}"
        above, its_room = floor(other)
        if None not in (number, above) and room != its_room:
            assert above < number, f"{module} imports {other} from above or beside it"
    assert "bnlib" not in ARROWS[module], f"{module} goes out through the door"


def test_what_rooms_share_does_not_import_those_who_share_it():
    shared = ARROWS.get("bnlib.modules", set())
    assert not [m for m in shared if m.startswith(("bnlib.fold", "bnlib.slimming"))]


def test_there_is_no_circle():
    left = {name: set(found) & FILES.keys() for name, found in ARROWS.items()}
    while free := {name for name, found in left.items() if not found}:
        left = {name: found - free for name, found in left.items() if name not in free}
    assert not left, f"these import each other: {left}"


def code_lines(text):
    """Count the lines that hold code: no blank ones, comments and docstrings."""
    words = set()
    for node in ast.walk(ast.parse(text)):
        kinds = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        if isinstance(node, kinds) and ast.get_docstring(node) is not None:
            words |= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    lines = set()
    nothing = tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT
    nothing += tokenize.DEDENT, tokenize.ENDMARKER, tokenize.ENCODING
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in nothing:
            lines |= set(range(token.start[0], token.end[0] + 1))
    return len(lines - words)


def test_lines_of_code_are_counted_right():
    text = '"""Words."""\n\n# Why.\ndef f(a):  # so\n    """More\n    words."""\n'
    assert (
        code_lines(text + '    b = """not\n    words"""\n\n    return (\n  a)\n') == 5
    )


@pytest.mark.parametrize(
    "modules, most", [(NUMPY_ROOMS, 450), (LESSONS, 2600)], ids=["NumPy", "lessons"]
)
def test_the_rooms_are_small_enough_to_read(modules, most):
    texts = [FILES[module].read_text(encoding="utf8") for module in modules]
    assert sum(map(code_lines, texts)) <= most


# --- who meets a name -----------------------------------------------------------------

# Parts of other rooms that are modules for order's sake and promise nothing.
INNER = ("bnlib.modules", "bnlib.slimming.wiring", "bnlib.slimming.constants")
MODULES = [m for m in FILES if not m.startswith(("bnlib.exercises", *INNER))]
NAMES = sorted(
    {name for m in MODULES for name in getattr(import_module(m), "__all__", ())}
)
# Names that no chapter meets, each with the reason why it is public all the same.
UNMET = {
    "AbsorbReport": "what absorb returns beside the model",
    "Cache": "what each layer returns beside y; chapters pass it on",
    "ClaimFailed": "what claim raises",
    "CovariateShift": "what covariate_shift returns",
    "EdgeOfGrid": "what best_of_grid raises",
    "Finding": "a part of what doctor returns",
    "Explorable": "what explore returns",
    "FoldReport": "what fold tells",
    "Group": "a part of what plan returns",
    "History": "what train returns",
    "Plan": "what plan returns",
    "Population": "what population_statistics returns",
    "Report": "what doctor returns",
    "Residual": "the block of residual_net, for nets of one's own",
    "Summary": "what summary returns",
    "examine": "doctor, where torch is imported",
    "fold_batch_norm": "one step of fold, for a reader's own pair of layers",
    "fold_into_next": "the same where the norm comes first",
    "heal": "for the clinic page, until it exists",
    "shrink_gamma": "the step to take with Adam, which l1_gamma points to",
    "merge": "what adds up batches in population_statistics and reestimate",
}


def met():
    """Return all that readers read as code: cells, code in texts, exercises."""
    parts = [p.read_text(encoding="utf8") for p in PACKAGE.glob("exercises/ch*.py")]
    for path in BOOK.glob("*.ipynb"):
        for cell in json.loads(path.read_text(encoding="utf8"))["cells"]:
            text = "".join(cell["source"])
            code = cell["cell_type"] == "code"
            parts += [text] if code else re.findall(r"`[^`]+`", text)
    return set(re.findall(r"\w+", "\n".join(parts)))


def test_readers_meet_every_public_name():
    assert set(UNMET) <= set(NAMES), "a reason for a name that is gone"
    unmet = set(NAMES) - met() - set(UNMET)
    assert not unmet, f"use or delete {sorted(unmet)}, or give a reason in UNMET"
