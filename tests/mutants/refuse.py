"""Bugs of the checks at the door."""

from tests.mutants.mutant import Mutant

FILE = "bnlib/refuse.py"
TESTS = "tests/test_norms.py tests/test_norms_guards.py tests/test_running.py"

MUTANTS = [
    Mutant("K1", FILE, "if x.size == 0:", "if x.size < 0:", TESTS),
    Mutant(
        "K2", FILE, "isfinite(eps) and eps > 0", "isfinite(eps) and eps >= 0", TESTS
    ),
    Mutant(
        "K3",
        FILE,
        'array.dtype.kind not in "fiu"',
        'array.dtype.kind not in "fiub"',
        TESTS,
    ),
    Mutant("K4", FILE, "math.isfinite(eps) and eps > 0", "eps > 0", TESTS),
    Mutant("K5", FILE, "array = np.array(value)", "array = np.asarray(value)", TESTS),
    Mutant("K6", FILE, "not 0 <= value <= 1", "not 0 <= value", TESTS),
    Mutant("K7", FILE, "isinstance(value, bool) or not", "not", TESTS),
    Mutant("K8", FILE, "if array.shape != tuple(shape):", "if False:", TESTS),
    Mutant(
        "K9",
        FILE,
        "bad = np.argwhere(~np.isfinite(x))",
        "bad = np.argwhere(np.isnan(x))",
        TESTS,
    ),
    Mutant(
        "R8",
        FILE,
        "not isinstance(value, int | np.integer)",
        "not isinstance(value, int)",
        TESTS,
    ),
]
