"""The passes of a run: how large its pictures are in each, and how many steps each takes."""

from __future__ import annotations

from nst.config import Config, InitKind, Task, start_kind
from nst.pictures.files import fitted
from nst.pictures.samples import source_size

_SCALES = (0.25, 0.5)
_COARSE_STEPS = 100
_LEAST_SIDE = 128  # shortest at a scale: in less room a texture becomes a copy of its style


def all_passes(cfg: Config) -> list[tuple[int, int]]:
    """(longest side, steps) of each pass: from coarse to fine, at ``size``, and further ones."""
    steps = cfg.optimizer.steps
    coarse = min(_COARSE_STEPS, steps // 3)
    passes = [(round(cfg.size * scale), coarse) for scale in coarse_scales(cfg) if coarse]
    passes.append((cfg.size, steps))
    return [*passes, *((round(cfg.size * p.scale), p.steps) for p in cfg.passes)]


def coarse_scales(cfg: Config) -> tuple[float, ...]:
    """Scales below 1 that a run begins with, ``auto`` resolved; see docs/lab/coarse_scales.md."""
    if cfg.coarse_scales != "auto":
        return tuple(cfg.coarse_scales) if isinstance(cfg.coarse_scales, list) else ()
    from_noise = start_kind(cfg) in (InitKind.noise, InitKind.smooth_noise)
    if cfg.task is not Task.texture or not from_noise or cfg.passes or cfg.optimizer.steps < 30:
        return ()
    return tuple(scale for scale in _SCALES if _has_room(cfg, round(cfg.size * scale)))


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
