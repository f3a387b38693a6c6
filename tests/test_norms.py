"""The five layers against PyTorch, central differences and their own invariances."""

from math import prod

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bnlib import norms
from bnlib.norms import (
    backward,
    batch_norm,
    batch_norm_inference,
    group_norm,
    instance_norm,
    layer_norm,
    rms_norm,
)

EPS = 1e-5
SHAPES = {
    "2-D": (8, 6),
    "3-D": (4, 6, 5),
    "4-D": (4, 6, 5, 3),
    "5-D": (3, 6, 2, 3, 4),
}

# name -> (ours, PyTorch's, shape of gamma and beta for an input of this shape).
LAYERS = {
    "batch": (
        lambda x, g, b: batch_norm(x, g, b, eps=EPS),
        lambda x, g, b: F.batch_norm(x, None, None, g, b, training=True, eps=EPS),
        lambda shape: shape[1:2],
    ),
    "layer": (
        lambda x, g, b: layer_norm(x, g, b, eps=EPS),
        lambda x, g, b: F.layer_norm(x, x.shape[1:], g, b, eps=EPS),
        lambda shape: shape[1:],
    ),
    "layer, last axis": (
        lambda x, g, b: layer_norm(x, g, b, axis=-1, eps=EPS),
        lambda x, g, b: F.layer_norm(x, x.shape[-1:], g, b, eps=EPS),
        lambda shape: shape[-1:],
    ),
    "instance": (
        lambda x, g, b: instance_norm(x, g, b, eps=EPS),
        lambda x, g, b: F.instance_norm(x, weight=g, bias=b, eps=EPS),
        lambda shape: shape[1:2],
    ),
    "group": (
        lambda x, g, b: group_norm(x, 2, g, b, eps=EPS),
        lambda x, g, b: F.group_norm(x, 2, g, b, eps=EPS),
        lambda shape: shape[1:2],
    ),
    "rms": (
        lambda x, g, b: rms_norm(x, g, axis=1, eps=EPS),
        lambda x, g, b: F.rms_norm(x, x.shape[1:], g, eps=EPS),
        lambda shape: shape[1:],
    ),
}
CASES = [
    pytest.param(layer, shape, id=f"{layer}-{dims}")
    for layer in LAYERS
    for dims, shape in SHAPES.items()
    if not (layer == "instance" and dims == "2-D")
]
each_case = pytest.mark.parametrize("layer, shape", CASES)


def draw(shape, parameter_shape, seed=0):
    """Draw x, gamma, beta and an upstream gradient, none at a special value."""
    rng = np.random.default_rng(seed)
    x = rng.normal(3, 2, size=shape)
    gamma = rng.uniform(0.5, 2, size=parameter_shape)
    beta = rng.normal(size=parameter_shape)
    return x, gamma, beta, rng.normal(size=shape)


def run_both(layer, shape, with_parameters=True):
    """Return (y, d_x, d_gamma, d_beta) of ours and of PyTorch's autograd."""
    ours, torchs, parameter_shape = LAYERS[layer]
    x, gamma, beta, d_y = draw(shape, parameter_shape(shape))
    if not with_parameters:
        gamma = beta = None
    y, cache = ours(x, gamma, beta)
    mine = (y, *backward(d_y, cache))

    leaves = [
        None if a is None else torch.tensor(a, requires_grad=True)
        for a in (x, gamma, beta)
    ]
    t_y = torchs(*leaves)
    t_y.backward(torch.tensor(d_y))
    grads = [None if a is None or a.grad is None else a.grad.numpy() for a in leaves]
    return mine, (t_y.detach().numpy(), *grads)


@each_case
@pytest.mark.parametrize("with_parameters", [True, False], ids=["affine", "plain"])
def test_forward_and_gradients_match_torch(layer, shape, with_parameters):
    (y, *grads), (t_y, *t_grads) = run_both(layer, shape, with_parameters)
    np.testing.assert_allclose(y, t_y, rtol=0, atol=1e-12, equal_nan=False)
    assert np.abs(t_grads[0]).max() > 1e-2, "gradient is ~0: this input tests nothing"
    for mine, torchs in zip(grads, t_grads, strict=True):
        assert (mine is None) == (torchs is None)
        if mine is not None:
            assert mine.shape == torchs.shape
            np.testing.assert_allclose(
                mine, torchs, rtol=0, atol=1e-10, equal_nan=False
            )


