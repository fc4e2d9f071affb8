"""What will run, and how long it will take.

Before anything is loaded there is only a guess, by the network's seconds for each pixel. The first
steps are measured, and what is left follows from them: a step costs as much as it has pixels.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nst.config import Config, Task, layer_sets
from nst.runs.passes import all_passes, output_size
from nst.runs.recording.labels import layers_label

LONG = 1800.0
"""Seconds from which on a run warns of its length, and says what would be quicker."""

WINDOW = 60.0
"""Seconds of the latest steps that what is left is judged by."""

_QUICK = 600.0  # seconds that a smaller size is proposed for
_FEW_STEPS = 100
_LARGE = 1024  # longest side from which on passes are proposed

_SECONDS_PER_MEGAPIXEL = {"vgg19": 6.1, "vgg16": 4.9, "vgg16_mini": 1.9, "vgg19_mini": 1.7}
"""Of an evaluation in bfloat16 by one thread of an AMD EPYC (docs/performance.md)."""
_UNKNOWN_NETWORK = 1.9
_FLOAT32 = 1.9  # times as long


def subject(cfgs: Sequence[Config]) -> str:
    """What the runs make, in words: ``chelsea in the style of swirl``."""
    if len(cfgs) > 1:
        return f"{len(cfgs)} pictures at once"
    cfg = cfgs[0]
    content, style = _short(cfg.content), _short(cfg.style)
    if cfg.task is Task.texture:
        return f"a texture of {style}"
    if cfg.task is Task.content:
        return f"{content} from {layers_label(layer_sets(cfg)[0])}"
    return f"{content} in the style of {style}"


def _short(source: str) -> str:
    """A picture's name without its folder and suffix, at most 24 characters of it."""
    name = Path(source).stem
    return name if len(name) <= 24 else f"{name[:12]}…{name[-11:]}"


def plan(cfgs: Sequence[Config], device: str, precision: str, threads: int) -> str:
    """What is to run, on what, and how large and long it is.

    Args:
        cfgs: of the runs, which share a batch
        device: as torch has it
        precision: ``float32`` or ``bfloat16``
        threads: of torch
    """
    cfg = cfgs[0]
    width, height = output_size(cfg, all_passes(cfg)[-1][0])
    where = {"cpu": "the CPU", "mps": "Apple's GPU"}.get(device, device)
    several = f"{threads} thread{'s' if threads > 1 else ''}, " if device == "cpu" else ""
    weights = cfg.backbone.weights
    drawn = f" with {weights} weights" if weights in ("random", "kmeans") else ""
    network = f"{cfg.backbone.name.name}{drawn} on {where} ({several}{precision})"
    return f"{subject(cfgs)}, {width}×{height}, {network}, {_steps(cfg)}"


def _steps(cfg: Config) -> str:
    passes = all_passes(cfg)
    steps = sum(each for _, each in passes)
    said = f"{steps} step{'' if steps == 1 else 's'}"
    if len(passes) == 1:
        return said
    return f"{said} in {len(passes)} passes from {passes[0][0]} px"


@dataclass(frozen=True)
class Work:
    """How much a batch of runs computes: evaluations of its network times their pixels.

    Attributes:
        passes: (pixels of all images together, steps) of each pass
    """

    passes: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, cfgs: Sequence[Config]) -> Work:
        """The work of runs that share a batch."""
        sizes = [(math.prod(output_size(cfgs[0], side)), s) for side, s in all_passes(cfgs[0])]
        return cls(tuple((pixels * len(cfgs), steps) for pixels, steps in sizes))

    def done(self, step: int) -> int:
        """Pixels that are evaluated when a step is made, counted through all passes.

        A pass evaluates its start image, too.

        >>> Work(((10, 2), (40, 1))).done(2), Work(((10, 2), (40, 1))).done(3)
        (30, 110)
        """
        done, first = 0, 0
        for number, (pixels, steps) in enumerate(self.passes):
            if step > first or number == 0:
                done += pixels * (min(step - first, steps) + 1)
            first += steps
        return done

    @property
    def total(self) -> int:
        """Pixels that all passes evaluate."""
        return sum(pixels * (steps + 1) for pixels, steps in self.passes)


