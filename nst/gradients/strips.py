"""How a chain of convolutions is cut: into blocks from pool to pool, and these into strips of rows.

A strip's rows depend on a few rows around it only (its halo), so a large block can be computed
strip by strip, with a fraction of the memory. What is needed of a halo is computed twice.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nst.backbones.network import Backbone
from nst.backbones.pooling import POOLS, BlurPool2d

NUMBERS = 2**23
"""In a strip's largest feature map, about."""

ROWS_PER_HALO = 16
"""Rows of a strip for each row of its halo, at least: what is computed twice stays little."""


@dataclass(frozen=True)
class Operation:
    """A module of the chain, and the ReLU that runs with it, if any."""

    name: str
    relu: str | None = None

    @property
    def layer(self) -> str:
        """The layer whose features are the output."""
        return self.relu or self.name


@dataclass(frozen=True)
class Block:
    """Operations up to a pool, which ends the block, or to the deepest layer that is needed.

    Attributes:
        halo: rows on either side on which a row depends: one for each convolution, two for a pool
            that blurs, two for each row that a loss reaches
        channels: of the widest features
        whole: whether a loss in it sees its layer whole, so that it must not be cut
    """

    operations: tuple[Operation, ...]
    pooled: bool
    halo: int
    channels: int
    whole: bool = False


@dataclass(frozen=True)
class Strip:
    """Rows of a block's input: a strip's own, and those that are computed with it.

    Attributes:
        first, last: its own rows, from and to
        low, high: the rows that are computed, from and to
    """

    first: int
    last: int
    low: int
    high: int

    def own_rows(self, x: Tensor, pooled: bool = False) -> Tensor:
        """The own rows of what was computed, (N, C, rows, W), before or after the pool."""
        first, last = self.rows(pooled)
        return x[:, :, first:last]

    def rows(self, pooled: bool = False) -> tuple[int, int]:
        """Which of the rows that are computed are its own, from and to."""
        by = 2 if pooled else 1
        return self.first // by - self.low // by, self.last // by - self.low // by

    def computed(self, x: Tensor, pooled: bool = False) -> Tensor:
        """The rows that are computed, of features of the whole image."""
        by = 2 if pooled else 1
        return x[:, :, self.low // by : self.high // by]


def blocks(
    backbone: Backbone, reach: Mapping[str, int], whole: Collection[str] = ()
) -> tuple[Block, ...]:
    """The blocks up to the deepest layer with a loss; none where only ``input`` has one.

    Args:
        backbone: a plain chain
        reach: {layer with a loss: how many rows below a position its losses see}
        whole: layers with a loss that sees them whole
    """
    names = list(backbone.chain)
    deepest = max((names.index(layer) for layer in reach if layer != "input"), default=-1)
    border = 2 * max(reach.values(), default=0)
    finished: list[Block] = []
    operations: list[Operation] = []
    channels, halo = 0, border

    def finish(pooled: bool) -> None:
        uncut = any(operation.layer in whole for operation in operations)
        finished.append(Block(tuple(operations), pooled, halo, channels, uncut))

    for operation in _operations(names[: deepest + 1], set(reach)):
        module = backbone.chain[operation.name]
        operations.append(operation)
        if isinstance(module, nn.Conv2d):
            channels, halo = max(channels, module.out_channels), halo + int(module.padding[0])
        if isinstance(module, POOLS):
            halo += 2 * isinstance(module, BlurPool2d)
            finish(pooled=True)
            operations, halo = [], border
    if operations:
        finish(pooled=False)
    return tuple(finished)


def _operations(names: Sequence[str], observed: set[str]) -> list[Operation]:
    """A ReLU runs with what is before it, unless a loss sees what is between."""
    operations: list[Operation] = []
    for i, name in enumerate(names):
        previous = names[i - 1] if i else "input"
        if name.startswith("relu") and operations and previous not in observed:
            operations[-1] = Operation(previous, name)
        else:
            operations.append(Operation(name))
    return operations


def strips(shape: torch.Size, block: Block) -> list[Strip]:
    """How a block's input (N, C, H, W) is cut: into one where it is small."""
    n, _, height, width = shape
    if block.whole:
        return [Strip(0, height, 0, height)]
    rows = max(NUMBERS // (n * block.channels * width), ROWS_PER_HALO * block.halo, 2)
    count = max(1, height // rows)
    rows = max(2, -(-height // count // 2) * 2)  # even, so that no 2×2 of a pool is cut
    firsts = range(0, max(1, height - 1), rows)  # a single last row goes with those before it
    lasts = [*firsts[1:], height]
    margin = 2 * block.halo  # the backward pass needs a halo of features that are right themselves
    return [
        Strip(first, last, max(first - margin, 0), min(last + margin, height))
        for first, last in zip(firsts, lasts, strict=True)
    ]


def whole_strip(x: Tensor) -> Strip:
    """All rows of features (N, C, H, W) as one strip."""
    return Strip(0, x.shape[2], 0, x.shape[2])
