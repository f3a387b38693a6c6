"""Two small tables and data made from a seed; nothing is downloaded.

The tables are those of scikit-learn, and lie in ``tables`` with its license.
"""

import operator
from functools import cache
from pathlib import Path

import numpy as np

__all__ = [
    "digits",
    "for_seeds",
    "shift_images",
    "two_features",
    "warped_digits",
    "wine",
]


def digits(*, test_size=450, seed=0):
    """Load the 8x8 handwritten digits, split into training and test set.

    Parameters
    ----------
    test_size : int, default=450
        Number of test images.
    seed : int, default=0
        Seed of the stratified split, which is that of scikit-learn's
        ``train_test_split``: each class keeps its share.

    Returns
    -------
    x_train : ndarray of shape (N, 64), float64
        Images, one in each row, with values in [0, 1]. There are 1797 in all, so one
        test image of 450 is 0.22 points of accuracy.
    y_train : ndarray of int, shape (N,)
        Classes 0 to 9.
    x_test, y_test : ndarray
        The same for the test set.

    Raises
    ------
    TypeError
        If ``test_size`` is not a whole number.
    ValueError
        If ``test_size`` is below 10 or leaves fewer than 10 images for training.

    Examples
    --------
    >>> x_train, y_train, x_test, y_test = digits()
    >>> x_train.shape, x_test.shape, x_train.max()
    ((1347, 64), (450, 64), np.float64(1.0))
    """
    x, y = _table("digits.csv.gz")
    return _split(x / 16.0, y, test_size, seed)


def for_seeds(load, seeds, **options):
    """Stack the data of several seeds, so that the split varies with the seed.

    Parameters
    ----------
    load : callable
        One of the functions of this module with a ``seed``, such as :func:`digits`.
    seeds : sequence of int
        One for each network of an ensemble; a seed may occur several times.
    **options : optional
        Handed on to ``load``.

    Returns
    -------
    tuple of ndarray
        What ``load`` returns, each array with the seeds as its first axis: pass them
        to :func:`bnlib.lab.ensemble.train_many` with ``each=True``.

    Raises
    ------
    ValueError
        If there is no seed.

    Examples
    --------
    >>> x_train, y_train, x_test, y_test = for_seeds(wine, [0, 1])
    >>> x_train.shape, y_test.shape
    ((2, 124, 13), (2, 54))
    """
    seeds = [int(seed) for seed in seeds]
    if not seeds:
        raise ValueError("seeds must hold at least one number, got none; pass range(5)")
    sets = {seed: load(seed=seed, **options) for seed in dict.fromkeys(seeds)}
    return tuple(map(np.stack, zip(*(sets[seed] for seed in seeds), strict=True)))


def wine(*, test_size=54, seed=0):
    """Load the 13 measurements of 178 wines, split into training and test set.

    Parameters
    ----------
    test_size : int, default=54
        Number of test wines.
    seed : int, default=0
        Seed of the stratified split, which is that of scikit-learn's
        ``train_test_split``: each class keeps its share.

    Returns
    -------
    x_train : ndarray of shape (N, 13), float64
        Measurements, one wine in each row, in their own units.
    y_train : ndarray of int, shape (N,)
        Cultivars 0 to 2.
    x_test, y_test : ndarray
        The same for the test set.

    Raises
    ------
    TypeError
        If ``test_size`` is not a whole number.
    ValueError
        If ``test_size`` is below 3 or leaves fewer than 3 wines for training.

    Examples
    --------
    >>> x_train, y_train, x_test, y_test = wine()
    >>> x_train.shape, x_test.shape, sorted(set(y_test.tolist()))
    ((124, 13), (54, 13), [0, 1, 2])
    """
    return _split(*_table("wine_data.csv", first=1), test_size, seed)


def two_features(n=300, *, ratio=1000.0, seed=0):
    """Make students with two features of different range that matter equally.

    Parameters
    ----------
    n : int, default=300
        Number of students.
    ratio : float, default=1000.0
        Range of the first feature; that of the second is 1.
    seed : int, default=0
        Seed. The same seed with another ratio gives the same students in other units.

    Returns
    -------
    x : ndarray of shape (n, 2)
        A monthly income, uniform in [0, ratio], and the share of it that is saved,
        uniform in [0, 1].
    t : ndarray of shape (n,)
        A target for regression, linear in both features, with noise.
    late : ndarray of int, shape (n,)
        A class, 0 or 1, on which both features have the same influence.

    Examples
    --------
    >>> x, t, late = two_features(4)
    >>> x.shape, t.shape, late.shape
    ((4, 2), (4,), (4,))
    >>> np.allclose(x, two_features(4, ratio=1.0)[0] * [1000, 1])
    True
    """
    rng = np.random.default_rng(seed)
    x = rng.random((n, 2))
    noise = rng.normal(size=(n, 2))
    t = 2 * x[:, 0] + 3 * x[:, 1] + 0.1 * noise[:, 0]
    late = (x.sum(axis=1) + 0.15 * noise[:, 1] < 1).astype(int)
    return x * [ratio, 1.0], t, late


