"""What every training of a backbone needs: the loop, checkpoints, the record's common lines."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import subprocess
import time
from pathlib import Path
from typing import Any, Protocol

import torch
from hydra.core.hydra_config import HydraConfig
from tqdm import tqdm

from nst.command.configs import CONF
from nst.errors import InputError

log = logging.getLogger(__name__)


class Schedule(Protocol):
    """The settings that the loop looks at."""

    steps: int
    checkpoint_every: int
    device: str


class Learner(Protocol):
    """What the loop drives: a step at a time, and all of its state in a checkpoint."""

    step: int
    seconds: float

    @property
    def cfg(self) -> Schedule:
        """Its settings."""

    def train_step(self) -> dict[str, float]:
        """One step; its losses."""

    def save(self, file: Path) -> None:
        """Write a checkpoint."""

    def load(self, file: Path) -> None:
        """Go on from a checkpoint."""


def learn(trainer: Learner, folder: Path) -> list[dict[str, float]]:
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
                log.info(
                    "step %d, %.0f s: %s", trainer.step, trainer.seconds, mean_losses(losses[-100:])
                )
    return losses


def mean_losses(losses: list[dict[str, float]]) -> dict[str, float]:
    """The mean of each loss over some steps."""
    return {key: round(sum(x[key] for x in losses) / len(losses), 4) for key in losses[0]}


def cosine(step: int, steps: int, warm_up: int = 150) -> float:
    """Share of the learning rate: a linear warm-up, then half a cosine down to a hundredth."""
    wave = 0.5 * (1 + math.cos(math.pi * step / steps))
    return min(1, (step + 1) / warm_up) * (0.99 * wave + 0.01)


def save_checkpoint(state: dict[str, Any], key: str, file: Path) -> None:
    """A checkpoint of a training with these settings, renamed into place."""
    partial = file.with_suffix(".part")
    torch.save({**state, "config": key}, partial)
    partial.replace(file)


def load_checkpoint(file: Path, key: str, device: str) -> dict[str, Any]:
    """What :func:`save_checkpoint` wrote.

    Raises:
        InputError: it was made with other settings.
    """
    state: dict[str, Any] = torch.load(file, map_location=device)
    if state["config"] != key:
        raise InputError(
            f"{file} comes from other settings; choose another name=, or delete the folder"
        )
    return state


def training_record(learner: Learner, losses: list[dict[str, float]], file: Path) -> dict[str, Any]:
    """What every record of a training says of the file of weights that came of it.

    Args:
        learner: trained
        losses: of every step
        file: the weights
    """
    return {
        "commit": commit(),
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "seconds": round(learner.seconds),
        "device": f"{learner.cfg.device}, {torch.get_num_threads()} threads",
        "torch": torch.__version__,
        "losses_first_100": mean_losses(losses[:100]),
        "losses_last_100": mean_losses(losses[-100:]),
    }


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


def overrides() -> list[str]:
    """What the command line changed."""
    return list(HydraConfig.get().overrides.task) if HydraConfig.initialized() else []
