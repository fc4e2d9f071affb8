"""The style of small patches of pixels: their second moments at several scales.

A patch of 3×3 pixels is 27 numbers; the first layer of a network with 16 filters cannot see all of
its patterns, and what it does not see shows as weave and coloured specks. The second moments of
the patches, of the picture, of its half and of its quarter, leave no room for them. They follow
from the autocorrelation of the pixels up to two pixels away, which is the part of the texture model
of Portilla & Simoncelli (2000, "A parametric texture model based on joint statistics of complex
wavelet coefficients", section 2.2) that the Gram matrices of a few filters lack.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

SCALES = 3
SIDE = 3

_RAMP = 2  # pixels from the border
_REACH = SIDE - 1  # how far two pixels of a patch are apart, at most
_FLOOR = 0.05  # of the variance in photographs: patterns that a style has none of


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
    colours = torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, -1.0], [1.0, -2.0, 1.0]])
    colours = colours / colours.norm(dim=1, keepdim=True)
    order = torch.arange(SIDE, dtype=torch.float32)
    frequency = (order[:, None].square() + order.square()).sqrt()
    spread = torch.where(frequency > 0, 0.235 / frequency, 1.2)
    spread = torch.tensor([1.0, 0.5, 0.25])[:, None, None] * spread
    found = torch.einsum("cd,ia,jb,cij->cijdab", colours, rows, rows, 1 / spread)
    return found.reshape(-1, 3, SIDE, SIDE).to(device)


@dataclass(frozen=True)
class PatchTarget:
    """Second moments of the style's patches at one scale.

    Attributes:
        moments: (N or 1, 27, 27), each divided by ``spread`` of its row and of its column
        spread: (N or 1, 27)
        mean: (N or 1, 3, 1, 1), the style's colour, which all patches are seen against
    """

    moments: Tensor
    spread: Tensor
    mean: Tensor

    @classmethod
    def of_batch(cls, targets: Sequence[PatchTarget]) -> PatchTarget:
        """The targets of N images as one."""
        columns = zip(*((t.moments, t.spread, t.mean) for t in targets), strict=True)
        return cls(*(torch.cat(column) for column in columns))


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
        here = flat[:, :, : h * width]
        found = x.new_empty(n, 3, 3, k, k)
        for dy in range(SIDE):
            for dx in range(-_REACH if dy else 0, SIDE):
                first = dy * width + dx
                there = flat[:, :, first : first + h * width]
                product = here @ there.transpose(1, 2)
                found[..., _REACH + dy, _REACH + dx] = product
                found[..., _REACH - dy, _REACH - dx] = product.transpose(1, 2)
        return found

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        """Both pixels of a pair have a share: the kernel and its mirror image."""
        (x,) = ctx.saved_tensors
        (gradient,) = gradients
        n, _, h, w = x.shape
        kernel = gradient + gradient.transpose(1, 2).flip(3, 4)
        out = F.conv2d(x.reshape(1, -1, h, w), kernel.flatten(0, 1), padding=_REACH, groups=n)
        return out.view(n, 3, h, w)


@lru_cache(maxsize=16)
def _fade(height: int, width: int, device: torch.device) -> Tensor:
    """1 inside and less towards the borders (H, W), so that these are no edges themselves."""
    sides = []
    for side in (height, width):
        to_border = torch.arange(side).minimum(torch.arange(side).flip(0)) + 0.5
        ramp = max(1, min(_RAMP, side // 4))
        sides.append((to_border / ramp).clamp_max(1).mul(math.pi / 2).sin().square())
    return (sides[0][:, None] * sides[1]).to(device)


def _second_moments(images: Tensor, mean: Tensor) -> Tensor:
    """Of the patterns in the patches of images (N, 3, H, W): (N, 27, 27)."""
    fade = _fade(*images.shape[2:], images.device).to(images.dtype)
    found: Tensor = _Autocorrelation.apply((images - mean) * fade)
    place = torch.arange(SIDE, device=images.device)
    apart = place - place[:, None] + _REACH  # of two rows of a patch, or two columns
    # (N, c, d, row of one, row of the other, column of one, column of the other)
    pixels = found[:, :, :, apart][..., apart] / fade.square().sum()
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


def patch_targets(style: Tensor) -> list[PatchTarget]:
    """What :func:`patch_loss` compares with, by scale; style (N or 1, 3, H, W) in [0, 1]."""
    targets, mean = [], style.mean((2, 3), keepdim=True)
    for level in _pyramid(style):
        moments = _second_moments(level, mean)
        spread = (moments.diagonal(dim1=1, dim2=2) + _FLOOR).sqrt()
        targets.append(PatchTarget(moments / _outer(spread), spread, mean))
    return targets


def patch_loss(images: Tensor, targets: list[PatchTarget]) -> Tensor:
    """Mean squared difference of the moments in units of the style's own, mean over the scales.

    Args:
        images: (N, 3, H, W), in [0, 1]
        targets: from :func:`patch_targets`; scales too small for a patch in either are left out

    Returns:
        (N,), at least 0: 0 for the style itself, without bound for an image rougher than the style.
    """
    errors = []
    for level, target in zip(_pyramid(images), targets, strict=False):
        moments = _second_moments(level, target.mean) / _outer(target.spread)
        errors.append((moments - target.moments).square().mean((1, 2)))
    return torch.stack(errors).mean(0)


def patch_loss_gradient(images: Tensor, targets: list[PatchTarget]) -> tuple[Tensor, Tensor]:
    """:func:`patch_loss` (N,) and its gradient (N, 3, H, W)."""
    images = images.detach().requires_grad_(True)
    with torch.enable_grad():
        values = patch_loss(images, targets)
        (gradient,) = torch.autograd.grad(values.sum(), images)
    return values.detach(), gradient


def _outer(spread: Tensor) -> Tensor:
    return spread[:, :, None] * spread[:, None, :]
