"""The statistics of small patches of pixels: second moments and magnitudes, at several scales.

A patch of 3×3 pixels is 27 numbers; the first layer of a network with 16 filters cannot see all of
its patterns, and what it does not see shows as artefacts: a regular grain and coloured specks. The
second moments of the patches, of the picture, of its half and of its quarter, leave no room for
them. They follow from the autocorrelation of the pixels up to two pixels away.

Second moments are the same for a faint grain everywhere and for strong strokes in a few places. The
magnitudes of edges and lines tell them apart: their means, and how they go together, for a stroke
has several at once.

Both are parts of the texture model of Portilla & Simoncelli (2000, "A parametric texture model
based on joint statistics of complex wavelet coefficients", section 2.2) that Gram matrices of a few
filters lack.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from nst.losses.layer_loss import LayerLoss, LayerSize, Picture, Role, Target

SCALES = 3
SIDE = 3

_RAMP = 2  # pixels from the border
_REACH = SIDE - 1  # how far two pixels of a patch are apart, at most
_FLOOR = 0.05  # of the variance in photographs: patterns that a style has none of
_BLOCK = 4  # pixels on a side, over which magnitudes are averaged besides
_MEANS = 3  # times as large an error of a mean magnitude counts
_SMOOTH = 1e-6  # a magnitude is √(c² + this): in flat parts |c| would have a slope by chance
_STRIP = {"cpu": 2**18}
_LARGE_STRIP = 2**22  # numbers in a strip on other devices


@lru_cache(maxsize=4)
def patterns(device: torch.device) -> Tensor:
    """The 27 patterns that a patch is described by, (27, 3, 3, 3), about equally common.

    Products of a cosine transform's rows in brightness, red against blue and green against both.
    Each is divided by its spread in photographs: 0.235 over its frequency (the bundled ones, at
    every scale), 1.2 for the mean, a half and a quarter of that in the two colours.
    """
    position = torch.arange(SIDE) + 0.5
    rows = torch.stack([torch.cos(math.pi / SIDE * position * i) for i in range(SIDE)])
    rows = rows / rows.norm(dim=1, keepdim=True)
    colors = torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, -1.0], [1.0, -2.0, 1.0]])
    colors = colors / colors.norm(dim=1, keepdim=True)
    order = torch.arange(SIDE, dtype=torch.float32)
    frequency = (order[:, None].square() + order.square()).sqrt()
    spread = torch.where(frequency > 0, 0.235 / frequency, 1.2)
    spread = torch.tensor([1.0, 0.5, 0.25])[:, None, None] * spread
    basis = torch.einsum("cd,ia,jb,cij->cijdab", colors, rows, rows, 1 / spread)
    return basis.reshape(-1, 3, SIDE, SIDE).to(device)


EDGES = tuple(
    9 * color + SIDE * row + column
    for color, highest in enumerate((2, 1, 1))
    for row in range(SIDE)
    for column in range(SIDE)
    if (color or row or column) and row + column <= highest
)
"""Which of the patterns have their magnitudes compared: slopes and lines of brightness, and the two
colours and their slopes. The finer ones change nothing."""


@dataclass(frozen=True)
class PixelStatistics(LayerLoss):
    """``loss.pixels.pixel_statistics``: mean squared differences in units of the style's spread.

    The statistic is (N, S, 27·27 + 2·11·12), for each of S scales the second moments of the 27
    patterns and then the magnitudes of :data:`EDGES`. The reference is the style's mean colour
    (N, 3, 1, 1), which all patches are seen against, and the spread of each pattern at each scale
    (N, S, 27). Scales too small for a patch in either picture are left out.
    """

    name: ClassVar[str] = "pixel_statistics"
    role: ClassVar[Role] = "pixels"
    imitates: ClassVar[Picture | None] = "style"

    def batch_key(self, size: tuple[int, int]) -> Hashable:
        """At how many scales the style's patches are seen."""
        return scale_count(*size)

    def reference(self, features: Tensor, weights: Tensor | None = None) -> tuple[Tensor, ...]:
        """The style's mean colour and the spread of its patterns."""
        mean = features.mean((2, 3), keepdim=True)
        variances = [
            second_moments(level, mean).diagonal(dim1=1, dim2=2) for level in _pyramid(features)
        ]
        return mean, (torch.stack(variances, 1) + _FLOOR).sqrt()

    def statistic(
        self,
        features: Tensor,
        reference: tuple[Tensor, ...] = (),
        weights: Tensor | None = None,
        rows: int | None = None,
    ) -> Tensor:
        """Moments and magnitudes by scale, of images (N, 3, H, W).

        Raises:
            ValueError: weights are given; patches of a masked picture would have edges of the mask.
        """
        if weights is not None:
            raise ValueError("pixel statistics take no weights per position")
        mean, spreads = reference
        scales = []
        for level, spread in zip(_pyramid(features), spreads.unbind(1), strict=False):
            moments = second_moments(level, mean) / _outer(spread)
            sizes = magnitudes(level, mean) / _outer_edges(spread)
            scales.append(torch.cat([moments.flatten(1), sizes.flatten(1)], 1))
        return torch.stack(scales, 1)

    def distance(self, statistic: Tensor, target: Target, size: LayerSize) -> Tensor:
        """0 for the style itself, without bound for an image rougher than the style."""
        count = min(statistic.shape[1], target.statistic.shape[1])
        differences = statistic[:, :count] - target.statistic[:, :count]
        moments = differences[..., :_MOMENTS].square().mean(2)
        n, s, _ = differences.shape
        pairs = differences[..., _MOMENTS:].reshape(n, s, 2, -1).square().mean(3).sum(2)
        error: Tensor = (moments + pairs).mean(1)
        return error


