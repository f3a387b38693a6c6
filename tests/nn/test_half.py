"""Half precision, mixed precision and autocast against PyTorch's layers."""

import math

import pytest
import torch

from bnlib import nn as ours
from bnlib.lab.noisy import NoisyBatchNorm
from tests.oracles import spread

torch.set_num_threads(1)
F16, BF16, F32 = torch.float16, torch.bfloat16, torch.float32
TRACK = {"track_running_stats": True, "affine": True}
# name -> (ours, PyTorch's, shape of the input)
LAYERS = {
    "BatchNorm-2D": (ours.BatchNorm, torch.nn.BatchNorm1d, (6,), {}, (16, 6)),
    "BatchNorm-4D": (ours.BatchNorm, torch.nn.BatchNorm2d, (6,), {}, (4, 6, 3, 5)),
    "BatchNorm-None": (
        ours.BatchNorm,
        torch.nn.BatchNorm1d,
        (6,),
        {"momentum": None},
        (16, 6),
    ),
    "SyncBatchNorm": (ours.SyncBatchNorm, torch.nn.SyncBatchNorm, (6,), {}, (16, 6)),
    "InstanceNorm": (
        ours.InstanceNorm,
        torch.nn.InstanceNorm2d,
        (6,),
        TRACK,
        (4, 6, 3, 5),
    ),
    "InstanceNorm-plain": (
        ours.InstanceNorm,
        torch.nn.InstanceNorm2d,
        (6,),
        {},
        (4, 6, 3, 5),
    ),
    "LayerNorm": (ours.LayerNorm, torch.nn.LayerNorm, (24,), {}, (16, 24)),
    "GroupNorm": (ours.GroupNorm, torch.nn.GroupNorm, (2, 6), {}, (4, 6, 3, 5)),
    "RMSNorm": (ours.RMSNorm, torch.nn.RMSNorm, (24,), {}, (16, 24)),
}
PRECISIONS = {  # of the layer, of the input
    "float16": (F16, F16),
    "bfloat16": (BF16, BF16),
    "float32-float16": (F32, F16),
    "float32-bfloat16": (F32, BF16),
    "float32": (F32, F32),
}
every_layer = pytest.mark.parametrize("layer", LAYERS)
every_precision = pytest.mark.parametrize("precision", PRECISIONS)


def draw(shape, dtype, seed=0, size=100.0):
    """Draw numbers of which float16 cannot hold the squares."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(shape, generator=generator)
    return (size * x + size / 3).to(dtype)


def pair(name, dtype):
    """Our layer and PyTorch's, with the same numbers."""
    mine, theirs, args, kwargs, shape = LAYERS[name]
    reference = spread(theirs(*args, **kwargs, dtype=dtype))
    layer = mine(*args, **kwargs, dtype=dtype)
    layer.load_state_dict(reference.state_dict())
    return layer, reference, shape


def close(got, want, ulps=1):
    """Compare to so many units in the last place, those of the largest number."""
    assert got.dtype == want.dtype
    assert got.isfinite().all()
    assert want.float().abs().max() > 1e-3, "this is ~0: it tests nothing"
    unit = torch.finfo(want.dtype).eps * want.float().abs().max()
    if want.dtype == F32:  # both sum in float32, in another order
        unit *= 8
    assert (got.float() - want.float()).abs().max() <= ulps * unit


def step(layer, x, d_y):
    """Output, and the gradients of the input and the parameters."""
    x = x.clone().requires_grad_()
    layer.zero_grad()
    y = layer(x)
    y.backward(d_y)
    return y.detach(), [x.grad, *(p.grad for p in layer.parameters())]


def drawn(shape, dtype, seed=0):
    """An input and an upstream gradient."""
    return draw(shape, dtype, seed), draw(shape, dtype, seed + 10, size=1)


@every_layer
@every_precision
@pytest.mark.filterwarnings("ignore:Mismatch dtype between input and weight")
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("cast", [False, True], ids=["plain", "autocast"])
def test_layers_equal_those_of_torch_to_rounding(layer, precision, training, cast):
    own, dtype = PRECISIONS[precision]
    mine, theirs, shape = pair(layer, own)
    unit = torch.finfo(dtype).eps  # PyTorch's layer norm sums gradients in half
    for seed in range(3):
        with torch.autocast("cpu", dtype=BF16, enabled=cast):
            y, grads = step(mine.train(training), *drawn(shape, dtype, seed))
            want, their_grads = step(theirs.train(training), *drawn(shape, dtype, seed))
        assert y.dtype == dtype
        close(y, want)
        for got, wanted in zip(grads, their_grads, strict=True):
            assert got.dtype == wanted.dtype
            size = wanted.float().abs().max()
            assert (got.float() - wanted.float()).abs().max() <= 4 * unit * size
    for buffer, wanted in zip(mine.buffers(), theirs.buffers(), strict=True):
        if buffer.is_floating_point():
            close(buffer, wanted, ulps=2)
        assert buffer.is_floating_point() or buffer == wanted


