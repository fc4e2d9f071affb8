"""Whether other programs take the processor from a run, as Linux's scheduler counts it."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable
from pathlib import Path

import torch

from nst.runs.machine.threads import may_spin

log = logging.getLogger(__name__)

WINDOW = 10.0
"""Seconds between two looks."""

ENOUGH = 0.5
"""Share of the time asked for below which a run says so: its threads wait longer than they run."""

Times = dict[str, tuple[float, float]]
"""{thread: (seconds it ran, seconds it waited for a core)}."""


class BusyWatch:
    """Says once in a run's log that other programs use the processor, and what helps.

    Compared are the seconds that the run's threads ran and those in which they could have run and
    another program did. Time that threads wait for each other, for a disk, for swapped memory or
    for a GPU is neither, so none of these is taken for a busy machine.
    """

    def __init__(
        self,
        device: torch.device,
        clock: Callable[[], float] = time.perf_counter,
        times: Callable[[], Times] | None = None,
    ):
        """
        Args:
            device: of the run; on a GPU nothing is watched
            clock: seconds
            times: of the process's threads
        """
        self._clock, self._times = clock, times or thread_times
        self._begin, self._before = clock(), self._times()
        self._watching = device.type == "cpu" and bool(self._before)

    def look(self) -> None:
        """After each step; it costs a reading of the clock."""
        if self._watching and self._clock() - self._begin >= WINDOW:
            now = self._times()
            pairs = [(self._before[name], now[name]) for name in now.keys() & self._before.keys()]
            ran = sum(after[0] - before[0] for before, after in pairs)
            waited = sum(after[1] - before[1] for before, after in pairs)
            if ran < ENOUGH * (ran + waited):
                self._watching = False
                self._say(ran / (ran + waited))
            self._begin, self._before = self._clock(), now

    def _say(self, share: float) -> None:
        spinning = torch.get_num_threads() > 1 and may_spin()
        or_else = ", or set OMP_WAIT_POLICY=passive or threads=1 for each" if spinning else ""
        log.warning(
            "other programs use the processor: this run's threads got %.0f %% of the time that "
            "they asked for, so its steps take longer; run fewer programs at once%s",
            100 * share,
            or_else,
        )


def thread_times(folder: Path = Path("/proc/self/task")) -> Times:
    """Of each thread of the process; empty where the system does not count (Linux does)."""
    times: Times = {}
    for file in folder.glob("*/schedstat"):
        with contextlib.suppress(OSError, ValueError):  # it has ended meanwhile
            ran, waited, _ = (int(number) for number in file.read_text().split())
            times[file.parent.name] = (ran / 1e9, waited / 1e9)
    return times
