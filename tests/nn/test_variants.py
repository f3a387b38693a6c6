"""The variants against their papers' formulas, and where they must be batch norm."""

import copy
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from bnlib.lab.noisy import NoisyBatchNorm
from bnlib.nn import (
    BatchNorm,
    DynamicTanh,
    GhostBatchNorm,
    LpBatchNorm,
    reestimate,
)
from tests.oracles import spread

torch.set_num_threads(1)
F64 = torch.float64
EPS = 1e-5
SHAPES = {"2-D": (12, 3), "3-D": (12, 3, 4), "4-D": (12, 3, 2, 3)}
every_shape = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)

VARIANTS = {
    "ghost": lambda **k: GhostBatchNorm(3, 4, dtype=F64, **k),
    "noisy": lambda **k: NoisyBatchNorm(3, dtype=F64, **k),
    "L1": lambda **k: LpBatchNorm(3, 1, dtype=F64, **k),
    "Linf": lambda **k: LpBatchNorm(3, math.inf, dtype=F64, **k),
}
every_variant = pytest.mark.parametrize("make", VARIANTS.values(), ids=VARIANTS)

# Each variant with the arguments that make it plain batch norm.
PLAIN = {
    "ghost": lambda: GhostBatchNorm(3, 99, dtype=F64),
    "noisy": lambda: NoisyBatchNorm(3, 0, 1, 0, 0, dtype=F64),
    "L2": lambda: LpBatchNorm(3, 2, dtype=F64),
}


def draw(shape=(12, 3), seed=0, requires_grad=False):
    """Off-center, off-scale input."""
    x = np.random.default_rng(seed).normal(3, 2, size=shape)
    return torch.tensor(x, requires_grad=requires_grad)


def along(v, x):
    return v.view(1, -1, *[1] * (x.ndim - 2))


def close(mine, expected, atol=1e-10):
    np.testing.assert_allclose(
        torch.as_tensor(mine).detach().numpy(),
        torch.as_tensor(expected).detach().numpy(),
        rtol=0,
        atol=atol,
        equal_nan=False,
    )


def gradients(layer, x):
    """Output and gradients for a random upstream gradient."""
    x = x.detach().clone().requires_grad_()
    layer.zero_grad()
    y = layer(x)
    y.backward(draw(x.shape, seed=50) - 3)
    return y.detach(), x.grad, layer.weight.grad, layer.bias.grad


# What all variants share


@every_variant
@every_shape
def test_eval_mode_is_that_of_batch_norm(make, shape):
    layer = spread(make()).eval()
    plain = BatchNorm(3, dtype=F64).eval()
    plain.load_state_dict(layer.state_dict())
    for mine, expected in zip(
        gradients(layer, draw(shape)), gradients(plain, draw(shape)), strict=True
    ):
        assert expected.abs().max() > 1e-2
        close(mine, expected)


@pytest.mark.parametrize("name", ["ghost", "noisy"])
def test_without_statistics_eval_mode_uses_the_whole_batch(name):
    layer = VARIANTS[name](track_running_stats=False).eval()
    close(layer(draw()), F.batch_norm(draw(), None, None, training=True))


@every_variant
def test_state_moves_to_torch_and_back(make):
    layer = spread(make())
    reference = torch.nn.BatchNorm1d(3, dtype=F64)
    assert list(layer.state_dict()) == list(reference.state_dict())
    reference.load_state_dict(layer.state_dict())
    fresh = make()
    fresh.load_state_dict(reference.state_dict())
    for key, value in layer.state_dict().items():
        close(fresh.state_dict()[key], value, atol=0)


@every_variant
def test_buffers_have_no_graph_and_survive_deepcopy(make):
    layer = make()
    for seed in range(3):
        gradients(layer, draw(seed=seed))
        assert all(b.grad_fn is None and not b.requires_grad for b in layer.buffers())
    assert layer.running_mean.abs().min() > 1e-3, "the statistics did not move"
    twin = copy.deepcopy(layer)
    twin(draw(seed=4))
    assert not torch.equal(twin.running_mean, layer.running_mean)
    assert twin.num_batches_tracked > layer.num_batches_tracked


