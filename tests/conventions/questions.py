"""The questions behind the page's tables, put to one library at a time.

Each takes an adapter of ``libraries`` and returns the entry in the words of the page.
No signature is trusted where a number can be measured: the default momentum, say, is
how far the running mean moved in one step.
"""

import numpy as np

START = (5.0, 7.0)  # running mean and variance before the step, far from the batch's
MOMENTUM = 0.3  # not 0.5, which weighs old and new alike


def batch(shape=(4, 3), loc=3.0, scale=2.0):
    """Return values off center, few enough that M and M - 1 differ visibly."""
    x = np.random.default_rng(0).normal(loc, scale, size=shape)
    return x.astype(np.float32)


def normalized(x, ddof=0, eps=1e-3):
    """Return a normalized batch without scale and shift."""
    return (x - x.mean(0)) / np.sqrt(x.var(0, ddof=ddof) + eps)


def only(candidates, value):
    """Return the name of the one candidate that a measured value equals."""
    fits = [
        name
        for name, wanted in candidates.items()
        if np.allclose(value, wanted, rtol=1e-3, atol=1e-3)
    ]
    assert len(fits) == 1, f"measured {value}, which fits {fits or 'nothing'}"
    return fits[0]


def number(value):
    """Write a number as the page does; two digits are enough for all of them."""
    return f"{float(f'{value:.2g}'):g}"


def moved(library, momentum=None):
    """Return by which share the running mean moves toward the batch in one step."""
    x = batch()
    _, mean, _ = library.step(x, start=START, momentum=momentum)
    shares = (mean - START[0]) / (x.mean(0) - START[0])
    assert np.ptp(shares) < 1e-4
    return shares.mean()


def constants(values):
    """Return the entry "a and b" for two arrays that repeat one number each."""
    assert all(len(part) == 3 and np.ptp(part) == 0 for part in values)
    return "{:g} and {:g}".format(*(part[0] for part in values))


# --- the statistics -------------------------------------------------------------------


def normalizes(library):
    x = batch()
    y, *_ = library.step(x, eps=1e-3)
    return only({"÷ M": normalized(x), "÷ (M − 1)": normalized(x, ddof=1)}, y)


def stores(library):
    if library.stateless:
        return "nothing is stored"
    x = batch()
    _, _, var = library.step(x, start=START, momentum=MOMENTUM)
    share = moved(library, MOMENTUM)
    received = (var - (1 - share) * START[1]) / share
    return only({"÷ M": x.var(0), "÷ (M − 1)": x.var(0, ddof=1)}, received)


def weighs(library):
    if library.stateless:
        return "—"
    candidates = {"the new value": MOMENTUM, "the old value": 1 - MOMENTUM}
    return only(candidates, moved(library, MOMENTUM))


def eps_place(library):
    x = batch()
    y, *_ = library.step(x, eps=0.5)
    centered, var = x - x.mean(0), x.var(0)
    candidates = {
        "the variance": centered / np.sqrt(var + 0.5),
        "the standard deviation": centered / (np.sqrt(var) + 0.5),
    }
    return only(candidates, y)


# --- the defaults ---------------------------------------------------------------------


def momentum(library):
    if library.stateless:
        return "—"
    share = moved(library)
    return number(share if weighs(library) == "the new value" else 1 - share)


def newest_weighs(library):
    return "—" if library.stateless else number(moved(library))


def eps(library):
    if "variance_epsilon" in library.must_be_given:
        return "must be given"
    x = batch((64, 3), loc=0.0, scale=1e-3)  # so quiet that eps decides
    y, *_ = library.step(x)
    found = ((x - x.mean(0)) ** 2).sum(0) / (y**2).sum(0) - x.var(0)
    exponent = np.log10(found.mean())
    assert abs(exponent - round(exponent)) < 0.01, f"eps {found} is no power of ten"
    return f"`1e{round(exponent)}`"


def running_start(library):
    if library.stateless:
        return "—"
    if {*library.names[2:]} <= library.must_be_given:
        return "must be given"
    return constants(library.start()[2:])


def parameter_start(library):
    if {*library.names[:2]} <= library.must_be_given:
        return "must be given"
    return constants(library.start()[:2])


def axis(library):
    x = batch((4, 5, 6))
    accepted = []
    for name, channels, others in (("1", 5, (0, 2)), ("last", 6, (0, 1))):
        try:
            y, *_ = library.step(x, channels=channels)
        except Exception:  # each library has an error of its own for this
            continue
        assert np.allclose(y.mean(others), 0, atol=1e-4)
        accepted.append(name)
    assert len(accepted) == 1, f"accepted as the axis of the channels: {accepted}"
    return accepted[0]


def mode(library):
    if {*library.names[2:]} <= library.must_be_given and library.stateless:
        return "must be given"
    x = batch((64, 3))
    # Fresh statistics of 0 and 1 leave the input as it is.
    candidates = {"the batch": normalized(x, eps=0), "the past": x}
    return only(candidates, library.plain_call(x))


# --- the edges ------------------------------------------------------------------------


def one_value(library):
    try:
        y, *_ = library.step(batch((1, 3)))
    except ValueError as error:
        assert "more than 1 value per channel" in str(error)
        return "`ValueError`"
    return only({"zeros": 0, "the input": batch((1, 3))}, y)


def one_value_stored(library):
    if library.stateless or one_value(library) != "zeros":
        return "—"
    _, _, var = library.step(batch((1, 3)), start=START)
    shrunk = (1 - moved(library)) * START[1]  # as if the batch had variance 0
    return only({"shrinks": shrunk, "stays": START[1]}, var)


def frozen(library):
    if not library.has_switch():
        return "no switch"
    x = batch()
    wanted = {"yes": 0, "no": moved(library) * x.mean(0)}
    return only(wanted, library.frozen_step(x))


def far(library):
    x = batch((256, 16), loc=1e4, scale=1.0)
    y, *_ = library.step(x)
    wanted = normalized(x.astype(float)).std(0)
    if abs(y.std(0) / wanted - 1).max() < 0.01:  # False for NaN as well
        return "right"
    return f"wrong on the {library.backend} backend" if library.backend else "wrong"


def names(library):
    library.confirm_names()
    return " ".join(f"`{name}`" for name in library.names)
