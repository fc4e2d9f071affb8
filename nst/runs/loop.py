"""The steps of a batch of runs, each of them written down."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from nst.runs.machine import interruption
from nst.runs.machine.busy import BusyWatch
from nst.runs.messages.progress import Telling
from nst.runs.recording.checkpoint import Due, joined, part
from nst.runs.recording.provenance import PeakMemory
from nst.runs.recording.record import shared_results
from nst.runs.recording.recorder import LossRows, Recorder
from nst.runs.transfer import Progress, Transfer

log = logging.getLogger(__name__)


def state_to_go_on_from(
    runs: Sequence[Recorder], where: Mapping[str, Any]
) -> dict[str, Any] | None:
    """The state of a batch whose runs all go on from their checkpoints; None where it starts anew.

    Args:
        runs: of the batch
        where: it runs now

    Raises:
        ValueError: some of them cannot go on, or they are at different steps. Such a batch is
            halved, so that each goes its own way.
    """
    going_on = [run.went_on_from for run in runs if run.went_on_from and not run.failed]
    if not going_on:
        return None
    if len(going_on) < len(runs):
        raise ValueError("some go on from a checkpoint, others start")
    state = joined([checkpoint.state for checkpoint in going_on])
    log.info("going on from step %d", state["step"])
    changed = [f"{k} {v}, not {where[k]}" for k, v in going_on[0].where.items() if v != where[k]]
    if changed:
        log.warning("its last bits may differ: it began with %s", ", ".join(changed))
    return state


class Loop:
    """The steps of a batch, each written down by its runs."""

    def __init__(
        self,
        transfer: Transfer,
        runs: Sequence[Recorder],
        setup: float,
        threads_why: str,
        telling: Telling,
    ):
        """
        Args:
            transfer, runs: of the batch
            setup: seconds before the first step
            threads_why: what decided how many threads it has
            telling: how far it is
        """
        self._transfer, self._runs, self._setup = transfer, runs, setup
        self._threads_why, self._telling = threads_why, telling
        self._peak_memory = PeakMemory(str(transfer.device))
        self._begin = time.perf_counter()
        self._last: Progress | None = None
        self._due = Due(transfer.cfg.checkpoint_every)

    def run(self, state: dict[str, Any] | None) -> Progress:
        """Run to the end, or until no run is left; every run writes each of its steps.

        Args:
            state: to go on from

        Returns:
            The last step.
        """
        transfer, runs, rows = self._transfer, self._runs, LossRows(self._runs)
        busy = BusyWatch(transfer.device)
        telling = self._telling.steps(transfer.total_steps)
        with telling, rows, interruption.steps() as steps:
            for progress in transfer.run(state):
                first, self._last = self._last is None, progress
                if first:
                    self._open()
                for run in runs:
                    run.attempt(run.see, progress)
                if first and state:
                    rows.go_on_after(progress)
                else:
                    rows.add(progress)
                    for run in runs:
                        run.attempt(run.snapshot, progress)
                    self._save_checkpoints(progress.step, rows)
                if all(run.failed for run in runs):
                    break
                telling.see(progress.step, progress.settled, rows.latest)
                busy.look()
                steps.made()
        return progress  # the first one is always there

    def _open(self) -> None:
        """Open sinks and traces, which counts as setup."""
        begin = time.perf_counter()
        for run in self._runs:
            spec = self._transfer.current.objectives.exact.specs[run.number]
            run.attempt(run.begin, spec, self._transfer.start(run.number))
        opening = time.perf_counter() - begin
        self._setup, self._begin = self._setup + opening, self._begin + opening

    def _save_checkpoints(self, step: int, rows: LossRows) -> None:
        """All at the same step, so that they go on as a batch; one by one, being large."""
        if self._due(step):
            began = time.monotonic()
            rows.write()
            state = self._transfer.state_dict()
            for run in self._runs:
                if state is not None:
                    run.attempt(run.checkpoint, part(state, run.number), self.where)
            self._due.took(time.monotonic() - began)

    @property
    def where(self) -> dict[str, Any]:
        """What decides the last bit of a result besides the config."""
        return {
            "torch": str(torch.__version__),
            "device": str(self._transfer.device),
            "precision": self._transfer.precision.name,
            "threads": torch.get_num_threads(),
        }

    def results(self, last: Progress) -> dict[str, Any]:
        """What the runs have in common, at their end."""
        loop = time.perf_counter() - self._begin
        return shared_results(
            self._transfer, last, self._setup, loop, self._peak_memory.megabytes(),
            self._threads_why,
        )  # fmt: skip

    def interrupt(self, error: KeyboardInterrupt) -> None:
        """Write down what there is of each run; what goes wrong here is said, not raised."""
        if self._last is None:
            return
        number = getattr(error, "signal", signal.SIGINT)
        try:
            shared, state = self.results(self._last), self._transfer.state_dict()
            for run in self._runs:
                own = None if state is None else part(state, run.number)
                run.attempt(run.interrupt, number, own, self.where, shared)
        except Exception:
            log.exception("not all that there is could be written")
