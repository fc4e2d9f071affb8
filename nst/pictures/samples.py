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

from functools import lru_cache

import torch
from PIL import Image
from torch import Tensor

from nst.config.samples import PAINTINGS, PHOTOS, SAMPLES, check_source
from nst.pictures.files import fit, open_image, to_rgb, to_tensor
from nst.pictures.paintings import paint

_PHOTO_NAMES = {"hubble": "hubble_deep_field"}


def load_image(source: str, size: int) -> Tensor:
    """A picture by sample name or path, its longest side ``size`` pixels: (1, 3, H, W) in [0, 1].

    Raises:
        InputError: neither a sample nor a readable image file; lists the samples.
    """
    return to_tensor(fit(open_source(source), size))


def open_source(source: str) -> Image.Image:
    """A picture by sample name or path, in its own size.

    Raises:
        InputError: as :func:`load_image`.
    """
    if source in PHOTOS:
        return photograph(_PHOTO_NAMES.get(source, source))
    if source in PAINTINGS:
        return paint(source)
    check_source(source)
    return open_image(source)


def photograph(name: str) -> Image.Image:
    """A photograph of scikit-image's wheel by its name in ``skimage.data``, RGB."""
    import skimage.data

    return to_rgb(Image.fromarray(getattr(skimage.data, name)()))


@lru_cache(maxsize=1)
def calibration_images(size: int = 128) -> Tensor:
    """A few samples as one batch (N, 3, size, size), to normalise random networks on."""
    squares = [open_source(s).resize((size, size), Image.Resampling.LANCZOS) for s in SAMPLES]
    return torch.cat([to_tensor(square) for square in squares])
