"""Networks of VGG-16's layout with few channels, and pictures to show them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nst.backbones.load import build
from nst.backbones.network import Backbone, WeightsRecord
from nst.backbones.vgg import WIDTHS
from nst.pictures.samples import load_image

WIDE, NARROW = (8, 12, 12, 8, 8), (4, 6, 6, 4, 4)


def narrow_all(monkeypatch: pytest.MonkeyPatch, mini: tuple[int, ...] = NARROW) -> None:
    """Give ``vgg16`` and ``vgg16_mini`` few channels."""
    monkeypatch.setitem(WIDTHS, "vgg16", WIDE)
    monkeypatch.setitem(WIDTHS, "vgg16_mini", mini)


def random_vgg16(seed: int = 0, redundant: bool = False) -> Backbone:
    """Random filters that keep the magnitude of what they see.

    Args:
        seed: of the filters
        redundant: every second channel is half the one before it, up to a tenth
    """
    generator = torch.Generator().manual_seed(seed)
    network = build("vgg16", "avg")
    state = {}
    for key, value in network.chain.state_dict().items():
        shape = value.shape
        if key.endswith("bias"):
            state[key] = 0.1 * torch.rand(shape, generator=generator)
        else:
            fan_in = shape[1:].numel()
            state[key] = torch.randn(shape, generator=generator) * (2 / fan_in) ** 0.5
        if redundant:
            noise = 1 + 0.1 * torch.randn(state[key][1::2].shape, generator=generator)
            state[key][1::2] = 0.5 * state[key][::2] * noise
    network.chain.load_state_dict(state, assign=True)
    network.weights_record = WeightsRecord("random", f"{seed}")
    return network.requires_grad_(False)


def patches(name: str, side: int = 64) -> Tensor:
    """A sample cut into squares, (N, 3, side, side)."""
    image = load_image(name, 4 * side)[0]
    cut = image.unfold(1, side, side).unfold(2, side, side)  # (3, rows, columns, side, side)
    return cut.flatten(1, 2).transpose(0, 1).contiguous()
