"""Bugs of the two ways to scale columns."""

from tests.mutants.mutant import Mutant

FILE, TESTS = "bnlib/scaling.py", "tests/test_scaling.py"

MUTANTS = [
    Mutant(
        "Z1",
        FILE,
        "u / np.where(span > 0, std, 1)",
        "u / np.where(span > 1, std, 1)",
        TESTS,
    ),
    Mutant("Z2", FILE, "u -= u.mean(axis=axis, keepdims=True)", "pass", TESTS),
    Mutant(
        "Z3",
        FILE,
        "(x - low) / np.where(span > 0, span, 1)\n    u",
        "x - low\n    u",
        TESTS,
    ),
    Mutant("Z4", FILE, 'finite_statistics("x", x, span)', "pass", TESTS),
]
