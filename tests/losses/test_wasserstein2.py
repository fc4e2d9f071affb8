"""The distance between Gaussians against its formula and its known cases."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import Tensor

from nst.errors import InputError
from nst.losses.wasserstein2 import Wasserstein2
from tests.losses.cases import random_features, size_of, value

LEAST = Wasserstein2(ridge=1e-6)


def moments(features: Tensor) -> tuple[np.ndarray, np.ndarray]:
    flat = features[0].flatten(1).numpy()
    return flat.mean(1), np.cov(flat, bias=True)


def test_it_is_the_formula_with_square_roots_of_matrices() -> None:
    f, s = random_features(1, c=5, h=8, w=9), 2 * random_features(2, c=5, h=7, w=6) + 1
    (mean, covariance), (style_mean, style_covariance) = moments(f), moments(s)
    root = scipy.linalg.sqrtm(style_covariance)
    cross = scipy.linalg.sqrtm(root @ covariance @ root)
    squared = np.square(mean - style_mean).sum()
    squared += np.trace(covariance + style_covariance - 2 * cross)
    assert value(LEAST, f, s, None).item() == pytest.approx(squared / 5, rel=1e-4)


def test_a_cloud_that_is_moved_is_as_far_as_it_was_moved() -> None:
    f = random_features(3, c=4)
    shift = torch.tensor([1.0, 0.0, -2.0, 0.5], dtype=torch.float64).view(1, 4, 1, 1)
    assert value(LEAST, f + shift, f, None).item() == pytest.approx((1 + 4 + 0.25) / 4)


def test_a_cloud_that_is_stretched_is_as_far_as_its_spread_grew() -> None:
    """Clouds of covariances Σ and k²Σ around 0 are (k − 1)² tr Σ apart."""
    f = random_features(4, c=4)
    f = f - f.mean((2, 3), keepdim=True)
    spread = f.square().sum().item() / 20
    assert value(LEAST, 3 * f, f, None).item() == pytest.approx(4 * spread / 4, rel=1e-4)


def test_relative_is_1_for_features_that_are_0() -> None:
    s, loss = random_features(5) + 0.5, Wasserstein2("relative", ridge=1e-6)
    assert value(loss, 0 * s, s, None).item() == pytest.approx(1, rel=0.01)
    scaled = value(loss, 7 * random_features(6), 7 * s, None).item()
    assert scaled == pytest.approx(value(loss, random_features(6), s, None).item())


def test_fewer_positions_than_channels_can_be_compared() -> None:
    f, s = (random_features(seed, c=9, h=2, w=2).requires_grad_() for seed in (7, 8))
    distance = value(Wasserstein2(), f, s.detach(), None)
    (slope,) = torch.autograd.grad(distance.sum(), f)
    assert distance.item() > 0
    assert torch.isfinite(slope).all()


def test_what_is_symmetric_in_the_formula_is_symmetric() -> None:
    f, s = random_features(9), random_features(10)
    size = size_of(f)
    one, other = value(LEAST, f, s, size).item(), value(LEAST, s, f, size).item()
    assert one == pytest.approx(other, rel=1e-4)


@pytest.mark.parametrize("ridge", [0, -1, 2])
def test_a_ridge_that_cannot_be_is_refused(ridge: float) -> None:
    with pytest.raises(InputError, match=r"loss\.style\.ridge=.*: expected 1e-06 to 1"):
        Wasserstein2(ridge=ridge)


@pytest.mark.parametrize("noise", [0.0, 1e-6, 1e-3])
def test_a_style_that_is_all_but_flat_can_be_compared(noise: float) -> None:
    """A white page's features: large means, hardly any variance, in float32."""
    generator = torch.Generator().manual_seed(0)
    means = torch.rand(1, 64, 1, 1, generator=generator)
    style = means + noise * torch.randn(1, 64, 40, 40, generator=generator)
    for loss in (Wasserstein2("relative"), Wasserstein2("mean")):
        assert value(loss, style, style, None).item() == pytest.approx(0, abs=1e-9)
        moved = value(loss, style + 0.1, style, None).item()
        scale = 64 if loss.normalization == "mean" else means.square().sum().item()
        assert moved == pytest.approx(64 * 0.01 / scale, rel=0.01)
