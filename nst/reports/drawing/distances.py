"""How far the pictures of several seeds are from each other and from their original."""

from __future__ import annotations

import pandas as pd

from nst.reports.drawing.along import along
from nst.reports.drawing.style import COLUMN, Drawing
from nst.reports.measuring.differences import compared_seeds
from nst.reports.sweeps import Axis, Sweep

_COLUMNS = ("rms", "rms_brightness", "rms_color")
_KINDS = Axis("compared", ("two seeds", "seed and original"))
_CAPTION = (
    "Root mean square difference of each pair of seeds, and of each picture to its original: over "
    "red, green and blue, and its two parts, brightness and colour. Markers are means with a bar "
    "of one standard deviation to each side."
)


def distances_figure(sweep: Sweep, *, width: float = COLUMN) -> Drawing | None:
    """Differences of RGB and their two parts, for each group of runs that differ in their seed.

    Args:
        sweep: its runs have pictures
        width: in inches

    Returns:
        None where no two seeds gave different pictures.
    """
    groups = compared_seeds(sweep)
    others = [axis for axis in sweep.axes if axis.key != "seed"]
    key = others[0].key if len(others) == 1 else " and ".join(axis.label for axis in others)
    rows = [
        {
            key: " · ".join(group.values),
            _KINDS.key: kind,
            **{column: getattr(each, column) for column in _COLUMNS},
        }
        for group in groups
        for kind, differences in zip(_KINDS.values, (group.between, group.to_original), strict=True)
        for each in differences
    ]
    if not rows:
        return None
    names = tuple(dict.fromkeys(str(row[key]) for row in rows))
    axis = Axis(key, names, told={name: name for name in names})
    table = Sweep((), None, None, "", pd.DataFrame(rows), (axis, _KINDS))
    if len(axis.values) == 1:
        drawing = along(table, _KINDS, _COLUMNS, width=width)
    else:
        drawing = along(table, axis, _COLUMNS, width=width, by=_KINDS)
    for plot in drawing.figure.axes:
        plot.set_ylim(bottom=0)
    return Drawing(drawing.figure, _CAPTION)
