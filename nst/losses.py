"""Losses of neural style transfer as pure functions of a batch; each returns one value per image.

Notation (Gatys, Ecker & Bethge 2015, arXiv 1508.06576): one layer has C channels and M = H·W
positions. F: features of the image being optimised; P: of the content image; G and A: Gram
matrices of the image and of the style image, here always divided by their **own** M, so that the
two images may differ in size.

Every published content loss is ``k · Σ(F − P)²`` and every Gram style loss ``k · Σ(G − A)²``; the
recipes differ in k alone. So a convention is a function that computes k, and one function each
computes the sum. Gradients follow from the same k: ``2k(F − P)`` and ``4k/M · (G − A)F``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

NEIGHBOURS = ((0, 1), (1, -1), (1, 0), (1, 1))
"""(rows down, columns right) to half of a position's neighbours; the others' are transposes."""

_TINY = 1e-12
_PARTS = 16


def gram_matrix(features: Tensor, shift: Tensor | None = None) -> Tensor:
    """Gram matrix divided by the number of positions: ``F Fᵀ / M`` (2015 paper, eq. 3).

    Args:
        features: (N, C, H, W); no copy is made of channels_last memory
        shift: (N or 1, C), taken off the features first (Novak & Nikulin 2016, arXiv 1605.04603,
            "activation shift"): what all positions have in common then outweighs less of the rest

    Returns:
        (N, C, C), symmetric and positive semi-definite; float32 for bfloat16 features.
    """
    rows = positions(centred(features, shift))
    return _sums(rows, rows) / rows.shape[1]


def gram_matrices(
    features: Tensor, shift: Tensor | None = None, rows: tuple[int, int] | None = None
) -> Tensor:
    """The Gram matrix, and those of positions p with four neighbours: ``Σ F(p) F(p + δ)ᵀ / M``.

    What continues from one position to the next, as strokes do, is in these; the Gram matrix takes
    the positions one by one. After Berger & Memisevic 2017 (arXiv 1606.01286), who pair positions
    further apart.

    Args:
        features: (N, C, H, W), or (N, C, rows, W) of a strip
        shift: as :func:`gram_matrix`
        rows: of the positions p, from and to; all of them by default

    Returns:
        (N, 5, C, C), the Gram matrix first, then in the order of :data:`NEIGHBOURS`, not symmetric;
        float32 for bfloat16 features. What lies outside of the features counts as 0.
    """
    first, last = rows or (0, features.shape[2])
    count, width = (last - first) * features.shape[3], features.shape[3] + 1
    wanted = centred(features[:, :, first : last + 1], shift)
    missing = last + 2 - first - wanted.shape[2]  # the row below, and the end of the last slice
    padded = positions(F.pad(wanted, (0, 1, 0, missing)))  # rows apart by zeros
    here = padded[:, : (last - first) * width]
    found = [_sums(here, here)]
    for down, right in NEIGHBOURS:
        offset = down * width + right
        found.append(_sums(here, padded[:, offset : offset + here.shape[1]]))
    return torch.stack(found, 1) / count


def centred(features: Tensor, shift: Tensor | None) -> Tensor:
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


def _sums(rows: Tensor, others: Tensor) -> Tensor:
    """``Σ F Gᵀ`` over positions, of rows (N, M, C) both: (N, C, C), at least float32."""
    if rows.dtype == torch.bfloat16:
        return _half_sums(rows, others)
    sums: Tensor = rows.transpose(1, 2) @ others
    return sums


def _half_sums(rows: Tensor, others: Tensor) -> Tensor:
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


def squared_distance(x: Tensor, y: Tensor) -> Tensor:
    """``Σ(x − y)²`` over all but the first dimension; (N, …) and (N or 1, …) give (N,)."""
    return (x - y).square().flatten(1).sum(1)


@dataclass(frozen=True)
class LayerSize:
    """What a style convention may depend on besides the Gram matrix: C, M and the image's H₀·W₀."""

    channels: int
    positions: int
    pixels: int


ContentFactor = Callable[[Tensor], Tensor]
StyleFactor = Callable[[Tensor, LayerSize], Tensor]


def _constant(value: float, like: Tensor) -> Tensor:
    return torch.full((like.shape[0],), value, dtype=like.dtype, device=like.device)


def _content_half_sum(p: Tensor) -> Tensor:
    """½ Σ(F−P)²: 2015 paper, eq. 1."""
    return _constant(0.5, p)


def _content_sum(p: Tensor) -> Tensor:
    """Σ(F−P)²: F. Chollet's Keras example."""
    return _constant(1.0, p)


def _content_mean(p: Tensor) -> Tensor:
    """Σ(F−P)² / (C M), the mean squared error: the PyTorch tutorial and most ports."""
    return _constant(1.0 / p[0].numel(), p)


def _content_quarter_mean(p: Tensor) -> Tensor:
    """Σ(F−P)² / (4 C M): the deeplearning.ai course."""
    return _constant(0.25 / p[0].numel(), p)


def _content_relative(p: Tensor) -> Tensor:
    """Mean squared error over the variance of the target: 1 means "as wrong as its mean"."""
    variance = p.flatten(1).var(1, unbiased=False)
    return 1.0 / (p[0].numel() * variance.clamp_min(_TINY))


CONTENT_FACTORS: dict[str, ContentFactor] = {
    "half_sum": _content_half_sum,
    "sum": _content_sum,
    "mean": _content_mean,
    "quarter_mean": _content_quarter_mean,
    "relative": _content_relative,
}
"""Convention → k of ``k · Σ(F − P)²``; takes P (N, C, H, W), returns (N,)."""


