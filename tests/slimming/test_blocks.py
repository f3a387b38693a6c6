"""Each kind of block that real architectures are made of, as a small net of ours."""

import copy
import io
import logging
import warnings

import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import prune as torch_prune
from torch.nn.utils import spectral_norm, weight_norm

from bnlib.slimming import absorb, plan, prune


@pytest.fixture(autouse=True)
def _seeded_and_one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield
    torch.set_num_threads(threads)


def lived(model):
    """Give every norm statistics and parameters as after training; eval mode."""
    for norm in model.modules():
        if getattr(norm, "running_mean", None) is not None:
            norm.running_mean.normal_(1, 0.5)
            norm.running_var.uniform_(0.5, 2)
            nn.init.normal_(norm.weight)
            nn.init.normal_(norm.bias)
    return model.double().eval()


def images(n=3, channels=2, size=8):
    return torch.randn(n, channels, size, size).double()


def stem(channels=8):
    conv = nn.Conv2d(2, channels, 3, padding=1)
    return nn.Sequential(conv, nn.BatchNorm2d(channels), nn.ReLU())


def assert_same(got, want, rtol=1e-12):
    got, want = got.detach(), want.detach()
    assert want.std() > 1e-3  # else a constant would pass
    assert float((got - want).abs().max() / want.abs().max()) < rtol


def silenced(model, cut, wiring, beta=0.0):
    """Set gamma to 0 on all channels that go, also on those of whole groups."""
    model = copy.deepcopy(model)
    gone = {int(i) for g in cut.groups.values() for i in g.channels[~g.kept]}
    for name in wiring.norms:
        norm = model.get_submodule(name)
        dead = [i in gone for i in wiring.outputs[name].tolist()]
        norm.weight.data[dead] = 0
        norm.bias.data[dead] *= beta
    return model


class Net(nn.Module):
    """A stem with norm and activation, then what is to be tried."""

    def __init__(self, function, **parts):
        super().__init__()
        self.stem, self.last = stem(), nn.Conv2d(8, 3, 1)
        self.function = function
        for name, part in parts.items():
            self.add_module(name, part)

    def forward(self, x):
        return self.function(self, self.stem(x))


# --- groups of channels ---------------------------------------------------------------


def grouped(conv, channels=12):
    return nn.Sequential(
        *stem(), conv, nn.BatchNorm2d(channels), nn.ReLU(), nn.Conv2d(channels, 3, 1)
    )


GROUPED = {
    "convolution": lambda: nn.Conv2d(8, 12, 3, groups=4, bias=False),
    "transposed": lambda: nn.ConvTranspose2d(8, 12, 2, groups=4),
    "depthwise transposed": lambda: nn.ConvTranspose2d(8, 8, 2, groups=8),
    "pairs": lambda: nn.Conv2d(8, 4, 1, groups=4),
}


@pytest.mark.parametrize("name", GROUPED)
def test_whole_groups_of_a_grouped_convolution_go(name):
    conv = GROUPED[name]()
    model, x = lived(grouped(conv, conv.out_channels)), images()
    cut = plan(model, 0.5, floor=0, example_input=x)
    group = cut.groups["0"]
    assert group.layers == ("0", "3") and list(cut.groups) == ["0"]
    assert len(group.kept) == conv.groups
    size = model[1].weight.detach().abs().reshape(conv.groups, -1)
    size = torch.cat([size, model[4].weight.abs().reshape(conv.groups, -1)], 1)
    torch.testing.assert_close(group.scores, size.mean(1).detach())
    small = prune(model, cut)
    left = conv.groups // 2
    assert small[3].groups == left
    assert small[3].in_channels == left * conv.in_channels // conv.groups
    assert small[3].out_channels == left * conv.out_channels // conv.groups
    assert_same(small(x), silenced(model, cut, cut.wiring)(x))
    absorbed, report = absorb(model, cut)
    assert report == {"6": "exact"}
    assert_same(prune(absorbed, cut)(x), silenced(model, cut, cut.wiring, 1.0)(x))


def shuffle(m, x):
    n, c, h, w = x.shape
    return m.last(x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w))


