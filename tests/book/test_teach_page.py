"""The page for teachers: its table follows from the chapters, its plans add up."""

import re

import pytest

from tests.tools import samples
from tools import book_lists, course, normal_form, teach_page

ROOT = course.ROOT
PAGE = (ROOT / "book" / "teach.md").read_text(encoding="utf-8")
CHAPTERS = {c.number: c for c in course.chapters()}
BOOK = {
    path.stem: normal_form.read(path)
    for path in sorted((ROOT / "book").glob("*.ipynb"))
}
LINK = re.compile(r"\[([^\]]+)\]\((\d\d-[\w-]+)\.ipynb#[^)]*\)")
EXERCISE = re.compile(r"\b((?:\d+|[HP])\.\d+) \((\d+)\)")
CORE = re.compile(r"(\d+) \((\d+)\)")


def plan(title):
    """Return the lines of a plan's table as lists of cells."""
    text = PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    lines = re.findall(r"^\|(.*)\|$", text, re.MULTILINE)
    return [[cell.strip() for cell in line.split("|")] for line in lines[2:]]


def labels():
    """Return the minutes of each exercise, as its label says: {number: minutes}."""
    found = {}
    for notebook in BOOK.values():
        for cell in notebook.cells:
            if cell.metadata.get("exercise", {}).get("role") == "task":
                number = cell.metadata.exercise["id"]
                found[number] = int(book_lists.LABEL.search(cell.source)["minutes"])
    return found


LABELS = labels()


def needed(text):
    """Return the minutes that the sections and exercises of a line need."""
    total = 0
    for number, minutes in EXERCISE.findall(text):
        assert LABELS[number] == int(minutes), number
        total += int(minutes)
    for title, file in LINK.findall(text):
        known = {section.title for section in teach_page.sections(BOOK[file])}
        assert title in known, f"{title} is no section of {file}"
        read = CHAPTERS[int(file[:2])].read
        total += teach_page.minutes(BOOK[file], {title}, read)
    return total


def test_the_page_has_the_goals_of_course_yml_and_the_sections_of_each_chapter():
    assert course.wanted()[ROOT / "book" / "teach.md"] == PAGE
    for chapter in CHAPTERS.values():
        assert len(chapter.goals) >= 2
        assert all(PAGE.count(f"\n- {goal}\n") == 1 for goal in chapter.goals)
        notebook = BOOK[chapter.file]
        marked = {s.title for s in teach_page.sections(notebook) if s.skipped}
        assert marked and teach_page.core(notebook)
        assert marked.isdisjoint(teach_page.core(notebook))
        count = sum(cell.source.count(teach_page.MARK) for cell in notebook.cells)
        assert len(marked) == count, "a mark that belongs to no section of its own"


def test_a_chapter_that_says_how_long_its_core_is_says_what_the_page_says():
    told = {}
    for chapter in CHAPTERS.values():
        opening = BOOK[chapter.file].cells[0].source
        for minutes in re.findall(r"The core, (\d+) minutes", opening):
            told[chapter.file] = minutes
            row = f"({chapter.file}.ipynb) | {chapter.read} min | {minutes} min"
            assert row in PAGE
    assert len(told) >= 4


@pytest.mark.parametrize(("title", "total"), [("Two hours", 120), ("Half a day", 240)])
def test_a_plan_adds_up_and_leaves_time_for_what_it_asks(title, total):
    *rows, last = plan(title)
    assert sum(int(minutes) for minutes, _ in rows) == total
    assert last[0] == f"**{total}**"
    assert any(EXERCISE.search(what) for _, what in rows)
    for minutes, what in rows:
        assert int(minutes) >= needed(what), what


def test_the_four_weeks_add_up():
    rows = plan("Four weeks")
    assert [row[0] for row in rows] == [str(n) for n in range(1, 9)]
    for _, in_class, at_home, minutes in rows:
        assert 0 < needed(in_class) <= 75, "time to talk is needed too"
        core, _, tasks = at_home.partition(";")
        total = needed(tasks)
        for number, each in CORE.findall(core):
            chapter = CHAPTERS[int(number)]
            counted = teach_page.core_minutes(BOOK[chapter.file], chapter.read)
            assert counted == int(each), f"core of chapter {number}"
            total += int(each)
        if minutes != "–":
            assert total == int(minutes)
    asked = EXERCISE.findall("".join(row[1] + row[2] for row in rows))
    assert len(asked) == len(set(asked))
    assert {f"P.{n}" for n in range(1, 8)} <= {number for number, _ in asked}


OPENING = "# Chapter 2: T\n\n> **In this chapter.** {} 10 minutes to read.\n\none two"


def notebook(core=""):
    """Return a chapter with three sections, of which one and a part are marked."""
    skip = f"{teach_page.MARK}: five more words of it"
    question = "<!-- predict: name\n- kind: words\n-->"  # no words of the prose
    return samples.chapter(
        samples.text(OPENING.format(core)),
        samples.text(f"end of the opening\n\n## First, long\n\na b c d\n\n{question}"),
        samples.text(f"### Part\n\n{skip}\n\n## Second\n\n{skip}\n\n## Third\n\ne f"),
        samples.text("## What to remember\n\ng"),
    )


def test_marks_belong_to_the_heading_above_them():
    found = teach_page.sections(notebook())
    assert [s.title for s in found if s.skipped] == ["Part", "Second"]
    assert teach_page.core(notebook()) == ["First, long", "Third"]


def test_the_opening_may_name_the_core():
    assert teach_page.core(notebook("Core: *First* and *Third*; the rest not.")) == [
        "First, long",
        "Third",
    ]
    assert teach_page.core(notebook("Core: *Third*; the rest not.")) == ["Third"]


@pytest.mark.parametrize("name", ["Fourth", "Second"])
def test_a_core_that_is_not_there_or_may_be_skipped_is_refused(name):
    with pytest.raises(ValueError, match=f"must be sections .* got '{name}'"):
        teach_page.core(notebook(f"Core: *{name}*; the rest not."))


def test_minutes_are_shares_of_the_words_without_what_may_be_skipped():
    first = teach_page.minutes(notebook(), {"First, long"}, 10)
    with_part = teach_page.minutes(notebook(), {"First, long", "Part"}, 10)
    words = sum(s.words for s in teach_page.sections(notebook()))
    assert first == pytest.approx(10 * 6 / words)  # the heading and four
    assert with_part > first
    everything = {s.title for s in teach_page.sections(notebook())}
    assert teach_page.minutes(notebook(), everything, 10) == pytest.approx(10)


@pytest.mark.parametrize("chapter", course.chapters(), ids=lambda c: c.file)
def test_a_core_takes_twenty_minutes_at_most(chapter):
    assert teach_page.core_minutes(BOOK[chapter.file], chapter.read) <= 20
