"""Labelled sheets of pictures, side by side."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

_BACKGROUND, _INK = "white", "#222222"


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
