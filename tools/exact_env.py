"""The environment in which NumPy and PyTorch give the same bits on every x86-64 CPU.

Both libraries choose their inner loops when they are imported, so the variables must be
set for the kernel's process; inside a notebook it is too late. A CPU that lacks a
feature named here ignores it.
"""

import os

EXACT_ENV = {
    # A sum split over threads is rounded in another order.
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    # PyTorch's own loops. "default" would change even the initial weights.
    "ATEN_CPU_CAPABILITY": "avx2",
    # PyTorch's convolutions.
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    # PyTorch's matrix products: the only branch that is the same on Intel and AMD.
    "MKL_CBWR": "COMPATIBLE",
    # NumPy's matrix products.
    "OPENBLAS_CORETYPE": "Haswell",
    # NumPy's exp, log and friends; these are the names of NumPy 2.4 and later.
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
    "PYTHONHASHSEED": "0",
    # What else could show in an output: line width, clock, dates inside figures.
    "COLUMNS": "80",
    "TZ": "UTC",
    "SOURCE_DATE_EPOCH": "0",
    # Runs of the chapters are nobody's own exercises.
    "BNLIB_PROGRESS": "off",
    # What is stored of an explorable is its picture; the site brings the script.
    "BNLIB_EXPLORE": "still",
}

# MPLBACKEND=Agg, usual in CI, makes every inline figure vanish; the others would change
# what a cell warns about or how it is run.
FORGOTTEN = ("MPLBACKEND", "PYTHONWARNINGS", "PYTHONOPTIMIZE")


def kernel_environment():
    """Return the environment for a kernel: this process's, made exact."""
    inherited = {k: v for k, v in os.environ.items() if k not in FORGOTTEN}
    return inherited | EXACT_ENV
