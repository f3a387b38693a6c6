"""Questions with fields: how they are written, and what the site makes of them."""

import html
import json
import re

import pytest
from nbformat import v4

from tests.book.tiny_book import ROOT, build
from tests.tools.samples import code, text
from tools import course, normal_form

BOX = re.compile(r"^> \*\*Predict\.\*\*", re.MULTILINE)
COMMENT = re.compile(r"<!-- predict: .*?-->", re.DOTALL)
QUESTION = "> **Predict.** How much?\n\n<!-- predict: {} -->\n\n"
ANSWER = "<details>\n<summary>Answer</summary>\n\nMuch.\n\n</details>"
PRINTED = """\
✔ N1.gain · points gained · measured 12 (10 to 15, 5 seeds), needs > 5 · digits
✔ N2 · nothing is left · measured 0, needs == 0
N =   2: too large by  41.4%
N =   8: too large by -6.9%
left: 0.08
"""


def book(folder, comment, question=QUESTION):
    """Build a page that asks one question, and prints below it."""
    cells = [
        text(f"# One\n\n{question.format(comment)}{ANSWER}"),
        code("1", printed=PRINTED),
    ]
    return build(folder, {"one.ipynb": cells})


def parts(page):
    """Return what the page says to its script: {name: [part, ...]}."""
    forms = re.findall(r'<form .*?data-name="(.*?)">(.*?)</form>', page, re.DOTALL)
    found = {}
    for name, inner in forms:
        data = re.findall(r"data-part='(.*?)'", inner)
        found[name] = [json.loads(html.unescape(one)) for one in data]
    return found


# How they are written


def test_every_question_of_the_book_has_fields_and_a_name_of_its_own():
    from coursesite import predict

    asked = {}
    for file, notebook in course.notebooks().items():
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                comments = COMMENT.findall(cell.source)
                assert len(BOX.findall(cell.source)) == len(comments), cell.source
                for comment in comments:
                    name, fields = predict.parse(comment)
                    assert name not in asked, f"{name} in {file} and {asked[name]}"
                    asked[name] = file
                    assert [predict.checked(field) for field in fields]
    chapters = {chapter.file for chapter in course.chapters()}
    assert chapters < set(asked.values())


def test_what_is_measured_is_not_typed():
    for file in [chapter.file for chapter in course.chapters()]:
        notebook = normal_form.read(ROOT / "book" / f"{file}.ipynb")
        source = "\n".join(c.source for c in notebook.cells)
        for comment in COMMENT.findall(source):
            assert not re.search(r"measured:\s*-?[\d.]+\s*$", comment, re.M), comment


def test_a_claim_gives_its_number_its_spread_and_its_line(tmp_path):
    made = book(tmp_path, "a\n- {kind: number, unit: points, measured: N1.gain}")
    assert made.warnings == []
    page = made.page("one")
    (part,) = parts(page)["a"]
    assert part == {
        "near": [9.6, 15],
        "measured": "12\N{NO-BREAK SPACE}points",
        "claim": "N1.gain",
        "at": "claim-n1-gain",
    }
    assert 'id="predict-a"' in page
    assert "<!-- predict" not in page
    assert page.index("predict-form") < page.index("<summary>Answer")


@pytest.mark.parametrize(
    "pattern, more, shown, near",
    [
        ("N = 2: too large by _%", 'unit: "%"', "41.4%", [33.12, 49.68]),
        ("N = 8: too large by _%", 'unit: "%", close: 1', "−6.9%", [-7.9, -5.9]),
        ("N … 8 … _%", 'unit: "%"', "−6.9%", [-8.28, -5.52]),
        ("N = # too _%", "", None, None),
        ("left: _", 'unit: "%", times: 100, close: x2', "8%", [4, 16]),
    ],
)
def test_a_printed_number_is_found(tmp_path, pattern, more, shown, near):
    more = f", {more}" if more else ""
    part = f'{{kind: number, measured: "{pattern}"{more}}}'
    made = book(tmp_path, f"a\n- {part}")
    if shown is None:
        (warning,) = made.warnings
        assert "measured must be printed by a cell of the page" in warning
    else:
        assert made.warnings == []
        assert parts(made.page("one"))["a"] == [{"near": near, "measured": shown}]


def test_a_number_of_a_table_is_found_in_its_text(tmp_path):
    table = v4.new_output("display_data", data={"text/plain": "net  loss\nours  2.5"})
    part = 'a\n- {kind: number, measured: "net loss ours _"}'
    cells = [text(f"# One\n\n{QUESTION.format(part)}"), code("1", table)]
    made = build(tmp_path, {"one.ipynb": cells})
    assert parts(made.page("one"))["a"] == [{"near": [2, 3], "measured": "2.5"}]


def test_choice_order_and_words_become_fields(tmp_path):
    made = book(
        tmp_path,
        "many-things\n- {kind: choice, options: [a, <b>], right: <b>, measured: N2}\n"
        "- {kind: choice, ask: 'How many?', options: [0.1, 12], right: 12, "
        "measured: N1.gain}\n"
        "- {kind: order, options: [x, y, z], right: [z, x, y]}\n- kind: words\n",
    )
    assert made.warnings == []
    page = made.page("one")
    claim = {"claim": "N2", "at": "claim-n2"}
    number = {"measured": "12", "claim": "N1.gain", "at": "claim-n1-gain"}
    assert parts(page)["many-things"] == [
        {"right": ["<b>"]} | claim,
        {"right": ["12"]} | number,
        {"right": ["z", "x", "y"]},
        {},
    ]
    form = page.partition("<form")[2].partition("</form>")[0]
    assert form.count('type="radio"') == 4
    assert form.count("<select") == 3
    assert form.count('type="text"') == 1
    assert '<legend class="visually-hidden">Your answer</legend>' in form
    assert "<legend>How many?</legend>" in form
    assert "&lt;b&gt;</label>" in form
    assert len(set(re.findall(r' name="([^"]*)"', form))) == 2


