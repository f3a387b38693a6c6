"""Data sets: sizes, ranges, splits that repeat and do not overlap."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn import datasets
from sklearn.model_selection import train_test_split

from bnlib.lab import data


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


SPLITS = {  # in 10, 60 or 450 rows many classes have the same remainder
    "digits": [*[(450, seed) for seed in range(150)], (10, 1), (1787, 2), (60, 3)],
    "wine": [*[(54, seed) for seed in range(250)], (3, 1), (175, 2), (10, 3)],
}


@pytest.mark.parametrize("name", SPLITS)
def test_tables_and_splits_are_those_of_scikit_learn(name):
    x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    x = x / 16.0 if name == "digits" else x
    for test_size, seed in SPLITS[name]:
        options = {"test_size": test_size, "random_state": seed, "stratify": y}
        x_train, x_test, y_train, y_test = train_test_split(x, y, **options)
        ours = getattr(data, name)(test_size=test_size, seed=seed)
        for a, b in zip(ours, (x_train, y_train, x_test, y_test), strict=True):
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("seed", range(50))
def test_splits_of_uneven_classes_are_those_of_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat(np.arange(5), rng.integers(2, 30, size=5)))
    x = np.arange(2.0 * len(y)).reshape(-1, 2)
    for test_size in (5, len(y) // 3, len(y) // 2, len(y) - 5):
        options = {"test_size": test_size, "random_state": seed, "stratify": y}
        x_train, x_test, y_train, y_test = train_test_split(x, y, **options)
        ours = data._split(x, y, test_size, seed)
        for a, b in zip(ours, (x_train, y_train, x_test, y_test), strict=True):
            np.testing.assert_array_equal(a, b)


def test_what_is_done_to_the_data_stays_with_who_did_it():
    first = data.digits(), data.wine()
    for array in (*first[0], *first[1]):
        array[:] = 7
    assert data.digits()[0].max() == 1 and data.wine()[3].max() == 2


@pytest.mark.parametrize(
    "load, size, error, message",
    [
        (data.digits, 9, ValueError, "between 10 and 1787, .* got 9; say 449"),
        (data.digits, 1788, ValueError, "between 10 and 1787, .* got 1788"),
        (data.wine, 2, ValueError, "between 3 and 175, .* got 2; say 44"),
        (data.wine, 0.25, TypeError, "a whole number of rows, got 0.25; .* say 44"),
    ],
)
def test_impossible_splits_are_refused(load, size, error, message):
    with pytest.raises(error, match=message):
        load(test_size=size)


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


AFFINE_SHIFTS = {
    "none": (1.0, 0.0),
    "dark": (0.3, 0.0),
    "bright": (2.0, 0.5),
    "offset": (1.0, 0.7),
    "low contrast": (0.25, 0.5),
    "inverted": (-1.0, 1.0),
}


@pytest.mark.parametrize("kind", AFFINE_SHIFTS)
def test_shift_images_is_affine_and_leaves_its_input_alone(kind):
    x = np.random.default_rng(1).normal(size=(3, 2, 4, 5))
    before = x.copy()
    gain, offset = AFFINE_SHIFTS[kind]
    shifted = data.shift_images(x, kind)
    np.testing.assert_allclose(shifted, gain * before + offset, rtol=1e-15)
    shifted += 1
    np.testing.assert_array_equal(x, before)


def test_shift_images_blurs_over_nine_pixels_with_zeros_outside():
    x = np.zeros((1, 2, 4, 6))
    x[0, 1, 0, 2] = 9.0
    blurred = data.shift_images(x, "blur")
    assert blurred[0, 0].sum() == 0
    np.testing.assert_allclose(blurred[0, 1, :2, 1:4], 1.0, rtol=1e-12)
    np.testing.assert_allclose(blurred.sum(), 6.0, rtol=1e-12)


def test_shift_images_adds_noise_that_depends_on_the_seed():
    x = np.full((200, 1, 8, 8), 0.5)
    noise = data.shift_images(x, "noise", seed=2) - 0.5
    assert abs(noise.std() - 0.4) < 0.02 and abs(noise.mean()) < 0.02
    np.testing.assert_array_equal(noise + 0.5, data.shift_images(x, "noise", seed=2))
    assert not np.array_equal(noise + 0.5, data.shift_images(x, "noise", seed=3))


@pytest.mark.parametrize(
    "shape, kind, message",
    [((2, 1, 8, 8), "sepia", "got 'sepia'"), ((2, 64), "dark", r"shape \(2, 64\)")],
)
def test_shift_images_says_what_it_needs(shape, kind, message):
    with pytest.raises(ValueError, match=message):
        data.shift_images(np.zeros(shape), kind)


def warp(noise=0.0, **options):
    return data.warped_digits(60, 40, noise=noise, **options)


def test_warped_digits_have_the_sizes_asked_for_and_repeat():
    first = warp(0.1, size=12, seed=3)
    shapes = [a.shape for a in first]
    assert shapes == [(60, 1, 12, 12), (60,), (40, 1, 12, 12), (40,)]
    assert first[0].dtype == first[2].dtype == np.float64
    assert set(first[1]) <= set(range(10)) and len(set(first[1])) > 5
    for a, b in zip(warp(0.1, size=12, seed=3), first, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(warp(0.1, size=12, seed=4)[0], first[0])


def test_unwarped_digits_are_the_digits_and_training_and_test_are_disjoint():
    x_train, y_train, x_test, y_test = warp(rotation=0.0, scale=0.0, shift=0.0, seed=2)
    base = data.digits(seed=2)
    for x, y, own, classes in (
        (x_train, y_train, base[0], base[1]),
        (x_test, y_test, base[2], base[3]),
    ):
        flat = x.reshape(len(x), 64)
        distance = np.abs(flat[:, None] - own[None]).max(2)
        np.testing.assert_allclose(distance.min(1), 0, atol=1e-12)
        np.testing.assert_array_equal(classes[distance.argmin(1)], y)


@pytest.mark.parametrize("size", [5, 8, 16])
def test_warping_is_bilinear_interpolation_as_in_pytorch(size):
    rng = np.random.default_rng(0)
    images = rng.random((7, 8, 8))
    matrices = rng.normal(size=(7, 2, 2))
    offsets = rng.normal(size=(7, 2))
    found = data._sample(images, *data._positions(matrices, offsets, size))
    # PyTorch's maps take (x, y), ours (row, column).
    theta = np.concatenate([matrices[:, ::-1, ::-1], offsets[:, ::-1, None]], axis=2)
    grid = F.affine_grid(
        torch.tensor(theta.copy()), (7, 1, size, size), align_corners=False
    )
    want = F.grid_sample(torch.tensor(images[:, None]), grid, align_corners=False)
    assert found.std() > 0.1
    np.testing.assert_allclose(found, want[:, 0], atol=1e-13, equal_nan=False)


def test_maps_stay_inside_of_their_ranges_and_fill_them():
    rng = np.random.default_rng(0)
    matrices, offsets = data._affine_maps(5000, np.deg2rad(20.0), 0.3, 0.2, rng)
    factors = 1 / np.sqrt(np.linalg.det(matrices))
    angles = np.rad2deg(np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0]))
    for values, low, high in (
        (factors, 0.7, 1.3),
        (angles, -20, 20),
        (offsets, -0.2, 0.2),
    ):
        margin = 0.01 * (high - low)
        assert low - 1e-9 <= values.min() < low + margin
        assert high - margin < values.max() <= high + 1e-9


def test_noise_of_warped_digits_has_its_standard_deviation():
    clean, noisy = warp(0.0, seed=1)[0], warp(0.2, seed=1)[0]
    assert clean.min() >= 0 and clean.max() <= 1
    assert abs((noisy - clean).std() - 0.2) < 0.01


@pytest.mark.parametrize(
    "options, message",
    [
        ({"size": 0}, r"must be at least 1, got \(60, 40, 0\)"),
        ({"scale": 1.0}, r"scale must lie in \[0, 1\), got 1.0"),
        ({"shift": -0.1}, "must be finite and at least 0, got 15.0, -0.1, 0.0"),
        ({"noise": np.inf}, "must be finite and at least 0, got 15.0, 0.15, inf"),
        ({"rotation": np.nan}, "must be finite and at least 0, got nan"),
    ],
)
def test_impossible_warps_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        warp(**options)


STILL = {"rotation": 0, "scale": 0, "shift": 0, "noise": 0}


def test_warped_digits_come_from_disjoint_base_images():
    x_train, y_train, x_test, y_test = data.digits(seed=4)
    drawn = data.warped_digits(300, 200, seed=4, **STILL)
    for images, classes, base, known in (
        (drawn[0], drawn[1], x_train, y_train),
        (drawn[2], drawn[3], x_test, y_test),
    ):
        gaps = np.abs(images.reshape(len(images), 1, 64) - base).max(axis=2)
        assert gaps.min(axis=1).max() < 1e-12  # each one is a base image ...
        assert np.array_equal(known[gaps.argmin(axis=1)], classes)  # ... with its class


def test_warped_digits_of_another_size_are_interpolated_as_pytorch_does():
    small = torch.tensor(data.warped_digits(5, 1, seed=2, **STILL)[0])
    large = data.warped_digits(5, 1, size=16, seed=2, **STILL)[0]
    same = torch.eye(2, 3, dtype=torch.float64).expand(5, 2, 3)
    grid = F.affine_grid(same, (5, 1, 16, 16), align_corners=False)
    expected = F.grid_sample(small, grid, align_corners=False)
    np.testing.assert_allclose(large, expected, atol=1e-12, equal_nan=False)


@pytest.mark.parametrize("warp", [{"rotation": 30}, {"scale": 0.3}, {"shift": 0.3}])
def test_each_warp_changes_images_and_stays_in_the_range_of_pixels(warp):
    still = data.warped_digits(50, 1, seed=1, **STILL)
    warped = data.warped_digits(50, 1, seed=1, **STILL | warp)
    assert np.array_equal(still[1], warped[1])
    assert np.abs(still[0] - warped[0]).mean() > 0.02
    assert warped[0].min() >= 0 and warped[0].max() <= 1


def test_a_shift_moves_the_center_of_gravity_by_at_most_as_much():
    rows = np.arange(8) + 0.5
    still, moved = (
        data.warped_digits(200, 1, seed=1, **STILL | {"shift": shift})[0][:, 0]
        for shift in (0, 0.2)
    )
    center = [(x.sum(2) @ rows) / x.sum((1, 2)) for x in (still, moved)]
    moves = np.abs(center[1] - center[0])
    assert 0.5 < moves.max() < 0.2 * 4 + 0.05  # 0.2 halves of 8 pixels, and its edges


def test_warped_digits_have_noise_and_a_seed():
    options = STILL | {"noise": 0.3}
    calm, noisy = (data.warped_digits(200, 1, **o)[0] for o in (STILL, options))
    assert (noisy - calm).std() == pytest.approx(0.3, rel=0.05)
    again = data.warped_digits(200, 1, **options)[0]
    np.testing.assert_array_equal(noisy, again)
    assert not np.array_equal(noisy, data.warped_digits(200, 1, seed=1, **options)[0])
    assert noisy.shape == (200, 1, 8, 8) and noisy.dtype == np.float64


@pytest.mark.parametrize(
    "options, message",
    [
        ({"num_train": 0}, r"at least 1, got \(0, 1500, 8\)"),
        ({"size": 0}, "at least 1"),
        ({"scale": 1.0}, r"scale must lie in \[0, 1\), got 1.0"),
        ({"noise": -1}, "finite and at least 0, got 15.0, 0.15, -1"),
        ({"rotation": np.inf}, "finite"),
    ],
)
def test_warped_digits_say_what_they_need(options, message):
    with pytest.raises(ValueError, match=message):
        data.warped_digits(**options)


def test_rotation_of_warped_digits_is_in_degrees(monkeypatch):
    seen = []

    def spy(n, angle, *rest):
        seen.append(angle)
        return affine_maps(n, angle, *rest)

    affine_maps = data._affine_maps
    monkeypatch.setattr(data, "_affine_maps", spy)
    warp(rotation=18.0)
    np.testing.assert_allclose(seen, np.pi / 10)


def test_the_split_varies_with_the_seed_and_a_seed_may_occur_twice():
    x_train, y_train, x_test, y_test = data.for_seeds(data.digits, [3, 5, 3])
    assert x_train.shape == (3, 1347, 64)
    assert y_test.shape == (3, 450)
    for position, seed in enumerate([3, 5, 3]):
        alone = data.digits(seed=seed)
        np.testing.assert_array_equal(x_train[position], alone[0])
        np.testing.assert_array_equal(y_test[position], alone[3])
    assert (x_test[0] != x_test[1]).any()
    assert (y_train[0] != y_train[1]).any()


def test_options_reach_the_loader_and_no_seed_is_refused():
    assert data.for_seeds(data.digits, [0], test_size=100)[2].shape == (1, 100, 64)
    with pytest.raises(ValueError, match="at least one number, got none"):
        data.for_seeds(data.digits, [])
