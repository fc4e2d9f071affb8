"""What a study claims, stated before its runs, and what an answer to it holds.

A claim is one sentence with one number that decides it. Its verdict is

- **reproduced** where the number is beyond the threshold by more than its spread,
- **partly** where it is near: beyond a weaker threshold,
- **not reproduced** where it is neither,
- **cannot say** where the runs are too few, too short, too small or no pictures.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from nst.reports.drawing.style import Drawing
from nst.reports.sweeps import Sweep


class Verdict(StrEnum):
    reproduced = "reproduced"
    partly = "partly"
    not_reproduced = "not reproduced"
    cannot_say = "cannot say"


class CannotSayError(Exception):
    """These runs say nothing to a claim; why, in a sentence."""


@dataclass(frozen=True)
class Answer:
    """What some runs say to a claim.

    Attributes:
        verdict: of these runs
        text: a sentence with the numbers
        value: the number that decides; None where they cannot say
        spread: its standard deviation over the samples; None for fewer than two
        count: samples: seeds, or what the claim says
        unit: of value and spread; empty for pure numbers
    """

    verdict: Verdict
    text: str
    value: float | None = None
    spread: float | None = None
    count: int = 0
    unit: str = ""

    @property
    def number(self) -> str:
        """The value with its spread and unit; empty where there is none."""
        if self.value is None or not math.isfinite(self.value):
            return ""
        spread = "" if self.spread is None else f" ± {self.spread:.2g}"
        return f"{self.value:.3g}{spread} {self.unit}".rstrip()


@dataclass(frozen=True)
class Claim:
    """One published finding as a test.

    Attributes:
        name: a word for tables, files and W&B
        sentence: what is claimed
        measure: what number decides, over which samples
        threshold: from where on it is reproduced and partly so, and why there
        objection: how a reader could object
        decide: the runs of one panel, less those that cannot be trusted → the answer; raises
            :class:`CannotSayError`
        needs: problems (:data:`nst.reports.measuring.trust.PROBLEMS`) that take a run out
    """

    name: str
    sentence: str
    measure: str
    threshold: str
    objection: str
    decide: Callable[[Sweep], Answer]
    needs: tuple[str, ...] = ("too_short", "too_small")


@dataclass(frozen=True)
class Comparison:
    """What the study's section of a W&B workspace compares.

    Attributes:
        by: config key; runs that share its value are one curve and one bar
        results: of a run, as W&B has them (``losses_total``), each a bar chart
        across: numeric config keys, each the axis of a scatter plot per result
        figures: of the study's report, besides those of every report
    """

    by: str
    results: tuple[str, ...]
    across: tuple[str, ...] = ()
    figures: tuple[str, ...] = ()


@dataclass(frozen=True)
class Study:
    """What a study asks, and how its report answers.

    Attributes:
        name: as in ``study=NAME``
        question: in a sentence
        published: the finding in the literature
        claims: the finding as tests
        axes: keys that its claims read; whatever else varied makes panels, seeds are repeats
        comparison: for a W&B workspace
        rows, columns: keys of the axes to lay out; None: by the general rule
        figures: the measured runs → drawings of its own, by name
    """

    name: str
    question: str
    published: str
    claims: tuple[Claim, ...]
    axes: tuple[str, ...]
    comparison: Comparison
    rows: str | None = None
    columns: str | None = None
    figures: Callable[[Sweep], Mapping[str, Drawing]] = field(default=lambda _: {})


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
            CannotSayError: fewer than two are left, so that there is no spread to hold them against.
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

    def answer(self, verdict: Verdict, text: str, unit: str = "") -> Answer:
        """An answer with this number."""
        return Answer(verdict, text, self.mean, self.spread, len(self.values), unit)

    def __str__(self) -> str:
        return f"{self.mean:.3g} ± {self.spread:.2g}"
