"""VGG-16, VGG-19 and small networks with their layouts (Simonyan & Zisserman 2015)."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from nst.backbones.pooling import make_pool
from nst.config.layers import VGG_BLOCKS

WIDTHS = {
    "vgg19": (64, 128, 256, 512, 512),
    "vgg16": (64, 128, 256, 512, 512),
    "vgg16_mini": (24, 48, 128, 256, 192),
    "vgg19_mini": (16, 32, 64, 128, 128),
}
"""Channels of each block."""


def vgg_chain(name: str, pooling: str) -> OrderedDict[str, nn.Module]:
    """VGG (Simonyan & Zisserman 2015): 3×3 convolutions with zero padding, ReLU, 2×2 pooling."""
    chain: OrderedDict[str, nn.Module] = OrderedDict()
    k, channels = 0, 3
    for b, (count, width) in enumerate(zip(VGG_BLOCKS[name], WIDTHS[name], strict=True), 1):
        for _ in range(count):
            k += 1
            chain[f"conv_{k}"] = nn.Conv2d(channels, width, 3, padding=1, device="meta")
            chain[f"relu_{k}"] = nn.ReLU()
            channels = width
        chain[f"pool_{b}"] = make_pool(pooling)
    return chain
