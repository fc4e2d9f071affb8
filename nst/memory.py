"""How much memory a run will need, how much there is, and what follows from the two.

The need is added up from shapes alone: what the optimiser keeps, the targets, and the largest
moment of an evaluation, walked through as :mod:`nst.explicit` walks. Nothing is run for it.
"""

from __future__ import annotations

import copy
import logging
import math
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nst import explicit, winograd
from nst.backbones import Backbone, build
from nst.config import Config, OptimizerName, PrecisionName, layer_sets
from nst.errors import InputError
from nst.layers import VGG_BLOCKS
from nst.losses import NEIGHBOURS
from nst.passes import all_passes, output_size, style_size
from nst.precision import Precision

log = logging.getLogger(__name__)

_FILL = 0.9  # of what is free: an estimate is one
_FEW_PAIRS = 5


@dataclass(frozen=True)
class Choice:
    """Whether blocks are computed twice to save memory, and why.

    Attributes:
        estimate_mb: what the run is thought to add to the process
        available_mb: what was free, or None where the system does not tell
    """

    checkpoint: bool
    why: str
    estimate_mb: float
    available_mb: float | None

    def as_dict(self) -> dict[str, Any]:
        """As JSON's types."""
        return asdict(self)


def choose(
    cfgs: Sequence[Config], backbone: Backbone, precision: Precision, device: torch.device
) -> Choice:
    """How N runs are to be computed on a device.

    Raises:
        InputError: ``checkpoint=auto``, and it fits neither way; or ``checkpoint=true`` on a
            network that is no plain chain.
    """
    wanted, chain = cfgs[0].checkpoint, explicit.supports(backbone)
    if wanted is True and not chain:
        raise InputError(f"checkpoint=true is for VGGs, not for {backbone.name}; leave it out")
    there = available(device)
    weights = _transformed(cfgs[0], backbone, precision, device)

    def found(checkpoint: bool, why: str) -> Choice:
        bytes_ = need(cfgs, backbone, precision, checkpoint) + weights
        return Choice(checkpoint, why, _mb(bytes_), None if there is None else _mb(there))

    if wanted != "auto":
        choice = found(wanted, "as configured")
        if not _fits(choice):
            log.warning("%s; going on as configured", _shortage(choice))
        return choice
    choice = found(False, "auto: it fits without")
    if _fits(choice):
        return choice
    if chain:
        choice = found(True, f"auto: without, it needs about {choice.estimate_mb:.0f} MB")
    if not _fits(choice):
        raise InputError(f"{_shortage(choice)}; use {_remedies(cfgs, choice, precision)}")
    return choice


def _fits(choice: Choice) -> bool:
    return choice.available_mb is None or choice.estimate_mb <= _FILL * choice.available_mb


def _shortage(choice: Choice) -> str:
    even = " even with checkpoint=true" if choice.checkpoint else ""
    return (
        f"this needs about {choice.estimate_mb / 1024:.1f} GB of memory{even}, and "
        f"{(choice.available_mb or 0) / 1024:.1f} GB are free"
    )


def _remedies(cfgs: Sequence[Config], choice: Choice, precision: Precision) -> str:
    """What would make it smaller, as keys of the command line."""
    cfg = cfgs[0]
    found = [f"a smaller size (size={cfg.size} now)"]
    if len(cfgs) > 1:
        found.append("a smaller hydra.launcher.max_batch")
    if _pairs(cfg) > _FEW_PAIRS:
        found.append(f"optimizer.history_size={_FEW_PAIRS}")
    if precision.name != "bfloat16" or precision.checked:
        found.append("precision=bfloat16")
    found.append(f"or checkpoint={str(choice.checkpoint).lower()} to try all the same")
    return ", ".join(found)


def explained(error: Exception, cfgs: Sequence[Config]) -> Exception:
    """An error that says memory ran out, as one line that says what to do; others unchanged."""
    if not ran_out(error):
        return error
    cfg = cfgs[0]
    ways = [f"a smaller size (size={cfg.size} now)"]
    if cfg.checkpoint is not True and cfg.backbone.name.name in VGG_BLOCKS:
        ways.append("checkpoint=true")
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


def largest_batch(cfg: Config, precision: Precision, device: torch.device, most: int = 256) -> int:
    """How many runs like this one fit at once by the estimate; at least 1, at most ``most``."""
    there = available(device)
    if there is None:
        return 8
    backbone = build(cfg.backbone.name.name, cfg.backbone.pooling.name)
    checkpoint = cfg.checkpoint is True
    weights = _weights(backbone, precision) + _transformed(cfg, backbone, precision, device)
    fitting = 1
    while fitting < most:
        if need([cfg] * (fitting + 1), backbone, precision, checkpoint) + weights > _FILL * there:
            break
        fitting += 1
    return fitting


