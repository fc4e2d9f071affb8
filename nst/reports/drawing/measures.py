"""Measures of pictures against what varied, and against each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from nst.reports.drawing.legends import INK, Look, add_legends, key_of, looks
from nst.reports.drawing.style import BLUE, COLUMN, FONT, LIMIT, house_style, new_figure
from nst.reports.drawing.text import name_ticks, plain, text_width, wrapped
from nst.reports.measuring.quantities import quantity
from nst.reports.order import in_order, is_ordered
from nst.reports.sweeps import Axis, Sweep

TOPS = {"psnr": 60.0}
"""Where a scale ends: equal pictures have a PSNR of 100 dB, which would flatten the rest."""

_MARGIN = 0.62  # inches that ticks and labels take beside a plot
_FEW = 8  # points that can be labelled
_WIDE_RANGE = 30.0  # largest over smallest, from which a scale is logarithmic


def numbers(sweep: Sweep, column: str) -> pd.Series[float]:
    """A column of the runs; NaN where a run has no number there."""
    if column not in sweep.runs:
        return pd.Series(np.nan, sweep.runs.index, dtype=float)
    values = pd.to_numeric(sweep.runs[column], errors="coerce").astype(float)
    return values.where(np.isfinite(values))


def along(
    sweep: Sweep,
    axis: Axis,
    columns: Sequence[str],
    *,
    width: float = COLUMN,
    ordered: bool | None = None,
    lines: Mapping[str, tuple[float, str]] | None = None,
    by: Axis | None = None,
) -> Figure:
    """Measures against one axis, a plot for each, one below the other.

    Every run is a light dot; the mean of a value's runs is a marker with a bar of one standard
    deviation (over n − 1) to each side, joined by a line where the axis has an order.

    Args:
        sweep: its runs have the columns; runs without a number (NaN) are left out
        axis: along x; numbers and layers from the least to the greatest
        columns: those without any number are left out
        width: in inches
        ordered: whether a line joins the means; by default, whether the axis has an order
        lines: column: a threshold, and what it is; drawn as a labelled line
        by: means for each value of this axis too, by colour and marker

    Raises:
        ValueError: no column has a number.
    """
    shown = [column for column in columns if numbers(sweep, column).notna().any()]
    if not shown:
        raise ValueError(f"no run has a number for {', '.join(columns)}")
    axis, by = in_order(axis), in_order(by) if by else None
    joined = is_ordered(axis) if ordered is None else ordered
    high = 1.25 if width < 5 else 1.6
    with house_style():
        figure = new_figure(width, min(LIMIT, high * len(shown) + 0.5))
        plots = figure.subplots(len(shown), 1, sharex=True, squeeze=False)[:, 0]
        for axes, column in zip(plots, shown, strict=True):
            axes.set_xlim(-0.5, len(axis.values) - 0.5)
            _draw_groups(axes, sweep, axis, by, column, joined)
            _scale(axes, column, numbers(sweep, column))
            axes.set_ylabel(plain(wrapped(quantity(column).label, high, FONT)))
            axes.grid(visible=False, axis="x")
        name_ticks(plots[-1], axis, width - _MARGIN)
        if by is not None:
            add_legends(figure, [key_of(by, linestyle="-" if joined else "")])
        figure.align_ylabels(list(plots))
        _add_lines(figure, plots, shown, lines or {})
    return figure


def _draw_groups(
    axes: Axes, sweep: Sweep, axis: Axis, by: Axis | None, column: str, joined: bool
) -> None:
    """Dots and means of one measure, those of the second axis' values side by side."""
    values = numbers(sweep, column).clip(upper=TOPS.get(column, np.inf)).dropna()
    groups = looks(by) if by else {"": Look(BLUE, "o", "-")}
    room = (0.4 if joined else 0.7) / len(groups)
    for place, (value, look) in enumerate(groups.items()):
        own = values[sweep.runs.loc[values.index, by.key] == value] if by else values
        shift = (place - (len(groups) - 1) / 2) * room
        where = sweep.runs.loc[own.index, axis.key].map(axis.values.index).astype(float) + shift
        _draw_dots(axes, where, own, look.color, 0.8 * room)
        _draw_means(axes, where, own, look, joined)


def _draw_dots(
    axes: Axes, where: pd.Series[Any], values: pd.Series[Any], color: Any, room: float
) -> None:
    """Every run where there are several, beside each other, so that equal ones are seen."""
    runs = values.groupby(where)
    number, count = runs.cumcount(), runs.transform("size")
    figure = axes.get_figure(root=True)
    assert figure is not None
    inch = (axes.get_xlim()[1] - axes.get_xlim()[0]) / (figure.get_figwidth() - _MARGIN)
    step = np.minimum(0.07 * inch, room / count)
    x, several = where + (number - (count - 1) / 2) * step, count > 1
    axes.plot(
        x[several], values[several], "o",
        color=color, alpha=0.4, mec="none", ms=3.2, clip_on=False, zorder=2.5,
    )  # fmt: skip


def _draw_means(
    axes: Axes, where: pd.Series[Any], values: pd.Series[Any], look: Look, joined: bool
) -> None:
    groups = values.groupby(where)
    mean, spread = groups.mean(), groups.std().fillna(0)
    bars = spread > 0
    axes.errorbar(
        mean.index[bars], mean[bars], spread[bars],
        fmt="none", ecolor=look.color, elinewidth=0.8, capsize=2, capthick=0.8, zorder=3,
    )  # fmt: skip
    axes.plot(
        mean.index, mean, color=look.color, marker=look.marker, ls=look.dash if joined else "",
        mec="white", mew=0.4, clip_on=False, zorder=4,
    )  # fmt: skip