KEPT_AS_THEY_ARE = {
    "split": lambda m, x: m.last(torch.cat(torch.split(x, [3, 5], 1)[::-1], 1)),
    "slice": lambda m, x: m.last(torch.cat([x[:, 4:], x[:, :4]], 1)),
    "shuffle": shuffle,
    "norm of groups": lambda m, x: m.last(F.group_norm(x, 2)),
    "attention": lambda m, x: m.last(
        x * torch.softmax(x.mean((2, 3)), 1)[..., None, None]
    ),
}


@pytest.mark.parametrize("name", KEPT_AS_THEY_ARE)
def test_what_takes_channels_by_number_fixes_its_own_only(name):
    function = KEPT_AS_THEY_ARE[name]
    head = nn.Sequential(nn.BatchNorm2d(3), nn.ReLU(), nn.Conv2d(3, 2, 1))
    model, x = lived(nn.Sequential(Net(function), *head)), images()
    cut = plan(model, 1 / 3, example_input=x)
    assert list(cut.groups) == ["0.last"] and list(cut.fixed) == ["0.stem.0"]
    assert_same(prune(model, cut)(x), silenced(model, cut, cut.wiring)(x))


THROUGH = {
    "largest": lambda m, x: m.last(torch.max(x, 2)[0][:, :, None]),
    "smallest by method": lambda m, x: m.last(x.min(dim=-1, keepdim=True)[0]),
    "expanded gate": lambda m, x: m.last(x * x.mean((2, 3), True).expand_as(x)),
}


@pytest.mark.parametrize("name", THROUGH)
def test_operations_of_point_nets_and_gates_are_pruned_through(name):
    function = THROUGH[name]
    if name == "largest":
        function = lambda m, x: m.last(torch.max(x, 2, True)[0])  # noqa: E731
    model, x = lived(Net(function)), images()
    cut = plan(model, 0.5, example_input=x)
    assert cut.groups["stem.0"].kept.sum() == 4
    assert_same(prune(model, cut)(x), silenced(model, cut, cut.wiring)(x))


def test_largest_over_the_channels_fixes_them():
    model = lived(Net(lambda m, x: (m.last(x), x.max(1)[0], x.max(1)[1])))
    with pytest.raises(ValueError, match="it reaches 'max' in the model's forward"):
        plan(model, 0.5, example_input=images())


# --- layers of the reader's own -------------------------------------------------------


class OwnConv(nn.Conv2d):
    """Computes what its parent computes."""


class OwnLinear(nn.Linear):
    """Its forward says the same in its own words."""

    def forward(self, x):
        return F.linear(x, self.weight, self.bias)


class Deciding(nn.Conv2d):
    """As those that pad by the size of the image: it cannot be traced."""

    def forward(self, x):
        return super().forward(x if x.mean() > -1e9 else x + 1)


def test_subclass_that_computes_the_same_is_a_layer():
    model = nn.Sequential(OwnConv(2, 8, 3), nn.BatchNorm2d(8), OwnConv(8, 3, 1))
    model, x = lived(model), images()
    cut = plan(model, 0.5, example_input=x)
    small = prune(model, cut)
    assert type(small[2]) is OwnConv and small[2].in_channels == 4
    assert_same(small(x), silenced(model, cut, cut.wiring)(x))


@pytest.mark.parametrize("odd", [OwnLinear(8, 8), Deciding(8, 8, 1)])
def test_layer_with_a_forward_of_its_own_fixes_its_channels(odd):
    flat = isinstance(odd, nn.Linear)
    move = (lambda x: x.mean((2, 3))) if flat else (lambda x: x)
    out = nn.Linear(6, 2) if flat else nn.Conv2d(6, 2, 1)
    parts = [nn.Linear(8, 6), nn.BatchNorm1d(6)] if flat else [nn.Conv2d(8, 6, 1)]
    parts += [] if flat else [nn.BatchNorm2d(6)]
    tail = nn.Sequential(odd, *parts, nn.ReLU(), out)
    model, x = lived(Net(lambda m, x: m.tail(move(x)), tail=tail)), images()
    cut = plan(model, 0.5, example_input=x)
    assert list(cut.groups) == ["tail.1"] and list(cut.fixed) == ["stem.0"]
    assert_same(prune(model, cut)(x), silenced(model, cut, cut.wiring)(x))


