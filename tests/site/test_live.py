"""Exercises that are answered on the page, by real Python in a real browser."""

import re

import pytest

from tests.site.course import LAPTOP, PHONE
from tests.site.live import (
    NEEDS_TORCH,
    PRACTICE,
    SHIFTED,
    Exercise,
    broken_rules,
    exercises,
    keep,
    kept,
    needs_python,
    solutions,
)

pytestmark = needs_python
FORWARD = "book/02-forward"
SOLUTION = solutions(FORWARD)["2.1"]


@pytest.mark.parametrize("practice", PRACTICE)
def test_every_exercise_without_torch_is_solved_on_its_page(visit, python, practice):
    page, trouble = visit(f"{practice}.html")
    python.answer(page)
    right, published = solutions(practice), exercises(practice)
    assert page.locator(".live-starter").count() == len(right)
    elsewhere = published.keys() & NEEDS_TORCH
    assert page.locator(".live-elsewhere").count() == len(elsewhere)
    for number, code in right.items():
        exercise = Exercise(page, number).open()
        starter = published[number]["starter"]
        assert exercise.text() == starter.partition("\n\n\ncheck(")[0]
        if number == next(iter(right)):  # of the others, the notebook and the proofs
            exercise.check(f"^○ Exercise {number} · not attempted")
        exercise.write(code)
        exercise.check(f"^✔ Exercise {number} · right")
        mark = exercise.section.locator(".live-check .live-solved")
        exercise.expect(mark).to_have_text("✔ Solved")
    assert trouble.foreign == trouble.failed == trouble.console == []
    # The page and Python agree on what is solved.
    names = {parts["name"] for n, parts in published.items() if n in right}
    assert {key[7:] for key in kept(page) if key.startswith("solved:")} == names
    exercise.write(f"progress()\n{code}")
    exercise.check("✔")
    said = exercise.output.inner_text().split("\n✔ Exercise")[0]
    assert set(re.findall(r"✔ (\S+) ", said)) == set(right)
    python.check()


@pytest.fixture
def idle(visit):
    """Return exercise 2.1 with its editor open; Python does not start there."""
    page, _ = visit(f"{FORWARD}.html")
    page.route("**/worker.mjs", lambda route: route.abort())
    return Exercise(page, "2.1").open()


def test_a_reader_gets_on(visit):
    """One Python for what a reader does with one exercise; a start costs seconds."""
    page, trouble = visit(f"{FORWARD}.html")
    forward = Exercise(page, "2.1").open()
    expect, roles = forward.expect, forward.section.get_by_role
    # For those who listen: names, and the verdict is announced.
    box = roles("textbox", name="Your answer to exercise 2.1 · The forward pass")
    expect(box).to_have_accessible_description(re.compile("Escape, then Tab"))
    assert roles("group", name="Exercise 2.1").count() == 1
    forward.check("^○ Exercise 2.1 · not attempted")
    assert roles("status").filter(has_text="not attempted").count() == 1
    # A misconception is named, and the whole verdict is text.
    forward.write(SOLUTION.replace("x.var(axis=0)", "x.var(axis=0, ddof=1)"))
    forward.check("^✘ Exercise 2.1 · not yet")
    expect(forward.output).to_contain_text("variance divided by N - 1")
    # What an answer may use besides NumPy.
    forward.write("hint('forward')\nprint(len(case('2.1')))\n" + SHIFTED)
    forward.check("not yet")
    expect(forward.output).to_contain_text("Hint 1 of 3")
    expect(forward.output).to_contain_text("\n4\n")
    # A syntax error shows the learner's lines and no others.
    forward.write("def forward(x, gamma, beta, eps:\n    return x\n")
    forward.check("SyntaxError: '\\(' was never closed")
    assert 'File "your answer", line 1' in forward.output.inner_text()
    assert forward.output.inner_text().count("File") == 1
    # An error in a helper as well, and nothing of what the library does inside.
    forward.write("def half(x):\n    return np.ones(2) @ np.ones(3)\n\n\nhalf(1)\n")
    forward.check("ValueError: matmul")
    files = re.findall(r'File "(.*?)", line (\d)', forward.output.inner_text())
    assert files == [("your answer", "5"), ("your answer", "2")]
    forward.write("def backward(x):\n    return x\n")
    forward.check("The check calls forward: your answer has to keep this name.")
    forward.write("import torch\n")
    forward.check("This needs PyTorch, which does not run in a browser")
    forward.write("import pandas\n")
    forward.check("No module named 'pandas': this page has NumPy, Matplotlib")
    # A name of an earlier answer is gone: each check begins afresh.
    forward.write(f"left_over = 1\n{SHIFTED}")
    forward.check("not yet")
    forward.write(f"print(left_over)\n{SHIFTED}")
    forward.check("NameError: name 'left_over' is not defined")
    # Figures work too; the words for them are those of the page.
    forward.write(f"import matplotlib.pyplot as plt\n_ = plt.plot([1, 2])\n{SOLUTION}")
    forward.check("^✔")
    expect(forward.output.locator("img")).to_have_attribute(
        "alt", "What the cell has drawn"
    )
    assert trouble.foreign == trouble.failed == trouble.console == []
    # Closed, the page is what it was.
    forward.button("Close").click()
    expect(forward.button("Go on with your answer")).to_be_focused()
    expect(forward.section.locator(".live-bar .live-solved").first).to_have_text(
        "✔ Solved"
    )
    expect(page.locator(".live-output, .live-editor, .live-notes")).to_have_count(0)
    expect(forward.section.locator(".live-check .cell_output")).to_contain_text(
        "not attempted"
    )


