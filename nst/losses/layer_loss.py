"""The contract of a loss: a statistic of one layer's features, and a distance between two of them.

A loss sits at one layer of the network. It says what it remembers of a layer (its *statistic*: a
Gram matrix, means, or the features themselves) and how far two statistics are apart. The engine
(:mod:`nst.gradients`) computes features, calls these, and carries the gradient back to the pixels;
it knows no formula. A loss on the pixels sits at the layer ``input``.

Where a statistic is a *mean over positions*, the loss says ``additive = True``. The engine may then
compute it from strips of rows, one after the other, and weights per position (masks) and mixtures
of several targets work without further code. Other losses see their layer whole.

The division into a statistic and a distance is that of ``StyleLoss`` and ``StyleLossW2`` in
K. Crowson's style-transfer-pytorch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from torch import Tensor

Role = Literal["content", "style", "pixels"]
Picture = Literal["content", "style"]


@dataclass(frozen=True)
class LayerSize:
    """What a normalisation may depend on besides the target.

    Attributes:
        channels: C
        positions: M = H·W of the layer, in the image being optimised
        pixels: H₀·W₀ of that image
    """

    channels: int
    positions: int
    pixels: int


@dataclass(frozen=True)
class Target:
    """What a loss compares the layer with; the first dimension of every tensor is N or 1.

    Attributes:
        statistic: of the picture that is imitated
        reference: what the statistic of an image is taken with respect to: the features that a
            content loss subtracts, the means that an activation shift takes off. Empty for most
            losses.
    """

    statistic: Tensor
    reference: tuple[Tensor, ...] = ()
    _derived: dict[Hashable, Tensor] = field(default_factory=dict, compare=False, repr=False)

    def once(self, key: Hashable, compute: Callable[[], Tensor]) -> Tensor:
        """What a loss derives from the target alone, computed at the first call with a key."""
        if key not in self._derived:
            self._derived[key] = compute()
        return self._derived[key]


class LayerLoss(ABC):
    """One loss at one layer, for N images that never mix.

    A subclass is a frozen dataclass whose fields are the loss's options, as they stand in
    ``conf/loss/NAME.yaml``. ``__post_init__`` checks them.

    Attributes:
        name: as in the config
        role: whether it is named under ``loss.content``, ``loss.style`` or ``loss.pixels``
        imitates: the picture whose features make the target; None where there is no target
        additive: whether the statistic is a mean over positions
    """

    name: ClassVar[str]
    role: ClassVar[Role]
    imitates: ClassVar[Picture | None]
    additive: ClassVar[bool] = False

    @property
    def reach(self) -> int:
        """Rows below a position that the position's share of the statistic depends on."""
        return 0

    @abstractmethod
    def statistic(
        self,
        features: Tensor,
        reference: tuple[Tensor, ...] = (),
        weights: Tensor | None = None,
        rows: int | None = None,
    ) -> Tensor:
        """What the loss remembers of a layer.

        Args:
            features: (N, C, H, W), float32 or bfloat16
            reference: of the target
            weights: (N or 1, 1, H, W), at least 0: how much each position counts. None: all alike
            rows: how many rows at the top count; those below are context, for :attr:`reach`

        Returns:
            (N, …), at least float32; a mean over positions where the loss is additive.
        """

    @abstractmethod
    def distance(self, statistic: Tensor, target: Target, size: LayerSize) -> Tensor:
        """How far a statistic (N, …) is from the target's: (N,), at least 0, differentiable."""

    def reference(self, features: Tensor, weights: Tensor | None = None) -> tuple[Tensor, ...]:
        """:attr:`Target.reference` for a picture with these features (N or 1, C, H, W)."""
        return ()

    def target(self, features: Tensor, weights: Tensor | None = None) -> Target:
        """The target that a picture with these features (N or 1, C, H, W) sets."""
        reference = self.reference(features, weights)
        return Target(self.statistic(features, reference, weights), reference)

    def crop(self, reference: tuple[Tensor, ...], first: int, last: int) -> tuple[Tensor, ...]:
        """The reference for some rows of a layer, where it belongs to positions."""
        return reference

    def gradient(
        self,
        features: Tensor,
        reference: tuple[Tensor, ...],
        upstream: Tensor,
        weights: Tensor | None = None,
        into: Tensor | None = None,
    ) -> Tensor:
        """Gradient of an additive loss with respect to features, in their dtype.

        By autograd at this one layer; a subclass may have its closed form.

        Args:
            features: (N, C, H, W), of the whole layer or of a strip
            reference: for the same rows
            upstream: (N, …), the upstream gradient at the *sum* over positions of the statistic
            weights: per position, as for :meth:`statistic`
            into: a gradient (N, C, H, W) to add to, in place

        Returns:
            (N, C, H, W): ``into`` plus the gradient.
        """
        leaf = at_least_float32(features.detach()).requires_grad_(True)
        with torch.enable_grad():
            mean = self.statistic(leaf, reference, weights)
            total = mean * mass(leaf, weights).view(-1, *[1] * (mean.ndim - 1))
            (gradient,) = torch.autograd.grad((total * upstream).sum(), leaf)
        if into is not None:
            return into.add_(gradient.to(features.dtype))
        return _dense(gradient.to(features.dtype), features)

    def value_and_upstream(
        self, statistic: Tensor, target: Target, size: LayerSize, weight: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The weighted loss, and the upstream gradient that :meth:`gradient` takes.

        By autograd through :meth:`distance`; a subclass may have its closed form.

        Args:
            statistic: of an additive loss, (N, …); may be overwritten
            target, size: as for :meth:`distance`
            weight: (N or 1,), what the loss is multiplied with

        Returns:
            (N,), and (N, …): the gradient at the sum over positions of the statistic.
        """
        statistic = statistic.detach().requires_grad_(True)
        with torch.enable_grad():
            values = weight * self.distance(statistic, target, size)
            (upstream,) = torch.autograd.grad(values.sum(), statistic)
        return values.detach(), upstream / size.positions

    def value_and_gradient(
        self, features: Tensor, target: Target, size: LayerSize
    ) -> tuple[Tensor, Tensor]:
        """Loss (N,) and its gradient (N, C, H, W) of a whole layer."""
        leaf = at_least_float32(features.detach()).requires_grad_(True)
        with torch.enable_grad():
            values = self.distance(self.statistic(leaf, target.reference), target, size)
            (gradient,) = torch.autograd.grad(values.sum(), leaf)
        return values.detach(), _dense(gradient, leaf)

    def batch_key(self, size: tuple[int, int]) -> Hashable:
        """What pictures (W, H) that set targets must have in common to share a batch.

        Their size, unless the statistic is a mean over positions.
        """
        return None if self.additive else size


def _dense(gradient: Tensor, like: Tensor) -> Tensor:
    """A gradient that may be written to: autograd's may show one number at many places."""
    if gradient.stride() == like.stride():
        return gradient
    return torch.empty_like(like, dtype=gradient.dtype).copy_(gradient)


def channel_means(features: Tensor, weights: Tensor | None = None) -> Tensor:
    """Means over positions of features (N, C, H, W), weighted or not: (N, C), at least float32."""
    features = at_least_float32(features)
    if weights is None:
        return features.mean((2, 3))
    return (features * weights).sum((2, 3)) / weights.sum((2, 3))


def at_least_float32(features: Tensor) -> Tensor:
    """The features, as float32 where they are bfloat16."""
    return features.float() if features.dtype == torch.bfloat16 else features


def constant(value: float, like: Tensor) -> Tensor:
    """The same factor for each of N images: (N,), in the dtype of ``like`` (N, …)."""
    return torch.full((like.shape[0],), value, dtype=like.dtype, device=like.device)


def mass(features: Tensor, weights: Tensor | None) -> Tensor:
    """What all positions of features (N, C, H, W) weigh together: (N or 1,)."""
    if weights is None:
        return features.new_tensor([features.shape[2] * features.shape[3]])
    return weights.sum((1, 2, 3))


def stack(targets: Sequence[Target]) -> Target:
    """Targets of one image each as one target of a batch."""
    references = zip(*(target.reference for target in targets), strict=True)
    return Target(
        torch.cat([target.statistic for target in targets]),
        tuple(torch.cat(each) for each in references),
    )


def mix(targets: Sequence[Target], shares: Sequence[float]) -> Target:
    """A weighted sum of targets, for losses whose statistics are additive.

    Args:
        targets: of several styles
        shares: as many, usually with a sum of 1
    """

    def sum_of(tensors: Sequence[Tensor]) -> Tensor:
        return torch.stack([s * t for s, t in zip(shares, tensors, strict=True)]).sum(0)

    references = zip(*(target.reference for target in targets), strict=True)
    return Target(sum_of([t.statistic for t in targets]), tuple(map(sum_of, references)))
