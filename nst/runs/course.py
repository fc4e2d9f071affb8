"""How a run went: its start and its losses, for what is to be said of it at its end."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from torch import Tensor

from nst.config import Config, Task
from nst.pictures.files import to_uint8
from nst.pictures.health import Ending, remarks
from nst.runs.passes import all_passes

_WEIGHTS = {
    Task.transfer: ("content_weight", "style_weight", "tv_weight"),
    Task.content: ("content_weight", "tv_weight"),
    Task.texture: ("style_weight", "tv_weight"),
}


class Course:
    """One run, from its start image on.

    Attributes:
        start: the start image, (H, W, 3) in 8 bits; None before :meth:`begin`
        losses: of the last pass, its first and its latest; None before :meth:`add`
    """

    start: np.ndarray | None = None
    losses: tuple[float, float] | None = None

    def __init__(self, cfg: Config):
        self._cfg = cfg
        self._lowest: list[float] = []  # so far, for each step of the last pass
        before = sum(steps for _, steps in all_passes(cfg)[:-1])
        self._first = before + 1 if before else 0  # step of the last pass that is known

    def begin(self, start: Tensor) -> None:
        """Remember the start image (1, 3, H, W)."""
        self.start = to_uint8(start)[0]

    def add(self, step: int, loss: float) -> None:
        """Take the loss of a step."""
        if self.losses is None or step == self._first:
            self.losses = loss, loss
            self._lowest = []
        self.losses = self.losses[0], loss
        rounded = float(f"{loss:.9g}")  # as the trace has it, which a resumed run reads
        self._lowest.append(min(rounded, self._lowest[-1]) if self._lowest else rounded)

    @property
    def last_tenth(self) -> float | None:
        """How much the loss fell in the last tenth of the last pass's steps, as a share of it.

        Compared are the lowest losses so far, since a step may go up. Nine tenths of the way it
        was l, at the end it is m: (l − m) / l. A loss that falls as 1/steps loses a tenth there,
        and half when the steps are doubled: five times as much. None before the second step, and
        where a loss is not finite.
        """
        steps = len(self._lowest) - 1
        if steps < 2 or not all(map(math.isfinite, self._lowest)):
            return None
        before, end = self._lowest[-1 - max(1, round(steps / 10))], self._lowest[-1]
        return round((before - end) / before, 6) if before > 0 else 0.0

    def remarks(
        self, image: Tensor, originals: Mapping[str, Tensor], steps: int, restarts: int
    ) -> list[str]:
        """What is wrong with the result, a sentence each.

        Args:
            image: the result (1, 3, H, W)
            originals: content and style (1, 3, H, W), as far as there are
            steps, restarts: how many in all
        """
        loss, task = self._cfg.loss, self._cfg.task
        photograph = task is Task.transfer and self._cfg.strength == loss.style_weight == 0
        ending = Ending(
            image=to_uint8(image)[0],
            originals={name: to_uint8(original)[0] for name, original in originals.items()},
            start=None if photograph else self.start,  # it is to stay where it began
            losses=None if photograph else self.losses,
            steps=steps,
            restarts=restarts,
            weights={f"loss.{key}": float(getattr(loss, key)) for key in _WEIGHTS[task]},
            lr=self._cfg.optimizer.lr,
        )
        return remarks(ending)
