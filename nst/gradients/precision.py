"""Which number format a run computes in, and whether that does it any harm.

Weights and activations of the backbone may be bfloat16: twice the speed or more where the device
has instructions for it. Statistics, losses, pixels and the optimiser's state are float32 all the
same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from nst.backbones import processor
from nst.optimizers.steps import ValueAndGradient

FIRST_IN_FLOAT32 = 3
"""Evaluations at the start of a pass that are made in float32, where bfloat16 is checked."""

_EVERY = 50  # evaluations between two comparisons with float32
_LOSS_APART = 0.005
_GRADIENT_APART = 0.6
_FALLING = 0.12


@dataclass(frozen=True)
class Precision:
    """A number format and the reason for it; ``checked`` where it is compared with float32."""

    name: str
    why: str
    checked: bool = False

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the backbone's weights and activations."""
        return torch.bfloat16 if self.name == "bfloat16" else torch.float32


def choose_precision(setting: str, device: torch.device, nears_zero: bool) -> Precision:
    """The precision of a run.

    Args:
        setting: ``float32``, ``bfloat16`` or ``auto``
        device: that the run is on
        nears_zero: whether the loss can near 0: a content reconstruction's or a texture's does; the
            two sides of a transfer pull against each other, and it stays far above rounding
    """
    if setting != "auto":
        return Precision(setting, "as configured")
    if nears_zero:
        return Precision(
            "float32", "auto: the loss of this task nears 0, where bfloat16's rounding would show"
        )
    fast, why = has_fast_bfloat16(device)
    return Precision("bfloat16" if fast else "float32", f"auto: {why}", checked=fast)


def has_fast_bfloat16(device: torch.device) -> tuple[bool, str]:
    """Whether a device multiplies bfloat16 in hardware, and how that is known."""
    if device.type == "cuda":
        major, minor = torch.cuda.get_device_capability(device)
        return major >= 8, f"CUDA compute capability {major}.{minor} (bfloat16 from 8.0 on)"
    if device.type != "cpu":
        return False, f"{device.type} is not known to gain from bfloat16"
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False, "this build of torch is without oneDNN"
    instructions = [flag for flag in ("amx_bf16", "avx512_bf16") if flag in processor.flags()]
    if instructions:
        return True, f"this CPU has {' and '.join(instructions)}"
    return False, "this CPU has neither amx_bf16 nor avx512_bf16"


class CheckedBFloat16:
    """Evaluations in bfloat16 that are now and then compared with float32.

    The first evaluations are in float32: the first step of L-BFGS is too small for 8 bits to see
    what it changed, and what it learns there steers the next twenty steps. Then every 50th
    evaluation is made in both. Where the losses of an image are more than 0.5 % apart, or the
    gradients by more than 0.6 of their length while the loss still fell by 12 % since the last
    comparison, all go on in float32. (Where it falls slowly, the steps that rounding costs do not
    matter.)

    Attributes:
        fell_back: why it goes on in float32, or None
    """

    def __init__(self, fast: ValueAndGradient, exact: ValueAndGradient):
        self._fast, self._exact, self._calls = fast, exact, 0
        self._last: Tensor | None = None  # losses in float32 at the last comparison
        self.fell_back: str | None = None

    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """As :data:`nst.optimizers.steps.ValueAndGradient`."""
        self._calls += 1
        if self._calls <= FIRST_IN_FLOAT32 or self.fell_back is not None:
            return self._exact(images)
        values = self._fast(images)
        if self._calls % _EVERY:
            return values
        exact = self._exact(images)
        total = exact[0].sum(1)
        loss, gradient = _apart(values[0].sum(1), total), _apart(values[1], exact[1])
        falling = float("inf") if self._last is None else _apart(self._last, total)
        self._last = total
        rough = gradient > _GRADIENT_APART and falling > _FALLING
        if loss <= _LOSS_APART and not rough:
            return values
        self.fell_back = (
            f"float32 from evaluation {self._calls} on, where bfloat16 differed by "
            f"{loss:.1%} in the loss and {gradient:.0%} in the gradient"
        )
        return exact

    def state_dict(self) -> dict[str, Any]:
        """What decides the evaluations to come."""
        return {"calls": self._calls, "last": self._last, "fell_back": self.fell_back}

    def load_state_dict(self, state: Mapping[str, Any], device: torch.device) -> None:
        """Go on from a state."""
        self._calls, self.fell_back = state["calls"], state["fell_back"]
        self._last = None if state["last"] is None else state["last"].to(device)


def _apart(x: Tensor, y: Tensor) -> float:
    """Largest relative distance between N tensors and N others; infinite where not a number."""
    away = (x - y).flatten(1) if x.ndim > 1 else (x - y)[:, None]
    length = y.flatten(1).norm(dim=1) if y.ndim > 1 else y.abs()
    ratio = away.norm(dim=1) / length.clamp_min(1e-30)
    return float(ratio.nan_to_num(nan=float("inf")).max())
