"""The numbers of the verdicts: taken from claim lines, and bound by them."""

import pytest

from tools import verdicts

PRINTED = """\
loss 3
✔ W6.raw · times fewer steps · measured 20 (16 to 25, 8 seeds), needs > 15 · 300 steps
✔ W6.loose · points gained · measured 12 (5 seeds), needs > 4 · digits
✔ W6.none · no effect · measured -0.1 (-1 to 1, 5 seeds), needs ~ 0 ± 0.5 · digits
✔ W6.grow · growth per layer · measured 1.2, needs ~ 1.211 ± 0.02
✔ W7 · 50 layers train · measured 0 (to rounding), needs < 1e-12
"""
LINES = verdicts.read_lines(PRINTED, "05-effects")


def row(verdict):
    return f"| **W6** | a slogan with 7 | {verdict} | scope |\n"


def test_lines_are_read_with_their_spread_and_scope():
    assert [line.key for line in LINES] == ["raw", "loose", "none", "grow", None]
    assert [line.seeds for line in LINES] == [8, 5, 5, 0, 0]
    assert LINES[0].scope == "300 steps"
    assert (LINES[2].bound, LINES[2].tol) == ("0", "0.5")
    assert LINES[4].bound == "1e-12"


def test_places_are_filled_with_the_measured_number_or_the_bound():
    text = row("about <!--W6.raw-->?<!--/-->, at least <!--W6.raw:bound-->9<!--/-->")
    new = verdicts.filled(text, LINES)
    assert "<!--W6.raw-->20<!--/-->, at least <!--W6.raw:bound-->15<!--/-->" in new
    assert verdicts.filled(new, LINES) == new
    assert verdicts.faults(new, LINES) == []


@pytest.mark.parametrize(
    "verdict, fault",
    [
        (
            "<!--W6.loose-->12<!--/-->",
            "12 is stated, but the claim needs no more than > 4",
        ),
        ("<!--W6.none-->-0.1<!--/-->", "-0.1 is stated"),
        ("<!--W6.raw:tol-->None<!--/-->", "W6.raw: the claim has no tolerance"),
        ("<!--W6.gone-->1<!--/-->", "W6.gone: no chapter prints a claim of this key"),
        ("a factor of 21", "W6: 21 is typed into the verdict"),
        ("a factor of 1.5", "W6: 1.5 is typed into the verdict"),
    ],
)
def test_a_number_that_nothing_binds_is_a_fault(verdict, fault):
    (found,) = verdicts.faults(row(verdict), LINES)
    assert fault in found


@pytest.mark.parametrize(
    "verdict",
    [
        "at least <!--W6.loose:bound-->4<!--/--> points",
        "within <!--W6.none:tol-->0.5<!--/--> points",
        "a growth of <!--W6.grow-->1.2<!--/--> per layer",
        "after 300 steps, by L1 and L2",  # a setting that a scope names; names of norms
    ],
)
def test_bounds_settings_and_names_are_fine(verdict):
    assert verdicts.faults(row(verdict), LINES) == []


def test_two_lines_of_one_key_are_a_fault():
    assert verdicts.faults("", [*LINES, LINES[0]]) == [
        "two claim lines have the same key; give each its own"
    ]
