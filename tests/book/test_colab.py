"""A chapter alone in an empty folder, where only bnlib's dependencies are installed.

That is Colab without its user interface: no clone, no bnlib, and PyTorch only for the
chapters that say so (tag ``needs-torch`` on their imports). The public address leads
nowhere yet, so git is told to look for it in a local repository; nothing in the
chapters changes for the test.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import tomllib
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpecManager
from traitlets import default

from tools import normal_form, stamp_address
from tools.compare import text_difference
from tools.exact_env import kernel_environment
from tools.notebooks import run

ROOT = Path(__file__).parents[2]
CHAPTERS = stamp_address.notebooks()
TORCH = re.findall(
    r"^torch==.*", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.M
)
if os.environ.get("TORCH_INDEX"):
    TORCH += ["--index-url", os.environ["TORCH_INDEX"]]


def call(*command, **settings):
    """Run a command; show its output if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, **settings)
    assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
    return done.stdout.strip()


def pip(python, *arguments):
    """Run pip of another environment, with the registries this machine is set to."""
    return call(python, "-m", "pip", "--disable-pip-version-check", *arguments)


def needs_torch(path):
    """Return whether a chapter says that it cannot do without PyTorch."""
    cells = normal_form.code_cells(normal_form.read(path))
    return any("needs-torch" in normal_form.tags(cell) for cell in cells)


@pytest.fixture(scope="session")
def environments(tmp_path_factory):
    """Return a function that makes environments without bnlib, once each."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    needed = ["ipykernel", *project["project"]["dependencies"]]

    @cache
    def python(torch):
        folder = tmp_path_factory.mktemp("colab") / "venv"
        call(sys.executable, "-m", "venv", str(folder))
        python = str(folder / "bin" / "python")
        if torch:  # first and alone, as the Makefile does: else it brings CUDA
            pip(python, "install", "-q", *TORCH)
        extra = project["project"]["optional-dependencies"]["torch"] if torch else []
        pip(python, "install", "-q", *needed, *extra)
        installed = re.findall(r"^\w+", pip(python, "list", "--format=freeze"), re.M)
        assert "bnlib" not in installed
        assert ("torch" in installed) == torch
        return python

    return python


@pytest.fixture
def python(environments, request):
    """Return the interpreter of the environment that the chapter at hand needs."""
    path = request.getfixturevalue("path") if "path" in request.fixturenames else None
    return environments(path is not None and needs_torch(path))


@pytest.fixture(scope="session")
def published(tmp_path_factory):
    """Return a repository of the working tree, tagged as the next release would be."""
    folder = tmp_path_factory.mktemp("published") / "repository"
    listed = call("git", "ls-files", "-co", "--exclude-standard", cwd=ROOT)
    for name in listed.splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    author = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    author += ["-c", "commit.gpgsign=false"]
    call("git", "init", "-q", cwd=folder)
    call("git", "add", "--all", "--force", cwd=folder)
    call("git", *author, "commit", "-q", "--no-verify", "-m", "release", cwd=folder)
    call("git", "tag", f"v{stamp_address.version()}", cwd=folder)
    return folder


@pytest.fixture
def colab(python, published, tmp_path, monkeypatch):
    """Return an empty folder and a kernel in an environment without bnlib."""
    pip(python, "uninstall", "-q", "-y", "bnlib")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.{published.as_uri()}.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", stamp_address.address())
    monkeypatch.delenv("PYTHONPATH", raising=False)
    kernels = tmp_path / "kernels"
    (kernels / "python3").mkdir(parents=True)
    argv = [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    about = {"argv": argv, "display_name": "Colab", "language": "python"}
    (kernels / "python3" / "kernel.json").write_text(json.dumps(about))

    class ColabKernelManager(AsyncKernelManager):
        @default("kernel_spec_manager")
        def _colab_only(self):
            return KernelSpecManager(
                kernel_dirs=[str(kernels)], ensure_native_kernel=False
            )

    (tmp_path / "alone").mkdir()
    return tmp_path / "alone", ColabKernelManager


def claims(cell):
    """Return what a cell claims, line by line."""
    printed = "".join(
        output.text for output in cell.outputs if output.get("name") == "stdout"
    )
    return [line for line in printed.splitlines() if re.match(r"✔ [A-Z]\d+[ .]", line)]


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_runs_alone_and_makes_the_same_claims(path, python, colab):
    folder, kernel_manager = colab
    stored, computed = normal_form.read(path), normal_form.read(path)
    shutil.copy(path, folder)
    run(computed, folder, kernel_manager=kernel_manager)

    assert normal_form.code_cells(computed)[0].outputs == []
    assert "site-packages" in where_bnlib_is(python, folder)
    for was, now in zip(stored.cells, computed.cells, strict=True):
        if was.cell_type == "code" and "torch" not in normal_form.tags(was):
            text = text_difference("\n".join(claims(was)), "\n".join(claims(now)))
            assert text is None, f"{normal_form.place(stored, was)}: {text}"


def where_bnlib_is(python, folder):
    """Return the file from which bnlib is imported in a folder."""
    command = "import bnlib; print(bnlib.__file__)"
    return call(python, "-c", command, cwd=folder, env=kernel_environment())


def test_the_address_has_what_the_chapters_install(python, colab):
    folder, _ = colab
    source = stamp_address.setup_source()
    env = kernel_environment()
    assert call(python, "-c", source, cwd=folder, env=env) == ""
    assert "site-packages" in where_bnlib_is(python, folder)
    # A second time nothing is installed: without git it would fail.
    env["GIT_CONFIG_KEY_0"] = "url.file:///nowhere.insteadOf"
    assert call(python, "-c", source, cwd=folder, env=env) == ""
