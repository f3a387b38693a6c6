"""The explorables: their formulas are those of bnlib, their pictures are fresh."""

import base64
import json
import re
import xml.etree.ElementTree as ET
from functools import cache

import numpy as np
import pytest

from bnlib import backward, batch_norm, batch_norm_inference, norms
from bnlib.lab.explore import bundle, explore
from bnlib.lab.table import KIND
from bnlib.running import RunningStatistics
from tools import explore as tool
from tools import normal_form

STATES = 100
NUMBERS = """
const { readFileSync } = await import("node:fs");
const { folder, states } = JSON.parse(readFileSync(0, "utf8"));
const answer = {};
for (const [name, list] of Object.entries(states)) {
  const { start, numbers, draw, say } = await import(`${folder}/${name}.mjs`);
  answer[name] = list.map((state) => {
    const all = { ...start, ...state };
    return { numbers: numbers(all), drawn: draw(all), said: say(all) };
  });
}
console.log(JSON.stringify(answer));
"""
SVG = '<svg xmlns="http://www.w3.org/2000/svg">{}</svg>'
# How many times larger than a rounding the error of a result may be.
CONDITION = "condition"
each = pytest.mark.parametrize("name", bundle.NAMES)


# --- random states, and what bnlib computes for each ----------------------------------


def push_state(rng):
    return {
        "x": rng.normal(3, rng.uniform(0.01, 4), 8).tolist(),
        "from": rng.normal(3, 2, 8).tolist(),
        "all": rng.uniform(-3, 3),
        "stretch": rng.uniform(50, 150),
        "last": str(rng.choice(["x0", "x7", "all", "stretch"])),
    }


TARGET = np.array([[-0.5, -0.6, 0.5, 0.4, 0.1, -0.9, 0, 0.7]]).T


def push(state):
    x = np.array(state["x"])
    x = x.mean() + state["stretch"] / 100 * (x - x.mean()) + state["all"]
    y, cache = batch_norm(x[:, None])
    before = batch_norm(np.array(state["from"])[:, None])[0]
    gradient = backward(2 * (y - TARGET) / 8, cache)[0]
    return {
        "x": x,
        "y": y[:, 0],
        "before": before[:, 0],
        "mean": cache.mean[0],
        "std": np.sqrt(cache.var[0]),
        "loss": np.mean((y - TARGET) ** 2),
        "lossBefore": np.mean((before - TARGET) ** 2),
        "gradient": gradient[:, 0],
        "sum": gradient.sum(),
        "along": (gradient * cache.x_hat).sum(),
    }


def knobs_state(rng):
    return {
        "shift": rng.uniform(-6, 6),
        "scale": rng.uniform(-4, 0.5),
        "gamma": rng.uniform(-2.5, 2.5),
        "beta": rng.uniform(-3, 3),
        "eps": rng.uniform(-8, 0),
        "unit": str(rng.choice(["sigmoid", "tanh", "ReLU"])),
    }


UNITS = {  # the unit, and its slope in units of the largest
    "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda z: 1 / np.cosh(z / 2) ** 2),
    "tanh": (np.tanh, lambda z: 1 / np.cosh(z) ** 2),
    "ReLU": (lambda z: np.maximum(z, 0), lambda z: z > 0),
}


def knobs(state):
    (text,) = re.findall(r"VALUES = \[(.*?)\]", bundle.read("knobs.mjs"), re.DOTALL)
    values = np.array([float(word) for word in text.split(",") if word.strip()])
    x, eps = state["shift"] + 10 ** state["scale"] * values, 10 ** state["eps"]
    y, cache = batch_norm(x[:, None], [state["gamma"]], [state["beta"]], eps=eps)
    unit, slope = UNITS[state["unit"]]
    return {
        "x": x,
        "y": y[:, 0],
        "mean": cache.mean[0],
        "std": np.sqrt(cache.var[0]),
        "outMean": y.mean(),
        "outStd": y.std(),
        "answers": unit(y[:, 0]),
        "saturated": np.mean(slope(y) < 0.1),
        "without": np.mean(slope(x) < 0.1),
        # A rounding of x is as large beside its spread, from which x_hat is made.
        CONDITION: max(1, abs(x).max() * cache.inv_std[0, 0]),
    }


