"""What the studies measure on the pictures of a sweep."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor

from nst.backbones.load import load_backbone
from nst.backbones.network import Backbone
from nst.losses.gram import gram_matrix
from nst.pictures.files import open_image, to_tensor
from nst.reports.measuring.differences import pixels
from nst.reports.sweeps import Sweep

REFERENCE_LAYERS = ("relu_1", "relu_3", "relu_5", "relu_9", "relu_13")


@lru_cache(maxsize=1)
def reference_network() -> Backbone:
    """The network that textures are compared with, whatever network made them."""
    return load_backbone("vgg19_mini", "shipped", "avg")


def gram_distance(
    backbone: Backbone, image: Tensor, style: Tensor, layers: Sequence[str] = REFERENCE_LAYERS
) -> float:
    """Mean over layers of ‖G − A‖ / ‖A‖; images (1, 3, H, W) in [0, 1]; 0 for the style itself."""
    with torch.no_grad():
        features, target = backbone(image, layers), backbone(style, layers)
    errors = []
    for layer in layers:
        g, a = gram_matrix(features[layer]), gram_matrix(target[layer])
        errors.append(float((g - a).norm() / a.norm()))
    return sum(errors) / len(errors)


@torch.no_grad()
def feature_correlation(backbone: Backbone, image: Tensor, content: Tensor, layer: str) -> float:
    """Correlation of one layer's features in two images (1, 3, H, W) in [0, 1]: −1 to 1."""
    features = [backbone(each, (layer,))[layer].flatten() for each in (image, content)]
    return float(torch.corrcoef(torch.stack(features))[0, 1])


def style_distance(folder: Path, style: Path | None = None) -> float:
    """:func:`gram_distance` of a run's picture to its style image, or to another."""
    files = (folder / "image.png", style or folder / "style.png")
    image, target = (to_tensor(open_image(file)) for file in files)
    return gram_distance(reference_network(), image, target)


def folders(sweep: Sweep) -> list[Path]:
    """The folders of the runs, in the table's order."""
    return [Path(folder) for folder in sweep.runs["folder"]]


def medians(sweep: Sweep, key: str, values: Iterable[float]) -> dict[str, float]:
    """Median of a value for each value of an axis, in the axis' order."""
    axis, numbers = sweep.axis(key), np.array(list(values), dtype=float)
    if axis is None:
        return {"all": float(np.median(numbers))}
    of_run = sweep.runs[key].to_numpy()
    return {value: float(np.median(numbers[of_run == value])) for value in axis.values}


def rank_correlation(a: Sequence[float], b: Sequence[float]) -> float:
    """Spearman's, −1 to 1; NaN for fewer than two."""
    return float(spearmanr(a, b).statistic) if len(a) > 1 else float("nan")


def content_and_result(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """A run's content image and what came of it, (H, W, 3) uint8."""
    return pixels(folder / "content.png"), pixels(folder / "image.png")
