"""Report how many plausible wrong answers the checker names.

``python -m tools.exercise_report`` (``make exercise-report``) judges the wrong answers
of ``tests/exercises/blind/*.py``, which were written from the task texts alone. A name
counts if somebody has read it beside the answer and found it right: then it stands in
``read.json``. Any other name counts as misnamed until it is read; ``--accept`` writes
the present names there, after the reading.
"""

import argparse
import json
import runpy
import sys
from collections import Counter
from pathlib import Path

from bnlib.exercises import get
from bnlib.exercises.engine.checker import diagnose

ROOT = Path(__file__).parents[1]
LISTS = ROOT / "tests" / "exercises" / "blind"
KINDS = ("named", "misnamed", "unnamed", "accepted")


def lists(folder=LISTS):
    """Return the lists: {name: {exercise: {what is wrong: function}}}."""
    files = sorted(folder.glob("*.py"))
    return {file.stem: runpy.run_path(str(file))["ANSWERS"] for file in files}


def read(folder=LISTS):
    """Return the names that were read and found right: {exercise: {answer: name}}."""
    return json.loads((folder / "read.json").read_text(encoding="utf-8"))


def names(answers):
    """Return what the checker says: {exercise: {answer: (kind, name)}}.

    The kind is "accepted" (right after all), "named" or "unnamed". An answer that does
    what the starter of a repair does counts as unnamed.
    """
    found = {}
    for exercise, wrong in answers.items():
        found[exercise] = {}
        for label, fn in wrong.items():
            verdict = diagnose(get(exercise), fn)
            kind = "named" if verdict.misconception else "unnamed"
            kind = "accepted" if verdict.status == "right" else kind
            found[exercise][label] = kind, verdict.misconception
    return found


def counted(found, known):
    """Count by exercise: {exercise: Counter of KINDS}."""
    counts = {}
    for exercise, answers in found.items():
        counts[exercise] = Counter()
        for label, (kind, name) in answers.items():
            if kind == "named" and known.get(exercise, {}).get(label) != name:
                kind = "misnamed"
            counts[exercise][kind] += 1
    return counts


def rates(counts):
    """Return the shares of named and of misnamed answers among the wrong ones."""
    total = sum(counts.values(), Counter())
    wrong = sum(total[kind] for kind in KINDS[:3])
    return total["named"] / wrong, total["misnamed"] / wrong


def main(arguments=None, folder=LISTS):
    """Print the table of each list; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.exercise_report")
    parser.add_argument("--accept", action="store_true")
    accept = parser.parse_args(arguments).accept
    known = {} if accept else read(folder)
    for title, answers in lists(folder).items():
        found = names(answers)
        if accept:
            for exercise, wrong in found.items():
                right = {
                    k: name for k, (kind, name) in wrong.items() if kind == "named"
                }
                known.setdefault(exercise, {}).update(right)
        counts = counted(found, known)
        print(f"{title:32s}" + "".join(f"{kind:>10s}" for kind in KINDS))
        for exercise, row in counts.items():
            number = f"{get(exercise).number} {exercise}"
            print(f"  {number:30s}" + "".join(f"{row[kind]:10d}" for kind in KINDS))
        named, misnamed = rates(counts)
        print(f"  {named:.0%} named, {misnamed:.1%} misnamed\n")
    if accept:
        text = json.dumps(known, indent=1, sort_keys=True, ensure_ascii=False)
        (folder / "read.json").write_text(text + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
