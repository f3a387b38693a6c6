"""Running and population statistics against PyTorch's buffers and one-shot NumPy."""

import weakref

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bnlib.norms import batch_norm, batch_norm_inference
from bnlib.running import (
    Population,
    RunningStatistics,
    convert_momentum,
    convert_variance,
    merge,
    population_statistics,
)

FRAMEWORKS = ["pytorch", "keras", "flax", "onnx", "tensorflow"]
TORCH = {2: torch.nn.BatchNorm1d, 4: torch.nn.BatchNorm2d, 5: torch.nn.BatchNorm3d}


def draw_batches(count, spatial=(), channels=3, seed=0):
    """Batches off-center and off-scale, of sizes 2, 3, 5, 9, 2, ..."""
    rng = np.random.default_rng(seed)
    loc, scale = rng.normal(3, 2, channels), rng.uniform(0.5, 3, channels)
    sizes = [(2, 3, 5, 9)[i % 4] for i in range(count)]
    tail = (channels, *[1] * len(spatial))
    return [
        rng.normal(size=(n, channels, *spatial)) * scale.reshape(tail)
        + loc.reshape(tail)
        for n in sizes
    ]


@pytest.mark.parametrize("momentum", [0.1, 0.7, None, 0.0, 1.0])
@pytest.mark.parametrize("spatial", [(), (4, 3), (2, 3, 2)], ids=str)
@pytest.mark.parametrize("steps", [1, 2, 10])
def test_running_statistics_match_the_buffers_of_torch(momentum, spatial, steps):
    ours = RunningStatistics(3, momentum=momentum)
    torchs = TORCH[2 + len(spatial)](3, momentum=momentum, dtype=torch.float64)
    for x in draw_batches(steps, spatial):
        _, cache = batch_norm(x)
        ours.update(cache.mean, cache.var, x.size // 3)
        torchs(torch.tensor(x))
    assert ours.num_batches == int(torchs.num_batches_tracked) == steps
    for mine, buffer in (
        (ours.mean, torchs.running_mean),
        (ours.var, torchs.running_var),
    ):
        assert mine.dtype == np.float64
        np.testing.assert_allclose(
            mine, buffer.numpy(), rtol=0, atol=1e-12, equal_nan=False
        )
    x = draw_batches(1, spatial, seed=5)[0]
    expected = torchs.eval()(torch.tensor(x)).detach().numpy()
    y = batch_norm_inference(x, ours.mean, ours.var)
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-10, equal_nan=False)


def test_running_statistics_start_at_zero_and_one():
    running = RunningStatistics(2)
    assert running.mean.tolist() == [0, 0]
    assert running.var.tolist() == [1, 1]
    assert running.num_batches == 0


def test_update_leaves_its_input_and_earlier_results_alone():
    running = RunningStatistics(2)
    mean, var = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    running.update(mean, var, 4)
    before = running.mean
    kept = before.copy()
    running.update(mean, var, 4)
    assert mean.tolist() == [1, 2] and var.tolist() == [3, 4]
    assert before.tolist() == kept.tolist() != running.mean.tolist()


@pytest.mark.parametrize("spatial", [(), (4,), (3, 2)], ids=str)
@pytest.mark.parametrize("cut", [[24], [1, 23], [5, 2, 1, 9, 7], [1] * 24], ids=str)
def test_population_statistics_do_not_care_how_the_data_are_cut(spatial, cut):
    x = np.random.default_rng(2).normal(7, 3, size=(24, 4, *spatial))
    total = population_statistics(np.split(x, np.cumsum(cut)[:-1]))
    axes = (0, *range(2, x.ndim))
    assert total.count == x.size // 4
    for mine, expected in (
        (total.mean, x.mean(axes)),
        (total.var, x.var(axes)),
        (total.unbiased_var, x.var(axes, ddof=1)),
    ):
        np.testing.assert_allclose(mine, expected, rtol=1e-12, atol=0, equal_nan=False)


def test_population_statistics_take_images_of_unequal_size_from_a_generator():
    rng = np.random.default_rng(3)
    images = [rng.normal(5, 2, size=(n, 2, n + 1, 3)) for n in (1, 4, 2)]
    flat = np.concatenate([np.moveaxis(x, 1, 0).reshape(2, -1) for x in images], 1)
    total = population_statistics(x for x in images)
    np.testing.assert_allclose(total.mean, flat.mean(1), rtol=1e-12, equal_nan=False)
    np.testing.assert_allclose(total.var, flat.var(1), rtol=1e-12, equal_nan=False)