# --- what a run needs --------------------------------------------------------------------------


def need(cfgs: Sequence[Config], backbone: Backbone, precision: Precision, checkpoint: bool) -> int:
    """Peak bytes that N runs as one batch add to those of the loaded network.

    Args:
        cfgs: of the runs, which may share a batch
        backbone: its shapes count alone, so that its weights may be yet to be filled in
        precision: of the steps
        checkpoint: whether blocks are computed twice
    """
    return max(
        _need_at(cfgs, backbone, precision, checkpoint, size) for size, _ in all_passes(cfgs[0])
    )


def _need_at(
    cfgs: Sequence[Config], backbone: Backbone, precision: Precision, checkpoint: bool, size: int
) -> int:
    cfg, n = cfgs[0], len(cfgs)
    content, style = layer_sets(cfg)
    layers = tuple(dict.fromkeys((*content, *style)))
    width, height = output_size(cfg, size)
    shape, item = torch.Size((n, 3, height, width)), 2 if precision.name == "bfloat16" else 4
    different = len({cfg.content for cfg in cfgs}) if content else 0
    target = (n if different > 1 else different, 3, height, width)
    targets = sum(
        4 * _outputs(backbone, [layer], target)[-1][1].numel()
        for layer in content
        if layer != "input"
    )
    targets *= 2 if precision.checked else 1
    copied = style * (bool(cfg.loss.style_shift) + bool(cfg.loss.style_neighbours))
    neighbours = bool(cfg.loss.style_neighbours)
    evaluating = evaluation(backbone, layers, shape, item, checkpoint, copied, neighbours)
    if item == 2:  # float32 watches, and judges the result, in strips
        watching = evaluation(backbone, layers, shape, 4, True, copied, neighbours)
        evaluating = max(evaluating, watching)
    styles = {style_size(each, size) for each in cfgs} if style else {(1, 1)}
    making = max(_targets_peak(backbone, style, (1, 3, h, w)) for w, h in styles)
    making = max(making, _targets_peak(backbone, content, target))
    pictures = 4 * 3 * (different * height * width + sum(w * h for w, h in styles))
    grams = (len({cfg.style for cfg in cfgs}) + 2 * n) * _gram_matrices(backbone, cfg, shape)
    return pictures + grams + targets + max(making, optimizing(cfg, 4 * shape.numel(), evaluating))


def _gram_matrices(backbone: Backbone, cfg: Config, shape: torch.Size) -> int:
    """Bytes of those of one image: targets, or an evaluation's own."""
    _, style = layer_sets(cfg)
    found = _outputs(backbone, style, shape) if style else []
    squares = sum(y[1] ** 2 for name, y, _ in found if name in style)
    return 4 * squares * (1 + len(NEIGHBOURS) * bool(cfg.loss.style_neighbours))


def optimizing(cfg: Config, image: int, evaluating: int) -> int:
    """Peak bytes of the optimiser's steps.

    Args:
        image: bytes of the N images
        evaluating: of an evaluation
    """
    if cfg.optimizer.name is OptimizerName.lbfgs:  # pairs; images, gradients, the guard's, a step's
        return 2 * _pairs(cfg) * image + max(6 * image + evaluating, 10 * image)
    return 9 * image + evaluating  # Adam's two moments; images, gradients, the guard's


def _pairs(cfg: Config) -> int:
    if cfg.optimizer.name is not OptimizerName.lbfgs:
        return 0
    return min(cfg.optimizer.history_size or 20, max(1, cfg.optimizer.steps))


