"""Where the pictures of a sweep stand: panels of rows and columns, originals on the border."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from nst.pictures.sheets import Head, contact_sheet, grid
from nst.reports.findings.studies import Study
from nst.reports.sweeps import Axis, Sweep, short

_MAX_PANELS = 12
_WRAP = 6  # pictures beside each other where there is one line of them


@dataclass(frozen=True)
class Panel:
    """One contact sheet: rows and columns of run indices, None where a run is missing."""

    title: str
    rows: Axis | None
    columns: Axis | None
    cells: list[list[int | None]]


@dataclass
class Border:
    """What stands around a panel's pictures: labels, with the originals where they belong.

    Attributes:
        rows, columns: a head for each
        corner: originals that belong to every picture
    """

    rows: list[Head] = field(default_factory=list)
    columns: list[Head] = field(default_factory=list)
    corner: list[Head] = field(default_factory=list)


def lay_out(sweep: Sweep, study: Study | None = None) -> list[Panel]:
    """Axes on rows and columns: the study's, else content down and style across, else the two
    slowest; whatever else varied makes one panel for each combination.
    """
    rows, columns, free = _choose_axes(sweep, study)
    panels = []
    for chosen in itertools.product(*(axis.values for axis in free)):
        fixed = dict(zip((axis.key for axis in free), chosen, strict=True))
        title = " · ".join(f"{a.label} {short(v)}" for a, v in zip(free, chosen, strict=True))
        cells = _cells(sweep, rows, columns, fixed)
        if any(index is not None for line in cells for index in line):
            panels.append(Panel(title, rows, columns, cells))
    return panels[:_MAX_PANELS]


def _choose_axes(sweep: Sweep, study: Study | None) -> tuple[Axis | None, Axis | None, list[Axis]]:
    """The axis of the rows, that of the columns, and the others."""
    axes = list(sweep.axes)
    rows = sweep.axis(study.rows) if study and study.rows else None
    columns = sweep.axis(study.columns) if study and study.columns else None
    rows = rows or (sweep.axis("content") if len(axes) > 1 else None)
    columns = columns or sweep.axis("style")
    free = [axis for axis in axes if axis not in (rows, columns)]
    if columns is None and free:
        columns = free.pop(0) if rows or len(free) == 1 else free.pop(1)
    if rows is None and free:
        rows = free.pop(0)
    return rows, columns, free


def _cells(
    sweep: Sweep, rows: Axis | None, columns: Axis | None, fixed: Mapping[str, str]
) -> list[list[int | None]]:
    def find(**values: str) -> int | None:
        chosen = sweep.runs
        for key, value in {**fixed, **values}.items():
            chosen = chosen[chosen[key] == value]
        return None if chosen.empty else int(chosen.index[0])

    return [
        [
            find(
                **({rows.key: r} if rows and r is not None else {}),
                **({columns.key: c} if columns and c is not None else {}),
            )
            for c in (columns.values if columns else (None,))
        ]
        for r in (rows.values if rows else (None,))
    ]


def originals(sweep: Sweep, panel: Panel) -> Border:
    """Heads of rows, columns and corner, with the originals where they belong."""
    transposed = [list(column) for column in zip(*panel.cells, strict=True)]
    border = Border(
        _heads(sweep, panel.rows, panel.cells), _heads(sweep, panel.columns, transposed)
    )
    placed = {axis.key for axis in (panel.rows, panel.columns) if axis}
    everywhere = [index for line in panel.cells for index in line]
    for key in ("content", "style"):
        picture = None if key in placed else _original(sweep, key, everywhere)
        if picture is not None:
            border.corner.append(Head(key, picture))
    return border


def _heads(sweep: Sweep, axis: Axis | None, lines: Sequence[Sequence[int | None]]) -> list[Head]:
    """A head for each line of runs."""
    if axis is None:
        return [Head("") for _ in lines]
    pictured = axis.key in ("content", "style")
    return [
        Head(axis.name(value), _original(sweep, axis.key, line) if pictured else None)
        for value, line in zip(axis.values, lines, strict=True)
    ]


def _original(sweep: Sweep, key: str, indices: Sequence[int | None]) -> Image.Image | None:
    """The content or style image of the first of these runs that has one."""
    for index in indices:
        if index is not None and (file := sweep.folder(index) / f"{key}.png").is_file():
            return _open(file)
    return None


def _open(file: Path) -> Image.Image:
    with Image.open(file) as image:
        return image.convert("RGB")


def result(sweep: Sweep, index: int) -> Image.Image:
    """The picture that one run made."""
    return _open(sweep.folder(index) / "image.png")


def panel_sheet(sweep: Sweep, panel: Panel) -> Image.Image:
    """A panel as one picture."""
    border = originals(sweep, panel)
    cells = [[None if i is None else result(sweep, i) for i in line] for line in panel.cells]
    tallest = max(c.height for line in cells for c in line if c)
    count = sum(len(line) for line in cells)
    height = min(max(tallest, 160), 256) if count <= 36 else 128
    if panel.rows is not None:
        return contact_sheet(
            border.rows, border.columns, cells, corner=border.corner, height=height
        )
    line = [(h.label, h.picture) for h in border.corner if h.picture is not None]
    line += [
        (_with_note(sweep, head.label, index), image)
        for head, image, index in zip(border.columns, cells[0], panel.cells[0], strict=True)
        if image is not None
    ]
    return grid([line[i : i + _WRAP] for i in range(0, len(line), _WRAP)], height)


def _with_note(sweep: Sweep, label: str, index: int | None) -> str:
    return label if index is None else f"{label}  {note(sweep, index)}".rstrip()


def note(sweep: Sweep, index: int) -> str:
    """PSNR of a reconstruction, which is meant to be its content; empty for other runs."""
    value = sweep.value(index, "psnr")
    if value is None or sweep.value(index, "task") != "content":
        return ""
    return f"{value:.1f} dB"