_MOMENTS = 27 * 27


class _Autocorrelation(torch.autograd.Function):
    """Sums of products of pixels at every distance: (N, 3, H, W) → (N, 3, 3, 5, 5).

    Entry (c, d, i, j) is Σ x_c(p) x_d(p + δ), δ = (i − 2, j − 2), zero outside of the picture. The
    gradient is one convolution, 5×5 from 3 channels to 3.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """Only half of the distances are computed: R(−δ) = R(δ)ᵀ."""
        ctx.save_for_backward(x)
        n, _, h, w = x.shape
        width, k = w + _REACH, 2 * _REACH + 1
        flat = F.pad(x, (0, _REACH, 0, SIDE)).flatten(2)  # rows apart by zeros: shifts are slices
        pixels = flat[:, :, : h * width]
        products = x.new_empty(n, 3, 3, k, k)
        for dy in range(SIDE):
            for dx in range(-_REACH if dy else 0, SIDE):
                first = dy * width + dx
                shifted = flat[:, :, first : first + h * width]
                product = pixels @ shifted.transpose(1, 2)
                products[..., _REACH + dy, _REACH + dx] = product
                products[..., _REACH - dy, _REACH - dx] = product.transpose(1, 2)
        return products

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        """Both pixels of a pair have a share: the kernel and its mirror image."""
        (x,) = ctx.saved_tensors
        (gradient,) = gradients
        n, _, h, w = x.shape
        kernel = gradient + gradient.transpose(1, 2).flip(3, 4)
        out = F.conv2d(x.reshape(1, -1, h, w), kernel.flatten(0, 1), padding=_REACH, groups=n)
        return out.view(n, 3, h, w)


class _Magnitudes(torch.autograd.Function):
    """Sums of magnitudes' products, and of magnitudes: (N, 3, H, W) → (N, 2, 11, 12).

    Strip by strip, and once more in the backward pass, so that of the eleven planes no more than a
    cache's size is ever there.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        basis = _edges(x.device, x.dtype)
        sums = x.new_zeros(x.shape[0], 2, len(EDGES), len(EDGES) + 1)
        for first, last in _strips(x):
            sizes = _sizes(F.conv2d(x[:, :, first : last + _REACH], basis))
            for i, each in enumerate((sizes, _blocks(sizes))):
                rows = each.flatten(2)
                sums[:, i, :, :-1] += rows @ rows.transpose(1, 2)
                sums[:, i, :, -1] += rows.sum(2)
        return sums

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        basis = _edges(x.device, x.dtype)
        products, means = gradients[0][..., :-1], gradients[0][..., -1:]
        symmetric = products + products.transpose(2, 3)
        transposed = basis.flip(2, 3).transpose(0, 1).contiguous()
        out = torch.zeros_like(x)
        for first, last in _strips(x):
            signed = F.conv2d(x[:, :, first : last + _REACH], basis)
            sizes = _sizes(signed)
            blocks = _blocks(sizes)
            slope = (symmetric[:, 0] @ sizes.flatten(2) + means[:, 0]).view_as(signed)
            if blocks.numel():
                shared = (symmetric[:, 1] @ blocks.flatten(2) + means[:, 1]).view_as(blocks)
                shared = F.interpolate(shared / _BLOCK**2, scale_factor=_BLOCK, mode="nearest")
                slope[:, :, : shared.shape[2], : shared.shape[3]] += shared
            out[:, :, first : last + _REACH] += F.conv2d(
                slope.mul_(signed).div_(sizes), transposed, padding=_REACH
            )
        return out


