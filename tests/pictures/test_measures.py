from __future__ import annotations

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from nst.pictures import measures

RNG = np.random.default_rng(0)
A = RNG.integers(0, 256, (20, 30, 3), dtype=np.uint8)


def test_psnr_by_hand() -> None:
    b = np.where(A < 250, A + 5, A - 5).astype(np.uint8)
    assert measures.psnr(A, b) == pytest.approx(10 * np.log10(255**2 / 25))
    assert measures.psnr(A, A) == 100.0
    assert measures.psnr(np.zeros_like(A), np.full_like(A, 255)) == 0.0


def test_ssim_orders_images() -> None:
    noise = np.clip(A + RNG.normal(0, 20, A.shape), 0, 255).astype(np.uint8)
    same, close, other = measures.ssim(A, A), measures.ssim(A, noise), measures.ssim(A, 255 - A)
    assert same == pytest.approx(1.0)
    assert close is not None
    assert other is not None
    assert 1 > close > other


@pytest.mark.parametrize("shape", [(11, 11, 3), (20, 30, 3), (75, 64, 3)])
def test_ssim_is_that_of_scikit_image(shape: tuple[int, ...]) -> None:
    a = RNG.integers(0, 256, shape, dtype=np.uint8)
    b = np.clip(a + RNG.normal(0, 40, shape), 0, 255).astype(np.uint8)
    theirs = structural_similarity(  # type: ignore[no-untyped-call]
        a, b,
        channel_axis=2, data_range=255, gaussian_weights=True, sigma=1.5,
        use_sample_covariance=False,
    )  # fmt: skip
    assert measures.ssim(a, b) == pytest.approx(theirs, abs=1e-12)


def test_ssim_needs_its_window() -> None:
    assert measures.ssim(A[:10], A[:10]) is None


@pytest.mark.parametrize("much", [1, 5, 25, 60])
def test_psnr_and_rms_difference_say_the_same(much: int) -> None:
    b = np.clip(A + RNG.normal(0, much, A.shape), 0, 255).astype(np.uint8)
    rms = measures.rms_difference(A, b)
    by_hand = np.sqrt(np.mean((A.astype(int) - b.astype(int)) ** 2))
    assert rms == pytest.approx(by_hand)
    assert measures.psnr(A, b) == pytest.approx(20 * np.log10(255 / rms))
    assert measures.psnr_of(rms) == measures.psnr(A, b)
    assert measures.rms_difference(b, A) == rms


def test_psnr_of_values_that_claims_and_captions_state() -> None:
    """20 dB: 25 of 255. 30 dB: 8 of 255."""
    assert measures.psnr_of(25.5) == pytest.approx(20)
    assert measures.psnr_of(255 / 10**1.5) == pytest.approx(30)
    assert measures.psnr_of(0) == 100


def test_block_means_by_hand() -> None:
    values = np.arange(30.0).reshape(5, 6)  # the fifth row is cut off
    assert measures.block_means(values, 2).tolist() == [[3.5, 5.5, 7.5], [15.5, 17.5, 19.5]]
    colors = np.stack([values, 2 * values], 2)
    assert measures.block_means(colors, 2)[..., 1].tolist() == [[7, 11, 15], [31, 35, 39]]
    assert measures.block_means(values, 1).tolist() == values.tolist()


def test_a_block_is_at_most_as_large_as_the_picture() -> None:
    assert measures.block_means(A, 100).shape == (1, 1, 3)
    assert measures.block_means(A, 20).shape == (1, 1, 3)


def test_means_over_blocks_leave_an_eighth_of_white_noise() -> None:
    noise = np.random.default_rng(1).normal(0, 20, (160, 160, 3))
    assert measures.block_means(noise, 8).std() / noise.std() == pytest.approx(1 / 8, rel=0.1)


def test_layout_is_what_stands_where_whatever_the_detail() -> None:
    y, x = np.mgrid[0:128, 0:128]
    scene = np.stack([x, y, 255 - x], 2) * (200 / 255)
    grainy = scene + np.random.default_rng(0).normal(0, 30, scene.shape)
    assert measures.layout_correlation(scene, scene) == pytest.approx(1)
    assert measures.layout_correlation(scene, grainy) > 0.95
    assert measures.layout_correlation(scene, scene * 0.5 + 60) == pytest.approx(1)  # contrast
    assert measures.layout_correlation(scene, 255 - scene) == pytest.approx(-1)
    assert measures.layout_correlation(scene, scene[::-1, ::-1]) == pytest.approx(-1)
    white = np.random.default_rng(2).normal(128, 50, scene.shape)
    assert abs(measures.layout_correlation(scene, white)) < 0.3


def test_each_channel_counts_less_its_own_mean() -> None:
    """Two pictures of one tint have that tint in common and no layout."""
    rng = np.random.default_rng(3)
    first, second = (rng.normal(0, 10, (64, 64, 3)) + np.array([200, 100, 0]) for _ in range(2))
    assert abs(measures.layout_correlation(first, second, 8)) < 0.3


def test_a_flat_picture_has_no_layout_and_no_edges() -> None:
    flat = np.full_like(A, 128)
    assert measures.layout_correlation(A, flat) == 0
    assert measures.edge_correlation(A, flat) == 0
    assert measures.roughness(flat) == 0
    assert measures.neighbor_correlation(flat[..., 0].astype(float)) == 1


def test_edges_stand_where_they_stood_in_other_colors_too() -> None:
    y, x = np.mgrid[0:48, 0:48]
    disc = np.where((x - 24) ** 2 + (y - 24) ** 2 < 200, 220, 30)[..., None] * np.ones(3)
    assert measures.edge_correlation(disc, disc) == pytest.approx(1)
    assert measures.edge_correlation(disc, 255 - disc) == pytest.approx(1)
    assert measures.edge_correlation(disc, np.roll(disc, 12, 1)) < 0.5


def test_white_noise_is_rough_and_its_neighbours_have_nothing_in_common() -> None:
    noise = np.random.default_rng(4).normal(128, 20, (64, 64, 3))
    smooth = np.mgrid[0:64, 0:64][0][..., None] * np.ones(3)
    assert abs(measures.neighbor_correlation(noise[..., 0])) < 0.1
    assert measures.neighbor_correlation(smooth[..., 0] + smooth[..., 0].T) > 0.99
    assert measures.roughness(noise) == pytest.approx(20 * 2 / np.pi**0.5, rel=0.05)
    assert measures.roughness(smooth) == pytest.approx(0.5)
