"""Measure the data that two explorables show, once, with the code of their chapters.

``python -m tools.explore_data`` runs the cells of chapters 4 and 11 up to the nets they
train, tests these at more settings than the chapters have room for (minutes), and
writes ``bnlib/lab/explore/measured_*.mjs``; ``... batches`` and ``... prune`` do one
each. Then ``python -m tools.explore`` draws the pictures anew. The tests compare
what is stored with what the chapters print.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from tools import normal_form
from tools.exact_env import kernel_environment

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "bnlib" / "lab" / "explore"
SIZES = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 450)
RATIOS = (0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.88)  # a tenth of each layer stays
INSIDE = "EXPLORE_DATA_INSIDE"


def chapter(file, last):
    """Run the cells of a chapter up to one; return its names.

    Parameters
    ----------
    file : str
        Notebook in ``book/``, without its ending.
    last : str
        Id of the last cell that is run.
    """
    names = {"__name__": file}
    for cell in normal_form.code_cells(normal_form.read(ROOT / f"book/{file}.ipynb")):
        if "setup" not in normal_form.tags(cell):
            exec(compile(cell.source, cell["id"], "exec"), names)
        if cell["id"] == last:
            return names
    raise ValueError(f"{file} must have a cell {last!r}, got none; name another one")


def batches():
    """Return accuracies against the size of the test batch, mean of five seeds."""
    names = chapter("04-inference", "stream-table")
    nets, accuracy = names["nets"], names["accuracy"]

    def of(*how):
        return [100 * accuracy(net, *how) for net in nets]

    return {
        "sizes": SIZES,
        "running": rounded(of()),
        "mixed": [rounded(of(size, True)) for size in SIZES],
        "sorted": [rounded(of(size, True, True)) for size in SIZES],
    }


def pruned():
    """Return the gammas of a slimmed net, and accuracies against the share removed."""
    names = chapter("11-pruning", "scores")
    torch, score = names["torch"], names["score"]
    sparse, plain, seeds = names["sparse"], names["plain"], names["SEEDS"]
    names["TUNING"] = 150

    def tune(nets):
        pairs = zip(seeds, nets, strict=True)
        return [names["fit"](net, names["TUNING"], s, order=50) for s, net in pairs]

    def copies(nets):
        return [names["copy"].deepcopy(net) for net in nets]

    arms = {"gamma": [], "tuned": [], "random": [], "random_tuned": []}
    for ratio in RATIOS:
        slim = [names["slim"](net, ratio) if ratio else net for net in copies(sparse)]
        widths = [names["widths_of"](net) for net in slim]
        lots = zip(seeds, copies(plain), widths, strict=True)
        drawn = [names["drawn"](net, width, seed) for seed, net, width in lots]
        arms["gamma"].append(rounded(score(slim)))
        arms["random"].append(rounded(score(drawn)))
        arms["tuned"].append(rounded(score(tune(slim))))
        arms["random_tuned"].append(rounded(score(tune(drawn))))
    norms = [layer for layer in sparse[0] if isinstance(layer, torch.nn.BatchNorm2d)]
    sizes = [norm.weight.detach().abs().double().numpy() for norm in norms]
    gammas = [size.round(4).tolist() for size in sizes]
    return {"gammas": gammas, "ratios": RATIOS, **arms}


def rounded(accuracies):
    """Return the mean of the seeds and the distance to the farthest, in tenths."""
    values = np.asarray(accuracies, dtype=float)
    return [round(float(v), 1) for v in (values.mean(), values.min(), values.max())]


MEASURED = {"batches": batches, "prune": pruned}


def main(arguments=None):
    """Measure, in the exact environment, and write the modules."""
    parser = argparse.ArgumentParser(prog="python -m tools.explore_data")
    parser.add_argument("names", nargs="*", help=f"of {', '.join(MEASURED)}; or all")
    chosen = parser.parse_args(arguments).names or [*MEASURED]
    if unknown := {*chosen} - {*MEASURED}:
        parser.error(f"nothing measures {', '.join(sorted(unknown))}")
    if INSIDE not in os.environ:
        command = [sys.executable, "-m", "tools.explore_data", *chosen]
        env = kernel_environment() | {INSIDE: "1", "MPLBACKEND": "Agg"}
        return subprocess.run(command, cwd=ROOT, env=env).returncode
    for name in chosen:
        text = json.dumps(MEASURED[name](), separators=(", ", ": "))
        made = "// Measured by tools/explore_data.py with the code of the chapter.\n\n"
        path = FOLDER / f"measured_{name}.mjs"
        path.write_text(f"{made}export const MEASURED = {text};\n", encoding="utf-8")
        print(path.name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
