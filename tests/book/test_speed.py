"""The page *How fast?* shows the file that `make bench` stores, and nothing else."""

import json
from pathlib import Path

import pytest

import bnlib
from bnlib.lab.table import KIND
from tests.benchmarks import cases, measure, table
from tools import normal_form

ROOT = Path(bnlib.__file__).parents[1]
STORED = json.loads(table.FILE.read_text(encoding="utf-8"))


def printed():
    """Return the rows of the page's table, as stored in the notebook."""
    page = normal_form.read(ROOT / "book" / "speed.ipynb")
    cell = next(cell for cell in page.cells if cell.id == "table")
    return cell.outputs[0].data[KIND]["rows"]


def test_the_table_of_the_page_is_the_stored_one():
    lines = printed()
    assert len(lines) == len(STORED["rows"]) == len(cases.CASES)
    for line, row in zip(lines, STORED["rows"], strict=True):
        t, e = row["time"], row["error"]
        numbers = t["bnlib"], t["chapters"], t["copy"], e["y"], e["d_x"]
        shown = [*(f"{value:.2f}" for value in numbers), f"{row['memory']:.1f}"]
        assert line == [row["layer"], "x".join(map(str, row["shape"])), *shown]


def test_every_case_was_measured():
    assert [(r["layer"], tuple(r["shape"])) for r in STORED["rows"]] == cases.CASES


@pytest.mark.parametrize("layer", cases.SHAPES)
@pytest.mark.parametrize("contender", ["bnlib", "PyTorch"])
def test_the_contenders_compute_the_same(layer, contender):
    error = measure.error(contender, layer, (32, 16, 8, 8), draws=1)
    assert 0 < max(error.values()) < 1e-5


def test_memory_counts_the_results():
    # y, d_x and the kept x - mean; what is left are statistics and one block's scratch.
    assert 3 <= measure.peak_memory("bnlib", "batch norm", (8, 512, 7, 7)) < 3.5
    assert measure.peak_memory("copy", "batch norm", (8, 512, 7, 7)) < 1.1


def test_ratios_take_the_fastest_turn():
    def run(contender, time):
        about = {"layer": "batch norm", "shape": [2, 3], "contender": contender}
        return {"extra_info": about, "stats": {"min": time}}

    runs = [run("PyTorch", 4), run("bnlib", 9), run("PyTorch", 5), run("bnlib", 2)]
    found = table.ratios({"benchmarks": runs})
    assert found == {("batch norm", (2, 3)): {"PyTorch": 1.0, "bnlib": 0.5}}
