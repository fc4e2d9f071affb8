"""The pixels of a decoded picture, whatever they are, → 8-bit sRGB over white.

========================  =====================================================================
in the file               becomes
========================  =====================================================================
grey, 1 bit, palette      the same colours as RGB
16 bits a channel         their upper 8 bits; grey is rounded
floats, 32-bit integers   0 to 1, 255 or 65535, the least of these that the highest value fits in
CMYK, LAB, YCbCr          converted; CMYK by its profile where there is one
transparency              over white
an ICC profile            converted to sRGB: relative colorimetric, with black point compensation
PNG's gAMA                converted to sRGB's curve
========================  =====================================================================

Large pictures are converted band by band, so that of what they become in between little is there.
"""

from __future__ import annotations

import io
import logging
import math
from collections.abc import Callable
from typing import Protocol

import numpy as np
from PIL import Image, ImageCms

from nst.errors import InputError

Conversion = Callable[[Image.Image], Image.Image]


class Say(Protocol):
    """What is called with lines on how a picture was read."""

    def __call__(self, text: str, level: int = logging.INFO, /) -> None:
        """Log a line at a level."""


_BAND = 4_000_000
_SPACES = {"GRAY": "L", "RGB": "RGB", "CMYK": "CMYK", "Lab": "LAB"}
"""Color space of a profile → mode of the pictures that it describes."""
_SRGB_GAMMA = 1 / 2.2


