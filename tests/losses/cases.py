"""Random features of one layer, and the value of a loss on them."""

from __future__ import annotations

import torch
from torch import Tensor

from nst.losses.layer_loss import LayerLoss, LayerSize

# Two channels, four positions, small whole numbers.
F = torch.tensor([[[[1.0, 2.0], [0.0, 1.0]], [[2.0, 0.0], [1.0, 1.0]]]])  # (1, 2, 2, 2)
P = torch.tensor([[[[0.0, 2.0], [1.0, 1.0]], [[1.0, 1.0], [1.0, 3.0]]]])
# F Fᵀ = [[6, 3], [3, 6]]; P Pᵀ = [[6, 6], [6, 12]]
SIZE = LayerSize(channels=2, positions=4, pixels=16)


def random_features(
    seed: int,
    n: int = 1,
    c: int = 3,
    h: int = 4,
    w: int = 5,
    dtype: torch.dtype = torch.float64,
) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, c, h, w, generator=generator, dtype=torch.float64).to(dtype)


def random_pictures(
    seed: int, n: int, h: int = 26, w: int = 37, dtype: torch.dtype = torch.float64
) -> Tensor:
    """(n, 3, h, w) in [0, 1]; sides that are odd at some depth, where pools leave rows out."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, 3, h, w, generator=generator, dtype=torch.float64).to(dtype)


def size_of(features: Tensor, pixels: int | None = None) -> LayerSize:
    """The layer's size; the image has as many pixels as the layer where nothing else is said."""
    positions = features.shape[2] * features.shape[3]
    return LayerSize(features.shape[1], positions, pixels or positions)


def value(loss: LayerLoss, features: Tensor, picture: Tensor, size: LayerSize | None) -> Tensor:
    """The loss (N,) of features where a picture with features (N or 1, …) is imitated."""
    target = loss.target(picture)
    statistic = loss.statistic(features, target.reference)
    return loss.distance(statistic, target, size or size_of(features))
