"""Differences between pictures, drawn."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from nst.reports.drawing.style import HOUSE_STYLE, new_figure
from nst.reports.measuring.differences import Difference

_MAX_SHOWN = 6


def _bins(top: float, count: int = 61) -> np.ndarray:
    """Edges of bins that hold equally many of the possible values, which are thirds."""
    thirds = max(1, round(2 * top * 3 / count))
    half = thirds * (int(3 * top / thirds) + 1)
    return (np.arange(-half, half + thirds, thirds) - 0.5) / 3


def difference_figure(differences: Sequence[Difference]) -> Figure:
    """Signed differences on one colour scale with its bar, a histogram below each."""
    first = differences[:_MAX_SHOWN]
    top = max(1.0, float(np.percentile(np.abs(np.stack([d.values for d in first])), 99)))
    height, width = first[0].values.shape
    figure = new_figure(2.3 * len(first) + 0.7, 2.2 * height / width + 1.9)
    with mpl.rc_context(HOUSE_STYLE):
        rows = figure.subplots(
            2, len(first), squeeze=False, height_ratios=[2.2 * height / width, 1]
        )
    for column, each in enumerate(first):
        above, below = rows[0, column], rows[1, column]
        picture = above.imshow(each.values, cmap="RdBu_r", vmin=-top, vmax=top)
        above.set_title(each.name, fontsize=9)
        above.set_axis_off()
        below.hist(each.values.ravel(), bins=_bins(top), color="#7a8ca3")
        below.set_xlim(-top, top)
        below.set_yticks([])
        below.set_xlabel(f"mean {each.mean:+.2f}, spread {each.spread:.2f}", fontsize=8)
    figure.colorbar(picture, ax=list(rows[0]), label="difference, of 255", shrink=0.9)
    return figure
