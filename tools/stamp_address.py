"""Carry the public address and the version of bnlib to every file that states them.

The address stands in ``_config.yml`` (``repository.url``), the version in
``bnlib/__init__.py``, and nowhere else by hand. ``python -m tools.stamp_address`` takes
both to the notebooks, the links to Colab (``repository.branch``), the texts and the
links that ``bnlib.doctor`` prints; with ``--check`` it changes nothing and exits with 1
if a file differs.

An address counts as ours if it ends in the name of our repository, the present one or
one that a set-up cell still states. So a fork under another owner, or a new name, needs
one edit of ``_config.yml``.
"""

import argparse
import re
import sys
from pathlib import Path

import nbformat

from tools import normal_form as nb
from tools.setup_cell import GITHUB, METADATA, address, source, version

ROOT = Path(__file__).parents[1]
TEXT_FILES = (
    "README.md",
    "CHANGELOG.md",
    "CITATION.cff",
    "CONTRIBUTING.md",
    "_config.yml",
    "bnlib/__init__.py",  # an example prints a link
    "bnlib/lab/doctor/report.py",
)


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
    now = version(root)
    archive = rf"({re.escape(url)}/archive/refs/tags/v)\d+(?:\.\d+)*(?=\.zip)"
    text = re.sub(archive, rf"\g<1>{now}", text)
    if path.name == "CITATION.cff":
        text = re.sub(r"(?m)^version:.*$", f"version: {now}", text)
    if path.name == "_config.yml":
        text = re.sub(r"(?m)^(  branch:) [\w.]+", rf"\g<1> v{now}", text)
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


def _pictures_of_the_tag(text, url, now):
    """Let our pictures come from the tag, as the notebook that shows them does."""
    owner, name = GITHUB.match(url).groups()
    ours = re.escape(f"raw.githubusercontent.com/{owner}/{name}/")
    return re.sub(rf"({ours})[\w.-]+/", rf"\g<1>v{now}/", text)


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
            text = _replace_addresses(cell.source, url, names)
            cell.source = _pictures_of_the_tag(text, url, version(root))
        for output in cell.get("outputs", []):
            if "text" in output:  # the doctor prints links to the clinic
                output.text = _replace_addresses(output.text, url, names)
    setup[0].source = source(root)
    setup[0].metadata = nbformat.from_dict(METADATA)
    return nb.dumps(notebook)


if __name__ == "__main__":
    sys.exit(main())
