"""Measures of pictures against what varied."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nst.reports.drawing.legends import INK, Look, add_legends, key_of, looks
from nst.reports.drawing.style import (
    BLUE,
    COLUMN,
    LIMIT,
    Drawing,
    house_style,
    new_figure,
)
from nst.reports.drawing.text import measure_label, name_ticks, plain, text_width, wrapped
from nst.reports.drawing.values import TOPS, capital, names, repeats, top_note
from nst.reports.order import in_order, is_ordered
from nst.reports.sweeps import Axis, Sweep

MARGIN = 0.62  # inches that ticks and labels take beside a plot


def along(
    sweep: Sweep,
    axis: Axis,
    columns: Sequence[str],
    *,
    width: float = COLUMN,
    ordered: bool | None = None,
    lines: Mapping[str, tuple[float, str]] | None = None,
    by: Axis | None = None,
) -> Drawing:
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
    shown = [column for column in columns if sweep.numbers(column).notna().any()]
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
            _scale(axes, column, sweep.numbers(column))
            axes.set_ylabel(measure_label(column, high - 0.1))
            axes.grid(visible=False, axis="x")
        low = name_ticks(plots[-1], axis, width - MARGIN)
        figure.set_figheight(figure.get_figheight() + max(0.0, low - 0.15))
        if by is not None:
            add_legends(figure, [key_of(by, linestyle="-" if joined else "")])
        figure.align_ylabels(list(plots))
        _add_lines(figure, plots, shown, lines or {})
    return Drawing(figure, _caption(sweep, axis, by, shown, joined))


def _caption(
    sweep: Sweep, axis: Axis, by: Axis | None, columns: Sequence[str], joined: bool
) -> str:
    count = repeats(sweep, (axis, by))
    text = f"{capital(names(columns))} along {axis.label}"
    text += f", by {by.label} (colour and marker)." if by else "."
    if count != "1 run":
        text += f" Dots are runs, markers the mean of {count}, bars one standard deviation."
    if not joined:
        text += f" Values of {axis.label} have no order, so no line joins them."
    return text + top_note(sweep, columns)


def _draw_groups(
    axes: Axes, sweep: Sweep, axis: Axis, by: Axis | None, column: str, joined: bool
) -> None:
    """Dots and means of one measure, those of the second axis' values side by side."""
    values = sweep.numbers(column).clip(upper=TOPS.get(column, np.inf)).dropna()
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
    inch = (axes.get_xlim()[1] - axes.get_xlim()[0]) / (figure.get_figwidth() - MARGIN)
    step = np.minimum(0.07 * inch, room / count)
    x, several = where + (number - (count - 1) / 2) * step, count > 1
    if not several.any():
        return  # an empty line would have its extent at the figure's corner
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
        xytext=(0, 1.5 if above else -1.5), textcoords="offset points",
        va="bottom" if above else "top", fontsize=6.5, color=INK, zorder=4.5,
        bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.4},
    )  # fmt: skip


def _pixels(axes: Axes) -> np.ndarray:
    """Where lines and markers run, (n, 2) pixels; joined points also between them."""
    places = [np.empty((0, 2))]
    for line in axes.lines:
        if line.get_transform() != axes.transData:
            continue
        points = axes.transData.transform(np.asarray(line.get_xydata()).reshape(-1, 2))
        places.append(points)
        if line.get_linestyle() != "None":
            steps = np.linspace(0, 1, 12)[:, None]
            places += [a + steps * (b - a) for a, b in itertools.pairwise(points)]
    return np.concatenate(places)
