"""A measure for every pair of two axes' values."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.image import AxesImage

from nst.reports.drawing.style import (
    COLUMN,
    FONT,
    LIMIT,
    SMALL,
    Drawing,
    house_style,
    new_figure,
)
from nst.reports.drawing.text import name_ticks, plain, text_width, wrapped
from nst.reports.drawing.values import TOPS, capital, repeats, top_note
from nst.reports.measuring.quantities import quantity
from nst.reports.order import in_order
from nst.reports.sweeps import Axis, Sweep

_MAP = "cividis"
_LEAST = 5.0  # points: smaller numbers are not written


def metric_map(
    sweep: Sweep, rows: Axis, columns: Axis, column: str, *, width: float = COLUMN
) -> Drawing:
    """The mean of a measure for every pair of two axes' values, as a map with its numbers.

    Numbers turn upright where cells are narrow, and are left out where they could not be read.

    Args:
        sweep: its runs have the column
        rows, columns: down and across; numbers and layers from the least to the greatest
        column: of the runs
        width: in inches
    """
    rows, columns = in_order(rows), in_order(columns)
    grid = mean_grid(sweep, rows, columns, column)
    texts = _texts(grid)
    left = min(1.2, max(map(text_width, rows.labels)) + 0.1) + 0.25
    room = width - left - 0.15  # of the map itself
    size, angle = _fit(texts, room / len(columns.values))
    names = [plain(wrapped(label, left - 0.25)) for label in rows.labels]
    high = 0.065 + 0.125 * max(1 + name.count("\n") for name in names)
    if angle:
        high = max(high, max(map(text_width, texts.ravel())) + 0.08)
    with house_style():
        figure = new_figure(width, min(LIMIT, 1.05 + high * len(rows.values)))
        axes = figure.subplots()
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        norm = _norm(grid, TOPS.get(column, np.inf))
        picture = axes.imshow(grid, aspect="auto", cmap=_MAP, norm=norm)
        axes.set_yticks(range(len(names)), names)
        axes.set_ylabel(plain(rows.label))
        low = name_ticks(axes, columns, room)
        figure.set_figheight(figure.get_figheight() + max(0.0, low - 0.15))
        if size >= _LEAST:
            _write_numbers(axes, grid, texts, norm, size, angle)
        _add_bar(axes, picture, quantity(column).label, room)
    runs = repeats(sweep, (rows, columns))
    mean = "" if runs == "1 run" else f", mean of {runs}"
    text = f"{capital(quantity(column).name)} for every pair of {rows.label} (down) and "
    text += f"{columns.label} (across){mean}."
    return Drawing(figure, text + top_note(sweep, [column]))


def _norm(grid: np.ndarray, top: float) -> Normalize:
    """From the least number to the greatest, which is at most the scale's end."""
    finite = np.minimum(grid[np.isfinite(grid)], top)
    return Normalize(finite.min(), finite.max()) if finite.size else Normalize(0, 1)


def _add_bar(axes: Axes, picture: AxesImage, label: str, room: float) -> None:
    """The scale's bar, below, with a tip where numbers lie above its end."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    values = np.asarray(picture.get_array(), dtype=float)
    is_over = bool((values[np.isfinite(values)] > (picture.norm.vmax or 0)).any())
    bar = figure.colorbar(
        picture, ax=axes, location="bottom", aspect=12 * room, pad=0.02,
        extend="max" if is_over else "neither", extendfrac=0.03,
    )  # fmt: skip
    bar.outline.set_visible(False)
    bar.set_label(plain(wrapped(label, room, FONT)))


def mean_grid(sweep: Sweep, rows: Axis, columns: Axis, column: str) -> np.ndarray:
    """Means over the runs of each pair of values, (rows, columns); NaN where there is no number."""
    table = sweep.runs[[rows.key, columns.key]].assign(_value=sweep.numbers(column))
    means = table.groupby([rows.key, columns.key])["_value"].mean().unstack()
    means = means.reindex(index=list(rows.values), columns=list(columns.values))
    grid: np.ndarray = means.to_numpy(dtype=float)
    return grid


def _fit(texts: np.ndarray, cell: float) -> tuple[float, float]:
    """Size in points and angle in degrees at which the widest number fits a cell's width."""
    widest = max(0.01, *map(text_width, texts.ravel())) / SMALL  # inches for each point
    lying = min(SMALL, 0.9 * cell / widest)
    if lying >= _LEAST:
        return lying, 0
    return min(SMALL, 0.9 * cell * 72 / 0.9), 90


def _texts(grid: np.ndarray) -> np.ndarray:
    """Each number with as many decimals as give the largest three digits; empty for NaN."""
    largest = np.nanmax(np.abs(grid)) if np.isfinite(grid).any() else 0.0
    decimals = 2 - int(np.floor(np.log10(largest))) if largest else 0
    as_powers = not -2 < decimals < 6
    number = "{:.1e}" if as_powers else f"{{:.{max(0, decimals)}f}}"
    texts = [number.format(value) if np.isfinite(value) else "" for value in grid.ravel()]
    return np.array(texts, dtype=object).reshape(grid.shape)


def _write_numbers(
    axes: Axes, grid: np.ndarray, texts: np.ndarray, norm: Normalize, size: float, angle: float
) -> None:
    for (i, j), text in np.ndenumerate(texts):
        if text:
            axes.text(
                j, i, text, ha="center", va="center", fontsize=size, rotation=angle,
                color=ink_on(mpl.colormaps[_MAP](norm(grid[i, j]))),
            )  # fmt: skip


def ink_on(color: tuple[float, ...]) -> str:
    """Black or white, whichever has more contrast to a colour (WCAG 2's relative luminance).

    >>> ink_on((0, 0, 0.4)), ink_on((1, 0.9, 0.2))
    ('white', 'black')
    """
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in color[:3]]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "black" if luminance > 0.179 else "white"
