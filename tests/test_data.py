"""Data sets: sizes, ranges, splits that repeat and do not overlap."""

import numpy as np
import pytest

from bnlib import data


@pytest.mark.parametrize(
    "load, features, classes, total",
    [(data.digits, 64, 10, 1797), (data.wine, 13, 3, 178)],
)
def test_split_is_complete_stratified_and_repeatable(load, features, classes, total):
    x_train, y_train, x_test, y_test = load(seed=3)
    assert x_train.shape[1] == x_test.shape[1] == features
    assert len(x_train) + len(x_test) == total
    assert x_train.dtype == np.float64
    shares = [np.bincount(y, minlength=classes) / len(y) for y in (y_train, y_test)]
    np.testing.assert_allclose(*shares, atol=0.02)
    first = (x_train, y_train, x_test, y_test)
    for a, b in zip(load(seed=3), first, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(load(seed=4)[0], x_train)


def test_digits_are_scaled_to_0_1():
    x_train, _, x_test, _ = data.digits()
    assert (x_train.min(), x_train.max(), len(x_test)) == (0, 1, 450)


def test_two_features_are_the_same_students_in_other_units():
    x, t, late = data.two_features(200, ratio=1000.0, seed=5)
    same, t_same, late_same = data.two_features(200, ratio=1.0, seed=5)
    np.testing.assert_allclose(x, same * [1000.0, 1.0], rtol=1e-15)
    np.testing.assert_array_equal(t, t_same)
    np.testing.assert_array_equal(late, late_same)
    assert not np.array_equal(data.two_features(200, seed=6)[1], t)
    assert same.min() >= 0 and same.max() <= 1
    assert set(late) == {0, 1} and 0.4 < late.mean() < 0.6
