"""The buttons that copy a block of code stand in the page from the beginning.

The script of sphinx-copybutton would put in one after another where the page is laid
out already, and have it laid out again. It finds no block without one
(``copybutton_selector`` in ``_config.yml``) and only makes them work.
"""

import re
from itertools import count

BLOCK = re.compile(r'(<div class="highlight"><pre)(>.*?</pre>)', re.DOTALL)
BUTTON = (
    '<button class="copybtn o-tooltip--left" aria-label="Copy to clipboard"'
    ' data-tooltip="Copy" data-clipboard-target="#{}"></button>'
)


def with_buttons(body):
    """Return a page whose blocks of code have a name and a button that knows it."""
    number = count()

    def block(found):
        name = f"codecell{next(number)}"
        return f'{found[1]} id="{name}"{found[2]}{BUTTON.format(name)}'

    return BLOCK.sub(block, body)


def put(app, pagename, templatename, context, doctree):
    if "body" in context:
        context["body"] = with_buttons(context["body"])


def setup(app):
    app.connect("html-page-context", put, priority=900)  # after coursesite.lines
