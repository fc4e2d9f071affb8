"""The frozen network. Images go in as RGB in [0, 1]; normalisation lives inside.

A backbone is a chain of named modules. It computes up to the deepest layer asked for and no
further, and an in-place ReLU never overwrites a convolution that was asked for.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nst.backbones.pooling import POOLS
from nst.backbones.winograd import Convolutions
from nst.errors import InputError

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
CAFFE_MEAN = (123.68, 116.779, 103.939)
"""Of pixels from 0 to 255, as RGB; the original VGGs take them as BGR and leave their spread."""

PIXEL_FORMATS = {
    "imagenet": (IMAGENET_MEAN, IMAGENET_STD),
    "caffe": (tuple(mean / 255 for mean in CAFFE_MEAN), (1 / 255,) * 3),
}
"""{name: (mean, std)} that pixels in [0, 1] are normalised by; RGB."""


@dataclass(frozen=True)
class WeightsRecord:
    """Which weights a backbone holds: by name, as ``shipped`` or ``caffe``, or a file's path.

    ``sha256`` is of the file, as it was before its channels were rescaled; for random and kmeans
    weights, of the parameters' bytes.
    """

    name: str
    sha256: str


class Backbone(nn.Module):
    """A frozen chain of named modules that returns the features it is asked for.

    Attributes:
        pixel_format: of :data:`PIXEL_FORMATS`; with ``caffe`` the first convolution takes RGB all
            the same, its filters are turned when they are loaded
        mean, std: what pixels in [0, 1] are normalised by, (1, 3, 1, 1)
    """

    mean: Tensor
    std: Tensor

    def __init__(self, name: str, chain: Mapping[str, nn.Module], pixel_format: str = "imagenet"):
        super().__init__()
        self.name, self.pixel_format = name, pixel_format
        mean, std = PIXEL_FORMATS[pixel_format]
        self.weights_record = WeightsRecord("none", "")
        self.chain = nn.ModuleDict(dict(chain))
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1))
        self.eval().requires_grad_(False)

    def forward(
        self,
        images: Tensor,
        layers: Iterable[str],
        convolutions: Convolutions | None = None,
    ) -> dict[str, Tensor]:
        """Features of the layers asked for.

        Args:
            images: (N, 3, H, W), RGB in [0, 1]
            layers: canonical names (see :mod:`nst.config.layers`)
            convolutions: faster ones for some of them, which know no autograd

        Returns:
            {layer: (N, C, H', W')}; ``input`` is the images themselves.

        Raises:
            InputError: the image is too small for the deepest layer.
        """
        requested = set(layers)
        features = {"input": images} if "input" in requested else {}
        missing = requested - {"input"}
        x = self.normalize(images)
        previous = "input"
        for name, module in self.chain.items():
            if not missing:
                break
            if isinstance(module, nn.ReLU):
                x = F.relu(x, inplace=previous not in requested)
            else:
                self.require_room(name, x, images)
                by_winograd = convolutions.forward(module, x) if convolutions else None
                x = module(x) if by_winograd is None else by_winograd
            if name in missing:
                features[name] = x
                missing.remove(name)
            previous = name
        return features

    def normalize(self, images: Tensor) -> Tensor:
        """What the first convolution takes: (N, 3, H, W), channels last, in the weights' dtype."""
        x = (images - self.mean) / self.std
        dtype = next(self.chain.parameters()).dtype
        return x.to(dtype, memory_format=torch.channels_last)

    def require_room(self, name: str, x: Tensor, images: Tensor) -> None:
        """Check that an input x (N, C, H, W) is large enough for a module.

        Raises:
            InputError: it is not; the message names the size of the images themselves.
        """
        if min(x.shape[2:]) < _side_before(self.chain[name], 1):
            h, w = images.shape[2:]
            raise InputError(
                f"an image of {w}×{h} pixels is too small for layer {name} of {self.name} "
                f"and what follows it; use a larger size or earlier layers"
            )

    def least_side(self, layer: str) -> int:
        """Shortest side of images, in pixels, that leaves a position at a layer."""
        side = 1
        names = ["input", *self.chain]
        for name in reversed(names[1 : names.index(layer) + 1]):
            side = _side_before(self.chain[name], side)
        return side

    def in_precision(self, dtype: torch.dtype) -> Backbone:
        """The same network with weights and activations of another dtype; itself if of this one."""
        if next(self.chain.parameters()).dtype == dtype:
            return self
        twin = copy.deepcopy(self)
        twin.chain.to(dtype)  # not the mean and the std: pixels are normalised as they are
        return twin


def _side_before(module: nn.Module, side: int) -> int:
    """Shortest side of an input of which a module leaves so much."""
    if isinstance(module, nn.Conv2d):
        return (side - 1) * module.stride[0] + module.kernel_size[0] - 2 * int(module.padding[0])
    return 2 * side if isinstance(module, POOLS) else side
