"""What a reader leaves on a page: predictions, sections read; and where they are."""

import gzip
import json

import pytest

from tests.site.axe import broken, describe
from tests.site.course import CHAPTERS, LOOKS, PHONE
from tests.site.live import STORE as PREFIX
from tests.site.live import needs_python

FIRST = f"{CHAPTERS[0]}.html"
YOURS = "book/your-data.html"
KEPT = f"Object.keys(localStorage).filter(key => key.startsWith('{PREFIX}')).sort()"


def entry(page, key):
    """Return what the browser keeps under a key, None if nothing."""
    return json.loads(page.evaluate(f"localStorage.getItem('{PREFIX}{key}')") or "null")


def keep(page, key, value):
    """Keep a value under a key, and tell the page."""
    text = json.dumps(json.dumps(value))
    page.evaluate(f"localStorage.setItem('{PREFIX}{key}', {text})")
    page.evaluate("dispatchEvent(new Event('storage'))")


def answer_of(page, name):
    return page.locator(f"#predict-{name} + details")


def erase_all(page):
    page.evaluate("localStorage.clear()")


def violations(page, *places):
    """Return the accessibility rules that these parts of a page break."""
    return [*map(describe, broken(page, *places))]


# Predictions


def test_a_prediction_is_kept_shown_beside_the_measurement_and_erased(visit, expect):
    page, trouble = visit(FIRST)
    box, answer = page.locator("#predict-one-outlier"), answer_of(page, "one-outlier")
    box.get_by_label("(1.1) divides").fill("90")
    box.get_by_role("button", name="Keep my answer").click()  # a field is empty
    assert page.evaluate(KEPT) == []
    expect(answer).not_to_have_attribute("open", "")
    box.get_by_label("(1.2) divides").fill("3")
    box.get_by_role("button", name="Keep my answer").click()
    lines = answer.locator(".predict-said p")
    expect(lines.first).to_have_text(
        "(1.1) divides the spread by: you said 90 · measured 100 · close "
        "· claim N2.outlier"
    )
    expect(lines.last).to_contain_text("you said 3 · measured 15.6 · not what you")
    assert lines.first.locator("a").get_attribute("href") == "#claim-n2-outlier"
    assert page.locator("#claim-n2-outlier").count() == 1
    expect(box.locator("output")).to_have_text("Kept in this browser.")
    expect(answer.locator("summary")).to_be_focused()
    expect(page.locator(".predict-count")).to_contain_text("1 of 7 predictions")
    kept = entry(page, "predict:one-outlier")
    assert kept["said"] == [["90"], ["3"]]
    assert kept["at"] == f"{FIRST}#predict-one-outlier"
    page.reload()  # it is still there, and the answer is folded again
    expect(lines.first).not_to_be_visible()
    expect(box.get_by_label("(1.1) divides")).to_have_value("90")
    expect(box.get_by_label("(1.1) divides")).to_be_disabled()
    answer.locator("summary").click()
    expect(lines.first).to_contain_text("you said 90 · measured 100 · close")
    box.get_by_role("button", name="Erase it").click()
    expect(lines).to_have_count(0)
    expect(page.locator(".predict-count")).to_be_hidden()
    expect(box.get_by_label("(1.1) divides")).to_be_focused()
    assert page.evaluate(KEPT) == []
    assert trouble.console == []


