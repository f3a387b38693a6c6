"""The explorables on their pages: by mouse, keyboard and finger, in every look."""

import re

import pytest

from bnlib.lab.explore import bundle, explore
from tests.site.course import EXPLORED, LAPTOP, LOOKS, PHONE

NARROWEST = {"width": 320, "height": 700}


@pytest.fixture
def alive(look_at):
    """Return a function that shows an explorable and waits until it is alive.

    Its page is that of other tests, so it begins and ends as it was published.
    """
    seen = []

    def alive(name, look="light"):
        page, trouble = look_at(EXPLORED[name], look)
        figure = awake(page, name)
        seen.append((page, look, figure))
        again(figure)
        return page, figure, trouble

    yield alive
    for page, look, figure in seen:
        page.mouse.move(0, 0)
        page.set_viewport_size(LOOKS[look].get("viewport", LAPTOP))
        again(figure)
        page.evaluate("document.activeElement.blur()")


def awake(page, name):
    from playwright.sync_api import expect

    figure = page.locator(f"#explore-{name}")
    figure.scroll_into_view_if_needed()
    expect(figure).to_have_class(re.compile("bn-alive"), timeout=60_000)
    return figure


def again(figure):
    figure.locator(".bn-again").evaluate("it => it.click()")


def said(figure):
    return figure.locator(".bn-said").inner_text()


def center(node):
    box = node.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_each_explorable_stands_in_a_chapter():
    assert {*EXPLORED} == {*bundle.NAMES}


@pytest.mark.parametrize("look", ["light", "dark"])
def test_every_control_answers_to_the_keyboard(alive, look, explorable):
    page, figure, trouble = alive(explorable, look)
    assert said(figure) == explore(explorable).sentence
    fields = figure.locator("input:enabled, [data-handle], button:not(.bn-again)")
    start = said(figure)
    for field in fields.all():
        again(figure)
        # A radio button that is on has nothing to say.
        on = field.evaluate("it => it.type === 'radio' && it.checked")
        field.focus()
        if field.evaluate("it => it.tagName === 'BUTTON'"):
            page.keyboard.press("Enter")
        elif field.evaluate("it => it.type === 'radio'"):
            page.keyboard.press("Space")
        else:
            page.keyboard.press("ArrowRight")
            if said(figure) == start:  # it stood at the end
                page.keyboard.press("ArrowLeft")
        assert (said(figure) == start) == on, field.evaluate("it => it.outerHTML")
    figure.locator(".bn-again").focus()
    page.keyboard.press("Enter")
    assert said(figure) == explore(explorable).sentence
    assert trouble.console == [] and trouble.foreign == [] and trouble.failed == []


def test_what_can_be_dragged_follows_the_mouse(alive, explorable):
    page, figure, trouble = alive(explorable)
    handles = figure.locator("[data-handle]")
    for i in range(handles.count()):
        node = handles.nth(i)
        x, y = center(node)
        before, told = node.get_attribute("aria-valuenow"), said(figure)
        upright = node.get_attribute("aria-orientation") == "vertical"
        page.mouse.move(x, y)
        page.mouse.down()
        to = (x, y + 15) if upright else (x - 25, y)
        page.mouse.move(*to, steps=4)
        assert node.evaluate("it => it === document.activeElement")
        page.mouse.up()
        assert node.get_attribute("aria-valuenow") != before
        assert said(figure) != told
        now = node.get_attribute("aria-valuenow")
        page.mouse.move(x, y - 40)  # let go: it stays
        assert node.get_attribute("aria-valuenow") == now
        moved = center(node)
        assert abs(moved[0] - to[0]) < 6 and abs(moved[1] - to[1]) < 6
    for field in figure.locator("input[type=range]:enabled").all():
        figure.locator(".bn-again").click()
        told = said(figure)
        box = field.bounding_box()
        value = float(field.input_value())
        low, high = (float(field.get_attribute(k)) for k in ("min", "max"))
        share = 0.05 if value > (low + high) / 2 else 0.95
        page.mouse.click(box["x"] + share * box["width"], box["y"] + box["height"] / 2)
        assert said(figure) != told
    assert trouble.console == []


