"""A Matplotlib backend that hands figures to the page."""

import base64
import io

import matplotlib.pyplot as plt
from matplotlib.backends.backend_agg import FigureCanvasAgg as FigureCanvas

from bnlive import cells

__all__ = ["FigureCanvas", "show"]

# A loop that draws must not fill the memory of the browser.
MOST = 20


def show(*args, **kwargs):
    """Send the open figures as PNG, at twice the nominal resolution, and close them."""
    numbers = plt.get_fignums()
    for number in numbers[:MOST]:
        figure, file = plt.figure(number), io.BytesIO()
        figure.savefig(file, format="png", dpi=2 * figure.dpi)
        width, height = figure.get_size_inches() * figure.dpi
        data = base64.b64encode(file.getvalue()).decode()
        cells.screen.send("figure", f"{width:.0f} {height:.0f} {data}")
    plt.close("all")
    if len(numbers) > MOST:
        print(f"{len(numbers)} figures were drawn; the first {MOST} are shown.")
