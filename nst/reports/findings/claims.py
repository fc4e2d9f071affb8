"""What a study claims, stated before its runs, and what an answer to it holds.

A claim is one sentence with one number that decides it. Its verdict is

- **reproduced** where the number is beyond the threshold by more than its spread,
- **partly** where it is near: beyond a weaker threshold,
- **not reproduced** where it is neither,
- **cannot say** where the runs are too few, too short, too small or no pictures.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from nst.reports.drawing.style import Drawing
from nst.reports.sweeps import Sweep


class Verdict(StrEnum):
    """Of a claim, or of a study."""

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
        return f"{self.value:.3g}{spread} {self.unit}".rstrip().replace("-", "−")


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
    needs: tuple[str, ...] = ("too_short", "too_small", "not_a_picture", "repeated")


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
        figures: the measured runs, a figure's width in inches → drawings of its own, by name
        task: runs of another say nothing to its claims; None: any
    """

    name: str
    question: str
    published: str
    claims: tuple[Claim, ...]
    axes: tuple[str, ...]
    comparison: Comparison
    rows: str | None = None
    columns: str | None = None
    figures: Callable[[Sweep, float], Mapping[str, Drawing]] = field(default=lambda _, __: {})
    task: str | None = None