class Forecast:
    """Seconds that are left of a run, by its latest steps.

    Attributes:
        steps: that were measured
    """

    def __init__(self, work: Work, slow: int = 0, clock: Callable[[], float] = time.monotonic):
        """
        Args:
            work: of the run
            slow: evaluations at its start that are no measure for the rest, being in float32
            clock: seconds
        """
        self._work, self._slow, self._clock = work, slow, clock
        self._step = -1
        self._marks: deque[tuple[float, int]] = deque()  # (seconds, pixels evaluated)
        self.begin = clock()
        self.steps = 0

    def see(self, step: int) -> None:
        """After each step that the device was waited for."""
        now, done = self._clock(), self._work.done(step)
        if self._step < 0:
            self.begin = now  # what came before was no step
        if self._step < self._slow - 1 <= step:
            self._marks.clear()
        self._step = step
        self._marks.append((now, done))
        while len(self._marks) > 2 and now - self._marks[1][0] > WINDOW:
            self._marks.popleft()
        self.steps = len(self._marks) - 1

    @property
    def at_most(self) -> bool:
        """Whether only steps were measured that are slower than the rest."""
        return self._step < self._slow

    @property
    def elapsed(self) -> float:
        """Seconds since the first step was there."""
        return self._clock() - self.begin

    @property
    def left(self) -> float | None:
        """Seconds that the remaining steps take; None before there are two marks."""
        if len(self._marks) < 2:
            return None
        (begin, before), (end, done) = self._marks[0], self._marks[-1]
        if done == before:
            return None
        return (end - begin) / (done - before) * (self._work.total - done)


def guess(cfgs: Sequence[Config], precision: str, threads: int) -> float:
    """Seconds that runs take on a processor, by the network's seconds for a pixel: a rough guess.

    Args:
        cfgs: of the runs, which share a batch
        precision: ``float32`` or ``bfloat16``
        threads: of torch
    """
    factor = 1.0 if precision == "bfloat16" else _FLOAT32
    return weight(cfgs[0]) * Work.of(cfgs).total / 1e6 * factor / math.pow(threads, 0.8)


def weight(cfg: Config) -> float:
    """What a pixel costs with the network of a config, relative to other networks."""
    return _SECONDS_PER_MEGAPIXEL.get(cfg.backbone.name.name, _UNKNOWN_NETWORK)


def remedies(cfg: Config, seconds: float, device: str) -> str:
    """What would be quicker, as keys of the command line.

    Args:
        cfg: of a run
        seconds: that it takes
        device: that it is on
    """
    passes = all_passes(cfg)
    quicker = ["quality=draft"]
    smaller = _rounded(cfg.size * math.sqrt(_QUICK / seconds))
    if 128 <= smaller < cfg.size:
        quicker.append(f"size={smaller} ({duration(_QUICK)})")
    if len(passes) == 1 and cfg.size >= _LARGE:
        quicker.append(f"size={cfg.size // 2} 'passes=[{{scale: 2, steps: 30}}]'")
    if cfg.optimizer.steps > _FEW_STEPS:
        quicker.append(f"optimizer.steps={_FEW_STEPS}")
    if cfg.backbone.name.name in ("vgg16", "vgg19"):
        quicker.append("backbone=vgg16_mini")
    if device == "cpu":
        quicker.append("a GPU")
    return ", ".join(quicker[:-1]) + (" or " if quicker[1:] else "") + quicker[-1]


def _rounded(size: float) -> int:
    """Down to two digits.

    >>> _rounded(1043.7)
    1000
    """
    unit = 10 ** max(0, math.floor(math.log10(max(size, 1))) - 1)
    return int(size // unit * unit)


def duration(seconds: float) -> str:
    """Seconds in words, as exact as an estimate can be.

    >>> [duration(s) for s in (0.4, 7.2, 42, 96, 250, 1234, 6000, 9500, 400000)]
    ['1 s', '7 s', '40 s', '100 s', '4 min', '20 min', '1.5 h', '2.5 h', '5 days']
    """
    if seconds < 9.5:
        return f"{max(1, round(seconds))} s"
    if seconds < 115:
        unit = 5 if seconds < 58 else 10
        return f"{unit * round(seconds / unit)} s"
    if seconds < 570:
        return f"{round(seconds / 60)} min"
    if seconds < 5400:
        return f"{5 * round(seconds / 300)} min"
    if seconds < 36000:
        return f"{round(seconds / 1800) / 2:g} h"
    if seconds < 48 * 3600:
        return f"{round(seconds / 3600)} h"
    return f"{round(seconds / 86400)} days"
