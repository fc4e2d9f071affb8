"""How two pictures of a sweep differ, pixel by pixel, in red, green and blue."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nst.errors import InputError
from nst.pictures.measures import block_means, psnr_of
from nst.pictures.reading import open_image
from nst.reports.sweeps import Sweep

_COARSE = 8
_LONGEST = 80  # bytes of a file's name: a disk takes 255, with its ending


@dataclass(frozen=True)
class Difference:
    """Two pictures and how they differ.

    Brightness is the mean of red, green and blue, colour what is left of them; the squares add up:
    ``rms² = rms_brightness² + rms_color²``.

    Attributes:
        name: what was subtracted from what
        values: (H, W, 3), signed, on the scale 0 to 255
    """

    name: str
    values: np.ndarray

    @property
    def rms(self) -> float:
        """Root of the mean square over all pixels and channels, of 255."""
        return _rms(self.values)

    @property
    def psnr(self) -> float:
        """The same as a peak signal-to-noise ratio in dB."""
        return psnr_of(self.rms)

    @property
    def brightness(self) -> np.ndarray:
        """(H, W): the mean of the three channels, signed."""
        mean: np.ndarray = self.values.mean(2)
        return mean

    @property
    def color(self) -> np.ndarray:
        """(H, W): root mean square over the channels of what is left; at least 0."""
        left = self.values - self.brightness[..., None]
        root: np.ndarray = np.sqrt((left**2).mean(2))
        return root

    @property
    def rms_brightness(self) -> float:
        """Root mean square of the brightness, of 255."""
        return _rms(self.brightness)

    @property
    def rms_color(self) -> float:
        """Root mean square of the colour, of 255."""
        return _rms(self.color)

    @property
    def coarse_share(self) -> float:
        """What averaging over blocks of 8 × 8 pixels leaves of it, 0 to 1; NaN where it is zero.

        White noise leaves an eighth, a difference of two photographs most of itself.
        """
        return _rms(block_means(self.values, _COARSE)) / self.rms if self.rms else float("nan")

    @property
    def is_zero(self) -> bool:
        """Whether the two pictures are equal."""
        return not self.values.any()


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))


def difference(name: str, a: np.ndarray, b: np.ndarray) -> Difference:
    """How two 8-bit RGB arrays (H, W, 3) of one shape differ."""
    return Difference(name, a.astype(np.float64) - b.astype(np.float64))


def pixels(file: Path) -> np.ndarray:
    """An image file as (H, W, 3) uint8.

    Raises:
        InputError: no such file, or not an image.
    """
    return np.asarray(open_image(file))


def pixels_if_any(file: Path) -> np.ndarray | None:
    """As :func:`pixels`; None where there is no such file, or none that can be read."""
    try:
        return pixels(file)
    except InputError:
        return None


def between_runs(folders: Sequence[Path], labels: Sequence[str]) -> list[Difference]:
    """Each pair of results of one size; those that cannot be read are left out."""
    results = [
        (label, image)
        for folder, label in zip(folders, labels, strict=True)
        if (image := pixels_if_any(folder / "image.png")) is not None
    ]
    return [
        difference(f"{a} − {b}", first, second)
        for (a, first), (b, second) in itertools.combinations(results, 2)
        if first.shape == second.shape
    ]


def to_originals(folders: Sequence[Path], labels: Sequence[str]) -> list[Difference]:
    """Each result against its original (content, else style), where that has its size."""
    differences = []
    for folder, label in zip(folders, labels, strict=True):
        image = pixels_if_any(folder / "image.png")
        files = (pixels_if_any(folder / f"{name}.png") for name in ("content", "style"))
        original = next((each for each in files if each is not None), None)
        if image is not None and original is not None and original.shape == image.shape:
            differences.append(difference(f"{label} − original", image, original))
    return differences


@dataclass(frozen=True)
class SeedGroup:
    """Runs of a sweep that differ in their seed alone.

    Attributes:
        values: of the other axes, as labels
        between: the difference of each pair; equal pictures are left out
        to_original: each result against its original, where it has its size
    """

    values: tuple[str, ...]
    between: list[Difference]
    to_original: list[Difference]

    @property
    def file_name(self) -> str:
        """What a figure of it is called."""
        name = "_".join(["seed_difference", *(value.replace(" ", "") for value in self.values)])
        safe = "".join(c if c.isalnum() or c in "_-." else "-" for c in name)
        return safe.encode()[:_LONGEST].decode(errors="ignore")


def compared_seeds(sweep: Sweep) -> list[SeedGroup]:
    """The groups in which two seeds gave different pictures."""
    if sweep.axis("seed") is None:
        return []
    others = [axis for axis in sweep.axes if axis.key != "seed"]
    keys = [axis.key for axis in others]
    found = []
    for key, runs in sweep.runs.groupby(keys, sort=False) if keys else [((), sweep.runs)]:
        values = key if isinstance(key, tuple) else (key,)
        folders = [Path(folder) for folder in runs["folder"]]
        labels = [f"seed {seed}" for seed in runs["seed"]]
        between = [d for d in between_runs(folders, labels) if not d.is_zero]
        if between:
            original = [d for d in to_originals(folders, labels) if not d.is_zero]
            names = (a.short(str(v)) for a, v in zip(others, values, strict=True))
            found.append(SeedGroup(tuple(names), between, original))
    return found
