"""Compare stored with computed notebook outputs: strict, but for the last digit.

Numbers may differ by one unit in the last place that is printed, whole numbers not at
all; everything else in a text must be equal. Figures are compared by their pixels;
their drawings, which only `make execute` makes, are not.
"""

import base64
import io
import json
import re

from tools.drawing import MIME

NUMBER = re.compile(
    r"(?<![\w.])"  # not inside a name or a version such as 3.11.2
    r"[-+]?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d+)?"
    r"(?!\w|\.\d)"
)
BLOCK = 16  # pixels; about the size of a marker or a letter in a retina figure
MAX_BLOCK_RMS = 24.0  # of 255; rounding stays below 8, a moved marker is above 60


def differences(stored, computed, figures=True):
    """List what differs between the stored and the computed outputs of one cell.

    Parameters
    ----------
    stored, computed : list of dict
        Outputs as in the notebook format, streams of one name merged.
    figures : bool, default=True
        Whether to compare the pixels of figures, not only their number.

    Returns
    -------
    list of str
        One sentence for each difference, empty if there is none.
    """
    old, new = _parts(stored), _parts(computed)
    old_kinds, new_kinds = [kind for kind, _ in old], [kind for kind, _ in new]
    if old_kinds != new_kinds:
        return [
            f"stored outputs are {old_kinds}, computed are {new_kinds}",
            *(_tell("stored", kind, value) for kind, value in old),
            *(_tell("computed", kind, value) for kind, value in new),
        ]
    found = (
        _compare(kind, was, now, figures)
        for (kind, was), (_, now) in zip(old, new, strict=True)
    )
    return [message for message in found if message]


def text_difference(stored, computed):
    """Say how two texts differ beyond the last printed digit; None if they don't.

    Parameters
    ----------
    stored, computed : str
        The texts.

    Returns
    -------
    str or None
        A sentence with the first number that differs, or both texts.
    """
    if _frame(stored) != _frame(computed):
        return f"the text changed\nstored:\n{stored}\ncomputed:\n{computed}"
    numbers = zip(NUMBER.findall(stored), NUMBER.findall(computed), strict=True)
    for was, now in numbers:
        allowed = last_place(was, now)
        if abs(float(was) - float(now)) > allowed * (1 + 1e-6):
            return (
                f"stored {was}, computed {now}, allowed difference {allowed:g}"
                f"\nstored:\n{stored}\ncomputed:\n{computed}"
            )
    return None


def last_place(*numbers):
    """Return the unit in the last place of the number that prints most places.

    Whole numbers have none (0.0): they are counts and must be equal. The finer of two
    numbers decides, because ``f"{x:.3g}"`` prints 0.1 for 0.100 and 0.104 for 0.104.
    """
    units = [_unit(number) for number in numbers]
    return min((unit for unit in units if unit), default=0.0)


def figure_difference(stored, computed):
    """Say where two base64-encoded PNG figures differ; None if they agree.

    The root mean square over the whole figure would hardly see one moved point, so the
    worst block of 16 by 16 pixels decides.
    """
    old, new = _pixels(stored), _pixels(computed)
    if old.shape != new.shape:
        sizes = (f"{a.shape[1]} x {a.shape[0]}" for a in (old, new))
        return "the figure was {} pixels, now it is {}".format(*sizes)
    worst, row, column = _worst_block(old - new)
    if worst <= MAX_BLOCK_RMS:
        return None
    return (
        f"the figure changed, most near pixel ({column}, {row}): "
        f"RMS difference {worst:.0f} there, at most {MAX_BLOCK_RMS:g} allowed"
    )


def _parts(outputs):
    """Flatten outputs to (kind, value) pairs, kind being a stream name or MIME type."""
    parts = []
    for output in outputs:
        if output["output_type"] == "stream":
            parts.append((output["name"], output["text"]))
        elif output["output_type"] == "error":
            parts.append(("error", f"{output['ename']}: {output['evalue']}"))
        else:
            data = output["data"].items()
            parts.extend(sorted(item for item in data if item[0] != MIME))
    return parts


def _tell(when, kind, value):
    shown = "(a picture)" if kind.startswith("image/") else value
    return f"{when} {kind}:\n{shown}"


def _compare(kind, stored, computed, figures):
    if kind in ("image/png", "image/jpeg"):
        return figure_difference(stored, computed) if figures else None
    if not isinstance(stored, str):  # JSON, such as the cells of a table
        how = {"ensure_ascii": False, "sort_keys": True}
        stored, computed = (json.dumps(it, **how) for it in (stored, computed))
    return text_difference(stored, computed)


def _frame(text):
    """Return the text without its numbers and without the padding that follows them."""
    text = re.sub(r"[ \t]+", " ", NUMBER.sub("#", text))
    return re.sub(r"(?<=[\[(]) ", "", text).strip()


def _unit(number):
    mantissa, _, exponent = number.lower().partition("e")
    places = len(mantissa.partition(".")[2])
    if not places and not exponent:
        return 0.0
    return 10.0 ** (int(exponent or 0) - places)


def _pixels(encoded):
    # Imported here: unit tests without figures need neither.
    import numpy as np
    from PIL import Image

    image = Image.open(io.BytesIO(base64.b64decode(encoded)))
    return np.asarray(image.convert("RGB"), dtype=float)


def _worst_block(difference):
    """Return the largest RMS of any block, and the pixel at which it starts."""
    import numpy as np

    height, width, _ = difference.shape
    padding = ((0, -height % BLOCK), (0, -width % BLOCK))
    squares = np.pad(np.square(difference).mean(axis=2), padding)
    rows, columns = (n // BLOCK for n in squares.shape)
    blocks = squares.reshape(rows, BLOCK, columns, BLOCK).mean(axis=(1, 3))
    row, column = np.unravel_index(blocks.argmax(), blocks.shape)
    return float(np.sqrt(blocks.max())), int(row) * BLOCK, int(column) * BLOCK
