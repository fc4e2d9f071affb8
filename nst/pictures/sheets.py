"""Labelled sheets of pictures, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

_BACKGROUND, _INK = "white", "#222222"

Font = ImageFont.FreeTypeFont


def sheet(pictures: Sequence[tuple[str, Image.Image]], height: int | None = None) -> Image.Image:
    """Pictures in a row, all of one height, each with its label above.

    Args:
        pictures: (label, RGB image); at least one
        height: of the pictures in pixels; None: the last picture's own
    """
    height = height or pictures[-1][1].height
    font_size = max(11, min(22, height // 16))
    font = ImageFont.load_default(font_size)
    gap, head = max(6, height // 40), round(font_size * 1.8)
    cells = [(label, _to_height(image, height)) for label, image in pictures]
    widths = [max(image.width, round(font.getlength(label)) + 2) for label, image in cells]
    width = sum(widths) + gap * (len(cells) + 1)
    canvas = Image.new("RGB", (width, height + head + gap), _BACKGROUND)
    draw = ImageDraw.Draw(canvas)
    x = gap
    for (label, image), cell_width in zip(cells, widths, strict=True):
        draw.text((x, (head - font_size) / 2 - 1), label, fill=_INK, font=font)
        canvas.paste(image, (x, head))
        x += cell_width + gap
    return canvas


def grid(rows: Sequence[Sequence[tuple[str, Image.Image]]], height: int) -> Image.Image:
    """Rows of labelled pictures, one above the other, every picture ``height`` pixels high."""
    strips = [sheet(row, height) for row in rows]
    canvas = Image.new(
        "RGB", (max(s.width for s in strips), sum(s.height for s in strips)), _BACKGROUND
    )
    y = 0
    for strip in strips:
        canvas.paste(strip, (0, y))
        y += strip.height
    return canvas


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
    height: int = 160,
) -> Image.Image:
    """Pictures in rows and columns, the originals on the border; None leaves a marked gap.

    Args:
        rows, columns: what each stands for
        cells: a list of pictures for each row
        corner: originals that belong to every cell
        height: of a picture, in pixels
    """
    font = ImageFont.load_default(max(11, min(20, height // 11)))
    assert isinstance(font, Font)  # Pillow has FreeType
    line, gap = round(font.size * 1.5), max(4, height // 40)
    sized = [[None if c is None else _to_height(c, height) for c in row] for row in cells]
    width = max((c.width for row in sized for c in row if c), default=height)
    left = _border_width(rows, corner, height, font) + gap
    top = _border_height(columns, corner, height, line, gap)
    size = (left + len(columns) * (width + gap), top + len(rows) * (height + gap))
    canvas = Image.new("RGB", size, _BACKGROUND)
    draw = ImageDraw.Draw(canvas)
    _draw_corner(canvas, draw, corner, height, font)
    for j, head in enumerate(columns):
        place = left + j * (width + gap), top
        _draw_column_head(canvas, draw, head, place, (width, height), gap, font)
    for i, (head, row) in enumerate(zip(rows, sized, strict=True)):
        y = top + i * (height + gap)
        _draw_row_head(canvas, draw, head, (0, y), (left - gap, height), font)
        for j, cell in enumerate(row):
            _draw_cell(canvas, draw, cell, (left + j * (width + gap), y), (width, height), font)
    return canvas


def _border_width(rows: Sequence[Head], corner: Sequence[Head], height: int, font: Font) -> int:
    widths = [round(font.getlength(head.label)) + 8 for head in rows]
    widths += [_to_height(head.picture, round(0.8 * height)).width for head in rows if head.picture]
    beside = sum(_corner_width(head, height, font) for head in corner)
    return max(min(max(widths, default=0), 2 * height), beside)


def _border_height(
    columns: Sequence[Head], corner: Sequence[Head], height: int, line: int, gap: int
) -> int:
    top = line + (height + gap if any(head.picture for head in columns) else 0) + gap
    return max(top, line + height // 2 + 2 * gap) if corner else top


def _corner_width(head: Head, height: int, font: Font) -> int:
    picture = 0 if head.picture is None else _to_height(head.picture, height // 2).width
    return max(picture, round(font.getlength(head.label))) + 6


def _within(image: Image.Image, width: int, height: int) -> Image.Image:
    copy = image.copy()
    copy.thumbnail((width, height), Image.Resampling.LANCZOS)
    return copy


def _cut(label: str, width: int, font: Font) -> str:
    """A label that fits, with an ellipsis where it does not."""
    if font.getlength(label) <= width:
        return label
    while label and font.getlength(label + "…") > width:
        label = label[:-1]
    return label + "…"


def _draw_corner(
    canvas: Image.Image, draw: ImageDraw.ImageDraw, corner: Sequence[Head], height: int, font: Font
) -> None:
    x = 0
    for head in corner:
        draw.text((x + 1, 1), head.label, fill=_INK, font=font)
        if head.picture is not None:
            canvas.paste(_to_height(head.picture, height // 2), (x, round(font.size * 1.4)))
        x += _corner_width(head, height, font)


def _draw_column_head(
    canvas: Image.Image,
    draw: ImageDraw.ImageDraw,
    head: Head,
    place: tuple[int, int],
    size: tuple[int, int],
    gap: int,
    font: Font,
) -> None:
    """A head above the column of cells of this (width, height) whose first stands at the place."""
    (x, y), (width, height) = place, size
    line = round(font.size * 1.5)
    if head.picture is not None:
        canvas.paste(_within(head.picture, width, height), (x, y - height - 2 * gap))
        draw.text((x, y - height - line - gap), head.label, fill=_INK, font=font)
    else:
        draw.text((x, y - line), _cut(head.label, width, font), fill=_INK, font=font)


def _draw_row_head(
    canvas: Image.Image,
    draw: ImageDraw.ImageDraw,
    head: Head,
    place: tuple[int, int],
    size: tuple[int, int],
    font: Font,
) -> None:
    x, y = place
    if head.picture is not None:
        picture = _within(head.picture, size[0], size[1] - round(font.size * 1.5))
        canvas.paste(picture, (x, y + round(font.size * 1.4)))
        draw.text((x + 2, y), _cut(head.label, size[0], font), fill=_INK, font=font)
    else:
        middle = y + (size[1] - font.size) / 2
        draw.text((x + 2, middle), _cut(head.label, size[0], font), fill=_INK, font=font)


def _draw_cell(
    canvas: Image.Image,
    draw: ImageDraw.ImageDraw,
    cell: Image.Image | None,
    place: tuple[int, int],
    size: tuple[int, int],
    font: Font,
) -> None:
    """A picture, or where there is none a marked gap of this (width, height)."""
    if cell is not None:
        canvas.paste(cell, place)
        return
    x, y = place
    draw.rectangle((x, y, x + size[0] - 1, y + size[1] - 1), fill="#f2f2f2", outline="#cccccc")
    middle = (x + size[0] / 2, y + size[1] / 2)
    draw.text(middle, "missing", fill="#999999", font=font, anchor="mm")
