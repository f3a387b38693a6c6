"""PyTorch's own tools on the layers: averaged weights, conversion, vmap."""

import pytest
import torch
from torch.func import functional_call, grad, replace_all_batch_norm_modules_, vmap
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import AveragedModel, update_bn

from bnlib import nn as ours
from bnlib.lab.noisy import NoisyBatchNorm

torch.set_num_threads(1)
FAMILY = {
    "BatchNorm": lambda: ours.BatchNorm(4),
    "SyncBatchNorm": lambda: ours.SyncBatchNorm(4),
    "GhostBatchNorm": lambda: ours.GhostBatchNorm(4, 8),
    "LpBatchNorm": lambda: ours.LpBatchNorm(4),
    "NoisyBatchNorm": lambda: NoisyBatchNorm(4),
}


def net(norm):
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(3, 4), norm)


@pytest.mark.parametrize("make", FAMILY.values(), ids=FAMILY)
def test_update_bn_finds_the_batch_norms(make):
    average = AveragedModel(net(make()))
    average.module[1].running_mean.fill_(torch.nan)
    torch.manual_seed(1)
    update_bn([torch.randn(16, 3) + 3 for _ in range(4)], average)
    assert average.module[1].running_mean.isfinite().all()
    assert average.module[1].running_mean.abs().max() > 0.1
    assert average.module[1].momentum == 0.1


def test_update_bn_gives_the_same_numbers_as_with_torchs_layer():
    torch.manual_seed(1)
    batches = [torch.randn(16, 3) + 3 for _ in range(4)]
    models = net(ours.BatchNorm(4)), net(torch.nn.BatchNorm1d(4))
    for model in models:
        update_bn(batches, model)
    for got, want in zip(*(m[1].buffers() for m in models), strict=True):
        assert torch.allclose(got, want, rtol=1e-5)


def test_only_the_batch_norms_are_of_torchs_class():
    assert isinstance(ours.BatchNorm(3), _BatchNorm)
    others = ours.LayerNorm(3), ours.InstanceNorm(3), ours.GroupNorm(1, 3)
    assert not any(isinstance(layer, _BatchNorm) for layer in others)


def test_torch_converts_batch_norm_to_its_synchronized_layer():
    model = net(ours.BatchNorm(4, eps=0.1, momentum=0.3))
    x = torch.randn(8, 3)
    model(x)
    new = torch.nn.SyncBatchNorm.convert_sync_batchnorm(model)
    assert type(new[1]) is torch.nn.SyncBatchNorm
    assert torch.allclose(new.eval()(x), model.eval()(x), atol=1e-6)


def gradients_of_each(model, x):
    """Gradients of the loss of each example, as a batch of one image."""

    def loss(parameters, image):
        return functional_call(model, parameters, (image[None],)).square().sum()

    parameters = {k: v.detach() for k, v in model.named_parameters()}
    return vmap(grad(loss), in_dims=(None, 0))(parameters, x)


@pytest.mark.parametrize("momentum", [0.1, None])
def test_vmap_in_training_names_cause_and_cure(momentum):
    layer = ours.BatchNorm(3, momentum=momentum)
    x = torch.randn(4, 8, 3)
    cure = "vmap and grad, got '.*'; there use track_running_stats=False"
    with pytest.raises(RuntimeError, match=f"running statistics.*{cure}") as caught:
        vmap(layer)(x)
    assert "\n" not in str(caught.value)
    assert not layer.running_mean.any(), "they stay as they were"
    with pytest.raises(RuntimeError, match=cure):
        gradients_of_each(layer, torch.randn(4, 3, 5))


def test_the_cures_for_vmap_work():
    layer, x = ours.BatchNorm(3), torch.randn(4, 8, 3)
    each = torch.stack([layer.eval()(part) for part in x])
    assert torch.allclose(vmap(layer)(x), each, atol=1e-6)
    replace_all_batch_norm_modules_(layer.train())  # PyTorch's tool: no statistics
    assert layer.running_mean is None
    plain = ours.BatchNorm(3, track_running_stats=False)
    want = torch.stack([plain(part) for part in x])
    for one in (layer, plain):
        assert torch.allclose(vmap(one)(x), want, atol=1e-6)
    images = torch.randn(4, 3, 5)
    alone = [gradients_of_each(plain, image[None])["weight"] for image in images]
    together = gradients_of_each(plain, images)["weight"]
    assert torch.allclose(together, torch.cat(alone), atol=1e-5)
    assert together.abs().max() > 0.1
