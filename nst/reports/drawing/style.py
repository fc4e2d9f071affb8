"""How the project's figures look: as in a column of a paper, at the size at which they are printed.

A :class:`matplotlib.figure.Figure` made here belongs to nobody: no pyplot, no global state, no
screen. Colours are told apart by the colour-blind (Okabe & Ito 2008; matplotlib's ``plasma`` and
``cividis``).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

COLUMN, PAGE = 3.4, 7.0
"""Inches: a column of a paper with two, and both of them."""

LIMIT = 9.0
"""Inches: no figure is higher, so that it fits a page."""

FONT, SMALL = 8.0, 7.0
"""Points: of text, and of ticks and legends, however wide a figure is."""

HOUSE_STYLE: Any = {
    **{"font.size": FONT, "axes.titlesize": FONT, "axes.labelsize": FONT},
    **{"xtick.labelsize": SMALL, "ytick.labelsize": SMALL},
    **{"legend.fontsize": SMALL, "legend.title_fontsize": SMALL, "legend.frameon": False},
    **{"legend.handlelength": 1.6, "legend.columnspacing": 1.2, "legend.labelspacing": 0.3},
    **{"axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.6},
    **{"axes.grid": True, "grid.color": "#e6e6e6", "grid.linewidth": 0.5, "axes.axisbelow": True},
    **{"xtick.major.width": 0.6, "ytick.major.width": 0.6, "ytick.minor.width": 0.4},
    **{"xtick.major.size": 2.5, "ytick.major.size": 2.5, "ytick.minor.size": 1.5},
    **{"lines.linewidth": 1.0, "lines.markersize": 4.5, "patch.linewidth": 0.6},
    **{"axes.titlepad": 4.0, "axes.labelpad": 3.0},
    **{"figure.dpi": 100, "savefig.dpi": 300, "savefig.bbox": None},
    **{"figure.constrained_layout.w_pad": 0.03, "figure.constrained_layout.h_pad": 0.03},
    **{"image.composite_image": False, "image.interpolation": "none"},
    **{"text.hinting": "none"},
    **{"pdf.fonttype": 42, "svg.fonttype": "none", "svg.hashsalt": "nst"},
}
"""Settings of matplotlib. Fonts are embedded in a PDF as TrueType, and text in an SVG is text."""

BLUE, RUST = "#0072b2", "#d55e00"
"""Two colours that are told apart by everybody, the first for what matters most."""

CATEGORIES = (BLUE, RUST, "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Okabe and Ito's without their yellow, which is hard to see on white."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES: tuple[Any, ...] = (
    "-",
    (0, (4, 1.5)),
    (0, (1, 1.2)),
    (0, (5, 1.2, 1, 1.2)),
    (0, (8, 1.5)),
    (0, (3, 1, 1, 1, 1, 1)),
)

logging.getLogger("fontTools").setLevel(logging.WARNING)  # it tells of every table of every font

_NO_DATE: dict[str, dict[str, Any]] = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}}


@dataclass(frozen=True)
class Drawing:
    """A figure and what it shows.

    Attributes:
        figure: to be saved by :func:`save_figure`
        caption: one or two sentences: what along what, what dots and bars mean, how many seeds
    """

    figure: Figure
    caption: str


@contextmanager
def house_style() -> Iterator[None]:
    """Everything drawn inside has the house style, whatever a user's ``matplotlibrc`` says."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(HOUSE_STYLE)
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure in the house style; inches."""
    with house_style():
        return Figure(figsize=(width, height), layout="constrained")


def one_plot(width: float = COLUMN, height: float = 2.4) -> tuple[Figure, Axes]:
    """A figure with one pair of axes in the house style; inches."""
    figure = new_figure(width, height)
    with house_style():
        return figure, figure.subplots()


def save_figure(figure: Figure, file: Path) -> None:
    """Write a figure exactly as large as it is; the same figure gives the same bytes.

    Args:
        figure: whatever its width, its fonts keep their size
        file: ``.pdf`` and ``.svg`` hold vectors, ``.png`` 300 dots an inch
    """
    with house_style():
        figure.savefig(file, metadata=_NO_DATE.get(file.suffix))


def colors(count: int) -> list[tuple[float, float, float, float]]:
    """Colours for values that have an order, from dark to light, each visible on white."""
    return [mpl.colormaps["plasma"](0.8 * i / max(1, count - 1)) for i in range(count)]
