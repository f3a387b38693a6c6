"""Folding against the unfolded modules, PyTorch's own fusion and what must not fold."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import fusion, parametrizations

from bnlib import nn as bnlib_nn
from bnlib.fold import fold, fold_batch_norm, fold_into_next
from bnlib.lab.models import conv_net, depthwise_net, mlp, vgg
from bnlib.lab.noisy import NoisyBatchNorm

C_IN, C_OUT = 4, 8
CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
BATCH_NORMS = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}


@pytest.fixture(autouse=True)
def _seeded_and_one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield
    torch.set_num_threads(threads)


def lived(module, dtype=torch.float64, mean=3.0):
    """Give every BN statistics and parameters as after training; go to eval mode."""
    for bn in module.modules():
        if getattr(bn, "running_mean", None) is not None:
            bn.running_mean.normal_(mean, 0.5)
            bn.running_var.uniform_(0.1, 4)
            if bn.weight is not None:
                nn.init.normal_(bn.weight, 1, 0.5)
                nn.init.normal_(bn.bias, 1, 0.5)
    return module.to(dtype).eval()


def images(dims=2, channels=C_IN, dtype=torch.float64):
    return 5 + 2 * torch.randn(3, channels, *[7] * dims, dtype=dtype)


def assert_same(got, want, rtol=1e-13):
    assert want.std() > 0.1  # else a constant would pass
    error = float((got - want).detach().abs().max() / want.detach().abs().max())
    assert error < rtol, error


def layer_before(kind, dims, bias, groups):
    if kind == "linear":
        return nn.Linear(C_IN, C_OUT, bias=bias)
    makers = CONVOLUTIONS if kind == "conv" else TRANSPOSED
    # In the transposed case 8 -> 4 channels tells the two channel axes apart too.
    sizes = (C_IN, C_OUT) if kind == "conv" else (C_OUT, C_IN)
    return makers[dims](*sizes, 3, stride=2, padding=1, groups=groups, bias=bias)


def batch_norm(owner, dims, channels, affine):
    if owner == "torch":
        return BATCH_NORMS[dims](channels, affine=affine)
    return bnlib_nn.BatchNorm(channels, affine=affine)


GRID = [
    pytest.param(
        kind,
        dims,
        bias,
        groups,
        affine,
        owner,
        id=f"{kind}{dims}d-{groups} groups-{'bias' if bias else 'no bias'}"
        f"-{'affine' if affine else 'plain'}-{owner}",
    )
    for kind, dimensions, group_counts in (
        ("conv", (1, 2, 3), (1, 2, 4)),  # 4 groups of 1 input channel: depthwise
        ("transposed", (1, 2, 3), (1, 2, 4)),
        ("linear", (1,), (1,)),
    )
    for dims in dimensions
    for groups in group_counts
    for bias in (True, False)
    for affine in (True, False)
    for owner in ("torch", "bnlib")
]


@pytest.mark.parametrize("kind, dims, bias, groups, affine, owner", GRID)
def test_folded_layer_equals_layer_and_bn(kind, dims, bias, groups, affine, owner):
    layer = layer_before(kind, dims, bias, groups)
    channels = C_IN if kind == "transposed" else C_OUT
    pair = lived(nn.Sequential(layer, batch_norm(owner, dims, channels, affine)))
    if kind == "linear":
        x = 5 + 2 * torch.randn(9, C_IN, dtype=torch.float64)
    else:
        x = images(dims, C_OUT if kind == "transposed" else C_IN)
    before = copy.deepcopy(pair.state_dict())
    folded = fold_batch_norm(*pair)
    assert type(folded) is type(layer)
    assert_same(folded(x), pair(x))
    assert all(torch.equal(pair.state_dict()[k], v) for k, v in before.items())


def test_grid_is_large():
    assert len(GRID) >= 60


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_agrees_with_fuse_conv_bn_eval(dims, groups, bias):
    pair = lived(
        nn.Sequential(layer_before("conv", dims, bias, groups), BATCH_NORMS[dims](8))
    )
    ours, theirs = fold_batch_norm(*pair), fusion.fuse_conv_bn_eval(*pair)
    torch.testing.assert_close(ours.weight, theirs.weight, rtol=1e-14, atol=0)
    torch.testing.assert_close(ours.bias, theirs.bias, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("bias", [True, False])
def test_agrees_with_torch_on_transposed_convolution_of_one_group(bias):
    pair = lived(
        nn.Sequential(layer_before("transposed", 2, bias, 1), nn.BatchNorm2d(C_IN))
    )
    ours, theirs = fold_batch_norm(*pair), fusion.fuse_conv_bn_eval(*pair, True)
    torch.testing.assert_close(ours.weight, theirs.weight, rtol=1e-14, atol=0)
    torch.testing.assert_close(ours.bias, theirs.bias, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("bias", [True, False])
def test_agrees_with_fuse_linear_bn_eval(bias):
    pair = lived(nn.Sequential(nn.Linear(4, 8, bias=bias), nn.BatchNorm1d(8)))
    ours, theirs = fold_batch_norm(*pair), fusion.fuse_linear_bn_eval(*pair)
    torch.testing.assert_close(ours.weight, theirs.weight, rtol=1e-14, atol=0)
    torch.testing.assert_close(ours.bias, theirs.bias, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("var", [1.0, 1e-4, 1e-8, 1e-12])
def test_small_variance_costs_no_precision_in_float32(var):
    pair = lived(nn.Sequential(nn.Conv2d(4, 8, 3), nn.BatchNorm2d(8)), torch.float32)
    pair[1].running_var.fill_(var)
    x = images(dtype=torch.float32)
    want = copy.deepcopy(pair).double()(x.double())
    assert_same(fold_batch_norm(*pair)(x).double(), want, rtol=2e-6)


def test_large_bias_and_mean_cancel_before_they_are_scaled():
    pair = lived(nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8)), torch.float32)
    nn.init.constant_(pair[0].bias, 1e5)
    pair[1].running_mean.fill_(1e5 + 1)
    pair[1].running_var.fill_(1e-4)
    x = torch.zeros(1, 4)
    want = copy.deepcopy(pair).double()(x.double())
    assert_same(fold_batch_norm(*pair)(x).double(), want, rtol=1e-6)


def test_type_trainability_and_padding_mode_are_kept():
    layer = nn.Conv2d(4, 8, 3, padding=1, padding_mode="reflect", bias=False)
    layer.weight.requires_grad_(False)
    pair = lived(nn.Sequential(layer, nn.BatchNorm2d(8)))
    half = copy.deepcopy(layer).bfloat16()
    assert fold_batch_norm(half, pair[1]).weight.dtype == torch.bfloat16
    folded = fold_batch_norm(*pair)
    assert not folded.weight.requires_grad
    assert not folded.bias.requires_grad
    assert folded.weight.is_leaf
    x = images()
    assert_same(folded(x), pair(x))


# --- BN before the layer --------------------------------------------------------------


@pytest.mark.parametrize("padding_mode", ["zeros", "reflect", "circular", "replicate"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_fold_into_next_convolution(dims, groups, bias, padding_mode):
    padding = 0 if padding_mode == "zeros" else 1
    layer = CONVOLUTIONS[dims](
        4, 8, 3, padding=padding, padding_mode=padding_mode, groups=groups, bias=bias
    )
    pair = lived(nn.Sequential(BATCH_NORMS[dims](4), layer))
    x = images(dims)
    assert_same(fold_into_next(*pair)(x), pair(x))


@pytest.mark.parametrize("bias", [True, False])
def test_fold_into_next_linear(bias):
    pair = lived(nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 8, bias=bias)))
    x = 5 + torch.randn(9, 4, dtype=torch.float64)
    assert_same(fold_into_next(*pair)(x), pair(x))


@pytest.mark.parametrize(
    ("kernel", "padding"), [(3, 1), (3, (0, 1)), (3, "same"), ((1, 3), "same")]
)
def test_bn_before_zero_padding_is_refused(kernel, padding):
    conv = nn.Conv2d(4, 8, kernel, padding=padding)
    pair = lived(nn.Sequential(nn.BatchNorm2d(4), conv))
    with pytest.raises(ValueError, match="must not pad with zeros, got padding="):
        fold_into_next(*pair)
    with pytest.raises(ValueError, match="at '0', a convolution after bn must not pad"):
        fold(pair)
    _, report = fold(pair, images(), strict=False)
    assert "the border would be wrong" in report.left["0"]
    assert report.difference == 0


def test_refused_fold_would_be_wrong_at_the_border_only():
    pair = lived(nn.Sequential(nn.BatchNorm2d(4), nn.Conv2d(4, 8, 3)))
    folded = fold_into_next(*pair)
    for layer in (pair[1], folded):
        layer.padding = (1, 1)
    x = images()
    error = (folded(x) - pair(x)).abs()
    assert error[..., 1:-1, 1:-1].max() < 1e-12
    assert error.max() > 0.1


@pytest.mark.parametrize("padding", ["valid", 0])
def test_no_padding_in_words_or_numbers_is_folded(padding):
    pair = lived(nn.Sequential(nn.BatchNorm2d(4), nn.Conv2d(4, 8, 3, padding=padding)))
    assert fold(pair, images())[1].folded == {"0": "1"}


def test_same_padding_of_a_1x1_convolution_is_none():
    pair = lived(nn.Sequential(nn.BatchNorm2d(4), nn.Conv2d(4, 8, 1, padding="same")))
    x = images()
    assert_same(fold_into_next(*pair)(x), pair(x))


def test_transposed_convolution_after_bn_is_refused():
    pair = lived(nn.Sequential(nn.BatchNorm2d(4), nn.ConvTranspose2d(4, 8, 3)))
    with pytest.raises(ValueError, match="got ConvTranspose2d, whose border"):
        fold_into_next(*pair)
    assert "ConvTranspose2d" in fold(pair)[1].left["0"]


# --- refusals -------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["layer", "bn"])
def test_training_mode_is_refused(which):
    pair = lived(nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8)))
    pair[which == "bn"].train()
    with pytest.raises(
        ValueError, match=f"{which} must be in eval mode, got training="
    ):
        fold_batch_norm(*pair)


def test_model_in_training_mode_is_refused():
    model = lived(mlp((4, 8, 3)))
    with pytest.raises(ValueError, match="got the model in training mode; call model"):
        fold(model.train())
    model.eval()[1].train()
    with pytest.raises(ValueError, match="got its BatchNorm1d '1' in training mode"):
        fold(model)


def test_without_running_statistics_is_refused():
    pair = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8, track_running_stats=False))
    with pytest.raises(ValueError, match="got none .track_running_stats=False."):
        fold_batch_norm(*pair.eval())
    left = fold(pair.double(), images(0))[1].left
    assert "must have running statistics" in left["1"]


def test_wrong_number_of_channels_is_refused():
    with pytest.raises(ValueError, match="each of the 8 output channels .* got 4"):
        fold_batch_norm(nn.Conv2d(4, 8, 3).eval(), nn.BatchNorm2d(4).eval())
    with pytest.raises(ValueError, match="each of the 4 input channels .* got 8"):
        fold_into_next(nn.BatchNorm2d(8).eval(), nn.Conv2d(4, 8, 3).eval())


def test_other_modules_are_refused():
    with pytest.raises(TypeError, match="layer must be .* got BatchNorm2d"):
        fold_batch_norm(nn.BatchNorm2d(4).eval(), nn.Conv2d(4, 8, 3).eval())
    with pytest.raises(TypeError, match="bn must have running_mean.* got GroupNorm"):
        fold_batch_norm(nn.Conv2d(4, 8, 3).eval(), nn.GroupNorm(2, 8).eval())


def test_layer_that_computes_something_else_is_refused():
    class Standardized(nn.Conv2d):
        def forward(self, x):
            return F.conv2d(x, self.weight - self.weight.mean())

    pair = lived(nn.Sequential(Standardized(4, 8, 3), nn.BatchNorm2d(8)))
    with pytest.raises(TypeError, match="got Standardized"):
        fold_batch_norm(*pair)
    assert fold(pair, images())[1].folded == {}


@pytest.mark.parametrize(
    "what",
    ["weight norm", "hook on layer", "hook on bn", "hook before layer", "before bn"],
)
def test_hooks_and_parametrizations_are_refused(what):
    pair = lived(nn.Sequential(nn.Conv2d(4, 8, 3), nn.BatchNorm2d(8)))
    if what == "weight norm":
        parametrizations.weight_norm(pair[0]).eval()
    elif "before" in what:
        pair["bn" in what].register_forward_pre_hook(lambda m, a: (a[0] + 1,))
    else:
        pair["bn" in what].register_forward_hook(lambda m, a, y: y + 1)
    with pytest.raises(
        ValueError, match="must have no hooks and no parametrized weight"
    ):
        fold_batch_norm(*pair)
    folded, report = fold(pair, images())
    assert "hooks" in report.left["1"]
    assert report.difference == 0


def test_look_alike_that_is_no_bn_in_eval_mode_is_refused():
    class Absolute(nn.BatchNorm2d):
        def forward(self, x):
            return super().forward(x).abs()

    pair = lived(nn.Sequential(nn.Conv2d(4, 8, 3), Absolute(8)))
    with pytest.raises(ValueError, match="got Absolute, which does not; keep it"):
        fold_batch_norm(*pair)


@pytest.mark.parametrize(
    "make",
    [
        lambda: bnlib_nn.GhostBatchNorm(8, 2),
        lambda: bnlib_nn.LpBatchNorm(8, p=1),
        lambda: NoisyBatchNorm(8),
        lambda: nn.SyncBatchNorm(8),
        lambda: nn.InstanceNorm2d(8, affine=True, track_running_stats=True),
    ],
    ids=["ghost", "lp", "noisy", "sync", "instance with running statistics"],
)
def test_relatives_that_are_bn_in_eval_mode_fold(make):
    pair = lived(nn.Sequential(nn.Conv2d(4, 8, 3), make()))
    x = images()
    folded, report = fold(pair, x)
    assert report.folded == {"1": "0"}
    assert report.found_by == "graph"
    assert_same(folded(x), pair(x))


def test_noise_that_is_on_in_eval_mode_keeps_its_bn():
    pair = lived(nn.Sequential(nn.Conv2d(4, 8, 3), NoisyBatchNorm(8)))
    pair[1].noise.train()
    assert "got NoisyBatchNorm, which does not" in fold(pair)[1].left["1"]


# --- whole models ---------------------------------------------------------------------

NETS = {
    "mlp": (lambda **k: mlp((6, 9, 8, 3), **k), (11, 6), 2),
    "conv": (lambda **k: conv_net((4, 6), **k), (5, 1, 8, 8), 2),
    "vgg": (lambda **k: vgg((4, "M", 6, 6), **k), (5, 1, 8, 8), 3),
    "depthwise": (lambda **k: depthwise_net(6, 2, **k), (5, 1, 8, 8), 5),
}


@pytest.mark.parametrize("norm", ["batch", bnlib_nn.BatchNorm], ids=["torch", "bnlib"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("net", NETS)
def test_every_bn_of_the_chapters_nets_folds(net, dtype, bias, norm):
    make, shape, count = NETS[net]
    model = lived(make(norm=norm, bias=bias), dtype, mean=0.3)
    state = copy.deepcopy(model.state_dict())
    x = 1 + torch.randn(shape, dtype=dtype)
    want = model(x)
    folded, report = fold(model, x)
    assert len(report.folded) == count
    assert report.left == {}
    assert report.found_by == "graph"
    assert not any(hasattr(m, "running_mean") for m in folded.modules())
    assert_same(folded(x), want, 1e-12 if dtype == torch.float64 else 2e-5)
    assert torch.equal(model(x), want)
    assert all(torch.equal(model.state_dict()[k], v) for k, v in state.items())
    assert not folded.training


class Residual(nn.Module):
    """A residual block: each BN before the sum folds, the one after it cannot."""

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.conv2, self.bn2 = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.last = nn.BatchNorm2d(4)

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return self.last(x + y)


def test_residual_block_folds_what_it_can():
    model, x = lived(Residual()), images()
    folded, report = fold(model, x)
    assert type(folded) is Residual
    assert report.folded == {"bn1": "conv1", "bn2": "conv2"}
    assert report.left == {
        "last": "it has no linear layer or convolution before it, but add"
    }
    assert str(report).splitlines()[0] == "bn1: folded into conv1"
    assert "last: left, it has no" in str(report)
    assert_same(folded(x), model(x))


class Wired(nn.Module):
    """Modules ``conv``, ``other`` and ``bn``, wired by the function it is given."""

    def __init__(self, wiring):
        super().__init__()
        self.conv, self.other = nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3)
        self.bn = nn.BatchNorm2d(4)
        self.wiring = wiring

    def forward(self, x):
        return self.wiring(self, x)


def _skips(m, x):
    y = m.conv(x)
    return m.bn(y) + y


def _shared_layer(m, x):
    return m.bn(m.conv(x)) + m.conv(x + 1)


def _shared_bn(m, x):
    return m.bn(m.conv(x)) + m.bn(m.other(x))


def _borrowed_weight(m, x):
    return m.bn(m.conv(x)) + F.conv2d(x, m.conv.weight)


def _after_activation(m, x):
    return m.bn(F.relu(m.conv(x)))


def _input_first(m, x):
    return F.relu(m.bn(x))


def _not_called(m, x):
    return m.conv(x)


LEFT = {
    _skips: "the output of 'conv' is used elsewhere too",
    _shared_layer: "'conv' is shared: it is called 2 times, together with this BN 1",
    _shared_bn: "no linear layer or convolution before it, but Conv2d",
    _borrowed_weight: "the parameters of 'conv' are used elsewhere too",
    _after_activation: "no linear layer or convolution before it, but relu",
    _input_first: "no linear layer or convolution before it, but the input",
    _not_called: "no call of it was seen",
}


@pytest.mark.parametrize("wiring", LEFT, ids=lambda f: f.__name__[1:])
def test_what_cannot_be_folded_stays_and_is_reported(wiring):
    model, x = lived(Wired(wiring)), images()
    folded, report = fold(model, x)
    assert report.found_by == "graph"
    assert report.folded == {}
    assert LEFT[wiring] in report.left["bn"]
    assert torch.equal(folded(x), model(x))


def test_layer_and_bn_that_always_run_together_fold_although_used_twice():
    model, x = (
        lived(Wired(lambda m, x: m.bn(m.conv(F.relu(m.bn(m.conv(x))))))),
        images(),
    )
    folded, report = fold(model, x)
    assert report.folded == {"bn": "conv"}
    assert_same(folded(x), model(x))


def test_bn_after_an_activation_folds_forward():
    model = lived(
        nn.Sequential(
            nn.Linear(4, 8),
            nn.ReLU(),
            nn.BatchNorm1d(8),
            nn.Linear(8, 5),
            nn.BatchNorm1d(5),
        )
    )
    x = 2 + torch.randn(9, 4, dtype=torch.float64)
    folded, report = fold(model, x)
    assert report.folded == {"2": "3", "4": "3"}
    assert_same(folded(x), model(x))


def test_two_bn_in_a_row_fold_both():
    model = lived(
        nn.Sequential(nn.Conv2d(4, 8, 3), nn.BatchNorm2d(8), nn.BatchNorm2d(8))
    )
    folded, report = fold(model, images())
    assert report.folded == {"1": "0", "2": "0"}


def test_sequential_gets_shorter_and_is_numbered_anew():
    folded, report = fold(lived(mlp((4, 8, 3))))
    assert [name for name, _ in folded.named_children()] == ["0", "1", "2"]
    assert [type(m) for m in folded] == [nn.Linear, nn.ReLU, nn.Linear]
    assert len(folded.append(nn.ReLU())) == 4


def test_sequential_with_names_keeps_them():
    model = nn.Sequential()
    model.add_module("conv", nn.Conv2d(4, 8, 3))
    model.add_module("bn", nn.BatchNorm2d(8))
    model.add_module("act", nn.ReLU())
    folded, report = fold(lived(model), images())
    assert [name for name, _ in folded.named_children()] == ["conv", "act"]


def test_indexed_sequential_keeps_its_places():
    class Indexed(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(
                nn.Conv2d(4, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3)
            )

        def forward(self, x):
            return self.body[3](self.body[2](self.body[1](self.body[0](x))))

    model, x = lived(Indexed()), images()
    folded, report = fold(model, x)
    assert report.folded == {"body.1": "body.0"}
    assert type(folded.body[1]) is nn.Identity
    assert not folded.body[1].training
    assert_same(folded(x), model(x))


def test_bn_folds_into_the_layer_after_it_whatever_reads_that_layer():
    def twice(m, x):
        y = m.other(m.bn(F.relu(m.conv(x))))
        return y + F.relu(y)

    model, x = lived(Wired(twice)), images()
    folded, report = fold(model, x)
    assert report.folded == {"bn": "other"}
    assert_same(folded(x), model(x))


def test_folding_follows_the_calls_not_the_definitions():
    model = Wired(lambda m, x: m.bn(m.first_bn(m.conv(x))))
    model.first_bn = nn.BatchNorm2d(4)  # defined last, called first
    model, x = lived(model), images()
    folded, report = fold(model, x)
    assert list(report.folded.items()) == [("first_bn", "conv"), ("bn", "conv")]
    assert_same(folded(x), model(x))


def test_modules_called_by_keyword_fold():
    model = lived(Wired(lambda m, x: m.bn(input=m.conv(input=x))))
    x = images()
    folded, report = fold(model, x)
    assert report.folded == {"bn": "conv"}
    assert_same(folded(x), model(x))


def test_rehearsal_leaves_no_hook_on_the_model():
    model = lived(Residual())
    folded, _ = fold(model, images())
    for module in (*model.modules(), *folded.modules()):
        assert not module._forward_pre_hooks
        assert not module._forward_hooks


def test_tied_weights_stay_right():
    model = Wired(lambda m, x: m.other(m.bn(m.conv(x))))
    model.other.weight = model.conv.weight
    model, x = lived(model), images()
    folded, report = fold(model, x)
    assert report.folded == {"bn": "conv"}
    assert_same(folded(x), model(x))


def test_bn_with_two_names_is_replaced_in_both():
    model = Wired(lambda m, x: m.alias(m.conv(x)))
    model.alias = model.bn
    model, x = lived(model), images()
    assert_same(fold(model, x)[0](x), model(x))


def test_three_dimensions_behind_a_linear_layer_are_noticed():
    # Linear works along the last axis, BN along axis 1; both have length 8.
    model = lived(nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8)))
    x = torch.randn(5, 8, 4, dtype=torch.float64)
    folded, report = fold(model, x)
    assert "its input has 3 dimensions" in report.left["1"]
    assert torch.equal(folded(x), model(x))


# --- norms that compute more than their class says ------------------------------------


class WithActivation(nn.BatchNorm2d):
    """Norm, dropout and activation in one module, its forward written anew."""

    def __init__(self, channels, *behind):
        super().__init__(channels)
        self.drop = nn.Identity()
        self.act = nn.Sequential(*behind) if behind else nn.Identity()

    def forward(self, x):
        torch._assert(x.ndim == 4, f"expected 4 axes, got {x.ndim}")
        training = self.training or self.running_mean is None
        kept = (self.running_mean, self.running_var, self.weight, self.bias)
        y = F.batch_norm(x, *kept, training, self.momentum, self.eps)
        return self.act(self.drop(y))


class Gated(nn.BatchNorm2d):
    def forward(self, x):
        return F.silu(super().forward(x))


class Skipping(nn.BatchNorm2d):
    def forward(self, x):
        return x + super().forward(x)


RESTS = {
    "no activation": (lambda: WithActivation(8), None),
    "activation": (lambda: WithActivation(8, nn.ReLU()), nn.ReLU),
    "several": (lambda: WithActivation(8, nn.Tanh(), nn.ELU()), nn.Sequential),
    "function": (lambda: Gated(8), torch.fx.GraphModule),
}


@pytest.mark.parametrize("name", RESTS)
def test_norm_with_more_behind_it_folds_and_leaves_the_rest(name):
    make, left = RESTS[name]
    behind = nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8)
    model = nn.Sequential(nn.Conv2d(4, 8, 3), make(), *behind)
    model, x = lived(model), images()
    before = copy.deepcopy(model.state_dict())
    folded, report = fold(model, x)
    assert report.folded == {"1": "0", "3": "2"} and report.left == {}
    assert_same(folded(x), model(x))
    assert len(folded) == (2 if left is None else 3)
    assert left is None or isinstance(folded[1], left)
    assert not any(m.training for m in folded.modules())
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_norm_that_takes_other_axes_than_its_class_is_not_taken_apart():
    class OnLines(nn.BatchNorm2d):
        def forward(self, x):
            torch._assert(x.ndim == 3, "lines only")
            return F.relu(super().forward(x[..., None])[..., 0])

        def _check_input_dim(self, x):
            pass

    model = lived(nn.Sequential(nn.Conv1d(4, 8, 3), OnLines(8)))
    x = images(1)
    folded, report = fold(model, x)
    assert list(report.left) == ["1"]
    assert torch.equal(folded(x), model(x))


def test_norm_that_is_only_a_part_of_what_its_module_computes_stays():
    model, x = lived(nn.Sequential(nn.Conv2d(4, 8, 3), Skipping(8))), images()
    folded, report = fold(model, x)
    assert "got Skipping, which does not; keep it" in report.left["1"]
    assert torch.equal(folded(x), model(x))


def test_activation_behind_a_norm_keeps_it_out_of_the_layer_after_it():
    norm = WithActivation(4, nn.ReLU())
    model, x = lived(nn.Sequential(norm, nn.Conv2d(4, 8, 3, padding=1))), images()
    folded, report = fold(model, x)  # and not: the convolution pads
    assert report.left == {
        "0": "what WithActivation computes behind its norm stands between the norm "
        "and the layer '1'"
    }
    assert torch.equal(folded(x), model(x))


def test_hook_on_a_norm_with_activation_is_not_lost():
    model = lived(nn.Sequential(nn.Conv2d(4, 8, 3), WithActivation(8, nn.ReLU())))
    seen = []
    model[1].register_forward_hook(lambda m, a, y: seen.append(y))
    folded, report = fold(model, images())
    assert report.folded == {}
    folded(images())
    assert seen


def test_activation_that_shows_only_far_from_the_mean_is_seen():
    class Far(nn.BatchNorm2d):
        def forward(self, x):
            return F.hardtanh(super().forward(x), -30, 30)

    pair = lived(nn.Sequential(nn.Conv2d(4, 8, 3), Far(8)))
    with pytest.raises(ValueError, match="got Far, which does not; keep it"):
        fold_batch_norm(*pair)


def _reads_gamma(m, x):
    return m.bn(m.conv(x)) * m.bn.weight.mean()


def test_bn_whose_parameters_are_read_stays():
    model, x = lived(Wired(_reads_gamma)), images()
    folded, report = fold(model, x)
    assert report.left == {"bn": "the parameters of 'bn' are used elsewhere too"}
    assert torch.equal(folded(x), model(x))


@pytest.mark.parametrize("decides", [False, True])
@pytest.mark.parametrize("example", [None, images()])
def test_forward_that_asks_for_a_bn_that_is_gone_is_refused(decides, example):
    class Asks(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Conv2d(4, 8, 3), nn.BatchNorm2d(8))

        def forward(self, x):
            if decides and x.mean() < -100:
                return x
            return self.body(x) * self.body[1].num_features

    text = "without example_input" if decides and example is None else "for a BN that"
    with pytest.raises(ValueError, match=text):
        fold(lived(Asks()), example)


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_scripted_model_is_refused():
    pair = lived(nn.Sequential(nn.Conv2d(4, 8, 3), nn.BatchNorm2d(8)))
    with pytest.raises(ValueError, match="got RecursiveScriptModule; pass the model"):
        fold(torch.jit.script(pair))


# --- models that cannot be traced -----------------------------------------------------


class Untraceable(nn.Module):
    """Decides by a value, which stops the tracer."""

    def __init__(self, *modules):
        super().__init__()
        self.body = nn.Sequential(*modules)
        self.conv, self.bn = nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8)

    def forward(self, x):
        if x.mean() > 0:
            x = self.body(x)
        return self.bn(self.conv(x))


def test_untraceable_model_folds_inside_its_sequentials():
    inner = nn.Sequential(nn.ReLU(), nn.Conv2d(8, 8, 3))
    model = Untraceable(nn.Conv2d(4, 8, 3), nn.BatchNorm2d(8), inner, nn.BatchNorm2d(8))
    model, x = lived(model), images()
    folded, report = fold(model, x)
    assert report.found_by == "modules"
    assert report.folded == {"body.1": "body.0", "body.3": "body.2.1"}
    assert list(report.left) == ["bn"]
    assert_same(folded(x), model(x))


def test_untraceable_model_folds_only_with_an_example_to_compare():
    model = lived(Untraceable(nn.Conv2d(4, 8, 3), nn.BatchNorm2d(8)))
    with pytest.raises(ValueError, match="got Untraceable without example_input"):
        fold(model)


def test_module_in_two_places_of_an_untraceable_model_stays():
    conv = nn.Conv2d(4, 8, 3)
    model = Untraceable(conv, nn.BatchNorm2d(8))
    model.conv = conv
    folded, report = fold(lived(model))
    assert "'body.0' is shared" in report.left["body.1"]


class Peeks(nn.Module):
    """Takes a value out of the middle of a Sequential, out of sight of the tracer."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(4, 8, 3), nn.BatchNorm2d(8))

    def forward(self, x):
        return self.body[0](x) if x.mean() > 0 else self.body(x)


