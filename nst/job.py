"""One job: run a config and write down everything about it."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from nst import metrics, records
from nst.config import Config, LoggerName, WandbMode, config_hash, to_dict, used_images
from nst.images import quantise, to_pil, to_uint8
from nst.names import SAMPLES
from nst.objective import group_terms
from nst.sheets import sheet
from nst.tracking import NoSink, Sink, wandb_sink
from nst.transfer import Progress, Transfer

log = logging.getLogger(__name__)

_HOW_TO_START_RANDOM = (
    "the start is a picture without noise, as a transfer's is; choose init=noise, or init=content "
    "with init.scale"
)


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


def run_job(cfg: Config, context: Context) -> dict[str, Any]:
    """Run a config and record it in the context's folder.

    What is computed before an interruption or an error stays: the latest image and the trace are
    written either way; only ``record.json`` is missing.

    Returns:
        The record, as ``record.json`` holds it.

    Raises:
        InputError: the config cannot work.
    """
    begin = time.perf_counter()
    folder = records.RunFolder(context.folder)
    folder.save_config(to_dict(cfg))
    facts = _facts(cfg, context)  # before the run: what was there when it began
    transfer = Transfer(cfg)
    if not transfer.start_is_random and _mentions(context, "seed", "init.scale"):
        log.warning("seed and init.scale decide nothing here: %s", _HOW_TO_START_RANDOM)
    memory = records.PeakMemory(str(transfer.device))
    setup = time.perf_counter() - begin
    with _sink(cfg, context) as sink:
        last = _optimise(transfer, folder, sink)
        record = {**_results(transfer, last, memory), "seconds_setup": round(setup, 3), **facts}
        picture = folder.save_image("sheet.png", _sheet(transfer, last.images))
        sink.log_image(last.step, "sheet", picture, context.name)
        folder.save_record(record)  # before W&B finishes, which may hang or fail
        sink.summarise({k: record[k] for k in ("losses", "psnr", "ssim", "seconds_per_step")})
    _report(record, context.folder)
    return record


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
        group=cfg.logger.group or context.group,
        name=context.name,
        job_type=cfg.task.name,
        tags=[cfg.task.name, cfg.backbone.name.name, *cfg.logger.tags],
        config={**to_dict(cfg), "config_hash": config_hash(cfg)},
    )


def _optimise(transfer: Transfer, folder: records.RunFolder, sink: Sink) -> Progress:
    """Run to the end, writing the trace and the snapshots; the last step's progress."""
    names = transfer.stage.objective.names
    trace = records.Trace(folder.path / "trace.csv", names)
    bar = tqdm(total=transfer.total_steps, unit="step", disable=None, leave=False)
    last: Progress | None = None
    try:
        with bar:
            for last in transfer.run():
                values = last.terms[0].tolist()
                terms = dict(zip(names, values, strict=True)) | group_terms(names, values)
                trace.write(last.step, last.seconds, terms)
                sink.log(last.step, terms)
                _snapshot(transfer, last, folder, sink)
                bar.update(last.step - bar.n)
                bar.set_postfix_str(f"loss {terms['total']:.4g}", refresh=False)
    finally:
        trace.close()
        if last is not None:
            folder.save_image("image.png", to_pil(last.images))
    assert last is not None  # step 0 is always there
    return last


def _snapshot(transfer: Transfer, now: Progress, folder: records.RunFolder, sink: Sink) -> None:
    every = transfer.cfg.snapshot_every
    if every and now.step % every == 0:
        file = folder.save_image(f"snapshots/step_{now.step:06d}.png", to_pil(now.images))
        sink.log_image(now.step, "snapshot", file, f"step {now.step}")


def _results(transfer: Transfer, last: Progress, memory: records.PeakMemory) -> dict[str, Any]:
    """What came out: losses and similarity of the saved image, time and memory."""
    cfg, stage = transfer.cfg, transfer.stage
    names = stage.objective.names
    peak = memory.megabytes()  # of the optimisation alone
    with torch.no_grad():  # on the image as it is saved: 8 bits, within [0, 1]
        values = stage.objective(quantise(last.images))[0].tolist()
    height, width = stage.output
    evaluations = last.step + 1 + len(cfg.passes)
    return {
        "status": "completed",
        "task": cfg.task.name,
        "losses": group_terms(names, values),
        "terms": dict(zip(names, values, strict=True)),
        **_similarity(last.images, stage.content),
        "steps": last.step,
        "seconds": round(last.seconds, 4),
        "seconds_per_step": round(last.seconds / evaluations, 6),
        "peak_memory_mb": None if peak is None else round(peak, 1),
        "restarts": last.restarts,
        "width": width,
        "height": height,
        "backbone": {"name": transfer.backbone.name, **_weights(transfer)},
        "precision": _precision(transfer),
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


def _sheet(transfer: Transfer, images: Tensor) -> Any:
    cfg, stage = transfer.cfg, transfer.stage
    pictures = []
    if stage.content is not None:
        pictures.append((f"content: {_short(cfg.content)}", to_pil(stage.content)))
    if stage.style is not None:
        pictures.append((f"style: {_short(cfg.style)}", to_pil(stage.style)))
    pictures.append((cfg.task.name, to_pil(images)))
    return sheet(pictures)


def _short(source: str) -> str:
    return Path(source).stem


def _report(record: Mapping[str, Any], folder: Path) -> None:
    losses = ", ".join(f"{k} {v:.4g}" for k, v in record["losses"].items())
    close = "" if record["psnr"] is None else f", PSNR {record['psnr']:.1f} dB to the content"
    log.info("%s after %d steps in %.1f s%s", losses, record["steps"], record["seconds"], close)
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
