"""Networks whose activations have mean 1, and random ones."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nst.backbones.network import Backbone


@torch.no_grad()
def randomize(backbone: Backbone, seed: int, images: Tensor) -> None:
    """He-normal filters from a seeded generator, then mean activations scaled to 1."""
    generator = torch.Generator().manual_seed(seed)
    backbone.chain.to_empty(device="cpu")
    for parameter in backbone.parameters():
        if parameter.ndim == 4:
            fan_in = parameter[0].numel()
            parameter.data = torch.randn(parameter.shape, generator=generator)
            parameter.data *= math.sqrt(2.0 / fan_in)
        else:
            parameter.data = torch.zeros(parameter.shape)
    normalize_activations(backbone, images)


@torch.no_grad()
def normalize_activations(backbone: Backbone, images: Tensor) -> None:
    """Scale every convolution in order so that each channel's mean activation after ReLU is 1.

    Gatys et al. 2015, section "Methods": ReLU networks allow it without changing what is computed
    up to scale. Here each convolution is scaled given those before it.

    Args:
        backbone: changed in place
        images: (N, 3, H, W), RGB in [0, 1]
    """

    def rescale(conv: nn.Conv2d, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        mean = F.relu(output).mean((0, 2, 3))
        scale = 1.0 / mean.clamp_min(1e-3 * float(mean.mean()) + 1e-12)  # (C,)
        conv.weight.data *= scale.view(-1, 1, 1, 1)
        if conv.bias is not None:
            conv.bias.data *= scale
        return output * scale.view(1, -1, 1, 1)

    hooks = [
        module.register_forward_hook(rescale)
        for module in backbone.modules()
        if isinstance(module, nn.Conv2d)
    ]
    try:
        backbone(images, [list(backbone.chain)[-1]])
    finally:
        for hook in hooks:
            hook.remove()
