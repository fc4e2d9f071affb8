"""What ``record.json`` says of a run."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import torch
from torch import Tensor

from nst.config import Config, config_hash, to_dict, used_images
from nst.config.samples import source_file
from nst.losses.terms import WeightedTerms, sum_by_kind
from nst.pictures import measures
from nst.pictures.files import to_uint8
from nst.runs.context import Context
from nst.runs.passes import all_passes
from nst.runs.recording import provenance
from nst.runs.recording.labels import short_name, sweep_group
from nst.runs.transfer import Progress, Transfer


def shared_results(
    transfer: Transfer,
    last: Progress,
    setup: float,
    loop: float,
    peak: float | None,
    threads_why: str,
) -> dict[str, Any]:
    """What the runs of a batch have in common; seconds are each run's share of the wall time.

    Args:
        transfer: the batch, at its end
        last: its last step
        setup: seconds before the first step, of the batch
        loop: seconds of the loop over the steps, with all that is written on the way
        peak: memory in MB, of the batch
        threads_why: what decided how many threads there are
    """
    cfg, batch = transfer.cfg, len(transfer.cfgs)
    height, width = transfer.current.output
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
        "device_name": provenance.device_name(str(transfer.device)),
        "threads": torch.get_num_threads(),
        "threads_why": threads_why,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def final_losses(spec: WeightedTerms, losses: Sequence[float]) -> dict[str, Any]:
    """The losses of a run's saved image, weighted and before their weights.

    Args:
        spec: the run's terms and weights
        losses: of its terms, before their weights

    Returns:
        ``losses``: the weighted sums by kind, with ``total``; ``terms``: the weighted terms;
        ``losses_unweighted``: the kinds before their weights, ``Σ w_l L_l`` with the weights of the
        layers, None for a kind that the run does not have; ``terms_unweighted``: each term's L_l.
        Terms whose weight is 0 have their unweighted loss, too.
    """
    weighted = spec.weighted(losses)
    return {
        "losses": sum_by_kind(spec.terms, weighted),
        "terms": dict(zip(spec.names, weighted, strict=True)),
        "losses_unweighted": spec.sum_unweighted(losses),
        "terms_unweighted": dict(zip(spec.names, losses, strict=True)),
    }


def facts(cfg: Config, context: Context) -> dict[str, Any]:
    """What went in: the config, the code and the pictures."""
    commit, dirty = provenance.git_commit()
    return {
        "seed": cfg.seed,
        "group": group_of(cfg, context),
        "images": _sources(cfg),
        "config_hash": config_hash(cfg),
        "versions": provenance.versions(),
        "commit": commit,
        "dirty": dirty,
        "overrides": list(context.overrides),
        "config": to_dict(cfg),
    }


def _weights(transfer: Transfer) -> dict[str, str]:
    record = transfer.backbone.weights_record
    return {"weights": record.name, "sha256": record.sha256}


def _precision(transfer: Transfer) -> dict[str, str | None]:
    """What the steps were computed in, and why; the record's own losses are float32's."""
    chosen = transfer.precision
    return {"name": chosen.name, "why": chosen.why, "fell_back": transfer.fell_back}


def similarity(images: Tensor, content: Tensor | None) -> dict[str, float | None]:
    """PSNR and SSIM to the content image; None for a texture, which has none."""
    if content is None:
        return {"psnr": None, "ssim": None}
    a, b = to_uint8(images)[0], to_uint8(content)[0]
    return {"psnr": measures.psnr(a, b), "ssim": measures.ssim(a, b)}


def _sources(cfg: Config) -> dict[str, Any]:
    """The images used; of a file also the sha256 of its bytes."""
    sources: dict[str, Any] = {}
    for key, source in used_images(cfg).items():
        file = source_file(source)
        digest = None if file is None else hashlib.sha256(file.read_bytes()).hexdigest()
        sources[key] = {"source": source, "sha256": digest}
    return sources


def group_of(cfg: Config, context: Context) -> str | None:
    """The W&B group: as configured, else the sweep's, by the name of its folder."""
    if cfg.logger.group:
        return short_name(cfg.logger.group)
    return sweep_group(context.group) if context.group else None
