"""Figures of a sweep: curves, metrics along what varied, timing.

Each function returns a :class:`matplotlib.figure.Figure` in the house style
(:mod:`nst.reports.drawing.style`).
"""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nst.reports.drawing.differences import difference_figure
from nst.reports.drawing.style import (
    BLUE,
    HOUSE_STYLE,
    RUST,
    Drawing,
    colors,
    new_figure,
    one_plot,
)
from nst.reports.measuring.differences import seed_groups
from nst.reports.measuring.quantities import quantity
from nst.reports.sweeps import Axis, Sweep
from nst.reports.tables import has_numbers
from nst.runs.recording.read import load_trace

_LEGEND_LIMIT = 12

_OTHER_OBJECTIVE = ("content", "style", "layers", "loss", "backbone", "size", "preset", "task")


def losses_are_comparable(sweep: Sweep) -> bool:
    """Whether every run minimises the same thing, so that its loss can stand beside the others'."""
    return not any(axis.key.startswith(_OTHER_OBJECTIVE) for axis in sweep.axes)


def loss_curves(sweep: Sweep) -> Figure:
    """Total loss against the step, a line for each run; relative to its start where not equal."""
    comparable = losses_are_comparable(sweep)
    figure, axes = one_plot()
    runs = sweep.runs
    for index, color in zip(runs.index, colors(len(runs)), strict=True):
        trace = load_trace(sweep.folder(index))
        total = trace["total"].to_numpy(dtype=float)
        if not comparable:
            total = total / total[0] if total[0] else total
        axes.plot(trace["step"], total, color=color, lw=1.2, label=sweep.label(index))
    axes.set_yscale("log")
    axes.set_xlabel("step")
    axes.set_ylabel("loss" if comparable else "loss relative to the start's")
    if 1 < len(runs) <= _LEGEND_LIMIT:
        figure.legend(loc="outside right upper", fontsize=8, frameon=False)
    return figure


def metric_along(sweep: Sweep, axis: Axis, column: str, label: str) -> Figure:
    """A metric against one axis: every run a dot, the median of each value a line."""
    figure, axes = one_plot(max(4.0, min(9.0, 0.55 * len(axis.values) + 2)), 3.2)
    values = pd.to_numeric(sweep.runs[column])
    where = [axis.values.index(value) for value in sweep.runs[axis.key]]
    axes.scatter(where, values, s=18, color=BLUE, zorder=3)
    medians = values.groupby(where).median()
    axes.plot(medians.index, medians, color=BLUE, lw=1.2)
    _name_ticks(axes, axis)
    axes.set_ylabel(label)
    return figure


def _name_ticks(axes: Axes, axis: Axis) -> None:
    """The values along x, slanted where they would not fit beside each other."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    room = 0.7 * figure.get_size_inches()[0] / len(axis.labels)
    slanted = 0.085 * max(map(len, axis.labels)) > room
    axes.set_xticks(range(len(axis.values)), axis.labels)
    if slanted:
        axes.tick_params("x", rotation=40)
        for tick in axes.get_xticklabels():
            tick.set_horizontalalignment("right")
    axes.set_xlabel(axis.label)


def two_scales(
    axis: Axis,
    left: tuple[str, Sequence[float]],
    right: tuple[str, Sequence[float]],
    *,
    bars: bool = False,
) -> tuple[Figure, Axes, Axes]:
    """Two measures of each of an axis' values, each on its own scale, from 0 up on the right.

    Args:
        axis: what stands along x
        left, right: (label, a number for each value)
        bars: the left one as bars, where its values have no order

    Returns:
        The figure and its two pairs of axes.
    """
    where = range(len(axis.values))
    figure, axes = one_plot(max(4.5, 0.5 * len(where) + 2), 3.5)
    other = axes.twinx()
    if bars:
        axes.bar(where, left[1], width=0.6, color="#8fb0d6", label="left scale")
    else:
        axes.plot(where, left[1], "o-", color=BLUE, label="left scale")
    other.plot(where, right[1], "s--", color=RUST, label="right scale")
    axes.set_xticks(where, axis.labels, rotation=45, ha="right")
    axes.set_ylabel(left[0])
    other.set_ylabel(right[0])
    other.set_ylim(bottom=0)
    other.grid(visible=False)
    figure.legend(loc="outside upper center", ncols=2, fontsize=8, frameon=False)
    return figure, axes, other


def metric_map(sweep: Sweep, rows: Axis, columns: Axis, column: str, label: str) -> Figure:
    """The median of a metric for every pair of two axes' values, as a map with its numbers."""
    table = sweep.runs.assign(_value=pd.to_numeric(sweep.runs[column])).pivot_table(
        index=rows.key, columns=columns.key, values="_value", aggfunc="median"
    )
    table = table.reindex(index=list(rows.values), columns=list(columns.values))
    grid = table.to_numpy(dtype=float)
    figure = new_figure(2.2 + 0.7 * len(columns.values), 1.6 + 0.4 * len(rows.values))
    with mpl.rc_context({**HOUSE_STYLE, "axes.grid": False}):
        axes = figure.subplots()
    picture = axes.imshow(grid, aspect="auto", cmap="viridis")
    axes.set_yticks(range(len(rows.values)), rows.labels)
    _name_ticks(axes, columns)
    axes.set_ylabel(rows.label)
    middle = np.nanmean(grid) if np.isfinite(grid).any() else 0.0
    for (i, j), value in np.ndenumerate(grid):
        if np.isfinite(value):
            ink = "white" if value < middle else "black"
            axes.text(j, i, f"{value:.3g}", ha="center", va="center", color=ink, fontsize=7)
    figure.colorbar(picture, ax=axes, label=label)
    return figure


_COSTLY = ("init", "size", "backbone", "optimizer", "precision", "device", "sweep")
"""Axes that may change what a step costs."""


def general_figures(sweep: Sweep) -> dict[str, Drawing]:
    """Loss curves; the metrics along what varied; differences between seeds."""
    drawn = {"loss_curves": Drawing(loss_curves(sweep), "Total loss against the step.")}
    axes = [axis for axis in sweep.axes if axis.key != "seed"]
    axes.sort(key=lambda axis: not axis.key.startswith(_COSTLY))
    metrics = ["psnr"] if has_numbers(sweep, "psnr") else []
    if any(axis.key.startswith(_COSTLY) for axis in axes):
        metrics.append("seconds_per_step")
    for column in metrics:
        label = quantity(column).label
        if len(axes) >= 2 and column == "psnr":
            figure = metric_map(sweep, axes[0], axes[1], column, label)
            drawn["psnr_map"] = Drawing(figure, f"Median {label}.")
        elif axes:
            drawn[column] = Drawing(
                metric_along(sweep, axes[0], column, label), f"{label} along {axes[0].label}."
            )
    for name, differences in seed_groups(sweep).items():
        drawn[name] = Drawing(difference_figure(differences), "Differences between seeds.")
    return drawn