@pytest.mark.parametrize("make", PLAIN.values(), ids=PLAIN)
@pytest.mark.parametrize("steps", [1, 2, 10])
def test_with_neutral_arguments_it_is_batch_norm(make, steps):
    layer, plain = spread(make()), spread(BatchNorm(3, dtype=F64))
    for i in range(steps):
        x = draw((4 + i % 3, 3, 5), seed=i)
        for mine, expected in zip(
            gradients(layer, x), gradients(plain, x), strict=True
        ):
            assert expected.abs().max() > 1e-3
            close(mine, expected)
    close(layer.running_mean, plain.running_mean)
    assert layer.num_batches_tracked == plain.num_batches_tracked == steps
    close(layer.running_var, plain.running_var)


@every_variant
def test_refuses_one_value_per_channel_and_wrong_channels(make):
    with pytest.raises(ValueError, match=r"more than one value.*got shape \(1, 3\)"):
        make()(torch.ones(1, 3, dtype=F64))
    with pytest.raises(ValueError, match=r"3 channels on axis 1, got shape \(4, 5\)"):
        make()(torch.ones(4, 5, dtype=F64))
    with pytest.raises(ValueError, match="2 to 5 dimensions"):
        make()(torch.ones(3, dtype=F64))
    with pytest.raises(TypeError, match="unexpected keyword argument 'epsilon'"):
        make(epsilon=1)


# Ghost batch norm


@pytest.mark.parametrize("momentum", [0.1, None])
@pytest.mark.parametrize("size, cuts", [(4, [4, 4, 4]), (5, [5, 5, 2]), (12, [12])])
@every_shape
def test_ghosts_are_normalized_one_by_one(momentum, size, cuts, shape):
    layer = spread(GhostBatchNorm(3, size, momentum=momentum, dtype=F64))
    plain = torch.nn.BatchNorm1d if len(shape) < 4 else torch.nn.BatchNorm2d
    plain = plain(3, momentum=momentum, dtype=F64)
    plain.load_state_dict(layer.state_dict())
    x = draw(shape)
    expected = torch.cat([plain(ghost) for ghost in x.split(cuts)])
    close(layer(x), expected)
    close(layer.running_mean, plain.running_mean)
    close(layer.running_var, plain.running_var)
    assert layer.num_batches_tracked == len(cuts)


def test_ghosts_move_the_running_mean_as_in_the_paper():
    layer, eta, x = GhostBatchNorm(3, 4, momentum=0.2, dtype=F64), 0.2, draw()
    layer(x)
    layer(x + 1)
    expected = torch.zeros(3, dtype=F64)
    for batch in (x, x + 1):
        means = [ghost.mean(0) for ghost in batch.split(4)]
        expected = (1 - eta) ** 3 * expected + sum(
            (1 - eta) ** i * eta * mean for i, mean in enumerate(reversed(means))
        )
    close(layer.running_mean, expected)


def test_ghosts_do_not_see_each_other():
    layer, x = GhostBatchNorm(3, 4, dtype=F64), draw(requires_grad=True)
    upstream = torch.zeros_like(x)
    upstream[:4] = draw((4, 3), seed=1)
    layer(x).backward(upstream)
    assert x.grad[:4].abs().max() > 1e-2
    assert x.grad[4:].abs().max() == 0


