"""How the tests of the pages that run press their buttons, and what they type."""

import json
import re
from contextlib import contextmanager

import pytest

from tests.site.axe import broken, describe
from tests.site.course import ROOT, TOC_PAGES

# Without a source of Python for the pages the site is built, and complete, without it.
needs_python = pytest.mark.skipif(
    not (ROOT / "live" / "pyodide" / "pyodide-lock.json").is_file(),
    reason="Python for the pages is not laid out: no source of it answered",
)
# Milliseconds in which Python starts, on a busy machine too.
START = 120_000
# Exercises whose answer or checker is written in PyTorch.
NEEDS_TORCH = {"5.4", "8.6", "10.1", "10.4", "10.5", "H.10"} | {
    f"P.{i}" for i in range(2, 8)
}
STORE = "batch-normalization-measured:"
SHIFTED = "def forward(x, gamma, beta, eps):\n    return x\n"


def cells(page):
    """Return the cells of a notebook."""
    return json.loads((ROOT / f"{page}.ipynb").read_text("utf8"))["cells"]


def exercises(page):
    """Return {number: {role: source}} of a page, {} if it is no notebook."""
    found = {}
    if (ROOT / f"{page}.ipynb").is_file():
        for cell in cells(page):
            about = cell["metadata"].get("exercise")
            if about:
                part = found.setdefault(about["id"], {"name": about["name"]})
                part[about["role"]] = "".join(cell["source"])
    return found


PRACTICE = [page for page in TOC_PAGES if exercises(page).keys() - NEEDS_TORCH]


def solutions(page):
    """Return {number: the published solution, under the name that is asked for}."""
    found = {}
    for number, parts in exercises(page).items():
        if number in NEEDS_TORCH:
            continue
        code = parts["solution"].partition("\n\n\ncheck(")[0]
        if "published." in code:  # the text above the cell has it
            text = "\n".join("".join(cell["source"]) for cell in cells(page))
            name = code.rpartition("published.")[2].split()[0]
            code = re.search(rf"```python\n(def {name}\b.*?)```", text, re.S)[1]
        found[number] = re.sub(r"\b(def|class) (\w+)_solution\b", r"\1 \2", code)
    return found


# A Python that many pages ask. It runs in the worker of one page; on the others a
# stand-in for the worker hands messages on, and the page cannot tell.
HOST = """() => {
    const { live, pyodide } = document.querySelector('script[data-live]').dataset;
    const address = (folder, file) => new URL(folder + file, location.href).href;
    const line = new BroadcastChannel('python');
    const worker = new Worker(address(live, 'worker.mjs'), { type: 'module' });
    const python = (window.python = { worker: address(live, 'worker.mjs') });
    python.folder = address(pyodide, '');
    python.asked = []; // the folders from which pages wanted to start it
    const ready = new Promise((resolve, reject) => {
        worker.onmessage = ({ data }) => {
            if (data.kind === 'ready') resolve();
            else if (data.kind === 'broken') reject(new Error(data.text));
            else if (python.hear) python.hear(data);
            else line.postMessage(data);
        };
    });
    worker.postMessage({ task: 'start', folder: python.folder });
    line.onmessage = ({ data }) => {
        if (data.task !== 'start') return worker.postMessage(data);
        python.asked.push(data.folder);
        ready.then(() => line.postMessage({ kind: 'ready' }));
    };
    // Runs code that is no cell of a page; returns what it prints.
    python.run = code => new Promise(resolve => {
        let said = '';
        python.hear = ({ kind, text, went }) => {
            if (kind === 'text') said += text;
            if (!['done', 'broken'].includes(kind)) return;
            python.hear = null;
            resolve(went === 'ok' ? said : `${said}${text ?? went}`);
        };
        worker.postMessage({ id: 0, task: 'cell', code, name: 'tests' });
    });
    return ready;
}"""
STAND_IN = """
const line = new BroadcastChannel('python');
onmessage = ({ data }) => line.postMessage(data);
line.onmessage = ({ data }) => postMessage(data);
"""
# What an answer would have to load before it runs.
LOADED = "import sys\nprint('matplotlib' in sys.modules)"


class Python:
    """One Python, started as a page starts it, for many pages of one context."""

    def __init__(self, page):
        self.page = page
        page.set_default_timeout(START)
        page.evaluate(HOST)

    def answer(self, page):
        """Let a page that has not started Python yet ask this one."""
        worker = self.page.evaluate("python.worker")
        page.route(
            "**/worker.mjs",
            lambda route: route.fulfill(
                content_type="text/javascript",
                body=STAND_IN if route.request.url == worker else "another worker",
            ),
        )

    def run(self, code):
        """Run code and return what it prints."""
        return self.page.evaluate("code => python.run(code)", code)

    def check(self):
        """Whoever asked would have found the same, had it started Python itself."""
        asked, folder = self.page.evaluate("[python.asked, python.folder]")
        assert {*asked} == {folder}
        assert self.run(LOADED).strip() == "False"


class Exercise:
    """An exercise on a page, and what a reader does with it."""

    def __init__(self, page, number):
        from playwright.sync_api import expect

        expect.set_options(timeout=60_000)
        self.page, self.expect, self.number = page, expect, number
        heading = page.locator(f"section > h3:has-text('Exercise {number} ·')")
        # By its id it is found at once, each time that something in it is asked for.
        self.section = page.locator(f"#{heading.evaluate('it => it.parentElement.id')}")
        self.editor = self.section.locator(".cm-content")
        self.status = self.section.locator(".live-status")
        self.output = self.section.locator(".live-output")
        self.notes = self.section.locator(".live-notes")

    def button(self, name, **options):
        return self.section.get_by_role("button", name=name, **options)

    def open(self, name=re.compile("Answer on this page|Go on with your answer")):
        """Press the button that opens the editor, which has the focus then."""
        self.button(name).click()
        self.expect(self.editor).to_be_focused(timeout=60_000)
        return self

    def write(self, text):
        """Put a text in the place of what stands in the editor."""
        self.editor.click()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(text)

    def check(self, verdict, limit=START):
        """Press Check and wait for a verdict, a pattern of what is announced."""
        self.button("Check").click()
        self.hears(verdict, limit)

    def hears(self, verdict, limit=START):
        self.expect(self.status).to_have_text(re.compile(verdict), timeout=limit)

    def text(self):
        lines = "lines => lines.map(line => line.textContent)"
        return "\n".join(self.editor.locator(".cm-line").evaluate_all(lines))


@contextmanager
def blocked(page, *patterns):
    """Let requests fail, as without a connection."""
    for pattern in patterns:
        page.context.route(pattern, lambda route: route.abort())
    yield
    for pattern in patterns:
        page.context.unroute(pattern)


def kept(page):
    """Return what the browser keeps of ours: {key without its beginning: value}."""
    entries = page.evaluate("Object.entries(localStorage)")
    return {k.removeprefix(STORE): v for k, v in entries if k.startswith(STORE)}


def compact(value):
    """Return JSON as a browser writes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def keep(page, **entries):
    """Put entries where the page keeps them."""
    for key, value in entries.items():
        text = value if isinstance(value, str) else compact(value)
        page.evaluate("([k, v]) => localStorage.setItem(k, v)", [STORE + key, text])


def broken_rules(page):
    """Return what axe finds in the parts of a page that run."""
    parts = (".live-bar", ".live-starter", ".live-check", ".live-data", ".live-dialog")
    here = [part for part in parts if page.locator(part).count()]
    return [*map(describe, broken(page, *here))]