@pytest.mark.parametrize(
    "layer, shape, argument",
    [
        pytest.param(*case.values, argument, id=f"{case.id}-{argument}")
        for case in CASES
        for argument in ("x", "gamma", "beta")
        if not (case.values[0] == "rms" and argument == "beta")
    ],
)
def test_gradient_matches_central_differences(layer, shape, argument):
    ours, _, parameter_shape = LAYERS[layer]
    x, gamma, beta, d_y = draw(shape, parameter_shape(shape))
    at = {"x": x, "gamma": gamma, "beta": beta}
    direction = np.random.default_rng(1).normal(size=at[argument].shape)

    def loss(step):
        moved = {**at, argument: at[argument] + step * direction}
        return np.sum(d_y * ours(moved["x"], moved["gamma"], moved["beta"])[0])

    step = 1e-5
    numeric = (loss(step) - loss(-step)) / (2 * step)
    grads = dict(zip(at, backward(d_y, ours(x, gamma, beta)[1]), strict=True))
    exact = np.sum(grads[argument] * direction)
    assert abs(exact) > 1e-3, "slope is ~0: this direction tests nothing"
    assert exact == pytest.approx(numeric, rel=1e-6)


@each_case
def test_statistics_in_the_cache_are_those_that_normalized(layer, shape):
    ours, _, parameter_shape = LAYERS[layer]
    x, gamma, beta, _ = draw(shape, parameter_shape(shape))
    _, cache = ours(x, gamma, beta)
    groups = {
        "batch": np.moveaxis(x, 1, 0).reshape(shape[1], -1),
        "layer": x.reshape(shape[0], -1),
        "layer, last axis": x,
        "instance": x.reshape(*shape[:2], -1),
        "group": x.reshape(shape[0], 2, -1),
        "rms": x.reshape(shape[0], -1),
    }[layer]
    if layer == "rms":
        assert cache.mean is None
        np.testing.assert_allclose(cache.var, (groups**2).mean(-1), rtol=1e-12)
        return
    assert cache.mean.shape == cache.var.shape == groups.shape[:-1]
    np.testing.assert_allclose(cache.mean, groups.mean(-1), rtol=1e-12)
    np.testing.assert_allclose(cache.var, groups.var(-1), rtol=1e-12)


@each_case
def test_x_hat_is_the_output_without_parameters_in_the_shape_of_x(layer, shape):
    ours, _, parameter_shape = LAYERS[layer]
    x, gamma, beta, _ = draw(shape, parameter_shape(shape))
    y, cache = ours(x, gamma, beta)
    plain, _ = ours(x, None, None)
    assert cache.x_hat.shape == shape
    np.testing.assert_allclose(cache.x_hat, plain, rtol=1e-12, equal_nan=False)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@each_case
def test_dtype_is_kept_and_nothing_given_is_modified(layer, shape, dtype):
    ours, _, parameter_shape = LAYERS[layer]
    arrays = [a.astype(dtype) for a in draw(shape, parameter_shape(shape))]
    copies = [a.copy() for a in arrays]
    y, cache = ours(*arrays[:3])
    grads = [g for g in backward(arrays[3], cache) if g is not None]
    assert {a.dtype for a in (y, *grads)} == {np.dtype(dtype)}
    for before, after in zip(copies, arrays, strict=True):
        np.testing.assert_array_equal(before, after)


@each_case
def test_changing_arrays_after_the_call_does_not_reach_the_cache(layer, shape):
    ours, _, parameter_shape = LAYERS[layer]
    x, gamma, beta, d_y = draw(shape, parameter_shape(shape))
    y, cache = ours(x, gamma, beta)
    before = backward(d_y, cache)
    for array in (x, gamma, beta, y, before[0].copy()):
        array *= 2
    for a, b in zip(before, backward(d_y, cache), strict=True):
        if a is not None:
            np.testing.assert_array_equal(a, b)


def test_non_contiguous_input_gives_the_same_result():
    x = np.random.default_rng(0).normal(3, 2, size=(6, 5, 7, 4))
    channels_last = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    for layer in (batch_norm, layer_norm, instance_norm, rms_norm):
        np.testing.assert_allclose(layer(channels_last)[0], layer(x)[0], rtol=1e-12)
    np.testing.assert_allclose(
        group_norm(channels_last, 5)[0], group_norm(x, 5)[0], rtol=1e-12
    )


