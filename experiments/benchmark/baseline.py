"""Style transfer as the public PyTorch implementations write it: what the benchmark compares with.

Eager float32 in NCHW; VGG-19 whole, run to its end, every layer asked for by name (as the notebook
of Gatys et al. does) or cut after the last layer that is needed (as the PyTorch tutorial does);
ReLUs that keep their input; autograd; ``torch.optim.LBFGS`` with its own defaults. The losses are
``normalization: mean`` of :mod:`nst.losses.features` and :mod:`nst.losses.gram`, so that values can
be compared.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nst.backbones.network import Backbone


class PlainVGG(nn.Module):
    """A VGG that returns the layers it is asked for."""

    mean: Tensor
    std: Tensor

    def __init__(self, backbone: Backbone, last: str | None = None):
        """
        Args:
            backbone: whose weights to copy
            last: the layer to stop at; None: run it all
        """
        super().__init__()
        self.chain = nn.ModuleDict()
        for name, module in backbone.chain.items():
            self.chain[name] = nn.ReLU(inplace=False) if isinstance(module, nn.ReLU) else module
            if isinstance(module, nn.Conv2d):
                self.chain[name] = _plain(module)
            if name == last:
                break
        self.register_buffer("mean", backbone.mean.clone())
        self.register_buffer("std", backbone.std.clone())
        self.requires_grad_(False)

    def forward(self, x: Tensor, layers: set[str]) -> dict[str, Tensor]:
        """(N, 3, H, W) → {layer: (N, C, H', W')}."""
        x = (x - self.mean) / self.std
        features = {}
        for name, module in self.chain.items():
            x = module(x)
            if name in layers:
                features[name] = x
        return features


def _plain(conv: nn.Conv2d) -> nn.Conv2d:
    """The same convolution, its weights in NCHW."""
    copy = nn.Conv2d(conv.in_channels, conv.out_channels, 3, padding=1)
    copy.load_state_dict(conv.state_dict())
    copy.weight.data = copy.weight.data.contiguous(memory_format=torch.contiguous_format)
    return copy


def gram(features: Tensor) -> Tensor:
    """F Fᵀ / (C M) of one image, (C, C)."""
    _, c, h, w = features.shape
    flat = features.reshape(c, h * w)
    return flat @ flat.T / (c * h * w)


class Baseline:
    """One image, one content layer, several style layers, L-BFGS."""

    def __init__(
        self,
        network: PlainVGG,
        content: Tensor,
        style: Tensor,
        content_layer: str,
        style_weights: Mapping[str, float],
    ):
        """
        Args:
            network: the VGG
            content, style: (1, 3, H, W)
            content_layer: its name; weight 1
            style_weights: {layer: weight}
        """
        self.network, self.weights, self.content_layer = network, style_weights, content_layer
        self.layers = {content_layer, *style_weights}
        with torch.no_grad():
            self.target = network(content, self.layers)[content_layer]
            styles = network(style, self.layers)
            self.grams = {name: gram(styles[name]) for name in style_weights}
        self.image = content.clone().requires_grad_()
        self.optimizer = torch.optim.LBFGS([self.image], max_iter=1)
        self.losses: list[float] = []

    def loss(self, image: Tensor) -> Tensor:
        """The weighted sum, differentiable."""
        features = self.network(image, self.layers)
        total = F.mse_loss(features[self.content_layer], self.target)
        for name, weight in self.weights.items():
            total = total + weight * F.mse_loss(gram(features[name]), self.grams[name])
        return total

    def step(self) -> None:
        """One evaluation and one update."""
        self.optimizer.step(self._closure)  # type: ignore[no-untyped-call]

    def _closure(self) -> Tensor:
        self.optimizer.zero_grad()
        loss = self.loss(self.image)
        torch.autograd.backward(loss)
        self.losses.append(loss.item())
        return loss
