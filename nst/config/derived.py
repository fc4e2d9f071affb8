"""What follows from a config: the start image, the pictures and the layers that a run needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nst.config import layers as layer_names
from nst.config.schema import WEIGHTS, Config, InitKind, Task
from nst.errors import InputError, require


def start_kind(cfg: Config) -> InitKind:
    """What the start image is, ``auto`` resolved: content for a transfer, noise for the rest."""
    if cfg.init.kind is not InitKind.auto:
        return cfg.init.kind
    return InitKind.content if cfg.task is Task.transfer else InitKind.noise


def pixel_format(weights: str, setting: str) -> str:
    """How weights want their pixels, ``imagenet`` or ``caffe``.

    Args:
        weights: as in ``backbone.weights``, a name or a path
        setting: ``auto``, ``imagenet`` or ``caffe``

    Raises:
        InputError: the setting contradicts the weights.
    """
    usual = "caffe" if weights == "caffe" else "imagenet"
    if setting not in ("auto", usual) and weights in WEIGHTS:
        raise InputError(
            f"backbone.input={setting} contradicts backbone.weights={weights}, whose input is "
            f"{usual}; leave it at auto, or give the path of a file as backbone.weights"
        )
    return usual if setting == "auto" else setting


def used_images(cfg: Config) -> dict[str, str]:
    """{key: path or sample} of the pictures that the run needs."""
    used: dict[str, str] = {}
    if cfg.task is not Task.texture or cfg.init.kind is InitKind.content:
        used["content"] = cfg.content
    if cfg.task is not Task.content or cfg.init.kind is InitKind.style:
        used["style"] = cfg.style
    if cfg.init.kind is InitKind.image:
        require(cfg.init.image is not None, "init.image", None, "a path or a sample's name")
        used["init.image"] = str(cfg.init.image)
    return used


def layer_sets(cfg: Config) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Canonical content and style layers that the task needs; what it does not need is empty.

    Raises:
        InputError: a layer that the backbone does not have.
    """
    sets: list[tuple[str, ...]] = []
    for key, without in (("content_layer", Task.texture), ("style_layers", Task.content)):
        if cfg.task is without:
            sets.append(())
            continue
        names = getattr(cfg, key)
        listed = isinstance(names, list) and all(isinstance(n, str) for n in names)
        require(listed or isinstance(names, str), key, names, "a layer's name or a list of names")
        try:
            sets.append(layer_names.resolve(names, cfg.backbone.name.name))
        except InputError as error:
            raise InputError(f"{key}: {error}") from None
    return sets[0], sets[1]


def layer_weights(weights: Any, layers: Sequence[str], key: str) -> dict[str, float]:
    """{layer: w_l} from ``mean``, ``sum`` or a list as long as the layers.

    Raises:
        InputError: anything else, under the name of the key.
    """
    if weights == "mean":
        return {layer: 1.0 / len(layers) for layer in layers}
    if weights == "sum":
        return dict.fromkeys(layers, 1.0)
    numbers = isinstance(weights, list) and all(
        isinstance(w, (int, float)) and not isinstance(w, bool) and 0 <= w <= 1e30 for w in weights
    )
    require(numbers, key, weights, "mean, sum or a list of weights, 0 to 1e30")
    if layers and len(weights) != len(layers):
        raise InputError(
            f"{key} has {len(weights)} weights for {len(layers)} layers ({', '.join(layers)}); "
            "give one each, or mean or sum"
        )
    return {layer: float(w) for layer, w in zip(layers, weights, strict=False)}
