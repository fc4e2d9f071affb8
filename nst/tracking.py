"""The W&B sink. It mirrors what the run's folder holds and is never read back.

A failure of W&B costs its own log and nothing else: the run goes on, with a warning.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Protocol

Mode = Literal["offline", "online"]

log = logging.getLogger(__name__)


class Sink(Protocol):
    """Where metrics go besides the run's folder."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Numbers of one step."""

    def log_image(self, step: int, key: str, file: Path, caption: str) -> None:
        """A picture of one step."""

    def summarise(self, values: Mapping[str, Any]) -> None:
        """Results of the whole run."""


class NoSink:
    """``logger=none``."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Nothing."""

    def log_image(self, step: int, key: str, file: Path, caption: str) -> None:
        """Nothing."""

    def summarise(self, values: Mapping[str, Any]) -> None:
        """Nothing."""


class WandbSink:
    """One W&B run. After its first failure it stays silent."""

    def __init__(self, run: Any):
        self._run = run
        self._attempt(self._define)

    def _define(self) -> None:
        for name in ("total", "content", "style", "tv"):
            self._run.define_metric(f"loss/{name}", summary="min")

    def _attempt(self, call: Any, *args: Any, **kwargs: Any) -> None:
        if self._run is None:
            return
        try:
            call(*args, **kwargs)
        except Exception as error:  # whatever W&B raises, the run goes on
            log.warning("W&B failed and is off for the rest of this run: %s", error)
            self._run = None

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Numbers of one step, losses under ``loss/``."""
        if self._run is not None:
            self._attempt(self._run.log, {f"loss/{k}": v for k, v in values.items()}, step=step)

    def log_image(self, step: int, key: str, file: Path, caption: str) -> None:
        """A picture of one step."""

        def send() -> None:
            import wandb

            self._run.log({key: wandb.Image(str(file), caption=caption)}, step=step)

        self._attempt(send)

    def summarise(self, values: Mapping[str, Any]) -> None:
        """Results of the whole run, shown in W&B's tables."""
        if self._run is not None:
            self._attempt(self._run.summary.update, dict(values))


@contextmanager
def wandb_sink(
    folder: Path,
    *,
    mode: Mode,
    project: str,
    name: str,
    job_type: str,
    config: Mapping[str, Any],
    entity: str | None = None,
    group: str | None = None,
    tags: Sequence[str] = (),
) -> Iterator[Sink]:
    """A W&B run for as long as the block lasts; an exception inside marks it as failed.

    Args:
        folder: the run's folder; W&B writes into ``folder/wandb``
        mode: ``offline`` or ``online``; online falls back to offline where W&B does not answer
        project, name, job_type, config, entity, group, tags: as in ``wandb.init``
    """
    options: dict[str, Any] = {
        "dir": str(folder),
        "project": project,
        "entity": entity,
        "name": name,
        "group": group,
        "job_type": job_type,
        "tags": [tag[:64] for tag in tags],  # W&B's own limit
        "config": dict(config),
    }
    run = _start(mode, options)
    if run is None:
        yield NoSink()
        return
    failed = True
    try:
        yield WandbSink(run)
        failed = False
    finally:
        try:  # always: nothing else ends a run that has no process of its own
            run.finish(exit_code=int(failed))
        except Exception as error:
            log.warning("W&B could not finish its run: %s", error)


def _start(mode: Mode, options: dict[str, Any]) -> Any:
    """A started W&B run, or None with a warning."""
    try:
        import wandb
    except Exception as error:  # a broken installation must not cost the run
        log.warning("W&B cannot be imported (%s); this run is not logged there", error)
        return None
    settings = wandb.Settings(
        silent=True,
        console="off",
        x_disable_stats=True,
        x_save_requirements=False,
        disable_git=True,
    )
    attempts: tuple[Mode, ...] = ("online", "offline") if mode == "online" else ("offline",)
    for attempt in attempts:
        try:
            return wandb.init(mode=attempt, reinit="create_new", settings=settings, **options)
        except Exception as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            rest = "logging offline; upload later with: wandb sync" if attempt == "online" else ""
            log.warning("W&B %s failed (%s) %s", attempt, reason, rest)
    return None
