import copy

import numpy as np
import pytest

from bnlib.exercises.engine import sandbox
from bnlib.exercises.engine.state import state, watched

torch = pytest.importorskip("torch")


def net():
    return torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))


def left_in_eval_mode(net):
    net[1].eval()


def other_momentum(net):
    net[1].momentum = 1.0


def statistics_written(net):
    net(torch.ones(2, 1, 4, 4))


def frozen(net):
    net.requires_grad_(False)


def layer_replaced(net):
    net[1] = torch.nn.Identity()


def weight_moved(net):
    net[0].weight.data[0] += 1


def hook_left(net):
    net[0].register_forward_hook(lambda *_: None)


CHANGES = [
    left_in_eval_mode,
    other_momentum,
    statistics_written,
    frozen,
    layer_replaced,
    weight_moved,
    hook_left,
]


@pytest.mark.parametrize("change", CHANGES)
def test_change_of_a_net_is_seen(change):
    assert sandbox.call(change, (net(),)).changed == (0,)
    assert sandbox.call(lambda nets: change(nets[0]), ([net()],)).changed == (0,)


def test_a_look_at_a_net_is_no_change():
    def look(net):
        copied = copy.deepcopy(net).train()
        copied(torch.ones(2, 1, 4, 4)).sum().backward()
        return net.eval()(torch.ones(2, 1, 4, 4))

    assert sandbox.call(look, (net().eval(),)).changed == ()


@pytest.mark.parametrize(
    "value",
    [
        np.array([1.0, np.nan]),
        np.array([[1, 2], [3]], dtype=object),
        {"a": [1, {2}], "b": None},
        (np.zeros(2), [np.float32(1)]),
        {1, 2},
    ],
    ids=str,
)
def test_copy_has_the_same_state(value):
    assert watched(value)
    assert state(value) == state(copy.deepcopy(value))


def test_what_cannot_be_changed_is_not_watched():
    assert not any(map(watched, [3, 2.5, "train", None, (1, 2), len, torch.nn.ReLU]))


def test_sign_of_zero_and_dtype_count():
    assert state(np.array([0.0])) != state(np.array([-0.0]))
    assert state(np.zeros(2)) != state(np.zeros(2, np.float32))


def test_unreadable_content_counts_as_a_change():
    def nest(values):
        values.append(values)

    assert sandbox.call(nest, ([1],)).changed == (0,)
