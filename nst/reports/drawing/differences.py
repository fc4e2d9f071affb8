"""Differences between pictures, drawn: in colour, and their brightness and colour apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from nst.reports.drawing.style import COLUMN, LIMIT, SMALL, Drawing, house_style
from nst.reports.drawing.text import plain, wrapped
from nst.reports.drawing.values import listed
from nst.reports.measuring.differences import Difference

_MAX_SHOWN = 4
_GREY = 127.5
_LEFT, _RIGHT, _GAP, _BELOW, _LINE = 0.4, 0.56, 0.08, 0.52, 0.125  # inches
_TICKS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100, 120, 150, 200)
_CHANNELS = (("red", "#d55e00", "-"), ("green", "#009e73", (0, (4, 1.2))), ("blue", "#0072b2", "-"))
"""Colours that are told apart by everybody, in place of red, green and blue themselves."""


def chosen(differences: Sequence[Difference]) -> list[Difference]:
    """Up to four that are not zero everywhere; of many, those of the first picture to the others.

    The first is named before the minus sign: of three seeds, seed 0 − seed 1, seed 0 − seed 2 and
    seed 0 − original.
    """
    left = [each for each in differences if not each.is_zero]
    if len(left) > 3:
        first = left[0].name.split(" − ")[0]
        left = [each for each in left if each.name.split(" − ")[0] == first]
        left = [*left[: _MAX_SHOWN - 1], left[-1]] if len(left) > _MAX_SHOWN else left
    return left


def difference_figure(
    differences: Sequence[Difference], *, width: float = COLUMN
) -> Drawing | None:
    """For each difference itself, its brightness, its colour, and a histogram of its channels.

    The difference is drawn on mid grey, enlarged by a stated gain; brightness and colour have a
    scale each, with its bar, which all share.

    Args:
        differences: of pictures of one size; see :func:`chosen` for which are drawn
        width: in inches

    Returns:
        None where all are zero everywhere.
    """
    shown = chosen(differences)
    if not shown:
        return None
    gain = _gain(shown)
    with house_style():
        grid = _Grid(shown, width)
        for axes, each in zip(grid.plots[0], shown, strict=True):
            axes.imshow(_on_grey(each, gain))
        grid.plots[0, 0].set_ylabel(f"RGB × {gain:g}" if gain > 1 else "RGB", fontsize=SMALL)
        brightness = [each.brightness for each in shown]
        top = _round_up(_high(np.abs(brightness)))
        _row(grid, 1, brightness, "brightness", "RdBu_r", (-top, top))
        color = [each.color for each in shown]
        _row(grid, 2, color, "colour", "magma", (0, _round_up(_high(color))))
        _draw_histograms(grid.plots[3], shown)
        lines = [Line2D([], [], color=color, ls=dash) for _, color, dash in _CHANNELS]
        grid.figure.legend(
            lines, [name for name, _, _ in _CHANNELS], loc="lower center", ncols=3,
            bbox_to_anchor=(0.5, 0.0), borderpad=0.2, borderaxespad=0,
        )  # fmt: skip
    return Drawing(grid.figure, _caption(shown, gain))


def _caption(shown: Sequence[Difference], gain: float) -> str:
    enlarged = f", enlarged {gain:g} times" if gain != 1 else ""
    return (
        f"Differences of pictures: {listed([each.name for each in shown])}. From above: the "
        f"difference in red, green and blue on mid grey{enlarged}; its brightness (mean of the "
        "channels); its colour (root mean square over the channels of what is left); how often "
        "each difference occurs, by channel. rms: root mean square, on the scale of 0 to 255."
    )


def _gain(shown: Sequence[Difference]) -> float:
    """The largest power of two, 1 to 64, that keeps nearly all of the differences in range."""
    high = max(1.0, _high([np.abs(each.values) for each in shown]))
    return float(2 ** int(np.clip(np.floor(np.log2(_GREY / high)), 0, 6)))


def _high(values: Sequence[np.ndarray] | np.ndarray) -> float:
    """What 99.5 % of the values do not exceed."""
    return float(np.percentile(np.concatenate([each.ravel() for each in values]), 99.5))


def _round_up(value: float) -> float:
    """The next of 1, 2, 4, 6 and 10 times a power of ten, at least 1."""
    power = 10 ** np.floor(np.log10(max(1.0, value)))
    return float(next(step * power for step in (1, 2, 4, 6, 10) if value <= step * power))


def _on_grey(each: Difference, gain: float) -> np.ndarray:
    pixels: np.ndarray = np.clip(_GREY + gain * each.values, 0, 255).round().astype(np.uint8)
    return pixels


class _Grid:
    """Four rows of plots in inches: three of pictures, one of histograms; a column a difference."""

    def __init__(self, shown: Sequence[Difference], width: float):
        high, wide = shown[0].values.shape[:2]
        self.size = (width - _LEFT - _RIGHT - _GAP * (len(shown) - 1)) / len(shown)
        self.high = min(self.size * high / wide, (LIMIT - 2.5) / 3)
        self.low = 0.65 if width < 5 else 0.9
        titles = [wrapped(each.name, self.size + 0.8 * _GAP, SMALL) for each in shown]
        self.above = 0.07 + _LINE * max(1 + title.count("\n") for title in titles)
        height = self.above + 3 * (self.high + _GAP) + 4 * _LINE + 0.1 + self.low + _BELOW
        self.figure = Figure(figsize=(width, height))
        self.plots = np.array([[self._plot(i, j) for j in range(len(shown))] for i in range(4)])
        for axes, title in zip(self.plots[0], titles, strict=True):
            axes.set_title(plain(title), fontsize=SMALL)

    def _plot(self, row: int, column: int) -> Axes:
        width, height = self.figure.get_size_inches()
        left = _LEFT + column * (self.size + _GAP)
        high = self.low if row == 3 else self.high
        bottom = _BELOW if row == 3 else height - self.above - (row + 1) * (self.high + _GAP) + _GAP
        axes = self.figure.add_axes(
            (left / width, bottom / height, self.size / width, high / height)
        )
        if row < 3:
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
            axes.grid(visible=False)
        return axes

    def bar(self, row: int) -> Axes:
        """Where the bar of a row's scale stands."""
        last = self.plots[row, -1].get_position()
        width = self.figure.get_figwidth()
        left = (width - _RIGHT + 0.07) / width
        return self.figure.add_axes(
            (left, last.y0 + 0.06 * last.height, 0.07 / width, 0.88 * last.height)
        )


