"""Two measures that pull against each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from nst.reports.drawing.along import MARGIN
from nst.reports.drawing.legends import INK, Look, add_legends, key_of, looks
from nst.reports.drawing.style import BLUE, COLUMN, Drawing, house_style, new_figure
from nst.reports.drawing.text import measure_label, plain, text_width, wrapped
from nst.reports.drawing.values import capital
from nst.reports.measuring.quantities import quantity
from nst.reports.order import in_order
from nst.reports.sweeps import Axis, Sweep

_FEW = 8  # points that can be labelled
_WIDE_RANGE = 30.0  # largest over smallest, from which a scale is logarithmic


def trade_off(
    sweep: Sweep,
    x: str,
    y: str,
    *,
    color: Axis | None = None,
    marker: Axis | None = None,
    width: float = COLUMN,
) -> Drawing:
    """Two measures against each other, a point for each run that has both.

    A scale is logarithmic where its values are positive and span a factor of 30 or more. Without
    axes for colour and marker, up to eight points are labelled where their labels are short.

    Args:
        sweep: its runs have both columns
        x, y: columns of the runs
        color, marker: axes whose values they stand for
        width: in inches

    Raises:
        ValueError: no run has both measures.
    """
    points = pd.DataFrame({"x": sweep.numbers(x), "y": sweep.numbers(y)}).dropna()
    if points.empty:
        raise ValueError(f"no run has a number for both {x} and {y}")
    color, marker = (in_order(axis) if axis else None for axis in (color, marker))
    labels = [sweep.label(index) for index in points.index]
    is_labelled = color is None and marker is None and 1 < len(points) <= _FEW
    if is_labelled and max(map(text_width, labels)) > 0.3 * width:
        sweep, color, is_labelled = *_by_run(sweep, points.index, labels), False
    with house_style():
        figure = new_figure(width, min(0.8 * width, 3.6))
        axes = figure.subplots()
        _scatter(axes, sweep, points, color, marker)
        _span(axes, "x", points["x"], x)
        _span(axes, "y", points["y"], y)
        room = min(0.8 * width, 3.6) - 0.5
        axes.set_xlabel(measure_label(x, width - MARGIN))
        axes.set_ylabel(measure_label(y, room))
        keys = [key_of(color, linestyle="", **({"marker": "o"} if marker else {}))] if color else []
        if marker is not None:
            keys.append(key_of(marker, linestyle="", color=INK))
        add_legends(figure, keys)
        if is_labelled:
            label_points(axes, list(points["x"]), list(points["y"]), labels)
    return Drawing(figure, _caption(x, y, len(points), color, marker))


def _caption(x: str, y: str, count: int, color: Axis | None, marker: Axis | None) -> str:
    text = (
        f"{capital(quantity(y).name)} against {quantity(x).name}, a point for each of {count} runs"
    )
    if color is not None:
        text += f"; colour: {color.label}"
    if marker is not None:
        text += f"; marker: {marker.label}"
    return text + "."


def _by_run(sweep: Sweep, index: pd.Index[Any], names: Sequence[str]) -> tuple[Sweep, Axis]:
    """The sweep with an axis that has a value for each of some runs: their labels."""
    runs = sweep.runs.assign(run=pd.Series(names, index))
    return replace(sweep, runs=runs), Axis("run", tuple(names), told={name: name for name in names})


def _scatter(
    axes: Axes, sweep: Sweep, points: pd.DataFrame, color: Axis | None, marker: Axis | None
) -> None:
    of_color, of_marker = (looks(axis) if axis else {} for axis in (color, marker))
    for index, x, y in points.itertuples():
        look = of_color[str(sweep.runs.at[index, color.key])] if color else Look(BLUE, "o", "-")
        shape = of_marker[str(sweep.runs.at[index, marker.key])].marker if marker else look.marker
        axes.plot(
            x, y, shape, color=look.color, mec="white", mew=0.4, ms=5, clip_on=False, zorder=3
        )


def _span(axes: Axes, which: str, values: pd.Series[float], column: str) -> None:
    """A logarithmic scale for values over a wide range; room around the markers."""
    axes.margins(0.07)
    axis, set_scale = (
        (axes.xaxis, axes.set_xscale) if which == "x" else (axes.yaxis, axes.set_yscale)
    )
    if (values > 0).all() and values.max() >= _WIDE_RANGE * values.min():
        set_scale("log")
        if values.max() < 1e4 * values.min():
            axis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axis.set_minor_formatter(NullFormatter())


def label_points(axes: Axes, x: Sequence[float], y: Sequence[float], labels: Sequence[str]) -> None:
    """A label at each point, where it hides no other label or point as far as there is room."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()
    pixel, box = figure.dpi / 72, axes.get_window_extent()
    places = axes.transData.transform(np.column_stack([x, y]))
    taken: list[Box] = [(h - 4, v - 4, h + 4, v + 4) for h, v in places]
    for px, py, point, label in zip(*places.T, zip(x, y, strict=True), labels, strict=True):
        text = wrapped(label, 0.45 * box.width / figure.dpi, 6.5)
        size = text_width(text, 6.5) * figure.dpi, (1 + text.count("\n")) * 8.6 * pixel
        spots = {way: _spot((px, py), size, way, 4 * pixel) for way in _WAYS}
        way = min(_WAYS, key=lambda w: _crowd(spots[w], taken, box.extents))
        taken.append(spots[way])
        axes.annotate(
            plain(text), point, xytext=(4 * _SIGN[way[0]], 4 * _SIGN[way[1]]),
            textcoords="offset points", ha=way[0], va=way[1], fontsize=6.5, color=INK,
        )  # fmt: skip


Box = tuple[float, float, float, float]
"""Left, bottom, right and top, in pixels."""

_WAYS = (
    *(("left", "center"), ("right", "center"), ("center", "bottom"), ("center", "top")),
    *(("left", "bottom"), ("left", "top"), ("right", "bottom"), ("right", "top")),
)
_SIGN = {"left": 1, "right": -1, "bottom": 1, "top": -1, "center": 0}


def _spot(
    place: tuple[float, float], size: tuple[float, float], way: tuple[str, str], gap: float
) -> Box:
    """Where a text of this size lies that is aligned so, off a place."""
    corner = []
    for at, long, side in zip(place, size, way, strict=True):
        sign = _SIGN[side]
        corner.append(at + sign * gap - (1 - sign) / 2 * long)
    return corner[0], corner[1], corner[0] + size[0], corner[1] + size[1]


def _crowd(spot: Box, taken: Iterable[Box], inside: Iterable[float]) -> float:
    """How much of a spot lies on what is taken, or outside the plot; square pixels."""
    left, bottom, right, top = inside
    area = (spot[2] - spot[0]) * (spot[3] - spot[1])
    return sum(_shared(spot, each) for each in taken) + 3 * (
        area - _shared(spot, (left, bottom, right, top))
    )


def _shared(a: Box, b: Box) -> float:
    wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return max(0.0, wide) * max(0.0, high)
