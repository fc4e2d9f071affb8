"""The bundled pictures, by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

from nst.config.samples import PAINTINGS, PHOTOS
from nst.errors import InputError
from nst.pictures.paintings import SIDE, draw, paint
from nst.pictures.samples import load_image, open_source, photograph


@pytest.mark.parametrize("name", [*PHOTOS, *PAINTINGS])
def test_samples_open_by_name(name: str) -> None:
    image = load_image(name, 64)
    assert max(image.shape[2:]) == 64
    assert image.std() > 0.05


@pytest.mark.slow
@pytest.mark.parametrize("name", PAINTINGS)
def test_paintings_are_seeded_and_colorful(name: str) -> None:
    a = np.asarray(draw(name, 0, 96))
    assert np.array_equal(a, np.asarray(draw(name, 0, 96)))
    assert not np.array_equal(a, np.asarray(draw(name, 1, 96)))
    assert len(np.unique(a.reshape(-1, 3) // 32, axis=0)) > 20


@pytest.mark.slow
@pytest.mark.parametrize("name", PAINTINGS)
def test_a_painting_is_what_the_code_draws(name: str) -> None:
    """But for a last bit, which other versions of numpy and Pillow may round otherwise."""
    shipped, drawn = (np.asarray(image, int) for image in (paint(name), draw(name, 0, SIDE)))
    assert shipped.shape == (SIDE, SIDE, 3)
    assert np.mean(np.abs(shipped - drawn) > 2) < 0.001


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee", "hubble_deep_field", "rocket"])
def test_a_photograph_is_what_scikit_image_reads(name: str) -> None:
    theirs = getattr(skimage.data, name)()
    assert np.array_equal(np.asarray(photograph(name)), theirs)


def test_an_unknown_sample_lists_the_known() -> None:
    with pytest.raises(InputError, match="did you mean mosaic"):
        open_source("mosiac")


def test_a_file_without_a_suffix_can_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (3, 3)).save("picture", format="PNG")
    assert open_source("picture").size == (3, 3)
