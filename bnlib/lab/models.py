"""The small networks of the chapters, each made from a seed and sized for a CPU.

Every one is an ``nn.Sequential``, so that it prints, slices and folds (the blocks of a
residual one and of a transformer are ``Residual`` modules in it). The first weights
depend on the seed alone: the same seed gives the same weights with and without
normalization and in every dtype, and PyTorch's global generator is left as it was.
"""

import math
from itertools import pairwise

import torch
from torch import nn

__all__ = [
    "Residual",
    "conv_net",
    "depthwise_net",
    "mlp",
    "nin",
    "residual_net",
    "transformer",
    "vgg",
]

_ACTIVATIONS = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "linear": nn.Identity,
}
_BATCH_NORMS = {nn.Linear: nn.BatchNorm1d, nn.Conv2d: nn.BatchNorm2d}


def mlp(
    sizes=(64, 100, 100, 10),
    *,
    norm="batch",
    activation="relu",
    bias=None,
    seed=0,
    dtype=torch.float64,
):
    """Make a multilayer perceptron: linear, norm, activation, and a last linear layer.

    Parameters
    ----------
    sizes : sequence of int, default=(64, 100, 100, 10)
        Number of inputs, width of each hidden layer, number of outputs.
    norm : {"batch", None} or callable, default="batch"
        What follows each hidden layer: PyTorch's BN, nothing, or ``norm(width)``, a
        module for that many channels, such as ``bnlib.nn.BatchNorm``.
    activation : {"relu", "leaky_relu", "tanh", "sigmoid", "linear"} or callable
        By name, or a function without arguments that makes the module.
    bias : bool, optional
        Whether the hidden layers have a bias. By default they have one unless BN
        follows, whose beta does the same. The last layer always has one.
    seed : int, default=0
        Seed of the weights: normal with variance 2 / fan_in before a (leaky) ReLU and
        1 / fan_in otherwise; biases start at 0.
    dtype : torch.dtype, default=torch.float64
        Type of the parameters; float64 keeps printed numbers the same everywhere.

    Returns
    -------
    nn.Sequential
        Network in training mode, for inputs of shape (N, sizes[0]).

    Raises
    ------
    ValueError
        If there are fewer than two sizes, or if ``norm`` or ``activation`` is not one
        of the names.

    References
    ----------
    He et al. (2015), section 2.2, equation 10. https://arxiv.org/abs/1502.01852

    Examples
    --------
    >>> net = mlp((4, 8, 3), norm=None, activation="tanh")
    >>> [type(layer).__name__ for layer in net]
    ['Linear', 'Tanh', 'Linear']
    >>> net(torch.ones(2, 4, dtype=torch.float64)).shape
    torch.Size([2, 3])
    """
    if len(sizes) < 2:
        raise ValueError(
            "sizes must name at least inputs and outputs, "
            f"got {tuple(sizes)}; the digits need (64, ..., 10)"
        )
    block = _Blocks(norm, activation, bias)

    def layers():
        for inputs, width in pairwise(sizes[:-1]):
            yield from block(nn.Linear, inputs, width)
        yield nn.Linear(sizes[-2], sizes[-1])

    return _build(layers, activation, seed, dtype)


def conv_net(channels=(8, 16), *, size=8, in_channels=1, classes=10, **style):
    """Make a small convolutional network: 3x3 conv, norm, activation, pool; linear.

    Parameters
    ----------
    channels : sequence of int, default=(8, 16)
        Channels of each convolution; each is followed by a pooling that halves the
        image.
    size : int, default=8
        Height and width of the input.
    in_channels, classes : int, default=1, 10
        Channels of the input, number of outputs.
    **style : optional
        ``norm``, ``activation``, ``bias``, ``seed`` and ``dtype``, as in :func:`mlp`.

    Returns
    -------
    nn.Sequential
        Network in training mode, for inputs of shape (N, in_channels, size, size).

    Raises
    ------
    ValueError
        If the image is too small for so many poolings, and as :func:`mlp`.

    Examples
    --------
    >>> net = conv_net((4, 8), norm=None, dtype=torch.float32)
    >>> net(torch.ones(2, 1, 8, 8)).shape
    torch.Size([2, 10])
    """
    side = size >> len(channels)
    if side < 1:
        raise ValueError(
            f"size must be at least {1 << len(channels)} for {len(channels)} poolings, "
            f"got {size}; use fewer channels or larger images"
        )
    steps = [step for width in channels for step in ((width, 3), "M")]
    return _conv_net(steps, in_channels, classes, positions=side * side, **style)


