"""The wiring of channels: what belongs together, what stays, what is refused."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations

from bnlib.lab.models import depthwise_net, residual_net, vgg
from bnlib.slimming import plan, prune, wiring
from bnlib.slimming.wiring import trace

X = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def block(*behind, channels=8):
    """Return a convolution with norm and then whatever is to be tried."""
    stem = nn.Conv2d(1, channels, 3, padding=1), nn.BatchNorm2d(channels)
    return nn.Sequential(*stem, *behind)


class Written(nn.Module):
    """A convolution with norm, then a function of the reader's own, then a layer."""

    def __init__(self, function, last=None):
        super().__init__()
        self.stem, self.norm = nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.function, self.last = function, last or nn.Conv2d(8, 4, 1)

    def forward(self, x):
        return self.last(self.function(self.norm(self.stem(x))))


def test_vgg_wiring_layer_by_layer():
    found = trace(vgg((8, "M", 16), dtype=torch.float32), X)
    assert list(found.inputs) == ["0", "4", "9"]
    assert found.norms == ("1", "5")
    for conv, norm, after in (("0", "1", "4"), ("4", "5", "9")):
        ids = found.outputs[conv].tolist()
        assert ids == found.outputs[norm].tolist() == found.inputs[after].tolist()
        assert {found.producers[i] for i in ids} == {(conv,)}
        assert not set(ids) & set(found.fixed)
    assert {found.fixed[i] for i in found.outputs["9"]} == {
        "it is an output of the model"
    }
    assert found.fixed[int(found.inputs["0"][0])] == "it is an input of the model"


@pytest.mark.parametrize("order", ["pre", "post"])
def test_stream_of_a_residual_net_is_one_set_of_channels(order):
    net = residual_net(3, 6, order=order, dtype=torch.float32)
    found = trace(net, X)
    stem = found.outputs["0"].tolist()
    convs = [n for n, m in net.named_modules() if isinstance(m, nn.Conv2d)]
    inside, last = convs[1::2], convs[2::2]
    for name in last:
        assert found.outputs[name].tolist() == stem
    for name in inside:
        assert found.inputs[name].tolist() == stem
        assert not set(found.outputs[name].tolist()) & set(stem)
    assert found.producers[stem[0]] == ("0", *last)


def test_depthwise_layer_shares_the_channels_of_its_input():
    found = trace(depthwise_net(6, 2, dtype=torch.float32), X)
    assert found.outputs["3"].tolist() == found.outputs["0"].tolist()
    assert "3" not in found.inputs
    assert found.outputs["6"].tolist() != found.outputs["3"].tolist()


def test_flatten_repeats_each_channel_for_its_positions():
    found = trace(block(nn.Flatten(), nn.Linear(8 * 64, 3)), X)
    ids = found.outputs["0"].repeat(64)
    assert found.inputs["3"].tolist() == ids.tolist()


SEPARATE = {
    "functions": lambda x: F.max_pool2d(F.leaky_relu(F.relu(x), 0.1), 2),
    "methods": lambda x: x.relu().clamp(max=3).contiguous(),
    "numbers": lambda x: (2 * x + 1) / 3 - 0.5,
    "gate": lambda x: x * torch.sigmoid(x.mean((2, 3), keepdim=True)),
    "padding": lambda x: F.pad(x, (1, 1, 1, 1)),
    "two paths": lambda x: torch.relu(x) - F.avg_pool2d(x, 3, 1, 1),
}


@pytest.mark.parametrize("name", SEPARATE)
def test_functions_that_leave_channels_apart(name):
    cut = plan(Written(SEPARATE[name]), 0.5, example_input=X)
    assert list(cut.groups) == ["stem"]


# --- every name that the walk lets pass -----------------------------------------------

