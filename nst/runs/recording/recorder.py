"""One run of a batch as it is written down: folder, trace and W&B."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import Any

import torch
from PIL.Image import Image
from torch import Tensor

from nst.config import Config, LoggerName, config_hash, to_dict
from nst.losses.terms import WeightedTerms, sum_by_kind
from nst.pictures.files import to_pil
from nst.pictures.sheets import sheet
from nst.runs.context import Context, relative
from nst.runs.recording import labels
from nst.runs.recording.folder import RunFolder
from nst.runs.recording.record import facts, final_losses, group_of, similarity
from nst.runs.recording.trace import losses_of_step, unweighted_name
from nst.runs.recording.tracking import NoSink, Sink, wandb_sink
from nst.runs.transfer import Pass, Progress, Transfer

log = logging.getLogger(__name__)

Outcome = dict[str, Any] | Exception
"""What became of a run: its record, as ``record.json`` holds it, or why there is none."""

_RESULTS = ("losses", "losses_unweighted", "psnr", "ssim", "seconds", "seconds_per_step")


class Recorder:
    """One run of a batch: its folder, trace and sink, and what became of it."""

    outcome: Outcome = RuntimeError("the run did not end")
    folder: RunFolder
    """From :meth:`open` on."""

    def __init__(self, number: int, cfg: Config, context: Context):
        self.number, self.cfg, self.context = number, cfg, context
        self.facts = facts(cfg, context)  # before the run: what was there when it began
        self.failed = False
        self._open, self._steps = ExitStack(), ExitStack()
        self._last: Progress | None = None

    def open(self) -> None:
        """Take the folder, now that the run can start: pictures and weights are read."""
        self.folder = RunFolder(self.context.folder)
        self._open.callback(self._tell_where)
        self.folder.save_config(to_dict(self.cfg))

    def _tell_where(self) -> None:
        if self.folder.is_beside_another:  # still, so the run did not complete
            where = relative(self.context.folder), relative(self.folder.path)
            log.warning("the earlier result in %s stays; what there is of this run: %s", *where)

    def attempt(self, call: Callable[..., None], *args: Any) -> None:
        """Call a method; an exception ends this run, and leaves the others of the batch alone."""
        if self.failed:
            return
        try:
            call(*args)
        except Exception as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        if not self.failed:
            self.failed, self.outcome = True, error

    def close(self, error_type: Any, error: BaseException | None, traceback: Any) -> None:
        """Save the latest image and close what is open; the sink learns how the run ended."""
        try:
            self._steps.close()
        except Exception as unsaved:
            self._fail(unsaved)
        if error is None and isinstance(self.outcome, Exception):
            error = self.outcome
        self._open.__exit__(type(error) if error else None, error, None)

    def begin(self, spec: WeightedTerms) -> None:
        """Open the sink and the trace, once the first step is there.

        Args:
            spec: this run's terms and weights, which may differ from those of the others
        """
        self._spec, nothing = spec, [0.0] * len(spec.terms)
        before = [unweighted_name(kind) for kind in spec.sum_unweighted(nothing)]
        sums = [*sum_by_kind(spec.terms, nothing), *before]
        self._logged = {*sums, *spec.names}  # W&B has each term once
        self._sink = self._open.enter_context(_sink(self.cfg, self.context, sums))
        self._steps.callback(self._save_latest)
        columns = list(losses_of_step(spec, nothing))
        self._trace = self._steps.enter_context(self.folder.open_trace(columns))

    def _save_latest(self) -> None:
        if self._last is not None:
            self.folder.save_image("image.png", to_pil(self._image(self._last)))

    def _image(self, progress: Progress) -> Tensor:
        """This run's image (1, 3, H, W)."""
        return progress.images[self.number : self.number + 1]

    def _originals(self, current: Pass) -> dict[str, Tensor]:
        """``content`` and ``style`` at the size that the run saw, as far as the task has them."""
        pictures = {"content": current.contents, "style": current.styles}
        return {name: each[self.number] for name, each in pictures.items() if each}

    def see(self, progress: Progress) -> None:
        """Remember a step's image: it is the result if no other follows."""
        self._last = progress

    def write(self, step: int, seconds: float, values: list[float]) -> None:
        """Write one step: a row of the trace, and the sink."""
        losses = losses_of_step(self._spec, values)
        self._trace.write(step, seconds, losses)
        numbers = {name: v for name, v in losses.items() if name in self._logged and v is not None}
        self._sink.log(step, numbers)

    def snapshot_is_due(self, step: int) -> bool:
        """Whether the image of a step is to be saved."""
        return bool(self.cfg.snapshot_every) and step % self.cfg.snapshot_every == 0

    def snapshot(self, progress: Progress) -> None:
        """Save the image, if it is due."""
        if self.snapshot_is_due(progress.step):
            picture = to_pil(self._image(progress))
            file = self.folder.save_image(f"snapshots/step_{progress.step:06d}.png", picture)
            self._sink.log_image(progress.step, "snapshot", file, f"step {progress.step}")

    def finish(self, transfer: Transfer, losses: list[float], shared: Mapping[str, Any]) -> None:
        """Write the result, the sheet and the record.

        Args:
            transfer: the batch, at its end
            losses: of this run's terms at its saved image, before their weights
            shared: what the runs of the batch have in common
        """
        assert self._last is not None
        self._steps.close()
        image, originals = self._image(self._last), self._originals(transfer.current)
        for name, original in originals.items():
            self.folder.save_image(f"{name}.png", to_pil(original))
        record = {
            "status": "completed",
            "task": self.cfg.task.name,
            **final_losses(self._spec, losses),
            **similarity(image, originals.get("content")),
            "restarts": int(self._last.restarts[self.number]),
            **shared,
            **self.facts,
        }
        picture = self.folder.save_image("sheet.png", _sheet(self.cfg, originals, image))
        self._sink.log_image(self._last.step, "sheet", picture, self.context.name)
        self.folder.save_record(record)  # before W&B finishes, which may hang or fail
        self._sink.summarize({key: record[key] for key in _RESULTS})
        self.outcome = record