@every_layer
@pytest.mark.parametrize("dtype", [F16, BF16], ids=str)
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_half_precision_is_one_rounding_of_the_same_in_float32(layer, dtype, training):
    half, _, shape = pair(layer, dtype)
    single = pair(layer, dtype)[0].float()
    for seed in range(3):
        single.load_state_dict(half.state_dict())
        x, d_y = drawn(shape, dtype, seed)
        y, grads = step(half.train(training), x, d_y)
        want, wide = step(single.train(training), x.float(), d_y.float())
        assert torch.equal(y, want.to(dtype))
        for got, wanted in zip(grads, wide, strict=True):
            assert torch.equal(got, wanted.to(dtype))
        for name, buffer in half.named_buffers():
            assert torch.equal(buffer, single.get_buffer(name).to(buffer.dtype))


@pytest.mark.parametrize("dtype", [F16, BF16], ids=str)
@pytest.mark.parametrize("sync", [False, True], ids=["BatchNorm", "SyncBatchNorm"])
def test_a_net_trains_under_autocast_as_with_torchs_layer(dtype, sync):
    nets = []
    for norm in (torch.nn.BatchNorm2d, ours.BatchNorm):
        torch.manual_seed(0)
        conv, last = torch.nn.Conv2d(3, 4, 3), torch.nn.Linear(16, 2)
        net = torch.nn.Sequential(conv, norm(4), torch.nn.Flatten(), last)
        mine = norm is ours.BatchNorm
        nets.append(ours.convert_sync_batch_norm(net) if sync and mine else net)
    results = []
    for net in nets:
        x = draw((8, 3, 4, 4), F32)
        with torch.autocast("cpu", dtype=dtype):
            y = net[1](net[0](x))
            (net[3](net[2](y)).float() ** 2).sum().backward()
        assert y.dtype == dtype
        assert {v.dtype for v in (*net[1].parameters(), *net[1].buffers())} == {
            F32,
            torch.int64,
        }
        grads = [net[1].weight.grad, net[3].weight.grad, net[0].weight.grad]
        results.append((y.detach(), grads, [net[1].running_mean, net[1].running_var]))
    (theirs, their_grads, their_buffers), (mine, grads, buffers) = results
    close(mine, theirs)
    unit = torch.finfo(dtype).eps  # of the outputs, from which the gradients come
    for got, want in zip(grads, their_grads, strict=True):
        assert (got - want).abs().max() <= 4 * unit * want.abs().max()
    for got, want in zip(buffers, their_buffers, strict=True):
        close(got, want)


VARIANTS = {
    "ghost": lambda **k: ours.GhostBatchNorm(6, 4, **k),
    "noisy": lambda **k: NoisyBatchNorm(6, 0, 1, 0, 0, **k),
    "L1": lambda **k: ours.LpBatchNorm(6, 1, **k),
    "Linf": lambda **k: ours.LpBatchNorm(6, math.inf, **k),
}


@pytest.mark.parametrize("make", VARIANTS.values(), ids=VARIANTS)
@pytest.mark.parametrize("dtype", [F16, BF16], ids=str)
def test_variants_round_once(make, dtype):
    half, single = make(dtype=dtype), make()
    x = draw((14, 6), dtype)
    for layer in (half, single):
        spread(layer)
    single.load_state_dict(half.state_dict())
    assert torch.equal(make()(x), make()(x.float()).to(dtype)), "a layer in float32"
    assert torch.equal(half(x), single(x.float()).to(dtype))
    assert half.running_var.dtype == dtype and half.running_var.isfinite().all()


def test_rms_norm_adds_the_epsilon_of_float32_as_torch_does():
    x = draw((4, 6), F16, size=1e-3)
    close(ours.RMSNorm(6)(x).detach(), torch.nn.RMSNorm(6)(x).detach())
