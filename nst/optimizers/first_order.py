"""Adam and gradient descent on pixels, with an exponential decay of the learning rate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from nst.optimizers.steps import Guard, PixelOptimizer, Step, ValueAndGradient, per_image

_FAR_ABOVE = 2.0


class FirstOrder(PixelOptimizer):
    """Drives an element-wise torch optimiser; it treats every pixel, so every image, alone.

    An image whose loss is not finite, or exceeds both the start's and ``divergence_factor`` times
    its lowest, goes back to its best, forgets its momentum, and takes steps of half the length from
    then on. (Below the start's, a loss that nears 0 may rise a hundredfold and fall again.) A run
    ends with its last image, unless that one's loss is above the start's or more than twice the
    lowest: then with the best.
    """

    STATE = ("index", "_images", "_terms", "_gradient", "_guard", "_share", "_optimizer")

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        evaluate: ValueAndGradient,
        *,
        clamp: bool,
        decay_rate: float,
        decay_steps: int,
        divergence_factor: float,
    ):
        """
        Args:
            optimizer: of the images (N, 3, H, W), its one parameter
            evaluate: the objective; the start is evaluated at once
            clamp: bring the image back into [0, 1] after every step
            decay_rate, decay_steps: lr · decay_rate^(step / decay_steps)
            divergence_factor: go back to the best image when a loss exceeds the start's and this
                many times the lowest so far
        """
        self._optimizer, self._evaluate, self._clamp = optimizer, evaluate, clamp
        (self._images,) = optimizer.param_groups[0]["params"]
        self._lr = optimizer.param_groups[0]["lr"]
        self._decay = decay_rate, decay_steps
        self._terms, self._gradient = evaluate(self._images)
        self._guard = Guard(
            self._images, self._terms, self._gradient, divergence_factor, may_return_to_start=True
        )
        self._share = torch.ones_like(self._guard.best)  # of the optimiser's step, per image

    def step(self) -> Step:
        """As :meth:`PixelOptimizer.step`."""
        if self.index:
            self._update()
        self.index += 1
        images = self._images.clone()
        return Step(self.index - 1, images, self._terms, self._guard.restarts)

    def _update(self) -> None:
        images, (rate, period) = self._images, self._decay
        group = self._optimizer.param_groups[0]
        group["lr"] = self._lr * rate ** ((self.index - 1) / period)
        before = images.clone()
        images.grad = self._gradient
        self._optimizer.step()
        shortened = before + per_image(self._share) * (images - before)
        images.copy_(torch.where(per_image(self._share) < 1, shortened, images))
        if self._clamp:
            images.clamp_(0, 1)
        accepted, self._terms, self._gradient, diverged = self._guard.check(
            images, *self._evaluate(images)
        )
        images.copy_(accepted)
        for name in ("exp_avg", "momentum_buffer"):  # not exp_avg_sq, which sets Adam's scale
            if isinstance(self._optimizer.state[images].get(name), Tensor):
                self._optimizer.state[images][name].masked_fill_(per_image(diverged), 0)
        self._share = torch.where(diverged, self._share / 2, self._share)

    def last(self, step: Step) -> Step:
        """The step, or the best image so far where that is far better."""
        return self._guard.unless_worse(step, _FAR_ABOVE)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """As :meth:`Stateful.load_state_dict`."""
        images = self._images  # torch's optimiser holds this very tensor
        super().load_state_dict(state)
        self._images = images.copy_(self._images)


def adam(
    evaluate: ValueAndGradient,
    start: Tensor,
    *,
    lr: float,
    clamp: bool = False,
    decay_rate: float = 1.0,
    decay_steps: int = 100,
    divergence_factor: float = 5.0,
) -> FirstOrder:
    """Adam (Kingma & Ba 2015, arXiv 1412.6980).

    Args:
        evaluate: the objective
        start: (N, 3, H, W)
        lr: about the change of a pixel per step, in units of [0, 1]
        clamp, decay_rate, decay_steps, divergence_factor: as :class:`FirstOrder`
    """
    images = start.detach().clamp(0, 1) if clamp else start.detach().clone()
    optimizer = torch.optim.Adam([images], lr=lr)
    return FirstOrder(
        optimizer, evaluate, clamp=clamp, decay_rate=decay_rate, decay_steps=decay_steps,
        divergence_factor=divergence_factor,
    )  # fmt: skip


def sgd(
    evaluate: ValueAndGradient,
    start: Tensor,
    *,
    lr: float,
    momentum: float = 0.0,
    clamp: bool = False,
    decay_rate: float = 1.0,
    decay_steps: int = 100,
    divergence_factor: float = 5.0,
) -> FirstOrder:
    """Gradient descent; with a decay of 0.96 every 100 steps, F. Chollet's Keras example.

    Arguments as :func:`adam`; ``lr`` multiplies the gradient by pixels in [0, 1].
    """
    images = start.detach().clamp(0, 1) if clamp else start.detach().clone()
    optimizer = torch.optim.SGD([images], lr=lr, momentum=momentum)
    return FirstOrder(
        optimizer, evaluate, clamp=clamp, decay_rate=decay_rate, decay_steps=decay_steps,
        divergence_factor=divergence_factor,
    )  # fmt: skip
