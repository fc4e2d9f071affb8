"""L-BFGS for a batch of images, as ``torch.optim.LBFGS`` without a line search."""

from __future__ import annotations

import torch
from torch import Tensor

from nst.optimizers.steps import Guard, PixelOptimizer, Stateful, Step, ValueAndGradient

_GROWTH = 4.0


class CurvaturePairs(Stateful):
    """The last m pairs (s, y) of each of N images, and the L-BFGS direction they imply.

    The direction uses the compact form of Byrd, Nocedal & Schnabel (1994, "Representations of
    quasi-Newton matrices", eq. 3.1 with γI): the same matrix as the two-loop recursion, with
    matrix products for all images at once instead of a loop over the pairs; γ here is
    ``initial_hessian_scale`` times sᵀy / yᵀy of the last pair. A pair without positive curvature
    counts for nothing, though it takes the oldest pair's place, so that all images share one ring.

    The history is read twice a step. One product with the new gradient g' gives Sᵀg' and Yᵀg';
    less the products with the last gradient they are Sᵀy and Yᵀy of the new pair. Another gives
    the direction.
    """

    STATE = (
        *("used", "next", "_gradient", "_pairs", "_products"),
        *("_sy", "_yy", "_valid", "_gamma"),
    )

    def __init__(self, gradient: Tensor, size: int, initial_hessian_scale: float = 1.0):
        """
        Args:
            gradient: g of the start images, (N, D)
            size: m
            initial_hessian_scale: of the step in directions that no pair knows
        """
        n, d = gradient.shape
        # float64 for the m×m systems only; Apple's GPUs have none
        exact = torch.float32 if gradient.device.type == "mps" else torch.float64
        self.size, self.used, self.next = size, 0, 0
        self._gradient, self._scale = gradient, initial_hessian_scale
        self._pairs = gradient.new_zeros(n, 2, size, d)  # S, then Y
        self._products = torch.zeros(n, 2, size, dtype=exact, device=gradient.device)  # Sᵀg, Yᵀg
        self._sy = self._products.new_zeros(n, size, size)
        self._yy = torch.zeros_like(self._sy)
        self._valid = torch.zeros(n, size, dtype=torch.bool, device=gradient.device)
        self._gamma = self._products.new_ones(n)

    def clear(self, which: Tensor) -> None:
        """Forget the pairs of some images; which: (N,) of bool."""
        self._valid = self._valid & ~which[:, None]
        self._gamma = torch.where(which, torch.ones_like(self._gamma), self._gamma)

    def has_pairs(self) -> Tensor:
        """(N,) of bool."""
        return self._valid.any(1)

    def append(self, s: Tensor, gradient: Tensor) -> None:
        """Go on to the next images: the displacement to them and their gradient, (N, D) both."""
        y, k = gradient - self._gradient, self.next
        self._gradient = gradient
        self._pairs[:, 0, k], self._pairs[:, 1, k] = s, y
        self.next, self.used = (k + 1) % self.size, max(self.used, k + 1)
        products = self._times_history(gradient)
        with_y = products - self._products  # right but for the new pair's own rows
        curvature, length, step = (dot(*pair).to(products) for pair in ((s, y), (y, y), (s, s)))
        self._sy[:, :, k], self._yy[:, :, k], self._yy[:, k] = (
            with_y[:, 0],
            with_y[:, 1],
            with_y[:, 1],
        )
        self._sy[:, k, k], self._yy[:, k, k] = curvature, length
        self._products = products
        good = curvature > 1e-10 * (length * step).sqrt()
        self._valid[:, k] = good
        gamma = self._scale * curvature / length.clamp_min(1e-300)
        self._gamma = torch.where(good, gamma, self._gamma)

    def _times_history(self, gradient: Tensor) -> Tensor:
        """Sᵀg and Yᵀg, (N, 2, m)."""
        rows = self._pairs.flatten(1, 2)  # (N, 2m, D)
        # a row times a matrix: as a matrix times a column it is ten times slower for N > 1
        products = gradient[:, None] @ rows.transpose(1, 2)
        return products.view(-1, 2, self.size).to(self._products.dtype)

    def direction(self) -> Tensor:
        """``−H g`` at the latest gradient, (N, D); ``−g`` for an image without pairs."""
        if self.used == 0:
            return -self._gradient
        coefficients = self._coefficients().flatten(1, 2)[:, None].to(self._gradient.dtype)
        gamma = self._gamma[:, None].to(self._gradient.dtype)
        history = (coefficients @ self._pairs.flatten(1, 2))[:, 0]
        product: Tensor = torch.addcmul(history, gamma, self._gradient)
        return product.neg_()

    def _coefficients(self) -> Tensor:
        """What each s and each y counts in H g besides γg, (N, 2, m)."""
        valid, gamma = self._valid, self._gamma[:, None, None]
        sg, yg = torch.where(valid[:, None], self._products, 0.0)[..., None].unbind(1)
        age = (torch.arange(self.size, device=valid.device) - self.next) % self.size  # 0: oldest
        newer = age[None, :] > age[:, None]
        both = valid[:, :, None] & valid[:, None, :]
        diagonal = torch.where(valid, self._sy.diagonal(dim1=1, dim2=2), 1.0)
        r = torch.where(both & newer, self._sy, 0.0) + torch.diag_embed(diagonal)  # R of the paper
        alpha = torch.linalg.solve_ex(r, sg)[0]
        inner = diagonal[..., None] * alpha
        inner = inner + gamma * (torch.where(both, self._yy, 0.0) @ alpha - yg)
        beta = torch.linalg.solve_ex(r.transpose(1, 2), inner)[0]
        both_kinds = torch.stack((beta, -gamma * alpha), 1)[..., 0]
        return torch.where(valid[:, None], both_kinds, 0.0)