def test_example_shows_a_fold_that_is_wrong():
    model = lived(Peeks())
    with pytest.raises(ValueError, match="must agree .* got a relative difference of"):
        fold(model, images())


class Maybe(nn.Module):
    """A block that cannot be traced, although it decides nothing."""

    def __init__(self, *modules):
        super().__init__()
        self.body = nn.Sequential(*modules)

    def forward(self, x):
        return self.body(x) if x.mean() > -1e9 else x


def test_untraceable_block_folds_inside_and_the_net_around_it():
    block = Untraceable(nn.Conv2d(4, 8, 3), nn.BatchNorm2d(8))
    around = nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4), block, nn.Conv2d(8, 8, 1)
    model, x = lived(nn.Sequential(*around, nn.BatchNorm2d(8))), images()
    model[1].bias.data.fill_(9)  # so that the block takes the longer way
    folded, report = fold(model, x)
    assert report.found_by == "modules"
    assert report.folded == {"1": "0", "4": "3", "2.body.1": "2.body.0"}
    assert "(inside '2', which torch.fx cannot trace: symb" in report.left["2.bn"]
    assert_same(folded(x), model(x))
    with pytest.raises(ValueError, match="example_input .inside '2', which torch.fx"):
        fold(model)


def test_untraceable_block_without_norms_needs_no_example():
    around = nn.Conv2d(4, 8, 3), nn.BatchNorm2d(8)
    model = lived(nn.Sequential(*around, Maybe(nn.Conv2d(8, 4, 3), nn.ReLU())))
    folded, report = fold(model)
    assert report.folded == {"1": "0"} and report.left == {}
    assert_same(folded(x := images()), model(x))


