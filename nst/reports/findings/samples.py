"""Repeats of one number, and how they are read off a sweep."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from nst.config.layers import depth, expand
from nst.errors import InputError
from nst.reports.findings.claims import Answer, CannotSayError, Verdict
from nst.reports.findings.spelling import backbone_of
from nst.reports.measuring.quantities import quantity
from nst.reports.sweeps import Axis, Sweep


@dataclass(frozen=True)
class Samples:
    """Repeats of one number.

    >>> Samples([30.0, 32.0]).mean, round(Samples([30.0, 32.0]).spread, 2)
    (31.0, 1.41)
    """

    values: tuple[float, ...]

    def __init__(self, values: Iterable[float]):
        """
        Args:
            values: those that are not finite are left out

        Raises:
            CannotSayError: fewer than two are left, so there is no spread to hold them against.
        """
        finite = tuple(float(value) for value in values if math.isfinite(value))
        if len(finite) < 2:
            raise CannotSayError(
                f"{len(finite) or 'no'} sample{'s' * (len(finite) != 1)}, so there is no spread to "
                "hold the number against"
            )
        object.__setattr__(self, "values", finite)

    @property
    def mean(self) -> float:
        """Of the values."""
        return float(np.mean(self.values))

    @property
    def spread(self) -> float:
        """Their standard deviation, n − 1 in the denominator."""
        return float(np.std(self.values, ddof=1))

    def at_least(self, threshold: float, weaker: float) -> Verdict:
        """Reproduced where mean less spread reaches the threshold, partly where the mean reaches
        the weaker one.
        """
        if self.mean - self.spread >= threshold:
            return Verdict.reproduced
        return Verdict.partly if self.mean >= weaker else Verdict.not_reproduced

    def at_most(self, threshold: float, weaker: float) -> Verdict:
        """The same from above."""
        if self.mean + self.spread <= threshold:
            return Verdict.reproduced
        return Verdict.partly if self.mean <= weaker else Verdict.not_reproduced

    def __len__(self) -> int:
        return len(self.values)

    def answer(self, verdict: Verdict, text: str, unit: str = "") -> Answer:
        """An answer with this number."""
        return Answer(verdict, text, self.mean, self.spread, len(self.values), unit)

    def __str__(self) -> str:
        return f"{self.mean:.3g} ± {self.spread:.2g}".replace("-", "−")


def numbers(sweep: Sweep, column: str) -> pd.Series[float]:
    """:meth:`Sweep.numbers` of a column that is needed.

    Raises:
        CannotSayError: no run has one, as in records of before there was such a number.
    """
    found = sweep.numbers(column)
    if found.isna().all():
        raise CannotSayError(f"the runs have no {quantity(column).name}")
    return found


def values_by_seed(sweep: Sweep, key: str, column: str) -> pd.DataFrame:
    """A column's numbers, a row for each seed and a column for each value of an axis.

    What varied besides is averaged over; a cell without a run is NaN.

    Raises:
        CannotSayError: the axis did not vary, or there are no such numbers.
    """
    axis = need_axis(sweep, key, 2)
    seeds = sweep.runs["seed"].astype(str) if "seed" in sweep.runs else ""
    runs = sweep.runs.assign(_seed=seeds, _value=numbers(sweep, column))
    table = runs.pivot_table(index="_seed", columns=key, values="_value", dropna=False)
    return table.reindex(columns=list(axis.values))


def need_axis(sweep: Sweep, key: str, least: int) -> Axis:
    """An axis with so many values that have runs.

    Raises:
        CannotSayError: there are fewer.
    """
    axis = sweep.axis(key)
    count = len(axis.values) if axis else 1
    if axis is None or count < least:
        raise CannotSayError(f"{count} value{'s' * (count != 1)} of {key}; {least} are needed")
    return axis


def need_pictures(sweep: Sweep, key: str, value: str) -> None:
    """Check that the runs of one value of an axis gave pictures.

    Raises:
        CannotSayError: one of them is noise or flat.
    """
    for index in sweep.runs.index[sweep.runs[key] == value]:
        if reason := sweep.value(index, "not_a_picture"):
            raise CannotSayError(f"{sweep.label(index)}: {reason}")


def by_depth(sweep: Sweep, key: str, ranges: bool = False) -> dict[str, int]:
    """{value: depth} of an axis of single layers, shallow first; other values are left out.

    Args:
        sweep, key: the axis
        ranges: of ranges instead, the depth of each one's first layer
    """
    axis, depths = sweep.axis(key), {}
    for value in axis.values if axis else ():
        backbone = backbone_of(sweep, sweep.runs.index[sweep.runs[key] == value][0])
        try:
            first = expand(value)[0]
            if (first != value) is ranges:
                depths[value] = depth(first, backbone or "unknown")
        except InputError:
            continue
    return dict(sorted(depths.items(), key=lambda item: item[1]))


def rank_correlation(a: Sequence[float], b: Sequence[float]) -> float:
    """Spearman's, −1 to 1; NaN for fewer than two, 0 where one of them does not move."""
    if len(a) < 2:
        return float("nan")
    if len(set(a)) == 1 or len(set(b)) == 1:
        return 0.0
    return float(spearmanr(a, b).statistic)


def trends(table: pd.DataFrame, order: Sequence[float]) -> Samples:
    """The rank correlation of each row's numbers with an order of the columns.

    Raises:
        CannotSayError: fewer than two rows have three numbers.
    """
    found = []
    for _, row in table.iterrows():
        known = np.isfinite(row.to_numpy(dtype=float))
        if known.sum() >= 3:
            found.append(rank_correlation(np.asarray(order)[known].tolist(), row[known].tolist()))
    return Samples(found)
