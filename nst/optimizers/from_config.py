"""The optimiser that a config asks for."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from nst.config import OptimizerConfig, OptimizerName
from nst.errors import InputError
from nst.optimizers.first_order import adam, sgd
from nst.optimizers.lbfgs import LBFGS
from nst.optimizers.steps import PixelOptimizer, ValueAndGradient


def make_optimizer(
    cfg: OptimizerConfig, evaluate: ValueAndGradient, start: Tensor, steps: int
) -> PixelOptimizer:
    """An optimiser for so many steps from the start images (N, 3, H, W).

    Raises:
        InputError: a key that the optimiser needs is not set.
    """
    if cfg.name is OptimizerName.lbfgs:
        return LBFGS(
            evaluate,
            start,
            lr=cfg.lr,
            history_size=min(int(_set(cfg, "history_size")), max(1, steps)),
            initial_hessian_scale=_set(cfg, "initial_hessian_scale"),
            divergence_factor=_set(cfg, "divergence_factor"),
            clamp=cfg.clamp,
        )
    shared: dict[str, Any] = {
        "lr": cfg.lr,
        "clamp": cfg.clamp,
        "decay_rate": _set(cfg, "decay_rate"),
        "decay_steps": int(_set(cfg, "decay_steps")),
        "divergence_factor": _set(cfg, "divergence_factor"),
    }
    if cfg.name is OptimizerName.adam:
        return adam(evaluate, start, **shared)
    return sgd(evaluate, start, momentum=_set(cfg, "momentum"), **shared)


def _set(cfg: OptimizerConfig, key: str) -> float:
    value = getattr(cfg, key)
    if value is None:
        raise InputError(f"optimizer.{key} is not set; choose optimizer={cfg.name.name}")
    return float(value)
