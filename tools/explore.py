"""Draw the first state of each explorable, for everyone who has no script.

``python -m tools.explore`` writes ``bnlib/lab/explore/pictures``, with node;
``python -m tools.explore --check`` changes nothing and exits with 1 if one is stale.
Afterwards run the chapters that show a changed picture again.
"""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "bnlib" / "lab" / "explore"
SHARED = ("kit", "norms")  # modules that are no explorables
NAMES = sorted(
    path.stem
    for path in FOLDER.glob("*.mjs")
    if path.stem not in SHARED and not path.stem.startswith("measured_")
)
DRAW = """
const { readFileSync } = await import("node:fs");
const { folder, names } = JSON.parse(readFileSync(0, "utf8"));
const { tag, rect } = await import(`${folder}/kit.mjs`);
const drawn = {};
for (const name of names) {
  const { title, size, start, draw, say } = await import(`${folder}/${name}.mjs`);
  const [width, height] = size;
  const frame = { xmlns: "http://www.w3.org/2000/svg", class: "bn-svg",
    width: width * 4 / 3, height: height * 4 / 3, viewBox: `0 0 ${width} ${height}` };
  drawn[name] = tag("svg", frame, tag("title", {}, title), tag("desc", {}, say(start)),
    tag("style", {}, "STYLE"), rect(0, 0, width, height, "bn-mat"), draw(start));
}
console.log(JSON.stringify(drawn));
"""


def run_node(program, data):
    """Run a module with node; it reads JSON and prints JSON.

    Parameters
    ----------
    program : str
        Text of the module. Its input has the address of the modules as ``folder``.
    data : dict
        What else it reads.
    """
    done = subprocess.run(
        ["node", "--input-type=module", "-e", program],
        input=json.dumps({"folder": FOLDER.as_uri(), **data}),
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    if done.returncode:
        raise RuntimeError(f"node failed:\n{done.stderr}")
    return json.loads(done.stdout)


def pictures():
    """Return ``{path: text}`` of the pictures as they should be."""
    style = (FOLDER / "picture.css").read_text("utf-8").splitlines()
    found = {}
    for name, drawn in run_node(DRAW, {"names": NAMES}).items():
        classes = set(" ".join(re.findall(r'class="([^"]*)"', drawn)).split())
        text = drawn.replace("STYLE", "\n".join(rules(style, classes)), 1)
        found[FOLDER / "pictures" / f"{name}.svg"] = f"{text}\n"
    return found


def rules(style, classes):
    """Return the rules that a picture needs: a new one for another changes nothing."""
    return [
        rule
        for rule in style
        if (named := set(re.findall(r"\.(bn-[\w-]+)", rule.partition("{")[0])))
        and (named == {"bn-svg"} or (named - {"bn-svg"}) & classes)
    ]


def stale(wanted):
    """Return the paths that are missing, stale, or of no explorable."""
    there = {path: path.read_text("utf-8") for path in FOLDER.glob("pictures/*.svg")}
    return sorted(p for p in {*wanted, *there} if wanted.get(p) != there.get(p))


def main(arguments=None):
    """Write or check the pictures; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.explore")
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args(arguments).check
    wanted = pictures()
    changed = stale(wanted)
    for path in changed:
        if check:
            print(f"{path.name} is stale: run python -m tools.explore", file=sys.stderr)
        elif path in wanted:
            path.write_text(wanted[path], encoding="utf-8")
            print(path.name)
        else:
            path.unlink()
    return int(check and bool(changed))


if __name__ == "__main__":
    sys.exit(main())
