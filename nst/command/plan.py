"""Before the first job of a sweep: a study's axes, a check of every job, and a plan."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from omegaconf import OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from nst import durable
from nst.command import launcher
from nst.command.configs import one_line
from nst.command.ending import said
from nst.command.line.arguments import open_key
from nst.config import from_omegaconf
from nst.config.values import UNNAMED_KEYS
from nst.errors import InputError
from nst.reports.sweep_plan import SweepPlan
from nst.runs.machine import garbage


class PlanSweep(Callback):
    """Before the first job of a sweep: its study's axes, a check of each job, a plan."""

    folder: Path | None = None
    """The folder of the sweep that this process has started, once it has a plan."""

    in_use = ExitStack()
    """Holds the folder until the program ends."""

    def on_multirun_start(self, config: Any, **kwargs: Any) -> None:
        """Compose and check each job; stop with one line that names the first one that is wrong.

        To Hydra, a callback that fails is worth a warning, and it goes on without. Here it ends
        the program: what it prepares is what a sweep is made of.
        """
        try:
            self._plan(config)
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
        jobs = expand_sweep([f"{k}={v}" for k, v in params.items()] + overrides)
        _check_jobs(config, jobs)
        _write_plan(Path(config.hydra.sweep.dir), config, overrides, jobs)


def _check_jobs(config: Any, jobs: Sequence[Sequence[str]]) -> None:
    """Check the launcher and each job.

    Raises:
        InputError: one of them cannot work, or there is none.
    """
    if "max_batch" in config.hydra.launcher:
        launcher.check_max_batch(config.hydra.launcher.max_batch)
    if not jobs:
        raise InputError("this sweep has no jobs: one of its keys has no value, or glob() no match")
    folders: set[Path] = set()
    for number, job in enumerate(jobs):
        try:
            composed, folder = _compose_job(config, number, job)
            _check(composed)
            if folder in folders:
                raise InputError(launcher.shared_folder(folder))
            if folder is not None:
                folders.add(folder)
        except (InputError, HydraException) as error:
            text = one_line(error) if isinstance(error, HydraException) else error
            raise InputError(f"job {','.join(job)}: {text}") from error


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


def _compose_job(composed: Any, number: int, job: Sequence[str]) -> tuple[Any, Path | None]:
    """A job's config, and its folder as Hydra's launchers will name it.

    Args:
        composed: of the sweep, as Hydra hands it to callbacks
        number: of the job
        job: its overrides

    Returns:
        The config without Hydra's part; no folder where only the job itself can tell its name.
    """
    whole = GlobalHydra.instance().config_loader().load_sweep_config(composed, list(job))
    with read_write(whole), open_dict(whole):
        whole.hydra.job.id, whole.hydra.job.num = str(number), number
        try:
            folder = Path(str(whole.hydra.sweep.dir), str(whole.hydra.sweep.subdir)).resolve()
        except OmegaConfBaseException:  # it asks for what is known when the job runs
            folder = None
        del whole["hydra"]
    return whole, folder


def _check(composed: Any) -> None:
    """The config, its losses' own options, and its pictures as far as their heads tell.

    The latter two need torch, which is needed anyway.
    """
    cfg = from_omegaconf(composed)
    garbage.load_torch()
    from nst.losses.terms import terms_from_config
    from nst.runs.picture_check import check_pictures

    terms_from_config(cfg)
    check_pictures(cfg)


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
    PlanSweep.in_use.enter_context(durable.in_use(folder, "sweep"))
    plan.write(folder)
    PlanSweep.folder = folder


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
