"""What counts as the same output."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from tools.compare import differences, figure_difference, last_place, text_difference
from tools.drawing import MIME

SAME = [
    ("loss 0.043", "loss 0.043"),
    ("loss 0.043", "loss 0.044"),
    ("0.999", "1.000"),
    ("1e-05", "2e-05"),
    ("[ 1.5 -0.2]", "[1.5 -0.2]"),
    ("-0.00", "0.00"),
    ("0.0999", "0.1"),
    ("[2. 3.]", "[2. 3.]"),
]
OTHER = [
    ("loss 0.043", "loss 0.045"),
    ("acc 491/500", "acc 490/500"),
    ("n=64", "n=65"),
    ("1.2e-05", "1.4e-05"),
    ("0.1", "0.14"),
    ("[2. 3.]", "[3. 3.]"),
    ("x1 = 3", "x2 = 3"),
    ("loss 0.043", "cost 0.043"),
    ("1 2", "1 2 3"),
    ("nan", "0.1"),
    ("version 3.11.2", "version 3.12.2"),
    ("0.5", "-0.5"),
]


@pytest.mark.parametrize("stored, computed", SAME)
def test_the_last_printed_digit_may_move_by_one(stored, computed):
    assert text_difference(stored, computed) is None


@pytest.mark.parametrize("stored, computed", OTHER)
def test_everything_else_is_a_difference(stored, computed):
    assert text_difference(stored, computed)


def test_a_difference_names_both_numbers_and_what_was_allowed():
    message = text_difference("loss 0.043", "loss 0.046")
    assert message.startswith("stored 0.043, computed 0.046, allowed difference 0.001")


def test_cells_of_a_table_may_move_like_printed_numbers():
    def bundle(loss):
        cells = {"heads": ["net", "loss"], "rows": [["plain", loss]]}
        return [{"output_type": "display_data", "data": {"application/x+json": cells}}]

    stored = bundle("0.043 ± 0.001")
    (data,) = stored[0]["data"].values()
    data["heads"] = data.pop("heads")  # a notebook keeps another order of the names
    assert differences(stored, bundle("0.044 ± 0.001")) == []
    (message,) = differences(bundle("0.043"), bundle("0.046"))
    assert message.startswith("stored 0.043, computed 0.046")
    (message,) = differences(bundle("0.043"), bundle("fails"))
    assert message.startswith("the text changed")


@pytest.mark.parametrize(
    "numbers, unit",
    [(("12", "13"), 0.0), (("0.12", "0.1"), 0.01), (("1.5e-3", "2e-3"), 1e-4)],
)
def test_the_last_place_is_that_of_the_finer_number(numbers, unit):
    assert last_place(*numbers) == pytest.approx(unit)


def png(pixels):
    """Return a picture as notebooks store it."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="png")
    return base64.b64encode(file.getvalue()).decode()


@pytest.fixture
def drawing():
    """Return 600 by 400 white pixels with a line."""
    pixels = np.full((400, 600, 3), 255, dtype=np.uint8)
    pixels[200:204] = 30
    return pixels


def test_rounding_in_every_pixel_is_no_difference(drawing):
    rounded = drawing - np.random.default_rng(0).integers(0, 3, drawing.shape)
    assert figure_difference(png(drawing), png(rounded.astype(np.uint8))) is None


def test_one_new_marker_is_a_difference_and_is_located(drawing):
    marked = drawing.copy()
    marked[52:60, 308:316] = 0
    message = figure_difference(png(drawing), png(marked))
    assert "near pixel (304, 48)" in message


@pytest.mark.parametrize("gray, seen", [(20, False), (60, True)])
def test_a_block_may_change_by_rounding_and_not_by_the_paleness_of_a_line(
    drawing, gray, seen
):
    paler = drawing.copy()
    paler[64:80, 64:80] -= gray  # one block, everywhere by as much
    assert (figure_difference(png(drawing), png(paler)) is not None) == seen


def test_another_size_is_a_difference(drawing):
    message = figure_difference(png(drawing), png(drawing[:, :500]))
    assert message == "the figure was 600 x 400 pixels, now it is 500 x 400"


def shown(pixels):
    """Return the output of a cell that shows a figure."""
    return {
        "output_type": "display_data",
        "data": {"image/png": png(pixels), "text/plain": "<Figure>"},
    }


def test_pixels_are_left_alone_for_another_matplotlib_but_not_the_number(drawing):
    other = shown(255 - drawing)
    assert differences([shown(drawing)], [other])
    assert differences([shown(drawing)], [other], figures=False) == []
    assert differences([shown(drawing)], [other, other], figures=False)


def test_a_drawing_beside_a_picture_is_not_compared(drawing):
    stored = shown(drawing)
    stored["data"][MIME] = "<svg/>"
    assert differences([stored], [shown(drawing)]) == []
    assert differences([stored], [shown(255 - drawing)])


def test_a_lost_output_is_told_with_its_text():
    printed = {"output_type": "stream", "name": "stdout", "text": "hello"}
    message = "\n".join(differences([printed], []))
    assert "stored outputs are ['stdout'], computed are []" in message
    assert "hello" in message


def test_another_error_is_a_difference():
    stored, computed = (
        {"output_type": "error", "ename": "ValueError", "evalue": text}
        for text in ("gamma is too long", "beta is too long")
    )
    assert differences([stored], [computed])
