"""Which exercises are solved: in this kernel, and where it can be kept, for later ones.

Each solved exercise is an empty file in a folder of the user's data. To make a file
needs no lock and reads nothing, so two kernels at once lose no entry, and there is no
content that could be broken. Nothing leaves the machine; to begin again, delete the
folder.

A browser has no such folder. There the page of the book keeps the names: it hands them
over with ``restore`` before a cell runs, and reads ``solved`` after it.
"""

import os
import sys
from collections.abc import Iterable
from pathlib import Path

# Set to "off", nothing is kept and nothing is read.
SWITCH = "BNLIB_PROGRESS"
NAME = "batch-normalization-measured"

_in_this_kernel = set()


def folder():
    """Return where solved exercises are kept.

    Returns
    -------
    Path or None
        A folder below the user's data by the platform's convention, which may not exist
        yet; None if ``BNLIB_PROGRESS`` is off, in a browser, whose files do not
        outlive the page, or if nobody knows a home.
    """
    off = os.environ.get(SWITCH, "").strip().lower() in ("off", "0", "no", "false")
    if off or sys.platform == "emscripten":
        return None
    try:
        data = _data(Path.home())
    except RuntimeError:  # no home
        return None
    return data / NAME / "solved"


def _data(home):
    if sys.platform == "darwin":
        return home / "Library" / "Application Support"
    windows = sys.platform == "win32"
    named = Path(os.environ.get("APPDATA" if windows else "XDG_DATA_HOME", ""))
    usual = home / "AppData/Roaming" if windows else home / ".local/share"
    # The convention: a relative path is as good as none.
    return named if named.is_absolute() else usual


def remember(name):
    """Note that an exercise is solved; never fail.

    Parameters
    ----------
    name : str
        Name of the exercise.

    Returns
    -------
    str
        Two lines that say where it is kept, when the folder is made; otherwise empty.
    """
    _in_this_kernel.add(name)
    place = folder()
    if place is None:
        return ""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        new = _made(place)
        (place / name).touch()
    except OSError:  # a disk that is full or read-only: this kernel remembers
        return ""
    said = f"Solved exercises are remembered ({SWITCH}=off keeps nothing) in\n  {place}"
    return said if new else ""


def _made(place):
    try:
        place.mkdir()
    except FileExistsError:
        return False
    return True


def restore(names):
    """Let these be what this kernel has solved, in place of what it knew.

    For who keeps the names elsewhere, as a page of the book does in the browser. The
    folder stays as it is.

    Parameters
    ----------
    names : iterable of str
        Names of solved exercises; one may be of an exercise that is gone.

    Raises
    ------
    TypeError
        If that is not an iterable of texts. Then nothing is changed.

    Examples
    --------
    >>> before = solved()
    >>> restore(["z-score"])
    >>> "z-score" in solved()
    True
    >>> restore(before)
    """
    many = isinstance(names, Iterable) and not isinstance(names, str)
    kept = list(names) if many else [None]
    if not all(isinstance(name, str) for name in kept):
        raise TypeError(
            "names must be several texts, each the name of a solved exercise, got "
            f"{names!r}; pass a list"
        )
    _in_this_kernel.clear()
    _in_this_kernel.update(kept)


def solved():
    """Return the names of all solved exercises.

    Returns
    -------
    set of str
        From this kernel and from the folder; a name may be of an exercise that is gone.
    """
    place = folder()
    try:
        kept = set(os.listdir(place)) if place else set()
    except OSError:  # not made yet, or not ours to read
        kept = set()
    return _in_this_kernel | kept
