import pytest
from nbformat import v4

from tools import course

CHAPTER = course.Chapter("02-two", "Two", "What?", ("F1",), read=25, run=12)
FIRST = (
    "# Chapter 9: Old\n\n> **In this chapter.** 1 minutes to read, 2 seconds to run, "
    "ten exercises (an hour). You need nothing."
)


def notebook(*minutes):
    cells = [v4.new_markdown_cell(FIRST)]
    for number, time in enumerate(minutes, 1):
        for role in ("task", "hints"):
            about = {"exercise": {"id": f"2.{number}", "role": role}}
            text = f"### Exercise 2.{number} · Do it\n\n● ● ○ · {time} minutes\n\nGo."
            cells.append(v4.new_markdown_cell(text, metadata=about))
    return v4.new_notebook(cells=cells)


@pytest.mark.parametrize(
    ("minutes", "words"),
    [((8, 12, 5), "three exercises (25 minutes)"), ((), "no exercises (0 minutes)")],
)
def test_exercises_and_their_minutes_are_counted(minutes, words):
    assert course.exercises(notebook(*minutes)) == words


def test_every_page_behind_the_chapters_is_there_once():
    pages = course.pages()
    assert len(set(pages)) == len(pages)
    for name in pages:
        found = [course.ROOT / "book" / f"{name}{end}" for end in (".md", ".ipynb")]
        assert sum(path.is_file() for path in found) == 1, name
        assert f"- file: book/{name}\n" in course.contents()


def test_the_opening_gets_what_the_table_and_the_notebook_say():
    text = course.opening(FIRST, CHAPTER, course.exercises(notebook(8, 12)))
    assert text == (
        "# Chapter 2: Two\n\n> **In this chapter.** 25 minutes to read, 12 seconds to "
        "run, two exercises (20 minutes). You need nothing."
    )


@pytest.mark.parametrize("cut", ["ten exercises (an hour)", "1 minutes to read, "])
def test_an_opening_without_a_place_is_refused(cut):
    with pytest.raises(ValueError, match="must hold one text like"):
        course.opening(FIRST.replace(cut, ""), CHAPTER, "two exercises (20 minutes)")
