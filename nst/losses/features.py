r"""The content loss: squared differences of features, position by position.

.. math:: L = k \sum_{c,p} (F_{cp} - P_{cp})^2

F are the features of the image being optimised, P those of the content image, of C channels and
M positions (Gatys, Ecker & Bethge 2015, arXiv 1508.06576, eq. 1). Published recipes differ in k
alone, which is the option ``normalization``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from nst.losses.layer_loss import (
    LayerLoss,
    LayerSize,
    Picture,
    Role,
    Target,
    at_least_float32,
    constant,
)
from nst.losses.options import require_choice

_LEAST = 1e-8  # of the variance: a picture of one colour would count without bound


def _half_sum(p: Tensor) -> Tensor:
    """½ Σ(F−P)²: 2015 paper, eq. 1."""
    return constant(0.5, p)


def _sum(p: Tensor) -> Tensor:
    """Σ(F−P)²: F. Chollet's Keras example."""
    return constant(1.0, p)


def _mean(p: Tensor) -> Tensor:
    """Σ(F−P)² / (C M), the mean squared error: the PyTorch tutorial and most ports."""
    return constant(1.0 / p[0].numel(), p)


def _quarter_mean(p: Tensor) -> Tensor:
    """Σ(F−P)² / (4 C M): the deeplearning.ai course."""
    return constant(0.25 / p[0].numel(), p)


def _relative(p: Tensor) -> Tensor:
    """Mean squared error over the variance of the target: 1 means "as wrong as its mean"."""
    variance = p.flatten(1).var(1, unbiased=False)
    return 1.0 / (p[0].numel() * variance.clamp_min(_LEAST))


NORMALIZATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "half_sum": _half_sum,
    "sum": _sum,
    "mean": _mean,
    "quarter_mean": _quarter_mean,
    "relative": _relative,
}
"""Name → k; takes P (N, C, H, W), returns (N,)."""


@dataclass(frozen=True)
class Features(LayerLoss):
    """``loss.content=features``.

    The statistic is the mean over positions of ``Σ_c (F − P)²``, which is why P is the reference
    and the target's own statistic is 0.

    Attributes:
        normalization: a key of :data:`NORMALIZATIONS`
    """

    normalization: str = "mean"

    name: ClassVar[str] = "features"
    role: ClassVar[Role] = "content"
    imitates: ClassVar[Picture | None] = "content"
    additive: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require_choice(self, "normalization", NORMALIZATIONS)

    def reference(self, features: Tensor, weights: Tensor | None = None) -> tuple[Tensor, ...]:
        """P and k: (N or 1, C, H, W) and (N or 1,)."""
        p = at_least_float32(features)
        return p, NORMALIZATIONS[self.normalization](p)

    def crop(self, reference: tuple[Tensor, ...], first: int, last: int) -> tuple[Tensor, ...]:
        """P of some rows."""
        p, k = reference
        return p[:, :, first:last], k

    def statistic(
        self,
        features: Tensor,
        reference: tuple[Tensor, ...] = (),
        weights: Tensor | None = None,
        rows: int | None = None,
    ) -> Tensor:
        """Mean over positions of the squared differences: (N,)."""
        difference = features - reference[0]
        squares = difference.square() if difference.requires_grad else difference.square_()
        if weights is None:
            return squares.flatten(1).sum(1) / (features.shape[2] * features.shape[3])
        return (squares * weights).flatten(1).sum(1) / weights.sum((1, 2, 3))

    def distance(self, statistic: Tensor, target: Target, size: LayerSize) -> Tensor:
        """``k M`` times the statistic: (N,)."""
        return target.reference[1] * size.positions * statistic

    def value_and_upstream(
        self, statistic: Tensor, target: Target, size: LayerSize, weight: Tensor
    ) -> tuple[Tensor, Tensor]:
        """In closed form: the upstream gradient at the sum is k times the weight."""
        k = target.reference[1] * weight
        return k * size.positions * statistic, k

    def gradient(
        self,
        features: Tensor,
        reference: tuple[Tensor, ...],
        upstream: Tensor,
        weights: Tensor | None = None,
        into: Tensor | None = None,
    ) -> Tensor:
        """``2 (F − P)`` times the upstream gradient."""
        difference = features - reference[0]
        if weights is not None:
            difference = difference * weights
        gradient = difference.mul_(2 * upstream.view(-1, 1, 1, 1)).to(features.dtype)
        return gradient if into is None else into.add_(gradient)
