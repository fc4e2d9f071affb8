"""The objective: targets and weights → the weighted loss terms of a batch of images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from nst import losses, winograd
from nst.backbones import Backbone
from nst.patches import PatchTarget, patch_loss, patch_targets


@dataclass(frozen=True)
class LossSpec:
    """Conventions and weights of the three kinds of terms; weights per layer are absolute.

    ``content_layers`` and ``style_layers`` map canonical layer names to w_l.
    """

    content_layers: Mapping[str, float] = field(default_factory=dict)
    style_layers: Mapping[str, float] = field(default_factory=dict)
    content_weight: float = 1.0
    style_weight: float = 1.0
    tv_weight: float = 0.0
    patch_weight: float = 0.0
    content: str = "relative"
    style: str = "relative"
    style_shift: float = 0.0
    style_neighbours: float = 0.0
    tv_beta: float = 2.0
    tv_reduction: str = "mean"

    @property
    def names(self) -> tuple[str, ...]:
        """Of the terms: ``content/LAYER``, ``style/LAYER``, ``tv`` and ``patch``."""
        content = (f"content/{layer}" for layer in self.content_layers)
        style = (f"style/{layer}" for layer in self.style_layers)
        return (*content, *style, "tv", "patch")

    @property
    def weights(self) -> tuple[float, ...]:
        """What each term is multiplied with: α w_l, β w_l, γ and δ, in the order of ``names``."""
        content = (self.content_weight * w for w in self.content_layers.values())
        style = (self.style_weight * w for w in self.style_layers.values())
        return (*content, *style, self.tv_weight, self.patch_weight)

    @property
    def conventions(self) -> tuple[object, ...]:
        """What images of one batch must have in common."""
        style = self.style, self.style_shift, self.style_neighbours
        return self.names, self.content, *style, self.tv_beta, self.tv_reduction


class _StyleTargets(NamedTuple):
    """{layer: …} as :class:`Objective` has them."""

    grams: dict[str, Tensor]
    neighbours: dict[str, Tensor]
    shifts: dict[str, Tensor]


class Objective:
    """Σ α w_l L_content + Σ β w_l E_style + γ TV + δ L_patch, term by term, for N images.

    The images never mix.

    Targets are computed once, by the same backbone and the same convolutions, so that in bfloat16
    they share the rounding of weights: an image is the closer to them for it. They are kept in
    float32, as are the Gram matrices and the losses. Terms whose weight is 0 are computed all the
    same when their layers are named, so that a trace shows them; name no layers to leave them out.
    Images may share their targets and weights or have their own.

    Attributes:
        weights: (N or 1, K), of the terms, in the order of ``names``
        with_tv: whether total variation counts in any image
        patches: what the style's patches are like, by scale; empty where they count in no image
        content: {layer: P}, (N or 1, C, H, W)
        grams: {layer: A}, (N or 1, C, C)
        neighbours: {layer: the same with the neighbours}, (N or 1, 4, C, C); empty where they do
            not count
        shifts: {layer: what is taken off features for a Gram matrix}, (N or 1, C): a share of the
            style's own means; empty where it is none
        convolutions: what made the targets
    """

    def __init__(
        self,
        backbone: Backbone,
        spec: LossSpec | Sequence[LossSpec],
        content: Tensor | None = None,
        style: Tensor | Sequence[Tensor] | None = None,
        convolutions: winograd.Convolutions | None = None,
    ):
        """
        Args:
            backbone: frozen, on the images' device
            spec: conventions and weights; N of them where the images differ in weights
            content: (N or 1, 3, H, W), needed where ``spec.content_layers`` is not empty
            style: (N or 1, 3, H', W'), or N of (1, 3, H', W') where they differ in size; needed
                where ``spec.style_layers`` is not empty
            convolutions: of this backbone, where another objective has made them already

        Raises:
            ValueError: a target that the spec needs is not given, or the specs differ in more than
                weights.
        """
        specs = [spec] if isinstance(spec, LossSpec) else list(spec)
        self.spec = spec = specs[0]
        if any(other.conventions != spec.conventions for other in specs):
            raise ValueError("images of one batch may differ in weights only")
        if (spec.content_layers and content is None) or (spec.style_layers and style is None):
            raise ValueError("the loss names layers of an image that is not given")
        self.backbone = backbone
        self.layers = tuple(dict.fromkeys((*spec.content_layers, *spec.style_layers)))
        self.names = spec.names
        device = backbone.mean.device
        self.weights = torch.tensor([s.weights for s in specs], device=device)
        self.with_tv = any(s.tv_weight for s in specs)
        self.convolutions = convolutions or winograd.Convolutions()
        with torch.no_grad():
            contents = {} if content is None else self._features(content, spec.content_layers)
            self.content = {name: _at_least_float32(f) for name, f in contents.items()}
            targets = self._style_targets([] if style is None else style)
            self.grams, self.neighbours, self.shifts = targets
            counts = any(s.patch_weight for s in specs)
            self.patches = _patch_targets(style) if style is not None and counts else []

    def _features(self, picture: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        """Of a target: rounded as an image's will be."""
        found: dict[str, Tensor] = self.backbone(picture, layers, self.convolutions)
        return found

    def _style_targets(self, style: Tensor | Sequence[Tensor]) -> _StyleTargets:
        """Of all images; a picture that several of them share is seen once."""
        pictures = [style] if isinstance(style, Tensor) else list(style)
        if not pictures:
            return _StyleTargets({}, {}, {})
        seen: dict[int, _StyleTargets] = {}
        for picture in pictures:
            if id(picture) not in seen:
                seen[id(picture)] = self._style_target(picture)
        each = [seen[id(picture)] for picture in pictures]
        return _StyleTargets(*(_batch(kind) for kind in zip(*each, strict=True)))

    def _style_target(self, picture: Tensor) -> _StyleTargets:
        """Of one picture."""
        features, share = self._features(picture, self.spec.style_layers), self.spec.style_shift
        shifted = features if share else {}
        paired = features if self.spec.style_neighbours else {}
        shifts = {k: share * _at_least_float32(f).mean((2, 3)) for k, f in shifted.items()}
        plain = {k: losses.gram_matrix(f, shifts.get(k)) for k, f in features.items()}
        pairs = {k: losses.gram_matrices(f, shifts.get(k))[:, 1:] for k, f in paired.items()}
        return _StyleTargets(plain, pairs, shifts)

    def __call__(self, images: Tensor) -> Tensor:
        """Weighted terms, in the order of ``names``: (N, 3, H, W) → (N, K), differentiable."""
        spec = self.spec
        features = self.backbone(images, self.layers)
        terms = [
            losses.content_loss(features[layer], self.content[layer], spec.content)
            for layer in spec.content_layers
        ]
        for layer in spec.style_layers:
            terms.append(self._style_error(features[layer], layer, images))
        terms += [self._tv(images), self._patch(images)]
        return self.weights * torch.stack(terms, dim=1)

    def _style_error(self, features: Tensor, layer: str, images: Tensor) -> Tensor:
        size = losses.LayerSize(
            channels=features.shape[1],
            positions=features.shape[2] * features.shape[3],
            pixels=images.shape[2] * images.shape[3],
        )
        spec, shift = self.spec, self.shifts.get(layer)
        if layer not in self.neighbours:
            gram = losses.gram_matrix(features, shift)
            return losses.style_loss(gram, self.grams[layer], size, spec.style)
        grams, target = losses.gram_matrices(features, shift), self.grams[layer]
        alone = losses.style_loss(grams[:, 0], target, size, spec.style)
        pairs = self.neighbours[layer]
        apart = losses.neighbour_loss(grams[:, 1:], pairs, target, size, spec.style)
        return torch.lerp(alone, apart, spec.style_neighbours)

    def _tv(self, images: Tensor) -> Tensor:
        if not self.with_tv:
            return images.new_zeros(images.shape[0])
        return losses.total_variation(images, self.spec.tv_beta, self.spec.tv_reduction)

    def _patch(self, images: Tensor) -> Tensor:
        if not self.patches:
            return images.new_zeros(images.shape[0])
        return patch_loss(images, self.patches)

    def value_and_gradient(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Terms (N, K) and the gradient of each image's own sum of terms (N, 3, H, W)."""
        images = images.detach().requires_grad_(True)
        with torch.enable_grad():
            terms = self(images)
            (gradient,) = torch.autograd.grad(terms.sum(), images)
        return terms.detach(), gradient


def _batch(targets: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """{layer: one target for each of the images}; empty where there are none."""
    layers = targets[0] if targets else ()
    return {layer: torch.cat([target[layer] for target in targets]) for layer in layers}


def _patch_targets(style: Tensor | Sequence[Tensor]) -> list[PatchTarget]:
    """By scale, each for all the images; scales that only some pictures have room for are left."""
    pictures = [style] if isinstance(style, Tensor) else list(style)
    found = {id(picture): patch_targets(picture) for picture in pictures}
    scales = zip(*(found[id(picture)] for picture in pictures), strict=False)
    return [PatchTarget.of_batch(each) for each in scales]


def _at_least_float32(features: Tensor) -> Tensor:
    return features.float() if features.dtype == torch.bfloat16 else features


def group_terms(names: tuple[str, ...], values: list[float]) -> dict[str, float]:
    """One image's terms summed by kind: ``total``, ``content``, ``style``, ``tv``, ``patch``."""
    groups = {"total": sum(values), "content": 0.0, "style": 0.0, "tv": 0.0, "patch": 0.0}
    for name, value in zip(names, values, strict=True):
        groups[name.partition("/")[0]] += value
    return groups