def _row(
    grid: _Grid,
    row: int,
    values: Sequence[np.ndarray],
    label: str,
    cmap: str,
    limits: tuple[float, float],
) -> None:
    """Pictures on one scale, with its bar."""
    for axes, each in zip(grid.plots[row], values, strict=True):
        picture = axes.imshow(each, cmap=cmap, vmin=limits[0], vmax=limits[1])
    grid.plots[row, 0].set_ylabel(label, fontsize=SMALL)
    bar = grid.figure.colorbar(
        picture, cax=grid.bar(row), ticks=[limits[0], sum(limits) / 2, limits[1]]
    )
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
    bar.ax.tick_params(pad=1.5, length=1.5)
    bar.set_label("of 255", fontsize=SMALL)
    bar.outline.set_visible(False)


def _draw_histograms(plots: Sequence[Axes], shown: Sequence[Difference]) -> None:
    """Shares of the pixels in bins of whole numbers, on scales that all share."""
    top = max(2.0, _high([np.abs(each.values) for each in shown]))
    step = max(1, 2 * int(top / 40) + 1)  # odd, so that a bin has zero in its middle
    count = int(top / step) + 1
    edges = (np.arange(-count, count + 2) - 0.5) * step
    tick = max(each for each in _TICKS if each <= max(1, 0.65 * edges[-1]))
    highest = 0.0
    for axes, each in zip(plots, shown, strict=True):
        for channel, (_, color, dash) in enumerate(_CHANNELS):
            values = each.values[..., channel]
            share = 100 * np.histogram(values, edges)[0] / values.size
            axes.stairs(share, edges, color=color, linestyle=dash, lw=0.8)
            highest = max(highest, float(share.max()))
        axes.set_title(_numbers(each), fontsize=SMALL, loc="left")
        axes.set_xlabel("of 255", fontsize=SMALL)
    for axes in plots:
        axes.set(xlim=(edges[0], edges[-1]), ylim=(0, 1.05 * highest))
        axes.set_xticks([-tick, 0, tick])
        axes.yaxis.set_major_locator(MaxNLocator(3))
        if axes is not plots[0]:
            axes.tick_params(labelleft=False)
    plots[0].set_ylabel("pixels, %", fontsize=SMALL)


def _numbers(each: Difference) -> str:
    return (
        f"rms {each.rms:.1f} of 255\n(PSNR {each.psnr:.1f} dB)\n"
        f"brightness {each.rms_brightness:.1f}\ncolour {each.rms_color:.1f}"
    )
