"""What must not get into running statistics, and how it is found and healed."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from bnlib import nn as ours
from bnlib.lab import probe
from bnlib.modules import tensors_in
from bnlib.nn.sync import _merge, _part, convert_sync_batch_norm

torch.set_num_threads(1)
NORMS = {"torch": nn.BatchNorm1d, "bnlib": ours.BatchNorm}
every_norm = pytest.mark.parametrize("norm", NORMS.values(), ids=NORMS)


def net(norm=ours.BatchNorm):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), norm(4), nn.ReLU(), nn.Linear(4, 2), norm(2))


def batches(count=3):
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(8, 3, generator=generator) for _ in range(count)]


def unchanged(model, kept):
    state = model.state_dict()
    return all(torch.equal(state[key], kept[key]) for key in kept)


# --- reestimate -----------------------------------------------------------------------


@every_norm
@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_a_batch_that_is_not_finite_is_refused_by_its_number(norm, value):
    model, data = net(norm), batches()
    kept = copy.deepcopy(model.state_dict())
    data[1][2, 1] = value
    text = rf"batch 2 of the loader must be finite, got {value} at index \(2, 1\) \(1 "
    with pytest.raises(ValueError, match=text):
        ours.reestimate(model, data)
    assert unchanged(model, kept)
    assert not any(m._forward_pre_hooks for m in model.modules())


@every_norm
def test_numbers_that_become_nan_inside_the_model_are_refused_where_they_do(norm):
    model = net(norm)
    model[3].bias.data[1] = torch.nan
    kept = {k: v for k, v in copy.deepcopy(model.state_dict()).items() if k[0] != "3"}
    text = "batch 1 of the loader must be finite where it reaches the norm '4'.*nel 1 "
    with pytest.raises(ValueError, match=text):
        ours.reestimate(model, batches())
    assert unchanged(model, kept)


@every_norm
def test_an_empty_batch_is_refused(norm):
    model = norm(3)
    kept = copy.deepcopy(model.state_dict())
    text = r"batch 2 of the loader must hold at least one value.*got shape \(0, 3\)"
    with pytest.raises(ValueError, match=text):
        ours.reestimate(model, [batches()[0], torch.ones(0, 3)])
    assert unchanged(model, kept)


@every_norm
def test_statistics_that_do_not_fit_the_buffers_are_refused(norm):
    model = nn.Sequential(norm(3)).half()
    kept = copy.deepcopy(model.state_dict())
    text = r"the norm '0' must fit into torch.float16, got values up to 1\..e\+06"
    with pytest.raises(ValueError, match=text):
        ours.reestimate(model, [1000 * x.half() for x in batches()])
    assert unchanged(model, kept)
    ours.reestimate(model, [x.half() for x in batches()])
    whole = torch.cat(batches()).half().double()
    assert torch.equal(model[0].running_var, whole.var(0).half())


# --- models with several inputs -------------------------------------------------------


class Pair(nn.Module):
    """Two inputs through one net, as siamese models do."""

    def __init__(self, norm):
        super().__init__()
        self.norm = norm(3)

    def forward(self, a, b):
        return self.norm(a) - self.norm(b)


FORMS = {
    "tuple": lambda a, b, y: ((a, b), y),
    "list": lambda a, b, y: [[a, b], y],
    "dict": lambda a, b, y: {"b": b, "a": a},
    "dict and target": lambda a, b, y: ({"a": a, "b": b}, y),
}


@every_norm
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_batches_may_hold_several_inputs(norm, form):
    model, (a, b, c, d) = Pair(norm), batches(4)
    y = torch.zeros(8)
    seen = ours.reestimate(model, [form(a, b, y), form(c, d + 1, y)])["norm"]
    every = torch.cat([a, b, c, d + 1]).double().numpy()
    assert seen.count == 32
    np.testing.assert_allclose(seen.mean, every.mean(0), rtol=1e-6)
    np.testing.assert_allclose(seen.var, every.var(0), rtol=1e-6)


def test_model_that_takes_a_dict_gets_it_in_a_tuple():
    class Takes(nn.Sequential):
        def forward(self, batch):
            return super().forward(batch["x"][0])

    model, data = Takes(ours.BatchNorm(3)), batches()
    seen = ours.reestimate(model, [(({"x": [x]},), 0) for x in data])["0"]
    assert seen.count == 24


def test_batch_that_does_not_fit_forward_is_refused():
    model, (a, b) = Pair(ours.BatchNorm), batches(2)
    kept = copy.deepcopy(model.state_dict())
    for batch, what in (((a, b), "Tensor for Pair .*'b'"), ({"a": a}, "dict for Pair")):
        with pytest.raises(TypeError, match=f"a tuple of all .* got {what}"):
            ours.reestimate(model, [batch])
    with pytest.raises(TypeError, match="a batch must be a tensor, .* got dict; wrap"):
        ours.reestimate(model, [{"a": 1, "b": 2}])
    b[3, 1] = torch.nan
    with pytest.raises(ValueError, match=r"finite, got nan at index \(3, 1\) \(1 such"):
        ours.reestimate(model, [((a, b), 0)])
    assert unchanged(model, kept)


# --- heal -----------------------------------------------------------------------------


@every_norm
@pytest.mark.parametrize("value", [torch.nan, torch.inf, 1e20])
def test_heal_finds_what_one_bad_batch_has_poisoned(norm, value):
    model, data = net(norm), batches()
    data[1][0, 0] = value
    for x in data:
        model(x)
    sound = net(norm)
    for x in batches():
        sound(x)
    found = ours.heal(model)
    # An inf or a huge value leaves a zero behind it: inf / inf or 1 / inf.
    assert list(found) == (["1"] if value == 1e20 else ["1", "4"])
    assert found["1"].startswith(("running_mean", "running_var"))
    for layer in (model.get_submodule(name) for name in found):
        fresh = norm(layer.num_features).state_dict()
        buffers = dict(layer.named_buffers())
        assert all(torch.equal(buffers[key], fresh[key]) for key in buffers)
    assert ours.heal(model) == {}
    assert ours.heal(sound) == {}
    assert sound[1].running_mean.abs().max() > 0.01, "what is sound stays"


def test_heal_names_the_number_and_the_channel():
    model = nn.ModuleDict({"a": ours.BatchNorm(3), "b": nn.BatchNorm2d(2)})
    model["c"] = nn.InstanceNorm1d(2, track_running_stats=True)
    model["d"] = ours.BatchNorm(2, track_running_stats=False)
    model["e"] = nn.BatchNorm1d(2)
    model["a"].running_var[2] = -0.5
    model["b"].running_var[1] = torch.inf
    model["c"].running_mean[0] = torch.nan
    kept = copy.deepcopy(model["e"].state_dict())
    assert ours.heal(model) == {
        "a": "running_var -0.5 in channel 2",
        "b": "running_var inf in channel 1",
        "c": "running_mean nan in channel 0",
    }
    assert unchanged(model["e"], kept)


@every_norm
def test_heal_with_good_batches_gives_population_statistics(norm):
    model, want = net(norm), net(norm)
    ours.reestimate(want, batches())
    model[4].running_var[0] = torch.nan
    assert list(ours.heal(model, batches())) == ["4"]
    assert unchanged(model, want.state_dict())
    before = copy.deepcopy(model.state_dict())
    assert ours.heal(model, batches(1)) == {}
    assert unchanged(model, before), "nothing was poisoned, so nothing is estimated"


def test_heal_with_a_bad_batch_says_so_and_leaves_sound_numbers():
    model, data = net(), batches()
    model[1].running_mean[0] = torch.nan
    data[0][0, 0] = torch.nan
    with pytest.raises(ValueError, match="batch 1 of the loader must be finite"):
        ours.heal(model, data)
    assert ours.heal(model) == {}


# --- devices without float64 ----------------------------------------------------------


class NoFloat64(TorchFunctionMode):
    """Refuse float64 as Apple's GPUs do, except for what went to the CPU first."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is torch.Tensor.cpu:
            found = args[0].view_as(args[0])
            found.went_to_the_cpu = True
            return found
        result = func(*args, **kwargs)
        made = isinstance(result, torch.Tensor) and result.dtype == torch.float64
        tensors = tensors_in(list(args))
        if made and not any(
            a.dtype == torch.float64 or hasattr(a, "went_to_the_cpu") for a in tensors
        ):
            raise TypeError("Cannot convert a MPS Tensor to float64 dtype")
        return result


def test_the_simulated_device_refuses_float64():
    with NoFloat64(), pytest.raises(TypeError, match="MPS"):
        torch.ones(2).double()
    with NoFloat64():
        assert torch.ones(2).cpu().double().sum() == 2


@every_norm
def test_no_float64_on_the_device_when_statistics_are_estimated(norm):
    model, want = net(norm), net(norm)
    ours.reestimate(want, batches())
    model[1].running_var[0] = torch.nan
    with NoFloat64():
        assert list(ours.heal(model, batches())) == ["1"]
    assert unchanged(model, want.state_dict())


def test_no_float64_on_the_device_when_ranks_exchange_their_parts():
    x = batches()[0]
    with NoFloat64():
        part = _part(x)
        _, mean, _ = _merge(part[None])
        convert_sync_batch_norm(net())(x).sum().backward()
    assert part.dtype == torch.float64 and part[0] == 8
    assert torch.allclose(mean.float(), x.mean(0))


def test_no_float64_on_the_device_in_probes():
    model, x = net(), batches()[0]
    y = torch.zeros(8, dtype=torch.int64)
    with NoFloat64():
        found = probe.landscape(model, x, y)
    assert found["gradient_change"] > 0
