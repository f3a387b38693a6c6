"""What a number of the studies is, and from where on it says the opposite.

``QUANTITIES`` names, for each claim, the claim lines of the chapters that are measured
again. A chapter's line gives the number beside which the dots stand and the bound that
it needs. Here stand a few words for the reader, the number that would mean "no effect",
and a bound of its own where the chapter's depends on its data (points of accuracy, say,
where the best that a net can reach is another one).
"""

from dataclasses import dataclass

__all__ = ["QUANTITIES", "Quantity"]


@dataclass(frozen=True)
class Quantity:
    """A number that is measured in several settings.

    Parameters
    ----------
    what : str
        In words, for the reader.
    neutral : float
        What it would be without an effect: 0 points, a ratio of 1. From there on the
        other way the claim is reversed. For an upper bound, where it is broken.
    op, bound : str, float, optional
        What the number must keep for the claim to hold; by default the chapter's.
    log : bool, default=False
        Whether to draw it on a logarithmic scale.
    main : bool, default=True
        Whether the verdict on the claim depends on it.
    line : str, optional
        Key of the chapter's line, where it is not the quantity's own.
    """

    what: str
    neutral: float
    op: str | None = None
    bound: float | None = None
    log: bool = False
    main: bool = True
    line: str | None = None


QUANTITIES = {
    # chapter 5
    "W4.relu": Quantity("Largest rate that trains, BN / plain, ReLU", 1, log=True),
    "W4.tanh": Quantity("The same with tanh", 5, log=True),
    "W5.bn": Quantity(
        "Range of first weights that train, largest / smallest, BN", 1, log=True
    ),
    "W5.adam": Quantity("The same without BN, with Adam", 1, log=True),
    "W6.std": Quantity("Steps to the target, plain / BN, sigmoid and SGD", 1, log=True),
    "W6.adam": Quantity("The same with sigmoid and Adam", 1, log=True),
    "W6.relu": Quantity("The same with ReLU and Adam", 3, log=True),
    "W7.growth": Quantity(
        "Growth of the gradient for each ReLU layer, untrained", 1, ">", 1.15
    ),
    "W7.start": Quantity("First / last gradient, power of ten, untrained", 0),
    "W7.step": Quantity("The same after one step", 3),
    "W7.row": Quantity("Linear probe behind 50 layers in a row, %", 30, "<", 20),
    "W7.skips": Quantity("The same with skips, %", 20, ">", 35),
    "W8.sigmoid": Quantity(
        "Widest / narrowest range of a unit's input, plain sigmoid", 1, log=True
    ),
    "W8.relu": Quantity("The same, plain ReLU", 90, log=True),
    "W8.bn": Quantity("The same, sigmoid with BN", 90, log=True),
    "W10.adam": Quantity(
        "Accuracy of a net that SGD does not train, with Adam alone, %", 15
    ),
}
