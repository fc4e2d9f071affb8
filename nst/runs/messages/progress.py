"""How far a run is: a bar in a terminal, and elsewhere a line every few seconds."""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from nst.config import Config
from nst.errors import InputError
from nst.gradients.precision import FIRST_IN_FLOAT32
from nst.runs.messages.forecast import LONG, Forecast, Work, duration, guess, plan, remedies

if TYPE_CHECKING:
    import torch

    from nst.gradients.precision import Precision

log = logging.getLogger(__name__)

SHORT = 5.0
"""Seconds that a run may take without a word on how long it takes or how far it is."""

_SURE_AFTER = 3  # steps, or …
_SURE_SECONDS = 2.0  # … seconds of one or more, after which the forecast is told
_SURELY = 3  # steps in float32 take at most so many times as long as in bfloat16
_BAR = "{percentage:3.0f} %|{bar}| step {n_fmt} of {total_fmt}{postfix}"


def pause(elapsed: float) -> float:
    """Seconds between two lines of a run's progress.

    Args:
        elapsed: seconds since its first step

    >>> pause(20), pause(90), pause(3600)
    (5.0, 30.0, 120.0)
    """
    return 5.0 if elapsed < 60 else 30.0 if elapsed < 600 else 120.0


class Telling:
    """What is said of a batch of runs before and during its steps."""

    def __init__(
        self,
        cfgs: Sequence[Config],
        brief: bool = False,
        terminal: bool | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        """
        Args:
            cfgs: of the runs
            brief: leave out what earlier runs of a sweep have said
            terminal: whether a bar can be drawn; None: where the error stream is a terminal
            clock: seconds
        """
        self._cfgs, self._brief, self._clock = cfgs, brief, clock
        self._terminal = sys.stderr.isatty() if terminal is None else terminal
        self._open, self._bar = ExitStack(), tqdm(disable=True)
        self._warned = self._told = False
        self._device, self._forecast = "cpu", Forecast(Work(()), clock=clock)
        self._next_line = SHORT

    def begin(self, device: torch.device, precision: Precision, threads: int) -> None:
        """Say what is to run, before anything is loaded, and warn where it may take long.

        Args:
            device: of the runs
            precision: the number format of the network
            threads: of torch
        """
        slow = FIRST_IN_FLOAT32 if precision.checked else 0
        self._device = device.type
        with contextlib.suppress(InputError):  # a picture that cannot be read is told of later on
            self._forecast = Forecast(Work.of(self._cfgs), slow, self._clock)
            if not self._brief:
                log.info("%s", plan(self._cfgs, str(device), precision.name, threads))
            if device.type == "cpu":
                seconds = guess(self._cfgs, precision.name, threads)
                if seconds > LONG:
                    self._warn(f"on this processor it may take some {duration(seconds)}", seconds)

    def steps(self, total: int) -> Telling:
        """As a context: the steps, a bar for them in a terminal.

        Args:
            total: steps of all passes
        """
        if self._terminal:
            self._open.enter_context(logging_redirect_tqdm())
            self._bar = self._open.enter_context(tqdm(
                total=total, bar_format=_BAR, leave=False, dynamic_ncols=True
            ))  # fmt: skip
        self._total = total
        return self

    def __enter__(self) -> Telling:
        return self

    def __exit__(self, *error: Any) -> None:
        self._open.close()

    def see(self, step: int, settled: bool, losses: str) -> None:
        """After each step.

        Args:
            step: counted through all passes
            settled: whether the device was waited for
            losses: in words, as ``loss 12.3``
        """
        if settled:
            self._forecast.see(step)
            self._say_how_long()
        left = self._forecast.left
        said = ", ".join(filter(None, (losses, f"{duration(left)} left" if left else "")))
        self._bar.set_postfix_str(said, refresh=False)
        self._bar.update(step - self._bar.n)
        elapsed = self._forecast.elapsed
        if not self._terminal and elapsed >= self._next_line and step < self._total:
            self._next_line = elapsed + pause(elapsed)
            share = 100 * step / self._total
            log.info("step %d of %d (%.0f %%), %s", step, self._total, share, said)

    def _say_how_long(self) -> None:
        """Once, as soon as the steps so far tell; at once where it takes long."""
        left = self._forecast.left
        if left is None or self._told:
            return
        elapsed, at_most = self._forecast.elapsed, self._forecast.at_most
        whole = elapsed + left
        sure = self._forecast.steps >= _SURE_AFTER or elapsed >= _SURE_SECONDS
        if not sure or (at_most and elapsed < SHORT):  # the next step tells more
            return
        self._told = not at_most
        said = f"{'at most' if at_most else 'about'} {duration(whole)}"
        if whole > (_SURELY if at_most else 1) * LONG:
            self._warn(said, whole)
        elif whole > SHORT and not self._brief:
            log.info("%s", said)

    def _warn(self, how_long: str, seconds: float) -> None:
        """Say that a run takes long; the first time with what would be quicker."""
        if self._warned:
            log.info("%s", how_long)
            return
        self._warned = True
        log.warning("%s", how_long)
        log.info("quicker: %s", remedies(self._cfgs[0], seconds, self._device))
        log.info("Ctrl-C ends it, and keeps the picture so far")
