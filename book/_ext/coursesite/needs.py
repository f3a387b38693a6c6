"""What a piece of code needs that a browser lacks, read from the sources.

Nothing is imported: the site is built without NumPy and PyTorch. An import counts where
it is certain to happen; one under ``try`` or ``if`` is guarded, and does not.
"""

import ast
import sys
from functools import cache
from pathlib import Path

PACKAGES = {"bnlib": Path(), "bnlive": Path("live")}  # ours, and in which folder


class Sources:
    """The modules of a book's own package, read and never imported."""

    def __init__(self, root, packages):
        self.root = Path(root)
        self.known = {*sys.stdlib_module_names, *PACKAGES, *packages}
        self.tree = cache(self.tree)
        self.lacks = cache(self.lacks)
        self.exercises = cache(self.exercises)

    def path(self, module):
        """Return the file of a module of ours, None if it is none."""
        top = module.partition(".")[0]
        if top not in PACKAGES:
            return None
        base = self.root.joinpath(PACKAGES[top], *module.split("."))
        files = base / "__init__.py", base.with_suffix(".py")
        return next((file for file in files if file.is_file()), None)

    def tree(self, module):
        return ast.parse(self.path(module).read_text("utf8"))

    def lacks(self, module):
        """Return the packages that importing a module needs and a browser lacks."""
        found, todo = set(), [module]
        while todo:
            name = todo.pop()
            if name in found:
                continue
            found.add(name)
            if name.partition(".")[0] in PACKAGES:
                todo.append(parent(name) or name)
            if self.path(name) is not None:
                is_package = self.path(name).stem == "__init__"
                package = name if is_package else parent(name)
                todo += [it for it, _ in imported(self.tree(name).body, package)]
        return frozenset({name.partition(".")[0] for name in found} - self.known - {""})

    def names(self, body):
        """Return ``{name: packages that a browser lacks for it}`` of imports."""
        found = {name: self.lacks(module) for module, name in imported(body)}
        return {name: packages for name, packages in found.items() if packages}

    def statement(self, start, module):
        """Return what a statement of one of our modules lacks, with all it leads to."""
        body = self.tree(module).body
        defined, outer = definitions(body), self.names(body)
        found = set()
        for part in reached(start, defined):
            inside = self.names(ast.walk(part))  # torch is often imported by a function
            for name in uses(part) & outer.keys():
                found |= outer[name]
            found = found.union(*inside.values())
        return found

    def cell(self, tree, bindings):
        """Return what a cell lacks by the names that it uses: {name: module}.

        Of a module of ours only what is used counts, not what all of it imports.
        """
        found, taken = set(), set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                module = bindings.get(node.value.id, "")
                if self.path(module):
                    defined = definitions(self.tree(module).body)
                    if node.attr in defined:
                        taken.add(node.value)
                        found |= self.statement(defined[node.attr], module)
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and node not in taken:
                found |= self.lacks(bindings.get(node.id, ""))
        return found

    def exercises(self):
        """Return what the checkers lack: {name of an exercise: packages}."""
        found = {}
        for path in sorted((self.root / "bnlib" / "exercises").glob("*.py")):
            module = f"bnlib.exercises.{path.stem}"
            for node in self.tree(module).body if self.path(module) else ():
                name = named(node)
                if name is not None:
                    found[name] = self.statement(node, module)
        return found

    def notebook(self, cells):
        """Return what a browser lacks for a notebook: for its exercises, and for all.

        Parameters
        ----------
        cells : list of (str, str or None)
            The code of each, and the name of the exercise to which it belongs.

        Returns
        -------
        missing : dict of {str: set of str}
            The packages that each exercise needs besides.
        rest : set of str
            Those that the imports of the notebook need besides.
        """
        trees = [(ast.parse(code), name) for code, name in cells]
        body = [node for tree, _ in trees for node in tree.body]
        bindings = {name: module for module, name in imported(body)}
        missing = {}
        for tree, name in trees:
            if name is not None:
                known = missing.get(name, self.exercises().get(name, set()))
                missing[name] = known | self.cell(tree, bindings)
        return missing, set().union(*self.names(body).values())


def parent(module):
    return module.rpartition(".")[0]


def imported(statements, package=""):
    """Yield ``(module, name)`` for what these statements import themselves."""
    for node in statements:
        if isinstance(node, ast.Import):
            for alias in node.names:
                name = alias.asname or alias.name.partition(".")[0]
                yield alias.name, name
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join(parts if node.level else [])
            module = ".".join(filter(None, [base, node.module]))
            for alias in node.names:
                yield f"{module}.{alias.name}", alias.asname or alias.name


def definitions(body):
    """Return the statements of a module that define each name."""
    found = {}
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found[node.name] = node
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                for name in ast.walk(target):
                    if isinstance(name, ast.Name):
                        found[name.id] = node
    return found


def named(node):
    """Return the name of the exercise that a statement defines, None if it is none."""
    if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Call):
        return None
    given = {it.arg: it.value for it in node.value.keywords}
    name = given.get("name")
    return name.value if isinstance(name, ast.Constant) and "number" in given else None


def reached(start, defined):
    """Return a statement and all definitions that it leads to."""
    found, todo = [], [start]
    while todo:
        node = todo.pop()
        if node not in found:
            found.append(node)
            names = {it.id for it in ast.walk(node) if isinstance(it, ast.Name)}
            todo += [defined[name] for name in names if name in defined]
    return found


def uses(tree):
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
