"""How close two images are. Each takes 8-bit RGB arrays (H, W, 3), as saved."""

from __future__ import annotations

import numpy as np
from skimage.filters import sobel
from skimage.metrics import structural_similarity

PSNR_OF_EQUAL_IMAGES = 100.0


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB: 10 log₁₀(255² / MSE); 100 for equal images."""
    mse = float(np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2))
    return PSNR_OF_EQUAL_IMAGES if mse == 0 else float(10 * np.log10(255.0**2 / mse))


def ssim(a: np.ndarray, b: np.ndarray) -> float | None:
    """Structural similarity (Wang et al. 2004: Gaussian window, σ = 1.5), −1 to 1, mean over RGB.

    None for an image too small for the 11×11 window.
    """
    if min(a.shape[:2]) < 11:
        return None
    value = structural_similarity(  # type: ignore[no-untyped-call]
        a, b,
        channel_axis=2, data_range=255, gaussian_weights=True, sigma=1.5,
        use_sample_covariance=False,
    )  # fmt: skip
    return float(value)


def edge_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Correlation of two images' gradient magnitudes (Sobel, on grey), −1 to 1."""
    edges = [sobel(image.astype(np.float64).mean(2)).ravel() for image in (a, b)]  # type: ignore[no-untyped-call]
    if min(e.std() for e in edges) == 0:
        return 0.0
    return float(np.corrcoef(edges[0], edges[1])[0, 1])


def neighbor_correlation(values: np.ndarray) -> float:
    """Correlation of (H, W) values with those one pixel away: about 0 for white noise, 1 for a
    smooth picture. Mean of both directions.
    """
    pairs = ((values[:, 1:], values[:, :-1]), (values[1:], values[:-1]))
    correlations = []
    for x, y in pairs:
        if x.std() == 0 or y.std() == 0:
            return 1.0
        correlations.append(np.corrcoef(x.ravel(), y.ravel())[0, 1])
    return float(np.mean(correlations))


def roughness(image: np.ndarray) -> float:
    """Mean absolute difference of neighbouring pixels, of 255."""
    values = image.astype(np.float64)
    return (
        float(np.abs(np.diff(values, axis=0)).mean() + np.abs(np.diff(values, axis=1)).mean()) / 2
    )
