"""Load, resize and save images. An image is float32 RGB in [0, 1], shape (N, 3, H, W)."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from nst.errors import InputError


def open_image(path: str | Path) -> Image.Image:
    """Open a file as 8-bit RGB: upright (EXIF), transparency over white, 16 bits scaled to 8.

    Raises:
        InputError: no such file, or not an image that Pillow can read.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise InputError(f"{path}: no such image file")
    try:
        with Image.open(path) as image:
            image.load()
            return to_rgb(ImageOps.exif_transpose(image))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{path} is not an image that can be read: {error}") from error


def to_rgb(image: Image.Image) -> Image.Image:
    """Any Pillow image as 8-bit RGB; transparent parts become white."""
    if image.mode[0] in "IF":  # grey of 16 or 32 bits, or floats
        values = np.asarray(image, dtype=np.float64)
        small = {"I": 255.0, "F": 1.0}.get(image.mode, 65535.0)
        top = small if values.max() <= small else {"F": 255.0}.get(image.mode, 65535.0)
        image = Image.fromarray((values / top * 255).clip(0, 255).round().astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image.convert("RGB")


def fit(image: Image.Image, longest: int) -> Image.Image:
    """Resize so that the longest side is ``longest`` pixels (Lanczos, antialiased)."""
    size = fitted(image.size, longest)
    return image if size == image.size else image.resize(size, Image.Resampling.LANCZOS)


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
