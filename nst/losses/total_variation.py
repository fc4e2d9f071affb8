r"""Total variation: how much neighbouring pixels differ.

.. math:: TV = \sum_p (a_p^2 + b_p^2)^{\beta / 2}

a and b are the differences to the next row and to the next column, per channel (Mahendran & Vedaldi
2015, arXiv 1412.0035, eq. 5). β = 2 is the squared form of neural-style (twice its ½Σ), β = 2.5 the
Keras example's. Pixels of the last row and column have no difference, as in both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from nst.losses.layer_loss import LayerLoss, LayerSize, Picture, Role, Target
from nst.losses.options import require_choice, require_range

_TINY = 1e-12


@dataclass(frozen=True)
class TotalVariation(LayerLoss):
    """``loss.pixels.tv``, weighted by ``loss.tv_weight``; on pixels in [0, 1].

    Attributes:
        beta: the exponent β, 1 to 4
        reduction: ``sum``, or ``mean`` over the differences, so that size does not matter
    """

    beta: float = 2.0
    reduction: str = "sum"

    name: ClassVar[str] = "tv"
    role: ClassVar[Role] = "pixels"
    imitates: ClassVar[Picture | None] = None

    def __post_init__(self) -> None:
        require_range(self, "beta", 1, 4)
        require_choice(self, "reduction", ("sum", "mean"))

    def statistic(
        self,
        features: Tensor,
        reference: tuple[Tensor, ...] = (),
        weights: Tensor | None = None,
        rows: int | None = None,
    ) -> Tensor:
        """Total variation of images (N, C, H, W): (N,); 0 for an H or W of 1.

        A pixel's weight is that of its two differences; a mean is then a weighted mean.
        """
        if min(features.shape[2:]) < 2:
            return features.flatten(1)[:, :1].sum(1) * 0
        a, b = _differences(features)
        squares = a.square() + b.square()
        if self.beta != 2:
            squares = squares.clamp_min(_TINY).pow(self.beta / 2)  # no infinite slope at 0
        if weights is None:
            return self._reduced(squares)
        per_pixel = weights[..., :-1, :-1].expand_as(squares)
        total = (squares * per_pixel).flatten(1).sum(1)
        return total if self.reduction == "sum" else total / per_pixel.flatten(1).sum(1)

    def distance(self, statistic: Tensor, target: Target, size: LayerSize) -> Tensor:
        """The statistic itself."""
        return statistic

    def _reduced(self, values: Tensor) -> Tensor:
        per_image = values.flatten(1)
        return per_image.sum(1) if self.reduction == "sum" else per_image.mean(1)

    def value_and_gradient(
        self, features: Tensor, target: Target, size: LayerSize
    ) -> tuple[Tensor, Tensor]:
        """Both in closed form: (N,) and (N, C, H, W)."""
        gradient = torch.zeros_like(features)
        if min(features.shape[2:]) < 2:
            return features.new_zeros(features.shape[0]), gradient
        a, b = _differences(features)
        squares = a.square().addcmul_(b, b)
        slope = 2.0 if self.reduction == "sum" else 2.0 / squares[0].numel()
        if self.beta == 2:
            values = squares
            a, b = a.mul_(slope), b.mul_(slope)
        else:
            squares = squares.clamp_min_(_TINY)
            values = squares.pow(self.beta / 2)
            slopes = squares.pow(self.beta / 2 - 1) * (slope * self.beta / 2)
            a, b = a.mul_(slopes), b.mul_(slopes)
        gradient[..., 1:, :-1] += a
        gradient[..., :-1, 1:] += b
        gradient[..., :-1, :-1] -= a.add_(b)
        return self._reduced(values), gradient


def _differences(images: Tensor) -> tuple[Tensor, Tensor]:
    """To the next row and to the next column, (N, C, H − 1, W − 1) each."""
    origin = images[..., :-1, :-1]
    return images[..., 1:, :-1] - origin, images[..., :-1, 1:] - origin
