"""Pages are joined, named and led on as the printed book needs it."""

import re
import zipfile
from xml.etree import ElementTree

import pikepdf
import pytest
from pikepdf import Array, Dictionary, Name
from PIL import Image

from tools import course, takeaway, takeaway_epub, takeaway_print, takeaway_tags
from tools import takeaway_book as book

SITE = "https://example.org/course/"
HTML = """<html><body><article class="bd-article">
<section id="the-pass"><h1>Chapter 2: The pass<a class="headerlink" href="#">#</a></h1>
<p class="course-buttons"><a href="x.html">Start</a></p>
<div class="live-bar"><button>Run</button></div><script>1</script>
<p>See <a href="01-why.html#a-b">there</a>, <a href="#four">here</a>,
<a href="api/lab.html#f">lab</a>, <a href="https://a.org/#x">a</a>.</p>
<p><span class="katex" data-tex="\\hat x"><span class="katex-mathml"><math><mi>x</mi>
</math></span>
<span aria-hidden="true" class="katex-html">x</span></span></p>
<section id="four"><h2>Four lines</h2>
<img src="../_images/a.png" loading="lazy" alt="dots">
<svg aria-labelledby="t u" viewBox="0 0 1 1"><title id="t">A</title>
<desc id="u">B</desc>
<clipPath id="c"></clipPath><g clip-path="url(#c)" style="fill: url('#c')"></g>
<use xlink:href="#c"></use></svg>
<details><summary>Answer</summary><p>Five.</p></details></section>
<section id="exercise-2-1"><h3>Exercise 2.1 · Write it</h3><p>Task.</p>
<details><summary>Hint 1</summary><p>Divide.</p></details>
<div class="cell tag_hide-cell"><details class="admonition hide"><summary>
<p class="collapsed">Show the solution</p><p class="expanded">Hide it</p></summary>
<pre><span></span><span class="k">def</span> <span class="nf">f</span><span
class="p">():</span>
<span class="s2">"a"</span><span class="si">{b}</span> <span class="c1"># c</span></pre>
</details></div></section>
</section></article></body></html>"""
OTHER = """<article><section id="why"><h1>Chapter 1: Why?</h1><p id="a-b">Text
<a href="02-pass.html#exercise-2-1">go</a></p></section></article>"""
KNOWN = {"book/01-why.html": "01-why", "book/02-pass.html": "02-pass"}


def made(name="02-pass", html=HTML, folder="html/", formulas=None):
    """Return a page as it stands in the whole."""
    page = book.page(name, html, formulas)
    book.files(page.section, f"book/{name}.html", folder)
    book.lead(page.section, f"book/{name}.html", KNOWN, SITE)
    book.own_names(page.section, name)
    return page


@pytest.fixture(scope="module")
def whole():
    """Return both pages and their solutions as one document."""
    pages = [made("01-why", OTHER), made()]
    back = book.solutions(pages)
    about = {"title": "Two & more", "language": "en-US"}
    parts = [("Part", pages), ("", [back])]
    return book.document(parts, "<header>Cover</header>", ["a.css"], about)


def test_what_needs_a_screen_is_dropped():
    text = str(made().section)
    for word in ("headerlink", "Start", "button", "script", "details", "summary"):
        assert word not in text


def test_a_formula_has_its_source_as_words_and_is_there_once():
    formula = made().section.select_one(".katex")
    assert formula["aria-label"] == "Formula: \\hat x"
    assert formula.math is None and "aria-hidden" not in formula.span.attrs


def test_a_fold_becomes_a_block_with_its_label():
    fold = made().section.select_one(".paper-fold")
    assert [it.get_text() for it in fold.find_all("p")] == ["Answer", "Five."]


def test_code_keeps_its_text_and_the_colors_that_one_sees():
    code = made().section.pre
    assert code.get_text() == 'def f():\n"a"{b} # c'
    assert [it.get_text() for it in code.find_all("span")] == [
        "def",
        "f",
        '"a"{b}',
        "# c",
    ]


def test_names_and_what_refers_to_them_begin_with_the_page():
    svg = made().section.svg
    assert svg["aria-labelledby"] == "02-pass--t 02-pass--u"
    assert svg.g["clip-path"] == "url(#02-pass--c)"
    assert svg.g["style"] == "fill: url(#02-pass--c)"
    assert svg.find("use")["xlink:href"] == "#02-pass--c"


def test_links_stay_inside_or_lead_to_the_site():
    links = [link["href"] for link in made().section.select("p a")]
    assert links == [
        "#01-why--a-b",
        "#02-pass--four",
        f"{SITE}book/api/lab.html#f",
        "https://a.org/#x",
    ]


