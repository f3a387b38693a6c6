"""Make the drawings of figures small: what matplotlib writes as SVG, said shortly.

A figure of lines and words is stored a second time as a drawing, from which the site
takes it in the colors of the page and with its letters. matplotlib writes each mark of
an axis and each letter of a formula as elements of their own; here, what looks alike
becomes one path, coordinates get one decimal (an eighth of a pixel), and what is the
page's matter goes: the white ground and the names of fonts. Black becomes
``currentColor``; all other colors stay, and the site's stylesheet knows them.

Photographs and large clouds of points are no drawings: they stay pictures.
"""

import base64
import io
import re
import xml.etree.ElementTree as ET

MIME = "application/vnd.bnlib.drawing"  # no viewer of notebooks knows it, but the site
LARGEST = 25 * 1024  # bytes; beyond, a picture is smaller
MARGIN = 2.0  # points that a figure leaves empty on each side; a page has its own
SVG = "{http://www.w3.org/2000/svg}"
LINK = "{http://www.w3.org/1999/xlink}href"
NUMBER = re.compile(r"-?\d+\.?\d*(?:e-?\d+)?")
STEP = re.compile(r"([MLCQz])([^MLCQz]*)")
LOOKS = (
    "fill",
    "fill-opacity",
    "stroke",
    "stroke-width",
    "stroke-dasharray",
    "stroke-linecap",
    "stroke-opacity",
    "opacity",
)
MANY = 200  # marks that may be drawn in another order
BLACK, NONE = "currentColor", "none"


class NoDrawing(Exception):
    """A figure that is better kept as a picture."""


