"""Jobs: run a config, or several at once, and write down everything about each."""

from __future__ import annotations

import hashlib
import logging
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from PIL.Image import Image
from torch import Tensor
from tqdm import tqdm

from nst import labels, memory, metrics, records
from nst.config import WEIGHTS, Config, LoggerName, WandbMode, config_hash, to_dict, used_images
from nst.errors import InputError
from nst.images import quantise, to_pil, to_uint8
from nst.names import SAMPLES
from nst.objective import group_terms
from nst.passes import all_passes
from nst.sheets import sheet
from nst.tracking import NoSink, Sink, wandb_sink
from nst.transfer import Progress, Stage, Transfer, start_is_random

log = logging.getLogger(__name__)

_HOW_TO_START_RANDOM = (
    "the start is a picture without noise, as a transfer's is; choose init=noise, or init=content "
    "with init.scale"
)

_RESULTS = ("losses", "psnr", "ssim", "seconds", "seconds_per_step")


@dataclass(frozen=True)
class Context:
    """What a job knows of its surroundings.

    Attributes:
        folder: where the run is written
        name: short, readable; the overrides' slug
        group: of the sweep, or None
        overrides: of the command line
    """

    folder: Path
    name: str = "run"
    group: str | None = None
    overrides: Sequence[str] = field(default_factory=tuple)


Outcome = dict[str, Any] | Exception
"""What became of a run: its record, as ``record.json`` holds it, or why there is none."""


def run_job(cfg: Config, context: Context) -> dict[str, Any]:
    """Run a config and record it in the context's folder.

    What is computed before an interruption or an error stays: the latest image and the trace are
    written either way; only ``record.json`` is missing. A finished result in the folder stays
    until the new one is complete (:class:`nst.records.RunFolder`).

    Returns:
        The record, as ``record.json`` holds it.

    Raises:
        InputError: the config cannot work, or the folder holds somebody's files.
    """
    announce(cfg, context)
    return conclude(run_jobs([(cfg, context)])[0], context)


def announce(cfg: Config, context: Context) -> None:
    """Warn of overrides that decide nothing."""
    if not start_is_random(cfg) and _mentions(context, "seed", "init.scale"):
        log.warning("seed and init.scale decide nothing here: %s", _HOW_TO_START_RANDOM)


def conclude(outcome: Outcome, context: Context) -> dict[str, Any]:
    """Log what came out, and return the record; raise where there is none."""
    if isinstance(outcome, Exception):
        raise outcome
    _report(outcome, context.folder)
    return outcome


def run_jobs(jobs: Sequence[tuple[Config, Context]]) -> list[Outcome]:
    """Run configs that may share a batch (:mod:`nst.batching`) at once, each in its own folder.

    What goes wrong in the folder of one run ends that run alone. What goes wrong with the batch
    (a start image whose loss is not finite, too little memory) splits it into halves, which start
    anew, until what cannot work is alone. One whose folder cannot take it does not start.

    Returns:
        The outcomes, in the order of the jobs. An interruption is raised, as in :func:`run_job`.
    """
    refused = _refused(jobs)
    started = [job for number, job in enumerate(jobs) if number not in refused]
    outcomes = iter(_run_or_halve(started) if started else [])
    return [refused.get(number) or next(outcomes) for number in range(len(jobs))]


def _refused(jobs: Sequence[tuple[Config, Context]]) -> dict[int, Exception]:
    """Why jobs may not write into their folders, by number; nothing is loaded or written yet."""
    refused: dict[int, Exception] = {}
    taken: dict[Path, int] = {}
    for number, (cfg, context) in enumerate(jobs):
        try:
            other = taken.setdefault(context.folder.resolve(), number)
            if other != number:
                raise InputError(f"{context.folder} is another run's folder; give each its own")
            records.check_folder(context.folder, _input_files(cfg))
        except (InputError, OSError) as error:
            refused[number] = error
    return refused


def _input_files(cfg: Config) -> dict[str, Path]:
    """{key: file} of what the run reads and does not come with the package."""
    sources = {key: source for key, source in used_images(cfg).items() if source not in SAMPLES}
    if cfg.backbone.weights not in WEIGHTS:
        sources["backbone.weights"] = cfg.backbone.weights
    paths = {key: Path(source).expanduser() for key, source in sources.items()}
    return {key: path for key, path in paths.items() if path.is_file()}


