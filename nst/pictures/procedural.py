"""Procedural images to learn image statistics from: seeded, endless, free of anyone's rights.

Dead leaves (Lee, Mumford & Huang 2001) have the edges, occlusions and scale invariance of
photographs; coloured 1/f noise has their spectrum; the painters of :mod:`nst.pictures.paintings`,
with seeds of their own, have strokes. No sample that runs are judged on is among them: the
paintings offered by name all have seed 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFilter
from torch import Tensor
from tqdm import tqdm

from nst.config.samples import PAINTINGS
from nst.pictures.files import to_tensor
from nst.pictures.paintings import draw
from nst.pictures.samples import photograph

Rng = np.random.Generator


TRAINING_PHOTOS = ("brick", "camera", "grass", "gravel", "hubble_deep_field")
"""Photographs of scikit-image's wheel, CC0 or in the public domain; of the samples only hubble, on
which nothing is judged."""


def training_images(
    count: int,
    side: int,
    seed: int = 0,
    *,
    photos: float,
    names: Sequence[str] = TRAINING_PHOTOS,
    first: int = 0,
) -> Tensor:
    """Crops of photographs and procedural images.

    Args:
        count: how many
        side: in pixels
        seed: image i of a seed is the same whatever ``count`` and ``first`` are
        photos: share of photographs, 0 to 1
        names: the photographs, as in ``skimage.data``
        first: index of the first image

    Returns:
        (count, 3, side, side), RGB in [0, 1].
    """
    pictures = []
    indices = range(first, first + count)
    for i in tqdm(indices, desc="drawing", unit="image", disable=None, leave=False):
        rng = np.random.default_rng([seed, i, 104_729])
        photo = int((i + 1) * photos) > int(i * photos)  # spread evenly
        image = photo_crop(rng, side, names) if photo else procedural_image([seed, i], side)
        pictures.append(to_tensor(image))
    return torch.cat(pictures)


_photograph = lru_cache(photograph)


def photo_crop(rng: Rng, side: int, names: Sequence[str] = TRAINING_PHOTOS) -> Image.Image:
    """A square part of one of the named photographs."""
    photo = _photograph(str(rng.choice(list(names))))
    reach = int(rng.uniform(0.3, 1.0) * min(photo.size))
    left = int(rng.integers(0, photo.width - reach + 1))
    top = int(rng.integers(0, photo.height - reach + 1))
    part = photo.crop((left, top, left + reach, top + reach))
    return part.resize((side, side), Image.Resampling.LANCZOS)


def procedural_image(seed: list[int], side: int) -> Image.Image:
    """One procedural image of a kind that the seed chooses; RGB, ``side`` × ``side``."""
    rng = np.random.default_rng([*seed, 7919])  # never the stream of a painting
    kinds: list[Callable[[Rng, int], Image.Image]] = [
        *(dead_leaves, dead_leaves, textured_leaves, colored_noise, gratings, painting),
    ]
    return kinds[int(rng.integers(len(kinds)))](rng, side)


def power_law_noise(rng: Rng, side: int, exponent: float) -> np.ndarray:
    """(side, side) noise in [0, 1] whose amplitude spectrum is 1/f^exponent."""
    fy, fx = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None]
    amplitude = np.maximum(np.hypot(fy, fx), 1.0 / side) ** -exponent
    phases = rng.standard_normal((2, *amplitude.shape))
    noise = np.fft.irfft2((phases[0] + 1j * phases[1]) * amplitude, (side, side))
    return np.asarray((noise - noise.min()) / np.ptp(noise))


def _palette(rng: Rng, count: int) -> np.ndarray:
    """(count, 3) colours in [0, 1]: mostly varied in lightness as in nature, sometimes in hue."""
    vivid = rng.random() < 0.3
    chroma, light = (0.3, 0.15) if vivid else (0.09, 0.25)
    base = rng.uniform(0.2, 0.8) + rng.normal(0, chroma, 3)
    axis = rng.normal(0, light) + rng.normal(0, chroma / 2, 3)
    spread = rng.normal(0, 1, (count, 1)) * axis + rng.normal(0, light / 2, (count, 1))
    return np.clip(base + spread + rng.normal(0, chroma / 2, (count, 3)), 0, 1)


def _image(values: np.ndarray) -> Image.Image:
    return Image.fromarray((values.clip(0, 1) * 255).round().astype(np.uint8))


def _tint(rng: Rng, field: np.ndarray, stops: int = 5) -> np.ndarray:
    """A scalar field in [0, 1] → (H, W, 3) along a random palette."""
    palette = _palette(rng, stops)
    x = np.linspace(0, 1, stops)
    return np.stack([np.interp(field, x, palette[:, c]) for c in range(3)], -1)


def colored_noise(rng: Rng, side: int) -> Image.Image:
    """1/f^β noise along a palette, or with a field of its own in each channel."""
    exponent = rng.uniform(0.8, 2.0)
    if rng.random() < 0.5:
        return _image(_tint(rng, power_law_noise(rng, side, exponent)))
    mixing = np.eye(3) * 0.7 + rng.uniform(-0.2, 0.5, (3, 3))
    fields = np.stack([power_law_noise(rng, side, exponent) for _ in range(3)], -1)
    return _image(0.5 + (fields - 0.5) @ mixing * rng.uniform(0.8, 1.8))


def gratings(rng: Rng, side: int) -> Image.Image:
    """A few warped gratings, added or multiplied."""
    y, x = np.mgrid[:side, :side]
    field = np.zeros((side, side))
    for _ in range(rng.integers(1, 4)):
        theta, period = rng.uniform(0, np.pi), np.exp(rng.uniform(np.log(3), np.log(30)))
        bend = rng.uniform(0, 10) * power_law_noise(rng, side, 2.2)
        wave = np.sin(2 * np.pi * (x * np.cos(theta) + y * np.sin(theta)) / period + bend)
        wave = np.sign(wave) * np.abs(wave) ** rng.choice([0.1, 0.5, 1.0])
        field = field + wave if rng.random() < 0.7 else field * wave + wave
    return _image(_tint(rng, (field - field.min()) / (np.ptp(field) + 1e-9), 3))


def _leaf(rng: Rng, side: int, size: float) -> list[tuple[float, float]]:
    """The outline of a random ellipse or polygon of a given radius, anywhere."""
    corners = int(rng.choice([3, 4, 4, 6, 24, 24, 24]))
    angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
    if corners == 24:
        angles = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    squeeze, turn = rng.uniform(0.25, 1), rng.uniform(0, np.pi)
    px, py = size * np.cos(angles), size * squeeze * np.sin(angles)
    cx, cy = rng.uniform(0, side, 2)
    xs = cx + px * np.cos(turn) - py * np.sin(turn)
    ys = cy + px * np.sin(turn) + py * np.cos(turn)
    return list(zip(xs.tolist(), ys.tolist(), strict=True))


def _sizes(rng: Rng, side: int, count: int) -> np.ndarray:
    """Radii distributed as r⁻³ between a pixel and a third of the side."""
    smallest, largest = max(1.5, side / 90), side / 3
    u = rng.random(count)
    return np.asarray((smallest**-2 * (1 - u) + largest**-2 * u) ** -0.5)


def dead_leaves(rng: Rng, side: int) -> Image.Image:
    """Occluding shapes of one colour each, sizes distributed as r⁻³, softly lit."""
    palette = _palette(rng, int(rng.integers(4, 14)))
    canvas = _image(np.broadcast_to(palette[0], (side, side, 3)))
    pen = ImageDraw.Draw(canvas)
    for size in _sizes(rng, side, int(rng.integers(150, 1200))):
        shade = palette[rng.integers(len(palette))] + rng.normal(0, 0.05)
        r, g, b = (np.clip(shade, 0, 1) * 255).astype(int).tolist()
        pen.polygon(_leaf(rng, side, size), fill=(r, g, b))
    light = 1 - rng.uniform(0, 0.5) * power_law_noise(rng, side, 2.0)
    return _image(np.asarray(canvas) / 255 * light[..., None])


def textured_leaves(rng: Rng, side: int) -> Image.Image:
    """Larger occluding shapes, each with a texture or a shading of its own, edges soft."""
    picture = np.asarray(colored_noise(rng, side)) / 255
    for _ in range(rng.integers(6, 20)):
        fill = colored_noise if rng.random() < 0.6 else gratings
        texture = np.asarray(fill(rng, side)) / 255
        mask = Image.new("L", (side, side), 0)
        ImageDraw.Draw(mask).polygon(_leaf(rng, side, rng.uniform(0.06, 0.4) * side), fill=255)
        soft = mask.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.5)))
        weight = np.asarray(soft)[..., None] / 255
        picture = picture * (1 - weight) + texture * weight
    return _image(picture)


def painting(rng: Rng, side: int) -> Image.Image:
    """A part of a painting, never of one that is offered by name."""
    name = PAINTINGS[int(rng.integers(len(PAINTINGS)))]
    whole = draw(name, seed=int(rng.integers(1, 2**31)), side=320)
    reach = int(rng.uniform(0.45, 1.0) * whole.width)
    left, top = (int(v) for v in rng.integers(0, whole.width - reach + 1, 2))
    part = whole.crop((left, top, left + reach, top + reach))
    return part.resize((side, side), Image.Resampling.LANCZOS)