@pytest.mark.parametrize("size", [4, 5, 99])
@every_shape
def test_ghosts_can_be_averaged_before_the_statistics_move(size, shape):
    layer = spread(GhostBatchNorm(3, size, "mean", momentum=0.2, dtype=F64))
    each = spread(GhostBatchNorm(3, size, momentum=0.2, dtype=F64))
    before, x = layer.running_mean.clone(), draw(shape)
    for mine, expected in zip(gradients(layer, x), gradients(each, x), strict=True):
        close(mine, expected)
    flat = [g.transpose(0, 1).flatten(1) for g in x.split(size)]
    mean = sum(g.mean(1) for g in flat) / len(flat)
    close(layer.running_mean, 0.8 * before + 0.2 * mean)
    var = sum(g.var(1) for g in flat) / len(flat)  # unbiased
    close(layer.running_var, 0.8 * spread(make_ghost()).running_var + 0.2 * var)
    assert layer.num_batches_tracked == 1
    assert "update=mean" in str(layer)


def make_ghost():
    return GhostBatchNorm(3, 4, dtype=F64)


def test_a_batch_with_a_refused_ghost_leaves_the_statistics():
    layer = spread(make_ghost())
    kept = copy.deepcopy(layer.state_dict())
    with pytest.raises(ValueError, match="more than one value"):
        layer(draw((9, 3)))
    for key, value in layer.state_dict().items():
        assert torch.equal(value, kept[key])


def test_ghosts_of_one_are_refused():
    with pytest.raises(ValueError, match="'each' or 'mean', got 'all'"):
        GhostBatchNorm(3, 4, "all")
    with pytest.raises(ValueError, match=r"more than one value.*got shape \(1, 3\)"):
        GhostBatchNorm(3, 4, dtype=F64)(draw((9, 3)))
    with pytest.raises(ValueError, match="ghost_size must be at least 1, got 0"):
        GhostBatchNorm(3, 0)
    with pytest.raises(TypeError, match="ghost_size must be a whole number, got 2.0"):
        GhostBatchNorm(3, 2.0)


# Noisy batch norm


def noise_of(layer, x, seed):
    """Return scale and shift that the layer applied, solved from two outputs."""
    plain = BatchNorm(3, affine=False, dtype=F64)(x)
    torch.manual_seed(seed)
    first = layer(x)
    torch.manual_seed(seed)
    second = layer(-x)  # the normalized values change their sign, the noise is the same
    return (first - second) / (2 * plain), (first + second) / 2


def test_noise_is_drawn_per_step_and_channel_and_around_it_per_value():
    layer, x = NoisyBatchNorm(3, affine=False, dtype=F64), draw((4000, 3))
    mus, sigmas, spreads = [], [], []
    for seed in range(40):
        scale, shift = noise_of(layer, x, seed)
        mu, sigma = shift.mean(0), scale.mean(0)
        assert (shift - mu).abs().max() < 0.1 + 0.01
        np.testing.assert_allclose((shift - mu).std(0), 0.1 / math.sqrt(3), rtol=0.05)
        np.testing.assert_allclose((scale - sigma).std(0), 0.1, rtol=0.07)
        assert (scale - sigma).abs().max() > 0.3, "normal, not uniform"
        mus.append(mu)
        sigmas.append(sigma)
        spreads.append((shift.std(0), scale.std(0)))
    # 480,000 draws: the averages are known to a thousandth.
    of_shift, of_scale = map(torch.stack, zip(*spreads, strict=True))
    np.testing.assert_allclose(of_shift.mean(), 0.1 / math.sqrt(3), rtol=0.005)
    np.testing.assert_allclose(of_scale.mean(), 0.1, rtol=0.005)
    mus, sigmas = torch.stack(mus), torch.stack(sigmas)
    assert -0.51 < mus.min() < -0.4 and 0.4 < mus.max() < 0.51
    assert 0.99 < sigmas.min() < 1.03 and 1.22 < sigmas.max() < 1.26
    # Uniform, and one draw for each channel.
    np.testing.assert_allclose(mus.std(0), 1 / math.sqrt(12), rtol=0.25)
    assert np.abs(np.corrcoef(mus.T) - np.eye(3)).max() < 0.6


