"""Bugs of the lines that state what was measured."""

from tests.mutants.mutant import Mutant

FILE, TESTS = "bnlib/lab/claims.py", "tests/lab/test_claims.py"

MUTANTS = [
    Mutant(
        "L1",
        FILE,
        "if not _holds(measured, op, bound, tol):",
        "if not _holds(measured, op, bound, tol) and value == value:",
        TESTS,
    ),
    Mutant("L2", FILE, '"<": operator.lt', '"<": operator.le', TESTS),
    Mutant("L3", FILE, '">": operator.gt', '">": operator.ge', TESTS),
    Mutant("L6", FILE, "values.std(ddof=1)", "values.std()", TESTS),
    Mutant(
        "L4", FILE, "abs(measured - bound) <= tol", "measured - bound <= tol", TESTS
    ),
    Mutant(
        "L5", FILE, 'return "0" if value == 0 else', 'return "0" if True else', TESTS
    ),
]
