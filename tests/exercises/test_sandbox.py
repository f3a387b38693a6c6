import signal
import sys
import threading
import time
import warnings
from collections import namedtuple
from types import SimpleNamespace

import numpy as np
import pytest
from endless import (
    CLOCKED,
    PATIENT,
    STUBBORN,
    spin_forever,
    swallow_everything,
)

from bnlib.exercises.engine import sandbox

Pair = namedtuple("Pair", "first second")


@pytest.fixture(autouse=True)
def interrupt_handler():
    """Python's own handler, also where the tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, before)


def spin(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def sleep_long():
    time.sleep(30)


@pytest.mark.parametrize("fn", [*PATIENT, *STUBBORN, sleep_long])
def test_endless_code_is_stopped(fn):
    start = time.monotonic()
    outcome = sandbox.call(fn, (), 0.1)
    assert isinstance(outcome.error, sandbox.TimeLimit)
    assert time.monotonic() - start < 5
    assert sys.exc_info() == (None, None, None)


def test_tracing_is_as_before():
    def tracer(frame, event, arg):
        return None

    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        sandbox.call(swallow_everything, (), 0.1)
        assert sys.gettrace() is tracer
    finally:
        sys.settrace(before)


@pytest.fixture
def quick_switches():
    """The watchdog gets its turn at once, so that the race is close."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def test_no_interrupt_strays_when_the_limit_is_met_exactly(quick_switches):
    late = 0
    for i in range(500):
        outcome = sandbox.call(spin, (0.001 + 1e-6 * (i % 300),), 0.001)
        late += outcome.error is not None
        spin(0.0002)
    # Both ends of the race must have been run.
    assert 0 < late < 500


def test_interrupt_on_its_way_is_awaited(monkeypatch):
    send = signal.pthread_kill

    def send_late(thread, number):
        time.sleep(0.3)
        send(thread, number)

    monkeypatch.setattr(signal, "pthread_kill", send_late)
    # The watchdog barks at 0.05 s, the answer comes at 0.1 s, the signal at 0.35 s.
    assert sandbox.call(spin, (0.1,), 0.05).error is None
    spin(0.5)


def test_handler_of_exceptions_does_not_get_the_limit():
    def careful():
        try:
            spin_forever()
        except Exception:
            return "swallowed"

    assert isinstance(sandbox.call(careful, (), 0.05).error, sandbox.TimeLimit)


@pytest.mark.parametrize("handler", [signal.SIG_IGN, signal.SIG_DFL])
def test_limit_holds_where_interrupts_are_ignored(handler):
    signal.signal(signal.SIGINT, handler)
    assert isinstance(sandbox.call(spin_forever, (), 0.1).error, sandbox.TimeLimit)
    assert signal.getsignal(signal.SIGINT) == handler
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_stop_button_passes_through():
    main = threading.main_thread().ident
    button = threading.Timer(0.1, signal.pthread_kill, (main, signal.SIGINT))
    button.start()
    with pytest.raises(KeyboardInterrupt):
        sandbox.call(spin_forever, (), 20.0)
    button.join()


def test_other_thread_runs_without_limit():
    outcomes = []

    def work():
        outcomes.append(sandbox.call(spin, (0.2,), 0.05))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert outcomes[0].error is None


class Traced:
    """Stands in for sys.monitoring before Python 3.12, with the events of sys.settrace.

    Tracing ends with the first exception: code that catches it is out of reach.
    """

    events = SimpleNamespace(JUMP=1, PY_START=2, PY_RESUME=4)

    def __init__(self):
        self.tools, self.callbacks = {}, {}

    def get_tool(self, tool):
        return self.tools.get(tool)

    def use_tool_id(self, tool, name):
        assert tool not in self.tools
        self.tools[tool] = name

    def free_tool_id(self, tool):
        del self.tools[tool]

    def register_callback(self, tool, event, callback):
        before = self.callbacks.pop((tool, event), None)
        if callback is not None:
            self.callbacks[tool, event] = callback
        return before

    def set_events(self, tool, events):
        def trace(frame, kind, arg):
            event = {"call": 2, "line": 1}.get(kind, 0)
            if event & events:
                self.callbacks[tool, event](frame.f_code, 0)
            return trace

        sys.settrace(trace if events else None)

    def get_events(self, tool):
        return 0


def refuse(thread):
    raise RuntimeError("can't start new thread")


@pytest.fixture
def monitoring(monkeypatch):
    """No thread can be started, as in a browser; all places for tools are free."""
    monkeypatch.setattr(threading.Thread, "start", refuse)
    if not hasattr(sys, "monitoring"):
        monkeypatch.setattr(sys, "monitoring", Traced(), raising=False)
    tools = [sys.monitoring.get_tool(i) for i in range(6)]
    yield sys.monitoring
    assert [sys.monitoring.get_tool(i) for i in range(6)] == tools


MORE = (*STUBBORN, *CLOCKED) if hasattr(sys, "monitoring") else ()


@pytest.mark.parametrize("fn", [*PATIENT, *MORE])
def test_endless_code_is_stopped_without_threads(fn, monitoring):
    start = time.monotonic()
    outcome = sandbox.call(fn, (), 0.1)
    assert isinstance(outcome.error, sandbox.TimeLimit)
    assert 0.1 <= time.monotonic() - start < 5
    assert sys.exc_info() == (None, None, None)
    assert sandbox.call(lambda: 7, (), 5.0).result == 7


