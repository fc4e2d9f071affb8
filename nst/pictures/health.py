"""Whether a finished picture is one, and better than its start; if not, what is wrong with it.

A run may end without an error and with a picture that nobody wants: of one colour, black and white
alone, noise, or its own start. What is looked at is the saved picture, beside the pictures that it
was made from, and how its loss went. Every remark is a sentence with what would help.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nst.pictures.measures import neighbor_correlation, rms_difference, roughness

FLAT = 4.0
"""Standard deviation of each colour channel, of 255, below which a picture is flat …"""
FADED = 0.25
"""… and the share of the originals' own below which it is nearly so; pictures that are as they
should be have 0.75 and more."""
NOISE_NEIGHBORS = 0.5
"""Correlation of neighbouring grey pixels below which a picture may be noise (white noise has 0,
photographs above 0.9, a mosaic of small tiles 0.55) …"""
NOISE_ROUGHNESS = 3.0
"""… and is, where it is also this many times as rough as its original …"""
NOISE_SHARE = 0.5
"""… or neighbours correlate less than this share of what they do in the original: white noise is no
rougher than a mosaic, and faint noise is smoother."""
ONLY_NOISE = 0.3
"""Correlation below which nothing but noise is there: reconstructions from a network's deepest
layers have 0.35, white noise after a few steps of an optimisation up to 0.29."""
CLIPPED = 0.25
"""Share of values at 0 or 255, beyond the originals' own, from which on a picture is clipped;
pictures that are as they should be have up to 0.09."""
UNMOVED = 1.0
"""Root mean square difference from the start, of 255, below which a picture is its start."""
OFTEN = 0.5
"""Share of the steps from which on the guard went back often; ordinary runs have up to 0.16."""


@dataclass(frozen=True)
class Ending:
    """A run at its end.

    Attributes:
        image: the picture, (H, W, 3) in 8 bits
        originals: ``content`` and ``style``, as far as there are, in 8 bits, of any size
        start: what the run began with, in 8 bits; None where that is not known
        losses: at the start and at the end of the last pass; None where they are not known
        steps, restarts: how many, and how often the guard went back
        weights: {key: value} of the losses' weights, as ``loss.tv_weight``
        lr: ``optimizer.lr``
    """

    image: np.ndarray
    originals: Mapping[str, np.ndarray]
    start: np.ndarray | None
    losses: tuple[float, float] | None
    steps: int
    restarts: int
    weights: Mapping[str, float]
    lr: float


def remarks(ending: Ending) -> list[str]:
    """What is wrong with a picture, a sentence each; none for most."""
    about_picture = (_flat, _noise, _faded, _clipped, _unmoved, _not_fallen)
    worst = next(filter(None, (check(ending) for check in about_picture)), None)
    found = (worst, _often_back(ending), _flat_original(ending))
    return [remark for remark in found if remark is not None]


def is_flat(image: np.ndarray) -> bool:
    """Whether a picture (H, W, 3) in 8 bits is of one colour, or nearly."""
    return spread(image) < FLAT


def spread(image: np.ndarray) -> float:
    """Standard deviation of a picture's (H, W, 3) most varied colour channel."""
    return float(image.std((0, 1)).max())


def is_noise(neighbors: float, rougher: float, original_neighbors: float) -> bool:
    """Whether a picture is noise beside its original.

    Args:
        neighbors: its :func:`nst.pictures.measures.neighbor_correlation`, of grey
        rougher: its roughness over the original's; NaN where not known, as the next
        original_neighbors: the original's correlation
    """
    smooth = rougher < NOISE_ROUGHNESS and neighbors >= NOISE_SHARE * original_neighbors
    return neighbors < NOISE_NEIGHBORS and not smooth


def clipped_share(image: np.ndarray) -> float:
    """Share of a picture's values (H, W, 3) that are 0 or 255."""
    return float(np.mean((image == 0) | (image == 255)))


def _flat(ending: Ending) -> str | None:
    return _of_one_color(ending) if is_flat(ending.image) else None