def vgg(config=(32, "M", 64, 64, "M", 128, 128), *, in_channels=1, classes=10, **style):
    """Make a VGG-like network, wide enough to be pruned.

    Parameters
    ----------
    config : sequence of int and "M", default=(32, "M", 64, 64, "M", 128, 128)
        Channels of a 3x3 convolution, or "M" for a pooling that halves the image. A
        mean over all positions and a linear layer follow.
    in_channels, classes, **style : optional
        As in :func:`conv_net`.

    Returns
    -------
    nn.Sequential
        Network in training mode, for inputs of shape (N, in_channels, H, W).

    Raises
    ------
    ValueError
        As :func:`mlp`.

    References
    ----------
    Simonyan & Zisserman (2015), section 2. https://arxiv.org/abs/1409.1556

    Examples
    --------
    >>> net = vgg((4, "M", 8), dtype=torch.float32)
    >>> net(torch.ones(2, 1, 8, 8)).shape
    torch.Size([2, 10])
    """
    steps = [part if part == "M" else (part, 3) for part in config]
    return _conv_net(steps, in_channels, classes, **style)


def nin(config=(32, "M", 64, "M", 96), *, in_channels=1, classes=10, **style):
    """Make a network-in-network: 3x3 convolutions, each with two 1x1 ones after it.

    Parameters
    ----------
    config : sequence of int and "M", default=(32, "M", 64, "M", 96)
        Channels of a block of three convolutions, each with its norm, or "M" for a
        pooling that halves the image. A mean over all positions and a linear layer
        follow.
    in_channels, classes, **style : optional
        As in :func:`conv_net`.

    Returns
    -------
    nn.Sequential
        Network in training mode, for inputs of shape (N, in_channels, H, W).

    Raises
    ------
    ValueError
        As :func:`mlp`.

    References
    ----------
    Lin, Chen & Yan (2014), section 3. https://arxiv.org/abs/1312.4400

    Examples
    --------
    >>> net = nin((4, "M", 8), dtype=torch.float32)
    >>> net(torch.ones(2, 1, 8, 8)).shape
    torch.Size([2, 10])
    """
    steps = []
    for part in config:
        steps += ["M"] if part == "M" else [(part, 3), (part, 1), (part, 1)]
    return _conv_net(steps, in_channels, classes, **style)


def depthwise_net(width=32, depth=6, *, in_channels=1, classes=10, **style):
    """Make a depthwise-separable network, in which BN is a large part of the work.

    Parameters
    ----------
    width : int, default=32
        Channels throughout.
    depth : int, default=6
        Number of pairs of a 3x3 convolution of each channel by itself and a 1x1
        convolution across channels. A 3x3 convolution comes before them, a mean over
        all positions and a linear layer after.
    in_channels, classes, **style : optional
        As in :func:`conv_net`.

    Returns
    -------
    nn.Sequential
        Network in training mode, for inputs of shape (N, in_channels, H, W).

    Raises
    ------
    ValueError
        As :func:`mlp`.

    References
    ----------
    Howard et al. (2017), section 3.1. https://arxiv.org/abs/1704.04861

    Examples
    --------
    >>> net = depthwise_net(4, 1, dtype=torch.float32)
    >>> net(torch.ones(2, 1, 8, 8)).shape
    torch.Size([2, 10])
    """
    steps = [(width, 3), *[(width, 3, width), (width, 1)] * depth]
    return _conv_net(steps, in_channels, classes, **style)


