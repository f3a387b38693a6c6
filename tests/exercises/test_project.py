"""The project as a whole: its file, and what is said about it."""

import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bnlib.exercises import check, check_project, get, names, write_project
from bnlib.exercises.engine.checker import diagnose
from bnlib.exercises.engine.compare import difference, quietly
from bnlib.exercises.project import CAN, STEPS

torch = pytest.importorskip("torch")

from answers_project import changed, right_with_identities  # noqa: E402

from bnlib.exercises import my_batch_norm as published  # noqa: E402

ALL = [getattr(published, step.function) for step in STEPS]
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def room(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def starter(net):
    """Return a net without norms."""
    return ...


class Unfinished(torch.nn.Module):
    def __init__(self, num_features):
        super().__init__()
        ...  # your code


LIMIT = 3


def helper(x):
    return Path(str(x)), LIMIT


def with_helper(x):
    return helper(os.path.join(str(x), "a"))


def printed(capsys, fn, *args, **options):
    fn(*args, **options)
    return capsys.readouterr().out


def test_there_are_seven_steps_in_order():
    found = [get(name) for name in names() if get(name).chapter == "P"]
    assert [e.number for e in found] == [f"P.{i}" for i in range(1, 8)]
    assert [e.name for e in found] == [e.name for e in STEPS]
    assert len(CAN) == len(STEPS)


def test_published_answers_are_written_and_do_everything(capsys):
    text = printed(capsys, write_project, *ALL)
    assert text == "my_batch_norm.py is written: 8 definitions.\n"
    assert printed(capsys, check_project).splitlines() == [
        "my_batch_norm.py: 7 of 7 steps.",
        *(f"✔ {i} {can}" for i, can in enumerate(CAN, 1)),
    ]


def test_the_file_runs_alone(room):
    write_project(*ALL)
    code = "import my_batch_norm as m; import sys; print('bnlib' in sys.modules)"
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=room, env=env, capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr


def test_helpers_imports_and_numbers_come_along(room):
    write_project(with_helper)
    names = {}
    exec((room / "my_batch_norm.py").read_text(encoding="utf-8"), names)
    assert names["with_helper"](1) == (Path("1/a"), 3)
    assert "pytest" not in names


def test_starters_are_left_out(room, capsys):
    text = printed(capsys, write_project, starter, published.fold_net, Unfinished)
    assert text == (
        "my_batch_norm.py is written: 1 definition.\n"
        "Left out, because still starters: starter, Unfinished.\n"
    )
    (room / "my_batch_norm.py").unlink()
    text = printed(capsys, write_project, starter)
    assert text.startswith("Nothing was written to my_batch_norm.py: all of these are")
    assert not list(room.iterdir())


def test_what_has_no_source_is_named(room, capsys):
    space = {}
    exec(compile("def lost(x):\n    return x\n", "<nowhere>", "exec"), space)
    text = printed(capsys, write_project, space["lost"])
    said = "✘ The source of lost is not known here; run the cells with it again.\n"
    assert text == said and not list(room.iterdir())
    text = printed(capsys, write_project, space["lost"], published.fold_net)
    assert text == said + "my_batch_norm.py is written: 1 definition.\n"


def test_without_pytorch_check_says_what_it_needs(room):
    """As in a browser: no traceback, and nothing that blames the learner."""
    write_project(*[f for f in ALL if f.__name__ == "forward_and_backward"])
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from bnlib.exercises import *\n"
        "lacking = lambda: __import__('torch')\n"
        "for name in ('P.2', 'P.5', '5.4', '10.1', '10.5'):\n"
        "    check(name, get(name).reference or (lambda *args: args))\n"
        "check('1.1', lambda x: lacking())\n"
        "with open('my_batch_norm.py', 'a') as file:\n"
        "    file.write('def fold_net(net): return net\\n')\n"
        "check_project()\n"
    )
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=room, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines, needs = done.stdout.splitlines(), "needs PyTorch, which is not installed"
    for line, number in zip(lines, ("P.2", "P.5", "5.4", "10.1", "10.5"), strict=False):
        assert line == f"✘ Exercise {number} {needs} here."
    assert lines[5] == "✘ Exercise 1.1 · not yet."
    assert "  Your code raised ModuleNotFoundError" in done.stdout
    assert lines[-8:-5] == [
        "my_batch_norm.py: 1 of 7 steps.",
        f"✔ 1 {CAN[0]}",
        "○ 2 BatchNorm is not in the file yet.",
    ]
    assert f"○ 5 fold_net {needs} here." in lines


