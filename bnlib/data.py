"""Data that ships with scikit-learn or is made from a seed; nothing is downloaded."""

import numpy as np

__all__ = ["digits", "two_features", "wine"]


def digits(*, test_size=450, seed=0):
    """Load the 8x8 handwritten digits, split into training and test set.

    Parameters
    ----------
    test_size : int, default=450
        Number of test images.
    seed : int, default=0
        Seed of the stratified split.

    Returns
    -------
    x_train, y_train, x_test, y_test : ndarray
        Images of shape (N, 64), float64 in [0, 1], and their classes 0 to 9. There are
        1797 images in all, so one test image of 450 is 0.22 points of accuracy.
    """
    from sklearn.datasets import load_digits

    data = load_digits()
    return _split(data.data / 16.0, data.target, test_size, seed)


def wine(*, test_size=54, seed=0):
    """Load the 13 measurements of 178 wines, split into training and test set.

    Parameters
    ----------
    test_size : int, default=54
        Number of test wines.
    seed : int, default=0
        Seed of the stratified split.

    Returns
    -------
    x_train, y_train, x_test, y_test : ndarray
        Measurements of shape (N, 13), float64 in their own units, and cultivars 0 to 2.
    """
    from sklearn.datasets import load_wine

    data = load_wine()
    return _split(data.data, data.target, test_size, seed)


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
    """
    rng = np.random.default_rng(seed)
    x = rng.random((n, 2))
    noise = rng.normal(size=(n, 2))
    t = 2 * x[:, 0] + 3 * x[:, 1] + 0.1 * noise[:, 0]
    late = (x.sum(axis=1) + 0.15 * noise[:, 1] < 1).astype(int)
    return x * [ratio, 1.0], t, late


def _split(x, y, test_size, seed):
    from sklearn.model_selection import train_test_split

    x_train, x_test, y_train, y_test = train_test_split(
        np.asarray(x, dtype=float),
        y,
        test_size=test_size,
        random_state=seed,
        stratify=y,
    )
    return x_train, y_train, x_test, y_test
