"""Drawings: short, without colors and fonts of their own, and true to the figure."""

import base64
import io
import re
import xml.etree.ElementTree as ET
from types import SimpleNamespace

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image, ImageChops

from bnlib.lab.plot import _draw, use_style
from tools import drawing
from tools.drawing import MIME, shortened, with_palette

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def style():
    with matplotlib.rc_context():
        use_style()
        yield
    plt.close("all")


def curve(points, *look, **more):
    """Return the drawing of one curve."""
    fig, ax = plt.subplots()
    ax.plot(*points, *look, **more)
    ax.set(xlabel="training steps", ylabel="loss")
    return shortened(_draw(fig))


def paths(svg):
    return [element for element in ET.fromstring(svg) if element.tag == "path"]


def walked(d):
    """Return the points of a path, as a browser goes along it."""
    at, points = np.zeros(2), []
    for name, numbers in re.findall(r"([Mmlhvzcq])([^Mmlhvzcq]*)", d):
        flat = [float(n) for n in re.findall(r"-?(?:\d+\.?\d*|\.\d+)", numbers)]
        if name in "hv":
            flat = [pair for n in flat for pair in ((n, 0) if name == "h" else (0, n))]
        for move in np.reshape(flat, (-1, 2)):
            at = move if name == "M" else at + move
            points.append(at)
    return np.array(points)


def test_a_curve_stays_where_it_is_to_a_sixth_of_a_point():
    x = np.linspace(0, 1, 30)
    fig, ax = plt.subplots()
    ax.plot(x, np.sin(7 * x), color="#123456")
    svg = shortened(_draw(fig))
    (path,) = (it for it in paths(svg) if it.get("stroke") == "#123456")
    fig.dpi = 72
    fig.canvas.draw()
    there = ax.transData.transform(np.column_stack([x, np.sin(7 * x)]))
    there[:, 1] = 72 * fig.get_figheight() - there[:, 1]
    drawn = walked(path.get("d"))
    assert 20 < len(drawn) <= 30  # matplotlib leaves out what lies on a straight line
    assert distance(drawn, there) < 0.16
    assert distance(there, drawn) < 0.16


def test_only_points_on_a_straight_line_are_left_out():
    def points(d):
        return [at for _, some in drawing.outline(d) for at in some]

    assert points("M 0 0 L 5 1 L 10 2") == [(0, 0), (100, 20)]
    assert points("M 0 0 L 5 1.1 L 10 2") == [(0, 0), (50, 11), (100, 20)]
    assert points("M 0 0 L 5 1 L 2.5 0.5") == [(0, 0), (50, 10), (25, 5)]  # and back
    assert points("M 0 0 L 5 1 L 5.01 1") == [(0, 0), (50, 10)]


def distance(points, line):
    """Return how far the farthest point is from a line through other points."""
    steps = np.linspace(0, 1, 500)[:, None, None]
    along = (line[:-1] * (1 - steps) + line[1:] * steps).reshape(-1, 2)
    return np.linalg.norm(points[:, None] - along, axis=-1).min(axis=1).max()


def test_the_page_brings_ink_ground_and_letters():
    svg = curve(([0, 1], [0, 1]), color="black")
    assert "font-family" not in svg and "#000000" not in svg and "#fff" not in svg
    assert 'stroke="currentColor"' in svg and '<g fill="currentColor"' in svg
    words = ["".join(it.itertext()) for it in ET.fromstring(svg).iter("text")]
    assert {"training steps", "loss", "0.0", "1.0"} <= set(words)


def test_marks_of_an_axis_and_dots_of_a_line_are_one_path_each():
    svg = curve((range(9), range(9)), "o", color="#0072B2")
    (dots,) = (it for it in paths(svg) if it.get("stroke") == "#0072b2")
    assert dots.get("stroke-linecap") == "round" and dots.get("d").count("M") == 9
    assert float(dots.get("stroke-width")) == 7  # a radius of 3 and a line of 1
    assert len(paths(svg)) == 3  # the dots, the marks of both axes, the spines


def test_the_same_figure_gives_the_same_drawing():
    drawn = [curve(([0, 1], [1, 3]), "o-") for _ in range(2)]
    assert drawn[0] == drawn[1]


@pytest.mark.parametrize(("top", "cut"), [(2, False), (0.5, True)])
def test_only_what_leaves_its_axes_is_clipped(top, cut):
    fig, ax = plt.subplots()
    ax.plot([0, 1], [0, 1])
    ax.set_ylim(0, top)
    svg = shortened(_draw(fig))
    assert ("clip-path" in svg) == cut
    assert svg.count("<clipPath id=") == cut


