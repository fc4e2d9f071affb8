"""Paintings that the project draws itself: seeded, strong and colourful, free of anyone's rights.

Each is a function of a numpy generator and a side length that returns an RGB Pillow image. They
are drawn at twice the size and reduced, so that edges are smooth. Drawing takes up to three
seconds, so the five that are offered by name come with the package as files, which
``python -m nst.pictures.paintings`` draws again.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from nst.config.samples import PAINTINGS

SIDE = 640
SHIPPED = Path(__file__).parent / "shipped"
_SUPERSAMPLE = 2

Array = np.ndarray


@lru_cache(maxsize=len(PAINTINGS))
def paint(name: str) -> Image.Image:
    """One painting of :data:`nst.config.samples.PAINTINGS` as it is offered by name, RGB."""
    with Image.open(SHIPPED / f"{name}.webp") as image:
        return image.convert("RGB")


def draw(name: str, seed: int, side: int) -> Image.Image:
    """Draw a variation of a painting; the same name, seed and side give the same picture."""
    big = _PAINTERS[name](np.random.default_rng([seed, PAINTINGS.index(name)]), side * _SUPERSAMPLE)
    return big.resize((side, side), Image.Resampling.LANCZOS)


def _rgb(hex_colors: str) -> Array:
    """``"1b2a6b f2c230"`` → (n, 3) in [0, 255]."""
    return np.array([[int(c[i : i + 2], 16) for i in (0, 2, 4)] for c in hex_colors.split()], float)


def _smooth_noise(rng: np.random.Generator, side: int, scale: float) -> Array:
    """(side, side) noise of zero mean and unit spread whose features are ``scale`` pixels wide."""
    from scipy.ndimage import gaussian_filter  # here: a run does not draw

    coarse = max(4, int(4 * side / scale))
    field = gaussian_filter(rng.standard_normal((coarse, coarse)), 1.2, mode="wrap")
    enlarged = Image.fromarray(field.astype(np.float32)).resize(
        (side, side), Image.Resampling.BICUBIC
    )
    values = np.asarray(enlarged, dtype=float)
    return np.asarray((values - values.mean()) / values.std())


def _mix(palette: Array, t: Array) -> Array:
    """Colours along a palette, t in [0, 1]."""
    x = np.linspace(0, 1, len(palette))
    return np.stack([np.interp(t, x, palette[:, c]) for c in range(3)], -1)


def _color(rgb: Array) -> tuple[int, int, int]:
    r, g, b = np.clip(rgb, 0, 255).astype(int)
    return int(r), int(g), int(b)


def _strokes(
    rng: np.random.Generator,
    canvas: Image.Image,
    angle: Array,
    color: Array,
    *,
    count: int,
    length: float,
    width: float,
    jitter: float,
) -> None:
    """Lay brush strokes on a canvas along a field of angles, each in the colour where it starts."""
    draw = ImageDraw.Draw(canvas)
    side = canvas.width
    starts = rng.uniform(0, side, (count, 2))
    shades = rng.normal(0, jitter, (count, 1)) + rng.normal(0, jitter / 2, (count, 3))
    widths = width * rng.uniform(0.55, 1.35, count)
    for (x, y), shade, w in zip(starts, shades, widths, strict=True):
        rgb = _color(color[int(y), int(x)] + shade)
        points = [(x, y)]
        for _ in range(6):
            theta = angle[int(np.clip(y, 0, side - 1)), int(np.clip(x, 0, side - 1))]
            x, y = x + np.cos(theta) * length / 6, y + np.sin(theta) * length / 6
            points.append((x, y))
        draw.line(points, fill=rgb, width=max(2, round(w)), joint="curve")
        for px, py in (points[0], points[-1]):  # round ends
            r = w / 2
            draw.ellipse((px - r, py - r, px + r, py + r), fill=rgb)


def _swirl(rng: np.random.Generator, side: int) -> Image.Image:
    """A night sky: strokes that follow a field of vortices, with glowing centres."""
    y, x = np.mgrid[:side, :side] / side
    u = 1.0 + 0.25 * _smooth_noise(rng, side, side * 0.5)
    v = 0.45 * _smooth_noise(rng, side, side * 0.4)
    glow = np.zeros((side, side))
    centers = [(0.2, 0.22, 1), (0.7, 0.3, -1), (0.42, 0.62, 1), (0.86, 0.74, -1), (0.1, 0.85, 1)]
    for cx, cy, turn in centers:
        cx, cy = cx + rng.normal(0, 0.03), cy + rng.normal(0, 0.03)
        dx, dy, radius = x - cx, y - cy, rng.uniform(0.07, 0.13)
        r2 = (dx**2 + dy**2) / radius**2
        strength = turn * 7.0 * np.exp(-r2 / 3.0)
        u, v = u - strength * dy / radius, v + strength * dx / radius
        rings = 0.5 + 0.5 * np.cos(np.sqrt(r2) * 5.0)
        glow += np.exp(-r2 / 0.5) * 1.1 + 0.5 * np.exp(-r2 / 2.5) * rings
    tone = 0.42 + 0.15 * _smooth_noise(rng, side, side * 0.12) + 0.1 * (0.5 - y)
    night = _mix(_rgb("0b1440 14307a 1f57a8 3f8fc4 8cc3d8 dcebd8"), np.clip(tone, 0, 1))
    gold = _mix(_rgb("c8d8a0 f0d060 f7b32b fff0b0"), np.clip(glow, 0, 1))
    color = night + np.clip(glow, 0, 1)[..., None] * (gold - night)
    canvas = Image.fromarray(color.clip(0, 255).astype(np.uint8))
    angle = np.arctan2(v, u)
    for width, count in ((0.018, 2500), (0.011, 7000), (0.007, 6000)):
        _strokes(
            rng, canvas, angle, color,
            count=count, length=side * width * 6, width=side * width, jitter=26,
        )  # fmt: skip
    return canvas


def _mosaic(rng: np.random.Generator, side: int) -> Image.Image:
    """Glass tesserae with dark grout, set along rings of saturated colour."""
    from scipy.spatial import cKDTree

    count = 1500
    points = rng.uniform(0, side, (count, 2))
    y, x = np.mgrid[:side, :side]
    pixels = np.stack([y.ravel(), x.ravel()], 1).astype(float)
    for _ in range(2):  # Lloyd's relaxation makes the pieces even
        owner = cKDTree(points).query(pixels[::7])[1]
        owner = np.asarray(owner)
        total = np.bincount(owner, minlength=count).clip(1)[:, None]
        sums = [np.bincount(owner, pixels[::7, axis], minlength=count) for axis in (0, 1)]
        points = np.stack(sums, 1) / total
    distance, owner = map(np.asarray, cKDTree(points).query(pixels, k=2))
    wobble = 0.06 * _smooth_noise(rng, side, side * 0.5)
    radius = np.hypot(points[:, 1] - side * 0.42, points[:, 0] - side * 0.55) / side
    ring = radius + wobble[points[:, 0].astype(int), points[:, 1].astype(int)]
    palette = _rgb("e63946 f77f00 fcbf49 2a9d8f 1d6fb8 5a189a d6336c 06b6a0 f4e9cd")
    index = (ring * 13 + rng.normal(0, 0.35, count)).astype(int) % len(palette)
    tiles = palette[index] * rng.uniform(0.72, 1.15, (count, 1)) + rng.normal(0, 9, (count, 3))
    gap = (distance[:, 1] - distance[:, 0]).reshape(side, side)
    shine = 1 + 0.12 * ((x / side + y / side) - 1)
    color = tiles[owner[:, 0]].reshape(side, side, 3) * shine[..., None]
    edge = np.clip((gap - side * 0.003) / (side * 0.003), 0, 1)[..., None]
    color = color * edge + _rgb("2b2420")[0] * (1 - edge)
    return Image.fromarray(color.clip(0, 255).astype(np.uint8))


def _ink(rng: np.random.Generator, side: int) -> Image.Image:
    """Hatched ink on warm paper: the darker the tone, the more layers of hatching cross."""
    paper = _rgb("f3e7cd")[0] + 4 * _smooth_noise(rng, side, side * 0.02)[..., None]
    canvas = Image.fromarray(paper.clip(0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(canvas)
    tone = 0.5 + 0.22 * _smooth_noise(rng, side, side * 0.3)
    bend = 0.35 * _smooth_noise(rng, side, side * 0.45)
    inks = _rgb("14213d 14213d 14213d 1f4e79 9b2d1f")
    for layer, direction in enumerate((0.75, -0.65, 0.05, 1.5)):
        for x, y in rng.uniform(0, side, (7000, 2)):
            if tone[int(y), int(x)] < 0.36 + 0.13 * layer:
                continue
            theta = direction + bend[int(y), int(x)] + rng.normal(0, 0.04)
            half = side * rng.uniform(0.010, 0.030)
            dx, dy = np.cos(theta) * half, np.sin(theta) * half
            ink = _color(inks[rng.integers(len(inks))] + rng.normal(0, 8))
            draw.line((x - dx, y - dy, x + dx, y + dy), fill=ink, width=int(rng.integers(2, 5)))
    slope = np.hypot(*np.gradient(tone)) + 1e-6
    to_contour = np.abs((tone * 7) % 1 - 0.5) / (7 * slope)  # distance to a level line, in pixels
    inked = np.where((to_contour < 2.2)[..., None], _rgb("14213d")[0], np.asarray(canvas, float))
    return Image.fromarray(inked.astype(np.uint8)).filter(ImageFilter.GaussianBlur(1))


def _dabs(rng: np.random.Generator, side: int) -> Image.Image:
    """Pointillist autumn: dabs of pure colour over a warm ground, their complements between."""
    y = np.linspace(0, 1, side)[:, None]
    warm = np.clip(0.5 + 0.26 * _smooth_noise(rng, side, side * 0.28) + 0.35 * (y - 0.5), 0, 1)
    ground = _mix(_rgb("16325c 1f6f8b 5c9e4a e9c03a ee7b22 c22a1e 4a1030"), warm)
    canvas = Image.fromarray((ground * 0.8).clip(0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(canvas)
    for radius, count, complements in ((0.017, 3500, 0.0), (0.012, 6500, 0.1), (0.008, 3500, 0.2)):
        for px, py in rng.uniform(0, side, (count, 2)):
            rgb = ground[int(py), int(px)] * rng.uniform(0.75, 1.3) + rng.normal(0, 14, 3)
            if rng.random() < complements:
                rgb = 265 - rgb  # the complement makes its neighbours glow
            r = side * radius * rng.uniform(0.6, 1.1)
            draw.ellipse((px - r, py - 0.8 * r, px + r, py + 0.8 * r), fill=_color(rgb))
    return canvas


def _waves(rng: np.random.Generator, side: int) -> Image.Image:
    """A woodcut sea: banded crests with dark outlines and foam."""
    y, x = np.mgrid[:side, :side] / side
    warp = 0.05 * _smooth_noise(rng, side, side * 0.35)
    phase = y * 9 + 0.55 * np.sin(x * 9 + y * 5) + 0.35 * np.sin(x * 21 - y * 7) + warp * 9
    band, t = np.floor(phase).astype(int), phase % 1
    palette = _rgb("0d2b45 14507a 1f7a9e 58aeb5 a9d6c5 f3e7c8 e9b872")
    order = rng.permutation(np.tile(np.arange(len(palette)), 6))
    base = palette[order[band % len(order)]]
    lines = 0.5 + 0.5 * np.cos(t * 2 * np.pi * 5)
    color = base * (0.82 + 0.18 * lines[..., None])
    color = np.where((t < 0.07)[..., None], _rgb("0a1c30")[0], color)
    crest = (t > 0.07) & (t < 0.07 + 0.13 * (0.5 + 0.5 * np.sin(x * 60 + 6 * warp * 9)))
    color = np.where(crest[..., None], _rgb("fbf6e6")[0], color)
    canvas = Image.fromarray(color.clip(0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(canvas)
    foam = np.argwhere(crest)
    for py, px in foam[rng.integers(0, len(foam), 1400)] + rng.normal(0, side * 0.006, (1400, 2)):
        r = side * rng.uniform(0.0015, 0.006)
        draw.ellipse((px - r, py - r, px + r, py + r), fill=_color(_rgb("fbf6e6")[0]))
    return canvas


_PAINTERS: dict[str, Callable[[np.random.Generator, int], Image.Image]] = {
    "swirl": _swirl,
    "mosaic": _mosaic,
    "ink": _ink,
    "dabs": _dabs,
    "waves": _waves,
}


if __name__ == "__main__":
    for each in PAINTINGS:
        draw(each, seed=0, side=SIDE).save(
            SHIPPED / f"{each}.webp", lossless=True, quality=100, method=6
        )
