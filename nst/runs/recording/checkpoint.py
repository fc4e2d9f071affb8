"""``checkpoint.pt``: what a run needs to go on after it was interrupted or killed."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nst.config import Config, config_hash
from nst.errors import InputError

CHECKPOINT = "checkpoint.pt"
_VERSION = 1
_SECONDS = 60.0  # about, between two checkpoints
_SHARE = 20.0  # a checkpoint takes at most this part of the time


@dataclass(frozen=True)
class Checkpoint:
    """One run between two steps.

    Attributes:
        state: of :meth:`nst.runs.transfer.Transfer.state_dict`, of this run alone
        config_hash: of the run
        images: sha256 of its pictures by key, None for one that comes with the package
        where: what else decides the last bit of a result, by name: torch's version and the like
    """

    state: dict[str, Any]
    config_hash: str
    images: dict[str, str | None]
    where: dict[str, Any]

    def save(self, path: Path) -> None:
        """Write it as torch does."""
        torch.save({"version": _VERSION, **vars(self)}, path)

    @property
    def step(self) -> int:
        """The step that it was taken at."""
        return int(self.state["step"])

    def fits(self, cfg: Config, images: Mapping[str, str | None]) -> bool:
        """Whether it is of a run with this config and these pictures."""
        return self.config_hash == config_hash(cfg) and self.images == dict(images)


def read_checkpoint(path: Path) -> Checkpoint:
    """A checkpoint from its file; nothing that the file holds is executed.

    Raises:
        InputError: the file is none, or of another version of the program.
    """
    try:
        # mapped: whoever wants to know the step alone need not read the rest
        values = torch.load(path, map_location="cpu", weights_only=True, mmap=os.name == "posix")
        if values.pop("version") != _VERSION:
            raise ValueError("another version of the program wrote it")
        return Checkpoint(**values)
    except Exception as error:  # torch raises many kinds for a file that is none
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"{path} is no checkpoint to go on from ({reason}); without resume=true the run "
            "starts anew"
        ) from error


class Due:
    """When the next checkpoint is due: every so many steps, or about every minute.

    One that takes long to write is written less often: at most a twentieth of the time goes there.
    """

    def __init__(self, every: int | str):
        """
        Args:
            every: steps; 0 for never; or ``auto``
        """
        self._every = every
        self._next = time.monotonic() + _SECONDS

    def __call__(self, step: int) -> bool:
        """Whether a checkpoint of this step is due."""
        if isinstance(self._every, int):
            return self._every > 0 and step > 0 and step % self._every == 0
        return time.monotonic() >= self._next

    def took(self, seconds: float) -> None:
        """Remember how long the last one took to write."""
        self._next = time.monotonic() + max(_SECONDS, _SHARE * seconds)


def part(state: Mapping[str, Any], number: int) -> dict[str, Any]:
    """The state of one run of a batch; all tensors begin with the runs.

    >>> part({"step": 3, "images": torch.tensor([[1.0], [2.0]])}, 1)
    {'step': 3, 'images': tensor([[2.]])}
    """
    result: dict[str, Any] = _part(state, number)
    return result


def _part(value: Any, number: int) -> Any:
    if isinstance(value, Mapping):
        return {key: _part(inner, number) for key, inner in value.items()}
    if isinstance(value, Tensor) and value.ndim and len(value) > 1:
        return value[number : number + 1].cpu().clone()  # else the file would hold the whole batch
    return value


def joined(states: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """States of runs as the state of a batch; the inverse of :func:`part`.

    Raises:
        ValueError: states that are not of one batch, as at different steps.
    """
    result: dict[str, Any] = _join(list(states))
    return result


def _join(values: list[Any]) -> Any:
    first = values[0]
    if isinstance(first, Mapping):
        return {key: _join([value[key] for value in values]) for key in first}
    if isinstance(first, Tensor) and first.ndim:
        return torch.cat(values)
    different = [v for v in values if not _same(v, first)]
    if different:
        raise ValueError(f"{different[0]} beside {first}: not of one batch")
    return first


def _same(x: Any, y: Any) -> bool:
    return torch.equal(x, y) if isinstance(x, Tensor) and isinstance(y, Tensor) else bool(x == y)
