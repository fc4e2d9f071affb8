"""What stands for what: colours, markers and dashes of an axis' values, and their legends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.legend import Legend
from matplotlib.lines import Line2D

from nst.reports.drawing.style import CATEGORIES, DASHES, MARKERS, colors
from nst.reports.drawing.text import plain, wrapped
from nst.reports.order import is_ordered
from nst.reports.sweeps import Axis

INK = "#444444"
"""Of what a legend shows whose colour means nothing."""

_BESIDE = 5.0  # inches: from this width on there is room beside the plot
_GAP = 0.06  # inches between legends
_COLORED = 7  # as many categories have a colour of their own


@dataclass(frozen=True)
class Look:
    """How one value is drawn."""

    color: Any
    marker: str
    dash: Any


def looks(axis: Axis) -> dict[str, Look]:
    """A look for each value: from dark to light in their order, else colours told apart.

    From the eighth category on colours come again, with another marker and dash.
    """
    count = len(axis.values)
    if is_ordered(axis):
        return {
            value: Look(color, MARKERS[i % len(MARKERS)], "-")
            for i, (value, color) in enumerate(zip(axis.values, colors(count), strict=True))
        }
    return {
        value: Look(
            CATEGORIES[i % _COLORED], MARKERS[(i + i // _COLORED) % len(MARKERS)],
            DASHES[i // _COLORED % len(DASHES)],
        )
        for i, value in enumerate(axis.values)
    }  # fmt: skip


@dataclass(frozen=True)
class Key:
    """One legend.

    Attributes:
        title: names the axis
        entries: (label, how it is drawn)
    """

    title: str
    entries: Sequence[tuple[str, Line2D]]


def key_of(axis: Axis, **settings: Any) -> Key:
    """The legend of an axis: its looks, with these settings of a line in place of the looks'."""
    entries = []
    for (_, look), label in zip(looks(axis).items(), axis.labels, strict=True):
        drawn = {"color": look.color, "marker": look.marker, "linestyle": look.dash} | settings
        entries.append((label, Line2D([], [], **drawn)))
    return Key(axis.label, entries)


def add_legends(figure: Figure, keys: Sequence[Key]) -> None:
    """Legends beside the plot where the figure is wide, else below it; a figure below grows.

    Args:
        figure: with constrained layout, and without legends
        keys: one for each legend; none adds nothing
    """
    if not keys:
        return
    width, height = figure.get_size_inches()
    beside = [_legend(figure, key, 1, 0.3 * width) for key in keys]
    sizes = [_size(legend) for legend in beside]
    fits = sum(h + _GAP for _, h in sizes) <= height
    if width >= _BESIDE and fits:
        left = 1 - (max(w for w, _ in sizes) + _GAP) / width
        _keep(figure, (0, 0, left - _GAP / width, 1))
        top = 1 - _GAP / height
        for legend, (_, high) in zip(beside, sizes, strict=True):
            _place(legend, left, top)
            top -= (high + _GAP) / height
        return
    for legend in beside:
        legend.remove()
    _add_below(figure, keys)


def _add_below(figure: Figure, keys: Sequence[Key]) -> None:
    """Legends in lines below what is drawn, which keeps its height."""
    width, height = figure.get_size_inches()
    legends = [_widest(figure, key, width - 2 * _GAP) for key in keys]
    places, x, y, line = [], _GAP, _GAP, 0.0
    for legend in legends:
        wide, high = _size(legend)
        if x > _GAP and x + wide > width:
            x, y, line = _GAP, y + line + _GAP, 0.0
        places.append((x, y))
        x, line = x + wide + 3 * _GAP, max(line, high)
    below = y + line
    figure.set_size_inches(width, height + below)
    for legend, (left, top) in zip(legends, places, strict=True):
        _place(legend, left / width, (below - top + _GAP / 2) / (height + below))
    _keep(figure, (0, below / (height + below), 1, height / (height + below)))


def _widest(figure: Figure, key: Key, room: float) -> Legend:
    """The legend with as many columns as the room holds."""
    for columns in range(min(len(key.entries), 8), 0, -1):
        legend = _legend(figure, key, columns, room - 0.4)
        if columns == 1 or _size(legend)[0] <= room:
            break
        legend.remove()
    return legend


def _legend(figure: Figure, key: Key, columns: int, room: float) -> Legend:
    labels = [plain(wrapped(label, room)) for label, _ in key.entries]
    legend = figure.legend(
        [line for _, line in key.entries], labels,
        title=plain(wrapped(key.title, room)).strip() or None, ncols=columns, alignment="left",
        loc="upper left", bbox_to_anchor=(0, 1), borderpad=0, borderaxespad=0,
    )  # fmt: skip
    legend.set_in_layout(False)
    return legend


def _size(legend: Legend) -> tuple[float, float]:
    """Inches."""
    figure = legend.get_figure(root=True)
    assert figure is not None
    box = legend.get_window_extent()
    return box.width / figure.dpi, box.height / figure.dpi


def _place(legend: Legend, left: float, top: float) -> None:
    """The legend's upper left corner, in fractions of the figure."""
    legend.set_bbox_to_anchor((left, top))


def _keep(figure: Figure, rect: tuple[float, float, float, float]) -> None:
    """Leave (left, bottom, width, height) of the figure to what is drawn."""
    engine = figure.get_layout_engine()
    assert isinstance(engine, ConstrainedLayoutEngine)
    engine.set(rect=rect)
