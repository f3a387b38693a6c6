"""Refuse a change of the package that keeps its version.

``python -m tools.new_version BASE`` compares ``bnlib/`` with the commit BASE. Colab
installs the tag of a version, so a version must name one package: whoever changes it
raises the version. It needs git and nothing else.
"""

import re
import subprocess
import sys

from tools.setup_cell import ROOT, version, version_in

PACKAGE = "bnlib"


def complaint(base, root=ROOT):
    """Return why the package may not go out under its version, or None.

    Parameters
    ----------
    base : str
        The commit on which the change stands. Forty zeros, which GitHub sends for a new
        branch, stand for no commit.
    root : Path
        The repository.
    """
    if not re.fullmatch(r"[0-9a-f]{40}|[\w./-]+", base) or base.startswith("-"):
        return f"BASE must be a commit, got {base!r}; pass a hash or a branch"
    if not base.strip("0"):
        return None
    if not _git(root, "diff", "--name-only", base, "--", PACKAGE):
        return None
    before = version_in(_git(root, "show", f"{base}:{PACKAGE}/__init__.py"))
    now = version(root)
    if _numbers(now) > _numbers(before):
        return None
    return (
        f"{PACKAGE}/ differs from {base[:12]}, whose version is {before}, and must "
        f"have a higher one, got {now}; raise __version__ in {PACKAGE}/__init__.py, "
        "then run make stamp"
    )


def main(arguments):
    """Print the complaint, if there is one; return the exit status."""
    found = complaint(*arguments)
    if found:
        print(found, file=sys.stderr)
    return int(bool(found))


def _numbers(version):
    return [int(part) for part in version.split(".")]


def _git(root, *command):
    done = subprocess.run(
        ["git", *command], cwd=root, check=True, capture_output=True, text=True
    )
    return done.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