def cells_state(rng):
    examples = rng.integers(1, 5)
    return {
        "norm": str(rng.choice(["batch", "layer", "instance", "group", "rms"])),
        "examples": int(examples),
        "groups": int(rng.integers(3)),
        "example": int(rng.integers(examples)),
        "channel": int(rng.integers(4)),
        "position": int(rng.integers(4)),
    }


def cells(state):
    """Change one value after the other, and see which statistics move."""
    groups = [1, 2, 4][state["groups"]]
    layers = {
        "batch": norms.batch_norm,
        "layer": norms.layer_norm,
        "instance": norms.instance_norm,
        "group": lambda x, *given: norms.group_norm(x, groups, *given),
        "rms": lambda x, *given: norms.rms_norm(x, *given, axis=1),
    }
    layer = layers[state["norm"]]
    x = np.random.default_rng(3).normal(3, 2, size=(state["examples"], 4, 4))
    before = layer(x)[1]
    moved = []
    for place in np.ndindex(x.shape):
        other = x.copy()
        other[place] += 1
        moved.append(np.ravel(abs(layer(other)[1].var - before.var) > 1e-9))
    here = (state["example"], state["channel"], state["position"])
    mine = moved[np.ravel_multi_index(here, x.shape)]
    shared = [np.array_equal(one, mine) for one in moved]
    parameter = x.shape[1:] if state["norm"] in ("layer", "rms") else x.shape[1:2]
    gamma = np.ones(parameter)
    given = (gamma,) if state["norm"] == "rms" else (gamma, gamma)
    _, cache = layer(x, *given)
    d_gamma, d_beta = backward(x, cache)[1:]
    return {
        "shared": shared,
        "values": sum(shared),
        "statistics": before.var.size,
        "centered": before.mean is not None,
        "gamma": d_gamma.size,
        "beta": 0 if d_beta is None else d_beta.size,
    }


MOMENTA = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97, 0.99, 0.997, 0.999)


def average_state(rng):
    return {
        "momentum": int(rng.integers(len(MOMENTA))),
        "reads": str(rng.choice(["new", "old"])),
        "size": int(rng.integers(1, 9)),
        "steps": int(rng.integers(201)),
    }


def uniform(count):
    """Return the numbers of the module's generator, in integers of Python."""
    state, found, word = 7, [], 2**32 - 1
    for _ in range(count):
        state = (state + 0x6D2B79F5) & word
        mixed = (state ^ state >> 15) * (state | 1) & word
        mixed ^= (mixed + ((mixed ^ mixed >> 7) * (mixed | 61) & word)) & word
        found.append((mixed ^ mixed >> 14) / 2**32)
    return np.array(found)


NUMBERS_DRAWN = uniform(2 * 200 * 256)


def average(state):
    count = 2 ** state["size"]
    a, b = NUMBERS_DRAWN[: 400 * count].reshape(-1, 2).T
    drawn = 3 + 2 * np.sqrt(-2 * np.log(1 - a)) * np.cos(2 * np.pi * b)
    momentum = MOMENTA[state["momentum"]]
    fresh = momentum if state["reads"] == "new" else 1 - momentum
    kept = RunningStatistics(1, momentum=fresh)
    means, variances = [0], [1]
    for batch in drawn.reshape(200, count, 1)[: state["steps"]]:
        kept.update(*(batch.mean(0), batch.var(0)), count)
        means.append(kept.mean[0])
        variances.append(kept.var[0])
    five = np.array([[5.0]])
    return {
        "weight": fresh,
        "halfLife": np.log(0.5) / np.log1p(-fresh),
        "means": means,
        "vars": variances,
        "answer": batch_norm_inference(five, kept.mean, kept.var)[0, 0],
        "best": batch_norm_inference(five, [3.0], [4.0])[0, 0],
        CONDITION: 10,
    }


def graph_state(rng):
    return {
        "step": int(rng.integers(1, 19)),
        "x": rng.normal(3, rng.uniform(0.1, 5), 4).tolist(),
        "dY": rng.normal(0.5, 1, 4).tolist(),
        "gamma": rng.normal(),
        "beta": rng.normal(),
    }


