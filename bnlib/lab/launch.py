"""Start a script as several processes that work together, and end them all in time.

``launch`` starts the processes on this machine, where ``torchrun`` would be too much.
``join_group`` is the first line of such a script, under either of them. A rank that
dies or hangs ends the others with a sentence, within a time limit.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import torch
import torch.distributed as dist

from bnlib.nn.sync import LOST, exchange
from bnlib.refuse import whole_number

__all__ = ["join_group", "launch"]

LOOPBACK = "127.0.0.1"
# Names the file in which the ranks of launch find each other. A port would have to be
# chosen before it is used, and could be gone by then.
STORE = "BNLIB_STORE"
# Seconds that the other ranks get to notice that one has failed and to say so.
GRACE = 10.0


class Rank(NamedTuple):
    """What a process is in its group: its rank, the number of ranks, its device."""

    rank: int
    size: int
    device: torch.device


@contextmanager
def join_group(backend=None, *, time_limit=60.0):
    """Join the process group that ``launch`` or ``torchrun`` prepared, and leave it.

    Parameters
    ----------
    backend : str, optional
        By default "nccl" if each rank of this machine has a GPU of its own, else
        "gloo".
    time_limit : float, default=60.0
        Seconds that this rank waits for another one, at the start and in each exchange.
        Under gloo it then gets an error; a rank that has *ended* is noticed at once.
        Under NCCL, PyTorch's watchdog ends the process.

    Yields
    ------
    Rank
        ``rank``, ``size`` (number of ranks) and ``device`` of this process.

    Raises
    ------
    RuntimeError
        If this process was not started by ``launch`` or ``torchrun``, or another rank
        ends or does not answer in time.

    Examples
    --------
    The first lines of a script for :func:`launch`::

        with join_group() as rank:
            print(rank.rank, "of", rank.size, "on", rank.device)

    By itself a process has nothing to join:

    >>> with join_group():  # doctest: +ELLIPSIS
    ...     pass
    Traceback (most recent call last):
    RuntimeError: join_group must run in a process that launch or torchrun has...
    """
    missing = [name for name in ("RANK", "WORLD_SIZE") if name not in os.environ]
    if missing:
        raise RuntimeError(
            "join_group must run in a process that launch or torchrun has started, got "
            f"no environment variable {missing[0]}; start the script with one of them"
        )
    local = int(os.environ.get("LOCAL_RANK", 0))
    own_gpu = torch.cuda.device_count() >= int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    device = torch.device("cuda", local) if own_gpu else torch.device("cpu")
    if own_gpu:
        torch.cuda.set_device(device)
    _use_loopback()
    backend = backend or ("nccl" if own_gpu else "gloo")
    limit = timedelta(seconds=time_limit)
    with exchange():
        dist.init_process_group(backend, timeout=limit, **_meeting_point(limit))
    try:
        yield Rank(dist.get_rank(), dist.get_world_size(), device)
        with exchange():
            dist.barrier()  # who leaves early closes the door on the others
    finally:
        dist.destroy_process_group()


def _meeting_point(limit):
    """Return where the ranks find each other: launch's file, or torchrun's address."""
    if STORE not in os.environ:
        return {}
    rank, size = (int(os.environ[name]) for name in ("RANK", "WORLD_SIZE"))
    store = dist.FileStore(os.environ[STORE], size)
    store.set_timeout(limit)
    return {"store": store, "rank": rank, "world_size": size}


def _use_loopback():
    """Keep gloo from looking up this machine's name, which fails without a network."""
    if os.environ.get("MASTER_ADDR") in (LOOPBACK, "localhost"):
        names = {name for _, name in getattr(socket, "if_nameindex", list)()}
        for name in names & {"lo", "lo0"}:
            os.environ.setdefault("GLOO_SOCKET_IFNAME", name)


class Result(NamedTuple):
    """How a rank ended: its exit code (negative: killed), and what it has written."""

    exit_code: int
    output: str
    errors: str