def residual_net(
    blocks=10,
    channels=12,
    *,
    order="post",
    skip=True,
    zero_last_gamma=False,
    stride=1,
    dense=False,
    in_channels=1,
    classes=10,
    norm="batch",
    bias=None,
    seed=0,
    dtype=torch.float64,
):
    """Make a residual network of one width, with ReLU and 3x3 convolutions.

    Parameters
    ----------
    blocks : int, default=10
        Number of blocks, of two convolutions each.
    channels : int, default=12
        Channels throughout.
    order : {"post", "pre"}, default="post"
        "post": relu(x + norm(conv(relu(norm(conv(x)))))), as first published; a
        convolution with norm and ReLU comes before the blocks. "pre": x +
        conv(relu(norm(conv(relu(norm(x)))))); a convolution comes before the blocks,
        a norm and a ReLU after them. Either way a mean over all positions and a linear
        layer follow.
    skip : bool, default=True
        Whether x is added. Without it the same layers stand in a row.
    zero_last_gamma : bool, default=False
        Whether the last norm of each block starts with gamma 0, which makes the block
        relu(x), and so the identity where x is the output of a ReLU.
    stride : int, default=1
        Stride of the first convolution; 2 makes the net four times cheaper.
    dense : bool, default=False
        Whether to use linear layers of ``channels`` units instead of convolutions. Then
        there is no mean over positions, and ``stride`` has no meaning.
    in_channels, classes : int, default=1, 10
        Channels of the input, number of outputs.
    norm : {"batch", None} or callable, default="batch"
        As in :func:`mlp`, for convolutions too.
    bias : bool, optional
        As in :func:`mlp`.
    seed : int, default=0
        Seed of the weights.
    dtype : torch.dtype, default=torch.float64
        Type of the parameters.

    Returns
    -------
    nn.Sequential
        Network in training mode, for inputs of shape (N, in_channels, H, W), or
        (N, in_channels) if it is dense.

    Raises
    ------
    ValueError
        If ``order`` is not one of the names, if ``zero_last_gamma`` is asked for where
        it would make blocks that never learn (order "pre", no norm, or no skip), and as
        :func:`mlp`.

    References
    ----------
    He et al. (2016), figures 1 and 4. https://arxiv.org/abs/1603.05027
    Goyal et al. (2017), section 5.1, for gamma 0. https://arxiv.org/abs/1706.02677

    Examples
    --------
    >>> net = residual_net(2, 4, order="pre", dtype=torch.float32)
    >>> net(torch.ones(2, 1, 8, 8)).shape
    torch.Size([2, 10])
    >>> sum(isinstance(layer, Residual) for layer in net)
    2
    """
    _check_residual(order, skip, zero_last_gamma, norm)
    block = _Blocks(norm, "relu", bias)
    kind, *shape = (nn.Linear,) if dense else (nn.Conv2d, 3)
    inner = {} if dense else {"padding": 1}
    stem = {} if dense else {"padding": 1, "stride": stride}

    def parts():
        make = block.before if order == "pre" else block
        for _ in range(2):
            yield from make(kind, channels, channels, *shape, **inner)

    def one_block():
        if order == "pre":
            return Residual(nn.Sequential(*parts()))
        *branch, last = parts()
        if zero_last_gamma:
            _zero_gamma(branch[-1])
        return Residual(nn.Sequential(*branch), last)

    def layers():
        first, *rest = block(kind, in_channels, channels, *shape, **stem)
        yield from [first] if order == "pre" else [first, *rest]
        for _ in range(blocks):
            yield from [one_block()] if skip else parts()
        yield from rest if order == "pre" else []
        yield from _head(channels, classes)[2 if dense else 0 :]

    return _build(layers, "relu", seed, dtype)


