"""The key to a notebook: solutions, what the checker names, open questions."""

import re
from pathlib import Path

from bnlib import exercises

ROOT = Path(__file__).parents[1]
FOLD = re.compile(
    r"(?s)<details>\n<summary>(.*?)</summary>\n\n(.*?)\n\n</details>(?:\n\n)?"
)
# All other folds hold what a class should not see.
KEPT_FOLDS = re.compile(r"Hint \d+|Answer")
LABEL = re.compile(r"^[●○ ]+· \d+ minutes$", re.MULTILINE)


def role(cell, name):
    """Say whether a cell has this role in an exercise."""
    return cell.metadata.get("exercise", {}).get("role") == name


def solutions(notebook):
    """Return the code of each solution: {name of the exercise: code}."""
    found, folded = {}, ""
    for cell in notebook.cells:
        for summary, text in FOLD.findall(cell.source):
            if summary.startswith("Solution"):
                folded = text.removeprefix("```python\n").removesuffix("\n```")
        if role(cell, "solution"):
            code = re.sub(
                r"\A# @title .*\n|\n*^check\([\s\S]*?\)$", "", cell.source, flags=re.M
            )
            found[cell.metadata.exercise.name] = folded or code.strip()
            folded = ""
    return found


def key(notebook, questions=""):
    """Return the key to a notebook, as Markdown.

    Parameters
    ----------
    notebook : NotebookNode
        A notebook of the book.
    questions : str
        Its open questions with their rubric.
    """
    code = solutions(notebook)
    title = notebook.cells[0].source.splitlines()[0].removeprefix("# ")
    parts = [f"# Key: {title}"]
    for cell in notebook.cells:
        if role(cell, "task"):
            name = cell.metadata.exercise.name
            label = LABEL.search(cell.source)[0]
            parts += _entry(exercises.get(name), label, code[name])
        for summary, text in FOLD.findall(cell.source):
            if not KEPT_FOLDS.fullmatch(summary) and not summary.startswith("Solution"):
                above = re.findall(r"^## (.*)", cell.source, re.MULTILINE)
                parts += [f"## {(above or [summary])[-1]}", text]
    if questions:
        parts += ["## Open questions", questions]
    return "\n\n".join(parts) + "\n"


def _entry(exercise, label, code):
    yield f"## Exercise {exercise.number} · {exercise.title}"
    yield f"{label} · `{exercise.signature}`"
    yield f"```python\n{code}\n```"
    if exercise.why:
        yield f"**Why.** {exercise.why}"
    if exercise.another:
        yield f"**Another way.**\n\n```python\n{exercise.another}\n```"
    if exercise.misconceptions:
        named = [f"- *{m.name}.* {m.why}" for m in exercise.misconceptions]
        yield "**What the checker names**\n\n" + "\n".join(named)
    yield f"**The last hint.** {exercise.hints[-1]}"


def open_questions(root=ROOT):
    """Return the open questions of each chapter, unfolded: {number: Markdown}."""
    text = (root / "book" / "open-questions.md").read_text(encoding="utf-8")
    parts = re.split(r"^## Chapter (\d+)\n", text, flags=re.MULTILINE)[1:]
    numbers, texts = map(int, parts[::2]), parts[1::2]
    plain = (FOLD.sub(r"\1:\n\n\2\n\n", text).strip() for text in texts)
    return dict(zip(numbers, plain, strict=True))