# --- fast and readable agree ----------------------------------------------------------

BLOCK_CASES = [
    # more than one block; rows shorter and longer than LONG; a channel above a block
    pytest.param("batch", (9, 7, 5, 3), 100, id="batch, images"),
    pytest.param("batch", (40, 500), 4000, id="batch, vectors"),
    pytest.param("batch", (3, 4, 300), 1000, id="batch, long rows"),
    pytest.param("layer", (9, 7, 5, 3), 250, id="layer, images"),
    pytest.param("layer, last axis", (5, 6, 300), 1000, id="layer, text"),
    pytest.param("instance", (9, 7, 5, 3), 250, id="instance"),
    pytest.param("group", (9, 6, 5, 3), 250, id="group, images"),
    pytest.param("group", (9, 8), 20, id="group, vectors"),
    pytest.param("rms", (9, 7, 5, 3), 250, id="rms"),
]
with_parameters = pytest.mark.parametrize(
    "given", [("gamma", "beta"), ("gamma",), ("beta",), ()], ids=str
)


def plain(x, gamma, beta, d_y, axes, parameter_axes):
    """The lines of chapters 2 and 3, over any axes; axes None is RMS norm."""
    center = axes is not None
    axes = axes or tuple(range(1, x.ndim))
    mean = x.mean(axis=axes, keepdims=True) if center else 0
    var = np.mean((x - mean) ** 2, axis=axes, keepdims=True)
    inv_std = 1 / np.sqrt(var + EPS)
    x_hat = (x - mean) * inv_std
    y = gamma * x_hat + beta
    d_x_hat = gamma * d_y
    along = np.mean(d_x_hat * x_hat, axis=axes, keepdims=True)
    d_mean = d_x_hat.mean(axis=axes, keepdims=True) if center else 0
    d_x = inv_std * (d_x_hat - d_mean - x_hat * along)
    d_gamma = np.sum(d_y * x_hat, axis=parameter_axes, keepdims=True)
    return y, d_x, d_gamma, np.sum(d_y, axis=parameter_axes, keepdims=True)


