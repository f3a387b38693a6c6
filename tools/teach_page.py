"""The part of *Teach with it* that follows from the chapters: goals, core and times."""

import re
from dataclasses import dataclass

MARK = "> **Note.** May be skipped"
END = ("What can go wrong", "What to remember", "Further reading")
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)  # what a question takes for an answer
WORD = re.compile(r"[^\W\d_][\w'’-]*")
BOX = re.compile(r"> \*\*In this chapter\.\*\* (.*)")
CORE_SECTIONS = re.compile(r"\bCore: ((?:\*[^*]+\*|,| |and)+)")


@dataclass
class Section:
    """One section of a chapter.

    Parameters
    ----------
    title : str
        Its heading.
    level : int
        2 or 3, the number of signs before it.
    words : int
        Of its prose, exercises left out; those of parts below it count there.
    skipped : bool
        Whether the chapter says that it may be skipped.
    """

    title: str
    level: int
    words: int = 0
    skipped: bool = False


def sections(notebook):
    """Return the sections of a chapter in order; the first has the title ``""``."""
    found = [Section("", 2)]
    for cell in notebook.cells:
        if cell.cell_type != "markdown" or "exercise" in cell.metadata:
            continue
        for line in COMMENT.sub("", cell.source).splitlines():
            if heading := re.match(r"(###?) (.*)", line):
                found.append(Section(heading[2], len(heading[1])))
            elif line.startswith(MARK):
                found[-1].skipped = True
            found[-1].words += len(WORD.findall(line))
    return found


def core(notebook):
    """Return the titles of the core: those that the opening names, or all unmarked.

    Raises
    ------
    ValueError
        If the opening names a section that is not there, or one that may be skipped.
    """
    unmarked = [
        s.title
        for s in sections(notebook)
        if s.level == 2 and s.title and not s.skipped and s.title not in END
    ]
    listed = CORE_SECTIONS.search(BOX.search(notebook.cells[0].source)[1])
    if not listed:
        return unmarked
    names = re.findall(r"\*([^*]+)\*", listed[1])
    found = [[t for t in unmarked if t.startswith(name)] for name in names]
    for name, titles in zip(names, found, strict=True):
        if not titles:
            raise ValueError(
                f"the core of a chapter must be sections that are not marked, got "
                f"{name!r}; name one of {unmarked}"
            )
    return [titles[0] for titles in found]


def minutes(notebook, titles, read):
    """Return the minutes of some sections: their share of the words of the chapter.

    A part that may be skipped counts only if it is named itself.

    Parameters
    ----------
    notebook : NotebookNode
        The chapter.
    titles : collection of str
        Sections; ``""`` is what stands before the first one.
    read : int
        Minutes to read the chapter.
    """
    known = sections(notebook)
    inside, words = False, 0
    for section in known:
        if section.level == 2 or section.title in titles:
            inside = section.title in titles
        if inside and (section.title in titles or not section.skipped):
            words += section.words
    return read * words / sum(section.words for section in known)


def core_minutes(notebook, read):
    """Return the minutes of a chapter's opening and core."""
    return round(minutes(notebook, {"", *core(notebook)}, read))


def row(chapter, notebook, exercises):
    """Return a chapter's line of the table.

    Parameters
    ----------
    chapter : tools.course.Chapter
        What the table of chapters says.
    notebook : NotebookNode
        The chapter.
    exercises : str
        Their number and minutes, in words.
    """
    title = f"[{chapter.number} {chapter.title}]({chapter.file}.ipynb)"
    inside = core_minutes(notebook, chapter.read)
    return f"| {title} | {chapter.read} min | {inside} min | {exercises} |"


def goals(chapter, notebook):
    """Return a chapter's goals, its core and what may be skipped, as Markdown."""
    skipped = [s.title for s in sections(notebook) if s.skipped]
    return "\n".join(
        [
            f"### Chapter {chapter.number}: {chapter.title}",
            "",
            "Afterwards your students can",
            "",
            *(f"- {goal}" for goal in chapter.goals),
            "",
            f"*Core:* {' · '.join(core(notebook))}",
            "",
            f"*May be skipped:* {' · '.join(skipped)}",
            "",
        ]
    )
