"""Which names a cell binds, and which imports an answer needs."""

import ast
import symtable


def imports_for(imports, code):
    r"""Return those statements of an import cell whose names the code uses.

    So an exercise of a chapter with PyTorch is done without it, and one that draws
    nothing does not wait for Matplotlib.

    Parameters
    ----------
    imports : str
        The import cell of the page.
    code : str
        What is to be run; if it is no Python, nothing is needed.

    Returns
    -------
    str
        One statement a line.

    Examples
    --------
    >>> imports_for("import numpy as np\nfrom math import pi", "np.ones(pi)")
    'import numpy as np\nfrom math import pi'
    """
    used = {node.id for node in ast.walk(_parse(code)) if isinstance(node, ast.Name)}
    needed = []
    for statement in _parse(imports).body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            names = statement.names
            statement.names = [alias for alias in names if bound_by(alias) in used]
            if statement.names:
                needed.append(ast.unparse(statement))
    return "\n".join(needed)


def bound_by(alias):
    """Return the name that a part of an import statement binds.

    Parameters
    ----------
    alias : ast.alias
        What stands between two commas of the statement.

    Returns
    -------
    str
        ``"os"`` for ``import os.path``, ``"np"`` for ``import numpy as np``.
    """
    return alias.asname or alias.name.partition(".")[0]


def bound(code):
    r"""Return the names that a cell binds for the cells after it.

    Parameters
    ----------
    code : str
        The cell; it has to be Python.

    Returns
    -------
    set of str
        Names of variables, functions, classes and modules.

    Examples
    --------
    >>> sorted(bound("import os\nfor i in range(3):\n    x = [j for j in 'ab']"))
    ['i', 'os', 'x']
    """
    symbols = symtable.symtable(code, "cell", "exec").get_symbols()
    return {s.get_name() for s in symbols if s.is_assigned() or s.is_imported()}


def _parse(code):
    try:
        return ast.parse(code)
    except SyntaxError:  # running it will say what is wrong
        return ast.Module([], [])
