"""Each rule of the linter meets a chapter that breaks this rule and no other."""

import copy

import nbformat
import pytest
from nbformat import v4
from samples import chapter, code, text

from tools import normal_form
from tools.portable import file_faults, main, markdown_faults, notebook_faults

ALT = "A curve that rises from one to three and then falls to two again."
PROSE = """\
## Where the formula comes from

Text with `code`, $x = \\gamma$ and a [link](03-backward.ipynb), a price of USD 5.

$$
\\begin{aligned} y &= x \\end{aligned} \\tag{2.1}
$$

> **Note.** By (2.1), see [the paper](https://arxiv.org/abs/1502.03167).
>
> <details><summary>Answer</summary>
>
> $N - 2$ of them.
> </details>

```python
x[^1]  # code may contain {anything}`at all`
```

| a | b |
|---|---|
| 1 | `{role}` |

**Table 2.1.** Two numbers."""


def picture(alt=ALT):
    """Return a code cell that shows a figure."""
    cell = code("plt.show()", mystnb={"image": {"alt": alt}})
    data = {"image/png": "aGVsbG8=", "text/plain": "<Figure>"}
    cell.outputs = [v4.new_output("display_data", data=data)]
    return cell


def good():
    """Return a chapter without faults."""
    return chapter(
        text("# Chapter 2: The forward pass\n\nA question?"),
        code("\n".join(f"a{n} = {n:80}" for n in range(30)), tags=["setup"]),
        text(PROSE),
        picture(),
        text("**Figure 2.1.** A curve."),
        code("\n\n".join(f"b{n} = {n}" for n in range(12))),
        picture(),
        text("**Figure 2.2.** The same curve.\n\nAnd what it means."),
    )


def test_a_good_chapter_has_no_faults():
    assert notebook_faults(good(), 2) == []


MARKDOWN = {
    ":::{note}\ntext\n:::": "colon fence",
    "```{note}\ntext\n```": "MyST directive",
    "see {ref}`here`": "MyST role",
    "(here)=\n## Here": "MyST target",
    "$$ x $$ (label)": "MyST label",
    "% comment": "MyST comment",
    "said[^1] so": "footnote",
    "> [!NOTE]\n> text": "GitHub alert",
    "term\n: meaning": "definition list",
    "- [ ] do it": "task list",
    "$$ x \\label{x} $$": "labels don't work",
    "$$\\begin{align} x \\end{align}$$": "numbers this environment",
    "![a plot](attachment:plot.png)": "attachments",
    "<script>x</script>": "GitHub removes",
    "[above](#here)": "link inside the page",
    "![](https://example.org/a.png)": "no alternative text",
    "costs \\$5": "escaped dollar",
    "<details><summary>A</summary>\ntext</details>": "leave a line blank",
    "![a plot](plot.png)": "relative picture",
}


@pytest.mark.parametrize("source, words", MARKDOWN.items(), ids=MARKDOWN.values())
def test_markdown_that_is_raw_somewhere(source, words):
    notebook = good()
    notebook.cells[2].source += f"\n\n{source}"
    faults = notebook_faults(notebook, 2)
    assert any(words in fault for fault in faults), faults
    assert all(fault.startswith("cell 3 (cell-2): ") for fault in faults)
    # An attachment is a relative picture as well, a fence is opened and closed.
    assert len(faults) <= 2


def change(number, **fields):
    """Return an edit that sets fields of a cell."""
    return lambda cells: cells[number].update(fields)


def load_from_elsewhere(cells):
    html = '<img src="https://cdn.example.org/x.png">'
    cells[5].outputs = [v4.new_output("display_data", data={"text/html": html})]


