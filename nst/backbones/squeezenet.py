"""SqueezeNet 1.0 (Iandola et al. 2016, arXiv 1602.07360)."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn

from nst.backbones.pooling import make_pool
from nst.config.layers import layers_of


def squeezenet_chain(pooling: str) -> OrderedDict[str, nn.Module]:
    """torchvision's SqueezeNet 1.0, its modules under the paper's names."""
    from torchvision.models import squeezenet1_0

    with torch.random.fork_rng(devices=[]):  # its default weights are drawn and thrown away
        features = squeezenet1_0(weights=None).features
    chain = OrderedDict(zip(layers_of("squeezenet1_0"), features, strict=True))
    for name in chain:
        if name.startswith("pool"):
            chain[name] = make_pool(pooling, kernel=3, ceil_mode=True)
    return chain