def transformer(
    inputs=12,
    classes=12,
    *,
    task="next",
    length=12,
    width=16,
    depth=4,
    order="pre",
    norm=nn.LayerNorm,
    scale=1.0,
    seed=0,
    dtype=torch.float64,
):
    """Make a small transformer, with attention of one head and ReLU.

    A block is two residual branches: attention, and two linear layers with a ReLU and
    ``2 * width`` units between. Each token is a vector of ``width`` features, the sum
    of what it is and where it stands.

    Parameters
    ----------
    inputs : int, default=12
        Kinds of tokens for the task "next", features of a token for "class".
    classes : int, default=12
        Number of outputs, of each token or of each sequence.
    task : {"next", "class"}, default="next"
        "next": scores for the token behind each one, which sees itself and those before
        it. "class": scores for the sequence from the mean over its tokens, which all
        see each other.
    length : int, default=12
        Tokens of the longest sequence.
    width, depth : int, default=16, 4
        Features of a token; number of blocks.
    order : {"pre", "post"}, default="pre"
        "pre": x + branch(norm(x)), and a norm before the scores. "post":
        norm(x + branch(x)), as first published.
    norm : callable or None, default=torch.nn.LayerNorm
        Makes the norm of (N, T, width) from the width; None for no norm at all.
    scale : float or "learned", default=1.0
        Factor of each branch; "learned" is a parameter that begins at 0.
    seed : int, default=0
        Seed of the weights: normal with variance 1 / fan_in, and 1 for tokens and
        places; biases start at 0.
    dtype : torch.dtype, default=torch.float64
        Type of the parameters.

    Returns
    -------
    nn.Sequential
        Network in training mode. For "next" it takes integers, (N, T), and returns
        (N, classes, T); for "class" it takes (N, T, inputs) and returns (N, classes).

    Raises
    ------
    ValueError
        If ``order`` or ``task`` is not one of the names.

    References
    ----------
    Vaswani et al. (2017), section 3. https://arxiv.org/abs/1706.03762
    Xiong et al. (2020), figure 1, for the orders. https://arxiv.org/abs/2002.04745

    Examples
    --------
    >>> net = transformer(5, 5, depth=1, norm=torch.nn.RMSNorm)
    >>> net(torch.tensor([[0, 3, 1]])).shape
    torch.Size([1, 5, 3])
    """
    for name, value, known in (
        ("order", order, ("pre", "post")),
        ("task", task, ("next", "class")),
    ):
        if value not in known:
            raise ValueError(
                f"{name} must be {known[0]!r} or {known[1]!r}, got {value!r}; "
                "choose one"
            )
    norms, following = norm or (lambda width: nn.Identity()), task == "next"

    def block(*layers):
        branch = [*layers] if scale == 1 else [*layers, _Scale(scale)]
        if order == "pre":
            return Residual(nn.Sequential(norms(width), *branch))
        return Residual(nn.Sequential(*branch), norms(width))

    def layers():
        kind = nn.Embedding if following else nn.Linear
        yield _Placed(kind(inputs, width), nn.Embedding(length, width))
        for _ in range(depth):
            yield block(_Attention(width, following))
            wide = nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width)
            yield block(*wide)
        yield norms(width) if order == "pre" else nn.Identity()
        if not following:
            yield _MeanOverTokens()
        yield nn.Linear(width, classes)
        if following:
            yield _ClassesFirst()

    return _build(layers, "linear", seed, dtype)


class _Placed(nn.Module):
    """The sum of what a token is and of where it stands."""

    def __init__(self, what, where):
        super().__init__()
        self.what, self.where = what, where

    def forward(self, x):
        return self.what(x) + self.where.weight[: x.shape[1]]


class _Attention(nn.Module):
    """Each token takes in a weighted mean of the tokens that it sees."""

    def __init__(self, width, only_earlier):
        super().__init__()
        self.ask, self.answer = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.only_earlier = only_earlier

    def forward(self, x):
        query, key, value = self.ask(x).chunk(3, dim=-1)
        match = query @ key.transpose(-2, -1) / math.sqrt(x.shape[-1])
        if self.only_earlier:
            later = torch.ones(x.shape[-2:-1] * 2, dtype=torch.bool, device=x.device)
            match = match.masked_fill(later.triu(1), -math.inf)
        return self.answer(match.softmax(-1) @ value)


class _Scale(nn.Module):
    """A factor, fixed or learned."""

    def __init__(self, factor):
        super().__init__()
        learned = factor == "learned"
        self.factor = nn.Parameter(torch.zeros(1)) if learned else factor

    def forward(self, x):
        return self.factor * x


class _MeanOverTokens(nn.Module):
    def forward(self, x):
        return x.mean(1)


class _ClassesFirst(nn.Module):
    """(N, T, classes) as (N, classes, T), the order that cross-entropy asks for."""

    def forward(self, x):
        return x.transpose(1, 2)


class Residual(nn.Module):
    """Add a branch to its own input: ``last(x + branch(x))``.

    Parameters
    ----------
    branch : nn.Module
        Keeps the shape of its input.
    last : nn.Module, optional
        Follows the addition; by default the identity.

    Examples
    --------
    >>> block = Residual(torch.nn.ReLU())
    >>> block(torch.tensor([-1.0, 2.0]))
    tensor([-1.,  4.])
    """

    def __init__(self, branch, last=None):
        super().__init__()
        self.branch = branch
        self.last = nn.Identity() if last is None else last

    def forward(self, x):
        """Return the sum of ``x`` and the branch, through the last module."""
        return self.last(x + self.branch(x))


