"""The pages of the course, as its configuration names them."""

import json
import re
from pathlib import Path

import yaml

from tools.course import measured

ROOT = Path(__file__).resolve().parents[2]
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text("utf8"))
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text("utf8"))
PHONE = {"width": 390, "height": 844}
NARROWEST = {"width": 320, "height": 640}
LAPTOP = {"width": 1280, "height": 800}
LOOKS = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"color_scheme": "light", "viewport": PHONE},
    "disk": {"offline": True},
    "no script": {"java_script_enabled": False},
    "no script, dark": {"java_script_enabled": False, "color_scheme": "dark"},
}

TOC_PAGES = [TOC["root"]] + [
    chapter["file"] for part in TOC["parts"] for chapter in part["chapters"]
]
PAGES = [*TOC_PAGES, "search", "genindex"]
# One directive makes the pages of the reference: one stands for all in dear tests.
API = [page for page in TOC_PAGES if page.startswith("book/api/")]
UNLIKE = [page for page in PAGES if page not in API[1:]]
CHAPTERS = [page for page in TOC_PAGES if re.match(r"book/\d\d-", page)]
# Pages to look something up on the way: their tables fit a phone.
NARROW = [f"book/{name}" for name in ("use", "notation", "exercises", "license")]
# Those whose claims stand in the ledger.
MEASURED = [f"book/{name}" for name in measured()]
# One page for each kind of what stands on them.
KINDS = [TOC["root"], CHAPTERS[3], *API[:1], "book/claims", "book/far", "search"]


def explored():
    """Return {name: page}: where each explorable stands."""
    found = {}
    for page in TOC_PAGES:
        path = ROOT / f"{page}.ipynb"
        if path.is_file():
            for cell in json.loads(path.read_text("utf8"))["cells"]:
                code = "".join(cell["source"])
                found |= dict.fromkeys(re.findall(r'\bexplore\("(\w+)"\)', code), page)
    return found


EXPLORED = explored()
