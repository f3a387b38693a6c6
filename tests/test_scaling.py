"""Column scaling: definitions, constant columns, accuracy, refusals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from bnlib.scaling import min_max, z_score

columns = arrays(
    float,
    array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=6),
    elements=st.floats(-1e6, 1e6).map(lambda v: round(v, 3)),
)


@given(columns)
def test_min_max_spans_exactly_0_to_1_or_is_0_where_constant(x):
    constant = x.min(axis=0) == x.max(axis=0)
    y = min_max(x)
    np.testing.assert_array_equal(y.min(axis=0), 0)
    np.testing.assert_array_equal(y.max(axis=0), np.where(constant, 0, 1))


@given(columns)
def test_z_score_has_mean_0_and_variance_1_or_is_0_where_constant(x):
    constant = x.min(axis=0) == x.max(axis=0)
    y = z_score(x)
    np.testing.assert_allclose(y.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(y.var(axis=0), np.where(constant, 0, 1), atol=1e-9)


@pytest.mark.parametrize("scale", [min_max, z_score])
def test_constant_column_whose_mean_rounds_becomes_0(scale):
    x = np.full((10, 2), 0.1)
    assert x.std(axis=0).min() > 0, "this constant would not show the trap"
    np.testing.assert_array_equal(scale(x), 0)


@pytest.mark.parametrize("scale", [min_max, z_score])
@pytest.mark.parametrize("axis", [0, 1, (0, 2), None], ids=str)
def test_axis_names_what_is_reduced(scale, axis):
    x = np.random.default_rng(0).normal(3, 2, size=(4, 5, 6))
    if scale is min_max:
        low = x.min(axis=axis, keepdims=True)
        expected = (x - low) / (x.max(axis=axis, keepdims=True) - low)
    else:
        expected = (x - x.mean(axis=axis, keepdims=True)) / x.std(
            axis=axis, keepdims=True
        )
    np.testing.assert_allclose(scale(x, axis), expected, rtol=1e-10, equal_nan=False)


@pytest.mark.parametrize("scale", [min_max, z_score])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept_and_input_untouched(scale, dtype):
    x = np.random.default_rng(0).normal(3, 2, size=(5, 2)).astype(dtype)
    before = x.copy()
    assert scale(x).dtype == dtype
    np.testing.assert_array_equal(x, before)


def test_float32_far_from_zero_stays_accurate():
    x = (1e4 + np.random.default_rng(0).normal(size=(4096, 2))).astype(np.float32)
    exact = z_score(x.astype(float))
    np.testing.assert_allclose(z_score(x), exact, rtol=0, atol=1e-5, equal_nan=False)


@pytest.mark.parametrize("scale", [min_max, z_score])
def test_z_score_survives_tiny_and_huge_units(scale):
    x = np.random.default_rng(0).normal(size=(50, 1))
    for unit in (1e-200, 1e200):
        np.testing.assert_allclose(scale(x * unit), scale(x), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("scale", [min_max, z_score])
@pytest.mark.parametrize(
    "x, error, match",
    [
        (np.ones((0, 2)), ValueError, r"at least one value, got shape \(0, 2\)"),
        (np.array([[1.0], [np.nan]]), ValueError, r"got nan at index \(1, 0\)"),
        (np.array([[1.0], [np.inf]]), ValueError, r"got inf at index \(1, 0\)"),
        (np.array([[1], [2]]), TypeError, "got dtype int64; convert it with x.astype"),
        ([[1.0], [2.0]], TypeError, "NumPy array, got list"),
        (np.array([[-1e308], [1e308]]), ValueError, "must fit into float64"),
    ],
    ids=["empty", "nan", "inf", "integers", "list", "overflow"],
)
def test_bad_input_is_refused_in_one_sentence(scale, x, error, match):
    with pytest.raises(error, match=match):
        scale(x)
