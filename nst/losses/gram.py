r"""Style as Gram matrices: which channels are active together, wherever that is.

.. math:: G = \frac{1}{M} F F^T, \qquad E = k \sum_{i,j} (G_{ij} - A_{ij})^2

F are the features of one layer, C channels at M positions; G and A are the Gram matrices of the
image being optimised and of the style image, each divided by its own M, so that the two may differ
in size (Gatys, Ecker & Bethge 2015, arXiv 1508.06576, eq. 3 to 5). Published recipes differ in k
alone, which is the option ``normalization``.

Two additions, both off by default:

``activation_shift`` takes a share of the style's own channel means off the features first (Novak &
Nikulin 2016, arXiv 1605.04603): what all positions have in common then outweighs less of the rest,
which makes crisper strokes.

``shifted_gram_share`` gives a share of the loss to Gram matrices of positions p with their
neighbours, :math:`\sum_p F(p) F(p + \delta)^T / M` (after Berger & Memisevic 2017, arXiv
1606.01286, who pair positions further apart): strokes and lines go on instead of breaking off.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from nst.losses.layer_loss import (
    LayerLoss,
    LayerSize,
    Picture,
    Role,
    Target,
    channel_means,
    constant,
)
from nst.losses.options import require_choice, require_range

NEIGHBORS = ((0, 1), (1, -1), (1, 0), (1, 1))
"""(rows down, columns right) to half of a position's neighbours; the others' are transposes."""

_LEAST = 1e-8  # of ΣA²: pixels of 1.5/255; a black style would count without bound
_PARTS = 16


# --- the matrices --------------------------------------------------------------------------------


def gram_matrix(
    features: Tensor, shift: Tensor | None = None, weights: Tensor | None = None
) -> Tensor:
    """Gram matrix divided by the number of positions: ``F Fᵀ / M`` (2015 paper, eq. 3).

    Args:
        features: (N, C, H, W); no copy is made of channels_last memory
        shift: (N or 1, C), taken off the features first
        weights: (N or 1, 1, H, W), at least 0: ``Σ w F Fᵀ / Σ w`` (a guided Gram matrix, Gatys et
            al. 2017, arXiv 1611.07865, with w the square of its guidance channel)

    Returns:
        (N, C, C), symmetric and positive semi-definite; float32 for bfloat16 features.
    """
    rows = positions(centered(features, shift))
    if weights is None:
        return sum_of_products(rows, rows) / rows.shape[1]
    total = weights.sum((1, 2, 3)).view(-1, 1, 1)
    return sum_of_products(rows * positions(weights).to(rows), rows) / total


def shifted_gram_matrices(
    features: Tensor,
    shift: Tensor | None = None,
    weights: Tensor | None = None,
    rows: int | None = None,
) -> Tensor:
    """The Gram matrix, and those of positions p with four neighbours: ``Σ F(p) F(p + δ)ᵀ / M``.

    Args:
        features: (N, C, H, W), or (N, C, rows + 1, W) of a strip
        shift: as :func:`gram_matrix`
        weights: as :func:`gram_matrix`; a pair counts as much as its position p
        rows: how many rows of positions p there are; all of them by default

    Returns:
        (N, 5, C, C), the Gram matrix first, then in the order of :data:`NEIGHBORS`, not symmetric;
        float32 for bfloat16 features. What lies outside of the features counts as 0.
    """
    count_rows = features.shape[2] if rows is None else rows
    width = features.shape[3] + 1
    counted = centered(features[:, :, : count_rows + 1], shift)
    below = count_rows + 2 - counted.shape[2]  # the row below, and the end of the last slice
    padded = positions(F.pad(counted, (0, 1, 0, below)))  # rows apart by zeros: shifts are slices
    centers = padded[:, : count_rows * width]
    weighted: Tensor = centers
    total: float | Tensor = count_rows * features.shape[3]
    if weights is not None:
        per_position = positions(F.pad(weights[:, :, :count_rows], (0, 1)))
        weighted = centers * per_position.to(centers)
        total = per_position.sum((1, 2)).view(-1, 1, 1, 1)
    products = [sum_of_products(weighted, centers)]
    for down, right in NEIGHBORS:
        offset = down * width + right
        neighbors = padded[:, offset : offset + centers.shape[1]]
        products.append(sum_of_products(weighted, neighbors))
    return torch.stack(products, 1) / total


def centered(features: Tensor, shift: Tensor | None) -> Tensor:
    """(N, C, H, W) less the shift (N or 1, C) of each channel."""
    if shift is None:
        return features
    shift, pixels = shift.to(features.dtype), features.permute(0, 2, 3, 1)
    if not pixels.is_contiguous():
        return features - shift[:, :, None, None]
    n, h, w, c = pixels.shape
    along = shift.repeat(1, w)[:, None]  # a row at once: few channels are a short loop
    return (pixels.view(n, h, w * c) - along).view(n, h, w, c).permute(0, 3, 1, 2)


def positions(features: Tensor) -> Tensor:
    """(N, C, H, W) as a row for each position, (N, H·W, C)."""
    return features.flatten(2).transpose(1, 2)


def sum_of_products(rows: Tensor, others: Tensor) -> Tensor:
    """``Σ F Gᵀ`` over positions, of rows (N, M, C) both: (N, C, C), at least float32."""
    if rows.dtype == torch.bfloat16:
        return _sum_of_bfloat16_products(rows, others)
    sums: Tensor = rows.transpose(1, 2) @ others
    return sums


def _sum_of_bfloat16_products(rows: Tensor, others: Tensor) -> Tensor:
    """The same of bfloat16 rows, summed in float32.

    A product of bfloat16 matrices comes rounded to 8 bits. So the positions are cut into parts
    whose products are summed in float32, which averages the rounding away; where the parts would
    be too small for that to be fast, the rows are made float32 first.
    """
    part = rows.shape[1] // _PARTS
    if part < rows.shape[2]:
        return rows.float().transpose(1, 2) @ others.float()
    whole, rest = part * _PARTS, slice(part * _PARTS, None)
    shape = rows.shape[0], _PARTS, part, rows.shape[2]  # (N, parts, M / parts, C)
    parts, other_parts = (each[:, :whole].reshape(shape) for each in (rows, others))
    sums = (parts.transpose(2, 3) @ other_parts).sum(1, dtype=torch.float32)
    return sums + rows[:, rest].float().transpose(1, 2) @ others[:, rest].float()


# --- k -------------------------------------------------------------------------------------------


def _gatys(a: Tensor, size: LayerSize) -> Tensor:
    """Σ(G−A)² / (4 C²): 2015 paper, eq. 4, whose M² is in the Gram matrices here."""
    return constant(0.25 / size.channels**2, a)


def _mean(a: Tensor, size: LayerSize) -> Tensor:
    """MSE(G/C, A/C) = Σ(G−A)² / C⁴: neural-style, the PyTorch tutorial, fast.ai, the notebook."""
    return constant(1.0 / size.channels**4, a)


def _chollet(a: Tensor, size: LayerSize) -> Tensor:
    """Σ(M G − M A)² / (4 · 3² · (H₀W₀)²): raw Gram matrices over the image's size, every layer.

    The recipe resizes the style image to the content's size; where ours differs in size, its Gram
    matrix counts as if it had as many positions.
    """
    return constant(size.positions**2 / (36.0 * size.pixels**2), a)


def _relative(a: Tensor, size: LayerSize) -> Tensor:
    """MSE(G, A) / mean(A²): 1 means "as wrong as no features at all"."""
    return 1.0 / a.square().flatten(1).sum(1).clamp_min(_LEAST)


NORMALIZATIONS: dict[str, Callable[[Tensor, LayerSize], Tensor]] = {
    "gatys": _gatys,
    "mean": _mean,
    "chollet": _chollet,
    "relative": _relative,
}
"""Name → k; takes A (N, C, C) and the layer's size, returns (N,)."""