def graph(state):
    """The twelve lines of chapter 3; its ends are those of bnlib."""
    x, d_y = (np.array(state[k])[:, None] for k in ("x", "dY"))
    gamma, beta = [state["gamma"]], [state["beta"]]
    y, cache = batch_norm(x, gamma, beta)
    d_x, d_gamma, d_beta = backward(d_y, cache)
    names = {"x": x, "d_y": d_y, "gamma": np.array(gamma), "eps": 1e-5, "n": 4}
    names |= {"np": np, "beta": np.array(beta), "judge": lambda *_: None}
    ids = "forward", "back-98", "back-7", "back-65", "back-43", "back-21"
    for cell in chapter_cells("03-backward"):
        if cell["id"] in ids:
            exec(cell.source, names)
    for key, value in {
        "y": y,
        "d_x": d_x,
        "d_gamma": d_gamma,
        "d_beta": d_beta,
    }.items():
        np.testing.assert_allclose(names[key], value, rtol=1e-9, atol=1e-12)
    named = {
        **{"mean": "mean", "xCentered": "x_centered", "square": "square", "var": "var"},
        **{"std": "std", "invStd": "inv_std", "xHat": "x_hat", "scaled": "scaled"},
        **{"y": "y", "dBeta": "d_beta", "dGamma": "d_gamma", "dXHat": "d_x_hat"},
        **{"dFirst": "d_x_centered_first", "dInvStd": "d_inv_std", "dStd": "d_std"},
        **{"dVar": "d_var", "dSquare": "d_square", "dSecond": "d_x_centered_second"},
        **{"dXCentered": "d_x_centered", "dMean": "d_mean", "dX": "d_x"},
    }
    found = {key: np.ravel(names[name]) for key, name in named.items()}
    return {key: v[0] if v.size == 1 else v for key, v in found.items()}


@cache
def chapter_cells(file):
    path = tool.FOLDER.parents[2] / "book" / f"{file}.ipynb"
    return normal_form.code_cells(normal_form.read(path))


def printed(file, identifier):
    """Return what a cell of a chapter has stored as printed."""
    (cell,) = [c for c in chapter_cells(file) if c["id"] == identifier]
    return normal_form.printed(cell)


def rows(file, identifier):
    """Return the rows of the table that a cell of a chapter has stored."""
    (cell,) = [c for c in chapter_cells(file) if c["id"] == identifier]
    (table,) = [o.data[KIND] for o in cell.outputs if KIND in o.get("data", {})]
    return table["rows"]


def measured(name):
    """Return the data that an explorable shows."""
    text = bundle.read(f"measured_{name}.mjs")
    return json.loads(re.search(r"MEASURED = (.*);", text)[1])


def batches_state(rng):
    return {"size": int(rng.integers(len(measured("batches")["sizes"])))}


def batches(state):
    data, i = measured("batches"), state["size"]
    return {
        "size": data["sizes"][i],
        "running": data["running"],
        "mixed": data["mixed"][i],
        "sorted": data["sorted"][i],
        "lost": data["running"][0] - data["mixed"][i][0],
        "lostSorted": data["running"][0] - data["sorted"][i][0],
    }


def prune_state(rng):
    return {"percent": int(rng.integers(89))}


def vgg_of(widths):
    """Return the net of chapter 11 with so many channels, and an input for it."""
    import torch

    from bnlib.lab.models import vgg

    a, b, *rest = widths
    return vgg((a, "M", b, "M", *rest)), torch.zeros(1, 1, 8, 8, dtype=torch.float64)


@cache
def slimmed_net():
    """Return the net whose gammas are stored, and the groups of its channels."""
    import torch

    from bnlib.slimming import plan

    stored = measured("prune")["gammas"]
    net, example = vgg_of([len(layer) for layer in stored])
    layers = [it for it in net if isinstance(it, torch.nn.BatchNorm2d)]
    for norm, gammas in zip(layers, stored, strict=True):
        norm.weight.data = torch.tensor(gammas, dtype=torch.float64)
    return net, example, plan(net, 0, example_input=example).groups.values()


@cache
def size_of(widths):
    from bnlib.slimming import summary

    return summary(*vgg_of(widths))


