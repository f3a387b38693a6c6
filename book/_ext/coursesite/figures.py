"""Pictures with their captions, and the code that draws them folded below.

In a notebook a picture is the output of a cell and its caption a paragraph below. On
the site both are one ``<figure>``, which is the target of "Figure 2.1", so that a link
shows the picture. Nobody comes for the lines that draw it: they are folded, and so are
the imports and a cell with the tag ``fold``, whose output should come first. A comment
``<!-- ahead: 5.4 -->`` at the beginning of a chapter shows one of its figures there,
before the code that leads to it. Colab, GitHub and Jupyter show the cells as they are.
"""

import re

from docutils import nodes
from sphinx.transforms import SphinxTransform
from sphinx.util import logging

from .callouts import first_strong
from .drawings import pictures
from .numbers import CAPTION

log = logging.getLogger(__name__)
AHEAD = re.compile(r"<!-- ahead: (\d+\.\d+) -->")


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
    if not cell.children:
        cell["classes"].append("course-folded")
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
        for comment in list(self.document.findall(nodes.raw)):
            asked = AHEAD.fullmatch(comment.astext().strip())
            if asked:
                self.show_ahead(comment, f"figure-{asked[1].replace('.', '-')}")

    def show_ahead(self, comment, identifier):
        """Show a figure of the page in the place of a comment, with a link to it."""
        figure = self.document.ids.get(identifier)
        drawn = figure and next(pictures(figure), None)
        if not drawn:
            place = (self.env.docname, comment.line)
            text = "ahead: the page must have a drawn %s, it has none"
            log.warning(text, identifier, location=place, type="coursesite")
            comment.parent.remove(comment)
            return
        caption = figure.next_node(course_caption)[0].deepcopy()
        title = first_strong(caption)
        name = nodes.strong("", title.astext().strip().rstrip("."))
        link = nodes.reference("", "", name, refid=identifier, internal=True)
        caption.replace(title, [link, nodes.Text(", from further down.")])
        ahead = course_figure("", drawn.deepcopy(), course_caption("", caption))
        ahead["classes"].append("course-ahead")
        comment.replace_self(ahead)

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
