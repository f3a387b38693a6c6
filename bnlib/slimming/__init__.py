"""Network slimming: rank channels by gamma, plan what goes, and build the smaller net.

:mod:`bnlib.slimming.pruning` is what to call; :mod:`bnlib.slimming.wiring` finds which
channels belong together, :mod:`bnlib.slimming.constants` what a silenced channel still
says, and :mod:`bnlib.slimming.size` how large a model is.
"""

from bnlib.slimming.pruning import (
    AbsorbReport,
    Group,
    Plan,
    absorb,
    l1_gamma,
    plan,
    prune,
    shrink_gamma,
)
from bnlib.slimming.size import Summary, summary

__all__ = [
    "AbsorbReport",
    "Group",
    "Plan",
    "Summary",
    "absorb",
    "l1_gamma",
    "plan",
    "prune",
    "shrink_gamma",
    "summary",
]
