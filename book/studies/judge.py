"""Hold the stored results against what the chapters say.

For each quantity and setting the median over the seeds is held against the bound that
the claim needs: it *holds*, it is *smaller* than the claim needs, or *reversed*, beyond
the number that would mean no effect, with three seeds of four. A quantity holds if it
does in two settings of three and is reversed in none; the worst one decides on a claim.
"""

from collections import Counter
from dataclasses import dataclass
from statistics import median

from book.studies.quantities import QUANTITIES

__all__ = ["GROUPS", "Panel", "count", "of_claims", "panels", "share", "verdict"]

HOLDS, SMALLER, REVERSED = "holds", "smaller", "reversed"
# The word for a claim, and the heading of those that get it.
GROUPS = {
    "holds there too": "Facts about batch norm",
    "smaller": "Facts whose size belongs to the net",
    "reversed": "Facts about a small net",
}
WORDS = {HOLDS: "holds there too", SMALLER: "smaller", REVERSED: "reversed"}


@dataclass(frozen=True)
class Panel:
    """A quantity in one setting.

    Parameters
    ----------
    quantity, setting, data, net, optimizer, script : str
    steps : int
    values : tuple of float
        One for each seed.
    verdict : {"holds", "smaller", "reversed"}
    """

    quantity: str
    setting: str
    data: str
    net: str
    optimizer: str
    script: str
    steps: int
    values: tuple
    verdict: str

    @property
    def median(self):
        """Median over the seeds."""
        return median(self.values)


def state(quantity, values, line):
    """Say how the numbers of the seeds relate to what a claim needs.

    Parameters
    ----------
    quantity : Quantity
    values : sequence of float
        One for each seed.
    line : object with ``op``, ``bound``, ``tol``
        Of the chapter; its bound counts where the quantity has none of its own.

    Returns
    -------
    str
        "holds" if the median does; "reversed" if it lies beyond the number of no
        effect, and so do three seeds of four; otherwise "smaller".

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from book.studies.quantities import Quantity
    >>> line = SimpleNamespace(op=">", bound=4.0, tol=None)
    >>> [state(Quantity("a ratio", 1), [v], line) for v in (6, 2, 0.5)]
    ['holds', 'smaller', 'reversed']
    """
    op, middle = quantity.op or line.op, median(values)
    bound = line.bound if quantity.bound is None else quantity.bound
    if op == "~":
        return HOLDS if abs(middle - bound) <= line.tol else SMALLER
    sign = -1 if op.startswith("<") else 1
    far = sign * (middle - bound)
    if far > 0 or (far == 0 and "=" in op):
        return HOLDS
    beyond = [sign * (value - quantity.neutral) < 0 for value in values]
    opposite = sign * (middle - quantity.neutral) < 0
    return REVERSED if opposite and 4 * sum(beyond) >= 3 * len(beyond) else SMALLER


def panels(rows, lines):
    """Return what was measured: ``{claim: {quantity: [Panel, ...]}}``.

    Parameters
    ----------
    rows : sequence of Row
        Those of a course, with a step, are left out.
    lines : dict
        The chapters' lines by their keys.

    Raises
    ------
    KeyError
        If a quantity is not in the table, or no chapter prints a line of its key.
    """
    found, values = {}, {}
    for row in rows:
        if row.at is None and row.quantity in QUANTITIES:
            values.setdefault((row.quantity, row.script, row.setting), []).append(row)
    for (key, script, setting), same in values.items():
        numbers = tuple(r.value for r in sorted(same, key=lambda r: r.seed))
        how = QUANTITIES[key]
        judged = state(how, numbers, lines[how.line or key])
        one = same[0]
        of_claim = found.setdefault(one.claim, {})
        of_claim.setdefault(key, []).append(
            Panel(
                key,
                setting,
                one.data,
                one.net,
                one.optimizer,
                script,
                one.steps,
                numbers,
                judged,
            )
        )
    order = list(QUANTITIES)
    return {
        claim: dict(sorted(by.items(), key=lambda pair: order.index(pair[0])))
        for claim, by in found.items()
    }


def count(by_quantity):
    """Count the verdicts of the panels that decide a claim."""
    return Counter(
        panel.verdict
        for key, same in by_quantity.items()
        if QUANTITIES[key].main
        for panel in same
    )


def share(by_quantity):
    """Return the share of a claim's panels that hold."""
    counts = count(by_quantity)
    return counts[HOLDS] / sum(counts.values())


def verdict(by_quantity):
    """Return the word for a claim: that of its worst quantity.

    Examples
    --------
    >>> panel = Panel("W6.std", "", "", "", "", "", 1, (5.0,), "holds")
    >>> verdict({"W6.std": [panel]})
    'holds there too'
    """
    found = {
        _of_quantity(panels)
        for key, panels in by_quantity.items()
        if QUANTITIES[key].main
    }
    return WORDS[next(word for word in (REVERSED, SMALLER, HOLDS) if word in found)]


def _of_quantity(panels):
    counts = Counter(panel.verdict for panel in panels)
    if counts[REVERSED]:
        return REVERSED
    return HOLDS if 3 * counts[HOLDS] >= 2 * len(panels) else SMALLER


def of_claims(rows, lines):
    """Return the word for each claim: {claim: word}."""
    return {claim: verdict(by) for claim, by in panels(rows, lines).items()}
