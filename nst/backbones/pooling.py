"""Pooling without aliases (Zhang 2019, "Making Convolutional Networks Shift-Invariant Again",
arXiv 1904.11486).

A mean of 2×2 weighs each of its pixels alike and no others, so its gradient comes in squares, which
show in smooth parts of a picture as a grid. Here a mean spans 4×4 with the weights 1 3 3 1 along
either axis: what bilinear enlargement to twice the size spreads, taken together again. The one
is the other's transpose, so the backward pass is an enlargement.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_WEIGHTS = (0.125, 0.375, 0.375, 0.125)


class _Blur(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.shape = x.shape
        return blur_pool(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return blur_pool_backward(gradients[0], ctx.shape)


class BlurPool2d(nn.Module):
    """:func:`blur_pool` as a module of a network."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → (N, C, H // 2, W // 2)."""
        pooled: Tensor = _Blur.apply(x)
        return pooled


POOLS = (nn.AvgPool2d, nn.MaxPool2d, BlurPool2d)
"""What halves features; those of a plain chain are 2×2, or blur."""


def blur_pool(x: Tensor) -> Tensor:
    """Half the size by weighted means, borders repeated: (N, C, H, W) → (N, C, H // 2, W // 2)."""
    height, width = x.shape[2:]
    if min(height, width) < 4:
        return _means(F.pad(x, (1, 1, 1, 1), mode="replicate"))
    y = _means(x, padding=1)  # and the borders once more: to pad everything costs five times this
    y[:, :, :1] = _means(F.pad(x[:, :, :3], (1, 1, 1, 0), mode="replicate"))
    y[..., :1] = _means(F.pad(x[..., :3], (1, 0, 1, 1), mode="replicate"))
    if height % 2 == 0:
        y[:, :, -1:] = _means(F.pad(x[:, :, -3:], (1, 1, 0, 1), mode="replicate"))
    if width % 2 == 0:
        y[..., -1:] = _means(F.pad(x[..., -3:], (0, 1, 1, 1), mode="replicate"))
    return y


def _means(x: Tensor, padding: int = 0) -> Tensor:
    """Weighted means of 4×4, every second one."""
    weights = x.new_tensor(_WEIGHTS)
    kernel = torch.outer(weights, weights).expand(x.shape[1], 1, -1, -1).contiguous()
    return F.conv2d(x, kernel, stride=2, padding=padding, groups=x.shape[1])


def blur_pool_backward(g: Tensor, shape: torch.Size) -> Tensor:
    """Backward of :func:`blur_pool`.

    Args:
        g: the gradient at the output, (N, C, H // 2, W // 2)
        shape: of the input, (N, C, H, W)

    Returns:
        The gradient at the input, dense, in the memory format of g.
    """
    odd = shape[2] % 2, shape[3] % 2
    g = F.pad(g * 0.25, (0, odd[1], 0, odd[0])) if any(odd) else g * 0.25
    enlarged = F.interpolate(g, scale_factor=2, mode="bilinear", align_corners=False)
    return enlarged[:, :, : shape[2], : shape[3]].clone() if any(odd) else enlarged


def make_pool(pooling: str, kernel: int = 2, ceil_mode: bool = False) -> nn.Module:
    """A module that halves the size; kernel and ceil_mode are for ``max`` and ``avg``."""
    if pooling == "blur":
        return BlurPool2d()
    if pooling == "max":
        return nn.MaxPool2d(kernel, stride=2, ceil_mode=ceil_mode)
    return nn.AvgPool2d(kernel, stride=2, ceil_mode=ceil_mode)


def pooling_of(module: nn.Module) -> str:
    """The name under which :func:`make_pool` made a module."""
    names = {nn.MaxPool2d: "max", nn.AvgPool2d: "avg", BlurPool2d: "blur"}
    return names[type(module)]