def test_nothing_is_overwritten(room, capsys):
    file = room / "my_batch_norm.py"
    file.write_text("# mine\n")
    text = " ".join(printed(capsys, write_project, published.fold_net).split())
    assert "differs and is kept as my_batch_norm.1.py." in text
    assert (room / "my_batch_norm.1.py").read_text() == "# mine\n"
    again = printed(capsys, write_project, published.fold_net)
    assert again == "my_batch_norm.py is up to date: 1 definition.\n"
    file.write_text("# mine, too\n")
    write_project(published.fold_net)
    assert (room / "my_batch_norm.2.py").read_text() == "# mine, too\n"
    assert (room / "my_batch_norm.1.py").read_text() == "# mine\n"


def test_a_place_that_cannot_be_written_gives_a_sentence(room, capsys):
    text = printed(capsys, write_project, published.fold_net, path=room / "no/file.py")
    assert "file.py could not be written: FileNotFoundError" in text


@pytest.mark.parametrize(("given", "got"), [((), "nothing"), ((3,), "int")])
def test_what_is_no_definition_gives_a_sentence(given, got, capsys):
    text = printed(capsys, write_project, *given)
    assert text.startswith("✘ write_project takes functions and classes, got " + got)


def test_a_missing_file_gives_a_sentence(capsys):
    text = printed(capsys, check_project)
    assert (
        text == "There is no my_batch_norm.py here yet. write_project(...) makes it.\n"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import nothing_of_this_name\n", "ModuleNotFoundError: No module named"),
        ("def fold(:\n", "SyntaxError"),
        ("x = 1\nx.y\n", "no attribute 'y' (line 2: x.y)."),
        ("raise SystemExit\n", "SystemExit"),
    ],
)
def test_a_file_that_does_not_run_gives_a_sentence(room, text, words, capsys):
    (room / "my_batch_norm.py").write_text(text)
    said = printed(capsys, check_project)
    assert said.startswith("✘ my_batch_norm.py cannot be run: ") and words in said


def test_each_step_is_told_apart(room, capsys):
    wrong = changed(published.fold_net, (" + layer.bias", ""))
    source = "\n\n".join(
        [
            (ROOT / "bnlib/exercises/my_batch_norm.py").read_text(encoding="utf-8"),
            "def adapt_net(net, batches):\n    return ...",
            "del prune_net",
        ]
    )
    source = source.replace(" + layer.bias", "")
    (room / "my_batch_norm.py").write_text(source, encoding="utf-8")
    assert printed(capsys, check_project).splitlines() == [
        "my_batch_norm.py: 4 of 7 steps.",
        *(f"✔ {i} {can}" for i, can in enumerate(CAN[:4], 1)),
        '✘ 5 fold_net: beta forgotten. check("P.5", fold_net) says more.',
        "○ 6 adapt_net is still a starter.",
        "○ 7 prune_net is not in the file yet.",
    ]
    assert diagnose(get("fold_net"), wrong).misconception == "beta forgotten"


def test_an_error_that_is_raised_is_told(room, capsys):
    source = (ROOT / "bnlib/exercises/my_batch_norm.py").read_text(encoding="utf-8")
    text = source.replace("import math\n", "")
    (room / "my_batch_norm.py").write_text(text, encoding="utf-8")
    said = " ".join(printed(capsys, check_project).split())
    assert "✘ 3 fewest_steps: NameError: name 'math' is not defined" in said
    assert 'check("P.3", fewest_steps) says more.' in said


# the learner's own layer --------------------------------------------------------------


def answer_with(layer):
    """An answer to step 5 that stands beside this class BatchNorm."""
    names = vars(published) | {"BatchNorm": layer}
    fn = changed(right_with_identities)
    code, about = fn.__code__, (fn.__name__, fn.__defaults__, fn.__closure__)
    return type(fn)(code, names, *about)


def test_steps_are_tried_with_the_layer_that_stands_beside_them():
    class BatchNorm(published.BatchNorm):
        pass

    right = answer_with(BatchNorm)  # asks isinstance(layer, BatchNorm)
    assert diagnose(get("fold_net"), right).status == "right"


def test_a_wrong_layer_is_blamed_on_its_own_step(capsys):
    flawed = changed(published.BatchNorm, (" * count / (count - 1)", ""))
    check("fold_net", answer_with(flawed))
    text = " ".join(capsys.readouterr().out.split())
    assert "your BatchNorm does not pass step 2 yet" in text
    assert "looks like" not in text


def test_a_starter_beside_a_wrong_layer_is_a_starter():
    flawed = changed(published.BatchNorm, (" * count / (count - 1)", ""))

    def fold_net(net):
        return ...

    code = fold_net.__code__
    fn = type(fold_net)(code, {"BatchNorm": flawed}, "fold_net")
    assert diagnose(get("fold_net"), fn).status == "not attempted"


