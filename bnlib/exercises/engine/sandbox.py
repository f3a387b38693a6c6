"""Calls a learner's function on copies, within a time limit, and reports what happened.

The limit works in the main thread, where notebooks run their cells: a watchdog sends
the signal of an interrupt, and a handler turns it into ``TimeLimit``. Where no thread
can be started (a browser), the clock is read at every call and every turn of a loop
instead, which takes Python 3.12 or newer: an older Python without threads has no limit.
Nor has a call in another thread. A single long call into compiled code ends before it
can be stopped.
"""

import _thread
import copy
import inspect
import io
import linecache
import os
import signal
import sys
import sysconfig
import threading
import time
import warnings
from contextlib import (
    contextmanager,
    nullcontext,
    redirect_stderr,
    redirect_stdout,
)
from dataclasses import dataclass
from pathlib import Path

from bnlib.exercises.engine.compare import snapshot
from bnlib.exercises.engine.state import state

# Seconds between two attempts to stop code that catches every exception.
INSIST = 0.05
# At most so many lines are waited for before the next exception.
MOST_LINES = 20

# Places for tools of sys.monitoring: first those that no kind of tool has for its own.
_PLACES = (4, 3, 5, 2, 1, 0)

# What a case prints is kept up to so many lines and characters.
PRINTED_LINES = 20
PRINTED_CHARACTERS = 4000

# Files that are not the learner's own.
_FOREIGN = (
    sysconfig.get_path("stdlib") + os.sep,
    str(Path(__file__).parents[2]) + os.sep,
    "<frozen",
    "<__array_function__",
)


class _Paper(io.TextIOBase):
    """What a learner's function prints: the beginning, and how much more there was."""

    def __init__(self):
        self.kept, self.lines = "", 0

    def writable(self):
        return True

    def write(self, text):
        self.lines += text.count("\n")
        self.kept += text[: PRINTED_CHARACTERS - len(self.kept)]
        return len(text)

    def text(self):
        lines = self.kept.splitlines()[:PRINTED_LINES]
        more = self.lines - len(lines)
        return "\n".join(lines + [f"… and {more} more lines"] * (more > 0))


class TimeLimit(BaseException):
    """Raised in a learner's code that runs too long.

    Not an ``Exception``, so that ``except Exception`` in a loop does not swallow it.
    """


@dataclass(frozen=True)
class Outcome:
    """What one call of a learner's function led to.

    Parameters
    ----------
    result : object
        A copy of what was returned, tensors as arrays.
    error : BaseException or None
        What was raised instead.
    place : str
        The learner's line that raised: ``"line 3: return x @ x"``, or empty.
    changed : tuple of int
        Positions of the arguments that were modified.
    warning : str
        Text of the first warning, or empty.
    printed : str
        What was printed, at most 21 lines.
    """

    result: object = None
    error: BaseException | None = None
    place: str = ""
    changed: tuple = ()
    warning: str = ""
    printed: str = ""


def call(fn, args, time_limit=None):
    """Call ``fn(*args)`` on copies and report what happened, never raising.

    Only a real interrupt (the stop button) passes through.

    Parameters
    ----------
    fn : callable
        The learner's function.
    args : tuple
        Its arguments; they stay as they are.
    time_limit : float or None
        Seconds, or None for no limit. Without effect outside the main thread.

    Returns
    -------
    Outcome
        Result or error, and what else happened.
    """
    mine = copy.deepcopy(args)
    result, error, paper = None, None, _Paper()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            with redirect_stdout(paper), redirect_stderr(paper), _watchdog(time_limit):
                result = next(_enter(fn, mine))
        except KeyboardInterrupt:
            print(paper.text())
            raise
        except BaseException as problem:
            # What leaves a generator as StopIteration is wrapped by Python.
            wrapped = isinstance(problem.__cause__, StopIteration)
            error = problem.__cause__ if wrapped else problem
    place = _place(error)
    changed = tuple(i for i in range(len(args)) if not _same(args[i], mine[i]))
    # The first warning is the cause; the following ones are its consequences.
    warning = f"{caught[0].category.__name__}: {caught[0].message}" if caught else ""
    if error is not None:  # its traceback would keep the learner's arrays alive
        error.__traceback__ = None
    return Outcome(result, error, place, changed, warning, paper.text())


