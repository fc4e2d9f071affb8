"""What a run tells W&B: numbers, pictures and results."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from nst.runs.recording import labels
from nst.runs.recording.tracking.server import one_line
from nst.runs.recording.tracking.wandb_run import Mode, Once, open_run


class Sink(Protocol):
    """Where metrics go besides the run's folder."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Numbers of one step."""

    def log_image(self, step: int, key: str, file: Path, caption: str) -> None:
        """A picture of one step."""

    def summarize(self, values: Mapping[str, Any]) -> None:
        """Results of the whole run."""


class NoSink:
    """``logger=none``."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Nothing."""

    def log_image(self, step: int, key: str, file: Path, caption: str) -> None:
        """Nothing."""

    def summarize(self, values: Mapping[str, Any]) -> None:
        """Nothing."""


class WandbSink:
    """One W&B run; after its first failure nothing more is sent to it.

    A workspace has one set of runs for all its sections. So what the section of a study shows has
    keys of its own: a study's run logs its total loss, its results and its pictures under
    ``STUDY/``.
    """

    def __init__(
        self,
        run: Any,
        losses: Sequence[str] = (),
        study: str | None = None,
        warn: Once | None = None,
    ):
        """
        Args:
            run: of W&B
            losses: names of losses; W&B's summary holds the smallest value of each
            study: the study whose section of the dashboard shows this run, or None
            warn: of what goes wrong
        """
        self._run, self._losses, self._study = run, losses, study
        self._warn = warn or Once()
        self._step = 0  # the latest
        self._attempt(self._define)

    def _define(self) -> None:
        for name in self._losses:
            self._run.define_metric(f"loss/{name}", summary="min")

    def _attempt(self, call: Any, *args: Any, **kwargs: Any) -> None:
        if self._run is None:
            return
        try:
            call(*args, **kwargs)
        except Exception as error:  # whatever W&B raises, the run goes on
            self._warn("W&B failed and is off for the rest of this run: %s", one_line(error))
            self._run = None

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Numbers of one step, losses under ``loss/``, those before their weights too.

        ``loss/style`` is weighted, ``loss/style_unweighted`` is not.
        """
        self._step = step
        numbers = {f"loss/{k}": v for k, v in values.items()}
        if self._study and "total" in values:
            numbers[f"{self._study}/loss"] = values["total"]
        if self._run is not None:
            self._attempt(self._run.log, numbers, step=step)

    def log_image(self, step: int, key: str, file: Path, caption: str) -> None:
        """A picture of one step."""
        name = f"{self._study}/{key}" if self._study else key

        def send() -> None:
            import wandb

            self._run.log({name: wandb.Image(str(file), caption=caption)}, step=step)

        self._attempt(send)

    def summarize(self, values: Mapping[str, Any]) -> None:
        """Results of the whole run, shown in W&B's tables."""
        if self._run is not None:
            self._attempt(self._run.summary.update, dict(values))
        results = {f"{self._study}/{key}": v for key, v in flat_numbers(values).items()}
        if self._run is not None and self._study and results:
            self._attempt(self._run.log, results, step=self._step)


def flat_numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of nested dictionaries, their keys joined by ``_``.

    >>> flat_numbers({"psnr": None, "losses": {"total": 2.0}, "seconds": 1})
    {'losses_total': 2.0, 'seconds': 1}
    """
    numbers: dict[str, float] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            numbers |= {f"{key}_{k}": v for k, v in flat_numbers(value).items()}
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            numbers[key] = value
    return numbers


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
    losses: Sequence[str] = (),
    study: str | None = None,
    tags: Sequence[str] = (),
) -> Iterator[Sink]:
    """A W&B run for as long as the block lasts; its status and exit code say how the block ended.

    Args:
        folder: the run's folder; W&B writes into ``folder/wandb``
        mode: as :func:`nst.runs.recording.tracking.wandb_run.open_run`
        project, name, job_type, config, entity, group, tags: as in ``wandb.init``
        losses, study: as :class:`WandbSink`
    """
    options = {
        **{"project": project, "entity": entity, "name": labels.run_name(name, group)},
        **{"group": group, "job_type": job_type, "tags": list(tags)},
        "id": None if group else os.environ.get("WANDB_RUN_ID"),  # several would share it
        "config": labels.plain(config),
    }
    warn = Once()
    with open_run(folder, mode, options, warn=warn) as run:
        sink = NoSink() if run is None else WandbSink(run, losses, study, warn)
        status = "failed"
        try:
            yield sink
            status = "completed"
        except KeyboardInterrupt:
            status = "interrupted"
            raise
        finally:
            sink.summarize({"status": status})
