"""One run of a batch as it is written down: folder, trace and W&B."""

from __future__ import annotations

import contextlib
import logging
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from PIL.Image import Image
from torch import Tensor

from nst import durable
from nst.config import Config, LoggerName, config_hash, to_dict
from nst.config.values import differences
from nst.errors import InputError
from nst.losses.terms import WeightedTerms, sum_by_kind
from nst.pictures.files import to_pil
from nst.pictures.sheets import sheet
from nst.runs.context import Context, relative
from nst.runs.course import Course
from nst.runs.messages.judged import judged
from nst.runs.recording import labels
from nst.runs.recording.checkpoint import Checkpoint, read_checkpoint
from nst.runs.recording.folder import UNFINISHED, RunFolder, checkpoints, has_result, read_record
from nst.runs.recording.output import output_file, read_origin, save_output
from nst.runs.recording.record import facts, final_losses, group_of, similarity
from nst.runs.recording.trace import losses_of_step, read_rows, unweighted_name
from nst.runs.recording.tracking import NoSink, Sink, wandb_sink
from nst.runs.transfer import Pass, Progress, Transfer

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Kept:
    """A run that was complete before: its record."""

    record: dict[str, Any]


Outcome = dict[str, Any] | Kept | Exception
"""What became of a run: its record, as ``record.json`` holds it, or why there is none."""

_RESULTS = (
    *("losses", "losses_unweighted", "psnr", "ssim", "judged", "last_tenth"),
    *("seconds", "seconds_per_step", "warnings"),
)


