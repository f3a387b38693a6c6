"""What goes wrong on a page that runs is said in words, and the next run works."""

import pytest

from tests.site.live import (
    SHIFTED,
    Exercise,
    blocked,
    kept,
    needs_python,
    solutions,
)

pytestmark = needs_python
FORWARD = "book/02-forward"
SOLUTION = solutions(FORWARD)["2.1"]
# The limit of the checker is 10 s: a test need not burn them.
SOON = "from functools import partial\n\ncheck = partial(check, time_limit=0.3)\n\n\n"


def test_one_python_survives_what_an_answer_does(visit):
    page, _ = visit(f"{FORWARD}.html")
    forward = Exercise(page, "2.1").open()
    # A loop that never ends, in the answer: the checker stops it.
    forward.write(
        f"{SOON}def forward(x, gamma, beta, eps):\n    while True:\n        pass\n"
    )
    forward.check("^✘ Exercise 2.1 · not yet")
    forward.expect(forward.output).to_contain_text("a loop that never ends")
    # A flood is cut, and its end is there: that is the verdict.
    forward.write("for i in range(200_000):\n    print('line', i)\n\n\n" + SOLUTION)
    forward.check("^✔")
    said = forward.output.inner_text()
    assert "… a part of the output is left out" in said and "line 199999" in said
    assert len(said) < 25_000
    # Memory: Python refuses, and goes on.
    forward.write("gigabytes = [np.empty(2**27) for _ in range(8)]\n")
    forward.check("MemoryError: there is no memory left for this.")
    forward.write(SHIFTED)
    forward.check("not yet")
    # Two questions that no page can answer.
    forward.write("name = input('Who are you? ')\n")
    forward.check("OSError: input\\(\\) cannot ask on this page")
    forward.write("raise SystemExit(3)\n")
    forward.check("SystemExit: 3")
    forward.write("def f(n):\n    return f(n + 1)\n\n\nf(0)\n")
    forward.check("RecursionError")
    # Python itself crashes: this is said, and the next check starts another.
    forward.write("print(eval('[' * 5000 + ']' * 5000))\n")
    forward.check(
        "Python has crashed, most likely because its memory or its stack was full"
    )
    forward.expect(forward.button("Check")).to_be_focused()
    forward.write(SOLUTION)
    forward.check("^✔")
    # A loop outside of the answer: the reader stops it, and the focus stays.
    forward.write("while True:\n    pass\n")
    forward.button("Check").click()
    forward.hears("Checking …")
    forward.button("Stop").click()
    forward.hears("^Stopped.$")
    forward.expect(forward.button("Check")).to_be_focused()
    forward.write(SHIFTED)
    forward.check("not yet")


@pytest.mark.parametrize("lost", ["**/pyodide.asm.wasm", "**/numpy-*", "**/bnlib.zip"])
def test_without_a_connection_it_says_so_and_tries_again(visit, lost):
    page, _ = visit(f"{FORWARD}.html")
    forward = Exercise(page, "2.1")
    with blocked(page, lost):
        forward.open()
        forward.check("^Python could not be loaded. Is there a connection\\?$")
        forward.expect(forward.button("Try again")).to_be_focused()
    if lost == "**/bnlib.zip":  # one start is enough
        forward.button("Try again").click()
        forward.hears("not attempted", 120_000)


@pytest.mark.parametrize("lost", ["**/exercise.js", "**/kernel.js", "**/editor.js"])
def test_a_script_that_does_not_arrive_can_be_asked_for_again(visit, lost):
    page, _ = visit(f"{FORWARD}.html")
    page.route("**/worker.mjs", lambda route: route.abort())
    forward = Exercise(page, "2.1")
    with blocked(page, lost):
        forward.button("Answer on this page").click()
        forward.expect(forward.button("Try again")).to_be_focused()
        line = forward.section.get_by_role("status")
        forward.expect(line).to_have_text(
            "This could not be loaded. Is there a connection?"
        )
    forward.open("Try again")


BLOCKED = """Object.defineProperty(window, 'localStorage', {
    get() { throw new DOMException('blocked', 'SecurityError'); } })"""
FULL = """Storage.prototype.setItem = () => {
    throw new DOMException('full', 'QuotaExceededError'); }"""


@pytest.mark.parametrize("trouble", [BLOCKED, FULL], ids=["blocked", "full"])
def test_where_nothing_can_be_kept_an_answer_lasts_as_long_as_the_page(visit, trouble):
    page, _ = visit("book/license.html")
    page.add_init_script(trouble)
    page.route("**/worker.mjs", lambda route: route.abort())
    page.goto(page.url.replace("license", "02-forward"))
    forward = Exercise(page, "2.1").open()
    forward.expect(forward.notes).to_contain_text("This browser keeps nothing")
    forward.write(SHIFTED)
    forward.button("Close").click()
    forward.open()
    assert forward.text() == SHIFTED


def test_a_place_that_fills_up_loses_nothing(visit):
    page, _ = visit(f"{FORWARD}.html")
    page.route("**/worker.mjs", lambda route: route.abort())
    forward = Exercise(page, "2.1").open()
    forward.write("# first\n")
    page.evaluate(f"() => {{ {FULL} }}")
    forward.write("# second\n")
    forward.expect(forward.notes).to_contain_text("This browser keeps nothing")
    forward.button("Close").click()
    forward.open()
    assert forward.text() == "# second\n"
    assert '"# first' in kept(page)["answer:forward"]
