"""One address, one version: both are written by hand in one place only."""

import pytest
from samples import chapter, code, text

from tools import normal_form
from tools.setup_cell import METADATA
from tools.stamp_address import main

FILES = {
    "_config.yml": "repository:\n  url: https://github.com/new-org/new-name\n"
    "  branch: v0.1.0 # stays\n",
    "bnlib/__init__.py": '__version__ = "0.3.0"\n',
    "README.md": "https://github.com/org/old-name/archive/refs/tags/v0.1.0.zip\n"
    "[site](https://org.github.io/old-name/), not https://github.com/numpy/numpy\n",
    "bnlib/lab/doctor/report.py": 'SITE = "https://org.github.io/old-name/"\n',
    "CITATION.cff": "version: 0.1.0\nrepository: https://github.com/org/old-name\n",
}
FORMER = 'set_up(needed="0.1.0", repository="https://github.com/org/old-name")'
RAW = "https://raw.githubusercontent.com/{}/a.svg"


@pytest.fixture
def root(tmp_path):
    """Return a repository whose address and version have just been changed."""
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    (tmp_path / "book").mkdir()
    notebook = chapter(
        text("# Chapter 1: A sample"),
        code(FORMER, tags=["setup"]),
        text(f"![a graph]({RAW.format('org/old-name/main')})"),
        code("print(SITE)", printed="https://org.github.io/old-name/a.html\n"),
    )
    normal_form.write(notebook, tmp_path / "book" / "01-sample.ipynb")
    return tmp_path


def test_address_and_version_reach_every_file(root):
    assert main([], root) == 0
    notebook = normal_form.read(root / "book" / "01-sample.ipynb")
    archive = "https://github.com/new-org/new-name/archive/refs/tags/v0.3.0.zip"
    assert 'needed="0.3.0"' in notebook.cells[1].source
    assert '"https://github.com/new-org/new-name"' in notebook.cells[1].source
    assert notebook.cells[1].metadata == METADATA
    assert RAW.format("new-org/new-name/v0.3.0") in notebook.cells[2].source
    printed = notebook.cells[3].outputs[0].text
    assert printed == "https://new-org.github.io/new-name/a.html\n"
    everything = "".join((root / name).read_text() for name in FILES)
    assert "old-name" not in everything
    assert everything.count("https://new-org.github.io/new-name/") == 2
    assert f"{archive}\n" in everything
    assert (root / "CITATION.cff").read_text().startswith("version: 0.3.0\n")
    assert "  branch: v0.3.0 # stays\n" in (root / "_config.yml").read_text()


def test_other_projects_keep_their_address(root):
    main([], root)
    assert "https://github.com/numpy/numpy\n" in (root / "README.md").read_text()


def test_a_second_time_changes_nothing(root, capsys):
    main([], root)
    before = {p: p.read_bytes() for p in root.rglob("*") if p.is_file()}
    capsys.readouterr()
    assert main([], root) == 0
    assert capsys.readouterr().out == ""
    assert {p: p.read_bytes() for p in root.rglob("*") if p.is_file()} == before


def test_check_names_the_files_that_differ_and_changes_none(root, capsys):
    before = {p: p.read_bytes() for p in root.rglob("*") if p.is_file()}
    assert main(["--check"], root) == 1
    named = [line.split()[0] for line in capsys.readouterr().err.splitlines()]
    assert named == [
        "book/01-sample.ipynb",
        "README.md",
        "CITATION.cff",
        "_config.yml",
        "bnlib/lab/doctor/report.py",
    ]
    assert {p: p.read_bytes() for p in root.rglob("*") if p.is_file()} == before
    main([], root)
    assert main(["--check"], root) == 0


def test_a_fork_under_another_owner_needs_one_edit(root):
    main([], root)
    config = root / "_config.yml"
    config.write_text(config.read_text().replace("new-org", "someone"))
    main([], root)
    assert "new-org" not in (root / "README.md").read_text()
    assert "https://someone.github.io/new-name/" in (root / "README.md").read_text()


def test_an_address_elsewhere_than_github_is_refused(root):
    (root / "_config.yml").write_text("repository:\n  url: https://example.org/x\n")
    with pytest.raises(ValueError, match="got https://example.org/x"):
        main([], root)


@pytest.mark.parametrize("number, tags", [(0, []), (2, ["setup"])])
def test_a_chapter_needs_exactly_one_set_up_cell(root, number, tags):
    cells = [code("1"), code("2"), code("3")]
    cells[number].metadata["tags"] = tags
    normal_form.write(chapter(*cells), root / "book" / "02-other.ipynb")
    with pytest.raises(ValueError, match="02-other.ipynb must have one set-up cell"):
        main([], root)
