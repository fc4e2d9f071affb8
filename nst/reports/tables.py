"""A sweep in numbers: its runs, their means over seeds, sweeps held against each other, times."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from nst.reports.measuring.quantities import QUANTITIES, quantity
from nst.reports.sweeps import Axis, Sweep, run_command
from nst.reports.wording.labels import short

_COST = ("seconds_per_step", "seconds", "peak_memory_mb", "restarts")
_MAX_TIMED = 24  # values of an axis that get a line each in the table of times


def quality(sweep: Sweep) -> list[str]:
    """Columns that say how good a picture is, as far as any run has a number there."""
    columns = [each.column for each in QUANTITIES if each.column not in _COST]
    return [column for column in columns if has_numbers(sweep, column)]


def metrics(sweep: Sweep) -> dict[str, str]:
    """Columns of the table after the axes, and their headings; the losses are the records' own."""
    families = ("losses.", "losses_unweighted.")
    losses = [str(c) for family in families for c in sweep.runs if str(c).startswith(family)]
    return {column: quantity(column).label for column in (*quality(sweep), *losses, *_COST)}


def has_numbers(sweep: Sweep, column: str) -> bool:
    """Whether any run has a number there."""
    return column in sweep.runs and bool(sweep.numbers(column).notna().any())


def told_columns(sweep: Sweep) -> list[str]:
    """The metrics that any run has, less those that are 0 in every run."""
    columns = [column for column in metrics(sweep) if column in sweep.runs]
    return [c for c in columns if (sweep.numbers(c).fillna(0) != 0).any()]


def metrics_table(sweep: Sweep) -> pd.DataFrame:
    """A row for each run: axes, metrics, what is wrong with it, the command that makes it again.

    ``problem`` is what the report finds, ``warnings`` what the run warned of itself.
    """
    keys = [axis.key for axis in sweep.axes]
    table = sweep.runs[keys + told_columns(sweep)].copy()
    if "problem" in sweep.runs:
        table["problem"] = sweep.runs["problem"]
    warned = ["; ".join(warnings_of(sweep, index)) or None for index in sweep.runs.index]
    if any(warned):
        table["warnings"] = warned
    table["command"] = [run_command(overrides) for overrides in sweep.runs["overrides"]]
    return table


def warnings_of(sweep: Sweep, index: int) -> list[str]:
    """What a run warned of when it ended, a sentence each."""
    warned: list[str] | None = sweep.value(index, "warnings")
    return warned or []


def cell_text(value: Any, axis: Axis | None = None) -> str:
    """A value of the table as a page shows it; of an axis by the label that tells it apart."""
    if isinstance(value, str):
        return axis.short(value) if axis else short(value)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


