"""The objective: terms, weights and targets → the weighted losses of a batch of images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from nst.backbones.network import Backbone
from nst.backbones.winograd import Convolutions
from nst.losses.layer_loss import LayerSize, Target, stack
from nst.losses.terms import INPUT, Term, WeightedTerms

Pictures = Tensor | Sequence[Tensor]
"""(N or 1, 3, H, W), or N of (1, 3, H, W) where they differ in size."""


class Objective:
    """Σ weight · loss, term by term, for N images that never mix.

    Images may share their targets and weights or have their own. A loss on pixels whose weight is 0
    in every image is not computed; one at a layer is, and its term is 0.

    Attributes:
        specs: N of them, or one for all images
        terms: what is summed
        weights: (N or 1, K), of the terms
        targets: {name of a term: what it is compared with}
        layers: whose features are needed, canonical
        convolutions: of the backbone, with their transformed weights
    """

    def __init__(
        self,
        backbone: Backbone,
        spec: WeightedTerms | Sequence[WeightedTerms],
        targets: Mapping[str, Target],
        convolutions: Convolutions | None = None,
    ):
        """
        Args:
            backbone: frozen, on the images' device
            spec: the terms; N of them where the images differ in weights
            targets: from :func:`compute_targets`
            convolutions: of this backbone, where another objective has made them already

        Raises:
            ValueError: the specs differ in more than weights.
        """
        specs = [spec] if isinstance(spec, WeightedTerms) else list(spec)
        self.specs, self.terms = tuple(specs), specs[0].terms
        self.backbone, self.targets = backbone, targets
        if any(other.terms != self.terms for other in specs):
            raise ValueError("images of one batch may differ in weights only")
        self.weights = torch.tensor([s.weights for s in specs], device=backbone.mean.device)
        self.weights = self.weights.view(len(specs), len(self.terms))
        self.layers = tuple(dict.fromkeys(t.layer for t in self.terms if not _on_pixels(t)))
        self.convolutions = convolutions or Convolutions()
        self._at: dict[str, list[Term]] = {}
        for k, term in enumerate(self.terms):
            if not _on_pixels(term) or any(s.weights[k] for s in specs):
                self._at.setdefault(term.layer, []).append(term)

    @classmethod
    def of_pictures(
        cls,
        backbone: Backbone,
        spec: WeightedTerms | Sequence[WeightedTerms],
        content: Tensor | None = None,
        style: Pictures | None = None,
        convolutions: Convolutions | None = None,
    ) -> Objective:
        """An objective whose targets are those of pictures; see :func:`compute_targets`."""
        terms = (spec if isinstance(spec, WeightedTerms) else spec[0]).terms
        convolutions = convolutions or Convolutions()
        targets = compute_targets(backbone, terms, content, style, convolutions)
        return cls(backbone, spec, targets, convolutions)

    def unweighted(self) -> Objective:
        """The same terms, each with a weight of 1: also those that count for nothing here."""
        spec = replace(self.specs[0], weights=(1.0,) * len(self.terms))
        return Objective(self.backbone, spec, self.targets, self.convolutions)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the terms."""
        return tuple(term.name for term in self.terms)

    def at(self, layer: str) -> list[Term]:
        """The terms at a layer that are to be computed."""
        return self._at.get(layer, [])

    def weight(self, term: Term) -> Tensor:
        """(N or 1,)."""
        return self.weights[:, self.terms.index(term)]

    def target(self, term: Term) -> Target:
        """What a term is compared with; empty where it imitates nothing."""
        return self.targets.get(term.name) or Target(self.weights.new_zeros(1))

    def __call__(self, images: Tensor) -> Tensor:
        """Weighted terms, in order: (N, 3, H, W) → (N, K), differentiable."""
        features = {INPUT: images, **self.backbone(images, self.layers)}
        values = []
        for term in self.terms:
            if term not in self.at(term.layer):
                values.append(images.new_zeros(images.shape[0]))
                continue
            layer, target = features[term.layer], self.target(term)
            statistic = term.loss.statistic(layer, target.reference)
            size = LayerSize(layer.shape[1], layer[0, 0].numel(), images[0, 0].numel())
            values.append(term.loss.distance(statistic, target, size))
        return self.weights * torch.stack(values, dim=1)


def compute_targets(
    backbone: Backbone,
    terms: Sequence[Term],
    content: Tensor | None = None,
    style: Pictures | None = None,
    convolutions: Convolutions | None = None,
) -> dict[str, Target]:
    """What every term is compared with, by its name.

    Targets are made by the backbone that will see the images, so that in bfloat16 both share the
    rounding of its weights: an image can come the closer to them for it. They themselves are kept
    in float32.

    Args:
        backbone: frozen, on the pictures' device
        terms: whose targets to compute
        content: (N or 1, 3, H, W)
        style: (N or 1, 3, H', W'), or N of (1, 3, H', W') where they differ in size; a picture that
            several images share is seen once
        convolutions: of this backbone

    Raises:
        ValueError: a picture that a term imitates is not given.
    """
    available = {"content": content, "style": style}
    targets: dict[str, Target] = {}
    for name, pictures in available.items():
        imitating = [term for term in terms if term.imitates == name]
        if imitating and pictures is None:
            raise ValueError(f"the loss names layers of the {name} image, which is not given")
        if imitating:
            assert pictures is not None
            targets |= _targets_of(backbone, imitating, pictures, convolutions)
    return targets


@torch.no_grad()
def _targets_of(
    backbone: Backbone,
    terms: Sequence[Term],
    pictures: Pictures,
    convolutions: Convolutions | None,
) -> dict[str, Target]:
    each = [pictures] if isinstance(pictures, Tensor) else list(pictures)
    computed: dict[int, dict[str, Target]] = {}
    for picture in each:
        if id(picture) not in computed:
            layers = {term.layer for term in terms}
            features = {INPUT: picture, **_features(backbone, picture, layers, convolutions)}
            computed[id(picture)] = {
                term.name: term.loss.target(features[term.layer]) for term in terms
            }
    return {
        term.name: stack([computed[id(picture)][term.name] for picture in each]) for term in terms
    }


def _features(
    backbone: Backbone, picture: Tensor, layers: Iterable[str], convolutions: Convolutions | None
) -> dict[str, Tensor]:
    features: dict[str, Tensor] = backbone(picture, set(layers) - {INPUT}, convolutions)
    return features


def _on_pixels(term: Term) -> bool:
    return term.loss.role == "pixels"
