"""Fill the numbers of verdicts and answers from the lines that the chapters print.

A verdict in ``book/claims.md`` does not type what was measured. It holds places that
name a claim line by its key,

    <!--W6.raw-->20<!--/--> times fewer steps, at least <!--W6.raw:bound-->15<!--/-->

which stand for the measured number of that line and for its bound; ``:tol`` stands for
the tolerance of a claim that two numbers are equal. So do the answers in
``book/faq.md``, below which stand the claims that they rest on, in bold type.
``python -m tools.verdicts`` fills both from the stored outputs of the chapters; with
``--check`` it changes nothing and exits with 1 if a number differs, if a line is
missing, if a measured number is stated whose bound would let it change by more than
half, or if a verdict or an answer holds a number that no claim line of it names.
"""

import argparse
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from tools import course
from tools import normal_form as nb

ROOT = Path(__file__).parents[1]
LEDGER, QUESTIONS = Path("book", "claims.md"), Path("book", "faq.md")
LINE = re.compile(
    r"✔ (?P<name>[A-Z]\d+)(?:\.(?P<key>[a-z][a-z0-9-]*))? · (?P<sentence>.+?) · "
    r"measured (?P<measured>\S+)(?: \((?P<spread>[^)]*)\))?, "
    r"needs (?P<op>\S+) (?P<bound>\S+)(?: ± (?P<tol>\S+))?(?: · (?P<scope>.+))?"
)
PLACE = re.compile(
    r"<!--(?P<id>[A-Z]\d+\.[a-z][a-z0-9-]*)(?P<part>:bound|:tol)?-->.*?<!--/-->"
)
ROW = re.compile(r"^\| \*\*(?P<name>[A-Z]\d+)\*\* \|(?P<cells>.*)\|$", re.MULTILINE)
ANSWER = re.compile(
    r"^### (?P<question>.+)\n\n(?P<text>.+)\n\n(?P<below>.+)$", re.MULTILINE
)
NAME = re.compile(r"\*\*([A-Z]\d+)\*\*")
NUMBER = re.compile(r"(?<![\w.^])\d+(?:\.\d+)?(?!\w)")
# How far a stated number may move before its claim fails, relative to its size.
LOOSEST = 0.5


@dataclass(frozen=True)
class Line:
    """A claim as a chapter has printed it."""

    name: str
    key: str | None
    sentence: str
    measured: str
    spread: str | None
    op: str
    bound: str
    tol: str | None
    scope: str | None
    chapter: str

    @property
    def seeds(self):
        """Number of seeds that the line names, 0 if none."""
        found = re.search(r"(\d+) seeds$", self.spread or "")
        return int(found[1]) if found else 0

    @property
    def room(self):
        """Largest relative change of the measured number that the claim lets pass."""
        measured, bound = float(self.measured), float(self.bound)
        if self.op == "==":
            return 0.0
        size = abs(measured) or 1.0
        if self.op == "~":
            return (float(self.tol) + abs(measured - bound)) / size
        return abs(measured - bound) / size


def read_lines(text, chapter):
    """Return the claims in a printed text."""
    found = (LINE.fullmatch(line.rstrip()) for line in text.splitlines())
    return [Line(**match.groupdict(), chapter=chapter) for match in found if match]


def claim_lines(root=ROOT):
    """Return the claims that chapters and pages have printed, in their order."""
    lines = []
    for file in course.measured(root):
        notebook = nb.read(root / "book" / f"{file}.ipynb")
        for cell in nb.code_cells(notebook):
            printed = [o.text for o in cell.outputs if o.get("name") == "stdout"]
            lines += read_lines("".join(printed), file)
    return lines


def filled(text, lines):
    """Return the text of a page with the numbers of these lines."""
    keyed = {f"{line.name}.{line.key}": line for line in lines if line.key}

    def number(place):
        line = keyed.get(place["id"])
        if line is None:
            return place[0]
        parts = {":bound": line.bound, ":tol": line.tol, None: line.measured}
        value = parts[place["part"]]
        return f"<!--{place['id']}{place['part'] or ''}-->{value}<!--/-->"

    return PLACE.sub(number, text)


def faults(text, lines):
    """List what is wrong with a page, beside numbers that are to be filled."""
    keyed = {f"{line.name}.{line.key}": line for line in lines if line.key}
    found = []
    if len(keyed) < sum(1 for line in lines if line.key):
        found.append("two claim lines have the same key; give each its own")
    for place in PLACE.finditer(text):
        line = keyed.get(place["id"])
        if line is None:
            found.append(f"{place['id']}: no chapter prints a claim of this key")
        elif place["part"] == ":tol" and line.tol is None:
            found.append(f"{place['id']}: the claim has no tolerance; state its bound")
        elif place["part"] is None and line.room > LOOSEST:
            found.append(
                f"{place['id']}: {line.measured} is stated, but the claim needs no "
                f"more than {line.op} {line.bound}; tighten it, or state its bound"
            )
    for row in ROW.finditer(text):
        verdict = row["cells"].split("|")[1]
        found += typed(verdict, {row["name"]}, lines, "the verdict")
    for answer in ANSWER.finditer(text):
        names = set(NAME.findall(answer["below"]))
        used = {place["id"].partition(".")[0] for place in PLACE.finditer(answer[0])}
        if not names or used != names & used:
            found.append(
                f"{answer['question']} must name the claims of its numbers below the "
                f"answer, got {sorted(names)} for {sorted(used)}; write them in bold"
            )
        found += typed(
            re.sub(r"`[^`]*`", "", answer["text"]), names, lines, "an answer"
        )
    return found


def typed(text, names, lines, where):
    """List the numbers of a text that no place holds and no claim line names."""
    own = [line for line in lines if line.name in names]
    known = " ".join(f"{line.sentence} {line.scope or ''}" for line in own)
    about = ", ".join(sorted(names))
    return [
        f"{about}: {number} is typed into {where}; take it from a claim line, or name "
        "the setting in one"
        for number in NUMBER.findall(PLACE.sub("", text))
        if number not in NUMBER.findall(known)
    ]


def main(arguments=None, root=ROOT):
    """Fill the pages, or say what differs; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.verdicts")
    parser.add_argument("--check", action="store_true")
    only_check = parser.parse_args(arguments).check
    lines, found = claim_lines(root), []
    for page in (LEDGER, QUESTIONS):
        text = (root / page).read_text(encoding="utf-8")
        new = filled(text, lines)
        found += [f"{page}: {fault}" for fault in faults(new, lines)]
        if new != text and only_check:
            found.append(f"{page}: a number differs; run python -m tools.verdicts")
        elif new != text:
            (root / page).write_text(new, encoding="utf-8")
            print(f"{page} filled")
    print(*found, sep="\n", end="\n" * bool(found), file=sys.stderr)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
