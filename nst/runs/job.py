"""Jobs: run a config, or several at once, and write down everything about each."""

from __future__ import annotations

import logging
import signal
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from nst.config import WEIGHTS, Config, used_images
from nst.config.samples import source_file
from nst.errors import InputError
from nst.pictures.files import quantize
from nst.runs import interruption
from nst.runs.context import Context, relative
from nst.runs.memory import choice as memory
from nst.runs.recording.checkpoint import joined, parts
from nst.runs.recording.folder import check_folder
from nst.runs.recording.provenance import PeakMemory
from nst.runs.recording.record import shared_results
from nst.runs.recording.recorder import (
    Kept,
    LossRows,
    Outcome,
    Recorder,
    complete_record,
    record_failure,
)
from nst.runs.transfer import Progress, Transfer, start_is_random

log = logging.getLogger(__name__)

_HOW_TO_START_RANDOM = (
    "the start is a picture without noise, as a transfer's is; choose init=noise, or init=content "
    "with init.scale"
)


def run_job(cfg: Config, context: Context) -> dict[str, Any]:
    """Run a config and record it in the context's folder.

    What is computed before an interruption or an error stays: the latest image and the trace are
    written either way, and the record says what happened. With ``resume=true`` a run that was
    interrupted or killed goes on from its checkpoint, and one that is complete stays as it is.
    Without, a result in the folder stays until the new one is complete
    (:class:`nst.runs.recording.folder.RunFolder`).

    Returns:
        The record, as ``record.json`` holds it.

    Raises:
        InputError: the config cannot work, or the folder holds somebody's files, or another
            program is at work in it.
        KeyboardInterrupt: as :class:`nst.errors.Interruption`, by a signal.
    """
    announce(cfg, context)
    return conclude(run_jobs([(cfg, context)])[0], context)


def announce(cfg: Config, context: Context) -> None:
    """Warn of overrides that decide nothing."""
    if not start_is_random(cfg) and _mentions(context, "seed", "init.scale"):
        log.warning("seed and init.scale decide nothing here: %s", _HOW_TO_START_RANDOM)


def conclude(outcome: Outcome, context: Context) -> dict[str, Any]:
    """Log what came out, and return the record; raise where there is none."""
    if isinstance(outcome, Exception):
        raise outcome
    if isinstance(outcome, Kept):
        log.info("%s is complete already, and stays", relative(context.folder))
        return outcome.record
    _report(outcome, context.folder)
    return outcome


def run_jobs(jobs: Sequence[tuple[Config, Context]]) -> list[Outcome]:
    """Run configs that may share a batch (:mod:`nst.runs.batches`) at once, each in its own folder.

    What goes wrong in the folder of one run ends that run alone. What goes wrong with the batch
    (a start image whose loss is not finite, too little memory) splits it into halves, which start
    anew, until what cannot work is alone. One whose folder cannot take it does not start.

    Returns:
        The outcomes, in the order of the jobs. An interruption is raised, as in :func:`run_job`.
    """
    outcomes = _settled(jobs)
    started = [number for number in range(len(jobs)) if number not in outcomes]
    ended = _run_or_halve([jobs[number] for number in started]) if started else []
    for number, outcome in zip(started, ended, strict=True):
        outcomes[number] = outcome
        if isinstance(outcome, Exception):
            record_failure(*jobs[number], outcome)
    return [outcomes[number] for number in range(len(jobs))]


def _settled(jobs: Sequence[tuple[Config, Context]]) -> dict[int, Outcome]:
    """What is known before anything is loaded or written, by number.

    Jobs that may not write into their folders, and with ``resume=true`` those that are complete.
    """
    settled: dict[int, Outcome] = {}
    owners: dict[Path, int] = {}
    for number, (cfg, context) in enumerate(jobs):
        try:
            owner = owners.setdefault(context.folder.resolve(), number)
            if owner != number:
                raise InputError(f"{context.folder} is another run's folder; give each its own")
            check_folder(context.folder, _input_files(cfg))
            record = complete_record(cfg, context) if cfg.resume else None
            if record is not None:
                settled[number] = Kept(record)
        except (InputError, OSError) as error:
            settled[number] = error
    return settled


def _input_files(cfg: Config) -> dict[str, Path]:
    """{key: file} of what the run reads and does not come with the package."""
    files = {key: source_file(source) for key, source in used_images(cfg).items()}
    if cfg.backbone.weights not in WEIGHTS:
        files["backbone.weights"] = Path(cfg.backbone.weights).expanduser()
    return {key: file for key, file in files.items() if file is not None and file.is_file()}