class Untraceable(nn.Module):
    """A block of layers, in which a value decides."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8)

    def forward(self, x):
        y = self.norm(self.conv(x))
        return y if y.mean() > -1e9 else x


def test_block_that_cannot_be_traced_is_taken_as_a_whole():
    model = nn.Sequential(*stem(), Untraceable(), nn.Conv2d(8, 6, 1))
    model = lived(model.append(nn.BatchNorm2d(6)).append(nn.Conv2d(6, 2, 1)))
    cut = plan(model, 0.5, example_input=images())
    assert list(cut.groups) == ["4"]
    assert cut.fixed == {
        "0": "it reaches '3' (Untraceable): it does not treat channels separately"
    }
    x = images()
    assert_same(prune(model, cut)(x), silenced(model, cut, cut.wiring)(x))


def test_layer_of_such_a_block_that_is_called_elsewhere_too_stays():
    block = Untraceable()
    model = lived(Net(lambda m, x: m.last(m.norm(m.conv(x)) + m.block(x)), block=block))
    model.conv, model.norm = block.conv, block.norm
    with pytest.raises(ValueError, match="stem.0: it reaches 'block' .Untraceable."):
        plan(model, 0.5, example_input=images())


HOOKED = {
    "weight norm": weight_norm,
    "spectral norm": spectral_norm,
    "mask": lambda conv: torch_prune.l1_unstructured(conv, "weight", 0.3),
}


@pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning")
@pytest.mark.parametrize("name", HOOKED)
def test_weight_that_a_hook_computes_fixes_its_channels(name):
    hooked = HOOKED[name](nn.Conv2d(8, 6, 1))
    model = nn.Sequential(*stem(), hooked, nn.Conv2d(6, 6, 1), nn.BatchNorm2d(6))
    model, x = lived(model.append(nn.Conv2d(6, 2, 1))), images()
    with torch.no_grad():
        model(x)
    cut = plan(model, 0.5, example_input=x)
    assert list(cut.groups) == ["4"]
    assert cut.fixed["0"].endswith("its weight is computed by a hook")
    model(x)  # PyTorch cannot copy the weight that this leaves behind
    with pytest.raises(
        ValueError, match="model must be one that can be copied, got Seq"
    ):
        plan(model, 0.5, example_input=x)


def test_layer_whose_weight_is_read_elsewhere_stays():
    model = Net(lambda m, x: m.last(x) + F.conv2d(x, m.last.weight))
    with pytest.raises(ValueError, match="parameters of 'last' are used elsewhere too"):
        plan(lived(model), 0.5, example_input=images())


class Scaled(nn.Module):
    """A block with a parameter of its own beside its layers, as LayerScale."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8)
        self.out, self.scale = nn.Conv2d(8, 8, 1), nn.Parameter(torch.rand(8, 1, 1))

    def forward(self, x):
        return x + self.scale * self.out(self.norm(self.conv(x)))


def test_parameter_of_a_block_fixes_only_the_channels_that_it_meets():
    model, x = lived(Net(lambda m, x: m.last(m.block(x)), block=Scaled())), images()
    cut = plan(model, 0.5, example_input=x)
    assert list(cut.groups) == ["block.conv"] and list(cut.fixed) == ["stem.0"]
    assert_same(prune(model, cut)(x), silenced(model, cut, cut.wiring)(x))


# --- what absorbing must see ----------------------------------------------------------


class WithActivation(nn.BatchNorm2d):
    """Norm and activation in one module."""

    def forward(self, x):
        return F.silu(super().forward(x)) + 0.5


def test_activation_inside_of_a_norm_is_absorbed():
    model = nn.Sequential(nn.Conv2d(2, 8, 3), WithActivation(8), nn.Conv2d(8, 3, 1))
    model, x = lived(model), images()
    cut = plan(model, 0.5, example_input=x)
    dead = ~cut.groups["0"].kept
    model[1].weight.data[dead] = 0
    absorbed, report = absorb(model, cut)
    assert report == {"2": "exact"} and report.difference < 1e-14 < report.before
    assert_same(absorbed(x), model(x))


class Skipping(nn.BatchNorm2d):
    """Adds its input, so that a gamma of 0 does not silence a channel."""

    def forward(self, x):
        return x + super().forward(x)


def test_norm_whose_gamma_does_not_silence_its_channels_is_none_for_them():
    model = nn.Sequential(
        nn.Conv2d(2, 8, 3), Skipping(8), *grouped(nn.Conv2d(8, 4, 1), 4)
    )
    model[2] = nn.Conv2d(8, 8, 1)
    model, x = lived(model), images()
    cut = plan(model, 0.5, example_input=x)
    assert list(cut.groups) == ["2", "5"]
    assert cut.fixed == {"0": "'2' reads it without a norm"}
    assert_same(prune(model, cut)(x), silenced(model, cut, cut.wiring)(x))


