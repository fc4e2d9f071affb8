"""What happens before a run, and before the first job of a sweep: checks, axes, a plan.

Hydra makes folders only after that, so a command that is refused leaves none.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.experimental.callback import Callback
from omegaconf import OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from nst import durable
from nst.command.checks.jobs import check_jobs
from nst.command.checks.run import check_run
from nst.command.ending import said
from nst.command.folders import point_latest
from nst.command.line.arguments import open_key
from nst.command.remaining import Remaining
from nst.config.values import UNNAMED_KEYS
from nst.errors import InputError
from nst.reports.sweep_plan import SweepPlan
from nst.runs.context import relative

log = logging.getLogger("nst")


class PlanSweep(Callback):
    """Before a run its check; before the first job of a sweep its axes, a check of each, a plan.

    To Hydra, a callback that fails is worth a warning, and it goes on without. Here it ends the
    program: what it prepares is what a run or a sweep is made of.
    """

    folder: Path | None = None
    """The folder of the sweep that this process has started, once it has a plan."""

    pictures: Sequence[str] = ()
    """What is to be said of the folders of pictures that it is made of."""

    in_use = ExitStack()
    """Holds the folder until the program ends."""

    remaining = Remaining()
    """How long its jobs take."""

    def on_multirun_start(self, config: Any, **kwargs: Any) -> None:
        """Compose and check each job; stop with one line that names the first one that is wrong."""
        try:
            self._plan(config)
            point_latest(Path(config.hydra.sweep.dir))
        except Exception as error:
            raise SystemExit(said(error)) from error

    def on_run_start(self, config: Any, **kwargs: Any) -> None:
        """Check a single run; stop with one line that says what is wrong."""
        try:
            check_run(config)
            point_latest(Path(config.hydra.run.dir))
        except Exception as error:
            raise SystemExit(said(error)) from error

    def _plan(self, config: Any) -> None:
        if not config.hydra.sweeper._target_.endswith("BasicSweeper"):
            return  # Optuna and others choose their jobs as they go
        overrides = as_written(config.hydra.overrides.task)
        if any(re.match(r"study=[^'\"]*,", override) for override in overrides):
            raise InputError("one study at a time; run the command once for each")
        params = {**study_params(config, overrides), **(config.hydra.sweeper.params or {})}
        with open_dict(config):
            config.hydra.sweeper.params = params
        with suppress(OmegaConfBaseException):  # of a person's own, which only a job can tell
            str(config.hydra.sweep.subdir)  # the jobs find in its cache what varies
        jobs = expand_sweep([f"{k}={v}" for k, v in params.items()] + overrides)
        check_jobs(config, jobs, self.remaining)
        _write_plan(Path(config.hydra.sweep.dir), config, overrides, jobs)
        for line in self.pictures:
            log.info("%s", line)


def as_written(overrides: Any) -> list[str]:
    """Overrides from Hydra's config, where OmegaConf would resolve the ${…} of a file's name."""
    written: Any = OmegaConf.to_container(overrides, resolve=False)
    return [str(override) for override in written]


def study_params(composed: Any, overrides: Sequence[str]) -> dict[str, str]:
    """What a study sweeps, less the keys that the command line overrides."""
    study = composed.study
    if study.name is None:
        return {}
    replaced = {override.partition("=")[0].lstrip("+") for override in overrides}
    sweep = OmegaConf.to_container(study.sweep, resolve=True)
    assert isinstance(sweep, dict)
    params = {key: value for key, value in sweep[study.size.name].items() if key not in replaced}
    return {open_key(f"{key}=").rstrip("="): value for key, value in params.items()}


def _write_plan(
    folder: Path, composed: Any, overrides: Sequence[str], jobs: list[list[str]]
) -> None:
    plan = SweepPlan(
        study=composed.study.name,
        study_size=composed.study.size.name,
        overrides=list(overrides),
        jobs=jobs,
        report=bool(composed.report.enabled),
    )
    if composed.resume:
        _check_same(SweepPlan.read(folder), plan, folder)
    plan.check(folder)
    PlanSweep.in_use.enter_context(durable.in_use(folder, "sweep"))
    plan.write(folder)
    PlanSweep.folder = folder
    log.info("%d job%s in %s", len(jobs), "" if len(jobs) == 1 else "s", relative(folder))


def _check_same(before: SweepPlan | None, now: SweepPlan, folder: Path) -> None:
    """Check that a sweep goes on in the folder of the same sweep.

    Raises:
        InputError: another one has been there.
    """
    if before is None or list(map(_decisive, before.jobs)) == list(map(_decisive, now.jobs)):
        return
    raise InputError(
        f"{folder} holds another sweep ({' '.join(before.overrides)}); resume=true goes on with "
        "the same one, so give its overrides, or another folder by hydra.sweep.dir"
    )


def _decisive(job: Sequence[str]) -> list[str]:
    """A job's overrides, less those of keys that tell no two pictures apart."""
    return sorted(o for o in job if o.lstrip("+").split(".")[0].split("=")[0] not in UNNAMED_KEYS)


def expand_sweep(overrides: Sequence[str]) -> list[list[str]]:
    """The jobs of a sweep, each a list of overrides, as Hydra's own sweeper makes them.

    >>> expand_sweep(["seed=0,1", "size=64"])
    [['seed=0', 'size=64'], ['seed=1', 'size=64']]
    """
    hydra = GlobalHydra.instance()
    loader = hydra.config_loader() if hydra.is_initialized() else None  # glob() asks for choices
    parsed = OverridesParser.create(loader).parse_overrides(list(overrides))
    return [list(job) for job in BasicSweeper.split_arguments(parsed, max_batch_size=None)[0]]
