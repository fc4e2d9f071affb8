r"""Style as the Wasserstein-2 distance between Gaussians.

.. math::
    W_2^2 = \lVert\mu_F - \mu_S\rVert^2
          + \operatorname{tr}\bigl(\Sigma_F + \Sigma_S
          - 2 (\Sigma_S^{1/2} \Sigma_F \Sigma_S^{1/2})^{1/2}\bigr)

μ and Σ are the mean and the covariance over positions of the features of the image (F) and of the
style (S). The features of a layer are taken for a cloud of points, one for each position, and the
distance is what it costs to move one cloud onto the other, were both Gaussian (Mroueh 2019,
"Wasserstein Style Transfer", arXiv 1905.12828, section 3; K. Crowson's style-transfer-pytorch).

The trace of the square root is the sum of the square roots of the eigenvalues of
:math:`L^T \Sigma_F L`, where :math:`\Sigma_S = L L^T` is a Cholesky factorisation: these matrices
have the same eigenvalues.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from nst.losses.gram import centered, gram_matrix
from nst.losses.layer_loss import (
    LayerLoss,
    LayerSize,
    Picture,
    Role,
    Target,
    at_least_float32,
    channel_means,
)
from nst.losses.options import require_choice, require_range

_TINY = 1e-12
_LEAST = 1e-8  # of the distance from features that are 0: a black style's pixels are


@dataclass(frozen=True)
class Wasserstein2(LayerLoss):
    """``loss.style=wasserstein2``. The statistic is (N, C, C + 1): second moments, then means.

    Both are of features less the style's means (N, C), the reference: a covariance would otherwise
    be the small difference of two large sums, and a flat style's no covariance at all.

    Attributes:
        normalization: ``mean`` divides by C, as in style-transfer-pytorch; ``relative`` by the
            distance of the style from features that are 0 everywhere
        ridge: share of the style's mean variance added to both covariances, so that a style with
            fewer patterns than channels can be factorised
    """

    normalization: str = "mean"
    ridge: float = 1e-3

    name: ClassVar[str] = "wasserstein2"
    role: ClassVar[Role] = "style"
    imitates: ClassVar[Picture | None] = "style"
    additive: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require_choice(self, "normalization", ("mean", "relative"))
        require_range(self, "ridge", 1e-6, 1)

    def reference(self, features: Tensor, weights: Tensor | None = None) -> tuple[Tensor, ...]:
        """The style's means (N, C)."""
        return (channel_means(features, weights),)

    def statistic(
        self,
        features: Tensor,
        reference: tuple[Tensor, ...] = (),
        weights: Tensor | None = None,
        rows: int | None = None,
    ) -> Tensor:
        """``E[f fᵀ]`` and ``E[f]`` side by side."""
        f = centered(at_least_float32(features), reference[0])
        mean = channel_means(f, weights)
        return torch.cat([gram_matrix(f, weights=weights), mean[..., None]], 2)

    def distance(self, statistic: Tensor, target: Target, size: LayerSize) -> Tensor:
        """The squared distance, normalised."""
        mean, covariance = _gaussian(statistic)
        style_mean, style_covariance = _gaussian(target.statistic)
        variances = style_covariance.diagonal(dim1=1, dim2=2)
        ridge = (self.ridge * variances.mean(1) + _rounding(target.statistic))[:, None, None]
        ridge = ridge * torch.eye(size.channels, dtype=ridge.dtype, device=ridge.device)
        covariance = covariance + ridge
        factor = target.once(
            ("factor", self.ridge), lambda: torch.linalg.cholesky(style_covariance + ridge)
        )
        squares = torch.linalg.eigvalsh(factor.transpose(1, 2) @ covariance @ factor)
        together = squares.clamp_min(_TINY**2).sqrt().sum(1)
        traces = covariance.diagonal(dim1=1, dim2=2).sum(1) + factor.square().sum((1, 2))
        squared = (mean - style_mean).square().sum(1) + traces - 2 * together
        if self.normalization == "mean":
            scale = squared.new_tensor(float(size.channels))
        else:
            scale = (target.reference[0] + style_mean).square().sum(1) + variances.sum(1)
        # rounding may take equal clouds below 0
        distance: Tensor = (squared.clamp_min(0) / scale.clamp_min(_LEAST)).to(statistic.dtype)
        return distance


def _gaussian(statistic: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (N, C) and covariance (N, C, C), in float64 where the device has it."""
    exact = statistic if statistic.device.type == "mps" else statistic.double()
    mean = exact[..., -1]
    return mean, exact[..., :-1] - mean[..., None] * mean[:, None]


def _rounding(statistic: Tensor) -> Tensor:
    """How far rounding can take a covariance's eigenvalues below 0, about: (N,)."""
    traces = statistic[..., :-1].diagonal(dim1=1, dim2=2).sum(1)
    return torch.finfo(statistic.dtype).eps * traces + _TINY
