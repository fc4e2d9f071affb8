"""Before a run, and before the first job of a sweep: checks; of a sweep its axes and a plan, too.

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
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from omegaconf import OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from nst import durable
from nst.command import launcher
from nst.command.configs import one_line
from nst.command.ending import said
from nst.command.folders import point_latest
from nst.command.line.arguments import open_key
from nst.command.remaining import Remaining
from nst.command.sizes import checked
from nst.config import Config
from nst.config.values import UNNAMED_KEYS
from nst.errors import InputError
from nst.reports.sweep_plan import SweepPlan
from nst.runs.context import relative
from nst.runs.machine import garbage

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
            _check_run(config)
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
        _check_jobs(config, jobs)
        _write_plan(Path(config.hydra.sweep.dir), config, overrides, jobs)
        for line in self.pictures:
            log.info("%s", line)


def _check_run(config: Any) -> None:
    """Check a run's config, its pictures, and the places that it will write to.

    Raises:
        InputError: one of them cannot work.
    """
    folder = Path(str(config.hydra.run.dir)).absolute()
    with read_write(config.hydra.runtime), open_dict(config.hydra.runtime):
        config.hydra.runtime.output_dir = str(folder)  # as the job will find it
    HydraConfig.instance().set_config(config)
    keys = [key for key in config if key != "hydra"]
    cfg = _check(OmegaConf.masked_copy(config, keys))
    from nst.runs.job import check_places

    check_places(cfg, folder)


def _check_jobs(config: Any, jobs: Sequence[Sequence[str]]) -> None:
    """Check the launcher and each job.

    Raises:
        InputError: one of them cannot work, or there is none.
    """
    if "max_batch" in config.hydra.launcher:
        launcher.check_max_batch(config.hydra.launcher.max_batch)
    if not jobs:
        raise InputError("this sweep has no jobs: one of its keys has no value, or glob() no match")
    folders: set[Path | None] = set()
    outputs: set[Path | None] = set()
    cfgs: list[Config] = []
    for number, job in enumerate(jobs):
        try:
            composed, folder = _compose_job(config, number, job)
            cfg = _check(composed)
            cfgs.append(cfg)
            output = _checked_output(cfg, folder or Path(config.hydra.sweep.dir))
            if folder and folder in folders:
                raise InputError(launcher.shared_folder(folder))
            folders.add(folder)
            PlanSweep.remaining.expect(cfg, cfg.resume and _is_complete(folder))
        except (InputError, HydraException) as error:
            text = one_line(error) if isinstance(error, HydraException) else error
            raise InputError(f"job {','.join(job)}: {text}") from error
        if output and output in outputs:
            raise InputError(_shared_output(output, jobs))
        outputs.add(output)
    remark = remark_on_seeds(cfgs, jobs)
    if remark:
        log.warning("%s", remark)


def remark_on_seeds(cfgs: Sequence[Config], jobs: Sequence[Sequence[str]]) -> str | None:
    """What to say of seeds where the start has no noise, so that they decide nothing.

    Args:
        cfgs: of the jobs
        jobs: the overrides of each
    """
    from nst.runs.transfer import start_is_random

    keys, idle = ("seed", "init.amplitude"), list[dict[str, str]]()
    for cfg, job in zip(cfgs, jobs, strict=True):
        given: dict[str, str] = dict(override.lstrip("+").partition("=")[::2] for override in job)
        if not start_is_random(cfg) and set(keys) & set(given):
            idle.append(given)
    if not idle:
        return None
    named = [key for key in keys if any(key in given for given in idle)]
    rest = {tuple(item for item in given.items() if item[0] not in keys) for given in idle}
    verb = "decides" if len(named) == 1 else "decide"
    equal = f": they make {len(rest)} different pictures" if len(rest) > 1 else ": they are equal"
    return (
        f"{' and '.join(named)} {verb} nothing in {len(idle)} of {len(jobs)} jobs, which start "
        f"from a picture without noise{equal if len(rest) < len(idle) else ''}; init=noise makes "
        "a picture for each seed, and so does init=content with init.amplitude=0.1"
    )


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


def _is_complete(folder: Path | None) -> bool:
    """Whether a job's folder holds its result, as far as its record says so."""
    from nst.runs.recording.folder import read_record

    return folder is not None and (read_record(folder) or {}).get("status") == "completed"


def _checked_output(cfg: Config, folder: Path) -> Path | None:
    """Where a job's picture goes, beside its folder; None where ``output`` is not given."""
    from nst.runs.job import input_files
    from nst.runs.recording.output import check_output, output_file

    check_output(cfg, folder, input_files(cfg))
    file = output_file(cfg)
    return None if file is None else file.absolute().resolve()


def _shared_output(file: Path, jobs: Sequence[Sequence[str]]) -> str:
    """What to say where two jobs of a sweep have one output."""
    values = [{o.partition("=")[0].lstrip("+"): o for o in job} for job in jobs]
    key = next(
        (k for k in values[0] if len({job.get(k) for job in values}) > 1 and "/" not in k), "seed"
    )
    example = f"{file.stem}_${{{key}}}{file.suffix}"
    return (
        f"{relative(file)} would be the output of more than one job of this sweep; leave output "
        f"out, as each has its image.png, or give each its own: output='{example}'"
    )


def _check(composed: Any) -> Config:
    """The config, its losses' own options, and its pictures as far as their heads tell.

    The latter two need torch, which is needed anyway.
    """
    cfg = checked(composed)
    garbage.load_torch()
    from nst.losses.terms import terms_from_config
    from nst.runs.picture_check import check_pictures

    terms_from_config(cfg)
    check_pictures(cfg)
    return cfg


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
    from nst.runs.context import relative

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
