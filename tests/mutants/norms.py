"""Bugs of the five layers in NumPy, forward and backward."""

from tests.mutants.mutant import Mutant

FILE = "bnlib/norms.py"
TESTS = "tests/test_norms.py tests/test_norms_guards.py"

MUTANTS = [
    Mutant(
        "N1",
        FILE,
        "1 / np.sqrt(exact_var + eps)",
        "1 / (np.sqrt(exact_var) + eps)",
        TESTS,
    ),
    Mutant("N2", FILE, "d_x += shift", "pass", TESTS),
    Mutant("N3", FILE, "(left**2 > limit * var).any()", "False", TESTS),
    Mutant("N5", FILE, "advice and view.size == var.size", "False", TESTS),
    Mutant("N6", FILE, "if var.min() < 0:", "if var.min() < -0.1:", TESTS),
    Mutant(
        "N7",
        FILE,
        "isinstance(num_groups, int | np.integer)",
        "isinstance(num_groups, int)",
        TESTS,
    ),
    Mutant("N8", FILE, "d_y.astype(x.dtype, copy=False)", "d_y", TESTS),
    Mutant(
        "N9",
        FILE,
        "d_gamma += _sum(cache.parameter_axes, d_x, x)",
        "d_gamma += _sum(cache.parameter_axes, d_x, d_x)",
        TESTS,
    ),
    Mutant("N10", FILE, "_wide(inv_std * gamma, x)", "_wide(inv_std, x)", TESTS),
    Mutant("N11", FILE, "v if given else None", "None", TESTS),
    Mutant("N13", FILE, "eps, None, **layout", "eps, 'x', **layout", TESTS),
    Mutant("N14", FILE, "y *= scale if gamma is None", "y *= scale if True", TESTS),
    Mutant("N15", FILE, 'finite_statistics("x", x, var)', "pass", TESTS),
    Mutant(
        "N16",
        FILE,
        "out[...] = x\n",
        "out[...] = x - x.mean(axes, keepdims=True)\n",
        TESTS,
    ),
    Mutant(
        "N17", FILE, "if not -x.ndim <= axis < x.ndim:", "if not axis < x.ndim:", TESTS
    ),
    Mutant("N18", FILE, "if d_y.shape != cache.shape:", "if False:", TESTS),
    Mutant(
        "N19",
        FILE,
        "np.multiply(x, slope, out=d_x)",
        "d_x[...] = 0",
        TESTS,
    ),
    Mutant("N20", FILE, "d_beta += plain.sum", "d_beta[...] = 2 * plain.sum", TESTS),
    Mutant("N21", FILE, "np.setbufsize(before)", "pass", TESTS),
    Mutant(
        "N22", FILE, "return mean + left, rest, var", "return mean, rest, var", TESTS
    ),
    Mutant("N23", FILE, "along_x += shift", "pass", TESTS),
    Mutant("N24", FILE, "limit = 4 if", "limit = np.inf if", TESTS),
    Mutant("N25", FILE, "plain / count - rest * slope", "plain / count", TESTS),
    Mutant(
        "N26",
        FILE,
        " for d_y, _, x, *_ in blocks) - rest * plain",
        " for d_y, _, x, *_ in blocks)",
        TESTS,
    ),
    Mutant("N27", FILE, "beta - left * scale", "beta", TESTS),
]
