"""Train the small backbone that ships, from nothing but the package and its dependencies.

Question: how good can a network be that has seen no labels and no downloaded image?
Command: ``python -m experiments.backbone.train`` (the same again resumes it).
Cost: see the shipped file's record, nst/backbones/shipped/vgg19_mini.json.
Finding: docs/backbone.md.

It starts from filters clustered from patches (:mod:`nst.backbones.kmeans`), trains them without
labels (:mod:`experiments.backbone.self_supervision`), averages start and end, and folds the
normalisation away.
"""

from __future__ import annotations

import copy
import hashlib
import json
import logging
import math
import os
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any, cast, get_args

import hydra
import torch
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from safetensors.torch import save_file
from torch import Tensor, nn
from tqdm import tqdm

from experiments.backbone.self_supervision import Padding, Student, Tasks, crops
from nst.backbones.activations import normalize_activations
from nst.backbones.load import load_backbone
from nst.backbones.network import Backbone
from nst.command.configs import CONF
from nst.config import Pooling
from nst.errors import InputError
from nst.pictures.procedural import TRAINING_PHOTOS, training_images

log = logging.getLogger(__name__)

PHOTOS = (*TRAINING_PHOTOS, "astronaut", "cell", "clock", "microaneurysms", "retina", "rocket")
"""Photographs of scikit-image's wheel that are CC0 or in the public domain; chelsea and coffee are
left out because backbones are judged on them."""


@dataclass
class TaskWeights:
    """Weight of each task; 0 leaves it out."""

    identity: float = 1.0
    reconstruction: float = 3.0
    teacher: float = 0.0


@dataclass
class TrainConfig:
    """Keys of the command line."""

    name: str = "vgg19_mini"
    seed: int = 0
    steps: int = 3000
    batch: int = 128
    side: int = 64
    images: int = 6000
    image_side: int = 160
    photos: float = 0.35
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.03
    weights: TaskWeights = field(default_factory=TaskWeights)
    teacher: str = "imagenet"
    pooling: str = "avg"
    padding: str = "zeros"
    mix: float = 0.5
    device: str = "cpu"
    checkpoint_every: int = 250


ConfigStore.instance().store(name="train_backbone_schema", node=TrainConfig)


def check(cfg: TrainConfig) -> None:
    """Raise InputError where a value makes no sense."""
    for key in ("steps", "batch", "images", "checkpoint_every"):
        if getattr(cfg, key) < 1:
            raise InputError(f"{key}={getattr(cfg, key)} must be at least 1")
    if cfg.side % 16 or cfg.side < 32:
        raise InputError(f"side={cfg.side} must be a multiple of 16 and at least 32")
    for key, choices in (("pooling", Pooling.__members__), ("padding", get_args(Padding))):
        if getattr(cfg, key) not in choices:
            raise InputError(f"{key}={getattr(cfg, key)} must be one of {', '.join(choices)}")
    if cfg.image_side < cfg.side:
        raise InputError(f"image_side={cfg.image_side} must be at least side={cfg.side}")
    for key in ("photos", "mix"):
        if not 0 <= getattr(cfg, key) <= 1:
            raise InputError(f"{key}={getattr(cfg, key)} must be from 0 to 1")


def draw_pool(cfg: TrainConfig, folder: Path) -> Tensor:
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


def _draw(cfg: TrainConfig, first: int, count: int) -> Tensor:
    images = training_images(
        count, cfg.image_side, cfg.seed + 1, photos=cfg.photos, names=PHOTOS, first=first
    )
    return (images * 255).round().to(torch.uint8)