@with_parameters
@pytest.mark.parametrize("layer, shape, block", BLOCK_CASES)
def test_the_kernel_in_blocks_equals_the_plain_lines(
    monkeypatch, layer, shape, block, given
):
    if layer == "rms":
        given = tuple(name for name in given if name == "gamma")
    monkeypatch.setattr(norms, "BLOCK", block)
    monkeypatch.setattr(norms, "LONG", 4)
    ours, _, parameter_shape = LAYERS[layer]
    x, gamma, beta, d_y = draw(shape, parameter_shape(shape))
    y, cache = ours(
        x, gamma if "gamma" in given else None, beta if "beta" in given else None
    )
    d_x, d_gamma, d_beta = backward(d_y, cache)

    wide = shape if layer != "group" else (shape[0], 2, shape[1] // 2, *shape[2:])
    n = len(wide)
    axes, parameter_axes = {
        "batch": ((0, *range(2, n)), (0, *range(2, n))),
        "layer": (tuple(range(1, n)), (0,)),
        "layer, last axis": ((n - 1,), tuple(range(n - 1))),
        "instance": (tuple(range(2, n)), (0, *range(2, n))),
        "group": (tuple(range(2, n)), (0, *range(3, n))),
        "rms": (None, (0,)),
    }[layer]
    kept = [1 if a in parameter_axes else size for a, size in enumerate(wide)]
    expected = plain(
        x.reshape(wide),
        gamma.reshape(kept) if "gamma" in given else 1,
        beta.reshape(kept) if "beta" in given else 0,
        d_y.reshape(wide),
        axes,
        parameter_axes,
    )
    names = {"y": y, "d_x": d_x, "gamma": d_gamma, "beta": d_beta}
    for (name, mine), wanted in zip(names.items(), expected, strict=True):
        if name in ("gamma", "beta") and name not in given:
            assert mine is None
        else:
            np.testing.assert_allclose(
                mine, wanted.reshape(mine.shape), rtol=0, atol=1e-11, equal_nan=False
            )


@pytest.mark.parametrize("shape, block", [((3, 8, 4, 5), 50), ((6, 500), 1000)])
def test_several_blocks_are_really_used(monkeypatch, shape, block):
    monkeypatch.setattr(norms, "BLOCK", block)
    x = np.arange(prod(shape), dtype=float).reshape(shape)
    for axes in ((0, 2, 3)[: 1 + 2 * (len(shape) > 2)], (1,)):
        parts = norms._parts(axes, x)
        assert len(parts) == 1 if 0 in axes else len(parts) > 1
        pieces = [piece for blocks in parts for (piece,) in blocks]
        assert len(pieces) > 1
        assert sum(piece.size for piece in pieces) == x.size
        assert all(np.shares_memory(piece, x) for piece in pieces)


def test_the_size_of_numpys_buffers_is_put_back_also_after_an_error():
    before = np.getbufsize()
    y, cache = batch_norm(np.random.default_rng(0).normal(size=(4, 3, 20, 20)))
    backward(y, cache)
    with pytest.raises(ValueError, match="must be finite"):
        batch_norm(np.full((4, 3, 20, 20), np.nan))
    assert np.getbufsize() == before


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3])
def test_every_axis_of_onnx_is_accepted(axis):
    x, _, _, d_y = draw((4, 5, 6), (1,))
    size = x.shape[axis:]
    gamma, beta = np.full(size, 1.5), np.full(size, -0.5)
    t_x = torch.tensor(x, requires_grad=True)
    t_y = F.layer_norm(t_x, size, torch.tensor(gamma), torch.tensor(beta), eps=EPS)
    t_y.backward(torch.tensor(d_y))
    y, cache = layer_norm(x, gamma, beta, axis=axis)
    close(y, t_y.detach().numpy(), 1e-12)
    close(backward(d_y, cache)[0], t_x.grad.numpy(), 1e-12)
    assert cache.mean.shape == x.shape[: axis % 3]

    root = np.sqrt(np.mean(x**2, axis=tuple(range(axis % 3, 3)), keepdims=True) + EPS)
    close(rms_norm(x, gamma, axis=axis)[0], 1.5 * x / root, 1e-12)


# --- inference ----------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
@pytest.mark.parametrize("affine", [True, False], ids=["affine", "plain"])
def test_inference_matches_torch(shape, affine):
    x, gamma, beta, _ = draw(shape, shape[1:2])
    rng = np.random.default_rng(2)
    mean, var = rng.normal(size=shape[1]), rng.uniform(0.1, 3, size=shape[1])
    if not affine:
        gamma = beta = None
    y = batch_norm_inference(x, mean, var, gamma, beta, eps=1e-3)
    tensors = [
        None if a is None else torch.tensor(a) for a in (x, mean, var, gamma, beta)
    ]
    expected = F.batch_norm(*tensors, training=False, eps=1e-3)
    np.testing.assert_allclose(y, expected.numpy(), rtol=0, atol=1e-12, equal_nan=False)


def test_inference_with_the_batch_statistics_equals_training_mode():
    x, gamma, beta, _ = draw((5, 4, 3), (4,))
    y, cache = batch_norm(x, gamma, beta)
    again = batch_norm_inference(x, cache.mean, cache.var, gamma, beta)
    np.testing.assert_allclose(again, y, rtol=1e-12, equal_nan=False)


def test_inference_takes_a_single_example():
    y = batch_norm_inference(np.array([[3.0, 5.0]]), [1.0, 5.0], [4.0, 1.0], eps=1e-12)
    np.testing.assert_allclose(y, [[1.0, 0.0]], atol=1e-12)


# --- far from zero ------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(4096, 3), (16, 3, 32, 32)], ids=str)
def test_float32_far_from_zero_stays_accurate(shape):
    x = (1e4 + np.random.default_rng(0).normal(size=shape)).astype(np.float32)
    y, cache = batch_norm(x)
    exact, exact_cache = batch_norm(x.astype(np.float64))
    np.testing.assert_allclose(y, exact, rtol=2e-6, atol=1e-6, equal_nan=False)
    np.testing.assert_allclose(cache.var, exact_cache.var, rtol=1e-5)
    inference = batch_norm_inference(x, cache.mean, cache.var)
    # The mean itself, as a float32, is known to half a unit of 2 ** -10 only.
    np.testing.assert_allclose(inference, exact, rtol=0, atol=6e-4, equal_nan=False)


