"""The figure style: deterministic, color-blind safe, labels that do not touch."""

import io

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

from bnlib.lab.plot import (
    COLORS,
    draw_axes,
    draw_cube,
    draw_graph,
    label_lines,
    use_style,
)

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def style():
    with matplotlib.rc_context():
        use_style()
        yield
    plt.close("all")


def test_line_colors_are_the_palette_and_contrast_with_white():
    cycle = [entry["color"] for entry in matplotlib.rcParams["axes.prop_cycle"]]
    assert cycle == list(COLORS.values())
    for name, color in COLORS.items():
        assert contrast_with_white(color) > 3, name


def test_words_are_set_in_the_typeface_of_the_book():
    fig = plt.figure()
    word = fig.text(0, 0, "γ = 0.5 × σ")
    assert word.get_fontname() == "Measured Sans"
    # A second call must not make matplotlib know the file twice.
    use_style()
    known = matplotlib.font_manager.fontManager.ttflist
    assert sum(font.name == "Measured Sans" for font in known) == 1


def test_words_have_ten_pixels_on_a_phone():
    # A figure 6 inches wide fills 358 pixels; on the site it has no margin of its own.
    scale = 358 / (6 * 72 - 4)
    _, ax = plt.subplots()
    ax.plot([0, 1], label="line")
    label_lines(ax)
    ax.set(xlabel="x", title="title")
    words = [*ax.texts, ax.title, ax.xaxis.label, *ax.get_xticklabels()]
    assert min(word.get_size() for word in words) * scale >= 10


def contrast_with_white(color):
    """WCAG 2.2 contrast ratio."""
    rgb = np.array(matplotlib.colors.to_rgb(color))
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


@pytest.mark.parametrize("rounding", [0, 1e-9, -1e-9])
def test_labels_of_lines_that_end_together_do_not_hang_on_the_last_digit(rounding):
    _, ax = plt.subplots()
    ax.plot([0, 1], [0, rounding], label="first")
    ax.plot([0, 1], [0, 0], label="second")
    ax.set_ylim(-1, 1)
    label_lines(ax)
    first, second = (text.get_position()[1] for text in ax.texts)
    assert first < 0 < second


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


@pytest.mark.parametrize(
    ("shared", "groups", "statistics"),
    [
        ({"N", "HW"}, 1, 4),
        ({"N"}, 1, 16),
        ({"C", "HW"}, 1, 3),
        ({"C", "HW"}, 2, 6),
        ({"C", "HW"}, 4, 12),
        ({"HW"}, 1, 12),
        ({"N", "C", "HW"}, 1, 1),
    ],
    ids=["batch", "per-position", "layer", "group", "groups-of-one", "instance", "all"],
)
def test_drawn_axes_show_as_many_statistics_as_the_layer_has(
    shared, groups, statistics
):
    _, ax = plt.subplots()
    assert draw_axes(ax, shared, groups) == statistics
    numbers = [text.get_text() for text in ax.texts if text.get_text().isdigit()]
    assert len(numbers) == 3 * 4 * 4
    assert set(numbers) == {str(k) for k in range(statistics)}
    colors = {}
    for text, cell in zip(
        [t for t in ax.texts if t.get_text().isdigit()], ax.patches, strict=True
    ):
        colors.setdefault(text.get_text(), set()).add(cell.get_facecolor())
    assert all(len(found) == 1 for found in colors.values())


def test_drawn_axes_give_a_batch_norm_statistic_to_one_row_of_all_examples():
    _, ax = plt.subplots()
    draw_axes(ax, {"N", "HW"})
    cells = [text for text in ax.texts if text.get_text().isdigit()]
    rows = {
        number: {t.get_position()[1] for t in cells if t.get_text() == number}
        for number in {t.get_text() for t in cells}
    }
    assert all(len(heights) == 1 for heights in rows.values())


def test_graph_shows_nine_operations_and_every_gradient_of_the_chapter():
    _, ax = plt.subplots(figsize=(5, 7))
    gradients = draw_graph(ax)
    texts = [text.get_text() for text in ax.texts]
    operations = [text for text in texts if text[:1] in "①②③④⑤⑥⑦⑧⑨" and text]
    assert len(operations) == 9
    assert gradients[0] == "d_y"
    assert gradients[-1] == "d_x  first part"
    for name in ("d_gamma", "d_beta", "d_x_hat", "d_inv_std", "d_std", "d_var"):
        assert name in texts and name in gradients


def test_graph_draws_two_opposite_arrows_for_each_value():
    _, ax = plt.subplots(figsize=(5, 7))
    gradients = draw_graph(ax)
    arrows = [text for text in ax.texts if getattr(text, "arrow_patch", None)]
    assert len(arrows) == 2 * len(gradients)
    colors = [matplotlib.colors.to_hex(a.arrow_patch.get_edgecolor()) for a in arrows]
    assert set(colors[::2]) == {COLORS["blue"].lower()}
    assert set(colors[1::2]) == {COLORS["orange"].lower()}


def test_texts_of_the_graph_do_not_touch():
    fig, ax = plt.subplots(figsize=(5, 7))
    draw_graph(ax)
    fig.canvas.draw()
    boxes = [t.get_window_extent() for t in ax.texts if t.get_text()]
    touching = [
        (i, j)
        for i in range(len(boxes))
        for j in range(i)
        if boxes[i].overlaps(boxes[j])
    ]
    assert not touching


@pytest.mark.parametrize(
    ("shared", "parts", "statistics", "blue"),
    [  # blue faces: front + top + right side
        ({"N", "HW"}, {}, 4, 4 + 4 + 16),
        ({"N", "HW"}, {"ghosts": 2}, 8, 4 + 2 + 8),
        ({"C", "HW"}, {}, 4, 16 + 4 + 4),
        ({"C", "HW"}, {"groups": 2}, 8, 8 + 2 + 4),
        ({"HW"}, {}, 16, 4 + 1 + 4),
        ({"C"}, {}, 16, 4 + 4 + 1),
    ],
    ids=["batch", "ghost", "layer", "group", "instance", "token"],
)
def test_cube_colors_the_visible_faces_of_one_statistic(
    shared, parts, statistics, blue
):
    _, ax = plt.subplots()
    assert draw_cube(ax, shared, **parts) == statistics
    colors = [matplotlib.colors.to_hex(face.get_facecolor()) for face in ax.patches]
    assert len(colors) == 3 * 4 * 4
    assert colors.count(COLORS["blue"].lower()) == blue
    assert len(set(colors)) == 2


def test_cube_colors_whole_columns_for_group_norm():
    _, ax = plt.subplots()
    draw_cube(ax, {"C", "HW"}, groups=2)
    blue = matplotlib.colors.to_rgba(COLORS["blue"])
    front = {
        tuple(face.get_xy()[0]) for face in ax.patches if face.get_facecolor() == blue
    }
    # The two rightmost channels, at all four positions.
    assert {(x, y) for x in (2, 3) for y in (0, -1, -2, -3)} <= front
    assert (1, 0) not in front


def test_cube_colors_one_channel_of_all_examples_for_batch_norm():
    _, ax = plt.subplots()
    draw_cube(ax, {"N", "HW"})
    blue = matplotlib.colors.to_rgba(COLORS["blue"])
    corners = [face.get_xy()[0] for face in ax.patches if face.get_facecolor() == blue]
    assert min(x for x, _ in corners) == 3  # the rightmost channel and nothing else
    assert max(y for _, y in corners) == pytest.approx(3 * 0.4)  # the last example
