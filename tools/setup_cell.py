"""The first code cell of every notebook, and the address and version it states.

The cell installs bnlib where it is missing or older than the notebook. The notebook
that Colab opens and the package come from one tag, ``v<version>``: the cell names that
tag, and so do the links to Colab (``repository.branch`` in ``_config.yml``). The
archive of a tag needs no git, and ``--no-deps`` leaves Colab's NumPy and PyTorch alone.
"""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
GITHUB = re.compile(r"https://github\.com/([\w.-]+)/([\w.-]+?)(?:\.git|/)?$")
VERSION = re.compile(r'^__version__ = "(\d+\.\d+\.\d+)"$', re.MULTILINE)

SOURCE = """\
# @title Set-up: installs bnlib on Colab, nothing where it is installed
import importlib.util
import re
import subprocess
import sys
from pathlib import Path


class SetUpStopped(Exception):
    def _render_traceback_(self):  # shown instead of a traceback
        return [str(self)]


def set_up(needed, repository):
    def found():
        spec = importlib.util.find_spec("bnlib")
        file = spec and spec.origin
        source = Path(file).read_text("utf-8") if file else ""
        stated = r'^__version__ = "([\\d.]+)"|\\Z'
        return re.search(stated, source, re.M)[1] or "0"

    def older(version):
        numbers = [[*map(int, v.split("."))] for v in (version, needed)]
        return numbers[0] < numbers[1]

    here = Path.cwd()
    for folder in (here, *here.parents):  # a clone, installed or not
        clone = (folder / "bnlib/__init__.py").is_file()
        if clone and str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
    if not older(found()):
        return
    pip = [sys.executable, "-m", "pip", "install", "--quiet"]
    pip += ["--no-deps", "--upgrade", "--disable-pip-version-check"]
    pip += ["--root-user-action=ignore", "--retries=1"]
    archive = f"{repository}/archive/refs/tags/v{needed}.zip"
    package = f"batch-normalization-measured @ {archive}"
    call = {"capture_output": True, "text": True}
    done = subprocess.run([*pip, package], **call)
    importlib.invalidate_caches()
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["nothing"]
        raise SetUpStopped(
            f"bnlib, version {needed}, could not be installed: connect "
            "this machine to the internet, then run this cell again "
            f"(pip said: {lines[-1][:300]})."
        )
    if "bnlib" in sys.modules:
        raise SetUpStopped(
            f"bnlib {needed} is installed now, but an older one was "
            "imported before: restart the session (on Colab: Runtime, "
            "Restart session), then run all."
        )
    if older(found()):
        where = importlib.util.find_spec("bnlib").origin
        raise SetUpStopped(
            f"bnlib must be {needed} or newer, got {found()} from "
            f"{where}: update that copy or move the notebook out of its "
            "folder, then run this cell again."
        )


set_up(
    needed="@VERSION@",
    repository="@URL@",
)"""
METADATA = {
    "tags": ["setup", "remove-cell"],
    "cellView": "form",
    "jupyter": {"source_hidden": True},
}


def address(root=ROOT):
    """Return the public address, the only one that is written by hand."""
    import yaml  # here: the version is asked for where nothing is installed

    config = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
    url = config["repository"]["url"]
    if not GITHUB.match(url):
        raise ValueError(
            "repository.url in _config.yml must be https://github.com/OWNER/NAME, "
            f"got {url}; correct it there"
        )
    return url.removesuffix("/").removesuffix(".git")


def version(root=ROOT):
    """Return the version of bnlib without importing it."""
    return version_in((root / "bnlib" / "__init__.py").read_text(encoding="utf-8"))


def version_in(source):
    """Return the version that the text of ``bnlib/__init__.py`` states.

    Three whole numbers, so that the set-up cell compares them without a library.
    """
    found = VERSION.search(source)
    if not found:
        line = next((x for x in source.splitlines() if "__version__" in x), "no line")
        raise ValueError(
            'bnlib/__init__.py must state __version__ = "1.2.3", three whole numbers, '
            f"got {line}; correct it there"
        )
    return found[1]


def source(root=ROOT):
    """Return the set-up cell of this address and version."""
    return SOURCE.replace("@URL@", address(root)).replace("@VERSION@", version(root))
