"""Networks whose activations have mean 1, and random ones.

There are two ways to mean 1. :func:`rescale_channels` keeps the function of a trained network, up
to a factor for each channel. :func:`normalize_activations` lets each layer see the activations
that were scaled before it, which makes another function of a network that has none to keep.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nst.backbones.network import Backbone

ALIVE = 0.01
"""Channels whose mean activation is less than this, relative to their layer's, count as dead."""


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

    Each convolution is scaled given those before it, and takes what these give now: the network
    computes something else than before.

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


@torch.no_grad()
def rescale_channels(backbone: Backbone, images: Tensor) -> None:
    r"""Scale channels so that each one's mean activation after ReLU is 1, and nothing else changes.

    With the mean activations :math:`m` of the images (Gatys, Ecker & Bethge 2016, "Image Style
    Transfer Using Convolutional Neural Networks", section 2; 2015, arXiv 1505.07376):

    .. math:: W'_{ij} = W_{ij} \frac{m_j}{m_i}, \qquad b'_i = \frac{b_i}{m_i}

    i is a channel of a convolution and j one of those it takes, which came out :math:`1 / m_j`
    times as large. ReLU and every kind of pooling pass positive factors on. A channel that is dead
    on these images (below :data:`ALIVE`) gets its layer's factor: another picture may wake it.

    Args:
        backbone: changed in place
        images: (N, 3, H, W), RGB in [0, 1]
    """
    means = _mean_activations(backbone, images)
    incoming = torch.ones(3)
    for module in backbone.chain.values():
        if isinstance(module, nn.Conv2d):
            incoming = _rescale(module, means[module], incoming)
            continue
        convolutions = [m for m in module.children() if isinstance(m, nn.Conv2d)]
        if convolutions:  # SqueezeNet's fire: one convolution, and two side by side that take it
            squeeze, *expand = convolutions
            squeezed = _rescale(squeeze, means[squeeze], incoming)
            incoming = torch.cat([_rescale(conv, means[conv], squeezed) for conv in expand])


def _rescale(conv: nn.Conv2d, means: Tensor, incoming: Tensor) -> Tensor:
    """Divide a convolution's channels by their means (C,), and take back what came in scaled.

    Returns:
        The factors of its channels, (C,).
    """
    usual = means.mean().clamp_min(1e-12)
    factors = 1.0 / torch.where(means < ALIVE * usual, usual, means)
    conv.weight.data *= factors.view(-1, 1, 1, 1) / incoming.view(1, -1, 1, 1)
    if conv.bias is not None:
        conv.bias.data *= factors
    return factors


def _mean_activations(backbone: Backbone, images: Tensor) -> dict[nn.Module, Tensor]:
    """{convolution: means of its channels after ReLU, (C,)}."""
    means: dict[nn.Module, Tensor] = {}

    def observe(conv: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        means[conv] = F.relu(output).mean((0, 2, 3))

    convolutions = [module for module in backbone.modules() if isinstance(module, nn.Conv2d)]
    hooks = [conv.register_forward_hook(observe) for conv in convolutions]
    try:
        backbone(images, [list(backbone.chain)[-1]])
    finally:
        for hook in hooks:
            hook.remove()
    return means
