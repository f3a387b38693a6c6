"""Five libraries behind one small interface, so that all are asked the same questions.

Each adapter trains a fresh layer for one step, in the library's own layout of axes, and
returns arrays. What is not given stays at the library's default. Packages are imported
when an adapter is made, so that the ordinary tests can ask PyTorch alone.
"""

import inspect
from functools import cache

import numpy as np


def _given(**settings):
    """Drop what was not given, so that the library's own default decides."""
    return {name: value for name, value in settings.items() if value is not None}


class Library:
    """What most libraries have in common."""

    stateless = False
    backend = None
    must_be_given = frozenset()  # names of arguments without a default
    names = ()  # gamma, beta, running mean, running variance

    def has_switch(self):
        """Return whether a layer can be frozen as a whole."""
        return True


class PyTorch(Library):
    """``torch.nn.BatchNorm1d``."""

    names = ("weight", "bias", "running_mean", "running_var")

    def __init__(self):
        import torch

        self.torch = torch

    def layer(self, channels, eps=None, momentum=None):
        """Return a fresh layer."""
        settings = _given(eps=eps, momentum=momentum)
        return self.torch.nn.BatchNorm1d(channels, **settings)

    def step(self, x, channels=None, start=None, eps=None, momentum=None):
        """Train one step; return the output and the running mean and variance."""
        layer = self.layer(channels or x.shape[1], eps, momentum)
        if start is not None:
            layer.running_mean.fill_(start[0])
            layer.running_var.fill_(start[1])
        y = layer.train()(self.torch.tensor(x)).detach().numpy()
        return y, layer.running_mean.numpy(), layer.running_var.numpy()

    def start(self):
        """Return gamma, beta, running mean and variance of a fresh layer."""
        state = self.layer(3).state_dict()
        return [state[name].numpy() for name in self.names]

    def plain_call(self, x):
        """Call a fresh layer without saying whether it is trained."""
        return self.layer(x.shape[1])(self.torch.tensor(x)).detach().numpy()

    def confirm_names(self):
        """Fail unless these are the names in a state_dict."""
        assert {*self.names, "num_batches_tracked"} == {*self.layer(3).state_dict()}

    def frozen_step(self, x):
        """Freeze gamma and beta, train one step, return the running mean."""
        layer = self.layer(x.shape[1]).requires_grad_(False).train()
        layer(self.torch.tensor(x))
        return layer.running_mean.numpy()


class Keras(Library):
    """``keras.layers.BatchNormalization`` on the backend that KERAS_BACKEND names."""

    names = ("gamma", "beta", "moving_mean", "moving_variance")

    def __init__(self):
        import keras

        self.keras, self.numpy = keras, keras.ops.convert_to_numpy
        self.backend = keras.backend.backend()

    def layer(self, shape, eps=None, momentum=None):
        """Return a layer that is built but was not called."""
        settings = _given(epsilon=eps, momentum=momentum)
        layer = self.keras.layers.BatchNormalization(**settings)
        layer.build(shape)
        return layer

    def state(self, layer):
        """Return gamma, beta, moving mean and variance."""
        return [self.numpy(getattr(layer, name)) for name in self.names]

    def step(self, x, channels=None, start=None, eps=None, momentum=None):
        """Train one step; return the output and the moving mean and variance."""
        layer = self.layer(x.shape, eps, momentum)
        if channels is not None and layer.gamma.shape != (channels,):
            raise ValueError(f"the layer has {layer.gamma.shape} channels")
        if start is not None:
            layer.moving_mean.assign(np.full(x.shape[-1], start[0]))
            layer.moving_variance.assign(np.full(x.shape[-1], start[1]))
        y = self.numpy(layer(x, training=True))
        return y, *self.state(layer)[2:]

    def start(self):
        """Return gamma, beta, moving mean and variance of a fresh layer."""
        return self.state(self.layer((None, 3)))

    def plain_call(self, x):
        """Call a fresh layer without saying whether it is trained."""
        return self.numpy(self.layer(x.shape)(x))

    def confirm_names(self):
        """Fail unless these are the weights, in the order of ``get_weights``."""
        weights = self.layer((None, 3)).weights
        assert [weight.name for weight in weights] == [*self.names]

    def frozen_step(self, x):
        """Freeze the layer, train one step, return the moving mean."""
        layer = self.layer(x.shape)
        layer.trainable = False
        layer(x, training=True)
        return self.state(layer)[2]