def evaluation(
    backbone: Backbone,
    layers: Sequence[str],
    shape: torch.Size,
    item: int,
    checkpoint: bool,
    copied: Sequence[str] = (),
    neighbours: bool = False,
) -> int:
    """Peak bytes of one evaluation, the images and the optimiser left out.

    Args:
        shape: of the images, (N, 3, H, W)
        item: bytes of a number in the network
        copied: layers whose features are copied for their Gram matrices, to be shifted or to be
            paired with their neighbours, twice in the list for both; autograd keeps the copies
        neighbours: whether they are paired
    """
    outside = 5 * 4 * shape.numel()  # total variation and its gradient
    if not explicit.supports(backbone):
        return outside + _autograd(backbone, layers, shape, copied) * item
    blocks = explicit.plan(backbone, layers, neighbours)
    walk = _Walk(backbone, set(layers), item, copied)
    x, kept, peak = shape, 0, 0
    held: list[tuple[torch.Size, int]] = []  # what enters a block, and what is kept of it
    for block in blocks:
        if checkpoint and len(explicit.strips(x, block)) > 1:
            strip, y = _largest(x, block), walk.leaves(x, block)
            kept += item * x.numel()
            held.append((x, -1))
            peak = max(peak, kept + walk.forwards(strip, block)[0] + item * y.numel())
        else:
            moment, own = walk.forwards(x, block)
            y, peak = walk.leaves(x, block), max(peak, kept + item * x.numel() + moment)
            kept += own
            held.append((x, own))
        x = y
    for block, (x, own) in zip(reversed(blocks), reversed(held), strict=True):
        arriving = item * walk.leaves(x, block).numel()
        if own < 0:
            strip = _largest(x, block)
            again = max(walk.forwards(strip, block)[0], walk.backwards(strip, block))
            peak = max(peak, kept + arriving + item * x.numel() + again)
            kept -= item * x.numel()
        else:
            peak = max(peak, kept - own + walk.backwards(x, block))
            kept -= own
    return max(outside, peak)


def _largest(x: torch.Size, block: explicit.Block) -> torch.Size:
    rows = max(strip.high - strip.low for strip in explicit.strips(x, block))
    return torch.Size((x[0], x[1], rows, x[3]))


@dataclass(frozen=True)
class _Walk:
    """Sizes on the way through a block; item: bytes of a number; copied: as :func:`evaluation`."""

    backbone: Backbone
    layers: set[str]
    item: int
    copied: Sequence[str]

    def leaves(self, x: torch.Size, block: explicit.Block) -> torch.Size:
        """Shape of what leaves a block."""
        for operation in block.operations:
            x = _after(self.backbone.chain[operation.name], x)
        return x

    def forwards(self, x: torch.Size, block: explicit.Block) -> tuple[int, int]:
        """Bytes of the largest moment, and of what is kept for the way back."""
        kept, peak, before = 0, 0, 0  # before: what entered, where it is not kept anyway
        for operation in block.operations:
            y = _after(self.backbone.chain[operation.name], x)
            size, tapped = self.item * y.numel(), operation.layer in self.layers
            copies = self._copies(operation, y)
            peak = max(peak, kept + before + size + (copies if tapped else y.numel()))
            kept += self._kept(operation, y)
            before, x = (0 if tapped else size), y
        return peak, kept

    def _copies(self, operation: explicit.Operation, y: torch.Size) -> int:
        return self.item * y.numel() * self.copied.count(operation.layer)

    def _kept(self, operation: explicit.Operation, y: torch.Size) -> int:
        stage = self.backbone.chain[operation.name]
        found = 8 * y.numel() if isinstance(stage, nn.MaxPool2d) else 0
        if operation.layer in self.layers:
            return found + self.item * y.numel()
        rectified = operation.relu is not None or isinstance(stage, nn.ReLU)
        return found + (y.numel() if rectified else 0)

    def backwards(self, x: torch.Size, block: explicit.Block) -> int:
        """Bytes of the largest moment on the way back, what is kept of the block among them."""
        sizes = [x]
        for operation in block.operations:
            sizes.append(_after(self.backbone.chain[operation.name], sizes[-1]))
        kept, peak = self.forwards(x, block)[1], 0
        for operation, into, out in zip(
            reversed(block.operations), reversed(sizes[:-1]), reversed(sizes[1:]), strict=True
        ):
            besides = max(self._copies(operation, out), self.item * into.numel())
            peak = max(peak, kept + self.item * out.numel() + besides)
            kept -= self._kept(operation, out)
        return peak


