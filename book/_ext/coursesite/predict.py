"""Predictions: a box asks, the reader answers, and the answer is shown beside ours.

In a notebook a question is a quote that begins with "Predict", and below it stands a
comment, which Colab, GitHub and Jupyter do not show:

    > **Predict.** One of 500 values becomes 100. What is left of the others' spread?

    <!-- predict: one-outlier
    - kind: number
      ask: Min-max divides it by
      measured: N2.outlier
    -->

Behind the colon stands a name that no other question of the book has: under it a
browser keeps the answer. Then comes a list of what is to be filled in:

========== =========================================================================
``kind``   ``number``, ``choice`` (one of two to five), ``order`` (all of them, ranked)
           or ``words`` (a line of text)
``ask``    what is asked, where the question asks for more than one thing
``unit``   of a number, as "%"
``options`` of a choice or an order, as they are shown
``right``  the option that comes out, or the options in their right order
``measured`` what came out: a claim of the page, as "N2.outlier", or a text that its
           cells have printed, in which ``_`` stands for the number, ``#`` for other
           numbers and ``…`` for any text; spaces and ends of lines are alike
``times``  what a printed share is multiplied with, 100 for percent
``close``  how far off a number may be and still be called close (a fifth of what was
           measured, without), or as a factor: "x3"
========== =========================================================================

So no number stands there that a cell has measured. The box gets a form, which
``book/_static/reader.js`` reads; without a script it is hidden (:mod:`.bundles`).
"""

import json
import re
from html import escape
from pathlib import Path

import yaml
from docutils import nodes
from sphinx.transforms import SphinxTransform
from sphinx.util import logging

from .claims import claims_by_page

COMMENT = re.compile(r"<!--\s*predict\b:?(?P<name>[^\n]*)\n?(?P<list>.*?)-->\s*", re.S)
KEPT = "book/your-data"
NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
CLAIM = re.compile(r"[A-Z]\d+(?:\.[a-z][a-z0-9-]*)?")
NUMBER = r"[-−]?\d+(?:\.\d+)?(?:e[-+]?\d+)?"
NEEDS = {
    "number": {"measured"},
    "choice": {"options", "right"},
    "order": {"options", "right"},
    "words": set(),
}
MAY = {
    "number": {"ask", "unit", "times", "close"},
    "choice": {"ask", "measured"},
    "order": {"ask", "measured"},
    "words": {"ask", "measured"},
}

log = logging.getLogger(__name__)


class Fault(Exception):
    """What is wrong with a comment, in one sentence."""


# --- from the comment to the data -----------------------------------------------------


def parse(text):
    """Return the name and the parts of a comment; raise Fault if it has none."""
    found = COMMENT.fullmatch(text.strip())
    name = found["name"].strip() if found else ""
    if not NAME.fullmatch(name):
        raise Fault(f"a name like one-outlier must follow 'predict:', got {name!r}")
    try:
        parts = yaml.safe_load(found["list"])
    except yaml.YAMLError as error:
        why = str(error).replace("\n", " ")
        raise Fault(f"{name} must hold a list in YAML, got {why}") from None
    if not isinstance(parts, list) or not all(isinstance(p, dict) for p in parts):
        raise Fault(f"{name} must hold a list of '- kind: …', got {parts!r}")
    return name, parts


def checked(part):
    """Return a part as its kind wants it; raise Fault otherwise."""
    kind = part.get("kind")
    if kind not in NEEDS:
        raise Fault(f"kind must be number, choice, order or words, got {kind!r}")
    given = part.keys() - {"kind"}
    missing, unknown = NEEDS[kind] - given, given - NEEDS[kind] - MAY[kind]
    if missing or unknown:
        what = ", ".join(sorted(missing) + [f"no {word}" for word in sorted(unknown)])
        raise Fault(f"a {kind} must have {what}, got {', '.join(sorted(given))}")
    if kind in ("choice", "order"):
        part = part | {"options": [str(option) for option in part["options"]]}
        right, options = part["right"], part["options"]
        part["right"] = [*map(str, right if isinstance(right, list) else [right])]
        if not 2 <= len(options) == len(set(options)) <= 5:
            raise Fault(f"options must be two to five different ones, got {options}")
        wanted = sorted(options) if kind == "order" else None
        if wanted not in (None, sorted(part["right"])):
            raise Fault(f"right must be all options, ranked, got {part['right']}")
        if kind == "choice" and part["right"][0] not in options:
            raise Fault(f"right must be one of {options}, got {part['right'][0]!r}")
    return part


