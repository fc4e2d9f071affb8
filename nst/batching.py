"""Which runs may share a batch: N images in one forward pass, on one device.

Runs share when they differ in nothing but the start image (``seed``, ``init``), the weights of the
loss's terms, and the pictures, as long as the image being optimised keeps its size. Everything
else is the same for all images of a batch: network, layers, conventions, optimiser, steps, task.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from nst.config import Config, Task, layer_sets, picture_settings
from nst.passes import all_passes, output_size, style_size
from nst.patches import scale_count

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
