"""The stored results: tidy CSV files, one for each family, written at once or not."""

import csv
import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from book.studies import FAMILIES

__all__ = ["COLUMNS", "FOLDER", "Row", "read", "write"]

FOLDER = Path(__file__).with_name("results")
COLUMNS = (
    "claim",
    "quantity",
    "setting",
    "data",
    "net",
    "optimizer",
    "steps",
    "seed",
    "at",
    "value",
    "cpu_seconds",
    "versions",
    "script",
    "digest",
)


@dataclass(frozen=True)
class Row:
    """One number with all that is known of it.

    Parameters
    ----------
    claim, quantity : str
        "W6" and the claim line's key, "W6.std".
    setting, data, net, optimizer : str
        Name of the row in the script's table, and what it says.
    steps, seed : int
    at : int or None
        Step of the training, where the quantity is a course.
    value : float
    cpu_seconds : float
        Of the whole setting: all its quantities and seeds.
    versions : str
        Of Python, NumPy, PyTorch and bnlib.
    script : str
        "effects.py:speed", the file and the function in it.
    digest : str
        Of the setting, so that a changed one is measured again.
    """

    claim: str
    quantity: str
    setting: str
    data: str
    net: str
    optimizer: str
    steps: int
    seed: int
    at: int | None
    value: float
    cpu_seconds: float
    versions: str
    script: str
    digest: str

    @property
    def unit(self):
        """What was measured together: function, setting and its digest."""
        return self.script, self.setting, self.digest


def read(family, folder=FOLDER):
    """Return the rows of a family; none where nothing is stored.

    Examples
    --------
    >>> read("scaling", Path("nowhere"))
    []
    """
    path = Path(folder) / f"{family}.csv"
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [_row(line) for line in csv.DictReader(file)]


def read_all(folder=FOLDER):
    """Return the rows of all families: {family: rows}."""
    return {family: read(family, folder) for family in FAMILIES}


def write(family, rows, folder=FOLDER):
    """Replace the file of a family by these rows, all of them or none."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{family}.csv"
    part = path.with_name(f".{family}.{os.getpid()}.part")
    with part.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(COLUMNS)
        for row in sorted(rows, key=_place):
            out.writerow([_text(getattr(row, name)) for name in COLUMNS])
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def values(rows):
    """Return the numbers by quantity and setting: {quantity: {setting: rows}}."""
    found = defaultdict(lambda: defaultdict(list))
    for row in rows:
        found[row.quantity][row.setting].append(row)
    return {quantity: dict(by) for quantity, by in found.items()}


def _place(row):
    at = -1 if row.at is None else row.at
    return row.script, row.setting, row.quantity, at, row.seed


def _text(value):
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _row(line):
    whole = {name: int(line[name]) for name in ("steps", "seed")}
    real = {name: float(line[name]) for name in ("value", "cpu_seconds")}
    at = {"at": int(line["at"]) if line["at"] else None}
    return Row(**(line | whole | real | at))
