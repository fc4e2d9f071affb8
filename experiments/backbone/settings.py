"""How a backbone is trained: the keys of the command line, their defaults, and their checks."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import get_args

from hydra.core.config_store import ConfigStore

from experiments.backbone.self_supervision import Padding
from nst.config import Pooling
from nst.errors import InputError


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


def training_key(cfg: TrainConfig) -> str:
    """What decides the result, as text; mix is applied afterwards."""
    values = asdict(cfg)
    for key in ("name", "mix", "device", "checkpoint_every"):
        del values[key]
    return json.dumps(values, sort_keys=True)
