"""Make the table of `make bench` from pytest-benchmark's file, errors and memory.

``python -m tests.benchmarks.table times.json`` writes ``bnlib/lab/speed.json``, which
the page *How fast?* shows: ratios only, because seconds say more about the machine.
"""

import json
import platform
import sys
from pathlib import Path

import numpy
import torch

import bnlib
from tests.benchmarks import measure

FILE = Path(bnlib.__file__).parent / "lab" / "speed.json"


def ratios(times):
    """Return {(layer, shape): {contender: fastest round / PyTorch's fastest}}."""
    fastest = {}
    for run in times["benchmarks"]:
        about = run["extra_info"]
        case = fastest.setdefault((about["layer"], tuple(about["shape"])), {})
        fastest_turn = case.get(about["contender"], float("inf"))
        case[about["contender"]] = min(fastest_turn, run["stats"]["min"])
    return {
        case: {name: round(time / found["PyTorch"], 2) for name, time in found.items()}
        for case, found in fastest.items()
    }


def row(layer, shape, time):
    """Return one row of the table."""
    ours, theirs = (measure.error(who, layer, shape) for who in ("bnlib", "PyTorch"))
    return {
        "layer": layer,
        "shape": list(shape),
        "time": {name: t for name, t in time.items() if name != "PyTorch"},
        "error": {name: round(ours[name] / theirs[name], 2) for name in ours},
        "memory": round(measure.peak_memory("bnlib", layer, shape), 1),
    }


def text(table):
    """Return the table for the terminal."""
    head = f"{'layer':14s} {'shape':16s}  bnlib chapters copy |    y  d_x | memory"
    lines = [head]
    for r in table["rows"]:
        shape, t, e = "x".join(map(str, r["shape"])), r["time"], r["error"]
        lines.append(
            f"{r['layer']:14s} {shape:16s} {t['bnlib']:6.2f} {t['chapters']:8.2f} "
            f"{t['copy']:4.2f} | {e['y']:4.2f} {e['d_x']:4.2f} | {r['memory']:.1f}"
        )
    return "\n".join(lines)


def main(path):
    """Write the table and print it."""
    times = json.loads(Path(path).read_text(encoding="utf-8"))
    table = {
        "machine": times["machine_info"]["cpu"].get("brand_raw", platform.machine()),
        "numpy": numpy.__version__,
        "torch": torch.__version__.split("+")[0],
        "rows": [row(layer, shape, t) for (layer, shape), t in ratios(times).items()],
    }
    FILE.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    print(text(table))


if __name__ == "__main__":
    main(sys.argv[1])
