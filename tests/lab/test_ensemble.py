"""Ensembles: each member ends where it would have ended alone."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from bnlib import nn as bnn
from bnlib.lab.ensemble import Ensemble, accuracies, train_many
from bnlib.lab.models import conv_net, mlp
from bnlib.lab.noisy import NoisyBatchNorm
from bnlib.lab.train import accuracy, train
from bnlib.nn import reestimate

RNG = np.random.default_rng(0)
X = RNG.normal(2, 3, size=(70, 6))
Y = (X[:, 0] + X[:, 1] > 4).astype(np.int64) + (X[:, 2] > 3)
RATES = [0.03, 0.005, 0.01]
SEEDS = [4, 2, 4]

NORMS = {
    "plain": None,
    "batch": "batch",
    "bnlib batch": bnn.BatchNorm,
    "layer": bnn.LayerNorm,
    "group": lambda width: bnn.GroupNorm(2, width),
    "ghost": lambda width: bnn.GhostBatchNorm(width, 4),
    "L1": lambda width: bnn.LpBatchNorm(width, p=1),
}
OPTIONS = {
    "sgd": {},
    "momentum and decay": {"momentum": 0.9, "weight_decay": 0.01},
    "adam": {"optimizer": "adam", "weight_decay": 0.01},
}


def nets(norm="batch"):
    # A bias before batch norm has a gradient of rounding noise, which Adam blows up.
    return [mlp((6, 12, 8, 3), norm=norm, bias=norm is None, seed=s) for s in (1, 2, 3)]


def assert_members_are(ensemble, models):
    for member, model in zip(ensemble.models(), models, strict=True):
        for name, number in model.state_dict().items():
            found = member.state_dict()[name]
            torch.testing.assert_close(
                found, number, rtol=1e-9, atol=1e-10, equal_nan=False, msg=name
            )


@pytest.mark.parametrize("norm", NORMS.values(), ids=NORMS)
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_each_member_ends_as_if_trained_alone(norm, options):
    options = {"steps": 12, "batch_size": 16, **options}
    alone, ensemble = nets(norm), Ensemble(nets(norm))
    together = train_many(ensemble, (X, Y), lr=RATES, seed=SEEDS, **options)
    losses = [
        train(model, (X, Y), lr=lr, seed=seed, **options).losses
        for model, lr, seed in zip(alone, RATES, SEEDS, strict=True)
    ]
    assert together.shape == (12, 3)
    np.testing.assert_allclose(together.T, losses, rtol=1e-9, equal_nan=False)
    assert_members_are(ensemble, alone)
    expected = [accuracy(model, X, Y) for model in alone]
    np.testing.assert_allclose(accuracies(ensemble, X, Y), expected, equal_nan=False)


def test_convolutions_a_schedule_and_regression_work_too():
    x = RNG.normal(size=(40, 1, 8, 8))
    t = RNG.normal(size=(40, 3))
    models = [conv_net((3, 4), classes=3, seed=seed) for seed in (0, 1)]
    ensemble = Ensemble(models)
    options = {"lr": lambda step: 0.1 / (1 + step), "steps": 5, "batch_size": 8}
    train_many(ensemble, (x, t), **options)
    for model in models:
        train(model, (x, t), **options)
    assert_members_are(ensemble, models)


def test_a_schedule_may_have_a_rate_for_each_member():
    ensemble, alone = Ensemble(nets()), nets()
    rates = np.array(RATES)
    train_many(ensemble, (X, Y), steps=3, lr=lambda step: rates / (1 + step))
    for model, rate in zip(alone, RATES, strict=True):
        train(model, (X, Y), steps=3, lr=lambda step, rate=rate: rate / (1 + step))
    assert_members_are(ensemble, alone)


def test_a_diverged_member_does_not_disturb_the_others():
    ensemble, alone = Ensemble(nets(None)), nets(None)
    losses = train_many(ensemble, (X, Y), steps=30, lr=[0.05, 1e200, 0.05])
    assert np.isnan(losses[-1, 1])
    assert np.isfinite(losses[:, [0, 2]]).all()
    train(alone[2], (X, Y), steps=30, lr=0.05)
    torch.testing.assert_close(
        ensemble.models()[2][0].weight, alone[2][0].weight, rtol=1e-9, atol=1e-10
    )
    assert accuracies(ensemble, X, Y)[1] == 0.0  # every score is NaN


def test_the_given_networks_and_the_modes_stay_as_they_were():
    models = nets()
    before = copy.deepcopy([model.state_dict() for model in models])
    ensemble = Ensemble(models)
    train_many(ensemble, (X, Y), steps=3, lr=0.1)
    accuracies(ensemble, X, Y)
    assert ensemble.template.training
    assert all(p.grad is None for p in ensemble.parameters.values())
    assert not ensemble.eval().template.training
    for model, state in zip(models, before, strict=True):
        assert model.training
        for name, number in model.state_dict().items():
            torch.testing.assert_close(number, state[name], rtol=0, atol=0)
    for member in ensemble.models():
        assert all(p.grad is None and p.requires_grad for p in member.parameters())


def test_a_frozen_parameter_and_a_frozen_norm_stay():
    models = nets()
    for model in models:
        model[0].weight.requires_grad_(False)
        model[1].eval()
    ensemble = Ensemble(models)
    train_many(ensemble, (X, Y), steps=3, lr=0.1)
    for member, model in zip(ensemble.models(), models, strict=True):
        assert torch.equal(member[0].weight, model[0].weight)
        assert torch.equal(member[1].running_mean, model[1].running_mean)
        assert not torch.equal(member[2 + 1].weight, model[2 + 1].weight)
        assert not member[1].training and member[4].training


def test_outputs_for_shared_inputs_and_for_one_batch_each():
    models = nets()
    ensemble = Ensemble(models).eval()
    x = torch.tensor(X[:5])
    each = torch.stack([x, x + 1, x + 2])
    for model in models:
        model.eval()
    shared = torch.stack([model(x) for model in models])
    own = torch.stack([model(part) for model, part in zip(models, each, strict=True)])
    torch.testing.assert_close(ensemble(x), shared)
    torch.testing.assert_close(ensemble(each, each=True), own)
    assert not torch.allclose(shared, own)


def test_reestimate_is_that_of_one_network():
    models = nets()
    ensemble = Ensemble(models)
    train_many(ensemble, (X, Y), steps=5, lr=0.1)
    lagging = ensemble.models()
    ensemble.reestimate(torch.tensor(X))
    for model in lagging:
        stale = model[1].running_var.clone()
        reestimate(model, [torch.tensor(X)])
        assert not torch.allclose(stale, model[1].running_var, rtol=1e-3)
    for member, model in zip(ensemble.models(), lagging, strict=True):
        for name in ("1.running_mean", "1.running_var", "4.running_var"):
            torch.testing.assert_close(
                member.state_dict()[name], model.state_dict()[name]
            )
    assert ensemble.template.training
    assert ensemble.template[1].momentum == 0.1


def test_before_step_sees_the_gradients_of_each_member():
    seen = []

    def keep(step, ensemble):
        seen.append(ensemble.parameters["0.weight"].grad.clone())

    ensemble = Ensemble(nets())
    train_many(ensemble, (X, Y), steps=1, lr=0.1, batch_size=70, before_step=keep)
    for gradient, model in zip(seen[0], nets(), strict=True):
        loss = nn.functional.cross_entropy(model(torch.tensor(X)), torch.tensor(Y))
        loss.backward()
        assert model[0].weight.grad.norm() > 1e-3
        torch.testing.assert_close(gradient, model[0].weight.grad)


def test_the_callers_generator_and_threads_are_left_alone():
    state, threads = torch.random.get_rng_state(), torch.get_num_threads()
    train_many(Ensemble(nets()), (X, Y), steps=2, lr=0.1)
    assert torch.equal(state, torch.random.get_rng_state())
    assert torch.get_num_threads() == threads
    assert torch.tensor(1e-310, dtype=torch.float64) * 0.5 > 0  # denormals are back


FAULTS = [
    ({"lr": [0.1, 0.2]}, r"lr must be one value or one for each of the 3 networks"),
    ({"lr": 0.1, "seed": [1]}, r"seed must be one value or one for each"),
    ({"lr": 0.1, "optimizer": "lion"}, r"'sgd' or 'adam' for an ensemble, got 'lion'"),
    ({"lr": 0.1, "batch_size": 71}, r"between 1 and the number of examples 70"),
]


@pytest.mark.parametrize("options, message", FAULTS)
def test_wrong_options_are_refused_in_one_sentence(options, message):
    with pytest.raises(ValueError, match=message):
        train_many(Ensemble(nets()), (X, Y), steps=1, **options)


def test_targets_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"got \(64,\) and \(64, 3\); reshape one"):
        train_many(Ensemble(nets()), (X, X[:, 0]), steps=1, lr=0.1)


def test_what_cannot_be_stacked_is_refused():
    with pytest.raises(ValueError, match="at least one network, got none"):
        Ensemble([])
    with pytest.raises(TypeError, match="number 1 that differs from number 0"):
        Ensemble([mlp((6, 12, 3)), mlp((6, 11, 3))])
    with pytest.raises(TypeError, match="one architecture"):
        Ensemble([mlp((6, 12, 3)), mlp((6, 12, 3), activation="tanh")])
    evaluated, frozen = mlp((6, 12, 3)), mlp((6, 12, 3))
    evaluated[1].eval()
    frozen[0].weight.requires_grad_(False)
    for other in (evaluated, frozen):
        with pytest.raises(TypeError, match="number 1 that differs from number 0"):
            Ensemble([mlp((6, 12, 3)), other])
    for norm in (nn.BatchNorm1d, bnn.BatchNorm):
        model = mlp(
            (6, 12, 3), norm=lambda width, norm=norm: norm(width, momentum=None)
        )
        with pytest.raises(ValueError, match="a number as momentum, got None in '1'"):
            Ensemble([model])


REESTIMATED = {
    "torch": "batch",
    "ours": bnn.BatchNorm,
    "ghost": lambda width: bnn.GhostBatchNorm(width, 4),
    "noisy": NoisyBatchNorm,
}


@pytest.mark.parametrize("norm", REESTIMATED.values(), ids=REESTIMATED)
def test_reestimate_merges_batches_for_every_kind_of_batch_norm(norm):
    ensemble = Ensemble(nets(norm))
    train_many(ensemble, (X, Y), steps=3, lr=0.1)
    alone, batches = ensemble.models(), torch.tensor(X).split(32)
    ensemble.reestimate(batches)
    for member, model in zip(ensemble.models(), alone, strict=True):
        reestimate(model, batches)
        assert model[1].num_batches_tracked == 3
        for name, number in model.state_dict().items():
            assert torch.equal(member.state_dict()[name], number), name


def test_members_draw_different_noise_and_the_seed_repeats_it():
    norms = [NoisyBatchNorm, lambda width: nn.Dropout(0.5)]
    for norm in norms:
        same = [mlp((6, 12, 3), norm=norm, seed=1) for _ in range(2)]
        first, again = Ensemble(same), Ensemble(same)
        for ensemble in (first, again):
            train_many(ensemble, (X, Y), steps=2, lr=0.1, seed=3)
        a, b = (member[0].weight for member in first.models())
        assert not torch.allclose(a, b)
        assert torch.equal(a, again.models()[0][0].weight)


def test_no_steps_give_no_losses_and_denormals_stay_flushed_if_they_were():
    assert train_many(Ensemble(nets()), (X, Y), steps=0, lr=0.1).shape == (0, 3)
    tiny = torch.tensor(1e-310, dtype=torch.float64)
    seen = []

    def keep(step, ensemble):
        seen.append((tiny * 0.5).item())

    torch.set_flush_denormal(True)
    try:
        train_many(Ensemble(nets()), (X, Y), steps=1, lr=0.1, before_step=keep)
        assert (tiny * 0.5).item() == 0
    finally:
        torch.set_flush_denormal(False)
    train_many(Ensemble(nets()), (X, Y), steps=1, lr=0.1, before_step=keep)
    assert seen == [0, 0] and (tiny * 0.5).item() > 0


def test_networks_without_batch_norm_have_nothing_to_reestimate():
    with pytest.raises(ValueError, match="must hold a batch norm with running stat"):
        Ensemble(nets(None)).reestimate(torch.tensor(X))


def test_each_member_may_have_data_of_its_own():
    x = np.stack([X, X[::-1] + 1, X * 2])
    y = np.stack([Y, Y[::-1], 2 - Y])
    ensemble, alone = Ensemble(nets()), nets()
    options = {"steps": 12, "batch_size": 16}
    train_many(ensemble, (x, y), lr=RATES, seed=SEEDS, each=True, **options)
    own = list(zip(x, y, strict=True))
    for model, data, lr, seed in zip(alone, own, RATES, SEEDS, strict=True):
        train(model, data, lr=lr, seed=seed, **options)
    assert_members_are(ensemble, alone)
    expected = [accuracy(m, *data) for m, data in zip(alone, own, strict=True)]
    found = accuracies(ensemble, x, y, each=True, batch_size=32)
    np.testing.assert_allclose(found, expected)
    assert len(set(expected)) > 1


@pytest.mark.parametrize("shape", [(2, 70), (70, 3)])
def test_data_for_another_number_of_members_are_refused(shape):
    x, y = np.zeros((*shape, 6)), np.zeros(shape, int)
    with pytest.raises(ValueError, match=r"start with the 3 networks .* got shapes"):
        train_many(Ensemble(nets()), (x, y), steps=1, lr=0.1, each=True)
    with pytest.raises(ValueError, match=r"start with the 3 networks .* got shapes"):
        accuracies(Ensemble(nets()), x, y, each=True)
