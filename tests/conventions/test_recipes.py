"""What the page says around its tables, and its code, tried on the real libraries."""

import numpy as np
import pytest
import torch

from tests.conventions.libraries import adapter
from tests.conventions.page import cells
from tests.conventions.questions import START, batch

PAGE = {}
for name in ("imports", "tensorflow-form", "recipe"):
    exec(compile(cells()[name], name, "exec"), PAGE)  # the page's own functions

SHAPES = {"features": (32, 3), "images": (8, 5, 4, 3)}  # channels last
each_shape = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)


def values(shape, seed=0):
    """Return channels of unlike size, one of them quiet enough to feel eps."""
    x = np.random.default_rng(seed).normal(3, 1, size=shape)
    return (x * [2, 1, 0.01]).astype(np.float32)


def trained_keras(shape, momentum=None):
    """Return a Keras layer with weights of its own after 20 steps."""
    layer = adapter("keras").layer(shape, momentum=momentum)
    layer.gamma.assign([0.5, 2.0, 1.5])
    layer.beta.assign([1.0, -1.0, 0.5])
    for seed in range(20):
        layer(values(shape, seed), training=True)
    return layer


def moved_to_pytorch(layer):
    """Follow the page's recipe."""
    return PAGE["to_pytorch"](
        *layer.get_weights(),
        eps=layer.epsilon,
        momentum=layer.momentum,
        source="keras",
    )


def pytorch_output(layer, x):
    """Send channels-last values through a PyTorch layer, as images."""
    images = x.reshape(len(x), -1, 1, 3)
    first = torch.tensor(np.moveaxis(images, -1, 1))
    return np.moveaxis(layer(first).detach().numpy(), 1, -1).reshape(x.shape)


def equal(ours, theirs, rtol=1e-4):
    np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=1e-5, equal_nan=False)


@each_shape
def test_the_recipe_moves_a_trained_keras_layer(shape):
    theirs, x = trained_keras(shape), values(shape, seed=99)
    wanted = np.asarray(theirs(x, training=False).detach())
    assert wanted.std() > 0.1
    equal(pytorch_output(moved_to_pytorch(theirs), x), wanted)


@each_shape
def test_after_the_recipe_training_goes_on_alike_but_for_bessel(shape):
    theirs, x = trained_keras(shape), values(shape, seed=99)
    ours = moved_to_pytorch(theirs).train()
    before = adapter("keras").state(theirs)[3]
    equal(pytorch_output(ours, x), theirs(x, training=True).detach(), rtol=1e-3)
    mean, var = adapter("keras").state(theirs)[2:]
    equal(ours.running_mean, mean)
    count = x.size // 3
    received = (var - 0.99 * before) * count / (count - 1)
    equal(ours.running_var, 0.99 * before + received)


def test_the_recipe_with_the_eps_forgotten_is_wrong_in_the_quiet_channel():
    # With the default, 0.99, the start of 1 still hides the small variance.
    theirs, x = trained_keras((32, 3), momentum=0.5), values((32, 3), seed=99)
    ours = moved_to_pytorch(theirs)
    ours.eps = 1e-5
    spread = pytorch_output(ours, x).std(0)
    ratio = spread / np.asarray(theirs(x, training=False).detach()).std(0)
    np.testing.assert_allclose(ratio[:2], 1, rtol=0.01)
    assert ratio[2] > 2.5


def test_the_recipe_moves_a_flax_layer():
    flax, x = adapter("flax"), values((32, 3))
    theirs = flax.layer(3)
    theirs.scale[...] = np.float32([0.5, 2.0, 1.5])
    theirs(x, use_running_average=False)
    weights = flax.state(theirs)
    settings = {"eps": theirs.epsilon, "momentum": theirs.momentum, "source": "flax"}
    ours = PAGE["to_pytorch"](*map(np.array, weights), **settings)
    assert ours.momentum == pytest.approx(0.01)
    equal(pytorch_output(ours, x), theirs(x, use_running_average=True))


