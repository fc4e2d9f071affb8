from __future__ import annotations

import numpy as np
import pytest

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


def test_ssim_needs_its_window() -> None:
    assert measures.ssim(A[:10], A[:10]) is None
