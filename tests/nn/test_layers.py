"""The modules against those of PyTorch: numbers, gradients, buffers, state, errors."""

import copy
import inspect
import io
from itertools import product

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from bnlib import nn as ours
from bnlib import norms
from bnlib.running import RunningStatistics, population_statistics
from tests.oracles import spread

torch.set_num_threads(1)
F64 = torch.float64
BATCH = {
    2: torch.nn.BatchNorm1d,
    3: torch.nn.BatchNorm1d,
    4: torch.nn.BatchNorm2d,
    5: torch.nn.BatchNorm3d,
}
INSTANCE = {
    3: torch.nn.InstanceNorm1d,
    4: torch.nn.InstanceNorm2d,
    5: torch.nn.InstanceNorm3d,
}
SHAPES = {2: (4, 6), 3: (4, 6, 5), 4: (4, 6, 5, 3), 5: (3, 6, 2, 3, 2)}


def options(**choices):
    """All combinations of the given arguments, as dicts."""
    return [dict(zip(choices, c, strict=True)) for c in product(*choices.values())]


def cases():
    """(name, class of PyTorch, positional arguments, keyword arguments, shape)."""
    tracked = options(
        momentum=[0.1, 0.7, None],
        affine=[True, False],
        track_running_stats=[True, False],
    )
    tracked += [{"eps": 0.1}, {"momentum": 0.0}, {"affine": True, "bias": False}]
    free = options(elementwise_affine=[True, False], eps=[1e-5, 0.1])
    for dims, shape in SHAPES.items():
        for kwargs in tracked:
            yield "BatchNorm", BATCH[dims], (6,), kwargs, shape
            if dims > 2:
                yield "InstanceNorm", INSTANCE[dims], (6,), kwargs, shape
        for first in {1, dims - 1}:
            last = shape[first:]
            for kwargs in [*free, {"bias": False}]:
                yield "LayerNorm", torch.nn.LayerNorm, (last,), kwargs, shape
            for kwargs in [*free, {}]:
                yield "RMSNorm", torch.nn.RMSNorm, (last,), kwargs, shape
        group = options(affine=[True, False], eps=[1e-5, 0.1]) + [{"bias": False}]
        # Two values per group are normalized to -1 and 1, without a gradient.
        for groups, kwargs in product([1, 2] if dims == 2 else [1, 3, 6], group):
            yield "GroupNorm", torch.nn.GroupNorm, (groups, 6), kwargs, shape


CASES = [
    pytest.param(
        *case,
        id=f"{case[0]}-{case[2]}-"
        + "-".join(f"{k}={v}" for k, v in case[3].items())
        + f"-{len(case[4])}D",
    )
    for case in cases()
]
every_case = pytest.mark.parametrize("name, torchs, args, kwargs, shape", CASES)


def draw(shape, seed):
    """Off-center, off-scale input and a random upstream gradient."""
    rng = np.random.default_rng(seed)
    return torch.tensor(rng.normal(3, 2, shape)), torch.tensor(rng.normal(size=shape))


def pair(name, torchs, args, kwargs):
    """Our layer and PyTorch's, with the same weights."""
    reference = spread(torchs(*args, **kwargs, dtype=F64))
    layer = getattr(ours, name)(*args, **kwargs, dtype=F64)
    layer.load_state_dict(reference.state_dict())
    return layer, reference


def step(module, x, d_y):
    """Forward and backward; return the output and all gradients by name."""
    module.zero_grad()
    x = x.clone().requires_grad_()
    y = module(x)
    y.backward(d_y)
    grads = {name: p.grad for name, p in module.named_parameters()}
    return {"y": y.detach(), "x": x.grad, **grads}


def assert_same(mine, theirs, atol=1e-10):
    assert mine.keys() == theirs.keys()
    for key in mine:
        assert mine[key].shape == theirs[key].shape
        np.testing.assert_allclose(
            mine[key].numpy(),
            theirs[key].numpy(),
            rtol=0,
            atol=atol,
            equal_nan=False,
            err_msg=key,
        )