def test_forward_that_breaks_beside_an_untraceable_block_is_refused():
    class Asks(Maybe):
        def forward(self, x):
            return self.body(x) * self.body[1].num_features

    asks = Asks(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4))
    with pytest.raises(ValueError, match="for a BN that is gone, got Sequential"):
        fold(lived(nn.Sequential(asks, Maybe(nn.ReLU()))))


def test_wrong_fold_inside_an_untraceable_block_names_it():
    with pytest.raises(ValueError, match="could not be seen .inside '0', which torch"):
        fold(lived(nn.Sequential(Peeks(), nn.ReLU())), images())


def test_bn_of_two_untraceable_blocks_stays():
    bn = nn.BatchNorm2d(4)
    model = nn.Sequential(*(Maybe(nn.Conv2d(4, 4, 3), bn) for _ in range(2)))
    folded, report = fold(lived(model), images())
    assert report.folded == {}
    assert (
        "no linear layer or convolution before it, but Conv2d (inside '0'"
        in (report.left["0.body.1"])
    )


def test_layer_of_an_untraceable_block_that_is_read_elsewhere_stays():
    class Reads(nn.Module):
        def __init__(self):
            super().__init__()
            self.block = Maybe(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4))

        def forward(self, x):
            return self.block(x) + F.conv2d(x, self.block.body[0].weight)

    inside, x = "body.0.block.body", images()
    folded, report = fold(lived(Maybe(Reads())), x)
    assert f"parameters of '{inside}.0' are used" in report.left[f"{inside}.1"]
    assert folded(x).shape == (3, 4, 5, 5)


