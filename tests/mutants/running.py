"""Bugs of running and population statistics in NumPy."""

from tests.mutants.mutant import Mutant

FILE = "bnlib/running.py"
TESTS = "tests/test_running.py"

MUTANTS = [
    Mutant(
        "R1",
        FILE,
        "(1 - new) * self.mean + new * mean",
        "new * self.mean + (1 - new) * mean",
        TESTS,
    ),
    Mutant("R2", FILE, "new * (var * (count / (count - 1)))", "new * var", TESTS),
    Mutant(
        "R3",
        FILE,
        "np.square(apart) * share * (1 - share)",
        "np.square(apart) * share",
        TESTS,
    ),
    Mutant("R4", FILE, "a.mean + apart * share", "a.mean + apart / 2", TESTS),
    Mutant(
        "R5",
        FILE,
        '("biased", "unbiased"): count / (count - 1)',
        '("biased", "unbiased"): (count - 1) / count',
        TESTS,
    ),
    Mutant("R6", FILE, "round(1 - value, 15)", "1 - value", TESTS),
    Mutant(
        "R7", FILE, "1 / self.num_batches if", "1 / (self.num_batches + 1) if", TESTS
    ),
    Mutant("R9", FILE, "for x in batches:", "for x in list(batches):", TESTS),
    Mutant("R10", FILE, "x.mean(axes, dtype=np.float64)", "x.mean(axes)", TESTS),
    Mutant("R11", FILE, "if self.count < 2:", "if self.count < 1:", TESTS),
    Mutant(
        "R12",
        FILE,
        "if var.size and var.min() < 0:",
        "if var.size and var.min() < -2:",
        TESTS,
    ),
]