@every_case
def test_module_matches_torch(name, torchs, args, kwargs, shape):
    layer, reference = pair(name, torchs, args, kwargs)
    for i in range(10):
        x, d_y = draw((shape[0] + i % 3, *shape[1:]), seed=i)
        mine, theirs = step(layer, x, d_y), step(reference, x, d_y)
        assert_same(mine, theirs)
        assert_same(layer.state_dict(), reference.state_dict())
        assert theirs["x"].abs().max() > 1e-2, "gradient is ~0: this tests nothing"
        if i in (0, 1, 9):
            assert_same_at_inference(layer.eval(), reference.eval(), shape)
            for one in (layer, reference):
                one.train()


def assert_same_at_inference(layer, reference, shape):
    x, d_y = draw(shape, seed=99)
    kept = copy.deepcopy(layer.state_dict())
    assert_same(step(layer, x, d_y), step(reference, x, d_y))
    assert_same(layer.state_dict(), kept, atol=0)


@pytest.mark.parametrize(
    "name, torchs, shape",
    [
        ("BatchNorm", torch.nn.BatchNorm1d, (2, 6)),
        ("BatchNorm", torch.nn.BatchNorm2d, (1, 6, 1, 2)),
        ("InstanceNorm", torch.nn.InstanceNorm1d, (3, 6, 2)),
    ],
    ids=["batch of two", "two positions", "instance"],
)
def test_two_values_are_the_fewest_and_their_variance_is_doubled(name, torchs, shape):
    layer, reference = pair(name, torchs, (6,), {"track_running_stats": True})
    for seed in range(2):
        x = draw(shape, seed=seed)[0]
        assert_same({"y": layer(x).detach()}, {"y": reference(x).detach()})
        assert_same(layer.state_dict(), reference.state_dict())


def test_there_are_enough_cases():
    assert len({case.id for case in CASES}) == len(CASES) >= 150


FAMILIES = {
    "BatchNorm": (torch.nn.BatchNorm2d, (6,)),
    "InstanceNorm": (torch.nn.InstanceNorm2d, (6,)),
    "LayerNorm": (torch.nn.LayerNorm, (6,)),
    "GroupNorm": (torch.nn.GroupNorm, (2, 6)),
    "RMSNorm": (torch.nn.RMSNorm, (6,)),
}
every_family = pytest.mark.parametrize(
    "name, torchs, args", [(n, *v) for n, v in FAMILIES.items()], ids=FAMILIES
)


@every_family
def test_constructor_is_that_of_torch(name, torchs, args):
    signatures = [
        [(p.name, p.default, p.kind) for p in inspect.signature(c).parameters.values()]
        for c in (getattr(ours, name), torchs)
    ]
    assert signatures[0] == signatures[1]
    layer, reference = getattr(ours, name)(*args), torchs(*args)
    for key in inspect.signature(torchs).parameters.keys() - {
        "device",
        "dtype",
        "bias",
    }:
        assert getattr(layer, key) == getattr(reference, key)


@every_case
def test_state_moves_in_both_directions(name, torchs, args, kwargs, shape):
    layer = spread(getattr(ours, name)(*args, **kwargs, dtype=F64))
    reference = torchs(*args, **kwargs, dtype=F64)
    assert list(layer.state_dict()) == list(reference.state_dict())
    fresh = getattr(ours, name)(*args, **kwargs, dtype=F64)
    assert_same(fresh.state_dict(), reference.state_dict(), atol=0)
    reference.load_state_dict(layer.state_dict())
    assert_same(layer.state_dict(), reference.state_dict(), atol=0)
    fresh.load_state_dict(reference.state_dict())
    assert_same(layer.state_dict(), fresh.state_dict(), atol=0)
    for mine, theirs in zip(
        fresh.state_dict().values(), reference.state_dict().values(), strict=True
    ):
        assert mine.dtype == theirs.dtype


tracking = pytest.mark.parametrize("momentum", [0.1, None])


