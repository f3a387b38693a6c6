"""One style for every figure, and the figures that recur.

matplotlib is imported by the functions, never by the package: the arithmetic of
chapters 1 to 3 must run where there is nothing but NumPy.
"""

import os
from pathlib import Path

__all__ = ["COLORS", "draw_axes", "draw_cube", "draw_graph", "label_lines", "use_style"]

# Okabe & Ito's palette, distinguishable with every common color blindness, in the
# order of use. Yellow is left out, and sky and amber are darker: each has a contrast
# of 3 to white.
COLORS = {
    "blue": "#0072B2",
    "orange": "#D55E00",
    "green": "#009E73",
    "purple": "#CC79A7",
    "sky": "#3A94CC",
    "amber": "#C07F00",
    "black": "#000000",
    "gray": "#767676",
}


def use_style():
    """Set the book's figure style: sharp, deterministic, readable at phone width.

    A figure 6 inches wide shows its words in 13 points, so that they have 10 pixels
    and more where it is 358 pixels wide. They are set in the typeface of the book,
    which comes with bnlib; what it lacks is taken from matplotlib's own.

    In a notebook, figures become PNG at twice the nominal resolution without version
    or date in the file, so that running a chapter again gives the same bytes.

    Examples
    --------
    >>> import matplotlib as mpl
    >>> with mpl.rc_context():  # what it sets holds inside of this block only
    ...     use_style()
    ...     mpl.rcParams["lines.linewidth"]
    2.0
    """
    import matplotlib as mpl
    from cycler import cycler

    face = _add_typeface()
    mpl.rcParams.update(
        {
            "figure.figsize": (6.0, 3.4),
            "figure.dpi": 90,
            "savefig.dpi": 90,
            "figure.constrained_layout.use": True,
            "font.family": [face, "DejaVu Sans"],  # the second ships with matplotlib
            "mathtext.fontset": "custom",
            **{
                f"mathtext.{kind}": face
                for kind in ("rm", "it", "bf", "sf", "tt", "cal")
            },
            "font.size": 13,
            "axes.titlesize": 13,
            "axes.labelsize": 13,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.prop_cycle": cycler(color=list(COLORS.values())),
            "lines.linewidth": 2,
            "legend.frameon": False,
            "grid.color": "#DDDDDD",
        }
    )
    _use_retina_png()


def label_lines(ax, *, size=12, pad=4):
    """Write each line's label at its right end in its color, instead of a legend.

    Labels that would touch each other are pushed apart vertically.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Axes with labeled lines; limits and scales must be final.
    size : float, default=12
        Font size in points.
    pad : float, default=4
        Distance from the end of the line, in points.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> ax = Figure().subplots()
    >>> lines = ax.plot([0, 1], label="with BN"), ax.plot([0, 2], label="without")
    >>> label_lines(ax)
    >>> [text.get_text() for text in ax.texts]
    ['with BN', 'without']
    """
    import numpy as np

    lines = [line for line in ax.get_lines() if not line.get_label().startswith("_")]
    ends = [(line.get_xdata()[-1], line.get_ydata()[-1]) for line in lines]
    heights = np.array([ax.transData.transform(end)[1] for end in ends])
    step = 1.3 * size * ax.figure.dpi / 72  # one line of text, in pixels
    shifts = _spread(heights, step) - heights
    for line, end, shift in zip(lines, ends, shifts, strict=True):
        ax.annotate(
            line.get_label(),
            end,
            xytext=(pad, shift * 72 / ax.figure.dpi),
            textcoords="offset points",
            color=line.get_color(),
            size=size,
            va="center",
            annotation_clip=False,
        )


