"""Forward and backward of the five layers, timed: `make bench` runs this file."""

import pytest
import torch

from tests.benchmarks import cases


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("contender", cases.CONTENDERS)
@pytest.mark.parametrize("layer, shape", cases.CASES, ids=str)
@pytest.mark.parametrize("turn", range(5))
def test_time(benchmark, turn, layer, shape, contender):
    # In turns, so that a busy minute of the machine does not hit one contender alone.
    given = cases.draw(layer, shape)
    benchmark.group = f"{layer}, {shape}"
    benchmark.extra_info.update(layer=layer, shape=shape, contender=contender)
    rounds = 4 if given[0].size > 10**6 else 60
    run = cases.CONTENDERS[contender]
    benchmark.pedantic(run, args=(layer, *given), rounds=rounds, warmup_rounds=2)