def test_hints_come_one_by_one(idle):
    hints = idle.section.locator("details:not(.hide)")
    for number in range(3):
        idle.button("Hint", exact=True).click()
        opened = hints.evaluate_all("all => all.map(one => one.open)")
        assert opened == [i <= number for i in range(3)]
        idle.expect(hints.nth(number).locator("summary")).to_be_focused()
    idle.button("Hint", exact=True).click()
    idle.hears("All hints are open.")
    idle.expect(idle.section.locator("details.hide")).not_to_have_attribute("open", "")


def test_an_answer_is_kept_and_reset_can_be_undone(idle):
    page = idle.page
    starter = idle.text()
    idle.write(SHIFTED)
    assert list(kept(page)) == ["answer:forward"]
    page.reload()
    idle.open("Go on with your answer")
    assert idle.text() == SHIFTED
    idle.button("Reset").click()
    assert idle.text() == starter
    assert kept(page) == {}
    idle.expect(idle.button("Undo reset")).to_be_focused()
    idle.button("Undo reset").click()
    assert idle.text() == SHIFTED
    assert list(kept(page)) == ["answer:forward"]
    idle.button("Reset").click()
    idle.editor.click()
    page.keyboard.press("Control+z")
    idle.expect(idle.button("Reset", exact=True)).to_be_visible()
    assert idle.text() == SHIFTED


OLD = {
    "code": SHIFTED,
    "starter": "def forward(x):\n    ...",
    "number": "2.1",
    "title": "Old",
}


def test_an_answer_to_an_older_exercise_is_kept_and_said(visit, python):
    page, _ = visit(f"{FORWARD}.html")
    python.answer(page)
    keep(page, **{"answer:forward": OLD})
    page.reload()
    forward = Exercise(page, "2.1").open("Go on with your answer")
    assert forward.text() == SHIFTED
    forward.expect(forward.notes).to_contain_text(
        "The exercise has changed since you began."
    )
    forward.button("Reset").click()
    forward.expect(forward.notes).to_be_empty()
    assert "# your code" in forward.text()
    forward.button("Undo reset").click()
    page.reload()
    forward.open()
    forward.expect(forward.notes).to_contain_text("has changed since")
    forward.write(SOLUTION)
    forward.check("^✔")  # right for the exercise as it is
    forward.expect(forward.notes).to_be_empty()
    page.reload()
    forward.open()
    forward.expect(forward.notes).to_be_empty()


@pytest.mark.parametrize("broken", ["{", "[]", '{"code": 1}', "null"])
def test_an_entry_that_is_none_counts_as_nothing(visit, broken):
    page, trouble = visit(f"{FORWARD}.html")
    page.route("**/worker.mjs", lambda route: route.abort())
    keep(page, **{"answer:forward": broken})
    page.reload()
    forward = Exercise(page, "2.1").open()
    assert "# your code" in forward.text()
    assert not [said for said in trouble.console if "worker.mjs" not in said]


def test_two_tabs_lose_nothing_silently(idle):
    with idle.page.expect_popup() as opened:
        idle.page.evaluate("open(location.href)")
    other = opened.value
    other.route("**/worker.mjs", lambda route: route.abort())
    twin = Exercise(other, "2.1").open()
    twin.write("# mine\n")
    idle.expect(idle.notes).to_contain_text("Another tab has just changed this answer.")
    assert "# your code" in idle.text()
    idle.button("Take that one").click()
    idle.expect(idle.editor).to_be_focused()
    assert idle.text() == "# mine\n"
    idle.write("# yours\n")  # the later one wins, and is offered there
    assert '"# yours' in kept(other)["answer:forward"]
    twin.expect(twin.notes).to_contain_text("Another tab")
    twin.button("Keep this one").click()
    assert '"# mine' in kept(other)["answer:forward"]
    idle.expect(idle.notes).to_contain_text("Another tab")
    other.evaluate("localStorage.clear()")
    idle.expect(idle.notes).to_contain_text("Another tab has erased this answer.")
    idle.button("Keep this one").click()
    assert '"# yours' in kept(idle.page)["answer:forward"]
    other.close()


