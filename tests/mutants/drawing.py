"""Bugs of the drawings of figures: they would show something else than the picture."""

from tests.mutants.mutant import Mutant

FILE, TESTS = "tools/drawing.py", "tests/tools/test_drawing.py"

MUTANTS = [
    Mutant(
        "DR1",
        FILE,
        "return p * s == q * r and p * r + q * s >= 0",
        "return abs(p * s - q * r) < 900",
        TESTS,
    ),
    Mutant(
        "DR2",
        FILE,
        "if last != (clip, look) or clear:",
        "if last != (clip, look):",
        TESTS,
    ),
    Mutant("DR3", FILE, "return None if inside else clip", "return None", TESTS),
    Mutant("DR4", FILE, "wide = 2 * radius", "wide = radius", TESTS),
]