FAR = {
    "layer": layer_norm,
    "last axis": lambda x: layer_norm(x, axis=-1),
    "instance": instance_norm,
    "group": lambda x: group_norm(x, 3),
}


@pytest.mark.parametrize("layer", FAR.values(), ids=FAR)
def test_the_other_layers_stay_accurate_far_from_zero_in_float32(layer):
    x = (1e4 + np.random.default_rng(0).normal(size=(8, 6, 9, 50))).astype(np.float32)
    y, cache = layer(x)
    exact, exact_cache = layer(x.astype(np.float64))
    np.testing.assert_allclose(y, exact, rtol=2e-6, atol=1e-6, equal_nan=False)
    np.testing.assert_allclose(cache.mean, exact_cache.mean, rtol=1e-7)
    np.testing.assert_allclose(cache.var, exact_cache.var, rtol=1e-5)


@pytest.mark.parametrize("shape", [(512, 3), (512, 3, 4)], ids=str)
def test_a_first_block_far_from_the_others_costs_no_accuracy(monkeypatch, shape):
    monkeypatch.setattr(norms, "BLOCK", 1)  # each example a block of its own
    x, _, _, d_y = (a.astype(np.float32) for a in draw(shape, shape[1:2]))
    x[0] += 1000
    y, cache = batch_norm(x)
    exact, exact_cache = batch_norm(x.astype(np.float64))
    np.testing.assert_allclose(y, exact, rtol=2e-6, atol=2e-6, equal_nan=False)
    np.testing.assert_allclose(cache.mean, exact_cache.mean, rtol=1e-5)
    np.testing.assert_allclose(cache.var, exact_cache.var, rtol=2e-6)
    d_x, exact = (backward(d_y, c)[0] for c in (cache, exact_cache))
    np.testing.assert_allclose(d_x, exact, rtol=0, atol=1e-7, equal_nan=False)


def test_backward_far_from_zero_stays_accurate_in_float32():
    x = (1e4 + np.random.default_rng(0).normal(size=(512, 3))).astype(np.float32)
    d_y = np.random.default_rng(1).normal(size=x.shape).astype(np.float32)
    exact = backward(d_y.astype(np.float64), batch_norm(x.astype(np.float64))[1])[0]
    d_x = backward(d_y, batch_norm(x)[1])[0]
    np.testing.assert_allclose(d_x, exact, rtol=0, atol=1e-5, equal_nan=False)


# --- properties ---------------------------------------------------------------------

shapes = st.tuples(
    st.integers(2, 6), st.sampled_from([2, 4, 6]), st.integers(2, 4), st.integers(1, 3)
).flatmap(lambda s: st.sampled_from([s[:2], s[:3], s]))
seeds = st.integers(0, 2**32 - 1)


def normal(shape, seed):
    return np.random.default_rng(seed).normal(3, 2, size=shape)


def close(a, b, tolerance=1e-6):
    np.testing.assert_allclose(a, b, rtol=0, atol=tolerance, equal_nan=False)


@given(shapes, seeds)
def test_shapes_of_all_results(shape, seed):
    x = normal(shape, seed)
    gamma, beta = np.full(shape[1], 1.5), np.full(shape[1], -0.5)
    y, cache = batch_norm(x, gamma, beta)
    d_x, d_gamma, d_beta = backward(normal(shape, seed + 1), cache)
    assert y.shape == d_x.shape == cache.x_hat.shape == shape
    assert d_gamma.shape == d_beta.shape == cache.mean.shape == (shape[1],)


@given(shapes, seeds, st.floats(-50, 50), st.floats(0.5, 20))
def test_batch_norm_ignores_shift_and_scale_of_the_input(shape, seed, shift, scale):
    x = normal(shape, seed)
    # eps shows beside a small variance: chapter 2 measures that
    assume(batch_norm(x)[1].var.min() >= 0.1)
    close(batch_norm(x * scale + shift)[0], batch_norm(x)[0], 1e-3)
    close(
        batch_norm(x * scale + shift, eps=1e-12)[0],
        batch_norm(x, eps=1e-12)[0],
    )


