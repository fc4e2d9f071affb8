"""The images that a backbone learns from."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from experiments.backbone.settings import Drawing
from nst.pictures.procedural import TRAINING_PHOTOS, training_images

PHOTOS = (*TRAINING_PHOTOS, "astronaut", "cell", "clock", "microaneurysms", "retina", "rocket")
"""Photographs of scikit-image's wheel that are CC0 or in the public domain; chelsea and coffee are
left out because backbones are judged on them."""


def draw_pool(cfg: Drawing, folder: Path) -> Tensor:
    """The images to learn from, (P, 3, S, S) uint8; kept in a file, for they take minutes."""
    key = f"{cfg.images}_{cfg.image_side}_{cfg.photos:g}_{cfg.seed}"
    file = folder / f"pool_{key}.pt"
    if file.is_file():
        pool: Tensor = torch.load(file)
        return pool
    edges = [*range(0, cfg.images, 50), cfg.images]
    parts = []
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as workers:
        jobs = [workers.submit(_draw, cfg, a, b - a) for a, b in pairwise(edges)]
        for job in tqdm(jobs, desc="drawing images", unit_scale=50, disable=None):
            parts.append(job.result())
    pool = torch.cat(parts)
    partial = file.with_suffix(f".{os.getpid()}.part")
    torch.save(pool, partial)
    partial.replace(file)
    return pool


def _draw(cfg: Drawing, first: int, count: int) -> Tensor:
    images = training_images(
        count, cfg.image_side, cfg.seed + 1, photos=cfg.photos, names=PHOTOS, first=first
    )
    return (images * 255).round().to(torch.uint8)


def calibration(pool: Tensor, count: int = 64, side: int = 128) -> Tensor:
    """Evenly spaced images of the pool, cut to a square, for statistics: (N, 3, side, side)."""
    chosen = pool[:: max(1, len(pool) // count)][:count, :, :side, :side]
    return chosen.float() / 255
