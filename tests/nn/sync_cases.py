"""What tests/test_distributed.py computes, on each rank and in one process.

As a script it is one rank: it runs every case on its part of the batch and saves the
results. Imported, it gives the same cases on the whole batch. One start for all cases,
because starting a process takes longer than all of them.
"""

import sys
from pathlib import Path

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn

from bnlib.lab.launch import join_group
from bnlib.lab.models import conv_net
from bnlib.nn import BatchNorm, reestimate
from bnlib.nn.sync import SyncBatchNorm, convert_sync_batch_norm

STEPS = 3
SHAPES = {"dense": (3,), "images": (3, 4, 5)}
PARTS = {
    2: {
        "equal": (8, 8),
        "unequal": (11, 5),
        "last-empty": (9, 0),
        "first-empty": (0, 9),
        "one-each": (1, 1),
    },
    3: {"middle-empty": (5, 0, 3), "one-each": (1, 1, 1)},
}
SUBGROUP = ((3, 4), (5, 2), {})  # on ranks 0 and 2 of three
OPTIONS = {
    "default": {},
    "cumulative": {"momentum": None},
    "untracked": {"track_running_stats": False},
    "bare": {"affine": False},
    "no-shift": {"bias": False},
}


def layer_cases(size):
    """name -> (shape of an example, examples of each rank, options)."""
    cases = {
        f"{form}-{split}": (shape, parts, {})
        for form, shape in SHAPES.items()
        for split, parts in PARTS[size].items()
    }
    return cases | {
        f"option-{name}": ((3, 4), PARTS[size]["one-each"], options)
        for name, options in OPTIONS.items()
    }


def mine(tensor, parts, rank):
    """The examples of one rank, or of all for None."""
    return tensor if rank is None else tensor.split(parts)[rank]


def draw(shape, seed, dtype=torch.float64):
    """Off-center and off-scale, so that no term of a formula vanishes."""
    generator = torch.Generator().manual_seed(seed)
    return 3 + 2 * torch.randn(shape, generator=generator, dtype=dtype)


def run_layer(shape, parts, options, rank=None, group=None):
    """Output, gradients and buffers of each step; all examples for rank None."""
    kind = BatchNorm if rank is None else SyncBatchNorm
    if group is not None:
        options = {**options, "process_group": group}
    # The larger eps keeps the gradient of a batch of two away from 0.
    layer = kind(3, eps=0.1, dtype=torch.float64, **options)
    for seed, parameter in enumerate(layer.parameters()):
        parameter.data = draw(3, 70 + seed)
    steps = []
    for step in range(STEPS):
        whole = draw((sum(parts), *shape), step)
        x = mine(whole, parts, rank).clone().requires_grad_()
        y = layer(x)
        # A random upstream gradient: for all ones d_x is zero whatever the code does.
        y.backward(mine(draw(whole.shape, 40 + step), parts, rank))
        found = {"y": y.detach(), "d_x": x.grad}
        for name, parameter in layer.named_parameters():
            found[f"d_{name}"], parameter.grad = parameter.grad, None
        found |= {name: buffer.clone() for name, buffer in layer.named_buffers()}
        steps.append(found)
    return steps


def far_from_zero(rank=None):
    """The running variance after one batch of float32 numbers around 1000."""
    layer = (BatchNorm if rank is None else SyncBatchNorm)(3, momentum=1.0)
    x = (draw((64, 3), 5) + 1000).float()
    layer(mine(x, (40, 24), rank))
    return layer.running_var


def halves(rank=None):
    """Outputs and gradients in half precision, with numbers of large squares."""
    found = {}
    for dtype in (torch.float16, torch.bfloat16):
        layer = (BatchNorm if rank is None else SyncBatchNorm)(3)
        whole = (200 * draw((16, 3, 2), 6)).to(dtype)
        x = mine(whole, (11, 5), rank).clone().requires_grad_()
        y = layer(x)
        y.backward(mine(draw(whole.shape, 7).to(dtype), (11, 5), rank))
        found[dtype] = {"y": y.detach(), "d_x": x.grad, "buffer": layer.running_var}
    return found