def test_noise_without_spread_is_one_line_per_channel():
    layer, x = NoisyBatchNorm(3, r_mu=0, r_sigma=0, dtype=F64), draw((5, 3, 4))
    y, plain = layer(x), BatchNorm(3, dtype=F64)(x)
    for c in range(3):
        slope, start = np.polyfit(
            plain[:, c].flatten().detach(), y[:, c].flatten().detach(), 1
        )
        assert 1 <= slope <= 1.25 and abs(start) <= 0.5
        close(y[:, c], slope * plain[:, c] + start)


def test_noise_is_seeded_and_leaves_the_running_statistics():
    layer, plain, x = (
        spread(NoisyBatchNorm(3, dtype=F64)),
        BatchNorm(3, dtype=F64),
        draw(),
    )
    plain.load_state_dict(layer.state_dict())
    outputs = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        outputs.append(layer(x))
        plain(x)
    assert torch.equal(outputs[0], outputs[1])
    assert not torch.equal(outputs[0], outputs[2])
    close(layer.running_mean, plain.running_mean)
    close(layer.running_var, plain.running_var)


def test_noise_has_a_mode_of_its_own():
    layer, x = NoisyBatchNorm(3, dtype=F64), draw()
    layer(x)
    quiet = layer.eval()(x)
    close(quiet, layer(x), atol=0)
    layer.noise.train()
    assert (layer(x) - quiet).abs().max() > 1e-2


def test_gradient_passes_through_the_noise():
    layer, x = spread(NoisyBatchNorm(3, dtype=F64)), draw()
    torch.manual_seed(3)
    scale, _ = noise_of(NoisyBatchNorm(3, affine=False, dtype=F64), x, seed=3)
    upstream = draw(seed=50) - 3
    torch.manual_seed(3)
    _, d_x, _, _ = gradients(layer, x)
    plain, leaf = BatchNorm(3, dtype=F64), x.clone().requires_grad_()
    plain.load_state_dict(layer.state_dict())
    plain(leaf).backward(upstream * scale.detach())
    assert leaf.grad.abs().max() > 1e-2
    close(d_x, leaf.grad, atol=1e-8)


@pytest.mark.parametrize(
    "ranges", [(-1, 1.25, 0.1, 0.1), (0.5, 0.9, 0.1, 0.1), (0.5, 1.25, 0.1, math.nan)]
)
def test_noise_refuses_ranges_that_are_none(ranges):
    with pytest.raises(ValueError, match=f"n_sigma at least 1, got {ranges[0]}, "):
        NoisyBatchNorm(3, *ranges)


def test_reestimation_turns_the_noise_off():
    model = torch.nn.Sequential(
        NoisyBatchNorm(3, n_mu=5, dtype=F64), BatchNorm(3, dtype=F64)
    )
    reestimate(model, [draw(), draw(seed=1)])
    assert model[0].noise.training
    close(model[1].running_mean, torch.zeros(3))


# Lp batch norm


def scale_of(p, deviations):
    """The papers' scales in NumPy, values along axis 0."""
    if p == 1:
        return math.sqrt(math.pi / 2) * np.abs(deviations).mean(0)
    if p == 2:
        return np.sqrt(np.square(deviations).mean(0))
    count = len(deviations)
    constant = 0.5 * (1 + math.sqrt(math.pi * math.log(4)))
    return constant / math.sqrt(2 * math.log(count)) * np.abs(deviations).max(0)


@pytest.mark.parametrize("p", [1, 2, math.inf])
@pytest.mark.parametrize("momentum", [0.1, None])
@every_shape
def test_lp_is_the_papers_formula(p, momentum, shape):
    layer = LpBatchNorm(3, p, momentum=momentum, dtype=F64)
    x = draw(shape)
    flat = np.moveaxis(x.numpy(), 1, -1).reshape(-1, 3)
    mean, scale = flat.mean(0), scale_of(p, flat - flat.mean(0))
    y = np.moveaxis(layer(x).detach().numpy(), 1, -1).reshape(-1, 3)
    close(y, (flat - mean) / np.sqrt(scale**2 + EPS))
    new, factor = momentum or 1, len(flat) / (len(flat) - 1)
    close(layer.running_mean, new * mean)
    close(layer.running_var, (1 - new) + new * factor * scale**2)


