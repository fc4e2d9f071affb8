from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nst.pictures import files


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
    fitted = files.fitted(size, 30)
    assert max(fitted) == 30
    assert min(fitted) == max(1, round(30 * min(size) / max(size)))


def test_a_png_says_that_it_is_srgb_in_one_byte(tmp_path: Path) -> None:
    picture = Image.new("RGB", (5, 4), (200, 30, 60))
    files.save_png(picture, tmp_path / "a.png")
    picture.save(tmp_path / "plain.png")
    with Image.open(tmp_path / "a.png") as saved:
        assert saved.info == {"srgb": 0}
        assert saved.getpixel((0, 0)) == (200, 30, 60)
    a, plain = ((tmp_path / name).read_bytes() for name in ("a.png", "plain.png"))
    assert len(a) == len(plain) + 4 + 4 + 1 + 4  # a chunk: length, name, content, checksum


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
