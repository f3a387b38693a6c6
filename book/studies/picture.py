"""Draw the numbers of a claim as small multiples, one strip for each setting.

A strip has one dot for each seed and a bar at their median; the first one has the
chapter's number with its spread. All strips of a quantity share one scale. Colors are
those of the text, and a word says the verdict, so that nothing rests on a color.
"""

from html import escape
from math import ceil, floor, isfinite, log10

__all__ = ["numbers", "strips"]

WIDTH, LEFT, RIGHT, HEAD, ROW = 340, 8, 8, 4, 42


def numbers(value):
    """Write a number with two digits, as the chapters do.

    Examples
    --------
    >>> [numbers(v) for v in (0.123, 5.36, 53.6, 136.0, 0.0)]
    ['0.12', '5.4', '54', '136', '0']
    """
    if not isfinite(value):
        return "none"
    if value == 0 or abs(value) < 1e-9:
        return "0"
    size = floor(log10(abs(value)))
    if size >= 2:
        return f"{value:.0f}"
    return f"{round(value, 1 - size):.{max(0, 1 - size)}f}".replace("-", "−")


class Scale:
    """Map numbers to places in the picture.

    Parameters
    ----------
    values : sequence of float
        What must be seen.
    log : bool
        Whether the scale is logarithmic.
    """

    def __init__(self, values, log):
        values = [v for v in values if isfinite(v)]
        self.log = log and min(values) > 0
        ends = [self._to(v) for v in (min(values), max(values))]
        room = 0.06 * (ends[1] - ends[0]) or 0.5
        self.low, self.high = ends[0] - room, ends[1] + room

    def _to(self, value):
        return log10(value) if self.log else value

    def __call__(self, value):
        """Return the place of a number, in units of the picture."""
        share = (self._to(value) - self.low) / (self.high - self.low)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def ticks(self):
        """Return three to six round numbers within the scale."""
        if self.log:
            decades = range(floor(self.low), ceil(self.high) + 1)
            for steps in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 8)):
                marks = [s * 10.0**d for d in decades for s in steps]
                marks = [m for m in marks if self.low <= log10(m) <= self.high]
                if len(marks) >= 3:
                    return marks[:: ceil(len(marks) / 6)]
            return marks
        size = 10.0 ** floor(log10(self.high - self.low))
        for step in (size, size / 2, size / 5, size / 10):
            first = ceil(self.low / step)
            marks = [k * step for k in range(first, floor(self.high / step) + 1)]
            if len(marks) >= 3:
                return marks[:: ceil(len(marks) / 6)]
        return marks


def strips(quantity, line, panels):
    """Return the picture of a quantity: an SVG with words for those who listen.

    Parameters
    ----------
    quantity : Quantity
    line : object with ``value``, ``low``, ``high``, ``op``, ``bound`` and ``tol``
        The chapter's line; ``low`` and ``high`` may be None.
    panels : sequence of Panel
    """
    op = quantity.op or line.op
    bound = line.bound if quantity.bound is None else quantity.bound
    ends = [v for v in (line.low, line.high) if v is not None]
    seen = [line.value, *ends, *(v for p in panels for v in p.values)]
    if op not in ("==",):
        seen.append(bound)
    place = Scale(seen, quantity.log)
    height = HEAD + ROW * (1 + len(panels)) + 20
    parts = [_allowed(place, op, bound, line.tol, height)]
    parts += _chapter(place, line, ends)
    for k, panel in enumerate(panels, start=1):
        parts += _strip(place, panel, HEAD + ROW * k)
    parts += _axis(place, height)
    words = escape(said(quantity, line, panels), quote=True)
    return (
        f'<svg class="far-strips" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{words}" width="{WIDTH}" height="{height}">'
        f"{''.join(parts)}</svg>"
    )


def said(quantity, line, panels):
    """Return in words what the picture shows."""
    told = [f"{quantity.what}. In the chapter {numbers(line.value)}."]
    for p in panels:
        spread = f"{numbers(min(p.values))} to {numbers(max(p.values))}"
        told.append(
            f"{p.data}, {p.net}: {numbers(p.median)}, {spread} over "
            f"{len(p.values)} seeds; {p.verdict}."
        )
    return " ".join(told)


def _allowed(place, op, bound, tol, height):
    """Shade where the claim holds."""
    left, right = 0.0, float(WIDTH)
    if op == "~":
        left, right = place(bound - tol), place(bound + tol)
    elif op.startswith(">"):
        left = place(bound)
    elif op.startswith("<"):
        right = place(bound)
    else:
        return ""
    left, right = max(left, 0.0), min(right, float(WIDTH))
    size = f'width="{max(right - left, 0):.1f}" height="{height - 18}"'
    return f'<rect class="far-allowed" x="{left}" y="0" {size}/>'


def _chapter(place, line, ends):
    y = HEAD + 28
    spread = (
        f'<path class="far-line" d="M{place(ends[0])} {y}H{place(ends[1])}"/>'
        if len(ends) == 2
        else ""
    )
    x = place(line.value)
    return [
        f'<text x="{LEFT}" y="{HEAD + 12}">in the chapter</text>',
        _right(HEAD + 12, numbers(line.value)),
        spread,
        f'<path class="far-chapter" d="M{x} {y - 6}l6 6-6 6-6-6z"/>',
    ]


def _strip(place, panel, top):
    y = top + 28
    dots = "".join(
        f'<circle cx="{place(v)}" cy="{y}" r="3.5"/>'
        for v in panel.values
        if isfinite(v)
    )
    x = place(panel.median)
    return [
        f'<text x="{LEFT}" y="{top + 12}">{escape(short(panel))}</text>',
        _right(top + 12, f"{numbers(panel.median)} {panel.verdict}", panel.verdict),
        f'<path class="far-base" d="M{LEFT} {y}H{WIDTH - RIGHT}"/>',
        f'<g class="far-dots">{dots}</g>',
        f'<path class="far-median" d="M{x} {y - 8}v16"/>',
    ]


def short(panel):
    """Return the setting in a few words: what is left of the comma of the data."""
    return f"{panel.data.split(',')[0]}, {panel.net}"


def _right(y, words, verdict=None):
    kind = f' class="far-{verdict}"' if verdict else ""
    return f'<text{kind} x="{WIDTH - RIGHT}" y="{y}" text-anchor="end">{words}</text>'


def _axis(place, height):
    y = height - 18
    marks = place.ticks()
    lines = "".join(f"M{place(m)} {y}v4" for m in marks)
    words = [
        f'<text class="far-tick" x="{place(m)}" y="{y + 15}" text-anchor="middle">'
        f"{_tick(m)}</text>"
        for m in marks
    ]
    return [f'<path class="far-base" d="M0 {y}H{WIDTH}{lines}"/>', *words]


def _tick(value):
    return f"{round(value, 6):g}".replace("-", "−")