@tracking
@pytest.mark.parametrize("name", ["BatchNorm", "InstanceNorm"])
def test_buffers_have_no_graph_and_survive_copy_and_file(name, momentum):
    make = getattr(ours, name)
    layer = make(6, momentum=momentum, track_running_stats=True, dtype=F64)
    for i in range(3):
        x, d_y = draw((4, 6, 5), seed=i)
        step(layer, x, d_y)
        for buffer in layer.buffers():
            assert not buffer.requires_grad
            assert buffer.grad_fn is None
    file = io.BytesIO()
    torch.save(layer.state_dict(), file)
    file.seek(0)
    loaded = make(6, momentum=momentum, track_running_stats=True, dtype=F64)
    loaded.load_state_dict(torch.load(file, weights_only=True))
    twin = copy.deepcopy(layer)
    kept = {k: v.clone() for k, v in layer.state_dict().items()}
    for other in (twin, loaded):
        assert_same(other.state_dict(), kept, atol=0)
        x, d_y = draw((5, 6, 5), seed=7)
        expected = step(copy.deepcopy(layer), x, d_y)
        assert_same(step(other, x, d_y), expected, atol=0)
        assert not torch.equal(other.running_mean, layer.running_mean) or (
            name == "InstanceNorm" and momentum is None
        )
    assert_same(layer.state_dict(), kept, atol=0)


def test_running_buffers_are_updated_in_place():
    layer = ours.BatchNorm(3)
    mean, var = layer.running_mean, layer.running_var
    layer(3 + torch.randn(5, 3))
    assert mean is layer.running_mean and var is layer.running_var
    assert mean.abs().min() > 0.05


@pytest.mark.parametrize(
    "name, before", [("BatchNorm", True), ("BatchNorm", False), ("InstanceNorm", False)]
)
def test_tracking_can_be_switched_later_as_in_torch(name, before):
    torchs, args = FAMILIES[name]
    layers = pair(name, torchs, args, {"track_running_stats": before})
    results = []
    for layer in layers:
        layer.track_running_stats = not before
        y = [layer(draw((4, 6, 5, 3), seed=i)[0]).detach() for i in range(2)]
        results.append({"first": y[0], "second": y[1], **layer.state_dict()})
        if name == "BatchNorm":
            results[-1]["eval"] = layer.eval()(draw((4, 6, 5, 3), seed=2)[0]).detach()
    assert_same(*results)


def test_reset_forgets_the_batches_and_parameters():
    layer = spread(ours.BatchNorm(3, dtype=F64))
    layer(draw((5, 3), seed=0)[0])
    weight = layer.weight.clone()
    layer.reset_running_stats()
    fresh = ours.BatchNorm(3, dtype=F64)
    assert_same(dict(layer.named_buffers()), dict(fresh.named_buffers()), atol=0)
    assert torch.equal(layer.weight, weight), "the statistics only"
    ours.BatchNorm(3, track_running_stats=False).reset_running_stats()


@every_family
def test_reset_parameters_resets_what_torch_resets(name, torchs, args):
    track = {"track_running_stats": True, "affine": True}
    kwargs = track if name in ("BatchNorm", "InstanceNorm") else {}
    results = []
    for layer in pair(name, torchs, args, kwargs):
        layer(draw((4, 6, 5, 6), seed=0)[0])
        places = {key: value.data_ptr() for key, value in layer.state_dict().items()}
        layer.reset_parameters()
        state = layer.state_dict()
        assert places == {key: value.data_ptr() for key, value in state.items()}
        results.append(dict(state))
    assert_same(*results, atol=0)
    getattr(ours, name)(*args, **dict.fromkeys(kwargs, False)).reset_parameters()


def without_count(state):
    """Return a plain dict without the number of batches, as other libraries store."""
    return {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}


@pytest.mark.parametrize("name", ["BatchNorm", "InstanceNorm"])
def test_a_state_that_does_not_count_batches_loads_as_in_torch(name):
    torchs, args = FAMILIES[name]
    reference, layer = pair(name, torchs, args, {"track_running_stats": True})
    old = without_count(spread(reference, seed=3).state_dict())
    kept, results = dict(old), []
    for one in (layer, reference):
        model = torch.nn.Sequential(one)
        one.num_batches_tracked.fill_(7)
        model.load_state_dict({f"0.{key}": value for key, value in old.items()})
        results.append(dict(one.state_dict()))
    assert_same(*results, atol=0)
    assert results[0]["num_batches_tracked"] == 7
    assert old.keys() == kept.keys(), "the state that was given is not modified"


def test_a_new_state_without_its_count_is_refused_as_in_torch():
    for layer in (ours.BatchNorm(3), torch.nn.BatchNorm1d(3)):
        state = layer.state_dict()
        assert state._metadata[""]["version"] == 2
        del state["num_batches_tracked"]
        with pytest.raises(RuntimeError, match='Missing key.*"num_batches_tracked"'):
            layer.load_state_dict(state)