# --- means over seeds -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation (n − 1 in the denominator) of the runs that have a number.

    Attributes:
        mean: NaN where there is none
        std: None for fewer than two
    """

    mean: float
    std: float | None = None

    @classmethod
    def of(cls, values: np.ndarray) -> Spread:
        """Of the values that are finite."""
        finite = values[np.isfinite(values)]
        mean = float(finite.mean()) if len(finite) else math.nan
        return cls(mean, float(finite.std(ddof=1)) if len(finite) > 1 else None)

    def __str__(self) -> str:
        """With as many digits as the spread leaves meaning to.

        >>> print(Spread(45.7812, 0.0213), Spread(6.53e-05, 2e-07), Spread(0.5), sep="; ")
        45.78 ± 0.02; (6.530 ± 0.020)·10⁻⁵; 0.5
        """
        if not math.isfinite(self.mean):
            return "–"
        if self.std is None:
            return f"{self.mean:.4g}"
        largest = max(abs(self.mean), self.std)
        power = math.floor(math.log10(largest)) if largest > 0 else 0
        if -3 <= power <= 4:
            return _plus_minus(self.mean, self.std, power)
        inner = _plus_minus(self.mean / 10.0**power, self.std / 10.0**power, 0)
        return f"({inner})·10{str(power).translate(_RAISED)}"


_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def _plus_minus(mean: float, std: float, power: int) -> str:
    """Two digits of the spread, and as many of the mean, but at most four in all.

    Args:
        mean, std: the numbers
        power: of ten, of the larger one
    """
    most = max(0, 3 - power)
    digits = min(most, max(0, 1 - math.floor(math.log10(std)))) if std > 0 else min(most, 3)
    return f"{mean:.{digits}f} ± {std:.{digits}f}"


@dataclass(frozen=True)
class Group:
    """Runs that differ in their seed alone.

    Attributes:
        values: of the other axes
        count: runs
        numbers: {column: mean and spread}
    """

    values: tuple[str, ...]
    count: int
    numbers: Mapping[str, Spread]


def axes_of_groups(sweep: Sweep) -> list[Axis]:
    """Every axis but the seed."""
    return [axis for axis in sweep.axes if axis.key != "seed"]


def groups(sweep: Sweep) -> list[Group]:
    """The runs in groups, in the order of their first runs."""
    keys, columns = [axis.key for axis in axes_of_groups(sweep)], told_columns(sweep)
    numbers = pd.DataFrame({column: sweep.numbers(column) for column in columns})
    found = []
    for values, indices in _grouped(sweep.runs, keys).items():
        part = numbers.loc[indices].to_numpy(dtype=float)
        spreads = (Spread.of(part[:, place]) for place in range(len(columns)))
        found.append(Group(values, len(indices), dict(zip(columns, spreads, strict=True))))
    return found


def _grouped(runs: pd.DataFrame, keys: Sequence[str]) -> dict[tuple[str, ...], list[int]]:
    """{values of these columns: the runs that have them}, in the order of the first of them."""
    parts: dict[tuple[str, ...], list[int]] = {}
    rows = zip(*(runs[key] for key in keys), strict=True) if keys else [()] * len(runs)
    for values, index in zip(rows, runs.index, strict=True):
        parts.setdefault(tuple(map(str, values)), []).append(index)
    return parts


def summary_table(sweep: Sweep) -> pd.DataFrame:
    """A row for each group: axes, ``n`` runs, and for each metric ``NAME_mean`` and ``NAME_std``.

    Units stand in brackets behind the name, as in ``psnr_mean [dB]``; a pure number has none.
    """
    rows = []
    for group in groups(sweep):
        keys = (axis.key for axis in axes_of_groups(sweep))
        row: dict[str, Any] = {**dict(zip(keys, group.values, strict=True)), "n": group.count}
        for column, spread in group.numbers.items():
            unit = quantity(column).unit
            of = f" [{unit}]" if unit else ""
            row |= {f"{column}_mean{of}": spread.mean, f"{column}_std{of}": spread.std}
        rows.append(row)
    return pd.DataFrame(rows)


# --- sweeps side by side --------------------------------------------------------------------------


@dataclass(frozen=True)
class ComparedCell:
    """The runs of several sweeps that have the same values otherwise.

    Attributes:
        values: of the axes but ``sweep``
        numbers: for each metric a number for each sweep, None where it has no such run
    """

    values: tuple[str, ...]
    numbers: Mapping[str, Sequence[float | None]]


@dataclass(frozen=True)
class SideBySide:
    """Sweeps cell by cell; the differences are those to the first."""

    sweeps: tuple[str, ...]
    axes: tuple[Axis, ...]
    cells: list[ComparedCell]


def compare(sweep: Sweep) -> SideBySide | None:
    """Several sweeps held against each other; None where there is one."""
    sides = sweep.axis("sweep")
    if sides is None:
        return None
    axes = tuple(axis for axis in sweep.axes if axis is not sides)
    columns = [column for column in (*quality(sweep), *_COST[:1]) if has_numbers(sweep, column)]
    keys = [axis.key for axis in axes]
    cells = [
        ComparedCell(
            values,
            {
                column: [_number(sweep, part, side, column) for side in sides.values]
                for column in columns
            },
        )
        for values, part in _grouped(sweep.runs, keys).items()
    ]
    return SideBySide(sides.values, axes, cells)


def _number(sweep: Sweep, part: list[int], side: str, column: str) -> float | None:
    """A metric of a sweep's run among these; None where it has none, or the run none."""
    runs = sweep.runs.loc[part]
    numbers = sweep.numbers(column).loc[runs.index[runs["sweep"] == side]].dropna()
    return float(numbers.iloc[0]) if len(numbers) else None


# --- times ----------------------------------------------------------------------------------------


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
    lines, runs = [_time_line("all runs", sweep)], sweep.runs
    axis = next((a for a in sweep.axes if a.key != "seed"), None)
    if axis is not None and len(axis.values) <= _MAX_TIMED:
        lines += [
            _time_line(
                f"{axis.label} {axis.short(value)}",
                replace(sweep, runs=runs[runs[axis.key] == value]),
            )
            for value in axis.values
        ]
    return Timing(sorted({_machine(sweep, index) for index in runs.index}), lines)


def _machine(sweep: Sweep, index: int) -> str:
    """What a run was computed on, as far as its record says."""
    keys = ("device_name", "device", "threads")
    name, device, threads = (sweep.value(index, key) for key in keys)
    count = None if threads is None else f"threads: {int(threads)}"
    told = ", ".join(filter(None, (device, count)))
    return f"{name or 'a machine without a name'}{f' ({told})' if told else ''}"


def _time_line(name: str, sweep: Sweep) -> TimeLine:
    step, whole = (sweep.numbers(column).dropna() for column in ("seconds_per_step", "seconds"))
    return TimeLine(name, len(sweep.runs), _range(step, 4), _range(whole, 1))


def _range(seconds: pd.Series[float], digits: int) -> str:
    """Median (smallest–largest); a dash where there is none."""
    if seconds.empty:
        return "–"
    median, least, most = seconds.median(), seconds.min(), seconds.max()
    return f"{median:.{digits}f} ({least:.{digits}f}–{most:.{digits}f})"