@pytest.mark.parametrize("place", [0, 1])
def test_example_shows_a_fold_that_gives_nan(place):
    class Breaks(Wired):
        def forward(self, x):
            y = self.bn(self.conv(x))
            bad = y if isinstance(self.bn, nn.BatchNorm2d) else torch.full_like(y, nan)
            return (bad, y) if place == 0 else (y, bad)

    nan = float("nan")
    with pytest.raises(ValueError, match="must agree .* relative difference of nan"):
        fold(lived(Breaks(None)), images())


POISON = [
    ("running_var", torch.nan),
    ("running_var", -0.5),
    ("running_mean", torch.inf),
]
POISON += [("weight", torch.nan), ("bias", -torch.inf)]


@pytest.mark.parametrize("number, value", POISON)
@pytest.mark.parametrize("owner", [nn.BatchNorm2d, bnlib_nn.BatchNorm])
def test_a_poisoned_norm_is_refused_by_name_and_channel(number, value, owner):
    model = lived(nn.Sequential(nn.Conv2d(4, 8, 3), owner(8), nn.ReLU(), owner(8)))
    getattr(model[1], number).data[5] = value
    text = f"finite and no variance negative, got {number} {value} in channel 5 of "
    for act in (
        lambda: fold(model),
        lambda: fold(model, images()),
        lambda: fold(model, strict=False),
    ):
        with pytest.raises(ValueError, match=text + "'1'; re-estimate"):
            act()
    for act in (
        lambda: fold_batch_norm(model[0], model[1]),
        lambda: fold_into_next(model[1], nn.Conv2d(8, 3, 1).double().eval()),
    ):
        with pytest.raises(ValueError, match=text + f"'{owner.__name__}'; re-estimate"):
            act()


