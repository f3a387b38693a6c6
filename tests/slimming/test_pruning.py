"""Slimming against masked models, torch-pruning, onnxruntime and readers' own nets."""

import copy
import logging
import warnings

import numpy as np
import onnxruntime
import pytest
import torch
import torch.nn.functional as F
import torch_pruning as tp
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from bnlib import nn as bnlib_nn
from bnlib.lab.models import conv_net, depthwise_net, mlp, residual_net, vgg
from bnlib.lab.train import train
from bnlib.slimming import absorb, l1_gamma, plan, prune, shrink_gamma, summary


@pytest.fixture(autouse=True)
def _seeded_and_one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield
    torch.set_num_threads(threads)


def lived(model, dtype=torch.float64):
    """Give every norm statistics and parameters as after training; eval mode."""
    for norm in model.modules():
        if getattr(norm, "running_mean", None) is not None:
            norm.running_mean.normal_(1, 0.5)
            norm.running_var.uniform_(0.5, 2)
            nn.init.normal_(norm.weight)  # signs and no ties
            nn.init.normal_(norm.bias)
    return model.to(dtype).eval()


def images(n=3, size=8, dtype=torch.float64):
    return torch.randn(n, 1, size, size, dtype=dtype)


class Own(nn.Module):
    """What a reader may write: functions, a block used in two places, no Sequential."""

    def __init__(self, norm=nn.BatchNorm2d):
        super().__init__()
        self.first = nn.Conv2d(1, 12, 3, padding=1)
        self.norm1 = norm(12)
        self.second = nn.Conv2d(12, 10, 3, stride=2)
        self.norm2 = norm(10)
        self.score = nn.Linear(90, 5)

    def forward(self, x):
        x = F.relu(self.norm1(self.first(x)))
        x = F.relu(self.norm2(self.second(x)))
        return self.score(torch.flatten(x, 1))


NETS = {
    "vgg": vgg,
    "post-activation": lambda: residual_net(3, 10),
    "pre-activation": lambda: residual_net(3, 10, order="pre"),
    "depthwise": lambda: depthwise_net(12, 3),
    "flatten": conv_net,
    "mlp": mlp,
    "own": Own,
    "own with bnlib's norm": lambda: Own(bnlib_nn.BatchNorm),
    "leaky": lambda: vgg((8, "M", 16), activation="leaky_relu", bias=True),
}
every_net = pytest.mark.parametrize("name", NETS)


def made(name):
    x = images()
    return lived(NETS[name]()), x.flatten(1) if name == "mlp" else x


def silenced(model, cut, beta=0.0):
    """Set gamma to 0 on the removed channels by hand; nothing of bnlib is used."""
    model = copy.deepcopy(model)
    for group in cut.groups.values():
        for norm in group.norms:
            norm = model.get_submodule(norm)
            norm.weight.data[~group.kept] = 0
            norm.bias.data[~group.kept] *= beta
    return model


def assert_same(got, want, rtol=1e-12):
    got, want = got.detach(), want.detach()
    assert want.std() > 1e-3  # else a constant would pass
    error = float((got - want).abs().max() / want.abs().max())
    assert error < rtol, error


def count(model):
    return sum(p.numel() for p in model.parameters())


# --- the pruned model is the masked one ----------------------------------------------


@every_net
@pytest.mark.parametrize("ratio", [0.25, 0.7])
def test_pruned_equals_model_with_gamma_and_beta_zero(name, ratio):
    model, x = made(name)
    cut = plan(model, ratio, example_input=x)
    pruned = prune(model, cut)
    assert_same(pruned(x), silenced(model, cut)(x))
    assert count(pruned) < count(model)
    assert type(pruned) is type(model)


@every_net
def test_pruned_equals_masked_model_in_training_mode_too(name):
    model, x = made(name)
    x = torch.cat([x, -x, 2 * x])
    cut = plan(model, 0.5, example_input=x)
    pruned, masked = prune(model, cut).train(), silenced(model, cut).train()
    target = torch.randn(len(x), pruned(x).shape[1], dtype=x.dtype)
    for m in (pruned, masked):
        (m(x) * target).sum().backward()
    assert_same(pruned(x), masked(x))
    last, want = list(pruned.parameters())[-2:], list(masked.parameters())[-2:]
    assert_same(last[1].grad, want[1].grad)


@every_net
def test_nothing_removed_is_the_same_model(name):
    model, x = made(name)
    pruned = prune(model, plan(model, 0, example_input=x))
    assert count(pruned) == count(model)
    torch.testing.assert_close(pruned(x), model(x), rtol=0, atol=0)


