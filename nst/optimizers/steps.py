"""What every optimiser has in common: an objective, an image, and one step after another.

An optimiser is an object: :meth:`~PixelOptimizer.step` makes one evaluation, ``state_dict`` and
``load_state_dict`` are as in torch. It sees the objective as a function from N images to their loss
terms and gradients, and the images never mix: each has its own step length, history and guard, and
N images together take the steps that each would take alone. Nothing here reads a value back from
the device.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.optim import Optimizer

ValueAndGradient = Callable[[Tensor], tuple[Tensor, Tensor]]
"""(N, 3, H, W) → terms (N, K) and gradients (N, 3, H, W)."""


@dataclass(frozen=True)
class Step:
    """One evaluation.

    Attributes:
        index: 0 for the start image, k after k updates
        images: (N, 3, H, W), the images that were evaluated
        terms: (N, K), their weighted loss terms
        restarts: (N,), how often the guard has gone back to the best image so far
    """

    index: int
    images: Tensor
    terms: Tensor
    restarts: Tensor


class Stateful:
    """An object whose state is some of its attributes.

    Each is a tensor, a number, a torch optimiser, or such an object again.
    """

    STATE: ClassVar[tuple[str, ...]] = ()

    def state_dict(self) -> dict[str, Any]:
        """The state by name; its tensors are the object's own, as in torch."""
        values = {name: getattr(self, name) for name in self.STATE}
        return {
            name: value.state_dict() if isinstance(value, Stateful | Optimizer) else value
            for name, value in values.items()
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state; its tensors are copied.

        Raises:
            ValueError: a name is missing or unknown, or a tensor has another shape; nothing has
                changed then.
        """
        self._require_fitting(state)
        for name, value in state.items():
            current = getattr(self, name)
            if isinstance(current, Stateful):
                current.load_state_dict(value)
            elif isinstance(current, Optimizer):
                current.load_state_dict(copy.deepcopy(value))  # torch would share the tensors
            elif isinstance(current, Tensor):
                setattr(self, name, value.detach().clone().to(current))
            else:
                setattr(self, name, value)

    def _require_fitting(self, state: Any) -> None:
        _require_names(state, self.STATE)
        for name, value in state.items():
            current = getattr(self, name)
            if isinstance(current, Stateful):
                current._require_fitting(value)
            elif isinstance(current, Optimizer):
                _require_names(value, current.state_dict())
                (images,) = current.param_groups[0]["params"]
                for buffers in value["state"].values():
                    for key, buffer in buffers.items():
                        if isinstance(buffer, Tensor) and buffer.ndim:  # Adam's step has no shape
                            _require_shape(key, buffer, images)
            elif isinstance(current, Tensor):
                _require_shape(name, value, current)


def _require_names(state: Any, names: Iterable[str]) -> None:
    present = sorted(state) if isinstance(state, Mapping) else state
    if present != sorted(names):
        raise ValueError(f"expected the state {sorted(names)}, not {present}")


def _require_shape(name: str, value: Any, like: Tensor) -> None:
    shape = tuple(value.shape) if isinstance(value, Tensor) else value
    if shape != tuple(like.shape):
        raise ValueError(f"{name}: expected the shape {tuple(like.shape)}, not {shape}")


class PixelOptimizer(Stateful, ABC):
    """Moves the pixels of N images downhill.

    Attributes:
        index: of the next step; 0 evaluates the start image
    """

    index: int = 0

    @abstractmethod
    def step(self) -> Step:
        """Evaluate the start image, or make one update and evaluate its result."""

    def last(self, step: Step) -> Step:
        """The step to end with: this one, or the best so far where the optimiser keeps it."""
        return step


def iterate(optimizer: PixelOptimizer, steps: int) -> Iterator[Step]:
    """Every step from the optimiser's next one to the last of ``steps`` updates."""
    while optimizer.index <= steps:
        step = optimizer.step()
        yield optimizer.last(step) if step.index == steps else step


class Guard(Stateful):
    """Keeps each image's best state, and goes back to it when a loss is not finite or explodes.

    A loss explodes when it exceeds ``factor`` times the lowest so far, and ``floor``.

    Attributes:
        images, terms, gradient: (N, …), the best of each image
        best: (N,), its loss
        floor: (N,), what a loss may always rise to
        restarts: (N,), how often the guard has gone back
    """

    STATE = ("images", "terms", "gradient", "best", "floor", "restarts")

    def __init__(
        self,
        images: Tensor,
        terms: Tensor,
        gradient: Tensor,
        factor: float,
        *,
        may_return_to_start: bool = False,
    ):
        """
        Args:
            images, terms, gradient: of the start
            factor: 1 or more
            may_return_to_start: whether a loss may always rise to the start's
        """
        self.factor = factor
        self.images, self.terms, self.gradient = images.clone(), terms, gradient
        self.best = terms.sum(1)
        self.floor = self.best.abs() if may_return_to_start else torch.zeros_like(self.best)
        self.restarts = torch.zeros_like(self.best, dtype=torch.int64)

    def check(self, images: Tensor, terms: Tensor, gradient: Tensor) -> tuple[Tensor, ...]:
        """The state to go on from: (images, terms, gradient, diverged (N,) of bool)."""
        total = terms.sum(1)
        finite = torch.isfinite(total) & torch.isfinite(gradient.flatten(1).sum(1))
        diverged = ~finite | (total > torch.maximum(self.factor * self.best.abs(), self.floor))
        images = torch.where(per_image(diverged), self.images, images)
        gradient = torch.where(per_image(diverged), self.gradient, gradient)
        terms = torch.where(diverged[:, None], self.terms, terms)
        better = ~diverged & (total < self.best)
        self.best = torch.where(better, total, self.best)
        self.images = torch.where(per_image(better), images, self.images)
        self.gradient = torch.where(per_image(better), gradient, self.gradient)
        self.terms = torch.where(better[:, None], terms, self.terms)
        self.restarts = self.restarts + diverged
        return images, terms, gradient, diverged

    def unless_worse(self, step: Step, factor: float) -> Step:
        """A step, but the best image where the step's loss exceeds the floor or the best so far.

        Args:
            step: the last one that was checked
            factor: how many times the best loss is too much
        """
        worse = step.terms.sum(1) > torch.minimum(factor * self.best.abs(), self.floor)
        images = torch.where(per_image(worse), self.images, step.images)
        terms = torch.where(worse[:, None], self.terms, step.terms)
        return Step(step.index, images, terms, step.restarts)


def per_image(values: Tensor) -> Tensor:
    """(N,) as (N, 1, 1, 1)."""
    return values.view(-1, 1, 1, 1)