def prune(state):
    from bnlib.slimming.pruning import _apply_threshold  # plan would trace each time

    groups = slimmed_net()[2]
    threshold = _apply_threshold(groups, state["percent"] / 100, 0.1)
    widths = tuple(int(group.kept.sum()) for group in groups)
    return {
        "widths": widths,
        "threshold": threshold,
        "parameters": size_of(widths).parameters,
        "macs": size_of(widths).macs,
    }


def test_a_net_of_the_kept_widths_has_the_size_of_the_pruned_one():
    from bnlib.slimming import plan, prune, summary

    net, example, _ = slimmed_net()
    cut = plan(net, 0.7, example_input=example)
    widths = tuple(int(group.kept.sum()) for group in cut.groups.values())
    real, like = summary(prune(net, cut), example), size_of(widths)
    assert (real.parameters, real.macs) == (like.parameters, like.macs)


ORACLES = {
    "average": (average_state, average),
    "batches": (batches_state, batches),
    "cells": (cells_state, cells),
    "graph": (graph_state, graph),
    "knobs": (knobs_state, knobs),
    "prune": (prune_state, prune),
    "push": (push_state, push),
}


@pytest.fixture(scope="module")
def drawn():
    """Return {name: [(state, what the module says of it)]}, all from one node."""
    rng = np.random.default_rng(0)
    states = {n: [s(rng) for _ in range(STATES)] for n, (s, _) in ORACLES.items()}
    answer = tool.run_node(NUMBERS, {"states": states})
    return {n: list(zip(states[n], answer[n], strict=True)) for n in states}


def test_each_explorable_has_an_oracle():
    assert {*ORACLES} == {*bundle.NAMES} == {*tool.NAMES}


@each
def test_the_numbers_are_those_of_bnlib(drawn, name):
    oracle = ORACLES[name][1]
    for state, answer in drawn[name]:
        found, wanted = answer["numbers"], oracle(state)
        allowed = 1e-12 * wanted.pop(CONDITION, 1)
        assert found.keys() == wanted.keys()
        for key, value in wanted.items():
            np.testing.assert_allclose(
                np.array(found[key], float),
                value,
                rtol=allowed,
                atol=allowed,
                err_msg=f"{key} of {state}",
            )


def test_the_shared_layer_is_batch_norm():
    """Also with γ and β, which not every explorable uses."""
    program = """
    const { readFileSync } = await import("node:fs");
    const { folder, calls } = JSON.parse(readFileSync(0, "utf8"));
    const { batchNorm, backward } = await import(`${folder}/norms.mjs`);
    const answers = calls.map(({ x, dY, gamma, beta, eps }) => {
      const layer = batchNorm(x, gamma, beta, eps);
      return { ...layer, ...backward(dY, layer) };
    });
    console.log(JSON.stringify(answers));
    """
    rng = np.random.default_rng(1)
    calls = []
    for n in rng.integers(2, 20, STATES):
        numbers = dict(zip(("gamma", "beta"), rng.normal(size=2).tolist(), strict=True))
        x, d_y = rng.normal(3, 2, n).tolist(), rng.normal(size=n).tolist()
        calls.append(numbers | {"x": x, "dY": d_y, "eps": 10 ** rng.uniform(-6, -1)})
    answers = tool.run_node(program, {"calls": calls})
    for call, found in zip(calls, answers, strict=True):
        x, d_y = (np.array(call[key])[:, None] for key in ("x", "dY"))
        y, cache = batch_norm(x, [call["gamma"]], [call["beta"]], eps=call["eps"])
        d_x, d_gamma, d_beta = backward(d_y, cache)
        wanted = {"y": y, "xHat": cache.x_hat, "mean": cache.mean, "var": cache.var}
        wanted |= {"dX": d_x, "dGamma": d_gamma, "dBeta": d_beta}
        for key, value in wanted.items():
            np.testing.assert_allclose(found[key], np.ravel(value), 1e-11, 1e-12)


@each
def test_every_state_can_be_drawn_and_said(drawn, name):
    for state, answer in drawn[name]:
        for text in (answer["drawn"], answer["said"]):
            assert not re.search(r"NaN|undefined|Infinity|null", text), (state, text)
        # Text that an XML parser reads, with nothing that runs and nothing from afar.
        ET.fromstring(SVG.format(answer["drawn"]))
        assert not re.search(r"<script|\bon\w+=|href|url\(", answer["drawn"])


