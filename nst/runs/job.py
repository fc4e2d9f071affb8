"""Jobs: run a config, or several at once, and write down everything about each."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from nst.config import WEIGHTS, Config, check, strength, used_images
from nst.config.remarks import remarks
from nst.config.samples import source_file
from nst.durable import InUseError, in_use, lock_name
from nst.errors import InputError
from nst.losses.terms import what_is_left_out
from nst.pictures.files import quantize
from nst.runs.context import Context, relative
from nst.runs.loop import Loop, state_to_go_on_from
from nst.runs.machine import threads
from nst.runs.memory import choice as memory
from nst.runs.messages import outcome as messages
from nst.runs.messages.progress import Telling
from nst.runs.recording.folder import check_folder
from nst.runs.recording.output import check_output, save_output
from nst.runs.recording.recorder import (
    Kept,
    Outcome,
    Recorder,
    complete_record,
    record_failure,
)
from nst.runs.transfer import Transfer, pick_device, precision_of, start_is_random

log = logging.getLogger(__name__)

_HOW_TO_START_RANDOM = (
    "the start is a picture without noise, as a transfer's is; choose init=noise, or init=content "
    "with init.amplitude"
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
    """Say which job of a sweep it is; warn of overrides and losses that decide nothing."""
    if context.job:
        log.info("%s", context.job)
    asked_for = strength.decides(cfg) and cfg.strength in (0, 1)
    for sentence in () if asked_for else what_is_left_out(cfg):
        log.warning("%s", sentence)
    alone = context.group is None  # the plan of a sweep says it once
    if alone and not start_is_random(cfg) and _mentions(context, "seed", "init.amplitude"):
        log.warning("seed and init.amplitude decide nothing here: %s", _HOW_TO_START_RANDOM)
    for remark in remarks(cfg, context.overrides) if alone else ():
        log.warning("%s", remark)


def conclude(outcome: Outcome, context: Context) -> dict[str, Any]:
    """Log what came out, and return the record; raise where there is none."""
    if isinstance(outcome, Exception):
        raise outcome
    if isinstance(outcome, Kept):
        log.info("%s is complete already, and stays", relative(context.folder))
        return outcome.record
    for line in messages.result(outcome, context.folder, context.group):
        log.info("%s", line)
    for remark in outcome["warnings"]:
        log.warning("%s", remark)
    if outcome["config"]["verbose"]:
        for line in messages.details(outcome, context.folder):
            log.info("%s", line)
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
        if isinstance(outcome, Exception) and not isinstance(outcome, InUseError):
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
            check_folder(context.folder, input_files(cfg))
            check_output(cfg, context.folder, input_files(cfg))
            record = complete_record(cfg, context) if cfg.resume else None
            if record is not None:
                _copy_output(cfg, context.folder, record)
                settled[number] = Kept(record)
        except (InputError, OSError) as error:
            settled[number] = error
    return settled


def check_places(cfg: Config, folder: Path) -> None:
    """Check that a run can write into its folder, and its picture where ``output`` says.

    Raises:
        InputError: it would replace somebody's files, another program is at work there, or
            ``resume=true`` finds a run of another config.
    """
    files = input_files(cfg)
    check_folder(folder, files)
    if (folder / lock_name("run")).exists():
        with in_use(folder, "run"):
            pass  # its program was killed
    check_output(cfg, folder, files)
    if cfg.resume:
        complete_record(cfg, Context(folder))


def _copy_output(cfg: Config, folder: Path, record: Mapping[str, Any]) -> None:
    """Write the picture of a run that is complete already as ``output`` says."""
    with Image.open(folder / "image.png") as image:
        save_output(cfg, image.convert("RGB"), record)


def input_files(cfg: Config) -> dict[str, Path]:
    """{key: file} of what the run reads and does not come with the package."""
    files = {key: source_file(source) for key, source in used_images(cfg).items()}
    if cfg.backbone.weights not in WEIGHTS:
        files["backbone.weights"] = Path(cfg.backbone.weights).expanduser()
    return {key: file for key, file in files.items() if file is not None and file.is_file()}


def _run_or_halve(jobs: Sequence[tuple[Config, Context]]) -> list[Outcome]:
    """The outcomes of jobs whose folders are free."""
    try:
        with threads.taken(jobs[0][0].threads) as chosen:
            return _run_together(jobs, chosen.why)
    except Exception as error:
        traceback.clear_frames(error.__traceback__)  # their tensors may be what fills the memory
        if len(jobs) == 1:
            return [memory.explained(error, [cfg for cfg, _ in jobs])]
        log.warning("%d runs at once failed (%s); on with halves", len(jobs), _line(error))
    half = len(jobs) // 2
    return _run_or_halve(jobs[:half]) + _run_or_halve(jobs[half:])


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _run_together(jobs: Sequence[tuple[Config, Context]], threads_why: str) -> list[Outcome]:
    """The outcomes of one batch.

    Args:
        jobs: that may share
        threads_why: what decided how many threads they have

    Raises:
        Exception: what stopped the batch as a whole.
        KeyboardInterrupt: the program was asked to end; what there is of the runs is written.
    """
    begin = time.perf_counter()
    telling = Telling([cfg for cfg, _ in jobs], brief=all(each.later for _, each in jobs))
    _tell_plan(telling, jobs[0][0])
    runs = [Recorder(number, *job) for number, job in enumerate(jobs)]
    transfer = Transfer(*(run.cfg for run in runs))
    with ExitStack() as stack:
        for run in runs:
            stack.push(run.close)
            run.attempt(run.open)
        loop = Loop(transfer, runs, time.perf_counter() - begin, threads_why, telling)
        try:
            last = loop.run(state_to_go_on_from(runs, loop.where))
            shared = loop.results(last)
            # on the images as they are saved: 8 bits, within [0, 1]
            losses = transfer.final_losses(quantize(last.images)).tolist()
            for run in runs:
                run.attempt(run.finish, transfer, losses[run.number], shared)
        except KeyboardInterrupt as error:
            loop.interrupt(error)
            raise
    return [run.outcome for run in runs]


def _tell_plan(telling: Telling, cfg: Config) -> None:
    """Say what is to run; what cannot work is told of when the run begins."""
    with suppress(InputError):
        check(cfg)
        device = pick_device(cfg.device)
        telling.begin(device, precision_of(cfg, device), torch.get_num_threads())


def _mentions(context: Context, *keys: str) -> bool:
    return any(override.partition("=")[0] in keys for override in context.overrides)
