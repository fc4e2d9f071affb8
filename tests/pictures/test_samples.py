"""The bundled pictures, by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nst.config.samples import PAINTINGS, PHOTOS
from nst.errors import InputError
from nst.pictures.paintings import draw
from nst.pictures.samples import load_image, open_source


@pytest.mark.parametrize("name", [*PHOTOS, *PAINTINGS])
def test_samples_open_by_name(name: str) -> None:
    image = load_image(name, 64)
    assert max(image.shape[2:]) == 64
    assert image.std() > 0.05


@pytest.mark.parametrize("name", PAINTINGS)
def test_paintings_are_seeded_and_colorful(name: str) -> None:
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
