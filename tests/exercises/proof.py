"""What every exercise of the book must show, and the garbage that it must survive.

An exercise is proven by answers written by hand, as a learner would write them, in
`answers_*.py`:

    RIGHT = {"forward": [function, ...]}
    MUTANTS = {"forward": {"eps left out": [function, ...]}}
"""

from functools import cache
from importlib import import_module
from pathlib import Path

import numpy as np

from bnlib.exercises import get
from bnlib.exercises.engine.checker import diagnose
from bnlib.exercises.engine.compare import difference, quietly

# Long enough for every right answer, short enough for a test of each endless loop.
LOOP_LIMIT = 0.2


def _collect():
    right, mutants = {}, {}
    for path in sorted(Path(__file__).parent.glob("answers_*.py")):
        module = import_module(path.stem)
        assert not right.keys() & module.RIGHT.keys(), f"twice: {path}"
        right |= module.RIGHT
        mutants |= module.MUTANTS
    return right, mutants


RIGHT, MUTANTS = _collect()


def right_answers(name):
    reference = get(name).reference
    return ([reference] if reference else []) + RIGHT.get(name, [])


def all_mutants():
    """(exercise, misconception, function) of every mutant."""
    return [
        (name, misconception, fn)
        for name, found in MUTANTS.items()
        for misconception, fns in found.items()
        for fn in fns
    ]


def names_in(text, exercise):
    """Names of the misconceptions that a verdict mentions."""
    flat = " ".join(text.split())
    return {known.name for known in exercise.misconceptions if known.name in flat}


def alike(exercise, one, other):
    """Whether two wrong implementations cannot be told apart on the cases."""
    tolerance = {"rtol": exercise.rtol, "atol": exercise.atol, "dtype": False}
    pairs = zip(
        wrong_results(exercise, one), wrong_results(exercise, other), strict=True
    )
    return all(difference(a, b, **tolerance) is None for a, b in pairs)


@cache
def wrong_results(exercise, known):
    """What a misconception leads to, case by case; a word where it has no result."""
    return [_wrong(exercise, known, case) for case in exercise.cases()]


def _wrong(exercise, known, case):
    try:
        return quietly(exercise.run(known.wrong), case.args)
    except Exception:
        return "no result"


def recognizer_accepts(exercise, known, other):
    """Whether a misconception known by a property also fits the error of another."""
    pairs = zip(wrong_results(exercise, other), exercise.cases(), strict=True)
    return all(quietly(known.recognize, (result, *case.args)) for result, case in pairs)


def _raises(*args):
    raise ValueError("the garbage of a test")


def _exits(*args):
    raise SystemExit(3)


def _loops(*args):
    while True:
        pass


def _recurses(*args):
    return _recurses(*args)


# what is handed in -> (function, a word that the verdict must contain)
GARBAGE = {
    "raises": (_raises, "raised ValueError: the garbage"),
    "exits": (_exits, "raised SystemExit"),
    "recurses": (_recurses, "raised RecursionError"),
    "returns None": (lambda *args: None, "is a `return` missing?"),
    "returns an object": (lambda *args: object(), "Your result"),
    "returns a string": (lambda *args: "batch norm", "Your result"),
    "returns a function": (lambda *args: np.mean, "Your result"),
    "returns a wrong shape": (lambda *args: np.ones((1, 2, 3, 2, 1)), "Your result"),
    "returns nested lists": (lambda *args: [[1.0], [2.0, [3.0]]], ""),
    "returns an empty tuple": (lambda *args: (), "Your result"),
    "takes no argument": (lambda: 0.0, "The function should be"),
    "loops": (_loops, "time limit of 0.2 s"),
}


def nan_instead(fn):
    """The answer of fn with NaN for its first number."""

    def spoiled(*args):
        return _spoil(fn(*args))

    return spoiled


def _spoil(value):
    if hasattr(value, "named_modules"):
        value.register_forward_hook(lambda module, inputs, output: output * np.nan)
        return value
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(_spoil(value[0]), *value[1:])
    if isinstance(value, tuple | list):
        return type(value)([_spoil(value[0]), *value[1:]])
    if isinstance(value, dict):
        first = next(iter(value))
        return value | {first: _spoil(value[first])}
    spoiled = np.array(value, dtype=float)
    spoiled.flat[0] = np.nan
    return spoiled


def changes_input(fn, position, change):
    """The answer of fn, whose argument at that position is changed afterwards."""

    def careless(*args):
        result = fn(*args)
        change(args[position])
        return result

    return careless


def arrays(args):
    return [arg for arg in args if isinstance(arg, np.ndarray)]


def _overwrite(array):
    array[...] = ~array if array.dtype.kind == "b" else array + 1


def _leave_in_the_other_mode(net):
    net.train(not net.training)


def _set_momentum(net):
    for layer in net.modules():
        if hasattr(layer, "momentum"):
            layer.momentum = 0.5


def _move_a_parameter(net):
    next(net.parameters()).data += 1


def _pass_in_training_mode(net):
    # Running statistics are the only thing that this changes.
    for layer in net.modules():
        if getattr(layer, "running_mean", None) is not None:
            layer.running_mean += 1


def _freeze_a_parameter(net):
    parameter = next(net.parameters())
    parameter.requires_grad = not parameter.requires_grad


_CHANGES_OF_A_NET = (
    _leave_in_the_other_mode,
    _set_momentum,
    _move_a_parameter,
    _pass_in_training_mode,
    _freeze_a_parameter,
)


def _changes(arg):
    if hasattr(arg, "named_modules"):
        return _CHANGES_OF_A_NET
    if isinstance(arg, dict):
        return (dict.clear,)
    if isinstance(arg, list):
        inner = [lambda arg, c=c: c(arg[0]) for c in _changes(arg[0])] if arg else []
        return (list.pop, *inner)
    if hasattr(arg, "add_"):
        return (lambda tensor: tensor.add_(1),)
    return (_overwrite,) if isinstance(arg, np.ndarray) else ()


def all_changes(name):
    """(position, change) for every argument of the first case that can be changed."""
    if get(name).drive:  # the answer never sees the arguments of a case
        return []
    args = get(name).cases()[0].args
    return [(i, change) for i, arg in enumerate(args) for change in _changes(arg)]


def verdict(name, fn, time_limit=10.0):
    return diagnose(get(name), fn, time_limit)
