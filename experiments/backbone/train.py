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
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import hydra
import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from safetensors.torch import save_file
from torch import Tensor, nn
from tqdm import tqdm

from experiments.backbone.pool import PHOTOS, calibration, draw_pool
from experiments.backbone.self_supervision import Padding, Student, Tasks, crops
from experiments.backbone.settings import TrainConfig, check, training_key
from nst.backbones.activations import normalize_activations
from nst.backbones.load import load_backbone
from nst.backbones.network import Backbone
from nst.command.configs import CONF
from nst.errors import InputError

log = logging.getLogger(__name__)


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