def number(text):
    """Return a printed number as a float."""
    return float(text.replace("−", "-"))


def printed(pattern, outputs):
    """Return the number in the place of ``_`` in what the cells have printed."""
    if pattern.count("_") != 1:
        raise Fault(f"measured must be a claim or a text with one _, got {pattern!r}")
    signs = {"_": f"({NUMBER})", "\\#": NUMBER, "…": ".*?"}
    words = [re.escape(word) for word in pattern.split()]
    for sign, meaning in signs.items():
        words = [word.replace(sign, meaning) for word in words]
    wanted = re.compile(r"\s+".join(words).replace(r"\s+.*?\s+", r"\s*.*?\s*"), re.S)
    for output in outputs:
        found = wanted.search(output)
        if found:
            return found[1]
    raise Fault(f"measured must be printed by a cell of the page, got {pattern!r}")


def shown(value, times):
    """Return a number as a reader reads it, and as one that can be compared."""
    if times == 1:
        return value.replace("-", "−"), number(value)
    product = number(value) * times
    return f"{product:.3g}".replace("-", "−"), product


def measurement(part, claims, outputs):
    """Return what was measured: its text, value, spread and the address of its line."""
    source = str(part["measured"])
    if not CLAIM.fullmatch(source):
        text, value = shown(printed(source, outputs), part.get("times", 1))
        return {"text": text, "value": value}
    if source not in claims:
        raise Fault(f"measured must be a claim of this page, got {source!r}")
    claim = claims[source]
    first, _, rest = claim.measured.partition(" (")
    text, value = shown(first, part.get("times", 1))
    spread = re.match(rf"({NUMBER}) to ({NUMBER})", rest)
    found = {"text": text, "value": value, "claim": source, "at": claim.anchor}
    if spread:
        found["spread"] = [shown(s, part.get("times", 1))[1] for s in spread.groups()]
    return found


def closeness(part, found):
    """Return between which values an answer is called close."""
    value, close = found["value"], part.get("close")
    low, high = found.get("spread", (value, value))
    factor = re.fullmatch(r"x(\d+(?:\.\d+)?)", str(close))
    if factor:
        ends = value / float(factor[1]), value * float(factor[1])
    elif isinstance(close, int | float) and not isinstance(close, bool):
        ends = value - close, value + close
    elif close is None and value:
        ends = 0.8 * value, 1.2 * value
    else:
        raise Fault(f"close must be a number, or a factor like x3, got {close!r}")
    return [min(low, *ends), max(high, *ends)]


def outcome(part, claims, outputs):
    """Return what came out, as the script wants it to compare an answer with."""
    made = {"right": part["right"]} if "right" in part else {}
    if "measured" in part:
        found = measurement(part, claims, outputs)
        if part["kind"] == "number":
            made["near"] = [float(f"{end:.6g}") for end in closeness(part, found)]
        if all(re.fullmatch(NUMBER, option) for option in part.get("options", ())):
            made["measured"] = found["text"] + unit(part)
        if "claim" in found:
            made |= {"claim": found["claim"], "at": found["at"]}
    return made


# --- from the data to the page --------------------------------------------------------


def fields(name, parts, outcomes):
    """Return the form of a question; without a script it is hidden and does nothing."""
    rows = zip(parts, outcomes, strict=True)
    inner = "".join(row(f"{name}-{i}", *pair) for i, pair in enumerate(rows))
    return (
        f'<form class="predict-form" method="dialog" data-name="{name}">\n{inner}'
        '<p><button>Keep my answer</button> <output class="predict-kept"></output></p>'
        "\n</form>\n"
    )


