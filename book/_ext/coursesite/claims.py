"""The lines of claims that the cells have printed, as targets and as links.

``bnlib.claim`` prints

    ✔ B2 · the gradient has no component along 1 · measured 0 (to rounding), needs < 1
    ✔ W4.gain · points gained · measured 6 (5 to 7, 5 seeds), needs > 4 · digits, an MLP

Each line becomes a link target, ``claim-b2`` and ``claim-w4-gain``, and its identifier
a link to the row of the ledger, the page with ``<!-- ledger -->``. A link to the ledger
whose text is an identifier or a key, ``[W4.gain](claims.md)``, leads to the line.
"""

import re
from collections import Counter
from dataclasses import dataclass

from docutils import nodes
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.nodes import make_refnode

from . import ledger_data as data
from .chapters import letters

PLACE = "<!-- ledger -->"
LINE = re.compile(
    r"✔ (?P<name>[A-Z]\d+)(?:\.(?P<key>[a-z][a-z0-9-]*))? · (?P<sentence>.+?) · "
    r"measured (?P<measured>.+?), needs (?P<needs>[^·]+?)(?: · (?P<scope>.+))?"
)
VERDICTS = ("✔ ", "✘ ", "○ ")
ALMOST = re.compile(r"✔ [A-Z]\d+\b")
MENTION = re.compile(r"([A-Z]\d+)(?:\.([a-z][a-z0-9-]*))?")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Claim:
    """One line of the ledger and the place where it was measured."""

    name: str
    key: str | None
    sentence: str
    measured: str
    needs: str
    scope: str | None
    docname: str
    anchor: str

    @property
    def label(self):
        """The identifier with its key, as the line names itself."""
        return f"{self.name}.{self.key}" if self.key else self.name

    def rank(self, order):
        """Sort by the letter's place in the order, then by the number."""
        letter, number = self.name[0], int(self.name[1:])
        group = order.find(letter) if letter in order else len(order)
        return group, letter, number


def claims_by_page(env):
    """Return ``{docname: [Claim, ...]}``."""
    if not hasattr(env, "course_claims"):
        env.course_claims = {}
    return env.course_claims


def all_claims(env):
    """Return the claims of the book in the order of their letters."""
    pages = claims_by_page(env)
    claims = [claim for docname in sorted(pages) for claim in pages[docname]]
    order = letters(env.srcdir)
    return sorted(claims, key=lambda claim: claim.rank(order))


def ledger_page(env):
    """Return the page with the ledger, or None."""
    return min(getattr(env, "course_ledger_pages", ()), default=None)


def row_id(name):
    return f"ledger-{name.lower()}"


def holds(node, mark):
    """Say whether a raw node is this comment."""
    return node.astext().strip() == mark


def forget_page(app, env, docname):
    claims_by_page(env).pop(docname, None)


def merge_pages(app, env, docnames, other):
    claims_by_page(env).update(claims_by_page(other))


class CollectClaims(SphinxTransform):
    """Find the claims of a page in the text outputs of its cells."""

    default_priority = 16

    def apply(self, **kwargs):
        seen = Counter()
        claims = []
        for output in list(self.document.findall(nodes.literal_block)):
            if "stream" not in output["classes"]:
                continue
            lines = output.astext().splitlines(keepends=True)
            if any(line.startswith(VERDICTS) for line in lines):
                output["classes"].append("verdict")  # a sentence, which may be wrapped
            found = [LINE.fullmatch(line.rstrip()) for line in lines]
            if any(found):
                claims += self.declare(output, lines, found, seen)
            for line, match in zip(lines, found, strict=True):
                if not match and ALMOST.match(line):
                    message = "this looks like a claim, but cannot be read: %s"
                    place = self.env.docname
                    line = line.rstrip()
                    log.warning(message, line, location=place, type="coursesite")
        if claims:
            claims_by_page(self.env)[self.env.docname] = claims

    def declare(self, output, lines, found, seen):
        """Make each claim line of the output a target; return the claims."""
        output["classes"].append("claim")
        output.clear()
        claims = []
        for line, match in zip(lines, found, strict=True):
            if match:
                claim, ids = self.claim(match, seen)
                words = nodes.Text(line)  # its end inside, so that it may be a block
                output += nodes.inline("", "", words, ids=ids, classes=["claim-line"])
                claims.append(claim)
            else:
                output += nodes.Text(line)
        output.rawsource = ""  # Sphinx keeps what stands inside a block it has not read
        return claims

    def claim(self, match, seen):
        """Return the claim and its addresses: one by its key, one by its number."""
        name = match["name"]
        seen[name] += 1
        count = f"-{seen[name]}" if seen[name] > 1 else ""
        ids = [f"claim-{name.lower()}{count}"]
        if match["key"]:  # stays the same when a line is added before it
            ids.insert(0, f"claim-{name.lower()}-{match['key']}")
        place = {"docname": self.env.docname, "anchor": ids[0]}
        return Claim(**match.groupdict(), **place), ids