@every_net
def test_absorbed_model_prunes_without_change(name):
    model, x = made(name)
    cut = plan(model, 0.5, example_input=x)
    absorbed, report = absorb(model, cut)
    assert_same(prune(absorbed, cut)(x), absorbed(x))
    assert len(report) >= 2


@pytest.mark.parametrize("activation", ["relu", "sigmoid", "tanh", "leaky_relu"])
@pytest.mark.parametrize("kind", ["mlp", "unpadded", "no norm behind"])
def test_absorbing_is_exact_without_padding(kind, activation):
    if kind == "mlp":
        model, x = mlp((64, 20, 20, 5), activation=activation), torch.randn(4, 64)
    else:
        act = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid}.get(activation, nn.Tanh)
        behind = [nn.BatchNorm2d(6)] if kind == "unpadded" else []
        model = nn.Sequential(
            *(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), act()),
            *(nn.Conv2d(8, 6, 3, bias=False), *behind, act(), nn.Flatten()),
            nn.Linear(6 * 36, 5),
        )
        x = torch.randn(4, 1, 8, 8)
    model, x = lived(model), x.double()
    cut = plan(model, 0.5, example_input=x)
    absorbed, report = absorb(model, cut)
    small = prune(absorbed, cut)
    assert_same(small(x), silenced(model, cut, beta=1.0)(x))
    assert set(report.values()) == {"exact"}
    assert count(small) < count(model)


def test_absorbing_before_padding_says_so_and_takes_the_mean_over_positions():
    first = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
    model = nn.Sequential(*first, nn.Conv2d(4, 3, 3, padding=1), nn.BatchNorm2d(3))
    model = lived(nn.Sequential(*model, nn.Flatten(), nn.Linear(48, 2)))
    x = images(size=4)
    cut = plan(model, 0, example_input=x)
    cut.groups["0"].kept[1:3] = False
    absorbed, report = absorb(model, cut)
    assert report == {
        "3": "mean over positions: padding keeps the constant from the border"
    }
    assert not absorbed[1].weight[1:3].any() and not absorbed[1].bias[1:3].any()
    truth = silenced(model, cut, beta=1.0)[:5](x)
    torch.testing.assert_close(absorbed[:5](x).mean((2, 3)), truth.mean((2, 3)))
    # Nothing is lost of channels that hand on nothing.
    model[1].bias.data[1:3] = -1
    again, report = absorb(model, cut)
    assert report == {"3": "exact"}
    assert torch.equal(again[4].running_mean, model[4].running_mean)


class _OneReaderOfTwo(nn.Module):
    """A linear layer that is called twice, behind two norms."""

    def __init__(self):
        super().__init__()
        self.one, self.other = nn.Linear(3, 4), nn.Linear(3, 4)
        self.norm_one, self.norm_other = nn.BatchNorm1d(4), nn.BatchNorm1d(4)
        self.reader = nn.Linear(4, 2)

    def forward(self, x):
        first = self.reader(torch.relu(self.norm_one(self.one(x))))
        return first + self.reader(torch.relu(self.norm_other(self.other(x))))


def test_reader_that_is_called_twice_absorbs_the_mean_of_both_constants():
    torch.manual_seed(5)
    model, x = _OneReaderOfTwo().double().eval(), torch.randn(6, 3).double()
    for norm, beta in ((model.norm_one, 1.0), (model.norm_other, 3.0)):
        norm.weight.data[:2], norm.bias.data[:2] = 0, beta
    cut = plan(model, 0.5, example_input=x)
    absorbed, report = absorb(model, cut)
    assert report == {"reader": "mean over its calls"}
    with torch.no_grad():  # the sum of both calls needs nothing but the mean
        assert torch.allclose(prune(absorbed, cut)(x), model(x), atol=1e-12)


class _Chain(nn.Module):
    """A norm, a reader, and whatever the function makes of them."""

    def __init__(self, function):
        super().__init__()
        self.first, self.norm = nn.Linear(3, 6), nn.BatchNorm1d(6)
        self.reader, self.other = nn.Linear(6, 4, bias=False), nn.Linear(3, 4)
        self.norm_a, self.norm_b = nn.BatchNorm1d(4), nn.BatchNorm1d(4)
        self.last, self.function = nn.Linear(4, 2), function

    def forward(self, x):
        h = torch.sigmoid(self.norm(self.first(x)))
        return self.last(self.function(self, x, h))


CHAINS = {
    "norm of its own": (lambda m, x, h: m.norm_a(m.reader(h)), True),
    "a norm for each call": (
        lambda m, x, h: m.norm_a(m.reader(h)) * m.norm_b(m.reader(h)),
        False,
    ),
    "norm that reads another layer, too": (
        lambda m, x, h: m.norm_a(m.reader(h)) * m.norm_a(m.other(x)),
        False,
    ),
    "norm and more": (lambda m, x, h: m.norm_a(m.reader(h)) + m.reader(h), False),
}


