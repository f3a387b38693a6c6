"""No exercise's answer stands unfolded in the five cells before it.

Two things can be found by a machine: code that computes what the solution returns, in
other names, and a formula that the task names and that stands just above it.
"""

import ast
import copy
import re
from pathlib import Path

import pytest

from tools import normal_form, stamp_address

BEFORE = 5
# Names and operations; shorter expressions (a mean) stand everywhere.
FEWEST_PARTS = 6
TAG = re.compile(r"\\tag\{(\d+\.\d+)\}")
WRITE = re.compile(r"\b[Ww]rite \((\d+\.\d+)\)")
PAGES = [
    *stamp_address.chapters(),
    Path(__file__).parents[2] / "book" / "bug-hunt.ipynb",
]


def role(cell):
    return cell.metadata.get("exercise", {}).get("role")


def unfolded_before(notebook, position):
    """Return the five cells before a task that a reader sees, nearest first."""
    seen = []
    for cell in reversed(notebook.cells[:position]):
        folded = role(cell) in ("solution", "hints", "check")
        if not folded and len(seen) < BEFORE:
            seen.append(cell)
    return seen


class _Plain(ast.NodeTransformer):
    """Bring equal computations to one form: x.mean(0) and np.mean(x, axis=0)."""

    def __init__(self, known):
        self.known = known

    def visit_Name(self, node):
        if node.id in self.known:
            rest = {k: v for k, v in self.known.items() if k != node.id}
            return _Plain(rest).visit(copy.deepcopy(self.known[node.id]))
        return ast.Name("x")

    def visit_Attribute(self, node):
        return ast.Name("x")

    def visit_Call(self, node):
        name, arguments = "call", list(node.args)
        if isinstance(node.func, ast.Attribute):
            name = node.func.attr
            module = isinstance(node.func.value, ast.Name) and node.func.value.id in (
                "np",
                "torch",
            )
            arguments = arguments if module else [node.func.value, *arguments]
        elif isinstance(node.func, ast.Name):
            name = node.func.id
        name = {"square": "power", "sum": "mean"}.get(name, name)
        return ast.Call(ast.Name(name), [self.visit(a) for a in arguments[:1]], [])

    def visit_BinOp(self, node):
        left, right = self.visit(node.left), self.visit(node.right)
        two = isinstance(node.right, ast.Constant) and node.right.value == 2
        same = ast.dump(left) == ast.dump(right) and isinstance(node.op, ast.Mult)
        if (isinstance(node.op, ast.Pow) and two) or same:
            return ast.Call(ast.Name("power"), [left], [])
        if isinstance(node.op, ast.Pow):
            half = isinstance(node.right, ast.Constant) and node.right.value == 0.5
            return ast.Call(ast.Name("sqrt" if half else "pow"), [left], [])
        if isinstance(node.op, ast.Add | ast.Mult):
            left, right = sorted((left, right), key=ast.dump)
        return ast.BinOp(left, node.op, right)

    def visit_Subscript(self, node):
        return self.visit(node.value)

    def visit_Constant(self, node):
        return ast.Name("x")


def plain(expression, known=()):
    """Return an expression without names, as text."""
    return ast.dump(_Plain(dict(known)).visit(copy.deepcopy(expression)))


def assigned(body):
    """Return what each name stands for, where it is assigned once: {name: node}."""
    found, often = {}, set()
    for node in ast.walk(ast.Module(body, [])):
        if isinstance(node, ast.Assign):
            pairs = [(target, node.value) for target in node.targets]
            for target, value in pairs:
                if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
                    pairs += zip(target.elts, value.elts, strict=True)
                elif isinstance(target, ast.Name):
                    often |= {target.id} & found.keys()
                    found[target.id] = value
    return {
        name: node
        for name, node in found.items()
        if name not in often and name not in {n.id for n in names(node)}
    }


def names(node):
    return [part for part in ast.walk(node) if isinstance(part, ast.Name)]


def computed(source, whole=False):
    """Return the expressions that code computes, in plain form.

    Of a solution (``whole``) only what it returns, with every name that is assigned
    once replaced by what it stands for.
    """
    tree = ast.parse(source)
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.Module):
            known = assigned(node.body)
            inner = [n for n in ast.walk(node) if isinstance(n, ast.expr)]
            if not whole:
                known = {}
            else:
                returned = [n for n in ast.walk(node) if isinstance(n, ast.Return)]
                inner = [n.value for n in returned if n.value]
                inner = [e for v in inner for e in getattr(v, "elts", [v])]
            for expression in inner:
                text = plain(expression, known)
                if text.count("Name(") + text.count("BinOp(") >= FEWEST_PARTS:
                    found.add(text)
    return found


def spoilers(notebook, position, solution):
    """Return what gives the exercise away whose task stands at this position."""
    seen = unfolded_before(notebook, position)
    code = [cell.source for cell in seen if cell.cell_type == "code"]
    answer = computed(solution, whole=True)
    found = [text for source in code for text in answer & computed(source)]
    shown = {
        n for c in seen if c.cell_type == "markdown" for n in TAG.findall(c.source)
    }
    asked = WRITE.findall(notebook.cells[position].source)
    return found + [f"formula ({number})" for number in asked if number in shown]


def tasks(path):
    notebook = normal_form.read(path)
    for position, cell in enumerate(notebook.cells):
        if role(cell) == "task":
            number = cell.metadata.exercise["id"]
            group = notebook.cells[position : position + 5]
            solution = next(c.source for c in group if role(c) == "solution")
            yield pytest.param(notebook, position, solution, id=number)


@pytest.mark.parametrize(
    ("notebook", "position", "solution"), [task for p in PAGES for task in tasks(p)]
)
def test_no_answer_stands_unfolded_just_before_it(notebook, position, solution):
    assert spoilers(notebook, position, solution) == []


TASK = {"exercise": {"role": "task", "id": "9.9"}}


def notebook_with(before, task):
    cells = [normal_form.v4.new_code_cell(before)]
    if before.startswith("$$"):
        cells = [normal_form.v4.new_markdown_cell(before)]
    cells.append(normal_form.v4.new_markdown_cell(task, metadata=TASK))
    return normal_form.v4.new_notebook(cells=cells)


VARIANCE = "def f(a):\n    d = a - a.mean(axis=0)\n    return np.mean(d * d)"


@pytest.mark.parametrize(
    ("before", "solution", "seen"),
    [
        ("two = np.mean((x - x.mean()) ** 2)", VARIANCE, True),
        ("one = np.mean(x**2) - x.mean() ** 2", VARIANCE, False),
        (
            "layer.mean = keep * layer.mean + (1 - keep) * new.mean(0)",
            "def f(m, x, k):\n    a = x.mean(axis=0)\n    return (1 - k) * a + k * m",
            True,
        ),
        ("x.mean(axis=0)", "def f(x):\n    return x.mean(axis=0)", False),
    ],
)
def test_the_same_computation_in_other_names_is_seen(before, solution, seen):
    notebook = notebook_with(before, "### Exercise 9.9")
    assert bool(spoilers(notebook, 1, solution)) == seen


def test_a_formula_that_is_to_be_written_is_seen():
    notebook = notebook_with("$$ a = b \\tag{9.1} $$", "Write (9.1) for an array.")
    assert spoilers(notebook, 1, "def f(x):\n    return x") == ["formula (9.1)"]
    notebook.cells[1].source = "Repair (9.1)."
    assert spoilers(notebook, 1, "def f(x):\n    return x") == []