def check_claims(app, env):
    """Warn of an identifier that two chapters use, and renew the ledger."""
    home = {}
    for claim in all_claims(env):
        first = home.setdefault(claim.name, claim.docname)
        if first != claim.docname:
            message = "claim %s is measured in two chapters, here and in %s"
            place = claim.docname
            log.warning(message, claim.name, first, location=place, type="coursesite")
    return sorted(getattr(env, "course_ledger_pages", ()))


class FindLedger(SphinxTransform):
    """Remember which page wants the ledger: it depends on all others."""

    default_priority = 16

    def apply(self, **kwargs):
        if any(holds(node, PLACE) for node in self.document.findall(nodes.raw)):
            pages = getattr(self.env, "course_ledger_pages", frozenset())
            self.env.course_ledger_pages = pages | {self.env.docname}


class LinesToLedger(SphinxPostTransform):
    """Lead from the identifier of each printed line to its row of the ledger."""

    default_priority = 7

    def run(self, **kwargs):
        ledger = ledger_page(self.env)
        if ledger is None:
            return
        for line in self.document.findall(nodes.inline):
            if "claim-line" in line["classes"]:
                self.dress(line, LINE.fullmatch(line.astext().rstrip()), ledger)

    def dress(self, line, match, ledger):
        """Give the parts of a line their looks; its text stays as it was printed."""
        here, builder = self.env.docname, self.app.builder
        name = nodes.inline("", label(match))
        link = make_refnode(builder, here, ledger, row_id(match["name"]), name)
        sentence = nodes.inline("", match["sentence"], classes=["claim-sentence"])
        head = nodes.inline(
            "", "", nodes.Text("✔ "), link, dot(), sentence, classes=["claim-head"]
        )
        value, space, spread = match["measured"].partition(" (")
        known = data.numbers(match["measured"], match["needs"])
        numbers = nodes.inline("", "", classes=["claim-numbers"])
        numbers += nodes.raw("", data.bar(known), format="html") if known else []
        numbers += [nodes.Text("measured "), nodes.strong("", value)]
        numbers += nodes.Text(f"{space}{spread}, needs {match['needs']}")
        scope = nodes.inline("", match["scope"] or "", classes=["claim-scope"])
        parts = [head, dot(), numbers, *([dot(), scope] if match["scope"] else [])]
        end = line.astext()[match.end() :]  # the end of the line
        line.children = []
        line += [*parts, nodes.Text(end)]


def label(match):
    """Return the identifier of a line with its key."""
    return f"{match['name']}.{match['key']}" if match["key"] else match["name"]


def dot():
    """Return what separates the parts of a line where they are not set apart."""
    return nodes.inline("", " · ", classes=["claim-dot"])


class MentionsToLines(SphinxPostTransform):
    """Lead from ``[W4.gain](claims.md)`` to the line, once the page is known."""

    default_priority = 20

    def run(self, **kwargs):
        ledger = ledger_page(self.env)
        if ledger is None:
            return
        builder, here = self.app.builder, self.env.docname
        address = builder.get_relative_uri(here, ledger)
        known = {}
        for claim in all_claims(self.env):
            known.setdefault(claim.name, claim)
            known[claim.label] = claim
        for link in self.document.findall(nodes.reference):
            label = link.astext()
            if link.get("refuri") == address and MENTION.fullmatch(label):
                claim = known.get(label)
                if claim is None:
                    message = "no cell prints the claim %s"
                    log.warning(message, label, location=here, type="coursesite")
                    continue
                page = builder.get_relative_uri(here, claim.docname)
                link["refuri"] = f"{page}#{claim.anchor}"
                link["reftitle"] = claim.sentence


def setup(app):
    app.add_transform(CollectClaims)
    app.add_transform(FindLedger)
    app.add_post_transform(LinesToLedger)
    app.add_post_transform(MentionsToLines)
    app.connect("env-purge-doc", forget_page)
    app.connect("env-merge-info", merge_pages)
    app.connect("env-updated", check_claims)
