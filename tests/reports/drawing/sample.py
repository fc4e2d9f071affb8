"""Sweeps whose runs were never run, and what every figure must be."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from nst.reports.drawing.style import house_style
from nst.reports.sweeps import Axis, Sweep, load_sweep
from nst.runs.recording.folder import RunFolder

LONG = "a_photograph_of_a_painting_whose_file_has_a_name_of_sixty.jpg"


def sweep_of(folder: Path, *jobs: list[str]) -> Sweep:
    """Runs whose loss falls from 4 to 1 and whose PSNR is their number."""
    for number, job in enumerate(jobs):
        run = RunFolder(folder / f"{number}")
        with run.open_trace(["total"]) as trace:
            for step, loss in enumerate((4.0, 2.0, 1.0)):
                trace.write(step, step / 10, {"total": loss})
        values = {"psnr": float(number), "seconds_per_step": 0.1}
        run.save_record({"overrides": job, **values})
    return load_sweep([folder])


def table_of(axes: Mapping[str, Sequence[str]], **columns: Any) -> Sweep:
    """A run for each combination of the axes' values, the last axis fastest.

    A column is a number for each run, or one for all.
    """
    rows = [dict(zip(axes, row, strict=True)) for row in itertools.product(*axes.values())]
    runs = pd.DataFrame(rows).assign(**columns)
    varied = tuple(Axis(key, tuple(values)) for key, values in axes.items() if len(values) > 1)
    return Sweep((), None, None, "", runs, varied)


def outside(figure: Figure) -> list[str]:
    """What lies outside a figure, or on what it should stand beside; [] for a good figure."""
    with house_style():  # as a figure is saved
        figure.draw_without_rendering()
        wrong = [f"{a}" for a in figure.axes if not within(figure, _tight(a))]
        for legend in figure.legends:
            box = legend.get_window_extent()
            wrong += [] if within(figure, box) else [f"{legend} {box}"]
            wrong += [f"legend on {a}" for a in figure.axes if box.overlaps(_tight(a).padded(-1))]
        return wrong + overlapping_labels(figure)


def _tight(axes: Axes) -> Any:
    return axes.get_tightbbox()


def within(figure: Figure, box: Any) -> bool:
    """Whether a box lies inside a figure; a pixel of 1/100 inch may be missing."""
    page = figure.bbox.padded(1)
    return bool(page.x0 <= box.x0 <= box.x1 <= page.x1 and page.y0 <= box.y0 <= box.y1 <= page.y1)


def overlapping_labels(figure: Figure) -> list[str]:
    """Upright labels of x ticks that run into each other."""
    wrong = []
    for axes in figure.axes:
        labels = [each for each in axes.get_xticklabels() if each.get_text() and shown(axes, each)]
        if any(each.get_rotation() for each in labels):
            continue
        boxes = [each.get_window_extent() for each in labels]
        for (a, box), (b, other) in itertools.pairwise(zip(labels, boxes, strict=True)):
            if box.overlaps(other):
                wrong.append(f"{a.get_text()!r} on {b.get_text()!r}")
    return wrong


def shown(axes: Axes, label: Text) -> bool:
    low, high = sorted(axes.get_xlim())
    return label.get_visible() and low <= label.get_position()[0] <= high


def legend_texts(figure: Figure) -> dict[str, list[str]]:
    """{title: labels} of a figure's legends, lines joined."""
    return {
        legend.get_title().get_text(): [t.get_text().replace("\n", "") for t in legend.get_texts()]
        for legend in figure.legends
    }


def joined(axes: Axes) -> int:
    """How many lines of a plot join points."""
    lines = [line for line in axes.lines if line.get_transform() == axes.transData]
    return sum(
        line.get_linestyle() != "None" and len(np.asarray(line.get_xdata())) > 1 for line in lines
    )
