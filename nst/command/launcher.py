"""Many jobs of a sweep at once: Hydra's ``hydra/launcher=batched``.

Hydra's ``run_job`` does everything around one job: its folder, ``.hydra/``, log file, callbacks
and status. Here each job of a batch is started inside the one before it, and waits where it calls
:func:`run_job` below; the last one runs them all, and then each goes on from where it waited. So
every job is a job as Hydra means it. They end in reverse order.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from hydra.core import utils
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import CompactHydraException
from hydra.plugins.launcher import Launcher
from omegaconf import OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from nst.command.sizes import checked
from nst.config import Config
from nst.errors import InputError, require
from nst.runs.machine import garbage

if TYPE_CHECKING:
    from nst.runs.context import Context
    from nst.runs.recording.recorder import Outcome

log = logging.getLogger(__name__)

_MODULE = "hydra_plugins.nst"
"""What Hydra is to call this module: it takes launchers from ``hydra_plugins`` only, a package of
the environment that is not ours to add files to."""


@dataclass
class BatchedLauncherConf:
    """``hydra.launcher`` of ``hydra/launcher=batched``."""

    _target_: str = f"{_MODULE}.BatchedLauncher"
    max_batch: Any = 8


def register() -> None:
    """Tell Hydra about the launcher."""
    Plugins.instance().register(BatchedLauncher)
    try:
        package = importlib.import_module("hydra_plugins")
    except ImportError:  # no other plugin is installed
        package = sys.modules["hydra_plugins"] = ModuleType("hydra_plugins")
        package.__path__ = []
    sys.modules[_MODULE] = sys.modules[__name__]
    vars(package)["nst"] = sys.modules[__name__]
    ConfigStore.instance().store(
        group="hydra/launcher", name="batched", node=BatchedLauncherConf, provider="nst"
    )


def run_job(cfg: Config, context: Context) -> dict[str, Any]:
    """Run a job: alone, or, where the launcher has begun a batch, together with the others.

    Arguments, result and errors are those of :func:`nst.runs.job.run_job`.

    Raises:
        InputError: also where an earlier job of the sweep has the same folder.
    """
    garbage.load_torch()  # only here: --help and typos do not need it
    from nst.runs import job

    if context.group is not None:
        folder = context.folder.resolve()
        if folder in _folders:
            raise InputError(shared_folder(folder))
        _folders.add(folder)
    batch = _current.get()
    return batch.run_job(cfg, context) if batch else job.run_job(cfg, context)


def check_max_batch(max_batch: object) -> None:
    """Check what ``hydra.launcher.max_batch`` says.

    Raises:
        InputError: neither ``auto`` nor a number of jobs that one batch can nest.
    """
    from nst.runs.memory.choice import MAX_BATCH

    if isinstance(max_batch, int) and not isinstance(max_batch, bool):
        in_range = 1 <= max_batch <= MAX_BATCH
    else:
        in_range = max_batch == "auto"
    require(in_range, "hydra.launcher.max_batch", max_batch, f"1 to {MAX_BATCH}, or auto")


_folders: set[Path] = set()
"""The folders of the jobs of the sweep that this process has begun."""


def shared_folder(folder: Path) -> str:
    """What to say where two jobs of a sweep have one folder."""
    return (
        f"{folder} would be the folder of more than one job of this sweep; leave "
        "hydra.sweep.subdir out, or give each its own: hydra.sweep.subdir='${hydra.job.num}'"
    )


@dataclass(frozen=True)
class _Job:
    number: int
    overrides: Sequence[str]
    composed: Any


class _Batch:
    """Jobs that share their forward passes."""

    def __init__(self, jobs: Sequence[_Job], start: Callable[[_Job], JobReturn]):
        self._waiting = deque(jobs)
        self._start = start
        self._handed_in: list[tuple[Config, Context]] = []
        self._log_files: list[logging.FileHandler] = []
        self._outcomes: list[Outcome] = []
        self.returns: dict[int, JobReturn] = {}

    def start_jobs(self) -> None:
        """Start the jobs that wait; the first to reach :meth:`run_job` starts the rest."""
        while self._waiting:
            job = self._waiting.popleft()
            try:
                self.returns[job.number] = self._start(job)
            except Exception as error:  # Hydra could not start it, and the others wait
                log.error("%s", error)
                failed = JobReturn(overrides=job.overrides, status=JobStatus.FAILED)
                failed.return_value = error
                self.returns[job.number] = failed

    def run_job(self, cfg: Config, context: Context) -> dict[str, Any]:
        """Hand in one job and wait for the batch; its record, or its own exception."""
        from nst.runs import job

        job.announce(cfg, context)
        number = len(self._handed_in)
        self._handed_in.append((cfg, context))
        log_files = [h for h in logging.root.handlers if isinstance(h, logging.FileHandler)]
        self._log_files += log_files
        self.start_jobs()
        if not self._outcomes:  # all others have handed in, or failed before
            with _logging_also_to(self._log_files):
                self._outcomes = job.run_jobs(self._handed_in)
        hydra_cfg: Any = HydraConfig.get()  # of this job again
        utils.configure_log(hydra_cfg.job_logging, hydra_cfg.verbose)
        return job.conclude(self._outcomes[number], context)


_current: ContextVar[_Batch | None] = ContextVar("current batch", default=None)


@contextmanager
def _logging_also_to(files: Sequence[logging.FileHandler]) -> Iterator[None]:
    """What is said while a batch runs concerns all of its jobs, so all of their logs have it."""
    names = {h.baseFilename for h in logging.root.handlers if isinstance(h, logging.FileHandler)}
    added = []
    for closed in files:  # by the configuration of the next job's logging
        if closed.baseFilename not in names:
            handler = logging.FileHandler(closed.baseFilename, delay=True)
            handler.setFormatter(closed.formatter)
            added.append(handler)
            logging.root.addHandler(handler)
    try:
        yield
    finally:
        for handler in added:
            logging.root.removeHandler(handler)
            handler.close()


class BatchedLauncher(Launcher):
    """Sorts the jobs of a sweep into batches of runs that may share, and runs batch by batch."""

    __module__ = _MODULE

    def __init__(self, max_batch: int | str):
        """
        Args:
            max_batch: most jobs at once, or ``auto``: as many as fit into memory by the estimate
        """
        self.max_batch = max_batch

    def setup(self, *, hydra_context: Any, task_function: Any, config: Any) -> None:
        """As Hydra calls it."""
        self.hydra_context, self.task_function = hydra_context, task_function
        self.config = config

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Run the jobs; what each returned or raised, in their order.

        Raises:
            CompactHydraException: ``max_batch`` is out of range.
        """
        try:
            check_max_batch(self.max_batch)
        except InputError as error:
            raise CompactHydraException(str(error)) from None
        from nst.runs.batches import batches

        utils.setup_globals()
        self._log_as_hydra()
        Path(self.config.hydra.sweep.dir).mkdir(parents=True, exist_ok=True)
        jobs = [self._job(initial_job_idx + i, o) for i, o in enumerate(job_overrides)]
        sorted_in = batches([_key(job) for job in jobs], self._limits(jobs))
        log.info("in batches of %s", _sizes(sorted_in))
        returns: dict[int, JobReturn] = {}
        for members in sorted_in:
            batch = _Batch([jobs[i] for i in members], self._start)
            token = _current.set(batch)
            try:
                batch.start_jobs()
            finally:
                _current.reset(token)
            returns |= batch.returns
            self._log_as_hydra()
        return [returns[job.number] for job in jobs]

    def _limits(self, jobs: Sequence[_Job]) -> list[int]:
        """How many jobs like each may share a batch."""
        if self.max_batch != "auto":
            return [int(self.max_batch)] * len(jobs)
        from nst.runs.transfer import largest_batch

        keys, limits = [_key(job) for job in jobs], dict[str | None, int]()
        for key, job in zip(keys, jobs, strict=True):
            if key not in limits:
                limits[key] = 1
                with contextlib.suppress(InputError):  # the job itself will say what is wrong
                    limits[key] = 1 if key is None else largest_batch(_config(job))
        return [limits[key] for key in keys]

    def _log_as_hydra(self) -> None:
        utils.configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)

    def _job(self, number: int, overrides: Sequence[str]) -> _Job:
        loader = self.hydra_context.config_loader
        composed = loader.load_sweep_config(self.config, list(overrides))
        with open_dict(composed):
            composed.hydra.job.id = composed.hydra.job.num = number
        return _Job(number, overrides, composed)

    def _start(self, job: _Job) -> JobReturn:
        return utils.run_job(
            hydra_context=self.hydra_context,
            task_function=self.task_function,
            config=job.composed,
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
        )


def _sizes(batches: Sequence[Sequence[int]]) -> str:
    return ", ".join(str(len(members)) for members in batches)


def _key(job: _Job) -> str | None:
    """What decides which jobs share; None for one that will fail alone, in its own words."""
    from nst.runs.batches import batch_key

    try:
        cfg = _config(job)
        key = batch_key(cfg)
        return f"{key} {_stands_at(job)}" if cfg.resume else key
    except InputError:
        return None


def _stands_at(job: _Job) -> int | str:
    """Where a job goes on: those of a batch have to stand at the same step."""
    from nst.runs.recording.checkpoint import read_checkpoint
    from nst.runs.recording.folder import checkpoints, read_record

    hydra_cfg = job.composed.hydra
    try:
        folder = Path(str(hydra_cfg.sweep.dir)) / str(hydra_cfg.sweep.subdir)
    except OmegaConfBaseException:  # it asks for what is known when the job runs
        return 0
    if (read_record(folder) or {}).get("status") == "completed":
        return "complete"
    return max((read_checkpoint(file).step for file in checkpoints(folder)), default=0)


def _config(job: _Job) -> Config:
    keys = [key for key in job.composed if key != "hydra"]
    return checked(OmegaConf.masked_copy(job.composed, keys))
