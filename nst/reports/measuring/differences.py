"""How pictures of a sweep differ from each other and from their original, pixel by pixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from nst.reports.sweeps import Sweep, short

_MAX_SEEDS = 3


@dataclass(frozen=True)
class Difference:
    """Two pictures and how they differ: signed, of the mean of RGB, on the scale 0 to 255."""

    name: str
    values: np.ndarray

    @property
    def mean(self) -> float:
        """Mean signed difference."""
        return float(self.values.mean())

    @property
    def spread(self) -> float:
        """Standard deviation."""
        return float(self.values.std())

    @property
    def rms(self) -> float:
        """Root of the mean square."""
        return float(np.sqrt(np.mean(self.values**2)))


def difference(name: str, a: np.ndarray, b: np.ndarray) -> Difference:
    """How two 8-bit RGB arrays (H, W, 3) of one shape differ."""
    return Difference(name, a.astype(np.float32).mean(2) - b.astype(np.float32).mean(2))


def pixels(file: Path) -> np.ndarray:
    """An image file as (H, W, 3) uint8."""
    with Image.open(file) as image:
        return np.asarray(image.convert("RGB"))


def seed_differences(folders: Sequence[Path], labels: Sequence[str]) -> list[Difference]:
    """Each pair of results, then each result against its original (content, else style)."""
    results = [pixels(folder / "image.png") for folder in folders]
    differences = [
        difference(f"{labels[i]} − {labels[j]}", results[i], results[j])
        for i in range(len(results))
        for j in range(i + 1, len(results))
    ]
    for folder, label, image in zip(folders, labels, results, strict=True):
        files = (folder / "content.png", folder / "style.png")
        original = next((pixels(file) for file in files if file.is_file()), None)
        if original is not None and original.shape == image.shape:
            differences.append(difference(f"{label} − original", image, original))
    return differences


def seed_groups(sweep: Sweep, limit: int = 6) -> dict[str, list[Difference]]:
    """Differences between runs that differ in their seed alone, a list for each such group."""
    if sweep.axis("seed") is None:
        return {}
    others = [axis.key for axis in sweep.axes if axis.key != "seed"]
    groups = sweep.runs.groupby(others, sort=False) if others else [((), sweep.runs)]
    differences = {}
    for key, runs in list(groups)[:limit]:
        if len(runs) < 2 or runs[["width", "height"]].drop_duplicates().shape[0] > 1:
            continue
        values = key if isinstance(key, tuple) else (key,)
        name = "_".join(["seed_difference", *(short(str(v)).replace(" ", "") for v in values)])
        folders = [Path(folder) for folder in runs["folder"]][:_MAX_SEEDS]
        labels = [f"seed {seed}" for seed in runs["seed"]][:_MAX_SEEDS]
        differences[_file_name(name)] = seed_differences(folders, labels)
    return differences


def _file_name(name: str) -> str:
    return "".join(c if c.isalnum() or c in "_-." else "-" for c in name)[:80]
