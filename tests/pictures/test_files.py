from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nst.errors import InputError
from nst.pictures import files


def save(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)  # type: ignore[arg-type]
    return path


def test_a_tensor_and_back_is_the_same_image() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    tensor = files.to_tensor(Image.fromarray(pixels))
    assert tensor.shape == (1, 3, 5, 7)
    assert tensor.dtype == torch.float32
    assert np.array_equal(files.to_uint8(tensor)[0], pixels)
    torch.testing.assert_close(files.quantize(tensor), tensor)


def test_saving_clamps() -> None:
    pixels = files.to_uint8(torch.tensor([-1.0, 0.5, 2.0]).view(1, 3, 1, 1))
    assert pixels.ravel().tolist() == [0, 128, 255]


@pytest.mark.parametrize("size", [(40, 20), (20, 40), (33, 33), (300, 7)])
def test_the_longest_side_is_what_was_asked_for(size: tuple[int, int]) -> None:
    fitted = files.fit(Image.new("RGB", size), 30)
    assert max(fitted.size) == 30
    assert min(fitted.size) == max(1, round(30 * min(size) / max(size)))


def test_every_mode_becomes_rgb(tmp_path: Path) -> None:
    rgb = Image.new("RGB", (4, 4), (255, 0, 0))
    for mode in ("1", "L", "LA", "P", "RGBA", "CMYK", "I;16"):
        image = rgb.convert("L").convert(mode) if mode == "I;16" else rgb.convert(mode)
        suffix = "tif" if mode in ("CMYK", "I;16") else "png"
        opened = files.open_image(save(tmp_path / f"{mode.replace(';', '')}.{suffix}", image))
        assert opened.mode == "RGB"
        assert opened.size == (4, 4)
        if mode not in ("1", "I;16", "P"):
            gray = mode in ("L", "LA")
            assert opened.getpixel((0, 0)) == ((76, 76, 76) if gray else (255, 0, 0))


def test_sixteen_bits_keep_their_tones(tmp_path: Path) -> None:
    gray = np.linspace(0, 65535, 16, dtype=np.uint16).reshape(4, 4)
    opened = files.open_image(save(tmp_path / "deep.png", Image.fromarray(gray)))
    assert np.asarray(opened)[..., 0].ravel().tolist() == [17 * i for i in range(16)]
    dark = Image.fromarray(np.full((4, 4), 200, dtype=np.uint16))
    assert files.open_image(save(tmp_path / "dark.png", dark)).getpixel((0, 0)) == (1, 1, 1)
    floats = Image.fromarray(np.full((4, 4), 0.5, dtype=np.float32))
    half = files.open_image(save(tmp_path / "float.tif", floats)).getpixel((0, 0))
    assert half == (128, 128, 128)


def test_transparency_is_white(tmp_path: Path) -> None:
    clear = Image.new("RGBA", (2, 2), (0, 0, 0, 0))
    assert files.open_image(save(tmp_path / "a.png", clear)).getpixel((0, 0)) == (255, 255, 255)


def test_photographs_stand_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90° to see it right
    file = save(tmp_path / "a.jpg", Image.new("RGB", (8, 4)), exif=exif)
    assert files.open_image(file).size == (4, 8)


def test_what_is_no_image_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such image file"):
        files.open_image(tmp_path / "absent.png")
    for content in (b"", b"hello", b"\x89PNG\r\n\x1a\nbroken"):
        (tmp_path / "a.png").write_bytes(content)
        with pytest.raises(InputError, match=r"a\.png is not an image"):
            files.open_image(tmp_path / "a.png")


def test_blur_keeps_the_mean_and_takes_the_detail() -> None:
    noise = torch.rand(2, 3, 32, 32)
    blurred = files.gaussian_blur(noise, 2.0)
    assert blurred.std() < 0.3 * noise.std()
    torch.testing.assert_close(blurred.mean(), noise.mean(), atol=0.01, rtol=0)
    assert files.gaussian_blur(noise[..., :2, :2], 50.0).shape == (2, 3, 2, 2)


def test_resize_stays_in_range() -> None:
    edges = (torch.rand(1, 3, 16, 16) > 0.5).float()
    larger = files.resize(edges, (40, 31))
    assert larger.shape == (1, 3, 40, 31)
    assert larger.min() >= 0
    assert larger.max() <= 1
