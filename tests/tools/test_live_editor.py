"""The editor of the pages that run is what its source makes."""

import shutil
import subprocess

import pytest

from tests.site.course import ROOT

BUILT = ("editor.js", "LICENSE")
NPM = ["npm", "ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"]


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_the_committed_editor_is_built_from_its_source(tmp_path):
    source, built = tmp_path / "live" / "editor", tmp_path / "book" / "_static" / "live"
    ignored = shutil.ignore_patterns("node_modules")
    shutil.copytree(ROOT / "live" / "editor", source, ignore=ignored)
    built.mkdir(parents=True)
    for name in BUILT:
        shutil.copy(ROOT / "book" / "_static" / "live" / name, built)
    try:
        subprocess.run(NPM, cwd=source, check=True, timeout=120, capture_output=True)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        pytest.skip("the registry of npm does not answer")
    check = ["node", "build.mjs", "--check"]
    assert subprocess.run(check, cwd=source, timeout=60).returncode == 0
    # The check can fail.
    (source / "editor.js").write_text(
        (source / "editor.js").read_text() + "export const more = 1;\n"
    )
    done = subprocess.run(check, cwd=source, timeout=60, capture_output=True, text=True)
    assert done.returncode == 1
    assert "editor.js is not what live/editor makes" in done.stderr