class Gated(nn.Module):
    """Squeeze and excitation: the gate of a channel depends on the example."""

    def __init__(self):
        super().__init__()
        self.stem, self.last = stem(), nn.Conv2d(8, 3, 1)
        self.down, self.up = nn.Linear(8, 4), nn.Linear(4, 8)

    def forward(self, x):
        x = self.stem(x)
        gate = torch.sigmoid(self.up(torch.relu(self.down(x.mean((2, 3))))))
        return self.last(x * gate.view(x.size(0), -1, 1, 1))


def test_constant_at_a_gate_is_lost_and_the_report_names_its_reader():
    model, x = lived(Gated()), images()
    cut = plan(model, 0, example_input=x)
    cut.groups["stem.0"].kept[:3] = False
    model.stem[1].weight.data[:3], model.stem[1].bias.data[:3] = 0, 0.5
    model.down.weight.data[:, :3] = 5.0
    absorbed, report = absorb(model, cut)
    assert report == {"down": "exact", "last": "in part: 3 of 3 dead channels vary"}
    assert 0 < report.difference < report.before
    want = model(x)
    gap = ((absorbed(x) - want).norm() / want.norm()).item()
    assert report.difference == pytest.approx(gap)


def test_reader_that_loses_a_constant_in_one_of_its_calls_says_so():
    class Twice(Gated):
        def forward(self, x):
            return super().forward(x) + self.last(self.stem(x))

    model, x = lived(Twice()), images()
    cut = plan(model, 0, example_input=x)
    cut.groups["stem.0"].kept[:3] = False
    model.stem[1].weight.data[:3], model.stem[1].bias.data[:3] = 0, 0.5
    _, report = absorb(model, cut)
    assert report["last"] == "in part: 3 of 3 dead channels vary"


def test_absorbing_that_makes_it_worse_is_refused_and_names_the_reader():
    model, x = lived(Gated()), images()
    cut = plan(model, 0, example_input=x)
    cut.groups["stem.0"].kept[:3] = False
    model.stem[1].weight.data[:3], model.stem[1].bias.data[:3] = 0, 2.0
    # The dead channels open all gates, and cancel behind them what the others say: the
    # output is small, and 0 with gates shut is nearer to it than the others alone.
    model.down.weight.data[:], model.down.bias.data[:] = 0.0, 0.0
    model.down.weight.data[:, :3] = 1.0
    model.up.weight.data[:], model.up.bias.data[:] = 5.0, -20.0
    model.last.weight.data[:, 3:], model.last.bias.data[:] = 1.0, 0.0
    others = model.stem(x)[:, 3:].sum(1).mean()
    model.last.weight.data[:, :3] = -others / 6
    text = r"at last \(in part: 3 of 3 dead channels vary\)\); prune without it"
    with pytest.raises(ValueError, match=text):
        absorb(model, cut)


# --- code that only training runs -----------------------------------------------------


class TwoHeads(nn.Module):
    """An auxiliary head that only training mode runs, its layers with a norm."""

    def __init__(self, traceable=True):
        super().__init__()
        self.stem, self.last = stem(), nn.Conv2d(8, 3, 1)
        self.aux = nn.Sequential(
            nn.Conv2d(8, 5, 1), nn.BatchNorm2d(5), nn.Conv2d(5, 3, 1)
        )
        self.traceable = traceable

    def forward(self, x, target=None):
        x = self.stem(x)
        if not self.training:
            return self.last(x)
        if not self.traceable and x.mean() < -1e9:
            return x
        return self.last(x), self.aux(x)


def test_head_that_only_training_runs_is_pruned_too():
    model, x = lived(TwoHeads()), images()
    cut = plan(model, 0.5, floor=0.2, example_input=x)
    assert list(cut.groups) == ["stem.0", "aux.0"] and cut.wiring.unseen == ()
    small, masked = prune(model, cut).train(), silenced(model, cut, cut.wiring).train()
    for got, want in zip(small(x), masked(x), strict=True):
        assert_same(got, want)
    assert small.aux[0].in_channels == small.stem[0].out_channels < 8
    assert not any(m.training for m in model.modules())