def test_pictures_are_found_and_loaded_at_once():
    picture = made().section.img
    assert picture["src"] == "html/_images/a.png" and "loading" not in picture.attrs


def test_hints_and_solution_go_to_the_end_and_links_lead_there_and_back(whole):
    whole = book.soup(whole)
    place = whole.find(id="02-pass--exercise-2-1")
    assert (
        place.select_one(".paper-turn a")["href"]
        == f"#{book.BACK}-02-pass--exercise-2-1"
    )
    assert "Divide" not in place.get_text() and "def" not in place.get_text()
    heading = whole.find(id=f"{book.BACK}-02-pass--exercise-2-1")
    assert heading.a["href"] == "#02-pass--exercise-2-1"
    labels = [it.get_text() for it in heading.parent.select(".paper-label")]
    assert (
        labels == ["Hint 1", "The solution"] and "Divide" in heading.parent.get_text()
    )


def test_the_contents_list_parts_pages_and_sections(whole):
    nav = book.soup(whole).nav
    assert nav.select_one(".paper-part").get_text() == "Part"
    assert [link["href"] for link in nav.select("a")] == [
        "#01-why",
        "#02-pass",
        "#02-pass--four",
        f"#{book.BACK}",
        f"#{book.BACK}-02-pass",
    ]


def test_what_every_chapter_ends_with_is_not_in_the_contents():
    html = OTHER.replace("</section>", '<section id="r"><h2>Remember</h2></section>$&')
    html = html.replace("$&", "</section>")
    pages = [made(f"0{i}-why", html) for i in range(book.REPEATED)]
    assert "Remember" in book.contents([("", pages[1:])])
    assert "Remember" not in book.contents([("", pages)])


def test_each_page_of_the_contents_gets_its_number(whole):
    names = [it["data-page"] for it in book.soup(whole).select("[data-page]")]
    filled = book.numbered(whole, {name: i for i, name in enumerate(names, 7)})
    shown = [it.get_text() for it in book.soup(filled).select("[data-page]")]
    assert shown == [str(i) for i in range(7, 7 + len(names))]
    with pytest.raises(ValueError, match="'02-pass--four' has none"):
        book.numbered(whole, dict.fromkeys(set(names) - {"02-pass--four"}, 1))


def test_each_page_has_its_title_above_it(whole):
    assert '@page p-02-pass { @top-right { content: "Chapter 2: The pass" } }' in whole
    assert "#\\30 2-pass { page: p-02-pass }" in whole


def test_a_dead_link_and_a_name_given_twice_stop_it():
    with pytest.raises(ValueError, match=r"lead to a place of the book, got \['no'\]"):
        book.complain('<p id="a"><a href="#no">x</a></p>')
    with pytest.raises(ValueError, match=r"given once, got \['a'\]"):
        book.complain('<p id="a"></p><p id="a"></p>')


def test_a_page_without_a_heading_stops_it():
    with pytest.raises(ValueError, match="a heading, 02-pass has none"):
        book.page("02-pass", "<article><section><p>x</p></section></article>")


def test_every_page_of_the_book_is_printed_or_left_out_with_a_reason():
    printed = [name for _, names in takeaway.plan() for name in names]
    wanted = ["index", *(c.file for c in course.chapters()), *course.pages()]
    assert printed == [name for name in wanted if name not in book.LEFT_OUT]
    assert set(book.LEFT_OUT) <= set(wanted)
    front = book.front(takeaway.about(), "logo.svg")
    assert all(
        f"{name}</em>, because {why}" in front for name, why in book.LEFT_OUT.items()
    )


# --- tags and pictures of a PDF -------------------------------------------------------


@pytest.fixture
def pdf():
    """Return a page with a title, a formula, a list and a block of code, as printed."""
    made = pikepdf.new()
    page = made.add_blank_page().obj
    page.StructParents = 0
    root = made.make_indirect(Dictionary(Type=Name.StructTreeRoot))
    made.Root.StructTreeRoot = root

    def tag(name, *held, **more):
        return made.make_indirect(
            Dictionary(S=Name(f"/{name}"), Pg=page, K=Array(held), **more)
        )

    def text(number):
        return tag("NonStruct", number)

    formula = tag("Figure", text(2), Alt=f"{takeaway_tags.FORMULA}x^2")
    item = tag("LI", tag("Lbl", 3), text(4))
    code = tag("NonStruct", text(5), text(6))
    drawn = tag("Figure", tag("Figure", 7, Alt="Dots"), tag("Caption", text(8)))
    parts = [
        tag("H1", text(0)),
        tag("P", text(1), formula),
        tag("L", item),
        code,
        drawn,
    ]
    root.K = tag("Document", tag("NonStruct", *parts), text(9))
    return made


