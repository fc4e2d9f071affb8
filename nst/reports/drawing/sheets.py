"""Contact sheets for print: labels are text, and pictures keep every pixel that was made."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from nst.pictures.sheets import Head
from nst.reports.drawing.style import LIMIT, PAGE, SMALL, house_style
from nst.reports.drawing.text import plain, text_width, wrapped

_GAP, _LINE = 0.06, 0.125  # inches
_WIDEST, _BORDER = 2.2, 0.9  # inches: of a picture, and of a row's label
_WRAP = 6  # pictures beside each other where there is one line of them

Cells = Sequence[Sequence[Image.Image | None]]


def sheet_figure(
    rows: Sequence[Head],
    columns: Sequence[Head],
    cells: Cells,
    *,
    corner: Sequence[Head] = (),
    width: float = PAGE,
) -> Figure:
    """Pictures in rows and columns, the originals on the border; None leaves a marked gap.

    Every picture is embedded with the pixels that it has. One row without a label is broken into
    lines of up to six, the originals first.

    Args:
        rows, columns: what each stands for
        cells: a list of pictures for each row
        corner: originals that belong to every cell
        width: in inches, at most; a sheet is narrower where its pictures are few, or where it
            would be higher than a page
    """
    is_bare = len(rows) == 1 and not (rows[0].label or rows[0].picture)
    if is_bare and not any(head.picture for head in columns):
        return _in_lines(columns, cells[0], corner, width)
    grid = _Grid(rows, columns, cells, corner, width)
    with house_style():
        page = _Page(*grid.size)
        grid.draw(page)
    return page.figure


class _Page:
    """A figure that is drawn on in inches, from its upper left corner."""

    def __init__(self, width: float, height: float):
        self.figure = Figure(figsize=(width, height))
        self.axes: Axes = self.figure.add_axes((0, 0, 1, 1))
        self.axes.set_axis_off()
        self.axes.set(xlim=(0, width), ylim=(height, 0), autoscale_on=False)

    def picture(self, image: Image.Image, x: float, y: float, width: float, height: float) -> None:
        """An image as large as a box of this size holds it, in its upper left corner."""
        scale = min(width / image.width, height / image.height)
        right, bottom = x + scale * image.width, y + scale * image.height
        limits = self.axes.get_xlim(), self.axes.get_ylim()
        self.axes.imshow(
            np.asarray(image.convert("RGB")),
            extent=(x, right, bottom, y),
            aspect="auto",
            interpolation="none",
        )
        self.axes.set(xlim=limits[0], ylim=limits[1])

    def gap(self, x: float, y: float, width: float, height: float) -> None:
        """What stands where there is no picture."""
        self.axes.fill([x, x + width, x + width, x], [y, y, y + height, y + height], "#eeeeee")
        size = min(SMALL, SMALL * 0.9 * width / text_width("missing"))
        self.axes.text(
            x + width / 2, y + height / 2, "missing", color="#777777", fontsize=size,
            ha="center", va="center",
        )  # fmt: skip

    def label(
        self, text: str, x: float, y: float, room: float, high: float = LIMIT, **settings: Any
    ) -> None:
        """A text in lines of at most this width, smaller where they would be higher than this."""
        for size in (SMALL, 6.0, 5.0, 4.0):
            lines = wrapped(text, room, size)
            if (1 + lines.count("\n")) * _LINE * size / SMALL <= high:
                break
        self.axes.text(x, y, plain(lines), fontsize=size, linespacing=1.1, **settings)


def _lines(heads: Sequence[Head], room: float) -> float:
    """The height that the labels take."""
    counts = [1 + wrapped(head.label, room).count("\n") for head in heads if head.label]
    return _LINE * max(counts, default=0)


def _shape(pictures: Sequence[Image.Image | None]) -> float:
    """Height over width of a box: the widest picture fills it, so that all are equally high."""
    return min((image.height / image.width for image in pictures if image), default=1.0)


class _Grid:
    """Where everything stands; all in inches."""

    def __init__(
        self,
        rows: Sequence[Head],
        columns: Sequence[Head],
        cells: Cells,
        corner: Sequence[Head],
        width: float,
    ):
        self.rows, self.columns, self.cells, self.corner = rows, columns, cells, corner
        every = [*(c for line in cells for c in line), *(head.picture for head in columns)]
        self.shape = _shape(every)
        self.border = max(map(self._border, rows), default=0.0)
        low, high = 0.1, _WIDEST
        for _ in range(24):  # the widest cells with which everything fits
            self.cell = (low + high) / 2
            fits = self.size[0] <= width and self.size[1] <= LIMIT
            low, high = (self.cell, high) if fits else (low, self.cell)
        self.cell = low

    @staticmethod
    def _border(head: Head) -> float:
        if head.picture is not None:
            return _BORDER
        return min(_BORDER, text_width(head.label) + _GAP) if head.label else 0.0

    @property
    def high(self) -> float:
        """Of a cell."""
        return self.cell * self.shape

    @property
    def left(self) -> float:
        """Where the cells begin."""
        originals = sum(self._corner_width(head) for head in self.corner)
        return _GAP + max(self.border, originals)

    @property
    def top(self) -> float:
        """Where the cells begin."""
        above = _lines(self.columns, self.cell)
        above += self.high if any(head.picture for head in self.columns) else 0
        originals = _LINE + self.high / 2 if self.corner else 0
        return 2 * _GAP + max(above, originals)

    @property
    def size(self) -> tuple[float, float]:
        """Of the figure."""
        return (
            self.left + len(self.columns) * (self.cell + _GAP),
            self.top + len(self.rows) * (self.high + _GAP),
        )

    def _corner_width(self, head: Head) -> float:
        picture = head.picture
        wide = self.high / 2 * picture.width / picture.height if picture else 0
        return max(wide, text_width(head.label)) + _GAP

    def draw(self, page: _Page) -> None:
        """Everything, on a page of this grid's size."""
        x = _GAP
        for head in self.corner:
            page.label(head.label, x, _GAP, 9, va="top")
            wide = self._corner_width(head)
            if head.picture is not None:
                page.picture(head.picture, x, _GAP + _LINE, wide, self.high / 2)
            x += wide
        for j, head in enumerate(self.columns):
            x, y = self.left + j * (self.cell + _GAP), self.top - _GAP / 2
            if head.picture is not None:
                y -= self.high + _GAP / 2
                page.picture(head.picture, x, y, self.cell, self.high)
                y -= _GAP / 2
            page.label(head.label, x + self.cell / 2, y, self.cell, va="bottom", ha="center")
        for i, (head, line) in enumerate(zip(self.rows, self.cells, strict=True)):
            y = self.top + i * (self.high + _GAP)
            self._draw_row_head(page, head, y)
            for j, cell in enumerate(line):
                box = self.left + j * (self.cell + _GAP), y, self.cell, self.high
                page.gap(*box) if cell is None else page.picture(cell, *box)

    def _draw_row_head(self, page: _Page, head: Head, y: float) -> None:
        room = self.left - 2 * _GAP
        if head.picture is None:
            page.label(head.label, _GAP, y + self.high / 2, room, self.high + _GAP, va="center")
            return
        lines = _lines([head], room)
        page.label(head.label, _GAP, y, room, va="top")
        page.picture(head.picture, _GAP, y + lines, room, max(0.2, self.high - lines))


