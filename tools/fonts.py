"""Make the course's typeface: IBM Plex Sans, cut down to what its pages write.

``python -m tools.fonts`` fetches the released package with npm, checks it and writes

- ``book/_static/fonts``: two files for browsers, upright (variable from regular to
  bold) and italic, with the license;
- ``bnlib/lab/fonts``: the regular as TrueType, with which matplotlib draws.

The license of Plex keeps that name for the original files, so ours are called Measured
Sans. The same package and the same fontTools give the same bytes.
"""

import base64
import hashlib
import io
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont
from fontTools.varLib.instancer import instantiateVariableFont

ROOT = Path(__file__).parents[1]
PACKAGE = "@ibm/plex-sans-variable@0.2.0"
INTEGRITY = (
    "sha512-S8xew9E8CPPKFvitbu2gDtwNFVWwwhClheaIBeykDYg7DrVK3cV5Xq5MjMrWPP5Os0xyiRFj"
    "MOmtGBLzz3urTQ=="
)
SOURCE = "package/fonts/complete/ttf/IBM Plex Sans Var-{}.ttf"
LICENSE = "package/LICENSE.txt"
NAME = "Measured Sans"
SITE = ROOT / "book" / "_static" / "fonts"
FIGURES = ROOT / "bnlib" / "lab" / "fonts"

LATIN = "".join(map(chr, range(0x20, 0x7F))) + "\u00a0"
LATIN += "ÀÁÂÄÅÇÈÉÊËÍÎÑÓÔÖØÚÜßàáâãäåæçèéêëìíîïñòóôõöøùúûüýğİıłőśšŞşČčćřŽž"
LATIN += "’‘“”–—…·•°×÷±−²³¹§©«»‹›"
GREEK = "αβγδεζηθικλμνξοπρσςτυφχψωΓΔΘΛΞΠΣΦΨΩ"
SIGNS = "≈≠≤≥√∑∏∂∞∫←→↑↓½¼¾⁵⁷′″‐†‡✓✔€\u0302"
# Digits of this face are equally wide, so that tables need no feature for it.
FEATURES = ["kern", "ccmp", "mark", "rvrn"]


def main():
    """Fetch, cut and write; say the sizes."""
    files = unpacked(fetched())
    upright, italic = (files[SOURCE.format(it)] for it in ("Roman", "Italic"))
    everything = LATIN + GREEK + SIGNS
    for folder in (SITE, FIGURES):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "LICENSE").write_bytes(notice() + files[LICENSE])
    for path, source, weights, letters in (
        (SITE / "measured-sans.woff2", upright, (400, 700), everything),
        (SITE / "measured-sans-italic.woff2", italic, 400, LATIN),
        (FIGURES / "measured-sans.ttf", upright, 400, everything),
    ):
        path.write_bytes(cut(source, weights, letters, path.suffix == ".woff2"))
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size} bytes")


def fetched():
    """Return the package as npm delivers it; raise if it is not the pinned one."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--silent", PACKAGE]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        (archive,) = Path(folder).glob("*.tgz")
        content = archive.read_bytes()
    found = "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()
    if found != INTEGRITY:
        raise ValueError(
            f"{PACKAGE} must have the sum {INTEGRITY}, got {found}; "
            "if another version is wanted, write its sum into tools/fonts.py"
        )
    return content


def unpacked(archive):
    """Return the files of a package by their names."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as package:
        members = [member for member in package if member.isfile()]
        return {it.name: package.extractfile(it).read() for it in members}


def notice():
    """Return what stands above the license: what was changed, and why the name."""
    return (
        f"{NAME} is IBM Plex Sans ({PACKAGE}), cut down to one width, to the weights\n"
        "and to the letters that the course uses, and renamed, because the license\n"
        "below reserves the name Plex for the original.\n\n"
    ).encode()


def cut(source, weights, letters, packed):
    """Return a font with these weights and letters only, and with our name.

    Parameters
    ----------
    source : bytes
        The variable font.
    weights : int or tuple of int
        One weight, or the smallest and the largest.
    letters : str
        What can be written with it.
    packed : bool
        Whether to pack it as WOFF2.
    """
    font = TTFont(io.BytesIO(source), recalcTimestamp=False)
    font = instantiateVariableFont(font, {"wdth": 100, "wght": weights})
    # The instance must be read again: the subsetter asks for tables as they are stored.
    font = TTFont(io.BytesIO(saved(font)), recalcTimestamp=False)
    # An outline for what is missing would be a box; a browser takes another face.
    options = Options(layout_features=FEATURES, hinting=False, name_IDs=[0, 13, 14])
    subsetter = Subsetter(options)
    subsetter.populate(text=letters)
    subsetter.subset(font)
    rename(font)
    font.flavor = "woff2" if packed else None
    return saved(font)


def saved(font):
    """Return the bytes of a font."""
    file = io.BytesIO()
    font.save(file)
    return file.getvalue()


def rename(font):
    """Give a font our name, in place; what it owes to whom stays."""
    style = "Italic" if font["post"].italicAngle else "Regular"
    names = {1: NAME, 2: style, 3: f"{NAME} {style}", 4: f"{NAME} {style}"}
    names |= {5: "Version 1.0", 6: f"{NAME.replace(' ', '')}-{style}"}
    for number, text in names.items():
        font["name"].setName(text, number, 3, 1, 0x409)
    kept = [record for record in font["name"].names if record.nameID < 25]
    font["name"].names = kept
    # What else a variable font says about its axes refers to names that are gone.
    if "STAT" in font:
        del font["STAT"]
    if "fvar" in font:
        font["fvar"].instances = []
        for axis in font["fvar"].axes:
            axis.axisNameID = 2


if __name__ == "__main__":
    sys.exit(main())
