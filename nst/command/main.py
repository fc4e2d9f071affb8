"""The program: compose the config, run it, record it, and report a sweep at its end."""

from __future__ import annotations

import logging
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from nst import errors
from nst.command import launcher
from nst.command.configs import CONF, register
from nst.command.ending import FAILED, JobFailedError, again, ending, fail, of_the_disk, said, tell
from nst.command.help import completion, pages
from nst.command.line import pictures
from nst.command.line.arguments import prepared
from nst.command.line.names import slug
from nst.command.line.repeat import repeated
from nst.command.plan import PlanSweep, as_written
from nst.command.remaining import job_line
from nst.command.sizes import checked
from nst.command.version import asks_for_version, versions
from nst.reports.sweep_plan import SweepPlan
from nst.runs.machine import garbage
from nst.runs.machine.interruption import listening
from nst.runs.machine.threads import sleep_while_waiting

log = logging.getLogger("nst")


def main() -> None:
    """``run.py``, ``nst`` and ``python -m nst``."""
    sleep_while_waiting()
    garbage.leave_the_last()
    given = sys.argv[1:]
    if asks_for_version(given):
        return print(versions())
    with ending(), listening(), _last_words(given):
        if pages.answered(given) or completion.answered(given):
            return
        register()
        given[:] = repeated(given)  # by the end, outputs/latest leads to this run
        sys.argv[1:] = prepared(given)
        PlanSweep.pictures = pictures.said(given)
        with _report_after_sweep(given):
            _job()


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
def _job(composed: DictConfig) -> None:
    """One job. What ends a single run ends the program; in a sweep the other jobs go on.

    Raises:
        JobFailedError: a job of a sweep has no result, and has said why.
    """
    sleep_while_waiting()  # where a launcher starts a job elsewhere, main() did neither of these
    with listening():
        _run(composed)


def _run(composed: DictConfig) -> None:
    hydra_cfg = HydraConfig.get()
    sweep = hydra_cfg.mode is RunMode.MULTIRUN
    folder, name = Path(hydra_cfg.runtime.output_dir), slug(hydra_cfg.job.override_dirname)
    group = str(hydra_cfg.sweep.dir) if sweep else None
    try:
        cfg = checked(composed)
        from nst.runs.context import Context

        overrides = as_written(hydra_cfg.overrides.task)
        number = int(hydra_cfg.job.num) if sweep else 0
        line = _job_line(group, number, overrides)
        context = Context(folder, name, group, overrides, line, later=number > 0)
        PlanSweep.remaining.end(number, launcher.run_job(cfg, context))
    except KeyboardInterrupt as error:
        if _Run.folder is None:  # else another job of its batch has said so
            _Run.folder = folder
            log.warning("%s", error or "interrupted")
        raise
    except Exception as error:
        if not sweep:
            raise SystemExit(said(error)) from error  # Hydra would add a line of its own
        PlanSweep.remaining.end(int(hydra_cfg.job.num), None)
        reason = str(error) if isinstance(error, errors.InputError) else of_the_disk(error)
        if reason is None:
            log.exception("this job failed")  # Hydra keeps a sweep's tracebacks to itself
        else:
            log.error("%s", reason)
        raise JobFailedError(reason or str(error)) from error


def _job_line(group: str | None, number: int, overrides: Sequence[str]) -> str:
    """Which job of a sweep begins; nothing for a single run."""
    if group is None:
        return ""
    return job_line(Path(group), number, overrides, PlanSweep.remaining)


class _Run:
    """The run that was interrupted."""

    folder: Path | None = None


@contextmanager
def _last_words(given: list[str]) -> Iterator[None]:
    """Where a signal ends the program, say what is there and how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        sweep = PlanSweep.folder is not None
        folder = PlanSweep.folder or _Run.folder
        if folder is None:
            fail("interrupted before anything was begun")
            raise
        from nst.runs.context import relative

        folder = relative(folder)
        tell(f"interrupted; what was computed is in {folder}")
        tell(f"to go on: {again(given, folder, sweep)}")
        if sweep:
            tell(f"a report of what there is: {_report_command(folder)}")
        raise


@contextmanager
def _report_after_sweep(given: list[str]) -> Iterator[None]:
    """At the end of the block, the report of the sweep that it ran, also when a job failed.

    Hydra's own callback for the end of a sweep is not called then. A signal that ended the sweep
    leaves no time for it. A report that fails ends the program with status 1.
    """
    failed: BaseException | None = None
    try:
        yield
    except JobFailedError as error:
        failed = error
    folder = PlanSweep.folder
    plan = SweepPlan.read(folder) if folder else None
    if folder is None or plan is None:
        written = True
    else:
        written = _report(folder) if plan.report else True
        if failed:
            fail(_summary(folder, plan, given), FAILED)
    if failed:
        raise failed
    if not written:
        sys.exit(FAILED)


def _summary(folder: Path, plan: SweepPlan, given: list[str]) -> str:
    """How many jobs of a sweep have no result, and the command that makes them."""
    from nst.reports.sweeps import find_missing

    missing, jobs = len(find_missing(folder, plan)), len(plan.jobs)
    command = again(given, folder, sweep=True)
    return f"{missing} of {jobs} jobs have no result; to run those alone: {command}"


def _report_command(folder: Path) -> str:
    return f"python -m experiments.report {shlex.quote(str(folder))}"


def _report(folder: Path) -> bool:
    """Write a sweep's report, or say why there is none and how to have it after all."""
    from nst.reports.write import report

    command = _report_command(folder)
    try:
        print(f"report: {report([folder])}")
        return True
    except errors.InputError as error:
        log.error("no report: %s; the runs are safe, and this writes it again: %s", error, command)
    except Exception as error:
        said = "the report failed; the runs are safe, and this writes it again: %s"
        disk = of_the_disk(error)
        if disk is None:
            log.exception(said, command)
        else:
            log.error(f"{disk}; {said}", command)
    return False
