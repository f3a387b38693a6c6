"""A chapter in an empty folder, where only bnlib's dependencies are installed.

That is Colab without its user interface (see ``tools.colab``). ``make test`` runs every
chapter there, with PyTorch, and compares all outputs. What is left for here: the rooms
are empty indeed, and a chapter that promises it runs without PyTorch. The others that
do run in the browser, which has none (``tests/site/test_live_pages.py``).
"""

import re
import shutil

import pytest
from jupyter_client import AsyncKernelManager
from traitlets import default

from tests.site import test_live_pages
from tools import normal_form, setup_cell, stamp_address
from tools.colab import Room, closure, declared
from tools.compare import text_difference
from tools.notebooks import run


def needs_torch(path):
    """Return whether a chapter says that it cannot do without PyTorch."""
    cells = normal_form.code_cells(normal_form.read(path))
    return any("needs-torch" in normal_form.tags(cell) for cell in cells)


WITHOUT_TORCH = [path for path in stamp_address.chapters() if not needs_torch(path)]
SHORTEST = min(WITHOUT_TORCH, key=lambda path: path.stat().st_size)


@pytest.fixture
def room(request):
    """Return a room, by default one without PyTorch."""
    room = Room(torch=getattr(request, "param", False))
    yield room
    room.close()


def installed(room):
    """Return the names of what pip finds in a room."""
    listed = room.call("-m", "pip", "list", "--format=freeze")
    names = re.findall(r"^[\w.-]+(?===)", listed, re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", name).lower() for name in names}


def where_bnlib_is(room):
    """Return the file from which bnlib is imported in a room."""
    return room.call("-c", "import bnlib; print(bnlib.__file__)")


NOWHERE = dict.fromkeys(("HTTPS_PROXY", "https_proxy"), "http://127.0.0.1:9")


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """Return the folder of what the set-up cell of the chapters has installed, once."""
    folder, source = tmp_path_factory.mktemp("package"), setup_cell.source()
    first = Room(torch=False)
    assert not first.keep_package(folder)
    assert first.call("-c", source) == ""
    assert "site-packages" in where_bnlib_is(first)
    # A second time nothing is installed: pip would reach nobody.
    assert first.call("-c", source, **NOWHERE) == ""
    assert first.keep_package(folder)
    first.close()
    return folder


@pytest.mark.parametrize("room", [False, True], indirect=True, ids=["plain", "torch"])
def test_a_room_has_what_is_declared_and_nothing_else(room, request):
    torch = request.node.callspec.params["room"]
    assert installed(room) == set(closure(declared(torch)))
    assert not {"bnlib", "pytest", "nbval", "jupyter-book"} & installed(room)
    assert ("torch" in installed(room)) == torch
    assert list(room.folder.iterdir()) == []
    with pytest.raises(RuntimeError, match="No module named 'bnlib'"):
        where_bnlib_is(room)


def claims(cell):
    """Return what a cell claims, line by line."""
    printed = "".join(
        output.text for output in cell.outputs if output.get("name") == "stdout"
    )
    return [line for line in printed.splitlines() if re.match(r"✔ [A-Z]\d+[ .]", line)]


def test_the_chapters_without_torch_are_run_in_the_browser():
    names = {f"book/{path.stem}" for path in WITHOUT_TORCH if path.stem[:2].isdigit()}
    assert names == set(test_live_pages.WHOLE)


@pytest.fixture
def prepared(package):
    """Return a room without PyTorch in which the set-up cell finds bnlib."""
    room = Room(torch=False, package=package)
    yield room
    room.close()


def test_a_chapter_without_torch_makes_the_same_claims(prepared):
    path, room = SHORTEST, prepared

    class ColabKernelManager(AsyncKernelManager):
        @default("kernel_spec_manager")
        def _colab_only(self):
            return room.kernel_specs()

    stored, computed = normal_form.read(path), normal_form.read(path)
    shutil.copy(path, room.folder)
    run(computed, room.folder, kernel_manager=ColabKernelManager, env=room.env)

    assert normal_form.code_cells(computed)[0].outputs == []
    assert "site-packages" in where_bnlib_is(room)
    for was, now in zip(stored.cells, computed.cells, strict=True):
        if was.cell_type == "code" and "torch" not in normal_form.tags(was):
            text = text_difference("\n".join(claims(was)), "\n".join(claims(now)))
            assert text is None, f"{normal_form.place(stored, was)}: {text}"


def test_the_release_has_what_the_chapters_install(package, tmp_path):
    # Another room finds what the first one has installed, and leaves it as it is.
    assert {part.name for part in package.iterdir()} == {
        "bnlib",
        f"batch_normalization_measured-{setup_cell.version()}.dist-info",
    }
    following = Room(torch=False, package=package)
    assert following.call("-c", setup_cell.source(), **NOWHERE) == ""
    assert "site-packages" in where_bnlib_is(following)
    assert not following.keep_package(tmp_path / "other")
    following.close()
    assert (package / "bnlib" / "__init__.py").is_file()
