from __future__ import annotations

import itertools

import numpy as np
import pytest
from PIL import Image

from nst.pictures.sheets import Head, contact_sheet, grid, sheet, suitable_height

LONG = "a_photograph_of_a_painting_whose_file_has_a_name_of_sixty"


def picture(width: int, height: int, color: str = "navy") -> Image.Image:
    return Image.new("RGB", (width, height), color)


def ink(image: Image.Image) -> np.ndarray:
    """Where the text is: dark and without colour."""
    pixels = np.asarray(image).astype(int)
    dark: np.ndarray = (pixels.max(2) < 130) & (np.ptp(pixels, axis=2) < 12)
    return dark


@pytest.mark.parametrize(
    ("size", "count", "height"),
    [
        ((192, 192), 4, 384),  # doubled, for it would be 768 wide
        ((192, 192), 6, 192),
        ((64, 64), 2, 512),
        ((512, 512), 3, 512),
        ((1024, 1024), 1, 512),
        ((512, 512), 12, 200),
        ((128, 128), 60, 96),
    ],
)
def test_pictures_are_as_high_as_suits_their_number(
    size: tuple[int, int], count: int, height: int
) -> None:
    assert suitable_height([[picture(*size)] * count]) == height


def test_few_pictures_make_a_sheet_of_a_thousand_pixels() -> None:
    assert grid([[(f"conv_{i}", picture(192, 192)) for i in range(4)]]).width >= 1000
    cells = [[picture(192, 128), picture(192, 128)]] * 2
    heads = [Head("a"), Head("b")]
    assert contact_sheet(heads, heads, cells).width >= 1000


def test_a_picture_of_its_own_height_keeps_its_pixels() -> None:
    noise = Image.effect_noise((40, 30), 80).convert("RGB")
    canvas = np.asarray(sheet([("noise", noise)]))
    gap = 6
    bottom = canvas.shape[0] - gap
    assert (canvas[bottom - 30 : bottom, gap : gap + 40] == np.asarray(noise)).all()


def test_a_long_label_takes_lines_above_its_own_picture() -> None:
    image = sheet([(LONG, picture(256, 256)), ("b", picture(256, 256, "green"))])
    text = ink(image)
    assert text[:, 270:520].sum() < text[:, :262].sum() / 10
    assert image.height > 256 + 3 * 20
    assert not text[:, :2].any()


@pytest.mark.parametrize("height", [96, 160, 256])
@pytest.mark.parametrize("has_pictures", [True, False])
def test_no_label_of_a_contact_sheet_is_cut(height: int, has_pictures: bool) -> None:
    head = picture(90, 60, "green") if has_pictures else None
    heads = [Head(LONG, head), Head("b", head)]
    cells = [[picture(90, 60), picture(90, 60)]] * 2
    corner = [Head("content", picture(90, 60)), Head("style", picture(60, 60))]
    text = ink(contact_sheet(heads, heads, cells, corner=corner, height=height))
    edges = np.concatenate([text[0], text[-1], text[:, 0], text[:, -1]])
    assert not edges.any()
    short = [Head("photograph"), Head("b")]
    assert text.sum() > 2 * ink(contact_sheet(short, short, cells, height=height)).sum()


def test_letters_that_english_has_not_are_drawn_and_are_different() -> None:
    drawn = [np.asarray(sheet([(letter, picture(64, 48))])) for letter in "äßéłЖΩ□"]
    assert all((a != b).any() for a, b in itertools.combinations(drawn, 2))


def test_a_missing_picture_is_marked() -> None:
    cells = [[picture(64, 64), None]]
    image = np.asarray(contact_sheet([Head("")], [Head("a"), Head("b")], cells, height=64))
    assert (image == 0xF2).all(2).sum() > 2000


def test_pictures_of_other_shapes_are_equally_high() -> None:
    cells = [[picture(64, 64), picture(32, 64, "green")]]
    image = np.asarray(contact_sheet([Head("")], [Head("a"), Head("b")], cells, height=64))
    assert (image == (0, 128, 0)).all(2).sum() == 32 * 64