def launch(script, num_processes=2, *, arguments=(), time_limit=60.0, check=True):
    """Run a Python script as several processes on this machine and wait for them.

    Each process finds ``RANK``, ``LOCAL_RANK``, ``WORLD_SIZE`` and ``LOCAL_WORLD_SIZE``
    in its environment, as under ``torchrun``, and computes with one thread. In
    :func:`join_group` the ranks meet through a temporary file and then talk over
    127.0.0.1, on ports that the system chooses: nothing is looked up in a network. When
    one fails, the others have ten seconds to end; at the time limit, or if the call is
    interrupted, all are killed: none outlives the call.

    Parameters
    ----------
    script : str or Path
        File to run.
    num_processes : int, default=2
        How many.
    arguments : sequence of str, default=()
        Handed on to the script, the same to each process.
    time_limit : float, default=60.0
        Seconds for the whole run.
    check : bool, default=True
        Whether a failed rank is an error. If not, look at the exit codes.

    Returns
    -------
    list of Result
        ``exit_code``, ``output`` and ``errors`` (texts) of each rank, in order.

    Raises
    ------
    FileNotFoundError
        If there is no such script.
    RuntimeError
        If a rank failed; names the one that is the cause and its last line.
    TimeoutError
        If the time limit was reached.
    TypeError, ValueError
        If ``num_processes`` is not a whole number above 0.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     script = Path(folder, "hello.py")
    ...     _ = script.write_text("import os; print('rank', os.environ['RANK'])")
    ...     ranks = launch(script, num_processes=2)
    >>> [rank.output.strip() for rank in ranks]
    ['rank 0', 'rank 1']
    """
    num_processes = whole_number("num_processes", num_processes, at_least=1)
    script = Path(script)
    if not script.is_file():
        raise FileNotFoundError(
            f"script must be an existing file, got {str(script)!r}; write it first"
        )
    command = [sys.executable, str(script), *map(str, arguments)]
    with tempfile.TemporaryDirectory() as folder:
        ranks = []
        try:
            for rank in range(num_processes):
                ranks.append(_start(command, rank, num_processes, folder))
            failed, in_time = _wait(ranks, time_limit)
        finally:
            for process in ranks:
                process.kill()
                process.wait()
        finished = [_read(folder, rank, p.returncode) for rank, p in enumerate(ranks)]
    if check:
        _check(script.name, finished, failed, in_time, time_limit)
    return finished


def _start(command, rank, num_processes, folder):
    """Start one rank; its texts go to files, for a full pipe would block it."""
    paths = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")]
    environment = os.environ | {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(num_processes),
        "LOCAL_WORLD_SIZE": str(num_processes),
        "MASTER_ADDR": LOOPBACK,
        STORE: str(Path(folder, "store")),
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "PYTHONUNBUFFERED": "1",  # what a killed rank has printed is kept
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }
    with (
        open(Path(folder, f"{rank}.out"), "wb") as out,
        open(Path(folder, f"{rank}.err"), "wb") as err,
    ):
        return subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err
        )


def _wait(ranks, time_limit):
    """Wait; return the ranks that failed, in order, and whether there was time left."""
    limit = time.monotonic() + time_limit
    until, failed = limit, []
    while None in [process.poll() for process in ranks]:
        failed += [r for r, p in enumerate(ranks) if p.returncode and r not in failed]
        if failed and until == limit:
            until = min(limit, time.monotonic() + GRACE)
        if time.monotonic() > until:
            return failed, time.monotonic() <= limit
        time.sleep(0.02)
    failed += [r for r, p in enumerate(ranks) if p.returncode and r not in failed]
    return failed, True


def _read(folder, rank, exit_code):
    texts = [
        Path(folder, f"{rank}.{kind}").read_text(encoding="utf8", errors="replace")
        for kind in ("out", "err")
    ]
    return Result(exit_code, *texts)


def _check(name, finished, failed, in_time, time_limit):
    """Raise if a rank failed or the time was up."""
    if failed:
        # The last line of a rank's errors says what it died of. One that only missed
        # another rank can end before the one that it missed.
        last = {r: (finished[r].errors.split("\n")[-2:] or [""])[0] for r in failed}
        rank = next((r for r in failed if LOST not in last[r]), failed[0])
        raise RuntimeError(
            f"every rank of {name} must end with exit code 0, got "
            f"{finished[rank].exit_code} from rank {rank} ({last[rank] or 'silent'}); "
            "run with check=False to see all texts"
        )
    if not in_time:
        raise TimeoutError(
            f"{name} must end within {time_limit:g} seconds, got "
            f"{[r.exit_code for r in finished]} as exit codes after killing it; "
            "look for a rank that waits for another one"
        )