def _enter(fn, args):
    # Nothing but the learner's call: TimeLimit is raised only beneath this frame. A
    # generator, because it has its own record of the exception being handled: what
    # _insist leaves there would otherwise appear in the learner's later tracebacks.
    result = fn(*args)
    if inspect.iscoroutine(result):  # Python would complain that nobody awaits it
        result.close()
    yield snapshot(result)


@contextmanager
def _watchdog(seconds):
    main = threading.current_thread() is threading.main_thread()
    if seconds is None or not main:
        yield
        return
    barked, done = threading.Event(), threading.Event()
    watcher = threading.Thread(target=_watch, args=(seconds, barked, done), daemon=True)
    previous, trace = signal.getsignal(signal.SIGINT), sys.gettrace()
    signal.signal(signal.SIGINT, _handler(previous, barked))
    try:
        try:
            watcher.start()
        except RuntimeError:  # a browser has no threads
            done.set()
        with nullcontext() if watcher.ident else _clock(seconds):
            yield
    finally:
        done.set()
        if watcher.ident is not None:
            watcher.join()
        if sys.gettrace() is not trace:
            sys.settrace(trace)
        # The watcher is gone, and signal() first delivers what it may have sent to our
        # handler, which ignores it here: no interrupt strays into the notebook.
        known = signal.default_int_handler if previous is None else previous
        signal.signal(signal.SIGINT, known)


def _watch(seconds, barked, done):
    done.wait(min(max(seconds, 0.0), threading.TIMEOUT_MAX))
    while not done.is_set():
        barked.set()
        if hasattr(signal, "pthread_kill"):  # also ends a sleep
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        else:
            _thread.interrupt_main()
        done.wait(INSIST)


@contextmanager
def _clock(seconds):
    watch, end = getattr(sys, "monitoring", None), time.monotonic() + seconds
    places = [i for i in _PLACES if watch and watch.get_tool(i) is None]
    if not places:  # before Python 3.12, or six tools look on already
        yield
        return

    def look(*_):
        # Not once but from now on at each event: code that swallows every exception
        # gets the next one in its `except`, or at the head of the loop around it.
        if time.monotonic() > end and _inside(sys._getframe(1)):
            raise TimeLimit

    tool, known = places[0], watch.events
    # What compiled code asks of a generator that never ends is only a PY_RESUME.
    events = (known.JUMP, known.PY_START, known.PY_RESUME)
    watch.use_tool_id(tool, __name__)
    for event in events:
        watch.register_callback(tool, event, look)
    watch.set_events(tool, sum(events))
    try:
        yield
    finally:
        watch.set_events(tool, 0)
        for event in events:
            watch.register_callback(tool, event, None)
        watch.free_tool_id(tool)


def _handler(previous, barked):
    attempts = 0

    def handle(signum, frame):
        nonlocal attempts
        if not barked.is_set():  # a person pressed stop
            return _pass_on(previous, signum, frame)
        if not _inside(frame):
            return None
        attempts += 1
        if attempts > 1:
            _insist(frame, skip=(attempts - 2) % MOST_LINES)
        raise TimeLimit

    return handle


def _pass_on(previous, signum, frame):
    if callable(previous):
        return previous(signum, frame)
    if previous == signal.SIG_IGN:
        return None
    raise KeyboardInterrupt


def _inside(frame):
    while frame is not None and frame.f_code is not _enter.__code__:
        frame = frame.f_back
    return frame is not None


def _insist(frame, skip):
    # A bare `except:` has swallowed TimeLimit and will do so again. Raised once more a
    # few lines later, in the `except` itself or at the head of the loop, it gets out.
    # How many lines later nobody knows, so each attempt waits for one line more.
    def tracer(frame, event, arg):
        nonlocal skip
        if not _inside(frame):
            return None
        if event == "line":
            skip -= 1
            if skip < 0:
                raise TimeLimit
        return tracer

    sys.settrace(tracer)
    while frame is not None and frame.f_code is not _enter.__code__:
        frame.f_trace = tracer
        frame = frame.f_back


def _place(error):
    place, step = "", getattr(error, "__traceback__", None)
    while step is not None:
        file, number = step.tb_frame.f_code.co_filename, step.tb_lineno
        if not file.startswith(_FOREIGN) and "-packages" not in file:
            line = linecache.getline(file, number).strip()
            place = f"line {number}: {line}" if line else f"line {number}"
        step = step.tb_next
    return place


def _same(before, after):
    try:
        return state(before) == state(after)
    except Exception:  # what was put in there cannot even be read
        return False
