"""Short words for what a config chooses, by which a dashboard groups and filters its runs.

>>> import nst
>>> cfg = nst.compose("task=content", content_layer="conv_4")
>>> run_tags(cfg)[3:]
['content:conv_4', 'init:noise', 'optimizer:lbfgs', 'seed:0']
"""

from __future__ import annotations

import hashlib
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nst.config import Config, Task, layer_sets, start_kind
from nst.config.layers import depth

TAG_LIMIT = 64
"""W&B's own, in characters."""
NAME_LIMIT = 128
"""W&B's own of the names of runs and groups, in characters."""


def layers_label(layers: Sequence[str]) -> str:
    """A set of layers as one word, neighbours as a range; the order does not matter.

    >>> layers_label(["conv_1", "conv_2", "conv_3", "conv_8"])
    'conv_1-3+8'
    >>> layers_label(["relu_1", "input"])
    'input+relu_1'
    """
    numbers: dict[str, list[int]] = {}
    for name in layers:
        stem, digits = re.fullmatch(r"(\D*)(\d*)", name).groups()  # type: ignore[union-attr]
        numbers.setdefault(stem, []).extend([int(digits)] if digits else [])
    return "+".join(stem + _ranges(each) for stem, each in sorted(numbers.items()))


def _ranges(numbers: Iterable[int]) -> str:
    spans: list[list[int]] = []
    for number in sorted(numbers):
        if spans and number == spans[-1][-1] + 1:
            spans[-1].append(number)
        else:
            spans.append([number])
    return "+".join(f"{s[0]}-{s[-1]}" if len(s) > 1 else str(s[0]) for s in spans)


def run_tags(cfg: Config) -> list[str]:
    """The tags of a run: task, network, layers, start, optimiser, seed, study, and its own.

    A tag has at most 64 characters. One that would be longer ends in a hash of the whole, so that
    two never become one.
    """
    content, style = layer_sets(cfg)
    tags = [cfg.task.name, cfg.backbone.name.name, f"weights:{Path(cfg.backbone.weights).stem}"]
    tags += [f"content:{layers_label(content)}"] if content else []
    tags += [f"style:{layers_label(style)}"] if style else []
    tags += [f"init:{start_kind(cfg).name}", f"optimizer:{cfg.optimizer.name.name}"]
    tags += [f"seed:{cfg.seed}", *study_tags(cfg.study.name), *cfg.logger.tags]
    return list(dict.fromkeys(map(short_tag, tags)))


def study_tags(study: str | None) -> list[str]:
    """The tag of a study's runs and of its report; none where there is no study."""
    return [short_tag(f"study:{study}")] if study else []


def short_tag(tag: str) -> str:
    """The tag itself where W&B takes it, else its head and a hash."""
    return _cut(tag, TAG_LIMIT)


def short_name(name: str) -> str:
    """The name of a run or a group itself where W&B takes it, else its head and a hash."""
    return _cut(name, NAME_LIMIT)


def run_name(name: str, group: str | None) -> str:
    """A run's name at W&B: ``WANDB_NAME`` where it is set; in a group, before the run's own."""
    own = os.environ.get("WANDB_NAME")
    return short_name(name if not own else f"{own} {name}" if group else own)


def sweep_group(folder: str) -> str:
    """The group of a sweep, from its folder: what a person would call it, and no local folders.

    That is the part below ``outputs``; the path from the working directory; or, of a folder
    elsewhere, its last part and a hash of the path.

    >>> sweep_group("outputs/sweeps/2026-01-31/12-00-00"), sweep_group("blue")
    ('sweeps/2026-01-31/12-00-00', 'blue')
    >>> sweep_group("/home/me/style/outputs/layer_ablation")
    'layer_ablation'
    """
    path = Path(folder).resolve()
    here = path.is_relative_to(Path.cwd())
    parts = (path.relative_to(Path.cwd()) if here else path).parts
    below = [number for number, part in enumerate(parts[:-1]) if part == "outputs"]
    if below:
        return short_name("/".join(parts[below[-1] + 1 :]))
    if here and parts:
        return short_name("/".join(parts))
    return short_name(f"{path.name}-{_digest(str(path))}")


def _cut(text: str, limit: int) -> str:
    """At most so many characters, in one line; two different texts stay different."""
    line = " ".join(encodable(text).split())
    if line == text and len(text) <= limit:
        return text
    return f"{line[: limit - 9]}-{_digest(text)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:8]


def encodable(text: str) -> str:
    """A text as UTF-8 has it; what a file's name has of other bytes becomes ``?``."""
    return text.encode(errors="replace").decode()


def plain(value: Any) -> Any:
    r"""A config as W&B takes it: numbers that JSON does not have, and unprintable names, as text.

    >>> plain({"lr": [1, float("inf")], "content": "caf\udce9.jpg"})
    {'lr': [1, 'inf'], 'content': 'caf?.jpg'}
    """
    if isinstance(value, Mapping):
        return {encodable(str(key)): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return encodable(value) if isinstance(value, str) else value


def facets(cfg: Config) -> dict[str, Any]:
    """Plain values, which W&B compares, of what the config says with lists, ``auto`` and pairs.

    Returns:
        ``layers.content`` and ``layers.style`` as labels, ``layers.content_depth`` and
        ``layers.style_depth`` as the number of the deepest layer, ``start`` as the kind of the
        start image, and ``style_to_content`` as the ratio of the weights; None for what the task
        does not use.
    """
    layers: dict[str, Any] = {}
    for key, names in zip(("content", "style"), layer_sets(cfg), strict=True):
        depths = [depth(name, cfg.backbone.name.name) for name in names]
        layers[key] = layers_label(names) if names else None
        layers[f"{key}_depth"] = max(depths, default=None)
    weights = cfg.loss.style_weight, cfg.loss.content_weight
    ratio = weights[0] / weights[1] if cfg.task is Task.transfer and weights[1] else None
    return {"layers": layers, "start": start_kind(cfg).name, "style_to_content": ratio}
