"""Where the pictures of a sweep stand: panels of rows and columns, originals on the border."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from nst.errors import InputError
from nst.pictures.reading import open_image
from nst.pictures.sheets import Head
from nst.reports.findings.claims import Study
from nst.reports.sweeps import Axis, Sweep

MAX_PANELS = 12
"""Panels of a report, unless more are asked for."""
MAX_COLUMNS = 8
"""Pictures beside each other; more go on in a block below."""
_MAX_SEED_ROWS = 6


@dataclass(frozen=True)
class Line:
    """One row or column: its label, and the values of axes that all of its runs share."""

    label: str
    values: Mapping[str, str]


ONE_LINE = (Line("", {}),)
"""The rows, or the columns, where no axis stands there."""


@dataclass(frozen=True)
class Panel:
    """A grid of run indices, None where there is no run.

    Attributes:
        title: the values that all of its runs share; empty where there is one panel
        rows, columns: what stands there
        cells: a list of indices for each row
    """

    title: str
    rows: tuple[Line, ...]
    columns: tuple[Line, ...]
    cells: list[list[int | None]]

    @property
    def is_single(self) -> bool:
        """Whether it is one line of pictures, without row heads."""
        return self.rows == ONE_LINE

    def blocks(self, most: int = MAX_COLUMNS) -> list[Panel]:
        """The panel in parts of at most so many columns, about equally wide, rows repeated."""
        count = math.ceil(len(self.columns) / most)
        width = math.ceil(len(self.columns) / count)
        starts = range(0, len(self.columns), width)
        return [
            Panel(
                self.title,
                self.rows,
                self.columns[start : start + width],
                [line[start : start + width] for line in self.cells],
            )
            for start in starts
        ]


@dataclass(frozen=True)
class Layout:
    """The panels that are shown, how many there would be, and which axes stand where."""

    panels: list[Panel]
    total: int
    rows: tuple[Axis, ...]
    columns: tuple[Axis, ...]
    apart: tuple[Axis, ...]


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


def lay_out(sweep: Sweep, study: Study | None = None, most: int = MAX_PANELS) -> Layout:
    """Axes on rows and columns: the study's, else content down and style across, else the two
    slowest; of several sweeps each row comes once for each of them. Whatever else varied makes one
    panel for each combination.

    Args:
        sweep: what to show
        study: that it belongs to
        most: panels to make; :attr:`Layout.total` counts all
    """
    rows, columns, apart = _choose_axes(sweep, study)
    keys = [axis.key for axis in sweep.axes]
    runs = _first_runs(sweep, keys)
    panels = []
    for chosen in itertools.product(*(axis.values for axis in apart)):
        fixed = dict(zip((axis.key for axis in apart), chosen, strict=True))
        title = " · ".join(_title(a, v) for a, v in zip(apart, chosen, strict=True))
        lines, heads = _lines(rows), _lines(columns)
        cells = [
            [runs.get(_place({**fixed, **r.values, **c.values}, keys)) for c in heads]
            for r in lines
        ]
        if any(index is not None for line in cells for index in line):
            panels.append(_without_empty(Panel(title, lines, heads, cells)))
    return Layout(panels[:most], len(panels), rows, columns, apart)


def _choose_axes(
    sweep: Sweep, study: Study | None
) -> tuple[tuple[Axis, ...], tuple[Axis, ...], tuple[Axis, ...]]:
    """The axes of the rows, those of the columns, and the others."""
    sides, seed = sweep.axis("sweep"), sweep.axis("seed")
    axes = [axis for axis in sweep.axes if axis is not sides]
    rows = sweep.axis(study.rows) if study and study.rows else None
    columns = sweep.axis(study.columns) if study and study.columns else None
    repeats = seed if seed and seed not in (rows, columns) and _repeats(axes, study) else None
    if repeats and study and not study.rows and len(repeats.values) <= _MAX_SEED_ROWS:
        rows = repeats
    free = [axis for axis in axes if axis not in (rows, columns, repeats)]
    rows = rows or _pop(free, "content", len(axes) > 1)
    columns = columns or _pop(free, "style", True)
    if columns is None and free:
        columns = free.pop(0) if rows or len(free) == 1 else free.pop(1)
    if rows is None and free:
        rows = free.pop(0)
    if repeats and repeats is not rows:
        if rows is None and len(repeats.values) <= _MAX_SEED_ROWS:
            rows = repeats
        else:
            free.append(repeats)
    if sides and columns is None:
        columns, sides = sides, None
    down = tuple(axis for axis in (rows, sides) if axis)
    return down, (columns,) if columns else (), tuple(free)


def _repeats(axes: Sequence[Axis], study: Study | None) -> bool:
    """Whether seeds repeat an experiment, rather than being what it is about."""
    return "seed" not in study.axes if study else len(axes) > 2


def _pop(axes: list[Axis], key: str, wanted: bool) -> Axis | None:
    """Take the axis of that key out of a list, if it is wanted and there."""
    axis = next((axis for axis in axes if axis.key == key and wanted), None)
    if axis:
        axes.remove(axis)
    return axis


def _title(axis: Axis, value: str) -> str:
    name = axis.name(value)
    return name if name.startswith(axis.label) else f"{axis.label} {name}"


def _lines(axes: Sequence[Axis]) -> tuple[Line, ...]:
    """A line for each combination of values; without axes one for all runs."""
    return tuple(
        Line(
            " · ".join(axis.name(value) for axis, value in zip(axes, values, strict=True)),
            {axis.key: value for axis, value in zip(axes, values, strict=True)},
        )
        for values in itertools.product(*(axis.values for axis in axes))
    )


def _first_runs(sweep: Sweep, keys: Sequence[str]) -> dict[tuple[str, ...], int]:
    """{values of all axes: the first run that has them}."""
    places = sweep.runs[list(keys)].itertuples(index=False, name=None)
    pairs = list(zip(places, sweep.runs.index, strict=True))
    return {place: int(index) for place, index in reversed(pairs)}


def _place(values: Mapping[str, str], keys: Sequence[str]) -> tuple[str, ...]:
    return tuple(values[key] for key in keys)


def _without_empty(panel: Panel) -> Panel:
    """A panel less the columns and rows that other panels have and this one has no run of.

    Rows of sweeps side by side stay: a gap says that one of them has no such run.
    """
    sides = any("sweep" in row.values for row in panel.rows)
    across = [
        j for j in range(len(panel.columns)) if any(line[j] is not None for line in panel.cells)
    ]
    down = [i for i, line in enumerate(panel.cells) if sides or any(c is not None for c in line)]
    return Panel(
        panel.title,
        tuple(panel.rows[i] for i in down),
        tuple(panel.columns[j] for j in across),
        [[panel.cells[i][j] for j in across] for i in down],
    )


def originals(sweep: Sweep, panel: Panel) -> Border:
    """Heads of rows, columns and corner, with the originals where they belong."""
    transposed = [list(column) for column in zip(*panel.cells, strict=True)]
    border = Border(
        _heads(sweep, panel.rows, panel.cells), _heads(sweep, panel.columns, transposed)
    )
    everywhere = [index for line in panel.cells for index in line]
    for key in ("content", "style"):
        is_placed = any(key in line.values for line in (*panel.rows, *panel.columns))
        picture = None if is_placed else _original(sweep, key, everywhere)
        if picture is not None:
            border.corner.append(Head(key, picture))
    return border


def _heads(sweep: Sweep, lines: Sequence[Line], runs: Sequence[Sequence[int | None]]) -> list[Head]:
    """A head for each line of runs."""
    heads = []
    for line, indices in zip(lines, runs, strict=True):
        key = next((key for key in ("content", "style") if key in line.values), None)
        heads.append(Head(line.label, _original(sweep, key, indices) if key else None))
    return heads


def _original(sweep: Sweep, key: str, indices: Sequence[int | None]) -> Image.Image | None:
    """The content or style image of the first of these runs that has one."""
    for index in indices:
        if index is not None and (picture := _open(sweep.folder(index) / f"{key}.png")):
            return picture
    return None


def _open(file: Path) -> Image.Image | None:
    """An image; None where there is none that can be read."""
    try:
        return open_image(file)
    except InputError:
        return None


def result(sweep: Sweep, index: int) -> Image.Image | None:
    """The picture that one run made; None where it cannot be read."""
    return _open(sweep.folder(index) / "image.png")


def another_size(sweep: Sweep, index: int, picture: Image.Image) -> str | None:
    """That a run's picture has not the size that its record says; None where it has."""
    width, height = sweep.value(index, "width"), sweep.value(index, "height")
    if width is None or height is None or picture.size == (int(width), int(height)):
        return None
    has = f"{picture.width} × {picture.height}"
    return f"its image.png has {has} pixels, where its record says {int(width)} × {int(height)}"


def note(sweep: Sweep, index: int) -> str:
    """PSNR of a reconstruction, which is meant to be its content; empty for other runs."""
    value = sweep.value(index, "psnr")
    if value is None or sweep.value(index, "task") != "content":
        return ""
    return f"{value:.1f} dB"
