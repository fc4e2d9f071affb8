"""Fronts: style error against content kept, over style weights, of every candidate in a table."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes

from nst.reports.drawing.style import HOUSE_STYLE, colors, new_figure

AIM_STYLE, AIM_CONTENT = 0.25, 0.55
"""Up to this style error the style is plainly there; from this content kept, so is the content."""

_NUMBERS = ["style_error", "content_kept", "seconds"]


def means(table: Path) -> pd.DataFrame:
    """What the candidates reach: means over contents and styles.

    Args:
        table: as :mod:`experiments.backbone.judge` writes it

    Returns:
        A row for each name, size and style weight of the table's transfers, in its order:
        ``style_error``, ``content_kept``, ``seconds``, and of how many ``pictures``.
    """
    texts = {"name": str, "style_weight": str}  # 16 is a name too
    runs = pd.read_csv(table, dtype=texts)
    runs = runs[runs["task"] == "transfer"]
    groups = runs.groupby(["name", "size", "style_weight"], sort=False)
    return groups[_NUMBERS].mean().assign(pictures=groups.size()).reset_index()


def draw_fronts(table: Path) -> Path | None:
    """``fronts.png`` beside the table, a panel for each size; None where it has no transfers."""
    points = means(table)
    if points.empty:
        return None
    sizes, names = sorted(points["size"].unique()), list(dict.fromkeys(points["name"]))
    color = dict(zip(names, colors(len(names)), strict=True))
    figure = new_figure(1 + 3.4 * len(sizes), 3.8)
    with mpl.rc_context(HOUSE_STYLE):
        panels = figure.subplots(1, len(sizes), sharex=True, sharey=True, squeeze=False)[0]
        for axes, size in zip(panels, sizes, strict=True):
            _panel(axes, points[points["size"] == size], color)
            axes.set_title(f"{size} px")
    panels[0].set_ylabel("content kept (correlation of fire4)")
    handles, labels = panels[0].get_legend_handles_labels()
    for axes in panels[1:]:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            if label not in labels:
                handles.append(handle)
                labels.append(label)
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    file = table.with_name("fronts.png")
    figure.savefig(file, dpi=110)
    return file


def _panel(axes: Axes, points: pd.DataFrame, color: dict[str, tuple[float, ...]]) -> None:
    """One size: a line for each candidate, a point for each style weight."""
    axes.axvline(AIM_STYLE, color="#999999", linewidth=0.8, linestyle=":")
    axes.axhline(AIM_CONTENT, color="#999999", linewidth=0.8, linestyle=":")
    axes.set_xlabel("style error (relative Gram error)")
    for name, line in points.groupby("name", sort=False):
        line = line.sort_values("style_error")
        axes.plot(
            line["style_error"], line["content_kept"],
            marker="o", markersize=4, color=color[str(name)], label=str(name),
        )  # fmt: skip
        for _, point in line.iterrows():
            axes.annotate(
                point["style_weight"].replace("default", "•"),
                (point["style_error"], point["content_kept"]),
                textcoords="offset points", xytext=(4, 3), fontsize=7,
            )  # fmt: skip