def _in_lines(
    columns: Sequence[Head],
    cells: Sequence[Image.Image | None],
    corner: Sequence[Head],
    width: float,
) -> Figure:
    """One row of pictures, in lines of equally many."""
    items: list[tuple[str, Image.Image | None]]
    items = [(head.label, head.picture) for head in corner if head.picture is not None]
    items += [(head.label, cell) for head, cell in zip(columns, cells, strict=True)]
    count = math.ceil(len(items) / math.ceil(len(items) / _WRAP))
    shape = _shape([picture for _, picture in items])
    lines = [items[i : i + count] for i in range(0, len(items), count)]
    cell = min(_WIDEST, (width - _GAP) / count - _GAP)
    cell = min(cell, ((LIMIT - _GAP) / len(lines) - 3 * _LINE) / shape)
    heights = [_lines([Head(label) for label, _ in line], cell) for line in lines]
    step = cell * shape + 1.5 * _GAP
    with house_style():
        page = _Page(count * (cell + _GAP) + _GAP, sum(heights) + len(lines) * step + _GAP)
        y = _GAP
        for line, above in zip(lines, heights, strict=True):
            y += above
            for j, (label, picture) in enumerate(line):
                box = _GAP + j * (cell + _GAP), y + _GAP / 2, cell, cell * shape
                page.label(label, box[0] + cell / 2, y, cell, va="bottom", ha="center")
                page.gap(*box) if picture is None else page.picture(picture, *box)
            y += step
    return page.figure
