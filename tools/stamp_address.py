"""Carry the public address and the version of bnlib to every file that states them.

The address stands in ``_config.yml`` (``repository.url``), the version in
``bnlib/__init__.py``, and nowhere else by hand. ``python -m tools.stamp_address`` takes
both to the chapters, README.md, CITATION.cff, CONTRIBUTING.md and pyproject.toml; with
``--check`` it changes nothing and exits with 1 if a file differs.

An address counts as ours if it ends in the name of our repository, the present one or
one that a set-up cell or pyproject.toml still states. So a fork under another owner, or
a new name, needs one edit of ``_config.yml``.
"""

import argparse
import re
import sys
from pathlib import Path

import nbformat
import yaml

from tools import normal_form as nb

ROOT = Path(__file__).parents[1]
TEXT_FILES = ("README.md", "CITATION.cff", "CONTRIBUTING.md", "pyproject.toml")
GITHUB = re.compile(r"https://github\.com/([\w.-]+)/([\w.-]+?)(?:\.git|/)?$")

# The first code cell of every chapter. Its output is empty on Colab, in a clone and
# where bnlib is installed. --no-deps: Colab's own NumPy and PyTorch stay as they are.
SETUP_SOURCE = """\
# @title Set-up: installs bnlib on Colab, does nothing elsewhere
import importlib.util
import subprocess
import sys
from pathlib import Path

if importlib.util.find_spec("bnlib") is None:
    here = Path.cwd()
    clones = [p for p in (here, *here.parents) if (p / "bnlib/__init__.py").is_file()]
    if clones:  # a copy of the repository in which bnlib is not installed
        sys.path.insert(0, str(clones[0]))
    else:
        package = "bnlib @ git+{url}@v{version}"
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        quiet = ["--disable-pip-version-check", "--root-user-action=ignore"]
        subprocess.run([*pip, *quiet, package], check=True)
        importlib.invalidate_caches()"""
SETUP_METADATA = {
    "tags": ["setup", "remove-cell"],
    "cellView": "form",
    "jupyter": {"source_hidden": True},
}


def address(root=ROOT):
    """Return the public address, the only one that is written by hand."""
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
    source = (root / "bnlib" / "__init__.py").read_text(encoding="utf-8")
    return re.search(r'^__version__ = "(.+)"', source, re.MULTILINE)[1]


def setup_source(root=ROOT):
    """Return the set-up cell of this address and version."""
    return SETUP_SOURCE.format(url=address(root), version=version(root))


def chapters(root=ROOT):
    """Return the chapters' files."""
    return sorted((root / "book").glob("[0-9][0-9]-*.ipynb"))


def notebooks(root=ROOT):
    """Return the files of the chapters and of the reference pages that can be run."""
    return sorted((root / "book").glob("*.ipynb"))


def stamped(path, root=ROOT):
    """Return the text that a file should have."""
    text = path.read_text(encoding="utf-8")
    url, names = address(root), _our_names(root)
    if path.suffix == ".ipynb":
        return _stamped_chapter(path, url, names, root)
    text = _replace_addresses(text, url, names)
    ours = re.escape(url)
    text = re.sub(rf"({ours}(?:\.git)?@v)[\w.]+", rf"\g<1>{version(root)}", text)
    if path.name == "CITATION.cff":
        text = re.sub(r"(?m)^version:.*$", f"version: {version(root)}", text)
    if path.name == "pyproject.toml":
        text = re.sub(
            r'(?m)^version = ".*"$', f'version = "{version(root)}"', text, count=1
        )
    return text


def main(arguments=None, root=ROOT):
    """Stamp all files, or name those that differ; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.stamp_address")
    parser.add_argument("--check", action="store_true")
    only_check = parser.parse_args(arguments).check
    texts = [root / name for name in TEXT_FILES if (root / name).is_file()]
    # All are read before the first is written: they hold the former address.
    wanted = {path: stamped(path, root) for path in (*notebooks(root), *texts)}
    status = 0
    for path, text in wanted.items():
        if text == path.read_text(encoding="utf-8"):
            continue
        status = int(only_check)
        if only_check:
            print(f"{path.relative_to(root)} differs; run make stamp", file=sys.stderr)
        else:
            path.write_text(text, encoding="utf-8")
            print(f"{path.relative_to(root)} stamped")
    return status


def _our_names(root):
    """Collect the names that our repository has or had."""
    former = [cell.source for path in notebooks(root) for cell in _setup_cells(path)]
    pyproject = root / "pyproject.toml"
    if pyproject.is_file():
        text = pyproject.read_text(encoding="utf-8")
        former += re.findall(r"(?ms)^\[project\.urls\]$(.*?)(?=^\[|\Z)", text)
    stated = re.findall(r"https://github\.com/[\w.-]+/([\w-]+)", "\n".join(former))
    return {GITHUB.match(address(root))[2], *stated}


def _setup_cells(path):
    return [cell for cell in nb.read(path).cells if "setup" in nb.tags(cell)]


def _replace_addresses(text, url, names):
    owner, name = GITHUB.match(url).groups()
    ours = "|".join(re.escape(known) for known in sorted(names))
    hosts = (
        r"github\.com|raw\.githubusercontent\.com|colab\.research\.google\.com/github"
    )
    text = re.sub(
        rf"({hosts})/[\w.-]+/(?:{ours})(?![\w-])", rf"\g<1>/{owner}/{name}", text
    )
    pages = rf"[\w-]+\.github\.io/(?:{ours})(?![\w-])"
    return re.sub(pages, f"{owner.lower()}.github.io/{name}", text)


def _stamped_chapter(path, url, names, root):
    notebook = nb.read(path)
    setup = [cell for cell in notebook.cells if "setup" in nb.tags(cell)]
    if len(setup) != 1 or setup[0] is not nb.code_cells(notebook)[0]:
        raise ValueError(
            f"{path.name} must have one set-up cell, its first code cell, got "
            f"{len(setup)} cells tagged setup; tag an empty first code cell"
        )
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = _replace_addresses(cell.source, url, names)
    setup[0].source = setup_source(root)
    setup[0].metadata = nbformat.from_dict(SETUP_METADATA)
    return nb.dumps(notebook)


if __name__ == "__main__":
    sys.exit(main())