def _check_residual(order, skip, zero_last_gamma, norm):
    if order not in ("pre", "post"):
        raise ValueError(f"order must be 'pre' or 'post', got {order!r}; choose one")
    if zero_last_gamma and (order == "pre" or norm is None or not skip):
        # In a "pre" block a ReLU follows the last norm. Its input would be 0, its
        # gradient therefore 0, and that of everything before and after it in the block.
        raise ValueError(
            "zero_last_gamma needs a norm as the last layer of a block and a skip, "
            f"got order={order!r}, norm={norm!r}, skip={skip}; use order='post'"
        )


def _zero_gamma(norm):
    weight = getattr(norm, "weight", None)
    if weight is None:
        raise ValueError(
            f"zero_last_gamma needs a norm with a scale, got {type(norm).__name__} "
            "without one; pass affine=True"
        )
    nn.init.zeros_(weight)


class _Blocks:
    """Makes a layer with the norm and the activation that follow it."""

    def __init__(self, norm, activation, bias):
        if not (norm is None or norm == "batch" or callable(norm)):
            raise ValueError(
                f"norm must be None, 'batch' or a function of the width, got {norm!r}; "
                "pass the class itself, such as bnlib.nn.BatchNorm"
            )
        if not (callable(activation) or activation in _ACTIVATIONS):
            raise ValueError(
                f"activation must be one of {', '.join(_ACTIVATIONS)} or a function, "
                f"got {activation!r}; choose one"
            )
        self.norm = norm
        self.activation = _ACTIVATIONS.get(activation, activation)
        self.bias = norm != "batch" if bias is None else bias

    def __call__(self, kind, inputs, width, *args, **options):
        yield kind(inputs, width, *args, bias=self.bias, **options)
        yield from self._after(kind, width)

    def before(self, kind, inputs, width, *args, **options):
        """Yield the norm and the activation first, and then the layer."""
        yield from self._after(kind, inputs)
        yield kind(inputs, width, *args, bias=self.bias, **options)

    def _after(self, kind, width):
        if self.norm is not None:
            yield (_BATCH_NORMS[kind] if self.norm == "batch" else self.norm)(width)
        yield self.activation()


def _conv_net(
    steps,
    in_channels,
    classes,
    *,
    positions=None,
    norm="batch",
    activation="relu",
    bias=None,
    seed=0,
    dtype=torch.float64,
):
    """Make convolutions and poolings in a row, and a linear layer at the end.

    A step is "M" for a pooling, or channels, kernel size and (by default 1) groups of a
    convolution, which norm and activation follow. The linear layer sees the mean of
    each channel, or all of its ``positions``.
    """
    block = _Blocks(norm, activation, bias)

    def layers():
        inputs = in_channels
        for step in steps:
            if step == "M":
                yield nn.MaxPool2d(2)
                continue
            width, kernel, *groups = step
            shape = {"padding": kernel // 2, "groups": groups[0] if groups else 1}
            yield from block(nn.Conv2d, inputs, width, kernel, **shape)
            inputs = width
        if positions is None:
            yield from _head(inputs, classes)
        else:
            yield from (nn.Flatten(), nn.Linear(inputs * positions, classes))

    return _build(layers, activation, seed, dtype)


def _head(inputs, classes):
    return nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, classes)


def _build(layers, activation, seed, dtype):
    """Assemble the modules that ``layers`` yields and draw their weights from seed."""
    state = torch.get_rng_state()  # PyTorch's constructors draw from the global one
    torch.default_generator.manual_seed(seed)
    try:
        model = nn.Sequential(*layers())
    finally:
        torch.set_rng_state(state)
    kinds = nn.Linear | nn.Conv2d | nn.Embedding
    weighted = [m for m in model.modules() if isinstance(m, kinds)]
    generator = torch.Generator().manual_seed(seed)
    for layer in weighted:
        gain = (
            2 if activation in ("relu", "leaky_relu") and layer is not model[-1] else 1
        )
        table = isinstance(layer, nn.Embedding)  # each row of it is an output
        std = 1.0 if table else math.sqrt(gain / layer.weight[0].numel())
        _draw(layer, std, generator)
    return model.to(dtype)


@torch.no_grad()
def _draw(layer, std, generator):
    """Draw a layer's weights in float64, so that no dtype changes the sequence."""
    normal = torch.randn(layer.weight.shape, generator=generator, dtype=torch.float64)
    layer.weight.data = normal * std
    if getattr(layer, "bias", None) is not None:
        layer.bias.zero_()