def test_population_statistics_let_go_of_each_batch():
    alive, most = [], []

    def batches():
        for seed in range(6):
            x = np.random.default_rng(seed).normal(size=(4, 2))
            alive.append(weakref.ref(x))
            yield x
            del x
            most.append(sum(ref() is not None for ref in alive))

    population_statistics(batches())
    assert len(most) == 6
    assert max(most) == 1, "the batch that was just read, and none before it"


def test_numbers_that_numpy_counts_are_whole_numbers():
    ours, expected = RunningStatistics(np.int64(2)), RunningStatistics(2)
    ours.update(ok, 3 * ok, np.int32(4))
    expected.update(ok, 3 * ok, 4)
    assert type(ours.num_features) is int
    np.testing.assert_array_equal(ours.var, expected.var)
    np.testing.assert_array_equal(
        convert_variance(ok, np.int64(4), "keras", "pytorch"), 4 / 3 * ok
    )


def test_population_statistics_are_accurate_far_from_zero_in_float32():
    rng = np.random.default_rng(4)
    x = (1e4 + rng.normal(size=(4096, 2))).astype(np.float32)
    total = population_statistics(np.split(x, 16))
    expected = x.astype(np.float64)
    np.testing.assert_allclose(total.mean, expected.mean(0), rtol=1e-13)
    np.testing.assert_allclose(total.var, expected.var(0), rtol=1e-9)
    assert total.mean.dtype == total.var.dtype == np.float64


def test_population_statistics_leave_the_batches_alone():
    batches = draw_batches(3)
    kept = [x.copy() for x in batches]
    population_statistics(batches)
    for x, copy in zip(batches, kept, strict=True):
        np.testing.assert_array_equal(x, copy)