PLAIN = """
    ReLU ReLU6 LeakyReLU ELU CELU SELU GELU SiLU Mish Softplus Softsign Sigmoid Tanh
    Hardtanh Hardsigmoid Hardswish PReLU Identity
    Dropout Dropout1d Dropout2d Dropout3d AlphaDropout
"""
WITH_SIZE = """
    MaxPool1d MaxPool2d MaxPool3d AdaptiveMaxPool1d AdaptiveMaxPool2d AdaptiveMaxPool3d
    AvgPool1d AvgPool2d AvgPool3d AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d
    ZeroPad1d ZeroPad2d ZeroPad3d ReflectionPad1d ReflectionPad2d ReplicationPad2d
"""


@torch.fx.wrap
def stochastic_depth(x):
    """Stand for torchvision's function, which is the identity in eval mode."""
    return x


ARGUMENTS = {
    **dict.fromkeys(PLAIN.split(), ()),
    **dict.fromkeys(WITH_SIZE.split(), (2,)),
    **dict.fromkeys(("Upsample", "UpsamplingNearest2d"), (None, 2)),
}
LINES = {  # functions and methods of data with one axis behind the channels
    "dropout1d": lambda x: F.dropout1d(x, 0.5, training=False),
    "max_pool1d": lambda x: F.max_pool1d(x, 2),
    "avg_pool1d": lambda x: F.avg_pool1d(x, 2),
    "adaptive_max_pool1d": lambda x: F.adaptive_max_pool1d(x, 2),
    "adaptive_avg_pool1d": lambda x: F.adaptive_avg_pool1d(x, 2),
}
VOLUMES = {
    "max_pool3d": lambda x: F.max_pool3d(x, 2),
    "avg_pool3d": lambda x: F.avg_pool3d(x, 2),
    "adaptive_max_pool3d": lambda x: F.adaptive_max_pool3d(x, 2),
    "adaptive_avg_pool3d": lambda x: F.adaptive_avg_pool3d(x, 2),
}
FUNCTIONS = {
    "relu": F.relu,
    "relu_": lambda x: x.relu_(),
    "relu6": lambda x: F.relu6(x),
    "leaky_relu": lambda x: F.leaky_relu(x, 0.2),
    "elu": lambda x: F.elu(x),
    "celu": lambda x: F.celu(x),
    "selu": lambda x: F.selu(x),
    "gelu": lambda x: F.gelu(x),
    "silu": lambda x: F.silu(x),
    "mish": lambda x: F.mish(x),
    "softplus": lambda x: F.softplus(x),
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "hardtanh": lambda x: F.hardtanh(x),
    "hardsigmoid": lambda x: F.hardsigmoid(x),
    "hardswish": lambda x: F.hardswish(x),
    "clamp": lambda x: x.clamp(max=1),
    "abs": torch.abs,
    "neg": torch.neg,
    "exp": torch.exp,
    "sqrt": lambda x: torch.sqrt(x * x + 1),
    "dropout": lambda x: F.dropout(x, 0.5, training=False),
    "dropout2d": lambda x: F.dropout2d(x, 0.5, training=False),
    "contiguous": lambda x: x.contiguous(),
    "clone": lambda x: x.clone(),
    "detach": lambda x: x.detach(),
    "float": lambda x: x.float(),
    "stochastic_depth": lambda x: stochastic_depth(x),
    "double": lambda x: x.double().float(),
    "to": lambda x: x.to(torch.float32),
    "interpolate": lambda x: F.interpolate(x, scale_factor=2),
    "pad": lambda x: F.pad(x, (1, 1, 1, 1)),
    "max_pool2d": lambda x: F.max_pool2d(x, 2),
    "avg_pool2d": lambda x: F.avg_pool2d(x, 2),
    "adaptive_max_pool2d": lambda x: F.adaptive_max_pool2d(x, 2),
    "adaptive_avg_pool2d": lambda x: F.adaptive_avg_pool2d(x, 2),
}
COUPLING = {
    "add": lambda x: x + x.relu(),
    "add_": lambda x: x.relu().add_(x),
    "sub": lambda x: x - x.tanh(),
    "mul": lambda x: x * x.tanh(),
    "mul_": lambda x: x.relu().mul_(x),
    "truediv": lambda x: x / (1 + x.abs()),
    "div": lambda x: torch.div(x, 1 + x.abs()),
    "maximum": lambda x: torch.maximum(x, -x),
}
TO_LINEAR = {
    "flatten": lambda x: torch.flatten(x, 1),
    "view": lambda x: x.view(x.size(0), -1),
    "reshape": lambda x: x.reshape(x.size(0), -1),
    "mean": lambda x: x.mean((2, 3)),
    "sum": lambda x: x.sum((2, 3)),
    "amax": lambda x: x.amax((2, 3)),
    "amin": lambda x: x.amin((2, 3)),
    "squeeze": lambda x: F.adaptive_avg_pool2d(x, 1).squeeze(-1).squeeze(-1),
}
CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
NORMS = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}


