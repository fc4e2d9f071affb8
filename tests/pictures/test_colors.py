"""What a picture's file means by its numbers."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from nst.errors import InputError
from nst.pictures.reading import open_image
from tests.pictures.odd_files import (
    DISPLAY_P3,
    cmyk_profile,
    gray_profile,
    png,
    png_chunk,
    rgb_profile,
)

RED = (220, 40, 40)


@pytest.fixture
def photo() -> Image.Image:
    """A smooth colourful picture, 32 pixels wide."""
    y, x = np.mgrid[:24, :32].astype(float)
    waves = [np.sin(x / 5 + y / 9), np.sin(x / 11 - y / 4), np.cos(x / 7)]
    return Image.fromarray((127 + 100 * np.stack(waves, -1)).astype(np.uint8))


def opened(file: Path, image: Image.Image, **options: object) -> np.ndarray:
    """An image as it is read after saving it, (H, W, 3)."""
    image.save(file, **options)  # type: ignore[arg-type]
    read = open_image(file)
    assert read.mode == "RGB"
    return np.asarray(read).astype(int)


def test_grey_of_any_kind_is_grey(photo: Image.Image, tmp_path: Path) -> None:
    gray = photo.convert("L")
    expected = np.asarray(gray.convert("RGB")).astype(int)
    sixteen_bits = Image.fromarray(np.asarray(gray).astype(np.uint16) * 257)
    floats = Image.fromarray(np.asarray(gray).astype(np.float32) / 255)
    wide_floats = Image.fromarray(np.asarray(gray).astype(np.float32))
    integers = Image.fromarray(np.asarray(gray).astype(np.int32))
    cases = {
        "a.png": gray, "b.png": sixteen_bits, "c.tif": sixteen_bits, "d.tif": floats,
        "e.tif": wide_floats, "f.tif": integers, "g.pgm": sixteen_bits,
    }  # fmt: skip
    for name, image in cases.items():
        assert np.array_equal(opened(tmp_path / name, image), expected), name
    one_bit = opened(tmp_path / "h.png", photo.convert("1"))
    assert set(one_bit.ravel().tolist()) == {0, 255}


def test_dark_pictures_stay_dark(tmp_path: Path) -> None:
    """No range is stretched where the format says what white is."""
    dark = np.full((4, 4), 200, dtype=np.uint16)
    for name in ("a.png", "a.tif", "a.pgm"):
        assert opened(tmp_path / name, Image.fromarray(dark)).max() == 1
    for zero in (np.zeros((4, 4), np.float32), np.zeros((4, 4), np.int32)):
        assert opened(tmp_path / "zero.tif", Image.fromarray(zero)).max() == 0


def test_floats_may_exceed_white_and_be_no_numbers(tmp_path: Path) -> None:
    floats = np.array([[0.5, 1.5, -1.0, np.nan, np.inf, -np.inf]], np.float32)
    read = opened(tmp_path / "a.tif", Image.fromarray(floats))
    assert read[0, :, 0].tolist() == [128, 255, 0, 0, 255, 0]


@pytest.mark.parametrize("values", [np.float32(1e6), np.int32(70_000)])
def test_a_range_that_is_no_range_is_refused(values: np.generic, tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 4), values)).save(tmp_path / "a.tif")
    with pytest.raises(InputError, match=r"a\.tif: its values go up to .*; expected floats of 0"):
        open_image(tmp_path / "a.tif")


def test_48_bits_a_pixel_keep_their_colors(photo: Image.Image, tmp_path: Path) -> None:
    pixels = np.asarray(photo)
    (tmp_path / "a.png").write_bytes(png(pixels.astype(np.uint16) * 257))
    assert np.array_equal(np.asarray(open_image(tmp_path / "a.png")), pixels)


@pytest.mark.parametrize(
    ("mode", "suffix", "tolerance"),
    [
        ("CMYK", "tif", 0), ("CMYK", "jpg", 2),
        ("LAB", "tif", 2), ("YCbCr", "tif", 2), ("RGBX", "tif", 0),
    ],
)  # fmt: skip
def test_every_mode_keeps_its_colors(
    mode: str, suffix: str, tolerance: int, photo: Image.Image, tmp_path: Path
) -> None:
    options: dict[str, object] = {"quality": 100, "subsampling": 0} if suffix == "jpg" else {}
    if mode == "YCbCr":  # as cameras write it
        options = {"compression": "jpeg", "quality": 100}
    read = opened(tmp_path / f"a.{suffix}", photo.convert(mode), **options)
    assert np.abs(read - np.asarray(photo)).mean() <= tolerance


@pytest.mark.parametrize("suffix", ["png", "gif", "bmp", "tif"])
def test_a_palette_becomes_its_colors(suffix: str, photo: Image.Image, tmp_path: Path) -> None:
    few = photo.quantize(16)
    assert np.array_equal(opened(tmp_path / f"a.{suffix}", few), np.asarray(few.convert("RGB")))


@pytest.mark.parametrize("suffix", ["webp", "avif", "jp2", "bmp", "ppm", "tga", "qoi", "ico"])
def test_every_format_is_read(suffix: str, photo: Image.Image, tmp_path: Path) -> None:
    options = {"quality": 100} if suffix in ("webp", "avif") else {}
    read = opened(tmp_path / f"a.{suffix}", photo.resize((32, 32)), **options)
    assert np.abs(read - np.asarray(photo.resize((32, 32)))).mean() < 3


def said(caplog: pytest.LogCaptureFixture, level: int = logging.INFO) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.levelno == level]


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "RGB", "L", "1"])
def test_transparency_is_white_and_said_once(
    mode: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    image, options = Image.new(mode, (3, 2)), {}
    if mode in ("RGBA", "LA"):
        image.putalpha(Image.new("L", (3, 2), 0))
        image.putpixel((0, 0), (0,) * (len(mode) - 1) + (128,))
    else:
        options = {"transparency": (0, 0, 0) if mode == "RGB" else 0}
    read = [opened(tmp_path / "a.png", image, **options) for _ in range(2)][1]
    assert read[0, 1].tolist() == [255] * 3
    if mode in ("RGBA", "LA"):
        assert read[0, 0].tolist() == [127] * 3
    assert said(caplog) == [f"{tmp_path}/a.png: parts of it are transparent; they become white"]


def test_an_alpha_that_hides_nothing_is_not_mentioned(
    photo: Image.Image, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert np.array_equal(opened(tmp_path / "a.png", photo.convert("RGBA")), np.asarray(photo))
    assert said(caplog) == []


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif", "avif"])
def test_a_profile_is_converted_to_srgb_and_said(
    suffix: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    options = {"icc_profile": rgb_profile(DISPLAY_P3), "quality": 100}
    read = opened(tmp_path / f"a.{suffix}", Image.new("RGB", (16, 16), RED), **options)
    assert np.abs(read - (241, 0, 10)).max() <= 3
    (line,) = said(caplog)
    assert line.endswith("its colours are converted from its profile (P3) to sRGB")


def test_a_profile_counts_under_palettes_greys_and_alpha(tmp_path: Path) -> None:
    profile = rgb_profile(DISPLAY_P3)
    red = Image.new("RGB", (4, 4), RED)
    for name, image in (("a.png", red.convert("RGBA")), ("p.png", red.quantize(4))):
        read = opened(tmp_path / name, image, icc_profile=profile)
        assert np.abs(read - (241, 0, 10)).max() <= 1
    image = Image.new("RGBA", (4, 4), (*RED, 0))
    assert opened(tmp_path / "a.png", image, icc_profile=profile).min() == 255
    linear = opened(tmp_path / "l.png", Image.new("L", (4, 4), 64), icc_profile=gray_profile(1.0))
    assert np.abs(linear - 137).max() <= 1  # of linear light 64/255
    red_only = Image.new("L", (4, 4), 64)
    read = opened(tmp_path / "g.png", red_only, icc_profile=rgb_profile(DISPLAY_P3, 1.0))
    assert np.abs(read - 137).max() <= 1


def test_inks_are_converted_by_their_profile(tmp_path: Path) -> None:
    cyan = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    for suffix in ("tif", "jpg"):
        plain = opened(tmp_path / f"plain.{suffix}", cyan)[0, 0]
        assert np.abs(plain - (0, 255, 255)).max() <= 2
        by_profile = opened(tmp_path / f"a.{suffix}", cyan, icc_profile=cmyk_profile())[0, 0]
        red, green, blue = by_profile
        assert green > red + 50
        assert green > blue + 20


def test_an_srgb_profile_changes_nothing(
    photo: Image.Image, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert np.array_equal(opened(tmp_path / "a.png", photo, icc_profile=profile), np.asarray(photo))
    assert said(caplog) == []


@pytest.mark.parametrize(
    "profile",
    [b"", b"no profile", rgb_profile(DISPLAY_P3)[:200], gray_profile(2.2), cmyk_profile()],
    ids=["empty", "text", "cut off", "of grey", "of inks"],
)
def test_a_profile_that_cannot_be_is_ignored_with_one_warning(
    profile: bytes, photo: Image.Image, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    read = [opened(tmp_path / "a.png", photo, icc_profile=profile) for _ in range(2)]
    assert np.array_equal(read[0], np.asarray(photo))
    lines = said(caplog, logging.WARNING)
    assert len(lines) == (1 if profile else 0)  # Pillow writes no empty one
    assert all("taken as sRGB" in line and "\n" not in line for line in lines)


def test_a_linear_png_is_brightened(tmp_path: Path) -> None:
    pixels = np.full((4, 4, 3), 64, np.uint8)
    for gamma, value in ((100_000, 137), (45_455, 64), (0, 64)):
        chunk = png_chunk(b"gAMA", gamma.to_bytes(4, "big"))
        (tmp_path / "a.png").write_bytes(png(pixels, chunk))
        assert open_image(tmp_path / "a.png").getpixel((0, 0)) == (value,) * 3
        (tmp_path / "a.png").write_bytes(png(pixels, chunk, png_chunk(b"sRGB", b"\0")))
        assert open_image(tmp_path / "a.png").getpixel((0, 0)) == (64, 64, 64)


def test_bands_leave_no_seam(
    photo: Image.Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Large pictures are converted some rows at a time."""
    images = {
        "a.png": photo.convert("RGBA"),
        "b.png": photo.quantize(16),
        "c.tif": photo.convert("LAB"),
    }
    images["a.png"].putalpha(photo.convert("L"))
    images["d.png"] = Image.fromarray(np.asarray(photo.convert("L")).astype(np.uint16) * 257)
    images["e.tif"] = Image.fromarray(np.asarray(photo.convert("L")).astype(np.float32) / 255)
    images["f.png"] = photo.convert("1")
    whole = {name: opened(tmp_path / name, image) for name, image in images.items()}
    monkeypatch.setattr("nst.pictures.colors._BAND", 5 * photo.width)
    for name, expected in whole.items():
        assert np.array_equal(np.asarray(open_image(tmp_path / name)), expected), name
