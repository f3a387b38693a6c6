"""Print a document with Chromium, and make the file small and well tagged."""

import io
import zlib
from contextlib import contextmanager

import pikepdf
from pikepdf import Array, Dictionary, Name, Pdf, String
from PIL import Image
from playwright.sync_api import sync_playwright

from tools.chromium import BROWSERS, program
from tools.takeaway_tags import Tags

# A browser without a sandbox runs in containers; nothing is loaded from elsewhere.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--host-resolver-rules=MAP * ~NOTFOUND",
]
MINUTES = 10
COLORS = 64
LEVELS = 3  # of headings in the outline


def browser():
    """Return the program of Chromium.

    Raises
    ------
    FileNotFoundError
        If there is none.
    """
    path = program()
    if path is None:
        raise FileNotFoundError(
            f"a browser must be installed to print with, none of {BROWSERS} is; "
            "install chromium with your package manager"
        )
    return path


@contextmanager
def printing(path):
    """Open Chromium and give a function that prints a document.

    Parameters
    ----------
    path : Path
        The HTML file; it is read each time.
    """
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=browser(), args=ARGUMENTS)
        page = opened.new_page()
        page.set_default_timeout(MINUTES * 60_000)

        def printed(tagged):
            page.goto(path.resolve().as_uri())
            page.evaluate("document.fonts.ready.then(() => null)")
            return page.pdf(
                tagged=tagged,
                outline=tagged,
                prefer_css_page_size=True,
                print_background=True,
            )

        yield printed
        opened.close()


def places(data):
    """Return the number of the page of each named place in a PDF, from 1."""
    with Pdf.open(io.BytesIO(data)) as pdf:
        numbers = {page.obj.objgen: i for i, page in enumerate(pdf.pages, 1)}
        found = pdf.Root.get("/Dests", Dictionary())
        return {key[1:]: numbers[place[0].objgen] for key, place in found.items()}


# --- size -----------------------------------------------------------------------------


def palettes(pdf):
    """Give the pictures of a PDF palettes: our own have few colors."""
    for stream in pdf.objects:
        if not isinstance(stream, pikepdf.Stream):
            continue
        if stream.get("/Subtype") == Name.Image and _is_rgb(stream):
            picture = pikepdf.PdfImage(stream).as_pil_image()
            picture = picture.quantize(COLORS, dither=Image.Dither.NONE)
            palette = bytes(picture.getpalette()[: 3 * COLORS])
            packed = zlib.compress(picture.tobytes(), 9)
            if len(packed) < len(stream.read_raw_bytes()):
                stream.write(packed, filter=Name.FlateDecode)
                last = len(palette) // 3 - 1
                stream.ColorSpace = Array(
                    [Name.Indexed, Name.DeviceRGB, last, String(palette)]
                )


def _is_rgb(stream):
    space = stream.get("/ColorSpace")
    if isinstance(space, Array) and space[0] == Name.ICCBased:
        return int(space[1].N) == 3
    return space == Name.DeviceRGB


# --- outline and what the file says of itself -----------------------------------------


def prune(pdf):
    """Take headings below the third level out of the outline, and close all others."""
    with pdf.open_outline() as outline:
        _prune(outline.root, 1)


def _prune(items, level):
    for item in items:
        item.is_closed = True
        if level == LEVELS:
            item.children.clear()
        _prune(item.children, level + 1)


def describe(pdf, about):
    """Write title, authors, license, language and the like.

    Parameters
    ----------
    pdf : pikepdf.Pdf
        It is changed.
    about : dict
        ``title``, ``authors`` (a list), ``license``, ``language``, ``keywords`` (a
        list), ``date`` (ISO) and ``address``.
    """
    pdf.Root.Lang = String(about["language"])
    pdf.Root.ViewerPreferences = Dictionary(DisplayDocTitle=True)
    pdf.Root.PageMode = Name.UseOutlines
    del pdf.trailer.Info
    with pdf.open_metadata(set_pikepdf_as_editor=False) as data:
        data["dc:title"] = about["title"]
        data["dc:creator"] = about["authors"]
        data["dc:language"] = [about["language"]]
        data["dc:rights"] = about["license"]
        data["dc:subject"] = set(about["keywords"])
        data["dc:source"] = about["address"]
        data["pdf:Keywords"] = ", ".join(about["keywords"])
        data["xmp:CreateDate"] = about["date"]
        data["xmpRights:Marked"] = "True"


def finished(data, about):
    """Return a printed file with its tags tidied, small, and described.

    Parameters
    ----------
    data : bytes
        What Chromium wrote.
    about : dict
        See :func:`describe`.
    """
    with Pdf.open(io.BytesIO(data)) as pdf:
        Tags(pdf)
        palettes(pdf)
        prune(pdf)
        describe(pdf, about)
        made = io.BytesIO()
        pdf.save(
            made,
            object_stream_mode=pikepdf.ObjectStreamMode.generate,
            compress_streams=True,
            recompress_flate=True,
            deterministic_id=True,
        )
    return made.getvalue()
