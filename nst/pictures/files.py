"""Resize and save images. An image is float32 RGB in [0, 1], shape (N, 3, H, W)."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor


def fitted(size: tuple[int, int], longest: int) -> tuple[int, int]:
    """Two sides in the same proportion, the longest of them ``longest``.

    >>> fitted((640, 480), 64)
    (64, 48)
    """
    scale = longest / max(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def to_tensor(image: Image.Image) -> Tensor:
    """An RGB Pillow image as (1, 3, H, W), float32 in [0, 1]."""
    pixels = torch.from_numpy(np.array(image.convert("RGB"), dtype=np.float32) / 255.0)
    return pixels.permute(2, 0, 1)[None].contiguous()


def to_pil(images: Tensor) -> Image.Image:
    """The first image of (N, 3, H, W), clamped to [0, 1] and rounded to 8 bits, for Pillow."""
    return Image.fromarray(to_uint8(images)[0])


def to_uint8(images: Tensor) -> np.ndarray:
    """(N, 3, H, W) in [0, 1] → (N, H, W, 3), uint8; what is outside the range is clamped."""
    pixels = images.detach().to("cpu", torch.float32).clamp(0, 1) * 255
    return pixels.round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()


def save_png(image: Image.Image, path: Path) -> None:
    """Write an 8-bit sRGB image as a PNG that says that it is sRGB.

    An image has the same bytes at any time: the sRGB chunk has no date, as an ICC profile has.
    """
    info = PngInfo()
    info.add(b"sRGB", b"\0")  # one byte, the rendering intent: perceptual, as of photographs
    image.save(path, format="PNG", pnginfo=info)


def quantize(images: Tensor) -> Tensor:
    """The images as an 8-bit file keeps them: clamped to [0, 1], in steps of 1/255."""
    return (images.detach().clamp(0, 1) * 255).round() / 255


def resize(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize (N, 3, H, W) to ``size`` = (H', W'), bicubic and antialiased, within [0, 1]."""
    if tuple(images.shape[2:]) == size:
        return images
    resized = torch.nn.functional.interpolate(
        images, size, mode="bicubic", antialias=True, align_corners=False
    )
    return resized.clamp(0, 1)


def gaussian_blur(images: Tensor, sigma: float) -> Tensor:
    """Blur (N, C, H, W) with a Gaussian of ``sigma`` pixels, reflecting at the edges."""
    from torchvision.transforms.functional import gaussian_blur as blur

    if sigma <= 0:
        return images
    radius = min(math.ceil(4 * sigma), min(images.shape[2:]) - 1)
    return images if radius < 1 else blur(images, [2 * radius + 1] * 2, [sigma, sigma])
