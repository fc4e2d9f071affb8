"""Which axes of a sweep have an order, so that a line may join their values."""

from __future__ import annotations

import re
from dataclasses import replace

from nst.config.layers import BACKBONES, aliases
from nst.reports.sweeps import Axis


def is_ordered(axis: Axis) -> bool:
    """Whether an axis' values are steps of one scale: numbers, or single layers of a network.

    Seeds are numbers without an order; sets of layers, styles, start images have none either.

    >>> is_ordered(Axis("size", ("64", "128"))), is_ordered(Axis("seed", ("0", "1")))
    (True, False)
    >>> is_ordered(Axis("content_layer", ("input", "conv_2", "relu4_2")))
    True
    >>> is_ordered(Axis("style_layers", ("conv_1-5", "conv_9-12")))
    False
    """
    return len(set(axis.values)) > 1 and _ranks(axis) is not None


def in_order(axis: Axis) -> Axis:
    """An axis with its values from the least to the greatest; one without an order as it is.

    >>> in_order(Axis("size", ("1e3", "64", "128"))).values
    ('64', '128', '1e3')
    >>> in_order(Axis("content_layer", ("conv_10", "conv_9", "pool_1"))).values
    ('pool_1', 'conv_9', 'conv_10')
    >>> in_order(Axis("init", ("noise", "content"))).values
    ('noise', 'content')
    """
    ranks = _ranks(axis)
    if ranks is None:
        return axis
    places = dict(zip(axis.values, ranks, strict=True))
    return replace(axis, values=tuple(sorted(axis.values, key=places.__getitem__)))


def _ranks(axis: Axis) -> list[float] | None:
    """A number for each value by which they are ordered; None where they are not."""
    if axis.key == "seed" or axis.key.endswith((".seed", "_seed")):
        return None
    if all(re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", v, re.I) for v in axis.values):
        return [float(value) for value in axis.values]
    return _depths([value.strip("'\"[] ") for value in axis.values])


def _depths(names: list[str]) -> list[float] | None:
    """How deep each layer lies in the first network that has them all."""
    for backbone in BACKBONES:
        layers = aliases(backbone)
        if all(name in layers for name in names):
            order = list(dict.fromkeys(layers.values()))
            return [float(order.index(layers[name])) for name in names]
    return None
