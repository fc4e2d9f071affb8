"""``size=original``: a picture's own size."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

import nst
from nst.errors import InputError


@pytest.fixture(autouse=True)
def _pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, size in (("wide.png", (90, 40)), ("high.png", (50, 120)), ("long.png", (16400, 9))):
        Image.new("RGB", size).save(name)


@pytest.mark.parametrize(
    ("overrides", "size", "style_size"),
    [
        (["size=original"], 90, None),
        (["size=original", "task=content"], 90, None),
        (["size=original", "task=texture"], 120, None),
        (["style_size=original"], 512, 120),
        (["size=original", "style_size=original"], 90, 120),
        (["size='64'", "style_size='32'"], 64, 32),
        (["style_size=original", "size=${style_size}"], 90, 120),
    ],
)
def test_a_size_is_the_pictures_own(
    overrides: list[str], size: int, style_size: int | None
) -> None:
    cfg = nst.compose("content=wide.png", "style=high.png", *overrides)
    assert (cfg.size, cfg.style_size) == (size, style_size)


def test_a_photograph_on_its_side_counts_upright_and_a_sample_has_a_size_too() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (70, 30)).save("side.jpg", exif=exif)
    assert nst.compose(content="side.jpg", size="original").size == 70
    assert nst.compose(content="chelsea", size="original").size == 451


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["size=abc"], "size=abc: expected a whole number or original"),
        (["size=orignal"], "expected a whole number or original; did you mean original?"),
        (["style_size=big"], "style_size=big: expected a whole number or original"),
        (["size=96.5"], "size=96.5: expected a whole number"),
        (["size=[1]"], "size=[1]: expected a whole number"),
        (["size=original", "content=gone.png"], "content=gone.png: no such file"),
        (
            ["size=original", "content=long.png"],
            "size=original: content=long.png has a longest side of 16400 px; choose a number of 16",
        ),
    ],
)
def test_what_is_no_size_is_said_in_one_line(overrides: list[str], message: str) -> None:
    with pytest.raises(InputError) as caught:
        nst.compose(*overrides)
    assert message in str(caught.value)
