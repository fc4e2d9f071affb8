"""Labelled sheets of pictures, side by side."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

_BACKGROUND, _INK = "white", "#222222"
_NARROW, _WIDE = 1000, 2400
"""Pixels: sheets are not narrower where whole multiples of their pictures allow, nor wider."""
_HIGHEST, _LOWEST = 512, 96
"""Pixels: how high a picture on a sheet may be whose height nobody chose."""

Font = ImageFont.FreeTypeFont


def sheet(pictures: Sequence[tuple[str, Image.Image]], height: int | None = None) -> Image.Image:
    """Pictures in a row, all of one height, each with its label above, in lines where it is long.

    Args:
        pictures: (label, RGB image); at least one
        height: of the pictures in pixels; None: the last picture's own
    """
    height = height or pictures[-1][1].height
    font, gap = _font(height, (label for label, _ in pictures)), max(6, height // 40)
    images = [_to_height(image, height) for _, image in pictures]
    least = 5 * _line(font)
    labels = [
        _wrapped(label, max(image.width, least), font)
        for (label, _), image in zip(pictures, images, strict=True)
    ]
    widths = [
        max(image.width, _text_width(lines, font))
        for image, lines in zip(images, labels, strict=True)
    ]
    head = _head_height(labels, font)
    width = sum(widths) + gap * (len(images) + 1)
    canvas = Image.new("RGB", (width, height + head + gap), _BACKGROUND)
    draw = ImageDraw.Draw(canvas)
    x = gap
    for image, lines, cell_width in zip(images, labels, widths, strict=True):
        _write(draw, (x, head - len(lines) * _line(font)), lines, font)
        canvas.paste(image, (x, head))
        x += cell_width + gap
    return canvas


def grid(
    rows: Sequence[Sequence[tuple[str, Image.Image]]], height: int | None = None
) -> Image.Image:
    """Rows of labelled pictures, one above the other.

    Args:
        rows: (label, RGB image) in each; at least one
        height: of every picture, in pixels; None: see :func:`suitable_height`
    """
    lines = [[image for _, image in row] for row in rows]
    height = height or suitable_height(lines)
    strips = [sheet(row, height) for row in rows]
    canvas = Image.new(
        "RGB", (max(s.width for s in strips), sum(s.height for s in strips)), _BACKGROUND
    )
    y = 0
    for strip in strips:
        canvas.paste(strip, (0, y))
        y += strip.height
    return canvas


def suitable_height(lines: Sequence[Sequence[Image.Image]]) -> int:
    """How high pictures are on a sheet of these lines, if nobody says.

    Their own height, or a whole multiple of it where the sheet would be narrower than 1000 pixels;
    at most 512, and less where the sheet would be wider than 2400.
    """
    own = max((image.height for line in lines for image in line), default=_HIGHEST)
    proportions = [sum(image.width / image.height for image in line) for line in lines]
    widest = max(proportions, default=1.0)
    if own >= _HIGHEST or own * widest > _WIDE:
        return min(_HIGHEST, max(_LOWEST, round(_WIDE / widest)))
    factor = 1
    while factor * own * widest < _NARROW and (factor + 1) * own <= _HIGHEST:
        factor += 1
    return factor * own


def _font(height: int, labels: Iterable[str]) -> Font:
    """A font that can be read beside pictures of this height, with the letters of the labels.

    Pillow's own has those of English alone. DejaVu Sans, which comes with matplotlib, has the other
    letters of Europe too.
    """
    size = max(13, min(22, height // 14))
    package = None if all(map(str.isascii, labels)) else find_spec("matplotlib")
    if package is not None and package.origin is not None:
        file = Path(package.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
        with contextlib.suppress(OSError):
            return ImageFont.truetype(file, size)
    font = ImageFont.load_default(size)
    assert isinstance(font, Font)  # Pillow has FreeType
    return font


def _line(font: Font) -> int:
    return round(1.25 * font.size)


def _head_height(labels: Sequence[Sequence[str]], font: Font) -> int:
    """What the labels take above pictures."""
    return _line(font) * max(map(len, labels), default=1) + round(0.4 * font.size)


def _text_width(lines: Sequence[str], font: Font) -> int:
    return max((round(font.getlength(line)) + 2 for line in lines), default=0)


def _wrapped(label: str, width: int, font: Font) -> list[str]:
    """A label in lines of this width: broken between words, after punctuation, else anywhere."""
    lines = [""]
    for part in re.findall(r"\s+|[^\s\-_/,.]*[\-_/,.]+|[^\s\-_/,.]+", label):
        if font.getlength(lines[-1] + part.rstrip()) > width and lines[-1].strip():
            lines.append("")
        for letter in part if lines[-1] else part.lstrip():
            if lines[-1] and font.getlength(lines[-1] + letter) > width:
                lines.append("")
            lines[-1] += letter
    return [line.strip() for line in lines]


def _write(
    draw: ImageDraw.ImageDraw, place: tuple[float, float], lines: Sequence[str], font: Font
) -> None:
    """Lines of text, the first with its upper left corner at the place."""
    for number, line in enumerate(lines):
        draw.text((place[0], place[1] + number * _line(font)), line, fill=_INK, font=font)


def _to_height(image: Image.Image, height: int) -> Image.Image:
    if image.height == height:
        return image
    width = max(1, round(image.width * height / image.height))
    return image.resize((width, height), Image.Resampling.LANCZOS)


@dataclass(frozen=True)
class Head:
    """What stands at the border of a contact sheet: a label and, where there is one, a picture."""

    label: str
    picture: Image.Image | None = None


def contact_sheet(
    rows: Sequence[Head],
    columns: Sequence[Head],
    cells: Sequence[Sequence[Image.Image | None]],
    *,
    corner: Sequence[Head] = (),
    height: int | None = None,
) -> Image.Image:
    """Pictures in rows and columns, the originals on the border; None leaves a marked gap.

    Args:
        rows, columns: what each stands for
        cells: a list of pictures for each row
        corner: originals that belong to every cell
        height: of a picture, in pixels; None: see :func:`suitable_height`
    """
    height = height or suitable_height([[c for c in line if c] for line in cells])
    return _ContactSheet(rows, columns, cells, corner, height).draw()


class _ContactSheet:
    """Where everything on a contact sheet stands, in pixels."""

    def __init__(
        self,
        rows: Sequence[Head],
        columns: Sequence[Head],
        cells: Sequence[Sequence[Image.Image | None]],
        corner: Sequence[Head],
        height: int,
    ):
        self.rows, self.columns, self.corner, self.height = rows, columns, corner, height
        heads = (head.label for head in (*rows, *columns, *corner))
        self.font, self.gap = _font(height, heads), max(4, height // 40)
        self.cells = [[None if c is None else _to_height(c, height) for c in row] for row in cells]
        self.width = max((c.width for row in self.cells for c in row if c), default=height)
        self.left = self._left()
        self.top = self._top()
        size = (
            self.left + len(columns) * (self.width + self.gap),
            self.top + len(rows) * (height + self.gap),
        )
        self.canvas = Image.new("RGB", size, _BACKGROUND)
        self.pen = ImageDraw.Draw(self.canvas)

    def _left(self) -> int:
        """Where the cells begin: right of the rows' heads and of the originals in the corner."""
        label = max((round(self.font.getlength(head.label)) + 2 for head in self.rows), default=0)
        picture = max((self._small(head).width for head in self.rows if head.picture), default=0)
        heads = max(min(label, max(self.width, 8 * _line(self.font))), picture)
        corner = sum(self._corner_width(head) for head in self.corner)
        return 2 * self.gap + max(heads, corner)

    def _top(self) -> int:
        """Where the cells begin: below the columns' heads and the originals in the corner."""
        labels = [_wrapped(head.label, self.width, self.font) for head in self.columns]
        above = self.gap + _head_height(labels, self.font)
        if any(head.picture for head in self.columns):
            above += self.height + self.gap
        corner = _line(self.font) + self.height // 2 + 3 * self.gap if self.corner else 0
        return max(above, corner)

    def _small(self, head: Head) -> Image.Image:
        """The picture of a row's head."""
        assert head.picture is not None
        return _within(head.picture, self.width, round(0.8 * self.height))

    def _corner_width(self, head: Head) -> int:
        picture = _to_height(head.picture, self.height // 2).width if head.picture else 0
        return max(picture, round(self.font.getlength(head.label))) + 2 * self.gap

    def draw(self) -> Image.Image:
        """The whole sheet."""
        x = self.gap
        for head in self.corner:
            _write(self.pen, (x, self.gap), [head.label], self.font)
            if head.picture is not None:
                picture = _to_height(head.picture, self.height // 2)
                self.canvas.paste(picture, (x, self.gap + _line(self.font)))
            x += self._corner_width(head)
        for j, head in enumerate(self.columns):
            self._draw_column_head(head, self.left + j * (self.width + self.gap))
        for i, (head, row) in enumerate(zip(self.rows, self.cells, strict=True)):
            y = self.top + i * (self.height + self.gap)
            self._draw_row_head(head, y)
            for j, cell in enumerate(row):
                self._draw_cell(cell, (self.left + j * (self.width + self.gap), y))
        return self.canvas

    def _draw_column_head(self, head: Head, x: int) -> None:
        bottom = self.top - round(0.4 * self.font.size)
        if head.picture is not None:
            bottom = self.top - self.height - self.gap
            picture = _within(head.picture, self.width, self.height)
            self.canvas.paste(picture, (x, bottom))
            bottom -= round(0.4 * self.font.size)
        lines = _wrapped(head.label, self.width, self.font)
        _write(self.pen, (x, bottom - len(lines) * _line(self.font)), lines, self.font)

    def _draw_row_head(self, head: Head, y: int) -> None:
        """A label, smaller where its lines would be higher than a cell; its picture below it."""
        picture = None if head.picture is None else self._small(head)
        high = self.height - (picture.height if picture else 0)
        room, font = self.left - 2 * self.gap, self.font
        lines = _wrapped(head.label, room, font)
        while len(lines) * _line(font) > high and font.size > 9:
            font = font.font_variant(size=font.size - 1)
            lines = _wrapped(head.label, room, font)
        if picture is None:
            y += (self.height - len(lines) * _line(font)) // 2
        _write(self.pen, (self.gap, y), lines, font)
        if picture is not None:
            self.canvas.paste(picture, (self.gap, y + self.height - picture.height))

    def _draw_cell(self, cell: Image.Image | None, place: tuple[int, int]) -> None:
        """A picture, or where there is none a marked gap."""
        if cell is not None:
            self.canvas.paste(cell, place)
            return
        (x, y), width, height = place, self.width, self.height
        box = (x, y, x + width - 1, y + height - 1)
        self.pen.rectangle(box, fill="#f2f2f2", outline="#cccccc")
        middle = (x + width / 2, y + height / 2)
        self.pen.text(middle, "missing", fill="#777777", font=self.font, anchor="mm")


def _within(image: Image.Image, width: int, height: int) -> Image.Image:
    """An image as large as a box holds it."""
    scale = min(width / image.width, height / image.height)
    size = max(1, round(scale * image.width)), max(1, round(scale * image.height))
    return image if size == image.size else image.resize(size, Image.Resampling.LANCZOS)
