"""A version names one package."""

import subprocess

import pytest

from tools.new_version import complaint, main


def git(root, *command):
    """Run git without what the user has configured."""
    name = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    done = subprocess.run(
        ["git", *name, "-c", "commit.gpgsign=false", *command],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def package(root, version, code):
    """Write the package and commit everything; return the commit."""
    (root / "bnlib").mkdir(exist_ok=True)
    (root / "bnlib" / "__init__.py").write_text(f'__version__ = "{version}"\n{code}\n')
    git(root, "add", "--all")
    git(root, "commit", "-q", "--no-verify", "-m", "change")
    return git(root, "rev-parse", "HEAD")


@pytest.fixture
def root(tmp_path):
    """Return an empty repository."""
    git(tmp_path, "init", "-q")
    return tmp_path


def test_a_changed_package_needs_a_higher_version(root):
    base = package(root, "0.9.0", "a = 1")
    package(root, "0.9.0", "a = 2")
    assert f"{base[:12]}, whose version is 0.9.0, and must" in complaint(base, root)
    package(root, "0.8.0", "a = 2")
    assert "a higher one, got 0.8.0; raise __version__" in complaint(base, root)
    package(root, "0.10.0", "a = 2")
    assert complaint(base, root) is None


def test_other_files_may_change(root):
    base = package(root, "0.9.0", "a = 1")
    (root / "README.md").write_text("other words")
    package(root, "0.9.0", "a = 1")
    assert complaint(base, root) is None


def test_a_new_branch_has_nothing_to_compare_with(root):
    package(root, "0.9.0", "a = 1")
    assert complaint("0" * 40, root) is None


@pytest.mark.parametrize("base", ["", "--output=x", "a b", "main; ls"])
def test_a_base_is_a_commit(root, base):
    assert "BASE must be a commit, got " in complaint(base, root)


def test_the_status_is_that_of_the_complaint(capsys):
    assert main(["--"]) == 1
    assert "BASE must be a commit" in capsys.readouterr().err
    assert main(["0" * 40]) == 0