def test_cases_are_all_names_that_the_walk_lets_pass():
    def are(names, *cases):
        return sorted(names.split()) == sorted(name for case in cases for name in case)

    assert are(wiring.CHANNELWISE_MODULES, ARGUMENTS)
    assert are(wiring.CHANNELWISE_FUNCTIONS, LINES, FUNCTIONS, VOLUMES)
    assert are(wiring.COUPLING_FUNCTIONS, COUPLING)
    reshaping = f"{wiring.RESHAPING_FUNCTIONS} {wiring.REDUCING_FUNCTIONS}"
    assert are(reshaping, TO_LINEAR)


def assert_prunes(dims, function, name=None, last=None):
    """Take 3 of 8 channels out of a stem whose output goes through ``function``."""
    torch.manual_seed(0)
    x = torch.randn(2, 1, *[6] * dims)
    model = Written(function, last or CONVOLUTIONS[dims](8, 4, 1)).eval()
    model.stem, model.norm = CONVOLUTIONS[dims](1, 8, 3), NORMS[dims](8)
    nn.init.normal_(model.norm.weight)
    nn.init.uniform_(model.norm.bias, 0.5, 2)  # so that no channel is silent
    model = model.eval()
    found = trace(model, x)
    names = {wiring._name(n) for n in found.graph.nodes if "call" in n.op}
    assert name is None or name in names  # the case is about what it says
    cut = plan(model, 3 / 8, floor=0, example_input=x)
    kept = cut.groups["stem"].kept
    masked = copy.deepcopy(model)
    masked.norm.weight.data[~kept] = masked.norm.bias.data[~kept] = 0
    each = masked.last.weight.shape[1] // 8
    masked.last.weight.data[:, ~kept.repeat_interleave(each)] = 0
    with torch.no_grad():
        want = masked(x)
        torch.testing.assert_close(prune(model, cut)(x), want)
        assert not torch.allclose(model(x), want, rtol=1e-2)
    assert int(kept.sum()) == 5


@pytest.mark.parametrize("name", ARGUMENTS)
def test_channelwise_module_is_pruned_through(name):
    dims = int(name[-2]) if name[-2:] in ("1d", "2d", "3d") else 2
    assert_prunes(dims, getattr(nn, name)(*ARGUMENTS[name]))


@pytest.mark.parametrize("name", [*LINES, *FUNCTIONS, *VOLUMES, *COUPLING])
def test_channelwise_function_is_pruned_through(name):
    dims = 1 if name in LINES else 3 if name in VOLUMES else 2
    assert_prunes(dims, (LINES | FUNCTIONS | VOLUMES | COUPLING)[name], name)


@pytest.mark.parametrize("name", TO_LINEAR)
def test_function_before_a_linear_layer_is_pruned_through(name):
    positions = 16 if name in ("flatten", "view", "reshape") else 1
    assert_prunes(2, TO_LINEAR[name], name, nn.Linear(8 * positions, 3))


