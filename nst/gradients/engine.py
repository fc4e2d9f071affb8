"""An objective's terms and gradients: by the chain engine where it can, else by autograd."""

from __future__ import annotations

import torch
from torch import Tensor

from nst.gradients.chain import ChainGradient, is_chain
from nst.losses.objective import Objective
from nst.optimizers.steps import ValueAndGradient


def engine(objective: Objective, checkpointing: bool = False) -> ValueAndGradient:
    """The fastest way to an objective's terms and gradients, in its backbone's precision.

    Args:
        objective: on any backbone
        checkpointing: rather the one with the least memory, where the network is a plain chain
    """
    if is_chain(objective.backbone):
        return ChainGradient(objective, checkpointing)

    def evaluate(images: Tensor) -> tuple[Tensor, Tensor]:
        return by_autograd(objective, images)

    return evaluate


def by_autograd(objective: Objective, images: Tensor) -> tuple[Tensor, Tensor]:
    """Terms (N, K) and the gradient of each image's own sum of terms (N, 3, H, W)."""
    images = images.detach().requires_grad_(True)
    with torch.enable_grad():
        terms = objective(images)
        (gradient,) = torch.autograd.grad(terms.sum(), images)
    return terms.detach(), gradient