@settings(max_examples=50, deadline=None)
@given(
    st.integers(1, 9),
    st.integers(1, 9),
    st.integers(1, 9),
    st.floats(-1e3, 1e3),
    st.integers(0, 2**31),
)
def test_merge_is_exact_commutative_and_associative(a, b, c, loc, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(loc, 1, size=(a + b + c, 2))
    parts = [population_statistics([p]) for p in np.split(x, [a, a + b])]
    one, two, three = parts
    for total in (
        merge(merge(one, two), three),
        merge(one, merge(two, three)),
        merge(merge(three, one), two),
    ):
        assert total.count == len(x)
        np.testing.assert_allclose(total.mean, x.mean(0), rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(total.var, x.var(0), rtol=1e-7, atol=1e-10)


def test_averaging_variances_forgets_the_distance_of_the_means():
    low, high = np.array([[0.0], [2.0]]), np.array([[10.0], [12.0]])
    a, b = (population_statistics([x]) for x in (low, high))
    assert (a.var + b.var) / 2 == 1
    assert merge(a, b).var == 26


@pytest.mark.parametrize("source", FRAMEWORKS)
@pytest.mark.parametrize("target", FRAMEWORKS)
def test_momentum_is_turned_round_between_pytorch_and_the_others(source, target):
    turned = (source == "pytorch") != (target == "pytorch")
    value = convert_momentum(0.99, source, target)
    assert value == (0.01 if turned else 0.99)
    assert convert_momentum(value, target, source) == 0.99


@pytest.mark.parametrize("source", FRAMEWORKS)
@pytest.mark.parametrize("target", FRAMEWORKS)
def test_variance_is_corrected_between_pytorch_and_the_others(source, target):
    biased, unbiased = np.array([3.0, 6.0]), np.array([4.0, 8.0])
    var = unbiased if source == "pytorch" else biased
    expected = unbiased if target == "pytorch" else biased
    value = convert_variance(var, 4, source, target)
    np.testing.assert_allclose(value, expected, rtol=1e-15, equal_nan=False)
    assert value is not var


def test_moving_averages_of_two_conventions_agree_after_conversion():
    momentum = convert_momentum(0.9, "keras", "pytorch")
    ours, keras_mean, keras_var = RunningStatistics(3, momentum), 0.0, 1.0
    for x in draw_batches(1) * 60:  # equal sizes, long enough to forget the start
        _, cache = batch_norm(x)
        ours.update(cache.mean, cache.var, len(x))
        keras_mean = 0.9 * keras_mean + 0.1 * cache.mean
        keras_var = 0.9 * keras_var + 0.1 * cache.var
    var = convert_variance(keras_var, len(x), "keras", "pytorch")
    np.testing.assert_allclose(ours.mean, keras_mean, rtol=1e-12, equal_nan=False)
    np.testing.assert_allclose(ours.var, var, rtol=0.01, equal_nan=False)


ok = np.ones(2)
WRONG = {
    "no features": (
        lambda: RunningStatistics(0),
        ValueError,
        "num_features must be at least 1, got 0",
    ),
    "features not whole": (
        lambda: RunningStatistics(2.0),
        TypeError,
        "num_features must be a whole number, got 2.0",
    ),
    "features a bool": (
        lambda: RunningStatistics(True),
        TypeError,
        "num_features must be a whole number, got True",
    ),
    "momentum too large": (
        lambda: RunningStatistics(2, momentum=1.5),
        ValueError,
        r"momentum must be None or lie in \[0, 1\], got 1.5",
    ),
    "momentum NaN": (
        lambda: RunningStatistics(2, momentum=float("nan")),
        ValueError,
        "got nan",
    ),
    "count of one": (
        lambda: RunningStatistics(2).update(ok, ok, 1),
        ValueError,
        "count must be at least 2, got 1",
    ),
    "count not whole": (
        lambda: RunningStatistics(2).update(ok, ok, 2.5),
        TypeError,
        "count must be a whole number, got 2.5",
    ),
    "mean of wrong shape": (
        lambda: RunningStatistics(2).update(np.ones(3), ok, 4),
        ValueError,
        r"mean must have shape \(2,\).*got \(3,\)",
    ),
    "var missing": (
        lambda: RunningStatistics(2).update(ok, None, 4),
        TypeError,
        r"var must be an array of shape \(2,\), got None",
    ),
    "var negative": (
        lambda: RunningStatistics(2).update(ok, [1.0, -2.0], 4),
        ValueError,
        "var must not be negative, got -2.0 for channel 1",
    ),
    "mean NaN": (
        lambda: RunningStatistics(2).update([1.0, np.nan], ok, 4),
        ValueError,
        "mean must be finite, got nan",
    ),
    "one array for batches": (
        lambda: population_statistics(np.ones((4, 2))),
        TypeError,
        r"iterable of arrays, got one array of shape \(4, 2\)",
    ),
    "no batch": (
        lambda: population_statistics([]),
        ValueError,
        "at least one batch, got none",
    ),
    "empty batch": (
        lambda: population_statistics([np.ones((0, 2))]),
        ValueError,
        r"each batch must hold at least one value, got shape \(0, 2\)",
    ),
    "flat batch": (
        lambda: population_statistics([np.ones(2)]),
        ValueError,
        r"at least 2 dimensions, got shape \(2,\)",
    ),
    "integer batch": (
        lambda: population_statistics([np.ones((3, 2), dtype=int)]),
        TypeError,
        "float32 or float64.*got dtype int64",
    ),
    "NaN in a batch": (
        lambda: population_statistics([np.array([[1.0], [np.nan]])]),
        ValueError,
        r"each batch must be finite, got nan at index \(1, 0\)",
    ),
    "infinity in a batch": (
        lambda: population_statistics([np.array([[1.0], [np.inf]])]),
        ValueError,
        "each batch must be finite, got inf",
    ),
    "channels change": (
        lambda: population_statistics([np.ones((3, 2)), np.ones((3, 4))]),
        ValueError,
        r"the same channels, got means of shape \(2,\) and \(4,\)",
    ),
    "one value, unbiased": (
        lambda: population_statistics([np.ones((1, 2))]).unbiased_var,
        ValueError,
        "at least 2 values per channel, got 1",
    ),
    "cumulative momentum": (
        lambda: convert_momentum(None, "pytorch", "keras"),
        ValueError,
        "must be a number to be translated, got None",
    ),
    "converted momentum": (
        lambda: convert_momentum(99, "keras", "pytorch"),
        ValueError,
        "got 99",
    ),
    "unknown framework": (
        lambda: convert_momentum(0.9, "caffe", "pytorch"),
        ValueError,
        "one of .*'pytorch'.*got 'caffe'",
    ),
    "converted var negative": (
        lambda: convert_variance([-1.0], 4, "keras", "pytorch"),
        ValueError,
        "var must not be negative, got -1.0",
    ),
    "converted var None": (
        lambda: convert_variance(None, 4, "keras", "pytorch"),
        TypeError,
        "var must be an array",
    ),
    "converted count": (
        lambda: convert_variance([1.0], 1, "keras", "pytorch"),
        ValueError,
        "count must be at least 2, got 1",
    ),
}


@pytest.mark.parametrize("call, error, message", WRONG.values(), ids=WRONG.keys())
def test_wrong_input_is_refused_in_one_sentence(call, error, message):
    with pytest.raises(error, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_refused_update_changes_nothing():
    running = RunningStatistics(2)
    with pytest.raises(ValueError):
        running.update(ok, [1.0, -2.0], 4)
    assert running.num_batches == 0
    assert running.mean.tolist() == [0, 0]


def test_population_can_be_made_by_hand():
    two = Population(np.array([1.0]), np.array([2.0]), 4)
    assert two.unbiased_var == pytest.approx(8 / 3)
