"""Which runs may share a batch: N images in one forward pass, on one device.

Runs share when they differ in nothing but the start image (``seed``, ``init``), the weights of the
loss's terms, and the pictures, as long as the image being optimised keeps its size. Everything
else is the same for all images of a batch: network, layers, losses, optimiser, steps, task.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from nst.config import Config, Task, layer_sets, picture_settings
from nst.losses.terms import terms_from_config
from nst.runs.passes import all_passes, output_size, style_size

OWN = ("seed", "init", "content", "style", "style_size", "strength")
"""Keys that may differ within a batch, besides the logger and the snapshots."""


def batch_key(cfg: Config) -> str:
    """Configs with the same key may share a batch.

    Raises:
        InputError: a layer that is not there, or a picture that cannot be read.
    """
    shared: dict[str, Any] = picture_settings(cfg)
    for key in OWN:
        del shared[key]
    shared["threads"] = cfg.threads
    shared["checkpoint_every"] = cfg.checkpoint_every
    shared["content_layer"], shared["style_layers"] = layer_sets(cfg)
    terms = terms_from_config(cfg).terms  # their weights may differ
    shared["loss"] = repr(terms)
    if cfg.task is not Task.content:
        styles = [style_size(cfg, side) for side, _ in all_passes(cfg)]
        of_style = [term.loss for term in terms if term.imitates == "style"]
        shared["styles"] = [[loss.batch_key(size) for loss in of_style] for size in styles]
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
    sorted_in: list[list[int]] = []
    for members in groups.values():
        size = math.ceil(len(members) / math.ceil(len(members) / limits[members[0]]))
        sorted_in += [members[i : i + size] for i in range(0, len(members), size)]
    return sorted_in