def trained(rank=None, parallel=False, parts=(13, 7), steps=5):
    """State of a small net after steps of SGD on batches of 20."""
    model = conv_net((4, 4), seed=1)
    model[1].weight.data = draw(4, 90)
    if rank is not None:
        model = convert_sync_batch_norm(model)
    net = nn.parallel.DistributedDataParallel(model) if parallel else model
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    for step in range(steps):
        x, y = draw((20, 1, 8, 8), step), torch.arange(20) % 10
        x, y = mine(x, parts, rank), mine(y, parts, rank)
        optimizer.zero_grad()
        scale = len(parts) if parallel else 1
        (scale * F.cross_entropy(net(x), y, reduction="sum") / 20).backward()
        if rank is not None and not parallel:
            for parameter in model.parameters():
                dist.all_reduce(parameter.grad)
        optimizer.step()
    return model.state_dict()


def reestimated(rank=None):
    """Running statistics of a net from two batches, the second one smaller."""
    model = conv_net((4,), seed=1, norm=BatchNorm)
    if rank is not None:
        model = convert_sync_batch_norm(model)
    batches = [(draw((20, 1, 8, 8), 1), (12, 8)), (draw((6, 1, 8, 8), 2), (6, 0))]
    reestimate(model, [mine(x, parts, rank) for x, parts in batches])
    return model.state_dict()


def message(function):
    """What function raises, as text."""
    try:
        function()
    except (RuntimeError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    return "nothing raised"


def second_derivative():
    x = draw((4, 3), 0).requires_grad_()
    layer = SyncBatchNorm(3, dtype=torch.float64)
    (first,) = torch.autograd.grad(layer(x).pow(3).sum(), x, create_graph=True)
    first.sum().backward()


def alone(rank):
    """What only one rank does must not wait for the other: no communication."""
    layer = SyncBatchNorm(3, dtype=torch.float64)
    only_first = dist.new_group([0])
    found = {}
    if rank == 0:
        found["eval"] = layer.eval()(draw((4, 3), 0))
        untracked = SyncBatchNorm(3, dtype=torch.float64, track_running_stats=False)
        found["eval untracked"] = untracked.eval()(draw((4, 3), 0))
        grouped = SyncBatchNorm(3, dtype=torch.float64, process_group=only_first)
        found["group of one"] = grouped(draw((4, 3), 0))
        assert convert_sync_batch_norm(grouped, only_first).process_group is only_first
    else:
        grouped = SyncBatchNorm(3, process_group=only_first)
        found["not a member"] = message(lambda: grouped(torch.ones(4, 3)))
    return {k: v if isinstance(v, str) else v.detach() for k, v in found.items()}


def run_rank(folder):
    with join_group("gloo", time_limit=30) as me:
        cases = layer_cases(me.size)
        found = {name: run_layer(*case, me.rank) for name, case in cases.items()}
        if me.size == 3:
            outer = dist.new_group([0, 2])
            if me.rank != 1:  # which takes no part
                found["subgroup"] = run_layer(*SUBGROUP, me.rank // 2, outer)
        if me.size == 2:
            layer = SyncBatchNorm(3)
            one_value = torch.ones(1 - me.rank, 3)
            with torch.no_grad():
                found["far from zero"] = far_from_zero(me.rank)
            found["halves"] = halves(me.rank)
            found["all empty"] = message(lambda: layer(torch.ones(0, 3)))
            found["trained"] = trained(me.rank)
            found["parallel"] = trained(me.rank, parallel=True)
            found["reestimated"] = reestimated(me.rank)
            found["one value"] = message(lambda: layer(one_value))
            found["second derivative"] = message(second_derivative)
            found["alone"] = alone(me.rank)
        torch.save(found, Path(folder) / f"{me.rank}.pt")


if __name__ == "__main__":
    run_rank(sys.argv[1])
