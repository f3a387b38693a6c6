"""claim(): the printed line, the verdict and the refusals."""

import numpy as np
import pytest

from bnlib.lab.claims import ClaimFailed, claim


@pytest.mark.parametrize(
    "value, op, bound, tol, line",
    [
        (27.34, ">", 20, None, "measured 27, needs > 20"),
        (0.9678, ">=", 0.9, None, "measured 0.97, needs >= 0.9"),
        (np.float64(-0.5), "<", 0, None, "measured -0.5, needs < 0"),
        (5463.0, ">", 1e3, None, "measured 5500, needs > 1000"),
        (5.463e7, ">", 1e6, None, "measured 5.5e+07, needs > 1e+06"),
        (3e-17, "<", 1e-12, None, "measured 0 (to rounding), needs < 1e-12"),
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
        (("b2", "s", 1, "<", 2), "one capital letter and a number, got 'b2'"),
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