def draw_axes(ax, shared, groups=1):
    """Draw a small (N, C, H, W) array as cells; those that share a statistic match.

    Three examples stand side by side, each a table of four channels (rows) by four
    positions (columns). Cells over which one mean and one variance are taken carry the
    same number and the same color.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to draw; its ticks and spines are removed.
    shared : collection of {"N", "C", "HW"}
        Axes over which the statistics run: ``{"N", "HW"}`` for batch norm.
    groups : int, default=1
        Number of groups into which the channels are split first, 1, 2 or 4; matters
        only if ``shared`` contains "C".

    Returns
    -------
    int
        Number of statistics.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> draw_axes(Figure().subplots(), {"N", "HW"})  # batch norm: one for each channel
    4
    >>> draw_axes(Figure().subplots(), {"C", "HW"}, groups=2)  # group norm
    6
    """
    from itertools import product

    size = {"N": 3, "C": 4, "HW": 4}
    numbers = {}
    for n, c, p in product(*map(range, size.values())):
        kept = {"N": n, "C": c, "HW": p} | dict.fromkeys(shared, 0)
        if "C" in shared:
            kept["C"] = c * groups // size["C"]
        k = numbers.setdefault(tuple(kept.values()), len(numbers))
        _draw_cell(ax, n * (size["HW"] + 1) + p, size["C"] - 1 - c, k)
    for n in range(size["N"]):
        middle = n * (size["HW"] + 1) + size["HW"] / 2
        ax.text(middle, size["C"] + 0.15, f"example {n}", ha="center", size=12)
    ax.set(
        xlim=(-0.1, 3 * size["HW"] + 2.1),
        ylim=(-0.1, size["C"] + 0.8),
        xticks=[],
        yticks=[size["C"] - 0.5 - c for c in range(size["C"])],
        yticklabels=[f"channel {c}" for c in range(size["C"])],
    )
    ax.tick_params(length=0, labelsize=12)
    ax.spines[:].set_visible(False)
    return len(numbers)


def _draw_cell(ax, left, bottom, number):
    from matplotlib.patches import Rectangle

    tints = [COLORS[name] for name in ("blue", "amber", "green", "purple", "gray")]
    color = tints[number % len(tints)]
    ax.add_patch(Rectangle((left, bottom), 1, 1, fc=(color, 0.35), ec="white", lw=1.5))
    ax.text(left + 0.5, bottom + 0.5, number, ha="center", va="center", size=12)


