"""Measure the claims of the chapters on other data and other nets, and store it.

``python -m tools.studies`` runs every setting of ``book/studies`` that is not stored
yet, two at a time, and writes ``book/studies/results/*.csv``; with names of families it
runs only those. Ctrl-C stops it; what was finished is stored, and the next call goes on
from there. ``--list`` prints what is stored and what is not, ``--again`` measures
stored settings anew, ``--only WORD`` takes settings whose name holds a word, and
``--sample COMMIT`` runs the cheap sample of this commit and compares it with what is
stored; ``--compare`` does so with all seeds of a whole family, by default that of the
month, and stores nothing. ``--page`` writes the verdicts into ``book/far.md``; with
``--check`` it changes nothing and exits with 1 if one differs.
"""

import argparse
import hashlib
import importlib
import multiprocessing
import os
import platform
import re
import signal
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

from book.studies import FAMILIES, judge, results
from tools import verdicts

ROOT = Path(__file__).parents[1]
PAGE = Path("book", "far.md")
REASON = re.compile(
    r"(?m)^\| \*\*(?P<name>[A-Z]\d+)\*\* \|(?P<word>[^|]*)\|(?P<why>.*)\|$"
)
# What a sample may take: CPU seconds of the stored run, by its share of the seeds.
CHEAP, SAMPLE_SEEDS = 8.0, 2


@dataclass(frozen=True)
class Unit:
    """A study in one of its settings: what is measured, and stored, at once.

    Parameters
    ----------
    family, study : str
        Names of the module and of the function in it.
    setting : book.studies.base.Setting
    """

    family: str
    study: str
    setting: object

    @property
    def key(self):
        """What its stored rows are known by."""
        script = f"{self.family}.py:{self.study}"
        return script, self.setting.name, self.setting.digest

    def __str__(self):
        """Name it in one line."""
        return f"{self.family}.{self.study} {self.setting.name}"


def units(families=FAMILIES):
    """Return all settings of the studies of these families."""
    found = []
    for family in families:
        module = importlib.import_module(f"book.studies.{family}")
        for study in vars(module).values():
            if type(study).__name__ == "Study":
                found += [Unit(family, study.name, s) for s in study.settings]
    return found


def versions():
    """Return the versions that a number may depend on."""
    import numpy
    import torch

    import bnlib

    parts = {
        "python": platform.python_version(),
        "numpy": numpy.__version__,
        "torch": torch.__version__.partition("+")[0],
        "bnlib": bnlib.__version__,
    }
    return " ".join(f"{name}-{version}" for name, version in parts.items())


def measure(unit):
    """Run a unit and return its rows, the same ones in every process and order."""
    import torch

    torch.set_num_threads(1)
    # What a study draws without a seed of its own, as noise behind a norm, must not
    # hang on what the process measured before.
    torch.default_generator.manual_seed(0)
    module = importlib.import_module(f"book.studies.{unit.family}")
    study, setting, began = getattr(module, unit.study), unit.setting, _cpu()
    found = list(study.measure(setting))
    seconds = round(_cpu() - began, 1)
    script, _, digest = unit.key
    return [
        results.Row(
            claim=one.quantity.partition(".")[0],
            quantity=one.quantity,
            setting=setting.name,
            data=setting.data,
            net=setting.net,
            optimizer=setting.optimizer,
            steps=setting.steps,
            seed=one.seed,
            at=one.at,
            value=one.value,
            cpu_seconds=seconds,
            versions=versions(),
            script=script,
            digest=digest,
        )
        for one in found
    ]


def _cpu():
    """CPU seconds of this process and of the processes that it waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def store(unit, rows, folder=results.FOLDER):
    """Put the rows of a unit into the file of its family, in place of older ones."""
    script, setting, _ = unit.key
    kept = [
        row
        for row in results.read(unit.family, folder)
        if (row.script, row.setting) != (script, setting)
    ]
    results.write(unit.family, kept + rows, folder)


def missing(wanted, folder=results.FOLDER):
    """Return the units that are not stored, or with another setting."""
    stored = {
        row.unit
        for family in {unit.family for unit in wanted}
        for row in results.read(family, folder)
    }
    return [unit for unit in wanted if unit.key not in stored]


def run(wanted, processes=2, folder=results.FOLDER):
    """Measure these units and store each as soon as it is done; return the failed."""
    from tqdm import tqdm

    failed = []
    context = multiprocessing.get_context("spawn")
    pool = context.Pool(processes, _alone, maxtasksperchild=1)
    with tqdm(total=len(wanted), unit="setting") as bar:
        try:
            for unit, rows, error in pool.imap_unordered(_attempt, wanted):
                if error is None:
                    store(unit, rows, folder)
                else:
                    failed.append(unit)
                    bar.write(f"{unit}: {error}", file=sys.stderr)
                bar.set_postfix_str(str(unit))
                bar.update()
        except KeyboardInterrupt:
            bar.write("stopped; what is done is stored, the same call goes on")
            failed.append(None)
        finally:
            pool.terminate()
            pool.join()
    return failed


def _alone():
    """Leave Ctrl-C to the parent: a training that it shortens is no measurement."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _attempt(unit):
    try:
        return unit, measure(unit), None
    except Exception as error:  # one bad setting must not stop the others
        return unit, [], f"{type(error).__name__}: {error}"


def fetch(wanted):
    """Get the sets that these units need."""
    from book.studies import data

    for name in sorted({name for unit in wanted for name in unit.setting.sets}):
        if not data.available(name):
            print(f"fetching {name} ...", file=sys.stderr)
            data.fetch(name)


