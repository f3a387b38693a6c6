"""Compares what came back with what was expected, and says the difference in words."""

import copy
import inspect
import warnings
from collections.abc import Iterator
from numbers import Number

import numpy as np

WHOLE = "Your result"
# Of a dict, so many keys are told.
MOST_KEYS = 5
# Lists and masks of so many items are shown in full, arrays of floats of so many.
MOST_ITEMS = 20
MOST_FLOATS = 6


def snapshot(value):
    """Copy a result out of the learner's hands, tensors as arrays.

    Parameters
    ----------
    value : object
        Array, tensor, number, bool, str or None, in tuples, lists and dicts.

    Returns
    -------
    object
        The same structure. Arrays are copies, because a result may be a view of an
        input that the next line changes.
    """
    if hasattr(value, "detach") and not isinstance(value, type):
        return np.array(value.detach().cpu().numpy())
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(snapshot, value))
    if isinstance(value, tuple | list):
        return (tuple if isinstance(value, tuple) else list)(map(snapshot, value))
    if isinstance(value, dict):
        return {key: snapshot(item) for key, item in value.items()}
    if hasattr(value, "__array__") and not isinstance(value, type | np.generic):
        return np.array(value)
    return value


def quietly(fn, args):
    """Call one of the course's own functions without its warnings.

    Parameters
    ----------
    fn : callable
        A reference, a misconception, or a property.
    args : tuple
        Its arguments, copied first.

    Returns
    -------
    object
        What it returns, as ``snapshot`` copies it.
    """
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return snapshot(fn(*copy.deepcopy(args)))


def leaves(value):
    """Walk through the parts of a result.

    Parameters
    ----------
    value : object
        A result, as ``snapshot`` returns it.

    Yields
    ------
    object
        Each part that is not a tuple, list or dict.
    """
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, tuple | list):
        for item in value:
            yield from leaves(item)
    else:
        yield value


def describe(value):
    """Say what a value is.

    Parameters
    ----------
    value : object
        Anything a learner's function may return.

    Returns
    -------
    str
        A noun phrase: ``"an array of shape (6, 4)"``.
    """
    if isinstance(value, str):
        return f"the string {value[:40]!r}"
    if value is None or isinstance(value, bool):
        return str(value)
    if isinstance(value, tuple | list):
        return f"a {'tuple' if isinstance(value, tuple) else 'list'} of {len(value)}"
    if isinstance(value, dict):
        return _describe_dict(value)
    if isinstance(value, Number | np.ndarray | np.generic):
        return _describe_numbers(value)
    if inspect.iscoroutine(value):
        return "a coroutine (remove `async`)"
    if isinstance(value, Iterator):
        kind = type(value).__name__
        return f"a {kind} (make it a list; is a `yield` where `return` should be?)"
    if hasattr(value, "named_modules"):
        return "a net (asked is what it puts out?)"
    if callable(value):
        return "a function (was it not called?)"
    return f"an object of type {type(value).__name__}"


def _describe_dict(value):
    keys = [str(key) for key in list(value)[:MOST_KEYS]]
    shown = ", ".join(key if len(key) <= 40 else f"{key[:39]}…" for key in keys)
    more = f" and {len(value) - MOST_KEYS} more" if len(value) > MOST_KEYS else ""
    return f"a dict with the keys {' '.join(shown.split())}{more}"


def _describe_numbers(value):
    array = np.asarray(value)
    if array.ndim == 0:
        return {"b": "a bool", "c": "a complex number"}.get(
            array.dtype.kind, "a number"
        )
    kinds = {"b": "bools", "c": "complex numbers", "O": "objects", "U": "strings"}
    what = kinds.get(array.dtype.kind)
    return f"an array{f' of {what}' if what else ''} of shape {array.shape}"


def distance(got, want):
    """Measure how far a result is from the expected one.

    Parameters
    ----------
    got, want : object
        Result and expected result, both as ``snapshot`` returns them.

    Returns
    -------
    float
        The largest difference over the largest expected value of the same output, the
        share of wrong items of a mask; infinite where the two cannot be compared.
    """
    if isinstance(want, dict):
        same = isinstance(got, dict) and set(got) == set(want)
        return (
            max((distance(got[k], want[k]) for k in want), default=0.0)
            if same
            else (np.inf)
        )
    if isinstance(want, tuple | list):
        got = _as_items(got, want)
        if not isinstance(got, tuple | list) or len(got) != len(want):
            return np.inf
        return max(map(distance, got, want), default=0.0)
    if want is None or isinstance(want, str):
        return 0.0 if type(got) is type(want) and got == want else np.inf
    return _array_distance(_as_array(got), np.asarray(want))


