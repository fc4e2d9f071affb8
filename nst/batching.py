"""Which runs may share a batch: N images in one forward pass, on one device.

Runs share when they differ in nothing but the start image (``seed``, ``init``), the weights of the
loss's terms, and the pictures, as long as the image being optimised keeps its size. Everything
else is the same for all images of a batch: network, layers, conventions, optimiser, steps, task.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from nst.config import Config, InitKind, Task, layer_sets, picture_settings, start_kind
from nst.images import fitted
from nst.names import SAMPLES
from nst.patches import scale_count
from nst.samples import open_source

OWN = ("seed", "init", "content", "style", "style_size")
"""Keys that may differ within a batch, besides the logger and the snapshots."""

OWN_LOSS = (
    "content_weight style_weight tv_weight patch_weight content_layer_weights style_layer_weights"
).split()
"""The same, below ``loss``."""


def batch_key(cfg: Config) -> str:
    """Configs with the same key may share a batch.

    Raises:
        InputError: a layer that is not there, or a picture that cannot be read.
    """
    shared: dict[str, Any] = picture_settings(cfg)
    for key in OWN:
        del shared[key]
    for key in OWN_LOSS:
        del shared["loss"][key]
    shared["content_layer"], shared["style_layers"] = layer_sets(cfg)
    if cfg.task is not Task.content:  # a small style has fewer scales, and all share them
        styles = [style_size(cfg, side) for side, _ in all_passes(cfg)]
        shared["patch_scales"] = [scale_count(*size) for size in styles]
    shared["outputs"] = [output_size(cfg, side) for side, _ in all_passes(cfg)]
    return json.dumps(shared, sort_keys=True)


_SCALES = (0.25, 0.5)
_COARSE_STEPS = 100
_LEAST_SIDE = 48  # shortest at the smallest scale, so that deep layers have room


def all_passes(cfg: Config) -> list[tuple[int, int]]:
    """(longest side, steps) of each pass: from coarse to fine, at ``size``, and further ones."""
    steps = cfg.optimizer.steps
    found = [(round(cfg.size * s), min(_COARSE_STEPS, steps // 3)) for s in coarse_scales(cfg)]
    found.append((cfg.size, steps))
    return [*found, *((round(cfg.size * p.scale), p.steps) for p in cfg.passes)]


def coarse_scales(cfg: Config) -> tuple[float, ...]:
    """Scales below 1 that a run begins with, ``auto`` resolved; see docs/decisions, number 21."""
    if cfg.scales != "auto":
        return tuple(cfg.scales) if isinstance(cfg.scales, list) else ()
    from_noise = start_kind(cfg) in (InitKind.noise, InitKind.smooth_noise)
    if cfg.task is not Task.texture or not from_noise or cfg.passes or cfg.size < 256:
        return ()
    side = round(cfg.size * _SCALES[0])
    smallest = min(*output_size(cfg, side), *style_size(cfg, side))
    return _SCALES if smallest >= _LEAST_SIDE and cfg.optimizer.steps >= 30 else ()


def output_size(cfg: Config, side: int) -> tuple[int, int]:
    """(W, H) of the image being optimised, in a pass of this longest side."""
    return fitted(_size_of(cfg.style if cfg.task is Task.texture else cfg.content), side)


def style_size(cfg: Config, side: int) -> tuple[int, int]:
    """(W, H) of the style image, in a pass of this longest side."""
    return fitted(_size_of(cfg.style), style_side(cfg, side))


def style_side(cfg: Config, side: int) -> int:
    """Longest side of the style image in a pass of this longest side: smaller in a coarse one."""
    if cfg.style_size is None:
        return side
    return round(cfg.style_size * min(1.0, side / cfg.size))


def _size_of(source: str) -> tuple[int, int]:
    """(W, H) of a picture by sample name or path."""
    path = Path(source).expanduser()
    changed = path.stat().st_mtime_ns if source not in SAMPLES and path.is_file() else 0
    return _size_at(source, changed)


@lru_cache(maxsize=256)
def _size_at(source: str, changed: int) -> tuple[int, int]:
    return open_source(source).size


def batches(keys: Sequence[str | None], limits: Sequence[int]) -> list[list[int]]:
    """Sort jobs into batches, about equally large, in order of appearance.

    Args:
        keys: of the jobs; None for one that can share with nobody
        limits: 1 or more, for each job how many like it may share

    Returns:
        The jobs' indices, batch by batch.

    >>> batches(["a", "b", "a", None, "a", "a", "a"], [3] * 7)
    [[0, 2, 4], [5, 6], [1], [3]]
    """
    groups: dict[object, list[int]] = {}
    for index, key in enumerate(keys):
        groups.setdefault(index if key is None else key, []).append(index)
    found = []
    for members in groups.values():
        size = math.ceil(len(members) / math.ceil(len(members) / limits[members[0]]))
        found += [members[i : i + size] for i in range(0, len(members), size)]
    return found
