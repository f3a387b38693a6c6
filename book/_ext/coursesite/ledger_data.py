"""What the ledger says of a claim, apart from how the page shows it.

The word of a verdict, the numbers of a line and its bar, the articles that make a
statement, and ``ledger.json``.
"""

import re
from dataclasses import dataclass

LIMITS, QUESTIONS = "within limits", {"holds": "yes", "false": "no"}
# How the italic words of a verdict begin, and what this means; the first that fits.
OPENINGS = [
    (
        r"Half |True premise|False, and|False of|Holds in part|.*, false for",
        "half true",
    ),
    (r"Holds(?:\.|:| exactly|, and)|Yes", "holds"),
    (r"Holds|True|A little|One remedy|It finds|Not a layer yet", LIMITS),
    (r"Not shown|Not needed|Hardly", "not shown"),
    (r"False|Not|No\b", "false"),
]
MEANING = {
    "holds": "as it is said",
    LIMITS: "and the verdict names them",
    "half true": "one part of the statement, or for another reason",
    "not shown": "the experiment that could have shown it did not",
    "false": "the measurement says otherwise",
    "yes": "to a question of the clinic",
    "depends": "of which the clinic says on what",
    "no": "to a question of the clinic",
}
MEASURED = re.compile(r"(?P<value>\S+)(?: \((?P<spread>[^)]*)\))?")
NEEDS = re.compile(r"(?P<op>\S+) (?P<bound>\S+)(?: ± (?P<tol>\S+))?")
RANGE = re.compile(r"(\S+) to (\S+), (\d+) seeds")
HEADING = re.compile(r"^## (.+)$")
STATEMENT = re.compile(r"^\| [^|]+ \d+ \|.*\]\(claims\.md\)")
NAMED = re.compile(r"\[([A-Z]\d+)(?:\.[a-z0-9-]+)?\]\(claims\.md\)")


def word(italics, question=False):
    """Return the verdict that these words open with, None if it is unknown.

    A question is answered with yes or no, or it depends.
    """
    found = next((w for start, w in OPENINGS if re.match(start, italics)), None)
    return QUESTIONS.get(found, "depends") if question else found


@dataclass(frozen=True)
class Numbers:
    """The numbers of a line, as it states them."""

    value: float
    low: float | None
    high: float | None
    seeds: int
    op: str
    bound: float
    tol: float | None

    @property
    def allowed(self):
        """From where to where the value may lie; None is an open end."""
        if self.op == "~":
            return self.bound - self.tol, self.bound + self.tol
        if self.op == "==":
            return self.bound, self.bound
        return (self.bound, None) if ">" in self.op else (None, self.bound)


def number(text):
    return float(text.replace(",", ""))


def numbers(measured, needs):
    """Read "22 (20 to 24, 5 seeds)" and "> 12"; None where they are no numbers."""
    left, right = MEASURED.fullmatch(measured), NEEDS.fullmatch(needs)
    try:
        value, bound = number(left["value"]), number(right["bound"])
        tol = number(right["tol"]) if right["tol"] else None
    except (TypeError, ValueError):
        return None
    spread = RANGE.fullmatch(left["spread"] or "")
    low, high = (number(spread[1]), number(spread[2])) if spread else (None, None)
    seeds = re.search(r"(\d+) seeds", left["spread"] or "")
    count = int(seeds[1]) if seeds else 0
    return Numbers(value, low, high, count, right["op"], bound, tol)


def bar(known):
    """Draw where the value lies, how it scatters and where it may lie.

    The words beside it say the same, so that it is hidden from those who listen.
    """
    start, end = known.allowed
    ends = [p for p in (start, end) if p is not None]
    low = known.value if known.low is None else known.low
    high = known.value if known.high is None else known.high
    points = [0.0, known.value, low, high, *ends]
    least, most = min(points), max(points)
    room = (most - least) * 0.08 or 1.0
    least, most = least - room, most + room

    def place(point):
        return round(100 * (point - least) / (most - least), 1)

    left = 0.0 if start is None else place(start)
    right = 100.0 if end is None else place(end)
    ticks = "".join(f'<path class="bound" d="M{place(p)} 0v10"/>' for p in ends)
    return (
        '<svg class="claim-bar" viewBox="0 0 100 10" preserveAspectRatio="none" '
        'aria-hidden="true" focusable="false">'
        f'<rect class="allowed" x="{left}" width="{max(right - left, 0.5):.1f}" '
        'height="10"/>'
        f'<path class="spread" d="M{place(low)} 5H{place(high)}"/>{ticks}'
        f'<path class="value" d="M{place(known.value)} 5h0"/></svg>'
    )


def articles(text):
    """Return ``{identifier: titles of the articles that say so}`` from their page."""
    found, title = {}, None
    for line in text.splitlines():
        heading = HEADING.match(line)
        title = heading[1] if heading else title
        if STATEMENT.match(line):
            for name in NAMED.findall(line):
                titles = found.setdefault(name, [])
                if title not in titles:
                    titles.append(title)
    return found


def slogans(text):
    """Return ``{identifier: what one reads}`` from the ledger's page, without marks."""
    plain = re.compile(r"\[([^\]]*)\]\([^)]*\)|[*`]")
    rows = re.findall(r"(?m)^\| \*\*([A-Z]\d+)\*\* \| ([^|]+?) \|", text)
    return {name: plain.sub(lambda m: m[1] or "", said) for name, said in rows}


def line_data(claim, address):
    """Return one line for ``ledger.json``."""
    known = numbers(claim.measured, claim.needs)
    values = {}
    if known:
        values = {
            "value": known.value,
            "low": known.low,
            "high": known.high,
            "seeds": known.seeds,
            "op": known.op,
            "bound": known.bound,
            "tolerance": known.tol,
        }
    return {
        "key": claim.label,
        "sentence": claim.sentence,
        "measured": claim.measured,
        "needs": claim.needs,
        "scope": claim.scope,
        "address": address,
        **values,
    }
