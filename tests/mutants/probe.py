"""Bugs of what is measured on networks, and of the traces it leaves."""

from tests.mutants.mutant import Mutant

FILE, TESTS = "bnlib/lab/probe.py", "tests/lab/test_probe.py"

MUTANTS = [
    Mutant("B1", FILE, "            parameter.grad = grad\n", "", TESTS),
    Mutant("B2", FILE, "            write(state)", "            pass", TESTS),
    Mutant("B3", FILE, "origin + distance * way", "origin - distance * way", TESTS),
    Mutant("B4", FILE, "return output.clone()  #", "return output  #", TESTS),
    Mutant(
        "B5",
        FILE,
        'module.training = statistics == "batch"',
        "module.training = True",
        TESTS,
    ),
    Mutant("B6", FILE, "            hook.remove()", "            pass", TESTS),
    Mutant(
        "B7",
        FILE,
        "_learning(model)[:number], before[:number]",
        "_learning(model), before",
        TESTS,
    ),
    Mutant("B9", FILE, 'device.type != "cpu"', "False", TESTS),
    Mutant("B8", FILE, "            buffer.copy_(value)", "            pass", TESTS),
]
