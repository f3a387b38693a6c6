"""Write the locks: every package of an environment, with the hashes of its files.

``python -m tools.lock`` resolves the short lists for every platform from Python 3.11 on
and writes ``*.lock`` beside each. PyTorch and what only its CUDA build needs stay out:
the Makefile installs torch last and alone, so that TORCH_INDEX can choose the small
CPU build, whose files have other hashes.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
# The whole comes first: what it decides holds in the parts.
LISTS = ("requirements.txt", "book/requirements.txt", "requirements-lint.txt")
# numpydoc asks for Sphinx, but what it finds in docstrings it finds without.
UNUSED = {"requirements-lint.txt": "sphinx"}
LEFT_OUT = re.compile(r"(torch|triton|nvidia-[\w-]+|cuda-[\w-]+)==")
HEADER = """\
# Made by `make lock` from {source}; do not edit.
# Installed with --require-hashes --no-deps, torch apart: see the Makefile.
"""


def main():
    """Write all locks; return the exit status."""
    for source in LISTS:
        target = lock_of(source)
        constraint = [] if source == LISTS[0] else ["-c", lock_of(LISTS[0])]
        text = resolve(source, constraint)
        (ROOT / target).write_text(
            HEADER.format(source=source) + without_torch(text), encoding="utf-8"
        )
        print(f"{target}: {len(pins(text))} packages", file=sys.stderr)
    return 0


def lock_of(source):
    """Return the name of the lock that stands beside a list."""
    return str(Path(source).with_suffix(".lock"))


def resolve(source, options=()):
    """Return what uv makes of a list, for all platforms."""
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal"]
    settings = ["--python-version", "3.11", "--generate-hashes", "--no-header"]
    silent = ["--no-emit-index-url", "--no-annotate"]
    done = subprocess.run(
        [*command, *settings, *silent, "--excludes", "-", *options, source],
        cwd=ROOT,
        check=True,
        input=UNUSED.get(source, ""),
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.stdout


def without_torch(text):
    """Remove the entries of PyTorch and CUDA from a lock."""
    entries = re.split(r"(?m)^(?=[^\s#])", text)
    return "".join(entry for entry in entries if not LEFT_OUT.match(entry))


def pins(text):
    """Return the versions that a list or a lock names: {package: version}."""
    found = re.findall(r"(?m)^([\w.-]+)==([\w.+!]+)", text)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found}


if __name__ == "__main__":
    sys.exit(main())
