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
    cross-entropy at the end. For several learning rates equal networks are trained side
    by side, each by its own. A run that overflows ends in NaN or infinity and does not
    warn; only where BN gets values whose squares overflow, BN refuses them.

    Parameters
    ----------
    x : ndarray of float, shape (N, C)
        Inputs. Not modified.
    y : ndarray of int, shape (N,)
        Classes, from 0.
    normalize : bool
        Whether BN stands before each sigmoid.
    lr : float or sequence of float
        Learning rate of all parameters, or one for each of several networks.
    steps : int, default=400
        Number of updates.
    width, depth : int, default=32, 3
        Units of a hidden layer, number of hidden layers.
    batch_size : int, default=60
        Examples drawn, with replacement, for each step.
    seed : int, default=0
        Seed of the weights (normal, variance 1 / inputs; biases 0) and of the batches.
        With and without BN, and for each rate, the same seed gives the same of both.

    Returns
    -------
    ndarray of shape (steps,) or (len(lr), steps), float64
        Loss of each batch before its step.

    Raises
    ------
    ValueError
        If x and y differ in length, or as :func:`~bnlib.batch_norm`.

    Examples
    --------
    >>> x = np.eye(4)
    >>> losses = train_tiny(x, np.arange(4), normalize=True, lr=[0.1, 1], steps=100)
    >>> bool(losses[0, -1] > losses[1, -1])
    True
    """
    if len(x) != len(y):
        raise ValueError(
            f"x and y must have the same length, got {len(x)} and {len(y)}; "
            "pass one class for each example"
        )
    rng = np.random.default_rng(seed)
    rates = np.atleast_1d(np.asarray(lr, dtype=float))
    targets = np.eye(y.max() + 1)[y]
    sizes = [x.shape[1], *[width] * depth, targets.shape[1]]
    pairs = zip(sizes[:-1], sizes[1:], strict=True)
    layers = [_layer(rng, len(rates), *pair) for pair in pairs]
    losses = np.empty((len(rates), steps))
    with np.errstate(all="ignore"):
        for step in range(steps):
            batch = rng.integers(len(x), size=batch_size)
            losses[:, step] = _step(layers, x[batch], targets[batch], normalize, rates)
    return losses if np.ndim(lr) else losses[0]


def _layer(rng, nets, inputs, outputs):
    """Return weight, bias (beta behind a BN) and gamma of one layer, for each net."""
    weight = rng.normal(size=(inputs, outputs)) / np.sqrt(inputs)
    start = weight, np.zeros((1, outputs)), np.ones((1, outputs))
    return [np.tile(part, (nets, 1, 1)) for part in start]


def _step(layers, x, targets, normalize, rates):
    """Go one step downhill in place and return the losses before it, one for each net.

    Arrays have shape (nets, examples, units); x and targets, the same for all nets,
    lack the first axis.
    """
    inputs, caches = [x], []
    for weight, bias, gamma in layers[:-1]:
        u, cache = inputs[-1] @ weight, None
        if normalize:
            u, cache = _in_columns(batch_norm, u, gamma.ravel(), bias.ravel())
        else:
            u = u + bias
        caches.append(cache)
        inputs.append((1 + np.tanh(u / 2)) / 2)
    scores = inputs[-1] @ layers[-1][0] + layers[-1][1]
    scores -= scores.max(axis=2, keepdims=True)
    p = np.exp(scores)
    p /= p.sum(axis=2, keepdims=True)
    losses = -np.log((p * targets).sum(axis=2)).mean(axis=1)

    d = (p - targets) / len(x)
    caches.append(None)
    lr = rates[:, None, None]
    for k in reversed(range(len(layers))):
        weight, bias, gamma = layers[k]
        d_bias, d_gamma = d.sum(axis=1, keepdims=True), 0.0
        if caches[k] is not None:
            d, d_gamma, d_bias = _in_columns(backward, d, caches[k])
            d_gamma, d_bias = (it.reshape(gamma.shape) for it in (d_gamma, d_bias))
        # Nothing lies below the first layer.
        below = d @ weight.swapaxes(1, 2) if k else 0.0
        weight -= lr * (inputs[k].swapaxes(-1, -2) @ d)
        bias -= lr * d_bias
        gamma -= lr * d_gamma
        d = below * inputs[k] * (1 - inputs[k])
    return losses


def _in_columns(layer, u, *arguments):
    """Call a layer of the library with the units of all nets as its features.

    It treats each feature by itself, so the nets stay apart.
    """
    nets, examples, units = u.shape
    columns = u.swapaxes(0, 1).reshape(examples, nets * units)
    out, *rest = layer(columns, *arguments)
    return out.reshape(examples, nets, units).swapaxes(0, 1), *rest