class Recorder:
    """One run of a batch: its folder, trace and sink, and what became of it."""

    outcome: Outcome = RuntimeError("the run did not end")
    folder: RunFolder
    """From :meth:`open` on."""

    def __init__(self, number: int, cfg: Config, context: Context):
        self.number, self.cfg, self.context = number, cfg, context
        self.facts = facts(cfg, context)  # before the run: what was there when it began
        self.failed = False
        self.went_on_from: Checkpoint | None = None
        self._open, self._steps = ExitStack(), ExitStack()
        self._last: Progress | None = None
        self._values: list[float] | None = None  # weighted terms of the last step written …
        self._written = -1  # … and which step that is
        self._saves_checkpoints = True
        self._course = Course(cfg)

    def open(self) -> None:
        """Take the folder, now that the run can start: pictures and weights are read.

        With ``resume=true`` the run goes on from its checkpoint, where it has one.
        """
        self._open.enter_context(durable.in_use(self.context.folder, "run"))
        file = self._checkpoint_file() if self.cfg.resume else None
        self.folder = RunFolder(self.context.folder, file)
        self._open.callback(self._tell_where)
        self.folder.save_config(to_dict(self.cfg))

    def _checkpoint_file(self) -> Path | None:
        """The checkpoint to go on from, which is read; None where the run has none."""
        for file in checkpoints(self.context.folder):
            checkpoint = read_checkpoint(file)
            if checkpoint.fits(self.cfg, digests_of(self.facts)):
                self.went_on_from = checkpoint
                return file
        return None

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

    def begin(self, spec: WeightedTerms, start: Tensor) -> None:
        """Open the sink and the trace, once the first step is there.

        Args:
            spec: this run's terms and weights, which may differ from those of the others
            start: its start image (1, 3, H, W), also where it goes on from a checkpoint
        """
        self._course.begin(start)
        self._spec, nothing = spec, [0.0] * len(spec.terms)
        before = [unweighted_name(kind) for kind in spec.sum_unweighted(nothing)]
        sums = [*sum_by_kind(spec.terms, nothing), *before]
        self._logged = {*sums, *spec.names}  # W&B has each term once
        self._sink = self._open.enter_context(_sink(self.cfg, self.context, sums))
        self._steps.callback(self._save_latest)
        columns = list(losses_of_step(spec, nothing))
        after = self.went_on_from.step if self.went_on_from else None
        self._trace = self._steps.enter_context(self.folder.open_trace(columns, after))
        if after is not None:
            for step, losses in read_rows(self.folder.path / "trace.csv"):
                self._send(step, losses)

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
        self._written, self._values = step, values
        self._send(step, losses)

    def _send(self, step: int, losses: Mapping[str, float | None]) -> None:
        """One step to the sink, and to what is said of the run at its end."""
        self._course.add(step, losses["total"] or 0.0)
        numbers = {name: v for name, v in losses.items() if name in self._logged and v is not None}
        self._sink.log(step, numbers)

    def checkpoint(self, state: dict[str, Any], where: dict[str, Any]) -> None:
        """Save what the run needs to go on; where that fails, it runs on without, and says so.

        Args:
            state: of this run, between two steps
            where: it runs, as :class:`nst.runs.recording.checkpoint.Checkpoint` has it
        """
        if self._saves_checkpoints:
            self._trace.flush()  # it is to reach as far as the checkpoint does
            self._save_checkpoint(state, where)

    def _save_checkpoint(self, state: dict[str, Any], where: dict[str, Any]) -> None:
        checkpoint = Checkpoint(state, self.facts["config_hash"], digests_of(self.facts), where)
        try:
            self.folder.save_checkpoint(checkpoint)
        except (OSError, RuntimeError) as error:  # torch's own is the latter, as on a full disk
            log.warning("no checkpoint could be saved, the run goes on without: %s", error)
            self._saves_checkpoints = False

    def interrupt(
        self, number: signal.Signals, state: dict[str, Any] | None,
        where: dict[str, Any], shared: Mapping[str, Any],
    ) -> None:  # fmt: skip
        """Write what there is: the picture, a record of how far it came, and a checkpoint.

        Args:
            number: the signal
            state, where: as :meth:`checkpoint`; None where the last one saved has to do
            shared: what the runs of the batch have in common
        """
        if self._last is None or self._values is None or isinstance(self.outcome, dict):
            return  # nothing was made, or all is written
        self._steps.close()  # saves the image and closes the trace
        own = self._spec.unweighted(self._values)
        self.folder.save_record({
            "status": "interrupted",
            "signal": number.name,
            "task": self.cfg.task.name,
            "losses": sum_by_kind(self._spec.terms, self._values),
            "terms": dict(zip(self._spec.names, self._values, strict=True)),
            "losses_unweighted": self._spec.sum_unweighted(own),
            "terms_unweighted": dict(zip(self._spec.names, own, strict=True)),
            **self._common(shared),
        })  # fmt: skip
        if state is not None and state["step"] == self._written:  # else the trace would lack a row
            self._save_checkpoint(state, where)
        self._save_unfinished_output()

    def _common(self, shared: Mapping[str, Any]) -> dict[str, Any]:
        """What the records of complete and of interrupted runs have in common."""
        assert self._last is not None
        resumed = self.went_on_from.step if self.went_on_from else None
        restarts = int(self._last.restarts[self.number])
        return {"restarts": restarts, "resumed_at": resumed, **shared, **self.facts}

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
        restarts = int(self._last.restarts[self.number])
        record = {
            "status": "completed",
            "task": self.cfg.task.name,
            **final_losses(self._spec, losses),
            **similarity(image, originals.get("content")),
            "judged": judged(self.cfg, image, originals, self._course.start),
            "last_tenth": self._course.last_tenth,
            **self._common(shared),
            "warnings": self._course.remarks(image, originals, self._last.step, restarts),
        }
        picture = self.folder.save_image("sheet.png", _sheet(self.cfg, originals, image))
        self._sink.log_image(self._last.step, "sheet", picture, self.context.name)
        self.folder.save_record(record)  # before W&B finishes, which may hang or fail
        self.outcome = record
        self.folder.remove_checkpoint()
        self._save_output("completed")
        self._sink.summarize({key: record[key] for key in _RESULTS})

    def _save_output(self, status: str) -> Path | None:
        """Write the latest image as ``output`` says, after the record: what fails here is late."""
        assert self._last is not None
        picture = to_pil(self._image(self._last))
        return save_output(self.cfg, picture, {"status": status, **self.facts})

    def _save_unfinished_output(self) -> None:
        """The same for an interrupted run: a complete picture stays, what fails is said."""
        file = output_file(self.cfg)
        if file is not None and (read_origin(file) or {}).get("status") == "completed":
            log.info("%s stays the picture of a complete run", file)
            return
        try:
            if self._save_output("interrupted"):
                log.info("the picture so far is in %s, too", file)
        except OSError as error:
            log.warning("%s could not be written: %s", file, error)


