"""How close two images are. Each takes 8-bit RGB arrays (H, W, 3), as saved."""

from __future__ import annotations

import numpy as np

PSNR_OF_EQUAL_IMAGES = 100.0

_WINDOW = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
_WINDOW /= _WINDOW.sum()
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2  # keep SSIM finite where a window is flat


def rms_difference(a: np.ndarray, b: np.ndarray) -> float:
    """Root mean square difference over all pixels of red, green and blue, of 255."""
    return float(np.sqrt(np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2)))


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB: 20 log₁₀(255 / :func:`rms_difference`); equal images: 100.

    >>> dark = np.zeros((2, 2, 3), dtype=np.uint8)
    >>> round(psnr(dark, dark + 51), 2)  # a fifth of 255
    13.98
    """
    return psnr_of(rms_difference(a, b))


def psnr_of(rms: float) -> float:
    """PSNR in dB of a root mean square difference of 255."""
    return PSNR_OF_EQUAL_IMAGES if rms == 0 else float(20 * np.log10(255.0 / rms))


def ssim(a: np.ndarray, b: np.ndarray) -> float | None:
    """Structural similarity (Wang et al. 2004: Gaussian window, σ = 1.5), −1 to 1, mean over RGB.

    None for an image too small for the 11×11 window.
    """
    if min(a.shape[:2]) < len(_WINDOW):
        return None
    channels = range(a.shape[2])  # one by one: large pictures need much memory
    return float(np.mean([_ssim(a[..., channel], b[..., channel]) for channel in channels]))


def _ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Of one channel (H, W)."""
    x, y = a.astype(np.float64), b.astype(np.float64)
    mean_x, mean_y = _weighted_means(x), _weighted_means(y)
    variances = _weighted_means(x * x + y * y) - mean_x**2 - mean_y**2
    covariance = _weighted_means(x * y) - mean_x * mean_y
    means_alike = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
    return float((means_alike * (2 * covariance + _C2) / (variances + _C2)).mean())


def _weighted_means(values: np.ndarray) -> np.ndarray:
    """(H, W) → (H − 10, W − 10), the means under the window wherever it has room."""
    for _ in range(2):  # rows, then columns
        room = len(values) + 1 - len(_WINDOW)
        means = np.zeros((room, *values.shape[1:]))
        for i, weight in enumerate(_WINDOW):
            means += weight * values[i : i + room]
        values = means.swapaxes(0, 1)
    return values


def edge_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Correlation of two images' gradient magnitudes (Sobel, on grey), −1 to 1."""
    from skimage.filters import sobel  # with scipy, of which a run needs nothing

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


def block_means(values: np.ndarray, side: int) -> np.ndarray:
    """Means of (H, W) or (H, W, C) over blocks of side × side pixels; what is left over is cut off.

    A block is at most as large as the values.

    >>> block_means(np.arange(16.0).reshape(4, 4), 2)
    array([[ 2.5,  4.5],
           [10.5, 12.5]])
    """
    side = min(side, *values.shape[:2])
    rows, columns = values.shape[0] // side, values.shape[1] // side
    cut = values[: rows * side, : columns * side].astype(np.float64)
    blocks = cut.reshape(rows, side, columns, side, *values.shape[2:])
    means: np.ndarray = blocks.mean((1, 3))
    return means


def layout_correlation(a: np.ndarray, b: np.ndarray, side: int = 16) -> float:
    """Correlation of two images' means over blocks of side × side pixels, −1 to 1: what stands
    where, whatever the detail. Each channel counts less its own mean; 0 where one is flat.
    """
    first, second = (block_means(image, side) for image in (a, b))
    first, second = (each - each.mean((0, 1)) for each in (first, second))
    norm = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return float((first * second).sum() / norm) if norm > 0 else 0.0
