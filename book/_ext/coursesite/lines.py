"""Long lines of code, which a phone and paper break instead of cutting them.

Where the screen is narrow, or on paper, what does not fit goes on in the next line, two
columns further in than its line begins, so that the indentation of Python stays
readable. The style sheet needs to know where a line begins: each line that may not fit
is an element, with its indentation in columns. The text stays the same, so what is
copied has no breaks.
"""

import html
import re

# A block of code or of printed text; a printed claim is none, it has its own layout.
BLOCK = re.compile(r'(<div class="highlight"><pre>)(.*?)(</pre>)', re.DOTALL)
TAG = re.compile(r"<[^>]+>")
# Columns that fit on the narrowest phone, of 320 pixels.
FIT = 30


def line(text):
    """Return a line of a block, as an element if it may not fit."""
    shown = html.unescape(TAG.sub("", text)).rstrip("\n")
    if len(shown) <= FIT:
        return text
    at = len(shown) - len(shown.lstrip())
    style = f' style="--at:{at}"' if at else ""
    return f'<span class="long-line"{style}>{text}</span>'


def block(match):
    """Return a block whose long lines are elements; a line break belongs to its line.

    Pygments closes what is open at the end of each line, so elements nest.
    """
    start, content, end = match.groups()
    lines = [line(text + "\n") for text in content.split("\n")]
    lines[-1] = lines[-1].replace("\n", "")  # the last one has no break
    return start + "".join(lines) + end


def mark(app, pagename, templatename, context, doctree):
    """Mark the long lines of a page."""
    if "body" in context:
        context["body"] = BLOCK.sub(block, context["body"])


def setup(app):
    app.connect("html-page-context", mark)
