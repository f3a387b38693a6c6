"""Choose the best of a grid of settings, and refuse an answer that stands at its edge.

"Without batch norm no rate works" is often true of the rates that were tried. A grid
settles a question only if its optimum lies inside, and a net fails everywhere only if
the grid reaches from rates that are too small to rates that are too large.
"""

import numpy as np

__all__ = ["EdgeOfGrid", "best_of_grid", "fails_everywhere"]


class EdgeOfGrid(ValueError):
    """The grid is too short for what is asked of it.

    Examples
    --------
    >>> try:
    ...     best_of_grid([0.01, 0.1, 1.0], [10, 50, 90])
    ... except EdgeOfGrid as error:
    ...     print(str(error).partition(";")[0])
    the best of a grid must lie inside it, got 1 at the upper end of 0.01 to 1
    """


def best_of_grid(grid, scores, *, higher=True):
    """Return the position of the best setting, if it lies inside the grid.

    Parameters
    ----------
    grid : sequence of float
        Settings in increasing order, at least three: learning rates, say.
    scores : array_like of shape (len(grid),) or (len(grid), seeds)
        What each of them led to. Over seeds the mean counts; a setting with a NaN, as
        of a run that overflowed, has failed.
    higher : bool, default=True
        Whether a high score is a good one (accuracy) or a low one (loss, steps).

    Returns
    -------
    int
        Index of the best setting.

    Raises
    ------
    EdgeOfGrid
        If the best setting is the first or the last, so that a better one may lie
        outside, or if all failed.
    ValueError
        If ``grid`` does not increase or ``scores`` has another length.

    Examples
    --------
    >>> best_of_grid([0.01, 0.1, 1.0], [[71, 75], [90, 92], [11, 10]])
    1
    """
    grid, means = _means(grid, scores)
    worst = -np.inf if higher else np.inf
    means = np.where(np.isnan(means), worst, means)
    best = int(means.argmax() if higher else means.argmin())
    if means[best] == worst:
        raise EdgeOfGrid(
            f"a setting of the grid must succeed, got none from {grid[0]:g} to "
            f"{grid[-1]:g}; extend the grid, or ask fails_everywhere"
        )
    if best in (0, len(grid) - 1):
        end = "lower" if best == 0 else "upper"
        raise EdgeOfGrid(
            f"the best of a grid must lie inside it, got {grid[best]:g} at the {end} "
            f"end of {grid[0]:g} to {grid[-1]:g}; extend the grid there"
        )
    return best


def fails_everywhere(grid, scores, at_most):
    """Return the best score of a net that no setting of the grid trains.

    Parameters
    ----------
    grid : sequence of float
        Settings in increasing order, at least three.
    scores : array_like of shape (len(grid),) or (len(grid), seeds)
        As in :func:`best_of_grid`; NaN stands for a run that overflowed.
    at_most : float
        Score up to which a net counts as not trained, a little above chance.

    Returns
    -------
    float
        The best mean over seeds.

    Raises
    ------
    EdgeOfGrid
        If a setting trains the net; if the smallest one overflows, so that a smaller
        one may train it; or if the largest one does not overflow and the grid spans
        less than a factor of 1000, so that a larger one may.
    ValueError
        As :func:`best_of_grid`.

    Examples
    --------
    >>> fails_everywhere([0.001, 0.01, 0.1, 1.0], [10.0, 11.0, 10.0, float("nan")], 15)
    11.0
    """
    grid, means = _means(grid, scores)
    if np.nanmax(means, initial=-np.inf) > at_most:
        best = int(np.nanargmax(means))
        raise EdgeOfGrid(
            f"no setting may reach more than {at_most:g}, got {means[best]:.3g} at "
            f"{grid[best]:g}; the net can be trained"
        )
    if np.isnan(means[0]):
        raise EdgeOfGrid(
            "the smallest setting must be too small and not too large, got an overflow "
            f"at {grid[0]:g}; extend the grid downwards"
        )
    if not np.isnan(means[-1]) and grid[-1] < 1000 * grid[0]:
        raise EdgeOfGrid(
            "the largest setting must overflow, or the grid span a factor of 1000, got "
            f"{grid[0]:g} to {grid[-1]:g}; extend the grid upwards"
        )
    return float(np.nanmax(means))


def _means(grid, scores):
    grid, scores = np.asarray(grid, dtype=float), np.asarray(scores, dtype=float)
    if grid.ndim != 1 or len(grid) < 3 or (np.diff(grid) <= 0).any():
        raise ValueError(
            f"grid must be three or more increasing numbers, got {grid.tolist()}; "
            "sort it, or try more settings"
        )
    if scores.ndim not in (1, 2) or len(scores) != len(grid):
        raise ValueError(
            f"scores must have {len(grid)} rows, one for each setting, got shape "
            f"{scores.shape}; put the seeds on axis 1"
        )
    return grid, scores.reshape(len(grid), -1).mean(axis=1)
