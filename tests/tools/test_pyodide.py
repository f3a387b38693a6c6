"""Python for the browser is complete and that of the release, or it is not there.

The release here is a few bytes: npm and pip are a script that copies an archive, the
release's own address is a folder.
"""

import base64
import hashlib
import io
import json
import re
import sys
import tarfile
import urllib.request
import zipfile
from types import SimpleNamespace

import pytest

from tools import pyodide

WHEELS = {
    "big-1.whl": b"big" * 50,
    "helper-2.whl": b"helps",
    "unused-3.whl": b"left out",
    "other-4.whl": b"of another package",
}
PACKAGES = {
    "big": {"file_name": "big-1.whl", "depends": ["helper", "unused"]},
    "helper": {"file_name": "helper-2.whl", "depends": ["big"]},
    "unused": {"file_name": "unused-3.whl", "depends": []},
    "other": {"file_name": "other-4.whl", "depends": []},
}
CORE = {"pyodide.mjs": b"the core", "python.wasm": b"the rest"}
# Does what npm pack and pip download do, and writes down that it was called.
COPY = """\
import pathlib, shutil, sys
archive, log, status, *_, folder, name = sys.argv[1:]
with open(log, "a") as file:
    file.write(name + "\\n")
if status != "0":
    pathlib.Path(folder, "half").write_bytes(b"half an archi")
    sys.exit(int(status))
shutil.copy(archive, folder)
"""