def _array_distance(got, want):
    if got is None or got.dtype.kind not in "biufc" or got.size != want.size:
        return np.inf
    kind = complex if "c" in (got.dtype.kind, want.dtype.kind) else float
    got, wanted = got.astype(kind).ravel(), want.astype(kind).ravel()
    if want.dtype.kind == "b":
        return float(np.mean(got != wanted)) if want.size else 0.0
    with np.errstate(all="ignore"):
        gap = np.where(
            (got == wanted) | (np.isnan(got) & np.isnan(wanted)), 0, got - wanted
        )
        far = np.abs(gap).max(initial=0.0) / np.abs(wanted).max(initial=1e-300)
    return float(far) if np.isfinite(far) else np.inf


def difference(
    got, want, *, rtol, atol, dtype=True, values=True, where=WHOLE, parts=()
):
    """Say in one or two sentences how a result differs from the expected one.

    Parameters
    ----------
    got, want : object
        Result and expected result, both as ``snapshot`` returns them.
    rtol, atol : float
        Tolerance relative to ``want``, and absolute.
    dtype : bool, default=True
        Whether an array that is expected in float32 must be float32.
    values : bool, default=True
        Whether values are compared, or only types and shapes.
    where : str
        Subject of the sentence.
    parts : tuple of str
        Names of the outputs, if there are several.

    Returns
    -------
    str or None
        None if they agree. Short results follow in full, on lines of their own.
    """
    options = {"rtol": rtol, "atol": atol, "dtype": dtype, "values": values}
    if isinstance(want, dict):
        return _dicts(got, want, where, options)
    if isinstance(want, tuple | list):
        return _sequences(got, want, where, options, parts)
    if want is None or isinstance(want, str):
        same = type(got) is type(want) and (got == want or not values)
        expected = describe(want)
        return None if same else f"{where} is {describe(got)}, expected {expected}."
    return _arrays(got, want, where, options)


def _dicts(got, want, where, options):
    if not isinstance(got, dict) or set(got) != set(want):
        return f"{where} is {describe(got)}, expected {describe(want)}."
    texts = (
        difference(got[key], want[key], where=f"Entry {key!r}", **options)
        for key in want
    )
    return next(filter(None, texts), None)


def _sequences(got, want, where, options, parts):
    got, count = _as_items(got, want), len(want)
    if not isinstance(got, tuple | list) or len(got) != count:
        what = "value" if isinstance(want, tuple) else "item"
        what += "s" * (count != 1)
        full = _in_full(got, want) if isinstance(want, list) else ""
        return f"{where} is {describe(got)}, expected {count} {what}.{full}"
    if len(parts) == count:
        names = parts
    elif hasattr(want, "_fields"):
        names = [f"Field {field!r}" for field in want._fields]
    else:
        within = "" if where == WHOLE else f" in {where}"
        names = [f"Value {i} of {count}{within}" for i in range(1, count + 1)]
    texts = (
        difference(g, w, where=name, **options)
        for g, w, name in zip(got, want, names, strict=True)
    )
    fault = next(filter(None, texts), None)
    listed = fault and isinstance(want, list) and "\n" not in fault
    return fault + _in_full(got, want) if listed else fault


def _in_full(got, want):
    """Show both, expected above got, if they are short."""
    texts = [_short(value) for value in (want, got)]
    return "" if None in texts else f"\nexpected {texts[0]}\ngot      {texts[1]}"


def _short(value):
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if not isinstance(value, tuple | list) or len(value) > MOST_ITEMS:
        return None
    items = [item.item() if isinstance(item, np.generic) else item for item in value]
    if not all(isinstance(item, bool | int | float | str) for item in items):
        return None
    if len(items) > MOST_FLOATS and any(isinstance(item, float) for item in items):
        return None
    shown = [f"{i:.6g}" if isinstance(i, float) else str(i) for i in items]
    return f"[{', '.join(text[:40] for text in shown)}]"


def _as_items(got, want):
    # A pair of equal shapes may come as one array, positions as a set or a range.
    if isinstance(got, np.ndarray) and got.ndim:
        return list(got)
    if isinstance(got, range):
        return list(got)
    numbers = isinstance(got, set | frozenset) and all(
        isinstance(i, Number) for i in got
    )
    if numbers and isinstance(want, list) and want == sorted(want):
        return sorted(got)
    return got


