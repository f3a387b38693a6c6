"""What several rooms ask about PyTorch modules."""

import math

import pytest
import torch
from torch import nn

from bnlib import nn as ours
from bnlib.lab.noisy import NoisyBatchNorm
from bnlib.modules import (
    Tracer,
    as_inputs,
    call,
    copied,
    has_running_statistics,
    in_float64,
    is_batch_norm,
    is_channel_norm,
    keep_modes,
    poisoned,
    refuse_not_finite,
    relative_difference,
    tensors_in,
)


class OwnNorm(nn.Module):
    """A batch norm as a reader writes it, without a class to be known by."""

    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias, self.eps = nn.Parameter(torch.zeros(channels)), 1e-5
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x):
        use = (x.mean(0), x.var(0, False)) if self.training else self.running()
        return self.weight * (x - use[0]) / (use[1] + self.eps).sqrt() + self.bias

    def running(self):
        return self.running_mean, self.running_var


BATCH_NORMS = [
    nn.BatchNorm1d(3),
    nn.BatchNorm2d(3, affine=False),
    nn.BatchNorm3d(3, track_running_stats=False),
    nn.SyncBatchNorm(3),
    nn.LazyBatchNorm1d(),
    ours.BatchNorm(3),
    ours.BatchNorm(3, track_running_stats=False),
    ours.GhostBatchNorm(4, 2),
    NoisyBatchNorm(3),
    ours.SyncBatchNorm(3),
    OwnNorm(3),
]
INSTANCE_NORMS = [
    nn.InstanceNorm2d(3),
    nn.InstanceNorm2d(3, affine=True, track_running_stats=True),
    ours.InstanceNorm(3),
    ours.InstanceNorm(3, affine=True, track_running_stats=True),
]
OTHERS = [
    nn.GroupNorm(1, 3),
    ours.GroupNorm(1, 3),
    nn.LayerNorm(3),
    ours.LayerNorm(3),
    ours.RMSNorm(3),
    nn.Conv2d(3, 3, 1),
    nn.Sequential(nn.BatchNorm1d(3)),
]


@pytest.mark.parametrize("module", [*BATCH_NORMS, *INSTANCE_NORMS, *OTHERS], ids=repr)
def test_batch_norms_are_told_from_their_relatives(module):
    assert is_batch_norm(module) == (module in BATCH_NORMS)
    assert is_channel_norm(module) == (module not in OTHERS)
    kept = getattr(module, "running_mean", None) is not None
    assert has_running_statistics(module) == kept


def test_own_batch_norm_is_reestimated_and_not_silently_left_unsynchronized():
    model = nn.Sequential(nn.Linear(2, 3), OwnNorm(3)).double()
    x = 4 + torch.randn(50, 2).double()
    ours.reestimate(model, x.split([20, 30]))
    z = model[0](x).detach()
    torch.testing.assert_close(model[1].running_mean, z.mean(0))
    torch.testing.assert_close(model[1].running_var, z.var(0))
    with pytest.raises(TypeError, match="got OwnNorm as '1'; replace it before"):
        ours.convert_sync_batch_norm(model)


def test_instance_norm_is_neither_reestimated_nor_synchronized():
    norm = nn.InstanceNorm2d(3, affine=True, track_running_stats=True)
    model = nn.Sequential(norm, nn.BatchNorm2d(3))
    assert list(ours.reestimate(model, [torch.randn(4, 3, 5, 5)])) == ["1"]
    assert torch.equal(norm.running_mean, torch.zeros(3))
    assert type(ours.convert_sync_batch_norm(model)[0]) is nn.InstanceNorm2d


def test_layers_called_by_keyword_are_reestimated():
    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = nn.BatchNorm1d(3)

        def forward(self, x):
            return self.norm(input=x)

    model, x = Named(), 3 + torch.randn(20, 3)
    ours.reestimate(model, [x])
    torch.testing.assert_close(model.norm.running_mean, x.mean(0))


def test_modes_come_back_one_by_one_also_after_an_error():
    model = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.ReLU(), nn.Dropout()))
    model[1][1].eval()
    before = [m.training for m in model.modules()]
    assert len(set(before)) == 2
    with keep_modes(model) as same:
        assert same is model
        model.eval()
    assert [m.training for m in model.modules()] == before
    with pytest.raises(KeyError), keep_modes(model):
        model.eval()
        raise KeyError
    assert [m.training for m in model.modules()] == before


def test_inputs_and_tensors_of_any_structure():
    x, n = torch.ones(2), torch.ones(2, dtype=torch.int64)
    assert torch.equal(as_inputs(x)[0], x) and as_inputs(x)[0] is not x
    assert [type(v) for v in as_inputs((x, n))] == [type(x), type(n)]
    found = tensors_in({"a": [x, (n, 3)], "b": None, "c": (2 * x,)})
    assert [t.tolist() for t in found] == [[1, 1], [2, 2]]