@each
def test_random_states_are_told_apart(drawn, name):
    states = {json.dumps(state) for state, _ in drawn[name]}
    pictures = {answer["drawn"] for _, answer in drawn[name]}
    assert len(pictures) > 0.7 * len(states)


# --- what was measured is what the chapters print -------------------------------------


def test_the_batches_are_those_of_chapter_4():
    data, place = measured("batches"), ("04-inference", "stream-table")
    assert len(rows(*place)) == 6
    for size, *cells in rows(*place):
        mixed, by_class = (float(cell.split(" ± ")[0]) for cell in cells)
        i = data["sizes"].index(int(size))
        assert data["mixed"][i][0] == pytest.approx(mixed, abs=0.11)
        assert data["sorted"][i][0] == pytest.approx(by_class, abs=0.11)
    running = float(re.search(r"running statistics ([\d.]+)", printed(*place))[1])
    assert data["running"][0] == pytest.approx(running, abs=0.11)


def test_the_cuts_are_those_of_chapter_11():
    data = measured("prune")
    shares = rows("11-pruning", "plan")
    widths = prune({"percent": 70})["widths"]
    assert [len(layer) for layer in data["gammas"]] == [int(n) for _, _, n in shares]
    for width, (_, share, most) in zip(widths, shares, strict=True):
        assert width / int(most) == pytest.approx(float(share), abs=0.051)
    at = data["ratios"].index(0.7)
    means = {name: float(mean) for name, mean, *_ in rows("11-pruning", "arms")}
    for name, key in (
        ("slimmed", "tuned"),
        ("same widths, random channels", "random_tuned"),
    ):
        assert data[key][at][0] / 100 == pytest.approx(means[name], abs=0.011)
    left = printed("11-pruning", "saved")
    before, after = (size_of(prune({"percent": p})["widths"]) for p in (0, 70))
    for word, share in (
        ("parameters", after.parameters / before.parameters),
        ("multiply-adds", after.macs / before.macs),
    ):
        told = float(re.search(rf"left of the {word}: ([\d.]+)", left)[1])
        assert share == pytest.approx(told, abs=0.011)


@pytest.mark.parametrize("name", ["batches", "prune"])
def test_what_was_measured_has_its_range_and_its_order(name):
    data = measured(name)
    steps = data["sizes"] if name == "batches" else data["ratios"]
    assert steps == sorted({*steps})
    keys = ("mixed", "sorted") if name == "batches" else ("gamma", "tuned", "random")
    for key in keys:
        assert len(data[key]) == len(steps)
        assert all(low <= mean <= high for mean, low, high in data[key])


# --- pictures and scripts -------------------------------------------------------------


def test_the_stored_pictures_are_fresh():
    assert tool.stale(tool.pictures()) == []


def test_the_notebooks_store_the_fresh_pictures():
    stored = {}
    for path in (tool.FOLDER.parents[2] / "book").glob("*.ipynb"):
        for cell in normal_form.code_cells(normal_form.read(path)):
            for output in cell.outputs:
                shown = output.get("data", {}).get("text/html", "")
                found = re.search(r'data-explore="(\w+)".*base64,([^"]+)', shown)
                if found:
                    stored[found[1]] = base64.b64decode(found[2]).decode()
    drawn = {name: bundle.read(f"pictures/{name}.svg") for name in bundle.NAMES}
    stale = sorted(n for n in {*stored, *drawn} if stored.get(n) != drawn.get(n))
    assert stale == [], "run the chapters that show them again"


def test_a_stale_picture_would_be_seen():
    wanted = tool.pictures()
    path = next(iter(wanted))
    other = path.with_name("other.svg")
    assert tool.stale({**wanted, path: "old"}) == [path]
    assert tool.stale({**wanted, other: "new"}) == [other]
    assert tool.stale({p: t for p, t in wanted.items() if p != path}) == [path]


def test_a_picture_carries_only_the_rules_that_it_needs():
    style = [
        "/* words */",
        ".bn-svg { a: b }",
        ".bn-svg .bn-x { }",
        ".bn-svg .bn-y { }",
    ]
    style += [".bn-svg :is(.bn-y, .bn-z) { }", ".bn-svg text { }"]
    found = tool.rules(style, {"bn-svg", "bn-z"})
    assert found == [style[1], style[4], style[5]]


