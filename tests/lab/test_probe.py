"""Probes: their numbers against formulas, and that they leave no trace."""

import copy
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from bnlib.lab import probe
from bnlib.lab.models import conv_net, mlp
from bnlib.lab.noisy import NoisyBatchNorm

RNG = np.random.default_rng(0)
X = RNG.normal(2, 3, size=(40, 6))
Y = RNG.integers(0, 3, size=40)


def noisy_net():
    """Make a net with everything that a probe could disturb."""
    model = nn.Sequential(
        nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3)
    )
    model.append(nn.Linear(8, 8)).append(NoisyBatchNorm(8)).append(nn.Linear(8, 3))
    model = model.double()
    model[1].eval()  # frozen by the user
    model[0].weight.requires_grad_(False)
    F.cross_entropy(model(torch.tensor(X)), torch.tensor(Y)).backward()
    return model


PROBES = {
    "gradients": lambda m: probe.gradients(m, X, Y),
    "landscape": lambda m: probe.landscape(m, X, Y),
    "covariate shift": lambda m: probe.covariate_shift(m, X, Y, 0.1, "6"),
    "directions": lambda m: probe.filter_directions(m, 3),
    "slice, batch": lambda m: probe.loss_slice(
        m, X, Y, [probe.filter_directions(m)], (-1, 0, 1)
    ),
    "slice, frozen": lambda m: probe.loss_slice(
        m, X, Y, [probe.filter_directions(m)], (-1, 0, 1), "frozen"
    ),
}


def snapshot(model):
    """Return everything about a model and the generator that can be compared."""
    return {
        "state": copy.deepcopy(model.state_dict()),
        "grads": [
            None if p.grad is None else p.grad.clone() for p in model.parameters()
        ],
        "learns": [p.requires_grad for p in model.parameters()],
        "modes": [module.training for module in model.modules()],
        "hooks": sum(len(module._forward_hooks) for module in model.modules()),
        "generator": torch.random.get_rng_state(),
    }


def assert_same(a, b):
    assert a["learns"] == b["learns"]
    assert a["modes"] == b["modes"]
    assert a["hooks"] == b["hooks"]
    assert torch.equal(a["generator"], b["generator"])
    for name, number in a["state"].items():
        assert torch.equal(number, b["state"][name]), name
    for old, new in zip(a["grads"], b["grads"], strict=True):
        assert (old is None) == (new is None)
        assert old is None or torch.equal(old, new)


@pytest.mark.parametrize("look", PROBES.values(), ids=PROBES)
def test_a_probe_leaves_no_trace(look):
    model = noisy_net()
    before = snapshot(model)
    parameters = list(model.parameters())
    look(model)
    assert_same(before, snapshot(model))
    for old, new in zip(parameters, model.parameters(), strict=True):
        assert old is new


RUNNING = {name: look for name, look in PROBES.items() if name != "directions"}


@pytest.mark.parametrize("look", RUNNING.values(), ids=RUNNING)
def test_a_probe_that_fails_leaves_no_trace(look):
    model = noisy_net()
    model[6] = nn.Linear(9, 3).double()  # the forward pass raises at the end
    before = snapshot(model)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        look(model)
    assert_same(before, snapshot(model))


def test_untouched_restores_what_was_done_by_hand():
    model = noisy_net()
    before = snapshot(model)
    with probe.untouched(model) as inside:
        assert inside is model
        model.train()
        torch.rand(3)
        F.cross_entropy(model(torch.tensor(X)), torch.tensor(Y)).backward()
        with torch.no_grad():
            model[4].weight.mul_(2)
        model[0].weight.requires_grad_(True)
    assert_same(before, snapshot(model))


def test_gradients_are_those_with_respect_to_outputs():
    model = mlp((6, 5, 3), norm=None)
    found = probe.gradients(model, X, Y)
    z = model[0](torch.tensor(X)).detach().requires_grad_()
    F.cross_entropy(model[2](model[1](z)), torch.tensor(Y)).backward()
    assert z.grad.norm() > 1e-2
    torch.testing.assert_close(found["0"], z.grad)
    shapes = {name: tuple(g.shape) for name, g in found.items()}
    assert shapes == {"0": (40, 5), "1": (40, 5), "2": (40, 3)}


def test_gradients_of_what_the_loss_does_not_see_are_zero():
    model = nn.Sequential(nn.Linear(6, 4), nn.Linear(4, 3)).double()
    ignores = probe.gradients(model, X, Y, loss=lambda out, y: model[0].bias.sum())
    assert torch.equal(ignores["1"], torch.zeros(40, 3, dtype=torch.float64))


CURVATURES = torch.tensor([1.0, 4.0, 0.5], dtype=torch.float64)