WRONG = {
    "": "a name like one-outlier must follow 'predict:', got ''",
    "One": "a name like one-outlier must follow 'predict:', got 'One'",
    "a": "must hold a list of '- kind: …', got None",
    "a\nkind: words": "must hold a list of '- kind: …', got {'kind': 'words'}",
    "a\n- [": "must hold a list in YAML",
    "a\n- kind: guess": "kind must be number, choice, order or words, got 'guess'",
    "a\n- kind: number": "a number must have measured, got ",
    "a\n- {kind: words, right: b}": "a words must have no right, got right",
    "a\n- {kind: choice, options: [b], right: b}": "two to five different ones",
    "a\n- {kind: choice, options: [b, b], right: b}": "two to five different ones",
    "a\n- {kind: choice, options: [b, c], right: d}": "must be one of ['b', 'c']",
    "a\n- {kind: order, options: [b, c], right: b}": "right must be all options",
    "a\n- {kind: number, measured: N9}": "must be a claim of this page, got 'N9'",
    "a\n- {kind: number, measured: 12}": "a claim or a text with one _, got '12'",
    "a\n- {kind: number, measured: B14}": "close must be a number, or a factor like x3",
    "a\n- {kind: number, measured: A15.gain, close: yes}": "close must be a number",
}


def named(comment, number):
    """Return a comment under a name of its own, where it has one."""
    return comment.replace("a\n", f"a{number}\n", 1)


@pytest.fixture(scope="module")
def wrong_book(tmp_path_factory):
    """Return a book with a page for each wrong comment, in their order."""
    pages = {
        f"page{i:02d}.ipynb": [
            text(f"# One\n\n{QUESTION.format(named(comment, i))}{ANSWER}"),
            code("1", printed=PRINTED.replace("N1", f"A{i}").replace("N2", f"B{i}")),
        ]
        for i, comment in enumerate(WRONG)
    }
    return build(tmp_path_factory.mktemp("wrong"), pages)


@pytest.mark.parametrize("comment", WRONG)
def test_a_wrong_comment_is_named_and_shown_to_nobody(wrong_book, comment):
    name = f"page{[*WRONG].index(comment):02d}"
    found = [line for line in wrong_book.warnings if name in line]
    (warning,) = found  # with -W, which make book has, the build stops
    assert re.search(r"\.ipynb:\d*.*WARNING: predict: ", warning)
    assert WRONG[comment] in warning
    assert "predict-form" not in wrong_book.page(name)
    assert "<!-- predict" not in wrong_book.page(name)


def test_a_comment_belongs_below_its_question(tmp_path):
    made = book(tmp_path, "a\n- kind: words", "Text.\n\n<!-- predict: {} -->\n\n")
    (warning,) = made.warnings
    assert "a must stand below a box that begins with **Predict.**" in warning


def test_two_questions_have_two_names(tmp_path):
    question = QUESTION.format("a\n- kind: words")
    pages = {"one.md": f"# A\n\n{question}", "two.md": f"# B\n\n{question}"}
    (warning,) = build(tmp_path / "pages", pages).warnings
    assert "no other box may be called a, got one in one" in warning
    pages = {"one.md": f"# A\n\n{question}{question}"}
    (warning,) = build(tmp_path / "twice", pages).warnings
    assert "no other box may be called a, got one in one" in warning


# Exercises: where their sections end


def exercise(role, source="1"):
    about = {"id": "1.1", "name": "one", "role": role}
    return code(source, exercise=about)


def test_what_follows_an_exercise_belongs_to_the_section_around_it(tmp_path):
    cells = [
        text("# One\n\n## Around\n\nBefore."),
        text("### Exercise 1.1 · Do it\n\n● ● ○ · 8 minutes\n\nWrite it."),
        exercise("starter"),
        exercise("check"),
        text("<details>\n<summary>Hint 1</summary>\n\nThink.\n\n</details>"),
        exercise("solution"),
        text("What follows."),
        code("2"),
        text("## Next\n\nMore."),
    ]
    made = build(tmp_path, {"one.ipynb": cells})
    assert made.warnings == []
    page = made.page("one")
    start = page.index('<section class="exercise-card"')
    card, _, after = page[start:].partition("</section>")
    assert "Hint 1" in card and card.count("live-") == 0
    assert '<span role="img" aria-label="level 2 of 3">● ● ○</span> · 8' in card
    assert '<p class="visually-hidden">End of exercise 1.1.</p>' in card
    assert "What follows." not in card
    assert after.index("What follows.") < after.index("</section>")
    assert after.index("</section>") < after.index("More.")


def test_a_section_without_a_check_is_no_card(tmp_path):
    cells = [text("# One\n\n## Exercise 1.1 · Think\n\nWhy?"), exercise("starter")]
    page = build(tmp_path, {"one.ipynb": cells}).page("one")
    assert "exercise-card" not in page
