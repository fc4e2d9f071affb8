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
from nst.config import Config, LoggerName, Task, WandbMode, config_hash, to_dict
from nst.images import quantise, to_pil, to_uint8
from nst.objective import group_terms
from nst.sheets import sheet
from nst.tracking import NoSink, Sink, wandb_sink
from nst.transfer import Progress, Transfer

log = logging.getLogger(__name__)


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
    transfer = Transfer(cfg)
    memory = records.PeakMemory(str(transfer.device))
    setup = time.perf_counter() - begin
    with _sink(cfg, context) as sink:
        last = _optimise(transfer, folder, sink)
        record = _record(transfer, last, context, memory)
        record["seconds_setup"] = round(setup, 3)
        picture = folder.save_image("sheet.png", _sheet(transfer, last.images))
        sink.log_image(last.step, "sheet", picture, context.name)
        sink.summarise({k: record[k] for k in ("losses", "psnr", "ssim", "seconds_per_step")})
    folder.save_record(record)
    _report(record, context.folder)
    return record


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


def _record(
    transfer: Transfer, last: Progress, context: Context, memory: records.PeakMemory
) -> dict[str, Any]:
    cfg, stage = transfer.cfg, transfer.stage
    names = stage.objective.names
    peak = memory.megabytes()  # of the optimisation alone
    with torch.no_grad():  # on the image as it is saved: 8 bits, within [0, 1]
        values = stage.objective(quantise(last.images))[0].tolist()
    commit, dirty = records.git_commit()
    height, width = stage.output
    return {
        "status": "completed",
        "task": cfg.task.name,
        "losses": group_terms(names, values),
        "terms": dict(zip(names, values, strict=True)),
        **_similarity(last.images, stage.content),
        "steps": last.step,
        "seconds": round(last.seconds, 4),
        "seconds_per_step": round(last.seconds / (last.step + 1), 6),
        "peak_memory_mb": None if peak is None else round(peak, 1),
        "restarts": last.restarts,
        "seed": cfg.seed,
        "width": width,
        "height": height,
        "backbone": {"name": transfer.backbone.name, **_weights(transfer)},
        "images": _sources(cfg),
        "config_hash": config_hash(cfg),
        "versions": records.versions(),
        "device": str(transfer.device),
        "device_name": records.device_name(str(transfer.device)),
        "threads": torch.get_num_threads(),
        "commit": commit,
        "dirty": dirty,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "overrides": list(context.overrides),
        "config": to_dict(cfg),
    }


def _weights(transfer: Transfer) -> dict[str, str]:
    weights = asdict(transfer.backbone.weights)
    return {"weights": weights["name"], "sha256": weights["sha256"]}


def _similarity(images: Tensor, content: Tensor | None) -> dict[str, float | None]:
    """PSNR and SSIM to the content image; None for a texture, which has none."""
    if content is None:
        return {"psnr": None, "ssim": None}
    a, b = to_uint8(images)[0], to_uint8(content)[0]
    return {"psnr": metrics.psnr(a, b), "ssim": metrics.ssim(a, b)}


def _sources(cfg: Config) -> dict[str, Any]:
    """The images used; of a file also the sha256 of its bytes."""
    used = {"content": cfg.task is not Task.texture, "style": cfg.task is not Task.content}
    found: dict[str, Any] = {}
    for key in (key for key, needed in used.items() if needed):
        source = getattr(cfg, key)
        path = Path(source).expanduser()
        digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
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
    if record["restarts"]:
        log.info("the guard went back to the best image %d times", record["restarts"])
    log.info("%s", _relative(folder / "image.png"))
    log.info("%s", _relative(folder / "sheet.png"))


def _relative(path: Path) -> Path:
    try:
        return path.relative_to(Path.cwd())
    except ValueError:
        return path