class Bowl(nn.Module):
    """Loss 1/2 sum(c w^2), independent of the data."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.tensor([3.0, 1.0, -2.0], dtype=torch.float64))

    def forward(self, x):
        return 0.5 * (CURVATURES * self.w**2).sum()


def test_the_landscape_of_a_quadratic_is_known():
    w = np.array([3.0, 1.0, -2.0])
    c = CURVATURES.numpy()
    g = c * w
    steps = (0.1, 0.3)
    found = probe.landscape(Bowl(), X, Y, steps=steps, loss=lambda out, y: out)
    there = [c * (w - a * g) for a in steps]
    losses = [0.5 * (c * (w - a * g) ** 2).sum() for a in steps]
    changes = [np.linalg.norm(h - g) for h in there]
    cosines = [h @ g / np.linalg.norm(h) / np.linalg.norm(g) for h in there]
    expected = {
        "loss_range": max(losses) - min(losses),
        "gradient_change": max(changes),
        "smoothness": np.linalg.norm(c * g) / np.linalg.norm(g),
        "cosine": min(cosines),
    }
    assert found == pytest.approx(expected, rel=1e-12)


def test_the_landscape_sees_one_noise_sample():
    # A random factor that is the same at every point makes beta larger by it, below
    # 1.5; drawn anew, it would change the gradient however short the step.
    class Shaken(Bowl):
        def forward(self, x):
            return super().forward(x) * (1 + 0.5 * torch.rand(()))

    shaken, calm = (
        probe.landscape(net, X, Y, loss=lambda out, y: out, steps=(1e-3,))
        for net in (Shaken(), Bowl())
    )
    assert shaken["smoothness"] < 1.5 * calm["smoothness"]


@pytest.mark.parametrize("steps", [(), (0.1, -0.1)])
def test_a_step_must_be_positive(steps):
    with pytest.raises(ValueError, match="positive learning rates, at least one"):
        probe.landscape(mlp((6, 5, 3)), X, Y, steps=steps)


def test_covariate_shift_updates_the_layers_before_and_no_other():
    model = mlp((6, 5, 4, 3), norm=None)
    found = probe.covariate_shift(model, X, Y, 0.5, "2")
    x, y = torch.tensor(X), torch.tensor(Y)
    moved = copy.deepcopy(model)
    F.cross_entropy(model(x), y).backward()
    with torch.no_grad():
        for new, old in zip(moved[0].parameters(), model[0].parameters(), strict=True):
            new -= 0.5 * old.grad
    F.cross_entropy(moved(x), y).backward()
    a, b = model[2].weight.grad.flatten(), moved[2].weight.grad.flatten()
    assert found.cosine == pytest.approx(F.cosine_similarity(a, b, dim=0).item())
    assert found.difference == pytest.approx(((b - a).norm() / a.norm()).item())
    assert found.cosine < 0.999
    still = probe.covariate_shift(model, X, Y, 0.0, "2")
    assert still == pytest.approx((1.0, 0.0), abs=1e-12)


@pytest.mark.parametrize("layer", ["0", "1", "nowhere"])
def test_covariate_shift_needs_a_layer_with_others_before_it(layer):
    with pytest.raises(ValueError, match=f"parameters before it, got '{layer}'"):
        probe.covariate_shift(mlp((6, 5, 3), norm=None), X, Y, 0.1, layer)


def test_filter_directions_have_the_filters_lengths_and_spare_vectors():
    model = conv_net((3, 4), classes=3)
    found = probe.filter_directions(model, seed=5)
    for name, p in model.named_parameters():
        if p.dim() < 2:
            assert not found[name].any()
        else:
            lengths = p.detach().flatten(1).norm(dim=1)
            torch.testing.assert_close(found[name].flatten(1).norm(dim=1), lengths)
            assert not torch.allclose(found[name], p.detach())
    other = probe.filter_directions(model, seed=6)
    assert not torch.equal(found["0.weight"], other["0.weight"])
    again = probe.filter_directions(model, seed=5)
    assert torch.equal(found["0.weight"], again["0.weight"])


@pytest.mark.parametrize("statistics", ["batch", "frozen"])
def test_a_slice_does_not_see_the_scale_of_weights_before_batch_norm(statistics):
    model = mlp((6, 8, 8, 3))
    model(torch.tensor(X))
    scaled = copy.deepcopy(model)
    with torch.no_grad():
        scaled[0].weight *= 7
    if statistics == "frozen":
        scaled[1].running_mean *= 7
        scaled[1].running_var *= 49
    for net in (model, scaled):
        net[1].eps = 0.0 if statistics == "frozen" else 1e-12
    slices = [
        probe.loss_slice(
            net, X, Y, [probe.filter_directions(net)], (-1, -0.5, 0, 1), statistics
        )
        for net in (model, scaled)
    ]
    assert np.ptp(slices[0]) > 0.1
    np.testing.assert_allclose(slices[0], slices[1], rtol=1e-8, equal_nan=False)


def test_a_plane_has_the_lines_of_its_directions_on_its_axes():
    model = mlp((6, 8, 3))
    a, b = (probe.filter_directions(model, seed) for seed in (1, 2))
    span = (-0.5, 0.0, 1.0)
    plane = probe.loss_slice(model, X, Y, [a, b], span)
    assert plane.shape == (3, 3)
    line = probe.loss_slice(model, X, Y, [a], span)
    np.testing.assert_allclose(plane[:, 1], line, equal_nan=False)
    np.testing.assert_allclose(
        plane[1], probe.loss_slice(model, X, Y, [b], span), equal_nan=False
    )
    here = F.cross_entropy(model(torch.tensor(X)), torch.tensor(Y)).item()
    assert plane[1, 1] == pytest.approx(here)


def test_frozen_statistics_are_the_running_ones():
    model = mlp((6, 8, 3))
    for _ in range(3):
        model(torch.tensor(X))
    directions = [probe.filter_directions(model)]
    frozen = probe.loss_slice(model, X, Y, directions, (0.0,), "frozen")
    model.eval()
    expected = F.cross_entropy(model(torch.tensor(X)), torch.tensor(Y)).item()
    assert frozen[0] == pytest.approx(expected)
    assert frozen[0] != pytest.approx(
        probe.loss_slice(model, X, Y, directions, (0.0,))[0], rel=1e-3
    )


def test_dropout_is_off_on_a_slice_and_a_name_left_out_stays():
    model = noisy_net()
    way = {"4.weight": probe.filter_directions(model)["4.weight"]}
    first, second = (probe.loss_slice(model, X, Y, [way], (0.0, 1.0)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert first[0] != pytest.approx(first[1], rel=1e-3)
    model.eval()[1].train()
    model[5].train()
    model[5].noise.eval()
    here = F.cross_entropy(model(torch.tensor(X)), torch.tensor(Y)).item()
    assert first[0] == pytest.approx(here)


def test_a_slice_says_what_it_needs():
    model = mlp((6, 8, 3))
    with pytest.raises(ValueError, match="'batch' or 'frozen', got 'running'"):
        probe.loss_slice(model, X, Y, [{}], (0,), "running")
    with pytest.raises(ValueError, match="one or two, got 3"):
        probe.loss_slice(model, X, Y, [{}] * 3, (0,))


def test_cpu_time_takes_turns_and_gives_seconds():
    calls = []
    seconds = probe.cpu_time(
        {"short": lambda: calls.append("short"), "long": lambda: calls.append("long")},
        repeats=3,
    )
    assert calls == ["short", "long"] * 4
    assert set(seconds) == {"short", "long"}
    work = probe.cpu_time(
        {"less": lambda: sum(range(10_000)), "more": lambda: sum(range(400_000))}
    )
    assert work["more"] > 5 * work["less"]
    with pytest.raises(ValueError, match="at least 1, got 0"):
        probe.cpu_time({}, repeats=0)


def test_a_relu_in_place_does_not_reach_what_is_recorded():
    apart = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3)).double()
    in_place = copy.deepcopy(apart)
    in_place[1].inplace = True
    wanted, found = (probe.gradients(model, X, Y) for model in (apart, in_place))
    assert not torch.equal(wanted["0"], wanted["1"])
    for name in wanted:
        torch.testing.assert_close(found[name], wanted[name], rtol=0, atol=0)


def test_gradients_reach_the_outputs_of_frozen_layers():
    model = mlp((6, 5, 3), norm=None)
    wanted = probe.gradients(model, X, Y)
    model[0].requires_grad_(False)
    found = probe.gradients(model, X, Y)
    assert wanted["0"].norm() > 1e-2
    for name, gradient in wanted.items():
        torch.testing.assert_close(found[name], gradient, rtol=0, atol=0)


class Remembering(nn.BatchNorm1d):
    """Normalizes with running statistics in training, too, after they moved."""

    def forward(self, x):
        super().forward(x)
        statistics = self.running_mean.clone(), self.running_var.clone()
        return F.batch_norm(x, *statistics, self.weight, self.bias)


def test_points_of_the_landscape_share_the_running_statistics():
    # They move at each forward pass: without a step there would be a change of the
    # gradient.
    model = mlp((6, 8, 3), norm=Remembering)
    for _ in range(3):
        model(torch.tensor(X))
    near, nearer = (
        probe.landscape(model, X, Y, steps=(step,)) for step in (1e-5, 1e-6)
    )
    assert near["smoothness"] == pytest.approx(nearer["smoothness"], rel=1e-3)
    shift = probe.covariate_shift(model, X, Y, 0.0, "3")
    assert shift == pytest.approx((1.0, 0.0), abs=1e-12)


@pytest.mark.parametrize("norm", [NoisyBatchNorm, Remembering])
def test_a_slice_that_goes_nowhere_is_flat(norm):
    model = mlp((6, 8, 3), norm=norm)
    model(torch.tensor(X))
    losses = probe.loss_slice(model, X, Y, [{}, {}], (0.0, 1.0, 2.0))
    np.testing.assert_allclose(losses, losses[0, 0], rtol=1e-14, equal_nan=False)
    bare = mlp((6, 8, 3))
    if norm is NoisyBatchNorm:  # without noise it is batch norm
        plain = F.cross_entropy(bare(torch.tensor(X)), torch.tensor(Y)).item()
        assert losses[0, 0] == pytest.approx(plain, rel=1e-12)


def test_a_zero_gradient_has_no_direction_and_a_tiny_one_has():
    zero = probe.landscape(Bowl(), X, Y, loss=lambda out, y: 0 * out)
    assert zero["loss_range"] == zero["gradient_change"] == 0
    assert np.isnan(zero["smoothness"]) and np.isnan(zero["cosine"])
    model = mlp((6, 5, 3), norm=None, dtype=torch.float32)
    tiny = probe.covariate_shift(
        model, X, Y, 0.1, "2", loss=lambda out, y: 1e-30 * F.cross_entropy(out, y)
    )
    assert tiny == pytest.approx((1.0, 0.0), abs=1e-6)


def test_generators_of_all_devices_in_use_are_restored(monkeypatch):
    states = {"cuda:1": 5, "mps": 7}  # of generators that this machine may not have

    def read(device="mps"):
        return states[str(device)]

    def write(state, device="mps"):
        states[str(device)] = state

    for backend in (torch.cuda, torch.mps):
        monkeypatch.setattr(backend, "get_rng_state", read)
        monkeypatch.setattr(backend, "set_rng_state", write)

    class Elsewhere(nn.Module):
        def buffers(self, recurse=True):
            return iter([])

        def parameters(self, recurse=True):
            places = "cuda:1", "mps", "cpu", "cuda:1"
            return iter([SimpleNamespace(device=torch.device(p)) for p in places])

    before = torch.get_rng_state()
    with probe._same_draw(Elsewhere()):
        torch.rand(2)
        states.update({"cuda:1": 6, "mps": 8})
    assert states == {"cuda:1": 5, "mps": 7}
    assert torch.equal(torch.get_rng_state(), before)


def test_smoothness_is_the_curvature_along_a_short_step():
    model = mlp((6, 8, 3))
    x, y, step = torch.tensor(X), torch.tensor(Y), 1e-4
    found = probe.landscape(model, X, Y, steps=(step,))
    weights = list(model.parameters())
    loss = F.cross_entropy(model(x), y)
    slopes = torch.autograd.grad(loss, weights, create_graph=True)
    square = sum(s.square().sum() for s in slopes)
    curved = torch.autograd.grad(square / 2, weights)  # Hessian times gradient
    length = sum(c.square().sum() for c in curved).sqrt()
    assert found["smoothness"] == pytest.approx((length / square.sqrt()).item(), 1e-2)
    assert 1 - 1e-4 < found["cosine"] < 1


# --- models with several inputs -------------------------------------------------------


class Joined(nn.Module):
    """A net of one input, called with two."""

    def __init__(self, one):
        super().__init__()
        self.one = one

    def forward(self, a, b):
        return self.one(torch.cat([a, b], 1))


@pytest.mark.parametrize(
    "make", [tuple, lambda parts: dict(zip("ab", parts, strict=True))]
)
def test_several_inputs_give_the_numbers_of_one(make):
    one = mlp((6, 5, 4, 3))
    two, parts = Joined(one), make([X[:, :2], X[:, 2:]])
    assert probe.landscape(two, parts, Y) == probe.landscape(one, X, Y)
    got = probe.covariate_shift(two, parts, Y, 0.1, "one.3")
    assert got == probe.covariate_shift(one, X, Y, 0.1, "3")
    found, want = probe.gradients(two, parts, Y), probe.gradients(one, X, Y)
    assert len(found) == len(want) > 4
    assert all(torch.equal(found[f"one.{name}"], want[name]) for name in want)
    losses = probe.loss_slice(two, parts, Y, [{}], (0.0,))
    assert losses == probe.loss_slice(one, X, Y, [{}], (0.0,))


def test_several_inputs_that_do_not_fit_are_refused():
    two = Joined(mlp((6, 5, 3)))
    with pytest.raises(TypeError, match="got ndarray|got tuple for Joined .*'b'"):
        probe.gradients(two, X, Y)
    with pytest.raises(
        ValueError, match="the same number of examples, .*got 39 and 40"
    ):
        probe.gradients(two, (X[:, :2], X[1:, 2:]), Y)