CELLS = {
    "long-cell": (
        change(5, source="\n".join("x = 1" for _ in range(13))),
        "cell 6 (cell-5): 13 lines of code are more than 12",
    ),
    "wide-line": (
        change(5, source=f"x = 1\ny = {'1 + ' * 17}1"),
        "cell 6 (cell-5): a line of 73 columns is longer than 72, shorten it: 'y = 1",
    ),
    "nbval-comment": (
        change(5, source="# NBVAL_IGNORE_OUTPUT\nprint(1)"),
        "cell 6 (cell-5): NBVAL markers",
    ),
    "nbval-tag": (
        change(5, metadata={"tags": ["nbval-ignore-output"]}),
        "cell 6 (cell-5): the tag nbval-ignore-output",
    ),
    "magic": (change(5, source="%matplotlib inline"), "magics"),
    "shell": (change(5, source="!pip install bnlib"), "magics"),
    "help": (change(5, source="print?"), "magics"),
    "semicolon": (change(5, source="ax.legend();"), "trailing semicolon"),
    "tqdm": (change(5, source="for x in tqdm(xs): pass"), "tqdm"),
    "no-alt": (
        lambda cells: cells[3].metadata.clear(),
        "cell 4 (cell-3): the picture has no alternative text",
    ),
    "short-alt": (
        change(3, metadata={"mystnb": {"image": {"alt": "A curve."}}}),
        "in 40 characters or more",
    ),
    "external": (load_from_elsewhere, "loads https://cdn.example.org/x.png"),
    "no-title": (
        change(0, source="# The forward pass"),
        "cell 1 (cell-0): a chapter begins with its title; write # Chapter 2: …",
    ),
    "wrong-chapter": (change(0, source="# Chapter 3: Other"), "write # Chapter 2: …"),
    "second-title": (
        change(2, source="# More\n\n$$x \\tag{2.1}$$"),
        "cell 3 (cell-2): a second title; write ## More",
    ),
    "tag-of-another-chapter": (
        change(2, source="$$x \\tag{3.1}$$"),
        "the number 3.1 of a \\tag must occur once and begin with 2.",
    ),
    "tag-twice": (
        change(2, source="$$x \\tag{2.1}$$\n\n$$y \\tag{2.1}$$"),
        "the number 2.1 of a \\tag must occur once",
    ),
    "table-of-another-chapter": (
        change(2, source="**Table 1.1.** Numbers."),
        "the number 1.1 of a Table",
    ),
    "no-caption": (
        change(7, source="And what it means."),
        "cell 8 (cell-7): the picture above has no caption; "
        "begin the next text cell with **Figure 2.2.**",
    ),
    "no-caption-at-the-end": (
        lambda cells: cells.pop(),
        "the last cell: the picture above has no caption",
    ),
    "caption-number": (
        change(7, source="**Figure 2.3.** The same curve."),
        "cell 8 (cell-7): Figure 2.3 should be 2.2",
    ),
    "caption-without-picture": (
        change(6, outputs=[]),
        "cell 8 (cell-7): a caption follows its picture",
    ),
}


@pytest.mark.parametrize("edit, words", CELLS.values(), ids=CELLS.keys())
def test_a_fault_is_named_with_its_cell_and_no_other_is_found(edit, words):
    notebook = copy.deepcopy(good())
    edit(notebook.cells)
    (fault,) = notebook_faults(notebook, 2)
    assert words in fault


def test_a_caption_may_follow_a_linked_picture():
    notebook = good()
    notebook.cells[
        2
    ].source = (
        "![A computational graph](https://example.org/a.png)\n\n**Figure 2.1.** Graph."
    )
    del notebook.cells[3:5]
    notebook.cells[5 - 1].source = "**Figure 2.2.** The same curve."
    assert notebook_faults(notebook, 2) == []


def test_pages_of_the_site_may_list_the_references_and_use_local_pictures():
    page = "# References\n\n```{bibliography}\n:all:\n```\n\n![a plot](plot.svg)"
    assert markdown_faults(page, site_page=True) == []
    assert markdown_faults("```{include} ../CHANGELOG.md\n```", site_page=True) == []
    assert markdown_faults("```{include} ../CHANGELOG.md\n```")
    assert markdown_faults("```{note}\ntext\n```", site_page=True)


def test_the_message_names_file_and_cell(tmp_path, capsys):
    notebook = good()
    notebook.cells[5].source = "%time x"
    path = tmp_path / "02-forward.ipynb"
    normal_form.write(notebook, path)
    (tmp_path / "index.md").write_text("see {ref}`here`\n")
    assert main([str(path), str(tmp_path / "index.md")]) == 1
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith(f"{path}: cell 6 (cell-5): magics")
    assert second.startswith(f"{tmp_path / 'index.md'}: a MyST role")


def test_nothing_is_said_about_good_files(tmp_path, capsys):
    path = tmp_path / "02-forward.ipynb"
    normal_form.write(good(), path)
    assert main([str(path)]) == 0
    assert capsys.readouterr().err == ""


def test_a_reference_page_numbers_nothing(tmp_path, capsys):
    path = tmp_path / "forward.ipynb"
    normal_form.write(good(), path)
    assert main([str(path)]) == 1
    faults = capsys.readouterr().err.splitlines()
    assert faults
    assert all("a reference page numbers nothing" in fault for fault in faults)


def test_a_reference_page_without_numbers_is_good(tmp_path, capsys):
    path = tmp_path / "conventions.ipynb"
    page = chapter(text("# Who does what"), code("x = 1"))
    normal_form.write(page, path)
    assert main([str(path)]) == 0
    page.cells[0].source = "Who does what"
    normal_form.write(page, path)
    assert main([str(path)]) == 1
    assert "a page begins with its title; write # …" in capsys.readouterr().err


def test_a_chapter_in_two_notebooks_numbers_its_figures_through(tmp_path):
    first, second = good(), good()
    for cell, number in ((second.cells[4], 3), (second.cells[7], 4)):
        cell.source = f"**Figure 2.{number}.** A curve."
    nbformat.write(first, tmp_path / "02-forward.ipynb")
    nbformat.write(second, tmp_path / "02-more.ipynb")
    assert file_faults(tmp_path / "02-forward.ipynb") == []
    assert file_faults(tmp_path / "02-more.ipynb") == []
    nbformat.write(first, tmp_path / "02-more.ipynb")
    faults = file_faults(tmp_path / "02-more.ipynb")
    assert [fault.partition(": ")[2] for fault in faults] == [
        "Figure 2.1 should be 2.3",
        "Figure 2.2 should be 2.4",
    ]
