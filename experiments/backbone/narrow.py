"""Make the small backbone that pictures are made with, from ImageNet's VGG-16.

Question: how small can VGG-16 be and still make its pictures?
Command: ``python -m experiments.backbone.narrow teacher=VGG16.safetensors`` (the same again resumes
it).
Cost: see the shipped file's record, nst/backbones/shipped/vgg16_mini.json.
Finding: docs/backbone.md.

First the channels are chosen and the filters fitted (:mod:`experiments.backbone.narrowing`), then
all layers are trained at once (:mod:`experiments.backbone.distillation`). The result is written
with 8 bits a weight.
"""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import asdict
from pathlib import Path

import hydra
import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from safetensors.torch import save_file
from torch import Tensor

from experiments.backbone.distillation import Distiller
from experiments.backbone.loop import (
    learn,
    load_checkpoint,
    overrides,
    save_checkpoint,
    training_record,
)
from experiments.backbone.narrowing import narrow
from experiments.backbone.pool import PHOTOS, draw_pool
from experiments.backbone.self_supervision import crops
from experiments.backbone.settings import NarrowConfig, check, narrow_key
from nst.backbones.files.state_dict import quantized
from nst.backbones.load import build, load_backbone
from nst.backbones.network import Backbone
from nst.backbones.weights import torchvision_state
from nst.command.configs import CONF
from nst.errors import InputError
from nst.pictures.procedural import training_images

log = logging.getLogger(__name__)

FILE = "vgg16_mini.safetensors"


def load_teacher(cfg: NarrowConfig) -> Backbone:
    """VGG-16 as ``cfg.teacher`` says.

    Raises:
        InputError: its weights cannot be loaded.
    """
    try:
        return load_backbone("vgg16", cfg.teacher, cfg.pooling)
    except InputError as error:
        raise InputError(f"teacher={cfg.teacher}: {error}") from error


def start(cfg: NarrowConfig, pool: Tensor, teacher: Backbone, folder: Path) -> Distiller:
    """The narrowed network, ready to be trained; kept in a file, for it takes minutes.

    Raises:
        InputError: the file was made with other settings, or from another teacher.
    """
    student, file = build("vgg16_mini", cfg.pooling), folder / "narrowed.pt"
    key = f"{narrow_key(cfg)} {teacher.weights_record.sha256}"
    if file.is_file():
        state = load_checkpoint(file, key, "cpu")
        student.chain.load_state_dict(state["student"], assign=True)
        channels = state["channels"]
    else:
        generator = torch.Generator().manual_seed(cfg.seed)
        _, images, _ = crops(pool, cfg.narrowing, cfg.side, generator)
        channels = narrow(teacher, student, images, cfg.seed)
        save_checkpoint({"student": student.chain.state_dict(), "channels": channels}, key, file)
    return Distiller(cfg, pool, teacher, student, channels)


def unseen(cfg: NarrowConfig) -> Tensor:
    """Images that nothing is learned from, though of the same kinds and other crops of the same
    photographs: (32, 3, side, side).
    """
    return training_images(32, cfg.side, cfg.seed + 2, photos=cfg.photos, names=PHOTOS)


def write_result(
    distiller: Distiller, losses: list[dict[str, float]], narrowed: dict[str, float], folder: Path
) -> Path:
    """The weights in 8 bits under torchvision's keys, and the record beside them.

    Args:
        distiller: trained; its student takes over the weights as they are in the file
        losses: of every step
        narrowed: the errors on :func:`unseen` images before training
        folder: where to write
    """
    cfg, file = distiller.cfg, folder / FILE
    state = quantized(torchvision_state(distiller.student))
    save_file(state, file, metadata={"made_by": "experiments.backbone.narrow"})
    written = load_backbone("vgg16_mini", str(file), cfg.pooling)
    distiller.student.chain.load_state_dict(written.chain.state_dict())
    record = {
        "command": _command(cfg),
        **training_record(distiller, losses, file),
        "teacher": {"network": "vgg16", "sha256": distiller.teacher.weights_record.sha256},
        "errors_on_unseen_images": {
            "narrowed": _rounded(narrowed),
            "written": _rounded(distiller.errors(unseen(cfg))),
        },
        "photos": list(PHOTOS),
        "config": {key: value for key, value in asdict(cfg).items() if key != "teacher"},
    }
    file.with_suffix(".json").write_text(json.dumps(record, indent=2) + "\n")
    return file


def _rounded(errors: dict[str, float]) -> dict[str, float]:
    return {layer: round(error, 4) for layer, error in errors.items()}


def _command(cfg: NarrowConfig) -> str:
    """The command line, the teacher's file by its name alone."""
    others = [each for each in overrides() if not each.startswith("teacher=")]
    teacher = f"teacher={Path(cfg.teacher).name}"
    return " ".join(["python -m experiments.backbone.narrow", teacher, *others])


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="narrow_backbone")
def main(composed: DictConfig) -> None:
    """Draw the images, narrow, train, write."""
    cfg: NarrowConfig = OmegaConf.to_object(composed)  # type: ignore[assignment]
    folder = Path(HydraConfig.get().runtime.output_dir)
    try:
        check(cfg)
        teacher = load_teacher(cfg)
        distiller = start(cfg, draw_pool(cfg, folder.parent), teacher, folder)
        narrowed = distiller.errors(unseen(cfg))
        log.info("errors before training: %s", _rounded(narrowed))
        log.info("written: %s", write_result(distiller, learn(distiller, folder), narrowed, folder))
    except InputError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted; the same command goes on from the last checkpoint")


if __name__ == "__main__":
    main()