@given(shapes, seeds)
def test_permuting_the_batch_permutes_output_and_gradient(shape, seed):
    x, d_y = normal(shape, seed), normal(shape, seed + 1)
    order = np.random.default_rng(seed).permutation(shape[0])
    y, cache = batch_norm(x)
    y_p, cache_p = batch_norm(x[order])
    close(y_p, y[order])
    close(backward(d_y[order], cache_p)[0], backward(d_y, cache)[0][order])


@given(shapes, seeds, st.floats(-3, 3), st.floats(-3, 3))
def test_backward_is_linear_in_the_upstream_gradient(shape, seed, a, b):
    x, gamma = normal(shape, seed), normal(shape[1], seed)
    _, cache = batch_norm(x, gamma, gamma)
    u, v = normal(shape, seed + 1), normal(shape, seed + 2)
    together = backward(a * u + b * v, cache)
    for whole, of_u, of_v in zip(
        together, backward(u, cache), backward(v, cache), strict=True
    ):
        size = 1 + np.abs(of_u).max() + np.abs(of_v).max()
        close(whole / size, (a * of_u + b * of_v) / size)


@given(shapes.filter(lambda s: len(s) > 2), seeds)
def test_group_norm_lies_between_layer_norm_and_instance_norm(shape, seed):
    x = normal(shape, seed)
    close(group_norm(x, 1)[0], layer_norm(x)[0], 1e-10)
    if prod(shape[2:]) > 1:
        close(group_norm(x, shape[1])[0], instance_norm(x)[0], 1e-10)


@given(shapes, seeds)
def test_an_example_of_layer_norm_does_not_see_its_batch_mates(shape, seed):
    x = normal(shape, seed)
    other = np.concatenate([x[:1], normal(shape, seed + 1)])
    close(layer_norm(x)[0][0], layer_norm(other)[0][0], 1e-12)


@settings(max_examples=50)
@given(shapes, seeds)
def test_rms_norm_of_centered_input_is_layer_norm(shape, seed):
    x = normal(shape, seed)
    x -= x.mean(axis=tuple(range(1, x.ndim)), keepdims=True)
    close(rms_norm(x, axis=1)[0], layer_norm(x)[0], 1e-9)


# --- bad input: one sentence, each with what was received ----------------------------