@lru_cache(maxsize=4)
def _edges(device: torch.device, dtype: torch.dtype) -> Tensor:
    """The patterns whose magnitudes count, (11, 3, 3, 3)."""
    return patterns(device)[list(EDGES)].to(dtype)


def _sizes(signed: Tensor) -> Tensor:
    """Magnitudes."""
    return signed.square().add_(_SMOOTH).sqrt_()


def _strips(x: Tensor) -> list[tuple[int, int]]:
    """Rows of patches in pictures (N, 3, H, W), from and to, that no block of 4×4 is cut."""
    size = _STRIP.get(x.device.type, _LARGE_STRIP) // (x.shape[0] * len(EDGES) * x.shape[3])
    step, height = max(1, size // _BLOCK) * _BLOCK, x.shape[2] - _REACH
    return [(first, min(first + step, height)) for first in range(0, height, step)]


def _blocks(sizes: Tensor) -> Tensor:
    """Averages in whole blocks, (N, K, h, w) → (N, K, h // 4, w // 4)."""
    n, k, h, w = (*sizes.shape[:2], sizes.shape[2] // _BLOCK, sizes.shape[3] // _BLOCK)
    return F.avg_pool2d(sizes, _BLOCK) if h and w else sizes.new_empty(n, k, h, w)


def magnitudes(images: Tensor, mean: Tensor) -> Tensor:
    """Means of |c_j| |c_k| of the patterns :data:`EDGES`, with those of |c_j| behind.

    Args:
        images: (N, 3, H, W)
        mean: (N or 1, 3, 1, 1), taken off first

    Returns:
        (N, 2, 11, 12): of pixels, and of averages in blocks of 4×4.
    """
    short = [max(0, SIDE - side) for side in images.shape[2:]]
    x = F.pad(images - mean, (0, short[1], 0, short[0]))
    height, width = (side - _REACH for side in x.shape[2:])
    counts = x.new_tensor([height * width, max(1, (height // _BLOCK) * (width // _BLOCK))])
    means: Tensor = _Magnitudes.apply(x) / counts[:, None, None]
    return means


@lru_cache(maxsize=16)
def _fade(height: int, width: int, device: torch.device) -> Tensor:
    """1 inside and less towards the borders (H, W), so that these are no edges themselves."""
    sides = []
    for side in (height, width):
        to_border = torch.arange(side).minimum(torch.arange(side).flip(0)) + 0.5
        ramp = max(1, min(_RAMP, side // 4))
        sides.append((to_border / ramp).clamp_max(1).mul(math.pi / 2).sin().square())
    return (sides[0][:, None] * sides[1]).to(device)


def second_moments(images: Tensor, mean: Tensor) -> Tensor:
    """Second moments of the patterns in the patches of images (N, 3, H, W): (N, 27, 27)."""
    fade = _fade(*images.shape[2:], images.device).to(images.dtype)
    products: Tensor = _Autocorrelation.apply((images - mean) * fade)
    place = torch.arange(SIDE, device=images.device)
    apart = place - place[:, None] + _REACH  # of two rows of a patch, or two columns
    # (N, c, d, row of one, row of the other, column of one, column of the other)
    pixels = products[:, :, :, apart][..., apart] / fade.square().sum()
    basis = patterns(images.device).to(images.dtype)
    return torch.einsum("kcai,ncdabij,ldbj->nkl", basis, pixels, basis)


def scale_count(width: int, height: int) -> int:
    """At how many scales a patch fits into a picture; at least 1.

    >>> scale_count(11, 300), scale_count(12, 300)
    (2, 3)
    """
    return 1 + sum(min(width, height) >> halved >= SIDE for halved in range(1, SCALES))


def _pyramid(images: Tensor) -> list[Tensor]:
    """The images, and halved as often as a patch fits."""
    levels = [images]
    for _ in range(1, scale_count(images.shape[3], images.shape[2])):
        levels.append(F.avg_pool2d(levels[-1], 2))
    return levels


def _outer(spread: Tensor) -> Tensor:
    return spread[:, :, None] * spread[:, None, :]


def _outer_edges(spread: Tensor) -> Tensor:
    edges = spread[:, list(EDGES)]
    return torch.cat([_outer(edges), edges[:, :, None] / _MEANS], 2)[:, None]
