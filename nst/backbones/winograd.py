"""Convolutions 3×3 with fewer products, for processors (Lavin & Gray 2016, arXiv 1509.09308).

F(m, 3) makes m outputs of a filter of three weights from m + 2 products instead of 3m. Taken along
both axes, a tile of m×m' outputs is ``Aᵀ[(G w G'ᵀ) ⊙ (Bᵀ x B')]A'``: what depends on the weights is
computed once, what is left between the transforms is a matrix product over channels for each of
the (m+2)(m'+2) places in a tile. Here each transform is one small matrix product too, with the
Kronecker product of its two axes, so that it is rounded once.

Few products leave more rounding and transforms that move memory: :func:`_axes` says how exact a
tile is, :func:`pays` where it is faster.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nst.backbones import processor

_LEAST_PIXELS = 256


@dataclass(frozen=True)
class Axis:
    """F(m, 3) along one axis: outputs = A [(G w) ⊙ (B x)], with A and B in whole numbers.

    The points are closed under p → 1/p (0 ↔ ∞), and the rows scaled alike, so that a filter back to
    front has the same products in another order: G applied to it is G of the filter in the order
    ``flip``. One set of transformed weights thus serves both ways.

    Attributes:
        b: m + 2 rows of m + 2
        g: m + 2 rows of 3, to be divided by ``divisor``
        a: m rows of m + 2
        flip: a permutation of the m + 2 places, its own inverse
    """

    b: tuple[tuple[int, ...], ...]
    g: tuple[tuple[int, ...], ...]
    divisor: int
    a: tuple[tuple[int, ...], ...]
    flip: tuple[int, ...]

    @property
    def m(self) -> int:
        """Outputs of a tile."""
        return len(self.a)


F2 = Axis(  # points 0, 1, −1, ∞: Lavin & Gray, section 4.1
    b=((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1)),
    g=((2, 0, 0), (1, 1, 1), (1, -1, 1), (0, 0, 2)),
    divisor=2,
    a=((1, 1, 1, 0), (0, 1, -1, -1)),
    flip=(3, 1, 2, 0),
)
F4 = Axis(  # points 0, ±2/3, ±3/2, ∞: less than half the error of 0, ±1, ±2, ∞
    b=(
        (36, 0, -97, 0, 36, 0),
        (0, 18, 27, -8, -12, 0),
        (0, -18, 27, 8, -12, 0),
        (0, -12, -8, 27, 18, 0),
        (0, 12, -8, -27, 18, 0),
        (0, 36, 0, -97, 0, 36),
    ),
    g=((130, 0, 0), (9, 6, 4), (9, -6, 4), (4, 6, 9), (4, -6, 9), (0, 0, 130)),
    divisor=4680,
    a=(
        (1, 27, 27, 8, 8, 0),
        (0, 18, -18, 12, -12, 0),
        (0, 12, 12, 18, 18, 0),
        (0, 8, -8, 27, -27, 1),
    ),
    flip=(5, 3, 4, 1, 2, 0),
)


class Transforms:
    """The matrices of a tile of m×m' outputs, which has n = (m + 2)(m' + 2) places.

    Attributes:
        inwards: for a tile of the input, (n, n)
        outwards: for the n products, (m m', n)
        outwards_bias: the same for the n products and the bias, (m m', n + 1)
    """

    def __init__(self, rows: Axis, columns: Axis, dtype: torch.dtype, backwards: bool = False):
        """
        Args:
            rows, columns: along the height and along the width
            dtype: of input and output; a matrix product adds in float32 all the same
            backwards: for filters back to front, with the weights as they are transformed forwards
        """
        self.rows, self.columns = rows, columns
        b, a = [], []
        for axis in (rows, columns):
            order = axis.flip if backwards else range(axis.m + 2)
            b.append(torch.tensor([axis.b[i] for i in order], dtype=dtype))
            a.append(torch.tensor([[row[i] for i in order] for row in axis.a], dtype=dtype))
        self.inwards, self.outwards = torch.kron(*b), torch.kron(*a)
        ones = torch.ones_like(self.outwards[:, :1])
        self.outwards_bias = torch.cat([self.outwards, ones], 1)


class Scratch:
    """Memory that is used again and again: asking for a name twice gives the same bytes.

    A block goes from ``a`` to ``b`` and back: tiles, inputs of the products, products, outputs.
    """

    def __init__(self) -> None:
        self._blocks: dict[tuple[str, torch.dtype], Tensor] = {}

    def __call__(self, name: str, dtype: torch.dtype, *shape: int) -> Tensor:
        """A contiguous tensor of any content."""
        count, block = math.prod(shape), self._blocks.get((name, dtype))
        if block is None or block.numel() < count:
            block = self._blocks[name, dtype] = torch.empty(count, dtype=dtype)
        return block[:count].view(shape)


def transform_weights(weight: Tensor, rows: Axis, columns: Axis) -> Tensor:
    """G w G'ᵀ: (O, C, 3, 3) → (n, C, O), computed in float64 and rounded once."""
    g, h = (torch.tensor(axis.g, dtype=torch.float64) / axis.divisor for axis in (rows, columns))
    outputs, channels = weight.shape[:2]
    transformed = weight.new_empty(g.shape[0] * h.shape[0], channels, outputs)
    # float64 of all at once, or the parts beside the whole, would be the peak of a run's memory
    for part, place in zip(weight.chunk(8), transformed.chunk(8, 2), strict=True):
        place.copy_(torch.einsum("ia,jb,ocab->ijco", g, h, part.double()).flatten(0, 1))
    return transformed


def convolve(
    x: Tensor,
    weights: Tensor,
    transforms: Transforms,
    scratch: Scratch,
    bias: Tensor | None = None,
    relu: bool = False,
) -> Tensor:
    """A convolution with stride and padding of 1, block of tiles by block of tiles.

    Args:
        x: (N, C, H, W), channels last
        weights: (n, C, O), of :func:`transform_weights`; last axes swapped for the backward pass
        transforms: of the same axes
        scratch: for what lives no longer than a block
        bias: (O,)
        relu: whether negative outputs become 0

    Returns:
        (N, O, H, W), channels last
    """
    pixels, (n, channels, _) = x.permute(0, 2, 3, 1), weights.shape
    outputs = x.new_empty(*pixels.shape[:3], weights.shape[2])
    for block in _blocks(pixels.shape, transforms, _block_tiles(weights)):
        tiles = _gather(pixels, block, transforms, scratch)
        count = tiles.shape[1] // channels
        inputs = scratch("b", x.dtype, n, count * channels)
        torch.mm(transforms.inwards, tiles, out=inputs)
        products = scratch("a", x.dtype, n + 1, count, weights.shape[2])
        torch.bmm(inputs.view(n, count, channels), weights, out=products[:n])
        _scatter(products, outputs, block, transforms, scratch, bias, relu)
    return outputs.permute(0, 3, 1, 2)


def _block_tiles(weights: Tensor) -> int:
    """How many tiles to work on at once, for weights (n, C, O).

    As many as there are channels, half of it in float32: reading weights that no cache holds then
    costs little beside using them. The floor keeps small matrix products efficient.
    """
    return max(512, 2 * max(weights.shape[1:])) // weights.element_size()


@dataclass(frozen=True)
class _Block:
    """Rows of tiles: of several images where they are small, else of one."""

    first: int  # of the images
    images: int
    row: int  # the first, counted in tiles
    rows: int
    columns: int


def _blocks(shape: torch.Size, transforms: Transforms, tiles: int) -> Iterator[_Block]:
    """Cover images (N, H, W, C) with blocks of about so many tiles."""
    count, height, width = shape[:3]
    columns = -(-width // transforms.columns.m)
    all_rows = -(-height // transforms.rows.m)
    rows = min(max(1, round(tiles / columns)), all_rows)
    images = max(1, tiles // (all_rows * columns))
    for first in range(0, count, images):
        for row in range(0, all_rows, rows):
            yield _Block(first, min(images, count - first), row, min(rows, all_rows - row), columns)


def _gather(pixels: Tensor, block: _Block, transforms: Transforms, scratch: Scratch) -> Tensor:
    """A block's overlapping tiles with their margin of zeros: (N, H, W, C) → (n, tiles * C)."""
    m, k = transforms.rows.m, transforms.columns.m
    _, height, width, channels = pixels.shape
    shape = (block.images, block.rows * m + 2, block.columns * k + 2, channels)
    padded = scratch("padded", pixels.dtype, *shape)
    top = block.row * m - 1  # of the block in the image
    start, end = max(top, 0), min(top + shape[1], height)
    padded[:, :, 0] = 0
    padded[:, :, width + 1 :] = 0
    padded[:, : start - top] = 0
    padded[:, end - top :] = 0
    source = pixels[block.first : block.first + block.images, start:end]
    padded[:, start - top : end - top, 1 : width + 1] = source
    windows = padded.unfold(1, m + 2, m).unfold(2, k + 2, k).permute(4, 5, 0, 1, 2, 3)
    tiles = scratch("a", pixels.dtype, *windows.shape)
    return tiles.copy_(windows).view((m + 2) * (k + 2), -1)


def _scatter(
    products: Tensor,
    outputs: Tensor,
    block: _Block,
    transforms: Transforms,
    scratch: Scratch,
    bias: Tensor | None,
    relu: bool,
) -> None:
    """A block's products (n + 1, tiles, O), the last place free for a bias, to (N, H, W, O)."""
    m, k = transforms.rows.m, transforms.columns.m
    matrix = transforms.outwards
    if bias is not None:
        products[-1], matrix = bias, transforms.outwards_bias
    flat = products.flatten(1)[: matrix.shape[1]]
    flat_outputs = scratch("b", products.dtype, m * k, flat.shape[1])
    torch.mm(matrix, flat, out=flat_outputs)
    tiles = flat_outputs.view(m, k, block.images, block.rows, block.columns, -1)
    images = slice(block.first, block.first + block.images)
    for i, j in itertools.product(range(m), range(k)):
        target = outputs[images, block.row * m + i : (block.row + block.rows) * m : m, j::k]
        source = tiles[i, j, :, : target.shape[1], : target.shape[2]]
        if relu:
            torch.clamp_min(source, 0, out=target)
        else:
            target.copy_(source)


# --- where it is used --------------------------------------------------------------------------


def axes(conv: nn.Conv2d) -> tuple[Axis, Axis]:
    """The tile for a convolution in its own number format; see :func:`_axes`."""
    return _axes(conv, conv.weight.dtype)


def _axes(conv: nn.Conv2d, dtype: torch.dtype) -> tuple[Axis, Axis]:
    """The tile for a convolution: the larger, the fewer products, and the more rounding.

    A tile of 4×4 outputs has a quarter of the products and, in float32, an error of 1e-6. In
    bfloat16 that would be six times the direct one's; 2×4 (a third of the products) has three
    times, 2×2 (four ninths) twice.
    """
    if dtype != torch.bfloat16:
        return F4, F4
    return F2, (F4 if max(conv.in_channels, conv.out_channels) >= 512 else F2)


def pays(conv: nn.Conv2d, x: Tensor) -> bool:
    """Whether a convolution or its backward pass is faster so.

    Args:
        conv: any convolution
        x: its input, or the gradient at its output

    With few channels the transforms cost more than they save, with few pixels reading the larger
    weights does. In bfloat16 products cost half, and what is gained must be worth the rounding.
    It does not depend on the number of images: each in a batch is computed as it would be alone.
    """
    return x.device.type == "cpu" and _pays(conv, x.shape, x.dtype)


def _pays(conv: nn.Conv2d, shape: torch.Size, dtype: torch.dtype) -> bool:
    if conv.kernel_size != (3, 3) or conv.groups != 1:
        return False
    if not conv.stride == conv.padding == conv.dilation == (1, 1):
        return False
    if shape[2] * shape[3] < _LEAST_PIXELS:
        return False
    channels = conv.in_channels, conv.out_channels
    if dtype == torch.bfloat16:
        return min(channels) >= 256 and _products_limit_bfloat16()
    return dtype == torch.float32 and min(channels) >= 64 and max(channels) >= 128


def _products_limit_bfloat16() -> bool:
    """Whether products in this format are fast, but not as with AMX faster than memory can feed."""
    flags = processor.flags()
    return "avx512_bf16" in flags and "amx_bf16" not in flags


def transformed_numbers(conv: nn.Module, shape: torch.Size, dtype: torch.dtype) -> int:
    """How many numbers a convolution's transformed weights have on a CPU; 0 where it is direct."""
    if not isinstance(conv, nn.Conv2d) or not _pays(conv, shape, dtype):
        return 0
    rows, columns = _axes(conv, dtype)
    return (rows.m + 2) * (columns.m + 2) * conv.in_channels * conv.out_channels


class Convolutions:
    """The convolutions of a network that are computed this way, with their transformed weights.

    Those are kept, once for both ways: 4 times the direct ones in float32 (200 MB for VGG-19 up to
    conv_13), 8/3 or 16/9 times in bfloat16 (60 MB).
    """

    def __init__(self) -> None:
        self._weights: dict[nn.Conv2d, Tensor] = {}
        self._transforms: dict[tuple[int, int, torch.dtype, bool], Transforms] = {}
        self._scratch = Scratch()

    def forward(self, conv: nn.Module, x: Tensor, relu: bool = False) -> Tensor | None:
        """The convolution, and its ReLU if relu; None where direct computation is faster."""
        if not isinstance(conv, nn.Conv2d) or not pays(conv, x):
            return None
        weights, transforms = self._prepared(conv, backwards=False)
        return convolve(x, weights, transforms, self._scratch, conv.bias, relu)

    def backward(self, conv: nn.Conv2d, g: Tensor) -> Tensor | None:
        """The gradient with respect to the input; None where direct computation is faster."""
        if not pays(conv, g):
            return None
        weights, transforms = self._prepared(conv, backwards=True)
        return convolve(g, weights.transpose(1, 2), transforms, self._scratch)

    def _prepared(self, conv: nn.Conv2d, backwards: bool) -> tuple[Tensor, Transforms]:
        rows, columns = axes(conv)
        key = rows.m, columns.m, conv.weight.dtype, backwards
        if key not in self._transforms:
            self._transforms[key] = Transforms(rows, columns, conv.weight.dtype, backwards)
        if conv not in self._weights:
            self._weights[conv] = transform_weights(conv.weight, rows, columns)
        return self._weights[conv], self._transforms[key]
