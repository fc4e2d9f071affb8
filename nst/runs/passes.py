"""The passes of a run: how large its pictures are in each, and how many steps each takes."""

from __future__ import annotations

import math

from nst.config import Config, InitKind, Task, start_kind
from nst.pictures.files import fitted
from nst.pictures.samples import source_size

_SCALES = (0.25, 0.5)
_COARSE_STEPS = 100
_LEAST_SIDE = 128  # shortest at a scale: in less room a texture becomes a copy of its style
_LARGE_TRANSFER = 1024  # from this size on, transfers begin smaller …
_FIRST_SIDE = 512  # … at most this large


def all_passes(cfg: Config) -> list[tuple[int, int]]:
    """(longest side, steps) of each pass: from coarse to fine, at ``size``, and further ones."""
    scales = coarse_scales(cfg)
    sides = [*(round(cfg.size * scale) for scale in scales), cfg.size]
    steps = cfg.optimizer.steps
    if scales and _grows(cfg):
        passes = [(side, max(steps >> number, steps // 4)) for number, side in enumerate(sides)]
    else:
        coarse = min(_COARSE_STEPS, steps // 3)
        passes = [*((side, coarse) for side in sides[:-1] if coarse), (cfg.size, steps)]
    return [*passes, *((round(cfg.size * p.scale), p.steps) for p in cfg.passes)]


def coarse_scales(cfg: Config) -> tuple[float, ...]:
    """Scales below 1 that a run begins with, ``auto`` resolved; see docs/lab/coarse_scales.md."""
    if cfg.coarse_scales != "auto":
        return tuple(cfg.coarse_scales) if isinstance(cfg.coarse_scales, list) else ()
    if cfg.passes or cfg.optimizer.steps < 30:
        return ()
    from_noise = start_kind(cfg) in (InitKind.noise, InitKind.smooth_noise)
    if cfg.task is Task.texture and from_noise:
        return tuple(scale for scale in _SCALES if _has_room(cfg, round(cfg.size * scale)))
    return _halvings(cfg) if _grows(cfg) else ()


def _grows(cfg: Config) -> bool:
    """Whether ``auto`` begins a large transfer at a smaller size.

    Its strokes are as large, relative to the picture, as the network sees them there; the steps at
    the larger sizes, of which there are fewer, add what is fine. So do Gatys et al. 2017 (arXiv
    1611.07865, section 6). A run that goes on from a picture (``init=image``) keeps its size.
    """
    kept = start_kind(cfg) is InitKind.image
    automatic = cfg.coarse_scales == "auto" and not cfg.passes
    return automatic and cfg.task is Task.transfer and not kept and cfg.size >= _LARGE_TRANSFER


def _halvings(cfg: Config) -> tuple[float, ...]:
    """1/2ᵏ … 1/4, 1/2, so that the first size is at most ``_FIRST_SIDE``."""
    count = math.ceil(math.log2(cfg.size / _FIRST_SIDE))
    scales = [2.0**-number for number in range(count, 0, -1)]
    return tuple(scale for scale in scales if _has_room(cfg, round(cfg.size * scale)))


def _has_room(cfg: Config, side: int) -> bool:
    """Whether image and style are large enough to begin at this longest side."""
    return min(*output_size(cfg, side), *style_size(cfg, side)) >= _LEAST_SIDE


def output_size(cfg: Config, side: int) -> tuple[int, int]:
    """(W, H) of the image being optimised, in a pass of this longest side."""
    return fitted(source_size(cfg.style if cfg.task is Task.texture else cfg.content), side)


def style_size(cfg: Config, side: int) -> tuple[int, int]:
    """(W, H) of the style image, in a pass of this longest side."""
    return fitted(source_size(cfg.style), style_side(cfg, side))


def style_side(cfg: Config, side: int) -> int:
    """Longest side of the style image in a pass of this longest side: smaller in a coarse one."""
    if cfg.style_size is None:
        return side
    return round(cfg.style_size * min(1.0, side / cfg.size))
