"""What a number of the studies is, and from where on it says the opposite.

``QUANTITIES`` names, for each claim, the claim lines of the chapters that are measured
again. A chapter's line gives the number beside which the dots stand and the bound that
it needs. Here stand a few words for the reader, the number that would mean "no effect",
and a bound of its own where the chapter's depends on its data (points of accuracy, say,
where the best that a net can reach is another one).
"""

from dataclasses import dataclass

__all__ = ["COURSES", "QUANTITIES", "Course", "Quantity"]


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
    scale : float, default=1
        What the chapter's number is multiplied by, where it counts in other units; 0
        where it is a yes or a no and does not stand beside the dots.
    """

    what: str
    neutral: float
    op: str | None = None
    bound: float | None = None
    log: bool = False
    main: bool = True
    line: str | None = None
    scale: float = 1.0


@dataclass(frozen=True)
class Course:
    """A number over the steps of the training, or over sizes of a batch.

    Parameters
    ----------
    what, along : str
        What goes upwards and to the right, for the reader.
    series : dict
        Quantities by the word that stands at their line; at most two.
    log : bool, default=True
        Whether the horizontal scale is logarithmic.
    log_up : bool, default=False
        Whether the vertical one is.
    """

    what: str
    along: str
    series: dict
    log: bool = True
    log_up: bool = False


COURSES = {
    "I3": Course(
        "Points behind the population's statistics", "steps", {"": "I3.course"}
    ),
    "I4": Course(
        "Points lost by batch statistics", "examples in a batch", {"": "I4.course"}
    ),
    "W6": Course(
        "Accuracy in %, sigmoid and SGD, best rate each",
        "steps",
        {"plain": "W6.std-plain", "BN": "W6.std-bn"},
    ),
    "W8": Course(
        "Range of a unit's input, in units of that at the start, sigmoid nets",
        "steps",
        {"plain": "W8.sigmoid-course", "BN": "W8.bn-course"},
        log=False,
        log_up=True,
    ),
    "R6": Course(
        "Training loss with decay before the norms, and without",
        "steps",
        {"decay": "R6.loss-before", "none": "R6.loss-none"},
        log=False,
        log_up=True,
    ),
    "R1": Course(
        "Test accuracy in % with 20% wrong labels",
        "steps",
        {"of 4": "R1.test-4", "of 64": "R1.test-64"},
    ),
    "T1": Course(
        "Accuracy of a dense net in the dark, %",
        "images for new statistics",
        {"": "T1.dense-course"},
    ),
}

QUANTITIES = {
    # chapter 1
    "N3.pixel": Quantity(
        "Steps, raw pixels / pixels with their own means subtracted", 1, log=True
    ),
    "N3.channel": Quantity(
        "The same with one common mean", 1, ">", 1.1, log=True, main=False
    ),
    # chapter 4
    "I1.pooled": Quantity("Accuracy, one image in training mode, pooled head, %", 40),
    "I1.flatten": Quantity("Points lost by the same, flatten head", 0),
    "I2.depth": Quantity(
        "Spread behind the third norm, unbiased / biased, batches of 8", 1, "<", 0.86
    ),
    "I2.eight": Quantity("Points gained by storing the biased variance", 2, "<", 0.6),
    "I3.early": Quantity("Points behind the population's after 10 steps", 0),
    "I3.late": Quantity("The same after 300 steps", 5, "<", 1),
    "I4.pairs": Quantity("Points lost by batch statistics of pairs", 0, ">", 10),
    "I4.pass": Quantity("Points lost by a sorted pass in training mode", 0),
    "I5.lag": Quantity("Points lost by the lag alone, rate 0.3", 5, "<", 2),
    "I5.cut": Quantity("Points lost by the missing gradient alone", 0),
    "I5.overflow": Quantity(
        "On moving averages, rate 1: nets that overflow, %", 0, ">", 50, scale=20
    ),
    # chapter 5
    "W4.relu": Quantity("Largest rate that trains, BN / plain, ReLU", 1, log=True),
    "W4.tanh": Quantity("The same with tanh", 5, log=True),
    "W5.bn": Quantity(
        "Range of first weights that train, largest / smallest, BN", 1, log=True
    ),
    "W5.adam": Quantity("The same without BN, with Adam", 1, log=True),
    "W6.std": Quantity("Steps to the target, plain / BN, sigmoid and SGD", 1, log=True),
    "W6.adam": Quantity("The same with sigmoid and Adam", 1, log=True),
    "W6.relu": Quantity("The same with ReLU and Adam", 6.5, log=True),
    "W7.growth": Quantity(
        "Growth of the gradient for each ReLU layer, untrained", 1, ">", 1.18
    ),
    "W7.start": Quantity("First / last gradient, power of ten, untrained", 0),
    "W7.step": Quantity("The same after one step", 3),
    "W7.row": Quantity("Linear probe behind 50 layers in a row, %", 30),
    "W7.skips": Quantity("The same with skips, %", 10, ">", 20),
    "W8.sigmoid": Quantity(
        "Widest / narrowest range of a unit's input, plain sigmoid", 1, log=True
    ),
    "W8.relu": Quantity("The same, plain ReLU", 90, log=True),
    "W8.bn": Quantity("The same, sigmoid with BN", 90, log=True),
    "W10.adam": Quantity(
        "Accuracy of a net that SGD does not train, with Adam alone, %", 12, ">", 25
    ),
    # chapter 6
    "W1.noise": Quantity("Points that noise behind BN costs at rate 0.03", 0),
    "W1.calm": Quantity("Points of calm noise over moving noise", 20),
    "W1.high": Quantity("Points of noisy BN over the plain net at rate 1", 0),
    "W2.change": Quantity("Change of the gradient on the way, plain / BN", 1, log=True),
    "W2.beta": Quantity("The same per distance", 5, "<", 3, log=True),
    "W2.edge": Quantity("Change per distance, times half the rate, BN", 0, ">", 0.5),
    "W3.best": Quantity("Points between BN and L1 or L∞, best rate each", 15),
    "W3.lag": Quantity("Points of BN over L∞ at rate 0.03", 0),
    "W9.batch": Quantity(
        "Highest loss on a slice, plain / BN, batch statistics", 1, log=True
    ),
    "W9.frozen": Quantity("The same, BN frozen / plain", 0.3, log=True),
    "W9.plateau": Quantity("Share of a plane in which an untrained net guesses", 0),
    "W9.optimizer": Quantity("Loss barrier between SGD and Adam, one start", 0.5),
    "W9.start": Quantity("Loss barrier between two starts", 0),
    # chapter 7
    "P1.tanh": Quantity(
        "Points of BN after tanh over BN before, rate 3", 0, "<", -10, scale=10
    ),
    "P1.tuned-relu": Quantity(
        "Points between the orders, ReLU, best rate each",
        8,
        "<",
        3,
        line="P1.tuned",
        scale=0,
    ),
    "P1.tuned-tanh": Quantity(
        "The same with tanh", 8, "<", 3, line="P1.tuned", scale=0
    ),
    "P2.tanh": Quantity("Points of BN after over before, tanh, rate 0.03", 0),
    "P2.sigmoid": Quantity("The same with the sigmoid", 0),
    "P2.later": Quantity("The same with tanh after three times the steps", 20),
    "P3.none": Quantity("Saturated share of the last layer, tanh, rate 3, no BN", 0.3),
    "P3.before": Quantity("The same with BN before", 0.5),
    "P3.after": Quantity("The same with BN after", 0.1, ">", 0.5, scale=0),
    "P3.sigmoid": Quantity("Sigmoid without BN, rate 1, where it does not learn", 0.5),
    "P5.early": Quantity("Points of pre- over post-activation, early", 0),
    "P5.late": Quantity("The same later", 0),
    "P5.zero": Quantity("Points of a last gamma of 0 (post) over pre", -10),
    "P5.conv": Quantity("Convolutions: points of post over post with gamma 0", 0),
    "P6.zeros": Quantity("Share of zeros out of the ReLUs", 0),
    "P6.blind": Quantity(
        "Change of the loss by standardizing what hidden layers hand on", 0.1
    ),
    "P6.last": Quantity(
        "Share of the lead of BN after that the last layer explains", 0, ">", 0.8
    ),
    "P6.mean": Quantity(
        "Points that a handed-on mean costs, sigmoid, BN after, rate 1",
        0,
        ">",
        10,
        scale=0,
    ),
    # chapter 8
    "R1.exponent": Quantity("Exponent of a logit's scatter against batch size", 0),
    "R1.delay": Quantity(
        "Steps to learn 20% wrong labels, statistics of 4 / of 64",
        1,
        ">",
        5,
        log=True,
        scale=0,
    ),
    "R1.late": Quantity(
        "Points of statistics of 4 over 64 at the end", 0, ">", 5, scale=0
    ),
    "R1.early": Quantity("The same, each at its best step", 8),
    "R2.pairs": Quantity("Points of error, statistics of 2 over those of 32", 0),
    "R2.one": Quantity("The same with one position left", 0, ">", 20, scale=0),
    "R2.group-late": Quantity("Points of error, group norm over BN on pairs", 4),
    "R3.shared": Quantity("Points that one BN for all steps loses in eval mode", 0),
    "R3.layer": Quantity("Points of layer norm over one BN for each step", 0),
    "R5.sorted": Quantity("Points of error that sorted ghosts cost", 0),
    "R5.nothing": Quantity(
        "Accuracy without any norm in % of that with BN", 30, ">", 80, scale=0
    ),
    "R5.range": Quantity("Largest rate that trains, BN / nothing", 1, log=True),
    "R6.rises": Quantity(
        "Jumps of the loss with decay before norms", 0, ">=", 5, scale=0
    ),
    "R6.tenfold": Quantity(
        "Largest rise of the loss in one step", 1, ">", 10, log=True, scale=0
    ),
    "R6.none": Quantity("Jumps with decay of all else, or none", 25, "<", 1),
    # chapter 9
    "S1.halves": Quantity(
        "Weights off, parts of 32 of 64, % of the way", 0, ">", 1, log=True
    ),
    "S1.pairs": Quantity("The same, parts of 2", 0, ">", 10, log=True),
    "S1.even": Quantity(
        "33 + 31: error of averaged losses / of statistics apart", 1, log=True
    ),
    "S1.uneven": Quantity("48 + 16: the same", 1, log=True),
    # chapter 10
    "T1.dark": Quantity("Points regained in the dark by new statistics", 0, ">", 10),
    "T1.left": Quantity("Points still lost after that", 10, "<", 1.5),
    "T1.sixteen": Quantity("Points of 300 images over 16, conv nets", 5),
    "T1.dense": Quantity("Points of 256 images over 16, dense nets", 0),
    "T1.inverted": Quantity("Accuracy inverted, with new statistics", 0.5),
    "T1.fragile": Quantity("Points of a net without BN, mean of 6 shifts", 0),
    "T1.early": Quantity(
        "Points that frozen statistics cost after 30 steps", 0, ">", 10
    ),
    "T1.late": Quantity("The same after 300 steps", 20, "<", 15),
    "T1.forgets": Quantity("Points that a frozen backbone loses at home", 0, ">", 10),
    # chapter 11
    "G1.across": Quantity("Rank correlation of gamma and damage, no L1", 0.6),
    "G1.price": Quantity("The same with L1", 0, ">", 0.6),
    "G1.living": Quantity("With L1, within a layer, living channels", 0, ">", 0.5),
    "G2.lost": Quantity("Points lost by cutting 70% of the channels", 10),
    "G2.which": Quantity("Points of slimming over channels drawn by lot", 5),
    "G2.widths": Quantity("Points of the widths found over even widths", 0),
}
