"""Style distance and content kept, in the eyes of a network that did not make the picture.

A picture that was made to please a network pleases it. So another one judges: by default one of the
two that ship, whichever is of another family than the networks that made the pictures.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from nst.backbones.load import load_backbone
from nst.backbones.network import Backbone
from nst.config.layers import BACKBONES, canonical
from nst.errors import InputError, did_you_mean
from nst.losses.gram import gram_matrix

_STYLE_LAYERS = {
    "vgg16": ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"),
    "vgg19": ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"),
    "squeezenet1_0": ("relu_1", "fire2", "fire4", "fire5", "fire7", "fire8"),
}
_CONTENT_LAYER = {"vgg16": "relu3_3", "vgg19": "relu3_4", "squeezenet1_0": "fire4"}
_POOLING = {"vgg16_mini": "avg", "vgg19_mini": "avg"}  # as they were trained; the rest have max
_SHIPPED = ("vgg16_mini", "vgg19_mini")  # the first where it is neutral: it knows more


def _family(backbone: str) -> str:
    """Networks of one family count as one: vgg16_mini was taught by VGG-16."""
    return backbone.removesuffix("_mini")


@dataclass(frozen=True)
class Judge:
    """A network, and the layers of it at which pictures are compared.

    Attributes:
        name: of the network
        neutral: whether it is of another family than all that made the pictures
        network: in float32
        style_layers, content_layer: canonical or not
    """

    name: str
    neutral: bool
    network: Backbone
    style_layers: tuple[str, ...]
    content_layer: str

    @property
    def sentence(self) -> str:
        """Who judges, for the page."""
        where = f"{', '.join(self.style_layers)} for style, {self.content_layer} for content"
        steered = "which made none of these pictures" if self.neutral else (
            "which is of one family with a network that made some of these pictures: its numbers "
            "favour those; report.judge chooses another"
        )  # fmt: skip
        return f"Style distance and content kept are judged by {self.name} ({where}), {steered}."

    def style_distance(self, image: Tensor, style: Tensor) -> float:
        """:func:`gram_distance` at the style layers, of images (1, 3, H, W) in [0, 1]."""
        return gram_distance(self.network, image, style, self.style_layers)

    @torch.no_grad()
    def content_kept(self, image: Tensor, content: Tensor) -> float:
        """Correlation of the content layer's features, each channel less its mean: −1 to 1.

        Two images (1, 3, H, W) in [0, 1] of one size. Channels' means are left out because two
        unrelated photographs share them; without them they have about 0.1.
        """
        layer = canonical(self.content_layer, self.name)
        first, second = (
            self.network(each, (layer,))[layer][0].flatten(1) for each in (image, content)
        )
        first, second = (each - each.mean(1, keepdim=True) for each in (first, second))
        norm = float(first.norm() * second.norm())
        return float((first * second).sum()) / norm if norm > 0 else 0.0


def held_out_judge(
    steering: Collection[str], choice: str = "auto", weights: str | None = None
) -> Judge:
    """The network that judges pictures which these networks made.

    Args:
        steering: backbones that made the pictures
        choice: a backbone's name, or ``auto``: of those that ship the first of another family,
            else the first
        weights: its weights, as in ``backbone.weights``; None: shipped where they ship, else
            ImageNet's

    Raises:
        InputError: an unknown backbone, or weights that cannot be had.
    """
    families = {_family(name) for name in steering}
    if choice == "auto":
        neutral = [name for name in _SHIPPED if _family(name) not in families]
        choice = (neutral or list(_SHIPPED))[0]
    if choice not in BACKBONES:
        hint = did_you_mean(choice, BACKBONES)
        raise InputError(f"report.judge={choice}: expected auto or one of {', '.join(BACKBONES)}"
                         f"{hint}")  # fmt: skip
    weights = weights or ("shipped" if choice in _SHIPPED else "imagenet")
    family = _family(choice)
    return Judge(
        choice, family not in families, _network(choice, weights),
        _STYLE_LAYERS[family], _CONTENT_LAYER[family],
    )  # fmt: skip


@lru_cache(maxsize=2)
def _network(name: str, weights: str) -> Backbone:
    return load_backbone(name, weights, _POOLING.get(name, "max"))


def gram_distance(backbone: Backbone, image: Tensor, style: Tensor, layers: Sequence[str]) -> float:
    """Mean over layers of ‖G − A‖ / ‖A‖; images (1, 3, H, W) in [0, 1]; 0 for the style itself."""
    names = [canonical(layer, backbone.name) for layer in layers]
    with torch.no_grad():
        features, target = backbone(image, names), backbone(style, names)
    errors = []
    for layer in names:
        g, a = gram_matrix(features[layer]), gram_matrix(target[layer])
        errors.append(float((g - a).norm() / a.norm()))
    return sum(errors) / len(errors)


@torch.no_grad()
def feature_correlation(backbone: Backbone, image: Tensor, content: Tensor, layer: str) -> float:
    """Correlation of one layer's features in two images (1, 3, H, W) in [0, 1]: −1 to 1."""
    features = [backbone(each, (layer,))[layer].flatten() for each in (image, content)]
    return float(torch.corrcoef(torch.stack(features))[0, 1])
