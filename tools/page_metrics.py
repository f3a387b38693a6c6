"""Measure every page of the built site, as a reader's browser loads and shows it.

``python -m tools.page_metrics`` serves ``_build/html`` like a host of static pages,
opens each page with an empty cache and writes one row for each to ``tests/pages.md``;
``--lighthouse 3`` has Lighthouse judge each three times as well, and exits with 1 where
a middle mark is too low. ``--pages 03 claims`` chooses pages by how their names begin;
the other rows, and the marks of Lighthouse where it is not asked, stay as they are.
``--site`` and ``--table`` take another site and another file, to compare two builds.
"""

import argparse
import json
import os
import subprocess
import sys
from collections import defaultdict
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from statistics import median

import yaml

from tools.chromium import chromium, program
from tools.host import host
from tools.matrix import read

ROOT = Path(__file__).parents[1]
SITE = ROOT / "_build" / "html"
TABLE = ROOT / "tests" / "pages.md"
RUNNER = ROOT / "tools" / "lighthouse" / "run.mjs"
LAPTOP = {"width": 1280, "height": 800}
DESKTOP = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
NARROWEST = {"width": 320, "height": 640}
AFTER_LOAD = 700  # milliseconds in which fonts and late files come
# The least that Lighthouse may say: performance, and each of the other three.
MARKS = (95, 100, 100, 100)
MEASURED = (
    "KiB",
    "pictures",
    "requests",
    "CLS",
    "CLS scrolled",
    "DOM",
    "overflow",
    "code/output/pictures",
    "first figure",
    "screens",
    "console",
    "foreign",
)
JUDGED = ("performance", "a11y/practices/SEO", "FCP", "LCP", "TBT", "benchmark")
HEADER = """\
# What each page weighs, and how it comes

Made by `make lighthouse`, page by page; `python -m tools.page_metrics` renews all but
the marks of Lighthouse. A dash: not there, or not measured.

- **KiB**: all that a first visit fetches before anything is scrolled, as a host sends
  it (gzip, with the heads of the answers), at 1280 × 800; **pictures**: their part of
  it. **requests**: how many files that are.
- **CLS**: how far the page shifts while it loads, and in all once it was scrolled to
  its end. **DOM**: elements.
- **overflow**: pixels of sideways scroll at 390 and 320 pixels.
- **code/output/pictures**: percent of the height of the article at 1440 pixels;
  pictures are part of the output. **first figure**: pixels from the top of the article.
- **screens**: heights of the window at 1440 × 900 and 390 × 844.
- **console**: messages of any kind. **foreign**: requests to other hosts.
- **performance**: Lighthouse's mark, the middle of the runs in brackets, for a phone on
  a slow line, simulated; then its marks for accessibility, best practices and search
  engines; first and largest paint in seconds, blocking time in milliseconds.
  **benchmark**: how fast it found the machine, of which it takes a quarter: 1500 to
  2000 is a desktop computer. A run on a machine that was slower is repeated.

"""

