"""The figures that every sweep's report has, whatever varied."""

from __future__ import annotations

from dataclasses import replace

from nst.reports.drawing.along import along
from nst.reports.drawing.curves import loss_curves
from nst.reports.drawing.differences import difference_figure
from nst.reports.drawing.maps import metric_map
from nst.reports.drawing.style import COLUMN, Drawing
from nst.reports.measuring.differences import compared_seeds
from nst.reports.sweeps import Sweep

_MAX_GROUPS = 6
_COSTLY = ("init", "size", "backbone", "optimizer", "precision", "device", "sweep")
"""Axes that may change what a step costs."""


def general_figures(sweep: Sweep, width: float = COLUMN) -> dict[str, Drawing]:
    """Loss curves; the measures along what varied; differences between seeds.

    Args:
        sweep: with the columns of its records
        width: in inches
    """
    drawn = {"loss_curves": loss_curves(sweep, width)}
    axes = [axis for axis in sweep.axes if axis.key != "seed"]
    axes.sort(key=lambda axis: not axis.key.startswith(_COSTLY))
    columns = ["psnr"]
    if any(axis.key.startswith(_COSTLY) for axis in axes):
        columns.append("seconds_per_step")
    for column in columns:
        if not axes or sweep.numbers(column).isna().all():
            continue
        if len(axes) >= 2 and column == "psnr":
            drawn["psnr_map"] = metric_map(sweep, axes[0], axes[1], column, width=width)
        else:
            drawn[column] = along(sweep, axes[0], [column], width=width)
    return drawn | _seed_differences(sweep, width)


def _seed_differences(sweep: Sweep, width: float) -> dict[str, Drawing]:
    """Differences between seeds for each of the first settings of the other axes."""
    drawn: dict[str, Drawing] = {}
    groups = compared_seeds(sweep)
    for group in groups[:_MAX_GROUPS]:
        drawing = difference_figure([*group.between, *group.to_original], width=width)
        if drawing is None:
            continue
        caption = ": ".join(filter(None, (", ".join(group.values), drawing.caption)))
        if len(groups) > _MAX_GROUPS:
            caption += f" The first {_MAX_GROUPS} of {len(groups)} settings have such a figure."
        names = (f"{group.file_name}{end}" for end in ("", *(f"_{n}" for n in range(2, 99))))
        name = next(name for name in names if name.lower() not in {each.lower() for each in drawn})
        drawn[name] = replace(drawing, caption=caption)
    return drawn