def outline(tag):
    """Return a tag as nested lists: its name, and what it holds."""
    return [str(tag.S)[1:]] + [
        outline(kid) if takeaway_tags.is_tag(kid) else kid
        for kid in takeaway_tags.kids(tag)
    ]


def test_tags_of_no_meaning_give_their_content_to_others(pdf):
    takeaway_tags.Tags(pdf)
    root = pdf.Root.StructTreeRoot
    assert outline(root.K) == [
        "Document",
        ["H1", 0],
        ["P", 1, ["Formula", 2]],
        ["L", ["LI", ["Lbl", 3], ["LBody", 4]]],
        ["P", 5, 6],
        ["Figure", 7, ["Caption", 8]],
        ["P", 9],
    ]
    formula, figure = root.K.K[1].K[1], root.K.K[4]
    assert (str(formula.Alt), str(figure.Alt)) == ("x^2", "Dots")


def test_each_text_names_the_tag_that_holds_it(pdf):
    takeaway_tags.Tags(pdf)
    number, owners = pdf.Root.StructTreeRoot.ParentTree.Nums
    names = [str(owner.S)[1:] for owner in owners]
    expected = "H1 P Formula Lbl LBody P P Figure Caption P"
    assert (number, " ".join(names)) == (0, expected)


def test_a_picture_of_few_colors_gets_a_palette_and_looks_the_same():
    pdf = pikepdf.new()
    drawn = Image.effect_noise((40, 30), 50).quantize(8).convert("RGB")
    stream = pdf.make_stream(
        drawn.tobytes(),
        Type=Name.XObject,
        Subtype=Name.Image,
        Width=40,
        Height=30,
        BitsPerComponent=8,
        ColorSpace=Name.DeviceRGB,
    )
    takeaway_print.palettes(pdf)
    assert stream.ColorSpace[0] == Name.Indexed
    shown = pikepdf.PdfImage(stream).as_pil_image().convert("RGB")
    assert shown.tobytes() == drawn.tobytes()


def test_the_outline_ends_with_the_third_level():
    pdf = pikepdf.new()
    pdf.add_blank_page()
    with pdf.open_outline() as outline:
        items = outline.root
        for level in range(1, 6):
            items.append(pikepdf.OutlineItem(f"level {level}", 0))
            items = items[0].children
    takeaway_print.prune(pdf)
    with pdf.open_outline() as outline:
        third = outline.root[0].children[0].children[0]
        assert (third.title, third.children) == ("level 3", [])


FIRST = "<p>a</p><!-- takeaway --><p>make pdf</p><!-- /takeaway --><p>b</p>"


@pytest.fixture
def root(tmp_path):
    """Return a repository with a built site of three files."""
    site = tmp_path / takeaway.SITE
    (site / "book").mkdir(parents=True)
    (site / "index.html").write_text("root", "utf-8")
    (site / "book/index.html").write_text(FIRST, "utf-8")
    (site / "book/a.png").write_bytes(b"png")
    facts = (takeaway.ROOT / "CITATION.cff").read_text("utf-8")
    (tmp_path / "CITATION.cff").write_text(facts, "utf-8")
    return tmp_path


# --- the EPUB -------------------------------------------------------------------------


@pytest.fixture
def epub(root):
    """Return the files of a small book, by their names."""
    site, formulas = root / takeaway.SITE, takeaway_epub.mathml
    (site / "_images").mkdir()
    (site / "_images/a.png").write_bytes(b"png")
    pages = [made("01-why", OTHER, "", formulas), made("02-pass", HTML, "", formulas)]
    parts = [("Part", pages), ("", [book.solutions(pages)])]
    path = root / "a.epub"
    takeaway_epub.write(
        path, parts, "<header>Cover<br></header>", takeaway.about(), site
    )
    with zipfile.ZipFile(path) as packed:
        return {info.filename: packed.read(info) for info in packed.infolist()}


def test_an_epub_says_what_it_is_first(epub):
    assert next(iter(epub.items())) == ("mimetype", b"application/epub+zip")
    assert b"book/package.opf" in epub["META-INF/container.xml"]


def test_an_epub_lists_all_of_its_files_and_is_well_formed(epub):
    listed = re.findall(
        r'<item id="[^"]+" href="([^"]+)"', epub["book/package.opf"].decode()
    )
    named = {f"book/{name}" for name in listed}
    assert named | {"mimetype", "META-INF/container.xml", "book/package.opf"} == set(
        epub
    )
    for name, content in epub.items():
        if name.endswith((".xhtml", ".opf", ".xml")):
            ElementTree.fromstring(content)


