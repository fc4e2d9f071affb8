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
import json
import logging
import sys
from dataclasses import asdict
from pathlib import Path
from typing import cast

import hydra
import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from safetensors.torch import save_file
from torch import Tensor, nn

from experiments.backbone.loop import (
    cosine,
    learn,
    load_checkpoint,
    overrides,
    save_checkpoint,
    training_record,
)
from experiments.backbone.pool import PHOTOS, calibration, draw_pool
from experiments.backbone.self_supervision import Padding, Student, Tasks, crops
from experiments.backbone.settings import TrainConfig, check, training_key
from nst.backbones.activations import normalize_activations
from nst.backbones.load import load_backbone
from nst.backbones.network import Backbone
from nst.backbones.weights import torchvision_state
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
        """Of the next step: ``cfg.learning_rate`` times its share (:func:`cosine`)."""
        return self.cfg.learning_rate * cosine(self.step, self.cfg.steps)

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
        }
        save_checkpoint(state, training_key(self.cfg), file)

    def load(self, file: Path) -> None:
        """Go on from a checkpoint.

        Raises:
            InputError: it was made with other settings.
        """
        state = load_checkpoint(file, training_key(self.cfg), self.cfg.device)
        self.student.load_state_dict(state["student"])
        self.tasks.load_state_dict(state["tasks"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds = state["step"], state["seconds"]


def write_result(trainer: Trainer, losses: list[dict[str, float]], folder: Path) -> Path:
    """The weights in float16 under torchvision's keys, and the record beside them."""
    state = torchvision_state(trainer.result(trainer.cfg.mix))
    state = {key: value.half().contiguous() for key, value in state.items()}
    file = folder / "vgg19_mini.safetensors"
    save_file(state, file, metadata={"made_by": "experiments.backbone.train"})
    record = {
        "command": " ".join(["python -m experiments.backbone.train", *overrides()]),
        **training_record(trainer, losses, file),
        "photos": list(PHOTOS),
        "config": asdict(trainer.cfg),
    }
    file.with_suffix(".json").write_text(json.dumps(record, indent=2) + "\n")
    return file


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="train_backbone")
def main(composed: DictConfig) -> None:
    """Draw the images, train, average, write."""
    cfg: TrainConfig = OmegaConf.to_object(composed)  # type: ignore[assignment]
    folder = Path(HydraConfig.get().runtime.output_dir)
    try:
        check(cfg)
        trainer = Trainer(cfg, draw_pool(cfg, folder.parent))
        log.info("written: %s", write_result(trainer, learn(trainer, folder), folder))
    except InputError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted; the same command goes on from the last checkpoint")


if __name__ == "__main__":
    main()
