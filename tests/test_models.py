"""The small nets: what they are made of, and that the seed alone makes the weights."""

import math

import pytest
import torch
from torch import nn

from bnlib import nn as bnlib_nn
from bnlib.models import conv_net, depthwise_net, mlp, vgg

MAKERS = {"mlp": mlp, "conv": conv_net, "vgg": vgg, "depthwise": depthwise_net}
each_net = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


def inputs(make, n=5):
    generator = torch.Generator().manual_seed(0)
    shape = (n, 64) if make is mlp else (n, 1, 8, 8)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def weights(model):
    return [m.weight for m in model if isinstance(m, nn.Linear | nn.Conv2d)]


def count(model, kind):
    return sum(isinstance(m, kind) for m in model)


@each_net
def test_default_nets_classify_in_float64_with_bn(make):
    model = make()
    assert model.training
    assert model(inputs(make)).shape == (5, 10)
    assert {p.dtype for p in model.parameters()} == {torch.float64}
    assert all(p.requires_grad for p in model.parameters())
    bn = nn.BatchNorm1d if make is mlp else nn.BatchNorm2d
    assert count(model, bn) == count(model, nn.ReLU) == len(weights(model)) - 1


@each_net
def test_same_seed_same_weights_another_seed_others(make):
    first, again, other = make(seed=3), make(seed=3), make(seed=4)
    for a, b, c in zip(weights(first), weights(again), weights(other), strict=True):
        assert torch.equal(a, b)
        assert not torch.equal(a, c)


@each_net
@pytest.mark.parametrize(
    "options",
    [
        {"norm": None},
        {"norm": bnlib_nn.BatchNorm},
        {"norm": lambda width: nn.GroupNorm(1, width), "bias": False},
        {"bias": True},
        {"dtype": torch.float32},
        {"activation": "leaky_relu"},
    ],
    ids=["no norm", "ours", "group", "bias", "float32", "leaky"],
)
def test_weights_do_not_depend_on_what_is_between_them(make, options):
    plain, other = make(seed=1), make(seed=1, **options)
    for a, b in zip(weights(plain), weights(other), strict=True):
        assert torch.equal(a.to(b.dtype), b)


@each_net
def test_global_generator_is_left_alone_and_without_influence(make):
    torch.manual_seed(11)
    first, state = make(), torch.get_rng_state()
    torch.manual_seed(11)
    assert torch.equal(state, torch.get_rng_state())
    torch.manual_seed(12)
    assert all(map(torch.equal, weights(first), weights(make())))


def test_norms_that_draw_do_not_disturb_the_generator_either():
    class Drawn(nn.BatchNorm1d):
        def __init__(self, width):
            super().__init__(width)
            nn.init.normal_(self.weight)

    torch.manual_seed(11)
    state = torch.get_rng_state()
    a = mlp(norm=Drawn, seed=1)
    assert torch.equal(state, torch.get_rng_state())
    torch.manual_seed(12)
    assert torch.equal(a[1].weight, mlp(norm=Drawn, seed=1)[1].weight)


def test_default_dtype_has_no_influence():
    before = torch.get_default_dtype()
    results = []
    try:
        for dtype in (torch.float32, torch.float64):
            torch.set_default_dtype(dtype)
            results.append(mlp(seed=1).state_dict())
    finally:
        torch.set_default_dtype(before)
    for name, value in results[0].items():
        assert value.dtype == results[1][name].dtype
        assert torch.equal(value, results[1][name])


def test_failed_construction_leaves_the_generator_alone():
    def broken(width):
        torch.randn(3)
        raise RuntimeError("no such norm")

    state = torch.get_rng_state()
    with pytest.raises(RuntimeError, match="no such norm"):
        mlp(norm=broken)
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("activation, gain", [("relu", 2), ("tanh", 1), (nn.ReLU, 1)])
def test_standard_deviation_of_the_weights(activation, gain):
    model = mlp((400, 300, 200, 100), activation=activation)
    first, second, last = weights(model)
    for weight, factor in ((first, gain), (second, gain), (last, 1)):
        want = math.sqrt(factor / weight.shape[1])
        assert abs(weight.std().item() / want - 1) < 0.02
        assert abs(weight.mean().item()) < 0.01 * want * 3
    assert (model[-1].bias == 0).all()


def test_convolutions_count_their_kernel_and_group_in_fan_in():
    model = depthwise_net(200, 1)
    _, depthwise, pointwise, _ = weights(model)
    assert abs(depthwise.std().item() / math.sqrt(2 / 9) - 1) < 0.05
    assert abs(pointwise.std().item() / math.sqrt(2 / 200) - 1) < 0.02
    assert model[3].groups == 200


@pytest.mark.parametrize(
    "norm, bias, want",
    [
        ("batch", None, False),
        ("batch", True, True),
        (None, None, True),
        (None, False, False),
        (nn.BatchNorm1d, None, True),
    ],
)
def test_bias_unless_bn_brings_its_own(norm, bias, want):
    model = mlp(norm=norm, bias=bias)
    assert (model[0].bias is not None) == want
    assert model[-1].bias is not None


def test_layers_in_order():
    kinds = [type(m) for m in conv_net((2, 3), norm=None, activation="tanh")]
    block = [nn.Conv2d, nn.Tanh, nn.MaxPool2d]
    assert kinds == [*block, *block, nn.Flatten, nn.Linear]
    kinds = [type(m) for m in vgg((2, "M", 3))]
    block = [nn.Conv2d, nn.BatchNorm2d, nn.ReLU]
    head = [nn.AdaptiveAvgPool2d, nn.Flatten, nn.Linear]
    assert kinds == [*block, nn.MaxPool2d, *block, *head]
    assert [type(m) for m in mlp((2, 3))] == [nn.Linear]


def test_other_sizes_and_channels():
    x = torch.zeros(2, 3, 20, 20, dtype=torch.float64)
    assert conv_net((4, 5), size=20, in_channels=3, classes=7)(x).shape == (2, 7)
    assert vgg((4, "M", 5), in_channels=3, classes=7)(x).shape == (2, 7)
    assert depthwise_net(4, 1, in_channels=3, classes=7)(x).shape == (2, 7)


@each_net
def test_unknown_names_are_refused(make):
    with pytest.raises(ValueError, match="norm must be None, 'batch' .* got 'layer'"):
        make(norm="layer")
    with pytest.raises(ValueError, match="activation must be one of .* got 'swish'"):
        make(activation="swish")


def test_impossible_sizes_are_refused():
    with pytest.raises(ValueError, match=r"sizes must name .* got \(64,\)"):
        mlp((64,))
    with pytest.raises(ValueError, match="size must be at least 16 .* got 8"):
        conv_net((2, 2, 2, 2), size=8)
