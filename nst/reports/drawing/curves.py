"""Losses against steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from nst.errors import InputError
from nst.reports.drawing.legends import INK, Key, Look, add_legends, key_of, looks
from nst.reports.drawing.style import COLUMN, DASHES, Drawing, house_style, one_plot
from nst.reports.drawing.values import listed, repeats
from nst.reports.order import in_order, is_ordered
from nst.reports.sweeps import Axis, Sweep
from nst.runs.recording.read import load_trace

_MAX_CURVES, _MAX_VALUES = 24, 24

_OTHER_OBJECTIVE = ("content", "style", "layers", "loss", "backbone", "size", "preset", "task")


def losses_are_comparable(sweep: Sweep) -> bool:
    """Whether every run minimises the same thing, so that its loss can stand beside the others'."""
    return not any(axis.key.startswith(_OTHER_OBJECTIVE) for axis in sweep.axes)


@dataclass(frozen=True)
class Encoding:
    """What colour and dash of a curve mean.

    Attributes:
        color: the axis that has the colours, if any
        others: the other axes, which share the dashes
        kinds: combinations of the others' values, in the order of the runs
        are_means: whether a curve is a mean over the others
    """

    color: Axis | None
    others: tuple[Axis, ...]
    kinds: tuple[tuple[str, ...], ...]
    are_means: bool


def encode(sweep: Sweep) -> Encoding:
    """The axis with the most values in colour, but the seed only where nothing else varied.

    Where the other axes have more combinations than there are dashes, or the curves were too many
    to be told apart, curves are means over the other axes.
    """
    axes = sorted(sweep.axes, key=lambda axis: (axis.key == "seed", -len(axis.values)))
    color, others = (in_order(axes[0]) if axes else None), tuple(map(in_order, axes[1:]))
    kinds = tuple(dict.fromkeys(_kind(sweep, others, index) for index in sweep.runs.index))
    are_means = len(sweep.runs) > _MAX_CURVES or len(kinds) > len(DASHES)
    if color is not None and len(kinds) > 1 and not is_ordered(color):
        are_means = are_means or len(color.values) > 7  # their dashes are taken
    if color is not None and len(color.values) > _MAX_VALUES:
        color, others = None, tuple(axes)
    return Encoding(color, others, kinds, are_means)


def _kind(sweep: Sweep, axes: Sequence[Axis], index: int) -> tuple[str, ...]:
    return tuple(str(sweep.runs.at[index, axis.key]) for axis in axes)


def loss_curves(sweep: Sweep, width: float = COLUMN) -> Drawing:
    """Total loss against the step, relative to its first where the objectives differ.

    A curve for each run, told apart by colour and dash; of more than 24 runs the geometric mean
    for each value of the axis with the most values, in a band of one geometric standard deviation.
    """
    with house_style():
        figure, axes = one_plot(width, 2.1 if width < 5 else 2.6)
        encoding, losses = encode(sweep), _losses(sweep)
        draw = _draw_means if encoding.are_means else _draw_runs
        draw(axes, sweep, encoding, losses)
        axes.set_yscale("log")
        axes.margins(x=0.015)
        axes.set_xlabel("step")
        relative = not losses_are_comparable(sweep)
        axes.set_ylabel("loss relative to the first step" if relative else "loss")
        add_legends(figure, _keys(encoding))
    return Drawing(figure, _caption(sweep, encoding))


def _caption(sweep: Sweep, encoding: Encoding) -> str:
    text = "Total loss against the step"
    if not losses_are_comparable(sweep):
        text += ", divided by its first, as the runs do not minimise the same"
    if encoding.are_means:
        count = repeats(sweep, (encoding.color,))
        text += f"; curves are geometric means of {count}, bands one geometric standard deviation"
    elif len(sweep.runs) > 1:
        text += "; a curve for each run"
    if encoding.color is not None:
        text += f"; colour: {encoding.color.label}"
    if not encoding.are_means and len(encoding.kinds) > 1:
        text += f"; dash: {listed([axis.label for axis in encoding.others])}"
    return text + "."


def _losses(sweep: Sweep) -> pd.DataFrame:
    """Total loss, a column for each run and a row for each step; NaN where a log has no place."""
    comparable, columns = losses_are_comparable(sweep), {}
    for index in sweep.runs.index:
        try:
            trace = load_trace(sweep.folder(index))
        except InputError:  # the run is marked, and has no curve
            columns[index] = pd.Series(dtype=float)
            continue
        total = pd.Series(trace["total"].to_numpy(dtype=float), trace["step"].to_numpy())
        total = total.groupby(level=0).last()  # a step that was taken again counts once
        if not comparable and len(total) and total.iloc[0]:
            total = total / total.iloc[0]
        columns[index] = total
    losses = pd.DataFrame(columns)
    return losses.where(np.isfinite(losses) & (losses > 0))


def _draw_runs(axes: Axes, sweep: Sweep, encoding: Encoding, losses: pd.DataFrame) -> None:
    look_of = _looks(encoding)
    for index in sweep.runs.index:
        value = str(sweep.runs.at[index, encoding.color.key]) if encoding.color else ""
        look, curve = look_of[value], losses[index].dropna()
        kind = encoding.kinds.index(_kind(sweep, encoding.others, index))
        dash = DASHES[kind] if len(encoding.kinds) > 1 else look.dash
        marker = "o" if len(curve) == 1 else None
        axes.plot(curve.index, curve, color=look.color, linestyle=dash, marker=marker)


def _draw_means(axes: Axes, sweep: Sweep, encoding: Encoding, losses: pd.DataFrame) -> None:
    look_of, logs = _looks(encoding), np.log10(losses)
    for value, look in look_of.items():
        own = sweep.runs.index
        if encoding.color is not None:
            own = sweep.runs.index[sweep.runs[encoding.color.key] == value]
        mean = logs[own].mean(axis=1).dropna()
        spread = logs[own].std(axis=1).reindex(mean.index).fillna(0)
        low, high = 10 ** (mean - spread), 10 ** (mean + spread)
        axes.fill_between(mean.index, low, high, color=look.color, alpha=0.2, lw=0)
        axes.plot(mean.index, 10**mean, color=look.color, linestyle=look.dash)


def _looks(encoding: Encoding) -> dict[str, Look]:
    return looks(encoding.color) if encoding.color else {"": Look(INK, "o", "-")}


def _keys(encoding: Encoding) -> list[Key]:
    """A legend for the colours, and one for the dashes where they mean something."""
    keys = []
    shown: dict[str, Any] = {"marker": ""}
    if encoding.color is not None:
        keys.append(key_of(encoding.color, **shown))
    elif encoding.are_means:
        keys.append(Key("", [("mean of all runs", Line2D([], [], color=INK))]))
    if not encoding.are_means and len(encoding.kinds) > 1:
        title = ", ".join(axis.label for axis in encoding.others)
        entries = [
            (_name(encoding.others, kind), Line2D([], [], color=INK, linestyle=dash))
            for kind, dash in zip(encoding.kinds, DASHES, strict=False)
        ]
        keys.append(Key(title, entries))
    return keys


def _name(axes: Sequence[Axis], kind: Sequence[str]) -> str:
    places = (axis.values.index(value) for axis, value in zip(axes, kind, strict=True))
    return ", ".join(axis.labels[place] for axis, place in zip(axes, places, strict=True))
