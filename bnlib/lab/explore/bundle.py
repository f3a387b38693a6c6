"""The scripts and styles of the explorables, put together for a page.

A page that is opened from the disk may load scripts but no modules, and a notebook has
no address to load them from. So the modules of an explorable become one plain script.
This file imports nothing of bnlib: the site is built without NumPy.
"""

import re
from pathlib import Path

FOLDER = Path(__file__).parent
NAMES = tuple(sorted(path.stem for path in FOLDER.glob("pictures/*.svg")))
STYLES = ("picture.css", "controls.css")
# All that `mount` of kit.mjs may ask a module for.
PARTS = ("title", "size", "start", "controls", "handles", "draw", "say")
PARTS += ("set", "settle", "tap")
IMPORT = re.compile(r'^import \{[^}]*\} from "\./(\w+)\.mjs";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?=const |let |function )", re.MULTILINE)


def read(name):
    """Return the text of a file of this folder."""
    return (FOLDER / name).read_text("utf-8")


def modules(name):
    """Return the names of the modules that one needs, itself the last."""
    found = []
    for other in IMPORT.findall(read(f"{name}.mjs")):
        found += [one for one in modules(other) if one not in found]
    return [*found, name]


def script(name):
    """Return one plain script that makes the figures of this name alive."""
    texts = [EXPORT.sub("", IMPORT.sub("", read(f"{m}.mjs"))) for m in modules(name)]
    exported = re.findall(r"^export \w+ (\w+)", read(f"{name}.mjs"), re.MULTILINE)
    parts = ", ".join(
        [f'name: "{name}"', *(part for part in PARTS if part in exported)]
    )
    figures = f'document.querySelectorAll("[data-explore={name}]:not(.bn-alive)")'
    texts.append(f"for (const root of {figures}) mount(root, {{ {parts} }});\n")
    return "(() => {\n" + '"use strict";\n' + "\n".join(texts) + "})();\n"


def style():
    """Return the style sheet of all explorables."""
    return "\n".join(map(read, STYLES))


def sentence(picture):
    """Return what a stored picture shows, in a sentence."""
    return re.search(r"<desc>(.*?)</desc>", picture)[1]


def title(picture):
    """Return the name of a stored picture."""
    return re.search(r"<title>(.*?)</title>", picture)[1]