def warped_digits(
    num_train=4000,
    num_test=1500,
    *,
    size=8,
    rotation=15.0,
    scale=0.15,
    shift=0.15,
    noise=0.1,
    seed=0,
):
    """Draw digits under random rotations, scales, shifts and noise, as images.

    A harder task than :func:`digits`, with a larger test set: one image of 1500 is 0.07
    points of accuracy. Base images are drawn with replacement, those of the training
    set from 1347 digits and those of the test set from the other 450.

    Parameters
    ----------
    num_train, num_test : int, default=4000, 1500
        Number of images drawn.
    size : int, default=8
        Height and width of the result; the base images are 8x8.
    rotation : float, default=15.0
        Largest angle in degrees, in both directions.
    scale : float in [0, 1), default=0.15
        Largest relative change of size: the factor is uniform in
        ``[1 - scale, 1 + scale]``.
    shift : float, default=0.15
        Largest shift along each axis, in halves of the base image's width.
    noise : float, default=0.1
        Standard deviation of the normal noise that is added to each pixel.
    seed : int, default=0
        Seed of the split into base images, the draws, the maps and the noise.

    Returns
    -------
    x_train : ndarray of shape (num_train, 1, size, size), float64
        Images, without noise in [0, 1].
    y_train : ndarray of int, shape (num_train,)
        Classes 0 to 9.
    x_test, y_test : ndarray
        The same for the test set, of ``num_test`` images.

    Raises
    ------
    ValueError
        If a number of images or ``size`` is below 1, if ``scale`` lies outside of
        [0, 1), or if ``rotation``, ``shift`` or ``noise`` is negative or not finite.

    Examples
    --------
    >>> x_train, y_train, x_test, y_test = warped_digits(6, 2)
    >>> x_train.shape, x_test.shape
    ((6, 1, 8, 8), (2, 1, 8, 8))
    """
    _check_warp(num_train, num_test, size, scale, (rotation, shift, noise))
    rng = np.random.default_rng(seed)
    x_train, y_train, x_test, y_test = digits(seed=seed)
    drawn = []
    for x, y, n in ((x_train, y_train, num_train), (x_test, y_test, num_test)):
        picked = rng.integers(len(x), size=n)
        maps = _affine_maps(n, np.deg2rad(rotation), scale, shift, rng)
        images = _sample(x[picked].reshape(-1, 8, 8), *_positions(*maps, size))
        drawn += [(images + noise * rng.normal(size=images.shape))[:, None], y[picked]]
    return tuple(drawn)


def shift_images(x, kind, *, seed=0):
    """Show images as another camera would: same contents, other numbers.

    Parameters
    ----------
    x : ndarray of float, shape (N, C, H, W)
        Images with values around [0, 1]. Not modified.
    kind : str
        ``"none"``, or one of the affine shifts ``"dark"`` (0.3 x), ``"bright"``
        (2 x + 0.5), ``"offset"`` (x + 0.7), ``"low contrast"`` (0.25 x + 0.5) and
        ``"inverted"`` (1 - x), or ``"blur"`` (mean of 3x3 pixels, 0 outside of the
        image) or ``"noise"`` (normal, standard deviation 0.4, added to each pixel).
    seed : int, default=0
        Seed of the noise.

    Returns
    -------
    ndarray, shape of ``x``
        The shifted images, a new array.

    Raises
    ------
    ValueError
        If ``x`` is not 4-dimensional, or ``kind`` is not one of these.

    Examples
    --------
    >>> x = np.array([[[[0.0, 1.0]]]])  # one image of 1x2 pixels
    >>> shift_images(x, "inverted")
    array([[[[1., 0.]]]])
    >>> shift_images(x, "bright")
    array([[[[0.5, 2.5]]]])
    """
    kinds = ("none", *_AFFINE, "blur", "noise")
    if kind not in kinds:
        raise ValueError(
            f"kind must be one of {', '.join(kinds)}, got {kind!r}; choose one"
        )
    x = np.asarray(x, dtype=float)
    if x.ndim != 4:
        raise ValueError(
            f"x must be images of shape (N, C, H, W), got shape {x.shape}; reshape it"
        )
    if kind == "blur":
        return _blur(x)
    if kind == "noise":
        return x + 0.4 * np.random.default_rng(seed).normal(size=x.shape)
    gain, offset = _AFFINE.get(kind, (1.0, 0.0))
    return gain * x + offset


_AFFINE = {
    "dark": (0.3, 0.0),
    "bright": (2.0, 0.5),
    "offset": (1.0, 0.7),
    "low contrast": (0.25, 0.5),
    "inverted": (-1.0, 1.0),
}


