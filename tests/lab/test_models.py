"""The small nets: what they are made of, and that the seed alone makes the weights."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from bnlib import nn as bnlib_nn
from bnlib.lab.models import (
    conv_net,
    depthwise_net,
    mlp,
    nin,
    residual_net,
    transformer,
    vgg,
)

MAKERS = {"mlp": mlp, "conv": conv_net, "vgg": vgg, "nin": nin}
MAKERS["depthwise"] = depthwise_net
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


def conv_in_full(inputs, width, kernel, groups=1):
    """Convolution, batch norm and ReLU as one writes them without a builder."""
    conv = nn.Conv2d(
        inputs, width, kernel, padding=kernel // 2, groups=groups, bias=False
    )
    return [conv, nn.BatchNorm2d(width), nn.ReLU()]


def mean_and_scores(width):
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 7)]


IN_FULL = {
    "mlp": (
        lambda: mlp((6, 5, 7), seed=3),
        lambda: [
            nn.Linear(6, 5, bias=False),
            nn.BatchNorm1d(5),
            nn.ReLU(),
            nn.Linear(5, 7),
        ],
    ),
    "conv": (
        lambda: conv_net((4, 5), size=13, in_channels=3, classes=7, seed=3),
        lambda: [
            *conv_in_full(3, 4, 3),
            nn.MaxPool2d(2),
            *conv_in_full(4, 5, 3),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(5 * 3 * 3, 7),
        ],
    ),
    "vgg": (
        lambda: vgg((4, "M", 5), in_channels=3, classes=7, seed=3),
        lambda: [
            *conv_in_full(3, 4, 3),
            nn.MaxPool2d(2),
            *conv_in_full(4, 5, 3),
            *mean_and_scores(5),
        ],
    ),
    "nin": (
        lambda: nin(("M", 4, 5), in_channels=3, classes=7, seed=3),
        lambda: [
            nn.MaxPool2d(2),
            *conv_in_full(3, 4, 3),
            *conv_in_full(4, 4, 1),
            *conv_in_full(4, 4, 1),
            *conv_in_full(4, 5, 3),
            *conv_in_full(5, 5, 1),
            *conv_in_full(5, 5, 1),
            *mean_and_scores(5),
        ],
    ),
    "depthwise": (
        lambda: depthwise_net(4, 1, in_channels=3, classes=7, seed=3),
        lambda: [
            *conv_in_full(3, 4, 3),
            *conv_in_full(4, 4, 3, groups=4),
            *conv_in_full(4, 4, 1),
            *mean_and_scores(4),
        ],
    ),
}


@pytest.mark.parametrize("make, in_full", IN_FULL.values(), ids=IN_FULL)
def test_weights_and_outputs_are_those_of_the_net_written_in_full(make, in_full):
    model, expected = make(), nn.Sequential(*in_full()).double()
    generator = torch.Generator().manual_seed(3)
    for layer in expected:
        if isinstance(layer, nn.Linear | nn.Conv2d):
            gain = 1 if layer is expected[-1] else 2
            std = math.sqrt(gain / layer.weight[0].numel())
            drawn = torch.randn(
                layer.weight.shape, generator=generator, dtype=torch.float64
            )
            layer.weight.data = drawn * std
    nn.init.zeros_(expected[-1].bias)
    assert repr(model) == repr(expected)
    for (name, mine), (other, wanted) in zip(
        model.state_dict().items(), expected.state_dict().items(), strict=True
    ):
        assert name == other
        assert torch.equal(mine, wanted)
    size = (4, 6) if isinstance(model[0], nn.Linear) else (4, 3, 13, 13)
    x = torch.randn(size, generator=generator, dtype=torch.float64)
    assert torch.equal(model(x), expected(x))


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


# --- the residual net -----------------------------------------------------------------

RESIDUAL = {
    "post": {},
    "pre": {"order": "pre"},
    "zero gamma": {"zero_last_gamma": True},
    "no skip": {"skip": False},
    "pre, no skip": {"order": "pre", "skip": False},
    "no norm": {"norm": None},
    "ours": {"norm": bnlib_nn.BatchNorm, "order": "pre"},
    "strided": {"stride": 2, "bias": True},
}
each_residual = pytest.mark.parametrize("options", RESIDUAL.values(), ids=RESIDUAL)


def residual(**options):
    return residual_net(2, 3, **({"seed": 5} | options))


def convolutions(model):
    return [m for m in model.modules() if isinstance(m, nn.Conv2d)]


@torch.no_grad()
def move_norms(model, seed=0):
    """Give every norm a scale and a shift of its own, so that mixing them up shows."""
    generator = torch.Generator().manual_seed(seed)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            for p in layer.parameters():
                p += torch.randn(p.shape, generator=generator, dtype=p.dtype)


def by_hand(model, x, order, skip):
    """The two blocks of ``residual()``, written out with the functions of PyTorch."""
    convs = iter(convolutions(model))
    norms = iter([m for m in model.modules() if isinstance(m, nn.BatchNorm2d)])

    def conv(x):
        return F.conv2d(x, next(convs).weight, padding=1)

    def norm(x):
        layer = next(norms)
        return F.batch_norm(x, None, None, layer.weight, layer.bias, training=True)

    x = conv(x) if order == "pre" else norm(conv(x)).relu()
    for _ in range(2):
        if order == "pre":
            x = skip * x + conv(norm(conv(norm(x).relu())).relu())
        else:
            x = (skip * x + norm(conv(norm(conv(x)).relu()))).relu()
    x = norm(x).relu() if order == "pre" else x
    return model[-1](x.mean((2, 3)))


@pytest.mark.parametrize("skip", [True, False])
@pytest.mark.parametrize("order", ["pre", "post"])
def test_residual_block_is_the_formula(order, skip):
    model, x = residual(order=order, skip=skip), inputs(residual)
    move_norms(model)
    want = by_hand(model, x, order, skip)
    torch.testing.assert_close(model(x), want, rtol=1e-12, atol=0)


@each_residual
def test_residual_net_classifies_trains_and_has_the_weights_of_its_seed(options):
    model = residual(**options)
    assert model.training
    assert {p.dtype for p in model.parameters()} == {torch.float64}
    scores = model(inputs(residual))
    assert scores.shape == (5, 10)
    scores.square().mean().backward()
    assert all(p.grad is not None for p in model.parameters())
    for a, b in zip(convolutions(model), convolutions(residual()), strict=True):
        assert torch.equal(a.weight, b.weight)
    first = convolutions(residual(seed=6, **options))[0].weight
    assert not torch.equal(first, convolutions(model)[0].weight)


def test_residual_weights_are_drawn_for_relu_inside_the_blocks_too():
    model = residual_net(1, 64)
    for conv in convolutions(model)[1:]:
        assert abs(conv.weight.std().item() / math.sqrt(2 / (9 * 64)) - 1) < 0.02


@pytest.mark.parametrize(
    "options",
    # The layers of bnlib.nn look at their input first, so fx must not enter them.
    [o for o in RESIDUAL.values() if o.get("norm", "batch") in ("batch", None)],
    ids=str,
)
def test_residual_net_can_be_traced(options):
    model, x = residual(**options).eval(), inputs(residual)
    traced = torch.fx.symbolic_trace(model)
    assert torch.equal(traced(x), model(x))


def test_zero_gamma_makes_each_block_the_identity_and_lets_it_learn():
    model, plain = residual(zero_last_gamma=True), residual()
    x = inputs(residual)
    after_stem = model[:3](x)
    torch.testing.assert_close(model[3:5](after_stem), after_stem, rtol=0, atol=0)
    assert (plain[3:5](after_stem) - after_stem).abs().max() > 0.1
    F.cross_entropy(model(x), torch.arange(5)).backward()
    gammas = [block.branch[-1].weight for block in model[3:5]]
    assert all((g.grad != 0).any() for g in gammas)
    ones = [m.weight for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    assert sum(bool((g == 0).all()) for g in ones) == 2
    assert sum(bool((g == 1).all()) for g in ones) == 3


def test_biases_only_without_bn_or_where_asked_for():
    assert all(conv.bias is None for conv in convolutions(residual(order="pre")))
    for options in ({"norm": None}, {"bias": True}):
        found = [conv.bias for conv in convolutions(residual(**options))]
        assert all((bias == 0).all() for bias in found)
    kinds = [type(m) for m in residual(norm=None, order="pre")[1].branch]
    assert kinds == [nn.ReLU, nn.Conv2d, nn.ReLU, nn.Conv2d]


def test_stride_halves_the_image_before_the_blocks():
    x = inputs(residual)
    assert residual(stride=2)[:3](x).shape == (5, 3, 4, 4)
    assert residual()[:3](x).shape == (5, 3, 8, 8)


@pytest.mark.parametrize(
    "options", [{"order": "pre"}, {"norm": None}, {"skip": False}], ids=str
)
def test_zero_gamma_is_refused_where_the_block_would_never_learn(options):
    with pytest.raises(ValueError, match="zero_last_gamma needs .* got order='p"):
        residual(zero_last_gamma=True, **options)


def test_zero_gamma_is_refused_for_a_norm_without_one():
    def plain(width):
        return nn.BatchNorm2d(width, affine=False)

    with pytest.raises(ValueError, match="with a scale, got BatchNorm2d"):
        residual(zero_last_gamma=True, norm=plain)


def test_unknown_order_is_refused():
    with pytest.raises(ValueError, match="order must be 'pre' or 'post', got 'mid'"):
        residual(order="mid")
    with pytest.raises(ValueError, match="norm must be None, 'batch' .* got 'layer'"):
        residual(norm="layer")


@pytest.mark.parametrize("order", ["pre", "post"])
def test_dense_residual_net_is_the_convolutional_one_on_one_pixel(order):
    # On one pixel only the middle of a 3x3 kernel meets anything but padding.
    dense = residual(order=order, dense=True, in_channels=4)
    conv = residual(order=order, in_channels=4)
    x = inputs(mlp)[:, :4]
    with torch.no_grad():
        linears = [m for m in dense.modules() if isinstance(m, nn.Linear)]
        for a, b in zip(convolutions(conv), linears[:-1], strict=True):
            a.weight[:, :, 1, 1] = b.weight
        conv[-1].weight.copy_(linears[-1].weight)
    want = conv(x[:, :, None, None])
    torch.testing.assert_close(dense(x), want, rtol=1e-12, atol=1e-14)


def test_dense_residual_weights_are_drawn_for_their_number_of_inputs():
    model = residual_net(1, 200, dense=True, in_channels=300)
    linears = [m for m in model.modules() if isinstance(m, nn.Linear)]
    wanted = (2 / 300, 2 / 200, 2 / 200, 1 / 200)
    for layer, variance in zip(linears, wanted, strict=True):
        assert abs(layer.weight.std().item() / math.sqrt(variance) - 1) < 0.05


def test_nin_has_two_1x1_convolutions_after_each_3x3():
    net = nin((4, "M", 5), in_channels=3, classes=7)
    kernels = [m.kernel_size[0] for m in net if isinstance(m, torch.nn.Conv2d)]
    assert kernels == [3, 1, 1, 3, 1, 1]
    norms = [m.num_features for m in net if isinstance(m, torch.nn.BatchNorm2d)]
    assert norms == [4, 4, 4, 5, 5, 5]
    assert net(torch.zeros(2, 3, 8, 8, dtype=torch.float64)).shape == (2, 7)


# --- transformer ----------------------------------------------------------------------


def sequences(kinds=12, length=7):
    generator = torch.Generator().manual_seed(0)
    return torch.randint(kinds, (3, length), generator=generator)


def attention_in_full(layer, x, only_earlier):
    q, k, v = (layer.ask(x)[..., i * 8 : (i + 1) * 8] for i in range(3))
    out = torch.zeros_like(x)
    for n, t in torch.cartesian_prod(torch.arange(len(x)), torch.arange(x.shape[1])):
        end = t + 1 if only_earlier else x.shape[1]
        weight = (k[n, :end] @ q[n, t] / math.sqrt(8)).exp()
        out[n, t] = (weight / weight.sum()) @ v[n, :end]
    return layer.answer(out)


@pytest.mark.parametrize("task", ["next", "class"])
@pytest.mark.parametrize("order", ["pre", "post"])
def test_transformer_is_the_formula(order, task):
    options = {"order": order, "task": task, "depth": 1, "width": 8, "scale": 0.3}
    net, following = transformer(12, 5, **options), task == "next"
    x = sequences() if following else F.one_hot(sequences(), 12).double()
    placed, attend, feed, last, *_ = net
    h = placed.what(x) + placed.where.weight[:7]
    for block, run in (
        (attend, lambda layer, z: attention_in_full(layer[0], z, following)),
        (feed, lambda layer, z: layer[2](layer[0](z).clamp(min=0))),
    ):
        inner = list(block.branch)
        if order == "pre":
            h = h + 0.3 * run(inner[1:], F.layer_norm(h, (8,)))
        else:
            h = F.layer_norm(h + 0.3 * run(inner, h), (8,))
    h = F.layer_norm(h, (8,)) if order == "pre" else h
    head = [m for m in net if isinstance(m, nn.Linear)][0]
    want = head(h).transpose(1, 2) if following else head(h.mean(1))
    assert net(x).shape == ((3, 5, 7) if following else (3, 5))
    torch.testing.assert_close(net(x), want, rtol=0, atol=1e-12)


def test_no_output_of_a_transformer_depends_on_a_later_token():
    net, x = transformer(depth=2), sequences()
    for t in range(1, 7):
        other = x.clone()
        other[:, t] = (x[:, t] + 1) % 12
        moved = (net(other) - net(x)).abs().amax(1)
        assert not moved[:, :t].any() and moved[:, t].all()


def test_transformer_weights_are_those_of_the_seed_whatever_the_norm():
    torch.manual_seed(11)
    before = torch.get_rng_state()
    nets = [
        transformer(seed=3),
        transformer(seed=3, norm=None, scale="learned"),
        transformer(seed=3, norm=nn.RMSNorm, order="post", dtype=torch.float32),
        transformer(seed=4),
    ]
    assert torch.equal(torch.get_rng_state(), before)
    kinds = nn.Linear | nn.Embedding
    first, second, third, other = (
        [m.weight.double() for m in net.modules() if isinstance(m, kinds)]
        for net in nets
    )
    for a, b, c, d in zip(first, second, third, other, strict=True):
        assert torch.equal(a, b) and not torch.equal(a, d)
        torch.testing.assert_close(a, c, rtol=0, atol=1e-6)
    wide = transformer(500, width=64, depth=1)
    assert wide[0].what.weight.std().item() == pytest.approx(1, rel=0.02)
    assert wide[2].branch[1].weight.std().item() == pytest.approx(1 / 8, rel=0.05)


def test_a_learned_scale_begins_at_nothing_and_learns():
    net, x = transformer(scale="learned", norm=None, depth=2), sequences()
    start = net[0](x)
    torch.testing.assert_close(net[1:5](start), start, rtol=0, atol=0)
    net(x).square().sum().backward()
    assert all(block.branch[-1].factor.grad.abs() > 0 for block in net[1:5])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"order": "both"}, "order must be 'pre' or 'post', got 'both'"),
        ({"task": "translate"}, "task must be 'next' or 'class', got 'translate'"),
    ],
)
def test_a_transformer_of_no_known_kind_is_refused(options, said):
    with pytest.raises(ValueError, match=said):
        transformer(**options)
