"""Whether a run's picture can speak for anything: long enough, large enough, a picture of its own.

A claim names the problems that would make its runs say nothing, and leaves out runs that have one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from nst.config.layers import resolve, stride
from nst.errors import InputError
from nst.pictures.health import is_flat, is_noise, spread
from nst.pictures.measures import neighbor_correlation
from nst.reports.measuring.differences import pixels_if_any
from nst.reports.sweeps import Sweep
from nst.runs.recording.read import load_trace

MARKS = {
    "too_short": "too short",
    "too_small": "too small",
    "not_a_picture": "no picture",
    "content_absent": "content lost",
    "repeated": "repeated",
    "no_trace": "no trace",
}
"""What a picture with each problem is marked with."""

PROBLEMS = tuple(MARKS)

LEAST_STEPS = 20
STILL_FALLING = 0.01
"""Of the start's loss: a run whose loss falls by more over its last tenth is too short."""
LEAST_POSITIONS = 6
"""Along the shorter side of the deepest layer's map: a Gram matrix of fewer is of little but the
padding."""
CONTENT_KEPT = 0.3
"""Content kept below which nobody finds the content; unrelated photographs have up to 0.2 …"""
CONTENT_EDGES = 0.25
"""… where the edges, too, correlate less than this."""


def problems(sweep: Sweep, index: int, values: Mapping[str, float]) -> dict[str, str | None]:
    """Each of :data:`PROBLEMS` in words, None where the run has not that problem.

    Args:
        sweep, index: the run
        values: its measures, as far as it has them, and ``original_neighbors``, the correlation of
            neighbouring pixels in the style (without one, in the content)
    """
    found = (
        _too_short(sweep, index),
        _too_small(sweep, index),
        _not_a_picture(sweep, index, values),
        _content_absent(values),
        _repeated(sweep, index),
        _no_trace(sweep, index),
    )
    return dict(zip(PROBLEMS, found, strict=True))


def _too_short(sweep: Sweep, index: int) -> str | None:
    loss = _losses(sweep.folder(index))
    steps = sweep.value(index, "steps") if loss is None else len(loss) - 1
    if steps is not None and steps < LEAST_STEPS:
        return f"only {max(0, int(steps))} steps"
    if loss is None:
        return None
    if not np.isfinite(loss[[0, -1]]).all():
        return "its loss is not finite"
    if 0 < loss[0] <= loss[-1]:
        return "its loss did not fall"
    tenth = max(1, round(0.1 * (len(loss) - 1)))
    fall = (loss[-1 - tenth] - loss[-1]) / loss[0] if loss[0] > 0 else 0.0
    if fall <= STILL_FALLING:
        return None
    return f"its loss still fell by {100 * fall:.1f} % of the start's over the last tenth of steps"


def _losses(folder: Path) -> np.ndarray | None:
    """The loss of every step, the start's first; None where there is no trace of them."""
    try:
        return load_trace(folder)["total"].to_numpy(dtype=float)
    except InputError:
        return None


def _no_trace(sweep: Sweep, index: int) -> str | None:
    """The losses of its steps are gone; the record has those of its end."""
    folder = sweep.folder(index)
    if _losses(folder) is not None:
        return None
    exists = (folder / "trace.csv").is_file()
    return "its trace.csv cannot be read" if exists else "it has no trace.csv"


def _too_small(sweep: Sweep, index: int) -> str | None:
    backbone, task = sweep.value(index, "backbone.name"), sweep.value(index, "task")
    result = [sweep.value(index, key) for key in ("width", "height")]
    if backbone is None or None in result:
        return None
    keys = {"content": ["content_layer"], "texture": ["style_layers"]}
    left = {}
    for key in keys.get(str(task), ["content_layer", "style_layers"]):
        side = int(min(result))
        style = sweep.folder(index) / "style.png"
        if key == "style_layers" and (of := pixels_if_any(style)) is not None:  # of its own size
            side = min(side, *of.shape[:2])
        for layer in _layers(sweep.value(index, f"config.{key}"), str(backbone)):
            left[layer] = side // stride(layer, str(backbone))
    deepest = min(left, key=lambda layer: left[layer], default=None)
    if deepest is None or left[deepest] >= LEAST_POSITIONS:
        return None
    return (
        f"{left[deepest]} positions along a side are left at {deepest}, fewer than "
        f"{LEAST_POSITIONS}"
    )


def _layers(chosen: str | list[str] | None, backbone: str) -> tuple[str, ...]:
    """Canonical layers of a config; none where the network has no such layer (any more)."""
    try:
        return () if chosen is None else resolve(chosen, backbone)
    except InputError:
        return ()


def _not_a_picture(sweep: Sweep, index: int, values: Mapping[str, float]) -> str | None:
    file = sweep.folder(index) / "image.png"
    if not file.is_file():
        return "it has no image.png"
    image = pixels_if_any(file)
    if image is None:
        return "its image.png cannot be read"
    if is_flat(image):
        return f"its picture is flat (standard deviation {spread(image):.1f} of 255)"
    agree = neighbor_correlation(image.astype(np.float64).mean(2))
    rough, own = (values.get(key, math.nan) for key in ("roughness", "original_neighbors"))
    if not is_noise(agree, rough, own):
        return None
    return f"its picture is noise (neighbouring pixels correlate {agree:.2f})"


def _content_absent(values: Mapping[str, float]) -> str | None:
    kept, edges = (values.get(key, float("nan")) for key in ("content_kept", "edges"))
    if not (kept < CONTENT_KEPT and edges < CONTENT_EDGES):
        return None
    return f"its content is not to be found (content kept {kept:.2f}, edges {edges:.2f})"


def _repeated(sweep: Sweep, index: int) -> str | None:
    """Another seed's picture once more is no second sample."""
    picture = sweep.value(index, "picture")
    if picture is None:
        return None
    same = sweep.runs[sweep.runs["picture"] == picture]
    for axis in sweep.axes:
        if axis.key != "seed":
            same = same[same[axis.key] == sweep.value(index, axis.key)]
    first = same.index[0]
    return None if first == index else f"its picture is that of {sweep.label(first)}"
