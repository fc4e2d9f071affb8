"""The time to the same loss: the baseline's best after so many iterations, and ours."""

from __future__ import annotations

import time

import torch
from tqdm import tqdm

from experiments.benchmark.machine import Row
from experiments.benchmark.plan import Plan
from experiments.benchmark.subjects import baseline, objective, our_lbfgs, picture
from nst.gradients.engine import engine
from nst.gradients.precision import CheckedBFloat16, choose_precision

JUDGED = 5
"""Steps between two looks at our loss in float32, on the way to the baseline's."""


class Racer:
    """Ours on the way to the baseline's loss, as a transfer goes it, judged in float32.

    In the precision that ``auto`` takes on this processor. Without clamping, as in the baseline:
    pixels outside [0, 1] lower the loss.

    Attributes:
        seen: (step, seconds of optimisation, loss), every few steps
    """

    def __init__(self, name: str, size: int):
        self.exact, self.seconds, self.number = objective(name, size, "float32"), 0.0, -1
        self.seen: list[tuple[int, float, float]] = []
        self._checked: CheckedBFloat16 | None = None
        precision = choose_precision("auto", torch.device("cpu"), nears_zero=False)
        evaluate = engine(objective(name, size, precision.name))
        if precision.checked:
            exact = engine(self.exact, checkpointing=True)
            evaluate = self._checked = CheckedBFloat16(evaluate, exact)
        begin = time.perf_counter()
        self._optimizer = our_lbfgs(evaluate, picture("astronaut", size), clamp=False)
        self.seconds += time.perf_counter() - begin  # it evaluates the start

    @property
    def fell_back(self) -> str | None:
        """As :attr:`nst.gradients.precision.CheckedBFloat16.fell_back`."""
        return self._checked.fell_back if self._checked else None

    def step(self) -> None:
        """One step."""
        begin = time.perf_counter()
        step = self._optimizer.step()
        self.seconds += time.perf_counter() - begin
        self.number += 1
        if self.number % JUDGED == 0:
            with torch.no_grad():
                loss = float(self.exact(step.images).sum())
            self.seen.append((self.number, self.seconds, loss))

    def reached(self, goal: float) -> tuple[int, float, float] | None:
        """When the loss was first as low as that, or None."""
        return next((seen for seen in self.seen if seen[2] <= goal), None)


def same_loss(plan: Plan) -> list[Row]:
    """Time to the loss that the baseline has after so many iterations, in turns."""
    return [_race(*race) for race in plan.same_loss]


def _race(name: str, size: int, count: int) -> Row:
    theirs, spent = baseline(size, cut=False, name=name), 0.0
    racer = Racer(name, size)
    for _ in tqdm(range(count), desc=f"{name} {size} px, in turns", unit="step"):
        begin = time.perf_counter()
        theirs.step()
        spent += time.perf_counter() - begin
        racer.step()
    goal = min(theirs.losses)
    while racer.reached(goal) is None and racer.number < 3 * count:
        racer.step()
    steps, seconds, reached = racer.reached(goal) or racer.seen[-1]
    return {
        **{"backbone": name, "size": size, "fell_back": racer.fell_back},
        **{"loss": goal, "reached": reached, "steps": steps, "seconds": seconds},
        **{"baseline_steps": count, "baseline_seconds": spent, "ratio": spent / seconds},
    }
