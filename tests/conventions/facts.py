"""The conventions of five libraries: what the page prints and what the tests measure.

This is the only place where they are written by hand. ``python -m
tests.conventions.facts`` prints the tables for ``book/conventions.ipynb``;
``tests/test_conventions.py`` compares the page with them, and ``make conventions``
asks the libraries themselves. The test of an entry is
``tests/conventions/test_entries.py::test_entry[<library>-<question>]``.
"""

import re
from pathlib import Path

REQUIREMENTS = Path(__file__).parents[2] / "requirements-conventions.txt"

# library: name on the page
LIBRARIES = {
    "pytorch": "PyTorch",
    "keras": "Keras 3",
    "flax": "Flax",
    "onnx": "ONNX",
    "tensorflow": "TensorFlow",
}
PACKAGES = {name: name for name in LIBRARIES}
PACKAGES |= {"pytorch": "torch", "tensorflow": "tensorflow-cpu"}

# table: {question: (words on the page, one entry per library in the order above)}
# A question is the name of a function of `questions`, which measures the entry.
TABLES = {
    "statistics": {
        "normalizes": (
            "a training batch is normalized with the variance",
            ("÷ M", "÷ M", "÷ M", "÷ M", "÷ M"),
        ),
        "stores": (
            "the running variance receives the variance",
            ("÷ (M − 1)", "÷ M", "÷ M", "÷ M", "nothing is stored"),
        ),
        "weighs": (
            "momentum is the weight of",
            ("the new value", "the old value", "the old value", "the old value", "—"),
        ),
        "eps_place": (
            "ε is added to",
            ("the variance",) * 5,
        ),
    },
    "defaults": {
        "momentum": (
            "momentum",
            ("0.1", "0.99", "0.99", "0.9", "—"),
        ),
        "newest_weighs": (
            "so the newest batch weighs",
            ("0.1", "0.01", "0.01", "0.1", "—"),
        ),
        "eps": (
            "ε",
            ("`1e-5`", "`1e-3`", "`1e-5`", "`1e-5`", "must be given"),
        ),
        "running_start": (
            "running mean and variance start at",
            ("0 and 1", "0 and 1", "0 and 1", "must be given", "—"),
        ),
        "parameter_start": (
            "γ and β start at",
            ("1 and 0", "1 and 0", "1 and 0", "must be given", "must be given"),
        ),
        "axis": (
            "the channels are axis",
            ("1", "last", "last", "1", "last"),
        ),
        "mode": (
            "if nobody sets the mode, it uses the statistics of",
            ("the batch", "the past", "the batch", "the past", "must be given"),
        ),
    },
    "edges": {
        "one_value": (
            "training on one value per channel gives",
            ("`ValueError`", "zeros", "zeros", "zeros", "zeros"),
        ),
        "one_value_stored": (
            "and there the running variance",
            ("—", "shrinks", "shrinks", "shrinks", "—"),
        ),
        "frozen": (
            "freezing γ and β freezes the statistics",
            ("no", "yes", "no switch", "no switch", "no switch"),
        ),
        "far": (
            "training on float32 values of 10 000 ± 1 goes",
            ("right", "wrong on the torch backend", "wrong", "right", "right"),
        ),
        "names": (
            "γ, β, running mean and variance are called",
            (
                "`weight` `bias` `running_mean` `running_var`",
                "`gamma` `beta` `moving_mean` `moving_variance`",
                "`scale` `bias` `mean` `var`",
                "`scale` `B` `input_mean` `input_var`",
                "`scale` `offset` `mean` `variance`",
            ),
        ),
    },
}


HEADINGS = {"statistics": "statistics", "defaults": "default", "edges": "edge case"}


def facts():
    """Return every entry: {(library, question): text}."""
    return {
        (library, question): entry
        for rows in TABLES.values()
        for question, (_, entries) in rows.items()
        for library, entry in zip(LIBRARIES, entries, strict=True)
    }


def table(name):
    """Return one table as Markdown."""
    lines = [[HEADINGS[name], *LIBRARIES.values()]]
    lines += [["---"] * len(lines[0])]
    lines += [[words, *entries] for words, entries in TABLES[name].values()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def versions():
    """Return which versions were asked, in the words of the page."""
    pins = REQUIREMENTS.read_text(encoding="utf-8")
    found = dict(re.findall(r"^([\w-]+)==([\w.]+)", pins, re.MULTILINE))
    names = LIBRARIES | {"keras": "Keras"}
    return ", ".join(f"{names[k]} {found[PACKAGES[k]]}" for k in LIBRARIES)


if __name__ == "__main__":
    print(versions(), *map(table, TABLES), sep="\n\n")