def store(notebook):
    """Shorten the drawings of a notebook's outputs, in place; drop what is none."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if MIME in data:
                drawn = shortened(data.pop(MIME))
                data |= {MIME: drawn} if drawn else {}
            if "image/png" in data:
                data["image/png"] = with_palette(data["image/png"])


def shortened(svg):
    """Return a short SVG, None if the figure is better kept as a picture.

    Parameters
    ----------
    svg : str
        What matplotlib writes with ``svg.fonttype: none``.
    """
    try:
        text = Drawing(svg).text()
    except NoDrawing:
        return None
    return text if len(text) <= LARGEST else None


def with_palette(encoded, colors=256, largest=20):
    """Return a PNG with a palette, or the same one where that would be seen.

    Parameters
    ----------
    encoded : str
        The PNG in base64.
    colors : int, default=256
        Size of the palette.
    largest : float, default=20
        Largest difference of a channel, of 255, at the pixel that loses most: the edge
        of a letter, where nobody sees it.
    """
    from PIL import Image, ImageChops  # not needed by what only checks notebooks

    image = Image.open(io.BytesIO(base64.b64decode(encoded)))
    if image.mode == "P":
        return encoded
    image = image.convert("RGB")
    few = image.quantize(colors, Image.Quantize.MAXCOVERAGE, kmeans=2)
    lost = ImageChops.difference(image, few.convert("RGB"))
    if max(high for _, high in lost.getextrema()) > largest:
        return encoded
    file = io.BytesIO()
    few.save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


class Drawing:
    """The shapes and words of one SVG of matplotlib, in the order of drawing."""

    def __init__(self, svg):
        root = ET.fromstring(svg)
        self.size = [float(n) for n in root.get("viewBox").split()[2:]]
        self.named = {it.get("id"): it for it in root.iter() if it.get("id")}
        self.shapes, self.words = [], []  # [look, clip, d, box], [look, element]
        for figure in root.iter(f"{SVG}g"):
            if figure.get("id", "").startswith(("figure_", "axes_")):
                self.uncover(figure)
        self.walk(root, None)

    def uncover(self, group):
        """Remove the white ground, the first thing that a figure or axes draws."""
        ground = next(iter(group), None)
        if ground is None or not ground.get("id", "").startswith("patch_"):
            return
        if style(declared(next(ground.iter(f"{SVG}path"))))["fill"] == "#ffffff":
            group.remove(ground)

    def walk(self, element, clip):
        """Take up an element and what is inside of it, cut off at ``clip``."""
        kind = element.tag.removeprefix(SVG)
        clip = element.get("clip-path", clip)
        if kind == "image":
            raise NoDrawing
        if kind == "path":
            self.add(style(declared(element)), clip, outline(element.get("d", "")))
        elif kind == "use":
            self.mark(element, clip)
        elif kind == "text":
            self.write(element)
        elif kind == "g" and element.get("transform"):
            self.formula(element)
        elif kind in ("svg", "g"):
            begin = len(self.shapes)
            for child in element:
                self.walk(child, clip)
            if element.get("id", "").startswith("PathCollection"):
                # The points of a cloud: those of one color may be drawn at once.
                self.shapes[begin:] = gathered(self.shapes[begin:])
        elif kind not in ("defs", "metadata", "style"):
            raise ValueError(f"matplotlib writes no <{kind}> that we know; add it here")

    def add(self, look, clip, steps):
        """Note a shape, unless there is nothing of it."""
        if steps:
            self.shapes.append((look, clip, steps))

    def mark(self, use, clip):
        """Draw what is named elsewhere: the mark of an axis, or a marker."""
        path = self.named[use.get(LINK)[1:]]
        look = style(declared(use) | declared(path))
        x, y = float(use.get("x", 0)), float(use.get("y", 0))
        steps = outline(path.get("d", ""), x, y)
        radius = circle(path.get("d", ""))
        if radius and look["fill"] != NONE and look["stroke"] in (NONE, look["fill"]):
            # A dot is the round end of a line without length.
            wide = 2 * radius
            wide += float(look["stroke-width"]) if look["stroke"] != NONE else 0
            alpha = look["fill-opacity"]
            look = dict.fromkeys(LOOKS, "") | {
                "fill": NONE,
                "stroke": look["fill"],
                "stroke-width": short(wide),
                "stroke-linecap": "round",
                "stroke-opacity": alpha,
                "opacity": look["opacity"],
            }
            steps = [("M", [(tenths(x), tenths(y))]), ("L", [(tenths(x), tenths(y))])]
        self.add(look, clip, steps)

    # Words

    def write(self, element, at=None):
        """Note a word: where, how large, in which color."""
        if not "".join(element.itertext()).strip():
            return
        said = declared(element)
        move = element.get("transform", "")
        place = [float(n) for n in NUMBER.findall(move)]
        if element.get("x"):
            x, y = float(element.get("x")), float(element.get("y"))
            turn = place[0] if place else 0
        else:
            x, y, turn = [*place, 0, 0][:3] if place else (0, 0, 0)
        self.word(said, x, y, turn, escape("".join(element.itertext())))

    def word(self, said, x, y, turn, inside):
        """Note the element of a word, and what it may share with others."""
        look = {
            "font-size": short(said["font-size"].removesuffix("px")),
            "text-anchor": said.get("text-anchor", "start"),
            "font-weight": said.get("font-weight", ""),
        }
        own = f'x="{short(x)}" y="{short(y)}"'
        if turn:
            own += f' transform="rotate({short(turn)} {short(x)} {short(y)})"'
        ink = color(said.get("fill", "#000000"))
        own += f' fill="{ink}"' if ink != BLACK else ""
        alpha = said.get("opacity", "1")
        own += f' opacity="{alpha}"' if alpha != "1" else ""
        self.words.append((look, f"<text {own}>{inside}</text>"))

    def formula(self, group):
        """Put the letters of a formula, each an element, together to a word."""
        x, y, *turn = [float(n) for n in NUMBER.findall(group.get("transform"))]
        for element in group:
            if element.tag != f"{SVG}text":
                raise NoDrawing  # the line of a root or a fraction
            parts = [(declared(it), it) for it in element]
            parts = [(float(it.get("x")), float(it.get("y")), s, it) for s, it in parts]
            parts.sort(key=lambda part: part[0])
            base = max(float(s["font-size"].removesuffix("px")) for _, _, s, _ in parts)
            inside, height = "", parts[0][1]
            first = height
            for run in runs(parts):
                (_, low, s, _), letters = run[0], "".join(it.text for *_, it in run)
                size = float(s["font-size"].removesuffix("px"))
                spaced = re.search(r".[=+−]", letters)
                places = " ".join(short(x + at) for at, *_ in run) if spaced else ""
                told = f' x="{places}"' if places else ""
                if abs(low - height) > 0.3:
                    told += f' dy="{short(low - height)}"'
                    height = low
                if size < base:
                    told += f' font-size="{short(size)}"'
                letters = escape(letters)
                inside += f"<tspan{told}>{letters}</tspan>" if told else letters
            said = {"font-size": f"{base}px"} | declared(group) | declared(element)
            self.word(said, x + parts[0][0], y + first, (turn or [0])[0], inside)

    # What comes out

    def text(self):
        """Return the SVG."""
        width, height = self.size
        box = " ".join(map(short, (MARGIN, MARGIN, width - 4, height - 4)))
        clips, body = {}, []
        for clip, look, steps in merged(self.shapes, self.needed):
            attributes = "".join(f' {k}="{v}"' for k, v in look.items() if v)
            if clip:
                name = clips.setdefault(clip, f"c{len(clips)}")
                attributes += f' clip-path="url(#{name})"'
            body.append(f'<path{attributes} d="{written(steps)}"/>')
        for name in clips:
            rect = self.named[name[5:-1]][0]
            sides = (
                f'{k}="{short(rect.get(k))}"' for k in ("x", "y", "width", "height")
            )
            area = f'<clipPath id="{clips[name]}"><rect {" ".join(sides)}/></clipPath>'
            body.insert(0, area)
        return (
            f'<svg viewBox="{box}" fill="none" stroke-linejoin="round">'
            f"{''.join(body)}{''.join(self.paragraphs())}</svg>"
        )

    def needed(self, clip, steps):
        """Return the clip if something lies outside of it, else None."""
        if clip is None:
            return None
        rect = self.named[clip[5:-1]][0]
        if rect.tag != f"{SVG}rect":
            raise NoDrawing
        x, y, w, h = (tenths(rect.get(k)) for k in ("x", "y", "width", "height"))
        points = [point for _, some in steps for point in some]
        inside = all(
            x - 1 <= a <= x + w + 1 and y - 1 <= b <= y + h + 1 for a, b in points
        )
        return None if inside else clip

    def paragraphs(self):
        """Yield the words, those of one size and side together."""
        groups = {}
        for look, element in self.words:
            groups.setdefault(tuple(look.items()), []).append(element)
        for look, elements in groups.items():
            told = "".join(f' {k}="{v}"' for k, v in look if v not in ("", "start"))
            yield f'<g fill="{BLACK}"{told}>{"".join(elements)}</g>'


def runs(parts):
    """Split the letters of a formula where size or height change."""
    found = []
    for part in parts:
        same = found and found[-1][-1][2]["font-size"] == part[2]["font-size"]
        if same and abs(found[-1][-1][1] - part[1]) < 1:
            found[-1].append(part)
        else:
            found.append([part])
    return found


def declared(element):
    """Return the style of an element as a dict."""
    pairs = (
        it.split(":", 1) for it in element.get("style", "").split(";") if it.strip()
    )
    return {name.strip(): value.strip() for name, value in pairs}


def style(said):
    """Return how a shape looks: all of ``LOOKS``, "" where it is as by default."""
    look = dict.fromkeys(LOOKS, "") | {k: v for k, v in said.items() if k in LOOKS}
    look["fill"] = color(said.get("fill", "#000000"))
    look["stroke"] = color(said.get("stroke", NONE))
    look["stroke-width"] = short(said.get("stroke-width", 1))
    if look["stroke"] == NONE:
        look |= {k: "" for k in LOOKS if k.startswith("stroke-")}
        look["stroke"] = NONE
    if look["stroke-dasharray"]:
        numbers = NUMBER.findall(look["stroke-dasharray"])
        look["stroke-dasharray"] = " ".join(map(short, numbers))
    if look["stroke-linecap"] == "butt":
        look["stroke-linecap"] = ""
    return look


def color(text):
    """Return black as the ink of the page, any other color as it is."""
    return BLACK if text == "#000000" else text


def circle(d):
    """Return the radius of a circle around the origin, 0 if the path is none."""
    steps = STEP.findall(d)
    if "".join(name for name, _ in steps) != "MCCCCCCCCz":
        return 0
    ends = [
        [float(n) for n in NUMBER.findall(numbers)][-2:] for _, numbers in steps[:-1]
    ]
    radii = [(x * x + y * y) ** 0.5 for x, y in ends]
    return radii[0] if max(radii) - min(radii) < 0.01 * radii[0] else 0


def outline(d, x=0.0, y=0.0):
    """Return a path as (command, points in tenths), moved by ``(x, y)``."""
    steps = []
    for name, numbers in STEP.findall(d):
        flat = [float(n) for n in NUMBER.findall(numbers)]
        pairs = zip(flat[::2], flat[1::2], strict=True)
        points = [(tenths(a + x), tenths(b + y)) for a, b in pairs]
        last = steps[-1][1][-1] if steps and steps[-1][1] else None
        if name == "L" and points[0] == last:
            continue
        if name == "L" and len(steps) > 1 and steps[-1][0] == "L":
            before = steps[-2][1]
            if before and straight(before[-1], last, points[0]):
                steps[-1] = ("L", points)
                continue
        steps.append((name, points))
    return steps if len(steps) > 1 else []


def straight(a, b, c):
    """Tell whether b lies on the way from a to c."""
    (p, q), (r, s) = (b[0] - a[0], b[1] - a[1]), (c[0] - b[0], c[1] - b[1])
    return p * s == q * r and p * r + q * s >= 0


def gathered(shapes):
    """Return shapes with those that look alike next to each other."""
    kinds = {}
    for look, clip, steps in shapes:
        key = (tuple(look.items()), clip)
        kinds.setdefault(key, []).append((look, clip, steps))
    return [shape for alike in kinds.values() for shape in alike]


def merged(shapes, needed):
    """Yield ``(clip, look, steps)`` with neighbors that look alike as one path.

    Not where they let something shine through: where two of them overlap, both count.
    """
    last, alike = None, []
    for look, clip, steps in [*shapes, ({}, None, [])]:
        look = {k: v for k, v in look.items() if v and (k != "stroke" or v != NONE)}
        if look.get("fill") == NONE:
            del look["fill"]
        if steps and not look.get("fill") and not look.get("stroke"):
            continue
        clip = needed(clip, steps)
        clear = any(look.get(k, "1") != "1" for k in LOOKS if k.endswith("opacity"))
        if last != (clip, look) or clear:
            if alike:
                yield *last, joined_up(alike)
            last, alike = (clip, look), []
        alike.append(steps)


def joined_up(shapes):
    """Return the steps of some shapes; hundreds of marks come row by row, each once."""
    if len(shapes) < MANY or any(len(steps) != 2 for steps in shapes):
        return [step for steps in shapes for step in steps]
    ends = {tuple(sorted(points[0] for _, points in steps)) for steps in shapes}
    found, here = [], (0, 0)
    for mark in sorted(ends, key=lambda mark: (mark[0][1], mark)):
        # From the end that is nearer: the way there then takes fewer letters.
        start, end = sorted(mark, key=lambda at: abs(at[1] - here[1]))
        found += [("m", [start]), ("L", [end])]
        here = end
    return found


def written(steps):
    """Return path data with relative coordinates, as few letters as possible."""
    out, here, start, before = [], (0, 0), (0, 0), ""
    for name, points in steps:
        if name == "z":
            out.append("z")
            here, before = start, "z"
            continue
        moved = [(a - here[0], b - here[1]) for a, b in points]
        if name in "Mm":
            here = start = points[0]
            out.append(name + joined(points[0] if name == "M" else moved[0]))
            before = name
            continue
        here, letter, numbers = (
            points[-1],
            name.lower(),
            [n for it in moved for n in it],
        )
        if name == "L" and not moved[0][1]:
            letter, numbers = "h", moved[0][:1]
        elif name == "L" and not moved[0][0]:
            letter, numbers = "v", moved[0][1:]
        text = joined(numbers)
        if letter == before:
            text = text if text[0] == "-" else " " + text
        else:
            text = letter + text
        out.append(text)
        before = letter
    return "".join(out)


def joined(numbers):
    """Return numbers, given in tenths, with a space only where one is needed."""
    out = ""
    for number in numbers:
        text = short(number / 10)
        out += text if not out or text[0] == "-" else " " + text
    return out


def tenths(number):
    """Return a number in tenths, rounded."""
    return round(float(number) * 10)


def short(number):
    """Return a number with one decimal at most, without zeros that say nothing."""
    text = f"{round(float(number), 1):.1f}".removesuffix(".0")
    return "0" if text == "-0" else re.sub(r"^(-?)0\.", r"\1.", text)


def escape(text):
    """Return a text as it stands in XML."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