@pytest.mark.parametrize("p", [1, 2, math.inf])
def test_lp_gradient_matches_central_differences(p):
    layer, x = spread(LpBatchNorm(3, p, dtype=F64)), draw((6, 3, 2))
    upstream, direction = draw(x.shape, seed=50) - 3, draw(x.shape, seed=60) - 3
    _, d_x, _, _ = gradients(layer, x)
    step = 1e-6
    ends = [(upstream * layer(x + s * direction)).sum() for s in (step, -step)]
    numeric = (ends[0] - ends[1]).item() / (2 * step)
    exact = (d_x * direction).sum().item()
    assert abs(exact) > 1e-2, "slope is ~0: this direction tests nothing"
    assert exact == pytest.approx(numeric, rel=1e-6)


@pytest.mark.parametrize("p, expected", [(1, 1.0), (2, 1.0), (math.inf, 0.71)])
def test_lp_scale_of_normal_data(p, expected):
    y = LpBatchNorm(50, p)(
        torch.randn(1024, 50, generator=torch.Generator().manual_seed(0))
    )
    assert y.std().item() == pytest.approx(expected, abs=0.015)


@pytest.mark.parametrize("p", [1, 2, math.inf])
def test_lp_output_ignores_scale_and_shift_of_the_input(p):
    layer, x = LpBatchNorm(3, p, eps=1e-12, dtype=F64), draw()
    close(layer(100 * x - 7), layer(x))


def test_lp_training_and_inference_agree_on_large_batches():
    layer, x = LpBatchNorm(3, 1, momentum=None, dtype=F64), draw((4096, 3))
    trained = layer(x)
    close(layer.eval()(x), trained, atol=1e-3)


@pytest.mark.parametrize("p", [0, 3, "2", -math.inf])
def test_lp_refuses_other_norms(p):
    with pytest.raises(ValueError, match=f"p must be 1, 2 or math.inf, got {p}"):
        LpBatchNorm(3, p)


@pytest.mark.parametrize("p", [1, math.inf])
def test_reestimation_pools_the_scales_of_lp(p):
    layer, batches = LpBatchNorm(3, p, dtype=F64), [draw((9, 3)), draw((4, 3), seed=1)]
    reestimate(layer, batches)
    scales = [scale_of(p, (x - x.mean(0)).numpy()) for x in batches]
    whole = torch.cat(batches)
    between = (9 * 4 / 13**2) * (batches[0].mean(0) - batches[1].mean(0)).square()
    var = (9 * scales[0] ** 2 + 4 * scales[1] ** 2) / 13 + between.numpy()
    close(layer.running_mean, whole.mean(0))
    close(layer.running_var, var * 13 / 12)


@every_variant
@pytest.mark.parametrize("shape", [(0, 3), (0, 3, 4), (5, 3, 0)], ids=str)
def test_an_empty_batch_is_counted_and_changes_nothing(make, shape):
    layer, x = make(), torch.ones(shape, dtype=F64, requires_grad=True)
    layer(x).sum().backward()
    assert layer(x).shape == x.grad.shape == shape
    assert layer.num_batches_tracked == 2
    assert not layer.running_mean.any() and (layer.running_var == 1).all()
    assert not layer.weight.grad.any() and not layer.bias.grad.any()


def test_functional_reference_is_in_training_mode():
    """The oracle of this file is PyTorch's own batch norm, not only ours."""
    x = draw()
    close(
        GhostBatchNorm(3, 12, dtype=F64)(x), F.batch_norm(x, None, None, training=True)
    )


# Dynamic Tanh