def sum_of(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def release(tmp_path, monkeypatch):
    """Return a release of a few bytes: where it is, and what can be asked of it."""
    lock = {"info": {}, "packages": {}}
    for name, package in PACKAGES.items():
        sum = sum_of(WHEELS[package["file_name"]])
        lock["packages"][name] = package | {"sha256": sum}
    files = CORE | {"pyodide-lock.json": json.dumps(lock).encode(), "README": b"-"}
    with tarfile.open(tmp_path / "core-9.tgz", "w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    with zipfile.ZipFile(tmp_path / "carrier-1.whl", "w") as carrier:
        for name, content in WHEELS.items():
            carrier.writestr(f"carrier/python/{name}", content)
    (tmp_path / "address").mkdir()
    for name, content in WHEELS.items():
        (tmp_path / "address" / name).write_bytes(content)

    archive = (tmp_path / "core-9.tgz").read_bytes()
    integrity = base64.b64encode(hashlib.sha512(archive).digest()).decode()
    pins = {
        "pyodide": "9",
        "core": {
            "npm": "core@9",
            "integrity": f"sha512-{integrity}",
            "files": list(CORE),
        },
        "packages": ["big"],
        "without": ["unused"],
        "official": f"{(tmp_path / 'address').as_uri()}/",
        "registry": {"package": "carrier==1", "folder": "carrier/python/"},
    }
    (tmp_path / "copy.py").write_text(COPY)
    it = SimpleNamespace(folder=tmp_path, out=tmp_path / "out", pins=pins)

    def pin():
        chosen = pyodide.closure(lock["packages"], pins)
        content = CORE | {
            package["file_name"]: WHEELS[package["file_name"]]
            for package in chosen.values()
        }
        small = json.dumps(lock | {"packages": chosen}, sort_keys=True).encode()
        content["pyodide-lock.json"] = small
        sums = {name: sum_of(text) for name, text in content.items()}
        pins["sum"] = sum_of(json.dumps(sums, sort_keys=True).encode())
        (tmp_path / "pins.json").write_text(json.dumps(pins))

    def client(name, archive, status=0):
        command = [sys.executable, tmp_path / "copy.py", tmp_path / archive]
        monkeypatch.setattr(
            pyodide, name, [*map(str, [*command, tmp_path / "log", status])]
        )

    def run(source="auto"):
        arguments = [str(it.out), "--from", source]
        return pyodide.main(arguments, pins=tmp_path / "pins.json")

    def called():
        log = tmp_path / "log"
        names = log.read_text().split() if log.is_file() else []
        log.unlink(missing_ok=True)
        return names

    it.client, it.run, it.called, it.pin = client, run, called, pin
    pin()
    client("NPM", "core-9.tgz")
    client("PIP", "carrier-1.whl")
    return it


def no_address(release):
    for path in (release.folder / "address").iterdir():
        path.unlink()


def laid_out(release):
    """Return the files of the folder, those for its own use left out."""
    mine = {pyodide.MANIFEST}
    found = {path.name for path in release.out.iterdir() if path.is_file()}
    return found - mine


COMPLETE = {*CORE, "pyodide-lock.json", "big-1.whl", "helper-2.whl"}


@pytest.mark.parametrize("source", ["auto", "any", "official", "registry"])
def test_each_source_lays_out_the_same(release, source):
    assert release.run(source) == 0
    assert laid_out(release) == COMPLETE
    lock = json.loads((release.out / "pyodide-lock.json").read_text())
    assert {name: it["depends"] for name, it in lock["packages"].items()} == {
        "big": ["helper"],
        "helper": ["big"],
    }
    for name, content in (CORE | WHEELS).items():
        if name in COMPLETE:
            assert (release.out / name).read_bytes() == content
    assert not (release.out / pyodide.DOWNLOADS).exists()
    noted = json.loads((release.out / pyodide.MANIFEST).read_text())
    assert noted == {n: sum_of((release.out / n).read_bytes()) for n in COMPLETE}
    assert release.called() == ["core@9", *["carrier==1"][: source == "registry"]]


def test_where_the_address_is_silent_the_registry_is_asked(release, capsys):
    no_address(release)
    assert release.run("auto") == 0
    assert laid_out(release) == COMPLETE
    said = capsys.readouterr().out
    assert "does not answer; trying registry" in said
    assert "big-1.whl, 0.00 MB, from registry" in said
    assert "Pyodide 9, 5 files, 0.0 MB, checked." in said


def test_what_is_complete_is_not_fetched_again(release):
    release.run()
    times = {path: path.stat().st_mtime_ns for path in release.out.iterdir()}
    release.called()
    assert release.run() == 0
    assert release.called() == []
    changed = {p.name for p in times if p.stat().st_mtime_ns != times[p]}
    assert changed <= {pyodide.MANIFEST}


def test_a_file_that_was_damaged_is_fetched_again(release):
    release.run()
    (release.out / "helper-2.whl").write_bytes(b"hel")
    assert release.run() == 0
    assert (release.out / "helper-2.whl").read_bytes() == WHEELS["helper-2.whl"]


def test_a_folder_that_somebody_changed_is_laid_out_again(release):
    release.run()
    noted = json.loads((release.out / pyodide.MANIFEST).read_text())
    noted["pyodide.mjs"] = sum_of(b"harms")
    (release.out / "pyodide.mjs").write_bytes(b"harms")
    (release.out / pyodide.MANIFEST).write_text(json.dumps(noted))
    assert release.run() == 0
    assert (release.out / "pyodide.mjs").read_bytes() == CORE["pyodide.mjs"]


def test_another_choice_of_files_needs_another_sum(release, capsys):
    release.pins["without"] = []
    (release.folder / "pins.json").write_text(json.dumps(release.pins))
    assert release.run() == 1
    said = capsys.readouterr().err
    assert "must have the sum that live/pins.json states, got " in said
    assert "pyodide-lock.json" not in laid_out(release)
    release.pins["sum"] = re.search("[0-9a-f]{64}", said)[0]
    (release.folder / "pins.json").write_text(json.dumps(release.pins))
    assert release.run() == 0
    assert laid_out(release) == {*COMPLETE, "unused-3.whl"}


def test_other_pins_leave_nothing_of_the_earlier_ones(release):
    release.run()
    release.pins["packages"] = ["other"]
    release.pin()
    assert release.run() == 0
    assert laid_out(release) == {*CORE, "pyodide-lock.json", "other-4.whl"}


def test_an_unfinished_folder_has_no_lock(release):
    release.run()
    release.pins["packages"] = ["other"]
    release.pin()
    no_address(release)
    release.client("PIP", "carrier-1.whl", status=1)
    assert release.run("auto") == 0
    assert "pyodide-lock.json" not in laid_out(release)


@pytest.mark.parametrize("source", ["official", "registry"])
def test_a_wrong_wheel_is_an_error_that_names_it(release, capsys, source):
    (release.folder / "address" / "helper-2.whl").write_bytes(b"harms")
    carrier = release.folder / "carrier-1.whl"
    with zipfile.ZipFile(carrier, "w") as archive:
        archive.writestr("carrier/python/big-1.whl", WHEELS["big-1.whl"])
        archive.writestr("carrier/python/helper-2.whl", b"harms")
    assert release.run(source) == 1
    said = capsys.readouterr().err
    assert f"helper-2.whl from {source} is not that of the release" in said
    assert "pyodide-lock.json" not in laid_out(release)
    assert "helper-2.whl" not in laid_out(release)


def test_a_wrong_wheel_is_not_made_up_for_by_another_source(release):
    (release.folder / "address" / "big-1.whl").write_bytes(b"small")
    assert release.run("auto") == 1
    assert release.called() == ["core@9"]


def test_a_wrong_core_is_an_error_that_names_it(release, capsys):
    with (release.folder / "core-9.tgz").open("ab") as file:
        file.write(b"\0")
    assert release.run() == 1
    assert "core-9.tgz from npm is not the package" in capsys.readouterr().err
    assert laid_out(release) == set()


def test_a_carrier_without_the_wheel_is_named(release, capsys):
    with zipfile.ZipFile(release.folder / "carrier-1.whl", "w"):
        pass
    assert release.run("registry") == 1
    assert "carrier==1 does not carry big-1.whl" in capsys.readouterr().err


def test_where_nothing_answers_the_site_is_built_without(release, capsys):
    no_address(release)
    release.client("PIP", "carrier-1.whl", status=1)
    assert release.run("auto") == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == (
        "Python for the pages: carrier==1 cannot be fetched; so the site is built "
        "without it."
    )
    assert "pyodide-lock.json" not in laid_out(release)
    assert json.loads((release.out / pyodide.MANIFEST).read_text()) == {}


def test_without_npm_the_site_is_built_without(release, monkeypatch, capsys):
    monkeypatch.setattr(pyodide, "NPM", ["no-such-program"])
    assert release.run("auto") == 0
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 1
    assert "core@9 cannot be fetched: [Errno 2]" in said[0]
    assert said[0].endswith("so the site is built without it.")


@pytest.mark.parametrize("source", ["official", "registry", "any"])
def test_without_the_word_auto_a_source_has_to_answer(release, capsys, source):
    no_address(release)
    release.client("PIP", "carrier-1.whl", status=1)
    assert release.run(source) == 1
    assert capsys.readouterr().err.startswith("Python for the pages: ")


def test_make_sees_no_change_as_long_as_nothing_answers(release):
    release.client("NPM", "core-9.tgz", status=1)
    release.run()
    before = (release.out / pyodide.MANIFEST).stat().st_mtime_ns
    release.run()
    assert (release.out / pyodide.MANIFEST).stat().st_mtime_ns == before
    release.client("NPM", "core-9.tgz")
    release.run()
    assert (release.out / pyodide.MANIFEST).stat().st_mtime_ns > before
    assert laid_out(release) == COMPLETE


def test_a_run_that_is_interrupted_goes_on_where_it_stopped(release, monkeypatch):
    asked = []

    def interrupted(address, **options):
        asked.append(address.rpartition("/")[2])
        if len(asked) == 2:
            raise KeyboardInterrupt
        return opened(address, **options)

    opened = urllib.request.urlopen
    monkeypatch.setattr(urllib.request, "urlopen", interrupted)
    with pytest.raises(KeyboardInterrupt):
        release.run()
    assert asked == ["big-1.whl", "helper-2.whl"]
    assert laid_out(release) == {"big-1.whl"}
    assert release.run() == 0
    assert asked[2:] == ["helper-2.whl"]
    assert release.called() == ["core@9"]  # the package itself, too, was kept
    assert laid_out(release) == COMPLETE


def test_no_file_has_its_name_before_it_is_whole(release, monkeypatch):
    def interrupted(part, path):
        raise KeyboardInterrupt

    monkeypatch.setattr(pyodide.os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        release.run()
    assert laid_out(release) == set()


def test_half_a_download_is_not_taken_for_a_whole_one(release):
    no_address(release)
    release.client("PIP", "carrier-1.whl", status=1)
    assert release.run("auto") == 0
    release.client("PIP", "carrier-1.whl")
    assert release.run("auto") == 0
    assert laid_out(release) == COMPLETE
    assert release.called() == ["core@9", "carrier==1", "carrier==1"]