def dot(x: Tensor, y: Tensor) -> Tensor:
    """Per image: (N, D) and (N, D) give (N,)."""
    product: Tensor = torch.linalg.vecdot(x, y)
    return product


class StepLength(Stateful):
    """How long each image's next step is; :class:`LBFGS` says by which rules.

    Attributes:
        growth: (N,), of the next gradient step
        share: (N,), of the later steps
        restart: (N,), of the gradient step after the image diverged
    """

    STATE = ("growth", "share", "restart")

    def __init__(self, like: Tensor, pixels: int):
        self.growth, self.share, self.restart = (torch.ones_like(like) for _ in range(3))
        self.pixels = pixels

    def length(self, gradient: Tensor, has_pairs: Tensor) -> Tensor:
        """(N,) for gradients (N, D); a quasi-Newton step where there are pairs."""
        first = (1.0 / gradient.abs().sum(1).clamp_min(1e-30)).clamp_max(1.0)
        return self.share * torch.where(has_pairs, 1.0, self.growth * first)

    def learn(
        self, diverged: Tensor, improved: Tensor, had_pairs: Tensor, has_pairs: Tensor
    ) -> None:
        """From what the step did, (N,) of bool each; had_pairs: before it, has_pairs: after it."""
        # downhill without a pair: the loss curves downwards here, where a longer step is safe
        self.growth = torch.where(has_pairs, 1.0, _GROWTH * self.growth)
        self.growth = self.growth.clamp_max(self.pixels)  # a mean change of 1 per pixel
        # a pair that led astray came of too short a step: rounding hid what it changed
        longer = (_GROWTH * self.restart).clamp_max(self.pixels / 100)
        other = torch.where(had_pairs, longer, self.restart / _GROWTH)
        self.restart = torch.where(diverged, other, self.restart)
        self.growth = torch.where(diverged, self.restart, self.growth)
        # longer again only where that led further down: else the same steps would diverge for ever
        grown = torch.where(improved, (self.share * 2).clamp_max(1.0), self.share)
        self.share = torch.where(diverged, self.share / 2, grown)


class LBFGS(PixelOptimizer):
    """L-BFGS with a fixed step; one evaluation each.

    The first step of an image, and the one after it diverged, is a gradient step of length
    min(1, 1/|g|₁)·lr, four times as long each time that no pair of positive curvature comes of it.
    (torch goes on with steps of length lr then.) Each divergence makes the gradient step after it
    four times as long, up to a mean change of 0.01 per pixel (where it was a gradient step that
    diverged: a fourth as long), and halves the later steps, which double again with every new best.
    """

    STATE = ("index", "_images", "_terms", "_gradient", "_guard", "_pairs", "_step_length")

    def __init__(
        self,
        evaluate: ValueAndGradient,
        start: Tensor,
        *,
        lr: float = 1.0,
        history_size: int = 20,
        initial_hessian_scale: float = 1.0,
        divergence_factor: float = 10.0,
        clamp: bool = False,
    ):
        """
        Args:
            evaluate: the objective; the start is evaluated at once
            start: (N, 3, H, W)
            lr: step length, 1 for the full quasi-Newton step
            history_size: pairs (s, y) to keep; memory is 2 · history_size images
            initial_hessian_scale: the initial inverse Hessian is this many times sᵀy / yᵀy; torch's
                is 1. Above it, steps in directions not yet seen are longer
            divergence_factor: go back to the best image when a loss exceeds this many times the
                lowest so far
            clamp: bring the image back into [0, 1] between two steps; the history then holds the
                actual displacement
        """
        self._evaluate, self._lr, self._clamp = evaluate, lr, clamp
        self._images = start.detach().clamp(0, 1) if clamp else start.detach().clone()
        self._terms, self._gradient = evaluate(self._images)
        self._guard = Guard(self._images, self._terms, self._gradient, divergence_factor)
        flat = self._gradient.flatten(1)
        self._pairs = CurvaturePairs(flat, history_size, initial_hessian_scale)
        self._step_length = StepLength(self._guard.best, self._gradient[0].numel())

    def step(self) -> Step:
        """As :meth:`PixelOptimizer.step`."""
        if self.index:
            self._update()
        self.index += 1
        return Step(self.index - 1, self._images, self._terms, self._guard.restarts)

    def _update(self) -> None:
        flat, images, guard = self._gradient.flatten(1), self._images, self._guard
        direction = self._pairs.direction()
        uphill = dot(direction, flat) >= 0  # rounding spoilt the history: start it anew
        self._pairs.clear(uphill)
        direction = torch.where(uphill[:, None], -flat, direction)
        had_pairs = self._pairs.has_pairs()
        length = self._lr * self._step_length.length(flat, had_pairs)
        moved = images + (length[:, None] * direction).view_as(images)
        moved = moved.clamp(0, 1) if self._clamp else moved
        best = guard.best
        moved, self._terms, gradient, diverged = guard.check(moved, *self._evaluate(moved))
        self._pairs.append((moved - images).flatten(1), gradient.flatten(1))
        self._pairs.clear(diverged)
        improved, has_pairs = guard.best < best, self._pairs.has_pairs()
        self._step_length.learn(diverged, improved, had_pairs, has_pairs)
        self._images, self._gradient = moved, gradient

    def last(self, step: Step) -> Step:
        """The best image so far."""
        return Step(step.index, self._guard.images, self._guard.terms, step.restarts)
