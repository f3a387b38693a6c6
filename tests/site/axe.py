"""The rules of accessibility, asked of a page or of a part of it by axe."""

import functools

STANDARDS = [
    "wcag2a",
    "wcag2aa",
    "wcag21a",
    "wcag21aa",
    "wcag22aa",
    "best-practice",
]
# Only what is broken comes back: the nodes that pass are thousands.
ASK = """([places, options]) => axe.run(places ?? document, options)
    .then(said => said.violations)"""


@functools.cache
def script():
    from axe_playwright_python.sync_playwright import Axe

    return Axe().axe_script


def broken(page, *places, **options):
    """Return the rules that a page breaks, or these parts of it.

    ``preload=True`` reads the stylesheets as well, for the one rule that asks them.
    """
    options = {"runOnly": STANDARDS, "preload": False} | options
    options["resultTypes"] = ["violations"]
    if not page.evaluate("'axe' in window"):
        page.evaluate(script())
    where = {"include": [[place] for place in places]} if places else None
    return page.evaluate(ASK, [where, options])


def describe(violation):
    """Return the rule that is broken, and where."""
    seen = [
        f"  {node['target']} {node['html'][:120]}\n    {node['failureSummary']}"
        for node in violation["nodes"][:3]
    ]
    return "\n".join([f"{violation['id']}: {violation['help']}", *seen])
