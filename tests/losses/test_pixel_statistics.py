"""Second moments and magnitudes of patches against patches cut out, and what they see."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from nst.losses.patches import (
    EDGES,
    PatchTarget,
    _fade,
    patch_loss,
    patch_loss_gradient,
    patch_targets,
    patterns,
)
from torch import Tensor

from nst.losses import patches

PIXELS = torch.device("cpu")


def cut_out(images: Tensor) -> Tensor:
    """Second moments of every patch of pictures on an endless black ground, (N, 27, 27)."""
    found = F.unfold(images, 3, padding=2)  # (N, 27, M)
    found = patterns(PIXELS).flatten(1) @ found
    return found @ found.transpose(1, 2)


def smooth(seed: int, n: int = 1, side: int = 96) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    small = torch.rand(n, 3, side // 8, side // 8, generator=generator)
    return F.interpolate(small, size=(side, side), mode="bicubic").clamp(0, 1)


def test_moments_are_those_of_patches_cut_out() -> None:
    image = smooth(1)
    (target, *_) = patch_targets(image)
    fade = _fade(96, 96, PIXELS)
    expected = cut_out((image - target.mean) * fade) / fade.square().sum()
    found = target.moments * _products(target.spread)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("strip", [2**24, 1])
def test_magnitudes_are_those_of_patches_cut_out(
    strip: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(patches._STRIP, "cpu", strip)
    image = smooth(1)[:, :, :, :91]
    (target, *_) = patch_targets(image)
    cut = patterns(PIXELS).flatten(1)[list(EDGES)] @ F.unfold(image - target.mean, 3)
    sizes = (cut.square() + 1e-6).sqrt().view(1, len(EDGES), 94, 89)
    for i, each in enumerate((sizes, F.avg_pool2d(sizes, 4))):
        rows = each.flatten(2)
        found = target.magnitudes[:, i, :, :-1] * _products(target.spread[:, list(EDGES)])
        expected = rows @ rows.transpose(1, 2) / rows.shape[2]
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
        means = target.magnitudes[:, i, :, -1] * target.spread[:, list(EDGES)] / 3
        torch.testing.assert_close(means, rows.mean(2), rtol=1e-4, atol=1e-6)


def _products(spread: Tensor) -> Tensor:
    return spread[:, :, None] * spread[:, None, :]


def test_pictures_fade_towards_their_borders() -> None:
    fade = _fade(40, 7, PIXELS)
    assert fade.shape == (40, 7)
    torch.testing.assert_close(fade, fade.flip(0, 1))
    assert (fade[8:-8, 2:-2] == 1).all()
    assert 0 < fade.min() == fade[0, 0] < 0.1


def test_patterns_are_orthogonal() -> None:
    flat = patterns(PIXELS).flatten(1)
    flat = flat / flat.norm(dim=1, keepdim=True)
    torch.testing.assert_close(flat @ flat.T, torch.eye(27), rtol=0, atol=1e-6)


def test_a_picture_is_like_itself_and_nothing_else() -> None:
    a, b = smooth(1), smooth(2)
    assert patch_loss(a, patch_targets(a)).item() == pytest.approx(0, abs=1e-10)
    assert patch_loss(b, patch_targets(a)).item() > 1e-3


def test_weave_too_faint_for_total_variation_to_mind_is_seen() -> None:
    """Alternating columns, 3 % of the range, red against blue: the mean stays as it is."""
    image = 0.2 + 0.6 * smooth(1)
    weave = torch.zeros_like(image)
    weave[:, 0, :, ::2], weave[:, 0, :, 1::2] = 0.03, -0.03
    weave[:, 2] = -weave[:, 0]
    assert patch_loss(image + weave, patch_targets(image)).item() > 0.05


def test_a_faint_weave_everywhere_is_not_strong_strokes_in_a_few_places() -> None:
    """Noise in two squares of a grey picture, five times as strong as the other has everywhere."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(1, 1, 100, 100, generator=generator).expand(1, 3, 100, 100)
    places = torch.zeros(100, 100)
    places[20:34, 20:34], places[70:84, 60:74] = 1, 1
    weave, strokes = 0.5 + 0.05 * noise, 0.5 + 0.25 * noise * places
    (weaves, *_), (stroked, *_) = patch_targets(weave), patch_targets(strokes)
    near = (weaves.moments - stroked.moments).square().mean()
    apart = (weaves.magnitudes - stroked.magnitudes).square().mean()
    assert apart > 10 * near, (apart, near)


def test_gradient_agrees_with_finite_differences() -> None:
    images = smooth(3, n=2, side=32).double()
    targets = patch_targets(smooth(4).double())
    assert torch.autograd.gradcheck(
        lambda x: patch_loss(x, targets), images.requires_grad_(), fast_mode=True
    )


def test_gradients_of_a_batch_are_those_of_each_alone() -> None:
    images, own = smooth(5, n=3), [patch_targets(smooth(seed)) for seed in (6, 7, 8)]
    targets = [PatchTarget.of_batch(each) for each in zip(*own, strict=True)]
    values, gradient = patch_loss_gradient(images, targets)
    for i in range(3):
        value, slope = patch_loss_gradient(images[i : i + 1], own[i])
        torch.testing.assert_close(values[i : i + 1], value, rtol=1e-5, atol=1e-8)
        torch.testing.assert_close(gradient[i : i + 1], slope, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(("side", "scales"), [(1, 1), (5, 1), (6, 2), (11, 2), (12, 3), (99, 3)])
def test_small_pictures_have_fewer_scales(side: int, scales: int) -> None:
    picture = torch.rand(1, 3, side, side)
    targets = patch_targets(picture)
    assert len(targets) == scales
    assert torch.isfinite(patch_loss(picture, targets)).all()
