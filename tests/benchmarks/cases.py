"""What `make bench` compares: five layers, their shapes, and four ways to compute them.

Each contender takes float32 arrays and returns ``(y, d_x, d_gamma, d_beta)``, one
forward and one backward pass. They are ours, PyTorch's CPU kernels under autograd, the
plain NumPy of chapters 2 and 3 and, as the time below which nothing can fall, a copy of
``x``.
"""

from functools import partial

import numpy as np
import torch
import torch.nn.functional as F

from bnlib import norms

EPS = 1e-5
IMAGES = [(64, 64, 28, 28), (32, 16, 8, 8), (8, 512, 7, 7)]
VECTORS = [(128, 256)]
TEXT = [(32, 128, 768)]
SHAPES = {
    "batch norm": IMAGES + VECTORS,
    "layer norm": IMAGES + VECTORS + TEXT,
    "instance norm": IMAGES,
    "group norm": IMAGES + VECTORS,
    "RMS norm": IMAGES + VECTORS + TEXT,
}
CASES = [(layer, shape) for layer, shapes in SHAPES.items() for shape in shapes]
GROUPS = 8


def draw(layer, shape, seed=0):
    """Draw x, gamma, beta (None for RMS norm) and the gradient of y."""
    rng = np.random.default_rng(seed)
    per_feature = shape[features(shape) :]
    size = per_feature if layer in ("layer norm", "RMS norm") else shape[1:2]
    x = rng.normal(3, 2, size=shape).astype("f4")
    gamma = rng.uniform(0.5, 2, size=size).astype("f4")
    beta = None if layer == "RMS norm" else rng.normal(size=size).astype("f4")
    return x, gamma, beta, rng.normal(size=shape).astype("f4")


def features(shape):
    """Return the first axis of the features: the last of text, otherwise axis 1."""
    return -1 if len(shape) == 3 else 1


def ours(layer, x, gamma, beta, d_y):
    """Run bnlib's kernel."""
    axis = features(x.shape)
    forward = {
        "batch norm": norms.batch_norm,
        "layer norm": partial(norms.layer_norm, axis=axis),
        "instance norm": norms.instance_norm,
        "group norm": lambda x, *rest: norms.group_norm(x, GROUPS, *rest),
        "RMS norm": lambda x, gamma, _: norms.rms_norm(x, gamma, axis=axis),
    }[layer]
    y, cache = forward(x, gamma, beta)
    return y, *norms.backward(d_y, cache)


def pytorch(layer, x, gamma, beta, d_y):
    """Run PyTorch's kernel and its autograd, on tensors that share our memory."""
    given = [
        torch.from_numpy(a).requires_grad_() for a in (x, gamma, beta) if a is not None
    ]
    x, gamma, *beta = given
    size = x.shape[features(x.shape) :]
    y = {
        "batch norm": lambda: F.batch_norm(
            x, None, None, gamma, *beta, training=True, eps=EPS
        ),
        "layer norm": lambda: F.layer_norm(x, size, gamma, *beta, eps=EPS),
        "instance norm": lambda: F.instance_norm(x, None, None, gamma, *beta, eps=EPS),
        "group norm": lambda: F.group_norm(x, GROUPS, gamma, *beta, eps=EPS),
        "RMS norm": lambda: F.rms_norm(x, size, gamma, eps=EPS),
    }[layer]()
    gradients = torch.autograd.grad(y, given, torch.from_numpy(d_y))
    return [a.detach().numpy() for a in (y, *gradients)]


def chapter(layer, x, gamma, beta, d_y):
    """Run the plain lines of chapters 2 and 3, with the axes of the layer."""
    shape, d_shape = x.shape, gamma.shape
    if layer == "group norm":
        x = x.reshape(shape[0], GROUPS, shape[1] // GROUPS, *shape[2:])
        gamma, beta = (v.reshape(x.shape[1:3]) for v in (gamma, beta))
        d_y = d_y.reshape(x.shape)
    axes = {
        "batch norm": (0, *range(2, x.ndim)),
        "layer norm": tuple(range(features(shape) % x.ndim, x.ndim)),
        "instance norm": tuple(range(2, x.ndim)),
        "group norm": tuple(range(2, x.ndim)),
        "RMS norm": tuple(range(features(shape) % x.ndim, x.ndim)),
    }[layer]
    first = features(shape) % x.ndim if layer in ("layer norm", "RMS norm") else 1
    others = (*range(first), *range(first + gamma.ndim, x.ndim))
    gamma, beta = (
        None if v is None else np.expand_dims(v, others) for v in (gamma, beta)
    )

    mean = 0 if layer == "RMS norm" else x.mean(axis=axes, keepdims=True)
    inv_std = 1 / np.sqrt(
        np.mean((x - mean) ** 2, axis=axes, keepdims=True) + np.float32(EPS)
    )
    x_hat = (x - mean) * inv_std
    y = gamma * x_hat if beta is None else gamma * x_hat + beta

    d_x_hat = gamma * d_y
    along = np.mean(d_x_hat * x_hat, axis=axes, keepdims=True)
    d_mean = 0 if layer == "RMS norm" else d_x_hat.mean(axis=axes, keepdims=True)
    d_x = inv_std * (d_x_hat - d_mean - x_hat * along)
    d_gamma = np.sum(d_y * x_hat, axis=others).reshape(d_shape)
    d_beta = None if beta is None else np.sum(d_y, axis=others).reshape(d_shape)
    return y.reshape(shape), d_x.reshape(shape), d_gamma, d_beta


def copy(layer, x, gamma, beta, d_y):
    """Copy x: what one pass over memory costs."""
    return x.copy()


CONTENDERS = {"bnlib": ours, "PyTorch": pytorch, "chapters": chapter, "copy": copy}