def _style_gatys(a: Tensor, size: LayerSize) -> Tensor:
    """Σ(G−A)² / (4 C²): 2015 paper, eq. 4, whose M² is in the Gram matrices here."""
    return _constant(0.25 / size.channels**2, a)


def _style_mean(a: Tensor, size: LayerSize) -> Tensor:
    """MSE(G/C, A/C) = Σ(G−A)² / C⁴: neural-style, the PyTorch tutorial, fast.ai, the notebook."""
    return _constant(1.0 / size.channels**4, a)


def _style_chollet(a: Tensor, size: LayerSize) -> Tensor:
    """Σ(M G − M A)² / (4 · 3² · (H₀W₀)²): raw Gram matrices over the image's size, every layer.

    The recipe resizes the style image to the content's size; where ours differs in size, its Gram
    matrix counts as if it had as many positions.
    """
    return _constant(size.positions**2 / (36.0 * size.pixels**2), a)


def _style_relative(a: Tensor, size: LayerSize) -> Tensor:
    """MSE(G, A) / mean(A²): 1 means "as wrong as no features at all"."""
    return 1.0 / a.square().flatten(1).sum(1).clamp_min(_TINY)


STYLE_FACTORS: dict[str, StyleFactor] = {
    "gatys": _style_gatys,
    "mean": _style_mean,
    "chollet": _style_chollet,
    "relative": _style_relative,
}
"""Convention → k of ``k · Σ(G − A)²``; takes A (N, C, C) and the layer's size, returns (N,)."""


def content_loss(features: Tensor, target: Tensor, convention: str = "mean") -> Tensor:
    """Content loss of one layer.

    Args:
        features: F, (N, C, H, W)
        target: P, (N or 1, C, H, W), of the same size
        convention: a key of :data:`CONTENT_FACTORS`

    Returns:
        (N,), at least 0.
    """
    return CONTENT_FACTORS[convention](target) * squared_distance(features, target)


def style_loss(gram: Tensor, target: Tensor, size: LayerSize, convention: str = "mean") -> Tensor:
    """Gram-matrix style loss of one layer.

    Args:
        gram: G of the image, (N, C, C), from :func:`gram_matrix`
        target: A of the style image, (N or 1, C, C)
        size: the layer's size in the image being optimised
        convention: a key of :data:`STYLE_FACTORS`

    Returns:
        (N,), at least 0.
    """
    return STYLE_FACTORS[convention](target, size) * squared_distance(gram, target)


def neighbour_loss(
    grams: Tensor, targets: Tensor, plain: Tensor, size: LayerSize, convention: str = "mean"
) -> Tensor:
    """The same for positions and their neighbours, the mean over the four.

    Args:
        grams: (N, 4, C, C), those behind the first of :func:`gram_matrices`
        targets: of the style image, (N or 1, 4, C, C)
        plain: A, whose k counts here too: in a picture one pixel wide no two positions are
            neighbours, and the targets are 0
        size, convention: as :func:`style_loss`

    Returns:
        (N,), at least 0.
    """
    return (
        STYLE_FACTORS[convention](plain, size) * squared_distance(grams, targets) / len(NEIGHBOURS)
    )


def total_variation(images: Tensor, beta: float = 2.0, reduction: str = "sum") -> Tensor:
    """Total variation ``Σ (a² + b²)^(β/2)``, a and b the differences to the next row and column.

    Mahendran & Vedaldi 2015 (arXiv 1412.0035, eq. 5), per channel. β = 2 is the squared form of
    neural-style (twice its ½Σ), β = 2.5 the Keras example's. Pixels of the last row and column
    have no difference, as in both.

    Args:
        images: (N, C, H, W); 0 for an H or W of 1
        beta: at least 1
        reduction: ``sum``, or ``mean`` over the differences, so that size does not matter

    Returns:
        (N,), at least 0.
    """
    if min(images.shape[2:]) < 2:
        return images.new_zeros(images.shape[0])
    here = images[..., :-1, :-1]
    a, b = images[..., 1:, :-1] - here, images[..., :-1, 1:] - here
    squares = a.square() + b.square()
    if beta != 2:
        squares = squares.clamp_min(_TINY).pow(beta / 2)  # clamped: no infinite slope at 0
    per_image = squares.flatten(1)
    return per_image.sum(1) if reduction == "sum" else per_image.mean(1)


def total_variation_gradient(
    images: Tensor, beta: float = 2.0, reduction: str = "sum"
) -> tuple[Tensor, Tensor]:
    """:func:`total_variation` (N,) and its gradient (N, C, H, W), for H and W above 1."""
    here = images[..., :-1, :-1]
    a, b = images[..., 1:, :-1] - here, images[..., :-1, 1:] - here
    squares = a.square().addcmul_(b, b)
    slope = 2.0 if reduction == "sum" else 2.0 / squares[0].numel()  # of (a² + b²) by a, over a
    if beta == 2:
        values = squares
        a, b = a.mul_(slope), b.mul_(slope)
    else:
        squares = squares.clamp_min_(_TINY)
        values, slopes = squares.pow(beta / 2), squares.pow(beta / 2 - 1) * (slope * beta / 2)
        a, b = a.mul_(slopes), b.mul_(slopes)
    gradient = torch.zeros_like(images)
    gradient[..., 1:, :-1] += a
    gradient[..., :-1, 1:] += b
    gradient[..., :-1, :-1] -= a.add_(b)
    per_image = values.flatten(1)
    return (per_image.sum(1) if reduction == "sum" else per_image.mean(1)), gradient