class Trainer:
    """Everything that a checkpoint holds, and one step of it."""

    def __init__(
        self,
        cfg: TrainConfig,
        pool: Tensor,
        start: Backbone | None = None,
        teacher: Backbone | None = None,
    ):
        """
        Args:
            cfg: how to train
            pool: (P, 3, S, S) uint8, the images to learn from
            start: the network to start from; None: filters clustered from patches
            teacher: what ``weights.teacher`` learns from; None: as ``cfg.teacher`` says

        Raises:
            InputError: the teacher's weights cannot be loaded.
        """
        torch.manual_seed(cfg.seed)
        self.cfg, self.pool = cfg, pool
        device = torch.device(cfg.device)
        self.calibration = calibration(pool)
        self.origin = start or load_backbone("vgg19_mini", "kmeans", cfg.pooling, seed=cfg.seed)
        self.student = Student(self.origin, self.calibration, cast(Padding, cfg.padding))
        self.start = copy.deepcopy(self.student.state_dict())
        if cfg.weights.teacher and teacher is None:
            teacher = load_backbone("squeezenet1_0", cfg.teacher, "max")
        self.tasks = Tasks(self.student, len(pool), asdict(cfg.weights), teacher)
        if teacher is not None:
            teacher.to(device)
        self.student.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.tasks.to(device)
        parameters = [*self.student.parameters(), *self.tasks.parameters()]
        groups = [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": cfg.weight_decay},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ]
        self.parameters = parameters
        self.optimizer = torch.optim.AdamW(groups, lr=cfg.learning_rate, betas=(0.9, 0.98))
        self.step, self.seconds = 0, 0.0

    def learning_rate(self) -> float:
        """Linear warm-up over 150 steps, then half a cosine down to a hundredth."""
        cosine = 0.5 * (1 + math.cos(math.pi * self.step / self.cfg.steps))
        return self.cfg.learning_rate * min(1, (self.step + 1) / 150) * (0.99 * cosine + 0.01)

    def train_step(self) -> dict[str, float]:
        """One step; what it sees depends on the seed and the step's number alone."""
        cfg, device = self.cfg, torch.device(self.cfg.device)
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate()
        generator = torch.Generator().manual_seed(cfg.seed * 1_000_003 + self.step)
        batch = crops(self.pool, cfg.batch, cfg.side, generator)
        index, seen, clean = (t.to(device) for t in batch)
        seen = seen.contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, dtype=torch.bfloat16):
            features = self.student(seen, self.tasks.layers)
            losses = self.tasks(features, index, seen, clean)
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(torch.stack(list(losses.values())).sum())
        nn.utils.clip_grad_norm_(self.parameters, 5.0)
        self.optimizer.step()
        self.step += 1
        return {name: float(loss.detach()) for name, loss in losses.items()}

    def result(self, mix: float) -> Backbone:
        """Start and end averaged, ``mix`` of the end; normalisation folded away."""
        student = copy.deepcopy(self.student).cpu()
        end = student.state_dict()
        student.load_state_dict(
            {
                key: torch.lerp(self.start[key], value, mix) if value.is_floating_point() else value
                for key, value in end.items()
            }
        )
        student.estimate_statistics(self.calibration)
        backbone = copy.deepcopy(self.origin)
        backbone.chain.load_state_dict(student.fold(), assign=True)
        normalize_activations(backbone, self.calibration)
        return backbone

    def save(self, file: Path) -> None:
        """A checkpoint, renamed into place."""
        state = {
            **{"step": self.step, "seconds": self.seconds, "student": self.student.state_dict()},
            **{"tasks": self.tasks.state_dict(), "optimizer": self.optimizer.state_dict()},
            "config": training_key(self.cfg),
        }
        partial = file.with_suffix(".part")
        torch.save(state, partial)
        partial.replace(file)

    def load(self, file: Path) -> None:
        """Go on from a checkpoint.

        Raises:
            InputError: it was made with other settings.
        """
        state = torch.load(file, map_location=self.cfg.device)
        if state["config"] != training_key(self.cfg):
            raise InputError(
                f"{file} comes from other settings; choose another name=, or delete the folder"
            )
        self.student.load_state_dict(state["student"])
        self.tasks.load_state_dict(state["tasks"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds = state["step"], state["seconds"]


def calibration(pool: Tensor, count: int = 64, side: int = 128) -> Tensor:
    """Evenly spaced images of the pool, cut to a square, for statistics: (N, 3, side, side)."""
    chosen = pool[:: max(1, len(pool) // count)][:count, :, :side, :side]
    return chosen.float() / 255


def training_key(cfg: TrainConfig) -> str:
    """What decides the result, as text; mix is applied afterwards."""
    values = asdict(cfg)
    for key in ("name", "mix", "device", "checkpoint_every"):
        del values[key]
    return json.dumps(values, sort_keys=True)


def train(trainer: Trainer, folder: Path) -> list[dict[str, float]]:
    """Steps until the end, with a bar, checkpoints and a line of losses for every one."""
    cfg, checkpoint, history = trainer.cfg, folder / "checkpoint.pt", folder / "losses.jsonl"
    if checkpoint.is_file():
        trainer.load(checkpoint)
        log.info("going on from step %d", trainer.step)
    lines = history.read_text().splitlines()[: trainer.step] if history.is_file() else []
    losses = [json.loads(line) for line in lines]
    history.write_text("".join(f"{line}\n" for line in lines))
    bar = tqdm(initial=trainer.step, total=cfg.steps, desc="training", unit="step", disable=None)
    with bar, history.open("a") as file:
        began = time.perf_counter() - trainer.seconds
        while trainer.step < cfg.steps:
            losses.append(trainer.train_step())
            trainer.seconds = time.perf_counter() - began
            file.write(json.dumps(losses[-1]) + "\n")
            bar.set_postfix_str(f"loss {sum(losses[-1].values()):.3f}")
            bar.update()
            if trainer.step % cfg.checkpoint_every == 0 or trainer.step == cfg.steps:
                file.flush()
                trainer.save(checkpoint)
                log.info("step %d, %.0f s: %s", trainer.step, trainer.seconds, _mean(losses[-100:]))
    return losses


def _mean(losses: list[dict[str, float]]) -> dict[str, float]:
    return {key: round(sum(x[key] for x in losses) / len(losses), 4) for key in losses[0]}


def write_result(trainer: Trainer, losses: list[dict[str, float]], folder: Path) -> Path:
    """The weights in float16 under torchvision's keys, and the record beside them."""
    chain = trainer.result(trainer.cfg.mix).chain
    state = {
        f"{i}.{key}": value.half().contiguous()
        for i, module in enumerate(chain.values())
        for key, value in module.state_dict().items()
    }
    file = folder / "vgg19_mini.safetensors"
    save_file(state, file, metadata={"made_by": "experiments.backbone.train"})
    record: dict[str, Any] = {
        "command": " ".join(["python -m experiments.backbone.train", *_overrides()]),
        "commit": commit(),
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "seconds": round(trainer.seconds),
        "device": f"{trainer.cfg.device}, {torch.get_num_threads()} threads",
        "torch": torch.__version__,
        "losses_first_100": _mean(losses[:100]),
        "losses_last_100": _mean(losses[-100:]),
        "photos": list(PHOTOS),
        "config": asdict(trainer.cfg),
    }
    file.with_suffix(".json").write_text(json.dumps(record, indent=2) + "\n")
    return file


def commit() -> str:
    """The repository's commit, marked where the working tree differs from it; else "unknown"."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        process = subprocess.run(
            command, cwd=CONF.parent, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return process.stdout.strip()


def _overrides() -> list[str]:
    return list(HydraConfig.get().overrides.task) if HydraConfig.initialized() else []


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="train_backbone")
def main(composed: DictConfig) -> None:
    """Draw the images, train, average, write."""
    cfg: TrainConfig = OmegaConf.to_object(composed)  # type: ignore[assignment]
    folder = Path(HydraConfig.get().runtime.output_dir)
    try:
        check(cfg)
        trainer = Trainer(cfg, draw_pool(cfg, folder.parent))
        log.info("written: %s", write_result(trainer, train(trainer, folder), folder))
    except InputError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted; the same command goes on from the last checkpoint")


if __name__ == "__main__":
    main()
