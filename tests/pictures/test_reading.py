"""Files of pictures: which way up, which frame, how large, and what is none."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nst.errors import InputError
from nst.pictures import reading
from nst.pictures.reading import open_image, picture_size
from tests.pictures.odd_files import PNG_HEAD, png, png_chunk

STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""How a picture is stored for each of EXIF's orientations."""


@pytest.fixture
def arrow() -> Image.Image:
    """A picture whose four corners differ, twice as wide as high."""
    corners = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]]], np.uint8)
    return Image.fromarray(corners).resize((32, 16), Image.Resampling.NEAREST)


def orientation(value: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = value
    return exif


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "avif"])
@pytest.mark.parametrize("value", STORED)
def test_photographs_stand_upright(
    value: int, suffix: str, arrow: Image.Image, tmp_path: Path
) -> None:
    turn = STORED[value]
    stored = arrow if turn is None else arrow.transpose(turn)
    file = tmp_path / f"a.{suffix}"
    stored.save(file, exif=orientation(value), quality=100)
    read = open_image(file)
    assert read.size == picture_size(file) == (32, 16)
    assert np.abs(np.asarray(read, int) - np.asarray(arrow, int)).mean() < 12


def test_exif_behind_the_pixels_counts(arrow: Image.Image, tmp_path: Path) -> None:
    """As some programs write it into a PNG."""
    stored = np.asarray(arrow.transpose(STORED[6]))  # type: ignore[arg-type]
    exif = orientation(6).tobytes().removeprefix(b"Exif\0\0")
    (tmp_path / "a.png").write_bytes(png(stored, late=png_chunk(b"eXIf", exif)))
    assert picture_size(tmp_path / "a.png") == (32, 16)
    assert np.array_equal(np.asarray(open_image(tmp_path / "a.png")), np.asarray(arrow))