def draw_cube(ax, shared, *, groups=1, ghosts=1):
    """Draw an array (N, C, positions) as a block of cells and color one statistic.

    Channels run to the right, positions (H and W as one axis) down, examples to the
    back: 4 of each. The cells that share one mean and one variance with the cell at
    the top right of the front are blue, all others pale.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to draw; its ticks and spines are removed.
    shared : collection of {"N", "C", "HW"}
        Axes over which the statistics run: ``{"N", "HW"}`` for batch norm.
    groups : int, default=1
        Number of groups into which the channels are split first, 1, 2 or 4; matters
        only if ``shared`` contains "C".
    ghosts : int, default=1
        The same for the examples, if ``shared`` contains "N": ghost batch norm.

    Returns
    -------
    int
        Number of statistics in the whole block.

    References
    ----------
    After Wu & He (2018), figure 2. https://arxiv.org/abs/1803.08494

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> draw_cube(Figure().subplots(), {"HW"})  # instance norm: 4 examples, 4 channels
    16
    """
    from itertools import product

    parts = {"N": ghosts, "C": groups, "HW": 1}

    def statistic(*place):
        at = zip(parts, place, strict=True)
        return tuple(k * parts[a] // 4 if a in shared else k for a, k in at)

    marked = statistic(0, 3, 0)
    for i, j in product(range(4), repeat=2):
        x, y = j * _BACK[0], j * _BACK[1]
        faces = (  # front, top and right side; their cells as (n, c, p)
            ((i, -j), _RIGHT, _DOWN, (0, i, j)),
            ((i + x, y), _RIGHT, _BACK, (j, i, 0)),
            ((4 + x, y - i), _BACK, _DOWN, (j, 3, i)),
        )
        for corner, one, other, place in faces:
            _draw_face(ax, corner, one, other, statistic(*place) == marked)
    _name_cube_axes(ax)
    return len({statistic(*place) for place in product(range(4), repeat=3)})


_RIGHT, _DOWN, _BACK = (1, 0), (0, -1), (0.45, 0.4)


def _draw_face(ax, corner, one, other, marked):
    from matplotlib.patches import Polygon

    (x, y), (a, b), (c, d) = corner, one, other
    ends = [(x, y), (x + a, y + b), (x + a + c, y + b + d), (x + c, y + d)]
    color, edge = (COLORS["blue"], "white") if marked else ("#EEF1F4", "#A9B1B8")
    ax.add_patch(Polygon(ends, fc=color, ec=edge, lw=0.8, zorder=1 + marked))


def _name_cube_axes(ax):
    x, y = 2 * _BACK[0] - 0.25, 2 * _BACK[1] + 0.1
    ax.text(2, -4.15, "channels", ha="center", va="top", size=11)
    ax.text(-0.2, -2, "positions", ha="right", va="center", rotation=90, size=11)
    ax.text(x, y, "examples", ha="right", va="bottom", size=11)
    ax.set(xlim=(-1.1, 6), ylim=(-4.8, 2.2), xticks=[], yticks=[], aspect="equal")
    ax.spines[:].set_visible(False)


def draw_graph(ax):
    """Draw the computational graph of batch norm, downwards, on one page of a phone.

    Boxes are the nine operations, in the order of the forward pass. A solid blue arrow
    carries a value forward, with its shape; the dashed orange arrow beside it carries
    the gradient of that value back.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to draw, best about 5 by 7 inches; its ticks and spines are removed.

    Returns
    -------
    list of str
        Names of the gradients, in the order in which the backward pass finds them.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> names = draw_graph(Figure().subplots())
    >>> len(names), names[0]
    (14, 'd_y')
    """
    for name, (left, down) in _PLACES.items():
        operation = name not in ("x", "y", "γ", "β")
        number = f"{'①②③④⑤⑥⑦⑧⑨'[_OPERATIONS.index(name)]} " if operation else ""
        ax.text(
            left,
            -down,
            number + name.rstrip("'"),
            ha="center",
            va="center",
            size=11,
            zorder=3,
            bbox={
                "boxstyle": "round,pad=0.3" if operation else "circle,pad=0.25",
                "fc": "#F2F2F2" if operation else "white",
                "ec": COLORS["gray"],
            },
        )
    for edge in _EDGES:
        _draw_edge(ax, *edge)
    ax.set(xlim=(0, 10), ylim=(-10.5, 0.5), xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    return [back.replace("\n", "  ") for *_, back, _ in reversed(_EDGES)]


# The graph of batch norm: column and row of each box ("mean'" is a second mean), ...
_PLACES = {
    "x": (2.6, 0),
    "mean": (7, 1),
    "subtract": (2.6, 2),
    "square": (7, 3),
    "mean'": (7, 4.1),
    "+ ε, root": (7, 5.2),
    "reciprocal": (7, 6.3),
    "multiply": (2.6, 7.2),
    "multiply'": (2.6, 8.2),
    "γ": (7, 8.2),
    "add": (2.6, 9.2),
    "β": (7, 9.2),
    "y": (2.6, 10.2),
}
_OPERATIONS = [name for name in _PLACES if name not in ("x", "y", "γ", "β")]
# ... and start, end, value, gradient, and the side on which the value stands.
_EDGES = [
    ("x", "subtract", "x  (N, C)", "d_x\nfirst part", "left"),
    ("x", "mean", "", "d_x  second part", "above"),
    ("mean", "subtract", "mean  (C,)", "d_mean", "below"),
    ("subtract", "square", "", "d_x_centered  second part", "above"),
    ("square", "mean'", "square", "d_square", "left"),
    ("mean'", "+ ε, root", "var  (C,)", "d_var", "left"),
    ("+ ε, root", "reciprocal", "std  (C,)", "d_std", "left"),
    ("subtract", "multiply", "x_centered\n(N, C)", "d_x_centered\nfirst part", "left"),
    ("reciprocal", "multiply", "inv_std  (C,)", "d_inv_std", "below"),
    ("γ", "multiply'", "γ  (C,)", "d_gamma", "flat"),
    ("multiply", "multiply'", "x_hat  (N, C)", "d_x_hat", "left"),
    ("β", "add", "β  (C,)", "d_beta", "flat"),
    ("multiply'", "add", "γ x_hat  (N, C)", "d_y", "left"),
    ("add", "y", "y  (N, C)", "d_y", "left"),
]


def _draw_edge(ax, start, end, forward, back, side):
    """Draw two opposite arrows side by side, with the value and the gradient."""
    import numpy as np

    ends = [np.array(_PLACES[name]) * [1, -1] for name in (start, end)]
    middle, shrink = sum(ends) / 2, 14
    if side != "left":  # from the side of one box to the side of the other
        # The end lies a little up or down, so that two arrows at one box stay apart.
        half = [[0.4 if len(name) == 1 else 1.05, 0.14] for name in (start, end)]
        inwards = np.sign(ends[1] - ends[0])
        ends, shrink = [ends[0] + half[0] * inwards, ends[1] - half[1] * inwards], 1
    along = (ends[1] - ends[0]) / np.linalg.norm(ends[1] - ends[0])
    across = 0.09 * np.array([along[1], -along[0]])
    if side in ("below", "flat"):  # these point to the left
        across = -across
    value, gradient = {
        "left": ((-0.3, 0, "right", "center"), (0.3, 0, "left", "center")),
        "above": ((0, 0, "left", "top"), (0.2, 0.12, "left", "bottom")),
        "below": ((0.6, -0.2, "left", "top"), (0.0, 0.53, "center", "center")),
        "flat": ((0.4, -0.14, "center", "top"), (0.4, 0.14, "center", "bottom")),
    }[side]
    for text, place, (a, b), shift, color, line in (
        (forward, value, ends, across, "blue", "-"),
        (back, gradient, ends[::-1], -across, "orange", (0, (3, 2))),
    ):
        arrow = {"arrowstyle": "-|>", "linestyle": line, "lw": 1.4}
        arrow |= {"shrinkA": shrink, "shrinkB": shrink, "color": COLORS[color]}
        ax.annotate("", b + shift, a + shift, arrowprops=arrow)
        ax.text(
            *(middle + place[:2]),
            text,
            color=COLORS[color],
            ha=place[2],
            va=place[3],
            size=10,
        )


def _spread(heights, step):
    """Return ``heights`` moved apart, in their order, until ``step`` lies between."""
    import numpy as np

    # Of lines that end in the same pixel the first is the lowest: the last digit of a
    # loss, which decides otherwise, is another one on another processor.
    order = np.argsort(np.round(heights), kind="stable")
    placed = heights.astype(float)
    for _ in range(100):
        gaps = np.diff(placed[order])
        if len(gaps) == 0 or gaps.min() >= step - 0.5:
            break
        lower = int(gaps.argmin())
        push = (step - gaps[lower]) / 2
        placed[order[lower]] -= push
        placed[order[lower + 1]] += push
    return placed


def _use_retina_png():
    try:
        from IPython import get_ipython
    except ImportError:
        return
    shell = get_ipython()
    if shell is None:
        return
    from matplotlib_inline.backend_inline import set_matplotlib_formats
    from matplotlib_inline.config import InlineBackend

    # bbox_inches=None: the size of the picture does not follow its texts.
    options = {"bbox_inches": None, "metadata": {"Software": None}}
    InlineBackend.instance(parent=shell).print_figure_kwargs = options
    set_matplotlib_formats("retina", **options)
    if os.environ.get("BNLIB_FIGURES") == "drawings":
        _add_drawings(shell)


def _add_drawings(shell):
    """Let each figure give a drawing as well, which the site shows for the picture."""
    from IPython.core.formatters import SVGFormatter
    from matplotlib.figure import Figure

    formatter = SVGFormatter(parent=shell.display_formatter)
    formatter.for_type(Figure, _draw)
    # No viewer of notebooks knows this type, so each takes the picture.
    shell.display_formatter.formatters["application/vnd.bnlib.drawing"] = formatter


def _draw(figure):
    import io

    import matplotlib as mpl

    file = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "bnlib"}):
        figure.savefig(file, format="svg", metadata=nothing)
    return file.getvalue()


def _add_typeface():
    """Tell matplotlib of our font, once; return its name."""
    from matplotlib import font_manager

    path = Path(__file__).with_name("fonts") / "measured-sans.ttf"
    known = font_manager.fontManager
    if str(path) not in {font.fname for font in known.ttflist}:
        known.addfont(path)
    return font_manager.get_font(path).family_name
