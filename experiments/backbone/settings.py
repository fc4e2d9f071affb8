"""How a backbone is trained: the keys of the command line, their defaults, and their checks."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Protocol, get_args

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


@dataclass
class NarrowConfig:
    """Keys of the command line of :mod:`experiments.backbone.narrow`."""

    teacher: str = ""
    name: str = "vgg16_mini"
    seed: int = 0
    narrowing: int = 600
    steps: int = 3500
    batch: int = 8
    side: int = 96
    images: int = 3000
    image_side: int = 160
    photos: float = 0.5
    learning_rate: float = 0.01
    pooling: str = "avg"
    device: str = "cpu"
    checkpoint_every: int = 250


ConfigStore.instance().store(name="train_backbone_schema", node=TrainConfig)
ConfigStore.instance().store(name="narrow_backbone_schema", node=NarrowConfig)


class Drawing(Protocol):
    """The settings that decide the images to learn from."""

    seed: int
    images: int
    image_side: int
    photos: float


def check(cfg: TrainConfig | NarrowConfig) -> None:
    """Raise InputError where a value makes no sense."""
    counts = ["steps", "batch", "images", "checkpoint_every"]
    shares, choices = ["photos"], {"pooling": list(Pooling.__members__)}
    if isinstance(cfg, NarrowConfig):
        counts.append("narrowing")
        if not cfg.teacher:
            raise InputError(
                "teacher is not set; give VGG-16's weights, teacher=PATH, imagenet or caffe"
            )
    else:
        shares.append("mix")
        choices["padding"] = list(get_args(Padding))
    for key in counts:
        if getattr(cfg, key) < 1:
            raise InputError(f"{key}={getattr(cfg, key)} must be at least 1")
    if not cfg.learning_rate > 0:
        raise InputError(f"learning_rate={cfg.learning_rate:g} must be above 0")
    if cfg.side % 16 or cfg.side < 32:
        raise InputError(f"side={cfg.side} must be a multiple of 16 and at least 32")
    for key, names in choices.items():
        if getattr(cfg, key) not in names:
            raise InputError(f"{key}={getattr(cfg, key)} must be one of {', '.join(names)}")
    if cfg.image_side < cfg.side:
        raise InputError(f"image_side={cfg.image_side} must be at least side={cfg.side}")
    for key in shares:
        if not 0 <= getattr(cfg, key) <= 1:
            raise InputError(f"{key}={getattr(cfg, key)} must be from 0 to 1")


def training_key(cfg: TrainConfig) -> str:
    """What decides the result, as text; mix is applied afterwards."""
    return _key(cfg, ("name", "mix", "device", "checkpoint_every"))


def narrow_key(cfg: NarrowConfig) -> str:
    """What decides the result of a narrowing, as text, beside the teacher's weights."""
    return _key(cfg, ("name", "teacher", "device", "checkpoint_every"))


def _key(cfg: TrainConfig | NarrowConfig, without: tuple[str, ...]) -> str:
    values = {key: value for key, value in asdict(cfg).items() if key not in without}
    return json.dumps(values, sort_keys=True)