def test_difference_is_the_largest_in_units_of_its_tensor():
    want = torch.tensor([1.0, -4.0]).double(), torch.tensor([100.0]).double()
    got = want[0] + torch.tensor([0.0, 1e-10]), want[1] + 1e-10
    difference, to_rounding = relative_difference(got, want)
    assert difference == pytest.approx(2.5e-11, rel=1e-3)
    assert to_rounding
    assert relative_difference(want, want) == (0, True)
    assert not relative_difference((want[0] * (1 + 1e-7), want[1]), want)[1]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_nan_anywhere_is_a_difference(place):
    want = [torch.ones(2), torch.ones(3), torch.ones(4)]
    got = [t.clone() for t in want]
    got[place][-1] = math.nan
    difference, to_rounding = relative_difference(got, want)
    assert math.isnan(difference)
    assert not to_rounding


def test_each_tensor_is_measured_by_its_own_precision():
    half, double = torch.ones(2).half(), torch.ones(2).double()
    got = half * 1.01, double
    assert relative_difference(got, (half, double))[1]
    assert not relative_difference((half, double * 1.01), (half, double))[1]


def test_other_shapes_are_infinitely_far():
    assert relative_difference(torch.ones(2), torch.ones(1)) == (math.inf, False)
    assert relative_difference([], torch.ones(1)) == (math.inf, False)


def test_the_first_poisoned_number_is_named():
    norm = OwnNorm(3)
    assert poisoned(norm) == ""
    norm.weight.data[0] = math.inf
    assert poisoned(norm) == "", "parameters only if asked for"
    assert poisoned(norm, ("weight", "bias")) == "weight inf in channel 0"
    norm.running_mean[1] = -3.0  # a mean may be negative
    norm.running_var[2] = -1e-9
    assert poisoned(norm) == "running_var -1e-09 in channel 2"
    norm.running_mean[1] = math.nan
    assert poisoned(norm) == "running_mean nan in channel 1"
    assert poisoned(nn.BatchNorm1d(3, track_running_stats=False)) == ""


def test_zero_differs_from_zero_by_nothing():
    assert relative_difference(torch.zeros(2), torch.zeros(2)) == (0, True)


def test_tracer_stops_at_norms_and_looks_into_own_modules_if_asked():
    class Doubled(nn.Module):
        def forward(self, x):
            return 2 * x

    model = nn.Sequential(nn.Linear(3, 3), Doubled(), OwnNorm(3))

    def calls(tracer):
        return [n.target for n in tracer.trace(model).nodes if n.op == "call_module"]

    assert calls(Tracer()) == ["0", "2"]
    assert calls(Tracer(look_inside=False)) == ["0", "1", "2"]


class Difference(nn.Module):
    def forward(self, a, b):
        return a - b


@pytest.mark.parametrize("inputs", [(3.0, 1.0), {"b": 1.0, "a": 3.0}], ids=type)
def test_call_takes_all_arguments_in_order_or_by_name(inputs):
    assert call(Difference(), inputs) == 2.0
    assert call(nn.Identity(), torch.ones(2)).sum() == 2


@pytest.mark.parametrize("inputs", [1.0, (1.0,), {"a": 1.0, "c": 2.0}], ids=str)
def test_call_refuses_what_does_not_fit_forward(inputs):
    kind = type(inputs).__name__
    with pytest.raises(TypeError, match=f"by name, got {kind} for Difference .[mg]"):
        call(Difference(), inputs)


@pytest.mark.parametrize("share", [False, True])
def test_copy_shares_no_hook_that_comes_later(share):
    model = nn.Sequential(nn.Linear(2, 2), OwnNorm(2))
    model[0].register_forward_hook(print)
    new = copied(model, share=share)
    assert list(new[0]._forward_hooks.values()) == [print]
    assert (new[0].weight is model[0].weight) is share
    assert new[1].running_mean is not model[1].running_mean
    new[1].register_forward_hook(print)
    new[1].register_buffer("more", torch.zeros(1))
    assert not model[1]._forward_hooks and not hasattr(model[1], "more")


def test_copy_holds_what_the_memo_says():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[1].weight = model[0].weight
    other = nn.Parameter(torch.zeros(1, 2))
    new = copied(model, memo={id(model[0].weight): other})
    assert new[0].weight is other and new[1].weight is other
    assert model[0].weight is not other


def test_tracer_says_what_it_took_as_a_whole():
    class Decides(nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    tracer = Tracer(get_on=True)
    tracer.trace(nn.Sequential(nn.ReLU(), nn.Sequential(Decides())))
    assert list(tracer.whole) == ["1.0"] and "control flow" in tracer.whole["1.0"]


def test_variance_of_0_is_sound_with_eps_only():
    norm = OwnNorm(2)
    norm.running_var[1] = 0
    assert poisoned(norm) == ""
    norm.eps = 0.0
    assert poisoned(norm) == "running_var 0 in channel 1 (eps 0)"


def test_outputs_without_values_prove_nothing():
    empty = torch.ones(0, 3)
    with pytest.raises(
        ValueError, match=r"numbers to compare, got shape \(0, 3\); pass"
    ):
        refuse_not_finite([empty])
    refuse_not_finite((empty, torch.ones(1)))
    assert relative_difference((empty, torch.ones(1)), (empty, torch.ones(1)))[0] == 0


def test_float64_holds_the_same_values_and_takes_no_copy_of_its_own():
    x = torch.tensor([0.1, 1e-40, -3e38])
    assert in_float64(x).dtype == torch.float64
    assert in_float64(x).tolist() == x.tolist()
    y = x.double()
    assert in_float64(y) is y
