"""State a claim, check it, and fail loudly when it does not hold."""

import operator
import re

import numpy as np

__all__ = ["ClaimFailed", "can_compare", "claim", "mean_sd"]

_COMPARE = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
}
# Below this a float64 result is rounding noise, whose digits differ between machines.
_ROUNDING = 1e-11
# A claim with a smaller bound says that two ways of computing one number agree.
_TINY = 1e-6


class ClaimFailed(AssertionError):
    """A claim of the book does not hold for the measured value.

    Examples
    --------
    >>> try:
    ...     claim("N1", "a wide feature drowns a narrow one", 7.0, ">", 20)
    ... except ClaimFailed as error:
    ...     print(error)
    ✘ N1 · a wide feature drowns a narrow one · measured 7.0, needs > 20
    """


def claim(
    identifier,
    sentence,
    value,
    op,
    bound,
    *,
    tol=None,
    seeds=None,
    on=None,
    digits=None,
    rounding=None,
):
    """Print one line that states a claim, or raise if the measurement contradicts it.

    The line is ``✔ identifier · sentence · measured value, needs op bound``, with the
    spread over seeds behind the value and the scope at the end if they are given; the
    ledger of the book is made from these lines. At most two digits of a number are
    printed, so that the stored line is the same on every machine.

    Parameters
    ----------
    identifier : str
        One capital letter and a number, as in the list of claims: ``"B2"``; with a key,
        ``"B2.cosine"``, the ledger's verdict can state the number of this very line.
    sentence : str
        What is claimed, without the full stop.
    value : float or sequence of float
        What was measured; or one value for each seed, of which the mean is compared
        and printed with the smallest, the largest and the number of seeds.
    op : {"<", "<=", ">", ">=", "==", "~"}
        How value and bound must compare; ``"~"`` means equal within ``tol``.
    bound : float
        The number that the claim needs. Keep a margin over the spread of the seeds.
    tol : float, optional
        Largest distance from the bound, for ``op="~"`` only.
    seeds : int, optional
        Number of seeds behind a single value, as a ratio of two medians is.
    on : str, optional
        What it was measured on: data, network, optimizer, steps.
    digits : int, optional
        Decimals that are printed of what was measured, where the two usual digits
        would differ between machines, as after a training in float32. The comparison
        takes the value as it is.
    rounding : float, optional
        Below this a value is nothing but rounding, whose digits differ between
        machines, and is printed as 0: 1e-6, say, for relative errors in float32. By
        default 1e-11, if the bound is below 1e-6.

    Raises
    ------
    ClaimFailed
        If the measured value contradicts the claim, or is NaN.
    TypeError
        If ``seeds`` is given together with one value for each seed.
    ValueError
        If the identifier, a text, the operator or the tolerance is not as above, or if
        the bound is not above ``rounding``.

    Examples
    --------
    >>> claim("N1", "a wide feature drowns a narrow one", 27.3, ">", 20)
    ✔ N1 · a wide feature drowns a narrow one · measured 27, needs > 20
    >>> claim("F4", "the layer is the identity", 2e-16, "<", 1e-12)
    ✔ F4 · the layer is the identity · measured 0 (to rounding), needs < 1e-12
    >>> claim("F4", "the same in float32", 2e-07, "<", 1e-5, rounding=1e-6)
    ✔ F4 · the same in float32 · measured 0 (to rounding), needs < 1e-05
    >>> claim("W4.gain", "points gained", [5.0, 7.5, 6.0], ">", 4, on="digits")
    ✔ W4.gain · points gained · measured 6.2 (5 to 7.5, 3 seeds), needs > 4 · digits
    """
    _refuse_malformed(identifier, sentence, op, tol, on)
    if rounding is not None and not 0 < rounding < bound:
        raise ValueError(
            f"rounding must lie between 0 and the bound {bound}, got {rounding}; "
            "a claim with a smaller bound says nothing"
        )
    values = np.atleast_1d(np.asarray(value, dtype=float))
    if values.size > 1 and seeds is not None:
        raise TypeError(
            f"seeds goes with a single value, got {values.size} values and seeds "
            f"{seeds}; leave seeds out"
        )
    measured, bound = float(values.mean()), float(bound)
    needs = f"~ {bound:g} ± {tol:g}" if op == "~" else f"{op} {bound:g}"
    # So also for NaN, with which every comparison is False.
    if not _holds(measured, op, bound, tol):
        shown = f"{measured!r}" if values.size == 1 else f"{measured!r} of {values}"
        raise ClaimFailed(
            f"✘ {identifier} · {sentence} · measured {shown}, needs {needs}"
        )
    # Another order of the same sums may give exactly 0: that is rounding, too.
    level = rounding or (_ROUNDING if bound < _TINY else 0.0)
    rounded = abs(measured) < level and op in ("<", "<=")
    if digits is not None and not _holds(round(measured, digits), op, bound, tol):
        digits = None  # a rounded 0.96 would seem to break "< 1"
    shown = "0 (to rounding)" if rounded else _short(measured, digits)
    print(
        f"✔ {identifier} · {sentence} · "
        f"measured {shown}{_over_seeds(values, seeds, digits)}, needs {needs}"
        + (f" · {on}" if on else "")
    )


