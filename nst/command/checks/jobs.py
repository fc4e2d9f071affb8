"""The checks of a sweep's jobs, before the first of them starts."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from nst.command import launcher
from nst.command.checks.run import check_config, checked_output
from nst.command.configs import one_line
from nst.command.remaining import Remaining
from nst.config import Config
from nst.config.remarks import remarks
from nst.errors import InputError
from nst.runs.context import relative

log = logging.getLogger("nst")

_PLAIN = re.compile(r"\w[\w.-]*")
"""A value that is a good part of a file's name."""


def check_jobs(config: Any, jobs: Sequence[Sequence[str]], remaining: Remaining) -> None:
    """Check the launcher and each job.

    Args:
        config: of the sweep, as Hydra hands it to callbacks
        jobs: the overrides of each
        remaining: expects each of them from then on

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
            cfg = check_config(composed)
            cfgs.append(cfg)
            output = checked_output(cfg, folder or Path(config.hydra.sweep.dir))
            if folder and folder in folders:
                raise InputError(launcher.shared_folder(folder))
            folders.add(folder)
            remaining.expect(cfg, cfg.resume and _is_complete(folder))
        except (InputError, HydraException) as error:
            text = one_line(error) if isinstance(error, HydraException) else error
            raise InputError(f"job {','.join(job)}: {text}") from error
        if output and output in outputs:
            raise InputError(_shared_output(output, jobs))
        outputs.add(output)
    for remark in filter(None, [remark_on_seeds(cfgs, jobs), *remarks_on(cfgs, jobs)]):
        log.warning("%s", remark)


def remarks_on(cfgs: Sequence[Config], jobs: Sequence[Sequence[str]]) -> list[str]:
    """What is given in vain, each said once, and in how many of the jobs.

    Args:
        cfgs: of the jobs
        jobs: the overrides of each
    """
    said = Counter(text for cfg, job in zip(cfgs, jobs, strict=True) for text in remarks(cfg, job))
    of = len(jobs)
    return [f"in {n} of {of} jobs {text}" if n < of else text for text, n in said.items()]


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
        HydraConfig.instance().set_config(whole)  # for ${hydra:job.num} and the like
        del whole["hydra"]
    return whole, folder


def _is_complete(folder: Path | None) -> bool:
    """Whether a job's folder holds its result, as far as its record says so."""
    from nst.runs.recording.folder import read_record

    return folder is not None and (read_record(folder) or {}).get("status") == "completed"


def _shared_output(file: Path, jobs: Sequence[Sequence[str]]) -> str:
    """What to say where two jobs of a sweep have one output."""
    values = [dict(override.lstrip("+").partition("=")[::2] for override in job) for job in jobs]
    named = (k for k in values[0] if len({job.get(k) for job in values}) > 1 and "/" not in k)
    plain = (k for k in named if all(_PLAIN.fullmatch(job.get(k, "")) for job in values))
    example = f"{file.stem}_${{{next(plain, 'hydra:job.num')}}}{file.suffix}"
    return (
        f"{relative(file)} would be the output of more than one job of this sweep; leave output "
        f"out, as each has its image.png, or give each its own: output='{example}'"
    )