# --- the loss ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Gram(LayerLoss):
    """``loss.style=gram``. The statistic is (N, 1, C, C), or (N, 5, C, C) with neighbours.

    Attributes:
        normalization: a key of :data:`NORMALIZATIONS`
        activation_shift: share of the style's channel means taken off the features, 0 to 1
        shifted_gram_share: share of the loss for positions with their neighbours, 0 to 1
    """

    normalization: str = "mean"
    activation_shift: float = 0.0
    shifted_gram_share: float = 0.0

    name: ClassVar[str] = "gram"
    role: ClassVar[Role] = "style"
    imitates: ClassVar[Picture | None] = "style"
    additive: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require_choice(self, "normalization", NORMALIZATIONS)
        require_range(self, "activation_shift", 0, 1)
        require_range(self, "shifted_gram_share", 0, 1)

    @property
    def reach(self) -> int:
        """A position's neighbours lie up to one row below."""
        return 1 if self.shifted_gram_share else 0

    def reference(self, features: Tensor, weights: Tensor | None = None) -> tuple[Tensor, ...]:
        """The shift (N, C), where there is one."""
        if not self.activation_shift:
            return ()
        return (self.activation_shift * channel_means(features, weights),)

    def target(self, features: Tensor, weights: Tensor | None = None) -> Target:
        """As :meth:`LayerLoss.target`; A, and so k, is the same with neighbours or without."""
        target = super().target(features, weights)
        if self.shifted_gram_share:
            shift = target.reference[0] if target.reference else None
            target.statistic[:, 0] = gram_matrix(features, shift, weights)
        return target

    def statistic(
        self,
        features: Tensor,
        reference: tuple[Tensor, ...] = (),
        weights: Tensor | None = None,
        rows: int | None = None,
    ) -> Tensor:
        """The Gram matrix, and those with the neighbours where they count."""
        shift = reference[0] if reference else None
        if self.shifted_gram_share:
            return shifted_gram_matrices(features, shift, weights, rows)
        return gram_matrix(features, shift, weights)[:, None]

    def distance(self, statistic: Tensor, target: Target, size: LayerSize) -> Tensor:
        """k is that of the plain Gram matrix for the neighbours' too.

        In a picture one pixel wide no two positions are neighbours, and their matrices are 0.
        """
        errors = (statistic - target.statistic).square().sum((2, 3))  # (N, 1 or 5)
        return self._factor(target, size) * (errors @ self._shares(target))

    def value_and_upstream(
        self, statistic: Tensor, target: Target, size: LayerSize, weight: Tensor
    ) -> tuple[Tensor, Tensor]:
        """In closed form: the upstream gradient is ``2k/M (G − A)`` times the weight."""
        k, shares = self._factor(target, size) * weight, self._shares(target)
        difference = statistic - target.statistic
        values = k * (difference.square().sum((2, 3)) @ shares)
        factors = (2 / size.positions * k)[:, None] * shares  # (N or 1, 1 or 5)
        return values, difference.mul_(factors[..., None, None])

    def _factor(self, target: Target, size: LayerSize) -> Tensor:
        """k, (N or 1,)."""
        normalization = NORMALIZATIONS[self.normalization]
        return target.once(
            (self.normalization, size), lambda: normalization(target.statistic[:, 0], size)
        )

    def _shares(self, target: Target) -> Tensor:
        """What each of the matrices counts, (1,) or (5,)."""
        share, count = self.shifted_gram_share, len(NEIGHBORS)
        shares = [1 - share, *[share / count] * count] if share else [1.0]
        return target.once(("shares", share), lambda: target.statistic.new_tensor(shares))

    def gradient(
        self,
        features: Tensor,
        reference: tuple[Tensor, ...],
        upstream: Tensor,
        weights: Tensor | None = None,
        into: Tensor | None = None,
    ) -> Tensor:
        """``2 U F``, and a 3×3 convolution of the features where neighbours count.

        U, the upstream gradient at ``F Fᵀ``, is symmetric, as the Gram matrices of image and
        target are; 2015 paper, eq. 6.
        """
        rows = centered(features, reference[0] if reference else None)
        plain = 2 * upstream[:, 0].to(features.dtype)
        if upstream.shape[1] == 1:
            rows = rows if weights is None else rows * weights.to(rows)
            return _add_product(into, rows, plain)
        if weights is None:
            kernels = _kernels(plain, upstream[:, 1:].to(features.dtype))
            return _add_convolution(into, rows, kernels)
        return _add_weighted(into, rows, upstream.to(features.dtype), weights.to(rows))


