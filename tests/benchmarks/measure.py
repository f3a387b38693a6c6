"""Error and memory of the contenders: what `make bench` stores beside the times."""

import tracemalloc

import numpy as np

from tests.benchmarks import cases

RESULTS = ("y", "d_x", "d_gamma", "d_beta")


def error(contender, layer, shape, draws=3):
    """Return the root mean square error of each result against float64, relative.

    The exact results are those of the chapters' lines, computed in float64 from the
    same float32 numbers; the mean over a few draws is returned.
    """
    found = []
    for seed in range(draws):
        given = cases.draw(layer, shape, seed)
        wide = [None if a is None else a.astype(np.float64) for a in given]
        pairs = zip(
            cases.CONTENDERS[contender](layer, *given),
            cases.chapter(layer, *wide),
            strict=False,  # PyTorch returns no gradient for a beta that is not there
        )
        found.append([_relative(a, b) for a, b in pairs if b is not None])
    return dict(zip(RESULTS, np.mean(found, axis=0), strict=False))


def peak_memory(contender, layer, shape):
    """Return the peak of what NumPy allocates, results included, in sizes of ``x``."""
    given = cases.draw(layer, shape)
    tracemalloc.start()
    try:
        cases.CONTENDERS[contender](layer, *given)
        return tracemalloc.get_traced_memory()[1] / given[0].nbytes
    finally:
        tracemalloc.stop()


def _relative(a, b):
    return np.sqrt(np.mean((a - b) ** 2) / np.mean(b**2))