def _run_or_halve(jobs: Sequence[tuple[Config, Context]]) -> list[Outcome]:
    """The outcomes of jobs whose folders are free."""
    try:
        return _run_together(jobs)
    except Exception as error:
        traceback.clear_frames(error.__traceback__)  # their tensors may be what fills the memory
        if len(jobs) == 1:
            return [memory.explained(error, [cfg for cfg, _ in jobs])]
        log.warning("%d runs at once failed (%s); on with halves", len(jobs), _line(error))
    half = len(jobs) // 2
    return _run_or_halve(jobs[:half]) + _run_or_halve(jobs[half:])


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _run_together(jobs: Sequence[tuple[Config, Context]]) -> list[Outcome]:
    """The outcomes of one batch.

    Raises:
        Exception: what stopped the batch as a whole.
    """
    begin = time.perf_counter()
    runs = [_Run(number, *job) for number, job in enumerate(jobs)]
    transfer = Transfer(*(run.cfg for run in runs))
    watch = records.PeakMemory(str(transfer.device))
    setup = time.perf_counter() - begin
    with ExitStack() as stack:
        for run in runs:
            stack.push(run.close)
            run.attempt(run.open)
        begin = time.perf_counter()
        last, opening = _optimise(transfer, runs)
        loop = time.perf_counter() - begin - opening
        peak = watch.megabytes()  # of the optimisation alone
        # on the images as they are saved: 8 bits, within [0, 1]
        values = transfer.final_terms(quantise(last.images)).tolist()
        shared = _shared_results(transfer, last, setup + opening, loop, peak)
        for run in runs:
            run.attempt(run.finish, transfer, values[run.number], shared)
    return [run.outcome for run in runs]


def _optimise(transfer: Transfer, runs: Sequence[_Run]) -> tuple[Progress, float]:
    """Run to the end, or until no run is left; every run writes each of its steps.

    Returns:
        The last step, and the seconds that it took to open sinks and traces.
    """
    opening = 0.0
    rows = _Rows(runs)
    bar = tqdm(total=transfer.total_steps, unit="step", disable=None, leave=False)
    with bar, rows:
        for now in transfer.run():
            if now.step == 0:
                begin = time.perf_counter()
                for run in runs:
                    run.attempt(run.begin, transfer.stage.objective.names)
                opening = time.perf_counter() - begin
            for run in runs:
                run.attempt(run.see, now)
            rows.add(now)
            for run in runs:
                run.attempt(run.snapshot, now)
            if all(run.failed for run in runs):
                break
            bar.update(now.step - bar.n)
            bar.set_postfix_str(rows.latest, refresh=False)
    return now, opening  # step 0 is always there


class _Rows:
    """Losses on their way from the device to the runs' traces.

    Reading a number from a GPU waits for it. So the losses of a block of steps are read at once,
    where the device has been waited for anyway; those of a block that is cut short, by Ctrl-C or
    an error, when it ends.
    """

    def __init__(self, runs: Sequence[_Run]):
        """
        Args:
            runs: each of which gets a row per step
        """
        self.latest = ""  # for the bar
        self._runs = runs
        self._waiting: list[tuple[int, float, Tensor]] = []  # step, seconds, (N, K)
        self._written = 0.0

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        try:
            self.write()
        except Exception:
            if error is None:
                raise
            log.warning("the losses of the last steps are lost with the device")

    def add(self, now: Progress) -> None:
        """Take one step's losses; write what waits where that waits for nothing."""
        self._waiting.append((now.step, now.seconds / now.images.shape[0], now.terms))
        if now.settled:
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