def _add_product(into: Tensor | None, features: Tensor, factor: Tensor) -> Tensor:
    """``into + F·D``, in place, for features (N, C, H, W) and a symmetric D (N, C, C)."""
    rows = positions(features)
    if into is None:
        return (rows @ factor).transpose(1, 2).view(features.shape)
    into.flatten(2).transpose(1, 2).baddbmm_(rows, factor)
    return into


def _kernels(plain: Tensor, pairs: Tensor) -> Tensor:
    """Upstream gradients at five Gram matrices as kernels (N, C, C, 3, 3) over the features.

    The plain one's (N, C, C), twice, is in the middle. That of positions with a
    neighbour (N, 4, C, C) counts for either of the two, transposed for the neighbour, which sees
    the other behind it.
    """
    n, c, _ = plain.shape
    kernels = plain.new_zeros(n, c, c, 3, 3)
    kernels[..., 1, 1] = plain
    for (down, right), matrix in zip(NEIGHBORS, pairs.unbind(1), strict=True):
        kernels[..., 1 + down, 1 + right] = matrix
        kernels[..., 1 - down, 1 - right] = matrix.transpose(1, 2)
    return kernels


def _add_convolution(into: Tensor | None, features: Tensor, kernels: Tensor) -> Tensor:
    """``into`` and, image by image, the convolution of features (N, C, H, W)."""
    each = zip(torch.split(features, 1), kernels, strict=True)
    convolved = torch.cat([F.conv2d(x, kernel, padding=1) for x, kernel in each])
    return convolved if into is None else into.add_(convolved)


def _add_weighted(
    into: Tensor | None, features: Tensor, upstream: Tensor, weights: Tensor
) -> Tensor:
    """The same where a pair counts as much as its first position, weights (N or 1, 1, H, W)."""
    n, _, c, _ = upstream.shape
    first, second = (upstream.new_zeros(n, c, c, 3, 3) for _ in range(2))
    for (down, right), matrix in zip(((0, 0), *NEIGHBORS), upstream.unbind(1), strict=True):
        first[..., 1 + down, 1 + right] = matrix
        second[..., 1 - down, 1 - right] = matrix.transpose(1, 2)
    gradient = weights * _add_convolution(None, features, first)
    gradient = gradient + _add_convolution(None, weights * features, second)
    return gradient if into is None else into.add_(gradient)