def test_head_of_training_that_hears_dead_channels_is_in_the_report():
    model, x = lived(TwoHeads()), images()
    _, report = absorb(model, plan(model, 0.5, floor=0.2, example_input=x))
    assert report["aux.0"] == "left: eval mode does not call it"


def test_head_that_cannot_be_followed_is_refused_by_name():
    model, x = lived(TwoHeads(traceable=False)), images()
    cut = plan(model, 0.5, example_input=x)
    assert cut.wiring.unseen == ("aux.0", "aux.2")
    text = (
        "in training mode, too, .* .near 'aux.0', which eval mode does not call.; prune"
    )
    with pytest.raises(ValueError, match=text):
        prune(model, cut)


def test_training_code_without_layers_that_counts_channels_is_refused():
    class Counts(Net):
        def forward(self, x):
            x = self.stem(x)
            return self.last(x.view(-1, 8, 8, 8) if self.training else x)

    model, x = lived(Counts(None)), images()
    with pytest.raises(
        ValueError, match="fewer channels in training mode, too, got an"
    ):
        prune(model, plan(model, 0.5, example_input=x))


@pytest.mark.parametrize("head", [False, True])
def test_training_code_is_tried_without_a_trace(head):
    class Random(TwoHeads):
        def __init__(self):
            super().__init__()
            self.register_buffer("calls", torch.zeros(()))
            self.aux = self.aux if head else None

        def forward(self, x):
            x = F.dropout(self.stem(x), 0.5, self.training)
            if self.training:
                self.calls += 1
            more = (self.aux(x),) if head and self.training else ()
            return (self.last(x), *more)

    model, x = lived(Random()), images()
    state = torch.get_rng_state()
    small = prune(model, plan(model, 0.5, floor=0.2, example_input=x))
    assert torch.equal(torch.get_rng_state(), state)
    assert small.calls == model.calls == 0
    assert not any(m.training for m in (*small.modules(), *model.modules()))


def mode_of(module):
    """Ask for the mode out of sight of whoever reads the code of forward."""
    return module.training


class AsksElsewhere(nn.Module):
    """Counts channels, if at all, in the code of one mode only."""

    def __init__(self, asks):
        super().__init__()
        self.stem, self.last, self.asks = stem(), nn.Conv2d(8, 2, 1), asks

    def forward(self, x):
        x = self.stem(x)
        if self.asks and mode_of(self):
            x = x.view(-1, 8, 8, 8)
        return self.last(x)


@pytest.mark.parametrize("asks", [False, True])
def test_mode_that_is_asked_for_by_a_function_is_noticed(asks):
    model = lived(AsksElsewhere(asks))
    x = images()
    cut = plan(model, 0.5, example_input=x)
    assert cut.wiring.by_mode is asks
    assert type(model) is AsksElsewhere and type(model.stem) is nn.Sequential
    if asks:
        with pytest.raises(ValueError, match="in training mode, too, got an error"):
            prune(model, cut)
    else:
        assert type(prune(model, cut)) is AsksElsewhere


def test_activation_that_is_not_0_at_0_costs_no_right_result():
    model = lived(nn.Sequential(*stem()[:2], nn.Sigmoid(), nn.Conv2d(8, 2, 3)))
    x = images()
    cut = plan(model, 0.5, example_input=x)
    small, want = prune(model, cut), copy.deepcopy(model)
    gone = ~cut.groups["0"].kept
    want[3].weight.data[:, gone] = 0  # a half at each position, which nobody reads
    assert_same(small(x), want(x))


def test_training_that_needs_more_than_the_example_does_not_hinder():
    class Needs(Net):
        def forward(self, x, target=None):
            loss = target.sum() if self.training else 0
            return self.last(self.stem(x)) + loss

    model, x = lived(Needs(None)), images()
    cut = plan(model, 0.5, example_input=x)
    assert_same(prune(model, cut)(x), silenced(model, cut, cut.wiring)(x))


# --- shared parameters ----------------------------------------------------------------


def tied():
    model = nn.Sequential(*stem(), nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8), nn.ReLU())
    model += nn.Sequential(nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8), nn.Conv2d(8, 3, 1))
    model[6].weight, model[7].weight = model[3].weight, model[4].weight
    return lived(model)


