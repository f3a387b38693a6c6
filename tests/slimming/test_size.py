"""Parameters and multiplications, against numbers worked out by hand."""

import pytest
import torch
from torch import nn

from bnlib.lab.models import vgg
from bnlib.slimming.size import summary

X = torch.randn(3, 2, 8, 8, generator=torch.Generator().manual_seed(0))


def test_counts_of_each_kind_of_layer():
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),  # 4 * 64 outputs of 18 products each
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Conv2d(4, 4, 3, stride=2, padding=1, groups=4, bias=False),  # 64 of 9
        nn.ConvTranspose2d(4, 3, 2, stride=2),  # 64 inputs meet 12 weights
        nn.Flatten(),
        nn.Linear(3 * 64, 5),
    )
    found = summary(model, X)
    assert found.layers == [
        ("0", "Conv2d", (4, 8, 8), 76, 4608),
        ("1", "BatchNorm2d", (4, 8, 8), 8, 0),
        ("3", "Conv2d", (4, 4, 4), 36, 576),
        ("4", "ConvTranspose2d", (3, 8, 8), 51, 768),
        ("6", "Linear", (5,), 965, 960),
    ]
    assert found.parameters == 76 + 8 + 36 + 51 + 965
    assert found.macs == 4608 + 576 + 768 + 960
    assert found.flops == 2 * found.macs


def test_multiplications_of_a_convolution_counted_one_by_one():
    model = nn.Conv2d(2, 3, 3, stride=2)
    weight = torch.ones_like(model.weight)
    ones = nn.functional.conv2d(torch.ones(1, 2, 8, 8), weight, stride=2)
    assert summary(model, X).macs == int(ones.sum())


def test_number_of_examples_does_not_matter():
    assert (
        summary(nn.Conv2d(2, 3, 3), X).macs == summary(nn.Conv2d(2, 3, 3), X[:1]).macs
    )


def test_layer_that_is_called_twice_works_twice_and_weighs_once():
    layer = nn.Linear(4, 4)
    found = summary(nn.Sequential(layer, layer), torch.randn(2, 4))
    assert (found.parameters, found.macs) == (20, 32)


def test_parameter_that_two_layers_share_counts_once():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4, bias=False))
    model[1].weight = model[0].weight
    found = summary(model, torch.randn(2, 4))
    assert [row[3] for row in found.layers] == [20, 16]
    assert (found.parameters, found.macs) == (20, 32)


class Written(nn.Module):
    """A weight of its own, a layer called by keyword, and a product in forward."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Conv2d(2, 3, 1, bias=False)
        self.own = nn.Parameter(torch.randn(4, 3, 3, 3))

    def forward(self, x):
        y = nn.functional.conv2d(self.inner(input=x @ x), self.own)
        return y.flatten(2) @ y.flatten(2).transpose(1, 2)


def test_what_a_forward_computes_by_itself_counts_where_it_is_called():
    own, inner = 2 * 8**3 + 4 * 36 * 27 + 4 * 4 * 36, 3 * 64 * 2
    found = summary(nn.Sequential(Written()), X)
    assert found.layers == [
        ("0", "Written", (4, 4), 108, own),
        ("0.inner", "Conv2d", (3, 8, 8), 6, inner),
    ]
    assert found.macs == own + inner


def test_part_without_parameters_counts_in_the_total_alone():
    class Product(nn.Module):
        def forward(self, x):
            return x @ x.T

    found = summary(nn.Sequential(nn.Linear(4, 5), Product()), torch.randn(2, 4))
    assert [row[-1] for row in found.layers] == [20]
    assert found.macs == 20 + 2 * 2 * 5 // 2


def test_model_is_as_it_was():
    model = vgg((4,), in_channels=2, dtype=torch.float32)
    model[2].eval()
    before = model[1].running_mean.clone()
    summary(model, X)
    assert [m.training for m in model[:3]] == [True, True, False]
    assert torch.equal(model[1].running_mean, before)
    for module in model.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks


def test_model_is_as_it_was_after_a_forward_that_fails():
    model = vgg((4,), in_channels=2, dtype=torch.float32)
    with pytest.raises(RuntimeError, match="channels"):
        summary(model, X[:, :1])
    assert all(m.training for m in model.modules())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_printed_table_lines_up_and_ends_with_the_total():
    lines = str(summary(vgg((4,), in_channels=2, dtype=torch.float32), X)).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[0].split() == [
        *("layer", "type", "output", "parameters", "multiply-adds"),
    ]
    assert lines[1].split() == [
        *("0", "Conv2d", "4", "x", "8", "x", "8", "72", "4,608"),
    ]
    assert lines[-1].split() == ["total", "130", "4,648"]


def test_empty_input_is_refused():
    with pytest.raises(ValueError, match=r"at least one example .* \(0, 2, 8, 8\)"):
        summary(nn.Conv2d(2, 3, 3), X[:0])


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:Using `torch.compile")
def test_compiled_models_are_counted_and_scripted_ones_refused():
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Flatten(), nn.Linear(108, 4)).eval()
    want = summary(model, X).macs
    compiled = torch.compile(model, backend="eager")
    compiled(X)
    assert summary(compiled, X).macs == want
    whole = nn.Sequential(compiled, nn.Linear(4, 5)).eval()
    assert summary(whole, X).macs == want + 20  # compiled parts, too
    for what, name in (
        (torch.jit.trace(model, X), "TopLevelTracedModule"),
        (nn.Sequential(torch.jit.script(model)), "RecursiveScriptModule"),
        (torch.export.export(model, (X,)).module(), "GraphModule"),
    ):
        with pytest.raises(ValueError, match=f"run in Python, got {name}; pass the"):
            summary(what, X)


def test_input_may_be_a_dict():
    class Takes(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 2)

        def forward(self, batch):
            return self.layer(batch["x"])

    assert summary(Takes(), {"x": torch.ones(5, 3)}).macs == 6