def test_a_poisoned_norm_that_would_be_left_is_refused_too():
    model = lived(nn.Sequential(nn.ReLU(), nn.BatchNorm2d(4)))
    model[1].running_var[0] = torch.nan
    with pytest.raises(ValueError, match="got running_var nan in channel 0 of '1'"):
        fold(model)


def test_outputs_that_are_not_finite_cannot_be_compared():
    model = lived(nn.Sequential(nn.Conv2d(4, 8, 3), nn.BatchNorm2d(8)))
    x = images()
    x[0, 1, 2, 2] = torch.inf
    with pytest.raises(ValueError, match="must be finite, got inf .* such values"):
        fold(model, x)


def test_outputs_of_any_structure_and_several_inputs_are_compared():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.bn = nn.Conv2d(4, 8, 3), nn.BatchNorm2d(8)

        def forward(self, x, y):
            return {"sum": (self.bn(self.conv(x + y)), x), "count": torch.tensor(3)}

    folded, report = fold(lived(Two()), (images(), images()))
    assert report.folded == {"bn": "conv"}
    assert 0 <= report.difference < 1e-13


def test_model_without_bn_is_copied():
    model = mlp((4, 8, 3), norm=None).eval()
    folded, report = fold(model)
    assert folded is not model
    assert str(report) == "no batch normalization found"
    assert all(
        torch.equal(a, b)
        for a, b in zip(model.parameters(), folded.parameters(), strict=True)
    )


