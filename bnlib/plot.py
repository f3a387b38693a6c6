"""One style for every figure, and the figures that recur.

matplotlib is imported by the functions, never by the package: the arithmetic of
chapters 1 to 3 must run where there is nothing but NumPy.
"""

__all__ = ["COLOURS", "label_lines", "use_style"]

# Okabe & Ito's palette, distinguishable with every common colour blindness, in the
# order of use. Yellow is left out: it vanishes on white.
COLOURS = {
    "blue": "#0072B2",
    "orange": "#D55E00",
    "green": "#009E73",
    "purple": "#CC79A7",
    "sky": "#56B4E9",
    "amber": "#E69F00",
    "black": "#000000",
    "grey": "#767676",
}


def use_style():
    """Set the book's figure style: sharp, deterministic, readable at phone width.

    In a notebook, figures become PNG at twice the nominal resolution without version
    or date in the file, so that running a chapter again gives the same bytes.
    """
    import matplotlib as mpl
    from cycler import cycler

    mpl.rcParams.update(
        {
            "figure.figsize": (6.0, 3.4),
            "figure.dpi": 100,
            "savefig.dpi": 100,
            "figure.constrained_layout.use": True,
            "font.family": "DejaVu Sans",  # ships with matplotlib
            "font.size": 11,
            "axes.titlesize": 11,
            "axes.labelsize": 11,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.prop_cycle": cycler(color=list(COLOURS.values())),
            "lines.linewidth": 2,
            "legend.frameon": False,
            "grid.color": "#DDDDDD",
        }
    )
    _use_retina_png()


def label_lines(ax, *, size=10, pad=4):
    """Write each line's label at its right end in its colour, instead of a legend.

    Labels that would touch each other are pushed apart vertically.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Axes with labelled lines; limits and scales must be final.
    size : float, default=10
        Font size in points.
    pad : float, default=4
        Distance from the end of the line, in points.
    """
    import numpy as np

    lines = [line for line in ax.get_lines() if not line.get_label().startswith("_")]
    ends = [(line.get_xdata()[-1], line.get_ydata()[-1]) for line in lines]
    heights = np.array([ax.transData.transform(end)[1] for end in ends])
    step = 1.25 * size * ax.figure.dpi / 72  # one line of text, in pixels
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


def _spread(heights, step):
    """Return ``heights`` moved apart, in their order, until ``step`` lies between."""
    import numpy as np

    order = np.argsort(heights)
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
