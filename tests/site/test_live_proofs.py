"""What tests/exercises proves of every exercise, proven again in the browser."""

import base64
import io
import json
import zipfile

from tests.site.course import ROOT
from tests.site.live import NEEDS_TORCH, needs_python

pytestmark = needs_python

# Runs code in a worker of its own and returns what it prints.
RUN = """code => new Promise(resolve => {
    const { live, pyodide } = document.querySelector('script[data-live]').dataset;
    const at = (folder, file) => new URL(folder + file, location.href);
    const worker = new Worker(at(live, 'worker.mjs'), { type: 'module' });
    let said = '';
    worker.onmessage = ({ data }) => {
        if (data.kind === 'text') said += data.text;
        if (!['done', 'broken'].includes(data.kind)) return;
        worker.terminate();
        resolve(data.went === 'ok' ? said : `${said}${data.text ?? data.went}`);
    };
    worker.postMessage({ task: 'start', folder: at(pyodide, '').href });
    worker.postMessage({ id: 1, task: 'cell', code, name: 'proofs' });
})"""

# Answers written with PyTorch stand in files with others: a stub lets all be imported.
PROOFS = """
import base64, importlib.machinery, io, json, sys, types, zipfile

zipfile.ZipFile(io.BytesIO(base64.b64decode(archive))).extractall("/proofs")
sys.path.insert(0, "/proofs")


class Absent(type):
    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return cls

    def __call__(cls, *args, **kwargs):
        return args[0] if args and callable(args[0]) else cls


class Stub(types.ModuleType):
    __path__ = ()

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Absent("stub", (), {})


class Stubs:
    def find_spec(self, name, path=None, target=None):
        torch = name.partition(".")[0] == "torch"
        return importlib.machinery.ModuleSpec(name, self) if torch else None

    def create_module(self, spec):
        return Stub(spec.name)

    def exec_module(self, module):
        pass


stubs = Stubs()
sys.meta_path.insert(0, stubs)
import proof
sys.meta_path.remove(stubs)
for name in [name for name in sys.modules if name.partition(".")[0] == "torch"]:
    del sys.modules[name]

count, wrong = dict.fromkeys(["right", "starter", "named", "mutant", "garbage"], 0), []


def note(kind, holds, *what):
    count[kind] += 1
    if not holds:
        wrong.append([kind, *what])


for name in names:
    exercise = proof.get(name)
    for fn in proof.right_answers(name):
        note("right", proof.verdict(name, fn).status == "right", name, fn.__name__)
    nothing = proof.verdict(name, lambda *args: ...)
    note("starter", nothing.status == "not attempted", name)
    for known in exercise.misconceptions:
        if known.wrong:
            said = proof.verdict(name, known.wrong).misconception
            note("named", said == known.name, name, known.name)
    for misconception, fns in proof.MUTANTS[name].items():
        for fn in fns:
            judged = proof.verdict(name, fn)
            named = proof.names_in(judged.text, exercise)
            holds = judged.status == "not yet" and named == {misconception}
            note("mutant", holds, name, fn.__name__)
    for kind, (fn, word) in proof.GARBAGE.items():
        if kind == "loops" and not exercise.number.endswith(".1"):
            continue  # each waits for its limit: one of a chapter stands for all
        limit = proof.LOOP_LIMIT if kind == "loops" else 10.0
        said = " ".join(proof.verdict(name, fn, limit).text.split())
        note("garbage", "not yet" in said and word in said, name, kind)
print(json.dumps([count, wrong]))
"""


# Right answers that are written with PyTorch on purpose: other ways to the numbers.
WITH_TORCH = [
    ["right", "blend", "right_with_lerp"],
    ["right", "forward_and_backward", "right_by_autograd"],
]


def live_names(proof):
    return [n for n in proof.MUTANTS if proof.get(n).number not in NEEDS_TORCH]


def expected(proof):
    """Return how often each kind of proof is to be made."""
    names = live_names(proof)
    known = [m for name in names for m in proof.get(name).misconceptions if m.wrong]
    loops = [name for name in names if proof.get(name).number.endswith(".1")]
    return {
        "right": sum(len(proof.right_answers(name)) for name in names),
        "starter": len(names),
        "named": len(known),
        "mutant": sum(name in names for name, _, _ in proof.all_mutants()),
        "garbage": len(names) * (len(proof.GARBAGE) - 1) + len(loops),
    }


def test_proofs_hold_in_the_browser(visit, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "tests" / "exercises")
    import proof

    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((ROOT / "tests" / "exercises").glob("*.py")):
            if path.stem.startswith(("proof", "answers_")):
                archive.write(path, path.name)
    packed = base64.b64encode(content.getvalue()).decode()
    given = f"archive = {packed!r}\nnames = {live_names(proof)!r}\n"
    page, _ = visit("book/02-forward.html")
    page.set_default_timeout(600_000)
    count, wrong = json.loads(page.evaluate(RUN, given + PROOFS))
    assert wrong == WITH_TORCH
    assert count == expected(proof)