def to_srgb(image: Image.Image, factor: int, say: Say) -> Image.Image:
    """A loaded picture of any mode as 8-bit sRGB over white, reduced by a whole factor.

    Raises:
        InputError: values that no range holds.
    """
    to_8_bits, to_rgb = _to_8_bits(image), _colors(image, say)
    rows = max(1, _BAND // (image.width * factor)) * factor
    width, height = (math.ceil(side / factor) for side in image.size)
    result = Image.new("RGB", (width, height))
    for top in range(0, image.height, rows):
        box = 0, top, image.width, min(top + rows, image.height)
        band = image if rows >= image.height else image.crop(box)
        colors, alpha = _without_alpha(to_8_bits(band))
        band = to_rgb(colors)
        if alpha is not None and alpha.getextrema() != (255, 255):
            say("parts of it are transparent; they become white")
            band = Image.composite(band, Image.new("RGB", band.size, "white"), alpha)
        if factor > 1:
            band = band.reduce(factor)
        result.paste(band, (0, top // factor))
    return result


def _without_alpha(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Colours as L, RGB, CMYK or LAB, and how opaque they are, as L, where that is given."""
    alpha = None
    if image.has_transparency_data:
        gray = image.mode in ("1", "L", "LA", "La")
        image = image.convert("LA" if gray and image.mode != "1" else "RGBA")
        alpha = image.getchannel("A")
    kept = {"1": "L", "LA": "L"}.get(image.mode, image.mode)
    return image.convert(kept if kept in _SPACES.values() else "RGB"), alpha


def _to_8_bits(image: Image.Image) -> Conversion:
    """How bands of grey of more than 8 bits become L; others stay.

    Raises:
        InputError: values that no range holds.
    """
    if image.mode[0] not in "IF":
        return lambda band: band
    highest = 65535.0 if _has_16_bits(image) else _highest(image)
    tops = [top for top, most in _ranges(image.mode) if highest <= most]
    if not tops:
        raise InputError(
            f"its values go up to {highest:g}; expected floats of 0 to 1, 255 or 65535, or whole "
            "numbers of 8 or 16 bits"
        )
    top = tops[0]

    def convert(band: Image.Image) -> Image.Image:
        values = np.asarray(band, dtype=np.float32) / top * 255
        values = np.nan_to_num(values, nan=0.0).clip(0, 255).round()
        return Image.fromarray(values.astype(np.uint8))

    return convert


def _has_16_bits(image: Image.Image) -> bool:
    """Whether the format says that values go to 65535; a TIFF's integers may be of 8 bits."""
    return image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM"))


def _ranges(mode: str) -> list[tuple[float, float]]:
    """(white, the highest value of pictures that have this white), ascending.

    Floats may exceed their white; a picture whose brightest value is 10 of 255 would be black.
    """
    ranges = [(255.0, 255.0), (65535.0, 65535.0)]
    return [(1.0, 10.0), *ranges] if mode == "F" else ranges


def _highest(image: Image.Image) -> float:
    """The highest finite value."""
    highest, rows = 0.0, max(1, _BAND // image.width)
    for top in range(0, image.height, rows):
        band = image.crop((0, top, image.width, min(top + rows, image.height)))
        values = np.asarray(band)
        highest = max(highest, float(values.max(initial=0, where=np.isfinite(values))))
    return highest


def _colors(image: Image.Image, say: Say) -> Conversion:
    """How a picture's colours become sRGB's: by its profile, its gamma, or as they are."""
    if data := image.info.get("icc_profile"):
        try:
            return _by_profile(data, image, say)
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError) as error:
            reason = str(error) or "it cannot be read"
            text = f"its colour profile is ignored ({reason}); its colours are taken as sRGB"
            say(text, logging.WARNING)
    gamma = image.info.get("gamma")
    if image.format == "PNG" and gamma and "srgb" not in image.info and not data:
        return _by_gamma(float(gamma), say)
    return _as_it_is


def _as_it_is(image: Image.Image) -> Image.Image:
    return image.convert("RGB")


def _by_profile(data: bytes, image: Image.Image, say: Say) -> Conversion:
    """The conversion from an embedded ICC profile; none where that changes nothing.

    Raises:
        ImageCms.PyCMSError, OSError, ValueError: a profile that is broken or of other pictures.
    """
    profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
    space = str(profile.profile.xcolor_space).strip()
    mode, own = _SPACES.get(space), _mode_of_colors(image)
    if mode is None or (mode != own and (mode, own) != ("RGB", "L")):
        raise ValueError(f"it is of {space or 'unknown'} colours, not of {own}")
    transform = _transform(profile, mode)
    if mode in ("RGB", "L") and _changes_nothing(transform, mode):
        return _as_it_is
    name = ImageCms.getProfileDescription(profile).strip()[:60]
    say(f"its colours are converted from its profile ({name or 'without a name'}) to sRGB")

    def convert(colors: Image.Image) -> Image.Image:
        return transform.apply(colors if colors.mode == mode else colors.convert(mode))

    return convert


def _mode_of_colors(image: Image.Image) -> str:
    """The mode that :func:`_without_alpha` leaves."""
    if image.mode[0] in "IF1" or image.mode in ("L", "LA", "La"):
        return "L"
    return image.mode if image.mode in _SPACES.values() else "RGB"


def _transform(profile: ImageCms.ImageCmsProfile, mode: str) -> ImageCms.ImageCmsTransform:
    return ImageCms.buildTransform(
        profile,
        ImageCms.createProfile("sRGB"),
        mode,
        "RGB",
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )


def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Whether no colour moves by more than 2 of 255, as between two makers' sRGB."""
    steps = np.linspace(0, 255, 18).round().astype(np.uint8)
    colors = np.stack(np.meshgrid(*[steps] * 3), -1).reshape(1, -1, 3)
    grays = np.arange(256, dtype=np.uint8).reshape(1, -1)
    before = Image.fromarray(colors if mode == "RGB" else grays)
    after = transform.apply(before)
    a, b = (np.asarray(each, dtype=np.int16) for each in (before.convert("RGB"), after))
    return bool(np.abs(a - b).max() <= 2)


def _by_gamma(gamma: float, say: Say) -> Conversion:
    """The conversion of a PNG whose gAMA is not about sRGB's: light is value^(1/gamma)."""
    if abs(gamma / _SRGB_GAMMA - 1) < 0.05 or not 0.1 <= gamma <= 10:
        return _as_it_is
    say(f"its gamma of {gamma:g} is converted to sRGB's")
    light = np.linspace(0, 1, 256) ** (1 / gamma)
    curve = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    table = (curve * 255).round().astype(int).tolist()
    return lambda colors: colors.convert("RGB").point(table * 3)
