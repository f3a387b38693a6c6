"""Bugs of the five layers in NumPy, forward and backward."""

from tests.mutants.mutant import Mutant

FILE = "bnlib/norms.py"
TESTS = "tests/test_norms.py tests/test_norms_guards.py"

MUTANTS = [
    Mutant(
        "N1",
        FILE,
        "inv_std = 1 / np.sqrt(var + x.dtype.type(eps))",
        "inv_std = 1 / (np.sqrt(var) + x.dtype.type(eps))",
        TESTS,
    ),
    Mutant("N2", FILE, "d_x -= _sum(axes, d_x) / count", "pass", TESTS),
    Mutant("N3", FILE, "x_centered -= rest", "x_centered -= 0", TESTS),
    Mutant(
        "N5",
        FILE,
        '_several_values(x, axes, "use a larger batch, or layer_norm")',
        "pass",
        TESTS,
    ),
    Mutant("N6", FILE, "if var.min() < 0:", "if var.min() < -0.1:", TESTS),
    Mutant(
        "N7",
        FILE,
        "isinstance(num_groups, int | np.integer)",
        "isinstance(num_groups, int)",
        TESTS,
    ),
    Mutant("N8", FILE, "d_y.astype(x_centered.dtype, copy=False)", "d_y", TESTS),
    Mutant(
        "N9",
        FILE,
        "d_gamma = _sum(cache.parameter_axes, d_x, x_centered)",
        "d_gamma = _sum(cache.parameter_axes, d_y, x_centered)",
        TESTS,
    ),
    Mutant("N10", FILE, "np.square(inv_std) * _sum", "inv_std * _sum", TESTS),
    Mutant("N11", FILE, "if cache.has_beta:", "if False:", TESTS),
    Mutant("N12", FILE, "range(2, len(grouped))", "range(3, len(grouped))", TESTS),
    Mutant("N13", FILE, "center=False)", "center=True)", TESTS),
    Mutant("N14", FILE, "y *= scale if gamma is None", "y *= scale if True", TESTS),
    Mutant(
        "N15",
        FILE,
        'finite_statistics("x", x.reshape(caller_shape), var)',
        'finite_statistics("x", x, var)',
        TESTS,
    ),
    Mutant("N16", FILE, "(None, x.copy())", "(None, x)", TESTS),
    Mutant("N17", FILE, "if not 1 <= first < x.ndim:", "if not first < x.ndim:", TESTS),
    Mutant("N18", FILE, "if d_y.shape != cache.shape:", "if False:", TESTS),
    Mutant("N19", FILE, "d_x -= x_centered * through_var", "pass", TESTS),
]
