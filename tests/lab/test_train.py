"""The training loop: reproducible, quiet, honest about interrupts."""

import copy
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from bnlib.lab.models import mlp
from bnlib.lab.train import accuracy, train

ROOT = Path(__file__).parents[2]
RNG = np.random.default_rng(0)
X = RNG.normal(2, 3, size=(70, 6))
Y = (X[:, 0] + X[:, 1] > 4).astype(np.int64) + (X[:, 2] > 3)


def net(**options):
    return mlp((6, 12, 3), **options)


def bytes_of(model):
    return b"".join(t.numpy().tobytes() for t in model.state_dict().values())


def trained(steps=12, *, model=None, **options):
    model = net() if model is None else model
    history = train(model, (X, Y), steps=steps, lr=0.1, batch_size=16, **options)
    return model, history


def test_it_learns_and_says_so():
    model, history = trained(150, momentum=0.9)
    assert history.losses.shape == (150,)
    assert history.losses.dtype == np.float64
    assert history.losses[-20:].mean() < 0.3 * history.losses[:5].mean()
    assert history.interrupted_at is None
    assert accuracy(model, X, Y) > 0.8 > 0.6 > accuracy(net(), X, Y)


def test_one_step_is_the_textbook_step():
    model, mine = net(), net()
    order = torch.randperm(70, generator=torch.Generator().manual_seed(5))[:16]
    x, y = torch.tensor(X)[order], torch.tensor(Y)[order]
    history = train(model, (X, Y), steps=1, lr=0.1, batch_size=16, seed=5)
    value = F.cross_entropy(mine(x), y)
    value.backward()
    assert history.losses[0] == pytest.approx(value.item(), rel=1e-14)
    for got, p in zip(model.parameters(), mine.parameters(), strict=True):
        torch.testing.assert_close(got.data, p.data - 0.1 * p.grad, rtol=1e-13, atol=0)
        assert got.grad is None


def test_same_seed_same_bytes_another_seed_another_result():
    (a, first), (b, again), (c, other) = (trained(seed=s) for s in (3, 3, 4))
    assert bytes_of(a) == bytes_of(b) != bytes_of(c)
    assert first.losses.tobytes() == again.losses.tobytes() != other.losses.tobytes()


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_what_the_model_draws_is_seeded_too(optimizer):
    results = set()
    for global_seed in (1, 2):
        torch.manual_seed(global_seed)
        model = net()
        model.insert(3, nn.Dropout(0.5))
        results.add(bytes_of(trained(model=model, optimizer=optimizer)[0]))
    assert len(results) == 1


def test_global_state_is_as_it_was():
    torch.manual_seed(7)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    handler = signal.getsignal(signal.SIGINT)
    torch.set_num_threads(2)
    seen = []
    try:
        model = nn.Sequential(nn.Dropout(0.5), *net())
        trained(
            model=model, before_step=lambda *a: seen.append(torch.get_num_threads())
        )
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert set(seen) == {1}
    assert signal.getsignal(signal.SIGINT) is handler
    assert torch.equal(state, torch.get_rng_state())


def test_data_are_not_modified_and_may_be_tensors_of_another_type():
    x, y = X.copy(), Y.astype(np.int32)
    a, b = net(), net()
    train(a, (x, y), steps=5, lr=0.1, batch_size=16)
    x32 = torch.tensor(X).float()
    train(b, (x32.double(), torch.tensor(Y)), steps=5, lr=0.1, batch_size=16)
    assert (x == X).all()
    assert np.allclose(numbers_of(a), numbers_of(b), rtol=1e-4)
    train(net(dtype=torch.float32), (X, Y), steps=1, lr=0.1, batch_size=16)


def numbers_of(model):
    return np.concatenate([p.detach().numpy().ravel() for p in model.parameters()])


def batches_of(*modules, steps):
    """Return the numbers 0 to 10 in the batches of 4 in which they were seen."""
    seen = []

    class Watch(nn.Module):
        def forward(self, x):
            seen.append(x[:, 0].tolist())
            return x

    model = nn.Sequential(Watch(), *modules, nn.Linear(1, 2, dtype=torch.float64))
    data = np.arange(11.0)[:, None], np.zeros(11, int)
    train(model, data, steps=steps, lr=0.0, batch_size=4)
    return seen


