"""Figures of a sweep, as matplotlib's: curves, metrics along what varied, timing, differences.

Each function returns a :class:`matplotlib.figure.Figure` that belongs to nobody: no pyplot, no
global state, no screen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from nst.reports.sweeps import Axis, Sweep
from nst.runs.read import load_trace

_STYLE: Any = {
    **{"font.size": 9, "axes.spines.top": False, "axes.spines.right": False},
    **{"axes.grid": True, "grid.color": "#e3e3e3", "axes.axisbelow": True},
    **{"figure.dpi": 110, "savefig.dpi": 200, "legend.frameon": False},
}
_LEGEND_LIMIT = 12


def new_figure(width: float, height: float) -> Figure:
    """An empty figure in the house style; inches."""
    with mpl.rc_context(_STYLE):
        return Figure(figsize=(width, height), layout="constrained")


def one_plot(width: float = 6.4, height: float = 3.6) -> tuple[Figure, Axes]:
    """A figure with one pair of axes in the house style."""
    figure = new_figure(width, height)
    with mpl.rc_context(_STYLE):
        return figure, figure.subplots()


def colours(count: int) -> list[tuple[float, float, float, float]]:
    """Distinct colours that also keep an order."""
    return [mpl.colormaps["viridis"](0.05 + 0.85 * i / max(1, count - 1)) for i in range(count)]


_OTHER_OBJECTIVE = ("content", "style", "layers", "loss", "backbone", "size", "preset", "task")


def losses_are_comparable(sweep: Sweep) -> bool:
    """Whether every run minimises the same thing, so that its loss can stand beside the others'."""
    return not any(axis.key.startswith(_OTHER_OBJECTIVE) for axis in sweep.axes)


def loss_curves(sweep: Sweep) -> Figure:
    """Total loss against the step, a line for each run; relative to its start where not equal."""
    comparable = losses_are_comparable(sweep)
    figure, axes = one_plot()
    runs = sweep.runs
    for index, colour in zip(runs.index, colours(len(runs)), strict=True):
        trace = load_trace(sweep.folder(index))
        total = trace["total"].to_numpy(dtype=float)
        if not comparable:
            total = total / total[0] if total[0] else total
        axes.plot(trace["step"], total, color=colour, lw=1.2, label=sweep.label(index))
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
    axes.scatter(where, values, s=18, color="#3b6ea8", zorder=3)
    medians = values.groupby(where).median()
    axes.plot(medians.index, medians, color="#3b6ea8", lw=1.2)
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
    where, blue, rust = range(len(axis.values)), "#2f5f98", "#b3592b"
    figure, axes = one_plot(max(4.5, 0.5 * len(where) + 2), 3.5)
    other = axes.twinx()
    if bars:
        axes.bar(where, left[1], width=0.6, color="#8fb0d6", label="left scale")
    else:
        axes.plot(where, left[1], "o-", color=blue, label="left scale")
    other.plot(where, right[1], "s--", color=rust, label="right scale")
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
    with mpl.rc_context({**_STYLE, "axes.grid": False}):
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


@dataclass(frozen=True)
class Difference:
    """Two pictures and how they differ: signed, of the mean of RGB, on the scale 0 to 255."""

    name: str
    values: np.ndarray

    @property
    def mean(self) -> float:
        """Mean signed difference."""
        return float(self.values.mean())

    @property
    def spread(self) -> float:
        """Standard deviation."""
        return float(self.values.std())

    @property
    def rms(self) -> float:
        """Root of the mean square."""
        return float(np.sqrt(np.mean(self.values**2)))


def difference(name: str, a: np.ndarray, b: np.ndarray) -> Difference:
    """Of two 8-bit RGB arrays (H, W, 3) of one shape."""
    return Difference(name, a.astype(np.float32).mean(2) - b.astype(np.float32).mean(2))


def pixels(file: Path) -> np.ndarray:
    """An image file as (H, W, 3) uint8."""
    with Image.open(file) as image:
        return np.asarray(image.convert("RGB"))


def seed_differences(folders: Sequence[Path], labels: Sequence[str]) -> list[Difference]:
    """Each pair of results, then each result against its original (content, else style)."""
    made = [pixels(folder / "image.png") for folder in folders]
    found = [
        difference(f"{labels[i]} − {labels[j]}", made[i], made[j])
        for i in range(len(made))
        for j in range(i + 1, len(made))
    ]
    for folder, label, image in zip(folders, labels, made, strict=True):
        files = (folder / "content.png", folder / "style.png")
        original = next((pixels(file) for file in files if file.is_file()), None)
        if original is not None and original.shape == image.shape:
            found.append(difference(f"{label} − original", image, original))
    return found


def _bins(top: float, count: int = 61) -> np.ndarray:
    """Edges of bins that hold equally many of the possible values, which are thirds."""
    thirds = max(1, round(2 * top * 3 / count))
    half = thirds * (int(3 * top / thirds) + 1)
    return (np.arange(-half, half + thirds, thirds) - 0.5) / 3


def difference_figure(differences: Sequence[Difference]) -> Figure:
    """Signed differences on one colour scale with its bar, a histogram below each."""
    shown = differences[:6]
    top = max(1.0, float(np.percentile(np.abs(np.stack([d.values for d in shown])), 99)))
    height, width = shown[0].values.shape
    figure = new_figure(2.3 * len(shown) + 0.7, 2.2 * height / width + 1.9)
    with mpl.rc_context(_STYLE):
        rows = figure.subplots(
            2, len(shown), squeeze=False, height_ratios=[2.2 * height / width, 1]
        )
    for column, found in enumerate(shown):
        above, below = rows[0, column], rows[1, column]
        picture = above.imshow(found.values, cmap="RdBu_r", vmin=-top, vmax=top)
        above.set_title(found.name, fontsize=9)
        above.set_axis_off()
        below.hist(found.values.ravel(), bins=_bins(top), color="#7a8ca3")
        below.set_xlim(-top, top)
        below.set_yticks([])
        below.set_xlabel(f"mean {found.mean:+.2f}, spread {found.spread:.2f}", fontsize=8)
    figure.colorbar(picture, ax=list(rows[0]), label="difference, of 255", shrink=0.9)
    return figure