def test_a_layer_without_statistics_takes_no_count_from_an_old_state():
    layer = ours.BatchNorm(3, track_running_stats=False)
    layer.load_state_dict({"weight": torch.ones(3), "bias": torch.ones(3)})
    assert layer.num_batches_tracked is None
    assert list(layer.state_dict()) == ["weight", "bias"]


@pytest.mark.parametrize("name", FAMILIES)
def test_input_is_not_modified(name):
    layer = getattr(ours, name)(*FAMILIES[name][1], dtype=F64)
    x = draw((4, 6, 5, 6), seed=0)[0]
    kept = x.clone()
    layer(x)
    assert torch.equal(x, kept)


@every_family
def test_order_of_the_axes_in_memory_does_not_matter(name, torchs, args):
    layer, reference = pair(name, torchs, args, {})
    x = draw((4, 6, 7, 6), seed=0)[0]
    for view in (x.to(memory_format=torch.channels_last), x.transpose(1, 3)):
        assert not view.is_contiguous()
        assert_same({"y": layer(view).detach()}, {"y": reference(view).detach()})


def test_modules_and_numpy_layers_agree():
    x = draw((4, 6, 5), seed=0)[0]
    pairs = [
        (ours.BatchNorm(6, dtype=F64), norms.batch_norm(x.numpy())),
        (ours.InstanceNorm(6, dtype=F64), norms.instance_norm(x.numpy())),
        (ours.LayerNorm(5, dtype=F64), norms.layer_norm(x.numpy(), axis=2)),
        (ours.GroupNorm(2, 6, dtype=F64), norms.group_norm(x.numpy(), 2)),
        (ours.RMSNorm(5, 1e-5, dtype=F64), norms.rms_norm(x.numpy())),
    ]
    for layer, (y, _) in pairs:
        np.testing.assert_allclose(
            layer(x).detach().numpy(), y, rtol=0, atol=1e-12, equal_nan=False
        )


@tracking
def test_buffers_agree_with_numpy_running_statistics(momentum):
    layer = ours.BatchNorm(6, momentum=momentum, dtype=F64)
    running = RunningStatistics(6, momentum=momentum)
    for i in range(10):
        x = draw((2 + i % 3, 6, 5), seed=i)[0]
        layer(x)
        cache = norms.batch_norm(x.numpy())[1]
        running.update(cache.mean, cache.var, x.shape[0] * 5)
    np.testing.assert_allclose(layer.running_mean, running.mean, rtol=1e-12)
    np.testing.assert_allclose(layer.running_var, running.var, rtol=1e-12)


def test_float32_input_far_from_zero_keeps_unit_variance():
    x = 1e4 + torch.tensor(np.random.default_rng(0).normal(size=(4096, 2))).float()
    layer = ours.BatchNorm(2)
    y = layer(x).detach().numpy()
    np.testing.assert_allclose(y.std(0), 1, rtol=1e-3, equal_nan=False)
    np.testing.assert_allclose(
        layer.running_var, 0.9 + 0.1 * x.double().var(0), rtol=1e-3
    )


# PyTorch prints the bias since 2.13; the texts are those of its versions since then.
PRINTED = {
    "6, eps=1e-05, momentum=None, affine=True, bias=True, track_running_stats=True": (
        lambda: ours.BatchNorm(6, momentum=None)
    ),
    "6, eps=1e-05, momentum=0.1, affine=False, bias=False, track_running_stats=False": (
        lambda: ours.InstanceNorm(6)
    ),
    "(6,), eps=1e-05, elementwise_affine=True, bias=False": (
        lambda: ours.LayerNorm(6, bias=False)
    ),
    "(6,), eps=None, elementwise_affine=True": lambda: ours.RMSNorm(6),
    "2, 6, eps=1e-05, affine=True, bias=True": lambda: ours.GroupNorm(2, 6),
}


@pytest.mark.parametrize("text, make", PRINTED.items(), ids=PRINTED)
def test_printing_names_the_arguments_as_torch_does(text, make):
    assert make().extra_repr() == text


def test_unknown_names_are_not_invented():
    with pytest.raises(AttributeError, match="no attribute 'BatchNrom'"):
        _ = ours.BatchNrom


def ones(*shape):
    return torch.ones(shape)


