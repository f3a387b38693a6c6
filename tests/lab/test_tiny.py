"""The NumPy network of chapter 2 against PyTorch, step for step."""

import numpy as np
import pytest

from bnlib.lab.data import digits
from bnlib.lab.tiny import train_tiny

torch = pytest.importorskip("torch")


def by_torch(x, y, *, normalize, lr, steps, width, depth, batch_size, seed):
    """The same losses, with autograd and PyTorch's layers."""
    rng = np.random.default_rng(seed)
    sizes, layers = [x.shape[1], *[width] * depth, y.max() + 1], []
    for inputs, outputs in zip(sizes[:-1], sizes[1:], strict=True):
        last = len(layers) == 3 * depth
        linear = torch.nn.Linear(inputs, outputs, bias=last or not normalize)
        weight = rng.normal(size=(inputs, outputs)) / np.sqrt(inputs)
        linear.weight.data = torch.tensor(weight.T)
        if linear.bias is not None:
            linear.bias.data = torch.zeros(outputs, dtype=torch.float64)
        norm = torch.nn.BatchNorm1d(outputs) if normalize else torch.nn.Identity()
        layers += [linear] if last else [linear, norm.double(), torch.nn.Sigmoid()]
    net = torch.nn.Sequential(*layers)
    optimizer = torch.optim.SGD(net.parameters(), lr)
    losses = []
    for _ in range(steps):
        batch = rng.integers(len(x), size=batch_size)
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(
            net(torch.tensor(x[batch])), torch.tensor(y[batch])
        )
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("normalize", [True, False])
def test_the_losses_are_those_of_pytorch(normalize):
    x, y, _, _ = digits()
    options = {"normalize": normalize, "lr": 0.7, "steps": 8, "seed": 3}
    options |= {"width": 9, "depth": 2, "batch_size": 30}
    before = x.copy()
    np.testing.assert_allclose(
        train_tiny(x, y, **options), by_torch(x, y, **options), rtol=1e-6
    )
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("normalize", [True, False])
def test_nets_side_by_side_are_nets_alone(normalize):
    x, y, _, _ = digits()
    options = {"normalize": normalize, "steps": 30, "seed": 4}
    # One overflows, and the others do not notice.
    rates = [0.01, 1e30 if normalize else 1e300, 3, 0.3]
    together = train_tiny(x, y, lr=rates, **options)
    alone = [train_tiny(x, y, lr=lr, **options) for lr in rates]
    assert together.shape == (4, 30)
    assert not np.isfinite(together[1, -1])
    np.testing.assert_allclose(together, alone, rtol=1e-6)


@pytest.mark.filterwarnings("error")
def test_an_overflow_is_nan_and_no_warning():
    x, y, _, _ = digits()
    losses = train_tiny(1e200 * x, y, normalize=False, lr=1e200, steps=5)
    assert not np.isfinite(losses[-1])


def test_inputs_and_classes_of_different_length_are_refused():
    with pytest.raises(ValueError, match="got 3 and 2; pass one class"):
        train_tiny(np.eye(3), np.array([0, 1]), normalize=True, lr=1.0)