def test_tied_weights_stay_tied():
    model, x = tied(), images()
    cut = plan(model, 0.5, example_input=x)
    # The inputs of both and the outputs of both are the same channels, so all are one.
    assert {n: g.layers for n, g in cut.groups.items()} == {"0": ("0", "3", "6")}
    small = prune(model, cut)
    assert small[6].weight is small[3].weight and small[7].weight is small[4].weight
    assert small[6].bias is not small[3].bias
    assert_same(small(x), silenced(model, cut, cut.wiring)(x))
    assert sum(p.numel() for p in small.parameters()) < 200


def test_parameter_shared_by_layers_of_different_kinds_fixes_both():
    conv, back = nn.Conv2d(8, 8, 1), nn.ConvTranspose2d(8, 8, 1)
    back.weight = conv.weight
    tail = nn.Conv2d(8, 6, 1), nn.BatchNorm2d(6), nn.Conv2d(6, 2, 1)
    model = nn.Sequential(
        *stem(), conv, nn.BatchNorm2d(8), back, nn.BatchNorm2d(8), *tail
    )
    model, x = lived(model), images()
    cut = plan(model, 0.5, example_input=x)
    assert list(cut.groups) == ["7"]
    assert set(cut.fixed.values()) == {"'3' and '5' share a parameter"}
    assert_same(prune(model, cut)(x), silenced(model, cut, cut.wiring)(x))


def test_shared_bias_takes_no_constant():
    one, other = nn.Conv2d(8, 3, 1), nn.Conv2d(2, 3, 1)
    other.bias = one.bias

    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.one, self.other = stem(), one, other

        def forward(self, x):
            return torch.cat([self.one(self.stem(x)), 5 * self.other(x)], 1)

    model, x = lived(Both()), images()
    cut = plan(model, 0.5, example_input=x)
    with pytest.raises(ValueError, match="at one .left: its bias is shared..; prune"):
        absorb(model, cut)
    small = prune(model, cut)
    assert small.one.bias is small.other.bias


# --- wrappers, formats, files ---------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_wrappers_are_refused_by_what_to_pass():
    net, x = lived(Net(lambda m, x: m.last(x))), images()
    with pytest.raises(
        ValueError, match="got DataParallel around it; pass model.module"
    ):
        plan(nn.DataParallel(net), 0.5, example_input=x)
    with pytest.raises(ValueError, match="got OptimizedModule .* pass model._orig_mod"):
        plan(torch.compile(net, backend="eager"), 0.5, example_input=x)
    with pytest.raises(ValueError, match="got TopLevelTracedModule; pass the model"):
        plan(torch.jit.trace(net, x), 0.5, example_input=x)


@pytest.mark.parametrize("bad", ["0.5", None, torch.tensor(0.5)])
def test_ratio_that_is_no_number_is_refused(bad):
    net = lived(Net(lambda m, x: m.last(x)))
    with pytest.raises(ValueError, match=r"ratio must lie in \[0, 1\) .* got"):
        plan(net, bad, example_input=images())


@pytest.mark.parametrize("dims", [2, 3])
def test_memory_format_is_kept(dims):
    conv, norm = (nn.Conv2d, nn.Conv3d)[dims - 2], (nn.BatchNorm2d, nn.BatchNorm3d)
    layout = (torch.channels_last, torch.channels_last_3d)[dims - 2]
    model = nn.Sequential(conv(2, 8, 3), norm[dims - 2](8), conv(8, 6, 3))
    x = torch.randn(2, 2, *[6] * dims).double()
    for net in (lived(model), lived(model).to(memory_format=layout)):
        small = prune(net, plan(net, 0.5, example_input=x))
        for k in (0, 2):
            assert small[k].weight.is_contiguous() == net[k].weight.is_contiguous()
            assert small[k].weight.stride()[1] == net[k].weight.stride()[1] or k == 0


def saved_and_loaded(what, **how):
    file = io.BytesIO()
    torch.save(what, file)
    file.seek(0)
    return torch.load(file, **how)


def test_pruned_model_is_saved_whole():
    model, x = lived(nn.Sequential(*stem(), nn.Conv2d(8, 3, 1))), images()
    cut = plan(model, 0.5, example_input=x)
    small = prune(absorb(model, cut)[0], cut)
    again = saved_and_loaded(small, weights_only=False)
    assert torch.equal(again(x), small(x))


