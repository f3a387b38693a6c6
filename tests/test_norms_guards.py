"""Promises of the five layers that no formula shows: what is taken, what is refused."""

import numpy as np
import pytest

from bnlib.norms import (
    backward,
    batch_norm,
    batch_norm_inference,
    group_norm,
    instance_norm,
    layer_norm,
    rms_norm,
)


def normal(shape, seed=0):
    return np.random.default_rng(seed).normal(3, 2, size=shape)


IMAGE = normal((4, 6, 5, 3))
# name -> (cache of IMAGE, how its x_hat is cut into groups, one a row).
GROUPS = {
    "batch": (batch_norm(IMAGE)[1], lambda v: np.moveaxis(v, 1, 0).reshape(6, -1)),
    "layer": (layer_norm(IMAGE)[1], lambda v: v.reshape(4, -1)),
    "last axis": (layer_norm(IMAGE, axis=-1)[1], lambda v: v.reshape(-1, 3)),
    "instance": (instance_norm(IMAGE)[1], lambda v: v.reshape(24, -1)),
    "group": (group_norm(IMAGE, 2)[1], lambda v: v.reshape(8, -1)),
}


@pytest.mark.parametrize("cache, cut", GROUPS.values(), ids=GROUPS)
def test_x_hat_has_mean_0_and_variance_1_but_for_eps(cache, cut):
    groups = cut(cache.x_hat)
    np.testing.assert_allclose(groups.mean(1), 0, atol=1e-12)
    var = cut(IMAGE).var(1)
    np.testing.assert_allclose(groups.var(1), var / (var + 1e-5), rtol=1e-12)
    assert cache.x_hat.shape == IMAGE.shape


def test_x_hat_of_rms_norm_has_mean_square_1_and_keeps_its_mean():
    x_hat = rms_norm(IMAGE, axis=1)[1].x_hat.reshape(4, -1)
    np.testing.assert_allclose(np.square(x_hat).mean(1), 1, rtol=1e-5)
    assert x_hat.mean(1).min() > 0.5


@pytest.mark.parametrize("low", [-0.05, -1e-12, -3.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_smallest_negative_variance_is_refused(low, dtype):
    x = normal((4, 3)).astype(dtype)
    got = np.array(low, dtype)[()]
    message = f"var must not be negative, got {got} for channel 1;"
    with pytest.raises(ValueError, match=message):
        batch_norm_inference(x, np.zeros(3), [1, low, 1])


def test_a_variance_of_zero_is_taken():
    y = batch_norm_inference(np.ones((2, 1)), [1.0], [0.0])
    np.testing.assert_array_equal(y, 0)


@pytest.mark.parametrize("kind", [np.int64, np.int32, np.uint8])
def test_the_number_of_groups_may_be_numpys(kind):
    y, cache = group_norm(IMAGE, kind(3))
    expected, _ = group_norm(IMAGE, 3)
    np.testing.assert_array_equal(y, expected)
    assert backward(IMAGE, cache)[0].shape == IMAGE.shape
    with pytest.raises(ValueError, match="divides the 6 channels, got 4; choose"):
        group_norm(IMAGE, kind(4))


LAYERS = {
    "batch": lambda x, v: batch_norm(x, v, v),
    "instance": lambda x, v: instance_norm(x, v, v),
    "group": lambda x, v: group_norm(x, 2, v, v),
    "layer": lambda x, v: layer_norm(x, normal(x.shape[1:]), normal(x.shape[1:])),
    "rms": lambda x, v: rms_norm(x, normal(x.shape[-1:])),
}


@pytest.mark.parametrize("call", LAYERS.values(), ids=LAYERS)
@pytest.mark.parametrize("mine, other", [("f4", "f8"), ("f8", "f4")])
def test_gradients_have_the_precision_of_the_layer_not_of_the_upstream(
    call, mine, other
):
    d_y = normal(IMAGE.shape, seed=1).astype(other)
    _, cache = call(IMAGE.astype(mine), normal(6))
    found = backward(d_y, cache)
    expected = backward(d_y.astype(mine), cache)
    for gradient, wanted in zip(found, expected, strict=True):
        assert (gradient is None) == (wanted is None)
        if gradient is not None:
            assert gradient.dtype == np.dtype(mine)
            np.testing.assert_array_equal(gradient, wanted)


@pytest.mark.parametrize("name", ["gamma", "beta"])
def test_a_mask_is_no_scale_and_no_shift(name):
    message = f"{name} must hold real numbers, got dtype bool"
    with pytest.raises(TypeError, match=message):
        batch_norm(IMAGE, **{name: np.ones(6, dtype=bool)})
    with pytest.raises(TypeError, match=message):
        batch_norm_inference(IMAGE, np.zeros(6), np.ones(6), **{name: [True] * 6})


def test_whole_numbers_are_taken_as_parameters():
    y, _ = batch_norm(IMAGE, [2] * 6, np.ones(6, dtype=np.uint8))
    expected, _ = batch_norm(IMAGE, np.full(6, 2.0), np.ones(6))
    np.testing.assert_array_equal(y, expected)


def test_the_backward_pass_puts_numpys_buffer_back():
    x = np.random.default_rng(0).normal(size=(4, 3, 32, 32))
    _, cache = batch_norm(x)
    before = np.getbufsize()
    backward(x, cache)
    assert np.getbufsize() == before
