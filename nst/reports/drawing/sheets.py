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
_LEAST = 4.0  # points: of labels that have little room
_WIDEST, _BORDER = 2.2, 0.9  # inches: of a picture, and of a row's label
_TALLEST = 1.3  # inches: of upright labels
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

    def picture(
        self, image: Image.Image, x: float, y: float, width: float, height: float, at: float = 0.5
    ) -> None:
        """An image as large as a box of this size holds it, at its top, from left (0) to right."""
        scale = min(width / image.width, height / image.height)
        x += at * (width - scale * image.width)
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
        lines, size = _fitted(text, room, high)
        self.axes.text(x, y, plain(lines), fontsize=size, linespacing=1.1, **settings)


def _fitted(text: str, room: float, high: float) -> tuple[str, float]:
    """A text in lines of at most this width, and the size in points at which it is so high."""
    for size in (SMALL, 6.0, 5.0, _LEAST):
        lines = wrapped(text, room, size)
        if _high(lines, size) <= high:
            break
    return lines, size


def _high(lines: str, size: float = SMALL) -> float:
    """Height of lines of text, in inches."""
    return (1 + lines.count("\n")) * _LINE * size / SMALL if lines else 0.0


class _ColumnLabels:
    """Labels above the cells: as wide as these, or upright where they would take many lines."""

    def __init__(self, heads: Sequence[Head], cell: float):
        self.cell = cell
        self.lying = [wrapped(head.label, cell) for head in heads]
        self.upright = max((text.count("\n") for text in self.lying), default=0) > 4
        self.fitted = [_fitted(head.label, _TALLEST, cell) for head in heads]

    @property
    def high(self) -> float:
        """Inches."""
        if self.upright:
            return max(text_width(text, size) for text, size in self.fitted) + _GAP
        return max(map(_high, self.lying), default=0.0)

    def draw(self, page: _Page, number: int, left: float, bottom: float) -> None:
        """The label of one column whose cells begin at ``left``."""
        place = left + self.cell / 2, bottom
        lines, size = self.fitted[number] if self.upright else (self.lying[number], SMALL)
        angle = 90 if self.upright else 0
        page.axes.text(
            *place, plain(lines), fontsize=size, rotation=angle, linespacing=1.1, ha="center",
            va="bottom",
        )  # fmt: skip


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
        self.widest = min(_BORDER, width / 4)
        self.border = max(map(self._border, rows), default=0.0)
        low, high = 0.03, _WIDEST
        for _ in range(24):  # the widest cells with which everything fits
            self.cell = (low + high) / 2
            fits = self.size[0] <= width and self.size[1] <= LIMIT
            low, high = (self.cell, high) if fits else (low, self.cell)
        self.cell = low

    def _border(self, head: Head) -> float:
        if head.picture is not None:
            return self.widest
        return min(self.widest, text_width(head.label) + _GAP) if head.label else 0.0

    @property
    def high(self) -> float:
        """Of a cell."""
        return self.cell * self.shape

    @property
    def step(self) -> float:
        """From one row to the next: its pictures, or its label at its smallest."""
        room = self.left - 2 * _GAP
        heads = [
            _high(wrapped(head.label, room, _LEAST), _LEAST) + (_LINE if head.picture else 0)
            for head in self.rows
        ]
        return max([self.high, *heads]) + _GAP

    @property
    def left(self) -> float:
        """Where the cells begin."""
        originals = sum(self._corner_width(head) for head in self.corner)
        return _GAP + max(self.border, originals)

    @property
    def top(self) -> float:
        """Where the cells begin."""
        above = _ColumnLabels(self.columns, self.cell).high
        above += self.high if any(head.picture for head in self.columns) else 0
        originals = _LINE + self.high / 2 if self.corner else 0
        return 2 * _GAP + max(above, originals)

    @property
    def size(self) -> tuple[float, float]:
        """Of the figure."""
        return (
            self.left + len(self.columns) * (self.cell + _GAP),
            self.top + len(self.rows) * self.step,
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
                page.picture(head.picture, x, _GAP + _LINE, wide, self.high / 2, 0)
            x += wide
        labels = _ColumnLabels(self.columns, self.cell)
        for j, head in enumerate(self.columns):
            x, y = self.left + j * (self.cell + _GAP), self.top - _GAP / 2
            if head.picture is not None:
                y -= self.high + _GAP / 2
                page.picture(head.picture, x, y, self.cell, self.high)
                y -= _GAP / 2
            labels.draw(page, j, x, y)
        for i, (head, line) in enumerate(zip(self.rows, self.cells, strict=True)):
            y = self.top + i * self.step
            self._draw_row_head(page, head, y)
            for j, cell in enumerate(line):
                box = self.left + j * (self.cell + _GAP), y, self.cell, self.high
                page.gap(*box) if cell is None else page.picture(cell, *box)

    def _draw_row_head(self, page: _Page, head: Head, y: float) -> None:
        room, high = self.left - 2 * _GAP, self.step - _GAP
        if head.picture is None:
            page.label(head.label, _GAP, y + high / 2, room, high, va="center")
            return
        allowed = max(high / 2, high - self.high)
        above = _high(*_fitted(head.label, room, allowed))
        page.label(head.label, _GAP, y, room, allowed, va="top")
        page.picture(head.picture, _GAP, y + above, room, high - above, 0)


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
    labels = [_ColumnLabels([Head(label) for label, _ in line], cell) for line in lines]
    heights = [each.high for each in labels]
    step = cell * shape + 1.5 * _GAP
    with house_style():
        page = _Page(count * (cell + _GAP) + _GAP, sum(heights) + len(lines) * step + _GAP)
        y = _GAP
        for line, names in zip(lines, labels, strict=True):
            y += names.high
            for j, (_, picture) in enumerate(line):
                box = _GAP + j * (cell + _GAP), y + _GAP / 2, cell, cell * shape
                names.draw(page, j, box[0], y)
                page.gap(*box) if picture is None else page.picture(picture, *box)
            y += step
    return page.figure