def _after(stage: nn.Module, x: torch.Size) -> torch.Size:
    n, c, h, w = x
    if isinstance(stage, nn.Conv2d):
        return torch.Size((n, stage.out_channels, h, w))
    return x if isinstance(stage, nn.ReLU) else torch.Size((n, c, h // 2, w // 2))


def _outputs(
    backbone: Backbone, layers: Sequence[str], shape: Sequence[int]
) -> list[tuple[str, torch.Size, int]]:
    """(stage, shape of what leaves it, numbers inside) up to the deepest layer."""
    images = torch.empty(*shape, device="meta")
    missing, x, found = set(layers) - {"input"}, images, []
    for name, stage in backbone.chain.items():
        if not missing:
            break
        backbone.require_room(name, x, images)
        inner: list[int] = []
        twin = copy.deepcopy(stage).to("meta")
        for module in twin.modules():
            if isinstance(module, nn.Conv2d) and module is not twin:
                module.register_forward_hook(lambda _, __, y, i=inner: i.append(y.numel()))
        x = twin(x)
        found.append((name, x.shape, sum(inner)))
        missing.discard(name)
    return found


def _targets_peak(
    backbone: Backbone, layers: Sequence[str], shape: Sequence[int], item: int = 4
) -> int:
    """Bytes of the features of all layers at once, as targets are made of them."""
    if not layers or shape[0] == 0:
        return 0
    held, peak, before = 0, 0, math.prod(shape)
    for name, leaves, inside in _outputs(backbone, layers, shape):
        size, in_place = leaves.numel(), name.startswith("relu")
        peak = max(peak, held + before + (0 if in_place else size + inside))
        held, before = (held + size, 0) if name in layers else (held, size)
    return item * peak


def _autograd(
    backbone: Backbone, layers: Sequence[str], shape: torch.Size, copied: Sequence[str]
) -> int:
    """Numbers that autograd keeps, and the gradients of the largest stage."""
    outputs = _outputs(backbone, layers, shape)
    kept = sum(y.numel() + inside for name, y, inside in outputs if not name.startswith("relu"))
    kept += sum(y.numel() * copied.count(name) for name, y, _ in outputs)
    return kept + 3 * max((y.numel() for _, y, _ in outputs), default=0)


def _mb(bytes_: int) -> float:
    return round(bytes_ / 2**20, 1)


def _weights(backbone: Backbone, precision: Precision) -> int:
    numbers = sum(p.numel() for p in backbone.parameters())
    return numbers * (4 if precision.name == "float32" else 6)


def _transformed(
    cfg: Config, backbone: Backbone, precision: Precision, device: torch.device
) -> int:
    """Bytes of the weights that :mod:`nst.winograd` keeps beside those of the network."""
    if device.type != "cpu" or not explicit.supports(backbone):
        return 0
    content, style = layer_sets(cfg)
    width, height = output_size(cfg, max(size for size, _ in all_passes(cfg)))
    formats = [precision.dtype, *([torch.float32] if precision.checked else [])]
    found, shape = 0, torch.Size((1, 3, height, width))
    neighbours = bool(cfg.loss.style_neighbours)
    for block in explicit.plan(backbone, [*content, *style], neighbours):
        for operation in block.operations:
            stage = backbone.chain[operation.name]
            for dtype in dict.fromkeys(formats):
                found += dtype.itemsize * winograd.transformed_numbers(stage, shape, dtype)
            shape = _after(stage, shape)
    return found


# --- what there is -----------------------------------------------------------------------------


def available(device: torch.device, root: Path = Path("/")) -> int | None:
    """Bytes that are free on a device, or for this process; None where the system does not tell.

    Args:
        root: where the system's ``proc`` and ``sys`` are
    """
    if device.type == "cuda":
        reserved = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + reserved
    if device.type == "mps":
        free = torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
        return int(free)
    found = [_meminfo(root), *_groups(root)]
    known = [bytes_ for bytes_ in found if bytes_ is not None]
    return max(0, min(known)) if known else None


def _meminfo(root: Path) -> int | None:
    """What the machine has left."""
    file = root / "proc" / "meminfo"
    if file.is_file():
        for line in file.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows, macOS
        return None


def _groups(root: Path) -> list[int | None]:
    """What the limits of the process's control groups leave, from its own up to the root."""
    lines = _text(root / "proc" / "self" / "cgroup").splitlines()
    found: list[int | None] = []
    for kind, folder, limit, used in (
        ("", "sys/fs/cgroup", "memory.max", "memory.current"),
        (
            *("memory", "sys/fs/cgroup/memory"),
            *("memory.limit_in_bytes", "memory.usage_in_bytes"),
        ),
    ):
        paths = [line.split(":", 2)[2] for line in lines if line.split(":", 2)[1] == kind]
        for path in paths or ["/"]:  # in a container the files are at the top
            inner = Path(path.strip("/"))
            found += [_left(root / folder / each, limit, used) for each in (inner, *inner.parents)]
    return found


def _left(folder: Path, limit: str, used: str) -> int | None:
    """A control group's limit less its use; files in the cache give way and do not count."""
    numbers = [_text(folder / name).strip() for name in (limit, used)]
    if not all(number.isdigit() for number in numbers):  # no such file, or "max"
        return None
    cached = 0
    for line in _text(folder / "memory.stat").splitlines():
        if line.startswith(("inactive_file ", "total_inactive_file ")):
            cached = int(line.split()[1])
    return int(numbers[0]) - int(numbers[1]) + cached


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
