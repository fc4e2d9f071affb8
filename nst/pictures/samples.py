"""Bundled pictures, by name: photographs that scikit-image's wheel carries, and our paintings.

Nothing is downloaded. The photographs are in the public domain or CC0:

=============  ====================================================================
``astronaut``  Eileen Collins, NASA, public domain
``chelsea``    a cat, Stéfan van der Walt, CC0
``coffee``     a cup, Rachel Michetti, CC0
``rocket``     Falcon 9 with DSCOVR, SpaceX, public domain
``hubble``     Hubble eXtreme Deep Field, NASA and ESA, public domain
=============  ====================================================================

The paintings are drawn by :mod:`nst.pictures.paintings`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import lru_cache
from importlib import resources
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from nst.config.samples import PAINTINGS, PHOTOS, SAMPLES, check_source, source_file
from nst.pictures import reading
from nst.pictures.files import fitted, to_tensor
from nst.pictures.paintings import SIDE, paint

_PHOTO_NAMES = {"hubble": "hubble_deep_field"}
_Stamp = tuple[Path, int, int, int]
"""A file's path, inode, size and time: another one's differ."""


class _Recent:
    """The pictures made last, of 32 million pixels together at most, by whatever tells them apart.

    The passes of a run and the runs of a sweep take the same pictures again.
    """

    def __init__(self) -> None:
        self._pictures: dict[Hashable, Image.Image] = {}

    def get(self, key: Hashable, make: Callable[[], Image.Image]) -> Image.Image:
        """The picture of a key, made where it is not there."""
        picture = self._pictures.pop(key, None) or make()
        self._pictures[key] = picture  # behind the others now
        while sum(each.width * each.height for each in self._pictures.values()) > 32_000_000:
            del self._pictures[next(iter(self._pictures))]
        return picture


_decoded, _resized = _Recent(), _Recent()


def load_image(source: str, size: int) -> Tensor:
    """A picture by sample name or path, its longest side ``size`` pixels: (1, 3, H, W) in [0, 1].

    Raises:
        InputError: neither a sample nor a readable image file; lists the samples.
    """
    sides = fitted(source_size(source), size)
    key = source if source in SAMPLES else _stamp(source), sides

    def resized() -> Image.Image:
        image = open_source(source, size)
        return image if image.size == sides else image.resize(sides, Image.Resampling.LANCZOS)

    return to_tensor(_resized.get(key, resized))


def open_source(source: str, enough: int | None = None) -> Image.Image:
    """A picture by sample name or path, RGB, in its own size; others use it, too.

    Args:
        source: a name or a path
        enough: a longest side that will do, where the file is very large

    Raises:
        InputError: as :func:`load_image`.
    """
    if source in PHOTOS:
        return photograph(_PHOTO_NAMES.get(source, source))
    if source in PAINTINGS:
        return paint(source)
    stamp = _stamp(source)
    key = stamp, reading.reduction(_size_of_file(stamp), enough)
    return _decoded.get(key, lambda: reading.open_image(stamp[0], enough))


def source_size(source: str) -> tuple[int, int]:
    """(W, H) of a picture by sample name or path; of a file only the header is read.

    Raises:
        InputError: neither a sample nor a file whose header is a picture's.
    """
    if source in PAINTINGS:
        return SIDE, SIDE
    return open_source(source).size if source in PHOTOS else _size_of_file(_stamp(source))


def _stamp(source: str) -> _Stamp:
    check_source(source)
    path = source_file(source)
    assert path is not None  # check_source would have raised
    status = path.stat()
    return path, status.st_ino, status.st_size, status.st_mtime_ns


@lru_cache(maxsize=256)
def _size_of_file(stamp: _Stamp) -> tuple[int, int]:
    return reading.picture_size(stamp[0])


def photograph(name: str) -> Image.Image:
    """A photograph of scikit-image's wheel by its name in ``skimage.data``, RGB."""
    folder = resources.files("skimage") / "data"  # its own reader loads a dozen packages
    (file,) = (file for file in folder.iterdir() if file.name in (f"{name}.png", f"{name}.jpg"))
    with file.open("rb") as opened, Image.open(opened) as image:
        return image.convert("RGB")


@lru_cache(maxsize=1)
def calibration_images(size: int = 128) -> Tensor:
    """A few samples as one batch (N, 3, size, size), to normalise random networks on."""
    squares = [open_source(s).resize((size, size), Image.Resampling.LANCZOS) for s in SAMPLES]
    return torch.cat([to_tensor(square) for square in squares])
