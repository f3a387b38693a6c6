"""What the workflows say can be done: their commands exist, their rows install enough.

No workflow runs here. What each would run is parsed, and compared with the Makefile,
the tools, and what the notebooks import.
"""

import ast
import re
import sys
from functools import cache
from importlib.metadata import packages_distributions, requires
from importlib.util import find_spec
from pathlib import Path

import pytest
import tomllib
import yaml
from packaging.requirements import Requirement

from tools import matrix, normal_form, stamp_address

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
HASH = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")


def jobs(path):
    """Return the jobs of a workflow by name."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]


def steps(path):
    """Return all steps of a workflow."""
    return [step for job in jobs(path).values() for step in job["steps"]]


def commands(path, pattern):
    """Return what a pattern finds in the shell commands of a workflow."""
    shell = "\n".join(step.get("run", "") for step in steps(path))
    return re.findall(pattern, shell, re.MULTILINE)


each_workflow = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


@each_workflow
def test_the_commands_of_a_workflow_exist(path):
    targets = re.findall(
        r"^([\w ]+):(?!=)", (ROOT / "Makefile").read_text("utf-8"), re.M
    )
    made = commands(path, r"\bmake (\w+)")
    modules = commands(path, r"\bpython -m ([\w.]+)")
    scripts = commands(path, r"\bbash (\S+)")
    assert made + modules + scripts
    assert set(made) <= set(targets)
    assert all(map(find_spec, modules)), modules
    assert all((ROOT / name).is_file() for name in scripts)


@each_workflow
def test_a_workflow_installs_by_the_makefile_only(path):
    assert commands(path, r"\bpip3? install|\buv ") == []


@each_workflow
def test_actions_are_known_by_their_hash(path):
    lines = re.findall(r"uses: (.*)", path.read_text(encoding="utf-8"))
    assert all(HASH.fullmatch(line) for line in lines)


@each_workflow
def test_a_job_may_do_what_it_says_and_no_more(path):
    text = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert text["permissions"] == {}
    assert all("permissions" in job for job in text["jobs"].values())
    for step in steps(path):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_the_weekly_rows_are_the_readers_the_newest_and_the_oldest():
    rows = jobs(ROOT / ".github/workflows/weekly.yml")["matrix"]["strategy"]["matrix"]
    chosen = [matrix.ROWS[name] for name in rows["row"]]
    assert any(row.pins == matrix.COLAB for row in chosen)
    assert {row.resolution for row in chosen} == {"highest", "lowest-direct"}
    assert all(row.python for row in chosen)


@pytest.mark.parametrize("name", ["weekly", "monthly"])
def test_a_run_by_the_clock_that_fails_opens_an_issue(name):
    path = ROOT / ".github/workflows" / f"{name}.yml"
    report, others = jobs(path)["report"], set(jobs(path)) - {"report"}
    assert "schedule" in path.read_text(encoding="utf-8")
    assert (report["if"], set(report["needs"])) == ("failure()", others)
    assert report["permissions"] == {"issues": "write"}


FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_an_issue_form_asks_for_what_is_needed(path):
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    names = [field["id"] for field in form["body"]]
    assert form["name"] and form["description"]
    assert len(names) == len(set(names))
    assert all(field["attributes"]["label"] for field in form["body"])
    assert any(field.get("validations", {}).get("required") for field in form["body"])


def test_the_paths_that_contributing_names_exist():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:book|bnlib|tests|tools)/[\w./-]+)`", text)
    paths = [name for name in named if "NN" not in name]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^make ([\w-]+)|`make ([\w-]+)", text, re.MULTILINE)
    assert paths and targets
    assert [name for name in paths if not (ROOT / name).exists()] == []
    for target in map("".join, targets):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def imported(tree, package):
    """Return the absolute names of all modules that some code imports."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join(parts if node.level else [])
            module = ".".join(filter(None, [base, node.module]))
            names |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
    return names


@cache
def closure():
    """Return what the notebooks import, through bnlib: {module: who imports it}."""
    found, todo = {}, []
    for path in stamp_address.notebooks():
        for cell in normal_form.code_cells(normal_form.read(path)):
            names = imported(ast.parse(cell.source), "")
            todo += [(name, path.name) for name in names]
    while todo:
        name, importer = todo.pop()
        if name in found:
            continue
        found[name] = importer
        if name.split(".")[0] != "bnlib":
            continue
        for module in (name, name.rpartition(".")[0]):
            base = ROOT / module.replace(".", "/")
            for file in (base.with_suffix(".py"), base / "__init__.py"):
                if module and file.is_file():
                    package = (
                        module if file.stem == "__init__" else module.rpartition(".")[0]
                    )
                    names = imported(ast.parse(file.read_text("utf-8")), package)
                    todo += [(inner, file.relative_to(ROOT)) for inner in names]
    return found


def third_party():
    """Return the foreign top-level modules among them."""
    ours = {*sys.stdlib_module_names, "bnlib"}
    tops = {name.split(".")[0]: importer for name, importer in closure().items()}
    return {top: importer for top, importer in tops.items() if top not in ours}


def declared():
    """Return what pyproject.toml asks for, with the extra of chapters 4 to 10."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(text)["project"]
    asked = project["dependencies"] + project["optional-dependencies"]["torch"]
    return {Requirement(line).name for line in asked}


def brought():
    """Return what comes with the declared, and with the kernel that runs the cells."""
    lines = [
        Requirement(line)
        for name in (*declared(), matrix.KERNEL)
        for line in requires(name) or []
    ]
    always = {"extra": ""}
    return {r.name for r in lines if not r.marker or r.marker.evaluate(always)}


def test_the_closure_reaches_through_bnlib():
    assert {"bnlib.norms", "bnlib.lab.train", "bnlib.exercises.engine"} <= set(
        closure()
    )
    assert {"numpy", "torch", "matplotlib"} <= set(third_party())


def test_what_the_notebooks_import_is_what_pyproject_declares():
    distributions = packages_distributions()
    needed = {
        name: (top, importer)
        for top, importer in third_party().items()
        for name in distributions.get(top, [top])
    }
    missing = {name: needed[name] for name in set(needed) - declared() - brought()}
    assert missing == {}
    assert declared() <= set(needed)


@pytest.mark.parametrize("name", [n for n, row in matrix.ROWS.items() if row.python])
def test_a_row_installs_what_pyproject_declares_and_a_kernel(
    name, monkeypatch, tmp_path
):
    called = []
    monkeypatch.setattr(matrix, "_call", lambda *command: called.append(command))
    monkeypatch.setenv("TORCH_INDEX", "an-index")
    row = matrix.ROWS[name]
    matrix.install(row, tmp_path)
    venv, torch, chapters, kernel = (" ".join(command) for command in called)
    assert f"venv --python {row.python} " in venv
    assert "--default-index an-index torch" in torch
    assert "-r pyproject.toml --extra torch" in chapters
    assert "--no-build ipykernel" in kernel
    for command in (torch, chapters):
        assert f"--no-build --resolution {row.resolution} " in command
    for command in (chapters, kernel):
        assert command.endswith(" ".join(row.pins))
