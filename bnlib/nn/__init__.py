"""The layers as PyTorch modules, and what becomes of them in training and after it.

:mod:`bnlib.nn.base` has the arithmetic, :mod:`bnlib.nn.layers` the five layers of
PyTorch, :mod:`bnlib.nn.variants` those that PyTorch does not have, :mod:`bnlib.nn.sync`
batch norm over several processes; :mod:`bnlib.nn.statistics` estimates running
statistics anew.
"""

from bnlib.nn.layers import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, RMSNorm
from bnlib.nn.statistics import heal, reestimate
from bnlib.nn.sync import SyncBatchNorm, convert_sync_batch_norm
from bnlib.nn.variants import DynamicTanh, GhostBatchNorm, LpBatchNorm

__all__ = [
    "BatchNorm",
    "DynamicTanh",
    "GhostBatchNorm",
    "GroupNorm",
    "InstanceNorm",
    "LayerNorm",
    "LpBatchNorm",
    "RMSNorm",
    "SyncBatchNorm",
    "convert_sync_batch_norm",
    "heal",
    "reestimate",
]
