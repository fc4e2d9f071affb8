"""The weights of ``loss=balanced`` that ``strength`` stands for.

Each network has three style weights beside a content weight of 1, of strength ¼, ½ and ¾
(``strength_weights`` in ``conf/backbone``), measured so that *content kept*, in the eyes of a
network that did not steer, falls evenly from strength 0, the photograph, to strength 1:
docs/lab/strength.md. Between and beyond them the logarithm of the weight is linear in the log odds
of the strength, log s/(1−s), so it goes from 0 to infinity. From a texture's own style weight on it
is the content weight that falls instead, to 0 at strength 1, so that style and total variation keep
the balance of a texture.
"""

from __future__ import annotations

import math

from nst.config.schema import BackboneConfig, Config, Task
from nst.errors import require


def style_weight(task: Task, strength: float, backbone: BackboneConfig) -> float:
    """The style weight of a transfer; a texture's where the task is another.

    Args:
        task: of the run
        strength: 0 to 1
        backbone: the network's part of the config

    Raises:
        InputError: a strength out of its range, or weights that do not rise.

    >>> mini = BackboneConfig(default_style_weight=100, strength_weights=[0.5, 2, 32])
    >>> [style_weight(Task.transfer, s, mini) for s in (0, 0.1, 0.25, 0.5, 0.75, 0.9, 1)]
    [0.0, 0.125, 0.5, 2.0, 32.0, 100.0, 100.0]
    """
    texture = float(backbone.default_style_weight)
    return min(_ratio(strength, backbone), texture) if task is Task.transfer else texture


def content_weight(
    task: Task, strength: float, backbone: BackboneConfig, beside: float | None = None
) -> float:
    """The content weight: 1, and less in a transfer that has a texture's style weight.

    Args:
        task, strength, backbone: as :func:`style_weight`
        beside: the style weight of the config, if it may be another than that of the strength

    >>> mini = BackboneConfig(default_style_weight=100, strength_weights=[0.5, 2, 32])
    >>> [content_weight(Task.transfer, s, mini) for s in (0, 0.5, 0.75, 0.9, 1)]
    [1.0, 1.0, 1.0, 0.1953, 0.0]
    >>> content_weight(Task.transfer, 1, mini, beside=7)
    1.0
    """
    style = style_weight(task, strength, backbone)
    ratio = _ratio(strength, backbone)
    if task is not Task.transfer or ratio <= style or beside not in (None, style):
        return 1.0
    return _rounded(style / ratio)


def tv_weight(task: Task, strength: float, beside: float) -> float:
    """The weight of total variation: 1, but 0 for the photograph, which needs no smoothing.

    Args:
        task, strength: as :func:`style_weight`
        beside: the style weight of the config

    >>> [tv_weight(Task.transfer, 0, 0), tv_weight(Task.transfer, 0, 7)]
    [0.0, 1.0]
    """
    return 0.0 if task is Task.transfer and strength == 0 and beside == 0 else 1.0


def decides(cfg: Config) -> bool:
    """Whether a config's style weight is that of its strength, and not another's."""
    weight = style_weight(cfg.task, cfg.strength, cfg.backbone)
    return cfg.task is Task.transfer and cfg.loss.style_weight == weight


def _ratio(strength: float, backbone: BackboneConfig) -> float:
    """The style weight beside a content weight of 1."""
    require(0 <= strength <= 1, "strength", strength, "0 to 1")
    quarter, half, three_quarters = _measured(backbone)
    if strength in (0, 1):
        return math.inf if strength else 0.0
    odds = math.log(strength / (1 - strength), 3)  # -1, 0 and 1 where the weights were measured
    base = half / quarter if odds < 0 else three_quarters / half
    return _rounded(half * base**odds)


def _measured(backbone: BackboneConfig) -> tuple[float, float, float]:
    weights = list(backbone.strength_weights)
    expected = "three rising style weights above 0, of strength 0.25, 0.5 and 0.75"
    rising = len(weights) == 3 and 0 < weights[0] < weights[1] < weights[2] <= 1e6
    require(rising, "backbone.strength_weights", weights, expected)
    return weights[0], weights[1], weights[2]


def _rounded(weight: float) -> float:
    """Without the digits that mean nothing."""
    return float(f"{weight:.4g}")
