"""Pictures with their captions, and the code that draws them folded below.

In a notebook a picture is the output of a cell and its caption a paragraph below. On
the site both are one ``<figure>``, which is the target of "Figure 2.1", so that a link
shows the picture. Nobody comes for the lines that draw it: they are folded, and so is
the cell of the imports. Colab, GitHub and Jupyter show the cells as they are.
"""

from docutils import nodes
from sphinx.transforms import SphinxTransform

from .callouts import first_strong
from .numbers import CAPTION


class course_figure(nodes.General, nodes.Element):
    """A picture and its caption."""


class course_caption(nodes.General, nodes.Element):
    """The caption: one paragraph."""


class course_fold(nodes.General, nodes.Element):
    """What is shown after a click on the words in ``summary``."""


def outputs(cell):
    """Return the container of what a code cell has printed and drawn, or None."""
    if not isinstance(cell, nodes.container) or cell.get("nb_element") != "cell_code":
        return None
    kinds = {child.get("nb_element"): child for child in cell.children}
    return kinds.get("cell_code_output")


def fold(cell, summary):
    """Move the source of a cell into a fold behind all else of the cell."""
    source = cell.children[0]
    cell.remove(source)
    cell += course_fold("", source, summary=summary)


class Figures(SphinxTransform):
    """Join pictures and captions, and fold what only draws or imports."""

    default_priority = 17  # after coursesite.numbers, which finds the captions

    def apply(self, **kwargs):
        for caption in list(self.document.findall(nodes.paragraph)):
            found = CAPTION.fullmatch(words(caption))
            if found and found[1] == "Figure":
                self.join(caption, f"{found[1]} {found[2]}")
        name = "the"
        for cell in self.document.findall(nodes.container):
            if not cell.get("nb_element"):
                continue
            if "tag_imports" in cell["classes"]:
                fold(cell, f"Show {name} imports")
                name = "more"
            elif "tag_fold" in cell["classes"]:
                fold(cell, "Show the code")

    def join(self, caption, name):
        parent = caption.parent
        at = parent.index(caption)
        before = parent[at - 1] if at else None
        drawn = outputs(before)
        if drawn is not None:
            parent.remove(caption)
            at = before.index(drawn)
            before.remove(drawn)
            before.insert(at, self.figure(drawn, caption))
            fold(before, f"Show the code of {name}")
        elif isinstance(before, nodes.paragraph) and is_picture(before):
            parent.remove(caption)
            parent[at - 1] = self.figure(before, caption)

    def figure(self, picture, caption):
        """Return the figure; it takes over the caption's identifiers."""
        figure = course_figure("", picture, course_caption("", caption))
        figure["ids"], caption["ids"] = caption["ids"], []
        for identifier in figure["ids"]:
            self.document.ids[identifier] = figure
        return figure


def words(paragraph):
    """Return the bold words at the beginning of a paragraph."""
    strong = first_strong(paragraph)
    return strong.astext().strip() if strong else ""


def is_picture(paragraph):
    return [*map(type, paragraph.children)] == [nodes.image]


def visit_figure(self, node):
    self.body.append(self.starttag(node, "figure", CLASS="course-figure"))


def depart_figure(self, node):
    self.body.append("</figure>\n")


def visit_caption(self, node):
    self.body.append("<figcaption>\n")


def depart_caption(self, node):
    self.body.append("</figcaption>\n")


def visit_fold(self, node):
    summary = self.encode(node["summary"])
    self.body.append(f'<details class="course-fold"><summary>{summary}</summary>\n')


def depart_fold(self, node):
    self.body.append("</details>\n")


def passed(self, node):
    """Other builders show what is inside."""


def setup(app):
    looks = {
        course_figure: (visit_figure, depart_figure),
        course_caption: (visit_caption, depart_caption),
        course_fold: (visit_fold, depart_fold),
    }
    for node, html in looks.items():
        others = dict.fromkeys(("latex", "text", "man", "texinfo"), (passed, passed))
        app.add_node(node, html=html, **others)
    app.add_transform(Figures)