def digests_of(facts: Mapping[str, Any]) -> dict[str, str | None]:
    """sha256 of a run's pictures by key, of :func:`nst.runs.recording.record.facts`."""
    return {key: source["sha256"] for key, source in facts["images"].items()}


def complete_record(cfg: Config, context: Context) -> dict[str, Any] | None:
    """The record of a complete run of this config in its folder; None where the run is to be made.

    Raises:
        InputError: the folder holds a run of another config, complete or begun, or a complete one
            of other pictures.
    """
    record = read_record(context.folder)
    if record is None or record.get("status") != "completed":
        _check_begun(cfg, context.folder)
        return None
    now = facts(cfg, context)
    if all(record.get(key) == now[key] for key in ("config_hash", "images")):
        return record
    digests = digests_of(now)
    if any(read_checkpoint(file).fits(cfg, digests) for file in checkpoints(context.folder)):
        return None  # it was begun beside that one
    different = _differing(record.get("config"), now["config"]) or "the files of its pictures"
    raise InputError(
        f"{context.folder} holds a complete run of another config, which differs in {different}; "
        "leave resume out to replace it, or choose another folder"
    )


def _check_begun(cfg: Config, folder: Path) -> None:
    """Check that a run which was begun, and is to go on, is one of this config."""
    begun = [(file, read_checkpoint(file)) for file in checkpoints(folder)]
    if not begun or any(checkpoint.config_hash == config_hash(cfg) for _, checkpoint in begun):
        return
    try:
        before = yaml.safe_load((begun[0][0].parent / "config.yaml").read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError):
        before = None
    different = _differing(before, to_dict(cfg)) or "its settings"
    raise InputError(
        f"{relative(folder)} holds a run of another config that was interrupted, which differs in "
        f"{different}; give the same keys to go on, leave resume out to begin anew, or choose "
        "another folder"
    )


def _differing(before: Any, now: Mapping[str, Any]) -> str:
    """The keys in which two configs differ; empty where the earlier one is not known."""
    known = before if isinstance(before, Mapping) else now
    return ", ".join(key for key, _, _ in differences(known, now))


def record_failure(cfg: Config, context: Context, error: Exception) -> None:
    """Write down why a run has no result, beside what there may be of it.

    A run that could not even start beside an earlier result leaves that folder as it is.
    """
    begun = checkpoints(context.folder) if cfg.resume else []
    place = begun[0] if begun else None
    if place is None and has_result(context.folder) and not (context.folder / UNFINISHED).is_dir():
        return
    reason = " ".join(str(error).split()) or type(error).__name__
    record = {
        "status": "failed",
        "error": reason,
        "error_type": type(error).__name__,
        "task": cfg.task.name,
        "seed": cfg.seed,
        "group": group_of(cfg, context),
        "config_hash": config_hash(cfg),
        "overrides": list(context.overrides),
        "config": to_dict(cfg),
    }
    with contextlib.suppress(OSError, InputError):  # as on a full disk: the error itself is told
        with durable.in_use(context.folder, "run"):
            RunFolder(context.folder, place, keep=True).save_record(record)


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

    def go_on_after(self, progress: Progress) -> None:
        """Begin after a step whose row is there already."""
        self._written = progress.seconds / progress.images.shape[0]

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
