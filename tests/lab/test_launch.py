"""Processes that work together: started, named when they fail, none left behind."""

import os
import re
import subprocess
import sys
import time

import pytest

from bnlib.lab.launch import join_group, launch
from tests.forked_ranks import fork_ranks

# --- ranks that fail ------------------------------------------------------------------

FAILING = """
import os, signal, sys, time
import torch
from bnlib.nn.sync import SyncBatchNorm
from bnlib.lab.launch import join_group

with join_group("gloo", time_limit={limit}) as me:
    layer = SyncBatchNorm(3)
    for step in range(3):
        if step == 2 and me.rank == 1:
            print("rank 1 has had enough")
            {fate}
        layer(torch.randn(4, 3, requires_grad=True)).sum().backward()
"""
SENTENCE = "every rank must take part in each exchange, but rank 0 of 2 got no answer"


def run_failing(tmp_path, fate, limit=120, **options):
    script = tmp_path / "failing.py"
    script.write_text(FAILING.format(fate=fate, limit=limit))
    begin = time.monotonic()
    finished = launch(script, time_limit=90, **options)
    return finished, time.monotonic() - begin


def test_killed_rank_ends_the_other_with_a_sentence(tmp_path):
    fate = "os.kill(os.getpid(), signal.SIGKILL)"
    (first, second), seconds = run_failing(tmp_path, fate, check=False)
    assert second.exit_code == -9
    assert second.output == "rank 1 has had enough\n"
    assert first.exit_code == 1
    last = first.errors.strip().splitlines()[-1]
    assert f"RuntimeError: {SENTENCE}" in last
    assert last.endswith("look at the output of the rank that ended first")
    # Gloo says that the connection was closed, or that it was reset.
    assert re.search(r"from another one \(.*127\.0\.0\.1.*\); look", last)
    assert seconds < 60, "it waited for the time limit"


def test_hanging_rank_ends_the_other_within_the_time_limit(tmp_path, monkeypatch):
    fork_ranks(monkeypatch)  # they begin together, so the limit can be short
    monkeypatch.setattr("bnlib.lab.launch.GRACE", 0.5)
    words = f"got 1 from rank 0 .*{SENTENCE}.*Timed out waiting 3000ms"
    with pytest.raises(RuntimeError, match=words):
        run_failing(tmp_path, "time.sleep(600)", limit=3)


def test_failed_rank_is_named_and_not_the_one_that_misses_it(tmp_path, monkeypatch):
    fork_ranks(monkeypatch)
    words = r"got 1 from rank 1 \(.*ZeroDivisionError: division by zero\); run with"
    with pytest.raises(RuntimeError, match=words):
        run_failing(tmp_path, "1 / 0")


# --- starting processes ---------------------------------------------------------------


def script(tmp_path, text):
    path = tmp_path / "script.py"
    path.write_text(text)
    return path


def test_launch_collects_what_each_rank_writes(tmp_path):
    text = """
import os, sys
print(os.environ["RANK"], os.environ["WORLD_SIZE"], os.environ["OMP_NUM_THREADS"])
print("é" * 100_000, file=sys.stderr)  # more than a pipe holds
print(sys.argv[1:])
import bnlib
"""
    found = launch(script(tmp_path, text), 3, arguments=["a", 1])
    assert [f.output for f in found] == [f"{r} 3 1\n['a', '1']\n" for r in range(3)]
    assert [f.exit_code for f in found] == [0, 0, 0]
    assert all(f.errors == "é" * 100_000 + "\n" for f in found)


def test_launch_names_the_rank_that_failed_first(tmp_path):
    text = """
import os, pathlib, time
signal = pathlib.Path(__file__).with_suffix(".signal")
if os.environ["RANK"] == "1":
    signal.touch()
    raise ValueError("no such luck")
while not signal.exists():
    time.sleep(0.01)
time.sleep(1)
raise ValueError("a consequence")
"""
    path = script(tmp_path, text)
    words = (
        r"script.py must end with exit code 0, got 1 from rank 1 \(ValueError: no such"
    )
    with pytest.raises(RuntimeError, match=words):
        launch(path)


def test_launch_kills_all_ranks_at_the_time_limit(tmp_path):
    text = """
import os, time
print(os.getpid())
if os.environ["RANK"] == "1":
    time.sleep(600)
"""
    path = script(tmp_path, text)
    with pytest.raises(TimeoutError, match=r"script.py must end within 1 seconds"):
        launch(path, time_limit=1)
    first, second = launch(path, time_limit=1, check=False)
    assert (first.exit_code, second.exit_code) == (0, -9)
    with pytest.raises(ProcessLookupError):
        os.kill(int(second.output), 0)


def test_launch_gives_the_others_only_a_moment_after_a_failure(tmp_path, monkeypatch):
    monkeypatch.setattr("bnlib.lab.launch.GRACE", 0.3)
    text = 'import os, time\nif os.environ["RANK"] == "0": os._exit(3)\ntime.sleep(60)'
    begin = time.monotonic()
    first, second = launch(script(tmp_path, text), check=False)
    assert (first.exit_code, second.exit_code) == (3, -9)
    assert time.monotonic() - begin < 20


def test_launch_leaves_no_process_behind_when_interrupted(tmp_path, monkeypatch):
    started = []

    def stop(ranks, time_limit):
        started.extend(ranks)
        raise KeyboardInterrupt

    monkeypatch.setattr("bnlib.lab.launch._wait", stop)
    with pytest.raises(KeyboardInterrupt):
        launch(script(tmp_path, "import time; time.sleep(600)"))
    assert [process.returncode for process in started] == [-9, -9]


def test_launch_refuses_what_it_cannot_run(tmp_path):
    with pytest.raises(FileNotFoundError, match="got '.*missing.py'; write it first"):
        launch(tmp_path / "missing.py")
    path = script(tmp_path, "")
    with pytest.raises(ValueError, match="num_processes must be at least 1, got 0"):
        launch(path, 0)
    with pytest.raises(TypeError, match="num_processes must be a whole number"):
        launch(path, "2")


def test_join_group_outside_of_a_started_process_is_refused(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    with (
        pytest.raises(RuntimeError, match="no environment variable RANK; start"),
        join_group(),
    ):
        pass


def test_script_also_starts_with_torchrun(tmp_path):
    text = """
import torch
from bnlib.nn.sync import SyncBatchNorm
from bnlib.lab.launch import join_group

with join_group("gloo", time_limit=20) as me:
    layer = SyncBatchNorm(1, momentum=1.0)
    layer(torch.tensor([[0.0], [me.rank]]))
    mean = layer.running_mean.item()
    print(f"rank {me.rank} of {me.size}, mean {mean:.2f}\\n", end="")
"""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2"]
    local = ["--standalone", "--local-addr=127.0.0.1", script(tmp_path, text)]
    done = subprocess.run(
        [*torchrun, *local],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"},
    )
    assert done.returncode == 0, done.stderr
    wanted = [f"rank {r} of 2, mean 0.25" for r in range(2)]
    assert sorted(done.stdout.split("\n"))[1:] == wanted
