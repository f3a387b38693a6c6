"""The nets of the zoo, from torchvision and timm, with random weights and small inputs.

Nothing is downloaded. Which kinds of blocks they stand for, the table says.
"""

import sys
import types

import torch

from bnlib.modules import is_channel_norm, keep_modes

# name: (side of the image, what is special). torchvision's have no prefix.
NETS = {
    "timm:darknet17": (64, "a chain; norm and activation in one module"),
    "resnet18": (64, "sums"),
    "resnext50_32x4d": (64, "grouped convolutions"),
    "densenet121": (64, "concatenations"),
    "googlenet": (64, "auxiliary heads that only training runs"),
    "mobilenet_v2": (64, "depthwise convolutions"),
    "mobilenet_v3_small": (64, "squeeze and excitation"),
    "efficientnet_b0": (64, "stochastic depth"),
    "mnasnet0_5": (64, "depthwise convolutions"),
    "shufflenet_v2_x0_5": (64, "splits and shuffles"),
    "regnet_y_400mf": (64, "groups, squeeze and excitation"),
    "lraspp_mobilenet_v3_large": (64, "segmentation, a dict comes out"),
    "video/r3d_18": (32, "a subclass of Conv3d"),
    "squeezenet1_1": (64, "no norm"),
    "timm:efficientnet_b0": (64, "norm and activation in one module"),
    "timm:tf_efficientnet_b0": (64, "padding by the size of the image"),
    "timm:fbnetc_100": (64, "norm and activation in one module"),
    "timm:mobilenetv4_conv_small": (64, "a subclass of Linear"),
    "timm:ghostnet_050": (64, "slices of channels"),
    "timm:repvgg_a0": (64, "a norm without layer, in a sum"),
    "timm:ese_vovnet19b_dw": (64, "concatenations, gates"),
    "timm:res2net50_26w_4s": (64, "splits"),
    "timm:skresnet18": (64, "attention over branches"),
    "timm:resnetv2_50": (64, "norms before layers"),
    "timm:mobilevit_xxs": (64, "attention; a block that cannot be traced"),
    "timm:levit_128s": (224, "norms on axes of their own, attention"),
}
# What else the doctor looks at.
MORE = {
    "timm:resnet18": (64, "residual branches that begin at 0"),
    "timm:seresnet18": (64, "norms right before a mean over positions"),
    "timm:regnetz_b16": (64, "other activations, squeeze and excitation"),
}


def make(name):
    """Build a net with statistics and parameters as after training, in float64."""
    net, x = build(name)
    return lived(net.double(), x.double()), x.double()


def build(name):
    """Build a net as its authors do, with random weights; and four inputs."""
    side, _ = (NETS | MORE)[name]
    torch.manual_seed(0)
    # torchvision's wheel for GPUs describes operators that the small CPU build of torch
    # lacks; the definitions of the nets, timm's too, need none of them.
    absent = "torchvision._meta_registrations"
    sys.modules.setdefault(absent, types.ModuleType(absent))
    if name.startswith("timm:"):
        import timm

        net = timm.create_model(name.removeprefix("timm:"), pretrained=False)
    else:
        from torchvision import models

        weights = {"weights": None}
        if "lraspp" in name:
            weights["weights_backbone"] = None
        if name == "googlenet":
            weights["init_weights"] = False
        net = models.get_model(name.rpartition("/")[2], **weights)
    size = (3, 8, side, side) if "r3d" in name else (3, side, side)
    return net, torch.randn(4, *size)


@torch.no_grad()
def lived(net, x):
    """Give each norm other parameters, and statistics from one batch; eval mode."""
    for norm in (m for m in net.modules() if is_channel_norm(m)):
        if norm.weight is not None:
            norm.weight.uniform_(0.3, 1.3)
            norm.bias.normal_(0, 0.3)
        norm.momentum = 1.0
    with keep_modes(net):
        net.train()(x)
    for norm in (m for m in net.modules() if is_channel_norm(m)):
        norm.momentum = 0.1
        norm.running_var.clamp_(min=1e-3)
    return net.eval()
