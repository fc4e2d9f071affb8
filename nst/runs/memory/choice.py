"""Whether a run fits into memory, and what to do where it does not."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from nst.backbones import winograd
from nst.backbones.load import build
from nst.backbones.network import Backbone
from nst.backbones.pooling import POOLS
from nst.config import Config, OptimizerName, PrecisionName, layer_sets
from nst.config.layers import VGG_BLOCKS
from nst.errors import InputError
from nst.gradients.chain import is_chain
from nst.gradients.precision import Precision
from nst.runs.memory.free import available
from nst.runs.memory.rehearsal import peak_bytes
from nst.runs.passes import all_passes, output_size, style_size

log = logging.getLogger(__name__)

MAX_BATCH = 64
"""Most runs that may share a batch: each job of a batch nests six of Python's stack frames."""

_UNKNOWN_MEMORY_BATCH = 8
_FILL = 0.9  # of what is free: an estimate is one
_PLAINLY = 0.5  # of what is free: below it there is no rehearsal, which costs two seconds
_FEW_PAIRS = 5


@dataclass(frozen=True)
class Choice:
    """Whether blocks are computed twice to save memory (gradient checkpointing), and why.

    Attributes:
        estimate_mb: what the run is thought to add to the process; None where it so plainly fits
            that it was not rehearsed
        available_mb: what was free, or None where the system does not tell
    """

    checkpoint: bool
    why: str
    estimate_mb: float | None
    available_mb: float | None

    def as_dict(self) -> dict[str, Any]:
        """As JSON's types."""
        return asdict(self)


def choose(cfgs: Sequence[Config], precision: Precision, device: torch.device) -> Choice:
    """How N runs are to be computed on a device.

    Raises:
        InputError: ``gradient_checkpointing=auto``, and it fits neither way; or ``true`` on a
            network that is no plain chain.
    """
    cfg = cfgs[0]
    backbone = build(cfg.backbone.name.name, cfg.backbone.pooling.name)
    setting, chain = cfg.gradient_checkpointing, is_chain(backbone)
    if setting is True and not chain:
        raise InputError(
            f"gradient_checkpointing=true is for VGGs, not for {backbone.name}; leave it out"
        )
    free = available(device)
    transformed = _transformed_weights(cfg, backbone, precision, device)
    if free is not None and chain and at_most(cfgs, backbone) + transformed <= _PLAINLY * free:
        why = "auto: it plainly fits" if setting == "auto" else "as configured"
        return Choice(setting is True, why, None, _mb(free))

    def estimated(checkpointing: bool, why: str) -> Choice:
        bytes_ = peak_bytes(cfgs, precision, checkpointing) + transformed
        return Choice(checkpointing, why, _mb(bytes_), None if free is None else _mb(free))

    if setting != "auto":
        choice = estimated(setting, "as configured")
        if not _fits(choice):
            log.warning("%s; going on as configured", _shortage(choice))
        return choice
    choice = estimated(False, "auto: it fits without")
    if _fits(choice):
        return choice
    if chain:
        choice = estimated(True, f"auto: without, it needs about {_needed(choice):.0f} MB")
    if not _fits(choice):
        raise InputError(f"{_shortage(choice)}; use {_remedies(cfgs, choice, precision)}")
    return choice


def _fits(choice: Choice) -> bool:
    return choice.available_mb is None or _needed(choice) <= _FILL * choice.available_mb


def _needed(choice: Choice) -> float:
    """MB that a rehearsed run needs."""
    assert choice.estimate_mb is not None
    return choice.estimate_mb


def _shortage(choice: Choice) -> str:
    even = " even with gradient_checkpointing=true" if choice.checkpoint else ""
    return (
        f"this needs about {_needed(choice) / 1024:.1f} GB of memory{even}, and "
        f"{(choice.available_mb or 0) / 1024:.1f} GB are free"
    )


def _remedies(cfgs: Sequence[Config], choice: Choice, precision: Precision) -> str:
    """What would make it smaller, as keys of the command line."""
    cfg = cfgs[0]
    remedies = [f"a smaller size (size={cfg.size} now)"]
    if len(cfgs) > 1:
        remedies.append("a smaller hydra.launcher.max_batch")
    if _pairs(cfg) > _FEW_PAIRS:
        remedies.append(f"optimizer.history_size={_FEW_PAIRS}")
    if precision.name != "bfloat16" or precision.checked:
        remedies.append("precision=bfloat16")
    value = str(choice.checkpoint).lower()
    remedies.append(f"or gradient_checkpointing={value} to try all the same")
    return ", ".join(remedies)


