"""Small notebooks for the tests of the tools and of the site."""

from nbformat import v4


def chapter(*cells):
    """Return a notebook in normal form made of these cells, with ids by position."""
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    metadata = {
        "kernelspec": {
            "display_name": "Python 3",
            "language": "python",
            "name": "python3",
        },
        "language_info": {"name": "python", "pygments_lexer": "ipython3"},
    }
    return v4.new_notebook(cells=list(cells), metadata=metadata)


def text(source):
    """Return a Markdown cell."""
    return v4.new_markdown_cell(source)


def code(source, *outputs, printed=None, count=1, tags=(), **metadata):
    """Return a code cell that was executed, with what it printed and its outputs."""
    printed = [stream(printed)] if printed else []
    if tags:
        metadata["tags"] = list(tags)
    return v4.new_code_cell(
        source,
        outputs=[*printed, *outputs],
        execution_count=count,
        metadata=metadata,
    )


def stream(printed, name="stdout"):
    """Return what a cell printed, as an output."""
    return v4.new_output("stream", text=printed, name=name)


def picture():
    """Return one white pixel, as an output."""
    pixel = (
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAsTf5"
        "1wAAAABJRU5ErkJggg=="
    )
    data = {"image/png": pixel, "text/plain": "<Figure>"}
    return v4.new_output("display_data", data=data)
