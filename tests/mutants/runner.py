"""Plant bugs, one at a time, and say which of them no test notices.

``python -m tests.mutants.runner`` (or ``make mutants``) takes every list ``MUTANTS`` in
this folder; a file is a room. ``python -m tests.mutants.runner nn N6`` takes a room
and a bug. To add one, add a line to the list of its room. The working tree is never
touched: bugs live in copies, in which the named tests run.
"""

import argparse
import contextlib
import multiprocessing
import os
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from queue import SimpleQueue

ROOT = Path(__file__).parents[2]
LEFT_OUT = shutil.ignore_patterns(".*", "_build", "__pycache__", "*.egg-info")
SECONDS = 600  # a bug that makes the tests hang is noticed, too
# What pytest returns: all passed; some failed, or could not even be imported.
PASSED, FAILED = (0,), (1, 2)
# Imported once, for all bugs: that takes longer than most tests. Nothing of ours.
LIBRARIES = ["hypothesis", "matplotlib.pyplot", "pytest", "sklearn.datasets", "torch"]
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(LIBRARIES)


def rooms(folder=Path(__file__).parent):
    """Return the mutants of each room, by the name of its file."""
    found = {}
    for file in sorted(folder.glob("*.py")):
        module = import_module(f"tests.mutants.{file.stem}")
        if hasattr(module, "MUTANTS"):
            found[file.stem] = module.MUTANTS
    return found


def stale(mutants, root):
    """List the mutants that cannot be planted, with the reason."""
    complaints = []
    for mutant in mutants:
        path = root / mutant.file
        text = path.read_text(encoding="utf8") if path.is_file() else ""
        count = text.count(mutant.old)
        if count != 1:
            complaints.append(
                f"{mutant.name}: its old text must occur once in {mutant.file}, "
                f"got {count} times; adapt it"
            )
    return complaints


def passes(copy, tests):
    """Run tests in a copy and return whether they pass.

    Raises
    ------
    RuntimeError
        If pytest ran no test.
    """
    with tempfile.NamedTemporaryFile("r", encoding="utf8") as said:
        child = FORKS.Process(target=run_tests, args=(copy, tests, said.name))
        child.start()
        child.join(SECONDS)
        if child.is_alive():
            child.kill()
            child.join()
            return False
        if child.exitcode not in (*PASSED, *FAILED):
            raise RuntimeError(f"pytest {tests} ran no test:\n{said.read()}")
        return child.exitcode in PASSED


def run_tests(copy, tests, said):
    """Run tests in a copy, in a process of their own, and leave with pytest's code."""
    import pytest

    # What was imported to come here belongs to the working tree.
    for name in [*sys.modules]:
        if name.partition(".")[0] in ("bnlib", "tests", "tools"):
            del sys.modules[name]
    os.chdir(copy)
    sys.path.insert(0, str(copy))
    # Compiled files are told apart by second and size: a bug could hide behind one.
    sys.dont_write_bytecode = True
    os.environ["PYTHONPATH"] = str(copy)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    options = ["-x", "-q", "-p", "no:cacheprovider"]
    with open(said, "w", encoding="utf8") as file, contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.redirect_stdout(file))
        stack.enter_context(contextlib.redirect_stderr(file))
        code = pytest.main([*options, *tests.split()])
    sys.exit(int(code))


def survives(copy, mutant):
    """Plant one mutant in a copy, run its tests, and take it out again."""
    path = copy / mutant.file
    text = path.read_text(encoding="utf8")
    path.write_text(text.replace(mutant.old, mutant.new), encoding="utf8")
    try:
        return passes(copy, mutant.tests)
    finally:
        path.write_text(text, encoding="utf8")


def survivors(mutants, root, workers=2):
    """Return the mutants that no test notices.

    Raises
    ------
    RuntimeError
        If the tests fail without any bug.
    """
    with tempfile.TemporaryDirectory() as folder:
        copies = SimpleQueue()
        for number in range(workers):
            copy = Path(folder) / str(number)
            shutil.copytree(root, copy, ignore=LEFT_OUT)
            copies.put(copy)

        def in_a_copy(job, *arguments):
            copy = copies.get()
            try:
                return job(copy, *arguments)
            finally:
                copies.put(copy)

        with ThreadPoolExecutor(workers) as pool:
            tests = sorted({mutant.tests for mutant in mutants})
            sound = pool.map(lambda t: in_a_copy(passes, t), tests)
            failing = [t for t, fine in zip(tests, sound, strict=True) if not fine]
            if failing:
                raise RuntimeError(f"these fail without any bug: {failing}; fix them")
            alive = []
            lives = pool.map(lambda m: in_a_copy(survives, m), mutants)
            for mutant, survived in zip(mutants, lives, strict=True):
                alive += [mutant] * survived
                said = "survives" if survived else "killed"
                print(f"{mutant.name:4s} {said}", file=sys.stderr, flush=True)
            return alive


def chosen(found, names):
    """Return the rooms with the mutants that are asked for, all if no name is given."""
    known = {*found, *(m.name for mutants in found.values() for m in mutants)}
    if unknown := set(names) - known:
        raise SystemExit(f"no room and no mutant is called {sorted(unknown)}")
    if not names:
        return found
    picked = {
        room: [m for m in mutants if room in names or m.name in names]
        for room, mutants in found.items()
    }
    return {room: mutants for room, mutants in picked.items() if mutants}


def table(found, alive):
    """Return killed and planted mutants of each room as lines of text."""
    rows = [
        (room, sum(m not in alive for m in mutants), len(mutants))
        for room, mutants in found.items()
    ]
    rows.append(("all", sum(row[1] for row in rows), sum(row[2] for row in rows)))
    return [
        f"{room:16s} {killed:3d} of {count:3d} killed" for room, killed, count in rows
    ]


def main(arguments=None, found=None, root=ROOT):
    """Run the command line; return 1 if a bug survives or cannot be planted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="rooms or mutants; by default all")
    parser.add_argument("--workers", type=int, default=2, help="copies at work")
    options = parser.parse_args(arguments)
    found = chosen(rooms() if found is None else found, options.names)
    mutants = [m for room in found.values() for m in room]
    if complaints := stale(mutants, root):
        print(*complaints, sep="\n")
        return 1
    try:
        alive = survivors(mutants, root, options.workers)
    except RuntimeError as error:
        print(error)
        return 1
    print(*table(found, alive), sep="\n")
    for mutant in alive:
        print(
            f"survived: {mutant.name} in {mutant.file}\n- {mutant.old}\n+ {mutant.new}"
        )
    return 1 if alive else 0


if __name__ == "__main__":
    sys.exit(main())
