"""claim(): the printed line, the verdict and the refusals."""

import numpy as np
import pytest

from bnlib.lab.claims import ClaimFailed, can_compare, claim, mean_sd


@pytest.mark.parametrize(
    "value, op, bound, tol, line",
    [
        (27.34, ">", 20, None, "measured 27, needs > 20"),
        (0.9678, ">=", 0.9, None, "measured 0.97, needs >= 0.9"),
        (np.float64(-0.5), "<", 0, None, "measured -0.5, needs < 0"),
        (5463.0, ">", 1e3, None, "measured 5500, needs > 1000"),
        (5.463e7, ">", 1e6, None, "measured 5.5e+07, needs > 1e+06"),
        (3e-17, "<", 1e-12, None, "measured 0 (to rounding), needs < 1e-12"),
        (0.0, "<", 1e-12, None, "measured 0 (to rounding), needs < 1e-12"),
        (0.0, "<", 1.5, None, "measured 0, needs < 1.5"),
        (3e-17, "~", 0, 0.1, "measured 0 (to rounding), needs ~ 0 ± 0.1"),
        (0, "==", 0, None, "measured 0, needs == 0"),
        (1.2093, "~", 1.211, 0.01, "measured 1.2, needs ~ 1.211 ± 0.01"),
        (np.array(2.0), "<=", 2, None, "measured 2, needs <= 2"),
    ],
)
def test_a_claim_that_holds_prints_one_line(value, op, bound, tol, line, capsys):
    claim("B2", "the sentence", value, op, bound, tol=tol)
    assert capsys.readouterr().out == f"✔ B2 · the sentence · {line}\n"


@pytest.mark.parametrize(
    "value, op, bound, tol",
    [
        (1, "<", 1, None),
        (1.1, "<=", 1, None),
        (1, ">", 1, None),
        (0.9, ">=", 1, None),
        (1, "==", 2, None),
        (1.3, "~", 1.2, 0.05),
        (1.1, "~", 1.2, 0.05),
        (np.nan, "<", 1, None),
        (np.nan, "~", 1, 1),
    ],
)
def test_a_claim_that_fails_raises_and_prints_nothing(value, op, bound, tol, capsys):
    with pytest.raises(ClaimFailed, match=r"✘ B2 · the sentence · measured .*needs"):
        claim("B2", "the sentence", value, op, bound, tol=tol)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "arguments, match",
    [
        (("b2", "s", 1, "<", 2), "one capital letter and a number, .* got 'b2'"),
        (("B2.", "s", 1, "<", 2), "got 'B2.'"),
        (("B2.Key", "s", 1, "<", 2), "got 'B2.Key'"),
        (("B2", "s.", 1, "<", 2), r"without '·' and full stop, got 's\.'"),
        (("B2", "a · b", 1, "<", 2), "got 'a · b'"),
        (("B2", "s", 1, "!=", 2), "one of <, <=, >, >=, == or ~, got '!='"),
        (("B2", "s", 1, "~", 2), "op '~' and tol None"),
    ],
)
def test_malformed_claims_are_refused(arguments, match):
    with pytest.raises(ValueError, match=match):
        claim(*arguments)


def test_a_tolerance_with_another_operator_is_refused():
    with pytest.raises(ValueError, match="op '<' and tol 0.1"):
        claim("B2", "s", 1, "<", 2, tol=0.1)


def test_values_over_seeds_are_averaged_and_their_spread_is_printed(capsys):
    claim("B2.key", "gain", [5.0, 7.5, 6.0], ">", 4, on="digits, 90 steps")
    assert capsys.readouterr().out == (
        "✔ B2.key · gain · measured 6.2 (5 to 7.5, 3 seeds), needs > 4"
        " · digits, 90 steps\n"
    )


def test_the_mean_over_seeds_must_hold_and_a_failure_shows_all_of_them():
    with pytest.raises(ClaimFailed, match=r"measured 3\.0 of \[1\. 5\.\], needs > 4"):
        claim("B2", "gain", [1.0, 5.0], ">", 4)