def _arrays(got, want, where, options):
    want = np.asarray(want)
    array = _as_array(got)
    if want.ndim == 0 and array is not None and array.size == 1:
        array = array.reshape(())  # one number in an array is that number
    allowed = {"b": "b", "c": "biufc"}.get(want.dtype.kind, "iuf")
    if isinstance(got, tuple):
        return f"{where} is {len(got)} values, expected one: {describe(want)}."
    if array is None or array.dtype.kind not in allowed:
        return f"{where} is {describe(got)}, expected {describe(want)}."
    if array.shape != want.shape:
        expected = f"{want.shape}{_shape_advice(array.shape, want.shape)}"
        expected = expected if want.ndim else "one number"
        return f"{where} has shape {array.shape}, expected {expected}."
    # Only of arrays: a number that was computed with Python's floats is fine.
    strict = options["dtype"] and want.ndim > 0
    if strict and want.dtype == np.float32 != array.dtype:
        return (
            f"{where} has dtype {array.dtype}, expected float32: what comes in as "
            "float32 goes out as float32."
        )
    return _values(array, want, where, options) if options["values"] else None


def _as_array(got):
    # A list of numbers counts as an array; a tuple does not, for it means that several
    # values were returned.
    numeric = np.ndarray | np.generic | Number
    if isinstance(got, list) and not all(
        isinstance(leaf, numeric) for leaf in leaves(got)
    ):
        return None
    if not isinstance(got, numeric | list):
        return None
    try:
        return _as_floats(np.asarray(got))
    except (ValueError, TypeError, OverflowError):  # ragged, or no number at all
        return None


def _as_floats(array):
    # Fractions, decimals and long integers are numbers that NumPy keeps as objects.
    if array.dtype.kind != "O":
        return array
    exact = all(isinstance(item, Number) and not _is_bool(item) for item in array.flat)
    return array.astype(float) if exact else array


def _is_bool(item):
    return isinstance(item, bool | np.bool_)


def _shape_advice(got, want):
    def without_ones(shape):
        return tuple(length for length in shape if length != 1)

    if len(got) > 1 and got == want[::-1]:
        return "; it is transposed"
    if without_ones(got) == without_ones(want) and len(got) < len(want):
        return "; keepdims=True keeps an axis of length 1"
    if without_ones(got) == without_ones(want) and len(got) > len(want):
        return "; it has an axis of length 1 too many (keepdims?)"
    return ""


def _values(got, want, where, options):
    small_dtype = got.dtype.kind == "f" and got.dtype.itemsize < want.dtype.itemsize
    kind = complex if want.dtype.kind == "c" else float
    exact, wanted = got.astype(kind), want.astype(kind)
    with np.errstate(all="ignore"):
        gap = np.abs(exact - wanted)
        bad = ~(gap <= options["atol"] + options["rtol"] * np.abs(wanted))
    bad |= np.isinf(wanted)  # the tolerance would be infinite, too
    # inf - inf is NaN, yet inf where inf is expected is right; the same with NaN.
    bad &= ~((exact == wanted) | (np.isnan(exact) & np.isnan(wanted)))
    if not bad.any():
        return None
    broken = bad & ~np.isfinite(exact)
    if broken.any():
        return _not_finite(got, want, broken, where)
    gap = np.where(bad, gap, -1.0)
    at = np.unravel_index(np.argmax(gap), gap.shape)
    text = _largest(got[at], want[at], gap[at], at, bad, where)
    dtype = f" It is {got.dtype}: too coarse here, stay in {want.dtype}."
    full = _in_full(got, want) if want.ndim == 1 else ""
    return text + (dtype if small_dtype else "") + full


def _not_finite(got, want, broken, where):
    at = tuple(np.argwhere(broken)[0])
    place = f" at {_index(at)}" if at else ""
    more = f" ({_count(broken)})" if broken.sum() > 1 else ""
    value = "NaN" if np.isnan(got[at]) else f"{got[at]:g}"
    return f"{where} is {value}{place}{more}, expected {want[at]:.6g}."


def _largest(got, want, gap, at, bad, where):
    if isinstance(got, np.bool_):
        count = f" In all, {_count(bad)} differ." if bad.sum() > 1 else ""
        place = f" at {_index(at)}" if at else ""
        return f"{where} is {got}{place}, expected {want}.{count}"
    digits = next((d for d in (6, 9) if f"{got:.{d}g}" != f"{want:.{d}g}"), 17)
    values = f"expected {want:.{digits}g}, got {got:.{digits}g}"
    if not at:
        return f"{where}: {values}, a difference of {gap:.2g}."
    return (
        f"{where} has the right shape {bad.shape}, but {_count(bad)} differ. The "
        f"largest difference, {gap:.2g}, is at {_index(at)}: {values}."
    )


def _count(bad):
    return f"{'all' if bad.all() else f'{bad.sum()} of'} {bad.size} values"


def _index(at):
    return "[" + ", ".join(str(int(i)) for i in at) + "]"
