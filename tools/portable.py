"""Refuse Markdown and cells that Colab, GitHub or the site would not show as meant.

``python -m tools.portable book/*.ipynb book/*.md`` exits with 1 and names the file, the
cell and what to do. A construct that only one of them renders shows the others' readers
its raw syntax.
"""

import argparse
import re
import sys
from pathlib import Path

from tools import normal_form as nb

MAX_CODE_LINES = 12
MAX_CODE_COLUMNS = 72  # fit beside both bars at 14 pixels
MIN_ALT_CHARACTERS = 40

MARKDOWN_RULES = {
    r"^\s*:::+": "a colon fence is raw text in Colab; write > **Note.** text",
    r"^\s*(```+|~~~+)\s*\{[^}]+\}": "a MyST directive is raw text in Colab; "
    "write plain Markdown",
    r"(?<!`)\{[\w:+-]+\}`[^`]+`": "a MyST role is raw text in Colab; write a link",
    r"^\([\w-]+\)=\s*$": "a MyST target is raw text in Colab; remove it",
    r"\$\$\s*\([\w:-]+\)\s*$": "a MyST label is raw text in Colab; "
    "write \\tag{N.M} inside the formula",
    r"^%\s": "a MyST comment is text in Colab; remove it",
    r"\[\^[^\]]+\]": "a footnote is raw text in Colab; say it in the sentence",
    r"^>\s*\[!\w+\]": "a GitHub alert is raw text in notebooks; write > **Note.** text",
    r"^:\s+\S": "a definition list is raw text in Colab; write a list or a table",
    r"^\s*[-*]\s+\[[ xX]\]\s": "a task list is not accessible; write a list",
    r"\\(label|eqref|ref)\{": "labels don't work across cells; "
    "write \\tag{N.M}, and (N.M) in the text",
    r"\\begin\{(align|equation|gather)\*?\}": "the site numbers this environment "
    "again; write $$, aligned and \\tag{N.M}",
    r"attachment:": "the site does not show attachments; draw the picture in a cell",
    r"<(script|style|iframe|form|input)\b": "GitHub removes this HTML; remove it",
    r"\]\(#": "a link inside the page is dead in Colab; name the section instead",
    r"!\[\s*\]\(": "the picture has no alternative text; write ![what it shows](…)",
    r"\\\$": "an escaped dollar may open a formula in Colab; write USD or &#36;",
    r"</summary>(?![ \t]*\n[> \t]*\n)": "Markdown after </summary> stays raw; "
    "leave a line blank",
}
# What a page of the site may use, because it is never opened in Colab.
SITE_ONLY = re.compile(r"^```\{(bibliography|include|literalinclude)\}", re.MULTILINE)
RELATIVE_PICTURE = re.compile(r"!\[[^\]]*\]\((?!https://)")

CODE_RULES = {
    r"NBVAL_": "NBVAL markers switch the comparison off; make the output stable",
    r"^\s*[%!]|^\s*\w[\w.]*\?\s*$": "magics and shell commands are no Python; "
    "write Python",
    r";\s*$": "a trailing semicolon is no Python style; assign the result to _",
    r"\btqdm\b": "the output of tqdm differs from run to run; leave it out",
}
BANNED_TAGS = re.compile(r"nbval-|raises-exception|skip-execution")
CAPTION = re.compile(r"^\*\*(Figure|Table) ([\w.]+?)\.\*\*", re.MULTILINE)


def markdown_faults(text, site_page=False):
    """List what is wrong with a piece of Markdown.

    Parameters
    ----------
    text : str
        Markdown.
    site_page : bool, default=False
        Whether it is a page of the site only, not a cell.

    Returns
    -------
    list of str
        One sentence for each fault, with the place quoted.
    """
    rules = dict(MARKDOWN_RULES)
    if site_page:
        text = SITE_ONLY.sub("```text", text)
    else:
        rules[RELATIVE_PICTURE.pattern] = (
            "a relative picture is lost in Colab; give its full https address"
        )
    return _apply(rules, _without_code(text))


def notebook_faults(notebook, chapter, figures_before=0):
    """List what is wrong with the cells of a chapter.

    Parameters
    ----------
    notebook : NotebookNode
        The chapter.
    chapter : int or None
        Its number; None for a reference page, which numbers nothing.
    figures_before : int, default=0
        Figures in earlier notebooks of the same chapter.

    Returns
    -------
    list of str
        One sentence for each fault; it begins with the cell.
    """
    found = [*_title_faults(notebook, chapter)]
    if chapter is None:
        found += _page_number_faults(notebook)
    else:
        found += _number_faults(notebook, chapter)
        found += _figure_faults(notebook, chapter, figures_before + 1)
    for cell in notebook.cells:
        faults = (
            markdown_faults(cell.source)
            if cell.cell_type == "markdown"
            else _code_faults(cell)
        )
        found += [f"{nb.place(notebook, cell)}: {fault}" for fault in faults]
    return found


def file_faults(path):
    """List what is wrong with a chapter or a page of the site."""
    if path.suffix == ".md":
        return markdown_faults(path.read_text(encoding="utf-8"), site_page=True)
    number = re.match(r"\d+", path.name)
    if number is None:
        return notebook_faults(nb.read(path), None)
    # A long chapter comes in several notebooks, which number their figures through.
    before = [p for p in path.parent.glob(f"{number[0]}-*.ipynb") if p.name < path.name]
    figures = sum(map(_count_figures, before))
    return notebook_faults(nb.read(path), int(number[0]), figures)


