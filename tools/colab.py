"""Colab without its user interface: an empty folder, and only what bnlib asks for.

The environment of a room is made of links: what ``pyproject.toml`` declares, with all
that this needs in turn, stands in the environment that runs the tests, and only that is
linked. So the versions are the pinned ones, a room takes a moment and no network, and
what is not declared cannot be imported. bnlib itself is missing: the set-up cell of a
chapter installs it from the working tree, served as the release (tools.published).
Building a package takes longer than a short chapter, so what one set-up cell has
installed can be handed on to the next room, whose cell then finds it.
"""

import atexit
import re
import shutil
import subprocess
import tempfile
import venv
from contextlib import ExitStack
from functools import cache
from importlib import metadata
from json import dumps
from pathlib import Path

import tomllib
from jupyter_client.kernelspec import KernelSpecManager
from packaging.requirements import Requirement

from tools import published
from tools.exact_env import kernel_environment

ROOT = Path(__file__).parents[1]
# What runs a cell, and what the set-up cell calls; Colab has both.
TOOLS = ("ipykernel", "pip")
# What the set-up cell installs: the package, and the folder of its distribution.
PACKAGE = ("bnlib", "batch_normalization_measured-")


class Room:
    """An environment without bnlib, an empty folder, and a kernel for them.

    It stays until ``close``.

    Parameters
    ----------
    torch : bool, default=True
        Whether what the extra ``torch`` of pyproject.toml asks for is there.
    package : Path, optional
        A folder that ``keep_package`` of an earlier room has filled.

    Attributes
    ----------
    python : Path
        The interpreter.
    folder : Path
        The empty folder, outside every clone.
    env : dict
        The exact environment, in which the public address leads to the working tree.
    """

    def __init__(self, torch=True, package=None):
        self._place = tempfile.TemporaryDirectory(prefix="colab-")
        place = Path(self._place.name)
        self.python = environment(place / "venv", closure(declared(torch)))
        (self._site,) = (place / "venv").glob("lib/python*/site-packages")
        for part in package.iterdir() if package else ():
            (self._site / part.name).symlink_to(part)
        self.folder = place / "content"
        self.folder.mkdir()
        self.env = kernel_environment() | detour()
        self.env.pop("PYTHONPATH", None)

    def kernel_specs(self):
        """Return what knows one kernel, ``python3``: that of this room."""
        kernels = Path(self._place.name) / "kernels"
        (kernels / "python3").mkdir(parents=True, exist_ok=True)
        argv = [str(self.python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        about = {"argv": argv, "display_name": "Colab", "language": "python"}
        (kernels / "python3" / "kernel.json").write_text(dumps(about))
        return KernelSpecManager(kernel_dirs=[str(kernels)], ensure_native_kernel=False)

    def call(self, *arguments, **env):
        """Return what the interpreter prints in the folder; raise if it fails."""
        command = [str(self.python), *arguments]
        return _call(*command, cwd=self.folder, env=self.env | env)

    def keep_package(self, folder):
        """Move what a set-up cell has installed into a folder; say whether it had."""
        ours = [part for part in self._site.iterdir() if _is_ours(part)]
        for part in ours:
            shutil.move(part, folder)
        return bool(ours)

    def close(self):
        """Remove the room."""
        self._place.cleanup()


def _is_ours(part):
    return part.name.startswith(PACKAGE) and not part.is_symlink()


def declared(torch):
    """Return what pyproject.toml declares, and what a notebook needs besides."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(text)["project"]
    extra = project["optional-dependencies"]["torch"] if torch else []
    return [*TOOLS, *project["dependencies"], *extra]


def closure(requirements):
    """Return the installed distributions that requirements need, by their name."""
    found, missing = {}, [Requirement(text) for text in requirements]
    while missing:
        wanted = missing.pop()
        name = re.sub(r"[-_.]+", "-", wanted.name).lower()
        here = wanted.marker is None or wanted.marker.evaluate({"extra": ""})
        if here and name not in found:
            found[name] = metadata.distribution(name)
            missing += map(Requirement, found[name].requires or [])
    return found


def environment(folder, distributions):
    """Make an environment of links to distributions; return its interpreter."""
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    (site,) = folder.glob("lib/python*/site-packages")
    for distribution in distributions.values():
        for top in {file.parts[0] for file in distribution.files}:
            # Scripts stand outside; compiled modules of several share one folder.
            if top not in ("..", "__pycache__") and not (site / top).is_symlink():
                (site / top).symlink_to(distribution.locate_file(top))
    return python


@cache
def detour():
    """Return the variables that lead the public address to the working tree.

    The release is served until this process ends.
    """
    stack = ExitStack()
    atexit.register(stack.close)
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="published-")))
    published.build_tools(folder)
    return stack.enter_context(published.published(folder))


def _call(*command, **settings):
    done = subprocess.run(command, capture_output=True, text=True, **settings)
    if done.returncode:
        raise RuntimeError(f"{command} failed:\n{done.stdout}\n{done.stderr}")
    return done.stdout.strip()