WRONG = {
    "one value per channel": (
        lambda: ours.BatchNorm(3)(ones(1, 3)),
        ValueError,
        r"more than one value per channel, got shape \(1, 3\) in training",
    ),
    "half precision, float64 layer": (
        lambda: ours.LayerNorm(3, dtype=F64)(ones(4, 3).half()),
        TypeError,
        "dtype torch.float64, got torch.float16",
    ),
    "more precision than the layer's": (
        lambda: ours.GroupNorm(1, 3).bfloat16()(ones(4, 3)),
        TypeError,
        "dtype torch.bfloat16, got torch.float32",
    ),
    "the other half precision": (
        lambda: ours.BatchNorm(3).half()(ones(4, 3).bfloat16()),
        TypeError,
        "dtype torch.float16, got torch.bfloat16",
    ),
    "one value, no buffers, eval": (
        lambda: ours.BatchNorm(3, track_running_stats=False).eval()(ones(1, 3)),
        ValueError,
        "more than one value per channel",
    ),
    "one position": (
        lambda: ours.InstanceNorm(3)(ones(4, 3, 1)),
        ValueError,
        r"per channel and example, got shape \(4, 3, 1\)",
    ),
    "one dimension": (
        lambda: ours.BatchNorm(3)(ones(3)),
        ValueError,
        r"x must have 2 to 5 dimensions.*got shape \(3,\)",
    ),
    "six dimensions": (
        lambda: ours.BatchNorm(3)(ones(2, 3, 1, 1, 1, 1)),
        ValueError,
        r"2 to 5 dimensions.*got shape \(2, 3, 1, 1, 1, 1\)",
    ),
    "no positions": (
        lambda: ours.InstanceNorm(3)(ones(4, 3)),
        ValueError,
        r"x must have 3 to 5 dimensions, \(N, C, \*spatial\), got shape \(4, 3\)",
    ),
    "wrong channels": (
        lambda: ours.BatchNorm(3)(ones(4, 5)),
        ValueError,
        r"x must have 3 channels on axis 1, got shape \(4, 5\)",
    ),
    "wrong channels, plain": (
        lambda: ours.InstanceNorm(3)(ones(4, 5, 6)),
        ValueError,
        r"x must have 3 channels on axis 1, got shape \(4, 5, 6\)",
    ),
    "wrong channels in groups": (
        lambda: ours.GroupNorm(2, 6)(ones(4, 5)),
        ValueError,
        r"x must have 6 channels on axis 1, got shape \(4, 5\)",
    ),
    "wrong last axes": (
        lambda: ours.LayerNorm((3, 4))(ones(2, 4, 3)),
        ValueError,
        r"x must end in the shape \(3, 4\), got shape \(2, 4, 3\)",
    ),
    "integers": (
        lambda: ours.BatchNorm(3)(torch.ones(4, 3, dtype=torch.int64)),
        TypeError,
        "floating point numbers, got dtype torch.int64",
    ),
    "an array": (
        lambda: ours.RMSNorm(3)(np.ones((4, 3))),
        TypeError,
        "floating point numbers, got ndarray",
    ),
    "another precision": (
        lambda: ours.BatchNorm(3)(torch.ones(4, 3, dtype=F64)),
        TypeError,
        "dtype torch.float32, got torch.float64",
    ),
    "another precision, buffers only": (
        lambda: ours.BatchNorm(3, affine=False)(torch.ones(4, 3, dtype=F64)),
        TypeError,
        "dtype torch.float32, got torch.float64",
    ),
    "features not whole": (
        lambda: ours.BatchNorm(3.0),
        TypeError,
        "num_features must be a whole number, got 3.0",
    ),
    "no features": (
        lambda: ours.BatchNorm(0),
        ValueError,
        "num_features must be at least 1, got 0",
    ),
    "momentum": (
        lambda: ours.BatchNorm(3, momentum=9),
        ValueError,
        r"momentum must be None or lie in \[0, 1\], got 9",
    ),
    "eps": (
        lambda: ours.LayerNorm(3, eps=0.0),
        ValueError,
        "eps must be a finite number above 0, got 0.0",
    ),
    "groups do not divide": (
        lambda: ours.GroupNorm(4, 6),
        ValueError,
        "num_groups must divide the 6 channels, got 4",
    ),
}