class Flax(Library):
    """``flax.nnx.BatchNorm``."""

    names = ("scale", "bias", "mean", "var")

    def __init__(self):
        from flax import nnx

        self.nnx = nnx

    def layer(self, channels, eps=None, momentum=None):
        """Return a fresh layer."""
        settings = _given(epsilon=eps, momentum=momentum)
        return self.nnx.BatchNorm(channels, rngs=self.nnx.Rngs(0), **settings)

    def state(self, layer):
        """Return gamma, beta, running mean and variance."""
        return [np.asarray(getattr(layer, name)[...]) for name in self.names]

    def step(self, x, channels=None, start=None, eps=None, momentum=None):
        """Train one step; return the output and the running mean and variance."""
        layer = self.layer(channels or x.shape[-1], eps, momentum)
        if start is not None:
            layer.mean[...] = np.full(x.shape[-1], start[0], dtype=np.float32)
            layer.var[...] = np.full(x.shape[-1], start[1], dtype=np.float32)
        y = np.asarray(layer(x, use_running_average=False))
        return y, *self.state(layer)[2:]

    def start(self):
        """Return gamma, beta, running mean and variance of a fresh layer."""
        return self.state(self.layer(3))

    def plain_call(self, x):
        """Call a fresh layer without saying whether it is trained."""
        return np.asarray(self.layer(x.shape[-1])(x))

    def confirm_names(self):
        """Fail unless a layer has values under these names."""
        assert [part.shape for part in self.start()] == [(3,)] * 4

    def has_switch(self):
        """Return whether a layer can be frozen as in Keras or PyTorch."""
        layer = self.layer(3)
        return hasattr(layer, "trainable") or hasattr(layer, "requires_grad_")


class Linen(Flax):
    """``flax.linen.BatchNorm``, the older interface, which must agree with the new."""

    def __init__(self):
        import jax
        from flax import linen

        self.linen, self.key = linen, jax.random.key(0)

    def layer(self, channels, eps=None, momentum=None):
        """Return a layer; it has no state and learns the channels from the input."""
        return self.linen.BatchNorm(**_given(epsilon=eps, momentum=momentum))

    def state(self, variables):
        """Return gamma, beta, running mean and variance."""
        parts = {**variables["params"], **variables["batch_stats"]}
        return [np.asarray(parts[name]) for name in self.names]

    def step(self, x, channels=None, start=None, eps=None, momentum=None):
        """Train one step; return the output and the running mean and variance."""
        layer = self.layer(None, eps, momentum)
        variables = layer.init(self.key, x, use_running_average=False)
        parts = self.state(variables)
        if channels is not None and parts[0].shape != (channels,):
            raise ValueError(f"the layer has {parts[0].shape} channels")
        if start is not None:
            stats = zip(("mean", "var"), start, strict=True)
            stats = {k: np.full(x.shape[-1], v, dtype=np.float32) for k, v in stats}
            variables = {**variables, "batch_stats": stats}
        y, after = layer.apply(
            variables, x, use_running_average=False, mutable=["batch_stats"]
        )
        return np.asarray(y), *self.state({**variables, **after})[2:]

    def start(self):
        """Return gamma, beta, running mean and variance of a fresh layer."""
        x = np.zeros((2, 3), dtype=np.float32)
        layer = self.layer(3)
        return self.state(layer.init(self.key, x, use_running_average=False))

    def plain_call(self, x):
        """Call a layer without saying whether it is trained."""
        return self.layer(None).init_with_output(self.key, x)[0]