def sample(commit, folder=results.FOLDER):
    """Return a cheap stored unit whose data are here, another one for every commit."""
    from book.studies import data

    seconds = {r.unit: r.cpu_seconds for f in FAMILIES for r in results.read(f, folder)}
    cheap = [
        unit
        for unit in units()
        if seconds.get(unit.key, CHEAP + 1) * _share(unit) <= CHEAP
        and all(data.available(name) for name in unit.setting.sets)
    ]
    if not cheap:
        raise ValueError(
            "a sample needs a stored setting that is cheap and whose data are here, "
            "got none; run make studies"
        )
    order = hashlib.sha256(commit.encode()).digest()
    return cheap[int.from_bytes(order[:8], "big") % len(cheap)]


def _share(unit):
    return min(1.0, SAMPLE_SEEDS / unit.setting.seeds)


def compare(unit, seeds=SAMPLE_SEEDS, folder=results.FOLDER):
    """Measure a unit again; return the numbers outside of the stored spread.

    The spread is that of all stored seeds, widened on both sides by as much again and
    by a hundredth of the number: on another processor a training takes another way.
    The best rate of two seeds may be another one than that of all; where it would stand
    at the edge of the grid, all seeds are measured.
    """
    from bnlib.lab.grid import EdgeOfGrid

    stored = [r for r in results.read(unit.family, folder) if r.unit == unit.key]
    setting = unit.setting.with_seeds(min(seeds, unit.setting.seeds))
    try:
        again = measure(Unit(unit.family, unit.study, setting))
    except EdgeOfGrid:
        if setting == unit.setting:
            raise
        again = measure(unit)
    far = []
    for row in again:
        same = [r.value for r in stored if (r.quantity, r.at) == (row.quantity, row.at)]
        low, high = min(same), max(same)
        room = high - low + 0.01 * abs(statistics.median(same)) + 1e-9
        if not low - room <= row.value <= high + room:
            far.append(
                f"{row.quantity} in {unit}, seed {row.seed}: {row.value:.3g}, stored "
                f"{low:.3g} to {high:.3g}"
            )
    return far


def compare_all(wanted):
    """Measure these units again with all seeds; return the exit status."""
    from tqdm import tqdm

    fetch(wanted)
    far = []
    for unit in tqdm(wanted, unit="setting"):
        far += compare(unit, seeds=unit.setting.seeds)
    print(*far, sep="\n", end="\n" * bool(far), file=sys.stderr)
    return int(bool(far))


def lines(root=ROOT):
    """Return the chapters' lines by their keys, with numbers for the bounds."""
    return {
        f"{line.name}.{line.key}": SimpleNamespace(
            value=float(line.measured),
            op=line.op,
            bound=float(line.bound),
            tol=None if line.tol is None else float(line.tol),
        )
        for line in verdicts.claim_lines(root)
        if line.key
    }


def words(root=ROOT):
    """Return what came out elsewhere: {claim: word}."""
    folder = root / "book" / "studies" / "results"
    stored = results.read_all(folder).values()
    return judge.of_claims([row for rows in stored for row in rows], lines(root))


def filled(text, known):
    """Return the page with these words; refuse a claim without a reason.

    Raises
    ------
    ValueError
        If a claim is measured and has no row, or has a row and is not measured.
    """
    told = {match["name"] for match in REASON.finditer(text)}
    if told != set(known):
        raise ValueError(
            f"{PAGE} must give a reason for each claim that is measured, got "
            f"differences {sorted(told ^ set(known))}; write or remove a row"
        )
    return REASON.sub(
        lambda m: f"| **{m['name']}** | {known[m['name']]} |{m['why']}|", text
    )


def fill_page(only_check, root=ROOT):
    """Write the words into the page, or say that one differs."""
    path = root / PAGE
    text = path.read_text(encoding="utf-8")
    new = filled(text, words(root))
    if new == text:
        return 0
    if only_check:
        print(f"{PAGE}: run python -m tools.studies --page", file=sys.stderr)
        return 1
    path.write_text(new, encoding="utf-8")
    print(f"{PAGE} filled")
    return 0


def main(arguments=None):
    """Run what is asked for; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.studies")
    parser.add_argument("families", nargs="*", metavar="FAMILY")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--only", default="")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--sample", metavar="COMMIT")
    parser.add_argument("--compare", action="store_true")
    parser.add_argument("--page", action="store_true")
    parser.add_argument("--check", action="store_true")
    asked = parser.parse_args(arguments)
    unknown = set(asked.families) - set(FAMILIES)
    if unknown:
        parser.error(
            f"a family must be one of {', '.join(FAMILIES)}, got "
            f"{', '.join(sorted(unknown))}; choose one"
        )
    if asked.page:
        return fill_page(asked.check)
    if asked.sample:
        unit = sample(asked.sample)
        began, far = time.process_time(), compare(unit)
        print(f"{unit}: {time.process_time() - began:.0f} CPU seconds")
        print(*far, sep="\n", end="\n" * bool(far), file=sys.stderr)
        return int(bool(far))
    if asked.compare:
        month = FAMILIES[time.gmtime().tm_mon % len(FAMILIES)]
        return compare_all(units(asked.families or [month]))
    wanted = [u for u in units(asked.families or FAMILIES) if asked.only in str(u)]
    todo = wanted if asked.again else missing(wanted)
    if asked.list:
        open_units = {unit.key for unit in missing(wanted)}
        for unit in wanted:
            print("missing" if unit.key in open_units else "stored ", unit)
        return 0
    if not todo:
        print(f"all {len(wanted)} settings are stored; --again measures them anew")
        return 0
    fetch(todo)
    return int(bool(run(todo, asked.processes)))


if __name__ == "__main__":
    sys.exit(main())
