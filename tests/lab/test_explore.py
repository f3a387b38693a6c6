"""The explorables: their formulas are those of bnlib, their pictures are fresh."""

import base64
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from bnlib import backward, batch_norm
from bnlib.lab.explore import bundle, explore
from tools import explore as tool

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


ORACLES = {"push": (push_state, push)}


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
        assert found.keys() == wanted.keys()
        for key, value in wanted.items():
            np.testing.assert_allclose(
                np.array(found[key], float),
                value,
                rtol=1e-12,
                atol=1e-12,
                err_msg=f"{key} of {state}",
            )


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
    assert len({answer["drawn"] for _, answer in drawn[name]}) > STATES / 2


# --- pictures and scripts -------------------------------------------------------------


def test_the_stored_pictures_are_fresh():
    assert tool.stale(tool.pictures()) == []


def test_a_stale_picture_would_be_seen():
    wanted = tool.pictures()
    path = next(iter(wanted))
    other = path.with_name("other.svg")
    assert tool.stale({**wanted, path: "old"}) == [path]
    assert tool.stale({**wanted, other: "new"}) == [other]
    assert tool.stale({p: t for p, t in wanted.items() if p != path}) == [path]


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
    own = bundle.read(f"{name}.mjs")
    for part in ("title", "size", "start", "controls", "draw", "say", "numbers"):
        assert re.search(rf"^export (const|function) {part}\b", own, re.MULTILINE)


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


@pytest.mark.parametrize("name", ["pushes", "", None, 3])
def test_an_unknown_name_is_refused_with_those_that_exist(name):
    with pytest.raises(ValueError, match=r"name must be one of .*push.*, got .*choose"):
        explore(name)