def _blur(x):
    height, width = x.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    nine = [
        padded[:, :, i : i + height, j : j + width] for i in range(3) for j in range(3)
    ]
    return np.mean(nine, axis=0)


def _check_warp(num_train, num_test, size, scale, others):
    counts = num_train, num_test, size
    if min(counts) < 1:
        raise ValueError(
            f"num_train, num_test and size must be at least 1, got {counts}; "
            "ask for more"
        )
    if not 0 <= scale < 1:
        raise ValueError(
            f"scale must lie in [0, 1), got {scale}; 0 keeps the size of the digits"
        )
    if not all(np.isfinite(v) and v >= 0 for v in others):
        raise ValueError(
            "rotation, shift and noise must be finite and at least 0, got "
            f"{', '.join(map(str, others))}; 0 turns them off"
        )


def _affine_maps(n, angle, scale, shift, rng):
    """Draw n maps: matrices (n, 2, 2) and offsets (n, 2) in halves of the width."""
    angles = rng.uniform(-angle, angle, n)
    factors = rng.uniform(1 - scale, 1 + scale, n)
    cos, sin = np.cos(angles), np.sin(angles)
    matrices = np.array([[cos, -sin], [sin, cos]]) / factors
    return matrices.transpose(2, 0, 1), rng.uniform(-shift, shift, (n, 2))


def _positions(matrices, offsets, size, base=8):
    """Return where in a base image each pixel of the results comes from, (n, size²)."""
    line = (np.arange(size) + 0.5) / size * 2 - 1  # centers of pixels, edges at -1, 1
    grid = np.stack(np.meshgrid(line, line, indexing="ij")).reshape(2, -1)
    where = matrices @ grid + offsets[:, :, None]
    return ((where + 1) * base / 2 - 0.5).transpose(1, 0, 2)


def _sample(images, rows, columns):
    """Interpolate (n, 8, 8) bilinearly at positions (n, P); it is 0 outside."""
    n, side = len(images), images.shape[-1]
    padded = np.pad(images, ((0, 0), (1, 2), (1, 2)))
    rows, columns = (np.clip(v, -1, side) + 1 for v in (rows, columns))
    top, left = rows.astype(int), columns.astype(int)
    down, right = rows - top, columns - left
    each = np.arange(n)[:, None]
    total = np.zeros(rows.shape)
    for i, by_row in ((0, 1 - down), (1, down)):
        for j, by_column in ((0, 1 - right), (1, right)):
            total += by_row * by_column * padded[each, top + i, left + j]
    out = int(np.sqrt(rows.shape[1]))
    return total.reshape(n, out, out)


@cache
def _table(name, first=0):
    """Return the rows of a table, read-only, and their classes, from its last column."""
    path = Path(__file__).with_name("tables") / name
    table = np.loadtxt(path, delimiter=",", skiprows=first)
    x, y = table[:, :-1].copy(), table[:, -1].astype(int)
    for shared in (x, y):
        shared.flags.writeable = False
    return x, y


def _split(x, y, test_size, seed):
    """Split rows as scikit-learn does, number for number, with the same draws."""
    counts = np.bincount(y)
    _check_test_size(test_size, len(counts), len(y))
    rng = np.random.RandomState(seed)
    to_train = _shares(counts, len(y) - test_size, rng)
    to_test = _shares(counts - to_train, test_size, rng)
    train, test = [], []
    for label, n in enumerate(to_train):
        mixed = np.flatnonzero(y == label)[rng.permutation(counts[label])]
        train.append(mixed[:n])
        test.append(mixed[n : n + to_test[label]])
    train, test = (rng.permutation(np.concatenate(part)) for part in (train, test))
    return x[train], y[train], x[test], y[test]


def _check_test_size(test_size, classes, rows):
    try:
        operator.index(test_size)
    except TypeError:
        raise TypeError(
            f"test_size must be a whole number of rows, got {test_size!r}; "
            f"of {rows} rows, say {rows // 4}"
        ) from None
    if not classes <= test_size <= rows - classes:
        raise ValueError(
            f"test_size must lie between {classes} and {rows - classes}, so that each "
            f"of the {classes} classes is on both sides, got {test_size}; say "
            f"{rows // 4}"
        )


def _shares(counts, total, rng):
    """Return how many of each class make up the total, as even as whole numbers are."""
    even = counts / counts.sum() * total
    whole = np.floor(even)
    rest, missing = even - whole, int(total - whole.sum())
    for size in np.unique(rest)[::-1]:  # the largest remainders are rounded up
        if missing <= 0:
            break
        tied = np.flatnonzero(rest == size)
        more = min(len(tied), missing)
        whole[rng.choice(tied, size=more, replace=False)] += 1
        missing -= more
    return whole.astype(int)