def _scale(axes: Axes, column: str, values: pd.Series[float]) -> None:
    """Room around the markers; a last tick that says so where values lie above the scale's end."""
    axes.margins(y=0.12)
    top = TOPS.get(column)
    if top is None or not (values > top).any():
        return
    low = axes.get_ylim()[0]
    axes.set_ylim(low, top + 0.06 * (top - low))
    ticks = [tick for tick in axes.get_yticks() if low <= tick < top - 0.08 * (top - low)]
    axes.set_yticks([*ticks, top], [*(f"{tick:g}" for tick in ticks), f"≥ {top:g}"])


def _add_lines(
    figure: Figure,
    plots: Iterable[Axes],
    columns: Sequence[str],
    lines: Mapping[str, tuple[float, str]],
) -> None:
    """Thresholds, each with its text where the plot is emptier, once the plots have their size."""
    for axes, column in zip(plots, columns, strict=True):
        if column in lines:
            axes.axhline(lines[column][0], color=INK, lw=0.8, ls=(0, (3, 2)), zorder=1.8)
    figure.draw_without_rendering()
    for axes, column in zip(plots, columns, strict=True):
        if column in lines:
            _label_line(axes, *lines[column])


def _label_line(axes: Axes, value: float, text: str) -> None:
    figure = axes.get_figure(root=True)
    assert figure is not None
    box = axes.get_window_extent()
    text = wrapped(text, 0.9 * box.width / figure.dpi, 6.5)
    wide, high = text_width(text, 6.5) * figure.dpi, (1 + text.count("\n")) * 0.125 * figure.dpi
    points = _pixels(axes)
    y = axes.transData.transform((0, value))[1]
    best: tuple[float, float, bool] | None = None
    for left in np.linspace(box.x0 + 2, max(box.x0 + 2, box.x1 - wide - 2), 9):
        for above in (True, False):
            low = y + 1 if above else y - high - 1
            if low < box.y0 - 1 or low + high > box.y1 + 1:
                continue
            inside = (points[:, 0] > left - 4) & (points[:, 0] < left + wide + 4)
            inside &= (points[:, 1] > low - 3) & (points[:, 1] < low + high + 3)
            crowd = float(inside.sum())
            if best is None or crowd < best[0]:
                best = (crowd, left, above)
    _, left, above = best or (0.0, box.x0 + 2, True)
    axes.annotate(
        plain(text), ((left - box.x0) / box.width, value), xycoords=axes.get_yaxis_transform(),
        xytext=(0, 1.5 if above else -1.5), textcoords="offset points", va="bottom" if above else "top",
        fontsize=6.5, color=INK, zorder=4.5,
        bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.4},
    )  # fmt: skip


def _pixels(axes: Axes) -> np.ndarray:
    """Where lines and markers run, (n, 2) pixels; joined points also between them."""
    places = [np.empty((0, 2))]
    for line in axes.lines:
        if line.get_transform() != axes.transData or not len(line.get_xydata()):
            continue
        points = axes.transData.transform(line.get_xydata())
        places.append(points)
        if line.get_linestyle() != "None":
            steps = np.linspace(0, 1, 12)[:, None]
            places += [a + steps * (b - a) for a, b in zip(points, points[1:], strict=False)]
    return np.concatenate(places)


def trade_off(
    sweep: Sweep,
    x: str,
    y: str,
    *,
    color: Axis | None = None,
    marker: Axis | None = None,
    width: float = COLUMN,
) -> Figure:
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
    points = pd.DataFrame({"x": numbers(sweep, x), "y": numbers(sweep, y)}).dropna()
    if points.empty:
        raise ValueError(f"no run has a number for both {x} and {y}")
    color, marker = (in_order(axis) if axis else None for axis in (color, marker))
    names = [sweep.label(index) for index in points.index]
    is_labelled = color is None and marker is None and 1 < len(points) <= _FEW
    if is_labelled and max(map(text_width, names)) > 0.3 * width:
        sweep, color, is_labelled = *_by_run(sweep, points.index, names), False
    with house_style():
        figure = new_figure(width, min(0.8 * width, 3.6))
        axes = figure.subplots()
        _scatter(axes, sweep, points, color, marker)
        _span(axes, "x", points["x"], x)
        _span(axes, "y", points["y"], y)
        room = min(0.8 * width, 3.6) - 0.5
        axes.set_xlabel(plain(wrapped(quantity(x).label, width - _MARGIN, FONT)))
        axes.set_ylabel(plain(wrapped(quantity(y).label, room, FONT)))
        keys = [key_of(color, linestyle="", **({"marker": "o"} if marker else {}))] if color else []
        if marker is not None:
            keys.append(key_of(marker, linestyle="", color=INK))
        add_legends(figure, keys)
        if is_labelled:
            label_points(axes, points["x"], points["y"], names)
    return figure


def _by_run(sweep: Sweep, index: pd.Index[Any], names: Sequence[str]) -> tuple[Sweep, Axis]:
    """The sweep with an axis that has a value for each of some runs: their labels."""
    runs = sweep.runs.assign(run=pd.Series(names, index))
    return replace(sweep, runs=runs), Axis("run", tuple(names))


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
    axis, set_scale = (axes.xaxis, axes.set_xscale) if which == "x" else (axes.yaxis, axes.set_yscale)
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
        way = min(_WAYS, key=lambda w: _crowd(spots[w], taken, box.extents))  # noqa: B023
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
