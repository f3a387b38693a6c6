"""The typeface: small, renamed as its license asks, and with all that we write."""

import json
import re
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont

from tools import fonts
from tools.drawing import MIME
from tools.fonts import FIGURES, ROOT, SITE

FILES = [*sorted(SITE.glob("*.woff2")), *sorted(FIGURES.glob("*.ttf"))]
# Drawn by matplotlib's own face, and by any that a reader's system has.
FOREIGN = set("①②③④⑤⑥⑦⑧⑨")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_font_is_small_and_has_our_name(path):
    font = TTFont(path)
    assert path.stat().st_size <= 50 * 1024
    names = {record.nameID: str(record) for record in font["name"].names}
    assert names[1] == "Measured Sans" and "IBM Corp" in names[0]
    assert not any("Plex" in text for text in names.values())
    assert "Reserved Font Name" in (path.parent / "LICENSE").read_text("utf8")
    widths = {font["hmtx"][font.getBestCmap()[ord(digit)]][0] for digit in "0123456789"}
    assert len(widths) == 1, "tables need digits of one width"


def test_all_files_are_there():
    assert [path.name for path in FILES] == [
        "measured-sans-italic.woff2",
        "measured-sans.woff2",
        "measured-sans.ttf",
    ]


def test_the_words_of_all_drawings_can_be_written():
    letters = set()
    for path in sorted((ROOT / "book").glob("*.ipynb")):
        for cell in json.loads(path.read_text("utf8"))["cells"]:
            for output in cell.get("outputs", []):
                drawn = "".join(output.get("data", {}).get(MIME, ""))
                letters |= set("".join(re.findall(r"(?<=>)[^<]+", drawn)))
    assert len(letters) > 50
    for path in (SITE / "measured-sans.woff2", FIGURES / "measured-sans.ttf"):
        known = {chr(number) for number in TTFont(path).getBestCmap()}
        assert letters - known <= FOREIGN


def test_another_package_is_refused(monkeypatch):
    def pack(command, cwd, **options):
        (Path(cwd) / "other.tgz").write_bytes(b"another")

    monkeypatch.setattr(fonts.subprocess, "run", pack)
    with pytest.raises(
        ValueError, match="must have the sum sha512-S8xew.*write its sum"
    ):
        fonts.fetched()