# Collects from the beginning how far what is shown shifts, but for what a reader does.
WATCH_SHIFTS = """
window.courseShifts = 0;
new PerformanceObserver((list) => {
    for (const entry of list.getEntries())
        if (!entry.hadRecentInput) window.courseShifts += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""
SCROLL = """async () => {
    const next = () => new Promise((done) => setTimeout(done, 25));
    // What becomes alive when it comes near does so before a reader is there.
    const comes = (it) => it.getBoundingClientRect().top < innerHeight + 700;
    const sleeping = () => [...document.querySelectorAll(
        "[data-explore]:not(.bn-alive)")].some(comes);
    for (let y = 0; y < document.documentElement.scrollHeight; y += innerHeight) {
        scrollTo({ top: y, behavior: "instant" });
        await next();
        for (let n = 0; sleeping() && n < 200; n += 1) await next();
    }
    const shown = [...document.images].filter((image) => image.checkVisibility());
    await Promise.all(shown.map((image) => image.decode().catch(() => 0)));
    for (let n = 0; n < 8; n += 1) await next();
    scrollTo({ top: 0, behavior: "instant" });
    return window.courseShifts;
}"""
# Sideways scroll of the page, and how many windows high it is.
EXTENT = """() => {
    const root = document.documentElement;
    return [root.scrollWidth - root.clientWidth, root.scrollHeight / innerHeight];
}"""
SHARES = """() => {
    const article = document.querySelector(".bd-article");
    if (!article) return null;
    const { height, top } = article.getBoundingClientRect();
    const sum = (all) => all.reduce(
        (total, it) => total + it.getBoundingClientRect().height, 0);
    const drawn = [...article.querySelectorAll(
        ":is(.cell_output img, figure img, figure svg, p > img)")];
    // Strips of dots stand side by side, a line each: they are a table.
    const pictures = drawn.filter((it) =>
        !it.closest(".far-panels") && it.getBoundingClientRect().height > 60);
    const first = pictures[0]?.getBoundingClientRect().top;
    return {
        code: sum([...article.querySelectorAll(".cell_input")]) / height,
        output: sum([...article.querySelectorAll(".cell_output")]) / height,
        pictures: sum(pictures) / height,
        first: first === undefined ? null : first - top,
    };
}"""


def pages():
    """Return the names of all pages, in the order of the contents."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf8"))
    parts = [chapter["file"] for part in toc["parts"] for chapter in part["chapters"]]
    return [toc["root"], *parts, "search", "genindex"]


def chosen(names, starts):
    """Return the names that begin, after their folder, like one of ``starts``."""
    found = [n for n in names if n.rpartition("/")[2].startswith(tuple(starts))]
    return found if starts else names


@contextmanager
def first_visit(browser, address):
    """Open a page with an empty cache; give the page and what it fetched and said."""
    context = browser.new_context(viewport=LAPTOP)
    context.set_default_timeout(60_000)
    page, files, said = context.new_page(), defaultdict(dict), []
    network = context.new_cdp_session(page)
    network.send("Network.enable")
    network.on(
        "Network.requestWillBeSent",
        lambda e: files[e["requestId"]].update(url=e["request"]["url"], kind=e["type"]),
    )
    network.on(
        "Network.loadingFinished",
        lambda e: files[e["requestId"]].update(size=e["encodedDataLength"]),
    )
    page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.add_init_script(WATCH_SHIFTS)
    page.goto(address)
    page.wait_for_timeout(AFTER_LOAD)
    yield page, files, said
    context.close()


def measure(browser, address, base):
    """Return what is measured of one page: {heading: cell}."""
    with first_visit(browser, address) as (page, files, said):
        fetched = [file for file in files.values() if file["url"].startswith("http")]
        weights = {True: 0, False: 0}
        for file in fetched:
            weights[file["kind"] == "Image"] += file.get("size", 0) / 1024
        loaded = page.evaluate("window.courseShifts")
        elements = page.evaluate("document.querySelectorAll('*').length")
        scrolled = page.evaluate(SCROLL)
        extents = []
        for size in (DESKTOP, PHONE, NARROWEST):
            page.set_viewport_size(size)
            extents.append(page.evaluate(EXTENT))
            if size is DESKTOP:
                shares = page.evaluate(SHARES)
        foreign = [f for f in files.values() if not f["url"].startswith((base, "data"))]
    (_, wide), (phone, long), (narrow, _) = extents
    return {
        "KiB": f"{sum(weights.values()):.0f}",
        "pictures": f"{weights[True]:.0f}",
        "requests": f"{len(fetched)}",
        "CLS": f"{loaded:.3f}",
        "CLS scrolled": f"{scrolled:.3f}",
        "DOM": f"{elements}",
        "overflow": f"{phone}/{narrow}",
        **in_words(shares),
        "screens": f"{wide:.0f}/{long:.0f}",
        "console": f"{len(said)}",
        "foreign": f"{len(foreign)}",
    }


