"""The tags of a PDF that Chromium printed, made what the standard asks for.

Chromium writes a tag of no meaning, ``NonStruct``, around every piece of text and
around many blocks. Here they give their content to the tag above or become paragraphs;
formulas and lists get the tags that are there for them, and every figure the words of
its picture.
"""

from itertools import groupby

from pikepdf import Array, Dictionary, Name, String

FORMULA = "Formula: "  # with this the words of a picture begin that is one
INLINE = {"/Code", "/Em", "/Formula", "/Link", "/Span", "/Strong"}
HOLDS_TEXT = INLINE | {
    *("/P", "/H1", "/H2", "/H3", "/H4", "/H5", "/H6"),
    *("/Lbl", "/LI", "/LBody", "/TD", "/TH", "/Caption", "/Figure"),
}
GROUPS = {"/Document", "/Art", "/Sect", "/Div", "/Aside", "/BlockQuote"}
# Those that PDF has since version 2, as what older readers know.
ROLES = {"Strong": "Span", "Em": "Span", "Aside": "Sect"}


class Tags:
    """The tags of a PDF, without those of no meaning.

    A tag ``NonStruct`` around a piece of text gives it to the tag above. Around a block
    it becomes a paragraph, and around blocks it goes. Text that would stand in a tag
    for groups gets a paragraph of its own.

    Parameters
    ----------
    pdf : pikepdf.Pdf
        With the tags that Chromium writes; it is changed.
    """

    def __init__(self, pdf):
        self.pdf = pdf
        self.texts = {}  # who holds a piece of text, (page, number)
        self.annotations = {}  # and who a link
        root = pdf.Root.StructTreeRoot
        for top in kids(root):
            self._close(top, self._content(top))
        root.RoleMap = Dictionary({f"/{k}": Name(f"/{v}") for k, v in ROLES.items()})
        self._write_owners(root)

    def _content(self, element):
        """Return what a tag will hold: texts, (page, number), and dictionaries."""
        held = []
        for kid in kids(element):
            if not is_tag(kid):
                held.append(self._text(element, kid))
                continue
            inner = self._content(kid)
            if not is_a(kid, Name.NonStruct):
                held.append(self._close(kid, inner))
            elif not any(map(is_tag, kids(kid))) or not any(map(is_inline, inner)):
                held += inner  # a piece of text, or nothing but blocks
            elif str(element.S) in HOLDS_TEXT:
                held += inner
            else:
                kid.S = Name.P if all(map(is_inline, inner)) else Name.Div
                held.append(self._close(kid, inner))
        return held

    def _text(self, element, kid):
        if isinstance(kid, Dictionary):
            if kid.get("/Type") != Name.MCR:
                return kid  # an annotation
            return kid.get("/Pg", element.get("/Pg")), int(kid.MCID)
        return element.Pg, int(kid)

    def _close(self, element, held):
        """Give a tag its content."""
        if is_a(element, Name.LI):
            held = self._item(held)
        elif is_a(element, Name.Figure):
            held = self._figure(element, held)
        elif str(element.S) in GROUPS:
            held = self._paragraphs(held)
        self._hold(element, held)
        return element

    def _item(self, held):
        """Return the label of an item and a tag for the rest."""
        labels = [it for it in held if is_a(it, Name.Lbl)]
        body = [it for it in held if not is_a(it, Name.Lbl)]
        return [*labels, self._made(Name.LBody, body)] if body else labels

    def _figure(self, element, held):
        """Return the content of a figure: of a picture with words, no tags.

        A figure that is a picture and its caption takes the words of the picture.
        """
        words = str(element.get("/Alt", ""))
        if words.startswith(FORMULA):
            element.S = Name.Formula
            element.Alt = String(words.removeprefix(FORMULA))
        if words:
            return [it for kid in held for it in self._flat(kid)]
        pictures = [it for it in held if is_a(it, Name.Figure)]
        if len(pictures) == 1:
            element.Alt = pictures[0].Alt
            parts = (self._flat(it) if is_a(it, Name.Figure) else [it] for it in held)
            return [it for part in parts for it in part]
        element.S = Name.Div
        return self._paragraphs(held)

    def _flat(self, item):
        """Return what stands in a tag, without the tags in it."""
        if not is_tag(item):
            return [item]
        return [it for kid in kids(item) for it in self._flat(self._text_of(item, kid))]

    def _text_of(self, element, kid):
        return kid if is_tag(kid) else self._text(element, kid)

    def _paragraphs(self, held):
        """Put neighbors in a group that are no blocks into paragraphs."""
        made = []
        for inline, neighbors in groupby(held, is_inline):
            run = list(neighbors)
            made += [self._made(Name.P, run)] if inline else run
        return made

    def _made(self, kind, held):
        element = self.pdf.make_indirect(Dictionary(Type=Name.StructElem, S=kind))
        self._hold(element, held)
        return element

    def _hold(self, element, held):
        """Write the content of a tag, and remember whose it is."""
        pages = [it[0] for it in held if isinstance(it, tuple)]
        if pages:
            element.Pg = pages[0]
        written = []
        for it in held:
            if isinstance(it, tuple):
                page, number = it
                self.texts[page.objgen, number] = element
                same = page.objgen == pages[0].objgen
                written.append(
                    number if same else Dictionary(Type=Name.MCR, Pg=page, MCID=number)
                )
            elif is_tag(it):
                it.P = element
                written.append(it)
            else:
                self.annotations[it.Obj.objgen] = element
                written.append(it)
        element.K = written[0] if len(written) == 1 else Array(written)

    def _write_owners(self, root):
        """Write who holds which text: the index from the pages to the tags."""
        numbers, rows = {}, {}
        for (page, number), element in self.texts.items():
            numbers.setdefault(page, {})[number] = element
        for page in self.pdf.pages:
            known = numbers.get(page.obj.objgen)
            if known:
                row = [known.get(i) for i in range(max(known) + 1)]
                rows[int(page.obj.StructParents)] = Array(row)
            for annotation in page.obj.get("/Annots", ()):
                owner = self.annotations.get(annotation.objgen)
                if owner is not None:
                    rows[int(annotation.StructParent)] = owner
        pairs = [it for key in sorted(rows) for it in (key, rows[key])]
        root.ParentTree = Dictionary(Nums=Array(pairs))


def kids(element):
    """Return what a tag holds, as a list."""
    held = element.get("/K")
    if held is None:
        return []
    return list(held) if isinstance(held, Array) else [held]


def is_tag(kid):
    """Tell a tag from a text and from an annotation."""
    return isinstance(kid, Dictionary) and "/S" in kid


def is_a(kid, name):
    """Tell whether something is a tag of this name."""
    return is_tag(kid) and str(kid.S) == str(name)


def is_inline(kid):
    """Tell whether something can stand in a line of text."""
    return not is_tag(kid) or str(kid.S) in INLINE