class LossRows:
    """Losses on their way from the device to the runs' traces.

    Reading a number from a GPU waits for it. So the losses of a block of steps are read at once,
    where the device has been waited for anyway; those of a block that is cut short, by Ctrl-C or
    an error, when it ends.
    """

    def __init__(self, runs: Sequence[Recorder]):
        """
        Args:
            runs: each of which gets a row per step
        """
        self.latest = ""  # for the bar
        self._runs = runs
        self._waiting: list[tuple[int, float, Tensor]] = []  # step, seconds, (N, K)
        self._written = 0.0

    def __enter__(self) -> LossRows:
        return self

    def __exit__(self, error_type: Any, error: BaseException | None, traceback: Any) -> None:
        try:
            self.write()
        except Exception:
            if error is None:
                raise
            log.warning("the losses of the last steps are lost with the device")

    def add(self, progress: Progress) -> None:
        """Take one step's losses; write what waits where that waits for nothing."""
        self._waiting.append(
            (progress.step, progress.seconds / progress.images.shape[0], progress.terms)
        )
        if progress.settled:
            self.write()

    def write(self) -> None:
        """Write what waits. The seconds of a block are spread evenly over its steps."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        values = torch.stack([terms for _, _, terms in waiting]).tolist()  # (steps, N, K)
        begin, end = self._written, max(self._written, waiting[-1][1])
        for i, (step, _, _) in enumerate(waiting):
            seconds = begin + (end - begin) * (i + 1) / len(waiting)
            for run in self._runs:
                run.attempt(run.write, step, seconds, values[i][run.number])
        self._written, self.latest = end, _losses(values[-1])


def _losses(rows: list[list[float]]) -> str:
    """``loss 1.23`` of one run, ``losses 1.23–4.56`` of several."""
    totals = sorted(sum(row) for row in rows)
    low, high = f"{totals[0]:.4g}", f"{totals[-1]:.4g}"
    return f"loss {low}" if len(rows) == 1 else f"{len(rows)} runs, losses {low}–{high}"


def _sink(cfg: Config, context: Context, losses: Sequence[str]) -> AbstractContextManager[Sink]:
    if cfg.logger.name is LoggerName.none:
        return nullcontext(NoSink())
    return wandb_sink(
        context.folder,
        mode=cfg.logger.mode,
        project=cfg.logger.project,
        entity=cfg.logger.entity,
        group=group_of(cfg, context),
        losses=losses,
        study=cfg.study.name,
        name=context.name,
        job_type=cfg.task.name,
        tags=labels.run_tags(cfg),
        config={**to_dict(cfg), **labels.facets(cfg), "config_hash": config_hash(cfg)},
    )


def _sheet(cfg: Config, originals: Mapping[str, Tensor], image: Tensor) -> Image:
    pictures = [(f"{k}: {_short(getattr(cfg, k))}", to_pil(o)) for k, o in originals.items()]
    return sheet([*pictures, (cfg.task.name, to_pil(image))])


def _short(source: str) -> str:
    return Path(source).stem