def can_compare(library, name="PyTorch"):
    """Say whether a library is there to compare with, and print a line if it is not.

    So a claim that is passed over does not go unnoticed.

    Parameters
    ----------
    library : module or None
        The library, None where it could not be imported.
    name : str, default="PyTorch"
        What readers call it.

    Returns
    -------
    bool
        True if there is a library.

    Examples
    --------
    >>> can_compare(np, "NumPy")
    True
    >>> can_compare(None)
    PyTorch is not installed: not compared.
    False
    """
    if library is None:
        print(f"{name} is not installed: not compared.")
    return library is not None


def mean_sd(values, digits=0):
    """Write the mean over seeds and their standard deviation.

    Parameters
    ----------
    values : sequence of float
        One for each seed, at least two.
    digits : int, default=0
        Decimals of both numbers.

    Returns
    -------
    str
        ``"91 ± 2"``; the standard deviation is that of a sample (divided by n - 1).

    Raises
    ------
    ValueError
        If there are fewer than two values.

    Examples
    --------
    >>> mean_sd([89.0, 91.0, 93.0])
    '91 ± 2'
    """
    values = np.asarray(values, dtype=float).ravel()
    if values.size < 2:
        raise ValueError(
            f"a spread needs at least two values, got {values.size}; run more seeds"
        )
    return f"{values.mean():.{digits}f} ± {values.std(ddof=1):.{digits}f}"


def _refuse_malformed(identifier, sentence, op, tol, on):
    if not re.fullmatch(r"[A-Z]\d+(\.[a-z][a-z0-9-]*)?", identifier):
        raise ValueError(
            "a claim's identifier must be one capital letter and a number, perhaps "
            f"with a key in lower case, got {identifier!r}; write it like 'B2' or "
            "'B2.cosine'"
        )
    for name, text in (("sentence", sentence), ("scope", on or "")):
        if "·" in text or "\n" in text or text.endswith("."):
            raise ValueError(
                f"a claim's {name} must be one line without '·' and full stop, "
                f"got {text!r}; shorten it"
            )
    if op not in (*_COMPARE, "~"):
        raise ValueError(
            f"op must be one of {', '.join(_COMPARE)} or ~, got {op!r}; choose one"
        )
    if (op == "~") != (tol is not None):
        raise ValueError(
            f"tol goes with op '~' and with no other, got op {op!r} and tol {tol}; "
            "give both or neither"
        )


def _holds(measured, op, bound, tol):
    if op == "~":
        return abs(measured - bound) <= tol
    return _COMPARE[op](measured, bound)


def _over_seeds(values, seeds, digits):
    """Say how the values spread, or how many seeds are behind a single one."""
    if values.size > 1:
        low, high = _short(values.min(), digits), _short(values.max(), digits)
        spread = f"all {low}" if low == high else f"{low} to {high}"
        return f" ({spread}, {values.size} seeds)"
    return f" ({seeds} seeds)" if seeds else ""


def _short(value, digits):
    if digits is not None:
        return f"{round(value, digits) + 0.0:.{digits}f}"  # no minus zero
    if abs(value) < _ROUNDING:
        return "0" if value == 0 else "0 (to rounding)"
    if 10 <= abs(value) < 1e5:
        return f"{float(f'{value:.2g}'):.0f}"
    return f"{value:.2g}"
