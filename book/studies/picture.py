"""Draw the numbers of a claim as small multiples, one strip for each setting.

A strip has one dot for each seed and a bar at their median; the first one has the
chapter's number with its spread. All strips of a quantity share one scale. Colors are
those of the text, and a word says the verdict, so that nothing rests on a color.
"""

import re
from html import escape
from math import ceil, floor, isfinite, log10
from statistics import median

__all__ = ["curves", "numbers", "strips"]

SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
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
        self.least, self.most = min(values), max(values)
        self.log = log and min(values) > 0
        ends = [self._to(v) for v in (min(values), max(values))]
        room = 0.06 * (ends[1] - ends[0]) or 0.5
        self.low, self.high = ends[0] - room, ends[1] + room

    def _to(self, value):
        return log10(value) if self.log else value

    def share(self, value):
        """Return the place of a number from 0, the low end, to 1."""
        return (self._to(value) - self.low) / (self.high - self.low)

    def __call__(self, value):
        """Return the place of a number, in units of the picture."""
        return round(LEFT + self.share(value) * (WIDTH - LEFT - RIGHT), 1)

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
    there = [
        quantity.scale * v for v in (line.value, line.low, line.high) if v is not None
    ]
    shown = there if quantity.scale else []
    place = Scale([*shown, bound, *(v for p in panels for v in p.values)], quantity.log)
    rows = len(panels) + bool(shown)
    height = HEAD + ROW * rows + 20
    parts = [_allowed(place, op, bound, line.tol, height)]
    parts += _chapter(place, *shown) if shown else []
    for k, panel in enumerate(panels, start=int(bool(shown))):
        parts += _strip(place, panel, HEAD + ROW * k)
    parts += _axis(place, height)
    words = escape(said(quantity, line, panels), quote=True)
    return (
        f'<svg class="far-strips" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{words}" width="{WIDTH}" height="{height}">'
        f"{''.join(parts)}</svg>"
    )


PANEL, TALL = 164, 96  # width and height of a panel with curves


def curves(course, rows):
    """Return small pictures of a course, one for each setting, or "" without numbers.

    Parameters
    ----------
    course : Course
    rows : sequence of Row
        Those of its quantities; the median over the seeds is drawn at each step.
    """
    settings = {}
    for row in rows:
        for word, quantity in course.series.items():
            if row.quantity == quantity and row.at is not None:
                of_setting = settings.setdefault((row.data, row.net), {})
                of_setting.setdefault(word, {}).setdefault(row.at, []).append(row.value)
    lines = {
        key: {w: {at: median(v) for at, v in by.items()} for w, by in of.items()}
        for key, of in settings.items()
    }
    if not lines:
        return ""
    height = ceil(len(lines) / 2) * (TALL + 34)
    points = [p for of in lines.values() for by in of.values() for p in by.items()]
    wide = Scale([at for at, _ in points], course.log)
    tall = Scale([value for _, value in points], course.log_up)
    parts = []
    for k, ((data, _), of) in enumerate(lines.items()):
        x, y = (k % 2) * (WIDTH - PANEL), (k // 2) * (TALL + 34)
        parts.append(f'<g transform="translate({x} {y})">')
        parts += _panel(wide, tall, _short_data(data), of)
        parts.append("</g>")
    told = [f"{course.what} against {course.along}."]
    for (data, net), of in lines.items():
        for word, by in of.items():
            first, last = min(by), max(by)
            told.append(
                f"{data}, {net}{', ' + word if word else ''}: {numbers(by[first])} at "
                f"{first}, {numbers(by[last])} at {last}."
            )
    words = escape(" ".join(told), quote=True)
    return (
        f'<svg class="far-strips" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{words}" width="{WIDTH}" height="{height}">'
        f"{''.join(parts)}</svg>"
    )


def _panel(wide, tall, title, lines):
    """Draw the lines of one setting in a box of its own."""
    left, right, top, floor_ = 26, PANEL - 34, 18, 18 + TALL - 14

    def at(x, y):
        across = (wide.share(x)) * (right - left) + left
        return f"{across:.1f} {floor_ - tall.share(y) * (floor_ - top):.1f}"

    parts = [f'<text x="0" y="11">{escape(title)}</text>']
    parts.append(f'<path class="far-base" d="M{left} {top}V{floor_}H{right}"/>')
    for mark in tall.ticks()[:: max(1, len(tall.ticks()) - 1)]:
        y = at(wide.least, mark).split()[1]
        parts.append(
            f'<text class="far-tick" x="{left - 3}" y="{float(y) + 4:.1f}" '
            f'text-anchor="end">{_tick(mark)}</text>'
        )
    for mark, anchor in ((wide.least, "start"), (wide.most, "end")):
        x = at(mark, tall.least).split()[0]
        parts.append(
            f'<text class="far-tick" x="{x}" y="{floor_ + 14}" text-anchor="{anchor}">'
            f"{_tick(mark)}</text>"
        )
    for k, (word, by) in enumerate(sorted(lines.items())):
        steps = sorted(by)
        way = "L".join(at(step, by[step]) for step in steps)
        dash = ' stroke-dasharray="4 3"' if k else ""
        parts.append(f'<path d="M{way}"{dash}/>')
        x, y = at(steps[-1], by[steps[-1]]).split()
        parts.append(
            f'<text x="{float(x) + 3:.1f}" y="{float(y) + 4:.1f}">{escape(word)}</text>'
        )
    return parts


def said(quantity, line, panels):
    """Return in words what the picture shows."""
    told = [f"{quantity.what}."]
    if quantity.scale:
        told.append(f"In the chapter {numbers(quantity.scale * line.value)}.")
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


def _chapter(place, value, *ends):
    y, x = HEAD + 28, place(value)
    spread = f"M{place(ends[0])} {y}H{place(ends[1])}" if len(ends) == 2 else ""
    return [
        f'<text x="{LEFT}" y="{HEAD + 12}">in the chapter</text>',
        _right(HEAD + 12, numbers(value)),
        f'<path class="far-line" d="{spread}"/>' if spread else "",
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
    """Return the setting in a few words, without sizes and what follows a net's comma.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> short(SimpleNamespace(data="MNIST 14x14, 9 + 9", net="conv net 8-8, flatten"))
    'MNIST, conv net 8-8'
    >>> short(SimpleNamespace(data="MNIST, 9", net="ResNet, 7 blocks of 8 channels"))
    'MNIST, ResNet, 7 blocks of 8'
    """
    parts = panel.net.removesuffix(" channels").split(",")
    kept = parts[:1] if panel.net.startswith("conv") else parts[:2]
    return f"{_short_data(panel.data)}, {','.join(kept)}"


def _short_data(data):
    return re.sub(r" \d+x\d+$", "", data.partition(",")[0])


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
    if abs(value) >= 1e5:
        digits = str(floor(log10(abs(value)))).translate(SUPERSCRIPT)
        return f"10{digits}" if log10(value) == floor(log10(value)) else f"{value:.0e}"
    return f"{round(value, 6):g}".replace("-", "−")
