"""The wiring of channels: what belongs together, what stays, what is refused."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations

from bnlib.lab.models import depthwise_net, residual_net, vgg
from bnlib.slimming import plan
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
    wiring = trace(vgg((8, "M", 16), dtype=torch.float32), X)
    assert list(wiring.inputs) == ["0", "4", "9"]
    assert wiring.norms == ("1", "5")
    for conv, norm, after in (("0", "1", "4"), ("4", "5", "9")):
        ids = wiring.outputs[conv].tolist()
        assert ids == wiring.outputs[norm].tolist() == wiring.inputs[after].tolist()
        assert {wiring.producers[i] for i in ids} == {(conv,)}
        assert not set(ids) & set(wiring.fixed)
    assert {wiring.fixed[i] for i in wiring.outputs["9"]} == {
        "it is an output of the model"
    }
    assert wiring.fixed[int(wiring.inputs["0"][0])] == "it is an input of the model"


@pytest.mark.parametrize("order", ["pre", "post"])
def test_stream_of_a_residual_net_is_one_set_of_channels(order):
    net = residual_net(3, 6, order=order, dtype=torch.float32)
    wiring = trace(net, X)
    stem = wiring.outputs["0"].tolist()
    convs = [n for n, m in net.named_modules() if isinstance(m, nn.Conv2d)]
    inside, last = convs[1::2], convs[2::2]
    for name in last:
        assert wiring.outputs[name].tolist() == stem
    for name in inside:
        assert wiring.inputs[name].tolist() == stem
        assert not set(wiring.outputs[name].tolist()) & set(stem)
    assert wiring.producers[stem[0]] == ("0", *last)


def test_depthwise_layer_shares_the_channels_of_its_input():
    wiring = trace(depthwise_net(6, 2, dtype=torch.float32), X)
    assert wiring.outputs["3"].tolist() == wiring.outputs["0"].tolist()
    assert "3" not in wiring.inputs
    assert wiring.outputs["6"].tolist() != wiring.outputs["3"].tolist()


def test_flatten_repeats_each_channel_for_its_positions():
    wiring = trace(block(nn.Flatten(), nn.Linear(8 * 64, 3)), X)
    ids = wiring.outputs["0"].repeat(64)
    assert wiring.inputs["3"].tolist() == ids.tolist()


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


LOST = {
    "'2' (GroupNorm)": block(nn.GroupNorm(2, 8), nn.Conv2d(8, 2, 1)),
    "'2' (Conv2d): it has 2 groups": block(nn.Conv2d(8, 8, 1, groups=2)),
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
    "'permute' in": Written(lambda x: x.permute(0, 3, 2, 1), nn.Conv2d(8, 4, 1)),
    "'view' in the model's forward: it is written for 512 features": Written(
        lambda x: x.view(2, 512), nn.Linear(512, 2)
    ),
    "'mean' in": Written(lambda x: x.mean(1, keepdim=True), nn.Conv2d(1, 4, 1)),
    "'cat' in": Written(lambda x: torch.cat([x, x], 2)),
}


@pytest.mark.parametrize("where", LOST)
def test_what_mixes_channels_is_refused_by_name(where):
    with pytest.raises(ValueError, match="channels behind a norm must") as refusal:
        plan(LOST[where], 0.5, example_input=X)
    assert f"got {where}" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_function_in_a_part_of_the_model_names_the_part():
    model = nn.Sequential(block(), Written(lambda x: x, nn.Conv2d(8, 8, 1)))
    model[1].stem, model[1].norm = nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8)
    model[1].function = lambda x: x.flip(1)
    with pytest.raises(ValueError, match="'flip' in module '1'"):
        trace(model, X)


def test_parameter_of_the_readers_own_is_refused_by_name():
    class Scaled(Written):
        def __init__(self):
            super().__init__(lambda x: x)
            self.scale = nn.Parameter(torch.ones(1, 8, 1, 1))

        def forward(self, x):
            return self.last(self.norm(self.stem(x)) * self.scale)

    with pytest.raises(ValueError, match="got 'scale' in the model's forward"):
        trace(Scaled(), X)


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
    wiring = trace(nn.BatchNorm2d(1), X)
    assert wiring.norms == ("0",)


def test_model_keeps_mode_and_statistics():
    model = block(nn.ReLU()).train()
    before = model[1].running_mean.clone()
    trace(model, 5 + X)
    assert model.training
    assert torch.equal(model[1].running_mean, before)
