"""How a chain is cut into blocks, and blocks into strips."""

from __future__ import annotations

import pytest
import torch

from nst.backbones.load import build
from nst.gradients.strips import Block, blocks, strips


def first_block(reach: dict[str, int], pooling: str = "avg", whole: tuple[str, ...] = ()) -> Block:
    return blocks(build("vgg19_mini", pooling), reach, whole)[0]


def test_blocks_end_at_pools_and_at_the_deepest_loss() -> None:
    cut = blocks(build("vgg19_mini", "avg"), {"relu_2": 0, "relu_3": 0})
    assert [[o.name for o in block.operations] for block in cut] == [
        ["conv_1", "conv_2", "pool_1"],
        ["conv_3"],
    ]
    assert [block.pooled for block in cut] == [True, False]
    assert blocks(build("vgg19_mini", "avg"), {"input": 0}) == ()


def test_a_relu_runs_with_its_convolution_unless_a_loss_sees_between() -> None:
    (block,) = blocks(build("vgg19_mini", "avg"), {"conv_1": 0, "relu_2": 0})
    assert [(o.name, o.relu) for o in block.operations] == [
        ("conv_1", None),
        ("relu_1", None),
        ("conv_2", "relu_2"),
    ]
    assert [operation.layer for operation in block.operations] == ["conv_1", "relu_1", "relu_2"]


@pytest.mark.parametrize(
    ("pooling", "reach", "halo"),
    [("avg", 0, 2), ("max", 0, 2), ("blur", 0, 4), ("avg", 1, 4), ("blur", 1, 6)],
)
def test_the_halo_has_a_row_for_each_convolution_and_more_for_what_sees_further(
    pooling: str, reach: int, halo: int
) -> None:
    block = first_block({"relu_2": reach, "relu_3": 0}, pooling)
    assert (block.halo, block.channels, block.pooled) == (halo, 16, True)


@pytest.mark.parametrize("reach", [0, 1])
@pytest.mark.parametrize("height", [4001, 4000, 3999, 2570])
def test_strips_cover_every_row_once_and_cut_no_pool(height: int, reach: int) -> None:
    block = first_block({"relu_2": reach, "relu_3": 0})
    cut = strips(torch.Size((1, 3, height, 2000)), block)
    assert len(cut) > 1
    assert [row for strip in cut for row in range(strip.first, strip.last)] == list(range(height))
    assert all(strip.first % 2 == strip.low % 2 == 0 for strip in cut)
    assert all(strip.last % 2 == strip.high % 2 == 0 for strip in cut[:-1])
    margin = 2 * block.halo
    assert all(s.low == s.first - margin and s.high == s.last + margin for s in cut[1:-1])
    assert all(s.last - s.first > 1 for s in cut)


def test_what_is_small_is_not_cut() -> None:
    block = first_block({"relu_2": 0})
    assert len(strips(torch.Size((1, 3, 64, 64)), block)) == 1


def test_what_a_loss_sees_whole_is_not_cut() -> None:
    block = first_block({"relu_2": 0, "relu_3": 0}, whole=("relu_2",))
    assert len(strips(torch.Size((1, 3, 4001, 2000)), block)) == 1
    other = first_block({"relu_2": 0, "relu_3": 0}, whole=("relu_3",))
    assert len(strips(torch.Size((1, 3, 4001, 2000)), other)) > 1