X = np.arange(12.0).reshape(4, 3)
IMAGE = np.arange(48.0).reshape(2, 6, 2, 2)
WITH_NAN = np.where(X == 7, np.nan, X)
BAD_VALUES = {
    "too few dimensions": (
        lambda: batch_norm(np.ones(5)),
        r"at least 2 dimensions, got shape \(5,\)",
    ),
    "no spatial axis": (
        lambda: instance_norm(X),
        r"at least 3 dimensions, got shape \(4, 3\)",
    ),
    "gamma of the wrong length": (
        lambda: batch_norm(X, np.ones(4)),
        r"gamma must have shape \(3,\) to fit x, got \(4,\)",
    ),
    "beta of the wrong length": (
        lambda: batch_norm(X, None, np.ones((1, 3))),
        r"beta must have shape \(3,\) to fit x, got \(1, 3\)",
    ),
    "gamma per channel for layer norm": (
        lambda: layer_norm(IMAGE, np.ones(6)),
        r"gamma must have shape \(6, 2, 2\) to fit x, got \(6,\)",
    ),
    "NaN in gamma": (
        lambda: batch_norm(X, [1, np.nan, 1]),
        r"gamma must be finite, got nan at index \(1,\)",
    ),
    "groups that do not divide C": (
        lambda: group_norm(IMAGE, 4),
        r"divides the 6 channels, got 4; choose one of \[1, 2, 3, 6\]",
    ),
    "no groups": (lambda: group_norm(IMAGE, 0), "got 0; choose one of"),
    "half a group": (lambda: group_norm(IMAGE, 1.5), "got 1.5; choose one of"),
    "one value per channel": (
        lambda: batch_norm(np.ones((1, 3))),
        r"more than one value .* got shape \(1, 3\).*use a larger batch, or layer_norm",
    ),
    "one position": (
        lambda: instance_norm(np.ones((4, 3, 1))),
        r"more than one value .* got shape \(4, 3, 1\)",
    ),
    "one feature": (lambda: layer_norm(np.ones((4, 1))), r"got shape \(4, 1\)"),
    "one value per group": (lambda: group_norm(X, 3), "use fewer groups"),
    "eps of zero": (lambda: batch_norm(X, eps=0), "above 0, got 0; the usual"),
    "negative eps": (lambda: layer_norm(X, eps=-1e-5), "above 0, got -1e-05"),
    "infinite eps": (lambda: rms_norm(X, eps=np.inf), "above 0, got inf"),
    "eps that is no number": (lambda: batch_norm(X, eps=np.nan), "above 0, got nan"),
    "inference with eps of zero": (
        lambda: batch_norm_inference(X, X[0], X[1], eps=0),
        "above 0, got 0",
    ),
    "negative variance": (
        lambda: batch_norm_inference(X, np.zeros(3), [1, -0.5, 1]),
        "var must not be negative, got -0.5 for channel 1",
    ),
    "NaN in the running mean": (
        lambda: batch_norm_inference(X, [0, np.nan, 0], np.ones(3)),
        r"mean must be finite, got nan at index \(1,\)",
    ),
    "mean of the wrong length": (
        lambda: batch_norm_inference(X, np.zeros(4), np.ones(3)),
        r"mean must have shape \(3,\) to fit x, got \(4,\)",
    ),
    "empty batch": (
        lambda: batch_norm(np.ones((0, 3))),
        r"at least one value, got shape \(0, 3\); leave empty batches out",
    ),
    "NaN in the input": (
        lambda: batch_norm(WITH_NAN),
        r"x must be finite, got nan at index \(2, 1\) \(1 such values\)",
    ),
    "infinity in the input": (
        lambda: layer_norm(np.where(X == 7, -np.inf, X)),
        r"x must be finite, got -inf at index \(2, 1\)",
    ),
    "NaN in the input of group norm, in the caller's indices": (
        lambda: group_norm(np.where(IMAGE == 29, np.nan, IMAGE), 2),
        r"got nan at index \(1, 1, 0, 1\)",
    ),
    "overflow of the variance": (
        lambda: batch_norm((1e25 * X).astype(np.float32)),
        r"fit into float32, got values up to 1.1e\+26",
    ),
    "an axis behind the last": (
        lambda: layer_norm(X, axis=2),
        r"between -2 and 1 for x of shape \(4, 3\), got 2",
    ),
    "an axis before the first": (lambda: rms_norm(X, axis=-3), "got -3"),
    "upstream gradient of another shape": (
        lambda: backward(X[:3], batch_norm(X)[1]),
        r"shape \(4, 3\) of the layer's output, got \(3, 3\)",
    ),
}


@pytest.mark.parametrize("call, match", BAD_VALUES.values(), ids=BAD_VALUES.keys())
def test_bad_values_are_refused_in_one_sentence(call, match):
    with pytest.raises(ValueError, match=match) as caught:
        call()
    assert "\n" not in str(caught.value)


BAD_TYPES = {
    "integers": (
        lambda: batch_norm(np.arange(12).reshape(4, 3)),
        r"because its mean is not an integer, got dtype int64.*x\.astype\(float\)",
    ),
    "objects": (lambda: layer_norm(X.astype(object)), "got dtype object"),
    "half precision": (lambda: rms_norm(X.astype(np.float16)), "got dtype float16"),
    "a list": (lambda: batch_norm([[1.0, 2.0]]), "NumPy array, got list"),
    "a tensor": (lambda: batch_norm(torch.ones(4, 3)), "NumPy array, got Tensor"),
    "gamma of words": (
        lambda: batch_norm(X, ["a", "b", "c"]),
        "gamma must hold real numbers, got dtype <U1",
    ),
    "no running variance": (
        lambda: batch_norm_inference(X, X[0], None),
        r"var must be an array of shape \(3,\), got None",
    ),
    "an integer gradient": (
        lambda: backward(np.ones((4, 3), int), batch_norm(X)[1]),
        "d_y must be float32 or float64",
    ),
}


@pytest.mark.parametrize("call, match", BAD_TYPES.values(), ids=BAD_TYPES.keys())
def test_bad_types_are_refused_in_one_sentence(call, match):
    with pytest.raises(TypeError, match=match) as caught:
        call()
    assert "\n" not in str(caught.value)
