"""How far pictures are from each other and from their original."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from nst.reports.drawing.along import along
from nst.reports.drawing.style import COLUMN, Drawing
from nst.reports.measuring.differences import Difference
from nst.reports.sweeps import Axis, Sweep

_COLUMNS = ("rms", "rms_brightness", "rms_color")
_PREFIX = "seed_difference_"
_GROUP, _PAIR = "", " "  # keys that make no label
BETWEEN, ORIGINAL = "between seeds", "to the original"


def distances_figure(
    groups: Mapping[str, Sequence[Difference]], *, width: float = COLUMN
) -> Drawing:
    """Differences between seeds beside those to the original: all of them, brightness, colour.

    Args:
        groups: as :func:`nst.reports.measuring.differences.seed_groups` has them
        width: in inches
    """
    rows = [
        {_GROUP: group.removeprefix(_PREFIX), _PAIR: _pair(each)}
        | {column: getattr(each, column) for column in _COLUMNS}
        for group, differences in groups.items()
        for each in differences
    ]
    runs = pd.DataFrame(rows)
    pair = Axis(_PAIR, tuple(name for name in (BETWEEN, ORIGINAL) if (runs[_PAIR] == name).any()))
    group = Axis(_GROUP, tuple(dict.fromkeys(runs[_GROUP])))
    axes = (group, pair) if len(groups) > 1 else (pair,)
    sweep = Sweep((), None, None, "", runs, axes)
    drawing = along(sweep, axes[0], _COLUMNS, by=pair if len(groups) > 1 else None, width=width)
    for plot in drawing.figure.axes:
        plot.set_ylim(bottom=0)
    caption = (
        "Root mean square differences between the pictures of two seeds, and of each picture to "
        "its original: over red, green and blue, of the brightness, and of the colour that is "
        "left. Dots are pairs of pictures, markers their mean, bars one standard deviation."
    )
    return Drawing(drawing.figure, caption)


def _pair(each: Difference) -> str:
    return ORIGINAL if each.name.endswith(" − original") else BETWEEN
