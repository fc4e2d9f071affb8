"""Second moments and magnitudes of patches against patches cut out, and what they see."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from nst.losses.pixel_statistics import (
    EDGES,
    PixelStatistics,
    magnitudes,
    patterns,
    scale_count,
    second_moments,
)
from tests.losses.cases import value

PIXELS = torch.device("cpu")
LOSS = PixelStatistics()


def smooth(seed: int, n: int = 1, side: int = 96) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    small = torch.rand(n, 3, side // 8, side // 8, generator=generator)
    return F.interpolate(small, size=(side, side), mode="bicubic").clamp(0, 1)


def fade(height: int, width: int) -> Tensor:
    """sin² of 45° at the outermost pixels and of 90° from the second on: they count 1/2 and 1."""
    rows, columns = (torch.ones(side) for side in (height, width))
    for side in (rows, columns):
        side[[0, -1]] = math.sin(math.pi / 8) ** 2
        side[[1, -2]] = math.sin(3 * math.pi / 8) ** 2
    return rows[:, None] * columns


def test_moments_are_those_of_patches_cut_out() -> None:
    """Every patch counts of the pictures on an endless black ground, towards which they fade."""
    image = smooth(1)
    mean, weights = image.mean((2, 3), keepdim=True), fade(96, 96)
    patches = F.unfold((image - mean) * weights, 3, padding=2)  # (1, 27, M)
    cut = patterns(PIXELS).flatten(1) @ patches
    expected = cut @ cut.transpose(1, 2) / weights.square().sum()
    torch.testing.assert_close(second_moments(image, mean), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("n", [1, 4])
def test_magnitudes_are_those_of_patches_cut_out(n: int) -> None:
    """Four at once are computed in several strips, of which the last is cut short."""
    images = smooth(1, n)[:, :, :, :91]
    mean = images.mean((2, 3), keepdim=True)
    cut = patterns(PIXELS).flatten(1)[list(EDGES)] @ F.unfold(images - mean, 3)
    sizes = (cut.square() + 1e-6).sqrt().view(n, len(EDGES), 94, 89)
    computed = magnitudes(images, mean)
    for i, each in enumerate((sizes, F.avg_pool2d(sizes, 4))):
        rows = each.flatten(2)
        expected = rows @ rows.transpose(1, 2) / rows.shape[2]
        torch.testing.assert_close(computed[:, i, :, :-1], expected, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(computed[:, i, :, -1], rows.mean(2), rtol=1e-4, atol=1e-6)


def test_patterns_are_orthogonal() -> None:
    flat = patterns(PIXELS).flatten(1)
    flat = flat / flat.norm(dim=1, keepdim=True)
    torch.testing.assert_close(flat @ flat.T, torch.eye(27), rtol=0, atol=1e-6)


def test_another_picture_is_unlike() -> None:
    assert value(LOSS, smooth(2), smooth(1), None).item() > 1e-3


def test_a_grain_too_faint_for_total_variation_to_mind_is_seen() -> None:
    """Alternating columns, 3 % of the range, red against blue: the mean stays as it is."""
    image = 0.2 + 0.6 * smooth(1)
    grain = torch.zeros_like(image)
    grain[:, 0, :, ::2], grain[:, 0, :, 1::2] = 0.03, -0.03
    grain[:, 2] = -grain[:, 0]
    assert value(LOSS, image + grain, image, None).item() > 0.05


def test_a_faint_grain_everywhere_is_not_strong_strokes_in_a_few_places() -> None:
    """Noise in two squares of a grey picture, five times as strong as the other has everywhere."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(1, 1, 100, 100, generator=generator).expand(1, 3, 100, 100)
    places = torch.zeros(100, 100)
    places[20:34, 20:34], places[70:84, 60:74] = 1, 1
    pictures = torch.cat([0.5 + 0.05 * noise, 0.5 + 0.25 * noise * places])
    mean = pictures.mean((2, 3), keepdim=True)

    def apart(values: Tensor) -> float:
        one, other = values.flatten(1)
        return float((one - other).norm() / one.norm())

    assert apart(magnitudes(pictures, mean)) > 2 * apart(second_moments(pictures, mean))


@pytest.mark.parametrize(("side", "scales"), [(1, 1), (5, 1), (6, 2), (11, 2), (12, 3), (99, 3)])
def test_small_pictures_have_fewer_scales(side: int, scales: int) -> None:
    picture = torch.rand(1, 3, side, side)
    assert scale_count(side, side) == scales
    assert LOSS.target(picture).statistic.shape[1] == scales
    assert torch.isfinite(value(LOSS, picture, picture, None)).all()


def test_pictures_of_two_sizes_are_compared_at_the_scales_of_both() -> None:
    small, large = smooth(1, side=8), smooth(1)
    assert torch.isfinite(value(LOSS, small, large, None)).all()
    assert torch.isfinite(value(LOSS, large, small, None)).all()


def test_weights_per_position_are_refused() -> None:
    image = smooth(1)
    with pytest.raises(ValueError, match="no weights per position"):
        LOSS.statistic(image, LOSS.reference(image), weights=torch.ones(1, 1, 96, 96))