def test_a_finger_moves_it(tab, explorable):
    finger = {"viewport": PHONE, "has_touch": True, "is_mobile": True}
    page, _ = tab("look", f"{EXPLORED[explorable]}.html", **finger)
    figure = awake(page, explorable)
    target = figure.locator("[data-handle], [data-tap], input[type=range]").first
    told = said(figure)
    x, y = center(target)
    touch = page.context.new_cdp_session(page)
    where = {"touchStart": (x, y), "touchMove": (x - 18, y + 18), "touchEnd": None}
    for kind, point in where.items():
        points = [{"x": point[0], "y": point[1]}] if point else []
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    assert said(figure) != told


# The contrast of each text with what lies behind it, and of each shape that means
# something with the page; axe does not judge what stands in or beside an SVG.
CONTRAST = """figure => {
    const parse = color => color.match(/[\\d.]+/g).map(Number);
    const light = color => {
        const [r, g, b] = parse(color).slice(0, 3).map(v => v / 255).map(
            v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const clear = color => parse(color)[3] === 0;
    const ground = node => {
        while (node && clear(getComputedStyle(node).backgroundColor))
            node = node.parentElement;
        return node ? getComputedStyle(node).backgroundColor : 'rgb(255, 255, 255)';
    };
    const ratio = (a, b) => {
        const [low, high] = [light(a), light(b)].sort((x, y) => x - y);
        return (high + 0.05) / (low + 0.05);
    };
    const pale = [];
    const judge = (node, color, wanted) => {
        const found = ratio(color, ground(node));
        if (found < wanted) pale.push([node.outerHTML.slice(0, 80), color, found]);
    };
    for (const it of figure.querySelectorAll('label, legend, output, .bn-said, button'))
        judge(it, getComputedStyle(it).color, 4.5);
    for (const it of figure.querySelectorAll('text')) {
        const { fill } = getComputedStyle(it), below = it.previousElementSibling;
        const box = below && below.matches('rect.bn-edge, rect.bn-box') ? below : null;
        if (!box) judge(it, fill, 4.5);
        else if (ratio(fill, getComputedStyle(box).fill) < 4.5)
            pale.push([it.outerHTML, fill, getComputedStyle(box).fill]);
    }
    for (const it of figure.querySelectorAll('[class*="bn-"]')) {
        const style = getComputedStyle(it);
        if (/bn-(blue|orange|green|purple)/.test(it.getAttribute('class')))
            judge(it, style.fill, 3);
        if (/bn-(curve|target|ghost|axis|dash)/.test(it.getAttribute('class')))
            judge(it, style.stroke, 3);
    }
    return pale;
}"""


@pytest.mark.parametrize("look", ["light", "dark"])
def test_colors_can_be_told_from_the_ground(alive, look, explorable):
    page, figure, _ = alive(explorable, look)
    assert figure.evaluate(CONTRAST) == []


def test_a_pale_text_would_be_seen(visit):
    page, _ = visit(f"{EXPLORED['push']}.html")
    figure = awake(page, "push")
    page.add_style_tag(content=".bn-explore { --bn-ink: #999 !important }")
    assert len(figure.evaluate(CONTRAST)) > 3


