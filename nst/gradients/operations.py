"""The operations of a chain, forward and backward, without autograd.

Gradients are taken with respect to the input alone, never to weights: the network is frozen.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_aten = torch.ops.aten
_CHUNK = 2**16


def convolution(x: Tensor, conv: nn.Conv2d, relu: bool) -> Tensor:
    """A convolution of x (N, C, H, W), and its ReLU if relu: (N, C', H, W)."""
    if not relu:
        return F.conv2d(x, conv.weight, conv.bias, conv.stride, conv.padding)
    fused = _fused(x)
    if fused is None:
        return F.conv2d(x, conv.weight, conv.bias, conv.stride, conv.padding).relu_()
    return fused(
        x, conv.weight, conv.bias, conv.padding, conv.stride, conv.dilation, 1, "relu", [], ""
    )


def _fused(x: Tensor) -> Callable[..., Tensor] | None:
    """oneDNN's convolution with ReLU inside, where this build of torch has it for such a tensor."""
    has = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if has and x.device.type == "cpu" and x.dtype in (torch.float32, torch.bfloat16):
        return getattr(torch.ops.mkldnn, "_convolution_pointwise", None)
    return None


def convolution_backward(g: Tensor, shape: torch.Size, conv: nn.Conv2d) -> Tensor:
    """Gradient at a convolution's input of this shape, from g at its output."""
    gradient: Tensor = _aten.convolution_backward(
        g, blank(g, shape), conv.weight, None, conv.stride, conv.padding, conv.dilation,
        False, [0, 0], conv.groups, [True, False, False],
    )[0]  # fmt: skip
    return gradient


def max_pool(x: Tensor) -> tuple[Tensor, Tensor]:
    """2×2 maxima, and where each was."""
    pooled, indices = _aten.max_pool2d_with_indices(x, [2, 2], [2, 2])
    return pooled, indices


def max_pool_backward(g: Tensor, shape: torch.Size, indices: Tensor) -> Tensor:
    """Backward of :func:`max_pool` of an input of this shape."""
    gradient: Tensor = _aten.max_pool2d_with_indices_backward(
        g, blank(g, shape), [2, 2], [2, 2], [0, 0], [1, 1], False, indices
    )
    return gradient


def average_pool_backward(g: Tensor, shape: torch.Size) -> Tensor:
    """Backward of 2×2 averages; an odd last row or column of the input was left out."""
    g = F.interpolate(g * 0.25, scale_factor=2, mode="nearest")
    below, right = shape[2] - g.shape[2], shape[3] - g.shape[3]
    return F.pad(g, (0, right, 0, below)) if below or right else g


def active(y: Tensor) -> Tensor:
    """−1 where a ReLU's output y is above 0, else 0 (int8): a byte instead of a number."""
    return y.bool().view(torch.int8).neg_()


def relu_backward(g: Tensor, output: Tensor | None, mask: Tensor | None) -> Tensor:
    """Backward of a ReLU, in place, from its output or from the mask of :func:`active`."""
    if mask is None:
        masked: Tensor = _aten.threshold_backward.grad_input(g, output, 0, grad_input=g)
        return masked
    integers = {2: torch.int16, 4: torch.int32, 8: torch.int64}[g.element_size()]
    last = torch.channels_last
    if not (g.is_contiguous(memory_format=last) and mask.is_contiguous(memory_format=last)):
        return g.mul_(mask).neg_()
    bits = g.permute(0, 2, 3, 1).view(-1).view(integers)
    flat = mask.permute(0, 2, 3, 1).view(-1)
    size = _CHUNK if g.device.type == "cpu" else g.numel()
    for part, bytes_ in zip(torch.split(bits, size), torch.split(flat, size), strict=True):
        part.bitwise_and_(bytes_.to(integers))  # in a cache's size: widening costs most of it
    return g


def blank(like: Tensor, shape: torch.Size) -> Tensor:
    """Channels last, not filled.

    Of a convolution's input the backward pass reads the shape alone; on a CPU, memory that nobody
    touches is none.
    """
    return torch.empty(
        shape, dtype=like.dtype, device=like.device, memory_format=torch.channels_last
    )