def row(name, part, outcome):
    """Return what is to be filled in for one part."""
    data = escape(json.dumps(outcome, ensure_ascii=False, separators=(",", ":")))
    ask = escape(part.get("ask", "Your answer"))
    hidden = "" if "ask" in part else ' class="visually-hidden"'
    inner = {
        "number": f'<label><span{hidden}>{ask}</span> <input type="number" step="any" '
        f"required>{escape(unit(part))}</label>",
        "words": f"<label><span{hidden}>{ask}</span> "
        '<input type="text" maxlength="200" required></label>',
    }
    if part["kind"] in inner:
        body = f"<p>{inner[part['kind']]}</p>"
    else:
        make = choice if part["kind"] == "choice" else ranks
        body = f"<fieldset><legend{hidden}>{ask}</legend>{make(name, part)}</fieldset>"
    return f"<div data-part='{data}'>{body}</div>\n"


def unit(part):
    """Return the unit as it follows a number: "%" closely, a word after a space."""
    text = part.get("unit", "")
    return f"\N{NO-BREAK SPACE}{text}" if text[:1].isalpha() else text


def choice(name, part):
    options = map(escape, part["options"])
    return " ".join(
        f'<label><input type="radio" name="{name}" value="{option}" required> '
        f"{option}</label>"
        for option in options
    )


def ranks(name, part):
    """Return one list to choose from for each place."""
    options = "".join(f"<option>{escape(text)}</option>" for text in part["options"])
    return " ".join(
        f"<label>{place} <select required><option></option>{options}</select></label>"
        for place in ("First", "then", "then", "then", "then")[: len(part["options"])]
    )


# --- on the page ----------------------------------------------------------------------


class Predictions(SphinxTransform):
    """Give each box that asks its fields."""

    default_priority = 19  # after the boxes, the claims and the figures

    def apply(self, **kwargs):
        for node in list(self.document.findall(nodes.raw)):
            if COMMENT.match(node.astext().strip()):
                try:
                    self.join(node)
                except Fault as fault:
                    place = (self.env.docname, node.line)
                    log.warning("predict: %s", fault, location=place, type="coursesite")
                node.parent.remove(node)

    def join(self, node):
        name, parts = parse(node.astext())
        box = node.parent[node.parent.index(node) - 1]
        if "callout-predict" not in getattr(box, "attributes", {}).get("classes", ()):
            raise Fault(f"{name} must stand below a box that begins with **Predict.**")
        here = self.env.docname
        known = names(self.env)
        if known.setdefault(name, here) != here or f"predict-{name}" in self.seen():
            raise Fault(f"no other box may be called {name}, got one in {known[name]}")
        claims = {c.label: c for c in claims_by_page(self.env).get(here, ())}
        try:
            parts = [checked(part) for part in parts]
            outcomes = [outcome(part, claims, self.outputs()) for part in parts]
        except Fault as fault:
            raise Fault(f"{name}: {fault}") from None
        box["ids"].append(f"predict-{name}")
        below = node.next_node(siblings=True, descend=False)
        if below is not None and below.astext().startswith("<details"):
            box["classes"].append("callout-answered")
        box += nodes.raw("", fields(name, parts, outcomes), format="html")

    def seen(self):
        boxes = self.document.findall(nodes.container)
        return {identifier for box in boxes for identifier in box["ids"]}

    def outputs(self):
        """Return what the cells of the page have printed, tables as text."""
        path = Path(self.env.doc2path(self.env.docname))
        if path.suffix != ".ipynb":
            return []
        cells = json.loads(path.read_text("utf8"))["cells"]
        found = [output for cell in cells for output in cell.get("outputs", ())]
        texts = [
            output.get("text") or output.get("data", {}).get("text/plain", "")
            for output in found
        ]
        return ["".join(text) for text in texts]


def names(env):
    """Return ``{name of a question: page}``."""
    if not hasattr(env, "course_predictions"):
        env.course_predictions = {}
    return env.course_predictions


def forget_page(app, env, docname):
    kept = {k: v for k, v in names(env).items() if v != docname}
    env.course_predictions = kept


def merge_pages(app, env, docnames, other):
    names(env).update(names(other))


def add_script(app, pagename, templatename, context, doctree):
    """Give the page that shows what a browser keeps the script that does it."""
    if pagename == KEPT:
        app.add_js_file("yours.js", loading_method="defer")


def setup(app):
    app.add_transform(Predictions)
    app.connect("html-page-context", add_script)
    app.add_js_file("reader.js")
    app.connect("env-purge-doc", forget_page)
    app.connect("env-merge-info", merge_pages)
