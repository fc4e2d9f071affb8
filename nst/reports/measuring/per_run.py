"""The runs of a sweep with what is measured on each picture, and whether it can be trusted."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from torch import Tensor

from nst.errors import InputError
from nst.judges import Judge, held_out_judge
from nst.pictures.files import to_tensor
from nst.pictures.measures import (
    edge_correlation,
    layout_correlation,
    neighbor_correlation,
    roughness,
)
from nst.pictures.reading import open_image
from nst.reports.measuring.differences import pixels, pixels_if_any
from nst.reports.measuring.trust import PROBLEMS, problems
from nst.reports.sweeps import Sweep

MOST_STYLES = 12
"""Of a sweep over more styles, pictures are not compared with the others' styles."""

log = logging.getLogger(__name__)

MEASURES = (
    *("content_kept", "style_distance", "photo_distance", "other_style_distance"),
    *("edges", "layout", "roughness"),
)
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

    ``problem`` says in words why a run's picture cannot be trusted, None where nothing is wrong;
    ``picture`` is equal for equal pictures.
    """
    pictures = pd.Series([_digest(sweep.folder(i)) for i in sweep.runs.index], sweep.runs.index)
    sweep = replace(sweep, runs=sweep.runs.assign(picture=pictures.astype(object)))
    rows = [_measure(sweep, index, judge) for index in sweep.runs.index]
    columns = [*MEASURES, *PROBLEMS, "problem"]
    table = pd.DataFrame(rows, index=sweep.runs.index, columns=columns)
    table[list(MEASURES)] = table[list(MEASURES)].astype(float)
    words = [*PROBLEMS, "problem"]
    table[words] = table[words].astype(object).where(table[words].notna(), None)
    others = sweep.runs.drop(columns=[name for name in columns if name in sweep.runs])
    return replace(sweep, runs=pd.concat([others, table], axis=1))


def _digest(folder: Path) -> str | None:
    """The sha256 of a result's pixels; None where there is none that can be read."""
    image = pixels_if_any(folder / "image.png")
    return None if image is None else hashlib.sha256(image.tobytes()).hexdigest()


def _other_styles(sweep: Sweep, index: int) -> list[Path]:
    """The style images of runs that differ from this one in style, content and seed alone.

    None of a sweep over very many.
    """
    axis, runs = sweep.axis("style"), sweep.runs
    if axis is None or len(axis.values) > MOST_STYLES:
        return []
    for other in sweep.axes:
        if other.key not in ("style", "content", "seed"):
            runs = runs[runs[other.key] == sweep.value(index, other.key)]
    runs = runs[runs["style"] != sweep.value(index, "style")].drop_duplicates("style")
    files = [Path(folder) / "style.png" for folder in runs["folder"]]
    return [file for file in files if pixels_if_any(file) is not None]


def _measure(sweep: Sweep, index: int, judge: Judge) -> dict[str, Any]:
    folder = sweep.folder(index)
    values: dict[str, Any] = {}
    if pixels_if_any(folder / "image.png") is not None:
        values = _on_content(folder, judge)
        values |= _on_style(folder, judge, _other_styles(sweep, index))
        values |= _roughness(folder)
    wrong = problems(sweep, index, values)
    return {**values, **wrong, "problem": "; ".join(t for t in wrong.values() if t) or None}


def _on_content(folder: Path, judge: Judge) -> dict[str, float]:
    """What of the content is in the picture; nothing where there is none of its size."""
    image, file = pixels(folder / "image.png"), folder / "content.png"
    content = pixels_if_any(file)
    if content is None or content.shape != image.shape:
        return {}
    return {
        "edges": edge_correlation(image, content),
        "layout": layout_correlation(image, content),
        "content_kept": _judged(judge.content_kept, folder / "image.png", file),
    }


def _on_style(folder: Path, judge: Judge, others: Sequence[Path]) -> dict[str, float]:
    """How far picture and photograph are from the style, and the picture from the others."""
    image, style, photo = (folder / f"{name}.png" for name in ("image", "style", "content"))
    if pixels_if_any(style) is None:
        return {}
    values = {"style_distance": _judged(judge.style_distance, image, style)}
    if pixels_if_any(photo) is not None:
        values["photo_distance"] = _judged(judge.style_distance, photo, style)
    if others:
        far = [_judged(judge.style_distance, image, other) for other in others]
        values["other_style_distance"] = min(far)
    return values


def _roughness(folder: Path) -> dict[str, float]:
    """Relative to the style's, where there is none to the content's; and what that one is like."""
    originals = (pixels_if_any(folder / f"{name}.png") for name in ("style", "content"))
    original = next((each for each in originals if each is not None), None)
    if original is None:
        return {}
    values = {"original_neighbors": neighbor_correlation(original.astype(float).mean(2))}
    rough = roughness(original)
    if rough:
        values["roughness"] = roughness(pixels(folder / "image.png")) / rough
    return values


def _judged(measure: Callable[[Tensor, Tensor], float], image: Path, original: Path) -> float:
    """NaN for a picture that is too small for the judge."""
    try:
        return measure(_tensor(image), _tensor(original))
    except InputError as error:
        log.debug("%s: %s", image, error)
        return float("nan")


def _tensor(file: Path) -> Tensor:
    return to_tensor(open_image(file))