CONCATENATED = {
    "axis 1": lambda x: torch.cat([x.relu(), x.tanh()], 1),
    "axis -3": lambda x: torch.cat([x.relu(), x.tanh()], dim=-3),
    "concat": lambda x: torch.concat((x.relu(), x.tanh()), dim=1),
    "by keyword": lambda x: torch.cat(tensors=[x.relu(), x.tanh()], dim=1),
    "with itself": lambda x: torch.cat([x, x], 1),
}


@pytest.mark.parametrize("name", CONCATENATED)
def test_concatenated_channels_follow_each_other(name):
    model, x = Written(CONCATENATED[name], nn.Conv2d(16, 3, 1)).eval(), X
    nn.init.normal_(model.norm.weight)
    ids = trace(model, x).outputs["stem"].tolist()
    assert trace(model, x).inputs["last"].tolist() == [*ids, *ids]
    cut = plan(model, 0.5, example_input=x)
    kept = cut.groups["stem"].kept
    masked = copy.deepcopy(model)
    masked.norm.weight.data[~kept] = masked.norm.bias.data[~kept] = 0
    with torch.no_grad():
        torch.testing.assert_close(prune(model, cut)(x), masked(x))


def test_order_of_concatenated_tensors_is_that_of_the_call():
    def three(x):
        return torch.cat([x, F.relu(x), x], 1)

    found = trace(Written(three, nn.Conv2d(24, 3, 1)), X)
    assert found.inputs["last"].tolist() == found.outputs["stem"].tolist() * 3


def test_walk_that_misunderstands_an_operation_ends_in_a_sentence(monkeypatch):
    monkeypatch.setattr(wiring._Walk, "_call_method", lambda *_: [0, 1, 2])
    model = Written(lambda x: x.repeat(1, 2, 1, 1), nn.Conv2d(16, 3, 1))
    with pytest.raises(ValueError, match="'repeat' in the model's forward: it does"):
        plan(model, 0.5, example_input=X)


# --- what is refused ------------------------------------------------------------------

LOST = {
    "'2' (GroupNorm)": block(nn.GroupNorm(2, 8), nn.Conv2d(8, 2, 1)),
    "'2' (PixelShuffle)": block(nn.PixelShuffle(2), nn.Conv2d(2, 2, 1)),
    "'2' (Linear): its input has 4": block(nn.Linear(8, 4), nn.Conv2d(8, 2, 1)),
    "'2' (Softmax2d)": block(nn.Softmax2d(), nn.Conv2d(8, 2, 1)),
    "'2' (ParametrizedConv2d): its weight is parametrized": block(
        parametrizations.weight_norm(nn.Conv2d(8, 2, 1))
    ),
    "'flip' in the model's forward": Written(lambda x: x.flip(1)),
    "'softmax' in the model's forward": Written(lambda x: F.softmax(x, 1)),
    "'chunk' in the model's forward": Written(
        lambda x: x.chunk(2, 1)[0] * 1.0, nn.Conv2d(4, 4, 1)
    ),
    "'pad' in": Written(lambda x: F.pad(x, (0, 0, 0, 0, 1, 1)), nn.Conv2d(10, 4, 1)),
    "'sum' in": Written(lambda x: x.sum(0)),  # channels first: (8, 8, 8)
    "'split' in the model's forward": Written(lambda x: torch.cat(x.split(4, 1), 1)),
    "'permute' in": Written(lambda x: x.permute(0, 3, 2, 1), nn.Conv2d(8, 4, 1)),
    "'view' in the model's forward: it is written for 512 features": Written(
        lambda x: x.view(2, 512), nn.Linear(512, 2)
    ),
    "'amax' in": Written(lambda x: x.amax(1, keepdim=True), nn.Conv2d(1, 4, 1)),
    "'mul' in the model's forward: it repeats one channel for all": Written(
        lambda x: x * x[:, :1].detach()
    ),
    "'mean' in": Written(lambda x: x.mean(1, keepdim=True), nn.Conv2d(1, 4, 1)),
    "'cat' in": Written(lambda x: torch.cat([x, x], 2)),
}