def in_words(shares):
    """Return the cells for what fills an article."""
    if shares is None:
        return {"code/output/pictures": "–", "first figure": "–"}
    parts = (round(100 * shares[name]) for name in ("code", "output", "pictures"))
    first = shares["first"]
    return {
        "code/output/pictures": "/".join(map(str, parts)),
        "first figure": "–" if first is None else f"{first:.0f}",
    }


def judge(addresses, runs):
    """Let Lighthouse judge pages; return {address: its runs}."""
    if not (RUNNER.parent / "node_modules").is_dir():
        raise RuntimeError(f"Lighthouse is missing: run npm ci in {RUNNER.parent}")
    command = ["node", str(RUNNER), str(runs), *addresses]
    env = os.environ | {"CHROME_PATH": program() or ""}
    found = defaultdict(list)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as node:
        for line in node.stdout:
            said = json.loads(line)
            found[said["address"]].append(said)
            print(said["address"], said["marks"], *said["unmet"], file=sys.stderr)
    if node.returncode:
        raise RuntimeError(f"Lighthouse ended with {node.returncode}")
    return found


def middle(runs):
    """Return the middle of the runs of one page: {heading: cell}."""
    first, *others = zip_longest(*(run["marks"] for run in runs))
    marks = [min(mark for mark in kind if mark is not None) for kind in others]
    names = ("fcp", "lcp", "tbt", "benchmark")
    times = {name: median(run[name] for run in runs) for name in names}
    return {
        "performance": f"{round(median(first))} ({len(runs)})",
        "a11y/practices/SEO": "/".join(map(str, marks)),
        "FCP": f"{times['fcp'] / 1000:.1f}",
        "LCP": f"{times['lcp'] / 1000:.1f}",
        "TBT": f"{times['tbt']:.0f}",
        "benchmark": f"{times['benchmark']:.0f}",
    }


def too_low(row):
    """Return whether a mark of Lighthouse in a row is lower than it may be."""
    marks = [row["performance"].split()[0], *row["a11y/practices/SEO"].split("/")]
    return any(int(mark) < least for mark, least in zip(marks, MARKS, strict=True))


def write(table, names, path=TABLE):
    """Write the rows in the order of the names; pages that are gone go."""
    heading = [*MEASURED, *JUDGED]
    lines = [f"| page | {' | '.join(heading)} |", "|---" * (len(heading) + 1) + "|"]
    for name in names:
        if name in table:
            cells = [table[name].get(key, "–") for key in heading]
            lines.append("| " + " | ".join([name, *cells]) + " |")
    path.write_text(HEADER + "\n".join(lines) + "\n", encoding="utf-8")


def main(arguments=None):
    """Measure the chosen pages; return 1 where a mark of Lighthouse is too low."""
    parser = argparse.ArgumentParser(prog="python -m tools.page_metrics")
    parser.add_argument("--pages", nargs="*", default=[], metavar="03")
    parser.add_argument("--lighthouse", type=int, default=0, metavar="RUNS")
    parser.add_argument("--site", type=Path, default=SITE)
    parser.add_argument("--table", type=Path, default=TABLE)
    options = parser.parse_args(arguments)
    names = [n for n in pages() if (options.site / f"{n}.html").is_file()]
    wanted = chosen(names, options.pages)
    if not wanted:
        parser.error(f"--pages must begin like one of {names}, got {options.pages}")
    table, low = read(options.table), []
    with host(options.site) as base:
        with chromium() as browser:
            for name in wanted:
                kept = {key: table.get(name, {}).get(key, "–") for key in JUDGED}
                table[name] = kept | measure(browser, f"{base}{name}.html", base)
                print(name, table[name], file=sys.stderr)
        if options.lighthouse:
            addresses = {f"{base}{name}.html": name for name in wanted}
            for address, runs in judge(addresses, options.lighthouse).items():
                name = addresses[address]
                table[name] |= middle(runs)
                low += [name] if too_low(table[name]) else []
    write(table, names, options.table)
    if low:
        least = "/".join(map(str, MARKS))
        print(f"Lighthouse: below {least}: {', '.join(low)}", file=sys.stderr)
    return int(bool(low))


if __name__ == "__main__":
    sys.exit(main())