def test_the_tool_says_what_is_stale(monkeypatch, tmp_path, capsys):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "gone.svg").write_text("<svg/>")
    wanted = {tmp_path / "pictures" / "new.svg": "<svg></svg>\n"}
    monkeypatch.setattr(tool, "FOLDER", tmp_path)
    monkeypatch.setattr(tool, "pictures", lambda: wanted)
    assert tool.main(["--check"]) == 1
    assert "new.svg is stale: run python -m tools.explore" in capsys.readouterr().err
    assert tool.main([]) == 0
    assert tool.main(["--check"]) == 0
    assert sorted(p.name for p in tmp_path.glob("*/*")) == ["new.svg"]


def test_a_program_that_fails_is_reported():
    with pytest.raises(RuntimeError, match="node failed:"):
        tool.run_node("throw new Error('no')", {})


@each
def test_the_script_of_a_page_is_small_and_whole(name):
    script = bundle.script(name)
    assert not re.search(r"^(import|export)\b", script, re.MULTILINE)
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", script)
    assert len(script.encode()) < 40_000
    assert len(re.findall(r"^function mount\(", script, re.MULTILINE)) == 1
    own = bundle.read(f"{name}.mjs")
    for part in ("title", "size", "start", "controls", "draw", "say", "numbers"):
        assert re.search(rf"^export (const|function) {part}\b", own, re.MULTILINE)


def test_the_scripts_can_be_read():
    """Put together, two modules could name two things alike."""
    program = """
    const { readFileSync } = await import("node:fs");
    const { scripts } = JSON.parse(readFileSync(0, "utf8"));
    console.log(JSON.stringify(scripts.map((script) => typeof new Function(script))));
    """
    scripts = [bundle.script(name) for name in bundle.NAMES]
    kinds = tool.run_node(program, {"scripts": scripts})
    assert kinds == ["function"] * len(scripts)


@each
def test_letters_are_large_enough_on_a_phone(name):
    picture = ET.fromstring(bundle.read(f"pictures/{name}.svg"))
    width = float(picture.get("viewBox").split()[2])
    sizes = re.findall(r"font-size: ([\d.]+)px", bundle.read("picture.css"))
    # A phone of 390 px leaves 330 within the box of the figure.
    assert min(map(float, sizes)) * 330 / width >= 10
    assert picture.find(".//*[@font-size]") is None


# --- in a notebook --------------------------------------------------------------------


@pytest.fixture
def bundle_of(monkeypatch):
    def show(name, switch=None):
        monkeypatch.delenv("BNLIB_EXPLORE", raising=False)
        if switch is not None:
            monkeypatch.setenv("BNLIB_EXPLORE", switch)
        return explore(name)._repr_mimebundle_()

    return show


@each
def test_a_notebook_gets_a_sentence_a_picture_and_a_script(bundle_of, name):
    shown = bundle_of(name)
    assert shown["text/plain"] == repr(explore(name)) == explore(name).sentence
    assert re.search(r"\d", shown["text/plain"])
    page = shown["text/html"]
    assert bundle.script(name) in page and bundle.style() in page
    assert page.count("</script>") == 1, "nothing in the script may end it"


@each
def test_what_is_stored_is_a_picture_without_a_script(bundle_of, name):
    page = bundle_of(name, "still")["text/html"]
    assert "<script" not in page and "<style" not in page
    (data,) = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', page)
    assert base64.b64decode(data).decode() == bundle.read(f"pictures/{name}.svg")
    (words,) = re.findall(r'alt="([^"]+)"', page)
    assert len(words) > 40


def test_only_the_word_still_keeps_the_script_away(bundle_of):
    for word in ("Still", " STILL "):
        assert "<script" not in bundle_of("push", word)["text/html"]
    for word in ("", "on", "alive"):
        assert "<script" in bundle_of("push", word)["text/html"]


def test_the_docstring_names_them_all():
    assert {*re.findall(r'``"(\w+)"``', explore.__doc__)} == {*bundle.NAMES}


@pytest.mark.parametrize("name", ["pushes", "", None, 3])
def test_an_unknown_name_is_refused_with_those_that_exist(name):
    with pytest.raises(ValueError, match=r"name must be one of .*push.*, got .*choose"):
        explore(name)
