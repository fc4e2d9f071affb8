"""A sweep in numbers: the table of its runs, and what they took."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd

from nst.reports.sweeps import Sweep, run_command, short

_QUALITY = {"psnr": "PSNR, dB", "ssim": "SSIM"}
_COST = {
    "seconds_per_step": "s / step",
    "seconds": "seconds",
    "peak_memory_mb": "memory, MB",
    "restarts": "restarts",
}
_MAX_TIMED = 24  # values of an axis that get a line each in the table of times


def metrics(sweep: Sweep) -> dict[str, str]:
    """Columns of the table after the axes, and their headings; the losses are the records' own."""
    columns = [str(column) for column in sweep.runs]
    kinds = [c.removeprefix("losses.") for c in columns if c.startswith("losses.")]
    names = {kind: "loss" if kind == "total" else f"{_words(kind)} loss" for kind in kinds}
    losses = {f"losses.{kind}": name for kind, name in names.items()}
    return {**_QUALITY, **losses, **_COST}


def _words(name: str) -> str:
    return name.replace("_", " ")


def has_numbers(sweep: Sweep, column: str) -> bool:
    """Whether any run has a number there."""
    return column in sweep.runs and bool(pd.to_numeric(sweep.runs[column]).notna().any())


def metrics_table(sweep: Sweep) -> pd.DataFrame:
    """Axes first, then the metrics that any run has, then the command that makes the run again.

    What is 0 in every run is left out.
    """
    keys = [axis.key for axis in sweep.axes]
    columns = [
        column
        for column in metrics(sweep)
        if has_numbers(sweep, column) and (pd.to_numeric(sweep.runs[column]).fillna(0) != 0).any()
    ]
    table = sweep.runs[keys + columns].copy()
    table["command"] = [run_command(overrides) for overrides in sweep.runs["overrides"]]
    return table


def cell_text(value: Any) -> str:
    """A value of the table as a page shows it."""
    if isinstance(value, str):
        return short(value)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class TimeLine:
    """What some runs took: median (smallest–largest), in seconds.

    Attributes:
        name: which runs
        count: how many
        step, whole: per step and per run
    """

    name: str
    count: int
    step: str
    whole: str


@dataclass(frozen=True)
class Timing:
    """Times of all runs, and for each value of the slowest axis; on what hardware."""

    hardware: list[str]
    lines: list[TimeLine]


def timing(sweep: Sweep) -> Timing:
    """What the runs took."""
    runs = sweep.runs
    machines = zip(runs["device_name"], runs["device"], runs["threads"], strict=True)
    hardware = sorted({f"{name} ({device}, threads: {n})" for name, device, n in machines})
    lines = [_time_line("all runs", runs)]
    axis = next((a for a in sweep.axes if a.key != "seed"), None)
    if axis is not None and len(axis.values) <= _MAX_TIMED:
        lines += [
            _time_line(f"{axis.label} {short(value)}", runs[runs[axis.key] == value])
            for value in axis.values
        ]
    return Timing(hardware, lines)


def _time_line(name: str, runs: pd.DataFrame) -> TimeLine:
    step, whole = (pd.to_numeric(runs[column]) for column in ("seconds_per_step", "seconds"))
    return TimeLine(
        name,
        len(runs),
        f"{step.median():.4f} ({step.min():.4f}–{step.max():.4f})",
        f"{whole.median():.1f} ({whole.min():.1f}–{whole.max():.1f})",
    )