def test_one_nan_among_the_seeds_fails_the_claim():
    with pytest.raises(ClaimFailed, match="nan"):
        claim("B2", "gain", [5.0, np.nan], ">", 4)


def test_equal_values_and_a_single_value_with_seeds(capsys):
    claim("B2", "points lost", [0.0, 0.0], "==", 0)
    claim("B2", "ratio of medians", 3.14159, ">", 2, seeds=5, on="digits")
    assert capsys.readouterr().out.splitlines() == [
        "✔ B2 · points lost · measured 0 (all 0, 2 seeds), needs == 0",
        "✔ B2 · ratio of medians · measured 3.1 (5 seeds), needs > 2 · digits",
    ]


@pytest.mark.parametrize(
    ("value", "op", "digits", "printed"),
    [
        (0.74, "<=", 0, "1, needs"),
        (-0.2, "<=", 0, "0, needs"),
        ([1.26, 1.84], "<=", 1, "1.6 (1.3 to 1.8, 2 seeds), needs"),
        # Rounded, these would seem to break the claim: two digits, as usual.
        (1.6, "<", 0, "1.6, needs"),
        (2.4, ">", 0, "2.4, needs"),
    ],
)
def test_digits_round_what_is_printed(value, op, digits, printed, capsys):
    claim("A1", "so it is", value, op, 2, digits=digits)
    assert f"measured {printed}" in capsys.readouterr().out


def test_digits_do_not_make_a_claim_hold():
    with pytest.raises(ClaimFailed):
        claim("A1", "so it is", 2.4, "<=", 2, digits=0)


def test_seeds_and_several_values_contradict_each_other():
    with pytest.raises(TypeError, match="got 2 values and seeds 2; leave seeds out"):
        claim("B2", "s", [1, 1], "<", 2, seeds=2)


def test_a_scope_with_a_dot_in_the_middle_is_refused():
    with pytest.raises(ValueError, match="a claim's scope must be one line"):
        claim("B2", "s", 1, "<", 2, on="digits · 90 steps")


def test_mean_and_standard_deviation_of_a_sample():
    assert mean_sd([89.0, 91.0, 93.0]) == "91 ± 2"
    assert mean_sd([0.5, 0.25], digits=2) == "0.38 ± 0.18"
    with pytest.raises(ValueError, match="at least two values, got 1"):
        mean_sd([1.0])


def test_a_comparison_that_is_passed_over_is_named(capsys):
    assert can_compare(np) and capsys.readouterr().out == ""
    assert not can_compare(None)
    assert capsys.readouterr().out == "PyTorch is not installed: not compared.\n"
    assert not can_compare(None, "SciPy")
    assert capsys.readouterr().out == "SciPy is not installed: not compared.\n"


@pytest.mark.parametrize(
    "value, op, printed",
    [
        (3.3e-7, "<", "0 (to rounding)"),
        (6.6e-7, "<=", "0 (to rounding)"),
        (0.0, "<", "0 (to rounding)"),
        (1.1e-6, "<", "1.1e-06"),
    ],
)
def test_rounding_of_float32_is_printed_alike_everywhere(value, op, printed, capsys):
    claim("F3", "s", value, op, 1e-5, rounding=1e-6)
    assert f"measured {printed}, needs" in capsys.readouterr().out


def test_rounding_makes_no_claim_hold():
    with pytest.raises(ClaimFailed):
        claim("F3", "s", 2e-5, "<", 1e-5, rounding=1e-6)


@pytest.mark.parametrize("rounding", [0.0, -1e-6, 1e-5, 1.0, np.nan])
def test_rounding_as_large_as_the_bound_is_refused(rounding):
    with pytest.raises(ValueError, match="between 0 and the bound 1e-05, got"):
        claim("F3", "s", 2e-7, "<", 1e-5, rounding=rounding)