@pytest.mark.parametrize("name", CHAINS)
def test_constant_goes_into_the_mean_only_of_a_norm_that_reads_nothing_else(name):
    function, into_mean = CHAINS[name]
    model, x = lived(_Chain(function)), torch.randn(5, 3).double()
    cut = plan(model, 0, example_input=x)
    cut.groups["first"].kept[1:4] = False
    absorbed, report = absorb(model, cut)
    assert list(report) == ["reader"]
    assert_same(absorbed(x), silenced(model, cut, beta=1.0)(x))
    assert_same(prune(absorbed, cut)(x), absorbed(x))
    moved = not torch.equal(absorbed.norm_a.running_mean, model.norm_a.running_mean)
    assert moved == into_mean
    assert (absorbed.reader.bias is None) == into_mean


@pytest.mark.parametrize("frozen", [True, False])
def test_new_bias_learns_if_the_weight_of_its_layer_does(frozen):
    model, x = lived(_Chain(lambda m, x, h: m.reader(h))), torch.randn(5, 3).double()
    model.reader.weight.requires_grad_(not frozen)
    absorbed, _ = absorb(model, plan(model, 0.5, example_input=x))
    assert absorbed.reader.bias.requires_grad == (not frozen)


def test_dead_channel_of_a_norm_without_shift_hands_on_the_activation_of_zero():
    model = lived(_Chain(lambda m, x, h: m.norm_a(m.reader(h))))
    model.norm = bnlib_nn.BatchNorm(6, bias=False).double().eval()
    nn.init.normal_(model.norm.weight)
    x = torch.randn(5, 3).double()
    cut = plan(model, 0, example_input=x)
    cut.groups["first"].kept[1:4] = False
    absorbed, report = absorb(model, cut)
    assert report == {"reader": "exact"}
    dead = copy.deepcopy(model)
    dead.norm.weight.data[~cut.groups["first"].kept] = 0
    assert_same(prune(absorbed, cut)(x), dead(x))


def test_modules_called_by_keyword_are_pruned_and_absorbed():
    model = lived(_Chain(lambda m, x, h: m.norm_a(input=m.reader(input=h))))
    x = torch.randn(5, 3).double()
    cut = plan(model, 0.5, example_input=x)
    absorbed, _ = absorb(model, cut)
    assert_same(prune(absorbed, cut)(x), silenced(model, cut, beta=1.0)(x))


class Mixed(nn.Module):
    """A channel in a sum, of which a norm silences one term only."""

    def __init__(self, function):
        super().__init__()
        self.a, self.b = nn.Conv2d(1, 6, 1), nn.Conv2d(1, 6, 1)
        self.norm, self.out = nn.BatchNorm2d(6), nn.Conv2d(6, 2, 1)
        self.other = nn.Conv2d(6, 5, 1)
        self.behind, self.last = nn.BatchNorm2d(5), nn.Conv2d(5, 2, 1)
        self.function = function

    def forward(self, x):
        y = self.out(self.function(self.a(x), self.norm(self.b(x))))
        return y + self.last(self.behind(self.other(x.expand(-1, 6, -1, -1))))


RAW = {
    "sum": (lambda a, b: a + b, False),
    "difference": (lambda a, b: b - a, False),
    "larger": (torch.maximum, False),
    "quotient": (lambda a, b: a / (2 + b), False),
    "product": (lambda a, b: torch.sigmoid(a) * b, True),
    "share": (lambda a, b: b / (2 + a), True),
}


@pytest.mark.parametrize("name", RAW)
def test_channel_that_is_read_without_a_norm_stays_and_the_plan_says_so(name):
    function, silent = RAW[name]
    model, x = lived(Mixed(function)), images()
    cut = plan(model, 0.5, example_input=x)
    assert list(cut.groups) == ["a", "other"] if silent else ["other"]
    if not silent:
        assert cut.fixed == {"a": "'out' reads it without a norm"}
        assert "a      all: 'out' reads it without a norm" in str(cut).splitlines()
    assert_same(prune(model, cut)(x), silenced(model, cut)(x))


# --- readers' own nets --------------------------------------------------------------