def main(arguments=None):
    """Lint the files; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.portable")
    parser.add_argument("files", nargs="+", type=Path)
    found = [
        f"{path}: {fault}"
        for path in parser.parse_args(arguments).files
        for fault in file_faults(path)
    ]
    print(*found, sep="\n", end="\n" if found else "", file=sys.stderr)
    return int(bool(found))


def pictures(cell):
    """Count the pictures that a code cell shows."""
    kinds = (kind for out in cell.get("outputs", []) for kind in out.get("data", {}))
    return sum(kind.startswith("image/") for kind in kinds)


def _apply(rules, text):
    return [
        f"{advice} (at {match[0].strip()[:40]!r})"
        for pattern, advice in rules.items()
        for match in re.finditer(pattern, text, re.MULTILINE)
    ]


def _without_code(text):
    """Blank what stands in plain code fences and between backticks."""

    def blank(match):
        return match[1] + re.sub(r"\S", "x", match[2]) + match[1]

    text = re.sub(r"(?ms)^(```+)(?!\s*\{)(.*?)^\1\s*$", blank, text)
    return re.sub(r"(?<!`)(`+)(?!`)([^\n]+?)(?<!`)\1(?!`)", blank, text)


def _code_faults(cell):
    found = _apply(CODE_RULES, cell.source)
    lines = [line for line in cell.source.splitlines() if line.strip()]
    if len(lines) > MAX_CODE_LINES and "setup" not in nb.tags(cell):
        found.append(
            f"{len(lines)} lines of code are more than {MAX_CODE_LINES}; "
            "split the cell, or move a function to bnlib"
        )
    found += [
        f"a line of {len(line)} columns is longer than {MAX_CODE_COLUMNS}, "
        f"shorten it: {line.strip()[:40]!r}"
        for line in lines
        if len(line) > MAX_CODE_COLUMNS and "setup" not in nb.tags(cell)
    ]
    found += [
        f"the tag {tag} switches the comparison off; remove it"
        for tag in nb.tags(cell)
        if BANNED_TAGS.match(tag)
    ]
    alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
    if pictures(cell) and len(alt) < MIN_ALT_CHARACTERS:
        found.append(
            "the picture has no alternative text; say what it shows in the metadata "
            f"mystnb.image.alt, in {MIN_ALT_CHARACTERS} characters or more"
        )
    for output in cell.outputs:
        html = output.get("data", {}).get("text/html", "")
        for address in re.findall(r"""(?:src|href)=["'](https?://[^"']+)""", html):
            found.append(f"the output loads {address}; readers may be offline")
    return found


def _title_faults(notebook, chapter):
    titles = [
        (cell, title)
        for cell in notebook.cells
        if cell.cell_type == "markdown"
        for title in re.findall(r"^# .*", _without_code(cell.source), re.MULTILINE)
    ]
    first = notebook.cells[0]
    kind, start = "chapter", f"# Chapter {chapter}: "
    if chapter is None:
        kind, start = "page", "# "
    if not first.source.startswith(start):
        yield (
            f"{nb.place(notebook, first)}: a {kind} begins with its title; "
            f"write {start}…"
        )
    for cell, title in titles[1:]:
        yield f"{nb.place(notebook, cell)}: a second title; write ## {title[2:]}"


def _number_faults(notebook, chapter):
    """Yield formulas and tables whose numbers are another chapter's or double."""
    seen = set()
    for cell in notebook.cells:
        text = _without_code(cell.source) if cell.cell_type == "markdown" else ""
        numbers = [("\\tag", number) for number in re.findall(r"\\tag\{(.*?)\}", text)]
        numbers += [found for found in CAPTION.findall(text) if found[0] == "Table"]
        for kind, number in numbers:
            if not re.fullmatch(rf"{chapter}\.\d+", number) or (kind, number) in seen:
                yield (
                    f"{nb.place(notebook, cell)}: the number {number} of a {kind} must "
                    f"occur once and begin with {chapter}.; renumber it"
                )
            seen.add((kind, number))


def _page_number_faults(notebook):
    """Yield the numbers of a reference page: they would belong to no chapter."""
    for cell in notebook.cells:
        text = _without_code(cell.source) if cell.cell_type == "markdown" else ""
        if CAPTION.search(text) or "\\tag{" in text:
            yield (
                f"{nb.place(notebook, cell)}: a reference page numbers nothing; "
                "say it in words"
            )


def _count_figures(path):
    """Return how many figures the captions of a notebook number."""
    cells = [cell for cell in nb.read(path).cells if cell.cell_type == "markdown"]
    captions = [found for cell in cells for found in CAPTION.findall(cell.source)]
    return sum(kind == "Figure" for kind, _ in captions)


def _figure_faults(notebook, chapter, expected):
    """Yield figures without caption, captions without figure, and wrong numbers."""
    shown = False
    for cell in [*notebook.cells, None]:
        text = cell.source if cell is not None and cell.cell_type == "markdown" else ""
        where = nb.place(notebook, cell) if cell is not None else "the last cell"
        captions = [
            number for kind, number in CAPTION.findall(text) if kind == "Figure"
        ]
        if shown and not text.startswith("**Figure "):
            yield (
                f"{where}: the picture above has no caption; begin the next text cell "
                f"with **Figure {chapter}.{expected}.**"
            )
        for number in captions:
            if not shown and not re.search(r"!\[[^\]]+\]\(.*\*\*Figure", text, re.S):
                yield f"{where}: a caption follows its picture; move it below one"
            if number != f"{chapter}.{expected}":
                yield f"{where}: Figure {number} should be {chapter}.{expected}"
            expected += 1
        shown = cell is not None and cell.cell_type == "code" and pictures(cell) > 0


if __name__ == "__main__":
    sys.exit(main())