def test_a_layer_in_place_of_its_class_gives_a_sentence():
    text = diagnose(get("batch_norm_layer"), published.BatchNorm(3)).text
    assert "asked is its class" in " ".join(text.split())


def test_nets_with_the_layer_learn_in_fewer_steps():
    *_, with_norm, without = get("fewest_steps").cases()
    exercise = get("fewest_steps")
    run = exercise.run(published.fewest_steps)
    fast, slow = run(*with_norm.args), run(*without.args)
    assert 2 * fast[0] < slow[0] < 15
    # Neither stands at the edge of the grid.
    rates = with_norm.args[1]
    assert rates[0] < fast[1] < rates[-1] and rates[0] < slow[1] < rates[-1]


def test_a_rate_that_becomes_a_tensor_is_right_in_a_plain_script_too():
    layer = changed(
        published.BatchNorm,
        ("num_batches_tracked.item()", "num_batches_tracked"),
        ("mean.lerp_(mean, new)", "mean.mul_(1 - new).add_(new * mean)"),
    )
    space = dict(vars(published))
    exec(inspect.getsource(inspect.unwrap(published.adapt_net)), space)
    space["BatchNorm"], fn = layer, space["adapt_net"]
    assert torch.get_default_dtype() == torch.float32
    assert diagnose(get("adapt_net"), fn).status == "right"
    assert torch.get_default_dtype() == torch.float32


@pytest.mark.parametrize("name", [step.name for step in STEPS[2:]])
def test_nets_do_not_depend_on_the_notebooks_default_dtype(name):
    exercise, default = get(name), torch.get_default_dtype()
    results = []
    for dtype in (torch.float32, torch.float64):
        torch.set_default_dtype(dtype)
        try:
            run = exercise.run(getattr(published, exercise.function))
            results.append([quietly(run, case.args) for case in exercise.cases()])
        finally:
            torch.set_default_dtype(default)
    assert difference(*results, rtol=0, atol=0) is None


@pytest.mark.parametrize(
    ("name", "slips", "known"),
    [
        (
            "prune_net",
            [
                (" @ constant", " @ (0 * constant)"),
                ("= True  # a layer", "|= False  #"),
            ],
            "what a removed unit still says forgotten and a layer lost all its units",
        ),
        (
            "adapt_net",
            [("norm.num_batches_tracked.zero_()", "pass"), ("= momentum", "= None")],
            "the old batches counted as well and momentum not put back",
        ),
        (
            "fold_net",
            [(" + layer.bias", ""), ("running_var + layer.eps", "running_var")],
            "beta forgotten and eps forgotten",
        ),
    ],
)
def test_two_slips_at_once_are_both_named(name, slips, known):
    answer = getattr(published, get(name).function)
    assert diagnose(get(name), changed(answer, *slips)).misconception == known


def test_a_first_version_of_the_layer_hears_both_of_its_errors():
    first = changed(
        published.BatchNorm,
        ("mean.detach(), var.detach()", "mean, var"),
        ("x.to(self.weight.dtype)", "x"),
        (".to(x.dtype)", ""),
        ("self.running_mean.lerp_(mean, new)", "pass"),
        (
            "self.running_var.lerp_(var * count / (count - 1), new)",
            "self.running_mean = (1 - new) * self.running_mean + new * mean\n"
            "        var = var * count / (count - 1)\n"
            "        self.running_var = (1 - new) * self.running_var + new * var",
        ),
    )
    verdict = diagnose(get("batch_norm_layer"), first)
    assert "still know how they were computed" in " ".join(verdict.text.split())
    names = "statistics that keep their graph and autocast not thought of"
    assert verdict.misconception == names


def test_it_works_from_the_cells_of_a_notebook(room):
    nbformat = pytest.importorskip("nbformat")
    client = pytest.importorskip("nbclient").NotebookClient
    text = (ROOT / "bnlib/exercises/my_batch_norm.py").read_text(encoding="utf-8")
    imports, *definitions = text.split("\n\n\n")
    last = "write_project(BatchNorm, fold_net, prune_net)\ncheck_project()"
    use = "from bnlib import check, check_project, write_project"
    sources = [f"{imports}\n{use}", *definitions, 'check("P.2", BatchNorm)', last]
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    book = nbformat.v4.new_notebook(cells=cells)
    there = {"metadata": {"path": str(room)}}
    client(book, timeout=60, kernel_name="python3", resources=there).execute()
    said = ["".join(out.text for out in cell.outputs) for cell in book.cells[-2:]]
    assert said[0].startswith("✔ Exercise P.2 · right")
    assert said[1].startswith("my_batch_norm.py is written: 3 definitions.\n")
    assert "my_batch_norm.py: 3 of 7 steps." in said[1]