class Concatenated(nn.Module):
    """Two branches side by side, each with its norm, and a norm over both."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(1, 6, 3, padding=1), nn.Conv2d(1, 4, 1)
        self.norm_a, self.norm_b = nn.BatchNorm2d(6), nn.BatchNorm2d(4)
        self.both = nn.BatchNorm2d(10)
        self.last = nn.Conv2d(10, 3, 3)

    def forward(self, x):
        a, b = F.relu(self.norm_a(self.a(x))), F.relu(self.norm_b(self.b(x)))
        x = self.last(F.relu(self.both(torch.cat([a, b], dim=1))))
        return x.mean((2, 3))


def test_concatenation_keeps_each_branch_apart():
    model, x = lived(Concatenated()), images()
    cut = plan(model, 0.5, floor=0, example_input=x)
    assert {n: g.norms for n, g in cut.groups.items()} == {
        "a": ("norm_a", "both"),
        "b": ("norm_b", "both"),
    }
    kept = [cut.groups[n].kept for n in "ab"]
    masked = copy.deepcopy(model)
    for norm, stay in zip(
        (masked.norm_a, masked.norm_b, masked.both), (*kept, torch.cat(kept)), strict=1
    ):
        norm.weight.data[~stay] = norm.bias.data[~stay] = 0
    pruned = prune(model, cut)
    assert_same(pruned(x), masked(x))
    assert pruned.both.num_features == int(sum(k.sum() for k in kept)) == 5
    want = (model.norm_a.weight.abs() + model.both.weight[:6].abs()) / 2
    torch.testing.assert_close(cut.groups["a"].scores, want.detach())


class Squeezed(nn.Module):
    """Squeeze and excitation, a depthwise layer of two outputs for each channel."""

    def __init__(self):
        super().__init__()
        self.stem, self.norm = nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.down, self.up = nn.Linear(8, 4), nn.Linear(4, 8)
        self.inner = nn.BatchNorm1d(4)
        self.each = nn.Conv2d(8, 16, 3, groups=8)
        self.slope, self.norm2 = nn.PReLU(16), nn.BatchNorm2d(16)
        self.last = nn.Linear(16, 3)

    def forward(self, x):
        x = F.relu(self.norm(self.stem(x)))
        gate = torch.relu(self.inner(self.down(x.mean(dim=(2, 3)))))
        gate = torch.sigmoid(self.up(gate))
        x = x * gate.view(gate.size(0), -1, 1, 1)
        x = self.norm2(self.slope(self.each(x)))
        return self.last(F.adaptive_avg_pool2d(x, 1).squeeze(-1).squeeze(-1))


def test_squeeze_and_excitation_and_channel_multiplier():
    model, x = lived(Squeezed()), images()
    cut = plan(model, 0.4, example_input=x)
    stem, gate = cut.groups["stem"], cut.groups["down"]
    assert stem.layers == ("stem", "up")
    masked = copy.deepcopy(model)
    for norm, stay in (
        (masked.norm, stem.kept),
        (masked.norm2, stem.kept.repeat_interleave(2)),
        (masked.inner, gate.kept),
    ):
        norm.weight.data[~stay] = norm.bias.data[~stay] = 0
    pruned = prune(model, cut)
    assert_same(pruned(x), masked(x))
    left = int(stem.kept.sum())
    assert left < 8
    assert (pruned.each.groups, pruned.each.in_channels) == (left, left)
    assert pruned.slope.weight.shape == (2 * left,)


class Shared(nn.Module):
    """One block called twice: its inputs and outputs are the same channels."""

    def __init__(self):
        super().__init__()
        self.stem, self.norm = nn.Linear(6, 9), nn.BatchNorm1d(9)
        self.block, self.block_norm = nn.Linear(9, 9), nn.BatchNorm1d(9)
        self.last = nn.Linear(9, 2)

    def forward(self, x):
        x = self.norm(self.stem(x)).relu()
        for _ in range(2):
            x = self.block_norm(self.block(x)).relu()
        return self.last(x)


def test_layer_that_is_called_twice():
    model, x = lived(Shared()), torch.randn(4, 6).double()
    cut = plan(model, 0.5, example_input=x)
    assert cut.groups["stem"].layers == ("stem", "block")
    pruned = prune(model, cut)
    assert_same(pruned(x), silenced(model, cut)(x))
    assert pruned.block.weight.shape == (5, 5)


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_transposed_convolutions_of_every_dimension(dims):
    conv = [nn.Conv1d, nn.Conv2d, nn.Conv3d][dims - 1]
    back = [nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d][dims - 1]
    norm = [nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d][dims - 1]
    model = nn.Sequential(
        *(conv(2, 7, 3, stride=2), norm(7), nn.ReLU()),
        *(back(7, 5, 3, stride=2), norm(5), nn.ReLU(), conv(5, 2, 1)),
    )
    model, x = lived(model), torch.randn(2, 2, *[5] * dims).double()
    cut = plan(model, 0.5, example_input=x)
    pruned = prune(model, cut)
    assert_same(pruned(x), silenced(model, cut)(x))
    assert not all(g.kept.all() for g in cut.groups.values())
    absorbed, report = absorb(model, cut)
    assert_same(prune(absorbed, cut)(x), absorbed(x))


# --- state --------------------------------------------------------------------------


def test_state_of_the_model_is_kept_and_the_model_untouched():
    model = lived(vgg((8, "M", 16)), torch.float32).train()
    model[1].eval()
    model[0].weight.requires_grad_(False)
    model[1].weight.grad = torch.ones_like(model[1].weight)
    before = copy.deepcopy(model.state_dict())
    x = images(dtype=torch.float32)
    cut = plan(model, 0.5, example_input=x)
    for new in (prune(model, cut), absorb(model, cut)[0]):
        assert [m.training for m in new.modules()] == [
            m.training for m in model.modules()
        ]
        assert {v.dtype for v in new.state_dict().values()} <= {
            torch.float32,
            torch.int64,
        }
        assert [p.requires_grad for p in new.parameters()] == [
            p.requires_grad for p in model.parameters()
        ]
        shared = {p.data_ptr() for p in new.parameters()}
        assert not shared & {p.data_ptr() for p in model.parameters()}
    for key, value in model.state_dict().items():
        torch.testing.assert_close(value, before[key], rtol=0, atol=0)
    assert model.training
    assert not model[1].training


def test_pruned_model_says_its_new_sizes_and_trains():
    model, x = lived(vgg((8, "M", 16))), images(64)
    cut = plan(model, 0.5, example_input=x)
    pruned = prune(model, cut).train()
    kept = [int(g.kept.sum()) for g in cut.groups.values()]
    assert [pruned[0].out_channels, pruned[1].num_features] == kept[:1] * 2
    assert [pruned[4].in_channels, pruned[4].out_channels] == kept
    assert pruned[-1].in_features == kept[1]
    history = train(
        pruned, (x, torch.arange(64) % 10), steps=30, lr=0.05, batch_size=64
    )
    assert history.losses[-1] < history.losses[0]


def test_pruning_again_takes_from_what_is_left():
    model, x = made("vgg")
    once = prune(model, plan(model, 0.5, example_input=x))
    twice = prune(once, plan(once, 0.5, example_input=x))
    at_once = plan(model, 0.75, example_input=x)
    assert_same(twice(x), prune(model, at_once)(x))


# --- the plan -------------------------------------------------------------------------


def test_threshold_is_global_and_by_size_of_gamma():
    model, x = made("vgg")
    cut = plan(model, 0.6, floor=0, example_input=x)
    sizes = [m.weight.detach().abs() for m in model if isinstance(m, nn.BatchNorm2d)]
    threshold = torch.cat(sizes).sort().values[round(0.6 * 416) - 1]
    assert cut.threshold == pytest.approx(float(threshold))
    for group, size in zip(cut.groups.values(), sizes, strict=True):
        assert torch.equal(group.kept, size > threshold)
    assert cut.removed == pytest.approx(round(0.6 * 416) / 416)


def test_floor_protects_a_small_layer_and_the_ratio_still_holds():
    model, x = made("vgg")
    model[1].weight.data *= 1e-3  # all 32 would go
    bare = plan(model, 0.5, floor=0, example_input=x)
    assert int(bare.groups["0"].kept.sum()) == 1  # never a whole layer
    cut = plan(model, 0.5, floor=0.1, example_input=x)
    kept = cut.groups["0"].kept
    assert int(kept.sum()) == 4  # 0.1 * 32, rounded up
    best = model[1].weight.detach().abs().topk(4).indices
    assert set(kept.nonzero().flatten().tolist()) == set(best.tolist())
    assert cut.removed == bare.removed == 0.5


def test_printed_plan_names_layers_counts_and_coupling():
    model, x = made("post-activation")
    text = str(plan(model, 0.5, example_input=x))
    lines = text.splitlines()
    assert lines[0].split() == [
        *("layer", "kept", "of", "smallest", "kept", "coupled", "with"),
    ]
    assert lines[1].startswith("0 ")
    assert lines[1].endswith("3.branch.3, 4.branch.3, 5.branch.3")
    assert lines[2].split()[0] == "3.branch.0"
    assert lines[2].split()[2] == "10"
    assert "20 of 40 channels go (50%)" in lines[-1]
    assert "global threshold 0." in lines[-1]


def test_printed_plan_shows_the_smallest_gamma_kept_and_who_was_spared():
    first = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU()
    second = nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4), nn.ReLU()
    model = nn.Sequential(*first, *second, nn.Conv2d(4, 2, 1)).double().eval()
    for norm, gammas in ((1, [0.5, -0.1, 0.7, 0.2]), (4, [0.01, 0.04, -0.03, 0.02])):
        model[norm].weight.data = torch.tensor(gammas).double()
    cut = plan(model, 0.5, floor=0.5, example_input=images())
    assert cut.threshold == pytest.approx(0.2)
    lines = str(cut).splitlines()
    # The second layer keeps less than the threshold: half of it is the floor.
    assert lines[1].split() == ["0", "2", "4", "0.5000"]
    assert lines[2].split() == ["3", "2", "4", "0.0300*"]
    assert lines[3] == "4 of 8 channels go (50%), global threshold 0.2000 (* floor)"


def test_edited_plan_is_what_is_pruned():
    model, x = made("vgg")
    cut = plan(model, 0, example_input=x)
    cut.groups["4"].kept[[3, 5]] = False
    pruned = prune(model, cut)
    stay = [k for k in range(64) if k not in (3, 5)]
    assert torch.equal(pruned[4].weight, model[4].weight[stay])
    assert torch.equal(pruned[7].weight, model[7].weight[:, stay])
    assert torch.equal(pruned[5].running_var, model[5].running_var[stay])


def test_outputs_and_inputs_stay_and_the_plan_says_why():
    model = nn.Sequential(
        *(nn.BatchNorm2d(1), nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6)),
        *(nn.ReLU(), nn.Conv2d(6, 4, 1), nn.BatchNorm2d(4)),
    )
    model, x = lived(model), images()
    cut = plan(model, 0.5, example_input=x)
    assert list(cut.groups) == ["1"]
    assert cut.fixed == {"4": "it is an output of the model"}
    assert "all: it is an output of the model" in str(cut).splitlines()[2]
    assert prune(model, cut)(x).shape == (3, 4, 6, 6)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda g: g.kept.zero_(), r"at least one of them True, got .* with 0 True"),
        (lambda g: setattr(g, "kept", g.kept.long()), "must be 32 booleans"),
        (lambda g: setattr(g, "kept", g.kept[:5]), r"got torch.bool of shape \(5,\)"),
    ],
)
def test_spoiled_plan_is_refused(edit, message):
    model, x = made("vgg")
    cut = plan(model, 0.5, example_input=x)
    edit(cut.groups["0"])
    for function in (prune, absorb):
        with pytest.raises(ValueError, match=message):
            function(model, cut)


def test_plan_of_another_model_is_refused():
    model, x = made("vgg")
    cut = plan(model, 0.5, example_input=x)
    with pytest.raises(ValueError, match="of what absorb returns, the model is the"):
        prune(absorb(model, cut), cut)
    other = plan(lived(vgg((8, "M", 16))), 0.5, example_input=x)
    with pytest.raises(ValueError, match="plan must be made for this model"):
        prune(model, other)
    # The same names, other sizes.
    other = plan(lived(vgg((8, "M", 12))), 0, example_input=x)
    with pytest.raises(ValueError, match="of other names or sizes; call plan again"):
        prune(lived(vgg((8, "M", 16))), other)


@pytest.mark.parametrize("bad", [{"ratio": 1.0}, {"ratio": -0.1}, {"floor": 1.5}])
def test_ratio_and_floor_outside_are_refused(bad):
    model, x = made("own")
    with pytest.raises(ValueError, match=r"ratio must lie in \[0, 1\)"):
        plan(model, **({"ratio": 0.5, "floor": 0.1} | bad), example_input=x)


def test_floor_that_contradicts_the_ratio_is_refused():
    model, x = made("own")
    with pytest.raises(ValueError, match=r"ratio 0\.7 .* 15 channels.* floor 0\.5"):
        plan(model, 0.7, floor=0.5, example_input=x)


def test_model_without_norm_is_refused():
    with pytest.raises(ValueError, match="must have a norm with gamma"):
        plan(mlp(norm=None), 0.5, example_input=torch.randn(2, 64).double())


@pytest.mark.parametrize("share", [1 / 90, 1e-8])  # the second is not rounding, either
def test_forward_that_counts_on_its_own_sizes_is_refused(share):
    class Counting(Own):
        def forward(self, x):
            x = F.relu(self.norm2(self.second(F.relu(self.norm1(self.first(x))))))
            x = torch.flatten(x, 1)
            return self.score(x) * (1 + share * x.shape[1])

    model, x = lived(Counting()), images()
    cut = plan(model, 0.5, example_input=x)
    with pytest.raises(ValueError, match="forward does something with channels"):
        prune(model, cut)


def test_forward_that_gives_nan_with_fewer_channels_is_refused():
    class Breaking(Own):
        def forward(self, x):
            x = F.relu(self.norm2(self.second(F.relu(self.norm1(self.first(x))))))
            x = x * (1 + torch.sqrt(0 * x + (x.shape[1] - 10)))
            return self.score(torch.flatten(x, 1))

    model, x = lived(Breaking()), images()
    cut = plan(model, 0.5, example_input=x)
    with pytest.raises(ValueError, match="a relative difference of nan: forward does"):
        prune(model, cut)


def test_forward_that_fails_with_fewer_channels_is_refused():
    class Checking(Own):
        def forward(self, x):
            x = F.relu(self.norm1(self.first(x)))
            self.unit(x.shape[1])
            return self.score(torch.flatten(F.relu(self.norm2(self.second(x))), 1))

        def unit(self, channels):
            assert channels == 12, "twelve!"

    model, x = lived(Checking()), images()
    with pytest.raises(ValueError, match="must be traceable|must work with fewer"):
        prune(model, plan(model, 0.5, example_input=x))


# --- the penalty ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["own", "own with bnlib's norm"])
def test_l1_adds_strength_times_sign_to_gammas_only(name):
    model, x = made(name)
    model.train()
    (model(x) * torch.randn(3, 5)).sum().backward()
    before = {n: p.grad.clone() for n, p in model.named_parameters()}
    l1_gamma(model, 0.25)()
    for name, p in model.named_parameters():
        added = p.grad - before[name]
        is_gamma = name in ("norm1.weight", "norm2.weight")
        want = 0.25 * p.detach().sign() if is_gamma else torch.zeros_like(p)
        torch.testing.assert_close(added, want, rtol=0, atol=1e-12)


def test_l1_finds_norms_of_other_classes():
    model = nn.Sequential(nn.Conv1d(2, 3, 1), nn.InstanceNorm1d(3, affine=True))
    model(torch.randn(4, 2, 5)).square().sum().backward()
    before = model[1].weight.grad.clone()
    l1_gamma(model, 0.25)()
    torch.testing.assert_close(model[1].weight.grad, before + 0.25)


def test_l1_travels_strength_times_integrated_learning_rate():
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)).double()
    x, y = torch.randn(64, 4).double(), torch.zeros(64, 3).double()
    start = model[1].weight.detach().clone()
    penalty = l1_gamma(model, 0.02)
    train(
        model,
        (x, y),
        steps=400,
        lr=0.01,
        momentum=0.9,
        before_step=penalty,
        loss=lambda out, target: 0 * out.sum(),
    )
    travelled = float((start - model[1].weight.detach()).mean())
    assert travelled == pytest.approx(0.02 * 400 * 0.01 / (1 - 0.9), rel=0.05)


def test_l1_skips_what_is_frozen_and_moves_negative_gammas_up():
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.BatchNorm1d(3))
    model[1].weight.requires_grad_(False)
    nn.init.constant_(model[2].weight, -0.5)
    model(torch.randn(8, 4)).square().sum().backward()
    before = model[2].weight.grad.clone()
    l1_gamma(model, 0.1)(0, model)
    assert model[1].weight.grad is None
    torch.testing.assert_close(model[2].weight.grad, before - 0.1)


def way(penalty, amount, optimizer, noise, steps=100):
    """Return how far a gamma of 1 travels, with noisy gradients of its own."""
    bn = nn.BatchNorm1d(200).double()
    step = optimizer(bn.parameters(), lr=0.005)
    pull = penalty(bn, amount)
    for _ in range(steps):
        bn.weight.grad = noise * torch.randn(200).double()
        bn.bias.grad = torch.zeros(200).double()
        pull()
        step.step()
    return 1 - float(bn.weight.detach().mean())


def test_with_adam_the_way_of_l1_depends_on_noise_and_hardly_on_strength():
    ways = {
        (strength, noise): way(l1_gamma, strength, torch.optim.Adam, noise)
        for strength in (1e-4, 1e-2)
        for noise in (0, 1e-3)
    }
    # Without other gradients lr * steps = 0.5, at a hundredth of the strength, too.
    assert ways[1e-4, 0] == pytest.approx(0.5, rel=0.01)
    assert ways[1e-2, 0] == pytest.approx(0.5, rel=0.01)
    assert ways[1e-2, 1e-3] == pytest.approx(0.5, rel=0.1)
    assert ways[1e-4, 1e-3] < 0.15
    with_sgd = way(l1_gamma, 1e-2, torch.optim.SGD, 0)
    assert with_sgd == pytest.approx(0.005 * 100 * 1e-2)


@pytest.mark.parametrize("optimizer", [torch.optim.Adam, torch.optim.SGD])
def test_shrinking_goes_its_way_with_any_optimizer(optimizer):
    for amount in (1e-4, 5e-3):
        gone = way(shrink_gamma, amount, optimizer, 0)
        assert gone == pytest.approx(100 * amount, rel=1e-12)
    assert way(shrink_gamma, 1e-4, optimizer, 1e-3) == pytest.approx(0.01, abs=0.005)


def test_shrinking_stops_at_zero_and_spares_what_is_frozen():
    model = nn.Sequential(nn.BatchNorm1d(3), nn.BatchNorm1d(3)).double()
    model[0].weight.data = torch.tensor([0.25, -0.5, 0.05]).double()
    model[0].weight.grad = torch.zeros(3).double()
    shrink = shrink_gamma(model, 0.125)
    shrink(0, model)
    assert model[0].weight.tolist() == [0.125, -0.375, 0]
    shrink()
    assert model[0].weight.tolist() == [0, -0.25, 0]
    assert model[1].weight.tolist() == [1, 1, 1]


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_l1_refuses_a_bad_strength(value):
    with pytest.raises(ValueError, match="strength must be a finite number"):
        l1_gamma(Own(), value)
    with pytest.raises(ValueError, match="amount must be a finite number"):
        shrink_gamma(Own(), value)


def test_l1_refuses_a_model_without_gamma():
    for penalty in (l1_gamma, shrink_gamma):
        with pytest.raises(ValueError, match="must have a batch normalization"):
            penalty(mlp(norm=None), 0.1)


# --- numbers that are not sound -------------------------------------------------------

POISON = [
    ("running_var", torch.nan),
    ("running_var", -0.5),
    ("running_mean", torch.inf),
]
POISON += [("weight", torch.nan), ("bias", -torch.inf)]


@pytest.mark.parametrize("number, value", POISON)
def test_a_poisoned_norm_is_refused_by_name_and_channel(number, value):
    model, x = made("own")
    cut = plan(model, 0.5, example_input=x)
    getattr(model.norm2, number).data[7] = value
    text = rf"must be finite and no variance negative, got {number} {value} in channel "
    for act in (
        lambda: plan(model, 0.5, example_input=x),
        lambda: prune(model, cut),
        lambda: absorb(model, cut),
    ):
        with pytest.raises(ValueError, match=text + "7 of 'norm2'; re-estimate"):
            act()


def test_outputs_that_are_not_finite_cannot_be_compared():
    model, x = made("own")
    cut = plan(model, 0.5, example_input=x)
    model.score.bias.data[2] = torch.nan
    for act in (prune, absorb):
        with pytest.raises(ValueError, match="must be finite, got nan .3 such values"):
            act(model, cut)


# --- other programs -------------------------------------------------------------------


# torch-pruning knows PyTorch's norms only.
@pytest.mark.parametrize("name", [name for name in NETS if "bnlib" not in name])
@pytest.mark.parametrize("ratio", [0.3, 0.5])
def test_torch_pruning_takes_the_same_channels(name, ratio):
    model, x = made(name)
    cut = plan(model, ratio, floor=0, example_input=x)
    ours, theirs = prune(model, cut), copy.deepcopy(model)
    last = [m for m in theirs.modules() if isinstance(m, nn.Linear)][-1]
    importance = tp.importance.BNScaleImportance(
        group_reduction="mean", normalizer=None
    )
    tp.pruner.BNScalePruner(
        *(theirs, x, importance),
        global_pruning=True,
        pruning_ratio=cut.removed - 1e-9,  # it rounds the number of channels up
        ignored_layers=[last],
    ).step()
    # Random gammas identify the channels: equal values are the same channels.
    norms = [
        [m.weight.tolist() for m in net.modules() if isinstance(m, _BatchNorm)]
        for net in (ours, theirs)
    ]
    assert norms[0] == norms[1]
    assert count(ours) == count(theirs) < count(model)
    assert_same(ours(x), theirs(x), rtol=1e-13)


@pytest.mark.parametrize("name", ["vgg", "post-activation", "depthwise"])
def test_pruned_model_runs_in_onnxruntime(name, tmp_path):
    model = lived(NETS[name](), torch.float32)
    x = images(dtype=torch.float32)
    pruned = prune(model, plan(model, 0.6, example_input=x))
    path = tmp_path / "pruned.onnx"
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        torch.onnx.export(
            pruned, (x,), path, dynamo=True, verbose=False, input_names=["x"]
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        path, options, providers=["CPUExecutionProvider"]
    )
    (got,) = session.run(None, {"x": x.numpy()})
    want = pruned(x).detach().numpy()
    assert want.std() > 1e-3
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5, equal_nan=False)
    assert path.stat().st_size < 4 * count(model) + 30_000


def test_summary_counts_what_is_left():
    model, x = made("vgg")
    pruned = prune(model, plan(model, 0.7, example_input=x))
    assert summary(pruned, x).parameters == count(pruned)
