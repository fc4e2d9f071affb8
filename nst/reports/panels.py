"""A panel as a contact sheet: one picture for a screen, and a PDF for print."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure
from PIL import Image, ImageDraw

from nst.pictures.sheets import Head, contact_sheet, grid, suitable_height
from nst.reports.drawing.sheets import sheet_figure
from nst.reports.drawing.style import house_style
from nst.reports.layout import Panel, note, originals, result
from nst.reports.sweeps import Sweep

_WRAP = 6  # pictures beside each other where there is one line of them
_UNKNOWN, _LARGEST = 128, 512  # pixels: the side of a picture that cannot be read
_LARGE, _SMALL = 36, 128  # runs of a panel above which its pictures are so high, in pixels


def panel_sheet(sweep: Sweep, panel: Panel) -> Image.Image:
    """A panel as one picture, its blocks below each other."""
    if panel.is_single:
        heads, pictures = _one_line(sweep, panel)
        labelled = [(h.label, p) for h, p in zip(heads, pictures, strict=True) if p is not None]
        return grid([labelled[i : i + _WRAP] for i in range(0, len(labelled), _WRAP)])
    blocks = panel.blocks()
    cells = [_pictures(sweep, block) for block in blocks]
    every = [picture for block in cells for line in block for picture in line if picture]
    lines = [[picture for picture in line if picture] for line in cells[0]]
    height = _SMALL if len(every) > _LARGE else suitable_height(lines)
    sheets = []
    for block, of_block in zip(blocks, cells, strict=True):
        border = originals(sweep, block)
        sheets.append(
            contact_sheet(
                border.rows, border.columns, of_block, corner=border.corner, height=height
            )
        )
    return _stacked(sheets)


def _one_line(sweep: Sweep, panel: Panel) -> tuple[list[Head], list[Image.Image | None]]:
    """The originals and the pictures of a panel without rows, each with its label."""
    border, indices = originals(sweep, panel), panel.cells[0]
    heads = [Head(head.label) for head in border.corner]
    heads += [
        Head(_noted(sweep, head.label, index))
        for head, index in zip(border.columns, indices, strict=True)
    ]
    return heads, [*(head.picture for head in border.corner), *_pictures(sweep, panel)[0]]


def _noted(sweep: Sweep, label: str, index: int | None) -> str:
    return label if index is None else f"{label}  {note(sweep, index)}".strip()


def _pictures(sweep: Sweep, block: Panel) -> list[list[Image.Image | None]]:
    return [[None if i is None else _picture(sweep, i) for i in line] for line in block.cells]


def _picture(sweep: Sweep, index: int) -> Image.Image:
    """The picture of a run, grey where it cannot be read."""
    picture = result(sweep, index)
    if picture is not None:
        return picture
    width, height = (sweep.value(index, side) or _UNKNOWN for side in ("width", "height"))
    size = [min(max(int(side), 1), _LARGEST) for side in (width, height)]
    grey = Image.new("RGB", (size[0], size[1]), "#e0e0e0")
    ImageDraw.Draw(grey).text((size[0] / 2, size[1] / 2), "no picture", fill="#555555", anchor="mm")
    return grey


def _stacked(sheets: Sequence[Image.Image]) -> Image.Image:
    size = (max(sheet.width for sheet in sheets), sum(sheet.height for sheet in sheets))
    whole, y = Image.new("RGB", size, "white"), 0
    for sheet in sheets:
        whole.paste(sheet, (0, y))
        y += sheet.height
    return whole


def panel_figures(sweep: Sweep, panel: Panel) -> list[Figure]:
    """A panel for print: a page for each of its blocks; pictures keep every pixel."""
    if panel.is_single:
        heads, pictures = _one_line(sweep, panel)
        return [sheet_figure([Head("")], heads, [pictures])]
    figures = []
    for block in panel.blocks():
        border = originals(sweep, block)
        figures.append(
            sheet_figure(border.rows, border.columns, _pictures(sweep, block), corner=border.corner)
        )
    return figures


def save_pages(figures: Sequence[Figure], file: Path) -> None:
    """Figures as the pages of one PDF; the same figures give the same bytes."""
    with house_style(), PdfPages(file, metadata={"CreationDate": None}) as pages:
        for figure in figures:
            pages.savefig(figure)