def test_folded_model_carries_nothing_but_its_layers():
    model = lived(mlp((4, 8, 3)))
    folded, _ = fold(model)
    assert set(vars(folded)) == set(vars(model))
    assert list(folded.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]


# --- examples -------------------------------------------------------------------------


class Doubles(nn.Module):
    """Writes into its input, so that a second run on it sees another one."""

    def forward(self, x):
        return x.mul_(2)


def test_example_is_not_written_into_by_a_model_that_does():
    model, x = (
        lived(nn.Sequential(Doubles(), nn.Conv2d(4, 8, 3), nn.BatchNorm2d(8))),
        (images()),
    )
    kept = x.clone()
    folded, report = fold(model, x)
    assert report.folded == {"2": "1"} and torch.equal(x, kept)
    assert_same(folded(x), model(kept))


def test_example_without_examples_is_refused():
    model = lived(nn.Sequential(nn.Conv2d(4, 8, 3), nn.BatchNorm2d(8)))
    with pytest.raises(ValueError, match="got shape .0, 8, 5, 5.; pass at least one"):
        fold(model, images()[:0])


def test_variance_of_0_without_eps_is_refused():
    model = lived(nn.Sequential(nn.Conv2d(4, 8, 3), nn.BatchNorm2d(8, eps=1e-9)))
    model[1].eps, model[1].running_var[3] = 0.0, 0
    with pytest.raises(
        ValueError, match="got running_var 0 in channel 3 .eps 0. of '1'"
    ):
        fold(model)