def test_order_does_not_depend_on_what_the_model_draws():
    assert batches_of(nn.Dropout(0.5), steps=6) == batches_of(steps=6)


def test_every_batch_is_full_and_a_pass_sees_each_example_once():
    seen = batches_of(steps=6)
    assert [len(batch) for batch in seen] == [4] * 6
    passes = [sum(seen[k : k + 2], []) for k in (0, 2, 4)]
    assert all(len(set(p)) == 8 for p in passes)
    assert passes[0] != passes[1] != passes[2]


def test_frozen_bn_stays_frozen():
    model = net()
    model[1].eval()
    trained(model=model)
    assert not model[1].training
    assert model[0].training
    assert model[1].num_batches_tracked == 0


def test_frozen_parameters_stay():
    model = net()
    model[0].weight.requires_grad_(False)
    before, last = model[0].weight.clone(), model[-1].weight.clone()
    trained(model=model)
    assert torch.equal(model[0].weight, before)
    assert not torch.equal(model[-1].weight, last)


def test_regression_uses_the_squared_error_and_refuses_broadcasting():
    model = mlp((6, 8, 1))
    target = X[:, :1] - 2
    history = train(model, (X, target), steps=200, lr=0.02, batch_size=32)
    assert history.losses[-1] < 0.2 * history.losses[0]
    with pytest.raises(
        ValueError, match=r"shape of the outputs, got \(32,\) and \(32, 1"
    ):
        train(model, (X, target[:, 0]), steps=1, lr=0.1, batch_size=32)


def test_loss_learning_rate_and_optimizer_may_be_functions():
    model, reference = net(), net()
    rates = [0.1, 0.0, 0.05]
    train(
        model,
        (X, Y),
        steps=3,
        lr=rates.__getitem__,
        batch_size=70,
        loss=lambda out, y: 2 * F.cross_entropy(out, y),
        optimizer=lambda parameters: torch.optim.SGD(parameters, lr=9.0),
    )
    for rate in (0.2, 0.0, 0.1):
        train(reference, (X, Y), steps=1, lr=rate, batch_size=70)
    for a, b in zip(model.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)


def test_momentum_and_weight_decay_reach_sgd():
    plain, heavy, decayed = (
        bytes_of(trained(**options)[0])
        for options in ({}, {"momentum": 0.9}, {"weight_decay": 0.1})
    )
    assert len({plain, heavy, decayed}) == 3


def test_before_step_sees_gradients_and_may_change_them():
    steps = []

    def still(step, model):
        steps.append(step)
        assert all(p.grad.abs().max() > 0 for p in model.parameters())
        for p in model.parameters():
            p.grad.zero_()

    model, before = net(), [p.clone() for p in net().parameters()]
    trained(4, model=model, before_step=still)
    assert steps == [0, 1, 2, 3]
    assert all(map(torch.equal, model.parameters(), before))


def test_divergence_is_recorded_and_does_not_stop():
    model = net(norm=None)
    history = train(model, (X * 1e3, Y), steps=30, lr=1e6, batch_size=16)
    assert len(history.losses) == 30
    assert not np.isfinite(history.losses[-1])
    assert accuracy(model, X, Y) == 0


# --- interrupts -----------------------------------------------------------------------


def test_interrupt_ends_after_the_step_and_says_which(capsys):
    def interrupt(step, model):
        if step == 4:
            os.kill(os.getpid(), signal.SIGINT)

    model, history = trained(12, before_step=interrupt)
    reference, full = trained(5)
    assert history.interrupted_at == len(history.losses) == 5
    assert bytes_of(model) == bytes_of(reference)
    assert (history.losses == full.losses).all()
    out = capsys.readouterr().out
    assert out == (
        "interrupted after step 5 of 12: the model keeps what it has learned so far\n"
    )
    trained(2, model=model)  # and goes on


