"""How much a finished picture keeps of the content and has of the style, in two numbers.

A network judges that did not make the picture (:mod:`nst.judges`), at 256 pixels at most: that is
how a picture is seen as a whole, and takes less than half a second.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor

from nst.config import Config, Task
from nst.judges import Judge, held_out_judge
from nst.pictures.files import fitted, quantize, resize, to_tensor

log = logging.getLogger(__name__)

LONGEST = 256
"""Longest side of what is judged, in pixels."""

_SHORTEST = 16  # the deepest layer that is compared sees a position of 16×16


def judged(
    cfg: Config, image: Tensor, originals: Mapping[str, Tensor], start: np.ndarray | None
) -> dict[str, Any]:
    """What a network that did not steer says of a picture.

    Args:
        cfg: of the run
        image: the result (1, 3, H, W)
        originals: content and style (1, 3, H, W), as far as there are
        start: the start image, (H, W, 3) in 8 bits; None where it is not known

    Returns:
        ``by``: the judge; ``content_kept``: correlation of features with the content's, 0 to 1;
        ``style_taken``: the share of the way to the style that the picture went, 0 to 1, from the
        content picture (a texture: from its start): 1 − d(picture)/d(content), d the style
        distance. None each where it cannot be said.
    """
    nothing: dict[str, Any] = {"by": None, "content_kept": None, "style_taken": None}
    try:
        seen = {name: _as_seen(each) for name, each in originals.items()}
        picture = _as_seen(image)
        if min(min(each.shape[2:]) for each in (picture, *seen.values())) < _SHORTEST:
            return nothing
        judge = held_out_judge({cfg.backbone.name.name})
        before = seen.get("content")
        if cfg.task is Task.texture and start is not None:
            before = _as_seen(_from_uint8(start))
        return {
            "by": judge.name,
            "content_kept": _content_kept(judge, picture, seen.get("content")),
            "style_taken": _style_taken(judge, picture, before, seen.get("style")),
        }
    except Exception as error:  # the picture is there, and worth more than what is said of it
        log.warning("how much style and content it has could not be measured: %s", error)
        return nothing


def _as_seen(image: Tensor) -> Tensor:
    """An image (1, 3, H, W) as its file has it, on the processor, at most 256 pixels large."""
    image = quantize(image).cpu().float()
    height, width = image.shape[2:]
    if max(height, width) <= LONGEST:
        return image
    return resize(image, fitted((height, width), LONGEST))


def _from_uint8(image: np.ndarray) -> Tensor:
    from PIL import Image

    return to_tensor(Image.fromarray(image))


def _content_kept(judge: Judge, picture: Tensor, content: Tensor | None) -> float | None:
    if content is None:
        return None
    return _share(judge.content_kept(picture, content))


def _style_taken(
    judge: Judge, picture: Tensor, before: Tensor | None, style: Tensor | None
) -> float | None:
    if before is None or style is None:
        return None
    whole = judge.style_distance(before, style)
    if whole == 0:  # it began as the style itself
        return None
    return _share(1 - judge.style_distance(picture, style) / whole)


def _share(number: float) -> float:
    return round(min(1.0, max(0.0, number)), 4)