@pytest.mark.parametrize("call, error, message", WRONG.values(), ids=WRONG.keys())
def test_wrong_input_is_refused_in_one_sentence(call, error, message):
    with pytest.raises(error, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_refused_batch_leaves_the_running_statistics():
    layer = ours.BatchNorm(3)
    with pytest.raises(ValueError):
        layer(ones(1, 3))
    assert_same(layer.state_dict(), ours.BatchNorm(3).state_dict(), atol=0)


def test_single_example_is_fine_at_inference():
    layer, reference = pair("BatchNorm", torch.nn.BatchNorm1d, (6,), {})
    x = draw((1, 6), seed=0)[0]
    expected = reference.eval()(x)
    assert_same({"y": layer.eval()(x).detach()}, {"y": expected.detach()})


EMPTY = [(0, 6), (0, 6, 4), (0, 6, 4, 5), (0, 6, 2, 2, 2), (4, 6, 0), (0, 6, 1)]


@pytest.mark.parametrize("shape", EMPTY, ids=map(str, EMPTY))
@pytest.mark.parametrize("kwargs", [{}, {"track_running_stats": False}])
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_empty_batches_pass_batch_norm_as_in_torch(shape, kwargs, training):
    found = []
    for layer in pair("BatchNorm", BATCH[len(shape)], (6,), kwargs):
        x = torch.ones(shape, dtype=F64)
        result = step(layer.train(training), x, x)
        found.append({**result, **layer.state_dict()})
    assert_same(*found, atol=0)
    assert found[0]["weight"].shape == (6,)


FREE = {
    "LayerNorm": lambda shape: (shape[1:],),
    "RMSNorm": lambda shape: (shape[1:],),
    "GroupNorm": lambda shape: (2, 6),
    "InstanceNorm": lambda shape: (6,),
}


@pytest.mark.parametrize("shape", EMPTY[:4], ids=map(str, EMPTY[:4]))
@pytest.mark.parametrize("name", FREE)
def test_empty_batches_pass_the_other_layers_as_in_torch(name, shape):
    if name == "InstanceNorm" and len(shape) == 2:
        shape = (4, 6, 0)
    torchs = INSTANCE[len(shape)] if name == "InstanceNorm" else getattr(torch.nn, name)
    layers = pair(name, torchs, FREE[name](shape), {})
    x = torch.ones(shape, dtype=F64)
    assert_same(*[step(layer, x, x) for layer in layers], atol=0)


@pytest.mark.parametrize("shape", [(0, 6, 4), (4, 6, 0)], ids=str)
def test_an_empty_batch_leaves_the_statistics_of_instance_norm(shape):
    # PyTorch raises an IndexError for the first.
    layer = spread(ours.InstanceNorm(6, track_running_stats=True))
    kept = copy.deepcopy(layer.state_dict())
    assert layer(ones(*shape)).shape == shape
    assert_same(layer.state_dict(), kept, atol=0)


# Re-estimation


def net(make, seed=0):
    """Two batch norms with a dropout between them."""
    torch.manual_seed(seed)
    return torch.nn.Sequential(
        torch.nn.Linear(5, 6, dtype=F64),
        make(6, dtype=F64),
        torch.nn.ReLU(),
        torch.nn.Dropout(0.5),
        torch.nn.Linear(6, 4, dtype=F64),
        make(4, dtype=F64),
    )


def loader():
    """Four batches of unequal size, with labels."""
    x = draw((24, 5), seed=3)[0]
    return [(part, None) for part in x.split([12, 2, 7, 3])]


MAKERS = {"bnlib": ours.BatchNorm, "torch": torch.nn.BatchNorm1d}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_reestimated_statistics_are_those_of_the_population(make):
    model = net(make)
    parameters = {n: p.clone() for n, p in model.named_parameters()}
    model[1].train()
    model[3].eval()
    model[5].eval()
    modes = [m.training for m in model.modules()]
    seen = ours.reestimate(model, loader())
    assert modes == [m.training for m in model.modules()]

    with torch.no_grad():
        first = [model[0](x) for x, _ in loader()]
        hidden = [F.batch_norm(h, None, None, training=True) for h in first]
        second = [model[4](h.relu()) for h in hidden]
    for layer, name, batches in ((model[1], "1", first), (model[5], "5", second)):
        whole = torch.cat(batches)
        np.testing.assert_allclose(layer.running_mean, whole.mean(0), rtol=1e-10)
        np.testing.assert_allclose(layer.running_var, whole.var(0), rtol=1e-10)
        assert layer.num_batches_tracked == 4
        assert not layer.running_mean.requires_grad
        total = population_statistics([b.numpy() for b in batches])
        assert seen[name].count == total.count == 24
        np.testing.assert_allclose(seen[name].var, total.var, rtol=1e-10)
    assert all(torch.equal(p, parameters[n]) for n, p in model.named_parameters())
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_reestimation_of_images_counts_positions(make):
    make = torch.nn.BatchNorm2d if make is torch.nn.BatchNorm1d else make
    layer = make(3)
    images = [draw((n, 3, n, 2), seed=n)[0].float() for n in (5, 2, 3)]
    ours.reestimate(layer, images)
    flat = torch.cat([x.transpose(0, 1).flatten(1) for x in images], 1).double()
    np.testing.assert_allclose(layer.running_mean, flat.mean(1), rtol=1e-6)
    np.testing.assert_allclose(layer.running_var, flat.var(1), rtol=1e-6)
    assert layer.running_var.dtype == torch.float32


@pytest.mark.parametrize("kind", [list, tuple, lambda batch: batch[0]])
def test_a_batch_may_be_a_list_a_tuple_or_the_tensor_itself(kind):
    model, expected = net(ours.BatchNorm), net(ours.BatchNorm)
    ours.reestimate(model, [kind(batch) for batch in loader()])
    ours.reestimate(expected, loader())
    assert_same(model.state_dict(), expected.state_dict(), atol=0)
    assert model[1].running_mean.abs().max() > 0.05


def test_reestimation_is_done_in_float64():
    layer, rng = ours.BatchNorm(2), np.random.default_rng(0)
    x = torch.tensor(1e4 + rng.normal(size=(64, 2))).float()
    seen = ours.reestimate(layer, x.split([40, 24]))[""]
    np.testing.assert_allclose(seen.mean, x.double().mean(0), rtol=1e-14)
    np.testing.assert_allclose(seen.unbiased_var, x.double().var(0), rtol=1e-10)


def test_reestimation_does_not_depend_on_what_was_there_before():
    one, two = net(ours.BatchNorm), net(ours.BatchNorm)
    spread(two[1])
    two[1].load_state_dict(
        {**one[1].state_dict(), "running_mean": two[1].running_mean + 7}
    )
    for model in (one, two):
        ours.reestimate(model, loader())
    assert_same(one.state_dict(), two.state_dict(), atol=0)


def broken_loader():
    yield loader()[0]
    raise OSError("disk")


def test_failed_reestimation_leaves_the_model_as_it_was():
    model = net(ours.BatchNorm).eval()
    kept = copy.deepcopy(model.state_dict())
    with pytest.raises(OSError, match="disk"):
        ours.reestimate(model, broken_loader())
    with pytest.raises(ValueError, match="at least one batch, got none"):
        ours.reestimate(model, [])
    with pytest.raises(ValueError, match=r"more than one value.*got shape \(1, 6\)"):
        ours.reestimate(model, [loader()[0], torch.ones(1, 5, dtype=F64)])
    with pytest.raises(TypeError, match="starts with the input, got str"):
        ours.reestimate(model, ["x"])
    assert_same(model.state_dict(), kept, atol=0)
    assert not any(m.training for m in model.modules())
    assert not any(m._forward_pre_hooks for m in model.modules())


@pytest.mark.parametrize(
    "layer", [torch.nn.Linear(2, 2), ours.BatchNorm(2, track_running_stats=False)]
)
def test_reestimation_needs_a_batch_norm_with_statistics(layer):
    with pytest.raises(ValueError, match="got Sequential without one"):
        ours.reestimate(torch.nn.Sequential(layer), loader())


def test_reestimation_leaves_a_layer_alone_that_sees_nothing():
    class Unused(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.unused = ours.BatchNorm(5, dtype=F64), ours.BatchNorm(3)

        def forward(self, x):
            return self.used(x)

    model = Unused()
    seen = ours.reestimate(model, loader())
    assert list(seen) == ["used"]
    assert_same(model.unused.state_dict(), ours.BatchNorm(3).state_dict(), atol=0)
