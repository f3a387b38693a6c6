"""State a claim, check it, and fail loudly when it does not hold."""

import operator
import re

__all__ = ["ClaimFailed", "claim"]

_COMPARE = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
}
# Below this a float64 result is rounding noise, whose digits differ between machines.
_ROUNDING = 1e-11


class ClaimFailed(AssertionError):
    """A claim of the book does not hold for the measured value."""


def claim(identifier, sentence, value, op, bound, *, tol=None):
    """Print one line that states a claim, or raise if the measurement contradicts it.

    The line is ``✔ identifier · sentence · measured value, needs op bound``; the ledger
    of the book is made from these lines. At most two digits of the value are printed,
    so that the stored line is the same on every machine.

    Parameters
    ----------
    identifier : str
        One capital letter and a number, as in the list of claims: ``"B2"``.
    sentence : str
        What is claimed, without the full stop.
    value : float
        What was measured.
    op : {"<", "<=", ">", ">=", "==", "~"}
        How value and bound must compare; ``"~"`` means equal within ``tol``.
    bound : float
        The number that the claim needs. Keep a margin over the spread of the seeds.
    tol : float, optional
        Largest distance from the bound, for ``op="~"`` only.

    Raises
    ------
    ClaimFailed
        If the measured value contradicts the claim, or is NaN.
    ValueError
        If the identifier, the operator or the tolerance is not one of the above.

    Examples
    --------
    >>> claim("N1", "a wide feature drowns a narrow one", 27.3, ">", 20)
    ✔ N1 · a wide feature drowns a narrow one · measured 27, needs > 20
    >>> claim("F4", "the layer is the identity", 2e-16, "<", 1e-12)
    ✔ F4 · the layer is the identity · measured 0 (to rounding), needs < 1e-12
    """
    _refuse_malformed(identifier, sentence, op, tol)
    value, bound = float(value), float(bound)
    if op == "~":
        holds, needs = abs(value - bound) <= tol, f"~ {bound:g} ± {tol:g}"
    else:
        holds, needs = _COMPARE[op](value, bound), f"{op} {bound:g}"
    if not holds:  # so also for NaN, which compares as False with everything
        raise ClaimFailed(
            f"✘ {identifier} · {sentence} · measured {value!r}, needs {needs}"
        )
    print(f"✔ {identifier} · {sentence} · measured {_short(value)}, needs {needs}")


def _refuse_malformed(identifier, sentence, op, tol):
    if not re.fullmatch(r"[A-Z]\d+", identifier):
        raise ValueError(
            "a claim's identifier must be one capital letter and a number, "
            f"got {identifier!r}; use the one in the list of claims, like 'B2'"
        )
    if "·" in sentence or "\n" in sentence or sentence.endswith("."):
        raise ValueError(
            "a claim's sentence must be one line without '·' and full stop, "
            f"got {sentence!r}; shorten it"
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


def _short(value):
    if abs(value) < _ROUNDING:
        return "0" if value == 0 else "0 (to rounding)"
    if 10 <= abs(value) < 1e5:
        return f"{float(f'{value:.2g}'):.0f}"
    return f"{value:.2g}"
