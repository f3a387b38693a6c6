"""Ranks of ``launch`` that need not import PyTorch: forks of a process that has it.

To import it takes longer than most of what is tested with it. Each rank is a process of
its own all the same; that ``launch`` starts new interpreters, too, is tested where it
matters (``tests/lab/test_launch.py``, and the chapter that trains in two processes).
"""

import multiprocessing
import os
import runpy
import subprocess
import sys
from types import SimpleNamespace

FORKS = multiprocessing.get_context("forkserver")
# The last one is what DistributedDataParallel imports when it is made.
FORKS.set_forkserver_preload(["torch", "torch.distributed", "torch._dynamo"])


class Forked:
    """What ``launch`` needs of ``subprocess.Popen``, for the command of a script."""

    def __init__(self, command, env, stdin, stdout, stderr):
        assert command[0] == sys.executable and stdin == subprocess.DEVNULL
        run = (command[1:], dict(env), stdout.name, stderr.name)
        self._process = FORKS.Process(target=_run, args=run)
        self._process.start()

    @property
    def returncode(self):
        """None while it runs; negative if it was killed."""
        return self._process.exitcode

    def poll(self):
        return self.returncode

    def kill(self):
        self._process.kill()

    def wait(self):
        self._process.join()


def _run(argv, environment, out, err):
    """Run a script as ``python script ...`` would, with what it prints in files."""
    os.environ.clear()
    os.environ.update(environment)
    for stream, path in ((sys.stdout, out), (sys.stderr, err)):
        file = os.open(path, os.O_WRONLY | os.O_TRUNC)
        os.dup2(file, stream.fileno())
        os.close(file)
        stream.reconfigure(encoding="utf8", line_buffering=True)
    import torch

    # PyTorch has read the variable before it was set.
    torch.set_num_threads(int(environment["OMP_NUM_THREADS"]))
    sys.argv = argv
    runpy.run_path(argv[0], run_name="__main__")


def fork_ranks(monkeypatch):
    """Let ``launch`` fork its ranks as long as the monkeypatch lasts."""
    instead = SimpleNamespace(Popen=Forked, DEVNULL=subprocess.DEVNULL)
    monkeypatch.setattr("bnlib.lab.launch.subprocess", instead)
