"""The figure style: deterministic, colour-blind safe, labels that do not touch."""

import io

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

from bnlib.plot import COLOURS, label_lines, use_style

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def style():
    with matplotlib.rc_context():
        use_style()
        yield
    plt.close("all")


def test_line_colours_are_the_palette_and_contrast_with_white():
    cycle = [entry["color"] for entry in matplotlib.rcParams["axes.prop_cycle"]]
    assert cycle == list(COLOURS.values())
    for name in ("blue", "orange", "green", "grey", "black"):
        assert contrast_with_white(COLOURS[name]) > 3, name


def contrast_with_white(colour):
    """WCAG 2.2 contrast ratio."""
    rgb = np.array(matplotlib.colors.to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return 1.05 / (linear @ [0.2126, 0.7152, 0.0722] + 0.05)


def test_labels_stand_at_the_line_ends_and_do_not_touch():
    _, ax = plt.subplots()
    for k in range(4):
        ax.plot([0, 1], [0, 0.01 * k], label=f"line {k}")
    ax.plot([0, 1], [1, 1])  # no label, so none is written
    ax.set_ylim(-1, 1)
    label_lines(ax)
    ax.figure.canvas.draw()
    boxes = [text.get_window_extent() for text in ax.texts]
    assert [text.get_text() for text in ax.texts] == [f"line {k}" for k in range(4)]
    for lower, upper in zip(boxes[:-1], boxes[1:], strict=True):
        assert upper.y0 >= lower.y1 - 1
    for text, line in zip(ax.texts, ax.get_lines(), strict=False):
        assert text.get_color() == line.get_color()


def test_label_of_a_single_line_is_not_moved():
    _, ax = plt.subplots()
    ax.plot([0, 1], [0, 1], label="alone")
    label_lines(ax)
    assert ax.texts[0].get_position()[1] == 0


def test_the_same_figure_gives_the_same_bytes():
    def png():
        fig, ax = plt.subplots()
        ax.plot([0, 1], [0, 1], label="line")
        label_lines(ax)
        file = io.BytesIO()
        fig.savefig(file, metadata={"Software": None})
        return file.getvalue()

    assert png() == png()
