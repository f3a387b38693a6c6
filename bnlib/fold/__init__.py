"""Fold batch norm into the layer next to it, in a pair of layers or a whole model."""

from bnlib.fold.model import FoldReport, fold
from bnlib.fold.pair import fold_batch_norm, fold_into_next

__all__ = ["FoldReport", "fold", "fold_batch_norm", "fold_into_next"]