def test_the_recipe_moves_an_onnx_operator():
    x = batch((32, 3))
    ones = np.ones(3, dtype=np.float32)
    (wanted,) = adapter("onnx").call(x, 2 * ones, 5 * ones)
    settings = {"eps": 1e-5, "momentum": 0.9, "source": "onnx"}
    ours = PAGE["to_pytorch"](ones, 0 * ones, 2 * ones, 5 * ones, **settings)
    assert ours.momentum == pytest.approx(0.1)
    equal(pytorch_output(ours, x), wanted)


def test_the_two_lines_of_numpy_are_tensorflows_functions():
    nn, x = adapter("tensorflow").nn, values((8, 5, 4, 3))
    mean, variance = PAGE["moments"](x, (0, 1, 2))
    equal(mean, nn.moments(x, [0, 1, 2])[0])
    equal(variance, nn.moments(x, [0, 1, 2])[1])
    offset, scale = np.float32([1, -1, 0.5]), np.float32([0.5, 2, 1.5])
    arguments = x, mean, variance, offset, scale, 1e-3
    equal(PAGE["batch_normalization"](*arguments), nn.batch_normalization(*arguments))


def test_tensorflow_takes_none_for_offset_and_scale():
    x = values((32, 3))
    mean, variance = PAGE["moments"](x, 0)
    theirs = adapter("tensorflow").nn.batch_normalization(
        x, mean, variance, None, None, 1e-3
    )
    equal(theirs, PAGE["batch_normalization"](x, mean, variance, 0, 1, 1e-3))


def test_tensorflow_multiplies_before_it_centers():
    # Chapter 4 shows the price, in float32, of x * inv + (offset - mean * inv).
    x = batch((256, 16), loc=1e4, scale=1.0)
    mean, variance = x.astype(float).mean(0), x.astype(float).var(0)
    exact = (x - mean) / np.sqrt(variance + 1e-3)
    mean, variance = np.float32(mean), np.float32(variance)
    nn = adapter("tensorflow").nn
    theirs = nn.batch_normalization(x, mean, variance, None, None, 1e-3).numpy()
    centered = (x - mean) / np.sqrt(variance + np.float32(1e-3))
    assert abs(theirs - exact).max() > 2 * abs(centered - exact).max()


def test_tensorflows_fused_kernel_hands_out_the_unbiased_variance():
    import tensorflow as tf

    x, ones = values((2, 1, 2, 3)), np.ones(3, dtype=np.float32)
    nothing = np.zeros(0, dtype=np.float32)
    kernel = tf.raw_ops.FusedBatchNormV3(
        x=x, scale=ones, offset=0 * ones, mean=nothing, variance=nothing
    )
    equal(kernel.batch_variance, x.var(axis=(0, 1, 2), ddof=1))


def test_keras_stores_the_biased_variance_of_images_too():
    keras, x = adapter("keras"), values((2, 1, 2, 3))
    _, _, var = keras.step(x, momentum=0.0)
    equal(var, x.var(axis=(0, 1, 2)))


def test_a_frozen_keras_layer_predicts_inside_a_training_step():
    layer, x = trained_keras((32, 3)), values((32, 3), seed=99)
    layer.trainable = False
    equal(layer(x, training=True).detach(), layer(x, training=False).detach())


def test_flax_is_right_far_from_zero_without_the_fast_variance():
    nnx = adapter("flax").nnx
    x = batch((256, 16), loc=1e4, scale=1.0)
    layer = nnx.BatchNorm(16, use_fast_variance=False, rngs=nnx.Rngs(0))
    np.testing.assert_allclose(np.asarray(layer(x)).std(0), 1, rtol=0.01)


@pytest.mark.parametrize("library", ["keras", "flax", "onnx"])
def test_one_value_per_channel_gives_beta(library):
    x, asked = batch((1, 3)), adapter(library)
    if library == "keras":
        layer = asked.layer((1, 3))
        layer.beta.assign([1.0, 2.0, 3.0])
        y = asked.numpy(layer(x, training=True))
    elif library == "flax":
        layer = asked.layer(3)
        layer.bias[...] = np.float32([1.0, 2.0, 3.0])
        y = layer(x, use_running_average=False)
    else:
        y, mean, _ = asked.step(x, start=START)
        assert mean[0] != START[0]
        y = y + [1.0, 2.0, 3.0]  # the adapter's beta is 0
    equal(y, [[1.0, 2.0, 3.0]])
