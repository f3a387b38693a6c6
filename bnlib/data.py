"""Data that ships with scikit-learn or is made from a seed; nothing is downloaded."""

import numpy as np

__all__ = ["digits", "wine"]


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