@pytest.mark.parametrize("size", [PHONE, NARROWEST], ids=["390", "320"])
def test_it_fits_a_phone_with_letters_one_can_read(alive, size, explorable):
    page, figure, _ = alive(explorable, "phone")
    page.set_viewport_size(size)
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    width = figure.bounding_box()["width"]
    inside = figure.locator("svg, .bn-side > *, .bn-said")
    assert all(
        box["width"] <= width for box in (it.bounding_box() for it in inside.all())
    )
    script = """svg => [...svg.querySelectorAll('text')].map(it =>
        parseFloat(getComputedStyle(it).fontSize) * svg.getScreenCTM().a)"""
    sizes = figure.locator("svg").evaluate(script)
    assert min(sizes) >= (10 if size is PHONE else 8)
    out = """svg => { const box = svg.getBoundingClientRect();
        return [...svg.querySelectorAll('text')].filter(it => {
            const { left, right, top, bottom } = it.getBoundingClientRect();
            return left < box.left - 1 || right > box.right + 1
                || top < box.top - 1 || bottom > box.bottom + 1;
        }).map(it => it.textContent); }"""
    assert figure.locator("svg").evaluate(out) == []


def test_a_finger_finds_room(alive, explorable):
    page, figure, _ = alive(explorable, "phone")
    for node in figure.locator("[data-handle], button, input[type=range]").all():
        box = node.bounding_box()
        assert min(box["width"], box["height"]) >= 24


def test_without_a_script_the_picture_and_its_sentence_are_there(look_at, explorable):
    page, _ = look_at(EXPLORED[explorable], "no script")
    figure = page.locator(f"#explore-{explorable}")
    assert figure.locator("svg").bounding_box()["height"] > 100
    assert said(figure) == explore(explorable).sentence
    assert figure.locator("input, button, [tabindex]").count() == 0


def test_it_is_alive_from_the_disk(alive, explorable):
    _, figure, trouble = alive(explorable, "disk")
    assert figure.locator("input, [data-handle]").count() > 0
    assert trouble.console == [] and trouble.foreign == []


def test_paper_has_the_picture_and_no_controls(alive, explorable):
    page, figure, _ = alive(explorable)
    page.emulate_media(media="print")
    parts = {part: figure.locator(part) for part in ("svg", ".bn-said", ".bn-side")}
    printed = [part for part, found in parts.items() if found.is_visible()]
    page.emulate_media(media="null")
    assert printed == ["svg", ".bn-said"]


def test_a_script_is_loaded_when_its_figure_comes_near(tab, explorable):
    page, trouble = tab("near", f"{EXPLORED[explorable]}.html")
    top = page.locator(f"#explore-{explorable}").bounding_box()["y"]
    page.wait_for_timeout(500)

    def scripts():
        return [
            url for url in trouble.asked if url.endswith(f"/explore/{explorable}.js")
        ]

    assert (scripts() == []) == (top > 800 + page.viewport_size["height"])
    awake(page, explorable)
    assert len(scripts()) == 1


def test_a_figure_that_comes_later_wakes_up_as_well(visit, expect):
    """A cell that was run on the page adds one; its own script stays silent there."""
    name = bundle.NAMES[0]
    page, trouble = visit(f"{EXPLORED[name]}.html")
    html = explore(name)._still()
    page.evaluate(
        """html => { const place = document.createElement('div');
        place.id = 'later'; place.innerHTML = html;
        document.querySelector('.bn-explore').before(place); }""",
        html,
    )
    later = page.locator("#later [data-explore]")
    later.scroll_into_view_if_needed()
    expect(later).to_have_class(re.compile("bn-alive"))
    assert said(later) == explore(name).sentence
    assert trouble.console == []


def test_a_notebook_needs_no_page_of_ours(context, explorable):
    """As in Colab: a document in which the output of the cell is all there is."""
    page = context().new_page()
    complaints = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.set_content(explore(explorable)._repr_mimebundle_()["text/html"])
    figure = page.locator("[data-explore]")
    assert "bn-alive" in figure.get_attribute("class")
    assert figure.get_attribute("data-lm-suppress-shortcuts") == "true"
    assert said(figure) == explore(explorable).sentence
    assert figure.locator("svg").bounding_box()["height"] > 100
    assert figure.locator("img").count() == 0
    assert complaints == []
    page.close()
