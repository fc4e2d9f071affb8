"""Starting images. Each image of a batch has its own seed and never depends on its neighbours."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from nst.pictures.files import gaussian_blur


def _draw(seed: int, size: tuple[int, int], distribution: str) -> Tensor:
    """(3, H, W) of noise: standard normal, or uniform in [−1, 1]; drawn on the CPU."""
    generator = torch.Generator().manual_seed(seed)
    if distribution == "uniform":
        return torch.rand(3, *size, generator=generator) * 2 - 1
    return torch.randn(3, *size, generator=generator)


def noise(
    seeds: Sequence[int],
    size: tuple[int, int],
    *,
    mean: float = 0.5,
    amplitude: float = 0.2,
    distribution: str = "normal",
) -> Tensor:
    """White noise around a grey: ``mean + amplitude · z``.

    Drawn on the CPU, so that a seed gives the same image on every device.

    Args:
        seeds: one per image; 0 is a seed like any other
        size: (H, W)
        mean: grey level, 0 to 1
        amplitude: standard deviation (``normal``) or half-width (``uniform``), in units of [0, 1]
        distribution: ``normal`` or ``uniform``

    Returns:
        (N, 3, H, W); not clamped.
    """
    return mean + amplitude * torch.stack([_draw(seed, size, distribution) for seed in seeds])


def smooth_noise(
    seeds: Sequence[int],
    size: tuple[int, int],
    *,
    sigma: float,
    mean: float = 0.5,
    amplitude: float = 0.2,
    distribution: str = "normal",
) -> Tensor:
    """Noise blurred by a Gaussian of ``sigma`` pixels, then brought back to the same spread.

    Arguments and result as :func:`noise`.
    """
    z = torch.stack([_draw(seed, size, distribution) for seed in seeds])
    spread = z.flatten(1).std(1)
    z = gaussian_blur(z, sigma)
    z = z * (spread / z.flatten(1).std(1).clamp_min(1e-12)).view(-1, 1, 1, 1)
    return mean + amplitude * z


def from_image(
    image: Tensor, seeds: Sequence[int], *, amplitude: float = 0.0, distribution: str = "normal"
) -> Tensor:
    """An image with noise of ``amplitude`` added, clamped to [0, 1], one copy per seed.

    Args:
        image: (1, 3, H, W) in [0, 1]
        seeds, amplitude, distribution: as :func:`noise`

    Returns:
        (N, 3, H, W) in [0, 1]
    """
    copies = image.expand(len(seeds), -1, -1, -1).clone()
    if amplitude == 0:
        return copies
    size = (image.shape[2], image.shape[3])
    z = torch.stack([_draw(seed, size, distribution) for seed in seeds])
    return (copies + amplitude * z.to(copies)).clamp(0, 1)
