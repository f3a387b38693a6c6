"""Bugs of the five layers in NumPy, forward and backward."""

from tests.mutants.mutant import Mutant

FILE = "bnlib/norms.py"
TESTS = "tests/test_norms.py tests/test_norms_guards.py"

MUTANTS = [
    Mutant(
        "N1",
        FILE,
        "inv_std[...] = 1 / np.sqrt(exact_var + eps)",
        "inv_std[...] = 1 / (np.sqrt(exact_var) + eps)",
        TESTS,
    ),
    Mutant("N2", FILE, "d_x += _wide(plain / count, d_x)", "pass", TESTS),
    Mutant("N3", FILE, "out -= _wide(rest, x)", "pass", TESTS),
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
    Mutant("N8", FILE, "d_y.astype(x_hat.dtype, copy=False)", "d_y", TESTS),
    Mutant(
        "N9",
        FILE,
        "d_gamma += _sum(cache.parameter_axes, d_y, x_hat)",
        "d_gamma += _sum(cache.parameter_axes, d_y, d_y)",
        TESTS,
    ),
    Mutant("N10", FILE, "scale = inv_std * gamma", "scale = inv_std", TESTS),
    Mutant("N11", FILE, "d_beta if cache.has_beta else None", "None", TESTS),
    Mutant("N13", FILE, "center=False, **layout", "center=True, **layout", TESTS),
    Mutant("N14", FILE, "y *= scale if gamma is None", "y *= scale if True", TESTS),
    Mutant("N15", FILE, 'finite_statistics("x", x, var)', "pass", TESTS),
    Mutant(
        "N16",
        FILE,
        "x_hat[...] = x\n",
        "x_hat[...] = x - x.mean(axes, keepdims=True)\n",
        TESTS,
    ),
    Mutant(
        "N17", FILE, "if not -x.ndim <= axis < x.ndim:", "if not axis < x.ndim:", TESTS
    ),
    Mutant("N18", FILE, "if d_y.shape != cache.shape:", "if False:", TESTS),
    Mutant(
        "N19",
        FILE,
        "np.multiply(x_hat, _wide(along / count, d_x), out=d_x)",
        "d_x[...] = 0",
        TESTS,
    ),
    Mutant("N20", FILE, "d_beta += plain.sum", "d_beta[...] = 2 * plain.sum", TESTS),
    Mutant("N21", FILE, "np.setbufsize(before)", "pass", TESTS),
    Mutant("N22", FILE, "mean += rest", "pass", TESTS),
]