def test_plan_and_state_dict_rebuild_the_pruned_model():
    model, x = tied(), images()
    cut = plan(model, 0.5, example_input=x)
    small = prune(model, cut)
    kept = {name: group.kept for name, group in cut.groups.items()}
    saved = saved_and_loaded({"kept": kept, "state": small.state_dict()})
    fresh = tied()
    again = plan(fresh, 0, example_input=x)
    for name, stay in saved["kept"].items():
        again.groups[name].kept = stay
    rebuilt = prune(fresh, again)
    assert not torch.equal(rebuilt(x), small(x))
    rebuilt.load_state_dict(saved["state"])
    assert torch.equal(rebuilt(x), small(x))
    # The plan itself holds no model.
    loaded = saved_and_loaded(cut, weights_only=False)
    assert torch.equal(prune(model, loaded)(x), small(x))


# --- another program ------------------------------------------------------------------


class Kinds(nn.Module):
    """Groups, a gate, a split, a shared weight, a head of training, concatenation."""

    def __init__(self):
        super().__init__()
        self.stem, self.gate = stem(), nn.Conv2d(8, 8, 1)
        self.grouped, self.norm1 = nn.Conv2d(8, 8, 3, groups=4), WithActivation(8)
        self.one, self.norm2 = nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8)
        self.other, self.norm3 = nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8)
        self.other.weight = self.one.weight
        self.aux, self.last = nn.Conv2d(8, 3, 1), nn.Conv2d(16, 3, 1)
        self.mixed, self.norm4 = nn.Conv2d(3, 6, 1), nn.BatchNorm2d(6)
        self.end = nn.Conv2d(6, 2, 1)

    def forward(self, x):
        x = self.stem(x)
        x = x * torch.sigmoid(self.gate(x.mean((2, 3), keepdim=True)))
        x = self.norm1(self.grouped(x))
        y = self.norm3(self.other(F.relu(self.norm2(self.one(x)))))
        z = self.last(torch.cat([x, F.relu(y)], 1))
        a, b = torch.split(F.relu(self.norm4(self.mixed(z))), 3, 1)
        z = self.end(torch.cat([b, a], 1))
        return (z, self.aux(x)) if self.training else z


def test_pruned_net_of_every_kind_of_block_runs_in_onnxruntime(tmp_path):
    model, x = lived(Kinds()).float(), images().float()
    cut = plan(model, 0.4, floor=0, example_input=x)
    assert list(cut.fixed) == ["mixed"]
    small = prune(model, cut)
    assert small.grouped.groups == 2 and small.one.in_channels == 4
    assert small.other.weight is small.one.weight
    path = tmp_path / "small.onnx"
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        torch.onnx.export(
            small, (x,), path, dynamo=True, verbose=False, input_names=["x"]
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    providers = ["CPUExecutionProvider"]
    session = onnxruntime.InferenceSession(path, options, providers=providers)
    (got,) = session.run(None, {"x": x.numpy()})
    assert_same(torch.tensor(got), small(x), rtol=1e-5)


def test_example_is_not_written_into_by_a_model_that_does():
    class Doubles(nn.Module):
        def forward(self, x):
            return x.mul_(2)

    model = lived(nn.Sequential(Doubles(), *stem(), nn.Conv2d(8, 2, 1)))
    x, kept = images(), None
    kept = x.clone()
    cut = plan(model, 0.5, example_input=x)
    small = prune(absorb(model, cut)[0], cut)
    assert torch.equal(x, kept) and small[1].out_channels == 4
    with pytest.raises(ValueError, match="must hold numbers to compare"):
        prune(model, plan(model, 0.5, example_input=x[:0]))


def test_layers_of_an_untraceable_block_that_are_called_elsewhere_stay():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm = nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8)

        def forward(self, x):
            return self.norm(self.conv(x)) if x.sum() < 1e9 else x

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.block = stem(), Block()
            self.last, self.score = nn.Conv2d(8, 6, 1), nn.Conv2d(6, 3, 1)
            self.norm = nn.BatchNorm2d(6)

        def forward(self, x):
            x = self.block(self.stem(x))
            x = self.last(F.relu(self.block.norm(self.block.conv(x))))
            return self.score(F.relu(self.norm(x)))

    model, x = lived(Net()), images()
    cut = plan(model, 0.5, example_input=x)
    assert [*cut.groups] == ["last"]
    assert prune(model, cut)(x).shape == (3, 3, 8, 8)
