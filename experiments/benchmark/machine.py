"""How long steps take, how much they compute, and what the machine could do."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from experiments.benchmark.plan import DTYPES
from nst.backbones.network import Backbone

Row = dict[str, Any]


def seconds(step: Callable[[], object], least: float = 1.0, most: int = 20) -> list[float]:
    """Times of single steps, for at least so many seconds or at most so many steps."""
    times: list[float] = []
    while len(times) < 2 or (sum(times) < least and len(times) < most):
        begin = time.perf_counter()
        step()
        times.append(time.perf_counter() - begin)
    return times


def operations(backbone: Backbone, size: int, content: set[str], style: set[str]) -> float:
    """Floating-point operations of one iteration: convolutions and Gram matrices, both passes.

    Those of direct convolutions, however they are computed: with fewer products
    (:mod:`nst.backbones.winograd`) the rate is an effective one, and its share of the ceiling may
    exceed 100 %.

    Args:
        backbone: a VGG
        size: of a square image, in pixels
        content, style: layers that the losses need; those of the style have Gram matrices
    """
    deepest = max(list(backbone.chain).index(layer) for layer in content | style)
    side, channels, total = size, 3, 0.0
    for name, module in list(backbone.chain.items())[: deepest + 1]:
        if isinstance(module, nn.Conv2d):
            channels = module.out_channels
            total += 2 * 2 * module.weight.numel() * side**2  # forward, and backward to the input
        elif not isinstance(module, nn.ReLU):
            side //= 2
        if name in style:
            total += 2 * 2 * channels**2 * side**2
    return total


def ceilings() -> Row:
    """Best rates of a large matrix product, a large convolution and a large copy."""
    rates: Row = {}
    for name, dtype in DTYPES.items():
        a = torch.randn(2048, 2048).to(dtype)
        x = torch.randn(1, 256, 128, 128).to(dtype, memory_format=torch.channels_last)
        w = torch.randn(256, 256, 3, 3).to(dtype, memory_format=torch.channels_last)
        product = min(seconds(functools.partial(torch.mm, a, a)))
        convolution = min(seconds(functools.partial(torch.conv2d, x, w, padding=1)))
        rates[name] = {
            "matmul": 2 * 2048**3 / product / 1e9,
            "convolution": 2 * w.numel() * 128**2 / convolution / 1e9,
        }
    source = torch.randn(1 << 26)
    target = torch.empty_like(source)
    copied = min(seconds(lambda: target.copy_(source)))
    rates["copy"] = 2 * source.numel() * 4 / copied / 1e9
    return rates


def higher(a: Row, b: Row) -> Row:
    """The larger of every number of two nested mappings."""
    return {k: higher(v, b[k]) if isinstance(v, dict) else max(v, b[k]) for k, v in a.items()}
