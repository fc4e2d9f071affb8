"""Synthetic runs of the studies: as numbers alone, or as folders with small pictures."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from nst.reports.findings.claims import Answer, Study
from nst.reports.findings.judging import ClaimFinding, judge
from nst.reports.findings.studies import find_study
from nst.reports.measuring.per_run import MEASURES
from nst.reports.measuring.trust import PROBLEMS
from nst.reports.sweeps import Axis, Sweep

Cell = dict[str, str]
"""{axis: value} of one run."""

R, P, N, C = "reproduced", "partly", "not reproduced", "cannot say"


def sweep_of(axes: Mapping[str, Sequence[str]], measure: Callable[[Cell], Mapping[str, Any]],
             **constant: Any) -> Sweep:  # fmt: skip
    """A sweep of one run for each combination, as measured and trusted.

    Args:
        axes: {key: values}; one of a single value is a column and no axis
        measure: of a run, its columns
        constant: columns that all runs share
    """
    cells = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    rows = [
        {"folder": f"runs/{number}", "backbone.name": "vgg19_mini", **constant, **cell}
        | dict(measure(cell))
        for number, cell in enumerate(cells)
    ]
    runs = pd.DataFrame(rows)
    for column in (*MEASURES, *PROBLEMS, "problem"):
        if column not in runs:
            runs[column] = float("nan") if column in MEASURES else None
    varied = tuple(Axis(key, tuple(values)) for key, values in axes.items() if len(values) > 1)
    return Sweep((Path("runs"),), None, "full", "python run.py -m", runs, varied)


def seeds(count: int) -> dict[str, list[str]]:
    """The axis of so many seeds, 0 and up."""
    return {"seed": [str(seed) for seed in range(count)]}


def jitter(cell: Cell, much: float = 0.01) -> float:
    """What a run's seed adds to a number."""
    return much * (int(cell["seed"]) - 1)


def study(name: str) -> Study:
    """A study that there is."""
    found = find_study(name)
    assert found is not None
    return found


def finding(name: str, claim: str, sweep: Sweep) -> ClaimFinding:
    """What a sweep says to one claim of a study."""
    whole = study(name)
    (one,) = (each for each in whole.claims if each.name == claim)
    (found,) = judge(replace(whole, claims=(one,)), sweep).claims
    return found


def answer(name: str, claim: str, sweep: Sweep) -> Answer:
    """The same, of all panels together."""
    return finding(name, claim, sweep).together


def beside(sweep: Sweep, key: str, values: Sequence[str], **columns: Sequence[Any]) -> Sweep:
    """The same runs once for each value of one more axis.

    Args:
        sweep: of the runs
        key, values: of the axis
        columns: what each value changes besides, {column: one for each value}
    """
    copies = [
        sweep.runs.assign(**{key: value}, **{name: each[i] for name, each in columns.items()})
        for i, value in enumerate(values)
    ]
    runs = pd.concat(copies, ignore_index=True)
    return replace(sweep, runs=runs, axes=(*sweep.axes, Axis(key, tuple(values))))


def without(sweep: Sweep, *columns: str) -> Sweep:
    """The runs as records have them that lack some columns."""
    return replace(sweep, runs=sweep.runs.drop(columns=[c for c in columns if c in sweep.runs]))


def only(sweep: Sweep, **values: str) -> Sweep:
    """The runs that have these values; the axes stay as they were planned."""
    runs = sweep.runs
    for key, value in values.items():
        runs = runs[runs[key] == value]
    return replace(sweep, runs=runs)


def waves(side: int = 64, phase: float = 0.0) -> np.ndarray:
    """A smooth colourful picture, (side, side, 3), float, 0 to 255."""
    y, x = np.mgrid[0:side, 0:side] * (10.0 / side)
    channels = [np.sin(x + phase), np.cos(y - phase), np.sin(x - y + 2 * phase)]
    return np.stack(channels, 2) * 80 + 127.5


def noise(seed: int, much: float, side: int = 64) -> np.ndarray:
    """White noise with this standard deviation, (side, side, 3), around 0."""
    return np.random.default_rng(seed).normal(0, much, (side, side, 3))


def save(file: Path, values: np.ndarray) -> None:
    """Values of 0 to 255 as a PNG."""
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values.clip(0, 255).round().astype(np.uint8)).save(file)


def save_trace(folder: Path, loss: Sequence[float]) -> None:
    """``trace.csv`` with this loss."""
    folder.mkdir(parents=True, exist_ok=True)
    table = pd.DataFrame({"step": range(len(loss)), "total": list(loss)})
    table.to_csv(folder / "trace.csv", index=False)