def test_a_power_of_ten_is_one_word_with_a_raised_part():
    fig, ax = plt.subplots()
    ax.loglog([1e-3, 1], [1, 10])
    svg = shortened(_draw(fig))
    raised = re.findall(r'>10<tspan dy="(-[\d.]+)" font-size="9.1">−3</tspan>', svg)
    assert len(raised) == 1 and float(raised[0]) < -3


def test_letters_around_an_equals_sign_keep_their_distance():
    fig = plt.figure()
    fig.text(0.1, 0.5, r"$\varepsilon = 7$")
    (word,) = ET.fromstring(shortened(_draw(fig))).iter("tspan")
    places = [float(n) for n in word.get("x").split()]
    assert word.text == "ε=7" and np.diff(places).min() > 8


def test_a_turned_word_is_turned_where_it_stands():
    svg = curve(([0, 1], [0, 1]))
    (word,) = (it for it in ET.fromstring(svg).iter("text") if it.text == "loss")
    place = f"rotate(-90 {word.get('x')} {word.get('y')})"
    assert word.get("transform") == place


@pytest.mark.parametrize("marker", ["|", "o"])
def test_hundreds_of_marks_are_each_drawn_once(marker):
    x = np.random.default_rng(0).uniform(size=600).round(2)
    svg = curve((x, 0 * x), marker, color="#0072B2")
    (marks,) = (it for it in paths(svg) if it.get("stroke") == "#0072b2")
    drawn = walked(marks.get("d"))[::2, 0]
    assert len(drawn) == len(set(x)) and (np.diff(drawn) > 0).all()
    few = curve((x[:100], 0 * x[:100]), marker, color="#0072B2")
    (marks,) = (it for it in paths(few) if it.get("stroke") == "#0072b2")
    some = walked(marks.get("d"))[::2, 0]
    ends = [np.polyfit(x[:100], some, 1), np.polyfit(np.unique(x), drawn, 1)]
    assert np.abs(np.polyval(ends[1], np.unique(x)) - drawn).max() < 0.2
    assert np.abs(np.polyval(ends[0], x[:100]) - some).max() < 0.2


def test_points_that_shine_through_stay_single():
    svg = curve(([0, 0, 1], [0, 0, 1]), "o", color="#0072B2", alpha=0.5)
    dots = [it for it in paths(svg) if it.get("stroke-opacity") == "0.5"]
    assert len(dots) == 3


def test_a_photograph_and_a_root_are_no_drawings():
    fig, ax = plt.subplots()
    ax.imshow(np.eye(3))
    assert shortened(_draw(fig)) is None
    fig = plt.figure()
    fig.text(0.1, 0.5, r"$\sqrt{2}$")
    assert shortened(_draw(fig)) is None


def test_a_large_cloud_is_no_drawing():
    x = np.random.default_rng(0).normal(size=(2, 5000))
    assert shortened(_draw(scattered(x))) is None
    assert shortened(_draw(scattered(x[:, :200]))) is not None


def scattered(points):
    fig, ax = plt.subplots()
    ax.scatter(
        *points,
        s=5,
        color=np.array(["#0072B2", "#D55E00"])[np.arange(len(points.T)) % 2],
    )
    return fig


def test_an_element_that_nobody_has_seen_is_an_error():
    svg = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><mesh/></svg>'
    with pytest.raises(ValueError, match="writes no <mesh> that we know"):
        shortened(svg)


# What is stored


def png(image):
    file = io.BytesIO()
    image.save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def pixels(encoded):
    return Image.open(io.BytesIO(base64.b64decode(encoded)))


def test_a_figure_gets_a_palette_and_nobody_sees_it():
    fig, ax = plt.subplots()
    ax.plot([0, 1, 2], [0, 5, 1], "o-")
    file = io.BytesIO()
    fig.savefig(file, dpi=180)
    before = base64.b64encode(file.getvalue()).decode()
    after = with_palette(before)
    assert pixels(after).mode == "P" and len(after) < 0.6 * len(before)
    lost = ImageChops.difference(*(pixels(it).convert("RGB") for it in (before, after)))
    assert max(high for _, high in lost.getextrema()) <= 20
    assert with_palette(after) == after


def test_a_picture_of_many_colors_stays_as_it_is():
    noise = np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8)
    encoded = png(Image.fromarray(noise))
    assert with_palette(encoded) == encoded


def test_a_drawing_is_stored_beside_the_picture_or_not_at_all():
    fig, ax = plt.subplots()
    ax.plot([0, 1])
    good = {MIME: _draw(fig), "image/png": png(Image.new("RGB", (9, 9)))}
    ax.imshow(np.eye(2))
    bad = good | {MIME: _draw(fig)}
    outputs = [{"data": good}, {"data": bad}, {"name": "stdout"}]
    drawing.store(SimpleNamespace(cells=[{"outputs": outputs}, {}]))
    assert good[MIME].startswith("<svg viewBox=") and len(good[MIME]) < 3000
    assert bad.keys() == {"image/png"}
