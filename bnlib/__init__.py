"""The small package behind the course *Batch Normalization, Measured*."""

from bnlib.exercises import (
    case,
    check,
    check_project,
    hint,
    progress,
    write_project,
)
from bnlib.lab.claims import claim
from bnlib.norms import (
    backward,
    batch_norm,
    batch_norm_inference,
    group_norm,
    instance_norm,
    layer_norm,
    rms_norm,
)
from bnlib.scaling import min_max, z_score

__version__ = "0.3.0"

__all__ = [
    "backward",
    "batch_norm",
    "batch_norm_inference",
    "case",
    "check",
    "check_project",
    "claim",
    "group_norm",
    "hint",
    "instance_norm",
    "layer_norm",
    "min_max",
    "progress",
    "rms_norm",
    "write_project",
    "z_score",
]
