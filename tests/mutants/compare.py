"""Bugs of the comparison of stored with computed outputs."""

from tests.mutants.mutant import Mutant

FILE, TESTS = "tools/compare.py", "tests/tools/test_compare.py"

MUTANTS = [
    Mutant("C1", FILE, "> allowed * (1 + 1e-6)", "> allowed * 2.5", TESTS),
    Mutant("C2", FILE, "if old_kinds != new_kinds:", "if False:", TESTS),
    Mutant("C3", FILE, "worst <= MAX_BLOCK_RMS", "worst <= 4 * MAX_BLOCK_RMS", TESTS),
]