class Onnx(Library):
    """The operator ``BatchNormalization``, run by onnx's reference evaluator."""

    def __init__(self):
        import onnx
        from onnx.reference import ReferenceEvaluator

        self.onnx, self.evaluator = onnx, ReferenceEvaluator
        self.schema = onnx.defs.get_schema("BatchNormalization")
        self.names = tuple(slot.name for slot in self.schema.inputs[1:])
        single = onnx.defs.OpSchema.FormalParameterOption.Single
        slots = (slot for slot in self.schema.inputs if slot.option == single)
        self.must_be_given = {slot.name for slot in slots}

    def call(self, x, mean, var, **attributes):
        """Run a model of one node; return all its outputs."""
        helper = self.onnx.helper
        values = (x, np.ones_like(mean), np.zeros_like(mean), mean, var)
        feeds = dict(zip(("X", *self.names), values, strict=True))
        outputs = {"Y": x, "running_mean": mean, "running_var": var}
        if not attributes.get("training_mode"):
            outputs = {"Y": x}
        node = helper.make_node("BatchNormalization", feeds, outputs, **attributes)
        slots = [self.slots(feeds), self.slots(outputs)]
        graph = helper.make_graph([node], "one_layer", *slots)
        opset = helper.make_opsetid("", self.schema.since_version)
        model = helper.make_model(graph, opset_imports=[opset])
        self.onnx.checker.check_model(model)
        return self.evaluator(model).run(None, feeds)

    def slots(self, arrays):
        """Describe inputs or outputs of a graph by arrays of their shapes."""
        describe, kind = self.onnx.helper.make_tensor_value_info, self.onnx.TensorProto
        return [describe(k, kind.FLOAT, v.shape) for k, v in arrays.items()]

    def step(self, x, channels=None, start=None, eps=None, momentum=None):
        """Train one step; return the output and the running mean and variance."""
        ones = np.ones(channels or x.shape[1], dtype=np.float32)
        settings = _given(epsilon=eps, momentum=momentum)
        mean, var = (part * ones for part in start or (0, 1))
        return self.call(x, mean, var, training_mode=1, **settings)

    def confirm_names(self):
        """Fail unless the operator has these inputs; they are read from it."""
        assert len(self.names) == 4

    def plain_call(self, x):
        """Run the operator without an attribute, from statistics 0 and 1."""
        ones = np.ones(x.shape[1], dtype=np.float32)
        return self.call(x, 0 * ones, ones)[0]

    def has_switch(self):
        """Return whether the operator can be frozen as a layer in Keras or PyTorch."""
        known = {"epsilon", "momentum", "training_mode"}
        return not set(self.schema.attributes) <= known


class TensorFlow(Library):
    """``tf.nn.moments`` and ``tf.nn.batch_normalization``: functions, no state."""

    names = ("scale", "offset", "mean", "variance")

    def __init__(self):
        import tensorflow

        self.nn = tensorflow.nn
        functions = self.nn.moments, self.nn.batch_normalization
        known = [inspect.signature(f).parameters.values() for f in functions]
        self.arguments = {one.name for part in known for one in part}
        self.must_be_given = {one.name for one in known[1] if one.default is one.empty}
        self.stateless = not any("momentum" in name for name in self.arguments)

    def step(self, x, channels=None, start=None, eps=None, momentum=None):
        """Normalize a batch as the article "BN notes"; there is nothing to store."""
        mean, var = self.nn.moments(x, list(range(x.ndim - 1)))
        ones = np.ones(channels or x.shape[-1], dtype=np.float32)
        eps = 1e-3 if eps is None else eps
        y = self.nn.batch_normalization(x, mean, var, 0 * ones, ones, eps)
        return y.numpy(), None, None

    def confirm_names(self):
        """Fail unless the function has these arguments."""
        assert {*self.names} <= self.arguments

    def has_switch(self):
        """Return whether there is anything to freeze."""
        return "trainable" in self.arguments


ADAPTERS = {
    "pytorch": PyTorch,
    "keras": Keras,
    "flax": Flax,
    "linen": Linen,
    "onnx": Onnx,
    "tensorflow": TensorFlow,
}


@cache
def adapter(library):
    """Return the adapter of a library; importing one takes seconds."""
    return ADAPTERS[library]()
