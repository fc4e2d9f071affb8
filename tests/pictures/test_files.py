from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nst.config.samples import PAINTINGS, PHOTOS
from nst.errors import InputError
from nst.pictures import files as images
from nst.pictures.paintings import draw
from nst.pictures.samples import load_image, open_source


def save(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)  # type: ignore[arg-type]
    return path


def test_a_tensor_and_back_is_the_same_image() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    tensor = images.to_tensor(Image.fromarray(pixels))
    assert tensor.shape == (1, 3, 5, 7)
    assert tensor.dtype == torch.float32
    assert np.array_equal(images.to_uint8(tensor)[0], pixels)
    torch.testing.assert_close(images.quantise(tensor), tensor)


def test_saving_clamps() -> None:
    pixels = images.to_uint8(torch.tensor([-1.0, 0.5, 2.0]).view(1, 3, 1, 1))
    assert pixels.ravel().tolist() == [0, 128, 255]


@pytest.mark.parametrize("size", [(40, 20), (20, 40), (33, 33), (300, 7)])
def test_the_longest_side_is_what_was_asked_for(size: tuple[int, int]) -> None:
    fitted = images.fit(Image.new("RGB", size), 30)
    assert max(fitted.size) == 30
    assert min(fitted.size) == max(1, round(30 * min(size) / max(size)))


def test_every_mode_becomes_rgb(tmp_path: Path) -> None:
    rgb = Image.new("RGB", (4, 4), (255, 0, 0))
    for mode in ("1", "L", "LA", "P", "RGBA", "CMYK", "I;16"):
        image = rgb.convert("L").convert(mode) if mode == "I;16" else rgb.convert(mode)
        suffix = "tif" if mode in ("CMYK", "I;16") else "png"
        opened = images.open_image(save(tmp_path / f"{mode.replace(';', '')}.{suffix}", image))
        assert opened.mode == "RGB"
        assert opened.size == (4, 4)
        if mode not in ("1", "I;16", "P"):
            grey = mode in ("L", "LA")
            assert opened.getpixel((0, 0)) == ((76, 76, 76) if grey else (255, 0, 0))


def test_sixteen_bits_keep_their_tones(tmp_path: Path) -> None:
    grey = np.linspace(0, 65535, 16, dtype=np.uint16).reshape(4, 4)
    opened = images.open_image(save(tmp_path / "deep.png", Image.fromarray(grey)))
    assert np.asarray(opened)[..., 0].ravel().tolist() == [17 * i for i in range(16)]
    dark = Image.fromarray(np.full((4, 4), 200, dtype=np.uint16))
    assert images.open_image(save(tmp_path / "dark.png", dark)).getpixel((0, 0)) == (1, 1, 1)
    floats = Image.fromarray(np.full((4, 4), 0.5, dtype=np.float32))
    half = images.open_image(save(tmp_path / "float.tif", floats)).getpixel((0, 0))
    assert half == (128, 128, 128)


def test_transparency_is_white(tmp_path: Path) -> None:
    clear = Image.new("RGBA", (2, 2), (0, 0, 0, 0))
    assert images.open_image(save(tmp_path / "a.png", clear)).getpixel((0, 0)) == (255, 255, 255)


def test_photographs_stand_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90° to see it right
    file = save(tmp_path / "a.jpg", Image.new("RGB", (8, 4)), exif=exif)
    assert images.open_image(file).size == (4, 8)


def test_what_is_no_image_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such image file"):
        images.open_image(tmp_path / "absent.png")
    for content in (b"", b"hello", b"\x89PNG\r\n\x1a\nbroken"):
        (tmp_path / "a.png").write_bytes(content)
        with pytest.raises(InputError, match=r"a\.png is not an image"):
            images.open_image(tmp_path / "a.png")


def test_blur_keeps_the_mean_and_takes_the_detail() -> None:
    noise = torch.rand(2, 3, 32, 32)
    blurred = images.gaussian_blur(noise, 2.0)
    assert blurred.std() < 0.3 * noise.std()
    torch.testing.assert_close(blurred.mean(), noise.mean(), atol=0.01, rtol=0)
    assert images.gaussian_blur(noise[..., :2, :2], 50.0).shape == (2, 3, 2, 2)


def test_resize_stays_in_range() -> None:
    edges = (torch.rand(1, 3, 16, 16) > 0.5).float()
    larger = images.resize(edges, (40, 31))
    assert larger.shape == (1, 3, 40, 31)
    assert larger.min() >= 0
    assert larger.max() <= 1


# --- samples -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*PHOTOS, *PAINTINGS])
def test_samples_open_by_name(name: str) -> None:
    image = load_image(name, 64)
    assert max(image.shape[2:]) == 64
    assert image.std() > 0.05


@pytest.mark.parametrize("name", PAINTINGS)
def test_paintings_are_seeded_and_colourful(name: str) -> None:
    a = np.asarray(draw(name, 0, 96))
    assert np.array_equal(a, np.asarray(draw(name, 0, 96)))
    assert not np.array_equal(a, np.asarray(draw(name, 1, 96)))
    assert len(np.unique(a.reshape(-1, 3) // 32, axis=0)) > 20


def test_an_unknown_sample_lists_the_known() -> None:
    with pytest.raises(InputError, match="did you mean mosaic"):
        open_source("mosiac")


def test_a_file_without_a_suffix_can_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (3, 3)).save("picture", format="PNG")
    assert open_source("picture").size == (3, 3)