class _Run:
    """One run of a batch: its folder, trace and sink, and what became of it."""

    outcome: Outcome = RuntimeError("the run did not end")
    folder: records.RunFolder
    """From :meth:`open` on."""

    def __init__(self, number: int, cfg: Config, context: Context):
        self.number, self.cfg, self.context = number, cfg, context
        self.facts = _facts(cfg, context)  # before the run: what was there when it began
        self.failed = False
        self._open, self._steps = ExitStack(), ExitStack()
        self._last: Progress | None = None

    def open(self) -> None:
        """Take the folder, now that the run can start: pictures and weights are read."""
        self.folder = records.RunFolder(self.context.folder)
        self._open.callback(self._tell_where)
        self.folder.save_config(to_dict(self.cfg))

    def _tell_where(self) -> None:
        if self.folder.is_beside_another:  # still, so the run did not complete
            where = _relative(self.context.folder), _relative(self.folder.path)
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

    def close(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        """Save the latest image and close what is open; the sink learns how the run ended."""
        try:
            self._steps.close()
        except Exception as unsaved:
            self._fail(unsaved)
        if error is None and isinstance(self.outcome, Exception):
            error = self.outcome
        self._open.__exit__(type(error) if error else None, error, None)

    def begin(self, names: tuple[str, ...]) -> None:
        """Open the sink and the trace, once the first step is there."""
        self._names = names
        self._sink = self._open.enter_context(_sink(self.cfg, self.context))
        self._steps.callback(self._save_latest)
        self._trace = self._steps.enter_context(self.folder.open_trace(names))

    def _save_latest(self) -> None:
        if self._last is not None:
            self.folder.save_image("image.png", to_pil(self._image(self._last)))

    def _image(self, now: Progress) -> Tensor:
        """This run's image (1, 3, H, W)."""
        return now.images[self.number : self.number + 1]

    def _originals(self, stage: Stage) -> dict[str, Tensor]:
        """``content`` and ``style`` at the size that the run saw, as far as the task has them."""
        pictures = {"content": stage.contents, "style": stage.styles}
        return {name: each[self.number] for name, each in pictures.items() if each}

    def see(self, now: Progress) -> None:
        """Remember a step's image: it is the result if no other follows."""
        self._last = now

    def write(self, step: int, seconds: float, values: list[float]) -> None:
        """Write one step: a row of the trace, and the sink."""
        terms = dict(zip(self._names, values, strict=True)) | group_terms(self._names, values)
        self._trace.write(step, seconds, terms)
        self._sink.log(step, terms)

    def snapshot_is_due(self, step: int) -> bool:
        """Whether the image of a step is to be saved."""
        return bool(self.cfg.snapshot_every) and step % self.cfg.snapshot_every == 0

    def snapshot(self, now: Progress) -> None:
        """Save the image, if it is due."""
        if self.snapshot_is_due(now.step):
            picture = to_pil(self._image(now))
            file = self.folder.save_image(f"snapshots/step_{now.step:06d}.png", picture)
            self._sink.log_image(now.step, "snapshot", file, f"step {now.step}")

    def finish(self, transfer: Transfer, values: list[float], shared: Mapping[str, Any]) -> None:
        """Write the result, the sheet and the record."""
        assert self._last is not None
        self._steps.close()
        image, originals = self._image(self._last), self._originals(transfer.stage)
        for name, original in originals.items():
            self.folder.save_image(f"{name}.png", to_pil(original))
        record = {
            "status": "completed",
            "task": self.cfg.task.name,
            "losses": group_terms(self._names, values),
            "terms": dict(zip(self._names, values, strict=True)),
            **_similarity(image, originals.get("content")),
            "restarts": int(self._last.restarts[self.number]),
            **shared,
            **self.facts,
        }
        picture = self.folder.save_image("sheet.png", _sheet(self.cfg, originals, image))
        self._sink.log_image(self._last.step, "sheet", picture, self.context.name)
        self.folder.save_record(record)  # before W&B finishes, which may hang or fail
        self._sink.summarise({key: record[key] for key in _RESULTS})
        self.outcome = record


def _mentions(context: Context, *keys: str) -> bool:
    return any(override.partition("=")[0] in keys for override in context.overrides)


def _sink(cfg: Config, context: Context) -> AbstractContextManager[Sink]:
    if cfg.logger.name is LoggerName.none:
        return nullcontext(NoSink())
    return wandb_sink(
        context.folder,
        mode="online" if cfg.logger.mode is WandbMode.online else "offline",
        project=cfg.logger.project,
        entity=cfg.logger.entity,
        group=_group(cfg, context),
        study=cfg.study.name,
        name=context.name,
        job_type=cfg.task.name,
        tags=labels.run_tags(cfg),
        config={**to_dict(cfg), **labels.facets(cfg), "config_hash": config_hash(cfg)},
    )


def _group(cfg: Config, context: Context) -> str | None:
    return cfg.logger.group or context.group


def _shared_results(
    transfer: Transfer, last: Progress, setup: float, loop: float, peak: float | None
) -> dict[str, Any]:
    """What the runs of a batch have in common; seconds are each run's share of the wall time.

    Args:
        setup: seconds before the first step, of the batch
        loop: seconds of the loop over the steps, with all that is written on the way
        peak: memory in MB, of the batch
    """
    cfg, batch = transfer.cfg, len(transfer.cfgs)
    height, width = transfer.stage.output
    evaluations = last.step + len(all_passes(cfg))
    return {
        "steps": last.step,
        "seconds": round(last.seconds / batch, 4),
        "seconds_per_step": round(last.seconds / batch / evaluations, 6),
        "seconds_setup": round(setup / batch, 3),
        "batch": batch,
        "batch_seconds": round(last.seconds, 4),
        "loop_seconds": round(loop, 4),
        "peak_memory_mb": None if peak is None else round(peak, 1),
        "width": width,
        "height": height,
        "backbone": {"name": transfer.backbone.name, **_weights(transfer)},
        "precision": _precision(transfer),
        "memory": transfer.memory.as_dict(),
        "device": str(transfer.device),
        "device_name": records.device_name(str(transfer.device)),
        "threads": torch.get_num_threads(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _facts(cfg: Config, context: Context) -> dict[str, Any]:
    """What went in: the config, the code and the pictures."""
    commit, dirty = records.git_commit()
    return {
        "seed": cfg.seed,
        "group": _group(cfg, context),
        "images": _sources(cfg),
        "config_hash": config_hash(cfg),
        "versions": records.versions(),
        "commit": commit,
        "dirty": dirty,
        "overrides": list(context.overrides),
        "config": to_dict(cfg),
    }


def _weights(transfer: Transfer) -> dict[str, str]:
    weights = asdict(transfer.backbone.weights)
    return {"weights": weights["name"], "sha256": weights["sha256"]}


def _precision(transfer: Transfer) -> dict[str, str | None]:
    """What the steps were computed in, and why; the record's own losses are float32's."""
    chosen = transfer.precision
    return {"name": chosen.name, "why": chosen.why, "fell_back": transfer.fell_back}


def _similarity(images: Tensor, content: Tensor | None) -> dict[str, float | None]:
    """PSNR and SSIM to the content image; None for a texture, which has none."""
    if content is None:
        return {"psnr": None, "ssim": None}
    a, b = to_uint8(images)[0], to_uint8(content)[0]
    return {"psnr": metrics.psnr(a, b), "ssim": metrics.ssim(a, b)}


def _sources(cfg: Config) -> dict[str, Any]:
    """The images used; of a file also the sha256 of its bytes."""
    found: dict[str, Any] = {}
    for key, source in used_images(cfg).items():
        path = Path(source).expanduser()
        is_file = source not in SAMPLES and path.is_file()
        digest = hashlib.sha256(path.read_bytes()).hexdigest() if is_file else None
        found[key] = {"source": source, "sha256": digest}
    return found


def _sheet(cfg: Config, originals: Mapping[str, Tensor], image: Tensor) -> Image:
    pictures = [(f"{k}: {_short(getattr(cfg, k))}", to_pil(o)) for k, o in originals.items()]
    return sheet([*pictures, (cfg.task.name, to_pil(image))])


def _short(source: str) -> str:
    return Path(source).stem


def _report(record: Mapping[str, Any], folder: Path) -> None:
    losses = ", ".join(f"{k} {v:.4g}" for k, v in record["losses"].items())
    close = "" if record["psnr"] is None else f", PSNR {record['psnr']:.1f} dB to the content"
    batch, whole = record["batch"], record["batch_seconds"]
    share = "" if batch == 1 else f" (a share of {whole:.1f} s for {batch} runs at once)"
    took = f"{record['steps']} steps in {record['seconds']:.1f} s{share}"
    log.info("%s after %s%s", losses, took, close)
    if record["precision"]["fell_back"]:
        log.info("precision: %s", record["precision"]["fell_back"])
    if record["restarts"]:
        log.info("the guard went back to the best image %d times", record["restarts"])
    log.info("%s", _relative(folder / "image.png"))
    log.info("%s", _relative(folder / "sheet.png"))


def _relative(path: Path) -> Path:
    try:
        return path.relative_to(Path.cwd())
    except ValueError:
        return path
