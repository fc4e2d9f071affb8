"""The program: compose the config, run it, record it, and report a sweep at its end."""

from __future__ import annotations

import logging
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import CompactHydraException
from hydra.types import RunMode
from omegaconf import DictConfig

from nst import errors
from nst.command import launcher
from nst.command.arguments import prepared
from nst.command.configs import CONF, register
from nst.command.names import slug
from nst.command.plan import PlanSweep
from nst.config import from_omegaconf
from nst.reports.sweep_plan import SweepPlan
from nst.runs.threads import sleep_while_waiting

log = logging.getLogger("nst")


def main() -> None:
    """``run.py``, ``nst`` and ``python -m nst``."""
    sleep_while_waiting()
    register()
    sys.argv[1:] = prepared(sys.argv[1:])
    with _report_after_sweep():
        _job()


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
def _job(composed: DictConfig) -> None:
    """One job. Wrong input ends a single run in one line; in a sweep the other jobs go on."""
    hydra_cfg = HydraConfig.get()
    sweep = hydra_cfg.mode is RunMode.MULTIRUN
    folder, name = Path(hydra_cfg.runtime.output_dir), slug(hydra_cfg.job.override_dirname)
    group = str(hydra_cfg.sweep.dir) if sweep else None
    try:
        cfg = from_omegaconf(composed)
        from nst.runs.context import Context

        launcher.run_job(cfg, Context(folder, name, group, list(hydra_cfg.overrides.task)))
    except errors.InputError as error:
        if not sweep:
            sys.exit(f"error: {error}")
        log.error("%s", error)
        raise CompactHydraException(str(error)) from error
    except KeyboardInterrupt:
        sys.exit(f"interrupted; what was computed stays in {group or folder}")
    except Exception:
        if sweep:
            log.exception("this job failed")  # Hydra keeps a sweep's tracebacks to itself
        raise


@contextmanager
def _report_after_sweep() -> Iterator[None]:
    """At the end of the block, the report of the sweep that it ran, also when a job failed.

    Hydra's own callback for the end of a sweep is not called then. A report that fails ends the
    program with status 1.
    """
    written = True
    try:
        yield
    finally:
        plan = SweepPlan.read(PlanSweep.folder) if PlanSweep.folder else None
        if plan and plan.report:
            written = _report(Path(str(PlanSweep.folder)))
    if not written:
        sys.exit(1)


def _report(folder: Path) -> bool:
    """Write a sweep's report, or say why there is none and how to have it after all."""
    from nst.reports.write import report

    again = f"python -m experiments.report {shlex.quote(str(folder))}"
    try:
        print(f"report: {report([folder])}")
        return True
    except errors.InputError as error:
        log.error("no report: %s; the runs are safe, and this writes it again: %s", error, again)
    except Exception:
        log.exception("the report failed; the runs are safe, and this writes it again: %s", again)
    return False