def explained(error: Exception, cfgs: Sequence[Config]) -> Exception:
    """An error that says memory ran out, as one line that says what to do; others unchanged."""
    if not ran_out(error):
        return error
    cfg = cfgs[0]
    ways = [f"a smaller size (size={cfg.size} now)"]
    if cfg.gradient_checkpointing is not True and cfg.backbone.name.name in VGG_BLOCKS:
        ways.append("gradient_checkpointing=true")
    if _pairs(cfg) > _FEW_PAIRS:
        ways.append(f"optimizer.history_size={_FEW_PAIRS}")
    if cfg.precision is not PrecisionName.bfloat16:
        ways.append("precision=bfloat16")
    return InputError(f"memory ran out; what was computed is kept; use {' or '.join(ways)}")


def ran_out(error: BaseException) -> bool:
    """Whether an exception says that there was not enough memory, of the device or the host."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    words = ("not enough memory", "can't allocate memory", "out of memory")
    return isinstance(error, RuntimeError) and any(word in str(error) for word in words)


def largest_batch(cfg: Config, precision: Precision, device: torch.device) -> int:
    """How many runs like this one fit at once by the estimate: 1 to :data:`MAX_BATCH`."""
    free = available(device)
    if free is None:
        return _UNKNOWN_MEMORY_BATCH
    backbone = build(cfg.backbone.name.name, cfg.backbone.pooling.name)
    network = _weights(backbone, precision)
    network += _transformed_weights(cfg, backbone, precision, device)
    room = _FILL * free - network
    checkpointing = cfg.gradient_checkpointing is True
    of_one, of_two = (peak_bytes([cfg] * n, precision, checkpointing) for n in (1, 2))
    count = 1 + int(
        (room - of_one) / max(1, of_two - of_one)
    )  # nearly linear in the number of runs
    count = max(1, min(MAX_BATCH, count))
    while count > 1 and peak_bytes([cfg] * count, precision, checkpointing) > room:
        count -= max(1, count // 10)
    return count


def _pairs(cfg: Config) -> int:
    """Pairs that L-BFGS will keep."""
    if cfg.optimizer.name is not OptimizerName.lbfgs:
        return 0
    return min(cfg.optimizer.history_size or 0, max(1, cfg.optimizer.steps))


def at_most(cfgs: Sequence[Config], backbone: Backbone) -> int:
    """Bytes that N runs of a VGG stay well below, known without a rehearsal.

    Activations count twice, and those of all layers; then come the style losses' matrices of
    channels by channels, the optimiser's pairs of images, and 40 more images.
    """
    images, activations, squares = 0.0, 0.0, 0
    for cfg in cfgs:
        side = max(size for size, _ in all_passes(cfg))
        sides = output_size(cfg, side), style_size(cfg, side)
        pixels, share = float(sum(width * height for width, height in sides)), 1.0
        images += 3 * pixels * (2 * (cfg.optimizer.history_size or 0) + 40)
        for module in backbone.chain.values():
            if isinstance(module, nn.Conv2d):
                activations += pixels * share * module.out_channels
                squares += module.out_channels**2
            elif isinstance(module, POOLS):
                share /= 4
    return round(4 * (2 * activations + 4 * squares + images))  # of float32


def _mb(bytes_: int) -> float:
    return round(bytes_ / 2**20, 1)


def _weights(backbone: Backbone, precision: Precision) -> int:
    """Bytes of the network itself, in float32 and, where steps are bfloat16, in that too."""
    numbers = sum(p.numel() for p in backbone.parameters())
    return numbers * (4 if precision.name == "float32" else 6)


def _transformed_weights(
    cfg: Config, backbone: Backbone, precision: Precision, device: torch.device
) -> int:
    """Bytes of the weights that :mod:`nst.backbones.winograd` keeps beside those of the network."""
    if device.type != "cpu" or not is_chain(backbone):
        return 0
    deepest = set().union(*layer_sets(cfg)) - {"input"}
    width, height = output_size(cfg, max(size for size, _ in all_passes(cfg)))
    formats = {precision.dtype, torch.float32}  # targets and the last losses are float32's
    bytes_, shape = 0, torch.Size((1, 3, height, width))
    for name, module in backbone.chain.items():
        if not deepest:
            break
        for dtype in formats:
            bytes_ += dtype.itemsize * winograd.transformed_numbers(module, shape, dtype)
        if not isinstance(module, nn.Conv2d | nn.ReLU):
            shape = torch.Size((1, 3, shape[2] // 2, shape[3] // 2))
        deepest.discard(name)
    return bytes_