def _run_or_halve(jobs: Sequence[tuple[Config, Context]]) -> list[Outcome]:
    """The outcomes of jobs whose folders are free."""
    try:
        return _run_together(jobs)
    except Exception as error:
        traceback.clear_frames(error.__traceback__)  # their tensors may be what fills the memory
        if len(jobs) == 1:
            return [memory.explained(error, [cfg for cfg, _ in jobs])]
        log.warning("%d runs at once failed (%s); on with halves", len(jobs), _line(error))
    half = len(jobs) // 2
    return _run_or_halve(jobs[:half]) + _run_or_halve(jobs[half:])


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _run_together(jobs: Sequence[tuple[Config, Context]]) -> list[Outcome]:
    """The outcomes of one batch.

    Raises:
        Exception: what stopped the batch as a whole.
        KeyboardInterrupt: the program was asked to end; what there is of the runs is written.
    """
    begin = time.perf_counter()
    runs = [Recorder(number, *job) for number, job in enumerate(jobs)]
    transfer = Transfer(*(run.cfg for run in runs))
    with ExitStack() as stack:
        for run in runs:
            stack.push(run.close)
            run.attempt(run.open)
        loop = _Loop(transfer, runs, time.perf_counter() - begin)
        try:
            last = loop.run(_state_to_go_on_from(runs, loop.where))
            shared = loop.results(last)
            # on the images as they are saved: 8 bits, within [0, 1]
            losses = transfer.final_losses(quantize(last.images)).tolist()
            for run in runs:
                run.attempt(run.finish, transfer, losses[run.number], shared)
        except KeyboardInterrupt as error:
            loop.interrupt(error)
            raise
    return [run.outcome for run in runs]


def _state_to_go_on_from(
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


class _Loop:
    """The steps of a batch, each written down by its runs."""

    def __init__(self, transfer: Transfer, runs: Sequence[Recorder], setup: float):
        """
        Args:
            transfer, runs: of the batch
            setup: seconds before the first step
        """
        self._transfer, self._runs, self._setup = transfer, runs, setup
        self._peak_memory = PeakMemory(str(transfer.device))
        self._begin = time.perf_counter()
        self._last: Progress | None = None

    def run(self, state: dict[str, Any] | None) -> Progress:
        """Run to the end, or until no run is left; every run writes each of its steps.

        Args:
            state: to go on from

        Returns:
            The last step.
        """
        transfer, runs, rows = self._transfer, self._runs, LossRows(self._runs)
        bar = tqdm(total=transfer.total_steps, unit="step", disable=None, leave=False)
        with bar, rows, interruption.steps() as steps:
            for progress in transfer.run(state):
                first, self._last = self._last is None, progress
                if first:
                    self._open()
                for run in runs:
                    run.attempt(run.see, progress)
                if not (first and state):  # the trace has it already
                    rows.add(progress)
                    for run in runs:
                        run.attempt(run.snapshot, progress)
                    self._save_checkpoints(progress.step, rows)
                if all(run.failed for run in runs):
                    break
                bar.update(progress.step - bar.n)
                bar.set_postfix_str(rows.latest, refresh=False)
                steps.made()
        return progress  # the first one is always there

    def _open(self) -> None:
        """Open sinks and traces, which counts as setup."""
        begin = time.perf_counter()
        for run in self._runs:
            run.attempt(run.begin, self._transfer.current.objectives.exact.specs[run.number])
        opening = time.perf_counter() - begin
        self._setup, self._begin = self._setup + opening, self._begin + opening

    def _save_checkpoints(self, step: int, rows: LossRows) -> None:
        due = [run for run in self._runs if run.checkpoint_is_due(step)]
        if due:
            rows.write()
            for run, state in zip(self._runs, self._states(), strict=True):
                if run in due and state is not None:
                    run.attempt(run.checkpoint, state, self.where)

    def _states(self) -> Sequence[dict[str, Any] | None]:
        """Each run's state, None while a step is being made."""
        state = self._transfer.state_dict()
        return [None] * len(self._runs) if state is None else parts(state, len(self._runs))

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
            self._transfer, last, self._setup, loop, self._peak_memory.megabytes()
        )

    def interrupt(self, error: KeyboardInterrupt) -> None:
        """Write down what there is of each run."""
        if self._last is None:
            return
        number = getattr(error, "signal", signal.SIGINT)
        shared, where = self.results(self._last), self.where
        for run, state in zip(self._runs, self._states(), strict=True):
            run.attempt(run.interrupt, number, state, where, shared)


def _mentions(context: Context, *keys: str) -> bool:
    return any(override.partition("=")[0] in keys for override in context.overrides)


def _report(record: Mapping[str, Any], folder: Path) -> None:
    losses = ", ".join(f"{k} {v:.4g}" for k, v in record["losses"].items())
    close = "" if record["psnr"] is None else f", PSNR {record['psnr']:.1f} dB to the content"
    batch, whole = record["batch"], record["batch_seconds"]
    share = "" if batch == 1 else f" (a share of {whole:.1f} s for {batch} runs at once)"
    took = f"{record['steps']} steps in {record['seconds']:.1f} s{share}"
    log.info("%s after %s%s", losses, took, close)
    if record["precision"]["fell_back"]:
        log.info("precision: %s", record["precision"]["fell_back"])
    if record["restarts"]:
        log.info("the guard went back to the best image %d times", record["restarts"])
    log.info("%s", relative(folder / "image.png"))
    log.info("%s", relative(folder / "sheet.png"))