def test_in_an_epub_links_lead_from_file_to_file(epub):
    text = epub["book/02-pass.xhtml"].decode()
    addresses = ["01-why.xhtml#01-why--a-b", "02-pass.xhtml#02-pass--four"]
    addresses += ["solutions.xhtml#solutions-02-pass--exercise-2-1"]
    assert all(f'href="{address}"' in text for address in addresses)
    back = epub["book/solutions.xhtml"].decode()
    assert 'href="02-pass.xhtml#02-pass--exercise-2-1"' in back
    contents = epub["book/contents.xhtml"].decode()
    assert 'href="02-pass.xhtml"' in contents and 'href="solutions.xhtml"' in contents


def test_in_an_epub_a_formula_is_mathml_and_svg_has_its_capitals(epub):
    text = epub["book/02-pass.xhtml"].decode()
    assert '<math alttext="\\hat x">' in text and "katex" not in text
    assert 'viewBox="0 0 1 1"' in text and "<clipPath id" in text
    assert 'src="pictures/a.png"' in text and epub["book/pictures/a.png"] == b"png"
    listed = b'href="02-pass.xhtml" media-type="application/xhtml+xml" properties='
    assert listed + b'"mathml svg"' in epub["book/package.opf"]


def test_the_style_of_an_epub_has_colors_and_no_variables(tmp_path):
    path = tmp_path / takeaway_epub.PICTURES
    path.parent.mkdir(parents=True)
    rules = (
        ".bn-svg { --ink: var(--bn-ink, #123456); }\n.bn-svg text { fill: var(--ink); }"
    )
    path.write_text(rules, "utf-8")
    style = takeaway_epub.style(tmp_path)
    assert ".bn-svg text { fill: #123456; }" in style and "var(" not in style


# --- the archive and the first page ---------------------------------------------------


def test_the_archive_is_the_site_without_what_is_taken_away(root):
    (root / takeaway.SITE / takeaway.FOLDER).mkdir()
    (root / takeaway.SITE / takeaway.FOLDER / "old.pdf").write_bytes(b"pdf")
    first = takeaway.archive(root).read_bytes()
    assert takeaway.archive(root).read_bytes() == first, "the same site, the same bytes"
    with zipfile.ZipFile(takeaway.archive(root)) as packed:
        names = [name.removeprefix(f"{takeaway.NAME}/") for name in packed.namelist()]
        page = packed.read(f"{takeaway.NAME}/book/index.html").decode()
    assert names == ["book/a.png", "book/index.html", "index.html"]
    assert "a copy to read without a connection" in page and "make pdf" not in page
    assert (root / takeaway.SITE / takeaway.FIRST).read_text("utf-8") == FIRST


def test_the_first_page_names_what_is_there_with_its_size(root):
    folder = root / takeaway.SITE / takeaway.FOLDER
    folder.mkdir()
    (folder / f"{takeaway.NAME}.zip").write_bytes(bytes(3_400_000))
    takeaway.name_them(root)
    page = (root / takeaway.SITE / takeaway.FIRST).read_text("utf-8")
    link = (
        f'<a href="../takeaway/{takeaway.NAME}.zip">this site as an archive</a> (3 MB)'
    )
    assert f"connection: {link}.</p>" in page and ".pdf" not in page
    (folder / f"{takeaway.NAME}.pdf").write_bytes(bytes(5_000_000))
    takeaway.name_them(root)
    page = (root / takeaway.SITE / takeaway.FIRST).read_text("utf-8")
    assert page.count("takeaway -->") == 2 and page.count("<a ") == 2
    assert "the whole book as a PDF</a> (5 MB) and <a" in page
    (folder / f"{takeaway.NAME}.epub").write_bytes(bytes(4_000_000))
    assert "(5 MB), <a" in takeaway.offer(folder)
    assert "EPUB</a> (4 MB) and <a" in takeaway.offer(folder)


def test_a_first_page_without_a_place_for_them_stops_it():
    with pytest.raises(ValueError, match="one place <!-- takeaway -->, got 0; put"):
        takeaway.filled("<p>a</p>", "words")


def test_the_book_has_the_place_and_says_what_to_do():
    text = (takeaway.ROOT / "book/index.md").read_text("utf-8")
    (block,) = takeaway.BLOCK.finditer(text)
    assert all(f"`make {kind}`" in block[0] for kind in ("pdf", "epub", "zip"))


def test_without_a_browser_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(takeaway_print, "program", lambda: None)
    with pytest.raises(FileNotFoundError, match="install chromium with your package"):
        takeaway_print.browser()