def test_second_interrupt_stops_at_once_and_leaves_a_usable_model(capsys):
    def insist(step, model):
        if step == 4:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    handler = signal.getsignal(signal.SIGINT)  # ignored where the shell says so
    model, history = trained(12, before_step=insist)
    assert history.interrupted_at == 4
    assert "interrupted after step 4 of 12" in capsys.readouterr().out
    assert 0 < accuracy(model, X, Y) <= 1
    assert all(p.grad is None for p in model.parameters())
    assert signal.getsignal(signal.SIGINT) is handler


def test_keyboard_interrupt_raised_by_the_model_is_the_same(capsys):
    def stop(step, model):
        raise KeyboardInterrupt

    model, history = trained(before_step=stop)
    assert history.interrupted_at == 0
    assert history.losses.shape == (0,)
    assert "after step 0 of 12" in capsys.readouterr().out


def test_interrupt_in_the_last_step_is_a_complete_run(capsys):
    def interrupt(step, model):
        if step == 2:
            os.kill(os.getpid(), signal.SIGINT)

    _, history = trained(3, before_step=interrupt)
    assert history.interrupted_at is None
    assert capsys.readouterr().out == ""


def test_other_errors_pass_and_restore_everything():
    torch.manual_seed(7)
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    handler = signal.getsignal(signal.SIGINT)

    def fail(step, model):
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        trained(before_step=fail)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)
    assert signal.getsignal(signal.SIGINT) is handler


def test_it_runs_outside_of_the_main_thread():
    results = []
    thread = threading.Thread(target=lambda: results.append(trained()))
    thread.start()
    thread.join()
    assert bytes_of(results[0][0]) == bytes_of(trained()[0])


def test_nothing_is_written():
    code = (
        "import numpy as np\nfrom bnlib.lab.models import mlp\n"
        "from bnlib.lab.train import train\n"
        "train(mlp((2, 3, 2)), (np.eye(2), np.arange(2)), steps=3, lr=.1, batch_size=2)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# --- accuracy -------------------------------------------------------------------------


def test_accuracy_is_the_share_of_right_answers():
    model = nn.Identity()
    scores = np.array([[3.0, 1.0], [0.0, 2.0], [5.0, 4.0], [np.nan, 1.0]])
    assert accuracy(model, scores, [0, 1, 1, 0]) == 0.5


def test_accuracy_evaluates_in_eval_mode_and_restores_each_mode():
    model = trained()[0]
    model[2].eval()
    before = bytes_of(model)
    want = copy.deepcopy(model).eval()
    right = (want(torch.tensor(X)).argmax(1).numpy() == Y).mean()
    assert accuracy(model, X, Y) == pytest.approx(right)
    assert accuracy(model, X, Y, batch_size=1) == pytest.approx(right)
    assert [m.training for m in model] == [True, True, False, True]
    assert model.training
    assert bytes_of(model) == before


def test_accuracy_restores_modes_after_an_error():
    model = net()
    with pytest.raises(RuntimeError):
        accuracy(model, X[:, :3], Y)
    assert all(m.training for m in model.modules())


# --- refusals -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options, message",
    [
        ({"batch_size": 71}, "between 1 and the number of examples 70, got 71"),
        ({"batch_size": 0}, "between 1 and the number of examples 70, got 0"),
        ({"steps": -1}, "steps must not be negative, got -1"),
        ({"lr": float("nan")}, "lr must be a finite number of at least 0, got nan"),
        ({"lr": float("inf")}, "lr must be a finite number of at least 0, got inf"),
        ({"lr": -0.1}, "lr must be a finite number of at least 0, got -0.1"),
        ({"optimizer": "lion"}, "optimizer must be 'sgd', 'adam' .* got 'lion'"),
    ],
    ids=lambda v: next(iter(v)) if isinstance(v, dict) else "",
)
def test_impossible_arguments_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        train(net(), (X, Y), **{"steps": 1, "lr": 0.1, **options})


def test_mode_and_lengths_are_checked():
    with pytest.raises(ValueError, match="training mode, got model.training=False"):
        train(net().eval(), (X, Y), steps=1, lr=0.1)
    with pytest.raises(ValueError, match="same number of examples.* got 70 and 69"):
        train(net(), (X, Y[1:]), steps=1, lr=0.1)
    with pytest.raises(ValueError, match="at least one, got 0 and 0"):
        accuracy(net(), X[:0], Y[:0])
