"""Which job of a sweep runs, and how long the rest of it takes by those that are done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nst.config import Config
from nst.reports.sweep_plan import SweepPlan

_COLUMNS = 100


@dataclass
class Remaining:
    """The jobs of the sweep that this process has started.

    Attributes:
        work: of each job, in units that all share; 0 for one that is complete
    """

    work: list[float] = field(default_factory=list)
    _ended: set[int] = field(default_factory=set)  # batches do not run in the order of the plan
    _seconds: float = 0.0
    _done: float = 0.0
    _setup: float = 0.0  # seconds, of the latest job; the first one's has the imports

    def expect(self, cfg: Config, complete: bool) -> None:
        """Take the next job of the plan.

        Args:
            cfg: of the job
            complete: whether it was run before, and stays
        """
        from nst.runs.messages.forecast import Work, weight

        self.work.append(0.0 if complete else weight(cfg) * Work.of([cfg]).total)

    def end(self, number: int, record: Mapping[str, Any] | None) -> None:
        """Learn from a job that ended how long another takes.

        Args:
            number: of the job, from 0 on
            record: as ``record.json`` holds it; None of a job that failed
        """
        self._ended.add(number)
        if record and number < len(self.work) and self.work[number]:
            self._setup = record["seconds_setup"] if self._done else 0.0
            self._done += self.work[number]
            self._seconds += record["loop_seconds"] / record["batch"]

    @property
    def seconds(self) -> float | None:
        """How long the jobs take that have not ended; None before one has, and for the last."""
        after = (i for i in range(len(self.work)) if i not in self._ended)
        left = [self.work[i] for i in after if self.work[i]]
        if not self._done or len(left) < 2:
            return None
        return sum(left) * self._seconds / self._done + len(left) * self._setup


def job_line(
    folder: Path, number: int, overrides: Sequence[str], remaining: Remaining | None = None
) -> str:
    """Which job of a sweep begins: ``job 3 of 12, about 5 min left: style=ink``.

    Args:
        folder: of the sweep
        number: of the job, from 0 on
        overrides: of the job; what all jobs share is left out where there is a plan
        remaining: of the sweep, where this process has started it
    """
    from nst.runs.messages.forecast import duration

    plan = SweepPlan.read(folder)
    own, of = list(overrides), ""
    if plan is not None and number < len(plan.jobs):
        of = f" of {len(plan.jobs)}"
        own = [each for each in plan.jobs[number] if any(each not in job for job in plan.jobs)]
    seconds = remaining.seconds if remaining else None
    left = f", about {duration(seconds)} left" if seconds is not None else ""
    line = f"job {number + 1}{of}{left}" + (f": {' '.join(own)}" if own else "")
    return line if len(line) <= _COLUMNS else f"{line[: _COLUMNS - 2]} …"
