"""The set-up cell: a sentence or a package, in every situation of a reader's machine.

The package is served on the loopback address (tools.published); no test reaches out.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tomllib
import yaml

import bnlib
from tools import normal_form, published, setup_cell, stamp_address

ROOT = Path(__file__).parents[2]
CONFIG = "repository: {url: https://github.com/someone/course, branch: v0.3.0}\n"
NOWHERE = "http://127.0.0.1:9"  # the port on which nobody answers


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """Return a small repository that is released as 0.3.0."""
    root = tmp_path_factory.mktemp("release")
    (root / "bnlib").mkdir()
    (root / "bnlib" / "__init__.py").write_text('__version__ = "0.3.0"\n')
    (root / "_config.yml").write_text(CONFIG)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, root)
    return root


FILES = ("bnlib/__init__.py", "pyproject.toml", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def github(release, tmp_path_factory):
    """Return the environment in which the release can be had."""
    folder = tmp_path_factory.mktemp("github")
    published.build_tools(folder)
    with published.published(folder, release, FILES) as variables:
        yield variables


@pytest.fixture(scope="module")
def interpreter(tmp_path_factory):
    """Return a Python that has pip, and nothing else."""
    folder = tmp_path_factory.mktemp("python")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    return str(folder / "bin" / "python")


@pytest.fixture
def python(interpreter):
    """Return the same Python, without what the test before installed."""
    (site,) = Path(interpreter).parents[1].glob("lib/python*/site-packages")
    for name in ("bnlib", "batch_normalization_measured-*"):
        for left in site.glob(name):
            shutil.rmtree(left)
    return interpreter


@pytest.fixture
def alone(tmp_path):
    """Return a folder that is no clone."""
    folder = tmp_path / "alone"
    folder.mkdir()
    return folder


def run(python, source, folder, variables, **changes):
    """Run a set-up cell, then print the version of bnlib that is imported."""
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    script = source + "\nimport bnlib\nprint(bnlib.__version__)"
    return subprocess.run(
        [python, "-c", script],
        cwd=folder,
        env=env | variables | changes,
        capture_output=True,
        text=True,
    )


def cell(version="0.3.0"):
    """Return the set-up cell of a notebook of this version of the small repository."""
    source = setup_cell.SOURCE.replace("@URL@", "https://github.com/someone/course")
    return source.replace("@VERSION@", version)


def install(python, version):
    """Put a bnlib of some version where pip would put it."""
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    done = subprocess.run([python, "-c", where], capture_output=True, text=True)
    package = Path(done.stdout.strip()) / "bnlib"
    package.mkdir()
    (package / "__init__.py").write_text(f'__version__ = "{version}"\n')
    about = package.with_name(f"batch_normalization_measured-{version}.dist-info")
    about.mkdir()
    (about / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: batch-normalization-measured\nVersion: {version}"
    )
    (about / "RECORD").write_text(
        f"bnlib/__init__.py,,\n{about.name}/METADATA,,\n{about.name}/RECORD,,\n"
    )


def sentence(done):
    """Return what a set-up cell that stopped says."""
    assert done.returncode != 0
    name, _, text = done.stderr.strip().splitlines()[-1].partition(": ")
    assert name == "SetUpStopped", done.stderr
    return text


def test_none_and_network_installs_the_tag(python, github, alone):
    done = run(python, cell(), alone, github)
    assert (done.stdout, done.stderr) == ("0.3.0\n", "")


def test_none_and_no_git_installs_the_tag(python, github, alone, tmp_path):
    done = run(python, cell(), alone, github, PATH=str(tmp_path))
    assert (done.stdout, done.stderr) == ("0.3.0\n", "")


def test_installed_reaches_for_nothing(python, github, alone):
    install(python, "0.3.0")
    done = run(python, cell(), alone, github, HTTPS_PROXY=NOWHERE, https_proxy=NOWHERE)
    assert (done.stdout, done.stderr) == ("0.3.0\n", "")


def test_newer_than_the_notebook_stays(python, github, alone):
    install(python, "0.10.0")
    done = run(python, cell(), alone, github, HTTPS_PROXY=NOWHERE, https_proxy=NOWHERE)
    assert (done.stdout, done.stderr) == ("0.10.0\n", "")


def test_older_is_replaced(python, github, alone):
    install(python, "0.2.9")
    done = run(python, cell(), alone, github)
    assert (done.stdout, done.stderr) == ("0.3.0\n", "")


def test_older_and_imported_asks_for_a_new_session(python, github, alone):
    install(python, "0.2.9")
    text = sentence(run(python, "import bnlib\n" + cell(), alone, github))
    assert text == (
        "bnlib 0.3.0 is installed now, but an older one was imported before: "
        "restart the session (on Colab: Runtime, Restart session), then run all."
    )


def test_offline_says_one_sentence(python, github, alone):
    text = sentence(
        run(python, cell(), alone, github, HTTPS_PROXY=NOWHERE, https_proxy=NOWHERE)
    )
    assert text.startswith(
        "bnlib, version 0.3.0, could not be installed: connect this machine to the "
        "internet, then run this cell again (pip said: "
    )
    assert text.endswith(").")


def test_a_tag_that_is_not_the_package_s_version_is_not_found(python, github, alone):
    text = sentence(run(python, cell("0.3.1"), alone, github))
    assert "404" in text


def test_ipython_shows_the_sentence_alone(github, alone):
    script = (
        "from IPython.core.interactiveshell import InteractiveShell\n"
        f"InteractiveShell.instance(colors='NoColor').run_cell({cell('99.0.0')!r})"
    )
    # This Python has bnlib: the dry run and the dead proxy both keep it as it is.
    dead = {"HTTPS_PROXY": NOWHERE, "https_proxy": NOWHERE, "PIP_DRY_RUN": "1"}
    env = os.environ | github | dead | {"IPYTHONDIR": str(alone), "COLUMNS": "80"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=alone,
        env=env,
        capture_output=True,
        text=True,
    )
    lines = (done.stdout + done.stderr).strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("bnlib, version 99.0.0, could not be installed: connect")


def test_a_clone_is_used_although_nothing_is_installed(python, github, release):
    deep = release / "book" / "deep"
    deep.mkdir(parents=True, exist_ok=True)
    done = run(python, cell(), deep, github, HTTPS_PROXY=NOWHERE, https_proxy=NOWHERE)
    assert (done.stdout, done.stderr) == ("0.3.0\n", "")


def test_a_clone_goes_before_what_is_installed(python, github, release):
    install(python, "0.2.9")
    done = run(python, cell(), release, github)
    assert (done.stdout, done.stderr) == ("0.3.0\n", "")


def test_a_clone_older_than_the_notebook_is_named(python, github, tmp_path):
    (tmp_path / "bnlib").mkdir()
    (tmp_path / "bnlib" / "__init__.py").write_text('__version__ = "0.2.0"\n')
    text = sentence(run(python, cell(), tmp_path, github))
    assert text.startswith("bnlib must be 0.3.0 or newer, got 0.2.0 from ")
    assert str(tmp_path) in text


def test_the_cell_is_plain_python_without_output():
    assert cell().startswith("# @title ")
    assert not re.search(r"^\s*[%!]|print", cell(), re.MULTILINE)
    compile(cell(), "<set-up>", "exec")


def test_one_version_names_the_package_the_notebooks_and_the_tag():
    """What Colab opens and what it installs are one tag, that of this version."""
    version = bnlib.__version__
    assert setup_cell.version() == version
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    assert config["repository"]["branch"] == f"v{version}"
    call = f'needed="{version}",\n    repository="{setup_cell.address()}",\n)'
    for path in stamp_address.notebooks():
        source = normal_form.code_cells(normal_form.read(path))[0].source
        assert source.endswith(call), path.name
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == version
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## (.*)$", changes, re.MULTILINE)[1] == version


def test_the_distribution_is_not_called_like_the_import():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(text)
    name = project["project"]["name"]
    assert name == "batch-normalization-measured" != bnlib.__name__
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == [
        bnlib.__name__
    ]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(f'"{name} @ ' in text for text in (setup_cell.SOURCE, readme))
    assert "version" not in project["project"]


@pytest.mark.parametrize("line", ["", '__version__ = "0.3"', '__version__ = "1.0rc1"'])
def test_a_version_is_three_whole_numbers(line):
    with pytest.raises(ValueError, match=f"got {line or 'no line'}; correct it there"):
        setup_cell.version_in(line + "\n")
