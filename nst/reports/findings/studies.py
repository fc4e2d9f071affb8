"""Studies: what each asks, what its runs say to a published finding, and where they are."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module

from matplotlib.figure import Figure

from nst.reports.sweeps import Sweep

_PACKAGE = "experiments.studies"


@dataclass(frozen=True)
class Finding:
    """What these runs say to a published finding.

    Attributes:
        status: reproduced, partly, not reproduced, or open (too little to say)
        text: with the numbers that say so
    """

    status: str
    text: str


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
        judge: the runs → what they say
        comparison: for a W&B workspace
        rows, columns: keys of the axes to lay out; None: by the general rule
        figures: the runs → figures of its own, by name
    """

    name: str
    question: str
    published: str
    judge: Callable[[Sweep], Finding]
    comparison: Comparison
    rows: str | None = None
    columns: str | None = None
    figures: Callable[[Sweep], Mapping[str, Figure]] = field(default=lambda _: {})


def study_names() -> tuple[str, ...]:
    """Every study: the modules of ``experiments.studies``; none where that is not installed."""
    try:
        package = import_module(_PACKAGE)
    except ModuleNotFoundError:  # another project's "experiments" may stand before ours
        return ()
    return tuple(sorted(module.name for module in pkgutil.iter_modules(package.__path__)))


def find_study(name: str | None) -> Study | None:
    """The ``STUDY`` of ``experiments/studies/NAME.py``; None for a free sweep."""
    if name not in study_names():
        return None
    study: Study = import_module(f"{_PACKAGE}.{name}").STUDY
    return study