def tanh_layer(**options):
    """A layer for 3 features whose parameters are all off their start."""
    layer = DynamicTanh(3, 0.7, dtype=F64, **options)
    for seed, p in enumerate(layer.parameters()):
        p.data += torch.rand(p.shape, generator=torch.Generator().manual_seed(seed))
    return layer


def test_tanh_is_the_formula_and_so_are_its_gradients():
    layer, x = tanh_layer(), draw((4, 5, 3)).requires_grad_()
    upstream = draw(x.shape, seed=50) - 3
    y = layer(x)
    y.backward(upstream)
    alpha, gamma, z = layer.alpha.item(), layer.weight.detach(), x.detach()
    h = torch.tensor(np.tanh(alpha * z.numpy()))
    inner = upstream * gamma * (1 - h**2)
    close(y, gamma * h + layer.bias.detach())
    close(x.grad, alpha * inner)
    close(layer.alpha.grad, (inner * z).sum()[None])
    close(layer.weight.grad, (upstream * h).sum((0, 1)))
    close(layer.bias.grad, upstream.sum((0, 1)))
    assert x.grad.abs().max() > 1e-2 and layer.alpha.grad.abs() > 1e-2


def test_tanh_takes_no_statistics_in_either_mode():
    layer, x = tanh_layer(), draw((4, 5, 3))
    other = x.clone()
    other[1:] += 10
    other[0, :, 1:] -= 4
    for mode in (True, False):
        close(layer.train(mode)(x)[0, :, 0], layer(other)[0, :, 0], atol=0)
    assert not list(layer.buffers())


def test_tanh_has_the_names_of_the_authors_layer_and_one_slope():
    shapes = {name: tuple(v.shape) for name, v in DynamicTanh(3).state_dict().items()}
    assert shapes == {"alpha": (1,), "weight": (3,), "bias": (3,)}
    bare = DynamicTanh((2, 3), elementwise_affine=False)
    assert [name for name, _ in bare.named_parameters()] == ["alpha"]
    assert DynamicTanh(3, bias=False).bias is None
    assert DynamicTanh(3).alpha.item() == 0.5


def test_tanh_goes_back_to_its_own_start():
    layer = tanh_layer()
    layer.reset_parameters()
    assert layer.alpha.item() == 0.7
    close(layer.weight, torch.ones(3))
    close(layer.bias, torch.zeros(3))


def test_tanh_computes_half_precision_in_float32():
    layer, x = tanh_layer().float(), draw((4, 3)).half()
    y = layer(x)
    assert y.dtype == torch.float16
    close(y, layer(x.float()).half(), atol=0)


def test_tanh_says_what_it_is():
    shown = repr(DynamicTanh(3, 0.7))
    assert "(3,)" in shown and "alpha=0.7" in shown


@pytest.mark.parametrize("alpha", [0, -0.5, math.nan, math.inf])
def test_tanh_refuses_a_slope_that_is_none(alpha):
    with pytest.raises(ValueError, match=f"alpha must be .* got {alpha}; begin at 0.5"):
        DynamicTanh(3, alpha)


@pytest.mark.parametrize(
    ("x", "error", "said"),
    [
        (torch.ones(4, 2), ValueError, r"must end in the shape \(3,\), got .*\(4, 2\)"),
        (torch.ones(4, 3, dtype=torch.int64), TypeError, "floating point numbers"),
        (torch.ones(4, 3, dtype=F64), TypeError, "must have the layer's dtype"),
        (np.ones((4, 3)), TypeError, "must be a tensor"),
    ],
    ids=["shape", "integers", "dtype", "array"],
)
def test_tanh_refuses_what_layer_norm_does(x, error, said):
    with pytest.raises(error, match=said):
        DynamicTanh(3)(x)


def test_tanh_has_no_eps():
    with pytest.raises(TypeError, match="eps"):
        DynamicTanh(3, eps=1e-5)
