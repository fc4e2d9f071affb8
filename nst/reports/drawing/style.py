"""How the project's figures look.

A :class:`matplotlib.figure.Figure` made here belongs to nobody: no pyplot, no global state, no
screen.
"""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

HOUSE_STYLE: Any = {
    **{"font.size": 9, "axes.spines.top": False, "axes.spines.right": False},
    **{"axes.grid": True, "grid.color": "#e3e3e3", "axes.axisbelow": True},
    **{"figure.dpi": 110, "savefig.dpi": 200, "legend.frameon": False},
}
"""Settings of matplotlib."""

BLUE, RUST = "#2f5f98", "#b3592b"
"""Two colours that are told apart by everybody, the first for what matters most."""


def new_figure(width: float, height: float) -> Figure:
    """An empty figure in the house style; inches."""
    with mpl.rc_context(HOUSE_STYLE):
        return Figure(figsize=(width, height), layout="constrained")


def one_plot(width: float = 6.4, height: float = 3.6) -> tuple[Figure, Axes]:
    """A figure with one pair of axes in the house style."""
    figure = new_figure(width, height)
    with mpl.rc_context(HOUSE_STYLE):
        return figure, figure.subplots()


def colors(count: int) -> list[tuple[float, float, float, float]]:
    """Distinct colours that also keep an order."""
    return [mpl.colormaps["viridis"](0.05 + 0.85 * i / max(1, count - 1)) for i in range(count)]