def test_a_prediction_is_made_with_the_keyboard(visit, expect):
    page, _ = visit(FIRST)
    answer = answer_of(page, "half-of-the-z-score")
    page.locator("#predict-half-of-the-z-score input").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Keep my answer")
    page.keyboard.press("Enter")
    expect(answer.locator(".predict-said")).to_have_text(
        "You said “dividing by the standard deviation” · the answer is “subtracting "
        "the mean” · not what you expected · claim N3.pixel"
    )
    expect(answer.locator("summary")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(page.locator(":focus")).to_have_text("Erase it")
    page.keyboard.press("Enter")
    assert page.evaluate(KEPT) == []


def test_who_unfolds_the_answer_has_answered_if_the_fields_are_filled(visit, expect):
    page, _ = visit(FIRST)
    answer = answer_of(page, "round-bowl")
    answer.locator("summary").click()
    expect(answer.locator("p").first).to_contain_text("Its condition number is 33")
    assert page.evaluate(KEPT) == []
    answer.locator("summary").click()
    page.locator("#predict-round-bowl").get_by_label("no", exact=True).check()
    answer.locator("summary").click()
    expect(answer.locator(".predict-said")).to_have_text(
        "You said “no” · as it came out"
    )
    assert entry(page, "predict:round-bowl")["said"] == [["no"]]
    erase_all(page)


def test_each_place_of_an_order_is_another_one(visit, expect):
    page, _ = visit("book/06-why.html")
    box = page.locator("#predict-barrier")
    lists = box.locator("select")
    for i in range(3):
        lists.nth(i).select_option("SGD and Adam")
    box.get_by_role("button", name="Keep my answer").click()
    assert page.evaluate(KEPT) == []
    right = json.loads(box.locator("[data-part]").get_attribute("data-part"))["right"]
    for i, option in enumerate(right):
        lists.nth(i).select_option(option)
    box.get_by_role("button", name="Keep my answer").click()
    said = answer_of(page, "barrier").locator(".predict-said")
    expect(said).to_contain_text("· as it came out · claim W9.start")
    erase_all(page)


# Answers each question with what came out; returns what is then said of each part, with
# the line of its claim, and the count at the end of the page. Then all is as it was.
ALL_RIGHT = """() => {
    const forms = [...document.querySelectorAll('.predict-form')];
    const said = forms.map(form => {
        for (const part of form.querySelectorAll('[data-part]')) {
            const { right, near } = JSON.parse(part.dataset.part);
            const lists = part.querySelectorAll('select');
            lists.forEach((list, i) => list.value = right[i]);
            for (const field of part.querySelectorAll('input')) {
                if (field.type === 'radio') field.checked = field.value === right[0];
                else field.value = near ? (near[0] + near[1]) / 2 : 'some words';
            }
        }
        form.requestSubmit();
        let answer = form.parentElement.nextElementSibling;
        while (!answer.querySelector('.predict-said'))
            answer = answer.nextElementSibling;
        answer.open = false;
        return [...answer.querySelectorAll('.predict-said p')].map(line => {
            const id = line.querySelector('a')?.hash.slice(1);
            return [line.textContent, id && document.getElementById(id).textContent];
        });
    });
    const count = document.querySelector('.predict-count').textContent;
    for (const form of forms) form.querySelector('button[type=button]').click();
    return [said, count, document.querySelectorAll('.callout-predict').length];
}"""


def told(page):
    """Check what is said when every question is answered with what came out."""
    said, count, boxes = page.evaluate(ALL_RIGHT)
    assert len(said) == boxes > 0
    for line, claim in [part for parts in said for part in parts]:
        right = " · close" in line or " · as it came out" in line
        assert right or line.endswith("ou said “some words”"), line
        assert (" · claim " in line) == bool(claim), line
        assert not claim or claim.startswith(f"✔ {line.rpartition(' ')[2]} · ")
    assert count.startswith(f"{boxes} of {boxes} predictions of this page answered")
    # A page that was open for long has been read.
    assert not [key for key in page.evaluate(KEPT) if ":read:" not in key]
    page.evaluate("document.activeElement.blur(), scrollTo(0, 0)")


def test_what_came_out_is_called_right(look_at, chapter):
    page, trouble = look_at(chapter)
    told(page)
    assert trouble.console == []


def test_what_came_out_in_the_project_is_called_right(visit):
    page, _ = visit("book/project.html")
    told(page)


def test_questions_are_as_before_without_a_script(look_at):
    page, _ = look_at(CHAPTERS[0], "no script")
    forms = page.locator(".predict-form")
    assert forms.count() == 7
    assert not any(form.is_visible() for form in forms.all())
    box = page.locator("#predict-round-bowl")
    space = "it => parseFloat(getComputedStyle(it).marginBottom)"
    assert box.locator("p").first.evaluate(space) == 0


@pytest.mark.parametrize("look", ["dark", "phone"])
def test_an_answered_box_is_accessible_and_fits(visit, look, expect):
    page, _ = visit(FIRST, reduced_motion="reduce", **LOOKS[look])
    box = page.locator("#predict-nearest-neighbor")
    box.get_by_label("99%").check()
    box.get_by_label("Students who keep").fill("8")
    box.get_by_role("button", name="Keep my answer").click()
    expect(answer_of(page, "nearest-neighbor").locator(".predict-said")).to_be_visible()
    assert page.evaluate("document.getAnimations().length") == 0
    keep(page, f"read:{CHAPTERS[0]}", {"read": ["#two-ways-to-scale"], "of": 20})
    assert page.locator("#course-contents .reader-read").count() == 1
    box = "#predict-nearest-neighbor"
    assert violations(page, box, f"{box} + details", "#course-contents") == []
    for width in (PHONE["width"], 320) if look == "phone" else ():
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    erase_all(page)


# The contents bar


# The link of the innermost section that stands below the bar at the top, and the one
# that is marked.
MARKED = """() => {
    const bar = document.querySelector('.bd-header-article').getBoundingClientRect();
    const article = document.querySelector('article').getBoundingClientRect();
    const middle = article.left + article.width / 2;
    let it = document.elementFromPoint(middle, bar.bottom + 100);
    const links = [...document.querySelectorAll('#course-contents a')];
    const link = section => links.find(link => link.hash === '#' + section.id);
    for (it = it?.closest('section'); it && !link(it); it = it.parentElement)
        ;
    const marked = links.filter(link => link.hasAttribute('aria-current'));
    const seen = marked.map(link => link.checkVisibility());
    return [it ? [link(it).hash] : [], marked.map(link => link.hash), seen];
}"""


# Waits until the page has moved from where it was, or cannot, and is painted.
MOVED = """before => new Promise(go => {
    const end = document.documentElement.scrollHeight - innerHeight - 2;
    const look = () => requestAnimationFrame(() =>
        scrollY > before || scrollY >= end ? requestAnimationFrame(go) : look());
    look();
})"""


@pytest.mark.parametrize("name", [CHAPTERS[2], CHAPTERS[6], "book/clinic"])
def test_the_section_at_the_top_is_marked(visit, name):
    page, _ = visit(f"{name}.html")
    height = page.evaluate("document.documentElement.scrollHeight")
    page.mouse.move(600, 400)
    wrong, kinds = [], set()
    for _ in range(20):
        before = page.evaluate("scrollY")
        page.mouse.wheel(0, height / 20)
        page.evaluate(MOVED, before)
        at_top, marked, seen = page.evaluate(MARKED)
        kinds.add(tuple(marked))
        wrong += [] if at_top == marked and all(seen) else [(at_top, marked, seen)]
    assert wrong == []
    assert len(kinds) > 5


def test_a_link_of_the_contents_marks_its_section(visit, expect):
    page, _ = visit(f"{CHAPTERS[6]}.html")
    links = page.locator("#course-contents > ul > li > a")
    for link in (links.first, links.last):
        link.click()
        expect(link).to_have_attribute("aria-current", "true")
        assert page.locator("#course-contents [aria-current]").count() == 1


# Sections that were read


def test_a_section_that_was_read_is_marked_here_and_in_the_lists(visit, expect):
    page, _ = visit(FIRST)
    page.clock.install()
    page.reload()
    mark = page.locator("#course-contents .reader-read")
    page.evaluate("document.querySelector('#further-reading').scrollIntoView()")
    page.clock.run_for(8_000)
    assert mark.count() == 0
    page.evaluate("scrollTo({ top: 0, behavior: 'instant' })")
    page.clock.run_for(20_000)
    assert mark.count() == 0  # its end was not on the screen
    page.evaluate("document.querySelector('#further-reading').scrollIntoView()")
    page.clock.run_for(4_000)
    link = page.locator("#course-contents a[href='#further-reading']")
    assert link.locator(".reader-read").count() == 1
    assert 'link "Further reading read"' in link.aria_snapshot()
    kept = entry(page, f"read:{CHAPTERS[0]}")
    assert "#further-reading" in kept["read"]
    total = page.locator("#course-contents a").count()
    assert kept["of"] == total
    here = page.locator(".bd-links .current .reader-read")
    expect(here).to_have_text("◐")
    page.goto(page.url.replace(CHAPTERS[0], "book/index"))
    there = page.locator(".bd-links .reader-read")
    assert there.all_inner_texts() == ["◐"]
    spoken = f"{len(kept['read'])} of {total} sections read"
    assert there.get_attribute("aria-label") == spoken
    kept["of"] = len(kept["read"])
    keep(page, f"read:{CHAPTERS[0]}", kept)
    assert there.all_inner_texts() == ["✓"]
    assert there.get_attribute("aria-label") == "read"
    erase_all(page)


def test_pages_without_questions_keep_nothing(visit):
    page, _ = visit("book/faq.html")
    page.clock.install()
    page.reload()
    page.clock.run_for(30_000)
    assert page.evaluate(KEPT) == []


# Your data


KEEP_ALL = """entries => {
    for (const [key, value] of entries) localStorage.setItem(key, value);
    dispatchEvent(new Event("storage"));
}"""


@pytest.mark.parametrize("offline", [False, True])
def test_what_is_kept_is_listed_and_erased(visit, expect, offline):
    page, trouble = visit(FIRST, offline=offline)
    page.locator("#predict-round-bowl").get_by_label("yes").check()
    page.locator("#predict-round-bowl button").first.click()
    page.locator("#predict-picture-of-students").get_by_label("a line").check()
    page.locator("#predict-picture-of-students button").first.click()
    read = ["#four-lines", "#further-reading"]
    keep(page, f"read:{CHAPTERS[1]}", {"read": read, "of": 19})
    entries = page.evaluate("Object.entries(localStorage)")
    page.goto(page.url.replace(FIRST, YOURS))
    if offline:  # a page of the disk does not always find what another has kept
        page.evaluate(KEEP_ALL, entries)
    section = page.locator("#predictions-and-sections-read")
    status, rows = section.locator("[role=status]"), section.locator("li")
    expect(status).to_have_text("2 predictions, 2 sections read.")
    assert rows.count() == 3
    expect(rows.nth(2)).to_contain_text("Chapter 2: The forward pass")
    expect(rows.nth(2)).to_contain_text("2 of 19 sections read")
    expect(rows.nth(1)).to_contain_text("you said yes")
    assert (
        rows.nth(1)
        .locator("a")
        .get_attribute("href")
        .endswith(f"/{FIRST}#predict-round-bowl")
    )
    if not offline:  # axe asks for the stylesheets once more
        assert violations(page, "#predictions-and-sections-read", ".bd-links") == []
    rows.nth(1).get_by_role("button").click()
    expect(rows).to_have_count(2)
    expect(status).to_contain_text("Erased: “Now let both columns")
    expect(rows.nth(1).get_by_role("button")).to_be_focused()
    expect(page.locator(".bd-links .reader-read")).to_have_text("◐")
    page.on("dialog", lambda dialog: dialog.accept())
    section.get_by_role("button", name="Erase all of these").click()
    expect(rows).to_have_count(0)
    expect(page.locator(".bd-links .reader-read")).to_have_count(0)
    assert page.evaluate(KEPT) == []
    expect(section.get_by_role("button", name="Erase all of these")).to_be_disabled()
    if not offline:
        page.goto(page.url.replace(YOURS, FIRST))
        expect(page.locator("#predict-round-bowl").get_by_label("yes")).to_be_enabled()
    assert trouble.console == []


@needs_python
def test_everything_is_erased_at_once(visit, expect):
    page, _ = visit(YOURS)
    keep(page, "predict:a", {"said": [["1"]], "question": "How many?"})
    keep(page, f"read:{CHAPTERS[1]}", {"read": ["#four-lines"], "of": 19})
    page.get_by_role("button", name="Erase everything …").click()
    dialog = page.get_by_role("dialog", name="Erase everything")
    expect(dialog).to_contain_text(
        "Erase all predictions and marks of sections read from this browser?"
    )
    dialog.get_by_role("button", name="Erase everything").click()
    expect(page.locator("#predictions-and-sections-read li")).to_have_count(0)
    expect(page.locator(".bd-links .reader-read")).to_have_count(0)
    assert page.evaluate(KEPT) == []


# Exercises


def test_an_exercise_ends_with_its_last_cell(look_at, chapter):
    page, _ = look_at(chapter)
    cards = page.locator("section.exercise-card")
    assert cards.count() == page.locator("[id^=exercise-] > h3").count() > 0
    after = cards.evaluate_all(
        "all => all.map(card => [card.lastElementChild.textContent,"
        " card.lastElementChild.previousElementSibling.querySelector('summary')"
        "?.textContent.trim().split('\\n')[0], card.querySelectorAll('h3').length,"
        " getComputedStyle(card).borderTopStyle])"
    )
    for end, fold, heads, border in after:
        assert end.startswith("End of exercise ")
        assert [fold, heads, border] == ["Show the solution", 1, "solid"]
    levels = page.locator("section.exercise-card [role=img][aria-label^='level ']")
    assert levels.count() == cards.count()


def test_a_solution_looks_like_a_hint(look_at):
    page, _ = look_at(CHAPTERS[0])
    card = page.locator("section.exercise-card").first
    style = """it => {
        const { borderTopWidth, borderTopColor, backgroundColor, boxShadow } =
            getComputedStyle(it), { color, fontWeight, paddingLeft, display } =
            getComputedStyle(it.querySelector('summary'));
        const { height } = it.getBoundingClientRect();
        return [borderTopWidth, borderTopColor, backgroundColor, boxShadow, color,
            fontWeight, paddingLeft, display, Math.round(height)];
    }"""
    hint = card.locator("details:not(.hide)").first.evaluate(style)
    assert card.locator("details.hide").evaluate(style) == hint


# The first minute, and what it costs


def test_a_newcomer_is_one_click_from_the_cell_of_a_claim(visit, expect):
    page, _ = visit("book/index.html")
    page.get_by_role("link", name="See the cell of W1.noise").click()
    expect(page.locator("#claim-w1-noise")).to_be_in_viewport()


@needs_python
def test_a_newcomer_is_two_clicks_from_an_exercise_and_a_cell_that_runs(visit, expect):
    page, _ = visit("book/index.html")
    page.get_by_role("link", name="Answer an exercise here").click()
    expect(page.locator("h3", has_text="Exercise 2.1")).to_be_in_viewport()
    page.get_by_role("button", name="Answer on this page").first.click()
    expect(page.get_by_role("button", name="Check").first).to_be_visible()
    page.goto(page.url.partition("book/")[0] + "book/index.html")
    page.get_by_role("link", name="Start with chapter 1").click()
    page.get_by_role("button", name="Run this page").click()
    expect(page.get_by_role("button", name="Run all", exact=True)).to_be_visible()


def test_the_path_leads_to_every_chapter_and_is_legible(visit, site):
    page, _ = visit("book/index.html", viewport=PHONE)
    links = page.locator(".course-path a")
    hrefs = [link.get_attribute("href") for link in links.all()]
    assert sorted(hrefs) == [f"{name.removeprefix('book/')}.html" for name in CHAPTERS]
    words = [link.get_attribute("aria-label") for link in links.all()]
    core = [name for name in words if name.endswith(", core")]
    assert len(core) + len([n for n in words if n.endswith("be skipped")]) == len(words)
    assert "2 The forward pass, core" in core
    sizes = page.locator(".course-path text").evaluate_all(
        "all => all.map(it => [it.getBoundingClientRect().height,"
        " it.getBoundingClientRect().right])"
    )
    assert min(height for height, _ in sizes) >= 12
    assert max(right for _, right in sizes) <= PHONE["width"]
    assert page.locator(".course-goals li").count() == len(CHAPTERS)
    links.nth(1).focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/book/02-forward.html")


def test_the_script_is_small(site):
    script = (site / "_static" / "reader.js").read_bytes()
    assert len(gzip.compress(script)) <= 4 * 1024
