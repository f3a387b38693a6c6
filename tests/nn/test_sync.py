"""Synchronized batch norm in real processes against one with the whole batch."""

import copy
import inspect
from pathlib import Path

import pytest
import sync_cases as cases
import torch
from torch import nn

from bnlib.lab.launch import launch
from bnlib.nn import BatchNorm, GhostBatchNorm, GroupNorm
from bnlib.nn.sync import SyncBatchNorm, _part, convert_sync_batch_norm
from tests.forked_ranks import fork_ranks

WORKER = Path(cases.__file__)
LIMIT = 1e-12
each_layer_case = pytest.mark.parametrize(
    ("size", "name"), [(n, name) for n in cases.PARTS for name in cases.layer_cases(n)]
)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What every rank has found: one start of 2 and one of 3 processes for all."""
    found = {}
    for size in cases.PARTS:
        folder = tmp_path_factory.mktemp(f"ranks{size}")
        with pytest.MonkeyPatch.context() as monkeypatch:
            fork_ranks(monkeypatch)
            launch(WORKER, size, arguments=[folder], time_limit=240)
        found[size] = [torch.load(folder / f"{rank}.pt") for rank in range(size)]
    return found


def close(got, want, limit=LIMIT):
    assert got.shape == want.shape
    assert got.dtype == want.dtype
    scale = want.abs().max().item() if want.numel() else 1
    assert want.numel() == 0 or scale > 1e-3, "this is ~0: it tests nothing"
    assert got.isfinite().all()
    assert want.numel() == 0 or (got - want).abs().max() <= limit * max(scale, 1)


# --- equality with the whole batch ----------------------------------------------------


@each_layer_case
@pytest.mark.parametrize("what", ["y", "d_x"])
def test_output_and_input_gradient_are_the_whole_batchs(results, size, name, what):
    wanted = cases.run_layer(*cases.layer_cases(size)[name])
    ranks = [found[name] for found in results[size]]
    for step, whole in enumerate(wanted):
        close(torch.cat([steps[step][what] for steps in ranks]), whole[what])


@each_layer_case
def test_parameter_gradients_add_up_to_the_whole_batchs(results, size, name):
    wanted = cases.run_layer(*cases.layer_cases(size)[name])
    ranks = [found[name] for found in results[size]]
    for step, whole in enumerate(wanted):
        for gradient in {"d_weight", "d_bias"} & whole.keys():
            total = sum(steps[step][gradient] for steps in ranks)
            close(total, whole[gradient])


@each_layer_case
def test_running_statistics_are_the_whole_batchs_on_every_rank(results, size, name):
    wanted = cases.run_layer(*cases.layer_cases(size)[name])
    for found in results[size]:
        for step, whole in enumerate(wanted):
            for buffer in {"running_mean", "running_var"} & whole.keys():
                close(found[name][step][buffer], whole[buffer])
            key = "num_batches_tracked"
            assert found[name][step].get(key) == whole.get(key)
            assert found[name][step].keys() == whole.keys()


@pytest.mark.parametrize("name", ["dense-last-empty", "images-last-empty"])
def test_empty_part_has_empty_output_and_zero_parameter_gradients(results, name):
    for step in results[2][1][name]:
        shape = cases.layer_cases(2)[name][0]
        assert step["y"].shape == step["d_x"].shape == (0, *shape)
        assert not step["d_weight"].any() and not step["d_bias"].any()


def test_a_group_of_some_ranks_shares_among_them_only(results):
    ranks = [results[3][rank]["subgroup"] for rank in (0, 2)]
    for step, whole in enumerate(cases.run_layer(*cases.SUBGROUP)):
        for what in ("y", "d_x"):
            close(torch.cat([steps[step][what] for steps in ranks]), whole[what])
        for steps in ranks:
            close(steps[step]["running_var"], whole["running_var"])


def test_ranks_agree_to_the_bit(results):
    first, second = (found["trained"] for found in results[2])
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("name", ["trained", "parallel"])
def test_training_steps_equal_those_with_the_whole_batch(results, name):
    wanted = cases.trained()
    before = cases.trained(steps=0)
    for found in results[2]:
        assert found[name].keys() == wanted.keys()
        for key in wanted:
            if wanted[key].is_floating_point():
                close(found[name][key], wanted[key])
    moved = [(wanted[k] - before[k]).abs().max() > 1e-3 for k in wanted]
    assert sum(moved) > len(moved) / 2, "training changed nothing"


def test_reestimated_statistics_equal_those_of_one_process(results):
    wanted = cases.reestimated()
    for found in results[2]:
        for key in ("1.running_mean", "1.running_var"):
            close(found["reestimated"][key], wanted[key])


def test_variance_of_float32_far_from_zero_does_not_cancel(results):
    x = (cases.draw((64, 3), 5) + 1000).float()
    naive = x.square().mean(0) - x.mean(0).square()
    exact = x.double().var(0)
    assert (naive / exact - 1).abs().max() > 1e-3, "this input tests nothing"
    for found in results[2]:
        got = found["far from zero"]
        assert got.dtype == torch.float32
        assert (got / exact - 1).abs().max() < 1e-5


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_is_exchanged_in_full(results, dtype):
    wanted = cases.halves()[dtype]
    ranks = [found["halves"][dtype] for found in results[2]]
    for what in ("y", "d_x"):
        close(torch.cat([r[what] for r in ranks]), wanted[what], torch.finfo(dtype).eps)
    for found in ranks:
        assert found["buffer"].dtype == torch.float32
        close(found["buffer"], wanted["buffer"], 1e-6)


def test_no_value_on_any_rank_is_an_empty_batch(results):
    assert [found["all empty"] for found in results[2]] == ["nothing raised"] * 2


def test_parts_are_counted_exactly():
    count = 2**24 + 1  # the first number that float32 does not know
    assert _part(torch.zeros(1, 1).expand(count, 1))[0] == count


def test_one_value_on_all_ranks_together_is_refused_on_every_rank(results):
    for rank, found in enumerate(results[2]):
        assert "the ranks together must have more than one value" in found["one value"]
        assert f"got 1, here shape ({1 - rank}, 3)" in found["one value"]


def test_second_derivative_is_refused(results):
    assert "once_differentiable" in results[2][0]["second derivative"]


def test_eval_mode_and_a_group_of_one_do_not_communicate(results):
    # Rank 1 takes no part in these; had rank 0 waited for it, it would have failed.
    found = results[2][0]["alone"]
    x = cases.draw((4, 3), 0)
    close(found["eval"], x / (1 + 1e-5) ** 0.5)
    close(found["eval untracked"], BatchNorm(3, dtype=x.dtype)(x).detach())
    close(found["group of one"], BatchNorm(3, dtype=x.dtype)(x).detach())


def test_a_group_without_this_rank_is_refused(results):
    text = results[2][1]["alone"]["not a member"]
    assert "must be a member of process_group, got one without rank 1" in text


# --- one process ----------------------------------------------------------------------


def test_without_a_group_it_is_batch_norm():
    x, upstream = cases.draw((8, 3), 0), cases.draw((8, 3), 1)
    found = []
    for kind in (SyncBatchNorm, BatchNorm):
        layer = kind(3, eps=0.1, momentum=0.3, dtype=torch.float64)
        z = x.clone().requires_grad_()
        y = layer(z)
        y.backward(upstream)
        found.append([y.detach(), z.grad, layer.weight.grad, layer.running_var])
    for got, want in zip(*found, strict=True):
        assert torch.equal(got, want)
    with pytest.raises(ValueError, match=r"more than one value per channel.*\(1, 3\)"):
        SyncBatchNorm(3)(torch.ones(1, 3))


def test_arguments_are_those_of_batch_norm_and_a_group():
    ours = list(inspect.signature(SyncBatchNorm).parameters)
    torchs = list(inspect.signature(nn.SyncBatchNorm).parameters)
    assert ours[:8] == torchs[:8] == [*ours[:5], "process_group", "device", "dtype"]
    layer = SyncBatchNorm(3, 0.1, 0.3, False, True, None, "cpu", torch.float64)
    assert (layer.eps, layer.momentum, layer.weight) == (0.1, 0.3, None)
    assert layer.running_mean.dtype == torch.float64


def torch_model():
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4, eps=0.1, momentum=None), nn.Flatten()
    )
    model.append(nn.Sequential(nn.Linear(144, 5), nn.BatchNorm1d(5, affine=False)))
    model.append(nn.GroupNorm(1, 5)).append(BatchNorm(5, bias=False))
    model = model.double()
    model(cases.draw((6, 1, 8, 8), 0))  # buffers that are not 0 and 1
    model[1].weight.data = cases.draw(4, 1)
    model[1].weight.requires_grad_(False)
    model[3].eval()
    return model


def test_converted_model_has_the_same_state_modes_and_settings():
    model = torch_model()
    new = convert_sync_batch_norm(model)
    layers = [m for m in new.modules() if isinstance(m, SyncBatchNorm)]
    assert len(layers) == 3
    state, new_state = model.state_dict(), new.state_dict()
    assert list(state) == list(new_state)
    assert all(torch.equal(state[key], new_state[key]) for key in state)
    for old, layer in zip(model.modules(), new.modules(), strict=True):
        assert old.training == layer.training
        for name in ("eps", "momentum", "affine", "track_running_stats"):
            assert getattr(old, name, None) == getattr(layer, name, None)
    grads = [p.requires_grad for p in model.parameters()]
    assert [p.requires_grad for p in new.parameters()] == grads
    assert False in grads and True in grads
    x = cases.draw((6, 1, 8, 8), 2)
    close(new(x).detach(), model(x).detach())


def test_converting_leaves_the_model_as_it_was():
    model = torch_model()
    before = copy.deepcopy(model.state_dict())
    new = convert_sync_batch_norm(model)
    new(cases.draw((6, 1, 8, 8), 2)).sum().backward()
    with torch.no_grad():
        for value in new.state_dict().values():
            value.add_(1)
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
    assert not any(isinstance(m, SyncBatchNorm) for m in model.modules())
    assert all(p.grad is None for p in model.parameters())


def test_converting_keeps_what_is_shared():
    norm = nn.BatchNorm1d(3)
    model = nn.Sequential(norm, nn.Linear(3, 3), norm, nn.BatchNorm1d(3))
    model[3].weight = norm.weight
    new = convert_sync_batch_norm(model)
    assert new[0] is new[2]
    assert new[3].weight is new[0].weight


def test_converting_a_single_layer_and_a_converted_one():
    group = object()  # as good as a group where nobody communicates
    once = convert_sync_batch_norm(nn.BatchNorm1d(3), group)
    assert type(once) is SyncBatchNorm and once.process_group is group
    assert copy.deepcopy(once).process_group is group
    twice = convert_sync_batch_norm(once)
    assert twice is not once and twice.process_group is None
    theirs = nn.Sequential(nn.SyncBatchNorm(3))
    assert type(convert_sync_batch_norm(theirs)[0]) is SyncBatchNorm


class WithActivation(nn.BatchNorm2d):
    """Norm, dropout and activation in one module, its forward written anew."""

    def __init__(self, channels):
        super().__init__(channels)
        self.drop, self.act = nn.Dropout(0.5), nn.Sequential(nn.Tanh(), nn.ELU())

    def forward(self, x):
        torch._assert(x.ndim == 4, f"expected 4 axes, got {x.ndim}")
        if self.training:
            self.num_batches_tracked.add_(1)
        kept = (self.running_mean, self.running_var, self.weight, self.bias)
        y = nn.functional.batch_norm(x, *kept, self.training, self.momentum, self.eps)
        return self.act(self.drop(y))


class Again(nn.BatchNorm2d):
    def forward(self, x):
        return super().forward(x)


@pytest.mark.parametrize("make", [WithActivation, Again])
@pytest.mark.parametrize("training", [True, False])
def test_converting_keeps_what_a_norm_calls_behind_it(make, training):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), make(4)).double()
    nn.init.normal_(model[1].weight)
    x = cases.draw((6, 1, 8, 8), 2)
    model(x)
    model.train(training)
    once = convert_sync_batch_norm(model)
    for new in (once, convert_sync_batch_norm(once)):
        old = copy.deepcopy(model)
        assert isinstance(new[1], SyncBatchNorm)
        assert list(new.state_dict()) == list(old.state_dict())
        torch.manual_seed(1)
        got = new(x)
        torch.manual_seed(1)
        close(got.detach(), old(x).detach())
        for key, value in new.state_dict().items():
            torch.testing.assert_close(value, old.state_dict()[key])


class Gated(nn.BatchNorm2d):
    def forward(self, x):
        return nn.functional.silu(super().forward(x))


class Noisy(nn.BatchNorm2d):
    def forward(self, x):
        y = super().forward(x)
        return y + torch.randn_like(y) if self.training else y


@pytest.mark.parametrize("make", [Gated, Noisy])
def test_converting_a_norm_that_computes_something_else_is_refused(make):
    text = f"call modules behind one, got {make.__name__} as '1'; replace it"
    with pytest.raises(TypeError, match=text):
        convert_sync_batch_norm(nn.Sequential(nn.ReLU(), make(4)))


class Unshareable:
    def __deepcopy__(self, memo):
        raise TypeError("cannot pickle a process group")


def test_a_group_in_the_model_is_shared_and_not_copied():
    group = Unshareable()
    layer = SyncBatchNorm(3, process_group=group)
    assert copy.deepcopy(nn.Sequential(layer))[0].process_group is group
    model = nn.Sequential(nn.SyncBatchNorm(3, process_group=group), layer)
    new = convert_sync_batch_norm(model, group)
    assert [m.process_group for m in new] == [group, group]


def test_models_that_cannot_be_converted_are_refused():
    ghost = nn.Sequential(nn.Linear(3, 3), GhostBatchNorm(3, 2))
    with pytest.raises(TypeError, match="GhostBatchNorm as '1'; replace it"):
        convert_sync_batch_norm(ghost)
    with pytest.raises(TypeError, match="LazyBatchNorm1d as 'the model'; pass a batch"):
        convert_sync_batch_norm(nn.LazyBatchNorm1d())
    with pytest.raises(ValueError, match="got GroupNorm without one"):
        convert_sync_batch_norm(GroupNorm(1, 3))
