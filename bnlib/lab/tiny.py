"""A small sigmoid network in NumPy, with and without batch norm: what BN is good for.

Chapter 2 opens with its two curves, so nothing here needs more than NumPy.
"""

import numpy as np

from bnlib.norms import backward, batch_norm

__all__ = ["train_tiny"]


def train_tiny(
    x, y, *, normalize, lr, steps=400, width=32, depth=3, batch_size=60, seed=0
):
    """Train a sigmoid network by plain gradient descent and return its losses.

    ``depth`` hidden layers of ``width`` sigmoid units, each a linear layer, BN with its
    gamma and beta if ``normalize``, and the sigmoid; a linear layer and the
    cross-entropy at the end. A run that overflows ends in NaN and does not warn.

    Parameters
    ----------
    x : ndarray of float, shape (N, C)
        Inputs. Not modified.
    y : ndarray of int, shape (N,)
        Classes, from 0.
    normalize : bool
        Whether BN stands before each sigmoid.
    lr : float
        Learning rate of all parameters.
    steps : int, default=400
        Number of updates.
    width, depth : int, default=32, 3
        Units of a hidden layer, number of hidden layers.
    batch_size : int, default=60
        Examples drawn, with replacement, for each step.
    seed : int, default=0
        Seed of the weights (normal, variance 1 / inputs; biases 0) and of the batches.
        With and without BN the same seed gives the same of both.

    Returns
    -------
    ndarray of shape (steps,), float64
        Loss of each batch before its step.

    Raises
    ------
    ValueError
        If x and y differ in length.

    Examples
    --------
    >>> x = np.eye(4)
    >>> losses = train_tiny(x, np.arange(4), normalize=True, lr=1.0, steps=100)
    >>> bool(losses[-1] < losses[0])
    True
    """
    if len(x) != len(y):
        raise ValueError(
            f"x and y must have the same length, got {len(x)} and {len(y)}; "
            "pass one class for each example"
        )
    rng = np.random.default_rng(seed)
    targets = np.eye(y.max() + 1)[y]
    sizes = [x.shape[1], *[width] * depth, targets.shape[1]]
    layers = [_layer(rng, *pair) for pair in zip(sizes[:-1], sizes[1:], strict=True)]
    losses = np.empty(steps)
    with np.errstate(all="ignore"):
        for step in range(steps):
            batch = rng.integers(len(x), size=batch_size)
            losses[step] = _step(layers, x[batch], targets[batch], normalize, lr)
    return losses


def _layer(rng, inputs, outputs):
    """Return weight, bias (beta behind a BN) and gamma of one layer."""
    weight = rng.normal(size=(inputs, outputs)) / np.sqrt(inputs)
    return [weight, np.zeros(outputs), np.ones(outputs)]


def _step(layers, x, targets, normalize, lr):
    """Go one step downhill in place and return the loss before it."""
    inputs, caches = [x], []
    for weight, bias, gamma in layers[:-1]:
        u, cache = inputs[-1] @ weight, None
        if normalize:
            u, cache = batch_norm(u, gamma, bias)
        else:
            u = u + bias
        caches.append(cache)
        inputs.append((1 + np.tanh(u / 2)) / 2)
    scores = inputs[-1] @ layers[-1][0] + layers[-1][1]
    scores -= scores.max(axis=1, keepdims=True)
    p = np.exp(scores)
    p /= p.sum(axis=1, keepdims=True)
    loss = -np.log((p * targets).sum(axis=1)).mean()

    d = (p - targets) / len(x)
    caches.append(None)
    for k in reversed(range(len(layers))):
        weight, bias, gamma = layers[k]
        d_bias, d_gamma = d.sum(axis=0), 0.0
        if caches[k] is not None:
            d, d_gamma, d_bias = backward(d, caches[k])
        # Nothing lies below the first layer.
        below = d @ weight.T if k else 0.0
        weight -= lr * inputs[k].T @ d
        bias -= lr * d_bias
        gamma -= lr * d_gamma
        d = below * inputs[k] * (1 - inputs[k])
    return loss