# Accessibility


NARROW = {"width": 640, "height": 400}  # a laptop at 200 %
VIEWS = {"laptop": LAPTOP, "phone": PHONE, "large letters": NARROW}
# Axe reads the whole page, twelve times: of it the exercises stay, and what they use.
EXERCISES_ALONE = """() => {
    for (const it of document.querySelectorAll('article section > *'))
        if (!it.matches('section, h1, .live-bar, .live-imports')
            && !it.closest('section:has(> .live-starter)')) it.remove();
}"""


def test_an_exercise_is_accessible_in_each_look(visit, python):
    page, _ = visit(f"{FORWARD}.html")
    python.answer(page)
    keep(page, **{"answer:forward": OLD})
    page.reload()
    page.evaluate(EXERCISES_ALONE)
    forward = Exercise(page, "2.1")
    for theme in ("light", "dark"):
        page.evaluate("theme => document.documentElement.dataset.theme = theme", theme)
        for view, size in VIEWS.items():
            page.set_viewport_size(size)
            page.wait_for_timeout(500)  # the theme then looks for what scrolls
            assert broken_rules(page) == [], (theme, view, "before")
            # With a note, an open hint, a verdict, and a button that is held down.
            forward.open()
            forward.button("Hint", exact=True).click()
            forward.check("not yet")
            forward.button("Check").hover()
            page.mouse.down()
            assert broken_rules(page) == [], (theme, view, "open")
            page.mouse.up()
            forward.hears("not yet")
            assert (
                page.evaluate("document.documentElement.scrollWidth") <= size["width"]
            )
            heights = "all => all.map(it => it.getBoundingClientRect().height)"
            shown = page.locator(".live-bar:not([hidden]) button")
            assert min(shown.evaluate_all(heights)) >= 44
            forward.button("Close").click()


def test_the_keyboard_is_enough(visit):
    page, _ = visit(f"{FORWARD}.html")
    page.route("**/worker.mjs", lambda route: route.abort())
    forward = Exercise(page, "2.1")
    forward.button("Answer on this page").focus()
    page.keyboard.press("Enter")
    forward.expect(forward.editor).to_be_focused()
    page.keyboard.press("Control+End")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("x / 2")  # "/" would lead Sphinx to its search
    forward.expect(forward.editor).to_be_focused()
    assert forward.text().endswith("    x / 2")
    page.keyboard.press("Control+Enter")
    forward.hears("Python could not be loaded. Is there a connection?")
    forward.expect(forward.editor).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    forward.expect(forward.editor).not_to_be_focused()
    page.keyboard.press("Shift+Tab")
    forward.expect(forward.editor).to_be_focused()
    # Through all buttons, each with a ring; none loses the focus.
    seen = []
    page.keyboard.press("Escape")
    for _ in range(12):
        page.keyboard.press("Tab")
        name, ring = page.evaluate(FOCUSED)
        seen.append(name)
        assert ring, name
        if name == "Close":
            break
    assert seen[-4:] == ["Try again", "Hint", "Reset", "Close"]
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    forward.expect(forward.button("Undo reset")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    forward.expect(forward.button("Answer on this page")).to_be_focused()


FOCUSED = """() => {
    const it = document.activeElement;
    const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(it);
    const line = outlineStyle !== 'none' && outlineWidth !== '0px';
    const ring = line || boxShadow !== 'none';
    return [it.textContent.trim(), ring];
}"""


# Where Python cannot run


def test_a_page_from_the_disk_says_how_to_serve_it(visit):
    page, trouble = visit(f"{FORWARD}.html", offline=True)
    assert page.get_by_role("button", name="Answer on this page").count() == 0
    assert page.get_by_role("button", name="Run this page").count() == 0
    starter = page.locator(".live-starter").first
    Exercise(page, "2.1").expect(starter).to_contain_text("python -m http.server")
    assert trouble.console == trouble.foreign == []


def test_a_page_without_a_script_has_no_dead_button(visit):
    page, _ = visit(f"{FORWARD}.html", java_script_enabled=False)
    assert page.locator(".live-bar").count() == 0
    assert not page.locator(".live-place").is_visible()
    assert page.locator(".live-starter pre").first.is_visible()
