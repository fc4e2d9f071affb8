"""The pixel optimisers. Each is a generator that yields one :class:`Step` per evaluation.

An optimiser sees the objective as a function from N images to their loss terms and gradients. The
N images never mix: each has its own step, history and guard, and N images together take the steps
that each would take alone. Step 0 is the start image; step k the image after k updates. Nothing
here reads a value back from the device.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

ValueAndGradient = Callable[[Tensor], tuple[Tensor, Tensor]]
"""(N, 3, H, W) → terms (N, K) and gradients (N, 3, H, W)."""


_GROWTH = 4.0


@dataclass(frozen=True)
class Step:
    """One evaluation.

    Attributes:
        index: 0 for the start image
        images: (N, 3, H, W), the images that were evaluated
        terms: (N, K), their weighted loss terms
        restarts: (N,), how often the guard has gone back to the best image so far
    """

    index: int
    images: Tensor
    terms: Tensor
    restarts: Tensor


class Guard:
    """Keeps each image's best state, and goes back to it when a loss is not finite or explodes.

    A loss explodes when it exceeds ``factor`` times the lowest seen.
    """

    def __init__(self, images: Tensor, terms: Tensor, gradient: Tensor, factor: float):
        self.factor = factor
        self.images, self.terms, self.gradient = images.clone(), terms, gradient
        self.best = terms.sum(1)
        self.restarts = torch.zeros_like(self.best, dtype=torch.int64)

    def check(self, images: Tensor, terms: Tensor, gradient: Tensor) -> tuple[Tensor, ...]:
        """The state to go on from: (images, terms, gradient, tripped (N,) of bool)."""
        total = terms.sum(1)
        finite = torch.isfinite(total) & torch.isfinite(gradient.flatten(1).sum(1))
        tripped = ~finite | (total > self.factor * self.best.abs())
        images = torch.where(_per_image(tripped), self.images, images)
        gradient = torch.where(_per_image(tripped), self.gradient, gradient)
        terms = torch.where(tripped[:, None], self.terms, terms)
        better = ~tripped & (total < self.best)
        self.best = torch.where(better, total, self.best)
        self.images = torch.where(_per_image(better), images, self.images)
        self.gradient = torch.where(_per_image(better), gradient, self.gradient)
        self.terms = torch.where(better[:, None], terms, self.terms)
        self.restarts = self.restarts + tripped
        return images, terms, gradient, tripped


def _per_image(values: Tensor) -> Tensor:
    return values.view(-1, 1, 1, 1)


class CurvaturePairs:
    """The last m pairs (s, y) of each of N images, and the L-BFGS direction they imply.

    The direction uses the compact form of Byrd, Nocedal & Schnabel (1994, "Representations of
    quasi-Newton matrices", eq. 3.1 with γI): the same matrix as the two-loop recursion, with
    matrix products for all images at once instead of a loop over the pairs; γ here is ``scaling``
    times sᵀy / yᵀy of the last pair. A pair without positive curvature counts for nothing, though
    it takes the oldest pair's place, so that all images share one ring.

    The history is read twice a step. One product with the new gradient g' gives Sᵀg' and Yᵀg';
    less the products with the last gradient they are Sᵀy and Yᵀy of the new pair. Another gives
    the direction.
    """

    def __init__(self, gradient: Tensor, size: int, scaling: float = 1.0):
        """
        Args:
            gradient: g of the start images, (N, D)
            size: m
            scaling: of the step in directions that no pair knows
        """
        n, d = gradient.shape
        # float64 for the m×m systems only; Apple's GPUs have none
        exact = torch.float32 if gradient.device.type == "mps" else torch.float64
        self.size, self.used, self.next = size, 0, 0
        self._gradient, self._scaling = gradient, scaling
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
        """Go on to the next images: the displacement that leads there and their gradient (N, D)."""
        y, k = gradient - self._gradient, self.next
        self._gradient = gradient
        self._pairs[:, 0, k], self._pairs[:, 1, k] = s, y
        self.next, self.used = (k + 1) % self.size, max(self.used, k + 1)
        products = self._times_history(gradient)
        with_y = products - self._products  # right but for the new pair's own rows
        curvature, length, step = (_dot(*pair).to(products) for pair in ((s, y), (y, y), (s, s)))
        self._sy[:, :, k], self._yy[:, :, k], self._yy[:, k] = (
            with_y[:, 0],
            with_y[:, 1],
            with_y[:, 1],
        )
        self._sy[:, k, k], self._yy[:, k, k] = curvature, length
        self._products = products
        good = curvature > 1e-10 * (length * step).sqrt()
        self._valid[:, k] = good
        gamma = self._scaling * curvature / length.clamp_min(1e-300)
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


def _dot(x: Tensor, y: Tensor) -> Tensor:
    """Per image: (N, D) and (N, D) give (N,)."""
    product: Tensor = torch.linalg.vecdot(x, y)
    return product


class _Pace:
    """How long each image's next step is; :func:`lbfgs` says by which rules."""

    def __init__(self, like: Tensor, pixels: int):
        self.stretch, self.share, self.anew = (torch.ones_like(like) for _ in range(3))
        self.pixels = pixels

    def length(self, gradient: Tensor, has_pairs: Tensor) -> Tensor:
        """(N,) for gradients (N, D); a quasi-Newton step where there are pairs."""
        first = (1.0 / gradient.abs().sum(1).clamp_min(1e-30)).clamp_max(1.0)
        return self.share * torch.where(has_pairs, 1.0, self.stretch * first)

    def learn(self, tripped: Tensor, improved: Tensor, has_pairs: Tensor) -> None:
        """From what the step did, (N,) of bool each."""
        # downhill without a pair: the loss curves downwards here, where a longer step is safe
        self.stretch = torch.where(has_pairs, 1.0, _GROWTH * self.stretch)
        self.stretch = self.stretch.clamp_max(self.pixels)  # a mean change of 1 per pixel
        # a pair that led astray came of too short a step: rounding hid what it changed
        longer = (_GROWTH * self.anew).clamp_max(self.pixels / 100)
        self.anew = torch.where(tripped, longer, self.anew)
        self.stretch = torch.where(tripped, self.anew, self.stretch)
        # longer again only where that led further down: else the same steps would trip for ever
        grown = torch.where(improved, (self.share * 2).clamp_max(1.0), self.share)
        self.share = torch.where(tripped, self.share / 2, grown)


def lbfgs(
    evaluate: ValueAndGradient,
    start: Tensor,
    *,
    steps: int,
    lr: float = 1.0,
    history_size: int = 20,
    scaling: float = 2.0,
    guard: float = 10.0,
    clamp: bool = False,
) -> Iterator[Step]:
    """Batched L-BFGS with a fixed step, as ``torch.optim.LBFGS`` without a line search.

    One step is one evaluation. The first step of an image, and the one after its guard tripped,
    is a gradient step of length min(1, 1/|g|₁)·lr, four times as long each time that no pair of
    positive curvature comes of it. (torch goes on with steps of length lr there.) Each trip makes
    the gradient step after it four times as long, up to a mean change of 0.01 per pixel, and halves
    the later steps, which double again with every new best. The last step is the best image seen.

    Args:
        evaluate: the objective
        start: (N, 3, H, W)
        steps: updates to make; steps + 1 evaluations
        lr: step length, 1 for the full quasi-Newton step
        history_size: pairs (s, y) to keep; memory is 2 · history_size images
        scaling: the initial matrix is so many times sᵀy / yᵀy; torch's is 1, and too careful here
            (docs/decisions, number 1)
        guard: go back to the best image when a loss exceeds this many times the lowest seen
        clamp: bring the image back into [0, 1] between two steps; the history then holds the
            displacement that was really made
    """
    images = start.detach().clamp(0, 1) if clamp else start.detach().clone()
    terms, gradient = evaluate(images)
    watch = Guard(images, terms, gradient, guard)
    pairs = CurvaturePairs(gradient.flatten(1), min(history_size, max(1, steps)), scaling)
    pace = _Pace(watch.best, gradient[0].numel())
    yield Step(0, images, terms, watch.restarts)
    for index in range(1, steps + 1):
        flat = gradient.flatten(1)
        direction = pairs.direction()
        uphill = _dot(direction, flat) >= 0  # rounding spoilt the history: start it anew
        pairs.clear(uphill)
        direction = torch.where(uphill[:, None], -flat, direction)
        length = lr * pace.length(flat, pairs.has_pairs())
        moved = images + (length[:, None] * direction).view_as(images)
        moved = moved.clamp(0, 1) if clamp else moved
        best = watch.best
        moved, terms, new_gradient, tripped = watch.check(moved, *evaluate(moved))
        pairs.append((moved - images).flatten(1), new_gradient.flatten(1))
        pairs.clear(tripped)
        pace.learn(tripped, watch.best < best, pairs.has_pairs())
        images, gradient = moved, new_gradient
        if index == steps:
            images, terms = watch.images, watch.terms
        yield Step(index, images, terms, watch.restarts)


def _first_order(
    make: Callable[[Tensor], torch.optim.Optimizer],
    evaluate: ValueAndGradient,
    start: Tensor,
    *,
    steps: int,
    clamp: bool,
    decay_rate: float,
    decay_steps: int,
) -> Iterator[Step]:
    """Drive an element-wise torch optimiser; it treats every pixel, so every image, alone.

    An image whose loss is not finite goes back to its best, forgets its momentum, and takes steps
    of half the length from there on.
    """
    images = start.detach().clamp(0, 1) if clamp else start.detach().clone()
    optimizer = make(images)
    base = optimizer.param_groups[0]["lr"]
    terms, gradient = evaluate(images)
    watch = Guard(images, terms, gradient, factor=float("inf"))
    share = torch.ones_like(watch.best)  # of the optimiser's step, per image
    yield Step(0, images.clone(), terms, watch.restarts)
    for index in range(1, steps + 1):
        optimizer.param_groups[0]["lr"] = base * decay_rate ** ((index - 1) / decay_steps)
        before = images.clone()
        images.grad = gradient
        optimizer.step()
        shortened = before + _per_image(share) * (images - before)
        images.copy_(torch.where(_per_image(share) < 1, shortened, images))
        if clamp:
            images.clamp_(0, 1)
        evaluated = evaluate(images)
        kept, terms, gradient, tripped = watch.check(images, *evaluated)
        images.copy_(kept)
        for name in ("exp_avg", "momentum_buffer"):  # not exp_avg_sq, which sets Adam's scale
            if isinstance(optimizer.state[images].get(name), Tensor):
                optimizer.state[images][name].masked_fill_(_per_image(tripped), 0)
        share = torch.where(tripped, share / 2, share)
        yield Step(index, images.clone(), terms, watch.restarts)


def adam(
    evaluate: ValueAndGradient,
    start: Tensor,
    *,
    steps: int,
    lr: float = 0.02,
    clamp: bool = True,
    decay_rate: float = 1.0,
    decay_steps: int = 100,
) -> Iterator[Step]:
    """Adam (Kingma & Ba 2015), its rate times ``decay_rate`` every ``decay_steps`` steps.

    Args:
        evaluate, start, steps: as :func:`lbfgs`
        lr: about the change of a pixel per step, in units of [0, 1]
        clamp: bring the image back into [0, 1] after every step
        decay_rate, decay_steps: lr · decay_rate^(step / decay_steps)
    """

    def make(images: Tensor) -> torch.optim.Optimizer:
        return torch.optim.Adam([images], lr=lr)

    return _first_order(
        make, evaluate, start,
        steps=steps, clamp=clamp, decay_rate=decay_rate, decay_steps=decay_steps,
    )  # fmt: skip


def sgd(
    evaluate: ValueAndGradient,
    start: Tensor,
    *,
    steps: int,
    lr: float,
    momentum: float = 0.0,
    clamp: bool = False,
    decay_rate: float = 0.96,
    decay_steps: int = 100,
) -> Iterator[Step]:
    """Gradient descent with exponential decay, as F. Chollet's Keras example.

    Arguments as :func:`adam`; ``lr`` multiplies the gradient by pixels in [0, 1].
    """

    def make(images: Tensor) -> torch.optim.Optimizer:
        return torch.optim.SGD([images], lr=lr, momentum=momentum)

    return _first_order(
        make, evaluate, start,
        steps=steps, clamp=clamp, decay_rate=decay_rate, decay_steps=decay_steps,
    )  # fmt: skip