def test_a_limit_without_threads_leaves_monitoring_as_it_was(monitoring):
    sandbox.call(spin_forever, (), 0.05)
    known = monitoring.events
    for tool in range(6):
        monitoring.use_tool_id(tool, "later")
        assert monitoring.get_events(tool) == 0
        for event in (known.JUMP, known.PY_START, known.PY_RESUME):
            assert monitoring.register_callback(tool, event, None) is None
        monitoring.free_tool_id(tool)


def test_a_limit_without_threads_takes_a_place_that_is_free(monitoring):
    for held in range(5, -1, -1):
        monitoring.use_tool_id(held, f"tool {held}")
        taken = [t for t in range(6) if monitoring.get_tool(t)]
        if held:
            error = sandbox.call(spin_forever, (), 0.05).error
            assert isinstance(error, sandbox.TimeLimit)
        assert [t for t in range(6) if monitoring.get_tool(t)] == taken
    # Nobody left a place: the answer runs without a limit.
    assert sandbox.call(spin, (0.2,), 0.05).error is None
    for held in range(6):
        assert monitoring.get_tool(held) == f"tool {held}"
        monitoring.free_tool_id(held)


def test_other_code_than_the_learners_is_not_stopped_without_threads(monitoring):
    def work():
        with sandbox._clock(0.0):
            spin(0.05)
        return "done"

    assert work() == "done"


def test_before_python_3_12_there_is_no_limit_without_threads(monkeypatch):
    monkeypatch.setattr(threading.Thread, "start", refuse)
    monkeypatch.delattr(sys, "monitoring", raising=False)
    assert sandbox.call(spin, (0.2,), 0.05).error is None


def test_nothing_of_the_watchdog_is_left():
    for _ in range(20):
        sandbox.call(lambda: 1, (), 10.0)
    assert threading.active_count() < 10


def test_arguments_are_copies_and_the_changed_one_is_named():
    x, y = np.ones(3), np.ones(3)

    def change(x, y):
        y[0] = 5.0
        return x

    outcome = sandbox.call(change, (x, y))
    assert outcome.changed == (1,)
    assert y[0] == 1.0
    assert not np.shares_memory(outcome.result, x)


@pytest.mark.parametrize(
    ("argument", "change"),
    [
        (np.array([1.0, np.nan]), lambda a: a.__setitem__(0, 2.0)),
        ([1, 2], lambda a: a.append(3)),
        ({"mean": np.zeros(2)}, lambda a: a["mean"].fill(1)),
        ((np.zeros(2), 3), lambda a: a[0].fill(1)),
        ({"mean": 1}, lambda a: a.pop("mean")),
        (np.zeros(4), lambda a: setattr(a, "shape", (2, 2))),
    ],
    ids=["array", "list", "array in a dict", "array in a tuple", "dict", "shape"],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_change_of_a_container_is_seen(argument, change):
    assert sandbox.call(change, (argument,)).changed == (0,)
    assert sandbox.call(lambda a: None, (argument,)).changed == ()


def test_result_is_copied_at_once():
    kept = np.ones(3)
    outcome = sandbox.call(lambda: {"a": [kept, Pair(kept, 1)]}, ())
    kept[:] = 0
    np.testing.assert_array_equal(outcome.result["a"][0], np.ones(3))
    np.testing.assert_array_equal(outcome.result["a"][1].first, np.ones(3))


def test_tensors_become_arrays():
    torch = pytest.importorskip("torch")
    x = torch.ones(2, requires_grad=True)
    kept = torch.ones(2)
    outcome = sandbox.call(lambda x: (2 * x, kept), (x,))
    kept.zero_()
    assert isinstance(outcome.result[0], np.ndarray)
    np.testing.assert_array_equal(outcome.result[0], [2.0, 2.0])
    np.testing.assert_array_equal(outcome.result[1], [1.0, 1.0])
    assert outcome.changed == ()


def test_changed_tensor_is_seen():
    torch = pytest.importorskip("torch")
    assert sandbox.call(lambda x: x.add_(1), (torch.ones(2),)).changed == (0,)


def test_warnings_are_kept_from_stderr(capfd):
    def warn():
        np.log(np.array(-1.0))
        warnings.warn("second", stacklevel=1)

    outcome = sandbox.call(warn, ())
    assert outcome.warning == "RuntimeWarning: invalid value encountered in log"
    assert capfd.readouterr().err == ""


def recurse():
    return recurse()


def leave():
    sys.exit(1)


def exhaust():
    return next(iter([]))


def call_numpy():
    return np.stack([])


@pytest.mark.parametrize(
    ("fn", "error", "line"),
    [
        (recurse, RecursionError, "return recurse()"),
        (leave, SystemExit, "sys.exit(1)"),
        (call_numpy, ValueError, "return np.stack([])"),
        (exhaust, StopIteration, "return next(iter([]))"),
    ],
)
def test_error_is_reported_with_the_learners_line(fn, error, line):
    outcome = sandbox.call(fn, ())
    assert isinstance(outcome.error, error)
    assert outcome.place.endswith(f": {line}")


def test_place_without_source_is_a_line_number():
    space = {}
    exec(compile("def f():\n\n    return 1 / 0\n", "<no file>", "exec"), space)
    assert sandbox.call(space["f"], ()).place == "line 3"
