"""Whether the pictures of a run can be read and are large enough, before any weight is loaded."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

from nst.backbones.load import build
from nst.backbones.network import Backbone
from nst.config import Config, Task, layer_sets, used_images
from nst.errors import InputError
from nst.pictures.files import fitted
from nst.pictures.samples import load_image, source_size
from nst.runs.passes import all_passes, output_size, style_side, style_size

_LARGEST = 16384
"""The largest ``size``."""


def check_pictures(cfg: Config) -> None:
    """Check the pictures by the headers of their files, and against the network's layers; quick.

    Raises:
        InputError: names the key, the picture, what is wrong and what would be right.
    """
    for key, source in used_images(cfg).items():
        _with_key(key, source_size, source)
    for side, _ in sorted(all_passes(cfg)):
        _check_room(cfg, side)


def read_pictures(cfg: Config) -> None:
    """Read the pictures as the first pass will; it finds them in memory then.

    Raises:
        InputError: names the key, the picture, what is wrong and what would be right.
    """
    side = all_passes(cfg)[0][0]
    for key, source in used_images(cfg).items():
        _with_key(key, load_image, source, style_side(cfg, side) if key == "style" else side)


def _with_key(key: str, use: Callable[..., object], source: str, *args: object) -> None:
    """Use a picture; an error begins with the key that names it."""
    try:
        use(source, *args)
    except InputError as error:
        raise InputError(f"{key}={error}") from None


def _check_room(cfg: Config, side: int) -> None:
    """Check that pictures leave a position at the deepest layer, in a pass of this longest side."""
    content, style = layer_sets(cfg)
    result = "style" if cfg.task is Task.texture else "content"
    _require_room(cfg, result, output_size(cfg, side), {*content, *style})
    if style:
        _require_room(cfg, "style", style_size(cfg, side), set(style))


def _require_room(cfg: Config, key: str, size: tuple[int, int], layers: set[str]) -> None:
    """
    Args:
        key: of the picture
        size: (W, H) that it has in the pass
        layers: that see it
    """
    backbone = _network(cfg.backbone.name.name, cfg.backbone.pooling.name)
    deepest = max(layers, key=backbone.least_side)
    least, short = backbone.least_side(deepest), min(size)
    if short >= least:
        return
    source = getattr(cfg, key)
    own, ways = source_size(source), _ways(backbone, source_size(source), least, short)
    raise InputError(
        f"{key}={source}: its {own[0]}×{own[1]} pixels become {size[0]}×{size[1]} at a size of "
        f"{max(size)}, too small for {deepest} of {backbone.name}, which takes {least} or more on "
        f"the shorter side; use {' or '.join(filter(None, (', '.join(ways[:-1]), ways[-1])))}"
    )


def _ways(backbone: Backbone, own: tuple[int, int], least: int, short: int) -> list[str]:
    """What would give a picture room; at least one.

    Args:
        backbone: the network
        own: (W, H) of the picture's file
        least: the shortest side that will do
        short: the shorter side that it has
    """
    larger = _side_with(own, least)
    ways = [f"a size of {larger} or more"] if larger <= _LARGEST else []
    shallower = [name for name in backbone.chain if backbone.least_side(name) <= short]
    ways += [f"layers up to {shallower[-1]}"] if shallower else []
    thin = max(own) > 4 * min(own)
    return ways + (["a picture less thin"] if thin or not ways else [])


def _side_with(size: tuple[int, int], shorter: int) -> int:
    """The least longest side at which a picture of this size has this shorter side."""
    side = max(shorter, math.floor((shorter - 0.5) * max(size) / min(size)))
    while min(fitted(size, side)) < shorter:
        side += 1
    return side


@lru_cache(maxsize=8)
def _network(name: str, pooling: str) -> Backbone:
    """A backbone without its weights."""
    return build(name, pooling)
