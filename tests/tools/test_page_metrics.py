"""What is measured of pages: a site of one page, whose numbers are known."""

import gzip
import json
import urllib.error
import urllib.request
from contextlib import nullcontext

import pytest

from tools import chromium, page_metrics
from tools.host import host, sent

TALL = "<p style='height:1800px;margin:0'>low</p>"
# 300 pixels of code and 150 of a picture in 3000 pixels; one thing moves late.
PAGE = f"""<!DOCTYPE html><html lang="en"><head><title>t</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="style.css"></head>
<body style="margin:0"><div id="late"></div><article class="bd-article">
<div style="height:600px">high</div><div class="cell_input" style="height:300px"></div>
<div class="cell_output" style="height:300px"><img src="drawn.svg" width="150"
height="150"></div>{TALL}</article><script>
console.log("here");
setTimeout(() => {{ document.getElementById("late").style.height = "80px" }}, 100);
</script></body></html>"""
DRAWN = '<svg xmlns="http://www.w3.org/2000/svg" width="150" height="150"/>'


@pytest.fixture
def site(tmp_path):
    (tmp_path / "a.html").write_text(PAGE)
    (tmp_path / "404.html").write_text("<h1>none</h1>")
    (tmp_path / "style.css").write_text("article { min-width: 350px }\n" * 99)
    (tmp_path / "drawn.svg").write_text(DRAWN)
    (tmp_path / "font.woff2").write_bytes(b"f" * 500)
    return tmp_path


def test_a_host_packs_texts_and_knows_what_a_browser_has(site):
    ask = {"Accept-Encoding": "gzip"}
    with host(site) as base:
        style = urllib.request.Request(f"{base}style.css", headers=ask)
        with urllib.request.urlopen(style) as answer:
            body, headers = answer.read(), answer.headers
        assert gzip.decompress(body) == (site / "style.css").read_bytes()
        assert len(body) == sent(site / "style.css") < 100
        assert headers["Cache-Control"] == "max-age=600"
        style.add_header("If-None-Match", headers["ETag"])
        with pytest.raises(urllib.error.HTTPError, match="304"):
            urllib.request.urlopen(style)
        font = urllib.request.Request(f"{base}font.woff2", headers=ask)
        with urllib.request.urlopen(font) as answer:
            assert len(answer.read()) == sent(site / "font.woff2") == 500
        with pytest.raises(urllib.error.HTTPError, match="404") as missing:
            urllib.request.urlopen(f"{base}b.html")
        assert missing.value.read() == b"<h1>none</h1>"
        outside = base.rstrip("/").rpartition("/")[0]
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{outside}/a.html")


def test_a_page_is_measured(site, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(page_metrics, "pages", lambda: ["a", "gone"])
    table = tmp_path / "pages.md"
    options = ["--site", str(site), "--table", str(table)]
    assert page_metrics.main(options) == 0
    row = page_metrics.read(table)["a"]
    assert list(page_metrics.read(table)) == ["a"]
    weight = sum(sent(site / name) for name in ("a.html", "style.css", "drawn.svg"))
    # Each answer has a head of some two hundred bytes.
    assert weight / 1024 < float(row["KiB"]) + 0.5 < weight / 1024 + 2
    assert row["requests"] == "3"
    assert row["code/output/pictures"] == "10/10/5"
    assert row["first figure"] == "900"
    assert row["overflow"] == "0/30"
    assert row["console"] == "1" and row["foreign"] == "0"
    assert 0.01 < float(row["CLS"]) < 0.2
    assert row["screens"] == "3/4"
    assert row["performance"] == "–"
    with pytest.raises(SystemExit):
        page_metrics.main([*options, "--pages", "b"])
    assert "--pages must begin like one of ['a'], got ['b']" in capsys.readouterr().err


RUNS = [
    {"marks": marks, "fcp": fcp, "lcp": 2 * fcp, "tbt": 9, "benchmark": 2 * fcp}
    for marks, fcp in [
        ([90, 100, 100, 100], 900),
        ([97], 1000),  # the others are asked for once
        ([99], 2000),
    ]
]


def test_of_several_runs_the_middle_counts():
    row = page_metrics.middle(RUNS)
    assert row == {
        "performance": "97 (3)",
        "a11y/practices/SEO": "100/100/100",
        "FCP": "1.0",
        "LCP": "2.0",
        "TBT": "9",
        "benchmark": "2000",
    }
    assert not page_metrics.too_low(row)
    assert page_metrics.too_low(page_metrics.middle(RUNS[:1]))
    poor = RUNS[1] | {"marks": [97, 100, 100, 90]}
    assert page_metrics.too_low(page_metrics.middle([poor, RUNS[2]]))


def test_marks_that_are_too_low_are_named(site, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(page_metrics, "pages", lambda: ["a"])
    low = lambda addresses, runs: {next(iter(addresses)): RUNS[:1] * runs}  # noqa: E731
    monkeypatch.setattr(page_metrics, "judge", low)
    monkeypatch.setattr(page_metrics, "chromium", nullcontext)
    monkeypatch.setattr(page_metrics, "measure", lambda *which: {"KiB": "1"})
    table = tmp_path / "pages.md"
    options = ["--site", str(site), "--table", str(table), "--lighthouse", "2"]
    assert page_metrics.main(options) == 1
    assert "below 95/100/100/100: a" in capsys.readouterr().err
    # A later look without Lighthouse keeps what it said.
    assert page_metrics.main(options[:4]) == 0
    assert page_metrics.read(table)["a"]["performance"] == "90 (2)"


def test_what_is_missing_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(page_metrics, "RUNNER", tmp_path / "run.mjs")
    with pytest.raises(RuntimeError, match="Lighthouse is missing: run npm ci in "):
        page_metrics.judge(["http://127.0.0.1/"], 1)
    monkeypatch.setattr(chromium, "BROWSERS", ("no-such-browser",))
    with pytest.raises(RuntimeError, match="no browser was found: install one of "):
        chromium.chromium().__enter__()


def test_the_committed_table_names_pages_of_the_course():
    table = page_metrics.read(page_metrics.TABLE)
    assert set(table) <= set(page_metrics.pages())
    assert len(table) > 30
    heading = {*page_metrics.MEASURED, *page_metrics.JUDGED}
    assert all(row.keys() == heading for row in table.values())


def test_lighthouse_is_locked_without_the_address_of_a_registry():
    folder = page_metrics.RUNNER.parent
    lock = json.loads((folder / "package-lock.json").read_text())
    wanted = json.loads((folder / "package.json").read_text())["devDependencies"]
    for name, version in wanted.items():
        package = lock["packages"][f"node_modules/{name}"]
        assert package["version"] == version
        assert "integrity" in package
    assert not any("resolved" in package for package in lock["packages"].values())
