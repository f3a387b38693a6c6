"""best_of_grid, fails_everywhere: what a grid can settle and what it can't."""

import numpy as np
import pytest

from bnlib.lab.grid import EdgeOfGrid, best_of_grid, fails_everywhere

RATES = [0.01, 0.1, 1.0, 10.0]
NAN = float("nan")


def test_the_best_is_chosen_by_the_mean_over_seeds():
    scores = [[50, 50, 50], [80, 80, 80], [99, 99, 20], [10, 10, 10]]
    assert best_of_grid(RATES, scores) == 1


def test_a_low_score_is_best_when_asked_for():
    assert best_of_grid(RATES, [700.0, 40.0, 30.0, NAN], higher=False) == 2


def test_a_setting_that_failed_for_one_seed_is_not_the_best():
    scores = [[50, 50], [80, 80], [99, NAN], [10, 10]]
    assert best_of_grid(RATES, scores) == 1


@pytest.mark.parametrize(
    "scores, match",
    [
        ([90, 80, 70, 60], r"got 0\.01 at the lower end of 0\.01 to 10; extend"),
        ([60, 70, 80, 90], r"got 10 at the upper end"),
        ([90, 90, 80, 70], "at the lower end"),  # a tie with the edge settles nothing
        ([NAN, NAN, NAN, NAN], "got none from 0.01 to 10"),
    ],
)
def test_an_edge_is_not_an_optimum(scores, match):
    with pytest.raises(EdgeOfGrid, match=match):
        best_of_grid(RATES, scores)


def test_a_net_fails_everywhere_between_too_small_and_too_large():
    assert fails_everywhere(RATES, [10, 12, 11, NAN], at_most=15) == 12
    assert fails_everywhere(RATES, [10, 12, 11, 10], at_most=15) == 12


@pytest.mark.parametrize(
    "scores, match",
    [
        ([10, 40, 10, NAN], r"no setting may reach more than 15, got 40 at 0\.1"),
        ([NAN, NAN, NAN, NAN], r"got an overflow at 0\.01; extend the grid downwards"),
        ([NAN, 10, 10, NAN], "extend the grid downwards"),
    ],
)
def test_a_failure_at_the_edge_is_refused(scores, match):
    with pytest.raises(EdgeOfGrid, match=match):
        fails_everywhere(RATES, scores, at_most=15)


def test_a_short_grid_without_an_overflow_is_refused():
    with pytest.raises(EdgeOfGrid, match="got 0.1 to 1; extend the grid upwards"):
        fails_everywhere([0.1, 0.3, 1.0], [10, 10, 10], at_most=15)


@pytest.mark.parametrize(
    "grid, scores, match",
    [
        ([0.1, 1.0], [1, 2], "three or more increasing numbers"),
        ([1.0, 0.1, 0.01], [1, 2, 1], "three or more increasing numbers"),
        (RATES, [1, 2, 1], r"4 rows, one for each setting, got shape \(3,\)"),
        (RATES, np.ones((4, 2, 2)), r"got shape \(4, 2, 2\)"),
    ],
)
def test_malformed_grids_are_refused(grid, scores, match):
    with pytest.raises(ValueError, match=match):
        best_of_grid(grid, scores)
