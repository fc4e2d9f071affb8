"""The runs of a sweep with what is measured on each picture, and whether it can be trusted."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from torch import Tensor

from nst.errors import InputError
from nst.pictures.files import open_image, to_tensor
from nst.pictures.measures import edge_correlation, layout_correlation, roughness
from nst.reports.measuring.differences import pixels
from nst.reports.measuring.judges import Judge, held_out_judge
from nst.reports.measuring.trust import PROBLEMS, problems
from nst.reports.sweeps import Sweep

log = logging.getLogger(__name__)

MEASURES = ("content_kept", "style_distance", "edges", "layout", "roughness")
"""Columns that :func:`measured` adds, beside those of :data:`nst.reports.measuring.trust.PROBLEMS`;
NaN where a run has no such number."""


def judge_of(sweep: Sweep, choice: str = "auto", weights: str | None = None) -> Judge:
    """The network that judges a sweep's pictures; see :func:`held_out_judge`.

    Raises:
        InputError: as there.
    """
    column = "backbone.name"
    steering = set(sweep.runs[column].dropna()) if column in sweep.runs else set()
    return held_out_judge(steering, choice, weights)


def measured(sweep: Sweep, judge: Judge) -> Sweep:
    """The sweep with a column for each of :data:`MEASURES` and of the problems, and ``problem``.

    ``problem`` says in words why a run's picture cannot be trusted, None where nothing is wrong.
    """
    rows = [_measure(sweep, index, judge) for index in sweep.runs.index]
    columns = [*MEASURES, *PROBLEMS, "problem"]
    table = pd.DataFrame(rows, index=sweep.runs.index, columns=columns)
    table[list(MEASURES)] = table[list(MEASURES)].astype(float)
    words = [*PROBLEMS, "problem"]
    table[words] = table[words].astype(object).where(table[words].notna(), None)
    others = sweep.runs.drop(columns=[name for name in columns if name in sweep.runs])
    return replace(sweep, runs=pd.concat([others, table], axis=1))


def _measure(sweep: Sweep, index: int, judge: Judge) -> dict[str, Any]:
    folder = sweep.folder(index)
    values = dict(_on_pictures(folder, judge))
    wrong = problems(sweep, index, values)
    return {**values, **wrong, "problem": "; ".join(t for t in wrong.values() if t) or None}


def _on_pictures(folder: Path, judge: Judge) -> dict[str, float]:
    """What the pictures of one run give; nothing where there is no picture."""
    if not (folder / "image.png").is_file():
        return {}
    image, values = pixels(folder / "image.png"), dict[str, float]()
    content, style = folder / "content.png", folder / "style.png"
    if content.is_file() and pixels(content).shape == image.shape:
        original = pixels(content)
        values["edges"] = edge_correlation(image, original)
        values["layout"] = layout_correlation(image, original)
        values["content_kept"] = _judged(judge.content_kept, folder, content)
    if style.is_file():
        values["style_distance"] = _judged(judge.style_distance, folder, style)
    like = style if style.is_file() else content
    if like.is_file() and (rough := roughness(pixels(like))):
        values["roughness"] = roughness(image) / rough
    return values


def _judged(measure: Callable[[Tensor, Tensor], float], folder: Path, original: Path) -> float:
    """NaN for a picture that is too small for the judge."""
    try:
        return measure(_tensor(folder / "image.png"), _tensor(original))
    except InputError as error:
        log.debug("%s: %s", folder, error)
        return float("nan")


def _tensor(file: Path) -> Tensor:
    return to_tensor(open_image(file))