def _faded(ending: Ending) -> str | None:
    least = min(map(spread, ending.originals.values()), default=0.0)
    return _of_one_color(ending) if spread(ending.image) < FADED * least else None


def _of_one_color(ending: Ending) -> str:
    own = spread(ending.image)
    what = f"the picture is nearly of one colour (standard deviation {own:.1f} of 255)"
    if any(map(is_flat, ending.originals.values())):
        return f"{what}, as one is that it was made from"
    if ending.weights.get("loss.tv_weight"):
        return f"{what}: loss.tv_weight=0 leaves out total variation, which may outweigh the rest"
    return f"{what}: init=content or more optimizer.steps (now {ending.steps}) may help"


def _flat_original(ending: Ending) -> str | None:
    flat = [name for name, original in ending.originals.items() if is_flat(original)]
    if not flat:
        return None
    images = "images are" if len(flat) > 1 else "image is"
    return (
        f"the {' and '.join(flat)} {images} of one colour, which leaves little to imitate; "
        f"{flat[0]}=PICTURE chooses another"
    )


def _noise(ending: Ending) -> str | None:
    own, rough = _neighbors(ending.image), roughness(ending.image)
    others = [(_neighbors(each), roughness(each)) for each in ending.originals.values()]
    if own >= ONLY_NOISE or min((neighbors for neighbors, _ in others), default=0) < ONLY_NOISE:
        return None
    if not all(is_noise(own, rough / theirs if theirs else math.inf, n) for n, theirs in others):
        return None
    return (
        f"the picture is noise (neighbouring pixels correlate {own:.2f}, in the originals "
        f"{' and '.join(f'{neighbors:.2f}' for neighbors, _ in others)}): {_shorter(ending)}, or "
        f"more optimizer.steps (now {ending.steps})"
    )


def _clipped(ending: Ending) -> str | None:
    share = clipped_share(ending.image)
    own = max(map(clipped_share, ending.originals.values()), default=0.0)
    if share - own <= CLIPPED:
        return None
    style = _weights(ending, "style")
    return (
        f"{share:.0%} of the picture's values are 0 or 255, of the originals' at most {own:.0%}: "
        f"{_shorter(ending)}{f', or less style ({style})' if style else ''}"
    )


def _unmoved(ending: Ending) -> str | None:
    start, image = ending.start, ending.image
    if start is None or start.shape != image.shape or not ending.steps:
        return None
    apart = rms_difference(image, start)
    if apart >= UNMOVED:
        return None
    what = f"the picture is still its start (they differ by {apart:.1f} of 255)"
    if all(np.array_equal(start, original) for original in ending.originals.values()):
        return f"{what}, which is already what is to be imitated: choose another picture or init"
    if ending.losses is not None and ending.losses[0] == 0:
        return f"{what}, whose loss is 0: another init, or weights above 0 ({_weights(ending)})"
    length = "smaller" if ending.restarts else "larger"
    return (
        f"{what}: other weights ({_weights(ending)}), more optimizer.steps (now {ending.steps}) or "
        f"a {length} optimizer.lr (now {ending.lr:g}) may move it"
    )


def _not_fallen(ending: Ending) -> str | None:
    if ending.losses is None or not ending.steps:
        return None
    start, end = ending.losses
    if end < start:
        return None
    went = "is not finite" if not math.isfinite(end) else "did not fall"
    return f"the loss {went} ({start:.4g} at the start, {end:.4g} at the end): {_shorter(ending)}"


def _often_back(ending: Ending) -> str | None:
    if ending.restarts < max(1.0, OFTEN * ending.steps):
        return None
    return (
        f"the guard went back to the best image in {ending.restarts} of {ending.steps} steps: "
        f"{_shorter(ending)}"
    )


def _neighbors(image: np.ndarray) -> float:
    return neighbor_correlation(image.astype(np.float64).mean(2))


def _shorter(ending: Ending) -> str:
    return f"try a smaller optimizer.lr (now {ending.lr:g})"


def _weights(ending: Ending, of: str = "") -> str:
    return ", ".join(f"{key}={weight:g}" for key, weight in ending.weights.items() if of in key)
