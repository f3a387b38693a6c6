"""Bugs of the doctor."""

from tests.mutants.mutant import Mutant

ROOM, TESTS = "bnlib/lab/doctor", "tests/lab/test_doctor.py"
CALLS = f"{ROOM}/calls.py"
RESTORE, LOADING = f"{ROOM}/restore.py", f"{ROOM}/loading.py"
SETTINGS, STATISTICS = f"{ROOM}/settings.py", f"{ROOM}/statistics.py"
NEIGHBORS, TRAINING = f"{ROOM}/neighbors.py", f"{ROOM}/training.py"
RELUS = f"{ROOM}/relus.py"

MUTANTS = [
    # --- the model as it came ---
    Mutant("H1", RESTORE, "attributes[key] = value\n", "pass\n", TESTS),
    Mutant("H2", RESTORE, "generator.set_state(numbers)", "pass", TESTS),
    Mutant("H3", LOADING, "loader[k] for k in", "loader[0] for k in", TESTS),
    Mutant("H4", LOADING, "chosen[k::count]", "chosen[:1]", TESTS),
    # --- who calls whom ---
    Mutant("H5", CALLS, ", always_call=True", "", TESTS),
    # --- what is read off ---
    Mutant("H6", SETTINGS, "max(sizes) < 2 * min(sizes)", "True", TESTS),
    Mutant("H7", SETTINGS, " & (size.median() > ALIVE)", "", TESTS),
    Mutant(
        "H8", SETTINGS, "return own or list(part.parameters())", "return own", TESTS
    ),
    Mutant("H9", SETTINGS, "if not patient.training:", "if True:", TESTS),
    # --- what is measured ---
    Mutant("H10", STATISTICS, "seen.unbiased_var", "seen.unbiased_var * 4", TESTS),
    Mutant("H11", STATISTICS, "if seen.count < FEWEST:", "if False:", TESTS),
    Mutant("H12", NEIGHBORS, "if off > BORDER", "if off >= 0", TESTS),
    Mutant(
        "H13", NEIGHBORS, "return patient.modes[call.name] or", "return True or", TESTS
    ),
    Mutant("H14", NEIGHBORS, "if _share(source) > 0:", "if True:", TESTS),
    Mutant("H15", RELUS, "& (largest.to(low.device) <= 0)", "", TESTS),
    Mutant("H16", TRAINING, " and not loader.drop_last", "", TESTS),
    Mutant("H17", TRAINING, 'rate /= 1 - group["momentum"]', "pass", TESTS),
]
