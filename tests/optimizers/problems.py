"""Objectives whose minimum is known, in place of a network's."""

from __future__ import annotations

import torch
from torch import Tensor

from nst.optimizers.first_order import adam, sgd
from nst.optimizers.lbfgs import LBFGS
from nst.optimizers.steps import PixelOptimizer, Step, ValueAndGradient, iterate


class Bowls:
    """N anisotropic quartic bowls, each with its own shape and center: (N, 1, 1, D) → terms."""

    def __init__(self, seeds: list[int], d: int = 24):
        matrices, centers = [], []
        for seed in seeds:
            generator = torch.Generator().manual_seed(seed)
            a = torch.randn(d, d, generator=generator, dtype=torch.float64)
            matrices.append(a @ a.T / d + 0.05 * torch.eye(d, dtype=torch.float64))
            centers.append(torch.rand(d, generator=generator, dtype=torch.float64))
        self.matrices, self.centers = torch.stack(matrices), torch.stack(centers)
        self.calls = 0

    def terms(self, images: Tensor) -> Tensor:
        x = images.flatten(1) - self.centers
        square = 0.5 * torch.einsum("nd,nde,ne->n", x, self.matrices, x)
        return torch.stack((square, 0.1 * images.flatten(1).pow(4).sum(1)), 1)

    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        self.calls += 1
        images = images.detach().requires_grad_()
        terms = self.terms(images)
        (gradient,) = torch.autograd.grad(terms.sum(), images)
        return terms.detach(), gradient


class Cliff:
    """A bowl with a hole: beyond 0.5 the loss is not a number, for the images marked so."""

    def __init__(self, cursed: list[bool], value: float):
        self.cursed, self.value = torch.tensor(cursed), value
        self.problem = Bowls([11] * len(cursed))

    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        terms, gradient = self.problem(images)
        beyond = (images.flatten(1).abs().max(1).values > 0.5) & self.cursed
        terms = torch.where(beyond[:, None], self.value, terms)
        gradient = torch.where(beyond.view(-1, 1, 1, 1), self.value, gradient)
        return terms, gradient


def start(n: int, d: int = 24) -> Tensor:
    return torch.zeros(n, 1, 1, d, dtype=torch.float64)


def totals(steps: list[Step]) -> Tensor:
    """(steps + 1, N)."""
    return torch.stack([step.terms.sum(1) for step in steps])


NAMES = ("lbfgs", "adam", "sgd", "sgd with momentum")


def make(
    name: str,
    problem: ValueAndGradient,
    images: Tensor,
    lr: float | None = None,
    clamp: bool = False,
) -> PixelOptimizer:
    """An optimiser by name, with a learning rate that suits bowls."""
    if name == "lbfgs":
        return LBFGS(problem, images, lr=lr or 1.0, history_size=5, clamp=clamp)
    rate = lr or 0.05
    if name == "adam":
        return adam(problem, images, lr=rate, clamp=clamp, decay_rate=0.9, decay_steps=5)
    momentum = 0.8 if "momentum" in name else 0.0
    return sgd(problem, images, lr=rate, momentum=momentum, clamp=clamp)


def run(optimizer: PixelOptimizer, steps: int) -> list[Step]:
    return list(iterate(optimizer, steps))