@pytest.mark.parametrize("exif", [b"Exif\0\0", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\0\0", b"junk" * 9])
def test_damaged_exif_is_no_reason_to_stop(
    exif: bytes, arrow: Image.Image, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for suffix in ("png", "jpg", "webp"):
        file = tmp_path / f"a.{suffix}"
        arrow.save(file, exif=exif)
        assert picture_size(file) == open_image(file).size == (32, 16)
    assert all("\n" not in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("suffix", ["gif", "webp", "png", "tif", "avif"])
def test_the_first_of_several_frames_is_read_and_it_is_said(
    suffix: str, arrow: Image.Image, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    file = tmp_path / f"a.{suffix}"
    second = Image.new("RGB", arrow.size)
    arrow.save(file, save_all=True, append_images=[second], quality=100)
    for _ in range(2):
        assert np.abs(np.asarray(open_image(file), int) - np.asarray(arrow, int)).mean() < 12
    lines = [record.getMessage() for record in caplog.records]
    assert lines == [f"{file}: it has several frames or pages; the first is read"]


def test_a_size_is_known_without_the_pixels(tmp_path: Path) -> None:
    whole = tmp_path / "whole.png"
    Image.effect_noise((300, 200), 50).save(whole)
    (tmp_path / "half.png").write_bytes(whole.read_bytes()[:20_000])
    assert picture_size(tmp_path / "half.png") == (300, 200)


WRONG = {
    "empty.png": (b"", "an empty file; copy or download it again"),
    "text.jpg": (b"hello", "text, not an image; use JPEG"),
    "page.jpg": (b"\n<!DOCTYPE html><title>404", "a web page, not an image; download"),
    "drawing.svg": (b'<?xml version="1.0"?>\n<svg xmlns=""/>', "an SVG drawing; export it as PNG"),
    "phone.heic": (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC, which is not read; convert it"),
    "paper.png": (b"%PDF-1.7\n", "a PDF; export a page of it"),
    "lfs.png": (b"version https://git-lfs.github.com/spec/v1\n", "a pointer to a file in Git LFS"),
    "noise.png": (bytes(range(256)), "a file, not an image; use JPEG"),
    "head.png": (PNG_HEAD + b"broken", "broken, cut off or of a kind that is not read; copy"),
    "drawing.eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "text, not an image"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_picture_is_named_in_one_line(name: str, tmp_path: Path) -> None:
    content, text = WRONG[name]
    (tmp_path / name).write_bytes(content)
    for read in (open_image, picture_size):
        with pytest.raises(InputError) as caught:
            read(tmp_path / name)
        assert f"{name}: {text}" in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "gif", "tif", "avif", "bmp"])
def test_a_file_that_was_cut_off_is_broken(suffix: str, tmp_path: Path) -> None:
    Image.effect_noise((64, 64), 90).convert("RGB").save(tmp_path / f"whole.{suffix}")
    content = (tmp_path / f"whole.{suffix}").read_bytes()
    file = tmp_path / f"a.{suffix}"
    file.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"a\..*: broken.* copy or download it again"):
        open_image(file)


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
    for name, text in {
        "absent.png": "no such file", ".": "a folder", "pipe": "a device or a pipe",
        "socket": "a device or a pipe", "/dev/null": "a device or a pipe", "x" * 300: "too long",
    }.items():  # fmt: skip
        with pytest.raises(InputError, match=text):
            open_image(tmp_path / name)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    Image.new("RGB", (2, 2)).save(tmp_path / "a.png")
    (tmp_path / "a.png").chmod(0)
    with pytest.raises(InputError, match=r"a\.png: no permission to read it"):
        open_image(tmp_path / "a.png")


def header(width: int, height: int) -> bytes:
    """A PNG that has its size alone."""
    sizes = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    return PNG_HEAD + png_chunk(b"IHDR", sizes + bytes((8, 2, 0, 0, 0))) + png_chunk(b"IDAT", b"")


@pytest.mark.parametrize("size", [(20_000, 20_000), (2**31 - 1, 2**31 - 1), (12_000, 12_000)])
def test_a_decompression_bomb_is_refused_by_its_header(
    size: tuple[int, int], tmp_path: Path
) -> None:
    (tmp_path / "a.png").write_bytes(header(*size))
    for read in (open_image, picture_size):
        with pytest.raises(InputError, match=r"a\.png: .* at most 128 million are read"):
            read(tmp_path / "a.png")


def test_a_large_picture_is_reduced_as_it_is_read(
    arrow: Image.Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_LARGE", 1000)
    large = arrow.resize((640, 320), Image.Resampling.NEAREST)
    large.save(tmp_path / "a.jpg", quality=95, exif=orientation(8))
    large.convert("RGBA").save(tmp_path / "a.png")
    for name, size in (("a.jpg", (80, 160)), ("a.png", (128, 64))):
        read = open_image(tmp_path / name, enough=64)
        assert read.size == size
        assert 2 * max(picture_size(tmp_path / name)) >= 640
        expected = large.transpose(STORED[6]) if name == "a.jpg" else large  # type: ignore[arg-type]
        difference = np.asarray(read, int) - np.asarray(expected.resize(size), int)
        assert np.abs(difference).mean() < 6
        assert open_image(tmp_path / name).size == picture_size(tmp_path / name)


def test_names_with_control_characters_stay_in_their_line(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        open_image(tmp_path / "a\nb\x1b[31m.png")
    assert "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}[31m.png: no such" in str(
        caught.value
    )


@pytest.mark.slow
def test_a_picture_of_the_largest_size_takes_a_gigabyte_at_most(tmp_path: Path) -> None:
    """RGBA at the limit: Pillow has 4 bytes a pixel, and what it becomes as many again."""
    code = f"""
from nst.pictures.reading import open_image
def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
before = peak()
assert open_image({str(tmp_path / "a.png")!r}, enough=512).size[0] >= 1024
print((peak() - before) >> 10)
"""
    Image.new("RGBA", (11_300, 11_300), (9, 99, 199, 99)).save(tmp_path / "a.png", compress_level=1)
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert int(process.stdout) < 1024