@pytest.mark.parametrize("where", LOST)
def test_what_mixes_channels_is_named_if_nothing_else_may_go(where):
    text = "must have a norm with gamma whose channels may go, got none; "
    with pytest.raises(ValueError, match=text) as refusal:
        plan(LOST[where], 0.5, example_input=X)
    assert f"it reaches {where}" in str(refusal.value)
    assert "\n" not in str(refusal.value)


class Beside(nn.Module):
    """Two nets, of which one holds what mixes its channels."""

    def __init__(self, lost):
        super().__init__()
        self.free, self.lost = block(nn.ReLU(), nn.Conv2d(8, 3, 1)), lost

    def forward(self, x):
        return self.free(x), self.lost(x)


@pytest.mark.parametrize("where", LOST)
def test_what_mixes_channels_fixes_them_and_leaves_the_rest(where):
    torch.manual_seed(0)
    model = Beside(copy.deepcopy(LOST[where])).eval()
    nn.init.normal_(model.free[1].weight)
    cut = plan(model, 0.5, example_input=X)
    assert list(cut.groups) == ["free.0"]
    (name, why) = next(iter(cut.fixed.items()))
    # Of two layers in Sequentials, the second one: names are those in the whole net.
    assert why.startswith("it reaches") and where.split("'")[1] in why
    small = prune(model, cut)
    assert small.free[0].out_channels == 4
    torch.testing.assert_close(small(X)[1], model(X)[1])


def test_many_reasons_are_cut_short():
    model = nn.ModuleList(block(nn.GroupNorm(2, 8)) for _ in range(5))

    class All(nn.Module):
        def __init__(self):
            super().__init__()
            self.parts = model

        def forward(self, x):
            return [part(x) for part in self.parts]

    with pytest.raises(ValueError, match=r"'parts.2.2' .*; and 2 others$"):
        plan(All().eval(), 0.5, example_input=X)


def test_function_in_a_part_of_the_model_names_the_part():
    model = nn.Sequential(block(), Written(lambda x: x, nn.Conv2d(8, 8, 1)))
    model[1].stem, model[1].norm = nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8)
    model[1].function = lambda x: x.flip(1)
    model.append(nn.BatchNorm2d(8)).append(nn.Conv2d(8, 2, 1))
    cut = plan(model.eval(), 0.5, example_input=X)
    assert list(cut.groups) == ["0.0", "1.last"]
    assert cut.fixed["1.stem"].startswith("it reaches 'flip' in module '1': it does")


def test_parameter_of_the_readers_own_fixes_what_it_meets():
    class Scaled(Written):
        def __init__(self):
            super().__init__(lambda x: x)
            self.scale = nn.Parameter(torch.ones(1, 8, 1, 1))

        def forward(self, x):
            return self.last(self.norm(self.stem(x)) * self.scale)

    found = trace(Scaled(), X)
    assert found.fixed[int(found.outputs["stem"][0])].startswith("it reaches 'scale'")


def test_what_comes_before_or_behind_all_norms_may_mix():
    class Framed(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = vgg((8, "M", 16), dtype=torch.float32)

        def forward(self, x):
            return F.log_softmax(self.body(x.flip(1)), 1)

    assert list(plan(Framed(), 0.5, example_input=X).groups) == ["body.0", "body.4"]


def test_model_that_cannot_be_traced_is_refused():
    def decide(x):
        return x if x.sum() > 0 else -x

    with pytest.raises(ValueError, match="must be traceable by torch.fx, got Written"):
        trace(Written(decide), X)


def test_single_norm_or_layer_can_be_traced():
    found = trace(nn.BatchNorm2d(1), X)
    assert found.norms == ("0",)


def test_model_keeps_mode_and_statistics():
    model = block(nn.ReLU()).train()
    before = model[1].running_mean.clone()
    trace(model, 5 + X)
    assert model.training
    assert torch.equal(model[1].running_mean, before)
