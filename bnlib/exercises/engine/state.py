"""What a function could change about its arguments, in a form that can be compared."""

import numpy as np

from bnlib.exercises.engine.compare import snapshot

_PLAIN = (bool, int, float, complex, str, bytes, type(None))


def watched(value):
    """Say whether a change of this value would be seen.

    Parameters
    ----------
    value : object
        An argument of an exercise.

    Returns
    -------
    bool
        True for arrays, tensors, nets, lists, dicts and sets, also within a tuple.
        False for what cannot be changed (a number) or not be looked into (a function).
    """
    if isinstance(value, tuple):
        return any(map(watched, value))
    kinds = np.ndarray | list | dict | set
    return isinstance(value, kinds) or _is_net(value) or _is_tensor(value)


def state(value):
    """Copy everything about a value that a function could change.

    Parameters
    ----------
    value : object
        An argument. Of a net: its layers with mode and settings (``momentum``), hooks,
        parameters and buffers; of a tensor also whether it requires gradients.

    Returns
    -------
    object
        Nested tuples of plain values, equal if and only if nothing was changed. Arrays
        appear as bytes, so that NaN equals NaN and -0.0 differs from 0.0.
    """
    if _is_net(value):
        return _net(value)
    if _is_tensor(value):
        return "tensor", state(snapshot(value)), value.requires_grad
    if isinstance(value, np.ndarray):
        # The bytes of an array of objects are addresses, and a copy has others.
        content = value.tolist() if value.dtype.kind == "O" else value.tobytes()
        return "array", value.shape, value.dtype.str, state(content)
    if isinstance(value, dict):
        return "dict", tuple((state(key), state(item)) for key, item in value.items())
    if isinstance(value, tuple | list):
        return type(value).__name__, tuple(map(state, value))
    if isinstance(value, set | frozenset):
        return "set", tuple(sorted(map(str, map(state, value))))
    plain = type(value) in _PLAIN or isinstance(value, np.generic)
    return type(value).__name__, repr(value) if plain else ""


def _is_net(value):
    return hasattr(value, "named_modules") and not isinstance(value, type)


def _is_tensor(value):
    return hasattr(value, "detach") and not isinstance(value, type)


def _net(net):
    layers = tuple((name, *_layer(layer)) for name, layer in net.named_modules())
    values = [*net.named_parameters(), *net.named_buffers()]
    return "net", layers, tuple((name, state(value)) for name, value in values)


def _layer(layer):
    kept = vars(layer)
    settings = {key: item for key, item in kept.items() if type(item) in _PLAIN}
    hooks = len(kept.get("_forward_hooks", ()))
    return type(layer).__name__, hooks, state(dict(sorted(settings.items())))
